//! Owns the tables of the page: the most frequent values, and events line by line.

use std::io;

use super::truncated_text::WrappableText;
use super::first_n::FirstN;
use super::html::{HtmlPage, HtmlDisplay, DrawingUnits};
use super::report_event::EventRow;
use super::frequency::{ValueCount, TopValues};
use super::report_texts;
use crate::model::event::Outcome;
use crate::model::number::group_digits;

/// Values in a table of the most frequent.
pub const TOP_ROWS: usize = 10;

/// What a table of values is about.
pub struct ValueTableText {
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
    /// Whether the first and the last time are told.
    pub has_times: bool,
}

/// The most frequent values.
pub fn top<L: HtmlDisplay>(page: &mut HtmlPage<'_>, about: &ValueTableText, top: &TopValues<L>) -> io::Result<()> {
    page.put("<div class=top><h3>{}</h3>", &[&about.title])?;
    if top.rows.is_empty() {
        page.put("<p class=nothing>None. {}</p>", &[&describe_omitted(about, top)])?;
        return page.raw("</div>");
    }
    page.raw(match about.has_times {
        true => "<div class=scroll><table class=\"values timed\"><thead><tr>",
        false => "<div class=scroll><table class=values><thead><tr>",
    })?;
    page.put("<th>{}<th class=n>Events", &[&capitalize(about.one)])?;
    if about.is_mixed {
        page.raw("<th class=n>Failed")?;
    }
    if about.has_times {
        page.raw("<th class=t>First (UTC)<th class=t>Last (UTC)")?;
    }
    page.raw("</thead><tbody>")?;
    let most = top.rows.first().map_or(1, |row| row.events.max(1));
    for row in &top.rows {
        write_value(page, about, row, most)?;
    }
    page.raw("</tbody></table></div>")?;
    page.put("<p class=rest>{}</p></div>", &[&describe_omitted(about, top)])
}

fn write_value<L: HtmlDisplay>(page: &mut HtmlPage<'_>, about: &ValueTableText, row: &ValueCount<L>, most: u64) -> io::Result<()> {
    let width = |count: u64| DrawingUnits(100.0 * (count as f64 / most as f64));
    page.put(
        "<tr><td><div class=d>{}</div><svg class=bar width=\"100%\" height=4><rect width=\"{}%\" height=4 class=ok></rect>\
         <rect width=\"{}%\" height=4 class=bad></rect></svg><td class=n>{}",
        &[&row.label, &width(row.events), &width(row.failed), &row.events],
    )?;
    if about.is_mixed {
        page.put("<td class=n>{}", &[&(row.failed > 0).then_some(row.failed)])?;
    }
    match about.has_times {
        true => page.put("<td class=t>{}<td class=t>{}", &[&row.first, &row.last]),
        false => Ok(()),
    }
}

/// What the rows leave out.
fn describe_omitted<L>(about: &ValueTableText, top: &TopValues<L>) -> String {
    let mut parts = Vec::new();
    match top.others {
        Some(0) => {}
        Some(others) => {
            let [one, many] = [about.one, about.many].map(|word| ["other ", word].concat());
            let others = report_texts::counted_noun(others, &one, &many);
            parts.push(format!("{others} in {}.", report_texts::events(top.other_events)));
        }
        None => parts.push(format!(
            "There are more than {} different {}, too many to count each: a count may be too low, by {} at most, and a \
             first time too late.",
            group_digits(top.capacity),
            about.many,
            group_digits(top.max_error)
        )),
    }
    if top.without > 0 {
        parts.push(format!("{} {}.", report_texts::events(top.without), about.without));
    }
    parts.join(" ")
}

fn capitalize(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// Events line by line, and how many more there are; `names` are the sources'.
pub fn events(page: &mut HtmlPage<'_>, rows: &FirstN<EventRow>, names: &[&str]) -> io::Result<()> {
    page.raw(
        "<table class=events><thead><tr><th>Time (UTC)<th>Actor<th>Action<th>Target<th>Address<th>Outcome<th>Message\
         </thead><tbody>",
    )?;
    for row in rows.rows() {
        event(page, row, names)?;
    }
    page.raw("</tbody></table>")?;
    let more = rows.offered() - rows.row_count();
    if more > 0 {
        page.put(
            "<p class=rest>{} more, later than these, in the files under <code>events/</code>.</p>",
            &[&more],
        )?;
    }
    Ok(())
}

fn event(page: &mut HtmlPage<'_>, row: &EventRow, names: &[&str]) -> io::Result<()> {
    let open = match row.outcome {
        Outcome::Failure => "<tr class=failed><td class=t>{}<td class=d>{}<td class=d>{}",
        Outcome::Success | Outcome::Unknown => "<tr><td class=t>{}<td class=d>{}<td class=d>{}",
    };
    page.put(
        open,
        &[&row.time, &row.actor, &row.action.as_ref().map(WrappableText)],
    )?;
    // With one source the name would be the same in every line.
    if names.len() > 1 {
        page.put(
            "<small class=note>{}</small>",
            &[&names.get(row.source).copied()],
        )?;
    }
    page.put("<td class=d>{}", &[&row.target])?;
    if row.more_targets > 0 {
        page.put(
            "<small class=note>and {} more</small>",
            &[&row.more_targets],
        )?;
    }
    let outcome = match row.outcome {
        Outcome::Unknown => None,
        outcome => Some(outcome.as_str()),
    };
    page.put(
        "<td class=\"d a\">{}<td class=o>{}<td class=\"d m\">{}",
        &[&row.address, &outcome, &row.message],
    )
}
