//! Counts values in memory that is bounded however many there are.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use hashbrown::HashTable;
use std::hash::RandomState;

use super::report_event::CountedValue;
use super::text::{EntityLabel, TruncatedText};
use crate::model::time::Timestamp;

/// What the counters need of the event that they count.
#[derive(Debug, Default)]
pub struct CountedEvent<'a> {
    /// When it happened.
    pub time: Option<Timestamp>,
    /// Whether it failed.
    pub failed: bool,
    /// Which of the sources it is of.
    pub source: usize,
    /// Who did it.
    pub actor: Option<CountedValue<'a>>,
    /// What was done.
    pub action: Option<CountedValue<'a>>,
    /// Made for the first counter that has not seen its value before, shared by the others.
    pub sighting: OnceCell<Arc<ValueSighting>>,
}

impl CountedEvent<'_> {
    fn sighting(&self, time: Timestamp) -> Arc<ValueSighting> {
        let make = || {
            Arc::new(ValueSighting {
                time,
                source: self.source,
                actor: self.actor.as_ref().map(|actor| actor.label.clone().into_owned()),
                action: self.action.as_ref().map(|action| action.key.clone().into_owned()),
            })
        };
        Arc::clone(self.sighting.get_or_init(make))
    }
}

/// The event in which a value was seen.
#[derive(Debug, PartialEq, Eq)]
pub struct ValueSighting {
    /// When it happened.
    pub time: Timestamp,
    /// Which of the sources it is of.
    pub source: usize,
    /// Who did it.
    pub actor: Option<EntityLabel<'static>>,
    /// What was done.
    pub action: Option<TruncatedText<'static>>,
}

/// How often each value was seen, in memory that is bounded however many values there are.
///
/// Up to `capacity` values the counts are exact. After that the frequent values are kept (Misra and
/// Gries): each value too many takes one from every count, so that all counts are too low by at
/// most the number of such values.
#[derive(Debug)]
pub struct FrequencyCounter {
    counts: HashTable<ValueCount>,
    /// Of a seed of its own in each run: those who write names into a log must not choose which of
    /// them collide.
    hasher: RandomState,
    /// The most values that are counted.
    pub capacity: usize,
    /// By how much a count may be too low. Where it is not 0, nothing is known of rare values.
    pub max_error: u64,
    /// Events with a value.
    pub counted: u64,
    /// Events without one.
    pub without: u64,
}

/// What is known of one value.
#[derive(Debug, Clone)]
pub struct ValueCount {
    /// What it is counted by.
    key: TruncatedText<'static>,
    /// How it is shown.
    pub label: EntityLabel<'static>,
    /// Events with it.
    pub events: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// The earliest time.
    pub first: Option<Timestamp>,
    /// The latest time.
    pub last: Option<Timestamp>,
    /// The event of the earliest time, where that is asked for and no value was lost before.
    pub sighting: Option<Arc<ValueSighting>>,
}

impl ValueCount {
    /// No event yet.
    fn of(value: &CountedValue<'_>) -> ValueCount {
        let CountedValue { key, label } = value.clone().into_owned();
        ValueCount { key, label, events: 0, failed: 0, first: None, last: None, sighting: None }
    }
}

impl FrequencyCounter {
    /// Counts up to so many values exactly.
    pub fn new(capacity: usize) -> FrequencyCounter {
        let (counts, hasher) = (HashTable::new(), RandomState::default());
        FrequencyCounter { counts, hasher, capacity, max_error: 0, counted: 0, without: 0 }
    }

    /// Counts an event with this value, or without one.
    pub fn add(&mut self, value: Option<&CountedValue<'_>>, time: Option<Timestamp>, failed: bool) {
        self.add_seen(value, time, failed, |_| None);
    }

    /// Counts an event with this value, or without one, and remembers the first one with it.
    pub fn add_event(&mut self, value: Option<&CountedValue<'_>>, event: &CountedEvent<'_>) {
        self.add_seen(value, event.time, event.failed, |time| Some(event.sighting(time)));
    }

    fn add_seen(
        &mut self,
        value: Option<&CountedValue<'_>>,
        time: Option<Timestamp>,
        failed: bool,
        sighting: impl FnOnce(Timestamp) -> Option<Arc<ValueSighting>>,
    ) {
        let Some(value @ CountedValue { key, label }) = value else {
            self.without += 1;
            return;
        };
        self.counted += 1;
        let hash = self.hasher.hash_one(key);
        let is_full = self.counts.len() >= self.capacity;
        let count = match self.counts.find_mut(hash, |count| count.key == *key) {
            Some(count) => count,
            None if is_full => {
                self.max_error += 1;
                return self.counts.retain(|count| {
                    count.events -= 1;
                    count.failed = count.failed.min(count.events);
                    count.events > 0
                });
            }
            None => {
                let count = ValueCount::of(value);
                let hash_of = |count: &ValueCount| self.hasher.hash_one(&count.key);
                self.counts.insert_unique(hash, count, hash_of).into_mut()
            }
        };
        if label.has_name && !count.label.has_name {
            count.label = label.clone().into_owned();
        }
        count.events += 1;
        count.failed += u64::from(failed);
        count.last = count.last.max(time);
        if let Some(time) = time
            && count.first.is_none_or(|first| time < first)
        {
            count.first = Some(time);
            // Where values were lost, none is called new.
            count.sighting = if self.max_error == 0 { sighting(time) } else { None };
        }
    }

    /// How many values are counted.
    pub fn value_count(&self) -> usize {
        self.counts.len()
    }

    /// The `limit` most frequent values.
    pub fn top(&self, limit: usize) -> Vec<&ValueCount> {
        self.ordered(limit, |a, b| b.events.cmp(&a.events))
    }

    /// The values with at most so many events, the fewest first, and of those with as many the
    /// earliest; nothing where values were lost.
    pub fn rare(&self, most: u64) -> Vec<&ValueCount> {
        if self.max_error > 0 {
            return Vec::new();
        }
        let mut rows = self.ordered(usize::MAX, |a, b| {
            let times = || a.first.cmp(&b.first);
            a.events.cmp(&b.events).then_with(times)
        });
        rows.retain(|row| row.events <= most);
        rows
    }

    /// The values for which `is_wanted`, the earliest first.
    pub fn earliest(&self, is_wanted: impl Fn(&ValueSighting) -> bool) -> Vec<&ValueCount> {
        let mut rows = self.ordered(usize::MAX, |a, b| a.first.cmp(&b.first));
        rows.retain(|row| row.sighting.as_ref().is_some_and(|first| is_wanted(first)));
        rows
    }

    /// The first `limit` values in some order, and then by what they are counted by: the order of
    /// the table must not show, for the page is made again and compared.
    fn ordered(
        &self,
        limit: usize,
        order: impl Fn(&ValueCount, &ValueCount) -> Ordering,
    ) -> Vec<&ValueCount> {
        let mut all: Vec<_> = self.counts.iter().collect();
        all.sort_by(|a, b| order(a, b).then_with(|| a.key.cmp(&b.key)));
        all.truncate(limit);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(value: impl ToString) -> TruncatedText<'static> {
        TruncatedText::name(value.to_string())
    }

    fn count_all(capacity: usize, values: &[u8]) -> FrequencyCounter {
        let mut counter = FrequencyCounter::new(capacity);
        for value in values {
            counter.add(Some(&CountedValue::plain(name(value))), None, false);
        }
        counter
    }

    #[test]
    fn the_most_frequent_come_first_and_the_rest_is_counted() {
        let counter = count_all(10, &[3, 1, 2, 1, 3, 4]);
        let top = counter.top(2);
        let rows = top.iter().map(|row| (row.label.name.clone(), row.events));
        assert_eq!(rows.collect::<Vec<_>>(), [(name(1), 2), (name(3), 2)]);
        assert_eq!((counter.value_count(), counter.counted, counter.max_error), (4, 6, 0));
    }

    #[test]
    fn the_first_event_of_a_value_is_the_earliest_and_not_the_first_line() {
        let mut counter = FrequencyCounter::new(10);
        for (index, seconds) in [30, 10, 20, 10].into_iter().enumerate() {
            let time = Timestamp::from_timestamp(seconds, 0);
            let action = Some(CountedValue::plain(name(format!("act {index}"))));
            let event = CountedEvent { time, action, source: index, ..CountedEvent::default() };
            counter.add_event(Some(&CountedValue::plain(name("Iceland"))), &event);
        }
        let first = counter.top(1)[0].sighting.clone().unwrap();
        assert_eq!((first.time.timestamp(), first.source), (10, 1));
        assert_eq!(first.action, Some(name("act 1")));
        assert_eq!(counter.earliest(|first| first.time.timestamp() > 10).len(), 0);
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
                let row = top.iter().find(|row| row.label.name == name(value));
                let said = row.map_or(0, |row| row.events);
                let error = counter.max_error;
                prop_assert!(
                    said <= truly && truly <= said + error,
                    "{value}: {said} of {truly}, {error} lost"
                );
            }
        }

        #[test]
        fn the_rare_are_those_with_few_events_and_none_is_claimed_where_any_was_lost(
            values in prop::collection::vec(0_u8..30, 0..200),
            capacity in 1_usize..40, most in 0_u64..12,
        ) {
            let counter = count_all(capacity, &values);
            let rare = counter.rare(most);
            if counter.max_error > 0 {
                prop_assert!(rare.is_empty());
                return Ok(());
            }
            let truly = |value: u8| values.iter().filter(|&&seen| seen == value).count() as u64;
            let expected = (0..30).filter(|value| (1..=most).contains(&truly(*value))).count();
            prop_assert_eq!(rare.len(), expected);
            for row in &rare {
                let value = (0..30).find(|value| row.label.name == name(value)).unwrap();
                prop_assert_eq!(row.events, truly(value));
            }
            prop_assert!(rare.is_sorted_by_key(|row| row.events));
        }
    }
}
