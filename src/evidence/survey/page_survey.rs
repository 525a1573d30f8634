//! What a source's responses are, from one pass over their lines.

use std::collections::BTreeMap;

use chrono::DateTime;

use super::problems::{LineProblem, SurveyedFile};
use crate::evidence::hash::is_sha256;
use crate::evidence::manifest::{ClockComparison, LinesEntry, RetryEntry};
use crate::evidence::page::{BodyDigest, PageLine, RequestedSpan};
use crate::model::time::Timestamp;

/// What a source's responses are.
#[derive(Debug, Default)]
pub struct PagesSurvey {
    /// Their file.
    pub file: SurveyedFile,
    /// Answers that brought a page of records.
    pub pages: u64,
    /// Their records.
    pub served: u64,
    /// Every attempt that brought no page.
    pub retries: Vec<RetryEntry>,
    /// Milliseconds waited, in all.
    pub waited_ms: u64,
    /// The clocks, at the first answer that had a date.
    pub clock: Option<ClockComparison>,
    /// The spans that pages were asked for, joined.
    pub spans: MergedSpans,
    /// Of the bodies that are said to be kept, by their hashes: their lengths.
    pub bodies: BTreeMap<String, KeptBody>,
    /// The first pages of records whose bodies are not said to be kept, each with its line.
    pub missing_bodies: Vec<(u64, String)>,
    /// How many more there are.
    pub more_missing_bodies: u64,
}

/// What the manifest says of a source's responses. It bounds what is kept in memory: nothing that
/// only the responses name.
pub struct ManifestClaims<'a> {
    /// The attempts that brought no page.
    pub retries: &'a [RetryEntry],
    /// Whether a body of this hash is there, or named anywhere.
    pub has_body: &'a dyn Fn(&str) -> bool,
}

/// What the answers say of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum KeptBody {
    /// It has this length.
    Length(u64),
    /// One says another length than another.
    Conflicting,
}

/// Pages without a body that are kept each.
const MAX_MISSING_BODIES: usize = 100;

/// Reads the lines of a source's responses.
pub struct PageSurveyor<'a> {
    claims: Option<ManifestClaims<'a>>,
    retries_differ: bool,
    survey: PagesSurvey,
}

impl<'a> PageSurveyor<'a> {
    /// Of a source of which `claims` says this elsewhere.
    pub fn new(claims: Option<ManifestClaims<'a>>) -> PageSurveyor<'a> {
        PageSurveyor { claims, retries_differ: false, survey: PagesSurvey::default() }
    }

    /// Reads a line.
    pub fn line(&mut self, line: &[u8], number: u64) {
        let survey = &mut self.survey;
        let page: PageLine = match serde_json::from_slice(line) {
            Ok(page) => page,
            Err(error) => {
                // Its words may quote the line; the place is enough.
                let why = format!("it is not a response line (at its byte {})", error.column());
                return survey.file.problems.add(number, LineProblem::Unreadable(why));
            }
        };
        if page.n != number {
            survey.file.problems.add(number, LineProblem::WrongNumber(page.n));
        }
        if survey.clock.is_none() {
            survey.clock = clock(&page);
        }
        survey.waited_ms = survey.waited_ms.saturating_add(page.waited_ms.unwrap_or(0));
        let is_page = page.records.is_some();
        if let Some(records) = page.records {
            survey.pages += 1;
            survey.served = survey.served.saturating_add(records);
            if let Some(span) = page.span {
                survey.spans.add(span);
            }
        }
        if let Some(body) = page.body {
            self.add_body(body, is_page, number);
        }
        if let Some(error) = page.error {
            self.add_retry(RetryEntry {
                at: page.received,
                line: number,
                status: page.status,
                error,
                waited_ms: page.waited_ms,
            });
        }
    }

    /// A body is kept in mind only where it is kept in a file too, or named as one.
    fn add_body(&mut self, body: BodyDigest, is_page: bool, number: u64) {
        let survey = &mut self.survey;
        if !is_sha256(&body.sha256) {
            let why = "the hash of its body is none".to_owned();
            return survey.file.problems.add(number, LineProblem::Unreadable(why));
        }
        let Some(said) = &self.claims else { return };
        if (said.has_body)(&body.sha256) {
            let known = survey.bodies.entry(body.sha256);
            let known = known.or_insert(KeptBody::Length(body.bytes));
            if *known != KeptBody::Length(body.bytes) {
                *known = KeptBody::Conflicting;
            }
        } else if is_page && survey.missing_bodies.len() < MAX_MISSING_BODIES {
            survey.missing_bodies.push((number, body.sha256));
        } else if is_page {
            survey.more_missing_bodies += 1;
        }
    }

    /// After the first that differs from the manifest no more are needed.
    fn add_retry(&mut self, retry: RetryEntry) {
        let retries = &mut self.survey.retries;
        if self.retries_differ {
            return;
        }
        if let Some(said) = &self.claims {
            self.retries_differ = said.retries.get(retries.len()) != Some(&retry);
        }
        retries.push(retry);
    }

    /// What was found, in the file that is `entry` and whose reading stopped for this reason.
    pub fn finish(mut self, entry: LinesEntry, end: Option<(u64, LineProblem)>) -> PagesSurvey {
        self.survey.file.finish(entry, end);
        self.survey
    }
}

/// Our clock beside the server's, where the answer has its date.
fn clock(page: &PageLine) -> Option<ClockComparison> {
    let (_, date) = page.headers.iter().find(|(name, _)| name == "date")?;
    let server: Timestamp = DateTime::parse_from_rfc2822(date).ok()?.to_utc();
    let skew_ms = page.received.signed_duration_since(server).num_milliseconds();
    Some(ClockComparison { skew_ms, at: page.received, server })
}

/// Spans that do not touch. An export's are one, or a few where it was interrupted.
const MAX_SPANS: usize = 10_000;

/// Spans of time, joined. An end that is missing is none.
#[derive(Debug, Default)]
pub struct MergedSpans(BTreeMap<Timestamp, Option<Timestamp>>);

impl MergedSpans {
    /// One more. Where there are too many it is forgotten: nothing is said to be read that was not.
    pub fn add(&mut self, span: RequestedSpan) {
        let RequestedSpan { mut from, mut to } = span;
        if to.is_some_and(|to| to <= from) {
            return;
        }
        if let Some((&start, &end)) = self.0.range(..=from).next_back()
            && end.is_none_or(|end| from <= end)
        {
            (from, to) = (start, later(end, to));
            self.0.remove(&start);
        }
        while let Some((&start, &end)) = self.0.range(from..).next()
            && to.is_none_or(|to| start <= to)
        {
            to = later(end, to);
            self.0.remove(&start);
        }
        if self.0.len() < MAX_SPANS {
            self.0.insert(from, to);
        }
    }

    /// Whether one of them holds all from `from` to `to`.
    pub fn cover(&self, from: Timestamp, to: Timestamp) -> bool {
        let before = self.0.range(..=from).next_back();
        before.is_some_and(|(_, end)| end.is_none_or(|end| to <= end))
    }

    /// The first instant at or after `from` that none of them holds; nothing where one has no end.
    pub fn first_uncovered(&self, from: Timestamp) -> Option<Timestamp> {
        match self.0.range(..=from).next_back() {
            Some((_, None)) => None,
            Some((_, Some(end))) => Some(from.max(*end)),
            None => Some(from),
        }
    }
}

fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(one?.max(other?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp_millis(second * 1000).unwrap()
    }

    fn of(spans: &[(i64, Option<i64>)]) -> MergedSpans {
        let mut all = MergedSpans::default();
        for (from, to) in spans {
            let (from, to) = (at(*from), to.map(at));
            all.add(RequestedSpan { from, to });
        }
        all
    }

    #[test]
    fn any_number_that_touch_are_one_and_others_are_few() {
        let touching: Vec<_> = (0..50_000).map(|n| (n, Some(n + 1))).collect();
        assert_eq!(of(&touching).0.len(), 1);
        assert!(of(&touching).cover(at(0), at(50_000)));
        let apart: Vec<_> = (0..50_000).map(|n| (2 * n, Some(2 * n + 1))).collect();
        assert_eq!(of(&apart).0.len(), MAX_SPANS);
    }

    proptest! {
        #[test]
        fn a_second_is_covered_where_a_span_has_it(
            spans in prop::collection::vec(
                (0_i64..30, prop::option::weighted(0.95, 0_i64..30)), 0..12,
            ),
            from in 0_i64..30, length in 1_i64..30,
        ) {
            let all = of(&spans);
            let is_in = |second: i64| {
                let mut spans = spans.iter();
                spans.any(|(from, to)| *from <= second && to.is_none_or(|to| second < to))
            };
            let to = from + length;
            prop_assert_eq!(all.cover(at(from), at(to)), (from..to).all(is_in));
            let end = (from..60).find(|second| !is_in(*second));
            prop_assert_eq!(all.first_uncovered(at(from)), end.map(at));
        }
    }
}
