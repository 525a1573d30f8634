//! Reading ahead: a slow server's log comes whole, once and in order, with several requests at
//! once.

use std::time::Duration;

use atlaudit::sandbox::{Api, FilterClock};

use crate::support::{Site, eventually, jira_ids, org_ids, small};

/// More than what makes several requests at once pay.
const LATENCY: Duration = Duration::from_millis(150);

/// Pages of ten.
const PAGES: usize = 100;

fn site() -> Site {
    let mut options = small(10 * PAGES, 10 * PAGES);
    options.behaviour.org_latency = LATENCY;
    options.behaviour.jira_latency = LATENCY;
    let mut site = Site::new(options);
    for source in ["acme", "acme-jira"] {
        site.set(source, "page_size", 10);
    }
    // As many pages as an ordinary slice has of a thousand.
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "30");
    site
}

/// All events of both sources are in `file`, each once.
fn is_whole(site: &Site, source: &str) {
    let ids = match source {
        "acme" => org_ids(&site.control.ids(Api::OrgEvents)),
        _ => jira_ids(&site.control.ids(Api::JiraAudit)),
    };
    let mut expected = ids;
    let mut written = site.read(source).ids();
    if source == "acme" {
        // In the order of processing.
        assert_eq!(written, expected);
    }
    expected.sort();
    written.sort();
    assert_eq!(written, expected);
}

#[test]
fn a_slow_server_gets_requests_for_several_segments_at_once() {
    for (source, api) in [("acme", Api::OrgEvents), ("acme-jira", Api::JiraAudit)] {
        let site = site();
        site.ok(&["pull", source, "--output", source]);
        is_whole(&site, source);
        // What is read twice at the seams is little; each slice of two or three pages costs an
        // empty one, and a look at what is older.
        let asked = site.control.request_count(api);
        let most = match api {
            Api::OrgEvents => PAGES + PAGES / 2,
            _ => 5 * PAGES / 2,
        };
        assert!(asked < most, "{source}: {asked} requests");
        let at_once = site.control.most_in_flight(api);
        assert!(at_once > 1, "{source}: {at_once}");
        // With nothing new, two requests are enough: the cursor and a read by time, or a page and
        // its end.
        site.ok(&["pull", source, "--output", source]);
        is_whole(&site, source);
        let idle = site.control.request_count(api) - asked;
        assert!((1..=2).contains(&idle), "{source}: {idle}");
    }
}

#[test]
fn a_crash_while_prefetching_loses_and_repeats_nothing() {
    for (source, api) in [("acme", Api::OrgEvents), ("acme-jira", Api::JiraAudit)] {
        let mut site = site();
        site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "20000");
        for share in [6, 3, 2] {
            let mut running = site.start(&["pull", source, "--output", source]);
            let before = site.control.request_count(api);
            eventually("some requests", || {
                site.control.request_count(api) > before + PAGES / share
            });
            running.child().kill().unwrap();
            drop(running);
        }
        site.ok(&["pull", source, "--output", source]);
        is_whole(&site, source);
    }
}

#[test]
fn a_server_that_filters_by_event_time_disables_prefetching() {
    let site = site();
    site.control.set_behaviour(|behaviour| behaviour.filter_clock = FilterClock::Time);
    site.ok(&["pull", "acme", "--since", "60d", "--output", "acme"]);
    is_whole(&site, "acme");
}

#[test]
fn concurrency_one_sends_one_request_at_a_time() {
    let mut site = site();
    site.set("acme-jira", "concurrency", 1);
    site.ok(&["pull", "acme-jira", "--output", "acme-jira"]);
    assert_eq!(site.control.most_in_flight(Api::JiraAudit), 1);
    is_whole(&site, "acme-jira");
}
