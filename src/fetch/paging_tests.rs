//! Tests the reading of sources in slices against servers that page in every way that their
//! documentation leaves open.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::TimeDelta;
use proptest::prelude::*;

use super::paging_server::{OffsetFrom, PagingBehavior, PagingServer};
use super::tests::{CHECK, RequestQuery, ScriptedServer, open, plan_of, slow_fetcher};
use super::*;
use crate::model::name::SourceKind;
use crate::source::Source;
use crate::state::checkpoint::OpenWindow;

/// What was handed on, the error if there was one, and how often each page was requested.
#[derive(Debug)]
pub(super) struct PagingResult {
    pub(super) ids: BTreeSet<String>,
    pub(super) result: Result<FetchOutcome, FetchError>,
    pub(super) requests: usize,
}

/// Reads all of `server`, in pages of this size and slices of at most so many records.
fn read(server: &PagingServer, page_size: u32, most: usize, latency: Duration) -> PagingResult {
    let played = server.clone();
    read_answers(server.source(page_size), most, latency, move |request, query| {
        played.answer(request, query)
    })
}

/// Reads all of `source`, of which `answer` gives the response to each request by its number.
pub(super) fn read_answers(
    source: Source,
    most: usize,
    latency: Duration,
    answer: impl Fn(usize, &RequestQuery) -> (u16, String) + Send + Sync + 'static,
) -> PagingResult {
    read_backfill(source, BackfillMode::Pages, most, latency, answer)
}

/// The same with or without event queries.
pub(super) fn read_backfill(
    source: Source,
    backfill: BackfillMode,
    most: usize,
    latency: Duration,
    answer: impl Fn(usize, &RequestQuery) -> (u16, String) + Send + Sync + 'static,
) -> PagingResult {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let requests = AtomicUsize::new(0);
        let answer =
            move |_, query: &RequestQuery| answer(requests.fetch_add(1, Ordering::Relaxed), query);
        let mut fetcher = slow_fetcher(latency, source, answer);
        fetcher.slice_records = most;
        fetcher.backfill = backfill;
        read_all(&fetcher).await
    })
}

async fn read_all<F>(fetcher: &Fetcher<ScriptedServer<F>>) -> PagingResult
where
    F: Fn(usize, &RequestQuery) -> (u16, String) + Send + Sync + 'static,
{
    let window = OpenWindow { to: Some(open(None).from + TimeDelta::days(60)), ..open(None) };
    let (sender, mut receiver) = mpsc::channel(1_000);
    let plan = plan_of(window, None);
    let reading = fetcher.run(&plan, CHECK, sender);
    let taking = async {
        let (mut ids, mut contents) = (BTreeSet::new(), HashMap::new());
        while let Some(delivery) = receiver.recv().await {
            if let FetchMessage::Records { records, .. } = delivery {
                for record in records {
                    let id = record.id.clone().unwrap();
                    // The program knows what has come before by its id, if it says the same.
                    let content = record.doc.content_hash();
                    assert_eq!(*contents.entry(id.clone()).or_insert(content), content);
                    ids.insert(id);
                }
            }
        }
        ids
    };
    let (result, ids) = tokio::join!(reading, taking);
    let asked = fetcher.reader.transport.requests.lock().unwrap().len();
    PagingResult { ids, result, requests: asked }
}

const KINDS: [SourceKind; 3] =
    [SourceKind::JiraAudit, SourceKind::ConfluenceAudit, SourceKind::DatacenterAudit];

/// A log with a record each `step` milliseconds.
fn regular(kind: SourceKind, records: i64, step: i64, paging: PagingBehavior) -> PagingServer {
    PagingServer { kind, records: (0..records).map(|n| (n * step, 0)).collect(), paging }
}

fn assert_reads_all(server: &PagingServer, page_size: u32, most: usize) -> usize {
    let seen = read(server, page_size, most, Duration::from_millis(1));
    assert!(matches!(seen.result, Ok(FetchOutcome::Complete)), "{server:?}: {:?}", seen.result);
    assert_eq!(seen.ids, server.ids(&server.records), "{server:?}");
    seen.requests
}

#[test]
fn short_pages_of_an_odd_size_are_no_end() {
    for kind in KINDS {
        for caps in [vec![73], vec![1], vec![90, 40, 7, 1], vec![49, 50, 51]] {
            let paging = PagingBehavior { page_caps: caps, ..PagingBehavior::default() };
            assert_reads_all(&regular(kind, 350, 5_000, paging), 1_000, 3_000);
        }
    }
}

#[test]
fn an_idle_window_costs_two_requests_and_an_empty_one_costs_one() {
    for kind in KINDS {
        let asked = |records| {
            assert_reads_all(
                &regular(kind, records, 5_000, PagingBehavior::default()),
                1_000,
                3_000,
            )
        };
        // Data Center says which page is the last.
        let idle = if kind == SourceKind::DatacenterAudit { 1 } else { 2 };
        assert_eq!((asked(0), asked(12)), (1, idle), "{kind:?}");
    }
}

#[test]
fn a_confluence_cursor_whose_page_has_no_link_is_followed_by_count() {
    let paging =
        PagingBehavior { has_links: true, page_caps: vec![11], ..PagingBehavior::default() };
    assert_reads_all(&regular(SourceKind::ConfluenceAudit, 300, 5_000, paging), 1_000, 3_000);
}

#[test]
fn a_server_that_fails_from_an_offset_on_is_read_by_narrower_windows() {
    for kind in KINDS {
        let paging = PagingBehavior { fails_from: Some(30), ..PagingBehavior::default() };
        let server = regular(kind, 1_000, 700, paging);
        let asked = assert_reads_all(&server, 10, 200);
        assert!(asked < 400, "{kind:?}: {asked} requests for 100 pages");
    }
}

#[test]
fn a_failing_offset_is_requested_once() {
    for kind in KINDS {
        let paging = PagingBehavior { fails_from: Some(30), ..PagingBehavior::default() };
        let server = regular(kind, 1_000, 5_000, paging);
        let (failed, played) = (Arc::new(AtomicUsize::new(0)), server.clone());
        let counted = failed.clone();
        let answer = move |request, query: &RequestQuery| {
            let answer = played.answer(request, query);
            counted.fetch_add(usize::from(answer.0 == 500), Ordering::Relaxed);
            answer
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let mut fetcher = slow_fetcher(Duration::from_millis(1), server.source(10), answer);
        fetcher.slice_records = 200;
        let seen = runtime.block_on(read_all(&fetcher));
        assert!(seen.result.is_ok());
        assert_eq!(failed.load(Ordering::Relaxed), 1, "{kind:?}");
    }
}

#[test]
fn an_instant_that_cannot_be_paged_through_is_an_error_that_names_it() {
    for (kind, named) in [
        (SourceKind::JiraAudit, "the millisecond 2026-11-01T00:00:05.100Z"),
        (SourceKind::ConfluenceAudit, "the millisecond 2026-11-01T00:00:05.100Z"),
        (SourceKind::DatacenterAudit, "the second 2026-11-01T00:00:05Z"),
    ] {
        let paging = PagingBehavior { fails_from: Some(30), ..PagingBehavior::default() };
        let mut records: Vec<_> = (0..5).map(|n| (n * 1_000, 0)).collect();
        // Not the first millisecond of its second, which the second before it has as well.
        records.extend((0..40).map(|n| (5_100, n)));
        records.extend((6..20).map(|n| (n * 1_000, 0)));
        let server = PagingServer { kind, records, paging };
        let seen = read(&server, 10, 200, Duration::from_millis(1));
        let Err(error @ FetchError::InstantTooLarge { .. }) = seen.result else {
            panic!("{kind:?}: {:?}", seen.result);
        };
        assert!(error.to_string().contains(named), "{error}");
        // What is older is handed on.
        assert_eq!(seen.ids, server.ids(&server.records[..5]), "{kind:?}");
    }
}

#[test]
fn a_server_that_is_down_after_its_first_page_costs_one_failure_more() {
    for kind in KINDS {
        let server = regular(kind, 100, 5_000, PagingBehavior::default());
        let played = server.clone();
        let answer = move |request, query: &RequestQuery| match request {
            0 => played.answer(request, query),
            1 => (500, r#"{"message":"first"}"#.to_owned()),
            _ => (502, r#"{"message":"later"}"#.to_owned()),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let fetcher = slow_fetcher(Duration::from_millis(1), server.source(10), answer);
        let seen = runtime.block_on(read_all(&fetcher));
        let Err(FetchError::Failed(failure)) = seen.result else {
            panic!("{kind:?}: {:?}", seen.result);
        };
        assert_eq!((failure.status, seen.requests), (Some(500), 3), "{kind:?}");
    }
}

#[test]
fn a_server_that_ignores_offsets_is_read_by_narrower_windows() {
    for kind in [SourceKind::JiraAudit, SourceKind::ConfluenceAudit] {
        let ignoring = |caps: &[usize]| PagingBehavior {
            ignores_offset: true,
            page_caps: caps.to_vec(),
            ..PagingBehavior::default()
        };
        for (records, caps) in [(1, &[][..]), (12, &[]), (350, &[]), (350, &[73])] {
            let asked =
                assert_reads_all(&regular(kind, records, 5_000, ignoring(caps)), 100, 3_000);
            assert!(asked < 60, "{kind:?}: {asked} requests for {records} records");
        }
        // One instant holds more than a page.
        let crowded = PagingServer {
            records: (0..150).map(|n| (7_000, n)).collect(),
            ..regular(kind, 0, 1, ignoring(&[]))
        };
        let seen = read(&crowded, 100, 3_000, Duration::from_millis(1));
        assert!(matches!(seen.result, Err(FetchError::PagingLoop(_))), "{:?}", seen.result);
    }
}

#[test]
fn each_reading_of_the_offset_beside_a_cursor_brings_each_event_once() {
    for offset in [
        OffsetFrom::Cursor(0),
        OffsetFrom::Cursor(1),
        OffsetFrom::Cursor(2),
        OffsetFrom::Cursor(7),
        OffsetFrom::Newest,
        OffsetFrom::Both,
    ] {
        for requires_offset in [false, true] {
            if requires_offset && offset == OffsetFrom::Both {
                // Its own links lose events, and it gives no other way.
                continue;
            }
            let paging = PagingBehavior { offset, requires_offset, ..PagingBehavior::default() };
            for step in [100, 5_000] {
                let server = regular(SourceKind::DatacenterAudit, 100, step, paging.clone());
                assert_reads_all(&server, 7, 3_000);
            }
            // Issue 17: seven events.
            assert_reads_all(&regular(SourceKind::DatacenterAudit, 7, 5_000, paging), 3, 3_000);
        }
    }
    let paging = PagingBehavior { requires_offset: true, ..PagingBehavior::default() };
    assert_reads_all(&regular(SourceKind::DatacenterAudit, 100, 50, paging), 7, 3_000);
}

#[test]
fn pages_that_overlap_are_not_taken_for_equal_records() {
    for kind in KINDS {
        for (overlap, records) in [(1, 1), (1, 2), (1, 12), (3, 2), (3, 12), (1, 100), (3, 100)] {
            for step in [0, 5_000] {
                let paging = PagingBehavior { overlap, ..PagingBehavior::default() };
                let server = regular(kind, records, step, paging);
                let seen = read(&server, 10, 3_000, Duration::from_millis(1));
                assert!(seen.ids.is_subset(&server.ids(&server.records)), "{server:?}");
            }
        }
    }
}

#[test]
fn equal_records_on_two_pages_are_read_as_often_as_they_are() {
    for kind in [SourceKind::ConfluenceAudit, SourceKind::DatacenterAudit] {
        // Each instant has three equal records, and pages of five part some of them.
        let records = (0..40).map(|n| (n / 3 * 150, 0)).collect();
        let server = PagingServer { records, ..regular(kind, 0, 1, PagingBehavior::default()) };
        assert_reads_all(&server, 5, 3_000);
    }
}

/// The second page of this server begins with the last record of the first. In a run of equal ones
/// that cannot be seen, however large the pages are: only a second page that begins with a new
/// record shows the contrary.
#[test]
fn an_overlap_inside_equal_records_is_never_written_as_one_more() {
    for kind in [SourceKind::ConfluenceAudit, SourceKind::DatacenterAudit] {
        for (others, equal) in [(1, 15), (15, 1), (30, 12), (2, 30)] {
            let records = (0..others).map(|n| (n * 10_000, 0)).collect::<Vec<_>>();
            let last = others * 10_000;
            let newest = (0..equal).map(|_| (last, 1));
            let server = PagingServer {
                records: records.into_iter().chain(newest).collect(),
                ..regular(kind, 0, 1, PagingBehavior { overlap: 1, ..PagingBehavior::default() })
            };
            let seen = read(&server, 10, 3_000, Duration::from_millis(1));
            let ids = server.ids(&server.records);
            assert!(seen.ids.is_subset(&ids), "{server:?}");
            assert!(
                seen.result.is_err() || seen.ids == ids,
                "{:?} {:?} {server:?}",
                seen.ids.len(),
                seen.requests
            );
        }
    }
}

/// Reads all of a server, and says how many requests it takes.
fn assert_reads_odd(kind: SourceKind, records: i64, paging: PagingBehavior) -> usize {
    assert_reads_all(&regular(kind, records, 5_000, paging), 100, 3_000)
}

#[test]
fn empty_pages_beyond_an_offset_are_no_end() {
    for kind in KINDS {
        for (records, empty_from) in [(350, 100), (350, 150), (101, 100)] {
            let paging =
                PagingBehavior { empty_from: Some(empty_from), ..PagingBehavior::default() };
            assert_reads_odd(kind, records, paging);
        }
    }
}

/// The documentation of no API that is read in slices says in which order its pages come.
#[test]
fn oldest_first_is_read_whole_in_few_requests() {
    let oldest_first = || PagingBehavior { oldest_first: true, ..PagingBehavior::default() };
    for kind in KINDS {
        for paging in [
            oldest_first(),
            PagingBehavior { fails_from: Some(30), ..oldest_first() },
            PagingBehavior { empty_from: Some(30), ..oldest_first() },
            PagingBehavior { page_caps: vec![3], ..oldest_first() },
            PagingBehavior { page_caps: vec![1], ..oldest_first() },
        ] {
            let smallest = paging.page_caps.first().map_or(10, |cap| *cap);
            let asked = assert_reads_all(&regular(kind, 1_000, 700, paging.clone()), 10, 200);
            let pages = 1_000 / smallest;
            assert!(asked < pages * 4, "{paging:?}: {asked} requests for {pages} pages");
        }
    }
}

#[test]
fn a_refusal_of_the_page_after_the_last_is_an_end() {
    for kind in [SourceKind::JiraAudit, SourceKind::ConfluenceAudit] {
        for records in [1, 12, 100, 350] {
            let paging = PagingBehavior { refuses_past_end: true, ..PagingBehavior::default() };
            let asked = assert_reads_odd(kind, records, paging);
            assert!(records > 100 || asked <= 5, "{kind:?}: {asked} for {records}");
        }
    }
}

#[test]
fn an_end_that_is_not_part_of_the_window_loses_nothing() {
    for kind in [SourceKind::JiraAudit, SourceKind::ConfluenceAudit] {
        let paging = PagingBehavior { excludes_end: true, ..PagingBehavior::default() };
        let server = regular(kind, 500, 7, paging);
        assert_reads_all(&server, 10, 30);
    }
}

#[test]
fn an_empty_page_with_a_link_is_followed() {
    for hole in [0, 100, 200] {
        let paging = PagingBehavior { hole_at: Some(hole), ..PagingBehavior::default() };
        assert_reads_odd(SourceKind::ConfluenceAudit, 350, paging);
    }
}

#[test]
fn a_data_center_that_states_no_end_is_read_to_its_end() {
    for records in [0, 12, 250] {
        let paging = PagingBehavior { never_last: true, ..PagingBehavior::default() };
        let asked = assert_reads_odd(SourceKind::DatacenterAudit, records, paging);
        assert!(records > 100 || asked <= 2, "{asked} for {records}");
    }
}

/// Otherwise the same records would be read again and again.
#[test]
fn a_server_that_ignores_the_end_of_a_window_is_an_error() {
    for kind in KINDS {
        let server = regular(
            kind,
            2_000,
            60_000,
            PagingBehavior { ignores_end: true, ..PagingBehavior::default() },
        );
        let seen = read(&server, 100, 300, Duration::from_millis(1));
        assert!(seen.result.is_err() && seen.requests < 400, "{:?} {}", seen.result, seen.requests);
        assert!(seen.ids.is_subset(&server.ids(&server.records)));
    }
}

/// Pages that always overlap say the same each time: nothing arrives.
#[test]
fn pages_that_always_overlap_are_read_whole() {
    let paging = PagingBehavior { overlap: 1, overlaps_each: true, ..PagingBehavior::default() };
    assert_reads_odd(SourceKind::JiraAudit, 350, paging);
}

/// Found by the property test: smaller pages, which all began with the same record, were taken for
/// a server that ignores offsets, and four of six equal records were lost without an error.
#[test]
fn overlapping_pages_of_equal_records_lose_none_silently() {
    let paging = PagingBehavior {
        page_caps: vec![3],
        overlap: 1,
        overlaps_each: true,
        ..PagingBehavior::default()
    };
    let records = [0, 2, 0, 0, 0, 0].map(|content| (1, content)).to_vec();
    let server = PagingServer { kind: SourceKind::ConfluenceAudit, records, paging };
    let seen = read(&server, 1000, 4, Duration::from_millis(1));
    let is_whole = server.ids(&server.records).is_subset(&seen.ids);
    assert!(seen.result.is_err() || is_whole, "{:?}", seen.ids);
}

/// Found by the property test: pages that overlap made an offset that is counted from the newest
/// event look as if it were counted from the cursor, or as if it did not matter, and the pages
/// after the next were skipped.
#[test]
fn an_offset_beside_the_cursor_of_overlapping_pages_skips_nothing_silently() {
    for (caps, overlap, page_size, oldest_first) in [
        (vec![7, 7, 7, 6], 7, 7, false),
        (vec![2, 8], 2, 8, true),
        (vec![1, 38, 24], 2, 12, true),
        (vec![2, 5], 2, 5, false),
    ] {
        let paging = PagingBehavior {
            page_caps: caps,
            overlap,
            oldest_first,
            offset: OffsetFrom::Both,
            ..PagingBehavior::default()
        };
        for (records, step, most) in [(40, 5_000, 100), (40, 700, 1), (12, 300, 3_000)] {
            let server = regular(SourceKind::DatacenterAudit, records, step, paging.clone());
            let seen = read(&server, page_size, most, Duration::from_millis(1));
            let ids = server.ids(&server.records);
            assert!(seen.ids.is_subset(&ids), "{server:?}");
            assert!(seen.result.is_err() || seen.ids == ids, "{server:?}");
        }
    }
}

/// Found by the property test: the page at offset 29 failed, and a page with one of the last two
/// records, both of one instant, was taken for all that there is.
#[test]
fn a_short_page_at_the_end_of_a_failed_paging_is_no_end() {
    for (kind, oldest_first) in KINDS.into_iter().flat_map(|kind| [(kind, true), (kind, false)]) {
        for status in [500, 404] {
            let paging = PagingBehavior {
                page_caps: [vec![5, 24], vec![1; 60]].concat(),
                fails_from: Some(29),
                oldest_first,
                ..PagingBehavior::default()
            };
            let is_late = |n: i64| if oldest_first { n >= 28 } else { n >= 2 };
            let records = (0..30).map(|n| (i64::from(is_late(n)) * 5_000, n as u32)).collect();
            let server = PagingServer { kind, records, paging };
            let played = server.clone();
            let answer = move |request, query: &RequestQuery| match played.answer(request, query) {
                (500, body) => (status, body),
                answer => answer,
            };
            let seen = read_answers(server.source(1_000), 100, Duration::from_millis(1), answer);
            assert!(seen.result.is_ok(), "{kind:?} {oldest_first} {status}: {:?}", seen.result);
            assert_eq!(seen.ids, server.ids(&server.records), "{kind:?} {oldest_first} {status}");
        }
    }
}

fn any_paging() -> impl Strategy<Value = PagingBehavior> {
    let offset = prop_oneof![
        Just(OffsetFrom::Nothing),
        (0_usize..4).prop_map(OffsetFrom::Cursor),
        Just(OffsetFrom::Newest),
        Just(OffsetFrom::Both),
    ];
    (
        prop::collection::vec(1_usize..40, 0..6),
        prop::collection::vec(0_usize..30, 0..4),
        oddities(),
        (any::<bool>(), prop::bool::weighted(0.3)),
        offset,
    )
        .prop_map(|(caps, grows_at, oddity, (has_links, oldest_first), offset)| {
            PagingBehavior {
                // A server whose pages hold now more and now less, and which does not give what lies
                // further, shows nothing of its end.
                page_caps: match oddity {
                    PagingBehavior {
                        fails_from: None,
                        ignores_offset: false,
                        empty_from: None,
                        ..
                    } => caps,
                    _ => Vec::new(),
                },
                grows_at,
                has_links,
                oldest_first,
                offset,
                ..oddity
            }
        })
}

/// Servers that are odd in one way.
fn oddities() -> impl Strategy<Value = PagingBehavior> {
    let odd = PagingBehavior::default;
    prop_oneof![
        5 => Just(odd()),
        3 => (1_usize..80).prop_map(move |from| PagingBehavior { fails_from: Some(from), ..odd() }),
        2 => (5_usize..80).prop_map(move |from| PagingBehavior { empty_from: Some(from), ..odd() }),
        2 => Just(PagingBehavior { ignores_offset: true, ..odd() }),
        2 => (1_usize..8, any::<bool>())
            .prop_map(move |(overlap, overlaps_each)| PagingBehavior { overlap, overlaps_each, ..odd() }),
        1 => Just(PagingBehavior { refuses_past_end: true, ..odd() }),
        1 => Just(PagingBehavior { excludes_end: true, ..odd() }),
        1 => (0_usize..60).prop_map(move |at| PagingBehavior { hole_at: Some(at), ..odd() }),
        1 => Just(PagingBehavior { never_last: true, ..odd() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn however_a_server_pages_each_record_is_read_once_or_the_run_says_so(
        kind in prop::sample::select(&KINDS[..]),
        gaps in prop::collection::vec((prop_oneof![3 => Just(0_i64), 2 => 0_i64..3, 5 => 0_i64..5_000_000], 0_u32..3), 0..200),
        paging in any_paging(),
        page_size in prop_oneof![1_u32..30, Just(1_000)],
        most in 1_usize..120,
        is_slow in any::<bool>(),
    ) {
        let mut at = 0;
        // Where an instant holds as much as a page, or a server gives less than a page, nothing
        // distinguishes an empty page from the end.
        let (apart, page_size) = match paging.empty_from {
            Some(from) => (2_000, page_size.clamp(5, u32::try_from(from).unwrap())),
            None => (0, page_size),
        };
        let records = gaps.iter().map(|(gap, content)| { at += gap + apart; (at, *content) }).collect();
        let server = PagingServer { kind, records, paging };
        let latency = Duration::from_millis(if is_slow { 300 } else { 1 });
        let seen = read(&server, page_size, most, latency);
        // Nothing that is not there, which a record written twice would be.
        prop_assert!(seen.ids.is_subset(&server.ids_with_arrivals()), "written twice");
        if seen.result.is_ok() {
            prop_assert!(server.ids(&server.records).is_subset(&seen.ids), "lost");
        }
    }
}
