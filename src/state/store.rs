//! Reads and writes the state directory: one file and one lock a source, replaced whole or not at
//! all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::crash::{self, CrashPoint};
use crate::files::{Durability, FileReplacement, create_private_folder};
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::state::StateError;
use crate::state::checkpoint::{self, Checkpoint, CheckpointError, VERSION};
use crate::state::permissions;

/// How often, and after which pauses, a lock that another process holds is tried.
const LOCK_ATTEMPTS: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The state directory.
#[derive(Debug, Clone)]
pub struct StateStore {
    folder: PathBuf,
    /// The output files of all sources, as their states said when they were first asked for.
    outputs: Arc<OnceLock<Vec<(SourceName, OutputFileState)>>>,
    /// Held while states are read: hundreds of sources begin at once, and a state may be of
    /// megabytes.
    reading: Arc<Mutex<()>>,
}

/// A source held by this run; let go when dropped, also when the process dies.
#[derive(Debug)]
pub struct SourceLock {
    _file: File,
}

impl StateStore {
    /// The store in `folder`, which need not exist yet.
    pub fn new(folder: &Path) -> StateStore {
        StateStore { folder: folder.to_owned(), outputs: Arc::default(), reading: Arc::default() }
    }

    /// Holds `source` for this run.
    ///
    /// # Errors
    /// [`StateError::Locked`] at once when another run holds it; else what the file system says.
    pub fn lock(&self, source: &SourceName) -> Result<SourceLock, StateError> {
        self.create_folder()?;
        let path = self.folder.join(format!("{source}.lock"));
        permissions::check_file(&path)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // The file is truncated: a link in its place could name any other.
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(|error| io_error("open", &path, error))?;
        if !try_lock(&file).map_err(|error| io_error("lock", &path, error))? {
            return Err(StateError::Locked {
                source_name: source.to_string(),
                holder: read_holder(&mut file),
            });
        }
        write_holder(&mut file).map_err(|error| io_error("write", &path, error))?;
        crash::point(CrashPoint::Locked);
        Ok(SourceLock { _file: file })
    }

    /// The checkpoint of `source`, if it has one.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or was written by a newer version. It is left as it
    /// is.
    pub fn load(&self, source: &SourceName) -> Result<Option<Checkpoint>, StateError> {
        let path = self.path(source);
        // A link to a disk that is not mounted must not pass for a source without a history.
        if !permissions::check_file(&path)? {
            return Ok(None);
        }
        let _turn = self.lock_reading();
        let text = fs::read(&path).map_err(|error| io_error("read", &path, error))?;
        match checkpoint::read(&text) {
            Ok(checkpoint) => Ok(Some(checkpoint)),
            Err(CheckpointError::Damaged(what)) => Err(StateError::Damaged { path, what }),
            Err(CheckpointError::Newer(version)) => {
                Err(StateError::Newer { path, version, known: VERSION })
            }
        }
    }

    /// The output files of the other sources than `source`, each with the source it is of.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn outputs_of_others(
        &self,
        source: &SourceName,
    ) -> Result<impl Iterator<Item = &(SourceName, OutputFileState)>, StateError> {
        let outputs = self.outputs()?;
        Ok(outputs.iter().filter(move |(name, _)| name != source))
    }

    /// The output files of all sources, each with the source it is of. Read once: with many sources
    /// each would read all the others' states.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn outputs(&self) -> Result<&[(SourceName, OutputFileState)], StateError> {
        let turn = self.lock_reading();
        let all = match self.outputs.get() {
            Some(all) => all,
            None => {
                let read = self.read_outputs()?;
                self.outputs.get_or_init(|| read)
            }
        };
        drop(turn);
        Ok(all)
    }

    fn lock_reading(&self) -> MutexGuard<'_, ()> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_outputs(&self) -> Result<Vec<(SourceName, OutputFileState)>, StateError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_error("read", &self.folder, error)),
        };
        let outputs = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            let name: SourceName =
                path.file_name()?.to_str()?.strip_suffix(".json")?.parse().ok()?;
            // A state that cannot be read is its own source's trouble, and a pipe there would be
            // waited for.
            permissions::check_file(&path).ok().filter(|exists| *exists)?;
            let outputs = checkpoint::outputs(&fs::read(&path).ok()?)?;
            Some(outputs.into_iter().map(move |output| (name.clone(), output)))
        });
        Ok(outputs.flatten().collect())
    }

    /// Replaces the checkpoint of `source`. When it returns, the new one survives a crash; until
    /// then the old one does.
    ///
    /// # Errors
    /// What the file system says; the old checkpoint is in place.
    pub fn save(&self, source: &SourceName, checkpoint: &Checkpoint) -> Result<(), StateError> {
        self.create_folder()?;
        let path = self.path(source);
        let write = || -> io::Result<()> {
            FileReplacement::new(&path, Durability::FileAndDir)
                .named(&temporary_prefix(source), "")
                .crash_points(Some(CrashPoint::StateWritten), Some(CrashPoint::StateReplaced))
                .write(|out| checkpoint::write(checkpoint, out))?;
            crash::point(CrashPoint::StateDurable);
            Ok(())
        };
        write().map_err(|error| io_error("write", &path, error))
    }

    /// Removes what a run that died while saving left behind. To be called under the lock.
    ///
    /// # Errors
    /// The folder cannot be read, or a file not removed.
    pub fn remove_leftovers(&self, source: &SourceName) -> Result<(), StateError> {
        let prefix = temporary_prefix(source);
        let read = |error| io_error("read", &self.folder, error);
        for entry in fs::read_dir(&self.folder).map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(&prefix) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|error| io_error("remove", &path, error))?;
                crash::point(CrashPoint::LeftoverRemoved);
            }
        }
        Ok(())
    }

    fn path(&self, source: &SourceName) -> PathBuf {
        self.folder.join(format!("{source}.json"))
    }

    fn create_folder(&self) -> Result<(), StateError> {
        create_private_folder(&self.folder)
            .map_err(|error| io_error("create", &self.folder, error))?;
        permissions::check_folder(&self.folder)
    }
}

/// A name cannot hold `~`, so no other source's files begin like this.
fn temporary_prefix(source: &SourceName) -> String {
    format!(".{source}~")
}

pub(super) fn io_error(doing: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::Io { doing, path: path.to_owned(), source }
}

/// Locks the file, or returns false when another process holds the lock.
///
/// A child that another thread has just forked holds a copy of every lock until it starts its own
/// program, so a lock that was let go may seem to be held for some milliseconds.
fn try_lock(file: &File) -> io::Result<bool> {
    for _ in 0..LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

fn write_holder(file: &mut File) -> io::Result<()> {
    let since = crate::model::time::format_millis(chrono::Utc::now());
    file.set_len(0)?;
    writeln!(file, "process {}, since {since}", std::process::id())
}

/// What the holder wrote; another program's file may be anything, so only a little is read.
fn read_holder(file: &mut File) -> Option<String> {
    let mut text = Vec::new();
    file.take(200).read_to_end(&mut text).ok()?;
    let text = crate::model::text::printable(&String::from_utf8_lossy(&text));
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;
    use crate::state::dedup_cache::DedupCache;
    use crate::state::event_gaps::EventGaps;
    use std::os::unix::fs::PermissionsExt as _;

    fn checkpoint() -> Checkpoint {
        let time = parse_api_time("2026-11-20T09:30:00Z").unwrap();
        Checkpoint {
            source: "acme".to_owned(),
            scope: "org-events:o1".to_owned(),
            since: time,
            windows: Vec::new(),
            watermark: Some(time),
            seen: DedupCache::default(),
            written_before: None,
            rhythm: EventGaps::default(),
            outputs: Vec::new(),
            kept: None,
            events: 7,
            complete_until: None,
            updated: time,
        }
    }

    fn store() -> (tempfile::TempDir, StateStore, SourceName) {
        let folder = tempfile::tempdir().unwrap();
        let store = StateStore::new(&folder.path().join("state/atlaudit"));
        (folder, store, "acme".parse().unwrap())
    }

    #[test]
    fn a_checkpoint_reads_back_and_is_private() {
        let (_folder, store, name) = store();
        assert_eq!(store.load(&name).unwrap(), None);
        store.save(&name, &checkpoint()).unwrap();
        assert_eq!(store.load(&name).unwrap(), Some(checkpoint()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.path(&name)), 0o600);
        assert_eq!(mode(&store.folder), 0o700);
        // Nothing of the way there is left.
        assert_eq!(fs::read_dir(&store.folder).unwrap().count(), 1);
    }

    #[test]
    fn a_second_run_is_told_who_holds_it() {
        let (_folder, store, name) = store();
        let held = store.lock(&name).unwrap();
        let Err(StateError::Locked { holder, .. }) = store.lock(&name) else {
            panic!("locked twice");
        };
        let me = format!("process {}", std::process::id());
        assert!(holder.unwrap().starts_with(&me));
        drop(held);
        store.lock(&name).unwrap();
    }

    #[test]
    fn what_is_newer_or_damaged_is_refused_and_left_alone() {
        let (_folder, store, name) = store();
        store.create_folder().unwrap();
        let load = |text: &str| {
            fs::write(store.path(&name), text).unwrap();
            let result = store.load(&name);
            assert_eq!(fs::read_to_string(store.path(&name)).unwrap(), text);
            result
        };
        for newer in [r#"{"version":2}"#, r#"{"version":"17","x":[]}"#] {
            assert!(matches!(load(newer), Err(StateError::Newer { .. })), "{newer}");
        }
        for damaged in
            ["", "{", "[]", "{}", r#"{"version":1}"#, r#"{"version":"x"}"#, r#"{"version":"1"}"#]
        {
            assert!(matches!(load(damaged), Err(StateError::Damaged { .. })), "{damaged}");
        }
    }
}
