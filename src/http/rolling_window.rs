//! Owns an endpoint's quota: never more than so many requests in any rolling minute, exactly.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What an admission blocks its slot for: the server's minute and a margin of half a second.
///
/// The server counts a request when it arrives, we when it leaves, and the way takes longer for some
/// (the first one also shakes hands). With the margin, requests may differ by half a second on their
/// way and still never break the quota; it costs 1/121 of the throughput.
pub(super) const SPAN: Duration = Duration::from_millis(60_500);

/// A sliding log of the admissions of the last minute. A token bucket would not do: it lets its burst
/// and a minute's refill through in one minute, or else holds a run back that has barely begun.
#[derive(Debug, Clone)]
pub(super) struct RollingWindow {
    quota: usize,
    /// Instants of admission, oldest first. Grows as needed, because a
    /// quota of a million would take 16 MB in advance.
    admitted: VecDeque<Instant>,
}

impl RollingWindow {
    /// A window that admits `per_minute` requests, at least one.
    pub(super) fn new(per_minute: u32) -> Self {
        RollingWindow {
            quota: usize::try_from(per_minute.max(1)).unwrap_or(usize::MAX),
            admitted: VecDeque::new(),
        }
    }

    /// The time from one request to the next when all of the quota is used.
    pub(super) fn interval(&self) -> Duration {
        SPAN / u32::try_from(self.quota).unwrap_or(u32::MAX)
    }

    /// Counts what `earlier` has admitted, of which there may be more than the own quota.
    pub(super) fn continue_from(&mut self, earlier: RollingWindow) {
        self.admitted = earlier.admitted;
    }

    /// Whether a request may go at `now`; otherwise how long until the next may.
    pub(super) fn room(&mut self, now: Instant) -> Result<(), Duration> {
        while self.admitted.front().is_some_and(|&at| now >= at + SPAN) {
            self.admitted.pop_front();
        }
        // Of a larger earlier quota, more than one must be a minute old first.
        let nth_last = self.admitted.len().checked_sub(self.quota);
        match nth_last.and_then(|place| self.admitted.get(place)) {
            Some(&sent) => Err(sent + SPAN - now),
            None => Ok(()),
        }
    }

    /// Notes a request that goes at `now`. Only after `room` said yes.
    pub(super) fn record(&mut self, now: Instant) {
        self.admitted.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn admit(window: &mut RollingWindow, now: Instant) -> Result<(), Duration> {
        window.room(now)?;
        window.record(now);
        Ok(())
    }

    #[test]
    fn the_first_go_at_once_and_the_next_when_the_first_is_a_minute_old() {
        let (mut window, start) = (RollingWindow::new(3), Instant::now());
        for ms in [0, 10, 20] {
            assert_eq!(
                admit(&mut window, start + Duration::from_millis(ms)),
                Ok(())
            );
        }
        let now = start + Duration::from_secs(1);
        assert_eq!(admit(&mut window, now), Err(SPAN - Duration::from_secs(1)));
        assert_eq!(admit(&mut window, start + SPAN), Ok(()));
        let wait = admit(&mut window, start + SPAN).unwrap_err();
        assert_eq!(wait, Duration::from_millis(10));
    }

    #[test]
    fn a_quota_of_a_million_takes_no_memory_in_advance() {
        assert_eq!(RollingWindow::new(1_000_000).admitted.capacity(), 0);
    }

    proptest! {
        #[test]
        fn no_rolling_minute_holds_more_than_the_quota(
            quota in 1u32..60,
            steps in prop::collection::vec(prop_oneof![0u64..50, 0u64..5_000, 0u64..90_000], 1..400),
            // How late the server sees each request.
            delays in prop::collection::vec(0u64..500, 400),
        ) {
            let (mut window, mut now) = (RollingWindow::new(quota), Instant::now());
            let mut arrivals = Vec::new();
            for (step, delay) in steps.into_iter().zip(delays) {
                now += Duration::from_millis(step);
                match admit(&mut window, now) {
                    Ok(()) => arrivals.push(now + Duration::from_millis(delay)),
                    // A promised slot is really free, and not a moment sooner.
                    Err(wait) => {
                        prop_assert!(window.room(now + wait - Duration::from_nanos(1)).is_err());
                        now += wait;
                        prop_assert_eq!(admit(&mut window, now), Ok(()));
                        arrivals.push(now + Duration::from_millis(delay));
                    }
                }
            }
            arrivals.sort();
            for (first, &at) in arrivals.iter().enumerate() {
                let inside = arrivals[first..].iter().take_while(|&&t| t - at < Duration::from_secs(60)).count();
                prop_assert!(inside <= quota as usize, "{inside} requests in a minute");
            }
        }
    }
}
