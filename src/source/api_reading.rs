//! How an API is asked whose documentation leaves that open: what one server refuses is tried in
//! another way, and what it takes is remembered for the run.

/// Records on a page of a server that refuses larger ones.
const SMALL_PAGE: u32 = 100;

/// Which time of an event a server's `from` and `to` compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventClock {
    /// When it happened.
    Happened,
    /// When it was processed.
    Processed,
}

/// One way to ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ApiReading {
    /// `from` and `to` are RFC 3339 instead of milliseconds since 1970.
    pub has_text_dates: bool,
    /// A page may hold [`SMALL_PAGE`] records at most.
    pub has_small_pages: bool,
    /// A cursor stands alone in a request, instead of beside `from` and `to`.
    pub has_bare_cursors: bool,
    /// The clock of `from` and `to`, once it is known.
    pub clock: Option<EventClock>,
}

impl ApiReading {
    /// The page size to ask for instead of `wanted`.
    pub fn page_size(self, wanted: u32) -> u32 {
        match self.has_small_pages {
            true => wanted.min(SMALL_PAGE),
            false => wanted,
        }
    }

    /// All other ways to ask for a page, after a cursor or by time.
    pub fn others(self, is_after_cursor: bool) -> Vec<ApiReading> {
        if is_after_cursor {
            return vec![ApiReading { has_bare_cursors: !self.has_bare_cursors, ..self }];
        }
        let dates = ApiReading { has_text_dates: !self.has_text_dates, ..self };
        let smaller = |reading| ApiReading { has_small_pages: true, ..reading };
        match self.has_small_pages {
            true => vec![dates],
            false => vec![dates, smaller(self), smaller(dates)],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_other_way_is_tried_once() {
        let usual = ApiReading::default();
        for reading in usual.others(false).into_iter().chain([usual]) {
            for is_after_cursor in [false, true] {
                let others = reading.others(is_after_cursor);
                assert!(!others.contains(&reading));
                let distinct: HashSet<_> =
                    others.iter().map(|other| format!("{other:?}")).collect();
                assert_eq!(distinct.len(), others.len());
            }
        }
        assert_eq!(usual.others(false).len(), 3);
    }

    #[test]
    fn small_pages_never_enlarge_a_page() {
        let small = ApiReading { has_small_pages: true, ..ApiReading::default() };
        assert_eq!([small.page_size(500), small.page_size(20)], [SMALL_PAGE, 20]);
        assert_eq!(ApiReading::default().page_size(500), 500);
    }
}
