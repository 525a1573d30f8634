//! Reads a window of a source whose order is not documented: in time slices, each read whole,
//! sorted and handed on, so that the output is oldest first however long the window is. See
//! `docs/design.md`, section 7.
//!
//! If the server is slow, several slices are read at once. They are still handed on in order, and
//! the window resumes after the last one that was handed on: slices after it are only in memory.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use crate::config::settings::BackfillMode;
use crate::fetch::background_task::BackgroundTask;
use crate::fetch::event_query::{BACKFILL_SPAN, QueryRunner};
use crate::fetch::page_reader::PageReader;
use crate::fetch::paging_facts::PagingFacts;
use crate::fetch::segment_queue::{QueuedSegment, RecordDensity, SegmentQueue, TimeRange};
use crate::fetch::slice_pages::SlicePager;
use crate::fetch::slice_progress::{SliceContents, SliceResult};
use crate::fetch::slice_scan::{PageOrder, gathered, sort_oldest_first};
use crate::fetch::types::{FetchError, FetchMessage, FetchOutcome};
use crate::http::client::Transport;
use crate::model::time::Timestamp;
use crate::source::{DuplicateNumbering, RecordIdentity};
use crate::state::checkpoint::{OpenQuery, OpenWindow};

/// How the windows of a source are read in slices.
#[derive(Debug, Clone)]
pub struct SliceReaderOptions {
    /// Slices that may be read at once.
    pub concurrency: usize,
    /// Records that one slice may hold in memory.
    pub max_records: usize,
    /// Whether long windows are read by event queries, where the API has such.
    pub backfill: BackfillMode,
    /// The event query of the last run, whose results were not read.
    pub query: Option<OpenQuery>,
}

/// The reading of one window.
pub struct SliceReader<T> {
    reader: Arc<PageReader<T>>,
    index: usize,
    open: OpenWindow,
    end: Timestamp,
    options: SliceReaderOptions,
    density: RecordDensity,
    /// What the slices have learnt about the server's paging.
    facts: Arc<PagingFacts>,
    /// Notified when a slice was read.
    done: Arc<Notify>,
    out: mpsc::Sender<FetchMessage>,
}

/// A slice that is being read, or was.
enum SliceState {
    Reading(TimeRange, BackgroundTask<Result<SliceResult, FetchError>>),
    Complete(TimeRange, SliceContents),
    Failed(FetchError),
}

impl SliceState {
    fn is_active(&self) -> bool {
        matches!(self, SliceState::Reading(_, task) if !task.is_done())
    }
}

impl<T: Transport + 'static> SliceReader<T> {
    /// The reading of window `index`, in the state `open`.
    pub fn new(
        reader: Arc<PageReader<T>>,
        (index, open): (usize, OpenWindow),
        options: SliceReaderOptions,
        out: mpsc::Sender<FetchMessage>,
    ) -> SliceReader<T> {
        SliceReader {
            end: open.to.unwrap_or_else(chrono::Utc::now),
            reader,
            index,
            open,
            options,
            density: RecordDensity::default(),
            facts: Arc::default(),
            done: Arc::default(),
            out,
        }
    }

    /// Reads it to its end.
    ///
    /// # Errors
    /// What was read before is handed on all the same.
    pub async fn read(mut self) -> Result<FetchOutcome, FetchError> {
        let mut slices = self.unread();
        loop {
            slices.replace_started(|slice| self.settle(slice));
            self.begin(&mut slices);
            let (span, read) = match slices.pop_front() {
                Some(QueuedSegment::Started(SliceState::Complete(span, read))) => (span, read),
                Some(QueuedSegment::Started(SliceState::Failed(error))) => return Err(error),
                Some(QueuedSegment::Started(reading)) => {
                    slices.push_front_started(reading);
                    self.done.notified().await;
                    continue;
                }
                // The first of what is left is always begun.
                Some(QueuedSegment::Unread(_)) | None => return Ok(FetchOutcome::Complete),
            };
            let is_steady = read.is_steady;
            // An export stays as it is written: what a later run reads again of this slice cannot
            // be put before what follows.
            let is_written = is_steady || !self.reader.is_evidence();
            if is_written && !self.hand_on(span, read).await? {
                return Ok(FetchOutcome::ReceiverClosed);
            }
            if !is_steady {
                return Err(FetchError::SliceKeptChanging { is_written });
            }
        }
    }

    /// The whole window; the event query of the last run is a slice of its own.
    fn unread(&self) -> SegmentQueue<SliceState> {
        let (from, end) = (self.open.from, self.end);
        let query = self.options.query.as_ref().map(|query| (query.from, query.to));
        let query = query.filter(|(start, to)| from <= *start && start < to && *to <= end);
        let (start, to) = query.unwrap_or((from, end));
        let mut slices = SegmentQueue::new(to, end, self.reader.source.grain());
        slices.push_front_unread(TimeRange { from: start, to });
        slices.push_front_unread(TimeRange { from, to: start });
        slices
    }

    /// Runs event queries for the slices of a long window.
    fn query_runner(&self) -> Option<QueryRunner<T>> {
        let is_long = (self.end - self.open.from).to_std().is_ok_and(|span| span >= BACKFILL_SPAN);
        let is_wanted = match self.options.backfill {
            BackfillMode::Auto | BackfillMode::Query => is_long || self.options.query.is_some(),
            BackfillMode::Pages => false,
        };
        Some(QueryRunner {
            queries: self.reader.source.queries().filter(|_| is_wanted)?,
            reader: self.reader.clone(),
            mode: self.options.backfill,
            resumed: self.options.query.clone(),
            out: self.out.clone(),
        })
    }

    /// Starts the first slice, and as many others as the limits allow.
    fn begin(&self, slices: &mut SegmentQueue<SliceState>) {
        loop {
            let active = slices.started().filter(|(_, slice)| slice.is_active()).count();
            // Nothing after a failure is handed on.
            let has_failed =
                slices.started().any(|(_, slice)| matches!(slice, SliceState::Failed(_)));
            let may = active < self.max_active()
                && self.reader.memory_budget.has_compressed_space()
                && !has_failed;
            // The first is the whole window: most are small, and it shows how dense the records
            // are.
            let most = self.facts.max_records(self.options.max_records);
            let is_query = |query: &OpenQuery| slices.unread_from() == Some(query.from);
            let width = match self.options.query.as_ref().is_some_and(is_query) {
                true => None,
                false => self.density.span_for(most.saturating_mul(3) / 4),
            };
            if !slices.start_next(may, width, |span| self.start(span)) {
                return;
            }
        }
    }

    /// Settles a slice that was read: if it holds too much, into the part that is still to be read
    /// and, after it, the part that need not be read again.
    fn settle(&mut self, slice: SliceState) -> [Option<QueuedSegment<SliceState>>; 2] {
        let (span, task) = match slice {
            SliceState::Reading(span, task) if task.is_done() => (span, task),
            other => return [Some(QueuedSegment::Started(other)), None],
        };
        match task.into_result().unwrap_or(Err(FetchError::TaskDied)) {
            Err(error) => [Some(QueuedSegment::Started(SliceState::Failed(error))), None],
            Ok(SliceResult::Whole(read)) => {
                self.density.observe(read.records, span.width());
                [Some(QueuedSegment::Started(SliceState::Complete(span, read))), None]
            }
            Ok(SliceResult::TooLarge(cut)) => {
                let older = TimeRange { to: cut.edge.at, ..span };
                let newer = TimeRange { from: cut.edge.at, ..span };
                let (read, unread) = match cut.edge.order {
                    PageOrder::NewestFirst => (newer, older),
                    PageOrder::OldestFirst => (older, newer),
                };
                self.density.observe(cut.records, read.width());
                let has_space = self.reader.memory_budget.has_compressed_space();
                let contents = cut.read.filter(|_| has_space);
                let read = match contents {
                    Some(contents) => QueuedSegment::Started(SliceState::Complete(read, contents)),
                    None => QueuedSegment::Unread(read),
                };
                let unread = QueuedSegment::Unread(unread);
                match cut.edge.order {
                    PageOrder::NewestFirst => [Some(unread), Some(read)],
                    PageOrder::OldestFirst => [Some(read), Some(unread)],
                }
            }
        }
    }

    fn max_active(&self) -> usize {
        match self.reader.is_slow() {
            true => self.options.concurrency,
            false => 1,
        }
    }

    fn start(&self, span: TimeRange) -> SliceState {
        let reading = SlicePager {
            reader: self.reader.clone(),
            facts: self.facts.clone(),
            span,
            max_records: self.options.max_records,
            is_probe: self.density.span_for(1).is_none(),
            runner: self.query_runner(),
        };
        let work = async move { reading.read().await };
        SliceState::Reading(span, BackgroundTask::start(&self.reader.tasks, &self.done, work))
    }

    /// Hands on the records of a slice; false if the receiver is gone. A slice that changed in each
    /// reading is read again by the next run.
    async fn hand_on(&self, span: TimeRange, read: SliceContents) -> Result<bool, FetchError> {
        let from = if read.is_steady { span.to } else { span.from };
        let window_after = (from < self.end).then_some(OpenWindow {
            from,
            to: Some(self.end),
            cursor: None,
            rereads: self.open.rereads,
            read_by_time: None,
        });
        // Decompressed only when everything before was taken: a slice is several pages.
        let Ok(mut slots) = self.out.reserve_many(self.out.max_capacity()).await else {
            return Ok(false);
        };
        let received = read.pages.last().map(|page| page.at);
        let permit = self.reader.memory_budget.take(read.pages.len()).await;
        let pages = read.pages.into_iter();
        let pages = pages.map(|page| Ok(self.reader.decompress_page(page, &permit)?.records));
        let pages = pages.collect::<Result<_, FetchError>>()?;
        let identity = self.reader.source.identity();
        let keeps_equal_records = identity == RecordIdentity::Content && read.is_steady;
        let records = gathered(pages, read.edge, identity, keeps_equal_records);
        let mut records = sort_oldest_first(records, &span);
        if identity == RecordIdentity::Content {
            let mut numbering = DuplicateNumbering::default();
            records.iter_mut().for_each(|record| numbering.number_duplicate(record));
        }
        let message = FetchMessage::Records {
            users: self.reader.users_of(&records).await,
            records,
            received: received.unwrap_or_else(chrono::Utc::now),
            window: self.index,
            window_after,
            advances: read.is_steady,
        };
        if let Some(slot) = slots.next() {
            slot.send(message);
        }
        Ok(true)
    }
}
