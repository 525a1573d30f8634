//! Reads a window of a source that delivers oldest first: through one cursor after the other, and
//! by time if the server refuses a cursor, ends without one, or may not show everything through it.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::fetch::page_reader::{PageReader, ReceivedPage, watermark_positions};
use crate::fetch::pagination::{PageAdvance, Pagination};
use crate::fetch::plan::{CURSOR_FALLBACK, CursorCheck};
use crate::fetch::prefetch::boundary::LastPage;
use crate::fetch::prefetch::{PrefetchStep, Prefetcher};
use crate::fetch::types::{
    EMPTY_PAGES_BOUNDED, FetchError, FetchMessage, FetchOutcome, RecordKey, record_key,
};
use crate::http::client::Transport;
use crate::http::failure::{Failure, FailureKind};
use crate::model::event::UserProfiles;
use crate::model::record::Record;
use crate::model::time::{Timestamp, before, format_millis};
use crate::source::PageLocator;
use crate::state::checkpoint::OpenWindow;

/// Empty pages with a new cursor that a pull follows in a row: a server may give a few at the end,
/// and the next pull resumes there.
const EMPTY_PAGES: u32 = 3;

/// Fallbacks from refused cursors that bring nothing newer, before the run fails.
const MAX_FALLBACKS: u32 = 3;

/// The fewest records on a first page that look like a restart of the whole history.
const RESTART_RECORDS: usize = 10;

/// How the current pagination began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PaginationOrigin {
    /// With the cursor of an earlier run. It may not show what came later, so its end may need a
    /// check.
    SavedCursor,
    /// With a time: everything since then was requested.
    Time,
    /// The same, to find what a saved cursor has not shown. It may end at this position, up to
    /// which the cursor had read.
    CheckTo(Option<Timestamp>),
}

/// What a check of the cursor found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CheckOutcome {
    /// No record after the position up to which the cursor had read.
    NothingNew,
    /// Records that the cursor did not show.
    More,
}

/// The settings that all windows of a run share.
#[derive(Debug, Clone, Copy)]
pub struct CursorReaderOptions {
    /// The watermark at the start of the run.
    pub watermark: Option<Timestamp>,
    /// Where the history begins.
    pub since: Timestamp,
    /// When the cursor is checked.
    pub check: CursorCheck,
    /// Segments of a window that may be read at once.
    pub concurrency: usize,
}

/// The reading of one window.
pub struct CursorReader<T> {
    reader: Arc<PageReader<T>>,
    index: usize,
    open: OpenWindow,
    pagination: Pagination,
    origin: PaginationOrigin,
    fallbacks: CursorFallbacks,
    since: Timestamp,
    check: CursorCheck,
    /// Whether the saved cursor brought any record.
    cursor_brought: bool,
    /// A saved cursor that led to empty pages without an end.
    unfinished_cursor: Option<String>,
    /// The position of the last record handed on.
    position: Option<Timestamp>,
    /// Whether the server refused the start of the window, which is read from a later one.
    is_shortened: bool,
    /// The smallest position on the last page: a fallback reads from before it.
    watermark: Option<Timestamp>,
    prefetcher: Prefetcher<T>,
    /// The last page, if prefetching after it may pay.
    last: Option<LastPage>,
    out: mpsc::Sender<FetchMessage>,
}

impl<T: Transport + 'static> CursorReader<T> {
    /// The reading of window `index`, in the state `open`.
    pub fn new(
        reader: Arc<PageReader<T>>,
        (index, open): (usize, OpenWindow),
        options: CursorReaderOptions,
        out: mpsc::Sender<FetchMessage>,
    ) -> CursorReader<T> {
        CursorReader {
            pagination: Pagination::new(open.cursor.as_deref(), empty_pages(&open)),
            // During a reread, the cursor belongs to a read by time that was interrupted.
            origin: match open.cursor.is_some() && !open.rereads {
                true => PaginationOrigin::SavedCursor,
                false => PaginationOrigin::Time,
            },
            prefetcher: Prefetcher::new(reader.clone(), options.concurrency),
            reader,
            index,
            open,
            fallbacks: CursorFallbacks::default(),
            since: options.since,
            check: options.check,
            cursor_brought: false,
            unfinished_cursor: None,
            position: options.watermark,
            watermark: options.watermark,
            is_shortened: false,
            last: None,
            out,
        }
    }

    /// Reads it to its end.
    ///
    /// # Errors
    /// Everything read before the error was handed on.
    pub async fn read(mut self) -> Result<FetchOutcome, FetchError> {
        loop {
            let end = match self.next_page().await? {
                None => self.prefetch().await?,
                end => end,
            };
            match end {
                None => {}
                Some(FetchOutcome::ReceiverClosed) => return Ok(FetchOutcome::ReceiverClosed),
                Some(outcome) if self.check_is_due() => self.begin_check(outcome).await,
                Some(outcome) => return Ok(outcome),
            }
        }
    }

    /// Prefetches after the last page if that pays, and hands the pages on.
    async fn prefetch(&mut self) -> Result<Option<FetchOutcome>, FetchError> {
        let last = self.last.take();
        let Some(mut queue) = last.and_then(|last| self.prefetcher.start(last, self.open.to))
        else {
            return Ok(None);
        };
        loop {
            let locator = self.pagination.next_page();
            match self.prefetcher.next(&mut queue, locator).await? {
                PrefetchStep::Page(page) => {
                    if let Some(outcome) = self.take(page).await? {
                        return Ok(Some(outcome));
                    }
                    if let Some(page) = &self.last {
                        queue.observe(page);
                    }
                }
                // Page by page, the refused cursor is requested again and handled.
                PrefetchStep::Failed(failure) if is_refused_cursor(&failure, locator) => {
                    self.prefetcher.disable();
                    return Ok(None);
                }
                PrefetchStep::Failed(failure) => return Err(failure.into()),
                PrefetchStep::Ended => return Ok(None),
            }
        }
    }

    /// Requests the next page and hands it on, or restarts by time if the cursor cannot be used.
    async fn next_page(&mut self) -> Result<Option<FetchOutcome>, FetchError> {
        let (window, locator) = (self.open.window(), self.pagination.next_page().clone());
        if !self.reader.can_request(&window, &locator) {
            self.restart_by_time("it is too long to be sent").await;
            return Ok(None);
        }
        match self.reader.page(&window, &locator).await {
            Ok(page) => match self.take(ReceivedPage::now(locator, page)).await {
                Err(FetchError::PagingLoop(paging_loop)) if self.may_doubt_cursor() => {
                    self.restart_by_time(&paging_loop.to_string()).await;
                    Ok(None)
                }
                taken => taken,
            },
            Err(failure) if self.may_fall_back(&failure) => {
                self.restart_by_time(&failure.message).await;
                Ok(None)
            }
            Err(failure) if self.refuses_start(&failure) => self.shorten(failure).await,
            Err(failure) => Err(failure.into()),
        }
    }

    /// Whether the end of a saved cursor must be checked by time.
    fn check_is_due(&self) -> bool {
        let (last, now) = (self.open.read_by_time, chrono::Utc::now());
        self.origin == PaginationOrigin::SavedCursor
            && self.open.to.is_none()
            && (self.open.cursor.is_none() || self.check.is_due(last, self.cursor_brought, now))
    }

    /// Reads by time what may have become visible since the last check.
    async fn begin_check(&mut self, outcome: FetchOutcome) {
        let from = self.overlap_start();
        tracing::debug!(from = %format_millis(from), "checking the cursor by time");
        // More may follow the empty pages: unless the check finds more, the next run resumes there.
        self.unfinished_cursor = match outcome {
            FetchOutcome::EmptyPages => self.open.cursor.clone(),
            FetchOutcome::Complete | FetchOutcome::ReceiverClosed => None,
        };
        self.read_from(from).await;
        self.origin = PaginationOrigin::CheckTo(self.position);
    }

    /// The start of a read by time after a complete one: that one read everything visible then, and
    /// what becomes visible later is at most an overlap older.
    fn overlap_start(&self) -> Timestamp {
        let Some(position) = self.position else {
            return self.open.from;
        };
        let checked = self.open.read_by_time.unwrap_or(position);
        self.not_before_history(before(position.min(checked), self.check.overlap))
    }

    /// If our clock was ahead at the first pull, the history began in the future, and its windows
    /// were corrected since.
    fn not_before_history(&self, from: Timestamp) -> Timestamp {
        from.max(self.since.min(self.open.from))
    }

    /// Hands a page on. Returns how the reading ended, if this was the last page.
    async fn take(&mut self, received: ReceivedPage) -> Result<Option<FetchOutcome>, FetchError> {
        let ReceivedPage { locator, mut page, at, known } = received;
        self.pagination.seek(locator);
        if self.is_restart(&page.records) {
            if self.open.to.is_some() {
                self.restart_by_time("the server does not know it and begins again").await;
                return Ok(None);
            }
            self.note_restart().await;
        }
        self.note_records(&page.records);
        if let Some(next) = page.next.take_if(|_| is_known(&page.records, &known)) {
            // We read it twice ourselves, so it is no sign of a loop.
            self.pagination.seek(next);
            return Ok(None);
        }
        let previous = self.pagination.next_page().clone();
        let has_next = page.next.is_some();
        let mut advance = self.pagination.advance(&page.records, page.next);
        match self.check_outcome(&page.records) {
            Some(CheckOutcome::NothingNew) if advance == Ok(PageAdvance::HasNext) => {
                advance = Ok(PageAdvance::Complete);
            }
            Some(CheckOutcome::More) => {
                self.origin = PaginationOrigin::Time;
                self.unfinished_cursor = None;
            }
            _ => {}
        }
        if advance.is_err() && self.out.send(FetchMessage::RereadStarted).await.is_err() {
            return Ok(Some(FetchOutcome::ReceiverClosed));
        }
        self.note_resume_point(advance == Ok(PageAdvance::Complete), has_next);
        if !known.is_empty() {
            page.records.retain(|record| !known.contains(&record_key(record)));
        }
        let message = FetchMessage::Records {
            records: page.records,
            received: at,
            users: UserProfiles::default(),
            window: self.index,
            window_after: Some(self.open.clone()),
            advances: *self.pagination.next_page() != previous,
        };
        if self.out.send(message).await.is_err() {
            return Ok(Some(FetchOutcome::ReceiverClosed));
        }
        match advance? {
            PageAdvance::HasNext => Ok(None),
            PageAdvance::Complete if self.unfinished_cursor.is_some() => {
                Ok(Some(FetchOutcome::EmptyPages))
            }
            PageAdvance::Complete => Ok(Some(FetchOutcome::Complete)),
            PageAdvance::TooManyEmptyPages if self.open.to.is_some() => {
                Err(FetchError::EndlessEmptyPages)
            }
            PageAdvance::TooManyEmptyPages => Ok(Some(FetchOutcome::EmptyPages)),
        }
    }

    /// Whether the first page of a saved cursor holds only records from before the dedup cache:
    /// then the server no longer knows the cursor and starts again. A few such records may be late
    /// ones.
    fn is_restart(&self, records: &[Record]) -> bool {
        let Some(position) = self.position else {
            return false;
        };
        let remembered = before(position, self.check.overlap);
        self.origin == PaginationOrigin::SavedCursor
            && !self.cursor_brought
            && records.len() >= RESTART_RECORDS
            && watermark_positions(records).all(|position| position < remembered)
    }

    /// Updates the positions and counts from the records of the next page.
    fn note_records(&mut self, records: &[Record]) {
        // The smallest: a wrong date in the future must not make a fallback skip records.
        self.watermark = watermark_positions(records).min().or(self.watermark);
        self.position = watermark_positions(records).last().or(self.position);
        self.cursor_brought |= self.origin == PaginationOrigin::SavedCursor && !records.is_empty();
        self.fallbacks.observe(records);
        self.last = match self.prefetcher.may_pay() {
            true => LastPage::from_records(records),
            false => None,
        };
    }

    /// The next records may have been written before, or lie before the history. The stream is
    /// followed all the same: it is the only one that shows what came late. A receiver that is gone
    /// is noticed at the next page.
    async fn note_restart(&mut self) {
        tracing::warn!(
            "the server does not know the saved cursor and begins again; no event is lost, and \
             none that was written before is written twice"
        );
        self.origin = PaginationOrigin::Time;
        self.open.rereads = true;
        let since = self.not_before_history(Timestamp::MIN_UTC);
        let _ = self.out.send(FetchMessage::LogRestarted { since }).await;
    }

    /// Updates the resume point of the window after a page.
    fn note_resume_point(&mut self, is_end: bool, has_next: bool) {
        if let Some(cursor) = self.pagination.cursor() {
            self.open.cursor = Some(cursor.to_owned());
        }
        // From the end on, only new records come.
        self.open.rereads &= !is_end;
        if !is_end || self.open.to.is_some() {
            return;
        }
        let now = chrono::Utc::now();
        if has_next {
            if self.origin != PaginationOrigin::SavedCursor {
                self.open.read_by_time = Some(now);
            }
        } else {
            // Nothing says that events which come later will show up after the cursor that led to
            // this page; a published mock of the API never shows them there. So the next run reads
            // by time, and from further back once an hour: see `plan::prepare_reread`.
            self.open.from = self.overlap_start();
            self.open.cursor = None;
            self.open.read_by_time.get_or_insert(now);
        }
        if let Some(cursor) = &self.unfinished_cursor {
            self.open.cursor = Some(cursor.clone());
        }
    }

    /// What a check has found with the page that holds `records`; nothing while it is on its way to
    /// the position that the cursor had reached.
    ///
    /// The cursor said what comes after that position, and the next run follows the check's own
    /// cursor: so one request is enough for a source that is idle.
    fn check_outcome(&self, records: &[Record]) -> Option<CheckOutcome> {
        let PaginationOrigin::CheckTo(known) = self.origin else {
            return None;
        };
        match watermark_positions(records).last() {
            None if records.is_empty() => Some(CheckOutcome::NothingNew),
            last if last > known => Some(CheckOutcome::More),
            last => (last == known && known.is_some()).then_some(CheckOutcome::NothingNew),
        }
    }

    /// Whether `failure` is about the cursor, and reading by time may help.
    fn may_fall_back(&self, failure: &Failure) -> bool {
        let locator = self.pagination.next_page();
        (is_refused_cursor(failure, locator) && self.fallbacks.may_help())
            || (is_broken_cursor(failure, locator) && self.may_doubt_cursor())
    }

    /// Whether a saved cursor may be the cause, and reading by time was not tried yet.
    fn may_doubt_cursor(&self) -> bool {
        self.origin == PaginationOrigin::SavedCursor && self.open.to.is_none()
    }

    /// Restarts by time because the cursor cannot be used; `reason` says why.
    async fn restart_by_time(&mut self, reason: &str) {
        let from = match self.watermark {
            Some(watermark) => self.not_before_history(before(watermark, CURSOR_FALLBACK)),
            None => self.open.from,
        };
        tracing::warn!(
            %reason,
            from = %format_millis(from),
            "the cursor cannot be used; reading by time instead, without events that were written \
             before"
        );
        self.fallbacks.note();
        self.read_from(from).await;
    }

    /// Starts a reread at `from`. A receiver that is gone is noticed at the next page.
    async fn read_from(&mut self, from: Timestamp) {
        self.open = OpenWindow { from, cursor: None, rereads: true, ..self.open.clone() };
        self.pagination = Pagination::new(None, empty_pages(&self.open));
        self.origin = PaginationOrigin::Time;
        self.last = None;
        let _ = self.out.send(FetchMessage::RereadStarted).await;
    }

    /// Whether `failure` may mean that the window begins before the earliest event that the server
    /// has.
    fn refuses_start(&self, failure: &Failure) -> bool {
        failure.kind == FailureKind::BadRequest
            && *self.pagination.next_page() == PageLocator::Start
            && !self.is_shortened
    }

    /// Continues at the earliest time that the server has, because it refused the start of the
    /// window. Servers that show less than was requested, without an error, do not need this.
    async fn shorten(&mut self, failure: Failure) -> Result<Option<FetchOutcome>, FetchError> {
        let now = chrono::Utc::now();
        let retention = self.reader.source.retention();
        let start = retention.map(|kept| kept.earliest_accepted(now));
        let is_inside = |start: &Timestamp| {
            self.open.from < *start && self.open.to.is_none_or(|to| *start < to)
        };
        let Some(start) = start.filter(is_inside) else {
            return Err(failure.into());
        };
        tracing::warn!(
            server = %failure.message,
            from = %format_millis(start),
            "the server refused to read from before the earliest event that it keeps; reading from \
             there instead"
        );
        self.open.from = start;
        self.is_shortened = true;
        let sent = self.out.send(FetchMessage::WindowShortened { from: start }).await;
        Ok(sent.is_err().then_some(FetchOutcome::ReceiverClosed))
    }
}

/// Whether there are records, and all of them are in `known`.
fn is_known(records: &[Record], known: &HashSet<RecordKey>) -> bool {
    let has_all = || records.iter().all(|record| known.contains(&record_key(record)));
    !known.is_empty() && !records.is_empty() && has_all()
}

fn empty_pages(open: &OpenWindow) -> u32 {
    match open.to {
        Some(_) => EMPTY_PAGES_BOUNDED,
        None => EMPTY_PAGES,
    }
}

/// The fallbacks of one window: a server that refuses cursor after cursor, with nothing newer in
/// between, would lead to the same position forever.
#[derive(Debug, Default)]
struct CursorFallbacks {
    /// The newest position, as in the records: the watermark is limited to the present, so it moves
    /// with the clock.
    newest_position: Option<Timestamp>,
    newest_at_last_fallback: Option<Timestamp>,
    without_progress: u32,
}

impl CursorFallbacks {
    fn observe(&mut self, records: &[Record]) {
        let positions = records.iter().filter_map(|record| record.position);
        self.newest_position = self.newest_position.max(positions.max());
    }

    fn may_help(&self) -> bool {
        self.newest_position != self.newest_at_last_fallback
            || self.without_progress < MAX_FALLBACKS
    }

    fn note(&mut self) {
        self.without_progress = match self.newest_position == self.newest_at_last_fallback {
            true => self.without_progress + 1,
            false => 1,
        };
        self.newest_at_last_fallback = self.newest_position;
    }
}

/// Whether every attempt with this cursor failed. It may be this cursor alone.
fn is_broken_cursor(failure: &Failure, locator: &PageLocator) -> bool {
    matches!(locator, PageLocator::Cursor(_))
        && matches!(
            failure.kind,
            FailureKind::Unavailable | FailureKind::Unreadable | FailureKind::ErrorInPage
        )
}

/// Whether the server refused the cursor in the request.
fn is_refused_cursor(failure: &Failure, locator: &PageLocator) -> bool {
    matches!(locator, PageLocator::Cursor(_))
        && matches!(failure.kind, FailureKind::BadRequest | FailureKind::NotFound)
}
