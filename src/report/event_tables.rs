//! The sections that are tables of events: failures, administrative changes, and all events.

use maud::{Markup, html};

use super::event_rows::EventRows;
use super::report_event::{CHANGE_KINDS, EVENT_COLUMNS};
use super::statistics::EventStatistics;
use super::text::{counted_noun, events, table_of_rows};
use super::value_tables::{ACTIONS, ACTORS, ValueTable};
use super::{ReportInput, ReportSection};
use crate::model::text::group_digits;

/// The title of the table of sensitive changes.
const SENSITIVE: &str = "Impersonation, tokens and data exports";

/// What failed.
pub fn failures(statistics: &EventStatistics, input: &ReportInput<'_>) -> ReportSection {
    let rows = &statistics.failures;
    let table = ValueTable { title: "What failed", is_mixed: false, has_times: true, ..ACTIONS };
    let body = html! {
        @if rows.offered() == 0 {
            p class="nothing" { "No event is recorded as a failure." }
        } @else {
            p {
                (counted_noun(rows.offered(), "event is", "events are"))
                " recorded as a failure: what was tried and refused, or did not succeed. \
                  Not every source says how an event ended."
            }
            (table.render(&statistics.failed_actions))
            (titled_table("Failures", statistics, rows, input))
        }
    };
    ReportSection { id: "failures", link: "Failures", title: "Failures", body }
}

/// What was changed, and above all what opens a way in or takes data out.
pub fn changes(statistics: &EventStatistics, input: &ReportInput<'_>) -> ReportSection {
    let (rows, sensitive) = (&statistics.changes, &statistics.sensitive);
    let table = ValueTable { title: "Who made them", is_mixed: false, ..ACTORS };
    let kinds = || CHANGE_KINDS.iter().zip(statistics.changes_by_kind);
    let body = html! {
        @if rows.offered() == 0 {
            p class="nothing" { "No event is an administrative change." }
        } @else {
            p {
                (counted_noun(rows.offered(), "event is a change", "events are changes"))
                " of accounts, groups, permissions, tokens, apps, policies or configuration, \
                  took data out, or made someone act as someone else. Attempts that failed are not \
                  among them. Impersonation, tokens and data exports are listed first, and marked \
                  at their left in the other tables."
            }
            ul class="kinds" {
                @for (kind, count) in kinds().filter(|(_, count)| *count > 0) {
                    li class=[kind.is_sensitive.then_some("hot")] {
                        (kind.title) " " b { (group_digits(count)) }
                    }
                }
            }
            @if sensitive.offered() > 0 {
                div class="sensitive" { (titled_table(SENSITIVE, statistics, sensitive, input)) }
            }
            (table.render(&statistics.changers))
            (titled_table("Changes", statistics, rows, input))
        }
    };
    ReportSection { id: "changes", link: "Changes", title: "Administrative changes", body }
}

/// The events, from either end.
pub fn all_events(statistics: &EventStatistics, input: &ReportInput<'_>) -> ReportSection {
    let rows = &statistics.rows;
    let body = html! {
        @if rows.offered() == 0 {
            p class="nothing" { "There is no event." }
        } @else {
            p { (describe_rows(rows)) " A dash means that the source does not say." }
            (event_table(statistics, rows, input))
        }
    };
    ReportSection { id: "events", link: "Events", title: "Events", body }
}

fn titled_table(
    title: &str,
    statistics: &EventStatistics,
    rows: &EventRows,
    input: &ReportInput<'_>,
) -> Markup {
    html! {
        h3 { (title) }
        p class="rest" { (describe_rows(rows)) }
        (event_table(statistics, rows, input))
    }
}

/// `The first 100 and the last 100 of 3,600 events, the oldest first.`
fn describe_rows(rows: &EventRows) -> String {
    let [first, last] = [rows.first().len(), rows.last().len()].map(|count| count as u64);
    match rows.offered() {
        1 => "One event.".to_owned(),
        all if rows.omitted() == 0 => format!("All {}, the oldest first.", events(all)),
        all => format!(
            "The first {} and the last {} of {}, the oldest first.",
            group_digits(first),
            group_digits(last),
            events(all)
        ),
    }
}

/// Events row by row, and between the first and the last how many are left out.
fn event_table(statistics: &EventStatistics, rows: &EventRows, input: &ReportInput<'_>) -> Markup {
    let label = |source: usize| statistics.label(source);
    let omitted = (rows.omitted() > 0).then(|| {
        html! {
            tr class="omitted" {
                td colspan=(EVENT_COLUMNS.len()) {
                    (counted_noun(rows.omitted(), "event", "events")) " between these"
                    @if let Some(place) = &input.all_events { " " (place) }
                }
            }
        }
    });
    let first = rows.first().map(|event| event.row(label));
    let last = rows.last().map(|event| event.row(label));
    table_of_rows("events", &EVENT_COLUMNS, first.chain(omitted).chain(last))
}
