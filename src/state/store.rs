//! Reads and writes the state directory: one file and one lock a source, replaced whole or not at
//! all.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::config::settings::ObjectStoreSettings;
use crate::crash::{self, CrashPoint};
use crate::files::{Durability, FileReplacement, create_private_folder};
use crate::model::name::SourceName;
use crate::model::output_file_state::OutputFileState;
use crate::model::text::printable;
use crate::model::time::{Timestamp, format_millis, parse_api_time};
use crate::state::StateError;
use crate::state::checkpoint::{self, Checkpoint};
#[cfg(feature = "object-store")]
use crate::state::object_states::ObjectStates;
use crate::state::permissions::{self, StateUse};
use crate::state::remote::{RemoteStates, TakenState};

/// How often, and after which pauses, a lock that another process holds is tried.
const LOCK_ATTEMPTS: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The state directory.
#[derive(Debug, Clone)]
pub struct StateStore {
    folder: PathBuf,
    /// Where the checkpoints are instead. Locks stay in the folder.
    remote: Option<Arc<dyn RemoteStates>>,
    state_use: StateUse,
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
        StateStore {
            folder: folder.to_owned(),
            remote: None,
            state_use: StateUse::Run,
            outputs: Arc::default(),
            reading: Arc::default(),
        }
    }

    /// The same store, which looks at the output files of all sources again.
    pub fn reopened(&self) -> StateStore {
        StateStore { outputs: Arc::default(), ..self.clone() }
    }

    /// The same, only to show what it holds, whichever user's it is.
    pub fn for_viewing(self) -> StateStore {
        StateStore { state_use: StateUse::View, ..self }
    }

    /// Checks that this user may look into the folder, where the checkpoints are in it.
    ///
    /// # Errors
    /// It may not.
    pub fn check_readable(&self) -> Result<(), StateError> {
        match &self.remote {
            Some(_) => Ok(()),
            None => permissions::check_readable(&self.folder),
        }
    }

    /// The same, with the checkpoints elsewhere.
    pub fn with_remote(self, remote: Option<Arc<dyn RemoteStates>>) -> StateStore {
        StateStore { remote, ..self }
    }

    /// The store in `folder`, or in the object store of `remote`.
    pub fn of_settings(folder: &Path, remote: Option<&ObjectStoreSettings>) -> StateStore {
        StateStore::new(folder).with_remote(remote.and_then(|store| remote_states(store, None)))
    }

    /// Where the checkpoints are instead of the folder, if they are elsewhere.
    pub fn remote(&self) -> Option<&Arc<dyn RemoteStates>> {
        self.remote.as_ref()
    }

    /// Takes `source`, whose lock the run has, for this run.
    ///
    /// # Errors
    /// As with [`StateStore::load`]; with checkpoints elsewhere, also that another run holds it.
    pub fn take(&self, source: &SourceName) -> Result<TakenState, StateError> {
        match &self.remote {
            None => Ok(TakenState { checkpoint: self.load(source)?, remote: None }),
            Some(remote) => remote.take(source),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Holds `source` for this run.
    ///
    /// # Errors
    /// [`StateError::Locked`] at once when another run holds it; else what the file system says.
    pub fn lock(&self, source: &SourceName) -> Result<SourceLock, StateError> {
        self.create_folder()?;
        let path = self.folder.join(format!("{source}.lock"));
        permissions::check_file(&path, self.state_use)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            // The file is truncated: a link in its place could name any other.
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(|error| StateError::io("open", &path, error))?;
        if !try_lock(&file).map_err(|error| StateError::io("lock", &path, error))? {
            return Err(StateError::Locked {
                source_name: source.to_string(),
                holder: read_holder(&mut file),
            });
        }
        permissions::open_file(&self.folder, &file)
            .and_then(|()| write_holder(&mut file))
            .map_err(|error| StateError::io("write", &path, error))?;
        crash::point(CrashPoint::Locked);
        Ok(SourceLock { _file: file })
    }

    /// The checkpoint of `source`, if it has one.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or was written by a newer version. It is left as it
    /// is.
    pub fn load(&self, source: &SourceName) -> Result<Option<Checkpoint>, StateError> {
        if let Some(remote) = &self.remote {
            return remote.load(source);
        }
        let path = self.path(source);
        // A link to a disk that is not mounted must not pass for a source without a history.
        if !permissions::check_file(&path, self.state_use)? {
            return Ok(None);
        }
        let _turn = self.lock_reading();
        let text = fs::read(&path).map_err(|error| StateError::io("read", &path, error))?;
        checkpoint::read(&path, &text).map(Some)
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
            Err(error) => return Err(StateError::io("read", &self.folder, error)),
        };
        let outputs = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            let name: SourceName =
                path.file_name()?.to_str()?.strip_suffix(".json")?.parse().ok()?;
            // A state that cannot be read is its own source's trouble, and a pipe there would be
            // waited for.
            permissions::check_file(&path, self.state_use).ok().filter(|exists| *exists)?;
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
                .write(|out| {
                    permissions::open_file(&self.folder, out.get_ref())?;
                    checkpoint::write(checkpoint, out)
                })?;
            crash::point(CrashPoint::StateDurable);
            Ok(())
        };
        write().map_err(|error| StateError::io("write", &path, error))
    }

    /// Removes what a run that died while saving left behind. To be called under the lock.
    ///
    /// # Errors
    /// The folder cannot be read, or a file not removed.
    pub fn remove_leftovers(&self, source: &SourceName) -> Result<(), StateError> {
        let prefix = temporary_prefix(source);
        let read = |error| StateError::io("read", &self.folder, error);
        for entry in fs::read_dir(&self.folder).map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(&prefix) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|error| StateError::io("remove", &path, error))?;
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
            .map_err(|error| StateError::io("create", &self.folder, error))?;
        permissions::check_folder(&self.folder, self.state_use)
    }
}

/// The states in the store of `settings`, for one run; or for runs with a pause between them, in
/// which the process holds its sources.
#[cfg(feature = "object-store")]
pub fn remote_states(
    settings: &ObjectStoreSettings,
    pause: Option<Duration>,
) -> Option<Arc<dyn RemoteStates>> {
    Some(Arc::new(ObjectStates::new(settings.clone(), pause)))
}

/// Settings of a store are refused with the command line.
#[cfg(not(feature = "object-store"))]
pub fn remote_states(
    _: &ObjectStoreSettings,
    _: Option<Duration>,
) -> Option<Arc<dyn RemoteStates>> {
    None
}

/// A name cannot hold `~`, so no other source's files begin like this.
fn temporary_prefix(source: &SourceName) -> String {
    format!(".{source}~")
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
    let since = format_millis(chrono::Utc::now());
    file.set_len(0)?;
    writeln!(file, "process {}, since {since}", std::process::id())
}

/// What the holder wrote; another program's file may be anything, so only a little is read.
fn read_holder(file: &mut File) -> Option<String> {
    let mut text = Vec::new();
    file.take(200).read_to_end(&mut text).ok()?;
    let text = printable(&String::from_utf8_lossy(&text));
    (!text.is_empty()).then_some(text)
}

/// A process that holds a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// Its number.
    pub process: u32,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Who holds `source`, without taking the lock: a lock taken only to look would turn away a pull
/// that starts at that moment. As far as the system says, for the state folder `state`.
pub fn holder(state: &Path, source: &SourceName) -> Option<LockHolder> {
    let path = state.join(format!("{source}.lock"));
    // A pipe there would be waited for.
    let facts = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let mut text = String::new();
    File::open(&path).ok()?.take(200).read_to_string(&mut text).ok()?;
    let holder = parse_holder(&text)?;
    let is_held = match fs::read_to_string("/proc/locks") {
        Ok(locks) => is_listed(&locks, holder.process, facts.ino()),
        Err(_) => is_process_alive(holder.process),
    };
    is_held.then_some(holder)
}

/// `process 123, since 2026-11-20T09:30:00.000Z`, as the store writes it.
fn parse_holder(text: &str) -> Option<LockHolder> {
    let (process, since) = text.trim().strip_prefix("process ")?.split_once(", since ")?;
    Some(LockHolder { process: process.parse().ok()?, since: parse_api_time(since) })
}

/// Whether `locks`, as `/proc/locks` has them, holds one by `process` on the file with this number:
/// `1: FLOCK  ADVISORY  WRITE 123 08:01:4711 0 EOF`. The device is left out: file systems of
/// several devices say another one here than of the file.
fn is_listed(locks: &str, process: u32, inode: u64) -> bool {
    locks.lines().any(|line| {
        let mut words = line.split_whitespace().skip(1);
        let is_lock = words.next() != Some("->");
        let owner = words.nth(2).and_then(|word| word.parse().ok());
        let file = words.next().and_then(|word| word.rsplit(':').next()?.parse().ok());
        is_lock && owner == Some(process) && file == Some(inode)
    })
}

fn is_process_alive(process: u32) -> bool {
    let process = i32::try_from(process).ok();
    let process = process.and_then(rustix::process::Pid::from_raw);
    process.is_some_and(|process| rustix::process::test_kill_process(process).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::dedup_cache::DedupCache;
    use crate::state::event_gaps::EventGaps;
    use std::os::unix::fs::PermissionsExt as _;

    fn checkpoint() -> Checkpoint {
        let time = parse_api_time("2026-11-20T09:30:00Z").unwrap();
        Checkpoint {
            source: "acme".to_owned(),
            scope: "org-events:o1".to_owned(),
            since: time,
            backfilled_to: None,
            backfill: None,
            windows: Vec::new(),
            event_query: None,
            watermark: Some(time),
            dedup_cache: DedupCache::default(),
            written_before: None,
            event_gaps: EventGaps::default(),
            outputs: Vec::new(),
            detection: None,
            export_progress: None,
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
    fn a_second_run_reports_who_holds_the_lock() {
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

    #[test]
    fn a_source_is_held_from_its_lock_until_that_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (store, name) = (StateStore::new(folder.path()), "acme".parse().unwrap());
        assert_eq!(holder(folder.path(), &name), None);
        let lock = store.lock(&name).unwrap();
        let found = holder(folder.path(), &name).unwrap();
        assert_eq!(found.process, std::process::id());
        assert!(found.since.is_some());
        drop(lock);
        assert_eq!(holder(folder.path(), &name), None);
        // Looking held nobody up.
        store.lock(&name).unwrap();
    }

    #[test]
    fn only_a_lock_of_that_process_on_that_file_counts() {
        let locks = "1: FLOCK  ADVISORY  WRITE 123 08:01:4711 0 EOF\n2: -> FLOCK  ADVISORY  WRITE 5 08:01:4711 0 EOF\n3: POSIX  ADVISORY  READ 9 00:2a:12 128 128\nodd\n\n";
        assert!(is_listed(locks, 123, 4711) && is_listed(locks, 9, 12));
        assert!(!is_listed(locks, 5, 4711), "one that waits holds nothing");
        assert!(!is_listed(locks, 123, 12) && !is_listed(locks, 124, 4711));
    }

    #[test]
    fn a_lock_file_of_anybodys_is_nobody() {
        for text in ["", "process x, since y", "process 1", "\u{0}", "process -1, since x"] {
            assert_eq!(parse_holder(text), None, "{text}");
        }
        assert_eq!(parse_holder("process 7, since x").unwrap().since, None);
    }
}
