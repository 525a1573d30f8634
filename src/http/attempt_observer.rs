//! Owns what is told of each attempt at a request, to whoever keeps account of all of them.

use std::marker::PhantomData;
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::attempt_log::log_attempt;
use super::message::{Request, Response};
use crate::model::time::Timestamp;

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
        if let Some(witness) = self {
            witness.saw(attempt, made);
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

/// An attempt that is under way. Dropped, it tells the witness that nobody waits for its answer any more: the server
/// may have counted it.
pub struct InFlight<'a, P, W: AttemptObserver<P>> {
    witness: &'a W,
    request: &'a Request,
    number: u32,
    sent: Instant,
    is_over: bool,
    made: PhantomData<fn(&P)>,
}

impl<'a, P, W: AttemptObserver<P>> InFlight<'a, P, W> {
    /// Attempt `number` at `request`, which begins now.
    pub fn begin(witness: &'a W, request: &'a Request, number: u32) -> Self {
        InFlight {
            witness,
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
        self.witness.saw(&attempt, None);
    }
}
