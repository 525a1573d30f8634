//! Owns reading ahead in a source that delivers oldest first: several parts of a window are read at
//! once, each by its time and then behind its own cursors, and handed on in order.
//!
//! Nobody knows for sure whether `from` looks at the time of processing, which is the order of the
//! records, or at the time of happening: then a part would lack what was processed late. So a record
//! that tells the two apart is asked for first. And a part ends only where the next one begins with
//! the very records that the last page of the part ends with: else the server does something that we
//! do not understand, and the window is read one page after the other.
//!
//! The window stands behind the last page that was handed on, which has a cursor of the server's own:
//! what is read beyond it is only in memory.

use std::collections::HashSet;

use chrono::TimeDelta;

use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::model::record::{Fingerprint, Record};
use crate::model::time::{Timestamp, Window, whole_millis};
use crate::pipeline::ascending::{Received, Stream, is_refused_cursor};
use crate::pipeline::density::Density;
use crate::pipeline::fetch::{FetchError, Reached};
use crate::pipeline::parts::{Part, Parts, Span};
use crate::pipeline::reader::Reader;
use crate::pipeline::task::Task;
use crate::source::Place;

/// The pages of one part, at most: at each seam, half a page on average is read twice.
const PAGES: usize = 8;

/// Bytes of records that may be held, over all parts.
const BYTES: usize = 20 * 1024 * 1024;

/// Pages that must lie ahead, as far as can be told, before it pays.
const WORTH: usize = 4;

/// What is known of reading ahead in this window.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// Nothing yet.
    #[default]
    Untried,
    /// `from` looks at the time by which the records are sorted.
    Sound,
    /// It does not, or a seam did not hold.
    Off,
}

/// What tells one record from all others.
pub(super) type Key = (Fingerprint, u64);

/// What tells `record`.
pub(super) fn key(record: &Record) -> Key {
    (record.identity(), record.doc.content_hash())
}

/// Where one part ends and the next begins, and the records at the end of the one that the other must
/// begin with.
#[derive(Debug)]
pub(super) struct Seam {
    at: Timestamp,
    shared: HashSet<Key>,
}

impl Seam {
    /// The seam at `at`: all that stands behind the last of `records` that lies before it.
    fn new(at: Timestamp, records: &[Record]) -> Seam {
        let is_before = |record: &Record| record.position.is_some_and(|place| place < at);
        let behind = records
            .iter()
            .rposition(is_before)
            .map_or(0, |last| last + 1);
        Seam {
            at,
            shared: records[behind..].iter().map(key).collect(),
        }
    }

    /// Whether `pages` hold all that is shared.
    fn holds(&self, pages: &[Received]) -> bool {
        let mut missing = self.shared.clone();
        for page in pages {
            for record in &page.page.records {
                missing.remove(&key(record));
            }
            if missing.is_empty() {
                return true;
            }
        }
        missing.is_empty()
    }
}

/// What must be known of the page taken last to read ahead of it.
#[derive(Debug)]
pub(super) struct LastPage {
    records: usize,
    bytes: usize,
    first: Timestamp,
    last: Timestamp,
    /// Around a record that tells the clocks apart; nothing where none was processed later than it
    /// happened, so that there is only one clock.
    witness: Option<Seam>,
}

impl LastPage {
    /// Nothing where the records do not say when they were processed.
    pub(super) fn of(records: &[Record]) -> Option<LastPage> {
        let mut places = records.iter().filter_map(|record| record.position);
        let first = places.next()?;
        let last = places.next_back()?;
        let tells = |record: &&Record| match (record.time, record.position) {
            (Some(time), Some(place)) => time < whole_millis(place),
            _ => false,
        };
        let witness = records.iter().rev().find(tells);
        let at = witness.and_then(|record| record.position).map(whole_millis);
        Some(LastPage {
            records: records.len(),
            bytes: records.iter().map(|record| record.doc.text().len()).sum(),
            first,
            last,
            witness: at.map(|at| Seam::new(at, records)),
        })
    }

    /// How many such pages there are until `end`, as far as this one tells.
    fn pages_until(&self, end: Timestamp) -> usize {
        let (ahead, page) = (end - self.last, self.last - self.first);
        let pages = ahead.num_milliseconds().max(0) / page.num_milliseconds().max(1);
        match page > TimeDelta::zero() {
            true => usize::try_from(pages).unwrap_or(usize::MAX),
            false => 0,
        }
    }
}

/// A part that is being read.
struct Piece {
    span: Span,
    task: Task<Read>,
}

/// What was read of a part.
#[derive(Debug)]
struct Read {
    pages: Vec<Received>,
    end: End,
}

/// Why a part was not read further.
#[derive(Debug)]
enum End {
    /// The next part begins on its last page.
    Seam(Seam),
    /// It has as many pages as may be held; this is the place of the last record.
    Full(Timestamp),
    /// What to make of its last page is the walk's business: the end of everything, or a surprise.
    Open,
    /// A request was given up.
    Failed(Failure),
}

/// How a window is cut into parts.
struct Cutting {
    /// The end of what is read ahead.
    horizon: Timestamp,
    /// The pages of a part, as far as can be guessed.
    pages: usize,
    /// Records on a page.
    page_size: usize,
    density: Density,
}

impl Cutting {
    fn new(last: &LastPage, horizon: Timestamp, at_once: usize) -> Cutting {
        let affordable = BYTES / (at_once * last.bytes).max(1);
        let fair = last.pages_until(horizon).div_ceil(at_once);
        let mut density = Density::default();
        // Between so many records there is one gap less.
        density.saw(last.records.saturating_sub(1), last.last - last.first);
        Cutting {
            horizon,
            pages: PAGES.min(affordable).min(fair).max(1),
            page_size: last.records,
            density,
        }
    }

    /// The last page of a part is full of the next one's records, but for a half on average.
    fn width(&self) -> Option<TimeDelta> {
        let records = self.pages * self.page_size - self.page_size / 2;
        self.density.span_of(records)
    }
}

impl<T: Transport + 'static> Stream<T> {
    /// Whether several parts may be read at once, and it would be faster.
    pub(super) fn may_pay(&self) -> bool {
        self.concurrency > 1 && self.ahead != Ahead::Off && self.reader.is_slow()
    }

    /// Reads ahead of the last page, where that pays: until little is left of the window, or something
    /// comes that is better read one page after the other.
    pub(super) async fn read_ahead(&mut self) -> Result<Option<Reached>, FetchError> {
        let horizon = self.open.to.unwrap_or_else(chrono::Utc::now);
        let is_worth = |last: &LastPage| last.pages_until(horizon) >= WORTH;
        let Some(mut last) = self.last.take().filter(is_worth) else {
            return Ok(None);
        };
        if self.ahead == Ahead::Untried
            && let Some(witness) = last.witness.take()
        {
            if let Some(reached) = self.try_clock(witness).await? {
                return Ok(Some(reached));
            }
            match self.last.take().filter(is_worth) {
                Some(next) => last = next,
                None => return Ok(None),
            }
        }
        self.ahead = Ahead::Sound;
        let cutting = Cutting::new(&last, horizon, self.concurrency);
        self.read_parts(Parts::new(last.last, horizon), cutting)
            .await
    }

    /// Asks by time for a record that happened before it, and goes on behind it where it is there.
    async fn try_clock(&mut self, seam: Seam) -> Result<Option<Reached>, FetchError> {
        let window = Window {
            from: seam.at,
            ..self.open.window()
        };
        let page = self.reader.page(&window, &Place::Start).await?;
        let mut pages = vec![Received::now(Place::Start, page)];
        if !seam.holds(&pages) {
            tracing::debug!(
                "the server filters by another time than it sorts by; reading page by page"
            );
            self.ahead = Ahead::Off;
            return Ok(None);
        }
        self.ahead = Ahead::Sound;
        match pages.pop() {
            Some(page) => self.take(page.without(seam.shared)).await,
            None => Ok(None),
        }
    }

    async fn read_parts(
        &mut self,
        mut parts: Parts<Piece>,
        mut cutting: Cutting,
    ) -> Result<Option<Reached>, FetchError> {
        let mut seam: Option<Seam> = None;
        loop {
            if seam.is_none() {
                // Nothing was cut off before it: it goes on where the walk stands.
                let place = self.walk.place();
                parts.begin(1, cutting.width(), |span| {
                    self.ask(span, place.clone(), &cutting)
                });
            }
            let by_time = |span| self.ask(span, Place::Start, &cutting);
            while parts.begin(self.concurrency, cutting.width(), by_time) {}
            let Some(Part::Begun(piece)) = parts.take() else {
                return Ok(None);
            };
            let Read { pages, end } = piece.task.result().await?;
            let shared = match seam.take() {
                Some(seam) if !seam.holds(&pages) => return self.after_broken(end),
                seam => seam.map(|seam| seam.shared).unwrap_or_default(),
            };
            let mut reached = piece.span.from;
            for page in pages {
                if let Some(end) = self.take(page.without(shared.clone())).await? {
                    return Ok(Some(end));
                }
                if let Some(page) = &self.last {
                    cutting.density.saw(page.records, page.last - reached);
                    reached = page.last;
                }
            }
            match end {
                End::Seam(next) => seam = Some(next),
                End::Full(from) => parts.put_back(Span { from, ..piece.span }),
                End::Open => {
                    self.ahead = Ahead::Off;
                    return Ok(None);
                }
                End::Failed(failure) => return self.after(failure),
            }
        }
    }

    fn ask(&self, span: Span, place: Place, cutting: &Cutting) -> Piece {
        let window = Window {
            from: span.from,
            to: self.open.to,
        };
        // The last one goes as far as there is anything.
        let end = (span.to < cutting.horizon).then_some(span.to);
        // One more than was guessed may be held.
        let (reader, pages) = (self.reader.clone(), cutting.pages + 1);
        Piece {
            span,
            task: Task::start(async move { read(&reader, window, place, end, pages).await }),
        }
    }

    /// A seam did not hold: what the walk has reached is sound, and it goes on page by page.
    fn after_broken(&mut self, end: End) -> Result<Option<Reached>, FetchError> {
        if let End::Failed(failure) = end {
            return self.after(failure);
        }
        tracing::debug!(
            "what was read ahead does not fit what was read before; reading page by page"
        );
        self.ahead = Ahead::Off;
        Ok(None)
    }

    /// A request was given up. That of a refused cursor is made again where the walk stands.
    fn after(&mut self, failure: Failure) -> Result<Option<Reached>, FetchError> {
        if !is_refused_cursor(&failure, self.walk.place()) {
            return Err(failure.into());
        }
        self.ahead = Ahead::Off;
        Ok(None)
    }
}

/// Reads a part behind `place` until a page passes `end`, or so many pages are held.
async fn read<T: Transport>(
    reader: &Reader<T>,
    window: Window,
    mut place: Place,
    end: Option<Timestamp>,
    most: usize,
) -> Read {
    let mut pages: Vec<Received> = Vec::new();
    loop {
        let page = match reader.page(&window, &place).await {
            Ok(page) => page,
            Err(failure) => {
                let end = End::Failed(failure);
                return Read { pages, end };
            }
        };
        let last = page.records.iter().rev().find_map(|record| record.position);
        let seam = end.filter(|end| last.is_some_and(|last| last >= *end));
        let seam = seam.map(|at| Seam::new(at, &page.records));
        let next = page.next.clone();
        let is_empty = page.records.is_empty();
        pages.push(Received::now(place.clone(), page));
        let end = match (seam, next, last) {
            (Some(seam), Some(_), _) => End::Seam(seam),
            (_, Some(next), Some(last)) if !is_empty && next != place => match pages.len() < most {
                true => {
                    place = next;
                    continue;
                }
                false => End::Full(last),
            },
            _ => End::Open,
        };
        return Read { pages, end };
    }
}
