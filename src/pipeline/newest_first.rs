//! Owns the reading of a window of a source that delivers newest first: in time slices, each read
//! whole, sorted and handed on, so that the output is oldest first however long the window.
//!
//! Where the server is slow, several slices are read at once. They are handed on in order all the
//! same, so the window stands behind the last one that was: what is read beyond it is only in memory.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use crate::http::client::Transport;
use crate::model::time::Timestamp;
use crate::pipeline::collected::{Collected, gathered, oldest_first};
use crate::pipeline::density::Density;
use crate::pipeline::fetch::{Delivery, FetchError, Reached};
use crate::pipeline::packed::Packed;
use crate::pipeline::parts::{Part, Parts, Span};
use crate::pipeline::reader::Reader;
use crate::pipeline::task::Task;
use crate::source::{Identity, Numbering, Place};
use crate::state::checkpoint::OpenWindow;

/// Times that a slice is read because the log changed beneath it, before the run ends there.
pub(super) const SLICE_READS: u32 = 4;

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

/// The pages of a slice.
#[derive(Debug)]
struct Read {
    pages: Vec<Packed>,
    /// Where it begins that was cut off from a larger one.
    since: Option<Timestamp>,
    records: usize,
    /// Whether the slice stood still meanwhile.
    is_steady: bool,
    /// What it said.
    digest: u64,
    /// Whether it came newest first throughout.
    is_sorted: bool,
}

/// What a slice turned out to hold.
#[derive(Debug)]
enum Found {
    /// All of it.
    Whole(Read),
    /// More than fits.
    TooMuch(Cut),
}

/// Where a slice is cut.
#[derive(Debug)]
struct Cut {
    at: Timestamp,
    /// About as many records lie behind it.
    newer: usize,
    /// What lies from there on, where that is sure to be all.
    newest: Option<Read>,
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
            let width = self.density.span_of(self.most * 3 / 4);
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
        let is_each_one = identity == Identity::Content && read.is_steady;
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

/// The reading of one slice.
struct Reading<T> {
    reader: Arc<Reader<T>>,
    span: Span,
    /// Records that a slice may hold.
    most: usize,
    /// Nobody knows yet how dense the records lie.
    is_probe: bool,
}

impl<T: Transport> Reading<T> {
    /// Where a record comes twice, the log grew inside the slice while it was paged through, and another
    /// may have slipped past: it is read again.
    ///
    /// Where records have no id of their own, two equal ones on two pages may be two: they are, if the slice
    /// reads the same a second time, and they stand where equal ones must: beside each other.
    async fn steady(&self) -> Result<Found, FetchError> {
        let (mut reads, mut last) = (1, None);
        loop {
            let mut found = self.once().await?;
            let Found::Whole(read) = &mut found else {
                return Ok(found);
            };
            let is_content = self.reader.source.identity() == Identity::Content;
            if is_content && read.is_sorted && last == Some(read.digest) {
                read.is_steady = true;
            }
            if read.is_steady || reads == SLICE_READS {
                return Ok(found);
            }
            last = Some(read.digest);
            reads += 1;
            tracing::info!("records arrived while a slice was read; reading it again");
        }
    }

    /// Reads until the slice is whole, or more records were found than it may hold and it can be cut.
    async fn once(&self) -> Result<Found, FetchError> {
        let mut collected = {
            let source = &self.reader.source;
            Collected::new(source.identity(), source.grain())
        };
        let (mut pages, mut place) = (Vec::new(), Place::Start);
        loop {
            let window = self.span.window();
            let (page, body) = self.reader.page_and_body(&window, &place).await?;
            pages.push(Packed::new(place, &body, &self.reader.room));
            collected.add(&page.records, &self.span)?;
            let read = |pages, since| Read {
                pages,
                since,
                records: collected.records,
                is_steady: collected.is_steady(),
                digest: collected.digest(),
                is_sorted: collected.is_sorted(),
            };
            let Some(next) = page.next else {
                return Ok(Found::Whole(read(pages, None)));
            };
            place = next;
            if collected.is_over(self.most_now())
                && let Some(at) = collected.cut(&self.span)?
            {
                let newer = collected.records;
                let is_all = collected.holds_all_since(at);
                let newest = is_all.then(|| read(pages, Some(at)));
                return Ok(Found::TooMuch(Cut { at, newer, newest }));
            }
        }
    }

    /// Where several tasks can share the work, one page is enough to see how it lies.
    fn most_now(&self) -> usize {
        match self.is_probe && self.reader.is_slow() {
            true => 0,
            false => self.most,
        }
    }
}
