//! The pagination of a source that delivers oldest first: the next page, the end, and whether the
//! server leads in a loop. Pure. See `docs/design.md`, section 6.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::model::record::Record;
use crate::source::PageLocator;

/// Pages in a row that were read before, each with a new cursor, that are followed: a server may
/// repeat a page and continue.
const MAX_STALE_PAGES: u32 = 3;

/// The pagination of one window.
#[derive(Debug)]
pub struct Pagination {
    locator: PageLocator,
    /// Hashes of the cursors used: two of a million are alike with a chance of about 10^-8.
    used_cursors: HashSet<u64>,
    /// Hashes of the pages read that held records.
    page_hashes: HashSet<u64>,
    stale_in_a_row: u32,
    /// Empty pages with a new cursor that are followed in a row.
    max_empty_pages: u32,
    empty_in_a_row: u32,
}

/// What follows a page.
#[derive(Debug, PartialEq, Eq)]
pub enum PageAdvance {
    /// There is another page.
    HasNext,
    /// This was the last page.
    Complete,
    /// Too many pages in a row were empty, each with a new cursor: there may be more.
    TooManyEmptyPages,
}

/// The server leads in a loop: by a cursor that was used before, or page after page without a new
/// record. An empty page that returns its own cursor is not a loop; it marks the end of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server repeats pages that were read before, so its paging leads in a circle")]
pub struct PagingLoop;

impl Pagination {
    /// A pagination that starts at the first page of the window, or after `cursor`, and follows at
    /// most `empty_pages` empty pages with new cursors in a row.
    pub fn new(cursor: Option<&str>, empty_pages: u32) -> Pagination {
        let locator = match cursor {
            Some(cursor) => PageLocator::Cursor(cursor.to_owned()),
            None => PageLocator::Start,
        };
        Pagination {
            used_cursors: HashSet::from([locator_hash(&locator)]),
            page_hashes: HashSet::new(),
            stale_in_a_row: 0,
            locator,
            max_empty_pages: empty_pages,
            empty_in_a_row: 0,
        }
    }

    /// Continues at `locator`.
    pub fn seek(&mut self, locator: PageLocator) {
        self.locator = locator;
    }

    /// Where the next page is.
    pub fn next_page(&self) -> &PageLocator {
        &self.locator
    }

    /// The newest cursor, from which a later run resumes.
    pub fn cursor(&self) -> Option<&str> {
        self.locator.cursor()
    }

    /// Advances past a page with `records`, which named `next`. Stays where it is if the page named
    /// nothing: the next pull requests that page again.
    ///
    /// # Errors
    /// [`PagingLoop`]; it stays where it is.
    pub fn advance(
        &mut self,
        records: &[Record],
        next: Option<PageLocator>,
    ) -> Result<PageAdvance, PagingLoop> {
        let Some(next) = next else {
            return Ok(PageAdvance::Complete);
        };
        if records.is_empty() && next == self.locator {
            return Ok(PageAdvance::Complete);
        }
        self.count_stale_pages(records);
        if self.stale_in_a_row > MAX_STALE_PAGES || !self.used_cursors.insert(locator_hash(&next)) {
            return Err(PagingLoop);
        }
        self.locator = next;
        self.empty_in_a_row = match records.is_empty() {
            true => self.empty_in_a_row + 1,
            false => 0,
        };
        Ok(match self.empty_in_a_row > self.max_empty_pages {
            true => PageAdvance::TooManyEmptyPages,
            false => PageAdvance::HasNext,
        })
    }

    /// Counts the pages that were read before; an empty page counts for nothing.
    fn count_stale_pages(&mut self, records: &[Record]) {
        if !records.is_empty() {
            self.stale_in_a_row = match self.page_hashes.insert(page_hash(records)) {
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

fn locator_hash(locator: &PageLocator) -> u64 {
    let mut hasher = DefaultHasher::new();
    match locator {
        PageLocator::Start => 0_u8.hash(&mut hasher),
        PageLocator::Cursor(cursor) => cursor.hash(&mut hasher),
        PageLocator::Offset(offset) => offset.hash(&mut hasher),
        PageLocator::CountedCursor { cursor, records } => (cursor, records).hash(&mut hasher),
        PageLocator::CursorOffset { cursor, offset } => (cursor, offset).hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;

    /// So many records that no page had before.
    fn new_records(records: usize) -> Vec<Record> {
        (0..records).map(|_| record(&fastrand::u64(..).to_string())).collect()
    }

    fn record(text: &str) -> Record {
        Record {
            doc: Document::new(bytes::Bytes::copy_from_slice(text.as_bytes())),
            id: None,
            time: None,
            position: None,
        }
    }

    fn cursor_locator(cursor: &str) -> Option<PageLocator> {
        Some(PageLocator::Cursor(cursor.to_owned()))
    }

    #[test]
    fn it_follows_cursors_to_the_page_without_one_and_keeps_the_last() {
        let mut walk = Pagination::new(None, 3);
        assert_eq!(walk.next_page(), &PageLocator::Start);
        assert_eq!(walk.advance(&new_records(2), cursor_locator("c1")), Ok(PageAdvance::HasNext));
        assert_eq!(walk.advance(&new_records(2), cursor_locator("c2")), Ok(PageAdvance::HasNext));
        assert_eq!(walk.advance(&new_records(1), None), Ok(PageAdvance::Complete));
        assert_eq!(walk.cursor(), Some("c2"));
    }

    #[test]
    fn an_empty_page_behind_its_own_cursor_is_the_end() {
        let mut walk = Pagination::new(Some("c1"), 3);
        assert_eq!(walk.advance(&new_records(0), cursor_locator("c1")), Ok(PageAdvance::Complete));
        assert_eq!(walk.cursor(), Some("c1"));
    }

    #[test]
    fn empty_pages_with_new_cursors_are_followed_so_many_times_in_a_row() {
        let mut walk = Pagination::new(None, 3);
        for (n, cursor) in ["e1", "e2", "e3"].iter().enumerate() {
            assert_eq!(
                walk.advance(&new_records(0), cursor_locator(cursor)),
                Ok(PageAdvance::HasNext),
                "{n}"
            );
        }
        // A page with records starts the count again.
        assert_eq!(walk.advance(&new_records(5), cursor_locator("c1")), Ok(PageAdvance::HasNext));
        for cursor in ["e4", "e5", "e6"] {
            assert_eq!(
                walk.advance(&new_records(0), cursor_locator(cursor)),
                Ok(PageAdvance::HasNext)
            );
        }
        assert_eq!(
            walk.advance(&new_records(0), cursor_locator("e7")),
            Ok(PageAdvance::TooManyEmptyPages)
        );
        assert_eq!(walk.cursor(), Some("e7"));
    }

    #[test]
    fn a_used_cursor_is_a_circle_and_not_the_end() {
        let mut walk = Pagination::new(None, 3);
        assert_eq!(walk.advance(&new_records(5), cursor_locator("c1")), Ok(PageAdvance::HasNext));
        assert_eq!(walk.advance(&new_records(5), cursor_locator("c2")), Ok(PageAdvance::HasNext));
        assert_eq!(walk.advance(&new_records(0), cursor_locator("c1")), Err(PagingLoop));
        assert_eq!(walk.cursor(), Some("c2"));
    }

    #[test]
    fn a_used_cursor_with_records_is_a_circle() {
        let mut walk = Pagination::new(Some("c1"), 3);
        assert_eq!(walk.advance(&new_records(5), cursor_locator("c1")), Err(PagingLoop));
        assert_eq!(walk.cursor(), Some("c1"));
        assert_eq!(walk.advance(&new_records(5), cursor_locator("c2")), Ok(PageAdvance::HasNext));
        assert_eq!(walk.advance(&new_records(5), cursor_locator("c3")), Ok(PageAdvance::HasNext));
        assert_eq!(walk.advance(&new_records(5), cursor_locator("c2")), Err(PagingLoop));
    }

    #[test]
    fn pages_that_were_read_before_are_a_circle_also_behind_new_cursors() {
        let pages = [[record("1"), record("2")], [record("3"), record("4")]];
        let mut walk = Pagination::new(None, 3);
        let mut cursors = (0..).map(|n| cursor_locator(&format!("c{n}")));
        let mut next = |page: &[Record]| walk.advance(page, cursors.next().unwrap());
        for page in &pages {
            assert_eq!(next(page), Ok(PageAdvance::HasNext));
        }
        // An empty page or two between change nothing, a new one starts the count again.
        for again in [&pages[1][..], &pages[0], &[], &pages[1]] {
            assert_eq!(next(again), Ok(PageAdvance::HasNext));
        }
        assert_eq!(next(&new_records(2)), Ok(PageAdvance::HasNext));
        for again in [0, 1, 0].map(|n: usize| &pages[n]) {
            assert_eq!(next(again), Ok(PageAdvance::HasNext));
        }
        assert_eq!(next(&pages[1]), Err(PagingLoop));
        // Where it stood before that page, the next run asks again.
        assert_eq!(walk.cursor(), Some("c9"));
    }
}
