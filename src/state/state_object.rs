//! The content of a state in an object store: a line of JSON that says what follows, so that people
//! can look at it, then the checkpoint (Zstandard), the lines that wait, and the objects that are
//! to be published.

use std::fmt;
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::text::printable;
use crate::model::time::{Timestamp, format_millis};
use crate::objects::{ObjectBatch, ObjectForm, PendingObject, WaitingLines};
use crate::state::checkpoint::{self, Checkpoint};
use crate::state::{StateError, parse_versioned};

/// The newest version that this program reads and writes.
const VERSION: u64 = 1;

/// Bytes of a checkpoint at most, unpacked: a dedup cache may have megabytes.
const MAX_CHECKPOINT_BYTES: u64 = 1 << 30;

/// The state of a source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateObject {
    /// How often it was replaced.
    pub sequence: u64,
    /// The run that holds the source.
    pub holder: Option<StateHolder>,
    /// What the last commit says; nothing before the first.
    pub checkpoint: Option<Checkpoint>,
    /// What the source has in the store besides.
    pub objects: ObjectBatch,
}

/// A run that holds a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateHolder {
    /// Its machine, or pod.
    pub host: String,
    /// The number of its process there.
    pub process: u32,
    /// Since when, by its own clock: for people.
    pub since: Timestamp,
    /// For so long after the last replacement of the state others leave it alone.
    pub lease_seconds: u64,
}

impl fmt::Display for StateHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = format_millis(self.since);
        write!(f, "{}, process {}, since {since}", printable(&self.host), self.process)
    }
}

/// The line of JSON. Lengths are in bytes, in the order of what follows.
#[derive(Debug, Serialize, Deserialize)]
struct StateHeader {
    version: u64,
    /// Differs in each version of the object: so a writer recognizes its own.
    put_id: String,
    sequence: u64,
    holder: Option<StateHolder>,
    history: String,
    marked_folder: Option<String>,
    publications: u64,
    /// The length of the checkpoint; 0 where there is none.
    checkpoint: u64,
    waiting: Option<WaitingHeader>,
    pending: Vec<PendingHeader>,
    /// Of all that follows.
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct WaitingHeader {
    form: ObjectForm,
    begun: Timestamp,
    line_bytes: u64,
    frames: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PendingHeader {
    url: String,
    length: u64,
}

impl StateObject {
    /// Its content, which no other one has.
    ///
    /// # Errors
    /// The checkpoint cannot be packed.
    pub fn encode(&self) -> std::io::Result<Bytes> {
        let mut checkpoint = Vec::new();
        if let Some(known) = &self.checkpoint {
            let mut packer = zstd::Encoder::new(&mut checkpoint, zstd::DEFAULT_COMPRESSION_LEVEL)?;
            checkpoint::write(known, &mut packer)?;
            packer.finish()?;
        }
        let ObjectBatch { history, marked_folder, publications, waiting, pending } = &self.objects;
        let header_of_waiting = |waiting: &WaitingLines| WaitingHeader {
            form: waiting.form.clone(),
            begun: waiting.begun,
            line_bytes: waiting.line_bytes,
            frames: waiting.frames.iter().map(|frame| frame.len() as u64).collect(),
        };
        let frames = waiting.iter().flat_map(|it| &it.frames).map(|frame| &**frame);
        let objects = pending.iter().map(|object| &*object.content);
        let parts: Vec<&[u8]> = [&*checkpoint].into_iter().chain(frames).chain(objects).collect();
        let mut sha256 = Sha256::new();
        parts.iter().for_each(|part| sha256.update(part));
        let header = StateHeader {
            version: VERSION,
            put_id: format!("{:032x}", fastrand::u128(..)),
            sequence: self.sequence,
            holder: self.holder.clone(),
            history: history.clone(),
            marked_folder: marked_folder.clone(),
            publications: *publications,
            checkpoint: checkpoint.len() as u64,
            waiting: waiting.as_ref().map(header_of_waiting),
            pending: pending
                .iter()
                .map(|object| PendingHeader {
                    url: object.url.clone(),
                    length: object.content.len() as u64,
                })
                .collect(),
            sha256: hex(&sha256.finalize()),
        };
        let mut bytes = serde_json::to_vec(&header)?;
        bytes.push(b'\n');
        bytes.reserve_exact(parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        Ok(bytes.into())
    }

    /// The state with this content; `path` is for the messages.
    ///
    /// # Errors
    /// It is damaged, or was written by a newer version.
    pub fn decode(path: &Path, bytes: &Bytes) -> Result<StateObject, StateError> {
        let damaged = |what: &str| StateError::damaged(path, what);
        let end = memchr::memchr(b'\n', bytes).ok_or_else(|| damaged("it has no first line"))?;
        let header: StateHeader =
            parse_versioned(path, bytes.get(..end).unwrap_or_default(), VERSION)?;
        let mut rest = bytes.slice(end + 1..);
        if hex(&Sha256::digest(&rest)) != header.sha256 {
            return Err(damaged("its content does not match its SHA-256"));
        }
        let mut take = |length: u64| {
            let length = usize::try_from(length).ok().filter(|length| *length <= rest.len());
            length.map(|length| rest.split_to(length)).ok_or_else(|| damaged("it ends too early"))
        };
        let packed = take(header.checkpoint)?;
        let checkpoint = match packed.is_empty() {
            true => None,
            false => Some(checkpoint::read(path, &unpack(path, &packed)?)?),
        };
        let waiting = match header.waiting {
            None => None,
            Some(WaitingHeader { form, begun, line_bytes, frames }) => {
                let frames = frames.into_iter().map(&mut take).collect::<Result<_, _>>()?;
                Some(WaitingLines { form, begun, line_bytes, frames })
            }
        };
        let pending = header.pending.into_iter().map(|PendingHeader { url, length }| {
            Ok::<_, StateError>(PendingObject { url, content: take(length)? })
        });
        Ok(StateObject {
            sequence: header.sequence,
            holder: header.holder,
            checkpoint,
            objects: ObjectBatch {
                history: header.history,
                marked_folder: header.marked_folder,
                publications: header.publications,
                waiting,
                pending: pending.collect::<Result<_, _>>()?,
            },
        })
    }
}

fn unpack(path: &Path, packed: &[u8]) -> Result<Vec<u8>, StateError> {
    let mut text = Vec::new();
    let read = zstd::Decoder::new(packed)
        .and_then(|decoder| decoder.take(MAX_CHECKPOINT_BYTES).read_to_end(&mut text));
    read.map(|_| text).map_err(|error| StateError::damaged(path, error))
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
