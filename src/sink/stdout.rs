//! Owns writing to standard output.

use std::io::{self, ErrorKind, Write as _};

use crate::model::written::Written;
use crate::sink::{Sink, SinkError};

/// Standard output: at-least-once, since a pipe cannot be cut back.
#[derive(Debug, Default)]
pub struct Stdout;

impl Sink for Stdout {
    fn prepare(&mut self) -> Result<Option<Written>, SinkError> {
        Ok(None)
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        // One lock for all of it: another source's lines never land inside ours.
        locked().write_all(lines).map_err(failed)
    }

    fn commit(&mut self) -> Result<Vec<Written>, SinkError> {
        locked().flush().map_err(failed)?;
        Ok(Vec::new())
    }
}

/// Prints what a command was asked to show.
///
/// # Errors
/// Standard output cannot be written, or its reader went away.
pub fn print(text: &str) -> Result<(), SinkError> {
    let mut out = locked();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(failed)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that writes to standard output"
)]
fn locked() -> io::StdoutLock<'static> {
    io::stdout().lock()
}

fn failed(error: io::Error) -> SinkError {
    match error.kind() {
        ErrorKind::BrokenPipe => SinkError::ReaderGone,
        _ => SinkError::Stdout(error),
    }
}
