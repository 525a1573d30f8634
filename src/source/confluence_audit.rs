//! Owns the reading of a Confluence Cloud site's audit records.
//!
//! Facts (developer.atlassian.com/cloud/confluence/rest/v1, audit): `startDate` and `endDate` are epoch
//! milliseconds, both inclusive. Records come newest first and have no id. `size` is the number of matches, not of
//! records on the page; `_links.next` is a path with a query, and is missing from some answers that
//! are not the last (elastic/integrations, atlassian_confluence): then a full page is followed by count.

use url::{Url, form_urlencoded};

use crate::http::error::Unreadable;
use crate::http::message::{Endpoint, Request, Response};
use crate::model::json::{Document, Node};
use crate::model::record::Record;
use crate::model::time::{Timestamp, Window, parse_api_time};
use crate::source::jira_audit::is_cap;
use crate::source::numbering::content_id;
use crate::source::parts::Body;
use crate::source::{Identity, Order, Page, Place, Source, endpoint_url};

/// Reads one site.
pub struct ConfluenceAudit {
    url: Url,
    page_size: u32,
}

impl ConfluenceAudit {
    /// `base_url` is what stands before `/wiki/rest/api`.
    pub fn new(base_url: &Url, page_size: u32) -> Self {
        ConfluenceAudit {
            url: endpoint_url(base_url, "/wiki/rest/api/audit"),
            page_size,
        }
    }

    /// Where a page of `count` records at `place` goes on.
    fn next(&self, place: &Place, count: u64, body: &Body) -> Result<Option<Place>, Unreadable> {
        if count == 0 {
            return Ok(None);
        }
        let links = body.beside("_links")?;
        if let Some(next) = links.and_then(|links| links.text_of("next")) {
            return match next.split_once('?') {
                Some((_, query)) if !query.is_empty() => Ok(Some(Place::Cursor(query.to_owned()))),
                _ => Err(Unreadable::new("`_links.next` has no query")),
            };
        }
        let Some(start) = start(place) else {
            // Only the server knows where its link led.
            return Ok(None);
        };
        let asked = u64::from(self.page_size);
        let full_page = number(body.beside("limit")?)
            .filter(|&limit| limit > 0)
            .map_or(asked, |limit| limit.min(asked));
        // `size` is the number of matches, at least in some answers.
        let matches = number(body.beside("size")?).unwrap_or_default();
        let is_open = count >= full_page || is_cap(count) || matches > start + count;
        Ok(is_open.then(|| Place::Offset(start + count)))
    }
}

impl Source for ConfluenceAudit {
    fn order(&self) -> Order {
        Order::NewestFirst
    }

    fn identity(&self) -> Identity {
        Identity::Content
    }

    fn request(&self, window: &Window, place: &Place) -> Request {
        let mut url = self.url.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("startDate", &window.from.timestamp_millis().to_string());
        if let Some(to) = window.to {
            // Ours is half-open, the API's is inclusive.
            query.append_pair("endDate", &(to.timestamp_millis() - 1).to_string());
        }
        match place {
            // The server's own words, but never its own idea of the dates, which it may have left out.
            Place::Cursor(next) => {
                let is_ours = |key: &str| matches!(key, "startDate" | "endDate");
                let pairs = form_urlencoded::parse(next.as_bytes());
                query.extend_pairs(pairs.filter(|(key, _)| !is_ours(key)));
            }
            Place::Start | Place::Offset(_) => {
                query.append_pair("start", &start(place).unwrap_or_default().to_string());
                query.append_pair("limit", &self.page_size.to_string());
            }
        }
        drop(query);
        Request {
            endpoint: Endpoint::ConfluenceAudit,
            url,
        }
    }

    fn read(&self, place: &Place, response: &Response) -> Result<Page, Unreadable> {
        let body = Body::of("Confluence audit records", "results", response)?;
        let records: Vec<Record> = body.records().map(record).collect();
        Ok(Page {
            next: self.next(place, records.len() as u64, &body)?,
            records,
            is_mended: body.is_mended,
        })
    }
}

fn number(node: Option<Node<'_>>) -> Option<u64> {
    node.and_then(|node| node.raw().parse().ok())
}

/// How many records lie before `place`, where that is known.
fn start(place: &Place) -> Option<u64> {
    match place {
        Place::Start => Some(0),
        Place::Offset(start) => Some(*start),
        Place::Cursor(next) => form_urlencoded::parse(next.as_bytes())
            .find(|(key, _)| key == "start")
            .and_then(|(_, start)| start.parse().ok()),
    }
}

/// The record that `doc` holds.
pub fn record(doc: Document) -> Record {
    let time = doc.root().get("creationDate").and_then(time);
    Record {
        id: Some(content_id(&doc)),
        time,
        position: time,
        doc,
    }
}

/// Epoch milliseconds, also as a text; else a date in words.
fn time(node: Node<'_>) -> Option<Timestamp> {
    let text = node.scalar()?;
    match text.parse() {
        Ok(ms) => Timestamp::from_timestamp_millis(ms).filter(|time| time.timestamp() < YEAR_10000),
        Err(_) => parse_api_time(&text),
    }
}

/// The first second that RFC 3339 cannot write.
const YEAR_10000: i64 = 253_402_300_800;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn source() -> ConfluenceAudit {
        ConfluenceAudit::new(&"https://acme.example".parse().unwrap(), 1000)
    }

    fn next(place: &Place, body: &str) -> Option<Place> {
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        source().read(place, &response).unwrap().next
    }

    #[test]
    fn dates_are_milliseconds_and_the_end_is_inclusive() {
        let window = Window {
            from: parse_api_time("2026-11-20T00:00:00Z").unwrap(),
            to: parse_api_time("2026-11-21T00:00:00Z"),
        };
        let url = |place| source().request(&window, &place).url.to_string();
        let dates = "https://acme.example/wiki/rest/api/audit?startDate=1795132800000&endDate=1795219199999";
        assert_eq!(
            url(Place::Offset(40)),
            format!("{dates}&start=40&limit=1000")
        );
        let cursor = "start=7&endDate=9&cursor=a%2Bb&limit=3".to_owned();
        assert_eq!(
            url(Place::Cursor(cursor)),
            format!("{dates}&start=7&cursor=a%2Bb&limit=3")
        );
    }

    #[test]
    fn the_servers_link_is_followed_and_else_a_full_page() {
        let linked = r#"{"results":[{},{}],"limit":2,"size":37,"_links":{"next":"/rest/api/audit?start=2&limit=2"}}"#;
        let cursor = Place::Cursor("start=2&limit=2".to_owned());
        assert_eq!(next(&Place::Start, linked), Some(cursor.clone()));
        let full = r#"{"results":[{},{}],"limit":2,"size":37,"_links":{}}"#;
        assert_eq!(next(&cursor, full), Some(Place::Offset(4)));
        // Less than was asked for, and not all that there is.
        let capped = r#"{"results":[{}],"limit":1000,"size":37}"#;
        assert_eq!(next(&Place::Start, capped), Some(Place::Offset(1)));
        // How many lie before a cursor is not known.
        let opaque = Place::Cursor("cursor=x".to_owned());
        assert_eq!(next(&opaque, full), None);
        for end in [
            r#"{"results":[{}],"limit":2,"size":1}"#,
            r#"{"results":[{}],"limit":2}"#,
            r#"{"results":[],"limit":2,"size":37,"_links":{"next":"/rest/api/audit?start=2"}}"#,
            r#"{"results":[{}],"_links":{"next":null}}"#,
        ] {
            assert_eq!(next(&Place::Start, end), None, "{end}");
        }
    }

    #[test]
    fn a_record_has_its_time_in_whatever_form() {
        let of = |text: &str| {
            let doc = Document::new(Bytes::copy_from_slice(text.as_bytes()));
            record(doc).time.map(|time| time.timestamp_millis())
        };
        for date in [
            "1795167000000",
            "\"1795167000000\"",
            "\"2026-11-20T09:30:00Z\"",
        ] {
            let text = format!("{{\"creationDate\":{date}}}");
            assert_eq!(of(&text), Some(1_795_167_000_000), "{date}");
        }
        for date in ["null", "99999999999999999", "[]", "\"x\"", "-1.5"] {
            assert_eq!(of(&format!("{{\"creationDate\":{date}}}")), None, "{date}");
        }
        assert_eq!(of("7"), None);
    }
}
