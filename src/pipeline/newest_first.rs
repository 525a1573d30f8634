//! Owns the reading of a window of a source that delivers newest first: in time slices, each read
//! whole, sorted and handed on, so that the output is oldest first however long the window.
//!
//! Where the server is slow, several slices are read at once. They are handed on in order all the
//! same, so the window stands behind the last one that was: what is read beyond it is only in memory.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

use crate::http::client::Transport;
use crate::model::record::Record;
use crate::model::time::Timestamp;
use crate::pipeline::collected::{Collected, oldest_first};
use crate::pipeline::density::Density;
use crate::pipeline::fetch::{Delivery, FetchError, Reached};
use crate::pipeline::parts::{Part, Parts, Span};
use crate::pipeline::reader::Reader;
use crate::pipeline::task::Task;
use crate::source::Place;
use crate::state::checkpoint::OpenWindow;

/// Times that a slice is read because the log changed beneath it, before the run ends there.
pub(super) const SLICE_READS: u32 = 4;

/// Slices that are held read beyond those that may be read at once, before what was read is dropped
/// to be read again: each was cut off from one that held too much.
const HELD: usize = 2;

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
    done: Arc<Notify>,
    out: mpsc::Sender<Delivery>,
}

/// A slice that is being read, or was.
enum Slice {
    Asked(Span, Task<Result<Found, FetchError>>),
    Held(Span, Read),
}

/// The records of a slice.
#[derive(Debug)]
struct Read {
    newest_first: Vec<Record>,
    received: Timestamp,
    /// Whether the slice stood still meanwhile.
    is_steady: bool,
}

/// Where a slice is cut.
#[derive(Debug)]
struct Cut {
    at: Timestamp,
    /// How many records lie about behind it.
    newer: usize,
    /// What lies from there on, where that is sure to be all.
    newest: Option<Read>,
}

impl Read {
    /// What came just now.
    fn now(newest_first: Vec<Record>, is_steady: bool) -> Read {
        Read {
            newest_first,
            received: chrono::Utc::now(),
            is_steady,
        }
    }
}

/// What a slice turned out to hold.
#[derive(Debug)]
enum Found {
    /// All of it.
    Whole(Read),
    /// More than fits.
    TooMuch(Cut),
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
        let mut parts = Parts::new(self.open.from, self.end);
        loop {
            // The first is the whole window: most are small, and it tells how dense the records lie.
            let width = self.density.span_of(self.most * 2 / 3);
            while parts.begin(self.may_begin(&parts), width, |span| self.ask(span)) {}
            let Some(Part::Begun(slice)) = parts.take() else {
                return Ok(Reached::End);
            };
            let (span, found) = match slice {
                Slice::Held(span, read) => (span, Found::Whole(read)),
                Slice::Asked(span, task) => (
                    span,
                    self.told(span, task.await.map_err(|_| FetchError::Died)??),
                ),
            };
            match found {
                Found::TooMuch(cut) => self.cut(&mut parts, span, cut),
                Found::Whole(read) => {
                    let is_steady = read.is_steady;
                    if !self.hand_on(span, read).await {
                        return Ok(Reached::Unheard);
                    }
                    if !is_steady {
                        return Err(FetchError::Unsteady);
                    }
                }
            }
        }
    }

    fn at_once(&self) -> usize {
        match self.reader.is_slow() {
            true => self.concurrency,
            false => 1,
        }
    }

    fn may_begin(&self, parts: &Parts<Slice>) -> bool {
        parts.begun().count() < self.at_once()
    }

    fn ask(&self, span: Span) -> Slice {
        let (reader, most) = (self.reader.clone(), self.most);
        Slice::Asked(
            span,
            Task::start(&self.done, async move { read(&reader, span, most).await }),
        )
    }

    /// Takes note of how dense the records lie in what was found.
    fn told(&mut self, span: Span, found: Found) -> Found {
        match &found {
            Found::Whole(read) => self.density.saw(read.newest_first.len(), span.width()),
            Found::TooMuch(cut) => self.density.saw(cut.newer, span.to - cut.at),
        }
        found
    }

    /// Puts back what lies before the cut, and behind it what does not need to be read again.
    fn cut(&self, parts: &mut Parts<Slice>, span: Span, cut: Cut) {
        let newer = Span {
            from: cut.at,
            ..span
        };
        match cut
            .newest
            .filter(|_| parts.begun().count() < self.at_once() + HELD)
        {
            Some(read) => parts.put_back_begun(Slice::Held(newer, read)),
            None => parts.put_back(newer),
        }
        parts.put_back(Span { to: cut.at, ..span });
    }

    /// Hands the records of a slice on; false when nobody takes them. One that never stood still stays
    /// to be read again by the next run.
    async fn hand_on(&self, span: Span, read: Read) -> bool {
        let from = if read.is_steady { span.to } else { span.from };
        let then = (from < self.end).then_some(OpenWindow {
            from,
            to: Some(self.end),
            cursor: None,
            rereads: self.open.rereads,
        });
        let delivery = Delivery::Records {
            records: oldest_first(read.newest_first, &span),
            received: read.received,
            window: self.index,
            then,
            passed: read.is_steady,
        };
        self.out.send(delivery).await.is_ok()
    }
}

/// Reads one slice. Where a record comes twice, the log grew inside the slice while it was paged
/// through, and another may have slipped past: it is read again.
async fn read<T: Transport>(
    reader: &Reader<T>,
    span: Span,
    most: usize,
) -> Result<Found, FetchError> {
    let mut reads = 1;
    loop {
        let found = read_once(reader, span, most).await?;
        let is_unsteady = matches!(&found, Found::Whole(read) if !read.is_steady);
        if !is_unsteady || reads == SLICE_READS {
            return Ok(found);
        }
        reads += 1;
        tracing::info!("records arrived while a slice was read; reading it again");
    }
}

/// Reads a slice until it is whole, or more than `most` records were found and it can be cut.
async fn read_once<T: Transport>(
    reader: &Reader<T>,
    span: Span,
    most: usize,
) -> Result<Found, FetchError> {
    let mut collected = Collected::new();
    let mut place = Place::Start;
    loop {
        let page = reader.page(&span.window(), &place).await?;
        collected.add(page.records)?;
        let Some(next) = page.next else {
            let is_steady = collected.is_steady;
            return Ok(Found::Whole(Read::now(collected.records, is_steady)));
        };
        place = next;
        if collected.is_over(most)
            && let Some(at) = collected.cut(&span)?
        {
            let newer = collected.records.len();
            let newest = collected.since(at).map(|newest| Read::now(newest, true));
            return Ok(Found::TooMuch(Cut { at, newer, newest }));
        }
    }
}
