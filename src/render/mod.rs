//! The output formats: a normalized event and its record in, one line of bytes out.

mod ecs;
mod event_table;
mod ocsf;

use crate::config::settings::OutputFormat;
use crate::model::event::Event;
use crate::model::json::write::object;
use crate::model::record::Record;

use ocsf::OcsfVersion;

pub use event_table::{EventTable, fitted, isolated};

/// The JSON Schema (draft 2020-12) of a normalized event, generated from its types by a test.
pub const SCHEMA_TEXT: &str = include_str!("event.schema.json");

/// Appends one line, its newline included, to `out`.
pub fn append_line(format: OutputFormat, event: &Event<'_>, record: &Record, out: &mut Vec<u8>) {
    match format {
        OutputFormat::Normalized => append(event, record, out),
        OutputFormat::Ecs => ecs::append(event, record, out),
        OutputFormat::Ocsf => ocsf::append(OcsfVersion::V1_8, event, record, out),
        OutputFormat::Ocsf13 => ocsf::append(OcsfVersion::V1_3, event, record, out),
        OutputFormat::Raw => out.extend_from_slice(record.doc.text()),
    }
    out.push(b'\n');
}

/// Appends a normalized event without `raw`, which is the larger half of it, for those who do not
/// look at that.
pub fn append_without_raw(event: &Event<'_>, out: &mut Vec<u8>) {
    object(out, |out| event.write(out));
}

/// Appends the event's keys in their order, `raw` last.
///
/// `raw` is copied as text: a JSON library would rewrite its numbers and drop duplicate keys.
fn append(event: &Event<'_>, record: &Record, out: &mut Vec<u8>) {
    object(out, |out| {
        event.write(out);
        out.json("raw", record.doc.text());
    });
}

#[cfg(test)]
#[path = "schema_generator_tests.rs"]
mod generated;

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
