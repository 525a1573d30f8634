//! Owns a hash of what a JSON text says, whatever the order of its keys.

use super::{Document, Kind, Node, narrow};

impl Document {
    /// A hash of what the text says, the same whatever the order of an object's keys: a server is
    /// free to write one record's keys in another order the next time.
    ///
    /// Not proof against someone who seeks collisions; it only compares records of the same id.
    pub fn content_hash(&self) -> u64 {
        let mut hashes = vec![0; self.values.len()];
        // From the back, so that a container finds its parts done; depth costs no stack.
        for at in (0..self.values.len()).rev() {
            let node = Node {
                doc: self,
                at: narrow(at),
            };
            let hash_of = |part: Node<'_>| hashes[part.at as usize];
            hashes[at] = match self.values[at].kind {
                Kind::Object => node.entries().fold(1, |sum: u64, (key, value)| {
                    sum.wrapping_add(mix(hash_of(key) ^ mix(hash_of(value))))
                }),
                Kind::Array => node.items().fold(2, |sum, item| mix(sum ^ hash_of(item))),
                Kind::String | Kind::Literal | Kind::Null => fnv1a(node.bytes()),
            };
        }
        hashes.first().copied().unwrap_or_default()
    }
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Spreads every bit over all others (the finalizer of SplitMix64), so that sums and exclusive ors
/// of hashes keep apart what differs.
fn mix(mut hash: u64) -> u64 {
    hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
