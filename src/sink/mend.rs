//! Owns bringing an output file back to what was committed to it, at the start of a run.

use std::borrow::Cow;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::crash::{self, Point};
use crate::model::name::SourceName;
use crate::model::written::Written;
use crate::sink::identity::{fits, identity, is_same};
use crate::sink::lock::lock;
use crate::sink::pack::{packing_of, unpack};
use crate::sink::path::{folder_of, sync_folder};
use crate::sink::{SinkError, failed};

/// The longest line that is taken for one.
const LONGEST_LINE: u64 = 128 * 1024 * 1024;

/// What is read at once on the way back to a newline.
const BLOCK: u64 = 64 * 1024;

/// Where something is to be brought back.
struct Place {
    path: PathBuf,
    /// What lies behind this is not known to be good.
    from: u64,
    /// Whether the file was cut by others since the last commit: what it holds began anywhere.
    was_cut: bool,
}

/// Brings the file of `known` back to its committed length.
///
/// What a killed run left after it is read from the source again: it is truncated. After the end of a
/// run that ended well it is somebody else's: whole lines stay. Anything else is moved into a file
/// beside it: half a line, over which every reader would stumble; lines of other programs after a
/// killed run; and events of `source` itself, which this state does not know of (it is an older copy)
/// and reads again.
///
/// What the accounts of the other sources, `others`, vouch for is left alone.
///
/// # Errors
/// The file cannot be read or cut, or another run writes it.
pub fn mend(known: &Written, source: &SourceName, others: &[Written]) -> Result<(), SinkError> {
    let found = find(known).map_err(|error| failed("find", &known.path, error))?;
    for place in found {
        bring_back(known, place, source, others)?;
    }
    Ok(())
}

fn bring_back(
    known: &Written,
    place: Place,
    source: &SourceName,
    others: &[Written],
) -> Result<(), SinkError> {
    let path = place.path.as_path();
    let failed = |doing| move |error| failed(doing, path, error);
    let facts = fs::metadata(path).map_err(failed("find"))?;
    let sharers = others.iter().filter(|other| is_same(other, &facts));
    if !known.is_open && sharers.clone().any(|other| other.is_open) {
        // That source's own pull mends it first.
        return Ok(());
    }
    // Not one whose lines were cut away since.
    let fitting = sharers.filter(|other| fits(other, path, &facts).unwrap_or(false));
    let vouched = fitting.map(|other| other.committed).max();
    let from = vouched.unwrap_or_default().max(place.from);
    if facts.len() <= from {
        return remove_in_vain(known, path, facts.len());
    }
    let lines = lines_behind(path, from, source);
    let action = end_action(known.is_open, place.was_cut, lines);
    if action == EndAction::Keep {
        return Ok(());
    }
    let is_precious = action == EndAction::MoveAside;
    let mut file = OpenOptions::new()
        .read(is_precious)
        .write(true)
        .open(path)
        .map_err(failed("cut back"))?;
    lock(&file, path)?;
    match is_precious {
        true => set_aside(&mut file, path, from).map_err(failed("move aside the end of"))?,
        false => tracing::warn!(
            path = %path.display(),
            bytes = facts.len() - from,
            "truncated what an interrupted run had not finished; it is read again"
        ),
    }
    file.set_len(from).map_err(failed("cut back"))?;
    crash::point(Point::CutBack);
    file.sync_all().map_err(failed("cut back"))?;
    remove_in_vain(known, path, from)
}

/// What is done with the end of a file, after what was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndAction {
    /// It is somebody else's, and whole.
    Keep,
    /// It is a killed run's work, which is read again.
    Truncate,
    /// It goes into a file beside it: not all of it is known to be read again.
    MoveAside,
}

/// Decides by what the end holds. Only what this source will read again is ever thrown away: a line
/// of any other program, in any format, may be all that there is of it.
fn end_action(was_killed: bool, was_cut: bool, lines: Lines) -> EndAction {
    let is_whole = !lines.has_ours && !lines.has_broken && !lines.has_torn;
    match (was_killed, was_cut) {
        (false, _) if is_whole => EndAction::Keep,
        (true, true) if is_whole && lines.has_others => EndAction::Keep,
        (false, _) | (true, true) => EndAction::MoveAside,
        (true, false) if lines.has_others || lines.has_broken => EndAction::MoveAside,
        (true, false) => EndAction::Truncate,
    }
}

/// Removes a packed file that a killed run began and committed nothing to: no tool unpacks it.
fn remove_in_vain(known: &Written, path: &Path, length: u64) -> Result<(), SinkError> {
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

/// Moves what lies behind `from` in the file at `path` into one beside it, where it is still the file of `identity`.
///
/// # Errors
/// The file cannot be read or cut.
pub fn move_aside(path: &Path, was: &str, from: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    if identity(&file.metadata()?) == was {
        set_aside(&mut file, path, from)?;
        file.set_len(from)?;
        file.sync_all()?;
    }
    Ok(())
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
fn find(known: &Written) -> io::Result<Vec<Place>> {
    let committed = |path: &Path| Place {
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
        if fits(known, &known.path, facts)? {
            return Ok(vec![committed(&known.path)]);
        }
        if known.is_open && facts.is_file() && is_same(known, facts) {
            found.push(Place {
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
fn warn_if_shorter(known: &Written, facts: &Metadata) {
    if facts.is_file() && facts.len() < known.committed && is_same(known, facts) {
        tracing::warn!(
            path = %known.path.display(),
            bytes = facts.len(),
            committed = known.committed,
            "the output file is shorter than what was committed to it: it was truncated by another program, or the disk lost data; what is missing is not read again"
        );
    }
}

/// Looks through the folder for the file under another name, or for a copy of it.
fn find_elsewhere(known: &Written) -> io::Result<Option<PathBuf>> {
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
        if path == known.path || !fits(known, &path, &facts).unwrap_or(false) {
            continue;
        }
        if is_same(known, &facts) {
            return Ok(Some(path));
        }
        copy.get_or_insert(path);
    }
    Ok(copy)
}

/// What stands after a committed end.
#[derive(Debug, Default, Clone, Copy)]
struct Lines {
    /// Normalized events of the source itself.
    has_ours: bool,
    /// Other lines of JSON. In the formats that do not name the source they may be its own.
    has_others: bool,
    /// Lines that are no JSON.
    has_broken: bool,
    /// A last line without its newline.
    has_torn: bool,
}

/// Looks at what stands behind `from`. What cannot be read is nothing: it is left alone.
fn lines_behind(path: &Path, from: u64, source: &SourceName) -> Lines {
    let mut lines = Lines::default();
    let text = packing_of(path).and_then(|compression| {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        unpack(compression, BufReader::new(file))
    });
    let Ok(text) = text else {
        return lines;
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
            Ok(0) => return lines,
            Ok(_) if line.ends_with(b"\n") => lines.note(&line, source),
            _ => {
                lines.has_torn = true;
                return lines;
            }
        }
    }
}

impl Lines {
    fn note(&mut self, line: &[u8], source: &SourceName) {
        match serde_json::from_slice::<Probe<'_>>(line) {
            Ok(event) if event.schema.starts_with("atlaudit/") => {
                let is_ours = event.source.name == source.as_str();
                self.has_ours |= is_ours;
                self.has_others |= !is_ours;
            }
            _ => match serde_json::from_slice::<IgnoredAny>(line) {
                Ok(_) => self.has_others = true,
                Err(_) => self.has_broken = true,
            },
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
        "moved aside the end of the output file: half a line, lines of another program, or events that the state does not know of; the source's own are read again"
    );
    Ok(())
}

#[cfg(test)]
#[path = "mend_tests.rs"]
mod tests;
