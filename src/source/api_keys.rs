//! Reads the API keys of an organization, to find when the one in use expires.
//!
//! Facts: `GET /admin/api-access/v1/orgs/{orgId}/api-keys` wants the scope `read:keys:admin`, and
//! pages by `cursor`. The fields of a response are not documented, so each is looked for under
//! several names and may be missing. Nothing says which of the keys is in use (ID-9123): so the key
//! is named only if just one is possible.

use chrono::{DateTime, NaiveDate};
use serde_json::Value;
use url::Url;

use crate::http::message::UnreadableBody;
use crate::http::message::{Endpoint, Request, Response};
use crate::model::text::printable;
use crate::model::time::{Timestamp, parse_api_time};
use crate::source::page::endpoint_url;

/// Pages that are read at most: more keys than that are nobody's only one.
pub const MAX_PAGES: usize = 10;

/// What the fields may be called.
const LIST_FIELDS: [&str; 6] = ["data", "apiKeys", "keys", "values", "items", "results"];
const NAME_FIELDS: [&str; 4] = ["name", "label", "displayName", "title"];
const EXPIRY_FIELDS: [&str; 7] = [
    "expiresAt",
    "expires_at",
    "expiresOn",
    "expirationDate",
    "expiryDate",
    "expiration",
    "expiry",
];

/// A key as the list has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedKey {
    id: Option<String>,
    names: Vec<String>,
    /// When it ends, where that can be read.
    pub expires_at: Option<Timestamp>,
}

/// One page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// Its keys.
    pub keys: Vec<ListedKey>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

/// What the list says of the key in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyMatch {
    /// It is this one.
    Key(ListedKey),
    /// It may be any of so many.
    Several(usize),
    /// None is called so.
    NameNotFound,
    /// The list has none that still works.
    NoActiveKey,
}

impl ListedKey {
    /// What it is called, fit to be printed.
    pub fn name(&self) -> Option<String> {
        let name = self.names.first().or(self.id.as_ref());
        name.map(|name| printable(name))
    }

    fn has_name(&self, wanted: &str) -> bool {
        self.id.as_deref() == Some(wanted) || self.names.iter().any(|name| name.trim() == wanted)
    }
}

/// The request for the page of the list after `cursor`.
pub fn request(base_url: &Url, org_id: &str, cursor: Option<&str>) -> Request {
    let path = format!("/admin/api-access/v1/orgs/{org_id}/api-keys");
    let mut url = endpoint_url(base_url, &path);
    if let Some(cursor) = cursor {
        url.query_pairs_mut().append_pair("cursor", cursor);
    }
    Request::get(Endpoint::ApiKeys, url)
}

/// The page in the response.
///
/// # Errors
/// It is no JSON, or holds no list.
pub fn read(response: &Response) -> Result<KeyPage, UnreadableBody> {
    let none = || UnreadableBody::new("the response is not a list of keys");
    let body: Value = serde_json::from_slice(&response.body).map_err(|_| none())?;
    let listed =
        body.as_array().or_else(|| LIST_FIELDS.iter().find_map(|name| body.get(name)?.as_array()));
    Ok(KeyPage {
        keys: listed.ok_or_else(none)?.iter().map(read_key).collect(),
        next: next_cursor(&body),
    })
}

/// Which of all `keys` is in use, being called `named` where the user says so. One that has ended
/// by `now` is not.
pub fn find_key_in_use(keys: Vec<ListedKey>, named: Option<&str>, now: Timestamp) -> KeyMatch {
    let has_ended = |key: &ListedKey| key.expires_at.is_some_and(|end| end <= now);
    let mut candidates: Vec<_> = keys.into_iter().filter(|key| !has_ended(key)).collect();
    if let Some(named) = named {
        candidates.retain(|key| key.has_name(named.trim()));
        if candidates.is_empty() {
            return KeyMatch::NameNotFound;
        }
    }
    match (candidates.pop(), candidates.len()) {
        (None, _) => KeyMatch::NoActiveKey,
        (Some(only), 0) => KeyMatch::Key(only),
        (Some(_), others) => KeyMatch::Several(others + 1),
    }
}

fn read_key(entry: &Value) -> ListedKey {
    // Some of Atlassian's lists keep all but the id one level deeper.
    let within = [Some(entry), entry.get("attributes")];
    let field = |name: &str| within.into_iter().flatten().find_map(|of| of.get(name));
    let text = |name: &&str| Some(field(name)?.as_str()?.to_owned());
    ListedKey {
        id: text(&"id").filter(|id| !id.is_empty()),
        names: NAME_FIELDS.iter().filter_map(text).filter(|name| !name.trim().is_empty()).collect(),
        expires_at: EXPIRY_FIELDS.iter().find_map(|name| read_time(field(name)?)),
    }
}

/// RFC 3339, a day (its beginning, to be sure), or seconds or milliseconds since 1970.
fn read_time(value: &Value) -> Option<Timestamp> {
    if let Some(text) = value.as_str() {
        let day = || {
            let day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok()?;
            Some(day.and_hms_opt(0, 0, 0)?.and_utc())
        };
        return parse_api_time(text).or_else(day);
    }
    match value.as_i64()? {
        seconds @ 1_000_000_000..100_000_000_000 => DateTime::from_timestamp(seconds, 0),
        millis @ 1_000_000_000_000..100_000_000_000_000 => DateTime::from_timestamp_millis(millis),
        _ => None,
    }
}

/// The cursor of the next page: alone, or in a link's query.
fn next_cursor(body: &Value) -> Option<String> {
    let places = ["/links/next", "/meta/next", "/next", "/nextCursor", "/cursor"];
    let location = places
        .iter()
        .find_map(|place| body.pointer(place)?.as_str())
        .filter(|location| !location.is_empty())?;
    let query = location.split_once('?').map(|(_, query)| query);
    let in_link = query.and_then(|query| {
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == "cursor")
            .map(|(_, cursor)| cursor.into_owned())
    });
    Some(in_link.unwrap_or_else(|| location.to_owned()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn page(body: &str) -> Option<KeyPage> {
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        read(&response).ok()
    }

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    #[test]
    fn fields_are_found_under_many_names() {
        let end = at("2027-06-30T00:00:00Z");
        for body in [
            r#"{"data":[{"id":"k","name":"audit","expiresAt":"2027-06-30T00:00:00Z"}]}"#,
            r#"{"apiKeys":[{"id":"k","label":"audit","expiresOn":"2027-06-30"}],"more":[1]}"#,
            r#"[{"id":"k","attributes":{"name":"audit","expiry":1814313600}}]"#,
            r#"{"data":[{"id":"k","name":"audit","expiresAt":null,"expirationDate":1814313600000}]}"#,
        ] {
            let page = page(body).unwrap();
            let key = &page.keys[0];
            assert_eq!((key.expires_at, page.next), (Some(end), None), "{body}");
            assert!(key.has_name("k") && key.has_name("audit") && !key.has_name("x"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_missing_and_not_guessed() {
        for body in ["", "7", "{}", r#"{"data":{}}"#, "<html>"] {
            assert_eq!(page(body), None, "{body}");
        }
        let odd = r#"{"data":[null,5,{},{"id":7,"name":["x"],"expiresAt":"soon","expiry":-5},
                      {"expiresAt":99999999999999999,"name":" "}]}"#;
        let page = page(odd).unwrap();
        assert_eq!(page.keys, vec![ListedKey::default(); 5]);
        assert_eq!(page.keys[0].name(), None);
    }

    #[test]
    fn the_next_page_is_a_cursor_or_a_link_with_one() {
        let next = |body: &str| page(body).unwrap().next;
        assert_eq!(next(r#"{"data":[],"links":{"next":"c 1"}}"#).as_deref(), Some("c 1"));
        let link = r#"{"data":[],"links":{"next":"https://x.example/k?a=1&cursor=c%202"}}"#;
        assert_eq!(next(link).as_deref(), Some("c 2"));
        assert_eq!(next(r#"{"data":[],"links":{"next":""}}"#), None);
        let url = request(&"https://x.example/a/".parse().unwrap(), "o-1", Some("c 2&x")).url;
        assert_eq!(
            url.as_str(),
            "https://x.example/a/admin/api-access/v1/orgs/o-1/api-keys?cursor=c+2%26x"
        );
    }

    #[test]
    fn a_key_in_use_is_the_only_one_that_works_or_the_one_named() {
        let now = at("2026-11-20T00:00:00Z");
        let key = |name: &str, ends: &str| ListedKey {
            id: None,
            names: vec![name.to_owned()],
            expires_at: Some(at(ends)),
        };
        let (old, a, b) = (
            key("old", "2026-11-19T00:00:00Z"),
            key("a", "2027-01-01T00:00:00Z"),
            key("b", "2027-02-01T00:00:00Z"),
        );
        let matched = |keys: &[&ListedKey], named| {
            find_key_in_use(keys.iter().map(|&key| key.clone()).collect(), named, now)
        };
        assert_eq!(matched(&[&old, &a], None), KeyMatch::Key(a.clone()));
        assert_eq!(matched(&[&a, &b], None), KeyMatch::Several(2));
        assert_eq!(matched(&[&a, &b], Some(" b ")), KeyMatch::Key(b.clone()));
        assert_eq!(matched(&[&a, &b], Some("c")), KeyMatch::NameNotFound);
        assert_eq!(matched(&[&a, &a], Some("a")), KeyMatch::Several(2));
        assert_eq!(matched(&[&old], None), KeyMatch::NoActiveKey);
    }
}
