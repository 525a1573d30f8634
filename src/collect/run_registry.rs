//! What is known of all sources at any moment, also while they run: their run histories, and the
//! meters of the runs that are under way. The metrics and the watchdog read it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{NaiveDate, TimeDelta};

use crate::config::settings::SourceSettings;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::{SourceKind, SourceName};
use crate::model::time::Timestamp;
use crate::pipeline::checkpoint_writer::ReleasedSource;
use crate::state::run_history::{
    CheckpointPosition, RunCounts, RunHistory, RunHistoryStore, RunRecord, RunTotals,
};
use crate::state::store::StateStore;
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
    ledger: RunHistory,
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

/// What became of a run's entry in the run history.
#[derive(Debug)]
pub enum RecordOutcome {
    /// It was written.
    Recorded(Box<RunHistory>),
    /// It could not be written.
    NotRecorded(RunRecord),
    /// The run is not part of the source's history.
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
    /// The totals of all its runs, including the current one.
    pub totals: RunTotals,
    /// How the last run ended.
    pub last_run: Option<RunRecord>,
    /// The end of the last run that read everything.
    pub last_success: Option<Timestamp>,
    /// Failed runs since then.
    pub failures_in_a_row: u64,
    /// The position of its checkpoint.
    pub position: Option<CheckpointPosition>,
    /// Time ranges that were never read, between those that were.
    pub holes: u64,
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
        let ledgers = RunHistoryStore::new(state_dir);
        let mut known = self.sources();
        known.retain(|name, _| sources.iter().any(|source| source.name == *name));
        for source in sources {
            let entry = known.entry(source.name.clone()).or_insert_with(|| RegistryEntry {
                kind: source.target.kind(),
                expires_on: None,
                // A history that cannot be read is reported when it is written.
                ledger: ledgers.read(&source.name).ok().flatten().unwrap_or_default(),
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

    /// Notes that the end of a source's run was recorded.
    pub fn run_recorded(&self, name: &SourceName, outcome: RecordOutcome) {
        self.note_progress();
        if let Some(entry) = self.sources().get_mut(name) {
            entry.running = None;
            match outcome {
                RecordOutcome::Recorded(ledger) => entry.ledger = *ledger,
                // Not added to the totals: the counters of the next process would fall below them.
                RecordOutcome::NotRecorded(run) => entry.ledger.ended(run),
                RecordOutcome::NotTracked => {}
            }
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
            for count in [
                &meter.requests,
                &meter.received_bytes,
                &meter.pages,
                &meter.events,
                &meter.committed,
            ] {
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

/// Records one run of a source in its run history.
#[derive(Debug)]
pub struct RunRecorder {
    /// The source.
    pub name: SourceName,
    /// Counts for the run.
    pub meter: Arc<SourceMeter>,
    /// Where the run is visible meanwhile.
    pub registry: Arc<RunRegistry>,
    /// A one-off run is not part of the source's history.
    pub is_one_off: bool,
    /// The folder of the run histories.
    pub state_dir: PathBuf,
    /// Holds the lock of the source.
    pub store: StateStore,
    /// The start of the run.
    pub start: Timestamp,
    /// The last day of the credential, if known. Recorded, because `status` loads no credential.
    pub credential_ends: Option<NaiveDate>,
}

impl RunRecorder {
    /// Writes the run, which ended with `error` or well, into the run history while the source is
    /// locked. If another run holds the source, nothing is written: that run writes the history. A
    /// first run that failed before it could read is recorded too, in a new state folder; otherwise
    /// `status` would show a source that was never pulled. Blocks.
    pub fn record(
        &self,
        error: Option<&AppError>,
        released: Option<ReleasedSource>,
    ) -> RecordOutcome {
        if self.is_one_off {
            return RecordOutcome::NotTracked;
        }
        let run = RunRecord {
            started: self.start,
            finished: chrono::Utc::now(),
            exit_code: error.map_or(Exit::Done, AppError::exit).code(),
            error: error.map(|error| error.text().to_owned()),
            causes: error.map_or(Vec::new(), |error| error.causes().to_vec()),
            hint: error.and_then(AppError::hint_text).map(str::to_owned),
            interrupted: error.is_some_and(AppError::is_interruption),
            credential_ends: self.credential_ends,
            counts: self.registry.run_finished(&self.name, &self.meter),
        };
        let (progress, lock) = match released {
            Some(source) => (source.progress, Some(source.lock)),
            None => (None, self.store.lock(&self.name).ok()),
        };
        if lock.is_none() {
            return RecordOutcome::NotRecorded(run);
        }
        let histories = RunHistoryStore::new(&self.state_dir);
        let history = histories.change(&self.name, |history| history.record(run, progress));
        RecordOutcome::Recorded(Box::new(history))
    }
}
