//! Pages that name the next page with an opaque cursor: those of organizations and of workspaces.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use super::{
    CursorPlace,
    json_text::{JsonObject, JsonText, object},
    record_log::RecordPosition,
    server_state::ServerState,
};

/// A page before it is JSON.
#[derive(Debug)]
pub struct CursorPage<'a> {
    /// Its address, without a query.
    pub url: String,
    /// The array of its records.
    pub records: JsonText,
    /// How many they are.
    pub count: usize,
    /// The page size when a request names none.
    pub default_limit: usize,
    /// The cursor of the next page.
    pub next: Option<&'a str>,
    /// Where that is named.
    pub place: CursorPlace,
}

impl CursorPage<'_> {
    /// The body.
    pub fn json(self) -> JsonObject {
        let links = match self.next.filter(|_| self.place != CursorPlace::Meta) {
            None => object! {},
            Some(cursor) => {
                let cursor: String =
                    url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
                object! {"next": format!("{}?cursor={cursor}", self.url)}
            }
        };
        let next = self.next.filter(|_| self.place != CursorPlace::Links);
        // As recorded: the count of the page, but the default limit on an empty one.
        let page_size = if self.count == 0 { self.default_limit } else { self.count };
        let meta = object! {
            "attributes": (), "next": next, "prev": (), "current": (), "page_size": page_size,
            "start_index": (), "end_index": (), "total": self.count,
        };
        object! {"data": self.records, "links": links, "meta": meta}
    }
}

/// Makes the text unreadable, and full of `+` and `/`.
const MASK: u8 = 0xA7;

/// The opaque page cursor. It names the last event served and not an index, so that events added
/// later shift nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageCursor {
    /// The last event served; None before the first.
    pub after: Option<RecordPosition>,
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
    /// Only so many events are shown, in the order of their arrival.
    pub arrived: Option<u64>,
}

impl PageCursor {
    /// The text sent to clients, with so many characters more.
    pub fn encode(&self, padding: usize) -> String {
        let mut plain = serde_json::to_vec(self).unwrap_or_default();
        plain.iter_mut().for_each(|byte| *byte ^= MASK);
        let text = BASE64_STANDARD.encode(plain);
        match padding {
            0 => text,
            padding => format!("{text}.{}", "x".repeat(padding)),
        }
    }

    /// The cursor in a text, or None when the server never gave it out. What follows a dot is
    /// padding.
    pub fn decode(text: &str) -> Option<Self> {
        let text = text.split_once('.').map_or(text, |(text, _)| text);
        let mut plain = BASE64_STANDARD.decode(text).ok()?;
        plain.iter_mut().for_each(|byte| *byte ^= MASK);
        serde_json::from_slice(&plain).ok()
    }

    /// Whether the server no longer takes it.
    pub fn is_expired(&self, state: &ServerState) -> bool {
        let age = state.uptime().saturating_sub(self.issued);
        let is_too_old = state.behaviour.cursor_ttl.is_some_and(|ttl| age > ttl);
        is_too_old || self.generation != state.cursor_generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_form() {
        for after in [None, Some(RecordPosition { created_ms: 1_795_158_000_000, number: 41 })] {
            let cursor = PageCursor {
                after,
                from: Some(-5),
                to: None,
                descending: true,
                generation: 3,
                issued: Duration::from_micros(1200),
                arrived: after.map(|_| 7),
            };
            assert_eq!(PageCursor::decode(&cursor.encode(0)), Some(cursor.clone()));
            assert_eq!(PageCursor::decode(&cursor.encode(9)), Some(cursor));
        }
    }

    #[test]
    fn foreign_text_is_no_cursor() {
        for text in ["", "c2ltLTI=", "not base64", "AAAA"] {
            assert_eq!(PageCursor::decode(text), None, "{text:?}");
        }
    }
}
