//! Stores the remembered records in some fifty bytes each, found by identity and by position.
//! There may be two thousand for each of hundreds of sources, and a hundred thousand for a busy
//! one.

use crate::model::record::Fingerprint;

/// No slot.
const NONE: u32 = u32::MAX;

/// Slots that are added at once, at least.
const GROWTH: usize = 32;

/// One record: who it is and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheEntry {
    pub identity: Fingerprint,
    /// [`Document::content_hash`](crate::model::json::Document::content_hash).
    pub content: u64,
}

/// Records by identity and by place. Records of one identity are looked through one after the
/// other.
#[derive(Debug, Clone, Default)]
pub struct SlotTable {
    slots: Vec<CacheSlot>,
    /// Slots that hold nothing any more: what is learnt next takes them.
    free: Vec<u32>,
    /// The first slot of each chain of identities that fall together; a power of two of them.
    heads: Vec<u32>,
    /// Slots by place, and as they came where it is the same.
    order: Vec<u32>,
}

/// A record remembered. Forty bytes: keep it small.
#[derive(Debug, Clone, Copy)]
struct CacheSlot {
    /// The upper half and the lower one.
    identity: [u64; 2],
    content: u64,
    ms: i64,
    /// The reading that brought it last.
    reading: u32,
    /// The next one of its chain.
    next: u32,
}

impl CacheSlot {
    fn new(entry: CacheEntry, ms: i64, reading: u32) -> CacheSlot {
        CacheSlot {
            identity: halves(entry.identity),
            content: entry.content,
            ms,
            reading,
            next: NONE,
        }
    }

    fn entry(&self) -> CacheEntry {
        let [upper, lower] = self.identity.map(u128::from);
        CacheEntry { identity: Fingerprint((upper << 64) | lower), content: self.content }
    }
}

fn halves(identity: Fingerprint) -> [u64; 2] {
    [(identity.0 >> 64) as u64, identity.0 as u64]
}

impl SlotTable {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is one of this identity.
    pub fn contains_identity(&self, identity: Fingerprint) -> bool {
        self.chain(identity).next().is_some()
    }

    /// Whether `entry` is there; if so, `reading` has brought it.
    pub fn touch(&mut self, entry: &CacheEntry, reading: u32) -> bool {
        let is_it = |&at: &usize| self.slots[at].content == entry.content;
        let Some(at) = self.chain(entry.identity).find(is_it) else {
            return false;
        };
        self.slots[at].reading = reading;
        true
    }

    /// Whether there is one of this identity and place that another reading than `reading` brought
    /// last.
    pub fn was_read_earlier_at(&self, identity: Fingerprint, ms: i64, reading: u32) -> bool {
        self.chain(identity).any(|at| {
            let slot = &self.slots[at];
            slot.ms == ms && slot.reading != reading
        })
    }

    /// Adds `entry`, which `reading` brought.
    pub fn insert(&mut self, entry: CacheEntry, ms: i64, reading: u32) {
        let slot = CacheSlot::new(entry, ms, reading);
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = slot;
                at
            }
            None => {
                grow(&mut self.slots);
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).unwrap_or(NONE)
            }
        };
        self.place(at, ms);
        if self.len() > self.heads.len() {
            self.link_all();
        } else {
            self.link(at);
        }
    }

    /// Removes the `count` that come first.
    pub fn remove_first(&mut self, count: usize) {
        for number in 0..count {
            let at = self.order[number];
            self.unlink(at);
        }
        self.free.extend(self.order.drain(..count));
    }

    /// The last place that lies not behind `end`.
    pub fn last_position_until(&self, end: i64) -> Option<i64> {
        let until = self.order.partition_point(|&at| self.ms(at) <= end);
        Some(self.ms(*self.order.get(until.checked_sub(1)?)?))
    }

    /// All, by place.
    pub fn by_position(
        &self,
    ) -> impl Iterator<Item = (i64, impl ExactSizeIterator<Item = CacheEntry> + Clone)> {
        let same = |&one: &u32, &other: &u32| self.ms(one) == self.ms(other);
        self.order.chunk_by(same).map(|there| {
            let entries = there.iter().map(|&at| self.slots[at as usize].entry());
            (self.ms(there[0]), entries)
        })
    }

    fn ms(&self, at: u32) -> i64 {
        self.slots[at as usize].ms
    }

    /// Where those of this identity lie.
    fn chain(&self, identity: Fingerprint) -> impl Iterator<Item = usize> {
        let halves = halves(identity);
        let first = self.heads.get(self.head_of(halves)).copied();
        let next = |&at: &u32| self.slots.get(at as usize).map(|slot| slot.next);
        std::iter::successors(first, next)
            .map_while(|at| usize::try_from(at).ok().filter(|&at| at < self.slots.len()))
            .filter(move |&at| self.slots[at].identity == halves)
    }

    /// Nobody can choose identities so that they fall together: they are of a cryptographic hash.
    fn head_of(&self, halves: [u64; 2]) -> usize {
        (halves[1] as usize) & self.heads.len().wrapping_sub(1)
    }

    fn place(&mut self, at: u32, ms: i64) {
        grow(&mut self.order);
        match self.order.last() {
            Some(&last) if self.ms(last) > ms => {
                let behind = self.order.partition_point(|&other| self.ms(other) <= ms);
                self.order.insert(behind, at);
            }
            _ => self.order.push(at),
        }
    }

    fn link(&mut self, at: u32) {
        let head = self.head_of(self.slots[at as usize].identity);
        self.slots[at as usize].next = std::mem::replace(&mut self.heads[head], at);
    }

    fn link_all(&mut self) {
        self.heads = vec![NONE; self.len().next_power_of_two()];
        for number in 0..self.order.len() {
            self.link(self.order[number]);
        }
    }

    fn unlink(&mut self, at: u32) {
        let CacheSlot { identity, next, .. } = self.slots[at as usize];
        let head = self.head_of(identity);
        let mut before = self.heads[head];
        if before == at {
            self.heads[head] = next;
            return;
        }
        while let Some(slot) = self.slots.get_mut(before as usize) {
            if slot.next == at {
                slot.next = next;
                return;
            }
            before = slot.next;
        }
    }
}

/// Makes room for one more, without the half that a vector leaves empty by itself.
fn grow<T>(vector: &mut Vec<T>) {
    if vector.len() == vector.capacity() {
        vector.reserve_exact(GROWTH.max(vector.len() / 8));
    }
}
