//! Owns the reading of a plan's windows: asks page after page and hands records on, in order,
//! together with where the window stands after them.
//!
//! Runs ahead of the writing by the capacity of the channel, and stops when nobody listens.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::http::client::Transport;
use crate::http::exchange::exchange;
use crate::http::failure::{Failure, FailureKind};
use crate::http::limit::Limits;
use crate::http::retry::Patience;
use crate::model::record::Record;
use crate::model::time::{Timestamp, Window, after, before};
use crate::pipeline::plan::{CURSOR_FALLBACK, FUTURE};
use crate::pipeline::slices::Slices;
use crate::pipeline::walk::{Advance, Circle, Walk};
use crate::source::{Order, Page, Place, Source};
use crate::state::checkpoint::OpenWindow;
use crate::telemetry::meter::Meter;

/// Pages that one time slice may hold in memory.
const SLICE_PAGES: usize = 5;

/// Times that a slice is read again because the log changed beneath it.
const SLICE_RETRIES: u32 = 3;

/// How far back a probe asks.
const PROBE: Duration = Duration::from_secs(60 * 60);

/// Full pages in a row without a new record that are followed.
const STALE_PAGES: u32 = 3;

/// What the fetcher hands on.
#[derive(Debug)]
pub enum Delivery {
    /// The next records, oldest first.
    Records {
        /// The records.
        records: Vec<Record>,
        /// When they were received.
        received: Timestamp,
        /// Which window of the plan they belong to.
        window: usize,
        /// How the window stands when they are written; nothing when it is done.
        then: Option<OpenWindow>,
        /// Whether it will go on behind them: false when they will be asked for again.
        passed: bool,
    },
    /// What follows may have been written before.
    Rereading,
}

/// Why a window could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A request was given up.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The server led in a circle.
    #[error(transparent)]
    Circle(#[from] Circle),
}

/// Reads one source.
pub struct Fetcher<T> {
    /// How the API is read.
    pub source: Box<dyn Source>,
    /// Sends requests.
    pub transport: T,
    /// What requests must wait for.
    pub limits: Arc<Limits>,
    /// How long failures are borne.
    pub patience: Patience,
    /// Counts what happens.
    pub meter: Arc<Meter>,
    /// Records asked for in one page.
    pub page_size: u32,
}

/// Whether the one that records go to still takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listener {
    Listens,
    Left,
}

impl<T: Transport> Fetcher<T> {
    /// Reads `windows` to their ends into `out`. `watermark` is the newest place known.
    ///
    /// # Errors
    /// What was read before is handed on all the same.
    pub async fn run(
        &self,
        windows: Vec<OpenWindow>,
        watermark: Option<Timestamp>,
        out: mpsc::Sender<Delivery>,
    ) -> Result<(), FetchError> {
        for (index, open) in windows.into_iter().enumerate() {
            let listener = match self.source.order() {
                Order::Ascending => self.walk(index, open, watermark, &out).await?,
                Order::NewestFirst => self.slices(index, open, &out).await?,
            };
            if listener == Listener::Left {
                break;
            }
        }
        Ok(())
    }

    /// Asks for one page of the last hour, to see whether the source answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn probe(&self, now: Timestamp) -> Result<(), Failure> {
        let window = Window {
            from: before(now, PROBE),
            to: Some(now),
        };
        self.page(&window, &Place::Start).await.map(|_| ())
    }

    async fn page(&self, window: &Window, place: &Place) -> Result<Page, Failure> {
        let request = self.source.request(window, place);
        let page = exchange(
            &self.transport,
            &self.limits,
            &self.patience,
            &self.meter,
            &request,
            |response| self.source.read(place, response),
        )
        .await?;
        self.meter.pages.add(1);
        if let Some(newest) = newest(&page.records) {
            self.meter.reached(newest);
        }
        Ok(page)
    }

    /// Follows the cursors of a source that delivers oldest first.
    async fn walk(
        &self,
        index: usize,
        mut open: OpenWindow,
        mut watermark: Option<Timestamp>,
        out: &mpsc::Sender<Delivery>,
    ) -> Result<Listener, FetchError> {
        let mut walk = Walk::new(open.cursor.as_deref());
        // A server that refuses the cursor it gave a moment ago refuses the next one too.
        let mut may_fall_back = true;
        loop {
            let page = match self.page(&open.window(), walk.place()).await {
                Err(failure) if may_fall_back && is_refused_cursor(&failure, walk.place()) => {
                    open = fall_back(&open, watermark, &failure);
                    walk = Walk::new(None);
                    may_fall_back = false;
                    if out.send(Delivery::Rereading).await.is_err() {
                        return Ok(Listener::Left);
                    }
                    continue;
                }
                answer => answer?,
            };
            may_fall_back |= matches!(walk.place(), Place::Cursor(_));
            watermark = newest(&page.records).max(watermark);
            let stood = walk.place().clone();
            let advance = walk.advance(page.records.len(), page.next);
            if advance.is_err() && out.send(Delivery::Rereading).await.is_err() {
                return Ok(Listener::Left);
            }
            open.cursor = walk.cursor().map(str::to_owned);
            let delivery = Delivery::Records {
                records: page.records,
                received: chrono::Utc::now(),
                window: index,
                then: Some(open.clone()),
                passed: *walk.place() != stood,
            };
            if out.send(delivery).await.is_err() {
                return Ok(Listener::Left);
            }
            if advance? == Advance::CaughtUp {
                return Ok(Listener::Listens);
            }
        }
    }

    /// Reads a source that delivers newest first, slice by slice.
    async fn slices(
        &self,
        index: usize,
        open: OpenWindow,
        out: &mpsc::Sender<Delivery>,
    ) -> Result<Listener, FetchError> {
        let end = open.to.unwrap_or_else(chrono::Utc::now);
        let capacity = SLICE_PAGES * self.page_size as usize;
        let mut slices = Slices::new(open.from, end, capacity);
        while let Some(window) = slices.current() {
            let limit = slices.can_narrow().then_some(capacity);
            let records = match self.slice(&window, limit).await? {
                Slice::Whole(records) => records,
                Slice::TooMuch { oldest } => {
                    slices.overflowed(oldest.unwrap_or(window.from));
                    continue;
                }
            };
            slices.finished(records.len());
            let delivery = Delivery::Records {
                records: oldest_first(records, &window),
                received: chrono::Utc::now(),
                window: index,
                then: slices.current().map(|next| OpenWindow {
                    from: next.from,
                    to: Some(end),
                    cursor: None,
                }),
                passed: true,
            };
            if out.send(delivery).await.is_err() {
                return Ok(Listener::Left);
            }
        }
        Ok(Listener::Listens)
    }

    /// Reads one slice whole, or up to `limit` records. Where a record comes twice, the log grew
    /// inside the slice while it was paged through, and another may have slipped past: read again.
    async fn slice(&self, window: &Window, limit: Option<usize>) -> Result<Slice, FetchError> {
        let mut retries = 0;
        loop {
            let (slice, is_steady) = self.slice_once(window, limit).await?;
            if is_steady {
                return Ok(slice);
            }
            if retries == SLICE_RETRIES {
                tracing::warn!(
                    "records kept arriving while a slice was read {} times; the next pull reads its end again",
                    SLICE_RETRIES + 1
                );
                return Ok(slice);
            }
            retries += 1;
            tracing::info!(
                retries,
                "records arrived while a slice was read; reading it again"
            );
        }
    }

    async fn slice_once(
        &self,
        window: &Window,
        limit: Option<usize>,
    ) -> Result<(Slice, bool), FetchError> {
        let mut records: Vec<Record> = Vec::new();
        let mut known = HashSet::new();
        let mut is_steady = true;
        let mut place = Place::Start;
        let mut stale_in_a_row = 0;
        loop {
            let page = self.page(window, &place).await?;
            let count = records.len();
            for record in page.records {
                match known.insert((record.identity(), record.doc.content_hash())) {
                    true => records.push(record),
                    false => is_steady = false,
                }
            }
            if limit.is_some_and(|limit| records.len() > limit) {
                let oldest = records.iter().filter_map(|record| record.position).min();
                return Ok((Slice::TooMuch { oldest }, true));
            }
            stale_in_a_row = match records.len() > count {
                true => 0,
                false => stale_in_a_row + 1,
            };
            match page.next {
                Some(_) if stale_in_a_row > STALE_PAGES => return Err(Circle.into()),
                Some(next) => place = next,
                None => return Ok((Slice::Whole(records), is_steady)),
            }
        }
    }
}

/// What a slice turned out to hold.
enum Slice {
    /// All its records, newest first.
    Whole(Vec<Record>),
    /// More than fits; the oldest of what was read.
    TooMuch { oldest: Option<Timestamp> },
}

/// The newest place among `records`, but for dates that cannot be.
fn newest(records: &[Record]) -> Option<Timestamp> {
    let latest = after(chrono::Utc::now(), FUTURE);
    let positions = records.iter().filter_map(|record| record.position);
    positions.filter(|&position| position <= latest).max()
}

fn is_refused_cursor(failure: &Failure, place: &Place) -> bool {
    matches!(place, Place::Cursor(_)) && failure.kind == FailureKind::BadRequest
}

/// The window to read by time where its cursor was refused.
fn fall_back(open: &OpenWindow, watermark: Option<Timestamp>, failure: &Failure) -> OpenWindow {
    let from = watermark.map_or(open.from, |watermark| {
        before(watermark, CURSOR_FALLBACK).max(open.from)
    });
    tracing::warn!(
        server = %failure.message,
        from = %crate::model::time::format_millis(from),
        "the server refused the cursor; reading by time instead, nothing is lost or repeated"
    );
    OpenWindow {
        from,
        to: open.to,
        cursor: None,
    }
}

/// A slice's records by (place, id), each with a place: one that has none stands where it was found,
/// beside the record before it.
fn oldest_first(mut newest_first: Vec<Record>, window: &Window) -> Vec<Record> {
    let mut place = newest_first
        .iter()
        .find_map(|record| record.position)
        .unwrap_or(window.from);
    for record in &mut newest_first {
        place = *record.position.get_or_insert(place);
    }
    newest_first.sort_by_cached_key(|record| (record.position, id_key(record)));
    newest_first
}

/// Sorts ids as numbers where they are numbers.
fn id_key(record: &Record) -> (Option<u128>, Option<String>) {
    let id = record.id.as_deref();
    (id.and_then(|id| id.parse().ok()), record.id.clone())
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
