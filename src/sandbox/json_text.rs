//! JSON as text: written key by key in a chosen order, and re-spaced without touching a token.
//!
//! Events are kept and served as text because a parsed value would lose what a collector must keep:
//! long numbers, `1.10`, repeated keys, odd escapes.

use std::fmt::Write;

/// Room for most of the objects inside of an event, so that few of them move while they grow.
const TYPICAL_BYTES: usize = 192;

/// A JSON object under construction. Keys come out in the order written, repeats included.
#[derive(Debug)]
pub struct JsonObject {
    text: String,
}

impl JsonObject {
    /// An object without keys.
    pub fn new() -> Self {
        let mut text = String::with_capacity(TYPICAL_BYTES);
        text.push('{');
        Self { text }
    }

    /// Adds a string member.
    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        self.text.push_str(&quoted(value));
        self
    }

    /// Adds a member whose value is JSON text already.
    pub fn raw(mut self, key: &str, json: &str) -> Self {
        self.key(key);
        self.text.push_str(json);
        self
    }

    /// Adds a number.
    pub fn number(mut self, key: &str, value: usize) -> Self {
        self.key(key);
        let _ = write!(self.text, "{value}"); // writing to a String cannot fail
        self
    }

    /// Adds a member when there is a value, already JSON text.
    pub fn maybe(self, key: &str, json: Option<&str>) -> Self {
        match json {
            Some(json) => self.raw(key, json),
            None => self,
        }
    }

    /// The finished text.
    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push_str(&quoted(key));
        self.text.push(':');
    }
}

/// The members of an object that is not finished, so that an irregular shape can change any of them.
#[derive(Debug, Default)]
pub struct JsonMembers(Vec<(&'static str, String)>);

impl JsonMembers {
    /// Adds a member, already JSON text; one whose text is empty is left out of the object.
    pub fn with(mut self, key: &'static str, json: impl Into<String>) -> Self {
        self.0.push((key, json.into()));
        self
    }

    /// Changes a member; one that is new comes last.
    pub fn set(&mut self, key: &'static str, json: impl Into<String>) {
        let json = json.into();
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = json,
            None => self.0.push((key, json)),
        }
    }

    /// Leaves a member out.
    pub fn remove(&mut self, key: &'static str) {
        self.set(key, "");
    }

    /// The finished text.
    pub fn finish(&self) -> String {
        let members = self.0.iter().filter(|(_, json)| !json.is_empty());
        let object = members.fold(JsonObject::new(), |object, (key, json)| object.raw(key, json));
        object.finish()
    }
}

/// A JSON array of items that are JSON text already.
pub fn array<I>(items: I) -> String
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(item.as_ref());
    }
    text.push(']');
    text
}

/// `value` as a JSON string.
pub fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
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
        let text =
            JsonObject::new().text("b", "x\"\\\n\u{7}").raw("a", "1.10").number("a", 2).finish();
        assert_eq!(text, r#"{"b":"x\"\\\n\u0007","a":1.10,"a":2}"#);
        assert_eq!(array([text.as_str(), "null"]), format!("[{text},null]"));
        assert_eq!(array(Vec::<String>::new()), "[]");
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
