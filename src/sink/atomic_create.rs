//! Writes one file that gets its name only when it is whole, so that no half is ever taken for
//! all of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::config::settings::{OutputPath, OutputSettings};
use crate::files::{create_private_folder, folder_of, sync_folder};
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::sink::line_sink::{LineSink, SinkError, UnexpectedFile, failed};
use crate::sink::location::path_at;
use crate::sink::pack::LineEncoder;
use crate::sink::stdout::StdoutSink;

/// A file on its way to its name; removed where it does not get it.
#[derive(Debug)]
pub struct PendingFile {
    temporary: TempPath,
    path: PathBuf,
    /// Whether an empty file lies in its place, as `mktemp` leaves one.
    replaces_empty: bool,
}

/// What the lines are written to, and what is still to be named once they all are.
///
/// # Errors
/// The file cannot be created, or its name is taken by one that holds something.
pub fn create(
    settings: &OutputSettings,
    now: Timestamp,
) -> Result<(Box<dyn LineSink>, Option<PendingFile>), SinkError> {
    let template = match &settings.path {
        OutputPath::Stdout => return Ok((Box::new(StdoutSink::new(settings.compression)), None)),
        OutputPath::File(template) => template,
    };
    let path = path_at(template, settings.compression, now)?;
    let (file, unnamed) = match inspect_target(&path)? {
        TargetState::Special => {
            let file = OpenOptions::new().write(true).open(&path);
            (file.map_err(|error| failed("open", &path, error))?, None)
        }
        free => {
            let (file, temporary) =
                create_temp_file(&path).map_err(|error| failed("create", &path, error))?;
            let unnamed = PendingFile {
                temporary,
                path: path.clone(),
                replaces_empty: free == TargetState::Empty,
            };
            (file, Some(unnamed))
        }
    };
    let whole = AtomicFileSink {
        packer: LineEncoder::new(settings.compression, &file),
        file,
        path,
        is_special: unnamed.is_none(),
    };
    Ok((Box::new(whole), unnamed))
}

impl PendingFile {
    /// Gives the file its name, durably. To be called when its sink is finished.
    ///
    /// # Errors
    /// The name was taken meanwhile, or the system refuses.
    pub fn publish(self) -> Result<(), SinkError> {
        let PendingFile { temporary, path, replaces_empty } = self;
        let is_still_empty = || matches!(inspect_target(&path), Ok(TargetState::Empty));
        let named = match replaces_empty && is_still_empty() {
            true => temporary.persist(&path),
            false => temporary.persist_noclobber(&path),
        };
        match named.map_err(|refused| refused.error) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(UnexpectedFile::AlreadyExists.at(&path))
            }
            Err(error) => Err(failed("name", &path, error)),
            Ok(()) => sync_folder(folder_of(&path)).map_err(|error| failed("sync", &path, error)),
        }
    }
}

/// What lies in the place of a file.
#[derive(Debug, PartialEq, Eq)]
enum TargetState {
    Missing,
    Empty,
    /// A device or a pipe, which is written as it is.
    Special,
}

fn inspect_target(path: &Path) -> Result<TargetState, SinkError> {
    let exists = || UnexpectedFile::AlreadyExists.at(path);
    match fs::metadata(path) {
        Ok(facts) if facts.is_dir() => {
            let error = io::Error::from(ErrorKind::IsADirectory);
            Err(failed("open", path, error))
        }
        Ok(facts) if !facts.is_file() => Ok(TargetState::Special),
        Ok(facts) if facts.len() == 0 => Ok(TargetState::Empty),
        Ok(_) => Err(exists()),
        // A link that leads nowhere.
        Err(_) if fs::symlink_metadata(path).is_ok() => Err(exists()),
        Err(_) => Ok(TargetState::Missing),
    }
}

/// A new file in the folder of `path`, for its owner only.
fn create_temp_file(path: &Path) -> io::Result<(File, TempPath)> {
    create_private_folder(folder_of(path))?;
    let file = tempfile::Builder::new()
        .prefix(".atlaudit-")
        .suffix(".part")
        .tempfile_in(folder_of(path))?;
    Ok(file.into_parts())
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
