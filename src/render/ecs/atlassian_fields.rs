//! Owns `atlassian`: what a normalized event says and ECS has no field for, in the words of a normalized event.

use crate::model::event::Event;
use crate::model::json::write::ObjectWriter;

/// The fields of `atlassian`.
pub fn append(event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    out.word("schema", event.schema);
    out.object("source", |out| event.source.write(out));
    // Which time `@timestamp` is, where the record does not say when it happened.
    match (event.time, event.processed_time) {
        (Some(_), _) => {}
        (None, Some(_)) => out.word("timestamp", "processed_time"),
        (None, None) => out.word("timestamp", "observed_time"),
    }
    if let Some(time) = event.processed_time {
        out.time("processed_time", time);
    }
    out.word("category", event.category.as_str());
    out.text_if_some("product", event.product.as_deref());
    out.object("actor", |out| {
        if let Some(kind) = event.actor.kind {
            out.word("type", kind.as_str());
        }
        out.object("auth", |out| {
            let auth = &event.actor.auth;
            out.text_if_some("type", auth.kind.as_deref());
            out.text_if_some("token_id", auth.token_id.as_deref());
            out.text_if_some("token_label", auth.token_label.as_deref());
        });
    });
    out.list("targets", &event.targets, |out, target| target.write(out));
    out.list("changes", &event.changes, |out, change| change.write(out));
    out.object("client", |out| {
        event.client.write_forwarded(out);
        out.text_if_some("geo", event.client.geo.as_deref())
    });
}
