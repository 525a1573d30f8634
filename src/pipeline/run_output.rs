//! The output of a run: its events; their alerts, where they are judged; in an export, a line for
//! each response, which is durable before the events of that response. See `docs/design.md`,
//! section 4.
//!
//! Blocks the thread that it is called on.

use std::path::PathBuf;

use crate::config::settings::{OutputPath, OutputSettings};
use crate::crash::{self, CrashPoint};
use crate::detect::{LiveCounts, StoredEvent};
use crate::fetch::attempt_record::AttemptRecorder;
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::objects::ObjectBatch;
use crate::pipeline::alert_notifier::AlertNotifier;
use crate::pipeline::alert_output::AlertOutput;
use crate::pipeline::error::RunError;
use crate::pipeline::record_processor::RecordCounts;
use crate::pipeline::table_sink::{events_sink, one_run_sink};
use crate::sink::location::path_at;
use crate::sink::{self, LastOutput, LineSink, SinkError};
use crate::state::checkpoint::{DetectionCheckpoint, ExportProgress};

/// The output of one run.
pub struct RunOutput {
    events: Box<dyn LineSink>,
    attempts: Option<AttemptFile>,
    alerts: Option<AlertOutput>,
}

/// Proof that output is on disk. Only [`RunOutput`] makes one, and a checkpoint cannot be saved
/// without it. What it does not name is as the last checkpoint says.
#[derive(Debug, Default)]
#[must_use = "the checkpoint must be saved with it"]
pub struct DurableOutput {
    /// The output files, and how much of each is committed.
    pub(super) files: Option<Vec<OutputFileState>>,
    /// What waits for object storage, where the output is there.
    pub(super) objects: Option<ObjectBatch>,
    /// How far the attempt log of an export is committed.
    pub(super) export_progress: Option<ExportProgress>,
    /// How far the events were judged.
    pub(super) detection: Option<DetectionCheckpoint>,
    /// Whether the run commits nothing after it.
    pub(super) is_last: bool,
}

impl RunOutput {
    /// The output that `settings` ask for; `last` is what the state knows of it, and `attempts` is
    /// there in an export.
    ///
    /// # Errors
    /// This build cannot write such an output.
    pub fn new(
        settings: &OutputSettings,
        last: LastOutput,
        attempts: Option<AttemptFile>,
    ) -> Result<RunOutput, SinkError> {
        Ok(RunOutput { events: events_sink(settings, last)?, attempts, alerts: None })
    }

    /// The output of a run that no checkpoint continues.
    ///
    /// # Errors
    /// Its name is taken.
    pub fn of_one_run(settings: &OutputSettings) -> Result<RunOutput, SinkError> {
        Ok(RunOutput { events: one_run_sink(settings)?, attempts: None, alerts: None })
    }

    /// The same, whose events are judged.
    pub fn with_alerts(self, alerts: AlertOutput) -> RunOutput {
        RunOutput { alerts: Some(alerts), ..self }
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

    /// Opens the files, so that one that cannot be written is known before any request. Returns
    /// those that were opened just now: what they hold was committed by earlier runs.
    ///
    /// While events are uncommitted no file is changed: the checkpoint that names a new one would
    /// say that these events were written.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub fn open(&mut self, has_uncommitted: bool) -> Result<OpenedFiles, SinkError> {
        if has_uncommitted {
            return Ok(OpenedFiles::default());
        }
        if let Some(attempts) = &mut self.attempts {
            // The checkpoint need not know of it: what follows its committed part is truncated.
            attempts.sink.prepare()?;
        }
        let alerts = match &mut self.alerts {
            Some(alerts) => alerts.open()?,
            None => None,
        };
        Ok(OpenedFiles { events: self.events.prepare()?, alerts })
    }

    /// Takes events that were appended, to be judged.
    ///
    /// # Errors
    /// They cannot be remembered.
    pub fn judge(&mut self, events: impl Iterator<Item = StoredEvent>) -> Result<(), RunError> {
        Ok(self.alerts.as_mut().map_or(Ok(()), |alerts| alerts.add(events))?)
    }

    /// Judges what nothing earlier is expected of, where everything was read until `read_until`.
    /// Returns whether there are alerts to write.
    ///
    /// # Errors
    /// It cannot be remembered.
    pub fn judge_before(&mut self, read_until: Option<Timestamp>) -> Result<bool, RunError> {
        Ok(self.alerts.as_mut().map_or(Ok(false), |alerts| alerts.judge(read_until))?)
    }

    /// Makes the responses durable, then the events, then the alerts. `counts` is what the run left
    /// out so far.
    ///
    /// # Errors
    /// One of them cannot be made durable.
    pub fn commit(&mut self, counts: &RecordCounts) -> Result<DurableOutput, RunError> {
        self.commit_with(counts, false)
    }

    /// The last commit: after it others may append to the output files.
    ///
    /// # Errors
    /// As with [`RunOutput::commit`].
    pub fn finish(&mut self, counts: &RecordCounts) -> Result<DurableOutput, RunError> {
        self.commit_with(counts, true)
    }

    fn commit_with(
        &mut self,
        counts: &RecordCounts,
        is_last: bool,
    ) -> Result<DurableOutput, RunError> {
        let commit = |sink: &mut dyn LineSink| match is_last {
            true => sink.finish(),
            false => sink.commit(),
        };
        let export_progress = match &mut self.attempts {
            Some(attempts) => Some(attempts.commit_with(counts, commit)?),
            None => None,
        };
        let files = Some(commit(&mut *self.events)?);
        let detection = match &mut self.alerts {
            Some(alerts) => Some(alerts.commit(is_last)?),
            None => None,
        };
        let objects = self.events.objects().cloned();
        Ok(DurableOutput { files, objects, export_progress, detection, is_last })
    }

    /// Cleans up after the checkpoint was saved, and sends its alerts to the program of `notify`.
    pub fn checkpoint_saved(&mut self) {
        self.alerts.iter_mut().for_each(AlertOutput::checkpoint_saved);
    }

    /// Gives what is committed its final name. To be called when the checkpoint is saved, or where
    /// there is none.
    ///
    /// # Errors
    /// It could not be given; the next run does it.
    pub fn publish(&mut self) -> Result<(), SinkError> {
        self.events.publish()
    }

    /// The notifier, to wait for after the last commit.
    pub fn take_notifier(&mut self) -> Option<AlertNotifier> {
        self.alerts.as_mut().and_then(AlertOutput::take_notifier)
    }

    /// Notes that `count` more alerts were delivered. The next commit saves it.
    ///
    /// # Errors
    /// It cannot be written as bytes.
    pub fn note_delivered(&mut self, count: usize) -> Result<(), RunError> {
        Ok(self.alerts.as_mut().map_or(Ok(()), |alerts| alerts.note_delivered(count))?)
    }

    /// What was found, where events are judged.
    pub fn alert_counts(&self) -> Option<LiveCounts> {
        self.alerts.as_ref().map(AlertOutput::counts)
    }
}

/// Files that were opened, and that the checkpoint does not name yet.
#[derive(Debug, Default)]
pub struct OpenedFiles {
    events: Option<OutputFileState>,
    /// With what the last checkpoint says of detection.
    alerts: Option<DetectionCheckpoint>,
}

impl OpenedFiles {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.events.is_none() && self.alerts.is_none()
    }

    /// Whether one of them is empty.
    pub fn has_empty(&self) -> bool {
        let alerts = self.alerts.iter().flat_map(|detection| &detection.outputs);
        self.events.iter().chain(alerts).any(|file| file.committed == 0)
    }

    /// Adds those that were opened later.
    pub fn add(&mut self, later: OpenedFiles) {
        self.events = later.events.or_else(|| self.events.take());
        self.alerts = later.alerts.or_else(|| self.alerts.take());
    }

    /// As output: what earlier runs committed to them is durable.
    pub fn durable(self) -> DurableOutput {
        let files = self.events.map(|file| vec![file]);
        DurableOutput { files, detection: self.alerts, ..DurableOutput::default() }
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
    ///
    /// # Errors
    /// This build cannot write such an output.
    pub fn new(
        recorder: AttemptRecorder,
        settings: &OutputSettings,
        progress: ExportProgress,
    ) -> Result<AttemptFile, SinkError> {
        let last = LastOutput { file: progress.pages.clone(), ..LastOutput::default() };
        Ok(AttemptFile {
            recorder,
            sink: sink::from_settings(settings, last)?,
            earlier_omissions: (progress.repeats, progress.outside),
            progress,
        })
    }

    /// Writes the new lines and makes them durable.
    fn commit_with(
        &mut self,
        counts: &RecordCounts,
        commit: impl FnOnce(&mut dyn LineSink) -> Result<Vec<OutputFileState>, SinkError>,
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

/// The file that lines of `output` are appended to now; `None` for standard output.
///
/// # Errors
/// The working directory is gone.
pub fn current_output_file(output: &OutputSettings) -> Result<Option<PathBuf>, SinkError> {
    let output = output.line_output();
    match &output.path {
        OutputPath::File(template) => {
            path_at(template, output.compression, chrono::Utc::now()).map(Some)
        }
        OutputPath::Stdout | OutputPath::Object(_) => Ok(None),
    }
}
