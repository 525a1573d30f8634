//! Owns the reading of one part of a window, while others are read beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use chrono::TimeDelta;
use tokio::sync::{Notify, mpsc};

use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::model::time::{Timestamp, Window};
use crate::pipeline::ahead::seam::Seam;
use crate::pipeline::packed::Packed;
use crate::pipeline::parts::Span;
use crate::pipeline::reader::Reader;
use crate::pipeline::task::Task;
use crate::source::Place;

/// The end of a part that has none.
const NO_END: i64 = i64::MAX;

/// The end of a part that was read to it.
const PASSED: i64 = i64::MIN;

/// A part that is being read.
pub struct Piece {
    /// What it brings, in order; its [`End`] at last.
    pub brings: mpsc::UnboundedReceiver<Brought>,
    progress: Arc<Progress>,
    from: Timestamp,
    /// Where it ends as long as nothing else is said, for guesses.
    horizon: Timestamp,
    task: Task<()>,
}

/// What is left of a part to read.
#[derive(Debug)]
pub struct Left {
    /// The span of time.
    pub span: Span,
    /// The time that a page of it covers, as far as it was read; zero before the first.
    pub page: TimeDelta,
    end: i64,
}

impl Left {
    /// Whether it goes as far as there is anything.
    pub fn is_last(&self) -> bool {
        self.end == NO_END
    }
}

/// What a part brings.
#[derive(Debug)]
pub enum Brought {
    /// The next page.
    Page(Packed),
    /// Nothing more.
    End(End),
}

/// Why a part was not read further.
#[derive(Debug)]
pub enum End {
    /// The next part begins on its last page.
    Seam(Seam),
    /// As much is held as may be.
    Full,
    /// What to make of its last page is the walk's business: the end of everything, or a surprise.
    Open,
    /// A request was given up.
    Failed(Failure),
}

/// What others may know, and change, of a part that is being read.
#[derive(Debug)]
struct Progress {
    /// The place of its last record so far, epoch milliseconds.
    reached: AtomicI64,
    /// Pages so far.
    pages: AtomicU32,
    /// Where it ends, epoch milliseconds; the next one begins there.
    end: AtomicI64,
    /// Whether nothing that lies behind it will be handed on.
    ends_all: AtomicBool,
    /// Whether a request of it was given up.
    has_failed: AtomicBool,
}

impl Piece {
    /// Begins to read `span` from `place` on; without an end where it `is_last`. `done` is told at its end.
    pub fn start<T: Transport + 'static>(
        reader: &Arc<Reader<T>>,
        (span, place): (Span, Place),
        (to, is_last): (Option<Timestamp>, bool),
        done: &Arc<Notify>,
    ) -> Piece {
        let end = if is_last {
            NO_END
        } else {
            span.to.timestamp_millis()
        };
        let progress = Arc::new(Progress {
            reached: AtomicI64::new(span.from.timestamp_millis()),
            pages: AtomicU32::new(0),
            end: AtomicI64::new(end),
            ends_all: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        });
        let (sender, brings) = mpsc::unbounded_channel();
        let reading = Reading {
            reader: reader.clone(),
            window: Window {
                from: span.from,
                to,
            },
            progress: progress.clone(),
            out: sender,
        };
        Piece {
            brings,
            progress,
            from: span.from,
            horizon: span.to,
            task: Task::start(&reader.tasks, done, reading.read(place)),
        }
    }

    /// Whether it is still being read.
    pub fn is_active(&self) -> bool {
        !self.task.is_done()
    }

    /// Whether it has come to an end that nothing is handed on after.
    pub fn ends_all(&self) -> bool {
        self.progress.ends_all.load(Ordering::Relaxed)
    }

    /// Whether a request of it was given up.
    pub fn has_failed(&self) -> bool {
        self.progress.has_failed.load(Ordering::Relaxed)
    }

    /// What is left of it to read.
    pub fn left(&self) -> Left {
        let end = self.progress.end.load(Ordering::Relaxed);
        let from = time(self.progress.reached.load(Ordering::Relaxed));
        let to = match end {
            NO_END => self.horizon,
            PASSED => from,
            end => time(end),
        };
        let pages = self.progress.pages.load(Ordering::Relaxed);
        Left {
            span: Span { from, to },
            page: (from - self.from) / i32::try_from(pages.max(1)).unwrap_or(i32::MAX),
            end,
        }
    }

    /// Lets it end at `at`, where `left` is still true: what lies behind is read by another.
    pub fn end_at(&self, at: Timestamp, left: &Left) -> bool {
        let (end, at) = (&self.progress.end, at.timestamp_millis());
        let changed = end.compare_exchange(left.end, at, Ordering::Relaxed, Ordering::Relaxed);
        left.end != PASSED && changed.is_ok()
    }
}

/// The reading of one part, in a task of its own.
struct Reading<T> {
    reader: Arc<Reader<T>>,
    window: Window,
    progress: Arc<Progress>,
    out: mpsc::UnboundedSender<Brought>,
}

impl<T: Transport> Reading<T> {
    /// Reads from `place` on, and hands on what it finds.
    async fn read(self, mut place: Place) {
        let end = loop {
            match self.page(&place).await {
                Ok(next) => place = next,
                Err(end) => break end,
            }
        };
        let has_failed = matches!(end, End::Failed(_));
        self.progress
            .has_failed
            .store(has_failed, Ordering::Relaxed);
        let ends_all = has_failed || matches!(end, End::Open);
        self.progress.ends_all.store(ends_all, Ordering::Relaxed);
        // Where nobody listens, the whole run is at its end.
        let _ = self.out.send(Brought::End(end));
    }

    /// Hands on the page at `place`; where the next one lies, or why it ends there.
    async fn page(&self, place: &Place) -> Result<Place, End> {
        let (page, body) = self
            .reader
            .page_and_body(&self.window, place)
            .await
            .map_err(End::Failed)?;
        let packed = Packed::new(place.clone(), &body, &self.reader.room);
        if self.out.send(Brought::Page(packed)).is_err() {
            return Err(End::Open);
        }
        let last = page.records.iter().rev().find_map(|record| record.position);
        let (Some(next), Some(last)) = (page.next.filter(|next| next != place), last) else {
            return Err(End::Open);
        };
        self.progress
            .reached
            .store(last.timestamp_millis(), Ordering::Relaxed);
        self.progress.pages.fetch_add(1, Ordering::Relaxed);
        match self.progress.passed(last) {
            Some(end) => Err(End::Seam(Seam::new(end, &page.records))),
            None if self.reader.room.has_room_packed() => Ok(next),
            None => Err(End::Full),
        }
    }
}

impl Progress {
    /// The end, if the record at `last` has passed it. From then on nobody can change it.
    fn passed(&self, last: Timestamp) -> Option<Timestamp> {
        let close = |end| (end != NO_END && last >= time(end)).then_some(PASSED);
        let end = self
            .end
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, close);
        end.ok().map(time)
    }
}

/// Of times that were times before.
fn time(ms: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(ms).unwrap_or(Timestamp::MAX_UTC)
}
