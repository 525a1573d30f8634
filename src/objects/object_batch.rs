//! What a commit leaves for object storage: objects that are to be published, and lines that wait
//! until objects are made of them. The state of the source carries both.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::config::settings::{Compression, Encoding, OutputFormat};
use crate::model::time::Timestamp;

/// What a source has in the store beside its checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectBatch {
    /// A random id of this history of the source; empty before its first objects.
    pub history: String,
    /// The folder of objects in which the history has a mark: no other one may write there.
    pub marked_folder: Option<String>,
    /// How often objects were made. The number stands in their names, which so are never given
    /// twice.
    pub publications: u64,
    /// Lines of which objects are made later.
    pub waiting: Option<WaitingLines>,
    /// Objects that are to be published: an earlier run may have done it.
    pub pending: Vec<PendingObject>,
}

/// How objects are made of lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectForm {
    /// The URL of an object without its number; `%Y %m %d %H` and `{event_day}` are not replaced
    /// yet.
    pub template: String,
    /// The form of a line.
    pub format: OutputFormat,
    /// What objects are made of.
    pub encoding: Encoding,
    /// How lines are packed.
    pub compression: Compression,
}

/// Lines that are committed, and wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingLines {
    /// What shall be made of them. It stays as it was when they were written, whatever the
    /// configuration says since.
    pub form: ObjectForm,
    /// When the first of them was written.
    pub begun: Timestamp,
    /// Bytes of lines, unpacked.
    pub line_bytes: u64,
    /// The lines, as frames of Zstandard.
    pub frames: Vec<Bytes>,
}

impl WaitingLines {
    /// Bytes of them, packed.
    #[cfg(feature = "object-store")]
    pub fn packed_bytes(&self) -> u64 {
        self.frames.iter().map(|frame| frame.len() as u64).sum()
    }
}

/// An object that is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingObject {
    /// Its URL.
    pub url: String,
    /// Its content.
    pub content: Bytes,
}
