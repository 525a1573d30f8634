//! Tests of the leave from other processes: files that are busy, or of no use.

use std::fs::{self, File};

use super::*;
use crate::telemetry::meter::WaitReason;

fn shared(folder: &tempfile::TempDir) -> SharedLimiter {
    let path = |name: &str| folder.path().join(name);
    let mut shared = SharedLimiter::open(path("endpoint"), Some(path("account"))).unwrap();
    shared.limit(Some(2), 3);
    shared
}

fn length(folder: &tempfile::TempDir, name: &str) -> u64 {
    fs::metadata(folder.path().join(name)).unwrap().len()
}

#[test]
fn a_request_is_counted_everywhere_or_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (shared(&folder), shared(&folder));
    assert_eq!(one.admit(|| Ok(())), Ok(()));
    let no = ThrottledRequest::by_quota(Duration::from_secs(7));
    assert_eq!(two.admit(|| Err(no)), Err(no));
    assert_eq!(
        (length(&folder, "endpoint"), length(&folder, "account")),
        (16, 16)
    );
    assert_eq!(two.admit(|| Ok(())), Ok(()));
    let asked = one.admit(|| panic!("the endpoint has no room, so nothing else is asked"));
    assert_eq!(asked.unwrap_err().reason, WaitReason::Quota);
    // Another endpoint of the account: the account has room for one more.
    let mut other = SharedLimiter::open(
        folder.path().join("other"),
        Some(folder.path().join("account")),
    );
    let other = other.as_mut().unwrap();
    other.limit(None, 3);
    assert_eq!(other.admit(|| Ok(())), Ok(()));
    assert!(other.admit(|| Ok(())).is_err());
    assert_eq!(
        (length(&folder, "other"), length(&folder, "account")),
        (16, 32)
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_stays_busy_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = shared(&folder);
    let stopped = File::open(folder.path().join("account")).unwrap();
    stopped.try_lock().unwrap();
    let start = Instant::now();
    while let Err(held) = one.admit(|| Ok(())) {
        assert!(held.wait <= BUSY_WAIT, "{held:?}");
        tokio::time::sleep(held.wait).await;
    }
    assert!(start.elapsed() > BUSY_PATIENCE);
    assert!(start.elapsed() < 2 * BUSY_PATIENCE);
    // From now on nobody is asked.
    for _ in 0..5 {
        assert_eq!(one.admit(|| Ok(())), Ok(()));
        assert_eq!(one.pause(Duration::from_secs(9)), Ok(()));
    }
    assert_eq!(length(&folder, "endpoint"), 8);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_busy_now_and_then_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = shared(&folder);
    let other = File::open(folder.path().join("endpoint")).unwrap();
    for admitted in [true, true, false] {
        other.try_lock().unwrap();
        assert_eq!(
            one.admit(|| Ok(())),
            Err(ThrottledRequest::by_quota(BUSY_WAIT))
        );
        tokio::time::sleep(BUSY_PATIENCE / 2).await;
        assert_eq!(
            one.pause(Duration::ZERO),
            Err(ThrottledRequest::by_quota(BUSY_WAIT))
        );
        other.unlock().unwrap();
        assert_eq!(one.admit(|| Ok(())).is_ok(), admitted);
    }
}

#[test]
fn a_folder_that_goes_away_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = shared(&folder);
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(
        one.admit(|| Ok(())),
        Err(ThrottledRequest::by_quota(Duration::ZERO))
    );
    for _ in 0..5 {
        assert_eq!(one.admit(|| Ok(())), Ok(()));
    }
}

#[test]
fn the_machines_clock_goes_on_in_nanoseconds() {
    let before = monotonic_nanos();
    std::thread::sleep(Duration::from_millis(20));
    let passed = monotonic_nanos() - before;
    assert!((20_000_000..5_000_000_000).contains(&passed), "{passed}");
}
