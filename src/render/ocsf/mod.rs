//! Owns the form of a line in OCSF 1.8.0, the Open Cybersecurity Schema Framework.

use crate::model::event::Event;
use crate::model::json::write::object;
use crate::model::record::Record;

/// The version of the schema.
const VERSION: &str = "1.8.0";

/// Appends the event as one OCSF event.
pub fn append(event: &Event<'_>, _record: &Record, out: &mut Vec<u8>) {
    object(out, |out| {
        out.object("metadata", |out| {
            out.word("version", VERSION);
            out.text("uid", &event.id);
        });
    });
}
