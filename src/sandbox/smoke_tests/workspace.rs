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
