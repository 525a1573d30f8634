//! Owns the forms of a line of output: a normalized event and its record in, bytes out.

mod ecs;
mod normalized;
mod ocsf;

pub use normalized::SCHEMA_TEXT;

use crate::config::settings::OutputFormat;
use crate::model::event::Event;
use crate::model::record::Record;

/// Appends one line, its newline included, to `out`.
pub fn append_line(format: OutputFormat, event: &Event<'_>, record: &Record, out: &mut Vec<u8>) {
    match format {
        OutputFormat::Normalized => normalized::append(event, record, out),
        OutputFormat::Ecs => ecs::append(event, record, out),
        OutputFormat::Ocsf => ocsf::append(event, record, out),
        OutputFormat::Raw => out.extend_from_slice(record.doc.text()),
    }
    out.push(b'\n');
}
