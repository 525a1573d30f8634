//! Workspace events of Jira and Confluence, from servers that read the undocumented API in every
//! way: each event is written once.

use std::time::Duration;

use atlaudit::sandbox::{
    Api, ApiQuirk, Behaviour, CLOUD_ID, CursorPlace, DataOptions, FilterClock, JIRA_SITE,
    SandboxOptions,
};
use chrono::{TimeDelta, Utc};

use crate::support::{Outputs, Run, Site, assert_lines_valid, kill_seed, org_event, small, whole};

const SOURCES: [(&str, Api); 2] =
    [("acme-jira-ws", Api::JiraWorkspace), ("acme-confluence-ws", Api::ConfluenceWorkspace)];

/// Two workspaces with so many events each, into files; a failure is tried again for a second.
fn site(events: usize) -> Site {
    let data = DataOptions { workspace_events: events, ..small(0, 0).data };
    let mut site = Site::new(SandboxOptions { data, ..small(0, 0) }).with_workspaces();
    site.set_output("path", "{source}");
    for (source, _) in SOURCES {
        site.set(source, "retry_for", "1s");
        site.set(source, "backfill", "pages");
        // Late events happened up to 20 hours before they were processed.
        site.set(source, "overlap", "1d");
    }
    site
}

fn pull(site: &Site) {
    site.ok(&["pull", "acme-jira-ws", "acme-confluence-ws"]);
}

/// Pulls both three times, with new and late events between, and their files hold each event once.
fn assert_complete(site: &Site, what: &str) {
    for _ in 0..3 {
        pull(site);
        for (source, api) in SOURCES {
            whole(what, site, source, &site.read(source));
            site.control.add(api, 30);
        }
        // Records of the very millisecond in which a run begins are the next one's.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The events lie in the order of the clock that the server compares.
fn assert_sorted(run: &Run) {
    let trees = run.trees();
    let is_sorted = |key: &str| {
        trees.iter().map(|event| event[key].as_str().or(event["time"].as_str())).is_sorted()
    };
    assert!(is_sorted("time") || is_sorted("processed_time"));
}

#[test]
fn every_reading_of_the_api_brings_each_event_once() {
    for quirk in [
        None,
        Some("workspace-oldest-first"),
        Some("workspace-cursor-in-links"),
        Some("workspace-cursor-in-meta"),
        Some("workspace-no-cursor"),
        Some("workspace-cursor-at-end"),
        Some("workspace-short-pages"),
        Some("workspace-limit-refused"),
        Some("workspace-dates-millis"),
        Some("workspace-dates-text"),
        Some("workspace-bounds-refused"),
        Some("workspace-bounds-required"),
        Some("workspace-by-event-time"),
        Some("workspace-no-processed-at"),
        Some("workspace-bad-gateway"),
        Some("error-in-first-page"),
        Some("gzip"),
    ] {
        let site = site(300);
        if let Some(name) = quirk {
            let quirk = ApiQuirk::find(name).unwrap_or_else(|| panic!("no quirk {name}"));
            site.control.set_behaviour(|behaviour| quirk.apply(behaviour));
        }
        pull(&site);
        SOURCES.iter().for_each(|(source, _)| assert_sorted(&site.read(source)));
        assert_complete(&site, quirk.unwrap_or("no quirk"));
    }
}

/// What a server may do with its order, its cursors and its clock, all at once.
fn combinations() -> Vec<(String, impl Fn(&mut Behaviour))> {
    let mut all = Vec::new();
    for oldest_first in [false, true] {
        for place in [CursorPlace::MetaAndLinks, CursorPlace::Meta, CursorPlace::Links] {
            for clock in [FilterClock::ProcessedAt, FilterClock::Time] {
                let what = format!("oldest first: {oldest_first}, {place:?}, {clock:?}");
                let play = move |behaviour: &mut Behaviour| {
                    behaviour.workspace_oldest_first = oldest_first;
                    behaviour.workspace_cursor_place = place;
                    behaviour.workspace_clock = clock;
                };
                all.push((what, play));
            }
        }
    }
    all
}

#[test]
fn events_that_arrive_while_pages_are_read_are_written_once() {
    for (what, play) in combinations() {
        let mut site = site(200);
        site.control.set_behaviour(play);
        for (source, _) in SOURCES {
            site.set(source, "page_size", 40);
            for _ in 0..2 {
                // After the first page, at the newest end.
                site.control.set_behaviour(|behaviour| {
                    behaviour.insert_on_workspace_page = 3;
                    behaviour.insert_on_workspace_pages = Some(1);
                });
                site.ok(&["pull", source]);
            }
            site.control.set_behaviour(|behaviour| behaviour.insert_on_workspace_page = 0);
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_complete(&site, &what);
    }
}

fn kills() -> usize {
    std::env::var("ATLAUDIT_KILLS").map_or(20, |text| text.parse().unwrap())
}

/// Kills runs of both workspaces at random instants, in every combination.
#[test]
#[expect(clippy::print_stderr, reason = "the seed is needed to repeat a failure")]
fn random_kills_lose_nothing_and_repeat_nothing() {
    let (seed, all) = (kill_seed(), kills());
    let mut random = fastrand::Rng::with_seed(seed);
    let combinations = combinations();
    let (mut early, mut done) = (0, 0);
    for (number, (what, play)) in combinations.iter().enumerate() {
        let mut site = site(150);
        site.set_output("path", "out/{source}.jsonl");
        site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "20000");
        site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "20");
        for (source, _) in SOURCES {
            site.set(source, "page_size", 10);
            site.set(source, "backfill", if number % 2 == 0 { "pages" } else { "auto" });
        }
        site.control.set_behaviour(|behaviour| {
            play(behaviour);
            behaviour.workspace_latency = Duration::from_millis(10);
        });
        let share = all * (number + 1) / combinations.len() - all * number / combinations.len();
        for _ in 0..share {
            let mut running = site.start(&["-q", "pull", "acme-jira-ws", "acme-confluence-ws"]);
            std::thread::sleep(Duration::from_millis(random.u64(20..600)));
            running.child().kill().unwrap();
            early += usize::from(running.end().code == 128 + 9);
            done += 1;
            SOURCES.iter().for_each(|(_, api)| site.control.add(*api, random.usize(0..30)));
        }
        std::thread::sleep(Duration::from_millis(5));
        pull(&site);
        for (source, _) in SOURCES {
            let written = Outputs::new(site.path("out"), source).read();
            whole(&format!("seed {seed}: {what}"), &site, source, &written);
        }
    }
    eprintln!("{early} of {done} runs were killed before their end");
    assert_eq!(done, all);
    assert!(early * 2 >= all, "too many runs came to their end: {early} of {all}");
}

#[test]
fn an_event_says_which_workspace_it_is_of_in_english() {
    let site = site(150);
    pull(&site);
    for (source, product) in [("acme-jira-ws", "jira"), ("acme-confluence-ws", "confluence")] {
        let run = site.read(source);
        assert_lines_valid(&run);
        for event in run.trees() {
            let workspace = format!("ari:cloud:{product}::site/{CLOUD_ID}");
            assert_eq!(event["source"]["workspace"], workspace);
            assert_eq!(event["source"]["site"], JIRA_SITE);
            assert_eq!(event["product"], product);
            let message = event["message"].as_str().unwrap_or_default();
            assert!(!message.starts_with("[de]"), "{message}");
        }
    }
    let viewed = site.read("acme-jira-ws").trees().into_iter().find(|event| {
        event["action"] == "jira_issue_viewed" && event["targets"][0]["type"] == "issue"
    });
    let viewed = viewed.expect("a viewed issue");
    let url = viewed["targets"][0]["url"].as_str().unwrap();
    assert!(url.starts_with("https://") && url.contains("/browse/"), "{url}");
}

#[test]
fn a_cloud_id_takes_the_place_of_the_site() {
    let mut site = site(60);
    for (source, _) in SOURCES {
        site.unset(source, "site");
        site.set(source, "cloud_id", CLOUD_ID);
    }
    assert_complete(&site, "cloud id");
    let asked = site.control.requests();
    assert!(asked.iter().all(|request| request.path != "/_edge/tenant_info"));
}

#[test]
fn an_idle_pull_costs_few_requests() {
    let site = site(100);
    for (_, api) in SOURCES {
        site.control.add(api, 3);
    }
    pull(&site);
    site.control.forget_requests();
    pull(&site);
    for (source, api) in SOURCES {
        let asked = site.control.request_count(api);
        // After a quiet day the last seconds, which alone have events, are read apart.
        assert!(asked <= 6, "{source}: {asked}");
    }
}

#[test]
fn a_late_event_within_the_overlap_is_found_by_either_clock() {
    for clock in [FilterClock::ProcessedAt, FilterClock::Time] {
        let site = site(50);
        site.control.set_behaviour(|behaviour| behaviour.workspace_clock = clock);
        pull(&site);
        let now = Utc::now();
        let late = org_event("late", now - TimeDelta::hours(20), now);
        site.control.add_json(Api::JiraWorkspace, late, now);
        let behind = now - TimeDelta::minutes(5);
        site.control.add_json(Api::JiraWorkspace, org_event("behind", behind, behind), behind);
        std::thread::sleep(Duration::from_millis(5));
        pull(&site);
        whole("late", &site, "acme-jira-ws", &site.read("acme-jira-ws"));
    }
}

#[test]
fn a_window_holds_what_happened_in_it_however_late_it_was_processed() {
    for clock in [FilterClock::ProcessedAt, FilterClock::Time] {
        let site = site(0);
        site.control.set_behaviour(|behaviour| behaviour.workspace_clock = clock);
        let now = Utc::now();
        let at = |hours| now - TimeDelta::hours(hours);
        for (id, happened, processed) in [
            ("before", at(40), at(35)),
            ("inside", at(30), at(29)),
            ("late", at(25), at(2)),
            ("after", at(20), at(20)),
        ] {
            let event = org_event(id, happened, processed);
            site.control.add_json(Api::JiraWorkspace, event, processed);
        }
        let run = site.ok(&["pull", "acme-jira-ws", "--since", "36h", "--until", "24h"]);
        let ids = ["inside", "late"].map(|id| format!("ws:{CLOUD_ID}:{id}"));
        assert_eq!(run.ids(), ids, "{clock:?}");
    }
}

#[test]
fn a_workspace_that_is_not_there_says_what_to_do() {
    let site = site(10);
    site.control.set_behaviour(|behaviour| behaviour.workspace_missing = true);
    let run = site.run(&["pull", "acme-jira-ws"]);
    run.refused(4, &["404", "the API may not be there yet", "`jira-audit`"]);
}

#[test]
fn raw_lines_become_the_same_events_again() {
    let mut site = site(80);
    pull(&site);
    let normalized = site.read("acme-jira-ws");
    site.set_output("format", "raw");
    let raw = site.ok(&["pull", "acme-jira-ws", "--since", "31d"]);
    std::fs::write(site.path("raw-acme-jira-ws"), raw.stdout).unwrap();
    let workspace = format!("ari:cloud:jira::site/{CLOUD_ID}");
    let convert = |args: &[&str]| {
        let flags = ["convert", "raw-acme-jira-ws", "--type", "workspace-events"];
        site.run(&[&flags[..], args].concat())
    };
    convert(&[]).refused(2, &["need their workspace", "--workspace"]);
    let converted = convert(&["--workspace", &workspace]);
    assert_eq!(converted.code, 0, "{}", converted.stderr);
    let of = |events: Vec<serde_json::Value>| {
        let part = |event: &serde_json::Value| (event["id"].clone(), event["product"].clone());
        events.iter().map(part).collect::<Vec<_>>()
    };
    let (mut again, mut first) = (of(converted.trees()), of(normalized.trees()));
    again.sort_by_key(|pair| pair.0.to_string());
    first.sort_by_key(|pair| pair.0.to_string());
    assert_eq!(again, first);
}
