//! Collects the pages of a slice, and says what its reading comes to: all of it, or a part and
//! where it is cut. No I/O.

use crate::fetch::page_reader::CompressedPage;
use crate::fetch::pagination::PagingLoop;
use crate::fetch::paging_facts::{CursorDecision, PageDigest, cursor_use};
use crate::fetch::segment_queue::TimeRange;
use crate::fetch::slice_scan::{SliceEdge, SliceScan};
use crate::source::{Page, PageLocator, RecordIdentity, Source};

/// The pages of a slice.
#[derive(Debug)]
pub struct SliceContents {
    /// The pages, as they came.
    pub pages: Vec<CompressedPage>,
    /// Where it ends, if it is a part of a larger slice.
    pub edge: Option<SliceEdge>,
    /// How many records it holds.
    pub records: usize,
    /// Whether the slice did not change while it was read.
    pub is_steady: bool,
    /// A hash of the records in their order.
    pub digest: u64,
}

/// The result of reading a slice.
#[derive(Debug)]
pub enum SliceResult {
    /// All of it.
    Whole(SliceContents),
    /// More than fits.
    TooLarge(SliceCut),
}

/// Where a slice is cut.
#[derive(Debug)]
pub struct SliceCut {
    /// The instant, and which part was read.
    pub edge: SliceEdge,
    /// About how many records lie in that part.
    pub records: usize,
    /// That part, if it is complete.
    pub read: Option<SliceContents>,
}

/// The pages of a slice so far.
#[derive(Debug, Default)]
pub struct SliceProgress {
    identity: RecordIdentity,
    /// Whether the pages stay in the order in which they begin.
    trusts_order: bool,
    /// What the records say of the slice.
    pub scan: SliceScan,
    /// Records that a page may hold, where it is less than usual.
    pub limit: Option<u32>,
    /// The event query whose results are read.
    pub query: Option<String>,
    /// The pages, as they came.
    pub pages: Vec<CompressedPage>,
    /// The first of them.
    pub first_page: PageDigest,
    is_second_page_new: bool,
    /// Records on the largest page.
    pub largest_page: usize,
    /// Records served, repeats included: what an offset counts.
    pub served_records: usize,
    /// The last page.
    pub last: PageDigest,
    /// The last page that held a new record.
    last_new: PageDigest,
}

/// The result of one reading of a slice.
#[derive(Debug)]
pub struct SlicePass {
    /// What was found.
    pub found: SliceResult,
    /// Records on its first page.
    pub first_page: usize,
    /// Whether the second page began with a record that the first has not.
    pub is_second_page_new: bool,
    /// Whether repeats on two pages may be several equal records.
    pub may_hold_equal_records: bool,
    /// Whether its paging stopped before an empty page came.
    pub is_left_open: bool,
}

impl SliceProgress {
    /// Nothing yet of a slice of `source`, whose event query `query` is read, if there is one; with
    /// pages of `limit` records, if that is given.
    pub fn new(source: &Source, limit: Option<u32>, query: Option<&str>) -> SliceProgress {
        let (identity, trusts_order) = (source.identity(), source.is_documented());
        let scan = SliceScan::new(identity, source.grain());
        let query = query.map(str::to_owned);
        SliceProgress { identity, trusts_order, scan, limit, query, ..SliceProgress::default() }
    }

    /// Adds the next page. Returns whether it only repeats the end of the slice: the log has grown,
    /// and its last records come again at the next offset. Equal records without an id look the
    /// same, so these must come page after page.
    ///
    /// # Errors
    /// Page after page brings nothing new.
    pub fn add(
        &mut self,
        packed: CompressedPage,
        page: &Page,
        span: &TimeRange,
    ) -> Result<bool, PagingLoop> {
        let known = self.scan.records;
        let is_offset = matches!(packed.locator, PageLocator::Offset(_));
        self.last = PageDigest::from_records(&page.records);
        match self.pages.len() {
            0 => self.first_page = self.last.clone(),
            1 => self.is_second_page_new = self.last.begins_with_new_record(&self.first_page),
            _ => {}
        }
        self.pages.push(packed);
        self.largest_page = self.largest_page.max(page.records.len());
        self.served_records = self.served_records.saturating_add(page.records.len());
        let added = self.scan.add(&page.records, span);
        let is_new = self.scan.records > known;
        let is_repeated = added.is_err() || (self.identity == RecordIdentity::ApiId && !is_new);
        if is_offset && is_repeated && self.last.ends_like(&self.last_new) {
            self.scan.mark_incomplete();
            return Ok(true);
        }
        added?;
        if is_new {
            self.last_new = self.last.clone();
        }
        Ok(false)
    }

    /// How the page after the last one is to be requested: see [`cursor_use`].
    pub fn decide_cursor_use(
        &self,
        offset: u64,
        alone: &PageDigest,
        with_offset: &PageDigest,
    ) -> CursorDecision {
        let is_past_start = self.scan.is_past_start(self.last.first_position());
        cursor_use(&self.last, is_past_start, offset, alone, with_offset)
    }

    /// The reading of the whole slice.
    pub fn into_whole(self) -> SlicePass {
        self.into_pass(|so_far| SliceResult::Whole(so_far.into_contents(None)))
    }

    /// The reading of a slice that must be cut at `edge`.
    pub fn into_cut(self, edge: SliceEdge) -> SlicePass {
        self.into_pass(|so_far| {
            let records = so_far.scan.records;
            let is_all = so_far.trusts_order && so_far.scan.holds_all_to(&edge);
            let read = is_all.then(|| so_far.into_contents(Some(edge)));
            SliceResult::TooLarge(SliceCut { edge, records, read })
        })
    }

    fn into_pass(self, found: impl FnOnce(SliceProgress) -> SliceResult) -> SlicePass {
        SlicePass {
            first_page: self.first_page.len(),
            is_second_page_new: self.is_second_page_new,
            may_hold_equal_records: self.scan.may_hold_equal_ones(),
            is_left_open: self.scan.is_left_open(),
            found: found(self),
        }
    }

    fn into_contents(self, edge: Option<SliceEdge>) -> SliceContents {
        SliceContents {
            pages: self.pages,
            edge,
            records: self.scan.records,
            is_steady: self.scan.is_steady(),
            digest: self.scan.digest(),
        }
    }
}
