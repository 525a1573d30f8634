//! Servers of newest-first sources that page in another way than documented: each event is written
//! once, or the run says what is missing.

use std::collections::HashSet;

use atlaudit::sandbox::{Api, ApiQuirk, DataOptions, SandboxOptions};
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::{Run, Site, small, whole};

const SOURCES: [(&str, Api); 3] = [
    ("acme-jira", Api::JiraAudit),
    ("acme-confluence", Api::ConfluenceAudit),
    ("acme-dc", Api::DatacenterAudit),
];

/// A site whose APIs hold so many records each, into files; a failure is tried again for a second.
fn site(records: usize) -> Site {
    let options = SandboxOptions {
        data: DataOptions {
            org_events: 0,
            jira_records: records,
            confluence_records: records,
            datacenter_events: records,
            ..DataOptions::default()
        },
        ..small(0, 0)
    };
    let mut site = Site::new(options).with_all_sources();
    site.set_output("path", "{source}");
    for (source, _) in SOURCES {
        site.set(source, "retry_for", "1s");
    }
    site
}

fn play(site: &Site, quirk: &str) {
    let quirk = ApiQuirk::find(quirk).unwrap();
    site.control.set_behaviour(|behaviour| quirk.apply(behaviour));
}

/// Pulls `source` twice, with new records between, and its file holds each record once.
fn assert_complete(site: &Site, what: &str, source: &str) {
    for _ in 0..2 {
        site.ok(&["pull", source]);
        whole(what, site, source, &site.read(source));
        site.control.add(Api::JiraAudit, 30);
        site.control.add(Api::ConfluenceAudit, 30);
        site.control.add(Api::DatacenterAudit, 30);
    }
}

#[test]
fn short_pages_of_an_odd_size_are_no_end() {
    for (quirk, source) in [
        ("jira-short-pages", "acme-jira"),
        ("confluence-short-pages", "acme-confluence"),
        ("confluence-opaque-cursor", "acme-confluence"),
    ] {
        let mut site = site(350);
        if quirk == "confluence-opaque-cursor" {
            site.set(source, "page_size", 60);
        }
        play(&site, quirk);
        assert_complete(&site, quirk, source);
    }
}

#[test]
fn an_idle_pull_costs_at_most_two_requests() {
    let site = site(200);
    site.control.add(Api::JiraAudit, 3);
    site.control.add(Api::ConfluenceAudit, 3);
    site.control.add(Api::DatacenterAudit, 3);
    for (source, api) in SOURCES {
        site.ok(&["pull", source]);
        site.control.forget_requests();
        site.ok(&["pull", source]);
        let asked = site.control.request_count(api);
        assert!(asked <= 2, "{source}: {asked}");
        assert_eq!(site.control.requests().len(), asked, "{source}");
    }
}

#[test]
fn a_server_that_ignores_offsets_is_read_whole() {
    for (quirk, source) in
        [("jira-offset-ignored", "acme-jira"), ("confluence-offset-ignored", "acme-confluence")]
    {
        for page_size in [1000, 50] {
            let mut site = site(350);
            site.set(source, "page_size", page_size);
            play(&site, quirk);
            assert_complete(&site, quirk, source);
        }
    }
}

#[test]
fn pages_that_fail_from_an_offset_on_are_read_by_narrower_windows() {
    for (quirk, (source, api)) in
        ["jira-offset-fails", "confluence-offset-fails", "datacenter-offset-fails"]
            .into_iter()
            .zip(SOURCES)
    {
        let site = site(3_500);
        play(&site, quirk);
        site.ok(&["pull", source]);
        whole(quirk, &site, source, &site.read(source));
        let asked = site.control.requests();
        let failed = asked.iter().filter(|asked| asked.status == 500);
        // Of one page, tried again for a second, and of no other page after that.
        let pages: HashSet<_> = failed.map(|asked| &asked.query).collect();
        assert!(pages.len() <= 1, "{quirk}: {pages:?}");
        assert!(site.control.request_count(api) < 40, "{quirk}");
    }
}

#[test]
fn the_order_of_the_pages_is_found_out_and_not_assumed() {
    for (source, _) in SOURCES {
        let mut site = site(1_200);
        site.set(source, "page_size", 100);
        play(&site, "oldest-first");
        assert_complete(&site, "oldest-first", source);
    }
    // Assumed newest first, the end of this log is 1000 records after its start.
    let site = site(3_500);
    play(&site, "oldest-first");
    play(&site, "jira-offset-empty");
    assert_complete(&site, "oldest-first and jira-offset-empty", "acme-jira");
}

#[test]
fn the_end_of_a_log_is_found_however_a_server_shows_it() {
    for (quirk, source) in [
        ("jira-offset-empty", "acme-jira"),
        ("jira-past-end-refused", "acme-jira"),
        ("jira-end-excluded", "acme-jira"),
        ("confluence-hidden-page", "acme-confluence"),
        ("datacenter-no-last-page", "acme-dc"),
    ] {
        let mut site = site(if source == "acme-jira" { 3_500 } else { 1_200 });
        if source != "acme-jira" {
            site.set(source, "page_size", 100);
        }
        play(&site, quirk);
        assert_complete(&site, quirk, source);
    }
}

#[test]
fn a_server_that_ignores_the_end_of_a_time_range_is_an_error_and_no_loop() {
    let site = site(9_000);
    play(&site, "jira-end-ignored");
    let run = site.run(&["pull", "acme-jira"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("outside the requested time range"));
    assert!(site.control.requests().len() < 100);
}

#[test]
fn a_millisecond_that_cannot_be_paged_through_is_named() {
    let mut site = site(0);
    site.set("acme-jira", "page_size", 10);
    site.control.set_behaviour(|behaviour| behaviour.jira_fails_from = Some(30));
    let at = Utc::now() - TimeDelta::hours(1);
    add_jira(&site, 0..5, at - TimeDelta::minutes(1));
    add_jira(&site, 5..50, at);
    add_jira(&site, 50..60, at + TimeDelta::minutes(1));
    for _ in 0..2 {
        let run = site.run(&["pull", "acme-jira", "--repeat-errors"]);
        assert_eq!(run.code, 3, "{}", run.stderr);
        let named = at.format("the millisecond %Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        for word in [named.as_str(), "500", "page_size"] {
            assert!(run.stderr.contains(word), "`{word}` in: {}", run.stderr);
        }
        // What is older is written.
        assert_eq!(site.read("acme-jira").ids().len(), 5);
    }
    site.set("acme-jira", "page_size", 100);
    site.ok(&["pull", "acme-jira"]);
    whole("larger pages", &site, "acme-jira", &site.read("acme-jira"));
}

fn add_jira(site: &Site, ids: std::ops::Range<u32>, at: DateTime<Utc>) {
    let created = at.format("%Y-%m-%dT%H:%M:%S%.3f+0000");
    for id in ids {
        let text = format!(r#"{{"id":{id},"summary":"User created","created":"{created}"}}"#);
        site.control.add_json(Api::JiraAudit, text, at);
    }
}

/// Seven events of Data Center, one a minute, in pages of three: a reading of `nextPageOffset`
/// repeated two of them.
fn seven_events(quirk: &str) -> (Site, Run) {
    let mut site = site(0);
    site.set("acme-dc", "page_size", 3);
    play(&site, quirk);
    let now = Utc::now() - TimeDelta::hours(1);
    for n in 0..7 {
        let at = now + TimeDelta::minutes(n);
        let time = at.format("%Y-%m-%dT%H:%M:%S%.3fZ");
        let text = format!(r#"{{"timestamp":"{time}","type":{{"action":"Change {n}"}}}}"#);
        site.control.add_json(Api::DatacenterAudit, text, at);
    }
    let run = site.run(&["pull", "acme-dc"]);
    (site, run)
}

const DATACENTER_READINGS: [&str; 4] = [
    "datacenter-offset-from-cursor",
    "datacenter-offset-from-newest",
    "datacenter-offset-skips",
    "datacenter-offset-required",
];

#[test]
fn each_reading_of_the_offset_beside_a_cursor_brings_each_event_once() {
    for quirk in DATACENTER_READINGS {
        let (site, run) = seven_events(quirk);
        assert_eq!(run.code, 0, "{quirk}: {}", run.stderr);
        whole(quirk, &site, "acme-dc", &site.read("acme-dc"));
        let mut site = self::site(300);
        site.set("acme-dc", "page_size", 20);
        play(&site, quirk);
        assert_complete(&site, quirk, "acme-dc");
    }
}

#[test]
fn an_export_from_such_a_server_can_be_verified() {
    for (quirk, source) in [
        ("jira-short-pages", "acme-jira"),
        ("jira-offset-fails", "acme-jira"),
        ("confluence-offset-ignored", "acme-confluence"),
        ("datacenter-offset-from-cursor", "acme-dc"),
    ] {
        let mut site = site(1_500);
        site.set(source, "page_size", 100);
        play(&site, quirk);
        site.control.set_behaviour(|behaviour| {
            behaviour.jira_fails_from = behaviour.jira_fails_from.and(Some(300))
        });
        let window = ["--since", "40d", "--output", "case"];
        site.ok(&[&["export", source], &window[..]].concat());
        site.ok(&["verify", "case"]);
    }
}
