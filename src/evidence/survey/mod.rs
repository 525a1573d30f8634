//! The survey of an export's files of lines: one pass over each finds all that the manifest says of
//! it, and all that is wrong with it. `export` makes the manifest from it, `verify` compares with
//! it.

mod event_survey;
mod page_survey;
mod problems;

use std::io;
use std::path::Path;

use bytes::Bytes;

pub use event_survey::EventsSurvey;
pub use page_survey::{KeptBody, ManifestClaims, MergedSpans, PagesSurvey};
pub use problems::{LineProblem, NumberedProblem, ProblemList, SurveyLimits, SurveyedFile};

use super::chain::{ChainKind, HashChain};
use super::facts::{ExportFacts, ExportParameters, SourceFacts};
use super::manifest::{
    ClockComparison, ExportCounts, FileEntry, LinesEntry, Manifest, SCHEMA, SourceEntry,
};
use super::packed_lines::{PackedLineError, PackedLines};

/// The path of a source's file of lines within an export.
pub fn path_of(kind: ChainKind, source: &str) -> String {
    format!("{}/{source}.jsonl.zst", kind.as_str())
}

/// Surveys the events of a source, in the export at `dir`, within `bounds`.
///
/// # Errors
/// The file cannot be read. What is wrong with its content is no error.
pub fn events(
    dir: &Path,
    asked: &ExportParameters,
    source: &SourceFacts,
    bounds: SurveyLimits,
) -> io::Result<EventsSurvey> {
    let mut survey = event_survey::EventSurveyor::new(asked, source);
    let read_line = &mut |line, number| survey.line(line, number);
    let (entry, end) = survey_lines(dir, ChainKind::Events, &source.name, bounds, read_line)?;
    Ok(survey.finish(entry, end))
}

/// Surveys the responses of a source, in the export at `dir`, within `bounds`; beside what is
/// `said` of them, if anything is.
///
/// # Errors
/// As with [`events`].
pub fn pages(
    dir: &Path,
    source: &SourceFacts,
    bounds: SurveyLimits,
    said: Option<ManifestClaims<'_>>,
) -> io::Result<PagesSurvey> {
    let mut survey = page_survey::PageSurveyor::new(said);
    let read_line = &mut |line: Bytes, number| survey.line(&line, number);
    let (entry, end) = survey_lines(dir, ChainKind::Pages, &source.name, bounds, read_line)?;
    Ok(survey.finish(entry, end))
}

/// Shows each line of a source's file to `read_line`; returns what the file is, and why reading
/// ended early.
fn survey_lines(
    dir: &Path,
    kind: ChainKind,
    source: &str,
    bounds: SurveyLimits,
    read_line: &mut dyn FnMut(Bytes, u64),
) -> io::Result<(LinesEntry, Option<(u64, LineProblem)>)> {
    let file = path_of(kind, source);
    let mut lines = match PackedLines::open(&dir.join(&file)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((LinesEntry::of_missing_file(kind, file), None));
        }
        lines => lines?,
    };
    lines.limit_text(bounds.text_bytes());
    let mut chain = HashChain::new(kind);
    let end = loop {
        let next = chain.lines() + 1;
        match lines.next() {
            Ok(Some(line)) if bounds.allows_line_after(chain.lines()) => {
                chain.push(&line);
                read_line(line, chain.lines());
            }
            Ok(None) if lines.lacks_final_newline() => {
                break Some((chain.lines(), LineProblem::NoFinalNewline));
            }
            Ok(None) => break None,
            Ok(Some(_)) | Err(PackedLineError::LimitReached) => {
                break Some((next, bounds.exceeded_problem()));
            }
            Err(PackedLineError::Corrupt(why)) => break Some((next, LineProblem::Corrupt(why))),
            Err(PackedLineError::TooLong(limit)) => {
                break Some((next, LineProblem::TooLong(limit)));
            }
        }
    };
    let text_bytes = lines.text_bytes();
    let digest = lines.finish()?;
    let entry = LinesEntry {
        file,
        lines: chain.lines(),
        bytes: digest.bytes,
        text_bytes,
        sha256: digest.sha256,
        chain: chain.head(),
        marks: chain.marks(),
    };
    Ok((entry, end))
}

/// What was found of one source.
#[derive(Debug)]
pub struct SourceSurvey {
    /// Its events.
    pub events: EventsSurvey,
    /// Its responses.
    pub pages: PagesSurvey,
}

/// The manifest of an export with these facts, whose sources' files are `found`, in the same order;
/// nothing where the facts know of no run.
pub fn manifest(
    facts: &ExportFacts,
    found: &[&SourceSurvey],
    files: Vec<FileEntry>,
) -> Option<Manifest> {
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
    let written = events.file.entry.lines;
    let known = [written, dropped.repeats, dropped.outside];
    let known = known.into_iter().fold(0, u64::saturating_add);
    SourceEntry {
        facts: facts.clone(),
        counts: ExportCounts {
            responses: pages.file.entry.lines,
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
        events: events.file.entry.clone(),
        pages: pages.file.entry.clone(),
    }
}
