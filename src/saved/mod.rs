//! Reads saved events: opens files, folders and standard input, packed or plain, splits them into
//! lines, checks that each is JSON, and recognises what it is. Memory is bounded, and what cannot
//! be read is reported and counted, and does not stop the rest.
//!
//! `lines (I/O) -> JSON -> saved_line (a normalized event or a raw record?)`

mod input_files;
mod lines;
mod saved_line;
mod stored_objects;

use std::io::{self, Read};

use crate::config::request::{EventInput, RawLines};
use crate::model::event::Event;
use crate::model::json::Document;
use crate::model::source_kind::RecordIdentity;
use crate::model::time::Timestamp;
use crate::normalise;
use crate::normalise::taxonomy::Taxonomy;
use crate::source::DuplicateNumbering;
use lines::{LineReader, describe_read_error, open, parse_json_line};

pub use input_files::find as find_files;
use stored_objects::StoredObjects;

pub use saved_line::{SavedLineReader, SavedRecord, UnusableLine};

/// Something about saved lines that a person should hear of, when it happens.
#[derive(Debug)]
pub enum ReadIssue<'a> {
    /// An input cannot be opened.
    UnreadableInput(&'a EventInput, io::Error),
    /// A line cannot be read: of which input, its number, and why.
    UnreadableLine(&'a EventInput, u64, String),
    /// An input cannot be read from the line of this number on, and why.
    UnreadableRest(&'a EventInput, u64, String),
    /// A line holds bytes that are not valid UTF-8.
    InvalidUtf8(&'a EventInput, u64),
    /// A record could not be understood.
    Unparsed(&'a EventInput, u64),
    /// A record has a time that cannot be read.
    UnreadableTime(&'a EventInput, u64),
}

/// What could not be read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ReadCounts {
    /// Lines that could not be read.
    pub lines_lost: u64,
    /// Inputs that could not be opened, or not be read to their end.
    pub inputs_lost: u64,
    /// Inputs that were opened.
    pub opened: u64,
}

impl ReadCounts {
    /// Adds those of other inputs.
    pub fn add(&mut self, other: &ReadCounts) {
        self.lines_lost += other.lines_lost;
        self.inputs_lost += other.inputs_lost;
        self.opened += other.opened;
    }
}

/// Reports an issue.
pub type IssueReport<'r> = dyn FnMut(ReadIssue<'_>) + 'r;

/// A line that is JSON.
#[derive(Debug)]
pub struct SavedLine {
    /// Which of the inputs it is in, from 0.
    input: usize,
    /// Its number there, from 1.
    pub number: u64,
    /// What it says.
    pub doc: Document,
}

/// The lines of several inputs, one after the other.
pub struct SavedLines<'r> {
    inputs: Vec<EventInput>,
    /// The input that is opened next.
    next: usize,
    current: Option<LineReader<Box<dyn Read>>>,
    stores: StoredObjects,
    report: &'r mut IssueReport<'r>,
    /// What could not be read so far.
    pub counts: ReadCounts,
}

impl<'r> SavedLines<'r> {
    /// The lines of `inputs`, and of the files in those that are folders.
    pub fn new(inputs: &[EventInput], report: &'r mut IssueReport<'r>) -> SavedLines<'r> {
        let mut counts = ReadCounts::default();
        let mut files = Vec::with_capacity(inputs.len());
        let mut stores = StoredObjects::default();
        for input in inputs {
            match input {
                EventInput::File(path) if path.is_dir() => {
                    let found = find_files(path);
                    for (path, error) in found.unreadable {
                        counts.inputs_lost += 1;
                        report(ReadIssue::UnreadableInput(&EventInput::File(path), error));
                    }
                    files.extend(found.files.into_iter().map(EventInput::File));
                }
                EventInput::Objects(store) => match stores.find(store) {
                    Ok(found) => files.extend(found),
                    Err(error) => {
                        counts.inputs_lost += 1;
                        report(ReadIssue::UnreadableInput(input, error));
                    }
                },
                EventInput::File(_) | EventInput::Stdin => files.push(input.clone()),
            }
        }
        SavedLines { inputs: files, next: 0, current: None, stores, report, counts }
    }

    /// Whether the next line may have to be waited for, so that what was found must not wait for
    /// it.
    pub fn must_wait(&self) -> bool {
        self.current.as_ref().is_none_or(LineReader::must_wait)
    }

    /// The next line that is JSON; none at the end of the last input.
    pub fn next(&mut self) -> Option<SavedLine> {
        loop {
            let Some(lines) = &mut self.current else {
                self.open_next()?;
                continue;
            };
            let at = self.next - 1;
            let input = self.inputs.get(at)?;
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => {
                    self.current = None;
                    continue;
                }
                Err(error) => {
                    self.counts.inputs_lost += 1;
                    let (number, why) = (lines.next_number(), describe_read_error(&error));
                    (self.report)(ReadIssue::UnreadableRest(input, number, why));
                    self.current = None;
                    continue;
                }
            };
            let number = line.number;
            let read = line.text.and_then(|text| {
                parse_json_line(text).map_err(|why| format!("it is not JSON: {why}"))
            });
            match read {
                Ok(json) => {
                    if json.has_invalid_utf8 {
                        (self.report)(ReadIssue::InvalidUtf8(input, number));
                    }
                    return Some(SavedLine { input: at, number, doc: json.doc });
                }
                Err(why) => {
                    self.counts.lines_lost += 1;
                    (self.report)(ReadIssue::UnreadableLine(input, number, why));
                }
            }
        }
    }

    /// Opens the next input that can be opened; none where there is none.
    fn open_next(&mut self) -> Option<()> {
        let input = self.inputs.get(self.next)?;
        self.next += 1;
        match open(input, &mut self.stores) {
            Ok(reader) => {
                self.counts.opened += 1;
                self.current = Some(LineReader::new(reader));
            }
            Err(error) => {
                self.counts.inputs_lost += 1;
                (self.report)(ReadIssue::UnreadableInput(input, error));
            }
        }
        Some(())
    }

    /// The input that `line` is in, for a person.
    pub fn input_of(&self, line: &SavedLine) -> String {
        self.inputs.get(line.input).map(ToString::to_string).unwrap_or_default()
    }

    /// Counts and reports a line that is JSON, and still cannot be used.
    pub fn reject(&mut self, line: &SavedLine, why: &UnusableLine) {
        self.counts.lines_lost += 1;
        if let Some(input) = self.inputs.get(line.input) {
            (self.report)(ReadIssue::UnreadableLine(input, line.number, why.to_string()));
        }
    }

    /// Reports a record that could not be understood.
    pub fn report_unparsed(&mut self, line: &SavedLine) {
        if let Some(input) = self.inputs.get(line.input) {
            (self.report)(ReadIssue::Unparsed(input, line.number));
        }
    }

    /// Reports a time that cannot be read.
    pub fn report_unreadable_time(&mut self, line: &SavedLine) {
        if let Some(input) = self.inputs.get(line.input) {
            (self.report)(ReadIssue::UnreadableTime(input, line.number));
        }
    }
}

/// Makes events of saved lines again, as they were when they were pulled.
#[derive(Debug)]
pub struct SavedRecordReader {
    lines: SavedLineReader,
    numbering: DuplicateNumbering,
    /// When raw lines count as received.
    now: Timestamp,
}

impl SavedRecordReader {
    /// A reader of lines whose raw ones have what `raw` says.
    pub fn new(raw: &RawLines, taxonomy: Taxonomy, now: Timestamp) -> SavedRecordReader {
        let lines = SavedLineReader::new(raw, taxonomy);
        SavedRecordReader { lines, numbering: DuplicateNumbering::default(), now }
    }

    /// Whether a line holds a normalized event, and no raw record.
    ///
    /// # Errors
    /// It is an event of another version.
    pub fn is_normalized(doc: &Document) -> Result<bool, UnusableLine> {
        SavedLineReader::is_normalized(doc)
    }

    /// The record of a line.
    ///
    /// # Errors
    /// It is nothing that can be rendered again.
    pub fn read(&mut self, doc: Document) -> Result<SavedRecord, UnusableLine> {
        let mut saved = self.lines.read(doc)?;
        let identity = saved.origin.kind.descriptor().identity;
        if saved.event.is_none() && identity == RecordIdentity::Content {
            self.numbering.number_duplicate(&mut saved.record);
        }
        Ok(saved)
    }

    /// The event of a saved record.
    pub fn event<'s>(&self, saved: &'s SavedRecord) -> Event<'s> {
        let observed = saved.event.as_ref().map_or(self.now, |(_, observed)| *observed);
        let mut event = normalise::normalise(&saved.origin, &saved.record, observed);
        if let Some((id, _)) = &saved.event {
            event.id.clone_from(id);
        }
        event
    }
}
