//! Prefetches in a source that delivers oldest first: several segments of a window are read at once, each
//! by its time and then by its own cursors, and handed on in order. See `docs/design.md`, section 8.
//!
//! Undocumented: does `from` filter by processing time (the order of the records) or by event time? Then a
//! segment would lack what was processed late. So we first request from just before a record whose two
//! times differ; if the page does not begin with it, prefetching is off for this window. And a segment is
//! complete only if the next one begins with exactly the records that its last page ends with; otherwise
//! the window is read page by page.
//!
//! The window resumes after the last page that was handed on; what was prefetched is only in memory.

pub mod boundary;
mod segment;
mod segment_sizer;

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::pipeline::compressed_page::CompressedPage;
use crate::pipeline::cursor_reader::{CursorReader, ReceivedPage, is_refused_cursor};
use crate::pipeline::fetch::{FetchError, FetchOutcome};
use crate::pipeline::segment_queue::{QueuedSegment, SegmentQueue, TimeRange};
use crate::source::PageLocator;
use boundary::{LastPage, SegmentBoundary};
use segment::{PrefetchSegment, SegmentEnd, SegmentItem};
use segment_sizer::SegmentSizer;

/// Estimated number of pages ahead from which on prefetching pays.
const MIN_PAGES_AHEAD: usize = 4;

/// What is known of reading ahead in this window.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum PrefetchState {
    /// Nothing yet.
    #[default]
    Unproven,
    /// `from` looks at the time by which the records are sorted.
    Proven,
    /// It does not, or a seam did not hold.
    Disabled,
}

/// What is read ahead.
struct PrefetchQueue {
    segments: SegmentQueue<PrefetchSegment>,
    sizer: SegmentSizer,
    max_active: usize,
    /// Notified when a segment was read.
    done: Arc<Notify>,
}

impl PrefetchQueue {
    /// Leaves what lies behind a part that nothing is handed on after.
    fn drop_unreachable(&mut self, first: &PrefetchSegment) {
        if first.ends_window() {
            return self.segments.truncate(0);
        }
        let ends_all =
            |(number, piece): (usize, &PrefetchSegment)| piece.ends_window().then_some(number);
        let last = self.segments.started().find_map(ends_all);
        if let Some(last) = last {
            self.segments.truncate(last + 1);
        }
    }
}

impl<T: Transport + 'static> CursorReader<T> {
    /// Whether several parts may be read at once, and it would be faster.
    pub(super) fn may_prefetch(&self) -> bool {
        self.concurrency > 1 && self.ahead != PrefetchState::Disabled && self.reader.is_slow()
    }

    /// Reads ahead of the last page, where that pays: until nothing is left of the window, or something
    /// comes that is better read one page after the other.
    pub(super) async fn prefetch(&mut self) -> Result<Option<FetchOutcome>, FetchError> {
        let horizon = self.open.to.unwrap_or_else(chrono::Utc::now);
        let is_worth = |last: &LastPage| last.pages_until(horizon) >= MIN_PAGES_AHEAD;
        let Some(mut last) = self.last.take().filter(is_worth) else {
            return Ok(None);
        };
        let seam = match (self.ahead, last.clock_probe.take()) {
            (PrefetchState::Proven, _) => None,
            // The first part begins before a record that tells the clocks apart, and must bring it.
            (_, Some(witness)) => Some(witness),
            // Nothing tells them apart; the next page may.
            (_, None) => return Ok(None),
        };
        let at_once = self.concurrency.min(self.reader.needed_concurrency());
        let from = seam.as_ref().map_or(last.last, |seam| seam.at);
        let reading = PrefetchQueue {
            segments: SegmentQueue::new(from, horizon, self.reader.source.grain()),
            sizer: SegmentSizer::new(&last, horizon, at_once),
            max_active: at_once,
            done: Arc::default(),
        };
        self.read_segments(reading, seam).await
    }

    /// Reads and hands on one part after the other, beginning at `seam`, or where the walk stands.
    async fn read_segments(
        &mut self,
        mut reading: PrefetchQueue,
        mut seam: Option<SegmentBoundary>,
    ) -> Result<Option<FetchOutcome>, FetchError> {
        loop {
            let place = match seam {
                Some(_) => PageLocator::Start,
                None => self.walk.next_page().clone(),
            };
            self.start_next(&mut reading, false, place);
            let Some(QueuedSegment::Started(mut piece)) = reading.segments.pop_front() else {
                return Ok(None);
            };
            let mut before = seam.take();
            let end = loop {
                self.start_others(&mut reading, &piece);
                let brought = tokio::select! {
                    brought = piece.items.recv() => brought,
                    () = reading.done.notified() => continue,
                };
                let page = match brought {
                    Some(SegmentItem::Page(packed)) => self.decompress(packed).await?,
                    Some(SegmentItem::End(end)) => break end,
                    None => return Err(FetchError::TaskDied),
                };
                // A seam says that `from` looks at the time by which the records are sorted.
                let known = match before.take() {
                    Some(seam) if !seam.is_matched_by(&page.page.records) => {
                        return self.disable_after_mismatch();
                    }
                    Some(seam) => {
                        self.ahead = PrefetchState::Proven;
                        seam.shared_records
                    }
                    None => HashSet::new(),
                };
                if let Some(reached) = self
                    .take_prefetched(page, known, &mut reading.sizer)
                    .await?
                {
                    return Ok(Some(reached));
                }
            };
            match end {
                SegmentEnd::Boundary(next) => seam = Some(next),
                SegmentEnd::MemoryFull => {
                    reading.segments.push_front_unread(piece.remaining().span)
                }
                SegmentEnd::Unresolved => {
                    self.ahead = PrefetchState::Disabled;
                    return Ok(None);
                }
                SegmentEnd::Failed(failure) => return self.handle_failure(failure),
            }
        }
    }

    async fn take_prefetched(
        &mut self,
        page: ReceivedPage,
        known: HashSet<boundary::RecordKey>,
        cutting: &mut SegmentSizer,
    ) -> Result<Option<FetchOutcome>, FetchError> {
        let reached = self.take(page.without(known)).await?;
        if let Some(page) = &self.last {
            cutting.observe(page);
        }
        Ok(reached)
    }

    async fn decompress(&self, packed: CompressedPage) -> Result<ReceivedPage, FetchError> {
        let (place, at) = (packed.locator.clone(), packed.at);
        let share = self.reader.memory_budget.take(1).await;
        let page = self.reader.decompress_page(packed, &share)?;
        Ok(ReceivedPage::at(place, page, at))
    }

    /// Begins what nobody reads yet where there are tasks to spare, or else takes from the part that has
    /// most left to read: beside `first`, which is handed on now.
    fn start_others(&self, reading: &mut PrefetchQueue, first: &PrefetchSegment) {
        loop {
            reading.drop_unreachable(first);
            let active = reading
                .segments
                .started()
                .filter(|(_, piece)| piece.is_active());
            // The first one counts also at its end: it may have to be begun again.
            let active = active.count() + 1;
            // Beside a failure nothing is begun: what failed may be all that a server has to say.
            let has_failed = reading
                .segments
                .started()
                .any(|(_, piece)| piece.has_failed());
            let has_room = self.reader.memory_budget.has_compressed_space();
            if active >= reading.max_active || !has_room || has_failed {
                return;
            }
            if !self.start_next(reading, true, PageLocator::Start)
                && !self.split_largest(reading, first)
            {
                return;
            }
        }
    }

    /// Begins the oldest part that nobody reads, if there is one.
    fn start_next(&self, reading: &mut PrefetchQueue, may: bool, place: PageLocator) -> bool {
        let PrefetchQueue {
            segments: parts,
            sizer: cutting,
            done,
            ..
        } = reading;
        let width = parts.unread_from().and_then(|from| cutting.width(from));
        parts.start_next(may, width, |span| {
            // The last one goes as far as there is anything.
            let end = (self.open.to, cutting.is_last(span.to));
            PrefetchSegment::start(&self.reader, (span, place), end, done)
        })
    }

    /// Cuts the part in two that has most left to read, where that is worth it.
    fn split_largest(&self, reading: &mut PrefetchQueue, first: &PrefetchSegment) -> bool {
        let others = reading
            .segments
            .started()
            .map(|(number, piece)| (Some(number), piece));
        let active = std::iter::once((None, first)).chain(others);
        let active = active.filter(|(_, piece)| piece.is_active());
        let pages_left = |(_, piece): &(Option<usize>, &PrefetchSegment)| {
            reading.sizer.remaining_pages(&piece.remaining())
        };
        let Some((number, piece)) = active.max_by_key(pages_left) else {
            return false;
        };
        let left = piece.remaining();
        let middle = reading.sizer.split_point(&left);
        let Some(middle) = middle.filter(|middle| piece.try_end_at(*middle, &left)) else {
            return false;
        };
        let span = TimeRange {
            from: middle,
            ..left.span
        };
        let end = (self.open.to, left.is_last());
        let behind =
            PrefetchSegment::start(&self.reader, (span, PageLocator::Start), end, &reading.done);
        reading.segments.insert_after(number, behind);
        true
    }

    /// A seam did not hold: what the walk has reached is sound, and it goes on page by page.
    fn disable_after_mismatch(&mut self) -> Result<Option<FetchOutcome>, FetchError> {
        tracing::debug!(
            "what was read ahead does not fit what was read before; reading page by page"
        );
        self.ahead = PrefetchState::Disabled;
        Ok(None)
    }

    /// A request was given up. That of a refused cursor is made again where the walk stands.
    fn handle_failure(&mut self, failure: Failure) -> Result<Option<FetchOutcome>, FetchError> {
        if !is_refused_cursor(&failure, self.walk.next_page()) {
            return Err(failure.into());
        }
        self.ahead = PrefetchState::Disabled;
        Ok(None)
    }
}
