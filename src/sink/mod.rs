//! Writes lines to standard output, or to files that are appended to, packed, rotated and made
//! durable.
//!
//! A sink is used from a thread that may block.

pub mod atomic_create;
pub mod bodies;
#[cfg(feature = "parquet")]
mod converted_tables;
mod line_sink;
pub mod location;
mod output_file;
pub mod pack;
pub mod pending_file;
pub mod preflight;
#[cfg(feature = "parquet")]
mod pulled_tables;
pub mod recovery;
pub mod stdout;
mod tail_contents;

use std::path::Path;

use crate::config::settings::{Encoding, OutputPath, OutputSettings, PENDING_FOLDER};
use crate::files::folder_of;
use crate::model::output_file_state::OutputFileState;

pub use line_sink::{LineSink, SinkError, UnexpectedFile, WrittenFiles};

/// The sink that `settings` ask for; `last_file` is what the checkpoint says of the file written
/// last.
pub fn from_settings(
    settings: &OutputSettings,
    last_file: Option<OutputFileState>,
) -> Box<dyn LineSink> {
    if settings.encoding == Encoding::JsonLines {
        warn_of_waiting_lines(last_file.as_ref());
    }
    match &settings.path {
        OutputPath::Stdout => Box::new(stdout::StdoutSink::new(settings.compression)),
        #[cfg(feature = "parquet")]
        OutputPath::File(_) if settings.encoding == Encoding::Parquet => {
            Box::new(pulled_tables::PulledTables::new(settings, last_file))
        }
        OutputPath::File(_) => Box::new(output_file::FileSink::new(settings, last_file)),
    }
}

/// Whether the file at `path` holds lines of which Parquet files are to be made.
fn is_waiting(path: &Path) -> bool {
    folder_of(path).file_name().is_some_and(|folder| folder == PENDING_FOLDER)
}

/// Warns where the last run left lines of which no Parquet file will be made any more.
fn warn_of_waiting_lines(last_file: Option<&OutputFileState>) {
    if let Some(last) = last_file
        && is_waiting(&last.path)
        && last.path.exists()
    {
        tracing::warn!(
            path = %last.path.display(),
            "events of earlier pulls wait in a file for Parquet, which is no longer asked for; \
             `atlaudit convert` makes Parquet of that file, and nothing else will"
        );
    }
}
