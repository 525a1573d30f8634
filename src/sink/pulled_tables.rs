//! Writes the events of pulls to Parquet files, each whole or not at all.
//!
//! Lines are committed as to any other file. They wait in one in the folder `_atlaudit` until
//! Parquet files are made of them, after their commit. The names of these follow from the name of
//! the file that waited, so that what a run that dies leaves undone is done by the next one, to the
//! same files.

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::columnar::TableSet;
use crate::config::settings::{OutputSettings, Rotation};
use crate::crash::{self, CrashPoint};
use crate::files::{folder_of, if_exists, ignore_missing, sync_folder};
use crate::model::output_file_state::OutputFileState;
use crate::sink::is_waiting;
use crate::sink::line_sink::{LineSink, SinkError, WrittenFiles, failed};
use crate::sink::location::{expand, finished_files, finished_path, finished_time, path_at};
use crate::sink::output_file::FileSink;
use crate::sink::pending_file::PendingFile;

/// Bytes of lines of which Parquet files are made before anything else says so. To sort them takes
/// as much of the disk again, for a while.
const MAX_PENDING_BYTES: u64 = 1024 * 1024 * 1024;

/// The Parquet files of a source's pulls.
pub struct PulledTables {
    settings: OutputSettings,
    /// What the state knows of the file written last.
    last_file: Option<OutputFileState>,
    /// Where lines wait.
    waiting: FileSink,
    has_caught_up: bool,
    is_last: bool,
    /// Files that waited and of which Parquet files were made, until no checkpoint says that one of
    /// them is open: a run that then died would be taken for one whose file was lost.
    done: Vec<PathBuf>,
    written: WrittenFiles,
}

impl PulledTables {
    /// Files by the template of `settings`, which may hold `%Y %m %d %H` and `{event_day}`.
    pub fn new(settings: &OutputSettings, last_file: Option<OutputFileState>) -> PulledTables {
        PulledTables {
            waiting: FileSink::new(&settings.line_output(), last_file.clone()),
            settings: settings.clone(),
            last_file,
            has_caught_up: false,
            is_last: false,
            done: Vec::new(),
            written: WrittenFiles::default(),
        }
    }

    /// Makes files of what earlier runs left undone: those that died on the way, and those that had
    /// another template.
    fn catch_up(&mut self) -> Result<(), SinkError> {
        let lines = self.settings.line_output();
        let own = path_at(lines.file_template(), lines.compression, chrono::Utc::now())?;
        let earlier = self.last_file.as_ref().map(|last| last.path.clone());
        let earlier = earlier.filter(|path| is_waiting(path) && *path != own);
        for path in earlier.iter().chain([&own]) {
            let left = if_exists(finished_files(path));
            for (_, left) in left.map_err(|error| failed("find", path, error))?.unwrap_or_default()
            {
                self.make_tables(&left)?;
                remove(&left)?;
            }
        }
        // It has no finished name, and nothing will be appended to it any more.
        if let Some(left) = earlier.filter(|path| path.exists()) {
            self.make_tables(&left)?;
            remove(&left)?;
        }
        self.has_caught_up = true;
        Ok(())
    }

    /// Makes Parquet files of the lines at `path`, where they are not there yet.
    fn make_tables(&mut self, path: &Path) -> Result<(), SinkError> {
        let read = |error| failed("read", path, error);
        let file = File::open(path).map_err(read)?;
        let changed = file.metadata().and_then(|facts| facts.modified()).map_err(read)?;
        let stamp = finished_time(path).unwrap_or_else(|| changed.into());
        let template = self.settings.with_suffix(expand(self.settings.file_template(), stamp));
        let tables = TableSet::new(self.settings.format, template).and_then(|mut tables| {
            let (mut lines, mut line) = (BufReader::new(file), Vec::new());
            while lines.read_until(b'\n', &mut line)? > 0 {
                tables.push(line.strip_suffix(b"\n").unwrap_or(&line))?;
                line.clear();
            }
            Ok(tables)
        });
        let mut named = Vec::new();
        let create = |to: &str| {
            let to = finished_path(to.as_ref(), stamp);
            let (file, pending) = PendingFile::create_again(&to).map_err(io::Error::other)?;
            file.set_permissions(Permissions::from_mode(self.settings.mode))?;
            named.push(pending);
            Ok(BufWriter::new(file))
        };
        let close = |mut file: BufWriter<File>| {
            file.flush()?;
            file.get_ref().sync_all()
        };
        let written = tables.and_then(|tables| tables.write_files(create, close));
        written.map_err(|error| {
            let other = |error| failed("make Parquet of", path, error);
            error.downcast::<SinkError>().unwrap_or_else(other)
        })?;
        crash::point(CrashPoint::TablesWritten);
        for file in named {
            self.written.add(file.path());
            file.publish_again()?;
            crash::point(CrashPoint::TableNamed);
        }
        Ok(())
    }
}

impl LineSink for PulledTables {
    fn prepare(&mut self) -> Result<Option<OutputFileState>, SinkError> {
        if !self.has_caught_up {
            self.catch_up()?;
        }
        self.waiting.prepare()
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        self.waiting.append(lines)
    }

    fn commit(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        self.waiting.commit()
    }

    fn finish(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        self.is_last = true;
        self.waiting.finish()
    }

    fn publish(&mut self) -> Result<(), SinkError> {
        self.done.drain(..).try_for_each(|path| remove(&path))?;
        if self.is_last {
            self.waiting.remove_if_empty()?;
        }
        let is_due = self.is_last && self.settings.rotation == Rotation::Never;
        if !is_due && !self.waiting.is_due(self.rotation()) {
            return Ok(());
        }
        let Some(path) = self.waiting.finish_file()? else {
            return Ok(());
        };
        self.make_tables(&path)?;
        match self.is_last {
            true => remove(&path),
            false => {
                self.done.push(path);
                Ok(())
            }
        }
    }

    fn written_files(&self) -> WrittenFiles {
        let mut files = self.written.clone();
        let waiting = self.waiting.written_files();
        waiting.paths().filter(|path| path.exists()).for_each(|path| files.add(path));
        files
    }

    fn commit_threshold(&self) -> usize {
        self.waiting.commit_threshold()
    }

    fn is_full(&self) -> bool {
        self.waiting.is_due(self.rotation())
    }
}

impl PulledTables {
    /// When files are made, besides at the end of a run.
    fn rotation(&self) -> Rotation {
        match self.settings.rotation {
            Rotation::Never => Rotation::Size(MAX_PENDING_BYTES),
            rotation => rotation,
        }
    }
}

fn remove(path: &Path) -> Result<(), SinkError> {
    let removed = ignore_missing(fs::remove_file(path)).and_then(|()| {
        crash::point(CrashPoint::WaitingRemoved);
        sync_folder(folder_of(path))
    });
    removed.map_err(|error| failed("remove", path, error))
}
