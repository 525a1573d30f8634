//! Writes the events of a conversion to Parquet files, on a thread of its own.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::columnar::TableSet;
use crate::config::settings::OutputSettings;
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::sink::line_sink::{LineSink, SinkError, failed};
use crate::sink::location::expand;
use crate::sink::pending_file::{PendingFile, PendingFiles};

/// Blocks of lines that wait for the thread at most.
const MAX_BLOCKS: usize = 4;

/// The Parquet files of a conversion.
pub struct ConvertedTables {
    /// Where blocks of lines go, and `None` at the end: without it the conversion was given up.
    blocks: SyncSender<Option<Vec<u8>>>,
    writer: Option<JoinHandle<Result<(), SinkError>>>,
    template: PathBuf,
}

impl ConvertedTables {
    /// Files by the template of `settings`, which may hold `%Y %m %d %H`, `{source}` and
    /// `{event_day}`. They are added to `files`.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn create(
        settings: &OutputSettings,
        now: Timestamp,
        files: &PendingFiles,
    ) -> Result<ConvertedTables, SinkError> {
        let template = settings.with_suffix(expand(settings.file_template(), now));
        let (blocks, received) = sync_channel(MAX_BLOCKS);
        let tables = TableFiles {
            settings: settings.clone(),
            template: template.clone(),
            files: files.clone(),
        };
        let work = move || tables.write(&received);
        let template = PathBuf::from(template);
        let writer = thread::Builder::new().name("parquet".to_owned()).spawn(work);
        let writer = writer.map_err(|error| failed("begin", &template, error))?;
        Ok(ConvertedTables { blocks, writer: Some(writer), template })
    }

    /// What became of the thread.
    fn join(&mut self) -> Result<(), SinkError> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let died = |_| failed("write", &self.template, io::Error::other("its thread died"));
        writer.join().map_err(died)?
    }

    fn send(&mut self, block: Option<Vec<u8>>) -> Result<(), SinkError> {
        match self.blocks.send(block) {
            Ok(()) => Ok(()),
            // It ended before its time.
            Err(_) => self.join(),
        }
    }
}

impl LineSink for ConvertedTables {
    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        self.send(Some(lines.to_vec()))
    }

    /// Nothing counts before [`LineSink::finish`].
    fn commit(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        Ok(Vec::new())
    }

    fn finish(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        self.send(None)?;
        self.join().map(|()| Vec::new())
    }
}

/// The files, and what they are to be.
struct TableFiles {
    settings: OutputSettings,
    template: String,
    files: PendingFiles,
}

impl TableFiles {
    fn write(self, blocks: &Receiver<Option<Vec<u8>>>) -> Result<(), SinkError> {
        let tables = TableSet::new(self.settings.format, self.template.clone());
        let written = tables.and_then(|mut tables| {
            for_each_line(blocks, &mut |line| tables.push(line))?;
            tables.write_files(|path| self.create(path), close)
        });
        written.map_err(|error| self.failed(error))
    }

    fn create(&self, path: &str) -> io::Result<BufWriter<File>> {
        let (file, pending) = PendingFile::create(Path::new(path)).map_err(io::Error::other)?;
        self.files.add(pending);
        file.set_permissions(Permissions::from_mode(self.settings.mode))?;
        Ok(BufWriter::new(file))
    }

    fn failed(&self, error: io::Error) -> SinkError {
        error
            .downcast::<SinkError>()
            .unwrap_or_else(|error| failed("write", Path::new(&self.template), error))
    }
}

/// Returns when all of a file is on the disk.
fn close(mut file: BufWriter<File>) -> io::Result<()> {
    file.flush()?;
    file.get_ref().sync_all()
}

/// Hands all lines on, up to the end.
fn for_each_line(
    blocks: &Receiver<Option<Vec<u8>>>,
    push: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    while let Some(block) = blocks.recv().map_err(|_| given_up())? {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &block) {
            push(block.get(start..end).unwrap_or_default())?;
            start = end + 1;
        }
    }
    Ok(())
}

fn given_up() -> io::Error {
    io::Error::other("the conversion was given up")
}
