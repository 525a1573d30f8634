//! Judges saved events: sorts them by time in bounded memory, and hands out their alerts in that
//! order.

use std::collections::VecDeque;
use std::io;

use serde::{Deserialize, Serialize};

use crate::config::detection::DetectSettings;
use crate::detect::{
    AlertSeverity, DetectionAlert, DetectionEvent, DetectionSetup, DetectionState,
};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::json::Document;
use crate::model::text::counted;
use crate::model::time::Timestamp;
use crate::report::DetectionNotes;
use crate::telemetry::console::StderrConsole;
use crate::time_sorter::{SortedLines, TimeSorter};

/// Loads what `settings` name, and warns of what makes alerts doubtful.
///
/// # Errors
/// A rule, a list or the database of places cannot be used.
pub fn load_setup(
    settings: DetectSettings,
    now: Timestamp,
    console: &StderrConsole,
) -> Result<DetectionSetup, AppError> {
    let setup = DetectionSetup::load(settings, now)?;
    for warning in setup.warnings() {
        console.warn(warning);
    }
    Ok(setup)
}

/// An event on its way through the sort.
#[derive(Serialize, Deserialize)]
struct SortedEvent<'a> {
    #[serde(with = "chrono::serde::ts_microseconds")]
    time: Timestamp,
    /// Only the history of other events: its alerts are not reported.
    is_learned: bool,
    /// Those of a [`DetectionEvent`].
    bytes: &'a [u8],
}

impl SortedEvent<'_> {
    fn read(line: &[u8]) -> io::Result<SortedEvent<'_>> {
        postcard::from_bytes(line).map_err(io::Error::other)
    }
}

/// Takes saved events in any order.
pub struct SavedDetection<'a> {
    setup: &'a DetectionSetup,
    sorter: TimeSorter,
    outcome: DetectionOutcome,
}

/// What became of the events.
#[derive(Debug, Default)]
pub struct DetectionOutcome {
    /// Events that were judged; those that were only learned from are none of them.
    pub events: u64,
    /// Alerts by severity, the least first.
    pub by_severity: [u64; AlertSeverity::ALL.len()],
    /// What else a reader of the alerts must know.
    pub notes: DetectionNotes,
}

impl<'a> SavedDetection<'a> {
    /// Has no event yet.
    pub fn new(setup: &'a DetectionSetup) -> SavedDetection<'a> {
        let sorter = TimeSorter::new(false, None);
        SavedDetection { setup, sorter, outcome: DetectionOutcome::default() }
    }

    /// Takes a normalized event. What is found in one that is only learned from is not reported.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn add(&mut self, doc: &Document, is_learned: bool) -> io::Result<()> {
        let Some(event) = self.setup.event(doc) else {
            self.outcome.notes.undated += 1;
            return Ok(());
        };
        self.outcome.events += u64::from(!is_learned);
        let event = event.store();
        let time = event.time();
        let line = postcard::to_stdvec(&SortedEvent { time, is_learned, bytes: event.bytes() });
        self.sorter.push(Some(time), &line.map_err(io::Error::other)?)
    }

    /// All events, to be judged in their order.
    ///
    /// # Errors
    /// The temporary file cannot be written or read.
    pub fn sort(self) -> io::Result<SortedDetection<'a>> {
        Ok(SortedDetection {
            setup: self.setup,
            state: DetectionState::default(),
            lines: self.sorter.finish()?,
            ahead: None,
            found: VecDeque::new(),
            outcome: self.outcome,
        })
    }
}

/// Judges events in the order of time, those of one time in the order of their ids.
pub struct SortedDetection<'a> {
    setup: &'a DetectionSetup,
    state: DetectionState,
    lines: SortedLines,
    /// The first event of the next time.
    ahead: Option<Vec<u8>>,
    /// Alerts that nobody took yet.
    found: VecDeque<DetectionAlert>,
    outcome: DetectionOutcome,
}

impl SortedDetection<'_> {
    /// The next alert that no exception keeps back.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub fn next(&mut self) -> io::Result<Option<DetectionAlert>> {
        while self.found.is_empty() {
            let events = self.events_of_next_time()?;
            if events.is_empty() {
                return Ok(None);
            }
            self.judge(&events)?;
        }
        Ok(self.found.pop_front())
    }

    fn events_of_next_time(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut events: Vec<Vec<u8>> = self.ahead.take().into_iter().collect();
        while let Some(line) = self.lines.next()? {
            if let Some(first) = events.first()
                && SortedEvent::read(first)?.time != SortedEvent::read(&line)?.time
            {
                self.ahead = Some(line);
                break;
            }
            events.push(line);
        }
        Ok(events)
    }

    /// Judges events of one time. One that was read twice counts once.
    fn judge(&mut self, lines: &[Vec<u8>]) -> io::Result<()> {
        let mut events = Vec::with_capacity(lines.len());
        for line in lines {
            let SortedEvent { is_learned, bytes, .. } = SortedEvent::read(line)?;
            let event = DetectionEvent::of_bytes(bytes).map_err(io::Error::other)?;
            events.push((event, is_learned, bytes));
        }
        // Whatever else differs, the order must not depend on that of the files.
        events.sort_by(|(one, is_learned, bytes), (other, is_other_learned, other_bytes)| {
            let order = one.mark.cmp(&other.mark).then_with(|| one.source.cmp(&other.source));
            let order = order.then_with(|| is_learned.cmp(is_other_learned));
            order.then_with(|| bytes.cmp(other_bytes))
        });
        events.dedup_by(|(later, ..), (first, ..)| {
            later.mark == first.mark && later.source == first.source
        });
        for (event, is_learned, _) in events {
            let judged = self.state.judge(self.setup, &event);
            for judged in judged.into_iter().filter(|_| !is_learned) {
                match judged.is_excepted {
                    true => self.outcome.notes.excepted += 1,
                    false => {
                        self.outcome.note(&judged.alert);
                        self.found.push_back(judged.alert);
                    }
                }
            }
        }
        Ok(())
    }

    /// What became of the events, once there is no further alert.
    pub fn finish(self) -> DetectionOutcome {
        let mut outcome = self.outcome;
        outcome.notes.forgotten = self.state.forgotten();
        outcome.notes.uncorrelated = self.state.uncorrelated();
        outcome.notes.is_learning = self.state.is_learning(&self.setup.settings);
        outcome
    }
}

impl DetectionOutcome {
    fn note(&mut self, alert: &DetectionAlert) {
        if let Some(count) = self.by_severity.get_mut(alert.severity as usize) {
            *count += 1;
        }
    }

    /// The severity of the worst alert.
    pub fn worst(&self) -> Option<AlertSeverity> {
        let counts = AlertSeverity::ALL.into_iter().zip(self.by_severity);
        counts.rev().find(|(_, count)| *count > 0).map(|(severity, _)| severity)
    }

    /// `3 alerts in 900 events: 1 high, 2 medium`.
    pub fn summary(&self) -> String {
        let counts = AlertSeverity::ALL.into_iter().zip(self.by_severity).rev();
        let parts = counts.filter(|(_, count)| *count > 0);
        let parts: Vec<String> =
            parts.map(|(severity, count)| format!("{count} {severity}")).collect();
        let events = counted(self.events, "event");
        match parts.is_empty() {
            true => format!("no alert in {events}"),
            false => {
                let alerts = counted(self.by_severity.iter().sum(), "alert");
                format!("{alerts} in {events}: {}", parts.join(", "))
            }
        }
    }

    /// Warns of what could not be judged, or not with everything that was there.
    pub fn warn(&self, console: &StderrConsole) {
        self.notes.warnings().into_iter().for_each(|warning| console.warn(warning));
    }

    /// Reports the alerts of a command that shows them elsewhere.
    pub fn report(&self, console: &StderrConsole) {
        self.warn(console);
        console.notice(self.summary());
    }
}

/// The error of a sort that has no room.
pub fn sort_error(error: &io::Error) -> AppError {
    AppError::new(Exit::Output, "cannot write the temporary file that events are sorted in")
        .because(error)
        .hint("TMPDIR names the folder that it is created in")
}
