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
mod publication;
#[cfg(feature = "parquet")]
mod pulled_tables;
pub mod recovery;
pub mod stdout;
mod tail_contents;
pub mod waiting_lines;

use crate::config::settings::{Encoding, OutputPath, OutputSettings};
use crate::model::output_file_state::OutputFileState;

use pending_file::PendingFiles;

pub use line_sink::{LineSink, SinkError, UnexpectedFile, WrittenFiles};

/// The sink of a run that no checkpoint continues: a Parquet file has the very name of the template
/// then, and must not be there yet.
///
/// # Errors
/// The name is taken.
pub fn of_one_run(settings: &OutputSettings) -> Result<Box<dyn LineSink>, SinkError> {
    match settings.encoding {
        Encoding::JsonLines => Ok(from_settings(settings, None)),
        Encoding::Parquet => {
            atomic_create::create(settings, chrono::Utc::now(), &PendingFiles::default())
        }
    }
}

/// The sink that `settings` ask for; `last_file` is what the checkpoint says of the file written
/// last.
pub fn from_settings(
    settings: &OutputSettings,
    last_file: Option<OutputFileState>,
) -> Box<dyn LineSink> {
    match &settings.path {
        OutputPath::Stdout => Box::new(stdout::StdoutSink::new(settings.compression)),
        #[cfg(feature = "parquet")]
        OutputPath::File(_) if settings.encoding == Encoding::Parquet => {
            Box::new(pulled_tables::PulledTables::new(settings, last_file))
        }
        OutputPath::File(_) => Box::new(output_file::FileSink::new(settings, last_file)),
    }
}
