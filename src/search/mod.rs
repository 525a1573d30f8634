//! Answers questions of saved events: reads them, chooses some, and shows these in the order of
//! time.
//!
//! `saved (lines) -> normalized event -> filter -> sorted by time -> a table, CSV or lines`

mod csv_rows;
mod sql_view;
mod value_table;

use bytestring::ByteString;

use crate::config::request::SavedEventQuery;
use crate::config::settings::OutputFormat;
use crate::filter::{self, EventFilter};
use crate::model::json::Document;
use crate::model::time::Timestamp;
use crate::normalise::taxonomy::Taxonomy;
use crate::render;
use crate::saved::{IssueReport, ReadCounts, SavedLines, SavedRecordReader, UnusableLine};

pub use csv_rows::CsvRows;
pub use sql_view::duckdb_view;
pub use value_table::{CountedRow, TimeHistogram, value_table};

/// An event that was chosen.
#[derive(Debug)]
pub struct ChosenEvent {
    /// When it happened, if that is known.
    pub time: Option<Timestamp>,
    /// As a normalized event.
    pub doc: Document,
}

/// What became of the events of a query.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct QueryCounts {
    /// Events read.
    pub events: u64,
    /// Events chosen.
    pub chosen: u64,
    /// Events that would have been chosen by everything but their time, which is not known.
    pub undated: u64,
    /// Raw lines whose events cannot have the ids that a pull gives them.
    pub unnamed: u64,
    /// What could not be read.
    pub read: ReadCounts,
}

impl QueryCounts {
    /// Adds those of another query.
    pub fn add(&mut self, other: &QueryCounts) {
        self.events += other.events;
        self.chosen += other.chosen;
        self.undated += other.undated;
        self.unnamed += other.unnamed;
        self.read.add(&other.read);
    }
}

/// Whether more events are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Read on.
    Continue,
    /// That was enough.
    Stop,
}

/// Hands the events that `query` chooses to `take`, in the order in which they are saved, until
/// that wants no more. `wait` is called before a line that may have to be waited for.
///
/// # Errors
/// What `take` and `wait` return.
pub fn choose_events<E>(
    query: &SavedEventQuery,
    taxonomy: Taxonomy,
    report: &mut IssueReport<'_>,
    mut wait: impl FnMut() -> Result<(), E>,
    mut take: impl FnMut(ChosenEvent) -> Result<NextStep, E>,
) -> Result<QueryCounts, E> {
    let mut reader = NormalizedReader {
        records: SavedRecordReader::new(&query.raw, taxonomy, query.now),
        needs_raw: query.needs_raw,
        line: Vec::new(),
        unnamed: 0,
    };
    let mut lines = SavedLines::new(&query.inputs, report);
    let mut counts = QueryCounts::default();
    let filter = &query.filter;
    loop {
        if lines.must_wait() {
            wait()?;
        }
        let Some(line) = lines.next() else {
            break;
        };
        let normalized = reader.normalized(&line.doc, filter);
        if let Err(unusable) = &normalized {
            lines.reject(&line, unusable);
            continue;
        }
        counts.events += 1;
        let Ok(Some(doc)) = normalized else {
            continue;
        };
        let time = filter::time_of(&doc);
        if time.is_some_and(|time| !filter.accepts_time(time)) || !filter.accepts_fields(&doc) {
            continue;
        }
        if time.is_none() && filter.has_time_range() {
            counts.undated += 1;
            continue;
        }
        counts.chosen += 1;
        if take(ChosenEvent { time, doc })? == NextStep::Stop {
            break;
        }
    }
    Ok(QueryCounts { unnamed: reader.unnamed, read: lines.counts, ..counts })
}

/// Bytes of room that are kept from one line to the next.
const MAX_ROOM: usize = 64 * 1024;

/// Makes a normalized event of whatever was saved.
struct NormalizedReader {
    records: SavedRecordReader,
    needs_raw: bool,
    /// Room for each line to be written in.
    line: Vec<u8>,
    /// Raw lines whose events cannot have the ids that a pull gives them.
    unnamed: u64,
}

impl NormalizedReader {
    /// Nothing where `filter` surely does not accept it.
    fn normalized(
        &mut self,
        doc: &Document,
        filter: &EventFilter,
    ) -> Result<Option<Document>, UnusableLine> {
        if SavedRecordReader::is_normalized(doc)? {
            return Ok(Some(doc.clone()));
        }
        let saved = self.records.read(doc.clone())?;
        self.unnamed += u64::from(!saved.origin.can_name_events());
        if !filter.may_accept(doc.text()) {
            return Ok(None);
        }
        let event = self.records.event(&saved);
        let line = &mut self.line;
        match self.needs_raw {
            true => render::append_line(OutputFormat::Normalized, &event, &saved.record, line),
            false => render::append_without_raw(&event, line),
        }
        // What was just written is JSON in UTF-8. A copy that is just as long is cheaper than a new
        // buffer for each line; without the newline, the document need not be compacted.
        let text = str::from_utf8(line.trim_ascii_end()).map(ByteString::from);
        line.clear();
        line.shrink_to(MAX_ROOM);
        let text = text.map_err(|_| UnusableLine::UnknownShape)?;
        Document::parse(text).map(Some).map_err(|_| UnusableLine::UnknownShape)
    }
}

/// Writes events in the formats of a pull.
#[derive(Debug)]
pub struct FormatLines {
    records: SavedRecordReader,
    format: OutputFormat,
}

impl FormatLines {
    /// Lines in `format`; actions mean what `taxonomy` says.
    pub fn new(query: &SavedEventQuery, taxonomy: Taxonomy, format: OutputFormat) -> FormatLines {
        FormatLines { records: SavedRecordReader::new(&query.raw, taxonomy, query.now), format }
    }

    /// Appends the line of a normalized event, as it was saved or in another format.
    ///
    /// # Errors
    /// A part of the event is missing that the format needs.
    pub fn append(&mut self, event: &Document, out: &mut Vec<u8>) -> Result<(), UnusableLine> {
        if self.format == OutputFormat::Normalized {
            out.extend_from_slice(event.text());
            out.push(b'\n');
            return Ok(());
        }
        let saved = self.records.read(event.clone())?;
        let made = self.records.event(&saved);
        render::append_line(self.format, &made, &saved.record, out);
        Ok(())
    }
}
