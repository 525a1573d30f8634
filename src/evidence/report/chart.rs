//! Owns the picture of events over time, and its words for those who do not see it.

use std::io;
use std::ops::Range;

use super::buckets::{ChartBar, TimeBuckets};
use super::html::{HtmlPage, DrawingUnits};
use super::ticks::ticks;
use super::report_texts;
use crate::evidence::manifest::{Manifest, SourceEntry};
use crate::model::number::group_digits;

/// Where bars end, from the top of the drawing.
const TOP: f64 = 18.0;
/// Where bars stand.
const FLOOR: f64 = 202.0;
/// What can just be seen.
const MIN_HEIGHT: f64 = 2.0;
/// Gaps that are drawn.
const MAX_GAPS: usize = 100;

/// The section.
pub fn write(page: &mut HtmlPage<'_>, buckets: &TimeBuckets, manifest: &Manifest) -> io::Result<()> {
    let gaps = unread_spans(buckets, manifest);
    let removed = removed_spans(buckets, manifest);
    let text = summary(buckets, !gaps.is_empty()) + &retention_note(manifest, !removed.is_empty());
    page.raw("<section id=time><h2>Events over time</h2>")?;
    legend(page, buckets, &gaps, !removed.is_empty())?;
    page.put(
        "<figure><svg class=chart width=\"100%\" height=240 role=img aria-labelledby=\"ct cd\">\
         <title id=ct>Events over time</title><desc id=cd>{}</desc>\
         <defs><pattern id=hatch width=6 height=6 patternUnits=userSpaceOnUse patternTransform=\"rotate(45)\">\
         <rect width=2 height=6 class=gapline></rect></pattern></defs>",
        &[&text],
    )?;
    let most = buckets
        .bars()
        .iter()
        .map(|bar| bar.events)
        .max()
        .unwrap_or_default();
    let scale = ChartScale::of(most);
    draw_removed(page, buckets, &removed)?;
    grid(page, &scale)?;
    draw_gaps(page, buckets, &gaps)?;
    for (at, bar) in buckets.bars().iter().enumerate() {
        if bar.events > 0 {
            draw_bar(page, buckets, at, *bar, &scale)?;
        }
    }
    let window = buckets.window();
    let is_removed = |source: &SourceEntry| {
        let limit = source.retention();
        limit.is_some_and(|limit| limit.earliest.timestamp_millis() >= window.end)
    };
    // Where nothing was kept, an empty bar says nothing about events.
    if !manifest.sources.iter().all(is_removed) {
        for run in buckets.empty_runs() {
            draw_empty(page, buckets, run)?;
        }
    }
    numbers(page, &scale)?;
    labels(page, buckets)?;
    page.put("</svg><figcaption>{}</figcaption></figure>", &[&text])?;
    write_table(page, buckets)?;
    page.raw("</section>")
}

/// What the picture shows, in words.
fn summary(buckets: &TimeBuckets, has_gaps: bool) -> String {
    let bars = buckets.bars();
    let events = bars.iter().map(|bar| bar.events).sum::<u64>();
    let failed = bars.iter().map(|bar| bar.failed).sum::<u64>();
    let mut text = match events {
        0 => "No event has a time in this window.".to_owned(),
        _ if failed == 0 => format!("{}, no failure.", report_texts::events(events)),
        _ => format!(
            "{}, {} of them failed.",
            report_texts::events(events),
            group_digits(failed)
        ),
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
            text.push_str(&format!(" Not shown: {} {what}.", report_texts::events(count)));
        }
    }
    text
}

/// What the picture does not show, because no source kept it any more.
fn retention_note(manifest: &Manifest, has_removed: bool) -> String {
    let mut text = String::new();
    let (asked, shown) = (manifest.asked.since, manifest.available_since());
    if asked < shown {
        text.push_str(&format!(
            " The picture begins at {}. Events from {} until then are not available: the source had removed them.",
            report_texts::date_time(shown),
            report_texts::date_time(asked)
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
        text.push_str(&format!(
            " The highest bar is {}, {span}.",
            report_texts::events(bar.events)
        ));
    }
    let length = |run: &Range<usize>| {
        let span = buckets.span(run.clone());
        span.end - span.start
    };
    if let Some(run) = buckets.empty_runs().into_iter().rev().max_by_key(length) {
        let length = report_texts::duration(length(&run));
        let span = format_span(&buckets.span(run));
        text.push_str(&format!(
            " The longest span of empty bars is {length}, {span}."
        ));
    }
    text
}

fn format_span(span: &Range<i64>) -> String {
    let (from, to) = (report_texts::minute(span.start), report_texts::minute(span.end));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((day, _)), Some((same, time))) if day == same => format!("from {from} to {time} UTC"),
        _ => format!("from {from} to {to} UTC"),
    }
}

/// What was not read: the source, and the part of the window.
fn unread_spans<'a>(buckets: &TimeBuckets, manifest: &'a Manifest) -> Vec<(&'a str, Range<i64>)> {
    let window = buckets.window();
    let all = manifest.sources.iter().flat_map(|source| {
        let name = source.facts.name.as_str();
        source.facts.gaps.iter().map(move |gap| (name, gap))
    });
    let cut = all.map(|(name, gap)| {
        let from = gap.from.timestamp_millis().max(window.start);
        (name, from..gap.to.timestamp_millis().min(window.end))
    });
    cut.filter(|(_, span)| span.start < span.end)
        .take(MAX_GAPS)
        .collect()
}

/// What a source no longer kept of the picture's window.
fn removed_spans<'a>(buckets: &TimeBuckets, manifest: &'a Manifest) -> Vec<(&'a str, Range<i64>)> {
    let window = buckets.window();
    let limited = manifest.sources.iter().filter_map(|source| {
        let earliest = source.retention()?.earliest.timestamp_millis();
        let span = window.start..earliest.min(window.end);
        Some((source.facts.name.as_str(), span))
    });
    limited
        .filter(|(_, span)| span.start < span.end)
        .take(MAX_GAPS)
        .collect()
}

fn legend(
    page: &mut HtmlPage<'_>,
    buckets: &TimeBuckets,
    gaps: &[(&str, Range<i64>)],
    has_removed: bool,
) -> io::Result<()> {
    page.put(
        "<p class=legend><span><svg width=10 height=10><rect width=10 height=10 class=ok></rect></svg>events</span> \
         <span><svg width=10 height=10><rect width=10 height=10 class=bad></rect></svg>of them failed</span> \
         <span><svg width=10 height=10><rect y=3 width=10 height=4 class=empty></rect></svg>no event</span> ",
        &[],
    )?;
    if !gaps.is_empty() {
        page.raw(
            "<span><svg width=14 height=10><rect width=14 height=10 class=gap></rect>\
             <rect width=14 height=10 fill=\"url(#hatch)\"></rect></svg>not read to its end</span> ",
        )?;
    }
    if has_removed {
        page.raw(
            "<span><svg width=14 height=10><rect width=14 height=10 class=gone></rect></svg>not available</span> ",
        )?;
    }
    page.put(
        "<span class=end>each bar is {}, times in UTC</span></p>",
        &[&buckets.width_text()],
    )
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

fn grid(page: &mut HtmlPage<'_>, scale: &ChartScale) -> io::Result<()> {
    for (count, y) in scale.marks() {
        let template = match count {
            0 => "<line x1=0 x2=\"100%\" y1={} y2={} class=floor></line>",
            _ => "<line x1=0 x2=\"100%\" y1={} y2={} class=grid></line>",
        };
        page.put(template, &[&DrawingUnits(y), &DrawingUnits(y)])?;
    }
    Ok(())
}

/// Over the bars, which on a narrow screen stand where the numbers do.
fn numbers(page: &mut HtmlPage<'_>, scale: &ChartScale) -> io::Result<()> {
    for (count, y) in scale.marks().filter(|(count, _)| *count > 0) {
        page.put(
            "<text x=0 y={} class=y>{}</text>",
            &[&DrawingUnits(y - 4.0), &count],
        )?;
    }
    Ok(())
}

/// Where a time lies, in percent of the width.
fn x_percent(buckets: &TimeBuckets, at: i64) -> f64 {
    let window = buckets.window();
    100.0 * ((at - window.start) as f64 / (window.end - window.start) as f64)
}

fn draw_bar(
    page: &mut HtmlPage<'_>,
    buckets: &TimeBuckets,
    at: usize,
    bar: ChartBar,
    scale: &ChartScale,
) -> io::Result<()> {
    let span = buckets.span(at..at + 1);
    let (left, right) = (x_percent(buckets, span.start), x_percent(buckets, span.end));
    let width = (right - left) * 0.82;
    let failed = if bar.failed > 0 {
        scale.height(bar.failed).max(MIN_HEIGHT)
    } else {
        0.0
    };
    let whole = scale.height(bar.events).max(MIN_HEIGHT).max(failed);
    page.put(
        "<g class=b><title>{}: {}, {} failed</title><rect x=\"{}%\" y=0 width=\"{}%\" height={} class=hit></rect>",
        &[
            &format_span(&span),
            &report_texts::events(bar.events),
            &bar.failed,
            &DrawingUnits(left),
            &DrawingUnits(right - left),
            &DrawingUnits(FLOOR),
        ],
    )?;
    let parts: [(&'static str, f64, f64); 2] = [
        (
            "<rect x=\"{}%\" width=\"{}%\" y={} height={} class=ok></rect>",
            whole,
            whole - failed,
        ),
        (
            "<rect x=\"{}%\" width=\"{}%\" y={} height={} class=bad></rect>",
            failed,
            failed,
        ),
    ];
    for (template, top, height) in parts {
        if height > 0.0 {
            page.put(
                template,
                &[
                    &DrawingUnits(left),
                    &DrawingUnits(width),
                    &DrawingUnits(FLOOR - top),
                    &DrawingUnits(height),
                ],
            )?;
        }
    }
    page.raw("</g>")
}

fn draw_empty(page: &mut HtmlPage<'_>, buckets: &TimeBuckets, run: Range<usize>) -> io::Result<()> {
    let span = buckets.span(run);
    let (left, right) = (x_percent(buckets, span.start), x_percent(buckets, span.end));
    page.put(
        "<rect x=\"{}%\" width=\"{}%\" y={} height=4 class=empty><title>{}: no event</title></rect>",
        &[&DrawingUnits(left), &DrawingUnits(right - left), &DrawingUnits(FLOOR + 3.0), &format_span(&span)],
    )
}

fn draw_removed(
    page: &mut HtmlPage<'_>,
    buckets: &TimeBuckets,
    removed: &[(&str, Range<i64>)],
) -> io::Result<()> {
    for (name, span) in removed {
        let (left, right) = (x_percent(buckets, span.start), x_percent(buckets, span.end));
        page.put(
            "<rect x=\"{}%\" width=\"{}%\" y={} height={} class=gone><title>Not available: {}, {}</title></rect>",
            &[
                &DrawingUnits(left),
                &DrawingUnits(right - left),
                &DrawingUnits(TOP),
                &DrawingUnits(FLOOR - TOP),
                name,
                &format_span(span),
            ],
        )?;
    }
    Ok(())
}

fn draw_gaps(
    page: &mut HtmlPage<'_>,
    buckets: &TimeBuckets,
    gaps: &[(&str, Range<i64>)],
) -> io::Result<()> {
    for (name, span) in gaps {
        let (left, right) = (x_percent(buckets, span.start), x_percent(buckets, span.end));
        let width = (right - left).max(0.2);
        page.put(
            "<g><title>Not read to its end: {}, {}</title>\
             <rect x=\"{}%\" width=\"{}%\" y={} height={} class=gap></rect>\
             <rect x=\"{}%\" width=\"{}%\" y={} height={} fill=\"url(#hatch)\"></rect></g>",
            &[
                name,
                &format_span(span),
                &DrawingUnits(left),
                &DrawingUnits(width),
                &DrawingUnits(TOP),
                &DrawingUnits(FLOOR - TOP),
                &DrawingUnits(left),
                &DrawingUnits(width),
                &DrawingUnits(TOP),
                &DrawingUnits(FLOOR - TOP),
            ],
        )?;
    }
    Ok(())
}

fn labels(page: &mut HtmlPage<'_>, buckets: &TimeBuckets) -> io::Result<()> {
    for (index, tick) in ticks(buckets.window()).iter().enumerate() {
        let x = x_percent(buckets, tick.at);
        let is_odd = index % 2 == 1;
        let template = match (x, is_odd) {
            // It would be cut at the edge.
            (x, _) if x > 96.0 => continue,
            (_, false) => {
                "<line x1=\"{}%\" x2=\"{}%\" y1=208 y2=213 class=tick></line><text x=\"{}%\" y=227 class=x>{}</text>"
            }
            (_, true) => {
                "<g class=odd><line x1=\"{}%\" x2=\"{}%\" y1=208 y2=213 class=tick></line><text x=\"{}%\" y=227 class=x>{}</text></g>"
            }
        };
        page.put(template, &[&DrawingUnits(x), &DrawingUnits(x), &DrawingUnits(x), &tick.text])?;
    }
    Ok(())
}

/// Show as table: runs of empty bars are one line.
fn write_table(page: &mut HtmlPage<'_>, buckets: &TimeBuckets) -> io::Result<()> {
    page.raw(
        "<details><summary>Show as table</summary><table class=plain><thead><tr><th>From (UTC)<th>To (UTC)\
         <th class=n>Events<th class=n>Failed</thead><tbody>",
    )?;
    let bars = buckets.bars();
    let mut at = 0;
    while let Some(bar) = bars.get(at) {
        let rest = bars.get(at..).unwrap_or_default();
        let empty = rest.iter().take_while(|bar| bar.events == 0).count();
        let end = at + empty.max(1);
        let span = buckets.span(at..end);
        page.put(
            "<tr><td>{}<td>{}<td class=n>{}<td class=n>{}",
            &[
                &report_texts::minute(span.start),
                &report_texts::minute(span.end),
                &bar.events,
                &bar.failed,
            ],
        )?;
        at = end;
    }
    page.raw("</tbody></table></details>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_scale_is_round_and_holds_all(most: u64) {
            let scale = ChartScale::of(most);
            prop_assert!(scale.most >= most || most > u64::MAX / 8);
            prop_assert!(scale.most / scale.step <= 5);
            prop_assert!(scale.height(most) <= (FLOOR - TOP) * 1.5);
        }
    }
}
