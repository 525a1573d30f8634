//! Owns the folder of an export while it is made: whether it may be written, who holds it, and what it remembers of its
//! runs until it is complete.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use crate::crash::{self, Point};
use crate::error::AppError;
use crate::evidence::request::{Request, Wanted};
use crate::exit::Exit;
use crate::model::time::Timestamp;

/// Where the state of an unfinished export lies.
const STATE: &str = ".atlaudit";

/// What remembers the request, in it.
const REQUEST: &str = "request.json";

/// What a finished run leaves: it says nothing of what is there while the next one reads.
const MADE: [&str; 5] = [
    "manifest.json",
    "SHA256SUMS",
    "SHA256SUMS.minisig",
    "README.txt",
    "report.html",
];

/// The folder of an export, held by this run.
pub struct Folder {
    path: PathBuf,
    /// What is remembered of it.
    pub request: Request,
    _lock: File,
}

/// What lies at the path.
enum Standing {
    /// Nothing, or nothing of worth.
    Free,
    /// An export that is not complete.
    Begun,
    /// One that is.
    Complete,
    /// Something else.
    Taken(&'static str),
}

impl Folder {
    /// Begins the export that is `wanted` in `path`, or goes on with it; nothing where it is complete and only this
    /// was missing: that its state is removed.
    ///
    /// # Errors
    /// Something else lies there, another request began it, another run holds it, or the system refuses.
    pub fn open(path: &Path, wanted: &Wanted, now: Timestamp) -> Result<Option<Folder>, AppError> {
        let fails = |error: io::Error| fails("use", path, &error);
        match standing(path).map_err(fails)? {
            Standing::Free => {}
            Standing::Begun => return Folder::found(path, wanted),
            Standing::Complete => return Err(complete(path)),
            Standing::Taken(what) => return Err(taken(path, what)),
        }
        create(path).map_err(fails)?;
        let lock = locked(path)?;
        if let Standing::Begun = standing(path).map_err(fails)? {
            // Another run has been quicker, and is over.
            return Folder::read(path, wanted, lock);
        }
        let folder = Folder {
            path: path.to_owned(),
            request: Request::new(wanted, now),
            _lock: lock,
        };
        Ok(Some(folder))
    }

    fn found(path: &Path, wanted: &Wanted) -> Result<Option<Folder>, AppError> {
        let lock = locked(path)?;
        Folder::read(path, wanted, lock)
    }

    fn read(path: &Path, wanted: &Wanted, lock: File) -> Result<Option<Folder>, AppError> {
        let place = path.join(STATE).join(REQUEST);
        let text = fs::read(&place).map_err(|error| fails("read", &place, &error))?;
        let Some(request) = Request::read(&text) else {
            let what = format!("`{}` is damaged, or of another atlaudit", place.display());
            return Err(AppError::new(Exit::State, what)
                .hint("it was left as it is; begin the export once more in another folder"));
        };
        let folder = Folder {
            path: path.to_owned(),
            request,
            _lock: lock,
        };
        match (folder.request.differs(wanted), folder.request.is_sealed) {
            (None, false) => Ok(Some(folder)),
            (None, true) => folder.close().map(|()| None),
            (Some(_), true) => Err(complete(path)),
            (Some(what), false) => Err(another(path, &what)),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the checkpoints of its sources lie until it is complete.
    pub fn state_dir(&self) -> PathBuf {
        self.path.join(STATE).join("sources")
    }

    /// Takes note of a run that begins. What earlier ones made of the whole is made anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn run_begins(&mut self, now: Timestamp) -> Result<(), AppError> {
        self.request.run_begins(now);
        self.remember()?;
        for name in MADE {
            let path = self.path.join(name);
            removed(fs::remove_file(&path)).map_err(|error| fails("remove", &path, &error))?;
        }
        sync(&self.path).map_err(|error| fails("sync", &self.path, &error))
    }

    /// Takes note of its end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn run_ends(&mut self, now: Timestamp, ended: &str) -> Result<(), AppError> {
        self.request.run_ends(now, ended);
        self.remember()
    }

    /// The export is complete and has its manifest: nothing of its state is needed any more.
    ///
    /// # Errors
    /// It cannot be removed; the next run of the same request does it.
    pub fn completed(mut self) -> Result<(), AppError> {
        crash::point(Point::Sealed);
        self.request.is_sealed = true;
        self.remember()?;
        self.close()
    }

    /// Removes the state, last of all what says that it may be.
    fn close(self) -> Result<(), AppError> {
        let state = self.path.join(STATE);
        let remove = || -> io::Result<()> {
            for entry in fs::read_dir(&state)? {
                let entry = entry?;
                let is_last = entry.file_name() == REQUEST;
                match entry.file_type()?.is_dir() {
                    true => fs::remove_dir_all(entry.path())?,
                    false if is_last => continue,
                    false => fs::remove_file(entry.path())?,
                }
                crash::point(Point::StateRemoved);
            }
            fs::remove_file(state.join(REQUEST))?;
            crash::point(Point::StateRemoved);
            fs::remove_dir(&state)?;
            sync(&self.path)
        };
        remove().map_err(|error| fails("remove", &state, &error))
    }

    fn remember(&self) -> Result<(), AppError> {
        let state = self.path.join(STATE);
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&state)?;
            file.write_all(&self.request.text())?;
            file.as_file().sync_all()?;
            file.persist(state.join(REQUEST))
                .map_err(|error| error.error)?;
            crash::point(Point::RequestReplaced);
            sync(&state)
        };
        write().map_err(|error| fails("write", &state.join(REQUEST), &error))
    }
}

/// Looks at what lies at `path`.
fn standing(path: &Path) -> io::Result<Standing> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Standing::Free),
        Ok(facts) if !facts.is_dir() => return Ok(Standing::Taken("is no folder")),
        Ok(_) => {}
        Err(error) => return Err(error),
    }
    let (state, is_sealed) = (path.join(STATE), path.join("manifest.json").is_file());
    if state.join(REQUEST).is_file() {
        return Ok(Standing::Begun);
    }
    let others = fs::read_dir(path)?.filter(|entry| match entry {
        Ok(entry) => entry.file_name() != STATE,
        Err(_) => true,
    });
    match (others.count(), is_sealed) {
        (0, _) => Ok(Standing::Free),
        (_, true) => {
            // Of a run that died when all else was done.
            removed(fs::remove_dir_all(state))?;
            Ok(Standing::Complete)
        }
        (_, false) => Ok(Standing::Taken("holds something else")),
    }
}

/// Creates the folder and its state's, for their owner only.
fn create(path: &Path) -> io::Result<()> {
    let state = path.join(STATE);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&state)?;
    // An empty one may have been there.
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    sync(path)?;
    sync(path.parent().unwrap_or(Path::new("/")))
}

/// Holds the folder against other runs; let go when dropped, also when the process dies.
fn locked(path: &Path) -> Result<File, AppError> {
    let place = path.join(STATE).join("lock");
    let fails = |error: io::Error| fails("lock", &place, &error);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&place)
        .map_err(fails)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy(path)),
        Err(TryLockError::Error(error)) => return Err(fails(error)),
    }
    // A run that came to its end meanwhile has removed it.
    let is_there = fs::metadata(&place)
        .ok()
        .zip(file.metadata().ok())
        .is_some_and(|(named, held)| named.ino() == held.ino());
    match is_there {
        true => Ok(file),
        false => Err(busy(path)),
    }
}

fn removed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn fails(doing: &str, path: &Path, error: &io::Error) -> AppError {
    let what = format!("cannot {doing} `{}`", path.display());
    AppError::new(Exit::Output, what)
        .because(error)
        .hint("check that this user may write there, and that the disk is not full")
}

fn busy(path: &Path) -> AppError {
    let what = format!("another run writes the export `{}`", path.display());
    AppError::new(Exit::State, what).hint("wait for it to end, or name another folder")
}

fn complete(path: &Path) -> AppError {
    let shown = path.display();
    AppError::new(
        Exit::Output,
        format!("the export `{shown}` is complete already"),
    )
    .hint(format!(
        "check it with `atlaudit verify {shown}`, or name another folder for a new one"
    ))
}

fn taken(path: &Path, what: &str) -> AppError {
    let what = format!("`{}` {what}", path.display());
    AppError::new(Exit::Output, what)
        .hint("name a folder that does not exist yet: an export shares it with nothing")
}

fn another(path: &Path, what: &str) -> AppError {
    let text = format!(
        "the export in `{}` was begun by another request: {what}",
        path.display()
    );
    AppError::new(Exit::Usage, text)
        .hint("repeat that request to go on with it, or name another folder for this one")
}
