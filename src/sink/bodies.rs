//! Stores the response bodies of an export: a file each, named by the hash of its content, so
//! that equal bodies are stored once. A body is whole and durable before it has its name.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::crash::CrashPoint;
use crate::files::{
    Durability, FileReplacement, create_private_folder, folder_of, ignore_missing, sync_folder,
};
use crate::sink::line_sink::{SinkError, failed};

/// What the name of a body ends with, after its hash.
const SUFFIX: &str = ".json.zst";

/// What the name of one on its way begins with.
const UNNAMED: &str = ".body-";

/// As with lines: zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// The folder of one source's bodies.
#[derive(Debug, Clone)]
pub struct ResponseBodyStore {
    folder: PathBuf,
}

impl ResponseBodyStore {
    /// Those in `folder`, which need not exist yet.
    pub fn new(folder: PathBuf) -> ResponseBodyStore {
        ResponseBodyStore { folder }
    }

    /// Keeps `body`, whose hash is `sha256` in hex.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn store(&self, sha256: &str, body: &[u8]) -> Result<(), SinkError> {
        let path = self.folder.join(format!("{sha256}{SUFFIX}"));
        if path.exists() {
            return Ok(());
        }
        let write = || -> io::Result<()> {
            self.create_folder()?;
            FileReplacement::new(&path, Durability::File)
                .named(UNNAMED, "")
                .crash_points(Some(CrashPoint::BodyWritten), Some(CrashPoint::BodyNamed))
                .write(|out| out.write_all(&zstd::bulk::compress(body, ZSTD_LEVEL)?))
        };
        write().map_err(|error| failed("write", &path, error))
    }

    /// Returns when the names of all that were kept are durable.
    ///
    /// # Errors
    /// They could not be made so.
    pub fn commit(&self) -> Result<(), SinkError> {
        ignore_missing(sync_folder(&self.folder))
            .map_err(|error| failed("sync", &self.folder, error))
    }

    /// Removes all but those whose hashes are `named`: what a run left that died before anything
    /// spoke of them.
    ///
    /// # Errors
    /// The folder cannot be read, or a file not removed.
    pub fn remove_unreferenced(&self, named: &HashSet<String>) -> Result<(), SinkError> {
        let retain = || -> io::Result<()> {
            for entry in fs::read_dir(&self.folder)? {
                let entry = entry?;
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let hash = name.strip_suffix(SUFFIX);
                let is_left = hash.is_some_and(|hash| !named.contains(hash));
                if is_left || name.starts_with(UNNAMED) {
                    fs::remove_file(entry.path())?;
                }
            }
            sync_folder(&self.folder)
        };
        ignore_missing(retain()).map_err(|error| failed("clean up", &self.folder, error))
    }

    fn create_folder(&self) -> io::Result<()> {
        let is_new = !self.folder.exists();
        create_private_folder(&self.folder)?;
        match is_new {
            true => sync_folder(folder_of(&self.folder)),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_kept_once_and_goes_when_nothing_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let bodies = ResponseBodyStore::new(folder.path().join("bodies/acme"));
        bodies.commit().unwrap();
        bodies.remove_unreferenced(&HashSet::new()).unwrap();
        bodies.store("aa", b"{}").unwrap();
        bodies.store("aa", b"{}").unwrap();
        bodies.store("bb", b"[]").unwrap();
        bodies.commit().unwrap();
        fs::write(bodies.folder.join(format!("{UNNAMED}x")), "half").unwrap();
        bodies.remove_unreferenced(&HashSet::from(["aa".to_owned()])).unwrap();
        let left: Vec<_> = fs::read_dir(&bodies.folder).unwrap().collect();
        assert_eq!(left.len(), 1);
        let packed = fs::read(bodies.folder.join("aa.json.zst")).unwrap();
        assert_eq!(zstd::stream::decode_all(&*packed).unwrap(), b"{}");
    }
}
