//! Owns the survey of an export's files of lines: one pass over each, which tells all that the manifest says of it and all
//! that is odd about it. `export` fills the manifest from it, `verify` compares with it.

mod bounds;
mod events;
mod pages;
mod spans;
mod trouble;

use std::io;
use std::path::Path;

use bytes::Bytes;

pub use bounds::Bounds;
pub use events::EventsSurvey;
pub use pages::{KeptBody, PagesSurvey, Said};
pub use spans::Spans;
pub use trouble::{Trouble, Troubles, What};

use super::chain::{Chain, Kind};
use super::facts::{Asked, SourceFacts};
use super::lines::{Broken, PackedLines};
use super::manifest::LinesEntry;

/// The path of a source's file of lines within an export.
pub fn path_of(kind: Kind, source: &str) -> String {
    format!("{}/{source}.jsonl.zst", kind.as_str())
}

/// Surveys the events of a source, in the export at `dir`, within `bounds`.
///
/// # Errors
/// The file cannot be read. What is wrong with its content is no error.
pub fn events(
    dir: &Path,
    asked: &Asked,
    source: &SourceFacts,
    bounds: Bounds,
) -> io::Result<EventsSurvey> {
    let mut survey = events::Surveyor::new(asked, source);
    let file = File::of(Kind::Events, &source.name, bounds);
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
    bounds: Bounds,
    said: Option<Said<'_>>,
) -> io::Result<PagesSurvey> {
    let mut survey = pages::Surveyor::new(said);
    let file = File::of(Kind::Pages, &source.name, bounds);
    let (entry, broken) = file.survey_lines(dir, &mut |line, number| survey.line(&line, number))?;
    Ok(survey.finish(entry, broken))
}

/// What is said of a file that is not there: nothing was ever read.
fn missing_file_entry(kind: Kind, file: String) -> LinesEntry {
    LinesEntry {
        file,
        lines: 0,
        bytes: 0,
        text_bytes: 0,
        sha256: String::new(),
        chain: Chain::new(kind).head(),
        marks: Vec::new(),
    }
}

/// A source's file, and how much of it is looked at.
struct File {
    kind: Kind,
    path: String,
    bounds: Bounds,
}

impl File {
    fn of(kind: Kind, source: &str, bounds: Bounds) -> File {
        let path = path_of(kind, source);
        File { kind, path, bounds }
    }

    /// Shows each line to `see`, and tells what the file is; and why it could not be read to its end.
    fn survey_lines(
        self,
        dir: &Path,
        see: &mut dyn FnMut(Bytes, u64),
    ) -> io::Result<(LinesEntry, Option<Trouble>)> {
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
        let mut chain = Chain::new(self.kind);
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
                Ok(None) if lines.lacks_final_newline() => break Some((chain.lines(), What::NoFinalNewline)),
                Ok(None) => break None,
                Err(Broken::Corrupt(why)) => break Some((next, What::Corrupt(why))),
                Err(Broken::TooLong(limit)) => break Some((next, What::TooLong(limit))),
                Err(Broken::LimitReached) => break Some((next, self.bounds.exceeded_problem())),
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
        Ok((entry, what.map(|(line, what)| Trouble { line, problem: what })))
    }
}
