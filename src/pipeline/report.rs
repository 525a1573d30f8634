//! The machine-readable report of a run (`--report`).

use std::time::Duration;

use serde::Serialize;

use crate::config::settings::SourceSettings;
use crate::detect::LiveCounts;
use crate::model::name::SourceKind;
use crate::model::source_kind::RetentionLimit;
use crate::model::text::{counted, group_digits, plural};
use crate::model::time::{Timestamp, Window, format_millis, parse_api_time};
use crate::pipeline::record_processor::RecordCounts;
use crate::pipeline::silence::SourceSilence;
use crate::report::DetectionNotes;
use crate::sink::WrittenFiles;
use crate::telemetry::meter::{SourceMeter, WaitReason};

/// The report of a whole run.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// The version of this format.
    pub schema: &'static str,
    /// Which atlaudit wrote it.
    pub atlaudit: &'static str,
    /// When the run began.
    pub started: String,
    /// When it ended.
    pub finished: String,
    /// The exit code.
    pub exit_code: u8,
    /// The report of each source.
    pub sources: Vec<SourceReport>,
}

/// The report of one source's run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SourceReport {
    /// Its name.
    pub source: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether everything there was has been read.
    pub complete: bool,
    /// The exit code that this source alone would give.
    pub exit_code: u8,
    /// What went wrong, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether a signal ended the run.
    #[serde(skip)]
    pub interrupted: bool,
    /// Whether it was left to another run, which pulls it now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Whether the reader of standard output closed it, as `| head` does.
    #[serde(skip)]
    pub output_closed: bool,
    /// How long it took.
    #[serde(skip)]
    pub duration: Duration,
    /// What looks wrong and is no error.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What a user may want to know, without anything wrong.
    #[serde(skip)]
    pub notices: Vec<String>,
    /// The window begins before what the source still has; `warnings` says so in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionLimit>,
    /// An unusual silence; `warnings` says so in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<SourceSilence>,
    /// Where the source's history began, in its first pull.
    #[serde(skip)]
    pub first_pull: Option<FirstPull>,
    /// The time range of a backfill.
    #[serde(skip)]
    pub backfill: Option<Window>,
    /// The requested time ranges.
    pub windows: Vec<ReportedWindow>,
    /// Events written and committed; the next run fetches the rest again.
    pub events: u64,
    /// Records that were written before, and left out.
    pub repeats: u64,
    /// Records outside the requested window, and left out.
    pub outside_window: u64,
    /// Events written whose record could not be understood.
    pub unparsed: u64,
    /// Events written with a time that could not be read.
    pub unreadable_times: u64,
    /// Events written whose id was written before with another content.
    pub id_clashes: u64,
    /// What was found in the events, where they are judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerts: Option<AlertReport>,
    /// Time of the earliest event written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_event: Option<String>,
    /// Time of the latest event written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event: Option<String>,
    /// The files that the events were written to, by the names that they have now.
    pub files: Vec<String>,
    /// Files written before those, of which only the number is known.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted_files: u64,
    /// Finished files that were deleted, because they are kept no longer.
    #[serde(skip_serializing_if = "DeletedFiles::is_none")]
    pub deleted: DeletedFiles,
    /// Pages read.
    pub pages: u64,
    /// Pages with invalid UTF-8, replaced by U+FFFD in their records.
    pub mended_pages: u64,
    /// Requests sent, repeats included.
    pub requests: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Responses that said to slow down.
    pub rate_limited: u64,
    /// Milliseconds spent waiting for limits and between repeats.
    pub waited_ms: u64,
    /// The same for each reason.
    pub waits: WaitReport,
    /// Bytes of responses, decompressed.
    pub received_bytes: u64,
}

/// Files that were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DeletedFiles {
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl DeletedFiles {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.files == 0
    }

    /// `deleted 3 old files (12,345 bytes)`; nothing without any.
    pub fn summary(self) -> Option<String> {
        let files = plural(self.files, "old file", "old files");
        (!self.is_none()).then(|| format!("deleted {files} ({} bytes)", group_digits(self.bytes)))
    }
}

/// The alerts of a run, by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "they are severities")]
pub struct AlertReport {
    pub critical: u64,
    pub high: u64,
    pub medium: u64,
    pub low: u64,
    pub info: u64,
    /// Kept back by an exception.
    pub excepted: u64,
    /// Events that were judged before their time, because too many waited.
    pub judged_early: u64,
}

impl AlertReport {
    /// Adds those of `other`.
    pub fn add(&mut self, other: &AlertReport) {
        self.critical += other.critical;
        self.high += other.high;
        self.medium += other.medium;
        self.low += other.low;
        self.info += other.info;
        self.excepted += other.excepted;
        self.judged_early += other.judged_early;
    }

    /// `3 alerts (1 high, 2 low)`; nothing without any.
    pub fn summary(&self) -> Option<String> {
        let by_severity = [
            (self.critical, "critical"),
            (self.high, "high"),
            (self.medium, "medium"),
            (self.low, "low"),
            (self.info, "info"),
        ];
        let total = by_severity.iter().map(|(count, _)| count).sum();
        let found = by_severity.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = found.map(|(count, word)| format!("{count} {word}")).collect();
        (total > 0).then(|| format!("{} ({})", counted(total, "alert"), parts.join(", ")))
    }
}

impl From<LiveCounts> for AlertReport {
    fn from(counts: LiveCounts) -> AlertReport {
        let LiveCounts { alerts: [info, low, medium, high, critical], .. } = counts;
        let LiveCounts { excepted, judged_early, .. } = counts;
        AlertReport { critical, high, medium, low, info, excepted, judged_early }
    }
}

/// Where the first pull of a source begins: what is older is never read by a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstPull {
    /// The start of what it reads.
    pub from: Timestamp,
    /// The setting that this follows from; `None` if it is `initial_from`.
    pub initial_lookback: Option<Duration>,
}

impl FirstPull {
    /// The first pull of this source, which reads from `from` on.
    pub fn of(settings: &SourceSettings, from: Timestamp) -> FirstPull {
        let lookback = Some(settings.initial_lookback).filter(|_| settings.initial_from.is_none());
        FirstPull { from, initial_lookback: lookback }
    }
}

/// Milliseconds in which at least one request waited, by reason.
#[derive(Debug, Clone, Default, Serialize)]
pub struct WaitReport {
    /// Our own limits held it back.
    pub quota_ms: u64,
    /// The server had requested a pause.
    pub server_ms: u64,
    /// A request had failed and was retried later.
    pub backoff_ms: u64,
}

/// A time range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportedWindow {
    /// Its start.
    pub from: String,
    /// Its end, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl From<Window> for ReportedWindow {
    fn from(window: Window) -> ReportedWindow {
        ReportedWindow { from: format_millis(window.from), to: window.to.map(format_millis) }
    }
}

impl SourceReport {
    /// The report of a source before its run.
    pub fn new(source: &str, kind: &'static str) -> SourceReport {
        SourceReport { source: source.to_owned(), kind, ..SourceReport::default() }
    }

    /// Fills in where the events went. A run that committed none has written no file.
    pub fn set_files(&mut self, written: &WrittenFiles) {
        if self.events > 0 {
            let paths = written.paths().map(|path| path.display().to_string());
            self.files = paths.collect();
            self.omitted_files = written.omitted();
        }
    }

    /// Fills in what was found in the events, of which `undated` could not be judged.
    pub fn set_alerts(&mut self, found: LiveCounts, undated: u64) {
        self.alerts = Some(found.into());
        let LiveCounts { excepted, forgotten, uncorrelated, .. } = found;
        let notes =
            DetectionNotes { excepted, undated, forgotten, uncorrelated, is_learning: false };
        self.warnings.extend(notes.warnings());
        if found.undelivered > 0 {
            self.warnings.push(format!(
                "{} not sent to the program of `[detect.notify]`: too many wait for it",
                plural(found.undelivered, "alert is", "alerts are")
            ));
        }
        if found.judged_early > 0 {
            self.warnings.push(format!(
                "{} judged before all that happened earlier had come: more events than can wait \
                 happened within `lateness` of `[detect]`",
                plural(found.judged_early, "event was", "events were")
            ));
        }
    }

    /// Warns where a one-off `window` begins before what sources of type `kind` keep. Call it once
    /// the events are counted. (An export says so in its manifest.)
    pub fn warn_about_retention(&mut self, kind: SourceKind, window: Window, start: Timestamp) {
        let retention = kind.descriptor().retention;
        self.retention = retention.and_then(|kept| kept.limit(window.from, start));
        if let Some(limit) = self.retention {
            let first = self.first_event.as_deref().and_then(parse_api_time);
            self.warnings.push(limit.describe(window.from, first));
        }
    }

    /// Fills in what was written and what it took.
    pub fn set_counts(&mut self, counts: &RecordCounts, meter: &SourceMeter) {
        let text = |time: Option<Timestamp>| time.map(format_millis);
        self.events = counts.events;
        self.repeats = counts.repeats;
        self.outside_window = counts.outside;
        self.unparsed = counts.unparsed;
        self.unreadable_times = counts.unreadable_times;
        self.id_clashes = counts.clashes;
        self.first_event = text(counts.first);
        self.last_event = text(counts.last);
        self.pages = meter.pages.get();
        self.mended_pages = meter.mended_pages.get();
        self.requests = meter.requests.get();
        self.retries = meter.retries.get();
        self.rate_limited = meter.limited.get();
        self.waited_ms = meter.waited_ms();
        self.waits = WaitReport {
            quota_ms: meter.waited_for_ms(WaitReason::Quota),
            server_ms: meter.waited_for_ms(WaitReason::Server),
            backoff_ms: meter.waited_for_ms(WaitReason::Backoff),
        };
        self.received_bytes = meter.received_bytes.get();
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
