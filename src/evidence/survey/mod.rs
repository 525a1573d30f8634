//! Owns the survey of an export's files of lines: one pass over each, which tells all that the manifest says of it and all
//! that is odd about it. `export` fills the manifest from it, `verify` compares with it.

mod limits;
mod event_survey;
mod page_survey;
mod merged_spans;
mod problems;

use std::io;
use std::path::Path;

use bytes::Bytes;

pub use limits::SurveyLimits;
pub use event_survey::EventsSurvey;
pub use page_survey::{KeptBody, PagesSurvey, ManifestClaims};
pub use merged_spans::MergedSpans;
pub use problems::{NumberedProblem, ProblemList, LineProblem};

use super::chain::{HashChain, ChainKind};
use super::facts::{ExportParameters, SourceFacts};
use super::packed_lines::{PackedLineError, PackedLines};
use super::manifest::LinesEntry;

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
    let file = SurveyedFile::of(ChainKind::Events, &source.name, bounds);
    let (entry, broken) = file.survey_lines(dir, &mut |line, number| survey.line(line, number))?;
    Ok(survey.finish(entry, broken))
}

/// Surveys the answers of a source, in the export at `dir`, within `bounds`; beside what is `said` of them, if anything is.
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
    let file = SurveyedFile::of(ChainKind::Pages, &source.name, bounds);
    let (entry, broken) = file.survey_lines(dir, &mut |line, number| survey.line(&line, number))?;
    Ok(survey.finish(entry, broken))
}

/// What is said of a file that is not there: nothing was ever read.
fn missing_file_entry(kind: ChainKind, file: String) -> LinesEntry {
    LinesEntry {
        file,
        lines: 0,
        bytes: 0,
        text_bytes: 0,
        sha256: String::new(),
        chain: HashChain::new(kind).head(),
        marks: Vec::new(),
    }
}

/// A source's file, and how much of it is looked at.
struct SurveyedFile {
    kind: ChainKind,
    path: String,
    bounds: SurveyLimits,
}

impl SurveyedFile {
    fn of(kind: ChainKind, source: &str, bounds: SurveyLimits) -> SurveyedFile {
        let path = path_of(kind, source);
        SurveyedFile { kind, path, bounds }
    }

    /// Shows each line to `see`, and tells what the file is; and why it could not be read to its end.
    fn survey_lines(
        self,
        dir: &Path,
        see: &mut dyn FnMut(Bytes, u64),
    ) -> io::Result<(LinesEntry, Option<NumberedProblem>)> {
        let path = dir.join(&self.path);
        // Whatever else it is, opening it could wait for ever.
        match std::fs::symlink_metadata(&path) {
            Ok(facts) if facts.is_file() => {}
            Ok(_) => return Err(io::Error::other("it is not a plain file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((missing_file_entry(self.kind, self.path), None));
            }
            Err(error) => return Err(error),
        }
        let mut lines = PackedLines::open(&path)?;
        let mut chain = HashChain::new(self.kind);
        let what = loop {
            lines.limit_text(self.bounds.text_bytes());
            let next = chain.lines() + 1;
            match lines.next() {
                Ok(Some(_)) if !self.bounds.allows_line_after(chain.lines()) => {
                    break Some((next, self.bounds.exceeded_problem()));
                }
                Ok(Some(line)) => {
                    chain.push(&line);
                    see(line, chain.lines());
                }
                Ok(None) if lines.lacks_final_newline() => break Some((chain.lines(), LineProblem::NoFinalNewline)),
                Ok(None) => break None,
                Err(PackedLineError::Corrupt(why)) => break Some((next, LineProblem::Corrupt(why))),
                Err(PackedLineError::TooLong(limit)) => break Some((next, LineProblem::TooLong(limit))),
                Err(PackedLineError::LimitReached) => break Some((next, self.bounds.exceeded_problem())),
            }
        };
        let text_bytes = lines.text_bytes();
        let summed = lines.finish()?;
        let entry = LinesEntry {
            file: self.path,
            lines: chain.lines(),
            bytes: summed.bytes,
            text_bytes,
            sha256: summed.sha256,
            chain: chain.head(),
            marks: chain.marks(),
        };
        Ok((entry, what.map(|(line, what)| NumberedProblem { line, problem: what })))
    }
}
