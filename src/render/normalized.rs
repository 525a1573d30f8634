//! Owns the normalized form, version 1, and its JSON Schema.

use crate::model::event::Event;
use crate::model::record::Record;

/// The JSON Schema (draft 2020-12) of a normalized event.
pub const SCHEMA_TEXT: &str = include_str!("event.schema.json");

/// Appends the event's keys in their order, `raw` last.
///
/// `raw` is spliced in as text: any JSON library on the way would rewrite its numbers, and drop
/// what it thinks is double.
pub fn append(event: &Event<'_>, record: &Record, out: &mut Vec<u8>) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *out, event)?;
    // An event is an object with at least the key `schema`, so it ends with `}` and is not empty.
    out.pop();
    out.extend_from_slice(b",\"raw\":");
    out.extend_from_slice(record.doc.text());
    out.push(b'}');
    Ok(())
}
