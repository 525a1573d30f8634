//! Remembers which failures of sources were reported, so that one that lasts is reported once, then
//! once a day, then when it ends: within a process that pulls continuously, and, through the state
//! folder, across processes that a scheduler starts.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::name::SourceName;
use crate::model::time::Timestamp;
use crate::state::caches::NoticeStore;
use crate::state::failure_streak::{FailureSighting, FailureStreak};

/// The failures that were reported of each source.
#[derive(Debug, Default)]
pub struct FailureNotices {
    /// Where other processes find them.
    store: Option<NoticeStore>,
    /// Those that this process has seen.
    streaks: Mutex<HashMap<SourceName, FailureStreak>>,
}

impl FailureNotices {
    /// Reports of this process alone, for a person at a terminal: what was printed elsewhere, this
    /// person has not read.
    pub fn of_process() -> FailureNotices {
        FailureNotices::default()
    }

    /// Reports of all unattended processes that use the state folder `state`.
    pub fn shared(state: &Path) -> FailureNotices {
        FailureNotices { store: Some(NoticeStore::new(state)), ..FailureNotices::default() }
    }

    /// Whether a failure of `source` was reported, and no end of it.
    pub fn is_failing(&self, source: &SourceName) -> bool {
        self.known(&mut self.streaks(), source).is_some()
    }

    /// Notes a failure of `source`. Returns what is known of its failures if this one is to be
    /// reported. What cannot be remembered is always reported: no other process would know of it.
    pub fn failed(
        &self,
        source: &SourceName,
        failure: FailureSighting<'_>,
        now: Timestamp,
    ) -> Option<FailureStreak> {
        let mut streaks = self.streaks();
        let is_of_process = streaks.contains_key(source);
        let mut streak = self.known(&mut streaks, source).unwrap_or_default();
        let is_new = streak.note(failure, now);
        let is_stored = self.write(source, Some(&streak));
        streaks.insert(source.clone(), streak.clone());
        (is_new || (!is_stored && !is_of_process)).then_some(streak)
    }

    /// Notes that the last report of such a failure could not be written, so that the next is.
    pub fn not_told(&self, source: &SourceName, kind: &str) {
        if let Some(streak) = self.streaks().get_mut(source) {
            streak.forget_report(kind);
            self.write(source, Some(streak));
        }
    }

    /// Notes that `source` works. Returns its failures before, if that is to be reported.
    pub fn worked(&self, source: &SourceName) -> Option<FailureStreak> {
        let mut streaks = self.streaks();
        let ended = self.known(&mut streaks, source)?;
        streaks.remove(source);
        self.write(source, None);
        (ended.failures > 0).then_some(ended)
    }

    /// Forgets all sources but `names`.
    pub fn retain_sources<'n>(&self, names: impl Iterator<Item = &'n str> + Clone) {
        self.streaks().retain(|source, _| names.clone().any(|name| name == source.as_str()));
    }

    /// What this process knows of `source`, else what an earlier one left.
    fn known(
        &self,
        streaks: &mut HashMap<SourceName, FailureStreak>,
        source: &SourceName,
    ) -> Option<FailureStreak> {
        let own = streaks.get(source).cloned();
        own.or_else(|| self.store.as_ref()?.failures(source))
    }

    /// Returns whether other processes will know of `streak`, where they are to.
    fn write(&self, source: &SourceName, streak: Option<&FailureStreak>) -> bool {
        let Some(store) = &self.store else { return true };
        let written = store.set_failures(source, streak);
        if let Err(error) = &written {
            tracing::info!(%error, "cannot remember which failures were reported");
        }
        written.is_ok()
    }

    fn streaks(&self) -> MutexGuard<'_, HashMap<SourceName, FailureStreak>> {
        // Every change is one insertion or removal: a panic elsewhere leaves it whole.
        self.streaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use std::fs;

    const REFUSED: FailureSighting<'static> =
        FailureSighting { kind: "refused", cause: "refused (401)", is_of_source: true };

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    fn acme() -> SourceName {
        "acme".parse().unwrap()
    }

    fn is_reported(notices: &FailureNotices, time: &str) -> bool {
        notices.failed(&acme(), REFUSED, at(time)).is_some()
    }

    #[test]
    fn one_process_knows_what_an_earlier_one_reported() {
        let state = tempfile::tempdir().unwrap();
        let process = || FailureNotices::shared(state.path());
        assert!(process().worked(&acme()).is_none());
        assert!(is_reported(&process(), "2026-11-20T09:00:00Z"));
        assert!(process().is_failing(&acme()));
        assert!(!is_reported(&process(), "2026-11-20T09:10:00Z"));
        // A person at a terminal has not read it, and disturbs nothing.
        assert!(is_reported(&FailureNotices::of_process(), "2026-11-20T09:10:00Z"));
        assert!(is_reported(&process(), "2026-11-21T09:10:00Z"));
        let ended = process().worked(&acme()).unwrap();
        assert_eq!((ended.failures, ended.since), (3, Some(at("2026-11-20T09:00:00Z"))));
        assert!(process().worked(&acme()).is_none() && !process().is_failing(&acme()));
        assert!(is_reported(&process(), "2026-11-21T09:20:00Z"));
    }

    #[test]
    fn what_cannot_be_read_or_remembered_is_reported() {
        let state = tempfile::tempdir().unwrap();
        let process = || FailureNotices::shared(state.path());
        assert!(is_reported(&process(), "2026-11-20T09:00:00Z"));
        fs::write(state.path().join("notices/acme.json"), "{").unwrap();
        assert!(is_reported(&process(), "2026-11-20T09:10:00Z"));
        fs::remove_dir_all(state.path().join("notices")).unwrap();
        fs::write(state.path().join("notices"), "in the way").unwrap();
        assert!(is_reported(&process(), "2026-11-20T09:20:00Z"));
        let one = process();
        assert!(is_reported(&one, "2026-11-20T09:30:00Z"));
        // This process has reported it, whatever others know.
        assert!(!is_reported(&one, "2026-11-20T09:40:00Z"));
    }
}
