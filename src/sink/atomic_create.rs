//! Writes files that get their names only when they are whole.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

#[cfg(feature = "parquet")]
use crate::config::settings::Encoding;
use crate::config::settings::{OutputPath, OutputSettings};
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
#[cfg(feature = "parquet")]
use crate::sink::converted_tables::ConvertedTables;
use crate::sink::line_sink::{LineSink, SinkError, failed};
use crate::sink::location::path_at;
use crate::sink::pack::LineEncoder;
use crate::sink::pending_file::{PendingFile, PendingFiles, TargetState, inspect_target};
use crate::sink::stdout::StdoutSink;

/// What lines are written to that are written once, from the first to the last. `files` get their
/// names afterwards.
///
/// # Errors
/// The file cannot be created, or its name is taken by one that holds something.
pub fn create(
    settings: &OutputSettings,
    now: Timestamp,
    files: &PendingFiles,
) -> Result<Box<dyn LineSink>, SinkError> {
    let template = match &settings.path {
        OutputPath::Stdout => return Ok(Box::new(StdoutSink::new(settings.compression))),
        OutputPath::Object(_) => return Err(SinkError::NoObjects),
        OutputPath::File(template) => template,
    };
    #[cfg(feature = "parquet")]
    if settings.encoding == Encoding::Parquet {
        return Ok(Box::new(ConvertedTables::create(settings, now, files)?));
    }
    let path = path_at(template, settings.compression, now)?;
    let is_special = inspect_target(&path)? == TargetState::Special;
    let file = match is_special {
        true => {
            let file = OpenOptions::new().write(true).open(&path);
            file.map_err(|error| failed("open", &path, error))?
        }
        false => {
            let (file, pending) = PendingFile::create(&path)?;
            files.add(pending);
            file
        }
    };
    Ok(Box::new(AtomicFileSink {
        packer: LineEncoder::new(settings.compression, &file),
        file,
        path,
        is_special,
    }))
}

/// One file, written once from its beginning to its end.
struct AtomicFileSink {
    file: File,
    path: PathBuf,
    packer: LineEncoder,
    is_special: bool,
}

impl LineSink for AtomicFileSink {
    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        let packed = self.packer.encode(lines);
        packed
            .and_then(|packed| self.file.write_all(packed))
            .map_err(|error| failed("write", &self.path, error))
    }

    /// Nothing of it counts before it has its name, so nothing is made durable before
    /// [`LineSink::finish`].
    fn commit(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        Ok(Vec::new())
    }

    fn finish(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        let end = self.packer.finish_frame();
        end.and_then(|end| self.file.write_all(end))
            .map_err(|error| failed("write", &self.path, error))?;
        if !self.is_special {
            let synced = self.file.sync_all();
            synced.map_err(|error| failed("sync", &self.path, error))?;
        }
        Ok(Vec::new())
    }
}
