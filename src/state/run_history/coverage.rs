//! Records which time ranges were read: ranges that touch become one, and what was never read
//! stays a gap.

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::time::{Timestamp, Window};
use crate::state::checkpoint::Checkpoint;

/// The most spans that are stored. A source that is read without a hole has one.
const SPANS: usize = 200;

/// A time range that has been read: `from <= t < to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoveredSpan {
    /// What was read: the organization or site.
    pub scope: String,
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Events that the runs wrote which read it.
    pub events: u64,
    /// The last time that a run read in it.
    pub read: Timestamp,
    /// Holes inside, where there came to be too many to tell each.
    #[serde(default)]
    pub holes: u64,
}

impl CoveredSpan {
    /// What the runs of `checkpoint` have read, if its source was read to an end.
    pub fn of_checkpoint(checkpoint: &Checkpoint) -> Option<CoveredSpan> {
        Some(CoveredSpan {
            scope: checkpoint.scope.clone(),
            from: checkpoint.history_start(),
            to: checkpoint.complete_until?,
            events: checkpoint.events,
            read: checkpoint.updated,
            holes: 0,
        })
    }
}

/// What has been read of a source: no two spans of a scope overlap or touch, the oldest comes
/// first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ReadCoverage {
    spans: Vec<CoveredSpan>,
}

impl<'de> Deserialize<'de> for ReadCoverage {
    /// Whatever order and overlaps the file has, what is read keeps to the rule.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ReadCoverage, D::Error> {
        let mut coverage = ReadCoverage::default();
        for span in Vec::<CoveredSpan>::deserialize(from)? {
            coverage.add(span);
        }
        Ok(coverage)
    }
}

impl ReadCoverage {
    /// Adds `span` to what has been read. An empty span changes nothing.
    pub fn add(&mut self, mut span: CoveredSpan) {
        if span.from >= span.to {
            return;
        }
        let touches = |other: &CoveredSpan| {
            other.scope == span.scope && other.from <= span.to && span.from <= other.to
        };
        let (touching, others): (Vec<_>, Vec<_>) =
            self.spans.drain(..).partition(|other| touches(other));
        for other in touching {
            span = joined(span, &other, 0);
        }
        self.spans = others;
        let place = self.spans.partition_point(|other| other.from <= span.from);
        self.spans.insert(place, span);
        while self.spans.len() > SPANS {
            self.shorten();
        }
    }

    /// The spans of `scope`, the oldest first.
    pub fn of(&self, scope: &str) -> impl Iterator<Item = &CoveredSpan> {
        self.spans.iter().filter(move |span| span.scope == scope)
    }

    /// All spans, the oldest first.
    #[cfg(test)]
    pub fn spans(&self) -> &[CoveredSpan] {
        &self.spans
    }

    /// What was never read between the spans of `scope`.
    pub fn holes(&self, scope: &str) -> Vec<Window> {
        let next = self.of(scope).skip(1);
        let pairs = self.of(scope).zip(next);
        pairs.map(|(one, next)| Window { from: one.to, to: Some(next.from) }).collect()
    }

    /// How many holes there are in `scope`, also those that are no longer listed one by one.
    pub fn count_holes(&self, scope: &str) -> u64 {
        let inside: u64 = self.of(scope).map(|span| span.holes).sum();
        inside.saturating_add(self.holes(scope).len() as u64)
    }

    /// Makes one of the two oldest spans of one scope, which then counts the hole between them; of
    /// scopes with one span each, the oldest goes.
    fn shorten(&mut self) {
        let next_of = |(place, span): (usize, &CoveredSpan)| {
            let rest = self.spans.iter().enumerate().skip(place + 1);
            let mut same = rest.filter(|(_, other)| other.scope == span.scope);
            same.next().map(|(next, _)| (place, next))
        };
        match self.spans.iter().enumerate().find_map(next_of) {
            Some((place, next)) => {
                let later = self.spans.remove(next);
                let earlier = self.spans.remove(place);
                self.spans.insert(place, joined(earlier, &later, 1));
            }
            None => drop(self.spans.remove(0)),
        }
    }
}

/// From the start of the earlier to the end of the later, with so many holes more.
fn joined(one: CoveredSpan, other: &CoveredSpan, holes: u64) -> CoveredSpan {
    CoveredSpan {
        from: one.from.min(other.from),
        to: one.to.max(other.to),
        events: one.events.saturating_add(other.events),
        read: one.read.max(other.read),
        holes: one.holes.saturating_add(other.holes).saturating_add(holes),
        scope: one.scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(1_790_000_000_000 + second * 1000).unwrap()
    }

    fn span(scope: &str, from: i64, to: i64) -> CoveredSpan {
        CoveredSpan {
            scope: scope.to_owned(),
            from: at(from),
            to: at(to),
            events: 1,
            read: at(to),
            holes: 0,
        }
    }

    fn ends(coverage: &ReadCoverage, scope: &str) -> Vec<(i64, i64)> {
        let second = |time: Timestamp| (time - at(0)).num_seconds();
        let spans = coverage.of(scope);
        spans.map(|span| (second(span.from), second(span.to))).collect()
    }

    #[test]
    fn adjacent_spans_are_merged_and_others_leave_a_gap() {
        let mut coverage = ReadCoverage::default();
        for (from, to) in [(0, 10), (10, 20), (30, 40), (5, 5), (9, 3)] {
            coverage.add(span("a", from, to));
        }
        assert_eq!(ends(&coverage, "a"), [(0, 20), (30, 40)]);
        let hole = Window { from: at(20), to: Some(at(30)) };
        assert_eq!(coverage.holes("a"), [hole]);
        coverage.add(span("a", 15, 35));
        assert_eq!(ends(&coverage, "a"), [(0, 40)]);
        assert_eq!(coverage.spans()[0].events, 4);
        assert!(coverage.holes("a").is_empty());
    }

    #[test]
    fn another_scope_fills_no_hole() {
        let mut coverage = ReadCoverage::default();
        coverage.add(span("a", 0, 10));
        coverage.add(span("b", 5, 25));
        coverage.add(span("a", 20, 30));
        assert_eq!(ends(&coverage, "a"), [(0, 10), (20, 30)]);
        assert_eq!(ends(&coverage, "b"), [(5, 25)]);
        assert_eq!(coverage.holes("a").len(), 1);
    }

    #[test]
    fn too_many_spans_become_fewer_and_no_gap_is_forgotten() {
        let mut coverage = ReadCoverage::default();
        for n in 0..1000 {
            coverage.add(span("a", n * 10, n * 10 + 5));
        }
        assert_eq!(coverage.spans().len(), SPANS);
        let inside: u64 = coverage.spans().iter().map(|span| span.holes).sum();
        assert_eq!(inside + coverage.holes("a").len() as u64, 999);
        // The newest are listed one by one.
        assert_eq!(ends(&coverage, "a").last(), Some(&(9990, 9995)));
        assert_eq!(coverage.spans()[SPANS - 2].holes, 0);
    }

    #[test]
    fn of_too_many_scopes_the_oldest_goes() {
        let mut coverage = ReadCoverage::default();
        for n in 0..300 {
            coverage.add(span(&format!("s{n}"), n, n + 1));
        }
        assert_eq!(coverage.spans().len(), SPANS);
        assert!(coverage.of("s0").next().is_none() && coverage.of("s299").next().is_some());
    }

    #[test]
    fn a_file_in_any_order_is_put_in_order() {
        let spans = [span("a", 30, 40), span("a", 0, 10), span("a", 9, 31)];
        let text = serde_json::to_string(&spans).unwrap();
        let coverage: ReadCoverage = serde_json::from_str(&text).unwrap();
        assert_eq!(ends(&coverage, "a"), [(0, 40)]);
    }

    proptest! {
        /// Against a list of seconds, each read or not.
        #[test]
        fn exactly_what_was_added_is_covered(
            windows in prop::collection::vec((0..100_i64, 0..15_i64), 0..40)
        ) {
            let mut coverage = ReadCoverage::default();
            let mut read = [false; 120];
            for &(from, length) in &windows {
                coverage.add(span("a", from, from + length));
                for second in from..from + length {
                    read[usize::try_from(second).unwrap()] = true;
                }
            }
            let spans = ends(&coverage, "a");
            for (second, read) in read.iter().enumerate() {
                let second = i64::try_from(second).unwrap();
                let is_in = spans.iter().any(|&(from, to)| from <= second && second < to);
                prop_assert_eq!(is_in, *read, "{} in {:?}", second, &spans);
            }
            // Sorted, and nothing that could be one is two.
            prop_assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0), "{:?}", &spans);
            prop_assert_eq!(coverage.holes("a").len(), spans.len().saturating_sub(1));
            let events: u64 = coverage.spans().iter().map(|span| span.events).sum();
            let added = windows.iter().filter(|(_, length)| *length > 0).count();
            prop_assert_eq!(events, added as u64);
        }
    }
}
