//! `--metrics-file`: which metrics there are, and when they are written.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};

use crate::collect::run_registry::{RunRegistry, SourceSnapshot};
use crate::crash;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::time::Timestamp;
use crate::state::run_history::{CheckpointPosition, RunCounts};
use crate::telemetry::prometheus::{MetricKind, MetricsText, replace};

/// How often the metrics are written while something runs, in milliseconds.
const INTERVAL_MS: usize = 15_000;

/// The metrics say nothing secret, and the node exporter that reads them runs as another user.
const DEFAULT_MODE: u32 = 0o644;

/// The file of the metrics.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    mode: u32,
    registry: Arc<RunRegistry>,
    started: Timestamp,
    /// Whether the last write failed.
    is_failing: AtomicBool,
}

/// A counter's name, its help, and its value.
type CounterDefinition = (&'static str, &'static str, fn(&RunCounts) -> u64);

const COUNTERS: [CounterDefinition; 6] = [
    ("atlaudit_events_total", "Events written and committed.", |counts| counts.events),
    ("atlaudit_pages_total", "Pages of records read.", |counts| counts.pages),
    ("atlaudit_requests_total", "Requests sent, repeats included.", |counts| counts.requests),
    ("atlaudit_retries_total", "Requests that were sent again after a failure.", |counts| {
        counts.retries
    }),
    ("atlaudit_rate_limited_total", "Responses that asked to slow down (429).", |counts| {
        counts.rate_limited
    }),
    ("atlaudit_received_bytes_total", "Bytes of responses, decompressed.", |counts| {
        counts.received_bytes
    }),
];

/// A gauge's name, its help, and its value if there is one.
type GaugeDefinition = (&'static str, &'static str, fn(&SourceSnapshot, Timestamp) -> Option<f64>);

const GAUGES: [GaugeDefinition; 12] = [
    (
        "atlaudit_complete_until_timestamp_seconds",
        "Until when every event has been read.",
        |facts, _| complete_until(facts).map(seconds),
    ),
    (
        "atlaudit_lag_seconds",
        "How long ago that is, at the time of writing; \
         time() - atlaudit_complete_until_timestamp_seconds is never stale.",
        |facts, now| complete_until(facts).map(|until| seconds(now) - seconds(until)),
    ),
    (
        "atlaudit_newest_event_timestamp_seconds",
        "The place of the newest event written.",
        |facts, _| position(facts)?.newest.map(seconds),
    ),
    (
        "atlaudit_checkpoint_timestamp_seconds",
        "When the checkpoint was last written.",
        |facts, _| Some(seconds(position(facts)?.updated)),
    ),
    ("atlaudit_running", "Whether the source is being pulled.", |facts, _| {
        Some(f64::from(u8::from(facts.is_running)))
    }),
    ("atlaudit_last_run_timestamp_seconds", "When the last run ended.", |facts, _| {
        Some(seconds(facts.last_run.as_ref()?.finished))
    }),
    ("atlaudit_last_run_duration_seconds", "How long the last run took.", |facts, _| {
        let run = facts.last_run.as_ref()?;
        Some(seconds(run.finished) - seconds(run.started))
    }),
    ("atlaudit_last_run_exit_code", "How the last run ended; 0 is a success.", |facts, _| {
        Some(f64::from(facts.last_run.as_ref()?.exit_code))
    }),
    (
        "atlaudit_last_success_timestamp_seconds",
        "When the last successful run ended.",
        |facts, _| facts.last_success.map(seconds),
    ),
    ("atlaudit_failures_in_a_row", "Failed runs since the last successful one.", |facts, _| {
        Some(facts.failures_in_a_row as f64)
    }),
    (
        "atlaudit_coverage_holes",
        "Spans of time between those read that were never read.",
        |facts, _| Some(facts.holes as f64),
    ),
    (
        "atlaudit_credential_expiry_timestamp_seconds",
        "The end of the last day of the source's credential, where it is known.",
        |facts, _| facts.expires_on.and_then(end_of_day).map(seconds),
    ),
];

const BUILD: (&str, &str) = ("atlaudit_build_info", "Which atlaudit wrote this.");

const UP: (&str, &str) = ("atlaudit_up", "Whether the process that wrote this was to go on.");

const STARTED: (&str, &str) = (
    "atlaudit_process_start_time_seconds",
    "When the process that wrote this began; counters go on over processes, from the ledgers.",
);

const WAITS: (&str, &str) = (
    "atlaudit_wait_seconds_total",
    "Seconds in which at least one request waited: for our own limits (quota), as the server requested \
     (server), before a repeat (backoff).",
);

const RUNS: (&str, &str) = (
    "atlaudit_runs_total",
    "Runs in the ledger, by exit code; 0 is a success. One that never held its source is not in \
     it.",
);

impl MetricsFile {
    /// Writes the metrics to `path` for the first time, so that a wrong path is refused at once.
    /// `mode` is the file mode of the configuration, if it sets one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(
        path: &Path,
        mode: Option<u32>,
        registry: Arc<RunRegistry>,
    ) -> Result<MetricsFile, AppError> {
        let file = MetricsFile {
            path: path.to_owned(),
            mode: mode.unwrap_or(DEFAULT_MODE),
            registry,
            started: chrono::Utc::now(),
            is_failing: AtomicBool::new(false),
        };
        file.write(true).map_err(|error| error.hint("check the path of `--metrics-file`"))?;
        Ok(file)
    }

    /// How often the metrics are written.
    pub fn interval() -> Duration {
        let ms = crash::limit("METRICS_MS", INTERVAL_MS);
        Duration::from_millis(ms.try_into().unwrap_or(u64::MAX))
    }

    /// Writes the metrics periodically, and never returns.
    pub async fn refresh_periodically(&self) -> Infallible {
        loop {
            tokio::time::sleep(MetricsFile::interval()).await;
            self.refresh();
        }
    }

    /// Writes the metrics. A failure stops no pull, and is logged once until a write succeeds
    /// again.
    pub fn refresh(&self) {
        match self.write(true) {
            Ok(()) => self.is_failing.store(false, Ordering::Relaxed),
            Err(_) if self.is_failing.swap(true, Ordering::Relaxed) => {}
            Err(error) => tracing::warn!("{}: {}", error.text(), error.causes().join(": ")),
        }
    }

    /// Writes the metrics for the last time.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn close(&self) -> Result<(), AppError> {
        self.write(false).map_err(|error| {
            error.hint("the pull itself is complete, with its output and checkpoint")
        })
    }

    /// Writes the metrics; `is_up` says whether more will follow.
    ///
    /// # Errors
    /// The file cannot be written.
    fn write(&self, is_up: bool) -> Result<(), AppError> {
        let text = text(&self.registry.snapshots(), self.started, is_up, chrono::Utc::now());
        replace(&self.path, &text, self.mode).map_err(|error| {
            let what = format!("cannot write the metrics file `{}`", self.path.display());
            AppError::new(Exit::Output, what).because(&error)
        })
    }
}

/// The metrics of all sources as Prometheus text.
fn text(sources: &[SourceSnapshot], started: Timestamp, is_up: bool, now: Timestamp) -> String {
    let mut text = MetricsText::default();
    add_process_metrics(&mut text, started, is_up);
    for (name, help, count) in COUNTERS {
        let samples = sources.iter();
        let samples = samples.map(|facts| (labels(facts), count(&facts.totals.counts) as f64));
        text.family(name, MetricKind::Counter, help, samples);
    }
    let (name, help) = WAITS;
    let samples = sources.iter().flat_map(wait_seconds);
    text.family(name, MetricKind::Counter, help, samples);
    let ends: Vec<_> = sources.iter().map(runs_by_exit_code).collect();
    let samples = sources.iter().zip(&ends).flat_map(|(facts, ends)| {
        ends.iter().map(move |(code, count)| {
            let mut labels = labels(facts);
            labels.push(("exit_code", code.as_str()));
            (labels, *count as f64)
        })
    });
    let (name, help) = RUNS;
    text.family(name, MetricKind::Counter, help, samples);
    for (name, help, value) in GAUGES {
        let samples = sources.iter();
        let samples = samples.filter_map(|facts| Some((labels(facts), value(facts, now)?)));
        text.family(name, MetricKind::Gauge, help, samples);
    }
    text.into_text()
}

/// Adds the metrics of the process.
fn add_process_metrics(text: &mut MetricsText, started: Timestamp, is_up: bool) {
    let (name, help) = BUILD;
    let version = vec![("version", env!("CARGO_PKG_VERSION"))];
    text.family(name, MetricKind::Gauge, help, [(version, 1.0)]);
    let (name, help) = UP;
    let is_up = f64::from(u8::from(is_up));
    text.family(name, MetricKind::Gauge, help, [(vec![], is_up)]);
    let (name, help) = STARTED;
    text.family(name, MetricKind::Gauge, help, [(vec![], seconds(started))]);
}

fn labels(facts: &SourceSnapshot) -> Vec<(&str, &str)> {
    vec![("source", &facts.name), ("type", facts.kind)]
}

fn wait_seconds(facts: &SourceSnapshot) -> [(Vec<(&str, &str)>, f64); 3] {
    let counts = &facts.totals.counts;
    [
        ("quota", counts.quota_wait_ms),
        ("server", counts.server_wait_ms),
        ("backoff", counts.backoff_wait_ms),
    ]
    .map(|(reason, ms)| {
        let mut labels = labels(facts);
        labels.push(("reason", reason));
        (labels, ms as f64 / 1000.0)
    })
}

/// How many runs ended with each exit code. 0 is always there, so that the first success is an
/// increase.
fn runs_by_exit_code(facts: &SourceSnapshot) -> Vec<(String, u64)> {
    let mut ends = facts.totals.ends.clone();
    ends.entry(0).or_default();
    ends.into_iter().map(|(code, count)| (code.to_string(), count)).collect()
}

fn position(facts: &SourceSnapshot) -> Option<&CheckpointPosition> {
    facts.position.as_ref()
}

fn complete_until(facts: &SourceSnapshot) -> Option<Timestamp> {
    position(facts)?.complete_until
}

fn seconds(time: Timestamp) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}

fn end_of_day(day: NaiveDate) -> Option<Timestamp> {
    Some(day.succ_opt()?.and_time(NaiveTime::MIN).and_utc())
}
