//! Reads the pages of one time slice of a source whose pages may come newest first or oldest
//! first, until the slice is whole or must be cut.
//!
//! No page proves the end by itself, unless the server says so: the largest page that a server
//! gives is not documented, nor how far it pages. So the end of several pages is checked by time: a
//! request for what lies past the last record (older than the oldest; newer than the newest where
//! the oldest came first), that record's time included, must bring nothing new. Where a server
//! cannot be paged any further (it fails from some offset on, ignores offsets, or its cursor can be
//! read in two ways), the slice is cut at the last record read, and what lies past it is read by
//! its time. Only the records of one instant, which no cut parts, need a paging that works.

use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;

use crate::fetch::event_query::QueryRunner;
use crate::fetch::page_reader::{CompressedPage, PageReader};
use crate::fetch::pagination::PagingLoop;
use crate::fetch::paging_facts::{CursorUse, OffsetUse, PageDigest, PagingFacts, is_page_specific};
use crate::fetch::segment_queue::TimeRange;
use crate::fetch::slice_progress::{SliceContents, SlicePass, SliceProgress, SliceResult};
use crate::fetch::slice_scan::SliceEdge;
use crate::fetch::types::{FetchError, SLICE_READS};
use crate::http::client::Transport;
use crate::http::failure::{Failure, FailureKind};
use crate::model::time::{Window, floor, format_millis};
use crate::source::{Page, PageLocator, RecordIdentity};

/// An offset that no slice reaches: a server that gives records there ignores offsets.
const FAR_OFFSET: u64 = 1_000_000;

/// No API is known to give fewer records a page. A smaller page is no sign of more.
const SMALLEST_CAP: usize = 20;

/// The reading of one slice.
pub struct SlicePager<T> {
    /// Requests its pages.
    pub reader: Arc<PageReader<T>>,
    /// What is known of the server's paging.
    pub facts: Arc<PagingFacts>,
    /// The slice.
    pub span: TimeRange,
    /// Records that a slice may hold.
    pub max_records: usize,
    /// The density of the records is not known yet.
    pub is_probe: bool,
    /// Runs an event query for it, if that is wanted.
    pub runner: Option<QueryRunner<T>>,
}

/// What is compared of two readings of a slice.
#[derive(Debug)]
struct ReadingDigest {
    digest: u64,
    /// The page size that was requested.
    limit: Option<u32>,
    is_second_page_new: bool,
}

impl ReadingDigest {
    fn of(read: &SliceContents, limit: Option<u32>, is_second_page_new: bool) -> ReadingDigest {
        ReadingDigest { digest: read.digest, limit, is_second_page_new }
    }

    /// Whether both brought the same records in the same order: the log did not change, and repeats
    /// itself.
    fn is_same(&self, other: &ReadingDigest) -> bool {
        self.digest == other.digest
    }

    /// Whether equal records on two pages are two. Of pages that overlap, the second begins with a
    /// record of the first; and where pages begin elsewhere, their repeats stand elsewhere.
    fn shows_equal_records(&self, other: &ReadingDigest) -> bool {
        self.is_same(other)
            && self.limit != other.limit
            && (self.is_second_page_new || other.is_second_page_new)
    }
}

/// The result of requesting the next page.
enum NextPage {
    Received(PageLocator, Page, Bytes),
    Stopped(PagingStop),
}

/// The result of checking the end of a slice by time.
enum EndCheck {
    /// There is nothing past the last record.
    Confirmed,
    /// There is more; the slice can be cut here.
    MorePast(SliceEdge),
    /// There is nothing more, or the server cuts off its pages there: this one is as full as any.
    Unclear,
    /// All that was read is of one instant, so that nothing can be requested by time.
    OneInstant,
}

/// Why a slice cannot be paged any further.
enum PagingStop {
    Failed(Failure),
    /// The request for an offset was refused: it may lie after the last record.
    Refused(Failure),
    /// Another slice's page after as many records failed like this.
    KnownFailure(Failure),
    OffsetIgnored,
    UnclearCursor,
}

impl<T: Transport> SlicePager<T> {
    /// Reads the slice, by an event query if that is wanted and the server runs it.
    pub async fn read(&self) -> Result<SliceResult, FetchError> {
        let Some(runner) = &self.runner else {
            return self.read_steady(None).await;
        };
        let Some(id) = runner.run(&self.span).await? else {
            return self.read_steady(None).await;
        };
        let read = self.read_steady(Some(&id)).await;
        self.reader.findings.forget_query(&id);
        match read {
            Err(FetchError::Failed(failure)) => {
                runner.do_without(failure)?;
                self.read_steady(None).await
            }
            read => read,
        }
    }

    /// Reads the slice, again if it changed meanwhile: a record on two pages means that the log
    /// grew inside the slice, and another record may have been missed.
    ///
    /// If two readings return the same, the log did not change, and repeats itself. Where records
    /// have no id of their own, two equal ones on two pages may be two: they are, if the slice
    /// reads the same in smaller pages, and a reading shows that pages do not overlap.
    async fn read_steady(&self, query: Option<&str>) -> Result<SliceResult, FetchError> {
        let is_content = self.reader.source.identity() == RecordIdentity::Content;
        let (mut limit, mut largest) = (None, 0);
        let mut last: Option<ReadingDigest> = None;
        let mut reads = 1;
        loop {
            let once = self.read_once(limit, query).await?;
            let mut found = once.found;
            let SliceResult::Whole(read) = &mut found else {
                return Ok(found);
            };
            let digest = ReadingDigest::of(read, limit, once.is_second_page_new);
            if let Some(last) = &last {
                let has_equal = once.may_hold_equal_records && digest.shows_equal_records(last);
                read.is_steady |= match is_content {
                    true => has_equal,
                    false => !once.is_left_open && digest.is_same(last),
                };
            }
            last = Some(digest);
            if read.is_steady || reads == SLICE_READS {
                return Ok(found);
            }
            reads += 1;
            largest = largest.max(once.first_page);
            // Pages of another size begin elsewhere: a half, a third, a quarter of the largest.
            let smaller = u32::try_from(largest).map_or(0, |largest| largest / reads);
            limit = Some(smaller).filter(|limit| is_content && *limit > 0);
            tracing::info!("a record came twice while a time range was read; reading it again");
        }
    }

    /// Reads until the slice is complete or must be cut, with pages of `limit` records, if that is
    /// given.
    async fn read_once(
        &self,
        limit: Option<u32>,
        query: Option<&str>,
    ) -> Result<SlicePass, FetchError> {
        let source = &self.reader.source;
        let mut so_far = SliceProgress::new(source, limit, query);
        let mut next = PageLocator::Start;
        loop {
            let (locator, page, body) = match self.next_page(next, &so_far).await? {
                NextPage::Received(locator, page, body) => (locator, page, body),
                NextPage::Stopped(stop) => return self.finish_after_stop(so_far, stop).await,
            };
            let is_end = is_end(&locator, &page);
            self.facts.record_page(page.records.len());
            let packed = CompressedPage::new(locator, &body, &self.reader.memory_budget);
            let progress = so_far.add(packed, &page, &self.span);
            next = match (page.next, progress) {
                (Some(locator), Ok(false)) if !is_end => locator,
                (_, progress) => {
                    let is_stated = !page.records.is_empty() && is_end && source.is_documented();
                    return self.finish(so_far, is_stated, progress).await;
                }
            };
            if so_far.scan.exceeds_limits(self.current_max_records(&so_far))
                && let Some(edge) = so_far.scan.edge(&self.span)?
            {
                return Ok(so_far.into_cut(edge));
            }
        }
    }

    /// The page at `locator`, or why there is none.
    async fn next_page(
        &self,
        locator: PageLocator,
        so_far: &SliceProgress,
    ) -> Result<NextPage, FetchError> {
        let is_first = locator == PageLocator::Start;
        let is_offset = matches!(locator, PageLocator::Offset(_));
        if !is_first && let Some(stop) = self.known_stop(&locator, so_far) {
            return Ok(NextPage::Stopped(stop));
        }
        let asked = match locator {
            PageLocator::CursorOffset { cursor, offset } => {
                self.page_after_cursor(cursor, offset, so_far).await
            }
            locator => self.page_at(locator, so_far).await,
        };
        match asked {
            Ok(NextPage::Received(locator, page, _))
                if self.is_offset_ignored(&locator, &page, so_far).await? =>
            {
                Ok(NextPage::Stopped(PagingStop::OffsetIgnored))
            }
            Ok(next) => Ok(next),
            Err(failure) if is_first => Err(self.facts.original_failure(failure).into()),
            // After a cursor, the server said that there is a page.
            Err(failure) if is_offset && is_refusal(&failure) => {
                Ok(NextPage::Stopped(PagingStop::Refused(failure)))
            }
            Err(failure) if is_page_specific(failure.kind) => {
                Ok(NextPage::Stopped(PagingStop::Failed(failure)))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Why the page at `locator` need not be requested: another slice could not read such a page,
    /// and this slice can be cut.
    fn known_stop(&self, locator: &PageLocator, so_far: &SliceProgress) -> Option<PagingStop> {
        let is_offset = matches!(locator, PageLocator::Offset(_));
        if is_offset && self.facts.offset_use() == OffsetUse::Ignored {
            return Some(PagingStop::OffsetIgnored);
        }
        let failure = self.facts.failure_after(so_far.served_records)?;
        let can_cut = matches!(so_far.scan.edge(&self.span), Ok(Some(_)));
        can_cut.then_some(PagingStop::KnownFailure(failure))
    }

    async fn page_at(
        &self,
        locator: PageLocator,
        so_far: &SliceProgress,
    ) -> Result<NextPage, Failure> {
        let (window, query) = (self.span.window(), so_far.query.as_deref());
        let page = self.reader.page_with_limit(&window, &locator, so_far.limit, query);
        let (page, body) = page.await?;
        Ok(NextPage::Received(locator, page, body))
    }

    /// The page after a cursor beside which the server named an offset. What that is counted from
    /// is decided from two pages, until they prove it; a zero is left out, unless the server
    /// refuses a cursor without it.
    async fn page_after_cursor(
        &self,
        cursor: String,
        offset: u64,
        so_far: &SliceProgress,
    ) -> Result<NextPage, Failure> {
        let alone = PageLocator::Cursor(cursor.clone());
        let with_offset = PageLocator::CursorOffset { cursor, offset };
        match self.facts.cursor_use() {
            Some(CursorUse::WithOffset) => return self.page_at(with_offset, so_far).await,
            Some(CursorUse::Alone) => return self.page_at(alone, so_far).await,
            Some(CursorUse::Unclear) if offset > 0 => {
                return Ok(NextPage::Stopped(PagingStop::UnclearCursor));
            }
            Some(CursorUse::Unclear) | None => {}
        }
        let first = match self.page_at(alone, so_far).await {
            Err(refused) if is_refusal(&refused) => {
                let page = self.page_at(with_offset, so_far).await?;
                self.facts.record_cursor_use(CursorUse::WithOffset);
                return Ok(page);
            }
            first => first?,
        };
        if offset == 0 {
            return Ok(first);
        }
        let second = match self.page_at(with_offset, so_far).await {
            Err(refused) if is_refusal(&refused) => {
                self.facts.record_cursor_use(CursorUse::Alone);
                return Ok(first);
            }
            second => second?,
        };
        let decision = so_far.decide_cursor_use(offset, &first.digest(), &second.digest());
        if decision.is_proven {
            self.facts.record_cursor_use(decision.cursor_use);
        }
        Ok(match decision.cursor_use {
            // The cursor alone may repeat events, which is noticed, but skips none.
            CursorUse::Alone => first,
            CursorUse::WithOffset => second,
            CursorUse::Unclear => NextPage::Stopped(PagingStop::UnclearCursor),
        })
    }

    /// Whether the page at `locator` is the last one again because the server ignores offsets.
    /// Equal records may fill two pages, and a cache may repeat one: a far offset decides.
    async fn is_offset_ignored(
        &self,
        locator: &PageLocator,
        page: &Page,
        so_far: &SliceProgress,
    ) -> Result<bool, FetchError> {
        let digest = PageDigest::from_records(&page.records);
        // With smaller pages, a server whose pages overlap repeats one however it treats offsets.
        let is_suspicious = so_far.limit.is_none()
            && matches!(locator, PageLocator::Offset(_))
            && !digest.is_empty()
            && digest == so_far.last
            && self.facts.offset_use() == OffsetUse::Unknown;
        if !is_suspicious {
            return Ok(false);
        }
        let window = self.span.window();
        let far = PageLocator::Offset(FAR_OFFSET);
        let far = self.reader.page_with_limit(&window, &far, so_far.limit, None).await;
        let offsets = match far {
            Ok((far, _)) if PageDigest::from_records(&far.records) == digest => OffsetUse::Ignored,
            Ok(_) => OffsetUse::Obeyed,
            Err(failure) if is_page_specific(failure.kind) => OffsetUse::Obeyed,
            Err(failure) => return Err(failure.into()),
        };
        self.facts.record_offset_use(offsets);
        Ok(offsets == OffsetUse::Ignored)
    }

    /// Decides what a slice is that the server ended, or whose last page brought nothing new
    /// (`progress`).
    async fn finish(
        &self,
        so_far: SliceProgress,
        is_stated: bool,
        progress: Result<bool, PagingLoop>,
    ) -> Result<SlicePass, FetchError> {
        let is_one_short_page = so_far.last.is_empty()
            && so_far.served_records == so_far.first_page.len()
            && so_far.served_records < self.page_size(&so_far);
        self.check_query(&so_far).await?;
        if progress.is_ok() && (is_stated || is_one_short_page) {
            return Ok(so_far.into_whole());
        }
        if self.may_be_capped(&so_far).await? {
            if let Some(edge) = so_far.scan.edge(&self.span)? {
                return Ok(so_far.into_cut(edge));
            }
            let at = so_far.scan.reached().unwrap_or(self.span.from);
            return Err(FetchError::UnclearEnd { at: format_millis(at) });
        }
        match self.check_end(&so_far, false).await? {
            EndCheck::MorePast(edge) => return Ok(so_far.into_cut(edge)),
            // Pages that repeat, instead of being empty, may go on repeating.
            EndCheck::Confirmed if so_far.last.is_empty() => {}
            EndCheck::Confirmed | EndCheck::Unclear | EndCheck::OneInstant => {
                progress?;
            }
        }
        Ok(so_far.into_whole())
    }

    /// Whether the last page may hold less than there is: it names no next one, is as full as any,
    /// and so is a page that is known not to be the last.
    async fn may_be_capped(&self, so_far: &SliceProgress) -> Result<bool, FetchError> {
        let fewest = self.facts.largest_page().max(SMALLEST_CAP).min(self.page_size(so_far));
        if self.reader.source.is_documented() || so_far.last.len() < fewest {
            return Ok(false);
        }
        let known = match self.facts.names_cursors() {
            Some(known) => known,
            None => {
                let (window, start) = (self.span.window(), &PageLocator::Start);
                let asked = self.reader.page_with_limit(&window, start, Some(1), None);
                let (page, _) = asked.await?;
                let names_cursors = page.next.is_some();
                self.facts.record_names_cursors(names_cursors);
                names_cursors
            }
        };
        Ok(!known)
    }

    /// Checks that the results of an event query hold what the first page of the events shows.
    async fn check_query(&self, so_far: &SliceProgress) -> Result<(), FetchError> {
        if so_far.query.is_none() {
            return Ok(());
        }
        let (window, start) = (self.span.window(), &PageLocator::Start);
        let (page, _) = self.reader.page_with_limit(&window, start, None, None).await?;
        if so_far.scan.contains_all(&page.records) {
            return Ok(());
        }
        let request = self.reader.source.request(&window, start);
        let what = "the results of the event query lack events that a page shows";
        Err(Failure::of_contents(FailureKind::ErrorInPage, &request, what).into())
    }

    /// Requests what is as old as the oldest record, or older; where the oldest came first, what is
    /// as new as the newest, or newer; both while the order is not known. With `follows_page`, also
    /// the page after it: where no page showed the end, a short page of known records is none.
    async fn check_end(
        &self,
        so_far: &SliceProgress,
        follows_page: bool,
    ) -> Result<EndCheck, FetchError> {
        if so_far.scan.ignores_dates() {
            return Ok(EndCheck::OneInstant);
        }
        let mut found = EndCheck::OneInstant;
        for order in so_far.scan.possible_orders() {
            let Some(edge) = so_far.scan.edge_of(*order, &self.span)? else {
                continue;
            };
            let window = edge.unread(&self.span).window();
            let start = &PageLocator::Start;
            let asked = self.reader.page_with_limit(&window, start, so_far.limit, None);
            let (page, _) = asked.await.map_err(|failure| self.facts.original_failure(failure))?;
            if !so_far.scan.contains_all(&page.records)
                || (follows_page && self.has_page_after(&page, &window, so_far).await?)
            {
                return Ok(EndCheck::MorePast(edge));
            }
            let is_full = page.records.len() >= so_far.largest_page;
            found = match (found, is_full) {
                (EndCheck::Unclear, _) | (_, true) => EndCheck::Unclear,
                (_, false) => EndCheck::Confirmed,
            };
        }
        Ok(found)
    }

    /// Whether there is a page after `page`, the first of `window`. A cursor says so; an offset is
    /// only counted, and where it fails, nothing is known of it.
    async fn has_page_after(
        &self,
        page: &Page,
        window: &Window,
        so_far: &SliceProgress,
    ) -> Result<bool, FetchError> {
        let Some(next) = &page.next else { return Ok(false) };
        if next.cursor().is_some() {
            return Ok(true);
        }
        match self.reader.page_with_limit(window, next, so_far.limit, None).await {
            Ok((page, _)) => Ok(!page.records.is_empty() || page.next.is_some()),
            Err(failure) if is_page_specific(failure.kind) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Decides what a slice is that cannot be paged any further: whole if nothing is left, else it
    /// is cut, if that is possible.
    async fn finish_after_stop(
        &self,
        so_far: SliceProgress,
        stop: PagingStop,
    ) -> Result<SlicePass, FetchError> {
        let is_short = so_far.served_records < self.page_size(&so_far);
        let may_be_end = match &stop {
            PagingStop::Refused(_) => true,
            PagingStop::Failed(_) | PagingStop::OffsetIgnored => is_short,
            PagingStop::KnownFailure(_) | PagingStop::UnclearCursor => false,
        };
        if may_be_end {
            // Where offsets are ignored, the next page is the same page.
            let follows_page = !matches!(stop, PagingStop::OffsetIgnored);
            match self.check_end(&so_far, follows_page).await? {
                EndCheck::Confirmed => return Ok(so_far.into_whole()),
                // It has no page after the last record; or it has one page, with fewer than were
                // requested.
                EndCheck::Unclear if stop.may_follow_last_page() => {
                    return Ok(so_far.into_whole());
                }
                EndCheck::MorePast(_) | EndCheck::Unclear | EndCheck::OneInstant => {}
            }
        }
        if let PagingStop::Failed(failure) | PagingStop::Refused(failure) = &stop {
            self.facts.record_failure(so_far.served_records, failure);
        }
        let cut = match stop {
            // No narrower window helps.
            PagingStop::OffsetIgnored if so_far.scan.ignores_dates() => Ok(None),
            _ => so_far.scan.edge(&self.span),
        };
        match (stop, cut) {
            (_, Ok(Some(edge))) => Ok(so_far.into_cut(edge)),
            // Nothing more can be requested, and less came than was requested.
            (PagingStop::OffsetIgnored, _) if is_short => Ok(so_far.into_whole()),
            (_, Err(error)) => Err(error),
            (PagingStop::OffsetIgnored, Ok(None)) => Err(PagingLoop.into()),
            (
                PagingStop::Failed(failure)
                | PagingStop::Refused(failure)
                | PagingStop::KnownFailure(failure),
                Ok(None),
            ) => Err(match self.describe_instant(&so_far) {
                Some(at) => FetchError::InstantTooLarge { at, failure: Box::new(failure) },
                None => failure.into(),
            }),
            (PagingStop::UnclearCursor, Ok(None)) => {
                let at =
                    self.describe_instant(&so_far).unwrap_or_else(|| format_millis(self.span.from));
                Err(FetchError::UnclearPaging { at })
            }
        }
    }

    /// The page size of a request.
    fn page_size(&self, so_far: &SliceProgress) -> usize {
        let page_size = so_far.limit.unwrap_or(self.reader.source.page_size());
        usize::try_from(page_size).unwrap_or(usize::MAX)
    }

    /// The instant that cannot be paged through, as the API's dates show it; nothing where the
    /// slice is longer. It is that of the last record read: the end of the slice may be in it.
    fn describe_instant(&self, so_far: &SliceProgress) -> Option<String> {
        let grain = self.reader.source.grain();
        if floor(self.span.from, grain) + grain < self.span.to {
            return None;
        }
        let at = floor(so_far.scan.reached().unwrap_or(self.span.from), grain);
        Some(match grain < TimeDelta::seconds(1) {
            true => format!("the millisecond {}", format_millis(at)),
            false => format!("the second {}", at.format("%Y-%m-%dT%H:%M:%SZ")),
        })
    }

    /// If several tasks can share the work, one page is enough to estimate the density. After a
    /// short page there is most often nothing, which the next request shows.
    fn current_max_records(&self, so_far: &SliceProgress) -> usize {
        let is_short = so_far.pages.len() == 1 && so_far.served_records < self.page_size(so_far);
        match self.is_probe && !is_short && self.reader.is_slow() {
            true => 0,
            false => self.max_records,
        }
    }
}

impl PagingStop {
    /// Whether a server may respond like this after its last page.
    fn may_follow_last_page(&self) -> bool {
        matches!(self, PagingStop::Refused(_) | PagingStop::OffsetIgnored)
    }
}

impl NextPage {
    fn digest(&self) -> PageDigest {
        match self {
            NextPage::Received(_, page, _) => PageDigest::from_records(&page.records),
            NextPage::Stopped(_) => PageDigest::default(),
        }
    }
}

/// Whether the server says that the page at `locator` is the last: also by an empty page that names
/// itself.
fn is_end(locator: &PageLocator, page: &Page) -> bool {
    page.next.as_ref().is_none_or(|next| {
        page.records.is_empty() && next.cursor().is_some() && next.cursor() == locator.cursor()
    })
}

/// Whether the server refused a request for the parameters that it has, or lacks.
fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::BadRequest | FailureKind::NotFound)
}
