//! Writes a JSON object into a buffer. What is empty is left out.
//!
//! Each text of ours is safe to show: the characters that a terminal obeys ([`super::escape`]) are
//! escaped. Only what [`ObjectWriter::json`] splices in, and [`string`] writes, keeps them.
//!
//! Each field and each item is written with the comma after it, and the end of an object or a list
//! takes the place of the last one: so no field needs to know whether it is the first.

use super::escape::{TerminalControl, append_escape, append_quoted, is_plain_ascii, plain_end};
use crate::model::time::{Timestamp, append_millis};

/// As long as a key of ours is, with its quotes, the colon and what begins the value.
const USUAL_START: usize = 40;

/// The fields of an object that is being written.
pub struct ObjectWriter<'o> {
    out: &'o mut Vec<u8>,
}

/// Appends an object to `out`, empty or not.
#[inline]
pub fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    out.push(b'{');
    fill(&mut ObjectWriter { out });
    close(out, b'}');
}

impl ObjectWriter<'_> {
    /// A text.
    #[inline]
    pub fn text(&mut self, key: &str, text: &str) {
        self.begin(key, b"\":\"");
        text_and_end(self.out, text);
    }

    /// A word of ours, which needs no escape.
    #[inline]
    pub fn word(&mut self, key: &str, word: &'static str) {
        self.begin(key, b"\":\"");
        self.out.extend_from_slice(word.as_bytes());
        self.out.extend_from_slice(b"\",");
    }

    /// Fields of ours that are always the same, as JSON writes them: `"a":"b","c":"d"`.
    #[inline]
    pub fn constant(&mut self, fields: &'static str) {
        self.out.extend_from_slice(fields.as_bytes());
        self.out.push(b',');
    }

    /// A text, if there is one.
    #[inline]
    pub fn text_if_some(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// A point in time.
    #[inline]
    pub fn time(&mut self, key: &str, time: Timestamp) {
        self.begin(key, b"\":\"");
        append_millis(time, self.out);
        self.out.extend_from_slice(b"\",");
    }

    /// A whole number.
    #[inline]
    pub fn integer(&mut self, key: &str, number: i64) {
        self.begin(key, b"\":");
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self.out.push(b',');
    }

    /// A valid JSON text, as it is.
    pub fn json(&mut self, key: &str, text: &[u8]) {
        self.begin(key, b"\":");
        self.out.extend_from_slice(text);
        self.out.push(b',');
    }

    /// A valid JSON text without whitespace between its tokens, as a text.
    pub fn json_as_text(&mut self, key: &str, text: &[u8]) {
        self.begin(key, b"\":\"");
        append_quoted(self.out, text);
        self.out.extend_from_slice(b"\",");
    }

    /// An object, if `fill` writes a field of it.
    #[inline] // so that the compiler knows the key: see `begin`
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
        let before = self.out.len();
        self.begin(key, b"\":{");
        let inside = self.out.len();
        fill(self);
        self.end(before, inside, b'}');
    }

    /// A list of texts, if `fill` writes one.
    #[inline]
    pub fn text_list(&mut self, key: &str, fill: impl FnOnce(&mut TextListWriter<'_>)) {
        let before = self.out.len();
        self.begin(key, b"\":[");
        let inside = self.out.len();
        fill(&mut TextListWriter { out: self.out });
        self.end(before, inside, b']');
    }

    /// A list of objects, one for each that `items` brings, if it brings any.
    #[inline]
    pub fn objects<T>(
        &mut self,
        key: &str,
        items: impl Iterator<Item = T>,
        fill: impl Fn(&mut ObjectWriter<'_>, T),
    ) {
        let before = self.out.len();
        self.begin(key, b"\":[");
        let inside = self.out.len();
        for item in items {
            object(self.out, |fields| fill(fields, item));
            self.out.push(b',');
        }
        self.end(before, inside, b']');
    }

    /// A list of texts, if there are any.
    pub fn texts<'t>(&mut self, key: &str, texts: impl Iterator<Item = &'t str>) {
        self.text_list(key, |list| texts.for_each(|text| list.push(text)));
    }

    /// The end of what began at `before`, of which nothing shall stay if there is nothing after
    /// `inside`.
    #[inline]
    fn end(&mut self, before: usize, inside: usize, end: u8) {
        match self.out.len() == inside {
            true => self.out.truncate(before),
            false => {
                close(self.out, end);
                self.out.push(b',');
            }
        }
    }

    /// The key, and `open` after it: what ends it and begins the value.
    ///
    /// Where both are constants, so is all that is written here: put together by the compiler, it
    /// is a store or two.
    #[inline(always)]
    fn begin(&mut self, key: &str, open: &[u8]) {
        let mut start = [0; USUAL_START];
        let Some(whole) = start.get_mut(..1 + key.len() + open.len()) else {
            return self.begin_long(key, open);
        };
        let (before, rest) = whole.split_at_mut(1);
        let (name, behind) = rest.split_at_mut(key.len());
        before.copy_from_slice(b"\"");
        name.copy_from_slice(key.as_bytes());
        behind.copy_from_slice(open);
        self.out.extend_from_slice(whole);
    }

    #[cold]
    fn begin_long(&mut self, key: &str, open: &[u8]) {
        for part in [b"\"", key.as_bytes(), open] {
            self.out.extend_from_slice(part);
        }
    }
}

/// Ends an object or a list: in the place of the comma after its last part, if it has one.
#[inline]
fn close(out: &mut Vec<u8>, end: u8) {
    match out.last_mut() {
        Some(last @ b',') => *last = end,
        _ => out.push(end),
    }
}

/// A list of texts that is being written.
pub struct TextListWriter<'o> {
    out: &'o mut Vec<u8>,
}

impl TextListWriter<'_> {
    /// One more.
    pub fn push(&mut self, text: &str) {
        self.out.push(b'"');
        text_and_end(self.out, text);
    }
}

/// The rest of a text whose quote is written, and the comma after it.
#[inline(never)] // called from a hundred places: inside of each it would crowd out the others
fn text_and_end(out: &mut Vec<u8>, text: &str) {
    append_text(out, text);
    out.extend_from_slice(b"\",");
}

/// Appends `text` as a JSON string; only what JSON wants escaped is. Ids are hashes of such
/// strings, so that nothing here may ever change.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escaped(out, text.as_bytes());
    out.push(b'"');
}

#[inline]
fn append_text(out: &mut Vec<u8>, text: &str) {
    match is_plain_ascii(text.as_bytes()) {
        true => out.extend_from_slice(text.as_bytes()),
        false => escaped_for_terminals(out, text.as_bytes()),
    }
}

/// Appends `text` with what JSON wants escaped, and what a terminal obeys.
#[inline(never)] // most texts are plain
fn escaped_for_terminals(out: &mut Vec<u8>, text: &[u8]) {
    let mut from = 0;
    while let Some(control) = TerminalControl::find(text, from) {
        escaped(out, text.get(from..control.start).unwrap_or_default());
        control.append_escape(out);
        from = control.end;
    }
    escaped(out, text.get(from..).unwrap_or_default());
}

fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut from = 0;
    loop {
        let end = plain_end(text, from);
        out.extend_from_slice(text.get(from..end).unwrap_or_default());
        match text.get(end) {
            Some(&byte) => escape(out, byte),
            None => return,
        }
        from = end + 1;
    }
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        8 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        12 => b'f',
        b'\r' => b'r',
        _ => return append_escape(out, u16::from(byte)),
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_empty_is_left_out() {
        let mut out = Vec::new();
        object(&mut out, |fields| {
            fields.object("none", |_| {});
            fields.constant(r#""x":1,"y":"z""#);
            fields.text_if_some("nothing", None);
            fields.objects("list", [0; 0].into_iter(), |_, _| {});
            fields.text_list("none", |_| {});
            fields.texts("words", [].into_iter());
            fields.object("some", |some| {
                some.object("none", |_| {});
                some.constant(r#""a":"{""#);
                some.text("b", "x");
            });
            fields.objects("list", ["x", "y"].into_iter(), |item, text| item.text("t", text));
            fields.text_list("gathered", |list| {
                ["[", "\"", ""].iter().for_each(|text| list.push(text))
            });
            fields.texts("words", ["a"].into_iter());
            fields.objects("none", [0; 0].into_iter(), |_, _| {});
            fields.objects("each", 1..=2, |item, number| item.integer("n", number));
            fields.texts("none", std::iter::empty());
            fields.texts("texts", ["\"", ""].into_iter());
            fields.json_as_text("text", br#"{"k":"\n"}"#);
            fields.json("raw", b"[]");
            fields.json_as_text("text", br#"{"a":"\\"}"#);
        });
        let want = r#"{"x":1,"y":"z","some":{"a":"{","b":"x"},"list":[{"t":"x"},{"t":"y"}],"gathered":["[","\"",""],"words":["a"],"each":[{"n":1},{"n":2}],"texts":["\"",""],"text":"{\"k\":\"\\n\"}","raw":[],"text":"{\"a\":\"\\\\\"}"}"#;
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped_in_every_text() {
        let steering = "\"\u{7f}\u{9b}31m é\u{2028}€\u{202e}\u{2069}\n";
        let want = r#"\"\u007f\u009b31m é\u2028€\u202e\u2069\n"#;
        let mut out = Vec::new();
        object(&mut out, |fields| {
            fields.text("text", steering);
            fields.text("again", steering);
            fields.texts("texts", std::iter::once(steering));
            fields.json_as_text("original", "\"\u{9b}\"".as_bytes());
        });
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches(want).count(), 3, "{text}");
        assert!(text.contains(r#""original":"\"\u009b\"""#), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["text"], steering);
        assert_eq!(read["original"], "\"\u{9b}\"");
    }

    proptest! {
        #[test]
        fn a_string_is_written_as_serde_json_writes_it(text in any::<String>(), odd in "[\\x00-\\x24\\\\é]{0,12}") {
            for text in [text, odd] {
                let mut out = Vec::new();
                string(&mut out, &text);
                prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
            }
        }
    }
}
