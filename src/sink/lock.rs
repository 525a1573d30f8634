//! Owns holding an output file against other runs.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::sink::SinkError;

/// Two runs that append to one file would tear each other's accounts of it.
pub fn lock(file: &File, path: &Path) -> Result<(), SinkError> {
    match file.try_lock() {
        // Some network file systems know no locks; the state's own lock still guards the source.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(SinkError::LockedByOtherRun {
            path: path.to_owned(),
        }),
    }
}

/// Whether a run that is alive writes to `path`.
pub fn is_locked(path: &Path) -> bool {
    let lock = File::open(path).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}
