//! Decides whether a request may be sent: the one rule for every limit, wherever the requests are
//! counted. `MemoryLog` counts those of this process, `quota_file` those of all processes.

use std::collections::VecDeque;
use std::time::Duration;

#[cfg(not(test))]
use rustix::time::{ClockId, clock_gettime};

use crate::telemetry::meter::WaitReason;

/// For how long a request takes its place in the quota: the server's minute and half a second.
///
/// The server counts a request when it arrives, we when it leaves, and the way takes longer for
/// some (the first one also shakes hands). With the margin, requests may differ by half a second on
/// their way and still never break the quota; it costs 1/121 of the throughput.
pub(super) const SPAN: Duration = Duration::from_millis(60_500);

/// The longest pause that is kept in memory. It bounds a server's wish, so that no arithmetic can
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

    /// By a pause that the server asked for.
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
pub(super) fn admission(
    paused_until: u64,
    nth_last: Option<u64>,
    now: u64,
) -> Result<(), ThrottledRequest> {
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

pub(super) fn nanos(span: Duration) -> u64 {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    fn admit(log: &mut MemoryLog, quota: u32, now: u64) -> Result<(), Duration> {
        log.admit(Some(quota), now).map_err(|held| held.wait)?;
        log.record(now);
        Ok(())
    }

    #[test]
    fn the_first_requests_are_sent_at_once_and_the_next_when_the_first_is_a_minute_old() {
        let (mut log, start) = (MemoryLog::default(), 5 * MS);
        for ms in [0, 10, 20] {
            assert_eq!(admit(&mut log, 3, start + ms * MS), Ok(()));
        }
        let wait = admit(&mut log, 3, start + 1_000 * MS).unwrap_err();
        assert_eq!(wait, SPAN - Duration::from_secs(1));
        assert_eq!(admit(&mut log, 3, start + nanos(SPAN)), Ok(()));
        let wait = admit(&mut log, 3, start + nanos(SPAN)).unwrap_err();
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
                if let Err(wait) = admit(&mut log, quota, now) {
                    // A promised slot is really free, and not a moment sooner.
                    prop_assert!(log.admit(Some(quota), now + nanos(wait) - 1).is_err());
                    now += nanos(wait);
                    prop_assert_eq!(admit(&mut log, quota, now), Ok(()));
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
}
