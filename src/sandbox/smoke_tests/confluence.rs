//! Confluence's audit records: walks, links, equal records, refusals, faults; and the ways to the
//! site.

use super::*;

/// All records by `start`, fifty at a time.
async fn walk(bench: &SmokeTest, more: &str) -> Vec<Value> {
    let mut records = Vec::new();
    loop {
        let query = format!("limit=50&start={}{more}", records.len());
        let page = bench.confluence_page(&query).await;
        let results = page["results"].as_array().unwrap();
        if results.is_empty() {
            return records;
        }
        records.extend(results.iter().cloned());
    }
}

fn values(texts: &[String]) -> Vec<Value> {
    let parsed = texts.iter().map(|text| serde_json::from_str(text).unwrap());
    parsed.collect()
}

#[tokio::test]
async fn every_confluence_record_is_served_newest_first_with_duplicates() {
    let bench = SmokeTest::small().await;
    let all = walk(&bench, "").await;
    assert_eq!(all, values(&bench.control.texts(Api::ConfluenceAudit)));
    assert_eq!(all.len(), 300);
    let date = |record: &Value| record["creationDate"].as_i64().unwrap();
    assert!(all.is_sorted_by_key(|record| -date(record)));
    let repeated = all.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!(repeated >= 5, "{repeated}");
    assert!(all.iter().all(|record| record.get("id").is_none()));
    let (from, to) = (date(&all[200]), date(&all[100]));
    let within = walk(&bench, &format!("&startDate={from}&endDate={to}")).await;
    let expected: Vec<Value> =
        all.into_iter().filter(|record| (from..=to).contains(&date(record))).collect();
    assert_eq!(within, expected);
}

#[tokio::test]
async fn a_page_counts_all_matches_and_says_where_it_goes_on() {
    let bench = SmokeTest::small().await;
    let page = bench.confluence_page("limit=40&start=80").await;
    let (base, size) = (&page["_links"]["base"], &page["size"]);
    assert_eq!((&page["start"], &page["limit"]), (&80.into(), &40.into()));
    assert_eq!(size, 300);
    assert_eq!(base, &Value::from(format!("{}/wiki", bench.sandbox.base_url())));
    assert_eq!(page["_links"]["next"], "/rest/api/audit?start=120&limit=40");
    assert!(bench.confluence_page("start=260").await["_links"].get("next").is_none());
    bench.control.set_behaviour(|behaviour| {
        behaviour.confluence_hides_links = true;
        behaviour.confluence_max_limit = Some(30);
        behaviour.insert_on_confluence_page = 2;
        behaviour.insert_on_confluence_pages = Some(1);
    });
    let first = bench.confluence_page("limit=1000").await;
    assert!(first["_links"].get("next").is_none());
    assert_eq!(first["limit"], 30);
    let second = bench.confluence_page("start=30").await;
    assert_eq!(first["results"][28], second["results"][0]); // two new ones shifted the places
    assert_eq!(bench.control.texts(Api::ConfluenceAudit).len(), 302);
    for bad in ["startDate=2026-11-20", "limit=x", "limit=0", "start=-1"] {
        let refused = bench.confluence(bad).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{bad}");
        assert_eq!(json(refused).await["statusCode"], 400);
    }
}

#[tokio::test]
async fn faults_of_confluences_pages() {
    let bench = SmokeTest::small().await;
    let script = |fault| bench.control.inject(Api::ConfluenceAudit, fault);
    let page = bench.confluence_page("limit=20&start=20").await;
    script(Fault::Overlap(3));
    let overlapping = bench.confluence_page("limit=20&start=20").await;
    assert_eq!(overlapping["results"][3], page["results"][0]);
    script(Fault::EmptyPageWithCursor);
    let empty = bench.confluence_page("limit=20&start=20").await;
    assert_eq!(empty["results"], Value::Array(Vec::new()));
    assert_eq!(empty["_links"]["next"], "/rest/api/audit?start=20&limit=20");
    script(Fault::SameCursor);
    let same = bench.confluence_page("limit=20&start=20").await;
    assert_eq!(same["results"], page["results"]);
    assert_eq!(same["_links"]["next"], empty["_links"]["next"]);
    script(Fault::RepeatPage);
    assert_eq!(bench.confluence_page("limit=20&start=40").await, same);
    bench.control.set_behaviour(|behaviour| {
        behaviour.confluence_rate_limit = Some(RateLimit::new(1, Duration::from_secs(3600)));
    });
    assert_eq!(bench.confluence("").send().await.unwrap().status(), 200);
    let refused = bench.confluence("").send().await.unwrap();
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "0");
    assert_eq!(json(refused).await["statusCode"], 429);
    assert_eq!(bench.control.request_count(Api::ConfluenceAudit), 7);
    assert_eq!(bench.control.request_count(Api::JiraAudit), 0);
}

#[tokio::test]
async fn tokens_with_scopes_are_good_at_the_gateway_only() {
    let bench = SmokeTest::small().await;
    let base = bench.sandbox.base_url();
    for (product, path) in
        [("jira", "/rest/api/3/auditing/record"), ("confluence", "/wiki/rest/api/audit")]
    {
        let site = format!("{base}{path}");
        let gateway = format!("{base}/ex/{product}/{CLOUD_ID}{path}");
        let other = format!("{base}/ex/{product}/other{path}");
        let get = async |url: &str, token: &str| {
            let request = bench.client.get(url).basic_auth(JIRA_EMAIL, Some(token));
            request.send().await.unwrap()
        };
        assert_eq!(get(&site, JIRA_TOKEN).await.status(), 200, "{product}");
        assert_eq!(get(&site, JIRA_TOKEN_SCOPED).await.status(), 401);
        assert_eq!(get(&site, JIRA_TOKEN_NO_SCOPE).await.status(), 401);
        assert_eq!(get(&gateway, JIRA_TOKEN_SCOPED).await.status(), 200);
        assert_eq!(get(&other, JIRA_TOKEN_SCOPED).await.status(), 404);
        let scope = get(&gateway, JIRA_TOKEN_NO_SCOPE).await;
        assert_eq!(
            (scope.status().as_u16(), &scope.headers()["x-failure-category"]),
            (401, &"FAILURE_CLIENT_SCOPE_CHECK".parse().unwrap())
        );
        assert_eq!(
            scope.text().await.unwrap(),
            r#"{"code":401,"message":"Unauthorized; scope does not match"}"#
        );
    }
}

#[tokio::test]
async fn confluence_refuses_in_its_own_words() {
    let bench = SmokeTest::small().await;
    let url = format!("{}/wiki/rest/api/audit", bench.sandbox.base_url());
    let nobody = bench.client.get(&url).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    assert!(json(nobody).await["errorMessages"].is_array());
    let reader = bench.client.get(&url).bearer_auth(JIRA_TOKEN_NOT_ADMIN);
    let reader = reader.send().await.unwrap();
    assert_eq!(reader.status(), 403);
    assert_eq!(json(reader).await["data"]["authorized"], false);
    bench.control.set_behaviour(|behaviour| behaviour.free_plan = true);
    let free = bench.confluence("").send().await.unwrap();
    assert_eq!(free.status(), 403);
    let free = json(free).await;
    assert_eq!(free["statusCode"], 403);
    assert!(free["message"].as_str().unwrap().contains("Free edition"));
}

#[tokio::test]
async fn users_are_looked_up_by_id() {
    let bench = SmokeTest::small().await;
    let base = bench.sandbox.base_url();
    let users = async |prefix: &str, query: &str| {
        let url = format!("{base}{prefix}/rest/api/3/user/bulk?{query}");
        let request = bench.client.get(url);
        let request = request.basic_auth(JIRA_EMAIL, Some(JIRA_TOKEN));
        request.send().await.unwrap()
    };
    let ids = data::people::people().iter();
    let ids: Vec<_> = ids.map(|person| format!("accountId={}", person.account_id)).collect();
    let ids = format!("accountId=nobody&{}", ids.join("&"));
    let first = json(users("", &ids).await).await;
    assert_eq!(first["values"].as_array().unwrap().len(), 10);
    assert_eq!(
        (&first["total"], &first["isLast"], &first["maxResults"]),
        (&12.into(), &false.into(), &10.into())
    );
    let gateway = format!("/ex/jira/{CLOUD_ID}");
    let all = json(users(&gateway, &format!("{ids}&maxResults=999")).await).await;
    assert_eq!((&all["isLast"], &all["maxResults"]), (&true.into(), &200.into()));
    let values = all["values"].as_array().unwrap();
    assert_eq!(values[0]["displayName"], "Marta Oliveira");
    assert_eq!(values[0]["emailAddress"], "marta.oliveira@lindenfell.example");
    let hidden = values.iter().filter(|user| user.get("emailAddress").is_none());
    let left = values.iter().filter(|user| user["active"] == false);
    assert_eq!((hidden.count(), left.count()), (2, 1));
    assert_eq!(users("", "maxResults=3").await.status(), 400);
    assert_eq!(users("/ex/jira/other", &ids).await.status(), 404);
    let url = format!("{base}/rest/api/3/user/bulk?{ids}");
    assert_eq!(bench.client.get(url).send().await.unwrap().status(), 401);
}
