//! Tests the documents of events that are composed by hand.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::model::event::{
    ActorAuth, ActorKind, Event, EventActor, EventClient, EventSource, EventTarget, EventText,
    FieldChange, REMOTE_ADDRESS, RelatedPerson, SCHEMA,
};
use crate::model::json::Document;
use crate::model::meaning::{ActionMeaning, Category, Deed, EcsKind, Outcome, UNKNOWN_MEANING};
use crate::model::name::SourceKind;
use crate::model::record::Record;
use crate::model::time::{Timestamp, parse_api_time};

fn at(text: &str) -> Timestamp {
    parse_api_time(text).unwrap()
}

pub fn text(text: &'static str) -> Option<EventText<'static>> {
    Some(Cow::Borrowed(text))
}

fn target(kind: &'static str, id: &'static str, name: &'static str) -> EventTarget<'static> {
    EventTarget { kind: text(kind), id: text(id), name: text(name), ..EventTarget::default() }
}

fn change(
    field: &'static str,
    from: Option<EventText<'static>>,
    to: &'static str,
) -> FieldChange<'static> {
    FieldChange { field: text(field), from, to: text(to) }
}

/// An event of which nothing is known.
pub fn blank() -> Event<'static> {
    Event {
        schema: SCHEMA,
        id: "org:1".to_owned(),
        source: EventSource {
            name: "acme",
            kind: SourceKind::OrgEvents,
            org_id: None,
            site: None,
            workspace: None,
        },
        time: None,
        processed_time: None,
        observed_time: at("2026-11-21T00:00:00Z"),
        action: Cow::Borrowed("user_login"),
        category: Category::Other,
        outcome: Outcome::Unknown,
        meaning: UNKNOWN_MEANING,
        message: None,
        summary: None,
        product: None,
        actor: EventActor::default(),
        targets: Vec::new(),
        changes: Vec::new(),
        client: EventClient::default(),
        labels: Vec::new(),
    }
}

pub const RAW: &str = r#"{"id":"1","n":1.10,"t":"\"é\\"}"#;

pub fn line(event: &Event<'_>) -> Vec<u8> {
    let record = Record { doc: Document::new(RAW.into()), id: None, time: None, position: None };
    let mut out = Vec::new();
    super::append(event, &record, &mut out);
    out
}

fn ecs(event: &Event<'_>) -> Value {
    serde_json::from_slice(&line(event)).unwrap()
}

#[test]
fn an_event_of_which_nothing_is_known() {
    let want = json!({
        "@timestamp": "2026-11-21T00:00:00.000Z",
        "ecs": {"version": "9.4.0"},
        "event": {"kind": "event", "id": "org:1", "action": "user_login", "outcome": "unknown",
            "created": "2026-11-21T00:00:00.000Z", "ingested": "2026-11-21T00:00:00.000Z",
            "module": "atlassian", "dataset": "atlassian.org_events", "original": RAW},
        "observer": {"vendor": "Atlassian", "type": "saas",
            "product": "Atlassian Administration", "name": "acme"},
        "atlassian": {"schema": "atlaudit/1", "source": {"name": "acme", "type": "org-events"},
            "timestamp": "observed_time", "category": "other"}
    });
    assert_eq!(ecs(&blank()), want);
}

fn actor() -> EventActor<'static> {
    let person =
        |id, name, email| RelatedPerson { id: text(id), name: text(name), email: text(email) };
    EventActor {
        kind: Some(ActorKind::User),
        id: text("712020:a1"),
        name: text("Ada"),
        login: None,
        email: text("ada@example.com"),
        auth: ActorAuth { kind: text("api-token"), token_id: text("t1"), token_label: text("ci") },
        on_behalf_of: person("712020:b2", "Cy", "cy@example.com"),
    }
}

fn full() -> Event<'static> {
    Event {
        source: EventSource {
            org_id: Some("org-1"),
            site: Some("jira.example:8080/jira"),
            ..blank().source
        },
        time: Some(at("2026-11-20T09:30:00Z")),
        processed_time: Some(at("2026-11-20T09:30:01.412Z")),
        action: Cow::Borrowed("user_added_to_group"),
        category: Category::Group,
        outcome: Outcome::Success,
        meaning: ActionMeaning {
            ecs: EcsKind {
                categories: [Some("iam"), None],
                types: [Some("user"), Some("change"), None],
            },
            deed: Deed::AddUser,
            ..UNKNOWN_MEANING
        },
        message: text("Added Bo to admins"),
        product: text("jira"),
        actor: actor(),
        targets: vec![
            EventTarget { email: text("bo@example.com"), ..target("user", "712020:9c", "Bo") },
            target("user", "712020:a1", "Ada"),
            target("group", "g1", "admins"),
            target("organization", "org-2", "Other"),
            target("organization", "org-1", "Acme"),
        ],
        client: EventClient {
            ip: text("198.51.100.7"),
            port: Some(5678),
            forwarded: vec![Cow::Borrowed("203.0.113.80"), Cow::Borrowed("198.51.100.7")],
            country: text("Exampleland"),
            country_code: Some("XX"),
            region: text("North"),
            city: text("Town"),
            geo: text("EU"),
        },
        labels: vec![("category", Cow::Borrowed("x")), ("method", Cow::Borrowed("y"))],
        ..blank()
    }
}

#[test]
fn a_full_event() {
    let mut got = ecs(&full());
    let rest = got["atlassian"].take();
    let want = json!({
        "@timestamp": "2026-11-20T09:30:00.000Z",
        "ecs": {"version": "9.4.0"},
        "message": "Added Bo to admins",
        "labels": {"category": "x", "method": "y"},
        "event": {"kind": "event", "id": "org:1", "action": "user_added_to_group",
            "category": ["iam"], "type": ["user", "change"], "outcome": "success",
            "created": "2026-11-20T09:30:01.412Z", "ingested": "2026-11-21T00:00:00.000Z",
            "module": "atlassian", "dataset": "atlassian.org_events", "provider": "jira", "original": RAW},
        "user": {"id": "712020:a1", "name": "ada@example.com", "full_name": "Ada", "email": "ada@example.com",
            "effective": {"id": "712020:b2", "name": "cy@example.com", "full_name": "Cy", "email": "cy@example.com"},
            "target": {"id": "712020:9c", "name": "bo@example.com", "full_name": "Bo", "email": "bo@example.com",
                "group": {"id": "g1", "name": "admins"}}},
        "group": {"id": "g1", "name": "admins"},
        "source": {"address": "198.51.100.7", "ip": "198.51.100.7", "port": 5678,
            "geo": {"country_name": "Exampleland", "country_iso_code": "XX", "region_name": "North", "city_name": "Town"}},
        "organization": {"id": "org-1", "name": "Acme"},
        "observer": {"vendor": "Atlassian", "type": "saas", "product": "jira", "name": "acme", "hostname": "jira.example"},
        "related": {
            "user": ["712020:a1", "Ada", "ada@example.com", "712020:b2", "Cy", "cy@example.com",
                "712020:9c", "Bo", "bo@example.com"],
            "ip": ["198.51.100.7", "203.0.113.80"], "hosts": ["jira.example"]},
        "atlassian": null
    });
    assert_eq!(got, want);
    let client = json!({"forwarded": ["203.0.113.80", "198.51.100.7"], "geo": "EU"});
    assert_eq!(rest["client"], client);
    assert_eq!(rest["targets"].as_array().unwrap().len(), 5);
    assert_eq!(rest.get("timestamp"), None);
}

#[test]
fn categories_and_types_are_written_in_their_order() {
    let ecs_kind = EcsKind {
        categories: [Some("iam"), Some("session")],
        types: [None, Some("user"), Some("info")],
    };
    let meaning = ActionMeaning { ecs: ecs_kind, ..UNKNOWN_MEANING };
    let event = &ecs(&Event { meaning, ..blank() })["event"];
    assert_eq!(event["category"], json!(["iam", "session"]));
    assert_eq!(event["type"], json!(["user", "info"]));
}

#[test]
fn a_time_that_is_another_one_says_so() {
    let second_and_word = |time, processed_time| {
        let got = ecs(&Event { time, processed_time, ..blank() });
        let second = got["@timestamp"].as_str().unwrap()[17..19].to_owned();
        (second, got["atlassian"].get("timestamp").cloned())
    };
    let [time, processed] = ["09", "10"].map(|s| Some(at(&format!("2026-11-20T09:30:{s}Z"))));
    assert_eq!(second_and_word(time, processed), ("09".to_owned(), None));
    assert_eq!(second_and_word(time, None), ("09".to_owned(), None));
    let processed_time = Some(json!("processed_time"));
    assert_eq!(second_and_word(None, processed), ("10".to_owned(), processed_time));
    let observed_time = Some(json!("observed_time"));
    assert_eq!(second_and_word(None, None), ("00".to_owned(), observed_time));
}

#[test]
fn the_address_is_what_the_source_writes() {
    let mut event = blank();
    event.labels = vec![(REMOTE_ADDRESS, Cow::Borrowed("host.example"))];
    assert_eq!(ecs(&event)["source"], json!({"address": "host.example"}));
    event.client.forwarded = vec![Cow::Borrowed("203.0.113.80")];
    assert_eq!(ecs(&event)["related"], json!({"ip": ["203.0.113.80"]}));
}

#[test]
fn hosts_of_sites() {
    for (site, want) in [
        ("acme.example", Some("acme.example")),
        ("acme.example:8443/x/y", Some("acme.example")),
        ("acme.example/x:1", Some("acme.example")),
        ("[::1]:8080/x", Some("::1")),
        ("/x", None),
    ] {
        let mut event = blank();
        event.source.site = Some(site);
        let got = ecs(&event);
        assert_eq!(got["observer"].get("hostname").and_then(Value::as_str), want);
        assert_eq!(got.get("related").cloned(), want.map(|host| json!({"hosts": [host]})));
        assert_eq!(got["atlassian"]["source"]["site"], site);
    }
}

#[test]
fn what_is_new_about_a_user() {
    let changed = |kind, deed, changes: &[FieldChange<'static>]| {
        let event = Event {
            meaning: ActionMeaning { deed, ..UNKNOWN_MEANING },
            // The changes are the first one's.
            targets: vec![target(kind, "u", "U"), target("user", "v", "V")],
            changes: changes.to_vec(),
            ..blank()
        };
        let got = ecs(&event);
        (got["user"].get("changes").cloned(), got["related"]["user"].clone())
    };
    let all = [
        change("Full name", text("A"), "B"),
        change("fullName", text("B"), "C"),
        change("E-mail", None, "b@example.com"),
        change("Username", text("same"), "same"),
        change("login_name", text("a"), "b"),
        change("Active", text("Yes"), "No"),
        change("é", text("Yes"), "No"),
    ];
    let changes = json!({"name": "b", "full_name": "B", "email": "b@example.com"});
    assert_eq!(
        changed("user", Deed::Update, &all),
        (Some(changes), json!(["u", "U", "v", "V", "B", "b@example.com", "b"]))
    );
    for (kind, deed) in [("space", Deed::Update), ("user", Deed::Create), ("user", Deed::Delete)] {
        assert_eq!(changed(kind, deed, &all).0, None, "{kind} {deed:?}");
    }
    assert_eq!(changed("user", Deed::Update, &all[3..4]).0, None);
}

#[test]
fn a_user_that_begins_is_as_it_is() {
    let event = |deed, kind| {
        let changes = [("Email", "u@example.com"), ("Username", "u1"), ("Full name", "V")];
        let mut event = blank();
        event.meaning.deed = deed;
        event.targets = vec![target(kind, "u", "U")];
        event.changes = changes.map(|(field, to)| change(field, None, to)).into();
        ecs(&event)
    };
    let got = event(Deed::Create, "user");
    let want = json!({"id": "u", "name": "u1", "full_name": "U", "email": "u@example.com"});
    assert_eq!(got["user"], json!({"target": want}));
    assert_eq!(got["related"]["user"], json!(["u", "U", "u@example.com", "u1"]));
    let got = event(Deed::Delete, "user");
    assert_eq!(got["user"], json!({"target": {"id": "u", "full_name": "U"}}));
    assert_eq!(event(Deed::Create, "space").get("user"), None);
}

#[test]
fn a_group_is_the_targets_only_of_a_membership() {
    let mut event = full();
    event.meaning.deed = Deed::Delete;
    let got = ecs(&event);
    assert_eq!(got["group"]["id"], "g1");
    assert_eq!(got["user"]["target"].get("group"), None);
    event.meaning.deed = Deed::RemoveUser;
    assert_eq!(ecs(&event)["user"]["target"]["group"], got["group"]);
    event.targets.retain(|target| target.kind.as_deref() == Some("group"));
    assert_eq!(ecs(&event)["user"].get("target"), None);
}

#[test]
fn thousands_of_targets_and_texts_that_repeat() {
    let mut event = blank();
    event.targets = (0..100_000)
        .map(|n| EventTarget {
            kind: text("user"),
            id: Some(format!("{}", n % 50_000).into()),
            name: Some(format!("{}", n % 50_000).into()),
            ..EventTarget::default()
        })
        .collect();
    let got = ecs(&event);
    let want: Vec<_> = (0..50_000).map(|n| n.to_string()).collect();
    assert_eq!(got["related"]["user"], json!(want));
    assert_eq!(got["atlassian"]["targets"].as_array().unwrap().len(), 100_000);
}

#[test]
fn the_url_is_that_of_the_content_that_was_acted_on() {
    let with_url = |kind: &'static str, url: &'static str| EventTarget {
        url: text(url),
        ..target(kind, "1", "x")
    };
    let mut event = blank();
    event.targets = vec![
        with_url("user", "https://acme.example/people/1"),
        target("page", "1", "x"),
        with_url("issue", "https://acme.example/browse/OPS-7"),
        with_url("issue", "https://acme.example/browse/OPS-8"),
    ];
    let got = ecs(&event);
    assert_eq!(got["url"], json!({"full": "https://acme.example/browse/OPS-7"}));
    assert_eq!(got["atlassian"]["targets"][0]["url"], "https://acme.example/people/1");
    event.targets.truncate(2);
    assert_eq!(ecs(&event).get("url"), None);
}

#[test]
fn a_login_is_the_name_and_a_name_that_is_one_is_no_full_name() {
    let user = |name, login, email| {
        let mut event = blank();
        event.actor = EventActor { name, login, email, ..EventActor::default() };
        let mut bo = target("user", "u", "Bo");
        bo.login = text("bo.b");
        event.targets = vec![bo];
        ecs(&event)
    };
    let got = user(text("Ada Example"), text("ada"), text("ada@example.com"));
    let bo = json!({"id": "u", "name": "bo.b", "full_name": "Bo"});
    let mut want = json!({"name": "ada", "full_name": "Ada Example", "email": "ada@example.com"});
    want["target"] = bo.clone();
    assert_eq!(got["user"], want);
    let related = ["Ada Example", "ada@example.com", "ada", "u", "Bo", "bo.b"];
    assert_eq!(got["related"]["user"], json!(related));
    let got = user(text("ada"), text("ada"), None);
    assert_eq!(got["user"], json!({"name": "ada", "target": bo}));
}

#[test]
fn a_system_is_related_to_nobody() {
    let related = |kind| {
        let mut event = blank();
        event.actor = EventActor { kind, ..actor() };
        ecs(&event)["related"]["user"].clone()
    };
    let behalf = ["712020:b2", "Cy", "cy@example.com"];
    assert_eq!(related(Some(ActorKind::System)), json!(behalf));
    let all = [&["712020:a1", "Ada", "ada@example.com"][..], &behalf].concat();
    for kind in [Some(ActorKind::User), Some(ActorKind::App), None] {
        assert_eq!(related(kind), json!(all), "{kind:?}");
    }
}

#[test]
fn the_observer_is_a_service_or_a_server_and_always_a_product() {
    let observer = |kind, product| {
        let mut event = blank();
        event.source.kind = kind;
        event.product = product;
        let observer = &ecs(&event)["observer"];
        ["type", "product"].map(|key| observer[key].as_str().unwrap().to_owned())
    };
    use SourceKind::*;
    assert_eq!(observer(JiraAudit, text("jira")), ["saas", "jira"]);
    assert_eq!(observer(OrgEvents, None), ["saas", "Atlassian Administration"]);
    let organization = observer(OrgEvents, text("organization"));
    assert_eq!(organization, ["saas", "Atlassian Administration"]);
    assert_eq!(observer(WorkspaceEvents, None), ["saas", "Atlassian Cloud"]);
    assert_eq!(observer(DatacenterAudit, None), ["application", "Atlassian Data Center"]);
}
