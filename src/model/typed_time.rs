//! Reads a point in time as people type it: a date with or without a clock, the name of a day, a
//! span back from now, RFC 3339, or seconds since 1970. What it means may depend on now and on the
//! time zone, which are known later.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{
    DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat,
    Timelike as _, Utc, Weekday,
};

use crate::model::text::suggest;
use crate::model::time::{
    Timestamp, before, can_be_written, from_epoch, number, parse_api_time, parse_span,
    truncate_to_millis,
};
use crate::model::user_zone::{UserZone, WallClockError};

/// A time as a user types it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypedTime {
    /// A point in time.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
    /// What a clock on the user's wall shows on a day; without it, when that day begins.
    Wall(TypedDay, Option<NaiveTime>),
}

/// A day as a user types it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypedDay {
    /// A day of the calendar.
    Date(NaiveDate),
    /// The day that it is now.
    Today,
    /// The day before.
    Yesterday,
    /// The last of these days whose time has come; today may be one.
    Last(Weekday),
}

/// The names of days; the first one of each is written.
const DAYS: [(&str, TypedDay); 16] = [
    ("today", TypedDay::Today),
    ("yesterday", TypedDay::Yesterday),
    ("monday", TypedDay::Last(Weekday::Mon)),
    ("tuesday", TypedDay::Last(Weekday::Tue)),
    ("wednesday", TypedDay::Last(Weekday::Wed)),
    ("thursday", TypedDay::Last(Weekday::Thu)),
    ("friday", TypedDay::Last(Weekday::Fri)),
    ("saturday", TypedDay::Last(Weekday::Sat)),
    ("sunday", TypedDay::Last(Weekday::Sun)),
    ("mon", TypedDay::Last(Weekday::Mon)),
    ("tue", TypedDay::Last(Weekday::Tue)),
    ("wed", TypedDay::Last(Weekday::Wed)),
    ("thu", TypedDay::Last(Weekday::Thu)),
    ("fri", TypedDay::Last(Weekday::Fri)),
    ("sat", TypedDay::Last(Weekday::Sat)),
    ("sun", TypedDay::Last(Weekday::Sun)),
];

const NOW: &str = "now";

const FORMS: &str = "a time is a date with or without a clock (`2026-11-27`, \
    `2026-11-27 02:00`), a day by name (`yesterday`, `monday 9:30`), `now`, a span back from now \
    (`36h`, `7 days ago`), RFC 3339 (`2026-11-27T02:00:00Z`), or seconds or milliseconds since \
    1970";

/// Why a typed time means no point in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypedTimeError {
    /// The clocks were set forward over it.
    #[error("`{typed}` does not exist in {zone}: the clocks went from {from} to {to}")]
    Gap {
        /// What was typed.
        typed: TypedTime,
        /// Where.
        zone: UserZone,
        /// What the clocks showed last.
        from: NaiveDateTime,
        /// What they showed next.
        to: NaiveDateTime,
    },
    /// No year of four digits.
    #[error("`{typed}` is out of range in {zone}")]
    OutOfRange {
        /// What was typed.
        typed: TypedTime,
        /// Where.
        zone: UserZone,
    },
}

impl TypedTime {
    /// The point in time meant, `now` being the start of the run.
    ///
    /// # Errors
    /// No clock of `zone` ever shows it.
    pub fn resolve(self, now: Timestamp, zone: UserZone) -> Result<Timestamp, TypedTimeError> {
        let (day, clock) = match self {
            TypedTime::At(time) => return Ok(time),
            TypedTime::Ago(span) => return Ok(before(now, span)),
            TypedTime::Wall(day, clock) => (day, clock),
        };
        let at = |days_ago: u64, from: NaiveDate| {
            let day = from.checked_sub_days(Days::new(days_ago));
            let day = day.ok_or(WallClockError::OutOfRange)?;
            match clock {
                Some(clock) => zone.instant(day.and_time(clock)),
                None => zone.start_of(day),
            }
        };
        let today = zone.day(now);
        let time = match day {
            TypedDay::Date(date) => at(0, date),
            TypedDay::Today => at(0, today),
            TypedDay::Yesterday => at(1, today),
            TypedDay::Last(weekday) => {
                let days_ago = u64::from(today.weekday().days_since(weekday));
                match at(days_ago, today) {
                    Ok(time) if time > now => at(days_ago + 7, today),
                    result => result,
                }
            }
        };
        time.map_err(|error| match error {
            WallClockError::Gap { from, to } => TypedTimeError::Gap { typed: self, zone, from, to },
            WallClockError::OutOfRange => TypedTimeError::OutOfRange { typed: self, zone },
        })
    }

    /// The same, with what was typed.
    ///
    /// # Errors
    /// No clock of `zone` ever shows it.
    pub fn with_meaning(
        self,
        now: Timestamp,
        zone: UserZone,
    ) -> Result<ResolvedTime, TypedTimeError> {
        Ok(ResolvedTime { typed: self, zone, at: truncate_to_millis(self.resolve(now, zone)?) })
    }

    /// The point in time meant, where it is one by itself: now does not matter, and it has a zone
    /// or is a whole day, which is one of UTC.
    pub fn fixed(self) -> Option<Timestamp> {
        match self {
            TypedTime::At(time) => Some(time),
            TypedTime::Wall(TypedDay::Date(day), None) => UserZone::UTC.start_of(day).ok(),
            TypedTime::Ago(_) | TypedTime::Wall(..) => None,
        }
    }
}

/// What was typed, and what it meant then and there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolvedTime {
    /// What was typed.
    pub typed: TypedTime,
    /// The zone whose clocks it means.
    pub zone: UserZone,
    /// The point in time, in whole milliseconds as those of events: no event may lie on both sides
    /// of it.
    pub at: Timestamp,
}

impl From<Timestamp> for ResolvedTime {
    fn from(time: Timestamp) -> ResolvedTime {
        let at = truncate_to_millis(time);
        ResolvedTime { typed: TypedTime::At(at), zone: UserZone::UTC, at }
    }
}

impl fmt::Display for ResolvedTime {
    /// What was typed, with the zone if it depends on one. Two that mean the same at any time have
    /// the same text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.typed {
            TypedTime::Wall(..) => write!(f, "{} ({})", self.typed, self.zone),
            TypedTime::At(_) | TypedTime::Ago(_) => write!(f, "{}", self.typed),
        }
    }
}

impl fmt::Display for TypedTime {
    /// As it can be typed again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypedTime::At(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            TypedTime::Ago(Duration::ZERO) => f.write_str(NOW),
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
            TypedTime::Wall(day, None) => write!(f, "{day}"),
            TypedTime::Wall(day, Some(clock)) if clock.second() == 0 && clock.nanosecond() == 0 => {
                write!(f, "{day} {}", clock.format("%H:%M"))
            }
            TypedTime::Wall(day, Some(clock)) => write!(f, "{day} {clock}"),
        }
    }
}

impl fmt::Display for TypedDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypedDay::Date(date) => write!(f, "{date}"),
            named => {
                let known = DAYS.iter().find(|(_, day)| day == named);
                f.write_str(known.map_or("", |(name, _)| name))
            }
        }
    }
}

impl FromStr for TypedTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        let time = parse_instant(&lower).map(TypedTime::At);
        time.or_else(|| (lower == NOW).then_some(TypedTime::Ago(Duration::ZERO)))
            .or_else(|| parse_wall(&lower))
            .or_else(|| parse_ago(text).map(TypedTime::Ago))
            .ok_or_else(|| explain(&lower))
    }
}

/// A time with its zone, or so many seconds or milliseconds since 1970.
fn parse_instant(text: &str) -> Option<Timestamp> {
    let is_epoch = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.len() {
        10 if is_epoch => return from_epoch(text.parse().ok()?, 0),
        13 if is_epoch => return DateTime::from_timestamp_millis(text.parse().ok()?),
        _ => {}
    }
    parse_api_time(&text.to_ascii_uppercase()).or_else(|| {
        // Without seconds, as our own tables show it.
        let text = text.replace("utc", "z");
        let (wall, offset) = text.split_at_checked(text.find(['z', '+']).or(text.rfind('-'))?)?;
        let wall = parse_wall(wall.trim_end())?;
        let TypedTime::Wall(TypedDay::Date(day), Some(clock)) = wall else {
            return None;
        };
        let text = format!("{day}T{}{offset}", clock.format("%H:%M:%S%.f"));
        let time = DateTime::parse_from_rfc3339(&text);
        Some(time.ok()?.with_timezone(&Utc)).filter(can_be_written)
    })
}

/// A day, perhaps with the time of a clock.
fn parse_wall(text: &str) -> Option<TypedTime> {
    if let Some((date, clock)) = text.split_once('t')
        && let Some(date) = parse_date(date)
    {
        return Some(TypedTime::Wall(TypedDay::Date(date), Some(parse_clock(clock)?)));
    }
    let (day, clock) = match text.split_once(char::is_whitespace) {
        Some((day, clock)) => (day, Some(parse_clock(clock.trim_start())?)),
        None => (text, None),
    };
    let named = DAYS.iter().find(|(name, _)| *name == day).map(|(_, day)| *day);
    let day = named.or_else(|| parse_date(day).map(TypedDay::Date))?;
    Some(TypedTime::Wall(day, clock))
}

/// `2026-11-27`, also without the zeros of month and day.
fn parse_date(text: &str) -> Option<NaiveDate> {
    let (year, month, day) = date_parts(text)?;
    NaiveDate::from_ymd_opt(year, month, day)
}

fn date_parts(text: &str) -> Option<(i32, u32, u32)> {
    let mut parts = text.split('-');
    let year = parts.next().filter(|year| year.len() == 4)?;
    let mut next = || number(parts.next().filter(|part| part.len() <= 2)?.as_bytes());
    let (month, day) = (next()?, next()?);
    let year = i32::try_from(number(year.as_bytes())?).ok()?;
    parts.next().is_none().then_some((year, month, day))
}

/// `9:30`, `09:30`, `09:30:15` or `09:30:15.25`.
fn parse_clock(text: &str) -> Option<NaiveTime> {
    let mut parts = text.split(':');
    let hour = number(parts.next().filter(|hour| hour.len() <= 2)?.as_bytes())?;
    let minute = number(parts.next().filter(|minute| minute.len() == 2)?.as_bytes())?;
    let (second, nanos) = match parts.next() {
        None => (0, 0),
        Some(text) => {
            let (second, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let missing = u32::try_from(9_usize.checked_sub(fraction.len())?).ok()?;
            let nanos = number(fraction.as_bytes())? * 10_u32.pow(missing);
            (number(Some(second).filter(|second| second.len() == 2)?.as_bytes())?, nanos)
        }
    };
    let clock = NaiveTime::from_hms_nano_opt(hour, minute, second, nanos);
    clock.filter(|_| parts.next().is_none())
}

/// A span back from now, with `ago` or without.
fn parse_ago(text: &str) -> Option<Duration> {
    let is_ago = |end: &str| end.eq_ignore_ascii_case("ago");
    let span = text.len().checked_sub(3).and_then(|at| text.split_at_checked(at));
    let span = span.filter(|(_, end)| is_ago(end)).map_or(text, |(span, _)| span);
    // `M` is a month and `m` a minute: of all units only this one has to be typed in its case.
    let folded = |word: &str| match word {
        "M" => word.to_owned(),
        _ => word.to_ascii_lowercase(),
    };
    let words = || span.split_inclusive(|c: char| !c.is_ascii_alphabetic());
    parse_span(span).or_else(|| {
        let folded = words().map(|word| {
            let unit = word.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
            format!("{}{}", folded(unit), &word[unit.len()..])
        });
        parse_span(&folded.collect::<String>())
    })
}

/// Why `text`, in lower case, is no time.
fn explain(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default();
    if word == "tomorrow" {
        return "tomorrow has not happened yet; use `now` or a time in the past".to_owned();
    }
    let date = word.split('t').next().and_then(date_parts);
    if let Some((year, month, day)) = date
        && NaiveDate::from_ymd_opt(year, month, day).is_none()
    {
        return format!("the calendar has no {year:04}-{month:02}-{day:02}");
    }
    let names = DAYS.iter().map(|(name, _)| *name).filter(|name| name.len() > 3).chain([NOW]);
    match suggest(word, names).filter(|_| word.len() > 2) {
        Some(meant) if meant != word => format!("did you mean `{meant}`? {FORMS}"),
        _ => FORMS.to_owned(),
    }
}

#[cfg(test)]
#[path = "typed_time_tests.rs"]
mod tests;
