//! What a source's events are, from one pass over their lines.

use bytes::Bytes;
use bytestring::ByteString;

use super::problems::{LineProblem, SurveyedFile};
use crate::evidence::facts::{ExportParameters, SourceFacts};
use crate::evidence::manifest::LinesEntry;
use crate::model::event::{SCHEMA, UNPARSED};
use crate::model::hashing::QuickMap;
use crate::model::json::{Document, Node};
use crate::model::record::Fingerprint;
use crate::model::text::printable;
use crate::model::time::{Timestamp, Window, format_millis, parse_api_time};

/// The `order` of a source whose events stand by the time of their processing.
pub const BY_PROCESSING: &str = "processed_time";

/// What a source's events are.
#[derive(Debug, Default)]
pub struct EventsSurvey {
    /// Their file.
    pub file: SurveyedFile,
    /// The earliest time.
    pub first: Option<Timestamp>,
    /// The latest time.
    pub last: Option<Timestamp>,
    /// Events that could not be understood.
    pub unparsed: u64,
    /// Events that are placed before one above them: their source gave them in that order.
    pub out_of_order: u64,
}

/// Reads the lines of a source's events.
pub struct EventSurveyor<'a> {
    source: &'a str,
    window: Window,
    is_by_processing: bool,
    survey: EventsSurvey,
    latest: Option<Timestamp>,
    /// All that grows with the events: 16 bytes for each line that the manifest lists.
    ids: QuickMap<Fingerprint, ()>,
}

impl<'a> EventSurveyor<'a> {
    /// Of this source, for an export with these parameters.
    pub fn new(asked: &ExportParameters, source: &'a SourceFacts) -> EventSurveyor<'a> {
        EventSurveyor {
            source: &source.name,
            window: Window { from: asked.since, to: Some(asked.until) },
            is_by_processing: source.order == BY_PROCESSING,
            survey: EventsSurvey::default(),
            latest: None,
            ids: QuickMap::default(),
        }
    }

    /// Reads a line.
    pub fn line(&mut self, line: Bytes, number: u64) {
        let problems = &mut self.survey.file.problems;
        let text = ByteString::try_from(line).map_err(|_| "it is not UTF-8".to_owned());
        let parse = |text| Document::parse(text).map_err(|why| format!("it is not JSON: {why}"));
        let doc = match text.and_then(parse) {
            Ok(doc) => doc,
            Err(why) => return problems.add(number, LineProblem::Unreadable(why)),
        };
        let keys = ["schema", "id", "source", "time", "processed_time", "action"];
        let [schema, id, source, time, processed, action] = doc.root().fields(keys);
        if !schema.is_some_and(|schema| schema.is(SCHEMA)) {
            let why = "it is not a normalized event".to_owned();
            return problems.add(number, LineProblem::Unreadable(why));
        }
        match id.and_then(|id| id.text()) {
            None => problems.add(number, LineProblem::NoId),
            Some(id) => {
                let before = self.ids.insert(Fingerprint::of(id.as_bytes()), ());
                if before.is_some() {
                    let id = printable(&id);
                    problems.add(number, LineProblem::DuplicateId(id));
                }
            }
        }
        let name = source.and_then(|source| source.text_of("name"));
        if name.as_deref() != Some(self.source) {
            let name = printable(&name.unwrap_or_default());
            problems.add(number, LineProblem::ForeignSource(name));
        }
        self.survey.unparsed += u64::from(action.is_some_and(|action| action.is(UNPARSED)));
        let read = |time: Option<Node<'_>>| parse_api_time(&time?.text()?);
        self.check_times(read(time), read(processed), number);
    }

    fn check_times(&mut self, time: Option<Timestamp>, processed: Option<Timestamp>, number: u64) {
        if let Some(time) = time {
            self.survey.first = Some(self.survey.first.map_or(time, |first| first.min(time)));
            self.survey.last = self.survey.last.max(Some(time));
            if !self.window.contains(time) {
                self.survey
                    .file
                    .problems
                    .add(number, LineProblem::OutsideWindow(format_millis(time)));
            }
        }
        let position = match self.is_by_processing {
            true => processed.or(time),
            false => time,
        };
        // An event without a time has no position.
        if let Some(position) = position {
            if self.latest.is_some_and(|latest| position < latest) {
                self.survey.out_of_order += 1;
            }
            self.latest = self.latest.max(Some(position));
        }
    }

    /// What was found, in the file that is `entry` and whose reading stopped for this reason.
    pub fn finish(mut self, entry: LinesEntry, end: Option<(u64, LineProblem)>) -> EventsSurvey {
        self.survey.file.finish(entry, end);
        self.survey
    }
}
