//! Brings output files back to what was committed to them, when a run begins.
//!
//! `docs/design.md`, section 4, says what a dead run may leave in a file.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::crash::{self, CrashPoint};
use crate::files::{folder_of, if_exists, ignore_missing, sync_folder};
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::sink::line_sink::{SinkError, UnexpectedFile, failed, truncate};
use crate::sink::location::{is_same_file, lock, matches_committed, tail};
use crate::sink::tail_contents::{RunEnding, TailAction, TailContents};

/// What is read at once on the way back to a newline.
const BLOCK: u64 = 64 * 1024;

/// A file that may hold more than was committed to it.
struct RecoveryTarget {
    path: PathBuf,
    /// This source's bytes up to here are committed.
    committed: u64,
    last_run: RunEnding,
}

/// All that decides what happens to a file when a run begins.
#[derive(Debug)]
struct RecoveryFacts {
    last_run: RunEnding,
    /// Whether a killed run of another source wrote the file too: that source recovers it.
    awaits_other_source: bool,
    length: u64,
    /// Bytes that this source committed, or another one that shares the file.
    committed: u64,
    /// The content after `committed`; nothing where there is nothing, or this user may not read it.
    tail: Option<TailContents>,
    /// Whether this source committed nothing to a file that is packed: no tool unpacks an empty
    /// one.
    is_unstarted_archive: bool,
}

/// What is done to a file when a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RecoveryPlan {
    tail: TailAction,
    removes_file: bool,
}

/// Decides what happens to a file. Pure.
fn plan_recovery(facts: &RecoveryFacts) -> RecoveryPlan {
    let is_ours_to_judge = !facts.awaits_other_source && facts.length > facts.committed;
    let tail = facts.tail.as_ref().filter(|_| is_ours_to_judge);
    let tail = tail.map_or(TailAction::Leave, |tail| tail.action(facts.last_run));
    let length = match tail {
        TailAction::Leave => facts.length,
        TailAction::Discard | TailAction::MoveAside => facts.committed,
    };
    RecoveryPlan { tail, removes_file: facts.is_unstarted_archive && length == 0 }
}

/// Brings the file of `known`, which other sources and programs may write too, back to its
/// committed length.
///
/// After a killed run, events of `source` after that length are discarded: they are read again.
/// After a run that ended well, whole lines of others stay. Anything else is moved into a file
/// beside it ([`TailContents::action`]). What the checkpoints of the other sources, `others`, count
/// as committed is left alone.
///
/// # Errors
/// The file cannot be read or truncated, or another run writes it.
pub fn recover_shared(
    known: &OutputFileState,
    source: &SourceName,
    others: &[OutputFileState],
) -> Result<(), SinkError> {
    let targets = find_targets(known).map_err(|error| failed("find", &known.path, error))?;
    for target in targets {
        let facts = gather_facts(known, &target, source, others)?;
        apply(&target.path, &facts, plan_recovery(&facts))?;
    }
    Ok(())
}

fn gather_facts(
    known: &OutputFileState,
    target: &RecoveryTarget,
    source: &SourceName,
    others: &[OutputFileState],
) -> Result<RecoveryFacts, SinkError> {
    let path = target.path.as_path();
    let facts = fs::metadata(path).map_err(|error| failed("find", path, error))?;
    let sharers = others.iter().filter(|other| is_same_file(other, &facts));
    let awaits_other_source = !known.is_open && sharers.clone().any(|other| other.is_open);
    // Not a checkpoint whose lines were cut away since.
    let fitting = sharers.filter(|other| matches_committed(other, path, &facts).unwrap_or(false));
    let by_others = fitting.map(|other| other.committed).max();
    let committed = by_others.unwrap_or_default().max(target.committed);
    let tail = match facts.len() > committed && !awaits_other_source {
        false => None,
        true => match TailContents::read(path, committed, source) {
            // This user may only append to it: what a run that ended left there was whole.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !known.is_open => None,
            contents => Some(contents.map_err(|error| failed("read", path, error))?),
        },
    };
    let ending = path.extension().and_then(|ending| ending.to_str());
    let is_packed = matches!(ending, Some("gz" | "zst"));
    Ok(RecoveryFacts {
        last_run: target.last_run,
        awaits_other_source,
        length: facts.len(),
        committed,
        tail,
        is_unstarted_archive: known.is_open && known.committed == 0 && is_packed,
    })
}

fn apply(path: &Path, facts: &RecoveryFacts, plan: RecoveryPlan) -> Result<(), SinkError> {
    if plan.tail != TailAction::Leave {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).open(path);
        let mut file = file.map_err(|error| failed("cut back", path, error))?;
        lock(&file, path)?;
        let now = file.metadata().map_err(|error| failed("find", path, error))?;
        let (length, committed) = (now.len(), facts.committed);
        if length <= committed {
            return Ok(());
        }
        // What was appended since the tail was read may be anything.
        if plan.tail == TailAction::Discard && length == facts.length {
            truncate_durably(&file, path, committed)?;
            tracing::warn!(
                path = %path.display(),
                bytes = length - committed,
                "truncated what an interrupted run had not finished; it is read again"
            );
        } else {
            let found = facts.tail.as_ref().map(TailContents::describe);
            move_tail(&mut file, path, committed, &found.unwrap_or_default())?;
        }
    }
    match plan.removes_file {
        true => fs::remove_file(path).map_err(|error| failed("remove", path, error)),
        false => Ok(()),
    }
}

/// Truncates a file that nobody else writes to exactly what `known` says was committed to it: what
/// follows is the unfinished work of a dead run, which is done again. A file that nothing was
/// committed to is removed.
///
/// # Errors
/// What was committed is no longer there, or the system refuses.
pub fn truncate_to_checkpoint(
    path: &Path,
    known: Option<&OutputFileState>,
) -> Result<(), SinkError> {
    let failed = |error| failed("cut back", path, error);
    let lost = || UnexpectedFile::CommittedDataMissing.at(path);
    let Some(known) = known.filter(|known| known.committed > 0) else {
        let removed = fs::remove_file(path).and_then(|()| {
            crash::point(CrashPoint::CutBack);
            sync_folder(folder_of(path))
        });
        return ignore_missing(removed).map_err(failed);
    };
    let file = if_exists(OpenOptions::new().read(true).write(true).open(path)).map_err(failed)?;
    let file = file.ok_or_else(lost)?;
    let (length, committed) = (file.metadata().map_err(failed)?.len(), known.committed);
    if length < committed || known.tail != tail(&file, committed).map_err(failed)? {
        return Err(lost());
    }
    if length > committed {
        tracing::info!(
            path = %path.display(),
            bytes = length - committed,
            "truncated what an interrupted run had not finished; it is read again"
        );
        truncate_durably(&file, path, committed)?;
    }
    Ok(())
}

/// Looks at the last line of a plain file that no checkpoint knows, such as one that a killed
/// one-off run wrote: half a line is moved aside. Returns whether a whole one lacks only its
/// newline.
///
/// # Errors
/// The file cannot be read or truncated.
pub fn recover_last_line(path: &Path) -> Result<bool, SinkError> {
    let read = |error| failed("read", path, error);
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        // If this user may only append to it, its last line cannot be checked.
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

/// The place after the last newline before `end`.
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

/// Finds the file of `known`, and its copy where it was truncated, as far as anything is to be
/// done.
fn find_targets(known: &OutputFileState) -> io::Result<Vec<RecoveryTarget>> {
    let target = |path: &Path| RecoveryTarget {
        path: path.to_owned(),
        committed: known.committed,
        last_run: if known.is_open { RunEnding::Killed } else { RunEnding::Finished },
    };
    let facts = if_exists(fs::metadata(&known.path))?;
    let mut found = Vec::new();
    if let Some(facts) = &facts {
        warn_if_shorter(known, facts);
        if matches_committed(known, &known.path, facts)? {
            return Ok(vec![target(&known.path)]);
        }
        if known.is_open && facts.is_file() && is_same_file(known, facts) {
            let last_run = RunEnding::KilledAndTruncated;
            found.push(RecoveryTarget { committed: 0, last_run, ..target(&known.path) });
        }
    }
    // It was moved away or truncated. Its copy holds what was committed, and of a killed run more.
    if !known.is_open || facts.is_some_and(|facts| !facts.is_file()) {
        return Ok(found);
    }
    match find_elsewhere(known)? {
        Some(path) => found.push(target(&path)),
        None => tracing::warn!(
            path = %known.path.display(),
            "the output file that a killed run wrote is no longer in its folder, or was changed; \
             wherever it is now, its last events may follow here again"
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
            "the output file has {length} bytes, and {committed} were committed to it: another \
             program truncated it (as logrotate's `copytruncate` does), or the disk lost data; \
             what is missing is not read again",
        );
    }
}

/// Looks through the folder for the file under another name, or for a copy of it.
fn find_elsewhere(known: &OutputFileState) -> io::Result<Option<PathBuf>> {
    let mut copy = None;
    for entry in if_exists(fs::read_dir(folder_of(&known.path)))?.into_iter().flatten() {
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

/// Moves what follows `from`, which `found` describes, into a new file beside `path`.
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

fn truncate_durably(file: &File, path: &Path, length: u64) -> Result<(), SinkError> {
    truncate(file, path, length)?;
    sync_truncated(file, path)
}

fn sync_truncated(file: &File, path: &Path) -> Result<(), SinkError> {
    crash::point(CrashPoint::CutBack);
    let synced = file.sync_all();
    synced.map_err(|error| failed("sync", path, error))
}

/// Copies what follows `from` into a new file beside `path`. Returns its path.
fn copy_tail(file: &mut File, path: &Path, from: u64) -> io::Result<PathBuf> {
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".unfinished-");
    let mut copy = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder_of(path))?;
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
