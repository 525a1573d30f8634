//! Quick hashes of short texts and of numbers, where nobody gains by a collision; and hashes that
//! stand for texts, where somebody would.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::FixedState;
use sha2::{Digest as _, Sha256};

use super::text::hex;

/// A map whose keys nobody can choose so that they collide: fixed words, or cryptographic hashes.
pub type QuickMap<K, V> = HashMap<K, V, FixedState>;

/// An odd number without a pattern (the golden ratio's digits).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash of `bytes`: eight at a time, each spread by a multiplication whose upper half is folded
/// back, as wyhash and foldhash do.
#[inline]
pub fn quick_hash(bytes: &[u8]) -> u64 {
    let (chunks, rest) = bytes.as_chunks::<8>();
    // Folded before anything is mixed in: a length must not make up for a byte.
    let mut hash = fold(bytes.len() as u64);
    for chunk in chunks {
        hash = fold(hash ^ u64::from_le_bytes(*chunk));
    }
    // The last eight bytes again, some of them: cheaper than to take the rest one by one.
    let rest = match (bytes.last_chunk(), rest.first_chunk(), rest.last_chunk()) {
        (Some(last), _, _) => u64::from_le_bytes(*last),
        (None, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => rest.iter().fold(0, |word, &byte| (word << 8) | u64::from(byte)),
    };
    fold(hash ^ rest)
}

#[inline]
fn fold(word: u64) -> u64 {
    let product = u128::from(word ^ SPREAD) * u128::from(SPREAD);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Bytes of a key that is kept as it is.
const MAX_KEY: usize = 200;

/// A bounded text that stands for this one only.
pub fn bounded_key(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.len() <= MAX_KEY {
        true => text,
        false => format!("sha256:{}", text_hash(&[&text])).into(),
    }
}

/// Names several texts; different ones never the same.
pub fn text_hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(hash.finalize().get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn texts_that_differ_in_one_byte_or_in_length_have_other_hashes() {
        let mut seen = HashSet::new();
        for length in 0..40 {
            let text = vec![b'x'; length];
            assert!(seen.insert(quick_hash(&text)), "{length}");
            for at in 0..length {
                for byte in [0, b'y'] {
                    let mut other = text.clone();
                    other[at] = byte;
                    assert!(seen.insert(quick_hash(&other)), "{length} {at} {byte}");
                }
            }
        }
    }
}
