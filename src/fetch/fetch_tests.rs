//! Tests the fetcher against servers that are a function from a query to a response.

use std::sync::Mutex;

use tokio_util::task::TaskTracker;

use super::*;
use crate::config::settings::BackfillMode;
use crate::fetch::api_findings::ApiFindings;
use crate::fetch::attempt_record::AttemptRecorder;
use crate::http::limiter::CredentialLimit;
use crate::http::limiter::RequestLimiter;
use crate::http::memory_budget::MemoryBudget;
use crate::http::message::TransportError;
use crate::http::message::{Endpoint, Request, Response};
use crate::http::retry::RetryBudget;
use crate::model::name::SourceKind;
use crate::model::time::{format_millis, parse_api_time};
use crate::source::Source;
use crate::state::checkpoint::OpenWindow;

/// Answers each query after a while; remembers what was asked.
pub(super) struct ScriptedServer<F> {
    answer: F,
    latency: Duration,
    pub(super) requests: Mutex<Vec<String>>,
}

impl<F: Fn(usize, &RequestQuery) -> (u16, String) + Send + Sync> Transport for ScriptedServer<F> {
    async fn send(&self, request: &Request) -> Result<Response, TransportError> {
        let (status, body) = {
            let mut asked = self.requests.lock().unwrap();
            let query = request.url.query().unwrap_or_default();
            asked.push(query.to_owned());
            (self.answer)(asked.len() - 1, &RequestQuery(request))
        };
        tokio::time::sleep(self.latency).await;
        Ok(Response {
            status,
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.into(),
        })
    }
}

pub(super) struct RequestQuery<'a>(&'a Request);

impl RequestQuery<'_> {
    pub(super) fn get(&self, key: &str) -> Option<String> {
        let mut pairs = self.0.url.query_pairs();
        pairs.find(|(name, _)| name == key).map(|(_, value)| value.into_owned())
    }

    pub(super) fn path(&self) -> &str {
        self.0.url.path()
    }

    pub(super) fn number(&self, key: &str) -> usize {
        self.get(key).unwrap().parse().unwrap()
    }

    pub(super) fn time(&self, key: &str) -> Timestamp {
        parse_api_time(&self.get(key).unwrap()).unwrap()
    }
}

pub(super) fn fetcher<F>(source: Source, answer: F) -> Fetcher<ScriptedServer<F>>
where
    F: Fn(usize, &RequestQuery) -> (u16, String) + Send + Sync,
{
    slow_fetcher(Duration::ZERO, source, answer)
}

/// The same of a server that takes its time.
pub(super) fn slow_fetcher<F>(
    latency: Duration,
    source: Source,
    answer: F,
) -> Fetcher<ScriptedServer<F>>
where
    F: Fn(usize, &RequestQuery) -> (u16, String) + Send + Sync,
{
    let credential = Arc::new(CredentialLimit::new(Some(1_000_000)));
    let reader = PageReader {
        memory_budget: MemoryBudget::default(),
        source,
        findings: ApiFindings::default(),
        transport: ScriptedServer { answer, latency, requests: Mutex::default() },
        limiter: Arc::new(RequestLimiter::new(
            Endpoint::EventsStream,
            Some(1_000_000),
            credential,
            Vec::new(),
        )),
        retry_budget: RetryBudget { retry_for: Duration::ZERO, max_wait: Duration::ZERO },
        user_directory: None,
        attempt_recorder: None,
        tasks: TaskTracker::new(),
        meter: Arc::default(),
    };
    Fetcher {
        reader: Arc::new(reader),
        concurrency: 4,
        backfill: BackfillMode::Pages,
        slice_records: 50,
    }
}

pub(super) fn org_events_source() -> Source {
    Source::new(SourceKind::OrgEvents, &"https://api.example".parse().unwrap(), Some("o1"), 500)
}

pub(super) fn at(text: &str) -> Timestamp {
    parse_api_time(text).unwrap()
}

/// A stream's window whose cursor, if it has one, was checked just now.
pub(super) fn open(cursor: Option<&str>) -> OpenWindow {
    OpenWindow {
        from: at("2026-11-01T00:00:00Z"),
        to: None,
        cursor: cursor.map(str::to_owned),
        rereads: false,
        read_by_time: Some(chrono::Utc::now()),
    }
}

/// The same, never checked.
pub(super) fn unchecked(cursor: &str) -> OpenWindow {
    OpenWindow { read_by_time: None, ..open(Some(cursor)) }
}

/// A plan to read `window`, where `watermark` is known.
pub(super) fn plan_of(window: OpenWindow, watermark: Option<Timestamp>) -> ReadPlan {
    ReadPlan {
        since: window.from,
        windows: vec![window],
        event_filter: None,
        rereads: false,
        watermark,
        query: None,
    }
}

/// A check of the last ten minutes, at most once an hour.
pub(super) const CHECK: CursorCheck =
    CursorCheck { overlap: Duration::from_secs(600), when_idle: Duration::from_secs(3600) };

/// What was handed on: ids, `REREAD`, and after each page where the window stands.
pub(super) async fn read<T: Transport + 'static>(
    fetcher: &Fetcher<T>,
    window: OpenWindow,
    watermark: Option<Timestamp>,
) -> (Vec<String>, Result<FetchOutcome, FetchError>) {
    let (sender, mut receiver) = mpsc::channel(1000);
    let plan = plan_of(window, watermark);
    let reading = fetcher.run(&plan, CHECK, sender);
    let taking = async {
        let mut handed = Vec::new();
        while let Some(delivery) = receiver.recv().await {
            match delivery {
                FetchMessage::RereadStarted => handed.push("REREAD".to_owned()),
                FetchMessage::LogRestarted { .. } => handed.push("RESTARTED".to_owned()),
                FetchMessage::QueryStarted(_) => handed.push("QUERY".to_owned()),
                FetchMessage::WindowShortened { .. } => handed.push("SHORTENED".to_owned()),
                FetchMessage::Records { records, window_after: then, .. } => {
                    handed.extend(records.iter().map(|record| record.id.clone().unwrap()));
                    let cursor = then.and_then(|open| open.cursor);
                    handed.extend(cursor.map(|cursor| format!("@{cursor}")));
                }
            }
        }
        handed
    };
    let (result, handed) = tokio::join!(reading, taking);
    (handed, result)
}

pub(super) fn page(ids: &[&str], next: Option<&str>) -> (u16, String) {
    let data: Vec<_> = ids
        .iter()
        .map(|id| serde_json::json!({"id": id, "attributes": {"processedAt": "2026-11-20T00:00:00Z"}}))
        .collect();
    let body = serde_json::json!({"data": data, "meta": {"next": next}});
    (200, body.to_string())
}

pub(super) fn refused_cursor() -> (u16, String) {
    (400, r#"{"errors":[{"code":"ADMIN-400-1","title":"Invalid page cursor"}]}"#.to_owned())
}

#[tokio::test]
async fn it_follows_cursors_and_keeps_the_last() {
    let fetcher = fetcher(org_events_source(), |_, query| match query.get("cursor").as_deref() {
        None => page(&["a"], Some("c1")),
        Some("c1") => page(&["b"], Some("c2")),
        _ => page(&["c"], None),
    });
    let (handed, result) = read(&fetcher, open(None), None).await;
    assert!(result.is_ok());
    assert_eq!(handed, ["a", "@c1", "b", "@c2", "c"]);
    assert_eq!(fetcher.reader.meter.pages.get(), 3);
}

#[tokio::test]
async fn a_refused_cursor_reads_a_day_back_from_the_watermark() {
    let fetcher = fetcher(org_events_source(), |_, query| match query.get("cursor") {
        Some(_) => refused_cursor(),
        None => page(&["a"], None),
    });
    let (handed, result) =
        read(&fetcher, open(Some("old")), Some(at("2026-11-20T12:00:00Z"))).await;
    assert!(result.is_ok());
    assert_eq!(handed, ["REREAD", "a"]);
    let asked = fetcher.reader.transport.requests.lock().unwrap();
    let from = at("2026-11-19T12:00:00Z").timestamp_millis();
    assert!(asked[1].starts_with(&format!("from={from}&sortOrder=asc")), "{asked:?}");
}

#[tokio::test]
async fn a_reading_again_is_one_until_it_comes_to_its_end() {
    let fetcher = fetcher(org_events_source(), |_, query| match query.get("cursor").as_deref() {
        Some("old") => refused_cursor(),
        None => page(&["a"], Some("c1")),
        Some("c1") => page(&["b"], Some("c2")),
        _ => page(&[], Some("c2")),
    });
    let (sender, mut receiver) = mpsc::channel(1000);
    let plan = plan_of(open(Some("old")), None);
    let result = fetcher.run(&plan, CHECK, sender).await;
    assert!(matches!(result, Ok(FetchOutcome::Complete)));
    let mut stood = Vec::new();
    while let Some(delivery) = receiver.recv().await {
        if let FetchMessage::Records { window_after, .. } = delivery {
            let after = window_after.unwrap();
            stood.push((after.cursor.unwrap(), after.rereads));
        }
    }
    let stood: Vec<_> = stood.iter().map(|(at, again)| (&**at, *again)).collect();
    assert_eq!(stood, [("c1", true), ("c2", true), ("c2", false)]);
}

#[tokio::test]
async fn a_wrong_date_on_the_last_page_leads_no_fall_back_astray() {
    let now = format_millis(chrono::Utc::now());
    let body = format!(
        r#"{{"data":[{{"id":"a","attributes":{{"processedAt":"2026-10-20T12:00:00Z"}}}},
            {{"id":"b","attributes":{{"processedAt":"{now}"}}}}],"meta":{{"next":"c"}}}}"#
    );
    let fetcher =
        fetcher(org_events_source(), move |asked, query| match (asked, query.get("cursor")) {
            (0, _) => (200, body.clone()),
            (_, Some(_)) => refused_cursor(),
            (_, None) => page(&[], None),
        });
    let window = OpenWindow { from: at("2026-10-01T00:00:00Z"), ..open(None) };
    read(&fetcher, window, None).await.1.unwrap();
    let asked = fetcher.reader.transport.requests.lock().unwrap();
    let from = at("2026-10-19T12:00:00Z").timestamp_millis();
    assert!(asked[2].starts_with(&format!("from={from}&")), "{asked:?}");
}

#[tokio::test]
async fn without_a_watermark_it_reads_the_window_again() {
    let fetcher = fetcher(org_events_source(), |_, query| match query.get("cursor") {
        Some(_) => refused_cursor(),
        None => page(&[], None),
    });
    read(&fetcher, open(Some("old")), None).await.1.unwrap();
    let asked = fetcher.reader.transport.requests.lock().unwrap();
    let from = open(None).from.timestamp_millis();
    assert!(asked[1].starts_with(&format!("from={from}&")), "{asked:?}");
}

#[tokio::test]
async fn a_server_that_refuses_its_own_cursors_is_abandoned() {
    let fetcher = fetcher(org_events_source(), |_, query| match query.get("cursor") {
        Some(_) => refused_cursor(),
        None => page(&["a"], Some("new")),
    });
    let (handed, result) =
        read(&fetcher, open(Some("old")), Some(at("2026-11-20T00:00:00Z"))).await;
    assert!(matches!(result, Err(FetchError::Failed(_))));
    assert_eq!(handed, ["REREAD", "a", "@new"].repeat(4));
}

#[tokio::test]
async fn a_date_ahead_keeps_no_fall_back_going() {
    for ahead in [1, 24] {
        let date = format_millis(chrono::Utc::now() + chrono::TimeDelta::hours(ahead));
        let body = format!(
            r#"{{"data":[{{"id":"a","attributes":{{"processedAt":"{date}"}}}}],"meta":{{"next":"c"}}}}"#
        );
        let fetcher = fetcher(org_events_source(), move |_, query| match query.get("cursor") {
            Some(_) => refused_cursor(),
            None => (200, body.clone()),
        });
        let (_, result) = read(&fetcher, open(None), None).await;
        assert!(matches!(result, Err(FetchError::Failed(_))));
    }
}

#[tokio::test]
async fn a_circle_hands_on_its_records_and_fails() {
    let fetcher = fetcher(org_events_source(), |_, query| match query.get("cursor").as_deref() {
        Some("c1") => page(&["b"], Some("c1")),
        _ => page(&["a"], Some("c1")),
    });
    let (handed, result) = read(&fetcher, open(None), None).await;
    assert!(matches!(result, Err(FetchError::PagingLoop(_))));
    assert_eq!(handed, ["a", "@c1", "REREAD", "b", "@c1"]);
}

#[tokio::test]
async fn it_stops_when_nobody_listens() {
    let fetcher = fetcher(org_events_source(), |asked, _| page(&["a"], Some(&format!("c{asked}"))));
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let plan = plan_of(open(None), None);
    fetcher.run(&plan, CHECK, sender).await.unwrap();
    assert_eq!(fetcher.reader.transport.requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn empty_pages_without_end_are_no_end() {
    let (unbounded, bounded) = (open(None), jira_window());
    for (window, asks) in [(unbounded, 1 + 3), (bounded, 1 + 100)] {
        let is_bounded = window.to.is_some();
        let fetcher =
            fetcher(org_events_source(), |asked, _| page(&[], Some(&format!("c{asked}"))));
        let (_, result) = read(&fetcher, window, None).await;
        match is_bounded {
            true => assert!(matches!(result, Err(FetchError::EndlessEmptyPages))),
            false => assert!(matches!(result, Ok(FetchOutcome::EmptyPages))),
        }
        assert_eq!(fetcher.reader.transport.requests.lock().unwrap().len(), asks);
    }
}

/// A Jira log with a record every `step` milliseconds from the window's start, newest first; ids
/// are numbered against time, to show that their order is not relied on.
pub(super) fn jira(query: &RequestQuery, count: i64, step: i64) -> (u16, String) {
    let base = open(None).from;
    let (from, to) = (query.time("from"), query.time("to"));
    let newest_first =
        (0..count).rev().map(|n| (n, base + chrono::TimeDelta::milliseconds(n * step)));
    let records: Vec<_> = newest_first
        .filter(|(_, created)| (from..=to).contains(created))
        .skip(query.number("offset"))
        .take(query.number("limit"))
        .map(|(n, created)| serde_json::json!({"id": 100_000 - n, "created": format_millis(created)}))
        .collect();
    (200, serde_json::json!({"records": records}).to_string())
}

fn jira_window() -> OpenWindow {
    OpenWindow { to: Some(at("2026-11-02T00:00:00Z")), read_by_time: None, ..open(None) }
}

pub(super) fn jira_source(page_size: u32) -> Source {
    Source::new(SourceKind::JiraAudit, &"https://site.example".parse().unwrap(), None, page_size)
}

#[tokio::test]
async fn slices_come_oldest_first_and_whole() {
    let fetcher = fetcher(jira_source(10), |_, query| jira(query, 1000, 7));
    let (handed, result) = read(&fetcher, jira_window(), None).await;
    assert!(result.is_ok());
    let expected: Vec<String> = (0..1000).map(|n| (100_000 - n).to_string()).collect();
    // Slices share the millisecond in which they meet; the writer drops what it has had.
    let mut handed = handed;
    handed.dedup();
    assert_eq!(handed, expected);
    // Once to find the cuts, once to read.
    let asked = fetcher.reader.transport.requests.lock().unwrap().len();
    assert!(asked < 250, "{asked} requests for 100 pages");
}

#[tokio::test]
async fn a_log_that_grows_while_it_is_paged_is_read_again() {
    // From the second request on, 12 instead of 11 records: the first page's last one comes again.
    // Each reading ends with an empty page, and a look at what is older.
    let fetcher =
        fetcher(jira_source(10), |asked, query| jira(query, if asked == 0 { 11 } else { 12 }, 7));
    let (handed, _) = read(&fetcher, jira_window(), None).await;
    assert_eq!(handed.len(), 12);
    let asked = fetcher.reader.transport.requests.lock().unwrap();
    assert_eq!(asked.len(), 8, "{asked:?}");
}

#[tokio::test]
async fn a_log_that_keeps_changing_is_handed_on_and_stays_unread() {
    // One record more at each request: every page but the first begins with what was read before.
    let fetcher =
        fetcher(jira_source(10), |asked, query| jira(query, 30 + i64::try_from(asked).unwrap(), 7));
    let (sender, mut receiver) = mpsc::channel(10);
    let plan = plan_of(jira_window(), None);
    let result = fetcher.run(&plan, CHECK, sender).await;
    assert!(matches!(result, Err(FetchError::SliceKeptChanging { is_written: true })));
    let Some(FetchMessage::Records { records, window_after, advances, .. }) = receiver.recv().await
    else {
        panic!("nothing was handed on");
    };
    assert!(records.len() > 30 && !advances);
    assert_eq!(window_after, Some(jira_window()));
    assert!(receiver.recv().await.is_none());
}

#[tokio::test]
async fn an_export_has_no_slice_that_kept_changing() {
    let mut fetcher =
        fetcher(jira_source(10), |asked, query| jira(query, 30 + i64::try_from(asked).unwrap(), 7));
    let reader = Arc::get_mut(&mut fetcher.reader).unwrap();
    reader.attempt_recorder = Some(AttemptRecorder::new(None));
    let (sender, mut receiver) = mpsc::channel(10);
    let plan = plan_of(jira_window(), None);
    let result = fetcher.run(&plan, CHECK, sender).await;
    assert!(matches!(result, Err(FetchError::SliceKeptChanging { is_written: false })));
    assert!(receiver.recv().await.is_none());
}
