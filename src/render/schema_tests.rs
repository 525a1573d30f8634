//! Holds the JSON Schema in the file, the types of an event and its writer against each other.

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde_json::{Value, json};

use super::generated::{ObjectMembers, generated, ordered};
use super::*;
use crate::model::event::{
    ActorAuth, ActorKind, EventActor, EventClient, EventSource, EventTarget, FieldChange,
    RelatedPerson, SCHEMA, TargetParent,
};
use crate::model::json::Document;
use crate::model::meaning::{Category, Outcome, UNKNOWN_MEANING};
use crate::model::name::SourceKind;
use crate::model::time::parse_api_time;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/render/event.schema.json");

/// Set to anything, the file is written again.
const UPDATE: &str = "ATLAUDIT_UPDATE_DOCS";

fn some(text: &'static str) -> Option<std::borrow::Cow<'static, str>> {
    Some(text.into())
}

/// An event in which everything is known.
fn full() -> Event<'static> {
    let time = parse_api_time("2026-11-20T09:30:00.123Z").unwrap();
    Event {
        schema: SCHEMA,
        id: "org:1".to_owned(),
        source: EventSource {
            name: "acme",
            kind: SourceKind::OrgEvents,
            org_id: Some("o"),
            site: Some("acme.atlassian.net"),
            workspace: Some(Box::leak(Box::new("ari:cloud:jira::site/c1".parse().unwrap()))),
        },
        time: Some(time),
        processed_time: Some(time),
        observed_time: time,
        action: "user_login".into(),
        category: Category::Authentication,
        outcome: Outcome::Success,
        meaning: UNKNOWN_MEANING,
        message: some("Ada logged in"),
        summary: None,
        product: some("organization"),
        actor: EventActor {
            kind: Some(ActorKind::User),
            id: some("1"),
            name: some("Ada"),
            login: None,
            email: some("ada@acme.example"),
            auth: ActorAuth {
                kind: some("api-token"),
                token_id: some("t"),
                token_label: some("script"),
            },
            on_behalf_of: RelatedPerson {
                id: some("2"),
                name: some("Bo"),
                email: some("bo@acme.example"),
            },
        },
        targets: vec![EventTarget {
            kind: some("user"),
            id: some("2"),
            name: some("Bo"),
            login: None,
            email: some("bo@acme.example"),
            url: some("https://acme.example/people/2"),
            parent: TargetParent { id: some("3"), name: some("Acme") },
        }],
        changes: vec![FieldChange { field: some("name"), from: some("B"), to: some("Bo") }],
        client: full_client(),
        labels: vec![("category", "x".into())],
    }
}

fn full_client() -> EventClient<'static> {
    EventClient {
        ip: some("198.51.100.7"),
        port: None,
        forwarded: vec!["203.0.113.80".into()],
        country: some("Portugal"),
        country_code: Some("PT"),
        region: some("Porto"),
        city: some("Porto"),
        geo: some("41.15,-8.61"),
    }
}

/// The line that `event` becomes.
fn written(event: &Event<'_>) -> String {
    let record =
        Record { doc: Document::new(r#"{"a":1}"#.into()), id: None, time: None, position: None };
    let mut line = Vec::new();
    append(event, &record, &mut line);
    String::from_utf8(line).unwrap()
}

#[test]
fn the_schema_is_that_of_the_types() {
    let schema = ordered(&generated(), &written(&full()));
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(FILE, &text).unwrap();
        return;
    }
    let differs = text.lines().zip(SCHEMA_TEXT.lines()).find(|(ours, file)| ours != file);
    assert!(
        text == SCHEMA_TEXT,
        "{FILE} is not that of the types ({differs:?}); {UPDATE}=1 writes it again"
    );
}

/// All properties of `schema` are in `text`, and nothing else, all the way down. How many there
/// are.
fn agrees(schema: &Value, text: &str) -> usize {
    let schema = match schema.get("items") {
        Some(items) => items,
        None => schema,
    };
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return 0;
    };
    let members = ObjectMembers::of(text);
    let written: BTreeSet<_> = members.keys().into_iter().collect();
    let described: BTreeSet<_> = properties.keys().map(String::as_str).collect();
    assert_eq!(written, described);
    let below = properties.iter().map(|(key, part)| agrees(part, &members.get(key)));
    written.len() + below.sum::<usize>()
}

#[test]
fn every_property_is_written() {
    let schema = serde_json::from_str(SCHEMA_TEXT).unwrap();
    assert_eq!(agrees(&schema, &written(&full())), 52);
}

/// The fields of a struct, in the order of its declaration, by the names that events have.
fn fields(of: &dyn Debug) -> Vec<String> {
    let text = format!("{of:#?}");
    let name = |line: &str| {
        let (name, _) = line.strip_prefix("    ")?.split_once(": ")?;
        (!name.starts_with(' ')).then(|| name.to_owned())
    };
    let mut names: Vec<_> = text.lines().filter_map(name).collect();
    names.retain(|name| !["meaning", "summary", "login", "port"].contains(&name.as_str()));
    if let Some(kind) = names.iter_mut().find(|name| *name == "kind") {
        "type".clone_into(kind);
    }
    names
}

#[test]
fn keys_are_written_in_the_order_of_the_types() {
    let event = full();
    let line = ObjectMembers::of(&written(&event));
    assert_eq!(line.keys(), [fields(&event), vec!["raw".to_owned()]].concat());
    let actor = line.get("actor");
    let target = line.get("targets");
    let parts: [(String, &dyn Debug); 8] = [
        (line.get("source"), &event.source),
        (ObjectMembers::of(&actor).get("auth"), &event.actor.auth),
        (ObjectMembers::of(&actor).get("on_behalf_of"), &event.actor.on_behalf_of),
        (actor, &event.actor),
        (ObjectMembers::of(&target).get("parent"), &event.targets[0].parent),
        (target, &event.targets[0]),
        (line.get("changes"), &event.changes[0]),
        (line.get("client"), &event.client),
    ];
    for (text, part) in parts {
        assert_eq!(ObjectMembers::of(&text).keys(), fields(part));
    }
}

/// The words that a schema allows.
fn words(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array);
    let described = schema.get("oneOf").and_then(Value::as_array);
    let words = listed.into_iter().flatten().map(|word| word.as_str());
    let described = described.into_iter().flatten();
    words.chain(described.map(|word| word["const"].as_str())).map(Option::unwrap).collect()
}

#[test]
fn the_enums_list_the_written_words() {
    let schema: Value = serde_json::from_str(SCHEMA_TEXT).unwrap();
    let schema = &schema["properties"];
    let categories = [
        Category::Authentication,
        Category::Account,
        Category::Group,
        Category::Permission,
        Category::Token,
        Category::App,
        Category::Policy,
        Category::Content,
        Category::Configuration,
        Category::DataExport,
        Category::Other,
    ];
    let outcomes = [Outcome::Success, Outcome::Failure, Outcome::Unknown];
    let actors = [ActorKind::User, ActorKind::App, ActorKind::System, ActorKind::Anonymous];
    assert_eq!(words(&schema["category"]), categories.map(Category::as_str));
    assert_eq!(words(&schema["outcome"]), outcomes.map(Outcome::as_str));
    let actor = &schema["actor"]["properties"]["type"];
    assert_eq!(words(actor), actors.map(ActorKind::as_str));
    let source = &schema["source"]["properties"]["type"];
    assert_eq!(words(source), SourceKind::ALL.map(SourceKind::as_str));
}

#[test]
fn invalid_events_are_rejected() {
    let schema = serde_json::from_str(SCHEMA_TEXT).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let event: Value = serde_json::from_str(&written(&full())).unwrap();
    validator.validate(&event).unwrap();
    for (place, value) in [
        ("/schema", json!("atlaudit/2")),
        ("/id", json!("1")),
        ("/source/type", json!("trello")),
        ("/source/more", json!(1)),
        ("/time", json!("2026-11-20T09:30:00Z")),
        ("/time", Value::Null),
        ("/category", json!("fun")),
        ("/outcome", json!("maybe")),
        ("/message", json!("")),
        ("/message", Value::Null),
        ("/actor", json!({})),
        ("/actor/type", json!("robot")),
        ("/actor/type", Value::Null),
        ("/actor/email", json!("ada")),
        ("/actor/auth/token", json!("secret")),
        ("/targets", json!([])),
        ("/targets", json!([{}])),
        ("/changes/0/from", json!(1)),
        ("/client/ip", json!("")),
        ("/client/ip", json!("198.51.100.9, 203.0.113.80")),
        ("/client/forwarded", json!([])),
        ("/client/forwarded", json!(["unknown"])),
        ("/labels", json!({})),
        ("/labels/category", json!("")),
        ("/labels/category", json!(1)),
        ("/more", json!(1)),
    ] {
        let mut other = event.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        let parent = other.pointer_mut(parent).unwrap();
        parent[key.to_owned()] = value;
        assert!(!validator.is_valid(&other), "{place}: {other}");
    }
    for key in schema["required"].as_array().unwrap() {
        let mut other = event.clone();
        other.as_object_mut().unwrap().remove(key.as_str().unwrap());
        assert!(!validator.is_valid(&other), "without {key}");
    }
    // The least that there can be is the required.
    let mut least = event.as_object().unwrap().clone();
    let required = schema["required"].as_array().unwrap();
    least.retain(|key, _| required.iter().any(|known| known == key));
    least["source"] = json!({"name": "acme", "type": "org-events"});
    validator.validate(&least.into()).unwrap();
}
