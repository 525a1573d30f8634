//! The order of the page, and what stands around its sections.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::report_event::{ADMINISTRATIVE, EVENT_COLUMNS};
use super::statistics::{EventStatistics, FirstN, FrequencyCounter, ValueCount};
use super::text::{
    counted_noun, date_time, duration_between, events, list, or_dash, table_of_rows, text, time,
};
use super::{ReportInput, ReportSection, chart};
use crate::model::text::group_digits;

/// Rows in a table of the most frequent values.
const TOP_ROWS: usize = 10;

/// Nothing is loaded and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

/// The page of these events.
pub fn html_page(input: ReportInput<'_>, statistics: &EventStatistics) -> String {
    let title = text(&list(&input.heading));
    let over_time = chart::section(&statistics.buckets, &input);
    let mut sections =
        vec![over_time, most_frequent(statistics), failures(statistics), changes(statistics)];
    sections.extend(input.sections);
    sections.push(first_events(statistics));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (input.kind) ": " (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                main {
                    header {
                        p class="eyebrow" { "Atlassian " (input.kind.to_lowercase()) }
                        h1 { (title) }
                        p class="window" {
                            (date_time(input.since)) " " span class="to" { "to" } " "
                            (date_time(input.until)) " "
                            span class="span" { (duration_between(input.since, input.until)) }
                        }
                    }
                    (input.verdict)
                    (figures(statistics))
                    nav aria-label="On this page" {
                        @for (index, section) in sections.iter().enumerate() {
                            @if index > 0 { " " }
                            a href={ "#" (section.id) } { (section.link) }
                        }
                    }
                    @for section in &sections {
                        section id=(section.id) { h2 { (section.title) } (section.body) }
                    }
                }
                footer { (input.footer) }
            }
        }
    };
    page.into_string()
}

/// The figures that people look for first.
fn figures(statistics: &EventStatistics) -> Markup {
    let (first, last) = statistics.span.unzip();
    let failures = group_digits(statistics.failures.offered);
    let changes = group_digits(statistics.changes.offered);
    html! {
        dl class="figures" {
            div { dt { "Events" } dd { (group_digits(statistics.events)) } }
            div { dt { "Failures" } dd { a href="#failures" { (failures) } } }
            div { dt { "Administrative changes" } dd { a href="#changes" { (changes) } } }
            div class="when" { dt { "First event (UTC)" } dd { (or_dash(first.map(time))) } }
            div class="when" { dt { "Last event (UTC)" } dd { (or_dash(last.map(time))) } }
        }
    }
}

/// A table of the most frequent values of some kind among all events.
const fn value_table(
    title: &'static str,
    one: &'static str,
    many: &'static str,
    without: &'static str,
    has_times: bool,
) -> ValueTable {
    ValueTable { title, one, many, without, is_mixed: true, has_times }
}

const ACTORS: ValueTable = value_table("Actors", "actor", "actors", "without an actor", true);
const ADDRESSES: ValueTable =
    value_table("Addresses", "address", "addresses", "without an address", true);
const ACTIONS: ValueTable = value_table("Actions", "action", "actions", "without an action", false);
const COUNTRIES: ValueTable =
    value_table("Countries", "country", "countries", "without a country", false);

fn most_frequent(statistics: &EventStatistics) -> ReportSection {
    let body = html! {
        (ACTORS.render(&statistics.actors))
        (ADDRESSES.render(&statistics.addresses))
        div class="pair" {
            (ACTIONS.render(&statistics.actions))
            (COUNTRIES.render(&statistics.countries))
        }
    };
    ReportSection { id: "most", link: "Most frequent", title: "Most frequent", body }
}

fn failures(statistics: &EventStatistics) -> ReportSection {
    let rows = &statistics.failures;
    let table = ValueTable { title: "What failed", is_mixed: false, has_times: true, ..ACTIONS };
    let summary = html! {
        p {
            (counted_noun(rows.offered, "event is", "events are"))
            " recorded as a failure: what was tried and refused, or did not succeed. \
              Not every source says how an event ended."
        }
        (table.render(&statistics.failed_actions))
    };
    let body = selected_events(rows, "No event is recorded as a failure.", &summary, "");
    ReportSection { id: "failures", link: "Failures", title: "Failures", body }
}

fn changes(statistics: &EventStatistics) -> ReportSection {
    let rows = &statistics.changes;
    let table = ValueTable { title: "Who made them", is_mixed: false, ..ACTORS };
    let summary = html! {
        p {
            (counted_noun(rows.offered, "event is a change", "events are changes"))
            " of accounts, groups, permissions, tokens, apps, policies or configuration, \
              or took data out. Attempts that failed are not among them."
        }
        ul class="kinds" {
            @for ((_, kind), count) in ADMINISTRATIVE.iter().zip(statistics.changes_by_kind) {
                @if count > 0 { li { (kind) " " b { (group_digits(count)) } } }
            }
        }
        (table.render(&statistics.changers))
    };
    let nothing = "No event is an administrative change.";
    let body = selected_events(rows, nothing, &summary, ", oldest first");
    ReportSection { id: "changes", link: "Changes", title: "Administrative changes", body }
}

fn selected_events(rows: &FirstN<Markup>, nothing: &str, summary: &Markup, order: &str) -> Markup {
    html! {
        @if rows.offered == 0 {
            p class="nothing" { (nothing) }
        } @else {
            (summary)
            h3 { "The first " (group_digits(rows.row_count())) (order) }
            (event_table(rows))
        }
    }
}

fn first_events(statistics: &EventStatistics) -> ReportSection {
    let shown = statistics.first.row_count();
    let what = match statistics.events {
        1 => "One event.".to_owned(),
        all if all == shown => format!("All {}, the oldest first.", events(all)),
        all => {
            let (shown, all) = (group_digits(shown), events(all));
            format!("The first {shown} of {all}, the oldest first.")
        }
    };
    let body = html! {
        @if shown == 0 {
            p class="nothing" { "There is no event." }
        } @else {
            p { (what) " A dash means that the source does not say." }
            (event_table(&statistics.first))
        }
    };
    ReportSection { id: "events", link: "Events", title: "Events", body }
}

/// What a table of values says around them.
struct ValueTable {
    /// Its title.
    title: &'static str,
    /// What one value is called.
    one: &'static str,
    /// What several are called.
    many: &'static str,
    /// What is said of events without a value: `without an actor`.
    without: &'static str,
    /// Whether some of the events failed and some did not.
    is_mixed: bool,
    /// Whether the first and the last time are shown.
    has_times: bool,
}

impl ValueTable {
    /// The most frequent values.
    fn render(&self, counter: &FrequencyCounter) -> Markup {
        let rows = counter.top(TOP_ROWS);
        let class = if self.has_times { "values timed" } else { "values" };
        let most = rows.first().map_or(1, |row| row.events.max(1));
        html! {
            div class="top" {
                h3 { (self.title) }
                @if rows.is_empty() {
                    p class="nothing" { "None. " (self.rest(counter, &rows)) }
                } @else {
                    div class="scroll" {
                        table class=(class) {
                            thead {
                                tr {
                                    th { (capital(self.one)) }
                                    th class="n" { "Events" }
                                    @if self.is_mixed { th class="n" { "Failed" } }
                                    @if self.has_times {
                                        th class="t" { "First (UTC)" }
                                        th class="t" { "Last (UTC)" }
                                    }
                                }
                            }
                            tbody { @for row in &rows { (self.row(row, most)) } }
                        }
                    }
                    p class="rest" { (self.rest(counter, &rows)) }
                }
            }
        }
    }

    fn row(&self, row: &ValueCount, most: u64) -> Markup {
        let width = |count: u64| format!("{:.2}%", 100.0 * (count as f64 / most as f64));
        let failed = (row.failed > 0).then(|| group_digits(row.failed));
        html! {
            tr {
                td {
                    div class="d" { (row.label) }
                    svg class="bar" width="100%" height="4" {
                        rect width=(width(row.events)) height="4" class="ok" {}
                        rect width=(width(row.failed)) height="4" class="bad" {}
                    }
                }
                td class="n" { (group_digits(row.events)) }
                @if self.is_mixed { td class="n" { (or_dash(failed)) } }
                @if self.has_times {
                    td class="t" { (or_dash(row.first.map(time))) }
                    td class="t" { (or_dash(row.last.map(time))) }
                }
            }
        }
    }

    /// What the rows leave out.
    fn rest(&self, counter: &FrequencyCounter, rows: &[&ValueCount]) -> String {
        let mut parts = Vec::new();
        let others = counter.value_count() - rows.len();
        if counter.max_error > 0 {
            parts.push(format!(
                "There are more than {} different {}, too many to count each: a count may be too \
                 low, by {} at most, and a first time too late.",
                group_digits(counter.capacity as u64),
                self.many,
                group_digits(counter.max_error)
            ));
        } else if others > 0 {
            let shown: u64 = rows.iter().map(|row| row.events).sum();
            let [one, many] = [self.one, self.many].map(|word| ["other ", word].concat());
            let others = counted_noun(others as u64, &one, &many);
            parts.push(format!("{others} in {}.", events(counter.counted - shown)));
        }
        if counter.without > 0 {
            parts.push(format!("{} {}.", events(counter.without), self.without));
        }
        parts.join(" ")
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// Events row by row, and how many more there are.
fn event_table(rows: &FirstN<Markup>) -> Markup {
    let more = rows.offered - rows.row_count();
    html! {
        (table_of_rows("events", &EVENT_COLUMNS, rows.rows()))
        @if more > 0 {
            p class="rest" {
                (group_digits(more)) " more, later than these, in the files under "
                code { "events/" } "."
            }
        }
    }
}
