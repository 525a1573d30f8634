//! Tests the parts that events of every class have.

use serde_json::{Value, json};

use super::OcsfVersion;
use super::class_tests::render_valid;
use super::sample_events_tests::{actor, client, line, minimal_event, target, text};
use super::schema_rules_tests::faults;
use crate::model::event::{
    ActorAuth, ActorKind, EventClient, EventTarget, EventText, RelatedPerson, TargetParent,
};
use crate::model::meaning::{Deed, OcsfClass, Outcome};
use crate::model::name::SourceKind;
use crate::model::time::parse_api_time;

#[test]
fn actors_of_every_kind() {
    let of = |kind| {
        let mut event = minimal_event(OcsfClass::EntityManagement, Deed::Update);
        event.actor = actor(kind);
        event.labels = vec![("category", EventText::Borrowed("x"))];
        render_valid(&event)["actor"].clone()
    };
    let user = |type_id: u8, word: &str| json!({"uid": "712020:a1", "name": "Ada", "email_addr": "ada@example.com", "type_id": type_id, "type": word});
    assert_eq!(of(ActorKind::User), json!({"user": user(1, "User")}));
    assert_eq!(of(ActorKind::System), json!({"user": user(3, "System")}));
    assert_eq!(of(ActorKind::Anonymous), json!({"user": user(99, "Anonymous")}));
    assert_eq!(
        of(ActorKind::App),
        json!({"user": user(4, "Service"), "app_name": "Ada", "app_uid": "712020:a1"})
    );
}

#[test]
fn an_actors_app_and_token_and_principal() {
    let mut event = minimal_event(OcsfClass::EntityManagement, Deed::Update);
    event.actor = actor(ActorKind::App);
    event.actor.email = text("Ada <ada@example.com>");
    event.actor.auth =
        ActorAuth { kind: text("api-token"), token_id: text("t1"), token_label: text("ci") };
    event.actor.on_behalf_of = RelatedPerson { id: text("712020:b2"), ..RelatedPerson::default() };
    event.labels =
        vec![("actorApp", EventText::Borrowed("app-9")), ("node", EventText::Borrowed("n1"))];
    let value = render_valid(&event);
    assert_eq!(value["actor"]["app_uid"], "app-9");
    assert_eq!(
        value["actor"]["user"]["programmatic_credentials"],
        json!([{"uid": "t1", "type": "api-token"}])
    );
    assert_eq!(value["actor"]["user"].get("email_addr"), None);
    assert_eq!(
        value["unmapped"],
        json!({"category": "other", "labels": {"node": "n1"}, "actor": {"email": "Ada <ada@example.com>",
            "auth": {"token_label": "ci"}, "on_behalf_of": {"id": "712020:b2"}}})
    );
    event.actor.auth.token_id = None;
    assert_eq!(render_valid(&event)["unmapped"]["actor"]["auth"]["type"], "api-token");
}

#[test]
fn whoever_has_only_an_address_is_called_by_it() {
    let mut event = minimal_event(OcsfClass::Authentication, Deed::Logon);
    event.actor.email = text("ada@example.com");
    let value = render_valid(&event);
    let user = json!({"name": "ada@example.com", "email_addr": "ada@example.com"});
    assert_eq!((&value["user"], &value["actor"]["user"]), (&user, &user));
    event.actor.email = None;
    event.actor.kind = Some(ActorKind::Anonymous);
    let value = render_valid(&event);
    assert_eq!(value.get("actor"), None);
    assert_eq!(value["unmapped"]["actor"], json!({"type": "anonymous"}));
}

#[test]
fn a_place_needs_an_address_and_a_country_is_a_code() {
    let mut event = minimal_event(OcsfClass::EntityManagement, Deed::Update);
    let place = EventClient {
        ip: None,
        country: text("Netherlands"),
        country_code: Some("NL"),
        region: text("Utrecht"),
        city: text("Zeist"),
        geo: text("52.09,5.12"),
        forwarded: vec![EventText::Borrowed("203.0.113.80")],
        port: None,
    };
    event.client = place.clone();
    let value = render_valid(&event);
    assert_eq!(value.get("src_endpoint"), None);
    assert_eq!(
        value["unmapped"]["client"],
        json!({"forwarded": ["203.0.113.80"], "country": "Netherlands", "country_code": "NL", "region": "Utrecht", "city": "Zeist", "geo": "52.09,5.12"})
    );
    event.client.ip = text("198.51.100.7");
    event.client.port = Some(8080);
    let value = render_valid(&event);
    assert_eq!(
        value["src_endpoint"],
        json!({"ip": "198.51.100.7", "port": 8080, "intermediate_ips": ["203.0.113.80"],
            "location": {"country": "NL", "region": "Utrecht", "city": "Zeist"}})
    );
    assert_eq!(value["unmapped"]["client"], json!({"geo": "52.09,5.12"}));
    let proxy = &value["observables"].as_array().unwrap()[2];
    assert_eq!(
        *proxy,
        json!({"type_id": 2, "name": "src_endpoint.intermediate_ips[]", "value": "203.0.113.80"})
    );
    event.client =
        EventClient { ip: text("fe80::1"), country: text("Exampleland"), ..EventClient::default() };
    let value = render_valid(&event);
    assert_eq!(value["src_endpoint"], json!({"ip": "fe80::1"}));
    assert_eq!(value["unmapped"]["client"], json!({"country": "Exampleland"}));
}

#[test]
fn observables_name_their_field_and_do_not_repeat() {
    let mut event = minimal_event(OcsfClass::GroupManagement, Deed::AddUser);
    event.actor = actor(ActorKind::User);
    event.targets = vec![target("group", "g1", "admins"), target("user", "712020:a1", "Ada")];
    event.client = client("198.51.100.7");
    event.client.country = text("Portugal");
    event.client.country_code = Some("PT");
    let one = |type_id: u8, name: &str, value: &str| json!({"type_id": type_id, "name": name, "value": value});
    assert_eq!(
        render_valid(&event)["observables"],
        json!([
            one(2, "src_endpoint.ip", "198.51.100.7"),
            one(14, "src_endpoint.location.country", "PT"),
            one(31, "actor.user.uid", "712020:a1"),
            one(4, "actor.user.name", "Ada"),
            one(5, "actor.user.email_addr", "ada@example.com"),
            one(33, "group.uid", "g1"),
            one(32, "group.name", "admins"),
        ])
    );
}

#[test]
fn a_thousand_targets_are_all_there() {
    for class in OcsfClass::ALL {
        let mut event = minimal_event(*class, Deed::Assign);
        event.actor = actor(ActorKind::User);
        event.client = client("198.51.100.7");
        let kinds = ["page", "user", "group", "role"];
        event.targets = (0..1000)
            .map(|n| target(kinds[n % 4], &format!("id-{n}"), &format!("name-{n}")))
            .collect();
        let value = render_valid(&event);
        assert!(value["observables"].as_array().unwrap().len() <= 32);
        let text = value.to_string();
        assert!((0..1000).all(|n| text.contains(&format!("\"name-{n}\""))), "{class:?}");
    }
}

#[test]
fn times_and_where_they_come_from() {
    let mut event = minimal_event(OcsfClass::EntityManagement, Deed::Update);
    event.outcome = Outcome::Failure;
    let value = render_valid(&event);
    assert_eq!(value["time"], 1_795_167_000_250_i64);
    assert_eq!((&value["status_id"], &value["status"]), (&json!(2), &json!("Failure")));
    assert_eq!(value["unmapped"], json!({"category": "other"}));
    event.time = None;
    let value = render_valid(&event);
    assert_eq!(value["time"], value["metadata"]["processed_time"]);
    assert_eq!(value["unmapped"]["time_is"], "observed_time");
    event.processed_time = parse_api_time("2026-11-20T09:30:01Z");
    let value = render_valid(&event);
    assert_eq!(
        (&value["time"], &value["metadata"]["logged_time"]),
        (&json!(1_795_167_001_000_i64), &value["time"])
    );
    assert_eq!(value["unmapped"]["time_is"], "processed_time");
}

#[test]
fn the_time_and_the_id_are_the_sources_own() {
    let mut event = minimal_event(OcsfClass::EntityManagement, Deed::Update);
    let mut of = |kind, raw: &str| {
        event.source.kind = kind;
        let value: Value = serde_json::from_str(&line(OcsfVersion::V1_8, &event, raw)).unwrap();
        assert_eq!(faults(&value), [""; 0], "{value:#}");
        assert_eq!(value["raw_data"], raw);
        let metadata = &value["metadata"];
        (metadata["original_time"].clone(), metadata["original_event_uid"].clone())
    };
    let org = r#"{"attributes":{"time":"2026-11-20T09:30:00Z"},"created":"no"}"#;
    assert_eq!(of(SourceKind::OrgEvents, org), (json!("2026-11-20T09:30:00Z"), json!("e1")));
    let jira = r#"{"created":"2026-11-20T09:30:00.250+0000"}"#;
    assert_eq!(
        of(SourceKind::JiraAudit, jira),
        (json!("2026-11-20T09:30:00.250+0000"), json!("e1"))
    );
    let confluence = r#"{"creationDate":1795167000000}"#;
    assert_eq!(of(SourceKind::ConfluenceAudit, confluence), (json!("1795167000000"), Value::Null));
    assert_eq!(
        of(SourceKind::DatacenterAudit, r#"{"timestamp":"\"\n"}"#),
        (json!("\"\n"), Value::Null)
    );
    for odd in ["null", "[]", "7", r#"{"attributes":{"time":{}}}"#, r#"{"attributes":[]}"#] {
        assert_eq!(of(SourceKind::OrgEvents, odd).0, Value::Null);
    }
}

#[test]
fn a_targets_parent_and_address_are_kept() {
    let mut event = minimal_event(OcsfClass::EntityManagement, Deed::Update);
    let with = |kind: &str, email: &str, parent: &str| EventTarget {
        email: text(email),
        parent: TargetParent { id: text(parent), name: None },
        ..target(kind, "1", "x")
    };
    for (one, is_left) in [
        (with("user", "bo@example.com", ""), false),
        (with("user", "bo at example", ""), true),
        (with("user", "", "p"), true),
        (with("page", "bo@example.com", ""), true),
        (with("page", "", ""), false),
    ] {
        event.targets = vec![one];
        let value = render_valid(&event);
        assert_eq!(value["unmapped"].get("targets").is_some(), is_left, "{value}");
    }
}

#[test]
fn the_summary_is_beside_its_code() {
    let mut event = minimal_event(OcsfClass::EntityManagement, Deed::Update);
    event.action = EventText::Borrowed("users_password_changed");
    event.summary = text("User's password changed");
    event.message = text("User's password changed: by hand");
    let value = render_valid(&event);
    assert_eq!(value["metadata"]["event_code"], "users_password_changed");
    assert_eq!(value["unmapped"]["summary"], "User's password changed");
}
