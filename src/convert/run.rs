//! Owns the conversion of some inputs, one after the other: lines in, lines out, and what is told of
//! those that cannot be read.

use std::io::{self, Read};

use bytes::Bytes;

use crate::config::request::{ConvertRequest, ConvertInput};
use crate::config::settings::OutputFormat;
use crate::convert::input::{open, reason};
use crate::convert::saved_line::{SavedLineReader, SavedRecord};
use crate::convert::lines::{LineSplitter, NumberedLine};
use crate::convert::json_line::checked;
use crate::model::event::{Event, EventText, UNPARSED};
use crate::model::name::SourceKind;
use crate::model::time::Timestamp;
use crate::normalise;
use crate::render;
use crate::sink::{LineSink, SinkError};
use crate::source::{DuplicateNumbering, RecordIdentity};

/// Rendered bytes that are handed on at once, at the latest.
const BATCH: usize = 256 * 1024;

/// Records that are read before they are rendered. The code of one step fills the processor's nearest memory: many
/// records through one step, and then the next, do not drive each other's code out.
const AT_ONCE: usize = 16;

/// What a conversion is told, and whom it tells.
pub struct ConvertContext<'a> {
    /// What is read, and in which form it is written.
    pub request: &'a ConvertRequest,
    /// Where the lines go.
    pub sink: &'a mut dyn LineSink,
    /// Hears of what cannot be read, when it happens.
    pub tell: &'a mut dyn FnMut(ConvertIssue<'_>),
    /// Whether the conversion shall end now.
    pub is_stopped: &'a dyn Fn() -> bool,
}

/// Something that a person should hear of, while the conversion goes on.
#[derive(Debug)]
pub enum ConvertIssue<'a> {
    /// An input cannot be opened.
    Input(&'a ConvertInput, io::Error),
    /// A line cannot be read: of which input, its number, and why.
    Line(&'a ConvertInput, u64, String),
    /// An input cannot be read from the line of this number on, and why.
    Rest(&'a ConvertInput, u64, String),
    /// A line holds bytes that are no UTF-8.
    Mended(&'a ConvertInput, u64),
    /// A record could not be understood.
    Unparsed(&'a ConvertInput, u64),
    /// A record has a time that cannot be read.
    UnreadableTime(&'a ConvertInput, u64),
}

/// What became of the lines.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ConvertCounts {
    /// Lines written.
    pub events: u64,
    /// Records that could not be understood; they are among the events.
    pub unparsed: u64,
    /// Records with a time that could not be read; they are among the events.
    pub unreadable_times: u64,
    /// Lines that could not be read.
    pub lines_lost: u64,
    /// Inputs that could not be opened, or not be read to their end.
    pub inputs_lost: u64,
    /// Inputs that were opened.
    pub opened: u64,
}

/// Why a conversion did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The lines could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The id of a raw record may hold its site, and nobody named it.
    #[error(
        "line {number} of {input} is a raw record of a site, and its event's id needs the site"
    )]
    NoSite {
        /// The input.
        input: String,
        /// The line.
        number: u64,
    },
    /// A signal asked for the end.
    #[error("interrupted before everything was converted")]
    Interrupted,
}

/// Converts all inputs. What cannot be read is told and counted; the rest goes on.
///
/// # Errors
/// The output cannot be written, a raw record has no site, or a signal asked for the end.
pub fn run(terms: ConvertContext<'_>) -> Result<ConvertCounts, ConvertError> {
    let request = terms.request;
    let mut run = ConvertRun {
        reader: SavedLineReader::new(&request.raw),
        numbering: DuplicateNumbering::default(),
        format: request.output.format,
        now: request.now,
        terms,
        waiting: Vec::with_capacity(AT_ONCE),
        waiting_bytes: 0,
        out: Vec::new(),
        uncommitted: 0,
        tally: ConvertCounts::default(),
    };
    run.terms.sink.prepare()?;
    for input in &request.inputs {
        run.input(input)?;
    }
    run.hand_on()?;
    run.terms.sink.finish()?;
    Ok(run.tally)
}

/// A record on its way.
struct ParsedLine {
    /// Of which line.
    number: u64,
    is_mended: bool,
    kept: SavedRecord,
}

struct ConvertRun<'a> {
    terms: ConvertContext<'a>,
    reader: SavedLineReader,
    numbering: DuplicateNumbering,
    format: OutputFormat,
    now: Timestamp,
    /// What was read and is not rendered yet.
    waiting: Vec<ParsedLine>,
    /// The bytes of its records: a line may be huge.
    waiting_bytes: usize,
    /// Rendered lines on their way out; kept for its allocation.
    out: Vec<u8>,
    uncommitted: usize,
    tally: ConvertCounts,
}

impl ConvertRun<'_> {
    fn input(&mut self, input: &ConvertInput) -> Result<(), ConvertError> {
        let mut reader = match open(input) {
            Ok(reader) => reader,
            Err(error) => {
                self.tally.inputs_lost += 1;
                (self.terms.tell)(ConvertIssue::Input(input, error));
                return Ok(());
            }
        };
        self.tally.opened += 1;
        let mut lines = LineSplitter::default();
        while self.piece(input, &mut reader, &mut lines)? {}
        Ok(())
    }

    /// Converts what one read brings; gives whether more may come.
    fn piece(
        &mut self,
        input: &ConvertInput,
        reader: &mut dyn Read,
        lines: &mut LineSplitter,
    ) -> Result<bool, ConvertError> {
        let read = lines.fill(reader);
        if (self.terms.is_stopped)() {
            return Err(ConvertError::Interrupted);
        }
        while let Some(line) = lines.next() {
            self.line(input, line)?;
            if self.out.len() >= BATCH {
                self.hand_on()?;
            }
        }
        self.render(input);
        match read {
            Ok(0) => {
                if let Some(line) = lines.last() {
                    self.line(input, line)?;
                    self.render(input);
                }
                return Ok(false);
            }
            Ok(_) => {}
            Err(error) => {
                // The line that it breaks off in is not known to be whole, so it is not taken for one.
                self.tally.inputs_lost += 1;
                let number = lines.next_number();
                (self.terms.tell)(ConvertIssue::Rest(input, number, reason(&error)));
                return Ok(false);
            }
        }
        // Whoever reads along sees what has come so far.
        self.hand_on()?;
        Ok(true)
    }

    fn line(&mut self, input: &ConvertInput, line: NumberedLine) -> Result<(), ConvertError> {
        let number = line.number;
        let read = match line.text {
            Ok(text) => self.read(input, number, text),
            Err(too_long) => Ok(Err(format!(
                "it is longer than {} MiB",
                too_long.limit >> 20
            ))),
        };
        let has_room = self.waiting.len() < AT_ONCE && self.waiting_bytes < BATCH;
        if matches!(read, Ok(Ok(()))) && has_room {
            return Ok(());
        }
        // What came before a line that is told of is told and written before it.
        self.render(input);
        if let Err(why) = read? {
            self.tally.lines_lost += 1;
            (self.terms.tell)(ConvertIssue::Line(input, number, why));
        }
        Ok(())
    }

    /// Reads one line; the inner error is why it cannot be read.
    fn read(
        &mut self,
        input: &ConvertInput,
        number: u64,
        text: Bytes,
    ) -> Result<Result<(), String>, ConvertError> {
        let line = match checked(text) {
            Ok(line) => line,
            Err(why) => return Ok(Err(format!("it is not JSON: {why}"))),
        };
        let mut kept = match self.reader.read(line.doc) {
            Ok(kept) => kept,
            Err(unfit) => return Ok(Err(unfit.to_string())),
        };
        let needs_site = kept.event.is_none() && self.format != OutputFormat::Raw;
        if needs_site && kept.origin.kind != SourceKind::OrgEvents && kept.origin.site.is_none() {
            let input = input.to_string();
            return Err(ConvertError::NoSite { input, number });
        }
        if kept.event.is_none() && RecordIdentity::of(kept.origin.kind) == RecordIdentity::Content {
            self.numbering.number(&mut kept.record);
        }
        self.waiting_bytes += kept.record.doc.text().len();
        self.waiting.push(ParsedLine {
            number,
            is_mended: line.is_mended,
            kept,
        });
        Ok(Ok(()))
    }

    /// Renders all that waits.
    fn render(&mut self, input: &ConvertInput) {
        let events: Vec<Event<'_>> = self
            .waiting
            .iter()
            .map(|waiting| event(&waiting.kept, self.now))
            .collect();
        for (waiting, event) in self.waiting.iter().zip(&events) {
            if waiting.is_mended {
                (self.terms.tell)(ConvertIssue::Mended(input, waiting.number));
            }
            render::line(self.format, event, &waiting.kept.record, &mut self.out);
            // A raw line says no more than its record.
            let is_event = self.format != OutputFormat::Raw;
            if is_event && event.action == EventText::Borrowed(UNPARSED) {
                self.tally.unparsed += 1;
                (self.terms.tell)(ConvertIssue::Unparsed(input, waiting.number));
            }
            if is_event && event.has_unreadable_time() {
                self.tally.unreadable_times += 1;
                (self.terms.tell)(ConvertIssue::UnreadableTime(input, waiting.number));
            }
            self.tally.events += 1;
        }
        drop(events);
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    fn hand_on(&mut self) -> Result<(), SinkError> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.terms.sink.append(&self.out)?;
        self.uncommitted += self.out.len();
        self.out.clear();
        if self.uncommitted >= self.terms.sink.batch() {
            self.terms.sink.commit()?;
            self.uncommitted = 0;
        }
        Ok(())
    }
}

/// The event of what was kept.
fn event(kept: &SavedRecord, now: Timestamp) -> Event<'_> {
    let observed = kept.event.as_ref().map_or(now, |(_, observed)| *observed);
    let mut event = normalise::normalise(&kept.origin, &kept.record, observed);
    if let Some((id, _)) = &kept.event {
        event.id.clone_from(id);
    }
    event
}
