//! Owns pages that were read ahead and wait for their turn: packed, they take a tenth of their size.

use bytes::Bytes;

use crate::http::room::{PackedShare, Room};
use crate::model::time::Timestamp;
use crate::source::Place;

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
    share: PackedShare,
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

impl Packed {
    /// Packs the text of the page at `place`, received just now.
    pub fn new(place: Place, body: &Bytes, room: &Room) -> Packed {
        // It does not fail, but for a lack of memory.
        let body = match zstd::bulk::compress(body, LEVEL) {
            // zstd leaves it the room that it might have needed.
            Ok(packed) => Body::Packed(packed.into_boxed_slice()),
            Err(_) => Body::Plain(body.clone()),
        };
        Packed {
            place,
            at: chrono::Utc::now(),
            share: room.pack(body.length()),
            body,
        }
    }

    /// The text that the page was read from.
    ///
    /// # Errors
    /// zstd's, which for what it packed itself is a lack of memory.
    pub fn unpack(self) -> std::io::Result<Bytes> {
        drop(self.share);
        match self.body {
            Body::Packed(packed) => Ok(Bytes::from(zstd::stream::decode_all(&*packed)?)),
            Body::Plain(body) => Ok(body),
        }
    }
}
