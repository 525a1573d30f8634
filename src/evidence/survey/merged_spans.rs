//! Owns the joining of spans of time that touch, as they come: what is left of any number of them is little.

use std::collections::BTreeMap;

use crate::evidence::page::RequestedSpan;
use crate::model::time::Timestamp;

/// Spans that do not touch. An export's are one, or a few where it was interrupted.
const MAX_SPANS: usize = 10_000;

/// Spans of time, joined. An end that is missing is none.
#[derive(Debug, Default)]
pub struct MergedSpans(BTreeMap<Timestamp, Option<Timestamp>>);

impl MergedSpans {
    /// One more. Where there are too many it is forgotten: nothing is said to be read that was not.
    pub fn add(&mut self, span: RequestedSpan) {
        let RequestedSpan { mut from, mut to } = span;
        if to.is_some_and(|to| to <= from) {
            return;
        }
        if let Some((&start, &end)) = self.0.range(..=from).next_back()
            && end.is_none_or(|end| from <= end)
        {
            (from, to) = (start, later(end, to));
            self.0.remove(&start);
        }
        while let Some((&start, &end)) = self.0.range(from..).next()
            && to.is_none_or(|to| start <= to)
        {
            to = later(end, to);
            self.0.remove(&start);
        }
        if self.0.len() < MAX_SPANS {
            self.0.insert(from, to);
        }
    }

    /// Whether one of them holds all from `from` to `to`.
    pub fn cover(&self, from: Timestamp, to: Timestamp) -> bool {
        let before = self.0.range(..=from).next_back();
        before.is_some_and(|(_, end)| end.is_none_or(|end| to <= end))
    }

    /// The first instant at or behind `from` that none of them holds; nothing where one has no end.
    pub fn first_uncovered(&self, from: Timestamp) -> Option<Timestamp> {
        match self.0.range(..=from).next_back() {
            Some((_, None)) => None,
            Some((_, Some(end))) => Some(from.max(*end)),
            None => Some(from),
        }
    }
}

fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(one?.max(other?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(second * 1000).unwrap()
    }

    fn of(spans: &[(i64, Option<i64>)]) -> MergedSpans {
        let mut all = MergedSpans::default();
        for (from, to) in spans {
            let (from, to) = (at(*from), to.map(at));
            all.add(RequestedSpan { from, to });
        }
        all
    }

    #[test]
    fn any_number_that_touch_are_one_and_others_are_few() {
        let touching: Vec<_> = (0..50_000).map(|n| (n, Some(n + 1))).collect();
        assert_eq!(of(&touching).0.len(), 1);
        assert!(of(&touching).cover(at(0), at(50_000)));
        let apart: Vec<_> = (0..50_000).map(|n| (2 * n, Some(2 * n + 1))).collect();
        assert_eq!(of(&apart).0.len(), MAX_SPANS);
    }

    proptest! {
        #[test]
        fn a_second_is_covered_where_a_span_has_it(
            spans in prop::collection::vec((0_i64..30, prop::option::weighted(0.95, 0_i64..30)), 0..12),
            from in 0_i64..30, length in 1_i64..30,
        ) {
            let all = of(&spans);
            let is_in = |second: i64| spans.iter().any(|(from, to)| *from <= second && to.is_none_or(|to| second < to));
            let to = from + length;
            prop_assert_eq!(all.cover(at(from), at(to)), (from..to).all(is_in));
            let end = (from..60).find(|second| !is_in(*second));
            prop_assert_eq!(all.first_uncovered(at(from)), end.map(at));
        }
    }
}
