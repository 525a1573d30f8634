//! Owns the survey of a source's answers.

use chrono::DateTime;

use super::trouble::{Trouble, Troubles, What};
use crate::evidence::manifest::{Clock, LinesEntry, Retry};
use crate::evidence::page::{AskedSpan, Body, PageLine};
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
    pub retries: Vec<Retry>,
    /// Milliseconds waited, in all.
    pub waited_ms: u64,
    /// The clocks, at the first answer that had a date.
    pub clock: Option<Clock>,
    /// The spans that pages were asked for, in their order, without direct repeats.
    pub spans: Vec<AskedSpan>,
    /// The bodies, in their order, each with its line and whether it was a page of records.
    pub bodies: Vec<(u64, bool, Body)>,
    /// What is wrong with it.
    pub troubles: Troubles,
    /// Whether it could not be read to its end.
    pub is_broken: bool,
}

#[derive(Default)]
pub struct Surveyor {
    pages: u64,
    served: u64,
    retries: Vec<Retry>,
    waited_ms: u64,
    clock: Option<Clock>,
    spans: Vec<AskedSpan>,
    bodies: Vec<(u64, bool, Body)>,
    troubles: Troubles,
}

impl Surveyor {
    pub fn line(&mut self, line: &[u8], number: u64) {
        let page: PageLine = match serde_json::from_slice(line) {
            Ok(page) => page,
            Err(error) => {
                // Its words may quote the line; the place is enough.
                let why = format!("it is not an answer (at its byte {})", error.column());
                return self.troubles.add(number, What::Unreadable(why));
            }
        };
        if page.n != number {
            self.troubles.add(number, What::Misnumbered(page.n));
        }
        if self.clock.is_none() {
            self.clock = clock(&page);
        }
        self.waited_ms = self.waited_ms.saturating_add(page.waited_ms.unwrap_or(0));
        if let Some(records) = page.records {
            self.pages += 1;
            self.served = self.served.saturating_add(records);
            if let Some(span) = page.span
                && self.spans.last() != Some(&span)
            {
                self.spans.push(span);
            }
        }
        if let Some(body) = page.body {
            self.bodies.push((number, page.records.is_some(), body));
        }
        if let Some(error) = page.error {
            self.retries.push(Retry {
                at: page.received,
                line: number,
                status: page.status,
                error,
                waited_ms: page.waited_ms,
            });
        }
    }

    pub fn end(mut self, entry: LinesEntry, broken: Option<Trouble>) -> PagesSurvey {
        let is_broken = broken
            .as_ref()
            .is_some_and(|trouble| trouble.what.ends_the_file());
        if let Some(Trouble { line, what }) = broken {
            self.troubles.add(line, what);
        }
        PagesSurvey {
            entry,
            pages: self.pages,
            served: self.served,
            retries: self.retries,
            waited_ms: self.waited_ms,
            clock: self.clock,
            spans: self.spans,
            bodies: self.bodies,
            troubles: self.troubles,
            is_broken,
        }
    }
}

/// Our clock beside the server's, where the answer has its date.
fn clock(page: &PageLine) -> Option<Clock> {
    let (_, date) = page.headers.iter().find(|(name, _)| name == "date")?;
    let server: Timestamp = DateTime::parse_from_rfc2822(date).ok()?.to_utc();
    let skew_ms = page
        .received
        .signed_duration_since(server)
        .num_milliseconds();
    Some(Clock {
        skew_ms,
        at: page.received,
        server,
    })
}
