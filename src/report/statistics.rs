//! What is counted in one pass over the events, in memory that does not grow with them.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use maud::Markup;

use super::chart::TimeBuckets;
use super::report_event::{ADMINISTRATIVE, CountedValue, ReportEvent, ReportSource};
use super::text::{EntityLabel, TruncatedText};
use crate::model::meaning::Outcome;
use crate::model::time::Timestamp;

/// Rows in the table of events.
const MAX_EVENTS: usize = 1_000;
/// Rows in the table of failures, and in that of changes.
const MAX_SELECTED: usize = 100;
/// Values of one kind that are counted.
const MAX_VALUES: usize = 10_000;

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
    pub first: FirstN<Markup>,
    /// The first failures.
    pub failures: FirstN<Markup>,
    /// The first changes.
    pub changes: FirstN<Markup>,
}

impl EventStatistics {
    /// Counts nothing yet; the chart is of the time range from `since` to before `until`.
    pub fn new(since: Timestamp, until: Timestamp) -> EventStatistics {
        let counter = || FrequencyCounter::new(MAX_VALUES);
        EventStatistics {
            events: 0,
            span: None,
            buckets: TimeBuckets::new(since, until),
            actors: counter(),
            actions: counter(),
            countries: counter(),
            addresses: counter(),
            failed_actions: counter(),
            changers: counter(),
            changes_by_kind: [0; ADMINISTRATIVE.len()],
            first: FirstN::new(MAX_EVENTS),
            failures: FirstN::new(MAX_SELECTED),
            changes: FirstN::new(MAX_SELECTED),
        }
    }

    /// Counts the event in line `number` of its source, if the line holds one.
    pub fn add_line(&mut self, line: Bytes, source: ReportSource<'_>, number: u64) {
        let Some(event) = ReportEvent::read(line) else { return };
        let time = event.time();
        let failed = event.outcome() == Outcome::Failure;
        let is_undated = time.is_none();
        let position = RowPosition { is_undated, time, source: source.index, line: number };
        self.events += 1;
        if let Some(time) = time {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        self.buckets.add(time, failed);
        self.first.offer(position, || event.row(source));
        let action = event.action().map(CountedValue::plain);
        let actor = event.actor(source.realm);
        if failed {
            self.failures.offer(position, || event.row(source));
            self.failed_actions.add(action.as_ref(), time, failed);
        } else if let Some(kind) = event.administrative_category() {
            if let Some(count) = self.changes_by_kind.get_mut(kind) {
                *count += 1;
            }
            self.changes.offer(position, || event.row(source));
            self.changers.add(actor.as_ref(), time, failed);
        }
        let [country, address] =
            ["country", "ip"].map(|key| event.client(key).map(CountedValue::plain));
        self.actors.add(actor.as_ref(), time, failed);
        self.actions.add(action.as_ref(), time, failed);
        self.countries.add(country.as_ref(), time, failed);
        self.addresses.add(address.as_ref(), time, failed);
    }
}

/// How often each value was seen, in memory that is bounded however many values there are.
///
/// Up to `capacity` values the counts are exact. After that the frequent values are kept (Misra and
/// Gries): each value too many takes one from every count, so that all counts are too low by at
/// most the number of such values.
#[derive(Debug)]
pub struct FrequencyCounter {
    counts: HashMap<TruncatedText, ValueCount>,
    /// The most values that are counted.
    pub capacity: usize,
    /// By how much a count may be too low.
    pub max_error: u64,
    /// Events with a value.
    pub counted: u64,
    /// Events without one.
    pub without: u64,
}

/// What is known of one value.
#[derive(Debug, Clone)]
pub struct ValueCount {
    /// How it is shown.
    pub label: EntityLabel,
    /// Events with it.
    pub events: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// The earliest time.
    pub first: Option<Timestamp>,
    /// The latest time.
    pub last: Option<Timestamp>,
}

impl FrequencyCounter {
    /// Counts up to so many values exactly.
    pub fn new(capacity: usize) -> FrequencyCounter {
        FrequencyCounter { counts: HashMap::new(), capacity, max_error: 0, counted: 0, without: 0 }
    }

    /// Counts an event with this value, or without one.
    pub fn add(&mut self, value: Option<&CountedValue>, time: Option<Timestamp>, failed: bool) {
        let Some(CountedValue { key, label }) = value else {
            self.without += 1;
            return;
        };
        self.counted += 1;
        if self.counts.len() >= self.capacity && !self.counts.contains_key(key) {
            self.max_error += 1;
            return self.counts.retain(|_, count| {
                count.events -= 1;
                count.failed = count.failed.min(count.events);
                count.events > 0
            });
        }
        let count = self.counts.entry(key.clone()).or_insert_with(|| ValueCount {
            label: label.clone(),
            events: 0,
            failed: 0,
            first: None,
            last: None,
        });
        if label.has_name && !count.label.has_name {
            count.label = label.clone();
        }
        count.events += 1;
        count.failed += u64::from(failed);
        count.first = count.first.into_iter().chain(time).min();
        count.last = count.last.max(time);
    }

    /// How many values are counted.
    pub fn value_count(&self) -> usize {
        self.counts.len()
    }

    /// The `limit` most frequent values.
    pub fn top(&self, limit: usize) -> Vec<&ValueCount> {
        let mut all: Vec<_> = self.counts.iter().collect();
        // The order of the map must not show: the page is made again and compared.
        all.sort_by(|(a_key, a), (b_key, b)| b.events.cmp(&a.events).then(a_key.cmp(b_key)));
        all.into_iter().map(|(_, count)| count).take(limit).collect()
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

/// The earliest rows, whatever order they come in.
#[derive(Debug)]
pub struct FirstN<T> {
    rows: BTreeMap<RowPosition, T>,
    limit: usize,
    /// How many rows there were.
    pub offered: u64,
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

    /// The most rows that are stored.
    pub fn row_count(&self) -> u64 {
        self.rows.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count_all(capacity: usize, values: &[u8]) -> FrequencyCounter {
        let mut counter = FrequencyCounter::new(capacity);
        for value in values {
            let value = CountedValue::plain(TruncatedText::name(&value.to_string()));
            counter.add(Some(&value), None, false);
        }
        counter
    }

    #[test]
    fn the_most_frequent_come_first_and_the_rest_is_counted() {
        let counter = count_all(10, &[3, 1, 2, 1, 3, 4]);
        let top = counter.top(2);
        let rows = top.iter().map(|row| (row.label.name.clone(), row.events));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [(TruncatedText::name("1"), 2), (TruncatedText::name("3"), 2)]
        );
        assert_eq!((counter.value_count(), counter.counted, counter.max_error), (4, 6, 0));
    }

    proptest! {
        #[test]
        fn a_count_is_too_low_by_no_more_than_is_said(
            values in prop::collection::vec(0_u8..30, 0..400), capacity in 1_usize..12,
        ) {
            let counter = count_all(capacity, &values);
            let (count, bound) = (values.len() as u64, values.len() as u64 / (capacity as u64 + 1));
            prop_assert!(counter.counts.len() <= capacity);
            prop_assert!(counter.max_error <= bound);
            let top = counter.top(30);
            prop_assert_eq!(counter.counted, count);
            for value in 0..30_u8 {
                let truly = values.iter().filter(|&&seen| seen == value).count() as u64;
                let name = TruncatedText::name(&value.to_string());
                let row = top.iter().find(|row| row.label.name == name);
                let said = row.map_or(0, |row| row.events);
                let error = counter.max_error;
                prop_assert!(
                    said <= truly && truly <= said + error,
                    "{value}: {said} of {truly}, {error} lost"
                );
            }
        }

        #[test]
        fn the_earliest_are_kept_in_their_order(
            times in prop::collection::vec(prop::option::of(0_i64..50), 0..60),
            limit in 0_usize..20,
        ) {
            let place = |at: usize, time: Option<i64>| RowPosition {
                is_undated: time.is_none(),
                time: time.and_then(Timestamp::from_timestamp_millis),
                source: at % 3,
                line: at as u64,
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
            prop_assert_eq!(earliest.offered, times.len() as u64);
        }
    }
}
