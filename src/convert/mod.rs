//! Converts saved events to another format: reads lines from files, packed or plain, back to
//! records, and normalises and renders these as a pull does. Inputs are converted one after the
//! other, and what cannot be read is reported.
//!
//! `lines (I/O, is it JSON?) -> saved_line (what is it?) -> normalise, render -> sink (I/O)`
//!
//! Nothing here uses the network or a state; one thread does it all.

mod lines;
mod saved_line;

use std::io;

use self::lines::{LineReader, NumberedLine, describe_read_error, open, parse_json_line};
use self::saved_line::{SavedLineReader, SavedRecord};
use crate::config::request::{ConvertInput, ConvertRequest};
use crate::config::settings::OutputFormat;
use crate::exit::Exit;
use crate::model::event::{Event, EventText, UNPARSED};
use crate::model::source_kind::RecordIdentity;
use crate::model::time::Timestamp;
use crate::normalise;
use crate::normalise::taxonomy::Taxonomy;
use crate::render;
use crate::sink::{LineSink, SinkError};
use crate::source::DuplicateNumbering;

/// Rendered bytes that are handed on at once, at the latest.
const BATCH_BYTES: usize = 256 * 1024;

/// What a conversion needs from its caller.
pub struct ConvertContext<'a> {
    /// What is read, and in which form it is written.
    pub request: &'a ConvertRequest,
    /// What actions mean.
    pub taxonomy: Taxonomy,
    /// Where the lines go.
    pub sink: &'a mut dyn LineSink,
    /// Reports what cannot be read, when it happens.
    pub report: &'a mut dyn FnMut(ConvertIssue<'_>),
    /// Whether the conversion shall end now.
    pub is_stopped: &'a dyn Fn() -> bool,
}

/// Something that a person should hear of, during the conversion.
#[derive(Debug)]
pub enum ConvertIssue<'a> {
    /// An input cannot be opened.
    UnreadableInput(&'a ConvertInput, io::Error),
    /// A line cannot be read: of which input, its number, and why.
    UnreadableLine(&'a ConvertInput, u64, String),
    /// An input cannot be read from the line of this number on, and why.
    UnreadableRest(&'a ConvertInput, u64, String),
    /// A line holds bytes that are not valid UTF-8.
    InvalidUtf8(&'a ConvertInput, u64),
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
    /// A signal stopped it.
    #[error("interrupted before everything was converted")]
    Interrupted,
}

impl ConvertError {
    /// The exit code. What the output reports has one of its own.
    pub fn exit(&self) -> Exit {
        match self {
            ConvertError::NoSite { .. } => Exit::Usage,
            ConvertError::Sink(_) | ConvertError::Interrupted => Exit::Incomplete,
        }
    }

    /// What to do about it. Empty for what the output reports: it has a hint of its own.
    pub fn hint(&self) -> &'static str {
        match self {
            ConvertError::Sink(_) => "",
            ConvertError::NoSite { .. } => {
                "name it with `--site acme.atlassian.net`, or the source with `--source NAME`"
            }
            ConvertError::Interrupted => {
                "run it again from the beginning; no half-written file is left"
            }
        }
    }
}

/// Converts all inputs. What cannot be read is reported and counted, and does not stop the rest.
///
/// # Errors
/// The output cannot be written, a raw record has no site, or a signal stopped it.
pub fn run(context: ConvertContext<'_>) -> Result<ConvertCounts, ConvertError> {
    let request = context.request;
    let mut run = ConvertRun {
        reader: SavedLineReader::new(&request.raw, context.taxonomy.clone()),
        numbering: DuplicateNumbering::default(),
        format: request.output.format,
        now: request.now,
        context,
        out: Vec::new(),
        uncommitted: 0,
        counts: ConvertCounts::default(),
    };
    run.context.sink.prepare()?;
    for input in &request.inputs {
        run.convert_input(input)?;
    }
    run.flush()?;
    run.context.sink.finish()?;
    Ok(run.counts)
}

struct ConvertRun<'a> {
    context: ConvertContext<'a>,
    reader: SavedLineReader,
    numbering: DuplicateNumbering,
    format: OutputFormat,
    now: Timestamp,
    /// Rendered lines that are not written yet.
    out: Vec<u8>,
    uncommitted: usize,
    counts: ConvertCounts,
}

impl ConvertRun<'_> {
    fn convert_input(&mut self, input: &ConvertInput) -> Result<(), ConvertError> {
        let reader = match open(input) {
            Ok(reader) => reader,
            Err(error) => {
                self.counts.inputs_lost += 1;
                (self.context.report)(ConvertIssue::UnreadableInput(input, error));
                return Ok(());
            }
        };
        self.counts.opened += 1;
        let mut lines = LineReader::new(reader);
        loop {
            if lines.must_wait() {
                if (self.context.is_stopped)() {
                    return Err(ConvertError::Interrupted);
                }
                // A reader of the pipe sees the lines so far.
                self.flush()?;
            }
            match lines.next() {
                Ok(None) => return Ok(()),
                Ok(Some(line)) => self.convert_line(input, line)?,
                Err(error) => {
                    self.counts.inputs_lost += 1;
                    let (number, why) = (lines.next_number(), describe_read_error(&error));
                    (self.context.report)(ConvertIssue::UnreadableRest(input, number, why));
                    return Ok(());
                }
            }
            if self.out.len() >= BATCH_BYTES {
                self.flush()?;
            }
        }
    }

    fn convert_line(
        &mut self,
        input: &ConvertInput,
        NumberedLine { number, text }: NumberedLine,
    ) -> Result<(), ConvertError> {
        let read = text.and_then(|text| {
            let line = parse_json_line(text).map_err(|why| format!("it is not JSON: {why}"))?;
            let saved = self.reader.read(line.doc).map_err(|unfit| unfit.to_string())?;
            Ok((saved, line.has_invalid_utf8))
        });
        let (mut saved, has_invalid_utf8) = match read {
            Ok(read) => read,
            Err(why) => {
                self.counts.lines_lost += 1;
                (self.context.report)(ConvertIssue::UnreadableLine(input, number, why));
                return Ok(());
            }
        };
        let descriptor = saved.origin.kind.descriptor();
        if saved.event.is_none() {
            if self.format != OutputFormat::Raw && !saved.origin.can_name_events() {
                return Err(ConvertError::NoSite { input: input.to_string(), number });
            }
            if descriptor.identity == RecordIdentity::Content {
                self.numbering.number_duplicate(&mut saved.record);
            }
        }
        if has_invalid_utf8 {
            (self.context.report)(ConvertIssue::InvalidUtf8(input, number));
        }
        self.render(input, number, &saved);
        Ok(())
    }

    fn render(&mut self, input: &ConvertInput, number: u64, saved: &SavedRecord) {
        let event = to_event(saved, self.now);
        render::append_line(self.format, &event, &saved.record, &mut self.out);
        self.counts.events += 1;
        // A raw line says no more than its record.
        if self.format == OutputFormat::Raw {
            return;
        }
        if event.action == EventText::Borrowed(UNPARSED) {
            self.counts.unparsed += 1;
            (self.context.report)(ConvertIssue::Unparsed(input, number));
        }
        if event.has_unreadable_time() {
            self.counts.unreadable_times += 1;
            (self.context.report)(ConvertIssue::UnreadableTime(input, number));
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.context.sink.append(&self.out)?;
        self.uncommitted += self.out.len();
        self.out.clear();
        if self.uncommitted >= self.context.sink.commit_threshold() {
            self.context.sink.commit()?;
            self.uncommitted = 0;
        }
        Ok(())
    }
}

/// The event of a saved record.
fn to_event(saved: &SavedRecord, now: Timestamp) -> Event<'_> {
    let observed = saved.event.as_ref().map_or(now, |(_, observed)| *observed);
    let mut event = normalise::normalise(&saved.origin, &saved.record, observed);
    if let Some((id, _)) = &saved.event {
        event.id.clone_from(id);
    }
    event
}
