//! Writes the events of a conversion to Parquet files, on a thread of its own.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::columnar::TableSet;
use crate::config::path_template::is_one_file;
use crate::config::settings::OutputSettings;
use crate::model::output_file_state::OutputFileState;
use crate::model::time::Timestamp;
use crate::sink::line_sink::{LineSink, SinkError, WrittenFiles, failed};
use crate::sink::location::expand;
use crate::sink::pending_file::{PendingFile, PendingFiles, inspect_target, refuse_special};

/// Blocks of lines that wait for the thread at most.
const MAX_BLOCKS: usize = 4;

/// The Parquet files of a conversion.
pub struct ConvertedTables {
    /// Where blocks of lines go, and `None` at the end: without it the conversion was given up.
    blocks: Option<SyncSender<Option<Vec<u8>>>>,
    files: PendingFiles,
    writer: Option<JoinHandle<Result<(), SinkError>>>,
    template: PathBuf,
    written: WrittenFiles,
}

impl ConvertedTables {
    /// Files by the template of `settings`, which may hold any placeholder. They are added to
    /// `files`.
    ///
    /// # Errors
    /// The name is taken, or no thread can be had.
    pub fn create(
        settings: &OutputSettings,
        now: Timestamp,
        files: &PendingFiles,
    ) -> Result<ConvertedTables, SinkError> {
        let named = expand(settings.file_template(), now);
        refuse_special(&named)?;
        let template = settings.with_suffix(named);
        if is_one_file(&template) {
            // Known now, and not after an hour.
            inspect_target(Path::new(&template))?;
        }
        let (blocks, received) = sync_channel(MAX_BLOCKS);
        let tables = ConvertedFiles {
            settings: settings.clone(),
            template: template.clone(),
            files: files.clone(),
        };
        let work = move || tables.write(&received);
        let template = PathBuf::from(template);
        let writer = thread::Builder::new().name("parquet".to_owned()).spawn(work);
        let writer = writer.map_err(|error| failed("begin", &template, error))?;
        Ok(ConvertedTables {
            blocks: Some(blocks),
            files: files.clone(),
            writer: Some(writer),
            template,
            written: WrittenFiles::default(),
        })
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
        match self.blocks.as_ref().map(|blocks| blocks.send(block)) {
            Some(Ok(())) => Ok(()),
            // It ended before its time.
            _ => self.join(),
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

    fn publish(&mut self) -> Result<(), SinkError> {
        match self.writer {
            None => {
                self.files.paths().iter().for_each(|path| self.written.add(path));
                self.files.publish()
            }
            // Not before the end.
            Some(_) => Ok(()),
        }
    }

    fn written_files(&self) -> WrittenFiles {
        self.written.clone()
    }
}

impl Drop for ConvertedTables {
    /// Ends the thread, so that the files of a conversion that was given up are removed.
    fn drop(&mut self) {
        self.blocks = None;
        let _ = self.join();
    }
}

/// The files, and what they are to be.
struct ConvertedFiles {
    settings: OutputSettings,
    template: String,
    files: PendingFiles,
}

impl ConvertedFiles {
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
