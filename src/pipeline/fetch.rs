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

/// Times that a slice is read because the log changed beneath it, before the run ends there.
const SLICE_READS: u32 = 4;

/// Empty pages with a new cursor that a pull follows in a row: a stream that keeps its cursor at the
/// end may give a few, and the next pull goes on from there.
const EMPTY_PAGES: u32 = 3;

/// The same where the window has an end that must be seen, for there is no next pull: two minutes of
/// the quota.
const EMPTY_PAGES_BOUNDED: u32 = 100;

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
    /// Page after page was empty, each with a new cursor, in a window that must have an end.
    #[error("the server gave {EMPTY_PAGES_BOUNDED} empty pages in a row and no end")]
    NoEnd,
    /// Each reading of a slice met records that had arrived meanwhile.
    #[error(
        "records kept arriving while a span of time was read {SLICE_READS} times, so some of it may be missing"
    )]
    Unsteady,
}

/// How far a reading came that met no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Everything there is was read.
    End,
    /// Only empty pages came at last, each with a new cursor: more may lie behind them, and the next
    /// pull goes on from there.
    EmptyPages,
    /// Nobody takes the records any more.
    Unheard,
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
    ) -> Result<Reached, FetchError> {
        for (index, open) in windows.into_iter().enumerate() {
            let reached = match self.source.order() {
                Order::Ascending => self.walk(index, open, watermark, &out).await?,
                Order::NewestFirst => self.slices(index, open, &out).await?,
            };
            if reached != Reached::End {
                return Ok(reached);
            }
        }
        Ok(Reached::End)
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
        if page.is_mended {
            self.note_mended();
        }
        if let Some(newest) = places(&page.records).max() {
            self.meter.reached(newest);
        }
        Ok(page)
    }

    /// Tells the first page with bytes that are no UTF-8; the report has their count.
    fn note_mended(&self) {
        if self.meter.mended_pages.get() == 0 {
            tracing::warn!(
                "an answer holds bytes that are no UTF-8; U+FFFD stands for them in what is written"
            );
        }
        self.meter.mended_pages.add(1);
    }

    /// Follows the cursors of a source that delivers oldest first.
    async fn walk(
        &self,
        index: usize,
        mut open: OpenWindow,
        mut watermark: Option<Timestamp>,
        out: &mpsc::Sender<Delivery>,
    ) -> Result<Reached, FetchError> {
        let empty_pages = match open.to {
            Some(_) => EMPTY_PAGES_BOUNDED,
            None => EMPTY_PAGES,
        };
        let mut walk = Walk::new(open.cursor.as_deref(), empty_pages);
        let mut fall_backs = FallBacks::default();
        loop {
            let page = match self.page(&open.window(), walk.place()).await {
                Err(failure)
                    if is_refused_cursor(&failure, walk.place()) && fall_backs.may_help() =>
                {
                    open = fall_back(&open, watermark, &failure);
                    walk = Walk::new(None, empty_pages);
                    fall_backs.note();
                    if out.send(Delivery::Rereading).await.is_err() {
                        return Ok(Reached::Unheard);
                    }
                    continue;
                }
                answer => answer?,
            };
            // The smallest: a wrong date ahead must not lead a fall-back past what is unread.
            watermark = places(&page.records).min().or(watermark);
            fall_backs.saw(&page.records);
            let stood = walk.place().clone();
            let advance = walk.advance(&page.records, page.next);
            if advance.is_err() && out.send(Delivery::Rereading).await.is_err() {
                return Ok(Reached::Unheard);
            }
            open.cursor = walk.cursor().map(str::to_owned);
            // From the end on, only news come.
            open.rereads &= advance != Ok(Advance::CaughtUp);
            let delivery = Delivery::Records {
                records: page.records,
                received: chrono::Utc::now(),
                window: index,
                then: Some(open.clone()),
                passed: *walk.place() != stood,
            };
            if out.send(delivery).await.is_err() {
                return Ok(Reached::Unheard);
            }
            match advance? {
                Advance::GoOn => {}
                Advance::CaughtUp => return Ok(Reached::End),
                Advance::GaveUp if open.to.is_some() => return Err(FetchError::NoEnd),
                Advance::GaveUp => return Ok(Reached::EmptyPages),
            }
        }
    }

    /// Reads a source that delivers newest first, slice by slice.
    async fn slices(
        &self,
        index: usize,
        open: OpenWindow,
        out: &mpsc::Sender<Delivery>,
    ) -> Result<Reached, FetchError> {
        let end = open.to.unwrap_or_else(chrono::Utc::now);
        let mut slices = Slices::new(open.from, end);
        while let Some(window) = slices.current() {
            let limit = slices.can_be_cut().then_some(self.slice_records);
            let (records, is_steady) = match self.slice(&window, limit).await? {
                (Slice::Whole(records), is_steady) => (records, is_steady),
                (Slice::TooMuch(cuts), _) => {
                    slices.cut(&cuts);
                    continue;
                }
            };
            // One that never stood still is handed on, and stays to be read again by the next run.
            if is_steady {
                slices.finished();
            }
            let delivery = Delivery::Records {
                records: oldest_first(records, &window),
                received: chrono::Utc::now(),
                window: index,
                then: slices.current().map(|next| OpenWindow {
                    from: next.from,
                    to: Some(end),
                    cursor: None,
                    rereads: open.rereads,
                }),
                passed: is_steady,
            };
            if out.send(delivery).await.is_err() {
                return Ok(Reached::Unheard);
            }
            if !is_steady {
                return Err(FetchError::Unsteady);
            }
        }
        Ok(Reached::End)
    }

    /// Reads one slice, and says whether it stood still. Where a record comes twice, the log grew
    /// inside the slice while it was paged through, and another may have slipped past: read again.
    async fn slice(
        &self,
        window: &Window,
        limit: Option<usize>,
    ) -> Result<(Slice, bool), FetchError> {
        let mut reads = 1;
        loop {
            let (slice, is_steady) = self.slice_once(window, limit).await?;
            if is_steady || reads == SLICE_READS {
                return Ok((slice, is_steady));
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

/// Where the watermark would move with each of `records`, received just now.
fn places(records: &[Record]) -> impl Iterator<Item = Timestamp> {
    let now = chrono::Utc::now();
    let positions = records.iter().filter_map(|record| record.position);
    positions.filter_map(move |position| watermark_of(position, now))
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
        rereads: true,
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
