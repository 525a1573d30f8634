//! Limits the overall rate of one credential, over every endpoint it is used for.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

/// Requests a minute that Atlassian allows one credential over all endpoints
/// (learn.microsoft.com/defender-cloud-apps/protect-atlassian; Atlassian states none itself).
const CREDENTIAL_PER_MINUTE: u32 = 1000;

/// Requests of one credential that may go at once, before the rate spaces them: a site's log of a
/// hundred thousand records.
pub(super) const CREDENTIAL_BURST: u32 = 100;

/// The overall rate of one credential, shared by every endpoint and source that uses it.
#[derive(Debug)]
pub struct CredentialLimit<C: Clock = TokioClock> {
    per_minute: u32,
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
}

impl CredentialLimit {
    /// 1000 requests a minute, or `requests_per_minute` when that is larger.
    pub fn new(requests_per_minute: Option<u32>) -> Self {
        CredentialLimit::with_clock(requests_per_minute, TokioClock::default())
    }
}

impl<C: Clock> CredentialLimit<C> {
    fn with_clock(requests_per_minute: Option<u32>, clock: C) -> Self {
        let per_minute =
            requests_per_minute.map_or(CREDENTIAL_PER_MINUTE, |own| own.max(CREDENTIAL_PER_MINUTE));
        CredentialLimit {
            per_minute,
            limiter: RateLimiter::direct_with_clock(governor_quota(per_minute), clock),
        }
    }

    /// Requests that may go in a minute.
    pub(super) fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// The time from one request to the next when all of the rate is used.
    pub(super) fn interval(&self) -> Duration {
        governor_quota(self.per_minute).replenish_interval()
    }

    /// Takes a token, or says how long until the next one.
    pub(super) fn take(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|held| held.wait_time_from(self.limiter.clock().now()))
    }
}

/// A quota that never lets more than `per_minute` through in any 61 seconds: the server's minute
/// and a second for what may delay one on its way (`window` takes half of it).
///
/// `Quota::per_minute(1000)` alone would let 1999 through: its burst is as large as its rate.
fn governor_quota(per_minute: u32) -> Quota {
    let refill = u64::from(per_minute.saturating_sub(CREDENTIAL_BURST)) * 60 / 61;
    let refill = u32::try_from(refill).ok().and_then(NonZeroU32::new);
    let burst = NonZeroU32::new(CREDENTIAL_BURST).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(refill.unwrap_or(NonZeroU32::MIN)).allow_burst(burst)
}

/// tokio's clock for governor, so that a test's paused time holds for it as for every other wait.
#[derive(Debug, Clone)]
pub struct TokioClock(Instant);

impl Default for TokioClock {
    fn default() -> Self {
        TokioClock(Instant::now())
    }
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    /// The milliseconds at which a caller that never rests gets through, over `minutes`.
    fn greedy(
        requests_per_minute: Option<u32>,
        minutes: u64,
        idle: std::ops::Range<u64>,
    ) -> Vec<u64> {
        let clock = FakeRelativeClock::default();
        let limit = CredentialLimit::with_clock(requests_per_minute, clock.clone());
        let mut passed = Vec::new();
        for ms in 0..minutes * 60_000 {
            while !idle.contains(&ms) && limit.take().is_ok() {
                passed.push(ms);
            }
            clock.advance(Duration::from_millis(1));
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

    #[test]
    fn a_credential_never_passes_its_rate_in_any_rolling_minute() {
        // A caller that never rests, and one that rests, saves up its burst and starts again.
        for idle in [0..0, 70_000..95_000] {
            let most = most_in_a_minute(&greedy(None, 4, idle.clone()));
            assert!((960..=1000).contains(&most), "{most} with a rest {idle:?}");
        }
        let most = most_in_a_minute(&greedy(Some(6000), 2, 0..0));
        assert!((5800..=6000).contains(&most), "{most}");
        // A smaller figure narrows the endpoint, not the credential.
        assert!(most_in_a_minute(&greedy(Some(10), 2, 0..0)) > 900);
    }
}
