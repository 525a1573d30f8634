//! Cursors of events-stream that hide events, break, stand elsewhere, or cannot be sent.

use std::time::Duration;

use atlaudit::sandbox::{Api, Behaviour, CursorPlace, EndOfStream, Fault, FilterClock};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Site, each_once, eventually, org_event, org_ids, status};

/// `acme` alone, into a file, fifty events a page, no failure retried.
fn site(events: usize, change: impl FnOnce(&mut Behaviour)) -> Site {
    Site::of(events, 0)
        .with("acme", "page_size", 50)
        .with("acme", "retry_for", "0s")
        .with_output("path", "{source}")
        .behaving(change)
}

/// The file holds each event that the sandbox has, once.
fn holds_each(site: &Site) {
    each_once(&site.read("acme").ids(), &org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn events_that_no_cursor_shows_are_found_by_time() {
    for end in [EndOfStream::Null, EndOfStream::CursorAlways, EndOfStream::NullWhenBounded] {
        for own_page in [false, true] {
            let site = site(120, |behaviour| {
                behaviour.end_of_stream = end;
                behaviour.trailing_empty_page = own_page;
                behaviour.snapshot_cursors = true;
            });
            site.ok(&["pull", "acme"]);
            for growth in [7, 130, 1] {
                site.control.add(Api::OrgEvents, growth);
                site.ok(&["pull", "acme"]);
                holds_each(&site);
            }
        }
    }
}

#[test]
fn an_idle_pull_costs_at_most_two_requests() {
    for end in [EndOfStream::Null, EndOfStream::CursorAlways, EndOfStream::NullWhenBounded] {
        for own_page in [false, true] {
            for events in [0, 120] {
                let site = site(events, |behaviour| {
                    behaviour.end_of_stream = end;
                    behaviour.trailing_empty_page = own_page;
                });
                site.ok(&["pull", "acme"]);
                for _ in 0..3 {
                    site.control.forget_requests();
                    site.ok(&["pull", "acme"]);
                    let requests = site.control.request_count(Api::OrgEvents);
                    assert!(requests <= 2, "{end:?} {own_page} {events}: {requests}");
                }
                holds_each(&site);
            }
        }
    }
}

#[test]
fn an_event_that_becomes_visible_before_the_cursor_is_found() {
    let site = site(60, |_| {});
    site.control.add(Api::OrgEvents, 1);
    site.ok(&["pull", "acme"]);
    let hidden = Utc::now() - TimeDelta::minutes(4);
    let show = |id| {
        site.control.add_json(Api::OrgEvents, org_event(id, hidden, hidden), hidden);
    };
    // An idle cursor is checked at once.
    show("first");
    site.ok(&["pull", "acme"]);
    holds_each(&site);
    // A busy one once an overlap.
    show("second");
    site.control.add(Api::OrgEvents, 3);
    site.ok(&["pull", "acme"]);
    let second = "org:second".to_owned();
    assert!(!site.read("acme").ids().contains(&second));
    site.control.add(Api::OrgEvents, 3);
    site.set_last_check(TimeDelta::minutes(11));
    site.ok(&["pull", "acme"]);
    holds_each(&site);
}

/// Between two pulls that are far apart: the check reads from before the last one, not only the
/// last minutes.
#[test]
fn an_event_that_became_visible_after_the_last_check_is_found_however_long_ago() {
    let site = site(60, |_| {});
    site.control.add(Api::OrgEvents, 1);
    site.ok(&["pull", "acme"]);
    let hidden = Utc::now() - TimeDelta::minutes(50);
    let text = org_event("hidden", hidden, hidden);
    site.control.add_json(Api::OrgEvents, text, hidden);
    site.control.add(Api::OrgEvents, 3);
    site.set_last_check(TimeDelta::minutes(45));
    site.ok(&["pull", "acme"]);
    holds_each(&site);
}

#[test]
fn a_cursor_that_starts_the_log_again_repeats_nothing() {
    let site = site(3_000, |behaviour| behaviour.expired_cursor_status = Some(200));
    site.ok(&["pull", "acme"]);
    site.control.expire_cursors();
    site.control.add(Api::OrgEvents, 3);
    let run = site.ok(&["pull", "acme"]);
    assert!(run.stderr.contains("does not know the saved cursor"), "{}", run.stderr);
    holds_each(&site);
}

#[test]
fn a_pull_that_is_stopped_while_it_reads_the_log_again_repeats_nothing() {
    let site = site(3_000, |behaviour| behaviour.expired_cursor_status = Some(200));
    site.ok(&["pull", "acme"]);
    site.control.expire_cursors();
    site.control.add(Api::OrgEvents, 3);
    site.control.forget_requests();
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(50));
    let mut running = site.start(&["pull", "acme"]);
    eventually("some pages", || site.control.request_count(Api::OrgEvents) > 5);
    running.signal("TERM");
    assert_eq!(running.end().code, 3);
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::ZERO);
    site.ok(&["pull", "acme"]);
    holds_each(&site);
}

#[test]
fn a_late_event_is_found_within_the_hour_where_no_cursor_is_left_and_from_looks_at_its_time() {
    let site = site(60, |behaviour| {
        behaviour.end_of_stream = EndOfStream::Null;
        behaviour.filter_clock = FilterClock::Time;
    });
    site.ok(&["pull", "acme"]);
    let now = Utc::now();
    let late = org_event("late", now - TimeDelta::hours(20), now);
    site.control.add_json(Api::OrgEvents, late, now);
    site.set_last_check(TimeDelta::minutes(61));
    site.ok(&["pull", "acme"]);
    holds_each(&site);
    site.control.add(Api::OrgEvents, 20);
    site.set_last_check(TimeDelta::minutes(61));
    site.ok(&["pull", "acme"]);
    holds_each(&site);
}

#[test]
fn follow_checks_an_idle_cursor_every_ten_minutes() {
    let site = site(60, |behaviour| {
        behaviour.end_of_stream = EndOfStream::CursorAlways;
        behaviour.snapshot_cursors = true;
    });
    site.ok(&["pull", "acme"]);
    site.control.add(Api::OrgEvents, 5);
    for (ago, found) in [(9, 60), (11, 65)] {
        site.set_last_check(TimeDelta::minutes(ago));
        site.control.forget_requests();
        let mut running = site.start(&["follow", "acme", "--every", "1s"]);
        eventually("two rounds", || {
            let events = site.read("acme").ids().len();
            site.control.request_count(Api::OrgEvents) >= 2 && events == found
        });
        running.signal("TERM");
        assert_eq!(running.end().code, 0);
        assert_eq!(site.read("acme").ids().len(), found, "{ago} minutes");
    }
}

#[test]
fn a_cursor_in_links_or_in_meta_alone_is_followed() {
    for place in [CursorPlace::Links, CursorPlace::Meta] {
        let site = site(230, |behaviour| behaviour.cursor_place = place);
        site.ok(&["pull", "acme"]);
        holds_each(&site);
        site.control.add(Api::OrgEvents, 120);
        site.ok(&["pull", "acme"]);
        holds_each(&site);
    }
}

#[test]
fn a_page_that_announces_more_without_a_cursor_is_not_the_end() {
    for body in [
        r#"{"data":[],"links":{"next":"https://api.example/events-stream"},"meta":{}}"#,
        r#"{"data":[],"links":{"next":"https://api.example/events-stream?cursor="}}"#,
        r#"{"data":[],"links":{"next":true}}"#,
        r#"{"data":[],"meta":{"next":null,"hasMore":true}}"#,
    ] {
        let site = site(5, |_| {});
        let fault = Fault::RawBody(body.to_owned());
        site.control.inject(Api::OrgEvents, fault);
        let run = site.run(&["pull", "acme"]);
        assert_eq!(run.code, 3, "{body}: {}", run.stderr);
        site.ok(&["pull", "acme"]);
        holds_each(&site);
    }
}

#[test]
fn a_kept_cursor_that_answers_500_is_left_for_a_read_by_time() {
    let site = site(120, |behaviour| behaviour.expired_cursor_status = Some(500));
    site.ok(&["pull", "acme"]);
    site.control.add(Api::OrgEvents, 70);
    site.control.expire_cursors();
    let run = site.ok(&["pull", "acme"]);
    assert!(run.stderr.contains("the cursor cannot be used"), "{}", run.stderr);
    holds_each(&site);
    // A server that is down is not taken for it.
    site.control.inject_always(Api::OrgEvents, status(500, None, ""));
    assert_eq!(site.run(&["pull", "acme"]).code, 3);
    site.control.clear_faults(Api::OrgEvents);
    site.control.add(Api::OrgEvents, 10);
    site.ok(&["pull", "acme"]);
    holds_each(&site);
}

#[test]
fn a_cursor_that_cannot_be_sent_is_refused_when_it_comes_and_when_it_was_kept() {
    let site = site(120, |behaviour| behaviour.cursor_padding = 70_000);
    let run = site.run(&["pull", "acme"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("too long to be sent back"), "{}", run.stderr);
    let path = site.state().join("acme.json");
    if let Ok(state) = std::fs::read_to_string(&path) {
        assert!(!state.contains("xxxx"));
    }
    site.control.set_behaviour(|behaviour| behaviour.cursor_padding = 0);
    site.ok(&["pull", "acme"]);
    holds_each(&site);
    // As an earlier version may have left it.
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    state["windows"][0]["cursor"] = json!("x".repeat(70_000));
    std::fs::write(&path, state.to_string()).unwrap();
    site.control.add(Api::OrgEvents, 70);
    let run = site.ok(&["pull", "acme"]);
    assert!(run.stderr.contains("too long to be sent"), "{}", run.stderr);
    holds_each(&site);
}
