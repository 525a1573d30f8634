//! Owns what is known of one source from what its last runs left behind. Nothing is locked, nothing is changed.

use std::path::Path;
use std::time::Duration;

use chrono::NaiveDate;

use crate::config::settings::SourceSettings;
use crate::error::AppError;
use crate::model::retention::LogRetention;
use crate::model::time::{Timestamp, Window};
use crate::pipeline::silence::SourceSilence;
use crate::state::checkpoint::Checkpoint;
use crate::state::lock_holder::{LockHolder, holder};
use crate::state::run_history::coverage::{CoveredSpan, ReadCoverage};
use crate::state::run_history::{RunHistory, RunHistoryStore};
use crate::state::store::StateStore;

/// Where one source stands.
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// How long its server keeps events, where that is known.
    pub retention: Option<LogRetention>,
    /// What its checkpoint says.
    pub state: CheckpointStatus,
    /// How long ago everything had been read.
    pub lag: Option<Duration>,
    /// What is known of its runs.
    pub ledger: RunHistory,
    /// Why that is nothing, where something is there.
    pub ledger_error: Option<String>,
    /// Who pulls it now.
    pub running: Option<LockHolder>,
    /// The last day of its credential, as far as it is known.
    pub expires_on: Option<NaiveDate>,
    /// Days until then.
    pub expires_in: Option<i64>,
}

/// What a checkpoint says.
pub enum CheckpointStatus {
    /// There is none.
    NeverPulled,
    /// It cannot be read.
    Unreadable(AppError),
    /// So much.
    Read(Box<ReadHistory>),
}

/// How far a source has been read.
pub struct ReadHistory {
    /// What it belongs to: the organization or site.
    pub scope: String,
    /// Where it begins.
    pub since: Timestamp,
    /// Until when everything has been read.
    pub complete_until: Option<Timestamp>,
    /// The newest place that was written.
    pub newest: Option<Timestamp>,
    /// Events written.
    pub events: u64,
    /// When the checkpoint was written.
    pub updated: Timestamp,
    /// An unusual silence, as of the last complete run: what came since, nobody knows.
    pub silence: Option<SourceSilence>,
    /// What has been read.
    pub covered: Vec<CoveredSpan>,
    /// What was never read, between what was.
    pub holes: Vec<Window>,
}

impl SourceStatus {
    /// Where the source of `settings` stands at `now`.
    pub fn of(settings: &SourceSettings, state_dir: &Path, now: Timestamp) -> SourceStatus {
        let name = &settings.name;
        let (ledger, ledger_error) = match RunHistoryStore::new(state_dir).read(name) {
            Ok(found) => (found.unwrap_or_default(), None),
            Err(error) => (RunHistory::default(), Some(error.to_string())),
        };
        let state = match StateStore::new(state_dir).load(name) {
            Ok(None) => CheckpointStatus::NeverPulled,
            Ok(Some(found)) => CheckpointStatus::Read(Box::new(ReadHistory::of(found, &ledger.coverage))),
            Err(error) => CheckpointStatus::Unreadable(AppError::from(error).of_source(name.as_str())),
        };
        let complete_until = match &state {
            CheckpointStatus::Read(history) => history.complete_until,
            _ => None,
        };
        let expires_on = settings.expires_on.or(ledger.credential_ends());
        SourceStatus {
            name: name.to_string(),
            kind: settings.target.kind().as_str(),
            retention: settings.target.kind().descriptor().retention,
            // A clock that was set back is not ahead of anything.
            lag: complete_until.map(|until| (now - until).to_std().unwrap_or_default()),
            state,
            ledger,
            ledger_error,
            running: holder(state_dir, name),
            expires_on,
            expires_in: expires_on.map(|end| (end - now.date_naive()).num_days()),
        }
    }

    /// Whether the last run failed, as far as that is known.
    pub fn has_failed(&self) -> bool {
        let run = self.ledger.last_run.as_ref();
        run.is_some_and(|run| run.exit_code != 0 && !run.interrupted)
    }
}

impl ReadHistory {
    fn of(checkpoint: Checkpoint, coverage: &ReadCoverage) -> ReadHistory {
        let silence = checkpoint
            .complete_until
            .and_then(|until| SourceSilence::from_checkpoint(&checkpoint, until));
        let mut covered: Vec<_> = coverage.of(&checkpoint.scope).cloned().collect();
        if covered.is_empty() {
            covered.extend(checkpoint.complete_until.map(|until| CoveredSpan {
                scope: checkpoint.scope.clone(),
                from: checkpoint.since,
                to: until,
                events: checkpoint.events,
                read: checkpoint.updated,
                holes: 0,
            }));
        }
        ReadHistory {
            holes: coverage.holes(&checkpoint.scope),
            scope: checkpoint.scope,
            since: checkpoint.since,
            complete_until: checkpoint.complete_until,
            newest: checkpoint.watermark,
            events: checkpoint.events,
            updated: checkpoint.updated,
            silence,
            covered,
        }
    }
}
