//! Finds out who holds a source, without taking the lock: a lock taken only to look would turn
//! away a pull that starts at that moment.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::model::name::SourceName;
use crate::model::time::{Timestamp, parse_api_time};

/// A process that holds a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// Its number.
    pub process: u32,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Who holds `source` in the state folder `state`, as far as the system says.
pub fn holder(state: &Path, source: &SourceName) -> Option<LockHolder> {
    let path = state.join(format!("{source}.lock"));
    // A pipe there would be waited for.
    let facts = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let mut text = String::new();
    File::open(&path).ok()?.take(200).read_to_string(&mut text).ok()?;
    let holder = read(&text)?;
    let is_held = match fs::read_to_string("/proc/locks") {
        Ok(locks) => is_listed(&locks, holder.process, facts.ino()),
        Err(_) => is_process_alive(holder.process),
    };
    is_held.then_some(holder)
}

/// `process 123, since 2026-11-20T09:30:00.000Z`, as the store writes it.
fn read(text: &str) -> Option<LockHolder> {
    let (process, since) = text.trim().strip_prefix("process ")?.split_once(", since ")?;
    Some(LockHolder { process: process.parse().ok()?, since: parse_api_time(since) })
}

/// Whether `locks`, as `/proc/locks` has them, holds one by `process` on the file with this number:
/// `1: FLOCK  ADVISORY  WRITE 123 08:01:4711 0 EOF`. The device is left out: file systems of
/// several devices say another one here than of the file.
fn is_listed(locks: &str, process: u32, inode: u64) -> bool {
    locks.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_lock = words.next() != Some("->");
        let owner = words.nth(2).and_then(|word| word.parse().ok());
        let file = words.next().and_then(|word| word.rsplit(':').next()?.parse().ok());
        is_lock && owner == Some(process) && file == Some(inode)
    })
}

fn is_process_alive(process: u32) -> bool {
    let process = i32::try_from(process).ok();
    let process = process.and_then(rustix::process::Pid::from_raw);
    process.is_some_and(|process| rustix::process::test_kill_process(process).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::store::StateStore;

    #[test]
    fn a_source_is_held_from_its_lock_until_that_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (store, name) = (StateStore::new(folder.path()), "acme".parse().unwrap());
        assert_eq!(holder(folder.path(), &name), None);
        let lock = store.lock(&name).unwrap();
        let found = holder(folder.path(), &name).unwrap();
        assert_eq!(found.process, std::process::id());
        assert!(found.since.is_some());
        drop(lock);
        assert_eq!(holder(folder.path(), &name), None);
        // Looking held nobody up.
        store.lock(&name).unwrap();
    }

    #[test]
    fn only_a_lock_of_that_process_on_that_file_counts() {
        let locks = "1: FLOCK  ADVISORY  WRITE 123 08:01:4711 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 5 08:01:4711 0 EOF\n3: POSIX  ADVISORY  READ 9 00:2a:12 128 128\nodd\n\n";
        assert!(is_listed(locks, 123, 4711) && is_listed(locks, 9, 12));
        assert!(!is_listed(locks, 5, 4711), "one that waits holds nothing");
        assert!(!is_listed(locks, 123, 12) && !is_listed(locks, 124, 4711));
    }

    #[test]
    fn a_lock_file_of_anybodys_is_nobody() {
        for text in ["", "process x, since y", "process 1", "\u{0}", "process -1, since x"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("process 7, since x").unwrap().since, None);
    }
}
