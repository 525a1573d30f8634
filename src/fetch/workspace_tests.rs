//! Tests the reading of workspace events against servers that read the undocumented API in every
//! way.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::paging_tests::{PagingResult, read_answers, read_backfill};
use super::tests::{RequestQuery, open};
use super::*;
use crate::model::name::SourceKind;
use crate::model::time::{format_millis, parse_api_time};
use crate::source::Source;
use crate::source::api_reading::EventClock;

/// Where a page names the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CursorPlace {
    Meta,
    Links,
    Both,
    /// Nowhere: the rest is read by time.
    Nowhere,
}

/// What may stand beside a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BesideCursor {
    Anything,
    /// A time range is refused with 400.
    Nothing,
    /// Without a time range the cursor leads on through the whole log.
    TimeRange,
}

/// How a server reads the API, and its events: by the time that it sorts and compares, in
/// milliseconds after the start of the window, with the distance of the other time.
#[derive(Debug, Clone)]
struct WorkspaceServer {
    events: Vec<(i64, i64)>,
    oldest_first: bool,
    place: CursorPlace,
    /// The last page names a next page too, which is empty and names itself.
    never_ends: bool,
    beside: BesideCursor,
    page_cap: usize,
    /// A larger `limit` is refused with 400.
    largest_limit: usize,
    /// Milliseconds are refused with 400, or else texts.
    text_dates: bool,
    clock: EventClock,
    has_processed_time: bool,
    /// Events are sorted by the time that is not compared.
    sorts_otherwise: bool,
    /// Requests after which a new event arrives.
    grows_at: Vec<usize>,
}

impl WorkspaceServer {
    fn new(events: Vec<(i64, i64)>) -> WorkspaceServer {
        WorkspaceServer {
            events,
            oldest_first: false,
            place: CursorPlace::Both,
            never_ends: false,
            beside: BesideCursor::Anything,
            page_cap: 1_000,
            largest_limit: 1_000,
            text_dates: false,
            clock: EventClock::Processed,
            has_processed_time: true,
            sorts_otherwise: false,
            grows_at: Vec::new(),
        }
    }

    fn text(&self, number: usize, (ms, other): (i64, i64)) -> String {
        let at = |ms| format_millis(open(None).from + TimeDelta::milliseconds(ms));
        let (happened, processed) = match self.clock {
            EventClock::Happened => (ms, ms + other),
            EventClock::Processed => (ms - other, ms),
        };
        let (happened, processed) = match self.has_processed_time {
            true => (at(happened), format!(r#","processedAt":"{}""#, at(processed))),
            false => (at(ms), String::new()),
        };
        format!(r#"{{"id":"e{number}","attributes":{{"time":"{happened}"{processed}}}}}"#)
    }

    /// Milliseconds after the start of the window; nothing where the form is refused.
    fn date(&self, query: &RequestQuery, key: &str) -> Option<Option<i64>> {
        let Some(text) = query.get(key) else { return Some(None) };
        let base = open(None).from.timestamp_millis();
        let at = match self.text_dates {
            true => parse_api_time(&text)?.timestamp_millis(),
            false => text.parse::<i64>().ok()?,
        };
        Some(Some(at - base))
    }

    /// The events at the request of this number, in the order of the server.
    fn visible(&self, request: usize) -> Vec<(usize, (i64, i64))> {
        let grown = self.grows_at.iter().filter(|at| **at < request).count();
        let newest = self.events.last().map_or(0, |event| event.0);
        let arrived = (0..grown).map(|_| (newest, 0));
        let mut all: Vec<_> = self.events.iter().copied().chain(arrived).enumerate().collect();
        if self.sorts_otherwise {
            all.sort_by_key(|(number, (ms, other))| match self.clock {
                EventClock::Happened => (ms + other, *number),
                EventClock::Processed => (ms - other, *number),
            });
        }
        if !self.oldest_first {
            all.reverse();
        }
        all
    }

    fn answer(&self, request: usize, query: &RequestQuery) -> (u16, String) {
        let refused = |what: &str| (400, format!(r#"{{"errors":[{{"title":"{what}"}}]}}"#));
        let (Some(from), Some(to)) = (self.date(query, "from"), self.date(query, "to")) else {
            return refused("not a date");
        };
        if query.number("limit") > self.largest_limit {
            return refused("limit");
        }
        // A cursor names the last event, and how the walk to it was bounded.
        let cursor = query.get("cursor");
        if cursor.is_some() && from.is_some() && self.beside == BesideCursor::Nothing {
            return refused("a cursor stands alone");
        }
        let parts: Vec<i64> = cursor
            .iter()
            .flat_map(|text| text.split('.'))
            .map(|part| part.parse().unwrap())
            .collect();
        let (from, to) = match (self.beside, &parts[..]) {
            (BesideCursor::TimeRange, _) | (_, []) => (from.unwrap_or(0), to.unwrap_or(i64::MAX)),
            (_, parts) => (parts[1], parts[2]),
        };
        let after = parts.first().copied();
        let all = self.visible(request);
        let start = after.map_or(0, |last| {
            let last = usize::try_from(last).unwrap();
            all.iter().position(|(number, _)| *number == last).unwrap() + 1
        });
        let mut matching =
            all[start..].iter().filter(|(_, (ms, _))| from <= *ms && *ms <= to).peekable();
        let most = query.number("limit").min(self.page_cap);
        let page: Vec<_> = matching.by_ref().take(most).collect();
        let last = page.last().map(|(number, _)| i64::try_from(*number).unwrap()).or(after);
        let goes_on = matching.peek().is_some() || self.never_ends;
        let next = last.filter(|_| goes_on).map(|last| format!("{last}.{from}.{to}"));
        (200, self.body(&page, next))
    }

    fn body(&self, page: &[&(usize, (i64, i64))], next: Option<String>) -> String {
        let events: Vec<_> =
            page.iter().map(|(number, event)| self.text(*number, *event)).collect();
        let (mut meta, mut links) = ("{}".to_owned(), "{}".to_owned());
        if let Some(next) = next {
            if matches!(self.place, CursorPlace::Meta | CursorPlace::Both) {
                meta = format!(r#"{{"next":"{next}"}}"#);
            }
            if matches!(self.place, CursorPlace::Links | CursorPlace::Both) {
                links = format!(r#"{{"next":"https://api.example/events?cursor={next}"}}"#);
            }
        }
        format!(r#"{{"data":[{}],"meta":{meta},"links":{links}}}"#, events.join(","))
    }

    fn ids(&self) -> BTreeSet<String> {
        (0..self.events.len()).map(|number| format!("e{number}")).collect()
    }

    fn read(&self, page_size: u32, most: usize, latency: u64) -> PagingResult {
        let url = "https://api.example".parse().unwrap();
        let owner = Some("ari:cloud:jira::site/c1");
        let source = Source::new(SourceKind::WorkspaceEvents, &url, owner, page_size);
        let played = self.clone();
        let answer = move |request, query: &RequestQuery| played.answer(request, query);
        read_answers(source, most, Duration::from_millis(latency), answer)
    }

    fn assert_reads_all(&self, page_size: u32, most: usize) -> usize {
        let seen = self.read(page_size, most, 1);
        assert!(matches!(seen.result, Ok(FetchOutcome::Complete)), "{self:?}: {:?}", seen.result);
        assert_eq!(seen.ids, self.ids(), "{self:?}");
        seen.requests
    }
}

/// Each `step` milliseconds an event that was processed a second and a half later.
fn regular(events: i64, step: i64) -> WorkspaceServer {
    WorkspaceServer::new((0..events).map(|n| (n * step, 1_500)).collect())
}

#[test]
fn an_idle_window_costs_few_requests() {
    assert_eq!(regular(0, 1).assert_reads_all(500, 3_000), 1);
    // The page, an event by each of its times, and what may lie before the oldest.
    assert_eq!(regular(12, 5_000).assert_reads_all(500, 3_000), 4);
    let one_clock = WorkspaceServer { has_processed_time: false, ..regular(12, 5_000) };
    assert_eq!(one_clock.assert_reads_all(500, 3_000), 2);
}

#[test]
fn cursors_are_followed_wherever_they_stand_and_whatever_may_stand_beside_them() {
    for oldest_first in [false, true] {
        for place in [CursorPlace::Meta, CursorPlace::Links, CursorPlace::Both] {
            for beside in [BesideCursor::Anything, BesideCursor::Nothing, BesideCursor::TimeRange] {
                for never_ends in [false, true] {
                    let server = WorkspaceServer {
                        oldest_first,
                        place,
                        beside,
                        never_ends,
                        ..regular(1_000, 700)
                    };
                    let asked = server.assert_reads_all(50, 3_000);
                    assert!(asked < 30, "{server:?}: {asked}");
                }
            }
        }
    }
}

#[test]
fn a_server_without_cursors_is_read_by_time() {
    for oldest_first in [false, true] {
        for clock in [EventClock::Happened, EventClock::Processed] {
            let server = WorkspaceServer {
                oldest_first,
                clock,
                place: CursorPlace::Nowhere,
                ..regular(500, 700)
            };
            let asked = server.assert_reads_all(50, 200);
            assert!(asked < 60, "{server:?}: {asked}");
        }
    }
}

#[test]
fn refused_forms_of_a_request_are_replaced() {
    for (text_dates, largest_limit) in [(true, 1_000), (false, 100), (true, 100)] {
        let server = WorkspaceServer { text_dates, largest_limit, ..regular(450, 700) };
        let asked = server.assert_reads_all(500, 3_000);
        assert!(asked < 16, "{asked}");
    }
    // No form helps: the server's own words are reported.
    let server = WorkspaceServer { largest_limit: 10, ..regular(450, 700) };
    let seen = server.read(500, 3_000, 1);
    let Err(FetchError::Failed(failure)) = seen.result else { panic!("{:?}", seen.result) };
    assert_eq!((failure.status, failure.message.as_str()), (Some(400), "limit"));
}

/// A bulk change: many events of one instant, and nothing else.
#[test]
fn an_instant_that_fills_a_page_is_whole_if_the_server_names_cursors() {
    let crowded = WorkspaceServer::new((0..100).map(|_| (7_000, 0)).collect());
    assert_eq!(crowded.assert_reads_all(500, 3_000), 4);
    let hidden = WorkspaceServer { place: CursorPlace::Nowhere, page_cap: 100, ..crowded };
    let seen = hidden.read(500, 3_000, 1);
    let Err(error @ FetchError::UnclearEnd { .. }) = seen.result else {
        panic!("{:?}", seen.result);
    };
    assert!(error.to_string().contains("of 2026-11-01T00:00:07.000Z fill a page"), "{error}");
}

/// Reads this log by an event query whose results lack `missing` events.
fn read_by_query(backfill: BackfillMode, missing: usize) -> PagingResult {
    let server = regular(100, 5_000);
    let found = WorkspaceServer::new(server.events[missing..].to_vec());
    let url = "https://api.example".parse().unwrap();
    let source = Source::new(SourceKind::WorkspaceEvents, &url, Some("w"), 50);
    let answer = move |request, query: &RequestQuery| {
        let status = r#"{"data":{"id":"q1","attributes":{"status":"COMPLETED"}}}"#.to_owned();
        match query.path() {
            path if path.ends_with("/results") => {
                let (status, body) = found.answer(request, query);
                // The ids of the log, of which the first are missing.
                let renumbered =
                    |n: usize| (format!(r#""e{n}""#), format!(r#""E{}""#, n + missing));
                let body = (0..100)
                    .rev()
                    .map(renumbered)
                    .fold(body, |body, (own, whole)| body.replace(&own, &whole));
                (status, body.replace(r#""E"#, r#""e"#))
            }
            path if path.ends_with("/event-queries") => (201, status),
            _ => server.answer(request, query),
        }
    };
    read_backfill(source, backfill, 3_000, Duration::from_millis(1), answer)
}

#[test]
fn a_query_that_finds_less_than_the_first_page_shows_is_not_believed() {
    for backfill in [BackfillMode::Auto, BackfillMode::Query] {
        let whole = read_by_query(backfill, 0);
        assert!(whole.result.is_ok(), "{:?}", whole.result);
        assert_eq!(whole.ids, regular(100, 5_000).ids());
    }
    let auto = read_by_query(BackfillMode::Auto, 60);
    assert!(auto.result.is_ok(), "{:?}", auto.result);
    assert_eq!(auto.ids, regular(100, 5_000).ids());
    let query = read_by_query(BackfillMode::Query, 60);
    let Err(FetchError::Failed(failure)) = query.result else { panic!("{:?}", query.result) };
    assert!(failure.message.contains("lack events that a page shows"), "{failure}");
    assert!(query.ids.is_empty());
}

#[test]
fn a_server_that_finds_its_events_by_no_time_is_an_error() {
    let server = regular(20, 5_000);
    let read = move |request: usize, query: &RequestQuery| match request {
        0 => server.answer(request, query),
        _ => (200, r#"{"data":[]}"#.to_owned()),
    };
    let url = "https://api.example".parse().unwrap();
    let source = Source::new(SourceKind::WorkspaceEvents, &url, Some("w"), 500);
    let seen = read_answers(source, 3_000, Duration::from_millis(1), read);
    let Err(FetchError::Failed(failure)) = seen.result else { panic!("{:?}", seen.result) };
    assert!(failure.message.contains("neither by the time"), "{failure}");
}

prop_compose! {
    fn any_server()(
        gaps in prop::collection::vec(
            (prop_oneof![3 => Just(0_i64), 2 => 0_i64..3, 5 => 0_i64..5_000_000],
             prop_oneof![4 => 0_i64..3_000, 1 => 0_i64..80_000_000]),
            0..200,
        ),
        (oldest_first, never_ends, text_dates, has_processed_time, is_processed)
            in any::<(bool, bool, bool, bool, bool)>(),
        sorts_otherwise in prop::bool::weighted(0.2),
        place in prop::sample::select(
            &[CursorPlace::Meta, CursorPlace::Links, CursorPlace::Both, CursorPlace::Nowhere][..]),
        beside in prop::sample::select(
            &[BesideCursor::Anything, BesideCursor::Nothing, BesideCursor::TimeRange][..]),
        page_cap in prop_oneof![3_usize..40, Just(1_000)],
        largest_limit in prop_oneof![Just(100_usize), Just(1_000)],
        grows_at in prop::collection::vec(0_usize..30, 0..4),
    ) -> WorkspaceServer {
        let mut at = 0;
        WorkspaceServer {
            events: gaps.iter().map(|(gap, lag)| { at += gap; (at, *lag) }).collect(),
            oldest_first, place, never_ends, beside, largest_limit,
            // No API is known to give fewer.
            page_cap: if place == CursorPlace::Nowhere { page_cap.max(20) } else { page_cap },
            text_dates,
            clock: if is_processed { EventClock::Processed } else { EventClock::Happened },
            has_processed_time,
            sorts_otherwise,
            grows_at,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn however_a_server_reads_the_api_each_event_is_read_or_the_run_says_so(
        server in any_server(),
        page_size in prop_oneof![3_u32..30, Just(500)],
        most in 1_usize..120,
        is_slow in any::<bool>(),
    ) {
        let seen = server.read(page_size, most, if is_slow { 300 } else { 1 });
        if seen.result.is_ok() {
            let lost: Vec<_> = server.ids().difference(&seen.ids).cloned().collect();
            prop_assert!(lost.is_empty(), "lost {lost:?}");
        }
    }

    #[test]
    fn a_log_that_does_not_grow_is_read_without_an_error(
        server in any_server(),
        most in 20_usize..120,
    ) {
        let server = WorkspaceServer { grows_at: Vec::new(), ..server };
        let seen = server.read(500, most, 1);
        if server.place == CursorPlace::Nowhere
            && matches!(seen.result, Err(FetchError::UnclearEnd { .. }))
        {
            // An instant fills a page, and nothing says whether there is more of it.
            return Ok(());
        }
        prop_assert!(matches!(seen.result, Ok(FetchOutcome::Complete)), "{:?}", seen.result);
        prop_assert_eq!(seen.ids, server.ids());
    }
}
