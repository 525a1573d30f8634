//! Owns whether pulls get on: the watchdog hears of it only while they do.

use std::time::Duration;

use tokio::time::Instant;

use crate::commands::run_registry::PullActivity;
use crate::config::settings::SourceSettings;
use crate::crash;

/// How long nothing may move, beside what a server may be silent for, in milliseconds: a keyring that asks a person, a
/// commit to a slow disk.
const PATIENCE_MS: usize = 60_000;

/// When something last moved.
#[derive(Debug)]
pub struct PullHeartbeat {
    mark: u64,
    moved: Instant,
}

impl PullHeartbeat {
    /// One that beats now.
    pub fn new() -> PullHeartbeat {
        PullHeartbeat {
            mark: 0,
            moved: Instant::now(),
        }
    }

    /// Takes note of a look at the sources. To wait for a known time, as a server asks for, is to get on.
    pub fn feel(&mut self, activity: PullActivity) {
        if activity.mark != self.mark || activity.is_waiting {
            self.mark = activity.mark;
            self.moved = Instant::now();
        }
    }

    /// Nothing is to be done now.
    pub fn rest(&mut self) {
        self.moved = Instant::now();
    }

    /// Whether something has moved lately.
    pub fn beats(&self, patience: Duration) -> bool {
        self.moved.elapsed() < patience
    }
}

/// How long nothing may move while `sources` are pulled: a silent server is given up after `timeout`, once to
/// connect and once to answer.
pub fn patience(sources: &[SourceSettings]) -> Duration {
    let timeouts = sources.iter().map(|source| source.connection.timeout);
    let ms = crash::limit("PATIENCE_MS", PATIENCE_MS);
    let own = Duration::from_millis(ms.try_into().unwrap_or(u64::MAX));
    (timeouts.max().unwrap_or_default() * 2).saturating_add(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    fn still(mark: u64) -> PullActivity {
        PullActivity {
            mark,
            is_waiting: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_heartbeat_stops_without_progress_and_resumes_with_it() {
        let mut pulse = PullHeartbeat::new();
        pulse.feel(still(7));
        pass(59).await;
        pulse.feel(still(7));
        assert!(pulse.beats(PATIENCE));
        pass(1).await;
        pulse.feel(still(7));
        assert!(!pulse.beats(PATIENCE));
        pulse.feel(still(8));
        assert!(pulse.beats(PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn an_announced_wait_counts_as_progress() {
        let mut pulse = PullHeartbeat::new();
        for _ in 0..60 {
            pass(30).await;
            pulse.feel(PullActivity {
                mark: 0,
                is_waiting: true,
            });
            assert!(pulse.beats(PATIENCE));
        }
        pass(60).await;
        pulse.feel(still(0));
        assert!(!pulse.beats(PATIENCE));
        pulse.rest();
        assert!(pulse.beats(PATIENCE));
    }
}
