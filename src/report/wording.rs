//! Numbers, times and lists in words.

use chrono::{TimeDelta, Timelike as _};

use crate::model::text::counted;
pub use crate::model::text::plural as counted_noun;
use crate::model::time::{Timestamp, in_words};

/// `3,600 events`.
pub fn events(count: u64) -> String {
    counted(count, "event")
}

/// `20 November 2026, 09:30 UTC`, with seconds where it has some.
pub fn date_time(time: Timestamp) -> String {
    let form = match (time.second(), time.nanosecond()) {
        (0, 0) => "%-d %B %Y, %H:%M UTC",
        (_, 0) => "%-d %B %Y, %H:%M:%S UTC",
        _ => "%-d %B %Y, %H:%M:%S%.3f UTC",
    };
    time.format(form).to_string()
}

/// `2026-11-20 09:30`, of milliseconds.
pub fn minute(millis: i64) -> String {
    let time = Timestamp::from_timestamp_millis(millis).unwrap_or_default();
    let form = match time.timestamp_subsec_millis() {
        _ if time.second() == 0 && time.timestamp_subsec_millis() == 0 => "%Y-%m-%d %H:%M",
        0 => "%Y-%m-%d %H:%M:%S",
        _ => "%Y-%m-%d %H:%M:%S%.3f",
    };
    time.format(form).to_string()
}

/// How long it is from one time to another, in words: `30 days`.
pub fn duration_between(from: Timestamp, to: Timestamp) -> String {
    duration((to - from).num_milliseconds())
}

/// `millis` in words; nothing is `no time`.
pub fn duration(millis: i64) -> String {
    match TimeDelta::try_milliseconds(millis).and_then(|span| span.to_std().ok()) {
        Some(span) if span.is_zero() => "no time".to_owned(),
        Some(span) if span.as_secs() == 0 => "less than a second".to_owned(),
        Some(span) => in_words(span),
        None => "no time".to_owned(),
    }
}

/// `a, b and c`; of more than five the first three.
pub fn list(names: &[&str]) -> String {
    match names {
        [] => "no source".to_owned(),
        [one] => (*one).to_owned(),
        [first, second, third, rest @ ..] if rest.len() > 2 => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}

/// `12.3 MB`.
pub fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return counted_noun(bytes, "byte", "bytes");
    }
    let mut value = bytes as f64 / 1_000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{value:.1} {}", units.get(unit).unwrap_or(&"TB"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    #[test]
    fn figures_are_words() {
        assert_eq!(events(1), "1 event");
        assert_eq!(events(3_600), "3,600 events");
        assert_eq!(
            [size(1), size(999), size(1_000), size(999_999), size(u64::MAX)],
            ["1 byte", "999 bytes", "1.0 kB", "1.0 MB", "18446744.1 TB"]
        );
        assert_eq!(
            [duration(0), duration(-5), duration(20), duration(i64::MAX)]
                .map(|text| text.len() > 3),
            [true; 4]
        );
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d", "e", "f"]), "a, b, c and 3 more");
    }

    #[test]
    fn times_are_as_exact_as_they_are() {
        let at = |text| parse_api_time(text).unwrap();
        assert_eq!(date_time(at("2026-11-02T09:30:00Z")), "2 November 2026, 09:30 UTC");
        assert_eq!(date_time(at("2026-11-02T09:30:01.5Z")), "2 November 2026, 09:30:01.500 UTC");
        assert_eq!(minute(at("2026-11-02T09:30:01Z").timestamp_millis()), "2026-11-02 09:30:01");
    }
}
