//! `--format ocsf`: whatever the sources say comes out right by the rules of OCSF, and holds its
//! record.

use std::collections::{BTreeSet, HashSet};
use std::fs;

use serde_json::Value;

use crate::support::{Run, Site};

#[path = "../../src/render/ocsf/schema_rules_tests.rs"]
#[allow(dead_code, reason = "the unit tests use the rest")]
mod rules;

/// Records that try the mapping: of organizations, of Jira, of Confluence and of a Data Center.
const ODD: &[&str] = &[
    r#"{"id":"1","attributes":{"action":"user_login","location":{"ip":"1.2.3.4:8080","countryName":"Portugal"}}}"#,
    r#"{"id":"2","attributes":{"action":"user_login","time":"yesterday","actor":{"id":"\"\\\n","email":"é@b.c"},"location":{"ip":"fe80::1%eth0","city":"Town"}}}"#,
    r#"{"id":"3","attributes":{"action":"\u2028 \"x\"","context":[{},{"type":"users"},{"type":"groups","id":"g"}],"location":{"ip":"unknown"}}}"#,
    r#"{"id":"4","attributes":{"action":7,"processedAt":"2026-11-20T09:30:01Z","actor":{"name":"anonymous"}}}"#,
    r#"{"id":5,"summary":"User added to group","created":"0001-01-01T00:00:00Z","objectItem":{"typeName":"GROUP","name":"admins"},"remoteAddress":"::1"}"#,
    r#"{"creationDate":1795167000000,"summary":"Space permission added","affectedObject":{"name":"Handbook","objectType":"Space"},"changedValues":[{},{"name":"Type","newValue":"EDIT"}]}"#,
    r#"{"timestamp":"2026-11-20T09:30:00.000Z","author":{"name":"System","id":"-1"},"type":{"action":"Audit Log search performed"},"affectedObjects":[]}"#,
];

/// The lines, each of which must be right.
fn right(run: &Run) -> Vec<Value> {
    let trees = run.trees();
    for tree in &trees {
        let mut faults = rules::faults(tree);
        // A time before 1973 is one that a record said.
        faults.retain(|fault| !fault.contains(".time is not of type time"));
        assert_eq!(faults, [""; 0], "{tree:#}");
    }
    trees
}

#[test]
fn all_that_all_sources_say_is_right_and_holds_its_record() {
    let site = Site::of(1_000, 400).with_all_sources();
    site.ok(&["pull", "--since", "60d", "--output", "{source}.norm"]);
    let ocsf = ["--format", "ocsf", "--output", "{source}.ocsf"];
    site.ok(&[&["pull", "--since", "60d"], &ocsf[..]].concat());
    let mut kinds = BTreeSet::new();
    for name in ["acme", "acme-jira", "acme-confluence", "acme-dc"] {
        let norm = site.read(&format!("{name}.norm"));
        let pulled = right(&site.read(&format!("{name}.ocsf")));
        let file = format!("{name}.norm");
        let converted = right(&site.ok(&["convert", "--format", "ocsf", &file]));
        right(&site.ok(&["convert", "--format", "ocsf-1.3", &file]));
        assert!(pulled.len() > 100, "{name}");
        for (mut pulled, converted) in pulled.into_iter().zip(&converted) {
            // Only a pull knows when it received a record, and who reads a Data Center's log.
            pulled["metadata"]["processed_time"] = converted["metadata"]["processed_time"].clone();
            let labels = pulled.pointer_mut("/unmapped/labels");
            if let Some(labels) = labels.and_then(Value::as_object_mut) {
                labels.remove("self_inflicted");
            }
            assert_eq!(&pulled, converted);
        }
        let ids: Vec<_> =
            converted.iter().map(|tree| tree["metadata"]["uid"].as_str().unwrap()).collect();
        assert_eq!(ids, norm.ids());
        let raw = site.ok(&["convert", "--format", "raw", &file]);
        let held: Vec<_> =
            converted.iter().map(|tree| tree["raw_data"].as_str().unwrap()).collect();
        assert_eq!(held, raw.lines());
        kinds.extend(converted.iter().map(|tree| tree["metadata"]["event_code"].to_string()));
    }
    assert!(kinds.len() > 100, "{} kinds", kinds.len());
}

#[test]
fn odd_records_are_right_as_well() {
    let site = Site::of(0, 0);
    let many: Vec<String> = (0..1000)
        .map(|n| format!(r#"{{"type":"users","id":"u{n}","attributes":{{"name":"User {n}"}}}}"#))
        .collect();
    let many = format!(
        r#"{{"id":"many","attributes":{{"action":"users_removed","context":[{}]}}}}"#,
        many.join(",")
    );
    let lines = [ODD, &[&many]].concat();
    fs::write(site.path("odd.raw"), lines.join("\n")).unwrap();
    let run = site.ok(&["convert", "--format", "ocsf", "--site", "acme.example", "odd.raw"]);
    let trees = right(&run);
    let held: Vec<_> = trees.iter().map(|tree| tree["raw_data"].as_str().unwrap()).collect();
    assert_eq!(held, lines);
    let ids: HashSet<_> =
        trees.iter().map(|tree| tree["metadata"]["uid"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), lines.len());
    let ip = |at: usize| trees[at]["src_endpoint"]["ip"].clone();
    assert_eq!([ip(0), ip(1), ip(2)], ["1.2.3.4".into(), "fe80::1".into(), Value::Null]);
    assert_eq!(trees[3]["activity_id"], 0);
}
