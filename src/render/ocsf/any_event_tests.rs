//! Tests any event: it is right by the rules, and nothing of it is lost.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::OcsfVersion;
use super::attributes;
use super::sample_events_tests::{line, minimal_event, text};
use super::schema_rules_tests::faults;
use crate::columnar::TableSet;
use crate::config::settings::OutputFormat;
use crate::model::event::{
    ActorAuth, ActorKind, Event, EventActor, EventClient, EventTarget, EventText, FieldChange,
    RelatedPerson, TargetParent,
};
use crate::model::json::write::object;
use crate::model::meaning::{Deed, OcsfClass, Outcome};
use crate::model::name::SourceKind;
use crate::model::time::parse_api_time;

/// Texts that mean something to the mapping, beside any.
const TEXTS: &[&str] = &[
    "u1",
    "Ada \"the\" first\n",
    "ada@example.com",
    "a@b",
    "é@b.c",
    "198.51.100.7",
    "unknown",
    "host.example",
    "Netherlands",
    "NL",
    "Type",
    "Users",
    "permission",
    "jira",
    "\u{0}",
];

const KINDS: &[&str] = &[
    "user",
    "group",
    "organization",
    "site",
    "product",
    "policy",
    "x_policy",
    "role",
    "permission",
    "page",
    "app",
    "plugin",
    "project_role",
    "api_token",
    "User",
    "",
];

/// The codes of some countries.
fn country_code(text: &str) -> Option<&'static str> {
    matches!(text, "Netherlands" | "NL").then_some("NL")
}

fn any_text() -> impl Strategy<Value = Option<EventText<'static>>> {
    prop_oneof![
        2 => Just(None),
        4 => select(TEXTS).prop_map(text),
        1 => any::<String>().prop_map(|any| text(&any)),
    ]
}

fn target() -> impl Strategy<Value = EventTarget<'static>> {
    let texts = (select(KINDS), any_text(), any_text(), any_text(), any_text(), any_text());
    texts.prop_map(|(kind, id, name, email, url, parent)| EventTarget {
        kind: text(kind),
        id,
        name,
        login: None,
        email,
        url,
        parent: TargetParent { id: parent, name: None },
    })
}

fn change() -> impl Strategy<Value = FieldChange<'static>> {
    (any_text(), any_text(), any_text()).prop_map(|(field, from, to)| FieldChange {
        field,
        from,
        to,
    })
}

fn actor() -> impl Strategy<Value = EventActor<'static>> {
    const ACTORS: &[ActorKind] =
        &[ActorKind::User, ActorKind::App, ActorKind::System, ActorKind::Anonymous];
    let person = (any_text(), any_text(), any_text());
    let auth = (any_text(), any_text(), any_text());
    (prop::option::of(select(ACTORS)), person, auth, any_text()).prop_map(
        |(kind, (id, name, email), (auth, token_id, token_label), behalf)| EventActor {
            kind,
            id,
            name,
            login: None,
            email,
            auth: ActorAuth { kind: auth, token_id, token_label },
            on_behalf_of: RelatedPerson { id: behalf, ..RelatedPerson::default() },
        },
    )
}

fn ip() -> impl Strategy<Value = EventText<'static>> {
    let any = any::<std::net::IpAddr>().prop_map(|ip| EventText::Owned(ip.to_string()));
    prop_oneof![Just(EventText::Borrowed("198.51.100.7")), any]
}

fn client() -> impl Strategy<Value = EventClient<'static>> {
    let ips = (prop::option::of(ip()), any::<Option<u16>>(), prop::collection::vec(ip(), 0..3));
    let texts = (any_text(), any_text(), any_text(), any_text());
    (ips, texts).prop_map(|((ip, port, forwarded), (country, region, city, geo))| EventClient {
        ip,
        port,
        forwarded,
        // As a source of records would fill it.
        country_code: country.as_deref().and_then(country_code),
        country,
        region,
        city,
        geo,
    })
}

fn event() -> impl Strategy<Value = Event<'static>> {
    let what = (
        select(OcsfClass::ALL),
        select(Deed::ALL),
        select(&SourceKind::ALL[..]),
        select(&[Outcome::Success, Outcome::Failure, Outcome::Unknown][..]),
    );
    let when = (any::<bool>(), any::<bool>());
    let of = (
        prop::option::of(Just("org-1")),
        prop::option::of(select(&["acme.example", "10.0.0.1:80/x", "[::1", "/"][..])),
    );
    let lists = (prop::collection::vec(target(), 0..6), prop::collection::vec(change(), 0..3));
    let texts = (any_text(), any_text(), any_text(), any_text());
    (what, when, of, texts, actor(), client(), lists).prop_map(
        |((class, deed, kind, outcome), when, (org_id, site), texts, actor, client, lists)| {
            let mut event = minimal_event(class, deed);
            event.source.kind = kind;
            (event.source.org_id, event.source.site) = (org_id, site);
            event.outcome = outcome;
            event.time = event.time.filter(|_| when.0);
            event.processed_time = parse_api_time("2026-11-20T09:30:01Z").filter(|_| when.1);
            let (action, message, product, app) = texts;
            event.action = action.unwrap_or(EventText::Borrowed("done"));
            (event.message, event.product) = (message, product);
            event.summary = event.message.clone();
            event.labels.extend(app.clone().map(|app| ("actorApp", app)));
            event.labels.extend(app.map(|app| ("node", app)));
            (event.actor, event.client) = (actor, client);
            (event.targets, event.changes) = lists;
            event
        },
    )
}

/// All texts in `value`.
fn leaves<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(list) => list.iter().for_each(|value| leaves(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| leaves(value, found)),
        _ => {}
    }
}

/// What a normalized event says that the line does not.
fn lost(event: &Event<'_>, line: &Value) -> Vec<String> {
    let mut text = Vec::new();
    object(&mut text, |out| event.write(out));
    let mut wanted: Value = serde_json::from_slice(&text).unwrap();
    for key in ["schema", "time", "processed_time", "observed_time", "outcome", "product"] {
        wanted.as_object_mut().unwrap().remove(key);
    }
    // What a thing is may be said by the attribute that it stands in.
    let targets = wanted["targets"].as_array_mut();
    targets.into_iter().flatten().for_each(|target| {
        let words = ["user", "group", "organization", "policy", "app"];
        if words.iter().any(|word| target["type"] == *word) {
            target.as_object_mut().unwrap().remove("type");
        }
    });
    let (mut said, mut has) = (Vec::new(), Vec::new());
    leaves(&wanted, &mut said);
    let mut line = line.clone();
    line.as_object_mut().unwrap().remove("raw_data");
    leaves(&line, &mut has);
    let has_it = |text: &str| {
        let is_known = |known: &&str| {
            let is_type = known.eq_ignore_ascii_case(text) || *known == "Service" && text == "app";
            *known == text || is_type || Some(*known) == country_code(text)
        };
        has.iter().any(is_known)
    };
    let missing = said.into_iter().filter(|text| !has_it(text));
    missing.map(str::to_owned).collect()
}

/// Each key of a line has its column, also where the file is of one class.
fn fits_the_table(format: OutputFormat, line: &[u8]) {
    for template in ["x", "{ocsf_class}"] {
        let mut tables = TableSet::new(format, template.to_owned()).unwrap();
        tables.push(line).unwrap();
        tables.write_files(|_| Ok(Vec::new()), |_| Ok(())).unwrap();
    }
}

const FORMATS: [(OcsfVersion, OutputFormat); 2] =
    [(OcsfVersion::V1_3, OutputFormat::Ocsf13), (OcsfVersion::V1_8, OutputFormat::Ocsf)];

proptest! {
    #[test]
    fn any_event_is_valid_and_complete(event in event(), raw in any::<String>()) {
        let raw = serde_json::to_string(&raw).unwrap();
        for (version, format) in FORMATS {
            let line = line(version, &event, &raw);
            prop_assert!(!line.contains(['\n', '\r']));
            let value: Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(faults(&value), Vec::<String>::new(), "{}", line);
            prop_assert_eq!(&value["raw_data"], &raw);
            prop_assert_eq!(&value["metadata"]["product"]["name"], attributes::product(&event));
            prop_assert_eq!(lost(&event, &value), Vec::<String>::new(), "{}", line);
            fits_the_table(format, line.as_bytes());
            observables_are_there_once(&value)?;
        }
        let mut normalized = Vec::new();
        object(&mut normalized, |out| {
            event.write(out);
            out.json("raw", raw.as_bytes());
        });
        fits_the_table(OutputFormat::Normalized, &normalized);
    }
}

fn observables_are_there_once(value: &Value) -> Result<(), TestCaseError> {
    let mut seen = std::collections::HashSet::new();
    for one in value["observables"].as_array().into_iter().flatten() {
        let key = format!("{} {}", one["type_id"], one["value"]);
        prop_assert!(seen.insert(key));
        prop_assert!(at(value, one["name"].as_str().unwrap()).contains(&&one["value"]), "{one}");
    }
    Ok(())
}

/// The values at a dotted path.
fn at<'v>(value: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![value];
    for step in path.split('.') {
        let (key, is_list) = match step.strip_suffix("[]") {
            Some(key) => (key, true),
            None => (step, false),
        };
        found = found.into_iter().map(|value| &value[key]).collect();
        if is_list {
            found = found.into_iter().filter_map(Value::as_array).flatten().collect();
        }
    }
    found
}
