//! Owns when each source of a run begins: all of them at once, up to a number at which memory stays small, and
//! then one for each that ends. Who would have to wait for long begins all the same: slow sources hold
//! no other back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Sources that begin without waiting. Each takes up to a megabyte: its memory of what was written, its buffers.
const MAX_IMMEDIATE_STARTS: usize = 3;

/// The longest that one waits behind the one before it.
const MAX_START_DELAY: Duration = Duration::from_millis(100);

/// Gives the sources of a run their turns, in the order in which they ask.
#[derive(Debug, Clone)]
pub struct StartLimiter {
    permits: Arc<Semaphore>,
    queue: Arc<Mutex<()>>,
}

/// A source's turn, until it is dropped.
#[derive(Debug)]
pub struct StartPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for StartLimiter {
    fn default() -> StartLimiter {
        StartLimiter {
            permits: Arc::new(Semaphore::new(MAX_IMMEDIATE_STARTS)),
            queue: Arc::default(),
        }
    }
}

impl StartLimiter {
    /// Waits for a turn.
    pub async fn acquire(&self) -> StartPermit {
        // One after the other, so that those who lose patience do not begin all at once.
        let _door = self.queue.lock().await;
        let place = timeout(MAX_START_DELAY, self.permits.clone().acquire_owned()).await;
        StartPermit {
            _permit: place.ok().and_then(Result::ok),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_source_starts_when_another_ends_or_after_the_delay() {
        let (turns, began) = (StartLimiter::default(), Instant::now());
        let mut first = Vec::new();
        for _ in 0..MAX_IMMEDIATE_STARTS {
            first.push(turns.acquire().await);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        first.pop();
        let _next = turns.acquire().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        // All are slow.
        let _more = [turns.acquire().await, turns.acquire().await];
        assert_eq!(began.elapsed(), MAX_START_DELAY * 2);
    }
}
