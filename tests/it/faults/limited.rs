//! How long a server asks to be left alone, in every form that it may say so.

use std::io::{BufRead as _, BufReader};
use std::ops::RangeInclusive;

use atlaudit::sandbox::Fault;
use chrono::{DateTime, TimeDelta, Utc};

use super::{BOTH, Bench, each, fails};
use crate::support::status;

type Headers = Vec<(&'static str, String)>;

/// Headers of a 429 as a function of the server's clock.
type Says = fn(DateTime<Utc>) -> Headers;

/// Our own back-off, where the server's word is of no use.
const OWN: RangeInclusive<f64> = 2.0..=2.3;
/// Thirty seconds with jitter, or less where the program was slow to start.
const THIRTY: RangeInclusive<f64> = 20.0..=34.2;

const BODY: &str = r#"{"code":429,"message":"Rate limit exceeded."}"#;

fn in_seconds(now: DateTime<Utc>, seconds: i64, form: &str) -> String {
    (now + TimeDelta::seconds(seconds)).format(form).to_string()
}

fn parse_http_date(now: DateTime<Utc>, seconds: i64) -> String {
    in_seconds(now, seconds, "%a, %d %b %Y %H:%M:%S GMT")
}

fn iso(now: DateTime<Utc>, seconds: i64) -> String {
    in_seconds(now, seconds, "%Y-%m-%dT%H:%M:%SZ")
}

fn minute(now: DateTime<Utc>, seconds: i64) -> String {
    in_seconds(now, seconds, "%Y-%m-%dT%H:%MZ")
}

fn limited(headers: Headers) -> Fault {
    Fault::Status {
        status: 429,
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body: BODY.to_owned(),
    }
}

/// Runs until a wait is announced, and ends it there: how many seconds it is.
fn announced_wait(bench: &Bench) -> f64 {
    let mut running = bench.site.start(&["pull", bench.name(), "-v"]);
    let stderr = BufReader::new(running.child().stderr.take().unwrap());
    let shown = stderr
        .lines()
        .map(Result::unwrap)
        .find(|line| line.contains("trying again in "))
        .expect("no wait is announced");
    running.signal("TERM");
    assert_eq!(running.end().code, 3);
    assert!(shown.contains("429"), "{shown}");
    let seconds = shown.split("trying again in ").nth(1).unwrap();
    seconds.split(' ').next().unwrap().parse().unwrap()
}

/// The wait that the server asks for is the one announced, and nothing is lost by ending it.
fn waits(bench: &Bench, says: Says, skew: i64, range: &RangeInclusive<f64>) {
    bench.site.control.set_behaviour(|behaviour| behaviour.clock_skew = skew);
    let headers = says(Utc::now() + TimeDelta::seconds(skew));
    bench.script_forever(limited(headers));
    let wait = announced_wait(bench);
    assert!(range.contains(&wait), "{wait} s, not {range:?}");
    bench.recovers();
}

fn retry(value: impl ToString) -> Headers {
    vec![("retry-after", value.to_string())]
}

fn reset(value: impl ToString) -> Headers {
    vec![("x-ratelimit-reset", value.to_string())]
}

fn both(seconds: impl ToString, at: impl ToString) -> Headers {
    [retry(seconds), reset(at)].concat()
}

/// All that Jira documents; the reset is the time of the request and `Retry-After`, cut to the
/// minute.
fn jira(now: DateTime<Utc>) -> Headers {
    let mut headers = both(30, minute(now, 30));
    headers.push(("ratelimit-reason", "jira-burst-based".to_owned()));
    headers.push(("x-ratelimit-limit", "100".to_owned()));
    headers.push(("x-ratelimit-remaining", "0".to_owned()));
    headers.push(("x-ratelimit-nearlimit", "true".to_owned()));
    headers
}

fn undocumented(now: DateTime<Utc>) -> Headers {
    vec![
        ("beta-ratelimit-reason", "jira-quota-based".to_owned()),
        ("beta-ratelimit-reset", iso(now, 30)),
    ]
}

#[test]
fn every_form_of_the_wait_is_understood() {
    let cases: [(&str, (Says, RangeInclusive<f64>)); 24] = [
        ("none", (|_| vec![], OWN)),
        ("seconds", (|_| retry(7), 7.0..=7.8)),
        ("zero seconds", (|_| retry(0), OWN)),
        ("less than nothing", (|_| retry(-5), OWN)),
        ("an HTTP date", (|now| retry(parse_http_date(now, 30)), THIRTY)),
        ("a past HTTP date", (|now| retry(parse_http_date(now, -30)), OWN)),
        ("a word", (|_| retry("soon"), OWN)),
        ("a reset", (|now| reset(iso(now, 30)), THIRTY)),
        ("an epoch", (|now| reset(now.timestamp() + 30), THIRTY)),
        ("milliseconds", (|now| reset(now.timestamp_millis() + 30_000), THIRTY)),
        ("an epoch with a fraction", (|now| reset(in_seconds(now, 30, "%s%.3f")), THIRTY)),
        ("a reset as an HTTP date", (|now| reset(parse_http_date(now, 30)), THIRTY)),
        ("a reset without a zone", (|now| reset(in_seconds(now, 30, "%Y-%m-%dT%H:%M:%S")), THIRTY)),
        ("a reset in seconds from now", (|_| reset(30), THIRTY)),
        ("a fraction of seconds", (|_| retry("7.5"), 7.5..=8.3)),
        ("a fraction of seconds to a reset", (|_| reset("7.5"), 7.5..=8.3)),
        ("a past reset", (|now| reset(iso(now, -3600)), OWN)),
        ("a past epoch", (|_| reset(1_000_000_000), OWN)),
        ("a garbled reset", (|_| reset("2026-99-99T99:99Z"), OWN)),
        ("both, the reset later", (|now| both(3, iso(now, 30)), THIRTY)),
        ("both, the reset sooner", (|now| both(30, iso(now, 3)), THIRTY)),
        ("both, one garbled", (|_| both(30, "soon"), THIRTY)),
        ("all that Jira documents", (jira, THIRTY)),
        ("undocumented names", (undocumented, OWN)),
    ];
    each(&BOTH, &cases, |bench, (says, range)| {
        waits(&bench, *says, 0, range);
    });
}

#[test]
fn a_reset_to_the_minute_is_rounded_up() {
    each(&BOTH, &[("two minutes ahead", ())], |bench, ()| {
        let now = Utc::now();
        // The minute's cut takes up to 59 s away; a whole one is added, then jitter and the date's
        // cut.
        let cut = now.timestamp() % 60;
        let least = f64::from(i32::try_from(120 - cut + 60).unwrap()) - 10.0;
        waits(&bench, |now| reset(minute(now, 120)), 0, &(least..=least + 22.0));
    });
}

#[test]
fn a_server_whose_clock_is_an_hour_off_is_waited_for_by_its_own() {
    for skew in [3600, -3600] {
        let cases: [(&str, Says); 3] = [
            ("a reset", |now| reset(iso(now, 30))),
            ("a date", |now| retry(parse_http_date(now, 30))),
            ("an epoch", |now| reset(now.timestamp() + 30)),
        ];
        each(&BOTH, &cases, |bench, says| {
            waits(&bench, *says, skew, &THIRTY);
        });
    }
}

#[test]
fn a_wait_beyond_the_retry_budget_is_not_started() {
    let cases: [(&str, Says); 4] = [
        ("an hour", |_| retry("3600")),
        ("longer than any clock", |_| retry("99999999999999999999999")),
        ("the year 9999", |_| reset("9999-12-31T23:59Z")),
        ("a reset in an hour", |now| reset(minute(now, 3600))),
    ];
    each(&BOTH, &cases, |bench, says| {
        bench.script_forever(limited(says(Utc::now())));
        bench.pull(&fails(5, &["429", "Rate limit exceeded.", "max_wait"]));
        assert_eq!(bench.site.control.request_count(bench.api), 2);
        assert_eq!(bench.report()["rate_limited"], 1);
        bench.recovers();
    });
}

#[test]
fn waits_that_never_help_are_given_up_without_a_tight_loop() {
    let cases: [(&str, Says); 3] = [
        ("without a word", |_| vec![]),
        ("a reset that is past already", |now| reset(iso(now, -60))),
        ("zero seconds", |_| retry("0")),
    ];
    each(&BOTH, &cases, |mut bench, says| {
        bench.set("max_wait", "1s");
        bench.script_forever(limited(says(Utc::now())));
        bench.pull(&fails(5, &["429", "max_wait"]));
        assert!(bench.site.control.request_count(bench.api) <= 3);
        bench.recovers();
    });
}

#[test]
fn a_503_may_ask_for_a_wait_too() {
    let one = status(503, Some(("retry-after", "1")), "{}");
    each(&BOTH, &[("a second", one)], |bench, fault| {
        // It is no failure to be borne: `retry_for` is nothing here.
        bench.script(fault.clone(), 1);
        bench.pull(&super::WHOLE);
        let asked = bench.site.control.requests();
        let waited = asked[2].at - asked[1].at;
        assert!(waited.as_millis() >= 1000, "{waited:?}");
        bench.recovers();
    });
    let hour = status(503, Some(("retry-after", "3600")), "{}");
    each(&BOTH, &[("an hour", hour)], |bench, fault| {
        bench.script_forever(fault.clone());
        bench.pull(&fails(5, &["503", "max_wait"]));
        bench.recovers();
    });
}
