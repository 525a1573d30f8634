//! Defines how each API is read: which request fetches a page, and what a response says.
//!
//! A source does no I/O and keeps no state: a request is a function of the window and the position
//! in it, a page is a function of the response. So every source is tested from text alone. What
//! differs between kinds besides that is in [`crate::model::source_kind`].

pub mod admin_lists;
pub mod api_keys;
pub mod api_reading;
mod confluence_audit;
mod datacenter_audit;
pub mod event_actions;
pub mod event_queries;
mod jira_audit;
pub mod lookup;
mod next_cursor;
#[cfg(feature = "respond")]
pub mod org_account;
mod org_events;
mod page;
mod workspace_events;

use chrono::TimeDelta;
use url::{Url, form_urlencoded};

use crate::http::message::UnreadableBody;
use crate::http::message::{Request, Response};
use crate::model::json::Document;
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::source_kind::LogRetention;
use crate::model::time::{Timestamp, Window, parse_api_time};
use api_reading::{ApiReading, EventClock};
use event_actions::EventActionList;
use event_queries::QueryResource;
use page::{ApiFormat, PageBody, PageQuery, endpoint_url};

pub use crate::model::source_kind::{DeliveryOrder, RecordIdentity};
pub use page::{DuplicateNumbering, Page, PageLocator};

/// One API as one user's source reads it.
#[derive(Debug, Clone)]
pub struct Source {
    kind: SourceKind,
    url: Url,
    page_size: u32,
    reading: ApiReading,
    /// Whether its pages are the results of an event query, which knows the time range.
    is_query: bool,
}

impl Source {
    /// A source of this kind. `base_url` comes before the path of the API (for a site
    /// behind the gateway, its product's address there); `owner` is what the path names: the id of
    /// the organization, or the ARI of the workspace.
    pub fn new(kind: SourceKind, base_url: &Url, owner: Option<&str>, page_size: u32) -> Source {
        let owner = form_urlencoded::byte_serialize(owner.unwrap_or_default().as_bytes());
        let path = format(kind).path.replace("{owner}", &owner.collect::<String>());
        let url = endpoint_url(base_url, &path);
        let reading = ApiReading::default();
        Source { kind, url, page_size, reading, is_query: false }
    }

    /// How the API is asked.
    pub fn reading(&self) -> ApiReading {
        self.reading
    }

    /// The same source, asked in this way.
    pub fn with_reading(&self, reading: ApiReading) -> Source {
        Source { reading, ..self.clone() }
    }

    /// Other ways to ask for the page at `place`, for a server that refuses this one.
    pub fn other_readings(&self, place: &PageLocator) -> Vec<ApiReading> {
        match self.is_documented() {
            true => Vec::new(),
            false => self.reading.others(place.cursor().is_some()),
        }
    }

    /// The event queries beside its events, if the API has such.
    pub fn queries(&self) -> Option<QueryResource> {
        format(self.kind).has_queries.then(|| QueryResource::beside(&self.url))
    }

    /// The list of actions beside its events, if the API has one.
    pub fn event_actions(&self) -> Option<EventActionList> {
        let endpoint = self.kind.descriptor().endpoint;
        let format = format(self.kind);
        format.has_event_actions.then(|| EventActionList::beside(&self.url, endpoint))
    }

    /// The same source, reading the results of the event query `id`.
    pub fn results_of(&self, id: &str) -> Source {
        let url = self.queries().map(|queries| queries.results_url(id));
        Source { url: url.unwrap_or_else(|| self.url.clone()), is_query: true, ..self.clone() }
    }

    /// Whether it must be found out which time of an event `from` and `to` compare with.
    pub fn has_unknown_clock(&self) -> bool {
        !self.is_documented() && self.reading.clock.is_none()
    }

    /// Whether it is documented how it is asked, sorts and ends: a page that names no next one is
    /// the last, and pages stay in the order in which they begin.
    pub fn is_documented(&self) -> bool {
        format(self.kind).is_documented
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
        let page_size = self.reading.page_size(self.page_size);
        let reading = self.reading;
        let asked = PageQuery { window, place, page_size, reading, is_query: self.is_query };
        (format(self.kind).add_query)(&mut url, &asked);
        Request::get(self.kind.descriptor().endpoint, url)
    }

    /// The page that a successful response to [`Source::request`] holds.
    ///
    /// # Errors
    /// The body is not a page of this API. Such a body never counts as the last page.
    pub fn read(&self, place: &PageLocator, response: &Response) -> Result<Page, UnreadableBody> {
        let format = format(self.kind);
        let body = PageBody::of(format.name, format.list, response)?;
        let mut records: Vec<Record> = body.records().map(format.record).collect();
        self.place(&mut records);
        Ok(Page {
            next: (format.next)(place, records.len() as u64, &body)?,
            records,
            has_replaced_bytes: body.has_replaced_bytes,
        })
    }

    /// Puts records where the server's clock puts them, if that is the time of processing.
    pub fn place(&self, records: &mut [Record]) {
        if self.reading.clock == Some(EventClock::Processed) {
            for record in records {
                record.position = self.processed_time(record).or(record.position);
            }
        }
    }

    /// When `record` was processed, if it says so.
    pub fn processed_time(&self, record: &Record) -> Option<Timestamp> {
        parse_api_time(&self.kind.processed_time_value(record.doc.root())?.text()?)
    }
}

fn format(kind: SourceKind) -> &'static ApiFormat {
    match kind {
        SourceKind::OrgEvents => &org_events::FORMAT,
        SourceKind::JiraAudit => &jira_audit::FORMAT,
        SourceKind::ConfluenceAudit => &confluence_audit::FORMAT,
        SourceKind::WorkspaceEvents => &workspace_events::FORMAT,
        SourceKind::DatacenterAudit => &datacenter_audit::FORMAT,
    }
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
        let url = "https://x.example/a?start=7&limit=1000&q=a%2Bb&limit=2".parse().unwrap();
        let request = Request::get(Endpoint::ConfluenceAudit, url);
        let limited = with_limit(request, 49);
        assert_eq!(limited.url.as_str(), "https://x.example/a?start=7&q=a%2Bb&limit=49");
    }
}
