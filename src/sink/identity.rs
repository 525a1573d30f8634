//! Recognises an output file by its inode, its birth and the end of what was committed to it, and
//! locks it against other runs.

use std::fs::{File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::model::output_file_state::OutputFileState;
use crate::model::record::Fingerprint;
use crate::sink::SinkError;

/// Bytes before the committed end that stand for all before it: some line's time and id are among
/// them.
const TAIL: u64 = 512;

/// What tells a file from every other in its file system, whatever its name: inode and birth.
pub fn identity(facts: &Metadata) -> String {
    let birth = facts.created().ok();
    let birth = birth.and_then(|birth| birth.duration_since(UNIX_EPOCH).ok());
    format!("{}-{}", facts.ino(), birth.unwrap_or_default().as_nanos())
}

/// A fingerprint of the last bytes before `end`; nothing where there are none.
///
/// # Errors
/// They cannot be read.
pub fn tail(file: &File, end: u64) -> io::Result<Option<String>> {
    let length = end.min(TAIL);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut bytes, end - length)?;
    Ok((length > 0).then(|| Fingerprint::of(&bytes).to_string()))
}

/// Whether the file at `path`, of these `facts`, is the one that `known` says, or a copy of it.
///
/// # Errors
/// It cannot be read.
pub fn matches_committed(
    known: &OutputFileState,
    path: &Path,
    facts: &Metadata,
) -> io::Result<bool> {
    if !facts.is_file() || facts.len() < known.committed {
        return Ok(false);
    }
    match &known.tail {
        Some(_) => match File::open(path) {
            // Where only appending is allowed, the other marks must do.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(is_same_file(known, facts))
            }
            file => Ok(tail(&file?, known.committed)? == known.tail),
        },
        None => Ok(is_same_file(known, facts)),
    }
}

/// Whether a file of these `facts` is the very one, whatever was done to it.
pub fn is_same_file(known: &OutputFileState, facts: &Metadata) -> bool {
    known.identity.as_ref() == Some(&identity(facts))
}

/// Locks an output file: two runs that append to one file would each invalidate what the other's
/// checkpoint says of it.
pub fn lock(file: &File, path: &Path) -> Result<(), SinkError> {
    match file.try_lock() {
        // Some network file systems know no locks; the state's own lock still guards the source.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(SinkError::LockedByOtherRun { path: path.to_owned() }),
    }
}

/// Whether a living run writes to `path`.
pub fn is_locked(path: &Path) -> bool {
    let lock = File::open(path).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}
