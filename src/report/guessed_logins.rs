//! Finds logins that succeeded after several had failed, in memory that does not grow with the
//! events.
//!
//! Events come in the order of lines, which is nearly that of time: attempts to log in wait until
//! so many later ones have come, and are then taken in order of time, each source for itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;

use super::event_rows::{FirstN, RowPosition};
use super::report_event::CountedValue;
use super::text::{EntityLabel, TruncatedText};
use crate::model::time::Timestamp;

/// The fewest failures in a row that are worth a row.
pub const MIN_FAILURES: u64 = 3;
/// Rows in the table.
pub const MAX_ROWS: usize = 50;
/// The longest time from one attempt to the next one of the same row.
const MAX_PAUSE: TimeDelta = TimeDelta::hours(1);
/// Attempts that wait to be put in order.
const MAX_WAITING: usize = 4_096;
/// Actors and addresses with failures that are remembered: so many, and as many that were used
/// longer ago.
pub const MAX_SERIES: usize = 10_000;

/// An attempt to log in.
#[derive(Debug, Clone)]
pub struct LoginAttempt {
    /// Whether it failed.
    pub failed: bool,
    /// Who tried.
    pub actor: Option<CountedValue<'static>>,
    /// From where.
    pub address: Option<TruncatedText<'static>>,
    /// The country of the address.
    pub country: Option<EntityLabel<'static>>,
}

/// A login that succeeded after failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuessedLogin {
    /// Who logged in.
    pub actor: Option<EntityLabel<'static>>,
    /// How often this actor had failed before.
    pub by_actor: u64,
    /// How often anyone had failed from this address before.
    pub from_address: u64,
    /// The first of these failures.
    pub first_failure: Timestamp,
    /// When it succeeded.
    pub success: Timestamp,
    /// From where.
    pub address: Option<TruncatedText<'static>>,
    /// The country of the address.
    pub country: Option<EntityLabel<'static>>,
}

/// Failures in a row, each at most [`MAX_PAUSE`] after the one before.
#[derive(Debug, Clone, Copy)]
struct FailureSeries {
    first: Timestamp,
    last: Timestamp,
    failures: u64,
}

/// Whose failures: those of an actor, or those from an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SeriesKey {
    source: usize,
    is_address: bool,
    value: TruncatedText<'static>,
}

/// Puts attempts in order, and finds the logins.
#[derive(Debug)]
pub struct LoginWatch {
    /// By source and time.
    waiting: BTreeMap<(usize, RowPosition), LoginAttempt>,
    max_waiting: usize,
    series: SeriesMemory,
    /// The logins after most failures, of those after as many the earliest.
    pub found: FirstN<(Reverse<u64>, RowPosition), GuessedLogin>,
}

impl LoginWatch {
    /// Has seen no attempt.
    pub fn new() -> LoginWatch {
        LoginWatch::with_limits(MAX_WAITING, MAX_SERIES, MAX_ROWS)
    }

    fn with_limits(max_waiting: usize, max_series: usize, max_rows: usize) -> LoginWatch {
        LoginWatch {
            waiting: BTreeMap::new(),
            max_waiting,
            series: SeriesMemory::new(max_series),
            found: FirstN::new(max_rows),
        }
    }

    /// Takes an attempt; one without a time cannot be before or after another.
    pub fn add(&mut self, position: RowPosition, attempt: LoginAttempt) {
        if position.is_undated {
            return;
        }
        self.waiting.insert((position.source, position), attempt);
        if self.waiting.len() > self.max_waiting {
            self.release_half();
        }
    }

    /// Takes what still waits.
    pub fn finish(&mut self) {
        for ((_, position), attempt) in std::mem::take(&mut self.waiting) {
            self.judge(position, &attempt);
        }
    }

    /// How often failures were forgotten that a success could still have followed.
    pub fn forgotten(&self) -> u64 {
        self.series.forgotten
    }

    /// Takes the earlier half of the attempts of each source: which source comes next is not known,
    /// and none may lose all that its next attempts are to be ordered with.
    fn release_half(&mut self) {
        let mut counts = BTreeMap::new();
        for (source, _) in self.waiting.keys() {
            *counts.entry(*source).or_insert(0_usize) += 1;
        }
        let mut left = counts.into_iter().map(|(source, count)| (source, count.div_ceil(2)));
        let mut current = left.next();
        for (key, attempt) in std::mem::take(&mut self.waiting) {
            while current.is_some_and(|(source, _)| source != key.0) {
                current = left.next();
            }
            match &mut current {
                Some((_, count)) if *count > 0 => {
                    *count -= 1;
                    self.judge(key.1, &attempt);
                }
                _ => {
                    self.waiting.insert(key, attempt);
                }
            }
        }
    }

    fn judge(&mut self, position: RowPosition, attempt: &LoginAttempt) {
        let Some(time) = position.time else { return };
        let source = position.source;
        let key = |is_address, value: &TruncatedText<'static>| SeriesKey {
            source,
            is_address,
            value: value.clone(),
        };
        let actor = attempt.actor.as_ref().map(|actor| key(false, &actor.key));
        let address = attempt.address.as_ref().map(|address| key(true, address));
        if attempt.failed {
            for key in actor.into_iter().chain(address) {
                self.series.add_failure(key, time);
            }
            return;
        }
        let [actor, address] = [actor, address].map(|key| self.series.end(&key?, time));
        let failures = |series: Option<FailureSeries>| series.map_or(0, |series| series.failures);
        let (by_actor, from_address) = (failures(actor), failures(address));
        let most = by_actor.max(from_address);
        let first = [actor, address].into_iter().flatten().map(|series| series.first).min();
        if let Some(first_failure) = first
            && most >= MIN_FAILURES
        {
            self.found.offer((Reverse(most), position), || GuessedLogin {
                actor: attempt.actor.as_ref().map(|actor| actor.label.clone()),
                by_actor,
                from_address,
                first_failure,
                success: time,
                address: attempt.address.clone(),
                country: attempt.country.clone(),
            });
        }
    }
}

/// The series of failures that no success has ended. Those that were not used for longest are
/// forgotten.
#[derive(Debug)]
struct SeriesMemory {
    recent: HashMap<SeriesKey, FailureSeries>,
    older: HashMap<SeriesKey, FailureSeries>,
    limit: usize,
    forgotten: u64,
}

impl SeriesMemory {
    fn new(limit: usize) -> SeriesMemory {
        SeriesMemory { recent: HashMap::new(), older: HashMap::new(), limit, forgotten: 0 }
    }

    fn take(&mut self, key: &SeriesKey) -> Option<FailureSeries> {
        self.recent.remove(key).or_else(|| self.older.remove(key))
    }

    fn add_failure(&mut self, key: SeriesKey, time: Timestamp) {
        let series = match self.take(&key) {
            Some(FailureSeries { first, last, failures }) if time - last <= MAX_PAUSE => {
                let (first, last) = (first.min(time), last.max(time));
                FailureSeries { first, last, failures: failures + 1 }
            }
            _ => FailureSeries { first: time, last: time, failures: 1 },
        };
        if self.recent.len() >= self.limit {
            let is_open = |(other, series): (&SeriesKey, &FailureSeries)| {
                other.source == key.source && time - series.last <= MAX_PAUSE
            };
            self.forgotten += self.older.iter().filter(|entry| is_open(*entry)).count() as u64;
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, series);
    }

    /// Ends a series by a success at `time`; returns it if the success is not too long after it.
    fn end(&mut self, key: &SeriesKey, time: Timestamp) -> Option<FailureSeries> {
        let series = self.take(key)?;
        if time < series.last {
            // A line that comes far too late: what it ended is over.
            self.recent.insert(key.clone(), series);
            return None;
        }
        (time - series.last <= MAX_PAUSE).then_some(series)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Seconds, whether it failed, the number of the actor and of the address.
    type TestAttempt = (i64, bool, u8, u8);

    fn add(watch: &mut LoginWatch, line: usize, source: usize, of: TestAttempt) {
        let (seconds, failed, actor, address) = of;
        let time = Timestamp::from_timestamp(seconds, 0);
        let position = RowPosition { is_undated: false, time, source, line: line as u64 };
        let name = |value: String| TruncatedText::name(value);
        let attempt = LoginAttempt {
            failed,
            actor: Some(CountedValue::plain(name(format!("actor {actor}")))),
            address: Some(name(format!("192.0.2.{address}"))),
            country: None,
        };
        watch.add(position, attempt);
    }

    fn find(attempts: &[TestAttempt]) -> Vec<GuessedLogin> {
        let mut watch = LoginWatch::new();
        for (line, of) in attempts.iter().enumerate() {
            add(&mut watch, line, 0, *of);
        }
        watch.finish();
        watch.found.rows().cloned().collect()
    }

    fn failures(count: i64, actor: u8, address: u8) -> Vec<TestAttempt> {
        (0..count).map(|at| (at * 60, true, actor, address)).collect()
    }

    #[test]
    fn a_success_after_failures_is_found_by_actor_and_by_address() {
        for (guesses, success, expected) in [
            (failures(5, 1, 1), (300, false, 1, 1), Some((5, 5))),
            (failures(5, 1, 1), (300, false, 1, 2), Some((5, 0))),
            (failures(5, 1, 1), (300, false, 2, 1), Some((0, 5))),
            (failures(2, 1, 1), (300, false, 1, 1), None),
            (failures(5, 1, 1), (300, false, 2, 2), None),
            (failures(5, 1, 1), (240 + 3600, false, 1, 1), Some((5, 5))),
            (failures(5, 1, 1), (240 + 3601, false, 1, 1), None),
        ] {
            let found = find(&[guesses, vec![success]].concat());
            let counts = found.first().map(|login| (login.by_actor, login.from_address));
            assert_eq!(counts, expected, "{success:?}");
            assert!(found.iter().all(|login| login.first_failure.timestamp() == 0));
            assert!(found.iter().all(|login| login.success.timestamp() == success.0));
        }
    }

    #[test]
    fn a_success_ends_what_was_before_it() {
        let early = [(30, false, 1, 1), (250, false, 1, 1)];
        // The success at 30 leaves the failures of 60 to 240, and the one at 250 takes them.
        let found = find(&[failures(5, 1, 1), early.to_vec(), vec![(300, false, 1, 1)]].concat());
        assert_eq!(found.iter().map(|login| login.by_actor).collect::<Vec<_>>(), [4]);
        let pause = [(0, true, 1, 1), (10, true, 1, 1), (7000, true, 1, 1), (7010, false, 1, 1)];
        assert!(find(&pause).is_empty());
    }

    #[test]
    fn sources_are_judged_apart() {
        let mut watch = LoginWatch::with_limits(8, 100, 10);
        for (line, of) in failures(40, 1, 1).into_iter().enumerate() {
            add(&mut watch, line, line % 2, of);
        }
        add(&mut watch, 40, 1, (2401, false, 1, 1));
        watch.finish();
        assert_eq!(watch.found.rows().map(|login| login.by_actor).collect::<Vec<_>>(), [20]);
    }

    #[test]
    fn what_is_forgotten_too_early_is_counted() {
        let mut watch = LoginWatch::with_limits(1, 2, 10);
        for actor in 0..20 {
            add(&mut watch, usize::from(actor), 0, (i64::from(actor), true, actor, actor));
        }
        watch.finish();
        assert!(watch.forgotten() > 0);
        let kept = watch.series.recent.len() + watch.series.older.len();
        assert!(kept <= 4, "{kept}");
        let mut slow = LoginWatch::with_limits(1, 2, 10);
        for actor in 0..20 {
            add(&mut slow, usize::from(actor), 0, (i64::from(actor) * 4000, true, actor, actor));
        }
        slow.finish();
        assert_eq!(slow.forgotten(), 0);
    }

    /// What there is to find in attempts that are in order, written down plainly.
    fn expected(attempts: &[TestAttempt]) -> Vec<(i64, u64, u64)> {
        let count = |until: usize, is_same: &dyn Fn(&TestAttempt) -> bool| {
            let (mut failures, mut next) = (0, attempts[until].0);
            for attempt in attempts[..until].iter().rev().filter(|attempt| is_same(attempt)) {
                if !attempt.1 || next - attempt.0 > 3600 {
                    break;
                }
                (failures, next) = (failures + 1, attempt.0);
            }
            failures
        };
        let logins = attempts.iter().enumerate().filter(|(_, attempt)| !attempt.1);
        let found = logins.map(|(at, attempt)| {
            let by_actor = count(at, &|other| other.2 == attempt.2);
            (attempt.0, by_actor, count(at, &|other| other.3 == attempt.3))
        });
        found.filter(|(_, actor, address)| *actor.max(address) >= MIN_FAILURES).collect()
    }

    proptest! {
        #[test]
        fn any_order_of_lines_finds_the_same(
            attempts in prop::collection::vec(
                (0_i64..40_000, prop::bool::weighted(0.8), 0_u8..4, 0_u8..3), 0..80,
            ),
        ) {
            let mut ordered = attempts.clone();
            ordered.sort_by_key(|attempt| attempt.0);
            ordered.dedup_by_key(|attempt| attempt.0);
            let mut shuffled = ordered.clone();
            shuffled.sort_by_key(|attempt| attempt.0 * 7_919 % 10_007);
            let of = |login: &GuessedLogin| {
                (login.success.timestamp(), login.by_actor, login.from_address)
            };
            let mut found: Vec<_> = find(&shuffled).iter().map(of).collect();
            found.sort_unstable();
            prop_assert_eq!(found, expected(&ordered));
        }

        #[test]
        fn memory_is_bounded_and_small_disorder_is_none(
            attempts in prop::collection::vec(
                (1_i64..600, prop::bool::weighted(0.8), 0_u8..4, 0_u8..3), 0..120,
            ),
            late in prop::collection::vec(0_usize..3, 120),
        ) {
            let mut time = 0;
            let mut ordered = attempts;
            for attempt in &mut ordered {
                time += attempt.0;
                attempt.0 = time;
            }
            // Each line comes at most three lines late.
            let mut lines: Vec<_> = ordered.iter().copied().enumerate().collect();
            lines.sort_by_key(|(at, _)| at + late[*at]);
            let mut watch = LoginWatch::with_limits(12, 100, 1_000);
            for (line, of) in lines {
                add(&mut watch, line, 0, of);
                prop_assert!(watch.waiting.len() <= 12);
            }
            watch.finish();
            let mut found: Vec<_> = watch.found.rows()
                .map(|login| (login.success.timestamp(), login.by_actor, login.from_address))
                .collect();
            found.sort_unstable();
            prop_assert_eq!(found, expected(&ordered));
        }
    }
}
