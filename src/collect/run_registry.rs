//! What is known of all sources at any moment, also while they run: their run histories, and the
//! meters of the runs that are under way. The metrics and the watchdog read it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{NaiveDate, TimeDelta};

use crate::config::settings::SourceSettings;
use crate::model::name::{SourceKind, SourceName};
use crate::model::time::Timestamp;
use crate::state::run_history::{RunCounts, RunHistory, RunHistoryStore, RunTotals};
use crate::telemetry::meter::{MonotonicCounter, SourceMeter, WaitReason};

/// How long after its announced end a wait still explains why nothing moves.
const WAIT_GRACE: TimeDelta = TimeDelta::seconds(30);

/// All sources of a pull, or of the pulls of `follow`.
#[derive(Debug, Default)]
pub struct RunRegistry {
    sources: Mutex<BTreeMap<SourceName, RegistryEntry>>,
    progress_count: MonotonicCounter,
}

#[derive(Debug)]
struct RegistryEntry {
    kind: SourceKind,
    /// The last day of its credential, by the configuration; else the last run may have known it.
    expires_on: Option<NaiveDate>,
    history: RunHistory,
    running: Option<ActiveRun>,
    /// What was reported last: a counter that falls looks like a restarted one.
    last_reported: RunTotals,
}

/// The counts of a run that is not in the run history yet.
#[derive(Debug)]
enum ActiveRun {
    /// It is still running.
    Counting(Arc<SourceMeter>),
    /// It is over and being recorded: what the meter counts from now on would be reported, but not
    /// recorded.
    Finished(RunCounts),
}

/// What is known of one source now.
#[derive(Debug, Clone)]
pub struct SourceSnapshot {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// The last day of its credential, where it is known.
    pub expires_on: Option<NaiveDate>,
    /// Whether it is being pulled.
    pub is_running: bool,
    /// Its runs; the totals include the current one.
    pub history: RunHistory,
}

/// The activity of all running sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullActivity {
    /// A number that changes whenever there is progress.
    pub progress_mark: u64,
    /// Whether a source waits until a known time that is not long past.
    pub is_waiting: bool,
}

impl RunRegistry {
    /// Replaces the sources. The run history of new ones is read from the state folder.
    pub fn set_sources(&self, sources: &[SourceSettings], state_dir: &Path) {
        let histories = RunHistoryStore::new(state_dir);
        let mut known = self.sources();
        known.retain(|name, _| sources.iter().any(|source| source.name == *name));
        for source in sources {
            let entry = known.entry(source.name.clone()).or_insert_with(|| RegistryEntry {
                kind: source.target.kind(),
                expires_on: None,
                // A history that cannot be read is reported when it is written.
                history: histories.read(&source.name).ok().flatten().unwrap_or_default(),
                running: None,
                last_reported: RunTotals::default(),
            });
            entry.kind = source.target.kind();
            entry.expires_on = source.expires_on;
        }
    }

    /// Notes that a run of a source has started; `meter` counts for it.
    pub fn run_started(&self, name: &SourceName, meter: Arc<SourceMeter>) {
        self.note_progress();
        if let Some(entry) = self.sources().get_mut(name) {
            entry.running = Some(ActiveRun::Counting(meter));
        }
    }

    /// Notes that a run of a source has ended, and returns the final counts of its `meter`.
    pub fn run_finished(&self, name: &SourceName, meter: &SourceMeter) -> RunCounts {
        let mut sources = self.sources();
        let counts = read_counts(meter);
        if let Some(entry) = sources.get_mut(name) {
            entry.running = Some(ActiveRun::Finished(counts));
        }
        counts
    }

    /// Notes that a run of a source is over, and what that changes in the run history.
    pub fn run_recorded(&self, name: &SourceName, change: impl FnOnce(&mut RunHistory)) {
        self.note_progress();
        if let Some(entry) = self.sources().get_mut(name) {
            entry.running = None;
            change(&mut entry.history);
        }
    }

    /// Notes any progress.
    pub fn note_progress(&self) {
        self.progress_count.add(1);
    }

    /// What is known of each source now, ordered by name.
    pub fn snapshots(&self) -> Vec<SourceSnapshot> {
        let mut sources = self.sources();
        sources.iter_mut().map(|(name, entry)| entry.snapshot(name)).collect()
    }

    /// What the sources are doing at `now`.
    pub fn activity(&self, now: Timestamp) -> PullActivity {
        let (mut progress_mark, mut is_waiting) = (self.progress_count.get(), false);
        for entry in self.sources().values() {
            let Some(ActiveRun::Counting(meter)) = &entry.running else {
                continue;
            };
            let SourceMeter { requests, received_bytes, pages, events, committed, .. } = &**meter;
            for count in [requests, received_bytes, pages, events, committed] {
                progress_mark = progress_mark.wrapping_add(count.get());
            }
            let wait = meter.current_wait();
            is_waiting |= wait.is_some_and(|(_, until)| now < until + WAIT_GRACE);
        }
        PullActivity { progress_mark, is_waiting }
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<SourceName, RegistryEntry>> {
        // Every change is a few assignments: a panic elsewhere leaves it whole.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RegistryEntry {
    fn snapshot(&mut self, name: &SourceName) -> SourceSnapshot {
        let mut history = self.history.clone();
        match &self.running {
            Some(ActiveRun::Counting(meter)) => {
                history.totals.counts.add(&read_counts(meter));
                if let (Some(position), Some(time)) =
                    (&mut history.position, meter.checkpoint_time())
                {
                    position.updated = time;
                }
            }
            Some(ActiveRun::Finished(counts)) => history.totals.counts.add(counts),
            None => {}
        }
        history.totals.at_least(&self.last_reported);
        self.last_reported = history.totals.clone();
        SourceSnapshot {
            name: name.to_string(),
            kind: self.kind.as_str(),
            expires_on: self.expires_on.or(history.credential_ends()),
            is_running: self.running.is_some(),
            history,
        }
    }
}

fn read_counts(meter: &SourceMeter) -> RunCounts {
    RunCounts {
        events: meter.committed.get(),
        pages: meter.pages.get(),
        requests: meter.requests.get(),
        retries: meter.retries.get(),
        rate_limited: meter.limited.get(),
        received_bytes: meter.received_bytes.get(),
        quota_wait_ms: meter.waited_for_ms(WaitReason::Quota),
        server_wait_ms: meter.waited_for_ms(WaitReason::Server),
        backoff_wait_ms: meter.waited_for_ms(WaitReason::Backoff),
    }
}
