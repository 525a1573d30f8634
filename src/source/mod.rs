//! Defines how each API is read: which request fetches a page, and what a response says.
//!
//! A source does no I/O and keeps no state: a request is a function of the window and the position
//! in it, a page is a function of the response. So every source is tested from text alone. What
//! differs between kinds besides that is in [`crate::model::source_kind`].

pub mod api_keys;
pub mod confluence_audit;
pub mod datacenter_audit;
pub mod jira_audit;
pub mod lookup;
mod numbering;
pub mod org_events;
mod page_body;
pub mod users;

use chrono::TimeDelta;
use url::Url;

use crate::config::settings::SourceTarget;
use crate::http::error::UnreadableBody;
use crate::http::message::{Request, Response};
use crate::model::json::Document;
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::source_kind::LogRetention;
use crate::model::time::Window;

pub use crate::model::source_kind::{DeliveryOrder, RecordIdentity};
pub use numbering::DuplicateNumbering;

/// One API as one user's source reads it.
pub trait Source: Send + Sync {
    /// The kind of the source, whose descriptor has the facts about its API.
    fn kind(&self) -> SourceKind;

    /// In which order pages come.
    fn order(&self) -> DeliveryOrder {
        self.kind().descriptor().order
    }

    /// What distinguishes two of its records.
    fn identity(&self) -> RecordIdentity {
        self.kind().descriptor().identity
    }

    /// The precision of times in its requests: a window is split at multiples of it.
    fn grain(&self) -> TimeDelta {
        self.kind().descriptor().grain
    }

    /// How long the API keeps its records, where a number is known.
    fn retention(&self) -> Option<LogRetention> {
        self.kind().descriptor().retention
    }

    /// How many records a request asks for.
    fn page_size(&self) -> u32;

    /// The request for the page at `place` of `window`.
    fn request(&self, window: &Window, place: &PageLocator) -> Request;

    /// The page that a successful answer to [`Source::request`] holds.
    ///
    /// # Errors
    /// The body is not a page of this API. Such a body never counts as the last page.
    fn read(&self, place: &PageLocator, response: &Response) -> Result<Page, UnreadableBody>;
}

/// Where in a window a page lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageLocator {
    /// The first page.
    Start,
    /// Behind a cursor of the server's.
    Cursor(String),
    /// So many records after the first.
    Offset(u64),
    /// After a cursor of the server's, which lies so many records after the first.
    CountedCursor {
        /// The cursor.
        cursor: String,
        /// The records before it.
        records: u64,
    },
    /// After a cursor of the server's, with the offset that the server named beside it.
    CursorOffset {
        /// The cursor.
        cursor: String,
        /// The offset, whatever the server counts it from.
        offset: u64,
    },
}

impl PageLocator {
    /// The server's cursor, where it has one.
    pub fn cursor(&self) -> Option<&str> {
        match self {
            PageLocator::Cursor(cursor)
            | PageLocator::CountedCursor { cursor, .. }
            | PageLocator::CursorOffset { cursor, .. } => Some(cursor),
            PageLocator::Start | PageLocator::Offset(_) => None,
        }
    }
}

/// What an answer says.
#[derive(Debug, Clone)]
pub struct Page {
    /// The records, in the order of the answer.
    pub records: Vec<Record>,
    /// Where the answer says it goes on; nothing on the last page.
    pub next: Option<PageLocator>,
    /// Whether the answer held bytes that are no UTF-8, and U+FFFD stands in their place.
    pub has_replaced_bytes: bool,
}

/// The source that `target` describes, asked at `base_url` (for a site behind the gateway, its product's
/// address there); `org_id` is the organization's, from the configuration or the credential.
pub fn of(
    target: &SourceTarget,
    base_url: &Url,
    org_id: Option<&str>,
    page_size: u32,
) -> Box<dyn Source> {
    match target.kind() {
        SourceKind::OrgEvents => {
            let org_id = org_id.unwrap_or_default();
            Box::new(org_events::OrgEvents::new(base_url, org_id, page_size))
        }
        SourceKind::JiraAudit => Box::new(jira_audit::JiraAudit::new(base_url, page_size)),
        SourceKind::ConfluenceAudit => {
            Box::new(confluence_audit::ConfluenceAudit::new(base_url, page_size))
        }
        SourceKind::DatacenterAudit => {
            Box::new(datacenter_audit::DatacenterAudit::new(base_url, page_size))
        }
    }
}

/// The record of a source of type `kind` that `doc` holds.
pub fn record_of(kind: SourceKind, doc: Document) -> Record {
    match kind {
        SourceKind::OrgEvents => org_events::record(doc),
        SourceKind::JiraAudit => jira_audit::record(doc),
        SourceKind::ConfluenceAudit => confluence_audit::record(doc),
        SourceKind::DatacenterAudit => datacenter_audit::record(doc),
    }
}

/// `request` for a page of at most `limit` records: all APIs name the parameter alike.
pub fn with_limit(mut request: Request, limit: u32) -> Request {
    let pairs = request.url.query_pairs().into_owned();
    let others: Vec<(String, String)> = pairs.filter(|(key, _)| key != "limit").collect();
    let mut query = request.url.query_pairs_mut();
    query.clear().extend_pairs(others);
    query.append_pair("limit", &limit.to_string());
    drop(query);
    request
}

/// `base` with `path` (which starts with `/`) behind it, whatever slash `base` ends with.
fn endpoint_url(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}{path}"));
    url
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message::Endpoint;

    #[test]
    fn a_limit_replaces_the_one_of_the_request() {
        let request = Request {
            endpoint: Endpoint::ConfluenceAudit,
            url: "https://x.example/a?start=7&limit=1000&q=a%2Bb&limit=2".parse().unwrap(),
        };
        let limited = with_limit(request, 49);
        assert_eq!(limited.url.as_str(), "https://x.example/a?start=7&q=a%2Bb&limit=49");
    }
}
