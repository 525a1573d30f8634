//! Reads the audit records of a Jira Cloud site.
//!
//! Facts (developer.atlassian.com/cloud/jira/platform/rest/v3, audit records): `from` and `to` are
//! both inclusive, paging is by offset. Records come newest first, `id` does not grow with time,
//! and `total` ignores the dates (elastic/integrations 18106). The largest page is not documented
//! and the `limit` of a response is not always what the server gives, so only an empty page is the
//! end. A date without a zone gets an empty answer instead of an error (elastic/integrations
//! 18138).

use url::Url;

use crate::http::message::UnreadableBody;
use crate::model::json::{Document, Node};
use crate::model::record::Record;
use crate::model::time::{format_millis, parse_api_time};
use crate::source::page::{ApiFormat, PageBody, PageLocator, PageQuery};

pub(super) const FORMAT: ApiFormat = ApiFormat {
    path: "/rest/api/3/auditing/record",
    name: "Jira audit records",
    list: "records",
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
    query.append_pair("offset", &place.records_before().to_string());
    query.append_pair("limit", &page_size.to_string());
    query.append_pair("from", &format_millis(window.from));
    if let Some(to) = window.to {
        // Documented as inclusive. A server that takes it for exclusive, or compares microseconds
        // that it does not show, would lose the last millisecond. What comes twice is recognized by
        // its id.
        query.append_pair("to", &format_millis(to));
    }
}

fn next(
    place: &PageLocator,
    count: u64,
    _: &PageBody,
) -> Result<Option<PageLocator>, UnreadableBody> {
    let records = place.records_before().saturating_add(count);
    Ok((count > 0).then_some(PageLocator::Offset(records)))
}

fn record(doc: Document) -> Record {
    let [id, created] = doc.root().fields(["id", "created"]);
    let created = created.and_then(Node::text).and_then(|text| parse_api_time(&text));
    Record {
        id: id.and_then(Node::scalar).map(|id| id.into_owned()),
        time: created,
        position: created,
        doc,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::http::message::Response;
    use crate::model::name::SourceKind;
    use crate::model::time::Window;
    use crate::source::{Page, Source};

    fn read(page_size: u32, place: &PageLocator, body: &str) -> Result<Page, UnreadableBody> {
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        let url = "https://site.example".parse().unwrap();
        Source::new(SourceKind::JiraAudit, &url, None, page_size).read(place, &response)
    }

    #[test]
    fn dates_have_a_zone_and_the_end_is_inclusive() {
        let window = Window {
            from: parse_api_time("2026-11-20T00:00:00Z").unwrap(),
            to: parse_api_time("2026-11-21T00:00:00Z"),
        };
        let url = "https://gw.example/ex/jira/c1/".parse().unwrap();
        let source = Source::new(SourceKind::JiraAudit, &url, None, 1000);
        let request = source.request(&window, &PageLocator::Offset(2000));
        assert_eq!(
            request.url.as_str(),
            "https://gw.example/ex/jira/c1/rest/api/3/auditing/record?offset=2000&limit=1000&from=2026-11-20T00%3A00%3A00.000Z&to=2026-11-21T00%3A00%3A00.000Z"
        );
    }

    #[test]
    fn only_an_empty_page_is_the_end_whatever_limit_and_total_say() {
        let two = r#""records":[{"id":2},{"id":1}]"#;
        let next = |page_size, place: &PageLocator, head: &str| {
            read(page_size, place, &format!("{{{head}{two}}}")).unwrap().next
        };
        assert_eq!(next(2, &PageLocator::Start, ""), Some(PageLocator::Offset(2)));
        assert_eq!(next(2, &PageLocator::Offset(4), ""), Some(PageLocator::Offset(6)));
        for head in [
            "",
            r#""limit":1000,"total":2,"#,
            r#""limit":0,"#,
            r#""limit":"x","total":null,"#,
            r#""limit":null,"total":-5,"#,
        ] {
            let after_two = Some(PageLocator::Offset(2));
            assert_eq!(next(1000, &PageLocator::Start, head), after_two, "{head}");
        }
        let empty = read(1000, &PageLocator::Start, r#"{"total":112,"records":[]}"#).unwrap();
        assert_eq!(empty.next, None);
        let last = read(2, &PageLocator::Offset(u64::MAX), &format!("{{{two}}}")).unwrap();
        assert_eq!(last.next, Some(PageLocator::Offset(u64::MAX)));
    }

    #[test]
    fn records_keep_their_id_and_time_whatever_else_is_odd() {
        let page = read(
            1000,
            &PageLocator::Start,
            r#"{"records":[{"id":110359,"created":"2025-11-12T16:28:36.943+0000"},{"id":"x","created":7},"text"]}"#,
        )
        .unwrap();
        assert_eq!(page.records[0].id.as_deref(), Some("110359"));
        assert_eq!(page.records[0].time, parse_api_time("2025-11-12T16:28:36.943Z"));
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
            assert!(read(1000, &PageLocator::Start, body).is_err(), "{body}");
        }
    }
}
