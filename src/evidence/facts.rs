//! What an export knows of its own making and no file of it shows; it goes into the manifest as
//! it is. Counts, times, retries, waits and the clock are surveyed from the files.

use serde::{Deserialize, Serialize};

use crate::model::retention::RetentionLimit;
use crate::model::time::Timestamp;

/// What was asked for: two exports with equal ones are the same export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportParameters {
    /// Events at or after this time.
    pub since: Timestamp,
    /// Events before this time.
    pub until: Timestamp,
    /// The sources' names, in the order of the configuration.
    pub sources: Vec<String>,
    /// Whether the bodies of the answers are kept.
    pub keep_bodies: bool,
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

/// A span of time of a source that was asked for as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowEntry {
    /// Its start, included.
    pub from: Timestamp,
    /// Its end, not included: after `until` by the margin for late events.
    pub to: Timestamp,
    /// Whether it was read to its end.
    pub complete: bool,
}

/// A span of time that was asked for and not read to its end.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Where it was asked.
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
    /// How far back the source can show events, where the time range that was asked for begins
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

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFacts {
    /// What was asked for.
    pub asked: ExportParameters,
    /// Every start of the program for it, this one last and ended.
    pub runs: Vec<RunEntry>,
    /// Who made it.
    pub made_by: MadeBy,
    /// Its sources.
    pub sources: Vec<SourceFacts>,
}
