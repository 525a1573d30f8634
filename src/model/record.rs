//! An audit record as a source delivered it: its text, its own id and its position in the source's
//! order.

use sha2::{Digest as _, Sha256};

use crate::model::json::Document;
use crate::model::time::Timestamp;

/// One record of a page.
#[derive(Debug, Clone)]
pub struct Record {
    /// The source's object (or whatever stood in its place).
    pub doc: Document,
    /// The source's own id, if it gave one.
    pub id: Option<String>,
    /// When it happened, if the source says so readably.
    pub time: Option<Timestamp>,
    /// Its place in the source's order: the time of processing where there is one, else of
    /// happening.
    pub position: Option<Timestamp>,
}

impl Record {
    /// A fingerprint of its content.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.doc.text())
    }

    /// A fingerprint of its identity: of its id, or of its content where it has none.
    pub fn identity(&self) -> Fingerprint {
        match &self.id {
            Some(id) => Fingerprint::of(id.as_bytes()),
            None => self.fingerprint(),
        }
    }
}

/// The first 128 bits of a SHA-256: two of a million different texts are alike with a chance
/// of about 10^-27.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The fingerprint of `bytes`.
    pub fn of(bytes: &[u8]) -> Fingerprint {
        let digest = Sha256::digest(bytes);
        let first = digest.iter().take(16);
        Fingerprint(first.fold(0, |sum, &byte| (sum << 8) | u128::from(byte)))
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_start_of_a_sha256() {
        assert_eq!(Fingerprint::of(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223");
    }
}
