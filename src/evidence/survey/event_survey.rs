//! Owns the survey of a source's events.

use bytes::Bytes;
use bytestring::ByteString;

use super::problems::{NumberedProblem, ProblemList, LineProblem};
use crate::evidence::facts::{ExportParameters, SourceFacts};
use crate::evidence::manifest::LinesEntry;
use crate::model::event::{SCHEMA, UNPARSED};
use crate::model::hashing::QuickMap;
use crate::model::json::Document;
use crate::model::record::Fingerprint;
use crate::model::text::printable;
use crate::model::time::{Timestamp, Window, parse_api_time};

/// The `order` of a source whose events stand by the time of their processing.
pub const BY_PROCESSING: &str = "processed_time";

/// What a source's events are.
#[derive(Debug)]
pub struct EventsSurvey {
    /// What the manifest says of the file.
    pub entry: LinesEntry,
    /// The earliest time.
    pub first: Option<Timestamp>,
    /// The latest time.
    pub last: Option<Timestamp>,
    /// Events that could not be understood.
    pub unparsed: u64,
    /// Events that are placed before one above them: their source gave them in that order.
    pub out_of_order: u64,
    /// What is wrong with it.
    pub problems: ProblemList,
    /// Whether it could not be read to its end.
    pub is_broken: bool,
}

impl EventsSurvey {
    /// Whether it is of the whole file that `said` tells of.
    pub fn covers_file(&self, said: &LinesEntry) -> bool {
        self.entry.sha256 == said.sha256 && !self.is_broken
    }
}

pub struct EventSurveyor<'a> {
    source: &'a str,
    window: Window,
    is_by_processing: bool,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    unparsed: u64,
    out_of_order: u64,
    problems: ProblemList,
    latest: Option<Timestamp>,
    /// All that grows with the events: 16 bytes each; and these are no more than are said.
    ids: QuickMap<Fingerprint, ()>,
}

impl<'a> EventSurveyor<'a> {
    pub fn new(asked: &ExportParameters, source: &'a SourceFacts) -> EventSurveyor<'a> {
        EventSurveyor {
            source: &source.name,
            window: Window {
                from: asked.since,
                to: Some(asked.until),
            },
            is_by_processing: source.order == BY_PROCESSING,
            first: None,
            last: None,
            unparsed: 0,
            out_of_order: 0,
            problems: ProblemList::default(),
            latest: None,
            ids: QuickMap::default(),
        }
    }

    pub fn line(&mut self, line: Bytes, number: u64) {
        let unreadable = |why: &str| LineProblem::Unreadable(why.to_owned());
        let Ok(text) = ByteString::try_from(line) else {
            return self.problems.add(number, unreadable("it is not UTF-8"));
        };
        let doc = match Document::parse(text) {
            Ok(doc) => doc,
            Err(invalid) => {
                let why = format!("it is not JSON: {invalid}");
                return self.problems.add(number, LineProblem::Unreadable(why));
            }
        };
        let keys = ["schema", "id", "source", "time", "processed_time", "action"];
        let [schema, id, source, time, processed, action] = doc.root().fields(keys);
        if !schema.is_some_and(|schema| schema.is(SCHEMA)) {
            let why = "it is not a normalized event";
            return self.problems.add(number, unreadable(why));
        }
        match id.and_then(|id| id.text()) {
            None => self.problems.add(number, LineProblem::NoId),
            Some(id) => {
                let before = self.ids.insert(Fingerprint::of(id.as_bytes()), ());
                if before.is_some() {
                    let id = printable(&id);
                    self.problems.add(number, LineProblem::DuplicateId(id));
                }
            }
        }
        let name = source.and_then(|source| source.text_of("name"));
        if name.as_deref() != Some(self.source) {
            let name = printable(&name.unwrap_or_default());
            self.problems.add(number, LineProblem::ForeignSource(name));
        }
        self.unparsed += u64::from(action.is_some_and(|action| action.is(UNPARSED)));
        let read = |time: Option<crate::model::json::Node<'_>>| parse_api_time(&time?.text()?);
        self.check_times(read(time), read(processed), number);
    }

    fn check_times(&mut self, time: Option<Timestamp>, processed: Option<Timestamp>, number: u64) {
        if let Some(time) = time {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = self.last.max(Some(time));
            if !self.window.contains(time) {
                self.problems.add(number, LineProblem::OutsideWindow(format_time(time)));
            }
        }
        let position = match self.is_by_processing {
            true => processed.or(time),
            false => time,
        };
        // Of an event without a time nobody can say where it belongs.
        if let Some(position) = position {
            if self.latest.is_some_and(|latest| position < latest) {
                self.out_of_order += 1;
            }
            self.latest = self.latest.max(Some(position));
        }
    }

    pub fn finish(mut self, entry: LinesEntry, broken: Option<NumberedProblem>) -> EventsSurvey {
        let is_broken = broken
            .as_ref()
            .is_some_and(|trouble| trouble.problem.stops_reading());
        if let Some(NumberedProblem { line, problem: what }) = broken {
            self.problems.add(line, what);
        }
        EventsSurvey {
            entry,
            first: self.first,
            last: self.last,
            unparsed: self.unparsed,
            out_of_order: self.out_of_order,
            problems: self.problems,
            is_broken,
        }
    }
}

fn format_time(time: Timestamp) -> String {
    crate::model::time::format_millis(time)
}
