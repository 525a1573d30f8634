//! Writes to standard output, and finds out whether what is written to an output is stored, or read
//! by somebody who may print it on our own terminal.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;

use crate::config::settings::{Compression, OutputPath, OutputSettings};
use crate::files::is_null_device;
use crate::model::output_file_state::OutputFileState;
use crate::sink::line_sink::{LineSink, SinkError};
use crate::sink::location::path_at;
use crate::sink::pack::LineEncoder;

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

/// Prints the output of a command.
///
/// # Errors
/// Standard output cannot be written, or its reader went away.
pub fn print(text: &str) -> Result<(), SinkError> {
    StdoutSink::new(Compression::None).append(text.as_bytes())
}

/// Whether what is written to standard output ends in a file, or in /dev/null.
#[expect(clippy::disallowed_methods, reason = "asks only what standard output is connected to")]
pub fn is_stdout_stored() -> bool {
    let descriptor = io::stdout().as_fd().try_clone_to_owned();
    let facts = descriptor.and_then(|descriptor| File::from(descriptor).metadata());
    facts.is_ok_and(|facts| is_storage(&facts))
}

/// Writes all of `bytes` under one lock, so that another source's lines never land inside ours.
///
/// Past std's own handle, which takes a descriptor that cannot be written for one that takes
/// everything: the events would be lost, and the run a success.
#[expect(clippy::disallowed_methods, reason = "the one place that writes to standard output")]
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

/// Whether events that go to `output` end in a file, or in /dev/null. A terminal shows them, and
/// the program behind a pipe, a socket or a device may do so too.
pub fn is_stored(output: &OutputSettings) -> bool {
    match &output.path {
        OutputPath::Stdout => is_stdout_stored(),
        OutputPath::Object(_) => true,
        OutputPath::File(template) => {
            let path = path_at(template, output.compression, chrono::Utc::now());
            // A file that is not there yet will be a regular one.
            path.is_ok_and(|path| fs::metadata(path).map_or(true, |facts| is_storage(&facts)))
        }
    }
}

/// Whether `facts` are those of a regular file or of /dev/null.
fn is_storage(facts: &Metadata) -> bool {
    facts.is_file() || is_null_device(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::{Encoding, KeepFiles, OutputFormat, Rotation};

    fn is_stored_at(path: &str) -> bool {
        is_stored(&OutputSettings {
            preset: None,
            path: OutputPath::File(path.to_owned()),
            format: OutputFormat::Normalized,
            encoding: Encoding::JsonLines,
            compression: Compression::None,
            rotation: Rotation::Never,
            keep: KeepFiles::Forever,
            mode: 0o600,
            table: None,
        })
    }

    #[test]
    fn files_and_the_null_device_store_what_they_get() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("there"), "").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for path in [at("there"), at("new"), at("new/{source}-%Y"), "/dev/null".to_owned()] {
            assert!(is_stored_at(&path), "{path}");
        }
        for path in [at("socket"), "/dev/zero".to_owned()] {
            assert!(!is_stored_at(&path), "{path}");
        }
    }
}
