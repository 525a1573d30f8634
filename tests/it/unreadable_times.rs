//! A time that cannot be read: reported, counted, marked in every format, and never guessed.

use atlaudit::sandbox::Api;
use chrono::{TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Run, Site, assert_lines_valid, small};

const SOURCES: [&str; 4] = ["acme", "acme-jira", "acme-confluence", "acme-dc"];

fn site() -> Site {
    let mut options = small(20, 20);
    options.data.confluence_records = 20;
    options.data.datacenter_events = 20;
    Site::new(options).with_all_sources()
}

/// A site all of whose times have no zone.
fn zoneless() -> Site {
    let site = site();
    let change = |behaviour: &mut atlaudit::sandbox::Behaviour| behaviour.zoneless_times = true;
    site.control.set_behaviour(change);
    site
}

fn warnings(run: &Run) -> usize {
    run.stderr.matches("time cannot be read").count()
}

#[test]
fn a_run_warns_once_a_source_and_counts_them() {
    let site = zoneless();
    for source in SOURCES {
        let report = format!("{source}.report");
        let run = site.ok(&["pull", source, "--since", "40d", "--report", &report]);
        assert_eq!(run.lines().len(), 20, "{source}");
        assert_eq!(warnings(&run), 1, "{source}: {}", run.stderr);
        assert!(run.stderr.contains("20 with an unreadable time"), "{}", run.stderr);
        let report: Value = serde_json::from_slice(&site.read(&report).stdout).unwrap();
        assert_eq!(report["sources"][0]["unreadable_times"], 20);
        assert_lines_valid(&run);
        for event in run.trees() {
            assert_eq!(event.get("time"), None);
            let mark = event["labels"]["time_unreadable"].as_str().unwrap();
            let is_zoneless = mark.starts_with("20") && !mark.ends_with('Z') && !mark.contains('+');
            assert!(is_zoneless, "{mark}");
        }
    }
}

#[test]
fn a_readable_time_is_neither_counted_nor_marked() {
    let site = site();
    let run = site.ok(&["pull", "--since", "40d"]);
    assert_eq!(warnings(&run), 0, "{}", run.stderr);
    assert!(!run.stderr.contains("unreadable"), "{}", run.stderr);
    let text = String::from_utf8(run.stdout).unwrap();
    assert!(!text.contains("time_unreadable"));
}

#[test]
fn every_format_says_which_time_it_shows_instead() {
    let site = zoneless();
    for (source, shown) in SOURCES.into_iter().zip([
        "processed_time",
        "observed_time",
        "observed_time",
        "observed_time",
    ]) {
        let pull = |format| {
            let args = ["pull", source, "--since", "40d", "--format", format];
            site.ok(&args).trees()
        };
        for document in pull("ecs") {
            assert_eq!(document["atlassian"]["timestamp"], shown);
            assert!(document["labels"]["time_unreadable"].is_string());
            let time = match shown {
                "processed_time" => &document["atlassian"]["processed_time"],
                _ => &document["event"]["ingested"],
            };
            assert_eq!(document["@timestamp"], *time);
        }
        for event in pull("ocsf") {
            assert_eq!(event["unmapped"]["time_is"], shown);
            assert!(event["unmapped"]["labels"]["time_unreadable"].is_string());
            let time = match shown {
                "processed_time" => "logged_time",
                _ => "processed_time",
            };
            assert_eq!(event["time"], event["metadata"][time]);
        }
    }
}

#[test]
fn a_record_without_any_time_is_marked_and_kept_in_every_window() {
    let site = site();
    let at = Utc::now() - TimeDelta::hours(1);
    for (id, time) in
        [("none", ""), ("null", r#","time":null"#), ("far", r#","time":"12026-01-01T00:00:00Z""#)]
    {
        let text = format!(r#"{{"id":"{id}","attributes":{{"action":"user_login"{time}}}}}"#);
        site.control.add_json(Api::OrgEvents, text, at);
    }
    let run = site.ok(&["pull", "acme", "--since", "2h"]);
    let marks: Vec<_> = run
        .trees()
        .into_iter()
        .filter_map(|event| event.pointer("/labels/time_unreadable").cloned())
        .collect();
    assert_eq!(marks, ["missing", "missing", "12026-01-01T00:00:00Z"]);
    assert!(run.stderr.contains("3 with an unreadable time"), "{}", run.stderr);
}

#[test]
fn convert_warns_and_counts_as_well() {
    let site = zoneless();
    site.ok(&["pull", "--since", "40d", "--output", "{source}.norm"]);
    for source in SOURCES {
        let file = format!("{source}.norm");
        for format in ["normalized", "ecs", "ocsf"] {
            let run = site.ok(&["convert", "--format", format, &file]);
            assert_eq!(warnings(&run), 0, "{}", run.stderr);
            assert_eq!(
                run.stderr.matches("has a time that cannot be read").count(),
                1,
                "{}",
                run.stderr
            );
            assert!(run.stderr.contains("20 with an unreadable time"), "{}", run.stderr);
        }
        let raw = site.ok(&["convert", "--format", "raw", &file]);
        assert!(!raw.stderr.contains("unreadable"), "{}", raw.stderr);
    }
}
