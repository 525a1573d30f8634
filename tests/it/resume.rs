//! Going on with org events where the last pull ended, whatever became of the cursor.

use atlaudit::sandbox::{Api, EndOfStream, Fault, FilterClock};

use chrono::{SecondsFormat, TimeDelta, Utc};

use crate::support::{Site, org_ids, status};

const CLOCKS: [FilterClock; 2] = [FilterClock::ProcessedAt, FilterClock::Time];

/// Every way in which the stream may end: what `meta.next` is, and whether a null has a page of its
/// own.
const ENDS: [(EndOfStream, bool); 5] = [
    (EndOfStream::Null, false),
    (EndOfStream::Null, true),
    (EndOfStream::CursorAlways, false),
    (EndOfStream::NullWhenBounded, false),
    (EndOfStream::NullWhenBounded, true),
];

/// `acme` alone, into a file, `page` events a page.
fn site(events: usize, page: i64) -> Site {
    Site::of(events, 0).with("acme", "page_size", page).with_output("path", "{source}")
}

/// The file holds what the sandbox serves, in its order.
fn holds_all(site: &Site) {
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn every_end_of_stream_is_the_end_and_goes_on() {
    for (end, own_page) in ENDS {
        for strict in [false, true] {
            let site = site(300, 50);
            site.control.set_behaviour(|behaviour| {
                behaviour.end_of_stream = end;
                behaviour.trailing_empty_page = own_page;
                behaviour.strict_cursor = strict;
            });
            site.ok(&["pull", "acme"]);
            holds_all(&site);
            site.ok(&["pull", "acme"]);
            holds_all(&site);
            site.control.add(Api::OrgEvents, 70);
            site.ok(&["pull", "acme"]);
            holds_all(&site);
        }
    }
}

#[test]
fn a_cursor_refused_at_the_start_loses_and_repeats_nothing() {
    for clock in CLOCKS {
        for (end, own_page) in ENDS {
            let site = site(300, 50);
            site.control.set_behaviour(|behaviour| {
                behaviour.filter_clock = clock;
                behaviour.end_of_stream = end;
                behaviour.trailing_empty_page = own_page;
            });
            site.ok(&["pull", "acme"]);
            site.control.add(Api::OrgEvents, 70);
            site.control.expire_cursors();
            if end == EndOfStream::Null {
                // It is read from far back once an hour.
                site.set_last_check(TimeDelta::minutes(61));
            }
            let run = site.ok(&["pull", "acme"]);
            // Where the stream ended without a cursor, none was kept that could be refused.
            let is_kept = end != EndOfStream::Null;
            assert_eq!(run.stderr.contains("warning: "), is_kept, "{}", run.stderr);
            assert_eq!(run.stderr.contains("cursor"), is_kept, "{}", run.stderr);
            holds_all(&site);
        }
    }
}

#[test]
fn a_cursor_refused_on_the_way_loses_and_repeats_nothing() {
    for clock in CLOCKS {
        // Pages of 100 end inside a group of events that share a millisecond; those of 30 do not.
        for (page, before) in [(100, 1), (100, 2), (30, 1), (30, 4)] {
            let site = site(400, page);
            site.control.set_behaviour(|behaviour| behaviour.filter_clock = clock);
            site.control.inject_times(Api::OrgEvents, Fault::Pass, before);
            site.control.inject(Api::OrgEvents, Fault::ExpiredCursor);
            site.ok(&["pull", "acme"]);
            holds_all(&site);
            site.control.add(Api::OrgEvents, 40);
            site.control.expire_cursors();
            site.ok(&["pull", "acme"]);
            holds_all(&site);
        }
    }
}

/// So many short events, spread over the last twenty hours: a fall-back reads all of them again,
/// and more than are remembered.
fn add_a_day(site: &Site, events: i32) {
    let span = TimeDelta::hours(20);
    let start = Utc::now() - span;
    for n in 0..events {
        let at = start + span / events * n;
        let text = format!(
            r#"{{"id":"{n}","attributes":{{"action":"user_login","processedAt":"{}"}}}}"#,
            at.to_rfc3339_opts(SecondsFormat::Millis, true)
        );
        site.control.add_json(Api::OrgEvents, text, at);
    }
}

#[test]
fn a_reading_by_time_that_is_interrupted_twice_repeats_nothing() {
    let mut site = site(0, 400);
    site.set("acme", "retry_for", "0s");
    add_a_day(&site, 4_000);
    site.ok(&["pull", "acme"]);
    site.control.expire_cursors();
    site.control.add(Api::OrgEvents, 30);
    // The refused cursor and two pages, then two pages behind the new cursor.
    for answered in [3, 2] {
        site.control.inject_times(Api::OrgEvents, Fault::Pass, answered);
        site.control.inject(Api::OrgEvents, status(503, None, ""));
        let run = site.run(&["pull", "acme"]);
        assert_eq!(run.code, 3, "{}", run.stderr);
    }
    site.ok(&["pull", "acme"]);
    holds_all(&site);
    // Once it was read to its end, only news come: also what is dated long ago.
    let long_ago = Utc::now() - TimeDelta::hours(19);
    let text = format!(
        r#"{{"id":"stray","attributes":{{"action":"user_login","processedAt":"{}"}}}}"#,
        long_ago.to_rfc3339_opts(SecondsFormat::Millis, true)
    );
    site.control.add_json(Api::OrgEvents, text, Utc::now());
    site.ok(&["pull", "acme"]);
    holds_all(&site);
}
