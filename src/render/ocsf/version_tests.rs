//! Tests what differs in OCSF 1.3.

use serde_json::{Value, json};

use super::OcsfVersion;
use super::class_tests::render_valid_in;
use super::sample_events_tests::{actor, client, minimal_event, target, text};
use crate::model::event::{ActorAuth, ActorKind, Event};
use crate::model::meaning::{Category, Deed, OcsfClass};

fn event(class: OcsfClass, deed: Deed, targets: &[[&str; 3]]) -> Event<'static> {
    let mut event = minimal_event(class, deed);
    event.actor = actor(ActorKind::User);
    event.targets = targets.iter().map(|[kind, id, name]| target(kind, id, name)).collect();
    event
}

fn in_1_3(event: &Event<'_>) -> Value {
    render_valid_in(OcsfVersion::V1_3, event)
}

/// The number of the type of an event in 1.3 and in 1.8.
fn types(event: &Event<'_>) -> (Value, Value) {
    let of = |version| render_valid_in(version, event)["type_uid"].clone();
    (of(OcsfVersion::V1_3), of(OcsfVersion::V1_8))
}

#[test]
fn the_source_and_the_id_have_other_places() {
    let value = in_1_3(&event(OcsfClass::EntityManagement, Deed::Update, &[]));
    let metadata = &value["metadata"];
    assert_eq!(metadata["version"], "1.3.0");
    assert_eq!((&metadata["log_provider"], &metadata["source"]), (&json!("acme"), &Value::Null));
    assert_eq!((&metadata["uid"], &metadata["profiles"]), (&json!("org:e1"), &json!(["host"])));
    assert_eq!(metadata.get("original_event_uid"), None);
}

#[test]
fn a_token_is_an_id_and_an_app_is_no_user() {
    let mut event = event(OcsfClass::AccountChange, Deed::Enable, &[["user", "u1", "Bo"]]);
    event.actor = actor(ActorKind::App);
    event.actor.auth =
        ActorAuth { kind: text("api-token"), token_id: text("t1"), token_label: None };
    let value = in_1_3(&event);
    let user = &value["actor"]["user"];
    assert_eq!((&user["credential_uid"], &user["type_id"]), (&json!("t1"), &json!(99)));
    assert_eq!(user["type"], "Service");
    assert_eq!(value["unmapped"]["actor"]["auth"], json!({"type": "api-token"}));
    assert_eq!(value["metadata"].get("profiles"), None, "the class has an actor of its own");
}

#[test]
fn activities_that_came_later_bear_the_sources_word() {
    let of = |class, deed, targets: &[[&str; 3]]| types(&event(class, deed, targets));
    let user = ["user", "u1", "Bo"];
    assert_eq!(
        of(OcsfClass::AccountChange, Deed::Unlock, &[user]),
        (json!(300_199), json!(300_112))
    );
    assert_eq!(
        of(OcsfClass::AccountChange, Deed::MfaDisable, &[user]),
        (json!(300_111), json!(300_111))
    );
    let switch = of(OcsfClass::Authentication, Deed::AccountSwitch, &[user]);
    assert_eq!(switch, (json!(300_299), json!(300_207)));
}

#[test]
fn a_group_without_members_is_an_entity() {
    let of = |deed, action: &'static str, targets: &[[&str; 3]]| {
        let mut event = event(OcsfClass::GroupManagement, deed, targets);
        event.action = action.into();
        event
    };
    let (group, user) = (["group", "g1", "staff"], ["user", "u1", "Bo"]);
    let created = of(Deed::Create, "group_created", &[group]);
    assert_eq!(types(&created), (json!(300_401), json!(300_606)));
    assert_eq!(in_1_3(&created)["entity"]["group"]["name"], "staff");
    let added = of(Deed::AddUser, "user_added_to_group", &[group, user]);
    assert_eq!(types(&added), (json!(300_603), json!(300_603)));
    // Nothing was done to the user where a group is missing.
    let deleted = of(Deed::Delete, "group_deleted", &[user]);
    assert_eq!(types(&deleted), (json!(300_499), json!(300_499)));
    let nested = of(Deed::AddSubgroup, "group_added_to_group", &[group, ["group", "g2", "all"]]);
    let value = in_1_3(&nested);
    assert_eq!(value["type_uid"], 300_499);
    assert_eq!(value["unmapped"]["targets"], json!([{"type": "group", "id": "g2", "name": "all"}]));
}

#[test]
fn an_app_is_an_entity() {
    let mut event = event(OcsfClass::ApplicationLifecycle, Deed::Create, &[["app", "a1", "Draw"]]);
    event.meaning.category = Category::App;
    event.category = Category::App;
    event.action = "app_created".into();
    event.client = client("198.51.100.7");
    assert_eq!(types(&event), (json!(300_401), json!(600_201)));
    let value = in_1_3(&event);
    assert_eq!(value["entity"]["name"], "Draw");
    assert_eq!(value["src_endpoint"]["ip"], "198.51.100.7");
}

#[test]
fn one_policy_and_one_resource() {
    let user = ["user", "u1", "Bo"];
    let policies = [user, ["x_policy", "p1", "One"], ["policy", "p2", "Two"]];
    let value = in_1_3(&event(OcsfClass::AccountChange, Deed::AttachPolicy, &policies));
    assert_eq!(value["policy"], json!({"uid": "p1", "name": "One"}));
    let left = &value["unmapped"]["targets"];
    assert_eq!((&left[0]["type"], &left[1]["id"]), (&json!("x_policy"), &json!("p2")));
    let grants = [user, ["role", "r1", "admin"], ["site", "s1", "x"], ["project", "j1", "y"]];
    let value = in_1_3(&event(OcsfClass::UserAccess, Deed::Assign, &grants));
    assert_eq!(value["resource"], json!({"uid": "s1", "name": "x", "type": "site"}));
    assert_eq!(value["unmapped"]["targets"][1]["id"], "j1");
    let entity = [["x_policy", "p1", "One"]];
    let value = in_1_3(&event(OcsfClass::EntityManagement, Deed::Update, &entity));
    assert_eq!(value["entity"]["policy"], json!({"uid": "p1", "name": "One"}));
    assert_eq!(value["unmapped"]["targets"][0]["type"], "x_policy");
}
