//! Owns a request's leave from the other processes of the user: asked of the files that they share,
//! and given up with a warning where those are of no use.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use super::quota_file::{LockedQuotaFile, QuotaFile};
use super::throttled::ThrottledRequest;

/// How long a file is left alone that another process holds. It needs it for microseconds.
const BUSY_WAIT: Duration = Duration::from_millis(2);

/// How long it is asked for in vain before we go on without it: somebody stopped its holder.
const BUSY_PATIENCE: Duration = Duration::from_secs(5);

/// The files that a request is counted in, its endpoint's first. Without any, nothing is shared.
#[derive(Debug)]
pub struct SharedLimiter {
    files: Vec<SharedQuota>,
    busy_since: Option<Instant>,
    clock: fn() -> u64,
}

#[derive(Debug)]
struct SharedQuota {
    file: QuotaFile,
    per_minute: u32,
}

/// Why a request does not go.
enum AdmissionDenied {
    Held(ThrottledRequest),
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
        AdmissionDenied::Held(held)
    }
}

impl SharedLimiter {
    /// Shares nothing.
    pub fn nothing() -> Self {
        SharedLimiter {
            files: Vec::new(),
            busy_since: None,
            clock: monotonic_nanos,
        }
    }

    /// Shares the file `endpoint`, whose server's pauses are kept too, and, where the credential's
    /// account is known, that of the account.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub(super) fn open(endpoint: PathBuf, account: Option<PathBuf>) -> io::Result<Self> {
        let paths = std::iter::once(endpoint).chain(account);
        let files = paths.map(|path| {
            Ok(SharedQuota {
                file: QuotaFile::open(path)?,
                per_minute: u32::MAX,
            })
        });
        Ok(SharedLimiter {
            files: files.collect::<io::Result<_>>()?,
            ..SharedLimiter::nothing()
        })
    }

    /// The same by another clock.
    #[cfg(test)]
    pub(super) fn with_clock(self, clock: fn() -> u64) -> Self {
        SharedLimiter { clock, ..self }
    }

    /// Sets how many requests a minute the endpoint takes, and the credential over all endpoints.
    /// An endpoint without a quota of its own takes what the credential takes.
    pub(super) fn limit(&mut self, endpoint: Option<u32>, credential: u32) {
        for (place, quota) in self.files.iter_mut().enumerate() {
            let own = endpoint.filter(|_| place == 0);
            quota.per_minute = own.unwrap_or(credential);
        }
    }

    /// Counts a request in every file, when all have room and `also` agrees; else in none.
    pub(super) fn admit(
        &mut self,
        also: impl FnOnce() -> Result<(), ThrottledRequest>,
    ) -> Result<(), ThrottledRequest> {
        let asked = self.try_admit(also);
        self.settle(asked)
    }

    /// Tells the other processes of a server's pause.
    pub(super) fn pause(&mut self, pause: Duration) -> Result<(), ThrottledRequest> {
        let asked = self.try_pause(pause);
        self.settle(asked)
    }

    fn try_admit(
        &mut self,
        also: impl FnOnce() -> Result<(), ThrottledRequest>,
    ) -> Result<(), AdmissionDenied> {
        let mut locked = Vec::with_capacity(self.files.len());
        for quota in &mut self.files {
            locked.push((lock(&mut quota.file)?, quota.per_minute));
        }
        // Looked at with the locks held, so that the times in a file are in order.
        let now = (self.clock)();
        for (file, per_minute) in &mut locked {
            file.room(*per_minute, now)??;
        }
        also()?;
        for (file, _) in &mut locked {
            file.record(now)?;
        }
        Ok(())
    }

    fn try_pause(&mut self, pause: Duration) -> Result<(), AdmissionDenied> {
        if let Some(quota) = self.files.first_mut() {
            let mut file = lock(&mut quota.file)?;
            file.pause(pause, (self.clock)())?;
        }
        Ok(())
    }

    fn settle(&mut self, asked: Result<(), AdmissionDenied>) -> Result<(), ThrottledRequest> {
        let Err(AdmissionDenied::Busy) = asked else {
            self.busy_since = None;
            return match asked {
                Err(AdmissionDenied::Held(held)) => Err(held),
                Err(AdmissionDenied::Broken(error)) => {
                    self.give_up(&error.to_string());
                    // Ask again, now only ourselves.
                    Err(ThrottledRequest::by_quota(Duration::ZERO))
                }
                _ => Ok(()),
            };
        };
        let since = *self.busy_since.get_or_insert_with(Instant::now);
        if since.elapsed() > BUSY_PATIENCE {
            self.give_up("another process holds the file and does not move");
        }
        Err(ThrottledRequest::by_quota(BUSY_WAIT))
    }

    fn give_up(&mut self, why: &str) {
        self.files.clear();
        tracing::warn!("the requests of other atlaudit processes are not counted: {why}");
    }
}

fn lock(file: &mut QuotaFile) -> Result<LockedQuotaFile<'_>, AdmissionDenied> {
    file.lock()?.ok_or(AdmissionDenied::Busy)
}

/// Nanoseconds since the machine started, the same for all its processes.
fn monotonic_nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
#[path = "shared_limiter_tests.rs"]
mod tests;
