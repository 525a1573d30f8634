//! Writes lines to files: chooses the file that the next lines go to, and finishes it when it is
//! due.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::config::settings::OutputSettings;
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::sink::output_file::{ExternalChange, OutputFile};
use crate::sink::path::{is_rotation_due, path_at};
use crate::sink::{LineSink, SinkError};

/// Files named by a template; the lines of one commit lie in one file.
pub struct FileSink {
    template: String,
    settings: OutputSettings,
    /// What the state knows of the file written last.
    last_file: Option<OutputFileState>,
    current: Option<OutputFile>,
    written: WrittenFiles,
    clock: fn() -> Timestamp,
}

impl FileSink {
    /// `template` may hold `%Y %m %d %H`.
    pub fn new(
        template: &str,
        settings: &OutputSettings,
        last_file: Option<OutputFileState>,
    ) -> Self {
        FileSink {
            template: template.to_owned(),
            settings: settings.clone(),
            last_file,
            current: None,
            written: WrittenFiles::default(),
            clock: chrono::Utc::now,
        }
    }

    /// Finishes the current file where its time has come. Gives it back where it goes on.
    fn rotate_if_due(
        &mut self,
        open: OutputFile,
        now: Timestamp,
    ) -> Result<Option<OutputFile>, SinkError> {
        let rotation = self.settings.rotation;
        if is_rotation_due(rotation, open.begun(), open.length(), now) {
            let path = open.path().to_owned();
            self.written.rename(&path, open.finish()?);
            return Ok(None);
        }
        Ok(Some(open))
    }

    /// The current file, where lines may still go to it, and whether others changed it.
    fn take_current(&mut self, now: Timestamp) -> Result<Option<(OutputFile, bool)>, SinkError> {
        let path = path_at(&self.template, self.settings.compression, now)?;
        let Some(mut open) = self.current.take().filter(|open| open.path() == path) else {
            return Ok(None);
        };
        match open.external_change()? {
            ExternalChange::Same => Ok(self.rotate_if_due(open, now)?.map(|open| (open, false))),
            ExternalChange::Changed => Ok(self.rotate_if_due(open, now)?.map(|open| (open, true))),
            ExternalChange::Moved => {
                tracing::info!(path = %path.display(), "the output file was moved away; a new one is begun");
                Ok(None)
            }
        }
    }

    fn open_file(&self, now: Timestamp) -> Result<OutputFile, SinkError> {
        let path = path_at(&self.template, self.settings.compression, now)?;
        OutputFile::new(path, &self.settings, self.last_file.as_ref(), now)
    }
}

impl LineSink for FileSink {
    fn prepare(&mut self) -> Result<Option<OutputFileState>, SinkError> {
        // Lines of one commit stay in one file.
        if self.current.as_ref().is_some_and(OutputFile::has_uncommitted) {
            return Ok(None);
        }
        let now = (self.clock)();
        if let Some((open, is_changed)) = self.take_current(now)? {
            let open = self.current.insert(open);
            // Recorded again: a crash must not truncate it at an end that it no longer has.
            return Ok(open.state().filter(|_| is_changed));
        }
        let open = self.open_file(now)?;
        let open = match self.rotate_if_due(open, now)? {
            Some(open) => open,
            None => self.open_file(now)?,
        };
        Ok(self.current.insert(open).state())
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        if self.current.is_none() {
            self.prepare()?;
        }
        if let Some(open) = &mut self.current {
            open.append(lines, (self.clock)())?;
            self.written.add(open.path());
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
        let mut files = self.commit()?;
        if let Some(open) = self.current.take_if(|open| open.is_empty_archive()) {
            open.remove()?;
            return Ok(Vec::new());
        }
        for file in &mut files {
            file.is_open = false;
        }
        Ok(files)
    }

    fn written_files(&self) -> WrittenFiles {
        self.written.clone()
    }

    /// A commit costs two syncs, and a file can be truncated.
    fn commit_threshold(&self) -> usize {
        match self.current.as_ref().is_some_and(OutputFile::is_regular) {
            true => 32 * 1024 * 1024,
            false => 8 * 1024 * 1024,
        }
    }

    fn is_full(&self) -> bool {
        self.current.as_ref().is_some_and(|open| {
            let (rotation, now) = (self.settings.rotation, (self.clock)());
            open.has_uncommitted() && is_rotation_due(rotation, open.begun(), open.length(), now)
        })
    }
}

/// Names that are kept; of older files only the number is.
const MAX_LISTED_FILES: usize = 1000;

/// The files that lines were appended to, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenFiles {
    newest: VecDeque<PathBuf>,
    omitted: u64,
}

impl WrittenFiles {
    /// Lines were appended to the file at `path`.
    pub fn add(&mut self, path: &Path) {
        if self.newest.back().is_some_and(|last| last == path) {
            return;
        }
        if self.newest.len() == MAX_LISTED_FILES {
            self.newest.pop_front();
            self.omitted += 1;
        }
        self.newest.push_back(path.to_owned());
    }

    /// The file at `old`, which was the last one written to, is called `new` from now on.
    pub fn rename(&mut self, old: &Path, new: PathBuf) {
        if let Some(last) = self.newest.back_mut().filter(|last| *last == old) {
            *last = new;
        }
    }

    /// The newest of them, oldest first.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.newest.iter().map(PathBuf::as_path)
    }

    /// How many older ones there are.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
