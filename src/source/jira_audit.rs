//! Owns the reading of a Jira Cloud site's audit records.
//!
//! Facts (developer.atlassian.com/cloud/jira/platform/rest/v3, audit records): `from` and `to` are
//! both inclusive, paging is by offset. Records come newest first, `id` does not grow with time,
//! and `total` ignores the dates, so only a short page tells the end (one of a round number of
//! records may have been cut by a limit that nobody documents, and is not taken for it). A date without a zone gets
//! an empty answer instead of an error (elastic/integrations 18138).

use url::Url;

use crate::http::error::Unreadable;
use crate::http::message::{Endpoint, Request, Response};
use crate::model::json::{Document, Node};
use crate::model::record::Record;
use crate::model::time::{Window, format_millis, parse_api_time};
use crate::source::parts::Body;
use crate::source::{Order, Page, Place, Source, endpoint_url};

/// Reads one site.
pub struct JiraAudit {
    url: Url,
    page_size: u32,
}

impl JiraAudit {
    /// `base_url` is what stands before `/rest/api/3`.
    pub fn new(base_url: &Url, page_size: u32) -> Self {
        JiraAudit {
            url: endpoint_url(base_url, "/rest/api/3/auditing/record"),
            page_size,
        }
    }
}

impl Source for JiraAudit {
    fn order(&self) -> Order {
        Order::NewestFirst
    }

    fn request(&self, window: &Window, place: &Place) -> Request {
        let mut url = self.url.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("offset", &offset(place).to_string());
        query.append_pair("limit", &self.page_size.to_string());
        query.append_pair("from", &format_millis(window.from));
        if let Some(to) = window.to {
            // Ours is half-open, the API's is inclusive; its grain is the millisecond.
            let last = to - chrono::TimeDelta::milliseconds(1);
            query.append_pair("to", &format_millis(last));
        }
        drop(query);
        Request {
            endpoint: Endpoint::JiraAuditRecords,
            url,
        }
    }

    fn read(&self, place: &Place, response: &Response) -> Result<Page, Unreadable> {
        let body = Body::of("Jira audit records", "records", response)?;
        let records: Vec<Record> = body.records().map(record).collect();
        let count = records.len() as u64;
        let full_page = self.full_page(body.beside("limit")?);
        let is_full = count > 0 && (count >= full_page || is_cap(count));
        let next = is_full.then(|| Place::Offset(offset(place) + count));
        Ok(Page {
            records,
            next,
            is_mended: body.is_mended,
        })
    }
}

impl JiraAudit {
    /// How many records a full page has: what was asked for, or less where the server says that it
    /// gives no more.
    fn full_page(&self, stated: Option<Node<'_>>) -> u64 {
        let asked = u64::from(self.page_size);
        stated
            .and_then(|limit| limit.raw().parse::<u64>().ok())
            .filter(|&limit| limit > 0)
            .map_or(asked, |limit| limit.min(asked))
    }
}

/// Whether a page of `count` records may have been cut by a limit that the server does not state:
/// such limits are round numbers. At worst it costs one request for an empty page.
pub(super) fn is_cap(count: u64) -> bool {
    count.is_multiple_of(50)
}

fn offset(place: &Place) -> u64 {
    match place {
        Place::Offset(offset) => *offset,
        Place::Start | Place::Cursor(_) => 0,
    }
}

/// The record that `doc` holds.
pub fn record(doc: Document) -> Record {
    let [id, created] = doc.root().fields(["id", "created"]);
    let created = created
        .and_then(Node::text)
        .and_then(|text| parse_api_time(&text));
    Record {
        id: id.and_then(Node::scalar).map(|id| id.into_owned()),
        time: created,
        position: created,
        doc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn read(page_size: u32, place: &Place, body: &str) -> Result<Page, Unreadable> {
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        JiraAudit::new(&"https://site.example".parse().unwrap(), page_size).read(place, &response)
    }

    #[test]
    fn dates_have_a_zone_and_the_end_is_inclusive() {
        let window = Window {
            from: parse_api_time("2026-11-20T00:00:00Z").unwrap(),
            to: parse_api_time("2026-11-21T00:00:00Z"),
        };
        let source = JiraAudit::new(&"https://gw.example/ex/jira/c1/".parse().unwrap(), 1000);
        let request = source.request(&window, &Place::Offset(2000));
        assert_eq!(
            request.url.as_str(),
            "https://gw.example/ex/jira/c1/rest/api/3/auditing/record?offset=2000&limit=1000&from=2026-11-20T00%3A00%3A00.000Z&to=2026-11-20T23%3A59%3A59.999Z"
        );
    }

    #[test]
    fn a_full_page_goes_on_and_a_short_one_ends_whatever_total_says() {
        let two = r#""records":[{"id":2},{"id":1}]"#;
        let next = |page_size, place: &Place, head: &str| {
            read(page_size, place, &format!("{{{head}{two}}}"))
                .unwrap()
                .next
        };
        assert_eq!(next(2, &Place::Start, ""), Some(Place::Offset(2)));
        assert_eq!(next(2, &Place::Offset(4), ""), Some(Place::Offset(6)));
        assert_eq!(next(3, &Place::Start, r#""total":900,"#), None);
        // The server gives less than was asked for, and says so.
        assert_eq!(
            next(1000, &Place::Start, r#""limit":2,"#),
            Some(Place::Offset(2))
        );
        let fifty = format!(r#"{{"records":[{}]}}"#, vec!["{}"; 50].join(","));
        let capped = read(1000, &Place::Start, &fifty).unwrap();
        assert_eq!(capped.next, Some(Place::Offset(50)));
        for odd in [
            r#""limit":0,"#,
            r#""limit":"x","#,
            r#""limit":null,"#,
            r#""limit":-5,"#,
        ] {
            assert_eq!(next(2, &Place::Start, odd), Some(Place::Offset(2)), "{odd}");
        }
        let empty = read(1000, &Place::Start, r#"{"total":112,"records":[]}"#).unwrap();
        assert_eq!(empty.next, None);
    }

    #[test]
    fn records_keep_their_id_and_time_whatever_else_is_odd() {
        let page = read(
            1000,
            &Place::Start,
            r#"{"records":[{"id":110359,"created":"2025-11-12T16:28:36.943+0000"},{"id":"x","created":7},"text"]}"#,
        )
        .unwrap();
        assert_eq!(page.records[0].id.as_deref(), Some("110359"));
        assert_eq!(
            page.records[0].time,
            parse_api_time("2025-11-12T16:28:36.943Z")
        );
        assert_eq!(page.records[1].id.as_deref(), Some("x"));
        assert_eq!(page.records[1].time, None);
        assert_eq!(page.records[2].doc.text(), b"\"text\"");
    }

    #[test]
    fn what_is_not_a_page_is_never_the_end() {
        for body in [
            "{}",
            "[]",
            r#"{"records":null}"#,
            "[[]]",
            "[[{}],1000]",
            r#"{"errorMessages":["x"]}"#,
            "<html>",
        ] {
            assert!(read(1000, &Place::Start, body).is_err(), "{body}");
        }
    }
}
