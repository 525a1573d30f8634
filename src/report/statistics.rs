//! What is counted in one pass over the events, in memory that does not grow with them.

use std::cell::OnceCell;
use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;

use super::chart::{TimeBuckets, TimeCounter};
use super::event_rows::{EventRows, KeptEvent, RowPosition};
use super::frequency::{CountedEvent, FrequencyCounter};
use super::guessed_logins::{LoginAttempt, LoginWatch};
use super::report_event::{CHANGE_KINDS, CountedValue, ReportEvent, ReportSource, event_object};
use super::text::TruncatedText;
use crate::model::json::Document;
use crate::model::meaning::Outcome;
use crate::model::time::Timestamp;

/// Rows in the table of events, from either end.
const MAX_EVENTS: usize = 1_000;
/// Rows in the tables of failures and of changes, from either end.
const MAX_SELECTED: usize = 100;
/// Values of one kind that are counted.
const MAX_VALUES: usize = 10_000;
/// Sources that are counted for themselves.
const MAX_SOURCES: usize = 200;

/// Everything that the page says of the events themselves.
#[derive(Debug)]
pub struct EventStatistics {
    /// The window, where it is known before the events.
    window: Option<(Timestamp, Timestamp)>,
    /// Events.
    pub events: u64,
    /// The earliest and the latest time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// By time.
    pub over_time: TimeCounter,
    /// By source.
    pub sources: Vec<SourceStatistics>,
    /// By who did it.
    pub actors: FrequencyCounter,
    /// By what was done.
    pub actions: FrequencyCounter,
    /// By country.
    pub countries: FrequencyCounter,
    /// By address.
    pub addresses: FrequencyCounter,
    /// By the token that it was done with.
    pub tokens: FrequencyCounter,
    /// By an app that it was done by, through or to.
    pub apps: FrequencyCounter,
    /// Failures, by what was tried.
    pub failed_actions: FrequencyCounter,
    /// Changes, by who made them.
    pub changers: FrequencyCounter,
    /// Changes, by their kind.
    pub changes_by_kind: [u64; CHANGE_KINDS.len()],
    /// Logins after failed ones.
    pub logins: LoginWatch,
    /// All events.
    pub rows: EventRows,
    /// Failures.
    pub failures: EventRows,
    /// Changes.
    pub changes: EventRows,
    /// Those of the changes that are sensitive.
    pub sensitive: EventRows,
}

/// What is counted of one source.
#[derive(Debug)]
pub struct SourceStatistics {
    /// Its name, where there are several.
    pub label: Option<Arc<str>>,
    /// Its events.
    pub events: u64,
    /// Those that failed.
    pub failed: u64,
    /// By time.
    pub over_time: TimeCounter,
}

impl EventStatistics {
    /// Counts nothing yet; the charts are of the time range from `since` to before `until`.
    pub fn new(since: Timestamp, until: Timestamp) -> EventStatistics {
        EventStatistics::with_window(Some((since, until)))
    }

    /// Counts nothing yet; the charts are of the time range of the events themselves.
    pub fn of_any_time() -> EventStatistics {
        EventStatistics::with_window(None)
    }

    fn with_window(window: Option<(Timestamp, Timestamp)>) -> EventStatistics {
        let counter = || FrequencyCounter::new(MAX_VALUES);
        EventStatistics {
            window,
            events: 0,
            span: None,
            over_time: time_counter(window),
            sources: Vec::new(),
            actors: counter(),
            actions: counter(),
            countries: counter(),
            addresses: counter(),
            tokens: counter(),
            apps: counter(),
            failed_actions: counter(),
            changers: counter(),
            changes_by_kind: [0; CHANGE_KINDS.len()],
            logins: LoginWatch::new(),
            rows: EventRows::new(MAX_EVENTS),
            failures: EventRows::new(MAX_SELECTED),
            changes: EventRows::new(MAX_SELECTED),
            sensitive: EventRows::new(MAX_SELECTED),
        }
    }

    /// The time range of the charts, the end not included: the window, or that of the events.
    pub fn time_range(&self) -> Option<(Timestamp, Timestamp)> {
        let own = self.span.map(|(first, last)| (first, last + TimeDelta::milliseconds(1)));
        self.window.or(own)
    }

    /// Counts the event in line `number` of its source, if the line holds one.
    pub fn add_line(&mut self, line: Bytes, source: ReportSource<'_>, number: u64) {
        if let Some(event) = event_object(line) {
            self.add_event(&event, source, number);
        }
    }

    /// Counts the event in line `number` of its source.
    pub fn add_event(&mut self, object: &Document, source: ReportSource<'_>, number: u64) {
        let event = ReportEvent::of(object);
        let time = event.time();
        let failed = event.outcome() == Outcome::Failure;
        let position =
            RowPosition { is_undated: time.is_none(), time, source: source.index, line: number };
        self.events += 1;
        if let Some(time) = time {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        self.over_time.add(time, failed);
        self.add_to_source(source, time, failed);
        let keep = || KeptEvent::of(&event, object.text(), source.index, source.label);
        self.rows.offer(position, keep);
        let counted = CountedEvent {
            time,
            failed,
            source: source.index,
            actor: event.actor(source.realm),
            action: event.action().map(CountedValue::plain),
            sighting: OnceCell::new(),
        };
        if failed {
            self.failures.offer(position, keep);
            self.failed_actions.add_event(counted.action.as_ref(), &counted);
        } else if let Some(kind) = event.change_kind() {
            self.changes.offer(position, keep);
            self.changers.add_event(counted.actor.as_ref(), &counted);
            if let Some(count) = self.changes_by_kind.get_mut(kind) {
                *count += 1;
            }
            if CHANGE_KINDS.get(kind).is_some_and(|kind| kind.is_sensitive) {
                self.sensitive.offer(position, keep);
            }
        }
        self.add_values(&event, &counted);
        if event.is_login() {
            self.logins.add(
                position,
                LoginAttempt {
                    failed,
                    actor: event.login_subject(source.realm).map(CountedValue::into_owned),
                    address: event.address().map(TruncatedText::into_owned),
                    country: event.country().map(|country| country.label.into_owned()),
                },
            );
        }
    }

    fn add_values(&mut self, event: &ReportEvent<'_>, counted: &CountedEvent<'_>) {
        let address = event.address().map(CountedValue::plain);
        self.actors.add_event(counted.actor.as_ref(), counted);
        self.actions.add_event(counted.action.as_ref(), counted);
        self.countries.add_event(event.country().as_ref(), counted);
        self.addresses.add_event(address.as_ref(), counted);
        self.tokens.add_event(event.token().as_ref(), counted);
        for app in event.apps() {
            self.apps.add_event(Some(&app), counted);
        }
    }

    fn add_to_source(&mut self, source: ReportSource<'_>, time: Option<Timestamp>, failed: bool) {
        while self.sources.len() <= source.index.min(MAX_SOURCES - 1) {
            self.sources.push(SourceStatistics {
                label: None,
                events: 0,
                failed: 0,
                over_time: time_counter(self.window),
            });
        }
        let Some(own) = self.sources.get_mut(source.index) else { return };
        if own.events == 0 {
            own.label = source.label.map(Arc::from);
        }
        own.events += 1;
        own.failed += u64::from(failed);
        own.over_time.add(time, failed);
    }

    /// The label of a source.
    pub fn label(&self, source: usize) -> Option<&str> {
        self.sources.get(source)?.label.as_deref()
    }
}

fn time_counter(window: Option<(Timestamp, Timestamp)>) -> TimeCounter {
    match window {
        Some((since, until)) => TimeCounter::Window(TimeBuckets::new(since, until)),
        None => TimeCounter::growing(),
    }
}
