//! What can be wrong with the lines of a file, in words; listed in bounded memory.

use std::collections::BTreeMap;

/// Problems of one kind that are listed; the others are counted.
const MAX_PER_KIND: u64 = 10;
/// Missing bodies that are listed.
const MAX_MISSING_BODIES: u64 = 100;

/// What is wrong with a line, or begins to be wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineProblem {
    /// From here on nothing can be unpacked.
    #[error("nothing can be read from here on: {0}")]
    Corrupt(String),
    /// It is longer than this.
    #[error("nothing is read from here on: the line is longer than {0} bytes")]
    TooLong(usize),
    /// The file has more than the manifest says of it.
    #[error(
        "nothing is read from here on: manifest.json says that the file ends with line {lines}, \
         after {text_bytes} bytes of text"
    )]
    ExceedsManifest {
        /// Lines that the manifest says.
        lines: u64,
        /// Bytes of text that the manifest says.
        text_bytes: u64,
    },
    /// It has no newline.
    #[error("the last line has no newline")]
    NoFinalNewline,
    /// It is not what the file's lines are.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// An event without an id.
    #[error("the event has no id")]
    NoId,
    /// An event whose id an earlier line has.
    #[error("repeats the id `{0}` of a line above")]
    DuplicateId(String),
    /// An event from outside of the window.
    #[error("its time {0} is outside of the window")]
    OutsideWindow(String),
    /// An event of another source.
    #[error("the event is of the source `{0}`")]
    ForeignSource(String),
    /// A response whose number is not its line's.
    #[error("the response has the number {0}")]
    WrongNumber(u64),
    /// A page of records whose body is not there, nor named anywhere.
    #[error("its body `{0}` is missing")]
    MissingBody(String),
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

    /// What several of its kind are called, and how many of them are listed.
    fn kind(&self) -> (&'static str, u64) {
        let name = match self {
            LineProblem::MissingBody(_) => return ("bodies that are missing", MAX_MISSING_BODIES),
            LineProblem::Unreadable(_) => "lines that cannot be read",
            LineProblem::NoId => "events without an id",
            LineProblem::DuplicateId(_) => "repeated ids",
            LineProblem::OutsideWindow(_) => "times outside of the window",
            LineProblem::ForeignSource(_) => "events of another source",
            LineProblem::WrongNumber(_) => "responses with another number",
            // A file ends with one of these.
            LineProblem::Corrupt(_)
            | LineProblem::TooLong(_)
            | LineProblem::ExceedsManifest { .. }
            | LineProblem::NoFinalNewline => "ends",
        };
        (name, MAX_PER_KIND)
    }
}

/// The problems of a file; bounded, whatever it holds.
#[derive(Debug, Default)]
pub struct ProblemList {
    /// The first of each kind with their lines, from 1, in order.
    pub listed: Vec<(u64, LineProblem)>,
    counts: BTreeMap<(&'static str, u64), u64>,
}

impl ProblemList {
    /// Adds a problem with a line.
    pub fn add(&mut self, line: u64, problem: LineProblem) {
        let kind = problem.kind();
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= kind.1 {
            self.listed.push((line, problem));
        }
    }

    /// `and 123 more: repeated ids`, for each kind that has more than are listed.
    pub fn omitted(&self) -> impl Iterator<Item = String> {
        let more = self.counts.iter().filter(|((_, limit), count)| *count > limit);
        more.map(|((name, limit), count)| format!("and {} more: {name}", count - limit))
    }
}
