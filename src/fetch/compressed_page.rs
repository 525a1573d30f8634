//! A prefetched page that waits for its turn. Compressed, it takes a tenth of its size.

use bytes::Bytes;

use crate::http::memory_budget::{CompressedPermit, MemoryBudget};
use crate::model::time::Timestamp;
use crate::source::PageLocator;

/// zstd's quickest: a page in about a millisecond.
const LEVEL: i32 = 1;

/// A page that waits for its turn.
#[derive(Debug)]
pub struct CompressedPage {
    /// Where it lies.
    pub locator: PageLocator,
    /// When it was received.
    pub at: Timestamp,
    body: CompressedBody,
    share: CompressedPermit,
}

#[derive(Debug)]
enum CompressedBody {
    Zstd(Box<[u8]>),
    Plain(Bytes),
}

impl CompressedBody {
    fn length(&self) -> usize {
        match self {
            CompressedBody::Zstd(packed) => packed.len(),
            CompressedBody::Plain(body) => body.len(),
        }
    }
}

impl CompressedPage {
    /// Packs the text of the page at `place`, received just now.
    pub fn new(place: PageLocator, body: &Bytes, room: &MemoryBudget) -> CompressedPage {
        // It does not fail, but for a lack of memory.
        let body = match zstd::bulk::compress(body, LEVEL) {
            // zstd leaves it the room that it might have needed.
            Ok(packed) => CompressedBody::Zstd(packed.into_boxed_slice()),
            Err(_) => CompressedBody::Plain(body.clone()),
        };
        CompressedPage {
            locator: place,
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
            CompressedBody::Zstd(packed) => Ok(Bytes::from(zstd::stream::decode_all(&*packed)?)),
            CompressedBody::Plain(body) => Ok(body),
        }
    }
}
