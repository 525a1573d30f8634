//! Owns when a file is finished. Pure.

use crate::config::settings::Rotation;
use crate::model::time::Timestamp;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// Whether a file of `length` bytes, begun at `begun`, is to be finished at `now`.
///
/// An empty file never is. A clock that was set back finishes none: it waits until the time comes
/// that follows the file's own hour or day.
pub fn is_due(rotation: Rotation, begun: Timestamp, length: u64, now: Timestamp) -> bool {
    let is_past = |span: i64| {
        let period = |time: Timestamp| time.timestamp().div_euclid(span);
        period(now) > period(begun)
    };
    length > 0
        && match rotation {
            Rotation::Never => false,
            Rotation::Hourly => is_past(HOUR),
            Rotation::Daily => is_past(DAY),
            Rotation::Size(most) => length >= most,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    #[test]
    fn hours_and_days_are_those_of_utc() {
        let due = |rotation, now: &str| {
            let begun = parse_api_time("2026-11-20T22:59:59.999Z").unwrap();
            is_due(rotation, begun, 1, parse_api_time(now).unwrap())
        };
        assert!(due(Rotation::Hourly, "2026-11-20T23:00:00Z"));
        assert!(!due(Rotation::Daily, "2026-11-20T23:59:59Z"));
        assert!(due(Rotation::Daily, "2026-11-21T00:00:00Z"));
        for rotation in [Rotation::Hourly, Rotation::Daily] {
            assert!(!due(rotation, "2026-11-20T22:59:59.999Z"));
            assert!(!due(rotation, "2026-11-19T23:30:00Z"), "set back");
        }
        assert!(!due(Rotation::Never, "2036-11-20T22:59:59Z"));
    }

    #[test]
    fn a_size_is_reached_and_nothing_is_never_finished() {
        let now = parse_api_time("2026-11-20T22:59:59Z").unwrap();
        let due =
            |rotation, length| is_due(rotation, now - chrono::TimeDelta::days(9), length, now);
        assert!(!due(Rotation::Size(1024), 1023));
        assert!(due(Rotation::Size(1024), 1024));
        assert!(due(Rotation::Daily, 1));
        assert!(!due(Rotation::Daily, 0));
    }
}
