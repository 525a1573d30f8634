//! Times that make trouble: dates ahead and behind, and thousands in one millisecond.

use atlaudit::sandbox::{Api, Fault, FilterClock};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::{BOTH, Bench, WHOLE, each, fails};

/// A record of the bench's API that says that it happened at `time` and was processed at
/// `processed`.
fn text(bench: &Bench, id: usize, time: DateTime<Utc>, processed: DateTime<Utc>) -> String {
    let iso = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let (time, processed) = (iso(time), iso(processed));
    match bench.api {
        Api::OrgEvents => format!(
            r#"{{"id":"e{id}","attributes":{{"action":"user_login","time":"{time}","processedAt":"{processed}"}}}}"#
        ),
        _ => {
            format!(r#"{{"id":{id},"summary":"User created","created":"{time}"}}"#)
        }
    }
}

#[test]
fn a_server_whose_clock_is_an_hour_off_loses_nothing() {
    each(&BOTH, &[("ahead", 60), ("behind", -60)], |bench, minutes| {
        for (run, ids) in [(1, 0..15), (2, 15..40)] {
            for id in ids {
                // What the records say is off; Jira would not show what lies behind its own
                // present.
                let now = Utc::now() - TimeDelta::seconds(60) + TimeDelta::milliseconds(10 * run);
                let said = now + TimeDelta::minutes(*minutes);
                let place = match bench.api {
                    Api::OrgEvents => said,
                    _ => now.min(said),
                };
                bench.add(text(&bench, 1_000_000 + id, said, said), place);
            }
            bench.pull(&WHOLE);
            bench.is_whole();
            bench.site.control.expire_cursors();
            bench.pull(&WHOLE);
            bench.is_whole();
        }
        bench.recovers();
    });
}

#[test]
fn a_wrong_date_skips_no_unread_records() {
    // A date of today on a record of three weeks ago, and the run ends behind it. The first is
    // inside what a server's clock may be ahead.
    let cases = [("an hour ahead", 60), ("a minute ago", -1), ("a year ahead", 525_600)];
    each(&BOTH, &cases, |mut bench, minutes| {
        if bench.api == Api::JiraAudit {
            // Where the slices end must not depend on the time of day, as the sandbox's own records
            // do.
            bench = Bench::new(bench.api, 0);
        }
        let place = Utc::now() - TimeDelta::days(28);
        let said = Utc::now() + TimeDelta::minutes(*minutes);
        bench.add(text(&bench, 1_000_000, said, said), place);
        match bench.api {
            Api::OrgEvents => {
                bench.script(Fault::Pass, 1);
                bench.site.control.inject(bench.api, Fault::ExpiredCursor);
                bench.pull(&WHOLE);
            }
            _ => {
                // Four pages are too much for a slice; of what lies before them, a later slice
                // fails.
                for minutes in 1..=6_000 {
                    let at = place + TimeDelta::minutes(minutes);
                    let id = 2_000_000 + usize::try_from(minutes).unwrap();
                    bench.add(text(&bench, id, at, at), at);
                }
                // Before them are a few, which fill the first slice that is handed on.
                for hours in 1..=48 {
                    let at = place - TimeDelta::hours(hours);
                    let id = 3_000_000 + usize::try_from(hours).unwrap();
                    bench.add(text(&bench, id, at, at), at);
                }
                bench.set("page_size", 1000);
                bench.site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "1000");
                let written = (5..40).find_map(|passes| {
                    bench.site.control.clear_faults(bench.api);
                    bench.site.control.inject_times(bench.api, Fault::Pass, passes);
                    bench.site.control.inject_always(bench.api, Fault::CloseMidBody);
                    bench.pull(&fails(3, &["ends the connection early"]));
                    Some(bench.written().len()).filter(|&written| written > 0)
                });
                let written = written.unwrap();
                assert!((1..3_000).contains(&written), "{written}");
            }
        }
        bench.site.control.clear_faults(bench.api);
        bench.pull(&WHOLE);
        // The order of the file is by the records' own dates, wrong ones too.
        bench.holds_each();
    });
}

#[test]
fn a_late_event_that_lies_before_everything_written_is_found() {
    for clock in [FilterClock::ProcessedAt, FilterClock::Time] {
        let mut bench = Bench::new(Api::OrgEvents, 35);
        // A server that filters by the time of an event would not show one from before the window.
        bench.set("initial_lookback", "120d");
        bench.site.control.set_behaviour(|behaviour| behaviour.filter_clock = clock);
        bench.pull(&WHOLE);
        let (now, ancient) = (Utc::now(), Utc::now() - TimeDelta::days(90));
        bench.add(text(&bench, 1, ancient, now), now);
        bench.pull(&WHOLE);
        bench.recovers();
    }
    // Also where the cursor is refused, as long as the server filters by the time of processing.
    let bench = Bench::new(Api::OrgEvents, 35);
    bench.pull(&WHOLE);
    let (now, ancient) = (Utc::now(), Utc::now() - TimeDelta::days(90));
    bench.add(text(&bench, 1, ancient, now), now);
    bench.site.control.expire_cursors();
    bench.pull(&WHOLE);
    bench.recovers();
}

/// 5,000 records in one millisecond, and a few around them.
fn crowded(api: Api) -> Bench {
    let mut bench = Bench::new(api, 35);
    bench.set("page_size", 500);
    let at = Utc::now() - TimeDelta::hours(1);
    for id in 1..=5_000 {
        bench.add(text(&bench, 2_000_000 + id, at, at), at);
    }
    bench
}

#[test]
fn five_thousand_records_in_one_millisecond() {
    for api in BOTH {
        let bench = crowded(api);
        bench.pull(&WHOLE);
        bench.recovers();
    }
}

#[test]
fn a_fault_among_five_thousand_records_of_one_millisecond() {
    let bench = crowded(Api::OrgEvents);
    for pages in [4, 6] {
        let control = &bench.site.control;
        control.inject_times(bench.api, Fault::Pass, pages);
        control.inject(bench.api, Fault::ExpiredCursor);
    }
    bench.pull(&WHOLE);
    bench.recovers();

    // One failed page is read around by narrower ranges of time; one that always fails cannot be.
    for (times, end) in [(1, WHOLE), (1_000, fails(3, &["cannot be read"]))] {
        let bench = crowded(Api::JiraAudit);
        let control = &bench.site.control;
        control.inject_times(bench.api, Fault::Pass, 15);
        control.inject_times(bench.api, Fault::TruncatedJson, times);
        bench.pull(&end);
        bench.recovers();
    }
}
