//! Reads the workspace events of a Jira or Confluence Cloud site.
//!
//! Facts (developer.atlassian.com/cloud/admin/audit-log, before general availability): the path
//! names the workspace by its ARI; there are `from`, `to`, `cursor` and `limit`; events follow the
//! common event model, which the events of organizations show. Their order, the end of paging, the
//! largest `limit`, the form of dates and what may stand beside a cursor are not documented: see
//! [`ApiReading`](super::api_reading::ApiReading) and docs/sources.md.

use url::Url;

use crate::model::json::{Document, Node};
use crate::model::record::Record;
use crate::model::time::{Timestamp, format_millis, parse_api_time};
use crate::source::next_cursor;
use crate::source::page::{ApiFormat, PageQuery};

pub(super) const FORMAT: ApiFormat = ApiFormat {
    path: "/audit-log/v1/workspaces/{owner}/events",
    name: "workspace events",
    list: "data",
    add_query,
    next: next_cursor::next,
    record,
    is_documented: false,
    has_queries: true,
    has_event_actions: true,
};

fn add_query(url: &mut Url, asked: &PageQuery<'_>) {
    let PageQuery { window, place, page_size, reading, is_query } = asked;
    let date = |time: Timestamp| match reading.has_text_dates {
        true => format_millis(time),
        false => time.timestamp_millis().to_string(),
    };
    let mut query = url.query_pairs_mut();
    if let Some(cursor) = place.cursor() {
        query.append_pair("cursor", cursor);
    }
    if !is_query && (place.cursor().is_none() || !reading.has_bare_cursors) {
        query.append_pair("from", &date(window.from));
        if let Some(to) = window.to {
            query.append_pair("to", &date(to));
        }
    }
    query.append_pair("limit", &page_size.to_string());
}

fn record(doc: Document) -> Record {
    let [id, attributes] = doc.root().fields(["id", "attributes"]);
    let time = attributes.and_then(|of| of.text_of("time"));
    let time = time.and_then(|text| parse_api_time(&text));
    Record { id: id.and_then(Node::scalar).map(|id| id.into_owned()), time, position: time, doc }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::http::message::Response;
    use crate::model::name::SourceKind;
    use crate::model::time::Window;
    use crate::source::api_reading::{ApiReading, EventClock};
    use crate::source::{PageLocator, Source};

    fn source(reading: ApiReading) -> Source {
        let url = "https://api.example/".parse().unwrap();
        let owner = Some("ari:cloud:jira::site/b1c7-e0");
        Source::new(SourceKind::WorkspaceEvents, &url, owner, 500).with_reading(reading)
    }

    fn url(reading: ApiReading, place: &PageLocator) -> String {
        let window = Window {
            from: parse_api_time("2026-11-20T00:00:00Z").unwrap(),
            to: parse_api_time("2026-11-21T00:00:00Z"),
        };
        source(reading).request(&window, place).url.to_string()
    }

    const EVENTS: &str =
        "https://api.example/audit-log/v1/workspaces/ari%3Acloud%3Ajira%3A%3Asite%2Fb1c7-e0/events";

    #[test]
    fn a_request_follows_the_reading() {
        let usual = ApiReading::default();
        let start = &PageLocator::Start;
        let cursor = &PageLocator::Cursor("a+b".to_owned());
        let millis = "from=1795132800000&to=1795219200000";
        assert_eq!(url(usual, start), format!("{EVENTS}?{millis}&limit=500"));
        assert_eq!(url(usual, cursor), format!("{EVENTS}?cursor=a%2Bb&{millis}&limit=500"));
        let text = ApiReading { has_text_dates: true, has_small_pages: true, ..usual };
        assert_eq!(
            url(text, start),
            format!(
                "{EVENTS}?from=2026-11-20T00%3A00%3A00.000Z&to=2026-11-21T00%3A00%3A00.000Z&limit=100"
            )
        );
        let bare = ApiReading { has_bare_cursors: true, ..usual };
        assert_eq!(url(bare, cursor), format!("{EVENTS}?cursor=a%2Bb&limit=500"));
    }

    #[test]
    fn a_record_lies_where_the_servers_clock_puts_it() {
        let body = r#"{"data":[{"id":"e1","attributes":{"time":"2026-11-20T09:30:00Z",
            "processedAt":"2026-11-20T11:30:00Z"}},{"id":"e2","attributes":{"time":"2026-11-20T09:30:00Z"}},
            {"id":7},null],"meta":{"next":"c2"}}"#;
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let positions = |clock| {
            let reading = ApiReading { clock, ..ApiReading::default() };
            let page = source(reading).read(&PageLocator::Start, &response).unwrap();
            assert_eq!(page.next, Some(PageLocator::Cursor("c2".to_owned())));
            page.records.iter().map(|record| record.position).collect::<Vec<_>>()
        };
        let happened = parse_api_time("2026-11-20T09:30:00Z");
        let processed = parse_api_time("2026-11-20T11:30:00Z");
        assert_eq!(positions(None), [happened, happened, None, None]);
        assert_eq!(positions(Some(EventClock::Happened)), positions(None));
        assert_eq!(positions(Some(EventClock::Processed)), [processed, happened, None, None]);
    }
}
