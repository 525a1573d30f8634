//! The picture of events over time, and its words for those who do not see it.

use std::ops::Range;

use chrono::{Datelike as _, NaiveDate, Timelike as _};
use maud::{Markup, html};

use super::input::{ReportInput, SourceSpan};
use super::tables::table;
use super::text::text;
use super::time_buckets::{ChartBar, TimeBuckets};
use super::wording;
use crate::model::text::group_digits;
use crate::model::time::Timestamp;

/// Where bars end, from the top of the drawing.
const TOP: f64 = 18.0;
/// Where bars stand.
const FLOOR: f64 = 202.0;
/// What can just be seen.
const MIN_HEIGHT: f64 = 2.0;
/// Gaps that are drawn.
const MAX_GAPS: usize = 100;
/// The most labels below the chart.
const MAX_TICKS: i64 = 12;

const DAY: i64 = 24 * 60;
/// A Monday, in minutes.
const MONDAY: i64 = 4 * DAY;

/// Steps between labels, in minutes: up to two weeks.
const STEPS: [i64; 13] = [1, 5, 10, 30, 60, 120, 180, 360, 720, DAY, 2 * DAY, 7 * DAY, 14 * DAY];
/// Steps of the calendar, in months.
const MONTHS: [i64; 9] = [1, 2, 3, 6, 12, 24, 60, 120, 1_200];

/// The section.
pub fn section(buckets: &TimeBuckets, input: &ReportInput<'_>) -> Markup {
    let gaps = clip(buckets, &input.unread);
    let removed = clip(buckets, &input.removed);
    let description =
        summary(buckets, !gaps.is_empty()) + &retention_note(input, !removed.is_empty());
    html! {
        section id="time" {
            h2 { "Events over time" }
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
        }
    }
}

/// A part of the chart's time range, in milliseconds, and its source.
type ChartSpan<'a> = (&'a str, Range<i64>);

fn drawing(
    buckets: &TimeBuckets,
    input: &ReportInput<'_>,
    gaps: &[ChartSpan<'_>],
    removed: &[ChartSpan<'_>],
) -> Markup {
    let most = buckets.bars().iter().map(|bar| bar.events).max();
    let scale = ChartScale::of(most.unwrap_or_default());
    let end = buckets.window().end;
    let is_removed = |span: &&SourceSpan<'_>| span.to.timestamp_millis() >= end;
    // Where nothing was kept, an empty bar says nothing about events.
    let was_kept = input.removed.iter().filter(is_removed).count() < input.source_names.len();
    let height = units(FLOOR - TOP);
    html! {
        @for (name, span) in removed {
            @let (x, width) = x_and_width(buckets, span);
            rect x=(percent(x)) width=(percent(width)) y=(units(TOP)) height=(height) class="gone" {
                title { "Not available: " (text(name)) ", " (format_span(span)) }
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
                title { "Not read to its end: " (text(name)) ", " (format_span(span)) }
                rect x=(x) width=(width) y=(units(TOP)) height=(height) class="gap" {}
                rect x=(x) width=(width) y=(units(TOP)) height=(height) fill="url(#hatch)" {}
            }
        }
        @for (at, bar) in buckets.bars().iter().enumerate().filter(|(_, bar)| bar.events > 0) {
            (draw_bar(buckets, at, *bar, &scale))
        }
        @if was_kept {
            @for run in buckets.empty_runs() {
                @let span = buckets.span(run);
                @let (x, width) = x_and_width(buckets, &span);
                rect x=(percent(x)) width=(percent(width)) y=(units(FLOOR + 3.0)) height="4"
                    class="empty" { title { (format_span(&span)) ": no event" } }
            }
        }
        // Over the bars, which on a narrow screen stand where the numbers do.
        @for (count, y) in scale.marks().filter(|(count, _)| *count > 0) {
            text x="0" y=(units(y - 4.0)) class="y" { (group_digits(count)) }
        }
        (labels(buckets))
    }
}

/// What the picture shows, in words.
fn summary(buckets: &TimeBuckets, has_gaps: bool) -> String {
    let bars = buckets.bars();
    let events = bars.iter().map(|bar| bar.events).sum::<u64>();
    let failed = bars.iter().map(|bar| bar.failed).sum::<u64>();
    let mut text = match events {
        0 => "No event has a time in this window.".to_owned(),
        _ if failed == 0 => format!("{}, no failure.", wording::events(events)),
        _ => format!("{}, {} of them failed.", wording::events(events), group_digits(failed)),
    };
    if events > 0 {
        text.push_str(&extremes(buckets));
    }
    if has_gaps {
        text.push_str(" What is hatched was not read to its end: there may be more.");
    }
    for (count, what) in [
        (buckets.undated(), "without a time that can be read"),
        (buckets.outside(), "outside of the window"),
    ] {
        if count > 0 {
            text.push_str(&format!(" Not shown: {} {what}.", wording::events(count)));
        }
    }
    text
}

/// What the picture does not show, because no source kept it any more.
fn retention_note(input: &ReportInput<'_>, has_removed: bool) -> String {
    let mut text = String::new();
    if input.since < input.shown_since {
        text.push_str(&format!(
            " The picture begins at {}. Events from {} until then are not available: the source \
             had removed them.",
            wording::date_time(input.shown_since),
            wording::date_time(input.since)
        ));
    }
    if has_removed {
        text.push_str(" What is shaded is not available: its source had removed it.");
    }
    text
}

/// Where there is most, and where there is nothing for longest.
fn extremes(buckets: &TimeBuckets) -> String {
    let mut text = String::new();
    let bars = buckets.bars().iter().enumerate();
    if let Some((at, bar)) = bars.rev().max_by_key(|(_, bar)| bar.events) {
        let span = format_span(&buckets.span(at..at + 1));
        text.push_str(&format!(" The highest bar is {}, {span}.", wording::events(bar.events)));
    }
    let length = |run: &Range<usize>| {
        let span = buckets.span(run.clone());
        span.end - span.start
    };
    if let Some(run) = buckets.empty_runs().into_iter().rev().max_by_key(length) {
        let length = wording::duration(length(&run));
        let span = format_span(&buckets.span(run));
        text.push_str(&format!(" The longest span of empty bars is {length}, {span}."));
    }
    text
}

fn format_span(span: &Range<i64>) -> String {
    let (from, to) = (wording::minute(span.start), wording::minute(span.end));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((day, _)), Some((same, time))) if day == same => format!("from {from} to {time} UTC"),
        _ => format!("from {from} to {to} UTC"),
    }
}

/// The parts of `spans` that the chart shows.
fn clip<'a>(buckets: &TimeBuckets, spans: &[SourceSpan<'a>]) -> Vec<ChartSpan<'a>> {
    let window = buckets.window();
    let clipped = spans.iter().map(|SourceSpan { source, from, to }| {
        let from = from.timestamp_millis().max(window.start);
        (*source, from..to.timestamp_millis().min(window.end))
    });
    clipped.filter(|(_, span)| span.start < span.end).take(MAX_GAPS).collect()
}

fn legend(buckets: &TimeBuckets, has_gaps: bool, has_removed: bool) -> Markup {
    html! {
        p class="legend" {
            span {
                svg width="10" height="10" { rect width="10" height="10" class="ok" {} } "events"
            } " "
            span {
                svg width="10" height="10" { rect width="10" height="10" class="bad" {} }
                "of them failed"
            } " "
            span {
                svg width="10" height="10" { rect y="3" width="10" height="4" class="empty" {} }
                "no event"
            } " "
            @if has_gaps {
                span {
                    svg width="14" height="10" {
                        rect width="14" height="10" class="gap" {}
                        rect width="14" height="10" fill="url(#hatch)" {}
                    }
                    "not read to its end"
                } " "
            }
            @if has_removed {
                span {
                    svg width="14" height="10" { rect width="14" height="10" class="gone" {} }
                    "not available"
                } " "
            }
            span class="end" { "each bar is " (buckets.width_text()) ", times in UTC" }
        }
    }
}

/// How high a count stands.
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
    let window = buckets.window();
    100.0 * ((at - window.start) as f64 / (window.end - window.start) as f64)
}

fn x_and_width(buckets: &TimeBuckets, span: &Range<i64>) -> (f64, f64) {
    let x = x_percent(buckets, span.start);
    (x, x_percent(buckets, span.end) - x)
}

fn draw_bar(buckets: &TimeBuckets, at: usize, bar: ChartBar, scale: &ChartScale) -> Markup {
    let span = buckets.span(at..at + 1);
    let (x, width) = x_and_width(buckets, &span);
    let failed = match bar.failed {
        0 => 0.0,
        failed => scale.height(failed).max(MIN_HEIGHT),
    };
    let whole = scale.height(bar.events).max(MIN_HEIGHT).max(failed);
    let parts = [("ok", whole, whole - failed), ("bad", failed, failed)];
    html! {
        g class="b" {
            title {
                (format_span(&span)) ": " (wording::events(bar.events)) ", "
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
    let ticks = ticks(buckets.window()).into_iter().enumerate();
    let ticks = ticks.map(|(index, tick)| (index, x_percent(buckets, tick.at), tick.text));
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

/// The chart as a table: runs of empty bars are one line.
fn bar_table(buckets: &TimeBuckets) -> Markup {
    let bars = buckets.bars();
    let (mut rows, mut at) = (Vec::new(), 0);
    while let Some(bar) = bars.get(at) {
        let rest = bars.get(at..).unwrap_or_default();
        let empty = rest.iter().take_while(|bar| bar.events == 0).count();
        let end = at + empty.max(1);
        let span = buckets.span(at..end);
        rows.push(html! {
            tr {
                td { (wording::minute(span.start)) }
                td { (wording::minute(span.end)) }
                td class="n" { (group_digits(bar.events)) }
                td class="n" { (group_digits(bar.failed)) }
            }
        });
        at = end;
    }
    let columns = ["From (UTC)", "To (UTC)", "#Events", "#Failed"];
    html! {
        details { summary { "Show as table" } (table("plain", &columns, rows.into_iter())) }
    }
}

/// A label below the chart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AxisTick {
    /// Where, in milliseconds.
    at: i64,
    text: String,
}

/// The labels of a window in milliseconds: round times, few enough to be read.
fn ticks(window: Range<i64>) -> Vec<AxisTick> {
    let minutes = (window.end - window.start) / 60_000;
    if let Some(minutes) = STEPS.into_iter().find(|step| minutes / step < MAX_TICKS) {
        let step = minutes * 60_000;
        let origin = if minutes >= 7 * DAY { MONDAY * 60_000 } else { 0 };
        let first = (window.start - origin + step - 1).div_euclid(step) * step + origin;
        let times = (0..=MAX_TICKS).map(|index| first + index * step);
        let ticks = times.take_while(|at| *at < window.end).filter_map(|at| {
            let time = Timestamp::from_timestamp_millis(at)?;
            let is_day = minutes >= DAY || time.num_seconds_from_midnight() == 0;
            let format = if is_day { "%-d %b" } else { "%H:%M" };
            Some(AxisTick { at, text: time.format(format).to_string() })
        });
        return ticks.collect();
    }
    let months = minutes / (30 * DAY);
    let step = MONTHS.into_iter().find(|step| months / step < MAX_TICKS);
    month_ticks(window, step.unwrap_or(12_000))
}

fn month_ticks(window: Range<i64>, step: i64) -> Vec<AxisTick> {
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
        Some(AxisTick { at: day.timestamp_millis(), text: day.format(format).to_string() })
    });
    ticks.filter(|tick| window.contains(&tick.at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use proptest::prelude::*;

    fn texts(from: &str, to: &str) -> String {
        let at = |text: &str| parse_api_time(&format!("{text}Z")).unwrap().timestamp_millis();
        let ticks = ticks(at(from)..at(to));
        ticks.iter().map(|tick| tick.text.as_str()).collect::<Vec<_>>().join(" | ")
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

    proptest! {
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
            let ticks = ticks(window.clone());
            prop_assert!(ticks.len() <= MAX_TICKS as usize + 1);
            prop_assert!(ticks.iter().all(|tick| window.contains(&tick.at)));
            prop_assert!(ticks.is_sorted_by(|a, b| a.at < b.at));
        }
    }
}
