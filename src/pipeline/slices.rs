//! Owns the cutting of a window into time slices, for sources that deliver newest first: a slice is
//! read whole, sorted and handed on, so the output is oldest first however long the window. Pure.

use chrono::TimeDelta;

use crate::model::time::{Timestamp, Window};

/// The slices of one window, cut as the density of its records becomes known. They tile the window:
/// no hole, no overlap.
#[derive(Debug)]
pub struct Slices {
    from: Timestamp,
    end: Timestamp,
    /// Width of the next slice in milliseconds, at least 1.
    width: i64,
    /// Records that fit into a slice.
    capacity: usize,
}

impl Slices {
    /// The slices of `from <= t < end`, each of about `capacity` records at the most. The first try
    /// is the whole window: most windows are short.
    pub fn new(from: Timestamp, end: Timestamp, capacity: usize) -> Slices {
        Slices {
            from,
            end,
            width: (end - from).num_milliseconds().max(1),
            capacity,
        }
    }

    /// The next slice to read; nothing when the window is done.
    pub fn current(&self) -> Option<Window> {
        (self.from < self.end).then(|| Window {
            from: self.from,
            to: Some(self.end_of_slice()),
        })
    }

    /// Whether a slice that holds too much can be made narrower: not below one millisecond.
    pub fn can_narrow(&self) -> bool {
        self.end_of_slice() - self.from > TimeDelta::milliseconds(1)
    }

    /// The current slice was read whole and held `records`.
    pub fn finished(&mut self, records: usize) {
        self.from = self.end_of_slice();
        self.width = match records {
            0 => self.width.saturating_mul(8),
            few if few < self.capacity / 4 => self.width.saturating_mul(2),
            _ => self.width,
        };
    }

    /// The current slice holds too much: its newest `capacity` records reach back to `oldest` only.
    /// Makes it narrower, to the part that should hold half of what fits.
    pub fn overflowed(&mut self, oldest: Timestamp) {
        let covered = (self.end_of_slice() - oldest).num_milliseconds().max(1);
        let width = (self.end_of_slice() - self.from).num_milliseconds();
        self.width = (covered / 2).min(width / 2).max(1);
    }

    fn end_of_slice(&self) -> Timestamp {
        TimeDelta::try_milliseconds(self.width)
            .and_then(|width| self.from.checked_add_signed(width))
            .map_or(self.end, |end| end.min(self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    /// Reads a window over records at `times` as the fetcher does; returns the slices read and how
    /// many overflowed.
    fn read(times: &[i64], end: i64, capacity: usize) -> (Vec<(i64, i64, usize)>, usize) {
        let mut slices = Slices::new(at(0), at(end), capacity);
        let (mut read, mut overflows) = (Vec::new(), 0);
        while let Some(window) = slices.current() {
            let inside: Vec<i64> = times
                .iter()
                .copied()
                .filter(|&ms| window.contains(at(ms)))
                .collect();
            if inside.len() > capacity && slices.can_narrow() {
                overflows += 1;
                let oldest = inside[inside.len() - capacity];
                slices.overflowed(at(oldest));
                continue;
            }
            let (from, to) = (window.from, window.to.unwrap());
            read.push((from.timestamp_millis(), to.timestamp_millis(), inside.len()));
            slices.finished(inside.len());
        }
        (read, overflows)
    }

    #[test]
    fn a_window_that_fits_is_one_slice() {
        assert_eq!(read(&[1, 2, 3], 1000, 10), (vec![(0, 1000, 3)], 0));
        assert_eq!(read(&[], 1000, 10), (vec![(0, 1000, 0)], 0));
        assert_eq!(read(&[], 0, 10), (vec![], 0));
    }

    #[test]
    fn an_even_window_wastes_little() {
        let times: Vec<i64> = (0..100_000).map(|n| n * 25_920).collect();
        let (slices, overflows) = read(&times, 100_000 * 25_920, 5_000);
        assert!(overflows <= 3, "{overflows} overflows");
        assert!(slices.len() <= 45, "{} slices", slices.len());
    }

    #[test]
    fn one_millisecond_is_never_cut() {
        let (slices, _) = read(&vec![500; 5_000], 1000, 100);
        assert!(slices.contains(&(500, 501, 5_000)), "{slices:?}");
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
                prop_assert!(*count <= capacity || to - from == 1);
            }
            let total: usize = slices.iter().map(|slice| slice.2).sum();
            prop_assert_eq!(total, times.iter().filter(|&&ms| ms < end).count());
        }
    }
}
