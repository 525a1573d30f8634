//! The types that the readers of this folder share: what they hand on, how they end, and why they
//! fail.

use crate::fetch::pagination::PagingLoop;
use crate::http::failure::Failure;
use crate::model::event::UserProfiles;
use crate::model::record::{Fingerprint, Record};
use crate::model::time::Timestamp;
use crate::state::checkpoint::{OpenQuery, OpenWindow};

/// Records that one slice may hold in memory, three megabytes of typical ones. As many slices are
/// in memory as are read at once.
pub const SLICE_RECORDS: usize = 3_000;

/// Readings of a slice whose records change meanwhile, before the run ends there.
pub const SLICE_READS: u32 = 4;

/// Empty pages with a new cursor in a row, in a window whose end must be seen because no later pull
/// will read it: two minutes of the quota.
pub const EMPTY_PAGES_BOUNDED: u32 = 100;

/// What a reader hands to the writer.
#[derive(Debug)]
pub enum FetchMessage {
    /// The next records, oldest first.
    Records {
        /// The records.
        records: Vec<Record>,
        /// When the page was received.
        received: Timestamp,
        /// Names of the users in them, where these are looked up.
        users: UserProfiles,
        /// Index of their window in the plan.
        window: usize,
        /// The window after they are committed; `None` when it is complete.
        window_after: Option<OpenWindow>,
        /// False if the same records will be requested again after a restart.
        advances: bool,
    },
    /// The records after this may have been written before.
    RereadStarted,
    /// The server began again where its log begins: this run has no use for what lies before
    /// `since`.
    LogRestarted {
        /// Where the history of the pulls begins.
        since: Timestamp,
    },
    /// An event query was created, whose results will be read.
    QueryStarted(OpenQuery),
    /// The server refused the start of the window, because it keeps nothing that old.
    WindowShortened {
        /// The new start of the window.
        from: Timestamp,
    },
}

/// Why a window could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A request failed for good.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The pages lead in a loop.
    #[error(transparent)]
    PagingLoop(#[from] PagingLoop),
    /// The server ignores the requested time range, and returns more than can be sorted here.
    #[error("the server returns records from outside the requested time range")]
    IgnoresDates,
    /// Only empty pages, each with a new cursor, in a window that must have an end.
    #[error("the server gave {EMPTY_PAGES_BOUNDED} empty pages in a row and no end")]
    EndlessEmptyPages,
    /// The slice changed during each reading.
    #[error(
        "records kept arriving while a span of time was read {SLICE_READS} times, \
         so some of it may be missing"
    )]
    SliceKeptChanging {
        /// Whether its records were written all the same.
        is_written: bool,
    },
    /// One instant holds more records than the server lets us page through.
    #[error("the records of {at} cannot be read to their end: {failure}")]
    InstantTooLarge {
        /// The instant, with the resolution of the API: a millisecond or a second.
        at: String,
        /// Why the next page could not be read.
        failure: Box<Failure>,
    },
    /// `pagingInfo` can be read in two ways, one of which would lose events of this instant.
    #[error("the server's cursor and its offset lead to different pages of the events of {at}")]
    UnclearPaging {
        /// The instant, with the resolution of the API.
        at: String,
    },
    /// Nothing says whether a full page was all: it names no next one, and its events are of one
    /// instant, so that no time parts them.
    #[error(
        "the events of {at} fill a page that names no next one, so some of them may be missing"
    )]
    UnclearEnd {
        /// The instant, with the resolution of the API.
        at: String,
    },
    /// A prefetching task panicked.
    #[error("a task of the run died")]
    TaskDied,
}

/// How a reading without an error ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchOutcome {
    /// Everything was read.
    Complete,
    /// Only empty pages came in the end, each with a new cursor. More may follow after them; the
    /// next pull resumes there.
    EmptyPages,
    /// The writer has stopped.
    ReceiverClosed,
}

/// Identity and content of a record: what makes two records the same one.
pub type RecordKey = (Fingerprint, u64);

/// The key of `record`.
pub fn record_key(record: &Record) -> RecordKey {
    (record.identity(), record.doc.content_hash())
}
