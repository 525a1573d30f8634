//! A small picture for each source, where there are several.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::chart::TimeBuckets;
use super::statistics::{EventStatistics, SourceStatistics};
use super::text::{events, minute, text};
use super::{ReportInput, SourceSpan};
use crate::model::text::group_digits;

/// Sources with a picture.
const MAX_SOURCES: usize = 20;
/// Gaps that are drawn of one source.
const MAX_GAPS: usize = 20;
/// How high a picture is.
const HEIGHT: f64 = 40.0;
/// The smallest visible bar height.
const MIN_HEIGHT: f64 = 1.5;

/// The pictures; nothing for one source.
pub fn pictures(statistics: &EventStatistics, input: &ReportInput<'_>) -> Markup {
    let named = || {
        let sources = statistics.sources.iter();
        sources.filter_map(|source| Some((source.label.as_deref()?, source)))
    };
    let more = named().count().saturating_sub(MAX_SOURCES) as u64;
    html! {
        @if named().count() > 1 {
            h3 { "By source" }
            div class="sparks" {
                @for (name, source) in named().take(MAX_SOURCES) { (picture(name, source, input)) }
            }
            p class="rest" {
                "The same time range and bars as above, each to a height of its own."
                @if more > 0 { " Without a picture: " (group_digits(more)) " more sources." }
            }
        }
    }
}

fn picture(name: &str, source: &SourceStatistics, input: &ReportInput<'_>) -> Markup {
    let buckets = source.over_time.buckets(input.shown_since, input.until);
    let most = buckets.bars.iter().map(|bar| bar.events).max().unwrap_or_default();
    let mut words = events(source.events);
    if source.failed > 0 {
        let _ = write!(words, ", {} failed", group_digits(source.failed));
    }
    let highest = buckets.runs().into_iter().rev().max_by_key(|(_, bar)| bar.events);
    if let Some((span, bar)) = highest.filter(|(_, bar)| bar.events > 0) {
        let _ = write!(words, ", at most {} in a bar", group_digits(bar.events));
        let _ = write!(words, " (from {} UTC)", minute(span.start));
    }
    let view = format!("0 0 {} {HEIGHT}", buckets.bars.len());
    html! {
        figure class="spark" {
            figcaption { b class="d" { (text(name)) } " " (words) }
            svg viewBox=(view) preserveAspectRatio="none" width="100%" height="44" role="img"
                aria-label={ "Events over time of " (text(name)) } {
                @for (class, spans) in [("gone", &input.removed), ("gap", &input.unread)] {
                    @for (x, width) in areas(&buckets, spans, name) {
                        rect class=(class) x=(x) width=(width) y="0" height=(HEIGHT) {}
                    }
                }
                path class="ok" d=(bars(&buckets, most, |bar| bar.events)) {}
                path class="bad" d=(bars(&buckets, most, |bar| bar.failed)) {}
            }
        }
    }
}

/// Where the spans of one source lie, in bars.
fn areas(buckets: &TimeBuckets, spans: &[SourceSpan<'_>], name: &str) -> Vec<(String, String)> {
    let window = &buckets.window;
    let scale = buckets.bars.len() as f64 / (window.end - window.start) as f64;
    let own = spans.iter().filter(|span| span.source == name).filter_map(|span| {
        let from = span.from.timestamp_millis().max(window.start);
        let to = span.to.timestamp_millis().min(window.end);
        let at = |time: i64| (time - window.start) as f64 * scale;
        (from < to).then(|| (format!("{:.2}", at(from)), format!("{:.2}", at(to) - at(from))))
    });
    own.take(MAX_GAPS).collect()
}

/// The outline of bars of these heights; neighbours are apart.
fn bars(
    buckets: &TimeBuckets,
    most: u64,
    count: impl Fn(&super::chart::ChartBar) -> u64,
) -> String {
    let mut path = String::new();
    for (index, bar) in buckets.bars.iter().enumerate() {
        let count = count(bar);
        if count > 0 {
            let height = (HEIGHT * (count as f64 / most.max(1) as f64)).max(MIN_HEIGHT);
            let _ = write!(path, "M{index} {HEIGHT}v-{height:.2}h.82v{height:.2}z");
        }
    }
    path
}
