//! Exports that nothing disturbs.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use atlaudit::sandbox::Api;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use super::{Case, SOURCES, site, without_observed_time, words};
use crate::support::{Site, assert_lines_valid, files, whole};

fn typed(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The times of the events of `acme`, sorted.
fn event_times(site: &Site) -> Vec<DateTime<Utc>> {
    let time = |text: &String| {
        let event: Value = serde_json::from_str(text).unwrap();
        let time = event["attributes"]["time"].as_str().unwrap();
        DateTime::parse_from_rfc3339(time).unwrap().to_utc()
    };
    let mut times: Vec<_> = site.control.texts(Api::OrgEvents).iter().map(time).collect();
    times.sort();
    times
}

#[test]
fn an_export_holds_what_is_served_and_every_answer() {
    let site = site(150);
    let run = site.ok(&words(&SOURCES, "case", &["--keep-bodies"]));
    assert!(run.stdout.is_empty());
    for words in ["acme-dc: 150 events", "600 events from 4 sources", "atlaudit verify "] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
    let case = Case::read(site.path("case"));
    assert!(case.is_complete());
    case.is_sound("undisturbed");
    for source in SOURCES {
        let events = case.events(source);
        whole("undisturbed", &site, source, &events);
        assert_lines_valid(&events);
        let shown = case.source(source);
        assert_eq!((&shown["complete"], &shown["gaps"]), (&true.into(), &serde_json::json!([])));
        assert_eq!(shown["windows"][0]["complete"], true);
        assert_eq!(shown["windows"][0]["from"], case.manifest["asked"]["since"]);
    }
    // One request a line, also of what is no page: whose token it is.
    let requests = site.control.requests().len();
    let lines: usize = SOURCES.iter().map(|source| case.pages(source).len()).sum();
    assert_eq!(lines, requests);
    let whoami = case.pages("acme-dc").into_iter().next().unwrap();
    assert!(whoami["request"]["url"].as_str().unwrap().ends_with("/whoami"));
    assert!(whoami.get("span").is_none() && whoami.get("records").is_none());
    let page = &case.pages("acme")[0];
    assert_eq!((&page["status"], &page["records"]), (&200.into(), &10.into()));
    assert!(page["next"].is_string() && page["span"]["to"].is_string());
    assert!(page["headers"].to_string().contains("date"));
    assert_eq!(case.manifest["runs"][0]["ended"], "finished");
    assert_eq!(case.manifest["made_by"]["command"][0], "export");
}

#[test]
fn without_a_name_all_sources_are_exported() {
    let site = site(5);
    site.ok(&words(&[], "case", &[]));
    let case = Case::read(site.path("case"));
    let names = case.manifest["sources"].as_array().unwrap().iter();
    let mut names: Vec<_> = names.map(|source| source["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let mut all = SOURCES;
    all.sort_unstable();
    assert_eq!(names, all);
    assert!(case.is_complete());
}

#[test]
fn an_export_is_private_and_touches_no_state() {
    let site = site(20);
    site.ok(&words(&SOURCES, "deep/in/case", &["--keep-bodies"]));
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let case = site.path("deep/in/case");
    for (path, _) in files(&case) {
        let path = std::path::Path::new(&path);
        assert_eq!(mode(path), 0o600, "{}", path.display());
        assert_eq!(mode(path.parent().unwrap()), 0o700, "{}", path.display());
    }
    let state = files(&site.state());
    assert!(state.iter().all(|(path, _)| path.contains("/lookups/")), "{:?}", state.first());
}

#[test]
fn the_same_window_gives_the_same_events_whenever_it_is_read() {
    let site = site(80);
    // Right before an event, on whatever day of the week this runs: it is read and left out.
    let until = event_times(&site)[60] - TimeDelta::milliseconds(1);
    let (since, until) = (typed(until - TimeDelta::days(17)), typed(until));
    for out in ["one", "two"] {
        let asked = ["--since", &since, "--until", &until, "-o", out];
        let all: Vec<_> = ["export"].iter().chain(&SOURCES).chain(&asked).copied().collect();
        site.ok(&all);
    }
    let (one, two) = (Case::read(site.path("one")), Case::read(site.path("two")));
    for source in SOURCES {
        assert!(!one.lines(source).is_empty(), "{source}");
        assert_eq!(one.lines(source), two.lines(source), "{source}");
        // What a one-off pull gives.
        let pulled = site.ok(&["pull", source, "--since", &since, "--until", &until]);
        let pulled = pulled.lines().into_iter().map(without_observed_time);
        assert_eq!(one.lines(source), pulled.collect::<Vec<_>>(), "{source}");
    }
    let outside = |case: &Case| case.source("acme")["dropped"]["outside"].as_u64().unwrap();
    assert!(outside(&one) > 0, "the margin brought nothing");
    one.is_sound("one");
}

#[test]
fn a_slow_server_is_read_in_several_segments_at_once_and_each_is_recorded() {
    let mut site = site(600);
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "30");
    site.control.set_behaviour(|behaviour| {
        behaviour.org_latency = Duration::from_millis(150);
        behaviour.jira_latency = Duration::from_millis(150);
    });
    site.ok(&words(&["acme", "acme-jira"], "case", &["--keep-bodies"]));
    let case = Case::read(site.path("case"));
    case.is_sound("slow");
    for source in ["acme", "acme-jira"] {
        whole("slow", &site, source, &case.events(source));
    }
    assert!(site.control.most_in_flight(Api::OrgEvents) > 1);
    assert!(site.control.most_in_flight(Api::JiraAudit) > 1);
    for page in case.pages("acme-jira") {
        assert!(page["took_ms"].as_u64() >= Some(150), "{page}");
    }
}

#[test]
fn user_lookups_are_recorded_too() {
    let mut site = site(40);
    site.set("acme-jira", "resolve_users", true);
    site.ok(&words(&["acme-jira"], "case", &[]));
    let case = Case::read(site.path("case"));
    case.is_sound("with users");
    let pages = case.pages("acme-jira");
    assert_eq!(pages.len(), site.control.requests().len());
    let is_look_up =
        |page: &&Value| page["request"]["url"].as_str().unwrap().contains("/user/bulk");
    let look_ups: Vec<_> = pages.iter().filter(is_look_up).collect();
    assert!(!look_ups.is_empty() && look_ups.iter().all(|page| page.get("records").is_none()));
}

#[test]
fn a_window_without_an_event_is_complete_and_says_so() {
    let site = site(5);
    let asked = ["export", "acme", "--since", "2020-01-01", "--until", "2020-01-02", "-o", "case"];
    let run = site.ok(&asked);
    assert!(run.stderr.contains("no events in this time range"), "{}", run.stderr);
    let case = Case::read(site.path("case"));
    assert!(case.is_complete() && case.lines("acme").is_empty());
    case.is_sound("empty");
}

#[test]
fn a_name_with_placeholder_characters_is_literal() {
    let site = site(5);
    site.ok(&words(&["acme"], "%Y {source}", &[]));
    let case = Case::read(site.path("%Y {source}"));
    assert_eq!(case.lines("acme").len(), 5);
}
