//! Tests prefetching against slow servers: the same records in the same order as page by page, but
//! sooner.

use std::collections::HashSet;

use chrono::TimeDelta;
use proptest::prelude::*;
use tokio::time::Instant;

use super::tests::{
    CHECK, RequestQuery, ScriptedServer, at, jira, jira_source, open, org_events_source, plan_of,
    slow_fetcher,
};
use super::*;
use crate::http::limiter::CredentialLimit;
use crate::http::limiter::RequestLimiter;
use crate::http::message::Endpoint;
use crate::model::time::format_millis;
use crate::state::checkpoint::OpenWindow;

pub(super) const LATENCY: Duration = Duration::from_secs(3);

/// A log of events, sorted by their processing: milliseconds after the window's start at which each
/// happened and was processed.
#[derive(Debug, Clone)]
pub(super) struct SimulatedLog {
    pub(super) events: Vec<(i64, i64)>,
    pub(super) page: usize,
    /// `from` looks at the time of happening.
    pub(super) by_happening: bool,
    /// What stands at the end of the stream: nothing, or the cursor of the last page.
    pub(super) keeps_cursor: bool,
}

impl SimulatedLog {
    /// An event each `step` milliseconds, processed half a second after it happened.
    pub(super) fn regular(events: i64, step: i64) -> SimulatedLog {
        SimulatedLog {
            events: (0..events).map(|n| (n * step, n * step + 500)).collect(),
            page: 10,
            by_happening: false,
            keeps_cursor: false,
        }
    }

    /// The page asked for. A cursor says what was requested at first, and how many came since.
    pub(super) fn answer(&self, query: &RequestQuery) -> (u16, String) {
        let (from, skip) = match query.get("cursor") {
            Some(cursor) => {
                let (from, skip) = cursor.split_once(':').unwrap();
                (from.parse().unwrap(), skip.parse().unwrap())
            }
            None => (query.number("from") as i64 - base(), 0),
        };
        let matches = |&(_, &(time, processed)): &(usize, &(i64, i64))| match self.by_happening {
            true => time >= from,
            false => processed >= from,
        };
        let mut rest = self.events.iter().enumerate().filter(matches).skip(skip);
        let page: Vec<_> = rest.by_ref().take(self.page).collect();
        let next = match rest.next() {
            Some(_) => Some(format!("{from}:{}", skip + page.len())),
            None => self.keeps_cursor.then(|| format!("{from}:{}", skip + page.len())),
        };
        let data: Vec<_> = page
            .into_iter()
            .map(|(n, &(time, processed))| {
                let attributes =
                    serde_json::json!({"time": moment(time), "processedAt": moment(processed)});
                serde_json::json!({"id": n.to_string(), "attributes": attributes})
            })
            .collect();
        (200, serde_json::json!({"data": data, "meta": {"next": next}}).to_string())
    }
}

pub(super) fn base() -> i64 {
    open(None).from.timestamp_millis()
}

pub(super) fn moment(ms: i64) -> String {
    format_millis(open(None).from + TimeDelta::milliseconds(ms))
}

/// What was read of a window: the ids in order, the requests, and how long it took.
#[derive(Debug)]
pub(super) struct ReadTrace {
    pub(super) ids: Vec<usize>,
    pub(super) queries: Vec<String>,
    pub(super) took: Duration,
    pub(super) result: Result<FetchOutcome, FetchError>,
}

pub(super) fn read<F>(fetcher: Fetcher<ScriptedServer<F>>, window: OpenWindow) -> ReadTrace
where
    F: Fn(usize, &RequestQuery) -> (u16, String) + Send + Sync + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        let (sender, mut receiver) = mpsc::channel(2);
        let plan = plan_of(window, None);
        let reading = fetcher.run(&plan, CHECK, sender);
        let collecting = async {
            let mut ids = Vec::new();
            while let Some(delivery) = receiver.recv().await {
                if let FetchMessage::Records { records, .. } = delivery {
                    ids.extend(
                        records
                            .iter()
                            .map(|record| record.id.as_ref().unwrap().parse::<usize>().unwrap()),
                    );
                }
            }
            ids
        };
        let (result, ids) = tokio::join!(reading, collecting);
        ReadTrace {
            ids,
            queries: fetcher.reader.transport.requests.lock().unwrap().clone(),
            took: begun.elapsed(),
            result,
        }
    })
}

pub(super) fn read_log(log: &SimulatedLog, concurrency: usize) -> ReadTrace {
    let log = log.clone();
    let mut fetcher = slow_fetcher(LATENCY, org_events_source(), move |_, query| log.answer(query));
    fetcher.concurrency = concurrency;
    read(fetcher, bounded())
}

pub(super) fn bounded() -> OpenWindow {
    OpenWindow { to: Some(at("2026-11-08T00:00:00Z")), ..open(None) }
}

/// All of them, once and in the order of the log.
pub(super) fn is_whole(seen: &ReadTrace, log: &SimulatedLog) {
    assert!(matches!(seen.result, Ok(FetchOutcome::Complete)), "{:?}", seen.result);
    assert_eq!(seen.ids, (0..log.events.len()).collect::<Vec<_>>());
}

#[test]
fn several_parts_of_a_long_window_are_read_at_once() {
    let log = SimulatedLog::regular(2_000, 300_000);
    let (alone, ahead) = (read_log(&log, 1), read_log(&log, 5));
    is_whole(&alone, &log);
    is_whole(&ahead, &log);
    assert_eq!((alone.took, alone.queries.len()), (LATENCY * 200, 200));
    let times_faster = alone.took.as_secs_f64() / ahead.took.as_secs_f64();
    assert!(times_faster > 3.8, "{times_faster:.2}");
    assert!(ahead.queries.len() < 220, "{}", ahead.queries.len());
}

#[test]
fn a_server_that_filters_by_the_time_of_happening_is_read_page_by_page() {
    let mut log = SimulatedLog::regular(500, 300_000);
    // One that was processed a day late: a part that begins between would lack it.
    log.events[400].0 -= 86_400_000;
    log.by_happening = true;
    let seen = read_log(&log, 5);
    let order: Vec<_> = (0..500).collect();
    assert_eq!(seen.ids, order);
    // What was requested until it was found out is lost.
    assert!(seen.queries.len() < 60, "{}", seen.queries.len());
}

#[test]
fn what_was_processed_late_is_read_in_its_place() {
    let mut log = SimulatedLog::regular(500, 300_000);
    log.events[400].0 -= 86_400_000;
    is_whole(&read_log(&log, 5), &log);
}

#[test]
fn a_short_window_and_a_quick_server_are_read_page_by_page() {
    let log = SimulatedLog::regular(30, 20_000_000);
    assert_eq!(read_log(&log, 5).queries.len(), 3);
    let log = SimulatedLog::regular(2_000, 300_000);
    let answer = log.clone();
    let fetcher = slow_fetcher(Duration::from_millis(50), org_events_source(), move |_, query| {
        answer.answer(query)
    });
    let seen = read(fetcher, bounded());
    is_whole(&seen, &log);
    assert_eq!(seen.queries.len(), 200);
}

#[test]
fn a_refused_cursor_of_a_later_part_is_fallen_back_from() {
    let log = SimulatedLog::regular(500, 300_000);
    let answer = log.clone();
    let fetcher =
        slow_fetcher(LATENCY, org_events_source(), move |asked, query| match query.get("cursor") {
            Some(_) if asked == 12 => (400, r#"{"errors":[{"code":"ADMIN-400-1"}]}"#.to_owned()),
            _ => answer.answer(query),
        });
    let seen = read(fetcher, bounded());
    assert!(matches!(seen.result, Ok(FetchOutcome::Complete)));
    assert_eq!(seen.ids.iter().collect::<HashSet<_>>().len(), 500);
}

#[test]
fn a_failure_ends_it_after_the_valid_lines() {
    let log = SimulatedLog::regular(500, 300_000);
    let fetcher = slow_fetcher(LATENCY, org_events_source(), move |asked, query| match asked {
        12.. => (403, String::new()),
        _ => log.answer(query),
    });
    let seen = read(fetcher, bounded());
    assert!(matches!(seen.result, Err(FetchError::Failed(_))));
    assert_eq!(seen.ids, (0..seen.ids.len()).collect::<Vec<_>>());
}

#[test]
fn slices_of_a_slow_site_are_read_at_once() {
    let latency = Duration::from_millis(300);
    let read_with = |concurrency| {
        let mut fetcher =
            slow_fetcher(latency, jira_source(100), |_, query| jira(query, 10_000, 8_640));
        (fetcher.concurrency, fetcher.slice_records) = (concurrency, 300);
        let window = OpenWindow { to: Some(at("2026-11-02T00:00:00Z")), ..open(None) };
        read(fetcher, window)
    };
    let (alone, ahead) = (read_with(1), read_with(8));
    for seen in [&alone, &ahead] {
        assert!(matches!(seen.result, Ok(FetchOutcome::Complete)));
        let expected: Vec<_> = (0..10_000).map(|n| 100_000 - n).collect();
        assert_eq!(seen.ids, expected);
        assert!(seen.queries.len() < 240, "{}", seen.queries.len());
    }
    let times_faster = alone.took.as_secs_f64() / ahead.took.as_secs_f64();
    assert!(times_faster > 5.0, "{times_faster:.2}");
}

/// `ids` without repeats: slices share the millisecond in which they meet, and the writer drops
/// what it has had.
fn first_of_each(mut ids: Vec<usize>) -> Vec<usize> {
    let mut known = HashSet::new();
    ids.retain(|id| known.insert(*id));
    ids
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn reading_ahead_brings_what_one_page_after_the_other_brings(
        gaps in prop::collection::vec(prop_oneof![0_i64..3, 0_i64..5_000, 0_i64..5_000_000], 1..400),
        late in prop::collection::vec(prop_oneof![Just(0_i64), 0_i64..2_000, 0_i64..100_000_000], 400),
        page in 2_usize..20,
        concurrency in 1_usize..7,
        by_happening in any::<bool>(),
        keeps_cursor in any::<bool>(),
    ) {
        let mut processed = 0;
        let events = gaps.iter().zip(&late).map(|(gap, late)| {
            processed += gap;
            ((processed - late).max(0), processed)
        });
        let log = SimulatedLog { events: events.collect(), page, by_happening, keeps_cursor };
        let seen = read_log(&log, concurrency);
        prop_assert!(matches!(seen.result, Ok(FetchOutcome::Complete)), "{:?}", seen.result);
        prop_assert_eq!(seen.ids, (0..log.events.len()).collect::<Vec<_>>());
    }
}

/// Times like people's: dense by day and on weekdays.
fn workdays(events: i64, days: i64, seed: u64) -> Vec<(i64, i64)> {
    const HOURS: [u32; 24] =
        [2, 1, 1, 1, 1, 3, 6, 15, 31, 39, 40, 35, 26, 35, 38, 37, 29, 17, 9, 7, 6, 4, 3, 2];
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut times = Vec::new();
    while (times.len() as i64) < events {
        let at = rng.i64(0..days * 86_400_000);
        let hour = (at % 86_400_000 / 3_600_000) as usize;
        let activity = match at / 86_400_000 % 7 {
            0 | 6 => (HOURS[hour] / 6).max(1),
            _ => HOURS[hour],
        };
        if rng.u32(0..40) < activity {
            times.push(at);
        }
    }
    times.sort_unstable();
    times.into_iter().map(|at| (at, at + 500)).collect()
}

/// A log like people's in pages of twenty, read behind a quota: the requests, and how long it took.
fn read_workdays(pages: u32, days: i64, latency: Duration, per_minute: u32) -> ReadTrace {
    let log = SimulatedLog {
        events: workdays(i64::from(pages) * 20, days, u64::from(pages)),
        page: 20,
        by_happening: false,
        keeps_cursor: false,
    };
    let answer = log.clone();
    let mut fetcher =
        slow_fetcher(latency, org_events_source(), move |_, query| answer.answer(query));
    fetcher.concurrency = 5;
    let credential = Arc::new(CredentialLimit::new(Some(1_000_000)));
    let limits =
        RequestLimiter::new(Endpoint::EventsStream, Some(per_minute), credential, Vec::new());
    Arc::get_mut(&mut fetcher.reader).unwrap().limiter = Arc::new(limits);
    let window = OpenWindow { to: Some(open(None).from + TimeDelta::days(days)), ..open(None) };
    let seen = read(fetcher, window);
    is_whole(&seen, &log);
    seen
}

#[test]
fn days_nights_and_weekends_are_read_as_fast_as_the_quota_allows() {
    let (pages, quota, latency) = (300, 50, LATENCY);
    for days in [7, 30, 180] {
        let seen = read_workdays(pages, days, latency, quota);
        let asked = seen.queries.len();
        assert!(asked < 320, "{days} days: {asked} requests");
        let limits_own = Duration::from_secs(60) * pages / quota;
        let share = seen.took.as_secs_f64() / limits_own.as_secs_f64();
        assert!(share < 1.2, "{days} days: {:?}", seen.took);
    }
}

#[test]
fn five_tasks_keep_a_server_busy_that_takes_seconds() {
    let seen = read_workdays(1_000, 30, LATENCY, 100_000);
    let times_faster = (LATENCY * 1_000).as_secs_f64() / seen.took.as_secs_f64();
    assert!(times_faster > 4.5, "{times_faster:.2}");
    assert!(seen.queries.len() < 1_050, "{}", seen.queries.len());
}

/// A page of twenty of a site's log with records at `times`, newest first.
fn jira_page(times: &[i64], query: &RequestQuery) -> (u16, String) {
    let base = open(None).from;
    let (from, to) = (query.time("from"), query.time("to"));
    let newest_first = times.iter().enumerate().rev();
    let newest_first = newest_first.map(|(n, ms)| (n, base + TimeDelta::milliseconds(*ms)));
    let records: Vec<_> = newest_first
        .filter(|(_, at)| (from..=to).contains(at))
        .skip(query.number("offset"))
        .take(20)
        .map(|(n, at)| serde_json::json!({"id": n, "created": format_millis(at)}))
        .collect();
    (200, serde_json::json!({"records": records}).to_string())
}

#[test]
fn days_nights_and_weekends_of_a_site_are_read_in_slices_that_fit() {
    let latency = Duration::from_millis(300);
    for days in [7, 30, 180] {
        let times: Vec<i64> = workdays(2_000, days, 1).into_iter().map(|(at, _)| at).collect();
        let mut fetcher =
            slow_fetcher(latency, jira_source(20), move |_, query| jira_page(&times, query));
        (fetcher.concurrency, fetcher.slice_records) = (8, 60);
        let window = OpenWindow { to: Some(open(None).from + TimeDelta::days(days)), ..open(None) };
        let seen = read(fetcher, window);
        assert_eq!(seen.ids, (0..2_000).collect::<Vec<_>>());
        let times_faster = (latency * 100).as_secs_f64() / seen.took.as_secs_f64();
        // A hundred pages in slices of three, and for each slice an empty page and a look at what
        // is older.
        assert!(times_faster > 3.2, "{days} days: {times_faster:.2}");
        assert!(seen.queries.len() < 240, "{}", seen.queries.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn slices_bring_each_record_once_and_in_order(
        gaps in prop::collection::vec(prop_oneof![Just(0_i64), 0_i64..3, 0_i64..5_000_000], 1..500),
        most in 1_usize..100,
        concurrency in 1_usize..9,
        is_slow in any::<bool>(),
    ) {
        let times: Vec<i64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
        let count = times.len();
        let latency = Duration::from_millis(if is_slow { 300 } else { 1 });
        let mut fetcher = slow_fetcher(latency, jira_source(20), move |_, query| jira_page(&times, query));
        (fetcher.concurrency, fetcher.slice_records) = (concurrency, most);
        let window = OpenWindow { to: Some(open(None).from + TimeDelta::days(60)), ..open(None) };
        let seen = read(fetcher, window);
        prop_assert!(matches!(seen.result, Ok(FetchOutcome::Complete)), "{:?}", seen.result);
        prop_assert_eq!(first_of_each(seen.ids), (0..count).collect::<Vec<_>>());
    }
}
