//! Owns the parts of an answer's body: slices of it, in order, without a copy.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::http::error::Unreadable;
use crate::http::message::Response;

/// Records that one answer may hold: ten times the largest page. A hostile answer of millions of
/// tiny ones would cost a hundred times its size in memory.
const MAX_RECORDS: usize = 10_000;

/// The records of an answer, as they stand in it.
pub struct Parts<'a>(pub Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Parts<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_seq(InOrder).map(Parts)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut parts = Vec::new();
        while let Some(part) = list.next_element()? {
            if parts.len() == MAX_RECORDS {
                let most = format!("more than {MAX_RECORDS} records in one answer");
                return Err(A::Error::custom(most));
            }
            parts.push(part);
        }
        Ok(parts)
    }
}

/// The body without the byte order mark that some proxies put before it, and whether it had to be
/// mended: bytes that are no UTF-8 cannot stand in a line of JSON, and one of them must not keep a
/// page from being read for ever, so U+FFFD takes their place.
pub fn json_of(response: &Response) -> (Bytes, bool) {
    let body = &response.body;
    let body = match body.starts_with(b"\xef\xbb\xbf") {
        true => body.slice(3..),
        false => body.clone(),
    };
    match String::from_utf8_lossy(&body) {
        Cow::Borrowed(_) => (body, false),
        Cow::Owned(mended) => (Bytes::from(mended), true),
    }
}

/// The page of `api` that `body` is.
///
/// serde_json is too kind here. It passes over what nobody asks for even where it is not text, so
/// that a torn `meta` would be the end; and it takes a list for an object's fields in their order.
///
/// # Errors
/// It is none.
pub fn page_of<'a, T: Deserialize<'a>>(api: &str, body: &'a [u8]) -> Result<T, Unreadable> {
    let not_a_page = |why: &dyn fmt::Display| {
        Unreadable::new(&format!("the answer is not a page of {api}: {why}"))
    };
    let text = std::str::from_utf8(body).map_err(|error| not_a_page(&error))?;
    let page = serde_json::from_str(text).map_err(|error| not_a_page(&error))?;
    match text.trim_start().starts_with('{') {
        true => Ok(page),
        false => Err(not_a_page(&"a list in the place of an object")),
    }
}

/// Refuses a mended `body` of which more was torn than its `records`: a torn `meta` would pass for
/// the end.
///
/// # Errors
/// It is no page of `api` then.
pub fn only_records_are_mended(
    api: &str,
    body: &[u8],
    records: &Parts<'_>,
) -> Result<(), Unreadable> {
    let marks = |text: &str| text.matches(char::REPLACEMENT_CHARACTER).count();
    let inside: usize = records.0.iter().map(|record| marks(record.get())).sum();
    match std::str::from_utf8(body).is_ok_and(|body| marks(body) == inside) {
        true => Ok(()),
        false => Err(Unreadable::new(&format!(
            "the answer is not a page of {api}: it holds bytes that are no UTF-8 outside of its records"
        ))),
    }
}

/// The bytes of `part`, which borrows from `body`.
pub fn slice_of(body: &Bytes, part: &RawValue) -> Bytes {
    body.slice_ref(part.get().as_bytes())
}
