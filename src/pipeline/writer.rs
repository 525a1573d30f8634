//! Owns the writing side of a run: step, append, commit, checkpoint, in this order and no other.
//!
//! Blocks the thread that it is called on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::crash;
use crate::model::record::Record;
use crate::model::time::Timestamp;
use crate::model::output_file_state::OutputFileState;
use crate::pipeline::attempt_file::AttemptFile;
use crate::pipeline::checkpoint_writer::{CheckpointWriter, ReleasedSource};
use crate::pipeline::error::RunError;
use crate::pipeline::fetch::FetchMessage;
use crate::pipeline::record_processor::{RecordCounts, RecordProcessor};
use crate::pipeline::silence::SourceSilence;
use crate::sink::LineSink;
use crate::sink::written_files::WrittenFiles;
use crate::telemetry::meter::SourceMeter;

/// Records that are rendered before their lines are written: their lines are twice as long as they are.
const AT_ONCE: usize = 64;

/// The longest that a line stays uncommitted.
const COMMIT_AFTER: Duration = Duration::from_secs(2);

/// Whether the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFlow {
    /// More may come.
    GoOn,
    /// `--max-events` is reached.
    Enough,
}

/// Writes one source's records.
pub struct EventWriter {
    sink: Box<dyn LineSink>,
    step: RecordProcessor,
    journal: Option<CheckpointWriter>,
    /// What an export keeps of the answers.
    pages: Option<AttemptFile>,
    /// A file that was opened and is not recorded yet.
    opened: Option<OutputFileState>,
    meter: Arc<SourceMeter>,
    tally: RecordCounts,
    /// The tally as of the last commit.
    committed: RecordCounts,
    uncommitted_bytes: usize,
    uncommitted_events: u64,
    oldest_uncommitted: Option<Instant>,
}

impl EventWriter {
    /// A writer that commits to `sink` and, if there is one, to `journal`.
    pub fn new(
        sink: Box<dyn LineSink>,
        step: RecordProcessor,
        journal: Option<CheckpointWriter>,
        meter: Arc<SourceMeter>,
    ) -> EventWriter {
        EventWriter {
            sink,
            step,
            journal,
            pages: None,
            opened: None,
            meter,
            tally: RecordCounts::default(),
            committed: RecordCounts::default(),
            uncommitted_bytes: 0,
            uncommitted_events: 0,
            oldest_uncommitted: None,
        }
    }

    /// The same, which commits `pages` before the events.
    pub fn with_pages(mut self, pages: Option<AttemptFile>) -> EventWriter {
        self.pages = pages;
        self
    }

    /// Events that all runs have committed, as far as they are remembered.
    pub fn events(&self) -> u64 {
        self.journal.as_ref().map_or(0, CheckpointWriter::events)
    }

    /// What has been written and committed so far: the rest will come again.
    pub fn committed(&self) -> &RecordCounts {
        &self.committed
    }

    /// The files that lines were appended to.
    pub fn written_files(&self) -> WrittenFiles {
        self.sink.written_files()
    }

    /// Notes that everything there was until `start` has been read; the next commit says so.
    pub fn complete(&mut self, start: Timestamp) {
        if let Some(journal) = &mut self.journal {
            journal.complete(start);
        }
    }

    /// How long until a commit is due; nothing while there is nothing to commit.
    pub fn commit_due(&self) -> Option<Duration> {
        let Some(oldest) = self.oldest_uncommitted else {
            // Answers come also where no event does.
            return self.pages.as_ref().map(|_| COMMIT_AFTER);
        };
        let batch = crash::limit("COMMIT_BYTES", self.sink.batch());
        Some(match self.uncommitted_bytes >= batch {
            true => Duration::ZERO,
            false => COMMIT_AFTER.saturating_sub(oldest.elapsed()),
        })
    }

    /// The silence of the source at `now`, by what is committed.
    pub fn silence(&self, now: Timestamp) -> Option<SourceSilence> {
        self.journal.as_ref()?.silence(now)
    }

    /// Lets go of the source, if it is held.
    pub fn leave(self) -> Option<ReleasedSource> {
        self.journal.map(CheckpointWriter::leave)
    }

    /// Opens the output, so that one that cannot be written is known before anything is asked for. An
    /// empty file is recorded at once: were it not, a run that dies would leave it to nobody.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&mut self) -> Result<(), RunError> {
        if let Some(pages) = &mut self.pages {
            pages.open()?;
        }
        if let Some(file) = self.sink.prepare()? {
            let is_empty = file.committed == 0;
            self.opened = Some(file);
            if is_empty {
                self.record_opened()?;
            }
        }
        Ok(())
    }

    /// Records the file that is about to be written. To be called before records are taken: they
    /// must not be remembered before they are written.
    fn announce(&mut self) -> Result<(), RunError> {
        self.open()?;
        self.record_opened()
    }

    fn record_opened(&mut self) -> Result<(), RunError> {
        match (&mut self.journal, self.opened.take()) {
            (Some(journal), Some(file)) => Ok(journal.record(&mut self.step, 0, vec![file])?),
            _ => Ok(()),
        }
    }

    /// Writes what was delivered, and commits when it is time.
    ///
    /// # Errors
    /// Nothing of what is not committed moves the checkpoint.
    pub fn write(&mut self, delivery: FetchMessage) -> Result<WriteFlow, RunError> {
        match delivery {
            FetchMessage::RereadStarted => self.step.start_reread(),
            FetchMessage::WindowShortened { from } => {
                if let Some(journal) = &mut self.journal {
                    journal.set_start(from);
                }
            }
            FetchMessage::Records {
                records,
                received,
                users: people,
                window,
                window_after: then,
                advances: passed,
            } => {
                if !records.is_empty() {
                    self.announce()?;
                }
                self.step.people = people;
                if !self.take(&records, received)? {
                    // The window stays: the page is asked for again, and what was taken is known.
                    return Ok(WriteFlow::Enough);
                }
                if passed {
                    let checked = then.as_ref().and_then(|open| open.read_by_time);
                    self.step.passed(checked);
                }
                if let Some(journal) = &mut self.journal {
                    journal.stands(window, then);
                }
            }
        }
        if self.sink.is_full() || self.commit_due() == Some(Duration::ZERO) {
            self.commit()?;
        }
        Ok(match self.step.is_full() {
            true => WriteFlow::Enough,
            false => WriteFlow::GoOn,
        })
    }

    /// Makes what was written durable, then moves the checkpoint.
    ///
    /// # Errors
    /// The checkpoint has not moved.
    pub fn commit(&mut self) -> Result<(), RunError> {
        if let Some(pages) = &mut self.pages {
            if self.oldest_uncommitted.is_none() && pages.has_nothing_to_commit() {
                return Ok(());
            }
            pages.commit()?;
        }
        let outputs = self.sink.commit()?;
        self.record(outputs)
    }

    /// The last commit: from now on the output files may grow by other hands.
    ///
    /// # Errors
    /// The checkpoint has not moved.
    pub fn finish(&mut self) -> Result<(), RunError> {
        if let Some(pages) = &mut self.pages {
            pages.finish()?;
        }
        let outputs = self.sink.finish()?;
        self.record(outputs)
    }

    fn record(&mut self, outputs: Vec<OutputFileState>) -> Result<(), RunError> {
        if let Some(journal) = &mut self.journal {
            if let Some(pages) = &mut self.pages {
                journal.keeps(pages.kept(&self.tally));
            }
            journal.record(&mut self.step, self.uncommitted_events, outputs)?;
            self.meter.record_checkpoint(chrono::Utc::now());
        }
        self.meter.committed.add(self.uncommitted_events);
        self.committed = self.tally.clone();
        self.uncommitted_bytes = 0;
        self.uncommitted_events = 0;
        self.oldest_uncommitted = None;
        Ok(())
    }

    /// Writes the lines of `records`; whether of all of them.
    fn take(&mut self, records: &[Record], received: Timestamp) -> Result<bool, RunError> {
        self.step.brought(records);
        // Not kept until the next delivery: hundreds of sources may wait for theirs.
        let mut lines = Vec::new();
        for some in records.chunks(AT_ONCE) {
            lines.clear();
            let (tally, taken) = self.step.take(some, received, &mut lines);
            self.append(&tally, &lines)?;
            if taken < some.len() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn append(&mut self, tally: &RecordCounts, lines: &[u8]) -> Result<(), RunError> {
        if !lines.is_empty() {
            self.sink.append(lines)?;
            self.uncommitted_bytes += lines.len();
            self.uncommitted_events += tally.events;
            self.oldest_uncommitted.get_or_insert_with(Instant::now);
        }
        warn_once(&self.tally, tally);
        self.tally.add(tally);
        self.meter.events.add(tally.events);
        Ok(())
    }
}

/// Tells the first of each kind; the run's summary has the counts.
fn warn_once(before: &RecordCounts, now: &RecordCounts) {
    if before.unparsed == 0 && now.unparsed > 0 {
        tracing::warn!(
            "a record could not be understood; it is written as `unparsed`, with its raw text"
        );
    }
    if before.unreadable_times == 0 && now.unreadable_times > 0 {
        tracing::warn!(
            "a record's time cannot be read; its event has no time, and `labels.time_unreadable` (or `processed_time_unreadable`) holds what the source wrote"
        );
    }
    if before.clashes == 0 && now.clashes > 0 {
        tracing::warn!("a record repeats an id with another content; both are written");
    }
}
