//! The first and the last rows of a table, whatever order they come in, in bounded memory.

use std::cmp::Reverse;
use std::collections::VecDeque;

use bytes::Bytes;
use maud::Markup;

use super::report_event::{ReportEvent, event_object};
use crate::model::time::Timestamp;

/// The longest line that is kept as it is until the page is made. Most rows are pushed out by later
/// ones before that, and were never rendered.
const MAX_KEPT_LINE: usize = 8 * 1024;

/// Where a row stands among the others: those without a time come last, then the order of sources
/// and lines decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPosition {
    /// Whether it has no time.
    pub is_undated: bool,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// Which of the sources it is of.
    pub source: usize,
    /// Its line in that source.
    pub line: u64,
}

/// The rows that are smallest by a key, whatever order they come in.
#[derive(Debug)]
pub struct FirstN<K, T> {
    /// By their keys. Events come nearly in the order of time: a row goes to one of the ends.
    rows: VecDeque<(K, T)>,
    limit: usize,
    /// How many rows there were.
    pub offered: u64,
}

impl<K: Ord, T> FirstN<K, T> {
    /// Keeps `limit` rows.
    pub fn new(limit: usize) -> FirstN<K, T> {
        FirstN { rows: VecDeque::new(), limit, offered: 0 }
    }

    /// Takes a row; `row` is called only if it may be shown. Returns the row that is no longer one
    /// of the first.
    pub fn offer(&mut self, key: K, row: impl FnOnce() -> T) -> Option<(K, T)> {
        self.offered += 1;
        if !self.accepts(&key) {
            return None;
        }
        let place = self.rows.partition_point(|(other, _)| *other <= key);
        self.rows.insert(place, (key, row()));
        if self.rows.len() > self.limit { self.rows.pop_back() } else { None }
    }

    /// Whether a row with this key would be kept.
    fn accepts(&self, key: &K) -> bool {
        let last = self.rows.back();
        self.rows.len() < self.limit || last.is_some_and(|(last, _)| key <= last)
    }

    /// The rows, the first one first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &T> + ExactSizeIterator {
        self.rows.iter().map(|(_, row)| row)
    }

    /// How many rows are kept.
    pub fn row_count(&self) -> u64 {
        self.rows.len() as u64
    }
}

/// The first rows of a table of events, and the last ones.
#[derive(Debug)]
pub struct EventRows {
    first: FirstN<RowPosition, KeptEvent>,
    /// None of them is one of the first.
    last: FirstN<Reverse<RowPosition>, KeptEvent>,
}

impl EventRows {
    /// Keeps the first `limit` rows, and as many of the last.
    pub fn new(limit: usize) -> EventRows {
        EventRows { first: FirstN::new(limit), last: FirstN::new(limit) }
    }

    /// Takes an event; `keep` is called only if it may be shown.
    pub fn offer(&mut self, position: RowPosition, keep: impl FnOnce() -> KeptEvent) {
        if !self.first.accepts(&position) {
            self.first.offered += 1;
            self.last.offer(Reverse(position), keep);
        } else if let Some((position, event)) = self.first.offer(position, keep) {
            self.last.offer(Reverse(position), || event);
        }
    }

    /// How many events there were.
    pub fn offered(&self) -> u64 {
        self.first.offered
    }

    /// The first events, in order.
    pub fn first(&self) -> impl ExactSizeIterator<Item = &KeptEvent> {
        self.first.rows()
    }

    /// The last events that are none of the first, in order.
    pub fn last(&self) -> impl ExactSizeIterator<Item = &KeptEvent> {
        self.last.rows().rev()
    }

    /// How many events are in between, and shown nowhere.
    pub fn omitted(&self) -> u64 {
        self.offered() - self.first.row_count() - self.last.row_count()
    }
}

/// What is kept of an event to make its row of.
#[derive(Debug)]
pub enum KeptEvent {
    /// Its line, and which of the sources it is of.
    Line(Bytes, usize),
    /// The row itself: a line may be long, and a row is not.
    Row(Markup),
}

impl KeptEvent {
    /// The row of an event of this line.
    pub fn of(
        event: &ReportEvent<'_>,
        line: &[u8],
        source: usize,
        label: Option<&str>,
    ) -> KeptEvent {
        match line.len() {
            // A copy: the line may be a part of something larger.
            0..=MAX_KEPT_LINE => KeptEvent::Line(Bytes::copy_from_slice(line), source),
            _ => KeptEvent::Row(event.row(label)),
        }
    }

    /// Its row in a table of events, with the label of its source.
    pub fn row<'a>(&self, label: impl FnOnce(usize) -> Option<&'a str>) -> Markup {
        match self {
            KeptEvent::Row(row) => row.clone(),
            KeptEvent::Line(line, source) => event_object(line.clone())
                .map(|object| ReportEvent::of(&object).row(label(*source)))
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position(at: usize, time: Option<i64>) -> RowPosition {
        RowPosition {
            is_undated: time.is_none(),
            time: time.and_then(Timestamp::from_timestamp_millis),
            source: at % 3,
            line: at as u64,
        }
    }

    #[test]
    fn a_long_line_is_kept_as_its_row() {
        for (length, is_line) in [(10, true), (MAX_KEPT_LINE, false)] {
            let line = Bytes::from(format!(r#"{{"action":"{}"}}"#, "x".repeat(length)));
            let object = event_object(line.clone()).unwrap();
            let event = ReportEvent::of(&object);
            let kept = KeptEvent::of(&event, &line, 0, Some("acme"));
            assert_eq!(matches!(kept, KeptEvent::Line(..)), is_line);
            let rows = [kept.row(|_| Some("acme")), event.row(Some("acme"))];
            assert_eq!(rows[0].0, rows[1].0);
        }
    }

    proptest! {
        #[test]
        fn the_earliest_are_kept_in_their_order(
            times in prop::collection::vec(prop::option::of(0_i64..50), 0..60),
            limit in 0_usize..20,
        ) {
            let mut earliest = FirstN::new(limit);
            for (at, time) in times.iter().enumerate() {
                earliest.offer(position(at, *time), || at);
                prop_assert!(earliest.row_count() <= limit as u64);
            }
            let mut all = (0..times.len()).collect::<Vec<_>>();
            all.sort_by_key(|&at| (times[at].is_none(), times[at], at % 3, at));
            all.truncate(limit);
            prop_assert_eq!(earliest.rows().copied().collect::<Vec<_>>(), all);
            prop_assert_eq!(earliest.offered, times.len() as u64);
        }

        #[test]
        fn the_first_and_the_last_are_kept_and_none_twice(
            times in prop::collection::vec(prop::option::of(0_i64..50), 0..80),
            limit in 1_usize..30,
        ) {
            let mut rows = EventRows::new(limit);
            for (at, time) in times.iter().enumerate() {
                rows.offer(position(at, *time), || KeptEvent::Line(Bytes::new(), at));
            }
            let mut all = (0..times.len()).collect::<Vec<_>>();
            all.sort_by_key(|&at| (times[at].is_none(), times[at], at % 3, at));
            let (first, rest) = all.split_at(limit.min(all.len()));
            let last = &rest[rest.len().saturating_sub(limit)..];
            let index = |event: &KeptEvent| match event {
                KeptEvent::Line(_, index) => *index,
                KeptEvent::Row(_) => usize::MAX,
            };
            prop_assert_eq!(rows.first().map(index).collect::<Vec<_>>(), first);
            prop_assert_eq!(rows.last().map(index).collect::<Vec<_>>(), last);
            prop_assert_eq!(rows.omitted() as usize, rest.len() - last.len());
        }
    }
}
