//! Owns the forms of a line of output: a normalized event and its record in, bytes out.

mod ecs;
mod normalized;
mod ocsf;

pub use normalized::SCHEMA_TEXT;

use crate::config::settings::Format;
use crate::model::event::Event;
use crate::model::record::Record;

/// Appends one line, its newline included, to `out`.
pub fn append_line(format: Format, event: &Event<'_>, record: &Record, out: &mut Vec<u8>) {
    match format {
        Format::Normalized => normalized::append(event, record, out),
        Format::Ecs => ecs::append(event, record, out),
        Format::Ocsf => ocsf::append(event, record, out),
        Format::Raw => out.extend_from_slice(record.doc.text()),
    }
    out.push(b'\n');
}
