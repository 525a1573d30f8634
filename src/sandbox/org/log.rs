//! The organization's events, kept as JSON text in processing order.

use std::ops::Range;

use chrono::DateTime;
use serde_json::Value;

use crate::sandbox::FilterClock;

/// An event before it has a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgEvent {
    /// Its id.
    pub id: String,
    /// `attributes.time`, epoch milliseconds.
    pub time_ms: i64,
    /// `attributes.processedAt`, epoch milliseconds.
    pub processed_ms: i64,
    /// The JSON text, served byte for byte.
    pub text: String,
}

impl OrgEvent {
    /// An event of somebody's own making. What cannot be read from it counts as absent.
    pub fn verbatim(text: String, processed_ms: i64) -> Self {
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let time = value["attributes"]["time"].as_str().and_then(|time| {
            DateTime::parse_from_rfc3339(time)
                .ok()
                .map(|time| time.timestamp_millis())
        });
        let id = value["id"].as_str().unwrap_or_default().to_owned();
        Self {
            id,
            time_ms: time.unwrap_or(processed_ms),
            processed_ms,
            text,
        }
    }
}

/// The place of an event: processing time, then order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// `attributes.processedAt`, epoch milliseconds.
    pub processed_ms: i64,
    /// Number of arrival.
    pub sequence: u64,
}

/// What a page is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The last event served before.
    pub after: Option<Position>,
    /// Lower bound, inclusive.
    pub from: Option<i64>,
    /// Upper bound, inclusive.
    pub to: Option<i64>,
    /// What the bounds compare with.
    pub clock: FilterClock,
    /// Newest first.
    pub descending: bool,
    /// Most events on the page.
    pub limit: usize,
}

/// A page of events.
#[derive(Debug)]
pub struct Found<'a> {
    /// Their JSON text.
    pub texts: Vec<&'a str>,
    /// The place of the last one.
    pub last: Option<Position>,
    /// Whether there are more behind it.
    pub more: bool,
}

/// The log.
#[derive(Debug, Default)]
pub struct OrgLog {
    kept: Vec<(Position, OrgEvent)>,
    arrived: u64,
}

impl OrgLog {
    /// Gives an event its place; among equal processing times it comes last.
    pub fn add(&mut self, event: OrgEvent) {
        let position = Position {
            processed_ms: event.processed_ms,
            sequence: self.arrived,
        };
        self.arrived += 1;
        let place = self.kept.partition_point(|(kept, _)| *kept < position);
        self.kept.insert(place, (position, event));
    }

    /// When the newest event was processed.
    pub fn last_processed_ms(&self) -> Option<i64> {
        self.kept.last().map(|(position, _)| position.processed_ms)
    }

    /// All ids in processing order.
    pub fn ids(&self) -> Vec<String> {
        self.kept
            .iter()
            .map(|(_, event)| event.id.clone())
            .collect()
    }

    /// All texts in processing order.
    pub fn texts(&self) -> Vec<String> {
        self.kept
            .iter()
            .map(|(_, event)| event.text.clone())
            .collect()
    }

    /// The place that lies `events` before `from`; nothing when that is before the first one.
    pub fn back(&self, from: Position, events: usize) -> Option<Position> {
        let passed = self.kept.partition_point(|(kept, _)| *kept <= from);
        let last = passed.checked_sub(events)?.checked_sub(1)?;
        self.kept.get(last).map(|(position, _)| *position)
    }

    /// The page that `search` asks for.
    pub fn page(&self, search: &Search) -> Found<'_> {
        let range = self.range(search);
        let candidates = self.kept.get(range).unwrap_or_default().iter();
        let matching = |kept: &&(Position, OrgEvent)| match search.clock {
            FilterClock::ProcessedAt => true, // the range is exact
            FilterClock::Time => within(search, kept.1.time_ms),
        };
        let wanted = search.limit.saturating_add(1);
        let mut hits: Vec<&(Position, OrgEvent)> = if search.descending {
            candidates.rev().filter(matching).take(wanted).collect()
        } else {
            candidates.filter(matching).take(wanted).collect()
        };
        let more = hits.len() > search.limit;
        hits.truncate(search.limit);
        Found {
            last: hits.last().map(|(position, _)| *position),
            texts: hits
                .into_iter()
                .map(|(_, event)| event.text.as_str())
                .collect(),
            more,
        }
    }

    /// The stretch of the log that can match.
    fn range(&self, search: &Search) -> Range<usize> {
        let (mut start, mut end) = (0, self.kept.len());
        if search.clock == FilterClock::ProcessedAt {
            if let Some(from) = search.from {
                start = self
                    .kept
                    .partition_point(|(kept, _)| kept.processed_ms < from);
            }
            if let Some(to) = search.to {
                end = self
                    .kept
                    .partition_point(|(kept, _)| kept.processed_ms <= to);
            }
        }
        match search.after {
            Some(after) if search.descending => {
                end = end.min(self.kept.partition_point(|(kept, _)| *kept < after));
            }
            Some(after) => {
                start = start.max(self.kept.partition_point(|(kept, _)| *kept <= after));
            }
            None => {}
        }
        start..end.max(start)
    }
}

impl FromIterator<OrgEvent> for OrgLog {
    fn from_iter<I: IntoIterator<Item = OrgEvent>>(events: I) -> Self {
        let mut log = Self::default();
        events.into_iter().for_each(|event| log.add(event));
        log
    }
}

fn within(search: &Search, at: i64) -> bool {
    search.from.is_none_or(|from| at >= from) && search.to.is_none_or(|to| at <= to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(times: &[(i64, i64)]) -> OrgLog {
        let event = |(number, (processed_ms, time_ms)): (usize, &(i64, i64))| OrgEvent {
            id: number.to_string(),
            time_ms: *time_ms,
            processed_ms: *processed_ms,
            text: number.to_string(),
        };
        times.iter().enumerate().map(event).collect()
    }

    fn search(limit: usize) -> Search {
        Search {
            after: None,
            from: None,
            to: None,
            clock: FilterClock::ProcessedAt,
            descending: false,
            limit,
        }
    }

    #[test]
    fn a_shared_millisecond_is_cut_between_two_pages_without_loss() {
        let log = log(&[(5, 5), (7, 7), (7, 1), (7, 7), (9, 9)]);
        let first = log.page(&search(2));
        assert_eq!((first.texts, first.more), (vec!["0", "1"], true));
        let second = log.page(&Search {
            after: first.last,
            ..search(9)
        });
        assert_eq!((second.texts, second.more), (vec!["2", "3", "4"], false));
    }

    #[test]
    fn bounds_are_inclusive_on_either_clock() {
        let log = log(&[(5, 4), (6, 2), (7, 7), (8, 1)]);
        let bounded = Search {
            from: Some(2),
            to: Some(7),
            ..search(9)
        };
        assert_eq!(log.page(&bounded).texts, ["0", "1", "2"]);
        let by_time = Search {
            clock: FilterClock::Time,
            ..bounded
        };
        assert_eq!(log.page(&by_time).texts, ["0", "1", "2"]);
        let narrow = Search {
            from: Some(5),
            ..by_time
        };
        assert_eq!(log.page(&narrow).texts, ["2"]);
        let nowhere = Search {
            from: Some(9),
            to: Some(3),
            ..search(9)
        };
        assert!(log.page(&nowhere).texts.is_empty());
    }

    #[test]
    fn newest_first_walks_down() {
        let log = log(&[(5, 5), (7, 7), (7, 7)]);
        let down = Search {
            descending: true,
            ..search(2)
        };
        let first = log.page(&down);
        assert_eq!(first.texts, ["2", "1"]);
        assert_eq!(
            log.page(&Search {
                after: first.last,
                ..down
            })
            .texts,
            ["0"]
        );
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
}
