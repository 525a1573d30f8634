//! Decides when an attempt is sent: no pause is on, the endpoint's rolling minute has room, in this
//! process and in all processes of the user, and the credential's overall rate allows it.

use std::io;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use super::attempt_observer::millis;
use super::message::Endpoint;
use super::quota_file::{LockedQuotaFile, QuotaFile};
use super::rolling_window::{MemoryLog, SPAN, ThrottledRequest, machine_clock};
use crate::model::time;
use crate::telemetry::meter::{SourceMeter, WAIT_NOTICE, WaitReason};

/// A longer wait is logged without `-v` too, once in a run, for those who have no progress line.
const LONG_WAIT: Duration = Duration::from_secs(10);

/// A shorter wait is a detail.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// How long a file is left alone that another process holds. It needs it for microseconds.
const BUSY_WAIT: Duration = Duration::from_millis(2);

/// For how long a busy file is tried before we go on without it: its holder was stopped.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The limits of one endpoint under one credential. Shared (`Arc`) by every task that sends there.
///
/// Requests are counted in memory and in the files that all processes share, by the same rule. So
/// the limit holds for this process also when a file is lost.
#[derive(Debug)]
pub struct RequestLimiter {
    endpoint: Endpoint,
    quota: Option<u32>,
    credential: Arc<CredentialLimit>,
    counts: Mutex<RequestCounts>,
}

#[derive(Debug)]
struct RequestCounts {
    own: MemoryLog,
    /// The files that a request is counted in, the endpoint's first, each with its quota. They are
    /// given up with a warning when they cannot be used.
    files: Vec<(QuotaFile, u32)>,
    busy_since: Option<Instant>,
}

/// A server's pause that lasts longer than the caller may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's pause lasts another {} s", .remaining.as_secs())]
pub struct PausedTooLong {
    /// How long the pause still lasts.
    pub remaining: Duration,
}

impl RequestLimiter {
    /// The limits of `endpoint`; `requests_per_minute` replaces its quota. An endpoint without a
    /// quota of its own has only the credential's. `files` are those that all processes count in:
    /// the endpoint's, and the credential's if its account is known. Without any, nothing is
    /// shared.
    pub fn new(
        endpoint: Endpoint,
        requests_per_minute: Option<u32>,
        credential: Arc<CredentialLimit>,
        files: Vec<QuotaFile>,
    ) -> Self {
        let quota = requests_per_minute.or(endpoint.per_minute());
        let overall = credential.per_minute;
        let quotas = [quota.unwrap_or(overall), overall];
        RequestLimiter {
            endpoint,
            quota,
            credential,
            counts: Mutex::new(RequestCounts {
                own: MemoryLog::default(),
                files: files.into_iter().zip(quotas).collect(),
                busy_since: None,
            }),
        }
    }

    /// The time from one request to the next where requests are sent as fast as the quotas allow
    /// for long. Between two of them, a page that takes no longer costs nothing.
    pub fn interval(&self) -> Duration {
        let own = self.quota.map(|quota| SPAN / quota.max(1));
        own.unwrap_or_default().max(self.credential.interval())
    }

    /// Waits until one attempt may be sent, and counts it as sent.
    ///
    /// # Errors
    /// When the server's pause lasts longer than `max_wait`; nothing is counted then.
    pub async fn admit(
        &self,
        max_wait: Duration,
        meter: &SourceMeter,
    ) -> Result<(), PausedTooLong> {
        while let Err(held) = self.try_admit() {
            if held.reason == WaitReason::Server && held.wait > max_wait {
                return Err(PausedTooLong { remaining: held.wait });
            }
            log_wait(self.endpoint, held.wait, held.reason, meter);
            wait(held.wait, held.reason, meter).await;
        }
        Ok(())
    }

    /// Holds back every task's next attempt for `pause`, here and in other processes. A longer
    /// pause already on stays.
    pub async fn pause(&self, pause: Duration) {
        self.counts().own.pause(pause, machine_clock());
        loop {
            let noted = self.counts().pause_shared(pause);
            match noted {
                Ok(()) => return,
                Err(held) => tokio::time::sleep(held.wait).await,
            }
        }
    }

    /// Every limit is checked in one step, and the request counted only when all agree: a token
    /// held across a wait would be spent in a minute other than the one it was counted in.
    fn try_admit(&self) -> Result<(), ThrottledRequest> {
        let mut counts = self.counts();
        counts.own.admit(self.quota, machine_clock())?;
        let rate = || self.credential.take().map_err(ThrottledRequest::by_quota);
        counts.admit_shared(rate)?;
        if self.quota.is_some() {
            counts.own.record(machine_clock());
        }
        Ok(())
    }

    /// Counts what `earlier` has sent, and observes its pause: the limits of the same endpoint
    /// before its settings changed.
    pub fn continue_from(&self, earlier: &RequestLimiter) {
        let own = earlier.counts().own.clone();
        self.counts().own = own;
    }

    fn counts(&self) -> MutexGuard<'_, RequestCounts> {
        // Every change is a single push or assignment: a panic leaves it whole.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sleeps for `span`, while `meter` shows why; also when the wait is dropped half-way.
pub(super) async fn wait(span: Duration, reason: WaitReason, meter: &SourceMeter) {
    let _waiting = meter.waiting(reason, time::after(Utc::now(), span));
    tokio::time::sleep(span).await;
}

/// Logs that the next request to `endpoint` waits so long, unless another task waits for the same
/// already.
fn log_wait(endpoint: Endpoint, wait: Duration, reason: WaitReason, meter: &SourceMeter) {
    let (word, why) = match reason {
        WaitReason::Quota => ("quota", "for the rate limit"),
        WaitReason::Server => ("server", "as the server requested"),
        WaitReason::Backoff => ("backoff", "before the next attempt"),
    };
    let (endpoint, wait_ms) = (endpoint.name(), millis(wait));
    let text = format!("waiting {} s {why}", wait_ms.div_ceil(1000));
    if wait > LONG_WAIT && meter.claim_wait_notice() {
        tracing::info!(target: WAIT_NOTICE, endpoint, reason = word, wait_ms, "{text}");
    } else if wait >= SHORT_WAIT && !meter.is_waiting_for(reason) {
        tracing::info!(endpoint, reason = word, wait_ms, "{text}");
    } else {
        tracing::debug!(endpoint, reason = word, wait_ms, "{text}");
    }
}

impl RequestCounts {
    /// Counts a request in every file, when all have room and `rate` agrees; else in none.
    fn admit_shared(
        &mut self,
        rate: impl FnOnce() -> Result<(), ThrottledRequest>,
    ) -> Result<(), ThrottledRequest> {
        self.with_locked(usize::MAX, |files, now| {
            for (file, quota) in files.iter_mut() {
                if let Err(held) = file.admit(*quota, now)? {
                    return Ok(Err(held));
                }
            }
            if let Err(held) = rate() {
                return Ok(Err(held));
            }
            for (file, _) in files {
                file.record(now)?;
            }
            Ok(Ok(()))
        })
    }

    /// Starts a server's pause for the other processes: in the endpoint's file.
    fn pause_shared(&mut self, pause: Duration) -> Result<(), ThrottledRequest> {
        self.with_locked(1, |files, now| {
            for (file, _) in files {
                file.pause(pause, now)?;
            }
            Ok(Ok(()))
        })
    }

    /// Runs `act` with the first `count` files locked, and with the time at which they were, so
    /// that the times in a file are in order.
    fn with_locked(
        &mut self,
        count: usize,
        act: impl FnOnce(
            &mut [(LockedQuotaFile<'_>, u32)],
            u64,
        ) -> io::Result<Result<(), ThrottledRequest>>,
    ) -> Result<(), ThrottledRequest> {
        let try_act = || -> io::Result<_> {
            let mut locked = Vec::new();
            for (file, quota) in self.files.iter_mut().take(count) {
                let Some(file) = file.lock()? else { return Ok(None) };
                locked.push((file, *quota));
            }
            act(&mut locked, machine_clock()).map(Some)
        };
        match try_act() {
            Ok(Some(result)) => {
                self.busy_since = None;
                result
            }
            Ok(None) => {
                let since = *self.busy_since.get_or_insert_with(Instant::now);
                if since.elapsed() > BUSY_TIMEOUT {
                    self.give_up("another process holds the file and does not move");
                }
                Err(ThrottledRequest::by_quota(BUSY_WAIT))
            }
            Err(error) => {
                self.give_up(&error.to_string());
                // Try again, now without the files.
                Err(ThrottledRequest::by_quota(Duration::ZERO))
            }
        }
    }

    fn give_up(&mut self, why: &str) {
        self.files.clear();
        self.busy_since = None;
        tracing::warn!("the requests of other atlaudit processes are not counted: {why}");
    }
}

/// Requests a minute that Atlassian allows one credential over all endpoints
/// (learn.microsoft.com/defender-cloud-apps/protect-atlassian; Atlassian states none itself).
const CREDENTIAL_PER_MINUTE: u32 = 1000;

/// Requests of one credential that may go at once, before the rate spaces them: a site's log of a
/// hundred thousand records.
const CREDENTIAL_BURST: u32 = 100;

/// The overall rate of one credential, shared by every endpoint and source that uses it.
#[derive(Debug)]
pub struct CredentialLimit {
    per_minute: u32,
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
}

impl CredentialLimit {
    /// 1000 requests a minute, or `requests_per_minute` when that is larger.
    pub fn new(requests_per_minute: Option<u32>) -> Self {
        let per_minute =
            requests_per_minute.map_or(CREDENTIAL_PER_MINUTE, |own| own.max(CREDENTIAL_PER_MINUTE));
        let quota = governor_quota(per_minute);
        CredentialLimit {
            per_minute,
            limiter: RateLimiter::direct_with_clock(quota, TokioClock(Instant::now())),
        }
    }

    /// The time from one request to the next when all of the rate is used.
    fn interval(&self) -> Duration {
        governor_quota(self.per_minute).replenish_interval()
    }

    /// Takes a token, or says how long until the next one.
    fn take(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|held| held.wait_time_from(self.limiter.clock().now()))
    }
}

/// A quota that never lets more than `per_minute` through in any 61 seconds: the server's minute
/// and a second for what may delay one on its way (`rolling_window` takes half of it).
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
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
