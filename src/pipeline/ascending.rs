//! Owns the reading of a window of a source that delivers oldest first: behind one cursor after the
//! other, and by time where the server refuses one.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::http::client::Transport;
use crate::http::failure::{Failure, FailureKind};
use crate::model::people::People;
use crate::model::record::Record;
use crate::model::time::{Timestamp, before, format_millis};
use crate::pipeline::ahead::Ahead;
use crate::pipeline::ahead::seam::{Key, LastPage, key};
use crate::pipeline::fetch::{Delivery, FetchError, Reached};
use crate::pipeline::plan::CURSOR_FALLBACK;
use crate::pipeline::reader::{Reader, places};
use crate::pipeline::walk::{Advance, Walk};
use crate::source::{Page, Place};
use crate::state::checkpoint::OpenWindow;

/// Empty pages with a new cursor that a pull follows in a row: a stream that keeps its cursor at the
/// end may give a few, and the next pull goes on from there.
const EMPTY_PAGES: u32 = 3;

/// The same where the window has an end that must be seen, for there is no next pull: two minutes of
/// the quota.
pub(super) const EMPTY_PAGES_BOUNDED: u32 = 100;

/// Fall-backs from a refused cursor that may bring nothing newer, before the server is given up.
const VAIN_FALL_BACKS: u32 = 3;

/// The reading of one window.
pub struct Stream<T> {
    pub(super) reader: Arc<Reader<T>>,
    index: usize,
    pub(super) open: OpenWindow,
    pub(super) walk: Walk,
    fall_backs: FallBacks,
    /// Whether the server refused to read from the window's start, and is read from a later one.
    is_shortened: bool,
    watermark: Option<Timestamp>,
    /// Parts of the window that may be read at once.
    pub(super) concurrency: usize,
    pub(super) ahead: Ahead,
    /// The page taken last, where reading ahead of it may pay.
    pub(super) last: Option<LastPage>,
    out: mpsc::Sender<Delivery>,
}

/// A page as it was received.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) place: Place,
    pub(super) page: Page,
    pub(super) at: Timestamp,
    /// Records on it that were taken with the page before.
    known: HashSet<Key>,
}

impl<T: Transport + 'static> Stream<T> {
    /// The reading of window `index`, which stands as `open` says. `watermark` is the newest place known.
    pub fn new(
        reader: Arc<Reader<T>>,
        (index, open): (usize, OpenWindow),
        watermark: Option<Timestamp>,
        concurrency: usize,
        out: mpsc::Sender<Delivery>,
    ) -> Stream<T> {
        Stream {
            walk: Walk::new(open.cursor.as_deref(), empty_pages(&open)),
            reader,
            index,
            open,
            fall_backs: FallBacks::default(),
            is_shortened: false,
            watermark,
            concurrency,
            ahead: Ahead::default(),
            last: None,
            out,
        }
    }

    /// Reads it to its end.
    ///
    /// # Errors
    /// What was read before is handed on all the same.
    pub async fn read(mut self) -> Result<Reached, FetchError> {
        loop {
            let place = self.walk.place().clone();
            let reached = match self.reader.page(&self.open.window(), &place).await {
                Ok(page) => self.take(Received::now(place, page)).await?,
                Err(failure) if self.may_fall_back(&failure) => self.fall_back(&failure).await,
                Err(failure) if self.refuses_start(&failure) => self.shorten(failure).await?,
                Err(failure) => return Err(failure.into()),
            };
            let reached = match reached {
                None => self.read_ahead().await?,
                end => end,
            };
            if let Some(reached) = reached {
                return Ok(reached);
            }
        }
    }

    /// Hands a page on, and says how far that is where it is the end.
    pub(super) async fn take(&mut self, received: Received) -> Result<Option<Reached>, FetchError> {
        let Received {
            place,
            mut page,
            at,
            known,
        } = received;
        self.walk.go_to(place);
        // The smallest: a wrong date ahead must not lead a fall-back past what is unread.
        self.watermark = places(&page.records).min().or(self.watermark);
        self.fall_backs.saw(&page.records);
        self.last = match self.may_pay() {
            true => LastPage::of(&page.records),
            false => None,
        };
        if let Some(next) = page.next.take_if(|_| is_known(&page.records, &known)) {
            // Read twice by our own doing: no sign of a circle.
            self.walk.go_to(next);
            return Ok(None);
        }
        let stood = self.walk.place().clone();
        let advance = self.walk.advance(&page.records, page.next);
        if advance.is_err() && self.out.send(Delivery::Rereading).await.is_err() {
            return Ok(Some(Reached::Unheard));
        }
        // A last page that was asked for by time has none: the one before it still leads there.
        let cursor = self.walk.cursor().map(str::to_owned);
        self.open.cursor = cursor.or(self.open.cursor.take());
        // From the end on, only news come.
        self.open.rereads &= advance != Ok(Advance::CaughtUp);
        if !known.is_empty() {
            page.records.retain(|record| !known.contains(&key(record)));
        }
        let delivery = Delivery::Records {
            records: page.records,
            received: at,
            people: People::default(),
            window: self.index,
            then: Some(self.open.clone()),
            passed: *self.walk.place() != stood,
        };
        if self.out.send(delivery).await.is_err() {
            return Ok(Some(Reached::Unheard));
        }
        match advance? {
            Advance::GoOn => Ok(None),
            Advance::CaughtUp => Ok(Some(Reached::End)),
            Advance::GaveUp if self.open.to.is_some() => Err(FetchError::NoEnd),
            Advance::GaveUp => Ok(Some(Reached::EmptyPages)),
        }
    }

    /// Whether `failure` is of the cursor, and reading by time may help.
    fn may_fall_back(&self, failure: &Failure) -> bool {
        is_refused_cursor(failure, self.walk.place()) && self.fall_backs.may_help()
    }

    /// Goes on by time where the cursor was refused.
    async fn fall_back(&mut self, failure: &Failure) -> Option<Reached> {
        self.open = by_time(&self.open, self.watermark, failure);
        self.walk = Walk::new(None, empty_pages(&self.open));
        self.fall_backs.note();
        self.last = None;
        let told = self.out.send(Delivery::Rereading).await;
        told.is_err().then_some(Reached::Unheard)
    }

    /// Whether `failure` may mean that the window begins before the earliest event that is kept.
    fn refuses_start(&self, failure: &Failure) -> bool {
        failure.kind == FailureKind::BadRequest
            && *self.walk.place() == Place::Start
            && !self.is_shortened
    }

    /// Reads on from the earliest time that the server keeps, because it refused the window's own
    /// start. Servers that show less than was asked for, without an error, need none of this.
    async fn shorten(&mut self, failure: Failure) -> Result<Option<Reached>, FetchError> {
        let now = chrono::Utc::now();
        let retention = self.reader.source.retention();
        let start = retention.map(|kept| kept.earliest_accepted(now));
        let is_inside = |start: &Timestamp| {
            self.open.from < *start && self.open.to.is_none_or(|to| *start < to)
        };
        let Some(start) = start.filter(is_inside) else {
            return Err(failure.into());
        };
        tracing::warn!(
            server = %failure.message,
            from = %format_millis(start),
            "the server refused to read from before the earliest event that it keeps; reading from there instead"
        );
        self.open.from = start;
        self.is_shortened = true;
        let sent = self.out.send(Delivery::Shortened { from: start }).await;
        Ok(sent.is_err().then_some(Reached::Unheard))
    }
}

impl Received {
    pub(super) fn now(place: Place, page: Page) -> Received {
        Received::at(place, page, chrono::Utc::now())
    }

    pub(super) fn at(place: Place, page: Page, at: Timestamp) -> Received {
        Received {
            place,
            page,
            at,
            known: HashSet::new(),
        }
    }

    /// The same, of which `known` was taken before.
    pub(super) fn without(self, known: HashSet<Key>) -> Received {
        Received { known, ..self }
    }
}

/// Whether all of `records`, and there are some, were taken before.
fn is_known(records: &[Record], known: &HashSet<Key>) -> bool {
    let has_all = || records.iter().all(|record| known.contains(&key(record)));
    !known.is_empty() && !records.is_empty() && has_all()
}

fn empty_pages(open: &OpenWindow) -> u32 {
    match open.to {
        Some(_) => EMPTY_PAGES_BOUNDED,
        None => EMPTY_PAGES,
    }
}

/// The fall-backs of one walk: a server that refuses its cursors again and again, with nothing newer
/// in between, leads to the same place for ever.
#[derive(Debug, Default)]
struct FallBacks {
    /// The newest place seen, as the records say: ours, held to the present, moves with the clock.
    furthest: Option<Timestamp>,
    at_last: Option<Timestamp>,
    in_vain: u32,
}

impl FallBacks {
    fn saw(&mut self, records: &[Record]) {
        let positions = records.iter().filter_map(|record| record.position);
        self.furthest = self.furthest.max(positions.max());
    }

    fn may_help(&self) -> bool {
        self.furthest != self.at_last || self.in_vain < VAIN_FALL_BACKS
    }

    fn note(&mut self) {
        self.in_vain = match self.furthest == self.at_last {
            true => self.in_vain + 1,
            false => 1,
        };
        self.at_last = self.furthest;
    }
}

/// Whether the server refused the cursor that it was asked with.
pub(super) fn is_refused_cursor(failure: &Failure, place: &Place) -> bool {
    matches!(place, Place::Cursor(_))
        && matches!(
            failure.kind,
            FailureKind::BadRequest | FailureKind::NotFound
        )
}

/// The window to read by time where its cursor was refused.
fn by_time(open: &OpenWindow, watermark: Option<Timestamp>, failure: &Failure) -> OpenWindow {
    let from = watermark.map_or(open.from, |watermark| {
        before(watermark, CURSOR_FALLBACK).max(open.from)
    });
    tracing::warn!(
        server = %failure.message,
        from = %format_millis(from),
        "the server refused the cursor; reading by time instead, and leaving out what was written before"
    );
    OpenWindow {
        from,
        to: open.to,
        cursor: None,
        rereads: true,
    }
}
