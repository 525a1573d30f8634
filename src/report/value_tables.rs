//! The sections of the most and the least frequent values.

use maud::{Markup, html};

use super::ReportSection;
use super::frequency::{FrequencyCounter, ValueCount};
use super::statistics::EventStatistics;
use super::text::{capital, counted_noun, events, or_dash, time};
use crate::model::text::group_digits;

/// Rows in a table of values.
const MAX_ROWS: usize = 10;
/// A value is rare where at most one of so many events has it.
const RARE_PART: u64 = 100;

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

/// Who did it.
pub const ACTORS: ValueTable = value_table("Actors", "actor", "actors", "without an actor", true);
const ADDRESSES: ValueTable =
    value_table("Addresses", "address", "addresses", "without an address", true);
/// What was done.
pub const ACTIONS: ValueTable =
    value_table("Actions", "action", "actions", "without an action", false);
const COUNTRIES: ValueTable =
    value_table("Countries", "country", "countries", "without a country", false);

/// The section of the most frequent values.
pub fn most_frequent(statistics: &EventStatistics) -> ReportSection {
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

/// The section of the least frequent values.
pub fn rare(statistics: &EventStatistics) -> ReportSection {
    let tables = [
        (ACTORS, &statistics.actors),
        (ADDRESSES, &statistics.addresses),
        (ACTIONS, &statistics.actions),
        (COUNTRIES, &statistics.countries),
    ];
    let body = html! {
        p {
            "What at most one in " (RARE_PART) " events has, of those that have such a value. \
             Those with the fewest come first, and of those with as many the earliest."
        }
        @for (table, counter) in tables { (table.render_rare(counter)) }
    };
    ReportSection { id: "rare", link: "Rare", title: "Rare", body }
}

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
        let rows = counter.top(MAX_ROWS);
        let rest = self.rest(counter, &rows);
        self.render_rows(&rows, &rest, true)
    }

    /// The least frequent values.
    fn render_rare(&self, counter: &FrequencyCounter) -> Markup {
        let table = ValueTable { has_times: true, ..*self };
        let mut rows = counter.rare(counter.counted / RARE_PART);
        let more = rows.len().saturating_sub(MAX_ROWS) as u64;
        rows.truncate(MAX_ROWS);
        let rest = match counter.value_count() as u64 {
            _ if counter.max_error > 0 => format!(
                "There are more than {} different {}, too many to say which of them are rare.",
                group_digits(counter.capacity as u64),
                self.many
            ),
            0 => "None.".to_owned(),
            all if rows.is_empty() => {
                format!("None of {}.", counted_noun(all, self.one, self.many))
            }
            _ if more > 0 => format!("{} more.", group_digits(more)),
            _ => String::new(),
        };
        table.render_rows(&rows, &rest, false)
    }

    fn render_rows(&self, rows: &[&ValueCount], rest: &str, has_bars: bool) -> Markup {
        let class = if self.has_times { "values timed" } else { "values" };
        let most = rows.first().map_or(1, |row| row.events.max(1));
        html! {
            div class="top" {
                h3 { (self.title) }
                @if rows.is_empty() {
                    p class="nothing" {
                        @if has_bars { "None. " }
                        (rest)
                    }
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
                            tbody { @for row in rows { (self.row(row, has_bars.then_some(most))) } }
                        }
                    }
                    @if !rest.is_empty() { p class="rest" { (rest) } }
                }
            }
        }
    }

    fn row(&self, row: &ValueCount, most: Option<u64>) -> Markup {
        let width = |count: u64, most: u64| format!("{:.2}%", 100.0 * (count as f64 / most as f64));
        let failed = (row.failed > 0).then(|| group_digits(row.failed));
        html! {
            tr {
                td {
                    div class="d" { (row.label) }
                    @if let Some(most) = most {
                        svg class="bar" width="100%" height="4" {
                            rect width=(width(row.events, most)) height="4" class="ok" {}
                            rect width=(width(row.failed, most)) height="4" class="bad" {}
                        }
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
