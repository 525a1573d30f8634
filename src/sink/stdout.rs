//! Owns writing to standard output.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;

use crate::config::settings::Compression;
use crate::model::output_file_state::OutputFileState;
use crate::sink::pack::LineEncoder;
use crate::sink::storage::is_storage;
use crate::sink::{LineSink, SinkError};

/// Standard output: at-least-once, since a pipe cannot be cut back.
pub struct StdoutSink {
    compression: Compression,
    packer: LineEncoder,
    /// A packed commit until it is whole: another source's must not land inside it.
    pending_commit: Vec<u8>,
}

impl StdoutSink {
    /// Standard output, packed like this.
    #[expect(clippy::disallowed_methods, reason = "nothing is written")]
    pub fn new(compression: Compression) -> StdoutSink {
        StdoutSink {
            compression,
            packer: LineEncoder::new(compression, &io::stdout()),
            pending_commit: Vec::new(),
        }
    }
}

impl LineSink for StdoutSink {
    fn prepare(&mut self) -> Result<Option<OutputFileState>, SinkError> {
        // Nothing is written, but a descriptor that cannot be written says so.
        write(&[]).map(|()| None)
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        let packed = self.packer.encode(lines).map_err(failed)?;
        if self.compression == Compression::None {
            return write(packed);
        }
        self.pending_commit.extend_from_slice(packed);
        Ok(())
    }

    fn commit(&mut self) -> Result<Vec<OutputFileState>, SinkError> {
        let end = self.packer.finish_frame().map_err(failed)?;
        self.pending_commit.extend_from_slice(end);
        if !self.pending_commit.is_empty() {
            write(&self.pending_commit)?;
            self.pending_commit.clear();
        }
        Ok(Vec::new())
    }
}

/// Prints what a command was asked to show.
///
/// # Errors
/// Standard output cannot be written, or its reader went away.
pub fn print(text: &str) -> Result<(), SinkError> {
    StdoutSink::new(Compression::None).append(text.as_bytes())
}

/// Whether what is written to standard output ends in a file, or in /dev/null.
#[expect(
    clippy::disallowed_methods,
    reason = "asks only what standard output is connected to"
)]
pub fn is_stored() -> bool {
    let descriptor = io::stdout().as_fd().try_clone_to_owned();
    let facts = descriptor.and_then(|descriptor| File::from(descriptor).metadata());
    facts.is_ok_and(|facts| is_storage(&facts))
}

/// Writes all of `bytes` under one lock, so that another source's lines never land inside ours.
///
/// Past std's own handle, which takes a descriptor that cannot be written for one that takes
/// everything: the events would be lost, and the run a success.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that writes to standard output"
)]
fn write(bytes: &[u8]) -> Result<(), SinkError> {
    let lock = io::stdout().lock();
    let mut out = File::from(lock.as_fd().try_clone_to_owned().map_err(failed)?);
    match bytes {
        [] => out.write(bytes).map(|_| ()),
        _ => out.write_all(bytes),
    }
    .map_err(failed)
}

fn failed(error: io::Error) -> SinkError {
    match error.kind() {
        ErrorKind::BrokenPipe => SinkError::ReaderClosed,
        _ => SinkError::Stdout(error),
    }
}
