//! Owns reading ahead in a source that delivers oldest first: several parts of a window are read at
//! once, each by its time and then behind its own cursors, and handed on in order.
//!
//! Nobody knows for sure whether `from` looks at the time of processing, which is the order of the
//! records, or at the time of happening: then a part would lack what was processed late. So a record
//! that tells the two apart is asked for first. And a part ends only where the next one begins with
//! the very records that the last page of the part ends with: else the server does something that we
//! do not understand, and the window is read one page after the other.
//!
//! The window stands behind the last page that was handed on, which has a cursor of the server's own:
//! what is read beyond it is only in memory.

mod cutting;
mod piece;
pub mod seam;

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::http::client::Transport;
use crate::http::failure::Failure;
use crate::pipeline::ascending::{Received, Stream, is_refused_cursor};
use crate::pipeline::fetch::{FetchError, Reached};
use crate::pipeline::packed::Packed;
use crate::pipeline::parts::{Part, Parts, Span};
use crate::source::Place;
use cutting::Cutting;
use piece::{Brought, End, Piece};
use seam::{LastPage, Seam};

/// Pages that must lie ahead, as far as can be told, before it pays.
const WORTH: usize = 4;

/// What is known of reading ahead in this window.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing yet.
    #[default]
    Untried,
    /// `from` looks at the time by which the records are sorted.
    Sound,
    /// It does not, or a seam did not hold.
    Off,
}

/// What is read ahead.
struct Reading {
    parts: Parts<Piece>,
    cutting: Cutting,
    at_once: usize,
    /// Told when a part was read.
    done: Arc<Notify>,
}

impl Reading {
    /// Leaves what lies behind a part that nothing is handed on after.
    fn drop_vain(&mut self, first: &Piece) {
        if first.ends_all() {
            return self.parts.truncate(0);
        }
        let ends_all = |(number, piece): (usize, &Piece)| piece.ends_all().then_some(number);
        let last = self.parts.begun().find_map(ends_all);
        if let Some(last) = last {
            self.parts.truncate(last + 1);
        }
    }
}

impl<T: Transport + 'static> Stream<T> {
    /// Whether several parts may be read at once, and it would be faster.
    pub(super) fn may_pay(&self) -> bool {
        self.concurrency > 1 && self.ahead != Ahead::Off && self.reader.is_slow()
    }

    /// Reads ahead of the last page, where that pays: until nothing is left of the window, or something
    /// comes that is better read one page after the other.
    pub(super) async fn read_ahead(&mut self) -> Result<Option<Reached>, FetchError> {
        let horizon = self.open.to.unwrap_or_else(chrono::Utc::now);
        let is_worth = |last: &LastPage| last.pages_until(horizon) >= WORTH;
        let Some(mut last) = self.last.take().filter(is_worth) else {
            return Ok(None);
        };
        let seam = match (self.ahead, last.witness.take()) {
            (Ahead::Sound, _) => None,
            // The first part begins before a record that tells the clocks apart, and must bring it.
            (_, Some(witness)) => Some(witness),
            // Nothing tells them apart; the next page may.
            (_, None) => return Ok(None),
        };
        let at_once = self.concurrency.min(self.reader.needed_at_once());
        let from = seam.as_ref().map_or(last.last, |seam| seam.at);
        let reading = Reading {
            parts: Parts::new(from, horizon, self.reader.source.grain()),
            cutting: Cutting::new(&last, horizon, at_once),
            at_once,
            done: Arc::default(),
        };
        self.read_parts(reading, seam).await
    }

    /// Reads and hands on one part after the other, beginning at `seam`, or where the walk stands.
    async fn read_parts(
        &mut self,
        mut reading: Reading,
        mut seam: Option<Seam>,
    ) -> Result<Option<Reached>, FetchError> {
        loop {
            let place = match seam {
                Some(_) => Place::Start,
                None => self.walk.place().clone(),
            };
            self.begin(&mut reading, false, place);
            let Some(Part::Begun(mut piece)) = reading.parts.take() else {
                return Ok(None);
            };
            let mut before = seam.take();
            let end = loop {
                self.begin_others(&mut reading, &piece);
                let brought = tokio::select! {
                    brought = piece.brings.recv() => brought,
                    () = reading.done.notified() => continue,
                };
                let page = match brought {
                    Some(Brought::Page(packed)) => self.unpacked(packed).await?,
                    Some(Brought::End(end)) => break end,
                    None => return Err(FetchError::Died),
                };
                // A seam says that `from` looks at the time by which the records are sorted.
                let known = match before.take() {
                    Some(seam) if !seam.holds(&page.page.records) => return self.broken(),
                    Some(seam) => {
                        self.ahead = Ahead::Sound;
                        seam.shared
                    }
                    None => HashSet::new(),
                };
                if let Some(reached) = self.take_ahead(page, known, &mut reading.cutting).await? {
                    return Ok(Some(reached));
                }
            };
            match end {
                End::Seam(next) => seam = Some(next),
                End::Full => reading.parts.put_back(piece.left().span),
                End::Open => {
                    self.ahead = Ahead::Off;
                    return Ok(None);
                }
                End::Failed(failure) => return self.failed(failure),
            }
        }
    }

    async fn take_ahead(
        &mut self,
        page: Received,
        known: HashSet<seam::Key>,
        cutting: &mut Cutting,
    ) -> Result<Option<Reached>, FetchError> {
        let reached = self.take(page.without(known)).await?;
        if let Some(page) = &self.last {
            cutting.saw(page);
        }
        Ok(reached)
    }

    async fn unpacked(&self, packed: Packed) -> Result<Received, FetchError> {
        let (place, at) = (packed.place.clone(), packed.at);
        let share = self.reader.room.take(1).await;
        let page = self.reader.page_of(packed, &share)?;
        Ok(Received::at(place, page, at))
    }

    /// Begins what nobody reads yet where there are tasks to spare, or else takes from the part that has
    /// most left to read: beside `first`, which is handed on now.
    fn begin_others(&self, reading: &mut Reading, first: &Piece) {
        loop {
            reading.drop_vain(first);
            let active = reading.parts.begun().filter(|(_, piece)| piece.is_active());
            // The first one counts also at its end: it may have to be begun again.
            let active = active.count() + 1;
            // Beside a failure nothing is begun: what failed may be all that a server has to say.
            let has_failed = reading.parts.begun().any(|(_, piece)| piece.has_failed());
            let has_room = self.reader.room.has_room_packed();
            if active >= reading.at_once || !has_room || has_failed {
                return;
            }
            if !self.begin(reading, true, Place::Start) && !self.cut(reading, first) {
                return;
            }
        }
    }

    /// Begins the oldest part that nobody reads, if there is one.
    fn begin(&self, reading: &mut Reading, may: bool, place: Place) -> bool {
        let Reading {
            parts,
            cutting,
            done,
            ..
        } = reading;
        let width = parts.unread_from().and_then(|from| cutting.width(from));
        parts.begin(may, width, |span| {
            // The last one goes as far as there is anything.
            let end = (self.open.to, cutting.is_last(span.to));
            Piece::start(&self.reader, (span, place), end, done)
        })
    }

    /// Cuts the part in two that has most left to read, where that is worth it.
    fn cut(&self, reading: &mut Reading, first: &Piece) -> bool {
        let others = reading
            .parts
            .begun()
            .map(|(number, piece)| (Some(number), piece));
        let active = std::iter::once((None, first)).chain(others);
        let active = active.filter(|(_, piece)| piece.is_active());
        let pages_left =
            |(_, piece): &(Option<usize>, &Piece)| reading.cutting.pages_left(&piece.left());
        let Some((number, piece)) = active.max_by_key(pages_left) else {
            return false;
        };
        let left = piece.left();
        let middle = reading.cutting.middle(&left);
        let Some(middle) = middle.filter(|middle| piece.end_at(*middle, &left)) else {
            return false;
        };
        let span = Span {
            from: middle,
            ..left.span
        };
        let end = (self.open.to, left.is_last());
        let behind = Piece::start(&self.reader, (span, Place::Start), end, &reading.done);
        reading.parts.insert_behind(number, behind);
        true
    }

    /// A seam did not hold: what the walk has reached is sound, and it goes on page by page.
    fn broken(&mut self) -> Result<Option<Reached>, FetchError> {
        tracing::debug!(
            "what was read ahead does not fit what was read before; reading page by page"
        );
        self.ahead = Ahead::Off;
        Ok(None)
    }

    /// A request was given up. That of a refused cursor is made again where the walk stands.
    fn failed(&mut self, failure: Failure) -> Result<Option<Reached>, FetchError> {
        if !is_refused_cursor(&failure, self.walk.place()) {
            return Err(failure.into());
        }
        self.ahead = Ahead::Off;
        Ok(None)
    }
}
