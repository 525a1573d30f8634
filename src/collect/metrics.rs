//! `--metrics-file`: which metrics there are, and when they are written, in Prometheus' text
//! format, into the file that the node exporter's textfile collector reads.

use std::convert::Infallible;
use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{NaiveDate, NaiveTime};

use crate::collect::run_registry::{RunRegistry, SourceSnapshot};
use crate::crash;
use crate::error::AppError;
use crate::exit::Exit;
use crate::files::{Durability, FileReplacement};
use crate::model::time::Timestamp;
use crate::state::run_history::{CheckpointPosition, RunCounts};

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

/// A counter: its name and its help, and its value.
type CounterDefinition = (&'static str, fn(&RunCounts) -> u64);

const COUNTERS: [CounterDefinition; 6] = [
    ("atlaudit_events_total Events written and committed.", |counts| counts.events),
    ("atlaudit_pages_total Pages of records read.", |counts| counts.pages),
    ("atlaudit_requests_total Requests sent, repeats included.", |counts| counts.requests),
    ("atlaudit_retries_total Requests that were sent again after a failure.", |counts| {
        counts.retries
    }),
    ("atlaudit_rate_limited_total Responses that asked to slow down (429).", |counts| {
        counts.rate_limited
    }),
    ("atlaudit_received_bytes_total Bytes of responses, decompressed.", |counts| {
        counts.received_bytes
    }),
];

/// A gauge: its name and its help, and its value if there is one.
type GaugeDefinition = (&'static str, fn(&SourceSnapshot, Timestamp) -> Option<f64>);

const GAUGES: [GaugeDefinition; 12] = [
    (
        "atlaudit_complete_until_timestamp_seconds Until when every event has been read.",
        |source, _| Some(seconds(position(source)?.complete_until?)),
    ),
    (
        "atlaudit_lag_seconds Age of complete_until when this was written; time() - \
         atlaudit_complete_until_timestamp_seconds is never stale.",
        |source, now| Some(seconds_between(position(source)?.complete_until?, now)),
    ),
    (
        "atlaudit_newest_event_timestamp_seconds The position of the newest event written.",
        |source, _| Some(seconds(position(source)?.newest?)),
    ),
    ("atlaudit_checkpoint_timestamp_seconds When the checkpoint was last written.", |source, _| {
        Some(seconds(position(source)?.updated))
    }),
    ("atlaudit_running Whether the source is being pulled.", |source, _| {
        Some(f64::from(u8::from(source.is_running)))
    }),
    ("atlaudit_last_run_timestamp_seconds When the last run ended.", |source, _| {
        Some(seconds(source.history.last_run.as_ref()?.finished))
    }),
    ("atlaudit_last_run_duration_seconds How long the last run took.", |source, _| {
        let run = source.history.last_run.as_ref()?;
        Some(seconds_between(run.started, run.finished))
    }),
    ("atlaudit_last_run_exit_code How the last run ended; 0 is a success.", |source, _| {
        Some(f64::from(source.history.last_run.as_ref()?.exit_code))
    }),
    ("atlaudit_last_success_timestamp_seconds When the last successful run ended.", |source, _| {
        source.history.last_success.map(seconds)
    }),
    ("atlaudit_failures_in_a_row Failed runs since the last successful one.", |source, _| {
        Some(source.history.failures_in_a_row as f64)
    }),
    (
        "atlaudit_coverage_holes Time ranges between those read that were never read.",
        |source, _| Some(holes(source) as f64),
    ),
    (
        "atlaudit_credential_expiry_timestamp_seconds The end of the last day of the source's \
         credential, where it is known.",
        |source, _| source.expires_on.and_then(end_of_day).map(seconds),
    ),
];

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
    let process = [
        (
            "atlaudit_build_info Which atlaudit wrote this.",
            vec![("version", env!("CARGO_PKG_VERSION"))],
            1.0,
        ),
        (
            "atlaudit_up Whether the process that wrote this was going to write again.",
            vec![],
            f64::from(u8::from(is_up)),
        ),
        (
            "atlaudit_process_start_time_seconds When the process that wrote this began; counters \
             continue over processes, from the run history.",
            vec![],
            seconds(started),
        ),
    ];
    for (metric, labels, value) in process {
        text.add("gauge", metric, [(labels, value)]);
    }
    for (metric, count) in COUNTERS {
        let sample = |source| (labels(source, &[]), count(&source.history.totals.counts) as f64);
        text.add("counter", metric, sources.iter().map(sample));
    }
    text.add(
        "counter",
        "atlaudit_wait_seconds_total Seconds in which at least one request waited: for our own \
         limits (quota), as the server requested (server), before a repeat (backoff).",
        sources.iter().flat_map(wait_seconds),
    );
    let ends: Vec<_> = sources.iter().map(runs_by_exit_code).collect();
    let samples = sources.iter().zip(&ends).flat_map(|(source, ends)| {
        ends.iter().map(move |(code, count)| {
            (labels(source, &[("exit_code", code.as_str())]), *count as f64)
        })
    });
    text.add(
        "counter",
        "atlaudit_runs_total Runs in the run history, by exit code; 0 is a success. One that found \
         its source locked is not in it.",
        samples,
    );
    for (metric, value) in GAUGES {
        let sample = |source| Some((labels(source, &[]), value(source, now)?));
        text.add("gauge", metric, sources.iter().filter_map(sample));
    }
    text.0
}

/// The label pairs of a sample.
type MetricLabels<'a> = Vec<(&'a str, &'a str)>;

fn labels<'a>(source: &'a SourceSnapshot, more: &[(&'a str, &'a str)]) -> MetricLabels<'a> {
    [&[("source", source.name.as_str()), ("type", source.kind)], more].concat()
}

fn wait_seconds(source: &SourceSnapshot) -> [(MetricLabels<'_>, f64); 3] {
    let counts = &source.history.totals.counts;
    let waits = [
        ("quota", counts.quota_wait_ms),
        ("server", counts.server_wait_ms),
        ("backoff", counts.backoff_wait_ms),
    ];
    waits.map(|(reason, ms)| (labels(source, &[("reason", reason)]), ms as f64 / 1000.0))
}

/// How many runs ended with each exit code. 0 is always there, so that the first success is an
/// increase.
fn runs_by_exit_code(source: &SourceSnapshot) -> Vec<(String, u64)> {
    let mut ends = source.history.totals.ends.clone();
    ends.entry(0).or_default();
    ends.into_iter().map(|(code, count)| (code.to_string(), count)).collect()
}

fn position(source: &SourceSnapshot) -> Option<&CheckpointPosition> {
    source.history.position.as_ref()
}

fn holes(source: &SourceSnapshot) -> u64 {
    position(source).map_or(0, |position| source.history.coverage.count_holes(&position.scope))
}

fn seconds(time: Timestamp) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}

/// From the milliseconds: a difference of two floating-point times has noise in its last digits.
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    (to - from).num_milliseconds() as f64 / 1000.0
}

fn end_of_day(day: NaiveDate) -> Option<Timestamp> {
    Some(day.succ_opt()?.and_time(NaiveTime::MIN).and_utc())
}

/// Metric families as Prometheus text.
#[derive(Debug, Default)]
struct MetricsText(String);

impl MetricsText {
    /// Adds the family `metric`, its name and its help, with its samples; nothing without any.
    fn add<'a>(
        &mut self,
        kind: &str,
        metric: &str,
        samples: impl IntoIterator<Item = (MetricLabels<'a>, f64)>,
    ) {
        let escape = |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n");
        let name = metric.split(' ').next().unwrap_or_default();
        let samples = samples.into_iter().map(|(labels, value)| {
            let label = |(key, value): &(&str, &str)| {
                format!("{key}=\"{}\"", escape(value).replace('"', "\\\""))
            };
            let labels: Vec<_> = labels.iter().map(label).collect();
            match labels.is_empty() {
                true => format!("{name} {value}\n"),
                false => format!("{name}{{{}}} {value}\n", labels.join(",")),
            }
        });
        let samples: String = samples.collect();
        if !samples.is_empty() {
            let metric = escape(metric);
            self.0.push_str(&format!("# HELP {metric}\n# TYPE {name} {kind}\n{samples}"));
        }
    }
}

/// Replaces the file `path` with `text`, whole or not at all, with the permission bits `mode`. The
/// temporary file beside it does not end as the collector's files do.
///
/// # Errors
/// What the file system says; an old file is still there.
fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    if path.symlink_metadata().is_ok_and(|facts| !facts.is_file()) {
        return Err(io::Error::other("it is not a regular file"));
    }
    // After a crash nobody wants the old metrics.
    FileReplacement::new(path, Durability::None).named(".atlaudit-metrics-", ".tmp").write(|out| {
        out.write_all(text.as_bytes())?;
        out.get_ref().set_permissions(Permissions::from_mode(mode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_family_is_written_as_the_format_wants_it() {
        let mut text = MetricsText::default();
        let samples = [(vec![("source", "a\"b\\c\nd"), ("type", "x")], 12.0), (vec![], 1.5)];
        text.add("counter", "x_total All\nof \\ it.", samples);
        text.add("gauge", "none Nothing.", []);
        assert_eq!(
            text.0,
            "# HELP x_total All\\nof \\\\ it.\n# TYPE x_total counter\nx_total{source=\"a\\\"b\\\\c\\nd\",type=\"x\"} 12\nx_total 1.5\n"
        );
    }

    #[test]
    fn large_numbers_stay_exact() {
        let mut text = MetricsText::default();
        text.add("gauge", "x ", [(vec![], 9_007_199_254_740_991.0)]);
        assert!(text.0.ends_with("x 9007199254740991\n"));
    }

    #[test]
    fn the_file_is_replaced_and_has_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.prom");
        for (text, mode) in [("one\n", 0o644), ("two\n", 0o640)] {
            replace(&path, text, mode).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            let found = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        replace(folder.path(), "x", 0o644).unwrap_err();
        replace(Path::new("/dev/null"), "x", 0o644).unwrap_err();
        replace(&folder.path().join("no/x.prom"), "x", 0o644).unwrap_err();
    }
}
