//! Findings as a table for people: a line for each check, and below it what to do.

use std::fmt::Write as _;

use super::comparison::FindingChange;
use super::finding::{PostureFinding, PostureVerdict};
use crate::config::settings::TableStyle;
use crate::model::text::visible;
use crate::render::{fitted, isolated};

/// Where there is less room, the summary stands below the verdict.
const NARROW: usize = 90;
/// Items that are listed, unless all are asked for.
const MAX_ITEMS: usize = 5;
/// Columns before the summary.
const INDENT: usize = 34;
/// Escape sequences (ECMA-48): bold, red, yellow, green, and their end.
const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const GREEN: &str = "\u{1b}[32m";
const END: &str = "\u{1b}[0m";

/// The table of one organization, with its heads. `changes` says of each finding what changed
/// since the last run; `all_items` lists every account and token.
pub fn finding_table(
    findings: &[(&PostureFinding, Option<&FindingChange>)],
    style: TableStyle,
    all_items: bool,
) -> String {
    let mut out = String::new();
    let heads = format!("{:16}  {:14}  FOUND", "CHECK", "VERDICT");
    match style.is_coloured {
        true => out.extend([BOLD, &heads, END, "\n"]),
        false => out.extend([&*heads, "\n"]),
    }
    for (finding, change) in findings {
        push_finding(finding, *change, style, all_items, &mut out);
    }
    out
}

fn push_finding(
    finding: &PostureFinding,
    change: Option<&FindingChange>,
    style: TableStyle,
    all_items: bool,
    out: &mut String,
) {
    let verdict = format!("{:14}", finding.verdict.as_str());
    let colour = match finding.verdict {
        _ if !style.is_coloured => "",
        PostureVerdict::Fail => RED,
        PostureVerdict::Review | PostureVerdict::CouldNotRead => YELLOW,
        PostureVerdict::Pass => GREEN,
        PostureVerdict::NotReadable => "",
    };
    let end = if colour.is_empty() { "" } else { END };
    let _ = write!(out, "{:16}  {colour}{verdict}{end}", finding.check.as_str());
    let indent = if style.width < NARROW { 2 } else { INDENT };
    let width = style.width.saturating_sub(indent).max(20);
    let margin = " ".repeat(indent);
    let summary = visible(&finding.summary);
    let mut lines = textwrap::wrap(&summary, width).into_iter();
    if style.width < NARROW {
        out.truncate(out.trim_end().len());
        out.push('\n');
        out.push_str(&margin);
    } else {
        out.push_str("  ");
    }
    out.push_str(&isolated(&lines.next().unwrap_or_default()));
    out.push('\n');
    let mut push = |text: &str| {
        let _ = writeln!(out, "{margin}{}", isolated(text));
    };
    lines.for_each(|line| push(&line));
    if let Some(change) = change {
        let text = visible(&change.text());
        textwrap::wrap(&text, width).iter().for_each(|line| push(line));
    }
    let shown = if all_items { finding.items.len() } else { MAX_ITEMS };
    for item in finding.items.iter().take(shown) {
        let line = format!("- {}: {}", visible(item.label()), visible(&item.reason));
        push(&fitted(&line, width));
    }
    match finding.items.len().saturating_sub(shown) {
        0 => {}
        more => push(&format!("- and {more} more (-v)")),
    }
    if let Some(advice) = &finding.advice {
        let advice = format!("> {advice} ({})", finding.console);
        textwrap::wrap(&advice, width).iter().for_each(|line| push(line));
    }
}

/// `4 fail, 1 could not read, 2 review, 3 not readable, 8 pass`.
pub fn verdict_counts<'a>(findings: impl Iterator<Item = &'a PostureFinding> + Clone) -> String {
    let counts = PostureVerdict::ALL.into_iter().filter_map(|verdict| {
        let count = findings.clone().filter(|finding| finding.verdict == verdict).count();
        (count > 0).then(|| format!("{count} {}", verdict.as_str()))
    });
    counts.collect::<Vec<_>>().join(", ")
}
