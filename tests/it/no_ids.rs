//! Sources whose records have no id: Confluence's and Data Center's. Equal ones are counted, and
//! none is written twice.

use atlaudit::sandbox::{Api, DATACENTER_PASSWORD, DATACENTER_USER, Fault};
use chrono::{DateTime, TimeDelta, Utc};

use crate::support::{Site, whole};

const SOURCES: [&str; 2] = ["acme-confluence", "acme-dc"];

fn site() -> Site {
    Site::of(0, 0).with_all_sources().with_output("path", "{source}")
}

/// The file of `source` holds what is served, as often as it is served, oldest first, under ids of
/// their own.
fn is_whole(site: &Site, source: &str) {
    whole(source, site, source, &site.read(source));
}

#[test]
fn many_slices_of_small_pages() {
    let mut site = site();
    for source in SOURCES {
        site.set(source, "page_size", 7);
    }
    for round in 0..3 {
        for source in SOURCES {
            site.ok(&["pull", source]);
            is_whole(&site, source);
        }
        site.control.add(Api::ConfluenceAudit, 20 + round);
        site.control.add(Api::DatacenterAudit, 20 + round);
    }
}

#[test]
fn a_server_without_links_is_followed_by_count() {
    let mut site = site();
    site.set("acme-confluence", "page_size", 50);
    site.control.set_behaviour(|behaviour| behaviour.confluence_hides_links = true);
    site.ok(&["pull", "acme-confluence"]);
    is_whole(&site, "acme-confluence");
}

#[test]
fn records_that_arrive_while_paging_are_neither_lost_nor_doubled() {
    let mut site = site();
    site.set("acme-confluence", "page_size", 20);
    site.control.set_behaviour(|behaviour| {
        behaviour.insert_on_confluence_page = 3;
        behaviour.insert_on_confluence_pages = Some(4);
    });
    site.ok(&["pull", "acme-confluence"]);
    site.ok(&["pull", "acme-confluence"]);
    is_whole(&site, "acme-confluence");
}

#[test]
fn a_page_that_comes_again_once_is_not_taken_for_equal_records() {
    let mut site = site();
    for (source, api) in SOURCES.into_iter().zip([Api::ConfluenceAudit, Api::DatacenterAudit]) {
        site.set(source, "page_size", 50);
        site.control.inject(api, Fault::Pass);
        site.control.inject(api, Fault::RepeatPage);
        site.ok(&["pull", source]);
        is_whole(&site, source);
    }
}

/// Adds a record of each source that says `what`, at `at`.
fn add(site: &Site, what: &str, at: DateTime<Utc>) {
    let ms = at.timestamp_millis();
    let confluence = format!(r#"{{"summary":"{what}","creationDate":{ms}}}"#);
    site.control.add_json(Api::ConfluenceAudit, confluence, at);
    let time = at.format("%Y-%m-%dT%H:%M:%S%.3fZ");
    let event = format!(r#"{{"timestamp":"{time}","type":{{"action":"{what}"}}}}"#);
    site.control.add_json(Api::DatacenterAudit, event, at);
}

#[test]
fn an_equal_record_in_the_same_millisecond_is_distinct() {
    let site = site();
    let at = Utc::now() - TimeDelta::seconds(2);
    for count in 1..4 {
        add(&site, "Ledger was balanced", at);
        for source in SOURCES {
            site.ok(&["pull", source]);
            is_whole(&site, source);
            let same: Vec<_> = site
                .read(source)
                .trees()
                .iter()
                .filter(|event| event["action"] == "ledger_was_balanced")
                .filter_map(|event| Some(event["id"].as_str()?.to_owned()))
                .collect();
            assert_eq!(same.len(), count, "{source}");
            if let [first, .., last] = same.as_slice() {
                assert_eq!(*last, format!("{first}.{count}"));
            }
        }
    }
}

#[test]
fn a_pull_with_nothing_new_asks_at_most_twice() {
    let site = site();
    for (source, api) in SOURCES.into_iter().zip([Api::ConfluenceAudit, Api::DatacenterAudit]) {
        site.ok(&["pull", source]);
        site.control.forget_requests();
        site.ok(&["pull", source]);
        is_whole(&site, source);
        let asked = site.control.request_count(api);
        assert!(asked <= 2, "{source}: {asked}");
        assert_eq!(site.control.requests().len(), asked, "{source}");
    }
}

#[test]
fn a_data_center_that_reads_no_fractions_and_wants_a_password() {
    let mut site = site();
    site.control.set_behaviour(|behaviour| behaviour.datacenter_whole_seconds = true);
    site.set("acme-dc", "username", DATACENTER_USER);
    site.set_env("DC_KEY", DATACENTER_PASSWORD);
    site.set("acme-dc", "page_size", 40);
    site.ok(&["pull", "acme-dc"]);
    is_whole(&site, "acme-dc");
}

#[test]
fn the_traces_of_our_own_reading_are_marked() {
    let site = site();
    site.control.set_behaviour(|behaviour| behaviour.audit_reads = true);
    site.ok(&["pull", "acme-dc"]);
    let marked = |site: &Site| {
        let trees = site.read("acme-dc").trees();
        let own = trees.iter().filter(|event| event["labels"]["self_inflicted"] == "true");
        own.map(|event| event["actor"]["name"].clone()).collect::<Vec<_>>()
    };
    // Searches by other users are not removed.
    let before = marked(&site).len();
    std::thread::sleep(std::time::Duration::from_millis(20));
    site.ok(&["pull", "acme-dc"]);
    let after = marked(&site);
    assert!(after.len() > before, "{after:?}");
    assert!(after.iter().all(|name| *name == DATACENTER_USER), "{after:?}");
}

#[test]
fn pages_that_overlap_each_time_are_not_taken_for_equal_records() {
    let mut site = site();
    site.set("acme-confluence", "page_size", 50);
    let overlap = Fault::Overlap(7);
    site.control.inject_always(Api::ConfluenceAudit, overlap);
    let run = site.run(&["pull", "acme-confluence"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    site.control.clear_faults(Api::ConfluenceAudit);
    site.ok(&["pull", "acme-confluence"]);
    is_whole(&site, "acme-confluence");
}
