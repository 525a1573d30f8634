//! Finds finished output files that are older than they are kept for (`keep`), and deletes them.
//!
//! What is deleted is gone, so each doubt keeps a file: its name must be one that the template of
//! this source gives, with a time that is over; it must be a regular file of our user, in no
//! checkpoint and not in use; and its first and last line must be this program's, one of them of
//! this source. Its age is that of the newest time that it shows: in its name, of its last
//! change, or of the events in these lines.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use chrono::{Datelike as _, Days, Months, NaiveDate, TimeDelta};

use crate::config::settings::{Compression, OutputPath, OutputSettings};
use crate::files::if_exists;
use crate::model::json::{Document, Node};
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::model::time::{Timestamp, before, from_epoch, parse_api_time};
use crate::sink::line_sink::{SinkError, failed};
use crate::sink::location::{
    identity, is_same_file, lock, real_path, split_finished, template_fields,
};
use crate::sink::pack::unpack;
use crate::sink::tail_contents::{LONGEST_LINE, source_of};

/// The most files that one run deletes of one output: the next run goes on.
const MAX_DELETIONS: usize = 500;

/// What decides whether a file is deleted.
#[derive(Debug)]
pub struct RetentionCheck<'a> {
    /// The output whose files they are.
    pub output: &'a OutputSettings,
    /// How long they are kept.
    pub keep: Duration,
    /// The source that wrote them.
    pub source: &'a SourceName,
    /// The files of all checkpoints.
    pub in_use: &'a [OutputFileState],
    /// The earlier of our time and the server's.
    pub now: Timestamp,
}

/// A finished file that is to be deleted.
#[derive(Debug)]
pub struct ExpiredFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    identity: String,
    /// Locked, so that nobody begins to write it.
    _file: File,
}

impl RetentionCheck<'_> {
    /// The files that are kept no longer, oldest name first.
    ///
    /// # Errors
    /// A folder cannot be read.
    pub fn expired_files(&self) -> Result<Vec<ExpiredFile>, SinkError> {
        let OutputPath::File(template) = &self.output.path else {
            return Ok(Vec::new());
        };
        let template = real_path(Path::new(&self.output.with_suffix(template.clone())));
        let named = named_files(&template).map_err(|error| failed("find", &template, error))?;
        let expired = named.into_iter().filter(|(_, until)| self.is_over(*until));
        let found = expired.filter_map(|(path, _)| self.checked(path));
        Ok(found.take(MAX_DELETIONS).collect())
    }

    fn is_over(&self, newest: Timestamp) -> bool {
        newest < before(self.now, self.keep)
    }

    /// The file at `path`, if it is ours, not in use, and too old in every way.
    fn checked(&self, path: PathBuf) -> Option<ExpiredFile> {
        let facts = fs::symlink_metadata(&path).ok()?;
        let is_used = |known: &OutputFileState| known.path == path || is_same_file(known, &facts);
        let may_be_ours = facts.is_file()
            && facts.len() > 0
            && facts.uid() == rustix::process::geteuid().as_raw()
            && self.is_over(Timestamp::from(facts.modified().ok()?))
            && !self.in_use.iter().any(is_used);
        if !may_be_ours {
            return None;
        }
        // Neither a link nor a pipe that has taken its place meanwhile.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path).ok()?;
        let opened = file.metadata().ok()?;
        lock(&file, &path).ok()?;
        let is_expired = identity(&opened) == identity(&facts)
            && self.has_only_old_lines(&file).unwrap_or_default();
        let (bytes, identity) = (opened.len(), identity(&opened));
        is_expired.then_some(ExpiredFile { path, bytes, identity, _file: file })
    }

    /// Whether the first and the last line are this program's, one of them is of the source, and
    /// both are old.
    fn has_only_old_lines(&self, file: &File) -> io::Result<bool> {
        let Some(first) = read_lines(self.output.compression, file, true)? else {
            return Ok(false);
        };
        let Some(first) = OwnLine::of(first) else {
            return Ok(false);
        };
        io::Seek::rewind(&mut &*file)?;
        let last = read_lines(self.output.compression, file, false)?;
        let Some(last) = last.and_then(OwnLine::of) else {
            return Ok(false);
        };
        let is_of_source = [&first, &last].iter().any(|line| line.source == self.source.as_str());
        let newest = first.time.max(last.time);
        Ok(is_of_source && newest.is_some_and(|newest| self.is_over(newest)))
    }
}

impl ExpiredFile {
    /// Deletes it, unless another file has its name by now. Returns whether it did.
    ///
    /// # Errors
    /// The system refuses.
    pub fn delete(&self) -> Result<bool, SinkError> {
        let failed = |error| failed("delete", &self.path, error);
        let facts = if_exists(fs::symlink_metadata(&self.path)).map_err(failed)?;
        let is_it =
            |facts: &Metadata| identity(facts) == self.identity && facts.len() == self.bytes;
        if !facts.as_ref().is_some_and(is_it) {
            return Ok(false);
        }
        fs::remove_file(&self.path).map_err(failed)?;
        Ok(true)
    }
}

/// A line of this program.
struct OwnLine {
    source: String,
    /// When its event happened.
    time: Option<Timestamp>,
}

impl OwnLine {
    fn of(line: Vec<u8>) -> Option<OwnLine> {
        let line = Document::parse(String::from_utf8(line).ok()?.into()).ok()?;
        let source = source_of(line.root())?.into_owned();
        Some(OwnLine { source, time: time_of(line.root()) })
    }
}

/// When the event of a line happened: as text, or in OCSF as milliseconds.
fn time_of(line: Node<'_>) -> Option<Timestamp> {
    let text = line.text_of("time").or_else(|| line.text_of("@timestamp"));
    text.and_then(|text| parse_api_time(&text)).or_else(|| {
        let ms: i64 = line.scalar_of("time")?.parse().ok()?;
        from_epoch(ms.div_euclid(1000), 0)
    })
}

/// The first line of a file, or its last one, which reads it to its end; nothing if a line is not
/// whole or far too long.
fn read_lines(
    compression: Compression,
    file: &File,
    is_first: bool,
) -> io::Result<Option<Vec<u8>>> {
    let mut text = BufReader::new(unpack(compression, BufReader::new(file))?);
    let (mut last, mut line) = (None, Vec::new());
    loop {
        line.clear();
        match text.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? {
            0 => return Ok(last),
            _ if !line.ends_with(b"\n") => return Ok(None),
            _ if is_first => return Ok(Some(line)),
            _ => std::mem::swap(last.get_or_insert_default(), &mut line),
        }
    }
}

/// The finished files whose names the absolute `template` gives, each with the end of the time
/// that its name says, oldest first. No folder that is a link is entered.
fn named_files(template: &Path) -> io::Result<Vec<(PathBuf, Timestamp)>> {
    let mut folders = vec![PathBuf::new()];
    let mut parts: Vec<_> = template.components().collect();
    let Some(Component::Normal(_)) = parts.pop() else {
        return Ok(Vec::new());
    };
    let mut is_fixed = true;
    for part in parts {
        let name = part.as_os_str();
        is_fixed &= !name.as_bytes().contains(&b'%');
        if is_fixed {
            folders.iter_mut().for_each(|folder| folder.push(name));
            continue;
        }
        let mut inner = Vec::new();
        for folder in folders {
            for entry in entries(&folder)? {
                let is_folder =
                    || fs::symlink_metadata(folder.join(&entry)).is_ok_and(|f| f.is_dir());
                if template_fields(name.as_bytes(), entry.as_bytes()).is_some() && is_folder() {
                    inner.push(folder.join(entry));
                }
            }
        }
        folders = inner;
    }
    let mut found = Vec::new();
    for folder in folders {
        let paths = entries(&folder)?.into_iter().map(|name| folder.join(name));
        found.extend(paths.filter_map(|path| {
            let until = finished_until(template, &path)?;
            Some((path, until))
        }));
    }
    found.sort_by(|(one, first), (other, second)| first.cmp(second).then(one.cmp(other)));
    Ok(found)
}

fn entries(folder: &Path) -> io::Result<Vec<OsString>> {
    let entries = if_exists(fs::read_dir(folder))?;
    entries.into_iter().flatten().map(|entry| Ok(entry?.file_name())).collect()
}

/// Until when lines may have been written to a finished file of this name, as far as the name
/// says: to the end of the period of the template, and to the time of rotation. `None` for a file
/// that is of another template, or that never ends.
fn finished_until(template: &Path, path: &Path) -> Option<Timestamp> {
    let period = |path: &Path| {
        let fields = template_fields(template.as_os_str().as_bytes(), path.as_os_str().as_bytes());
        fields.map(|fields| end_of_period(&fields))
    };
    match split_finished(path) {
        Some((before, begun)) if period(&before).is_some() => {
            period(&before).flatten().max(Some(begun))
        }
        _ => period(path).flatten(),
    }
}

/// The end of the period that the fields of a name say; `None` if they contradict each other, or
/// leave open which one it is, as an hour without its day does.
fn end_of_period(fields: &[(u8, u32)]) -> Option<Timestamp> {
    let mut values = BTreeMap::new();
    for (field, value) in fields {
        if values.insert(*field, *value).is_some_and(|other| other != *value) {
            return None;
        }
    }
    let [year, month, day, hour] =
        [b'Y', b'm', b'd', b'H'].map(|field| values.get(&field).copied());
    let year = i32::try_from(year?).ok()?;
    let date = NaiveDate::from_ymd_opt(year, month.unwrap_or(1), day.unwrap_or(1))?;
    let end = match (month, day, hour) {
        (None, None, None) => date.with_year(year + 1)?.and_hms_opt(0, 0, 0)?,
        (Some(_), None, None) => date.checked_add_months(Months::new(1))?.and_hms_opt(0, 0, 0)?,
        (Some(_), Some(_), None) => date.checked_add_days(Days::new(1))?.and_hms_opt(0, 0, 0)?,
        (Some(_), Some(_), Some(hour)) => {
            date.and_hms_opt(hour, 0, 0)?.checked_add_signed(TimeDelta::hours(1))?
        }
        _ => return None,
    };
    Some(end.and_utc())
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
