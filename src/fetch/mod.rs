//! Reads the windows of a plan: requests pages, and hands their records on, oldest first, each
//! batch together with the window as it will stand when the batch is committed.
//!
//! Reading runs ahead of writing by the capacity of the channel. [`cursor_reader`] reads a source
//! that delivers oldest first, with [`prefetch`] where the server is slow; [`slice_reader`] reads
//! one whose order is not documented, slice by slice with [`slice_pages`]. Both use [`page_reader`]
//! for one page. [`plan`], [`pagination`], [`paging_facts`], [`segment_queue`], [`slice_scan`],
//! [`slice_progress`] and [`clock_probe`] do no I/O. See `docs/design.md`, sections 5 to 8.

pub mod api_findings;
pub mod attempt_record;
mod background_task;
mod clock_probe;
mod cursor_reader;
pub mod event_query;
pub mod page_reader;
pub mod pagination;
mod paging_facts;
pub mod plan;
mod prefetch;
mod segment_queue;
mod slice_pages;
mod slice_progress;
mod slice_reader;
mod slice_scan;
pub mod types;
pub mod user_directory;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::settings::BackfillMode;
use crate::fetch::cursor_reader::{CursorReader, CursorReaderOptions};
use crate::fetch::page_reader::PageReader;
use crate::fetch::plan::{CursorCheck, ReadPlan};
use crate::fetch::slice_reader::{SliceReader, SliceReaderOptions};
use crate::fetch::types::{FetchError, FetchMessage, FetchOutcome};
use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::model::time::{Timestamp, Window, before};
use crate::source::{DeliveryOrder, PageLocator};

/// How far back a probe reads.
const PROBE_LOOKBACK: Duration = Duration::from_secs(60 * 60);

/// Reads one source.
pub struct Fetcher<T> {
    /// Requests its pages.
    pub reader: Arc<PageReader<T>>,
    /// Segments or slices of a window that may be read at once.
    pub concurrency: usize,
    /// Whether long windows are read by event queries, where the API has such.
    pub backfill: BackfillMode,
    /// Records that one slice may hold: [`types::SLICE_RECORDS`], except in tests.
    pub slice_records: usize,
}

impl<T: Transport + 'static> Fetcher<T> {
    /// Reads the windows of `plan` to their ends into `out`; `check` says when a cursor is not
    /// trusted.
    ///
    /// # Errors
    /// Records that were read before the error are still handed on.
    pub async fn run(
        &self,
        plan: &ReadPlan,
        check: CursorCheck,
        out: mpsc::Sender<FetchMessage>,
    ) -> Result<FetchOutcome, FetchError> {
        let terms = CursorReaderOptions {
            watermark: plan.watermark,
            since: plan.since,
            check,
            concurrency: self.concurrency,
        };
        for window in plan.windows.iter().cloned().enumerate() {
            let reader = self.reader.clone();
            let reached = match self.reader.source.order() {
                DeliveryOrder::Ascending => {
                    let stream = CursorReader::new(reader, window, terms, out.clone());
                    stream.read().await?
                }
                DeliveryOrder::Unspecified => {
                    let options = SliceReaderOptions {
                        concurrency: self.concurrency,
                        max_records: self.slice_records,
                        backfill: self.backfill,
                        query: plan.query.clone(),
                    };
                    SliceReader::new(reader, window, options, out.clone()).read().await?
                }
            };
            if reached != FetchOutcome::Complete {
                return Ok(reached);
            }
        }
        Ok(FetchOutcome::Complete)
    }

    /// Requests one page of the last hour, to see whether the source responds.
    ///
    /// # Errors
    /// Why it does not respond.
    pub async fn probe(&self, now: Timestamp) -> Result<(), Failure> {
        let window = Window { from: before(now, PROBE_LOOKBACK), to: Some(now) };
        self.reader.page(&window, &PageLocator::Start).await.map(|_| ())
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "cursor_check_tests.rs"]
mod cursor_check_tests;

#[cfg(test)]
#[path = "prefetch_tests.rs"]
mod prefetch_tests;

#[cfg(test)]
#[path = "prefetch_odd_tests.rs"]
mod prefetch_odd_tests;

#[cfg(test)]
#[path = "paging_server.rs"]
mod paging_server;

#[cfg(test)]
#[path = "paging_tests.rs"]
mod paging_tests;

#[cfg(test)]
#[path = "workspace_tests.rs"]
mod workspace_tests;
