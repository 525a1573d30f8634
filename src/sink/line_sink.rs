//! Defines what takes lines, the files that it wrote, and why it could not.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::crash;
use crate::files::{blocker_of, folder_of};
use crate::model::output_file_state::OutputFileState;
use crate::objects::ObjectBatch;

/// Takes whole lines and says when they are safe.
pub trait LineSink: Send {
    /// Gets ready for the next lines: `Some` when they go to a file that was opened just now. The
    /// caller records it before it appends, so that a crash leaves no bytes that nobody knows of.
    ///
    /// # Errors
    /// The output cannot be opened.
    fn prepare(&mut self) -> Result<Option<OutputFileState>, SinkError> {
        Ok(None)
    }

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
        let files = self.commit()?.into_iter();
        Ok(files.map(|file| OutputFileState { is_open: false, ..file }).collect())
    }

    /// Gives what is committed its final name, where the output has such. To be called when nothing
    /// can undo the commit any more: when its checkpoint is saved, or where there is none.
    ///
    /// # Errors
    /// It could not be given. Nothing is lost: the next run does it.
    fn publish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// What the last commit left for object storage, where the output is there. The state takes it.
    fn objects(&self) -> Option<&ObjectBatch> {
        None
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

    /// The longest that a line stays uncommitted.
    fn commit_interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    /// Whether what was appended should be committed now, so that a new file can be begun.
    fn is_full(&self) -> bool {
        false
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

/// Why lines could not be written.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(feature = "object-store"), allow(dead_code, reason = "one is of objects"))]
pub enum SinkError {
    /// The reader of our standard output closed it. Not a fault: `| head` does so.
    #[error("the reader of the output went away")]
    ReaderClosed,
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Stdout(#[source] io::Error),
    /// Lines cannot become objects.
    #[error("cannot make objects `{template}` of the events")]
    Object {
        /// How they are named.
        template: String,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// This build writes no objects.
    #[error("this atlaudit was built without object storage, or cannot write such here")]
    NoObjects,
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
    #[error(
        "cannot truncate the output file `{path}`: its last {bytes} bytes, which are not \
         committed, stay in it",
        path = path.display()
    )]
    NotTruncated {
        /// The file.
        path: PathBuf,
        /// How many bytes.
        bytes: u64,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file is not in a state in which lines may be appended to it.
    #[error("the output file `{path}` {state}", path = path.display(), state = state.facts().0)]
    UnexpectedFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        state: UnexpectedFile,
        /// What was found when it was read.
        #[source]
        source: Option<io::Error>,
    },
}

/// What is wrong with an output file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "some are Parquet's"))]
pub enum UnexpectedFile {
    /// Another run writes it.
    LockedByOtherRun,
    /// Lines would be appended to what no tool can unpack.
    CorruptArchive,
    /// What is in it is packed otherwise than the lines that would follow.
    CompressionMismatch,
    /// The file that would be written is there already.
    AlreadyExists,
    /// A Parquet file that is to be published has the name of one that is there.
    NameTaken,
    /// It is a device or a pipe, and must be a file.
    NoFile,
    /// The folder in which lines wait is a link.
    LinkedFolder,
    /// It was removed while lines were written to it.
    RemovedWhileOpen,
    /// What was committed to it is no longer in it.
    CommittedDataMissing,
    /// Another program cut it between two commits.
    TruncatedExternally,
}

impl UnexpectedFile {
    /// The error of the file at `path`.
    pub fn at(self, path: &Path) -> SinkError {
        SinkError::UnexpectedFile { path: path.to_owned(), state: self, source: None }
    }

    /// What is wrong, and what to do about it.
    fn facts(self) -> (&'static str, &'static str) {
        match self {
            UnexpectedFile::LockedByOtherRun => {
                ("is being written by another run", "wait for that run, or write to another file")
            }
            UnexpectedFile::CorruptArchive => (
                "does not unpack to its end",
                "move it away, or write to another file: what is appended to it could not be read \
                 back",
            ),
            UnexpectedFile::CompressionMismatch => (
                "is not packed as the configuration says",
                "move it away, or write to another file: no tool reads a file that is packed in \
                 part",
            ),
            UnexpectedFile::AlreadyExists => (
                "exists already",
                "move it away, or write to another file: nothing is written over a file that \
                 holds something",
            ),
            UnexpectedFile::NameTaken => (
                "exists already, and is none that was made of these events",
                "move it away, and run it again: the events wait, and nothing of them is lost",
            ),
            UnexpectedFile::NoFile => (
                "is a device or a pipe, and Parquet is written to files",
                "name a file, or say `--encoding jsonl`",
            ),
            UnexpectedFile::LinkedFolder => (
                "lies in a folder that is a link",
                "replace the link `_atlaudit` by a folder, with the files that are in it: what \
                 waits there must be in the file system of the output",
            ),
            UnexpectedFile::RemovedWhileOpen => (
                "was removed while lines were written to it",
                "run it again: what is missing is read again; with logrotate's `compress` use \
                 `delaycompress`",
            ),
            UnexpectedFile::CommittedDataMissing => (
                "no longer holds what was written to it",
                "put it back as it was, or start again in another folder",
            ),
            UnexpectedFile::TruncatedExternally => (
                "was cut by another program while lines were written to it",
                "run it again: what may be missing is read again; let that program rename the file \
                 instead, or use `rotate`",
            ),
        }
    }
}

impl SinkError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let hint = match self {
            SinkError::ReaderClosed => "",
            SinkError::Object { .. } => {
                "check that the folder for temporary files (TMPDIR) has room, and report it if it \
                 stays so; what was committed before waits in the state"
            }
            SinkError::NoObjects => "write to a file, or to standard output",
            SinkError::Stdout(_) => "check what standard output is connected to",
            SinkError::File { source, path, .. } if source.kind() == ErrorKind::IsADirectory => {
                let path = path.display().to_string();
                let folder = path.trim_end_matches('/');
                return format!("name a file in it, such as `{folder}/{{source}}.jsonl`");
            }
            SinkError::File { source, path, .. }
                if let Some(blocker) = blocker_of(folder_of(path), source) =>
            {
                let blocker = blocker.display();
                return format!("`{blocker}` is not a folder: name another, or move it away");
            }
            SinkError::File { .. } => {
                "check that the folder exists, that this user may write there, and that the disk \
                 is not full"
            }
            SinkError::NotTruncated { .. } => {
                "free disk space, and run it again: the next run mends the end of the file before \
                 it writes"
            }
            SinkError::UnexpectedFile { state, .. } => state.facts().1,
        };
        hint.to_owned()
    }
}

/// Truncates `file`, which is at `path`. A full disk may refuse it: a copy-on-write file system,
/// such as btrfs, needs free space to truncate a file.
pub(super) fn truncate(file: &File, path: &Path, length: u64) -> Result<(), SinkError> {
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

/// The error of a file, or of a pipe that has the name of one.
pub(super) fn failed(doing: &'static str, path: &Path, source: io::Error) -> SinkError {
    match source.kind() {
        ErrorKind::BrokenPipe => SinkError::ReaderClosed,
        _ => SinkError::File { doing, path: path.to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(files: &WrittenFiles) -> Vec<&str> {
        files.paths().filter_map(Path::to_str).collect()
    }

    #[test]
    fn a_file_is_listed_once_and_by_its_last_name() {
        let mut files = WrittenFiles::default();
        files.add(Path::new("a"));
        files.add(Path::new("a"));
        files.rename(Path::new("a"), "a-1".into());
        files.rename(Path::new("a"), "a-2".into());
        files.add(Path::new("a"));
        assert_eq!(listed(&files), ["a-1", "a"]);
    }

    #[test]
    fn the_list_is_bounded() {
        let mut files = WrittenFiles::default();
        for number in 0..MAX_LISTED_FILES + 5 {
            files.add(Path::new(&number.to_string()));
        }
        assert_eq!((files.newest.len(), files.omitted()), (MAX_LISTED_FILES, 5));
        assert_eq!(listed(&files).last().copied(), Some("1004"));
    }
}
