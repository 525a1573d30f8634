//! Signals in every phase of a run: it ends quickly and soundly, and the next one goes on.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use atlaudit::sandbox::{Api, Fault};

use crate::support::{PROMPT, Running, Site, assert_file_complete, eventually, org_ids, status};

/// Both sources, into a file each, ten records a page.
fn site(events: usize, records: usize) -> Site {
    Site::of(events, records)
        .with("acme", "page_size", 10)
        .with("acme-jira", "page_size", 10)
        .with_output("path", "{source}")
}

/// Lines in the file of `acme`, while it is being written.
fn lines(site: &Site) -> usize {
    let text = site.read("acme").stdout;
    text.iter().filter(|&&byte| byte == b'\n').count()
}

/// Waits until the pages are written that come before a request which gets no good answer.
fn wait_until_stuck_after(site: &Site, pages: usize) {
    eventually("the pages before", || {
        lines(site) == pages * 10 && site.control.request_count(Api::OrgEvents) > pages
    });
}

/// One signal ends the run quickly, with what was written sound.
fn ends(mut running: Running, signal: &str) {
    running.signal(signal);
    let start = Instant::now();
    let run = running.end();
    let took = start.elapsed();
    assert_eq!(run.code, 3, "{signal}: {}", run.stderr);
    // Of several sources it is said once for all.
    let says = |words| run.stderr.contains(words);
    assert!(says("interrupted") || says("stopped before everything was read"), "{}", run.stderr);
    assert!(took < PROMPT, "{signal} took {took:?}");
}

/// The next run makes the file whole.
fn goes_on(site: &Site) {
    site.forget_pauses();
    site.read("acme").lines();
    site.control.clear_faults(Api::OrgEvents);
    site.ok(&["pull", "acme"]);
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn signal_between_pages() {
    for signal in ["TERM", "INT"] {
        let site = site(300, 100);
        let latency = |latency| {
            site.control.set_behaviour(|behaviour| {
                behaviour.org_latency = latency;
                behaviour.jira_latency = latency;
            });
        };
        latency(Duration::from_millis(60));
        let running = site.start(&["pull"]);
        eventually("four pages", || site.control.request_count(Api::OrgEvents) > 4);
        ends(running, signal);
        let written = site.read("acme").ids().len();
        assert!(0 < written && written < 300, "{written}");
        latency(Duration::ZERO);
        site.control.forget_requests();
        goes_on(&site);
        // What the signal let finish is not read again.
        let rest = (300 - written).div_ceil(10) + 3;
        let asked = site.control.request_count(Api::OrgEvents);
        assert!(asked <= rest, "{asked} requests for {rest} pages");
        site.ok(&["pull"]);
        assert_file_complete(&site, "acme-jira");
    }
}

#[test]
fn signal_while_the_credential_command_runs() {
    for signal in ["TERM", "INT"] {
        let mut site = site(30, 0);
        fs::write(site.path("ask"), "touch asked; exec sleep 30").unwrap();
        let ask = format!("command:/bin/sh {}", site.path("ask").display());
        site.set("acme", "credential", ask);
        let running = site.start(&["pull", "--report", "report.json"]);
        eventually("the question", || site.path("asked").exists());
        ends(running, signal);
        let report = fs::read_to_string(site.path("report.json")).unwrap();
        assert!(report.contains(r#""exit_code": 3"#), "{report}");
        assert!(site.control.requests().is_empty());
        site.set("acme", "credential", "env:ACME_KEY");
        goes_on(&site);
    }
}

#[test]
fn signal_while_connecting() {
    let mut site = site(30, 0);
    // Takes the connection, and says nothing to the greeting of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = site.base_url().to_owned();
    let url = format!("https://{}", silent.local_addr().unwrap());
    site.set("acme", "base_url", url);
    let running = site.start(&["pull", "acme"]);
    let (_connection, _) = silent.accept().unwrap();
    ends(running, "TERM");
    site.set("acme", "base_url", base_url);
    goes_on(&site);
}

#[test]
fn while_an_answer_does_not_come_or_stops_half_way() {
    let slow = Fault::SlowBody { chunk_bytes: 16, pause: Duration::from_millis(50) };
    for fault in [Fault::Hang, Fault::StallMidBody, slow] {
        for pages in [0, 2] {
            let site = site(50, 0);
            for _ in 0..pages {
                site.control.inject(Api::OrgEvents, Fault::Pass);
            }
            site.control.inject(Api::OrgEvents, fault.clone());
            let running = site.start(&["pull", "acme"]);
            wait_until_stuck_after(&site, pages);
            ends(running, "TERM");
            assert_eq!(site.read("acme").ids().len(), pages * 10);
            goes_on(&site);
        }
    }
}

#[test]
fn while_waiting_for_the_limit() {
    let mut site = site(300, 0);
    site.set("acme", "requests_per_minute", 3);
    let running = site.start(&["pull", "acme"]);
    eventually("three pages", || lines(&site) == 30);
    ends(running, "TERM");
    assert_eq!(site.read("acme").ids().len(), 30);
    site.set("acme", "requests_per_minute", 100_000);
    goes_on(&site);
}

#[test]
fn while_waiting_to_try_again() {
    for wait in [Some(("retry-after", "60")), None] {
        let mut site = site(300, 0);
        site.set("acme", "retry_for", "60s");
        let fault = status(503, wait, "{}");
        site.control.inject(Api::OrgEvents, Fault::Pass);
        site.control.inject_always(Api::OrgEvents, fault);
        let running = site.start(&["pull", "acme"]);
        wait_until_stuck_after(&site, 1);
        ends(running, "INT");
        assert_eq!(site.read("acme").ids().len(), 10);
        goes_on(&site);
    }
}

#[test]
fn while_nobody_opens_the_pipe() {
    let site = site(30, 0);
    let made = Command::new("mkfifo").arg(site.path("pipe")).status();
    assert!(made.unwrap().success());
    let running = site.start(&["pull", "acme", "--output", "pipe"]);
    eventually("the lock", || site.state().join("acme.lock").exists());
    std::thread::sleep(Duration::from_millis(100));
    ends(running, "TERM");
    goes_on(&site);
}

#[test]
fn at_any_moment_also_of_the_last_commit() {
    let site = site(150, 0);
    let start = Instant::now();
    site.ok(&["pull", "acme", "--output", "other", "--state-dir", "other.state"]);
    let whole = start.elapsed();
    for (n, signal) in (0_u32..16).zip(["TERM", "INT"].into_iter().cycle()) {
        let mut running = site.start(&["pull", "acme"]);
        std::thread::sleep(whole * n / 12);
        if !running.has_ended() {
            running.signal(signal);
        }
        let run = running.end();
        // Before it listens, a signal ends it as it would any program.
        let codes = [0, 3, 128 + 2, 128 + 15];
        assert!(codes.contains(&run.code), "{}: {}", run.code, run.stderr);
        let ids = site.read("acme").ids();
        assert_eq!(ids, org_ids(&site.control.ids(Api::OrgEvents)[..ids.len()]));
        if ids.len() == site.control.ids(Api::OrgEvents).len() {
            site.control.add(Api::OrgEvents, 50);
        }
    }
    goes_on(&site);
}

/// A run whose signals have their usual meaning, whatever signals the caller ignores.
#[cfg(target_os = "linux")]
fn unignored(site: &Site) -> Running {
    Running::of(site.shell(r#"exec env --default-signal=HUP,QUIT "$PROGRAM" pull acme"#))
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_that_closes_is_like_sigterm() {
    let site = site(50, 0);
    site.control.inject(Api::OrgEvents, Fault::Pass);
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let running = unignored(&site);
    wait_until_stuck_after(&site, 1);
    ends(running, "HUP");
    goes_on(&site);
}

#[test]
#[cfg(target_os = "linux")]
fn sigquit_is_left_to_the_system_and_costs_nothing() {
    let site = site(50, 0);
    site.control.inject(Api::OrgEvents, Fault::Pass);
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let mut running = unignored(&site);
    wait_until_stuck_after(&site, 1);
    running.signal("QUIT");
    assert_eq!(running.end().code, 128 + 3);
    goes_on(&site);
}

#[test]
fn a_run_under_nohup_outlives_the_terminal() {
    let site = site(50, 0);
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(50));
    let script = r#"trap "" HUP; exec "$PROGRAM" pull acme"#;
    let mut running = Running::of(site.shell(script));
    eventually("a page", || lines(&site) > 0);
    running.signal("HUP");
    let run = running.end();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

/// Waits until the program stands still because nobody reads what it writes.
fn full_pipe(site: &Site) {
    eventually("a full pipe", || {
        let before = site.control.request_count(Api::OrgEvents);
        std::thread::sleep(Duration::from_millis(200));
        before > 0 && site.control.request_count(Api::OrgEvents) == before
    });
}

#[test]
fn while_writing_into_a_slow_pipe() {
    let site = site(2_000, 0);
    let mut running = site.start(&["pull", "acme", "--output", "-"]);
    full_pipe(&site);
    running.signal("TERM");
    // Reads on: the program may finish what it is writing, and says that it has.
    let run = running.end();
    assert_eq!(run.code, 3, "{}", run.stderr);
    let mut ids = run.ids();
    assert!(ids.len() < 2_000, "the pipe never filled");
    ids.extend(site.ok(&["pull", "acme", "--output", "-"]).ids());
    assert_eq!(ids, org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn a_reader_that_never_reads_is_given_five_seconds() {
    let site = site(2_000, 0);
    let mut running = site.start(&["pull", "acme", "--output", "-"]);
    full_pipe(&site);
    running.signal("TERM");
    let start = Instant::now();
    eventually("the end", || running.has_ended());
    let took = start.elapsed().as_secs();
    assert!((4..15).contains(&took), "{took} s");
    assert_eq!(running.end().code, 3);
    goes_on(&site);
}

#[test]
fn a_second_signal_ends_a_program_whose_messages_nobody_reads() {
    let site = site(50, 0);
    site.control.inject(Api::OrgEvents, Fault::Pass);
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let (_reader, mut writer) = std::io::pipe().unwrap();
    // As much as a pipe takes on Linux; where it takes more, the check below says so.
    writer.write_all(&[b'x'; 65_536]).unwrap();
    let mut command = site.command(&["pull", "acme"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(writer);
    let mut running = Running::as_it_is(command);
    wait_until_stuck_after(&site, 1);
    running.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!running.has_ended(), "the pipe was not full");
    running.signal("TERM");
    let start = Instant::now();
    eventually("the end", || running.has_ended());
    assert!(start.elapsed() < PROMPT);
    assert_eq!(running.end().code, 3);
    goes_on(&site);
}
