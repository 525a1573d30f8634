//! Reads one segment of a window in a task of its own.

use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, mpsc};

use crate::fetch::background_task::BackgroundTask;
use crate::fetch::page_reader::{CompressedPage, PageReader};
use crate::fetch::prefetch::boundary::SegmentBoundary;
use crate::fetch::segment_queue::TimeRange;
use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::model::time::{Timestamp, Window};
use crate::source::PageLocator;

/// A segment that is being read.
pub struct PrefetchSegment {
    /// Its pages, in order, and then its [`SegmentEnd`].
    pub items: mpsc::UnboundedReceiver<SegmentItem>,
    last_segment: Arc<OnceLock<LastSegment>>,
    task: BackgroundTask<()>,
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
    /// The memory budget is used up; this range is unread.
    MemoryFull(TimeRange),
    /// The reader of the window must judge its last page: the end of everything, or an anomaly.
    Unresolved,
    /// A request failed for good.
    Failed(Failure),
}

/// Why nothing after a segment will be handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastSegment {
    Unresolved,
    Failed,
}

impl PrefetchSegment {
    /// Starts to read `span` at `locator`; without an end if it `is_last`. `done` is notified at
    /// its end.
    pub fn start<T: Transport + 'static>(
        reader: &Arc<PageReader<T>>,
        (span, locator): (TimeRange, PageLocator),
        (to, is_last): (Option<Timestamp>, bool),
        done: &Arc<Notify>,
    ) -> PrefetchSegment {
        let (out, items) = mpsc::unbounded_channel();
        let last_segment = Arc::new(OnceLock::new());
        let reading = SegmentReader {
            reader: reader.clone(),
            window: Window { from: span.from, to },
            span,
            is_last,
            last_segment: last_segment.clone(),
            out,
        };
        let task = BackgroundTask::start(&reader.tasks, done, reading.read(locator));
        PrefetchSegment { items, last_segment, task }
    }

    /// Whether it is still being read.
    pub fn is_active(&self) -> bool {
        !self.task.is_done()
    }

    /// Whether nothing after it will be handed on.
    pub fn ends_window(&self) -> bool {
        self.last_segment.get().is_some()
    }

    /// Whether a request of it failed for good.
    pub fn has_failed(&self) -> bool {
        self.last_segment.get() == Some(&LastSegment::Failed)
    }
}

/// The task that reads one segment.
struct SegmentReader<T> {
    reader: Arc<PageReader<T>>,
    window: Window,
    span: TimeRange,
    is_last: bool,
    last_segment: Arc<OnceLock<LastSegment>>,
    out: mpsc::UnboundedSender<SegmentItem>,
}

impl<T: Transport> SegmentReader<T> {
    /// Reads from `locator` on, and sends the pages.
    async fn read(self, mut locator: PageLocator) {
        let end = loop {
            match self.read_page(&locator).await {
                Ok(next) => locator = next,
                Err(end) => break end,
            }
        };
        let last_segment = match end {
            SegmentEnd::Boundary(_) | SegmentEnd::MemoryFull(_) => None,
            SegmentEnd::Unresolved => Some(LastSegment::Unresolved),
            SegmentEnd::Failed(_) => Some(LastSegment::Failed),
        };
        last_segment.map(|last| self.last_segment.set(last));
        // If the receiver is gone, the whole run has ended.
        let _ = self.out.send(SegmentItem::End(end));
    }

    /// Sends the page at `locator`. Returns the place of the next one, or why the segment ends.
    async fn read_page(&self, locator: &PageLocator) -> Result<PageLocator, SegmentEnd> {
        let (page, body) =
            self.reader.page_and_body(&self.window, locator).await.map_err(SegmentEnd::Failed)?;
        let compressed = CompressedPage::new(locator.clone(), &body, &self.reader.memory_budget);
        if self.out.send(SegmentItem::Page(compressed)).is_err() {
            return Err(SegmentEnd::Unresolved);
        }
        let last = page.records.iter().rev().find_map(|record| record.position);
        let (Some(next), Some(last)) = (page.next.filter(|next| next != locator), last) else {
            return Err(SegmentEnd::Unresolved);
        };
        if !self.is_last && last >= self.span.to {
            return Err(SegmentEnd::Boundary(SegmentBoundary::new(self.span.to, &page.records)));
        }
        match self.reader.memory_budget.has_compressed_space() {
            true => Ok(next),
            false => Err(SegmentEnd::MemoryFull(TimeRange { from: last, ..self.span })),
        }
    }
}
