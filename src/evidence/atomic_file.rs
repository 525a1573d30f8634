//! Writes a file of an export so that it is there whole or not at all, and durable.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::error::{EvidenceError, failed};

/// What the names of unfinished files begin and end with.
const TEMP_PREFIX: &str = ".atlaudit-";
const TEMP_SUFFIX: &str = ".part";

/// Writes `name` in `dir`, in the place of what may be there; for its owner only.
///
/// # Errors
/// The file system's; nothing is left of it then.
pub fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
    let path = dir.join(name);
    let write = || -> io::Result<()> {
        let file = tempfile::Builder::new()
            .prefix(TEMP_PREFIX)
            .suffix(TEMP_SUFFIX)
            .tempfile_in(dir)?;
        file.as_file().write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(failed("write", &path))
}

/// Removes `name`, if it is there, and what dead runs left of unfinished files.
///
/// # Errors
/// The file system's.
pub fn remove_leftovers(dir: &Path, names: &[&str]) -> Result<(), EvidenceError> {
    for entry in fs::read_dir(dir).map_err(failed("read", dir))? {
        let entry = entry.map_err(failed("read", dir))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_leftover = name.starts_with(TEMP_PREFIX) && name.ends_with(TEMP_SUFFIX);
        if is_leftover || names.iter().any(|other| name == *other) {
            let path = entry.path();
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
    }
    File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync", dir))
}
