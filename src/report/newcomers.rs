//! The section of what was not seen before: countries, addresses, tokens, apps, administrators.

use maud::{Markup, Render as _, html};

use super::chart::TimeBuckets;
use super::frequency::{FrequencyCounter, ValueCount, ValueSighting};
use super::statistics::EventStatistics;
use super::text::{
    TableColumn, TruncatedText, counted_noun, date_time, list, minute, or_dash, table_of_rows,
    table_row, text, time,
};
use super::{ReportInput, ReportSection};
use crate::model::text::group_digits;
use crate::model::time::Timestamp;

/// Rows of one kind.
const MAX_ROWS: usize = 25;
/// The fewest events of a source of which anything is called new.
const MIN_EVENTS: u64 = 200;
/// The fewest events that have to be known before.
const MIN_KNOWN_EVENTS: u64 = 100;
/// The part of a source's time that is known before: one in so many.
const KNOWN_PART: i64 = 10;
/// In milliseconds.
const MINUTE: i64 = 60_000;
/// Sources of which the page says when they are known.
const MAX_NAMED: usize = 20;

/// Until when all that a source shows counts as known: for a tenth of its time, and longer where
/// that has few events. None where the rest would be nothing.
fn known_until(buckets: &TimeBuckets) -> Option<Timestamp> {
    let runs = buckets.runs();
    let bars: Vec<_> = runs.iter().filter(|(_, bar)| bar.events > 0).collect();
    let [(first, _), .., (last, _)] = bars.as_slice() else { return None };
    if bars.iter().map(|(_, bar)| bar.events).sum::<u64>() < MIN_EVENTS {
        return None;
    }
    let part = first.start + (last.end - first.start) / KNOWN_PART;
    let mut events = 0;
    let (enough, _) = bars.iter().find(|(_, bar)| {
        events += bar.events;
        events >= MIN_KNOWN_EVENTS
    })?;
    // A whole minute can be read.
    let until = (part.max(enough.end) + MINUTE - 1).div_euclid(MINUTE) * MINUTE;
    let until = (until <= last.start).then_some(until);
    until.and_then(Timestamp::from_timestamp_millis)
}

/// A kind of value that may be new.
struct NewcomerKind<'a> {
    /// The heading.
    title: &'static str,
    /// The head of its column.
    column: &'static str,
    /// What one value is called.
    one: &'static str,
    /// What several are called.
    many: &'static str,
    counter: &'a FrequencyCounter,
    /// Whether it says who was the first with it.
    has_actor: bool,
}

/// The section.
pub fn section(statistics: &EventStatistics, input: &ReportInput<'_>) -> ReportSection {
    let known: Vec<_> = statistics
        .sources
        .iter()
        .map(|source| known_until(&source.over_time.buckets(input.shown_since, input.until)))
        .collect();
    let is_new = |first: &ValueSighting| {
        let until = known.get(first.source).copied().flatten();
        until.is_some_and(|until| first.time >= until)
    };
    let body = html! {
        @if known.iter().all(Option::is_none) {
            p class="nothing" {
                "Nothing can be called new: that takes a source with at least "
                (MIN_EVENTS) " events, not all of them in one short time."
            }
        } @else {
            (describe_known(statistics, &known))
            (newcomers(statistics, is_new))
        }
    };
    ReportSection { id: "new", link: "New", title: "New in this time range", body }
}

/// What counts as known, and of which sources nothing does.
fn describe_known(statistics: &EventStatistics, known: &[Option<Timestamp>]) -> Markup {
    let named = || {
        statistics.sources.iter().zip(known).filter_map(|(source, until)| {
            let label = source.label.as_deref()?;
            (source.events > 0).then_some((label, *until))
        })
    };
    let judged = named().filter_map(|(label, until)| Some((label, until?)));
    let unjudged: Vec<_> =
        named().filter(|(_, until)| until.is_none()).map(|(label, _)| label).collect();
    let single = known.iter().flatten().next().filter(|_| named().next().is_none());
    html! {
        p {
            "Known is what happened in the first tenth of the time that a source has events of, \
             and longer where that has fewer than " (MIN_KNOWN_EVENTS) " events"
            @if let Some(until) = single { ": before " (date_time(*until)) } @else { " (below)" }
            ". New is what no event before had. An administrator is a person who made an \
             administrative change. What is new here may be known from before this time range."
        }
        @if single.is_none() {
            ul class="kinds" {
                @for (label, until) in judged.clone().take(MAX_NAMED) {
                    li { b { (text(label)) } " until " (minute(until.timestamp_millis())) }
                }
            }
            @if judged.clone().count() > MAX_NAMED {
                p class="rest" { (judged.count() - MAX_NAMED) " more sources." }
            }
        }
        @if !unjudged.is_empty() {
            p class="rest" {
                "What was first seen in " (text(&list(&unjudged)))
                " is not called new: too few events, or too short a time."
            }
        }
    }
}

fn newcomers(statistics: &EventStatistics, is_new: impl Fn(&ValueSighting) -> bool) -> Markup {
    let kind = |title, column, one, many, counter| {
        // An administrator is the actor.
        let has_actor = column != "Administrator";
        NewcomerKind { title, column, one, many, counter, has_actor }
    };
    let kinds = [
        kind("Countries", "Country", "country", "countries", &statistics.countries),
        kind(
            "Administrators",
            "Administrator",
            "administrator",
            "administrators",
            &statistics.changers,
        ),
        kind("Tokens", "Token", "token", "tokens", &statistics.tokens),
        kind("Apps", "App", "app", "apps", &statistics.apps),
        kind("Addresses", "Address", "address", "addresses", &statistics.addresses),
    ];
    let found: Vec<_> = kinds
        .iter()
        .filter(|kind| kind.counter.max_error == 0)
        .map(|kind| (kind, kind.counter.earliest(&is_new)))
        .collect();
    let is_lossy = |kind: &&NewcomerKind<'_>| kind.counter.max_error > 0;
    let none: Vec<_> = found
        .iter()
        .filter(|(_, rows)| rows.is_empty())
        .map(|(kind, _)| match kind.counter.value_count() as u64 {
            0 => format!("{}: no event has one", kind.many),
            all => format!("{}: none of {}", kind.many, counted_noun(all, kind.one, kind.many)),
        })
        .collect();
    html! {
        @for (kind, rows) in found.iter().filter(|(_, rows)| !rows.is_empty()) {
            (kind.render(rows))
        }
        @if !none.is_empty() { p class="rest" { "Nothing new: " (none.join("; ")) "." } }
        @for kind in kinds.iter().filter(is_lossy) {
            p class="rest" {
                "There are more than " (group_digits(kind.counter.capacity as u64)) " different "
                (kind.many) ", too many to say which of them are new."
            }
        }
    }
}

impl NewcomerKind<'_> {
    fn render(&self, rows: &[&ValueCount]) -> Markup {
        let mut columns: Vec<TableColumn> =
            vec![(self.column, "d"), ("Events", "n"), ("First (UTC)", "t"), ("First action", "d")];
        if self.has_actor {
            columns.push(("By", "d"));
        }
        let class = if self.has_actor { "plain newcomers" } else { "plain newcomers four" };
        let more = rows.len().saturating_sub(MAX_ROWS) as u64;
        let rows = rows.iter().take(MAX_ROWS).map(|row| {
            let first = row.sighting.as_deref();
            let action = first.and_then(|first| first.action.as_ref());
            let cells = [
                row.label.render(),
                group_digits(row.events).render(),
                or_dash(row.first.map(time)),
                or_dash(action.map(TruncatedText::with_breaks)),
                or_dash(first.and_then(|first| first.actor.as_ref())),
            ];
            table_row(None, &columns, &cells)
        });
        html! {
            h3 { (self.title) }
            (table_of_rows(class, &columns, rows))
            @if more > 0 {
                p class="rest" { (group_digits(more)) " more, first seen later than these." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    /// So many events each hour of so many, from the beginning of a window of ten days.
    fn buckets(hours: std::ops::Range<i64>, each: u64) -> TimeBuckets {
        let since = at("2026-11-01T00:00:00Z");
        let mut buckets = TimeBuckets::new(since, at("2026-11-11T00:00:00Z"));
        for hour in hours {
            for _ in 0..each {
                buckets.add(Some(since + chrono::TimeDelta::hours(hour)), false);
            }
        }
        buckets
    }

    #[test]
    fn a_tenth_of_the_time_is_known_or_longer_until_there_are_enough_events() {
        for (hours, each, known) in [
            (0..240, 10, Some("2026-11-02T00:00:00Z")),
            // From the first event, not from the beginning of the window.
            (120..240, 50, Some("2026-11-06T12:00:00Z")),
            (0..240, 1, Some("2026-11-05T06:00:00Z")),
            (0..240, 0, None),
            (0..190, 1, None),
            // All at once: nothing comes after what is known.
            (0..1, 1_000, None),
            (0..2, 100, None),
        ] {
            let found = known_until(&buckets(hours.clone(), each));
            assert_eq!(found, known.map(at), "{hours:?}, {each} each");
        }
    }
}
