//! The output of a run: its events and, in an export, a line for each response, which is durable
//! before the events of that response. See `docs/design.md`, section 4.
//!
//! Blocks the thread that it is called on.

use std::path::PathBuf;

use crate::config::settings::{OutputPath, OutputSettings};
use crate::crash::{self, CrashPoint};
use crate::fetch::attempt_record::AttemptRecorder;
use crate::model::output_file_state::OutputFileState;
use crate::pipeline::record_processor::RecordCounts;
use crate::pipeline::table_sink::events_sink;
use crate::sink::location::path_at;
use crate::sink::{self, LineSink, SinkError};
use crate::state::checkpoint::ExportProgress;

/// The output of one run.
pub struct RunOutput {
    events: Box<dyn LineSink>,
    attempts: Option<AttemptFile>,
}

/// Proof that output is on disk. Only a commit of [`RunOutput`] makes one, and a checkpoint cannot
/// be saved without it.
#[derive(Debug, Default)]
#[must_use = "the checkpoint must be saved with it"]
pub struct DurableOutput {
    /// The output files, and how much of each is committed.
    pub(super) files: Vec<OutputFileState>,
    /// How far the attempt log of an export is committed.
    pub(super) export_progress: Option<ExportProgress>,
}

impl RunOutput {
    /// The output that `settings` ask for; `last_file` is what the checkpoint says of the file that
    /// was written last, and `attempts` is there in an export.
    pub fn new(
        settings: &OutputSettings,
        last_file: Option<OutputFileState>,
        attempts: Option<AttemptFile>,
    ) -> RunOutput {
        RunOutput { events: events_sink(settings, last_file), attempts }
    }

    /// The sink of the events.
    pub fn events(&mut self) -> &mut dyn LineSink {
        &mut *self.events
    }

    /// The sink of the events, to look at.
    pub fn event_sink(&self) -> &dyn LineSink {
        &*self.events
    }

    /// Whether responses are recorded, so that there may be something to commit without any event.
    pub fn records_attempts(&self) -> bool {
        self.attempts.is_some()
    }

    /// Whether responses are recorded, and none came since the last commit.
    pub fn has_no_new_attempt(&self) -> bool {
        self.attempts.as_ref().is_some_and(|attempts| attempts.recorder.is_empty())
    }

    /// Opens the files, so that one that cannot be written is known before any request. Returns the
    /// event file if it was opened just now.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub fn open(&mut self) -> Result<Option<OutputFileState>, SinkError> {
        if let Some(attempts) = &mut self.attempts {
            // The checkpoint need not know of it: what follows its committed part is truncated.
            attempts.sink.prepare()?;
        }
        self.events.prepare()
    }

    /// Makes the responses durable, and then the events. `counts` is what the run left out so far.
    ///
    /// # Errors
    /// One of them cannot be made durable.
    pub fn commit(&mut self, counts: &RecordCounts) -> Result<DurableOutput, SinkError> {
        self.commit_with(counts, |sink| sink.commit())
    }

    /// The last commit: after it others may append to the output files.
    ///
    /// # Errors
    /// As with [`RunOutput::commit`].
    pub fn finish(&mut self, counts: &RecordCounts) -> Result<DurableOutput, SinkError> {
        self.commit_with(counts, |sink| sink.finish())
    }

    fn commit_with(
        &mut self,
        counts: &RecordCounts,
        commit: fn(&mut dyn LineSink) -> Result<Vec<OutputFileState>, SinkError>,
    ) -> Result<DurableOutput, SinkError> {
        let export_progress = match &mut self.attempts {
            Some(attempts) => Some(attempts.commit_with(counts, commit)?),
            None => None,
        };
        Ok(DurableOutput { files: commit(&mut *self.events)?, export_progress })
    }
}

impl DurableOutput {
    /// A file that was opened just now: what it holds was committed by an earlier run.
    pub fn opened(file: OutputFileState) -> DurableOutput {
        DurableOutput { files: vec![file], export_progress: None }
    }
}

/// The attempt log of one source of an export: a numbered line for each attempt at a request.
pub struct AttemptFile {
    recorder: AttemptRecorder,
    sink: Box<dyn LineSink>,
    /// What is durable.
    progress: ExportProgress,
    /// Repeats and records outside the window that earlier runs left out.
    earlier_omissions: (u64, u64),
}

impl AttemptFile {
    /// Writes what `recorder` records to where `settings` say, after what earlier runs committed.
    pub fn new(
        recorder: AttemptRecorder,
        settings: &OutputSettings,
        progress: ExportProgress,
    ) -> AttemptFile {
        AttemptFile {
            recorder,
            sink: sink::from_settings(settings, progress.pages.clone()),
            earlier_omissions: (progress.repeats, progress.outside),
            progress,
        }
    }

    /// Writes the new lines and makes them durable.
    fn commit_with(
        &mut self,
        counts: &RecordCounts,
        commit: fn(&mut dyn LineSink) -> Result<Vec<OutputFileState>, SinkError>,
    ) -> Result<ExportProgress, SinkError> {
        let (mut number, mut text) = (self.progress.lines, Vec::new());
        for mut line in self.recorder.take()? {
            number += 1;
            line.n = number;
            line.append_to(&mut text);
        }
        self.sink.prepare()?;
        if !text.is_empty() {
            self.sink.append(&text)?;
        }
        let (repeats, outside) = self.earlier_omissions;
        self.progress.pages = commit(&mut *self.sink)?.pop();
        self.progress.lines = number;
        self.progress.repeats = repeats.saturating_add(counts.repeats);
        self.progress.outside = outside.saturating_add(counts.outside);
        crash::point(CrashPoint::PagesDurable);
        Ok(self.progress.clone())
    }
}

/// The file that `output` appends to now; `None` for standard output.
///
/// # Errors
/// The working directory is gone.
pub fn current_output_file(output: &OutputSettings) -> Result<Option<PathBuf>, SinkError> {
    match &output.path {
        OutputPath::File(template) => {
            path_at(template, output.compression, chrono::Utc::now()).map(Some)
        }
        OutputPath::Stdout => Ok(None),
    }
}
