//! Owns taking note of how a source's run ended, in its ledger.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::commands::run_registry::{RecordOutcome, RunRegistry};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::model::time::Timestamp;
use crate::pipeline::checkpoint_writer::ReleasedSource;
use crate::state::run_history::{RunHistoryStore, RunRecord};
use crate::state::store::StateStore;
use crate::telemetry::meter::SourceMeter;

/// Takes note of one run of a source.
#[derive(Debug)]
pub struct RunRecorder {
    /// The source.
    pub name: SourceName,
    /// What counts in the run.
    pub meter: Arc<SourceMeter>,
    /// Who tells of it meanwhile.
    pub registry: Arc<RunRegistry>,
    /// A one-off run is no part of the source's history.
    pub is_one_off: bool,
    /// Where ledgers live.
    pub state_dir: PathBuf,
    /// Where the source is locked.
    pub store: StateStore,
    /// The start of the run.
    pub start: Timestamp,
    /// The last day of the credential, where it is known: kept, since whoever asks later holds no credential.
    pub credential_ends: Option<NaiveDate>,
}

impl RunRecorder {
    /// Writes the run, which ended with `error` if with one, into the ledger, while nobody else holds the source.
    /// Where somebody does, nothing is written: that run keeps the ledger. A first run that failed before it could read is
    /// recorded too, in a new state folder: else `status` would take it for one that never was. Blocks.
    pub fn record(&self, error: Option<&AppError>, left: Option<ReleasedSource>) -> RecordOutcome {
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
        let (progress, lock) = match left {
            Some(left) => (left.progress, Some(left.lock)),
            None => (None, self.store.lock(&self.name).ok()),
        };
        if lock.is_none() {
            return RecordOutcome::NotRecorded(run);
        }
        let ledgers = RunHistoryStore::new(&self.state_dir);
        let ledger = ledgers.change(&self.name, |ledger| ledger.record(run, progress));
        RecordOutcome::Recorded(Box::new(ledger))
    }
}
