//! The boundaries between segments: what the last page of one ends with and the first page of the
//! next must begin with. No I/O.

use std::collections::HashSet;

use chrono::TimeDelta;

use crate::fetch::types::{RecordKey, record_key};
use crate::model::record::Record;
use crate::model::time::{Timestamp, truncate_to_millis};

/// Where one segment ends and the next begins, and the records at the end of the first that the
/// second must begin with.
#[derive(Debug)]
pub struct SegmentBoundary {
    /// The time from which the next segment is requested.
    pub at: Timestamp,
    /// The records from there on.
    pub shared_records: HashSet<RecordKey>,
}

impl SegmentBoundary {
    /// The boundary at `at`: everything after the last of `records` that lies before it.
    pub fn new(at: Timestamp, records: &[Record]) -> SegmentBoundary {
        let is_before = |record: &Record| record.position.is_some_and(|position| position < at);
        let behind = records.iter().rposition(is_before).map_or(0, |last| last + 1);
        SegmentBoundary { at, shared_records: records[behind..].iter().map(record_key).collect() }
    }

    /// Whether the first page of the next segment begins with the shared records and holds them
    /// all. A server that rounds or ignores `from` returns records from before.
    pub fn is_matched_by(&self, first: &[Record]) -> bool {
        let begins = first.first().map(record_key);
        let first: HashSet<RecordKey> = first.iter().map(record_key).collect();
        begins.is_some_and(|first| self.shared_records.contains(&first))
            && self.shared_records.is_subset(&first)
    }
}

/// What must be known of a page to prefetch after it.
#[derive(Debug)]
pub struct LastPage {
    /// How many records it holds.
    pub records: usize,
    /// The position of the first.
    pub first: Timestamp,
    /// The position of the last.
    pub last: Timestamp,
    /// At a record whose two times differ: it was processed later than it happened.
    pub clock_probe: Option<SegmentBoundary>,
}

impl LastPage {
    /// `None` if the records do not say when they were processed.
    pub fn from_records(records: &[Record]) -> Option<LastPage> {
        let mut places = records.iter().filter_map(|record| record.position);
        let first = places.next()?;
        let last = places.next_back()?;
        Some(LastPage {
            records: records.len(),
            first,
            last,
            clock_probe: find_clock_probe(records),
        })
    }

    /// The estimated number of such pages until `end`.
    pub fn pages_until(&self, end: Timestamp) -> usize {
        let (ahead, page) = (end - self.last, self.last - self.first);
        let pages = ahead.num_milliseconds().max(0) / page.num_milliseconds().max(1);
        match page > TimeDelta::zero() {
            true => usize::try_from(pages).unwrap_or(usize::MAX),
            false => 0,
        }
    }
}

/// A boundary at the record that was processed the longest after it happened: if the two times are
/// near, rounding by the server may find it by either.
fn find_clock_probe(records: &[Record]) -> Option<SegmentBoundary> {
    let late = |record: &Record| Some(truncate_to_millis(record.position?) - record.time?);
    let late = records.iter().filter_map(|record| Some((late(record)?, record)));
    let (lag, record) = late.max_by_key(|(lag, _)| *lag)?;
    let boundary = SegmentBoundary::new(truncate_to_millis(record.position?), records);
    // On an unsorted page, it may not be among the shared records.
    (lag > TimeDelta::zero() && boundary.shared_records.contains(&record_key(record)))
        .then_some(boundary)
}
