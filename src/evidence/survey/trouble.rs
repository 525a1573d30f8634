//! Owns what can be wrong with a line, in words; and the keeping of the first few of each kind.

use std::collections::BTreeMap;
use std::fmt;

/// Troubles of one kind that are kept each; of the others, how many there are.
const MAX_PER_KIND: u64 = 10;

/// What is wrong with a line, or begins to be wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
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

impl What {
    /// Whether nothing is known of what follows.
    pub fn stops_reading(&self) -> bool {
        matches!(
            self,
            What::Corrupt(_) | What::TooLong(_) | What::ExceedsManifest { .. }
        )
    }

    /// Whether the file is not what its kind of file is.
    pub fn is_damage(&self) -> bool {
        self.stops_reading() || matches!(self, What::NoFinalNewline | What::Unreadable(_))
    }

    fn kind(&self) -> &'static str {
        match self {
            What::Corrupt(_) => "torn",
            What::TooLong(_) => "too long",
            What::ExceedsManifest { .. } => "too much",
            What::NoFinalNewline => "unended",
            What::Unreadable(_) => "lines that cannot be read",
            What::NoId => "events without an id",
            What::DuplicateId(_) => "repeated ids",
            What::OutsideWindow(_) => "times outside of the window",
            What::ForeignSource(_) => "events of another source",
            What::WrongNumber(_) => "answers with another number",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Corrupt(why) => write!(f, "nothing can be read from here on: {why}"),
            What::TooLong(limit) => write!(
                f,
                "nothing is read from here on: the line is longer than {limit} bytes"
            ),
            What::ExceedsManifest { lines, text_bytes } => write!(
                f,
                "nothing is read from here on: manifest.json says that the file ends with line {lines}, after {text_bytes} bytes of text"
            ),
            What::NoFinalNewline => f.write_str("the last line has no newline"),
            What::Unreadable(why) => write!(f, "cannot be read: {why}"),
            What::NoId => f.write_str("the event has no id"),
            What::DuplicateId(id) => write!(f, "repeats the id `{id}` of a line above"),
            What::OutsideWindow(time) => write!(f, "its time {time} is outside of the window"),
            What::ForeignSource(name) => write!(f, "the event is of the source `{name}`"),
            What::WrongNumber(number) => write!(f, "the answer has the number {number}"),
        }
    }
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: What,
}

/// The troubles of a file; bounded, whatever it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Troubles {
    kept: Vec<Trouble>,
    counts: BTreeMap<&'static str, u64>,
}

impl Troubles {
    /// One more.
    pub fn add(&mut self, line: u64, what: What) {
        let count = self.counts.entry(what.kind()).or_default();
        *count += 1;
        if *count <= MAX_PER_KIND {
            self.kept.push(Trouble { line, problem: what });
        }
    }

    /// The first of each kind, in the order of their lines.
    pub fn listed(&self) -> &[Trouble] {
        &self.kept
    }

    /// `and 123 more: lines out of order`, for each kind that has more than are kept.
    pub fn omitted(&self) -> impl Iterator<Item = String> {
        let more = self.counts.iter().filter(|(_, count)| **count > MAX_PER_KIND);
        more.map(|(kind, count)| format!("and {} more: {kind}", count - MAX_PER_KIND))
    }
}
