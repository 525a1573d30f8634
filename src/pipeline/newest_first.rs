//! Owns the reading of a window of a source that delivers newest first: in time slices, each read
//! whole, sorted and handed on, so that the output is oldest first however long the window.
//!
//! Where the server is slow, several slices are read at once. They are handed on in order all the
//! same, so the window stands behind the last one that was: what is read beyond it is only in memory.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use crate::http::client::Transport;
use crate::model::time::Timestamp;
use crate::pipeline::collected::{gathered, oldest_first};
use crate::pipeline::density::Density;
use crate::pipeline::fetch::{Delivery, FetchError, Reached};
use crate::pipeline::paging_facts::PagingFacts;
use crate::pipeline::parts::{Part, Parts, Span};
use crate::pipeline::reader::Reader;
use crate::pipeline::slice_pages::{Found, Read, Reading};
use crate::pipeline::task::Task;
use crate::source::{Identity, Numbering};
use crate::state::checkpoint::OpenWindow;

/// The reading of one window.
pub struct Slices<T> {
    reader: Arc<Reader<T>>,
    index: usize,
    open: OpenWindow,
    end: Timestamp,
    /// Slices that may be read at once.
    concurrency: usize,
    /// Records that one slice may hold in memory.
    most: usize,
    density: Density,
    /// What the slices have learnt about the server's paging.
    facts: Arc<PagingFacts>,
    /// Told when a slice was read.
    done: Arc<Notify>,
    out: mpsc::Sender<Delivery>,
}

/// A slice that is being read, or was.
enum Slice {
    Asked(Span, Task<Result<Found, FetchError>>),
    Held(Span, Read),
    Failed(FetchError),
}

impl Slice {
    fn is_active(&self) -> bool {
        matches!(self, Slice::Asked(_, task) if !task.is_done())
    }
}

impl<T: Transport + 'static> Slices<T> {
    /// The reading of window `index`, which stands as `open` says.
    pub fn new(
        reader: Arc<Reader<T>>,
        (index, open): (usize, OpenWindow),
        concurrency: usize,
        most: usize,
        out: mpsc::Sender<Delivery>,
    ) -> Slices<T> {
        Slices {
            end: open.to.unwrap_or_else(chrono::Utc::now),
            reader,
            index,
            open,
            concurrency,
            most,
            density: Density::default(),
            facts: Arc::default(),
            done: Arc::default(),
            out,
        }
    }

    /// Reads it to its end.
    ///
    /// # Errors
    /// What was read before is handed on all the same.
    pub async fn read(mut self) -> Result<Reached, FetchError> {
        let mut parts = Parts::new(self.open.from, self.end, self.reader.source.grain());
        loop {
            parts.rework(|slice| self.settled(slice));
            self.begin(&mut parts);
            let (span, read) = match parts.take() {
                Some(Part::Begun(Slice::Held(span, read))) => (span, read),
                Some(Part::Begun(Slice::Failed(error))) => return Err(error),
                Some(Part::Begun(asked)) => {
                    parts.put_back_begun(asked);
                    self.done.notified().await;
                    continue;
                }
                // The first of what is left is always begun.
                Some(Part::Unread(_)) | None => return Ok(Reached::End),
            };
            let is_steady = read.is_steady;
            // Evidence stays as it is written: what a later run reads of it once more has no place behind it.
            let is_written = is_steady || !self.reader.is_evidence();
            if is_written && !self.hand_on(span, read).await? {
                return Ok(Reached::Unheard);
            }
            if !is_steady {
                return Err(FetchError::Unsteady { is_written });
            }
        }
    }

    /// Begins what comes first, and as many other slices as there are tasks to spare.
    fn begin(&self, parts: &mut Parts<Slice>) {
        loop {
            let active = parts.begun().filter(|(_, slice)| slice.is_active()).count();
            // Nothing is handed on behind a failure.
            let has_failed = parts
                .begun()
                .any(|(_, slice)| matches!(slice, Slice::Failed(_)));
            let may = active < self.at_once() && self.reader.room.has_room_packed() && !has_failed;
            // The first is the whole window: most are small, and it tells how dense the records lie.
            let most = self.facts.most_records(self.most);
            let width = self.density.span_of(most.saturating_mul(3) / 4);
            if !parts.begin(may, width, |span| self.ask(span)) {
                return;
            }
        }
    }

    /// What becomes of a slice: where it was asked for and held too much, the part that is still to be
    /// read, and behind it what does not need to be read again.
    fn settled(&mut self, slice: Slice) -> [Option<Part<Slice>>; 2] {
        let (span, task) = match slice {
            Slice::Asked(span, task) if task.is_done() => (span, task),
            other => return [Some(Part::Begun(other)), None],
        };
        match task.result().unwrap_or(Err(FetchError::Died)) {
            Err(error) => [Some(Part::Begun(Slice::Failed(error))), None],
            Ok(Found::Whole(read)) => {
                self.density.saw(read.records, span.width());
                [Some(Part::Begun(Slice::Held(span, read))), None]
            }
            Ok(Found::TooMuch(cut)) => {
                self.density.saw(cut.newer, span.to - cut.at);
                let (from, to) = (cut.at, cut.at);
                let older = Part::Unread(Span { to, ..span });
                let newer = Span { from, ..span };
                let newer = match cut.newest.filter(|_| self.reader.room.has_room_packed()) {
                    Some(read) => Part::Begun(Slice::Held(newer, read)),
                    None => Part::Unread(newer),
                };
                [Some(older), Some(newer)]
            }
        }
    }

    fn at_once(&self) -> usize {
        match self.reader.is_slow() {
            true => self.concurrency,
            false => 1,
        }
    }

    fn ask(&self, span: Span) -> Slice {
        let reading = Reading {
            reader: self.reader.clone(),
            facts: self.facts.clone(),
            span,
            most: self.most,
            is_probe: self.density.span_of(1).is_none(),
        };
        let work = async move { reading.steady().await };
        Slice::Asked(span, Task::start(&self.reader.tasks, &self.done, work))
    }

    /// Hands the records of a slice on; false when nobody takes them. One that never stood still stays
    /// to be read again by the next run.
    async fn hand_on(&self, span: Span, read: Read) -> Result<bool, FetchError> {
        let from = if read.is_steady { span.to } else { span.from };
        let then = (from < self.end).then_some(OpenWindow {
            from,
            to: Some(self.end),
            cursor: None,
            rereads: self.open.rereads,
            read_by_time: None,
        });
        // Unpacked only when all before it was taken: a slice is several pages.
        let Ok(mut places) = self.out.reserve_many(self.out.max_capacity()).await else {
            return Ok(false);
        };
        let received = read.pages.last().map(|page| page.at);
        let share = self.reader.room.take(read.pages.len()).await;
        let pages = read.pages.into_iter();
        let pages = pages.map(|page| Ok(self.reader.page_of(page, &share)?.records));
        let pages = pages.collect::<Result<_, FetchError>>()?;
        let identity = self.reader.source.identity();
        let is_each_one =
            identity == Identity::Content && read.is_steady && !read.repeats_are_overlap;
        let records = gathered(pages, read.since, identity, is_each_one);
        let mut records = oldest_first(records, &span);
        if identity == Identity::Content {
            let mut numbering = Numbering::default();
            records
                .iter_mut()
                .for_each(|record| numbering.number(record));
        }
        let delivery = Delivery::Records {
            people: self.reader.people_of(&records).await,
            records,
            received: received.unwrap_or_else(chrono::Utc::now),
            window: self.index,
            then,
            passed: read.is_steady,
        };
        if let Some(place) = places.next() {
            place.send(delivery);
        }
        Ok(true)
    }
}
