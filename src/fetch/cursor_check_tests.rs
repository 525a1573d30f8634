//! Tests how a stream doubts the cursor that an earlier run kept.

use super::tests::{
    CHECK, RequestQuery, ScriptedServer, at, fetcher, open, org_events_source, page, plan_of, read,
    refused_cursor, unchecked,
};
use super::*;
use crate::fetch::plan::CursorCheck;
use crate::state::checkpoint::OpenWindow;

/// The position of every record that `page` makes.
const POSITION: &str = "2026-11-20T00:00:00Z";

fn requests<F>(fetcher: &Fetcher<ScriptedServer<F>>) -> Vec<String> {
    fetcher.reader.transport.requests.lock().unwrap().clone()
}

fn from(text: &str) -> String {
    format!("from={}&", at(text).timestamp_millis())
}

#[tokio::test]
async fn a_cursor_that_brings_nothing_is_checked_by_time_with_one_request() {
    let fetcher = fetcher(org_events_source(), |_, query| match query.get("cursor").as_deref() {
        Some("kept") => page(&[], Some("kept")),
        _ => page(&["known"], Some("fresh")),
    });
    let (handed, result) = read(&fetcher, unchecked("kept"), Some(at(POSITION))).await;
    assert!(matches!(result, Ok(FetchOutcome::Complete)), "{result:?}");
    assert_eq!(handed, ["@kept", "REREAD", "known", "@fresh"]);
    let requests = requests(&fetcher);
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert!(requests[1].starts_with(&from("2026-11-19T23:50:00Z")), "{requests:?}");
}

#[tokio::test]
async fn a_check_that_shows_more_continues_to_the_end() {
    let later = r#"{"data":[{"id":"new","attributes":{"processedAt":"2026-11-20T00:00:01Z"}}],"meta":{"next":"c1"}}"#;
    let fetcher =
        fetcher(org_events_source(), move |_, query| match query.get("cursor").as_deref() {
            Some("kept") => page(&[], Some("kept")),
            Some("c1") => page(&["newer"], Some("c2")),
            Some(_) => page(&[], Some("c2")),
            None => (200, later.to_owned()),
        });
    let (handed, result) = read(&fetcher, unchecked("kept"), Some(at(POSITION))).await;
    assert!(matches!(result, Ok(FetchOutcome::Complete)), "{result:?}");
    assert_eq!(handed, ["@kept", "REREAD", "new", "@c1", "newer", "@c2", "@c2"]);
}

#[tokio::test]
async fn a_cursor_that_was_checked_lately_is_trusted() {
    let answer = |_, query: &RequestQuery| match query.get("cursor").as_deref() {
        Some("kept") => page(&["new"], Some("c1")),
        _ => page(&[], Some("c1")),
    };
    let checked = fetcher(org_events_source(), answer);
    read(&checked, open(Some("kept")), None).await.1.unwrap();
    assert_eq!(requests(&checked).len(), 2);
    // A cursor that brings records is checked once an overlap.
    let old = OpenWindow {
        read_by_time: Some(chrono::Utc::now() - chrono::TimeDelta::minutes(61)),
        ..open(Some("kept"))
    };
    let due = fetcher(org_events_source(), answer);
    read(&due, old, None).await.1.unwrap();
    assert_eq!(requests(&due).len(), 3);
}

#[tokio::test]
async fn a_stream_that_ends_without_a_cursor_is_read_by_time_by_the_next_run() {
    let fetcher = fetcher(org_events_source(), |_, query| match query.get("cursor").as_deref() {
        None => page(&["a"], Some("c1")),
        _ => page(&["b"], None),
    });
    let (sender, mut receiver) = mpsc::channel(1000);
    let plan = plan_of(open(None), None);
    fetcher.run(&plan, CHECK, sender).await.unwrap();
    let mut last = None;
    while let Some(FetchMessage::Records { window_after, .. }) = receiver.recv().await {
        last = window_after;
    }
    let last = last.unwrap();
    assert_eq!((last.cursor, last.from), (None, at("2026-11-19T23:50:00Z")));
}

#[tokio::test]
async fn a_cursor_that_leads_to_empty_pages_is_kept_where_the_check_shows_nothing_new() {
    let answer = |known: &'static str| {
        move |asked: usize, query: &RequestQuery| match query.get("cursor") {
            Some(_) => page(&[], Some(&format!("e{asked}"))),
            None => page(&[known], Some("fresh")),
        }
    };
    let same = fetcher(org_events_source(), answer("known"));
    let (handed, result) = read(&same, unchecked("kept"), Some(at(POSITION))).await;
    assert!(matches!(result, Ok(FetchOutcome::EmptyPages)), "{result:?}");
    assert_eq!(handed.last().map(String::as_str), Some("@e3"), "{handed:?}");
}

#[tokio::test]
async fn a_kept_cursor_at_which_the_server_fails_is_left_for_a_read_by_time() {
    let error = r#"{"data":[],"errors":[{"title":"Invalid page cursor"}]}"#;
    for (status, body) in [(500, "{}"), (503, "{}"), (200, "[]"), (200, error)] {
        let fetcher =
            fetcher(org_events_source(), move |_, query| match query.get("cursor").as_deref() {
                Some("kept") => (status, body.to_owned()),
                Some(_) => page(&[], Some("c1")),
                None => page(&["a"], Some("c1")),
            });
        let (handed, result) = read(&fetcher, unchecked("kept"), Some(at(POSITION))).await;
        assert!(matches!(result, Ok(FetchOutcome::Complete)), "{result:?}");
        assert_eq!(handed, ["REREAD", "a", "@c1", "@c1"]);
    }
    // A server that fails at everything is requested a second time, and not a third time.
    let down = fetcher(org_events_source(), |_, _| (500, "{}".to_owned()));
    let (_, result) = read(&down, unchecked("kept"), Some(at(POSITION))).await;
    assert!(matches!(result, Err(FetchError::Failed(_))));
    assert_eq!(requests(&down).len(), 2);
}

#[tokio::test]
async fn a_kept_cursor_that_repeats_itself_is_left_for_a_read_by_time() {
    let fetcher = fetcher(org_events_source(), |_, query| match query.get("cursor").as_deref() {
        Some("kept") => page(&["a"], Some("kept")),
        Some(_) => page(&[], Some("c1")),
        None => page(&["a", "b"], Some("c1")),
    });
    let (handed, result) = read(&fetcher, unchecked("kept"), Some(at(POSITION))).await;
    assert!(matches!(result, Ok(FetchOutcome::Complete)), "{result:?}");
    assert_eq!(handed, ["REREAD", "a", "@kept", "REREAD", "a", "b", "@c1", "@c1"]);
}

#[tokio::test]
async fn a_cursor_that_no_url_takes_is_neither_kept_nor_sent() {
    let long = "\u{e9}".repeat(20_000);
    let next = long.clone();
    let sends_one = fetcher(org_events_source(), move |_, _| page(&["a"], Some(&next)));
    let (handed, result) = read(&sends_one, open(None), None).await;
    assert!(matches!(result, Err(FetchError::Failed(_))), "{result:?}");
    assert!(handed.is_empty());
    let kept = fetcher(org_events_source(), |_, query| match query.get("cursor") {
        Some(_) => refused_cursor(),
        None => page(&["a"], None),
    });
    let (handed, result) = read(&kept, unchecked(&long), Some(at(POSITION))).await;
    assert!(matches!(result, Ok(FetchOutcome::Complete)), "{result:?}");
    assert_eq!(handed, ["REREAD", "a"]);
    assert_eq!(requests(&kept).len(), 1);
}

#[test]
fn a_check_is_due_by_what_the_cursor_brought() {
    let check = CursorCheck { when_idle: Duration::from_secs(600), ..CHECK };
    let now = at("2026-11-20T12:00:00Z");
    let due = |minutes: i64, brought| {
        let last = now - chrono::TimeDelta::minutes(minutes);
        check.is_due(Some(last), brought, now)
    };
    assert!(check.is_due(None, true, now));
    assert_eq!([due(9, false), due(10, false)], [false, true]);
    // A cursor that brings records: once an overlap.
    assert_eq!([due(9, true), due(10, true)], [false, true]);
    // Set by a clock that was ahead.
    assert!(due(-1, true));
    let pull = CursorCheck { when_idle: Duration::ZERO, ..CHECK };
    assert!(pull.is_due(Some(now), false, now));
}
