//! `--format ecs`: documents of all sources, held against the normalized events of the same
//! records.

use std::collections::HashSet;
use std::net::IpAddr;

use atlaudit::sandbox::{JIRA_SITE, ORG_ID};
use serde_json::Value;

use crate::support::{Run, Site};

/// Each source, with its dataset.
const SOURCES: [(&str, &str); 4] = [
    ("acme", "atlassian.org_events"),
    ("acme-jira", "atlassian.jira_audit"),
    ("acme-confluence", "atlassian.confluence_audit"),
    ("acme-dc", "atlassian.datacenter_audit"),
];

/// The field sets that a document may have, all of ECS but the last.
const FIELD_SETS: [&str; 13] = [
    "@timestamp",
    "ecs",
    "message",
    "labels",
    "event",
    "user",
    "group",
    "source",
    "url",
    "organization",
    "observer",
    "related",
    "atlassian",
];

/// A site whose four sources were pulled in three forms: `acme.normalized`, `acme.raw`, `acme.ecs`
/// and so on.
fn pulled() -> Site {
    let site = Site::of(300, 200).with_all_sources();
    for format in ["normalized", "raw", "ecs"] {
        let output = format!("{{source}}.{format}");
        site.ok(&["pull", "--since", "31d", "--format", format, "-o", &output]);
    }
    site
}

#[test]
fn documents_of_all_sources() {
    let site = pulled();
    for (name, dataset) in SOURCES {
        let [normalized, raw, ecs] =
            ["normalized", "raw", "ecs"].map(|format| site.read(&format!("{name}.{format}")));
        let documents = ecs.trees();
        let events = normalized.trees();
        assert!(documents.len() >= 100, "{name}: {}", documents.len());
        assert_eq!(documents.len(), events.len(), "{name}");
        for ((document, event), raw) in documents.iter().zip(&events).zip(raw.lines()) {
            assert_eq!(document["event"]["original"], raw);
            assert_eq!(document["event"]["dataset"], dataset);
            agrees(document, event);
            is_clean(document);
        }
        let known: HashSet<&str> = documents
            .iter()
            .flat_map(|it| it.as_object().unwrap().keys().map(String::as_str))
            .collect();
        assert!(known.is_subset(&FIELD_SETS.into()), "{name}: {known:?}");
        let has_ip = |document: &&Value| document["source"]["ip"].is_string();
        assert!(documents.iter().filter(has_ip).count() > documents.len() / 2, "{name}");
    }
}

/// The fields of a document say what the event says.
fn agrees(document: &Value, event: &Value) {
    let same = |path: &str, key: &str| {
        let at = |tree: &Value, path: &str| tree.pointer(path).cloned();
        assert_eq!(at(document, path), at(event, key), "{path} in {document}");
    };
    same("/event/id", "/id");
    same("/event/action", "/action");
    same("/event/outcome", "/outcome");
    same("/event/provider", "/product");
    same("/@timestamp", "/time");
    same("/message", "/message");
    same("/labels", "/labels");
    same("/user/id", "/actor/id");
    // Of a Data Center's users the name may be the login.
    let shown = ["/user/full_name", "/user/name"].map(|path| document.pointer(path));
    let name = event.pointer("/actor/name");
    assert!(name.is_none() || shown.contains(&name), "{document}");
    same("/user/email", "/actor/email");
    same("/source/ip", "/client/ip");
    same("/atlassian/client/forwarded", "/client/forwarded");
    same("/source/geo/country_name", "/client/country");
    same("/source/geo/country_iso_code", "/client/country_code");
    same("/organization/id", "/source/org_id");
    same("/atlassian/category", "/category");
    same("/atlassian/targets", "/targets");
    same("/atlassian/changes", "/changes");
    same("/atlassian/source", "/source");
    same("/atlassian/actor/auth", "/actor/auth");
    assert_eq!(document["ecs"]["version"], "9.4.0");
    assert_eq!(document["event"]["kind"], "event");
}

/// Nothing is empty, an address is one, and nothing is related twice.
fn is_clean(document: &Value) {
    nothing_empty(document);
    if let Some(ip) = document.pointer("/source/ip") {
        ip.as_str().unwrap().parse::<IpAddr>().unwrap();
        assert_eq!(document["related"]["ip"][0], *ip);
    }
    let related = document.get("related").and_then(Value::as_object);
    for list in related.into_iter().flat_map(|related| related.values()) {
        let list = list.as_array().unwrap();
        assert_eq!(list.iter().collect::<HashSet<_>>().len(), list.len(), "{document}");
    }
}

fn nothing_empty(value: &Value) {
    match value {
        Value::String(text) => assert!(!text.is_empty()),
        Value::Array(list) => {
            assert!(!list.is_empty());
            list.iter().for_each(nothing_empty);
        }
        Value::Object(fields) => {
            assert!(!fields.is_empty());
            fields.values().for_each(nothing_empty);
        }
        // A port.
        Value::Number(number) => assert!(number.is_u64(), "{number}"),
        other => panic!("{other} is no text"),
    }
}

/// Documents without the times of receipt, which differ, and without the label that only a pull
/// gives: it knows who reads a Data Center's log.
fn timeless(run: &Run) -> Vec<Value> {
    let mut documents = run.trees();
    for document in &mut documents {
        let event = document["event"].as_object_mut().unwrap();
        event.remove("ingested").unwrap();
        event.remove("created").unwrap();
        if let Some(labels) = document.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove("self_inflicted");
        }
    }
    documents
}

/// The lists are the same; the first pair that is not is shown.
fn same(what: &str, got: &[Value], want: &[Value]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (got, want) in got.iter().zip(want) {
        assert_eq!(got, want, "{what}");
    }
}

#[test]
fn kept_lines_become_the_same_documents() {
    let site = pulled();
    for (name, _) in SOURCES {
        let pulled = timeless(&site.read(&format!("{name}.ecs")));
        let kept = site.ok(&["convert", "--format", "ecs", &format!("{name}.normalized")]);
        same(name, &timeless(&kept), &pulled);
        let observed = |run: &Run, path| -> Vec<_> {
            let trees = run.trees();
            trees.iter().map(|tree| tree.pointer(path).cloned()).collect()
        };
        let normalized = site.read(&format!("{name}.normalized"));
        assert_eq!(observed(&kept, "/event/ingested"), observed(&normalized, "/observed_time"));
        // The records of these have ids.
        if matches!(name, "acme" | "acme-jira") {
            let raw = format!("{name}.raw");
            let anew = site.ok(&["convert", "--format", "ecs", "--source", name, &raw]);
            same(name, &timeless(&anew), &pulled);
        }
    }
}

#[test]
fn odd_records_become_documents() {
    let odd = [
        r#"{"id":"1","attributes":{"action":"a","location":{"ip":"1.2.3.4:8080"}}}"#,
        r#"{"id":"2","attributes":{"action":"a","location":{"ip":"fe80::1%eth0"}}}"#,
        r#"{"id":"3","attributes":{"action":"a","location":{"ip":" 1.2.3.4 ","countryName":7}}}"#,
        r#"{"id":"4","attributes":{"action":"\u0000\n\"\\","actor":{"id":"x","name":"x","email":"x@y"}}}"#,
        r#"{"id":"5","attributes":{},"n":1.10,"n":1E400,"t":"é\u00e9\ud83d"}"#,
    ];
    let site = Site::of(0, 0);
    std::fs::write(site.path("in"), odd.join("\n")).unwrap();
    let run =
        site.ok(&["convert", "--format", "ecs", "--org-id", ORG_ID, "--site", JIRA_SITE, "in"]);
    let documents = run.trees();
    assert_eq!(documents.len(), odd.len());
    let ips: Vec<_> = documents.iter().map(|it| it.pointer("/source/ip")).collect();
    let ip = Value::from("1.2.3.4");
    let local = Value::from("fe80::1");
    assert_eq!(ips, [Some(&ip), Some(&local), Some(&ip), None, None]);
    let addresses = [0, 1, 2].map(|at| &documents[at]["source"]["address"]);
    assert_eq!(addresses, ["1.2.3.4:8080", "fe80::1%eth0", "1.2.3.4"]);
    assert_eq!(documents[0]["source"]["port"], 8080);
    for (document, raw) in documents.iter().zip(odd) {
        assert_eq!(document["event"]["original"], raw);
        assert_eq!(document["atlassian"]["timestamp"], "observed_time");
        is_clean(document);
    }
    assert_eq!(documents[3]["event"]["action"], "\0\n\"\\");
    assert_eq!(documents[3]["related"]["user"], serde_json::json!(["x", "x@y"]));
    assert_eq!(documents[4]["event"]["action"], "unparsed");
}
