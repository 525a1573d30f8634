//! The tables of the page: the most frequent values, and events line by line.

use maud::{Markup, html};

use super::frequency::{FrequencyCounter, TopValues, ValueCount};
use super::report_event::EventRow;
use super::statistics::FirstN;
use super::text::{TruncatedText, or_dash, text, time};
use super::wording;
use crate::model::meaning::Outcome;
use crate::model::text::group_digits;

/// Rows in a table of the most frequent values.
const TOP_ROWS: usize = 10;

/// The columns of a table of events.
const EVENT_COLUMNS: [&str; 7] =
    ["Time (UTC)", "Actor", "Action", "Target", "Address", "Outcome", "Message"];

/// What a table of values says around them.
pub struct ValueTable {
    /// Its title.
    pub title: &'static str,
    /// What one value is called.
    pub one: &'static str,
    /// What several are called.
    pub many: &'static str,
    /// What is said of events without a value: `without an actor`.
    pub without: &'static str,
    /// Whether some of the events failed and some did not.
    pub is_mixed: bool,
    /// Whether the first and the last time are shown.
    pub has_times: bool,
}

impl ValueTable {
    /// The most frequent values.
    pub fn render(&self, counter: &FrequencyCounter) -> Markup {
        let top = counter.top(TOP_ROWS);
        let class = if self.has_times { "values timed" } else { "values" };
        let most = top.rows.first().map_or(1, |row| row.events.max(1));
        html! {
            div class="top" {
                h3 { (self.title) }
                @if top.rows.is_empty() {
                    p class="nothing" { "None. " (self.rest(&top)) }
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
                            tbody { @for row in &top.rows { (self.row(row, most)) } }
                        }
                    }
                    p class="rest" { (self.rest(&top)) }
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
    fn rest(&self, top: &TopValues<'_>) -> String {
        let mut parts = Vec::new();
        match top.others {
            Some(0) => {}
            Some(others) => {
                let [one, many] = [self.one, self.many].map(|word| ["other ", word].concat());
                let others = wording::counted_noun(others, &one, &many);
                parts.push(format!("{others} in {}.", wording::events(top.other_events)));
            }
            None => parts.push(format!(
                "There are more than {} different {}, too many to count each: a count may be too \
                 low, by {} at most, and a first time too late.",
                group_digits(top.capacity),
                self.many,
                group_digits(top.max_error)
            )),
        }
        if top.without > 0 {
            parts.push(format!("{} {}.", wording::events(top.without), self.without));
        }
        parts.join(" ")
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// A table; the columns of numbers begin with a `#`.
pub fn table(class: &str, columns: &[&str], rows: impl Iterator<Item = Markup>) -> Markup {
    html! {
        table class=(class) {
            thead {
                tr {
                    @for column in columns {
                        @match column.strip_prefix('#') {
                            Some(number) => th class="n" { (number) },
                            None => th { (column) },
                        }
                    }
                }
            }
            tbody { @for row in rows { (row) } }
        }
    }
}

/// Events line by line, and how many more there are; `names` are the sources'.
pub fn event_table(rows: &FirstN<EventRow>, names: &[&str]) -> Markup {
    let more = rows.offered() - rows.row_count();
    html! {
        (table("events", &EVENT_COLUMNS, rows.rows().map(|row| event_row(row, names))))
        @if more > 0 {
            p class="rest" {
                (group_digits(more)) " more, later than these, in the files under "
                code { "events/" } "."
            }
        }
    }
}

fn event_row(row: &EventRow, names: &[&str]) -> Markup {
    let class = (row.outcome == Outcome::Failure).then_some("failed");
    let outcome = (row.outcome != Outcome::Unknown).then(|| row.outcome.as_str());
    html! {
        tr class=[class] {
            td class="t" { (or_dash(row.time.map(time))) }
            td class="d" { (or_dash(row.actor.as_ref())) }
            td class="d" {
                (or_dash(row.action.as_ref().map(TruncatedText::with_breaks)))
                // With one source the name would be the same in every line.
                @if names.len() > 1 {
                    small class="note" { (or_dash(names.get(row.source).map(|name| text(name)))) }
                }
            }
            td class="d" {
                (or_dash(row.target.as_ref()))
                @if row.more_targets > 0 {
                    small class="note" { "and " (group_digits(row.more_targets)) " more" }
                }
            }
            td class="d a" { (or_dash(row.address.as_ref())) }
            td class="o" { (or_dash(outcome)) }
            td class="d m" { (or_dash(row.message.as_ref())) }
        }
    }
}
