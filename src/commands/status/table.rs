//! `status` for people: a table, and notes about what needs attention.

use crate::commands::status::source_status::{CheckpointStatus, ReadHistory, SourceStatus};
use crate::config::request::StatusRequest;
use crate::model::number::group_digits;
use crate::model::retention::LogRetention;
use crate::model::text::printable_line;
use crate::model::time::Timestamp;
use crate::model::time::{abbreviated, in_words};
use crate::pipeline::silence::SourceSilence;
use crate::state::run_history::RunRecord;

/// Days before its expiry from which a credential is highlighted.
const EXPIRY_NOTICE_DAYS: i64 = 30;

const HEADS: [&str; 7] =
    ["SOURCE", "READ UP TO", "LAG", "EVENTS", "LAST RUN", "EXPIRES", "QUIET FOR"];

/// The column of numbers, which are aligned to the right.
const EVENTS: usize = 3;

/// How a cell is highlighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CellStyle {
    Plain,
    Good,
    Notice,
    Bad,
}

type TableCell = (String, CellStyle);

/// The table of `standings`, then errors and gaps; with `-v` also the ranges that have been read.
pub fn text(standings: &[SourceStatus], request: &StatusRequest) -> String {
    let rows = standings.iter().map(|standing| row(standing, request.now));
    let mut text = table(&rows.collect::<Vec<_>>(), request.is_coloured);
    let below: Vec<_> = standings.iter().flat_map(|standing| notes(standing, request)).collect();
    if !below.is_empty() {
        text.push('\n');
    }
    for line in below {
        text.push_str(&printable_line(&line));
        text.push('\n');
    }
    text
}

fn row(standing: &SourceStatus, now: Timestamp) -> [TableCell; 7] {
    let plain = |text: String| (text, CellStyle::Plain);
    let none = || plain("-".to_owned());
    let history = match &standing.state {
        CheckpointStatus::Read(history) => Some(history),
        _ => None,
    };
    let until = history.and_then(|history| history.complete_until);
    [
        plain(standing.name.clone()),
        until.map_or_else(none, |until| plain(format_seconds(until))),
        standing.lag.map_or_else(none, |lag| plain(abbreviated(lag))),
        history.map_or_else(none, |history| plain(group_digits(history.events))),
        last_run(standing, now),
        expiry(standing).unwrap_or_else(none),
        history.and_then(|history| silence(history)).unwrap_or_else(none),
    ]
}

fn last_run(standing: &SourceStatus, now: Timestamp) -> TableCell {
    if let Some(holder) = &standing.running {
        let since = holder.since.map(|since| format!(" for {}", ago(since, now)));
        let text = format!("running{} (process {})", since.unwrap_or_default(), holder.process);
        return (text, CellStyle::Good);
    }
    let last_run_text =
        |run: &RunRecord, how: &str| format!("{} ago, {how}", ago(run.finished, now));
    match (&standing.state, &standing.ledger.last_run) {
        (CheckpointStatus::Unreadable(_), _) => ("state file damaged".to_owned(), CellStyle::Bad),
        (_, Some(run)) if run.exit_code == 0 => (last_run_text(run, "ok"), CellStyle::Good),
        (_, Some(run)) if run.interrupted => (last_run_text(run, "interrupted"), CellStyle::Notice),
        (_, Some(run)) => {
            (last_run_text(run, &format!("FAILED (code {})", run.exit_code)), CellStyle::Bad)
        }
        (CheckpointStatus::NeverPulled, None) => ("never pulled".to_owned(), CellStyle::Notice),
        // The history of the run is missing, so only the checkpoint shows when it was.
        (CheckpointStatus::Read(history), None) => {
            (format!("{} ago", ago(history.updated, now)), CellStyle::Plain)
        }
    }
}

fn expiry(standing: &SourceStatus) -> Option<TableCell> {
    let (day, days) = (standing.expires_on?, standing.expires_in?);
    Some(match days {
        ..0 => (format!("EXPIRED {day}"), CellStyle::Bad),
        0..=EXPIRY_NOTICE_DAYS => (format!("{day} (in {days}d)"), CellStyle::Notice),
        _ => (day.to_string(), CellStyle::Plain),
    })
}

fn silence(history: &ReadHistory) -> Option<TableCell> {
    let text = match history.silence.as_ref()? {
        SourceSilence::Unusual { silent, .. } => abbreviated(*silent),
        SourceSilence::NothingEver { .. } | SourceSilence::NothingInWindow { .. } => {
            "no event ever".to_owned()
        }
    };
    Some((text, CellStyle::Notice))
}

/// What needs attention, and what has been read.
fn notes(standing: &SourceStatus, request: &StatusRequest) -> Vec<String> {
    let (name, mut notes) = (&standing.name, Vec::new());
    if let Some(run) = standing.ledger.last_run.as_ref().filter(|_| standing.has_failed()) {
        let count = standing.ledger.failures_in_a_row;
        let times = match count {
            0 | 1 => String::new(),
            _ => format!(", {} times in a row", group_digits(count)),
        };
        let error = run.error.as_deref().unwrap_or("no reason is known");
        let prefix = format!("source `{name}`: ");
        let error = error.strip_prefix(&prefix).unwrap_or(error);
        notes.push(format!("{name}: failed at {}{times}: {error}", format_seconds(run.finished)));
        notes.extend(run.causes.iter().map(|cause| format!("  because: {cause}")));
        notes.extend(run.hint().map(|hint| format!("  hint: {hint}")));
    }
    if let Some(error) = &standing.ledger_error {
        notes.push(format!(
            "{name}: {error}; what is known of its runs is lost, of its events nothing"
        ));
    }
    let CheckpointStatus::Read(history) = &standing.state else {
        return notes;
    };
    if request.is_verbose {
        notes.extend(history.covered.iter().map(|span| {
            let events = group_digits(span.events);
            let (from, to) = (format_seconds(span.from), format_seconds(span.to));
            format!("{name}: read {from} to {to}, {events} events")
        }));
    }
    for hole in &history.holes {
        let to = hole.to.unwrap_or(hole.from);
        let span = in_words((to - hole.from).to_std().unwrap_or_default());
        notes.push(format!(
            "{name}: NOT READ {} to {}, {span}{}",
            format_seconds(hole.from),
            format_seconds(to),
            removed_since(hole.from, standing.retention, request.now)
        ));
    }
    // The next pull starts here, and the source has removed part of it.
    if let Some(until) = history.complete_until {
        let removed = removed_since(until, standing.retention, request.now);
        if !removed.is_empty() {
            notes.push(format!("{name}: read up to {}{removed}", format_seconds(until)));
        }
    }
    let older: u64 = history.covered.iter().map(|span| span.holes).sum();
    if older > 0 {
        notes.push(format!("{name}: and {} older holes", group_digits(older)));
    }
    notes
}

/// What of a time range from `since` on can no longer be read at `now`; empty where all of it can.
fn removed_since(since: Timestamp, retention: Option<LogRetention>, now: Timestamp) -> String {
    match retention.and_then(|kept| kept.limit(since, now)) {
        Some(limit) => format!(
            "; this source keeps at most {} days, so nothing before {} can be read any more",
            limit.days,
            format_seconds(limit.earliest)
        ),
        None => String::new(),
    }
}

fn table(rows: &[[TableCell; 7]], is_coloured: bool) -> String {
    let heads = HEADS.map(|head| (head.to_owned(), CellStyle::Plain));
    let mut widths = HEADS.map(str::len);
    for row in rows {
        for (width, (cell, _)) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(rows) {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(place, ((cell, look), width))| {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let cell = coloured(cell, *look, is_coloured);
            match place {
                EVENTS => format!("{padding}{cell}"),
                _ => format!("{cell}{padding}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn coloured(cell: &str, look: CellStyle, is_coloured: bool) -> String {
    let colour = match look {
        _ if !is_coloured => return cell.to_owned(),
        CellStyle::Plain => return cell.to_owned(),
        CellStyle::Good => 32,
        CellStyle::Notice => 33,
        CellStyle::Bad => 31,
    };
    format!("\u{1b}[{colour}m{cell}\u{1b}[0m")
}

/// `2026-11-20 09:30:00Z`
fn format_seconds(time: Timestamp) -> String {
    time.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn ago(time: Timestamp, now: Timestamp) -> String {
    abbreviated((now - time).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_with_and_without_colour() {
        let cell = |text: &str, look| (text.to_owned(), look);
        let row = |name: &str, events: &str, look| {
            let plain = || cell("-", CellStyle::Plain);
            [
                cell(name, CellStyle::Plain),
                plain(),
                plain(),
                cell(events, look),
                plain(),
                plain(),
                plain(),
            ]
        };
        let rows =
            [row("a", "1,234,567", CellStyle::Bad), row("a-long-name", "7", CellStyle::Plain)];
        let plain = table(&rows, false);
        let ends: Vec<_> = ["EVENTS", "1,234,567", "7"]
            .iter()
            .zip(plain.lines())
            .map(|(word, line)| line.find(word).map(|at| at + word.len()))
            .collect();
        assert!(ends[0].is_some() && ends.iter().all(|end| *end == ends[0]), "{plain}");
        let coloured = table(&rows, true);
        assert!(coloured.contains("\u{1b}[31m1,234,567\u{1b}[0m"), "{coloured}");
        let bare = coloured.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        assert_eq!(bare, plain);
    }

    #[test]
    fn a_note_contains_no_control_characters() {
        assert_eq!(printable_line("a\u{1b}[31m\nb\u{202e}c"), "a [31m b c");
    }
}
