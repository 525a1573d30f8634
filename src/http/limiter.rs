//! Owns leave to send: an attempt goes only when no pause is on, the endpoint's rolling minute has
//! room, here and together with the user's other processes, and the credential's overall rate allows it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::attempt_log::log_wait;
use super::credential_limit::CredentialLimit;
use super::rolling_window::RollingWindow;
use super::server_pause::ServerPause;
use super::shared_limiter::SharedLimiter;
use super::throttled::ThrottledRequest;
use crate::http::message::Endpoint;
use crate::model::time;
use crate::telemetry::meter::{SourceMeter, WaitReason};

/// The limits of one endpoint under one credential. Shared (`Arc`) by every task that sends there.
///
/// What other processes send is counted in files, on top of our own account: that stays as strict
/// where nothing can be shared.
#[derive(Debug)]
pub struct RequestLimiter {
    endpoint: Endpoint,
    ledger: Mutex<LimiterState>,
    credential: Arc<CredentialLimit>,
}

#[derive(Debug)]
struct LimiterState {
    gate: ServerPause,
    window: Option<RollingWindow>,
    shared: SharedLimiter,
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
    /// quota of its own has only the credential's. Both are kept together with whoever uses `shared`.
    pub fn new(
        endpoint: Endpoint,
        requests_per_minute: Option<u32>,
        credential: Arc<CredentialLimit>,
        mut shared: SharedLimiter,
    ) -> Self {
        let quota = requests_per_minute.or(endpoint.per_minute());
        shared.limit(quota, credential.per_minute());
        RequestLimiter {
            endpoint,
            ledger: Mutex::new(LimiterState {
                gate: ServerPause::default(),
                window: quota.map(RollingWindow::new),
                shared,
            }),
            credential,
        }
    }

    /// The time from one request to the next where requests are sent as fast as the quotas allow for
    /// long. Between two of them, a page that takes no longer costs nothing.
    pub fn interval(&self) -> Duration {
        let own = self.with_state(|ledger| ledger.window.as_ref().map(RollingWindow::interval));
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
                return Err(PausedTooLong {
                    remaining: held.wait,
                });
            }
            log_wait(self.endpoint, held.wait, held.reason, meter);
            wait(held.wait, held.reason, meter).await;
        }
        Ok(())
    }

    /// Holds back every task's next attempt for `pause`, here and in other processes. A longer pause
    /// already on stays.
    pub async fn pause(&self, pause: Duration) {
        self.with_state(|ledger| ledger.gate.pause(Instant::now(), pause));
        while let Err(held) = self.with_state(|ledger| ledger.shared.pause(pause)) {
            tokio::time::sleep(held.wait).await;
        }
    }

    /// Pause, windows and rate are asked in one step, and counted only when all agree: a token held
    /// across a wait would be spent in a minute other than the one it was counted in.
    fn try_admit(&self) -> Result<(), ThrottledRequest> {
        self.with_state(|ledger| {
            let now = Instant::now();
            if let Some(wait) = ledger.gate.remaining(now) {
                return Err(ThrottledRequest::by_server(wait));
            }
            if let Some(window) = &mut ledger.window {
                window.room(now).map_err(ThrottledRequest::by_quota)?;
            }
            let rate = || self.credential.take().map_err(ThrottledRequest::by_quota);
            ledger.shared.admit(rate)?;
            if let Some(window) = &mut ledger.window {
                window.record(now);
            }
            Ok(())
        })
    }

    fn with_state<T>(&self, act: impl FnOnce(&mut LimiterState) -> T) -> T {
        // Every change to the ledger is a single push or assignment: a panic leaves it whole.
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        act(&mut ledger)
    }
}

/// Sleeps for `span`, telling `meter` why; also when the wait is dropped half-way.
pub(super) async fn wait(span: Duration, reason: WaitReason, meter: &SourceMeter) {
    let _waiting = meter.waiting(reason, time::after(Utc::now(), span));
    tokio::time::sleep(span).await;
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
