//! Completeness: what the sandbox serves is written, each once, in order, in the shape of the
//! contract.

use std::collections::BTreeMap;

use atlaudit::sandbox::Api;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::{Run, Site, assert_lines_valid, each_once, jira_ids, keys, org_ids};

/// Section 4 of the contract: the keys of an event, and of its parts, in their order.
const KEYS: [(&str, &[&str]); 5] = [
    (
        "",
        &[
            "schema",
            "id",
            "source",
            "time",
            "processed_time",
            "observed_time",
            "action",
            "category",
            "outcome",
            "message",
            "product",
            "actor",
            "targets",
            "changes",
            "client",
            "labels",
            "raw",
        ],
    ),
    ("source", &["name", "type", "org_id", "site"]),
    ("actor", &["type", "id", "name", "email", "auth", "on_behalf_of"]),
    ("client", &["ip", "forwarded", "country", "country_code", "region", "city", "geo"]),
    ("auth", &["type", "token_id", "token_label"]),
];

#[test]
fn everything_once_in_order_then_nothing_then_just_what_is_new() {
    let mut site = Site::of(10_000, 3_000);
    site.set_output("path", "out/{source}.jsonl");
    site.ok(&["pull"]);
    let (org, jira) = (site.read("out/acme.jsonl"), site.read("out/acme-jira.jsonl"));
    assert_eq!(org.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    each_once(&jira.ids(), &jira_ids(&site.control.ids(Api::JiraAudit)));
    assert!(times(&jira).is_sorted(), "Jira records ascend");
    assert_lines_valid(&org);
    assert_lines_valid(&jira);

    site.control.forget_requests();
    site.ok(&["pull"]);
    assert_eq!(site.read("out/acme.jsonl").stdout, org.stdout);
    assert_eq!(site.read("out/acme-jira.jsonl").stdout, jira.stdout);
    let asked = |api| site.control.request_count(api);
    // The cursor, and the last ten minutes by time; one page, and whether there is another.
    assert_eq!((asked(Api::OrgEvents), asked(Api::JiraAudit)), (2, 2));

    site.control.add(Api::OrgEvents, 100);
    site.control.add(Api::JiraAudit, 100);
    site.ok(&["pull"]);
    let more = site.read("out/acme.jsonl");
    assert_eq!(more.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    let more = site.read("out/acme-jira.jsonl");
    each_once(&more.ids(), &jira_ids(&site.control.ids(Api::JiraAudit)));
    assert_eq!(more.ids()[..3_000], jira.ids(), "the file is only appended to");
}

#[test]
fn to_standard_output_the_same() {
    let site = Site::of(600, 200);
    let run = site.ok(&["pull"]);
    assert_eq!(run.ids_of("org:"), org_ids(&site.control.ids(Api::OrgEvents)));
    let jira = run.ids_of("jira:");
    each_once(&jira, &jira_ids(&site.control.ids(Api::JiraAudit)));
    assert!(site.ok(&["pull"]).stdout.is_empty());
    site.control.add(Api::OrgEvents, 100);
    site.control.add(Api::JiraAudit, 100);
    let third = site.ok(&["pull"]);
    assert_eq!(third.ids_of("org:"), org_ids(&site.control.ids(Api::OrgEvents)[600..]));
    each_once(&third.ids_of("jira:"), &jira_ids(&site.control.ids(Api::JiraAudit)[..100]));
}

#[test]
fn the_server_is_really_asked_and_as_documented() {
    let site = Site::of(600, 200);
    site.ok(&["pull"]);
    let requests = site.control.requests();
    let first = requests.iter().find(|request| request.api == Some(Api::OrgEvents));
    let named = |name: &str| {
        let query = &first.unwrap().query;
        query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    assert_eq!((named("sortOrder"), named("limit")), (Some("asc"), Some("500")));
    assert_eq!(named("to"), None, "the cursor must stay usable");
    for request in &requests {
        assert!(request.authorization_present);
        assert_eq!(request.user_agent, format!("atlaudit/{}", env!("CARGO_PKG_VERSION")));
    }
    let jira = requests.iter().filter(|request| request.api == Some(Api::JiraAudit));
    for (name, value) in jira.flat_map(|request| &request.query) {
        if name == "from" || name == "to" {
            assert!(value.ends_with('Z'), "a date without a zone gets nothing: {value}");
        }
    }
}

#[test]
fn keys_stand_in_the_order_of_the_contract() {
    let site = Site::of(600, 200);
    let run = site.ok(&["pull"]);
    for line in run.lines() {
        let event: BTreeMap<&str, &RawValue> = serde_json::from_str(line).unwrap();
        let actor: BTreeMap<&str, &RawValue> = event
            .get("actor")
            .map(|actor| serde_json::from_str(actor.get()).unwrap())
            .unwrap_or_default();
        for (part, order) in KEYS {
            let text = match part {
                "" => Some(line),
                "auth" => actor.get(part).map(|raw| raw.get()),
                _ => event.get(part).map(|raw| raw.get()),
            };
            let Some(text) = text else { continue };
            let places: Vec<_> = keys(text)
                .iter()
                .map(|key| order.iter().position(|known| known == key).expect(key))
                .collect();
            assert!(places.is_sorted_by(|a, b| a < b), "{part}: {text}");
        }
    }
}

fn times(run: &Run) -> Vec<String> {
    let time = |event: &Value| event["time"].as_str().unwrap().to_owned();
    run.trees().iter().map(time).collect()
}
