//! Reads one segment of a window in a task of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

use chrono::TimeDelta;
use tokio::sync::{Notify, mpsc};

use crate::fetch::background_task::BackgroundTask;
use crate::fetch::page_reader::{CompressedPage, PageReader};
use crate::fetch::prefetch::boundary::SegmentBoundary;
use crate::fetch::segment_queue::TimeRange;
use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::model::time::{Timestamp, Window};
use crate::source::PageLocator;

/// The end of a segment that has none.
const NO_END: i64 = i64::MAX;

/// The end of a segment that was read to it.
const END_PASSED: i64 = i64::MIN;

/// A segment that is being read.
pub struct PrefetchSegment {
    /// Its pages, in order, and then its [`SegmentEnd`].
    pub items: mpsc::UnboundedReceiver<SegmentItem>,
    progress: Arc<SegmentProgress>,
    from: Timestamp,
    /// Its estimated end, as long as none is set.
    horizon: Timestamp,
    task: BackgroundTask<()>,
}

/// What is left to read of a segment.
#[derive(Debug)]
pub struct SegmentRemainder {
    /// The time range.
    pub span: TimeRange,
    /// The average time range of a page so far; zero before the first.
    pub page_width: TimeDelta,
    end: i64,
}

impl SegmentRemainder {
    /// Whether it has no end.
    pub fn is_last(&self) -> bool {
        self.end == NO_END
    }
}

/// What a segment delivers.
#[derive(Debug)]
pub enum SegmentItem {
    /// The next page.
    Page(CompressedPage),
    /// Nothing more.
    End(SegmentEnd),
}

/// Why a segment was not read further.
#[derive(Debug)]
pub enum SegmentEnd {
    /// The next segment begins on its last page.
    Boundary(SegmentBoundary),
    /// The memory budget is used up.
    MemoryFull,
    /// The reader of the window must judge its last page: the end of everything, or an anomaly.
    Unresolved,
    /// A request failed for good.
    Failed(Failure),
}

/// The progress of a segment, shared with the task that reads it.
#[derive(Debug)]
struct SegmentProgress {
    /// The position of its last record so far, epoch milliseconds.
    last_position: AtomicI64,
    /// Pages so far.
    pages: AtomicU32,
    /// Its end, epoch milliseconds; the next segment begins there.
    end: AtomicI64,
    /// Whether nothing after it will be handed on.
    ends_window: AtomicBool,
    /// Whether a request of it failed for good.
    has_failed: AtomicBool,
}

impl PrefetchSegment {
    /// Starts to read `span` at `place`; without an end if it `is_last`. `done` is notified at its
    /// end.
    pub fn start<T: Transport + 'static>(
        reader: &Arc<PageReader<T>>,
        (span, place): (TimeRange, PageLocator),
        (to, is_last): (Option<Timestamp>, bool),
        done: &Arc<Notify>,
    ) -> PrefetchSegment {
        let end = if is_last { NO_END } else { span.to.timestamp_millis() };
        let progress = Arc::new(SegmentProgress {
            last_position: AtomicI64::new(span.from.timestamp_millis()),
            pages: AtomicU32::new(0),
            end: AtomicI64::new(end),
            ends_window: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        });
        let (sender, items) = mpsc::unbounded_channel();
        let reading = SegmentReader {
            reader: reader.clone(),
            window: Window { from: span.from, to },
            progress: progress.clone(),
            out: sender,
        };
        PrefetchSegment {
            items,
            progress,
            from: span.from,
            horizon: span.to,
            task: BackgroundTask::start(&reader.tasks, done, reading.read(place)),
        }
    }

    /// Whether it is still being read.
    pub fn is_active(&self) -> bool {
        !self.task.is_done()
    }

    /// Whether nothing after it will be handed on.
    pub fn ends_window(&self) -> bool {
        self.progress.ends_window.load(Ordering::Relaxed)
    }

    /// Whether a request of it failed for good.
    pub fn has_failed(&self) -> bool {
        self.progress.has_failed.load(Ordering::Relaxed)
    }

    /// What is left of it to read.
    pub fn remaining(&self) -> SegmentRemainder {
        let end = self.progress.end.load(Ordering::Relaxed);
        let from = timestamp_from_millis(self.progress.last_position.load(Ordering::Relaxed));
        let to = match end {
            NO_END => self.horizon,
            END_PASSED => from,
            end => timestamp_from_millis(end),
        };
        let pages = self.progress.pages.load(Ordering::Relaxed);
        SegmentRemainder {
            span: TimeRange { from, to },
            page_width: (from - self.from) / i32::try_from(pages.max(1)).unwrap_or(i32::MAX),
            end,
        }
    }

    /// Lets it end at `at`, if `left` is still true: another segment reads what follows.
    pub fn try_end_at(&self, at: Timestamp, left: &SegmentRemainder) -> bool {
        let (end, at) = (&self.progress.end, at.timestamp_millis());
        let changed = end.compare_exchange(left.end, at, Ordering::Relaxed, Ordering::Relaxed);
        left.end != END_PASSED && changed.is_ok()
    }
}

/// The task that reads one segment.
struct SegmentReader<T> {
    reader: Arc<PageReader<T>>,
    window: Window,
    progress: Arc<SegmentProgress>,
    out: mpsc::UnboundedSender<SegmentItem>,
}

impl<T: Transport> SegmentReader<T> {
    /// Reads from `place` on, and sends the pages.
    async fn read(self, mut place: PageLocator) {
        let end = loop {
            match self.read_page(&place).await {
                Ok(next) => place = next,
                Err(end) => break end,
            }
        };
        let has_failed = matches!(end, SegmentEnd::Failed(_));
        self.progress.has_failed.store(has_failed, Ordering::Relaxed);
        let ends_all = has_failed || matches!(end, SegmentEnd::Unresolved);
        self.progress.ends_window.store(ends_all, Ordering::Relaxed);
        // If the receiver is gone, the whole run has ended.
        let _ = self.out.send(SegmentItem::End(end));
    }

    /// Sends the page at `place`. Returns the place of the next one, or why the segment ends.
    async fn read_page(&self, place: &PageLocator) -> Result<PageLocator, SegmentEnd> {
        let (page, body) =
            self.reader.page_and_body(&self.window, place).await.map_err(SegmentEnd::Failed)?;
        let packed = CompressedPage::new(place.clone(), &body, &self.reader.memory_budget);
        if self.out.send(SegmentItem::Page(packed)).is_err() {
            return Err(SegmentEnd::Unresolved);
        }
        let last = page.records.iter().rev().find_map(|record| record.position);
        let (Some(next), Some(last)) = (page.next.filter(|next| next != place), last) else {
            return Err(SegmentEnd::Unresolved);
        };
        self.progress.last_position.store(last.timestamp_millis(), Ordering::Relaxed);
        self.progress.pages.fetch_add(1, Ordering::Relaxed);
        match self.progress.close_if_passed(last) {
            Some(end) => Err(SegmentEnd::Boundary(SegmentBoundary::new(end, &page.records))),
            None if self.reader.memory_budget.has_compressed_space() => Ok(next),
            None => Err(SegmentEnd::MemoryFull),
        }
    }
}

impl SegmentProgress {
    /// The end, if the record at `last` has passed it. After that it cannot change.
    fn close_if_passed(&self, last: Timestamp) -> Option<Timestamp> {
        let close =
            |end| (end != NO_END && last >= timestamp_from_millis(end)).then_some(END_PASSED);
        let end = self.end.fetch_update(Ordering::Relaxed, Ordering::Relaxed, close);
        end.ok().map(timestamp_from_millis)
    }
}

/// Only for numbers that came from a timestamp.
fn timestamp_from_millis(ms: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(ms).unwrap_or(Timestamp::MAX_UTC)
}
