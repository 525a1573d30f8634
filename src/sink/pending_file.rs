//! Files on their way to their names, so that no half of one is ever taken for all of it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempPath;

use crate::files::{create_private_folder, folder_of, sync_folder};
use crate::sink::line_sink::{SinkError, UnexpectedFile, failed};

/// A file on its way to its name; removed where it does not get it.
#[derive(Debug)]
pub struct PendingFile {
    temporary: TempPath,
    path: PathBuf,
    /// Whether an empty file lies in its place, as `mktemp` leaves one.
    replaces_empty: bool,
}

/// The files that a conversion has begun. All get their names at its end, or none: they can be
/// removed also while the thread that writes them hangs.
#[derive(Debug, Clone, Default)]
pub struct PendingFiles(Arc<Mutex<PendingList>>);

#[derive(Debug, Default)]
struct PendingList {
    files: Vec<PendingFile>,
    /// Whether they were removed, so that no more may come.
    is_closed: bool,
}

impl PendingFiles {
    /// Adds one.
    pub fn add(&self, file: PendingFile) {
        let mut list = self.lock();
        if !list.is_closed {
            list.files.push(file);
        }
    }

    /// The names that they are to get.
    #[cfg(feature = "parquet")]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().files.iter().map(|file| file.path.clone()).collect()
    }

    /// Gives all of them their names. To be called when they are whole and on the disk. Where a
    /// name is taken, none gets its name.
    ///
    /// # Errors
    /// A name was taken meanwhile, or the system refuses.
    pub fn publish(&self) -> Result<(), SinkError> {
        let files = std::mem::take(&mut self.lock().files);
        files.iter().try_for_each(|file| inspect_target(&file.path).map(|_| ()))?;
        files.into_iter().try_for_each(PendingFile::publish)
    }

    /// Removes all of them.
    pub fn discard(&self) {
        let mut list = self.lock();
        list.is_closed = true;
        list.files.clear();
    }

    fn lock(&self) -> MutexGuard<'_, PendingList> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingFile {
    /// An empty file beside `path`, for its owner only, and its folder where that is missing.
    ///
    /// # Errors
    /// It cannot be created, or its name is taken by a file that holds something, or by a device.
    pub fn create(path: &Path) -> Result<(File, PendingFile), SinkError> {
        let replaces_empty = match inspect_target(path)? {
            TargetState::Missing => false,
            TargetState::Empty => true,
            TargetState::Special => return Err(UnexpectedFile::AlreadyExists.at(path)),
        };
        let created = create_private_folder(folder_of(path)).and_then(|()| {
            let mut builder = tempfile::Builder::new();
            builder.prefix(".atlaudit-").suffix(".part").tempfile_in(folder_of(path))
        });
        let (file, temporary) =
            created.map_err(|error| failed("create", path, error))?.into_parts();
        Ok((file, PendingFile { temporary, path: path.to_owned(), replaces_empty }))
    }

    /// Gives the file its name, durably. To be called when all of it is on the disk.
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
pub(super) enum TargetState {
    Missing,
    Empty,
    /// A device or a pipe, which is written as it is.
    Special,
}

pub(super) fn inspect_target(path: &Path) -> Result<TargetState, SinkError> {
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

/// Refuses the path of a device or a pipe.
///
/// # Errors
/// It is one.
#[cfg(feature = "parquet")]
pub fn refuse_special(path: &str) -> Result<(), SinkError> {
    let path = Path::new(path);
    match inspect_target(path) {
        Ok(TargetState::Special) => Err(UnexpectedFile::NoFile.at(path)),
        _ => Ok(()),
    }
}
