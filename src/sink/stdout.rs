//! Owns writing to standard output.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use rustix::fs::{OFlags, fcntl_getfl};

use crate::model::written::Written;
use crate::sink::{Sink, SinkError};

/// Standard output: at-least-once, since a pipe cannot be cut back.
#[derive(Debug, Default)]
pub struct Stdout;

impl Sink for Stdout {
    fn prepare(&mut self) -> Result<Option<Written>, SinkError> {
        // Nothing is written, but a descriptor that cannot be written says so.
        write(&[])?;
        match was_closed() {
            Ok(false) => Ok(None),
            Ok(true) => Err(SinkError::Closed),
            Err(error) => Err(SinkError::Stdout(error)),
        }
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        write(lines)
    }

    fn commit(&mut self) -> Result<Vec<Written>, SinkError> {
        // Nothing is held back: what was appended is with the reader.
        Ok(Vec::new())
    }
}

/// Prints what a command was asked to show.
///
/// # Errors
/// Standard output cannot be written, or its reader went away.
pub fn print(text: &str) -> Result<(), SinkError> {
    write(text.as_bytes())
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

/// Whether standard output was closed when the program started. std then puts /dev/null in its place,
/// open both ways, as some supervisors do, and every event would be lost there without anybody's
/// wish; `> /dev/null` opens it for writing alone.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that knows standard output"
)]
fn was_closed() -> io::Result<bool> {
    let stdout = io::stdout();
    let is_both_ways = fcntl_getfl(&stdout)?.contains(OFlags::RDWR);
    let facts = File::from(stdout.as_fd().try_clone_to_owned()?).metadata()?;
    let is_null = fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == facts.rdev());
    Ok(is_both_ways && is_null && facts.file_type().is_char_device())
}

fn failed(error: io::Error) -> SinkError {
    match error.kind() {
        ErrorKind::BrokenPipe => SinkError::ReaderGone,
        _ => SinkError::Stdout(error),
    }
}
