//! Reads the `events-stream` of an organization.
//!
//! Facts (developer.atlassian.com/cloud/admin/organization, "Polling events" and its migration
//! page): sorted by `processedAt`, ascending by default; `from` and `to` are epoch milliseconds;
//! the cursor keeps the sort order. At most 500 a page (elastic/integrations, atlassian_cloud).

use url::Url;

use crate::model::json::{Document, Node};
use crate::model::record::Record;
use crate::model::time::{Timestamp, parse_api_time};
use crate::source::next_cursor;
use crate::source::page::{ApiFormat, PageQuery};

pub(super) const FORMAT: ApiFormat = ApiFormat {
    path: "/admin/v1/orgs/{owner}/events-stream",
    name: "events-stream",
    list: "data",
    add_query,
    next: next_cursor::next,
    record,
    is_documented: true,
    has_queries: false,
    has_event_actions: true,
};

fn add_query(url: &mut Url, asked: &PageQuery<'_>) {
    let PageQuery { window, place, page_size, .. } = asked;
    let mut query = url.query_pairs_mut();
    match place.cursor() {
        // A cursor stands for the whole request; nothing says that `from` may stand beside it.
        Some(cursor) => {
            query.append_pair("cursor", cursor);
        }
        None => {
            query.append_pair("from", &window.from.timestamp_millis().to_string());
            if let Some(to) = window.to {
                query.append_pair("to", &to.timestamp_millis().to_string());
            }
            query.append_pair("sortOrder", "asc");
        }
    }
    query.append_pair("limit", &page_size.to_string());
}

fn record(doc: Document) -> Record {
    let [id, attributes] = doc.root().fields(["id", "attributes"]);
    let times = attributes.map(|of| of.fields(["time", "processedAt"]));
    let [time, processed] = times.unwrap_or_default().map(time_of);
    Record {
        id: id.and_then(Node::scalar).map(|id| id.into_owned()),
        time,
        position: processed.or(time),
        doc,
    }
}

fn time_of(node: Option<Node<'_>>) -> Option<Timestamp> {
    parse_api_time(&node?.text()?)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::http::message::{Response, UnreadableBody};
    use crate::model::name::SourceKind;
    use crate::model::time::Window;
    use crate::source::{Page, PageLocator, Source};

    fn source() -> Source {
        let url = "https://api.example/".parse().unwrap();
        Source::new(SourceKind::OrgEvents, &url, Some("org-1"), 500)
    }

    fn read(body: &str) -> Result<Page, UnreadableBody> {
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        source().read(&PageLocator::Start, &response)
    }

    fn window(to: Option<&str>) -> Window {
        Window {
            from: parse_api_time("2026-11-20T00:00:00Z").unwrap(),
            to: to.and_then(parse_api_time),
        }
    }

    #[test]
    fn the_first_request_names_the_window_and_later_ones_only_the_cursor() {
        let first = |to| source().request(&window(to), &PageLocator::Start).url.to_string();
        assert_eq!(
            first(None),
            "https://api.example/admin/v1/orgs/org-1/events-stream?from=1795132800000&sortOrder=asc&limit=500"
        );
        assert_eq!(
            first(Some("2026-11-21T00:00:00Z")),
            "https://api.example/admin/v1/orgs/org-1/events-stream?from=1795132800000&to=1795219200000&sortOrder=asc&limit=500"
        );
        let cursor = PageLocator::Cursor("a+b=/".to_owned());
        assert_eq!(
            source().request(&window(None), &cursor).url.query(),
            Some("cursor=a%2Bb%3D%2F&limit=500")
        );
    }

    #[test]
    fn a_page_gives_records_in_its_order_with_their_place() {
        let page = read(
            r#"{"data": [
                {"id": "e1", "attributes": {"time": "2026-11-20T09:30:00Z", "processedAt": "2026-11-20T09:30:01.412Z"}},
                {"id": 7, "attributes": {"time": "2026-11-20T08:58:12.030Z"}},
                null
            ], "meta": {"next": "c2"}}"#,
        )
        .unwrap();
        assert_eq!(page.next, Some(PageLocator::Cursor("c2".to_owned())));
        assert_eq!(page.records[0].id.as_deref(), Some("e1"));
        assert_eq!(page.records[0].position, parse_api_time("2026-11-20T09:30:01.412Z"));
        assert_eq!(page.records[1].id.as_deref(), Some("7"));
        assert_eq!(page.records[1].position, page.records[1].time);
        assert_eq!(page.records[2].doc.text(), b"null");
        assert_eq!(page.records[2].id, None);
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(read("\u{feff}{\"data\":[{}]}").unwrap().records.len(), 1);
    }

    #[test]
    fn invalid_utf_8_inside_a_string_is_replaced_and_reported() {
        let read = |body: &'static [u8]| {
            let response =
                Response { status: 200, headers: Vec::new(), body: Bytes::from_static(body) };
            source().read(&PageLocator::Start, &response)
        };
        let page = read(b"{\"data\":[{\"id\":\"a\xff\xc3b\"}]}").unwrap();
        assert!(page.has_replaced_bytes);
        let text = page.records[0].doc.text();
        assert_eq!(text, "{\"id\":\"a\u{fffd}\u{fffd}b\"}".as_bytes());
        assert!(!read(br#"{"data":[]}"#).unwrap().has_replaced_bytes);
        assert!(read(b"{\"data\":[\xff]}").is_err());
    }

    #[test]
    fn every_form_of_the_end() {
        for end in [
            "",
            r#","meta":null"#,
            r#","meta":{}"#,
            r#","meta":{"next":null}"#,
            r#","meta":{"next":""}"#,
        ] {
            let page = read(&format!(r#"{{"data":[]{end}}}"#)).unwrap();
            assert_eq!(page.next, None, "{end}");
        }
    }

    #[test]
    fn what_is_not_text_outside_of_the_records_is_no_page() {
        for body in [
            &b"{\"data\":[],\"m\xffta\":{\"next\":\"c2\"}}"[..],
            b"{\"data\":[\"\xff\"],\"\xff\":0}",
            b"{\"data\":[],\"links\":\"\xff\"}",
        ] {
            let response =
                Response { status: 200, headers: Vec::new(), body: Bytes::from_static(body) };
            assert!(source().read(&PageLocator::Start, &response).is_err(), "{body:?}");
        }
    }

    #[test]
    fn what_is_not_a_page_is_never_the_end() {
        for body in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"data":null}"#,
            r#"{"data":{}}"#,
            r#"{"data":[],"meta":[]}"#,
            r#"{"data":[],"meta":{"next":7}}"#,
            r#"{"data":[],"meta":{"next":{}}}"#,
            r#"{"data":[{"id":"#,
            r#"{"data":[],"data":[]}"#,
            "[[]]",
            "[[{}],{}]",
            &format!(r#"{{"data":[{}0]}}"#, "0,".repeat(10_000)),
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }
}
