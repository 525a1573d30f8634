//! Reports each attempt at a request to an observer and to the log: neither the query of a URL nor
//! any header that was sent.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;

use super::message::{Request, Response, TransportErrorKind};
use super::retry::parse_http_date;
use crate::model::time::Timestamp;

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
    /// What was requested.
    pub request: &'a Request,
    /// Which attempt at it this is, from 1.
    pub number: u32,
    /// When the response was complete, or the attempt had failed.
    pub ended: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The response, if one came.
    pub response: Option<&'a Response>,
    /// Where the attempt failed, if no response came.
    pub failed_at: Option<TransportErrorKind>,
    /// Why it brought nothing.
    pub error: Option<&'a str>,
    /// How long the next attempt waits, if there is to be one.
    pub waits: Option<Duration>,
}

/// Sees every attempt, in the order in which they end.
pub trait AttemptObserver<P>: Sync {
    /// `made` is what was made of the response, where it could be used.
    fn saw(&self, attempt: &RequestAttempt<'_>, made: Option<&P>);

    /// How many records `made` holds, where it is a page; for the log.
    fn records(&self, _made: &P) -> Option<usize> {
        None
    }
}

impl<P, O: AttemptObserver<P>> AttemptObserver<P> for Option<O> {
    fn saw(&self, attempt: &RequestAttempt<'_>, made: Option<&P>) {
        if let Some(observer) = self {
            observer.saw(attempt, made);
        }
    }

    fn records(&self, made: &P) -> Option<usize> {
        self.as_ref()?.records(made)
    }
}

/// Logs `attempt`, and shows it to `observer`.
pub(super) fn report<P>(
    observer: &impl AttemptObserver<P>,
    attempt: &RequestAttempt<'_>,
    made: Option<&P>,
) {
    let response = attempt.response;
    let endpoint = attempt.request.endpoint.name();
    tracing::info!(
        endpoint,
        attempt = (attempt.number > 1).then_some(attempt.number),
        status = response.map(|response| response.status),
        records = made.and_then(|made| observer.records(made)),
        bytes = response.map(|response| response.body.len()),
        duration_ms = millis(attempt.took),
        error = attempt.error,
        "request"
    );
    if let Some(response) = response {
        let host = attempt.request.url.host_str();
        tracing::debug!(endpoint, host, headers = format_headers(response), "response");
    }
    observer.saw(attempt, made);
}

fn format_headers(response: &Response) -> String {
    let headers = response.headers.iter();
    let shown = headers.filter(|(name, _)| LOGGED_HEADERS.contains(&name.as_str()));
    let lines: Vec<_> = shown.map(|(name, value)| format!("{name}: {value}")).collect();
    lines.join("; ")
}

/// `span` in whole milliseconds.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Remembers how the last attempt went, for callers that need more than what was made of it.
#[derive(Debug, Default)]
pub struct LastAttempt(Mutex<Option<AttemptStats>>);

/// How one attempt went.
#[derive(Debug, Clone)]
pub struct AttemptStats {
    /// From the first byte sent, connecting included, to the last one read.
    pub took: Duration,
    /// When it ended, by our clock.
    pub ended: Timestamp,
    /// The response without its body, if one came.
    pub response: Option<Response>,
    /// Where it failed, if no response came.
    pub failed_at: Option<TransportErrorKind>,
}

impl LastAttempt {
    /// The last attempt, if there was one.
    pub fn get(&self) -> Option<AttemptStats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<P> AttemptObserver<P> for LastAttempt {
    fn saw(&self, attempt: &RequestAttempt<'_>, _: Option<&P>) {
        let head = |response: &Response| Response { body: Bytes::new(), ..response.clone() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(AttemptStats {
            took: attempt.took,
            ended: attempt.ended,
            response: attempt.response.map(head),
            failed_at: attempt.failed_at,
        });
    }
}

impl AttemptStats {
    /// The value of the response's header `name` (lower-case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.as_ref()?.header(name)
    }

    /// By how much the server's clock is ahead of ours, at least: it states whole seconds, and
    /// wrote them at some time between the two ends of the attempt. `None` where it states none.
    pub fn server_ahead(&self) -> Option<TimeDelta> {
        let date = parse_http_date(self.header("date")?)?;
        let sent = self.ended - TimeDelta::from_std(self.took).ok()?;
        let least = date - self.ended;
        let most = date + TimeDelta::seconds(1) - sent;
        Some(least.max(TimeDelta::zero()) + most.min(TimeDelta::zero()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    #[test]
    fn a_clock_is_off_only_by_what_cannot_be_explained_otherwise() {
        let attempt = |headers: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let headers = headers.iter().map(owned).collect();
            AttemptStats {
                took: Duration::from_millis(400),
                ended: parse_api_time("2026-11-20T09:30:01.200Z").unwrap(),
                response: Some(Response { status: 200, headers, body: Bytes::new() }),
                failed_at: None,
            }
        };
        let ahead =
            |date: &str| attempt(&[("date", date)]).server_ahead().map(|t| t.num_milliseconds());
        for (date, want) in [
            ("Fri, 20 Nov 2026 09:30:00 GMT", Some(0)),
            ("Fri, 20 Nov 2026 09:30:01 GMT", Some(0)),
            ("Fri, 20 Nov 2026 09:30:02 GMT", Some(800)),
            ("Fri, 20 Nov 2026 09:29:59 GMT", Some(-800)),
            ("Fri, 20 Nov 2026 10:30:01 GMT", Some(3_599_800)),
            ("now", None),
        ] {
            assert_eq!(ahead(date), want, "{date}");
        }
        assert_eq!(attempt(&[]).server_ahead(), None);
    }
}
