//! Decides how wide the segments of a window are. No I/O.

use chrono::TimeDelta;

use crate::fetch::density::RecordDensity;
use crate::fetch::prefetch::boundary::LastPage;
use crate::fetch::prefetch::segment::SegmentRemainder;
use crate::fetch::segment_queue::TimeRange;
use crate::model::time::Timestamp;

/// The pages of one part, at most: at each seam, half a page on average is read twice, and what lies
/// ahead of the first part is lost when the run dies.
const MAX_PAGES: usize = 40;

/// The pages of one part, at least, as far as can be guessed.
const MIN_PAGES: usize = 6;

/// Pages that a part must have left before it is cut in two.
const MIN_PAGES_TO_SPLIT: usize = 2;

/// How a window is cut into parts.
#[derive(Debug)]
pub struct SegmentSizer {
    /// All that is read ahead.
    range: TimeRange,
    /// Parts that are read at once.
    concurrency: usize,
    /// Records on a page.
    page_size: usize,
    /// How dense the records lie, as the last page tells.
    latest: RecordDensity,
    /// Records handed on, and how far they reach.
    records_delivered: usize,
    delivered_until: Timestamp,
}

impl SegmentSizer {
    /// What lies between `last` and `horizon` is read in `at_once` parts.
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
        // Of one that was read twice nothing new is learned.
        if page.last > self.delivered_until {
            self.records_delivered += page.records;
            self.latest.observe(page.records, page.last - self.delivered_until);
            self.delivered_until = page.last;
        }
    }

    /// The length of the next part, which begins at `from`: a fair share of what is left, as far as
    /// all that was handed on tells how dense it lies.
    pub fn width(&self, from: Timestamp) -> Option<TimeDelta> {
        let left = self.pages_in(TimeRange { from, ..self.range });
        let pages = left.div_ceil(self.concurrency).clamp(MIN_PAGES, MAX_PAGES);
        // The last page is full of the next part's records, but for a half on average.
        let records = pages * self.page_size - self.page_size / 2;
        // What comes after a quiet night is not as quiet, and a busy hour is not all there is.
        let (latest, overall) = (self.latest.span_for(records), self.overall().span_for(records));
        latest.max(overall.map(|span| span / 2)).min(overall.map(|span| span * 2))
    }

    /// Where to cut what is left of a part; nothing where that is little.
    pub fn split_point(&self, left: &SegmentRemainder) -> Option<Timestamp> {
        let is_worth = self.remaining_pages(left) >= MIN_PAGES_TO_SPLIT;
        is_worth.then(|| left.span.from + left.span.width() / 2)
    }

    /// The pages of what is left of a part, as far as the part itself or all others tell.
    pub fn remaining_pages(&self, left: &SegmentRemainder) -> usize {
        let page = left.page_width.num_milliseconds();
        let own = left.span.width().num_milliseconds().max(0).checked_div(page);
        let own = own.and_then(|pages| usize::try_from(pages).ok());
        own.unwrap_or_default().max(self.pages_in(left.span))
    }

    /// Whether `from` is the end of all.
    pub fn is_last(&self, to: Timestamp) -> bool {
        to >= self.range.to
    }

    /// The pages that `span` holds, as far as can be guessed.
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
