//! The object `metadata`: which event it is, and the ways that it came.

use std::borrow::Cow;

use crate::model::event::Event;
use crate::model::json::Node;
use crate::model::json::write::ObjectWriter;
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::source_kind::RecordIdentity;

/// The version of the schema.
const VERSION: &str = r#""version":"1.8.0""#;

/// Writes the object.
pub fn write(event: &Event<'_>, record: &Record, out: &mut ObjectWriter<'_>) {
    out.object("metadata", |out| {
        out.constant(VERSION);
        out.text("uid", &event.id);
        out.text_if_some("original_event_uid", own_id(event.source.kind, record));
        out.text("event_code", &event.action);
        out.object("product", |out| {
            out.text("name", product(event));
            out.word("vendor_name", "Atlassian");
        });
        out.text_if_some("tenant_uid", event.source.org_id.or(event.source.site));
        out.word("log_name", event.source.kind.as_str());
        out.text("source", event.source.name);
        out.text_if_some("original_time", original_time(event.source.kind, record).as_deref());
        // Atlassian's own processing is what logs an event; ours is the processing on its way.
        if let Some(time) = event.processed_time {
            out.integer("logged_time", time.timestamp_millis());
        }
        out.integer("processed_time", event.observed_time.timestamp_millis());
    });
}

/// The product that logged it: by the event's own word, else the one whose log it is.
pub fn product<'e>(event: &'e Event<'_>) -> &'e str {
    match event.product.as_deref() {
        None => event.source.kind.descriptor().product,
        Some("jira") => "Jira",
        Some("confluence") => "Confluence",
        Some("organization") => "Atlassian Administration",
        Some("bitbucket") => "Bitbucket",
        Some("trello") => "Trello",
        Some("loom") => "Loom",
        Some("compass") => "Compass",
        Some("guard_detect") => "Guard Detect",
        Some(product) => product,
    }
}

/// The id that the source itself gave the record; other types have none, and the id by content is ours.
fn own_id(kind: SourceKind, record: &Record) -> Option<&str> {
    match kind.descriptor().identity {
        RecordIdentity::ApiId => record.id.as_deref(),
        RecordIdentity::Content => None,
    }
}

/// The time as the source wrote it: there where the time of the event was read.
fn original_time(kind: SourceKind, record: &Record) -> Option<Cow<'_, str>> {
    kind.time_value(record.doc.root()).and_then(Node::scalar)
}
