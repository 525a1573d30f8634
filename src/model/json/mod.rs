//! JSON as it came: a compact text kept byte for byte, with an index of its values.
//!
//! An audit record must survive exactly: big numbers, `1.10`, key order, duplicate keys, odd
//! escapes. So a record is never turned into a tree and written again. One pass over an answer
//! ([`tape`]) checks that it is JSON, removes the whitespace between tokens (a pretty-printed page
//! would tear a line of output) and notes where each value lies. Every record of the answer is then
//! a [`Document`] that shares its text and its notes; [`Node`] looks values up and never fails on a
//! surprise.

mod content;
pub mod escape;
mod node;
mod tape;
pub mod write;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytestring::ByteString;

pub use node::Node;
pub use tape::InvalidJson;
use tape::JsonTape;

/// A valid JSON value without whitespace between tokens. Cheap to clone: it shares the text that it
/// is a part of.
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
        let tape = tape::scan(text)?;
        Ok(Document { tape: Arc::new(tape), root: 0, content: OnceLock::new() })
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
