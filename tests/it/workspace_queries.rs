//! A long window of workspace events is read by an event query, if the server runs one; else page by
//! page.

use std::time::Duration;

use atlaudit::sandbox::{Api, DataOptions, EventQueries, SandboxOptions};

use crate::support::{Site, eventually, small, whole};

const SOURCE: &str = "acme-jira-ws";

fn site(events: usize, backfill: &str, queries: EventQueries) -> Site {
    let data = DataOptions { workspace_events: events, ..small(0, 0).data };
    let mut site = Site::new(SandboxOptions { data, ..small(0, 0) }).with_workspaces();
    site.set_output("path", "{source}");
    site.set(SOURCE, "retry_for", "0s");
    site.set(SOURCE, "backfill", backfill);
    site.control.set_behaviour(|behaviour| behaviour.event_queries = queries);
    site
}

fn assert_whole(site: &Site, what: &str) {
    whole(what, site, SOURCE, &site.read(SOURCE));
}

#[test]
fn a_first_pull_is_read_by_a_query_and_later_ones_by_pages() {
    for backfill in ["auto", "query"] {
        let site = site(300, backfill, EventQueries::Works);
        site.ok(&["pull", SOURCE]);
        assert_whole(&site, backfill);
        let queries = site.control.event_queries();
        assert_eq!(queries.len(), 1, "{queries:?}");
        site.control.add(Api::JiraWorkspace, 20);
        std::thread::sleep(Duration::from_millis(5));
        site.ok(&["pull", SOURCE]);
        assert_whole(&site, backfill);
        assert_eq!(site.control.event_queries().len(), 1);
    }
    let site = site(300, "pages", EventQueries::Works);
    site.ok(&["pull", SOURCE]);
    assert_whole(&site, "pages");
    assert!(site.control.event_queries().is_empty());
}

#[test]
fn a_query_that_is_refused_or_fails_is_replaced_by_pages() {
    for queries in [EventQueries::Missing, EventQueries::Refused, EventQueries::Fails] {
        let auto = site(200, "auto", queries);
        auto.ok(&["pull", SOURCE]);
        assert_whole(&auto, &format!("{queries:?}"));
        let query = site(200, "query", queries);
        let run = query.run(&["pull", SOURCE]);
        assert_ne!(run.code, 0, "{queries:?}");
        assert!(query.read(SOURCE).ids().is_empty());
        // Nothing is lost: once they work, or pages are read, all of it comes.
        query.control.set_behaviour(|behaviour| behaviour.event_queries = EventQueries::Works);
        query.ok(&["pull", SOURCE]);
        assert_whole(&query, &format!("{queries:?}"));
    }
}

#[test]
fn a_killed_run_goes_on_with_its_query() {
    let site = site(250, "query", EventQueries::Stuck);
    let mut running = site.start(&["pull", SOURCE]);
    eventually("a query", || !site.control.event_queries().is_empty());
    let state = site.state().join(format!("{SOURCE}.json"));
    eventually("its id in the checkpoint", || {
        std::fs::read_to_string(&state).is_ok_and(|text| text.contains("event_query"))
    });
    running.child().kill().unwrap();
    running.end();
    site.control.set_behaviour(|behaviour| behaviour.event_queries = EventQueries::Works);
    site.ok(&["pull", SOURCE]);
    assert_whole(&site, "after a kill");
    let windows = site.control.event_queries();
    let first = &windows[0];
    let results =
        site.control.requests().into_iter().filter(|request| {
            request.path.ends_with(&format!("/event-queries/{}/results", first.id))
        });
    assert!(results.count() > 0, "the first query was not read: {windows:?}");
    assert!(!std::fs::read_to_string(&state).unwrap().contains("event_query"));
}

#[test]
fn a_stopped_run_cancels_its_query_and_the_next_one_begins_anew() {
    let site = site(250, "query", EventQueries::Stuck);
    let mut running = site.start(&["pull", SOURCE]);
    eventually("a query", || !site.control.event_queries().is_empty());
    running.signal("INT");
    let run = running.end();
    assert_eq!(run.code, 3, "{}", run.stderr);
    let queries = site.control.event_queries();
    assert!(queries.iter().all(|query| query.status == "CANCELLED"), "{queries:?}");
    site.control.set_behaviour(|behaviour| behaviour.event_queries = EventQueries::Works);
    site.ok(&["pull", SOURCE]);
    assert_whole(&site, "after a signal");
}

#[test]
fn a_window_of_many_events_takes_several_queries() {
    for oldest_first in [false, true] {
        let mut site = site(400, "query", EventQueries::Works);
        site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "120");
        site.set(SOURCE, "page_size", 50);
        site.control.set_behaviour(|behaviour| {
            behaviour.workspace_oldest_first = oldest_first;
            behaviour.event_query_polls = Some(0);
        });
        site.ok(&["pull", SOURCE]);
        assert_whole(&site, "several");
        assert!(site.control.event_queries().len() > 2);
    }
}
