//! The section of what `posture --json` found.

use maud::{Markup, html};
use serde::Deserialize;

use super::ReportSection;
use super::text::{or_dash, table, text};
use crate::model::text::printable_line;

/// Items that are named in a row.
const MAX_ITEMS: usize = 10;
/// A longer line is no finding: an organization's accounts are at most two million.
const MAX_FINDINGS: usize = 10_000;

/// What the page shows of a finding of `atlaudit-posture/1`.
#[derive(Debug, Clone, Deserialize)]
pub struct ReportedFinding {
    schema: String,
    source: String,
    check: String,
    verdict: String,
    as_of: String,
    summary: String,
    #[serde(default)]
    items: Vec<ReportedItem>,
    advice: Option<String>,
    console: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct ReportedItem {
    id: String,
    name: Option<String>,
    #[serde(default)]
    reason: String,
}

/// The findings in the lines of a file.
///
/// # Errors
/// Which line is none.
pub fn read_findings(lines: &str) -> Result<Vec<ReportedFinding>, String> {
    let lines = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let findings = lines.map(|(number, line)| {
        let refused = |why: &dyn std::fmt::Display| format!("line {}: {why}", number + 1);
        let finding: ReportedFinding =
            serde_json::from_str(line).map_err(|error| refused(&error))?;
        match finding.schema.as_str() {
            "atlaudit-posture/1" => Ok(finding),
            other => Err(refused(&format!("the schema is `{}`", printable_line(other)))),
        }
    });
    let findings: Vec<ReportedFinding> = findings.collect::<Result<_, _>>()?;
    match findings.len() {
        0 => Err("it has no finding".to_owned()),
        1..=MAX_FINDINGS => Ok(findings),
        _ => Err(format!("it has more than {MAX_FINDINGS} findings")),
    }
}

/// The section; findings that are no pass come first.
pub fn posture_section(findings: &[ReportedFinding]) -> ReportSection {
    const ORDER: [&str; 4] = ["fail", "could_not_read", "review", "not_readable"];
    let rank = |finding: &&ReportedFinding| {
        ORDER.iter().position(|verdict| *verdict == finding.verdict).unwrap_or(ORDER.len())
    };
    let mut sorted: Vec<&ReportedFinding> = findings.iter().collect();
    sorted.sort_by_key(rank);
    let columns = [("Check", ""), ("Verdict", ""), ("Found", ""), ("Source", ""), ("As of", "")];
    let rows = sorted.into_iter().map(|finding| {
        [
            text(&finding.check),
            text(&finding.verdict.replace('_', " ")),
            found(finding),
            text(&finding.source),
            text(&finding.as_of),
        ]
    });
    let body = html! {
        p {
            "How the organization is set up, as `atlaudit posture` found it. What no API shows is \
             not readable; what was not read is no pass."
        }
        (table("", columns, rows))
    };
    ReportSection { id: "posture", link: "Posture", title: "Posture", body }
}

fn found(finding: &ReportedFinding) -> Markup {
    let more = finding.items.len().saturating_sub(MAX_ITEMS);
    html! {
        (text(&finding.summary))
        @if !finding.items.is_empty() {
            ul {
                @for item in finding.items.iter().take(MAX_ITEMS) {
                    @let label = item.name.as_deref().unwrap_or(&item.id);
                    li { (text(label)) ": " (text(&item.reason)) }
                }
                @if more > 0 { li { "and " (more) " more" } }
            }
        }
        @if let Some(advice) = &finding.advice {
            p { (text(advice)) " (" (or_dash(finding.console.as_deref().map(text))) ")" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_finding_is_refused_with_its_line() {
        let line = r#"{"schema":"atlaudit-posture/1","source":"a","check":"mfa.admins","verdict":"fail","as_of":"t","summary":"1 of <2>"}"#;
        assert_eq!(read_findings(&format!("{line}\n\n{line}\n")).unwrap().len(), 2);
        let refused = |lines: &str| read_findings(lines).unwrap_err();
        assert!(refused(&format!("{line}\n{{}}")).starts_with("line 2: "));
        assert!(refused(&line.replace("posture/1", "1")).contains("`atlaudit-1`"));
        assert_eq!(refused(""), "it has no finding");
    }

    #[test]
    fn failures_come_first_and_texts_are_escaped() {
        let line = |check: &str, verdict: &str| {
            format!(
                r#"{{"schema":"atlaudit-posture/1","source":"a","check":"{check}","verdict":"{verdict}","as_of":"t","summary":"<b>","items":[{{"id":"i"}}]}}"#
            )
        };
        let lines = [line("one", "pass"), line("two", "fail")].join("\n");
        let body = posture_section(&read_findings(&lines).unwrap()).body.into_string();
        assert!(body.find("two").unwrap() < body.find("one").unwrap());
        assert!(body.contains("&lt;b&gt;") && !body.contains("<b>"), "{body}");
    }
}
