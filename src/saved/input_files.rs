//! Finds the files with events in the files and folders that are to be read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a Parquet file is not read.
pub const PARQUET_UNREAD: &str = "it is Parquet, which engines such as DuckDB read";

/// How deep folders are searched.
const MAX_DEPTH: usize = 16;

/// What was found in a folder.
#[derive(Debug, Default)]
pub struct FoundFiles {
    /// The files with events, in the order of their paths.
    pub files: Vec<PathBuf>,
    /// What cannot be read: folders, and what is called like a file with events and is none.
    pub unreadable: Vec<(PathBuf, io::Error)>,
    /// Whether one of these is a Parquet file, and there may be others.
    has_parquet: bool,
}

/// The file that `folder` is, or the files in it and its subfolders that hold events by their
/// names: `*.jsonl` and `*.ndjson`, plain or packed. Of an export only its `events` are taken,
/// since its other files describe pages. Links to folders are not followed, so that the search
/// ends.
pub fn find(folder: &Path) -> FoundFiles {
    let mut found = FoundFiles::default();
    if !folder.is_dir() {
        match fs::metadata(folder) {
            Ok(_) => found.files.push(folder.to_owned()),
            Err(error) => found.unreadable.push((folder.to_owned(), error)),
        }
        return found;
    }
    search(folder, 0, &mut found);
    if found.files.is_empty() && found.unreadable.is_empty() {
        let why = "it has no file with events (`*.jsonl` or `*.ndjson`, also with `.gz` or `.zst`)";
        found.unreadable.push((folder.to_owned(), io::Error::new(io::ErrorKind::NotFound, why)));
    }
    found.files.sort();
    found
}

fn search(folder: &Path, depth: usize, found: &mut FoundFiles) {
    let events_of_export = folder.join("events");
    if folder.join("manifest.json").is_file() && events_of_export.is_dir() {
        return search(&events_of_export, depth + 1, found);
    }
    if depth > MAX_DEPTH {
        let why = format!("folders are nested more than {MAX_DEPTH} deep");
        let error = io::Error::new(io::ErrorKind::InvalidInput, why);
        return found.unreadable.push((folder.to_owned(), error));
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return found.unreadable.push((folder.to_owned(), error)),
    };
    for entry in entries {
        let (path, is_folder) = match entry.and_then(|it| Ok((it.path(), it.file_type()?.is_dir())))
        {
            Ok(entry) => entry,
            Err(error) => {
                found.unreadable.push((folder.to_owned(), error));
                continue;
            }
        };
        if is_folder {
            search(&path, depth + 1, found);
        } else if path.extension().is_some_and(|ending| ending == "parquet") {
            // One stands for all of them: there may be thousands.
            if !std::mem::replace(&mut found.has_parquet, true) {
                let error = io::Error::new(io::ErrorKind::Unsupported, PARQUET_UNREAD);
                found.unreadable.push((path, error));
            }
        } else if holds_events(&path) {
            match fs::metadata(&path) {
                Ok(facts) if facts.is_file() => found.files.push(path),
                // A link to a folder, which may be one of those that are searched.
                Ok(facts) if facts.is_dir() => {}
                Ok(_) => {
                    let error =
                        io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
                    found.unreadable.push((path, error));
                }
                Err(error) => found.unreadable.push((path, error)),
            }
        }
    }
}

/// Whether a file holds events by its name, also after a rotation (`events.jsonl.1`). What was
/// moved aside after a crash (`NAME.unfinished-*`) was or will be written again.
pub fn holds_events(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let mut parts = name.split('.').skip(1);
    parts.any(|part| matches!(part, "jsonl" | "ndjson")) && !name.contains(".unfinished-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the files found in a folder that has these, and why others cannot be read.
    fn found(files: &[&str]) -> (Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", folder.path().join("link.jsonl")).unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again.jsonl")).unwrap();
        let found = find(folder.path());
        let shown =
            |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().display().to_string();
        let why = |(path, error): &(PathBuf, io::Error)| format!("{}: {error}", shown(path));
        (found.files.iter().map(shown).collect(), found.unreadable.iter().map(why).collect())
    }

    #[test]
    fn files_with_events_are_told_by_their_names() {
        let files = [
            "a.jsonl",
            "b/2026/11.jsonl.zst",
            "c.NDJSON.gz",
            "d.jsonl.1",
            "e.json",
            "f.jsonl.unfinished-1",
            "jsonl",
            "notes.txt",
        ];
        let expected = ["a.jsonl", "b/2026/11.jsonl.zst", "c.NDJSON.gz", "d.jsonl.1"];
        let (files, unreadable) = found(&files);
        assert_eq!(files, expected);
        assert_eq!(unreadable.len(), 1, "{unreadable:?}");
        assert!(unreadable[0].starts_with("link.jsonl: "), "{unreadable:?}");
    }

    #[test]
    fn of_an_export_only_the_events_are_read() {
        let files = ["x/manifest.json", "x/events/a.jsonl.zst", "x/pages/a.jsonl.zst", "b.jsonl"];
        assert_eq!(found(&files).0, ["b.jsonl", "x/events/a.jsonl.zst"]);
    }

    #[test]
    fn what_is_too_deep_is_named_and_the_rest_is_found() {
        let deep = "d/".repeat(20) + "a.jsonl";
        let (files, unreadable) = found(&[&deep, "b.jsonl"]);
        assert_eq!(files, ["b.jsonl"]);
        assert!(unreadable.iter().any(|why| why.contains("nested")), "{unreadable:?}");
    }

    #[test]
    fn a_folder_without_events_is_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let (_, error) = find(folder.path()).unreadable.pop().unwrap();
        assert!(error.to_string().contains("*.jsonl"), "{error}");
    }
}
