//! Remembers the records written near the watermark, so that a repeated record
//! is not taken for a late one.

mod slot_table;

use serde::{Deserialize, Serialize};

use crate::model::record::Record;
use crate::model::time::Timestamp;
use slot_table::{CacheEntry, SlotTable};

/// Records remembered however old they are: a page or two that a server sends again is distinguished from
/// new ones also where records are rare.
const AT_LEAST: usize = 2_000;

/// The most records remembered. In the default overlap of ten minutes that is 166 a second, without
/// a pause; beyond it the oldest are forgotten, whole milliseconds at a time, and what lies before
/// [`DedupCache::complete_from`] counts as written.
const CAPACITY: usize = 100_000;

/// Records written, by their place in the source's order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DedupCache {
    complete_from: Option<Timestamp>,
    /// Each with the last reading that brought it: of what the present one brought, a second record
    /// under the same id is another.
    records: SlotTable,
    /// The number of the present reading. What the state file held is of the first: a run that goes
    /// on where the last one ended goes on with its reading.
    #[serde(skip)]
    reading: u32,
}

/// What the memory says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DedupResult {
    /// Not known.
    New,
    /// Written before, with the same content.
    Repeat,
    /// Its id was written before with another content: a different record, or a changed one.
    Clash,
}

impl DedupCache {
    /// Remembers `record` as written at `position`, and says what was known of it.
    ///
    /// Of what an earlier reading wrote, an id at the same place is a repeat even where its content
    /// differs: names inside it may have been changed since.
    pub fn remember(&mut self, record: &Record, position: Timestamp) -> DedupResult {
        let (entry, ms) = (entry_of(record), position.timestamp_millis());
        let verdict = match self.records.contains_identity(entry.identity) {
            true if self.records.touch(&entry, self.reading) => return DedupResult::Repeat,
            true if self.records.was_read_earlier_at(entry.identity, ms, self.reading) => {
                return DedupResult::Repeat;
            }
            true => DedupResult::Clash,
            false => DedupResult::New,
        };
        self.records.insert(entry, ms, self.reading);
        verdict
    }

    /// Takes note of `records` that the present reading brings together, before the first of them
    /// is remembered: what is known among them was not renamed, wherever it stands.
    pub fn brought(&mut self, records: &[Record]) {
        // In the first reading, all that is known was brought by it.
        if self.reading > 0 {
            for record in records {
                self.records.touch(&entry_of(record), self.reading);
            }
        }
    }

    /// Since when every record written is remembered; before it, none need be.
    pub fn complete_from(&self) -> Option<Timestamp> {
        self.complete_from
    }

    /// The place of the newest record remembered that lies not behind `end`.
    pub fn newest_until(&self, end: Timestamp) -> Option<Timestamp> {
        let ms = self.records.last_position_until(end.timestamp_millis())?;
        Timestamp::from_timestamp_millis(ms)
    }

    /// Forgets what lies before `keep_from` but for the newest [`AT_LEAST`], and more where there
    /// is too much of it.
    pub fn prune(&mut self, keep_from: Timestamp) {
        let keep_from = keep_from.timestamp_millis();
        let mut left = self.records.len();
        let mut end = None;
        for (ms, there) in self.records.by_position() {
            let there = there.len();
            let is_old = ms < keep_from && left > AT_LEAST;
            let is_newest = left == there;
            if !is_old && (left <= CAPACITY || is_newest) {
                break;
            }
            left -= there;
            end = Timestamp::from_timestamp_millis(ms.saturating_add(1));
        }
        self.records.remove_first(self.records.len() - left);
        self.complete_from = self.complete_from.max(end);
    }

    /// A reading begins: what is remembered so far was written by an earlier one.
    pub fn start_reading(&mut self) {
        self.reading += 1;
    }
}

fn entry_of(record: &Record) -> CacheEntry {
    CacheEntry { identity: record.identity(), content: record.doc.content_hash() }
}

impl PartialEq for DedupCache {
    fn eq(&self, other: &DedupCache) -> bool {
        let all = |seen: &DedupCache| -> Vec<_> {
            let places = seen.records.by_position();
            places.map(|(ms, there)| (ms, there.collect::<Vec<_>>())).collect()
        };
        self.complete_from == other.complete_from && all(self) == all(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;
    use crate::model::record::Fingerprint;

    fn record(text: &str) -> Record {
        let doc = Document::new(bytes::Bytes::copy_from_slice(text.as_bytes()));
        Record {
            id: doc.root().scalar_of("id").map(|id| id.into_owned()),
            time: None,
            position: None,
            doc,
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(ms).unwrap()
    }

    #[test]
    fn new_repeated_and_clashing() {
        let mut seen = DedupCache::default();
        let mut remember = |text| seen.remember(&record(text), at(10));
        assert_eq!(remember(r#"{"id":1,"a":1}"#), DedupResult::New);
        assert_eq!(remember(r#"{"a":1,"id":1}"#), DedupResult::Repeat);
        assert_eq!(remember(r#"{"id":1,"a":2}"#), DedupResult::Clash);
        assert_eq!(remember(r#"{"id":1,"a":2}"#), DedupResult::Repeat);
        assert_eq!(remember(r#"{"a":2}"#), DedupResult::New);
        assert_eq!(remember(r#"{"a":2}"#), DedupResult::Repeat);
    }

    fn insert(seen: &mut DedupCache, count: usize, ms: i64) {
        for n in 0..count {
            let identity = Fingerprint(((ms as u128) << 64) | n as u128);
            let entry = CacheEntry { identity, content: 0 };
            seen.records.insert(entry, ms, seen.reading);
        }
    }

    #[test]
    fn a_record_that_was_renamed_since_is_a_repeat_only_when_it_is_read_again() {
        let mut seen = DedupCache::default();
        seen.remember(&record(r#"{"id":1,"name":"old"}"#), at(10));
        seen.start_reading();
        let renamed = record(r#"{"id":1,"name":"new"}"#);
        assert_eq!(seen.remember(&renamed, at(10)), DedupResult::Repeat);
        assert_eq!(seen.remember(&renamed, at(11)), DedupResult::Clash);
        // Two of one reading are two.
        let other = record(r#"{"id":1,"name":"other"}"#);
        assert_eq!(seen.remember(&other, at(11)), DedupResult::Clash);
    }

    #[test]
    fn a_second_record_of_an_id_is_another_also_where_the_first_was_written_by_an_earlier_reading()
    {
        let mut seen = DedupCache::default();
        let (first, second) = (record(r#"{"id":1,"n":1}"#), record(r#"{"id":1,"n":2}"#));
        seen.remember(&first, at(10));
        seen.start_reading();
        assert_eq!(seen.remember(&first, at(10)), DedupResult::Repeat);
        assert_eq!(seen.remember(&second, at(10)), DedupResult::Clash);
    }

    #[test]
    fn what_the_state_held_is_of_the_reading_that_goes_on() {
        let mut seen = DedupCache::default();
        let (first, second) = (record(r#"{"id":1,"n":1}"#), record(r#"{"id":1,"n":2}"#));
        seen.remember(&first, at(10));
        let text = serde_json::to_string(&seen).unwrap();
        let load = || serde_json::from_str::<DedupCache>(&text).unwrap();
        assert_eq!(load().remember(&second, at(10)), DedupResult::Clash);
        let mut read_again = load();
        read_again.start_reading();
        assert_eq!(read_again.remember(&second, at(10)), DedupResult::Repeat);
    }

    #[test]
    fn what_is_forgotten_is_said() {
        let mut seen = DedupCache::default();
        seen.remember(&record(r#"{"id":1}"#), at(10));
        seen.remember(&record(r#"{"id":2}"#), at(20));
        insert(&mut seen, AT_LEAST - 1, 30);
        seen.prune(at(15));
        assert_eq!(seen.complete_from(), Some(at(11)));
        assert_eq!(seen.remember(&record(r#"{"id":2}"#), at(20)), DedupResult::Repeat);
        assert_eq!(seen.remember(&record(r#"{"id":1}"#), at(20)), DedupResult::New);
    }

    #[test]
    fn a_few_are_remembered_however_old() {
        let mut seen = DedupCache::default();
        insert(&mut seen, AT_LEAST, 10);
        seen.prune(at(1000));
        assert_eq!(seen.records.len(), AT_LEAST);
        assert_eq!(seen.complete_from(), None);
    }

    #[test]
    fn too_many_are_forgotten_by_whole_milliseconds() {
        let mut seen = DedupCache::default();
        insert(&mut seen, 10, 1);
        insert(&mut seen, CAPACITY, 2);
        seen.prune(at(0));
        assert_eq!(seen.records.len(), CAPACITY);
        assert_eq!(seen.complete_from(), Some(at(2)));
        // One millisecond is never torn, however much it holds.
        insert(&mut seen, CAPACITY * 2, 2);
        seen.prune(at(0));
        assert!(seen.records.len() > CAPACITY);
        assert_eq!(seen.complete_from(), Some(at(2)));
    }

    #[test]
    fn the_file_form_reads_back() {
        let mut seen = DedupCache::default();
        seen.remember(&record(r#"{"id":1}"#), at(10));
        seen.remember(&record(r#"{"id":1,"x":2}"#), at(10));
        seen.prune(at(3));
        let text = serde_json::to_string(&seen).unwrap();
        let read = serde_json::from_str::<DedupCache>(&text).unwrap();
        assert_eq!(read, seen);
        for bad in ["zz", "é", &"0".repeat(48), &"g".repeat(49)] {
            let text = format!(r#"{{"complete_from":null,"records":[[1,["{bad}"]]]}}"#);
            assert!(serde_json::from_str::<DedupCache>(&text).is_err(), "{bad}");
        }
    }
}
