//! The preset for Amazon Security Lake: OCSF 1.3 in Parquet, a folder for each class, account and
//! day. The service itself is not here; its rules are those of its user guide.

use std::collections::BTreeSet;
use std::fs;

use atlaudit::sandbox::Api;
use serde_json::Value;

use crate::support::{Lake, Site, each_once, empty_disk, org_ids, table_columns, table_rows};

const FOLDER: &str = "ext/atlassian-{ocsf_class}/region=eu-west-1/accountId=123456789012";

/// A site whose events go to the lake by the preset.
fn site(lake: &Lake, events: usize) -> Site {
    let mut site = Site::of(events, 0);
    lake.connect(&mut site);
    site.set_output("preset", "security-lake");
    let path = format!("s3://audit-lake/{FOLDER}/eventDay={{event_yyyymmdd}}/");
    site.set_output("path", path);
    site
}

/// The keys of the objects in the folders of classes.
fn keys(lake: &Lake) -> Vec<String> {
    let keys = lake.server.keys().into_iter();
    keys.filter(|key| key.starts_with("ext/atlassian-")).collect()
}

/// The row is in the folder of its class and its day.
fn assert_in_place(key: &str, row: &Value) {
    let class = row["class_uid"].to_string();
    let time = chrono::DateTime::from_timestamp_millis(row["time"].as_i64().unwrap()).unwrap();
    let day = time.format("%Y%m%d").to_string();
    let folder = format!("{}/eventDay={day}/acme-", FOLDER.replace("{ocsf_class}", &class));
    assert!(key.starts_with(&folder), "{key}: {folder}");
    assert_eq!(row["metadata"]["version"], "1.3.0");
    assert_eq!(row["metadata"]["log_provider"], "acme");
}

#[test]
fn each_event_is_once_in_the_folder_of_its_class_and_day() {
    let lake = Lake::new();
    let mut site = site(&lake, 400);
    // Not even five minutes are waited for.
    site.set_env("ATLAUDIT_CRASH_WAITING_BYTES", "1");
    site.ok(&["pull", "acme"]);
    empty_disk(&site);
    site.control.add(Api::OrgEvents, 50);
    site.ok(&["pull", "acme"]);
    let (mut ids, mut classes) = (Vec::new(), BTreeSet::new());
    for key in keys(&lake) {
        let content = lake.server.object(&key).unwrap();
        let rows = table_rows(content.clone());
        let times: Vec<_> = rows.iter().map(|row| row["time"].as_i64()).collect();
        assert!(times.is_sorted() && !times.is_empty(), "{key}");
        for row in &rows {
            assert_in_place(&key, row);
            ids.push(row["metadata"]["uid"].as_str().unwrap().to_owned());
        }
        let columns = table_columns(content);
        let has = |column: &str| columns.iter().any(|name| name == column);
        assert_eq!(has("entity"), key.contains("-3004/"), "{key}");
        classes.insert(key.split('/').nth(1).unwrap().to_owned());
    }
    each_once(&ids, &org_ids(&site.control.ids(Api::OrgEvents)));
    assert!(classes.len() > 3, "{classes:?}");
    lake.assert_never_replaced();
}

#[test]
fn events_wait_for_five_minutes_to_end() {
    let lake = Lake::new();
    let site = site(&lake, 20);
    // The run may be the one in which five minutes end.
    site.ok(&["pull", "acme"]);
    let published = keys(&lake).len();
    let waits = lake.state("acme")["waiting"]["line_bytes"].as_u64().is_some();
    assert_ne!(waits, published > 0);
}

#[test]
fn what_the_lake_would_not_take_is_refused() {
    let lake = Lake::new();
    for (key, value, words) in [
        ("format", "ocsf", ["OCSF 1.3 in Parquet alone", "take `format` and `encoding` out"]),
        ("encoding", "jsonl", ["OCSF 1.3 in Parquet alone", "take `format` and `encoding` out"]),
        ("rotate", "never", ["every five minutes at most", "`15m`"]),
        ("rotate", "2d", ["every five minutes at most", "`15m`"]),
        ("rotate", "1m", ["every five minutes at most", "`15m`"]),
        (
            "path",
            "s3://audit-lake/{ocsf_class}/",
            ["not one that Amazon Security Lake", "eventDay="],
        ),
        ("preset", "lake", ["unknown preset `lake`", "use `security-lake`"]),
    ] {
        let mut site = site(&lake, 1);
        site.set_output(key, value);
        let place = ["`output.preset`"];
        site.run(&["pull"]).refused(6, &[&words[..], &place].concat());
    }
}

#[test]
fn a_preset_is_for_the_path_beside_it() {
    let lake = Lake::new();
    let mut site = site(&lake, 20);
    // Flags that leave the path do not leave the preset.
    for flags in [["--format", "ocsf"], ["--encoding", "jsonl"]] {
        site.run(&[&["pull"], &flags[..]].concat()).refused(6, &["OCSF 1.3 in Parquet alone"]);
    }
    // Another path has nothing of it but the format.
    let run = site.ok(&["pull", "acme", "--since", "60d", "-o", "-"]);
    assert_eq!(run.trees()[0]["metadata"]["version"], "1.3.0");
    site.set("acme", "output", toml::toml! { path = "-" });
    assert_eq!(site.ok(&["pull", "acme"]).trees()[0]["metadata"]["version"], "1.3.0");
    site.set("acme", "output", toml::toml! { format = "ocsf" });
    site.run(&["pull"]).refused(6, &["source `acme`: `output`", "OCSF 1.3"]);
    site.set("acme", "output", toml::toml! { mode = "0640" });
    site.set_output("path", "ext/x.parquet");
    site.run(&["pull"]).refused(6, &["toml:3: `output.preset`", "eventDay="]);
}

#[test]
fn saved_events_are_converted_to_the_same_folders() {
    let site = Site::of(60, 0);
    site.ok(&["pull", "acme", "-o", "acme.jsonl"]);
    let template = format!("{FOLDER}/eventDay={{event_yyyymmdd}}/{{source}}.parquet");
    site.ok(&["convert", "acme.jsonl", "--format", "ocsf-1.3", "-o", &template]);
    let mut ids = Vec::new();
    let class_folders = fs::read_dir(site.path("ext")).unwrap().count();
    assert!(class_folders > 2);
    let found = site.shell("find ext -name '*.parquet'").output().unwrap();
    for path in String::from_utf8(found.stdout).unwrap().lines() {
        for row in table_rows(fs::read(site.path(path)).unwrap()) {
            assert_in_place(&path.replace("/acme.parquet", "/acme-"), &row);
            ids.push(row["metadata"]["uid"].as_str().unwrap().to_owned());
        }
    }
    each_once(&ids, &org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn a_class_is_named_only_where_events_have_one() {
    let site = Site::of(1, 0);
    let args = ["pull", "acme", "--since", "1d", "--encoding", "parquet", "-o"];
    site.run(&[&args[..], &["{ocsf_class}.parquet"]].concat())
        .refused(6, &["`{ocsf_class}`", "`normalized` have no class"]);
}
