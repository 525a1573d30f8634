//! Tests of the rule in memory, and of the shared file: several handles on it act like several
//! processes.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use proptest::prelude::*;

use super::*;
use crate::telemetry::meter::WaitReason;

const SECOND: u64 = 1_000_000_000;

/// The machine has run for a day.
const START: u64 = 86_400 * SECOND;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("endpoint");
    (folder, path)
}

fn window(path: &Path) -> QuotaFile {
    QuotaFile::open(path.to_owned()).unwrap()
}

fn admit(window: &mut QuotaFile, quota: u32, now: u64) -> Result<(), ThrottledRequest> {
    let mut file = window.lock().unwrap().expect("nobody holds it");
    file.admit(quota, now).unwrap()?;
    file.record(now).unwrap();
    Ok(())
}

fn write(path: &Path, times: &[u64]) {
    let bytes: Vec<u8> = times.iter().flat_map(|time| time.to_le_bytes()).collect();
    fs::write(path, bytes).unwrap();
}

/// The times of the file's requests.
fn read(path: &Path) -> Vec<u64> {
    let bytes = fs::read(path).unwrap();
    let (times, rest) = bytes.as_chunks();
    assert!(rest.is_empty());
    times[1..].iter().copied().map(u64::from_le_bytes).collect()
}

#[test]
fn two_processes_share_one_quota() {
    let (_folder, path) = folder();
    let (mut one, mut two) = (window(&path), window(&path));
    for second in 0..3 {
        assert_eq!(admit(&mut one, 6, START + second * SECOND), Ok(()));
        assert_eq!(admit(&mut two, 6, START + second * SECOND), Ok(()));
    }
    let now = START + 3 * SECOND;
    let held = Err(ThrottledRequest::by_quota(Duration::from_millis(57_500)));
    assert_eq!(admit(&mut one, 6, now), held);
    assert_eq!(admit(&mut two, 6, now), held);
    // A process with a larger quota sends more, and its requests count for the other one too.
    assert_eq!(admit(&mut one, 7, now), Ok(()));
    for _ in 0..3 {
        assert_eq!(admit(&mut two, 6, START + 62 * SECOND), Ok(()));
    }
    let wait = admit(&mut two, 6, START + 62 * SECOND).unwrap_err().wait;
    assert_eq!(wait, Duration::from_millis(500));
}

#[test]
fn the_pause_that_ends_last_holds_everybody() {
    let (_folder, path) = folder();
    let (mut one, mut two) = (window(&path), window(&path));
    let mut pause = |seconds| {
        let mut file = one.lock().unwrap().unwrap();
        file.pause(Duration::from_secs(seconds), START).unwrap();
    };
    pause(30);
    pause(5);
    let held = admit(&mut two, 6, START + 10 * SECOND).unwrap_err();
    assert_eq!(held, ThrottledRequest::by_server(Duration::from_secs(20)));
    assert_eq!(admit(&mut two, 6, START + 30 * SECOND), Ok(()));
    pause(u64::MAX);
    let wait = admit(&mut two, 6, START + 30 * SECOND).unwrap_err().wait;
    assert_eq!(wait, LONGEST_SHARED_PAUSE - Duration::from_secs(30));
}

#[test]
fn a_pause_replaces_one_that_cannot_be() {
    let (_folder, path) = folder();
    write(&path, &[u64::MAX]);
    let mut one = window(&path);
    let pause = Duration::from_secs(5);
    one.lock().unwrap().unwrap().pause(pause, START).unwrap();
    assert_eq!(admit(&mut one, 6, START), Err(ThrottledRequest::by_server(pause)));
}

#[test]
fn a_held_file_is_busy_and_a_dropped_one_free() {
    let (_folder, path) = folder();
    let (mut one, mut two) = (window(&path), window(&path));
    let held = one.lock().unwrap();
    assert!(two.lock().unwrap().is_none());
    drop(held);
    assert!(two.lock().unwrap().is_some());
}

#[test]
fn threads_that_never_rest_get_the_quota_and_no_more() {
    let (_folder, path) = folder();
    let greedy = || {
        let mut window = window(&path);
        let mut got = 0;
        for _ in 0..2_000 {
            let Some(mut file) = window.lock().unwrap() else {
                std::thread::yield_now();
                continue;
            };
            if file.admit(300, START).unwrap().is_ok() {
                file.record(START).unwrap();
                got += 1;
            }
        }
        got
    };
    let got: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(greedy)).collect();
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!((got, read(&path).len()), (300, 300));
}

#[test]
fn a_machine_that_started_again_begins_again() {
    let (_folder, path) = folder();
    let mut one = window(&path);
    for _ in 0..6 {
        assert_eq!(admit(&mut one, 6, START), Ok(()));
    }
    assert!(admit(&mut one, 6, START).is_err());
    let hour = Duration::from_secs(3600);
    one.lock().unwrap().unwrap().pause(hour, START).unwrap();
    // Up for a second: neither the pause nor the requests are of this start.
    assert_eq!(admit(&mut one, 1, SECOND), Ok(()));
    assert_eq!(read(&path), [SECOND]);
}

#[test]
fn a_torn_time_is_truncated() {
    let (_folder, path) = folder();
    let mut one = window(&path);
    for length in 0..40 {
        fs::write(&path, vec![1; length]).unwrap();
        assert_eq!(admit(&mut one, 100, START), Ok(()), "{length} bytes");
        assert_eq!(fs::metadata(&path).unwrap().len() % TIME, 0);
        assert_eq!(read(&path).last(), Some(&START));
    }
}

#[test]
fn damage_in_the_middle_leaves_what_came_after_it() {
    let (_folder, path) = folder();
    write(&path, &[0, START, u64::MAX, START + 1, START + 2]);
    let mut one = window(&path);
    assert!(admit(&mut one, 2, START + 3).is_err());
    assert_eq!(admit(&mut one, 3, START + 3), Ok(()));
    assert_eq!(read(&path), [START + 1, START + 2, START + 3]);
}

#[test]
fn a_file_that_was_removed_is_recreated() {
    let (_folder, path) = folder();
    let (mut one, mut two) = (window(&path), window(&path));
    assert_eq!(admit(&mut one, 1, START), Ok(()));
    fs::remove_file(&path).unwrap();
    assert_eq!(admit(&mut two, 1, START), Ok(()));
    assert!(admit(&mut one, 1, START).is_err(), "both see the new file");
}

#[test]
fn a_long_file_is_cut_to_its_last_minute() {
    let (_folder, path) = folder();
    let old = (0..200_000).map(|at| START + at);
    let recent = (0..1_000).map(|at| START + 100 * SECOND + at);
    let times: Vec<u64> = [0].into_iter().chain(old).chain(recent.clone()).collect();
    write(&path, &times);
    let now = START + 101 * SECOND;
    let mut one = window(&path);
    assert!(admit(&mut one, 1_000, now).is_err());
    assert_eq!(read(&path), recent.clone().collect::<Vec<_>>());

    // Somebody died after the copy to the front and before the cut.
    let mut torn = times.clone();
    torn[1..1_001].copy_from_slice(&recent.clone().collect::<Vec<_>>());
    write(&path, &torn);
    assert!(admit(&mut one, 1_000, now).is_err());
    assert_eq!(admit(&mut one, 1_001, now), Ok(()));
    assert_eq!(read(&path).len(), 1_001);
}

#[test]
fn a_long_file_of_requests_that_all_count_is_left_alone() {
    let (_folder, path) = folder();
    let times: Vec<u64> = [0].into_iter().chain((0..200_000).map(|at| START + at)).collect();
    write(&path, &times);
    let mut one = window(&path);
    assert!(admit(&mut one, 200_000, START + SECOND).is_err());
    assert_eq!(read(&path).len(), 200_000);
}

/// What happens to the file, or who asks and how much later.
#[derive(Debug, Clone)]
enum QuotaFileStep {
    Ask { process: usize, later_ms: u64 },
    Truncate(u16),
    Scribble(u16, u64),
    Restart,
}

fn ask() -> impl Strategy<Value = QuotaFileStep> {
    let later = prop_oneof![0u64..50, 0u64..5_000, 0u64..90_000];
    (0usize..3, later).prop_map(|(process, later_ms)| QuotaFileStep::Ask { process, later_ms })
}

fn any_step() -> impl Strategy<Value = QuotaFileStep> {
    prop_oneof![
        8 => ask(),
        1 => any::<u16>().prop_map(QuotaFileStep::Truncate),
        1 => (any::<u16>(), prop_oneof![any::<u64>(), START - 90 * SECOND..START + 9_000 * SECOND])
            .prop_map(|(at, time)| QuotaFileStep::Scribble(at, time)),
        1 => Just(QuotaFileStep::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_interleaving_passes_the_quota_in_any_rolling_minute(
        quotas in prop::collection::vec(1u32..40, 3),
        steps in prop::collection::vec(ask(), 1..300),
    ) {
        let (_folder, path) = folder();
        let mut processes = [window(&path), window(&path), window(&path)];
        let (mut now, mut sent) = (START, Vec::<u64>::new());
        for step in steps {
            let QuotaFileStep::Ask { process, later_ms } = step else { continue };
            now += later_ms * 1_000_000;
            let (one, quota) = (&mut processes[process], quotas[process]);
            if let Err(held) = admit(one, quota, now) {
                // A promised slot is really free, and not a moment sooner.
                let wait = u64::try_from(held.wait.as_nanos()).unwrap();
                prop_assert!(admit(one, quota, now + wait - 1).is_err());
                now += wait;
                prop_assert_eq!(admit(one, quota, now), Ok(()));
            }
            sent.push(now);
            // Both ends count: stricter than any server.
            let inside = sent.iter().rev().take_while(|&&at| now - at <= 60 * SECOND);
            prop_assert!(inside.count() <= quota as usize);
        }
    }

    #[test]
    fn no_damage_stops_anybody_for_longer_than_a_minute_or_a_pause(
        quota in 1u32..10,
        steps in prop::collection::vec(any_step(), 1..100),
    ) {
        let (_folder, path) = folder();
        let mut processes = [window(&path), window(&path), window(&path)];
        let mut now = START;
        for step in steps {
            let length = fs::metadata(&path).unwrap().len();
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            match step {
                QuotaFileStep::Truncate(to) => file.set_len(u64::from(to) % (length + 1)).unwrap(),
                QuotaFileStep::Scribble(at, time) => {
                    file.write_all_at(&time.to_le_bytes(), u64::from(at) % (length + 1)).unwrap();
                }
                QuotaFileStep::Restart => now = SECOND,
                QuotaFileStep::Ask { process, later_ms } => {
                    now += later_ms * 1_000_000;
                    if let Err(held) = admit(&mut processes[process], quota, now) {
                        let most = match held.reason {
                            WaitReason::Server => LONGEST_SHARED_PAUSE,
                            _ => SPAN,
                        };
                        prop_assert!(held.wait <= most);
                        now += u64::try_from(held.wait.as_nanos()).unwrap();
                        // A pause goes before the quota.
                        if let Err(held) = admit(&mut processes[process], quota, now) {
                            prop_assert!(held.wait <= SPAN);
                        }
                    }
                }
            }
        }
    }
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[test]
fn the_first_safe_folder_is_used_and_made_for_its_owner_only() {
    let base = tempfile::tempdir().unwrap();
    let (missing, own) = (base.path().join("no/where"), base.path().join("own"));
    for _ in 0..2 {
        let sharing = QuotaDir::first_usable(&[missing.clone(), own.clone()], me());
        assert_eq!(sharing.folder.as_deref(), Some(own.as_path()));
    }
    let mode = fs::metadata(&own).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_folder_that_is_not_ours_alone_is_not_used() {
    let base = tempfile::tempdir().unwrap();
    let path = |name: &str| base.path().join(name);
    fs::create_dir(path("own")).unwrap();
    fs::set_permissions(path("own"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(prepare(&path("own"), me()), Ok(()));
    assert!(prepare(&path("own"), me() + 1).unwrap_err().contains("another user"));
    symlink(path("own"), path("link")).unwrap();
    fs::write(path("file"), "").unwrap();
    for name in ["link", "file"] {
        assert!(prepare(&path(name), me()).unwrap_err().contains("not a folder"));
    }
    for mode in [0o770, 0o701, 0o740] {
        fs::set_permissions(path("own"), fs::Permissions::from_mode(mode)).unwrap();
        assert!(prepare(&path("own"), me()).unwrap_err().contains("others"));
    }
}

#[test]
fn each_endpoint_and_account_has_a_file_whose_name_reveals_nothing() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("own");
    let sharing = QuotaDir::first_usable(std::slice::from_ref(&folder), me());
    for (endpoint, account) in
        [("acme", Some("ada@acme.example")), ("acme", None), ("site", Some("ada@acme.example"))]
    {
        drop(sharing.open(endpoint, account));
    }
    let names = fs::read_dir(&folder).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].starts_with("account-") && names[1].starts_with("endpoint-"));
    assert!(!names.concat().contains("acme"));
}

const MS: u64 = 1_000_000;

fn admit_in_memory(log: &mut MemoryLog, quota: u32, now: u64) -> Result<(), Duration> {
    log.admit(Some(quota), now).map_err(|held| held.wait)?;
    log.record(now);
    Ok(())
}

#[test]
fn the_first_requests_are_sent_at_once_and_the_next_when_the_first_is_a_minute_old() {
    let (mut log, start) = (MemoryLog::default(), 5 * MS);
    for ms in [0, 10, 20] {
        assert_eq!(admit_in_memory(&mut log, 3, start + ms * MS), Ok(()));
    }
    let wait = admit_in_memory(&mut log, 3, start + 1_000 * MS).unwrap_err();
    assert_eq!(wait, SPAN - Duration::from_secs(1));
    assert_eq!(admit_in_memory(&mut log, 3, start + nanos(SPAN)), Ok(()));
    let wait = admit_in_memory(&mut log, 3, start + nanos(SPAN)).unwrap_err();
    assert_eq!(wait, Duration::from_millis(10));
}

#[test]
fn of_several_pauses_the_one_that_ends_last_counts() {
    let mut log = MemoryLog::default();
    let held = |log: &MemoryLog, second: u64| log.admit(None, second * 1_000 * MS);
    assert_eq!(held(&log, 0), Ok(()));
    log.pause(Duration::from_secs(30), 0);
    log.pause(Duration::from_secs(5), 0);
    let wait = ThrottledRequest::by_server(Duration::from_secs(20));
    assert_eq!(held(&log, 10), Err(wait));
    assert_eq!(held(&log, 30), Ok(()));
}

#[test]
fn an_absurd_pause_is_shortened() {
    let mut log = MemoryLog::default();
    log.pause(Duration::MAX, 7);
    let wait = ThrottledRequest::by_server(LONGEST_PAUSE);
    assert_eq!(log.admit(None, 7), Err(wait));
}

proptest! {
    #[test]
    fn no_rolling_minute_holds_more_than_the_quota(
        quota in 1u32..60,
        steps in prop::collection::vec(
            prop_oneof![0u64..50, 0u64..5_000, 0u64..90_000],
            1..400,
        ),
        // How late the server sees each request.
        delays in prop::collection::vec(0u64..500, 400),
    ) {
        let (mut log, mut now) = (MemoryLog::default(), 0);
        let mut arrivals = Vec::new();
        for (step, delay) in steps.into_iter().zip(delays) {
            now += step * MS;
            if let Err(wait) = admit_in_memory(&mut log, quota, now) {
                // A promised slot is really free, and not a moment sooner.
                prop_assert!(log.admit(Some(quota), now + nanos(wait) - 1).is_err());
                now += nanos(wait);
                prop_assert_eq!(admit_in_memory(&mut log, quota, now), Ok(()));
            }
            arrivals.push(now + delay * MS);
            prop_assert!(log.sent.len() <= quota as usize);
        }
        arrivals.sort_unstable();
        for (first, &at) in arrivals.iter().enumerate() {
            let inside = arrivals[first..].iter().take_while(|&&t| t - at < 60_000 * MS);
            prop_assert!(inside.count() <= quota as usize);
        }
    }
}
