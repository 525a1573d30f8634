//! Writes lines to files: chooses the file that the next lines go to, locks it, appends and commits
//! to it, and gives it its finished name when it is due.

use std::error::Error as _;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::num::NonZeroU64;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use rustix::fs::{Advice, fadvise};

use crate::config::settings::{Compression, OutputSettings, Rotation};
use crate::crash::{self, CrashPoint};
use crate::files::{create_private_folder, folder_of, if_exists, sync_folder};
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::sink::line_sink::{LineSink, SinkError, UnexpectedFile, WrittenFiles, failed, truncate};
use crate::sink::location::{
    finished_path, identity, is_rotation_due, is_same_file, lock, newest_finished_time, path_at,
    tail,
};
use crate::sink::pack::{LineEncoder, detect_file_compression, unpack};
use crate::sink::recovery::recover_last_line;

/// Files named by a template; the lines of one commit lie in one file.
pub struct FileSink {
    settings: OutputSettings,
    /// What the state knows of the file written last.
    last_file: Option<OutputFileState>,
    current: Option<OutputFile>,
    written: WrittenFiles,
    clock: fn() -> Timestamp,
}

impl FileSink {
    /// Files at the path of `settings`, which may hold `%Y %m %d %H`.
    pub fn new(settings: &OutputSettings, last_file: Option<OutputFileState>) -> Self {
        FileSink {
            settings: settings.clone(),
            last_file,
            current: None,
            written: WrittenFiles::default(),
            clock: chrono::Utc::now,
        }
    }

    /// Whether the current file's time or size has come, at which `rotation` finishes it.
    #[cfg(feature = "parquet")]
    pub fn is_due(&self, rotation: Rotation) -> bool {
        self.current.as_ref().is_some_and(|open| open.is_due(rotation, (self.clock)()))
    }

    /// Gives the current file its finished name, where it holds something. To be called between two
    /// commits.
    ///
    /// # Errors
    /// It cannot be renamed.
    #[cfg(feature = "parquet")]
    pub fn finish_file(&mut self) -> Result<Option<PathBuf>, SinkError> {
        let current = self.current.take_if(|open| open.is_regular && open.length > 0);
        current.map(OutputFile::finish).transpose()
    }

    /// Removes the current file where it holds nothing and is nobody else's.
    ///
    /// # Errors
    /// It cannot be removed.
    #[cfg(feature = "parquet")]
    pub fn remove_if_empty(&mut self) -> Result<(), SinkError> {
        let is_empty = |open: &mut OutputFile| open.is_ours && open.is_regular && open.length == 0;
        self.current.take_if(is_empty).map_or(Ok(()), OutputFile::remove)
    }

    /// Finishes the current file where its time has come. Gives it back where it goes on.
    fn rotate_if_due(
        &mut self,
        open: OutputFile,
        now: Timestamp,
    ) -> Result<Option<OutputFile>, SinkError> {
        if !open.is_due(self.settings.rotation, now) {
            return Ok(Some(open));
        }
        let path = open.path.clone();
        self.written.rename(&path, open.finish()?);
        Ok(None)
    }
}

impl LineSink for FileSink {
    fn prepare(&mut self) -> Result<Option<OutputFileState>, SinkError> {
        // Lines of one commit stay in one file.
        if self.current.as_ref().is_some_and(|open| open.has_uncommitted) {
            return Ok(None);
        }
        let now = (self.clock)();
        let path = path_at(self.settings.file_template(), self.settings.compression, now)?;
        if let Some(mut open) = self.current.take().filter(|open| open.path == path) {
            let change = open.external_change()?;
            if change == ExternalChange::Moved {
                tracing::info!(
                    path = %path.display(),
                    "the output file was moved away; a new one is begun"
                );
            } else if let Some(open) = self.rotate_if_due(open, now)? {
                let open = self.current.insert(open);
                // Recorded again: a crash must not truncate it at an end that it no longer has.
                return Ok(open.state().filter(|_| change == ExternalChange::Changed));
            }
        }
        let open = |sink: &FileSink| {
            OutputFile::new(path.clone(), &sink.settings, sink.last_file.as_ref(), now)
        };
        let opened = open(self)?;
        let opened = match self.rotate_if_due(opened, now)? {
            Some(opened) => opened,
            None => open(self)?,
        };
        Ok(self.current.insert(opened).state())
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        if self.current.is_none() {
            self.prepare()?;
        }
        if let Some(open) = &mut self.current {
            open.append(lines, (self.clock)())?;
            self.written.add(&open.path);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        let Some(open) = &mut self.current else {
            return Ok(Vec::new());
        };
        open.commit()?;
        Ok(open.state().into_iter().collect())
    }

    fn finish(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        let state = self.commit()?.pop();
        if let Some(open) = self.current.take_if(|open| open.is_empty_archive()) {
            open.remove()?;
            return Ok(Vec::new());
        }
        Ok(state.map(|state| OutputFileState { is_open: false, ..state }).into_iter().collect())
    }

    fn written_files(&self) -> WrittenFiles {
        self.written.clone()
    }

    /// A commit costs two syncs, and a file can be truncated.
    fn commit_threshold(&self) -> usize {
        match self.current.as_ref().is_some_and(|open| open.is_regular) {
            true => 32 * 1024 * 1024,
            false => 8 * 1024 * 1024,
        }
    }

    fn is_full(&self) -> bool {
        self.current.as_ref().is_some_and(|open| {
            open.has_uncommitted && open.is_due(self.settings.rotation, (self.clock)())
        })
    }
}

/// Times that a file is opened because it was finished meanwhile.
const MAX_OPEN_ATTEMPTS: u32 = 3;

/// A file that is appended to.
struct OutputFile {
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
enum ExternalChange {
    /// None.
    Same,
    /// It was cut, or somebody appended to it.
    Changed,
    /// Its name means another file or none: it was renamed or removed.
    Moved,
}

impl OutputFile {
    /// Opens `path`, and creates it and its folder where they are missing; `last_file` is what the
    /// checkpoint says of the file written last, whichever that was.
    ///
    /// # Errors
    /// The system refuses, another run writes it, or it could not be unpacked with our lines after
    /// it.
    fn new(
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

    /// What the checkpoint says of it; nothing for a pipe or a device.
    fn state(&self) -> Option<OutputFileState> {
        self.is_regular.then(|| OutputFileState {
            path: self.path.clone(),
            identity: Some(self.identity.clone()),
            tail: self.reader.as_ref().and_then(|file| tail(file, self.committed).ok().flatten()),
            begun: Some(self.begun),
            committed: self.committed,
            is_open: true,
        })
    }

    /// Whether its time or size has come, at which `rotation` finishes it.
    fn is_due(&self, rotation: Rotation, now: Timestamp) -> bool {
        // A pipe or a device has no length.
        self.is_regular && is_rotation_due(rotation, self.begun, self.length, now)
    }

    /// Finds out what others did to it since the last commit: rotation by rename or by cutting
    /// (logrotate's `copytruncate`) is taken as it is. To be called between two commits.
    ///
    /// # Errors
    /// The system does not say.
    fn external_change(&mut self) -> Result<ExternalChange, SinkError> {
        if !self.is_regular {
            return Ok(ExternalChange::Same);
        }
        let facts = if_exists(fs::metadata(&self.path));
        match facts.map_err(|error| failed("find", &self.path, error))? {
            Some(facts) if identity(&facts) == self.identity => match facts.len() == self.length {
                true => Ok(ExternalChange::Same),
                false => self.accept_change(&facts).map(|()| ExternalChange::Changed),
            },
            _ => Ok(ExternalChange::Moved),
        }
    }

    fn accept_change(&mut self, facts: &Metadata) -> Result<(), SinkError> {
        if facts.len() < self.length {
            tracing::info!(
                path = %self.path.display(),
                "the output file was truncated by another program; lines are appended at its new \
                 end"
            );
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
    fn append(&mut self, lines: &[u8], now: Timestamp) -> Result<(), SinkError> {
        let whole = if self.is_packed() { self.committed } else { self.length };
        self.try_append(lines, now).map_err(|error| self.roll_back(whole, error))
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
            // The system begins to move these bytes to the disk, so that the sync of the commit
            // waits for less. An audit log is rarely read by the machine that wrote it, and need
            // not push other files out of memory. Only advice: it may fail.
            let length = NonZeroU64::new(self.length - from);
            let _ = fadvise(&self.file, from, length, Advice::DontNeed);
        }
        crash::point(CrashPoint::Appended);
        Ok(())
    }

    /// Returns when everything appended is durable.
    ///
    /// # Errors
    /// It could not be made so, or another program cut some of it off.
    fn commit(&mut self) -> Result<(), SinkError> {
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
        let synced = self.file.sync_data().and_then(|()| self.file.metadata());
        let facts = synced.map_err(|error| failed("sync", &self.path, error))?;
        if facts.nlink() == 0 {
            // The program that moved the file may have processed it before these lines came.
            return Err(UnexpectedFile::RemovedWhileOpen.at(&self.path));
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
        UnexpectedFile::TruncatedExternally.at(&self.path)
    }

    /// Whether it is packed and empty, and nobody else's: no tool unpacks what holds not one
    /// member.
    fn is_empty_archive(&self) -> bool {
        self.is_ours && self.is_packed() && self.is_regular && self.length == 0
    }

    /// Removes it.
    ///
    /// # Errors
    /// It cannot be removed.
    fn remove(self) -> Result<(), SinkError> {
        match fs::metadata(&self.path) {
            Ok(now) if identity(&now) == self.identity => {
                fs::remove_file(&self.path).map_err(|error| failed("remove", &self.path, error))
            }
            // Another has its name by now, or nobody.
            _ => Ok(()),
        }
    }

    /// Gives it its finished name, by which it sorts after all that were finished before. To be
    /// called between two commits; nothing is written to it afterwards. Returns that name.
    ///
    /// # Errors
    /// It cannot be renamed.
    fn finish(self) -> Result<PathBuf, SinkError> {
        let failed = |source| failed("finish", &self.path, source);
        let newest = newest_finished_time(&self.path).map_err(failed)?;
        // The next moment that a name can distinguish from the newest.
        let after = newest.and_then(|time| time.checked_add_signed(TimeDelta::milliseconds(1)));
        let stamp = after.or(newest).map_or(self.begun, |after| after.max(self.begun));
        let name = finished_path(&self.path, stamp);
        // Never over another: the folder may hold a name that sorts after every time.
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
    let half = if cfg!(feature = "crash-points") { bytes.len() / 2 } else { 0 };
    let (first, rest) = bytes.split_at(half);
    let written = file.write_all(first).and_then(|()| {
        crash::point(CrashPoint::HalfAppended);
        file.write_all(rest)
    });
    written.map_err(|error| failed("write", path, error))?;
    *length += bytes.len() as u64;
    Ok(())
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
        let now = if_exists(fs::metadata(path)).map_err(failed)?;
        // If inode numbers never match (some network file systems), accept the last attempt.
        let is_last = tries == MAX_OPEN_ATTEMPTS;
        if now.is_some_and(|now| is_last || identity(&now) == identity(&facts)) {
            return Ok((file, facts));
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
        return Err(UnexpectedFile::CompressionMismatch.at(path));
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
        .map_err(|source| SinkError::UnexpectedFile {
            path: path.to_owned(),
            state: UnexpectedFile::CorruptArchive,
            source: Some(source),
        })
}

#[cfg(test)]
#[path = "output_file_tests.rs"]
mod tests;
