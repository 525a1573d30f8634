//! Reports each attempt at a request to an observer and to the log: neither the query of a URL nor
//! any header that was sent.

use std::marker::PhantomData;
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::message::{Endpoint, Request, Response};
use crate::model::time::Timestamp;
use crate::telemetry::meter::{SourceMeter, WAIT_NOTICE, WaitReason};

/// A longer wait is logged without `-v` too, once in a run, for those who have no progress line.
const LONG_WAIT: Duration = Duration::from_secs(10);

/// A shorter wait is a detail.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// Headers of a response that `-vv` shows: what explains how it was treated, and no cookie.
const LOGGED_HEADERS: [&str; 8] = [
    "content-type",
    "content-encoding",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-cache",
    "x-failure-category",
];

/// One attempt, as it went. It has no credential: the client alone has one.
#[derive(Debug)]
pub struct RequestAttempt<'a> {
    /// What was asked.
    pub request: &'a Request,
    /// Which attempt at it this is, from 1.
    pub number: u32,
    /// When the answer was whole, or the attempt had failed.
    pub ended: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The answer, if one came.
    pub response: Option<&'a Response>,
    /// Why it brought nothing.
    pub error: Option<&'a str>,
    /// How long the next attempt waits, if there is to be one.
    pub waits: Option<Duration>,
}

/// Sees every attempt, in the order in which they end.
pub trait AttemptObserver<P>: Sync {
    /// `made` is what was made of the answer, where it could be used.
    fn saw(&self, attempt: &RequestAttempt<'_>, made: Option<&P>);

    /// How many records `made` holds, where it is a page; for the log.
    fn records(&self, _made: &P) -> Option<usize> {
        None
    }
}

/// Nobody looks.
#[derive(Debug, Clone, Copy)]
pub struct NoObserver;

impl<P> AttemptObserver<P> for NoObserver {
    fn saw(&self, _: &RequestAttempt<'_>, _: Option<&P>) {}
}

impl<P, W: AttemptObserver<P>> AttemptObserver<P> for Option<W> {
    fn saw(&self, attempt: &RequestAttempt<'_>, made: Option<&P>) {
        if let Some(observer) = self {
            observer.saw(attempt, made);
        }
    }

    fn records(&self, made: &P) -> Option<usize> {
        self.as_ref()?.records(made)
    }
}

impl<P, W: AttemptObserver<P>> AttemptObserver<P> for &W {
    fn saw(&self, attempt: &RequestAttempt<'_>, made: Option<&P>) {
        (*self).saw(attempt, made);
    }

    fn records(&self, made: &P) -> Option<usize> {
        (*self).records(made)
    }
}

/// An attempt that is under way. Dropped, it reports that nobody waits for its response any more:
/// the server may have counted it.
pub struct InFlight<'a, P, W: AttemptObserver<P>> {
    observer: &'a W,
    request: &'a Request,
    number: u32,
    sent: Instant,
    is_over: bool,
    made: PhantomData<fn(&P)>,
}

impl<'a, P, W: AttemptObserver<P>> InFlight<'a, P, W> {
    /// Attempt `number` at `request`, which begins now.
    pub fn begin(observer: &'a W, request: &'a Request, number: u32) -> Self {
        InFlight {
            observer,
            request,
            number,
            sent: Instant::now(),
            is_over: false,
            made: PhantomData,
        }
    }

    /// It has ended by itself.
    pub fn over(mut self) {
        self.is_over = true;
    }
}

impl<P, W: AttemptObserver<P>> Drop for InFlight<'_, P, W> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let attempt = RequestAttempt {
            request: self.request,
            number: self.number,
            ended: Utc::now(),
            took: self.sent.elapsed(),
            response: None,
            error: Some("given up before its answer was whole: it was needed no more"),
            waits: None,
        };
        log_attempt(&attempt, None);
        self.observer.saw(&attempt, None);
    }
}

/// Logs `attempt`; `records` is how many its page has, where it is one.
pub(super) fn log_attempt(attempt: &RequestAttempt<'_>, records: Option<usize>) {
    let response = attempt.response;
    tracing::info!(
        endpoint = attempt.request.endpoint.name(),
        attempt = (attempt.number > 1).then_some(attempt.number),
        status = response.map(|response| response.status),
        records,
        bytes = response.map(|response| response.body.len()),
        duration_ms = millis(attempt.took),
        error = attempt.error,
        "request"
    );
    if let Some(response) = response {
        tracing::debug!(
            endpoint = attempt.request.endpoint.name(),
            host = attempt.request.url.host_str(),
            headers = format_headers(response),
            "response"
        );
    }
}

fn format_headers(response: &Response) -> String {
    let headers = response.headers.iter();
    let shown = headers.filter(|(name, _)| LOGGED_HEADERS.contains(&name.as_str()));
    let lines: Vec<_> = shown.map(|(name, value)| format!("{name}: {value}")).collect();
    lines.join("; ")
}

/// Logs that the next request to `endpoint` waits so long, unless another task waits for the same
/// already.
pub(super) fn log_wait(
    endpoint: Endpoint,
    wait: Duration,
    reason: WaitReason,
    meter: &SourceMeter,
) {
    let (word, why) = match reason {
        WaitReason::Quota => ("quota", "for the rate limit"),
        WaitReason::Server => ("server", "as the server requested"),
        WaitReason::Backoff => ("backoff", "before the next attempt"),
    };
    let (endpoint, wait_ms) = (endpoint.name(), millis(wait));
    let text = format!("waiting {} s {why}", wait_ms.div_ceil(1000));
    if wait > LONG_WAIT && meter.claim_wait_notice() {
        tracing::info!(target: WAIT_NOTICE, endpoint, reason = word, wait_ms, "{text}");
    } else if wait >= SHORT_WAIT && !meter.is_waiting_for(reason) {
        tracing::info!(endpoint, reason = word, wait_ms, "{text}");
    } else {
        tracing::debug!(endpoint, reason = word, wait_ms, "{text}");
    }
}

/// `span` in whole milliseconds.
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
