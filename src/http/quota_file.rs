//! Counts the requests of all processes of a user in files, so that together they keep a quota and
//! a server's pause; and finds the folder of these files.
//!
//! Eight bytes say until when the server wants a pause, then eight bytes a request say when it was
//! sent, oldest first: nanoseconds of the machine's clock since it started, little-endian. Nobody
//! can set that clock; a time in its future is of an earlier start, or damage.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::rolling_window::{SPAN, ThrottledRequest, admission, nanos};
use crate::model::record::Fingerprint;

/// The longest pause that outlives a run. Atlassian's quotas are of an hour at most; a longer pause
/// may be the work of a wrong clock, and must not silence every later run.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The length of a time in the file.
const TIME: u64 = 8;

/// The length from which a file is cut when at least half of it is of no use any more.
const OVERGROWN: u64 = 1024 * 1024;

/// The longest end of a file that is kept when it is cut: two million requests.
const KEPT: u64 = 16 * OVERGROWN;

/// The file of one quota.
#[derive(Debug)]
pub struct QuotaFile {
    path: PathBuf,
    file: File,
}

/// The file while no other process can use it.
#[derive(Debug)]
pub(super) struct LockedQuotaFile<'a> {
    file: &'a File,
    length: u64,
}

impl QuotaFile {
    /// The file at `path`, which need not exist yet.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let file = open(&path)?;
        Ok(QuotaFile { path, file })
    }

    /// Holds the file until the answer is dropped; `None` when another process holds it now. It is
    /// never waited for here: the process that holds it may be stopped.
    pub(super) fn lock(&mut self) -> io::Result<Option<LockedQuotaFile<'_>>> {
        let mut facts = lock_with_metadata(&self.file)?;
        // Some systems empty these folders when a user logs out: nobody else sees this file then.
        if facts.as_ref().is_some_and(|facts| facts.nlink() == 0) {
            self.file = open(&self.path)?;
            facts = lock_with_metadata(&self.file)?;
        }
        let locked = facts.map(|facts| LockedQuotaFile::new(&self.file, facts.len()));
        locked.transpose()
    }
}

impl<'a> LockedQuotaFile<'a> {
    fn new(file: &'a File, length: u64) -> io::Result<Self> {
        let mut locked = LockedQuotaFile { file, length };
        // A torn time goes: its request was not sent.
        let torn = locked.length % TIME;
        if torn != 0 {
            locked.cut(locked.length - torn)?;
        }
        if locked.length == 0 {
            locked.cut(TIME)?;
        }
        Ok(locked)
    }

    /// Whether a request may be sent at `now`, of which `quota` may be in a minute.
    pub(super) fn admit(
        &mut self,
        quota: u32,
        now: u64,
    ) -> io::Result<Result<(), ThrottledRequest>> {
        let last = self.nth_last(0)?;
        let mut paused_until = self.read(0)?;
        // A pause follows a request: when that is of an earlier start, so is the pause.
        if paused_until.saturating_sub(now) > nanos(LONGEST) || last > Some(now) {
            self.write(0, 0)?;
            paused_until = 0;
        }
        let filling = u64::from(quota.max(1)) - 1;
        let mut nth_last = self.nth_last(filling)?;
        if last > Some(now) || nth_last > last || self.needs_compaction(now)? {
            self.compact(now)?;
            nth_last = self.nth_last(filling)?;
        }
        Ok(admission(paused_until, nth_last, now))
    }

    /// Counts a request that is sent at `now`.
    pub(super) fn record(&mut self, now: u64) -> io::Result<()> {
        self.write(self.length, now)?;
        self.length += TIME;
        Ok(())
    }

    /// Starts a pause at `now`. Of several pauses the one that ends last counts.
    pub(super) fn pause(&mut self, pause: Duration, now: u64) -> io::Result<()> {
        let until = now.saturating_add(nanos(pause.min(LONGEST)));
        let known = self.read(0)?;
        let is_sound = known <= now.saturating_add(nanos(LONGEST));
        match is_sound && known >= until {
            true => Ok(()),
            false => self.write(0, until),
        }
    }

    /// The time of the last request but `n`, if there were so many.
    fn nth_last(&self, n: u64) -> io::Result<Option<u64>> {
        let place = n
            .checked_add(1)
            .and_then(|back| self.length.checked_sub(back.checked_mul(TIME)?))
            .filter(|&place| place >= TIME);
        place.map(|place| self.read(place)).transpose()
    }

    /// Whether the file is long, and its older half past.
    fn needs_compaction(&self, now: u64) -> io::Result<bool> {
        let half = self.length / TIME / 2;
        Ok(self.length > OVERGROWN
            && self.nth_last(half)?.is_some_and(|at| at.saturating_add(nanos(SPAN)) <= now))
    }

    /// Cuts the file to the requests that still count at `now`: the last ones, as far back as they
    /// are in order. After an earlier start of the machine, or damage at the end, there are none.
    ///
    /// What is kept of an overgrown file fits into its older half. So a process that dies after the copy
    /// and before the cut leaves the last requests where they were.
    fn compact(&mut self, now: u64) -> io::Result<()> {
        let length = (self.length - TIME).min(KEPT);
        let mut end = vec![0; usize::try_from(length).unwrap_or_default()];
        self.file.read_exact_at(&mut end, self.length - length)?;
        let (times, _) = end.as_chunks();
        let mut next = now;
        let counting = times.iter().rev().take_while(|&&time| {
            let at = u64::from_le_bytes(time);
            let counts = at <= next && now - at < nanos(SPAN);
            next = at;
            counts
        });
        let kept = counting.count() * size_of::<u64>();
        let kept = &end[end.len() - kept..];
        self.file.write_all_at(kept, TIME)?;
        self.cut(TIME + kept.len() as u64)
    }

    fn read(&self, place: u64) -> io::Result<u64> {
        let mut time = [0; size_of::<u64>()];
        self.file.read_exact_at(&mut time, place)?;
        Ok(u64::from_le_bytes(time))
    }

    fn write(&self, place: u64, time: u64) -> io::Result<()> {
        self.file.write_all_at(&time.to_le_bytes(), place)
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.length = length;
        Ok(())
    }
}

impl Drop for LockedQuotaFile<'_> {
    fn drop(&mut self) {
        // Also the kernel does it when the process ends; a failure shows at the next lock.
        let _ = self.file.unlock();
    }
}

/// Locks `file` and looks at it, unless another process holds it.
fn lock_with_metadata(file: &File) -> io::Result<Option<Metadata>> {
    match file.try_lock() {
        Ok(()) => file.metadata().map(Some),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("not a regular file")),
    }
}

/// Part of every file's name, so that a program that writes them otherwise uses other files.
const LAYOUT: &str = "1";

/// The folder in which all processes of a user count their requests, if there is one.
#[derive(Debug, Default)]
pub struct QuotaDir {
    folder: Option<PathBuf>,
}

impl QuotaDir {
    /// Nothing is shared.
    pub fn off() -> Self {
        QuotaDir::default()
    }

    /// Shares in the first of `folders` that is safe for `user` to use. Where none is, it warns:
    /// that is no reason to collect nothing.
    pub fn first_usable(folders: &[PathBuf], user: u32) -> Self {
        let mut refused = Vec::new();
        for folder in folders {
            match prepare(folder, user) {
                Ok(()) => {
                    let folder = Some(folder.clone());
                    return QuotaDir { folder };
                }
                Err(why) => refused.push(format!("{}: {why}", folder.display())),
            }
        }
        warn(&refused.join("; "));
        QuotaDir::off()
    }

    /// The files that all processes count in that use `endpoint` (a name that no other endpoint
    /// has) with a credential of `account`.
    pub fn open(&self, endpoint: &str, account: Option<&str>) -> Vec<QuotaFile> {
        let Some(folder) = &self.folder else {
            return Vec::new();
        };
        let path = |kind: &str, name: &str| {
            let name = Fingerprint::of(format!("{LAYOUT} {kind} {name}").as_bytes());
            folder.join(format!("{kind}-{name}"))
        };
        let endpoint = path("endpoint", endpoint);
        let account = account.map(|account| path("account", account));
        let files = std::iter::once(endpoint).chain(account).map(QuotaFile::open);
        files.collect::<io::Result<_>>().unwrap_or_else(|error| {
            warn(&format!("{}: {error}", folder.display()));
            Vec::new()
        })
    }
}

fn warn(why: &str) {
    tracing::warn!(
        "the requests of other atlaudit processes are not counted: {why}; name a folder of your \
         own with ATLAUDIT_QUOTA_DIR"
    );
}

/// Creates `folder`, or makes sure that nobody else can use it: it may lie where everybody writes,
/// and other users who can write to it could hold us back.
fn prepare(folder: &Path, user: u32) -> Result<(), String> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error.to_string());
        }
        _ => {}
    }
    let facts = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    if !facts.is_dir() {
        return Err("not a folder".to_owned());
    }
    if facts.uid() != user {
        return Err("belongs to another user".to_owned());
    }
    match facts.mode() & 0o077 {
        0 => Ok(()),
        _ => Err("others may use it, too".to_owned()),
    }
}

#[cfg(test)]
#[path = "quota_file_tests.rs"]
mod tests;
