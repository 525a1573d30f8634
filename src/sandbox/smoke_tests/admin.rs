//! The admin APIs: what each endpoint shows, what a write changes, scopes, pages and switches.

use reqwest::Method;
use serde_json::json as tree;

use super::*;

const ORG_PATHS: [&str; 4] =
    ["/admin/v1", "/admin/v2", "/admin/control/v1", "/admin/api-access/v1"];
const V1: usize = 0;
const V2: usize = 1;
const CONTROL: usize = 2;
const ACCESS: usize = 3;

impl SmokeTest {
    fn admin(&self, method: Method, area: usize, rest: &str) -> reqwest::RequestBuilder {
        let path = format!("{}/orgs/{ORG_ID}{rest}", ORG_PATHS[area]);
        self.client
            .request(method, format!("{}{path}", self.sandbox.base_url()))
            .bearer_auth(API_KEY)
    }

    async fn admin_get(&self, area: usize, rest: &str) -> Value {
        json(self.admin(Method::GET, area, rest).send().await.unwrap()).await
    }

    async fn admin_post(&self, area: usize, rest: &str, body: &Value) -> Value {
        let request = self.admin(Method::POST, area, rest).body(body.to_string());
        json(request.send().await.unwrap()).await
    }

    async fn found_names(&self, body: Value) -> Vec<String> {
        let page = self.admin_post(V2, "/directories/-/users/search", &body).await;
        names(&page["data"], "name")
    }
}

fn names(list: &Value, key: &str) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list}"));
    list.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_organization_has_faults_to_find() {
    let bench = SmokeTest::small().await;
    let admins = tree!({"roleIds": ["atlassian/org-admin"], "status": "active"});
    let found = bench.found_names(admins).await;
    assert_eq!(found, ["Marta Oliveira", "Henk Dijkstra", "Priya Raman"]);
    let without = tree!({"mfaEnabled": false, "status": "active"});
    let found = bench.found_names(without.clone()).await;
    assert_eq!(found.len(), 6, "{found:?}");
    bench.control.set_behaviour(|it| it.sound_organization = true);
    assert_eq!(bench.found_names(without).await, [""; 0]);
}

#[tokio::test]
async fn every_list_shows_its_items() {
    let bench = SmokeTest::small().await;
    for (area, rest, key, count) in [
        (V2, "/directories", "directoryId", 2),
        (V2, "/directories/-/users", "accountId", 16),
        (V1, "/domains", "id", 2),
        (V1, "/policies", "id", 4),
        (CONTROL, "/policies", "id", 3),
        (CONTROL, "/policies?type=ip-allowlist", "id", 1),
        (ACCESS, "/api-tokens", "id", 8),
        (ACCESS, "/api-keys", "name", 1),
        (ACCESS, "/service-accounts/api-tokens", "id", 3),
    ] {
        let page = bench.admin_get(area, rest).await;
        assert_eq!(names(&page["data"], key).len(), count, "{rest}: {page}");
    }
    let accounts = bench.admin_get(ACCESS, "/service-accounts").await;
    assert_eq!((names(&accounts["items"], "id").len(), &accounts["total"]), (3, &3.into()));
    let allowlist = &bench.admin_get(CONTROL, "/policies").await["data"][0]["id"];
    let path = format!("/policies/{}/resources", allowlist.as_str().unwrap());
    let resources = bench.admin_get(CONTROL, &path).await;
    assert_eq!(names(&resources["data"], "applicationStatus"), ["success", "failed"]);
}
