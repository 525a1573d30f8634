//! Converts inputs one after the other: lines in, lines out, and a report of those that cannot be read.

use std::io::{self, Read};

use bytes::Bytes;

use crate::config::request::{ConvertInput, ConvertRequest};
use crate::config::settings::OutputFormat;
use crate::convert::lines::parse_json_line;
use crate::convert::lines::{LineSplitter, NumberedLine};
use crate::convert::lines::{describe_read_error, open};
use crate::convert::saved_line::{SavedLineReader, SavedRecord};
use crate::exit::Exit;
use crate::model::event::{Event, EventText, UNPARSED};
use crate::model::source_kind::{IdScope, RecordIdentity};
use crate::model::time::Timestamp;
use crate::normalise;
use crate::render;
use crate::sink::{LineSink, SinkError};
use crate::source::DuplicateNumbering;

/// Rendered bytes that are handed on at once, at the latest.
const BATCH_BYTES: usize = 256 * 1024;

/// Records that are read before they are rendered. The code of one step fills the processor's nearest memory: many
/// records through one step, and then the next, do not drive each other's code out.
const RECORDS_PER_BATCH: usize = 16;

/// What a conversion needs from its caller.
pub struct ConvertContext<'a> {
    /// What is read, and in which form it is written.
    pub request: &'a ConvertRequest,
    /// Where the lines go.
    pub sink: &'a mut dyn LineSink,
    /// Reports what cannot be read, when it happens.
    pub report: &'a mut dyn FnMut(ConvertIssue<'_>),
    /// Whether the conversion shall end now.
    pub is_stopped: &'a dyn Fn() -> bool,
}

/// Something that a person should hear of, while the conversion goes on.
#[derive(Debug)]
pub enum ConvertIssue<'a> {
    /// An input cannot be opened.
    UnreadableInput(&'a ConvertInput, io::Error),
    /// A line cannot be read: of which input, its number, and why.
    UnreadableLine(&'a ConvertInput, u64, String),
    /// An input cannot be read from the line of this number on, and why.
    UnreadableRest(&'a ConvertInput, u64, String),
    /// A line holds bytes that are no UTF-8.
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
    /// A signal asked for the end.
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
/// The output cannot be written, a raw record has no site, or a signal asked for the end.
pub fn run(context: ConvertContext<'_>) -> Result<ConvertCounts, ConvertError> {
    let request = context.request;
    let mut run = ConvertRun {
        reader: SavedLineReader::new(&request.raw),
        numbering: DuplicateNumbering::default(),
        format: request.output.format,
        now: request.now,
        context,
        pending: Vec::with_capacity(RECORDS_PER_BATCH),
        pending_bytes: 0,
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

/// A record on its way.
struct ParsedLine {
    /// Of which line.
    number: u64,
    has_invalid_utf8: bool,
    saved: SavedRecord,
}

struct ConvertRun<'a> {
    context: ConvertContext<'a>,
    reader: SavedLineReader,
    numbering: DuplicateNumbering,
    format: OutputFormat,
    now: Timestamp,
    /// What was read and is not rendered yet.
    pending: Vec<ParsedLine>,
    /// The bytes of its records: a line may be huge.
    pending_bytes: usize,
    /// Rendered lines on their way out; kept for its allocation.
    out: Vec<u8>,
    uncommitted: usize,
    counts: ConvertCounts,
}

impl ConvertRun<'_> {
    fn convert_input(&mut self, input: &ConvertInput) -> Result<(), ConvertError> {
        let mut reader = match open(input) {
            Ok(reader) => reader,
            Err(error) => {
                self.counts.inputs_lost += 1;
                (self.context.report)(ConvertIssue::UnreadableInput(input, error));
                return Ok(());
            }
        };
        self.counts.opened += 1;
        let mut lines = LineSplitter::default();
        while self.convert_chunk(input, &mut reader, &mut lines)? {}
        Ok(())
    }

    /// Converts what one read brings; gives whether more may come.
    fn convert_chunk(
        &mut self,
        input: &ConvertInput,
        reader: &mut dyn Read,
        lines: &mut LineSplitter,
    ) -> Result<bool, ConvertError> {
        let read = lines.fill(reader);
        if (self.context.is_stopped)() {
            return Err(ConvertError::Interrupted);
        }
        while let Some(line) = lines.next() {
            self.convert_line(input, line)?;
            if self.out.len() >= BATCH_BYTES {
                self.flush()?;
            }
        }
        self.render_pending(input);
        match read {
            Ok(0) => {
                if let Some(line) = lines.last() {
                    self.convert_line(input, line)?;
                    self.render_pending(input);
                }
                return Ok(false);
            }
            Ok(_) => {}
            Err(error) => {
                // The line that it breaks off in is not known to be whole, so it is not taken for one.
                self.counts.inputs_lost += 1;
                let number = lines.next_number();
                (self.context.report)(ConvertIssue::UnreadableRest(
                    input,
                    number,
                    describe_read_error(&error),
                ));
                return Ok(false);
            }
        }
        // A reader of the pipe sees the lines so far.
        self.flush()?;
        Ok(true)
    }

    fn convert_line(
        &mut self,
        input: &ConvertInput,
        line: NumberedLine,
    ) -> Result<(), ConvertError> {
        let number = line.number;
        let read = match line.text {
            Ok(text) => self.parse_line(input, number, text),
            Err(too_long) => Ok(Err(format!("it is longer than {} MiB", too_long.limit >> 20))),
        };
        let has_room = self.pending.len() < RECORDS_PER_BATCH && self.pending_bytes < BATCH_BYTES;
        if matches!(read, Ok(Ok(()))) && has_room {
            return Ok(());
        }
        // Lines and reports keep the order of the input.
        self.render_pending(input);
        if let Err(why) = read? {
            self.counts.lines_lost += 1;
            (self.context.report)(ConvertIssue::UnreadableLine(input, number, why));
        }
        Ok(())
    }

    /// Reads one line; the inner error is why it cannot be read.
    fn parse_line(
        &mut self,
        input: &ConvertInput,
        number: u64,
        text: Bytes,
    ) -> Result<Result<(), String>, ConvertError> {
        let line = match parse_json_line(text) {
            Ok(line) => line,
            Err(why) => return Ok(Err(format!("it is not JSON: {why}"))),
        };
        let mut saved = match self.reader.read(line.doc) {
            Ok(saved) => saved,
            Err(unfit) => return Ok(Err(unfit.to_string())),
        };
        let needs_site = saved.event.is_none() && self.format != OutputFormat::Raw;
        let descriptor = saved.origin.kind.descriptor();
        let has_site_in_id = descriptor.id_scope != IdScope::Global;
        if needs_site && has_site_in_id && saved.origin.site.is_none() {
            let input = input.to_string();
            return Err(ConvertError::NoSite { input, number });
        }
        if saved.event.is_none() && descriptor.identity == RecordIdentity::Content {
            self.numbering.number_duplicate(&mut saved.record);
        }
        self.pending_bytes += saved.record.doc.text().len();
        self.pending.push(ParsedLine { number, has_invalid_utf8: line.has_invalid_utf8, saved });
        Ok(Ok(()))
    }

    /// Renders all that waits.
    fn render_pending(&mut self, input: &ConvertInput) {
        let events: Vec<Event<'_>> =
            self.pending.iter().map(|waiting| to_event(&waiting.saved, self.now)).collect();
        for (waiting, event) in self.pending.iter().zip(&events) {
            if waiting.has_invalid_utf8 {
                (self.context.report)(ConvertIssue::InvalidUtf8(input, waiting.number));
            }
            render::append_line(self.format, event, &waiting.saved.record, &mut self.out);
            // A raw line says no more than its record.
            let is_event = self.format != OutputFormat::Raw;
            if is_event && event.action == EventText::Borrowed(UNPARSED) {
                self.counts.unparsed += 1;
                (self.context.report)(ConvertIssue::Unparsed(input, waiting.number));
            }
            if is_event && event.has_unreadable_time() {
                self.counts.unreadable_times += 1;
                (self.context.report)(ConvertIssue::UnreadableTime(input, waiting.number));
            }
            self.counts.events += 1;
        }
        drop(events);
        self.pending.clear();
        self.pending_bytes = 0;
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
