//! Owns writing to files: the path's placeholders, opening, cutting back, appending, syncing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::model::time::Timestamp;
use crate::model::written::Written;
use crate::sink::{Sink, SinkError};

/// Files named by a template; each commit ends in the file that was current when it began.
pub struct Files {
    template: String,
    mode: u32,
    current: Option<Open>,
    clock: fn() -> Timestamp,
}

/// The file that is being appended to.
struct Open {
    path: PathBuf,
    file: File,
    length: u64,
    /// Pipes and devices are written like files but hold nothing: no length, no cutting, no sync.
    is_regular: bool,
    has_uncommitted: bool,
    /// Whether somebody left a line without an end: ours must not become part of it.
    is_torn: bool,
}

impl Files {
    /// `template` may hold `%Y %m %d %H`.
    pub fn new(template: &str, mode: u32) -> Self {
        Files {
            template: template.to_owned(),
            mode,
            current: None,
            clock: chrono::Utc::now,
        }
    }

    fn open(&self, path: PathBuf) -> Result<Open, SinkError> {
        let failed = |doing, source| SinkError::File {
            doing,
            path: path.clone(),
            source,
        };
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            create_folder(folder).map_err(|error| failed("create the folder of", error))?;
        }
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(self.mode)
            .open(&path)
            .map_err(|error| failed("open", error))?;
        let facts = file.metadata().map_err(|error| failed("open", error))?;
        let is_regular = facts.is_file();
        if is_regular {
            lock(&file, &path)?;
            if is_new {
                sync_folder(&path).map_err(|error| failed("create", error))?;
            }
        }
        let is_torn = is_regular && is_torn(&path).map_err(|error| failed("read", error))?;
        Ok(Open {
            is_torn,
            length: facts.len(),
            path,
            file,
            is_regular,
            has_uncommitted: false,
        })
    }

    fn path_now(&self) -> Result<PathBuf, SinkError> {
        path_at(&self.template, (self.clock)())
    }
}

impl Open {
    fn account(&self) -> Written {
        Written {
            path: self.path.clone(),
            committed: self.length,
            is_open: true,
        }
    }
}

impl Sink for Files {
    fn prepare(&mut self) -> Result<Option<Written>, SinkError> {
        let path = self.path_now()?;
        match &self.current {
            // Lines of one commit stay in one file.
            Some(open) if open.has_uncommitted || open.path == path => return Ok(None),
            _ => {}
        }
        let open = self.open(path)?;
        let news = open.is_regular.then(|| open.account());
        self.current = Some(open);
        Ok(news)
    }

    fn append(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        if self.current.is_none() {
            self.prepare()?;
        }
        let Some(open) = &mut self.current else {
            return Ok(());
        };
        open.has_uncommitted = true;
        let end: &[u8] = if open.is_torn { b"\n" } else { b"" };
        let written = open
            .file
            .write_all(end)
            .and_then(|()| open.file.write_all(lines));
        match written {
            Ok(()) => {
                open.is_torn = false;
                open.length += (end.len() + lines.len()) as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(SinkError::ReaderGone),
            Err(source) => {
                // No torn line for whoever reads the file meanwhile. Where that fails too, the next
                // run cuts it off.
                if open.is_regular {
                    let _ = open.file.set_len(open.length);
                }
                Err(SinkError::File {
                    doing: "write",
                    path: open.path.clone(),
                    source,
                })
            }
        }
    }

    fn commit(&mut self) -> Result<Vec<Written>, SinkError> {
        let Some(open) = self.current.as_mut().filter(|open| open.is_regular) else {
            return Ok(Vec::new());
        };
        if open.has_uncommitted {
            open.file.sync_data().map_err(|source| SinkError::File {
                doing: "sync",
                path: open.path.clone(),
                source,
            })?;
            open.has_uncommitted = false;
        }
        Ok(vec![open.account()])
    }
}

/// Cuts a file back to what was committed to it: what lies behind was written by a run that died
/// before it could say so, and is read from the source again.
///
/// # Errors
/// The file cannot be cut, or another run writes it.
pub fn cut_back(known: &Written) -> Result<(), SinkError> {
    let failed = |source| SinkError::File {
        doing: "cut back",
        path: known.path.clone(),
        source,
    };
    let file = match OpenOptions::new().write(true).open(&known.path) {
        Ok(file) => file,
        // Whoever took it away has what was committed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let facts = file.metadata().map_err(failed)?;
    if !facts.is_file() || facts.len() <= known.committed {
        return Ok(());
    }
    lock(&file, &known.path)?;
    file.set_len(known.committed).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    tracing::warn!(
        path = %known.path.display(),
        bytes = facts.len() - known.committed,
        "cut off what an interrupted run had not finished; it is read again"
    );
    Ok(())
}

/// The path that `template` means at `now`. Absolute, for the checkpoint remembers it: the same
/// relative path means another file to a run that starts elsewhere.
///
/// # Errors
/// The working directory is gone.
pub fn path_at(template: &str, now: Timestamp) -> Result<PathBuf, SinkError> {
    let path = expand(template, now);
    // By its real name where it has one: an alias would pass for another file.
    let real = fs::canonicalize(&path).or_else(|_| {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let name = path.file_name().unwrap_or_default();
        fs::canonicalize(folder).map(|folder| folder.join(name))
    });
    real.or_else(|_| std::path::absolute(&path))
        .map_err(|source| SinkError::File {
            doing: "find",
            path,
            source,
        })
}

/// Whether a run that is alive writes to `path`.
pub fn is_busy(path: &Path) -> bool {
    let lock = File::open(path).map(|file| file.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

/// Two runs that append to one file would tear each other's accounts of it.
fn lock(file: &File, path: &Path) -> Result<(), SinkError> {
    match file.try_lock() {
        // Some network file systems know no locks; the state's own lock still guards the source.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(SinkError::Busy {
            path: path.to_owned(),
        }),
    }
}

/// Creates `folder` and what it lies in, for its owner only.
fn create_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// Whether a file ends within a line.
fn is_torn(path: &Path) -> io::Result<bool> {
    // The file is open for appending only; whoever may not read it cannot have been told either.
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
        file => file?,
    };
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Makes a new file's name durable: without it a crash can forget the file that holds the bytes.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// The template's `%Y %m %d %H` filled in; `%%` is a percent sign. Other placeholders were refused
/// with the configuration.
fn expand(template: &str, now: Timestamp) -> PathBuf {
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
    PathBuf::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use std::os::unix::fs::PermissionsExt as _;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn files(path: &Path) -> Files {
        Files::new(path.to_str().unwrap(), 0o600)
    }

    fn account(path: &Path, committed: u64) -> Written {
        Written {
            path: path.to_owned(),
            committed,
            is_open: true,
        }
    }

    #[test]
    fn a_commit_tells_the_length_and_the_file_is_the_owners() {
        let folder = folder();
        let path = folder.path().join("new/out.jsonl");
        let mut sink = files(&path);
        assert_eq!(sink.prepare().unwrap(), Some(account(&path, 0)));
        sink.append(b"one\n").unwrap();
        sink.append(b"two\n").unwrap();
        assert_eq!(sink.commit().unwrap(), vec![account(&path, 8)]);
        assert_eq!(sink.prepare().unwrap(), None);
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn what_was_not_committed_is_cut_back() {
        let folder = folder();
        let path = folder.path().join("out.jsonl");
        cut_back(&account(&path, 8)).unwrap();
        assert!(!path.exists());
        fs::write(&path, b"one\ntwo\nthr").unwrap();
        cut_back(&account(&path, 100)).unwrap();
        cut_back(&account(&path, 8)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn a_file_that_nobody_committed_is_only_appended_to() {
        let folder = folder();
        let path = folder.path().join("out.jsonl");
        for (theirs, all) in [
            ("kept\n", "kept\nnew\nmore\n"),
            ("no end", "no end\nnew\nmore\n"),
        ] {
            fs::write(&path, theirs).unwrap();
            let mut sink = files(&path);
            sink.append(b"new\n").unwrap();
            sink.append(b"more\n").unwrap();
            let written = sink.commit().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), all);
            assert_eq!(written, vec![account(&path, all.len() as u64)]);
        }
    }

    #[test]
    fn the_hour_changes_the_file_only_between_commits() {
        let folder = folder();
        let template = folder.path().join("%Y%m%d-%H.jsonl");
        let mut sink = files(&template);
        sink.clock = || parse_api_time("2026-11-20T09:59:59Z").unwrap();
        sink.prepare().unwrap();
        sink.append(b"nine\n").unwrap();
        sink.clock = || parse_api_time("2026-11-20T10:00:00Z").unwrap();
        assert_eq!(sink.prepare().unwrap(), None);
        sink.append(b"still nine\n").unwrap();
        sink.commit().unwrap();
        assert!(sink.prepare().unwrap().is_some());
        sink.append(b"ten\n").unwrap();
        sink.commit().unwrap();
        let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("20261120-09.jsonl"), "nine\nstill nine\n");
        assert_eq!(read("20261120-10.jsonl"), "ten\n");
    }

    #[test]
    fn an_alias_is_the_same_file() {
        let folder = fs::canonicalize(folder().keep()).unwrap();
        fs::create_dir(folder.join("sub")).unwrap();
        let at = |name: &str| {
            let path = folder.join(name);
            path_at(path.to_str().unwrap(), chrono::Utc::now()).unwrap()
        };
        let new = at("out");
        assert_eq!(at("sub/../out"), new);
        fs::write(&new, "").unwrap();
        std::os::unix::fs::symlink(&new, folder.join("link")).unwrap();
        assert_eq!(at("link"), new);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_second_writer_is_refused() {
        let folder = folder();
        let path = folder.path().join("out.jsonl");
        let mut first = files(&path);
        first.append(b"x\n").unwrap();
        let refused = files(&path).prepare();
        assert!(matches!(refused, Err(SinkError::Busy { .. })));
    }

    #[test]
    fn a_device_is_written_and_never_committed() {
        let mut sink = files(Path::new("/dev/null"));
        assert_eq!(sink.prepare().unwrap(), None);
        sink.append(b"x\n").unwrap();
        assert_eq!(sink.commit().unwrap(), Vec::new());
        let full = files(Path::new("/dev/full")).append(b"x\n");
        assert!(matches!(full, Err(SinkError::File { doing: "write", .. })));
    }
}
