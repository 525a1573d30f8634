//! Owns the first of many: the earliest rows, whatever order they come in, in little memory.

use std::collections::BTreeMap;

use crate::model::time::Timestamp;

/// Where a row stands among the others: those without a time come last, then the order of sources and lines decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowPosition {
    is_undated: bool,
    time: Option<Timestamp>,
    source: usize,
    line: u64,
}

impl RowPosition {
    /// The place of the event in this line of this source.
    pub fn new(time: Option<Timestamp>, source: usize, line: u64) -> RowPosition {
        RowPosition {
            is_undated: time.is_none(),
            time,
            source,
            line,
        }
    }
}

/// The first rows.
#[derive(Debug)]
pub struct FirstN<T> {
    rows: BTreeMap<RowPosition, T>,
    limit: usize,
    offered: u64,
}

impl<T> FirstN<T> {
    /// At most `room` of them.
    pub fn new(room: usize) -> FirstN<T> {
        FirstN {
            rows: BTreeMap::new(),
            limit: room,
            offered: 0,
        }
    }

    /// Takes a row; it is made only if it may be shown.
    pub fn offer(&mut self, place: RowPosition, row: impl FnOnce() -> T) {
        self.offered += 1;
        let is_full = self.rows.len() >= self.limit;
        let is_late = self
            .rows
            .last_key_value()
            .is_none_or(|(last, _)| place > *last);
        if is_full && is_late {
            return;
        }
        self.rows.insert(place, row());
        if self.rows.len() > self.limit {
            self.rows.pop_last();
        }
    }

    /// The rows, the earliest first.
    pub fn rows(&self) -> impl Iterator<Item = &T> {
        self.rows.values()
    }

    /// How many are kept.
    pub fn row_count(&self) -> u64 {
        self.rows.len() as u64
    }

    /// How many there were.
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
        fn the_earliest_are_kept_in_their_order(times in prop::collection::vec(prop::option::of(0_i64..50), 0..60), room in 0_usize..20) {
            let place = |at: usize, time: Option<i64>| {
                RowPosition::new(time.and_then(Timestamp::from_timestamp_millis), at % 3, at as u64)
            };
            let mut earliest = FirstN::new(room);
            for (at, time) in times.iter().enumerate() {
                earliest.offer(place(at, *time), || at);
                prop_assert!(earliest.row_count() <= room as u64);
            }
            let mut all = (0..times.len()).collect::<Vec<_>>();
            all.sort_by_key(|&at| (times[at].is_none(), times[at], at % 3, at));
            all.truncate(room);
            prop_assert_eq!(earliest.rows().copied().collect::<Vec<_>>(), all);
            prop_assert_eq!(earliest.offered(), times.len() as u64);
        }
    }
}
