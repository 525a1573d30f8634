//! The file of an export with one line for each response. Numbers the lines, and makes them
//! durable before the events of those responses.
//!
//! Blocks the thread that it is called on.

use crate::config::settings::OutputSettings;
use crate::crash::{self, CrashPoint};
use crate::fetch::attempt_record::AttemptRecorder;
use crate::model::output_file_state::OutputFileState;
use crate::pipeline::error::RunError;
use crate::pipeline::record_processor::RecordCounts;
use crate::sink::{self, LineSink, SinkError};
use crate::state::checkpoint::ExportProgress;

/// Writes the pages of one source.
pub struct AttemptFile {
    transcript: AttemptRecorder,
    sink: Box<dyn LineSink>,
    /// What is durable.
    kept: ExportProgress,
    /// What was left out before this run.
    before: (u64, u64),
}

impl AttemptFile {
    /// The pages of `transcript`, which go where `settings` say; `kept` is what earlier runs committed.
    pub fn new(
        transcript: AttemptRecorder,
        settings: &OutputSettings,
        kept: ExportProgress,
    ) -> AttemptFile {
        AttemptFile {
            transcript,
            sink: sink::from_settings(settings, kept.pages.clone()),
            before: (kept.repeats, kept.outside),
            kept,
        }
    }

    /// Whether there is nothing to commit.
    pub fn has_nothing_to_commit(&self) -> bool {
        self.transcript.is_empty()
    }

    /// Opens the file, so that one that cannot be written is known before anything is asked for.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&mut self) -> Result<(), RunError> {
        // It needs no record: whatever lies behind what is committed is cut off.
        self.sink.prepare()?;
        Ok(())
    }

    /// Makes every line that there is by now durable.
    ///
    /// # Errors
    /// [`AttemptFile::kept`] covers only what is durable.
    pub fn commit(&mut self) -> Result<(), RunError> {
        self.commit_with(|sink| sink.commit())
    }

    /// The last commit.
    ///
    /// # Errors
    /// As with [`AttemptFile::commit`].
    pub fn finish(&mut self) -> Result<(), RunError> {
        self.commit_with(|sink| sink.finish())
    }

    /// What is durable, together with what the run left out by `tally`.
    pub fn kept(&mut self, tally: &RecordCounts) -> ExportProgress {
        self.kept.repeats = self.before.0.saturating_add(tally.repeats);
        self.kept.outside = self.before.1.saturating_add(tally.outside);
        self.kept.clone()
    }

    fn commit_with(
        &mut self,
        end: impl FnOnce(&mut dyn LineSink) -> Result<Vec<OutputFileState>, SinkError>,
    ) -> Result<(), RunError> {
        let lines = self.append()?;
        let files = end(&mut *self.sink)?;
        self.kept.pages = files.into_iter().next_back();
        self.kept.lines = lines;
        crash::point(CrashPoint::PagesDurable);
        Ok(())
    }

    /// Appends what was taken down since the last time. The number of lines then.
    fn append(&mut self) -> Result<u64, RunError> {
        let (mut n, mut text) = (self.kept.lines, Vec::new());
        for mut line in self.transcript.take()? {
            n += 1;
            line.n = n;
            line.append_to(&mut text);
        }
        self.sink.prepare()?;
        if !text.is_empty() {
            self.sink.append(&text)?;
        }
        Ok(n)
    }
}
