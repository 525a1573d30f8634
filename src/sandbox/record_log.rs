//! The log of one API: records stored as JSON text, in the order of their times.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json_text::JsonText;

/// A record before it has a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxRecord {
    /// Its id, as text; empty where it has none.
    pub id: String,
    /// When it was created; an event of an organization or a workspace: processed. Epoch
    /// milliseconds.
    pub created_ms: i64,
    /// When what it is about happened; another time only for events of organizations and
    /// workspaces.
    pub time_ms: i64,
    /// The JSON text, served byte for byte.
    pub text: String,
}

impl SandboxRecord {
    /// A record with this text. What cannot be read from it counts as absent.
    pub fn verbatim(text: String, created_ms: i64) -> Self {
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let id = match &value["id"] {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => String::new(),
        };
        let time = value["attributes"]["time"].as_str();
        let time = time.and_then(|time| chrono::DateTime::parse_from_rfc3339(time).ok());
        let time_ms = time.map_or(created_ms, |time| time.timestamp_millis());
        Self { id, created_ms, time_ms, text }
    }
}

/// The place of a record: creation time, or the time by which a query sorts, then order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordPosition {
    /// Epoch milliseconds.
    pub created_ms: i64,
    /// Number of arrival, from 1.
    pub number: u64,
}

/// A request for a page.
#[derive(Clone, Debug, Default)]
pub struct RecordQuery {
    /// Oldest first, instead of newest first.
    pub is_ascending: bool,
    /// The last record of the page before.
    pub after: Option<RecordPosition>,
    /// Records to skip.
    pub offset: usize,
    /// Most records on the page.
    pub limit: usize,
    /// Lower bound of the time, inclusive.
    pub from: Option<i64>,
    /// Upper bound of the time, inclusive.
    pub to: Option<i64>,
    /// The bounds are of `time_ms`, instead of `created_ms`.
    pub bounds_event_time: bool,
    /// The order and `after` are of `time_ms`, instead of `created_ms`.
    pub sorts_by_event_time: bool,
    /// Only so many records, in the order of their arrival.
    pub arrived: Option<u64>,
    /// Every seventh record created since then is not visible yet.
    pub hidden_since: Option<i64>,
    /// Words, lower case, that must all occur in the record. (Jira looks in most fields; here it is
    /// the whole text.)
    pub terms: Vec<String>,
}

/// A page of records.
#[derive(Debug, Default)]
pub struct RecordPage<'a> {
    /// Their JSON texts.
    pub texts: Vec<&'a str>,
    /// The place of the last one.
    pub last: Option<RecordPosition>,
    /// Whether there are more after it.
    pub more: bool,
}

impl RecordPage<'_> {
    /// The records as a JSON array.
    pub fn json(&self) -> JsonText {
        JsonText(format!("[{}]", self.texts.join(",")))
    }
}

/// The log.
#[derive(Debug, Default)]
pub struct RecordLog {
    /// Oldest first; among equal times in order of arrival.
    stored: Vec<StoredRecord>,
    arrived: u64,
}

#[derive(Debug)]
struct StoredRecord {
    number: u64,
    record: SandboxRecord,
}

impl StoredRecord {
    fn position(&self) -> RecordPosition {
        RecordPosition { created_ms: self.record.created_ms, number: self.number }
    }

    /// The place among records sorted by the time of what they are about.
    fn event_position(&self) -> RecordPosition {
        RecordPosition { created_ms: self.record.time_ms, number: self.number }
    }
}

impl RecordLog {
    /// A log of these records, which come in the order of their times.
    pub fn of(records: Vec<SandboxRecord>) -> Self {
        let numbered = (1..).zip(records);
        let stored: Vec<_> =
            numbered.map(|(number, record)| StoredRecord { number, record }).collect();
        Self { arrived: stored.len() as u64, stored }
    }

    /// Gives a record its place; among equal times it is the newest.
    pub fn add(&mut self, record: SandboxRecord) {
        self.arrived += 1;
        let stored = StoredRecord { number: self.arrived, record };
        let place = self.stored.partition_point(|old| old.position() < stored.position());
        self.stored.insert(place, stored);
    }

    /// How many records have arrived.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// All records, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &SandboxRecord> {
        self.stored.iter().map(|stored| &stored.record)
    }

    /// How many records there are, whatever the query: what Jira's `total` is (elastic/integrations
    /// 18106).
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// How many records lie within the bounds, which are inclusive.
    pub fn count(&self, from: Option<i64>, to: Option<i64>) -> usize {
        self.range(&RecordQuery { from, to, ..RecordQuery::default() }).len()
    }

    /// How many records within the bounds of `query` come before its page.
    pub fn before(&self, query: &RecordQuery) -> usize {
        let newer = self.count(query.from, query.to).saturating_sub(self.range(query).len());
        newer.saturating_add(query.offset)
    }

    /// When the newest record was created.
    pub fn last_created_ms(&self) -> Option<i64> {
        self.stored.last().map(|stored| stored.record.created_ms)
    }

    /// The place that lies `by` records newer than `place`; nothing outside the log.
    pub fn shifted(&self, place: RecordPosition, by: isize) -> Option<RecordPosition> {
        let at = self.stored.partition_point(|stored| stored.position() < place);
        self.stored.get(at.checked_add_signed(by)?).map(StoredRecord::position)
    }

    /// The page of `query`.
    pub fn page(&self, query: &RecordQuery) -> RecordPage<'_> {
        let range: Box<dyn DoubleEndedIterator<Item = &StoredRecord>> =
            match query.sorts_by_event_time {
                true => Box::new(self.by_event_time(query).into_iter()),
                false => Box::new(self.range(query).iter()),
            };
        let ordered: Box<dyn Iterator<Item = &StoredRecord>> = match query.is_ascending {
            true => range,
            false => Box::new(range.rev()),
        };
        let matching = ordered.filter(|stored| matches(stored, query)).skip(query.offset);
        let mut hits: Vec<&StoredRecord> = matching.take(query.limit.saturating_add(1)).collect();
        let more = hits.len() > query.limit;
        hits.truncate(query.limit);
        RecordPage {
            more,
            last: hits.last().map(|stored| match query.sorts_by_event_time {
                true => stored.event_position(),
                false => stored.position(),
            }),
            texts: hits.iter().map(|stored| stored.record.text.as_str()).collect(),
        }
    }

    /// The records that can match, what happened first before all others.
    fn by_event_time(&self, query: &RecordQuery) -> Vec<&StoredRecord> {
        let is_rest = |stored: &&StoredRecord| match query.after {
            Some(after) if query.is_ascending => stored.event_position() > after,
            Some(after) => stored.event_position() < after,
            None => true,
        };
        let mut rest: Vec<&StoredRecord> = self.stored.iter().filter(is_rest).collect();
        rest.sort_unstable_by_key(|stored| stored.event_position());
        rest
    }

    /// The records that can match, oldest first.
    fn range(&self, query: &RecordQuery) -> &[StoredRecord] {
        let until = |passes: &dyn Fn(RecordPosition) -> bool| {
            self.stored.partition_point(|stored| passes(stored.position()))
        };
        let (mut start, mut end) = (0, self.stored.len());
        if !query.bounds_event_time {
            start = query.from.map_or(start, |from| until(&|at| at.created_ms < from));
            end = query.to.map_or(end, |to| until(&|at| at.created_ms <= to));
        }
        match query.after {
            Some(after) if query.is_ascending => start = start.max(until(&|at| at <= after)),
            Some(after) => end = end.min(until(&|at| at < after)),
            None => {}
        }
        self.stored.get(start..end.max(start)).unwrap_or_default()
    }
}

/// Whether a record within the range of `query` belongs to its page.
fn matches(StoredRecord { number, record }: &StoredRecord, query: &RecordQuery) -> bool {
    let is_outside = query.bounds_event_time
        && (query.from.is_some_and(|from| record.time_ms < from)
            || query.to.is_some_and(|to| record.time_ms > to));
    let is_late = number % 7 == 4;
    let is_hidden = query.hidden_since.is_some_and(|since| is_late && record.created_ms > since);
    let is_new = query.arrived.is_some_and(|arrived| *number > arrived);
    !is_outside && !is_hidden && !is_new && contains(&record.text, &query.terms)
}

fn contains(text: &str, terms: &[String]) -> bool {
    let is_there = |text: &str| terms.iter().all(|term| text.contains(term));
    terms.is_empty() || is_there(&text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest_first(offset: usize, limit: usize) -> RecordQuery {
        RecordQuery { offset, limit, ..RecordQuery::default() }
    }

    fn oldest_first(limit: usize) -> RecordQuery {
        RecordQuery { is_ascending: true, limit, ..RecordQuery::default() }
    }

    fn log() -> RecordLog {
        let records = [(1, "old"), (5, "first"), (5, "second"), (9, "NEW group")];
        let record =
            |(created_ms, text): (_, &str)| SandboxRecord::verbatim(text.into(), created_ms);
        RecordLog::of(records.map(record).to_vec())
    }

    /// Records with the numbers from 0 as texts, and these times.
    fn numbered(times: &[(i64, i64)]) -> RecordLog {
        let record = |(number, (created_ms, time_ms)): (usize, &(i64, i64))| SandboxRecord {
            id: number.to_string(),
            created_ms: *created_ms,
            time_ms: *time_ms,
            text: number.to_string(),
        };
        RecordLog::of(times.iter().enumerate().map(record).collect())
    }

    #[test]
    fn newest_first_with_inclusive_bounds() {
        let log = log();
        assert_eq!(log.page(&newest_first(0, 9)).texts, ["NEW group", "second", "first", "old"]);
        assert_eq!(log.page(&newest_first(1, 2)).texts, ["second", "first"]);
        let bounded = RecordQuery { from: Some(1), to: Some(5), ..newest_first(0, 9) };
        assert_eq!(log.page(&bounded).texts, ["second", "first", "old"]);
        let nowhere = RecordQuery { from: Some(6), to: Some(2), ..newest_first(0, 9) };
        assert!(log.page(&nowhere).texts.is_empty());
    }

    #[test]
    fn a_place_parts_equal_times_and_can_be_moved() {
        let log = log();
        let first = log.page(&newest_first(0, 2));
        assert_eq!(first.texts, ["NEW group", "second"]);
        let rest = RecordQuery { after: first.last, ..newest_first(0, 9) };
        assert_eq!(log.page(&rest).texts, ["first", "old"]);
        assert_eq!(log.count(Some(5), Some(9)), 3);
        let moved = |by| Some(log.shifted(first.last.unwrap(), by)?.created_ms);
        assert_eq!([moved(1), moved(2), moved(-2), moved(-3)], [Some(9), None, Some(1), None]);
    }

    #[test]
    fn every_term_must_occur() {
        let terms = vec!["new".to_owned(), "group".to_owned()];
        assert_eq!(log().page(&RecordQuery { terms, ..newest_first(0, 9) }).texts, ["NEW group"]);
    }

    #[test]
    fn an_id_may_be_a_number_or_text() {
        assert_eq!(SandboxRecord::verbatim(r#"{"id":7}"#.into(), 0).id, "7");
        assert_eq!(SandboxRecord::verbatim(r#"{"id":"7a"}"#.into(), 0).id, "7a");
        assert_eq!(SandboxRecord::verbatim("{}".into(), 0).id, "");
    }

    #[test]
    fn a_shared_millisecond_is_cut_between_two_pages_without_loss() {
        let log = numbered(&[(5, 5), (7, 7), (7, 1), (7, 7), (9, 9)]);
        let first = log.page(&oldest_first(2));
        assert_eq!((&first.texts[..], first.more), (&["0", "1"][..], true));
        let second = log.page(&RecordQuery { after: first.last, ..oldest_first(9) });
        assert_eq!((&second.texts[..], second.more), (&["2", "3", "4"][..], false));
    }

    #[test]
    fn bounds_are_inclusive_on_either_clock() {
        let log = numbered(&[(5, 4), (6, 2), (7, 7), (8, 1)]);
        let bounded = RecordQuery { from: Some(2), to: Some(7), ..oldest_first(9) };
        assert_eq!(log.page(&bounded).texts, ["0", "1", "2"]);
        let by_time = RecordQuery { bounds_event_time: true, ..bounded };
        assert_eq!(log.page(&by_time).texts, ["0", "1", "2"]);
        assert_eq!(log.page(&RecordQuery { from: Some(5), ..by_time }).texts, ["2"]);
    }

    #[test]
    fn pages_may_be_sorted_by_the_other_clock() {
        let log = numbered(&[(5, 4), (6, 2), (7, 7), (8, 2)]);
        let by_time = |query: RecordQuery| RecordQuery {
            bounds_event_time: true,
            sorts_by_event_time: true,
            ..query
        };
        let first = log.page(&by_time(oldest_first(2)));
        assert_eq!(first.texts, ["1", "3"]);
        let rest = by_time(RecordQuery { after: first.last, ..oldest_first(2) });
        assert_eq!(log.page(&rest).texts, ["0", "2"]);
        let newest = log.page(&by_time(newest_first(0, 3)));
        assert_eq!(newest.texts, ["2", "0", "3"]);
        let last = by_time(RecordQuery { after: newest.last, from: Some(2), ..newest_first(0, 3) });
        assert_eq!(log.page(&last).texts, ["1"]);
    }

    #[test]
    fn a_late_arrival_takes_its_place() {
        let mut log = numbered(&[(5, 5), (9, 9)]);
        let text = r#"{"id":"x","attributes":{"time":"1970-01-01T00:00:00.001Z"}}"#;
        log.add(SandboxRecord::verbatim(text.into(), 5));
        let ids: Vec<&str> = log.records().map(|record| record.id.as_str()).collect();
        assert_eq!(ids, ["0", "x", "1"]);
        assert_eq!(log.records().nth(1).unwrap().time_ms, 1);
        assert_eq!(log.last_created_ms(), Some(9));
    }
}
