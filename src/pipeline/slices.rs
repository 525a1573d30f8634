//! Owns the cutting of a window into time slices, for sources that deliver newest first: a slice is
//! read whole, sorted and handed on, so the output is oldest first however long the window. Pure.

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::model::time::{Timestamp, Window, whole_millis};

/// The slices of one window that are still to be read, oldest first. They tile it: no hole, no
/// overlap.
#[derive(Debug)]
pub struct Slices {
    ahead: VecDeque<Slice>,
}

#[derive(Debug, Clone, Copy)]
struct Slice {
    from: Timestamp,
    to: Timestamp,
    /// Whether cutting it further has been tried in vain.
    is_atom: bool,
}

/// Where a window can be cut, told while its records are paged through, newest first.
#[derive(Debug)]
pub struct Cuts {
    capacity: usize,
    noted: usize,
    at: Vec<Timestamp>,
}

impl Slices {
    /// The whole window `from <= t < to` as one slice: most windows are small. Nothing when it is empty.
    pub fn new(from: Timestamp, to: Timestamp) -> Slices {
        let whole = Slice {
            from,
            to,
            is_atom: false,
        };
        Slices {
            ahead: (from < to).then_some(whole).into_iter().collect(),
        }
    }

    /// The next slice to read; nothing when the window is done.
    pub fn current(&self) -> Option<Window> {
        self.ahead.front().map(|slice| Window {
            from: slice.from,
            to: Some(slice.to),
        })
    }

    /// Whether the current slice may turn out too large: one of a millisecond must be read whole.
    pub fn can_be_cut(&self) -> bool {
        self.ahead.front().is_some_and(|slice| {
            !slice.is_atom && slice.to - slice.from > TimeDelta::milliseconds(1)
        })
    }

    /// The current slice was read whole.
    pub fn finished(&mut self) {
        self.ahead.pop_front();
    }

    /// The current slice holds too much: it is cut where `cuts` say.
    pub fn cut(&mut self, cuts: &Cuts) {
        let Some(whole) = self.ahead.pop_front() else {
            return;
        };
        let inside = |at: &Timestamp| whole.from < *at && *at < whole.to;
        let mut end = whole.to;
        // The cuts come newest first, so pushing to the front puts the oldest slice there.
        for &at in cuts.at.iter().filter(|at| inside(at)) {
            if at < end {
                self.ahead.push_front(Slice {
                    from: at,
                    to: end,
                    is_atom: false,
                });
                end = at;
            }
        }
        self.ahead.push_front(Slice {
            from: whole.from,
            to: end,
            is_atom: end == whole.to,
        });
    }
}

impl Cuts {
    /// Cuts after every `capacity` records.
    pub fn new(capacity: usize) -> Cuts {
        Cuts {
            capacity: capacity.max(1),
            noted: 0,
            at: Vec::new(),
        }
    }

    /// Takes note of the next older record. Records of one millisecond stay in one slice.
    pub fn note(&mut self, position: Option<Timestamp>) {
        self.noted += 1;
        let Some(position) = position.map(whole_millis) else {
            return;
        };
        if self.noted >= self.capacity {
            if self.at.last() != Some(&position) {
                self.at.push(position);
            }
            self.noted = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    /// Reads a window over records at `times` (ascending) as the fetcher does; returns the slices
    /// with their counts, and how many records were paged through in all.
    fn read(times: &[i64], end: i64, capacity: usize) -> (Vec<(i64, i64, usize)>, usize) {
        let mut slices = Slices::new(at(0), at(end));
        let (mut read, mut paged) = (Vec::new(), 0);
        while let Some(window) = slices.current() {
            let inside = || times.iter().copied().filter(|&ms| window.contains(at(ms)));
            let count = inside().count();
            paged += count;
            if count > capacity && slices.can_be_cut() {
                let mut cuts = Cuts::new(capacity);
                let newest_first: Vec<i64> = inside().collect();
                newest_first
                    .iter()
                    .rev()
                    .for_each(|&ms| cuts.note(Some(at(ms))));
                slices.cut(&cuts);
                continue;
            }
            let (from, to) = (window.from, window.to.unwrap());
            read.push((from.timestamp_millis(), to.timestamp_millis(), count));
            slices.finished();
        }
        (read, paged)
    }

    #[test]
    fn a_window_that_fits_is_one_slice() {
        assert_eq!(read(&[1, 2, 3], 1000, 10), (vec![(0, 1000, 3)], 3));
        assert_eq!(read(&[], 1000, 10), (vec![(0, 1000, 0)], 0));
        assert_eq!(read(&[], 0, 10), (vec![], 0));
    }

    #[test]
    fn a_large_window_is_paged_through_twice() {
        let times: Vec<i64> = (0..100_000).map(|n| n * 25_920).collect();
        let (slices, paged) = read(&times, 100_000 * 25_920, 5_000);
        assert_eq!(slices.len(), 20);
        assert_eq!(paged, 200_000);
    }

    #[test]
    fn a_crowded_millisecond_is_read_whole_and_alone() {
        let mut times = vec![100, 200];
        times.extend(vec![500; 5_000]);
        times.extend([501, 700]);
        let (slices, paged) = read(&times, 1000, 100);
        assert!(slices.iter().any(|slice| slice.2 >= 5_000), "{slices:?}");
        assert!(paged < 4 * times.len(), "{paged}");
    }

    proptest! {
        #[test]
        fn slices_tile_the_window_and_stay_small(
            mut times in prop::collection::vec(prop_oneof![0_i64..100_000, 40_000_i64..40_050], 0..400),
            end in 1_i64..100_000,
            capacity in 1_usize..60,
        ) {
            times.sort_unstable();
            let (slices, _) = read(&times, end, capacity);
            prop_assert_eq!(slices.first().unwrap().0, 0);
            prop_assert_eq!(slices.last().unwrap().1, end);
            for pair in slices.windows(2) {
                prop_assert_eq!(pair[0].1, pair[1].0);
            }
            for (from, to, count) in &slices {
                prop_assert!(from < to);
                let ties = times.iter().filter(|&ms| ms == from).count();
                prop_assert!(*count <= capacity + ties || to - from == 1);
            }
            let total: usize = slices.iter().map(|slice| slice.2).sum();
            prop_assert_eq!(total, times.iter().filter(|&&ms| ms < end).count());
        }
    }
}
