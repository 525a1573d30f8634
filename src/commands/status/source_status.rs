//! The status of one source, from what its last runs left on disk, and its JSON. It locks and
//! changes nothing.

use std::path::Path;
use std::time::Duration;

use chrono::NaiveDate;
use serde::Serialize;

use crate::config::settings::SourceSettings;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::retention::LogRetention;
use crate::model::time::{Timestamp, Window, format_millis};
use crate::pipeline::report::ReportedWindow;
use crate::pipeline::silence::SourceSilence;
use crate::state::checkpoint::Checkpoint;
use crate::state::run_history::coverage::{CoveredSpan, ReadCoverage};
use crate::state::run_history::{RunCounts, RunHistory, RunHistoryStore, RunRecord};
use crate::state::store::StateStore;
use crate::state::store::{LockHolder, holder};

/// The status of one source.
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// How long its server keeps events, if known.
    pub retention: Option<LogRetention>,
    /// What its checkpoint says.
    pub state: CheckpointStatus,
    /// How long ago everything had been read.
    pub lag: Option<Duration>,
    /// The history of its runs.
    pub ledger: RunHistory,
    /// Why the history cannot be read.
    pub ledger_error: Option<String>,
    /// The process that pulls it now.
    pub running: Option<LockHolder>,
    /// The last day of its credential, if known.
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
    /// It says how far the source has been read.
    Read(Box<ReadHistory>),
}

/// How far a source has been read.
pub struct ReadHistory {
    /// The organization or site.
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
    /// An unusual silence at the time of the last complete run.
    pub silence: Option<SourceSilence>,
    /// What has been read.
    pub covered: Vec<CoveredSpan>,
    /// What was never read, between what was.
    pub holes: Vec<Window>,
}

impl SourceStatus {
    /// The status of the source of `settings` at `now`.
    pub fn of(settings: &SourceSettings, state_dir: &Path, now: Timestamp) -> SourceStatus {
        let name = &settings.name;
        let (ledger, ledger_error) = match RunHistoryStore::new(state_dir).read(name) {
            Ok(found) => (found.unwrap_or_default(), None),
            Err(error) => (RunHistory::default(), Some(error.to_string())),
        };
        let state = match StateStore::new(state_dir).load(name) {
            Ok(None) => CheckpointStatus::NeverPulled,
            Ok(Some(found)) => {
                CheckpointStatus::Read(Box::new(ReadHistory::of(found, &ledger.coverage)))
            }
            Err(error) => {
                CheckpointStatus::Unreadable(AppError::from(error).of_source(name.as_str()))
            }
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
            // Zero if the clock was set back.
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
            covered.extend(CoveredSpan::of_checkpoint(&checkpoint));
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

/// A source as JSON. What is not known is absent.
#[derive(Serialize)]
struct SourceStatusJson<'a> {
    schema: &'static str,
    time: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<ActiveRunJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_seconds: Option<f64>,
    #[serde(flatten)]
    history: Option<ReadHistoryJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<LastRunJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<String>,
    runs: u64,
    failures_in_a_row: u64,
    totals: RunCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_days: Option<i64>,
}

#[derive(Serialize)]
struct ActiveRunJson {
    process: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
}

#[derive(Serialize)]
struct ReadHistoryJson<'a> {
    scope: &'a str,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_event: Option<String>,
    events: u64,
    checkpoint_written: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    silence: Option<&'a SourceSilence>,
    coverage: Vec<CoverageSpanJson>,
    holes: Vec<ReportedWindow>,
}

#[derive(Serialize)]
struct CoverageSpanJson {
    from: String,
    to: String,
    events: u64,
    read: String,
    #[serde(skip_serializing_if = "is_none")]
    holes: u64,
}

#[derive(Serialize)]
struct LastRunJson<'a> {
    started: String,
    finished: String,
    exit_code: u8,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    causes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(flatten)]
    counts: RunCounts,
}

/// A line of JSON for each source.
///
/// # Errors
/// A bug.
pub fn json_lines(standings: &[SourceStatus], now: Timestamp) -> Result<String, AppError> {
    let mut lines = String::new();
    for standing in standings {
        let line = serde_json::to_string(&source(standing, now));
        let failed = |error| AppError::new(Exit::Unexpected, "a bug in atlaudit").because(&error);
        lines.push_str(&line.map_err(failed)?);
        lines.push('\n');
    }
    Ok(lines)
}

fn source(standing: &SourceStatus, now: Timestamp) -> SourceStatusJson<'_> {
    let (state, state_error, history) = match &standing.state {
        CheckpointStatus::NeverPulled => ("never_pulled", None, None),
        CheckpointStatus::Unreadable(error) => ("unreadable", Some(error.text()), None),
        CheckpointStatus::Read(found) => ("read", None, Some(history(found))),
    };
    let ledger = &standing.ledger;
    SourceStatusJson {
        schema: "atlaudit/status/1",
        time: format_millis(now),
        source: &standing.name,
        kind: standing.kind,
        state,
        state_error,
        running: standing.running.as_ref().map(|holder| ActiveRunJson {
            process: holder.process,
            since: holder.since.map(format_millis),
        }),
        lag_seconds: standing.lag.map(|lag| lag.as_millis() as f64 / 1000.0),
        history,
        last_run: ledger.last_run.as_ref().map(run),
        last_success: ledger.last_success.map(format_millis),
        runs: ledger.runs(),
        failures_in_a_row: ledger.failures_in_a_row,
        totals: ledger.totals.counts,
        ledger_error: standing.ledger_error.as_deref(),
        expires_on: standing.expires_on.map(|day| day.to_string()),
        expires_in_days: standing.expires_in,
    }
}

fn history(history: &ReadHistory) -> ReadHistoryJson<'_> {
    let covered = history.covered.iter().map(|span| CoverageSpanJson {
        from: format_millis(span.from),
        to: format_millis(span.to),
        events: span.events,
        read: format_millis(span.read),
        holes: span.holes,
    });
    ReadHistoryJson {
        scope: &history.scope,
        since: format_millis(history.since),
        complete_until: history.complete_until.map(format_millis),
        newest_event: history.newest.map(format_millis),
        events: history.events,
        checkpoint_written: format_millis(history.updated),
        silence: history.silence.as_ref(),
        coverage: covered.collect(),
        holes: history.holes.iter().copied().map(ReportedWindow::from).collect(),
    }
}

fn run(run: &RunRecord) -> LastRunJson<'_> {
    LastRunJson {
        started: format_millis(run.started),
        finished: format_millis(run.finished),
        exit_code: run.exit_code,
        interrupted: run.interrupted,
        error: run.error.as_deref(),
        causes: &run.causes,
        hint: run.hint(),
        counts: run.counts,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}
