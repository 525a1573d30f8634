//! Sends one request from its first attempt to its end: the only place that tries again.

use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::attempt_observer::{AttemptObserver, InFlight, NoObserver, RequestAttempt, log_attempt};
use super::captcha::login_page;
use super::client::Transport;
use super::envelope::{self, ServerMessage};
use super::error::{TransportError, UnreadableBody};
use super::failure::{Failure, FailureKind};
use super::limiter::{PausedTooLong, RequestLimiter, wait};
use super::message::{Request, Response};
use super::retry::{
    AttemptOutcome, RefusalKind, RetryBudget, RetryDecision, RetryHistory, decide, requested_wait,
};
use crate::model::text::printable;
use crate::model::time::Timestamp;
use crate::telemetry::meter::{SourceMeter, WaitReason};

/// A wait from which a person at a terminal wonders what is going on.
const NOTICEABLE_WAIT: Duration = Duration::from_secs(5);

/// Earlier attempts that a failure quotes.
const MAX_CAUSES: usize = 4;

/// Sends `request` until `read` makes something of the answer, or no further attempt would help.
///
/// Every attempt, retries included, takes its turn in `limits`; a 429 pauses them for every task.
/// `read` is called for a 2xx that is not a page for people, so that a body is decoded only once;
/// what it cannot read is tried again like any other passing fault.
///
/// # Errors
/// A `Failure` says why the request was given up. Nothing of a half answer is ever returned.
pub async fn exchange<T: Transport, P>(
    transport: &T,
    limits: &RequestLimiter,
    budget: &RetryBudget,
    meter: &SourceMeter,
    request: &Request,
    read: impl Fn(&Response) -> Result<P, UnreadableBody>,
) -> Result<P, Failure> {
    send_with_retries(transport, limits, budget, meter, request, read, &NoObserver).await
}

/// The same, and `observer` sees every attempt.
///
/// # Errors
/// As with [`exchange`].
pub async fn send_with_retries<T: Transport, P>(
    transport: &T,
    limits: &RequestLimiter,
    budget: &RetryBudget,
    meter: &SourceMeter,
    request: &Request,
    read: impl Fn(&Response) -> Result<P, UnreadableBody>,
    observer: &impl AttemptObserver<P>,
) -> Result<P, Failure> {
    let mut attempts = AttemptHistory::new(request);
    let mut history = RetryHistory::default();
    let mut waited: Option<(WaitReason, Duration)> = None;
    loop {
        if let Err(paused) = limits.admit(budget.max_wait, meter).await {
            return Err(attempts.into_paused_failure(paused));
        }
        let sent = Instant::now();
        let pending = InFlight::begin(observer, request, attempts.count.saturating_add(1));
        let answer = attempts.send_once(transport, meter).await;
        pending.over();
        let failed = match answer.read(request, &read) {
            Ok(page) => {
                log_attempt(&attempts.attempt_for(&answer), observer.records(&page));
                observer.saw(&attempts.attempt_for(&answer), Some(&page));
                return Ok(page);
            }
            Err(failed) => failed,
        };
        if let Some((reason, delay)) = waited {
            // Not the time spent in `admit` for our own quota: the server did not cause it.
            history.add(reason, delay.saturating_add(sent.elapsed()));
        }
        let decision = decide(&failed.outcome, &history, budget, fastrand::f64());
        let attempt = failed.annotate(&decision, attempts.attempt_for(&answer));
        log_attempt(&attempt, None);
        observer.saw(&attempt, None);
        drop(answer);
        let kind = match decision {
            RetryDecision::Wait { delay, pause_endpoint, reason } => {
                attempts.log_retry(&failed, delay);
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
                continue;
            }
            RetryDecision::GiveUp(kind) => kind,
            // A page was returned above; a decision that calls a failure done is a bug.
            RetryDecision::Done => FailureKind::Unexpected,
        };
        if let (FailureKind::RateLimited, Some(asked)) = (kind, failed.requested_wait()) {
            // Too long for us, but the next request must still observe it.
            limits.pause(asked).await;
        }
        return Err(attempts.into_failure(kind, failed));
    }
}

/// What `read` makes of a good answer to `request`, or what is wrong with the answer.
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

/// What is decided about a first answer that brings no page, and how it is reported.
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
        RetryDecision::Done | RetryDecision::Wait { .. } => FailureKind::Unavailable,
    };
    Some((decision, AttemptHistory::new(request).into_failure(kind, failed)))
}

/// How an attempt ended.
struct AttemptResult {
    result: Result<Response, TransportError>,
    took: Duration,
    ended: Timestamp,
}

impl AttemptResult {
    fn read<P>(
        &self,
        request: &Request,
        read: impl Fn(&Response) -> Result<P, UnreadableBody>,
    ) -> Result<P, FailedAttempt> {
        match &self.result {
            Ok(response) => read_page(request, response, read),
            Err(error) => Err(FailedAttempt::from_transport_error(error)),
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
            outcome: match error.is_server_error() {
                true => AttemptOutcome::ErrorInPage,
                false => AttemptOutcome::Unreadable,
            },
            status: Some(response.status),
            code: error.reported_code().map(str::to_owned),
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

    /// `attempt`, with what was wrong and what was decided about it.
    fn annotate<'b>(
        &'b self,
        decision: &RetryDecision,
        attempt: RequestAttempt<'b>,
    ) -> RequestAttempt<'b> {
        RequestAttempt {
            error: Some(&self.message),
            waits: match decision {
                RetryDecision::Wait { delay, .. } => Some(*delay),
                RetryDecision::GiveUp(_) | RetryDecision::Done => None,
            },
            ..attempt
        }
    }

    fn requested_wait(&self) -> Option<Duration> {
        match self.outcome {
            AttemptOutcome::Response { requested_wait, .. } => requested_wait,
            _ => None,
        }
    }
}

/// Where a redirect points: only the host, because the rest may carry a token of a login.
fn redirect_message(response: &Response) -> Option<ServerMessage> {
    let location = response.header("location").filter(|_| (300..400).contains(&response.status))?;
    let target = url::Url::parse(location).ok();
    let host = target.as_ref().and_then(|url| url.host_str());
    Some(ServerMessage {
        code: None,
        message: host
            .map_or("to another path".to_owned(), |host| format!("to {}", printable(host))),
        refusal: RefusalKind::Plain,
    })
}

/// The attempts of one request so far.
struct AttemptHistory<'a> {
    request: &'a Request,
    host: String,
    count: u32,
    causes: Vec<String>,
}

impl<'a> AttemptHistory<'a> {
    fn new(request: &'a Request) -> Self {
        let host = request.url.host_str().unwrap_or_default();
        AttemptHistory {
            request,
            host: match request.url.port() {
                Some(port) => format!("{host}:{port}"),
                None => host.to_owned(),
            },
            count: 0,
            causes: Vec::new(),
        }
    }

    async fn send_once<T: Transport>(
        &mut self,
        transport: &T,
        meter: &SourceMeter,
    ) -> AttemptResult {
        meter.requests.add(1);
        meter.retries.add(u64::from(self.count > 0));
        self.count = self.count.saturating_add(1);
        let sent = Instant::now();
        let result = transport.send(self.request).await;
        let answer = AttemptResult { result, took: sent.elapsed(), ended: Utc::now() };
        if let Ok(response) = &answer.result {
            meter.answered(answer.took);
            meter.limited.add(u64::from(response.status == 429));
        }
        answer
    }

    /// The attempt that ended with `answer`, as an observer sees it.
    fn attempt_for<'b>(&'b self, answer: &'b AttemptResult) -> RequestAttempt<'b> {
        RequestAttempt {
            request: self.request,
            number: self.count,
            ended: answer.ended,
            took: answer.took,
            response: answer.result.as_ref().ok(),
            error: None,
            waits: None,
        }
    }

    /// Records, for the log and for a later failure, that `failed` is retried after `delay`.
    fn log_retry(&mut self, failed: &FailedAttempt, delay: Duration) {
        let line = failed.describe();
        let text = format!("{}: {line}; trying again in {:.1} s", self.host, delay.as_secs_f32());
        // A hiccup is nobody's business; a wait that a person notices wants a word.
        match delay < NOTICEABLE_WAIT {
            true => tracing::info!(attempt = self.count, "{text}"),
            false => tracing::warn!(attempt = self.count, "{text}"),
        }
        if self.causes.len() < MAX_CAUSES && !self.causes.contains(&line) {
            self.causes.push(line);
        }
    }

    fn into_failure(mut self, kind: FailureKind, failed: FailedAttempt) -> Failure {
        let last = failed.describe();
        self.causes.retain(|cause| *cause != last);
        Failure {
            kind,
            endpoint: self.request.endpoint,
            is_through_gateway: self.request.is_through_gateway(),
            host: self.host,
            status: failed.status,
            code: failed.code,
            message: failed.message,
            attempts: self.count,
            causes: self.causes,
        }
    }

    fn into_paused_failure(self, paused: PausedTooLong) -> Failure {
        Failure {
            kind: FailureKind::RateLimited,
            endpoint: self.request.endpoint,
            is_through_gateway: self.request.is_through_gateway(),
            host: self.host,
            status: None,
            code: None,
            message: paused.to_string(),
            attempts: self.count,
            causes: self.causes,
        }
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
