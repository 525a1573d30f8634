//! Owns the dying: which passage it is to be, and the account of those passed.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Point;

/// The passage at which to die, counted from 1 over all points.
static TURN: LazyLock<Option<u64>> = LazyLock::new(|| number("ATLAUDIT_CRASH_AT"));
/// The file that the names of the points passed are appended to.
static TRACE: LazyLock<Option<String>> =
    LazyLock::new(|| std::env::var("ATLAUDIT_CRASH_TRACE").ok());
static COMMIT_BYTES: LazyLock<Option<u64>> =
    LazyLock::new(|| number("ATLAUDIT_CRASH_COMMIT_BYTES"));
static PASSED: AtomicU64 = AtomicU64::new(0);

pub fn pass(here: Point) {
    let passage = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(path) = &*TRACE
        && let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path)
    {
        let _ = writeln!(file, "{here:?}");
    }
    if *TURN == Some(passage) {
        // Nothing is unwound, dropped or flushed, as with SIGKILL.
        std::process::abort();
    }
}

pub fn commit_bytes() -> Option<u64> {
    *COMMIT_BYTES
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
