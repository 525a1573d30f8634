//! Jira's audit records: newest first on the wire, ascending in the output, however many there are.

use atlaudit::sandbox::{Api, CLOUD_ID, Fault};
use chrono::{TimeDelta, Utc};

use crate::support::{Site, assert_file_complete, jira_ids};

/// `acme-jira` alone, into a file, `page` records a page.
fn site(records: usize, page: i64) -> Site {
    Site::of(0, records).with("acme-jira", "page_size", page).with_output("path", "{source}")
}

fn assert_ascending(site: &Site) {
    let times: Vec<String> = site
        .read("acme-jira")
        .trees()
        .iter()
        .map(|event| event["time"].as_str().unwrap().to_owned())
        .collect();
    assert!(times.is_sorted());
}

#[test]
fn many_slices_cover_the_window_in_order() {
    // Five pages fit into a slice: these take dozens.
    let site = site(1_200, 7);
    site.ok(&["pull", "acme-jira"]);
    assert_file_complete(&site, "acme-jira");
    assert_ascending(&site);
    site.control.add(Api::JiraAudit, 120);
    site.ok(&["pull", "acme-jira"]);
    assert_file_complete(&site, "acme-jira");
    assert_ascending(&site);
}

#[test]
fn more_records_in_a_millisecond_than_a_slice_holds() {
    let site = site(0, 2);
    let at = Utc::now() - TimeDelta::hours(1);
    let created = at.format("%Y-%m-%dT%H:%M:%S%.3f+0000");
    for n in 0..40 {
        let text = format!(r#"{{"id":{n},"summary":"User created","created":"{created}"}}"#);
        site.control.add_json(Api::JiraAudit, text, at);
    }
    site.ok(&["pull", "acme-jira"]);
    // By (created, id), and ids are numbers.
    let ids: Vec<String> = (0..40).map(|n| n.to_string()).collect();
    assert_eq!(site.read("acme-jira").ids(), jira_ids(&ids));
    site.ok(&["pull", "acme-jira"]);
    assert_file_complete(&site, "acme-jira");
}

#[test]
fn a_server_that_gives_smaller_pages_than_asked_for_is_read_to_the_end() {
    let site = site(300, 1000);
    site.control.set_behaviour(|behaviour| behaviour.jira_max_limit = Some(20));
    site.ok(&["pull", "acme-jira"]);
    assert_file_complete(&site, "acme-jira");
    assert_ascending(&site);
}

#[test]
fn a_record_that_appears_inside_the_overlap_comes_through() {
    let site = site(100, 40);
    let now = Utc::now();
    for (id, minutes) in [("n1", 5), ("n2", 8)] {
        let at = now - TimeDelta::minutes(minutes);
        let created = at.format("%Y-%m-%dT%H:%M:%S%.3f+0000");
        let text = format!(r#"{{"id":"{id}","summary":"User created","created":"{created}"}}"#);
        site.control.add_json(Api::JiraAudit, text, at);
        site.ok(&["pull", "acme-jira"]);
        assert_file_complete(&site, "acme-jira");
    }
}

#[test]
fn a_second_record_of_an_id_that_stands_before_the_first_comes_through() {
    let site = site(0, 100);
    let at = Utc::now() - TimeDelta::minutes(5);
    let created = at.format("%Y-%m-%dT%H:%M:%S%.3f+0000");
    // The server gives the newest first: what is added later stands before.
    for n in 1..=3 {
        let text = format!(r#"{{"id":7,"summary":"User created","created":"{created}","n":{n}}}"#);
        site.control.add_json(Api::JiraAudit, text, at);
        site.ok(&["pull", "acme-jira"]);
        assert_eq!(site.read("acme-jira").ids().len(), n);
        site.ok(&["pull", "acme-jira"]);
        assert_eq!(site.read("acme-jira").ids().len(), n);
    }
}

#[test]
fn a_server_that_fails_in_a_later_slice_is_made_up_for_by_the_next_pull() {
    let mut site = site(12_000, 1_000);
    site.set("acme-jira", "retry_for", "0s");
    // Four pages are too much for a slice; the first of those that fit has three.
    site.control.inject_times(Api::JiraAudit, Fault::Pass, 9);
    site.control.inject_always(Api::JiraAudit, Fault::TruncatedJson);
    let run = site.run(&["pull", "acme-jira"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let part = site.read("acme-jira").ids().len();
    assert!(0 < part && part < 12_000, "{part}");
    site.control.clear_faults(Api::JiraAudit);
    site.ok(&["pull", "acme-jira"]);
    assert_file_complete(&site, "acme-jira");
    assert_ascending(&site);
}

#[test]
fn the_gateway_with_a_bearer_token() {
    let mut site = site(50, 20);
    site.unset("acme-jira", "email");
    let gateway = format!("{}/ex/jira/{CLOUD_ID}", site.base_url());
    site.set("acme-jira", "base_url", gateway);
    site.ok(&["pull", "acme-jira"]);
    assert_file_complete(&site, "acme-jira");
}
