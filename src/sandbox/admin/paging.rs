//! Pages of the admin APIs' lists: an opaque cursor, and the links that name it.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::sandbox::{
    Behaviour,
    json_text::{JsonObject, JsonText, object},
    reply::{self, AdminError},
};

/// Page size of a list when a request names none.
const DEFAULT_LIMIT: usize = 50;
/// Largest page; a larger `limit` is clamped. The real one is not documented.
const MAX_LIMIT: usize = 100;

/// What a request says about the page that it wants.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    /// The cursor.
    pub cursor: Option<String>,
    /// The page size, as sent.
    pub limit: Option<String>,
    /// The address of the list, without a query.
    pub url: String,
}

/// A page of a list.
#[derive(Debug)]
pub struct ListPage<T> {
    /// Its items.
    pub items: Vec<T>,
    /// The cursor of the request.
    current: Option<String>,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// The address of the list.
    url: String,
}

impl<T> ListPage<T> {
    /// The page of `all` that `request` wants. A cursor is good for the list of this `name` alone.
    pub fn of(
        behaviour: &Behaviour,
        request: ListRequest,
        name: &str,
        all: Vec<T>,
    ) -> Result<Self, AdminError> {
        let limit = match request.limit.as_deref().map(str::parse) {
            None => DEFAULT_LIMIT,
            Some(Ok(0) | Err(_)) => return Err(reply::INVALID_SYNTAX),
            Some(Ok(limit)) => limit,
        };
        let limit = limit.min(MAX_LIMIT).min(behaviour.admin_page_size.unwrap_or(MAX_LIMIT)).max(1);
        let start = match request.cursor.as_deref() {
            None => 0,
            Some(text) => decode(name, text).ok_or(reply::INVALID_CURSOR)?,
        };
        let end = start.saturating_add(limit);
        let next = match &request.cursor {
            Some(current) if behaviour.admin_repeats_cursor => Some(current.clone()),
            _ => (end < all.len()).then(|| encode(name, end)),
        };
        let items = all.into_iter().skip(start).take(limit).collect();
        Ok(Self { items, current: request.cursor, next, url: request.url })
    }

    /// `links` whose `next` is a bare cursor, or a URL where the behaviour says so.
    pub fn links(&self, behaviour: &Behaviour) -> JsonObject {
        let next = match behaviour.admin_next_links {
            true => self.next_url(),
            false => self.next.clone(),
        };
        object! {"self": self.current.as_deref().unwrap_or("c0"), "next": next, "prev": ()}
    }

    /// `links` whose `next` is a URL.
    pub fn url_links(&self) -> JsonObject {
        object! {"self": &self.url, "next": self.next_url(), "prev": ()}
    }

    /// The address of the next page.
    pub fn next_url(&self) -> Option<String> {
        let next = self.next.as_deref()?;
        let cursor: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        Some(format!("{}?cursor={cursor}", self.url))
    }

    /// The items as an array.
    pub fn json(&self, item: impl Fn(&T) -> JsonObject) -> JsonText {
        crate::sandbox::json_text::array(self.items.iter().map(item))
    }
}

/// The cursor of the page that starts with this item of the list.
fn encode(name: &str, start: usize) -> String {
    BASE64_STANDARD.encode(format!("{name}?{start}>"))
}

/// The item that a cursor of the list names.
fn decode(name: &str, text: &str) -> Option<usize> {
    let plain = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    plain.strip_prefix(name)?.strip_prefix('?')?.strip_suffix('>')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_list_only() {
        for start in [1, 50, 12_345] {
            assert_eq!(decode("users", &encode("users", start)), Some(start));
        }
        for text in ["", "c1", "AAAA", &encode("users", 3)] {
            assert_eq!(decode("domains", text), None, "{text}");
        }
    }
}
