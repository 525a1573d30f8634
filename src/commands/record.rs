//! Owns taking note of how a source's run ended, in its ledger.

use std::path::PathBuf;
use std::sync::Arc;

use crate::commands::accounts::counts;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::name::SourceName;
use crate::model::time::Timestamp;
use crate::pipeline::journal::Left;
use crate::state::ledger::{Ledger, Ledgers, Run};
use crate::state::store::Store;
use crate::telemetry::meter::Meter;

/// Takes note of one run of a source.
#[derive(Debug)]
pub struct Recorder {
    /// The source.
    pub name: SourceName,
    /// What counts in the run.
    pub meter: Arc<Meter>,
    /// A one-off run is no part of the source's history.
    pub is_one_off: bool,
    /// Where ledgers live.
    pub state_dir: PathBuf,
    /// Where the source is locked.
    pub store: Store,
    /// The start of the run.
    pub start: Timestamp,
}

impl Recorder {
    /// Writes the run, which ended with `error` if with one, into the ledger, while nobody else holds the source.
    /// Where somebody does, nothing is written: that run keeps the ledger. Blocks.
    pub fn record(&self, error: Option<&AppError>, left: Option<Left>) -> Option<Ledger> {
        if self.is_one_off {
            return None;
        }
        let (progress, _lock) = match left {
            Some(left) => (left.progress, left.lock),
            None => (None, self.store.lock(&self.name).ok()?),
        };
        let run = Run {
            started: self.start,
            finished: chrono::Utc::now(),
            exit_code: error.map_or(Exit::Done, AppError::exit).code(),
            error: error.map(|error| error.text().to_owned()),
            causes: error.map_or(Vec::new(), |error| error.causes().to_vec()),
            hint: error.and_then(AppError::hint_text).map(str::to_owned),
            interrupted: error.is_some_and(AppError::is_interruption),
            counts: counts(&self.meter),
        };
        let ledgers = Ledgers::new(&self.state_dir);
        Some(ledgers.change(&self.name, |ledger| ledger.record(run, progress)))
    }
}
