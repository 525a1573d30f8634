//! Owns the one question of whether a line is JSON: nothing behind it asks again.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

/// A line that is JSON.
#[derive(Debug)]
pub struct Checked {
    /// Its text.
    pub text: Bytes,
    /// Whether U+FFFD was put in the place of bytes that are no UTF-8, as in a pull.
    pub is_mended: bool,
}

/// `line`, when it is one JSON value and nothing else. Depth costs no stack.
///
/// # Errors
/// Why it is none, without a word of its content.
pub fn checked(line: Bytes) -> Result<Checked, String> {
    let mended = match std::str::from_utf8(&line) {
        Ok(text) => return is_json(text).map(|()| Checked::as_it_is(&line)),
        Err(_) => String::from_utf8_lossy(&line),
    };
    is_json(&mended)?;
    Ok(Checked {
        text: match mended {
            Cow::Borrowed(_) => line,
            Cow::Owned(text) => Bytes::from(text),
        },
        is_mended: true,
    })
}

impl Checked {
    fn as_it_is(line: &Bytes) -> Checked {
        Checked {
            text: line.clone(),
            is_mended: false,
        }
    }
}

fn is_json(text: &str) -> Result<(), String> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Ok(()),
        Err(error) => {
            let told = error.to_string();
            let (why, _) = told.split_once(" at line ").unwrap_or((&told, ""));
            Err(format!("{why} at byte {}", error.column()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8]) -> Result<Checked, String> {
        checked(Bytes::copy_from_slice(line))
    }

    #[test]
    fn one_value_and_nothing_else() {
        for good in [
            &b"{}"[..],
            b" [1, {\"a\":\"\\ud800\"}]\t",
            b"null",
            b"\"\x7f\"",
        ] {
            assert!(check(good).is_ok_and(|it| it.text == good && !it.is_mended));
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
        assert_eq!(why, "expected `,` or `}` at byte 18");
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_mended_inside_a_string() {
        let it = check(b"{\"a\":\"x\xffy\"}").unwrap();
        assert!(it.is_mended);
        assert_eq!(it.text, "{\"a\":\"x\u{fffd}y\"}");
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = [b"[".repeat(2_000_000), b"]".repeat(2_000_000)].concat();
        assert!(check(&deep).is_ok());
    }
}
