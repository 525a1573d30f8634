//! Finds the files with events in the files and folders that are to be read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How deep folders are searched.
const MAX_DEPTH: usize = 16;

/// The file that `folder` is, or the files in it and its subfolders that hold events by their
/// names, in the order of their paths: `*.jsonl` and `*.ndjson`, plain or packed. Of an export only
/// its `events` are taken, since its other files describe pages. Links to folders are not followed,
/// so that the search ends.
///
/// # Errors
/// A folder cannot be read, folders are nested too deeply, or there is no such file.
pub fn find(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return fs::metadata(folder).map(|_| vec![folder.to_owned()]);
    }
    search(folder, 0, &mut found)?;
    if found.is_empty() {
        let why = "it has no file with events (`*.jsonl` or `*.ndjson`, also with `.gz` or `.zst`)";
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    }
    found.sort();
    Ok(found)
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > MAX_DEPTH {
        let why = format!("its folders are nested more than {MAX_DEPTH} deep");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let events_of_export = folder.join("events");
    if folder.join("manifest.json").is_file() && events_of_export.is_dir() {
        return search(&events_of_export, depth + 1, found);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            search(&path, depth + 1, found)?;
        } else if holds_events(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a file holds events by its name, also after a rotation (`events.jsonl.1`). What was
/// moved aside after a crash (`NAME.unfinished-*`) was or will be written again.
fn holds_events(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let mut parts = name.split('.').skip(1);
    parts.any(|part| matches!(part, "jsonl" | "ndjson")) && !name.contains(".unfinished-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the files found in a folder that has these.
    fn found(files: &[&str]) -> io::Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let shown =
            |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().display().to_string();
        find(folder.path()).map(|found| found.iter().map(shown).collect())
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
        assert_eq!(
            found(&files).unwrap(),
            ["a.jsonl", "b/2026/11.jsonl.zst", "c.NDJSON.gz", "d.jsonl.1"]
        );
    }

    #[test]
    fn of_an_export_only_the_events_are_read() {
        let files = ["x/manifest.json", "x/events/a.jsonl.zst", "x/pages/a.jsonl.zst", "b.jsonl"];
        assert_eq!(found(&files).unwrap(), ["b.jsonl", "x/events/a.jsonl.zst"]);
    }

    #[test]
    fn a_folder_without_events_is_an_error() {
        assert!(found(&["a.txt", "b/c.csv"]).unwrap_err().to_string().contains("*.jsonl"));
        let deep = "d/".repeat(20) + "a.jsonl";
        assert!(found(&[&deep]).unwrap_err().to_string().contains("nested"));
    }
}
