//! Tests the class of an event, and its attributes for what it was done to.

use serde_json::{Value, json};

use super::OcsfVersion;
use super::classes::{activity_id, category_fields, class_uid};
use super::sample_events_tests::{actor, change, client, minimal_event, rendered, target, text};
use super::schema_rules_tests::{caption, faults};
use crate::model::event::{ActorKind, Event, EventText, UNPARSED};
use crate::model::meaning::{Category, Deed, OcsfClass};
use crate::model::name::SourceKind;

/// The event, which must be right, as OCSF 1.8.
pub fn render_valid(event: &Event<'_>) -> Value {
    render_valid_in(OcsfVersion::V1_8, event)
}

/// The event, which must be right, in a version of OCSF.
pub fn render_valid_in(version: OcsfVersion, event: &Event<'_>) -> Value {
    let value = rendered(version, event);
    assert_eq!(faults(&value), [""; 0], "{value:#}");
    value
}

/// Class and activity.
fn kind(value: &Value) -> (u64, u64) {
    let number = |key: &str| value[key].as_u64().unwrap();
    (number("class_uid"), number("activity_id"))
}

#[test]
fn every_deed_of_every_class_has_its_number_and_its_caption() {
    for class in OcsfClass::ALL {
        let uid = u64::from(class_uid(*class));
        let category = category_fields(*class);
        assert!(category.starts_with(&format!("\"category_uid\":{},", uid / 1000)), "{category}");
        for deed in Deed::ALL {
            if let Some((id, named)) = activity_id(*class, *deed) {
                assert_eq!(
                    caption("1.8.0", uid, id.into()),
                    Some(named.as_str()),
                    "{class:?} {deed:?}"
                );
            }
        }
        // Kerberos and its likes are no matter of Atlassian's.
        let known = (1..99).filter_map(|id| caption("1.8.0", uid, id));
        let unused = known.filter(|caption| {
            let mut deeds = Deed::ALL.iter();
            !deeds.any(|deed| {
                activity_id(*class, *deed).is_some_and(|(_, named)| named.as_str() == *caption)
            })
        });
        let is_kerberos = |name: &str| name.contains("Ticket") || name == "Preauth";
        // An app of Atlassian's is no process.
        let is_process = |name: &str| matches!(name, "Start" | "Stop" | "Restart");
        assert!(unused.into_iter().all(|it| is_kerberos(it) || is_process(it)), "{class:?}");
    }
}

#[test]
fn a_deed_that_the_class_does_not_know_bears_the_sources_word() {
    let mut event = minimal_event(OcsfClass::AccountChange, Deed::Update);
    event.targets = vec![target("user", "u1", "Bo")];
    let value = render_valid(&event);
    assert_eq!(kind(&value), (3001, 99));
    assert_eq!(value["activity_name"], "something_done");
    assert_eq!(value["type_name"], "Account Change: something_done");
    event.meaning = crate::model::meaning::UNKNOWN_MEANING;
    assert_eq!(kind(&render_valid(&event)), (3004, 99));
    event.action = EventText::Borrowed(UNPARSED);
    let value = render_valid(&event);
    assert_eq!(kind(&value), (3004, 0));
    assert_eq!(value["activity_name"], "Unknown");
}

#[test]
fn an_event_that_says_nothing_is_of_the_class_that_requires_nothing_of_it() {
    for class in OcsfClass::ALL {
        for deed in Deed::ALL {
            let mut event = minimal_event(*class, *deed);
            let value = render_valid(&event);
            assert_eq!(value["class_uid"], 3004, "{class:?} {deed:?}");
            let org = json!({"uid": "org-1", "type_id": 4, "type": "Organization", "org": {"uid": "org-1"}});
            assert_eq!(value["entity"], org);
            event.source.org_id = None;
            event.source.site = Some("acme.example");
            assert_eq!(
                render_valid(&event)["entity"],
                json!({"name": "acme.example", "type_id": 99, "type": "site"})
            );
            event.source.site = None;
            assert_eq!(
                render_valid(&event)["entity"],
                json!({"name": "acme", "type_id": 99, "type": "source"})
            );
        }
    }
}

#[test]
fn a_tenant_is_named_by_its_organization_its_site_or_its_cloud_id() {
    let workspace = "ari:cloud:jira::site/c1".parse().unwrap();
    let mut event = minimal_event(OcsfClass::AccountChange, Deed::Suspend);
    event.source.workspace = Some(&workspace);
    event.source.site = Some("acme.example");
    let mut tenants = Vec::new();
    tenants.push(render_valid(&event)["metadata"]["tenant_uid"].clone());
    event.source.org_id = None;
    tenants.push(render_valid(&event)["metadata"]["tenant_uid"].clone());
    event.source.site = None;
    tenants.push(render_valid(&event)["metadata"]["tenant_uid"].clone());
    assert_eq!(tenants, ["org-1", "acme.example", "c1"]);
}

#[test]
fn an_account_change_has_the_user_who_was_changed() {
    let mut event = minimal_event(OcsfClass::AccountChange, Deed::Suspend);
    event.actor = actor(ActorKind::User);
    assert_eq!(render_valid(&event)["class_uid"], 3004, "nobody says whose account");
    event.targets = vec![
        target("organization", "org-1", "Acme"),
        target("user", "u1", "Bo"),
        target("two_step_policy", "p1", "Strict"),
    ];
    let value = render_valid(&event);
    assert_eq!(kind(&value), (3001, 5));
    assert_eq!(value["user"], json!({"uid": "u1", "name": "Bo", "type_id": 1, "type": "User"}));
    assert_eq!(
        value["policies"],
        json!([{"uid": "p1", "name": "Strict", "type": "two_step_policy"}])
    );
    assert_eq!(
        value["unmapped"]["targets"],
        json!([{"type": "organization", "id": "org-1", "name": "Acme"}])
    );
    for deed in [Deed::PasswordChange, Deed::PasswordReset, Deed::MfaEnable, Deed::MfaDisable] {
        let mut event = minimal_event(OcsfClass::AccountChange, deed);
        event.actor = actor(ActorKind::User);
        assert_eq!(render_valid(&event)["user"]["uid"], "712020:a1");
        event.actor = actor(ActorKind::System);
        assert_eq!(render_valid(&event)["class_uid"], 3004);
    }
}

#[test]
fn an_authentication_has_the_user_who_signs_in() {
    let mut event = minimal_event(OcsfClass::Authentication, Deed::Logon);
    event.actor = actor(ActorKind::User);
    event.targets = vec![target("user", "u1", "Bo")];
    let value = render_valid(&event);
    assert_eq!(kind(&value), (3002, 1));
    assert_eq!(value["user"]["uid"], "712020:a1");
    assert_eq!(value["service"], json!({"name": "Atlassian Administration"}));
    assert_eq!(value.get("dst_endpoint"), None);
    // Who ends another's session is not who is logged off.
    event.meaning.deed = Deed::Logoff;
    assert_eq!(render_valid(&event)["user"]["uid"], "u1");
    event.meaning.deed = Deed::Logon;
    for nobody in [ActorKind::System, ActorKind::Anonymous] {
        event.actor.kind = Some(nobody);
        assert_eq!(render_valid(&event)["user"]["uid"], "u1");
    }
    event.targets.clear();
    assert_eq!(render_valid(&event)["class_uid"], 3004);
}

#[test]
fn a_target_equal_to_the_actor_is_not_repeated() {
    let mut event = minimal_event(OcsfClass::Authentication, Deed::Logon);
    event.actor = actor(ActorKind::User);
    event.targets = vec![target("user", "712020:a1", "Ada")];
    event.targets[0].email = text("ada@example.com");
    assert_eq!(render_valid(&event)["unmapped"].get("targets"), None);
    event.targets[0].name = text("Ada L.");
    assert_eq!(render_valid(&event)["unmapped"]["targets"][0]["name"], "Ada L.");
}

#[test]
fn the_host_of_a_site_is_where_one_signs_in() {
    let mut event = minimal_event(OcsfClass::Authentication, Deed::Logon);
    event.actor = actor(ActorKind::User);
    event.source.kind = SourceKind::DatacenterAudit;
    event.source.org_id = None;
    let mut to = |site| {
        event.source.site = Some(site);
        let value = render_valid(&event);
        assert_eq!(value["metadata"]["tenant_uid"], site);
        value["dst_endpoint"].clone()
    };
    assert_eq!(to("acme.example"), json!({"hostname": "acme.example"}));
    assert_eq!(to("jira.example:8443/dc"), json!({"hostname": "jira.example", "port": 8443}));
    assert_eq!(to("127.0.0.1:80/dc"), json!({"ip": "127.0.0.1", "port": 80}));
    assert_eq!(to("[2001:db8::1]:80"), json!({"ip": "2001:db8::1", "port": 80}));
    assert_eq!(to("[2001:db8::1]/x"), json!({"ip": "2001:db8::1"}));
    assert_eq!(to("/"), Value::Null);
}

#[test]
fn privileges_are_targets_or_changes_or_products() {
    let mut event = minimal_event(OcsfClass::UserAccess, Deed::Assign);
    let user = target("user", "u1", "Bo");
    event.targets = vec![user.clone()];
    assert_eq!(render_valid(&event)["class_uid"], 3004, "nobody says which");
    event.targets =
        vec![user.clone(), target("product", "p1", "Jira"), target("site", "s1", "acme")];
    let value = render_valid(&event);
    assert_eq!(kind(&value), (3005, 1));
    assert_eq!(value["privileges"], json!(["Jira"]));
    assert_eq!(value["resources"], json!([{"uid": "s1", "name": "acme", "type": "site"}]));
    event.changes = vec![change("Type", "VIEW", "EDIT"), change("Name", "a", "b")];
    let value = render_valid(&event);
    assert_eq!(value["privileges"], json!(["EDIT"]));
    assert_eq!(value["resources"][0]["uid"], "p1");
    event.meaning.deed = Deed::Revoke;
    assert_eq!(render_valid(&event)["privileges"], json!(["VIEW"]));
    event.targets.push(target("role", "r1", ""));
    event.targets.push(target("role", "r2", "Owner"));
    let value = render_valid(&event);
    assert_eq!((kind(&value), &value["privileges"]), ((3005, 2), &json!(["r1", "Owner"])));
    assert_eq!(value["unmapped"]["targets"].as_array().unwrap().len(), 2);
}

#[test]
fn a_groups_privileges_are_a_matter_of_the_group() {
    let mut event = minimal_event(OcsfClass::UserAccess, Deed::Assign);
    event.targets = vec![
        target("space", "", "Handbook"),
        target("group", "g1", "admins"),
        target("page", "7", ""),
    ];
    assert_eq!(render_valid(&event)["class_uid"], 3004, "nobody says which");
    event.changes = vec![change("PERMISSION", "", "EDIT")];
    let value = render_valid(&event);
    assert_eq!(kind(&value), (3006, 1));
    assert_eq!(value["group"], json!({"uid": "g1", "name": "admins", "type": "group"}));
    assert_eq!(value["privileges"], json!(["EDIT"]));
    assert_eq!(value["resource"], json!({"name": "Handbook", "type": "space"}));
    assert_eq!(value["unmapped"]["targets"], json!([{"type": "page", "id": "7"}]));
}

#[test]
fn a_group_and_who_is_in_it() {
    let mut event = minimal_event(OcsfClass::GroupManagement, Deed::AddUser);
    event.targets = vec![target("user", "u1", "Bo"), target("user", "u2", "Cy")];
    let value = render_valid(&event);
    assert_eq!(kind(&value), (3004, 99), "no group");
    assert_eq!(value["entity"]["user"]["uid"], "u1");
    event.targets.push(target("group", "g1", "admins"));
    event.targets.push(target("group", "g2", "staff"));
    let value = render_valid(&event);
    assert_eq!(kind(&value), (3006, 3));
    assert_eq!((&value["group"]["uid"], &value["user"]["uid"]), (&json!("g1"), &json!("u1")));
    assert_eq!(value.get("subgroup"), None);
    assert_eq!(value["unmapped"]["targets"].as_array().unwrap().len(), 2);
    event.meaning.deed = Deed::AddSubgroup;
    assert_eq!(
        render_valid(&event)["subgroup"],
        json!({"uid": "g2", "name": "staff", "type": "group"})
    );
}

#[test]
fn web_resources_are_content_or_else_the_whole_site() {
    let mut event = minimal_event(OcsfClass::WebResources, Deed::Export);
    event.source.site = Some("acme.example");
    event.targets = vec![target("organization", "org-1", ""), target("user", "u1", "")];
    assert_eq!(render_valid(&event)["class_uid"], 3004);
    event.targets.push(target("site", "s1", "acme"));
    let value = render_valid(&event);
    assert_eq!(kind(&value), (6001, 7));
    assert_eq!(value["web_resources"], json!([{"uid": "s1", "name": "acme", "type": "site"}]));
    assert_eq!(value["dst_endpoint"], json!({"hostname": "acme.example"}));
    assert_eq!(value["unmapped"]["source"], json!({"site": "acme.example"}));
    event.targets.push(target("page", "7", "Plan"));
    event.targets.push(target("", "8", ""));
    assert_eq!(
        render_valid(&event)["web_resources"],
        json!([{"uid": "7", "name": "Plan", "type": "page"}, {"uid": "8"}])
    );
    event.targets[3].url = text("https://acme.example/wiki/7");
    let value = render_valid(&event);
    assert_eq!(value["web_resources"][0]["url_string"], "https://acme.example/wiki/7");
    let observables = value["observables"].as_array().unwrap();
    assert!(
        observables
            .iter()
            .any(|it| it["type_id"] == 6 && it["value"] == "https://acme.example/wiki/7")
    );
    assert!(!value["unmapped"]["targets"].to_string().contains("wiki"), "{value}");
}

#[test]
fn a_call_comes_from_somebody_and_somewhere() {
    let mut event = minimal_event(OcsfClass::Api, Deed::Read);
    event.actor = actor(ActorKind::App);
    let value = render_valid(&event);
    assert_eq!((value["class_uid"].clone(), value.get("src_endpoint")), (json!(3004), None));
    event.client = client("198.51.100.7");
    event.targets = vec![target("page", "7", "Plan"), target("user", "u1", "Bo")];
    let value = render_valid(&event);
    assert_eq!(kind(&value), (6003, 2));
    assert_eq!(value["api"]["operation"], "something_done");
    assert_eq!(value["resources"].as_array().unwrap().len(), 2);
    event.actor = Default::default();
    assert_eq!(render_valid(&event)["class_uid"], 3004);
}

#[test]
fn the_entity_is_what_the_first_target_is() {
    let entity = |kind: &str, id: &str, name: &str| {
        let mut event = minimal_event(OcsfClass::EntityManagement, Deed::Update);
        event.targets = vec![target(kind, "", ""), target(kind, id, name)];
        let value = render_valid(&event);
        let left = match kind {
            "" => Value::Null,
            kind => json!([{"type": kind}]),
        };
        assert_eq!(value["unmapped"].get("targets").cloned().unwrap_or_default(), left);
        value["entity"].clone()
    };
    assert_eq!(
        entity("user", "u1", ""),
        json!({"uid": "u1", "type_id": 2, "type": "User", "user": {"uid": "u1", "type_id": 1, "type": "User"}})
    );
    assert_eq!(
        entity("group", "", "g"),
        json!({"name": "g", "type_id": 3, "type": "Group", "group": {"name": "g", "type": "group"}})
    );
    assert_eq!(
        entity("ip_allowlist_policy", "1", ""),
        json!({"uid": "1", "type_id": 5, "type": "Policy", "policy": {"uid": "1", "type": "ip_allowlist_policy"}})
    );
    assert_eq!(
        entity("domain", "", "x.example"),
        json!({"name": "x.example", "type_id": 99, "type": "domain"})
    );
    assert_eq!(
        entity("", "1", "x"),
        json!({"uid": "1", "name": "x", "type_id": 0, "type": "Unknown"})
    );
}

/// The entity's own fields and the activity of an event with these targets.
fn entity_and_activity(
    (action, category, deed): (&'static str, Category, Deed),
    targets: &[(&str, &str)],
) -> (Value, String) {
    let mut event = minimal_event(OcsfClass::EntityManagement, deed);
    event.action = EventText::Borrowed(action);
    event.category = category;
    event.targets = targets.iter().map(|(kind, name)| target(kind, "", name)).collect();
    let value = render_valid(&event);
    let activity = value["activity_name"].as_str().unwrap().to_owned();
    (value["entity"].get("name").cloned().unwrap_or_default(), activity)
}

#[test]
fn the_entity_is_what_was_acted_on_and_not_what_holds_it() {
    let org = ("organization", "Acme");
    let site = ("site", "acme");
    let domain = ("added_domain_to_org", Category::Configuration, Deed::Create);
    let got = entity_and_activity(domain, &[org, ("domain", "x.example")]);
    assert_eq!(got, (json!("x.example"), "Create".to_owned()));
    let branch = ("branch_deleted", Category::Content, Deed::Delete);
    let targets = [("project", "Core"), ("repository", "api"), ("branch", "main")];
    assert_eq!(entity_and_activity(branch, &targets), (json!("main"), "Delete".to_owned()));
    let repository = ("repository_deleted", Category::Content, Deed::Delete);
    let got = entity_and_activity(repository, &targets[..2]);
    assert_eq!(got, (json!("api"), "Delete".to_owned()));
    for (action, named) in [("org_updated", org), ("sites_updated", site)] {
        let update = (action, Category::Configuration, Deed::Update);
        let got = entity_and_activity(update, &[org, site]);
        assert_eq!(got, (json!(named.1), "Update".to_owned()), "{action}");
    }
    let webhook = ("webhook_created", Category::App, Deed::Create);
    let got = entity_and_activity(webhook, &[site, ("webhook", "ci")]);
    assert_eq!(got, (json!("ci"), "Create".to_owned()));
    let token = ("api_token_created", Category::Token, Deed::Create);
    for kind in ["api_token", "apiTokens"] {
        let got = entity_and_activity(token, &[("user", "Bo"), (kind, "ci"), org]);
        assert_eq!(got, (json!("ci"), "Create".to_owned()));
    }
}

#[test]
fn what_stands_for_an_unknown_thing_is_not_said_to_be_changed() {
    let org = ("organization", "Acme");
    for (action, category, deed, targets, stands_in) in [
        ("space_permission_added", Category::Permission, Deed::Create, &[("space", "S")][..], "S"),
        ("webhook_created", Category::Configuration, Deed::Create, &[org], "Acme"),
        ("api_token_revoked", Category::Token, Deed::Delete, &[org, ("user", "Bo")], "Bo"),
        ("app_enabled", Category::App, Deed::Enable, &[("site", "acme")], "acme"),
    ] {
        let got = entity_and_activity((action, category, deed), targets);
        assert_eq!(got, (json!(stands_in), action.to_owned()));
    }
    let mut event = minimal_event(OcsfClass::WebResources, Deed::Create);
    event.targets = vec![target("user", "u1", "Bo")];
    assert_eq!(kind(&render_valid(&event)), (3004, 99));
}

#[test]
fn an_app_has_a_lifecycle() {
    for (deed, activity) in [
        (Deed::Install, (6002, 1)),
        (Deed::Create, (6002, 1)),
        (Deed::Remove, (6002, 2)),
        (Deed::Delete, (6002, 2)),
        (Deed::Enable, (6002, 6)),
        (Deed::Disable, (6002, 7)),
        (Deed::Update, (6002, 8)),
        (Deed::Other, (6002, 99)),
    ] {
        let mut event = minimal_event(OcsfClass::ApplicationLifecycle, deed);
        event.targets = vec![target("site", "s1", "acme"), target("app", "com.example.x", "X")];
        let value = render_valid(&event);
        assert_eq!(kind(&value), activity, "{deed:?}");
        assert_eq!(value["app"], json!({"uid": "com.example.x", "name": "X"}));
        assert_eq!(value["unmapped"]["targets"].as_array().unwrap().len(), 1);
        event.targets[1].kind = text("connect_plugin");
        let value = render_valid(&event);
        assert_eq!(value["app"]["name"], "X");
        assert_eq!(value["unmapped"]["targets"][1]["type"], "connect_plugin");
        event.targets.truncate(1);
        assert_eq!(kind(&render_valid(&event)), (3004, 99), "nobody says which app");
    }
}

#[test]
fn an_app_has_no_endpoint_and_the_address_is_kept_beside_it() {
    let mut event = minimal_event(OcsfClass::ApplicationLifecycle, Deed::Install);
    event.targets = vec![target("app", "com.example.x", "X")];
    event.client.ip = text("198.51.100.7");
    event.client.country = text("Portugal");
    event.client.country_code = Some("PT");
    let value = render_valid(&event);
    assert_eq!(kind(&value), (6002, 1));
    assert_eq!(value.get("src_endpoint"), None);
    let client = json!({"ip": "198.51.100.7", "country": "Portugal", "country_code": "PT"});
    assert_eq!(value["unmapped"]["client"], client);
    let observable = json!({"type_id": 2, "name": "unmapped.client.ip", "value": "198.51.100.7"});
    assert_eq!(value["observables"][0], observable);
}

#[test]
fn a_changed_project_role_is_given_or_taken_where_it_names_someone() {
    let event = |users: &str, from: &str, to: &str| {
        let mut event = minimal_event(OcsfClass::EntityManagement, Deed::Update);
        event.targets =
            vec![target("project_role", "10002", "Administrators"), target("project", "1", "Ops")];
        event.changes = vec![change("Groups", "", "staff"), change(users, from, to)];
        event
    };
    let value = render_valid(&event("Users", "712020:a1", "712020:a1, 712020:b2"));
    assert_eq!(kind(&value), (3005, 1));
    assert_eq!(value["user"], json!({"uid": "712020:b2", "type_id": 1, "type": "User"}));
    assert_eq!(value["privileges"], json!(["Administrators"]));
    assert_eq!(value["resources"], json!([{"uid": "1", "name": "Ops", "type": "project"}]));
    let value = render_valid(&event("users", "ada,bo", "ada"));
    assert_eq!(kind(&value), (3005, 2));
    assert_eq!(value["user"], json!({"name": "bo", "type_id": 1, "type": "User"}));
    let mut named = event("Users", "", "bo");
    named.targets.push(target("user", "u1", "bo"));
    let value = render_valid(&named);
    assert_eq!(value["user"]["uid"], "u1");
    assert_eq!(value["unmapped"].get("targets").map(|it| it.as_array().unwrap().len()), Some(1));
    for nobody in [event("Users", "ada", "ada"), event("Name", "", "bo")] {
        assert_eq!(kind(&render_valid(&nobody)), (3004, 3));
    }
}
