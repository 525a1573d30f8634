//! Owns the form of a line in Elastic Common Schema 9.4.0: <https://www.elastic.co/docs/reference/ecs>.
//!
//! What the schema has a field for stands there; all else that a normalized event says stands below `atlassian`,
//! and the source's record is whole in `event.original_failure`. What is left to those who bring the lines in:
//! `agent` (what shipped them) and `data_stream` (where they go).

mod related;
mod atlassian_fields;
mod source;
mod user;

#[cfg(test)]
mod any_event_tests;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::model::event::Event;
use crate::model::json::write::{ObjectWriter, object};
use crate::model::name::SourceKind;
use crate::model::record::Record;

/// Appends the event as one ECS document.
pub fn append(event: &Event<'_>, record: &Record, out: &mut Vec<u8>) {
    let time = event.time.or(event.processed_time);
    let user = user::EventUsers::of(event);
    object(out, |out| {
        // A document must have a time; `atlassian.timestamp` says where it is another one.
        out.time("@timestamp", time.unwrap_or(event.observed_time));
        out.constant(r#""ecs":{"version":"9.4.0"}"#);
        out.text_if_some("message", event.message.as_deref());
        out.object("labels", |out| {
            for (key, value) in &event.labels {
                out.text(&flat(key), value);
            }
        });
        out.object("event", |out| append_event(event, record, out));
        out.object("user", |out| user.append(out));
        out.object("group", |out| user.append_group(out));
        out.object("source", |out| source::append(event, out));
        out.object("organization", |out| {
            source::append_organization(event, out)
        });
        out.object("observer", |out| source::append_observer(event, out));
        out.object("related", |out| related::append(event, &user, out));
        out.object("atlassian", |out| atlassian_fields::append(event, out));
    });
}

/// No source says why something happened: there is no `event.reason`.
fn append_event(event: &Event<'_>, record: &Record, out: &mut ObjectWriter<'_>) {
    out.constant(r#""kind":"event""#);
    out.text("id", &event.id);
    out.text("action", &event.action);
    let kind = event.meaning.ecs;
    out.words("category", kind.categories.iter().map(|it| it.as_str()));
    out.words("type", kind.types.iter().map(|it| it.as_str()));
    out.word("outcome", event.outcome.as_str());
    // When a pipeline first had it: Atlassian's own, where it tells, else this one.
    out.time(
        "created",
        event.processed_time.unwrap_or(event.observed_time),
    );
    out.time("ingested", event.observed_time);
    out.constant(dataset(event.source.kind));
    out.text_if_some("provider", event.product.as_deref());
    out.json_as_text("original", record.doc.text());
}

/// `module` and `dataset`.
fn dataset(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::OrgEvents => r#""module":"atlassian","dataset":"atlassian.org_events""#,
        SourceKind::JiraAudit => r#""module":"atlassian","dataset":"atlassian.jira_audit""#,
        SourceKind::ConfluenceAudit => {
            r#""module":"atlassian","dataset":"atlassian.confluence_audit""#
        }
        SourceKind::DatacenterAudit => {
            r#""module":"atlassian","dataset":"atlassian.datacenter_audit""#
        }
    }
}

/// The key of a label: a dot would make an object of it.
fn flat(key: &str) -> Cow<'_, str> {
    match key.bytes().any(|byte| byte == b'.') {
        true => Cow::Owned(key.replace('.', "_")),
        false => Cow::Borrowed(key),
    }
}
