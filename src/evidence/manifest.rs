//! The manifest: what an export says of itself, in one file that people and `verify` read.

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::source_kind::RetentionLimit;
use crate::model::time::Timestamp;
use crate::report::DetectionNotes;

/// The format of this manifest.
pub const SCHEMA: &str = "atlaudit/manifest/1";

/// What was requested: two exports with equal ones are the same export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportParameters {
    /// Events at or after this time.
    pub since: Timestamp,
    /// Events before this time.
    pub until: Timestamp,
    /// The sources' names, in the order of the configuration.
    pub sources: Vec<String>,
    /// Whether the bodies of the responses are stored.
    pub keep_bodies: bool,
    /// Whether the events are judged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub detect: bool,
}

/// One start of the program for this export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEntry {
    /// When it began.
    pub started: Timestamp,
    /// When it ended; unknown of one that was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// `finished`, `interrupted`, `killed`, or what failed.
    pub ended: String,
    /// The SHA-256 of the file of rows beside the table of actions, in hex, where one counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_actions_sha256: Option<String>,
}

/// Who made it, with what, where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeBy {
    /// `atlaudit`.
    pub program: String,
    /// Its version.
    pub version: String,
    /// What it was built for, and how: `x86_64-unknown-linux-gnu, release`.
    pub build: String,
    /// The command line, without the program; no secret can stand in it.
    pub command: Vec<String>,
    /// The machine's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The account's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The machine's time zone, as it names it; all times of the export are UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// A time range of a source that was requested as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowEntry {
    /// Its start, included.
    pub from: Timestamp,
    /// Its end, not included: after `until` by the margin for late events.
    pub to: Timestamp,
    /// Whether it was read to its end.
    pub complete: bool,
}

/// A time range that was requested and not read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapEntry {
    /// Its start, included.
    pub from: Timestamp,
    /// Its end, not included.
    pub to: Timestamp,
    /// Why.
    pub why: String,
}

/// Records that were served and are not among the events, over all runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedCounts {
    /// Repeats of records that were written.
    pub repeats: u64,
    /// Records of the margin, from outside of the window.
    pub outside: u64,
}

/// What is known of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Its name, which its files bear.
    pub name: String,
    /// Its type, such as `org-events`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The organization, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// The site, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The server that was requested.
    pub base_url: String,
    /// Where its credential came from, such as `keyring` or `env:NAME`; never more.
    pub credential: String,
    /// Whether every window was read to its end.
    pub complete: bool,
    /// What failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What its lines are ordered by: `processed_time` or `time`.
    pub order: String,
    /// How far back the source can show events, where the time range that was requested begins
    /// earlier. `complete` speaks only of what comes after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionLimit>,
    /// What was read.
    pub windows: Vec<WindowEntry>,
    /// What was not.
    pub gaps: Vec<GapEntry>,
    /// What was served and not written.
    pub dropped: DroppedCounts,
}

/// What an export knows of its own making and no file of it shows; it goes into the manifest as it
/// is. Counts, times, retries, waits and the clock are surveyed from the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFacts {
    /// What was requested.
    pub asked: ExportParameters,
    /// Every start of the program for it, this one last and ended.
    pub runs: Vec<RunEntry>,
    /// Who made it.
    pub made_by: MadeBy,
    /// Its sources.
    pub sources: Vec<SourceFacts>,
    /// What must be known beside its alerts, where its events were judged.
    pub detection: Option<DetectionNotes>,
}

/// What an export says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Whether every window of every source was read to its end.
    pub complete: bool,
    /// What was requested.
    pub asked: ExportParameters,
    /// The start of the first run.
    pub started: Timestamp,
    /// The end of the last.
    pub finished: Timestamp,
    /// Every start of the program for it.
    pub runs: Vec<RunEntry>,
    /// Who made it.
    pub made_by: MadeBy,
    /// How this machine's clock stood against a server's; nothing where no response had a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockComparison>,
    /// A source each.
    pub sources: Vec<SourceEntry>,
    /// What must be known beside the alerts, where the events were judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection: Option<DetectionNotes>,
    /// Every file but the manifest, the sums, and what is made from the manifest; by path.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// Whether a source keeps less than what was requested.
    pub fn is_limited(&self) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|source| source.facts.retention.is_some())
    }

    /// From where on any of the sources could still show an event.
    pub fn available_since(&self) -> Timestamp {
        let since = self.asked.since;
        let starts = self.sources.iter().map(|source| {
            let limit = source.retention();
            limit.map_or(since, |limit| limit.earliest.max(since))
        });
        // Where nothing of the time range was kept, all of it is shown as not available.
        starts.min().filter(|start| *start < self.asked.until).unwrap_or(since)
    }

    /// The sources that were requested and that it does not describe.
    pub fn undescribed_sources(&self) -> impl Iterator<Item = &str> {
        let names = self.asked.sources.iter().map(String::as_str);
        names.filter(|name| self.sources.iter().all(|source| source.facts.name != *name))
    }

    /// The facts that it was made from.
    pub fn facts(&self) -> ExportFacts {
        ExportFacts {
            asked: self.asked.clone(),
            runs: self.runs.clone(),
            made_by: self.made_by.clone(),
            sources: self.sources.iter().map(|source| source.facts.clone()).collect(),
            detection: self.detection,
        }
    }

    /// The text of its file.
    pub fn text(&self) -> Vec<u8> {
        // Into memory, of what has only text for keys: it cannot fail.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

/// This machine's clock beside a server's `Date`, which has whole seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockComparison {
    /// Ours minus theirs, in milliseconds.
    pub skew_ms: i64,
    /// Ours, when the response came.
    pub at: Timestamp,
    /// Theirs.
    pub server: Timestamp,
}

/// What is said of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEntry {
    /// What no file shows.
    #[serde(flatten)]
    pub facts: SourceFacts,
    /// What the files show.
    pub counts: ExportCounts,
    /// The first event's time, by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// The last event's time, by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// Every attempt that brought no page and was made again, or given up.
    pub retries: Vec<RetryEntry>,
    /// Milliseconds waited on servers' behalf, in all.
    pub waited_ms: u64,
    /// Its events.
    pub events: LinesEntry,
    /// Its responses.
    pub pages: LinesEntry,
}

impl SourceEntry {
    /// The limit of what its source could still show, unless an event of it disproves that limit.
    pub fn retention(&self) -> Option<RetentionLimit> {
        let is_valid = |limit: &RetentionLimit| !limit.is_contradicted_by(self.first);
        self.facts.retention.filter(is_valid)
    }

    /// What a reader must know of the retention, where `since` is the time that was asked from.
    pub fn retention_text(&self, since: Timestamp) -> Option<String> {
        let limit = self.facts.retention?;
        Some(limit.describe(since, self.first))
    }
}

/// How many of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportCounts {
    /// Responses and attempts without one: the lines of its pages.
    pub responses: u64,
    /// Those that brought a page of records.
    pub pages: u64,
    /// Records of all pages.
    pub served: u64,
    /// Of them, repeats of records that were written.
    pub repeats: u64,
    /// Of them, from outside of the window.
    pub outside: u64,
    /// Of them, read but not taken: requested again, after an interruption or to be sure of a
    /// span.
    pub read_again: u64,
    /// Events written; served less the three above.
    pub written: u64,
    /// Of the written, those that could not be understood: their raw text is all there is of them.
    pub unparsed: u64,
    /// Of the written, those that come after one of a later time: in the order in which their
    /// source gave them.
    pub out_of_order: u64,
}

impl ExportCounts {
    /// Records that were written or dropped: all that were served, if the counts are right. Nothing
    /// where the sum is too large.
    pub fn accounted(&self) -> Option<u64> {
        let parts = [self.written, self.repeats, self.outside, self.read_again];
        parts.into_iter().try_fold(0_u64, u64::checked_add)
    }
}

/// An attempt that brought no page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryEntry {
    /// When.
    pub at: Timestamp,
    /// The line of its pages, from 1.
    pub line: u64,
    /// The response's status, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What failed.
    pub error: String,
    /// Milliseconds waited before the next; nothing where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
}

/// A file of lines: what no [`SourceFacts`] can know and a survey finds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinesEntry {
    /// Its path within the export.
    pub file: String,
    /// Lines.
    pub lines: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of its lines, unpacked.
    pub text_bytes: u64,
    /// The file's SHA-256, in hex; empty where there is no file, for nothing was ever read.
    pub sha256: String,
    /// The chain's link of the last line, in hex.
    pub chain: String,
    /// Lines from one mark to the next.
    #[serde(default = "lines_per_mark_at_first")]
    pub lines_per_mark: u64,
    /// The chain's links of these lines, in hex.
    #[serde(deserialize_with = "marks")]
    pub marks: Vec<String>,
}

/// What it was before it was written.
fn lines_per_mark_at_first() -> u64 {
    1000
}

impl LinesEntry {
    /// The mark of a line, if it has one.
    fn mark_of(&self, line: u64) -> Option<&String> {
        let number = line.checked_div(self.lines_per_mark)?;
        let index = usize::try_from(number.checked_sub(1)?).ok()?;
        self.marks.get(index).filter(|_| line.is_multiple_of(self.lines_per_mark))
    }

    /// The lines of which both have a mark, in order, and whether it is the same.
    fn common_marks(&self, other: &LinesEntry) -> impl Iterator<Item = (u64, bool)> {
        let lines = (1..=self.marks.len() as u64).map_while(|n| n.checked_mul(self.lines_per_mark));
        lines.filter_map(|line| Some((line, self.mark_of(line)? == other.mark_of(line)?)))
    }

    /// Whether its marks are those of `other`, and none is missing.
    pub fn has_marks_of(&self, other: &LinesEntry) -> bool {
        let marks = self.lines.checked_div(self.lines_per_mark);
        marks == Some(self.marks.len() as u64) && self.common_marks(other).all(|(_, same)| same)
    }

    /// The first and the last of the lines among which those of `other` begin to differ.
    pub fn lines_with_change(&self, other: &LinesEntry) -> (u64, u64) {
        let (mut before, mut last) = (0, self.lines.max(other.lines));
        for (line, is_same) in self.common_marks(other) {
            if !is_same {
                last = line;
                break;
            }
            before = line;
        }
        (before + 1, last.max(before + 1))
    }
}

/// Reads marks, and no shorter text in their place: that would take many times its length in
/// memory.
fn marks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(try_from = "String")]
    struct ChainMark(String);
    impl TryFrom<String> for ChainMark {
        type Error = &'static str;
        fn try_from(text: String) -> Result<ChainMark, Self::Error> {
            match text.len() {
                64 => Ok(ChainMark(text)),
                _ => Err("a mark has 64 digits"),
            }
        }
    }
    let marks = Vec::<ChainMark>::deserialize(from)?;
    Ok(marks.into_iter().map(|ChainMark(text)| text).collect())
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path within the export.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}
