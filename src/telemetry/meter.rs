//! Owns the counters of one source's run: written by the pipeline and the client as things happen,
//! read by the progress line and the report.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use crate::model::time::Timestamp;

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
pub struct Meter {
    /// Requests sent, retries included.
    pub requests: Counter,
    /// Requests that were tried again.
    pub retries: Counter,
    /// Answers with status 429.
    pub limited: Counter,
    /// Pages read.
    pub pages: Counter,
    /// Pages with bytes that are no UTF-8.
    pub mended_pages: Counter,
    /// Events written.
    pub events: Counter,
    /// Milliseconds spent waiting for quotas, pauses and back-offs.
    pub waited_ms: Counter,
    reached_ms: AtomicI64,
    waiting: AtomicU8,
    waiting_until_ms: AtomicI64,
}

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Meter {
    /// Notes the time of the newest record read.
    pub fn reached(&self, time: Timestamp) {
        self.reached_ms
            .fetch_max(time.timestamp_millis(), Ordering::Relaxed);
    }

    /// The time of the newest record read, if there was one.
    pub fn reached_time(&self) -> Option<Timestamp> {
        match self.reached_ms.load(Ordering::Relaxed) {
            0 => None,
            ms => Timestamp::from_timestamp_millis(ms),
        }
    }

    /// Notes that the run stands still until `until` (wall clock).
    pub fn waiting(&self, reason: WaitReason, until: Timestamp) {
        self.waiting_until_ms
            .store(until.timestamp_millis(), Ordering::Relaxed);
        self.waiting.store(encode(reason), Ordering::Relaxed);
    }

    /// Notes that the run goes on.
    pub fn moving(&self) {
        self.waiting.store(0, Ordering::Relaxed);
    }

    /// Why and until when the run stands still, if it does.
    pub fn waiting_for(&self) -> Option<(WaitReason, Timestamp)> {
        let reason = decode(self.waiting.load(Ordering::Relaxed))?;
        let until = self.waiting_until_ms.load(Ordering::Relaxed);
        Some((reason, Timestamp::from_timestamp_millis(until)?))
    }
}

fn encode(reason: WaitReason) -> u8 {
    match reason {
        WaitReason::Quota => 1,
        WaitReason::Server => 2,
        WaitReason::Backoff => 3,
    }
}

fn decode(code: u8) -> Option<WaitReason> {
    [WaitReason::Quota, WaitReason::Server, WaitReason::Backoff]
        .into_iter()
        .find(|&reason| encode(reason) == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seen_until_it_ends() {
        let meter = Meter::default();
        let until = Timestamp::from_timestamp_millis(1_795_167_000_000).unwrap();
        assert_eq!(meter.waiting_for(), None);
        meter.waiting(WaitReason::Server, until);
        assert_eq!(meter.waiting_for(), Some((WaitReason::Server, until)));
        meter.moving();
        assert_eq!(meter.waiting_for(), None);
    }
}
