//! Measures how often a source has events, so that an unusual gap is not taken for a quiet night.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// Days with events that are remembered: two weeks of a source that never rests.
const DAYS: usize = 14;

/// Gaps from which a usual one is known.
const ENOUGH: u64 = 10;

/// How many days must lie between the first and the last day of the history before a gap counts as
/// usual. Two calendar days apart are always more than 24 hours apart, even for events around
/// midnight. The rule needs only `days`, so it also holds for state files of earlier versions,
/// which may have learned a gap of some milliseconds from a single burst.
const LEAST_DAYS: i64 = 2;

/// How many times the usual gap is unusual: a week where there is an event every day.
const UNUSUAL_FACTOR: u32 = 7;

/// A silence up to this long is none, however busy the source.
const MIN_SILENCE: Duration = Duration::from_secs(600);

/// The longest gap between two events of each day, in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventGaps {
    /// Gaps measured since the history began.
    gaps: u64,
    /// The longest gap that ended on each of the last days with events, in milliseconds.
    days: BTreeMap<NaiveDate, u64>,
}

impl EventGaps {
    /// Takes note that the newest place moved from `from` to `to`. Only a move forward ends a gap:
    /// late events, and those that share a millisecond, do not.
    pub fn moved(&mut self, from: Timestamp, to: Timestamp) {
        let gap = (to - from).num_milliseconds();
        let Some(gap) = u64::try_from(gap).ok().filter(|&gap| gap > 0) else {
            return;
        };
        self.gaps = self.gaps.saturating_add(1);
        let longest = self.days.entry(to.date_naive()).or_default();
        *longest = gap.max(*longest);
        while self.days.len() > DAYS {
            self.days.pop_first();
        }
    }

    /// The gap that most days do not exceed: the median of each day's longest, once enough is
    /// known. A night is among them, so that the next one is nothing unusual. A single burst of
    /// events, or less than a day of history, is not enough.
    pub fn usual_gap(&self) -> Option<Duration> {
        let mut longest: Vec<u64> = self.days.values().copied().collect();
        longest.sort_unstable();
        // Of two in the middle the longer: rather late than a false alarm.
        let median = longest.get(longest.len() / 2).copied();
        median.filter(|_| self.gaps >= ENOUGH && self.covers_a_day()).map(Duration::from_millis)
    }

    /// The longest gap that is usual, if `gap` is longer; nothing while too little is known.
    pub fn unusual(&self, gap: Duration) -> Option<Duration> {
        if gap <= MIN_SILENCE {
            return None;
        }
        let longest = self.usual_gap()?.saturating_mul(UNUSUAL_FACTOR).max(MIN_SILENCE);
        (gap > longest).then_some(longest)
    }

    /// Whether the gaps were measured over more than 24 hours.
    fn covers_a_day(&self) -> bool {
        let (first, last) = (self.days.keys().next(), self.days.keys().next_back());
        first.zip(last).is_some_and(|(first, last)| (*last - *first).num_days() >= LEAST_DAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    /// What is known after events at these places, in the order they came.
    fn after(places: impl IntoIterator<Item = i64>) -> EventGaps {
        let mut rhythm = EventGaps::default();
        let mut newest = None;
        for place in places {
            if let Some(newest) = newest {
                rhythm.moved(at(newest), at(place));
            }
            newest = newest.max(Some(place));
        }
        rhythm
    }

    fn usual(rhythm: &EventGaps) -> Option<i64> {
        let ms = rhythm.usual_gap()?.as_millis();
        Some(i64::try_from(ms).unwrap())
    }

    #[test]
    fn a_steady_source_is_known_after_ten_gaps_and_two_midnights() {
        assert_eq!(usual(&after((0..10).map(|n| n * 6 * HOUR))), None);
        assert_eq!(usual(&after((0..11).map(|n| n * 6 * HOUR))), Some(6 * HOUR));
        // Many gaps, and less than a day of them: wherever midnight lies.
        for start in [0, 12 * HOUR, 23 * HOUR, DAY - 1] {
            let day = (0..1440).map(|n| start + n * MINUTE);
            assert_eq!(usual(&after(day)), None, "{start}");
        }
        let days = (0..=2880).map(|n| n * MINUTE);
        assert_eq!(usual(&after(days)), Some(MINUTE));
    }

    #[test]
    fn one_burst_teaches_no_gap_however_long_ago_it_was() {
        // Twenty events in a second, also around midnight.
        for start in [8 * HOUR, DAY - 500] {
            let burst = (0..20).map(|n| start + n * 50);
            assert_eq!(usual(&after(burst)), None, "{start}");
        }
        // The next event, a month later, makes a gap of a month.
        let month = (0..20).map(|n| n * 50).chain([30 * DAY]);
        assert_eq!(usual(&after(month)), Some(30 * DAY - 19 * 50));
    }

    #[test]
    fn a_burst_a_day_has_a_gap_of_a_day() {
        let burst = |day: i64| (0..20).map(move |n| day * DAY + 8 * HOUR + n * 50);
        assert_eq!(usual(&after((0..2).flat_map(burst))), None);
        for days in [3, 5, 30] {
            let rhythm = after((0..days).flat_map(burst));
            assert_eq!(usual(&rhythm), Some(DAY - 19 * 50), "{days}");
        }
    }

    #[test]
    fn what_an_earlier_version_learned_from_a_burst_is_read_and_not_believed() {
        for days in [r#"{"2026-11-20":52}"#, r#"{"2026-11-20":52,"2026-11-21":50}"#, "{}"] {
            let text = format!(r#"{{"gaps":19,"days":{days}}}"#);
            let rhythm: EventGaps = serde_json::from_str(&text).unwrap();
            assert_eq!(usual(&rhythm), None, "{text}");
        }
        let text = r#"{"gaps":19,"days":{"2026-11-20":52,"2026-11-22":90000000}}"#;
        let rhythm: EventGaps = serde_json::from_str(text).unwrap();
        assert_eq!(usual(&rhythm), Some(90_000_000));
    }

    #[test]
    fn the_night_is_usual_and_one_long_weekend_is_not() {
        // From eight to five, every ten minutes; Friday to Tuesday once nobody is there.
        let day = |day: i64| (0..54).map(move |n| day * DAY + 8 * HOUR + n * 10 * MINUTE);
        let days = [0, 1, 2, 3, 4, 8, 9, 10, 11, 12];
        let rhythm = after(days.into_iter().flat_map(day));
        assert_eq!(usual(&rhythm), Some(15 * HOUR + 10 * MINUTE));
    }

    #[test]
    fn many_in_a_millisecond_are_no_gap() {
        assert_eq!(usual(&after(vec![DAY; 5_000])), None);
        let hours = (0..60).flat_map(|n| vec![n * HOUR; 500]);
        assert_eq!(usual(&after(hours)), Some(HOUR));
    }

    #[test]
    fn a_place_after_the_newest_one_changes_nothing() {
        let rhythm = after((0..20).map(|n| n * HOUR));
        let mut with_late = rhythm.clone();
        with_late.moved(at(19 * HOUR), at(3 * HOUR));
        with_late.moved(at(19 * HOUR), at(19 * HOUR));
        assert_eq!(with_late, rhythm);
    }

    #[test]
    fn a_year_without_an_event_is_one_gap_of_many() {
        let before = (0..200).map(|n| n * HOUR);
        let later = (0..48).map(|n| 365 * DAY + n * HOUR);
        assert_eq!(usual(&after(before.chain(later))), Some(HOUR));
    }

    #[test]
    fn events_a_year_apart_are_known_after_ten_of_them() {
        let years = (0..12).map(|n| n * 365 * DAY);
        assert_eq!(usual(&after(years)), Some(365 * DAY));
    }

    proptest! {
        /// Against a slow reading of the definition: of each of the last days with an end of a gap
        /// the longest, of these the middle one.
        #[test]
        fn the_usual_gap_is_the_median_of_the_longest_of_the_last_days(
            places in prop::collection::vec(0..40 * DAY, 0..200),
            coarse_page in prop_oneof![Just(1), Just(HOUR), Just(DAY)],
        ) {
            let places: Vec<i64> = places.into_iter().map(|place| place / coarse_page * coarse_page).collect();
            let rhythm = after(places.iter().copied());
            prop_assert!(rhythm.days.len() <= DAYS);
            let ups: Vec<(i64, i64)> = (1..places.len())
                .map(|n| (*places[..n].iter().max().unwrap(), places[n]))
                .filter(|(newest, place)| place > newest)
                .collect();
            let mut days: Vec<i64> = ups.iter().map(|(_, to)| to / DAY).collect();
            days.dedup();
            let last = &days[days.len().saturating_sub(DAYS)..];
            let mut longest: Vec<i64> = last
                .iter()
                .map(|day| ups.iter().filter(|(_, to)| to / DAY == *day).map(|(from, to)| to - from).max().unwrap())
                .collect();
            longest.sort_unstable();
            let covers_a_day = last.first().zip(last.last()).is_some_and(|(first, last)| last - first >= 2);
            let want = (ups.len() >= 10 && covers_a_day).then(|| longest[longest.len() / 2]);
            prop_assert_eq!(usual(&rhythm), want);
        }

        /// A run that is cut anywhere, and continues from what it had saved, measures the same.
        #[test]
        fn what_is_saved_and_read_again_measures_on(
            places in prop::collection::vec(0..20 * DAY, 1..60),
            cut in 0_usize..60,
        ) {
            let cut = cut.min(places.len() - 1);
            let saved = after(places[..=cut].iter().copied());
            let text = serde_json::to_string(&saved).unwrap();
            let mut rhythm: EventGaps = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&rhythm, &saved);
            let mut newest = *places[..=cut].iter().max().unwrap();
            // What was not committed, and the page before it, comes again.
            for &place in places[..=cut].iter().chain(&places[cut + 1..]) {
                rhythm.moved(at(newest), at(place));
                newest = newest.max(place);
            }
            prop_assert_eq!(rhythm, after(places));
        }
    }
}
