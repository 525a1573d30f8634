//! Owns counting by value in little memory, however many values there are.
//!
//! Up to [`FrequencyCounter::capacity`] values it counts them all. Behind that it keeps those that are frequent (Misra and Gries): a
//! value too many takes one from each count, so that all of them are too low by the same number at most, which is
//! known. What remains does not depend on the order of the map.

use std::collections::HashMap;

use super::truncated_text::TruncatedText;
use crate::model::time::Timestamp;

/// Values that are told apart.
const CAPACITY: usize = 10_000;

/// How often each value was seen.
#[derive(Debug)]
pub struct FrequencyCounter<L> {
    counts: HashMap<TruncatedText, ValueCount<L>>,
    capacity: usize,
    /// By how much a count may be too low.
    max_error: u64,
    /// Events that had a value.
    counted: u64,
    /// Events that had none.
    without: u64,
}

/// What is known of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueCount<L> {
    /// What it is called.
    pub label: L,
    /// How often it was seen.
    pub events: u64,
    /// How often with a failure.
    pub failed: u64,
    /// When first.
    pub first: Option<Timestamp>,
    /// When last.
    pub last: Option<Timestamp>,
}

/// What a value is called.
pub trait ValueLabel: Clone {
    /// Whether it is the better one of two for the same value.
    fn is_better_than(&self, other: &Self) -> bool;
}

/// An event, as far as counting needs it.
#[derive(Debug, Clone, Copy)]
pub struct EventSample {
    /// When.
    pub time: Option<Timestamp>,
    /// Whether what was tried failed.
    pub failed: bool,
}

/// The most frequent values, and what is said of the others.
#[derive(Debug)]
pub struct TopValues<L> {
    /// The most frequent first.
    pub rows: Vec<ValueCount<L>>,
    /// Other values; nothing where they could not all be counted.
    pub others: Option<u64>,
    /// Events that have none of the values in `rows` but another.
    pub other_events: u64,
    /// By how much a count may be too low.
    pub max_error: u64,
    /// Events without a value.
    pub without: u64,
    /// Values that are told apart.
    pub capacity: u64,
}

impl<L> Default for FrequencyCounter<L> {
    fn default() -> FrequencyCounter<L> {
        FrequencyCounter::new(CAPACITY)
    }
}

impl<L> FrequencyCounter<L> {
    /// A tally that tells `room` values apart.
    pub fn new(room: usize) -> FrequencyCounter<L> {
        FrequencyCounter {
            counts: HashMap::new(),
            capacity: room,
            max_error: 0,
            counted: 0,
            without: 0,
        }
    }

    /// Counts an event without a value.
    pub fn add_without(&mut self) {
        self.without += 1;
    }

    /// Counts an event with the value `key`, which is called `label`.
    pub fn add(&mut self, key: &TruncatedText, sight: EventSample, label: &L)
    where
        L: ValueLabel,
    {
        self.counted += 1;
        if let Some(count) = self.counts.get_mut(key) {
            if label.is_better_than(&count.label) {
                count.label = label.clone();
            }
            return count.add(sight);
        }
        if self.counts.len() >= self.capacity {
            self.max_error += 1;
            return self.counts.retain(|_, count| {
                count.events -= 1;
                count.failed = count.failed.min(count.events);
                count.events > 0
            });
        }
        let mut count = ValueCount {
            label: label.clone(),
            events: 0,
            failed: 0,
            first: None,
            last: None,
        };
        count.add(sight);
        self.counts.insert(key.clone(), count);
    }

    /// The `limit` most frequent values.
    pub fn top(&self, limit: usize) -> TopValues<L>
    where
        L: Clone,
    {
        let mut all = self.counts.iter().collect::<Vec<_>>();
        all.sort_by(|(a_key, a), (b_key, b)| {
            b.events.cmp(&a.events).then_with(|| a_key.cmp(b_key))
        });
        all.truncate(limit);
        let rows = all
            .into_iter()
            .map(|(_, count)| count.clone())
            .collect::<Vec<_>>();
        let shown = rows.iter().map(|row| row.events).sum::<u64>();
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

impl<L> ValueCount<L> {
    fn add(&mut self, sight: EventSample) {
        self.events += 1;
        self.failed += u64::from(sight.failed);
        if let Some(time) = sight.time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIGHT: EventSample = EventSample {
        time: None,
        failed: false,
    };

    fn tally(room: usize, values: &[u8]) -> FrequencyCounter<TruncatedText> {
        let mut tally = FrequencyCounter::new(room);
        for value in values {
            let name = value.to_string();
            let name = TruncatedText::name(&name);
            tally.add(&name, SIGHT, &name);
        }
        tally
    }

    #[test]
    fn the_most_frequent_come_first_and_the_rest_is_counted() {
        let top = tally(10, &[3, 1, 2, 1, 3, 4]).top(2);
        let rows = top.rows.iter().map(|row| (&row.label, row.events));
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [(&TruncatedText::name("1"), 2), (&TruncatedText::name("3"), 2)]
        );
        assert_eq!((top.others, top.other_events, top.max_error), (Some(2), 2, 0));
    }

    proptest! {
        #[test]
        fn a_count_is_too_low_by_no_more_than_is_said(values in prop::collection::vec(0_u8..30, 0..400), room in 1_usize..12) {
            let tally = tally(room, &values);
            prop_assert!(tally.counts.len() <= room);
            prop_assert!(tally.max_error <= values.len() as u64 / (room as u64 + 1));
            let top = tally.top(30);
            prop_assert_eq!(top.rows.iter().map(|row| row.events).sum::<u64>() + top.other_events, values.len() as u64);
            for value in 0..30_u8 {
                let truly = values.iter().filter(|&&seen| seen == value).count() as u64;
                let row = top.rows.iter().find(|row| row.label == TruncatedText::name(&value.to_string()));
                let said = row.map_or(0, |row| row.events);
                prop_assert!(said <= truly && truly <= said + top.max_error, "{value}: {said} of {truly}, {} lost", top.max_error);
            }
        }
    }
}
