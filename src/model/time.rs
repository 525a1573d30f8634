//! Points in time and half-open windows: the tolerant reading of the APIs' timestamps, the way ours are
//! written, and the times a user types.

use std::time::Duration;

use chrono::{
    DateTime, Datelike as _, DurationRound as _, NaiveDate, NaiveTime, SecondsFormat, TimeDelta,
    Timelike as _, Utc,
};

use crate::model::duration::parse_span;

/// A point in time, UTC.
pub type Timestamp = DateTime<Utc>;

/// A half-open span of time: `from <= t < to`; without `to` it has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First instant inside.
    pub from: Timestamp,
    /// First instant after, if there is an end.
    pub to: Option<Timestamp>,
}

impl Window {
    /// Whether `time` lies inside.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.from <= time && self.to.is_none_or(|to| time < to)
    }
}

/// Reads a timestamp as Atlassian's APIs write them: RFC 3339 with or without a fraction, and
/// Jira's offset without a colon (`2025-11-12T16:28:36.943+0000`).
///
/// A time without a zone is refused: guessing one would move an event by hours.
pub fn parse_api_time(text: &str) -> Option<Timestamp> {
    // Nearly all of them are of one form; chrono knows all forms, and takes its time.
    if let Some(time) = parse_plain(text.as_bytes()) {
        return Some(time);
    }
    let text = text.trim();
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .ok()
        .map(|time| time.with_timezone(&Utc))
        // RFC 3339 has four digits for the year, so another year could not be written.
        .filter(|time| (0..=9999).contains(&time.year()))
}

/// Reads `2025-11-12T16:28:36.943Z`, its fraction of up to nine digits left out or not, and `Z` perhaps
/// written as an offset; nothing for any other form, whether or not it is a time.
fn parse_plain(text: &[u8]) -> Option<Timestamp> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    if [head[4], head[7], head[10], head[13], head[16]] != *b"--T::" {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix(b".") {
        None => (0, rest),
        Some(rest) => {
            let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (digits, zone) = rest.split_at_checked(count)?;
            let unit = 10_u32.checked_pow(9_u32.checked_sub(u32::try_from(count).ok()?)?)?;
            (number(digits)? * unit, zone)
        }
    };
    if !matches!(zone, b"Z" | b"+0000" | b"+00:00") {
        return None;
    }
    let year = i32::try_from(pair(head, 0)? * 100 + pair(head, 2)?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, pair(head, 5)?, pair(head, 8)?)?;
    let (hour, minute, second) = (pair(head, 11)?, pair(head, 14)?, pair(head, 17)?);
    let time = date.and_hms_nano_opt(hour, minute, second, fraction)?;
    Some(time.and_utc())
}

/// The number that the two digits at `at` write.
#[inline(always)] // the places are constants
fn pair(text: &[u8; 19], at: usize) -> Option<u32> {
    let tens = text.get(at)?.wrapping_sub(b'0');
    let ones = text.get(at + 1)?.wrapping_sub(b'0');
    (tens < 10 && ones < 10).then_some(u32::from(tens) * 10 + u32::from(ones))
}

/// The number that one to nine digits write.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

/// Appends what [`format_millis`] writes to `out`.
pub fn append_millis(time: Timestamp, out: &mut Vec<u8>) {
    let time_of_utc = time.naive_utc();
    let (date, clock) = (time_of_utc.date(), time_of_utc.time());
    let millis = clock.nanosecond() / 1_000_000;
    let year = u32::try_from(date.year()).unwrap_or(u32::MAX);
    if year > 9999 || millis > 999 {
        // A leap second, or a year that RFC 3339 cannot write.
        return out.extend_from_slice(format_millis(time).as_bytes());
    }
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let pairs = [
        (0, year / 100),
        (2, year % 100),
        (5, date.month()),
        (8, date.day()),
        (11, clock.hour()),
        (14, clock.minute()),
        (17, clock.second()),
        (21, millis % 100),
    ];
    for (place, number) in pairs {
        text[place] += (number / 10) as u8;
        text[place + 1] += (number % 10) as u8;
    }
    text[20] += (millis / 100) as u8;
    out.extend_from_slice(&text);
}

/// Writes a time as every output does: RFC 3339, UTC, milliseconds.
pub fn format_millis(time: Timestamp) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `time` cut to whole milliseconds, the grain of every API and of our own outputs.
pub fn truncate_to_millis(time: Timestamp) -> Timestamp {
    DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(time)
}

/// The last multiple of `grain` that is not behind `time`.
pub fn floor(time: Timestamp, grain: TimeDelta) -> Timestamp {
    time.duration_trunc(grain).unwrap_or(time)
}

/// The first multiple of `grain` that is not before `time`.
pub fn ceil(time: Timestamp, grain: TimeDelta) -> Timestamp {
    match floor(time, grain) {
        floor if floor == time => time,
        floor => floor.checked_add_signed(grain).unwrap_or(time),
    }
}

/// `time - span`, stopping at the earliest time that can be written.
pub fn before(time: Timestamp, span: Duration) -> Timestamp {
    TimeDelta::from_std(span)
        .ok()
        .and_then(|span| time.checked_sub_signed(span))
        .unwrap_or(DateTime::UNIX_EPOCH)
}

/// `time + span`, stopping at the latest time that can be written.
pub fn after(time: Timestamp, span: Duration) -> Timestamp {
    TimeDelta::from_std(span)
        .ok()
        .and_then(|span| time.checked_add_signed(span))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A time as a user types it: RFC 3339, a date (midnight UTC), or a span back from now (`36h`, `7d`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypedTime {
    /// A point in time.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

impl TypedTime {
    /// The point in time meant, `now` being the start of the run.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            TypedTime::At(time) => time,
            TypedTime::Ago(span) => before(now, span),
        }
    }
}

impl std::fmt::Display for TypedTime {
    /// As it can be typed again.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TypedTime::At(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            TypedTime::Ago(span) => {
                let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
                let seconds = span.as_secs();
                let whole = units.iter().find(|(unit, _)| seconds % unit == 0);
                match whole.filter(|_| span.subsec_nanos() == 0) {
                    Some((unit, name)) => write!(f, "{}{name}", seconds / unit),
                    // Not in months: `humantime` counts other ones than `parse_span`.
                    None => write!(f, "{seconds}s {}ns", span.subsec_nanos()),
                }
            }
        }
    }
}

impl std::str::FromStr for TypedTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(time) = parse_api_time(text) {
            return Ok(TypedTime::At(time));
        }
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(TypedTime::At(date.and_time(NaiveTime::MIN).and_utc()));
        }
        parse_span(text).map(TypedTime::Ago).ok_or_else(|| {
            "expected RFC 3339 with a zone (`2026-11-01T08:00:00Z`), a date (`2026-11-01`) or a span back from now (`36h`, `7d`)".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn api_times_in_every_form_seen() {
        let cases = [
            ("2022-05-12T19:13:13Z", "2022-05-12T19:13:13.000Z"),
            ("2022-05-12T19:13:03.343Z", "2022-05-12T19:13:03.343Z"),
            ("2025-11-12T16:28:36.943+0000", "2025-11-12T16:28:36.943Z"),
            ("2025-11-12T18:28:36.943+02:00", "2025-11-12T16:28:36.943Z"),
            ("2025-11-12T18:28:36+0200", "2025-11-12T16:28:36.000Z"),
        ];
        for (text, want) in cases {
            let got = parse_api_time(text).map(format_millis);
            assert_eq!(got.as_deref(), Some(want), "{text}");
        }
        for bad in [
            "",
            "2025-11-12",
            "2025-11-12T16:28:36.943",
            "yesterday",
            "+12345-11-12T16:28:36Z",
            "9999-12-31T23:59:59-05:00",
            "1795167000000",
        ] {
            assert_eq!(parse_api_time(bad), None, "{bad}");
        }
    }

    /// What chrono alone makes of a text.
    fn by_chrono(text: &str) -> Option<Timestamp> {
        let time = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
        time.ok().map(|time| time.with_timezone(&Utc))
    }

    proptest! {
        #[test]
        fn the_short_way_of_reading_says_what_chrono_says(
            text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,11})?(Z|z|[+-]00:?00|)"
        ) {
            if let Some(time) = parse_plain(text.as_bytes()) {
                prop_assert_eq!(Some(time), by_chrono(&text));
            }
            prop_assert_eq!(parse_api_time(&text), by_chrono(&text));
        }

        #[test]
        fn the_short_way_of_writing_says_what_chrono_says(seconds in -62_200_000_000_i64..260_000_000_000, nanos in 0_u32..2_000_000_000) {
            if let Some(time) = DateTime::from_timestamp(seconds, nanos) {
                let mut text = Vec::new();
                append_millis(time, &mut text);
                prop_assert_eq!(String::from_utf8(text).unwrap(), format_millis(time));
            }
        }
    }

    #[test]
    fn typed_times() {
        let now = parse_api_time("2026-11-20T12:00:00Z").unwrap();
        let resolve =
            |text: &str| text.parse::<TypedTime>().map(|time| format_millis(time.resolve(now)));
        assert_eq!(resolve("2026-11-01").as_deref(), Ok("2026-11-01T00:00:00.000Z"));
        assert_eq!(resolve("36h").as_deref(), Ok("2026-11-19T00:00:00.000Z"));
        assert_eq!(resolve("7d").as_deref(), Ok("2026-11-13T12:00:00.000Z"));
        assert_eq!(resolve("2026-11-01T08:00:00+02:00").as_deref(), Ok("2026-11-01T06:00:00.000Z"));
        for text in ["7d", "36h", "90s 5ms", "2026-11-01", "2026-11-01T08:00:00.0001+02:00"] {
            let typed: TypedTime = text.parse().unwrap();
            assert_eq!(typed.to_string().parse(), Ok(typed), "{text}");
        }
        let shown = |text: &str| text.parse::<TypedTime>().unwrap().to_string();
        assert_eq!([shown("40d"), shown("48h"), shown("36h")], ["40d", "2d", "36h"]);
        for bad in ["", "soon", "2026-13-01", "2026-11-01T08:00:00", "-3h", "7"] {
            assert!(resolve(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let at = |s: &str| parse_api_time(s).unwrap();
        let window =
            Window { from: at("2026-11-01T00:00:00Z"), to: Some(at("2026-11-02T00:00:00Z")) };
        assert!(window.contains(window.from));
        assert!(window.contains(at("2026-11-01T23:59:59.999Z")));
        assert!(!window.contains(at("2026-11-02T00:00:00Z")));
        assert!(!window.contains(at("2026-10-31T23:59:59.999Z")));
    }

    #[test]
    fn a_time_lies_between_two_multiples_of_a_grain() {
        let at = |text| parse_api_time(&format!("2026-11-20T{text}Z")).unwrap();
        let second = TimeDelta::seconds(1);
        assert_eq!(floor(at("12:00:01.999"), second), at("12:00:01"));
        assert_eq!(ceil(at("12:00:01.001"), second), at("12:00:02"));
        assert_eq!(ceil(at("12:00:01"), second), at("12:00:01"));
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_time() {
        let now = parse_api_time("2026-11-20T12:00:00Z").unwrap();
        assert_eq!(before(now, Duration::MAX), DateTime::UNIX_EPOCH);
        assert_eq!(after(now, Duration::MAX), DateTime::<Utc>::MAX_UTC);
    }
}
