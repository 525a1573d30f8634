//! Owns what the manifest's own statements must agree on: what was asked for, what was read of it, and what is missing.

use std::collections::HashSet;

use super::{ExportCheck, SourceSurvey, MANIFEST, Manifest};
use crate::evidence::facts::SourceFacts;
use crate::evidence::page::RequestedSpan;
use crate::evidence::survey::MergedSpans;
use crate::model::name::SourceKind;
use crate::model::retention::{LogRetention, RetentionLimit};
use crate::model::text::printable;
use crate::model::time::{Timestamp, format_millis};

/// What an export says is missing from it, a line each.
pub fn missing(manifest: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    for name in &manifest.asked.sources {
        if !manifest
            .sources
            .iter()
            .any(|source| source.facts.name == *name)
        {
            lines.push(format!("source `{}`: nothing was read", printable(name)));
        }
    }
    for source in &manifest.sources {
        let facts = &source.facts;
        let name = printable(&facts.name);
        for gap in &facts.gaps {
            let (from, to) = (format_millis(gap.from), format_millis(gap.to));
            let why = printable(&gap.why);
            lines.push(format!("source `{name}`: {from} to {to}: {why}"));
        }
        if facts.gaps.is_empty() && !facts.complete {
            let why = facts
                .error
                .as_deref()
                .unwrap_or("it was not read to its end");
            lines.push(format!("source `{name}`: {}", printable(why)));
        }
    }
    lines
}

/// What an export says its sources no longer kept, a line each.
pub fn not_available(manifest: &Manifest) -> Vec<String> {
    let since = manifest.asked.since;
    let sources = manifest.sources.iter();
    let lines = sources.filter_map(|source| {
        let name = printable(&source.facts.name);
        Some(format!(
            "source `{name}`: {}",
            source.retention_text(since)?
        ))
    });
    lines.collect()
}

impl ExportCheck<'_> {
    /// Compares what the manifest says with what else it says.
    pub(super) fn check_facts(&mut self, manifest: &Manifest) {
        let asked = &manifest.asked;
        if asked.since >= asked.until {
            let what = "says that nothing was asked for: `since` is not before `until`";
            self.findings.add(MANIFEST, what);
        }
        let names: Vec<_> = manifest
            .sources
            .iter()
            .map(|source| source.facts.name.as_str())
            .collect();
        let wanted: Vec<_> = asked.sources.iter().map(String::as_str).collect();
        let is_repeated = names.iter().collect::<HashSet<_>>().len() < names.len();
        if is_repeated || manifest.complete && names != wanted {
            let what = "says that other sources were asked for than those it describes";
            self.findings.add(MANIFEST, what);
        }
        for source in &manifest.sources {
            let facts = &source.facts;
            if let Some(what) = contradiction(facts, asked.since, asked.until) {
                let what = format!("source `{}`: {what}", printable(&facts.name));
                self.findings.add(MANIFEST, what);
            }
            if let Some(limit) = facts.retention
                && !is_possible(limit, facts, manifest)
            {
                let what = format!(
                    "source `{}`: `retention` does not fit the time that was asked for and the runs",
                    printable(&facts.name)
                );
                self.findings.add(MANIFEST, what);
            }
        }
    }

    /// The pages that were read cover what is said to be read.
    pub(super) fn check_spans(&mut self, manifest: &Manifest, found: &[Option<SourceSurvey>]) {
        for (said, found) in manifest.sources.iter().zip(found) {
            // Of answers that were changed nothing can be told, and they were named.
            let Some(found) = found
                .as_ref()
                .filter(|found| found.pages.covers_file(&said.pages))
            else {
                continue;
            };
            for window in said.facts.windows.iter().filter(|window| window.complete) {
                if !found.pages.spans.cover(window.from, window.to) {
                    let (from, to) = (format_millis(window.from), format_millis(window.to));
                    let file = &found.pages.entry.file;
                    let what = format!(
                        "no pages cover all of {from} to {to}, which manifest.json says was read"
                    );
                    self.findings.add(file, what);
                }
            }
        }
    }
}

/// What of a source's facts contradicts the others.
fn contradiction(facts: &SourceFacts, since: Timestamp, until: Timestamp) -> Option<String> {
    if let Some(window) = facts.windows.iter().find(|window| window.from >= window.to) {
        let from = format_millis(window.from);
        return Some(format!("the window from {from} has no length"));
    }
    if !matches!(facts.order.as_str(), "time" | "processed_time") {
        return Some(format!(
            "nothing can be in the order `{}`",
            printable(&facts.order)
        ));
    }
    let is_open = facts.windows.iter().any(|window| !window.complete)
        || !facts.gaps.is_empty()
        || facts.error.is_some();
    match facts.complete {
        true if is_open => {
            Some("is said to be complete, and has a gap, an open window or an error".to_owned())
        }
        true => first_uncovered(facts, since, until).map(|from| {
            format!(
                "is said to be complete, and no window covers {}",
                format_millis(from)
            )
        }),
        false if !is_open => Some("is said to be incomplete, and nothing says why".to_owned()),
        false => None,
    }
}

/// Whether a source could have had this limit: it lies after the start that was asked for, as many days
/// before the first run as it says, or a little later where the server refused to be asked from there.
fn is_possible(limit: RetentionLimit, facts: &SourceFacts, manifest: &Manifest) -> bool {
    let is_ours = manifest.made_by.version == env!("CARGO_PKG_VERSION");
    let kind = SourceKind::ALL.into_iter();
    let mut kind = kind.filter(|kind| kind.as_str() == facts.kind);
    let known = kind.next().and_then(LogRetention::of);
    if is_ours && known.map(LogRetention::days) != Some(limit.days) {
        return false;
    }
    let days = LogRetention::in_days(limit.days);
    let first = days.earliest(manifest.started);
    let last = days.earliest_accepted(manifest.finished);
    manifest.asked.since < limit.earliest && first <= limit.earliest && limit.earliest <= last
}

/// The first instant that no window covers. What the source no longer kept, none has to.
fn first_uncovered(facts: &SourceFacts, since: Timestamp, until: Timestamp) -> Option<Timestamp> {
    let kept = facts.retention.map_or(since, |limit| limit.earliest);
    let asked = facts.windows.iter().map(|window| window.from).min();
    let since = since.max(asked.map_or(since, |asked| asked.min(kept)));
    let mut windows = MergedSpans::default();
    for window in &facts.windows {
        let (from, to) = (window.from, Some(window.to));
        windows.add(RequestedSpan { from, to });
    }
    windows.first_uncovered(since).filter(|covered| *covered < until)
}
