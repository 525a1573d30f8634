//! The source's own text: kept byte for byte in `raw`, whatever stands in it, and never lost.

use std::collections::BTreeMap;

use atlaudit::sandbox::Api;
use chrono::{TimeDelta, Utc};
use serde_json::value::RawValue;

use crate::support::{Run, Site, small};

/// Records that JSON libraries like to rewrite, drop or choke on.
fn odd_texts() -> Vec<String> {
    let deep = format!("{}{}", "[".repeat(400), "]".repeat(400));
    let mut texts: Vec<String> = [
        r#"{"id":"o1","attributes":{"n":12345678901234567890123,"m":1.10,"e":1E-400,"z":-0}}"#,
        r#"{"id":"o2","attributes":{"action":"a","action":"b"},"id":"o2"}"#,
        r#"{"id":"o3","attributes":{"action":"\u0061\/\u00e9\ud83d\ude00\u2028"}}"#,
        r#"{"id":"o4","attributes":{"action":"lone \ud800 high","x":"\udc00"}}"#,
        r#"{"id":"o5","attributes":{"action":"nul \u0000 in it"}}"#,
        r#"{"id":12345678901234567890123,"attributes":{}}"#,
        r#"{"id":{"a":1},"attributes":"text"}"#,
        r#"{"id":"\ud800","attributes":{"action":"surrogate_id"}}"#,
        r#"{"id":"o6","id":"o7","attributes":{"time":"2026-02-30T00:00:00Z"}}"#,
        r#"{"":"","\u0000":null}"#,
        r#"{}"#,
    ]
    .map(str::to_owned)
    .into();
    texts.push(format!(r#"{{"id":"deep","attributes":{deep}}}"#));
    texts
}

/// What is no object at all, and still somebody's record.
const NO_OBJECTS: [&str; 5] = ["null", "17", "\"a text\"", "[1,2]", "true"];

fn raws(run: &Run) -> Vec<String> {
    let events = run.events().into_iter();
    events.map(|event| event.raw.get().to_owned()).collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

#[test]
fn raw_is_the_text_that_the_server_holds() {
    for pretty in [false, true] {
        let mut options = small(500, 300);
        options.behaviour.pretty_json = pretty;
        options.behaviour.gzip = pretty;
        let mut site = Site::new(options);
        site.set_output("path", "{source}.jsonl");
        site.ok(&["pull"]);
        let org = raws(&site.read("acme.jsonl"));
        assert_eq!(org, site.control.texts(Api::OrgEvents), "pretty: {pretty}");
        let jira = raws(&site.read("acme-jira.jsonl"));
        assert_eq!(sorted(jira), sorted(site.control.texts(Api::JiraAudit)));
    }
}

#[test]
fn the_raw_format_writes_just_that_text() {
    for pretty in [false, true] {
        let mut options = small(500, 300);
        options.behaviour.pretty_json = pretty;
        let site = Site::new(options);
        let run = site.ok(&["pull", "acme", "--format", "raw"]);
        assert_eq!(run.lines(), site.control.texts(Api::OrgEvents), "pretty: {pretty}");
        let run = site.ok(&["pull", "acme-jira", "--format", "raw"]);
        let lines = run.lines().into_iter().map(str::to_owned).collect();
        assert_eq!(sorted(lines), sorted(site.control.texts(Api::JiraAudit)));
    }
}

#[test]
fn odd_org_events_survive() {
    for pretty in [false, true] {
        let mut options = small(0, 0);
        options.behaviour.pretty_json = pretty;
        let site = Site::new(options);
        for (n, text) in (0..).zip(odd_texts()) {
            let at = Utc::now() - TimeDelta::hours(1) + TimeDelta::seconds(n);
            site.control.add_json(Api::OrgEvents, text, at);
        }
        let run = site.ok(&["pull", "acme"]);
        assert_eq!(raws(&run), odd_texts(), "pretty: {pretty}");
        assert!(site.ok(&["pull", "acme"]).stdout.is_empty());
    }
}

#[test]
fn odd_records_become_valid_events() {
    let site = Site::of(0, 0);
    let at = Utc::now() - TimeDelta::hours(1);
    for text in odd_texts() {
        site.control.add_json(Api::OrgEvents, text.clone(), at);
        site.control.add_json(Api::JiraAudit, text, at);
    }
    let schema = serde_json::from_slice(&site.ok(&["schema"]).stdout).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for line in site.ok(&["pull"]).lines() {
        // No library reads every `raw`: the rest of the event must be sound all the same.
        let mut event: BTreeMap<&str, &RawValue> = serde_json::from_str(line).unwrap();
        event.insert("raw", RawValue::NULL);
        let text = serde_json::to_string(&event).unwrap().replace("\"raw\":null", "\"raw\":{}");
        let event = serde_json::from_str(&text).unwrap();
        if let Err(error) = validator.validate(&event) {
            panic!("{error}: {line}");
        }
    }
}

#[test]
fn odd_jira_records_survive() {
    let site = Site::of(0, 0);
    for (n, text) in (0..).zip(odd_texts()) {
        let at = Utc::now() - TimeDelta::hours(1) + TimeDelta::seconds(n);
        site.control.add_json(Api::JiraAudit, text, at);
    }
    let run = site.ok(&["pull", "acme-jira"]);
    assert_eq!(sorted(raws(&run)), sorted(odd_texts()));
    assert!(site.ok(&["pull", "acme-jira"]).stdout.is_empty());
}

#[test]
fn what_is_no_object_is_written_as_unparsed_with_a_warning() {
    let site = Site::of(0, 0);
    for text in NO_OBJECTS {
        let at = Utc::now() - TimeDelta::hours(1);
        site.control.add_json(Api::OrgEvents, text.to_owned(), at);
        site.control.add_json(Api::JiraAudit, text.to_owned(), at);
    }
    for source in ["acme", "acme-jira"] {
        let run = site.ok(&["pull", source]);
        assert_eq!(sorted(raws(&run)), sorted(NO_OBJECTS.map(str::to_owned).into()));
        for event in run.events() {
            assert_eq!(event.action, "unparsed", "{}", event.id);
        }
        assert!(run.stderr.contains("warning: "), "{}", run.stderr);
        assert!(run.stderr.contains("5 unparsed"), "{}", run.stderr);
    }
}

#[test]
fn whitespace_inside_strings_stays() {
    let text = r#"{"id":"w","attributes":{"action":"two  spaces , { } : [ ] \" \\"}}"#;
    let mut options = small(0, 0);
    options.behaviour.pretty_json = true;
    let site = Site::new(options);
    let at = Utc::now() - TimeDelta::hours(1);
    site.control.add_json(Api::OrgEvents, text.to_owned(), at);
    assert_eq!(raws(&site.ok(&["pull", "acme"])), [text]);
}
