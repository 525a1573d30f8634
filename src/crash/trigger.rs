//! Kills the program at the point that a test names, and records the points that were passed.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{CrashPoint, InjectedFault};

/// Where to die: at so many passages, counted from 1 over all points, or at the first of a point.
static TURN: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("ATLAUDIT_CRASH_AT").ok());
/// The file that the names of the points passed are appended to.
static TRACE: LazyLock<Option<String>> =
    LazyLock::new(|| std::env::var("ATLAUDIT_CRASH_TRACE").ok());
static PASSED: AtomicUsize = AtomicUsize::new(0);

pub fn pass(here: CrashPoint) {
    let passage = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(path) = &*TRACE
        && let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path)
    {
        let _ = writeln!(file, "{here:?}");
    }
    let turn = TURN.as_deref();
    if turn.is_some_and(|turn| turn == passage.to_string() || turn == format!("{here:?}")) {
        // Nothing is unwound, dropped or flushed, as with SIGKILL.
        std::process::abort();
    }
}

pub fn fail(fault: InjectedFault) -> io::Result<()> {
    let wanted = std::env::var("ATLAUDIT_CRASH_FAULT").ok();
    match wanted.is_some_and(|wanted| wanted == format!("{fault:?}")) {
        true => Err(ErrorKind::StorageFull.into()),
        false => Ok(()),
    }
}

pub fn number(name: &str) -> Option<usize> {
    std::env::var(format!("ATLAUDIT_CRASH_{name}")).ok()?.parse().ok()
}
