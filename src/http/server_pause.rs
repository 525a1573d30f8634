//! Owns the pause that a server asked for: until when nobody may send to the endpoint.

use std::time::Duration;

use tokio::time::Instant;

/// The longest pause that is kept: a sane bound for a server's wish, so that no arithmetic on
/// instants can overflow. Waiting so long is refused elsewhere (`max_wait`).
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Closed until an instant, or open.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ServerPause {
    until: Option<Instant>,
}

impl ServerPause {
    /// Closes the gate for `pause` from `now`. Of several pauses the one that ends last counts.
    pub(super) fn pause(&mut self, now: Instant, pause: Duration) {
        self.until = self.until.max(Some(now + pause.min(LONGEST)));
    }

    /// How long the gate stays closed, if it is.
    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_that_ends_last_counts() {
        let (mut gate, start) = (ServerPause::default(), Instant::now());
        assert_eq!(gate.remaining(start), None);
        gate.pause(start, Duration::from_secs(30));
        gate.pause(start, Duration::from_secs(5));
        let later = start + Duration::from_secs(10);
        assert_eq!(gate.remaining(later), Some(Duration::from_secs(20)));
        assert_eq!(gate.remaining(start + Duration::from_secs(30)), None);
    }

    #[test]
    fn an_absurd_pause_is_cut() {
        let (mut gate, start) = (ServerPause::default(), Instant::now());
        gate.pause(start, Duration::MAX);
        assert_eq!(gate.remaining(start), Some(LONGEST));
    }
}
