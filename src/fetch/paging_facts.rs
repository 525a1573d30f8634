//! Remembers how far the server of a window can be paged, for all slices of the window.
//!
//! Each fact only spares requests: a slice that cannot be cut any further asks all the same.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::http::failure::{Failure, FailureKind};
use crate::model::record::Record;
use crate::model::time::Timestamp;

/// What was learnt about a server's paging. The slices that are read at once share it.
#[derive(Debug, Default)]
pub struct PagingFacts {
    facts: Mutex<PagingFactsState>,
}

#[derive(Debug, Default)]
struct PagingFactsState {
    /// Pages after so many records fail, and how.
    first_failure: Option<(usize, Failure)>,
    offsets: OffsetUse,
    cursor_use: Option<CursorUse>,
    largest_page: usize,
    names_cursors: Option<bool>,
}

/// Whether the server obeys the offset in a request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum OffsetUse {
    /// No page was suspicious yet.
    #[default]
    Unknown,
    /// A far offset gives another page.
    Obeyed,
    /// A far offset gives the same page.
    Ignored,
}

/// What a Data Center must be sent to get the page after a cursor beside which it names an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorUse {
    /// The cursor alone.
    Alone,
    /// The cursor and the offset.
    WithOffset,
    /// Either may lose or repeat events: only narrower windows help.
    Unclear,
}

/// How the page after one cursor is to be requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorDecision {
    /// Which page to take.
    pub cursor_use: CursorUse,
    /// Whether all other pages can be requested like this one. If not, nothing is lost on this
    /// page, but the next one must be decided by itself.
    pub is_proven: bool,
}

impl CursorDecision {
    fn proven(cursor_use: CursorUse) -> CursorDecision {
        CursorDecision { cursor_use, is_proven: true }
    }

    fn for_one_page(cursor_use: CursorUse) -> CursorDecision {
        CursorDecision { cursor_use, is_proven: false }
    }
}

impl PagingFacts {
    /// Pages after `records` records cannot be read.
    pub fn record_failure(&self, records: usize, failure: &Failure) {
        let mut facts = self.lock();
        let is_nearer = facts.first_failure.as_ref().is_none_or(|(known, _)| records < *known);
        if is_nearer {
            facts.first_failure = Some((records, failure.clone()));
        }
    }

    /// Why the page after `records` records is known to fail, if it is.
    pub fn failure_after(&self, records: usize) -> Option<Failure> {
        let facts = self.lock();
        let (known, failure) = facts.first_failure.as_ref()?;
        (records >= *known).then(|| failure.clone())
    }

    /// Why a window's paging failed first, in the place of `failure` at a first page: such a
    /// failure after a paging failure says that the server is down.
    pub fn original_failure(&self, failure: Failure) -> Failure {
        match &self.lock().first_failure {
            Some((_, original_failure)) if is_page_specific(failure.kind) => {
                original_failure.clone()
            }
            _ => failure,
        }
    }

    /// Records that one slice should hold: `most`, or as many as can be paged through.
    pub fn max_records(&self, most: usize) -> usize {
        let facts = self.lock();
        let failing = facts.first_failure.as_ref().map(|(records, _)| *records);
        // Without cursors, a page is all that a slice can hold.
        let uncursored = (facts.names_cursors == Some(false)).then_some(facts.largest_page);
        failing.into_iter().chain(uncursored).fold(most, usize::min)
    }

    /// Whether the server obeys offsets, as far as it is known.
    pub fn offset_use(&self) -> OffsetUse {
        self.lock().offsets
    }

    /// The server obeys offsets, or does not.
    pub fn record_offset_use(&self, offsets: OffsetUse) {
        self.lock().offsets = offsets;
    }

    /// How its cursors are to be used, as far as it is known.
    pub fn cursor_use(&self) -> Option<CursorUse> {
        self.lock().cursor_use
    }

    /// A page held so many records.
    pub fn record_page(&self, records: usize) {
        let mut facts = self.lock();
        facts.largest_page = facts.largest_page.max(records);
    }

    /// Records on the largest page of any slice.
    pub fn largest_page(&self) -> usize {
        self.lock().largest_page
    }

    /// Whether a page that is not the last names the next one, as far as it is known.
    pub fn names_cursors(&self) -> Option<bool> {
        self.lock().names_cursors
    }

    /// A page that is not the last names the next one, or does not.
    pub fn record_names_cursors(&self, names_cursors: bool) {
        self.lock().names_cursors = Some(names_cursors);
    }

    /// Its cursors are to be used like this.
    pub fn record_cursor_use(&self, cursor_use: CursorUse) {
        self.lock().cursor_use = Some(cursor_use);
    }

    fn lock(&self) -> MutexGuard<'_, PagingFactsState> {
        // Every change is one assignment: a panic elsewhere leaves it whole.
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request that was given up like this may fail for the one page alone. A refused
/// credential, a quota and a host that cannot be reached concern every page.
pub fn is_page_specific(kind: FailureKind) -> bool {
    match kind {
        FailureKind::Unavailable
        | FailureKind::BadRequest
        | FailureKind::NotFound
        | FailureKind::Unreadable
        | FailureKind::ErrorInPage
        | FailureKind::TimedOut
        | FailureKind::ConnectionLost => true,
        FailureKind::CredentialRefused
        | FailureKind::CaptchaRequired
        | FailureKind::CdnRefused
        | FailureKind::ScopeMissing
        | FailureKind::Forbidden
        | FailureKind::FreePlan
        | FailureKind::RateLimited
        | FailureKind::Redirected
        | FailureKind::HtmlInstead
        | FailureKind::Unreachable
        | FailureKind::Tls
        | FailureKind::TooLarge
        | FailureKind::Unexpected => false,
    }
}

/// A page's records, so far as two pages must be compared.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PageDigest {
    records: Vec<u64>,
    has_many_instants: bool,
    first_position: Option<Timestamp>,
}

impl PageDigest {
    /// That of a page with these records.
    pub fn from_records(records: &[Record]) -> PageDigest {
        let first = records.first().and_then(|record| record.position);
        PageDigest {
            has_many_instants: records.iter().any(|record| record.position != first),
            records: records.iter().map(|record| record.doc.content_hash()).collect(),
            first_position: first,
        }
    }

    /// The time of its first record.
    pub fn first_position(&self) -> Option<Timestamp> {
        self.first_position
    }

    /// Whether the page held nothing.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many records the page held.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether its first record is not on `previous`.
    pub fn begins_with_new_record(&self, previous: &PageDigest) -> bool {
        let first = self.records.first();
        first.is_some_and(|first| !previous.records.contains(first))
    }

    /// Whether both pages have the same last record.
    pub fn ends_like(&self, other: &PageDigest) -> bool {
        !self.is_empty() && self.records.last() == other.records.last()
    }

    /// Whether the page repeats at its start what stands at the end of `previous`.
    fn overlaps(&self, previous: &PageDigest) -> bool {
        let most = self.records.len().min(previous.records.len());
        (1..=most).any(|count| previous.records.ends_with(&self.records[..count]))
    }
}

/// Decides how cursors are to be used, from the page after `previous` by its cursor `alone`, and by
/// the cursor with the `offset` that the server named. `is_past_start` says that `previous` is
/// known not to begin with the first event.
///
/// The documentation does not say what `nextPageOffset` is counted from. Counted from the cursor,
/// the cursor alone repeats as many events of the last page. Counted from the first event, the
/// server ignores the cursor, or else it skips events that nobody has read. The cursor alone never
/// skips any, so the offset is sent with every cursor only if it cannot be counted from the first
/// event: then it is less than the events up to the end of `previous`.
pub fn cursor_use(
    previous: &PageDigest,
    is_past_start: bool,
    offset: u64,
    alone: &PageDigest,
    with_offset: &PageDigest,
) -> CursorDecision {
    if alone.records == with_offset.records {
        // The offset changes nothing. Equal events, and pages that overlap as far as the first
        // event, look like this however the offset is counted.
        return match alone.has_many_instants && alone.begins_with_new_record(previous) {
            true => CursorDecision::proven(CursorUse::Alone),
            false => CursorDecision::for_one_page(CursorUse::Alone),
        };
    }
    let repeated =
        usize::try_from(offset).ok().and_then(|offset| alone.records.split_at_checked(offset));
    if let Some((repeated, rest)) = repeated
        && !repeated.is_empty()
        && previous.records.ends_with(repeated)
        && is_common_prefix(rest, &with_offset.records)
        // A page of equal events looks like one that repeats it.
        && (repeated.len() < previous.records.len() || previous.has_many_instants)
    {
        // Pages that overlap repeat all of a first page, too, whatever the offset is counted from.
        return match repeated.len() < previous.records.len() || is_past_start {
            true => CursorDecision::proven(CursorUse::WithOffset),
            false => CursorDecision::for_one_page(CursorUse::WithOffset),
        };
    }
    CursorDecision::proven(match alone.overlaps(previous) {
        true => CursorUse::Unclear,
        false => CursorUse::Alone,
    })
}

/// Whether one begins with the other.
fn is_common_prefix(one: &[u64], other: &[u64]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message::Endpoint;

    fn failure(kind: FailureKind) -> Failure {
        Failure {
            kind,
            endpoint: Endpoint::JiraAuditRecords,
            is_through_gateway: false,
            host: "acme.example".to_owned(),
            status: None,
            code: None,
            message: String::new(),
            attempts: 1,
            causes: Vec::new(),
        }
    }

    fn page(records: &[u64]) -> PageDigest {
        PageDigest {
            records: records.to_vec(),
            has_many_instants: records.windows(2).any(|two| two[0] != two[1]),
            first_position: None,
        }
    }

    #[test]
    fn the_nearest_failing_page_counts_and_slices_stay_below_it() {
        let facts = PagingFacts::default();
        assert_eq!(facts.max_records(3_000), 3_000);
        facts.record_failure(1_000, &failure(FailureKind::Unavailable));
        facts.record_failure(2_000, &failure(FailureKind::TimedOut));
        assert_eq!(facts.failure_after(999), None);
        let known = facts.failure_after(1_000).unwrap();
        assert_eq!(known.kind, FailureKind::Unavailable);
        assert_eq!((facts.max_records(3_000), facts.max_records(50)), (1_000, 50));
    }

    #[test]
    fn a_server_that_is_down_fails_with_what_failed_first() {
        let facts = PagingFacts::default();
        let down = || failure(FailureKind::TimedOut);
        assert_eq!(facts.original_failure(down()).kind, FailureKind::TimedOut);
        facts.record_failure(10, &failure(FailureKind::Unavailable));
        assert_eq!(facts.original_failure(down()).kind, FailureKind::Unavailable);
        let refused = failure(FailureKind::CredentialRefused);
        assert_eq!(facts.original_failure(refused).kind, FailureKind::CredentialRefused);
    }

    /// How the page after `last`, a first page, is to be requested.
    fn decided(last: &[u64], offset: u64, alone: &[u64], both: &[u64]) -> CursorDecision {
        cursor_use(&page(last), false, offset, &page(alone), &page(both))
    }

    #[test]
    fn each_reading_of_the_offset_beside_a_cursor_is_decided_from_two_pages() {
        let used = |offset, alone: &[u64], both: &[u64]| {
            let decision = decided(&[9, 8, 7], offset, alone, both);
            assert!(decision.is_proven);
            decision.cursor_use
        };
        // Counted from the cursor, which lies one event before the end of the last page.
        assert_eq!(used(1, &[7, 6, 5], &[6, 5, 4]), CursorUse::WithOffset);
        assert_eq!(used(1, &[7], &[]), CursorUse::WithOffset);
        // Counted from the first event, and the cursor is ignored beside it.
        assert_eq!(used(3, &[6, 5, 4], &[6, 5, 4]), CursorUse::Alone);
        // Counted from the first event, and both are obeyed: three events would be skipped.
        assert_eq!(used(3, &[6, 5, 4], &[3, 2, 1]), CursorUse::Alone);
        assert_eq!(used(3, &[6, 5, 4], &[]), CursorUse::Alone);
        // Neither reading explains it.
        assert_eq!(used(2, &[7, 6, 5], &[5, 4, 3]), CursorUse::Unclear);
        assert_eq!(used(1, &[8, 7, 6], &[6, 5, 4]), CursorUse::Unclear);
    }

    /// The cursor lies a whole page before the end of the last page; or the offset is counted from
    /// the first event, and pages overlap by as much as the first page holds.
    #[test]
    fn an_offset_of_a_whole_first_page_proves_nothing() {
        let (last, next) = (page(&[9, 8, 7]), page(&[6, 5, 4]));
        let first = cursor_use(&last, false, 3, &last, &next);
        assert_eq!(first, CursorDecision::for_one_page(CursorUse::WithOffset));
        let later = cursor_use(&last, true, 3, &last, &next);
        assert_eq!(later, CursorDecision::proven(CursorUse::WithOffset));
        // Pages that overlap by more than both offsets begin with the first event.
        let both = decided(&[9], 1, &[9, 8, 7], &[9, 8, 7]);
        assert_eq!(both, CursorDecision::for_one_page(CursorUse::Alone));
    }

    #[test]
    fn equal_events_are_never_skipped() {
        let used = decided(&[5, 5], 2, &[5, 5], &[4, 3]);
        assert_eq!(used, CursorDecision::proven(CursorUse::Unclear));
        // The same page, or another of equal events.
        let used = decided(&[6, 5], 2, &[5, 5], &[5, 5]);
        assert_eq!(used, CursorDecision::for_one_page(CursorUse::Alone));
    }
}
