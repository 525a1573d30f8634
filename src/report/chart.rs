//! Events over time: how many fall into each bar, the picture of the bars, and its words for those
//! who do not see it.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{Datelike as _, NaiveDate, Timelike as _};
use maud::{Markup, Render, html};

use super::text::{self, date_time, duration, minute, table, text as escaped};
use super::{ReportInput, ReportSection, SourceSpan};
use crate::model::text::group_digits;
use crate::model::time::Timestamp;

/// Where bars end, from the top of the drawing.
const TOP: f64 = 18.0;
/// Where bars stand.
const FLOOR: f64 = 202.0;
/// The smallest visible bar height.
const MIN_HEIGHT: f64 = 2.0;
/// Gaps that are drawn.
const MAX_GAPS: usize = 100;
/// The most labels below the chart.
const MAX_TICKS: i64 = 12;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// A Monday: bars and labels of weeks begin with theirs.
const MONDAY: i64 = 4 * DAY;

/// Steps between labels, in minutes: up to two weeks.
const STEPS: [i64; 13] =
    [1, 5, 10, 30, 60, 120, 180, 360, 720, 1_440, 2 * 1_440, 7 * 1_440, 14 * 1_440];
/// Steps of the calendar, in months.
const MONTHS: [i64; 9] = [1, 2, 3, 6, 12, 24, 60, 120, 1_200];

/// The most bars that can be distinguished on paper.
const MAX_BARS: i64 = 200;

/// How wide a bar can be, in milliseconds, and what that is called.
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

/// How many of what fell into one bar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChartBar {
    /// All events.
    pub events: u64,
    /// Those that failed.
    pub failed: u64,
}

/// Events by time, over a window.
#[derive(Debug, Clone)]
pub struct TimeBuckets {
    /// The window, in milliseconds.
    pub window: Range<i64>,
    /// Where the first bar begins, in milliseconds; at or before the window.
    start: i64,
    /// In milliseconds.
    width: i64,
    /// How wide a bar is, in words: `an hour`.
    pub width_text: String,
    /// The bars in order of time.
    pub bars: Vec<ChartBar>,
    /// Events with a time outside of the window.
    pub outside: u64,
    /// Events without a time.
    pub undated: u64,
}

impl ChartBar {
    fn add(&mut self, other: ChartBar) {
        self.events += other.events;
        self.failed += other.failed;
    }
}

/// The most bars of events whose time range is not known yet. Bars of the final width are wider, as
/// long as this is a few times as many as they are.
const MAX_FINE_BARS: usize = 4_096;

/// Counts events by time, whether the window is known from the start or only at the end.
#[derive(Debug)]
pub enum TimeCounter {
    /// The window is known.
    Window(TimeBuckets),
    /// It is not: bars by their number, of a width that grows with the time between them.
    Growing {
        /// Which of [`WIDTHS`] they have.
        width: usize,
        /// The bars with an event.
        bars: BTreeMap<i64, ChartBar>,
        /// Events without a time.
        undated: u64,
    },
}

impl TimeCounter {
    /// For events of any time.
    pub fn growing() -> TimeCounter {
        TimeCounter::Growing { width: 0, bars: BTreeMap::new(), undated: 0 }
    }

    /// Counts an event.
    pub fn add(&mut self, time: Option<Timestamp>, failed: bool) {
        match self {
            TimeCounter::Window(buckets) => buckets.add(time, failed),
            TimeCounter::Growing { undated, .. } if time.is_none() => *undated += 1,
            TimeCounter::Growing { width, bars, .. } => {
                let time = time.unwrap_or_default().timestamp_millis();
                let bar = ChartBar { events: 1, failed: u64::from(failed) };
                bars.entry(number_of(time, *width)).or_default().add(bar);
                while bars.len() > MAX_FINE_BARS && *width + 1 < WIDTHS.len() {
                    let narrow = std::mem::take(bars);
                    for (number, bar) in narrow {
                        let start = start_of(number, *width);
                        bars.entry(number_of(start, *width + 1)).or_default().add(bar);
                    }
                    *width += 1;
                }
            }
        }
    }

    /// The bars for the window from `since` to before `until`, which is that of the counter where
    /// this has one.
    pub fn buckets(&self, since: Timestamp, until: Timestamp) -> TimeBuckets {
        match self {
            TimeCounter::Window(buckets) => buckets.clone(),
            TimeCounter::Growing { width, bars, undated } => {
                let mut buckets = TimeBuckets::new(since, until);
                buckets.undated = *undated;
                for (number, bar) in bars {
                    buckets.add_bar(start_of(*number, *width), *bar);
                }
                buckets
            }
        }
    }
}

fn width_at(index: usize) -> i64 {
    WIDTHS.get(index).map_or(MINUTE, |(width, _)| *width)
}

fn number_of(millis: i64, width: usize) -> i64 {
    (millis - MONDAY).div_euclid(width_at(width))
}

fn start_of(number: i64, width: usize) -> i64 {
    number * width_at(width) + MONDAY
}

impl TimeBuckets {
    /// Bars for the window from `since` to before `until`; one that has no length has one bar.
    pub fn new(since: Timestamp, until: Timestamp) -> TimeBuckets {
        let since = since.timestamp_millis();
        let until = until.timestamp_millis().max(since + 1);
        let span = until - since;
        let fits = |width: i64| span / width < MAX_BARS - 1;
        let (width, word) = match WIDTHS.into_iter().find(|(width, _)| fits(*width)) {
            Some((width, word)) => (width, word.to_owned()),
            None => {
                let weeks = 52 * (span / (52 * WEEK) / (MAX_BARS - 2) + 1);
                (weeks * WEEK, format!("{weeks} weeks"))
            }
        };
        let origin = MONDAY;
        let start = (since - origin).div_euclid(width) * width + origin;
        let count = (until - 1 - start).div_euclid(width) + 1;
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

    /// Counts the events of a finer bar that begins at `start`, which is in the window or, for the
    /// first one, a little before it.
    fn add_bar(&mut self, start: i64, bar: ChartBar) {
        let time = start.max(self.window.start);
        let index = usize::try_from((time - self.start).div_euclid(self.width)).ok();
        match index.and_then(|index| self.bars.get_mut(index)) {
            Some(own) if time < self.window.end => own.add(bar),
            _ => self.outside += bar.events,
        }
    }

    /// The bars with an event, and the runs of bars without one, in order; each with its span in
    /// milliseconds, cut to the window.
    pub fn runs(&self) -> Vec<(Range<i64>, ChartBar)> {
        let edge = |index: usize| self.start + self.width * index as i64;
        let (mut runs, mut first) = (Vec::new(), 0);
        while let Some(bar) = self.bars.get(first) {
            let rest = self.bars.iter().skip(first);
            let end = first + rest.take_while(|bar| bar.events == 0).count().max(1);
            let span = edge(first).max(self.window.start)..edge(end).min(self.window.end);
            runs.push((span, *bar));
            first = end;
        }
        runs
    }
}

/// The section; `more` comes after the chart.
pub fn section(buckets: &TimeBuckets, input: &ReportInput<'_>, more: &Markup) -> ReportSection {
    let gaps = clip(buckets, &input.unread);
    let removed = clip(buckets, &input.removed);
    let description = describe(buckets, input, !gaps.is_empty(), !removed.is_empty());
    let body = html! {
        (legend(buckets, !gaps.is_empty(), !removed.is_empty()))
        figure {
            svg class="chart" width="100%" height="240" role="img" aria-labelledby="ct cd" {
                title id="ct" { "Events over time" }
                desc id="cd" { (description) }
                defs {
                    pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse"
                        patternTransform="rotate(45)" {
                        rect width="2" height="6" class="gapline" {}
                    }
                }
                (drawing(buckets, input, &gaps, &removed))
            }
            figcaption { (description) }
        }
        (bar_table(buckets))
        (more)
    };
    ReportSection { id: "time", link: "Over time", title: "Events over time", body }
}

/// A part of the chart's time range, in milliseconds, and its source.
type ChartSpan<'a> = (&'a str, Range<i64>);

fn drawing(
    buckets: &TimeBuckets,
    input: &ReportInput<'_>,
    gaps: &[ChartSpan<'_>],
    removed: &[ChartSpan<'_>],
) -> Markup {
    let most = buckets.bars.iter().map(|bar| bar.events).max();
    let scale = ChartScale::of(most.unwrap_or_default());
    let end = buckets.window.end;
    let is_removed = |span: &&SourceSpan<'_>| span.to.timestamp_millis() >= end;
    // Where nothing was kept, an empty bar says nothing about events.
    let was_kept = input.removed.iter().filter(is_removed).count() < input.source_count;
    let height = units(FLOOR - TOP);
    let runs = buckets.runs();
    html! {
        @for (name, span) in removed {
            @let (x, width) = x_and_width(buckets, span);
            rect x=(percent(x)) width=(percent(width)) y=(units(TOP)) height=(height) class="gone" {
                title { "Not available: " (escaped(name)) ", " (format_span(span)) }
            }
        }
        @for (count, y) in scale.marks() {
            @let class = if count == 0 { "floor" } else { "grid" };
            line x1="0" x2="100%" y1=(units(y)) y2=(units(y)) class=(class) {}
        }
        @for (name, span) in gaps {
            @let (x, width) = x_and_width(buckets, span);
            @let (x, width) = (percent(x), percent(width.max(0.2)));
            g {
                title { "Not read to its end: " (escaped(name)) ", " (format_span(span)) }
                rect x=(x) width=(width) y=(units(TOP)) height=(height) class="gap" {}
                rect x=(x) width=(width) y=(units(TOP)) height=(height) fill="url(#hatch)" {}
            }
        }
        @for (span, bar) in runs.iter().filter(|(_, bar)| bar.events > 0) {
            (draw_bar(buckets, span, *bar, &scale))
        }
        @for (span, _) in runs.iter().filter(|(_, bar)| bar.events == 0 && was_kept) {
            @let (x, width) = x_and_width(buckets, span);
            rect x=(percent(x)) width=(percent(width)) y=(units(FLOOR + 3.0)) height="4"
                class="empty" { title { (format_span(span)) ": no event" } }
        }
        // Over the bars, which on a narrow screen stand where the numbers do.
        @for (count, y) in scale.marks().filter(|(count, _)| *count > 0) {
            text x="0" y=(units(y - 4.0)) class="y" { (group_digits(count)) }
        }
        (labels(buckets))
    }
}

/// What the picture shows, and what it does not show, in words.
fn describe(
    buckets: &TimeBuckets,
    input: &ReportInput<'_>,
    has_gaps: bool,
    has_removed: bool,
) -> String {
    let bars = &buckets.bars;
    let events = bars.iter().map(|bar| bar.events).sum::<u64>();
    let failed = bars.iter().map(|bar| bar.failed).sum::<u64>();
    let mut parts = vec![match events {
        0 => "No event has a time in this window.".to_owned(),
        _ if failed == 0 => format!("{}, no failure.", text::events(events)),
        _ => format!("{}, {} of them failed.", text::events(events), group_digits(failed)),
    }];
    if events > 0 {
        parts.extend(extremes(buckets));
    }
    if has_gaps {
        let what = "What is hatched was not read to its end: there may be more.";
        parts.push(what.to_owned());
    }
    for (count, what) in [
        (buckets.undated, "without a time that can be read"),
        (buckets.outside, "outside of the window"),
    ] {
        if count > 0 {
            parts.push(format!("Not shown: {} {what}.", text::events(count)));
        }
    }
    if input.since < input.shown_since {
        let (begin, since) = (date_time(input.shown_since), date_time(input.since));
        parts.push(format!(
            "The picture begins at {begin}. Events from {since} until then are not available: the \
             source had removed them."
        ));
    }
    if has_removed {
        let what = "What is shaded is not available: its source had removed it.";
        parts.push(what.to_owned());
    }
    parts.join(" ")
}

/// Where there is most, and where there is nothing for longest.
fn extremes(buckets: &TimeBuckets) -> impl Iterator<Item = String> {
    let runs = buckets.runs();
    let highest = runs.iter().rev().max_by_key(|(_, bar)| bar.events).map(|(span, bar)| {
        format!("The highest bar is {}, {}.", text::events(bar.events), format_span(span))
    });
    let empty = runs.iter().rev().filter(|(_, bar)| bar.events == 0);
    let longest = empty.max_by_key(|(span, _)| span.end - span.start).map(|(span, _)| {
        let length = duration((span.end - span.start).unsigned_abs());
        format!("The longest span of empty bars is {length}, {}.", format_span(span))
    });
    highest.into_iter().chain(longest)
}

fn format_span(span: &Range<i64>) -> String {
    let (from, to) = (minute(span.start), minute(span.end));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((day, _)), Some((same, time))) if day == same => format!("from {from} to {time} UTC"),
        _ => format!("from {from} to {to} UTC"),
    }
}

/// The parts of `spans` that the chart shows.
fn clip<'a>(buckets: &TimeBuckets, spans: &[SourceSpan<'a>]) -> Vec<ChartSpan<'a>> {
    let window = &buckets.window;
    let clipped = spans.iter().map(|SourceSpan { source, from, to }| {
        let from = from.timestamp_millis().max(window.start);
        (*source, from..to.timestamp_millis().min(window.end))
    });
    clipped.filter(|(_, span)| span.start < span.end).take(MAX_GAPS).collect()
}

fn legend(buckets: &TimeBuckets, has_gaps: bool, has_removed: bool) -> Markup {
    let key = |width: &str, picture: Markup, what: &str| {
        html! { span { svg width=(width) height="10" { (picture) } (what) } " " }
    };
    let bar = |class: &str| html! { rect width="10" height="10" class=(class) {} };
    html! {
        p class="legend" {
            (key("10", bar("ok"), "events"))
            (key("10", bar("bad"), "of them failed"))
            (key("10", html! { rect y="3" width="10" height="4" class="empty" {} }, "no event"))
            @if has_gaps {
                @let picture = html! {
                    rect width="14" height="10" class="gap" {}
                    rect width="14" height="10" fill="url(#hatch)" {}
                };
                (key("14", picture, "not read to its end"))
            }
            @if has_removed {
                (key("14", html! { rect width="14" height="10" class="gone" {} }, "not available"))
            }
            span class="end" { "each bar is " (buckets.width_text) ", times in UTC" }
        }
    }
}

/// The height of a count.
struct ChartScale {
    most: u64,
    step: u64,
}

impl ChartScale {
    /// A scale up to a round number that is no less than `most`.
    fn of(most: u64) -> ChartScale {
        let mut unit = 1_u64;
        loop {
            for factor in [1, 2, 5] {
                let step = unit.saturating_mul(factor);
                if step.saturating_mul(4) >= most {
                    let most = most.div_ceil(step).max(1).saturating_mul(step);
                    return ChartScale { most, step };
                }
            }
            unit = unit.saturating_mul(10);
        }
    }

    /// The counts of the grid, and where they stand.
    fn marks(&self) -> impl Iterator<Item = (u64, f64)> {
        let counts = (0..=self.most / self.step).map(|index| index * self.step);
        counts.map(|count| (count, FLOOR - self.height(count)))
    }

    fn height(&self, count: u64) -> f64 {
        (FLOOR - TOP) * (count as f64 / self.most as f64)
    }
}

/// A length in the drawing.
fn units(length: f64) -> String {
    format!("{length:.2}")
}

/// A part of the drawing's width.
fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

/// Where a time lies, in percent of the width.
fn x_percent(buckets: &TimeBuckets, at: i64) -> f64 {
    let window = &buckets.window;
    100.0 * ((at - window.start) as f64 / (window.end - window.start) as f64)
}

fn x_and_width(buckets: &TimeBuckets, span: &Range<i64>) -> (f64, f64) {
    let x = x_percent(buckets, span.start);
    (x, x_percent(buckets, span.end) - x)
}

fn draw_bar(buckets: &TimeBuckets, span: &Range<i64>, bar: ChartBar, scale: &ChartScale) -> Markup {
    let (x, width) = x_and_width(buckets, span);
    let failed = match bar.failed {
        0 => 0.0,
        failed => scale.height(failed).max(MIN_HEIGHT),
    };
    let whole = scale.height(bar.events).max(MIN_HEIGHT).max(failed);
    let parts = [("ok", whole, whole - failed), ("bad", failed, failed)];
    html! {
        g class="b" {
            title {
                (format_span(span)) ": " (text::events(bar.events)) ", "
                (group_digits(bar.failed)) " failed"
            }
            rect x=(percent(x)) y="0" width=(percent(width)) height=(units(FLOOR)) class="hit" {}
            @for (class, top, height) in parts.into_iter().filter(|(_, _, height)| *height > 0.0) {
                rect x=(percent(x)) width=(percent(width * 0.82)) y=(units(FLOOR - top))
                    height=(units(height)) class=(class) {}
            }
        }
    }
}

/// The times below the chart.
fn labels(buckets: &TimeBuckets) -> Markup {
    let ticks = ticks(&buckets.window).into_iter().enumerate();
    let ticks = ticks.map(|(index, tick)| (index, x_percent(buckets, tick.0), tick.1));
    html! {
        // Further right it would be cut at the edge.
        @for (index, x, text) in ticks.filter(|(_, x, _)| *x <= 96.0) {
            @let x = percent(x);
            // A narrow screen hides every other one.
            g class=[(index % 2 == 1).then_some("odd")] {
                line x1=(x) x2=(x) y1="208" y2="213" class="tick" {}
                text x=(x) y="227" class="x" { (text) }
            }
        }
    }
}

/// The chart as a table: runs of empty bars are one row.
fn bar_table(buckets: &TimeBuckets) -> Markup {
    let columns = [("From (UTC)", ""), ("To (UTC)", ""), ("Events", "n"), ("Failed", "n")];
    let row = |(span, bar): (Range<i64>, ChartBar)| {
        let [from, to] = [span.start, span.end].map(minute);
        let [events, failed] = [bar.events, bar.failed].map(group_digits);
        [from, to, events, failed].map(|cell| cell.render())
    };
    html! {
        details {
            summary { "Show as table" }
            (table("plain", columns, buckets.runs().into_iter().map(row)))
        }
    }
}

/// A label below the chart: where it stands, in milliseconds, and what it says.
type AxisTick = (i64, String);

/// The labels of a window in milliseconds: round times, few enough to be read.
fn ticks(window: &Range<i64>) -> Vec<AxisTick> {
    let minutes = (window.end - window.start) / MINUTE;
    if let Some(minutes) = STEPS.into_iter().find(|step| minutes / step < MAX_TICKS) {
        let step = minutes * MINUTE;
        let origin = if step >= WEEK { MONDAY } else { 0 };
        let first = (window.start - origin + step - 1).div_euclid(step) * step + origin;
        let times = (0..=MAX_TICKS).map(|index| first + index * step);
        let ticks = times.take_while(|at| *at < window.end).filter_map(|at| {
            let time = Timestamp::from_timestamp_millis(at)?;
            let is_day = step >= DAY || time.num_seconds_from_midnight() == 0;
            let format = if is_day { "%-d %b" } else { "%H:%M" };
            Some((at, time.format(format).to_string()))
        });
        return ticks.collect();
    }
    let months = minutes / (30 * 1_440);
    let step = MONTHS.into_iter().find(|step| months / step < MAX_TICKS);
    month_ticks(window, step.unwrap_or(12_000))
}

fn month_ticks(window: &Range<i64>, step: i64) -> Vec<AxisTick> {
    let Some(start) = Timestamp::from_timestamp_millis(window.start) else {
        return Vec::new();
    };
    let month = i64::from(start.year()) * 12 + i64::from(start.month0());
    let first = month.div_euclid(step) * step;
    let ticks = (0..MAX_TICKS + 3).filter_map(|index| {
        let month = first + index * step;
        let year = i32::try_from(month.div_euclid(12)).ok()?;
        let month = u32::try_from(month.rem_euclid(12)).ok()? + 1;
        let day = NaiveDate::from_ymd_opt(year, month, 1)?.and_hms_opt(0, 0, 0)?.and_utc();
        let format = if month == 1 || step >= 12 { "%Y" } else { "%b" };
        Some((day.timestamp_millis(), day.format(format).to_string()))
    });
    ticks.filter(|tick| window.contains(&tick.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use proptest::prelude::*;

    fn texts(from: &str, to: &str) -> String {
        let at = |text: &str| parse_api_time(&format!("{text}Z")).unwrap().timestamp_millis();
        let ticks = ticks(&(at(from)..at(to)));
        ticks.iter().map(|tick| tick.1.as_str()).collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn labels_are_round() {
        assert_eq!(
            texts("2026-11-02T20:10:00", "2026-11-03T03:00:00"),
            "21:00 | 22:00 | 23:00 | 3 Nov | 01:00 | 02:00"
        );
        assert_eq!(
            texts("2026-11-01T00:00:00", "2026-11-29T00:00:00"),
            "2 Nov | 9 Nov | 16 Nov | 23 Nov"
        );
        assert_eq!(
            texts("2026-09-15T00:00:00", "2027-05-01T00:00:00"),
            "Oct | Nov | Dec | 2027 | Feb | Mar | Apr"
        );
        assert_eq!(
            texts("2021-11-15T00:00:00", "2026-11-15T00:00:00"),
            "2022 | Jul | 2023 | Jul | 2024 | Jul | 2025 | Jul | 2026 | Jul"
        );
        assert_eq!(texts("2026-11-02T20:10:01", "2026-11-02T20:10:02"), "");
    }

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
            assert_eq!(
                (buckets.width_text.as_str(), buckets.bars.len()),
                (word, count),
                "{days} days"
            );
        }
    }

    #[test]
    fn a_week_begins_on_monday() {
        let buckets = TimeBuckets::new(at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        assert_eq!(buckets.runs(), [(buckets.window.clone(), ChartBar::default())]);
        let mut buckets = buckets;
        buckets.add(Some(at("2026-01-05T00:00:00Z")), false);
        let (second, _) = &buckets.runs()[1];
        assert_eq!(second.start, at("2026-01-05T00:00:00Z").timestamp_millis());
    }

    #[test]
    fn no_event_is_one_run_of_nothing() {
        let mut buckets = TimeBuckets::new(at("2026-11-02T00:00:00Z"), at("2026-11-03T00:00:00Z"));
        assert_eq!(buckets.runs(), [(buckets.window.clone(), ChartBar::default())]);
        buckets.add(Some(at("2026-11-02T00:15:00Z")), true);
        buckets.add(Some(at("2026-11-03T00:00:00Z")), true);
        buckets.add(None, true);
        let runs = buckets.runs().into_iter().map(|(_, bar)| bar.events);
        assert_eq!(runs.collect::<Vec<_>>(), [0, 1, 0]);
        assert_eq!((buckets.outside, buckets.undated), (1, 1));
        assert_eq!(buckets.bars[1], ChartBar { events: 1, failed: 1 });
    }

    proptest! {
        #[test]
        fn a_window_that_is_known_only_at_the_end_has_the_same_bars(
            from in -30_000_000_000_000_i64..30_000_000_000_000,
            log_span in 4.0_f64..13.5,
            shares in prop::collection::vec((0_f64..1.0, any::<bool>()), 1..40),
            is_many: bool,
        ) {
            let span = 10_f64.powf(log_span);
            // Enough to make the bars wider on the way.
            let more = (0..if is_many { 6_000 } else { 0 }).map(|at| (f64::from(at) / 6_000.0, false));
            let time = |share: f64| from + (span * share) as i64;
            let events: Vec<_> = shares.into_iter().chain(more)
                .map(|(share, failed)| (Timestamp::from_timestamp_millis(time(share)), failed))
                .collect();
            let first = events.iter().filter_map(|event| event.0).min().unwrap();
            let last = events.iter().filter_map(|event| event.0).max().unwrap();
            let until = last + chrono::TimeDelta::milliseconds(1);
            let (mut growing, mut fixed) = (TimeCounter::growing(), TimeBuckets::new(first, until));
            for (time, failed) in events {
                growing.add(time, failed);
                fixed.add(time, failed);
            }
            growing.add(None, false);
            fixed.add(None, false);
            if let TimeCounter::Growing { bars, .. } = &growing {
                prop_assert!(bars.len() <= MAX_FINE_BARS);
            }
            let grown = growing.buckets(first, until);
            prop_assert_eq!((&grown.bars, grown.outside, grown.undated),
                (&fixed.bars, fixed.outside, fixed.undated));
        }

        #[test]
        fn any_window_has_few_bars_and_each_event_one_place(
            since in -62_000_000_000_000_i64..253_000_000_000_000,
            span in -1_000_i64..250_000_000_000_000,
            share in 0_f64..1.0,
        ) {
            let time = |ms| Timestamp::from_timestamp_millis(ms).unwrap();
            let (since, until) = (time(since), time((since + span).min(253_000_000_000_000)));
            let mut buckets = TimeBuckets::new(since, until);
            let count = buckets.bars.len();
            prop_assert!((1..=MAX_BARS as usize).contains(&count), "{count}");
            let window = buckets.window.clone();
            let inside = window.start + ((window.end - window.start - 1) as f64 * share) as i64;
            buckets.add(Some(time(inside)), false);
            buckets.add(Some(time(window.end)), false);
            let runs = buckets.runs();
            let (span, _) = runs.iter().find(|(_, bar)| bar.events == 1).unwrap();
            prop_assert!(span.contains(&inside));
            prop_assert_eq!(runs[0].0.start..runs[runs.len() - 1].0.end, window);
            prop_assert_eq!(buckets.outside, 1);
        }

        #[test]
        fn a_scale_is_round_and_holds_all(most: u64) {
            let scale = ChartScale::of(most);
            prop_assert!(scale.most >= most || most > u64::MAX / 8);
            prop_assert!(scale.most / scale.step <= 5);
            prop_assert!(scale.height(most) <= (FLOOR - TOP) * 1.5);
        }

        #[test]
        fn any_window_has_few_labels_all_inside(
            start in -62_000_000_000_000_i64..250_000_000_000_000,
            span in 1_i64..300_000_000_000_000,
        ) {
            let window = start..start + span;
            let ticks = ticks(&window);
            prop_assert!(ticks.len() <= MAX_TICKS as usize + 1);
            prop_assert!(ticks.iter().all(|tick| window.contains(&tick.0)));
            prop_assert!(ticks.is_sorted_by(|a, b| a.0 < b.0));
        }
    }
}
