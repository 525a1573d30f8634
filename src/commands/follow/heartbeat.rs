//! Owns whether pulls get on: the watchdog hears of it only while they do.

use std::time::Duration;

use tokio::time::Instant;

use crate::commands::run_registry::PullActivity;
use crate::config::settings::SourceSettings;
use crate::crash;

/// How long nothing may move, beside what a server may be silent for, in milliseconds: a keyring that asks a person, a
/// commit to a slow disk.
const STALL_TIMEOUT_MS: usize = 60_000;

/// When something last moved.
#[derive(Debug)]
pub struct PullHeartbeat {
    mark: u64,
    last_progress: Instant,
}

impl PullHeartbeat {
    /// One that beats now.
    pub fn new() -> PullHeartbeat {
        PullHeartbeat {
            mark: 0,
            last_progress: Instant::now(),
        }
    }

    /// Takes note of a look at the sources. To wait for a known time, as a server asks for, is to get on.
    pub fn observe(&mut self, activity: PullActivity) {
        if activity.progress_mark != self.mark || activity.is_waiting {
            self.mark = activity.progress_mark;
            self.last_progress = Instant::now();
        }
    }

    /// Nothing is to be done now.
    pub fn idle(&mut self) {
        self.last_progress = Instant::now();
    }

    /// Whether something has moved lately.
    pub fn is_alive(&self, patience: Duration) -> bool {
        self.last_progress.elapsed() < patience
    }
}

/// How long nothing may move while `sources` are pulled: a silent server is given up after `timeout`, once to
/// connect and once to answer.
pub fn stall_timeout(sources: &[SourceSettings]) -> Duration {
    let timeouts = sources.iter().map(|source| source.connection.timeout);
    let ms = crash::limit("PATIENCE_MS", STALL_TIMEOUT_MS);
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
            progress_mark: mark,
            is_waiting: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_heartbeat_stops_without_progress_and_resumes_with_it() {
        let mut pulse = PullHeartbeat::new();
        pulse.observe(still(7));
        pass(59).await;
        pulse.observe(still(7));
        assert!(pulse.is_alive(PATIENCE));
        pass(1).await;
        pulse.observe(still(7));
        assert!(!pulse.is_alive(PATIENCE));
        pulse.observe(still(8));
        assert!(pulse.is_alive(PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn an_announced_wait_counts_as_progress() {
        let mut pulse = PullHeartbeat::new();
        for _ in 0..60 {
            pass(30).await;
            pulse.observe(PullActivity {
                progress_mark: 0,
                is_waiting: true,
            });
            assert!(pulse.is_alive(PATIENCE));
        }
        pass(60).await;
        pulse.observe(still(0));
        assert!(!pulse.is_alive(PATIENCE));
        pulse.idle();
        assert!(pulse.is_alive(PATIENCE));
    }
}
