//! Names output files by their template, and decides when one is finished and by which name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{NaiveDateTime, TimeDelta};

use crate::config::settings::{Compression, Rotation};
use crate::files::folder_of;
use crate::model::time::Timestamp;
use crate::sink::SinkError;

/// The time in a finished file's name: UTC, of one width, so that names sort by it.
pub(super) const STAMP: &str = "%Y%m%dT%H%M%S%.3fZ";

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

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
    let path = match is_special(&plain) {
        // A device or a pipe has the name it has.
        true => PathBuf::from(plain),
        false => PathBuf::from(compression.with_suffix(plain)),
    };
    // By its real name where it has one: an alias would pass for another file.
    let real = fs::canonicalize(&path).or_else(|_| {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().unwrap_or_default();
        fs::canonicalize(folder).map(|folder| folder.join(name))
    });
    real.or_else(|_| std::path::absolute(&path)).map_err(|source| SinkError::File {
        doing: "find",
        path,
        source,
    })
}

fn is_special(path: &str) -> bool {
    fs::metadata(path).is_ok_and(|facts| !facts.is_file() && !facts.is_dir())
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
    let (stem, ends) = split_extensions(path);
    let mut newest = None;
    for entry in fs::read_dir(folder_of(path))? {
        let name = entry?.file_name();
        let stamp = name
            .to_str()
            .and_then(|name| name.strip_prefix(&stem)?.strip_prefix('-'))
            .and_then(|name| name.strip_suffix(&ends))
            .and_then(|stamp| NaiveDateTime::parse_from_str(stamp, STAMP).ok());
        newest = newest.max(stamp.map(|stamp| stamp.and_utc()));
    }
    Ok(newest)
}

/// The next moment that a name can tell from `time`.
pub fn next_stamp(time: Timestamp) -> Timestamp {
    time.checked_add_signed(TimeDelta::milliseconds(1)).unwrap_or(time)
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
/// that follows the file's own hour or day.
pub fn is_rotation_due(rotation: Rotation, begun: Timestamp, length: u64, now: Timestamp) -> bool {
    let is_past = |span: i64| {
        let period = |time: Timestamp| time.timestamp().div_euclid(span);
        period(now) > period(begun)
    };
    length > 0
        && match rotation {
            Rotation::Never => false,
            Rotation::Hourly => is_past(HOUR),
            Rotation::Daily => is_past(DAY),
            Rotation::Size(most) => length >= most,
        }
}

#[cfg(test)]
mod tests {
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
        std::os::unix::fs::symlink(&new, folder.join("link")).unwrap();
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
        assert!(due(Rotation::Hourly, "2026-11-20T23:00:00Z"));
        assert!(!due(Rotation::Daily, "2026-11-20T23:59:59Z"));
        assert!(due(Rotation::Daily, "2026-11-21T00:00:00Z"));
        for rotation in [Rotation::Hourly, Rotation::Daily] {
            assert!(!due(rotation, "2026-11-20T22:59:59.999Z"));
            assert!(!due(rotation, "2026-11-19T23:30:00Z"), "set back");
        }
        assert!(!due(Rotation::Never, "2036-11-20T22:59:59Z"));
    }

    #[test]
    fn a_size_is_reached_and_nothing_is_never_finished() {
        let now = parse_api_time("2026-11-20T22:59:59Z").unwrap();
        let due =
            |rotation, length| is_rotation_due(rotation, now - TimeDelta::days(9), length, now);
        assert!(!due(Rotation::Size(1024), 1023));
        assert!(due(Rotation::Size(1024), 1024));
        assert!(due(Rotation::Daily, 1));
        assert!(!due(Rotation::Daily, 0));
    }
}
