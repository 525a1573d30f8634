//! Owns when each source of a run begins: all of them at once, up to a number at which memory stays small, and
//! then one for each that ends. Who would have to wait for long begins all the same: slow sources hold
//! no other back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Sources that begin without waiting. Each takes up to a megabyte: its memory of what was written, its buffers.
const AT_ONCE: usize = 3;

/// The longest that one waits behind the one before it.
const PATIENCE: Duration = Duration::from_millis(100);

/// Gives the sources of a run their turns, in the order in which they ask.
#[derive(Debug, Clone)]
pub struct StartLimiter {
    places: Arc<Semaphore>,
    door: Arc<Mutex<()>>,
}

/// A source's turn, until it is dropped.
#[derive(Debug)]
pub struct StartPermit {
    _place: Option<OwnedSemaphorePermit>,
}

impl Default for StartLimiter {
    fn default() -> StartLimiter {
        StartLimiter {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            door: Arc::default(),
        }
    }
}

impl StartLimiter {
    /// Waits for a turn.
    pub async fn wait(&self) -> StartPermit {
        // One after the other, so that those who lose patience do not begin all at once.
        let _door = self.door.lock().await;
        let place = timeout(PATIENCE, self.places.clone().acquire_owned()).await;
        StartPermit {
            _place: place.ok().and_then(Result::ok),
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
        for _ in 0..AT_ONCE {
            first.push(turns.wait().await);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        first.pop();
        let _next = turns.wait().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        // All are slow.
        let _more = [turns.wait().await, turns.wait().await];
        assert_eq!(began.elapsed(), PATIENCE * 2);
    }
}
