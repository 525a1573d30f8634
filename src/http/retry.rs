//! Decides what follows a failed attempt: give up, or wait and try again; and reads how long a
//! server asks us to wait (`Retry-After`, `X-RateLimit-Reset`). Pure: the caller sleeps, keeps the
//! history and rolls the dice.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::failure::FailureKind;
use super::message::{Response, TransportErrorKind};
use crate::config::settings::ConnectionSettings;
use crate::model::time::{Timestamp, parse_api_time};
use crate::telemetry::meter::WaitReason;

/// The back-off of a failing server begins here and doubles.
const BACKOFF_BASE: Duration = Duration::from_millis(500);
/// And grows no further.
const BACKOFF_CAP: Duration = Duration::from_secs(30);
/// Full jitter may roll nothing; no attempt follows the last one sooner than this.
const BACKOFF_FLOOR: Duration = Duration::from_millis(100);
/// The back-off of a 429 that does not say how long: its counter runs by the minute.
const RATE_LIMIT_BASE: Duration = Duration::from_secs(2);
/// The longest back-off: every known quota refills within a minute.
const RATE_LIMIT_CAP: Duration = Duration::from_secs(60);
/// Jitter on top of a wait that the server asked for, a tenth of it but no more than this.
const REQUESTED_WAIT_JITTER_CAP: Duration = Duration::from_secs(10);

/// What a refusal's own words add to its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefusalKind {
    /// Nothing.
    #[default]
    Plain,
    /// The credential lacks a scope.
    Scope,
    /// The site's plan has no audit log.
    FreePlan,
    /// The account is locked until somebody solves a CAPTCHA.
    Captcha,
    /// Nothing, and the CDN in front passed it on or is where it comes from. Such refusals often
    /// pass within a minute.
    Cdn,
}

/// How an attempt that brought no page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// A complete response came, a refusal or a page for people.
    Response {
        /// Its HTTP status.
        status: u16,
        /// Whether its body is a page for people.
        html: bool,
        /// What kind of refusal its words name.
        refusal: RefusalKind,
        /// How long the server asks to be left alone; never zero.
        requested_wait: Option<Duration>,
    },
    /// A 2xx whose body cannot be decoded: cut short on its way, perhaps.
    Unreadable,
    /// A 2xx whose body reports an error.
    ErrorInPage,
    /// No response came.
    Failed(TransportErrorKind),
}

impl AttemptOutcome {
    /// How long the server asks to be left alone.
    pub(super) fn requested_wait(&self) -> Option<Duration> {
        match self {
            AttemptOutcome::Response { requested_wait, .. } => *requested_wait,
            _ => None,
        }
    }
}

/// How long a request has failed or waited before this outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetryHistory {
    failures: u32,
    failing_for: Duration,
    limits: u32,
    limited_for: Duration,
}

impl RetryHistory {
    /// Adds an attempt that ended in a wait for `reason`; `took` is that wait and the next
    /// attempt's own time. Trouble of either kind has its own account, so that a long pause by the
    /// server leaves the budget for failures whole, and neither can go on without end.
    pub fn add(&mut self, reason: WaitReason, took: Duration) {
        let (count, total) = match reason {
            WaitReason::Backoff => (&mut self.failures, &mut self.failing_for),
            WaitReason::Server | WaitReason::Quota => (&mut self.limits, &mut self.limited_for),
        };
        *count = count.saturating_add(1);
        *total = total.saturating_add(took);
    }
}

/// How long a request may be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudget {
    /// How long a failing server is tried again; zero means never.
    pub retry_for: Duration,
    /// The longest wait a server may ask for, at once or in sum.
    pub max_wait: Duration,
}

impl RetryBudget {
    /// For what is not worth a second attempt, nor a wait.
    pub fn none() -> RetryBudget {
        RetryBudget { retry_for: Duration::ZERO, max_wait: Duration::ZERO }
    }
}

impl From<&ConnectionSettings> for RetryBudget {
    fn from(connection: &ConnectionSettings) -> Self {
        RetryBudget { retry_for: connection.retry_for, max_wait: connection.max_wait }
    }
}

/// What to do about an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDecision {
    /// No further attempt would help, or the retry budget is spent.
    GiveUp(FailureKind),
    /// Try again after a while.
    Wait {
        /// How long from now.
        delay: Duration,
        /// Whether every task on the endpoint has to wait so long.
        pause_endpoint: bool,
        /// `Server` when it limits us, `Backoff` when it fails.
        reason: WaitReason,
    },
}

impl RetryDecision {
    /// How long the next attempt waits, if there is to be one.
    pub fn delay(&self) -> Option<Duration> {
        match self {
            RetryDecision::Wait { delay, .. } => Some(*delay),
            RetryDecision::GiveUp(_) => None,
        }
    }
}

/// Decides about `outcome`. `roll` in [0, 1) is the random number for the jitter.
pub fn decide(
    outcome: &AttemptOutcome,
    history: &RetryHistory,
    budget: &RetryBudget,
    roll: f64,
) -> RetryDecision {
    let (kind, may_pass) = classify(outcome);
    let requested_wait = outcome.requested_wait();
    if !may_pass {
        RetryDecision::GiveUp(kind)
    } else if kind == FailureKind::RateLimited || requested_wait.is_some() {
        decide_rate_limit(kind, requested_wait, history, budget, roll)
    } else {
        decide_backoff(kind, history, budget, roll)
    }
}

/// Decides about the outcome of a change: only what was refused because of a limit, and so was not
/// done, is sent again. Of all else it may have been done.
pub fn decide_write(
    outcome: &AttemptOutcome,
    history: &RetryHistory,
    budget: &RetryBudget,
    roll: f64,
) -> RetryDecision {
    match outcome {
        AttemptOutcome::Response { status: 429, .. } => decide(outcome, history, budget, roll),
        _ => RetryDecision::GiveUp(classify(outcome).0),
    }
}

/// What `outcome` is called when nothing follows it, and whether another attempt may fare better.
fn classify(outcome: &AttemptOutcome) -> (FailureKind, bool) {
    match *outcome {
        AttemptOutcome::Response { status, html, refusal, .. } => {
            classify_response(status, html, refusal)
        }
        AttemptOutcome::ErrorInPage => (FailureKind::ErrorInPage, true),
        AttemptOutcome::Unreadable => (FailureKind::Unreadable, true),
        AttemptOutcome::Failed(kind) => classify_transport_error(kind),
    }
}

fn classify_response(status: u16, html: bool, refusal: RefusalKind) -> (FailureKind, bool) {
    match (status, refusal) {
        (200..=299, _) if html => (FailureKind::HtmlInstead, false),
        (300..=399, _) => (FailureKind::Redirected, false),
        // Request Timeout, Too Early.
        (408 | 425, _) => (FailureKind::Unavailable, true),
        (429, _) => (FailureKind::RateLimited, true),
        (401 | 403, RefusalKind::Scope) => (FailureKind::ScopeMissing, false),
        (403, RefusalKind::FreePlan) => (FailureKind::FreePlan, false),
        (401 | 403, RefusalKind::Captcha) => (FailureKind::CaptchaRequired, false),
        (403 | 404, RefusalKind::Cdn) => (cdn_failure_kind(status, html), true),
        (401, _) => (FailureKind::CredentialRefused, false),
        (403, _) => (FailureKind::Forbidden, false),
        (404 | 410, _) => (FailureKind::NotFound, false),
        (400..=499, _) => (FailureKind::BadRequest, false),
        // Not Implemented, HTTP Version Not Supported: the same tomorrow.
        (501 | 505, _) => (FailureKind::Unexpected, false),
        (500..=599, _) => (FailureKind::Unavailable, true),
        _ => (FailureKind::Unexpected, false),
    }
}

/// What a lasting refusal is called that came through the CDN: a page for people is the CDN's own,
/// all else the API's.
fn cdn_failure_kind(status: u16, html: bool) -> FailureKind {
    match (html, status) {
        (true, _) => FailureKind::CdnRefused,
        (false, 403) => FailureKind::Forbidden,
        (false, _) => FailureKind::NotFound,
    }
}

/// What an attempt without an answer is called in the end, and whether another may fare better.
fn classify_transport_error(kind: TransportErrorKind) -> (FailureKind, bool) {
    match kind {
        TransportErrorKind::Dns | TransportErrorKind::Connect => (FailureKind::Unreachable, true),
        TransportErrorKind::ConnectTimeout | TransportErrorKind::ReadTimeout => {
            (FailureKind::TimedOut, true)
        }
        TransportErrorKind::ConnectionLost | TransportErrorKind::BodyLost => {
            (FailureKind::ConnectionLost, true)
        }
        TransportErrorKind::Garbled => (FailureKind::Unreadable, true),
        TransportErrorKind::Tls => (FailureKind::Tls, false),
        TransportErrorKind::TooLarge => (FailureKind::TooLarge, false),
        TransportErrorKind::Invalid => (FailureKind::Unexpected, false),
        TransportErrorKind::CredentialLocked => (FailureKind::CaptchaRequired, false),
    }
}

/// Exponential back-off with full jitter, while `retry_for` lasts; one retry is always made, or
/// else a first attempt that took long to fail would leave none.
fn decide_backoff(
    kind: FailureKind,
    history: &RetryHistory,
    budget: &RetryBudget,
    roll: f64,
) -> RetryDecision {
    let span = exponential(BACKOFF_BASE, history.failures, BACKOFF_CAP);
    let delay = span.mul_f64(roll.clamp(0.0, 1.0)).max(BACKOFF_FLOOR);
    let first = history.failures == 0 && !budget.retry_for.is_zero();
    if first || history.failing_for.saturating_add(delay) <= budget.retry_for {
        RetryDecision::Wait { delay, pause_endpoint: false, reason: WaitReason::Backoff }
    } else {
        RetryDecision::GiveUp(kind)
    }
}

/// The wait the server asks for; when it does not say, or its word did not help the last time, at
/// least a back-off of our own. `kind` is what it is called when the waits in sum grow too long.
fn decide_rate_limit(
    kind: FailureKind,
    asked: Option<Duration>,
    history: &RetryHistory,
    budget: &RetryBudget,
    roll: f64,
) -> RetryDecision {
    let own = exponential(RATE_LIMIT_BASE, history.limits, RATE_LIMIT_CAP);
    let least = match asked {
        Some(asked) if asked > budget.max_wait => {
            return RetryDecision::GiveUp(FailureKind::RateLimited);
        }
        Some(asked) if history.limits == 0 => asked,
        Some(asked) => asked.max(own),
        None => own,
    };
    if history.limited_for.saturating_add(least) > budget.max_wait {
        return RetryDecision::GiveUp(kind);
    }
    let jitter = least.div_f64(10.0).min(REQUESTED_WAIT_JITTER_CAP);
    let delay = least.saturating_add(jitter.mul_f64(roll.clamp(0.0, 1.0)));
    RetryDecision::Wait {
        // Jitter must not make a wait longer than allowed out of one that just was not.
        delay: delay.min(budget.max_wait),
        pause_endpoint: true,
        reason: WaitReason::Server,
    }
}

fn exponential(base: Duration, times: u32, cap: Duration) -> Duration {
    base.saturating_mul(1u32.checked_shl(times).unwrap_or(u32::MAX)).min(cap)
}

/// How long the server asks to be left alone, counted from now; `None` when it does not say, or
/// names a time already past.
///
/// Absolute times are compared with the server's own `Date`, because our clock may be an hour off;
/// `local_now` stands in when it sends none. `X-RateLimit-Reset` counts only on a 429: Atlassian
/// sends it on other answers too, where it says when the quota is full again. When both are there,
/// the longer one holds.
pub(super) fn requested_wait(response: &Response, local_now: Timestamp) -> Option<Duration> {
    let now = response.header("date").and_then(parse_http_date).unwrap_or(local_now);
    let wait = |header, rounding| wait_until(response.header(header)?.trim(), now, rounding);
    // RFC 9110, section 10.2.3: seconds or an HTTP date; what else a reset may be is let pass.
    let retry_after = wait("retry-after", TimeDelta::zero());
    // Atlassian writes the reset as `2026-11-20T09:31Z`, cut to the minute (JRACLOUD-69262), so
    // that it may already be past: it is rounded up, unless a `Retry-After` beside it says when.
    let rounding = TimeDelta::seconds(if retry_after.is_some() { 0 } else { 60 });
    let reset = match response.status {
        429 => wait("x-ratelimit-reset", rounding),
        _ => None,
    };
    retry_after.max(reset).filter(|wait| !wait.is_zero())
}

/// The time from `now` to what `text` names, in any form: a number, an HTTP date, or ISO 8601. A
/// time that was cut to the minute is made later by `rounding`.
fn wait_until(text: &str, now: Timestamp, rounding: TimeDelta) -> Option<Duration> {
    let text = text.trim_matches('"').trim();
    if let Some(number) = plain_number(text) {
        return Some(epoch_or_delta(number, now));
    }
    let time = parse_http_date(text).or_else(|| parse_api_time(text));
    let time = time.or_else(|| iso_time(text, rounding))?;
    Some((time - now).to_std().unwrap_or_default())
}

/// ISO 8601 with or without seconds, and with or without a zone: without one it is UTC, like all
/// that Atlassian writes.
fn iso_time(text: &str, rounding: TimeDelta) -> Option<Timestamp> {
    let text = text.replacen(' ', "T", 1).to_ascii_uppercase();
    let is_utc = |zone: &str| text.strip_suffix(zone).map(|head| head.trim_end().to_owned());
    // chrono reads `%z` only with an offset.
    let text = ["Z", "UTC", "GMT"].into_iter().find_map(is_utc).unwrap_or(text);
    let read = |form: &str| {
        let zoned = DateTime::parse_from_str(&text, &format!("{form}%z"));
        let zoned = zoned.map(|time| time.with_timezone(&Utc));
        zoned.or_else(|_| NaiveDateTime::parse_from_str(&text, form).map(|time| time.and_utc()))
    };
    if let Ok(time) = read("%Y-%m-%dT%H:%M:%S%.f") {
        return Some(time);
    }
    read("%Y-%m-%dT%H:%M").ok()?.checked_add_signed(rounding)
}

/// A bare number is a time since 1970 when it is large enough to be one (in seconds, milliseconds,
/// micro- or nanoseconds), else a number of seconds from now, as in the IETF's draft for
/// `RateLimit` headers.
fn epoch_or_delta(number: f64, now: Timestamp) -> Duration {
    let unit = match number {
        1e9..1e12 => 1.0,
        1e12..1e15 => 1e3,
        1e15..1e18 => 1e6,
        1e18..1e21 => 1e9,
        // A number past every clock means "very long", not "nothing".
        _ => return Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX),
    };
    let now = now.timestamp_micros() as f64 / 1e6;
    Duration::try_from_secs_f64(number / unit - now).unwrap_or_default()
}

/// Digits, perhaps with a fraction.
fn plain_number(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_plain.then(|| text.parse().ok()).flatten()
}

/// RFC 9110, section 5.6.7: IMF-fixdate, and the two obsolete forms that a recipient must accept.
pub(super) fn parse_http_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Some(time.with_timezone(&Utc));
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|time| time.and_utc())
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
