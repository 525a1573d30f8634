//! The admin APIs: what each write changes, the event that it leaves, and the switches.

use reqwest::Method;
use serde_json::json as tree;

use super::{
    admin::{ACCESS, CONTROL, DARIO, HENK, INES, MARTA, OLGA, V1, V2, ZOE, texts},
    *,
};

impl SmokeTest {
    async fn status(&self, request: reqwest::RequestBuilder) -> u16 {
        request.send().await.unwrap().status().as_u16()
    }

    /// The status of a request of user management.
    async fn manage(&self, method: Method, account: &str, rest: &str) -> u16 {
        self.status(self.request(method, &format!("/users/{account}/manage{rest}"))).await
    }

    async fn set_access(&self, directory: &str, account: &str, action: &str) -> u16 {
        let path = format!("/directories/{directory}/users/{account}/{action}");
        self.status(self.admin(Method::POST, V2, &path)).await
    }

    async fn account(&self, id: &str) -> Value {
        self.search("-", tree!({"accountIds": [id]})).await["data"][0].clone()
    }

    async fn token_ids(&self, account: &str) -> Vec<String> {
        let path = format!("/users/{account}/manage/api-tokens");
        texts(&json(self.request(Method::GET, &path).send().await.unwrap()).await, "id")
    }

    /// Action and first object of the newest events of the organization.
    fn newest_events(&self, count: usize) -> Vec<(String, String)> {
        let all = self.control.texts(Api::OrgEvents);
        let newest = all[all.len() - count..].iter().map(|text| {
            let event: Value = serde_json::from_str(text).unwrap();
            let attributes = &event["attributes"];
            assert_eq!(attributes["actor"]["id"], MARTA, "{event}");
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&attributes["action"]), text(&attributes["context"][0]["id"]))
        });
        newest.collect()
    }

    fn assert_event(&self, action: &str, object: &str) {
        assert_eq!(self.newest_events(1), [(action.to_owned(), object.to_owned())]);
    }

    async fn policy_of(&self, account: &str) -> String {
        let path = "/users/auth-policies/bulk-fetch";
        let found = self.admin_post(CONTROL, path, &tree!({"accountIds": [account]})).await;
        texts(&found, "policyId").concat()
    }

    async fn quarantine(&self, mail: &str) -> Value {
        let path = format!("/auth-policy/{AUTH_POLICY_QUARANTINE}/add-users");
        self.admin_post(CONTROL, &path, &tree!({"users": [mail]})).await
    }
}

#[tokio::test]
async fn an_account_is_disabled_and_enabled() {
    let bench = SmokeTest::small().await;
    let path = format!("/users/{INES}/manage/lifecycle/disable");
    let disable = bench.request(Method::POST, &path).body(r#"{"message":"Case 7"}"#);
    assert_eq!(bench.status(disable).await, 204);
    let logged = bench.control.requests().pop().unwrap();
    assert_eq!((logged.body.as_str(), logged.status), (r#"{"message":"Case 7"}"#, 204));
    bench.assert_event("managed_account_deactivated", INES);
    let account = bench.account(INES).await;
    assert_eq!(
        (&account["accountStatus"], &account["status"]),
        (&"inactive".into(), &"deactivated".into())
    );
    assert!(account["deactivatedOn"].is_string(), "{account}");
    let events = bench.control.ids(Api::OrgEvents).len();
    assert_eq!(bench.manage(Method::POST, INES, "/lifecycle/disable").await, 204);
    assert_eq!(bench.control.ids(Api::OrgEvents).len(), events);
    assert_eq!(bench.manage(Method::POST, INES, "/lifecycle/enable").await, 204);
    bench.assert_event("managed_account_reactivated", INES);
    assert_eq!(bench.account(INES).await["status"], "active");
    // Neither a guest, nor who is synchronized, nor the creator of the key, nor nobody.
    for (account, status) in [(OLGA, 403), (ZOE, 403), (MARTA, 403), ("nobody", 404)] {
        assert_eq!(bench.manage(Method::POST, account, "/lifecycle/disable").await, status);
    }
    let synced = bench.request(Method::POST, &format!("/users/{ZOE}/manage/lifecycle/disable"));
    let synced = json(synced.send().await.unwrap()).await;
    assert_eq!(synced[0]["code"], "externalDirectory.scim");
    let guest = bench.request(Method::POST, &format!("/users/{OLGA}/manage/lifecycle/disable"));
    let guest = json(guest.send().await.unwrap()).await;
    assert_eq!(guest["errorKey"], "forbidden.target-unverified");
    let bad = bench.request(Method::POST, &path).body("message");
    assert_eq!(bench.status(bad).await, 400);
}

#[tokio::test]
async fn privileges_say_what_would_be_refused() {
    let bench = SmokeTest::small().await;
    let privileges = async |account: &str, query: &str| {
        let request = bench.request(Method::GET, &format!("/users/{account}/manage{query}"));
        json(request.send().await.unwrap()).await
    };
    let query = "?privileges=lifecycle.enablement,apiToken.delete";
    let synced = privileges(ZOE, query).await;
    let wanted = tree!({
        "lifecycle.enablement": {"allowed": false, "reason": {"key": "externalDirectory.scim"}},
        "apiToken.delete": {"allowed": true},
    });
    assert_eq!(synced, wanted);
    let guest = privileges(OLGA, "").await;
    assert_eq!(guest["lifecycle.enablement"]["reason"]["key"], "managedAccount");
    assert_eq!(guest.as_object().unwrap().len(), 7);
    bench.control.set_behaviour(|it| it.admin_text_privileges = true);
    let query = "?privileges=lifecycle.enablement&privileges=apiToken.delete";
    let texts = privileges(MARTA, query).await;
    assert_eq!(texts["lifecycle.enablement"]["allowed"], "false");
    assert_eq!(texts["lifecycle.enablement"]["reason"]["key"], "administrative.notMyself");
    assert_eq!(texts["apiToken.delete"]["allowed"], "true");
}

#[tokio::test]
async fn access_is_suspended_and_restored_in_one_directory() {
    let bench = SmokeTest::small().await;
    let status = async |directory| {
        bench.search(directory, tree!({"accountIds": [INES]})).await["data"][0]["membershipStatus"]
            .clone()
    };
    assert_eq!(bench.set_access(DIRECTORY_ID, INES, "suspend").await, 200);
    bench.assert_event("user_disabled_org_access", INES);
    assert_eq!(status(DIRECTORY_ID).await, "suspended");
    assert_eq!(
        (status(LABS_DIRECTORY_ID).await, status("-").await),
        ("active".into(), "active".into())
    );
    assert_eq!(bench.set_access(DIRECTORY_ID, INES, "suspend").await, 409);
    assert_eq!(bench.set_access(LABS_DIRECTORY_ID, INES, "suspend").await, 200);
    assert_eq!(status("-").await, "suspended");
    let path = format!("/directories/-/users/{INES}/role-assignments");
    let roles = bench.admin_get(V2, &path).await;
    assert_eq!(texts(&roles["data"], "userDirectoryStatus"), ["suspended"; 2]);
    assert_eq!(bench.set_access(DIRECTORY_ID, INES, "restore").await, 200);
    bench.assert_event("user_enabled_org_access", INES);
    assert_eq!(status(DIRECTORY_ID).await, "active");
    assert_eq!(bench.set_access(DIRECTORY_ID, INES, "restore").await, 409);
    assert_eq!(bench.set_access(DIRECTORY_ID, OLGA, "suspend").await, 200);
    for (directory, account, expected) in
        [("-", INES, 400), (LABS_DIRECTORY_ID, HENK, 404), (DIRECTORY_ID, "nobody", 404)]
    {
        assert_eq!(bench.set_access(directory, account, "suspend").await, expected);
    }
    bench.control.set_behaviour(|it| {
        it.admin_repeated_writes = true;
        it.admin_suspend_status = Some(204);
    });
    assert_eq!(bench.set_access(DIRECTORY_ID, OLGA, "suspend").await, 204);
}

#[tokio::test]
async fn tokens_and_keys_are_revoked() {
    let bench = SmokeTest::small().await;
    assert_eq!(bench.token_ids(HENK).await, ["tok-wallboard"]);
    assert_eq!(bench.manage(Method::DELETE, INES, "/api-tokens/tok-wallboard").await, 404);
    assert_eq!(bench.manage(Method::DELETE, HENK, "/api-tokens/tok-wallboard").await, 204);
    bench.assert_event("ts_api_token_deletion", HENK);
    assert_eq!(bench.token_ids(HENK).await, [""; 0]);
    assert_eq!(bench.admin_get(ACCESS, "/api-tokens/count").await, 7);
    assert_eq!(bench.manage(Method::DELETE, OLGA, "/api-tokens/x").await, 403);
    assert_eq!(bench.token_ids(DARIO).await, ["tok-migration"]);
    bench.control.set_behaviour(|it| it.admin_hides_disabled_tokens = true);
    assert_eq!(bench.manage(Method::GET, DARIO, "/api-tokens").await, 403);
    let service = &bench.admin_get(ACCESS, "/service-accounts").await["items"][0]["id"];
    let path = format!("/service-accounts/{}/api-tokens", service.as_str().unwrap());
    assert_eq!(bench.status(bench.admin(Method::DELETE, ACCESS, &path)).await, 204);
    let left = bench.admin_get(ACCESS, "/service-accounts/api-tokens").await;
    assert_eq!(texts(&left["data"], "label"), ["backup", "scim"]);
    let revoke = |key: &str| bench.admin(Method::PATCH, ACCESS, &format!("/api-keys/revoke/{key}"));
    let legacy = "9f4a2d08-6e31-4c57-b7a9-1d5c8e0f3a62";
    assert_eq!(bench.status(revoke(legacy)).await, 404);
    bench.control.set_behaviour(|it| it.many_keys = true);
    assert_eq!(bench.status(revoke(legacy)).await, 204);
    assert_eq!(bench.newest_events(1)[0].0, "api_token_revoked");
    assert_eq!(bench.admin_get(ACCESS, "/api-keys/count").await, 3);
    let all = bench.admin(Method::DELETE, ACCESS, "/api-tokens");
    assert_eq!(bench.status(all).await, 204);
    assert_eq!(bench.admin_get(ACCESS, "/api-tokens/count").await, 0);
    assert_eq!(bench.newest_events(7)[0].0, "ts_api_token_deletion");
}

#[tokio::test]
async fn an_account_is_moved_to_another_authentication_policy() {
    let bench = SmokeTest::small().await;
    bench.control.set_behaviour(|it| it.auth_task_polls = 2);
    let begun = bench.quarantine("Ines.Carvalho@lindenfell.example").await;
    bench.assert_event("user_auth_policy_changed", INES);
    assert_eq!(bench.policy_of(INES).await, AUTH_POLICY_QUARANTINE);
    let poll = async |task: &Value| {
        let path = format!("/auth-policy/task/{}", task["taskId"].as_str().unwrap());
        assert!(task["taskLink"].as_str().unwrap().ends_with(&path));
        bench.admin_get(CONTROL, &path).await
    };
    for (in_progress, moved) in [(1, 0), (1, 0), (0, 1), (0, 1)] {
        let task = poll(&begun).await;
        assert_eq!(
            (&task["inProgressCount"], &task["successCount"]),
            (&in_progress.into(), &moved.into())
        );
        assert_eq!((&task["failureCount"], &task["failureReasons"]), (&0.into(), &tree!([])));
    }
    bench.control.set_behaviour(|it| it.auth_task_polls = 0);
    let guest = poll(&bench.quarantine("olga.brandt@auroralabs.example").await).await;
    assert_eq!(guest["failureReasons"][0]["emails"], tree!(["olga.brandt@auroralabs.example"]));
    bench.control.set_behaviour(|it| it.auth_task_fails = true);
    let failed = poll(&bench.quarantine("henk.dijkstra@lindenfell.example").await).await;
    assert_eq!((&failed["failureCount"], &failed["successCount"]), (&1.into(), &0.into()));
    assert_eq!(bench.policy_of(HENK).await, AUTH_POLICY_DEFAULT);
    let unknown = bench.admin_post(CONTROL, "/auth-policy/x/add-users", &tree!({})).await;
    assert_eq!(unknown["code"], 404);
    assert_eq!(bench.admin_get(CONTROL, "/auth-policy/task/x").await["code"], 404);
}

#[tokio::test]
async fn refusals_are_scripted() {
    let bench = SmokeTest::small().await;
    let refusal = AdminRefusal {
        path_part: "/domains".to_owned(),
        status: 410,
        body: r#"{"code":410}"#.to_owned(),
        times: Some(1),
        ..AdminRefusal::default()
    };
    let closing = AdminRefusal {
        path_part: "/lifecycle/".to_owned(),
        method: Some("POST".to_owned()),
        ..AdminRefusal::default()
    };
    let other = AdminRefusal { method: Some("DELETE".to_owned()), ..closing.clone() };
    bench.control.set_behaviour(|it| it.admin_refusals = vec![other, refusal, closing]);
    assert_eq!(bench.admin_get(V1, "/domains").await["code"], 410);
    assert_eq!(bench.admin_get(V1, "/domains").await["data"].as_array().unwrap().len(), 2);
    let disable = bench.request(Method::POST, &format!("/users/{INES}/manage/lifecycle/disable"));
    disable.send().await.unwrap_err();
    assert_eq!(bench.account(INES).await["status"], "active");
    bench.control.set_behaviour(|it| {
        let window = RateWindow::Rolling;
        let limit = RateLimit::new(1, Duration::from_secs(60));
        it.admin_rate_limit = Some(RateLimit { window, retry_after: true, ..limit });
    });
    assert_eq!(bench.set_access(DIRECTORY_ID, INES, "suspend").await, 200);
    let path = format!("/directories/{DIRECTORY_ID}/users/{INES}/restore");
    let limited = bench.admin(Method::POST, V2, &path).send().await.unwrap();
    assert_eq!(limited.status(), 429);
    assert_eq!(limited.headers()["retry-after"], "60");
    assert_eq!(limited.headers()["x-ratelimit-remaining"], "0");
    bench.control.set_behaviour(|it| it.admin_rate_limit = None);
    assert_eq!(bench.account(INES).await["membershipStatus"], "active");
    assert_eq!(bench.set_access(DIRECTORY_ID, INES, "restore").await, 200);
}

#[tokio::test]
async fn an_answer_gets_lost_and_reads_lag_behind() {
    let bench = SmokeTest::small().await;
    bench.control.set_behaviour(|it| it.admin_write_loses_answer = 1);
    let disable =
        || bench.request(Method::POST, &format!("/users/{INES}/manage/lifecycle/disable"));
    // A refused write does not count.
    assert_eq!(bench.manage(Method::POST, ZOE, "/lifecycle/disable").await, 403);
    disable().send().await.unwrap_err();
    let logged = bench.control.requests().pop().unwrap();
    assert_eq!(logged.status, 0);
    assert_eq!(bench.account(INES).await["status"], "deactivated");
    bench.control.set_behaviour(|it| {
        it.admin_write_hangs = 1;
        it.admin_lag = 2;
    });
    let enable = bench.request(Method::POST, &format!("/users/{INES}/manage/lifecycle/enable"));
    assert!(enable.timeout(SHORT).send().await.unwrap_err().is_timeout());
    for status in ["deactivated", "deactivated", "active", "active"] {
        assert_eq!(bench.account(INES).await["status"], status);
    }
    let events = bench.control.ids(Api::OrgEvents).len();
    bench.control.set_behaviour(|it| {
        it.admin_writes_unaudited = true;
        it.admin_latency = Duration::from_millis(40);
    });
    let start = std::time::Instant::now();
    assert_eq!(bench.status(disable()).await, 204);
    assert!(start.elapsed() >= Duration::from_millis(40));
    assert_eq!(bench.control.ids(Api::OrgEvents).len(), events);
    let long = bench.request(Method::POST, &format!("/users/{INES}/manage/lifecycle/enable"));
    bench.status(long.body("é".repeat(9000))).await;
    assert_eq!(bench.control.requests().pop().unwrap().body, "é".repeat(2048));
}

#[tokio::test]
async fn odd_readings_of_the_documentation_are_switches() {
    let bench = SmokeTest::small().await;
    let set = |change: fn(&mut Behaviour)| bench.control.set_behaviour(change);
    set(|it| it.admin_search_refuses_options = true);
    for (body, is_refused) in [
        (tree!({"limit": 10}), true),
        (tree!({"expand": ["productAccess"]}), true),
        (tree!({"status": "active"}), false),
    ] {
        let page = bench.search("-", body).await;
        assert_eq!(page["errors"][0]["status"] == "400", is_refused, "{page}");
    }
    set(|it| it.admin_search_missing = true);
    assert_eq!(bench.search("-", tree!({})).await["errors"][0]["status"], "404");
    set(|it| {
        it.admin_rule_arrays = true;
        it.admin_hides_mfa = true;
    });
    let users = bench.admin_get(V2, "/directories/-/users").await;
    assert!(users["data"][0].get("mfaEnabled").is_none() && users["data"][0]["name"].is_string());
    let policies = bench.admin_get(V1, "/policies").await;
    assert_eq!(policies["data"][0]["attributes"]["rule"][0]["allowMobileBypass"], true);
}
