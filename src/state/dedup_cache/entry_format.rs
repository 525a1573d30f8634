//! Writes and reads the dedup cache in the state file: a millisecond and its records, each as 32
//! hex digits of its identity and 16 of its content, with a `-` between them.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::slot_table::{CacheEntry, SlotTable};
use crate::model::record::Fingerprint;

impl Serialize for SlotTable {
    /// Without a copy: there may be a hundred thousand, in every checkpoint.
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.by_position().map(|(ms, entries)| (ms, EntrySequence(entries))))
    }
}

/// The records of one millisecond.
struct EntrySequence<I>(I);

impl<I: Iterator<Item = CacheEntry> + Clone> Serialize for EntrySequence<I> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.0.clone())
    }
}

impl Serialize for CacheEntry {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let (mut identity, mut digits) = ([0; 32], [0; 16]);
        hex(self.identity.0, &mut identity);
        hex(u128::from(self.content), &mut digits);
        let mut text = String::with_capacity(49);
        text.extend(identity.map(char::from));
        text.push('-');
        text.extend(digits.map(char::from));
        out.serialize_str(&text)
    }
}

/// The last hex digits of `number`, as many as there is room for.
fn hex(mut number: u128, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 15) as usize];
        number >>= 4;
    }
}

impl<'de> Deserialize<'de> for SlotTable {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct SlotTableVisitor;
        impl<'de> Visitor<'de> for SlotTableVisitor {
            type Value = SlotTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("milliseconds with their records")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut places: A) -> Result<SlotTable, A::Error> {
                let mut slots = SlotTable::default();
                while let Some((ms, entries)) = places.next_element::<(i64, Vec<CacheEntry>)>()? {
                    for entry in entries {
                        slots.insert(entry, ms, 0);
                    }
                }
                Ok(slots)
            }
        }
        input.deserialize_seq(SlotTableVisitor)
    }
}

impl<'de> Deserialize<'de> for CacheEntry {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct EntryVisitor;
        impl Visitor<'_> for EntryVisitor {
            type Value = CacheEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a remembered record")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CacheEntry, E> {
                read(text).ok_or_else(|| E::custom("not a remembered record"))
            }
        }
        input.deserialize_str(EntryVisitor)
    }
}

fn read(text: &str) -> Option<CacheEntry> {
    let (identity, content) = text.split_once('-')?;
    if (identity.len(), content.len()) != (32, 16) {
        return None;
    }
    Some(CacheEntry {
        identity: Fingerprint(u128::from_str_radix(identity, 16).ok()?),
        content: u64::from_str_radix(content, 16).ok()?,
    })
}
