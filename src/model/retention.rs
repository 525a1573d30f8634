//! States how long each API keeps its events, and what that means for a time range that begins earlier.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::{Timestamp, after, before, format_millis, truncate_to_millis};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much later than the edge a server is asked that refuses older times: its clock may be ahead
/// of ours, and the edge moves on between the request and its check.
const EDGE_MARGIN: Duration = Duration::from_secs(60 * 60);

/// The longest time that an API is documented to keep its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRetention {
    days: u32,
}

impl LogRetention {
    /// Organization events: 180 days on every plan that has the log (support.atlassian.com, "Track
    /// organization activities from the audit log").
    pub const ORGANIZATION: LogRetention = LogRetention { days: 180 };

    /// A retention of so many days.
    pub const fn in_days(days: u32) -> LogRetention {
        LogRetention { days }
    }

    /// In days.
    pub fn days(self) -> u32 {
        self.days
    }

    /// As a length of time.
    pub fn span(self) -> Duration {
        DAY.saturating_mul(self.days)
    }

    /// The earliest time that the log can hold at `now`.
    pub fn earliest(self, now: Timestamp) -> Timestamp {
        truncate_to_millis(before(now, self.span()))
    }

    /// The earliest time that a server which refuses older ones surely accepts at `now`.
    pub fn earliest_accepted(self, now: Timestamp) -> Timestamp {
        after(self.earliest(now), EDGE_MARGIN)
    }

    /// The limit that a time range from `since` on meets at `now`; nothing where all of it is kept.
    pub fn limit(self, since: Timestamp, now: Timestamp) -> Option<RetentionLimit> {
        let earliest = self.earliest(now);
        (since < earliest).then_some(RetentionLimit { days: self.days, earliest })
    }
}

/// That a time range begins before the earliest event that its source can still show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionLimit {
    /// How many days the source keeps.
    pub days: u32,
    /// The start of what it can still show.
    pub earliest: Timestamp,
}

impl RetentionLimit {
    /// Whether an event of the time `first` proves the documented number wrong.
    pub fn is_contradicted_by(&self, first: Option<Timestamp>) -> bool {
        first.is_some_and(|first| first < self.earliest)
    }

    /// What a reader must know of a time range from `since` on, whose first event is of `first`.
    pub fn describe(&self, since: Timestamp, first: Option<Timestamp>) -> String {
        let (since, earliest) = (format_millis(since), format_millis(self.earliest));
        let days = self.days;
        match self.is_contradicted_by(first) {
            false => format!(
                "asked from {since}; this source keeps at most {days} days, so nothing before {earliest} can be in it"
            ),
            true => format!(
                "asked from {since}; this source should keep at most {days} days, but it returned events from before {earliest}; whether it returned all of them is not known"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::SourceKind;
    use crate::model::time::parse_api_time;

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    #[test]
    fn only_a_time_range_that_begins_before_the_earliest_event_meets_the_limit() {
        let now = at("2026-11-28T12:00:00Z");
        let limit =
            |kind: SourceKind, since: &str| kind.descriptor().retention?.limit(at(since), now);
        let old = limit(SourceKind::OrgEvents, "1999-01-01T00:00:00Z").unwrap();
        assert_eq!((old.days, old.earliest), (180, at("2026-06-01T12:00:00Z")));
        assert_eq!(limit(SourceKind::OrgEvents, "2026-06-01T12:00:00Z"), None);
        assert!(limit(SourceKind::OrgEvents, "2026-06-01T11:59:59.999Z").is_some());
        assert_eq!(limit(SourceKind::ConfluenceAudit, "2025-11-28T12:00:00Z"), None);
        assert!(limit(SourceKind::ConfluenceAudit, "2025-11-26T00:00:00Z").is_some());
        for kind in [SourceKind::JiraAudit, SourceKind::DatacenterAudit] {
            assert_eq!(limit(kind, "1999-01-01T00:00:00Z"), None);
        }
    }

    #[test]
    fn an_event_from_before_the_limit_is_not_denied() {
        let (since, earliest) = (at("1999-01-01T00:00:00Z"), at("2026-06-01T12:00:00Z"));
        let limit = RetentionLimit { days: 180, earliest };
        let cannot = "this source keeps at most 180 days, so nothing before 2026-06-01T12:00:00.000Z can be in it";
        for first in [None, Some(earliest)] {
            let text = limit.describe(since, first);
            assert!(text.starts_with("asked from 1999-01-01T00:00:00.000Z; "));
            assert!(text.ends_with(cannot), "{text}");
        }
        let older = limit.describe(since, Some(at("2026-05-01T00:00:00Z")));
        assert!(older.contains("it returned events from before 2026-06-01T12:00:00.000Z"));
    }
}
