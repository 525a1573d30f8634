//! Runs `status`: shows how far each source has been read, and how its last run ended, from what
//! its last runs left on disk: a table and notes for people, or JSON. It locks and changes nothing.

use std::time::Duration;

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

use crate::commands::nagios::{LagThresholds, MonitoredSource, SourceFailure, plugin_line};
use crate::commands::text_table::{CellStyle, TableCell, plain, text_table};
use crate::config::request::StatusRequest;
use crate::config::settings::SourceSettings;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::source_kind::LogRetention;
use crate::model::text::{group_digits, printable_line};
use crate::model::time::{Timestamp, Window, abbreviated, format_millis, in_words};
use crate::model::user_zone::UserZone;
use crate::pipeline::report::ReportedWindow;
use crate::pipeline::silence::SourceSilence;
use crate::sink::stdout;
use crate::state::StateError;
use crate::state::checkpoint::Checkpoint;
use crate::state::read_progress::{ReadProgress, ReadProgressStore};
use crate::state::run_history::coverage::{CoveredSpan, ReadCoverage};
use crate::state::run_history::{RunCounts, RunHistory, RunHistoryStore, RunRecord};
use crate::state::store::{LockHolder, StateStore, holder};
use crate::telemetry::console::StderrConsole;

/// Prints the status of each source.
///
/// # Errors
/// The state folder may not be read, a state cannot be read (after everything else was printed), a
/// source lags by more than `--max-lag`, or standard output cannot be written. A plugin says the
/// second and third in its line.
pub fn run(request: &StatusRequest, console: &StderrConsole) -> Result<Exit, AppError> {
    let sources = request.sources.iter();
    let store = StateStore::of_settings(&request.state_dir, request.remote_state.as_ref());
    let store = store.for_viewing();
    store.check_readable()?;
    let sources: Vec<_> =
        sources.map(|settings| SourceStatus::of(settings, &store, request.now)).collect();
    if request.nagios {
        let monitored: Vec<_> = sources.iter().map(SourceStatus::monitored).collect();
        let limits = LagThresholds { warning: request.warn_lag, critical: request.max_lag };
        let (line, state) = plugin_line(&monitored, limits);
        stdout::print(&line)?;
        return Ok(Exit::Plugin(state));
    }
    let text = match request.json {
        true => {
            let lines: Result<Vec<_>, _> = sources.iter().map(serde_json::to_string).collect();
            let bug = |error| AppError::new(Exit::Unexpected, "a bug in atlaudit").because(&error);
            lines.map_err(bug)?.into_iter().map(|line| line + "\n").collect()
        }
        false => text(&sources, request, console.zone()),
    };
    stdout::print(&text)?;
    let behind = request.max_lag.and_then(|most| behind(&sources, most));
    let mut errors = sources.into_iter().filter_map(|source| source.error).chain(behind);
    let first = errors.next();
    for error in errors {
        error.report_to(console);
    }
    first.map_or(Ok(Exit::Done), Err)
}

/// The error for sources that lag by more than `most`.
fn behind(sources: &[SourceStatus], most: Duration) -> Option<AppError> {
    let late = sources.iter().filter(|source| source.lag.is_none_or(|lag| lag > most));
    let late: Vec<_> = late.map(|source| format!("`{}`", source.name)).collect();
    let what =
        format!("behind by more than {}: {}", humantime::format_duration(most), late.join(", "));
    let hint = "see what `atlaudit status` says of their last run, and whether anything pulls them";
    (!late.is_empty()).then(|| AppError::new(Exit::Incomplete, what).hint(hint))
}

/// A time, which is written with milliseconds.
#[derive(Clone, Copy)]
struct MillisTime(Timestamp);

impl Serialize for MillisTime {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&format_millis(self.0))
    }
}

/// The status of one source, and its JSON. What is not known is absent.
#[derive(Serialize)]
struct SourceStatus {
    schema: &'static str,
    time: MillisTime,
    #[serde(rename = "source")]
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_error: Option<String>,
    /// The process that pulls it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<ActiveProcess>,
    /// How far a run has come, or had come when its process died.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<ProgressStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_seconds: Option<f64>,
    #[serde(flatten)]
    history: Option<ReadHistory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<LastRunStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<MillisTime>,
    runs: u64,
    failures_in_a_row: u64,
    totals: RunCounts,
    /// Why the history of its runs cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger_error: Option<String>,
    /// The last day of its credential, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_days: Option<i64>,
    /// How long ago everything had been read.
    #[serde(skip)]
    lag: Option<Duration>,
    /// Why its checkpoint cannot be read.
    #[serde(skip)]
    error: Option<AppError>,
    /// Whether that is because of its content, and not because it may not be read.
    #[serde(skip)]
    is_damaged: bool,
    /// How long its server keeps events, if known.
    #[serde(skip)]
    retention: Option<LogRetention>,
}

#[derive(Serialize)]
struct ActiveProcess {
    process: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<MillisTime>,
}

/// How far a run has read what it reads.
#[derive(Serialize)]
struct ProgressStatus {
    process: u32,
    /// Whether that process still pulls the source.
    running: bool,
    from: MillisTime,
    to: MillisTime,
    /// Up to where everything is read and written.
    reached: MillisTime,
    percent: u8,
    events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
    /// When that was so.
    updated: MillisTime,
}

/// How far a source has been read.
#[derive(Serialize)]
struct ReadHistory {
    /// The organization or site.
    scope: String,
    /// Where it begins.
    since: MillisTime,
    /// Until when everything has been read.
    #[serde(skip_serializing_if = "Option::is_none")]
    complete_until: Option<MillisTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_event: Option<MillisTime>,
    /// Events written.
    events: u64,
    checkpoint_written: MillisTime,
    /// An unusual silence at the time of the last complete run.
    #[serde(skip_serializing_if = "Option::is_none")]
    silence: Option<SourceSilence>,
    coverage: Vec<CoverageEntry>,
    /// What was never read, between what was.
    #[serde(serialize_with = "windows")]
    holes: Vec<Window>,
}

#[derive(Serialize)]
struct CoverageEntry {
    from: MillisTime,
    to: MillisTime,
    events: u64,
    read: MillisTime,
    #[serde(skip_serializing_if = "is_none")]
    holes: u64,
}

#[derive(Serialize)]
struct LastRunStatus {
    started: MillisTime,
    finished: MillisTime,
    exit_code: u8,
    interrupted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(flatten)]
    counts: RunCounts,
}

fn windows<S: Serializer>(windows: &[Window], out: S) -> Result<S::Ok, S::Error> {
    out.collect_seq(windows.iter().copied().map(ReportedWindow::from))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl SourceStatus {
    /// The status of the source of `settings` at `now`.
    fn of(settings: &SourceSettings, store: &StateStore, now: Timestamp) -> SourceStatus {
        let (name, state_dir) = (&settings.name, store.folder());
        let (ledger, ledger_error) = match RunHistoryStore::new(state_dir).for_viewing().read(name)
        {
            Ok(found) => (found.unwrap_or_default(), None),
            Err(error) => (RunHistory::default(), Some(error.to_string())),
        };
        let (state, history, error) = match store.load(name) {
            Ok(None) => ("never_pulled", None, None),
            Ok(Some(found)) => ("read", Some(ReadHistory::of(found, &ledger.coverage)), None),
            Err(error) => ("unreadable", None, Some(error)),
        };
        let is_damaged = matches!(error, Some(StateError::Damaged { .. }));
        let error = error.map(|error| AppError::from(error).of_source(name.as_str()));
        let until = history.as_ref().and_then(|history| history.complete_until);
        // Zero if the clock was set back.
        let lag = until.map(|until| (now - until.0).to_std().unwrap_or_default());
        let running = holder(state_dir, name);
        let progress = ReadProgressStore::new(state_dir).read(name);
        // Of a run that died, unless a later one has read on.
        let progress = progress
            .filter(|progress| running.is_some() || until.is_none_or(|until| until.0 < progress.to))
            .map(|progress| ProgressStatus::of(&progress, running.as_ref(), now));
        let expires_on = settings.expires_on.or(ledger.credential_ends());
        SourceStatus {
            schema: "atlaudit/status/1",
            time: MillisTime(now),
            name: name.to_string(),
            kind: settings.target.kind().as_str(),
            state,
            state_error: error.as_ref().map(|error| error.text().to_owned()),
            running: running.map(|holder| ActiveProcess {
                process: holder.process,
                since: holder.since.map(MillisTime),
            }),
            progress,
            lag_seconds: lag.map(|lag| lag.as_millis() as f64 / 1000.0),
            history,
            last_success: ledger.last_success.map(MillisTime),
            runs: ledger.runs(),
            failures_in_a_row: ledger.failures_in_a_row,
            totals: ledger.totals.counts,
            last_run: ledger.last_run.map(LastRunStatus::from),
            ledger_error,
            expires_on,
            expires_in_days: expires_on.map(|end| (end - now.date_naive()).num_days()),
            lag,
            error,
            is_damaged,
            retention: settings.target.kind().descriptor().retention,
        }
    }
}

impl SourceStatus {
    /// What a plugin says of it.
    fn monitored(&self) -> MonitoredSource {
        let failed = self.last_run.as_ref().filter(|run| run.exit_code != 0 && !run.interrupted);
        MonitoredSource {
            name: self.name.clone(),
            lag: self.lag,
            unreadable: self.state_error.clone(),
            is_running: self.running.is_some(),
            failure: failed.map(|run| SourceFailure {
                exit_code: run.exit_code,
                times: self.failures_in_a_row,
                error: self.error_of(run).to_owned(),
            }),
        }
    }

    /// What failed in `run`, without the name of the source.
    fn error_of<'a>(&self, run: &'a LastRunStatus) -> &'a str {
        let error = run.error.as_deref().unwrap_or("no reason is known");
        let prefix = format!("source `{}`: ", self.name);
        error.strip_prefix(&prefix).unwrap_or(error)
    }
}

impl ProgressStatus {
    fn of(progress: &ReadProgress, holder: Option<&LockHolder>, now: Timestamp) -> ProgressStatus {
        let running = holder.is_some_and(|holder| holder.process == progress.process);
        let left = progress.time_left(now).filter(|_| running);
        ProgressStatus {
            process: progress.process,
            running,
            from: MillisTime(progress.from),
            to: MillisTime(progress.to),
            reached: MillisTime(progress.last.reached),
            percent: progress.percent(),
            events: progress.events,
            seconds_left: left.map(|left| left.as_secs()),
            updated: MillisTime(progress.last.at),
        }
    }

    /// `reading: up to 2026-11-12 18:30Z, 46 % of the time range, about 12 minutes left`
    fn describe(&self, zone: UserZone) -> String {
        let so_far =
            format!("up to {}, {} % of the time range", zone.minute(self.reached.0), self.percent);
        let left = self.seconds_left.map(|left| in_words(rounded(left)));
        match (self.running, left) {
            (true, Some(left)) => format!("reading: {so_far}, about {left} left"),
            (true, None) => format!("reading: {so_far}"),
            (false, _) => format!(
                "process {} died while it read, and had come {so_far}; the next pull reads on from \
                 its last checkpoint",
                self.process
            ),
        }
    }
}

/// So many seconds as an estimate can be true to: minutes, where there are several.
fn rounded(seconds: u64) -> Duration {
    Duration::from_secs(if seconds < 120 { seconds } else { seconds.div_ceil(60) * 60 })
}

impl ReadHistory {
    fn of(checkpoint: Checkpoint, coverage: &ReadCoverage) -> ReadHistory {
        let until = checkpoint.complete_until;
        let entry = |span: &CoveredSpan| CoverageEntry {
            from: MillisTime(span.from),
            to: MillisTime(span.to),
            events: span.events,
            read: MillisTime(span.read),
            holes: span.holes,
        };
        let mut covered: Vec<_> = coverage.of(&checkpoint.scope).map(entry).collect();
        if covered.is_empty() {
            covered.extend(CoveredSpan::of_checkpoint(&checkpoint).as_ref().map(entry));
        }
        ReadHistory {
            holes: coverage.holes(&checkpoint.scope),
            since: MillisTime(checkpoint.history_start()),
            complete_until: until.map(MillisTime),
            newest_event: checkpoint.watermark.map(MillisTime),
            events: checkpoint.events,
            checkpoint_written: MillisTime(checkpoint.updated),
            silence: until.and_then(|until| SourceSilence::from_checkpoint(&checkpoint, until)),
            coverage: covered,
            scope: checkpoint.scope,
        }
    }
}

impl From<RunRecord> for LastRunStatus {
    fn from(run: RunRecord) -> LastRunStatus {
        LastRunStatus {
            started: MillisTime(run.started),
            finished: MillisTime(run.finished),
            exit_code: run.exit_code,
            interrupted: run.interrupted,
            hint: run.hint().map(str::to_owned),
            error: run.error,
            causes: run.causes,
            counts: run.counts,
        }
    }
}

/// Days before its expiry from which a credential is highlighted.
const EXPIRY_NOTICE_DAYS: i64 = 30;

const HEADS: [&str; 7] =
    ["SOURCE", "READ UP TO", "LAG", "EVENTS", "LAST RUN", "EXPIRES", "QUIET FOR"];

/// The table of `sources`, then errors and gaps; with `-v` also the ranges that have been read.
fn text(sources: &[SourceStatus], request: &StatusRequest, zone: UserZone) -> String {
    let rows = sources.iter().map(|source| row(source, request.now, zone));
    let mut text = text_table(HEADS, &rows.collect::<Vec<_>>(), request.space);
    let below: Vec<_> = sources.iter().flat_map(|source| notes(source, request, zone)).collect();
    if !below.is_empty() {
        text.push('\n');
    }
    for line in below {
        text.push_str(&printable_line(&line));
        text.push('\n');
    }
    text
}

fn row(source: &SourceStatus, now: Timestamp, zone: UserZone) -> [TableCell; 7] {
    let plain = |text: Option<String>| plain(text.unwrap_or("-".to_owned()));
    let history = source.history.as_ref();
    let until = history.and_then(|history| history.complete_until);
    [
        plain(Some(source.name.clone())),
        plain(until.map(|until| zone.seconds(until.0))),
        plain(source.lag.map(abbreviated)),
        plain(history.map(|history| group_digits(history.events))),
        last_run(source, now),
        expiry(source).unwrap_or_else(|| plain(None)),
        history.and_then(silence).unwrap_or_else(|| plain(None)),
    ]
}

fn last_run(source: &SourceStatus, now: Timestamp) -> TableCell {
    let ago = |time: MillisTime| abbreviated((now - time.0).to_std().unwrap_or_default());
    if let Some(holder) = &source.running {
        let since = holder.since.map(|since| format!(" for {}", ago(since)));
        let text = format!("running{} (process {})", since.unwrap_or_default(), holder.process);
        return (text, CellStyle::Good);
    }
    if source.error.is_some() {
        let text = if source.is_damaged { "state damaged" } else { "state unreadable" };
        return (text.to_owned(), CellStyle::Bad);
    }
    let Some(run) = &source.last_run else {
        return match &source.history {
            None => ("never pulled".to_owned(), CellStyle::Notice),
            // The history of the run is missing, so only the checkpoint shows when it was.
            Some(history) => (format!("{} ago", ago(history.checkpoint_written)), CellStyle::Plain),
        };
    };
    let (how, style) = match run.exit_code {
        0 => ("ok".to_owned(), CellStyle::Good),
        _ if run.interrupted => ("interrupted".to_owned(), CellStyle::Notice),
        code => (format!("FAILED (code {code})"), CellStyle::Bad),
    };
    (format!("{} ago, {how}", ago(run.finished)), style)
}

fn expiry(source: &SourceStatus) -> Option<TableCell> {
    let (day, days) = (source.expires_on?, source.expires_in_days?);
    Some(match days {
        ..0 => (format!("EXPIRED {day}"), CellStyle::Bad),
        0..=EXPIRY_NOTICE_DAYS => (format!("{day} (in {days}d)"), CellStyle::Notice),
        _ => (day.to_string(), CellStyle::Plain),
    })
}

fn silence(history: &ReadHistory) -> Option<TableCell> {
    let text = match history.silence.as_ref()? {
        SourceSilence::Unusual { silent, .. } => abbreviated(*silent),
        SourceSilence::NothingEver { .. } | SourceSilence::NothingInWindow { .. } => {
            "no event ever".to_owned()
        }
    };
    Some((text, CellStyle::Notice))
}

/// What needs attention, and what has been read.
fn notes(source: &SourceStatus, request: &StatusRequest, zone: UserZone) -> Vec<String> {
    let (name, mut notes) = (&source.name, Vec::new());
    let progress = source.progress.iter();
    notes.extend(progress.map(|progress| format!("{name}: {}", progress.describe(zone))));
    let failed = source.last_run.as_ref().filter(|run| run.exit_code != 0 && !run.interrupted);
    if let Some(run) = failed {
        let times = match source.failures_in_a_row {
            0 | 1 => String::new(),
            count => format!(", {} times in a row", group_digits(count)),
        };
        let error = source.error_of(run);
        notes.push(format!("{name}: failed at {}{times}: {error}", zone.seconds(run.finished.0)));
        notes.extend(run.causes.iter().map(|cause| format!("  because: {cause}")));
        notes.extend(run.hint.iter().map(|hint| format!("  hint: {hint}")));
    }
    if let Some(error) = &source.ledger_error {
        notes.push(format!(
            "{name}: {error}; what is known of its runs is lost, of its events nothing"
        ));
    }
    let Some(history) = &source.history else {
        return notes;
    };
    if request.is_verbose {
        notes.extend(history.coverage.iter().map(|span| {
            let events = group_digits(span.events);
            let (from, to) = (zone.seconds(span.from.0), zone.seconds(span.to.0));
            format!("{name}: read {from} to {to}, {events} events")
        }));
    }
    for hole in &history.holes {
        let to = hole.to.unwrap_or(hole.from);
        let span = in_words((to - hole.from).to_std().unwrap_or_default());
        notes.push(format!(
            "{name}: NOT READ {} to {}, {span}{}",
            zone.seconds(hole.from),
            zone.seconds(to),
            removed_since(hole.from, source.retention, request.now, zone)
        ));
    }
    // The next pull starts here, and the source has removed part of it.
    if let Some(MillisTime(until)) = history.complete_until {
        let removed = removed_since(until, source.retention, request.now, zone);
        if !removed.is_empty() {
            notes.push(format!("{name}: read up to {}{removed}", zone.seconds(until)));
        }
    }
    let older: u64 = history.coverage.iter().map(|span| span.holes).sum();
    if older > 0 {
        notes.push(format!("{name}: and {} older holes", group_digits(older)));
    }
    notes
}

/// What of a time range from `since` on can no longer be read at `now`; empty where all of it can.
fn removed_since(
    since: Timestamp,
    retention: Option<LogRetention>,
    now: Timestamp,
    zone: UserZone,
) -> String {
    match retention.and_then(|kept| kept.limit(since, now)) {
        Some(limit) => format!(
            "; this source keeps at most {} days, so nothing before {} can be read any more",
            limit.days,
            zone.seconds(limit.earliest)
        ),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_contains_no_control_characters() {
        assert_eq!(printable_line("a\u{1b}[31m\nb\u{202e}c"), "a [31m b c");
    }
}
