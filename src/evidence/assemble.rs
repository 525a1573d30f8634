//! Owns the making of a manifest: what the run knows, and what the survey of its files tells.

use super::facts::{ExportFacts, SourceFacts};
use super::manifest::{ClockComparison, ExportCounts, FileEntry, Manifest, SCHEMA, SourceEntry};
use super::survey::{EventsSurvey, PagesSurvey};

/// What was found of one source.
#[derive(Debug)]
pub struct SourceSurvey {
    /// Its events.
    pub events: EventsSurvey,
    /// Its answers.
    pub pages: PagesSurvey,
}

/// The manifest of an export with these facts, whose sources' files are `found`, in the same order; nothing where the facts
/// know of no run.
pub fn manifest(facts: &ExportFacts, found: &[&SourceSurvey], files: Vec<FileEntry>) -> Option<Manifest> {
    let (first, last) = (facts.runs.first()?, facts.runs.last()?);
    let entries = facts.sources.iter().zip(found);
    Some(Manifest {
        schema: SCHEMA.to_owned(),
        complete: is_complete(facts),
        asked: facts.asked.clone(),
        started: first.started,
        finished: last.finished.unwrap_or(last.started),
        runs: facts.runs.clone(),
        made_by: facts.made_by.clone(),
        clock: first_clock(found),
        sources: entries.map(|(facts, found)| source_entry(facts, found)).collect(),
        files,
    })
}

/// The facts that `manifest` was made from.
pub fn facts(manifest: &Manifest) -> ExportFacts {
    let sources = manifest.sources.iter();
    ExportFacts {
        asked: manifest.asked.clone(),
        runs: manifest.runs.clone(),
        made_by: manifest.made_by.clone(),
        sources: sources.map(|source| source.facts.clone()).collect(),
    }
}

/// Whether every source that was asked for was read to its end.
fn is_complete(facts: &ExportFacts) -> bool {
    let is_read = |name: &String| {
        let mut sources = facts.sources.iter();
        sources.any(|source| source.name == *name && source.complete)
    };
    facts.asked.sources.iter().all(is_read) && facts.sources.iter().all(|source| source.complete)
}

/// That of the first answer of all.
fn first_clock(found: &[&SourceSurvey]) -> Option<ClockComparison> {
    let clocks = found.iter().filter_map(|found| found.pages.clock.clone());
    clocks.min_by_key(|clock| clock.at)
}

fn source_entry(facts: &SourceFacts, found: &SourceSurvey) -> SourceEntry {
    let SourceSurvey { events, pages } = found;
    let dropped = facts.dropped;
    let written = events.entry.lines;
    let known = [written, dropped.repeats, dropped.outside];
    let known = known.into_iter().fold(0, u64::saturating_add);
    SourceEntry {
        facts: facts.clone(),
        counts: ExportCounts {
            responses: pages.entry.lines,
            pages: pages.pages,
            served: pages.served,
            repeats: dropped.repeats,
            outside: dropped.outside,
            read_again: pages.served.saturating_sub(known),
            written,
            unparsed: events.unparsed,
            out_of_order: events.out_of_order,
        },
        first: events.first,
        last: events.last,
        retries: pages.retries.clone(),
        waited_ms: pages.waited_ms,
        events: events.entry.clone(),
        pages: pages.entry.clone(),
    }
}
