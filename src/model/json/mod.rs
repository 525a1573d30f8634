//! JSON as it came: a compact text kept byte for byte, with an index of its values.
//!
//! An audit record must survive exactly: big numbers, `1.10`, key order, duplicate keys, odd
//! escapes. So a record is never turned into a tree and written again. One pass over an answer
//! ([`scan`]) checks that it is JSON, removes the whitespace between tokens (a pretty-printed page
//! would tear a line of output) and notes where each value lies. Every record of the answer is then a
//! [`Document`] that shares its text and its notes; [`Node`] looks values up and never fails on a surprise.

mod canonical;
mod hash;
mod node;
mod plain;
mod quoted;
mod scan;
pub mod terminal;
pub mod write;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytestring::ByteString;

pub use node::Node;
pub use scan::InvalidJson;

/// A valid JSON text without whitespace between tokens, and where its values lie.
#[derive(Debug)]
struct JsonTape {
    text: ByteString,
    entries: Vec<TapeEntry>,
}

/// Where a value, or a key of an object, lies. In the order of the text; a container has a mark where
/// it opens and one where it closes, and those of its parts between them.
///
/// Most of what a record held in memory costs beside its text: keep it small.
#[derive(Debug, Clone, Copy)]
struct TapeEntry {
    /// Where the value starts; for the close of a container, where the container ends.
    /// With [`ESCAPED`] for a string that holds a backslash, [`CONTAINER`] for an object or array.
    start: u32,
    /// Where the value ends; for the opening of a container, the index of the mark of its close.
    link: u32,
}

/// A bit of [`TapeEntry::start`].
const ESCAPED: u32 = 1 << 31;
/// A bit of [`TapeEntry::start`].
const CONTAINER: u32 = 1 << 30;
/// Texts are shorter than this (1 GiB), so that no offset needs those bits.
const TOO_LONG: u32 = CONTAINER;

impl TapeEntry {
    fn start(self) -> usize {
        (self.start & !(ESCAPED | CONTAINER)) as usize
    }

    fn is_container(self) -> bool {
        self.start & CONTAINER != 0
    }

    fn is_escaped(self) -> bool {
        self.start & ESCAPED != 0
    }
}

/// A valid JSON value without whitespace between tokens. Cheap to clone: it shares the text that it is
/// a part of.
#[derive(Clone)]
pub struct Document {
    tape: Arc<JsonTape>,
    /// The index of its mark.
    root: u32,
    content: OnceLock<u64>,
}

impl Document {
    /// Checks, compacts and indexes a JSON text. Depth costs no stack.
    ///
    /// # Errors
    /// It is not one JSON value.
    pub fn parse(text: ByteString) -> Result<Document, InvalidJson> {
        let sheet = scan::scan(text)?;
        Ok(Document { tape: Arc::new(sheet), root: 0, content: OnceLock::new() })
    }

    /// [`Document::parse`] of what is surely valid.
    #[cfg(test)]
    pub fn new(text: bytes::Bytes) -> Document {
        Document::parse(ByteString::try_from(text).unwrap()).unwrap()
    }

    /// The compact text, byte for byte the source's but for whitespace between tokens.
    pub fn text(&self) -> &[u8] {
        self.root().raw().as_bytes()
    }

    /// The outermost value.
    pub fn root(&self) -> Node<'_> {
        Node::new(&self.tape, self.root)
    }

    /// `node`, one of this document's, as a document of its own that shares the text.
    pub fn part(&self, node: Node<'_>) -> Document {
        Document { tape: Arc::clone(&self.tape), root: node.index(), content: OnceLock::new() }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({})", self.root().raw())
    }
}

#[cfg(test)]
mod tests;
