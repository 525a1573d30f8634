//! Requests one page of a source, for any task that reads.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio_util::task::TaskTracker;

use crate::fetch::attempt_record::{AttemptRecorder, WindowAttemptObserver};
use crate::fetch::compressed_page::CompressedPage;
use crate::fetch::plan::watermark_of;
use crate::fetch::types::{FetchError, RecordKey};
use crate::fetch::user_directory::UserDirectory;
use crate::http::attempt_observer::{AttemptObserver, RequestAttempt};
use crate::http::client::Transport;
use crate::http::error::UnreadableBody;
use crate::http::exchange::send_with_retries;
use crate::http::failure::Failure;
use crate::http::limiter::RequestLimiter;
use crate::http::memory_budget::{MemoryBudget, MemoryPermit};
use crate::http::message::Response;
use crate::http::retry::RetryBudget;
use crate::model::event::UserProfiles;
use crate::model::record::Record;
use crate::model::time::{Timestamp, Window};
use crate::source::{Page, PageLocator, Source, with_limit};
use crate::telemetry::meter::SourceMeter;

/// What the quickest answer of a server must take before several are asked for at once. Below it, one
/// page after the other keeps up with whatever is done with them.
const SLOW_RESPONSE: Duration = Duration::from_millis(100);

/// The longest URL that the HTTP library sends (`http::Uri`).
const MAX_URL_LENGTH: usize = 65_534;

/// Asks for pages; shared by the tasks that read a source.
pub struct PageReader<T> {
    /// How the API is read.
    pub source: Box<dyn Source>,
    /// Sends requests.
    pub transport: T,
    /// What requests must wait for.
    pub limiter: Arc<RequestLimiter>,
    /// How long failures are borne.
    pub retry_budget: RetryBudget,
    /// Where answers wait.
    pub memory_budget: MemoryBudget,
    /// Counts what happens.
    pub meter: Arc<SourceMeter>,
    /// Looks up the names of users, if configured.
    pub user_directory: Option<UserDirectory<T>>,
    /// Takes down every attempt, where that is wanted.
    pub attempt_recorder: Option<AttemptRecorder>,
    /// The tasks that ask for pages on its behalf.
    pub tasks: TaskTracker,
}

impl<T: Transport> PageReader<T> {
    /// The page at `place` of `window`.
    ///
    /// # Errors
    /// Why it was given up.
    pub async fn page(&self, window: &Window, place: &PageLocator) -> Result<Page, Failure> {
        let (page, _) = self.page_and_body(window, place).await?;
        Ok(page)
    }

    /// The same, and the text that it was read from.
    ///
    /// # Errors
    /// Why it was given up.
    pub async fn page_and_body(
        &self,
        window: &Window,
        place: &PageLocator,
    ) -> Result<(Page, Bytes), Failure> {
        self.page_with_limit(window, place, None).await
    }

    /// The same, of at most `limit` records, where that is given.
    ///
    /// # Errors
    /// Why it was given up.
    pub async fn page_with_limit(
        &self,
        window: &Window,
        place: &PageLocator,
        limit: Option<u32>,
    ) -> Result<(Page, Bytes), Failure> {
        let mut request = self.source.request(window, place);
        if let Some(limit) = limit {
            request = with_limit(request, limit);
        }
        let read = |response: &Response| {
            let page = self.source.read(place, response)?;
            // Before it gets into a checkpoint, which could not be read on from.
            match page.next.as_ref().is_none_or(|next| self.can_request(window, next)) {
                true => Ok((page, response.body.clone())),
                false => Err(UnreadableBody::new(
                    "the cursor of the next page is too long to be sent back",
                )),
            }
        };
        let transcript = self.attempt_recorder.as_ref();
        let witness = PageObserver(transcript.map(|transcript| transcript.for_window(window)));
        let (page, body) = send_with_retries(
            &self.transport,
            &self.limiter,
            &self.retry_budget,
            &self.meter,
            &request,
            read,
            &witness,
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

    /// Whether the page at `place` of `window` can be requested at all.
    pub fn can_request(&self, window: &Window, place: &PageLocator) -> bool {
        let request = self.source.request(window, place);
        request.url.as_str().len() <= MAX_URL_LENGTH
    }

    /// The page that was packed, now in the room of `share`.
    ///
    /// # Errors
    /// [`FetchError::TaskDied`], which for a page that could be read before is a lack of memory.
    pub fn decompress_page(
        &self,
        packed: CompressedPage,
        share: &Arc<MemoryPermit>,
    ) -> Result<Page, FetchError> {
        let place = packed.locator.clone();
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: share.keep(packed.unpack().map_err(|_| FetchError::TaskDied)?),
        };
        let page = self.source.read(&place, &response);
        page.map_err(|_| FetchError::TaskDied)
    }

    /// Waits for all tasks. Aborted tasks record their request only when they are dropped.
    pub async fn wait_for_tasks(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Whom `records` may mean, as far as that is known or wanted.
    pub async fn users_of(&self, records: &[Record]) -> UserProfiles {
        match &self.user_directory {
            Some(directory) => directory.people_of(records).await,
            None => UserProfiles::default(),
        }
    }

    /// Whether what it reads is to prove itself.
    pub fn is_evidence(&self) -> bool {
        self.attempt_recorder.is_some()
    }

    /// How many requests must be under way at once to use all of the quota.
    pub fn needed_concurrency(&self) -> usize {
        let latency = self.meter.quickest_response().unwrap_or_default();
        let interval = self.limiter.interval().max(Duration::from_micros(1));
        let needed = latency.as_micros().div_ceil(interval.as_micros());
        usize::try_from(needed).unwrap_or(usize::MAX)
    }

    /// Whether reading several parts of a window at once pays: the server takes its time, and longer
    /// than the quota makes us wait for the next request anyway.
    pub fn is_slow(&self) -> bool {
        let quickest = self.meter.quickest_response();
        quickest.is_some_and(|quickest| quickest >= SLOW_RESPONSE.max(self.limiter.interval()))
    }

    /// Tells the first page with bytes that are no UTF-8; the report has their count.
    fn warn_of_invalid_utf8(&self) {
        if self.meter.mended_pages.get() == 0 {
            tracing::warn!("a response contains invalid UTF-8; replaced with U+FFFD in the output");
        }
        self.meter.mended_pages.add(1);
    }
}

/// Takes down the attempts to get a page, where that is wanted, and counts the page's records.
struct PageObserver<'a>(Option<WindowAttemptObserver<'a>>);

impl AttemptObserver<(Page, Bytes)> for PageObserver<'_> {
    fn saw(&self, attempt: &RequestAttempt<'_>, made: Option<&(Page, Bytes)>) {
        self.0.saw(attempt, made);
    }

    fn records(&self, (page, _): &(Page, Bytes)) -> Option<usize> {
        Some(page.records.len())
    }
}

/// Where the watermark would move with each of `records`, received just now.
pub fn watermark_positions(records: &[Record]) -> impl Iterator<Item = Timestamp> {
    let now = chrono::Utc::now();
    let positions = records.iter().filter_map(|record| record.position);
    positions.filter_map(move |position| watermark_of(position, now))
}

/// A page as it was received.
#[derive(Debug)]
pub struct ReceivedPage {
    pub place: PageLocator,
    pub page: Page,
    pub at: Timestamp,
    /// Records on it that were taken with the page before.
    pub known: HashSet<RecordKey>,
}

impl ReceivedPage {
    pub fn now(place: PageLocator, page: Page) -> ReceivedPage {
        ReceivedPage::at(place, page, chrono::Utc::now())
    }

    pub fn at(place: PageLocator, page: Page, at: Timestamp) -> ReceivedPage {
        ReceivedPage { place, page, at, known: HashSet::new() }
    }

    /// The same, of which `known` was taken before.
    pub fn without(self, known: HashSet<RecordKey>) -> ReceivedPage {
        ReceivedPage { known, ..self }
    }
}
