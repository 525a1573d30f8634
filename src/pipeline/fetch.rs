//! Owns the reading of a plan's windows: asks page after page and hands records on, in order,
//! together with where the window stands after them.
//!
//! Runs ahead of the writing by the capacity of the channel, and stops when nobody listens.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::http::client::Transport;
use crate::http::exchange::exchange;
use crate::http::failure::{Failure, FailureKind};
use crate::http::limit::Limits;
use crate::http::retry::Patience;
use crate::model::record::Record;
use crate::model::time::{Timestamp, Window, before};
use crate::pipeline::collected::{Collected, Slice, oldest_first};
use crate::pipeline::plan::{CURSOR_FALLBACK, watermark_of};
use crate::pipeline::slices::Slices;
use crate::pipeline::walk::{Advance, Circle, Walk};
use crate::source::{Order, Page, Place, Source};
use crate::state::checkpoint::OpenWindow;
use crate::telemetry::meter::Meter;

/// Records that one time slice may hold in memory: about ten megabytes.
pub const SLICE_RECORDS: usize = 5_000;

/// Times that a slice is read because the log changed beneath it, before it is taken as it is.
const SLICE_READS: u32 = 4;

/// Fall-backs from a refused cursor that may bring nothing newer, before the server is given up.
const VAIN_FALL_BACKS: u32 = 3;

/// How far back a probe asks.
const PROBE: Duration = Duration::from_secs(60 * 60);

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
    /// The server gives records of any time, and more than can be sorted here.
    #[error("the server gives records from before the time asked for")]
    IgnoresDates,
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
    /// Records that one time slice may hold; [`SLICE_RECORDS`] but for tests.
    pub slice_records: usize,
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
        let mut fall_backs = FallBacks::default();
        loop {
            let page = match self.page(&open.window(), walk.place()).await {
                Err(failure)
                    if is_refused_cursor(&failure, walk.place()) && fall_backs.may_help() =>
                {
                    open = fall_back(&open, watermark, &failure);
                    walk = Walk::new(None);
                    fall_backs.note();
                    if out.send(Delivery::Rereading).await.is_err() {
                        return Ok(Listener::Left);
                    }
                    continue;
                }
                answer => answer?,
            };
            watermark = newest(&page.records).max(watermark);
            fall_backs.saw(&page.records);
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
            match advance? {
                Advance::GoOn => {}
                Advance::CaughtUp => return Ok(Listener::Listens),
                Advance::GaveUp => {
                    warn_of_empty_pages(&open);
                    return Ok(Listener::Listens);
                }
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
        let mut slices = Slices::new(open.from, end);
        while let Some(window) = slices.current() {
            let limit = slices.can_be_cut().then_some(self.slice_records);
            let records = match self.slice(&window, limit).await? {
                Slice::Whole(records) => records,
                Slice::TooMuch(cuts) => {
                    slices.cut(&cuts);
                    continue;
                }
            };
            slices.finished();
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

    /// Reads one slice. Where a record comes twice, the log grew inside the slice while it was paged
    /// through, and another may have slipped past: read again.
    async fn slice(&self, window: &Window, limit: Option<usize>) -> Result<Slice, FetchError> {
        let mut reads = 1;
        loop {
            let (slice, is_steady) = self.slice_once(window, limit).await?;
            if is_steady {
                return Ok(slice);
            }
            if reads == SLICE_READS {
                tracing::warn!(
                    "records kept arriving while a slice was read {reads} times; some that are dated in the past may be missing"
                );
                return Ok(slice);
            }
            reads += 1;
            tracing::info!("records arrived while a slice was read; reading it again");
        }
    }

    /// Reads a slice whole; one of more than `limit` records is only paged through, to see where it
    /// can be cut.
    async fn slice_once(
        &self,
        window: &Window,
        limit: Option<usize>,
    ) -> Result<(Slice, bool), FetchError> {
        let mut collected = Collected::new(self.slice_records);
        let mut place = Place::Start;
        loop {
            let page = self.page(window, &place).await?;
            collected.add(page.records)?;
            if limit.is_some_and(|limit| collected.records.len() > limit) {
                collected.keep_none(window)?;
            }
            match page.next {
                Some(next) => place = next,
                None => return Ok(collected.slice()),
            }
        }
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

/// Where the watermark moves with `records`, received just now.
fn newest(records: &[Record]) -> Option<Timestamp> {
    let now = chrono::Utc::now();
    let positions = records.iter().filter_map(|record| record.position);
    positions
        .filter_map(|position| watermark_of(position, now))
        .max()
}

/// A pull that goes on from its cursor loses nothing by stopping; a bounded read has no next time.
fn warn_of_empty_pages(open: &OpenWindow) {
    match open.to {
        Some(_) => tracing::warn!(
            "the server gave only empty pages at the end, each with a new cursor; there may be more behind them"
        ),
        None => tracing::info!("only empty pages with new cursors; going on from there next time"),
    }
}

fn is_refused_cursor(failure: &Failure, place: &Place) -> bool {
    matches!(place, Place::Cursor(_))
        && matches!(
            failure.kind,
            FailureKind::BadRequest | FailureKind::NotFound
        )
}

/// The window to read by time where its cursor was refused.
fn fall_back(open: &OpenWindow, watermark: Option<Timestamp>, failure: &Failure) -> OpenWindow {
    let from = watermark.map_or(open.from, |watermark| {
        before(watermark, CURSOR_FALLBACK).max(open.from)
    });
    tracing::warn!(
        server = %failure.message,
        from = %crate::model::time::format_millis(from),
        "the server refused the cursor; reading by time instead, and leaving out what was written before"
    );
    OpenWindow {
        from,
        to: open.to,
        cursor: None,
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
