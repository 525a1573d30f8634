//! Owns the survey of a source's answers.

use std::collections::BTreeMap;

use chrono::DateTime;

use super::merged_spans::MergedSpans;
use super::problems::{NumberedProblem, ProblemList, LineProblem};
use crate::evidence::chain::ChainKind;
use crate::evidence::manifest::{ClockComparison, LinesEntry, RetryEntry};
use crate::evidence::page::{BodyDigest, PageLine};
use crate::evidence::sums::is_hash;
use crate::model::time::Timestamp;

/// What a source's answers are.
#[derive(Debug)]
pub struct PagesSurvey {
    /// What the manifest says of the file.
    pub entry: LinesEntry,
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
    /// What is wrong with it.
    pub problems: ProblemList,
    /// Whether it could not be read to its end.
    pub is_broken: bool,
}

impl PagesSurvey {
    /// Whether it is of the whole file that `said` tells of.
    pub fn covers_file(&self, said: &LinesEntry) -> bool {
        self.entry.sha256 == said.sha256 && !self.is_broken
    }
}

/// What is said of a source's answers elsewhere. It bounds what of them is kept in memory: nothing that only they tell of.
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

pub struct PageSurveyor<'a> {
    claims: Option<ManifestClaims<'a>>,
    retries_differ: bool,
    survey: PagesSurvey,
}

impl<'a> PageSurveyor<'a> {
    pub fn new(said: Option<ManifestClaims<'a>>) -> PageSurveyor<'a> {
        PageSurveyor {
            claims: said,
            retries_differ: false,
            survey: PagesSurvey {
                entry: super::missing_file_entry(ChainKind::Pages, String::new()),
                pages: 0,
                served: 0,
                retries: Vec::new(),
                waited_ms: 0,
                clock: None,
                spans: MergedSpans::default(),
                bodies: BTreeMap::new(),
                missing_bodies: Vec::new(),
                more_missing_bodies: 0,
                problems: ProblemList::default(),
                is_broken: false,
            },
        }
    }

    pub fn line(&mut self, line: &[u8], number: u64) {
        let survey = &mut self.survey;
        let page: PageLine = match serde_json::from_slice(line) {
            Ok(page) => page,
            Err(error) => {
                // Its words may quote the line; the place is enough.
                let why = format!("it is not an answer (at its byte {})", error.column());
                return survey.problems.add(number, LineProblem::Unreadable(why));
            }
        };
        if page.n != number {
            survey.problems.add(number, LineProblem::WrongNumber(page.n));
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
        if !is_hash(&body.sha256) {
            let why = "the hash of its body is none".to_owned();
            return survey.problems.add(number, LineProblem::Unreadable(why));
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

    /// Beyond the first that is not as said, no more are needed to see that they are others.
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

    pub fn finish(mut self, entry: LinesEntry, broken: Option<NumberedProblem>) -> PagesSurvey {
        self.survey.is_broken = broken
            .as_ref()
            .is_some_and(|trouble| trouble.problem.stops_reading());
        if let Some(NumberedProblem { line, problem: what }) = broken {
            self.survey.problems.add(line, what);
        }
        PagesSurvey {
            entry,
            ..self.survey
        }
    }
}

/// Our clock beside the server's, where the answer has its date.
fn clock(page: &PageLine) -> Option<ClockComparison> {
    let (_, date) = page.headers.iter().find(|(name, _)| name == "date")?;
    let server: Timestamp = DateTime::parse_from_rfc2822(date).ok()?.to_utc();
    let skew_ms = page
        .received
        .signed_duration_since(server)
        .num_milliseconds();
    Some(ClockComparison {
        skew_ms,
        at: page.received,
        server,
    })
}
