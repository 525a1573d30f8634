//! Requests one page of a source, for any task that reads; and keeps prefetched pages compressed,
//! which takes a tenth of their memory.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::task::TaskTracker;

use crate::fetch::api_findings::ApiFindings;
use crate::fetch::attempt_record::{AttemptRecorder, WindowAttemptObserver};
use crate::fetch::clock_probe::ClockProbe;
use crate::fetch::plan::watermark_of;
use crate::fetch::types::{FetchError, RecordKey};
use crate::fetch::user_directory::UserDirectory;
use crate::http::attempt_observer::{AttemptObserver, RequestAttempt};
use crate::http::client::Transport;
use crate::http::exchange::send_with_retries;
use crate::http::failure::{Failure, FailureKind};
use crate::http::limiter::RequestLimiter;
use crate::http::memory_budget::{CompressedPermit, MemoryBudget, MemoryPermit};
use crate::http::message::{Request, Response, UnreadableBody};
use crate::http::retry::RetryBudget;
use crate::model::event::UserProfiles;
use crate::model::record::Record;
use crate::model::time::{Timestamp, Window};
use crate::source::api_reading::{ApiReading, EventClock};
use crate::source::{Page, PageLocator, Source, with_limit};
use crate::telemetry::meter::SourceMeter;

/// Prefetching pays only if the quickest response of the server takes at least this long. Below it,
/// reading page by page keeps up with the writer.
const SLOW_RESPONSE: Duration = Duration::from_millis(100);

/// The longest URL that the HTTP library sends (`http::Uri`).
const MAX_URL_LENGTH: usize = 65_534;

/// Requests pages; shared by the tasks that read a source.
pub struct PageReader<T> {
    /// How the API is read.
    pub source: Source,
    /// What was found out about the server since the run began.
    pub findings: ApiFindings,
    /// Sends requests.
    pub transport: T,
    /// The limits that requests wait for.
    pub limiter: Arc<RequestLimiter>,
    /// How long failed requests are retried.
    pub retry_budget: RetryBudget,
    /// The memory that responses may take.
    pub memory_budget: MemoryBudget,
    /// Counts what happens.
    pub meter: Arc<SourceMeter>,
    /// Looks up the names of users, if configured.
    pub user_directory: Option<UserDirectory<T>>,
    /// Records every attempt at a request, in an export.
    pub attempt_recorder: Option<AttemptRecorder>,
    /// The tasks that request pages for it.
    pub tasks: TaskTracker,
}

impl<T: Transport> PageReader<T> {
    /// The page at `locator` of `window`.
    ///
    /// # Errors
    /// Why no attempt succeeded.
    pub async fn page(&self, window: &Window, locator: &PageLocator) -> Result<Page, Failure> {
        let (page, _) = self.page_and_body(window, locator).await?;
        Ok(page)
    }

    /// The same, with the body that it was parsed from.
    ///
    /// # Errors
    /// As with [`PageReader::page`].
    pub async fn page_and_body(
        &self,
        window: &Window,
        locator: &PageLocator,
    ) -> Result<(Page, Bytes), Failure> {
        self.page_with_limit(window, locator, None, None).await
    }

    /// The same, with a page size of `limit`, if that is given, and of the results of the event
    /// query `query`, if there is one.
    ///
    /// # Errors
    /// As with [`PageReader::page`].
    pub async fn page_with_limit(
        &self,
        window: &Window,
        locator: &PageLocator,
        limit: Option<u32>,
        query: Option<&str>,
    ) -> Result<(Page, Bytes), Failure> {
        let source = self.current_source();
        let source = query.map_or(source.clone(), |id| source.results_of(id));
        let refused = match self.request_page(&source, window, locator, limit).await {
            Ok((page, body)) => return self.clocked(page, body).await,
            Err(failure) if failure.kind == FailureKind::BadRequest => failure,
            Err(failure) => return Err(failure),
        };
        for reading in source.other_readings(locator) {
            let other = source.with_reading(reading);
            if other.request(window, locator) == source.request(window, locator) {
                continue;
            }
            match self.request_page(&other, window, locator, limit).await {
                Ok((page, body)) => {
                    tracing::info!(?reading, "the server takes other requests than usual");
                    self.findings.note_reading(reading);
                    return self.clocked(page, body).await;
                }
                Err(failure) if failure.kind == FailureKind::BadRequest => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(refused)
    }

    /// The source, read as the server wants it.
    fn current_source(&self) -> Source {
        self.source.with_reading(self.findings.reading())
    }

    /// The page and its body, its records at their times by the clock that the server's `from` and
    /// `to` compare with. That is found out first, where it is not known.
    async fn clocked(&self, mut page: Page, body: Bytes) -> Result<(Page, Bytes), Failure> {
        let source = self.current_source();
        if source.has_unknown_clock()
            && let Some(clock) = self.find_clock(&source, &page).await?
        {
            tracing::debug!(?clock, "found out which times the server compares");
            let reading = ApiReading { clock: Some(clock), ..source.reading() };
            self.findings.note_reading(reading);
            source.with_reading(reading).place(&mut page.records);
        }
        Ok((page, body))
    }

    async fn find_clock(
        &self,
        source: &Source,
        page: &Page,
    ) -> Result<Option<EventClock>, Failure> {
        for probe in ClockProbe::on(page, source) {
            let mut found = [false; 2];
            for (found, window) in found.iter_mut().zip(&probe.windows) {
                let asked = self.request_page(source, window, &PageLocator::Start, None).await?;
                *found = probe.is_on(&asked.0);
            }
            let clock = probe.clock(found).map_err(|what| {
                let request = source.request(&probe.windows[0], &PageLocator::Start);
                Failure::of_contents(FailureKind::Unreadable, &request, what)
            })?;
            if clock.is_some() {
                return Ok(clock);
            }
        }
        Ok(None)
    }

    /// The page of `source` at `locator` of `window`, asked for in no other way than its reading
    /// says.
    async fn request_page(
        &self,
        source: &Source,
        window: &Window,
        locator: &PageLocator,
        limit: Option<u32>,
    ) -> Result<(Page, Bytes), Failure> {
        let mut request = source.request(window, locator);
        if let Some(limit) = limit {
            request = with_limit(request, limit);
        }
        let read = |response: &Response| {
            let page = source.read(locator, response)?;
            // Checked before it gets into a checkpoint, from which no run could resume.
            match page.next.as_ref().is_none_or(|next| self.can_request(window, next)) {
                true => Ok((page, response.body.clone())),
                false => Err(UnreadableBody::new(
                    "the cursor of the next page is too long to be sent back",
                )),
            }
        };
        let recorder = self.attempt_recorder.as_ref();
        let observer = PageObserver(recorder.map(|recorder| recorder.for_window(window)));
        let (page, body) = send_with_retries(
            &self.transport,
            &self.limiter,
            &self.retry_budget,
            &self.meter,
            &request,
            read,
            &observer,
        )
        .await?;
        self.meter.pages.add(1);
        if page.has_replaced_bytes {
            self.warn_of_invalid_utf8();
        }
        if let Some(newest) = watermark_positions(&page.records).max() {
            self.meter.reached(newest);
        }
        Ok((page, body))
    }

    /// What `read` makes of the response to `request`, which is not for a page.
    ///
    /// # Errors
    /// Why no attempt succeeded.
    pub async fn exchange<P>(
        &self,
        request: &Request,
        budget: &RetryBudget,
        read: impl Fn(&Response) -> Result<P, UnreadableBody>,
    ) -> Result<P, Failure> {
        let (transport, limiter, meter) = (&self.transport, &self.limiter, &self.meter);
        send_with_retries(transport, limiter, budget, meter, request, read, &self.attempt_recorder)
            .await
    }

    /// Whether the page at `locator` of `window` can be requested at all.
    pub fn can_request(&self, window: &Window, locator: &PageLocator) -> bool {
        let request = self.current_source().request(window, locator);
        request.url.as_str().len() <= MAX_URL_LENGTH
    }

    /// The page that was compressed, which now takes memory of `permit`.
    ///
    /// # Errors
    /// [`FetchError::TaskDied`]: the page was parsed before, so only a lack of memory makes it
    /// fail.
    pub fn decompress_page(
        &self,
        packed: CompressedPage,
        permit: &Arc<MemoryPermit>,
    ) -> Result<Page, FetchError> {
        let locator = packed.locator.clone();
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: permit.keep(packed.unpack().map_err(|_| FetchError::TaskDied)?),
        };
        let page = self.current_source().read(&locator, &response);
        page.map_err(|_| FetchError::TaskDied)
    }

    /// Waits for all tasks. Aborted tasks record their request only when they are dropped.
    pub async fn wait_for_tasks(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Profiles of the users that `records` may name, as far as they are known and wanted.
    pub async fn users_of(&self, records: &[Record]) -> UserProfiles {
        match &self.user_directory {
            Some(directory) => directory.users_of(records).await,
            None => UserProfiles::default(),
        }
    }

    /// Whether it reads for an export.
    pub fn is_evidence(&self) -> bool {
        self.attempt_recorder.is_some()
    }

    /// How many requests must be in flight to use all of the quota.
    pub fn needed_concurrency(&self) -> usize {
        let latency = self.meter.quickest_response().unwrap_or_default();
        let interval = self.limiter.interval().max(Duration::from_micros(1));
        let needed = latency.as_micros().div_ceil(interval.as_micros());
        usize::try_from(needed).unwrap_or(usize::MAX)
    }

    /// Whether reading several segments of a window at once pays: the server is slow, and slower
    /// than the quota lets us send requests.
    pub fn is_slow(&self) -> bool {
        let quickest = self.meter.quickest_response();
        quickest.is_some_and(|quickest| quickest >= SLOW_RESPONSE.max(self.limiter.interval()))
    }

    /// Logs the first page with invalid UTF-8; the report has their number.
    fn warn_of_invalid_utf8(&self) {
        if self.meter.mended_pages.get() == 0 {
            tracing::warn!("a response contains invalid UTF-8; replaced with U+FFFD in the output");
        }
        self.meter.mended_pages.add(1);
    }
}

/// Records the attempts to get a page, in an export, and counts the page's records.
struct PageObserver<'a>(Option<WindowAttemptObserver<'a>>);

impl AttemptObserver<(Page, Bytes)> for PageObserver<'_> {
    fn saw(&self, attempt: &RequestAttempt<'_>, made: Option<&(Page, Bytes)>) {
        self.0.saw(attempt, made);
    }

    fn records(&self, (page, _): &(Page, Bytes)) -> Option<usize> {
        Some(page.records.len())
    }
}

/// The watermark after each of `records`, if they were received now.
pub fn watermark_positions(records: &[Record]) -> impl Iterator<Item = Timestamp> {
    let now = chrono::Utc::now();
    let positions = records.iter().filter_map(|record| record.position);
    positions.filter_map(move |position| watermark_of(position, now))
}

/// A page as it was received.
#[derive(Debug)]
pub struct ReceivedPage {
    pub locator: PageLocator,
    pub page: Page,
    pub at: Timestamp,
    /// Records on it that were handed on with the page before.
    pub known: HashSet<RecordKey>,
}

impl ReceivedPage {
    pub fn now(locator: PageLocator, page: Page) -> ReceivedPage {
        ReceivedPage::at(locator, page, chrono::Utc::now())
    }

    pub fn at(locator: PageLocator, page: Page, at: Timestamp) -> ReceivedPage {
        ReceivedPage { locator, page, at, known: HashSet::new() }
    }

    /// The same, of which `known` was taken before.
    pub fn without(self, known: HashSet<RecordKey>) -> ReceivedPage {
        ReceivedPage { known, ..self }
    }
}

/// zstd's quickest: a page in about a millisecond.
const COMPRESSION_LEVEL: i32 = 1;

/// A page that waits to be handed on.
#[derive(Debug)]
pub struct CompressedPage {
    /// Its position in the pagination.
    pub locator: PageLocator,
    /// When it was received.
    pub at: Timestamp,
    body: CompressedBody,
    share: CompressedPermit,
}

#[derive(Debug)]
enum CompressedBody {
    Zstd(Box<[u8]>),
    Plain(Bytes),
}

impl CompressedBody {
    fn length(&self) -> usize {
        match self {
            CompressedBody::Zstd(packed) => packed.len(),
            CompressedBody::Plain(body) => body.len(),
        }
    }
}

impl CompressedPage {
    /// Compresses the body of the page at `locator`, received just now.
    pub fn new(locator: PageLocator, body: &Bytes, room: &MemoryBudget) -> CompressedPage {
        // It fails only for a lack of memory.
        let body = match zstd::bulk::compress(body, COMPRESSION_LEVEL) {
            // zstd returns a larger buffer than it filled.
            Ok(packed) => CompressedBody::Zstd(packed.into_boxed_slice()),
            Err(_) => CompressedBody::Plain(body.clone()),
        };
        CompressedPage { locator, at: chrono::Utc::now(), share: room.pack(body.length()), body }
    }

    /// The body that the page is parsed from.
    ///
    /// # Errors
    /// zstd's: only a lack of memory, for what it compressed itself.
    pub fn unpack(self) -> std::io::Result<Bytes> {
        drop(self.share);
        match self.body {
            CompressedBody::Zstd(packed) => Ok(Bytes::from(zstd::stream::decode_all(&*packed)?)),
            CompressedBody::Plain(body) => Ok(body),
        }
    }
}
