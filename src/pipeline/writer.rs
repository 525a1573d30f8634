//! Writes one source's records: process, append, commit, checkpoint, in this order. See
//! `docs/design.md`, section 4.
//!
//! Types hold the order: lines are appended only through [`AnnouncedOutput`], and a checkpoint is
//! saved only with a [`DurableOutput`]. Blocks the thread that it is called on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::crash;
use crate::detect::LiveCounts;
use crate::fetch::types::FetchMessage;
use crate::model::record::Record;
use crate::model::time::Timestamp;
use crate::pipeline::alert_notifier::AlertNotifier;
use crate::pipeline::checkpoint_writer::{CheckpointWriter, ReleasedSource};
use crate::pipeline::error::RunError;
use crate::pipeline::record_processor::{RecordCounts, RecordProcessor, RenderedEvents};
use crate::pipeline::run_output::{DurableOutput, OpenedFiles, RunOutput};
use crate::pipeline::silence::SourceSilence;
use crate::sink::WrittenFiles;
use crate::telemetry::meter::SourceMeter;

/// Records that are rendered before their lines are appended: lines take twice the memory of
/// records.
const RENDER_BATCH: usize = 64;

/// Whether the run continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFlow {
    /// More may come.
    Continue,
    /// `--max-events` is reached.
    LimitReached,
}

/// Writes one source's records.
pub struct EventWriter {
    output: RunOutput,
    processor: RecordProcessor,
    checkpoint: Option<CheckpointWriter>,
    /// Files that were opened and are not in the checkpoint yet.
    unannounced: OpenedFiles,
    meter: Arc<SourceMeter>,
    counts: RecordCounts,
    /// The counts as of the last commit.
    committed_counts: RecordCounts,
    uncommitted_bytes: usize,
    uncommitted_events: u64,
    oldest_uncommitted: Option<Instant>,
    last_commit: Instant,
}

/// A writer whose output file is in the checkpoint, so that a crash leaves no line in a file that
/// no checkpoint names, and no record in the dedup cache that was never written.
struct AnnouncedOutput<'a>(&'a mut EventWriter);

impl EventWriter {
    /// A writer to `output` that saves `checkpoint`, if the run has one.
    pub fn new(
        output: RunOutput,
        processor: RecordProcessor,
        checkpoint: Option<CheckpointWriter>,
        meter: Arc<SourceMeter>,
    ) -> EventWriter {
        EventWriter {
            output,
            processor,
            checkpoint,
            unannounced: OpenedFiles::default(),
            meter,
            counts: RecordCounts::default(),
            committed_counts: RecordCounts::default(),
            uncommitted_bytes: 0,
            uncommitted_events: 0,
            oldest_uncommitted: None,
            last_commit: Instant::now(),
        }
    }

    /// Events that all runs have committed, as far as the checkpoint knows.
    pub fn total_events(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, CheckpointWriter::events)
    }

    /// Whether a later run goes on where this one ends.
    pub fn is_continued(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// What this run has committed so far; a later run fetches the rest again.
    pub fn committed_counts(&self) -> &RecordCounts {
        &self.committed_counts
    }

    /// What was found, where events are judged.
    pub fn alert_counts(&self) -> Option<LiveCounts> {
        self.output.alert_counts()
    }

    /// Whether lines wait in the state, until objects are made of them.
    pub fn has_waiting_lines(&self) -> bool {
        let objects = self.output.event_sink().objects();
        objects.is_some_and(|objects| objects.waiting.is_some())
    }

    /// The files that lines were appended to.
    pub fn written_files(&self) -> WrittenFiles {
        self.output.event_sink().written_files()
    }

    /// Notes that everything there was until `start` has been read; the next commit saves it.
    pub fn mark_complete(&mut self, start: Timestamp) {
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.mark_complete(start);
        }
    }

    /// How long until a commit is due; `None` while there is nothing to commit.
    pub fn commit_due(&self) -> Option<Duration> {
        let sink = self.output.event_sink();
        let interval = sink.commit_interval();
        let Some(oldest) = self.oldest_uncommitted else {
            let left = interval.saturating_sub(self.last_commit.elapsed());
            return match self.has_lease() {
                true => Some(left),
                false => self.output.records_attempts().then_some(interval),
            };
        };
        let threshold = crash::limit("COMMIT_BYTES", sink.commit_threshold());
        Some(match self.uncommitted_bytes >= threshold {
            true => Duration::ZERO,
            false => interval.saturating_sub(oldest.elapsed()),
        })
    }

    /// Whether commits are due also when nothing was written.
    fn has_lease(&self) -> bool {
        self.checkpoint.as_ref().is_some_and(CheckpointWriter::has_lease)
    }

    /// The silence of the source at `now`, as of the last checkpoint.
    pub fn silence(&self, now: Timestamp) -> Option<SourceSilence> {
        self.checkpoint.as_ref()?.silence(now)
    }

    /// Releases the source, if the run has locked it.
    pub fn release(self) -> Option<ReleasedSource> {
        self.checkpoint.map(CheckpointWriter::release)
    }

    /// Takes note of `records` that belong to other runs.
    pub fn leave_to_others(&mut self, records: &[Record]) {
        self.processor.leave_to_others(records);
    }

    /// Opens the output, so that one that cannot be written is known before any request. An empty
    /// file is announced at once: a run that dies would otherwise leave a file that no checkpoint
    /// names.
    ///
    /// # Errors
    /// It cannot be opened, or the checkpoint cannot be saved.
    pub fn open(&mut self) -> Result<(), RunError> {
        let opened = self.output.open(self.oldest_uncommitted.is_some())?;
        let has_empty = opened.has_empty();
        self.unannounced.add(opened);
        match has_empty {
            true => self.announce_files(),
            false => Ok(()),
        }
    }

    /// Writes what was delivered, and commits when it is time.
    ///
    /// # Errors
    /// Nothing that is not committed has moved the checkpoint.
    pub fn write(&mut self, message: FetchMessage) -> Result<WriteFlow, RunError> {
        match message {
            FetchMessage::RereadStarted => self.processor.start_reread(None),
            FetchMessage::LogRestarted { since } => self.processor.start_reread(Some(since)),
            FetchMessage::QueryStarted(query) => {
                if let Some(checkpoint) = &mut self.checkpoint {
                    checkpoint.set_query(query);
                    self.commit_all()?;
                }
            }
            FetchMessage::WindowShortened { from } => {
                if let Some(checkpoint) = &mut self.checkpoint {
                    checkpoint.set_start(from);
                }
            }
            FetchMessage::Records { records, received, users, window, window_after, advances } => {
                self.processor.users = users;
                if !records.is_empty() && !self.announce()?.write_records(&records, received)? {
                    // The window stays: the page is requested again, and the dedup cache knows what
                    // was written of it.
                    return Ok(WriteFlow::LimitReached);
                }
                if advances {
                    let checked = window_after.as_ref().and_then(|open| open.read_by_time);
                    self.processor.prune(checked);
                }
                if let Some(checkpoint) = &mut self.checkpoint {
                    checkpoint.set_window(window, window_after);
                }
            }
        }
        if self.output.event_sink().is_full() || self.commit_due() == Some(Duration::ZERO) {
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
        if self.oldest_uncommitted.is_none() && self.output.has_no_new_attempt() {
            return Ok(());
        }
        self.commit_all()
    }

    /// The last commit: after it others may append to the output files. Returns the notifier whose
    /// alerts may not all be delivered yet, for [`EventWriter::finish_notified`].
    ///
    /// # Errors
    /// The checkpoint has not moved.
    pub fn finish(&mut self) -> Result<Option<AlertNotifier>, RunError> {
        self.judge()?;
        let durable = self.output.finish(&self.counts)?;
        self.save_checkpoint(durable)?;
        Ok(self.output.take_notifier())
    }

    /// Commits again after [`EventWriter::finish`], to save that `delivered` more alerts were
    /// delivered. Never after a failed output: the checkpoint would claim what is not written.
    ///
    /// # Errors
    /// These alerts are sent again by the next run.
    pub fn finish_notified(&mut self, delivered: usize) -> Result<(), RunError> {
        self.output.note_delivered(delivered)?;
        self.finish().map(|_| ())
    }

    fn commit_all(&mut self) -> Result<(), RunError> {
        self.judge()?;
        let durable = self.output.commit(&self.counts)?;
        self.save_checkpoint(durable)
    }

    /// Judges what can be judged, where events are. An idle source may have alerts to write.
    fn judge(&mut self) -> Result<(), RunError> {
        let checkpoint = self.checkpoint.as_ref();
        let read = checkpoint.and_then(|known| known.read_until(self.processor.watermark));
        match self.output.judge_before(read)? {
            true => self.announce_files(),
            false => Ok(()),
        }
    }

    fn announce(&mut self) -> Result<AnnouncedOutput<'_>, RunError> {
        self.open()?;
        self.announce_files()?;
        Ok(AnnouncedOutput(self))
    }

    /// Saves the names of files that were opened.
    fn announce_files(&mut self) -> Result<(), RunError> {
        let opened = std::mem::take(&mut self.unannounced);
        debug_assert!(opened.is_none() || self.oldest_uncommitted.is_none());
        match &mut self.checkpoint {
            Some(checkpoint) if !opened.is_none() => {
                Ok(checkpoint.save(&mut self.processor, 0, opened.durable())?)
            }
            _ => Ok(()),
        }
    }

    fn save_checkpoint(&mut self, durable: DurableOutput) -> Result<(), RunError> {
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.save(&mut self.processor, self.uncommitted_events, durable)?;
            self.output.checkpoint_saved();
            self.meter.record_checkpoint(chrono::Utc::now());
        }
        self.meter.committed.add(self.uncommitted_events);
        self.committed_counts = self.counts.clone();
        self.uncommitted_bytes = 0;
        self.uncommitted_events = 0;
        self.oldest_uncommitted = None;
        self.last_commit = Instant::now();
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.publish()?;
        }
        Ok(self.output.publish()?)
    }
}

impl AnnouncedOutput<'_> {
    /// Writes the lines of `records`. Returns false if `--max-events` left some of them out.
    fn write_records(self, records: &[Record], received: Timestamp) -> Result<bool, RunError> {
        let writer = self.0;
        writer.processor.mark_batch(records);
        // Not kept until the next message: hundreds of sources may wait for theirs.
        let mut rendered = RenderedEvents::default();
        for batch in records.chunks(RENDER_BATCH) {
            rendered.lines.clear();
            let (counts, taken) = writer.processor.process(batch, received, &mut rendered);
            if !rendered.lines.is_empty() {
                writer.output.events().append(&rendered.lines)?;
                writer.output.judge(rendered.judged.drain(..))?;
                writer.uncommitted_bytes += rendered.lines.len();
                writer.uncommitted_events += counts.events;
                writer.oldest_uncommitted.get_or_insert_with(Instant::now);
            }
            warn_once(&writer.counts, &counts);
            writer.counts.add(&counts);
            writer.meter.events.add(counts.events);
            if taken < batch.len() {
                return Ok(false);
            }
        }
        writer.processor.watermark.iter().for_each(|mark| writer.meter.wrote_up_to(*mark));
        Ok(true)
    }
}

/// Logs the first of each kind; the run's summary has the counts.
fn warn_once(before: &RecordCounts, now: &RecordCounts) {
    if before.unparsed == 0 && now.unparsed > 0 {
        tracing::warn!(
            "a record could not be understood; it is written as `unparsed`, with its raw text"
        );
    }
    if before.unreadable_times == 0 && now.unreadable_times > 0 {
        tracing::warn!(
            "a record's time cannot be read; its event has no time, and `labels.time_unreadable` \
             (or `processed_time_unreadable`) holds what the source wrote"
        );
    }
    if before.clashes == 0 && now.clashes > 0 {
        tracing::warn!("a record repeats an id with another content; both are written");
    }
}
