//! `pull --backfill`: the history grows backwards, each event once, and pulls go on as before.

use std::fs;
use std::time::Duration;

use atlaudit::sandbox::{Api, CLOUD_ID, FilterClock, RangeEnd};
use chrono::{DateTime, SecondsFormat, TimeDelta, Timelike as _, Utc};
use serde_json::Value;

use crate::live_alerts;
use crate::support::{
    Outputs, Run, Site, assert_distinct_ids, crash_points, each_once, eventually, jira_ids,
    kill_seed, org_event, org_ids, small,
};

/// A site whose first pull reads the last ten days, of a month of events.
fn site(events: usize, lookback: &str) -> Site {
    let mut options = small(events, events);
    options.data.confluence_records = events;
    options.data.datacenter_events = events;
    let mut site = Site::new(options).with_all_sources().with_workspaces();
    site.set_output("path", "out/{source}.jsonl");
    for (source, _) in SOURCES {
        site.set(source, "initial_lookback", lookback);
    }
    site
}

const SOURCES: [(&str, Api); 6] = [
    ("acme", Api::OrgEvents),
    ("acme-jira", Api::JiraAudit),
    ("acme-confluence", Api::ConfluenceAudit),
    ("acme-dc", Api::DatacenterAudit),
    ("acme-jira-ws", Api::JiraWorkspace),
    ("acme-confluence-ws", Api::ConfluenceWorkspace),
];

fn written(site: &Site, source: &str) -> Run {
    Outputs::new(site.path("out"), source).read()
}

/// The files of the source hold each event once.
fn assert_all(what: &str, site: &Site, source: &str, api: Api) {
    let all = written(site, source);
    let own = site.control.ids(api);
    let count = all.lines().len();
    assert_eq!(count, own.len(), "{what}: {source}");
    match source {
        "acme" => each_once(&all.ids(), &org_ids(&own)),
        "acme-jira" => each_once(&all.ids(), &jira_ids(&own)),
        "acme-confluence" | "acme-dc" => assert_distinct_ids(&all, site.control.texts(api)),
        _ => {
            let own = own.into_iter().map(|id| format!("ws:{CLOUD_ID}:{id}"));
            each_once(&all.ids(), &own.collect::<Vec<_>>());
        }
    }
}

fn state(site: &Site, source: &str) -> Value {
    let text = fs::read(site.state().join(format!("{source}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// What a backfill must leave alone.
fn forward(site: &Site, source: &str) -> Value {
    let state = state(site, source);
    ["since", "windows", "watermark", "complete_until"].map(|key| state[key].clone()).into()
}

fn pass_a_millisecond() {
    std::thread::sleep(Duration::from_millis(5));
}

#[test]
fn every_kind_of_source_grows_backwards_step_by_step() {
    for clock in [FilterClock::ProcessedAt, FilterClock::Time] {
        let site = site(200, "10d");
        site.control.set_behaviour(|behaviour| behaviour.filter_clock = clock);
        for (source, api) in SOURCES {
            let pull = |args: &[&str]| site.ok(&[&["pull", source], args].concat());
            pull(&[]);
            let first = written(&site, source).lines().len();
            let before = forward(&site, source);
            let plan = pull(&["--backfill", "20d", "--dry-run"]).stderr;
            assert!(plan.contains("  reads       "), "{plan}");
            pull(&["--backfill", "20d"]);
            let second = written(&site, source).lines().len();
            pull(&["--backfill", "40d", "--report", "report.json"]);
            let third = written(&site, source).lines().len();
            assert!(0 < first && first < second && second < third, "{first} {second} {third}");
            assert_eq!(forward(&site, source), before, "{source}");
            assert_all(&format!("{clock:?}"), &site, source, api);
            let report: Value = serde_json::from_slice(&site.read("report.json").stdout).unwrap();
            assert_eq!(report["sources"][0]["events"], third - second);
            // Once it was read, there is nothing to do.
            for again in ["39d", "20d", "1d"] {
                let run = pull(&["--backfill", again]);
                assert!(run.stderr.contains("nothing to read before"), "{}", run.stderr);
            }
            site.control.add(api, 15);
            pass_a_millisecond();
            pull(&[]);
            assert_all("after news", &site, source, api);
            let status = site.ok(&["status", source, "--json"]).text();
            let status: Value = serde_json::from_str(status.lines().next().unwrap()).unwrap();
            assert_eq!(status["holes"], Value::Array(Vec::new()), "{status}");
        }
    }
}

#[test]
fn the_seam_loses_and_repeats_nothing() {
    for clock in [FilterClock::ProcessedAt, FilterClock::Time] {
        let mut site = site(5, "10d");
        site.control.set_behaviour(|behaviour| behaviour.filter_clock = clock);
        let begins = (Utc::now() - TimeDelta::days(9)).with_nanosecond(500_000_000).unwrap();
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        for (number, ms) in
            [-1001, -501, -500, -2, -1, 0, 1, 499, 500, 999, 1000, 1001].into_iter().enumerate()
        {
            let at = begins + TimeDelta::milliseconds(ms);
            // Some are processed later than they happened, to the other side of the seam.
            let late = at + TimeDelta::milliseconds([0, 3, 1500, 90_000][number % 4]);
            site.control.add_json(Api::OrgEvents, org_event(&format!("s{number}"), at, late), late);
            let jira = format!(
                r#"{{"id":{},"summary":"s","created":"{}","category":"c"}}"#,
                900_000 + number,
                at.format("%Y-%m-%dT%H:%M:%S%.3f+0000")
            );
            site.control.add_json(Api::JiraAudit, jira, at);
        }
        for (source, api) in [SOURCES[0], SOURCES[1]] {
            site.set(source, "initial_from", text(begins));
            site.unset(source, "initial_lookback");
            site.ok(&["pull", source]);
            let first = written(&site, source).lines().len();
            site.ok(&["pull", source, "--backfill", "60d"]);
            assert!(written(&site, source).lines().len() > first);
            assert_all(&format!("{clock:?}"), &site, source, api);
        }
    }
}

#[test]
fn a_source_without_news_is_extended_and_never_read_twice() {
    for (source, api) in [SOURCES[0], SOURCES[1]] {
        let site = site(30, "1s");
        site.ok(&["pull", source]);
        assert_eq!(written(&site, source).lines().len(), 0);
        site.ok(&["pull", source, "--backfill", "60d"]);
        assert_all("backfilled", &site, source, api);
        // No pull has found an event yet, and none reads what was backfilled.
        site.ok(&["pull", source]);
        let mut site = site;
        site.set(source, "initial_lookback", "31d");
        site.ok(&["pull", source]);
        site.control.add(api, 5);
        pass_a_millisecond();
        site.ok(&["pull", source]);
        assert_all("after pulls", &site, source, api);
    }
}

/// The organization's log, of which the first pull reads ten days, at a server whose expired
/// cursors lead to its start.
fn site_that_begins_again() -> Site {
    let mut site = site(300, "10d");
    site.set("acme", "page_size", 50);
    site.control.set_behaviour(|behaviour| behaviour.expired_cursor_status = Some(200));
    site.ok(&["pull", "acme"]);
    site
}

fn pull_after_the_cursor_expired(site: &Site) {
    site.control.expire_cursors();
    site.control.add(Api::OrgEvents, 3);
    let run = site.ok(&["pull", "acme"]);
    assert!(run.stderr.contains("does not know the saved cursor"), "{}", run.stderr);
}

#[test]
fn a_log_that_begins_again_brings_nothing_from_before_the_first_pull() {
    for backfilled in [false, true] {
        let site = site_that_begins_again();
        if backfilled {
            site.ok(&["pull", "acme", "--backfill", "20d"]);
        }
        let before = written(&site, "acme").lines().len();
        pull_after_the_cursor_expired(&site);
        assert_eq!(written(&site, "acme").lines().len(), before + 3);
        site.ok(&["pull", "acme", "--backfill", "60d"]);
        assert_all("begun again", &site, "acme", Api::OrgEvents);
    }
}

/// One that shows at once what is old and what is new may have shown late events.
#[test]
fn a_short_log_that_begins_again_repeats_nothing() {
    let mut site = site_that_begins_again();
    site.unset("acme", "page_size");
    site.ok(&["pull", "acme", "--backfill", "20d"]);
    site.control.expire_cursors();
    site.control.add(Api::OrgEvents, 3);
    site.ok(&["pull", "acme"]);
    site.ok(&["pull", "acme", "--backfill", "60d"]);
    assert_all("begun again", &site, "acme", Api::OrgEvents);
}

#[test]
fn a_backfill_whose_log_begins_again_stays_in_its_window() {
    let mut site = site_that_begins_again();
    site.set("acme", "page_size", 20);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.set_env("ATLAUDIT_CRASH_AT", "15");
    assert_eq!(site.run(&["pull", "acme", "--backfill", "25d"]).code, 128 + 6);
    site.unset_env("ATLAUDIT_CRASH_AT");
    assert!(state(&site, "acme")["backfill"]["windows"][0]["cursor"].is_string());
    site.control.expire_cursors();
    site.ok(&["pull", "acme", "--backfill", "25d"]);
    site.ok(&["pull", "acme", "--backfill", "60d"]);
    assert_all("begun again", &site, "acme", Api::OrgEvents);
}

#[test]
fn what_happens_during_the_backfill_of_a_server_that_ignores_its_end_is_not_repeated() {
    let site = site(60, "10d");
    site.control.set_behaviour(|behaviour| {
        behaviour.jira_end = RangeEnd::Ignored;
        behaviour.jira_latency = Duration::from_millis(50);
    });
    site.ok(&["pull", "acme-jira"]);
    site.control.forget_requests();
    let running = site.start(&["pull", "acme-jira", "--backfill", "60d"]);
    // Between what was written at the seam, which is read first, and the rest.
    eventually("the first request", || site.control.request_count(Api::JiraAudit) > 0);
    site.control.add(Api::JiraAudit, 1);
    eventually("some more", || site.control.request_count(Api::JiraAudit) > 2);
    site.control.add(Api::JiraAudit, 1);
    let run = running.end();
    assert_eq!(run.code, 0, "{}", run.stderr);
    pass_a_millisecond();
    site.ok(&["pull", "acme-jira"]);
    assert_all("end ignored", &site, "acme-jira", Api::JiraAudit);
}

/// Backfills that die, each a passage later in a site of its own, with a pull between or not.
fn crash_backfills(source: &str, api: Api, compression: &str, rotate: &str) {
    let mut points = Vec::new();
    for passage in 1.. {
        let mut site = site(40, "10d");
        site.set_output("compression", compression);
        site.set_output("rotate", rotate);
        site.set(source, "page_size", 8);
        site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
        site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "8");
        site.ok(&["pull", source]);
        let before = forward(&site, source);
        let trace = site.path("trace");
        site.set_env("ATLAUDIT_CRASH_TRACE", trace.to_str().unwrap());
        site.set_env("ATLAUDIT_CRASH_AT", &passage.to_string());
        let run = site.run(&["pull", source, "--backfill", "60d"]);
        site.unset_env("ATLAUDIT_CRASH_AT");
        if run.code == 0 {
            break;
        }
        assert_eq!(run.code, 128 + 6, "{}", run.stderr);
        let trace = fs::read_to_string(&trace).unwrap();
        let point = trace.lines().last().unwrap().to_owned();
        let what = format!("{source} {compression} {rotate}: passage {passage}, {point}");
        if passage % 2 == 0 {
            site.control.add(api, 4);
            pass_a_millisecond();
            site.ok(&["pull", source]);
        } else {
            assert_eq!(forward(&site, source), before, "{what}");
        }
        site.ok(&["pull", source, "--backfill", "60d"]);
        assert_all(&what, &site, source, api);
        let again = site.ok(&["pull", source, "--backfill", "60d"]);
        assert!(again.stderr.contains("\n") && !state(&site, source)["backfill"].is_object());
        assert_all(&what, &site, source, api);
        points.push(point);
    }
    for point in ["Locked", "HalfAppended", "OutputDurable", "StateWritten", "StateDurable"] {
        assert!(points.iter().any(|passed| passed == point), "never at {point}: {points:?}");
        assert!(crash_points().contains(&point));
    }
}

#[test]
fn an_organizations_backfill_survives_a_crash_at_every_point() {
    crash_backfills("acme", Api::OrgEvents, "none", "never");
    crash_backfills("acme", Api::OrgEvents, "gzip", "2KiB");
}

#[test]
fn jiras_backfill_survives_a_crash_at_every_point() {
    crash_backfills("acme-jira", Api::JiraAudit, "none", "never");
}

#[test]
fn a_backfill_of_records_without_ids_survives_a_crash_at_every_point() {
    crash_backfills("acme-dc", Api::DatacenterAudit, "zstd", "2KiB");
}

#[test]
fn random_kills_of_backfills_and_pulls_lose_nothing_and_repeat_nothing() {
    let mut random = fastrand::Rng::with_seed(kill_seed());
    let mut site = site(150, "10d");
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "10");
    let some = &SOURCES[..4];
    for (source, _) in some {
        site.set(source, "page_size", 10);
    }
    site.control.set_behaviour(|behaviour| {
        behaviour.org_latency = Duration::from_millis(10);
        behaviour.jira_latency = Duration::from_millis(10);
    });
    let names: Vec<_> = some.iter().map(|(source, _)| *source).collect();
    let pull = |more: &[&'static str]| [&["-q", "pull"], names.as_slice(), more].concat();
    site.ok(&pull(&[]));
    for _ in 0..12 {
        let args = if random.bool() { pull(&["--backfill", "60d"]) } else { pull(&[]) };
        let mut running = site.start(&args);
        std::thread::sleep(Duration::from_millis(random.u64(0..500)));
        running.child().kill().unwrap();
        running.end();
        some.iter().for_each(|(_, api)| site.control.add(*api, random.usize(0..6)));
    }
    pass_a_millisecond();
    site.ok(&pull(&["--backfill", "60d"]));
    site.ok(&pull(&[]));
    for (source, api) in some {
        assert_all("after kills", &site, source, *api);
    }
}

#[test]
fn alerts_and_a_shared_file_take_a_backfill() {
    let mut site = site(40, "10d");
    site.set_output("path", "out/all.jsonl");
    site.set_detect(live_alerts::DETECT);
    site.ok(&["pull", "acme", "acme-jira"]);
    site.ok(&["pull", "acme", "acme-jira", "--backfill", "60d"]);
    let mut wanted = org_ids(&site.control.ids(Api::OrgEvents));
    wanted.extend(jira_ids(&site.control.ids(Api::JiraAudit)));
    each_once(&written(&site, "all").ids(), &wanted);
    let run = site.ok(&["pull", "acme"]);
    assert!(run.stderr.contains("written before without being judged"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_extended_is_refused() {
    let site = site(10, "10d");
    let backfill = ["pull", "acme", "--backfill", "60d"];
    site.run(&backfill).refused(6, &["was never pulled", "pull it first"]);
    site.run(&["pull", "acme", "--backfill", "60d", "--dry-run"]).refused(6, &["was never pulled"]);
    site.run(&["pull", "acme", "--backfill", "2099-01-01"]).refused(2, &["not in the past"]);
    assert_eq!(site.run(&["pull", "--backfill", "9d", "--since", "1d"]).code, 2);
    site.ok(&["pull", "acme"]);
    let run = site.ok(&["pull", "acme", "--backfill", "400d"]);
    assert!(run.stderr.contains("this source keeps at most 180 days"), "{}", run.stderr);
    assert_all("beyond what is kept", &site, "acme", Api::OrgEvents);
    // A clock that was ahead at the first pull.
    let path = site.state().join("acme.json");
    let mut known = state(&site, "acme");
    known["since"] = "2099-01-01T00:00:00Z".into();
    known.as_object_mut().unwrap().remove("backfilled_to");
    fs::write(&path, known.to_string()).unwrap();
    site.run(&backfill).refused(6, &["where it really begins is not known", "--since"]);
}
