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
#[cfg(feature = "object-store")]
mod object_encoding;
#[cfg(feature = "object-store")]
mod object_sink;
mod output_file;
pub mod pack;
pub mod pending_file;
pub mod preflight;
#[cfg(feature = "parquet")]
mod publication;
#[cfg(feature = "parquet")]
mod pulled_tables;
pub mod recovery;
pub mod retention;
pub mod stdout;
mod tail_contents;
pub mod waiting_lines;

use crate::config::settings::{Encoding, OutputPath, OutputSettings};
use crate::model::output_file_state::OutputFileState;
use crate::objects::ObjectBatch;

use pending_file::PendingFiles;

pub use line_sink::{LineSink, SinkError, UnexpectedFile, WrittenFiles};

/// The sink of a run that no checkpoint continues: a Parquet file has the very name of the template
/// then, and must not be there yet.
///
/// # Errors
/// The name is taken.
pub fn of_one_run(settings: &OutputSettings) -> Result<Box<dyn LineSink>, SinkError> {
    match settings.encoding {
        Encoding::JsonLines => from_settings(settings, LastOutput::default()),
        Encoding::Parquet => {
            atomic_create::create(settings, chrono::Utc::now(), &PendingFiles::default())
        }
    }
}

/// What the state knows of the output of a source.
#[derive(Debug, Default)]
#[cfg_attr(not(feature = "object-store"), allow(dead_code, reason = "nothing is in a store"))]
pub struct LastOutput {
    /// The file that was written last.
    pub file: Option<OutputFileState>,
    /// What the last commit left for object storage.
    pub objects: ObjectBatch,
    /// Stands in the names of objects: two histories of one name have two.
    pub mark: String,
}

/// The sink that `settings` ask for.
///
/// # Errors
/// This build cannot write such an output.
pub fn from_settings(
    settings: &OutputSettings,
    last: LastOutput,
) -> Result<Box<dyn LineSink>, SinkError> {
    Ok(match &settings.path {
        OutputPath::Stdout => Box::new(stdout::StdoutSink::new(settings.compression)),
        #[cfg(feature = "parquet")]
        OutputPath::File(_) if settings.encoding == Encoding::Parquet => {
            Box::new(pulled_tables::PulledTables::new(settings, last.file))
        }
        OutputPath::File(_) => Box::new(output_file::FileSink::new(settings, last.file)),
        #[cfg(feature = "object-store")]
        OutputPath::Object(_) => match object_encoding::form_of(settings) {
            Some(form) => {
                Box::new(object_sink::ObjectSink::new(form, settings, &last.mark, last.objects))
            }
            None => return Err(SinkError::NoObjects),
        },
        #[cfg(not(feature = "object-store"))]
        OutputPath::Object(_) => return Err(SinkError::NoObjects),
    })
}
