//! Parses lengths of time as a user types them, such as `36h`, `7d` or `1y`.

use std::time::Duration;

/// What a unit of the calendar stands for, in whole days: nobody who types `1y` expects the 365.25
/// days of an astronomer, which begin six hours before the time that was meant.
const CALENDAR_DAYS: [(&[&str], u32); 2] = [
    (&["years", "year", "yrs", "yr", "y"], 365),
    (&["months", "month", "M"], 30),
];

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
