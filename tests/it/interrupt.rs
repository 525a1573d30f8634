//! Runs that end early: by a kill, by `--max-events`. The next ones make up for it.

use std::time::Duration;

use atlaudit::sandbox::Api;

use crate::support::{Site, assert_file_complete, eventually, org_ids};

/// Both sources, into a file each, ten records a page.
fn site(events: usize, records: usize) -> Site {
    Site::of(events, records)
        .with("acme", "page_size", 10)
        .with("acme-jira", "page_size", 10)
        .with_output("path", "{source}")
}

fn holds_each(site: &Site) {
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    assert_file_complete(site, "acme-jira");
}

fn slow_down(site: &Site, latency: Duration) {
    site.control.set_behaviour(|behaviour| {
        behaviour.org_latency = latency;
        behaviour.jira_latency = latency;
    });
}

#[test]
fn a_kill_in_the_first_pull_of_all() {
    let site = site(300, 200);
    slow_down(&site, Duration::from_millis(10));
    let mut running = site.start(&["pull"]);
    eventually("lines that are not committed", || site.read("acme").stdout.len() > 20_000);
    running.signal("KILL");
    running.end();
    slow_down(&site, Duration::ZERO);
    site.ok(&["pull"]);
    holds_each(&site);
}

#[test]
fn what_stood_in_the_file_before_stays() {
    let site = site(100, 0);
    std::fs::write(site.path("acme"), "{\"id\":\"of another program\"}\n").unwrap();
    site.ok(&["pull", "acme", "--max-events", "30"]);
    site.ok(&["pull", "acme"]);
    let file = site.read("acme");
    let lines = file.lines();
    assert_eq!(lines[0], "{\"id\":\"of another program\"}");
    assert_eq!(lines.len(), 101);
}

#[test]
fn after_a_kill_the_files_hold_each_event_once() {
    for pages in [1, 3, 9] {
        let site = site(300, 200);
        // Something is committed before, and the kill comes between two commits.
        site.ok(&["pull", "--max-events", "35"]);
        site.control.forget_requests();
        slow_down(&site, Duration::from_millis(10));
        let mut running = site.start(&["pull"]);
        eventually("pages", || site.control.request_count(Api::OrgEvents) > pages);
        running.signal("KILL");
        assert_eq!(running.end().code, 128 + 9);
        slow_down(&site, Duration::ZERO);
        site.ok(&["pull"]);
        holds_each(&site);
        site.ok(&["pull"]);
        holds_each(&site);
    }
}

#[test]
fn a_torn_line_behind_the_last_commit_is_cut_off() {
    let mut site = torn();
    site.ok(&["pull", "acme"]);
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    // Also where the next run writes elsewhere, as it does when the hour changes.
    site = torn();
    let run = site.ok(&["pull", "acme", "--output", "next"]);
    assert!(run.stderr.contains("truncated"), "{}", run.stderr);
    let mut ids = site.read("acme").ids();
    ids.extend(site.read("next").ids());
    assert_eq!(ids, org_ids(&site.control.ids(Api::OrgEvents)));
}

/// A site whose last run died while it appended, some events behind its last commit.
fn torn() -> Site {
    let site = site(100, 0);
    site.ok(&["pull", "acme", "--max-events", "40"]);
    append(&site, br#"{"schema":"atlaudit/1","id":"org:tor"#);
    let state = site.state().join("acme.json");
    let text = std::fs::read_to_string(&state).unwrap();
    assert!(text.contains(r#""is_open":false"#), "{text}");
    let text = text.replace(r#""is_open":false"#, r#""is_open":true"#);
    std::fs::write(&state, text).unwrap();
    site
}

fn append(site: &Site, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().append(true).open(site.path("acme"));
    std::io::Write::write_all(&mut file.unwrap(), bytes).unwrap();
}

#[test]
fn what_others_append_between_two_runs_is_theirs() {
    let site = site(100, 0);
    site.ok(&["pull", "acme", "--max-events", "40"]);
    append(&site, b"{\"id\":\"theirs\",\"action\":\"x\",\"raw\":1}\n");
    site.ok(&["pull", "acme"]);
    let ids = site.read("acme").ids();
    assert_eq!((ids.len(), ids[40].as_str()), (101, "theirs"));
}

#[test]
fn max_events_writes_so_many_and_the_rest_comes_the_next_time() {
    for (most, events, records) in [(1_usize, 4, 3), (7, 40, 30), (50, 120, 70), (500, 120, 70)] {
        let site = site(events, records);
        let mut written = (0, 0);
        for _ in 0..=events.max(records).div_ceil(most) {
            site.ok(&["pull", "--max-events", &most.to_string()]);
            let now = (site.read("acme").ids().len(), site.read("acme-jira").ids().len());
            assert_eq!(now.0, (written.0 + most).min(events), "of {most}");
            assert_eq!(now.1, (written.1 + most).min(records), "of {most}");
            written = now;
        }
        holds_each(&site);
        site.ok(&["pull"]);
        holds_each(&site);
    }
}

#[test]
fn max_events_inside_a_group_of_ties_and_a_refused_cursor() {
    let mut site = site(250, 0);
    site.set("acme", "page_size", 100);
    for most in ["97", "3", "1", "2", "60"] {
        site.ok(&["pull", "acme", "--max-events", most]);
        site.control.expire_cursors();
    }
    site.ok(&["pull", "acme"]);
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn a_failed_commit_after_a_signal_is_reported() {
    let site = site(100, 0);
    slow_down(&site, Duration::from_millis(700));
    let mut running = site.start(&["pull", "acme"]);
    eventually("a line that is not committed", || !site.read("acme").stdout.is_empty());
    std::fs::remove_file(site.path("acme")).unwrap();
    running.signal("INT");
    let run = running.end();
    assert_eq!(run.code, 8, "{}", run.stderr);
    assert!(run.stderr.contains("was removed while"), "{}", run.stderr);
    assert!(!run.stderr.contains("is sound"), "{}", run.stderr);
    slow_down(&site, Duration::ZERO);
    site.ok(&["pull", "acme"]);
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}
