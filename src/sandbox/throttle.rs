//! Rate limits: whether a request passes, and what the headers say about it.

use std::{collections::VecDeque, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Api, RateLimit, RateWindow, ResetPrecision};

/// The state of one API's rate limit.
#[derive(Debug, Default)]
pub struct ThrottleState {
    counted: VecDeque<DateTime<Utc>>,
}

/// What a rate limit says about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleVerdict {
    /// Whether it is answered at all.
    pub passes: bool,
    /// Requests left in the window after it.
    pub remaining: u32,
    /// Until a refused request would pass, or the window ends.
    pub wait: Duration,
}

impl ThrottleState {
    /// Judges, and counts, a request that arrives `now`.
    pub fn judge(&mut self, limit: &RateLimit, now: DateTime<Utc>) -> ThrottleVerdict {
        let since = window_start(limit, now);
        while self.counted.front().is_some_and(|at| *at < since) {
            self.counted.pop_front();
        }
        let before = u32::try_from(self.counted.len()).unwrap_or(u32::MAX);
        let passes = before < limit.requests;
        if passes {
            self.counted.push_back(now);
        }
        let opens = match limit.window {
            RateWindow::Fixed => since,
            // The request that must leave the window before another one passes.
            RateWindow::Rolling => self.counted.front().copied().unwrap_or(now),
        };
        let end = opens + span(limit.per);
        ThrottleVerdict {
            passes,
            remaining: limit.requests.saturating_sub(before + 1),
            wait: (end - now).to_std().unwrap_or_default(),
        }
    }
}

/// The `X-RateLimit-*` and `Retry-After` headers for `verdict`. Those of a Data Center product name
/// the bucket and how it is filled, and no reset (confluence.atlassian.com, "Adjusting your code
/// for rate limiting").
pub fn headers(
    api: Api,
    limit: &RateLimit,
    verdict: &ThrottleVerdict,
    now: DateTime<Utc>,
) -> Vec<(String, String)> {
    let at = now + span(verdict.wait);
    let seconds = |duration: Duration| duration.as_millis().div_ceil(1000).to_string();
    let reset = match limit.reset_precision {
        ResetPrecision::Minute => at.format("%Y-%m-%dT%H:%MZ").to_string(),
        ResetPrecision::Second => at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        ResetPrecision::EpochSeconds => at.timestamp().to_string(),
        ResetPrecision::EpochFraction => at.format("%s%.3f").to_string(),
        ResetPrecision::EpochMillis => at.timestamp_millis().to_string(),
        ResetPrecision::HttpDate => at.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        ResetPrecision::SecondsFromNow => seconds(verdict.wait),
    };
    let mut headers = vec![
        ("x-ratelimit-limit", limit.requests.to_string()),
        ("x-ratelimit-remaining", verdict.remaining.to_string()),
    ];
    match api {
        Api::DatacenterAudit => {
            headers.push(("x-ratelimit-interval-seconds", seconds(limit.per)));
            headers.push(("x-ratelimit-fillrate", limit.requests.to_string()));
        }
        _ => headers.push(("x-ratelimit-reset", reset)),
    }
    if !verdict.passes && limit.retry_after {
        headers.push(("retry-after", seconds(verdict.wait)));
    }
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn window_start(limit: &RateLimit, now: DateTime<Utc>) -> DateTime<Utc> {
    let span = span(limit.per);
    match limit.window {
        RateWindow::Rolling => now - span + TimeDelta::nanoseconds(1),
        RateWindow::Fixed => {
            let length = span.num_milliseconds().max(1);
            let start = now.timestamp_millis().div_euclid(length) * length;
            DateTime::from_timestamp_millis(start).unwrap_or(now)
        }
    }
}

fn span(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_fixed_window_opens_again_at_the_full_minute() {
        let limit = RateLimit::new(2, Duration::from_secs(60));
        let mut throttle = ThrottleState::default();
        assert!(throttle.judge(&limit, at("2026-11-20T09:30:50Z")).passes);
        let second = throttle.judge(&limit, at("2026-11-20T09:30:51Z"));
        assert_eq!((second.passes, second.remaining), (true, 0));
        let third = throttle.judge(&limit, at("2026-11-20T09:30:52Z"));
        assert_eq!((third.passes, third.wait), (false, Duration::from_secs(8)));
        assert!(throttle.judge(&limit, at("2026-11-20T09:31:00Z")).passes);
    }

    #[test]
    fn a_rolling_window_waits_for_its_oldest_request() {
        let limit =
            RateLimit { window: RateWindow::Rolling, ..RateLimit::new(2, Duration::from_secs(60)) };
        let mut throttle = ThrottleState::default();
        assert!(throttle.judge(&limit, at("2026-11-20T09:30:50Z")).passes);
        assert!(throttle.judge(&limit, at("2026-11-20T09:30:55Z")).passes);
        let third = throttle.judge(&limit, at("2026-11-20T09:31:40Z"));
        assert_eq!((third.passes, third.wait), (false, Duration::from_secs(10)));
        assert!(throttle.judge(&limit, at("2026-11-20T09:31:50Z")).passes);
        assert!(!throttle.judge(&limit, at("2026-11-20T09:31:50Z")).passes);
    }

    #[test]
    fn a_reset_at_minute_precision_lies_in_the_past() {
        let limit =
            RateLimit { retry_after: true, ..RateLimit::new(1, Duration::from_millis(1500)) };
        let verdict =
            ThrottleVerdict { passes: false, remaining: 0, wait: Duration::from_millis(1500) };
        let headers = headers(Api::OrgEvents, &limit, &verdict, at("2026-11-20T09:30:20Z"));
        assert_eq!(headers[2].1, "2026-11-20T09:30Z");
        assert_eq!(headers[3], ("retry-after".to_owned(), "2".to_owned()));
    }
}
