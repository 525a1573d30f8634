//! Owns the walk over the pages of a source that delivers oldest first: where it goes on, where it
//! ends, and when a server leads it in a circle. Pure.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::source::Place;

/// One walk over a window.
#[derive(Debug)]
pub struct Walk {
    place: Place,
    /// Hashes of the cursors used: two of a million are alike with a chance of about 10^-8.
    used: HashSet<u64>,
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

/// The server leads in a circle: a cursor that was used before, or one full page after the other
/// without a new record. An empty page behind its own cursor is none: it is how a stream ends.
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
            place,
            empty_pages,
            empty_in_a_row: 0,
        }
    }

    /// Where the next page is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The newest cursor, to go on from another time.
    pub fn cursor(&self) -> Option<&str> {
        match &self.place {
            Place::Cursor(cursor) => Some(cursor),
            Place::Start | Place::Offset(_) => None,
        }
    }

    /// Takes note of the page at [`Walk::place`]: how many records it had, and where it said it
    /// goes on. The place stays when the page named none: the next pull asks there again.
    ///
    /// # Errors
    /// [`Circle`]; the place stays.
    pub fn advance(&mut self, records: usize, next: Option<Place>) -> Result<Advance, Circle> {
        let Some(next) = next else {
            return Ok(Advance::CaughtUp);
        };
        if records == 0 && next == self.place {
            return Ok(Advance::CaughtUp);
        }
        if !self.used.insert(hash(&next)) {
            return Err(Circle);
        }
        self.place = next;
        self.empty_in_a_row = match records {
            0 => self.empty_in_a_row + 1,
            _ => 0,
        };
        Ok(match self.empty_in_a_row > self.empty_pages {
            true => Advance::GaveUp,
            false => Advance::GoOn,
        })
    }
}

fn hash(place: &Place) -> u64 {
    let mut hasher = DefaultHasher::new();
    match place {
        Place::Start => 0_u8.hash(&mut hasher),
        Place::Cursor(cursor) => cursor.hash(&mut hasher),
        Place::Offset(offset) => offset.hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(cursor: &str) -> Option<Place> {
        Some(Place::Cursor(cursor.to_owned()))
    }

    #[test]
    fn it_follows_cursors_to_the_page_without_one_and_keeps_the_last() {
        let mut walk = Walk::new(None, 3);
        assert_eq!(walk.place(), &Place::Start);
        assert_eq!(walk.advance(2, to("c1")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(2, to("c2")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(1, None), Ok(Advance::CaughtUp));
        assert_eq!(walk.cursor(), Some("c2"));
    }

    #[test]
    fn an_empty_page_behind_its_own_cursor_is_the_end() {
        let mut walk = Walk::new(Some("c1"), 3);
        assert_eq!(walk.advance(0, to("c1")), Ok(Advance::CaughtUp));
        assert_eq!(walk.cursor(), Some("c1"));
    }

    #[test]
    fn empty_pages_with_new_cursors_are_followed_so_many_times_in_a_row() {
        let mut walk = Walk::new(None, 3);
        for (n, cursor) in ["e1", "e2", "e3"].iter().enumerate() {
            assert_eq!(walk.advance(0, to(cursor)), Ok(Advance::GoOn), "{n}");
        }
        // A page with records starts the count again.
        assert_eq!(walk.advance(5, to("c1")), Ok(Advance::GoOn));
        for cursor in ["e4", "e5", "e6"] {
            assert_eq!(walk.advance(0, to(cursor)), Ok(Advance::GoOn));
        }
        assert_eq!(walk.advance(0, to("e7")), Ok(Advance::GaveUp));
        assert_eq!(walk.cursor(), Some("e7"));
    }

    #[test]
    fn a_used_cursor_is_a_circle_and_not_the_end() {
        let mut walk = Walk::new(None, 3);
        assert_eq!(walk.advance(5, to("c1")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(5, to("c2")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(0, to("c1")), Err(Circle));
        assert_eq!(walk.cursor(), Some("c2"));
    }

    #[test]
    fn a_used_cursor_with_records_is_a_circle() {
        let mut walk = Walk::new(Some("c1"), 3);
        assert_eq!(walk.advance(5, to("c1")), Err(Circle));
        assert_eq!(walk.cursor(), Some("c1"));
        assert_eq!(walk.advance(5, to("c2")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(5, to("c3")), Ok(Advance::GoOn));
        assert_eq!(walk.advance(5, to("c2")), Err(Circle));
    }
}
