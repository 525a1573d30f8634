//! Times that make trouble: late events, events that share a millisecond, dates far ahead.

use atlaudit::sandbox::{Api, Fault, FilterClock};
use chrono::{TimeDelta, Utc};

use crate::support::{Site, assert_file_complete, eventually, org_event, org_ids, status};

/// `acme` alone, into a file, `page` events a page.
fn site(events: usize, page: i64) -> Site {
    Site::of(events, 0).with("acme", "page_size", page).with_output("path", "{source}")
}

#[test]
fn late_events_come_through_after_a_refused_cursor() {
    for clock in [FilterClock::ProcessedAt, FilterClock::Time] {
        let site = site(200, 50);
        site.control.set_behaviour(|behaviour| behaviour.filter_clock = clock);
        let now = Utc::now();
        let earlier = now - TimeDelta::minutes(9);
        let newest = org_event("newest", now, now);
        site.control.add_json(Api::OrgEvents, newest, now);
        site.ok(&["pull", "acme"]);
        // One happened long ago and is processed now, one appears behind the newest one written.
        let late = org_event("late", now - TimeDelta::hours(20), now);
        site.control.add_json(Api::OrgEvents, late, now);
        let behind = org_event("behind", earlier, earlier);
        site.control.add_json(Api::OrgEvents, behind, earlier);
        site.control.expire_cursors();
        site.ok(&["pull", "acme"]);
        assert_file_complete(&site, "acme");
        site.control.expire_cursors();
        site.ok(&["pull", "acme"]);
        assert_file_complete(&site, "acme");
    }
}

#[test]
fn a_date_far_ahead_takes_nothing_of_the_following_day_away() {
    let site = site(100, 30);
    let now = Utc::now();
    let ahead = now + TimeDelta::days(365);
    site.control.add_json(Api::OrgEvents, org_event("ahead", ahead, ahead), now);
    site.ok(&["pull", "acme"]);
    site.control.add(Api::OrgEvents, 20);
    site.control.expire_cursors();
    site.ok(&["pull", "acme"]);
    assert_file_complete(&site, "acme");
}

#[test]
fn ties_across_a_page_and_a_refused_cursor_are_told_apart() {
    let site = site(0, 7);
    let at = Utc::now() - TimeDelta::hours(1);
    for n in 0..40 {
        let text = org_event(&format!("tie-{n}"), at, at);
        site.control.add_json(Api::OrgEvents, text, at);
    }
    for before in [2, 3] {
        site.control.inject_times(Api::OrgEvents, Fault::Pass, before);
        site.control.inject(Api::OrgEvents, Fault::ExpiredCursor);
    }
    site.ok(&["pull", "acme"]);
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    let text = org_event("tie-late", at, at);
    site.control.add_json(Api::OrgEvents, text, at);
    site.ok(&["pull", "acme"]);
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

/// Nine events and the first of an id, then its second, which says something else, and nine more;
/// all of one millisecond, ten a page.
fn site_with_duplicate_id() -> Site {
    let site = site(0, 10);
    let at = Utc::now() - TimeDelta::hours(1);
    let middle = ["twin", "twin"].map(str::to_owned);
    let before = (0..9).map(|n| format!("before-{n}"));
    let behind = (0..9).map(|n| format!("behind-{n}"));
    for (n, id) in before.chain(middle).chain(behind).enumerate() {
        let mut text = org_event(&id, at, at);
        text.truncate(text.len() - 1);
        site.control.add_json(Api::OrgEvents, format!(r#"{text},"n":{n}}}"#), at);
    }
    site
}

fn assert_holds_both(site: &Site) {
    let ids = site.read("acme").ids();
    let twins: Vec<_> = ids.iter().filter(|id| id.contains("twin")).collect();
    assert_eq!((ids.len(), twins.len()), (20, 2), "{twins:?}");
}

#[test]
fn a_second_record_of_an_id_is_not_lost_where_a_run_ends_between_the_two() {
    let mut site = site_with_duplicate_id();
    site.set("acme", "retry_for", "0s");
    site.control.inject(Api::OrgEvents, Fault::Pass);
    site.control.inject(Api::OrgEvents, status(503, None, ""));
    assert_eq!(site.run(&["pull", "acme"]).code, 3);
    assert_eq!(site.read("acme").ids().len(), 10);
    site.ok(&["pull", "acme"]);
    assert_holds_both(&site);
    site = site_with_duplicate_id();
    site.ok(&["pull", "acme", "--max-events", "10"]);
    site.ok(&["pull", "acme"]);
    assert_holds_both(&site);
}

#[test]
fn a_second_record_of_an_id_is_not_lost_where_a_run_is_killed_between_the_two() {
    let mut site = site_with_duplicate_id();
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.control.inject(Api::OrgEvents, Fault::Pass);
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let mut running = site.start(&["pull", "acme"]);
    let state = site.state().join("acme.json");
    eventually("a commit", || {
        std::fs::read_to_string(&state).is_ok_and(|text| text.contains(r#""events":10"#))
    });
    running.signal("KILL");
    running.end();
    site.ok(&["pull", "acme"]);
    assert_holds_both(&site);
}
