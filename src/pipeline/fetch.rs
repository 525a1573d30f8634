//! Owns the reading of a plan's windows: hands records on, in order, together with where the window
//! stands after them.
//!
//! Runs ahead of the writing by the capacity of the channel, and stops when nobody listens. How a
//! window is read depends on the order in which its source delivers: see [`CursorReader`] and [`SliceReader`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::model::user_profiles::UserProfiles;
use crate::model::record::Record;
use crate::model::time::{Timestamp, Window, before};
use crate::pipeline::cursor_reader::{CursorReader, CursorReaderOptions, EMPTY_PAGES_BOUNDED};
use crate::pipeline::pagination::PagingLoop;
use crate::pipeline::plan::{CursorCheck, ReadPlan};
use crate::pipeline::reader::PageReader;
use crate::pipeline::slice_pages::SLICE_READS;
use crate::pipeline::slice_reader::SliceReader;
use crate::source::{DeliveryOrder, PageLocator};
use crate::state::checkpoint::OpenWindow;

/// Records that one time slice may hold in memory, and as many slices as are read at once: about three
/// megabytes each.
pub const SLICE_RECORDS: usize = 3_000;

/// How far back a probe asks.
const PROBE_LOOKBACK: Duration = Duration::from_secs(60 * 60);

/// What the fetcher hands on.
#[derive(Debug)]
pub enum FetchMessage {
    /// The next records, oldest first.
    Records {
        /// The records.
        records: Vec<Record>,
        /// When they were received.
        received: Timestamp,
        /// Whom they may mean, where that was looked up.
        users: UserProfiles,
        /// Which window of the plan they belong to.
        window: usize,
        /// How the window stands when they are written; nothing when it is done.
        window_after: Option<OpenWindow>,
        /// Whether it will go on behind them: false when they will be asked for again.
        advances: bool,
    },
    /// What follows may have been written before.
    RereadStarted,
    /// The server keeps nothing from before `from`, and refused to be asked for it.
    WindowShortened {
        /// Where the window begins now.
        from: Timestamp,
    },
}

/// Why a window could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A request was given up.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The server led in a circle.
    #[error(transparent)]
    PagingLoop(#[from] PagingLoop),
    /// The server gives records of other times than asked for, and more than can be sorted here.
    #[error("the server returns records from outside the requested time range")]
    IgnoresDates,
    /// Page after page was empty, each with a new cursor, in a window that must have an end.
    #[error("the server gave {EMPTY_PAGES_BOUNDED} empty pages in a row and no end")]
    EndlessEmptyPages,
    /// Each reading of a slice met records that had arrived meanwhile.
    #[error(
        "records kept arriving while a span of time was read {SLICE_READS} times, so some of it may be missing"
    )]
    SliceKeptChanging {
        /// Whether what it met is written all the same.
        is_written: bool,
    },
    /// The records of one instant are more than the server lets be paged through.
    #[error("the records of {at} cannot be read to their end: {failure}")]
    InstantTooLarge {
        /// The instant, as the API's dates tell it: a millisecond, or a second.
        at: String,
        /// Why the next page could not be read.
        failure: Box<Failure>,
    },
    /// What `pagingInfo` of one instant's events says can be read in two ways, and one of them loses events.
    #[error("the server's cursor and its offset lead to different pages of the events of {at}")]
    UnclearPaging {
        /// The instant, as the API's dates tell it.
        at: String,
    },
    /// A task that read ahead died.
    #[error("a task of the run died")]
    TaskDied,
}

/// How far a reading came that met no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchOutcome {
    /// Everything there is was read.
    Complete,
    /// Only empty pages came at last, each with a new cursor: more may lie behind them, and the next
    /// pull goes on from there.
    EmptyPages,
    /// Nobody takes the records any more.
    ReceiverClosed,
}

/// Reads one source.
pub struct Fetcher<T> {
    /// Asks for its pages.
    pub reader: Arc<PageReader<T>>,
    /// Parts of a window that are read at once, where that pays.
    pub concurrency: usize,
    /// Records that one time slice may hold; [`SLICE_RECORDS`] but for tests.
    pub slice_records: usize,
}

impl<T: Transport + 'static> Fetcher<T> {
    /// Reads the windows of `plan` to their ends into `out`; `check` says when a cursor is doubted.
    ///
    /// # Errors
    /// What was read before is handed on all the same.
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
                DeliveryOrder::NewestFirst => {
                    let (at_once, most) = (self.concurrency, self.slice_records);
                    let slices = SliceReader::new(reader, window, at_once, most, out.clone());
                    slices.read().await?
                }
            };
            if reached != FetchOutcome::Complete {
                return Ok(reached);
            }
        }
        Ok(FetchOutcome::Complete)
    }

    /// Asks for one page of the last hour, to see whether the source answers.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn probe(&self, now: Timestamp) -> Result<(), Failure> {
        let window = Window {
            from: before(now, PROBE_LOOKBACK),
            to: Some(now),
        };
        self.reader
            .page(&window, &PageLocator::Start)
            .await
            .map(|_| ())
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
