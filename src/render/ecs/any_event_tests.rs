//! Tests what must hold of the document of any event.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;

use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::tests::{RAW, blank, line, text};
use crate::model::event::{
    ActorAuth, ActorKind, Event, EventActor, EventClient, EventSource, EventTarget, EventText,
    FieldChange, RelatedPerson, TargetParent,
};
use crate::model::json::write::object;
use crate::model::meaning::{ActionMeaning, Deed, UNKNOWN_MEANING};
use crate::model::name::SourceKind;
use crate::model::time::Timestamp;

/// Texts as records have them: some are alike, some odd, some long.
fn any_text() -> impl Strategy<Value = EventText<'static>> {
    const KNOWN: &[&str] = &[
        "a",
        "B",
        "1.2.3.4",
        "1.2.3.4:80",
        "::1",
        "a@b",
        "org-1",
        "\"\\",
        "{",
        "[",
        "\n",
        "é.x",
        "Email",
        "Full name",
    ];
    prop_oneof![
        8 => prop::sample::select(KNOWN).prop_map(Cow::Borrowed),
        1 => any::<String>().prop_filter("empty", |text| !text.is_empty()).prop_map(Cow::Owned),
        1 => (1_usize..40).prop_map(|n| Cow::Owned("\u{7f}\"x".repeat(n * n))),
    ]
}

fn maybe() -> impl Strategy<Value = Option<EventText<'static>>> {
    option::of(any_text())
}

fn any_target() -> impl Strategy<Value = EventTarget<'static>> {
    let kind = prop_oneof![
        prop::sample::select(&["user", "group", "organization", "space"][..]).prop_map(text),
        maybe(),
    ];
    let parent = (maybe(), maybe()).prop_map(|(id, name)| TargetParent { id, name });
    (kind, maybe(), maybe(), maybe(), maybe(), maybe(), parent).prop_map(
        |(kind, id, name, login, email, url, parent)| EventTarget {
            kind,
            id,
            // Who has a login has a name.
            login: name.as_ref().and(login),
            name,
            email,
            url,
            parent,
        },
    )
}

/// A name that is a login as well.
const LOGIN: &str = "the login";

fn any_actor() -> impl Strategy<Value = EventActor<'static>> {
    const KINDS: &[ActorKind] =
        &[ActorKind::User, ActorKind::App, ActorKind::System, ActorKind::Anonymous];
    let kind = option::of(prop::sample::select(KINDS));
    let three = || (maybe(), maybe(), maybe());
    let login = option::of(Just(LOGIN).prop_map(text));
    (kind, three(), login, three(), three()).prop_map(|(kind, own, login, auth, behalf)| {
        EventActor {
            kind,
            id: own.0,
            name: login.clone().unwrap_or(own.1),
            login: login.flatten(),
            email: own.2,
            auth: ActorAuth { kind: auth.0, token_id: auth.1, token_label: auth.2 },
            on_behalf_of: RelatedPerson { id: behalf.0, name: behalf.1, email: behalf.2 },
        }
    })
}

/// The address of a client and those of proxies.
fn any_ips() -> impl Strategy<Value = (Option<EventText<'static>>, Vec<EventText<'static>>)> {
    let ip = || {
        let any = any::<IpAddr>().prop_map(|ip| Cow::Owned(ip.to_string()));
        prop_oneof![Just(Cow::Borrowed("1.2.3.4")), any]
    };
    (option::of(ip()), prop::collection::vec(ip(), 0..3))
}

fn any_event() -> impl Strategy<Value = Event<'static>> {
    let time = || {
        option::of(
            (0_i64..4_000_000_000_000).prop_map(|ms| Timestamp::from_timestamp_millis(ms).unwrap()),
        )
    };
    let change =
        (maybe(), maybe(), maybe()).prop_map(|(field, from, to)| FieldChange { field, from, to });
    let texts = (maybe(), maybe(), any_text(), prop::collection::vec(any_text(), 5));
    let lists = (
        prop::collection::vec(any_target(), 0..12)
            .prop_map(|list| list.into_iter().filter(|it| *it != EventTarget::default())),
        prop::collection::vec(change, 0..6)
            .prop_map(|list| list.into_iter().filter(|it| *it != FieldChange::default())),
        (any_ips(), maybe(), maybe(), maybe(), maybe()),
    );
    let words = (
        prop::sample::select(&SourceKind::ALL[..]),
        option::of(Just("org-1")),
        option::of(prop::sample::select(&["a.example", "b:80/x"][..])),
        prop::sample::select(Deed::ALL),
        option::of(any_text()),
    );
    (texts, lists, words, any_actor(), (time(), time())).prop_map(
        |(texts, lists, words, actor, times)| Event {
            source: EventSource {
                name: "acme",
                kind: words.0,
                org_id: words.1,
                site: words.2,
                workspace: None,
            },
            time: times.0,
            processed_time: times.1,
            action: texts.2,
            message: texts.0,
            product: texts.1,
            meaning: ActionMeaning { deed: words.3, ..UNKNOWN_MEANING },
            actor,
            targets: lists.0.collect(),
            changes: lists.1.collect(),
            client: EventClient {
                ip: lists.2.0.0,
                port: None,
                forwarded: lists.2.0.1,
                country_code: lists.2.1.as_ref().map(|_| "NL"),
                country: lists.2.1,
                region: lists.2.2,
                city: lists.2.3,
                geo: lists.2.4,
            },
            labels: words.4.map(|text| ("category", text)).into_iter().collect(),
            ..blank()
        },
    )
}

/// The normalized event, made again from a document; `original_failure` aside.
fn normalized(ecs: &Value) -> Value {
    let rest = &ecs["atlassian"];
    let mut made = Map::new();
    let mut put = |key: &str, value: &Value| {
        if !value.is_null() {
            made.insert(key.to_owned(), value.clone());
        }
    };
    for key in ["schema", "source", "processed_time", "category", "product", "targets", "changes"] {
        put(key, &rest[key]);
    }
    for key in ["id", "action", "outcome"] {
        put(key, &ecs["event"][key]);
    }
    put("message", &ecs["message"]);
    put("labels", &ecs["labels"]);
    put("observed_time", &ecs["event"]["ingested"]);
    if rest["timestamp"].is_null() {
        put("time", &ecs["@timestamp"]);
    }
    put("actor", &actor(ecs));
    put("client", &client(ecs));
    Value::Object(made)
}

/// An object of what is known; nothing where nothing is.
fn known(fields: &[(&str, &Value)]) -> Value {
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    let map: Map<_, _> = known.map(|&(key, value)| (key.to_owned(), value.clone())).collect();
    if map.is_empty() { Value::Null } else { Value::Object(map) }
}

fn actor(ecs: &Value) -> Value {
    let (user, rest) = (&ecs["user"], &ecs["atlassian"]["actor"]);
    let behalf = &user["effective"];
    known(&[
        ("type", &rest["type"]),
        ("id", &user["id"]),
        ("name", if user["name"] == LOGIN { &user["name"] } else { &user["full_name"] }),
        ("email", &user["email"]),
        ("auth", &rest["auth"]),
        (
            "on_behalf_of",
            &known(&[
                ("id", &behalf["id"]),
                ("name", &behalf["full_name"]),
                ("email", &behalf["email"]),
            ]),
        ),
    ])
}

fn client(ecs: &Value) -> Value {
    let (source, geo) = (&ecs["source"], &ecs["source"]["geo"]);
    known(&[
        ("ip", &source["ip"]),
        ("forwarded", &ecs["atlassian"]["client"]["forwarded"]),
        ("country", &geo["country_name"]),
        ("country_code", &geo["country_iso_code"]),
        ("region", &geo["region_name"]),
        ("city", &geo["city_name"]),
        ("geo", &ecs["atlassian"]["client"]["geo"]),
    ])
}

fn nothing_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty() && list.iter().all(nothing_empty),
        Value::Object(fields) => !fields.is_empty() && fields.values().all(nothing_empty),
        _ => false,
    }
}

proptest! {
    #[test]
    fn any_event_is_complete_and_valid(event in any_event()) {
        let line = line(&event);
        prop_assert!(!line.contains(&b'\n'));
        let got: Value = serde_json::from_slice(&line).unwrap();
        prop_assert!(nothing_empty(&got), "{}", got);
        prop_assert_eq!(&got["event"]["original"], RAW);
        let mut want = Vec::new();
        object(&mut want, |out| event.write(out));
        let want: Value = serde_json::from_slice(&want).unwrap();
        prop_assert_eq!(normalized(&got), want);
        if let Some(ip) = got["source"]["ip"].as_str() {
            prop_assert!(ip.parse::<IpAddr>().is_ok());
            prop_assert_eq!(&got["related"]["ip"][0], ip);
        }
        for list in got.get("related").and_then(Value::as_object).into_iter().flat_map(Map::values) {
            let list = list.as_array().unwrap();
            prop_assert_eq!(list.iter().collect::<HashSet<_>>().len(), list.len());
        }
        let known: HashSet<&Value> = got["related"]["user"].as_array().into_iter().flatten().collect();
        for user in ["", "/effective", "/target", "/changes"] {
            if user.is_empty() && event.actor.kind == Some(ActorKind::System) {
                continue;
            }
            let user = got.pointer(&format!("/user{user}")).and_then(Value::as_object);
            let texts = user.into_iter().flat_map(Map::values).filter(|value| value.is_string());
            for text in texts {
                prop_assert!(known.contains(text), "{}", text);
            }
        }
    }
}
