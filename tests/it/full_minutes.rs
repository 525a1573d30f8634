//! Proof against the real clock: a server that counts requests a minute never has to
//! refuse one. Ignored, for it takes minutes: `cargo test --test it full_minutes -- --ignored`.

use std::time::{Duration, Instant};

use atlaudit::sandbox::{Api, RateLimit, RateWindow};

use crate::support::{Site, org_ids, small};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "takes two minutes"]
fn no_429_in_120_pages_when_the_server_counts_each_minute_of_the_clock() {
    pull_120_pages(RateWindow::Fixed);
}

#[test]
#[ignore = "takes two minutes"]
fn no_429_in_120_pages_when_the_server_counts_any_sixty_seconds() {
    pull_120_pages(RateWindow::Rolling);
}

#[test]
#[ignore = "takes two minutes"]
fn no_429_in_120_pages_of_two_programs_at_once() {
    let mut options = small(595, 0);
    options.behaviour.org_rate_limit =
        Some(RateLimit { window: RateWindow::Rolling, ..RateLimit::new(50, MINUTE) });
    let mut site = Site::new(options);
    site.unset("acme", "requests_per_minute");
    site.set("acme", "page_size", 10);
    let outputs = ["one.jsonl", "two.jsonl"];
    let running = outputs.map(|name| {
        let state = format!("state of {name}");
        site.start(&["pull", "acme", "--state-dir", &state, "--output", name])
    });
    for (one, name) in running.into_iter().zip(outputs) {
        let run = one.end();
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert_eq!(site.read(name).ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    }
    assert_no_429(&site);
}

fn pull_120_pages(window: RateWindow) {
    let mut options = small(1195, 0);
    options.behaviour.org_rate_limit = Some(RateLimit { window, ..RateLimit::new(50, MINUTE) });
    let mut site = Site::new(options);
    site.unset("acme", "requests_per_minute");
    site.set("acme", "page_size", 10);
    let run = site.ok(&["pull", "acme"]);
    assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    assert_no_429(&site);
}

#[test]
#[ignore = "takes six minutes"]
fn three_hundred_slow_pages_take_as_long_as_the_limit() {
    let took = pull_slow_pages(300, Duration::from_secs(3));
    assert!(took < MINUTE * 6 * 105 / 100, "{took:?}");
}

#[test]
#[ignore = "takes nine minutes"]
fn pages_of_five_seconds_still_use_the_full_limit() {
    let took = pull_slow_pages(400, Duration::from_secs(5));
    // One after the other: 33 minutes.
    assert!(took < MINUTE * 10, "{took:?}");
}

/// How long a pull of so many pages takes from a server that allows 50 in any minute.
fn pull_slow_pages(pages: usize, latency: Duration) -> Duration {
    let mut options = small(pages * 50, 0);
    options.behaviour.org_latency = latency;
    options.behaviour.org_rate_limit =
        Some(RateLimit { window: RateWindow::Rolling, ..RateLimit::new(50, MINUTE) });
    let mut site = Site::new(options);
    site.unset("acme", "requests_per_minute");
    site.set("acme", "page_size", 50);
    let begun = Instant::now();
    let run = site.ok(&["pull", "acme"]);
    let took = begun.elapsed();
    assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    assert_no_429(&site);
    let asked = site.control.requests();
    // But for the last minute, in which there is no more to ask for, at least 98 % of what is
    // allowed.
    let full = asked.len() / 50 - 1;
    let used = asked[50 * full].at - asked[0].at;
    let allowed = MINUTE * u32::try_from(full).unwrap();
    assert!(used * 98 / 100 <= allowed, "{used:?} for {allowed:?}");
    took
}

fn assert_no_429(site: &Site) {
    let asked = site.control.requests();
    assert!(asked.len() >= 120, "{} requests", asked.len());
    assert!(asked.iter().all(|request| request.status == 200));
    assert!(site.control.max_in_window(Api::OrgEvents, MINUTE) <= 50);
}
