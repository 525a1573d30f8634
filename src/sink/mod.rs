//! Writes lines to standard output, or to files that are appended to, packed, rotated and made
//! durable.
//!
//! A sink is used from a thread that may block.

pub mod atomic_create;
pub mod bodies;
mod line_sink;
pub mod location;
mod output_file;
pub mod pack;
pub mod preflight;
pub mod recovery;
pub mod stdout;
mod tail_contents;

use crate::config::settings::{OutputPath, OutputSettings};
use crate::model::output_file_state::OutputFileState;

pub use line_sink::{LineSink, SinkError, UnexpectedFile, WrittenFiles};

/// The sink that `settings` ask for; `last_file` is what the checkpoint says of the file written
/// last.
pub fn from_settings(
    settings: &OutputSettings,
    last_file: Option<OutputFileState>,
) -> Box<dyn LineSink> {
    match &settings.path {
        OutputPath::Stdout => Box::new(stdout::StdoutSink::new(settings.compression)),
        OutputPath::File(template) => {
            Box::new(output_file::FileSink::new(template, settings, last_file))
        }
    }
}
