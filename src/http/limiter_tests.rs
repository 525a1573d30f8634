//! Tests of the limits under tokio's paused time, which governor obeys too.

use std::fs::{self, File};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn limits(endpoint: Endpoint, requests_per_minute: Option<u32>) -> RequestLimiter {
    let credential = Arc::new(CredentialLimit::new(requests_per_minute));
    RequestLimiter::new(endpoint, requests_per_minute, credential, Vec::new())
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_lets_its_quota_go_at_once_and_then_waits() {
    let (limits, meter) = (limits(Endpoint::EventsStream, None), SourceMeter::default());
    let start = Instant::now();
    for _ in 0..50 {
        limits.admit(MINUTE, &meter).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(meter.waited_ms(), 0);
    limits.admit(MINUTE, &meter).await.unwrap();
    assert_eq!(start.elapsed().as_millis(), 60_500);
    assert_eq!(meter.waited_ms() / 100, 605);
    assert_eq!(meter.current_wait(), None);
}

#[tokio::test(start_paused = true)]
async fn requests_per_minute_replaces_the_quota() {
    let meter = SourceMeter::default();
    let narrow = limits(Endpoint::JiraAuditRecords, Some(2));
    let start = Instant::now();
    for _ in 0..3 {
        narrow.admit(MINUTE, &meter).await.unwrap();
    }
    assert_eq!(start.elapsed().as_millis(), 60_500);

    let wide = limits(Endpoint::EventsStream, Some(1_000_000));
    let start = Instant::now();
    for _ in 0..10_000 {
        wide.admit(MINUTE, &meter).await.unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn endpoints_of_one_credential_share_its_rate() {
    let credential = Arc::new(CredentialLimit::new(None));
    let jira =
        RequestLimiter::new(Endpoint::JiraAuditRecords, None, Arc::clone(&credential), Vec::new());
    let events = RequestLimiter::new(Endpoint::EventsStream, None, credential, Vec::new());
    let meter = SourceMeter::default();
    for _ in 0..CREDENTIAL_BURST {
        jira.admit(MINUTE, &meter).await.unwrap();
    }
    assert_eq!(events.try_admit().unwrap_err().reason, WaitReason::Quota, "the burst is spent");
    events.admit(MINUTE, &meter).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_every_task_also_one_that_waits_for_its_turn() {
    let limits = Arc::new(limits(Endpoint::JiraAuditRecords, Some(1)));
    let start = Instant::now();
    limits.admit(MINUTE, &SourceMeter::default()).await.unwrap();
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let limits = Arc::clone(&limits);
            tokio::spawn(async move {
                let meter = SourceMeter::default();
                limits.admit(10 * MINUTE, &meter).await.unwrap();
                start.elapsed().as_secs()
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(10)).await;
    limits.pause(Duration::from_secs(100)).await;
    let mut at = Vec::new();
    for task in tasks {
        at.push(task.await.unwrap());
    }
    at.sort_unstable();
    // No token was burnt while the pause lasted: the first goes the moment it ends.
    assert_eq!(at, [110, 170, 231]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_past_the_longest_wait_is_refused_without_a_wait() {
    let (limits, meter) = (limits(Endpoint::EventsStream, None), SourceMeter::default());
    limits.pause(2 * MINUTE).await;
    let refused = limits.admit(MINUTE, &meter).await.unwrap_err();
    assert_eq!(refused.remaining, 2 * MINUTE);
    assert_eq!(meter.waited_ms(), 0);
    limits.admit(2 * MINUTE, &meter).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_is_over() {
    let (limits, meter) = (limits(Endpoint::EventsStream, None), SourceMeter::default());
    limits.pause(MINUTE).await;
    let admit = limits.admit(MINUTE, &meter);
    assert!(tokio::time::timeout(Duration::from_secs(1), admit).await.is_err());
    assert_eq!(meter.current_wait(), None);
    assert_eq!(meter.waited_ms() / 1000, 1);
}

/// The limits of a process of its own that shares `folder`.
fn process(folder: &tempfile::TempDir, requests_per_minute: Option<u32>) -> Arc<RequestLimiter> {
    Arc::new(RequestLimiter::new(
        Endpoint::EventsStream,
        requests_per_minute,
        Arc::new(CredentialLimit::new(requests_per_minute)),
        files(folder),
    ))
}

#[tokio::test(start_paused = true)]
async fn two_processes_stay_within_the_quota_together() {
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let tasks = [(); 2].map(|()| {
        let limits = process(&folder, None);
        tokio::spawn(async move {
            let mut at = Vec::new();
            for _ in 0..60 {
                limits.admit(MINUTE, &SourceMeter::default()).await.unwrap();
                at.push(start.elapsed());
            }
            at
        })
    });
    let mut sent = Vec::new();
    for task in tasks {
        sent.extend(task.await.unwrap());
    }
    sent.sort_unstable();
    for (first, &at) in sent.iter().enumerate() {
        let inside = sent[first..].iter().take_while(|&&t| t - at <= MINUTE);
        assert!(inside.count() <= 50);
    }
    // 50 at once, 50 after a minute, 20 after two: nobody waits for nothing.
    assert_eq!(sent[119].as_secs(), 121);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_the_other_process_too() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (process(&folder, None), process(&folder, None));
    let (start, meter) = (Instant::now(), SourceMeter::default());
    one.pause(2 * MINUTE).await;
    let refused = two.admit(MINUTE, &meter).await.unwrap_err();
    assert_eq!(refused.remaining.as_secs(), 120);
    two.admit(2 * MINUTE, &meter).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 120);
}

#[tokio::test(start_paused = true)]
async fn what_the_rate_refuses_is_counted_in_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let one = process(&folder, Some(2 * CREDENTIAL_BURST));
    for _ in 0..CREDENTIAL_BURST {
        one.admit(MINUTE, &SourceMeter::default()).await.unwrap();
    }
    for _ in 0..10 {
        assert!(one.try_admit().is_err(), "the burst is spent");
    }
    for name in ["endpoint", "account"] {
        let length = fs::metadata(folder.path().join(name)).unwrap().len();
        assert_eq!(length, 8 + u64::from(CREDENTIAL_BURST) * 8);
    }
}

/// The files of an endpoint and an account.
fn files(folder: &tempfile::TempDir) -> Vec<QuotaFile> {
    let open = |name| QuotaFile::open(folder.path().join(name)).unwrap();
    vec![open("endpoint"), open("account")]
}

fn counts(files: Vec<(QuotaFile, u32)>) -> RequestCounts {
    RequestCounts { own: MemoryLog::default(), files, busy_since: None }
}

/// They allow the endpoint two requests a minute, and the account three.
fn shared(folder: &tempfile::TempDir) -> RequestCounts {
    counts(files(folder).into_iter().zip([2, 3]).collect())
}

fn length(folder: &tempfile::TempDir, name: &str) -> u64 {
    fs::metadata(folder.path().join(name)).unwrap().len()
}

#[test]
fn a_request_is_counted_everywhere_or_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (shared(&folder), shared(&folder));
    assert_eq!(one.admit_shared(|| Ok(())), Ok(()));
    let no = ThrottledRequest::by_quota(Duration::from_secs(7));
    assert_eq!(two.admit_shared(|| Err(no)), Err(no));
    assert_eq!((length(&folder, "endpoint"), length(&folder, "account")), (16, 16));
    assert_eq!(two.admit_shared(|| Ok(())), Ok(()));
    let asked = one.admit_shared(|| panic!("the endpoint has no room, so nothing else is asked"));
    assert_eq!(asked.unwrap_err().reason, WaitReason::Quota);
    // Another endpoint of the account: the account has room for one more.
    let open = |name| QuotaFile::open(folder.path().join(name)).unwrap();
    let mut other = counts(vec![(open("other"), 3), (open("account"), 3)]);
    assert_eq!(other.admit_shared(|| Ok(())), Ok(()));
    assert!(other.admit_shared(|| Ok(())).is_err());
    assert_eq!((length(&folder, "other"), length(&folder, "account")), (16, 32));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_stays_busy_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = shared(&folder);
    let stopped = File::open(folder.path().join("account")).unwrap();
    stopped.try_lock().unwrap();
    let start = Instant::now();
    while let Err(held) = one.admit_shared(|| Ok(())) {
        assert!(held.wait <= BUSY_WAIT, "{held:?}");
        tokio::time::sleep(held.wait).await;
    }
    assert!(start.elapsed() > BUSY_TIMEOUT);
    assert!(start.elapsed() < 2 * BUSY_TIMEOUT);
    // From now on nobody is asked.
    for _ in 0..5 {
        assert_eq!(one.admit_shared(|| Ok(())), Ok(()));
        assert_eq!(one.pause_shared(Duration::from_secs(9)), Ok(()));
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
        assert_eq!(one.admit_shared(|| Ok(())), Err(ThrottledRequest::by_quota(BUSY_WAIT)));
        tokio::time::sleep(BUSY_TIMEOUT / 2).await;
        assert_eq!(one.pause_shared(Duration::ZERO), Err(ThrottledRequest::by_quota(BUSY_WAIT)));
        other.unlock().unwrap();
        assert_eq!(one.admit_shared(|| Ok(())).is_ok(), admitted);
    }
}

#[test]
fn a_folder_that_goes_away_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut one = shared(&folder);
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(one.admit_shared(|| Ok(())), Err(ThrottledRequest::by_quota(Duration::ZERO)));
    for _ in 0..5 {
        assert_eq!(one.admit_shared(|| Ok(())), Ok(()));
    }
}

/// The milliseconds at which a caller that never rests gets through, over `minutes`.
async fn greedy(
    requests_per_minute: Option<u32>,
    minutes: u64,
    idle: std::ops::Range<u64>,
) -> Vec<u64> {
    let limit = CredentialLimit::new(requests_per_minute);
    let mut passed = Vec::new();
    for ms in 0..minutes * 60_000 {
        while !idle.contains(&ms) && limit.take().is_ok() {
            passed.push(ms);
        }
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    passed
}

fn most_in_a_minute(passed: &[u64]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (last, &at) in passed.iter().enumerate() {
        // Both ends count: stricter than any server.
        while at - passed[first] > 60_000 {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

#[tokio::test(start_paused = true)]
async fn a_credential_never_passes_its_rate_in_any_rolling_minute() {
    // A caller that never rests, and one that rests, saves up its burst and starts again.
    for idle in [0..0, 70_000..95_000] {
        let most = most_in_a_minute(&greedy(None, 4, idle.clone()).await);
        assert!((960..=1000).contains(&most), "{most} with a rest {idle:?}");
    }
    let most = most_in_a_minute(&greedy(Some(6000), 2, 0..0).await);
    assert!((5800..=6000).contains(&most), "{most}");
    // A smaller figure narrows the endpoint, not the credential.
    assert!(most_in_a_minute(&greedy(Some(10), 2, 0..0).await) > 900);
}
