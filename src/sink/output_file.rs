//! Opens, locks and appends to one output file, commits it, and gives it its finished name.

use std::error::Error as _;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::num::NonZeroU64;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, fadvise};

use crate::config::settings::{Compression, OutputSettings};
use crate::crash::{self, CrashPoint};
use crate::files::{create_private_folder, folder_of, sync_folder};
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::sink::identity::{identity, is_same_file, lock, tail};
use crate::sink::pack::{LineEncoder, detect_file_compression, unpack};
use crate::sink::path::{finished_path, newest_finished_time, next_stamp};
use crate::sink::recovery::recover_last_line;
use crate::sink::{SinkError, failed, truncate};

/// Times that a file is opened because it was finished meanwhile.
const MAX_OPEN_ATTEMPTS: u32 = 3;

/// A file that is appended to.
pub struct OutputFile {
    path: PathBuf,
    file: File,
    /// The same file for reading, where we may.
    reader: Option<File>,
    compression: Compression,
    identity: String,
    begun: Timestamp,
    length: u64,
    /// Its length at the last commit.
    committed: u64,
    packer: LineEncoder,
    /// Pipes and devices are written like files but hold nothing: no length, no cutting, no sync.
    is_regular: bool,
    /// Whether we made it, in this run or the last.
    is_ours: bool,
    has_uncommitted: bool,
    /// Whether the last line that somebody left lacks its newline: ours must not become part of it.
    lacks_newline: bool,
}

/// What became of the file by other hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternalChange {
    /// None.
    Same,
    /// It was cut, or somebody appended to it.
    Changed,
    /// Its name means another file or none: it was renamed or removed.
    Moved,
}

/// Has the system begin to move these bytes to the disk, so that the sync of the commit finds less
/// to wait for. An audit log is rarely read by the machine that wrote it, and need not push other
/// files out of memory.
fn begin_writing_back(file: &File, from: u64, to: u64) {
    // Only advice: a file system that does not take it loses nothing.
    let _ = fadvise(file, from, NonZeroU64::new(to - from), Advice::DontNeed);
}

impl OutputFile {
    /// Opens `path`, and creates it and its folder where they are missing; `last_file` is what the
    /// checkpoint says of the file written last, whichever that was.
    ///
    /// # Errors
    /// The system refuses, another run writes it, or it could not be unpacked with our lines after
    /// it.
    pub fn new(
        path: PathBuf,
        settings: &OutputSettings,
        last_file: Option<&OutputFileState>,
        now: Timestamp,
    ) -> Result<OutputFile, SinkError> {
        let failed = |doing| {
            let path = &path;
            move |error| failed(doing, path, error)
        };
        create_private_folder(folder_of(&path)).map_err(failed("create the folder of"))?;
        let is_new = !path.exists();
        let (file, facts) = open_locked(&path, settings.mode)?;
        let (is_regular, identity) = (facts.is_file(), identity(&facts));
        let known = last_file.filter(|last| is_same_file(last, &facts));
        let (mut length, mut lacks_newline) = (facts.len(), false);
        if is_new && is_regular {
            crash::point(CrashPoint::OutputCreated);
            sync_folder(folder_of(&path)).map_err(failed("create"))?;
        }
        if is_regular && length > 0 {
            lacks_newline = check_before_append(&path, settings.compression, known.is_some())?;
            length = file.metadata().map_err(failed("open"))?.len();
        }
        crash::point(CrashPoint::OutputOpened);
        // Of a file that nobody knows, its last change must do.
        let touched = || facts.modified().map_or(now, Timestamp::from);
        Ok(OutputFile {
            begun: known.and_then(|known| known.begun).unwrap_or_else(touched),
            packer: LineEncoder::new(settings.compression, &file),
            compression: settings.compression,
            reader: is_regular.then(|| open_reader(&path, &facts)).flatten(),
            is_ours: is_new || known.is_some(),
            has_uncommitted: false,
            path,
            file,
            identity,
            length,
            committed: length,
            is_regular,
            lacks_newline,
        })
    }

    fn is_packed(&self) -> bool {
        self.compression != Compression::None
    }

    /// Where it is, or was.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the checkpoint says of it; nothing for a pipe or a device.
    pub fn state(&self) -> Option<OutputFileState> {
        self.is_regular.then(|| OutputFileState {
            path: self.path.clone(),
            identity: Some(self.identity.clone()),
            tail: self.tail(),
            begun: Some(self.begun),
            committed: self.committed,
            is_open: true,
        })
    }

    fn tail(&self) -> Option<String> {
        let reader = self.reader.as_ref()?;
        tail(reader, self.committed).ok().flatten()
    }

    /// Whether it is a file, and no pipe or device.
    pub fn is_regular(&self) -> bool {
        self.is_regular
    }

    /// When its first line was written.
    pub fn begun(&self) -> Timestamp {
        self.begun
    }

    /// Its length in bytes; nothing for a pipe or a device.
    pub fn length(&self) -> u64 {
        match self.is_regular {
            true => self.length,
            false => 0,
        }
    }

    /// Whether lines were appended since the last commit.
    pub fn has_uncommitted(&self) -> bool {
        self.has_uncommitted
    }

    /// Finds out what others did to it since the last commit: rotation by rename or by cutting
    /// (logrotate's `copytruncate`) is taken as it is. To be called between two commits.
    ///
    /// # Errors
    /// The system does not say.
    pub fn external_change(&mut self) -> Result<ExternalChange, SinkError> {
        if !self.is_regular {
            return Ok(ExternalChange::Same);
        }
        match fs::metadata(&self.path) {
            Ok(facts) if identity(&facts) != self.identity => Ok(ExternalChange::Moved),
            Ok(facts) if facts.len() == self.length => Ok(ExternalChange::Same),
            Ok(facts) => self.accept_change(&facts).map(|()| ExternalChange::Changed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(ExternalChange::Moved),
            Err(error) => Err(failed("find", &self.path, error)),
        }
    }

    fn accept_change(&mut self, facts: &Metadata) -> Result<(), SinkError> {
        if facts.len() < self.length {
            tracing::info!(path = %self.path.display(), "the output file was truncated by another program; lines are appended at its new end");
        }
        self.lacks_newline = match facts.len() {
            0 => false,
            _ => check_before_append(&self.path, self.compression, true)?,
        };
        let now = self.file.metadata();
        self.length = now.map_err(|error| failed("find", &self.path, error))?.len();
        self.committed = self.length;
        Ok(())
    }

    /// Appends whole lines.
    ///
    /// # Errors
    /// They could not be written; part of them may have been.
    pub fn append(&mut self, lines: &[u8], now: Timestamp) -> Result<(), SinkError> {
        let whole = match self.is_packed() {
            true => self.committed,
            false => self.length,
        };
        let appended = self.try_append(lines, now);
        appended.map_err(|error| self.roll_back(whole, error))
    }

    fn try_append(&mut self, lines: &[u8], now: Timestamp) -> Result<(), SinkError> {
        if self.length == 0 && !self.has_uncommitted {
            self.begun = now;
        }
        self.has_uncommitted = true;
        if std::mem::take(&mut self.lacks_newline) {
            write(&mut self.file, &mut self.length, b"\n", &self.path)?;
        }
        let packed = self.packer.encode(lines);
        let packed = packed.map_err(|error| failed("pack", &self.path, error))?;
        let from = self.length;
        write(&mut self.file, &mut self.length, packed, &self.path)?;
        if self.is_regular {
            begin_writing_back(&self.file, from, self.length);
        }
        crash::point(CrashPoint::Appended);
        Ok(())
    }

    /// Returns when everything appended is durable.
    ///
    /// # Errors
    /// It could not be made so, or another program cut some of it off.
    pub fn commit(&mut self) -> Result<(), SinkError> {
        if !self.has_uncommitted {
            return Ok(());
        }
        self.finish_frame().map_err(|error| self.roll_back(self.committed, error))?;
        crash::point(CrashPoint::Packed);
        if self.is_regular {
            self.sync()?;
            crash::point(CrashPoint::OutputDurable);
        }
        self.has_uncommitted = false;
        Ok(())
    }

    fn finish_frame(&mut self) -> Result<(), SinkError> {
        let end = self.packer.finish_frame();
        let end = end.map_err(|error| failed("pack", &self.path, error))?;
        write(&mut self.file, &mut self.length, end, &self.path)
    }

    /// Truncates the file to the length `whole` after a write failed with `error`, so that it holds
    /// no incomplete line or member. Returns the error to report.
    fn roll_back(&mut self, whole: u64, error: SinkError) -> SinkError {
        if !self.is_regular {
            return error;
        }
        match truncate(&self.file, &self.path, whole) {
            Ok(()) => {
                self.length = whole;
                error
            }
            Err(not_truncated) => {
                let cause = error.source().map(ToString::to_string);
                tracing::warn!(cause, "{error}");
                not_truncated
            }
        }
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        let synced = self.file.sync_data();
        synced.map_err(|error| failed("sync", &self.path, error))?;
        let facts = self.file.metadata();
        let facts = facts.map_err(|error| failed("sync", &self.path, error))?;
        if facts.nlink() == 0 {
            // The program that moved the file may have processed it before these lines came.
            return Err(SinkError::RemovedWhileOpen { path: self.path.clone() });
        }
        let length = facts.len();
        if length < self.length {
            return Err(self.truncated_externally(length));
        }
        // More is somebody else's, and whole as far as anybody knows.
        self.length = length;
        self.committed = length;
        Ok(())
    }

    /// Somebody cut the file to nothing, and we went on: what is in it now begins anywhere. It is
    /// read from the source again, so that nothing is lost when it goes.
    fn truncated_externally(&mut self, length: u64) -> SinkError {
        let is_ours = length <= self.length - self.committed;
        if is_ours && let Err(error) = truncate(&self.file, &self.path, 0) {
            return error;
        }
        SinkError::TruncatedExternally { path: self.path.clone() }
    }

    /// Whether it is packed and empty, and nobody else's: no tool unpacks what holds not one
    /// member.
    pub fn is_empty_archive(&self) -> bool {
        self.is_ours && self.is_packed() && self.is_regular && self.length == 0
    }

    /// Removes it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(self) -> Result<(), SinkError> {
        match fs::metadata(&self.path) {
            Ok(now) if identity(&now) == self.identity => {
                fs::remove_file(&self.path).map_err(|error| failed("remove", &self.path, error))
            }
            // Another has its name by now, or nobody.
            _ => Ok(()),
        }
    }

    /// Gives it its finished name, by which it sorts behind all that were finished before. To be
    /// called between two commits; nothing is written to it afterwards. Returns that name.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn finish(self) -> Result<PathBuf, SinkError> {
        let failed = |source| failed("finish", &self.path, source);
        let newest = newest_finished_time(&self.path).map_err(failed)?;
        let stamp = newest.map(next_stamp).max(Some(self.begun));
        let name = finished_path(&self.path, stamp.unwrap_or(self.begun));
        // Never over another: a name that no time sorts behind may stand in the folder.
        if fs::symlink_metadata(&name).is_ok() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        fs::rename(&self.path, &name).map_err(failed)?;
        crash::point(CrashPoint::Finished);
        sync_folder(folder_of(&self.path)).map_err(failed)?;
        tracing::info!(path = %name.display(), "an output file is finished");
        Ok(name)
    }
}

fn write(file: &mut File, length: &mut u64, bytes: &[u8], path: &Path) -> Result<(), SinkError> {
    // In two halves where a test may want to die between them.
    let half = match cfg!(feature = "crash-points") {
        true => bytes.len() / 2,
        false => 0,
    };
    let (first, rest) = bytes.split_at(half);
    let written = file.write_all(first).and_then(|()| {
        crash::point(CrashPoint::HalfAppended);
        file.write_all(rest)
    });
    match written {
        Ok(()) => {
            *length += bytes.len() as u64;
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(SinkError::ReaderClosed),
        Err(error) => Err(failed("write", path, error)),
    }
}

/// The file of `facts` for reading, where we may and it is still at `path`.
fn open_reader(path: &Path, facts: &Metadata) -> Option<File> {
    let file = File::open(path).ok()?;
    let found = file.metadata().ok()?;
    (identity(&found) == identity(facts)).then_some(file)
}

/// Opens `path` for appending, and locks it where it is a regular file.
fn open_locked(path: &Path, mode: u32) -> Result<(File, Metadata), SinkError> {
    let failed = |error| failed("open", path, error);
    let mut tries = 0;
    loop {
        tries += 1;
        let file = create_or_open(path, mode).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        if !facts.is_file() {
            return Ok((file, facts));
        }
        lock(&file, path)?;
        // Another run may have finished it before we had the lock: that file is not to be written
        // again.
        match fs::metadata(path) {
            Ok(now) if identity(&now) == identity(&facts) => return Ok((file, facts)),
            // If inode numbers never match (some network file systems), accept the last attempt.
            Ok(_) if tries == MAX_OPEN_ATTEMPTS => return Ok((file, facts)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Opens `path` for appending. A new file gets exactly this mode, whatever the process's mask takes
/// away: a shipper's group waits for its bit. An existing file keeps its own.
fn create_or_open(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(mode);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(mode))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Looks at what a file holds that lines are to be appended to. Returns whether its last line lacks
/// its newline.
fn check_before_append(
    path: &Path,
    compression: Compression,
    is_known: bool,
) -> Result<bool, SinkError> {
    let failed = |error| failed("read", path, error);
    let found = match detect_file_compression(path) {
        // If this user may only append to it, it cannot be checked.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        found => found.map_err(failed)?,
    };
    if found != compression {
        return Err(SinkError::CompressionMismatch { path: path.to_owned() });
    }
    match compression {
        Compression::None => recover_last_line(path),
        _ if is_known => Ok(false),
        _ => check_decodes(path, compression).map(|()| false),
    }
}

/// Reads a packed file that no checkpoint knows: after an unfinished member or frame, our lines
/// would be lost to every reader.
fn check_decodes(path: &Path, compression: Compression) -> Result<(), SinkError> {
    File::open(path)
        .and_then(|file| unpack(compression, io::BufReader::new(file)))
        .and_then(|mut text| io::copy(&mut text, &mut io::sink()))
        .map(|_| ())
        .map_err(|source| SinkError::CorruptArchive { path: path.to_owned(), source })
}
