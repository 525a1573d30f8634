//! Workspaces: pages, their switches, and event queries.

use reqwest::Method;

use super::*;

fn workspace_path(product: &str) -> String {
    format!("/audit-log/v1/workspaces/ari%3Acloud%3A{product}%3A%3Asite%2F{CLOUD_ID}")
}

impl SmokeTest {
    fn workspace_request(&self, method: Method, rest: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{}{rest}", self.sandbox.base_url(), workspace_path("jira"));
        let request = self.client.request(method, url).basic_auth(JIRA_EMAIL, Some(JIRA_TOKEN));
        request.header("accept-language", "en-US")
    }

    async fn workspace_status(&self, rest: &str) -> u16 {
        self.workspace_request(Method::GET, rest).send().await.unwrap().status().as_u16()
    }

    async fn workspace_page(&self, rest: &str) -> Value {
        json(self.workspace_request(Method::GET, rest).send().await.unwrap()).await
    }

    /// All ids by following the cursor; `more` stands beside it.
    async fn walk_workspace(&self, path: &str, more: &str) -> Vec<String> {
        let mut page = self.workspace_page(&format!("{path}?{more}")).await;
        let mut ids = Vec::new();
        loop {
            let found = ids_of(&page);
            let Some(next) = next_cursor(&page).filter(|_| !found.is_empty()) else {
                ids.extend(found);
                return ids;
            };
            ids.extend(found);
            page = self.workspace_page(&format!("{path}?cursor={next}&{more}")).await;
        }
    }
}

fn ids_of(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap();
    data.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

/// The cursor in `meta.next`, else in `links.next`, encoded for a query.
fn next_cursor(page: &Value) -> Option<String> {
    match page["meta"]["next"].as_str() {
        Some(_) => Some(cursor(page)),
        None => Some(page["links"]["next"].as_str()?.split_once("cursor=")?.1.to_owned()),
    }
}

fn times(page: &Value, clock: &str) -> Vec<i64> {
    let data = page["data"].as_array().unwrap().iter();
    let times = data.map(|event| event["attributes"][clock].as_str().unwrap());
    times
        .map(|time| chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis())
        .collect()
}

#[tokio::test]
async fn both_workspaces_are_served_newest_first() {
    let bench = SmokeTest::small().await;
    let ids = bench.control.ids(Api::JiraWorkspace);
    assert_eq!(ids.len(), 300);
    assert_eq!(bench.walk_workspace("/events", "").await, ids);
    assert_eq!(bench.control.request_count(Api::JiraWorkspace), 3);
    assert_eq!(bench.walk_workspace("/events", "limit=77").await, ids);
    let page = bench.workspace_page("/events?limit=300").await;
    assert!(times(&page, "processedAt").is_sorted_by(|a, b| a >= b));
    assert!(page["links"]["next"].is_null() && page["meta"]["next"].is_null());
    let base = bench.sandbox.base_url();
    let url = format!("{base}{}/events?limit=300", workspace_path("confluence"));
    let confluence = bench.client.get(url).bearer_auth(JIRA_TOKEN_SCOPED).send().await.unwrap();
    assert_eq!(ids_of(&json(confluence).await), bench.control.ids(Api::ConfluenceWorkspace));
}

#[tokio::test]
async fn workspace_credentials_and_paths_are_judged() {
    let bench = SmokeTest::small().await;
    let base = bench.sandbox.base_url();
    let path = workspace_path("jira");
    let get = |path: &str| bench.client.get(format!("{base}{path}"));
    let events = format!("{path}/events");
    for (account, token, status) in [
        (JIRA_EMAIL, JIRA_TOKEN, 200),
        (JIRA_EMAIL, JIRA_TOKEN_SCOPED, 200),
        (JIRA_EMAIL, JIRA_TOKEN_NO_SCOPE, 401),
        (JIRA_EMAIL, "other", 401),
        (JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN_NOT_ADMIN, 403),
    ] {
        let basic = get(&events).basic_auth(account, Some(token)).send().await.unwrap();
        let bearer = get(&events).bearer_auth(token).send().await.unwrap();
        assert_eq!((basic.status(), bearer.status().as_u16()), (bearer.status(), status));
    }
    let ari = format!("ari:cloud:jira::site/{CLOUD_ID}");
    for (path, status) in [
        (events.as_str(), 200),
        (&format!("/audit-log/v1/workspaces/{ari}/events"), 404),
        (&events.replace(CLOUD_ID, "other"), 404),
        (&events.replace("jira", "loom"), 404),
        (&format!("{path}/other"), 404),
    ] {
        let reply = get(path).bearer_auth(JIRA_TOKEN).send().await.unwrap();
        assert_eq!(reply.status(), status, "{path}");
        if status == 404 {
            assert_eq!(json(reply).await["message"], "Not Found", "{path}");
        }
    }
    let post = bench.workspace_request(Method::POST, "/events").send().await.unwrap();
    assert_eq!(post.status(), 405);
    let last = bench.control.requests().pop().unwrap();
    assert_eq!((last.method.as_str(), last.status), ("POST", 405));
}

#[tokio::test]
async fn every_reading_of_the_pages_shows_every_event_once() {
    let bench = SmokeTest::small().await;
    let mut ids = bench.control.ids(Api::JiraWorkspace);
    let now = bench.control.now().timestamp_millis();
    let window = format!("from=0&to={now}&limit=90");
    let set = |change: fn(&mut Behaviour)| {
        bench.control.set_behaviour(|behaviour| {
            *behaviour = Behaviour::default();
            change(behaviour);
        });
        bench.control.forget_requests();
    };
    for (change, more, pages) in [
        ((|_| {}) as fn(&mut Behaviour), window.as_str(), 4),
        (|it| it.workspace_cursor_place = CursorPlace::Meta, &window, 4),
        (|it| it.workspace_cursor_place = CursorPlace::Links, &window, 4),
        (|it| it.workspace_end = EndOfStream::Null, "limit=90", 4),
        (|it| it.workspace_end = EndOfStream::CursorAlways, &window, 5),
        (|it| it.workspace_end = EndOfStream::NullWhenBounded, "limit=90", 4),
        (|it| it.workspace_cap = Some(60), &window, 5),
        (|it| it.workspace_cap = Some(1000), "", 3),
        (|it| it.workspace_bounds = CursorBoundsRule::Required, &window, 4),
        (|it| it.cursor_padding = 100, &window, 4),
    ] {
        set(change);
        assert_eq!(bench.walk_workspace("/events", more).await, ids);
        assert_eq!(bench.control.request_count(Api::JiraWorkspace), pages);
    }
    for change in [(|it| it.workspace_clock = FilterClock::Time) as fn(&mut Behaviour), |it| {
        it.workspace_hides_processed = true
    }] {
        set(change);
        let found = bench.walk_workspace("/events", "limit=7").await;
        let page = bench.workspace_page("/events?limit=300").await;
        assert_eq!(found, ids_of(&page));
        assert!(times(&page, "time").is_sorted_by(|a, b| a >= b));
        let has_processed = !page["data"][0]["attributes"]["processedAt"].is_null();
        assert_eq!(found == ids, !has_processed);
    }
    set(|it| it.workspace_oldest_first = true);
    ids.reverse();
    assert_eq!(bench.walk_workspace("/events", &window).await, ids);
    set(|it| it.workspace_hides_cursors = true);
    assert_eq!(next_cursor(&bench.workspace_page("/events").await), None);
}

#[tokio::test]
async fn bounds_are_inclusive_and_compare_with_the_chosen_clock() {
    let bench = SmokeTest::small().await;
    for (clock, name) in [(FilterClock::ProcessedAt, "processedAt"), (FilterClock::Time, "time")] {
        bench.control.set_behaviour(|it| it.workspace_clock = clock);
        let all = bench.workspace_page("/events?limit=300").await;
        let times = times(&all, name);
        let (from, to) = (times[250], times[20]);
        let inside = times.iter().filter(|time| (from..=to).contains(*time)).count();
        let query = format!("/events?limit=300&from={from}&to={to}");
        assert_eq!(ids_of(&bench.workspace_page(&query).await).len(), inside);
        assert!((231..250).contains(&inside), "{inside}");
    }
}

#[tokio::test]
async fn dates_limits_and_bounds_beside_a_cursor_may_be_refused() {
    let bench = SmokeTest::small().await;
    let kept = cursor(&bench.workspace_page("/events?limit=10&from=5").await);
    let beside = format!("/events?limit=10&to=7&cursor={kept}");
    let (millis, text) = ("/events?from=1795167000000", "/events?to=2026-11-20T09:30:00Z");
    for (change, path, status) in [
        ((|_| {}) as fn(&mut Behaviour), millis, 200),
        (|_| {}, text, 200),
        (|_| {}, "/events?from=2026-11-20T09:30:00", 400),
        (|it| it.workspace_dates = WorkspaceDates::MillisOnly, millis, 200),
        (|it| it.workspace_dates = WorkspaceDates::MillisOnly, text, 400),
        (|it| it.workspace_dates = WorkspaceDates::TextOnly, millis, 400),
        (|it| it.workspace_dates = WorkspaceDates::TextOnly, text, 200),
        (|_| {}, "/events?limit=0", 400),
        (|_| {}, "/events?limit=many", 400),
        (|_| {}, "/events?limit=5000", 200),
        (|it| it.workspace_limit_refused = Some(100), "/events?limit=101", 400),
        (|it| it.workspace_limit_refused = Some(100), "/events?limit=100", 200),
        (|_| {}, "/events?cursor=bogus", 400),
        (|_| {}, &beside, 200),
        (|it| it.workspace_bounds = CursorBoundsRule::Refused, &beside, 400),
        (|it| it.workspace_bounds = CursorBoundsRule::Required, &beside, 200),
        (|it| it.workspace_missing = true, "/events", 404),
        (|it| it.workspace_missing = true, "/event-queries", 404),
        (|it| it.workspace_gateway_errors = 1, "/events", 502),
        (|it| it.workspace_gateway_errors = 1, "/event-queries", 502),
        (|it| it.cdn_refusals = 1, "/events", 403),
        (|it| it.free_plan = true, "/events", 403),
    ] {
        bench.control.set_behaviour(|behaviour| {
            *behaviour = Behaviour::default();
            change(behaviour);
        });
        assert_eq!(bench.workspace_status(path).await, status, "{path}");
    }
    bench.control.set_behaviour(|it| *it = Behaviour::default());
    // By default the bounds of the cursor hold; where they are required, those of the request.
    let size = async |path: &str| ids_of(&bench.workspace_page(path).await).len();
    assert_eq!(size(&beside).await, 10);
    bench.control.set_behaviour(|it| it.workspace_bounds = CursorBoundsRule::Required);
    assert_eq!(size(&beside).await, 0);
    assert_eq!(size(&format!("/events?limit=500&cursor={kept}")).await, 290);
    bench.control.expire_cursors();
    assert_eq!(bench.workspace_status(&format!("/events?cursor={kept}")).await, 400);
    let refused = bench.workspace_request(Method::GET, "/events?limit=0").send().await.unwrap();
    assert_eq!(json(refused).await["errors"][0]["code"], "INVALID_REQUEST");
}

#[tokio::test]
async fn texts_are_german_unless_english_is_the_only_language() {
    let bench = SmokeTest::start(
        DataOptions { clean: true, ..DataOptions::default() },
        Behaviour::default(),
    )
    .await;
    let base = bench.sandbox.base_url();
    for (language, status, is_german) in [
        (None, 200, true),
        (Some("en-US"), 200, false),
        (Some("en-us"), 200, false),
        (Some("de-DE"), 200, true),
        (Some("en"), 200, true),
        (Some("en-US,en;q=0.9"), 400, false),
        (Some("en-US;q=1"), 400, false),
    ] {
        for (rest, text) in [
            ("events", "/data/0/message/content"),
            ("event-actions", "/data/0/attributes/groupDisplayNames/0"),
        ] {
            let url = format!("{base}{}/{rest}", workspace_path("jira"));
            let mut request = bench.client.get(url).bearer_auth(JIRA_TOKEN);
            if let Some(language) = language {
                request = request.header("accept-language", language);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), status, "{language:?}");
            let page = json(response).await;
            let text = page.pointer(text).and_then(Value::as_str).unwrap_or_default();
            assert_eq!(text.starts_with("[de] "), is_german, "{language:?}: {text}");
        }
    }
}

#[tokio::test]
async fn events_appear_between_pages_late_and_in_limits() {
    let bench = SmokeTest::small().await;
    bench.control.set_behaviour(|it| {
        it.insert_on_workspace_page = 2;
        it.insert_on_workspace_pages = Some(1);
    });
    let before = bench.control.ids(Api::JiraWorkspace);
    assert_eq!(bench.walk_workspace("/events", "").await, before);
    let after = bench.control.ids(Api::JiraWorkspace);
    assert_eq!(after[2..], before);
    bench.control.set_behaviour(|it| it.late_visibility = Some(Duration::from_secs(60)));
    bench.control.add(Api::JiraWorkspace, 7);
    let shown = bench.workspace_page("/events?limit=500").await;
    let all = bench.control.ids(Api::JiraWorkspace);
    assert_eq!((ids_of(&shown).len(), all.len()), (308, 309));
    bench.control.set_behaviour(|it| {
        it.workspace_rate_limit = Some(RateLimit::new(2, Duration::from_secs(3600)));
        it.workspace_latency = Duration::from_millis(30);
    });
    let start = std::time::Instant::now();
    let mut statuses = Vec::new();
    for path in ["/events", "/event-queries", "/events"] {
        statuses.push(bench.workspace_status(path).await);
    }
    assert_eq!(statuses, [200, 200, 429]);
    assert!(start.elapsed() >= Duration::from_millis(90));
}

#[tokio::test]
async fn faults_and_changes_of_a_page_work_in_workspaces() {
    let bench = SmokeTest::small().await;
    let script = |fault| bench.control.inject(Api::JiraWorkspace, fault);
    let first = bench.workspace_page("/events?limit=20").await;
    let used = cursor(&first);
    let query = format!("/events?limit=20&cursor={used}");
    script(Fault::Overlap(3));
    let overlapping = bench.workspace_page(&query).await;
    assert_eq!(ids_of(&overlapping)[..3], ids_of(&first)[17..]);
    script(Fault::SameCursor);
    let same = bench.workspace_page(&query).await;
    assert_eq!((cursor(&same), ids_of(&same)[0].clone()), (used, ids_of(&overlapping)[3].clone()));
    script(Fault::EmptyPageWithCursor);
    let empty = bench.workspace_page(&query).await;
    assert!(ids_of(&empty).is_empty());
    let query = format!("/events?limit=20&cursor={}", cursor(&empty));
    let resumed = bench.workspace_page(&query).await;
    assert_eq!(resumed["data"], same["data"]);
    script(Fault::RepeatPage);
    assert_eq!(bench.workspace_page("/events").await, resumed);
    script(Fault::ExpiredCursor);
    // A query is not a page: the script waits.
    assert_eq!(bench.workspace_status("/event-queries").await, 200);
    assert_eq!(bench.workspace_status("/events").await, 400);
    bench.control.set_behaviour(|it| {
        it.page_error = PageError::BesideRecords;
        it.zoneless_times = true;
        it.forwarded_addresses = true;
        it.pretty_json = true;
    });
    let text = bench.workspace_request(Method::GET, "/events").send().await.unwrap();
    let text = text.text().await.unwrap();
    assert!(text.starts_with("{\n  \"errors\"") && text.contains(PROXY), "{text}");
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((ids_of(&page).len(), &page["errors"][0]["status"]), (100, &500.into()));
    assert!(!page["data"][0]["attributes"]["time"].as_str().unwrap().contains('Z'));
}

impl SmokeTest {
    /// Creates an event query; its status code, and its address below the workspace.
    async fn create_query(&self, body: &str) -> (u16, String, Value) {
        let request = self.workspace_request(Method::POST, "/event-queries");
        let response = request.body(body.to_owned()).send().await.unwrap();
        let status = response.status().as_u16();
        let reply = json(response).await;
        let link = reply["data"]["links"]["self"].as_str().unwrap_or_default();
        let path = link.split_once("/event-queries").map(|(_, id)| format!("/event-queries{id}"));
        (status, path.unwrap_or_default(), reply)
    }

    async fn query_status(&self, path: &str) -> String {
        let reply = self.workspace_page(path).await;
        reply["data"]["attributes"]["status"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn an_event_query_is_completed_after_some_polls() {
    let bench = SmokeTest::small().await;
    let all = bench.workspace_page("/events?limit=300").await;
    let times = times(&all, "processedAt");
    let (from, to) = (times[250], times[20]);
    let inside = times.iter().filter(|time| (from..=to).contains(*time)).count();
    let attributes = format!(r#"{{"from":{from},"to":"{to}"}}"#);
    let body = format!(r#"{{"data":{{"type":"eventQueries","attributes":{attributes}}}}}"#);
    let (status, path, reply) = bench.create_query(&body).await;
    assert_eq!((status, &reply["data"]["type"]), (201, &"eventQueries".into()));
    bench.control.add_json(
        Api::JiraWorkspace,
        r#"{"id":"late"}"#.to_owned(),
        chrono::DateTime::from_timestamp_millis(to).unwrap(),
    );
    assert_eq!(bench.workspace_status(&format!("{path}/results")).await, 409);
    assert_eq!(bench.query_status(&path).await, "IN_PROGRESS");
    assert_eq!(bench.query_status(&path).await, "COMPLETED");
    let found = bench.walk_workspace(&format!("{path}/results"), "limit=50").await;
    assert_eq!(found.len(), inside);
    let newest = ids_of(&all)[20..].iter().position(|id| *id == found[0]);
    assert!(newest.is_some_and(|at| at < 8), "{newest:?}");
    let (_, other, _) = bench.create_query(&attributes).await;
    for (method, path) in
        [(Method::DELETE, other.clone()), (Method::POST, format!("{path}/cancel"))]
    {
        let reply = bench.workspace_request(method, &path).send().await.unwrap();
        assert_eq!(reply.status(), 204, "{path}");
    }
    let queries = bench.control.event_queries();
    assert!(queries.iter().all(|query| query.status == "CANCELLED"));
    assert_eq!((queries[0].from_ms, queries[1].to_ms), (Some(from), Some(to)));
    assert_eq!(bench.workspace_page("/event-queries").await["meta"]["total"], 2);
    assert_eq!(bench.workspace_status("/event-queries/other").await, 404);
}

#[tokio::test]
async fn event_queries_may_be_missing_refused_failing_or_stuck() {
    let bench = SmokeTest::small().await;
    for (change, body, status, polled) in [
        ((|_| {}) as fn(&mut Behaviour), "{}", 201, "COMPLETED"),
        (|it| it.event_query_polls = Some(0), "{}", 201, "COMPLETED"),
        (|it| it.event_query_polls = Some(5), "{}", 201, "IN_PROGRESS"),
        (|it| it.event_query_accepted = true, "{}", 202, "COMPLETED"),
        (|it| it.event_queries = EventQueries::Missing, "{}", 404, ""),
        (|it| it.event_queries = EventQueries::Refused, "{}", 403, ""),
        (|it| it.event_queries = EventQueries::Fails, "{}", 201, "FAILED"),
        (|it| it.event_queries = EventQueries::Stuck, "{}", 201, "IN_PROGRESS"),
        (|_| {}, "", 400, ""),
        (|_| {}, "[]", 400, ""),
        (|_| {}, r#"{"from":true}"#, 400, ""),
        (|it| it.workspace_dates = WorkspaceDates::TextOnly, r#"{"from":7}"#, 400, ""),
    ] {
        bench.control.set_behaviour(|behaviour| {
            *behaviour = Behaviour::default();
            change(behaviour);
        });
        let (found, path, _) = bench.create_query(body).await;
        assert_eq!(found, status, "{body}");
        if !path.is_empty() {
            let _ = bench.query_status(&path).await;
            assert_eq!(bench.query_status(&path).await, polled);
        }
    }
}
