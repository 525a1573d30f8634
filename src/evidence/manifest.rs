//! The manifest: what an export says of itself, in one file that people and `verify` read.

use serde::{Deserialize, Deserializer, Serialize};

use super::chain::{ChainKind, HashChain};
use super::facts::{ExportParameters, MadeBy, RunEntry, SourceFacts};
use crate::model::retention::RetentionLimit;
use crate::model::time::Timestamp;

/// The format of this manifest.
pub const SCHEMA: &str = "atlaudit/manifest/1";

/// What an export says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// Whether every window of every source was read to its end.
    pub complete: bool,
    /// What was asked for.
    pub asked: ExportParameters,
    /// The start of the first run.
    pub started: Timestamp,
    /// The end of the last.
    pub finished: Timestamp,
    /// Every start of the program for it.
    pub runs: Vec<RunEntry>,
    /// Who made it.
    pub made_by: MadeBy,
    /// How this machine's clock stood against a server's; nothing where no answer had a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockComparison>,
    /// A source each.
    pub sources: Vec<SourceEntry>,
    /// Every file but the manifest, the sums, and what is made from the manifest; by path.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// Whether a source keeps less than what was asked for.
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
    /// Ours, when the answer came.
    pub at: Timestamp,
    /// Theirs.
    pub server: Timestamp,
}

/// What is said of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Its answers.
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
    /// Answers and attempts without one: the lines of its pages.
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

/// An attempt that brought no page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryEntry {
    /// When.
    pub at: Timestamp,
    /// The line of its pages, from 1.
    pub line: u64,
    /// The answer's status, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What failed.
    pub error: String,
    /// Milliseconds waited before the next; nothing where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
}

/// A file of lines: what [`super::facts`] cannot know and a survey finds.
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
    /// The chain's links of every thousandth line, in hex.
    #[serde(deserialize_with = "marks")]
    pub marks: Vec<String>,
}

impl LinesEntry {
    /// Of a file that is not there, because nothing was ever read.
    pub fn of_missing_file(kind: ChainKind, file: String) -> LinesEntry {
        LinesEntry {
            file,
            lines: 0,
            bytes: 0,
            text_bytes: 0,
            sha256: String::new(),
            chain: HashChain::new(kind).head(),
            marks: Vec::new(),
        }
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
