//! Keeps what detection remembers of a source: a file that begins with all of it, and grows by what
//! each commit adds. A large memory would else be written with every commit.
//!
//! The checkpoint says which file counts, and how much of it. Where what was added outgrows the
//! beginning, a new file takes the place of the old one. Each commit is a zstd frame with a
//! checksum of its own.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::crash::{self, CrashPoint};
use crate::files::{Durability, FileReplacement, create_private_folder};
use crate::model::name::SourceName;
use crate::state::StateError;
use crate::state::permissions::{StateUse, check_file_below};

/// The version of the records. One that is older is not read: detection begins to learn again.
const VERSION: u32 = 2;

/// A file is replaced once it has grown by this, and by as much as it began with.
const MIN_GROWTH: u64 = 64 * 1024;

/// Fast, and about a quarter of the size.
const LEVEL: i32 = 1;
const PACKED_SHARE: u64 = 4;

/// The longest text in a record.
const MAX_TEXT: usize = 1024 * 1024;

/// Which file counts, and how much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// Rises with each new file.
    pub generation: u64,
    /// Bytes that are committed.
    pub length: u64,
    /// Of these, the bytes that it began with.
    pub base: u64,
}

/// The log of one source that a run has locked.
#[derive(Debug)]
pub struct DetectionLog {
    folder: PathBuf,
    source: SourceName,
    position: LogPosition,
    file: Option<File>,
    /// Records since the last commit.
    records: Vec<u8>,
}

/// Reads the records of a log.
pub struct LogRecords {
    path: PathBuf,
    text: BufReader<zstd::Decoder<'static, BufReader<io::Take<File>>>>,
    scratch: Vec<u8>,
}

impl DetectionLog {
    /// The log of `source` in the state folder `state`, as far as the checkpoint knows it, and its
    /// records; none where there is nothing that can be continued.
    ///
    /// # Errors
    /// It is damaged, others may write it, or a newer version wrote it.
    pub fn open(
        state: &Path,
        source: &SourceName,
        position: Option<LogPosition>,
    ) -> Result<(DetectionLog, Option<LogRecords>), StateError> {
        let none = LogPosition { generation: 0, length: 0, base: 0 };
        let mut log = DetectionLog {
            folder: state.join("detection"),
            source: source.clone(),
            position: position.unwrap_or(none),
            file: None,
            records: Vec::new(),
        };
        let records = match position {
            Some(_) => log.open_file()?,
            None => None,
        };
        if records.is_none() {
            log.position.length = 0;
        }
        Ok((log, records))
    }

    fn path(&self) -> PathBuf {
        self.path_of(self.position.generation)
    }

    /// A source's name cannot hold `~`.
    fn path_of(&self, generation: u64) -> PathBuf {
        self.folder.join(format!("{}~{generation}.zst", self.source))
    }

    /// Opens the file that counts, and cuts off what is not committed.
    fn open_file(&mut self) -> Result<Option<LogRecords>, StateError> {
        let path = self.path();
        let committed = self.position.length;
        let Some(length) = check_file_below(&self.folder, &path, StateUse::Run)? else {
            tracing::warn!(
                path = %path.display(),
                "what detection had learned is gone; it begins to learn again"
            );
            return Ok(None);
        };
        if length < committed {
            return Err(StateError::damaged(&path, "its end is missing"));
        }
        let failed = |error| StateError::io("open", &path, error);
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        if length > committed {
            file.set_len(committed).map_err(failed)?;
            crash::point(CrashPoint::CutBack);
        }
        let text = File::open(&path).map_err(failed)?;
        let mut records = LogRecords::new(path.clone(), text, committed).map_err(failed)?;
        let version: u32 = match records.read()? {
            Some(version) => version,
            None => return Err(StateError::damaged(&path, "it is empty")),
        };
        match version {
            VERSION => {
                self.file = Some(file);
                Ok(Some(records))
            }
            newer if newer > VERSION => {
                Err(StateError::Newer { path, version: newer.into(), known: VERSION.into() })
            }
            _ => {
                tracing::warn!(
                    "an earlier atlaudit wrote what detection had learned; it begins to learn again"
                );
                Ok(None)
            }
        }
    }

    /// Adds a record, which the next commit makes durable.
    ///
    /// # Errors
    /// It cannot be written as bytes.
    pub fn append(&mut self, record: &impl Serialize) -> Result<(), StateError> {
        let written = postcard::to_io(record, &mut self.records);
        written.map(|_| ()).map_err(|error| self.damaged(error))
    }

    /// The error where a record holds something damaged.
    pub fn damaged(&self, what: impl fmt::Display) -> StateError {
        StateError::damaged(&self.path(), what)
    }

    /// Whether a new file should take the place of this one, rather than that it grows by the
    /// records since the last commit.
    pub fn is_replacement_due(&self) -> bool {
        let LogPosition { length, base, .. } = self.position;
        let growth = length.saturating_sub(base) + self.records.len() as u64 / PACKED_SHARE;
        self.file.is_none() || growth > base.max(MIN_GROWTH)
    }

    /// Makes the records durable.
    ///
    /// # Errors
    /// What the file system says.
    pub fn commit(&mut self) -> Result<LogPosition, StateError> {
        let path = self.path();
        let failed = |error| StateError::io("write", &path, error);
        let records = std::mem::take(&mut self.records);
        let Some(file) = self.file.as_mut().filter(|_| !records.is_empty()) else {
            return Ok(self.position);
        };
        let mut frame = Vec::new();
        let packed = pack(&mut frame, |out| out.write_all(&records));
        packed.map_err(failed)?;
        let (first, rest) = frame.split_at(frame.len() / 2);
        file.write_all(first).map_err(failed)?;
        crash::point(CrashPoint::DetectionHalfLogged);
        file.write_all(rest).and_then(|()| file.sync_data()).map_err(failed)?;
        crash::point(CrashPoint::DetectionLogged);
        self.position.length += frame.len() as u64;
        Ok(self.position)
    }

    /// Begins a new file with `memory`, which takes the place of all records so far. The old one
    /// stays until [`DetectionLog::remove_others`].
    ///
    /// # Errors
    /// What the file system says.
    pub fn replace(&mut self, memory: &impl Serialize) -> Result<LogPosition, StateError> {
        let generation = self.position.generation + 1;
        let path = self.path_of(generation);
        let failed = |error| StateError::io("write", &path, error);
        create_private_folder(&self.folder).map_err(failed)?;
        let prefix = temporary_prefix(self.source.as_str());
        let replacement = FileReplacement::new(&path, Durability::FileAndDir).named(&prefix, "");
        let written = replacement.write(|out| {
            pack(out, |out| {
                postcard::to_io(&VERSION, &mut *out).map_err(io::Error::other)?;
                postcard::to_io(memory, &mut *out).map_err(io::Error::other)?;
                Ok(())
            })
        });
        written.map_err(failed)?;
        crash::point(CrashPoint::DetectionReplaced);
        let file = OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW).open(&path);
        let file = file.map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        self.file = Some(file);
        self.records.clear();
        self.position = LogPosition { generation, length, base: length };
        Ok(self.position)
    }

    /// Whether anything was added since the file began.
    pub fn has_grown(&self) -> bool {
        self.position.length > self.position.base || !self.records.is_empty()
    }

    /// Removes the files that do not count, once the checkpoint is saved. One that cannot be
    /// removed only takes room.
    pub fn remove_others(&self) {
        let own = self.path();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path != own
                && self.is_ours(&entry.file_name().to_string_lossy())
                && let Err(error) = fs::remove_file(&path)
            {
                tracing::info!(path = %path.display(), %error, "cannot remove an old file");
            }
        }
    }

    /// Whether we gave a file this name: people may put one aside.
    fn is_ours(&self, name: &str) -> bool {
        let source = self.source.as_str();
        let generation = name.strip_prefix(source).and_then(|rest| rest.strip_prefix('~'));
        let generation = generation.and_then(|rest| rest.strip_suffix(".zst"));
        let is_generation = generation.is_some_and(|number| number.parse::<u64>().is_ok());
        is_generation || name.starts_with(&temporary_prefix(source))
    }
}

fn temporary_prefix(source: &str) -> String {
    format!(".{source}~")
}

/// Writes one frame.
fn pack<W: io::Write>(
    out: W,
    fill: impl FnOnce(&mut zstd::Encoder<'_, W>) -> io::Result<()>,
) -> io::Result<()> {
    let mut frame = zstd::Encoder::new(out, LEVEL)?;
    frame.include_checksum(true)?;
    fill(&mut frame)?;
    frame.finish().map(|_| ())
}

impl LogRecords {
    fn new(path: PathBuf, file: File, length: u64) -> io::Result<LogRecords> {
        let text = BufReader::new(zstd::Decoder::new(file.take(length))?);
        Ok(LogRecords { path, text, scratch: vec![0; MAX_TEXT] })
    }

    /// The next record; nothing at the end.
    ///
    /// # Errors
    /// It is damaged.
    pub fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StateError> {
        let damaged = |error: &dyn fmt::Display| StateError::damaged(&self.path, error);
        match self.text.fill_buf() {
            Ok([]) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(damaged(&error)),
        }
        match postcard::from_io((&mut self.text, &mut self.scratch)) {
            Ok((record, _)) => Ok(Some(record)),
            Err(error) => Err(StateError::damaged(&self.path, error)),
        }
    }
}

#[cfg(test)]
#[path = "detection_log_tests.rs"]
mod tests;
