//! Hashes what a JSON text says, whatever the order of its keys.

use super::{Document, JsonTape};
use crate::model::hashing::quick_hash;

impl Document {
    /// A hash of what the text says, the same whatever the order of an object's keys: a server is
    /// free to write one record's keys in another order the next time. Made once.
    ///
    /// Not proof against someone who seeks collisions; it only compares records of the same id. It is
    /// kept in state files: another hash would need a marker of its own there.
    pub fn content_hash(&self) -> u64 {
        *self.content.get_or_init(|| hash_content(&self.tape, self.root))
    }
}

/// An open container: what its parts add up to so far.
struct ContainerHash {
    /// The index of the mark that closes it.
    close: u32,
    is_object: bool,
    sum: u64,
    /// The hash of a key whose value comes next.
    key: Option<u64>,
}

impl ContainerHash {
    fn of(close: u32, is_object: bool) -> ContainerHash {
        ContainerHash { close, is_object, sum: if is_object { 1 } else { 2 }, key: None }
    }

    #[inline]
    fn add(&mut self, hash: u64) {
        if !self.is_object {
            self.sum = mix(self.sum ^ hash);
            return;
        }
        match self.key.take() {
            None => self.key = Some(hash),
            Some(key) => self.sum = self.sum.wrapping_add(mix(key ^ mix(hash))),
        }
    }
}

/// One pass over the marks; depth costs no stack.
#[inline]
fn hash_content(sheet: &JsonTape, root: u32) -> u64 {
    let text = sheet.text.as_bytes();
    let marks = sheet.entries.get(root as usize..).unwrap_or_default();
    let mut around: Vec<ContainerHash> = Vec::with_capacity(8);
    // Around the root is nothing, which ends nowhere.
    let mut inner = ContainerHash::of(u32::MAX, false);
    for (at, mark) in (root..).zip(marks) {
        let hash = if at == inner.close {
            let closed = around.pop().map(|outer| std::mem::replace(&mut inner, outer));
            closed.map_or(0, |closed| closed.sum)
        } else if mark.is_container() {
            let is_object = text.get(mark.start()) == Some(&b'{');
            let outer = std::mem::replace(&mut inner, ContainerHash::of(mark.link, is_object));
            around.push(outer);
            continue;
        } else {
            let bytes = text.get(mark.start()..mark.link as usize);
            quick_hash(bytes.unwrap_or_default())
        };
        if around.is_empty() {
            return hash;
        }
        inner.add(hash);
    }
    0
}

/// Spreads every bit over all others (the finalizer of SplitMix64), so that sums and exclusive ors
/// of hashes keep apart what differs.
fn mix(mut hash: u64) -> u64 {
    hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
