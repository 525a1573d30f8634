//! Writes the events of pulls to Parquet files.
//!
//! Lines are committed as to any other file. They wait in one in the folder `_atlaudit` until
//! Parquet files are made of them, after their commit ([`TablePublication`]). What a run that dies
//! leaves undone is done by the next one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use clap::ValueEnum as _;

use crate::config::settings::{OutputFormat, OutputPath, OutputSettings, Rotation, fixed_folder};
use crate::files::{
    Durability, FileReplacement, create_private_folder, folder_of, if_exists, ignore_missing,
    sync_folder,
};
use crate::model::output_file_state::OutputFileState;
use crate::sink::line_sink::{LineSink, SinkError, UnexpectedFile, WrittenFiles, failed};
use crate::sink::location::{
    expand, finished_path, finished_time, lock, newest_finished_time, path_at, path_before_rotation,
};
use crate::sink::output_file::FileSink;
use crate::sink::pending_file::refuse_special;
use crate::sink::publication::TablePublication;
use crate::sink::waiting_lines::{is_waiting, left_of};

/// Bytes of lines of which Parquet files are made before anything else says so. To sort them takes
/// as much of the disk again, for a while.
const MAX_PENDING_BYTES: u64 = 1024 * 1024 * 1024;

/// Lines that nobody has touched for so long belong to no output that is still configured.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The Parquet files of a source's pulls.
pub struct PulledTables {
    settings: OutputSettings,
    /// What the state knows of the file written last.
    last_file: Option<OutputFileState>,
    /// Where lines wait.
    waiting: FileSink,
    /// The file in which they wait, once what earlier runs left is published.
    own: Option<PathBuf>,
    is_last: bool,
    /// What is published, until no checkpoint says that its lines are in an open file: a run that
    /// then died would be taken for one whose file was lost.
    published: Vec<TablePublication>,
    written: WrittenFiles,
}

impl PulledTables {
    /// Files by the template of `settings`, which may hold any placeholder but `{source}`.
    pub fn new(settings: &OutputSettings, last_file: Option<OutputFileState>) -> PulledTables {
        PulledTables {
            waiting: FileSink::new(&settings.line_output(), last_file.clone()),
            settings: settings.clone(),
            last_file,
            own: None,
            is_last: false,
            published: Vec::new(),
            written: WrittenFiles::default(),
        }
    }

    /// Publishes what earlier runs left: those that died on the way, and those that had another
    /// template or format.
    fn catch_up(&mut self) -> Result<(), SinkError> {
        let lines = self.settings.line_output();
        let now = chrono::Utc::now();
        refuse_special(&expand(self.settings.file_template(), now))?;
        let own = path_at(lines.file_template(), lines.compression, now)?;
        if !is_waiting(&own) {
            // By its real name it is another folder, maybe of another file system.
            return Err(UnexpectedFile::LinkedFolder.at(Path::new(lines.file_template())));
        }
        let earlier = self.last_file.as_ref().map(|last| last.path.clone());
        let earlier = earlier.filter(|path| is_waiting(path) && *path != own);
        if let Some(path) = &earlier {
            // Nothing will be appended to it any more.
            finish_lines(path)?;
        }
        for path in earlier.iter().chain([&own]) {
            for left in left_of(path)? {
                self.publish_lines(&left)?;
                TablePublication::of_lines(&left).finish()?;
            }
            forget_template(path)?;
        }
        warn_of_forgotten(&own);
        self.note_template(&own)?;
        self.own = Some(own);
        Ok(())
    }

    /// Makes Parquet files of the lines at `path`, unless another run does so.
    fn publish_lines(&mut self, path: &Path) -> Result<(), SinkError> {
        let read = |error| failed("read", path, error);
        let Some(file) = if_exists(File::open(path)).map_err(read)? else {
            return TablePublication::of_lines(path).resume();
        };
        lock(&file, path)?;
        if !path.exists() {
            // Another run published it meanwhile.
            return Ok(());
        }
        let changed = file.metadata().and_then(|facts| facts.modified()).map_err(read)?;
        let stamp = finished_time(path).unwrap_or_else(|| changed.into());
        let settings = self.settings_of(path)?;
        let written = &mut self.written;
        TablePublication::of_lines(path).publish(&settings, stamp, |path| written.add(path))
    }

    /// What files are made of the lines at `path`: those of another format than is wanted now
    /// belong where that was, for they have other columns.
    fn settings_of(&self, path: &Path) -> Result<OutputSettings, SinkError> {
        let mut settings = self.settings.clone();
        let Some(format) = format_in(path).filter(|format| *format != settings.format) else {
            return Ok(settings);
        };
        settings.format = format;
        let note = template_note(path);
        let names = if_exists(fs::read_to_string(&note)).map_err(|e| failed("read", &note, e))?;
        if let Some(names) = names {
            let folder = folder_of(folder_of(path)).to_string_lossy();
            settings.path = OutputPath::File(format!("{folder}/{names}"));
        }
        Ok(settings)
    }

    /// Notes what files the lines at `path` shall be, for a run that wants others.
    fn note_template(&self, path: &Path) -> Result<(), SinkError> {
        let template = self.settings.file_template();
        let names = template.strip_prefix(fixed_folder(template)).unwrap_or(template);
        let note = template_note(path);
        let write = || {
            create_private_folder(folder_of(path))?;
            FileReplacement::new(&note, Durability::FileAndDir)
                .write(|out| out.write_all(names.as_bytes()))
        };
        write().map_err(|error| failed("write", &note, error))
    }

    fn finish_published(&mut self) -> Result<(), SinkError> {
        self.published.drain(..).try_for_each(|done| done.finish())
    }

    /// When files are made, besides at the end of a run.
    fn rotation(&self) -> Rotation {
        match self.settings.rotation {
            Rotation::Never => Rotation::Size(MAX_PENDING_BYTES),
            rotation => rotation,
        }
    }
}

impl LineSink for PulledTables {
    fn prepare(&mut self) -> Result<Option<OutputFileState>, SinkError> {
        if self.own.is_none() {
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
        self.finish_published()?;
        if self.is_last {
            self.waiting.remove_if_empty()?;
        }
        let is_due = self.is_last && self.settings.rotation == Rotation::Never;
        if (is_due || self.waiting.is_due(self.rotation()))
            && let Some(path) = self.waiting.finish_file()?
        {
            self.publish_lines(&path)?;
            self.published.push(TablePublication::of_lines(&path));
        }
        if self.is_last {
            self.finish_published()?;
            self.own.as_deref().map_or(Ok(()), forget_template)?;
        }
        Ok(())
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

/// Where it is noted what files the lines at `path` shall be: their names below the folder of the
/// output.
fn template_note(path: &Path) -> PathBuf {
    path_before_rotation(path).as_deref().unwrap_or(path).with_extension("template")
}

/// Removes that note where no lines are left that it is about.
fn forget_template(path: &Path) -> Result<(), SinkError> {
    let note = template_note(path);
    if path.exists() || !left_of(path)?.is_empty() {
        return Ok(());
    }
    ignore_missing(fs::remove_file(&note)).map_err(|error| failed("remove", &note, error))
}

/// Gives the lines at `path`, if there are any, a finished name: it is theirs alone, and what is
/// published of them is recorded under it.
fn finish_lines(path: &Path) -> Result<(), SinkError> {
    let fails = |error| failed("finish", path, error);
    let Some(file) = if_exists(File::open(path)).map_err(fails)? else {
        return Ok(());
    };
    lock(&file, path)?;
    let changed = file.metadata().and_then(|facts| facts.modified()).map_err(fails)?;
    let newest = newest_finished_time(path).map_err(fails)?;
    let after = newest.and_then(|time| time.checked_add_signed(TimeDelta::milliseconds(1)));
    let stamp = after.map_or(changed.into(), |after| after.max(changed.into()));
    let name = finished_path(path, stamp);
    if name.try_exists().map_err(fails)? {
        return Err(fails(ErrorKind::AlreadyExists.into()));
    }
    fs::rename(path, &name).and_then(|()| sync_folder(folder_of(path))).map_err(fails)
}

/// The format of lines that wait, as their file's name says.
fn format_in(path: &Path) -> Option<OutputFormat> {
    let stem = path.file_stem()?.to_str()?;
    // A format's word may have a dot.
    let is_of = |format: &&OutputFormat| stem.ends_with(&format!(".{}", format.as_str()));
    OutputFormat::value_variants().iter().find(is_of).copied()
}

/// Warns of lines in the folder of `own` that no run has touched for days.
fn warn_of_forgotten(own: &Path) {
    let is_forgotten = |path: &Path| {
        let is_lines = path.extension() == Some(OsStr::new("jsonl")) && path != own;
        let age = || {
            let facts = fs::metadata(path).ok().filter(|facts| facts.len() > 0)?;
            facts.modified().ok()?.elapsed().ok()
        };
        is_lines && age().is_some_and(|age| age > FORGOTTEN_AFTER)
    };
    for entry in fs::read_dir(folder_of(own)).into_iter().flatten().flatten() {
        let path = entry.path();
        if is_forgotten(&path) {
            tracing::warn!(
                path = %path.display(),
                "events have waited here for more than two days; if no pull publishes them any \
                 more, because their source or output has another name, pull once with that name, \
                 or make Parquet of normalized lines with `atlaudit convert` and remove the file"
            );
        }
    }
}
