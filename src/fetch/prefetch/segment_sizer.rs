//! Decides how wide the segments of a window are. No I/O.

use chrono::TimeDelta;

use crate::fetch::prefetch::boundary::LastPage;
use crate::fetch::segment_queue::{RecordDensity, TimeRange};
use crate::model::time::Timestamp;

/// The most pages of a segment. At each boundary half a page is read twice on average, and what is
/// prefetched after the first segment is lost when the run dies.
const MAX_PAGES: usize = 40;

/// The fewest pages of a segment, as estimated.
const MIN_PAGES: usize = 6;

/// How a window is cut into segments.
#[derive(Debug)]
pub struct SegmentSizer {
    /// Everything that is prefetched.
    range: TimeRange,
    /// Segments that are read at once.
    concurrency: usize,
    /// Records on a page.
    page_size: usize,
    /// The density of the records on the last page.
    latest: RecordDensity,
    /// Records handed on, and the position of the last.
    records_delivered: usize,
    delivered_until: Timestamp,
}

impl SegmentSizer {
    /// The range from `last` to `horizon` is read in `at_once` segments.
    pub fn new(last: &LastPage, horizon: Timestamp, at_once: usize) -> SegmentSizer {
        let mut latest = RecordDensity::default();
        // Between so many records there is one gap less.
        latest.observe(last.records.saturating_sub(1), last.last - last.first);
        SegmentSizer {
            range: TimeRange { from: last.first, to: horizon },
            concurrency: at_once,
            page_size: last.records,
            latest,
            records_delivered: last.records,
            delivered_until: last.last,
        }
    }

    /// A page was handed on.
    pub fn observe(&mut self, page: &LastPage) {
        // A page that was read twice counts once.
        if page.last > self.delivered_until {
            self.records_delivered += page.records;
            self.latest.observe(page.records, page.last - self.delivered_until);
            self.delivered_until = page.last;
        }
    }

    /// The length of the next segment, which begins at `from`: half of a fair share of the rest, so
    /// that a wrong estimate costs little, by the density of everything handed on so far.
    pub fn width(&self, from: Timestamp) -> Option<TimeDelta> {
        let left = self.pages_in(TimeRange { from, ..self.range });
        let pages = left.div_ceil(2 * self.concurrency).clamp(MIN_PAGES, MAX_PAGES);
        // Half of the last page, on average, belongs to the next segment.
        let records = pages * self.page_size - self.page_size / 2;
        // The latest density may be that of a quiet night or of a busy hour.
        let (latest, overall) = (self.latest.span_for(records), self.overall().span_for(records));
        latest.max(overall.map(|span| span / 2)).min(overall.map(|span| span * 2))
    }

    /// Whether `to` is the end of everything.
    pub fn is_last(&self, to: Timestamp) -> bool {
        to >= self.range.to
    }

    /// The estimated pages in `span`.
    fn pages_in(&self, span: TimeRange) -> usize {
        let page = self.overall().span_for(self.page_size);
        let page = page.map_or(1, |page| page.num_milliseconds().max(1));
        let pages = span.width().num_milliseconds().max(0) / page;
        usize::try_from(pages).unwrap_or(usize::MAX)
    }

    fn overall(&self) -> RecordDensity {
        let mut overall = RecordDensity::default();
        overall.observe(self.records_delivered, self.delivered_until - self.range.from);
        overall
    }
}
