//! Checks that no other user can write the state: such a user could choose where the next run
//! begins, and which part of an output file it truncates.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::state::{PermissionFault, StateError};

/// Write permission of the group and of all others.
const GROUP_OR_OTHER_WRITE: u32 = 0o022;

/// What the state is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateUse {
    /// A run, which acts on it: it must be this user's or root's.
    Run,
    /// To be shown only: it may be the state of any user who lets this one read it.
    View,
}

/// Checks the state folder or one below it, which a link may lead to.
///
/// # Errors
/// Others may write it, or it cannot be looked at.
pub fn check_folder(path: &Path, state_use: StateUse) -> Result<(), StateError> {
    let facts = fs::metadata(path).map_err(|error| StateError::io("read", path, error))?;
    check(path, &facts, state_use)
}

/// Checks a file of the state, and returns whether there is one.
///
/// # Errors
/// It is not a regular file, others may write it, or it cannot be looked at.
pub fn check_file(path: &Path, state_use: StateUse) -> Result<bool, StateError> {
    match regular_file(path)? {
        None => Ok(false),
        Some(facts) => check(path, &facts, state_use).map(|()| true),
    }
}

/// Checks that this user may look into the state folder, if there is one.
///
/// # Errors
/// It may not.
pub fn check_readable(folder: &Path) -> Result<(), StateError> {
    // Needs the permission to search the folder, as every file in it does.
    match fs::metadata(folder.join(".")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StateError::io("read", folder, error))
        }
        _ => Ok(()),
    }
}

/// Whether what lies in the state folder `folder` is readable by its group: where somebody opened
/// the folder to it.
fn is_open_to_group(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|facts| facts.mode() & GROUP_READ == GROUP_READ)
}

/// Read permission of the group, and that to search a folder.
const GROUP_READ: u32 = 0o050;

/// Lets the group of the state folder `state` read `file`, a new file in it or below it, if the
/// folder is open to that group: `status` is for more people than the user who pulls.
///
/// # Errors
/// The file system's.
pub fn open_file(state: &Path, file: &File) -> io::Result<()> {
    match is_open_to_group(state) {
        true => file.set_permissions(Permissions::from_mode(0o640)),
        false => Ok(()),
    }
}

/// The same for a folder of this program in the state folder.
///
/// # Errors
/// The file system's.
pub fn open_folder(state: &Path, folder: &Path) -> io::Result<()> {
    if !is_open_to_group(state) || is_open_to_group(folder) {
        return Ok(());
    }
    // A folder that gives its group to new files goes on doing so.
    let mode = fs::metadata(folder)?.mode() | GROUP_READ;
    fs::set_permissions(folder, Permissions::from_mode(mode & 0o7777))
}

/// Checks a file in a folder below the state folder, and that folder. Returns the file's length, or
/// none where it does not exist.
///
/// # Errors
/// As [`check_file`] and [`check_folder`].
pub fn check_file_below(
    folder: &Path,
    path: &Path,
    state_use: StateUse,
) -> Result<Option<u64>, StateError> {
    let Some(facts) = regular_file(path)? else {
        return Ok(None);
    };
    check_folder(folder, state_use)?;
    check(path, &facts, state_use).map(|()| Some(facts.len()))
}

/// Reads the file at `path` in a folder below the state folder, if it can be looked up again: what
/// others may write counts as empty, with one warning, and so does what cannot be read.
pub fn read_replaceable(folder: &Path, path: &Path) -> Vec<u8> {
    static REPORTED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    match check_file_below(folder, path, StateUse::Run) {
        Ok(Some(_)) => return fs::read(path).unwrap_or_default(),
        Err(StateError::Unsafe(fault)) => {
            let mut reported = REPORTED.lock().unwrap_or_else(PoisonError::into_inner);
            if reported.insert(fault.path.clone()) {
                tracing::warn!("{fault}");
            }
        }
        Ok(None) | Err(_) => {}
    }
    Vec::new()
}

fn regular_file(path: &Path) -> Result<Option<Metadata>, StateError> {
    match fs::symlink_metadata(path) {
        Ok(facts) if facts.is_file() => Ok(Some(facts)),
        Ok(_) => Err(StateError::damaged(path, "it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::io("read", path, error)),
    }
}

fn check(path: &Path, facts: &Metadata, state_use: StateUse) -> Result<(), StateError> {
    match fault(path, facts, state_use) {
        None => Ok(()),
        Some(fault) => Err(StateError::Unsafe(fault)),
    }
}

fn fault(path: &Path, facts: &Metadata, state_use: StateUse) -> Option<PermissionFault> {
    let fault =
        |what: String, command: String| PermissionFault { path: path.to_owned(), what, command };
    let user = rustix::process::geteuid().as_raw();
    // Root looks after the files of other users.
    let is_anyones = state_use == StateUse::View || user == 0;
    if !is_anyones && facts.uid() != user && facts.uid() != 0 {
        return Some(fault(
            format!("it belongs to another user (uid {})", facts.uid()),
            format!("chown {user} {}", shell_quoted(path)),
        ));
    }
    (facts.mode() & GROUP_OR_OTHER_WRITE != 0).then(|| {
        fault(
            format!("others may write it (mode {:04o})", facts.mode() & 0o7777),
            format!("chmod go-w {}", shell_quoted(path)),
        )
    })
}

/// The path as a shell takes it.
fn shell_quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::SourceName;
    use crate::state::caches::{CachedValue, LookupCache, NoticeStore, SiteLookups};
    use crate::state::run_history::RunHistoryStore;
    use crate::state::store::StateStore;
    use chrono::NaiveDate;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_others_may_write_is_refused_with_the_command_that_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it's.json");
        assert!(!check_file(&file, StateUse::Run).unwrap());
        fs::write(&file, "{}").unwrap();
        for (mode, is_safe) in
            [(0o600, true), (0o644, true), (0o660, false), (0o602, false), (0o666, false)]
        {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            match check_file(&file, StateUse::Run) {
                Ok(found) => assert!(found && is_safe, "{mode:o}"),
                Err(StateError::Unsafe(PermissionFault { command, .. })) => {
                    assert!(!is_safe, "{mode:o}");
                    let wanted = format!(r"chmod go-w '{}/it'\''s.json'", folder.path().display());
                    assert_eq!(command, wanted);
                }
                Err(other) => panic!("{other}"),
            }
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o770)).unwrap();
        let refused = check_folder(folder.path(), StateUse::View);
        assert!(matches!(refused, Err(StateError::Unsafe(_))));
    }

    fn acme() -> SourceName {
        "acme".parse().unwrap()
    }

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
    }

    /// A kind of state: its file, what writes it, and whether what reads it trusts it.
    struct StateKind {
        file: &'static str,
        write: fn(&Path),
        is_trusted: fn(&Path) -> bool,
    }

    const KINDS: [StateKind; 5] = [
        StateKind {
            file: "acme.json",
            write: |state| fs::write(state.join("acme.json"), "{}").unwrap(),
            is_trusted: |state| {
                let read = StateStore::new(state).load(&acme());
                !matches!(read, Err(StateError::Unsafe(_)))
            },
        },
        StateKind {
            file: "acme.lock",
            write: |state| drop(StateStore::new(state).lock(&acme()).unwrap()),
            is_trusted: |state| StateStore::new(state).lock(&acme()).is_ok(),
        },
        StateKind {
            file: "ledgers/acme.json",
            write: |state| {
                RunHistoryStore::new(state).change(&acme(), |ledger| ledger.failures_in_a_row = 1);
            },
            is_trusted: |state| RunHistoryStore::new(state).read(&acme()).is_ok(),
        },
        StateKind {
            file: "lookups/a.example.json",
            write: |state| {
                LookupCache::new(state).update("a.example", |facts| {
                    let account = CachedValue::new(None, chrono::DateTime::UNIX_EPOCH);
                    facts.accounts.insert("acme".to_owned(), account);
                });
            },
            is_trusted: |state| LookupCache::new(state).read("a.example") != SiteLookups::default(),
        },
        StateKind {
            file: "notices/acme.json",
            write: |state| assert!(NoticeStore::new(state).first_today(&acme(), "end", today())),
            is_trusted: |state| !NoticeStore::new(state).first_today(&acme(), "end", today()),
        },
    ];

    #[test]
    fn no_file_that_others_may_write_is_trusted() {
        for StateKind { file, write, is_trusted } in KINDS {
            let state = tempfile::tempdir().unwrap();
            write(state.path());
            let path = state.path().join(file);
            let set = |path: &Path, mode| {
                fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            };
            assert!(is_trusted(state.path()), "{file}");
            for mode in [0o620, 0o602] {
                set(&path, mode);
                assert!(!is_trusted(state.path()), "{file} {mode:o}");
            }
            set(&path, 0o600);
            let folder = path.parent().unwrap();
            if folder != state.path() {
                set(folder, 0o770);
                assert!(!is_trusted(state.path()), "the folder of {file}");
            }
        }
    }

    #[test]
    fn a_link_is_no_file_of_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "").unwrap();
        symlink(&target, &link).unwrap();
        let refused = check_file(&link, StateUse::Run);
        assert!(matches!(refused, Err(StateError::Damaged { .. })));
    }
}
