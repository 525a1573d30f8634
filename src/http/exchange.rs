//! Sends one request from its first attempt to its end: the only place that tries again.

use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::attempt_observer::{AttemptObserver, RequestAttempt, report};
use super::client::Transport;
use super::envelope::{self, ServerMessage, login_page};
use super::failure::{Failure, FailureKind};
use super::limiter::{RequestLimiter, wait};
use super::message::{Request, Response, TransportError, UnreadableBody};
use super::retry::{
    AttemptOutcome, RefusalKind, RetryBudget, RetryDecision, RetryHistory, decide, decide_write,
    parse_http_date, requested_wait,
};
use crate::model::text::printable;
use crate::model::time::Timestamp;
use crate::telemetry::meter::{RETRY_NOTICE, SourceMeter, WaitReason};

/// A wait from which a person at a terminal wonders what is going on.
const NOTICEABLE_WAIT: Duration = Duration::from_secs(5);

/// Earlier attempts that a failure quotes.
const MAX_CAUSES: usize = 4;

/// Sends `request` until `read` makes something of the response, or no further attempt would help.
///
/// Every attempt, retries included, takes its turn in `limits`; a 429 pauses them for every task.
/// `read` is called for a 2xx that is not a page for people, so that a body is decoded only once;
/// what it cannot read is tried again like any other passing fault. `observer` sees every attempt.
///
/// # Errors
/// A `Failure` says why the request was given up. Nothing of an incomplete response is ever
/// returned.
pub async fn send_with_retries<T: Transport, P>(
    transport: &T,
    limits: &RequestLimiter,
    budget: &RetryBudget,
    meter: &SourceMeter,
    request: &Request,
    read: impl Fn(&Response) -> Result<P, UnreadableBody>,
    observer: &impl AttemptObserver<P>,
) -> Result<P, Failure> {
    let mut failure = Failure::before_first_attempt(request);
    let mut history = RetryHistory::default();
    let mut waited: Option<(WaitReason, Duration)> = None;
    loop {
        if let Err(paused) = limits.admit(budget.max_wait, meter).await {
            return Err(Failure {
                kind: FailureKind::RateLimited,
                message: paused.to_string(),
                ..failure
            });
        }
        failure.attempts = failure.attempts.saturating_add(1);
        let sent = Instant::now();
        let ended = send_once(transport, request, failure.attempts, meter, observer).await;
        let attempt = ended.attempt(request, failure.attempts);
        let response = ended.result.as_ref().map_err(FailedAttempt::from_transport_error);
        let failed = match response.and_then(|response| read_page(request, response, &read)) {
            Ok(page) => {
                report(observer, &attempt, Some(&page));
                return Ok(page);
            }
            Err(failed) => failed,
        };
        if let Some((reason, delay)) = waited {
            // Not the time spent in `admit` for our own quota: the server did not cause it.
            history.add(reason, delay.saturating_add(sent.elapsed()));
        }
        let decision = match request.only_reads() {
            true => decide(&failed.outcome, &history, budget, fastrand::f64()),
            false => decide_write(&failed.outcome, &history, budget, fastrand::f64()),
        };
        let (error, waits) = (Some(failed.message.as_str()), decision.delay());
        report(observer, &RequestAttempt { error, waits, ..attempt }, None);
        drop(ended);
        match decision {
            RetryDecision::Wait { delay, pause_endpoint, reason } => {
                log_retry(&mut failure, &failed, delay);
                waited = Some((reason, delay));
                if pause_endpoint {
                    if delay >= NOTICEABLE_WAIT {
                        // It has just been logged.
                        meter.claim_wait_notice();
                    }
                    // Waited for in `admit`, together with every other task.
                    limits.pause(delay).await;
                } else {
                    wait(delay, reason, meter).await;
                }
            }
            RetryDecision::GiveUp(kind) => {
                if let (FailureKind::RateLimited, Some(requested)) =
                    (kind, failed.outcome.requested_wait())
                {
                    // Too long for us, but the next request must still observe it.
                    limits.pause(requested).await;
                }
                return Err(failed.into_failure(kind, failure));
            }
        }
    }
}

/// What `read` makes of a good response to `request`, or what is wrong with the response.
fn read_page<P>(
    request: &Request,
    response: &Response,
    read: impl Fn(&Response) -> Result<P, UnreadableBody>,
) -> Result<P, FailedAttempt> {
    let html = envelope::is_html(response);
    if !(200..300).contains(&response.status) || html {
        return Err(FailedAttempt::from_response(request, response, html));
    }
    if let Some(coding) = response.header("content-encoding") {
        let what = format!("the body is in the content coding `{coding}`, only gzip was requested");
        return Err(FailedAttempt::from_unreadable(response, &UnreadableBody::new(&what)));
    }
    read(response).map_err(|error| FailedAttempt::from_unreadable(response, &error))
}

/// What is decided about a first response that brings no page, and how it is reported.
#[cfg(fuzzing)]
pub fn judged(
    request: &Request,
    response: &Response,
    budget: &RetryBudget,
) -> Option<(RetryDecision, Failure)> {
    let failed = read_page(request, response, |_| Ok(())).err()?;
    let decision = decide(&failed.outcome, &RetryHistory::default(), budget, 0.5);
    let kind = match decision {
        RetryDecision::GiveUp(kind) => kind,
        RetryDecision::Wait { .. } => FailureKind::Unavailable,
    };
    Some((decision, failed.into_failure(kind, Failure::before_first_attempt(request))))
}

/// How an attempt ended.
struct AttemptResult {
    result: Result<Response, TransportError>,
    took: Duration,
    ended: Timestamp,
}

/// Reports an attempt that is dropped before it has ended.
struct AbandonedReport<F: Fn()> {
    report: F,
    has_ended: bool,
}

impl<F: Fn()> Drop for AbandonedReport<F> {
    fn drop(&mut self) {
        if !self.has_ended {
            (self.report)();
        }
    }
}

async fn send_once<T: Transport, P>(
    transport: &T,
    request: &Request,
    number: u32,
    meter: &SourceMeter,
    observer: &impl AttemptObserver<P>,
) -> AttemptResult {
    meter.requests.add(1);
    meter.retries.add(u64::from(number > 1));
    let sent = Instant::now();
    let report_abandoned = || {
        let attempt = RequestAttempt {
            request,
            number,
            ended: Utc::now(),
            took: sent.elapsed(),
            response: None,
            failed_at: None,
            error: Some("given up before its answer was whole: it was needed no more"),
            waits: None,
        };
        report(observer, &attempt, None);
    };
    let mut abandoned = AbandonedReport { report: report_abandoned, has_ended: false };
    let result = transport.send(request).await;
    abandoned.has_ended = true;
    let ended = AttemptResult { result, took: sent.elapsed(), ended: Utc::now() };
    if let Ok(response) = &ended.result {
        meter.answered(ended.took);
        if let Some(date) = response.header("date").and_then(parse_http_date) {
            meter.server_is_ahead(date - ended.ended);
        }
        meter.limited.add(u64::from(response.status == 429));
    }
    ended
}

impl AttemptResult {
    /// The attempt as an observer sees it, before anything was decided about it.
    fn attempt<'a>(&'a self, request: &'a Request, number: u32) -> RequestAttempt<'a> {
        RequestAttempt {
            request,
            number,
            ended: self.ended,
            took: self.took,
            response: self.result.as_ref().ok(),
            failed_at: self.result.as_ref().err().map(TransportError::kind),
            error: None,
            waits: None,
        }
    }
}

/// An attempt that brought no page.
struct FailedAttempt {
    outcome: AttemptOutcome,
    status: Option<u16>,
    code: Option<String>,
    message: String,
}

impl FailedAttempt {
    /// A 2xx that is not the page it should be.
    fn from_unreadable(response: &Response, error: &UnreadableBody) -> Self {
        FailedAttempt {
            outcome: match error.is_server_error {
                true => AttemptOutcome::ErrorInPage,
                false => AttemptOutcome::Unreadable,
            },
            status: Some(response.status),
            code: error.code.clone(),
            message: error.message.clone(),
        }
    }

    fn from_transport_error(error: &TransportError) -> Self {
        FailedAttempt {
            outcome: AttemptOutcome::Failed(error.kind()),
            status: None,
            code: None,
            message: error.to_string(),
        }
    }

    fn from_response(request: &Request, response: &Response, html: bool) -> Self {
        let mut said =
            redirect_message(response).unwrap_or_else(|| envelope::read_message(response));
        if said.refusal == RefusalKind::Cdn && matches!(response.status, 403 | 404) && !html {
            said.message.push_str("; passed on by the CDN (CloudFront)");
        }
        if let (RefusalKind::Captcha, Some(page)) =
            (said.refusal, login_page(response, &request.url))
        {
            said.message.push_str(&format!("; the login page is {page}"));
        }
        FailedAttempt {
            outcome: AttemptOutcome::Response {
                status: response.status,
                html,
                refusal: said.refusal,
                requested_wait: requested_wait(response, Utc::now()),
            },
            status: Some(response.status),
            code: said.code,
            message: said.message,
        }
    }

    fn describe(&self) -> String {
        match self.status {
            Some(status) => format!("{status}: {}", self.message),
            None => self.message.clone(),
        }
    }

    /// The failure of the request of which this was the last attempt; `so_far` has what is known
    /// of the earlier ones.
    fn into_failure(self, kind: FailureKind, mut so_far: Failure) -> Failure {
        let last = self.describe();
        so_far.causes.retain(|cause| *cause != last);
        Failure { kind, status: self.status, code: self.code, message: self.message, ..so_far }
    }
}

/// Where a redirect points: only the host, because the rest may carry a token of a login.
fn redirect_message(response: &Response) -> Option<ServerMessage> {
    let location = response.header("location").filter(|_| (300..400).contains(&response.status))?;
    let target = url::Url::parse(location).ok();
    let host = target.as_ref().and_then(|url| url.host_str());
    let message =
        host.map_or("to another path".to_owned(), |host| format!("to {}", printable(host)));
    Some(ServerMessage { code: None, message, refusal: RefusalKind::Plain })
}

/// Records, for the log and for a later failure, that `failed` is retried after `delay`.
fn log_retry(failure: &mut Failure, failed: &FailedAttempt, delay: Duration) {
    let line = failed.describe();
    let text = format!("{}: {line}; trying again in {:.1} s", failure.host, delay.as_secs_f32());
    // A hiccup is nobody's business; a wait that a person notices wants a word.
    match delay < NOTICEABLE_WAIT {
        true => tracing::info!(attempt = failure.attempts, "{text}"),
        false => tracing::warn!(target: RETRY_NOTICE, attempt = failure.attempts, "{text}"),
    }
    if failure.causes.len() < MAX_CAUSES && !failure.causes.contains(&line) {
        failure.causes.push(line);
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
