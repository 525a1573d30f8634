//! The organization's events, kept as JSON text in processing order.
//!
//! The history that the server starts with is laid out as one text, so that a page of it is a slice
//! and not a copy. A client can then be measured against this server, and not together with it.

use std::ops::Range;

use bytes::Bytes;

use crate::sandbox::{FilterClock, data::OrgEvent};

/// The place of an event: processing time, then order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPosition {
    /// `attributes.processedAt`, epoch milliseconds.
    pub processed_ms: i64,
    /// Number of arrival.
    pub sequence: u64,
}

/// What a page is asked for.
#[derive(Clone, Copy, Debug)]
pub struct EventQuery {
    /// The last event served before.
    pub after: Option<EventPosition>,
    /// Lower bound, inclusive.
    pub from: Option<i64>,
    /// Upper bound, inclusive.
    pub to: Option<i64>,
    /// What the bounds compare with.
    pub clock: FilterClock,
    /// Newest first.
    pub descending: bool,
    /// Only events that arrived before this one.
    pub arrived: Option<u64>,
    /// Every seventh event that was processed since then is not visible yet.
    pub hidden_since: Option<i64>,
    /// Most events on the page.
    pub limit: usize,
}

/// A page of events.
#[derive(Debug)]
pub struct EventPage {
    /// Their JSON texts, with a comma between each two.
    pub texts: Bytes,
    /// How many they are.
    pub count: usize,
    /// The place of the last one.
    pub last: Option<EventPosition>,
    /// Whether there are more behind it.
    pub more: bool,
}

/// The log.
#[derive(Debug, Default)]
pub struct OrgLog {
    kept: Vec<StoredEvent>,
    arrived: u64,
    /// The texts of the history, in order, with a comma between each two.
    laid_out: Bytes,
}

/// An event in its place.
#[derive(Debug)]
struct StoredEvent {
    position: EventPosition,
    time_ms: i64,
    id: String,
    text: StoredText,
}

/// Where an event's text is.
#[derive(Debug)]
enum StoredText {
    LaidOut(Range<usize>),
    Own(String),
}

impl OrgLog {
    /// Gives an event its place; among equal processing times it comes last.
    pub fn add(&mut self, event: OrgEvent) {
        let position = self.arrival(event.processed_ms);
        let place = self.kept.partition_point(|kept| kept.position < position);
        let kept = StoredEvent {
            position,
            time_ms: event.time_ms,
            id: event.id,
            text: StoredText::Own(event.text),
        };
        self.kept.insert(place, kept);
    }

    fn arrival(&mut self, processed_ms: i64) -> EventPosition {
        let sequence = self.arrived;
        self.arrived += 1;
        EventPosition { processed_ms, sequence }
    }

    /// How many events have arrived.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// When the newest event was processed.
    pub fn last_processed_ms(&self) -> Option<i64> {
        self.kept.last().map(|kept| kept.position.processed_ms)
    }

    /// All ids in processing order.
    pub fn ids(&self) -> Vec<String> {
        self.kept.iter().map(|kept| kept.id.clone()).collect()
    }

    /// All texts in processing order.
    pub fn texts(&self) -> Vec<String> {
        let owned = |kept| String::from_utf8_lossy(self.text(kept)).into_owned();
        self.kept.iter().map(owned).collect()
    }

    /// The place that lies `events` before `from`; nothing when that is before the first one.
    pub fn back(&self, from: EventPosition, events: usize) -> Option<EventPosition> {
        let passed = self.kept.partition_point(|kept| kept.position <= from);
        let last = passed.checked_sub(events)?.checked_sub(1)?;
        self.kept.get(last).map(|kept| kept.position)
    }

    /// The page that `search` asks for.
    pub fn page(&self, search: &EventQuery) -> EventPage {
        let range = self.range(search);
        let candidates = self.kept.get(range).unwrap_or_default().iter();
        let matching = |kept: &&StoredEvent| {
            let inside = match search.clock {
                FilterClock::ProcessedAt => true, // the range is exact
                FilterClock::Time => within(search, kept.time_ms),
            };
            inside && is_visible(search, kept.position)
        };
        let wanted = search.limit.saturating_add(1);
        let mut hits: Vec<&StoredEvent> = if search.descending {
            candidates.rev().filter(matching).take(wanted).collect()
        } else {
            candidates.filter(matching).take(wanted).collect()
        };
        let more = hits.len() > search.limit;
        hits.truncate(search.limit);
        EventPage {
            texts: self.joined(&hits),
            count: hits.len(),
            last: hits.last().map(|kept| kept.position),
            more,
        }
    }

    /// The texts of `hits`: a slice where they lie side by side in the history, a copy elsewhere.
    fn joined(&self, hits: &[&StoredEvent]) -> Bytes {
        match contiguous_range(hits) {
            Some(contiguous_range) => self.laid_out.slice(contiguous_range),
            None => {
                let texts: Vec<&[u8]> = hits.iter().map(|kept| self.text(kept)).collect();
                Bytes::from(texts.join(&b','))
            }
        }
    }

    fn text<'a>(&'a self, kept: &'a StoredEvent) -> &'a [u8] {
        match &kept.text {
            StoredText::LaidOut(place) => self.laid_out.get(place.clone()).unwrap_or_default(),
            StoredText::Own(text) => text.as_bytes(),
        }
    }

    /// The stretch of the log that can match.
    fn range(&self, search: &EventQuery) -> Range<usize> {
        let (mut start, mut end) = (0, self.kept.len());
        if search.clock == FilterClock::ProcessedAt {
            if let Some(from) = search.from {
                start = self.kept.partition_point(|kept| kept.position.processed_ms < from);
            }
            if let Some(to) = search.to {
                end = self.kept.partition_point(|kept| kept.position.processed_ms <= to);
            }
        }
        match search.after {
            Some(after) if search.descending => {
                end = end.min(self.kept.partition_point(|kept| kept.position < after));
            }
            Some(after) => {
                start = start.max(self.kept.partition_point(|kept| kept.position <= after));
            }
            None => {}
        }
        start..end.max(start)
    }
}

impl FromIterator<OrgEvent> for OrgLog {
    /// Lays out the events. One that comes out of order gets a place of its own, as if added later.
    fn from_iter<I: IntoIterator<Item = OrgEvent>>(events: I) -> Self {
        let mut log = Self::default();
        let (mut laid_out, mut late) = (String::new(), Vec::new());
        for event in events {
            if log.last_processed_ms() > Some(event.processed_ms) {
                late.push(event);
                continue;
            }
            if !log.kept.is_empty() {
                laid_out.push(',');
            }
            let start = laid_out.len();
            laid_out.push_str(&event.text);
            let kept = StoredEvent {
                position: log.arrival(event.processed_ms),
                time_ms: event.time_ms,
                id: event.id,
                text: StoredText::LaidOut(start..laid_out.len()),
            };
            log.kept.push(kept);
        }
        log.laid_out = Bytes::from(laid_out);
        late.into_iter().for_each(|event| log.add(event));
        log
    }
}

/// The stretch of the laid out text that holds `hits` and nothing else.
fn contiguous_range(hits: &[&StoredEvent]) -> Option<Range<usize>> {
    let mut places = hits.iter().map(|kept| match &kept.text {
        StoredText::LaidOut(place) => Some(place),
        StoredText::Own(_) => None,
    });
    let mut contiguous_range = places.next()??.clone();
    for place in places {
        let place = place?;
        if place.start != contiguous_range.end + 1 {
            return None;
        }
        contiguous_range.end = place.end;
    }
    Some(contiguous_range)
}

fn is_visible(search: &EventQuery, position: EventPosition) -> bool {
    let is_late = position.sequence % 7 == 3;
    let is_hidden = |since| is_late && position.processed_ms > since;
    search.arrived.is_none_or(|end| position.sequence < end)
        && !search.hidden_since.is_some_and(is_hidden)
}

fn within(search: &EventQuery, at: i64) -> bool {
    search.from.is_none_or(|from| at >= from) && search.to.is_none_or(|to| at <= to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: usize, processed_ms: i64, time_ms: i64) -> OrgEvent {
        OrgEvent { id: number.to_string(), time_ms, processed_ms, text: number.to_string() }
    }

    fn log(times: &[(i64, i64)]) -> OrgLog {
        let numbered = times.iter().enumerate();
        numbered
            .map(|(number, (processed_ms, time_ms))| event(number, *processed_ms, *time_ms))
            .collect()
    }

    fn search(limit: usize) -> EventQuery {
        EventQuery {
            after: None,
            from: None,
            to: None,
            clock: FilterClock::ProcessedAt,
            descending: false,
            arrived: None,
            hidden_since: None,
            limit,
        }
    }

    fn words(found: &EventPage) -> &str {
        std::str::from_utf8(&found.texts).unwrap()
    }

    #[test]
    fn a_shared_millisecond_is_cut_between_two_pages_without_loss() {
        let log = log(&[(5, 5), (7, 7), (7, 1), (7, 7), (9, 9)]);
        let first = log.page(&search(2));
        assert_eq!((words(&first), first.count, first.more), ("0,1", 2, true));
        let second = log.page(&EventQuery { after: first.last, ..search(9) });
        assert_eq!((words(&second), second.count, second.more), ("2,3,4", 3, false));
    }

    #[test]
    fn bounds_are_inclusive_on_either_clock() {
        let log = log(&[(5, 4), (6, 2), (7, 7), (8, 1)]);
        let bounded = EventQuery { from: Some(2), to: Some(7), ..search(9) };
        assert_eq!(words(&log.page(&bounded)), "0,1,2");
        let by_time = EventQuery { clock: FilterClock::Time, ..bounded };
        assert_eq!(words(&log.page(&by_time)), "0,1,2");
        let narrow = EventQuery { from: Some(5), ..by_time };
        assert_eq!(words(&log.page(&narrow)), "2");
        let nowhere = EventQuery { from: Some(9), to: Some(3), ..search(9) };
        assert!(log.page(&nowhere).texts.is_empty());
    }

    #[test]
    fn newest_first_walks_down() {
        let log = log(&[(5, 5), (7, 7), (7, 7)]);
        let down = EventQuery { descending: true, ..search(2) };
        let first = log.page(&down);
        assert_eq!(words(&first), "2,1");
        let second = log.page(&EventQuery { after: first.last, ..down });
        assert_eq!(words(&second), "0");
    }

    #[test]
    fn a_late_arrival_takes_its_place() {
        let mut log = log(&[(5, 5), (9, 9)]);
        log.add(OrgEvent::verbatim(
            r#"{"id":"x","attributes":{"time":"1970-01-01T00:00:00.001Z"}}"#.into(),
            5,
        ));
        assert_eq!(log.ids(), ["0", "x", "1"]);
        assert_eq!(log.last_processed_ms(), Some(9));
    }

    #[test]
    fn a_page_is_the_same_laid_out_or_copied() {
        let times: Vec<(i64, i64)> = (0..40_i64).map(|at| (at / 3, at % 7)).collect();
        let laid_out = log(&times);
        let mut added = OrgLog::default();
        for (number, (processed_ms, time_ms)) in times.iter().enumerate() {
            added.add(event(number, *processed_ms, *time_ms));
        }
        for clock in [FilterClock::ProcessedAt, FilterClock::Time] {
            for (from, to) in [(None, None), (Some(3), None), (Some(2), Some(5))] {
                for (descending, limit) in [(false, 7), (false, 99), (true, 7)] {
                    let search = EventQuery { from, to, clock, descending, ..search(limit) };
                    let (ours, theirs) = (laid_out.page(&search), added.page(&search));
                    assert_eq!(words(&ours), words(&theirs), "{search:?}");
                    assert_eq!((ours.count, ours.last), (theirs.count, theirs.last));
                }
            }
        }
    }

    #[test]
    fn a_page_of_the_history_is_not_copied() {
        let mut log = log(&[(5, 5), (7, 7), (9, 9)]);
        let inside = |log: &OrgLog, found: &EventPage| {
            log.laid_out.as_ptr_range().contains(&found.texts.as_ptr())
        };
        assert!(inside(&log, &log.page(&search(2))));
        log.add(event(3, 6, 6));
        let mixed = log.page(&search(9));
        assert_eq!((words(&mixed), inside(&log, &mixed)), ("0,3,1,2", false));
    }
}
