//! Owns the reading of a Data Center's audit events: Jira, Confluence and Bitbucket share the API.
//!
//! Facts (developer.atlassian.com/server/framework/atlassian-sdk/rest/api-group-events): `from` and `to` are
//! ISO 8601, written here in whole seconds, since some versions read no fraction; events come newest first and
//! have no id. `pagingInfo.nextPageCursor` (`millis,id`) leads on until `lastPage` is true.

use chrono::{SubsecRound as _, TimeDelta};
use url::Url;

use crate::http::error::Unreadable;
use crate::http::message::{Endpoint, Request, Response};
use crate::model::json::{Document, Node};
use crate::model::record::Record;
use crate::model::time::{Timestamp, Window, parse_api_time};
use crate::source::numbering::content_id;
use crate::source::parts::Body;
use crate::source::{Identity, Order, Page, Place, Source, endpoint_url};

/// Reads one product.
pub struct DatacenterAudit {
    url: Url,
    page_size: u32,
}

impl DatacenterAudit {
    /// `base_url` is what stands before `/rest/auditing`.
    pub fn new(base_url: &Url, page_size: u32) -> Self {
        DatacenterAudit {
            url: endpoint_url(base_url, "/rest/auditing/1.0/events"),
            page_size,
        }
    }
}

impl Source for DatacenterAudit {
    fn order(&self) -> Order {
        Order::NewestFirst
    }

    fn identity(&self) -> Identity {
        Identity::Content
    }

    fn grain(&self) -> TimeDelta {
        TimeDelta::seconds(1)
    }

    fn request(&self, window: &Window, place: &Place) -> Request {
        let mut url = self.url.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("limit", &self.page_size.to_string());
        query.append_pair("from", &seconds(window.from));
        if let Some(to) = window.to {
            // Up to the next whole second: what comes too much is known by its content.
            query.append_pair("to", &seconds(to + TimeDelta::milliseconds(999)));
        }
        match place {
            Place::Start => {}
            Place::Cursor(cursor) => {
                query.append_pair("pageCursor", cursor);
            }
            Place::Offset(offset) => {
                query.append_pair("offset", &offset.to_string());
            }
        }
        drop(query);
        Request {
            endpoint: Endpoint::DatacenterEvents,
            url,
        }
    }

    fn read(&self, place: &Place, response: &Response) -> Result<Page, Unreadable> {
        let body = Body::of("Data Center audit events", "entities", response)?;
        let records: Vec<Record> = body.records().map(record).collect();
        let paging = body.beside("pagingInfo")?;
        let next = self.next(place, records.len() as u64, paging)?;
        Ok(Page {
            records,
            next,
            is_mended: body.is_mended,
        })
    }
}

impl DatacenterAudit {
    /// Where a page of `count` events at `place` goes on.
    fn next(
        &self,
        place: &Place,
        count: u64,
        paging: Option<Node<'_>>,
    ) -> Result<Option<Place>, Unreadable> {
        let paging = paging.map(|paging| paging.fields(["lastPage", "nextPageCursor"]));
        let [last, cursor] = paging.unwrap_or_default();
        if last.is_some_and(|last| last.raw() == "true") {
            return Ok(None);
        }
        if let Some(cursor) = cursor.and_then(Node::text) {
            return Ok(Some(Place::Cursor(cursor.into_owned())));
        }
        // Neither says the server that this is the end, nor where it goes on.
        let is_open = count > 0 && (last.is_some() || count >= u64::from(self.page_size));
        match place {
            Place::Cursor(_) if is_open => Err(Unreadable::new(
                "the page is not the last, and does not say where it goes on",
            )),
            _ => Ok(is_open.then(|| Place::Offset(offset(place) + count))),
        }
    }
}

fn offset(place: &Place) -> u64 {
    match place {
        Place::Offset(offset) => *offset,
        Place::Start | Place::Cursor(_) => 0,
    }
}

fn seconds(time: Timestamp) -> String {
    time.trunc_subsecs(0)
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// The record that `doc` holds.
pub fn record(doc: Document) -> Record {
    let time = doc.root().text_of("timestamp");
    let time = time.and_then(|text| parse_api_time(&text));
    Record {
        id: Some(content_id(&doc)),
        time,
        position: time,
        doc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn source() -> DatacenterAudit {
        DatacenterAudit::new(&"https://dc.example/jira/".parse().unwrap(), 2)
    }

    fn response(body: &str) -> Response {
        Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    fn next(place: &Place, body: &str) -> Option<Place> {
        source().read(place, &response(body)).unwrap().next
    }

    #[test]
    fn dates_are_whole_seconds_around_the_window() {
        let window = Window {
            from: parse_api_time("2026-11-20T00:00:00.700Z").unwrap(),
            to: parse_api_time("2026-11-21T00:00:00.001Z"),
        };
        let url = |place| source().request(&window, &place).url.to_string();
        let asked = "https://dc.example/jira/rest/auditing/1.0/events?limit=2&from=2026-11-20T00%3A00%3A00Z&to=2026-11-21T00%3A00%3A01Z";
        assert_eq!(url(Place::Start), asked);
        let cursor = Place::Cursor("1795167000154,47".to_owned());
        assert_eq!(
            url(cursor),
            format!("{asked}&pageCursor=1795167000154%2C47")
        );
        assert_eq!(url(Place::Offset(4)), format!("{asked}&offset=4"));
    }

    #[test]
    fn the_cursor_leads_on_until_the_last_page() {
        let page = |paging: &str| format!("{{\"entities\":[{{}},{{}}],\"pagingInfo\":{paging}}}");
        let start = Place::Start;
        assert_eq!(
            next(
                &start,
                &page(r#"{"nextPageCursor":"1,2","lastPage":false}"#)
            ),
            Some(Place::Cursor("1,2".to_owned()))
        );
        assert_eq!(next(&start, &page(r#"{"lastPage":true,"size":2}"#)), None);
        let empty = r#"{"entities":[],"pagingInfo":{"nextPageCursor":"1,2","lastPage":false}}"#;
        assert_eq!(next(&start, empty), Some(Place::Cursor("1,2".to_owned())));
        assert_eq!(next(&start, r#"{"entities":[]}"#), None);
        let lost = response(&page(r#"{"lastPage":false}"#));
        assert!(
            source()
                .read(&Place::Cursor("1,2".to_owned()), &lost)
                .is_err()
        );
        for odd in [
            "null",
            "[]",
            r#"{"lastPage":false}"#,
            r#"{"nextPageCursor":""}"#,
        ] {
            assert_eq!(
                next(&Place::Offset(2), &page(odd)),
                Some(Place::Offset(4)),
                "{odd}"
            );
        }
    }
}
