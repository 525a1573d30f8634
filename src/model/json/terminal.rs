//! Finds and escapes the characters in JSON text that a terminal obeys.
//!
//! JSON lets them stand in a string as they are: U+007F to U+009F (U+009B is `ESC [` in one character), the
//! overrides and isolates of bidirectional text, which reorder what a line seems to say, and the two separators that
//! some programs take for the end of a line. Outside of strings JSON is ASCII, so that an escape is always right
//! where such a character stands.

use std::borrow::Cow;

use memchr::memchr3;

/// One such character in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalControl {
    /// Where it starts.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    code: u16,
}

impl TerminalControl {
    /// The first one of `text`, which is UTF-8, from `at` on.
    #[inline]
    pub fn find(text: &[u8], mut at: usize) -> Option<TerminalControl> {
        loop {
            // The bytes that one can start with. Most texts hold none of them.
            at += memchr3(0x7f, 0xc2, 0xe2, text.get(at..)?)?;
            if let Some((code, length)) = control_at(text.get(at..)?) {
                let end = at + length;
                return Some(TerminalControl { start: at, end, code });
            }
            at += 1;
        }
    }

    /// Appends `\u` and its four digits.
    pub fn append_escape(self, out: &mut Vec<u8>) {
        append_escape(out, self.code);
    }
}

/// Appends `\u` and the four digits of `code`.
pub fn append_escape(out: &mut Vec<u8>, code: u16) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    out.extend([12, 8, 4, 0].map(|shift| HEX[usize::from(code >> shift & 15)]));
}

/// The code and the length of the character that `text` starts with, if it is one of ours.
fn control_at(text: &[u8]) -> Option<(u16, usize)> {
    // The last byte of each holds the low six bits of its code.
    match *text {
        [0x7f, ..] => Some((0x7f, 1)),
        [0xc2, last @ 0x80..=0x9f, ..] => Some((u16::from(last), 2)),
        [0xe2, 0x80, last @ 0xa8..=0xae, ..] => Some((0x2000 | u16::from(last & 0x3f), 3)),
        [0xe2, 0x81, last @ 0xa6..=0xa9, ..] => Some((0x2040 | u16::from(last & 0x3f), 3)),
        _ => None,
    }
}

/// `json`, whole JSON values in UTF-8, with each such character escaped. It says the same.
pub fn escaped(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(control) = TerminalControl::find(json, from) {
        out.extend_from_slice(json.get(from..control.start).unwrap_or_default());
        control.append_escape(&mut out);
        from = control.end;
    }
    if from == 0 {
        return Cow::Borrowed(json);
    }
    out.extend_from_slice(json.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The characters that are escaped, as the module's description lists them.
    fn is_listed(c: char) -> bool {
        matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }

    #[test]
    fn exactly_the_listed_characters_are_escaped() {
        for c in '\0'..=char::MAX {
            let text = format!("a{c}b");
            let want = match is_listed(c) {
                true => format!("a\\u{:04x}b", u32::from(c)),
                false => text.clone(),
            };
            assert_eq!(escaped(text.as_bytes()), want.as_bytes(), "{c:?}");
        }
    }

    #[test]
    fn printable_text_holds_none_of_them() {
        for c in ('\0'..=char::MAX).filter(|&c| is_listed(c)) {
            assert_eq!(crate::model::text::printable(&format!("a{c}b")), "a b");
        }
    }

    proptest! {
        #[test]
        fn the_escaped_json_says_the_same(text in "[\\u{7e}-\\u{a0}é€\"\\\\\\u{2020}-\\u{2070}🔭]{0,40}") {
            let json = serde_json::to_string(&[&text]).unwrap();
            let safe = String::from_utf8(escaped(json.as_bytes()).into_owned()).unwrap();
            prop_assert!(!safe.contains(is_listed));
            let read: [String; 1] = serde_json::from_str(&safe).unwrap();
            prop_assert_eq!(&read[0], &text);
        }
    }
}
