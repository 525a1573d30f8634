//! The counters of one source's run: written by the pipeline and the HTTP client, read by the progress line and the
//! report.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::time::Timestamp;

/// The target of the log events for a long wait, which are shown without `-v` where no progress line shows the wait.
pub const WAIT_NOTICE: &str = "atlaudit::wait_notice";

/// Why a run stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// Our own limiter holds the next request back.
    Quota,
    /// The server asked for a pause.
    Server,
    /// A failed request is tried again later.
    Backoff,
}

/// Counters that only grow, and what the run is doing now. Shared by all tasks of a source.
#[derive(Debug, Default)]
pub struct SourceMeter {
    /// Requests sent, retries included.
    pub requests: MonotonicCounter,
    /// Requests that were tried again.
    pub retries: MonotonicCounter,
    /// Answers with status 429.
    pub limited: MonotonicCounter,
    /// Pages read.
    pub pages: MonotonicCounter,
    /// Pages with bytes that are no UTF-8.
    pub mended_pages: MonotonicCounter,
    /// Events written.
    pub events: MonotonicCounter,
    /// Events written and committed.
    pub committed: MonotonicCounter,
    /// Bytes of responses, decompressed.
    pub received_bytes: MonotonicCounter,
    /// The quickest answer, in microseconds and one more; 0 before the first.
    quickest_us: AtomicU64,
    waits: Mutex<AllWaits>,
    has_announced_wait: AtomicBool,
    newest_record_ms: AtomicI64,
    checkpointed_ms: AtomicI64,
}

/// The waits for each reason, and all of them as one.
#[derive(Debug, Default)]
struct AllWaits {
    /// The last one that began, and when it ends, while any lasts.
    current: Option<(WaitReason, Timestamp)>,
    all: WaitTracker,
    quota: WaitTracker,
    server: WaitTracker,
    backoff: WaitTracker,
}

/// The waits of a source's tasks. What several wait at once is waited once.
#[derive(Debug, Default)]
struct WaitTracker {
    /// How many wait now.
    now: usize,
    /// Since when at least one does.
    since: Option<Instant>,
    /// The sum of what is over.
    over: Duration,
}

/// A count that only grows.
#[derive(Debug, Default)]
pub struct MonotonicCounter(AtomicU64);

impl MonotonicCounter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl SourceMeter {
    /// Notes the time of the newest record read.
    pub fn reached(&self, time: Timestamp) {
        self.newest_record_ms.fetch_max(time.timestamp_millis(), Ordering::Relaxed);
    }

    /// The time of the newest record read, if there was one.
    pub fn newest_record_time(&self) -> Option<Timestamp> {
        match self.newest_record_ms.load(Ordering::Relaxed) {
            0 => None,
            ms => Timestamp::from_timestamp_millis(ms),
        }
    }

    /// Notes that a checkpoint was written at `time`.
    pub fn record_checkpoint(&self, time: Timestamp) {
        self.checkpointed_ms.store(time.timestamp_millis(), Ordering::Relaxed);
    }

    /// When the last checkpoint was written, if one was.
    pub fn checkpoint_time(&self) -> Option<Timestamp> {
        match self.checkpointed_ms.load(Ordering::Relaxed) {
            0 => None,
            ms => Timestamp::from_timestamp_millis(ms),
        }
    }

    /// Notes how long the server took for an answer.
    pub fn answered(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let quicker = |known: u64| (known == 0 || us < known - 1).then(|| us.saturating_add(1));
        // Where another task's answer was quicker, nothing changes.
        let _ = self.quickest_us.fetch_update(Ordering::Relaxed, Ordering::Relaxed, quicker);
    }

    /// The quickest answer so far.
    pub fn quickest_response(&self) -> Option<Duration> {
        let known = self.quickest_us.load(Ordering::Relaxed);
        known.checked_sub(1).map(Duration::from_micros)
    }

    /// Notes that a task of the run stands still until `until` (wall clock), or until the answer is
    /// dropped.
    pub fn waiting(&self, reason: WaitReason, until: Timestamp) -> WaitGuard<'_> {
        let mut waits = self.waits();
        waits.current = Some((reason, until));
        waits.all.begin();
        waits.of(reason).begin();
        WaitGuard(self, reason)
    }

    /// Whether a long wait may be announced: true for the first one.
    pub fn claim_wait_notice(&self) -> bool {
        !self.has_announced_wait.swap(true, Ordering::Relaxed)
    }

    /// Whether a task waits for `reason` now.
    pub fn is_waiting_for(&self, reason: WaitReason) -> bool {
        self.waits().of(reason).now > 0
    }

    /// Milliseconds spent waiting for quotas, pauses and back-offs.
    pub fn waited_ms(&self) -> u64 {
        self.waits().all.ms()
    }

    /// Milliseconds in which at least one task waited for `reason`.
    pub fn waited_for_ms(&self, reason: WaitReason) -> u64 {
        self.waits().of(reason).ms()
    }

    fn waits(&self) -> MutexGuard<'_, AllWaits> {
        // Every change is a few assignments: a panic elsewhere leaves it whole.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why and until when the run stands still, if it does.
    pub fn current_wait(&self) -> Option<(WaitReason, Timestamp)> {
        self.waits().current
    }
}

/// A task that stands still, until this is dropped.
#[derive(Debug)]
pub struct WaitGuard<'a>(&'a SourceMeter, WaitReason);

impl AllWaits {
    fn of(&mut self, reason: WaitReason) -> &mut WaitTracker {
        match reason {
            WaitReason::Quota => &mut self.quota,
            WaitReason::Server => &mut self.server,
            WaitReason::Backoff => &mut self.backoff,
        }
    }
}

impl WaitTracker {
    fn begin(&mut self) {
        self.now += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    /// Whether it was the last one that waited.
    fn end(&mut self) -> bool {
        self.now = self.now.saturating_sub(1);
        if self.now == 0 {
            let waited = self.since.take().map(|since| since.elapsed());
            self.over = self.over.saturating_add(waited.unwrap_or_default());
        }
        self.now == 0
    }

    fn ms(&self) -> u64 {
        let going_on = self.since.map(|since| since.elapsed());
        let waited = self.over.saturating_add(going_on.unwrap_or_default());
        u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        let mut waits = self.0.waits();
        waits.of(self.1).end();
        if waits.all.end() {
            waits.current = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_seen_until_it_ends() {
        let meter = SourceMeter::default();
        let until = Timestamp::from_timestamp_millis(1_795_167_000_000).unwrap();
        assert_eq!(meter.current_wait(), None);
        let waiting = meter.waiting(WaitReason::Server, until);
        assert_eq!(meter.current_wait(), Some((WaitReason::Server, until)));
        drop(waiting);
        assert_eq!(meter.current_wait(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_several_tasks_wait_at_once_is_waited_once() {
        let meter = SourceMeter::default();
        let until = Timestamp::from_timestamp_millis(1_795_167_000_000).unwrap();
        let pass = || tokio::time::advance(Duration::from_secs(1));
        let first = meter.waiting(WaitReason::Quota, until);
        pass().await;
        let second = meter.waiting(WaitReason::Quota, until);
        pass().await;
        drop(first);
        assert!(meter.current_wait().is_some());
        assert_eq!(meter.waited_ms(), 2_000);
        pass().await;
        drop(second);
        pass().await;
        assert_eq!((meter.current_wait(), meter.waited_ms()), (None, 3_000));
    }

    #[tokio::test(start_paused = true)]
    async fn each_reason_has_its_own_account() {
        let meter = SourceMeter::default();
        let until = Timestamp::from_timestamp_millis(1_795_167_000_000).unwrap();
        let pass = || tokio::time::advance(Duration::from_secs(1));
        let quota = meter.waiting(WaitReason::Quota, until);
        pass().await;
        let server = meter.waiting(WaitReason::Server, until);
        pass().await;
        drop(quota);
        pass().await;
        drop(server);
        let waited = [WaitReason::Quota, WaitReason::Server, WaitReason::Backoff]
            .map(|reason| meter.waited_for_ms(reason));
        assert_eq!((waited, meter.waited_ms()), ([2_000, 2_000, 0], 3_000));
    }

    #[test]
    fn the_quickest_answer_is_kept() {
        let meter = SourceMeter::default();
        assert_eq!(meter.quickest_response(), None);
        for ms in [30, 10, 20] {
            meter.answered(Duration::from_millis(ms));
        }
        assert_eq!(meter.quickest_response(), Some(Duration::from_millis(10)));
    }
}
