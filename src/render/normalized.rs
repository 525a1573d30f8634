//! Owns the normalized form, version 1, and its JSON Schema.

use crate::model::event::Event;
use crate::model::json::write::object;
use crate::model::record::Record;

/// The JSON Schema (draft 2020-12) of a normalized event, generated from its types: the tests hold them together.
pub const SCHEMA_TEXT: &str = include_str!("event.schema.json");

/// Appends the event's keys in their order, `raw` last.
///
/// `raw` is spliced in as text: any JSON library on the way would rewrite its numbers, and drop
/// what it thinks is double.
pub fn append(event: &Event<'_>, record: &Record, out: &mut Vec<u8>) {
    object(out, |out| {
        event.write(out);
        out.json("raw", record.doc.text());
    });
}

#[cfg(test)]
#[path = "schema_generated.rs"]
mod generated;

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
