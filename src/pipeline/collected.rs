//! Owns what is collected of a time slice while it is paged through, newest first: its records, or,
//! when they are too many, where it can be cut. Pure.

use std::collections::HashSet;

use chrono::TimeDelta;

use crate::model::record::{Fingerprint, Record};
use crate::model::time::{Timestamp, whole_millis};
use crate::pipeline::fetch::FetchError;
use crate::pipeline::parts::Span;
use crate::pipeline::walk::Circle;

/// Full pages in a row without a new record that are followed.
const STALE_PAGES: u32 = 3;

/// How far outside the window a record may lie: clocks are rounded in more ways than one.
const SLACK: TimeDelta = TimeDelta::minutes(1);

/// Bytes of text that one slice may hold in memory; as many slices as are read at once may.
const SLICE_BYTES: usize = 4 * 1024 * 1024;

/// The grain of an API's dates.
const GRAIN: TimeDelta = TimeDelta::milliseconds(1);

/// What has been paged through of a slice.
#[derive(Debug, Default)]
pub struct Collected {
    /// The records, newest first.
    pub records: Vec<Record>,
    /// False when a record came twice: the log grew while it was paged through.
    pub is_steady: bool,
    known: HashSet<(Fingerprint, u64)>,
    bytes: usize,
    stale_in_a_row: u32,
}

impl Collected {
    /// Nothing yet.
    pub fn new() -> Collected {
        Collected {
            is_steady: true,
            ..Collected::default()
        }
    }

    /// Takes the next page.
    ///
    /// # Errors
    /// [`Circle`] when page after page brings nothing new.
    pub fn add(&mut self, page: Vec<Record>) -> Result<(), Circle> {
        let mut brought_news = page.is_empty();
        for record in page {
            let key = (record.identity(), record.doc.content_hash());
            match self.known.insert(key) {
                false => self.is_steady = false,
                true => {
                    brought_news = true;
                    self.bytes += record.doc.text().len();
                    self.records.push(record);
                }
            }
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

    /// Whether it is more than one slice may hold.
    pub fn is_over(&self, most: usize) -> bool {
        self.records.len() > most || self.bytes > SLICE_BYTES
    }

    /// Where `span` can be cut, so that what is newer has been paged through; nothing where all lies
    /// in one millisecond, or nothing says when it was.
    ///
    /// # Errors
    /// The server gives records from before the span: it ignores the dates, and no cut helps.
    pub fn cut(&self, span: &Span) -> Result<Option<Timestamp>, FetchError> {
        let places = || self.records.iter().filter_map(|record| record.position);
        if places().any(|place| place < span.from - SLACK) {
            return Err(FetchError::IgnoresDates);
        }
        let oldest = places().map(whole_millis).filter(|&at| at >= span.from);
        let inside = |at: &Timestamp| span.from < *at && *at < span.to;
        // Of the oldest millisecond there may be more to come; where it is the only one, it is cut off.
        let oldest = oldest.min();
        Ok(oldest
            .map(|oldest| oldest + GRAIN)
            .filter(inside)
            .or(oldest.filter(inside)))
    }

    /// All records from `at` on; nothing where it is not sure that these are all.
    pub fn since(mut self, at: Timestamp) -> Option<Vec<Record>> {
        let places = self.records.iter().filter_map(|record| record.position);
        let is_newest_first = places.is_sorted_by(|newer, older| newer >= older);
        let is_older = |record: &Record| record.position.is_some_and(|place| place < at);
        let end = self.records.iter().position(is_older)?;
        self.records.truncate(end);
        (self.is_steady && is_newest_first).then_some(self.records)
    }
}

/// A slice's records by (place, id), each with a place: one that has none stands where it was found,
/// beside the record before it.
pub fn oldest_first(mut newest_first: Vec<Record>, span: &Span) -> Vec<Record> {
    let mut place = newest_first
        .iter()
        .find_map(|record| record.position)
        .unwrap_or(span.from);
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

    fn span() -> Span {
        Span {
            from: at("09:00:00"),
            to: at("10:00:00"),
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
        let sorted = oldest_first(newest_first, &span());
        let ids: Vec<_> = sorted
            .iter()
            .filter_map(|record| record.id.as_deref())
            .collect();
        assert_eq!(ids, ["1", "odd", "9", "10"]);
    }

    #[test]
    fn the_same_page_again_and_again_is_a_circle() {
        let mut collected = Collected::new();
        let mut add = || collected.add(vec![record("a", None), record("b", None)]);
        assert_eq!([add(), add(), add(), add()], [Ok(()); 4]);
        assert_eq!(add(), Err(Circle));
        assert!(!collected.is_steady);
    }

    fn collected(places: &[Option<&str>]) -> Collected {
        let mut collected = Collected::new();
        let page = places.iter().enumerate();
        let page = page.map(|(n, &place)| record(&n.to_string(), place));
        collected.add(page.collect()).unwrap();
        collected
    }

    /// Where it is cut, and the ids of what is kept.
    fn cut(places: &[Option<&str>]) -> (Option<Timestamp>, Option<Vec<String>>) {
        let at = collected(places).cut(&span()).unwrap();
        let kept = at.and_then(|at| collected(places).since(at));
        let ids = kept.map(|kept| kept.into_iter().filter_map(|record| record.id).collect());
        (at, ids)
    }

    #[test]
    fn what_is_newer_than_the_oldest_millisecond_is_kept() {
        let (at, kept) = cut(&[
            Some("09:30:00"),
            None,
            Some("09:20:00"),
            None,
            Some("09:10:00"),
            Some("09:10:00"),
        ]);
        assert_eq!(at, Some(self::at("09:10:00.001")));
        assert_eq!(kept.unwrap(), ["0", "1", "2", "3"]);
    }

    #[test]
    fn what_does_not_come_newest_first_is_cut_and_read_again() {
        let (at, kept) = cut(&[Some("09:30:00"), Some("09:10:00"), Some("09:20:00")]);
        assert_eq!((at, kept), (Some(self::at("09:10:00.001")), None));
    }

    #[test]
    fn a_crowded_millisecond_is_cut_off() {
        assert_eq!(cut(&[Some("09:59:59.999")]).0, Some(at("09:59:59.999")));
        assert_eq!(cut(&[Some("09:00:00")]).0, Some(at("09:00:00.001")));
        let atom = Span {
            from: at("09:00:00"),
            to: at("09:00:00.001"),
        };
        assert_eq!(collected(&[Some("09:00:00")]).cut(&atom).unwrap(), None);
        assert_eq!(cut(&[None]).0, None);
    }

    #[test]
    fn a_server_that_ignores_the_dates_is_told_only_where_it_matters() {
        let refused = collected(&[Some("07:00:00")]).cut(&span());
        assert!(matches!(refused, Err(FetchError::IgnoresDates)));
        assert!(
            collected(&[Some("08:59:30")])
                .cut(&span())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn many_records_or_large_ones_are_too_much() {
        let mut large = record("large", None);
        large.doc = Document::new(format!("\"{}\"", "x".repeat(SLICE_BYTES)).into());
        let mut collected = collected(&[None, None]);
        assert!(collected.is_over(1) && !collected.is_over(2));
        collected.add(vec![large]).unwrap();
        assert!(collected.is_over(5));
    }
}
