//! The boundaries between segments: what the last page of one ends with and the first page of the
//! next must begin with. No I/O.

use std::collections::HashSet;

use chrono::TimeDelta;

use crate::fetch::types::{RecordKey, record_key};
use crate::model::record::Record;
use crate::model::time::{Timestamp, truncate_to_millis};

/// Where one part ends and the next begins, and the records at the end of the one that the other must
/// begin with.
#[derive(Debug)]
pub struct SegmentBoundary {
    /// The time from which the next part is asked for.
    pub at: Timestamp,
    /// The records behind it.
    pub shared_records: HashSet<RecordKey>,
}

impl SegmentBoundary {
    /// The seam at `at`: all that stands behind the last of `records` that lies before it.
    pub fn new(at: Timestamp, records: &[Record]) -> SegmentBoundary {
        let is_before = |record: &Record| record.position.is_some_and(|place| place < at);
        let behind = records.iter().rposition(is_before).map_or(0, |last| last + 1);
        SegmentBoundary { at, shared_records: records[behind..].iter().map(record_key).collect() }
    }

    /// Whether the next part's first page holds all that is shared, and begins with it: a server that
    /// takes `from` for something coarser, or passes over it, gives what stands before.
    pub fn is_matched_by(&self, first: &[Record]) -> bool {
        let begins = first.first().map(record_key);
        let first: HashSet<RecordKey> = first.iter().map(record_key).collect();
        begins.is_some_and(|first| self.shared_records.contains(&first))
            && self.shared_records.is_subset(&first)
    }
}

/// What must be known of a page to read ahead of it.
#[derive(Debug)]
pub struct LastPage {
    /// How many records it holds.
    pub records: usize,
    /// The place of the first.
    pub first: Timestamp,
    /// The place of the last.
    pub last: Timestamp,
    /// Around a record that tells the clocks apart: it was processed later than it happened.
    pub clock_probe: Option<SegmentBoundary>,
}

impl LastPage {
    /// Nothing where the records do not say when they were processed.
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

    /// How many such pages there are until `end`, as far as this one tells.
    pub fn pages_until(&self, end: Timestamp) -> usize {
        let (ahead, page) = (end - self.last, self.last - self.first);
        let pages = ahead.num_milliseconds().max(0) / page.num_milliseconds().max(1);
        match page > TimeDelta::zero() {
            true => usize::try_from(pages).unwrap_or(usize::MAX),
            false => 0,
        }
    }
}

/// A seam at the record that was processed the longest after it happened: the nearer the two, the more
/// ways of a server to round would find it by either.
fn find_clock_probe(records: &[Record]) -> Option<SegmentBoundary> {
    let late = |record: &Record| Some(truncate_to_millis(record.position?) - record.time?);
    let late = records.iter().filter_map(|record| Some((late(record)?, record)));
    let (lag, record) = late.max_by_key(|(lag, _)| *lag)?;
    let seam = SegmentBoundary::new(truncate_to_millis(record.position?), records);
    // On a page that is not sorted, it may stand before what is shared.
    (lag > TimeDelta::zero() && seam.shared_records.contains(&record_key(record))).then_some(seam)
}
