//! Counts events by value, in memory that is bounded however many values there are.
//!
//! Up to [`CAPACITY`] values the counts are exact. After that the frequent values are kept (Misra
//! and Gries): each value too many takes one from every count, so that all counts are too low by at
//! most the number of such values, which is reported.

use std::collections::HashMap;

use super::text::{EntityLabel, TruncatedText};
use crate::model::time::Timestamp;

/// The most values that are counted.
const CAPACITY: usize = 10_000;

/// A value of an event.
#[derive(Debug, Clone)]
pub struct CountedValue {
    /// What it is counted by.
    pub key: TruncatedText,
    /// How it is shown.
    pub label: EntityLabel,
}

impl CountedValue {
    /// A value that is its own label.
    pub fn plain(text: TruncatedText) -> CountedValue {
        let label = EntityLabel { name: text.clone(), note: None, has_name: true };
        CountedValue { key: text, label }
    }
}

/// An event, as far as counting needs it.
#[derive(Debug, Clone, Copy)]
pub struct EventSample {
    /// When.
    pub time: Option<Timestamp>,
    /// Whether what was tried failed.
    pub failed: bool,
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

/// The most frequent values, and what is said of the others.
#[derive(Debug)]
pub struct TopValues<'a> {
    /// The most frequent first.
    pub rows: Vec<&'a ValueCount>,
    /// Other values; unknown where there were more than [`TopValues::capacity`].
    pub others: Option<u64>,
    /// Events with other values.
    pub other_events: u64,
    /// By how much a count may be too low.
    pub max_error: u64,
    /// Events without a value.
    pub without: u64,
    /// The most values that are counted.
    pub capacity: u64,
}

/// How often each value was seen.
#[derive(Debug)]
pub struct FrequencyCounter {
    counts: HashMap<TruncatedText, ValueCount>,
    capacity: usize,
    max_error: u64,
    counted: u64,
    without: u64,
}

impl Default for FrequencyCounter {
    fn default() -> FrequencyCounter {
        FrequencyCounter::new(CAPACITY)
    }
}

impl FrequencyCounter {
    fn new(capacity: usize) -> FrequencyCounter {
        FrequencyCounter { counts: HashMap::new(), capacity, max_error: 0, counted: 0, without: 0 }
    }

    /// Counts an event with this value, or without one.
    pub fn add(&mut self, value: Option<&CountedValue>, sample: EventSample) {
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
        count.failed += u64::from(sample.failed);
        if let Some(time) = sample.time {
            count.first = Some(count.first.map_or(time, |first| first.min(time)));
            count.last = count.last.max(Some(time));
        }
    }

    /// The `limit` most frequent values.
    pub fn top(&self, limit: usize) -> TopValues<'_> {
        let mut all: Vec<_> = self.counts.iter().collect();
        // The order of the map must not show: the page is made again and compared.
        all.sort_by(|(a_key, a), (b_key, b)| b.events.cmp(&a.events).then(a_key.cmp(b_key)));
        let rows: Vec<_> = all.into_iter().map(|(_, count)| count).take(limit).collect();
        let shown: u64 = rows.iter().map(|row| row.events).sum();
        TopValues {
            others: (self.max_error == 0).then_some((self.counts.len() - rows.len()) as u64),
            other_events: self.counted - shown,
            rows,
            max_error: self.max_error,
            without: self.without,
            capacity: self.capacity as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: EventSample = EventSample { time: None, failed: false };

    fn count_all(capacity: usize, values: &[u8]) -> FrequencyCounter {
        let mut counter = FrequencyCounter::new(capacity);
        for value in values {
            let value = CountedValue::plain(TruncatedText::name(&value.to_string()));
            counter.add(Some(&value), SAMPLE);
        }
        counter
    }

    #[test]
    fn the_most_frequent_come_first_and_the_rest_is_counted() {
        let counter = count_all(10, &[3, 1, 2, 1, 3, 4]);
        let top = counter.top(2);
        let rows = top.rows.iter().map(|row| (row.label.name.clone(), row.events));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [(TruncatedText::name("1"), 2), (TruncatedText::name("3"), 2)]
        );
        assert_eq!((top.others, top.other_events, top.max_error), (Some(2), 2, 0));
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
            let shown = top.rows.iter().map(|row| row.events).sum::<u64>();
            prop_assert_eq!(shown + top.other_events, count);
            for value in 0..30_u8 {
                let truly = values.iter().filter(|&&seen| seen == value).count() as u64;
                let name = TruncatedText::name(&value.to_string());
                let row = top.rows.iter().find(|row| row.label.name == name);
                let said = row.map_or(0, |row| row.events);
                let error = top.max_error;
                prop_assert!(
                    said <= truly && truly <= said + error,
                    "{value}: {said} of {truly}, {error} lost"
                );
            }
        }
    }
}
