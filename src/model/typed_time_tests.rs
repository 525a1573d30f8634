//! Tests of the times that people type.

use proptest::prelude::*;

use super::*;
use crate::model::time::format_millis;

/// A Friday, 13:00 in Berlin and 07:00 in New York.
const NOW_TEXT: &str = "2026-11-27T12:00:00Z";

fn zone(name: &str) -> UserZone {
    name.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    parse_api_time(text).unwrap()
}

fn resolve(text: &str, now: &str, name: &str) -> Result<String, String> {
    let typed: TypedTime = text.parse()?;
    let time = typed.resolve(at(now), zone(name)).map_err(|error| error.to_string())?;
    Ok(format_millis(time))
}

#[test]
fn every_form_in_utc() {
    for (text, want) in [
        ("2026-11-01", "2026-11-01T00:00:00.000Z"),
        ("2026-1-5", "2026-01-05T00:00:00.000Z"),
        ("2026-11-27 02:00", "2026-11-27T02:00:00.000Z"),
        ("2026-11-27T02:00", "2026-11-27T02:00:00.000Z"),
        ("2026-11-27t2:00", "2026-11-27T02:00:00.000Z"),
        ("2026-11-27 02:00:30.5", "2026-11-27T02:00:30.500Z"),
        ("2026-11-27   02:00:30", "2026-11-27T02:00:30.000Z"),
        ("2026-11-27 02:00Z", "2026-11-27T02:00:00.000Z"),
        ("2026-11-27 02:00 UTC", "2026-11-27T02:00:00.000Z"),
        ("2026-11-27 02:00+01:00", "2026-11-27T01:00:00.000Z"),
        ("2026-11-27 02:00:30-05:00", "2026-11-27T07:00:30.000Z"),
        ("2026-11-01T08:00:00+02:00", "2026-11-01T06:00:00.000Z"),
        ("2026-11-01t08:00:00z", "2026-11-01T08:00:00.000Z"),
        ("1795737600", "2026-11-27T00:00:00.000Z"),
        ("1795737600123", "2026-11-27T00:00:00.123Z"),
        ("now", "2026-11-27T12:00:00.000Z"),
        ("Today", "2026-11-27T00:00:00.000Z"),
        ("YESTERDAY", "2026-11-26T00:00:00.000Z"),
        (" yesterday  14:00 ", "2026-11-26T14:00:00.000Z"),
        ("today 9:30:01", "2026-11-27T09:30:01.000Z"),
        ("monday", "2026-11-23T00:00:00.000Z"),
        ("Mon 9:30", "2026-11-23T09:30:00.000Z"),
        ("sunday", "2026-11-22T00:00:00.000Z"),
        // Today is a Friday.
        ("friday", "2026-11-27T00:00:00.000Z"),
        ("fri 12:00", "2026-11-27T12:00:00.000Z"),
        ("fri 12:01", "2026-11-20T12:01:00.000Z"),
        ("36h", "2026-11-26T00:00:00.000Z"),
        ("7d", "2026-11-20T12:00:00.000Z"),
        ("7 days ago", "2026-11-20T12:00:00.000Z"),
        ("7 DAYS AGO", "2026-11-20T12:00:00.000Z"),
        ("3h ago", "2026-11-27T09:00:00.000Z"),
        ("3H", "2026-11-27T09:00:00.000Z"),
        ("30m", "2026-11-27T11:30:00.000Z"),
        ("1M", "2026-10-28T12:00:00.000Z"),
        ("1Y 1M ago", "2025-10-28T12:00:00.000Z"),
    ] {
        assert_eq!(resolve(text, NOW_TEXT, "UTC").as_deref(), Ok(want), "{text}");
    }
}

#[test]
fn walls_and_days_are_those_of_the_zone() {
    for (text, now, name, want) in [
        ("yesterday", NOW_TEXT, "Europe/Berlin", "2026-11-25T23:00:00.000Z"),
        ("2026-07-01 02:00", NOW_TEXT, "Europe/Berlin", "2026-07-01T00:00:00.000Z"),
        ("2026-07-01 02:00Z", NOW_TEXT, "Europe/Berlin", "2026-07-01T02:00:00.000Z"),
        ("2026-07-01", NOW_TEXT, "America/New_York", "2026-07-01T04:00:00.000Z"),
        ("7d", NOW_TEXT, "America/New_York", "2026-11-20T12:00:00.000Z"),
        // Already Saturday in Berlin, still Friday in New York.
        ("today", "2026-11-27T23:30:00Z", "Europe/Berlin", "2026-11-27T23:00:00.000Z"),
        ("saturday", "2026-11-27T23:30:00Z", "Europe/Berlin", "2026-11-27T23:00:00.000Z"),
        ("saturday", "2026-11-27T23:30:00Z", "America/New_York", "2026-11-21T05:00:00.000Z"),
        // A day of 23 hours, and one of 25.
        ("today", "2026-03-29T12:00:00Z", "Europe/Berlin", "2026-03-28T23:00:00.000Z"),
        ("yesterday 12:00", "2026-03-29T22:30:00Z", "Europe/Berlin", "2026-03-29T10:00:00.000Z"),
        ("yesterday 12:00", "2026-10-25T23:30:00Z", "Europe/Berlin", "2026-10-25T11:00:00.000Z"),
        // The hour that comes twice: the first of it.
        ("2026-10-25 02:30", NOW_TEXT, "Europe/Berlin", "2026-10-25T00:30:00.000Z"),
    ] {
        assert_eq!(resolve(text, now, name).as_deref(), Ok(want), "{text} in {name} at {now}");
    }
}

#[test]
fn a_time_that_no_clock_shows_names_the_gap() {
    let refused = |text, now, name| resolve(text, now, name).unwrap_err();
    assert_eq!(
        refused("2026-03-29 02:30", NOW_TEXT, "Europe/Berlin"),
        "`2026-03-29 02:30` does not exist in Europe/Berlin: the clocks went from \
         2026-03-29 02:00:00 to 2026-03-29 03:00:00"
    );
    for text in ["yesterday 02:30", "sun 2:30"] {
        let refused = refused(text, "2026-03-30T12:00:00Z", "Europe/Berlin");
        assert!(refused.contains("the clocks went from 2026-03-29 02:00:00"), "{refused}");
    }
    let refused = refused("9999-12-31 23:00", NOW_TEXT, "America/New_York");
    assert_eq!(refused, "`9999-12-31 23:00` is out of range in America/New_York");
}

#[test]
fn what_is_refused_and_what_is_suggested() {
    for (text, part) in [
        ("yesterdy", "did you mean `yesterday`? a time is a date"),
        ("YESTREDAY 14:00", "did you mean `yesterday`?"),
        ("wendesday", "did you mean `wednesday`?"),
        ("tody", "did you mean `today`?"),
        ("tomorrow", "has not happened yet"),
        ("tomorrow 9:00", "has not happened yet"),
        ("2026-02-30", "the calendar has no 2026-02-30"),
        ("2026-13-01 10:00", "the calendar has no 2026-13-01"),
        ("2026-11-31t10:00z", "the calendar has no 2026-11-31"),
    ] {
        let error = text.parse::<TypedTime>().unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
    for bad in [
        "",
        " ",
        "soon",
        "ago",
        "7",
        "12",
        "-3h",
        "2026",
        "123456789",
        "12345678901",
        "+1795737600",
        "26-11-01",
        "2026-11",
        "2026-11-01-",
        "2026-11-01 24:00",
        "2026-11-01 9",
        "2026-11-01 09:5",
        "2026-11-01 09:05:5",
        "2026-11-01 09:05:05.",
        "2026-11-01 09:05:05.1234567890",
        "2026-11-01 02:00 CET",
        "2026-11-01Z",
        "yesterdayT14:00",
        "yesterday tomorrow",
        "monday ago",
        "9999-12-31 23:00-05:00",
        "+12345-01-01",
    ] {
        let error = bad.parse::<TypedTime>().unwrap_err();
        assert_eq!(error, FORMS, "{bad}");
    }
}

#[test]
fn what_is_shown_can_be_typed_again() {
    let shown = |text: &str| text.parse::<TypedTime>().unwrap().to_string();
    for (text, want) in [
        ("40d", "40d"),
        ("48h", "2d"),
        ("36h ago", "36h"),
        ("90s 5ms", "90s 5000000ns"),
        ("0s", "now"),
        ("Wed", "wednesday"),
        ("TODAY 9:05", "today 09:05"),
        ("2026-11-01T8:00:30.5", "2026-11-01 08:00:30.500"),
        ("2026-11-01", "2026-11-01"),
        ("2026-11-01T08:00:00.0001+02:00", "2026-11-01T06:00:00.000100Z"),
    ] {
        assert_eq!(shown(text), want, "{text}");
        assert_eq!(shown(want), want, "{text}");
    }
}

#[test]
fn the_zone_belongs_to_what_was_typed_where_it_matters() {
    let resolved = |text: &str| {
        let typed: TypedTime = text.parse().unwrap();
        typed.with_meaning(at(NOW_TEXT), zone("Europe/Berlin")).unwrap().to_string()
    };
    assert_eq!(resolved("yesterday"), "yesterday (Europe/Berlin)");
    assert_eq!(resolved("168h"), "7d");
    assert_eq!(ResolvedTime::from(at(NOW_TEXT)).to_string(), "2026-11-27T12:00:00Z");
}

#[test]
fn a_file_needs_a_time_with_a_zone_or_a_date() {
    let fixed = |text: &str| text.parse::<TypedTime>().unwrap().fixed();
    assert_eq!(fixed("2026-11-27 12:00Z"), Some(at(NOW_TEXT)));
    assert_eq!(fixed("2026-11-27"), Some(at("2026-11-27T00:00:00Z")));
    assert_eq!(fixed("2026-11-27 12:00"), None);
    assert_eq!(fixed("1795780800"), Some(at(NOW_TEXT)));
    assert_eq!([fixed("yesterday"), fixed("7d"), fixed("mon 9:00"), fixed("now")], [None; 4]);
}

fn any_day() -> impl Strategy<Value = TypedDay> {
    prop_oneof![
        (0_i32..9999, 1_u32..367).prop_filter_map("no such day", |(year, day)| {
            NaiveDate::from_yo_opt(year, day).map(TypedDay::Date)
        }),
        (0..DAYS.len()).prop_map(|place| DAYS[place].1),
    ]
}

fn any_time() -> impl Strategy<Value = TypedTime> {
    let clock = (0_u32..86_400, prop_oneof![Just(0), 0_u32..1_000_000_000]);
    let clock = clock.prop_filter_map("no such clock", |(second, nanos)| {
        NaiveTime::from_num_seconds_from_midnight_opt(second, nanos)
    });
    prop_oneof![
        (0_i64..253_402_300_800, 0_u32..1_000_000_000)
            .prop_filter_map("no such time", |(seconds, nanos)| from_epoch(seconds, nanos))
            .prop_map(TypedTime::At),
        (0_u64..1 << 40, prop_oneof![Just(0), 0_u32..1_000_000_000])
            .prop_map(|(seconds, nanos)| TypedTime::Ago(Duration::new(seconds, nanos))),
        (any_day(), prop::option::of(clock)).prop_map(|(day, clock)| TypedTime::Wall(day, clock)),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        text in prop_oneof![
            "\\PC{0,20}",
            "[0-9tTzZ:.+ -]{0,30}",
            "(today|yesterday|mon|2026-03-29|7d)( |T)[0-9:.]{0,12}(Z|ago|M| UTC)?",
        ],
        seconds in -62_135_596_800_i64..253_402_300_800,
    ) {
        let now = DateTime::from_timestamp(seconds, 0).unwrap();
        if let Ok(typed) = text.parse::<TypedTime>() {
            prop_assert_eq!(typed.to_string().parse(), Ok(typed));
            for name in ["UTC", "Europe/Berlin", "Pacific/Apia", "America/Havana"] {
                let _ = typed.with_meaning(now, zone(name));
            }
        }
    }

    #[test]
    fn any_time_is_read_as_it_is_shown(typed in any_time(), seconds in 0_i64..4_000_000_000) {
        prop_assert_eq!(typed.to_string().parse(), Ok(typed));
        let now = DateTime::from_timestamp(seconds, 0).unwrap();
        for name in ["Africa/Cairo", "America/St_Johns", "Pacific/Kiritimati"] {
            let past = matches!(typed, TypedTime::Wall(TypedDay::Last(_) | TypedDay::Yesterday, None));
            if let Ok(time) = typed.resolve(now, zone(name)) {
                prop_assert!(!past || time <= now);
            }
        }
    }

    /// A time that a table shows can be copied from it.
    #[test]
    fn what_tables_show_is_read_in_any_zone(seconds in 0_i64..4_000_000_000, place in 0_usize..500) {
        let shown_in = zone(UserZone::names().nth(place).unwrap());
        let time = DateTime::from_timestamp(seconds, 0).unwrap();
        let minute = DateTime::from_timestamp(seconds / 60 * 60, 0).unwrap();
        // Offsets of whole minutes, as all are since 1972.
        if seconds > 100_000_000 {
            prop_assert_eq!(shown_in.seconds(time).parse(), Ok(TypedTime::At(time)));
            prop_assert_eq!(shown_in.minute(time).parse(), Ok(TypedTime::At(minute)));
            prop_assert_eq!(shown_in.millis(time).parse(), Ok(TypedTime::At(time)));
        }
    }
}
