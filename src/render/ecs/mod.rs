//! Owns the form of a line in Elastic Common Schema 9.4.0.

use crate::model::event::Event;
use crate::model::json::write::object;
use crate::model::record::Record;

/// The version of the schema.
const VERSION: &str = "9.4.0";

/// Appends the event as one ECS document.
pub fn append(event: &Event<'_>, _record: &Record, out: &mut Vec<u8>) {
    object(out, |out| {
        out.time("@timestamp", event.time.unwrap_or(event.observed_time));
        out.object("ecs", |out| out.word("version", VERSION));
    });
}
