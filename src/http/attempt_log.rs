//! Logs each attempt at a request, and each wait before one: neither the query of a URL nor any header that was sent.

use std::time::Duration;

use super::attempt_observer::RequestAttempt;
use super::message::{Endpoint, Response};
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
    let lines: Vec<_> = shown
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    lines.join("; ")
}

/// Logs that the next request to `endpoint` waits so long, unless another task waits for the same already.
pub(super) fn log_wait(
    endpoint: Endpoint,
    wait: Duration,
    reason: WaitReason,
    meter: &SourceMeter,
) {
    let (word, why) = match reason {
        WaitReason::Quota => ("quota", "for the rate limit"),
        WaitReason::Server => ("server", "as the server asked"),
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
