//! The segments of a window in order of time: those that are being read, and the unread rest; and
//! how dense the records in them are. No I/O.

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::model::time::{Timestamp, Window, ceil};

/// A time range, `from <= t < to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

impl TimeRange {
    /// The same as a window to request.
    pub fn window(&self) -> Window {
        Window { from: self.from, to: Some(self.to) }
    }

    /// Its length.
    pub fn width(&self) -> TimeDelta {
        self.to - self.from
    }
}

/// One segment.
#[derive(Debug)]
pub enum QueuedSegment<R> {
    /// No task reads it yet.
    Unread(TimeRange),
    /// It is being read, or has been.
    Started(R),
}

/// The segments of a window that are not handed on yet, oldest first, without gap or overlap.
#[derive(Debug)]
pub struct SegmentQueue<R> {
    segments: VecDeque<QueuedSegment<R>>,
    /// Segments are cut at multiples of it: the grain of the dates in requests.
    grain: TimeDelta,
}

impl<R> SegmentQueue<R> {
    /// A queue of the window `from <= t < to`, unread.
    pub fn new(from: Timestamp, to: Timestamp, grain: TimeDelta) -> SegmentQueue<R> {
        let mut segments = SegmentQueue { segments: VecDeque::new(), grain };
        segments.push_front_unread(TimeRange { from, to });
        segments
    }

    /// Starts the oldest unread segment, or its first `width`, if there is one and `may` allows it.
    /// The front of the queue is started in any case, because all others wait for it.
    ///
    /// Returns whether one was started.
    pub fn start_next(
        &mut self,
        may: bool,
        width: Option<TimeDelta>,
        start: impl FnOnce(TimeRange) -> R,
    ) -> bool {
        let unread = |segment: &QueuedSegment<R>| match segment {
            QueuedSegment::Unread(span) => Some(*span),
            QueuedSegment::Started(_) => None,
        };
        let mut segments = self.segments.iter().enumerate();
        let Some((at, whole)) = segments.find_map(|(at, segment)| Some((at, unread(segment)?)))
        else {
            return false;
        };
        if at > 0 && !may {
            return false;
        }
        let (span, rest) = split_range(whole, width, self.grain);
        self.segments[at] = QueuedSegment::Started(start(span));
        if let Some(rest) = rest {
            self.segments.insert(at + 1, QueuedSegment::Unread(rest));
        }
        true
    }

    /// The start of the first unread segment.
    pub fn unread_from(&self) -> Option<Timestamp> {
        self.segments.iter().find_map(|segment| match segment {
            QueuedSegment::Unread(span) => Some(span.from),
            QueuedSegment::Started(_) => None,
        })
    }

    /// The started segments, each with its number.
    pub fn started(&self) -> impl Iterator<Item = (usize, &R)> {
        let segments = self.segments.iter().enumerate();
        segments.filter_map(|(number, segment)| match segment {
            QueuedSegment::Started(begun) => Some((number, begun)),
            QueuedSegment::Unread(_) => None,
        })
    }

    /// Drops all but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.segments.truncate(count);
    }

    /// Replaces each started segment with what `becomes` returns for it, oldest first.
    pub fn replace_started<const N: usize>(
        &mut self,
        mut becomes: impl FnMut(R) -> [Option<QueuedSegment<R>>; N],
    ) {
        for segment in std::mem::take(&mut self.segments) {
            match segment {
                QueuedSegment::Started(begun) => {
                    self.segments.extend(becomes(begun).into_iter().flatten())
                }
                unread => self.segments.push_back(unread),
            }
        }
    }

    /// Removes the oldest segment.
    pub fn pop_front(&mut self) -> Option<QueuedSegment<R>> {
        self.segments.pop_front()
    }

    /// Puts a started segment at the front.
    pub fn push_front_started(&mut self, begun: R) {
        self.segments.push_front(QueuedSegment::Started(begun));
    }

    /// Puts an unread segment at the front, unless it is empty.
    pub fn push_front_unread(&mut self, span: TimeRange) {
        if span.from < span.to {
            self.segments.push_front(QueuedSegment::Unread(span));
        }
    }
}

/// The first `width` of `whole`, cut at a multiple of `grain`, and the remainder. A remainder
/// shorter than half of `width` is not split off.
fn split_range(
    whole: TimeRange,
    width: Option<TimeDelta>,
    grain: TimeDelta,
) -> (TimeRange, Option<TimeRange>) {
    let width = width.map(|width| width.max(TimeDelta::milliseconds(1)));
    let cut = width.and_then(|width| whole.from.checked_add_signed(width));
    let cut = cut.map(|cut| ceil(cut, grain));
    match (cut, width) {
        (Some(cut), Some(width)) if cut + width / 2 < whole.to => {
            (TimeRange { to: cut, ..whole }, Some(TimeRange { from: cut, ..whole }))
        }
        _ => (whole, None),
    }
}

/// The largest factor by which one observation widens the estimate: a quiet night says little about
/// the morning.
const MAX_WIDENING: f64 = 4.0;

/// The density of the records read so far.
#[derive(Debug, Default)]
pub struct RecordDensity {
    ms_per_record: Option<f64>,
}

impl RecordDensity {
    /// Adds a time range of this length with so many records.
    pub fn observe(&mut self, records: usize, span: TimeDelta) {
        let ms = span.num_milliseconds().max(1) as f64;
        self.ms_per_record = Some(match (self.ms_per_record, records) {
            (Some(known), 0) => known * MAX_WIDENING,
            (Some(known), _) => (ms / records as f64).min(known * MAX_WIDENING),
            (None, _) => ms / records.max(1) as f64,
        });
    }

    /// The length of a time range with about so many records; `None` before the first observation.
    pub fn span_for(&self, records: usize) -> Option<TimeDelta> {
        let ms = self.ms_per_record? * records.max(1) as f64;
        // A cast saturates; a thousand years are long enough.
        TimeDelta::try_milliseconds((ms as i64).clamp(1, 1_000 * 365 * 86_400_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: TimeDelta = TimeDelta::milliseconds(1);

    #[test]
    fn parts_end_at_multiples_of_the_grain() {
        let mut segments = SegmentQueue::new(at(2_254), at(5_334), TimeDelta::seconds(1));
        let narrow = Some(TimeDelta::milliseconds(30));
        while segments.start_next(true, narrow, |span| span) {}
        let spans: Vec<_> = segments
            .started()
            .map(|(_, span)| (span.from.timestamp_millis(), span.to.timestamp_millis()))
            .collect();
        let want = [(2_254, 3_000), (3_000, 4_000), (4_000, 5_000), (5_000, 5_334)];
        assert_eq!(spans, want);
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    fn ms(span: TimeRange) -> (i64, i64) {
        (span.from.timestamp_millis(), span.to.timestamp_millis())
    }

    #[test]
    fn so_many_are_begun_and_the_first_in_any_case() {
        let mut segments = SegmentQueue::new(at(0), at(100), MS);
        let width = Some(TimeDelta::milliseconds(10));
        while segments.start_next(segments.started().count() < 3, width, ms) {}
        assert_eq!(segments.started().count(), 3);
        let Some(QueuedSegment::Started(first)) = segments.pop_front() else { panic!() };
        assert_eq!(first, (0, 10));
        segments.push_front_unread(TimeRange { from: at(4), to: at(10) });
        assert!(segments.start_next(false, None, ms));
        assert!(!segments.start_next(false, None, ms));
        assert!(segments.start_next(true, None, ms));
        assert!(!segments.start_next(true, None, ms));
        let all: Vec<_> = std::iter::from_fn(|| segments.pop_front())
            .map(|segment| match segment {
                QueuedSegment::Started(begun) => begun,
                QueuedSegment::Unread(span) => ms(span),
            })
            .collect();
        assert_eq!(all, [(4, 10), (10, 20), (20, 30), (30, 100)]);
    }

    #[test]
    fn an_empty_window_has_no_parts() {
        assert!(SegmentQueue::<()>::new(at(5), at(5), MS).pop_front().is_none());
        assert!(SegmentQueue::<()>::new(at(5), at(4), MS).pop_front().is_none());
    }

    #[test]
    fn a_small_rest_is_no_part_of_its_own() {
        let begun = |to| {
            let mut segments = SegmentQueue::new(at(0), at(to), MS);
            segments.start_next(false, Some(TimeDelta::milliseconds(10)), ms);
            match segments.pop_front() {
                Some(QueuedSegment::Started(begun)) => begun,
                _ => panic!(),
            }
        };
        assert_eq!([begun(9), begun(15), begun(16)], [(0, 9), (0, 15), (0, 10)]);
    }

    fn span_of(seen: &[(usize, i64)], records: usize) -> Option<i64> {
        let mut density = RecordDensity::default();
        for &(records, ms) in seen {
            density.observe(records, TimeDelta::milliseconds(ms));
        }
        Some(density.span_for(records)?.num_milliseconds())
    }

    #[test]
    fn the_last_range_gives_the_density() {
        assert_eq!(span_of(&[], 10), None);
        assert_eq!(span_of(&[(100, 1_000)], 50), Some(500));
        assert_eq!(span_of(&[(100, 1_000), (1_000, 1_000)], 50), Some(50));
    }

    #[test]
    fn empty_ranges_widen_the_estimate_step_by_step() {
        assert_eq!(span_of(&[(100, 1_000), (0, 500)], 50), Some(2_000));
        assert_eq!(span_of(&[(100, 1_000), (0, 500), (0, 2_000)], 50), Some(8_000));
        assert_eq!(span_of(&[(1, 1), (0, 1), (0, 1)], 1), Some(16));
    }

    #[test]
    fn the_estimate_is_neither_zero_nor_infinite() {
        assert_eq!(span_of(&[(1_000_000, 1)], 1), Some(1));
        assert_eq!(span_of(&[(1, i64::MAX / 2)], 1 << 40), Some(31_536_000_000_000));
    }

    proptest! {
        #[test]
        fn whatever_is_begun_tiles_the_window(
            end in 1_i64..10_000,
            steps in prop::collection::vec((1_usize..5, prop::option::of(0_i64..3_000)), 1..60),
        ) {
            let mut segments = SegmentQueue::new(at(0), at(end), MS);
            let mut reached = 0;
            for (most, width) in steps {
                while segments.start_next(segments.started().count() < most, width.map(TimeDelta::milliseconds), ms) {}
                let Some(QueuedSegment::Started((from, to))) = segments.pop_front() else { break };
                prop_assert!(from == reached && to > from);
                reached = to;
            }
            if segments.pop_front().is_none() {
                prop_assert_eq!(reached, end);
            }
        }
    }
}
