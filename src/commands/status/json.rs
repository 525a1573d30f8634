//! Owns `status --json`: one object a source, with everything that is known.

use serde::Serialize;

use crate::commands::status::source_status::{ReadHistory, SourceStatus, CheckpointStatus};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::{Timestamp, format_millis};
use crate::pipeline::report::ReportedWindow;
use crate::pipeline::silence::SourceSilence;
use crate::state::run_history::{RunCounts, RunRecord};

/// A source. What is not known is absent.
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

/// A line for each source.
///
/// # Errors
/// A bug.
pub fn lines(standings: &[SourceStatus], now: Timestamp) -> Result<String, AppError> {
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
        holes: history
            .holes
            .iter()
            .copied()
            .map(ReportedWindow::from)
            .collect(),
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

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_none(count: &u64) -> bool {
    *count == 0
}
