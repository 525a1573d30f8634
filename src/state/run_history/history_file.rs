//! Reads and writes the run histories: a file for each source, in a folder beside the
//! checkpoints.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files::{Durability, FileReplacement, create_private_folder};
use crate::model::name::SourceName;
use crate::state::permissions::{PermissionFault, fault_in};
use crate::state::run_history::RunHistory;

/// The newest version of the file that this program reads and writes.
const VERSION: u64 = 1;

/// The largest file that is read: with all spans and the longest messages it is a fraction of this.
const LIMIT: u64 = 4 * 1024 * 1024;

/// The folder of ledgers.
#[derive(Debug, Clone)]
pub struct RunHistoryStore {
    folder: PathBuf,
}

/// Why a ledger cannot be read. It never stops a pull.
#[derive(Debug, thiserror::Error)]
pub enum RunHistoryError {
    /// The file system refuses.
    #[error("the ledger `{path}` cannot be read: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not one of ours.
    #[error("the ledger `{path}` is damaged: {what}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Others may write it.
    #[error("the ledger {0}")]
    Unsafe(PermissionFault),
    /// A later atlaudit wrote it.
    #[error("the ledger `{path}` has version {version}, and this atlaudit knows versions up to {VERSION}", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
}

#[derive(Serialize)]
struct VersionedRunHistory<'a> {
    version: u64,
    source: &'a str,
    #[serde(flatten)]
    ledger: &'a RunHistory,
}

#[derive(Deserialize)]
struct RunHistoryVersion {
    version: u64,
}

impl RunHistoryStore {
    /// Those that are kept in the state folder `state`.
    pub fn new(state: &Path) -> RunHistoryStore {
        RunHistoryStore { folder: state.join("ledgers") }
    }

    /// The ledger of `source`, if it has one.
    ///
    /// # Errors
    /// It is there and cannot be read; it is left as it is.
    pub fn read(&self, source: &SourceName) -> Result<Option<RunHistory>, RunHistoryError> {
        let path = self.path(source);
        let failed = |source| RunHistoryError::Io { path: path.clone(), source };
        let damaged = |what: String| RunHistoryError::Damaged { path: path.clone(), what };
        match fs::symlink_metadata(&path) {
            Ok(facts) if !facts.is_file() => {
                return Err(damaged("it is not a regular file".to_owned()));
            }
            Ok(facts) if facts.len() > LIMIT => return Err(damaged("it is too large".to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
        if let Some(fault) = fault_in(&self.folder, &path).map_err(failed)? {
            return Err(RunHistoryError::Unsafe(fault));
        }
        let text = fs::read(&path).map_err(failed)?;
        let wrong = |error: serde_json::Error| damaged(error.to_string());
        let RunHistoryVersion { version } = serde_json::from_slice(&text).map_err(wrong)?;
        match version {
            VERSION => serde_json::from_slice(&text).map(Some).map_err(wrong),
            0 => Err(damaged("no version".to_owned())),
            _ => Err(RunHistoryError::Newer { path, version }),
        }
    }

    /// Changes the ledger of `source`, and returns it as it is now. To be called by the holder of
    /// the source's lock. One that is damaged is recreated; one that a later atlaudit wrote, or
    /// that others may write, stays.
    pub fn change(&self, source: &SourceName, change: impl FnOnce(&mut RunHistory)) -> RunHistory {
        let (mut ledger, is_ours) = match self.read(source) {
            Ok(found) => (found.unwrap_or_default(), true),
            Err(error) => {
                let is_ours =
                    !matches!(error, RunHistoryError::Newer { .. } | RunHistoryError::Unsafe(_));
                let then = if is_ours { "it is recreated" } else { "it stays as it is" };
                tracing::warn!("{error}; {then}, and no event is lost by it");
                (RunHistory::default(), is_ours)
            }
        };
        change(&mut ledger);
        if is_ours && let Err(error) = self.write(source, &ledger) {
            tracing::warn!(
                "the ledger `{}` cannot be written: {error}; `status` does not know of this run, \
                 and no event is lost by it",
                self.path(source).display()
            );
        }
        ledger
    }

    fn write(&self, source: &SourceName, ledger: &RunHistory) -> io::Result<()> {
        create_private_folder(&self.folder)?;
        let text = serde_json::to_vec(&VersionedRunHistory {
            version: VERSION,
            source: source.as_str(),
            ledger,
        })?;
        // The folder is not synced: the old file will do as well after a crash, but half a one not.
        FileReplacement::new(&self.path(source), Durability::File)
            .with_fixed_name(&format!(".{source}~"))
            .write(|out| {
                out.write_all(&text)?;
                out.write_all(b"\n")
            })
    }

    fn path(&self, source: &SourceName) -> PathBuf {
        self.folder.join(format!("{source}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn ledgers() -> (tempfile::TempDir, RunHistoryStore, SourceName) {
        let folder = tempfile::tempdir().unwrap();
        let ledgers = RunHistoryStore::new(&folder.path().join("state"));
        (folder, ledgers, "acme".parse().unwrap())
    }

    #[test]
    fn a_ledger_reads_back_and_is_private() {
        let (_folder, ledgers, name) = ledgers();
        assert_eq!(ledgers.read(&name).unwrap(), None);
        for runs in 1..=3 {
            let ledger = ledgers.change(&name, |ledger| {
                *ledger.totals.ends.entry(3).or_default() += 1;
            });
            assert_eq!(ledger.runs(), runs);
            assert_eq!(ledgers.read(&name).unwrap(), Some(ledger));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&ledgers.path(&name)), 0o600);
        assert_eq!(mode(&ledgers.folder), 0o700);
        assert_eq!(fs::read_dir(&ledgers.folder).unwrap().count(), 1);
    }

    #[test]
    fn what_is_damaged_is_begun_anew_and_what_is_newer_stays() {
        let (_folder, ledgers, name) = ledgers();
        let count = |ledger: &mut RunHistory| ledger.failures_in_a_row += 1;
        ledgers.change(&name, count);
        for damaged in ["", "{", "[]", "{}", r#"{"version":0}"#, r#"{"version":1,"coverage":7}"#] {
            fs::write(ledgers.path(&name), damaged).unwrap();
            assert!(ledgers.read(&name).is_err(), "{damaged}");
            ledgers.change(&name, count);
            let ledger = ledgers.read(&name).unwrap().unwrap();
            assert_eq!(ledger.failures_in_a_row, 1, "{damaged}");
        }
        let newer = r#"{"version":2,"x":[]}"#;
        fs::write(ledgers.path(&name), newer).unwrap();
        ledgers.change(&name, count);
        assert_eq!(fs::read_to_string(ledgers.path(&name)).unwrap(), newer);
    }

    #[test]
    fn what_a_dead_run_left_is_in_nobodys_way() {
        let (_folder, ledgers, name) = ledgers();
        fs::create_dir_all(&ledgers.folder).unwrap();
        fs::write(ledgers.folder.join(".acme~"), "{\"half").unwrap();
        ledgers.change(&name, |ledger| ledger.failures_in_a_row = 2);
        assert_eq!(ledgers.read(&name).unwrap().unwrap().failures_in_a_row, 2);
        assert_eq!(fs::read_dir(&ledgers.folder).unwrap().count(), 1);
    }
}
