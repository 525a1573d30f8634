//! Decides when an attempt is sent: no pause is on, the endpoint's rolling minute has room, in this
//! process and in all processes of the user, and the credential's overall rate allows it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::attempt_observer::log_wait;
use super::credential_limit::CredentialLimit;
use super::quota_file::QuotaFile;
use super::rolling_window::{MemoryLog, SPAN, ThrottledRequest, machine_clock};
use crate::http::message::Endpoint;
use crate::model::time;
use crate::telemetry::meter::{SourceMeter, WaitReason};

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
    shared: SharedQuotas,
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
        let overall = credential.per_minute();
        let quotas = [quota.unwrap_or(overall), overall];
        RequestLimiter {
            endpoint,
            quota,
            credential,
            counts: Mutex::new(RequestCounts {
                own: MemoryLog::default(),
                shared: SharedQuotas {
                    files: files.into_iter().zip(quotas).collect(),
                    busy_since: None,
                },
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
            let noted = self.counts().shared.pause(pause);
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
        counts.shared.admit(rate)?;
        if self.quota.is_some() {
            counts.own.record(machine_clock());
        }
        Ok(())
    }

    /// Counts what `earlier` has sent, and observes its pause: the limits of the same endpoint before
    /// its settings changed.
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

/// The files that a request is counted in, the endpoint's first, each with its quota. They are
/// given up with a warning when they cannot be used.
#[derive(Debug)]
struct SharedQuotas {
    files: Vec<(QuotaFile, u32)>,
    busy_since: Option<Instant>,
}

/// Why a request is not counted in the files.
enum AdmissionDenied {
    Throttled(ThrottledRequest),
    Busy,
    Broken(io::Error),
}

impl From<io::Error> for AdmissionDenied {
    fn from(error: io::Error) -> Self {
        AdmissionDenied::Broken(error)
    }
}

impl From<ThrottledRequest> for AdmissionDenied {
    fn from(held: ThrottledRequest) -> Self {
        AdmissionDenied::Throttled(held)
    }
}

impl SharedQuotas {
    /// Counts a request in every file, when all have room and `rate` agrees; else in none.
    fn admit(
        &mut self,
        rate: impl FnOnce() -> Result<(), ThrottledRequest>,
    ) -> Result<(), ThrottledRequest> {
        let admitted = self.try_admit(rate);
        self.settle(admitted)
    }

    /// Starts a server's pause for the other processes.
    fn pause(&mut self, pause: Duration) -> Result<(), ThrottledRequest> {
        let paused = self.try_pause(pause);
        self.settle(paused)
    }

    fn try_admit(
        &mut self,
        rate: impl FnOnce() -> Result<(), ThrottledRequest>,
    ) -> Result<(), AdmissionDenied> {
        let mut locked = Vec::with_capacity(self.files.len());
        for (file, quota) in &mut self.files {
            locked.push((file.lock()?.ok_or(AdmissionDenied::Busy)?, *quota));
        }
        // Read with the locks held, so that the times in a file are in order.
        let now = machine_clock();
        for (file, quota) in &mut locked {
            file.admit(*quota, now)??;
        }
        rate()?;
        for (file, _) in &mut locked {
            file.record(now)?;
        }
        Ok(())
    }

    fn try_pause(&mut self, pause: Duration) -> Result<(), AdmissionDenied> {
        if let Some((file, _)) = self.files.first_mut() {
            let mut locked = file.lock()?.ok_or(AdmissionDenied::Busy)?;
            locked.pause(pause, machine_clock())?;
        }
        Ok(())
    }

    fn settle(&mut self, result: Result<(), AdmissionDenied>) -> Result<(), ThrottledRequest> {
        if !matches!(result, Err(AdmissionDenied::Busy)) {
            self.busy_since = None;
        }
        match result {
            Ok(()) => Ok(()),
            Err(AdmissionDenied::Throttled(held)) => Err(held),
            Err(AdmissionDenied::Broken(error)) => {
                self.give_up(&error.to_string());
                // Try again, now without the files.
                Err(ThrottledRequest::by_quota(Duration::ZERO))
            }
            Err(AdmissionDenied::Busy) => {
                let since = *self.busy_since.get_or_insert_with(Instant::now);
                if since.elapsed() > BUSY_TIMEOUT {
                    self.give_up("another process holds the file and does not move");
                }
                Err(ThrottledRequest::by_quota(BUSY_WAIT))
            }
        }
    }

    fn give_up(&mut self, why: &str) {
        self.files.clear();
        tracing::warn!("the requests of other atlaudit processes are not counted: {why}");
    }
}

#[cfg(test)]
#[path = "limiter_tests.rs"]
mod tests;
