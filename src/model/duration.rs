//! Parses lengths of time as a user types them, such as `36h`, `7d` or `1y`, and writes them.

use std::time::Duration;

use crate::model::number::counted;

/// What a unit of the calendar stands for, in whole days: nobody who types `1y` expects the 365.25
/// days of an astronomer, which begin six hours before the time that was meant.
const CALENDAR_DAYS: [(&[&str], u32); 2] =
    [(&["years", "year", "yrs", "yr", "y"], 365), (&["months", "month", "M"], 30)];

/// Parses `text`: numbers with units, from `ns` to `w` as `humantime` reads them, `M` or `month` for
/// 30 days, `y` or `year` for 365 days. Nothing where it is no length of time.
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

/// `span` in words, its two largest units: `3 days 4 hours`, `9 minutes`. Less than a second is one.
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
        /// Whatever is typed, nothing breaks; and without a unit of the calendar it is what humantime reads.
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
