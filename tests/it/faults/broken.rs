//! Answers that fail on their way, or are no answers: refused, reset, cut short, garbled, endless,
//! slow.

use std::time::{Duration, Instant};

use atlaudit::sandbox::{Api, Fault};

use super::{BOTH, Bench, WHOLE, each, fails};
use crate::support::{each_once, status};

/// What befalls a request, and what is said of it when it stays.
struct Broken {
    fault: Fault,
    says: &'static [&'static str],
}

type Case = (&'static str, Broken);

const EARLY: &[&str] = &["ends the connection early", "firewall"];
const IN_THE_BODY: &[&str] = &["ends the connection early", "middle of the body"];
const UNREADABLE: &[&str] = &["data that cannot be read", "proxy"];
const LATE: &[&str] = &["does not respond in time", "timeout"];
const TOO_MUCH: &[&str] = &["more than the size limit", "page_size"];

const CAT: &str = r#"{"errors":[{"code":"ADMIN-500-7","title":"The cat sat on it"}]}"#;
const NGINX: &str = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";

fn case(name: &'static str, fault: Fault, says: &'static [&'static str]) -> Case {
    (name, Broken { fault, says })
}

/// What is tried again.
fn transient_cases() -> Vec<Case> {
    let answer = |code, body| status(code, None, body);
    vec![
        case("500", answer(500, CAT), &["500", "ADMIN-500-7", "The cat sat on it"]),
        case("502 with HTML", answer(502, NGINX), &["(502)", "`502 Bad Gateway`"]),
        case("503", answer(503, "{}"), &["(503)", "not available", "nothing is lost"]),
        case("504 without a body", answer(504, ""), &["(504)", "an empty body"]),
        case("closed before the answer", Fault::CloseBeforeResponse, EARLY),
        case("reset before the answer", Fault::ResetBeforeResponse, EARLY),
        case("closed in the body", Fault::CloseMidBody, IN_THE_BODY),
        case("closed in the chunks", Fault::CloseMidChunks, IN_THE_BODY),
        case("reset in the body", Fault::ResetMidBody, IN_THE_BODY),
        case("shorter than announced", Fault::WrongLength(9_000_000), IN_THE_BODY),
        case("cut to what was announced", Fault::WrongLength(17), UNREADABLE),
        case("JSON cut short, of the right length", Fault::TruncatedJson, UNREADABLE),
        case("no JSON", Fault::NotJson, UNREADABLE),
        case("an empty body", Fault::EmptyBody, UNREADABLE),
        case("no answer", Fault::Hang, LATE),
        case("a body that stalls", Fault::StallMidBody, LATE),
    ]
}

/// What would be the same again.
fn permanent_cases() -> Vec<Case> {
    let bomb = Fault::GzipBomb(80 * 1024 * 1024);
    vec![
        case("a login page", Fault::Html, &["HTML page", "single sign-on"]),
        case("a body that never ends", Fault::EndlessBody, TOO_MUCH),
        case("a gzip bomb", bomb, TOO_MUCH),
    ]
}

/// What never comes is not waited for as long as usual.
fn shorten_timeouts(bench: &mut Bench, fault: &Fault) {
    if matches!(fault, Fault::Hang | Fault::StallMidBody) {
        bench.set("timeout", "600ms");
    }
}

#[test]
fn a_fault_that_stays_ends_the_run_and_what_was_read_is_kept() {
    let mut cases = transient_cases();
    cases.extend(permanent_cases());
    each(&BOTH, &cases, |mut bench, broken| {
        shorten_timeouts(&mut bench, &broken.fault);
        bench.script_forever(broken.fault.clone());
        bench.pull(&fails(3, broken.says));
        let first_page = match bench.api {
            Api::OrgEvents => &bench.served()[..10],
            _ => &[],
        };
        assert_eq!(bench.written(), first_page);
        bench.recovers();
    });
}

#[test]
fn a_fault_that_passes_is_tried_again() {
    each(&BOTH, &transient_cases(), |mut bench, broken| {
        shorten_timeouts(&mut bench, &broken.fault);
        bench.set("retry_for", "20s");
        bench.script(broken.fault.clone(), 1);
        bench.pull(&WHOLE);
        assert_eq!(bench.report()["retries"], 1);
        bench.recovers();
    });
}

#[test]
fn on_standard_output_two_runs_give_each_event_once() {
    let cases = [("503", status(503, None, "{}")), ("cut", Fault::CloseMidBody)];
    each(&BOTH, &cases, |bench, fault| {
        bench.script_forever(fault.clone());
        let pull =
            || bench.site.run(&["pull", bench.name(), "--max-events", "9000", "--output", "-"]);
        let first = pull();
        bench.site.control.clear_faults(bench.api);
        let second = pull();
        assert_eq!((first.code, second.code), (3, 0), "{}", second.stderr);
        let ids = [first.ids(), second.ids()].concat();
        each_once(&ids, &bench.served());
    });
}

#[test]
fn a_server_that_is_away_is_reported_with_its_address() {
    for api in BOTH {
        let mut bench = Bench::new(api, 35);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        drop(port);
        bench.set("base_url", format!("http://{address}"));
        let run = bench.pull(&fails(3, &["cannot be reached", "check the host name"]));
        assert!(run.stderr.contains(&address.to_string()), "{}", run.stderr);
        let there = bench.site.base_url().to_owned();
        bench.set("base_url", there);
        bench.recovers();
    }
}

#[test]
fn a_body_slower_than_the_timeout_is_read_while_it_moves() {
    let slow = Fault::SlowBody { chunk_bytes: 300, pause: Duration::from_millis(50) };
    each(&BOTH, &[("a byte now and then", slow)], |mut bench, slow| {
        bench.set("timeout", "600ms");
        bench.script(slow.clone(), 1);
        let start = Instant::now();
        bench.pull(&WHOLE);
        let took = start.elapsed();
        assert!(took > Duration::from_millis(700), "not slow: {took:?}");
        assert_eq!(bench.report()["retries"], 0);
        bench.recovers();
    });
}
