//! The counters of one source's run: written by the pipeline and the HTTP client, read by the
//! progress line and the report.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;

use crate::model::time::{Timestamp, Window};

/// The target of the log events for a long wait, which are shown without `-v` where no progress
/// line shows the wait.
pub const WAIT_NOTICE: &str = "atlaudit::wait_notice";

/// The target of the log events for requests that are tried again after a wait that a person
/// notices.
pub const RETRY_NOTICE: &str = "atlaudit::retry_notice";

/// Why a run waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// Our own limiter holds the next request back.
    Quota,
    /// The server requested a pause.
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
    /// Pages with invalid UTF-8.
    pub mended_pages: MonotonicCounter,
    /// Events written.
    pub events: MonotonicCounter,
    /// Events written and committed.
    pub committed: MonotonicCounter,
    /// Bytes of responses, decompressed.
    pub received_bytes: MonotonicCounter,
    state: Mutex<MeterState>,
}

#[derive(Debug, Default)]
struct MeterState {
    quickest_response: Option<Duration>,
    newest_record: Option<Timestamp>,
    window: Option<Window>,
    written_up_to: Option<Timestamp>,
    checkpoint: Option<Timestamp>,
    server_ahead: Option<TimeDelta>,
    has_announced_wait: bool,
    /// The last wait that began, and when it ends, while any lasts.
    current_wait: Option<(WaitReason, Timestamp)>,
    any_wait: WaitTracker,
    /// The waits for each reason.
    waits: [WaitTracker; 3],
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
        let mut state = self.state();
        state.newest_record = state.newest_record.max(Some(time));
    }

    /// The time of the newest record read, if there was one.
    pub fn newest_record_time(&self) -> Option<Timestamp> {
        self.state().newest_record
    }

    /// Notes that the run reads `window`.
    pub fn set_window(&self, window: Window) {
        self.state().window = Some(window);
    }

    /// Notes that everything up to `time` was read and written.
    pub fn wrote_up_to(&self, time: Timestamp) {
        self.state().written_up_to = Some(time);
    }

    /// What the run reads, and up to where it has come, once it has written something.
    pub fn reading(&self) -> Option<(Window, Timestamp)> {
        let state = self.state();
        state.window.zip(state.written_up_to)
    }

    /// Notes that a checkpoint was written at `time`.
    pub fn record_checkpoint(&self, time: Timestamp) {
        self.state().checkpoint = Some(time);
    }

    /// When the last checkpoint was written, if one was.
    pub fn checkpoint_time(&self) -> Option<Timestamp> {
        self.state().checkpoint
    }

    /// Notes how long the server took for an answer.
    pub fn answered(&self, took: Duration) {
        let mut state = self.state();
        state.quickest_response = Some(state.quickest_response.map_or(took, |q| q.min(took)));
    }

    /// Notes by how much the server's clock is ahead of ours, as one response says.
    pub fn server_is_ahead(&self, by: TimeDelta) {
        let mut state = self.state();
        let known = state.server_ahead.filter(|known| known.abs() > by.abs());
        state.server_ahead = known.or(Some(by));
    }

    /// By how much the server's clock is ahead of ours, or behind, where any response said so:
    /// the most of all responses.
    pub fn server_ahead(&self) -> Option<TimeDelta> {
        self.state().server_ahead
    }

    /// The quickest answer so far.
    pub fn quickest_response(&self) -> Option<Duration> {
        self.state().quickest_response
    }

    /// Notes that a task of the run waits until `until` (wall clock), or until the guard is
    /// dropped.
    pub fn waiting(&self, reason: WaitReason, until: Timestamp) -> WaitGuard<'_> {
        let mut state = self.state();
        state.current_wait = Some((reason, until));
        state.any_wait.begin();
        state.of(reason).begin();
        WaitGuard(self, reason)
    }

    /// Whether a long wait may be announced: true for the first one.
    pub fn claim_wait_notice(&self) -> bool {
        !std::mem::replace(&mut self.state().has_announced_wait, true)
    }

    /// Whether a task waits for `reason` now.
    pub fn is_waiting_for(&self, reason: WaitReason) -> bool {
        self.state().of(reason).now > 0
    }

    /// Milliseconds spent waiting for quotas, pauses and back-offs.
    pub fn waited_ms(&self) -> u64 {
        self.state().any_wait.ms()
    }

    /// Milliseconds in which at least one task waited for `reason`.
    pub fn waited_for_ms(&self, reason: WaitReason) -> u64 {
        self.state().of(reason).ms()
    }

    /// Why and until when the run waits, if it does.
    pub fn current_wait(&self) -> Option<(WaitReason, Timestamp)> {
        self.state().current_wait
    }

    fn state(&self) -> MutexGuard<'_, MeterState> {
        // Every change is a few assignments: a panic elsewhere leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MeterState {
    fn of(&mut self, reason: WaitReason) -> &mut WaitTracker {
        let [quota, server, backoff] = &mut self.waits;
        match reason {
            WaitReason::Quota => quota,
            WaitReason::Server => server,
            WaitReason::Backoff => backoff,
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
            self.over = self.waited();
            self.since = None;
        }
        self.now == 0
    }

    fn waited(&self) -> Duration {
        self.over.saturating_add(self.since.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    fn ms(&self) -> u64 {
        u64::try_from(self.waited().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A task that waits, until this is dropped.
#[derive(Debug)]
pub struct WaitGuard<'a>(&'a SourceMeter, WaitReason);

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.of(self.1).end();
        if state.any_wait.end() {
            state.current_wait = None;
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
