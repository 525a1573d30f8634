//! Compares the manifest with itself and with the one that the files make.

use std::collections::HashSet;

use super::check::{ExportCheck, MAX_FILE_BYTES, read_limited};
use crate::evidence::folder::{ALERTS, MANIFEST};
use crate::evidence::manifest::{Manifest, SourceEntry, SourceFacts};
use crate::evidence::page::RequestedSpan;
use crate::evidence::survey::{self, MergedSpans, SourceSurvey};
use crate::model::name::SourceKind;
use crate::model::source_kind::{LogRetention, RetentionLimit};
use crate::model::text::printable;
use crate::model::time::{Timestamp, format_millis};

/// What an export says is missing from it, a line each.
pub fn missing(manifest: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    for name in manifest.undescribed_sources() {
        lines.push(format!("source `{}`: nothing was read", printable(name)));
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
            let why = facts.error.as_deref().unwrap_or("it was not read to its end");
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
        Some(format!("source `{name}`: {}", source.retention_text(since)?))
    });
    lines.collect()
}

impl ExportCheck<'_> {
    /// Compares what the manifest says with what else it says.
    pub fn check_facts(&mut self, manifest: &Manifest) {
        let asked = &manifest.asked;
        if asked.since >= asked.until {
            let what = "says that nothing was requested: `since` is not before `until`";
            self.findings.add(MANIFEST, what);
        }
        let names: Vec<_> = manifest.sources.iter().map(|source| &source.facts.name).collect();
        let is_repeated = names.iter().collect::<HashSet<_>>().len() < names.len();
        if is_repeated || manifest.complete && !names.into_iter().eq(&asked.sources) {
            let what = "says that other sources were requested than it describes";
            self.findings.add(MANIFEST, what);
        }
        let has_alerts = manifest.files.iter().any(|entry| entry.file == ALERTS);
        let is_judged = manifest.detection.is_some();
        if is_judged != (asked.detect && manifest.complete) || is_judged && !has_alerts {
            let what = "`detection` does not fit what was asked for and the files";
            self.findings.add(MANIFEST, what);
        }
        for SourceEntry { facts, .. } in &manifest.sources {
            let is_impossible = |limit| !is_possible(limit, facts, manifest);
            let retention = facts.retention.filter(|limit| is_impossible(*limit)).map(|_| {
                "`retention` does not fit the time that was asked for and the runs".to_owned()
            });
            let found = [contradiction(facts, asked.since, asked.until), retention];
            for what in found.into_iter().flatten() {
                let what = format!("source `{}`: {what}", printable(&facts.name));
                self.findings.add(MANIFEST, what);
            }
        }
    }

    /// The pages that were read cover what is said to be read.
    pub fn check_spans(&mut self, manifest: &Manifest, found: &[Option<SourceSurvey>]) {
        for (said, found) in manifest.sources.iter().zip(found) {
            let Some(SourceSurvey { pages, spans, .. }) = found else { continue };
            // Responses that were changed were reported, and show nothing.
            if !pages.is_all_of(&said.pages) {
                continue;
            }
            for window in &said.facts.windows {
                if window.complete && !spans.cover(window.from, window.to) {
                    let (from, to) = (format_millis(window.from), format_millis(window.to));
                    let what = format!(
                        "no pages cover all of {from} to {to}, which manifest.json says was read"
                    );
                    self.findings.add(&pages.entry.file, what);
                }
            }
        }
    }

    /// Makes the manifest again, and reports what differs.
    pub fn check_manifest(&mut self, said: &Manifest, found: &[Option<SourceSurvey>]) {
        // Nothing stands in the manifest that was not read.
        let text = read_limited(&self.dir.join(MANIFEST), MAX_FILE_BYTES);
        let is_ours = said.made_by.version == env!("CARGO_PKG_VERSION");
        if is_ours && !self.is_manifest_suspect && text.is_ok_and(|text| text != said.text()) {
            let what = "is not written as atlaudit writes it, or says more than a manifest does";
            self.findings.add(MANIFEST, what);
        }
        let found: Option<Vec<_>> = found.iter().map(Option::as_ref).collect();
        let Some(found) = found else { return };
        let Some(made) = survey::manifest(&said.facts(), &found, said.files.clone()) else {
            let what = "lists no run, so atlaudit did not write this manifest";
            return self.findings.add(MANIFEST, what);
        };
        for ((said, made), found) in said.sources.iter().zip(&made.sources).zip(&found) {
            self.check_source_entry(said, made, found);
        }
        for (key, is_same) in [
            ("complete", said.complete == made.complete),
            ("started", said.started == made.started),
            ("finished", said.finished == made.finished),
        ] {
            if !is_same {
                let what = format!("`{key}` is not what the rest of it makes");
                self.findings.add(MANIFEST, what);
            }
        }
        let mut pairs = said.sources.iter().zip(&found);
        let are_pages_same = pairs.all(|(said, found)| found.pages.is_all_of(&said.pages));
        if said.clock != made.clock && are_pages_same {
            let what = "`clock` does not follow from the first response";
            self.findings.add(MANIFEST, what);
        }
    }

    fn check_source_entry(&mut self, said: &SourceEntry, made: &SourceEntry, found: &SourceSurvey) {
        let name = &made.facts.name;
        // Where a file was changed, that was reported, and what follows from it differs too.
        let events = found.events.is_all_of(&said.events);
        let pages = found.pages.is_all_of(&said.pages);
        let time = |time: Option<Timestamp>| time.map_or("nothing".to_owned(), format_millis);
        let number = |number: u64| number.to_string();
        let (counts, actual) = (&said.counts, &made.counts);
        for (key, is_known, said, made) in [
            ("first", events, time(said.first), time(made.first)),
            ("last", events, time(said.last), time(made.last)),
            ("waited_ms", pages, number(said.waited_ms), number(made.waited_ms)),
            ("responses", pages, number(counts.responses), number(actual.responses)),
            ("pages", pages, number(counts.pages), number(actual.pages)),
            ("served", pages, number(counts.served), number(actual.served)),
            ("read_again", events && pages, number(counts.read_again), number(actual.read_again)),
            ("written", events, number(counts.written), number(actual.written)),
            ("unparsed", events, number(counts.unparsed), number(actual.unparsed)),
            ("out_of_order", events, number(counts.out_of_order), number(actual.out_of_order)),
        ] {
            if is_known && said != made {
                let what = format!("says {said} for `{key}`; the files make {made}");
                self.findings.add(MANIFEST, format!("source `{name}`: {what}"));
            }
        }
        if pages && said.retries != made.retries {
            let what = format!("source `{name}`: `retries` does not follow from the responses");
            self.findings.add(MANIFEST, what);
        }
        // What was served was written or dropped, and nothing else.
        let sum = actual.accounted();
        if events && pages && sum != Some(actual.served) {
            let (sum, served) = (sum.unwrap_or(u64::MAX), actual.served);
            let what = format!(
                "source `{name}`: {sum} records were written or dropped, but {served} served"
            );
            self.findings.add(MANIFEST, what);
        }
    }
}

/// A contradiction in a source's facts.
fn contradiction(facts: &SourceFacts, since: Timestamp, until: Timestamp) -> Option<String> {
    if let Some(window) = facts.windows.iter().find(|window| window.from >= window.to) {
        let from = format_millis(window.from);
        return Some(format!("the window from {from} has no length"));
    }
    if !matches!(facts.order.as_str(), "time" | "processed_time") {
        return Some(format!("nothing can be in the order `{}`", printable(&facts.order)));
    }
    let is_open = facts.windows.iter().any(|window| !window.complete)
        || !facts.gaps.is_empty()
        || facts.error.is_some();
    match facts.complete {
        true if is_open => {
            Some("is said to be complete, and has a gap, an open window or an error".to_owned())
        }
        true => first_uncovered(facts, since, until).map(|from| {
            format!("is said to be complete, and no window covers {}", format_millis(from))
        }),
        false if !is_open => Some("is said to be incomplete, and nothing says why".to_owned()),
        false => None,
    }
}

/// Whether a source could have had this limit: it lies after the start that was requested, as many
/// days before the first run as it says, or a little later where the server refused to be asked
/// from there.
fn is_possible(limit: RetentionLimit, facts: &SourceFacts, manifest: &Manifest) -> bool {
    let is_ours = manifest.made_by.version == env!("CARGO_PKG_VERSION");
    let kind: Option<SourceKind> = facts.kind.parse().ok();
    let known = kind.and_then(|kind| kind.descriptor().retention);
    if is_ours && known.map(|kept| kept.days) != Some(limit.days) {
        return false;
    }
    let days = LogRetention { days: limit.days };
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
