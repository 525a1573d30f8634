//! Walks through both APIs, how they end, and stopping.

use super::*;

#[tokio::test]
async fn every_org_event_is_served_once_in_order() {
    let bench = SmokeTest::start(DataOptions::default(), Behaviour::default()).await;
    assert_eq!(bench.walk_org("").await, bench.control.ids(Api::OrgEvents));
    assert_eq!(bench.control.request_count(Api::OrgEvents), 13); // unbounded: an empty page ends it
    bench.control.forget_requests();
    let now = bench.control.now().timestamp_millis();
    assert_eq!(
        bench.walk_org(&format!("to={now}&limit=999")).await,
        bench.control.ids(Api::OrgEvents)
    );
    // Clamped to 500, then 200: links.next names no limit.
    assert_eq!(bench.control.request_count(Api::OrgEvents), 11);
    let mut newest_first = bench.walk_org("sortOrder=desc&limit=77").await;
    newest_first.reverse();
    assert_eq!(newest_first, bench.control.ids(Api::OrgEvents));
    let minute = Duration::from_secs(60);
    let busiest = bench.control.max_in_window(Api::OrgEvents, minute);
    assert_eq!(busiest, bench.control.request_count(Api::OrgEvents));
}

#[tokio::test]
async fn shared_and_copied_pages_are_identical() {
    let bench = SmokeTest::small().await;
    let now = bench.control.now().timestamp_millis();
    let fetch = async || {
        let query = format!("limit=200&to={now}");
        let response = bench.org(&query).send().await.unwrap();
        let headers = response.headers().clone();
        (headers, response.text().await.unwrap())
    };
    let (shared_headers, shared) = fetch().await;
    // Bytes that are announced and then sent in parts are joined first.
    let in_one = Fault::SlowBody { chunk_bytes: usize::MAX, pause: Duration::ZERO };
    bench.control.inject(Api::OrgEvents, in_one);
    let (copied_headers, copied) = fetch().await;
    // The cursor, which is there twice, says when it was issued.
    let without_end = |body: &str| body[..body.find(r#","links":{"next""#).unwrap()].to_owned();
    assert_eq!(without_end(&shared), without_end(&copied));
    assert_eq!(
        without_end(&shared),
        format!("{{\"data\":[{}]", bench.control.texts(Api::OrgEvents)[..200].join(","))
    );
    let names = |headers: &reqwest::header::HeaderMap| {
        let names = headers.keys().map(|name| name.as_str().to_owned());
        std::collections::BTreeSet::from_iter(names)
    };
    assert_eq!(names(&shared_headers), names(&copied_headers));
    assert_eq!(shared_headers["content-length"], shared.len().to_string().as_str());
}

#[tokio::test]
async fn a_last_cursor_finds_what_comes_later() {
    let bench = SmokeTest::small().await;
    let page = bench.org_page("limit=500").await;
    let kept = cursor(&page);
    let empty = bench.org_page(&format!("cursor={kept}")).await;
    assert_eq!((&empty["data"], cursor(&empty)), (&Value::Array(Vec::new()), kept.clone()));
    bench.control.add(Api::OrgEvents, 3);
    let odd = r#"{ "id":"x","n":1.10,"n":12345678901234567890123,"e":"\u0041\/" }"#;
    bench.control.add_json(
        Api::OrgEvents,
        odd.to_owned(),
        bench.control.now() + Duration::from_secs(5),
    );
    let text = bench.org(&format!("cursor={kept}")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains(odd), "{text}");
    bench.control.set_behaviour(|behaviour| behaviour.pretty_json = true);
    let text = bench.org(&format!("cursor={kept}")).send().await.unwrap().text().await.unwrap();
    assert!(text.starts_with("{\n  \"data\": [\n    {\n"), "{text}");
    assert!(text.contains(r#""e": "\u0041\/""#) && text.contains("\"n\": 1.10,\n"), "{text}");
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(page["data"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn every_jira_record_is_served_once_newest_first() {
    let bench = SmokeTest::small().await;
    let mut ids = Vec::new();
    loop {
        let page =
            json(bench.jira(&format!("limit=50&offset={}", ids.len())).send().await.unwrap()).await;
        assert_eq!(page["total"], 120);
        let records = page["records"].as_array().unwrap();
        if records.is_empty() {
            break;
        }
        ids.extend(records.iter().map(|record| record["id"].to_string()));
    }
    assert_eq!(ids, bench.control.ids(Api::JiraAudit));
    let zoneless = json(bench.jira("from=2020-01-01T00:00:00.000").send().await.unwrap()).await;
    assert_eq!(
        (&zoneless["records"], &zoneless["total"]),
        (&Value::Array(Vec::new()), &120.into())
    );
    for from in ["2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000%2B0000"] {
        let all = json(bench.jira(&format!("from={from}")).send().await.unwrap()).await;
        assert_eq!(all["records"].as_array().unwrap().len(), 120);
    }
    bench.control.set_behaviour(|behaviour| behaviour.insert_on_jira_page = 2);
    let to = bench.control.now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let first = json(bench.jira(&format!("limit=5&to={to}")).send().await.unwrap()).await;
    let second = json(bench.jira(&format!("limit=5&offset=5&to={to}")).send().await.unwrap()).await;
    assert_eq!(first["records"][3], second["records"][0]); // two new ones shifted the offsets
}

#[tokio::test]
async fn a_dropped_sandbox_answers_no_more() {
    let SmokeTest { sandbox, control, client } = SmokeTest::small().await;
    let url = format!("{}/_edge/tenant_info", sandbox.base_url());
    assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
    drop(sandbox);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(client.get(&url).send().await.is_err());
    assert_eq!(control.requests().len(), 1);
}

#[tokio::test]
async fn each_end_of_stream_variant_is_served() {
    let bench = SmokeTest::small().await;
    let now = bench.control.now().timestamp_millis();
    let next = async |end: EndOfStream, trailing: bool, query: String| {
        bench.control.set_behaviour(|behaviour| {
            behaviour.end_of_stream = end;
            behaviour.trailing_empty_page = trailing;
        });
        bench.org_page(&query).await
    };
    let (all, bounded) = ("limit=500".to_owned(), format!("limit=500&to={now}"));
    for (end, unbounded_null, bounded_null) in [
        (EndOfStream::Null, true, true),
        (EndOfStream::CursorAlways, false, false),
        (EndOfStream::NullWhenBounded, false, true),
    ] {
        let page = next(end, false, all.clone()).await;
        assert_eq!(page["meta"]["next"].is_null(), unbounded_null, "{end:?}");
        let page = next(end, false, bounded.clone()).await;
        assert_eq!(page["meta"]["next"].is_null(), bounded_null, "{end:?}");
    }
    let page = next(EndOfStream::NullWhenBounded, true, bounded).await;
    let empty = bench.org_page(&format!("cursor={}", cursor(&page))).await;
    assert_eq!(
        (&empty["meta"]["next"], &empty["links"]),
        (&Value::Null, &Value::Object(Default::default()))
    );
    assert_eq!((&empty["meta"]["page_size"], &empty["meta"]["total"]), (&200.into(), &0.into()));
}

#[tokio::test]
async fn the_filter_clock_decides_about_late_events() {
    let bench = SmokeTest::small().await;
    let late = r#"{"id":"late","attributes":{"time":"2020-01-01T00:00:00Z"}}"#;
    bench.control.add_json(Api::OrgEvents, late.to_owned(), bench.control.now());
    let from = format!("from={}&limit=500", 1_600_000_000_000_i64);
    let has_late = async || bench.walk_org(&from).await.contains(&"late".to_owned());
    assert!(has_late().await);
    bench.control.set_behaviour(|behaviour| behaviour.filter_clock = FilterClock::Time);
    assert!(!has_late().await);
}
