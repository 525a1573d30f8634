//! What is counted in one pass over the events, in memory that does not grow with them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::frequency::{CountedValue, EventSample, FrequencyCounter};
use super::report_event::{ADMINISTRATIVE, EventRow, ReportEvent};
use super::time_buckets::TimeBuckets;
use crate::model::meaning::Outcome;
use crate::model::time::Timestamp;

/// Rows in the table of events.
const MAX_EVENTS: usize = 1_000;
/// Rows in the table of failures, and in that of changes.
const MAX_SELECTED: usize = 100;

/// Everything that the page says of the events themselves.
#[derive(Debug)]
pub struct EventStatistics {
    /// Events.
    pub events: u64,
    /// The earliest and the latest time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// By time.
    pub buckets: TimeBuckets,
    /// By who did it.
    pub actors: FrequencyCounter,
    /// By what was done.
    pub actions: FrequencyCounter,
    /// By country.
    pub countries: FrequencyCounter,
    /// By address.
    pub addresses: FrequencyCounter,
    /// Failures, by what was tried.
    pub failed_actions: FrequencyCounter,
    /// Changes, by who made them.
    pub changers: FrequencyCounter,
    /// Changes, by category.
    pub changes_by_kind: [u64; ADMINISTRATIVE.len()],
    /// The first events.
    pub first: FirstN<EventRow>,
    /// The first failures.
    pub failures: FirstN<EventRow>,
    /// The first changes.
    pub changes: FirstN<EventRow>,
}

impl EventStatistics {
    /// Counts nothing yet; the chart is of the time range from `since` to before `until`.
    pub fn new(since: Timestamp, until: Timestamp) -> EventStatistics {
        EventStatistics {
            events: 0,
            span: None,
            buckets: TimeBuckets::new(since, until),
            actors: FrequencyCounter::default(),
            actions: FrequencyCounter::default(),
            countries: FrequencyCounter::default(),
            addresses: FrequencyCounter::default(),
            failed_actions: FrequencyCounter::default(),
            changers: FrequencyCounter::default(),
            changes_by_kind: [0; ADMINISTRATIVE.len()],
            first: FirstN::new(MAX_EVENTS),
            failures: FirstN::new(MAX_SELECTED),
            changes: FirstN::new(MAX_SELECTED),
        }
    }

    /// Counts the event in line `number` of the source with this index; false if it holds no event.
    /// `realm` keeps the actors of servers apart that number their users for themselves.
    pub fn add_line(
        &mut self,
        line: Bytes,
        source: usize,
        number: u64,
        realm: Option<&str>,
    ) -> bool {
        let Some(event) = ReportEvent::read(line) else {
            return false;
        };
        let time = event.time();
        let failed = event.outcome() == Outcome::Failure;
        let sample = EventSample { time, failed };
        let position = RowPosition::new(time, source, number);
        self.events += 1;
        if let Some(time) = time {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        self.buckets.add(time, failed);
        self.first.offer(position, || event.row(source));
        let action = event.action().map(CountedValue::plain);
        let actor = event.actor(realm);
        if failed {
            self.failures.offer(position, || event.row(source));
            self.failed_actions.add(action.as_ref(), sample);
        } else if let Some(kind) = event.administrative_category() {
            if let Some(count) = self.changes_by_kind.get_mut(kind) {
                *count += 1;
            }
            self.changes.offer(position, || event.row(source));
            self.changers.add(actor.as_ref(), sample);
        }
        self.actors.add(actor.as_ref(), sample);
        self.actions.add(action.as_ref(), sample);
        self.countries.add(event.country().map(CountedValue::plain).as_ref(), sample);
        self.addresses.add(event.address().map(CountedValue::plain).as_ref(), sample);
        true
    }
}

/// Where a row stands among the others: those without a time come last, then the order of sources
/// and lines decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RowPosition {
    is_undated: bool,
    time: Option<Timestamp>,
    source: usize,
    line: u64,
}

impl RowPosition {
    fn new(time: Option<Timestamp>, source: usize, line: u64) -> RowPosition {
        RowPosition { is_undated: time.is_none(), time, source, line }
    }
}

/// The earliest rows, whatever order they come in.
#[derive(Debug)]
pub struct FirstN<T> {
    rows: BTreeMap<RowPosition, T>,
    limit: usize,
    offered: u64,
}

impl<T> FirstN<T> {
    fn new(limit: usize) -> FirstN<T> {
        FirstN { rows: BTreeMap::new(), limit, offered: 0 }
    }

    /// Takes a row; `row` is called only if it may be shown.
    fn offer(&mut self, position: RowPosition, row: impl FnOnce() -> T) {
        self.offered += 1;
        let last = self.rows.last_key_value();
        if self.rows.len() >= self.limit && last.is_none_or(|(last, _)| position > *last) {
            return;
        }
        self.rows.insert(position, row());
        if self.rows.len() > self.limit {
            self.rows.pop_last();
        }
    }

    /// The rows, the earliest first.
    pub fn rows(&self) -> impl Iterator<Item = &T> {
        self.rows.values()
    }

    /// How many rows are kept.
    pub fn row_count(&self) -> u64 {
        self.rows.len() as u64
    }

    /// How many rows there were.
    pub fn offered(&self) -> u64 {
        self.offered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_earliest_are_kept_in_their_order(
            times in prop::collection::vec(prop::option::of(0_i64..50), 0..60),
            limit in 0_usize..20,
        ) {
            let place = |at: usize, time: Option<i64>| {
                RowPosition::new(time.and_then(Timestamp::from_timestamp_millis), at % 3, at as u64)
            };
            let mut earliest = FirstN::new(limit);
            for (at, time) in times.iter().enumerate() {
                earliest.offer(place(at, *time), || at);
                prop_assert!(earliest.row_count() <= limit as u64);
            }
            let mut all = (0..times.len()).collect::<Vec<_>>();
            all.sort_by_key(|&at| (times[at].is_none(), times[at], at % 3, at));
            all.truncate(limit);
            prop_assert_eq!(earliest.rows().copied().collect::<Vec<_>>(), all);
            prop_assert_eq!(earliest.offered(), times.len() as u64);
        }
    }
}
