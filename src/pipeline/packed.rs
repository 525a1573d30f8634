//! Owns pages that were read ahead and wait for their turn: packed, they take a tenth of their size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use crate::model::time::Timestamp;
use crate::source::Place;

/// Bytes of packed pages that may be held, over all parts.
const HELD_BYTES: usize = 12 * 1024 * 1024;

/// zstd's quickest: a page in about a millisecond.
const LEVEL: i32 = 1;

/// A page that waits for its turn.
#[derive(Debug)]
pub struct Packed {
    /// Where it lies.
    pub place: Place,
    /// When it was received.
    pub at: Timestamp,
    body: Body,
    held: Held,
}

#[derive(Debug)]
enum Body {
    Packed(Box<[u8]>),
    Plain(Bytes),
}

impl Body {
    fn length(&self) -> usize {
        match self {
            Body::Packed(packed) => packed.len(),
            Body::Plain(body) => body.len(),
        }
    }
}

/// How many bytes are held by all parts of a window.
#[derive(Debug, Clone, Default)]
pub struct HeldBytes(Arc<AtomicUsize>);

/// A share of them, until it is dropped.
#[derive(Debug)]
struct Held(HeldBytes, usize);

impl HeldBytes {
    /// Whether more may be asked for ahead of the first part.
    pub fn has_room(&self) -> bool {
        self.0.load(Ordering::Relaxed) < HELD_BYTES
    }

    fn hold(&self, bytes: usize) -> Held {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Held(self.clone(), bytes)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Packed {
    /// Packs the text of the page at `place`, received just now.
    pub fn new(place: Place, body: &Bytes, held: &HeldBytes) -> Packed {
        // It does not fail, but for a lack of memory.
        let body = match zstd::bulk::compress(body, LEVEL) {
            // zstd leaves it the room that it might have needed.
            Ok(packed) => Body::Packed(packed.into_boxed_slice()),
            Err(_) => Body::Plain(body.clone()),
        };
        Packed {
            place,
            at: chrono::Utc::now(),
            held: held.hold(body.length()),
            body,
        }
    }

    /// The text that the page was read from.
    ///
    /// # Errors
    /// zstd's, which for what it packed itself is a lack of memory.
    pub fn unpack(self) -> std::io::Result<Bytes> {
        drop(self.held);
        match self.body {
            Body::Packed(packed) => Ok(Bytes::from(zstd::stream::decode_all(&*packed)?)),
            Body::Plain(body) => Ok(body),
        }
    }
}
