//! Owns what is known of all sources at any moment, also while they run: what their ledgers say, and what the meters of
//! those that run add to it. The metrics and the watchdog read it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{NaiveDate, TimeDelta};

use crate::config::settings::SourceSettings;
use crate::model::name::{SourceKind, SourceName};
use crate::model::time::Timestamp;
use crate::state::run_history::{
    CheckpointPosition, RunCounts, RunHistory, RunHistoryStore, RunRecord, RunTotals,
};
use crate::telemetry::meter::{MonotonicCounter, SourceMeter, WaitReason};

/// How long after its announced end a wait still explains why nothing moves.
const WAIT_GRACE: TimeDelta = TimeDelta::seconds(30);

/// All sources of a pull, or of pull after pull.
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
    ledger: RunHistory,
    running: Option<ActiveRun>,
    /// What was told last: a counter that fell would pass for one that began anew.
    last_reported: RunTotals,
}

/// What the run that is not in the ledger yet takes and brings.
#[derive(Debug)]
enum ActiveRun {
    /// It goes on, and counts.
    Counting(Arc<SourceMeter>),
    /// It is over, and being noted: a count that went on would be told and not noted.
    Finished(RunCounts),
}

/// What was noted of a run's end.
#[derive(Debug)]
pub enum RecordOutcome {
    /// It is in the ledger.
    Recorded(Box<RunHistory>),
    /// It could not be written.
    NotRecorded(RunRecord),
    /// It is no part of the source's history.
    NotTracked,
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
    /// What all its runs took and brought, the one that runs included.
    pub totals: RunTotals,
    /// How the last run ended.
    pub last_run: Option<RunRecord>,
    /// The end of the last run that read everything there was.
    pub last_success: Option<Timestamp>,
    /// Failed runs since then.
    pub failures_in_a_row: u64,
    /// Where its checkpoint stands.
    pub position: Option<CheckpointPosition>,
    /// Spans of time that were never read, between those that were.
    pub holes: u64,
}

/// What a pull does, as far as it can be seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullActivity {
    /// Another number whenever something has moved.
    pub progress_mark: u64,
    /// Whether a source waits for a time that is known and not long past.
    pub is_waiting: bool,
}

impl RunRegistry {
    /// From now on the sources are these: of new ones the ledger in the state folder is read.
    pub fn set_sources(&self, sources: &[SourceSettings], state_dir: &Path) {
        let ledgers = RunHistoryStore::new(state_dir);
        let mut known = self.sources();
        known.retain(|name, _| sources.iter().any(|source| source.name == *name));
        for source in sources {
            let account = known
                .entry(source.name.clone())
                .or_insert_with(|| RegistryEntry {
                    kind: source.target.kind(),
                    expires_on: None,
                    // One that cannot be read is told of when it is written.
                    ledger: ledgers
                        .read(&source.name)
                        .ok()
                        .flatten()
                        .unwrap_or_default(),
                    running: None,
                    last_reported: RunTotals::default(),
                });
            account.kind = source.target.kind();
            account.expires_on = source.expires_on;
        }
    }

    /// A source begins to be pulled, and counts with `meter`.
    pub fn run_started(&self, name: &SourceName, meter: Arc<SourceMeter>) {
        self.note_progress();
        if let Some(account) = self.sources().get_mut(name) {
            account.running = Some(ActiveRun::Counting(meter));
        }
    }

    /// A source has been pulled; what its run, which counted with `meter`, took and brought in the end.
    pub fn run_finished(&self, name: &SourceName, meter: &SourceMeter) -> RunCounts {
        let mut sources = self.sources();
        let counts = read_counts(meter);
        if let Some(account) = sources.get_mut(name) {
            account.running = Some(ActiveRun::Finished(counts));
        }
        counts
    }

    /// The end of a source's run was noted.
    pub fn run_recorded(&self, name: &SourceName, noted: RecordOutcome) {
        self.note_progress();
        if let Some(account) = self.sources().get_mut(name) {
            account.running = None;
            match noted {
                RecordOutcome::Recorded(ledger) => account.ledger = *ledger,
                // Not counted: the next process could not go on from there, and its counters would fall.
                RecordOutcome::NotRecorded(run) => account.ledger.ended(run),
                RecordOutcome::NotTracked => {}
            }
        }
    }

    /// Something has moved.
    pub fn note_progress(&self) {
        self.progress_count.add(1);
    }

    /// What is known of each source now, by name.
    pub fn snapshots(&self) -> Vec<SourceSnapshot> {
        let mut sources = self.sources();
        sources
            .iter_mut()
            .map(|(name, account)| account.snapshot(name))
            .collect()
    }

    /// What the sources do at `now`.
    pub fn activity(&self, now: Timestamp) -> PullActivity {
        let sources = self.sources();
        let meters = sources
            .values()
            .filter_map(|account| match &account.running {
                Some(ActiveRun::Counting(meter)) => Some(meter),
                Some(ActiveRun::Finished(_)) | None => None,
            });
        let (mut mark, mut is_waiting) = (self.progress_count.get(), false);
        for meter in meters {
            let counted = [
                &meter.requests,
                &meter.received_bytes,
                &meter.pages,
                &meter.events,
                &meter.committed,
            ];
            mark = counted
                .into_iter()
                .fold(mark, |mark, count| mark.wrapping_add(count.get()));
            let wait = meter.current_wait();
            is_waiting |= wait.is_some_and(|(_, until)| now < until + WAIT_GRACE);
        }
        PullActivity { progress_mark: mark, is_waiting }
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<SourceName, RegistryEntry>> {
        // Every change is a few assignments: a panic elsewhere leaves it whole.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RegistryEntry {
    fn snapshot(&mut self, name: &SourceName) -> SourceSnapshot {
        let ledger = &self.ledger;
        let mut totals = ledger.totals.clone();
        let mut position = ledger.position.clone();
        match &self.running {
            Some(ActiveRun::Counting(meter)) => {
                totals.counts.add(&read_counts(meter));
                if let (Some(position), Some(time)) = (&mut position, meter.checkpoint_time()) {
                    position.updated = time;
                }
            }
            Some(ActiveRun::Finished(counts)) => totals.counts.add(counts),
            None => {}
        }
        totals.at_least(&self.last_reported);
        self.last_reported = totals.clone();
        let scope = position.as_ref().map(|position| position.scope.as_str());
        let holes = scope.map_or(0, |scope| ledger.coverage.count_holes(scope));
        SourceSnapshot {
            name: name.to_string(),
            kind: self.kind.as_str(),
            expires_on: self.expires_on.or(ledger.credential_ends()),
            is_running: self.running.is_some(),
            totals,
            last_run: ledger.last_run.clone(),
            last_success: ledger.last_success,
            failures_in_a_row: ledger.failures_in_a_row,
            holes,
            position,
        }
    }
}

/// What the run of a source that counts with `meter` has taken and brought so far.
pub fn read_counts(meter: &SourceMeter) -> RunCounts {
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
