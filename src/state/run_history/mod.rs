//! Summarizes the runs of a source: how the last one ended, what all of them brought, and which
//! time ranges they read. A history that is lost costs what `status` and the metrics show, and no
//! event.

pub mod coverage;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::files::{Durability, FileReplacement, create_private_folder};
use crate::model::name::SourceName;
use crate::model::time::Timestamp;
use crate::state::permissions::{self, StateUse, check_file_below};
use crate::state::run_history::coverage::{CoveredSpan, ReadCoverage};
use crate::state::{StateError, parse_versioned};

/// The newest version of the file that this program reads and writes.
const VERSION: u64 = 1;

/// The largest file that is read: with all spans and the longest messages it is a fraction of this.
const LIMIT: u64 = 4 * 1024 * 1024;

/// What is known of the runs of one source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunHistory {
    /// How the last run ended.
    pub last_run: Option<RunRecord>,
    /// The end of the last run that read everything there was.
    pub last_success: Option<Timestamp>,
    /// Failed runs since then.
    pub failures_in_a_row: u64,
    /// What all runs took and brought.
    pub totals: RunTotals,
    /// Where the checkpoint stood when the last run let go of it.
    pub position: Option<CheckpointPosition>,
    /// What has been read.
    pub coverage: ReadCoverage,
}

/// One run of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// The exit code that this source alone would give.
    pub exit_code: u8,
    /// What went wrong, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether a signal ended it: that is no failure of the source.
    #[serde(default)]
    pub interrupted: bool,
    /// The last day of the credential that it used, as far as that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_ends: Option<NaiveDate>,
    /// What it took and brought.
    pub counts: RunCounts,
}

impl RunRecord {
    /// What to do about what went wrong; nothing where the ledger has an empty text for it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref().filter(|hint| !hint.is_empty())
    }
}

/// What a run took and brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunCounts {
    /// Events written and committed.
    pub events: u64,
    /// Pages read.
    pub pages: u64,
    /// Requests sent, repeats included.
    pub requests: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Responses that said to slow down.
    pub rate_limited: u64,
    /// Bytes of responses, decompressed.
    pub received_bytes: u64,
    /// Milliseconds in which our own limits held a request back.
    pub quota_wait_ms: u64,
    /// Milliseconds in which the server had requested a pause.
    pub server_wait_ms: u64,
    /// Milliseconds between a failed request and its repeat.
    pub backoff_wait_ms: u64,
}

/// What all runs of a source took and brought.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunTotals {
    /// The sum of what each took and brought.
    pub counts: RunCounts,
    /// How many runs ended with each exit code.
    pub ends: BTreeMap<u8, u64>,
}

/// How far a checkpoint has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointPosition {
    /// What it belongs to: the organization or site.
    pub scope: String,
    /// Until when everything has been read.
    pub complete_until: Option<Timestamp>,
    /// The newest place that was written.
    pub newest: Option<Timestamp>,
    /// Events written since the history began.
    pub events: u64,
    /// When the checkpoint was written.
    pub updated: Timestamp,
}

/// How far a run came, by what is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunProgress {
    /// What earlier runs had read, as the checkpoint said. Counts where no ledger says more.
    pub before: Option<CoveredSpan>,
    /// What this one read.
    pub read: Option<CoveredSpan>,
    /// Where it left the checkpoint.
    pub position: CheckpointPosition,
}

impl RunHistory {
    /// The last day of the credential, as far as the last run knew it.
    pub fn credential_ends(&self) -> Option<NaiveDate> {
        self.last_run.as_ref()?.credential_ends
    }

    /// Takes note of a run that has ended, and of how far it came.
    pub fn record(&mut self, run: RunRecord, progress: Option<RunProgress>) {
        self.totals.counts.add(&run.counts);
        let ended = self.totals.ends.entry(run.exit_code).or_default();
        *ended = ended.saturating_add(1);
        self.ended(run);
        let Some(progress) = progress else { return };
        if let Some(before) = progress.before
            && self.coverage.of(&before.scope).next().is_none()
        {
            self.coverage.add(before);
        }
        if let Some(read) = progress.read {
            self.coverage.add(read);
        }
        self.position = Some(progress.position);
    }

    /// Takes note of how a run ended, and counts nothing of it.
    pub fn ended(&mut self, run: RunRecord) {
        match run.exit_code {
            0 => {
                self.failures_in_a_row = 0;
                self.last_success = Some(run.finished);
            }
            _ if run.interrupted => {}
            _ => self.failures_in_a_row = self.failures_in_a_row.saturating_add(1),
        }
        self.last_run = Some(run);
    }

    /// How many runs were recorded.
    pub fn runs(&self) -> u64 {
        self.totals.ends.values().sum()
    }
}

impl RunTotals {
    /// Where `least` says more, as much as it says.
    pub fn at_least(&mut self, least: &RunTotals) {
        self.counts.at_least(&least.counts);
        for (code, least) in &least.ends {
            let count = self.ends.entry(*code).or_default();
            *count = (*least).max(*count);
        }
    }
}

impl RunCounts {
    /// Adds what `more` says.
    pub fn add(&mut self, more: &RunCounts) {
        self.combine(*more, u64::saturating_add);
    }

    /// Where `least` says more, as much as it says.
    pub fn at_least(&mut self, least: &RunCounts) {
        self.combine(*least, u64::max);
    }

    fn combine(&mut self, mut other: RunCounts, with: fn(u64, u64) -> u64) {
        for (count, other) in self.all_mut().into_iter().zip(other.all_mut()) {
            *count = with(*count, *other);
        }
    }

    fn all_mut(&mut self) -> [&mut u64; 9] {
        [
            &mut self.events,
            &mut self.pages,
            &mut self.requests,
            &mut self.retries,
            &mut self.rate_limited,
            &mut self.received_bytes,
            &mut self.quota_wait_ms,
            &mut self.server_wait_ms,
            &mut self.backoff_wait_ms,
        ]
    }
}

/// The folder of ledgers: a run history for each source.
#[derive(Debug, Clone)]
pub struct RunHistoryStore {
    state: PathBuf,
    folder: PathBuf,
    state_use: StateUse,
}

/// Why a ledger cannot be read. It never stops a pull.
#[derive(Debug)]
pub struct RunHistoryError(StateError);

impl fmt::Display for RunHistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            StateError::Io { path, source, .. } => {
                write!(f, "the ledger `{}` cannot be read: {source}", path.display())
            }
            StateError::Unsafe(fault) => write!(f, "the ledger {fault}"),
            other => f.write_str(&other.to_string().replacen("the state file", "the ledger", 1)),
        }
    }
}

#[derive(Serialize)]
struct VersionedRunHistory<'a> {
    version: u64,
    source: &'a str,
    #[serde(flatten)]
    ledger: &'a RunHistory,
}

impl RunHistoryStore {
    /// The store in the state folder `state`.
    pub fn new(state: &Path) -> RunHistoryStore {
        RunHistoryStore {
            state: state.to_owned(),
            folder: state.join("ledgers"),
            state_use: StateUse::Run,
        }
    }

    /// The same, only to show what it holds, whichever user's it is.
    pub fn for_viewing(self) -> RunHistoryStore {
        RunHistoryStore { state_use: StateUse::View, ..self }
    }

    /// The ledger of `source`, if it has one.
    ///
    /// # Errors
    /// It is there and cannot be read; it is left as it is.
    pub fn read(&self, source: &SourceName) -> Result<Option<RunHistory>, RunHistoryError> {
        self.load(&self.path(source)).map_err(RunHistoryError)
    }

    fn load(&self, path: &Path) -> Result<Option<RunHistory>, StateError> {
        match check_file_below(&self.folder, path, self.state_use)? {
            None => return Ok(None),
            Some(length) if length > LIMIT => {
                return Err(StateError::damaged(path, "it is too large"));
            }
            Some(_) => {}
        }
        let text = fs::read(path).map_err(|error| StateError::io("read", path, error))?;
        parse_versioned(path, &text, VERSION).map(Some)
    }

    /// Changes the ledger of `source`, and returns it as it is now. To be called by the holder of
    /// the source's lock. One that is damaged is recreated; one that a later atlaudit wrote, or
    /// that others may write, stays.
    pub fn change(&self, source: &SourceName, change: impl FnOnce(&mut RunHistory)) -> RunHistory {
        let (mut ledger, is_ours) = match self.read(source) {
            Ok(found) => (found.unwrap_or_default(), true),
            Err(error) => {
                let is_ours = !matches!(error.0, StateError::Newer { .. } | StateError::Unsafe(_));
                let then = if is_ours { "it is recreated" } else { "it stays as it is" };
                tracing::warn!("{error}; {then}, and no event is lost by it");
                (RunHistory::default(), is_ours)
            }
        };
        change(&mut ledger);
        if is_ours && let Err(error) = self.write(source, &ledger) {
            tracing::warn!(
                "the ledger `{}` cannot be written: {error}; `status` does not know of this run, \
                 and no event is lost by it",
                self.path(source).display()
            );
        }
        ledger
    }

    fn write(&self, source: &SourceName, ledger: &RunHistory) -> io::Result<()> {
        create_private_folder(&self.folder)?;
        permissions::open_folder(&self.state, &self.folder)?;
        let text = serde_json::to_vec(&VersionedRunHistory {
            version: VERSION,
            source: source.as_str(),
            ledger,
        })?;
        // The folder is not synced: the old file will do as well after a crash, but half a one not.
        FileReplacement::new(&self.path(source), Durability::File)
            .with_fixed_name(&format!(".{source}~"))
            .write(|out| {
                permissions::open_file(&self.state, out.get_ref())?;
                out.write_all(&text)?;
                out.write_all(b"\n")
            })
    }

    fn path(&self, source: &SourceName) -> PathBuf {
        self.folder.join(format!("{source}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    fn run(exit_code: u8, events: u64) -> RunRecord {
        RunRecord {
            started: at("2026-11-20T09:00:00Z"),
            finished: at("2026-11-20T09:01:00Z"),
            exit_code,
            error: (exit_code > 0).then(|| "no".to_owned()),
            causes: Vec::new(),
            hint: None,
            interrupted: false,
            credential_ends: None,
            counts: RunCounts { events, requests: 2, ..RunCounts::default() },
        }
    }

    #[test]
    fn runs_add_up_and_a_success_ends_the_failures() {
        let mut ledger = RunHistory::default();
        for (code, failures) in [(0, 0), (4, 1), (3, 2), (0, 0), (4, 1)] {
            ledger.record(run(code, 5), None);
            assert_eq!(ledger.failures_in_a_row, failures);
        }
        assert_eq!(ledger.totals.counts.events, 25);
        assert_eq!(ledger.totals.counts.requests, 10);
        assert_eq!(ledger.runs(), 5);
        assert_eq!(ledger.totals.ends, BTreeMap::from([(0, 2), (3, 1), (4, 2)]));
        assert_eq!(ledger.last_run.unwrap().exit_code, 4);
        assert_eq!(ledger.last_success, Some(at("2026-11-20T09:01:00Z")));
    }

    #[test]
    fn an_interrupted_run_is_neither_a_failure_nor_a_success() {
        let mut ledger = RunHistory::default();
        ledger.record(run(4, 0), None);
        let interrupted = RunRecord { interrupted: true, credential_ends: None, ..run(3, 0) };
        ledger.record(interrupted, None);
        assert_eq!((ledger.failures_in_a_row, ledger.last_success), (1, None));
    }

    #[test]
    fn what_the_checkpoint_says_of_before_counts_only_where_no_run_history_does() {
        let span = |from: &str, to: &str| CoveredSpan {
            scope: "x".to_owned(),
            from: at(from),
            to: at(to),
            events: 1,
            read: at(to),
            holes: 0,
        };
        let progress = |read| RunProgress {
            before: Some(span("2026-11-01T00:00:00Z", "2026-11-05T00:00:00Z")),
            read: Some(read),
            position: CheckpointPosition {
                scope: "x".to_owned(),
                complete_until: None,
                newest: None,
                events: 0,
                updated: at("2026-11-20T00:00:00Z"),
            },
        };
        let mut ledger = RunHistory::default();
        let first = progress(span("2026-11-04T00:00:00Z", "2026-11-06T00:00:00Z"));
        ledger.record(run(0, 1), Some(first));
        let covered: Vec<_> = ledger.coverage.of("x").cloned().collect();
        assert_eq!(covered.len(), 1);
        assert_eq!(covered[0].from, at("2026-11-01T00:00:00Z"));
        // A gap that this ledger saw is not filled by a checkpoint that knows only its ends.
        let mut later = progress(span("2026-11-08T00:00:00Z", "2026-11-09T00:00:00Z"));
        later.before = Some(span("2026-11-01T00:00:00Z", "2026-11-08T00:00:00Z"));
        ledger.record(run(0, 1), Some(later));
        assert_eq!(ledger.coverage.of("x").count(), 2);
    }

    #[test]
    fn counters_never_fall_below_what_was_reported() {
        let totals = |events, pages, ends: &[(u8, u64)]| RunTotals {
            counts: RunCounts { events, pages, ..RunCounts::default() },
            ends: ends.iter().copied().collect(),
        };
        let mut now = totals(3, 9, &[(0, 4), (3, 1)]);
        now.at_least(&totals(5, 1, &[(0, 3), (7, 2)]));
        assert_eq!(now, totals(5, 9, &[(0, 4), (3, 1), (7, 2)]));
    }
}

#[cfg(test)]
mod file_tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn ledgers() -> (tempfile::TempDir, RunHistoryStore, SourceName) {
        let folder = tempfile::tempdir().unwrap();
        let ledgers = RunHistoryStore::new(&folder.path().join("state"));
        (folder, ledgers, "acme".parse().unwrap())
    }

    #[test]
    fn a_run_history_reads_back_and_is_private() {
        let (_folder, ledgers, name) = ledgers();
        assert_eq!(ledgers.read(&name).unwrap(), None);
        for runs in 1..=3 {
            let ledger = ledgers.change(&name, |ledger| {
                *ledger.totals.ends.entry(3).or_default() += 1;
            });
            assert_eq!(ledger.runs(), runs);
            assert_eq!(ledgers.read(&name).unwrap(), Some(ledger));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&ledgers.path(&name)), 0o600);
        assert_eq!(mode(&ledgers.folder), 0o700);
        assert_eq!(fs::read_dir(&ledgers.folder).unwrap().count(), 1);
    }

    #[test]
    fn what_is_damaged_is_recreated_and_what_is_newer_stays() {
        let (_folder, ledgers, name) = ledgers();
        let count = |ledger: &mut RunHistory| ledger.failures_in_a_row += 1;
        ledgers.change(&name, count);
        for damaged in ["", "{", "[]", "{}", r#"{"version":0}"#, r#"{"version":1,"coverage":7}"#] {
            fs::write(ledgers.path(&name), damaged).unwrap();
            assert!(ledgers.read(&name).is_err(), "{damaged}");
            ledgers.change(&name, count);
            let ledger = ledgers.read(&name).unwrap().unwrap();
            assert_eq!(ledger.failures_in_a_row, 1, "{damaged}");
        }
        let newer = r#"{"version":2,"x":[]}"#;
        fs::write(ledgers.path(&name), newer).unwrap();
        ledgers.change(&name, count);
        assert_eq!(fs::read_to_string(ledgers.path(&name)).unwrap(), newer);
    }

    #[test]
    fn what_a_dead_run_left_is_in_nobodys_way() {
        let (_folder, ledgers, name) = ledgers();
        fs::create_dir_all(&ledgers.folder).unwrap();
        fs::write(ledgers.folder.join(".acme~"), "{\"half").unwrap();
        ledgers.change(&name, |ledger| ledger.failures_in_a_row = 2);
        assert_eq!(ledgers.read(&name).unwrap().unwrap().failures_in_a_row, 2);
        assert_eq!(fs::read_dir(&ledgers.folder).unwrap().count(), 1);
    }
}
