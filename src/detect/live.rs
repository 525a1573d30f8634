//! Judges events while a run writes them. They arrive in any order: each waits until no earlier one
//! is expected.
//!
//! What is remembered is rebuilt from records: a memory, and everything that was done since.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alert::AlertSeverity;
use super::alert_schemas::AlertSchema;
use super::sigma::RuleKeys;
use super::{DamagedEvent, DetectionSetup, DetectionState, JudgedAlert, StoredEvent};
use crate::model::time::Timestamp;

/// The most events that wait, and the most bytes of them. Where more do, the earliest are judged.
const MAX_WAITING: usize = 50_000;
const MAX_WAITING_BYTES: usize = 32 * 1024 * 1024;

/// The most alerts that wait for the program of `notify`. Newer ones are not sent to it.
const MAX_UNDELIVERED: usize = 1000;

/// Judges the events of one source.
#[derive(Debug)]
pub struct LiveDetection {
    setup: Arc<DetectionSetup>,
    schema: AlertSchema,
    /// The lowest severity of alerts that are sent to the program of `notify`, if there is one.
    notify_from: Option<AlertSeverity>,
    memory: LiveMemory,
    /// Bytes of the events that wait.
    waiting_bytes: usize,
    /// The lines of alerts that are not written yet.
    lines: Vec<u8>,
    counts: LiveCounts,
    /// What earlier runs had forgotten and left out.
    before: LiveCounts,
}

/// Everything that is remembered.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct LiveMemory {
    /// The rules that the matches of events refer to by their place.
    rules: RuleKeys,
    state: DetectionState,
    /// Events that are not judged yet.
    waiting: Vec<StoredEvent>,
    /// The lines of alerts that are not delivered to the program of `notify` yet.
    undelivered: VecDeque<String>,
}

/// Something that was done, in a form that is stored. `M` is [`LiveMemory`] or a reference to it.
#[derive(Debug, Serialize, Deserialize)]
pub enum LiveRecord<M = LiveMemory> {
    /// What was remembered.
    Memory(M),
    /// An event arrived.
    Event(StoredEvent),
    /// Everything that happened before this was judged.
    JudgedBefore(#[serde(with = "chrono::serde::ts_microseconds")] Timestamp),
    /// So many alerts were delivered, the oldest first.
    Delivered(usize),
}

/// What a run found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveCounts {
    /// Alerts by severity, the least first.
    pub alerts: [u64; AlertSeverity::ALL.len()],
    /// Alerts that an exception kept back.
    pub excepted: u64,
    /// Events that were judged before their time, because too many waited.
    pub judged_early: u64,
    /// Histories of users and addresses that were forgotten to keep memory bounded.
    pub forgotten: u64,
    /// Events and groups that correlations left out to keep memory bounded.
    pub uncorrelated: u64,
    /// Alerts that are never sent to the program of `notify`, because too many waited.
    pub undelivered: u64,
}

impl LiveDetection {
    /// Begins without any memory. Alerts are written in `schema`; those of `notify_from` on wait
    /// until they are delivered.
    pub fn new(
        setup: Arc<DetectionSetup>,
        schema: AlertSchema,
        notify_from: Option<AlertSeverity>,
    ) -> LiveDetection {
        let memory = LiveMemory { rules: setup.rules.keys(), ..LiveMemory::default() };
        let counts = LiveCounts::default();
        LiveDetection {
            setup,
            schema,
            notify_from,
            memory,
            waiting_bytes: 0,
            lines: Vec::new(),
            counts,
            before: counts,
        }
    }

    /// Does what earlier runs did, by their records. Nothing of it is found again. Returns whether
    /// the rules have changed since, so that further records must follow a new memory.
    ///
    /// # Errors
    /// That of a record, or what `damaged` makes of an event in one.
    pub fn replay<E>(
        &mut self,
        records: impl Iterator<Item = Result<LiveRecord, E>>,
        damaged: impl Fn(DamagedEvent) -> E,
    ) -> Result<bool, E> {
        let current = self.setup.rules.keys();
        let mut recorded = current.clone();
        for record in records {
            match record? {
                LiveRecord::Memory(mut memory) => {
                    recorded = std::mem::replace(&mut memory.rules, current.clone());
                    for event in &mut memory.waiting {
                        current.translate(&recorded, event).map_err(&damaged)?;
                    }
                    self.waiting_bytes =
                        memory.waiting.iter().map(|event| event.bytes().len()).sum();
                    self.memory = memory;
                }
                LiveRecord::Event(mut event) => {
                    current.translate(&recorded, &mut event).map_err(&damaged)?;
                    self.add(event).map_err(&damaged)?;
                }
                LiveRecord::JudgedBefore(time) => {
                    self.judge_before(time).map_err(&damaged)?;
                }
                LiveRecord::Delivered(count) => self.note_delivered(count),
            }
        }
        self.lines.clear();
        self.before = self.counts();
        self.counts = LiveCounts::default();
        if self.notify_from.is_none() {
            self.memory.undelivered.clear();
        }
        Ok(recorded != current)
    }

    /// Takes an event, which waits until [`LiveDetection::judge_before`].
    ///
    /// # Errors
    /// An event is damaged.
    pub fn add(&mut self, event: StoredEvent) -> Result<(), DamagedEvent> {
        self.waiting_bytes += event.bytes().len();
        self.memory.waiting.push(event);
        while self.memory.waiting.len() > MAX_WAITING || self.waiting_bytes > MAX_WAITING_BYTES {
            let count = self.memory.waiting.len().div_ceil(4);
            self.counts.judged_early += count as u64;
            self.sort();
            self.judge_first(count)?;
        }
        Ok(())
    }

    /// Judges what happened before `time`: nothing earlier is expected any more. Returns how many
    /// events these were.
    ///
    /// # Errors
    /// An event is damaged.
    pub fn judge_before(&mut self, time: Timestamp) -> Result<usize, DamagedEvent> {
        self.sort();
        let count = self.memory.waiting.partition_point(|event| event.time() < time);
        self.judge_first(count)?;
        Ok(count)
    }

    /// How many events are not judged yet.
    pub fn waiting(&self) -> u64 {
        self.memory.waiting.len() as u64
    }

    /// What is remembered, to be stored in place of all records so far.
    pub fn memory(&self) -> LiveRecord<&LiveMemory> {
        LiveRecord::Memory(&self.memory)
    }

    /// Whether alerts were found since they were taken.
    pub fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// The lines of the alerts that were found since the last time, in the order of judging.
    pub fn take_lines(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.lines)
    }

    /// The lines of alerts that are not delivered yet, the oldest first.
    pub fn undelivered(&self) -> impl Iterator<Item = &String> {
        self.memory.undelivered.iter()
    }

    /// Notes that the oldest `count` of them were delivered.
    pub fn note_delivered(&mut self, count: usize) {
        self.memory.undelivered.drain(..count.min(self.memory.undelivered.len()));
    }

    /// What this run found.
    pub fn counts(&self) -> LiveCounts {
        let LiveCounts { forgotten, uncorrelated, .. } = self.before;
        let state = &self.memory.state;
        LiveCounts {
            forgotten: state.forgotten().saturating_sub(forgotten),
            uncorrelated: state.uncorrelated().saturating_sub(uncorrelated),
            ..self.counts
        }
    }

    /// Fast where they came nearly in order.
    fn sort(&mut self) {
        self.memory.waiting.sort_by(StoredEvent::compare);
    }

    fn judge_first(&mut self, count: usize) -> Result<(), DamagedEvent> {
        for event in self.memory.waiting.drain(..count) {
            self.waiting_bytes -= event.bytes().len();
            let event = event.read()?;
            for JudgedAlert { alert, is_excepted } in self.memory.state.judge(&self.setup, &event) {
                if is_excepted {
                    self.counts.excepted += 1;
                    continue;
                }
                if let Some(count) = self.counts.alerts.get_mut(alert.severity as usize) {
                    *count += 1;
                }
                let start = self.lines.len();
                self.schema.append_line(&alert, &mut self.lines);
                if self.notify_from.is_some_and(|least| alert.severity >= least) {
                    match self.memory.undelivered.len() < MAX_UNDELIVERED {
                        true => {
                            let line = self.lines.get(start..).unwrap_or_default();
                            let line = String::from_utf8_lossy(line).into_owned();
                            self.memory.undelivered.push_back(line);
                        }
                        false => self.counts.undelivered += 1,
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
