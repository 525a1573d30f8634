//! Judges the events that a run writes, and writes the alerts and what detection remembers under
//! the same commit: so an alert is written once, however often a run dies.
//!
//! Blocks the thread that it is called on.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::config::settings::AlertSettings;
use crate::detect::{DetectionSetup, LiveCounts, LiveDetection, LiveRecord, StoredEvent};
use crate::model::name::SourceName;
use crate::model::time::Timestamp;
use crate::pipeline::alert_notifier::AlertNotifier;
use crate::pipeline::error::RunError;
use crate::sink::{self, LastOutput, LineSink, SinkError};
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
    /// How many of the undelivered alerts were sent to the notifier.
    sent: usize,
    /// As of the last commit.
    checkpoint: DetectionCheckpoint,
    counts: LiveCounts,
    lost_events: u64,
    /// The log must be replaced: it refers to other rules, or cannot be continued.
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
    ) -> Result<AlertOutput, RunError> {
        let checkpoint = last.cloned().unwrap_or_default();
        let (log, records) = DetectionLog::open(store.folder(), source, checkpoint.log)?;
        let notify_from = settings.notify.as_ref().map(|notify| notify.min_severity);
        let mut detection = LiveDetection::new(setup, settings.schema, notify_from);
        let (must_replace, lost_events) = match records {
            None => (true, checkpoint.waiting),
            Some(mut records) => {
                let records = std::iter::from_fn(|| records.read().transpose());
                (detection.replay(records, |error| log.damaged(error))?, 0)
            }
        };
        let last = LastOutput { file: checkpoint.outputs.last().cloned(), ..LastOutput::default() };
        Ok(AlertOutput {
            detection,
            log,
            sink: sink::from_settings(&settings.output, last)?,
            checkpoint,
            counts: LiveCounts::default(),
            lost_events,
            notifier: settings
                .notify
                .as_ref()
                .map(|notify| AlertNotifier::start(notify, source.as_str())),
            sent: 0,
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
    pub fn add(&mut self, events: impl Iterator<Item = StoredEvent>) -> Result<(), StateError> {
        for event in events {
            let record: LiveRecord = LiveRecord::Event(event);
            self.log.append(&record)?;
            if let LiveRecord::Event(event) = record {
                self.detection.add(event).map_err(|error| self.log.damaged(error))?;
            }
        }
        Ok(())
    }

    /// Judges what nothing earlier is expected of, where everything was read until `read_until`.
    /// Returns whether there are alerts to write.
    ///
    /// # Errors
    /// It cannot be remembered.
    pub fn judge(&mut self, read_until: Option<Timestamp>) -> Result<bool, StateError> {
        let until = read_until.and_then(|read| read.checked_sub_signed(self.lateness));
        if let Some(until) = until {
            let judged = self.detection.judge_before(until);
            if judged.map_err(|error| self.log.damaged(error))? > 0 {
                let record: LiveRecord = LiveRecord::JudgedBefore(until);
                self.log.append(&record)?;
            }
        }
        Ok(self.detection.has_lines())
    }

    /// Makes it all durable. The last commit of a run stores the whole memory: records of what was
    /// done are only read after a run that died, so that they are not judged again with settings
    /// that have changed since.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn commit(&mut self, is_last: bool) -> Result<DetectionCheckpoint, RunError> {
        let delivered = self.notifier.as_ref().map_or(0, AlertNotifier::take_delivered);
        self.note_delivered(delivered)?;
        let lines = self.detection.take_lines();
        if !lines.is_empty() {
            self.sink.append(&lines)?;
        }
        let outputs = match is_last {
            true => self.sink.finish()?,
            false => self.sink.commit()?,
        };
        let is_due = self.must_replace || self.log.is_replacement_due();
        let log = match is_due || (is_last && self.log.has_grown()) {
            true => self.log.replace(&self.detection.memory())?,
            false => self.log.commit()?,
        };
        self.must_replace = false;
        self.counts = self.detection.counts();
        let waiting = self.detection.waiting();
        self.checkpoint =
            DetectionCheckpoint { log: Some(log), outputs, waiting, ..self.checkpoint };
        Ok(self.checkpoint.clone())
    }

    /// Removes files that no longer count, once the checkpoint is saved, and sends its alerts to
    /// the program of `notify`.
    pub fn checkpoint_saved(&mut self) {
        if let Some(notifier) = &self.notifier {
            self.detection.undelivered().skip(self.sent).for_each(|line| notifier.send(line));
            self.sent = self.detection.undelivered().count();
        }
        self.log.remove_others();
    }

    /// The notifier, to wait for after the last commit.
    pub fn take_notifier(&mut self) -> Option<AlertNotifier> {
        self.notifier.take()
    }

    /// Notes that `count` more alerts were delivered. The next commit saves it.
    ///
    /// # Errors
    /// It cannot be written as bytes.
    pub fn note_delivered(&mut self, count: usize) -> Result<(), StateError> {
        if count > 0 {
            let record: LiveRecord = LiveRecord::Delivered(count);
            self.log.append(&record)?;
            self.detection.note_delivered(count);
            self.sent = self.sent.saturating_sub(count);
        }
        Ok(())
    }

    /// Events that waited to be judged, where what detection remembered is gone.
    pub fn lost_events(&self) -> u64 {
        self.lost_events
    }

    /// What is committed of what this run found.
    pub fn counts(&self) -> LiveCounts {
        self.counts
    }
}
