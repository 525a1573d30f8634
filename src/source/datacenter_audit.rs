//! Reads the audit events of a Data Center: Jira, Confluence and Bitbucket share the API.
//!
//! Facts (developer.atlassian.com/server/framework/atlassian-sdk/rest/api-group-events): `from` and
//! `to` are ISO 8601, written here in whole seconds, since some versions read no fraction; events
//! come newest first and have no id. `pagingInfo.nextPageCursor` (`millis,id`) leads on until
//! `lastPage` is true, which alone is the end. What `nextPageOffset` beside the cursor is counted
//! from is not documented; `nextPageLink` holds both.
//!
//! The server's log file has the same events, with the time as `{"epochSecond":..,"nano":..}`
//! (recorded in elastic/integrations, atlassian_bitbucket, atlassian_confluence, atlassian_jira).

use chrono::{SubsecRound as _, TimeDelta};
use url::Url;

use crate::http::message::UnreadableBody;
use crate::model::json::{Document, Node};
use crate::model::record::Record;
use crate::model::time::{Timestamp, from_epoch, parse_api_time};
use crate::source::page::{ApiFormat, PageBody, PageLocator, PageQuery, content_id};

pub(super) const FORMAT: ApiFormat = ApiFormat {
    path: "/rest/auditing/1.0/events",
    name: "Data Center audit events",
    list: "entities",
    add_query,
    next,
    record,
    is_documented: true,
    has_queries: false,
    has_event_actions: false,
};

fn add_query(url: &mut Url, asked: &PageQuery<'_>) {
    let PageQuery { window, place, page_size, .. } = asked;
    let mut query = url.query_pairs_mut();
    query.append_pair("limit", &page_size.to_string());
    query.append_pair("from", &seconds(window.from));
    if let Some(to) = window.to {
        // Up to the next whole second. What comes twice is recognized by its content.
        query.append_pair("to", &seconds(to + TimeDelta::milliseconds(999)));
    }
    if let PageLocator::Offset(offset) | PageLocator::CursorOffset { offset, .. } = place {
        query.append_pair("offset", &offset.to_string());
    }
    if let Some(cursor) = place.cursor() {
        query.append_pair("pageCursor", cursor);
    }
}

fn next(
    place: &PageLocator,
    count: u64,
    body: &PageBody,
) -> Result<Option<PageLocator>, UnreadableBody> {
    let paging = body.beside("pagingInfo")?;
    let paging =
        paging.map(|paging| paging.fields(["lastPage", "nextPageCursor", "nextPageOffset"]));
    let [last, cursor, offset] = paging.unwrap_or_default();
    if last.is_some_and(|last| last.raw() == "true") {
        return Ok(None);
    }
    if let Some(cursor) = cursor.and_then(Node::text) {
        let cursor = cursor.into_owned();
        let offset = offset.and_then(Node::scalar);
        return Ok(Some(match offset.and_then(|offset| offset.parse().ok()) {
            Some(offset) => PageLocator::CursorOffset { cursor, offset },
            None => PageLocator::Cursor(cursor),
        }));
    }
    // The server says neither that this is the end nor what the next page is.
    match place {
        _ if count == 0 => Ok(None),
        PageLocator::Start => Ok(Some(PageLocator::Offset(count))),
        PageLocator::Offset(before) => Ok(Some(PageLocator::Offset(before.saturating_add(count)))),
        PageLocator::Cursor(_)
        | PageLocator::CountedCursor { .. }
        | PageLocator::CursorOffset { .. } => {
            Err(UnreadableBody::new("the page is not the last, and does not say where it goes on"))
        }
    }
}

fn seconds(time: Timestamp) -> String {
    time.trunc_subsecs(0).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn record(doc: Document) -> Record {
    let time = doc.root().get("timestamp").and_then(time);
    Record { id: Some(content_id(&doc)), time, position: time, doc }
}

fn time(value: Node<'_>) -> Option<Timestamp> {
    if let Some(text) = value.text() {
        return parse_api_time(&text);
    }
    let [seconds, nanos] = value.fields(["epochSecond", "nano"]);
    let nanos = nanos.map_or(Some(0), integer)?;
    from_epoch(integer(seconds?)?, nanos.try_into().ok()?)
}

/// A whole number, also as a text or as other programs print it again (`1.795167e9`).
fn integer(value: Node<'_>) -> Option<i64> {
    let text = value.scalar()?;
    let whole = |number: &f64| number.fract() == 0.0;
    let printed = || Some(format!("{:.0}", text.parse().ok().filter(whole)?));
    text.parse().ok().or_else(|| printed()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::http::message::Response;
    use crate::model::name::SourceKind;
    use crate::model::time::Window;
    use crate::source::Source;

    fn source() -> Source {
        let url = "https://dc.example/jira/".parse().unwrap();
        Source::new(SourceKind::DatacenterAudit, &url, None, 2)
    }

    fn response(body: &str) -> Response {
        Response { status: 200, headers: Vec::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn next(place: &PageLocator, body: &str) -> Option<PageLocator> {
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
        assert_eq!(url(PageLocator::Start), asked);
        let cursor = PageLocator::Cursor("1795167000154,47".to_owned());
        assert_eq!(url(cursor), format!("{asked}&pageCursor=1795167000154%2C47"));
        let both = PageLocator::CursorOffset { cursor: "1795167000154,47".to_owned(), offset: 3 };
        assert_eq!(url(both), format!("{asked}&offset=3&pageCursor=1795167000154%2C47"));
        assert_eq!(url(PageLocator::Offset(4)), format!("{asked}&offset=4"));
    }

    #[test]
    fn the_time_of_a_line_of_the_log_file() {
        let time = |timestamp: &str| {
            let text = format!(r#"{{"timestamp":{timestamp}}}"#);
            record(Document::new(text.into())).time
        };
        let exact = parse_api_time("2026-11-20T09:30:00.154000001Z");
        assert_eq!(time(r#"{"epochSecond":1795167000,"nano":154000001}"#), exact);
        for same in [
            r#"{"epochSecond":"1795167000","nano":"154000001"}"#,
            r#"{"epochSecond":1.795167e9,"nano":154000001.0}"#,
        ] {
            assert_eq!(time(same), exact, "{same}");
        }
        assert_eq!(time(r#"{"epochSecond":1795167000}"#), parse_api_time("2026-11-20T09:30:00Z"));
        assert_eq!(time(r#"{"epochSecond":-1,"nano":0}"#), parse_api_time("1969-12-31T23:59:59Z"));
        for none in [
            "1795167000",
            "{}",
            r#"{"nano":1}"#,
            r#"{"epochSecond":1795167000.5,"nano":0}"#,
            r#"{"epochSecond":1795167059,"nano":1000000000}"#,
            r#"{"epochSecond":1795167000,"nano":-1}"#,
            r#"{"epochSecond":9223372036854775807,"nano":0}"#,
            r#"{"epochSecond":253402300800,"nano":0}"#,
        ] {
            assert_eq!(time(none), None, "{none}");
        }
    }

    #[test]
    fn the_cursor_leads_on_until_the_last_page() {
        let page = |paging: &str| format!("{{\"entities\":[{{}},{{}}],\"pagingInfo\":{paging}}}");
        let start = PageLocator::Start;
        assert_eq!(
            next(&start, &page(r#"{"nextPageCursor":"1,2","lastPage":false}"#)),
            Some(PageLocator::Cursor("1,2".to_owned()))
        );
        assert_eq!(next(&start, &page(r#"{"lastPage":true,"size":2}"#)), None);
        let empty = r#"{"entities":[],"pagingInfo":{"nextPageCursor":"1,2","lastPage":false}}"#;
        assert_eq!(next(&start, empty), Some(PageLocator::Cursor("1,2".to_owned())));
        assert_eq!(next(&start, r#"{"entities":[]}"#), None);
        for (named, offset) in [("0", Some(0)), ("\"7\"", Some(7)), ("-1", None), ("null", None)] {
            let body = page(&format!(
                r#"{{"nextPageOffset":{named},"nextPageCursor":"1,2","lastPage":false}}"#
            ));
            let cursor = "1,2".to_owned();
            let expected = match offset {
                Some(offset) => PageLocator::CursorOffset { cursor, offset },
                None => PageLocator::Cursor(cursor),
            };
            assert_eq!(next(&start, &body), Some(expected), "{named}");
        }
        for odd in ["null", "[]", r#"{"lastPage":false}"#, r#"{"nextPageCursor":""}"#] {
            let body = page(odd);
            let at = |place| next(place, &body);
            assert_eq!(at(&PageLocator::Start), Some(PageLocator::Offset(2)), "{odd}");
            assert_eq!(at(&PageLocator::Offset(2)), Some(PageLocator::Offset(4)), "{odd}");
            let after_cursor =
                source().read(&PageLocator::Cursor("1,2".to_owned()), &response(&body));
            assert!(after_cursor.is_err(), "{odd}");
        }
    }
}
