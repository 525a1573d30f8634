//! Tests prefetching against servers with unexpected behaviour.

use std::collections::HashSet;
use std::sync::Mutex;

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::prefetch_tests::{
    LATENCY, ReadTrace, SimulatedLog, base, bounded, is_whole, moment, read, read_log,
};
use super::tests::{RequestQuery, jira_source, open, org_events_source, slow_fetcher};
use super::*;
use crate::model::time::format_millis;

fn read_from<F>(answer: F) -> ReadTrace
where
    F: Fn(usize, &RequestQuery) -> (u16, String) + Send + Sync + 'static,
{
    let mut fetcher = slow_fetcher(LATENCY, org_events_source(), answer);
    fetcher.concurrency = 5;
    read(fetcher, bounded())
}

/// Each id where it came first: what came before is known.
fn once(ids: &[usize]) -> Vec<usize> {
    let mut known = HashSet::new();
    let ids = ids.iter().copied();
    ids.filter(|id| known.insert(*id)).collect()
}

#[test]
fn records_whose_times_are_equal_prove_nothing_about_the_others() {
    let mut log = SimulatedLog::regular(500, 300_000);
    for event in &mut log.events[..10] {
        event.0 = event.1;
    }
    log.events[400].0 -= 86_400_000;
    log.by_happening = true;
    is_whole(&read_log(&log, 5), &log);
}

#[test]
fn a_record_without_processing_at_the_end_of_a_page_hides_no_witness() {
    let mut log = SimulatedLog::regular(500, 300_000);
    log.events[400].0 -= 86_400_000;
    log.by_happening = true;
    let order: Vec<_> = (0..500).collect();
    let seen = read_from(move |_, query| {
        let (status, body) = log.answer(query);
        let mut body: Value = serde_json::from_str(&body).unwrap();
        for record in body["data"].as_array_mut().unwrap() {
            if record["id"] == "9" {
                record["attributes"] = json!({"time": moment(1_000)});
            }
        }
        (status, body.to_string())
    });
    assert_eq!(once(&seen.ids), order);
}

#[test]
fn a_server_that_takes_from_for_something_coarser_is_no_circle() {
    for grain in [1_000, 60_000, 1_800_000, 86_400_000, i64::MAX / 4] {
        let log = SimulatedLog::regular(500, 300_000);
        let answer = log.clone();
        let seen = read_from(move |_, query| coarse_page(&answer, grain, query));
        assert!(matches!(seen.result, Ok(FetchOutcome::Complete)), "{grain}: {:?}", seen.result);
        assert_eq!(once(&seen.ids), (0..500).collect::<Vec<_>>(), "{grain}");
    }
}

/// The log's page; the cursor is the number of the record behind it.
fn coarse_page(log: &SimulatedLog, grain: i64, query: &RequestQuery) -> (u16, String) {
    let first = match query.get("cursor") {
        Some(cursor) => cursor.parse().unwrap(),
        None => {
            let from = query.number("from") as i64 - base();
            let from = from / grain * grain;
            log.events.partition_point(|event| event.1 < from)
        }
    };
    let rest = log.events.iter().enumerate().skip(first);
    let data: Vec<_> = rest
        .take(log.page)
        .map(|(n, event)| {
            json!({"id": n.to_string(), "attributes": {"time": moment(event.0), "processedAt": moment(event.1)}})
        })
        .collect();
    let behind = first + data.len();
    let next = (behind < log.events.len()).then(|| behind.to_string());
    (200, json!({"data": data, "meta": {"next": next}}).to_string())
}

#[test]
fn nothing_is_requested_after_the_end() {
    // All of it lies in the first of seven days.
    let log = SimulatedLog::regular(2_000, 43_000);
    let seen = read_log(&log, 5);
    is_whole(&seen, &log);
    assert!(seen.queries.len() < 230, "{}", seen.queries.len());
}

#[test]
fn nothing_is_requested_after_a_failure() {
    let log = SimulatedLog::regular(5_000, 120_000);
    let late = base() + 20_000_000;
    let seen = read_from(move |_, query| match query.get("from") {
        Some(from) if from.parse::<i64>().unwrap() > late => (403, String::new()),
        _ => log.answer(query),
    });
    assert!(matches!(seen.result, Err(FetchError::Failed(_))));
    assert_eq!(seen.ids, (0..seen.ids.len()).collect::<Vec<_>>());
    let by_time = seen.queries.iter().filter(|query| query.starts_with("from"));
    assert!(by_time.count() < 15, "{} requests", seen.queries.len());
}

fn jira_odd(times: &[i64], ignores_to: bool, query: &RequestQuery) -> (u16, String) {
    let base = open(None).from;
    let (from, to) = (query.time("from"), query.time("to"));
    let newest_first = times.iter().enumerate().rev();
    let newest_first = newest_first.map(|(n, ms)| (n, base + TimeDelta::milliseconds(*ms)));
    let records: Vec<_> = newest_first
        .filter(|(_, at)| from <= *at && (ignores_to || *at <= to))
        .skip(query.number("offset"))
        .take(20)
        .map(|(n, at)| json!({"id": n, "created": format_millis(at)}))
        .collect();
    (200, json!({"records": records}).to_string())
}

fn read_jira<F>(answer: F) -> ReadTrace
where
    F: Fn(usize, &RequestQuery) -> (u16, String) + Send + Sync + 'static,
{
    let mut fetcher = slow_fetcher(Duration::from_millis(300), jira_source(20), answer);
    (fetcher.concurrency, fetcher.slice_records) = (8, 60);
    read(fetcher, bounded())
}

#[test]
fn no_slice_is_requested_after_a_failure() {
    let times: Vec<i64> = (0..4_000).map(|n| n * 150_000).collect();
    let late = open(None).from + TimeDelta::hours(6);
    let seen = read_jira(move |asked, query| match asked > 0 && query.time("from") > late {
        true => (403, String::new()),
        false => jira_odd(&times, false, query),
    });
    assert!(matches!(seen.result, Err(FetchError::Failed(_))));
    assert_eq!(seen.ids, (0..seen.ids.len()).collect::<Vec<_>>());
    let asked = seen.queries.len();
    assert!(asked < 40, "{asked} requests, {} records", seen.ids.len());
}

#[test]
fn no_more_requests_are_sent_at_once_than_allowed() {
    let log = SimulatedLog::regular(1_000, 500_000);
    let padding: Vec<String> =
        (0..10).map(|_| (0..60_000).map(|_| fastrand::alphanumeric()).collect()).collect();
    let begun: Arc<Mutex<Vec<tokio::time::Instant>>> = Arc::default();
    let (answer, starts) = (log.clone(), begun.clone());
    let seen = read_from(move |_, query| {
        starts.lock().unwrap().push(tokio::time::Instant::now());
        let (status, body) = answer.answer(query);
        let mut body: Value = serde_json::from_str(&body).unwrap();
        for record in body["data"].as_array_mut().unwrap() {
            let id: usize = record["id"].as_str().unwrap().parse().unwrap();
            record["attributes"]["note"] = json!(padding[id % 10].clone());
        }
        (status, body.to_string())
    });
    let begun = begun.lock().unwrap();
    let most = begun
        .iter()
        .map(|at| {
            let under_way =
                |other: &&tokio::time::Instant| **other <= *at && *at < **other + LATENCY;
            begun.iter().filter(under_way).count()
        })
        .max();
    is_whole(&seen, &log);
    assert!(most <= Some(5), "{most:?}");
}

/// How a server takes `from`.
#[derive(Debug, Clone, Copy)]
enum FromFilter {
    Order(i64),
    Happening(i64),
}

#[derive(Debug, Clone)]
struct OddServer {
    /// Microseconds: order; whether it says when it happened, how much earlier that was, and
    /// whether it says when it was processed.
    events: Vec<(i64, Option<i64>, bool, i64)>,
    sizes: Vec<usize>,
    by: FromFilter,
    is_random: bool,
    empty_every: usize,
    keeps_cursor: bool,
}

fn format_micros(us: i64) -> String {
    let at = open(None).from + TimeDelta::microseconds(us);
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

impl OddServer {
    fn answer(&self, asked: usize, query: &RequestQuery) -> (u16, String) {
        let (from, first, mut was_empty) = match query.get("cursor") {
            Some(cursor) => {
                let mut of = cursor.split(':').map(|n| n.parse::<i64>().unwrap());
                let mut part = || of.next().unwrap();
                (part(), part() as usize, part() == 1)
            }
            None => (query.number("from") as i64 - base(), 0, false),
        };
        let is_there = |event: &(i64, Option<i64>, bool, i64)| match self.by {
            FromFilter::Order(grain) => event.0 >= (from / grain * grain) * 1000,
            FromFilter::Happening(grain) => {
                event.0 - event.1.unwrap_or(0) >= (from / grain * grain) * 1000
            }
        };
        let mut rest = self
            .events
            .iter()
            .enumerate()
            .skip(first)
            .filter(|(_, event)| is_there(event))
            .peekable();
        let from = if matches!(self.by, FromFilter::Order(_)) { -1_000_000_000 } else { from };
        let nonce = if self.is_random { asked } else { 0 };
        let start = rest.peek().map_or(self.events.len(), |(n, _)| *n);
        if self.empty_every > 0
            && start % self.empty_every == 0
            && !was_empty
            && start < self.events.len()
        {
            was_empty = true;
            let next = format!("{from}:{start}:{}:{nonce}", i64::from(was_empty));
            return (200, json!({"data": [], "meta": {"next": next}}).to_string());
        }
        let size = self.sizes[start % self.sizes.len()];
        let page: Vec<_> = rest.by_ref().take(size).collect();
        let behind = page.last().map_or(start, |(n, _)| n + 1);
        let next = match rest.next() {
            Some(_) => Some(format!("{from}:{behind}:0:{nonce}")),
            None if self.keeps_cursor && page.is_empty() => query.get("cursor"),
            None => self.keeps_cursor.then(|| format!("{from}:{behind}:0:{nonce}")),
        };
        let data: Vec<_> = page.into_iter().map(|(n, event)| record_json(n, event)).collect();
        let body = json!({"data": data, "meta": {"next": next}});
        (200, body.to_string())
    }
}

fn record_json(n: usize, (at, late, says, odd): &(i64, Option<i64>, bool, i64)) -> Value {
    let mut attributes = json!({"n": n});
    if let Some(late) = late {
        attributes["time"] = json!(format_micros(at - late));
    }
    if *says {
        attributes["processedAt"] = json!(format_micros(at + odd));
    }
    json!({"id": n.to_string(), "attributes": attributes})
}

fn late() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        4 => Just(Some(0_i64)), 4 => (0_i64..2_000_000).prop_map(Some),
        1 => (0_i64..90_000_000_000).prop_map(Some), 1 => Just(None)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_a_server_does_reading_ahead_brings_what_one_page_after_the_other_brings(
        gaps in prop::collection::vec((prop_oneof![0_i64..3, 0_i64..5_000_000, 0_i64..5_000_000_000], late(), prop::bool::weighted(0.95),
            prop_oneof![97 => Just(0_i64), 1 => Just(-500_000_000_000_000_i64), 1 => Just(2_000_000_000_000_000_i64), 1 => -5_000_000_i64..5_000_000]), 1..400),
        sizes in prop_oneof![(2_usize..20).prop_map(|n| vec![n]), prop::collection::vec(1_usize..20, 1..4)],
        by in prop_oneof![
            prop_oneof![Just(1_i64), Just(1_000), Just(3_600_000), Just(1_i64 << 50)].prop_map(FromFilter::Order),
            Just(FromFilter::Happening(1))],
        is_random in any::<bool>(),
        empty_every in prop_oneof![3 => Just(0_usize), 1 => 2_usize..60],
        keeps_cursor in any::<bool>(),
    ) {
        let mut order = 0;
        let events = gaps.into_iter().map(|(gap, late, says, odd)| { order += gap; (order, late, says, odd) }).collect();
        let odd = OddServer { events, sizes, by, is_random, empty_every, keeps_cursor };
        let read_with = |concurrency| {
            let odd = odd.clone();
            let mut fetcher = slow_fetcher(LATENCY, org_events_source(), move |asked, query| odd.answer(asked, query));
            fetcher.concurrency = concurrency;
            read(fetcher, bounded())
        };
        let (alone, ahead) = (read_with(1), read_with(5));
        prop_assert_eq!(format!("{:?}", alone.result), format!("{:?}", ahead.result));
        prop_assert_eq!(once(&alone.ids), once(&ahead.ids));
        prop_assert!(ahead.queries.len() <= alone.queries.len() * 5 + 20, "{} {}", alone.queries.len(), ahead.queries.len());
    }
}
