//! Runs the asynchronous searches of a back-fill: each is created for one slice, polled until it
//! has ended, and its id is kept in the checkpoint, so that a run after a kill goes on with it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::config::settings::BackfillMode;
use crate::fetch::page_reader::PageReader;
use crate::fetch::segment_queue::TimeRange;
use crate::fetch::types::FetchMessage;
use crate::http::client::Transport;
use crate::http::failure::{Failure, FailureKind};
use crate::http::message::Request;
use crate::http::retry::RetryBudget;
use crate::source::event_queries::{self, QueryResource, QueryState, QueryStatus};
use crate::state::checkpoint::OpenQuery;

/// The first wait before a query is asked for its status again; each is twice the last.
const FIRST_POLL: Duration = Duration::from_millis(500);

/// The longest of these waits.
const LONGEST_POLL: Duration = Duration::from_secs(30);

/// A query that takes longer is given up.
const LONGEST_QUERY: Duration = Duration::from_secs(60 * 60);

/// A window of this length, a first pull's by default, is worth a query.
pub const BACKFILL_SPAN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Runs the queries of one window.
pub struct QueryRunner<T> {
    /// Sends the requests.
    pub reader: Arc<PageReader<T>>,
    /// The queries of the workspace.
    pub queries: QueryResource,
    /// Whether pages may take the place of a query.
    pub mode: BackfillMode,
    /// The query of an earlier run.
    pub resumed: Option<OpenQuery>,
    /// Where the ids of queries go.
    pub out: mpsc::Sender<FetchMessage>,
}

impl<T: Transport> QueryRunner<T> {
    /// The id of a query that has found the events of `span`; nothing where they are read page by
    /// page, because the server runs no query.
    ///
    /// # Errors
    /// There is none, and only a query will do.
    pub async fn run(&self, span: &TimeRange) -> Result<Option<String>, Failure> {
        if self.reader.findings.refuses_queries() {
            return Ok(None);
        }
        match self.find_or_create(span).await {
            Ok(id) => Ok(Some(id)),
            Err(failure) => self.do_without(failure).map(|()| None),
        }
    }

    /// From now on, pages take the place of queries.
    ///
    /// # Errors
    /// They must not.
    pub fn do_without(&self, failure: Failure) -> Result<(), Failure> {
        if self.mode == BackfillMode::Query {
            return Err(failure);
        }
        tracing::info!(%failure, "no event query can be used; the events are read page by page");
        self.reader.findings.note_refused_queries();
        Ok(())
    }

    async fn find_or_create(&self, span: &TimeRange) -> Result<String, Failure> {
        let is_same = |earlier: &&OpenQuery| (earlier.from, earlier.to) == (span.from, span.to);
        if let Some(earlier) = self.resumed.as_ref().filter(is_same) {
            self.reader.findings.note_query(earlier);
            match self.wait_for_end(&earlier.id, QueryStatus::Running).await {
                Ok(()) => return Ok(earlier.id.clone()),
                // It has expired, or was cancelled.
                Err(failure) => {
                    tracing::debug!(%failure, "the query of the last run is of no use");
                    self.reader.findings.forget_query(&earlier.id);
                }
            }
        }
        let created = self.create(span).await?;
        let query = OpenQuery { id: created.id.clone(), from: span.from, to: span.to };
        self.reader.findings.note_query(&query);
        // A receiver that is gone is noticed at the next page.
        let _ = self.out.send(FetchMessage::QueryStarted(query)).await;
        self.wait_for_end(&created.id, created.status).await?;
        Ok(created.id)
    }

    async fn create(&self, span: &TimeRange) -> Result<QueryState, Failure> {
        let has_text_dates = self.reader.findings.reading().has_text_dates;
        let first = self.request(&self.queries.creation(&span.window(), has_text_dates)).await;
        match first {
            Err(failure) if failure.kind == FailureKind::BadRequest => {
                let other = self.queries.creation(&span.window(), !has_text_dates);
                self.request(&other).await.map_err(|_| failure)
            }
            first => first,
        }
    }

    async fn wait_for_end(&self, id: &str, mut status: QueryStatus) -> Result<(), Failure> {
        let request = self.queries.status(id);
        let (began, mut wait) = (Instant::now(), FIRST_POLL);
        loop {
            let failed = match status {
                QueryStatus::Finished => return Ok(()),
                QueryStatus::Failed(word) => format!("the event query ended as `{word}`"),
                QueryStatus::Running if began.elapsed() >= LONGEST_QUERY => {
                    "the event query has not ended for an hour".to_owned()
                }
                QueryStatus::Running => {
                    sleep(wait).await;
                    wait = wait.saturating_mul(2).min(LONGEST_POLL);
                    status = self.request(&request).await?.status;
                    continue;
                }
            };
            self.reader.findings.forget_query(id);
            return Err(Failure::of_contents(FailureKind::ErrorInPage, &request, &failed));
        }
    }

    async fn request(&self, request: &Request) -> Result<QueryState, Failure> {
        self.reader.exchange(request, &self.reader.retry_budget, event_queries::read).await
    }
}

/// Cancels the queries that were begun and not read, because the run is stopped. It does not matter
/// if that fails: a server ends them by itself.
pub async fn cancel_queries<T: Transport>(reader: &PageReader<T>) {
    let Some(queries) = reader.source.queries() else { return };
    for query in reader.findings.open_queries() {
        let request = queries.cancellation(&query.id);
        let cancelled = reader.exchange(&request, &RetryBudget::none(), |_| Ok(())).await;
        match cancelled {
            Ok(()) => tracing::debug!(id = %query.id, "cancelled an event query"),
            Err(failure) => tracing::debug!(%failure, "an event query could not be cancelled"),
        }
    }
}
