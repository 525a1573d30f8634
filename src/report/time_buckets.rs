//! Counts events by time: how wide a bar of the chart is, and how many events fall into each.

use std::ops::Range;

use crate::model::time::Timestamp;

/// The most bars that can be distinguished on paper.
const MAX_BARS: i64 = 200;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// How wide a bar can be, in seconds, and what that is called.
const WIDTHS: [(i64, &str); 10] = [
    (MINUTE, "a minute"),
    (5 * MINUTE, "5 minutes"),
    (15 * MINUTE, "15 minutes"),
    (HOUR, "an hour"),
    (3 * HOUR, "3 hours"),
    (6 * HOUR, "6 hours"),
    (DAY, "a day"),
    (WEEK, "a week"),
    (4 * WEEK, "4 weeks"),
    (52 * WEEK, "52 weeks"),
];

/// A Monday: bars of weeks begin with theirs.
const MONDAY: i64 = 4 * DAY;

/// How many of what fell into one bar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChartBar {
    /// All events.
    pub events: u64,
    /// Those that failed.
    pub failed: u64,
}

/// Events by time, over a window.
#[derive(Debug)]
pub struct TimeBuckets {
    window: Range<i64>,
    /// Where the first bar begins, in milliseconds; at or before the window.
    start: i64,
    /// In milliseconds.
    width: i64,
    width_text: String,
    bars: Vec<ChartBar>,
    outside: u64,
    undated: u64,
}

impl TimeBuckets {
    /// Bars for the window from `since` to before `until`; one that has no length has one bar.
    pub fn new(since: Timestamp, until: Timestamp) -> TimeBuckets {
        let since = since.timestamp_millis();
        let until = until.timestamp_millis().max(since + 1);
        let span = (until - since) / 1_000;
        let fits = |width: i64| span / width < MAX_BARS - 1;
        let (width, word) = match WIDTHS.into_iter().find(|(width, _)| fits(*width)) {
            Some((width, word)) => (width, word.to_owned()),
            None => {
                let weeks = 52 * (span / (52 * WEEK) / (MAX_BARS - 2) + 1);
                (weeks * WEEK, format!("{weeks} weeks"))
            }
        };
        let width = width * 1_000;
        let origin = MONDAY * 1_000;
        let start = (since - origin).div_euclid(width) * width + origin;
        let count = (until - start).div_euclid(width) + i64::from((until - start) % width > 0);
        TimeBuckets {
            window: since..until,
            start,
            width,
            width_text: word,
            bars: vec![ChartBar::default(); usize::try_from(count).unwrap_or(1)],
            outside: 0,
            undated: 0,
        }
    }

    /// Counts an event.
    pub fn add(&mut self, time: Option<Timestamp>, failed: bool) {
        let Some(time) = time.map(|time| time.timestamp_millis()) else {
            self.undated += 1;
            return;
        };
        let index = usize::try_from((time - self.start).div_euclid(self.width)).ok();
        let bar = index.and_then(|index| self.bars.get_mut(index));
        match bar {
            Some(bar) if self.window.contains(&time) => {
                bar.events += 1;
                bar.failed += u64::from(failed);
            }
            _ => self.outside += 1,
        }
    }

    /// The bars in order of time.
    pub fn bars(&self) -> &[ChartBar] {
        &self.bars
    }

    /// The span of the bars from `first` to before `end`, in milliseconds, cut to the window.
    pub fn span(&self, bars: Range<usize>) -> Range<i64> {
        let edge = |index: usize| self.start + self.width * index as i64;
        edge(bars.start).max(self.window.start)..edge(bars.end).min(self.window.end)
    }

    /// Runs of bars without an event, in order.
    pub fn empty_runs(&self) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        let empty = self.bars.iter().enumerate().filter(|(_, bar)| bar.events == 0);
        for (at, _) in empty {
            match runs.last_mut() {
                Some(run) if run.end == at => run.end += 1,
                _ => runs.push(at..at + 1),
            }
        }
        runs
    }

    /// The window, in milliseconds.
    pub fn window(&self) -> Range<i64> {
        self.window.clone()
    }

    /// How wide a bar is, in words: `an hour`.
    pub fn width_text(&self) -> &str {
        &self.width_text
    }

    /// Events with a time outside of the window.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// Events without a time.
    pub fn undated(&self) -> u64 {
        self.undated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    #[test]
    fn the_window_decides_how_wide_a_bar_is() {
        let since = at("2026-11-02T00:00:00Z");
        for (days, word, count) in [
            (1, "15 minutes", 96),
            (7, "an hour", 168),
            (30, "6 hours", 120),
            (180, "a day", 180),
            (364, "a week", 52),
            (5 * 364, "4 weeks", 66),
        ] {
            let buckets = TimeBuckets::new(since, since + chrono::TimeDelta::days(days));
            assert_eq!((buckets.width_text(), buckets.bars().len()), (word, count), "{days} days");
        }
    }

    #[test]
    fn a_week_begins_on_monday() {
        let buckets = TimeBuckets::new(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let second = buckets.span(1..2);
        assert_eq!(second.start, at("2026-01-05T00:00:00Z").timestamp_millis());
        assert_eq!(buckets.span(0..1).start, buckets.window().start);
        assert_eq!(buckets.span(0..buckets.bars().len()), buckets.window());
    }

    #[test]
    fn no_event_is_one_run_of_nothing() {
        let mut buckets = TimeBuckets::new(at("2026-11-02T00:00:00Z"), at("2026-11-03T00:00:00Z"));
        assert_eq!(buckets.empty_runs(), vec![0..96; 1]);
        buckets.add(Some(at("2026-11-02T00:15:00Z")), true);
        buckets.add(Some(at("2026-11-03T00:00:00Z")), true);
        buckets.add(None, true);
        assert_eq!(buckets.empty_runs(), [0..1, 2..96]);
        assert_eq!((buckets.outside(), buckets.undated()), (1, 1));
        assert_eq!(buckets.bars()[1], ChartBar { events: 1, failed: 1 });
    }

    proptest! {
        #[test]
        fn any_window_has_few_bars_and_each_event_one_place(
            since in -62_000_000_000_000_i64..253_000_000_000_000,
            span in -1_000_i64..250_000_000_000_000,
            share in 0_f64..1.0,
        ) {
            let time = |ms| Timestamp::from_timestamp_millis(ms).unwrap();
            let (since, until) = (time(since), time((since + span).min(253_000_000_000_000)));
            let mut buckets = TimeBuckets::new(since, until);
            let count = buckets.bars().len();
            prop_assert!((1..=MAX_BARS as usize).contains(&count), "{count}");
            let window = buckets.window();
            let inside = window.start + ((window.end - window.start - 1) as f64 * share) as i64;
            buckets.add(Some(time(inside)), false);
            buckets.add(Some(time(window.end)), false);
            let found = buckets.bars().iter().position(|bar| bar.events == 1).unwrap();
            prop_assert!(buckets.span(found..found + 1).contains(&inside));
            prop_assert_eq!(buckets.outside(), 1);
        }
    }
}
