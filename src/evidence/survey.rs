//! The survey of an export's files of lines: one pass over each finds all that the manifest says of
//! it, and all that is wrong with it. `export` makes the manifest from it, `verify` compares with
//! it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use bytestring::ByteString;
use chrono::DateTime;

use super::hash::{ChainKind, HashChain, is_sha256};
use super::line_problems::{LineProblem, ProblemList};
use super::manifest::{
    ClockComparison, ExportFacts, ExportParameters, FileEntry, LinesEntry, Manifest, RetryEntry,
    SCHEMA, SourceEntry, SourceFacts,
};
use super::packed_lines::{PackedLineError, PackedLines};
use super::page::{BodyDigest, PageLine, RequestedSpan};
use crate::model::event;
use crate::model::hashing::QuickMap;
use crate::model::json::{Document, Node};
use crate::model::record::Fingerprint;
use crate::model::text::printable;
use crate::model::time::{Timestamp, Window, format_millis, parse_api_time};

/// Lines read beyond those that the manifest lists, so that a small change is located exactly.
const EXTRA_LINES: u64 = 1000;
/// Bytes of text read beyond those that the manifest states.
const EXTRA_BYTES: u64 = 1024 * 1024;
/// The `order` of a source whose events are sorted by the time of their processing.
const BY_PROCESSING: &str = "processed_time";

/// The path of a source's file of lines within an export.
pub fn path_of(kind: ChainKind, source: &str) -> String {
    format!("{}/{source}.jsonl.zst", kind.as_str())
}

/// The path of a body within an export.
pub fn body_path(source: &str, sha256: &str) -> String {
    format!("bodies/{source}/{sha256}.json.zst")
}

/// How much text is read of a file that the manifest describes like this: a few bytes can unpack to
/// any number of lines.
pub fn text_limit(said: &LinesEntry) -> u64 {
    said.text_bytes.saturating_add(EXTRA_BYTES)
}

/// A file of lines, as far as it could be read.
#[derive(Debug, Default)]
pub struct SurveyedFile {
    /// What the manifest says of such a file.
    pub entry: LinesEntry,
    /// What is wrong with it.
    pub problems: ProblemList,
    /// Whether it could not be read to its end.
    pub is_broken: bool,
}

impl SurveyedFile {
    /// Whether it is the whole file that the manifest describes like this.
    pub fn is_all_of(&self, said: &LinesEntry) -> bool {
        self.entry.sha256 == said.sha256 && !self.is_broken
    }
}

/// What was found of one source.
#[derive(Debug, Default)]
pub struct SourceSurvey {
    /// What the manifest says of it, but for what [`SourceSurvey::manifest_entry`] adds.
    entry: SourceEntry,
    /// The file of its events.
    pub events: SurveyedFile,
    /// The file of its responses.
    pub pages: SurveyedFile,
    /// The clocks, at the first response that had a date.
    clock: Option<ClockComparison>,
    /// The spans that pages were requested for, joined.
    pub spans: MergedSpans,
    /// The length of each body that is stored or named, by its hash; nothing where two responses
    /// state different lengths.
    pub bodies: BTreeMap<String, Option<u64>>,
    /// Pages of records whose bodies are neither stored nor named.
    pub missing_bodies: ProblemList,
}

/// What is known of a source's responses from elsewhere. It bounds what is kept in memory: nothing
/// that only the responses name.
pub struct PageClaims<'a> {
    /// What the manifest says of the source.
    pub entry: &'a SourceEntry,
    /// Whether a body of this hash is there, or named anywhere.
    pub has_body: &'a dyn Fn(&str) -> bool,
}

impl SourceSurvey {
    /// A survey of the source with these facts that has read nothing yet.
    pub fn new(facts: &SourceFacts) -> SourceSurvey {
        let entry = SourceEntry { facts: facts.clone(), ..SourceEntry::default() };
        SourceSurvey { entry, ..SourceSurvey::default() }
    }

    /// Reads the events, in the export at `dir`; of a file that the manifest describes as `said`,
    /// little more than that.
    ///
    /// # Errors
    /// The file cannot be read. What is wrong with its content is no error.
    pub fn read_events(
        &mut self,
        dir: &Path,
        asked: &ExportParameters,
        said: Option<&LinesEntry>,
    ) -> io::Result<()> {
        let name = self.entry.facts.name.clone();
        let mut surveyor = EventSurveyor {
            entry: &mut self.entry,
            window: Window { from: asked.since, to: Some(asked.until) },
            latest: None,
            ids: QuickMap::default(),
        };
        self.events =
            survey_lines(dir, ChainKind::Events, &name, said, |line, number, problems| {
                surveyor.add(line, number, problems);
            })?;
        Ok(())
    }

    /// Reads the responses, in the export at `dir`; with `claims`, little more than they name.
    ///
    /// # Errors
    /// As with [`SourceSurvey::read_events`].
    pub fn read_pages(&mut self, dir: &Path, claims: Option<PageClaims<'_>>) -> io::Result<()> {
        let name = self.entry.facts.name.clone();
        let said = claims.as_ref().map(|claims| &claims.entry.pages);
        let claims = claims.as_ref();
        let mut surveyor = PageSurveyor { found: self, claims, retries_differ: false };
        self.pages = survey_lines(dir, ChainKind::Pages, &name, said, |line, number, problems| {
            surveyor.add(&line, number, problems);
        })?;
        Ok(())
    }

    /// What the manifest says of the source.
    fn manifest_entry(&self) -> SourceEntry {
        let mut entry = self.entry.clone();
        let (counts, dropped) = (&mut entry.counts, entry.facts.dropped);
        counts.responses = self.pages.entry.lines;
        counts.written = self.events.entry.lines;
        counts.repeats = dropped.repeats;
        counts.outside = dropped.outside;
        let known = counts.written.saturating_add(dropped.repeats).saturating_add(dropped.outside);
        counts.read_again = counts.served.saturating_sub(known);
        entry.events = self.events.entry.clone();
        entry.pages = self.pages.entry.clone();
        entry
    }
}

/// Shows each line of a source's file to `read_line`, with its number.
fn survey_lines(
    dir: &Path,
    kind: ChainKind,
    source: &str,
    said: Option<&LinesEntry>,
    mut read_line: impl FnMut(Bytes, u64, &mut ProblemList),
) -> io::Result<SurveyedFile> {
    let file = path_of(kind, source);
    let mut chain = HashChain::new(kind);
    let mut found = SurveyedFile::default();
    let mut lines = match PackedLines::open(&dir.join(&file), said.map_or(u64::MAX, text_limit)) {
        // Nothing was ever read.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            found.entry = LinesEntry { file, chain: chain.head(), ..LinesEntry::default() };
            return Ok(found);
        }
        lines => lines?,
    };
    let (said_lines, said_bytes) =
        said.map_or((u64::MAX, u64::MAX), |said| (said.lines, said.text_bytes));
    let most_lines = said_lines.saturating_add(EXTRA_LINES);
    let end = loop {
        let next = chain.lines + 1;
        match lines.next() {
            Ok(Some(line)) if next <= most_lines => {
                chain.push(&line);
                read_line(line, next, &mut found.problems);
            }
            Ok(None) if lines.lacks_final_newline => {
                break Some((chain.lines, LineProblem::NoFinalNewline));
            }
            Ok(None) => break None,
            Ok(Some(_)) | Err(PackedLineError::LimitReached) => {
                let (lines, text_bytes) = (said_lines, said_bytes);
                break Some((next, LineProblem::ExceedsManifest { lines, text_bytes }));
            }
            Err(PackedLineError::Corrupt(why)) => break Some((next, LineProblem::Corrupt(why))),
            Err(PackedLineError::TooLong(most)) => break Some((next, LineProblem::TooLong(most))),
        }
    };
    if let Some((line, problem)) = end {
        found.is_broken = problem.stops_reading();
        found.problems.add(line, problem);
    }
    let text_bytes = lines.text_bytes;
    let digest = lines.finish()?;
    found.entry = LinesEntry {
        file,
        lines: chain.lines,
        bytes: digest.bytes,
        text_bytes,
        sha256: digest.sha256,
        chain: chain.head(),
        lines_per_mark: chain.lines_per_mark,
        marks: chain.marks,
    };
    Ok(found)
}

/// Reads the lines of a source's events.
struct EventSurveyor<'a> {
    entry: &'a mut SourceEntry,
    window: Window,
    latest: Option<Timestamp>,
    /// All that grows with the events: 16 bytes for each line that the manifest lists.
    ids: QuickMap<Fingerprint, ()>,
}

impl EventSurveyor<'_> {
    fn add(&mut self, line: Bytes, number: u64, problems: &mut ProblemList) {
        let text = ByteString::try_from(line).map_err(|_| "it is not UTF-8".to_owned());
        let parse = |text| Document::parse(text).map_err(|why| format!("it is not JSON: {why}"));
        let doc = match text.and_then(parse) {
            Ok(doc) => doc,
            Err(why) => return problems.add(number, LineProblem::Unreadable(why)),
        };
        let keys = ["schema", "id", "source", "time", "processed_time", "action"];
        let [schema, id, source, time, processed, action] = doc.root().fields(keys);
        if !schema.is_some_and(|schema| schema.is(event::SCHEMA)) {
            let why = "it is not a normalized event".to_owned();
            return problems.add(number, LineProblem::Unreadable(why));
        }
        match id.and_then(|id| id.text()) {
            None => problems.add(number, LineProblem::NoId),
            Some(id) => {
                if self.ids.insert(Fingerprint::of(id.as_bytes()), ()).is_some() {
                    problems.add(number, LineProblem::DuplicateId(printable(&id)));
                }
            }
        }
        let name = source.and_then(|source| source.text_of("name")).unwrap_or_default();
        if *name != *self.entry.facts.name {
            problems.add(number, LineProblem::ForeignSource(printable(&name)));
        }
        self.entry.counts.unparsed +=
            u64::from(action.is_some_and(|action| action.is(event::UNPARSED)));
        let read = |time: Option<Node<'_>>| parse_api_time(&time?.text()?);
        self.add_times(read(time), read(processed), number, problems);
    }

    fn add_times(
        &mut self,
        time: Option<Timestamp>,
        processed: Option<Timestamp>,
        number: u64,
        problems: &mut ProblemList,
    ) {
        if let Some(time) = time {
            self.entry.first = self.entry.first.into_iter().chain([time]).min();
            self.entry.last = self.entry.last.max(Some(time));
            if !self.window.contains(time) {
                problems.add(number, LineProblem::OutsideWindow(format_millis(time)));
            }
        }
        let processed = processed.filter(|_| self.entry.facts.order == BY_PROCESSING);
        // An event without a time has no position.
        if let Some(position) = processed.or(time) {
            self.entry.counts.out_of_order +=
                u64::from(self.latest.is_some_and(|latest| position < latest));
            self.latest = self.latest.max(Some(position));
        }
    }
}

/// Reads the lines of a source's responses.
struct PageSurveyor<'a> {
    found: &'a mut SourceSurvey,
    claims: Option<&'a PageClaims<'a>>,
    retries_differ: bool,
}

impl PageSurveyor<'_> {
    fn add(&mut self, line: &[u8], number: u64, problems: &mut ProblemList) {
        let page: PageLine = match serde_json::from_slice(line) {
            Ok(page) => page,
            Err(error) => {
                // Its words may quote the line; the place is enough.
                let why = format!("it is not a response line (at its byte {})", error.column());
                return problems.add(number, LineProblem::Unreadable(why));
            }
        };
        let SourceSurvey { entry, clock: first_clock, spans, .. } = &mut *self.found;
        if page.n != number {
            problems.add(number, LineProblem::WrongNumber(page.n));
        }
        if first_clock.is_none() {
            *first_clock = clock(&page);
        }
        entry.waited_ms = entry.waited_ms.saturating_add(page.waited_ms.unwrap_or(0));
        if let Some(records) = page.records {
            entry.counts.pages += 1;
            entry.counts.served = entry.counts.served.saturating_add(records);
            page.span.into_iter().for_each(|span| spans.add(span));
        }
        match page.body {
            Some(body) if !is_sha256(&body.sha256) => {
                let why = "the hash of its body is none".to_owned();
                problems.add(number, LineProblem::Unreadable(why));
            }
            Some(body) => self.add_body(body, page.records.is_some(), number),
            None => {}
        }
        if let Some(error) = page.error {
            self.add_retry(RetryEntry {
                at: page.received,
                line: number,
                status: page.status,
                error,
                waited_ms: page.waited_ms,
            });
        }
    }

    /// A body is remembered only where it is stored in a file too, or named as one.
    fn add_body(&mut self, body: BodyDigest, is_page: bool, number: u64) {
        let Some(claims) = self.claims else { return };
        if (claims.has_body)(&body.sha256) {
            let known = self.found.bodies.entry(body.sha256).or_insert(Some(body.bytes));
            *known = known.filter(|bytes| *bytes == body.bytes);
        } else if is_page {
            let path = body_path(&self.found.entry.facts.name, &body.sha256);
            self.found.missing_bodies.add(number, LineProblem::MissingBody(path));
        }
    }

    /// After the first that differs from the manifest no more are needed.
    fn add_retry(&mut self, retry: RetryEntry) {
        let retries = &mut self.found.entry.retries;
        if !self.retries_differ {
            let said = self.claims.map(|claims| claims.entry.retries.get(retries.len()));
            self.retries_differ = said.is_some_and(|said| said != Some(&retry));
            retries.push(retry);
        }
    }
}

/// Our clock beside the server's, where the response has its date.
fn clock(page: &PageLine) -> Option<ClockComparison> {
    let (_, date) = page.headers.iter().find(|(name, _)| name == "date")?;
    let server: Timestamp = DateTime::parse_from_rfc2822(date).ok()?.to_utc();
    let skew_ms = page.received.signed_duration_since(server).num_milliseconds();
    Some(ClockComparison { skew_ms, at: page.received, server })
}

/// The manifest of an export with these facts, of whose sources, in their order, this was found;
/// nothing where the facts know of no run.
pub fn manifest(
    facts: &ExportFacts,
    found: &[&SourceSurvey],
    files: Vec<FileEntry>,
) -> Option<Manifest> {
    let (first, last) = (facts.runs.first()?, facts.runs.last()?);
    let clocks = found.iter().filter_map(|found| found.clock.clone());
    let is_described = |name: &String| facts.sources.iter().any(|source| source.name == *name);
    let are_all_described = facts.asked.sources.iter().all(is_described);
    Some(Manifest {
        schema: SCHEMA.to_owned(),
        complete: are_all_described && facts.sources.iter().all(|source| source.complete),
        asked: facts.asked.clone(),
        started: first.started,
        finished: last.finished.unwrap_or(last.started),
        runs: facts.runs.clone(),
        made_by: facts.made_by.clone(),
        clock: clocks.min_by_key(|clock| clock.at),
        sources: found.iter().map(|found| found.manifest_entry()).collect(),
        detection: facts.detection,
        files,
    })
}

/// Spans that do not touch. An export's are one, or a few where it was interrupted.
const MAX_SPANS: usize = 10_000;

/// Time ranges, joined. An end that is missing is none.
#[derive(Debug, Default)]
pub struct MergedSpans(BTreeMap<Timestamp, Option<Timestamp>>);

impl MergedSpans {
    /// One more. Where there are too many it is forgotten: nothing is said to be read that was not.
    pub fn add(&mut self, span: RequestedSpan) {
        let RequestedSpan { mut from, mut to } = span;
        if to.is_some_and(|to| to <= from) {
            return;
        }
        if let Some((&start, &end)) = self.0.range(..=from).next_back()
            && end.is_none_or(|end| from <= end)
        {
            (from, to) = (start, later(end, to));
            self.0.remove(&start);
        }
        while let Some((&start, &end)) = self.0.range(from..).next()
            && to.is_none_or(|to| start <= to)
        {
            to = later(end, to);
            self.0.remove(&start);
        }
        if self.0.len() < MAX_SPANS {
            self.0.insert(from, to);
        }
    }

    /// Whether one of them holds all from `from` to `to`.
    pub fn cover(&self, from: Timestamp, to: Timestamp) -> bool {
        let before = self.0.range(..=from).next_back();
        before.is_some_and(|(_, end)| end.is_none_or(|end| to <= end))
    }

    /// The first instant at or after `from` that none of them holds; nothing where one has no end.
    pub fn first_uncovered(&self, from: Timestamp) -> Option<Timestamp> {
        match self.0.range(..=from).next_back() {
            Some((_, None)) => None,
            Some((_, Some(end))) => Some(from.max(*end)),
            None => Some(from),
        }
    }
}

fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(one?.max(other?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(second * 1000).unwrap()
    }

    fn of(spans: &[(i64, Option<i64>)]) -> MergedSpans {
        let mut all = MergedSpans::default();
        for (from, to) in spans {
            let (from, to) = (at(*from), to.map(at));
            all.add(RequestedSpan { from, to });
        }
        all
    }

    #[test]
    fn any_number_that_touch_are_one_and_others_are_few() {
        let touching: Vec<_> = (0..50_000).map(|n| (n, Some(n + 1))).collect();
        assert_eq!(of(&touching).0.len(), 1);
        assert!(of(&touching).cover(at(0), at(50_000)));
        let apart: Vec<_> = (0..50_000).map(|n| (2 * n, Some(2 * n + 1))).collect();
        assert_eq!(of(&apart).0.len(), MAX_SPANS);
    }

    proptest! {
        #[test]
        fn a_second_is_covered_where_a_span_has_it(
            spans in prop::collection::vec(
                (0_i64..30, prop::option::weighted(0.95, 0_i64..30)), 0..12,
            ),
            from in 0_i64..30, length in 1_i64..30,
        ) {
            let all = of(&spans);
            let is_in = |second: i64| {
                let mut spans = spans.iter();
                spans.any(|(from, to)| *from <= second && to.is_none_or(|to| second < to))
            };
            let to = from + length;
            prop_assert_eq!(all.cover(at(from), at(to)), (from..to).all(is_in));
            let end = (from..60).find(|second| !is_in(*second));
            prop_assert_eq!(all.first_uncovered(at(from)), end.map(at));
        }
    }
}
