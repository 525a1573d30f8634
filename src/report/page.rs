//! The order of the page, and what stands around its sections.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::input::ReportInput;
use super::report_event::ADMINISTRATIVE;
use super::statistics::EventStatistics;
use super::tables::{ValueTable, event_table};
use super::text::{or_dash, text, time};
use super::{chart, wording};
use crate::model::meaning::Category;
use crate::model::text::group_digits;

/// Nothing is loaded and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
                      form-action 'none'";

/// The page of these events.
pub fn html_page(input: &ReportInput<'_>, statistics: &EventStatistics) -> String {
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
                title { (input.kind) ": " (text(&wording::list(&input.heading))) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                main {
                    (header(input))
                    (input.verdict)
                    (figures(statistics))
                    (navigation(input))
                    (chart::section(&statistics.buckets, input))
                    (most_frequent(statistics))
                    (failures(statistics, &input.source_names))
                    (changes(statistics, &input.source_names))
                    @for section in &input.sections {
                        section id=(section.id) { h2 { (section.title) } (section.body) }
                    }
                    (events(statistics, &input.source_names))
                }
                footer { (input.footer) }
            }
        }
    };
    page.into_string()
}

fn header(input: &ReportInput<'_>) -> Markup {
    html! {
        header {
            p class="eyebrow" { "Atlassian " (input.kind.to_lowercase()) }
            h1 { (text(&wording::list(&input.heading))) }
            p class="window" {
                (wording::date_time(input.since)) " " span class="to" { "to" } " "
                (wording::date_time(input.until)) " "
                span class="span" { (wording::duration_between(input.since, input.until)) }
            }
        }
    }
}

/// The figures that people look for first.
fn figures(statistics: &EventStatistics) -> Markup {
    let (first, last) = statistics.span.unzip();
    let failures = group_digits(statistics.failures.offered());
    let changes = group_digits(statistics.changes.offered());
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

fn navigation(input: &ReportInput<'_>) -> Markup {
    html! {
        nav aria-label="On this page" {
            a href="#time" { "Over time" } " "
            a href="#most" { "Most frequent" } " "
            a href="#failures" { "Failures" } " "
            a href="#changes" { "Changes" } " "
            @for section in &input.sections {
                a href={ "#" (section.id) } { (section.link) } " "
            }
            a href="#events" { "Events" }
        }
    }
}

fn most_frequent(statistics: &EventStatistics) -> Markup {
    let table = |title, one, many, without, has_times| ValueTable {
        title,
        one,
        many,
        without,
        is_mixed: true,
        has_times,
    };
    let actors = table("Actors", "actor", "actors", "without an actor", true);
    let addresses = table("Addresses", "address", "addresses", "without an address", true);
    let actions = table("Actions", "action", "actions", "without an action", false);
    let countries = table("Countries", "country", "countries", "without a country", false);
    html! {
        section id="most" {
            h2 { "Most frequent" }
            (actors.render(&statistics.actors))
            (addresses.render(&statistics.addresses))
            div class="pair" {
                (actions.render(&statistics.actions))
                (countries.render(&statistics.countries))
            }
        }
    }
}

fn failures(statistics: &EventStatistics, names: &[&str]) -> Markup {
    let count = statistics.failures.offered();
    let table = ValueTable {
        title: "What failed",
        one: "action",
        many: "actions",
        without: "without an action",
        is_mixed: false,
        has_times: true,
    };
    html! {
        section id="failures" {
            h2 { "Failures" }
            @if count == 0 {
                p class="nothing" { "No event is recorded as a failure." }
            } @else {
                p {
                    (wording::counted_noun(count, "event is", "events are"))
                    " recorded as a failure: what was tried and refused, or did not succeed. \
                      Not every source says how an event ended."
                }
                (table.render(&statistics.failed_actions))
                h3 { "The first " (group_digits(statistics.failures.row_count())) }
                (event_table(&statistics.failures, names))
            }
        }
    }
}

fn changes(statistics: &EventStatistics, names: &[&str]) -> Markup {
    let count = statistics.changes.offered();
    let table = ValueTable {
        title: "Who made them",
        one: "actor",
        many: "actors",
        without: "without an actor",
        is_mixed: false,
        has_times: true,
    };
    html! {
        section id="changes" {
            h2 { "Administrative changes" }
            @if count == 0 {
                p class="nothing" { "No event is an administrative change." }
            } @else {
                p {
                    (wording::counted_noun(count, "event is a change", "events are changes"))
                    " of accounts, groups, permissions, tokens, apps, policies or configuration, \
                      or took data out. Attempts that failed are not among them."
                }
                ul class="kinds" {
                    @for (kind, count) in ADMINISTRATIVE.iter().zip(statistics.changes_by_kind) {
                        @if count > 0 { li { (plural(*kind)) " " b { (group_digits(count)) } } }
                    }
                }
                (table.render(&statistics.changers))
                h3 { "The first " (group_digits(statistics.changes.row_count())) ", oldest first" }
                (event_table(&statistics.changes, names))
            }
        }
    }
}

/// What changes of this category are of.
fn plural(category: Category) -> &'static str {
    match category {
        Category::Account => "Accounts",
        Category::Group => "Groups",
        Category::Permission => "Permissions",
        Category::Token => "Tokens",
        Category::App => "Apps",
        Category::Policy => "Policies",
        Category::DataExport => "Data exports",
        Category::Configuration => "Configuration",
        Category::Authentication | Category::Content | Category::Other => "Other",
    }
}

fn events(statistics: &EventStatistics, names: &[&str]) -> Markup {
    let shown = statistics.first.row_count();
    let text = match statistics.events {
        1 => "One event.".to_owned(),
        all if all == shown => format!("All {}, the oldest first.", wording::events(all)),
        all => {
            let (shown, all) = (group_digits(shown), wording::events(all));
            format!("The first {shown} of {all}, the oldest first.")
        }
    };
    html! {
        section id="events" {
            h2 { "Events" }
            @if shown == 0 {
                p class="nothing" { "There is no event." }
            } @else {
                p { (text) " A dash means that the source does not say." }
                (event_table(&statistics.first, names))
            }
        }
    }
}
