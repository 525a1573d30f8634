//! Owns the survey of an export's files of lines: one pass over each, which tells all that the manifest says of it and all
//! that is odd about it. `export` fills the manifest from it, `verify` compares with it.

mod events;
mod pages;
mod trouble;

use std::io;
use std::path::Path;

use bytes::Bytes;

pub use events::EventsSurvey;
pub use pages::PagesSurvey;
pub use trouble::{Trouble, Troubles, What};

use super::chain::{Chain, Kind};
use super::facts::{Asked, SourceFacts};
use super::lines::{Broken, PackedLines};
use super::manifest::LinesEntry;

/// The path of a source's file of lines within an export.
pub fn path_of(kind: Kind, source: &str) -> String {
    format!("{}/{source}.jsonl.zst", kind.as_str())
}

/// Surveys the events of a source, in the export at `dir`.
///
/// # Errors
/// The file cannot be read. What is wrong with its content is no error.
pub fn events(dir: &Path, asked: &Asked, source: &SourceFacts) -> io::Result<EventsSurvey> {
    let mut survey = events::Surveyor::new(asked, source);
    let (entry, is_broken) = each_line(dir, Kind::Events, &source.name, &mut |line, number| {
        survey.line(line, number)
    })?;
    Ok(survey.end(entry, is_broken))
}

/// Surveys the answers of a source, in the export at `dir`.
///
/// # Errors
/// As with [`events`].
pub fn pages(dir: &Path, source: &SourceFacts) -> io::Result<PagesSurvey> {
    let mut survey = pages::Surveyor::default();
    let (entry, is_broken) = each_line(dir, Kind::Pages, &source.name, &mut |line, number| {
        survey.line(&line, number)
    })?;
    Ok(survey.end(entry, is_broken))
}

/// What is said of a file that is not there: nothing was ever read.
pub fn absent(kind: Kind, source: &str) -> LinesEntry {
    LinesEntry {
        file: path_of(kind, source),
        lines: 0,
        bytes: 0,
        text_bytes: 0,
        sha256: String::new(),
        chain: Chain::new(kind).head(),
        marks: Vec::new(),
    }
}

/// Shows each line of the source's file to `see`, and tells what the file is; and why it could not be read to its end.
fn each_line(
    dir: &Path,
    kind: Kind,
    source: &str,
    see: &mut dyn FnMut(Bytes, u64),
) -> io::Result<(LinesEntry, Option<Trouble>)> {
    let file = path_of(kind, source);
    let path = dir.join(&file);
    // Whatever else it is, opening it could wait for ever.
    match std::fs::symlink_metadata(&path) {
        Ok(facts) if facts.is_file() => {}
        Ok(_) => return Err(io::Error::other("it is not a plain file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((absent(kind, source), None));
        }
        Err(error) => return Err(error),
    }
    let mut lines = PackedLines::open(&path)?;
    let mut chain = Chain::new(kind);
    let what = loop {
        match lines.next() {
            Ok(Some(line)) => {
                chain.push(&line);
                see(line, chain.lines());
            }
            Ok(None) if lines.is_unended() => break Some((chain.lines(), What::Unended)),
            Ok(None) => break None,
            Err(Broken::Torn(why)) => break Some((chain.lines() + 1, What::Torn(why))),
            Err(Broken::TooLong(limit)) => {
                break Some((chain.lines() + 1, What::TooLong(limit)));
            }
        }
    };
    let text_bytes = lines.text_bytes();
    let summed = lines.finish()?;
    let entry = LinesEntry {
        file,
        lines: chain.lines(),
        bytes: summed.bytes,
        text_bytes,
        sha256: summed.sha256,
        chain: chain.head(),
        marks: chain.marks(),
    };
    Ok((entry, what.map(|(line, what)| Trouble { line, what })))
}
