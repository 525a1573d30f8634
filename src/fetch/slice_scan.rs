//! Collects the records of a slice while it is paged, and finds out whether newest or oldest come
//! first. If they exceed the limits, says where to cut the slice. No I/O.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;

use crate::fetch::pagination::PagingLoop;
use crate::fetch::segment_queue::TimeRange;
use crate::fetch::types::FetchError;
use crate::model::record::{Fingerprint, Record};
use crate::model::time::{Timestamp, floor, truncate_to_millis};
use crate::source::RecordIdentity;

/// Pages in a row without a new record that are followed.
const STALE_PAGES: u32 = 3;

/// How far outside the window a record may lie: servers round times in different ways.
const SLACK: TimeDelta = TimeDelta::minutes(1);

/// Bytes of records that one slice may hold in memory, for each slice that is read at once.
const SLICE_BYTES: usize = 4 * 1024 * 1024;

/// Which records of a slice its pages begin with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PageOrder {
    /// The newest. So the documentation of all APIs that are read in slices says or suggests.
    #[default]
    NewestFirst,
    /// The oldest.
    OldestFirst,
}

/// Where the pages of a slice were left, so that it can be cut there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceEdge {
    /// The instant. The newer part begins with it.
    pub at: Timestamp,
    /// Which part was read: the newer one, if the newest came first.
    pub order: PageOrder,
}

impl SliceEdge {
    /// Whether a record of this time is in the part that was not read.
    fn is_past(&self, position: Timestamp) -> bool {
        match self.order {
            PageOrder::NewestFirst => position < self.at,
            PageOrder::OldestFirst => position >= self.at,
        }
    }

    /// The part of `span` that was not read.
    pub fn unread(&self, span: &TimeRange) -> TimeRange {
        match self.order {
            PageOrder::NewestFirst => TimeRange { to: self.at, ..*span },
            PageOrder::OldestFirst => TimeRange { from: self.at, ..*span },
        }
    }
}

/// What is known of a slice that is paged through. Its pages are stored elsewhere.
#[derive(Debug, Default)]
pub struct SliceScan {
    identity: RecordIdentity,
    /// The grain of the API's dates.
    grain: TimeDelta,
    /// A hash of all records, in their order.
    digest: u64,
    /// How many records it holds so far.
    pub records: usize,
    bytes: usize,
    known: HashSet<SliceKey>,
    /// How often each content came, on all pages.
    occurrences: HashMap<(Fingerprint, u64), u32>,
    repeats: bool,
    /// Its paging stopped before an empty page came.
    is_left_open: bool,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// The oldest and the newest inside the slice.
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    /// Where the first page ended that did not end with the time that the slice began with.
    order: Option<PageOrder>,
    /// A record was newer, or older, than the one before it.
    has_rise: bool,
    has_fall: bool,
    is_outside: bool,
    /// A record is newer than the span by more than a difference of clocks.
    is_newer: bool,
    stale_in_a_row: u32,
}

impl SliceScan {
    /// An empty scan; the source distinguishes records by `identity`, and its dates have this
    /// `grain`.
    pub fn new(identity: RecordIdentity, grain: TimeDelta) -> SliceScan {
        SliceScan { identity, grain, ..SliceScan::default() }
    }

    /// Adds the next page of `span`.
    ///
    /// # Errors
    /// [`PagingLoop`] when page after page brings nothing new, or nothing at all.
    pub fn add(&mut self, page: &[Record], span: &TimeRange) -> Result<(), PagingLoop> {
        let mut has_new = false;
        let mut keys = PageKeys::new(self.identity);
        let mut on_page = HashSet::new();
        for record in page {
            let key = keys.of(record);
            self.digest = mixed(self.digest ^ key.content);
            *self.occurrences.entry(key.content_key()).or_default() += 1;
            let is_new = self.known.insert(key);
            // Twice on one page does not mean that the log has grown.
            self.repeats |= on_page.insert(key) && !is_new;
            has_new |= is_new;
            if is_new {
                self.records += 1;
                self.bytes += record.doc.text().len();
            }
            self.note_position(record.position, span);
        }
        self.order = self.order.or_else(|| match self.first.cmp(&self.last) {
            Ordering::Greater => Some(PageOrder::NewestFirst),
            Ordering::Less => Some(PageOrder::OldestFirst),
            Ordering::Equal => None,
        });
        self.stale_in_a_row = match has_new {
            true => 0,
            false => self.stale_in_a_row + 1,
        };
        match self.stale_in_a_row > STALE_PAGES {
            true => Err(PagingLoop),
            false => Ok(()),
        }
    }

    fn note_position(&mut self, position: Option<Timestamp>, span: &TimeRange) {
        let Some(position) = position else { return };
        self.has_rise |= self.last.is_some_and(|last| last < position);
        self.has_fall |= self.last.is_some_and(|last| last > position);
        self.first = self.first.or(Some(position));
        self.last = Some(position);
        self.is_outside |= position < span.from - SLACK;
        self.is_newer |= span.to + SLACK < position;
        if position >= span.from {
            let oldest = self.oldest.unwrap_or(position).min(position);
            self.oldest = Some(truncate_to_millis(oldest));
        }
        if position < span.to {
            let newest = self.newest.unwrap_or(position).max(position);
            self.newest = Some(truncate_to_millis(newest));
        }
    }

    /// Whether the records came neither newest first nor oldest first.
    fn is_unsorted(&self) -> bool {
        match self.order {
            Some(PageOrder::NewestFirst) => self.has_rise,
            Some(PageOrder::OldestFirst) => self.has_fall,
            None => self.has_rise || self.has_fall,
        }
    }

    /// Notes that paging stopped before an empty page came, so the number of equal records is not
    /// known.
    pub fn mark_incomplete(&mut self) {
        self.is_left_open = true;
    }

    /// Whether repeats on two pages may be several equal records: the records are sorted, and there
    /// are others, by which overlapping pages would show.
    pub fn may_hold_equal_ones(&self) -> bool {
        let mut contents = self.known.iter().map(|key| key.content);
        let first = contents.next();
        let has_others = contents.any(|content| Some(content) != first);
        !self.is_unsorted() && !self.is_left_open && has_others
    }

    /// Whether the log did not grow while it was paged through: then no record came on two pages.
    pub fn is_steady(&self) -> bool {
        !self.repeats
    }

    /// A hash of the records in their order, however they were spread over pages.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether its paging stopped before an empty page came.
    pub fn is_left_open(&self) -> bool {
        self.is_left_open
    }

    /// The time of the record inside the slice that paging came to.
    pub fn reached(&self) -> Option<Timestamp> {
        match self.order.unwrap_or_default() {
            PageOrder::NewestFirst => self.oldest,
            PageOrder::OldestFirst => self.newest,
        }
    }

    /// The orders in which the rest of the slice may come: both while all records are of one time.
    pub fn possible_orders(&self) -> &'static [PageOrder] {
        match self.order {
            Some(PageOrder::NewestFirst) => &[PageOrder::NewestFirst],
            Some(PageOrder::OldestFirst) => &[PageOrder::OldestFirst],
            None => &[PageOrder::NewestFirst, PageOrder::OldestFirst],
        }
    }

    /// Whether a page whose first record has this time cannot begin with the first record of the
    /// log, even if the log has grown: where the newest come first, the first is the newest.
    pub fn is_past_start(&self, position: Option<Timestamp>) -> bool {
        let (Some(position), Some(first)) = (position, self.first) else {
            return false;
        };
        match self.order {
            Some(PageOrder::NewestFirst) => position < first,
            Some(PageOrder::OldestFirst) => position > first,
            None => false,
        }
    }

    /// Whether all records of `page` came already, as often, on any pages.
    pub fn contains_all(&self, page: &[Record]) -> bool {
        let mut keys = PageKeys::new(self.identity);
        page.iter().all(|record| {
            let key = keys.of(record);
            let times = self.occurrences.get(&key.content_key());
            times.is_some_and(|times| *times >= key.occurrence)
        })
    }

    /// Whether the pages hold everything on this side of `edge`: something past it came, and the
    /// order is not only supposed.
    pub fn holds_all_to(&self, edge: &SliceEdge) -> bool {
        let is_past = self.reached().is_some_and(|reached| edge.is_past(reached));
        let is_sorted = self.order == Some(edge.order) && !self.is_unsorted();
        self.is_steady() && is_sorted && is_past
    }

    /// Whether the server returned records from outside the requested time range.
    pub fn ignores_dates(&self) -> bool {
        self.is_outside || self.is_newer
    }

    /// True if the slice exceeds its record or byte limit.
    pub fn exceeds_limits(&self, most: usize) -> bool {
        self.records > most || self.bytes > SLICE_BYTES
    }

    /// Where `span` can be cut so that everything on one side has been paged through; `None` if all
    /// records are of one millisecond, or none has a time.
    ///
    /// # Errors
    /// The server ignores dates, so no cut helps.
    pub fn edge(&self, span: &TimeRange) -> Result<Option<SliceEdge>, FetchError> {
        self.edge_of(self.order.unwrap_or_default(), span)
    }

    /// [`SliceScan::edge`] if the records come in this order.
    ///
    /// # Errors
    /// The server ignores dates, so no cut helps.
    pub fn edge_of(
        &self,
        order: PageOrder,
        span: &TimeRange,
    ) -> Result<Option<SliceEdge>, FetchError> {
        if self.ignores_dates() {
            return Err(FetchError::IgnoresDates);
        }
        let inside = |at: &Timestamp| span.from < *at && *at < span.to;
        // Of the last millisecond that came there may be more to come; where it is the only one, it
        // is cut off. Dates of whole seconds let in what lies just outside the span, and it may
        // fill the pages: then one second is cut off at that end.
        let cuts = match order {
            PageOrder::NewestFirst => {
                let oldest = self.oldest.map(|oldest| floor(oldest, self.grain));
                let is_outside = oldest.is_some_and(|oldest| oldest >= span.to);
                let before_end = floor(span.to - TimeDelta::milliseconds(1), self.grain);
                [oldest.map(|at| at + self.grain), oldest, is_outside.then_some(before_end)]
            }
            PageOrder::OldestFirst => {
                let newest = self.newest.map(|newest| floor(newest, self.grain));
                let is_outside = newest.is_some_and(|newest| newest < span.from);
                let after_start = floor(span.from, self.grain) + self.grain;
                [newest, newest.map(|at| at + self.grain), is_outside.then_some(after_start)]
            }
        };
        let at = cuts.into_iter().flatten().find(inside);
        Ok(at.map(|at| SliceEdge { at, order }))
    }
}

/// The records of a slice's pages, up to the first that is past `edge`; without repeats, unless
/// `keeps_equal_records`.
pub fn gathered(
    pages: Vec<Vec<Record>>,
    edge: Option<SliceEdge>,
    identity: RecordIdentity,
    keeps_equal_records: bool,
) -> Vec<Record> {
    let mut known = HashSet::new();
    let is_past = |record: &Record| match (record.position, edge) {
        (Some(position), Some(edge)) => edge.is_past(position),
        _ => false,
    };
    let mut gathered = Vec::new();
    for page in pages {
        let mut keys = PageKeys::new(identity);
        for record in page {
            if is_past(&record) {
                return gathered;
            }
            if known.insert(keys.of(&record)) || keeps_equal_records {
                gathered.push(record);
            }
        }
    }
    gathered
}

/// A step of a digest in which order and number count.
fn mixed(word: u64) -> u64 {
    word.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// What distinguishes a record of a slice from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SliceKey {
    identity: Fingerprint,
    content: u64,
    /// Which of the equal ones on its page it is, where there may be several.
    occurrence: u32,
}

impl SliceKey {
    fn content_key(&self) -> (Fingerprint, u64) {
        (self.identity, self.content)
    }
}

/// The keys of one page's records.
struct PageKeys {
    identity: RecordIdentity,
    counts: HashMap<Fingerprint, u32>,
}

impl PageKeys {
    fn new(identity: RecordIdentity) -> PageKeys {
        PageKeys { identity, counts: HashMap::new() }
    }

    fn of(&mut self, record: &Record) -> SliceKey {
        let identity = record.identity();
        let occurrence = match self.identity {
            RecordIdentity::ApiId => 0,
            RecordIdentity::Content => {
                let count = self.counts.entry(identity).or_default();
                *count += 1;
                *count
            }
        };
        SliceKey { identity, content: record.doc.content_hash(), occurrence }
    }
}

/// A slice's records by (position, id), each with a position: one that has none stands where it was
/// found, beside the record before it.
pub fn sort_oldest_first(mut records: Vec<Record>, span: &TimeRange) -> Vec<Record> {
    let mut position = records.iter().find_map(|record| record.position).unwrap_or(span.from);
    for record in &mut records {
        position = *record.position.get_or_insert(position);
    }
    records.sort_by_cached_key(|record| (record.position, id_key(record)));
    records
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

    fn span() -> TimeRange {
        TimeRange { from: at("09:00:00"), to: at("10:00:00") }
    }

    #[test]
    fn records_without_a_time_stay_beside_their_neighbour() {
        let newest_first = vec![
            record("10", Some("09:00:02")),
            record("odd", None),
            record("9", Some("09:00:02")),
            record("1", Some("09:00:01")),
        ];
        let sorted = sort_oldest_first(newest_first, &span());
        let ids: Vec<_> = sorted.iter().filter_map(|record| record.id.as_deref()).collect();
        assert_eq!(ids, ["1", "odd", "9", "10"]);
    }

    #[test]
    fn the_same_page_again_and_again_is_a_circle() {
        let mut collected = SliceScan::new(RecordIdentity::ApiId, TimeDelta::milliseconds(1));
        let mut add = || collected.add(&[record("a", None), record("b", None)], &span());
        assert_eq!([add(), add(), add(), add()], [Ok(()); 4]);
        assert_eq!(add(), Err(PagingLoop));
        assert!(!collected.is_steady());
    }

    #[test]
    fn a_record_twice_on_a_page_is_no_change_of_the_log_and_one_on_two_pages_is() {
        let pages = [vec!["a", "b", "a"], vec!["c"], vec!["b"]];
        let mut scan = SliceScan::new(RecordIdentity::ApiId, TimeDelta::milliseconds(1));
        let mut is_steady = Vec::new();
        for page in pages {
            let page: Vec<_> = page.into_iter().map(|id| record(id, None)).collect();
            scan.add(&page, &span()).unwrap();
            is_steady.push(scan.is_steady());
        }
        assert_eq!(is_steady, [true, true, false]);
        assert_eq!(scan.records, 3);
    }

    fn page(places: &[Option<&str>]) -> Vec<Record> {
        let page = places.iter().enumerate();
        page.map(|(n, &place)| record(&n.to_string(), place)).collect()
    }

    fn collected(places: &[Option<&str>], span: &TimeRange) -> SliceScan {
        let mut collected = SliceScan::new(RecordIdentity::ApiId, TimeDelta::milliseconds(1));
        collected.add(&page(places), span).unwrap();
        collected
    }

    fn cut(places: &[Option<&str>]) -> Option<Timestamp> {
        edge(places).map(|edge| edge.at)
    }

    fn edge(places: &[Option<&str>]) -> Option<SliceEdge> {
        collected(places, &span()).edge(&span()).unwrap()
    }

    #[test]
    fn what_is_newer_than_the_oldest_millisecond_is_kept() {
        let places =
            [Some("09:30:00"), None, Some("09:20:00"), None, Some("09:10:00"), Some("09:10:00")];
        let edge = edge(&places).unwrap();
        assert_eq!(edge.at, at("09:10:00.001"));
        assert!(collected(&places, &span()).holds_all_to(&edge));
        let pages = vec![page(&places[..3]), page(&places)];
        let kept = gathered(pages, Some(edge), RecordIdentity::ApiId, false);
        let kept: Vec<_> = kept.into_iter().filter_map(|record| record.id).collect();
        assert_eq!(kept, ["0", "1", "2", "3"]);
    }

    #[test]
    fn what_does_not_come_newest_first_is_not_sure_to_be_all() {
        let places = [Some("09:30:00"), Some("09:10:00"), Some("09:20:00")];
        let edge = edge(&places).unwrap();
        assert_eq!(edge.at, at("09:10:00.001"));
        assert!(!collected(&places, &span()).holds_all_to(&edge));
    }

    #[test]
    fn oldest_first_is_cut_where_the_newest_came() {
        let places = [Some("09:10:00"), Some("09:20:00"), None, Some("09:30:00")];
        let edge = edge(&places).unwrap();
        assert_eq!(edge, SliceEdge { at: at("09:30:00"), order: PageOrder::OldestFirst });
        assert_eq!(edge.unread(&span()), TimeRange { from: at("09:30:00"), ..span() });
        assert!(collected(&places, &span()).holds_all_to(&edge));
        let kept = gathered(vec![page(&places)], Some(edge), RecordIdentity::ApiId, false);
        assert_eq!(kept.len(), 3);
        let unsorted = [Some("09:10:00"), Some("09:30:00"), Some("09:20:00")];
        assert!(!collected(&unsorted, &span()).holds_all_to(&edge));
    }

    #[test]
    fn the_order_may_show_only_on_a_later_page() {
        let mut scan = collected(&[Some("09:10:00")], &span());
        assert_eq!(scan.possible_orders().len(), 2);
        scan.add(&[record("later", Some("09:10:01"))], &span()).unwrap();
        assert_eq!(scan.possible_orders(), [PageOrder::OldestFirst]);
        assert_eq!(scan.reached(), Some(at("09:10:01")));
    }

    #[test]
    fn a_crowded_millisecond_is_split_off() {
        let last = [Some("09:59:59.999")];
        assert_eq!(cut(&last), Some(at("09:59:59.999")));
        // More of it may come.
        assert!(!collected(&last, &span()).holds_all_to(&edge(&last).unwrap()));
        assert_eq!(cut(&[Some("09:00:00")]), Some(at("09:00:00.001")));
        let atom = TimeRange { from: at("09:00:00"), to: at("09:00:00.001") };
        let crowded = collected(&[Some("09:00:00")], &atom);
        assert_eq!(crowded.edge(&atom).unwrap(), None);
        assert_eq!(cut(&[None]), None);
    }

    #[test]
    fn a_server_that_ignores_the_dates_is_reported_only_where_it_matters() {
        let refused = collected(&[Some("07:00:00")], &span()).edge(&span());
        assert!(matches!(refused, Err(FetchError::IgnoresDates)));
        assert_eq!(cut(&[Some("08:59:30")]), None);
    }

    #[test]
    fn many_records_or_large_ones_are_too_much() {
        let mut large = record("large", None);
        large.doc = Document::new(format!("\"{}\"", "x".repeat(SLICE_BYTES)).into());
        let mut collected = collected(&[None, None], &span());
        assert!(collected.exceeds_limits(1) && !collected.exceeds_limits(2));
        collected.add(&[large], &span()).unwrap();
        assert!(collected.exceeds_limits(5));
    }
}
