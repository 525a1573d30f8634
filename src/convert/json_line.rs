//! Owns the one question of whether a line is JSON: nothing behind it asks again.

use bytes::Bytes;
use bytestring::ByteString;

use crate::model::json::Document;

/// A line that is JSON.
#[derive(Debug)]
pub struct JsonLine {
    /// What it says.
    pub doc: Document,
    /// Whether U+FFFD was put in the place of bytes that are no UTF-8, as in a pull.
    pub has_invalid_utf8: bool,
}

/// `line`, when it is one JSON value and nothing else. Depth costs no stack.
///
/// # Errors
/// Why it is none, without a word of its content.
pub fn parse_json_line(line: Bytes) -> Result<JsonLine, String> {
    let (text, is_mended) = match ByteString::try_from(line.clone()) {
        Ok(text) => (text, false),
        Err(_) => (String::from_utf8_lossy(&line).into_owned().into(), true),
    };
    let doc = Document::parse(text).map_err(|invalid| invalid.to_string())?;
    Ok(JsonLine { doc, has_invalid_utf8: is_mended })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8]) -> Result<JsonLine, String> {
        parse_json_line(Bytes::copy_from_slice(line))
    }

    #[test]
    fn one_value_and_nothing_else() {
        for good in [
            &b"{}"[..],
            b" [1, {\"a\":\"\\ud800\"}]\t",
            b"null",
            b"\"\x7f\"",
        ] {
            assert!(check(good).is_ok_and(|it| !it.has_invalid_utf8));
        }
        for bad in [
            &b"{}{}"[..],
            b"{} x",
            b"{\"a\":1",
            b"{\"a\":\"\0\"}",
            b"\0",
            b"{\"a\":01}",
            b"{'a':1}",
            b"nul",
            b"{\"a\":\"\xff",
            b"\xff{}",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_reason_names_the_place_and_nothing_of_the_content() {
        let why = check(br#"{"secret":"word" "x"}"#).unwrap_err();
        assert!(
            why.starts_with("expected ") && why.contains("at byte 1"),
            "{why}"
        );
        assert!(!why.contains("word"), "{why}");
    }

    #[test]
    fn invalid_utf8_in_a_string_is_replaced() {
        let it = check(b"{\"a\":\"x\xffy\"}").unwrap();
        assert!(it.has_invalid_utf8);
        assert_eq!(it.doc.text(), "{\"a\":\"x\u{fffd}y\"}".as_bytes());
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = [b"[".repeat(2_000_000), b"]".repeat(2_000_000)].concat();
        assert!(check(&deep).is_ok());
    }
}
