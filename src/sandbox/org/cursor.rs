//! The opaque page cursor: a position in processing order, with the bounds and the direction of the
//! walk.
//!
//! It names the last event served and not an index, so that events added later shift nothing.

use std::{str::FromStr, time::Duration};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::log::EventPosition;

/// Makes the text unreadable, and full of `+` and `/`.
const MASK: u8 = 0xA7;

/// What a cursor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgCursor {
    /// The last event served; None before the first.
    pub after: Option<EventPosition>,
    /// Lower bound, epoch milliseconds, inclusive.
    pub from: Option<i64>,
    /// Upper bound, epoch milliseconds, inclusive.
    pub to: Option<i64>,
    /// Newest first.
    pub descending: bool,
    /// Cursors of an earlier generation than the server's are expired.
    pub generation: u32,
    /// The server's uptime when it was issued.
    pub issued: Duration,
    /// Only events that arrived before this one are shown.
    pub arrived: Option<u64>,
}

impl OrgCursor {
    /// The text sent to clients.
    pub fn encode(&self) -> String {
        let plain = format!(
            "{} {} {} {} {} {} {} {}",
            optional(self.after.map(|position| position.processed_ms)),
            optional(self.after.map(|position| position.sequence)),
            optional(self.from),
            optional(self.to),
            u8::from(self.descending),
            self.generation,
            self.issued.as_micros(),
            optional(self.arrived),
        );
        let masked: Vec<u8> = plain.bytes().map(|byte| byte ^ MASK).collect();
        BASE64_STANDARD.encode(masked)
    }

    /// The cursor in a text, or None when the server never gave it out. What follows a dot is
    /// padding.
    pub fn decode(text: &str) -> Option<Self> {
        let text = text.split_once('.').map_or(text, |(text, _)| text);
        let bytes =
            BASE64_STANDARD.decode(text).ok()?.into_iter().map(|byte| byte ^ MASK).collect();
        let plain = String::from_utf8(bytes).ok()?;
        let fields: Vec<&str> = plain.split(' ').collect();
        let [processed, sequence, from, to, descending, generation, issued, arrived] =
            fields.as_slice()
        else {
            return None;
        };
        let after = match (*processed, *sequence) {
            ("-", "-") => None,
            (processed, sequence) => Some(EventPosition {
                processed_ms: processed.parse().ok()?,
                sequence: sequence.parse().ok()?,
            }),
        };
        Some(Self {
            after,
            from: bound(from)?,
            to: bound(to)?,
            descending: *descending == "1",
            generation: generation.parse().ok()?,
            issued: Duration::from_micros(issued.parse().ok()?),
            arrived: bound(arrived)?,
        })
    }
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn bound<T: FromStr>(text: &str) -> Option<Option<T>> {
    if text == "-" { Some(None) } else { text.parse().ok().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_form() {
        for after in [None, Some(EventPosition { processed_ms: 1_795_158_000_000, sequence: 41 })] {
            let cursor = OrgCursor {
                after,
                from: Some(-5),
                to: None,
                descending: true,
                generation: 3,
                issued: Duration::from_micros(1200),
                arrived: after.map(|_| 7),
            };
            assert_eq!(OrgCursor::decode(&cursor.encode()), Some(cursor));
        }
    }

    #[test]
    fn foreign_text_is_no_cursor() {
        for text in ["", "c2ltLTI=", "not base64", "AAAA"] {
            assert_eq!(OrgCursor::decode(text), None, "{text:?}");
        }
    }
}
