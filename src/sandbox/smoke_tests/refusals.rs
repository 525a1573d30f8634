//! Credentials, expired cursors, rate limits and strict switches.

use super::*;

#[tokio::test]
async fn admin_credentials_are_judged_as_documented() {
    let bench = SmokeTest::small().await;
    let base = bench.sandbox.base_url();
    let get = |url: &str| bench.client.get(url);
    for path in ["events-stream", "event-actions"] {
        let org = format!("{base}/admin/v1/orgs/{ORG_ID}/{path}");
        let refused = get(&org).bearer_auth("other").send().await.unwrap();
        assert_eq!(refused.status(), 401, "{path}");
        assert_eq!(refused.text().await.unwrap(), r#"{"code":401,"message":"Unauthorized"}"#);
        let scope = get(&org).bearer_auth(API_KEY_NO_SCOPE).send().await.unwrap();
        assert_eq!(scope.headers()["x-failure-category"], "FAILURE_CLIENT_SCOPE_CHECK");
        let other = format!("{base}/admin/v1/orgs/other/{path}");
        assert_eq!(get(&other).bearer_auth(API_KEY).send().await.unwrap().status(), 404);
    }
    let orgs = get(&format!("{base}/admin/v1/orgs")).bearer_auth(API_KEY).send().await.unwrap();
    assert_eq!(json(orgs).await["data"][0]["id"], ORG_ID);
    let tenant = get(&format!("{base}/_edge/tenant_info")).send().await.unwrap();
    assert_eq!(json(tenant).await["cloudId"], CLOUD_ID);
}

#[tokio::test]
async fn jira_credentials_are_judged_as_documented() {
    let bench = SmokeTest::small().await;
    let base = bench.sandbox.base_url();
    let get = |url: &str| bench.client.get(url);
    let site = format!("{base}/rest/api/3/auditing/record");
    let wrong = get(&site).basic_auth(JIRA_EMAIL, Some("x")).send().await.unwrap();
    assert_eq!(wrong.headers()["x-seraph-loginreason"], "AUTHENTICATED_FAILED");
    let plain = get(&site).basic_auth(JIRA_EMAIL_NOT_ADMIN, Some(JIRA_TOKEN_NOT_ADMIN));
    assert!(plain.send().await.unwrap().text().await.unwrap().contains("Administrator"));
    let gateway = format!("{base}/ex/jira/{CLOUD_ID}/rest/api/3/auditing/record");
    assert_eq!(get(&gateway).bearer_auth(JIRA_TOKEN).send().await.unwrap().status(), 200);
    bench.control.set_behaviour(|behaviour| behaviour.free_plan = true);
    let free = get(&gateway).bearer_auth(JIRA_TOKEN).send().await.unwrap();
    assert_eq!(free.status(), 403);
    assert!(free.text().await.unwrap().contains("Free plan"));
}

#[tokio::test]
async fn cursors_expire_and_limits_are_kept() {
    let bench = SmokeTest::small().await;
    let kept = cursor(&bench.org_page("limit=10").await);
    bench.control.expire_cursors();
    let expired = bench.org(&format!("cursor={kept}")).send().await.unwrap();
    assert_eq!(expired.status(), 400);
    assert_eq!(json(expired).await["errors"][0]["code"], "ADMIN-400-1");
    bench.control.set_behaviour(|behaviour| {
        let window = RateWindow::Rolling;
        let limit = RateLimit::new(2, Duration::from_millis(400));
        behaviour.org_rate_limit = Some(RateLimit { window, retry_after: true, ..limit });
        behaviour.clock_skew = 86_400;
    });
    assert_eq!(bench.org("").send().await.unwrap().status(), 200);
    assert_eq!(bench.org("").send().await.unwrap().headers()["x-ratelimit-remaining"], "0");
    let refused = bench.org("").send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    let tomorrow =
        (chrono::Utc::now() + chrono::TimeDelta::days(1)).format("%Y-%m-%dT").to_string();
    let reset = refused.headers()["x-ratelimit-reset"].to_str().unwrap().to_owned();
    assert!(reset.starts_with(&tomorrow) && reset.len() == 17, "{reset}");
    assert_eq!(json(refused).await["errors"][0]["code"], "ADMIN-429-1");
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(bench.org("").send().await.unwrap().status(), 200);
    let statuses: Vec<u16> =
        bench.control.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [200, 400, 200, 200, 429, 200]);
}

#[tokio::test]
async fn strictness_is_a_switch() {
    let bench = SmokeTest::small().await;
    let kept = cursor(&bench.org_page("limit=10").await);
    let status = async |query: &str| bench.org(query).send().await.unwrap().status().as_u16();
    let beside = format!("cursor={kept}&from=5&limit=501");
    assert_eq!(status(&beside).await, 200);
    bench.control.set_behaviour(|behaviour| behaviour.strict_cursor = true);
    assert_eq!(status(&beside).await, 400);
    bench.control.set_behaviour(|behaviour| behaviour.over_limit = OverLimit::Reject);
    for (query, expected) in [
        ("limit=500", 200),
        ("limit=501", 400),
        ("limit=0", 400),
        ("from=2026-11-20T00:00:00Z", 400),
        ("sortOrder=up", 400),
        ("cursor=bogus", 400),
    ] {
        assert_eq!(status(query).await, expected, "{query}");
    }
    let only = format!("cursor={kept}");
    bench.control.set_behaviour(|behaviour| behaviour.cursor_ttl = Some(Duration::from_secs(60)));
    assert_eq!(status(&only).await, 200);
    tokio::time::sleep(Duration::from_millis(20)).await;
    bench.control.set_behaviour(|behaviour| behaviour.cursor_ttl = Some(Duration::from_millis(5)));
    assert_eq!(status(&only).await, 400);
}
