//! What can be wrong with a file of lines, in words, and how much of it is read: a few bytes can
//! unpack to any number of lines.

use std::collections::BTreeMap;
use std::fmt;

use crate::evidence::manifest::LinesEntry;

/// Problems of one kind that are listed; the others are counted.
const MAX_PER_KIND: u64 = 10;

/// What is wrong with a line, or begins to be wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineProblem {
    /// From here on nothing can be unpacked.
    Corrupt(String),
    /// It is longer than this.
    TooLong(usize),
    /// The file has more than is said of it.
    ExceedsManifest {
        /// Lines that are said.
        lines: u64,
        /// Bytes of text that are said.
        text_bytes: u64,
    },
    /// It has no newline.
    NoFinalNewline,
    /// It is not what the file's lines are.
    Unreadable(String),
    /// An event without an id.
    NoId,
    /// An event whose id an earlier line has.
    DuplicateId(String),
    /// An event from outside of the window.
    OutsideWindow(String),
    /// An event of another source.
    ForeignSource(String),
    /// An answer whose number is not its line's.
    WrongNumber(u64),
}

impl LineProblem {
    /// Whether nothing is known of what follows.
    pub fn stops_reading(&self) -> bool {
        matches!(
            self,
            LineProblem::Corrupt(_) | LineProblem::TooLong(_) | LineProblem::ExceedsManifest { .. }
        )
    }

    /// Whether the file is not what its kind of file is.
    pub fn is_damage(&self) -> bool {
        self.stops_reading()
            || matches!(self, LineProblem::NoFinalNewline | LineProblem::Unreadable(_))
    }

    fn kind(&self) -> &'static str {
        match self {
            LineProblem::Corrupt(_) => "torn",
            LineProblem::TooLong(_) => "too long",
            LineProblem::ExceedsManifest { .. } => "too much",
            LineProblem::NoFinalNewline => "unended",
            LineProblem::Unreadable(_) => "lines that cannot be read",
            LineProblem::NoId => "events without an id",
            LineProblem::DuplicateId(_) => "repeated ids",
            LineProblem::OutsideWindow(_) => "times outside of the window",
            LineProblem::ForeignSource(_) => "events of another source",
            LineProblem::WrongNumber(_) => "responses with another number",
        }
    }
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineProblem::Corrupt(why) => write!(f, "nothing can be read from here on: {why}"),
            LineProblem::TooLong(limit) => {
                write!(f, "nothing is read from here on: the line is longer than {limit} bytes")
            }
            LineProblem::ExceedsManifest { lines, text_bytes } => write!(
                f,
                "nothing is read from here on: manifest.json says that the file ends with line \
                 {lines}, after {text_bytes} bytes of text"
            ),
            LineProblem::NoFinalNewline => f.write_str("the last line has no newline"),
            LineProblem::Unreadable(why) => write!(f, "cannot be read: {why}"),
            LineProblem::NoId => f.write_str("the event has no id"),
            LineProblem::DuplicateId(id) => write!(f, "repeats the id `{id}` of a line above"),
            LineProblem::OutsideWindow(time) => {
                write!(f, "its time {time} is outside of the window")
            }
            LineProblem::ForeignSource(name) => write!(f, "the event is of the source `{name}`"),
            LineProblem::WrongNumber(number) => write!(f, "the response has the number {number}"),
        }
    }
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedProblem {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: LineProblem,
}

/// The problems of a file; bounded, whatever it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProblemList {
    kept: Vec<NumberedProblem>,
    counts: BTreeMap<&'static str, u64>,
}

impl ProblemList {
    /// One more.
    pub fn add(&mut self, line: u64, what: LineProblem) {
        let count = self.counts.entry(what.kind()).or_default();
        *count += 1;
        if *count <= MAX_PER_KIND {
            self.kept.push(NumberedProblem { line, problem: what });
        }
    }

    /// The first of each kind, in the order of their lines.
    pub fn listed(&self) -> &[NumberedProblem] {
        &self.kept
    }

    /// `and 123 more: lines out of order`, for each kind that has more than are kept.
    pub fn omitted(&self) -> impl Iterator<Item = String> {
        let more = self.counts.iter().filter(|(_, count)| **count > MAX_PER_KIND);
        more.map(|(kind, count)| format!("and {} more: {kind}", count - MAX_PER_KIND))
    }
}

/// Lines read beyond those that the manifest lists, so that a small change is located exactly.
const EXTRA_LINES: u64 = 1000;

/// Bytes of text beyond those that are said.
const EXTRA_BYTES: u64 = 1024 * 1024;

/// How much is looked at.
#[derive(Debug, Clone, Copy)]
pub struct SurveyLimits(Option<(u64, u64)>);

impl SurveyLimits {
    /// All of it: of a file that this program has just written.
    pub const NONE: SurveyLimits = SurveyLimits(None);

    /// What the manifest says that there is, and a little more.
    pub fn of(said: &LinesEntry) -> SurveyLimits {
        SurveyLimits(Some((said.lines, said.text_bytes)))
    }

    /// Whether a line is read after so many.
    pub fn allows_line_after(self, lines: u64) -> bool {
        self.0.is_none_or(|(said, _)| lines < said.saturating_add(EXTRA_LINES))
    }

    /// Bytes of text that are looked at.
    pub fn text_bytes(self) -> u64 {
        self.0.map_or(u64::MAX, |(_, said)| said.saturating_add(EXTRA_BYTES))
    }

    /// What is reported of a file that has more.
    pub fn exceeded_problem(self) -> LineProblem {
        let (lines, text_bytes) = self.0.unwrap_or_default();
        LineProblem::ExceedsManifest { lines, text_bytes }
    }
}

/// A file of lines, as far as it could be read.
#[derive(Debug, Default)]
pub struct SurveyedFile {
    /// What the manifest says of it.
    pub entry: LinesEntry,
    /// What is wrong with it.
    pub problems: ProblemList,
    /// Whether it could not be read to its end.
    pub is_broken: bool,
}

impl SurveyedFile {
    /// Whether it is the whole file that the manifest describes like this.
    pub fn is_all_of(&self, said: &LinesEntry) -> bool {
        self.entry.sha256 == said.sha256 && !self.is_broken
    }

    /// Adds what is known at the end: what the file is, and where and why reading stopped.
    pub(super) fn finish(&mut self, entry: LinesEntry, end: Option<(u64, LineProblem)>) {
        self.entry = entry;
        if let Some((line, problem)) = end {
            self.is_broken = problem.stops_reading();
            self.problems.add(line, problem);
        }
    }
}
