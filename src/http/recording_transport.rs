//! Wraps a transport and remembers how its last attempt went, for callers that need more than the
//! body.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::time::Instant;

use super::client::Transport;
use super::error::{TransportError, TransportErrorKind};
use super::message::{Request, Response};
use super::retry::parse_http_date;
use crate::model::time::Timestamp;

/// Sends through another transport, and remembers.
#[derive(Debug, Clone)]
pub struct RecordingTransport<T> {
    inner: T,
    last: Arc<Mutex<Option<AttemptStats>>>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptStats {
    /// From the first byte sent, connecting included, to the last one read.
    pub took: Duration,
    /// When it began, by our clock.
    pub sent: Timestamp,
    /// When it ended, by our clock.
    pub received: Timestamp,
    /// The answer's head, or where it failed.
    pub outcome: Result<ResponseHead, TransportErrorKind>,
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// Its status.
    pub status: u16,
    headers: Vec<(String, String)>,
}

/// What a server says of its limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedQuota {
    /// Requests left.
    pub remaining: String,
    /// Of how many.
    pub limit: Option<String>,
    /// When they are all there again, as the server writes it.
    pub reset: Option<String>,
}

impl<T> RecordingTransport<T> {
    /// Watches `inner`.
    pub fn new(inner: T) -> RecordingTransport<T> {
        RecordingTransport { inner, last: Arc::default() }
    }

    /// The last attempt, if there was one.
    pub fn last(&self) -> Option<AttemptStats> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}

impl<T: Transport> Transport for RecordingTransport<T> {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let (sent, began) = (Utc::now(), Instant::now());
        let result = self.inner.send(request).await;
        let outcome = match &result {
            Ok(response) => {
                Ok(ResponseHead { status: response.status, headers: response.headers.clone() })
            }
            Err(error) => Err(error.kind()),
        };
        let seen = AttemptStats { took: began.elapsed(), sent, received: Utc::now(), outcome };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        result
    }
}

impl AttemptStats {
    /// By how much the server's clock is ahead of ours, as little as its words allow: it tells
    /// whole seconds, and wrote them at some time between the two ends of the attempt. `None` where
    /// it does not tell.
    pub fn server_ahead(&self) -> Option<TimeDelta> {
        let date = parse_http_date(self.head()?.header("date")?)?;
        let least = date - self.received;
        let most = date + TimeDelta::seconds(1) - self.sent;
        Some(if least > TimeDelta::zero() {
            least
        } else if most < TimeDelta::zero() {
            most
        } else {
            TimeDelta::zero()
        })
    }

    /// What is left of the server's limit, where it tells.
    pub fn quota(&self) -> Option<ReportedQuota> {
        let head = self.head()?;
        let text = |name: &str| head.header(name).map(|text| text.trim().to_owned());
        Some(ReportedQuota {
            remaining: text("x-ratelimit-remaining")?,
            limit: text("x-ratelimit-limit"),
            reset: text("x-ratelimit-reset"),
        })
    }

    fn head(&self) -> Option<&ResponseHead> {
        self.outcome.as_ref().ok()
    }
}

impl ResponseHead {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::parse_api_time;

    fn seen(headers: &[(&str, &str)]) -> AttemptStats {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        AttemptStats {
            took: Duration::from_millis(400),
            sent: parse_api_time("2026-11-20T09:30:00.800Z").unwrap(),
            received: parse_api_time("2026-11-20T09:30:01.200Z").unwrap(),
            outcome: Ok(ResponseHead { status: 200, headers: headers.iter().map(owned).collect() }),
        }
    }

    #[test]
    fn a_clock_is_off_only_by_what_cannot_be_explained_otherwise() {
        let ahead =
            |date: &str| seen(&[("date", date)]).server_ahead().map(|t| t.num_milliseconds());
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
        assert_eq!(seen(&[]).server_ahead(), None);
    }

    #[test]
    fn a_limit_is_told_as_the_server_tells_it() {
        assert_eq!(seen(&[("x-ratelimit-limit", "50")]).quota(), None);
        let attempt = seen(&[("x-ratelimit-remaining", " 7 "), ("x-ratelimit-limit", "50")]);
        let quota = attempt.quota().unwrap();
        assert_eq!((quota.remaining.as_str(), quota.limit.as_deref()), ("7", Some("50")));
    }
}
