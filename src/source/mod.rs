//! Owns how each API is read: which request asks for a page, and what an answer says.
//!
//! A source does no I/O and keeps no state: a request is a function of the window and the place in
//! it, a page is a function of the answer. So every source can be tested from a text alone, and a
//! new API is one new file.

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

use crate::config::settings::{Product, SourceTarget};
use crate::http::error::UnreadableBody;
use crate::http::message::{Request, Response};
use crate::model::json::Document;
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::retention::LogRetention;
use crate::model::time::Window;

pub use numbering::DuplicateNumbering;

/// One API as one user's source reads it.
pub trait Source: Send + Sync {
    /// In which order pages come.
    fn order(&self) -> DeliveryOrder;

    /// By what its records are told apart.
    fn identity(&self) -> RecordIdentity {
        RecordIdentity::ApiId
    }

    /// The grain of the dates in its requests: a window is cut at multiples of it.
    fn grain(&self) -> TimeDelta {
        TimeDelta::milliseconds(1)
    }

    /// How long the API keeps its records, where that is known.
    fn retention(&self) -> Option<LogRetention> {
        None
    }

    /// Records that a request asks for.
    fn page_size(&self) -> u32 {
        u32::MAX
    }

    /// The request for the page at `place` of `window`.
    fn request(&self, window: &Window, place: &PageLocator) -> Request;

    /// The page that a successful answer to [`Source::request`] holds.
    ///
    /// # Errors
    /// The body is not a page of this API. Such a body never counts as the last page.
    fn read(&self, place: &PageLocator, response: &Response) -> Result<Page, UnreadableBody>;
}

/// By what an API's records are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordIdentity {
    /// An id of the API's own: what has it twice came twice.
    ApiId,
    /// By what they say alone: two equal ones on one page are two.
    Content,
}

impl RecordIdentity {
    /// By what the records of a source of type `kind` are told apart.
    pub fn of(kind: SourceKind) -> RecordIdentity {
        match kind {
            SourceKind::OrgEvents | SourceKind::JiraAudit => RecordIdentity::ApiId,
            SourceKind::ConfluenceAudit | SourceKind::DatacenterAudit => RecordIdentity::Content,
        }
    }
}

/// In which order an API delivers its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOrder {
    /// Oldest first: pages can be handed on as they come.
    Ascending,
    /// Newest first: a time slice must be whole before it can be handed on.
    NewestFirst,
}

impl DeliveryOrder {
    /// In which order a source of type `kind` delivers.
    pub fn of(kind: SourceKind) -> DeliveryOrder {
        match kind {
            SourceKind::OrgEvents => DeliveryOrder::Ascending,
            SourceKind::JiraAudit | SourceKind::ConfluenceAudit | SourceKind::DatacenterAudit => {
                DeliveryOrder::NewestFirst
            }
        }
    }
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
    match target {
        SourceTarget::OrgEvents { .. } => {
            let org_id = org_id.unwrap_or_default();
            Box::new(org_events::OrgEvents::new(base_url, org_id, page_size))
        }
        SourceTarget::Site(site) => match site.product {
            Product::Jira => Box::new(jira_audit::JiraAudit::new(base_url, page_size)),
            Product::Confluence => {
                Box::new(confluence_audit::ConfluenceAudit::new(base_url, page_size))
            }
        },
        SourceTarget::Datacenter { .. } => {
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
            url: "https://x.example/a?start=7&limit=1000&q=a%2Bb&limit=2"
                .parse()
                .unwrap(),
        };
        let limited = with_limit(request, 49);
        assert_eq!(
            limited.url.as_str(),
            "https://x.example/a?start=7&q=a%2Bb&limit=49"
        );
    }
}
