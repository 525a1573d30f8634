//! Judges the events that a run writes, and writes the alerts and what detection remembers under
//! the same commit: so an alert is written once, however often a run dies.
//!
//! Blocks the thread that it is called on.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::config::settings::AlertSettings;
use crate::detect::{DetectionEvent, DetectionSetup, LiveCounts, LiveDetection, LiveRecord};
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::pipeline::alert_notifier::AlertNotifier;
use crate::pipeline::error::RunError;
use crate::sink::{self, LineSink, SinkError};
use crate::state::StateError;
use crate::state::checkpoint::DetectionCheckpoint;
use crate::state::detection_log::DetectionLog;
use crate::state::store::StateStore;

/// The alerts of one source.
pub struct AlertOutput {
    detection: LiveDetection,
    log: DetectionLog,
    sink: Box<dyn LineSink>,
    lateness: TimeDelta,
    notifier: Option<AlertNotifier>,
    /// How many of the alerts that wait for a program were handed to the notifier.
    handed_over: usize,
    /// As of the last commit.
    checkpoint: DetectionCheckpoint,
    /// The log must begin anew: it refers to other rules.
    must_replace: bool,
}

impl AlertOutput {
    /// Continues where `last`, of the checkpoint, says. The source is locked.
    ///
    /// # Errors
    /// What detection remembers is damaged, or cannot be read.
    pub fn resume(
        setup: Arc<DetectionSetup>,
        settings: &AlertSettings,
        (store, source): (&StateStore, &SourceName),
        last: Option<&DetectionCheckpoint>,
    ) -> Result<AlertOutput, StateError> {
        let checkpoint = last.cloned().unwrap_or_default();
        let (log, records) = DetectionLog::open(store.folder(), source, checkpoint.log)?;
        let tell_from = settings.notify.as_ref().map(|notify| notify.min_severity);
        let mut detection = LiveDetection::new(setup, settings.schema, tell_from);
        let must_replace = match records {
            None => true,
            Some(mut records) => {
                detection.replay(std::iter::from_fn(|| records.read().transpose()))?
            }
        };
        let last_file = checkpoint.outputs.last().cloned();
        Ok(AlertOutput {
            detection,
            log,
            sink: sink::from_settings(&settings.output, last_file),
            checkpoint,
            notifier: settings
                .notify
                .as_ref()
                .map(|notify| AlertNotifier::start(notify.command.clone(), source.as_str())),
            handed_over: 0,
            lateness: TimeDelta::from_std(settings.lateness).unwrap_or(TimeDelta::MAX),
            must_replace,
        })
    }

    /// Opens the file, if none is open. Returns what the checkpoint is to say if it was opened just
    /// now.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&mut self) -> Result<Option<DetectionCheckpoint>, SinkError> {
        let opened = self.sink.prepare()?;
        Ok(opened
            .map(|file| DetectionCheckpoint { outputs: vec![file], ..self.checkpoint.clone() }))
    }

    /// Takes events that were written.
    ///
    /// # Errors
    /// They cannot be remembered.
    pub fn add(&mut self, events: impl Iterator<Item = DetectionEvent>) -> Result<(), StateError> {
        for event in events {
            let record: LiveRecord = LiveRecord::Event(event);
            self.log.append(&record)?;
            if let LiveRecord::Event(event) = record {
                self.detection.add(event);
            }
        }
        Ok(())
    }

    /// Judges what nothing earlier is expected of, where everything was read until `read_until`,
    /// and makes it all durable.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn commit_with(
        &mut self,
        read_until: Option<Timestamp>,
        commit: fn(&mut dyn LineSink) -> Result<Vec<OutputFileState>, SinkError>,
    ) -> Result<DetectionCheckpoint, RunError> {
        if let Some(until) = read_until.and_then(|read| read.checked_sub_signed(self.lateness)) {
            let record: LiveRecord = LiveRecord::JudgedBefore(until);
            self.log.append(&record)?;
            self.detection.judge_before(until);
        }
        self.note_told()?;
        let lines = self.detection.take_lines();
        if !lines.is_empty() {
            self.sink.append(&lines)?;
        }
        let outputs = commit(&mut *self.sink)?;
        let log = match self.must_replace || self.log.is_replacement_due() {
            true => self.log.replace(&self.detection.memory())?,
            false => self.log.commit()?,
        };
        self.must_replace = false;
        self.checkpoint = DetectionCheckpoint { log: Some(log), outputs, ..self.checkpoint };
        Ok(self.checkpoint.clone())
    }

    /// Notes which alerts a program has been told of since the last time.
    fn note_told(&mut self) -> Result<bool, StateError> {
        let told = self.notifier.as_ref().map_or(0, AlertNotifier::take_told);
        if told > 0 {
            let record: LiveRecord = LiveRecord::Told(told);
            self.log.append(&record)?;
            self.detection.note_told(told);
            self.handed_over = self.handed_over.saturating_sub(told);
        }
        Ok(told > 0)
    }

    /// Removes what no longer counts, once the checkpoint is saved, and tells of its alerts.
    ///
    /// # Errors
    /// What the file system says.
    pub fn checkpoint_saved(&mut self) -> Result<(), StateError> {
        if let Some(notifier) = &self.notifier {
            self.detection.untold().skip(self.handed_over).for_each(|line| notifier.tell(line));
            self.handed_over = self.detection.untold().count();
        }
        self.log.remove_others()
    }

    /// Waits for a while until all alerts were told of. Returns what the checkpoint is to say then,
    /// if it changes.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish_telling(&mut self) -> Result<Option<DetectionCheckpoint>, StateError> {
        if let Some(notifier) = &mut self.notifier {
            notifier.finish();
        }
        if !self.note_told()? {
            return Ok(None);
        }
        self.checkpoint.log = Some(self.log.commit()?);
        Ok(Some(self.checkpoint.clone()))
    }

    /// What this run found.
    pub fn counts(&self) -> LiveCounts {
        self.detection.counts()
    }
}
