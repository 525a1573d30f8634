//! Remembers which warnings were given on which day, so that a run every minute does not repeat
//! them. A warning that cannot be remembered is given again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::files::{Durability, FileReplacement, create_private_folder};
use crate::model::name::SourceName;
use crate::state::permissions::read_replaceable;

/// The folder of notices, one file a source.
#[derive(Debug, Clone)]
pub struct NoticeStore {
    folder: PathBuf,
}

impl NoticeStore {
    /// Those that are kept in the state folder `state`.
    pub fn new(state: &Path) -> NoticeStore {
        NoticeStore { folder: state.join("notices") }
    }

    /// Whether `notice` has not been given for `source` today; from now on it has.
    pub fn first_today(&self, source: &SourceName, notice: &str, today: NaiveDate) -> bool {
        let path = self.folder.join(format!("{source}.json"));
        let text = read_replaceable(&self.folder, &path);
        let mut given: BTreeMap<String, NaiveDate> =
            serde_json::from_slice(&text).unwrap_or_default();
        if given.get(notice) == Some(&today) {
            return false;
        }
        given.insert(notice.to_owned(), today);
        if let Err(error) = self.write(&path, &given) {
            tracing::info!(%error, "cannot remember that a warning was given");
        }
        true
    }

    fn write(&self, path: &Path, given: &BTreeMap<String, NaiveDate>) -> io::Result<()> {
        create_private_folder(&self.folder)?;
        FileReplacement::new(path, Durability::None)
            .write(|out| Ok(serde_json::to_writer(out, given)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_notice_is_given_once_a_day_and_source() {
        let state = tempfile::tempdir().unwrap();
        let notices = NoticeStore::new(state.path());
        let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let first = |source, notice, at| notices.first_today(source, notice, day(at));
        assert!(first(&acme, "end", "2026-11-20"));
        assert!(!first(&acme, "end", "2026-11-20"));
        assert!(first(&acme, "age", "2026-11-20") && first(&other, "end", "2026-11-20"));
        assert!(first(&acme, "end", "2026-11-21"));
        assert!(!first(&acme, "age", "2026-11-20"));
        fs::write(state.path().join("notices/acme.json"), "{").unwrap();
        assert!(first(&acme, "end", "2026-11-21"));
    }

    #[test]
    fn what_cannot_be_kept_is_given_again() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("notices"), "").unwrap();
        let notices = NoticeStore::new(state.path());
        for _ in 0..2 {
            assert!(notices.first_today(&"acme".parse().unwrap(), "end", day("2026-11-20")));
        }
    }
}
