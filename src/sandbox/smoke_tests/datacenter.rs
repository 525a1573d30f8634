//! Data Center's audit events: walks by cursor, dates, the log that records its own reading,
//! refusals.

use super::*;

fn values(texts: &[String]) -> Vec<Value> {
    let parsed = texts.iter().map(|text| serde_json::from_str(text).unwrap());
    parsed.collect()
}

/// All events by `nextPageLink`.
async fn walk(bench: &SmokeTest, query: &str) -> Vec<Value> {
    let mut page = bench.datacenter_page(query).await;
    let mut events = Vec::new();
    loop {
        let entities = page["entities"].as_array().unwrap();
        let paging = &page["pagingInfo"];
        assert_eq!(paging["size"], entities.len());
        events.extend(entities.iter().cloned());
        if paging["lastPage"] == true {
            assert_eq!(paging.as_object().unwrap().len(), 2, "{paging}");
            return events;
        }
        let next = paging["nextPageLink"].as_str().unwrap();
        let request = bench.client.get(next).bearer_auth(DATACENTER_TOKEN);
        page = json(request.send().await.unwrap()).await;
    }
}

#[tokio::test]
async fn every_datacenter_event_is_served_newest_first_by_cursor() {
    let bench = SmokeTest::small().await;
    let all = values(&bench.control.texts(Api::DatacenterAudit));
    assert_eq!(all.len(), 300);
    assert_eq!(walk(&bench, "limit=50").await, all);
    assert_eq!(walk(&bench, "").await, all);
    assert_eq!(bench.control.request_count(Api::DatacenterAudit), 8);
    let time = |event: &Value| event["timestamp"].as_str().unwrap().to_owned();
    assert!(all.iter().rev().map(time).is_sorted());
    assert!(all.windows(2).any(|pair| pair[0] == pair[1]));
    let (from, to) = (time(&all[200]), time(&all[100]));
    let expected: Vec<Value> = all
        .iter()
        .filter(|event| (from.clone()..=to.clone()).contains(&time(event)))
        .cloned()
        .collect();
    let bounds = format!("from={from}&to={to}&limit=7");
    assert_eq!(walk(&bench, &bounds).await, expected);
    let page = bench.datacenter_page("offset=290").await;
    assert_eq!(page["entities"].as_array().unwrap(), &all[290..]);
    // What comes in between does not shift a cursor.
    let first = bench.datacenter_page("limit=10").await;
    bench.control.add(Api::DatacenterAudit, 5);
    let cursor = first["pagingInfo"]["nextPageCursor"].as_str().unwrap();
    let second = bench.datacenter_page(&format!("limit=10&pageCursor={cursor}")).await;
    assert_eq!(second["entities"].as_array().unwrap(), &all[10..20]);
}

#[tokio::test]
async fn dates_and_cursors_that_cannot_be_read_are_refused() {
    let bench = SmokeTest::small().await;
    let status = async |query: &str| bench.datacenter(query).send().await.unwrap().status();
    for bad in [
        "from=yesterday",
        "to=2026-11-20T09:30:00",
        "limit=0",
        "limit=100001",
        "pageCursor=7",
        "offset=x",
    ] {
        assert_eq!(status(bad).await, 400, "{bad}");
    }
    let fraction = "from=2020-01-01T00:00:00.500Z";
    assert_eq!(status(fraction).await, 200);
    bench.control.set_behaviour(|behaviour| behaviour.datacenter_whole_seconds = true);
    assert_eq!(status(fraction).await, 400);
    assert_eq!(status("from=2020-01-01T00:00:00Z").await, 200);
}

#[tokio::test]
async fn reading_the_log_is_logged_where_it_is_switched_on() {
    let bench = SmokeTest::small().await;
    bench.datacenter_page("").await;
    assert_eq!(bench.control.texts(Api::DatacenterAudit).len(), 300);
    bench.control.set_behaviour(|behaviour| behaviour.audit_reads = true);
    let url = format!("{}/rest/auditing/1.0/events", bench.sandbox.base_url());
    let refused = bench.client.get(url).bearer_auth("x").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    bench.datacenter_page("").await;
    let page = bench.datacenter_page("").await;
    let newest = &page["entities"][0];
    assert_eq!(newest["type"]["action"], "Audit Log search performed");
    assert_eq!(newest["author"]["name"], DATACENTER_USER);
    assert_eq!(bench.control.texts(Api::DatacenterAudit).len(), 302);
}

#[tokio::test]
async fn datacenter_knows_tokens_and_passwords() {
    let bench = SmokeTest::small().await;
    let base = bench.sandbox.base_url();
    for prefix in ["", "/dc"] {
        let get = |path: &str| bench.client.get(format!("{base}{prefix}{path}"));
        let log = || get("/rest/auditing/1.0/events");
        let who = || get("/plugins/servlet/applinks/whoami");
        let text = async |request: reqwest::RequestBuilder| {
            let answer = request.send().await.unwrap();
            assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
            answer.text().await.unwrap()
        };
        let password = Some(DATACENTER_PASSWORD);
        let signed_in = log().basic_auth(DATACENTER_USER, password);
        assert_eq!(signed_in.send().await.unwrap().status(), 200);
        assert_eq!(log().send().await.unwrap().status(), 401);
        let reader = log().bearer_auth(DATACENTER_TOKEN_NOT_ADMIN);
        assert_eq!(reader.send().await.unwrap().status(), 403);
        assert_eq!(text(who().bearer_auth(DATACENTER_TOKEN)).await, "auditor");
        assert_eq!(text(who().basic_auth(DATACENTER_USER, password)).await, "auditor");
        let reader = who().bearer_auth(DATACENTER_TOKEN_NOT_ADMIN);
        assert_eq!(text(reader).await, "reader");
        assert_eq!(text(who()).await, "");
    }
}

#[tokio::test]
async fn faults_and_limits_of_datacenters_pages() {
    let bench = SmokeTest::small().await;
    let script = |fault| bench.control.inject(Api::DatacenterAudit, fault);
    let first = bench.datacenter_page("limit=20").await;
    let used = first["pagingInfo"]["nextPageCursor"].as_str().unwrap();
    let query = format!("limit=20&pageCursor={used}");
    let page = bench.datacenter_page(&query).await;
    script(Fault::Overlap(3));
    let overlapping = bench.datacenter_page(&query).await;
    assert_eq!(overlapping["entities"][0], first["entities"][17]);
    assert_eq!(overlapping["entities"][3], page["entities"][0]);
    script(Fault::SameCursor);
    let same = bench.datacenter_page(&query).await;
    assert_eq!(same["entities"], page["entities"]);
    assert_eq!(same["pagingInfo"]["nextPageCursor"], used);
    for (asked, expected) in [(query.as_str(), &page), ("limit=20", &first)] {
        script(Fault::EmptyPageWithCursor);
        let empty = bench.datacenter_page(asked).await;
        assert_eq!(empty["pagingInfo"]["size"], 0);
        let cursor = empty["pagingInfo"]["nextPageCursor"].as_str().unwrap();
        let resumed = format!("limit=20&pageCursor={cursor}");
        let resumed = bench.datacenter_page(&resumed).await;
        assert_eq!(resumed["entities"], expected["entities"]);
    }
    bench.control.set_behaviour(|behaviour| {
        let limit = RateLimit::new(1, Duration::from_secs(3600));
        behaviour.datacenter_rate_limit = Some(RateLimit { retry_after: true, ..limit });
    });
    assert_eq!(bench.datacenter("").send().await.unwrap().status(), 200);
    let refused = bench.datacenter("").send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["x-ratelimit-interval-seconds"], "3600");
    assert!(refused.headers().contains_key("retry-after"));
    assert!(!refused.headers().contains_key("x-ratelimit-reset"));
}

#[tokio::test]
async fn added_records_are_the_newest() {
    let bench = SmokeTest::small().await;
    let control = &bench.control;
    control.add(Api::ConfluenceAudit, 60);
    control.add(Api::DatacenterAudit, 60);
    let odd = r#"{ "n":1.10,"n":12345678901234567890123,"e":"\u0041\/" }"#;
    let later = control.now() + Duration::from_secs(60);
    control.add_json(Api::ConfluenceAudit, odd.to_owned(), later);
    control.add_json(Api::DatacenterAudit, odd.to_owned(), later);
    assert_eq!(control.texts(Api::ConfluenceAudit).len(), 361);
    assert_eq!(control.texts(Api::DatacenterAudit)[0], odd);
    for request in [bench.confluence("limit=1"), bench.datacenter("limit=1")] {
        let text = request.send().await.unwrap().text().await.unwrap();
        assert!(text.contains(odd), "{text}");
    }
}
