//! Owns bringing an output file back to what was committed to it, at the start of a run.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::crash::{self, CrashPoint};
use crate::files::{folder_of, sync_folder};
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::sink::identity::{is_same_file, matches_committed};
use crate::sink::lock::lock;
use crate::sink::tail_contents::{LastRun, TailAction, TailContents};
use crate::sink::{SinkError, failed, truncate};

/// What is read at once on the way back to a newline.
const BLOCK: u64 = 64 * 1024;

/// Where something is to be brought back.
struct RecoveryTarget {
    path: PathBuf,
    /// What lies behind this is not known to be good.
    from: u64,
    /// Whether the file was cut by others since the last commit: what it holds began anywhere.
    was_cut: bool,
}

/// Brings the file of `known` back to its committed length.
///
/// After a killed run, events of `source` after that length are discarded: they are read again. After a
/// run that ended well, whole lines of others stay. Anything else is moved into a file beside it
/// ([`TailContents::action`]).
///
/// What the accounts of the other sources, `others`, vouch for is left alone.
///
/// # Errors
/// The file cannot be read or cut, or another run writes it.
pub fn mend(
    known: &OutputFileState,
    source: &SourceName,
    others: &[OutputFileState],
) -> Result<(), SinkError> {
    let found = find(known).map_err(|error| failed("find", &known.path, error))?;
    for place in found {
        bring_back(known, place, source, others)?;
    }
    Ok(())
}

fn bring_back(
    known: &OutputFileState,
    place: RecoveryTarget,
    source: &SourceName,
    others: &[OutputFileState],
) -> Result<(), SinkError> {
    let path = place.path.as_path();
    let failed = |doing| move |error| failed(doing, path, error);
    let facts = fs::metadata(path).map_err(failed("find"))?;
    let sharers = others.iter().filter(|other| is_same_file(other, &facts));
    if !known.is_open && sharers.clone().any(|other| other.is_open) {
        // That source's own pull mends it first.
        return Ok(());
    }
    // Not one whose lines were cut away since.
    let fitting = sharers.filter(|other| matches_committed(other, path, &facts).unwrap_or(false));
    let vouched = fitting.map(|other| other.committed).max();
    let from = vouched.unwrap_or_default().max(place.from);
    if facts.len() <= from {
        return remove_in_vain(known, path, facts.len());
    }
    let contents = match TailContents::read(path, from, source) {
        // This user may only append to it: what a run that ended left there was whole.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !known.is_open => {
            return Ok(());
        }
        contents => contents.map_err(failed("read"))?,
    };
    let action = contents.action(match (known.is_open, place.was_cut) {
        (false, _) => LastRun::Finished,
        (true, false) => LastRun::Killed,
        (true, true) => LastRun::KilledAndTruncated,
    });
    if action == TailAction::Leave {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).open(path);
    let mut file = file.map_err(failed("cut back"))?;
    lock(&file, path)?;
    let length = file.metadata().map_err(failed("find"))?.len();
    if length <= from {
        return Ok(());
    }
    // What was appended since the contents were read may be anything.
    if action == TailAction::Discard && length == facts.len() {
        truncate(&file, path, from)?;
        sync_truncated(&file, path)?;
        tracing::warn!(
            path = %path.display(),
            bytes = length - from,
            "truncated what an interrupted run had not finished; it is read again"
        );
    } else {
        move_tail(&mut file, path, from, &contents.describe())?;
    }
    remove_in_vain(known, path, from)
}

/// Removes a packed file that a killed run began and committed nothing to: no tool unpacks it.
fn remove_in_vain(known: &OutputFileState, path: &Path, length: u64) -> Result<(), SinkError> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let is_packed = matches!(ending, Some("gz" | "zst"));
    if !known.is_open || known.committed > 0 || length > 0 || !is_packed {
        return Ok(());
    }
    fs::remove_file(path).map_err(|error| failed("remove", path, error))
}

/// Looks at the last line of a plain file that nobody vouches for, such as one that a killed one-off
/// run wrote: half a line is moved aside. Returns whether a whole one lacks only its newline.
///
/// # Errors
/// The file cannot be read or cut.
pub fn mend_last_line(path: &Path) -> Result<bool, SinkError> {
    let read = |error| failed("read", path, error);
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        // Whoever may only append to it cannot be told.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        file => file.map_err(read)?,
    };
    let length = file.metadata().map_err(read)?.len();
    let start = start_of_last_line(&mut file, length).map_err(read)?;
    if start == length {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(start)).map_err(read)?;
    if serde_json::from_reader::<_, IgnoredAny>(BufReader::new(&file)).is_ok() {
        return Ok(true);
    }
    move_tail(&mut file, path, start, "an incomplete line")?;
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

/// Where the file of `known` is, and its copy where it was cut, as far as anything is to be done.
fn find(known: &OutputFileState) -> io::Result<Vec<RecoveryTarget>> {
    let committed = |path: &Path| RecoveryTarget {
        path: path.to_owned(),
        from: known.committed,
        was_cut: false,
    };
    let facts = match fs::metadata(&known.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        facts => Some(facts?),
    };
    let mut found = Vec::new();
    if let Some(facts) = &facts {
        warn_if_shorter(known, facts);
        if matches_committed(known, &known.path, facts)? {
            return Ok(vec![committed(&known.path)]);
        }
        if known.is_open && facts.is_file() && is_same_file(known, facts) {
            found.push(RecoveryTarget {
                from: 0,
                was_cut: true,
                ..committed(&known.path)
            });
        }
    }
    // It was moved away or cut. Whoever did it has what was committed, and of a killed run more.
    if !known.is_open || facts.is_some_and(|facts| !facts.is_file()) {
        return Ok(found);
    }
    match find_elsewhere(known)? {
        Some(path) => found.push(committed(&path)),
        None => tracing::warn!(
            path = %known.path.display(),
            "the output file that a killed run wrote is no longer in its folder, or was changed; wherever it is now, its last events may follow here again"
        ),
    }
    Ok(found)
}

/// A file that lost what was committed to it: `copytruncate` does that, and a disk that lied.
fn warn_if_shorter(known: &OutputFileState, facts: &Metadata) {
    let (length, committed) = (facts.len(), known.committed);
    if facts.is_file() && length < committed && is_same_file(known, facts) {
        tracing::warn!(
            path = %known.path.display(),
            "the output file has {length} bytes, and {committed} were committed to it: another program truncated it (as logrotate's `copytruncate` does), or the disk lost data; what is missing is not read again",
        );
    }
}

/// Looks through the folder for the file under another name, or for a copy of it.
fn find_elsewhere(known: &OutputFileState) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(folder_of(&known.path)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut copy = None;
    for entry in entries {
        let path = entry?.path();
        // One that vanishes meanwhile, or that we may not look at, is not it.
        let Ok(facts) = fs::symlink_metadata(&path) else {
            continue;
        };
        if path == known.path || !matches_committed(known, &path, &facts).unwrap_or(false) {
            continue;
        }
        if is_same_file(known, &facts) {
            return Ok(Some(path));
        }
        copy.get_or_insert(path);
    }
    Ok(copy)
}

/// Moves what lies behind `from`, which is what `found` says, into a new file beside `path`.
fn move_tail(file: &mut File, path: &Path, from: u64, found: &str) -> Result<(), SinkError> {
    let copy = copy_tail(file, path, from);
    let copy = copy.map_err(|error| failed("move aside the end of", path, error))?;
    if let Err(error) = truncate(file, path, from) {
        // The file still holds it all, and each further attempt would leave one more copy.
        let _ = fs::remove_file(&copy);
        return Err(error);
    }
    tracing::warn!(
        path = %path.display(),
        aside = %copy.display(),
        "moved aside the end of the output file: {found}; this source's own events are read again"
    );
    sync_truncated(file, path)
}

fn sync_truncated(file: &File, path: &Path) -> Result<(), SinkError> {
    crash::point(CrashPoint::CutBack);
    let synced = file.sync_all();
    synced.map_err(|error| failed("sync", path, error))
}

/// Copies what lies behind `from` into a new file beside `path`. Returns its path.
fn copy_tail(file: &mut File, path: &Path, from: u64) -> io::Result<PathBuf> {
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".unfinished-");
    let mut copy = tempfile::Builder::new()
        .prefix(&prefix)
        .tempfile_in(folder_of(path))?;
    file.seek(SeekFrom::Start(from))?;
    io::copy(file, &mut copy)?;
    copy.as_file().sync_all()?;
    let (_, name) = copy.keep()?;
    sync_folder(folder_of(&name))?;
    crash::point(CrashPoint::SetAside);
    Ok(name)
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
