//! Turns fetched records into lines: removes repeats, filters, normalises, renders, and advances
//! the watermark. No I/O.

use std::sync::Arc;
use std::time::Duration;

use crate::config::settings::OutputFormat;
use crate::detect::{DetectionSetup, StoredEvent};
use crate::fetch::plan::watermark_of;
use crate::model::event::UserProfiles;
use crate::model::event::{EventText, UNPARSED};
use crate::model::record::Record;
use crate::model::time::{Timestamp, Window, before};
use crate::normalise::{self, RecordOrigin};
use crate::render;
use crate::state::dedup_cache::{DedupCache, DedupResult};
use crate::state::event_gaps::EventGaps;

/// Bytes that nearly every normalized event without `raw` fits into.
const TYPICAL_LINE: usize = 2048;

/// Turns records into lines, and remembers which were written.
#[derive(Debug)]
pub struct RecordProcessor {
    /// The source that the events name.
    pub origin: RecordOrigin,
    /// The format of a line.
    pub format: OutputFormat,
    /// How far before the watermark records are remembered.
    pub overlap: Duration,
    /// Only events that happened in here are written.
    pub keep: Option<Window>,
    /// How many more events may be written.
    pub remaining: Option<u64>,
    /// The position of the last record processed. Not the maximum: a single wrong date in the
    /// future would make later pulls skip what lies before it.
    pub watermark: Option<Timestamp>,
    /// The records written near the watermark.
    pub dedup_cache: DedupCache,
    /// Records that this run leaves to others.
    left_to_others: DedupCache,
    /// How often the watermark moves.
    pub event_gaps: EventGaps,
    /// During a reread: what lies before this was written by the first reading.
    pub written_before: Option<Timestamp>,
    /// Profiles of the users in the records, where these are looked up.
    pub users: UserProfiles,
    /// What events are judged with, where they are.
    pub detection: Option<Arc<DetectionSetup>>,
    start: Timestamp,
}

/// What becomes of records.
#[derive(Debug, Default)]
pub struct RenderedEvents {
    /// The lines of events.
    pub lines: Vec<u8>,
    /// The events as they are judged, where they are; without those whose time is not known.
    pub judged: Vec<StoredEvent>,
}

/// How many records were written, or left out and why.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RecordCounts {
    /// Lines rendered.
    pub events: u64,
    /// Records that were written before.
    pub repeats: u64,
    /// Records whose time lies outside the requested window.
    pub outside: u64,
    /// Records that could not be understood; they are among the events.
    pub unparsed: u64,
    /// Records with a time that could not be read; they are among the events.
    pub unreadable_times: u64,
    /// Records whose id was written before with another content; they are among the events.
    pub clashes: u64,
    /// Events that could not be judged, because it is not known when they happened.
    pub undated: u64,
    /// The earliest time of an event.
    pub first: Option<Timestamp>,
    /// The latest time of an event.
    pub last: Option<Timestamp>,
}

impl RecordCounts {
    /// Adds what `other` counted.
    pub fn add(&mut self, other: &RecordCounts) {
        self.events += other.events;
        self.repeats += other.repeats;
        self.outside += other.outside;
        self.unparsed += other.unparsed;
        self.unreadable_times += other.unreadable_times;
        self.clashes += other.clashes;
        self.undated += other.undated;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
    }
}

impl RecordProcessor {
    /// A processor for a run that starts at `start`, with an empty memory.
    pub fn new(
        origin: RecordOrigin,
        format: OutputFormat,
        overlap: Duration,
        start: Timestamp,
    ) -> RecordProcessor {
        RecordProcessor {
            origin,
            format,
            overlap,
            keep: None,
            remaining: None,
            watermark: None,
            dedup_cache: DedupCache::default(),
            left_to_others: DedupCache::default(),
            event_gaps: EventGaps::default(),
            written_before: None,
            users: UserProfiles::default(),
            detection: None,
            start,
        }
    }

    /// Continues a reread that the last run began: the dedup cache has grown since, so
    /// `written_before` stays as it was at its start.
    pub fn resume_reread(&mut self) {
        self.dedup_cache.start_reading();
    }

    /// From now on records come that may have been written before: all that lie before the dedup
    /// cache begins were. What lies before `since` is not to be written by this run.
    pub fn start_reread(&mut self, since: Option<Timestamp>) {
        self.dedup_cache.start_reading();
        self.written_before = self.dedup_cache.complete_from().max(since);
    }

    /// Takes note of `records` that belong to other runs.
    pub fn leave_to_others(&mut self, records: &[Record]) {
        for record in records {
            let position = record.position.unwrap_or(self.start);
            self.left_to_others.remember(record, position);
        }
    }

    /// Whether no further event may be written.
    pub fn is_full(&self) -> bool {
        self.remaining == Some(0)
    }

    /// Marks `records` as present on one page; to be called before any of them is processed.
    pub fn mark_batch(&mut self, records: &[Record]) {
        self.dedup_cache.brought(records);
    }

    /// Renders `records`, in order, into `rendered`, until all are done or `--max-events` is
    /// reached. Returns the counts and how many records were processed.
    pub fn process(
        &mut self,
        records: &[Record],
        received: Timestamp,
        rendered: &mut RenderedEvents,
    ) -> (RecordCounts, usize) {
        let mut counts = RecordCounts::default();
        for (taken, record) in records.iter().enumerate() {
            if self.is_full() {
                return (counts, taken);
            }
            self.process_one(record, received, rendered, &mut counts);
        }
        (counts, records.len())
    }

    /// Forgets records from before the overlap, which will not be requested again. The next check
    /// of a cursor rereads what follows `checked`, the last one, so that stays too.
    pub fn prune(&mut self, checked: Option<Timestamp>) {
        let newest = |newest: Timestamp| checked.map_or(newest, |checked| newest.min(checked));
        let keep_from = self.watermark.map(|mark| before(newest(mark), self.overlap));
        // Without a watermark only the number of records is limited.
        self.dedup_cache.prune(keep_from.unwrap_or(Timestamp::MIN_UTC));
    }

    fn process_one(
        &mut self,
        record: &Record,
        received: Timestamp,
        rendered: &mut RenderedEvents,
        counts: &mut RecordCounts,
    ) {
        let previous = self.watermark;
        let moved = record.position.and_then(|own| watermark_of(own, received));
        self.watermark = moved.or(previous);
        // Without a position of its own it belongs to the records around it.
        let position = record.position.or(self.watermark).unwrap_or(self.start);
        if self.written_before.is_some_and(|floor| position < floor) {
            counts.repeats += 1;
            return;
        }
        let verdict = match self.left_to_others.look_up(record, position) {
            DedupResult::Repeat => DedupResult::Repeat,
            among_others => match self.dedup_cache.remember(record, position) {
                DedupResult::New => among_others,
                among_own => among_own,
            },
        };
        if verdict == DedupResult::Repeat {
            counts.repeats += 1;
            return;
        }
        if let (Some(from), Some(to)) = (previous, moved) {
            self.event_gaps.moved(from, to);
        }
        if let (Some(keep), Some(time)) = (&self.keep, record.time)
            && !keep.contains(time)
        {
            counts.outside += 1;
            return;
        }
        self.render(record, received, verdict, rendered, counts);
    }

    fn render(
        &mut self,
        record: &Record,
        received: Timestamp,
        verdict: DedupResult,
        rendered: &mut RenderedEvents,
        counts: &mut RecordCounts,
    ) {
        let mut event = normalise::normalise(&self.origin, record, received);
        if !self.users.is_empty() {
            normalise::people::fill_details(&mut event, |id| self.users.get(id));
        }
        if verdict == DedupResult::Clash {
            // Both are written, and ids must stay unique.
            event.id = format!("{}~{:016x}", event.id, record.doc.content_hash());
            counts.clashes += 1;
        }
        if event.action == EventText::Borrowed(UNPARSED) {
            counts.unparsed += 1;
        }
        counts.unreadable_times += u64::from(event.has_unreadable_time());
        render::append_line(self.format, &event, record, &mut rendered.lines);
        if let Some(setup) = &self.detection {
            let line = || {
                let mut line = Vec::with_capacity(TYPICAL_LINE);
                match setup.rules.reads_raw() {
                    true => {
                        render::append_line(OutputFormat::Normalized, &event, record, &mut line)
                    }
                    false => render::append_without_raw(&event, &mut line),
                }
                line
            };
            let judged = setup.pulled_event(&event, line).map(|event| event.store());
            #[cfg(debug_assertions)]
            assert!(judged == event_of_line(setup, &event, record), "{judged:?}");
            counts.undated += u64::from(judged.is_none());
            rendered.judged.extend(judged);
        }
        counts.events += 1;
        counts.first = counts.first.into_iter().chain(event.time).min();
        counts.last = counts.last.max(event.time);
        self.remaining = self.remaining.map(|left| left.saturating_sub(1));
    }
}

/// What `detect` judges of the saved line of the event: the same, as every test run shows.
#[cfg(debug_assertions)]
fn event_of_line(
    setup: &DetectionSetup,
    event: &crate::model::event::Event<'_>,
    record: &Record,
) -> Option<StoredEvent> {
    let mut line = Vec::new();
    render::append_line(OutputFormat::Normalized, event, record, &mut line);
    let text = bytestring::ByteString::try_from(line).ok()?;
    Some(setup.event(&crate::model::json::Document::parse(text).ok()?)?.store())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;
    use crate::model::name::SourceKind;
    use crate::model::time::parse_api_time;

    fn at(text: &str) -> Timestamp {
        parse_api_time(&format!("2026-11-20T{text}Z")).unwrap()
    }

    fn step() -> RecordProcessor {
        let origin = RecordOrigin::named("acme", SourceKind::OrgEvents);
        RecordProcessor::new(
            origin,
            OutputFormat::Normalized,
            Duration::from_secs(600),
            at("12:00:00"),
        )
    }

    fn record(id: &str, position: &str) -> Record {
        let text = format!(r#"{{"id":"{id}","attributes":{{"action":"user_login"}}}}"#);
        Record {
            id: Some(id.to_owned()),
            time: Some(at(position)),
            position: Some(at(position)),
            doc: Document::new(text.into()),
        }
    }

    fn ids(lines: &[u8]) -> Vec<String> {
        serde_json::Deserializer::from_slice(lines)
            .into_iter::<serde_json::Value>()
            .map(|event| event.unwrap()["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Takes all `records`; returns the ids written and the tally.
    fn take(step: &mut RecordProcessor, records: &[Record]) -> (Vec<String>, RecordCounts) {
        let mut rendered = RenderedEvents::default();
        step.mark_batch(records);
        let (tally, _) = step.process(records, at("12:00:00"), &mut rendered);
        (ids(&rendered.lines), tally)
    }

    #[test]
    fn each_record_is_written_once() {
        let mut step = step();
        let (written, tally) = take(
            &mut step,
            &[record("a", "09:00:00"), record("b", "09:00:00"), record("a", "09:00:00")],
        );
        assert_eq!(written, ["org:a", "org:b"]);
        assert_eq!((tally.events, tally.repeats), (2, 1));
        assert_eq!(step.watermark, Some(at("09:00:00")));
    }

    #[test]
    fn an_id_with_another_content_is_kept_under_a_name_of_its_own() {
        let mut other = record("a", "09:00:00");
        other.doc = Document::new(r#"{"id":"a"}"#.into());
        let (written, tally) = take(&mut step(), &[record("a", "09:00:00"), other]);
        assert_eq!((tally.clashes, tally.unparsed), (1, 1));
        assert_eq!(written[0], "org:a");
        assert!(written[1].starts_with("org:a~"), "{}", written[1]);
    }

    #[test]
    fn rereading_writes_late_records_inside_the_overlap_only() {
        let mut step = step();
        take(&mut step, &[record("old", "09:00:00"), record("new", "11:00:00")]);
        step.prune(None);
        // Without a rereading, what comes is new, however old its time: the server's order says so.
        let (written, _) = take(&mut step, &[record("stray", "08:00:00")]);
        assert_eq!(written, ["org:stray"]);
        step.start_reread(None);
        let records = [
            record("old", "09:00:00"),
            record("late", "10:55:00"),
            record("new", "11:00:00"),
            record("newer", "11:30:00"),
        ];
        let (written, tally) = take(&mut step, &records);
        assert_eq!(written, ["org:late", "org:newer"]);
        assert_eq!(tally.repeats, 2);
    }

    #[test]
    fn a_reading_again_takes_a_second_record_of_an_id_for_renamed_only_where_the_first_is_gone() {
        let with = |content: &str| {
            let mut record = record("a", "09:00:00");
            record.doc = Document::new(format!(r#"{{"id":"a","n":"{content}"}}"#).into());
            record
        };
        let mut step = step();
        take(&mut step, &[with("first")]);
        step.start_reread(None);
        let (_, tally) = take(&mut step, &[with("renamed")]);
        assert_eq!((tally.events, tally.repeats), (0, 1));
        // The second comes before the first: both are there, so neither is the other renamed.
        let (_, tally) = take(&mut step, &[with("second"), with("first")]);
        assert_eq!((tally.events, tally.clashes, tally.repeats), (1, 1, 1));
    }

    #[test]
    fn a_resumed_reread_knows_what_it_knew_at_its_start() {
        let mut step = step();
        take(&mut step, &[record("old", "09:00:00")]);
        step.start_reread(None);
        // News that the interrupted run wrote push the memory's beginning on.
        let news: Vec<_> = (0..2_500)
            .map(|n| record(&format!("n{n}"), &format!("10:{:02}:{:02}", n / 60, n % 60)))
            .collect();
        take(&mut step, &news);
        step.prune(None);
        let floor = step.written_before;
        assert!(step.dedup_cache.complete_from() > floor);
        step.resume_reread();
        assert_eq!(step.written_before, floor);
        let (written, _) = take(&mut step, &[record("stray", "10:00:00")]);
        assert_eq!(written, ["org:stray"]);
    }

    #[test]
    fn at_the_limit_the_number_of_processed_records_is_returned() {
        let mut step = step();
        step.remaining = Some(1);
        let records = [record("a", "09:00:00"), record("b", "09:00:01")];
        let mut rendered = RenderedEvents::default();
        let (tally, taken) = step.process(&records, at("12:00:00"), &mut rendered);
        assert_eq!((tally.events, taken), (1, 1));
        assert!(step.is_full());
    }

    #[test]
    fn the_window_is_half_open_and_a_record_without_a_time_is_kept() {
        let mut step = step();
        step.keep = Some(Window { from: at("09:00:00"), to: Some(at("10:00:00")) });
        let mut timeless = record("timeless", "09:30:00");
        timeless.time = None;
        let records = [
            record("before", "08:59:59"),
            record("first", "09:00:00"),
            timeless,
            record("after", "10:00:00"),
        ];
        let (written, tally) = take(&mut step, &records);
        assert_eq!(written, ["org:first", "org:timeless"]);
        assert_eq!(tally.outside, 2);
    }

    #[test]
    fn a_wrong_date_between_others_does_not_carry_the_watermark_away() {
        let mut step = step();
        let records =
            [record("a", "09:00:00"), record("wrong", "11:59:59"), record("b", "09:00:01")];
        take(&mut step, &records);
        assert_eq!(step.watermark, Some(at("09:00:01")));
        // Nor does what is read again: memory goes only as far as the reading has come.
        take(&mut step, &records[..1]);
        assert_eq!(step.watermark, Some(at("09:00:00")));
    }

    #[test]
    fn a_date_far_ahead_does_not_carry_the_watermark_away() {
        let mut step = step();
        let mut ahead = record("ahead", "09:00:00");
        ahead.position = parse_api_time("9999-01-01T00:00:00Z");
        take(&mut step, &[ahead]);
        assert_eq!(step.watermark, None);
        // A server's clock may be ahead of ours.
        take(&mut step, &[record("skewed", "13:00:00")]);
        assert_eq!(step.watermark, Some(at("12:00:00")));
    }
}
