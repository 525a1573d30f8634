//! The time zone in which a person types and reads times. Nothing that a program reads depends on
//! it.

use std::fmt;
use std::str::FromStr;

use chrono::{
    DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, SecondsFormat,
    TimeZone as _,
};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

use crate::model::text::suggest;
use crate::model::time::{Timestamp, can_be_written};

/// A time zone with its changes of summer time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserZone(Tz);

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
    pub const UTC: UserZone = UserZone(Tz::UTC);

    /// The day that it is at `now`.
    pub fn day(self, now: Timestamp) -> NaiveDate {
        self.local(now).date_naive()
    }

    /// `time` as a clock shows it; at the ends of all that chrono counts, one in UTC.
    fn local(self, time: Timestamp) -> DateTime<FixedOffset> {
        let offset = self.0.offset_from_utc_datetime(&time.naive_utc()).fix();
        match time.naive_utc().checked_add_offset(offset) {
            Some(_) => time.with_timezone(&offset),
            None => time.fixed_offset(),
        }
    }

    /// When a clock on the wall shows `local`. Of the two times that an hour repeated in autumn
    /// has, the earlier one.
    ///
    /// # Errors
    /// It never does, or not in a year of four digits.
    pub fn instant(self, local: NaiveDateTime) -> Result<Timestamp, WallClockError> {
        match self.0.from_local_datetime(&local).earliest() {
            Some(time) => Some(time.to_utc()).filter(can_be_written),
            None => match GapInfo::new(&local, &self.0) {
                Some(GapInfo { begin: Some((from, _)), end: Some(end) }) => {
                    return Err(WallClockError::Gap { from, to: end.naive_local() });
                }
                _ => None,
            },
        }
        .ok_or(WallClockError::OutOfRange)
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
        f.write_str(self.0.name())
    }
}

impl FromStr for UserZone {
    /// The name that was probably meant, if there is one.
    type Err = Option<&'static str>;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut zones = TZ_VARIANTS.iter();
        let zone = zones.find(|zone| zone.name().eq_ignore_ascii_case(name));
        zone.map(|zone| UserZone(*zone))
            .ok_or_else(|| suggest(name, TZ_VARIANTS.iter().map(|zone| zone.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::{format_millis, parse_api_time};
    use chrono::Datelike as _;

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
