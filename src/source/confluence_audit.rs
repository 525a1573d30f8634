//! Reads the audit records of a Confluence Cloud site.
//!
//! Facts (developer.atlassian.com/cloud/confluence/rest/v1, audit): `startDate` and `endDate` are
//! epoch milliseconds, both inclusive. Records come newest first and have no id. `size` is the
//! number of matches, not of records on the page; `_links.next` is a path with a query, and is
//! missing from some answers that are not the last (elastic/integrations, atlassian_confluence):
//! then the next page is requested by count. The largest page is not documented, so only an empty
//! page without a link is the end.

use url::{Url, form_urlencoded};

use crate::http::message::UnreadableBody;
use crate::model::json::{Document, Node};
use crate::model::record::Record;
use crate::model::time::{Timestamp, parse_api_time};
use crate::source::page::{ApiFormat, PageBody, PageLocator, PageQuery, content_id};

pub(super) const FORMAT: ApiFormat = ApiFormat {
    path: "/wiki/rest/api/audit",
    name: "Confluence audit records",
    list: "results",
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
    query.append_pair("startDate", &window.from.timestamp_millis().to_string());
    if let Some(to) = window.to {
        // Documented as inclusive; not a millisecond less, see `jira_audit`.
        query.append_pair("endDate", &to.timestamp_millis().to_string());
    }
    match place.cursor() {
        // The server's own words, but never its own idea of the dates, which it may have left out.
        Some(next) => {
            let is_ours = |key: &str| matches!(key, "startDate" | "endDate");
            let pairs = form_urlencoded::parse(next.as_bytes());
            query.extend_pairs(pairs.filter(|(key, _)| !is_ours(key)));
        }
        None => {
            query.append_pair("start", &place.records_before().to_string());
            query.append_pair("limit", &page_size.to_string());
        }
    }
}

fn next(
    place: &PageLocator,
    count: u64,
    body: &PageBody,
) -> Result<Option<PageLocator>, UnreadableBody> {
    let records = place.records_before().saturating_add(count);
    let links = body.beside("_links")?;
    let Some(next) = links.and_then(|links| links.text_of("next")) else {
        return Ok((count > 0).then_some(PageLocator::Offset(records)));
    };
    match next.split_once('?') {
        Some((_, query)) if !query.is_empty() => {
            Ok(Some(PageLocator::CountedCursor { cursor: query.to_owned(), records }))
        }
        _ => Err(UnreadableBody::new("`_links.next` has no query")),
    }
}

fn record(doc: Document) -> Record {
    let time = doc.root().get("creationDate").and_then(time);
    Record { id: Some(content_id(&doc)), time, position: time, doc }
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
    use bytes::Bytes;

    use super::*;
    use crate::http::message::Response;
    use crate::model::name::SourceKind;
    use crate::model::time::Window;
    use crate::source::Source;

    fn source() -> Source {
        let url = "https://acme.example".parse().unwrap();
        Source::new(SourceKind::ConfluenceAudit, &url, None, 1000)
    }

    fn next(place: &PageLocator, body: &str) -> Option<PageLocator> {
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
        let dates = "https://acme.example/wiki/rest/api/audit?startDate=1795132800000&endDate=1795219200000";
        assert_eq!(url(PageLocator::Offset(40)), format!("{dates}&start=40&limit=1000"));
        let cursor = counted("start=7&endDate=9&cursor=a%2Bb&limit=3", 7);
        assert_eq!(url(cursor), format!("{dates}&start=7&cursor=a%2Bb&limit=3"));
    }

    fn counted(cursor: &str, records: u64) -> PageLocator {
        PageLocator::CountedCursor { cursor: cursor.to_owned(), records }
    }

    #[test]
    fn the_servers_link_is_followed_and_else_the_count() {
        let linked = r#"{"results":[{},{}],"limit":2,"size":37,"_links":{"next":"/rest/api/audit?cursor=x&limit=2"}}"#;
        let cursor = counted("cursor=x&limit=2", 2);
        assert_eq!(next(&PageLocator::Start, linked), Some(cursor.clone()));
        assert_eq!(next(&cursor, linked), Some(counted("cursor=x&limit=2", 4)));
        // What follows a page without a link, also where only the server knows where its cursor
        // lies.
        for unlinked in [
            r#"{"results":[{},{}],"limit":2,"size":37,"_links":{}}"#,
            r#"{"results":[{},{}],"limit":1000,"size":2}"#,
            r#"{"results":[{},{}],"_links":{"next":null}}"#,
        ] {
            let at = |place| next(place, unlinked);
            assert_eq!(at(&PageLocator::Start), Some(PageLocator::Offset(2)), "{unlinked}");
            assert_eq!(at(&PageLocator::Offset(4)), Some(PageLocator::Offset(6)), "{unlinked}");
            assert_eq!(at(&cursor), Some(PageLocator::Offset(4)), "{unlinked}");
        }
        let end = r#"{"results":[],"limit":2,"size":37,"_links":{}}"#;
        assert_eq!(next(&PageLocator::Start, end), None);
        // Nothing that this account may see is on the page.
        let hidden = r#"{"results":[],"_links":{"next":"/rest/api/audit?cursor=x&limit=2"}}"#;
        assert_eq!(next(&PageLocator::Start, hidden), Some(counted("cursor=x&limit=2", 0)));
    }

    #[test]
    fn a_record_has_its_time_in_whatever_form() {
        let of = |text: &str| {
            let doc = Document::new(Bytes::copy_from_slice(text.as_bytes()));
            record(doc).time.map(|time| time.timestamp_millis())
        };
        for date in ["1795167000000", "\"1795167000000\"", "\"2026-11-20T09:30:00Z\""] {
            let text = format!("{{\"creationDate\":{date}}}");
            assert_eq!(of(&text), Some(1_795_167_000_000), "{date}");
        }
        for date in ["null", "99999999999999999", "[]", "\"x\"", "-1.5"] {
            assert_eq!(of(&format!("{{\"creationDate\":{date}}}")), None, "{date}");
        }
        assert_eq!(of("7"), None);
    }
}
