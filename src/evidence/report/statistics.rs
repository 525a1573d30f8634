//! Owns what is counted in one pass over the events, in memory that does not grow with them.

use std::path::Path;

use super::truncated_text::{TruncatedText, EntityLabel};
use super::buckets::TimeBuckets;
use super::first_n::{FirstN, RowPosition};
use super::event_lines::{self, EventFileProblem};
use super::report_event::{ADMINISTRATIVE, EventRow, ReportEvent, ReportActor};
use super::frequency::{EventSample, FrequencyCounter};
use crate::evidence::manifest::{Manifest, SourceEntry};
use crate::model::event::Outcome;
use crate::model::name::SourceKind;
use crate::model::time::Timestamp;

/// Events in the table of events.
const MAX_EVENTS: usize = 1_000;
/// Events in the table of failures, and in that of changes.
const MAX_SELECTED: usize = 100;

/// What is counted.
#[derive(Debug)]
pub struct EventStatistics {
    /// Events.
    pub events: u64,
    /// The earliest and the latest time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// By time.
    pub buckets: TimeBuckets,
    /// By who did it.
    pub actors: FrequencyCounter<EntityLabel>,
    /// By what was done.
    pub actions: FrequencyCounter<TruncatedText>,
    /// By country.
    pub countries: FrequencyCounter<TruncatedText>,
    /// By address.
    pub addresses: FrequencyCounter<TruncatedText>,
    /// Failures, by what was tried.
    pub failed_actions: FrequencyCounter<TruncatedText>,
    /// Changes, by who made them.
    pub changing_actors: FrequencyCounter<EntityLabel>,
    /// Changes, by category.
    pub changes_by_kind: [u64; ADMINISTRATIVE.len()],
    /// The first events.
    pub first_events: FirstN<EventRow>,
    /// The first failures.
    pub failures: FirstN<EventRow>,
    /// The first changes.
    pub changes: FirstN<EventRow>,
    /// A source each, as in the manifest.
    pub sources: Vec<SourceReadCounts>,
}

/// How reading a source's events went.
#[derive(Debug, Default)]
pub struct SourceReadCounts {
    /// Lines, understood or not.
    pub lines: u64,
    /// Lines that hold no event.
    pub broken: u64,
    /// Why there may be more.
    pub problem: Option<EventFileProblem>,
}

impl EventStatistics {
    /// Counts the events of every source.
    pub fn of(dir: &Path, manifest: &Manifest) -> EventStatistics {
        let mut statistics = EventStatistics::new(manifest);
        for (at, source) in manifest.sources.iter().enumerate() {
            let read = statistics.read_source(dir, at, source);
            statistics.sources.push(read);
        }
        statistics
    }

    fn new(manifest: &Manifest) -> EventStatistics {
        EventStatistics {
            events: 0,
            span: None,
            buckets: TimeBuckets::new(manifest.available_since(), manifest.asked.until),
            actors: FrequencyCounter::default(),
            actions: FrequencyCounter::default(),
            countries: FrequencyCounter::default(),
            addresses: FrequencyCounter::default(),
            failed_actions: FrequencyCounter::default(),
            changing_actors: FrequencyCounter::default(),
            changes_by_kind: [0; ADMINISTRATIVE.len()],
            first_events: FirstN::new(MAX_EVENTS),
            failures: FirstN::new(MAX_SELECTED),
            changes: FirstN::new(MAX_SELECTED),
            sources: Vec::new(),
        }
    }

    fn read_source(&mut self, dir: &Path, at: usize, source: &SourceEntry) -> SourceReadCounts {
        let mut read = SourceReadCounts::default();
        let is_own_realm = source.facts.kind == SourceKind::DatacenterAudit.as_str();
        let realm = is_own_realm.then_some(source.facts.name.as_str());
        let result = event_lines::read(dir, &source.events.file, |line| {
            read.lines += 1;
            match line.and_then(ReportEvent::read) {
                Some(seen) => self.add(&seen, at, read.lines, realm),
                None => read.broken += 1,
            }
        });
        // Nothing was written where nothing was read.
        let is_none = source.events.lines == 0;
        read.problem = result
            .err()
            .filter(|trouble| !(is_none && *trouble == EventFileProblem::Missing));
        read
    }

    fn add(&mut self, seen: &ReportEvent, source: usize, line: u64, realm: Option<&str>) {
        let time = seen.time();
        let failed = seen.outcome() == Outcome::Failure;
        let sight = EventSample { time, failed };
        let place = RowPosition::new(time, source, line);
        self.events += 1;
        if let Some(time) = time {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        self.buckets.add(time, failed);
        self.first_events.offer(place, || seen.row(source));
        let action = seen.action();
        let actor = seen.actor(realm);
        if failed {
            self.failures.offer(place, || seen.row(source));
            count(&mut self.failed_actions, action.as_ref(), sight);
        } else if let Some(kind) = seen.administrative_category() {
            if let Some(count) = self.changes_by_kind.get_mut(kind) {
                *count += 1;
            }
            self.changes.offer(place, || seen.row(source));
            count_actor(&mut self.changing_actors, actor.as_ref(), sight);
        }
        count_actor(&mut self.actors, actor.as_ref(), sight);
        count(&mut self.actions, action.as_ref(), sight);
        count(&mut self.countries, seen.country().as_ref(), sight);
        count(&mut self.addresses, seen.address().as_ref(), sight);
    }
}

fn count_actor(tally: &mut FrequencyCounter<EntityLabel>, who: Option<&ReportActor>, sight: EventSample) {
    match who {
        Some(who) => tally.add(&who.key, sight, &who.shown),
        None => tally.add_without(),
    }
}

fn count(tally: &mut FrequencyCounter<TruncatedText>, value: Option<&TruncatedText>, sight: EventSample) {
    match value {
        Some(value) => tally.add(value, sight, value),
        None => tally.add_without(),
    }
}
