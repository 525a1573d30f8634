//! Decides which failures of a source are reported: each kind once, then once a day, then the end
//! of all of them.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// For how long a message is not repeated.
pub const REPEAT_INTERVAL: TimeDelta = TimeDelta::days(1);

/// Failures of one source that are reported in such a time at most, however many kinds there are.
const MAX_REPORTS: usize = 12;

/// A failure of a source, as far as it matters whether it is reported.
#[derive(Debug, Clone, Copy)]
pub struct FailureSighting<'a> {
    /// What distinguishes it from other failures: it stays the same while the failure lasts.
    pub kind: &'a str,
    /// What failed, in one line.
    pub cause: &'a str,
    /// Whether the source failed. It did not if another run holds it: that is reported in the same
    /// way, and its end is not.
    pub is_of_source: bool,
}

/// The failures of a source since it last worked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailureStreak {
    /// When it failed first.
    pub since: Option<Timestamp>,
    /// How often it failed.
    pub failures: u64,
    /// What failed last, in one line.
    pub cause: String,
    /// How long that has been the same.
    same: SameFailures,
    /// When each kind of failure was last reported.
    reported: BTreeMap<String, Timestamp>,
}

/// The last failures of a source that were of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct SameFailures {
    kind: String,
    since: Option<Timestamp>,
    failures: u64,
}

impl FailureStreak {
    /// Notes a failure at `now`, and returns whether it is to be reported.
    pub fn note(&mut self, failure: FailureSighting<'_>, now: Timestamp) -> bool {
        // A time in the future is one of a clock that was set back since.
        self.reported.retain(|_, at| *at <= now && now - *at < REPEAT_INTERVAL);
        if failure.is_of_source {
            self.since.get_or_insert(now);
            self.failures = self.failures.saturating_add(1);
            failure.cause.clone_into(&mut self.cause);
            if self.same.kind != failure.kind {
                self.same = SameFailures { kind: failure.kind.to_owned(), ..Default::default() };
            }
            self.same.since.get_or_insert(now);
            self.same.failures = self.same.failures.saturating_add(1);
        }
        let is_new = !self.reported.contains_key(failure.kind) && self.reported.len() < MAX_REPORTS;
        if is_new {
            self.reported.insert(failure.kind.to_owned(), now);
        }
        is_new
    }

    /// Since when, and how often, the source has failed in the very same way, if it was more than
    /// once.
    pub fn lasting(&self, failure: FailureSighting<'_>) -> Option<(Timestamp, u64)> {
        let SameFailures { kind, since, failures } = &self.same;
        (kind == failure.kind && *failures > 1).then_some(((*since)?, *failures))
    }

    /// Forgets that a failure of this kind was reported.
    pub fn forget_report(&mut self, kind: &str) {
        self.reported.remove(kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    fn of(kind: &'static str) -> FailureSighting<'static> {
        FailureSighting { kind, cause: kind, is_of_source: true }
    }

    #[test]
    fn a_kind_is_reported_once_then_once_a_day_and_another_at_once() {
        let mut streak = FailureStreak::default();
        for (kind, time, is_reported) in [
            ("refused", "2026-11-20T09:00:00Z", true),
            ("refused", "2026-11-20T09:10:00Z", false),
            ("unreachable", "2026-11-20T09:20:00Z", true),
            // Two that alternate are not reported each time.
            ("refused", "2026-11-20T09:30:00Z", false),
            ("unreachable", "2026-11-20T09:40:00Z", false),
            ("refused", "2026-11-21T08:59:59Z", false),
            ("refused", "2026-11-21T09:00:00Z", true),
            ("refused", "2026-11-21T09:10:00Z", false),
            ("unreachable", "2026-11-21T09:20:00Z", true),
        ] {
            assert_eq!(streak.note(of(kind), at(time)), is_reported, "{kind} at {time}");
        }
        assert_eq!(streak.since, Some(at("2026-11-20T09:00:00Z")));
        assert_eq!((streak.failures, streak.cause.as_str()), (9, "unreachable"));
    }

    #[test]
    fn a_failure_lasts_since_the_last_of_another_kind() {
        let mut streak = FailureStreak::default();
        let start = at("2026-11-20T09:10:00Z");
        for (kind, time, lasting) in [
            ("refused", "2026-11-20T09:00:00Z", None),
            ("unreachable", "2026-11-20T09:10:00Z", None),
            ("unreachable", "2026-11-20T09:20:00Z", Some((start, 2))),
            ("unreachable", "2026-11-20T09:30:00Z", Some((start, 3))),
            ("refused", "2026-11-20T09:40:00Z", None),
        ] {
            streak.note(of(kind), at(time));
            assert_eq!(streak.lasting(of(kind)), lasting, "{kind} at {time}");
        }
        // That another run holds it interrupts nothing.
        let held = FailureSighting { is_of_source: false, ..of("held") };
        streak.note(held, at("2026-11-20T09:50:00Z"));
        assert_eq!(streak.lasting(held), None);
        streak.note(of("refused"), at("2026-11-20T10:00:00Z"));
        assert_eq!(streak.lasting(of("refused")), Some((at("2026-11-20T09:40:00Z"), 2)));
    }

    #[test]
    fn a_failure_that_is_another_each_time_is_reported_a_dozen_times_a_day() {
        let mut streak = FailureStreak::default();
        let mut reported = 0;
        for hour in 0..24 {
            let kind = format!("kind {hour}");
            let sighting = FailureSighting { kind: &kind, cause: &kind, is_of_source: true };
            let at = at(&format!("2026-11-20T{hour:02}:00:00Z"));
            reported += usize::from(streak.note(sighting, at));
        }
        assert_eq!(reported, MAX_REPORTS);
        assert!(streak.note(of("another"), at("2026-11-21T00:00:00Z")));
    }

    #[test]
    fn a_clock_that_is_set_back_hides_nothing() {
        let mut streak = FailureStreak::default();
        assert!(streak.note(of("refused"), at("2026-11-20T09:00:00Z")));
        assert!(streak.note(of("refused"), at("2026-11-19T09:00:00Z")));
        assert!(!streak.note(of("refused"), at("2026-11-19T09:10:00Z")));
    }

    #[test]
    fn a_source_that_another_run_holds_has_not_failed() {
        let mut streak = FailureStreak::default();
        let held = FailureSighting { is_of_source: false, ..of("held") };
        assert!(streak.note(held, at("2026-11-20T09:00:00Z")));
        assert!(!streak.note(held, at("2026-11-20T09:10:00Z")));
        assert_eq!((streak.failures, streak.since), (0, None));
    }
}
