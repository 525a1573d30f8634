//! Names output files by their template, resolves paths to the files that they name, and
//! recognises a file by its inode, its birth and the end of what was committed to it.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use chrono::NaiveDateTime;

use crate::config::settings::{Compression, Rotation};
use crate::files::folder_of;
use crate::model::output_file_state::OutputFileState;
use crate::model::record::Fingerprint;
use crate::model::time::Timestamp;
use crate::sink::line_sink::{SinkError, UnexpectedFile, failed};

/// The time in a finished file's name: UTC, of one width, so that names sort by it.
const STAMP: &str = "%Y%m%dT%H%M%S%.3fZ";

/// The path that `template` means at `now`. Absolute, for the checkpoint remembers it: the same
/// relative path means another file to a run that starts elsewhere.
///
/// # Errors
/// The working directory is gone.
pub fn path_at(
    template: &str,
    compression: Compression,
    now: Timestamp,
) -> Result<PathBuf, SinkError> {
    let plain = expand(template, now);
    // A device or a pipe has the name it has.
    let is_named = fs::metadata(&plain).is_ok_and(|facts| is_special(&facts));
    let path = PathBuf::from(if is_named { plain } else { compression.with_suffix(plain) });
    // By its real name where it has one: an alias would pass for another file.
    let real = fs::canonicalize(&path).or_else(|_| {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().unwrap_or_default();
        fs::canonicalize(folder).map(|folder| folder.join(name))
    });
    real.or_else(|_| std::path::absolute(&path)).map_err(|error| failed("find", &path, error))
}

/// Whether `facts` are those of a device, a pipe or a socket.
fn is_special(facts: &Metadata) -> bool {
    !facts.is_file() && !facts.is_dir()
}

/// The template's `%Y %m %d %H` filled in; `%%` is a percent sign. Other placeholders were refused
/// with the configuration.
pub fn expand(template: &str, now: Timestamp) -> String {
    let mut path = String::with_capacity(template.len() + 8);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        path.push_str(before);
        let mut chars = after.chars();
        match chars.next() {
            Some(c @ ('Y' | 'm' | 'd' | 'H')) => {
                path.push_str(&now.format(&format!("%{c}")).to_string());
            }
            Some('%') | None => path.push('%'),
            Some(other) => path.extend(['%', other]),
        }
        rest = chars.as_str();
    }
    path.push_str(rest);
    path
}

/// The name that `path` gets when it is finished: `acme.jsonl.gz`, begun at some time, becomes
/// `acme-20261121T130000.000Z.jsonl.gz`. Finished names sort by that time, and before the plain
/// one.
pub fn finished_path(path: &Path, begun: Timestamp) -> PathBuf {
    let (stem, ends) = split_extensions(path);
    path.with_file_name(format!("{stem}-{}{ends}", begun.format(STAMP)))
}

/// The latest time in the names of `path`'s finished siblings.
///
/// # Errors
/// The folder cannot be read.
pub fn newest_finished_time(path: &Path) -> io::Result<Option<Timestamp>> {
    Ok(finished_files(path)?.pop().map(|(time, _)| time))
}

/// The finished siblings of `path`, by the times in their names.
///
/// # Errors
/// The folder cannot be read.
pub fn finished_files(path: &Path) -> io::Result<Vec<(Timestamp, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder_of(path))? {
        let name = entry?.file_name();
        if let Some((before, time)) = split_finished(Path::new(&name))
            && Some(before.as_os_str()) == path.file_name()
        {
            found.push((time, path.with_file_name(name)));
        }
    }
    found.sort();
    Ok(found)
}

/// The name before its first extension, and all that follow. Text: a path that is none was refused
/// with the configuration.
fn split_extensions(path: &Path) -> (String, String) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A leading dot hides a file and begins no extension.
    let dot = name.char_indices().skip(1).find(|(_, c)| *c == '.');
    let (stem, ends) = name.split_at(dot.map_or(name.len(), |(at, _)| at));
    (stem.to_owned(), ends.to_owned())
}

/// Whether a file of `length` bytes, begun at `begun`, is to be finished at `now`.
///
/// An empty file never is. A clock that was set back finishes none: it waits until the time comes
/// that follows the file's own period.
pub fn is_rotation_due(rotation: Rotation, begun: Timestamp, length: u64, now: Timestamp) -> bool {
    let is_past = |span: Duration| {
        let span = i64::try_from(span.as_secs()).unwrap_or(i64::MAX).max(1);
        let period = |time: Timestamp| time.timestamp().div_euclid(span);
        period(now) > period(begun)
    };
    length > 0
        && match rotation {
            Rotation::Never => false,
            Rotation::Every(span) => is_past(span),
            Rotation::Size(most) => length >= most,
        }
}

/// Most links that are followed to a file that does not exist yet, as the kernel does
/// (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// The length of a time in the name of a finished file.
const STAMP_LENGTH: usize = "20261121T130000.000Z".len();

/// The identity of the file that a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileIdentity {
    /// Its absolute path without links.
    pub path: PathBuf,
    /// Its device and inode, if it exists: it may have several names.
    pub inode: Option<(u64, u64)>,
    /// Whether it is a device or a pipe.
    pub is_special: bool,
}

impl FileIdentity {
    /// Looks at the file that `path` leads to.
    pub fn of(path: &Path) -> FileIdentity {
        let facts = fs::metadata(path).ok();
        FileIdentity {
            path: real_path(path),
            inode: facts.as_ref().map(|facts| (facts.dev(), facts.ino())),
            is_special: facts.as_ref().is_some_and(is_special),
        }
    }

    /// A file at `path` without links, which does not exist.
    #[cfg(test)]
    pub fn missing(path: &Path) -> FileIdentity {
        FileIdentity { path: path.to_owned(), inode: None, is_special: false }
    }
}

/// The absolute path without links that opening `path` would lead to, whether or not it exists.
pub fn real_path(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = folder_of(&path).join(target);
    }
    // The part that exists by its real name, then what is to be created in it.
    for known in path.ancestors() {
        let known = match known.as_os_str().is_empty() {
            true => Path::new("."),
            false => known,
        };
        if let Ok(real) = fs::canonicalize(known) {
            let rest = path.strip_prefix(known).unwrap_or(&path);
            return without_dots(real, rest);
        }
    }
    path
}

/// `folder` and the names of `rest` in it, which do not exist: `..` leads back over the last of
/// them.
fn without_dots(mut folder: PathBuf, rest: &Path) -> PathBuf {
    for part in rest.components() {
        match part {
            Component::Normal(name) => folder.push(name),
            Component::ParentDir => {
                folder.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    folder
}

/// Whether an output of the absolute `template` writes the file at `path` at some time, or wrote it
/// before rotation renamed it.
pub fn is_written_by(template: &Path, path: &Path) -> bool {
    let matches = |path: &Path| {
        let (template, path) = (template.as_os_str(), path.as_os_str());
        template_fields(template.as_bytes(), path.as_bytes()).is_some()
    };
    matches(path) || path_before_rotation(path).is_some_and(|path| matches(&path))
}

/// The path that a file had before rotation finished it, if `path` is such a file's.
pub fn path_before_rotation(path: &Path) -> Option<PathBuf> {
    split_finished(path).map(|(before, _)| before)
}

/// The time in the name of a finished file.
#[cfg(feature = "parquet")]
pub fn finished_time(path: &Path) -> Option<Timestamp> {
    split_finished(path).map(|(_, time)| time)
}

/// The path that a finished file had before, and the time in its name.
pub(super) fn split_finished(path: &Path) -> Option<(PathBuf, Timestamp)> {
    let name = path.file_name()?.to_str()?;
    name.match_indices('-').find_map(|(start, _)| {
        let (stem, rest) = name.split_at_checked(start)?;
        let (stamp, ends) = rest.get(1..)?.split_at_checked(STAMP_LENGTH)?;
        let time = NaiveDateTime::parse_from_str(stamp, STAMP).ok()?.and_utc();
        Some((path.with_file_name(format!("{stem}{ends}")), time))
    })
}

/// The digits that `path` has in the place of `%Y %m %d %H` of `template`, each with the letter of
/// its placeholder; `None` where it is another path.
pub(super) fn template_fields(template: &[u8], path: &[u8]) -> Option<Vec<(u8, u32)>> {
    let (mut template, mut path, mut fields) = (template, path, Vec::new());
    while let [first, more @ ..] = template {
        let (length, wanted): (usize, Option<u8>) = match (first, more) {
            (b'%', [b'Y', ..]) => (4, None),
            (b'%', [b'm' | b'd' | b'H', ..]) => (2, None),
            (other, _) => (1, Some(*other)),
        };
        let is_pair = wanted.is_none() || (*first == b'%' && more.first() == Some(&b'%'));
        template = more.get(usize::from(is_pair)..).unwrap_or_default();
        let (part, rest) = path.split_at_checked(length)?;
        match wanted {
            Some(byte) if part == [byte] => {}
            None if part.iter().all(u8::is_ascii_digit) => {
                let value = str::from_utf8(part).ok()?.parse().ok()?;
                fields.push((*more.first()?, value));
            }
            _ => return None,
        }
        path = rest;
    }
    path.is_empty().then_some(fields)
}

/// Bytes before the committed end that stand for all before it: some line's time and id are among
/// them.
const TAIL: u64 = 512;

/// The identity of a file in its file system, whatever its name: inode and birth.
pub fn identity(facts: &Metadata) -> String {
    let birth = facts.created().ok();
    let birth = birth.and_then(|birth| birth.duration_since(UNIX_EPOCH).ok());
    format!("{}-{}", facts.ino(), birth.unwrap_or_default().as_nanos())
}

/// A fingerprint of the last bytes before `end`; nothing where there are none.
///
/// # Errors
/// They cannot be read.
pub fn tail(file: &File, end: u64) -> io::Result<Option<String>> {
    let length = end.min(TAIL);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    file.read_exact_at(&mut bytes, end - length)?;
    Ok((length > 0).then(|| Fingerprint::of(&bytes).to_string()))
}

/// Whether the file at `path`, of these `facts`, is the one that `known` says, or a copy of it.
///
/// # Errors
/// It cannot be read.
pub fn matches_committed(
    known: &OutputFileState,
    path: &Path,
    facts: &Metadata,
) -> io::Result<bool> {
    if !facts.is_file() || facts.len() < known.committed {
        return Ok(false);
    }
    match &known.tail {
        Some(_) => match File::open(path) {
            // Where only appending is allowed, the other marks must do.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(is_same_file(known, facts))
            }
            file => Ok(tail(&file?, known.committed)? == known.tail),
        },
        None => Ok(is_same_file(known, facts)),
    }
}

/// Whether a file of these `facts` is the very one, whatever was done to it.
pub fn is_same_file(known: &OutputFileState, facts: &Metadata) -> bool {
    known.identity.as_ref() == Some(&identity(facts))
}

/// Locks an output file: two runs that append to one file would each invalidate what the other's
/// checkpoint says of it.
pub fn lock(file: &File, path: &Path) -> Result<(), SinkError> {
    match file.try_lock() {
        // Some network file systems know no locks; the state's own lock still guards the source.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(UnexpectedFile::LockedByOtherRun.at(path)),
    }
}

/// Whether a living run writes to `path`.
pub fn is_locked(path: &Path) -> bool {
    let lock = File::open(path).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::model::time::parse_api_time;

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    #[test]
    fn placeholders_and_the_suffix() {
        let now = at("2026-11-20T09:59:59Z");
        for (template, compression, path) in [
            ("/x/%Y%m%d-%H", Compression::None, "/x/20261120-09"),
            ("/x/100%%", Compression::Gzip, "/x/100%.gz"),
            ("/x/a.gz", Compression::Gzip, "/x/a.gz"),
            ("/x/a.gz", Compression::Zstd, "/x/a.gz.zst"),
            ("/dev/null", Compression::Zstd, "/dev/null"),
        ] {
            let found = path_at(template, compression, now).unwrap();
            assert_eq!(found, Path::new(path));
        }
    }

    #[test]
    fn an_alias_is_the_same_file() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(folder.join("sub")).unwrap();
        let at = |name: &str| {
            let path = folder.join(name);
            let template = path.to_str().unwrap();
            path_at(template, Compression::None, chrono::Utc::now()).unwrap()
        };
        let new = at("out");
        assert_eq!(at("sub/../out"), new);
        fs::write(&new, "").unwrap();
        symlink(&new, folder.join("link")).unwrap();
        assert_eq!(at("link"), new);
    }

    #[test]
    fn finished_names_sort_by_time_and_before_the_current_one() {
        let current = Path::new("/x/acme.jsonl.gz");
        let names = [
            finished_path(current, at("2026-11-20T09:59:59.999Z")),
            finished_path(current, at("2026-11-20T10:00:00Z")),
            finished_path(current, at("2027-01-01T00:00:00.5Z")),
            current.to_owned(),
        ];
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(names[0], Path::new("/x/acme-20261120T095959.999Z.jsonl.gz"));
        let bare = finished_path(Path::new("/x/.acme"), at("2026-11-20T10:00:00Z"));
        assert_eq!(bare, Path::new("/x/.acme-20261120T100000.000Z"));
    }

    #[test]
    fn only_our_own_finished_files_are_siblings() {
        let folder = tempfile::tempdir().unwrap();
        let current = folder.path().join("acme.jsonl");
        assert_eq!(newest_finished_time(&current).unwrap(), None);
        for name in [
            "acme.jsonl",
            "acme-20261120T100000.000Z.jsonl",
            "acme-20261120T100000.001Z.jsonl",
            "acme-20301120T100000.000Z.jsonl.gz",
            "acme-jira-20301120T100000.000Z.jsonl",
            "acme-2030.jsonl",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let newest = newest_finished_time(&current).unwrap();
        assert_eq!(newest, Some(at("2026-11-20T10:00:00.001Z")));
    }

    #[test]
    fn hours_and_days_are_those_of_utc() {
        let due = |rotation, now: &str| {
            let begun = parse_api_time("2026-11-20T22:59:59.999Z").unwrap();
            is_rotation_due(rotation, begun, 1, parse_api_time(now).unwrap())
        };
        assert!(due(Rotation::HOURLY, "2026-11-20T23:00:00Z"));
        assert!(!due(Rotation::DAILY, "2026-11-20T23:59:59Z"));
        assert!(due(Rotation::DAILY, "2026-11-21T00:00:00Z"));
        for rotation in [Rotation::HOURLY, Rotation::DAILY] {
            assert!(!due(rotation, "2026-11-20T22:59:59.999Z"));
            assert!(!due(rotation, "2026-11-19T23:30:00Z"), "set back");
        }
        assert!(!due(Rotation::Never, "2036-11-20T22:59:59Z"));
    }

    #[test]
    fn a_size_is_reached_and_nothing_is_never_finished() {
        let now = parse_api_time("2026-11-20T22:59:59Z").unwrap();
        let due = |rotation, length| {
            is_rotation_due(rotation, now - chrono::TimeDelta::days(9), length, now)
        };
        assert!(!due(Rotation::Size(1024), 1023));
        assert!(due(Rotation::Size(1024), 1024));
        assert!(due(Rotation::DAILY, 1));
        assert!(!due(Rotation::DAILY, 0));
    }

    #[test]
    fn five_minutes_end_by_the_clock() {
        let five = Rotation::Every(Duration::from_secs(300));
        let begun = at("2026-11-20T22:58:00Z");
        assert!(!is_rotation_due(five, begun, 1, at("2026-11-20T22:59:59Z")));
        assert!(is_rotation_due(five, begun, 1, at("2026-11-20T23:00:00Z")));
    }

    #[test]
    fn the_real_path_of_a_file_that_need_not_exist() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(folder.join("sub")).unwrap();
        fs::write(folder.join("there"), "").unwrap();
        for (target, name) in [
            ("sub", "folder"),
            ("there", "file"),
            ("sub/new", "dangling"),
            ("dangling", "twice"),
            ("loop", "loop"),
        ] {
            symlink(target, folder.join(name)).unwrap();
        }
        for (path, real) in [
            ("there", "there"),
            ("file", "there"),
            ("./sub/../there", "there"),
            ("folder/new", "sub/new"),
            ("dangling", "sub/new"),
            ("twice", "sub/new"),
            ("a/b/../c", "a/c"),
            ("folder/a/b", "sub/a/b"),
            ("loop", "loop"),
        ] {
            assert_eq!(real_path(&folder.join(path)), folder.join(real), "{path}");
        }
    }

    #[test]
    fn an_identity_follows_links() {
        let folder = tempfile::tempdir().unwrap();
        let [file, hard, soft, new] =
            ["file", "hard", "soft", "new"].map(|name| folder.path().join(name));
        fs::write(&file, "").unwrap();
        fs::hard_link(&file, &hard).unwrap();
        symlink(&file, &soft).unwrap();
        let of = FileIdentity::of(&file);
        assert_eq!(FileIdentity::of(&soft), of);
        assert_eq!(FileIdentity::of(&hard).inode, of.inode);
        assert_eq!(FileIdentity::of(&new).inode, None);
        assert!(FileIdentity::of(Path::new("/dev/null")).is_special);
    }

    #[test]
    fn a_template_writes_all_its_files() {
        for (template, path, is_written) in [
            ("/o/a.log", "/o/a.log", true),
            ("/o/a.log", "/o/b.log", false),
            ("/o/%Y/%m-%d-%H", "/o/2026/11-20-09", true),
            ("/o/%Y", "/o/202", false),
            ("/o/%Y", "/o/20261", false),
            ("/o/%Y", "/o/abcd", false),
            ("/o/100%%", "/o/100%", true),
            ("/o/100%%", "/o/100%%", false),
            ("/o/a.gz", "/o/a-20261120T095959.000Z.gz", true),
            ("/o/a-%d.gz", "/o/a-20-20261120T095959.000Z.gz", true),
            ("/o/a.gz", "/o/a-20261120T095959.gz", false),
            ("/o/a.gz", "/p/a-20261120T095959.000Z.gz", false),
        ] {
            let found = is_written_by(Path::new(template), Path::new(path));
            assert_eq!(found, is_written, "{template} {path}");
        }
    }

    #[test]
    fn a_finished_name_leads_back_to_the_current_one() {
        let begun = parse_api_time("2026-11-20T09:59:59.999Z").unwrap();
        for path in ["/x/acme.jsonl.gz", "/x/acme-jira.jsonl", "/x/.acme", "/x/a-"] {
            let path = Path::new(path);
            assert_eq!(path_before_rotation(&finished_path(path, begun)).as_deref(), Some(path));
            assert_eq!(path_before_rotation(path), None);
        }
    }
}
