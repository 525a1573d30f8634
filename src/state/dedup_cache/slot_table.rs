//! Stores the remembered records in some fifty bytes each, found by identity and by position, and
//! their format in the state file. There may be two thousand for each of hundreds of sources, and
//! a hundred thousand for a busy one.

use hashbrown::HashTable;
use serde::{Deserialize, Serialize, Serializer};

use crate::model::record::Fingerprint;

/// Slots that are added at once, at least.
const GROWTH: usize = 32;

/// One record: who it is and what it says. In the state file 32 hex digits of its identity and 16 of
/// its content, with a `-` between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CacheEntry {
    pub identity: Fingerprint,
    /// [`Document::content_hash`](crate::model::json::Document::content_hash).
    pub content: u64,
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

/// Records by identity and by position. In the state file a list of milliseconds, each with its
/// records.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Vec<(i64, Vec<CacheEntry>)>")]
pub struct SlotTable {
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
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is one of this identity.
    pub fn contains_identity(&self, identity: Fingerprint) -> bool {
        self.find_all(identity).next().is_some()
    }

    /// Whether `entry` is there; if so, `reading` has brought it.
    pub fn touch(&mut self, entry: &CacheEntry, reading: u32) -> bool {
        let is_it = |&at: &usize| self.slots[at].content == entry.content;
        let Some(at) = self.find_all(entry.identity).find(is_it) else {
            return false;
        };
        self.slots[at].reading = reading;
        true
    }

    /// Whether there is one of this identity and position that another reading than `reading`
    /// brought last.
    pub fn was_read_earlier_at(&self, identity: Fingerprint, ms: i64, reading: u32) -> bool {
        self.find_all(identity).any(|at| {
            let slot = self.slots[at];
            slot.ms == ms && slot.reading != reading
        })
    }

    /// Adds `entry`, which `reading` brought.
    pub fn insert(&mut self, entry: CacheEntry, ms: i64, reading: u32) {
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
    pub fn remove_first(&mut self, count: usize) {
        for at in self.order.drain(..count) {
            let hash = hash(self.slots[at as usize].identity);
            if let Ok(found) = self.by_identity.find_entry(hash, |&other| other == at) {
                found.remove();
            }
            self.free.push(at);
        }
    }

    /// The last position that lies not after `end`.
    pub fn last_position_until(&self, end: i64) -> Option<i64> {
        let until = self.order.partition_point(|&at| self.ms(at) <= end);
        Some(self.ms(*self.order.get(until.checked_sub(1)?)?))
    }

    /// All, by position.
    pub fn by_position(
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
