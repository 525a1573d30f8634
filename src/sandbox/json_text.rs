//! JSON as text: written key by key in a chosen order, and re-spaced without touching a token.
//!
//! Events are kept and served as text because a parsed value would lose what a collector must keep: long numbers,
//! `1.10`, repeated keys, odd escapes.

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
        quote(&mut self.text, value);
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
    pub fn raw_if_some(self, key: &str, json: Option<&str>) -> Self {
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
        quote(&mut self.text, key);
        self.text.push(':');
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
    let mut text = String::with_capacity(value.len() + 2);
    quote(&mut text, value);
    text
}

fn quote(out: &mut String, value: &str) {
    out.push('"');
    let mut rest = value;
    while let Some(at) = rest
        .bytes()
        .position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
    {
        let (plain, from_odd) = rest.split_at(at);
        out.push_str(plain);
        let (odd, after) = from_odd.split_at(1);
        match odd {
            "\"" => out.push_str("\\\""),
            "\\" => out.push_str("\\\\"),
            "\n" => out.push_str("\\n"),
            control => control.bytes().for_each(|byte| {
                let _ = write!(out, "\\u{byte:04x}");
            }),
        }
        rest = after;
    }
    out.push_str(rest);
    out.push('"');
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
        let text = JsonObject::new()
            .text("b", "x\"\\\n\u{7}")
            .raw("a", "1.10")
            .number("a", 2)
            .finish();
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
