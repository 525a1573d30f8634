//! Writes lines to standard output, or to files that are appended to, packed, rotated and made
//! durable.
//!
//! A sink is used from a thread that may block.

pub mod atomic_create;
pub mod bodies;
pub mod file;
pub mod identity;
pub mod location;
mod output_file;
pub mod pack;
pub mod path;
pub mod preflight;
pub mod recovery;
pub mod stdout;
mod tail_contents;

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::config::settings::{OutputPath, OutputSettings};
use crate::crash;
use crate::model::output_file_state::OutputFileState;
use crate::sink::file::WrittenFiles;

/// The sink that `settings` ask for; `last_file` is what the checkpoint says of the file written
/// last.
pub fn from_settings(
    settings: &OutputSettings,
    last_file: Option<OutputFileState>,
) -> Box<dyn LineSink> {
    match &settings.path {
        OutputPath::Stdout => Box::new(stdout::StdoutSink::new(settings.compression)),
        OutputPath::File(template) => Box::new(file::FileSink::new(template, settings, last_file)),
    }
}

/// Takes whole lines and says when they are safe.
pub trait LineSink: Send {
    /// Gets ready for the next lines: `Some` when they go to a file that was opened just now. The
    /// caller records it before it appends, so that a crash leaves no bytes that nobody knows of.
    ///
    /// # Errors
    /// The output cannot be opened.
    fn prepare(&mut self) -> Result<Option<OutputFileState>, SinkError>;

    /// Appends whole lines.
    ///
    /// # Errors
    /// They could not be written; part of them may have been.
    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError>;

    /// Returns when everything appended is durable (in a file) or handed over (to a pipe), with the
    /// files that hold it.
    ///
    /// # Errors
    /// It could not be made so.
    fn commit(&mut self) -> Result<Vec<OutputFileState>, SinkError>;

    /// The last commit. From now on the files may grow by other hands.
    ///
    /// # Errors
    /// As with [`LineSink::commit`].
    fn finish(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        let mut files = self.commit()?;
        for file in &mut files {
            file.is_open = false;
        }
        Ok(files)
    }

    /// The files that lines were appended to, by the names that they have now.
    fn written_files(&self) -> WrittenFiles {
        WrittenFiles::default()
    }

    /// Bytes that make a commit due. What is not committed is fetched again after a crash; an
    /// output that cannot be cut back gets it a second time.
    fn commit_threshold(&self) -> usize {
        8 * 1024 * 1024
    }

    /// Whether what was appended should be committed now, so that a new file can be begun.
    fn is_full(&self) -> bool {
        false
    }
}

/// Why lines could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The reader of our standard output closed it. Not a fault: `| head` does so.
    #[error("the reader of the output went away")]
    ReaderClosed,
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Stdout(#[source] io::Error),
    /// A file cannot be opened, written or made durable.
    #[error("cannot {doing} the output file `{path}`", path = path.display())]
    File {
        /// The verb: open, write, sync, ...
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file cannot be truncated: bytes stay at its end that should not.
    #[error("cannot truncate the output file `{path}`: its last {bytes} bytes, which are not committed, stay in it", path = path.display())]
    NotTruncated {
        /// The file.
        path: PathBuf,
        /// How many bytes.
        bytes: u64,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Another run writes the same file.
    #[error("the output file `{path}` is being written by another run", path = path.display())]
    LockedByOtherRun {
        /// The file.
        path: PathBuf,
    },
    /// Lines would be appended to what no tool can unpack.
    #[error("the output file `{path}` does not unpack to its end", path = path.display())]
    CorruptArchive {
        /// The file.
        path: PathBuf,
        /// What the unpacking says.
        #[source]
        source: io::Error,
    },
    /// What is in the file is packed otherwise than the lines that would follow.
    #[error("the output file `{path}` is not packed as the configuration says", path = path.display())]
    CompressionMismatch {
        /// The file.
        path: PathBuf,
    },
    /// The file that would be written is there already.
    #[error("the output file `{path}` exists already", path = path.display())]
    AlreadyExists {
        /// The file.
        path: PathBuf,
    },
    /// The file was removed while lines were written to it.
    #[error("the output file `{path}` was removed while lines were written to it", path = path.display())]
    RemovedWhileOpen {
        /// The file.
        path: PathBuf,
    },
    /// What was committed to the file is no longer in it.
    #[error("the output file `{path}` no longer holds what was written to it", path = path.display())]
    CommittedDataMissing {
        /// The file.
        path: PathBuf,
    },
    /// Another program cut the file between two commits.
    #[error("the output file `{path}` was cut by another program while lines were written to it", path = path.display())]
    TruncatedExternally {
        /// The file.
        path: PathBuf,
    },
}

impl SinkError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let hint = match self {
            SinkError::ReaderClosed => "",
            SinkError::Stdout(_) => "check what standard output is connected to",
            SinkError::File { source, path, .. } if source.kind() == ErrorKind::IsADirectory => {
                let path = path.display().to_string();
                let folder = path.trim_end_matches('/');
                return format!("name a file in it, such as `{folder}/{{source}}.jsonl`");
            }
            SinkError::File { .. } => {
                "check that the folder exists, that this user may write there, and that the disk \
                 is not full"
            }
            SinkError::NotTruncated { .. } => {
                "free disk space, and run it again: the next run mends the end of the file before \
                 it writes"
            }
            SinkError::LockedByOtherRun { .. } => "wait for that run, or write to another file",
            SinkError::CorruptArchive { .. } => {
                "move it away, or write to another file: what is appended to it could not be read \
                 back"
            }
            SinkError::CompressionMismatch { .. } => {
                "move it away, or write to another file: no tool reads a file that is packed in part"
            }
            SinkError::AlreadyExists { .. } => {
                "move it away, or write to another file: nothing is converted over a file that \
                 holds something"
            }
            SinkError::RemovedWhileOpen { .. } => {
                "run it again: what is missing is read again; with logrotate's `compress` use \
                 `delaycompress`"
            }
            SinkError::CommittedDataMissing { .. } => {
                "put it back as it was, or start again in another folder"
            }
            SinkError::TruncatedExternally { .. } => {
                "run it again: what may be missing is read again; let that program rename the file \
                 instead, or use `rotate`"
            }
        };
        hint.to_owned()
    }
}

/// Truncates `file`, which is at `path`. A full disk may refuse it: a copy-on-write file system,
/// such as btrfs, needs free space to truncate a file.
fn truncate(file: &File, path: &Path, length: u64) -> Result<(), SinkError> {
    let truncated = crash::fails("Truncate").and_then(|()| file.set_len(length));
    truncated.map_err(|source| {
        let found = file.metadata().map_or(length, |facts| facts.len());
        SinkError::NotTruncated {
            path: path.to_owned(),
            bytes: found.saturating_sub(length),
            source,
        }
    })
}

/// The error of a file.
fn failed(doing: &'static str, path: &Path, source: io::Error) -> SinkError {
    SinkError::File { doing, path: path.to_owned(), source }
}
