//! Remembers the records written near the watermark, so that a repeated record
//! is not taken for a late one.

use hashbrown::HashTable;
use serde::{Deserialize, Serialize, Serializer};

use crate::model::record::{Fingerprint, Record};
use crate::model::time::Timestamp;

/// Records remembered however old they are: a page or two that a server sends again is
/// distinguished from new ones also where records are rare.
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
        let verdict = match self.records.touch(&entry, self.reading) {
            true => DedupResult::Repeat,
            false => self.look_up(record, position),
        };
        if verdict != DedupResult::Repeat {
            self.records.insert(entry, ms, self.reading);
        }
        verdict
    }

    /// What is known of `record`, without remembering it.
    pub fn look_up(&self, record: &Record, position: Timestamp) -> DedupResult {
        let (entry, ms) = (entry_of(record), position.timestamp_millis());
        let is_repeat = || {
            self.records.find(&entry).is_some()
                || self.records.was_read_earlier_at(entry.identity, ms, self.reading)
        };
        match self.records.contains_identity(entry.identity) {
            true if is_repeat() => DedupResult::Repeat,
            true => DedupResult::Clash,
            false => DedupResult::New,
        }
    }

    /// Takes note of `records` that the current reading returned on one page, before the first of
    /// them is remembered: what is known among them was not renamed, in any position.
    pub fn brought(&mut self, records: &[Record]) {
        // In the first reading, all that is known was brought by it.
        if self.reading > 0 {
            for record in records {
                self.records.touch(&entry_of(record), self.reading);
            }
        }
    }

    /// The same records, as ones that say nothing of what else was written.
    pub fn records_only(&self) -> DedupCache {
        DedupCache { complete_from: None, ..self.clone() }
    }

    /// Remembers also what `other` does, of which it may forget what is older than all of its own.
    pub fn adopt(&mut self, other: &DedupCache) {
        let oldest = self.records.by_position().next().map(|(ms, _)| ms);
        for (ms, entries) in other.records.by_position() {
            for entry in entries {
                if self.records.find(&entry).is_none() {
                    self.records.insert(entry, ms, self.reading);
                }
            }
        }
        self.complete_from = self.complete_from.max(other.complete_from);
        self.prune(oldest.and_then(Timestamp::from_timestamp_millis).unwrap_or(Timestamp::MAX_UTC));
    }

    /// Since when every record written is remembered; before it, none need be.
    pub fn complete_from(&self) -> Option<Timestamp> {
        self.complete_from
    }

    /// The place of the newest record remembered that lies at or before `end`.
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

/// Slots that are added at once, at least.
const GROWTH: usize = 32;

/// One record: who it is and what it says. In the state file 32 hex digits of its identity and 16
/// of its content, with a `-` between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct CacheEntry {
    identity: Fingerprint,
    /// [`Document::content_hash`](crate::model::json::Document::content_hash).
    content: u64,
}

impl From<CacheEntry> for String {
    fn from(entry: CacheEntry) -> String {
        format!("{}-{:016x}", entry.identity, entry.content)
    }
}

impl TryFrom<String> for CacheEntry {
    type Error = &'static str;

    fn try_from(text: String) -> Result<CacheEntry, &'static str> {
        let entry = || {
            let (identity, content) = text.split_once('-')?;
            if (identity.len(), content.len()) != (32, 16) {
                return None;
            }
            Some(CacheEntry {
                identity: Fingerprint(u128::from_str_radix(identity, 16).ok()?),
                content: u64::from_str_radix(content, 16).ok()?,
            })
        };
        entry().ok_or("not a remembered record")
    }
}

/// Records by identity and by position, in some sixty bytes each: there may be two thousand for
/// each of hundreds of sources, and a hundred thousand for a busy one. In the state file a list of
/// milliseconds, each with its records.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Vec<(i64, Vec<CacheEntry>)>")]
struct SlotTable {
    slots: Vec<CacheSlot>,
    /// Slots that hold nothing any more: the next records take them.
    free: Vec<u32>,
    /// Slots by identity; several records may have one identity.
    by_identity: HashTable<u32>,
    /// Slots by position, and as they came where it is the same.
    order: Vec<u32>,
}

/// A record remembered. Forty bytes, packed as there may be many: keep it small.
#[derive(Debug, Clone, Copy)]
#[repr(Rust, packed(8))]
struct CacheSlot {
    identity: Fingerprint,
    content: u64,
    ms: i64,
    /// The reading that brought it last.
    reading: u32,
}

impl Serialize for SlotTable {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.by_position().map(|(ms, entries)| (ms, entries.collect::<Vec<_>>())))
    }
}

impl From<Vec<(i64, Vec<CacheEntry>)>> for SlotTable {
    fn from(saved: Vec<(i64, Vec<CacheEntry>)>) -> SlotTable {
        let mut table = SlotTable::default();
        for (ms, entries) in saved {
            entries.into_iter().for_each(|entry| table.insert(entry, ms, 0));
        }
        table
    }
}

impl SlotTable {
    /// How many there are.
    fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is one of this identity.
    fn contains_identity(&self, identity: Fingerprint) -> bool {
        self.find_all(identity).next().is_some()
    }

    /// Whether `entry` is there; if so, `reading` has brought it.
    fn touch(&mut self, entry: &CacheEntry, reading: u32) -> bool {
        let Some(at) = self.find(entry) else {
            return false;
        };
        self.slots[at].reading = reading;
        true
    }

    /// The slot of `entry`.
    fn find(&self, entry: &CacheEntry) -> Option<usize> {
        self.find_all(entry.identity).find(|&at| self.slots[at].content == entry.content)
    }

    /// Whether there is one of this identity and position that another reading than `reading`
    /// brought last.
    fn was_read_earlier_at(&self, identity: Fingerprint, ms: i64, reading: u32) -> bool {
        self.find_all(identity).any(|at| {
            let slot = self.slots[at];
            slot.ms == ms && slot.reading != reading
        })
    }

    /// Adds `entry`, which `reading` brought.
    fn insert(&mut self, entry: CacheEntry, ms: i64, reading: u32) {
        let CacheEntry { identity, content } = entry;
        let slot = CacheSlot { identity, content, ms, reading };
        let at = self.free.pop().unwrap_or(self.slots.len() as u32);
        match self.slots.get_mut(at as usize) {
            Some(free) => *free = slot,
            None => {
                grow(&mut self.slots);
                self.slots.push(slot);
            }
        }
        let slots = &self.slots;
        self.by_identity.insert_unique(hash(identity), at, |&at| hash(slots[at as usize].identity));
        let behind = self.order.partition_point(|&other| self.ms(other) <= ms);
        grow(&mut self.order);
        self.order.insert(behind, at);
    }

    /// Removes the `count` that come first.
    fn remove_first(&mut self, count: usize) {
        for at in self.order.drain(..count) {
            let hash = hash(self.slots[at as usize].identity);
            if let Ok(found) = self.by_identity.find_entry(hash, |&other| other == at) {
                found.remove();
            }
            self.free.push(at);
        }
    }

    /// The last position that lies not after `end`.
    fn last_position_until(&self, end: i64) -> Option<i64> {
        let until = self.order.partition_point(|&at| self.ms(at) <= end);
        Some(self.ms(*self.order.get(until.checked_sub(1)?)?))
    }

    /// All, by position.
    fn by_position(
        &self,
    ) -> impl Iterator<Item = (i64, impl ExactSizeIterator<Item = CacheEntry>)> {
        let same = |&one: &u32, &other: &u32| self.ms(one) == self.ms(other);
        self.order.chunk_by(same).map(|there| {
            let entries = there.iter().map(|&at| {
                let CacheSlot { identity, content, .. } = self.slots[at as usize];
                CacheEntry { identity, content }
            });
            (self.ms(there[0]), entries)
        })
    }

    fn ms(&self, at: u32) -> i64 {
        self.slots[at as usize].ms
    }

    /// The slots of those of this identity.
    fn find_all(&self, identity: Fingerprint) -> impl Iterator<Item = usize> {
        let same_hash = self.by_identity.iter_hash(hash(identity)).map(|&at| at as usize);
        same_hash.filter(move |&at| { self.slots[at].identity } == identity)
    }
}

/// Nobody can choose identities so that they fall together: they are of a cryptographic hash.
fn hash(identity: Fingerprint) -> u64 {
    identity.0 as u64
}

/// Makes room for one more, without the half that a vector leaves empty by itself.
fn grow<T>(vector: &mut Vec<T>) {
    if vector.len() == vector.capacity() {
        vector.reserve_exact(GROWTH.max(vector.len() / 8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;

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
    fn what_is_adopted_is_known_but_for_the_oldest_where_there_is_too_much() {
        for (own, theirs, known) in [(5, 5, 5), (0, 5, 5), (AT_LEAST, 5, 0), (AT_LEAST - 2, 5, 2)] {
            let (mut cache, mut other) = (DedupCache::default(), DedupCache::default());
            let numbered = |number: usize| record(&format!(r#"{{"id":{number}}}"#));
            for number in 0..own {
                cache.remember(&numbered(number), at(1_000_000 + number as i64));
            }
            for number in 0..theirs {
                other.remember(&numbered(1_000_000 + number), at(number as i64));
            }
            for _ in 0..2 {
                cache.adopt(&other);
            }
            assert_eq!(cache.records.len(), own + known);
            let place = |number| (numbered(1_000_000 + number), at(number as i64));
            for number in 0..theirs {
                let (record, place) = place(number);
                let is_known = cache.look_up(&record, place) == DedupResult::Repeat;
                assert_eq!(is_known, number >= theirs - known, "{own} {number}");
                assert_eq!(is_known, cache.complete_from().is_none_or(|from| place >= from));
            }
        }
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
    fn the_saved_dedup_cache_belongs_to_the_reading_that_continues() {
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
