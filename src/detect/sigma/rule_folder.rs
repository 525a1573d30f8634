//! Finds and reads the files of rules in folders.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::rule_error::RuleProblem;
use super::text_limits::{MAX_FILE_BYTES, MAX_RULES, MAX_TOTAL_BYTES};

/// How deep folders are looked into.
const MAX_DEPTH: usize = 16;

/// The most entries of folders that are looked at.
const MAX_ENTRIES: usize = 50_000;

/// A file of rules.
#[derive(Debug)]
pub struct RuleFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// Reads each `*.yml` and `*.yaml` in `folders` and in what they hold, in the order of paths. A
/// path may be a file itself.
pub fn read_folders(folders: &[PathBuf]) -> (Vec<RuleFile>, Vec<RuleProblem>) {
    let mut problems = Vec::new();
    let mut paths = Vec::new();
    for folder in folders {
        let mut found = FolderWalk { paths: Vec::new(), entries: 0 };
        if let Err((path, error)) = found.walk(folder, MAX_DEPTH, true) {
            problems.push(problem(&path, format!("cannot be read: {error}")));
        }
        found.paths.sort();
        paths.append(&mut found.paths);
    }
    if paths.len() > MAX_RULES {
        let folder = folders.first().map_or(Path::new(""), PathBuf::as_path);
        problems.push(problem(folder, format!("more than {MAX_RULES} files of rules")));
        paths.truncate(MAX_RULES);
    }
    let mut files = Vec::new();
    let mut total = 0;
    for path in paths {
        match read_file(&path) {
            Ok(text) => {
                total += text.len() as u64;
                if total > MAX_TOTAL_BYTES {
                    let most = MAX_TOTAL_BYTES >> 20;
                    let what = format!("the files up to this one are larger than {most} MiB");
                    problems.push(problem(&path, what));
                    break;
                }
                files.push(RuleFile { path, text });
            }
            Err(error) => problems.push(problem(&path, format!("cannot be read: {error}"))),
        }
    }
    (files, problems)
}

fn problem(path: &Path, what: String) -> RuleProblem {
    RuleProblem { file: path.display().to_string(), line: None, what }
}

struct FolderWalk {
    paths: Vec<PathBuf>,
    entries: usize,
}

impl FolderWalk {
    fn walk(
        &mut self,
        path: &Path,
        depth: usize,
        is_named: bool,
    ) -> Result<(), (PathBuf, io::Error)> {
        let failed = |error| (path.to_owned(), error);
        let metadata = fs::metadata(path).map_err(failed)?;
        if !metadata.is_dir() {
            let extension = path.extension().and_then(|extension| extension.to_str());
            if is_named || matches!(extension, Some("yml" | "yaml")) {
                self.paths.push(path.to_owned());
            }
            return Ok(());
        }
        if depth == 0 {
            return Err(failed(io::Error::other(format!("more than {MAX_DEPTH} folders deep"))));
        }
        for entry in fs::read_dir(path).map_err(failed)? {
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(failed(io::Error::other(format!("more than {MAX_ENTRIES} files"))));
            }
            let inner = entry.map_err(failed)?.path();
            let is_hidden =
                inner.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if is_hidden {
                continue;
            }
            // A link that leads nowhere is no file of rules.
            if inner.exists() {
                self.walk(&inner, depth - 1, false)?;
            }
        }
        Ok(())
    }
}

/// Reads a regular file that is not too large.
///
/// # Errors
/// It is neither, or cannot be read.
pub fn read_file(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MAX_FILE_BYTES {
        true => Err(io::Error::other(format!("it is larger than {} KiB", MAX_FILE_BYTES >> 10))),
        false => Ok(text),
    }
}
