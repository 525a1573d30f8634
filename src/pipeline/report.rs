//! The machine-readable report of a run (`--report`).

use std::time::Duration;

use serde::Serialize;

use crate::model::name::SourceKind;
use crate::model::retention::RetentionLimit;
use crate::model::time::{Timestamp, Window, format_millis, parse_api_time};
use crate::pipeline::record_processor::RecordCounts;
use crate::pipeline::silence::SourceSilence;
use crate::sink::WrittenFiles;
use crate::telemetry::meter::{SourceMeter, WaitReason};

/// The account of a whole run.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// The form of this account.
    pub schema: &'static str,
    /// Which atlaudit wrote it.
    pub atlaudit: &'static str,
    /// When the run began.
    pub started: String,
    /// When it ended.
    pub finished: String,
    /// The exit code.
    pub exit_code: u8,
    /// Each source's account.
    pub sources: Vec<SourceReport>,
}

/// The account of one source's run.
#[derive(Debug, Clone, Serialize)]
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
    /// Whether the run ended because nobody reads its output any more, as `| head` does.
    #[serde(skip)]
    pub output_closed: bool,
    /// How long it took.
    #[serde(skip)]
    pub duration: Duration,
    /// What looks wrong without being an error.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What a person may want to know, and nothing is wrong with.
    #[serde(skip)]
    pub notices: Vec<String>,
    /// That the window begins before what the source keeps; `warnings` has it in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionLimit>,
    /// A silence that someone should know of; `warnings` has it in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<SourceSilence>,
    /// Where the source's history began, in its first pull.
    #[serde(skip)]
    pub first_pull: Option<FirstPull>,
    /// The spans of time asked for.
    pub windows: Vec<ReportedWindow>,
    /// Events written and committed: what was not comes again with the next run.
    pub events: u64,
    /// Records met again that had been written before, and left out.
    pub repeats: u64,
    /// Records outside the window asked for, and left out.
    pub outside_window: u64,
    /// Events written whose record could not be understood.
    pub unparsed: u64,
    /// Events written with a time that could not be read.
    pub unreadable_times: u64,
    /// Events written whose id was written before with another content.
    pub id_clashes: u64,
    /// Time of the earliest event written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_event: Option<String>,
    /// Time of the latest event written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_event: Option<String>,
    /// The files that the events were written to, by the names that they have now.
    pub files: Vec<String>,
    /// Files written before those, of which only the number was kept.
    #[serde(skip_serializing_if = "is_zero")]
    pub omitted_files: u64,
    /// Pages read.
    pub pages: u64,
    /// Pages with bytes that are no UTF-8, which U+FFFD replaces in their records.
    pub mended_pages: u64,
    /// Requests sent, repeats included.
    pub requests: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Answers that asked to slow down.
    pub rate_limited: u64,
    /// Milliseconds spent waiting for limits and between repeats.
    pub waited_ms: u64,
    /// The same for each reason.
    pub waits: WaitReport,
    /// Bytes of responses, decompressed.
    pub received_bytes: u64,
}

/// Where the first pull of a source begins: what is older is never read by a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstPull {
    /// The start of what it reads.
    pub from: Timestamp,
    /// The setting that this follows from.
    pub initial_lookback: Duration,
}

/// Milliseconds in which at least one request waited, by reason.
#[derive(Debug, Clone, Default, Serialize)]
pub struct WaitReport {
    /// Our own limits held it back.
    pub quota_ms: u64,
    /// The server had asked for a pause.
    pub server_ms: u64,
    /// It had failed, and was tried again later.
    pub backoff_ms: u64,
}

/// A span of time.
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
    /// The account of a source that nothing has been done for yet.
    pub fn new(source: &str, kind: &'static str) -> SourceReport {
        SourceReport {
            source: source.to_owned(),
            kind,
            complete: false,
            exit_code: 0,
            error: None,
            interrupted: false,
            output_closed: false,
            duration: Duration::ZERO,
            warnings: Vec::new(),
            notices: Vec::new(),
            retention: None,
            silence: None,
            first_pull: None,
            windows: Vec::new(),
            events: 0,
            repeats: 0,
            outside_window: 0,
            unparsed: 0,
            unreadable_times: 0,
            id_clashes: 0,
            first_event: None,
            last_event: None,
            files: Vec::new(),
            omitted_files: 0,
            pages: 0,
            mended_pages: 0,
            requests: 0,
            retries: 0,
            rate_limited: 0,
            waited_ms: 0,
            waits: WaitReport::default(),
            received_bytes: 0,
        }
    }

    /// Fills in where the events went. A run that committed none has written no file.
    pub fn set_files(&mut self, written: &WrittenFiles) {
        if self.events > 0 {
            let paths = written.paths().map(|path| path.display().to_string());
            self.files = paths.collect();
            self.omitted_files = written.omitted();
        }
    }

    /// Warns where a one-off `window` begins before what sources of type `kind` keep. To be called once
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
    pub fn set_counts(&mut self, tally: &RecordCounts, meter: &SourceMeter) {
        let text = |time: Option<Timestamp>| time.map(format_millis);
        self.events = tally.events;
        self.repeats = tally.repeats;
        self.outside_window = tally.outside;
        self.unparsed = tally.unparsed;
        self.unreadable_times = tally.unreadable_times;
        self.id_clashes = tally.clashes;
        self.first_event = text(tally.first);
        self.last_event = text(tally.last);
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
