//! Defines how each API is read: which request fetches a page, and what a response says.
//!
//! A source does no I/O and keeps no state: a request is a function of the window and the position
//! in it, a page is a function of the response. So every source is tested from text alone. What
//! differs between kinds besides that is in [`crate::model::source_kind`].

pub mod api_keys;
mod confluence_audit;
mod datacenter_audit;
mod jira_audit;
pub mod lookup;
mod org_events;
mod page;

use chrono::TimeDelta;
use url::Url;

use crate::config::settings::SourceTarget;
use crate::http::message::UnreadableBody;
use crate::http::message::{Request, Response};
use crate::model::json::Document;
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::source_kind::LogRetention;
use crate::model::time::Window;
use page::{ApiFormat, PageBody, endpoint_url};

pub use crate::model::source_kind::{DeliveryOrder, RecordIdentity};
pub use page::{DuplicateNumbering, Page, PageLocator};

/// One API as one user's source reads it.
#[derive(Debug, Clone)]
pub struct Source {
    kind: SourceKind,
    url: Url,
    page_size: u32,
}

impl Source {
    /// A source of this kind. `base_url` comes before the path of the API (for a site
    /// behind the gateway, its product's address there); `org_id` is the organization's, from the
    /// configuration or the credential.
    pub fn new(kind: SourceKind, base_url: &Url, org_id: Option<&str>, page_size: u32) -> Source {
        let path = format(kind).path.replace("{org_id}", org_id.unwrap_or_default());
        Source { kind, url: endpoint_url(base_url, &path), page_size }
    }

    /// In which order pages come.
    pub fn order(&self) -> DeliveryOrder {
        self.kind.descriptor().order
    }

    /// What distinguishes two of its records.
    pub fn identity(&self) -> RecordIdentity {
        self.kind.descriptor().identity
    }

    /// The precision of times in its requests: a window is split at multiples of it.
    pub fn grain(&self) -> TimeDelta {
        self.kind.descriptor().grain
    }

    /// How long the API keeps its records, where a number is known.
    pub fn retention(&self) -> Option<LogRetention> {
        self.kind.descriptor().retention
    }

    /// The page size in requests.
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// The request for the page at `place` of `window`.
    pub fn request(&self, window: &Window, place: &PageLocator) -> Request {
        let mut url = self.url.clone();
        (format(self.kind).add_query)(&mut url, window, place, self.page_size);
        Request { endpoint: self.kind.descriptor().endpoint, url }
    }

    /// The page that a successful response to [`Source::request`] holds.
    ///
    /// # Errors
    /// The body is not a page of this API. Such a body never counts as the last page.
    pub fn read(&self, place: &PageLocator, response: &Response) -> Result<Page, UnreadableBody> {
        let format = format(self.kind);
        let body = PageBody::of(format.name, format.list, response)?;
        let records: Vec<Record> = body.records().map(format.record).collect();
        Ok(Page {
            next: (format.next)(place, records.len() as u64, &body)?,
            records,
            has_replaced_bytes: body.has_replaced_bytes,
        })
    }
}

fn format(kind: SourceKind) -> &'static ApiFormat {
    match kind {
        SourceKind::OrgEvents => &org_events::FORMAT,
        SourceKind::JiraAudit => &jira_audit::FORMAT,
        SourceKind::ConfluenceAudit => &confluence_audit::FORMAT,
        SourceKind::DatacenterAudit => &datacenter_audit::FORMAT,
    }
}

/// The source that `target` describes; see [`Source::new`].
pub fn of(target: &SourceTarget, base_url: &Url, org_id: Option<&str>, page_size: u32) -> Source {
    Source::new(target.kind(), base_url, org_id, page_size)
}

/// The record of a source of type `kind` that `doc` holds.
pub fn record_of(kind: SourceKind, doc: Document) -> Record {
    (format(kind).record)(doc)
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
