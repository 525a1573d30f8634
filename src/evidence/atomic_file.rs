//! Writes a file of an export so that it is there whole or not at all, and durable.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::error::{EvidenceError, failed};
use crate::files::{Durability, FileReplacement, sync_folder};

/// What the names of unfinished files begin and end with.
const TEMP_PREFIX: &str = ".atlaudit-";
const TEMP_SUFFIX: &str = ".part";

/// Writes `name` in `dir`, in the place of what may be there; for its owner only.
///
/// # Errors
/// The file system's; nothing is left of it then.
pub fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
    let path = dir.join(name);
    FileReplacement::new(&path, Durability::FileAndDir)
        .named(TEMP_PREFIX, TEMP_SUFFIX)
        .write(|out| out.write_all(bytes))
        .map_err(failed("write", &path))
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
    sync_folder(dir).map_err(failed("sync", dir))
}
