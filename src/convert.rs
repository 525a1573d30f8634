//! Converts saved events to another format: reads lines from files, packed or plain, back to
//! records, and normalises and renders these as a pull does. Inputs are converted one after the
//! other, and what cannot be read is reported.
//!
//! `lines (I/O, is it JSON?) -> saved_line (what is it?) -> normalise, render -> sink (I/O)`
//!
//! Nothing here uses the network or a state; one thread does it all.

use crate::config::request::ConvertRequest;
use crate::config::settings::OutputFormat;
use crate::exit::Exit;
use crate::model::event::{EventText, UNPARSED};
use crate::normalise::taxonomy::Taxonomy;
use crate::render;
use crate::saved::{
    IssueReport, ReadCounts, SavedLine, SavedLines, SavedRecord, SavedRecordReader,
};
use crate::sink::{LineSink, SinkError};

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
    pub report: &'a mut IssueReport<'a>,
    /// Whether the conversion shall end now.
    pub is_stopped: &'a dyn Fn() -> bool,
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
    /// What could not be read.
    pub read: ReadCounts,
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
    let ConvertContext { request, taxonomy, sink, report, is_stopped } = context;
    let mut reader = SavedRecordReader::new(&request.raw, taxonomy, request.now);
    let mut lines = SavedLines::new(&request.inputs, report);
    let mut run = ConvertRun {
        format: request.output.format,
        sink,
        out: Vec::new(),
        uncommitted: 0,
        counts: ConvertCounts::default(),
    };
    run.sink.prepare()?;
    loop {
        if lines.must_wait() {
            if is_stopped() {
                return Err(ConvertError::Interrupted);
            }
            // A reader of the pipe sees the lines so far.
            run.flush()?;
        }
        let Some(line) = lines.next() else {
            break;
        };
        match reader.read(line.doc.clone()) {
            Err(unusable) => lines.reject(&line, &unusable),
            Ok(saved) => run.convert(&mut lines, &line, &reader, &saved)?,
        }
        if run.out.len() >= BATCH_BYTES {
            run.flush()?;
        }
    }
    run.flush()?;
    run.sink.finish()?;
    Ok(ConvertCounts { read: lines.counts, ..run.counts })
}

struct ConvertRun<'a> {
    format: OutputFormat,
    sink: &'a mut dyn LineSink,
    /// Rendered lines that are not written yet.
    out: Vec<u8>,
    uncommitted: usize,
    counts: ConvertCounts,
}

impl ConvertRun<'_> {
    fn convert(
        &mut self,
        lines: &mut SavedLines<'_>,
        line: &SavedLine,
        reader: &SavedRecordReader,
        saved: &SavedRecord,
    ) -> Result<(), ConvertError> {
        let is_raw = self.format == OutputFormat::Raw;
        if saved.event.is_none() && !is_raw && !saved.origin.can_name_events() {
            return Err(ConvertError::NoSite { input: lines.input_of(line), number: line.number });
        }
        let event = reader.event(saved);
        render::append_line(self.format, &event, &saved.record, &mut self.out);
        self.counts.events += 1;
        // A raw line says no more than its record.
        if is_raw {
            return Ok(());
        }
        if event.action == EventText::Borrowed(UNPARSED) {
            self.counts.unparsed += 1;
            lines.report_unparsed(line);
        }
        if event.has_unreadable_time() {
            self.counts.unreadable_times += 1;
            lines.report_unreadable_time(line);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.sink.append(&self.out)?;
        self.uncommitted += self.out.len();
        self.out.clear();
        if self.uncommitted >= self.sink.commit_threshold() {
            self.sink.commit()?;
            self.uncommitted = 0;
        }
        Ok(())
    }
}
