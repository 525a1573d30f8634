//! The events that the tests of this folder compose by hand.

use bytes::Bytes;
use serde_json::Value;

use super::{OcsfVersion, append};
use crate::model::event::{
    ActorKind, Event, EventActor, EventClient, EventSource, EventTarget, EventText, FieldChange,
    SCHEMA,
};
use crate::model::json::Document;
use crate::model::meaning::{ActionMeaning, Category, Deed, OcsfClass, Outcome, UNKNOWN_MEANING};
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::time::parse_api_time;

/// A text that an event may or may not have.
pub fn text(text: &str) -> Option<EventText<'static>> {
    (!text.is_empty()).then(|| EventText::Owned(text.to_owned()))
}

/// An event that says nothing but its action and its time.
pub fn minimal_event(class: OcsfClass, deed: Deed) -> Event<'static> {
    Event {
        schema: SCHEMA,
        id: "org:e1".to_owned(),
        source: EventSource {
            name: "acme",
            kind: SourceKind::OrgEvents,
            org_id: Some("org-1"),
            site: None,
            workspace: None,
        },
        time: parse_api_time("2026-11-20T09:30:00.250Z"),
        processed_time: None,
        observed_time: parse_api_time("2026-11-21T00:00:00Z").unwrap(),
        action: EventText::Borrowed("something_done"),
        category: Category::Other,
        outcome: Outcome::Unknown,
        meaning: ActionMeaning { class, deed, ..UNKNOWN_MEANING },
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

/// An actor with an id, a name and an address.
pub fn actor(kind: ActorKind) -> EventActor<'static> {
    EventActor {
        kind: Some(kind),
        id: text("712020:a1"),
        name: text("Ada"),
        email: text("ada@example.com"),
        ..EventActor::default()
    }
}

/// A target: of a kind, with an id and a name, each of which may be empty.
pub fn target(kind: &str, id: &str, name: &str) -> EventTarget<'static> {
    EventTarget { kind: text(kind), id: text(id), name: text(name), ..EventTarget::default() }
}

/// A changed field.
pub fn change(field: &str, from: &str, to: &str) -> FieldChange<'static> {
    FieldChange { field: text(field), from: text(from), to: text(to) }
}

/// A client of which the address is known.
pub fn client(ip: &str) -> EventClient<'static> {
    EventClient { ip: text(ip), ..EventClient::default() }
}

/// A record with this text.
pub fn record(text: &str) -> Record {
    Record {
        doc: Document::new(Bytes::copy_from_slice(text.as_bytes())),
        id: Some("e1".to_owned()),
        time: None,
        position: None,
    }
}

/// The line of `event`, without its newline.
pub fn line(version: OcsfVersion, event: &Event<'_>, raw: &str) -> String {
    let mut out = Vec::new();
    append(version, event, &record(raw), &mut out);
    String::from_utf8(out).unwrap()
}

/// What `event` becomes.
pub fn rendered(version: OcsfVersion, event: &Event<'_>) -> Value {
    serde_json::from_str(&line(version, event, r#"{"id":"e1"}"#)).unwrap()
}
