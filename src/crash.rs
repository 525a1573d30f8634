//! Defines the points between two side effects at which a test kills the program.
//!
//! They exist in the binary that tests build (feature `crash-points`, set by the tests' own
//! dependency on this crate) and nowhere else: every function here does nothing without it.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Signal, getpid, kill_process};

/// A point that is passed between two side effects. Each is reached by the deterministic test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "parquet", feature = "object-store", feature = "respond")),
    allow(dead_code, reason = "some points are theirs")
)]
pub enum CrashPoint {
    /// The source is locked.
    Locked,
    /// What a dead run left of a state file is removed.
    LeftoverRemoved,
    /// A new state lies beside the old one.
    StateWritten,
    /// The new state has taken the old one's place, and the folder does not know for sure.
    StateReplaced,
    /// The new state is durable.
    StateDurable,
    /// A file was cut back, and the disk does not know for sure.
    CutBack,
    /// What stood after the committed end was copied aside, and is still there.
    SetAside,
    /// A new output file exists, and the folder does not know for sure.
    OutputCreated,
    /// An output file is open.
    OutputOpened,
    /// A part of some lines is written.
    HalfAppended,
    /// Some lines are written.
    Appended,
    /// The member or frame of a commit is written to its end.
    Packed,
    /// The lines of a commit are durable.
    OutputDurable,
    /// A body lies durably beside the others, without its name.
    BodyWritten,
    /// A body has its name, and the folder does not know for sure.
    BodyNamed,
    /// The pages of a commit are durable, its events are not.
    PagesDurable,
    /// What is known of an export's runs was replaced.
    RequestReplaced,
    /// An export has its alerts, and no manifest.
    AlertsWritten,
    /// An export has its manifest, and its state still.
    Sealed,
    /// A part of an export's state was removed.
    StateRemoved,
    /// A part of what a commit adds to the memory of detection is written.
    DetectionHalfLogged,
    /// What a commit adds to the memory of detection is durable.
    DetectionLogged,
    /// A new file holds the memory of detection, and the old one still counts.
    DetectionReplaced,
    /// Parquet files are whole and have no names, and the lines that they were made of are there.
    TablesWritten,
    /// One of them has its name.
    TableNamed,
    /// The lines that they were made of are removed, and the folder does not know for sure.
    WaitingRemoved,
    /// A finished file has its name, and the folder does not know for sure.
    Finished,
    /// A state in an object store was read.
    StateObjectRead,
    /// A state in an object store is about to be replaced.
    StateObjectUnsent,
    /// It is replaced, or was so by another run.
    StateObjectWritten,
    /// A change of an account is about to be sent, and its record is durable.
    ResponseIntended,
    /// The answer to it has come, and is not recorded.
    ResponseAnswered,
    /// The answer is recorded.
    ResponseRecorded,
    /// An object is about to be published.
    ObjectUnsent,
    /// It is published.
    ObjectPublished,
}

/// How many points were passed.
static PASSED: AtomicUsize = AtomicUsize::new(0);

/// What a test says in `ATLAUDIT_CRASH_<name>`.
#[inline]
pub fn setting(name: &str) -> Option<String> {
    match cfg!(feature = "crash-points") {
        true => std::env::var(format!("ATLAUDIT_CRASH_{name}")).ok(),
        false => None,
    }
}

/// Dies here where `ATLAUDIT_CRASH_AT` names this point, or the number of this passage, counted
/// from 1 over all points; stops where `ATLAUDIT_CRASH_STOP_AT` is that number. Appends the point's
/// name to the file `ATLAUDIT_CRASH_TRACE`.
#[inline]
pub fn point(here: CrashPoint) {
    if !cfg!(feature = "crash-points") {
        return;
    }
    let passage = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(path) = setting("TRACE")
        && let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path)
    {
        let _ = writeln!(file, "{here:?}");
    }
    if setting("STOP_AT").is_some_and(|at| at == passage.to_string()) {
        // Until somebody lets it go on, as a machine does that was suspended.
        let _ = kill_process(getpid(), Signal::STOP);
    }
    if setting("AT").is_some_and(|at| at == passage.to_string() || at == format!("{here:?}")) {
        // Nothing is unwound, dropped or flushed, as with SIGKILL.
        std::process::abort();
    }
}

/// Fails where `ATLAUDIT_CRASH_FAULT` names `call`, a system call that no real file system can be
/// made to let fail: `Truncate`, which needs free space on btrfs.
///
/// # Errors
/// The disk is full, as a test pretends.
#[inline]
pub fn fails(call: &str) -> io::Result<()> {
    match setting("FAULT").is_some_and(|wanted| wanted == call) {
        true => Err(ErrorKind::StorageFull.into()),
        false => Ok(()),
    }
}

/// A limit that tests set low, so that few events make many commits: `usual`, but for
/// `ATLAUDIT_CRASH_<name>` in their environment.
#[inline]
pub fn limit(name: &str, usual: usize) -> usize {
    setting(name).and_then(|limit| limit.parse().ok()).unwrap_or(usual)
}
