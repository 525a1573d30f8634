//! Asynchronous searches of workspace events: created, polled until they have ended, and read page
//! by page like the events themselves.
//!
//! Facts (developer.atlassian.com/cloud/admin/audit-log, `event-queries`): a query is a resource of
//! type `eventQueries` with a status such as `IN_PROGRESS` and links to its results and to its
//! cancellation. The words for the other statuses, and the members of the request, are assumed.

use url::Url;

use crate::http::message::{ReadPost, Request, Response, UnreadableBody};
use crate::model::json::{Document, Node};
use crate::model::source_kind::Endpoint;
use crate::model::text::printable;
use crate::model::time::{Window, format_millis};
use crate::source::page::text_of;

/// An id of a query is not longer.
const MAX_ID_LENGTH: usize = 200;

/// Statuses of a query whose results are not there yet.
const RUNNING: [&str; 9] = [
    "IN_PROGRESS",
    "PENDING",
    "QUEUED",
    "RUNNING",
    "CREATED",
    "SUBMITTED",
    "SCHEDULED",
    "STARTED",
    "PROCESSING",
];

/// Statuses of a query that has all its results.
const FINISHED: [&str; 8] =
    ["COMPLETED", "COMPLETE", "SUCCEEDED", "SUCCESS", "SUCCESSFUL", "DONE", "FINISHED", "READY"];

/// How far a query is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryStatus {
    /// It is being run.
    Running,
    /// Its results can be read.
    Finished,
    /// It will have no results; the server's word for why.
    Failed(String),
}

/// A query as the server describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryState {
    /// Its id.
    pub id: String,
    /// How far it is.
    pub status: QueryStatus,
}

/// The requests for the queries of one workspace.
#[derive(Debug, Clone)]
pub struct QueryResource {
    /// `.../event-queries`
    url: Url,
}

impl QueryResource {
    /// The queries beside the events at `events_url`, which ends with `/events`.
    pub(super) fn beside(events_url: &Url) -> QueryResource {
        let mut url = events_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop().push("event-queries");
        }
        QueryResource { url }
    }

    /// The request that starts a query for the events of `window`.
    pub fn creation(&self, window: &Window, has_text_dates: bool) -> Request {
        let date = |time| match has_text_dates {
            true => serde_json::Value::from(format_millis(time)),
            false => time.timestamp_millis().into(),
        };
        let mut attributes = serde_json::Map::from_iter([("from".to_owned(), date(window.from))]);
        attributes.extend(window.to.map(|to| ("to".to_owned(), date(to))));
        let resource = serde_json::json!({"type": "eventQueries", "attributes": attributes});
        let body = serde_json::json!({ "data": resource });
        self.post(&[], ReadPost::EventQuery, body.to_string())
    }

    /// The request for the status of the query `id`.
    pub fn status(&self, id: &str) -> Request {
        Request::get(Endpoint::WorkspaceEvents, self.url_of(&[id]))
    }

    /// The request that cancels the query `id`.
    pub fn cancellation(&self, id: &str) -> Request {
        self.post(&[id, "cancel"], ReadPost::EventQueryEnd, "{}".to_owned())
    }

    /// Where the results of the query `id` are.
    pub(super) fn results_url(&self, id: &str) -> Url {
        self.url_of(&[id, "results"])
    }

    fn post(&self, path: &[&str], post: ReadPost, body: String) -> Request {
        Request::read_post(Endpoint::WorkspaceEvents, self.url_of(path), post, body)
    }

    fn url_of(&self, path: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url
    }
}

/// The query that `response` describes.
///
/// # Errors
/// It describes none.
pub fn read(response: &Response) -> Result<QueryState, UnreadableBody> {
    let none = || UnreadableBody::new("the response is no event query");
    let doc = Document::parse(text_of(&response.body).0).map_err(|_| none())?;
    let root = doc.root();
    let query = root.get("data").filter(|data| data.is_object()).unwrap_or(root);
    let id = query.get("id").and_then(Node::scalar).ok_or_else(none)?;
    let is_segment = !id.is_empty() && id.len() <= MAX_ID_LENGTH && id != "." && id != "..";
    let attributes = query.get("attributes").unwrap_or(query);
    let status = attributes.text_of("status").ok_or_else(none)?;
    match is_segment {
        true => Ok(QueryState { id: id.into_owned(), status: status_of(&status) }),
        false => Err(none()),
    }
}

fn status_of(word: &str) -> QueryStatus {
    let is_one_of = |words: &[&str]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
    if is_one_of(&RUNNING) {
        QueryStatus::Running
    } else if is_one_of(&FINISHED) {
        QueryStatus::Finished
    } else {
        QueryStatus::Failed(printable(word))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::time::parse_api_time;

    fn resource() -> QueryResource {
        let url = "https://api.example/audit-log/v1/workspaces/ari%3Acloud/events";
        QueryResource::beside(&url.parse().unwrap())
    }

    #[test]
    fn the_requests_name_the_query() {
        let base = "https://api.example/audit-log/v1/workspaces/ari%3Acloud/event-queries";
        let window = Window {
            from: parse_api_time("2026-11-20T00:00:00Z").unwrap(),
            to: parse_api_time("2026-11-21T00:00:00Z"),
        };
        let created = resource().creation(&window, false);
        assert_eq!(created.url.as_str(), base);
        assert_eq!(
            created.body(),
            Some(
                r#"{"data":{"attributes":{"from":1795132800000,"to":1795219200000},"type":"eventQueries"}}"#
            )
        );
        let text = resource().creation(&window, true);
        let text = text.body().unwrap();
        assert!(text.contains(r#""from":"2026-11-20T00:00:00.000Z""#), "{text}");
        assert_eq!(resource().status("q/1").url.as_str(), format!("{base}/q%2F1"));
        let cancelled = resource().cancellation("q1");
        assert_eq!(
            (cancelled.url.as_str(), cancelled.body().is_some()),
            (&*format!("{base}/q1/cancel"), true)
        );
        assert_eq!(resource().results_url("q1").as_str(), format!("{base}/q1/results"));
        assert!(created.only_reads() && cancelled.only_reads());
    }

    fn read_text(body: &str) -> Option<(String, QueryStatus)> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let query = read(&Response { status: 200, headers: Vec::new(), body }).ok()?;
        Some((query.id, query.status))
    }

    #[test]
    fn a_status_that_is_not_known_is_a_failure() {
        let of = |status: &str| {
            let body = format!(
                r#"{{"data":{{"id":"q1","type":"eventQueries","attributes":{{"status":"{status}"}}}}}}"#
            );
            read_text(&body).unwrap().1
        };
        assert_eq!(of("IN_PROGRESS"), QueryStatus::Running);
        assert_eq!(of("Completed"), QueryStatus::Finished);
        for word in ["FAILED", "CANCELLED", "EXPIRED", "whatever"] {
            assert_eq!(of(word), QueryStatus::Failed(word.to_owned()));
        }
    }

    #[test]
    fn a_query_may_stand_without_an_envelope_and_what_is_none_is_refused() {
        let bare = r#"{"id":7,"status":"DONE"}"#;
        assert_eq!(read_text(bare), Some(("7".to_owned(), QueryStatus::Finished)));
        for none in [
            "",
            "{}",
            "[]",
            r#"{"data":{"id":"q"}}"#,
            r#"{"data":{"id":"..","attributes":{"status":"DONE"}}}"#,
            r#"{"data":{"attributes":{"status":"DONE"}}}"#,
        ] {
            assert_eq!(read_text(none), None, "{none}");
        }
    }
}
