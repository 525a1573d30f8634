//! Runs whose clock was wrong. A clock cannot be set here, so the tests write into the state what a
//! run under such a clock leaves there; the jumps themselves are tested beside the plan.

use std::fs;

use atlaudit::sandbox::Api;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Site, assert_file_complete};

fn site(events: usize, records: usize) -> Site {
    Site::of(events, records).with_output("path", "{source}")
}

/// Moves what the checkpoints say of time by `by`, as if the runs so far had been under such a
/// clock.
fn shift(site: &Site, by: TimeDelta) {
    let keys = ["since", "windows", "watermark", "complete_until", "updated"];
    shift_only(site, &keys, by);
}

fn shift_only(site: &Site, keys: &[&str], by: TimeDelta) {
    for source in ["acme", "acme-jira"] {
        let path = site.state().join(format!("{source}.json"));
        let mut state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        for key in keys {
            move_times(&mut state[key], by);
        }
        fs::write(path, state.to_string()).unwrap();
    }
}

fn move_times(value: &mut Value, by: TimeDelta) {
    match value {
        Value::Object(object) => object.values_mut().for_each(|value| move_times(value, by)),
        Value::Array(list) => list.iter_mut().for_each(|value| move_times(value, by)),
        Value::String(text) => {
            if let Ok(time) = DateTime::parse_from_rfc3339(text) {
                let moved = time.with_timezone(&Utc) + by;
                *text = moved.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            }
        }
        _ => {}
    }
}

#[test]
fn a_first_pull_that_found_nothing_under_any_clock() {
    for days in [-20_000, -365, -1, 1, 40, 365, 26_000] {
        let site = site(0, 0);
        site.ok(&["pull"]);
        shift(&site, TimeDelta::days(days));
        site.control.add(Api::OrgEvents, 40);
        site.control.add(Api::JiraAudit, 30);
        for _ in 0..2 {
            site.ok(&["pull"]);
            assert_file_complete(&site, "acme");
            assert_file_complete(&site, "acme-jira");
        }
    }
}

#[test]
fn a_first_pull_that_failed_under_a_clock_that_was_ahead() {
    let mut site = site(0, 0);
    let base_url = site.base_url().to_owned();
    for source in ["acme", "acme-jira"] {
        site.set(source, "base_url", "http://127.0.0.1:9");
        site.set(source, "retry_for", "0s");
    }
    assert_eq!(site.run(&["pull"]).code, 3);
    shift(&site, TimeDelta::days(26_000));
    site.control.add(Api::OrgEvents, 40);
    site.control.add(Api::JiraAudit, 30);
    for source in ["acme", "acme-jira"] {
        site.set(source, "base_url", base_url.clone());
    }
    site.ok(&["pull"]);
    assert_file_complete(&site, "acme");
    assert_file_complete(&site, "acme-jira");
}

#[test]
fn a_watermark_that_a_wrong_clock_left() {
    for days in [-1, 30, 400] {
        let site = site(60, 40);
        site.ok(&["pull"]);
        shift_only(&site, &["watermark"], TimeDelta::days(days));
        site.control.expire_cursors();
        site.control.add(Api::OrgEvents, 40);
        site.control.add(Api::JiraAudit, 30);
        for _ in 0..2 {
            site.ok(&["pull"]);
            assert_file_complete(&site, "acme");
            assert_file_complete(&site, "acme-jira");
        }
    }
}
