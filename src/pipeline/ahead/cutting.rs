//! Owns how a window is cut into parts that are read at once. Pure.

use chrono::TimeDelta;

use crate::model::time::Timestamp;
use crate::pipeline::ahead::piece::Left;
use crate::pipeline::ahead::seam::LastPage;
use crate::pipeline::density::Density;
use crate::pipeline::parts::Span;

/// The pages of one part, at most: at each seam, half a page on average is read twice, and what lies
/// ahead of the first part is lost when the run dies.
const MOST_PAGES: usize = 40;

/// The pages of one part, at least, as far as can be guessed.
const FEWEST_PAGES: usize = 6;

/// Pages that a part must have left before it is cut in two.
const WORTH_CUTTING: usize = 2;

/// How a window is cut into parts.
#[derive(Debug)]
pub struct Cutting {
    /// All that is read ahead.
    whole: Span,
    /// Parts that are read at once.
    at_once: usize,
    /// Records on a page.
    page_size: usize,
    /// How dense the records lie, as the last page tells.
    latest: Density,
    /// Records handed on, and how far they reach.
    taken: usize,
    reached: Timestamp,
}

impl Cutting {
    /// What lies between `last` and `horizon` is read in `at_once` parts.
    pub fn new(last: &LastPage, horizon: Timestamp, at_once: usize) -> Cutting {
        let mut latest = Density::default();
        // Between so many records there is one gap less.
        latest.saw(last.records.saturating_sub(1), last.last - last.first);
        Cutting {
            whole: Span {
                from: last.first,
                to: horizon,
            },
            at_once,
            page_size: last.records,
            latest,
            taken: last.records,
            reached: last.last,
        }
    }

    /// A page was handed on.
    pub fn saw(&mut self, page: &LastPage) {
        // Of one that was read twice nothing new is learned.
        if page.last > self.reached {
            self.taken += page.records;
            self.latest.saw(page.records, page.last - self.reached);
            self.reached = page.last;
        }
    }

    /// The length of the next part, which begins at `from`: a fair share of what is left, as far as
    /// all that was handed on tells how dense it lies.
    pub fn width(&self, from: Timestamp) -> Option<TimeDelta> {
        let left = self.pages_in(Span { from, ..self.whole });
        let pages = left.div_ceil(self.at_once).clamp(FEWEST_PAGES, MOST_PAGES);
        // The last page is full of the next part's records, but for a half on average.
        let records = pages * self.page_size - self.page_size / 2;
        // What comes after a quiet night is not as quiet, and a busy hour is not all there is.
        let (latest, overall) = (
            self.latest.span_of(records),
            self.overall().span_of(records),
        );
        latest
            .max(overall.map(|span| span / 2))
            .min(overall.map(|span| span * 2))
    }

    /// Where to cut what is left of a part; nothing where that is little.
    pub fn middle(&self, left: &Left) -> Option<Timestamp> {
        let is_worth = self.pages_left(left) >= WORTH_CUTTING;
        is_worth.then(|| left.span.from + left.span.width() / 2)
    }

    /// The pages of what is left of a part, as far as the part itself or all others tell.
    pub fn pages_left(&self, left: &Left) -> usize {
        let page = left.page.num_milliseconds();
        let own = left
            .span
            .width()
            .num_milliseconds()
            .max(0)
            .checked_div(page);
        let own = own.and_then(|pages| usize::try_from(pages).ok());
        own.unwrap_or_default().max(self.pages_in(left.span))
    }

    /// Whether `from` is the end of all.
    pub fn is_last(&self, to: Timestamp) -> bool {
        to >= self.whole.to
    }

    /// The pages that `span` holds, as far as can be guessed.
    fn pages_in(&self, span: Span) -> usize {
        let page = self.overall().span_of(self.page_size);
        let page = page.map_or(1, |page| page.num_milliseconds().max(1));
        let pages = span.width().num_milliseconds().max(0) / page;
        usize::try_from(pages).unwrap_or(usize::MAX)
    }

    fn overall(&self) -> Density {
        let mut overall = Density::default();
        overall.saw(self.taken, self.reached - self.whole.from);
        overall
    }
}
