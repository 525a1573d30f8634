//! Owns bringing an output file back to what was committed to it, at the start of a run.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::config::settings::Compression;
use crate::crash::{self, Point};
use crate::model::written::Written;
use crate::sink::SinkError;
use crate::sink::open::{failed, identity, lock};
use crate::sink::pack::unpack;
use crate::sink::path::{folder_of, sync_folder};

/// Brings the file of `known` back to its committed length.
///
/// What lies behind it is a killed run's unfinished work, which is read from the source again: it is
/// cut off. Behind the end of a run that ended well it is somebody else's: whole lines stay, and
/// anything else is moved into a file beside it, so that no reader stumbles over it.
///
/// # Errors
/// The file cannot be read or cut, or another run writes it.
pub fn mend(known: &Written) -> Result<(), SinkError> {
    let Some(path) = find(known).map_err(|error| failed("find", &known.path, error))? else {
        return Ok(());
    };
    let failed = |doing| move |error| failed(doing, &known.path, error);
    let length = fs::metadata(&path).map_err(failed("find"))?.len();
    if length < known.committed && known.is_open {
        tracing::warn!(
            path = %path.display(),
            "another program cut the output file that a killed run wrote; a copy of it may hold some events that follow here again"
        );
    }
    if length <= known.committed {
        return Ok(());
    }
    if !known.is_open && is_sound(&path, known.committed) {
        return Ok(());
    }
    let mut file = OpenOptions::new()
        .read(!known.is_open)
        .write(true)
        .open(&path)
        .map_err(failed("cut back"))?;
    lock(&file, &path)?;
    if !known.is_open {
        set_aside(&mut file, &path, known.committed).map_err(failed("move aside the end of"))?;
    }
    file.set_len(known.committed).map_err(failed("cut back"))?;
    crash::point(Point::CutBack);
    file.sync_all().map_err(failed("cut back"))?;
    if known.is_open {
        tracing::warn!(
            path = %path.display(),
            bytes = length - known.committed,
            "cut off what an interrupted run had not finished; it is read again"
        );
    }
    Ok(())
}

/// Where the file of `known` is, if there is anything to be done about it.
fn find(known: &Written) -> io::Result<Option<PathBuf>> {
    match fs::metadata(&known.path) {
        Ok(facts) if !facts.is_file() => return Ok(None),
        Ok(facts) if is_it(known, &identity(&facts)) => return Ok(Some(known.path.clone())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // It was moved away. Whoever did it has what was committed, and of a killed run more.
    if !known.is_open {
        return Ok(None);
    }
    let renamed = find_renamed(known)?;
    if renamed.is_none() {
        tracing::warn!(
            path = %known.path.display(),
            "the output file that a killed run wrote is no longer in its folder; wherever it is, its last events may follow here again"
        );
    }
    Ok(renamed)
}

/// Looks through the folder for the file under another name.
fn find_renamed(known: &Written) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(folder_of(&known.path)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        // One that vanishes meanwhile is not it.
        let Ok(facts) = entry.metadata() else {
            continue;
        };
        if facts.is_file() && known.identity.is_some() && is_it(known, &identity(&facts)) {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// States of an earlier version do not say which file it was.
fn is_it(known: &Written, found: &str) -> bool {
    known.identity.as_deref().is_none_or(|own| own == found)
}

/// Whether everything behind `from` is whole JSON lines. One that cannot be read is left alone.
fn is_sound(path: &Path, from: u64) -> bool {
    let compression = match path.extension().and_then(|name| name.to_str()) {
        Some("gz") => Compression::Gzip,
        Some("zst") => Compression::Zstd,
        _ => Compression::None,
    };
    let Ok(mut file) = File::open(path) else {
        return true;
    };
    if file.seek(SeekFrom::Start(from)).is_err() {
        return true;
    }
    let Ok(text) = unpack(compression, BufReader::new(file)) else {
        return true;
    };
    let mut ends = LastByte { text, last: b'\n' };
    let mut lines = serde_json::Deserializer::from_reader(&mut ends).into_iter::<IgnoredAny>();
    let is_json = lines.all(|line| line.is_ok());
    drop(lines);
    is_json && ends.last == b'\n'
}

/// Remembers the last byte that was read.
struct LastByte<R> {
    text: R,
    last: u8,
}

impl<R: io::Read> io::Read for LastByte<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(buffer)?;
        if let Some(&last) = buffer.get(..read).and_then(<[u8]>::last) {
            self.last = last;
        }
        Ok(read)
    }
}

/// Copies what lies behind `from` into a new file beside `path`.
fn set_aside(file: &mut File, path: &Path, from: u64) -> io::Result<()> {
    let mut name = OsString::from(path);
    name.push(format!(
        ".unfinished-{}",
        chrono::Utc::now().format("%Y%m%dT%H%M%S%.3fZ")
    ));
    let name = PathBuf::from(name);
    let mut aside = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&name)?;
    file.seek(SeekFrom::Start(from))?;
    io::copy(&mut file.take(u64::MAX), &mut aside)?;
    aside.sync_all()?;
    sync_folder(&name)?;
    crash::point(Point::SetAside);
    tracing::warn!(
        path = %path.display(),
        aside = %name.display(),
        "another program left something behind our lines that is no whole line; moved aside"
    );
    Ok(())
}

#[cfg(test)]
#[path = "mend_tests.rs"]
mod tests;
