//! Writes: process, append, commit, checkpoint, in this order. See `docs/design.md`, section 4.
//!
//! Blocks the thread that it is called on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::crash;
use crate::fetch::types::FetchMessage;
use crate::model::output_file_state::OutputFileState;
use crate::model::record::Record;
use crate::model::time::Timestamp;
use crate::pipeline::attempt_file::AttemptFile;
use crate::pipeline::checkpoint_writer::{CheckpointWriter, ReleasedSource};
use crate::pipeline::error::RunError;
use crate::pipeline::record_processor::{RecordCounts, RecordProcessor};
use crate::pipeline::silence::SourceSilence;
use crate::sink::LineSink;
use crate::sink::WrittenFiles;
use crate::telemetry::meter::SourceMeter;

/// Records that are rendered before their lines are written: their lines are twice as long as they are.
const RENDER_BATCH: usize = 64;

/// The longest that a line stays uncommitted.
const COMMIT_INTERVAL: Duration = Duration::from_secs(2);

/// Whether the run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFlow {
    /// More may come.
    Continue,
    /// `--max-events` is reached.
    LimitReached,
}

/// Writes one source's records.
pub struct EventWriter {
    sink: Box<dyn LineSink>,
    processor: RecordProcessor,
    checkpoint: Option<CheckpointWriter>,
    /// What an export keeps of the answers.
    attempt_file: Option<AttemptFile>,
    /// A file that was opened and is not recorded yet.
    unrecorded_file: Option<OutputFileState>,
    meter: Arc<SourceMeter>,
    counts: RecordCounts,
    /// The tally as of the last commit.
    committed_counts: RecordCounts,
    uncommitted_bytes: usize,
    uncommitted_events: u64,
    oldest_uncommitted: Option<Instant>,
}

impl EventWriter {
    /// A writer that commits to `sink` and, if there is one, to `journal`.
    pub fn new(
        sink: Box<dyn LineSink>,
        step: RecordProcessor,
        checkpoint: Option<CheckpointWriter>,
        meter: Arc<SourceMeter>,
    ) -> EventWriter {
        EventWriter {
            sink,
            processor: step,
            checkpoint,
            attempt_file: None,
            unrecorded_file: None,
            meter,
            counts: RecordCounts::default(),
            committed_counts: RecordCounts::default(),
            uncommitted_bytes: 0,
            uncommitted_events: 0,
            oldest_uncommitted: None,
        }
    }

    /// The same, which commits `pages` before the events.
    pub fn with_attempt_file(mut self, pages: Option<AttemptFile>) -> EventWriter {
        self.attempt_file = pages;
        self
    }

    /// Events that all runs have committed, as far as they are remembered.
    pub fn total_events(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, CheckpointWriter::events)
    }

    /// What has been written and committed so far: the rest will come again.
    pub fn committed_counts(&self) -> &RecordCounts {
        &self.committed_counts
    }

    /// The files that lines were appended to.
    pub fn written_files(&self) -> WrittenFiles {
        self.sink.written_files()
    }

    /// Notes that everything there was until `start` has been read; the next commit says so.
    pub fn mark_complete(&mut self, start: Timestamp) {
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.complete(start);
        }
    }

    /// How long until a commit is due; nothing while there is nothing to commit.
    pub fn commit_due(&self) -> Option<Duration> {
        let Some(oldest) = self.oldest_uncommitted else {
            // Answers come also where no event does.
            return self.attempt_file.as_ref().map(|_| COMMIT_INTERVAL);
        };
        let batch = crash::limit("COMMIT_BYTES", self.sink.commit_threshold());
        Some(match self.uncommitted_bytes >= batch {
            true => Duration::ZERO,
            false => COMMIT_INTERVAL.saturating_sub(oldest.elapsed()),
        })
    }

    /// The silence of the source at `now`, by what is committed.
    pub fn silence(&self, now: Timestamp) -> Option<SourceSilence> {
        self.checkpoint.as_ref()?.silence(now)
    }

    /// Lets go of the source, if it is held.
    pub fn release(self) -> Option<ReleasedSource> {
        self.checkpoint.map(CheckpointWriter::leave)
    }

    /// Opens the output, so that one that cannot be written is known before anything is asked for. An
    /// empty file is recorded at once: were it not, a run that dies would leave it to nobody.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&mut self) -> Result<(), RunError> {
        if let Some(pages) = &mut self.attempt_file {
            pages.open()?;
        }
        if let Some(file) = self.sink.prepare()? {
            let is_empty = file.committed == 0;
            self.unrecorded_file = Some(file);
            if is_empty {
                self.record_opened()?;
            }
        }
        Ok(())
    }

    /// Records the file that is about to be written. To be called before records are taken: they
    /// must not be remembered before they are written.
    fn announce_output(&mut self) -> Result<(), RunError> {
        self.open()?;
        self.record_opened()
    }

    fn record_opened(&mut self) -> Result<(), RunError> {
        match (&mut self.checkpoint, self.unrecorded_file.take()) {
            (Some(checkpoint), Some(file)) => {
                Ok(checkpoint.record(&mut self.processor, 0, vec![file])?)
            }
            _ => Ok(()),
        }
    }

    /// Writes what was delivered, and commits when it is time.
    ///
    /// # Errors
    /// Nothing of what is not committed moves the checkpoint.
    pub fn write(&mut self, delivery: FetchMessage) -> Result<WriteFlow, RunError> {
        match delivery {
            FetchMessage::RereadStarted => self.processor.start_reread(),
            FetchMessage::WindowShortened { from } => {
                if let Some(checkpoint) = &mut self.checkpoint {
                    checkpoint.set_start(from);
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
                    self.announce_output()?;
                }
                self.processor.people = people;
                if !self.write_records(&records, received)? {
                    // The window stays: the page is asked for again, and what was taken is known.
                    return Ok(WriteFlow::LimitReached);
                }
                if passed {
                    let checked = then.as_ref().and_then(|open| open.read_by_time);
                    self.processor.passed(checked);
                }
                if let Some(checkpoint) = &mut self.checkpoint {
                    checkpoint.set_window(window, then);
                }
            }
        }
        if self.sink.is_full() || self.commit_due() == Some(Duration::ZERO) {
            self.commit()?;
        }
        Ok(match self.processor.is_full() {
            true => WriteFlow::LimitReached,
            false => WriteFlow::Continue,
        })
    }

    /// Makes what was written durable, then moves the checkpoint.
    ///
    /// # Errors
    /// The checkpoint has not moved.
    pub fn commit(&mut self) -> Result<(), RunError> {
        if let Some(pages) = &mut self.attempt_file {
            if self.oldest_uncommitted.is_none() && pages.has_nothing_to_commit() {
                return Ok(());
            }
            pages.commit()?;
        }
        let outputs = self.sink.commit()?;
        self.save_checkpoint(outputs)
    }

    /// The last commit: from now on the output files may grow by other hands.
    ///
    /// # Errors
    /// The checkpoint has not moved.
    pub fn finish(&mut self) -> Result<(), RunError> {
        if let Some(pages) = &mut self.attempt_file {
            pages.finish()?;
        }
        let outputs = self.sink.finish()?;
        self.save_checkpoint(outputs)
    }

    fn save_checkpoint(&mut self, outputs: Vec<OutputFileState>) -> Result<(), RunError> {
        if let Some(checkpoint) = &mut self.checkpoint {
            if let Some(pages) = &mut self.attempt_file {
                checkpoint.set_export_progress(pages.kept(&self.counts));
            }
            checkpoint.record(&mut self.processor, self.uncommitted_events, outputs)?;
            self.meter.record_checkpoint(chrono::Utc::now());
        }
        self.meter.committed.add(self.uncommitted_events);
        self.committed_counts = self.counts.clone();
        self.uncommitted_bytes = 0;
        self.uncommitted_events = 0;
        self.oldest_uncommitted = None;
        Ok(())
    }

    /// Writes the lines of `records`; whether of all of them.
    fn write_records(&mut self, records: &[Record], received: Timestamp) -> Result<bool, RunError> {
        self.processor.brought(records);
        // Not kept until the next delivery: hundreds of sources may wait for theirs.
        let mut lines = Vec::new();
        for some in records.chunks(RENDER_BATCH) {
            lines.clear();
            let (tally, taken) = self.processor.take(some, received, &mut lines);
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
        warn_once(&self.counts, tally);
        self.counts.add(tally);
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
