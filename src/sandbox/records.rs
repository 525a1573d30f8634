//! A log that is served newest first: records kept as JSON text by creation time. All APIs but the
//! organization's have one.

use serde_json::Value;

/// A record before it has a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxRecord {
    /// Its id, as text; empty where it has none.
    pub id: String,
    /// When it was created, epoch milliseconds.
    pub created_ms: i64,
    /// The JSON text, served byte for byte.
    pub text: String,
}

impl SandboxRecord {
    /// A record of somebody's own making. An id that cannot be read is empty.
    pub fn verbatim(text: String, created_ms: i64) -> Self {
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let id = match &value["id"] {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => String::new(),
        };
        Self { id, created_ms, text }
    }
}

/// The place of a record: creation time, then order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordPosition {
    /// Epoch milliseconds.
    pub created_ms: i64,
    /// Number of arrival, from 1.
    pub number: u64,
}

/// What a page is asked for.
#[derive(Clone, Debug, Default)]
pub struct RecordQuery {
    /// Only records older than this place.
    pub before: Option<RecordPosition>,
    /// Records to skip.
    pub offset: usize,
    /// Most records on the page.
    pub limit: usize,
    /// Lower bound of the creation time, inclusive.
    pub from: Option<i64>,
    /// Upper bound of the creation time, inclusive.
    pub to: Option<i64>,
    /// Words, lower case, that must all occur in the record. (Jira looks in most fields; here it is
    /// the whole text.)
    pub terms: Vec<String>,
}

/// A page of records.
#[derive(Debug, Default)]
pub struct RecordPage<'a> {
    /// Their JSON texts, newest first.
    pub texts: Vec<&'a str>,
    /// The place of the last one.
    pub last: Option<RecordPosition>,
    /// Whether there are more behind it.
    pub more: bool,
}

/// The log.
#[derive(Debug, Default)]
pub struct RecordLog {
    /// Oldest first; among equal times in order of arrival.
    kept: Vec<StoredRecord>,
    arrived: u64,
}

/// A record in its place.
#[derive(Debug)]
struct StoredRecord {
    position: RecordPosition,
    record: SandboxRecord,
}

impl RecordLog {
    /// Gives a record its place; among equal times it is the newest.
    pub fn add(&mut self, record: SandboxRecord) {
        let kept = self.arrival(record);
        let place = self.kept.partition_point(|old| old.position < kept.position);
        self.kept.insert(place, kept);
    }

    fn arrival(&mut self, record: SandboxRecord) -> StoredRecord {
        self.arrived += 1;
        let position = RecordPosition { created_ms: record.created_ms, number: self.arrived };
        StoredRecord { position, record }
    }

    /// How many records there are, whatever is asked: what Jira's `total` is (elastic/integrations
    /// 18106).
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// How many records lie within the bounds, which are inclusive.
    pub fn count(&self, from: Option<i64>, to: Option<i64>) -> usize {
        self.range(&RecordQuery { from, to, ..RecordQuery::default() }).len()
    }

    /// How many records within the bounds of `search` come before its page.
    pub fn before(&self, search: &RecordQuery) -> usize {
        let all = self.count(search.from, search.to);
        let older = RecordQuery {
            from: search.from,
            to: search.to,
            before: search.before,
            ..RecordQuery::default()
        };
        let newer = all.saturating_sub(self.range(&older).len());
        newer.saturating_add(search.offset)
    }

    /// When the newest record was created.
    pub fn last_created_ms(&self) -> Option<i64> {
        self.kept.last().map(|kept| kept.position.created_ms)
    }

    /// All ids, newest first.
    pub fn ids(&self) -> Vec<String> {
        let newest_first = self.kept.iter().rev();
        newest_first.map(|kept| kept.record.id.clone()).collect()
    }

    /// All texts, newest first.
    pub fn texts(&self) -> Vec<String> {
        let newest_first = self.kept.iter().rev();
        newest_first.map(|kept| kept.record.text.clone()).collect()
    }

    /// The place that lies `records` newer than `place`; nothing when that is past the newest one.
    pub fn newer(&self, place: RecordPosition, records: usize) -> Option<RecordPosition> {
        let older = self.kept.partition_point(|kept| kept.position < place);
        let newer = older.saturating_add(records);
        self.kept.get(newer).map(|kept| kept.position)
    }

    /// The page that `search` asks for, newest first.
    pub fn page(&self, search: &RecordQuery) -> RecordPage<'_> {
        let newest_first = self.range(search).iter().rev();
        let wanted = search.limit.saturating_add(1);
        let mut hits: Vec<&StoredRecord> = if search.terms.is_empty() {
            // Without a look at what is skipped.
            let page = newest_first.skip(search.offset);
            page.take(wanted).collect()
        } else {
            let matching = newest_first.filter(|kept| matches(&kept.record.text, &search.terms));
            let page = matching.skip(search.offset);
            page.take(wanted).collect()
        };
        let more = hits.len() > search.limit;
        hits.truncate(search.limit);
        RecordPage {
            more,
            last: hits.last().map(|kept| kept.position),
            texts: hits.iter().map(|kept| kept.record.text.as_str()).collect(),
        }
    }

    /// The records within the bounds, oldest first.
    fn range(&self, search: &RecordQuery) -> &[StoredRecord] {
        let until = |passes: &dyn Fn(&RecordPosition) -> bool| {
            self.kept.partition_point(|kept| passes(&kept.position))
        };
        let start = search.from.map_or(0, |from| until(&|at| at.created_ms < from));
        let to = search.to.map_or(self.kept.len(), |to| until(&|at| at.created_ms <= to));
        let end = search.before.map_or(to, |before| until(&|at| *at < before).min(to));
        self.kept.get(start..end.max(start)).unwrap_or_default()
    }
}

impl FromIterator<SandboxRecord> for RecordLog {
    fn from_iter<I: IntoIterator<Item = SandboxRecord>>(records: I) -> Self {
        let mut log = Self::default();
        let records = records.into_iter();
        let kept = records.map(|record| log.arrival(record)).collect();
        log.kept = kept;
        log.kept.sort_by_key(|kept| kept.position);
        log
    }
}

fn matches(text: &str, terms: &[String]) -> bool {
    let text = text.to_lowercase();
    terms.iter().all(|term| text.contains(term))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(offset: usize, limit: usize) -> RecordQuery {
        RecordQuery { offset, limit, ..RecordQuery::default() }
    }

    fn log() -> RecordLog {
        [(1, "old"), (5, "first"), (5, "second"), (9, "NEW group")]
            .into_iter()
            .map(|(created_ms, text)| SandboxRecord::verbatim(text.to_owned(), created_ms))
            .collect()
    }

    #[test]
    fn newest_first_with_inclusive_bounds() {
        let log = log();
        assert_eq!(log.page(&search(0, 9)).texts, ["NEW group", "second", "first", "old"]);
        assert_eq!(log.page(&search(1, 2)).texts, ["second", "first"]);
        let bounded = RecordQuery { from: Some(1), to: Some(5), ..search(0, 9) };
        assert_eq!(log.page(&bounded).texts, ["second", "first", "old"]);
        assert!(
            log.page(&RecordQuery { from: Some(6), to: Some(2), ..search(0, 9) }).texts.is_empty()
        );
    }

    #[test]
    fn a_place_parts_equal_times_and_can_be_moved_back() {
        let log = log();
        let first = log.page(&search(0, 2));
        assert_eq!(first.texts, ["NEW group", "second"]);
        let rest = RecordQuery { before: first.last, ..search(0, 9) };
        assert_eq!(log.page(&rest).texts, ["first", "old"]);
        assert_eq!(log.count(Some(5), Some(9)), 3);
        let newer = log.newer(first.last.unwrap(), 1);
        assert_eq!(newer.unwrap().created_ms, 9);
        assert_eq!(log.newer(first.last.unwrap(), 2), None);
    }

    #[test]
    fn every_term_must_occur() {
        let terms = vec!["new".to_owned(), "group".to_owned()];
        assert_eq!(log().page(&RecordQuery { terms, ..search(0, 9) }).texts, ["NEW group"]);
    }

    #[test]
    fn an_id_may_be_a_number_or_text() {
        assert_eq!(SandboxRecord::verbatim(r#"{"id":7}"#.into(), 0).id, "7");
        assert_eq!(SandboxRecord::verbatim(r#"{"id":"7a"}"#.into(), 0).id, "7a");
        assert_eq!(SandboxRecord::verbatim("{}".into(), 0).id, "");
    }
}
