//! Defines what is remembered of one source between two runs, and the text of its state file.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::output_file_state::OutputFileState;
use crate::model::time::{Timestamp, Window};
use crate::state::dedup_cache::DedupCache;
use crate::state::detection_log::LogPosition;
use crate::state::event_gaps::EventGaps;
use crate::state::{StateError, parse_versioned};

/// The newest version of the state file that this program reads and writes.
const VERSION: u64 = 1;

/// The state file: its version says how the rest is to be read.
#[derive(Debug, Serialize)]
#[serde(tag = "version")]
enum VersionedCheckpoint<C> {
    /// Version 1.
    #[serde(rename = "1")]
    V1(C),
}

/// The checkpoint that the text of the state file at `path` holds.
///
/// # Errors
/// It is damaged, or was written by a newer version.
pub fn read(path: &Path, text: &[u8]) -> Result<Checkpoint, StateError> {
    // Not as `VersionedCheckpoint`: serde would take all of it into memory first, to look for the
    // version.
    parse_versioned(path, text, VERSION)
}

/// Only the output files that the text of a state file names; `None` if it is not one.
pub fn outputs(text: &[u8]) -> Option<Vec<OutputFileState>> {
    #[derive(Deserialize)]
    struct CheckpointOutputs {
        outputs: Vec<OutputFileState>,
        detection: Option<DetectionCheckpoint>,
    }
    let found = serde_json::from_slice::<CheckpointOutputs>(text).ok()?;
    let alerts = found.detection.map_or(Vec::new(), |detection| detection.outputs);
    Some(found.outputs.into_iter().chain(alerts).collect())
}

/// Writes the text of `checkpoint`'s state file.
///
/// # Errors
/// What `out` says.
pub fn write(checkpoint: &Checkpoint, out: &mut impl io::Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &VersionedCheckpoint::V1(checkpoint))?;
    out.write_all(b"\n")
}

/// How far a source was read. It is true of the output too: it is saved only after the
/// output's commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The source's name, for people who read the file.
    pub source: String,
    /// What the records belong to: `org-events:<org id>`, `jira-audit:<site>`. Another scope
    /// under the same name is another history.
    pub scope: String,
    /// Where the first pull began.
    pub since: Timestamp,
    /// Where the history begins, if it was extended backwards since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfilled_to: Option<Timestamp>,
    /// How far it is being extended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<BackfillProgress>,
    /// What is still to be read, each window with its own resume point. org-events keeps one
    /// without an end, whose cursor never ends; a time-sliced source has none when it is
    /// done.
    pub windows: Vec<OpenWindow>,
    /// The event query whose results are to be read next.
    #[serde(default, skip_serializing_if = "Option::is_none")] // only a back-fill has one
    pub event_query: Option<OpenQuery>,
    /// The position of the last record that was written.
    pub watermark: Option<Timestamp>,
    /// The records written near the watermark, and since the resume point.
    #[serde(rename = "seen")]
    pub dedup_cache: DedupCache,
    /// During a reread: what lies before this was written by the first reading.
    #[serde(default)] // what an earlier atlaudit wrote has none
    pub written_before: Option<Timestamp>,
    /// How often events come.
    #[serde(default, rename = "rhythm")]
    pub event_gaps: EventGaps,
    /// The output files and how much of each is good.
    pub outputs: Vec<OutputFileState>,
    /// How far the attempt log of an export is committed.
    #[serde(rename = "kept", default, skip_serializing_if = "Option::is_none")]
    pub export_progress: Option<ExportProgress>,
    /// What detection remembers, and its alerts.
    #[serde(default, skip_serializing_if = "Option::is_none")] // only where it is enabled
    pub detection: Option<DetectionCheckpoint>,
    /// Events written since the history began.
    pub events: u64,
    /// The start of the last run that read everything there was.
    pub complete_until: Option<Timestamp>,
    /// When this was written.
    pub updated: Timestamp,
}

impl Checkpoint {
    /// The files of events, then those of alerts.
    pub fn all_outputs(&self) -> impl Iterator<Item = &OutputFileState> {
        let alerts = self.detection.iter().flat_map(|detection| &detection.outputs);
        self.outputs.iter().chain(alerts)
    }

    /// Where the history begins.
    pub fn history_start(&self) -> Timestamp {
        self.backfilled_to.unwrap_or(self.since)
    }

    /// Whether anything was written of before the first pull began.
    pub fn is_extended(&self) -> bool {
        self.backfill.is_some() || self.backfilled_to.is_some()
    }

    /// The same, to be changed.
    pub fn all_outputs_mut(&mut self) -> impl Iterator<Item = &mut OutputFileState> {
        let alerts = self.detection.iter_mut().flat_map(|detection| &mut detection.outputs);
        self.outputs.iter_mut().chain(alerts)
    }

    /// Whether no run of this checkpoint has read or written anything: at most one opened an
    /// output file.
    pub fn has_no_progress(&self) -> bool {
        self.events == 0
            && self.complete_until.is_none()
            && self.watermark.is_none()
            && self.written_before.is_none()
            && self.export_progress.is_none()
            && self.windows.iter().all(|window| window.cursor.is_none())
    }
}

/// How far a backfill has come. It moves nothing of what the pulls move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackfillProgress {
    /// Where the history begins once it is done.
    pub from: Timestamp,
    /// What is still to be read.
    pub windows: Vec<OpenWindow>,
    /// The event query whose results are to be read next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_query: Option<OpenQuery>,
    /// The position of the last record that it wrote.
    pub watermark: Option<Timestamp>,
    /// The records written near it.
    #[serde(rename = "seen")]
    pub dedup_cache: DedupCache,
    /// During a reread: what lies before this was written by the first reading.
    pub written_before: Option<Timestamp>,
}

/// How far the attempt log of an export is committed. It is saved together with its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportProgress {
    /// The file of its pages; nothing before the first line.
    pub pages: Option<OutputFileState>,
    /// Lines in it.
    pub lines: u64,
    /// Records that repeated others, and were left out.
    pub repeats: u64,
    /// Records from outside of the window, left out.
    pub outside: u64,
    /// The end of the requested range: the end of the window plus `late_margin`.
    pub until: Timestamp,
}

/// How far the events of a source were judged. It is saved together with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectionCheckpoint {
    /// What is remembered; nothing before the first commit.
    pub log: Option<LogPosition>,
    /// The files of alerts and how much of each is good.
    pub outputs: Vec<OutputFileState>,
    /// [`Checkpoint::events`] of the last commit of a run that judged them; later ones were
    /// written without being judged.
    pub events: u64,
    /// Events that wait to be judged.
    #[serde(default)]
    pub waiting: u64,
}

/// An event query that the server runs for us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenQuery {
    /// Its id at the server.
    pub id: String,
    /// The first instant that it searches.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

/// A window that is not read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenWindow {
    /// Its start; moves up as slices are finished.
    pub from: Timestamp,
    /// Its end, if it has one.
    pub to: Option<Timestamp>,
    /// The cursor to resume from.
    pub cursor: Option<String>,
    /// Whether what it brings may have been written before.
    #[serde(default)] // what an earlier atlaudit wrote has none
    pub rereads: bool,
    /// When a read by time, and not through a cursor, last reached the end; for a stream that
    /// ends without a cursor, when one from far back did.
    #[serde(default, skip_serializing_if = "Option::is_none")] // only streams have one
    pub read_by_time: Option<Timestamp>,
}

impl OpenWindow {
    /// Whether an earlier run began to read it again and came some way.
    pub fn is_reread_in_progress(&self) -> bool {
        self.rereads && self.cursor.is_some()
    }

    /// The time range.
    pub fn window(&self) -> Window {
        Window { from: self.from, to: self.to }
    }
}
