//! JSON as text, because a parsed value would lose what a collector must keep: the order of keys,
//! long numbers, `1.10`, repeated keys, odd escapes.

use serde::Serialize;

/// The text of a JSON value; an empty one is a member that its object leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonText(pub String);

impl<T: Serialize> From<T> for JsonText {
    fn from(value: T) -> Self {
        Self(serde_json::to_string(&value).unwrap_or_default())
    }
}

impl JsonText {
    /// `value`, or nothing.
    pub fn when(condition: bool, value: impl Serialize) -> Self {
        if condition { value.into() } else { Self::default() }
    }
}

/// An object. Members come out in the order written, repeats included.
#[derive(Clone, Debug, Default)]
pub struct JsonObject(pub Vec<(&'static str, JsonText)>);

/// A [`JsonObject`], written like `serde_json::json!`, which would sort the keys. A value is a
/// [`JsonText`] or becomes one.
macro_rules! object {
    ($($key:literal: $value:expr),* $(,)?) => {
        $crate::sandbox::json_text::JsonObject(vec![$(
            ($key, $crate::sandbox::json_text::JsonText::from($value))
        ),*])
    };
}
pub(crate) use object;

impl JsonObject {
    /// Changes a member; one that is new comes last. `KEY+` adds an item to the array at `KEY`.
    pub fn set(&mut self, key: &'static str, json: JsonText) {
        let (key, is_item) = key.strip_suffix('+').map_or((key, false), |key| (key, true));
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, JsonText(array))) if is_item => {
                array.truncate(array.len().saturating_sub(1));
                array.push_str(if array.ends_with('[') { "" } else { "," });
                array.push_str(&json.0);
                array.push(']');
            }
            Some((_, old)) => *old = json,
            None => self.0.push((key, json)),
        }
    }
}

impl From<JsonObject> for JsonText {
    fn from(object: JsonObject) -> Self {
        let length = object.0.iter().map(|(key, JsonText(json))| key.len() + json.len() + 4).sum();
        let mut text = String::with_capacity(length);
        text.push('{');
        for (key, JsonText(json)) in object.0.iter().filter(|(_, json)| !json.0.is_empty()) {
            let comma = if text.len() > 1 { "," } else { "" };
            text.extend([comma, "\"", key, "\":", json]);
        }
        text.push('}');
        Self(text)
    }
}

/// An array of these items.
pub fn array(items: impl IntoIterator<Item = impl Into<JsonText>>) -> JsonText {
    let items: Vec<String> = items.into_iter().map(|item| item.into().0).collect();
    JsonText(format!("[{}]", items.join(",")))
}

/// The same tokens with newlines and two-space indentation between them.
pub fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 3 / 2);
    let (mut depth, mut in_string, mut escaped, mut just_opened) = (0_usize, false, false, false);
    for letter in json.chars() {
        if in_string {
            out.push(letter);
            in_string = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        if letter.is_ascii_whitespace() {
            continue;
        }
        if matches!(letter, '}' | ']') {
            depth = depth.saturating_sub(1);
            if !just_opened {
                new_line(&mut out, depth);
            }
        } else if just_opened {
            new_line(&mut out, depth);
        }
        just_opened = matches!(letter, '{' | '[');
        in_string = letter == '"';
        out.push(letter);
        match letter {
            '{' | '[' => depth += 1,
            ',' => new_line(&mut out, depth),
            ':' => out.push(' '),
            _ => {}
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_repeats() {
        let number = JsonText("1.10".to_owned());
        let text = JsonText::from(object! {"b": "x\"\\\n\u{7}", "a": number, "a": 2, "c": ()});
        assert_eq!(text.0, r#"{"b":"x\"\\\n\u0007","a":1.10,"a":2,"c":null}"#);
        assert_eq!(array([text.clone()]).0, format!("[{}]", text.0));
        assert_eq!(array([""; 0]).0, "[]");
    }

    #[test]
    fn members_are_changed_added_and_left_out() {
        let mut object = object! {"a": 1, "b": [7], "c": [(); 0]};
        for (key, json) in [("a", ""), ("b+", "8"), ("c+", "9"), ("d", "null")] {
            object.set(key, JsonText(json.to_owned()));
        }
        assert_eq!(JsonText::from(object).0, r#"{"b":[7,8],"c":[9],"d":null}"#);
    }

    #[test]
    fn pretty_adds_whitespace_between_tokens_only() {
        let text =
            r#"{"a":[1,{"b":"x, {y}: \" \\"},[],{}],"n":12345678901234567890123,"e":"\u0041\/"}"#;
        let spaced = pretty(text);
        assert_eq!(
            spaced,
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x, {y}: \\\" \\\\\"\n    },\n    [],\n    {}\n  ],\n  \
             \"n\": 12345678901234567890123,\n  \"e\": \"\\u0041\\/\"\n}"
        );
        assert_eq!(pretty(&spaced), spaced);
    }
}
