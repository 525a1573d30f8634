//! Politeness: the quota, and the server's own pauses, waited for to their end.

use std::time::Duration;

use atlaudit::sandbox::{
    Api, EndOfStream, Fault, RateLimit, RateWindow, ResetPrecision, SandboxOptions,
};
use serde_json::Value;

use crate::support::{Run, Site, eventually, org_ids, small, status};

const MINUTE: Duration = Duration::from_secs(60);

/// `events` of which ten are a page; the stream ends with a null, so that there are no further requests.
fn site(events: usize) -> Site {
    let mut options: SandboxOptions = small(events, 0);
    options.behaviour.end_of_stream = EndOfStream::Null;
    let mut site = Site::new(options);
    site.set("acme", "page_size", 10);
    site
}

fn limited(header: Option<(&str, &str)>) -> Fault {
    let body = r#"{"errors":[{"code":"ADMIN-429-1","title":"Too many requests"}]}"#;
    status(429, header, body)
}

fn report(site: &Site) -> Value {
    let text = std::fs::read(site.path("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&text).unwrap();
    report["sources"][0].clone()
}

fn all(site: &Site, run: &Run) {
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn the_first_fifty_pages_go_at_once() {
    let mut site = site(500);
    // More than the quota is not needed to set it: the endpoint's own is 50.
    site.unset("acme", "requests_per_minute");
    let run = site.run(&["pull", "acme", "--report", "report.json"]);
    all(&site, &run);
    assert_eq!(site.control.max_in_window(Api::OrgEvents, MINUTE), 50);
    assert_eq!(report(&site)["waited_ms"], 0);
}

#[test]
fn a_server_that_limits_to_fifty_never_has_to_say_so() {
    for window in [RateWindow::Fixed, RateWindow::Rolling] {
        let mut site = site(500);
        site.unset("acme", "requests_per_minute");
        site.control.set_behaviour(|behaviour| {
            behaviour.org_rate_limit = Some(RateLimit { window, ..RateLimit::new(50, MINUTE) });
        });
        all(&site, &site.run(&["pull", "acme"]));
        let asked = site.control.requests();
        assert!(asked.iter().all(|request| request.status == 200));
    }
}

#[test]
fn no_more_than_the_quota_go_in_a_minute() {
    let mut site = site(100);
    site.set("acme", "requests_per_minute", 4);
    let mut running = site.start(&["pull", "acme", "--output", "out.jsonl"]);
    running.wait_for_message("waiting ");
    eventually("four pages", || site.line_count("out.jsonl") == 40);
    assert_eq!(site.control.request_count(Api::OrgEvents), 4);
    running.signal("TERM");
    running.end();
    assert_eq!(site.read("out.jsonl").ids().len(), 40);
}

#[test]
fn a_retry_after_is_waited_for() {
    for (header, least) in [("0", 0), ("1", 1000)] {
        let site = site(30);
        let fault = limited(Some(("retry-after", header)));
        site.control.inject(Api::OrgEvents, Fault::Pass);
        site.control.inject(Api::OrgEvents, fault);
        all(&site, &site.run(&["pull", "acme", "--report", "report.json"]));
        let asked = site.control.requests();
        let waited = asked[2].at - asked[1].at;
        assert!(waited >= Duration::from_millis(least), "{waited:?}");
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        let report = report(&site);
        assert_eq!((&report["rate_limited"], &report["retries"]), (&1.into(), &1.into()));
    }
}

#[test]
fn a_rate_limit_of_the_server_is_obeyed_to_the_end() {
    // A window as short as a second, so that the server refuses what our quota allows.
    for window in [RateWindow::Fixed, RateWindow::Rolling] {
        let site = site(60);
        site.control.set_behaviour(|behaviour| {
            behaviour.org_rate_limit = Some(RateLimit {
                window,
                retry_after: true,
                reset_precision: ResetPrecision::Second,
                ..RateLimit::new(4, Duration::from_millis(900))
            });
        });
        all(&site, &site.run(&["pull", "acme"]));
        let refusals = site.control.requests();
        let refusals = refusals.iter().filter(|request| request.status == 429);
        assert!(refusals.count() <= 2, "each refusal is waited for");
    }
}

#[test]
fn a_wait_until_a_date_is_obeyed() {
    let site = site(30);
    // Its grain is the second: begin with a full one, so that the next is a whole one away.
    let millis = u64::from(chrono::Utc::now().timestamp_subsec_millis());
    std::thread::sleep(Duration::from_millis(1_000 - millis));
    let date = chrono::Utc::now() + chrono::TimeDelta::seconds(1);
    let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let fault = limited(Some(("retry-after", &date)));
    site.control.inject(Api::OrgEvents, fault);
    all(&site, &site.run(&["pull", "acme"]));
    let asked = site.control.requests();
    let waited = asked[1].at - asked[0].at;
    assert!(waited > Duration::from_millis(500), "{waited:?}");
}

#[test]
fn a_pause_longer_than_allowed_is_abandoned_at_once() {
    let mut site = site(30);
    let fault = limited(Some(("retry-after", "3600")));
    site.control.inject_always(Api::OrgEvents, fault);
    site.run(&["pull", "acme"]).refused(5, &["429"]);
    site.control.clear_faults(Api::OrgEvents);
    // The next run keeps the pause, too: it holds for every user of the key.
    site.run(&["pull", "acme", "--repeat-errors"]).refused(5, &["another 35"]);
    assert_eq!(site.control.request_count(Api::OrgEvents), 1);
    site.set_env("ATLAUDIT_QUOTA_DIR", "forgotten");
    all(&site, &site.run(&["pull", "acme"]));
}
