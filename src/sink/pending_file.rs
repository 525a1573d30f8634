//! Files on their way to their names, so that no half of one is ever taken for all of it.

#[cfg(feature = "parquet")]
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempPath;

#[cfg(feature = "parquet")]
use crate::files::ignore_missing;
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
pub struct PendingFiles(Arc<Mutex<Vec<PendingFile>>>);

impl PendingFiles {
    /// Adds one.
    pub fn add(&self, file: PendingFile) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    }

    /// Gives all of them their names. To be called when they are whole and on the disk.
    ///
    /// # Errors
    /// A name was taken meanwhile, or the system refuses.
    pub fn publish(&self) -> Result<(), SinkError> {
        self.take().into_iter().try_for_each(PendingFile::publish)
    }

    /// Removes all of them.
    pub fn discard(&self) {
        drop(self.take());
    }

    fn take(&self) -> Vec<PendingFile> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
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

    /// The same where a dead run may have done all of this before.
    ///
    /// # Errors
    /// It cannot be created.
    #[cfg(feature = "parquet")]
    pub fn create_again(path: &Path) -> Result<(File, PendingFile), SinkError> {
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".part");
        // The name is fixed, so that dead runs leave one file together.
        let created = create_private_folder(folder_of(path))
            .and_then(|()| ignore_missing(fs::remove_file(path.with_file_name(&name))))
            .and_then(|()| {
                let mut builder = tempfile::Builder::new();
                builder.prefix(&name).rand_bytes(0).tempfile_in(folder_of(path))
            });
        let (file, temporary) =
            created.map_err(|error| failed("create", path, error))?.into_parts();
        Ok((file, PendingFile { temporary, path: path.to_owned(), replaces_empty: false }))
    }

    /// The name that it is to have.
    #[cfg(feature = "parquet")]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, unless the same file has it already.
    ///
    /// # Errors
    /// Another file has the name, or the system refuses.
    #[cfg(feature = "parquet")]
    pub fn publish_again(self) -> Result<(), SinkError> {
        let read = |path: &Path| fs::read(path).map_err(|error| failed("read", path, error));
        let is_named = self.path.exists();
        match is_named && read(&self.path)? == read(&self.temporary)? {
            true => Ok(()),
            false => self.publish(),
        }
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
