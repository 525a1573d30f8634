//! Owns what is counted in one pass over the events, in memory that does not grow with them.

use std::path::Path;

use super::brief::{Brief, Named};
use super::buckets::Buckets;
use super::earliest::{Earliest, Place};
use super::lines::{self, Trouble};
use super::seen::{ADMINISTRATIVE, Row, Seen, Who};
use super::tally::{Sight, Tally};
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
pub struct Statistics {
    /// Events.
    pub events: u64,
    /// The earliest and the latest time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// By time.
    pub buckets: Buckets,
    /// By who did it.
    pub actors: Tally<Named>,
    /// By what was done.
    pub actions: Tally<Brief>,
    /// By country.
    pub countries: Tally<Brief>,
    /// By address.
    pub addresses: Tally<Brief>,
    /// Failures, by what was tried.
    pub failed_actions: Tally<Brief>,
    /// Changes, by who made them.
    pub changing_actors: Tally<Named>,
    /// Changes, by category.
    pub changes_by_kind: [u64; ADMINISTRATIVE.len()],
    /// The first events.
    pub first_events: Earliest<Row>,
    /// The first failures.
    pub failures: Earliest<Row>,
    /// The first changes.
    pub changes: Earliest<Row>,
    /// A source each, as in the manifest.
    pub sources: Vec<Read>,
}

/// How reading a source's events went.
#[derive(Debug, Default)]
pub struct Read {
    /// Lines, understood or not.
    pub lines: u64,
    /// Lines that hold no event.
    pub broken: u64,
    /// Why there may be more.
    pub problem: Option<Trouble>,
}

impl Statistics {
    /// Counts the events of every source.
    pub fn of(dir: &Path, manifest: &Manifest) -> Statistics {
        let mut statistics = Statistics::new(manifest);
        for (at, source) in manifest.sources.iter().enumerate() {
            let read = statistics.read_source(dir, at, source);
            statistics.sources.push(read);
        }
        statistics
    }

    fn new(manifest: &Manifest) -> Statistics {
        Statistics {
            events: 0,
            span: None,
            buckets: Buckets::new(manifest.available_since(), manifest.asked.until),
            actors: Tally::default(),
            actions: Tally::default(),
            countries: Tally::default(),
            addresses: Tally::default(),
            failed_actions: Tally::default(),
            changing_actors: Tally::default(),
            changes_by_kind: [0; ADMINISTRATIVE.len()],
            first_events: Earliest::new(MAX_EVENTS),
            failures: Earliest::new(MAX_SELECTED),
            changes: Earliest::new(MAX_SELECTED),
            sources: Vec::new(),
        }
    }

    fn read_source(&mut self, dir: &Path, at: usize, source: &SourceEntry) -> Read {
        let mut read = Read::default();
        let is_own_realm = source.facts.kind == SourceKind::DatacenterAudit.as_str();
        let realm = is_own_realm.then_some(source.facts.name.as_str());
        let result = lines::read(dir, &source.events.file, |line| {
            read.lines += 1;
            match line.and_then(Seen::read) {
                Some(seen) => self.add(&seen, at, read.lines, realm),
                None => read.broken += 1,
            }
        });
        // Nothing was written where nothing was read.
        let is_none = source.events.lines == 0;
        read.problem = result
            .err()
            .filter(|trouble| !(is_none && *trouble == Trouble::Missing));
        read
    }

    fn add(&mut self, seen: &Seen, source: usize, line: u64, realm: Option<&str>) {
        let time = seen.time();
        let failed = seen.outcome() == Outcome::Failure;
        let sight = Sight { time, failed };
        let place = Place::new(time, source, line);
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

fn count_actor(tally: &mut Tally<Named>, who: Option<&Who>, sight: Sight) {
    match who {
        Some(who) => tally.add(&who.key, sight, &who.shown),
        None => tally.add_without(),
    }
}

fn count(tally: &mut Tally<Brief>, value: Option<&Brief>, sight: Sight) {
    match value {
        Some(value) => tally.add(value, sight, value),
        None => tally.add_without(),
    }
}
