//! The folder of an export while it is written: whether it may be used, its lock, and the state of
//! its runs until the export is complete.

use std::fs::{self, DirEntry, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::crash::{self, CrashPoint};
use crate::error::AppError;
use crate::evidence::manifest::SCHEMA;
use crate::evidence::request::{ExportSpec, SavedExportRequest};
use crate::evidence::verify;
use crate::exit::Exit;
use crate::files::{
    Durability, FileReplacement, TEMP_PREFIX, create_private_folder, folder_of, ignore_missing,
    sync_folder,
};
use crate::model::time::Timestamp;

/// The folder of an unfinished export's state.
const STATE: &str = ".atlaudit";

/// The file with the request, in it.
const REQUEST: &str = "request.json";

/// The file that a run locks, in it.
const LOCK: &str = "lock";

/// The folder of the checkpoints, in it.
const SOURCES: &str = "sources";

/// What a finished run writes. It does not describe the export any more while the next run reads.
const DERIVED_FILES: [&str; 6] = [
    "manifest.json",
    "SHA256SUMS",
    "SHA256SUMS.minisig",
    "README.txt",
    "report.html",
    "alerts.jsonl",
];

/// The folder of an export, locked by this run.
pub struct ExportFolder {
    path: PathBuf,
    /// The saved request and its runs.
    pub request: SavedExportRequest,
    lock: File,
}

/// What exists at the path.
enum FolderState {
    /// Nothing, or nothing that matters.
    Free,
    /// An export that is not complete.
    Unfinished,
    /// A complete export.
    Complete,
    /// A complete export with the state of a run that died when all else was done.
    CompleteWithState,
    /// An export that is not complete, without its saved request.
    Damaged,
    /// Something else.
    Foreign(&'static str),
}

impl ExportFolder {
    /// Begins the `wanted` export in `path`, or resumes it. `None` if the export was complete, and
    /// only its state was left to be removed.
    ///
    /// # Errors
    /// The folder holds something else, belongs to a different request, is locked, or cannot be
    /// used.
    pub fn open(
        path: &Path,
        wanted: &ExportSpec,
        now: Timestamp,
    ) -> Result<Option<ExportFolder>, AppError> {
        let look = || inspect(path).map_err(|error| io_error("use", path, &error));
        match look()? {
            FolderState::Free => create(path).map_err(|error| io_error("use", path, &error))?,
            FolderState::Unfinished | FolderState::CompleteWithState => {}
            other => return Err(state_error(path, &other)),
        }
        let lock = lock_folder(path)?;
        // Another run may have finished meanwhile; from now on the folder is locked.
        match look()? {
            FolderState::Free => Ok(Some(ExportFolder {
                path: path.to_owned(),
                request: SavedExportRequest::new(wanted, now),
                lock,
            })),
            FolderState::Unfinished => ExportFolder::resume(path, wanted, lock),
            other => {
                if let FolderState::CompleteWithState = other {
                    let state = path.join(STATE);
                    remove_state(&state, lock)
                        .map_err(|error| io_error("remove", &state, &error))?;
                }
                Err(state_error(path, &other))
            }
        }
    }

    fn resume(
        path: &Path,
        wanted: &ExportSpec,
        lock: File,
    ) -> Result<Option<ExportFolder>, AppError> {
        let place = path.join(STATE).join(REQUEST);
        let text = verify::read_limited(&place, verify::MAX_FILE_BYTES);
        let text = text.map_err(|error| io_error("read", &place, &error))?;
        let Some(request) = SavedExportRequest::read(&text) else {
            let what = format!("`{}` is damaged, or of another atlaudit", place.display());
            return Err(AppError::new(Exit::State, what)
                .hint("it was left unchanged; start the export again in another folder"));
        };
        let folder = ExportFolder { path: path.to_owned(), request, lock };
        match (folder.request.difference(wanted), folder.request.is_sealed) {
            (None, false) => Ok(Some(folder)),
            (None, true) => folder.remove_state_folder().map(|()| None),
            (Some(_), true) => Err(already_complete_error(path)),
            (Some(what), false) => {
                let path = path.display();
                let text = format!("the export in `{path}` was begun by another request: {what}");
                Err(AppError::new(Exit::Usage, text).hint(
                    "repeat that request to go on with it, or name another folder for this one",
                ))
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the checkpoints, until the export is complete.
    pub fn state_dir(&self) -> PathBuf {
        self.path.join(STATE).join(SOURCES)
    }

    /// Records the start of a run, and removes what earlier runs derived from the events.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin_run(
        &mut self,
        now: Timestamp,
        extra_actions_sha256: Option<String>,
    ) -> Result<(), AppError> {
        self.request.begin_run(now, extra_actions_sha256);
        self.save_request()?;
        for name in DERIVED_FILES {
            let path = self.path.join(name);
            ignore_missing(fs::remove_file(&path))
                .map_err(|error| io_error("remove", &path, &error))?;
        }
        sync_folder(&self.path).map_err(|error| io_error("sync", &self.path, &error))
    }

    /// Records the end of the run.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end_run(&mut self, now: Timestamp, ended: &str) -> Result<(), AppError> {
        self.request.end_run(now, ended);
        self.save_request()
    }

    /// Removes the state of a complete export that has its manifest.
    ///
    /// # Errors
    /// It cannot be removed; the next run of the same request does it.
    pub fn finish_export(mut self) -> Result<(), AppError> {
        crash::point(CrashPoint::Sealed);
        self.request.is_sealed = true;
        self.save_request()?;
        self.remove_state_folder()
    }

    /// Removes the state. Foreign files in it are left alone.
    fn remove_state_folder(self) -> Result<(), AppError> {
        let state = self.path.join(STATE);
        let fails = |error: io::Error| io_error("remove", &state, &error);
        if let Some(path) = find_foreign(&state, is_ours).map_err(fails)? {
            let what = format!("the export is made, and `{}` is no part of it", path.display());
            return Err(AppError::new(Exit::Output, what)
                .hint("move it away, and run the same command again: only then is it over"));
        }
        remove_state(&state, self.lock).map_err(fails)?;
        sync_folder(&self.path).map_err(fails)
    }

    fn save_request(&self) -> Result<(), AppError> {
        let path = self.path.join(STATE).join(REQUEST);
        FileReplacement::new(&path, Durability::FileAndDir)
            .crash_points(None, Some(CrashPoint::RequestReplaced))
            .write(|out| out.write_all(&self.request.text()))
            .map_err(|error| io_error("write", &path, &error))
    }
}

/// Determines what exists at `path`.
fn inspect(path: &Path) -> io::Result<FolderState> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(FolderState::Free),
        Ok(facts) if !facts.is_dir() => return Ok(FolderState::Foreign("is not a folder")),
        Ok(_) => {}
        Err(error) => return Err(error),
    }
    let state = path.join(STATE);
    let has_state = match fs::symlink_metadata(&state) {
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        // A symbolic link leads out of the export.
        Ok(facts) if !facts.is_dir() => return Ok(FolderState::Foreign(FOREIGN_CONTENT)),
        facts => facts.map(|_| true)?,
    };
    if has_state && is_regular_file(&state.join(REQUEST)) {
        return Ok(FolderState::Unfinished);
    }
    // What is left by a run that died before it saved its request, or after it removed it.
    let is_bare = !has_state
        || find_foreign(&state, |entry| is_ours(entry) && !has_name(entry, SOURCES))?.is_none();
    if find_foreign(path, |entry| has_name(entry, STATE))?.is_none() {
        return Ok(match is_bare {
            true => FolderState::Free,
            false => FolderState::Foreign(FOREIGN_CONTENT),
        });
    }
    let ours = verify::manifest(path).filter(|manifest| manifest.schema == SCHEMA);
    Ok(match ours.map(|manifest| manifest.complete) {
        Some(true) if !has_state => FolderState::Complete,
        Some(true) if is_bare => FolderState::CompleteWithState,
        Some(false) => FolderState::Damaged,
        _ => FolderState::Foreign(FOREIGN_CONTENT),
    })
}

/// Describes a folder that is not ours.
const FOREIGN_CONTENT: &str = "holds other files";

fn has_name(entry: &DirEntry, name: &str) -> bool {
    entry.file_name() == name
}

/// Whether we write such an entry into the state folder. No symbolic link is ours.
fn is_ours(entry: &DirEntry) -> bool {
    let is_unnamed = entry.file_name().as_encoded_bytes().starts_with(TEMP_PREFIX.as_bytes());
    match entry.file_type() {
        Ok(kind) if kind.is_dir() => has_name(entry, SOURCES),
        Ok(kind) if kind.is_file() => {
            is_unnamed || has_name(entry, LOCK) || has_name(entry, REQUEST)
        }
        _ => false,
    }
}

/// The first entry of `folder` that is not `known`.
fn find_foreign(folder: &Path, known: impl Fn(&DirEntry) -> bool) -> io::Result<Option<PathBuf>> {
    let mut entries = fs::read_dir(folder)?;
    let foreign = entries.find(|entry| entry.as_ref().map_or(true, |entry| !known(entry)));
    foreign.transpose().map(|entry| entry.map(|entry| entry.path()))
}

/// Removes our files in the folder `state`, the request and the lock last, and the folder when it
/// is empty.
fn remove_state(state: &Path, lock: File) -> io::Result<()> {
    for entry in fs::read_dir(state)? {
        let entry = entry?;
        if !is_ours(&entry) || has_name(&entry, REQUEST) || has_name(&entry, LOCK) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
        crash::point(CrashPoint::StateRemoved);
    }
    for last in [REQUEST, LOCK] {
        ignore_missing(fs::remove_file(state.join(last)))?;
        crash::point(CrashPoint::StateRemoved);
    }
    match fs::remove_dir(state) {
        // NFS renames a file that is removed while it is open.
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
            drop(lock);
            fs::remove_dir(state)
        }
        removed => removed,
    }
}

fn is_regular_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file())
}

/// Creates the folder and its state folder, for their owner only.
fn create(path: &Path) -> io::Result<()> {
    let state = path.join(STATE);
    create_private_folder(&state)?;
    // An empty one may have been there.
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    sync_folder(path)?;
    sync_folder(folder_of(path))
}

/// Locks the folder; the lock ends when it is dropped, also when the process dies.
fn lock_folder(path: &Path) -> Result<File, AppError> {
    let place = path.join(STATE).join(LOCK);
    let fails = |error: io::Error| io_error("lock", &place, &error);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // A symbolic link leads out of the export.
        .custom_flags(libc::O_NOFOLLOW)
        .open(&place)
        .map_err(fails)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(locked_error(path)),
        Err(TryLockError::Error(error)) => return Err(fails(error)),
    }
    // A run that has ended meanwhile has removed it.
    let named = fs::metadata(&place).ok().map(|facts| facts.ino());
    match named.is_some() && named == file.metadata().ok().map(|facts| facts.ino()) {
        true => Ok(file),
        false => Err(locked_error(path)),
    }
}

fn io_error(doing: &str, path: &Path, error: &io::Error) -> AppError {
    let what = format!("cannot {doing} `{}`", path.display());
    AppError::new(Exit::Output, what)
        .because(error)
        .hint("check that this user may write there, and that the disk is not full")
}

fn locked_error(path: &Path) -> AppError {
    let what = format!("another run writes the export `{}`", path.display());
    AppError::new(Exit::State, what).hint("wait for it to end, or name another folder")
}

fn already_complete_error(path: &Path) -> AppError {
    let shown = path.display();
    AppError::new(Exit::Output, format!("the export `{shown}` is complete already")).hint(format!(
        "check it with `atlaudit verify {shown}`, or name another folder for a new one"
    ))
}

/// Why no export can be written there.
fn state_error(path: &Path, state: &FolderState) -> AppError {
    let shown = path.display();
    match state {
        FolderState::Damaged => {
            let request = path.join(STATE).join(REQUEST);
            let what = format!(
                "the export in `{shown}` is damaged: it is not complete, and `{}` is missing",
                request.display()
            );
            AppError::new(Exit::State, what).hint(
                "put it back, or start the export again in another folder; nothing was touched",
            )
        }
        FolderState::Foreign(what) => AppError::new(Exit::Output, format!("`{shown}` {what}"))
            .hint("name a folder that does not exist yet: an export shares it with nothing"),
        _ => already_complete_error(path),
    }
}
