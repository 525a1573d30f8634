//! Reads output files back: unpacked, finished ones first.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Run;

/// The output files of one source in a folder.
pub struct Outputs {
    folder: PathBuf,
    name: String,
    finished: BTreeMap<PathBuf, Vec<u8>>,
}

impl Outputs {
    /// Those of `name` in `folder`: `name.jsonl`, its packed form, and its finished siblings.
    pub fn new(folder: PathBuf, name: &str) -> Outputs {
        Outputs { folder, name: name.to_owned(), finished: BTreeMap::new() }
    }

    /// Looks at the finished files: none that was seen before may have changed.
    pub fn assert_finished_unchanged(&mut self) {
        let paths = self.paths();
        for path in paths.iter().filter(|path| is_finished(path)) {
            let now = fs::read(path).unwrap();
            let before = self.finished.entry(path.clone()).or_insert_with(|| now.clone());
            assert!(*before == now, "{} has changed", path.display());
        }
        for path in self.finished.keys() {
            assert!(paths.contains(path), "{} is gone", path.display());
        }
    }

    /// All lines, in the order of the files' names.
    pub fn read(&self) -> Run {
        Run {
            code: 0,
            stdout: self.paths().iter().flat_map(|path| unpacked(path)).collect(),
            stderr: String::new(),
        }
    }

    fn paths(&self) -> Vec<PathBuf> {
        let plain = format!("{}.jsonl", self.name);
        let finished = format!("{}-2", self.name);
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(&plain) || name.starts_with(&finished)
        });
        paths.sort();
        paths
    }
}

fn is_finished(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().contains("-2")
}

/// The content of a file, unpacked as its name says.
pub fn unpacked(path: &Path) -> Vec<u8> {
    let mut file = File::open(path).unwrap();
    let mut content = Vec::new();
    if file.metadata().unwrap().len() == 0 {
        // Of a run that died before its first commit.
        return content;
    }
    let read = match path.extension().unwrap().to_str().unwrap() {
        "gz" => flate2::read::MultiGzDecoder::new(file).read_to_end(&mut content),
        "zst" => zstd::stream::read::Decoder::new(file).unwrap().read_to_end(&mut content),
        _ => file.read_to_end(&mut content),
    };
    read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    content
}
