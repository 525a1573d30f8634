//! Owns where lines go: standard output, or files that are appended to and made durable.
//!
//! A sink is used from a thread that may block.

pub mod file;
pub mod stdout;

use std::io;
use std::path::PathBuf;

use crate::config::settings::{OutputPath, OutputSettings};
use crate::model::written::Written;

/// The sink that `settings` ask for.
pub fn of(settings: &OutputSettings) -> Box<dyn Sink> {
    match &settings.path {
        OutputPath::Stdout => Box::new(stdout::Stdout),
        OutputPath::File(template) => Box::new(file::Files::new(template, settings.mode)),
    }
}

/// Takes whole lines and says when they are safe.
pub trait Sink: Send {
    /// Gets ready for the next lines: `Some` when they go to a file that was opened just now. The
    /// caller records it before it appends, so that a crash leaves no bytes that nobody knows of.
    ///
    /// # Errors
    /// The output cannot be opened.
    fn prepare(&mut self) -> Result<Option<Written>, SinkError>;

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
    fn commit(&mut self) -> Result<Vec<Written>, SinkError>;
}

/// Why lines could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Whoever read our standard output closed it. Not a fault: `| head` does it.
    #[error("the reader of the output went away")]
    ReaderGone,
    /// There is no standard output, or a supervisor gave one that takes everything and keeps nothing.
    #[error("standard output is closed, or leads nowhere")]
    Closed,
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
    /// Another run writes the same file.
    #[error("the output file `{path}` is being written by another run", path = path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
}
