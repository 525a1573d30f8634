//! Owns the parts of a window in the order of time: those that are begun, and those that nobody reads
//! yet. Pure.

use std::collections::VecDeque;

use chrono::TimeDelta;

use crate::model::time::{Timestamp, Window, ceil};

/// A span of time, `from <= t < to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
}

impl Span {
    /// The same as a window to ask for.
    pub fn window(&self) -> Window {
        Window {
            from: self.from,
            to: Some(self.to),
        }
    }

    /// Its length.
    pub fn width(&self) -> TimeDelta {
        self.to - self.from
    }
}

/// One part.
#[derive(Debug)]
pub enum Part<R> {
    /// Nobody reads it yet.
    Unread(Span),
    /// It is being read, or has been.
    Begun(R),
}

/// The parts of a window that are not handed on yet, oldest first. They tile it: no hole, no overlap.
#[derive(Debug)]
pub struct Parts<R> {
    parts: VecDeque<Part<R>>,
    /// Parts are cut at multiples of it: that of the dates which the server takes.
    grain: TimeDelta,
}

impl<R> Parts<R> {
    /// Nothing of `from <= t < to` is read yet.
    pub fn new(from: Timestamp, to: Timestamp, grain: TimeDelta) -> Parts<R> {
        let mut parts = Parts {
            parts: VecDeque::new(),
            grain,
        };
        parts.put_back(Span { from, to });
        parts
    }

    /// Begins the oldest part that nobody reads, or its first `width` of it, where there is one and
    /// `may` allows it. The very first is begun in any case: all others wait for it.
    ///
    /// Returns whether one was begun.
    pub fn begin(
        &mut self,
        may: bool,
        width: Option<TimeDelta>,
        start: impl FnOnce(Span) -> R,
    ) -> bool {
        let unread = |part: &Part<R>| match part {
            Part::Unread(span) => Some(*span),
            Part::Begun(_) => None,
        };
        let mut parts = self.parts.iter().enumerate();
        let Some((at, whole)) = parts.find_map(|(at, part)| Some((at, unread(part)?))) else {
            return false;
        };
        if at > 0 && !may {
            return false;
        }
        let (span, rest) = carve(whole, width, self.grain);
        self.parts[at] = Part::Begun(start(span));
        if let Some(rest) = rest {
            self.parts.insert(at + 1, Part::Unread(rest));
        }
        true
    }

    /// Where what nobody reads yet begins.
    pub fn unread_from(&self) -> Option<Timestamp> {
        self.parts.iter().find_map(|part| match part {
            Part::Unread(span) => Some(span.from),
            Part::Begun(_) => None,
        })
    }

    /// Those that are begun, each with its number.
    pub fn begun(&self) -> impl Iterator<Item = (usize, &R)> {
        let parts = self.parts.iter().enumerate();
        parts.filter_map(|(number, part)| match part {
            Part::Begun(begun) => Some((number, begun)),
            Part::Unread(_) => None,
        })
    }

    /// Puts what was cut off the end of a part behind it: of the one with this number, or of the one
    /// that was taken last.
    pub fn insert_behind(&mut self, number: Option<usize>, begun: R) {
        let at = number.map_or(0, |number| number + 1);
        self.parts
            .insert(at.min(self.parts.len()), Part::Begun(begun));
    }

    /// Leaves all but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.parts.truncate(count);
    }

    /// Puts in the place of each that is begun what `becomes` makes of it, oldest first.
    pub fn rework<const N: usize>(&mut self, mut becomes: impl FnMut(R) -> [Option<Part<R>>; N]) {
        for part in std::mem::take(&mut self.parts) {
            match part {
                Part::Begun(begun) => self.parts.extend(becomes(begun).into_iter().flatten()),
                unread => self.parts.push_back(unread),
            }
        }
    }

    /// The oldest part, which is no longer one of these then.
    pub fn take(&mut self) -> Option<Part<R>> {
        self.parts.pop_front()
    }

    /// What lies before all others, and is begun.
    pub fn put_back_begun(&mut self, begun: R) {
        self.parts.push_front(Part::Begun(begun));
    }

    /// What lies before all others, and is to be read. Nothing where it is empty.
    pub fn put_back(&mut self, span: Span) {
        if span.from < span.to {
            self.parts.push_front(Part::Unread(span));
        }
    }
}

/// The first `width` of `whole`, cut at a multiple of `grain`, and the rest of it. A rest of less than half of
/// it is none.
fn carve(whole: Span, width: Option<TimeDelta>, grain: TimeDelta) -> (Span, Option<Span>) {
    let width = width.map(|width| width.max(TimeDelta::milliseconds(1)));
    let cut = width.and_then(|width| whole.from.checked_add_signed(width));
    let cut = cut.map(|cut| ceil(cut, grain));
    match (cut, width) {
        (Some(cut), Some(width)) if cut + width / 2 < whole.to => {
            (Span { to: cut, ..whole }, Some(Span { from: cut, ..whole }))
        }
        _ => (whole, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: TimeDelta = TimeDelta::milliseconds(1);

    #[test]
    fn parts_end_at_multiples_of_the_grain() {
        let mut parts = Parts::new(at(2_254), at(5_334), TimeDelta::seconds(1));
        let narrow = Some(TimeDelta::milliseconds(30));
        while parts.begin(true, narrow, |span| span) {}
        let spans: Vec<_> = parts
            .begun()
            .map(|(_, span)| (span.from.timestamp_millis(), span.to.timestamp_millis()))
            .collect();
        let want = [
            (2_254, 3_000),
            (3_000, 4_000),
            (4_000, 5_000),
            (5_000, 5_334),
        ];
        assert_eq!(spans, want);
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    fn ms(span: Span) -> (i64, i64) {
        (span.from.timestamp_millis(), span.to.timestamp_millis())
    }

    #[test]
    fn so_many_are_begun_and_the_first_in_any_case() {
        let mut parts = Parts::new(at(0), at(100), MS);
        let width = Some(TimeDelta::milliseconds(10));
        while parts.begin(parts.begun().count() < 3, width, ms) {}
        assert_eq!(parts.begun().count(), 3);
        let Some(Part::Begun(first)) = parts.take() else {
            panic!()
        };
        assert_eq!(first, (0, 10));
        parts.put_back(Span {
            from: at(4),
            to: at(10),
        });
        assert!(parts.begin(false, None, ms));
        assert!(!parts.begin(false, None, ms));
        assert!(parts.begin(true, None, ms));
        assert!(!parts.begin(true, None, ms));
        let all: Vec<_> = std::iter::from_fn(|| parts.take())
            .map(|part| match part {
                Part::Begun(begun) => begun,
                Part::Unread(span) => ms(span),
            })
            .collect();
        assert_eq!(all, [(4, 10), (10, 20), (20, 30), (30, 100)]);
    }

    #[test]
    fn an_empty_window_has_no_parts() {
        assert!(Parts::<()>::new(at(5), at(5), MS).take().is_none());
        assert!(Parts::<()>::new(at(5), at(4), MS).take().is_none());
    }

    #[test]
    fn a_small_rest_is_no_part_of_its_own() {
        let begun = |to| {
            let mut parts = Parts::new(at(0), at(to), MS);
            parts.begin(false, Some(TimeDelta::milliseconds(10)), ms);
            match parts.take() {
                Some(Part::Begun(begun)) => begun,
                _ => panic!(),
            }
        };
        assert_eq!([begun(9), begun(15), begun(16)], [(0, 9), (0, 15), (0, 10)]);
    }

    proptest! {
        #[test]
        fn whatever_is_begun_tiles_the_window(
            end in 1_i64..10_000,
            steps in prop::collection::vec((1_usize..5, prop::option::of(0_i64..3_000)), 1..60),
        ) {
            let mut parts = Parts::new(at(0), at(end), MS);
            let mut reached = 0;
            for (most, width) in steps {
                while parts.begin(parts.begun().count() < most, width.map(TimeDelta::milliseconds), ms) {}
                let Some(Part::Begun((from, to))) = parts.take() else { break };
                prop_assert!(from == reached && to > from);
                reached = to;
            }
            if parts.take().is_none() {
                prop_assert_eq!(reached, end);
            }
        }
    }
}
