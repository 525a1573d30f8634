//! Owns the opening of an output file: who may write it, and what it holds that lines are to be appended to.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use crate::config::settings::Compression;
use crate::sink::identity::identity;
use crate::sink::lock::lock;
use crate::sink::pack::{detect_file_compression, unpack};
use crate::sink::recovery::mend_last_line;
use crate::sink::{SinkError, failed};

/// Times that a file is opened because it was finished meanwhile.
const MAX_OPEN_ATTEMPTS: u32 = 3;

/// The file of `facts` for reading, where we may and it is still at `path`.
pub fn open_reader(path: &Path, facts: &Metadata) -> Option<File> {
    let file = File::open(path).ok()?;
    let found = file.metadata().ok()?;
    (identity(&found) == identity(facts)).then_some(file)
}

/// Opens `path` for appending, and locks it where it is a regular file.
pub fn open_locked(path: &Path, mode: u32) -> Result<(File, Metadata), SinkError> {
    let failed = |error| failed("open", path, error);
    let mut tries = 0;
    loop {
        tries += 1;
        let file = create_or_open(path, mode).map_err(failed)?;
        let facts = file.metadata().map_err(failed)?;
        if !facts.is_file() {
            return Ok((file, facts));
        }
        lock(&file, path)?;
        // Another run may have finished it before we had the lock: that file is not to be written again.
        match fs::metadata(path) {
            Ok(now) if identity(&now) == identity(&facts) => return Ok((file, facts)),
            // A file system that tells no file from another in two ways is taken at its first word.
            Ok(_) if tries == MAX_OPEN_ATTEMPTS => return Ok((file, facts)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Opens `path` for appending. One that is made gets just this mode, whatever the process's mask takes away:
/// a shipper's group waits for its bit. One that is there keeps its own.
fn create_or_open(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).mode(mode);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(mode))?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            options.create(true).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Looks at what a file holds that lines are to be appended to. Returns whether its last line lacks
/// its newline.
pub fn check_before_append(
    path: &Path,
    compression: Compression,
    is_known: bool,
) -> Result<bool, SinkError> {
    let failed = |error| failed("read", path, error);
    let found = match detect_file_compression(path) {
        // Whoever may only append to it cannot be told.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        found => found.map_err(failed)?,
    };
    if found != compression {
        return Err(SinkError::CompressionMismatch {
            path: path.to_owned(),
        });
    }
    match compression {
        Compression::None => mend_last_line(path),
        _ if is_known => Ok(false),
        _ => check_decodes(path, compression).map(|()| false),
    }
}

/// Reads a packed file that nobody vouches for: behind an unfinished member or frame, ours would be
/// lost to every reader.
fn check_decodes(path: &Path, compression: Compression) -> Result<(), SinkError> {
    File::open(path)
        .and_then(|file| unpack(compression, io::BufReader::new(file)))
        .and_then(|mut text| io::copy(&mut text, &mut io::sink()))
        .map(|_| ())
        .map_err(|source| SinkError::CorruptArchive {
            path: path.to_owned(),
            source,
        })
}
