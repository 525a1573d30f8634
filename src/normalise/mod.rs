//! Turns a source's record into a normalized event: one file a source, and the taxonomy of actions
//! that they share.
//!
//! Nothing is invented: what the record does not say is absent. Nothing is lost: what is not
//! understood is in `raw`.

mod confluence_audit;
pub mod countries;
mod datacenter_actions;
mod datacenter_audit;
mod fields;
mod jira_audit;
mod org_events;
pub mod people;
mod stated_outcome;
pub mod taxonomy;

use memchr::memchr2;

use crate::model::event::{
    Event, EventActor, EventClient, EventSource, EventText, PROCESSED_TIME_UNREADABLE, SCHEMA,
    TIME_UNREADABLE, UNPARSED,
};
use crate::model::json::Node;
use crate::model::meaning::{Category, Outcome, UNKNOWN_MEANING};
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::source_kind::IdScope;
use crate::model::text::bounded;
use crate::model::time::Timestamp;
use crate::model::workspace::SiteWorkspace;
use taxonomy::Taxonomy;

/// The source that records come from, as events name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordOrigin {
    /// The name the user gave it.
    pub name: String,
    /// Its type.
    pub kind: SourceKind,
    /// The organization, if it has one.
    pub org_id: Option<String>,
    /// The site's host name, if it has one; of a Data Center its host, port and path.
    pub site: Option<String>,
    /// The workspace, if it is one.
    pub workspace: Option<SiteWorkspace>,
    /// The account that reads a Data Center's log, where it is known: reading that log is logged as
    /// well.
    pub reader: Option<String>,
    /// What its actions mean.
    pub taxonomy: Taxonomy,
}

impl RecordOrigin {
    /// A source of which nothing but its name and type is known.
    pub fn named(name: &str, kind: SourceKind) -> RecordOrigin {
        RecordOrigin {
            name: name.to_owned(),
            kind,
            org_id: None,
            site: None,
            workspace: None,
            reader: None,
            taxonomy: Taxonomy::default(),
        }
    }

    /// What the paths of the API name: the id of the organization, or the ARI of the workspace.
    pub fn owner(&self) -> Option<String> {
        let workspace = self.workspace.as_ref().map(SiteWorkspace::to_string);
        workspace.or_else(|| self.org_id.clone())
    }

    /// Whether it says what the ids of its events need.
    pub fn can_name_events(&self) -> bool {
        match self.kind.descriptor().id_scope {
            IdScope::Global => true,
            IdScope::Site | IdScope::Host => self.site.is_some(),
            IdScope::CloudId => self.workspace.is_some(),
        }
    }
}

/// The event of `record`, received at `observed`.
///
/// A record whose action cannot be read becomes an event with the action [`UNPARSED`] that holds
/// whatever else could be read.
pub fn normalise<'a>(
    origin: &'a RecordOrigin,
    record: &'a Record,
    observed: Timestamp,
) -> Event<'a> {
    let mut event = empty_event(origin, record, observed);
    if record.doc.root().is_object() {
        let taxonomy = &origin.taxonomy;
        let address = match origin.kind {
            SourceKind::OrgEvents => org_events::fill(&mut event, record, taxonomy),
            SourceKind::JiraAudit => jira_audit::fill(&mut event, record, taxonomy),
            SourceKind::ConfluenceAudit => confluence_audit::fill(&mut event, record, taxonomy),
            // The common event model: all as in an organization's events, but for the product.
            SourceKind::WorkspaceEvents => {
                let address = org_events::fill(&mut event, record, taxonomy);
                let product = origin.workspace.as_ref().map(|workspace| workspace.product.as_str());
                event.product = product.map(EventText::Borrowed).or(event.product);
                address
            }
            SourceKind::DatacenterAudit => {
                let reader = origin.reader.as_deref();
                datacenter_audit::fill(&mut event, record, taxonomy, reader)
            }
        };
        fields::fill_client(&mut event, address);
        stated_outcome::weigh_message(&mut event);
        // An entity begins with `&`, which JSON may write as `\u0026`; most records have neither.
        if memchr2(b'&', b'\\', record.doc.text()).is_some() {
            fields::decode_names(&mut event);
        }
        fields::remove_repeated(&mut event.targets);
    }
    label_unreadable_times(&mut event, origin.kind, record);
    event
}

/// The event before its record is read.
fn empty_event<'a>(origin: &'a RecordOrigin, record: &'a Record, observed: Timestamp) -> Event<'a> {
    Event {
        schema: SCHEMA,
        id: event_id(origin, record),
        source: EventSource {
            name: &origin.name,
            kind: origin.kind,
            org_id: origin.org_id.as_deref(),
            site: origin.site.as_deref(),
            workspace: origin.workspace.as_ref(),
        },
        time: record.time,
        processed_time: None,
        observed_time: observed,
        action: EventText::Borrowed(UNPARSED),
        category: Category::Other,
        outcome: Outcome::Unknown,
        meaning: UNKNOWN_MEANING,
        message: None,
        summary: None,
        product: None,
        actor: EventActor::default(),
        targets: Vec::new(),
        changes: Vec::new(),
        client: EventClient::default(),
        labels: Vec::new(),
    }
}

/// `org:<uuid>`, `jira:<site>:<id>`, `confluence:<site>:<hash>`, `ws:<cloud id>:<id>` or
/// `dc:<host>:<hash>`; a record without an id is named by its content.
fn event_id(origin: &RecordOrigin, record: &Record) -> String {
    let own = match &record.id {
        Some(id) => EventText::Borrowed(id.as_str()),
        None => EventText::Owned(record.fingerprint().to_string()),
    };
    let site = origin.site.as_deref().unwrap_or_default();
    let descriptor = origin.kind.descriptor();
    let prefix = descriptor.id_prefix;
    match descriptor.id_scope {
        IdScope::Global => [prefix, ":", &own].concat(),
        IdScope::Site => [prefix, ":", site, ":", &own].concat(),
        IdScope::CloudId => {
            let workspace = origin.workspace.as_ref();
            let cloud_id = workspace.map_or("", |workspace| workspace.cloud_id.as_str());
            [prefix, ":", cloud_id, ":", &own].concat()
        }
        IdScope::Host => {
            let host = site.split('/').next().unwrap_or_default();
            [prefix, ":", host, ":", &own].concat()
        }
    }
}

/// The label where the source gives no time at all.
const MISSING_TIME: &str = "missing";

/// Adds a label with the source's own text for each time of `event` that could not be read. No time
/// is guessed: one without a zone would be hours off, and nobody would see it.
fn label_unreadable_times<'a>(event: &mut Event<'a>, kind: SourceKind, record: &'a Record) {
    let root = record.doc.root();
    if event.time.is_none() {
        let text = kind.time_value(root).map_or(EventText::Borrowed(MISSING_TIME), written);
        event.labels.push((TIME_UNREADABLE, text));
    }
    if event.processed_time.is_none() {
        // A source need not say when it processed an event.
        let value = kind.processed_time_value(root);
        let labels = value.map(|value| (PROCESSED_TIME_UNREADABLE, written(value)));
        event.labels.extend(labels);
    }
}

/// The text of `value`; of what is no text, or a blank one, its JSON.
fn written(value: Node<'_>) -> EventText<'_> {
    bounded(value.text().unwrap_or(EventText::Borrowed(value.raw())))
}

#[cfg(test)]
mod any_record_tests;
#[cfg(test)]
mod meaning_tests;
#[cfg(test)]
mod unreadable_time_tests;

#[cfg(test)]
mod testing {
    //! What the tests of this folder share.

    use super::*;
    use crate::model::json::{Document, write::object};
    use crate::model::time::parse_api_time;

    /// The event of a record with this text, as a JSON tree.
    pub fn normalised(kind: SourceKind, text: &str) -> serde_json::Value {
        serde_json::from_slice(&written(kind, None, text)).unwrap()
    }

    /// The same of a record whose time cannot be read.
    pub fn normalised_without_time(kind: SourceKind, text: &str) -> serde_json::Value {
        let line = at_time(None, kind, None, text, write);
        serde_json::from_slice(&line).unwrap()
    }

    fn write(event: &Event<'_>) -> Vec<u8> {
        let mut text = Vec::new();
        object(&mut text, |out| event.write(out));
        text
    }

    /// The event of a record with this text, read by `reader`, as it is written.
    pub fn written(kind: SourceKind, reader: Option<&str>, text: &str) -> Vec<u8> {
        with_event(kind, reader, text, write)
    }

    /// What `read` makes of the event of a record with this text, read by `reader`.
    pub fn with_event<T>(
        kind: SourceKind,
        reader: Option<&str>,
        text: &str,
        read: impl FnOnce(&Event<'_>) -> T,
    ) -> T {
        let time = parse_api_time("2026-11-20T09:30:00Z");
        at_time(time, kind, reader, text, read)
    }

    fn at_time<T>(
        time: Option<Timestamp>,
        kind: SourceKind,
        reader: Option<&str>,
        text: &str,
        read: impl FnOnce(&Event<'_>) -> T,
    ) -> T {
        let origin = RecordOrigin {
            org_id: Some("org-1".to_owned()),
            site: Some("acme.example".to_owned()),
            reader: reader.map(str::to_owned),
            ..RecordOrigin::named("acme", kind)
        };
        let doc = Document::new(bytes::Bytes::copy_from_slice(text.as_bytes()));
        let record = Record {
            id: doc.root().scalar_of("id").map(|id| id.into_owned()),
            time,
            position: None,
            doc,
        };
        let observed = parse_api_time("2026-11-21T00:00:00Z").unwrap();
        read(&normalise(&origin, &record, observed))
    }
}
