//! Owns what is collected of a time slice while it is paged through, newest first: its records, or,
//! when they are too many, where it can be cut. Pure.

use std::collections::HashSet;

use chrono::TimeDelta;

use crate::model::record::{Fingerprint, Record};
use crate::model::time::{Timestamp, Window};
use crate::pipeline::fetch::FetchError;
use crate::pipeline::slices::Cuts;
use crate::pipeline::walk::Circle;

/// Full pages in a row without a new record that are followed.
const STALE_PAGES: u32 = 3;

/// How far outside the window a record may lie: clocks are rounded in more ways than one.
const SLACK: TimeDelta = TimeDelta::minutes(1);

/// What a slice turned out to hold.
#[derive(Debug)]
pub enum Slice {
    /// All its records, newest first.
    Whole(Vec<Record>),
    /// More than fits.
    TooMuch(Cuts),
}

/// What has been paged through of a slice.
#[derive(Debug)]
pub struct Collected {
    /// The records kept, newest first.
    pub records: Vec<Record>,
    known: HashSet<(Fingerprint, u64)>,
    cuts: Cuts,
    oldest: Option<Timestamp>,
    keeps: bool,
    is_steady: bool,
    stale_in_a_row: u32,
}

impl Collected {
    /// Nothing yet; a slice that is too large is to be cut after every `capacity` records.
    pub fn new(capacity: usize) -> Collected {
        Collected {
            records: Vec::new(),
            known: HashSet::new(),
            cuts: Cuts::new(capacity),
            oldest: None,
            keeps: true,
            is_steady: true,
            stale_in_a_row: 0,
        }
    }

    /// Takes the next page.
    ///
    /// # Errors
    /// [`Circle`] when page after page brings nothing new.
    pub fn add(&mut self, page: Vec<Record>) -> Result<(), Circle> {
        let mut brought_news = page.is_empty();
        let mut on_page = HashSet::new();
        for record in page {
            self.cuts.note(record.position);
            self.oldest = self.oldest.into_iter().chain(record.position).min();
            let key = (record.identity(), record.doc.content_hash());
            match self.known.contains(&key) || !on_page.insert(key) {
                true => self.is_steady = false,
                false => {
                    brought_news = true;
                    if self.keeps {
                        self.records.push(record);
                    }
                }
            }
        }
        // While nothing is kept, memory must not grow: only the last page is held against the next.
        match self.keeps {
            true => self.known.extend(on_page),
            false if brought_news => self.known = on_page,
            false => {}
        }
        self.stale_in_a_row = match brought_news {
            true => 0,
            false => self.stale_in_a_row + 1,
        };
        match self.stale_in_a_row > STALE_PAGES {
            true => Err(Circle),
            false => Ok(()),
        }
    }

    /// It is too much: from now on only the cuts are wanted.
    ///
    /// # Errors
    /// The server gives records from before the window: it ignores the dates, and no cut helps.
    pub fn keep_none(&mut self, window: &Window) -> Result<(), FetchError> {
        if self
            .oldest
            .is_some_and(|oldest| oldest < window.from - SLACK)
        {
            return Err(FetchError::IgnoresDates);
        }
        self.keeps = false;
        self.records = Vec::new();
        Ok(())
    }

    /// What the slice turned out to hold, and whether it stood still meanwhile.
    pub fn slice(self) -> (Slice, bool) {
        match self.keeps {
            true => (Slice::Whole(self.records), self.is_steady),
            false => (Slice::TooMuch(self.cuts), true),
        }
    }
}

/// A slice's records by (place, id), each with a place: one that has none stands where it was found,
/// beside the record before it.
pub fn oldest_first(mut newest_first: Vec<Record>, window: &Window) -> Vec<Record> {
    let mut place = newest_first
        .iter()
        .find_map(|record| record.position)
        .unwrap_or(window.from);
    for record in &mut newest_first {
        place = *record.position.get_or_insert(place);
    }
    newest_first.sort_by_cached_key(|record| (record.position, id_key(record)));
    newest_first
}

/// Sorts ids as numbers where they are numbers.
fn id_key(record: &Record) -> (Option<u128>, Option<String>) {
    let id = record.id.as_deref();
    (id.and_then(|id| id.parse().ok()), record.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;
    use crate::model::time::parse_api_time;

    fn at(text: &str) -> Timestamp {
        parse_api_time(&format!("2026-11-20T{text}Z")).unwrap()
    }

    fn record(id: &str, position: Option<&str>) -> Record {
        Record {
            doc: Document::new(bytes::Bytes::from_static(b"{}")),
            id: Some(id.to_owned()),
            time: None,
            position: position.map(at),
        }
    }

    fn window() -> Window {
        Window {
            from: at("09:00:00"),
            to: Some(at("10:00:00")),
        }
    }

    #[test]
    fn records_without_a_time_stay_beside_their_neighbour() {
        let newest_first = vec![
            record("10", Some("09:00:02")),
            record("odd", None),
            record("9", Some("09:00:02")),
            record("1", Some("09:00:01")),
        ];
        let sorted = oldest_first(newest_first, &window());
        let ids: Vec<_> = sorted
            .iter()
            .filter_map(|record| record.id.as_deref())
            .collect();
        assert_eq!(ids, ["1", "odd", "9", "10"]);
    }

    #[test]
    fn the_same_page_again_and_again_is_a_circle() {
        for keeps in [true, false] {
            let mut collected = Collected::new(10);
            collected.keeps = keeps;
            let mut add = || collected.add(vec![record("a", None), record("b", None)]);
            assert_eq!([add(), add(), add(), add()], [Ok(()); 4]);
            assert_eq!(add(), Err(Circle), "{keeps}");
        }
    }

    #[test]
    fn a_server_that_ignores_the_dates_is_told_only_where_it_matters() {
        let mut collected = Collected::new(1);
        collected.add(vec![record("a", Some("07:00:00"))]).unwrap();
        let refused = collected.keep_none(&window());
        assert!(matches!(refused, Err(FetchError::IgnoresDates)));
    }
}
