//! Lists the files that a run wrote to. The list is bounded: a long run that rotates often makes many files.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// Names that are kept; of older files only the number is.
const MAX_LISTED_FILES: usize = 1000;

/// The files that lines were appended to, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenFiles {
    newest: VecDeque<PathBuf>,
    omitted: u64,
}

impl WrittenFiles {
    /// Lines were appended to the file at `path`.
    pub fn add(&mut self, path: &Path) {
        if self.newest.back().is_some_and(|last| last == path) {
            return;
        }
        if self.newest.len() == MAX_LISTED_FILES {
            self.newest.pop_front();
            self.omitted += 1;
        }
        self.newest.push_back(path.to_owned());
    }

    /// The file at `old`, which was the last one written to, is called `new` from now on.
    pub fn rename(&mut self, old: &Path, new: PathBuf) {
        if let Some(last) = self.newest.back_mut().filter(|last| *last == old) {
            *last = new;
        }
    }

    /// The newest of them, oldest first.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.newest.iter().map(PathBuf::as_path)
    }

    /// How many older ones there are.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &WrittenFiles) -> Vec<&str> {
        files.paths().filter_map(Path::to_str).collect()
    }

    #[test]
    fn a_file_is_listed_once_and_by_its_last_name() {
        let mut files = WrittenFiles::default();
        files.add(Path::new("a"));
        files.add(Path::new("a"));
        files.rename(Path::new("a"), "a-1".into());
        files.rename(Path::new("a"), "a-2".into());
        files.add(Path::new("a"));
        assert_eq!(names(&files), ["a-1", "a"]);
    }

    #[test]
    fn the_list_is_bounded() {
        let mut files = WrittenFiles::default();
        for number in 0..MAX_LISTED_FILES + 5 {
            files.add(Path::new(&number.to_string()));
        }
        assert_eq!((files.newest.len(), files.omitted()), (MAX_LISTED_FILES, 5));
        assert_eq!(names(&files).last().copied(), Some("1004"));
    }
}
