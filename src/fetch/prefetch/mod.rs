//! Prefetches in a source that delivers oldest first: several segments of a window are read at
//! once, each by its time and then by its own cursors, and handed on in order. See
//! `docs/design.md`, section 8.
//!
//! Undocumented: does `from` filter by processing time (the order of the records) or by event time?
//! Then a segment would lack what was processed late. So we first request from just before a record
//! whose two times differ; if the page does not begin with it, prefetching is off for this window.
//! And a segment is complete only if the next one begins with exactly the records that its last
//! page ends with; otherwise the window is read page by page.
//!
//! The window resumes after the last page that was handed on; what was prefetched is only in
//! memory.

pub mod boundary;
mod segment;
mod segment_sizer;

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::fetch::page_reader::{CompressedPage, PageReader, ReceivedPage};
use crate::fetch::segment_queue::{QueuedSegment, SegmentQueue};
use crate::fetch::types::FetchError;
use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::model::time::Timestamp;
use crate::source::PageLocator;
use boundary::{LastPage, SegmentBoundary};
use segment::{PrefetchSegment, SegmentEnd, SegmentItem};
use segment_sizer::SegmentSizer;

/// Estimated number of pages ahead from which on prefetching pays.
const MIN_PAGES_AHEAD: usize = 4;

/// Whether segments may be read at once in this window.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum PrefetchState {
    /// Not known yet.
    #[default]
    Unproven,
    /// `from` filters by the time that the records are sorted by.
    Proven,
    /// It does not, or the records at a boundary differed.
    Disabled,
}

/// The next result of prefetching.
pub enum PrefetchStep {
    /// The next page, in order.
    Page(ReceivedPage),
    /// Reading continues page by page: nothing is left, or the reader must judge the last page.
    Ended,
    /// A request failed for good.
    Failed(Failure),
}

/// Reads several segments of a window at once, for the reader of that window.
pub struct Prefetcher<T> {
    reader: Arc<PageReader<T>>,
    concurrency: usize,
    state: PrefetchState,
}

/// The segments of one stretch that is read at once.
pub struct PrefetchQueue {
    segments: SegmentQueue<PrefetchSegment>,
    sizer: SegmentSizer,
    max_active: usize,
    /// Notified when a segment was read.
    done: Arc<Notify>,
    /// The end of the window.
    to: Option<Timestamp>,
    /// The segment that is handed on now.
    current: Option<PrefetchSegment>,
    /// What the first page of the current segment must begin with.
    expected: Option<SegmentBoundary>,
    /// What the first page of the next segment must begin with.
    boundary: Option<SegmentBoundary>,
}

impl PrefetchQueue {
    /// A page was handed on.
    pub fn observe(&mut self, page: &LastPage) {
        self.sizer.observe(page);
    }

    /// Drops the segments after one that ends the window.
    fn drop_unreachable(&mut self, first: &PrefetchSegment) {
        if first.ends_window() {
            return self.segments.truncate(0);
        }
        let ends_window =
            |(number, segment): (usize, &PrefetchSegment)| segment.ends_window().then_some(number);
        let last = self.segments.started().find_map(ends_window);
        if let Some(last) = last {
            self.segments.truncate(last + 1);
        }
    }
}

impl<T: Transport + 'static> Prefetcher<T> {
    /// Prefetches with at most `concurrency` requests at once.
    pub fn new(reader: Arc<PageReader<T>>, concurrency: usize) -> Prefetcher<T> {
        Prefetcher { reader, concurrency, state: PrefetchState::default() }
    }

    /// Whether several segments may be read at once, and that would be faster.
    pub fn may_pay(&self) -> bool {
        self.concurrency > 1 && self.state != PrefetchState::Disabled && self.reader.is_slow()
    }

    /// From now on the window is read page by page.
    pub fn disable(&mut self) {
        self.state = PrefetchState::Disabled;
    }

    /// Prepares to read what follows `last` until `to`; `None` where it does not pay, or where
    /// nothing on the page can prove what `from` filters by.
    pub fn start(&self, mut last: LastPage, to: Option<Timestamp>) -> Option<PrefetchQueue> {
        let horizon = to.unwrap_or_else(chrono::Utc::now);
        if last.pages_until(horizon) < MIN_PAGES_AHEAD {
            return None;
        }
        let boundary = match (self.state, last.clock_probe.take()) {
            (PrefetchState::Proven, _) => None,
            // The first segment begins before a record whose two times differ, and must contain it.
            (_, Some(probe)) => Some(probe),
            // The next page may have such a record.
            (_, None) => return None,
        };
        let max_active = self.concurrency.min(self.reader.needed_concurrency());
        let from = boundary.as_ref().map_or(last.last, |boundary| boundary.at);
        Some(PrefetchQueue {
            segments: SegmentQueue::new(from, horizon, self.reader.source.grain()),
            sizer: SegmentSizer::new(&last, horizon, max_active),
            max_active,
            done: Arc::default(),
            to,
            current: None,
            expected: None,
            boundary,
        })
    }

    /// The next page of `queue`. `locator` is where the reader of the window would continue by
    /// itself.
    ///
    /// # Errors
    /// [`FetchError::TaskDied`].
    pub async fn next(
        &mut self,
        queue: &mut PrefetchQueue,
        locator: &PageLocator,
    ) -> Result<PrefetchStep, FetchError> {
        loop {
            let Some(mut segment) = self.current_segment(queue, locator) else {
                return Ok(PrefetchStep::Ended);
            };
            let item = loop {
                self.start_others(queue, &segment);
                tokio::select! {
                    item = segment.items.recv() => break item,
                    () = queue.done.notified() => {}
                }
            };
            match item.ok_or(FetchError::TaskDied)? {
                SegmentItem::Page(page) => {
                    queue.current = Some(segment);
                    return self.accept(queue, page).await;
                }
                SegmentItem::End(SegmentEnd::Boundary(next)) => queue.boundary = Some(next),
                SegmentItem::End(SegmentEnd::MemoryFull(unread)) => {
                    queue.segments.push_front_unread(unread);
                }
                SegmentItem::End(SegmentEnd::Unresolved) => {
                    self.disable();
                    return Ok(PrefetchStep::Ended);
                }
                SegmentItem::End(SegmentEnd::Failed(failure)) => {
                    return Ok(PrefetchStep::Failed(failure));
                }
            }
        }
    }

    /// The segment that is handed on, or the next one, which is started if it is unread.
    fn current_segment(
        &self,
        queue: &mut PrefetchQueue,
        locator: &PageLocator,
    ) -> Option<PrefetchSegment> {
        if let Some(segment) = queue.current.take() {
            return Some(segment);
        }
        let locator = match queue.boundary {
            Some(_) => PageLocator::Start,
            None => locator.clone(),
        };
        self.start_next(queue, false, locator);
        queue.expected = queue.boundary.take();
        match queue.segments.pop_front() {
            Some(QueuedSegment::Started(segment)) => Some(segment),
            _ => None,
        }
    }

    /// Checks the first page of a segment against the boundary before it.
    async fn accept(
        &mut self,
        queue: &mut PrefetchQueue,
        page: CompressedPage,
    ) -> Result<PrefetchStep, FetchError> {
        let page = self.decompress(page).await?;
        let known = match queue.expected.take() {
            Some(boundary) if !boundary.is_matched_by(&page.page.records) => {
                // What was handed on before is valid.
                tracing::debug!("the segments do not meet at their boundary; reading page by page");
                self.disable();
                return Ok(PrefetchStep::Ended);
            }
            Some(boundary) => {
                self.state = PrefetchState::Proven;
                boundary.shared_records
            }
            None => HashSet::new(),
        };
        Ok(PrefetchStep::Page(page.without(known)))
    }

    async fn decompress(&self, page: CompressedPage) -> Result<ReceivedPage, FetchError> {
        let (locator, at) = (page.locator.clone(), page.at);
        let permit = self.reader.memory_budget.take(1).await;
        let page = self.reader.decompress_page(page, &permit)?;
        Ok(ReceivedPage::at(locator, page, at))
    }

    /// Starts unread segments beside `first` as long as requests and memory allow.
    fn start_others(&self, queue: &mut PrefetchQueue, first: &PrefetchSegment) {
        loop {
            queue.drop_unreachable(first);
            let active = queue.segments.started().filter(|(_, segment)| segment.is_active());
            // `first` counts even when it has been read: it may have to be started again.
            let active = active.count() + 1;
            // After a failure nothing is started: the server may be refusing everything.
            let has_failed = queue.segments.started().any(|(_, segment)| segment.has_failed());
            let has_room = self.reader.memory_budget.has_compressed_space();
            if active >= queue.max_active || !has_room || has_failed {
                return;
            }
            if !self.start_next(queue, true, PageLocator::Start) {
                return;
            }
        }
    }

    /// Starts the oldest unread segment, if there is one.
    fn start_next(&self, queue: &mut PrefetchQueue, may: bool, locator: PageLocator) -> bool {
        let PrefetchQueue { segments, sizer, done, to, .. } = queue;
        let width = segments.unread_from().and_then(|from| sizer.width(from));
        segments.start_next(may, width, |span| {
            // The last segment has no end, so that it finds what arrives meanwhile.
            let end = (*to, sizer.is_last(span.to));
            PrefetchSegment::start(&self.reader, (span, locator), end, done)
        })
    }
}
