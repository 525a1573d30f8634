//! Points in time, half-open windows and lengths of time: the tolerant reading of the APIs'
//! timestamps, the way ours are written, and spans as a user types them: `36h`, `7d` or `1y`.

use std::time::Duration;

use chrono::{
    DateTime, Datelike as _, DurationRound as _, NaiveDate, SecondsFormat, TimeDelta,
    Timelike as _, Utc,
};

use crate::model::text::counted;

/// A point in time, UTC.
pub type Timestamp = DateTime<Utc>;

/// A half-open time range: `from <= t < to`; without `to` it has no end.
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
        .filter(can_be_written)
}

/// The time so many seconds and nanoseconds after 1970 began.
pub fn from_epoch(seconds: i64, nanos: u32) -> Option<Timestamp> {
    // chrono takes more nanoseconds for a leap second.
    let nanos = Some(nanos).filter(|nanos| *nanos < 1_000_000_000)?;
    DateTime::from_timestamp(seconds, nanos).filter(can_be_written)
}

/// RFC 3339 has four digits for the year.
pub(super) fn can_be_written(time: &Timestamp) -> bool {
    (0..=9999).contains(&time.year())
}

/// Reads `2025-11-12T16:28:36.943Z`, its fraction of up to nine digits left out or not, and `Z`
/// perhaps written as an offset; nothing for any other form, whether or not it is a time.
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
pub(super) fn number(digits: &[u8]) -> Option<u32> {
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

/// The last multiple of `grain` that is not after `time`.
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

/// What a unit of the calendar stands for, in whole days: nobody who types `1y` expects the 365.25
/// days of an astronomer, which begin six hours before the time that was meant.
const CALENDAR_DAYS: [(&[&str], u32); 2] =
    [(&["years", "year", "yrs", "yr", "y"], 365), (&["months", "month", "M"], 30)];

/// Parses `text`: numbers with units, from `ns` to `w` as `humantime` reads them, `M` or `month`
/// for 30 days, `y` or `year` for 365 days. Nothing where it is no length of time.
pub fn parse_span(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut sum, mut rest) = (None::<Duration>, text);
    while !rest.is_empty() {
        let (number, behind) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, next) = split_while(behind.trim_start(), char::is_alphabetic);
        let part = parse_part(number, unit)?;
        sum = Some(sum.unwrap_or_default().checked_add(part)?);
        rest = next.trim_start();
    }
    sum
}

/// The length of one number with one unit.
fn parse_part(number: &str, unit: &str) -> Option<Duration> {
    let mut calendar = CALENDAR_DAYS.iter();
    match calendar.find(|(names, _)| names.contains(&unit)) {
        Some((_, days)) => {
            let number_of_days = humantime::parse_duration(&format!("{number}d")).ok()?;
            number_of_days.checked_mul(*days)
        }
        None => humantime::parse_duration(&format!("{number}{unit}")).ok(),
    }
}

/// `text` in two: the characters at its start that are `wanted`, and the rest.
fn split_while(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.len() - text.trim_start_matches(wanted).len())
}

/// `span` in words, its two largest units: `3 days 4 hours`, `9 minutes`. Less than a second is
/// one.
pub fn in_words(span: Duration) -> String {
    two_largest_units(span.max(Duration::from_secs(1)), counted)
}

/// `4s`, `12m 30s`, `3h 5m`, `12d 4h`: for a column of a table.
pub fn abbreviated(span: Duration) -> String {
    two_largest_units(span, |count, unit| format!("{count}{}", &unit[..1]))
}

fn two_largest_units(span: Duration, describe: impl Fn(u64, &str) -> String) -> String {
    const UNITS: [(&str, u64); 4] =
        [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];
    let seconds = span.as_secs();
    let largest = UNITS.iter().position(|&(_, unit)| seconds >= unit);
    let mut rest = seconds;
    let mut texts = Vec::with_capacity(2);
    for (name, unit) in UNITS.iter().skip(largest.unwrap_or(UNITS.len() - 1)).take(2) {
        let count = rest / unit;
        rest %= unit;
        if count > 0 || texts.is_empty() {
            texts.push(describe(count, name));
        }
    }
    texts.join(" ")
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

    const DAY: u64 = 86_400;

    fn seconds(text: &str) -> Option<u64> {
        parse_span(text).map(|span| span.as_secs())
    }

    #[test]
    fn a_year_and_a_month_are_whole_days() {
        for (text, days) in [
            ("1y", 365),
            ("2years", 730),
            ("1 year", 365),
            ("1M", 30),
            ("6months", 180),
            ("1y 1M 1d", 396),
            ("1y1M", 395),
            ("2w", 14),
            ("7d", 7),
        ] {
            assert_eq!(seconds(text), Some(days * DAY), "{text}");
        }
        assert_eq!(seconds("1m"), Some(60));
        assert_eq!(seconds("0"), Some(0));
        assert_eq!(seconds("1.5h"), Some(5400));
        assert_eq!(seconds("0.5y"), Some(365 * DAY / 2));
        assert_eq!(seconds(" 36h "), Some(36 * 3600));
        assert_eq!(seconds("1y 1s"), Some(365 * DAY + 1));
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in [
            "",
            " ",
            "y",
            "1",
            "1 2",
            "-1y",
            "1.y",
            "1..5y",
            "1y,",
            "1Y",
            "1µ",
            "١y",
            "99999999999999999999y",
            "999999999999999999y",
            "1yy",
        ] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }

    #[test]
    fn a_span_is_written_with_its_two_largest_units() {
        let words = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(words(0), "1 second");
        assert_eq!(words(61), "1 minute 1 second");
        assert_eq!(words(9 * 3600 + 59), "9 hours");
        assert_eq!(words(3 * DAY + 4 * 3600 + 5 * 60), "3 days 4 hours");
        assert_eq!(words(400 * DAY), "400 days");
        let short = |seconds| abbreviated(Duration::from_secs(seconds));
        assert_eq!([short(0), short(59), short(60), short(750)], ["0s", "59s", "1m", "12m 30s"]);
        assert_eq!([short(3_600), short(11_100), short(1_051_000)], ["1h", "3h 5m", "12d 3h"]);
    }

    proptest! {
        /// Whatever is typed, nothing breaks; and without a unit of the calendar it is what
        /// humantime reads.
        #[test]
        fn other_units_agree_with_humantime(
            parts in prop::collection::vec((0_u64..1_000_000, "ns|us|ms|s|sec|m|min|h|hr|d|days|w"), 1..4),
            junk in "\\PC{0,12}",
        ) {
            let text: Vec<_> = parts.iter().map(|(number, unit)| format!("{number}{unit}")).collect();
            let text = text.join(" ");
            prop_assert_eq!(parse_span(&text), humantime::parse_duration(&text).ok());
            let _ = parse_span(&junk);
        }
    }
}
