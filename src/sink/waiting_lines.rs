//! Finds lines that wait for Parquet files to be made of them, whether or not this build makes
//! such.

use std::path::{Path, PathBuf};

use crate::config::settings::PENDING_FOLDER;
use crate::files::{folder_of, if_exists};
use crate::model::output_file_state::OutputFileState;
use crate::sink::line_sink::{SinkError, failed};
use crate::sink::location::finished_files;

/// What the name of the folder of a publication ends with, after that of its lines.
pub const PARTS_SUFFIX: &str = ".parts";

/// Whether the file at `path` holds lines of which Parquet files are to be made.
pub fn is_waiting(path: &Path) -> bool {
    folder_of(path).file_name().is_some_and(|folder| folder == PENDING_FOLDER)
}

/// The finished files of lines whose current one is at `path`, and those of which only the folder
/// of a publication is left, oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn left_of(path: &Path) -> Result<Vec<PathBuf>, SinkError> {
    let find = |error| failed("find", path, error);
    let mut folders = path.as_os_str().to_owned();
    folders.push(PARTS_SUFFIX);
    let lines = if_exists(finished_files(path)).map_err(find)?.unwrap_or_default();
    let folders = if_exists(finished_files(Path::new(&folders))).map_err(find)?.unwrap_or_default();
    let folders = folders.into_iter().map(|(time, folder)| (time, folder.with_extension("")));
    let mut left: Vec<_> = lines.into_iter().chain(folders).collect();
    left.sort();
    left.dedup();
    Ok(left.into_iter().map(|(_, path)| path).collect())
}

/// The lines that wait where `last_file` says that the last pull wrote, if there are any.
pub fn left_waiting(last_file: &OutputFileState) -> Option<PathBuf> {
    let path = last_file.path.as_path();
    let left = || left_of(path).ok().and_then(|left| left.into_iter().next());
    let is_there = path.exists().then(|| path.to_owned());
    is_waiting(path).then(|| is_there.or_else(left)).flatten()
}
