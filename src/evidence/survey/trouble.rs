//! Owns what can be wrong with a line, in words; and the keeping of the first few of each kind.

use std::collections::BTreeMap;
use std::fmt;

/// Troubles of one kind that are kept each; of the others, how many there are.
const KEPT: u64 = 10;

/// What is wrong with a line, or begins to be wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// From here on nothing can be unpacked.
    Torn(String),
    /// It is longer than this.
    TooLong(usize),
    /// The file has more than is said of it.
    TooMuch {
        /// Lines that are said.
        lines: u64,
        /// Bytes of text that are said.
        text_bytes: u64,
    },
    /// It has no newline.
    Unended,
    /// It is not what the file's lines are.
    Unreadable(String),
    /// An event without an id.
    NoId,
    /// An event whose id an earlier line has.
    Repeated(String),
    /// An event from outside of the window.
    Outside(String),
    /// An event of another source.
    Alien(String),
    /// An answer whose number is not its line's.
    Misnumbered(u64),
}

impl What {
    /// Whether nothing is known of what follows.
    pub fn stops_reading(&self) -> bool {
        matches!(
            self,
            What::Torn(_) | What::TooLong(_) | What::TooMuch { .. }
        )
    }

    /// Whether the file is not what its kind of file is.
    pub fn is_damage(&self) -> bool {
        self.stops_reading() || matches!(self, What::Unended | What::Unreadable(_))
    }

    fn kind(&self) -> &'static str {
        match self {
            What::Torn(_) => "torn",
            What::TooLong(_) => "too long",
            What::TooMuch { .. } => "too much",
            What::Unended => "unended",
            What::Unreadable(_) => "lines that cannot be read",
            What::NoId => "events without an id",
            What::Repeated(_) => "repeated ids",
            What::Outside(_) => "times outside of the window",
            What::Alien(_) => "events of another source",
            What::Misnumbered(_) => "answers with another number",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Torn(why) => write!(f, "nothing can be read from here on: {why}"),
            What::TooLong(limit) => write!(
                f,
                "nothing is read from here on: the line is longer than {limit} bytes"
            ),
            What::TooMuch { lines, text_bytes } => write!(
                f,
                "nothing is read from here on: manifest.json says that the file ends with line {lines}, after {text_bytes} bytes of text"
            ),
            What::Unended => f.write_str("the last line has no newline"),
            What::Unreadable(why) => write!(f, "cannot be read: {why}"),
            What::NoId => f.write_str("the event has no id"),
            What::Repeated(id) => write!(f, "repeats the id `{id}` of a line above"),
            What::Outside(time) => write!(f, "its time {time} is outside of the window"),
            What::Alien(name) => write!(f, "the event is of the source `{name}`"),
            What::Misnumbered(number) => write!(f, "the answer has the number {number}"),
        }
    }
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: What,
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
        if *count <= KEPT {
            self.kept.push(Trouble { line, what });
        }
    }

    /// The first of each kind, in the order of their lines.
    pub fn kept(&self) -> &[Trouble] {
        &self.kept
    }

    /// `and 123 more: lines out of order`, for each kind that has more than are kept.
    pub fn more(&self) -> impl Iterator<Item = String> {
        let more = self.counts.iter().filter(|(_, count)| **count > KEPT);
        more.map(|(kind, count)| format!("and {} more: {kind}", count - KEPT))
    }
}
