//! The admin APIs: what each endpoint shows, scopes and pages.

use reqwest::Method;
use serde_json::json as tree;

use super::*;

/// The areas of the admin APIs, each with its path before the organization.
pub const V1: &str = "/admin/v1";
pub const V2: &str = "/admin/v2";
pub const CONTROL: &str = "/admin/control/v1";
pub const ACCESS: &str = "/admin/api-access/v1";
/// Account ids.
pub const MARTA: &str = "712020:0f2b6a31-7d4c-4a5e-9b1f-3c8d5e7a9021";
pub const HENK: &str = "712020:1c9e4d72-0b3a-4f68-8e27-5a1d6c4b3f90";
pub const ZOE: &str = "712020:3be860a4-51f2-4c7d-b6e8-902a1c3d5e67";
pub const INES: &str = "712020:7f2ca4e8-51b6-403d-bac4-d46e507192ab";
pub const DARIO: &str = "712020:a25fd71b-84e9-4360-adf7-079183a4c5de";
pub const OLGA: &str = "712020:08b53d71-ea4f-49c6-835d-6df7e90a2b34";

impl SmokeTest {
    pub fn admin(&self, method: Method, area: &str, rest: &str) -> reqwest::RequestBuilder {
        self.request(method, &format!("{area}/orgs/{ORG_ID}{rest}"))
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.sandbox.base_url());
        self.client.request(method, url).bearer_auth(API_KEY)
    }

    pub async fn admin_get(&self, area: &str, rest: &str) -> Value {
        json(self.admin(Method::GET, area, rest).send().await.unwrap()).await
    }

    pub async fn admin_post(&self, area: &str, rest: &str, body: &Value) -> Value {
        let request = self.admin(Method::POST, area, rest).body(body.to_string());
        json(request.send().await.unwrap()).await
    }

    /// A page of users, of one directory or of all.
    pub async fn search(&self, directory: &str, body: Value) -> Value {
        self.admin_post(V2, &format!("/directories/{directory}/users/search"), &body).await
    }

    pub async fn found_names(&self, body: Value) -> Vec<String> {
        texts(&self.search("-", body).await["data"], "name")
    }
}

/// This member of each item of a list.
pub fn texts(list: &Value, key: &str) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list}"));
    list.iter().map(|item| item[key].as_str().unwrap_or("null").to_owned()).collect()
}

#[tokio::test]
async fn the_organization_has_faults_to_find_unless_it_is_sound() {
    let bench = SmokeTest::small().await;
    let admins = tree!({"roleIds": ["atlassian/org-admin"], "status": "active"});
    let without = tree!({"mfaEnabled": false, "status": "active"});
    let guests = tree!({"claimStatus": "unmanaged", "status": "active"});
    let faults = async || {
        let admins = bench.found_names(admins.clone()).await;
        assert_eq!(admins, ["Marta Oliveira", "Henk Dijkstra", "Priya Raman"]);
        let domains = bench.admin_get(V1, "/domains").await;
        let statuses = domains["data"].as_array().unwrap().iter();
        let verified = statuses.filter(|it| it["attributes"]["claim"]["status"] == "verified");
        let policies = bench.admin_get(V1, "/policies").await["data"].clone();
        let resources = format!("/policies/{}/resources", policies[0]["id"].as_str().unwrap());
        let resources = bench.admin_get(CONTROL, &resources).await;
        let rule = &policies[0]["attributes"]["rule"];
        (
            [
                bench.found_names(without.clone()).await.len(),
                bench.found_names(guests.clone()).await.len(),
                verified.count(),
                bench.admin_get(ACCESS, "/api-tokens").await["data"].as_array().unwrap().len(),
            ],
            [
                rule["in"].to_string().contains("0.0.0.0/0") && rule["allowMobileBypass"] == true,
                policies[1]["attributes"]["status"] == "draft",
                resources["data"][1]["applicationStatus"] == "failed",
            ],
        )
    };
    assert_eq!(faults().await, ([6, 2, 1, 8], [true; 3]));
    bench.control.set_behaviour(|it| it.sound_organization = true);
    assert_eq!(faults().await, ([0, 0, 2, 6], [false; 3]));
}

#[tokio::test]
async fn every_list_shows_its_items() {
    let bench = SmokeTest::small().await;
    bench.control.set_behaviour(|it| it.many_keys = true);
    for (area, rest, key, count) in [
        (V2, "/directories", "directoryId", 2),
        (V2, &format!("/directories?accountId={ZOE}"), "directoryId", 1),
        (V2, "/directories/-/users", "accountId", 16),
        (V2, &format!("/directories/{LABS_DIRECTORY_ID}/users"), "accountId", 4),
        (V1, "/domains", "id", 2),
        (V1, "/policies", "id", 4),
        (V1, "/policies?type=data-security", "id", 1),
        (CONTROL, "/policies", "id", 3),
        ("/admin/control/v2", "/policies?type=ip-allowlist", "id", 1),
        (ACCESS, "/api-tokens?pageSize=1000", "id", 8),
        (ACCESS, "/api-keys", "label", 4),
        (ACCESS, "/service-accounts/api-tokens", "id", 3),
        (ACCESS, "/service-accounts/api-tokens?tokenLabel=scim", "id", 1),
    ] {
        let page = bench.admin_get(area, rest).await;
        assert_eq!(texts(&page["data"], key).len(), count, "{rest}: {page}");
        assert!(page["links"]["next"].is_null(), "{rest}: {page}");
    }
    let accounts = bench.admin_get(ACCESS, "/service-accounts").await;
    assert_eq!((texts(&accounts["items"], "id").len(), &accounts["total"]), (3, &3.into()));
    let of_one =
        format!("/service-accounts/{}/api-tokens", accounts["items"][0]["id"].as_str().unwrap());
    let tokens = bench.admin_get(ACCESS, &of_one).await;
    assert_eq!(texts(&tokens["data"], "label"), ["deploy"]);
    assert_eq!(bench.admin_get(ACCESS, "/api-tokens/count").await, 8);
    assert_eq!(bench.admin_get(ACCESS, "/api-keys/count").await, 4);
    assert_eq!(bench.admin_post(ACCESS, "/service-accounts/count", &tree!({})).await, 3);
    let workspaces = bench.admin_post(V2, "/workspaces", &tree!({"limit": 2})).await;
    assert_eq!(workspaces["data"][0]["attributes"]["typeKey"], "jira-software");
    assert!(workspaces["links"]["next"].is_string());
    let other = bench.request(Method::GET, "/admin/v1/orgs/other/domains").send().await.unwrap();
    assert_eq!(other.status(), 404);
}

#[tokio::test]
async fn the_default_key_has_all_documented_fields() {
    let bench = SmokeTest::small().await;
    let keys = bench.admin_get(ACCESS, "/api-keys").await;
    let key = &keys["data"][0];
    assert_eq!(keys["data"].as_array().unwrap().len(), 1);
    assert_eq!((&key["name"], &key["label"]), (&"audit collector".into(), &key["name"]));
    assert_eq!(key["createdBy"]["id"], MARTA);
    assert!(texts_of(&key["scopes"]).contains(&"read:events:admin".to_owned()));
    for name in ["resource", "orgId", "systemAccountId", "createdAt", "expiresAt", "lastActiveAt"] {
        assert!(key[name].is_string(), "{name}: {key}");
    }
    bench.control.set_behaviour(|it| it.key_pages = vec!["[]".to_owned()]);
    assert_eq!(bench.admin_get(ACCESS, "/api-keys").await, tree!([]));
    bench.control.set_behaviour(|it| it.hides_keys = true);
    assert_eq!(bench.admin_get(ACCESS, "/api-keys").await["code"], 401);
}

fn texts_of(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_search_filters_and_expands() {
    let bench = SmokeTest::small().await;
    for (body, names) in [
        (tree!({"emails": ["henk.dijkstra@lindenfell.example"]}), &["Henk Dijkstra"][..]),
        (tree!({"emails": ["henk"]}), &[]),
        (tree!({"accountIds": [INES, ZOE]}), &["Zoë Fjellström", "Ines Carvalho"]),
        (tree!({"searchTerm": "RAMAN"}), &["Priya Raman"]),
        (tree!({"claimStatus": "unmanaged"}), &["Olga Brandt", "Rui Tavares"]),
        (tree!({"status": "deactivated"}), &["Dario Greco"]),
        (tree!({"accountStatus": "inactive"}), &["Dario Greco"]),
        (tree!({"membershipStatus": "no_membership"}), &["Elin Moberg"]),
        (tree!({"status": "not_invited"}), &["Elin Moberg"]),
        (tree!({"roleIds": ["atlassian/site-admin"]}), &["Rui Tavares"]),
    ] {
        assert_eq!(bench.found_names(body.clone()).await, names, "{body}");
    }
    let one = tree!({"accountIds": [HENK]});
    let plain = bench.search(DIRECTORY_ID, one).await["data"][0].clone();
    assert!(plain.get("platformRoles").is_none() && plain.get("productAccess").is_none());
    assert_eq!(
        (&plain["mfaEnabled"], &plain["managementSource"]),
        (&false.into(), &"invited".into())
    );
    let both = tree!({"accountIds": [HENK], "expand": ["platformRoles", "productAccess"]});
    let full = bench.search("-", both).await["data"][0].clone();
    assert_eq!(full["platformRoles"], tree!(["atlassian/org-admin"]));
    assert_eq!(texts(&full["productAccess"], "key"), ["jira-software", "confluence"]);
    let listed = bench.admin_get(V2, &format!("/directories/-/users?accountIds={HENK}")).await;
    assert_eq!(listed["data"], tree!([full]));
    let user = format!("/directories/{DIRECTORY_ID}/users/{}", HENK.replace(':', "%3A"));
    assert_eq!(bench.admin_get(V2, &user).await["data"], full);
    let roles = bench.admin_get(V2, &format!("{user}/role-assignments")).await;
    assert_eq!(texts(&roles["data"], "userDirectoryStatus"), ["null", "active", "active"]);
    let both = tree!({"emails": ["a@b.example"], "searchTerm": "a"});
    assert_eq!(bench.search("-", both).await["errors"][0]["status"], "400");
    for (path, status) in [
        (format!("/directories/{LABS_DIRECTORY_ID}/users/{HENK}"), "404"),
        ("/directories/other/users".to_owned(), "404"),
        ("/directories/-/users?cursor=bogus".to_owned(), "400"),
        ("/directories/-/users?limit=0".to_owned(), "400"),
    ] {
        assert_eq!(bench.admin_get(V2, &path).await["errors"][0]["status"], status, "{path}");
    }
}

#[tokio::test]
async fn authentication_policies_show_their_members() {
    let bench = SmokeTest::small().await;
    let path = "/users/auth-policies/bulk-fetch";
    let ids = tree!({"accountIds": [ZOE, INES, OLGA, "unknown"]});
    let members = bench.admin_post(CONTROL, path, &ids).await;
    assert_eq!(texts(&members, "policyId"), [AUTH_POLICY_SSO, AUTH_POLICY_DEFAULT]);
    assert_eq!(texts(&members, "accountId"), [ZOE, INES]);
    for ids in [tree!({"accountIds": vec![ZOE; 101]}), tree!({"accountIds": []}), tree!({})] {
        assert_eq!(bench.admin_post(CONTROL, path, &ids).await["errors"][0]["status"], "400");
    }
}

#[tokio::test]
async fn pages_are_walked_by_each_kind_of_cursor() {
    let bench = SmokeTest::small().await;
    bench.control.set_behaviour(|it| {
        it.admin_page_size = Some(3);
        it.many_keys = true;
    });
    let encoded = |cursor: &str| -> String {
        url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect()
    };
    for (is_url, place) in [(false, CursorPlace::Meta), (true, CursorPlace::Links)] {
        bench.control.set_behaviour(|it| {
            it.admin_next_links = is_url;
            it.admin_policy_cursor = place;
        });
        for (area, path, key, pages) in [
            (V2, "/directories/-/users", "data", 6),
            (V1, "/policies", "data", 2),
            (ACCESS, "/api-tokens", "data", 3),
            (ACCESS, "/api-keys", "data", 2),
            (ACCESS, "/service-accounts", "items", 1),
        ] {
            let (mut count, mut items, mut query) = (0, Vec::new(), String::new());
            loop {
                let page = bench.admin_get(area, &format!("{path}{query}")).await;
                count += 1;
                items.extend(page[key].as_array().unwrap().clone());
                let next = page["meta"]["next"].as_str().or(page["links"]["next"].as_str());
                let Some(next) = next else { break };
                query = match next.split_once("?cursor=") {
                    Some((url, cursor)) => {
                        assert!(is_url && url.ends_with(path), "{next}");
                        format!("?cursor={cursor}")
                    }
                    None => format!("?cursor={}", encoded(next)),
                };
            }
            assert_eq!(count, pages, "{path}");
            let distinct: std::collections::HashSet<_> =
                items.iter().map(|item| item.to_string()).collect();
            assert_eq!(distinct.len(), items.len(), "{path}");
        }
    }
    bench.control.set_behaviour(|it| it.admin_page_size = Some(1));
    let domains = bench.admin_get(V1, "/domains").await;
    let next = domains["links"]["next"].as_str().unwrap();
    let second = bench.client.get(next).bearer_auth(API_KEY).send().await.unwrap();
    assert_eq!(json(second).await["data"][0]["id"], "lindenfell-labs.example");
    bench.control.set_behaviour(|it| {
        it.admin_next_links = false;
        it.admin_repeats_cursor = true;
    });
    let first = bench.search("-", tree!({"limit": 2})).await;
    let second = bench.search("-", tree!({"cursor": first["links"]["next"]})).await;
    assert_eq!(second["links"]["next"], first["links"]["next"]);
}

#[tokio::test]
async fn each_key_may_do_what_its_scopes_say() {
    let bench = SmokeTest::small().await;
    let user = format!("/users/{INES}/manage");
    let here = format!("/directories/{DIRECTORY_ID}/users/{INES}/suspend");
    let add = format!("/auth-policy/{AUTH_POLICY_QUARANTINE}/add-users");
    let path = |area: &str, rest: &str| format!("{area}/orgs/{ORG_ID}{rest}");
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    for (method, path, statuses) in [
        (&get, path(V2, "/directories"), [200, 200, 200, 401]),
        (&post, path(V2, "/directories/-/users/search"), [200, 200, 200, 401]),
        (&post, path(V2, "/workspaces"), [200, 200, 200, 401]),
        (&get, path(V1, "/domains"), [200, 200, 200, 401]),
        (&get, path(V1, "/events-stream"), [200, 200, 200, 401]),
        (&get, path(CONTROL, "/policies"), [200, 200, 200, 401]),
        (&get, path(ACCESS, "/api-tokens"), [200, 200, 200, 401]),
        (&get, path(ACCESS, "/api-keys"), [200, 200, 200, 401]),
        (&get, path(ACCESS, "/service-accounts/api-tokens"), [200, 200, 200, 401]),
        (&get, user.clone(), [200, 403, 403, 403]),
        (&get, format!("{user}/api-tokens"), [200, 403, 403, 403]),
        (&post, format!("{user}/lifecycle/disable"), [204, 403, 403, 403]),
        (&delete, format!("{user}/api-tokens/tok-calendar-sync"), [204, 403, 403, 403]),
        (&post, path(V2, &here), [200, 403, 403, 403]),
        (&post, path(CONTROL, &add), [400, 401, 400, 401]),
        (&Method::PATCH, path(ACCESS, "/api-keys/revoke/x"), [404, 401, 404, 401]),
        (&delete, path(ACCESS, "/api-tokens"), [204, 401, 401, 401]),
        (&post, path(V1, "/domains"), [405, 405, 405, 405]),
        (&get, "/admin/v1/orgs".to_owned(), [200, 200, 200, 200]),
    ] {
        let keys = [API_KEY, API_KEY_SCOPED, API_KEY_RESPOND_SCOPED, API_KEY_NO_SCOPE];
        for (key, status) in keys.into_iter().zip(statuses) {
            let url = format!("{}{path}", bench.sandbox.base_url());
            let reply = bench.client.request(method.clone(), url).bearer_auth(key).send().await;
            let reply = reply.unwrap();
            assert_eq!(reply.status(), status, "{method} {path} {key}");
            let is_mismatch = reply.headers().contains_key("x-failure-category");
            assert_eq!(is_mismatch, status == 401, "{path}");
        }
        let url = format!("{}{path}", bench.sandbox.base_url());
        let reply = bench.client.request(method.clone(), url).bearer_auth("other").send().await;
        let status = reply.unwrap().status();
        assert_eq!(status, if statuses[0] == 405 { 405 } else { 401 }, "{path}");
    }
    let refused = bench.client.get(format!("{}{user}", bench.sandbox.base_url()));
    let refused = json(refused.bearer_auth(API_KEY_SCOPED).send().await.unwrap()).await;
    assert!(refused["errorDetail"].as_str().unwrap().contains("manage:org"), "{refused}");
    let orgs = bench.client.get(format!("{}/admin/v1/orgs", bench.sandbox.base_url()));
    let orgs = json(orgs.bearer_auth(API_KEY_SCOPED).send().await.unwrap()).await;
    assert_eq!(orgs["data"], tree!([]));
}
