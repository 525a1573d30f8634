//! Decides whether a request may be sent, by when the last ones were: one rule for every limit,
//! over two storages. `MemoryLog` counts the requests of this process, `QuotaFile` those of all
//! processes of a user.
//!
//! In a file, eight bytes say until when the server wants a pause, then eight bytes a request say
//! when it was sent, oldest first: nanoseconds of the machine's clock since it started,
//! little-endian. Nobody can set that clock; a time in its future is of an earlier start, or
//! damage.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(not(test))]
use rustix::time::{ClockId, clock_gettime};

use crate::model::record::Fingerprint;
use crate::telemetry::meter::WaitReason;

/// For how long a request takes its place in the quota: the server's minute and half a second.
///
/// The server counts a request when it arrives, we when it leaves, and the way takes longer for
/// some (the first one also shakes hands). With the margin, requests may differ by half a second on
/// their way and still never break the quota; it costs 1/121 of the throughput.
pub(super) const SPAN: Duration = Duration::from_millis(60_500);

/// The longest pause that is stored. It bounds a server's wish, so that no arithmetic can
/// overflow. Waiting so long is refused elsewhere (`max_wait`).
const LONGEST_PAUSE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Why a request is not sent now, and for how long at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ThrottledRequest {
    pub(super) reason: WaitReason,
    pub(super) wait: Duration,
}

impl ThrottledRequest {
    /// By a limit of ours.
    pub(super) fn by_quota(wait: Duration) -> Self {
        ThrottledRequest { reason: WaitReason::Quota, wait }
    }

    /// By a pause that the server requested.
    pub(super) fn by_server(wait: Duration) -> Self {
        ThrottledRequest { reason: WaitReason::Server, wait }
    }
}

/// Whether a request may be sent at `now`, while the server wants a pause until `paused_until`.
/// `nth_last` is the request that fills the quota: the last but 49 of a quota of 50. It must be a
/// [`SPAN`] old.
///
/// A token bucket would not do: it lets its burst and a minute's refill through in one minute, or
/// else holds a run back that has barely begun.
fn admission(paused_until: u64, nth_last: Option<u64>, now: u64) -> Result<(), ThrottledRequest> {
    let pause = paused_until.saturating_sub(now);
    let used = nth_last.map_or(0, |at| nanos(SPAN).saturating_sub(now.saturating_sub(at)));
    match (pause, used) {
        (0, 0) => Ok(()),
        (0, wait) => Err(ThrottledRequest::by_quota(Duration::from_nanos(wait))),
        (wait, _) => Err(ThrottledRequest::by_server(Duration::from_nanos(wait))),
    }
}

/// The requests of this process in the last minute, and the server's pause.
#[derive(Debug, Default, Clone)]
pub(super) struct MemoryLog {
    /// When they were sent, oldest first. Grows as needed: a quota of a million would take 8 MB.
    sent: VecDeque<u64>,
    paused_until: u64,
}

impl MemoryLog {
    /// Whether a request may be sent at `now`, of which `quota` may be in a minute.
    pub(super) fn admit(&self, quota: Option<u32>, now: u64) -> Result<(), ThrottledRequest> {
        let nth_last = quota.and_then(|quota| {
            let at = self.sent.len().checked_sub(usize::try_from(quota.max(1)).ok()?)?;
            self.sent.get(at).copied()
        });
        admission(self.paused_until, nth_last, now)
    }

    /// Counts a request that is sent at `now`.
    pub(super) fn record(&mut self, now: u64) {
        let is_past = |sent: &u64| now.saturating_sub(*sent) >= nanos(SPAN);
        while self.sent.front().is_some_and(is_past) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    /// Starts a pause at `now`. Of several pauses the one that ends last counts.
    pub(super) fn pause(&mut self, pause: Duration, now: u64) {
        let until = now.saturating_add(nanos(pause.min(LONGEST_PAUSE)));
        self.paused_until = self.paused_until.max(until);
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds since the machine started, the same for all its processes.
#[cfg(not(test))]
pub(super) fn machine_clock() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// The same by tokio's clock, which a test may pause. The machine has run for a day.
#[cfg(test)]
pub(super) fn machine_clock() -> u64 {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    let start = *START;
    let now = tokio::time::Instant::now().into_std();
    nanos(Duration::from_secs(86_400) + now.saturating_duration_since(start))
}

/// The longest pause that outlives a run. Atlassian's quotas are of an hour at most; a longer pause
/// may be the work of a wrong clock, and must not silence every later run.
const LONGEST_SHARED_PAUSE: Duration = Duration::from_secs(60 * 60);

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
        // An incomplete time is cut off: its request was never sent.
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
        if paused_until.saturating_sub(now) > nanos(LONGEST_SHARED_PAUSE) || last > Some(now) {
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
        let until = now.saturating_add(nanos(pause.min(LONGEST_SHARED_PAUSE)));
        let known = self.read(0)?;
        let is_sound = known <= now.saturating_add(nanos(LONGEST_SHARED_PAUSE));
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
    /// What is kept of an overgrown file fits into its older half. So a process that dies after the
    /// copy and before the cut leaves the last requests where they were.
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
                Ok(()) => return QuotaDir { folder: Some(folder.clone()) },
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
    let why = match facts.mode() & 0o077 {
        _ if !facts.is_dir() => "not a folder",
        _ if facts.uid() != user => "belongs to another user",
        0 => return Ok(()),
        _ => "others may use it, too",
    };
    Err(why.to_owned())
}

#[cfg(test)]
#[path = "quota_tests.rs"]
mod tests;
