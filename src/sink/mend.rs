//! Owns bringing an output file back to what was committed to it, at the start of a run.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::crash::{self, Point};
use crate::model::name::SourceName;
use crate::model::written::Written;
use crate::sink::SinkError;
use crate::sink::open::{failed, identity, lock};
use crate::sink::pack::{packing_of, unpack};
use crate::sink::path::{folder_of, sync_folder};

/// The longest line that is taken for one.
const LONGEST_LINE: u64 = 128 * 1024 * 1024;

/// What is read at once on the way back to a newline.
const BLOCK: u64 = 64 * 1024;

/// Brings the file of `known` back to its committed length.
///
/// What lies behind it is a killed run's unfinished work, which is read from the source again: it is
/// cut off. Behind the end of a run that ended well it is somebody else's: whole lines stay. Anything
/// else is moved into a file beside it: half a line, over which every reader would stumble, and events
/// of `source` itself, which this state does not know of (it is an older copy) and reads again.
///
/// # Errors
/// The file cannot be read or cut, or another run writes it.
pub fn mend(known: &Written, source: &SourceName) -> Result<(), SinkError> {
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
    if !known.is_open && is_anothers(&path, known.committed, source) {
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

/// Looks at the last line of a plain file that nobody vouches for, such as one that a killed one-off
/// run wrote: half a line is moved aside. Returns whether a whole one lacks only its newline.
///
/// # Errors
/// The file cannot be read or cut.
pub fn mend_last_line(path: &Path) -> io::Result<bool> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        // Whoever may only append to it cannot be told.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        file => file?,
    };
    let length = file.metadata()?.len();
    let start = start_of_last_line(&mut file, length)?;
    if start == length {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(start))?;
    if serde_json::from_reader::<_, IgnoredAny>(BufReader::new(&file)).is_ok() {
        return Ok(true);
    }
    set_aside(&mut file, path, start)?;
    file.set_len(start)?;
    file.sync_all()?;
    Ok(false)
}

/// Behind the last newline before `end`.
fn start_of_last_line(file: &mut File, end: u64) -> io::Result<u64> {
    let mut block = Vec::new();
    let mut to = end;
    while to > 0 {
        let from = to.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(from))?;
        block.clear();
        file.by_ref().take(to - from).read_to_end(&mut block)?;
        if let Some(newline) = block.iter().rposition(|&byte| byte == b'\n') {
            return Ok(from + newline as u64 + 1);
        }
        to = from;
    }
    Ok(0)
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

/// Whether everything behind `from` is whole JSON lines, and none an event of `source`. What cannot be
/// read is left alone.
fn is_anothers(path: &Path, from: u64, source: &SourceName) -> bool {
    let Ok(compression) = packing_of(path) else {
        return true;
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
    let mut text = BufReader::new(text);
    let mut line = Vec::new();
    loop {
        line.clear();
        match text
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
        {
            Ok(0) => return true,
            Ok(_) if line.ends_with(b"\n") && is_another(&line, source) => {}
            _ => return false,
        }
    }
}

/// The part of a normalized event that says whose it is.
#[derive(Deserialize)]
struct Probe<'a> {
    #[serde(borrow)]
    schema: Cow<'a, str>,
    #[serde(borrow)]
    source: Origin<'a>,
}

#[derive(Deserialize)]
struct Origin<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// Whether a line is JSON and no event of `source`.
fn is_another(line: &[u8], source: &SourceName) -> bool {
    let is_own = serde_json::from_slice::<Probe<'_>>(line).is_ok_and(|event| {
        event.schema.starts_with("atlaudit/") && event.source.name == source.as_str()
    });
    !is_own && serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// Copies what lies behind `from` into a new file beside `path`.
fn set_aside(file: &mut File, path: &Path, from: u64) -> io::Result<()> {
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".unfinished-");
    let mut aside = tempfile::Builder::new()
        .prefix(&prefix)
        .tempfile_in(folder_of(path))?;
    file.seek(SeekFrom::Start(from))?;
    io::copy(file, &mut aside)?;
    aside.as_file().sync_all()?;
    let (_, name) = aside.keep()?;
    sync_folder(&name)?;
    crash::point(Point::SetAside);
    tracing::warn!(
        path = %path.display(),
        aside = %name.display(),
        "moved aside what stood at the end of the output file: half a line, or events that the state does not know of and that are read again"
    );
    Ok(())
}

#[cfg(test)]
#[path = "mend_tests.rs"]
mod tests;
