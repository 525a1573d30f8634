//! Owns how each API is read: which request asks for a page, and what an answer says.
//!
//! A source does no I/O and keeps no state: a request is a function of the window and the place in
//! it, a page is a function of the answer. So every source can be tested from a text alone, and a
//! new API is one new file.

pub mod jira_audit;
pub mod org_events;
mod parts;

use crate::config::settings::{SourceSettings, Target};
use crate::http::error::Unreadable;
use crate::http::message::{Request, Response};
use crate::model::json::Document;
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::time::Window;

/// One API as one user's source reads it.
pub trait Source: Send + Sync {
    /// In which order pages come.
    fn order(&self) -> Order;

    /// The request for the page at `place` of `window`.
    fn request(&self, window: &Window, place: &Place) -> Request;

    /// The page that a successful answer to [`Source::request`] holds.
    ///
    /// # Errors
    /// The body is not a page of this API. Such a body never counts as the last page.
    fn read(&self, place: &Place, response: &Response) -> Result<Page, Unreadable>;
}

/// In which order an API delivers its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Oldest first: pages can be handed on as they come.
    Ascending,
    /// Newest first: a time slice must be whole before it can be handed on.
    NewestFirst,
}

/// Where in a window a page lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The first page.
    Start,
    /// Behind a cursor of the server's.
    Cursor(String),
    /// So many records after the first.
    Offset(u64),
}

/// What an answer says.
#[derive(Debug, Clone)]
pub struct Page {
    /// The records, in the order of the answer.
    pub records: Vec<Record>,
    /// Where the answer says it goes on; nothing on the last page.
    pub next: Option<Place>,
    /// Whether the answer held bytes that are no UTF-8, and U+FFFD stands in their place.
    pub is_mended: bool,
}

/// The source that `settings` describe; `org_id` is the organization's, from the configuration or
/// the credential.
pub fn of(settings: &SourceSettings, org_id: Option<&str>) -> Box<dyn Source> {
    match &settings.target {
        Target::OrgEvents { base_url, .. } => Box::new(org_events::OrgEvents::new(
            base_url,
            org_id.unwrap_or_default(),
            settings.page_size,
        )),
        Target::JiraAudit { base_url, .. } => {
            Box::new(jira_audit::JiraAudit::new(base_url, settings.page_size))
        }
    }
}

/// The record of a source of type `kind` that `doc` holds.
pub fn record_of(kind: SourceKind, doc: Document) -> Record {
    match kind {
        SourceKind::OrgEvents => org_events::record(doc),
        SourceKind::JiraAudit => jira_audit::record(doc),
    }
}

/// `base` with `path` (which starts with `/`) behind it, whatever slash `base` ends with.
fn endpoint_url(base: &url::Url, path: &str) -> url::Url {
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}{path}"));
    url
}
