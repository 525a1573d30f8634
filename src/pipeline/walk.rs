//! Owns the walk over the pages of a source that delivers oldest first: where it goes on, where it
//! ends, and when a server leads it in a circle. Pure.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::model::record::Record;
use crate::source::Place;

/// Pages in a row that were read before, each with a new cursor, that are followed: a server may send
/// a page once more, and go on.
const STALE_PAGES: u32 = 3;

/// One walk over a window.
#[derive(Debug)]
pub struct Walk {
    place: Place,
    /// Hashes of the cursors used: two of a million are alike with a chance of about 10^-8.
    used: HashSet<u64>,
    /// Hashes of the pages read that held records.
    pages: HashSet<u64>,
    stale_in_a_row: u32,
    /// Empty pages with a new cursor that are followed in a row.
    empty_pages: u32,
    empty_in_a_row: u32,
}

/// Where a walk goes after a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Advance {
    /// There is another page.
    GoOn,
    /// Everything there is was read.
    CaughtUp,
    /// Page after page was empty, each with a new cursor: whether there is more is not known.
    GaveUp,
}

/// The server leads in a circle: a cursor that was used before, or one page after the other without a
/// new record. An empty page behind its own cursor is none: it is how a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server repeats pages that were read before, so its paging leads in a circle")]
pub struct Circle;

impl Walk {
    /// A walk that starts at the window's first page, or behind `cursor`, and follows so many empty
    /// pages with new cursors in a row.
    pub fn new(cursor: Option<&str>, empty_pages: u32) -> Walk {
        let place = match cursor {
            Some(cursor) => Place::Cursor(cursor.to_owned()),
            None => Place::Start,
        };
        Walk {
            used: HashSet::from([hash(&place)]),
            pages: HashSet::new(),
            stale_in_a_row: 0,
            place,
            empty_pages,
            empty_in_a_row: 0,
        }
    }

    /// Goes to another place: what follows is read from there.
    pub fn go_to(&mut self, place: Place) {
        self.place = place;
    }

    /// Where the next page is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The newest cursor, to go on from another time.
    pub fn cursor(&self) -> Option<&str> {
        self.place.cursor()
    }

    /// Takes note of the page at [`Walk::place`]: its records, and where it said it goes on. The place stays when the page named none: the next pull asks there again.
    ///
    /// # Errors
    /// [`Circle`]; the place stays.
    pub fn advance(&mut self, records: &[Record], next: Option<Place>) -> Result<Advance, Circle> {
        let Some(next) = next else {
            return Ok(Advance::CaughtUp);
        };
        if records.is_empty() && next == self.place {
            return Ok(Advance::CaughtUp);
        }
        self.note(records);
        if self.stale_in_a_row > STALE_PAGES || !self.used.insert(hash(&next)) {
            return Err(Circle);
        }
        self.place = next;
        self.empty_in_a_row = match records.is_empty() {
            true => self.empty_in_a_row + 1,
            false => 0,
        };
        Ok(match self.empty_in_a_row > self.empty_pages {
            true => Advance::GaveUp,
            false => Advance::GoOn,
        })
    }

    /// Counts the pages that were read before; an empty one says nothing.
    fn note(&mut self, records: &[Record]) {
        if !records.is_empty() {
            self.stale_in_a_row = match self.pages.insert(page_hash(records)) {
                true => 0,
                false => self.stale_in_a_row + 1,
            };
        }
    }
}

fn page_hash(records: &[Record]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for record in records {
        record.doc.content_hash().hash(&mut hasher);
    }
    hasher.finish()
}

fn hash(place: &Place) -> u64 {
    let mut hasher = DefaultHasher::new();
    match place {
        Place::Start => 0_u8.hash(&mut hasher),
        Place::Cursor(cursor) => cursor.hash(&mut hasher),
        Place::Offset(offset) => offset.hash(&mut hasher),
        Place::CountedCursor { cursor, records } => (cursor, records).hash(&mut hasher),
        Place::CursorOffset { cursor, offset } => (cursor, offset).hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;

    /// So many records that no page had before.
    fn some(records: usize) -> Vec<Record> {
        (0..records)
            .map(|_| record(&fastrand::u64(..).to_string()))
            .collect()
    }

    fn record(text: &str) -> Record {
        Record {
            doc: Document::new(bytes::Bytes::copy_from_slice(text.as_bytes())),
            id: None,
            time: None,
            position: None,
        }
    }

    fn to(cursor: &str) -> Option<Place> {
        Some(Place::Cursor(cursor.to_owned()))
    }

    #[test]
    fn it_follows_cursors_to_the_page_without_one_and_keeps_the_last() {
        let mut walk = Walk::new(None, 3);
        assert_eq!(walk.place(), &Place::Start);
        assert_eq!(walk.advance(&some(2), to("c1")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(&some(2), to("c2")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(&some(1), None), Ok(Advance::CaughtUp));
        assert_eq!(walk.cursor(), Some("c2"));
    }

    #[test]
    fn an_empty_page_behind_its_own_cursor_is_the_end() {
        let mut walk = Walk::new(Some("c1"), 3);
        assert_eq!(walk.advance(&some(0), to("c1")), Ok(Advance::CaughtUp));
        assert_eq!(walk.cursor(), Some("c1"));
    }

    #[test]
    fn empty_pages_with_new_cursors_are_followed_so_many_times_in_a_row() {
        let mut walk = Walk::new(None, 3);
        for (n, cursor) in ["e1", "e2", "e3"].iter().enumerate() {
            assert_eq!(walk.advance(&some(0), to(cursor)), Ok(Advance::GoOn), "{n}");
        }
        // A page with records starts the count again.
        assert_eq!(walk.advance(&some(5), to("c1")), Ok(Advance::GoOn));
        for cursor in ["e4", "e5", "e6"] {
            assert_eq!(walk.advance(&some(0), to(cursor)), Ok(Advance::GoOn));
        }
        assert_eq!(walk.advance(&some(0), to("e7")), Ok(Advance::GaveUp));
        assert_eq!(walk.cursor(), Some("e7"));
    }

    #[test]
    fn a_used_cursor_is_a_circle_and_not_the_end() {
        let mut walk = Walk::new(None, 3);
        assert_eq!(walk.advance(&some(5), to("c1")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(&some(5), to("c2")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(&some(0), to("c1")), Err(Circle));
        assert_eq!(walk.cursor(), Some("c2"));
    }

    #[test]
    fn a_used_cursor_with_records_is_a_circle() {
        let mut walk = Walk::new(Some("c1"), 3);
        assert_eq!(walk.advance(&some(5), to("c1")), Err(Circle));
        assert_eq!(walk.cursor(), Some("c1"));
        assert_eq!(walk.advance(&some(5), to("c2")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(&some(5), to("c3")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(&some(5), to("c2")), Err(Circle));
    }

    #[test]
    fn pages_that_were_read_before_are_a_circle_also_behind_new_cursors() {
        let pages = [[record("1"), record("2")], [record("3"), record("4")]];
        let mut walk = Walk::new(None, 3);
        let mut cursors = (0..).map(|n| to(&format!("c{n}")));
        let mut next = |page: &[Record]| walk.advance(page, cursors.next().unwrap());
        for page in &pages {
            assert_eq!(next(page), Ok(Advance::GoOn));
        }
        // An empty page or two between change nothing, a new one starts the count again.
        for again in [&pages[1][..], &pages[0], &[], &pages[1]] {
            assert_eq!(next(again), Ok(Advance::GoOn));
        }
        assert_eq!(next(&some(2)), Ok(Advance::GoOn));
        for again in [0, 1, 0].map(|n: usize| &pages[n]) {
            assert_eq!(next(again), Ok(Advance::GoOn));
        }
        assert_eq!(next(&pages[1]), Err(Circle));
        // Where it stood before that page, the next run asks again.
        assert_eq!(walk.cursor(), Some("c9"));
    }
}
