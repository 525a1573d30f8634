//! Pulls that a scheduler starts: sources that another run holds, failures that last, and what a
//! monitoring system asks.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use atlaudit::sandbox::{self, Api, Fault};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Run, Running, Site, eventually, org_ids, status};

fn site() -> Site {
    Site::of(60, 20)
        .with("acme", "retry_for", "1ms")
        .with("acme-jira", "retry_for", "1ms")
        .with_output("path", "{source}")
}

/// A pull of the organization's events that does not end.
fn hanging(site: &Site) -> Running {
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let running = site.start(&["pull", "acme"]);
    eventually("the request", || site.control.request_count(Api::OrgEvents) > 0);
    running
}

fn is_silent(run: &Run, code: i32) {
    assert_eq!((run.code, run.stderr.as_str()), (code, ""));
    assert!(run.stdout.is_empty());
}

#[test]
fn a_source_that_another_run_pulls_is_skipped_and_the_others_are_pulled() {
    let site = site();
    let mut running = hanging(&site);
    let run = site.ok(&["pull", "--if-running", "skip", "--report", "report"]);
    let said = format!("is being pulled by another run (process {}", running.child().id());
    assert_eq!(run.stderr.matches(&said).count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("); skipped\n") && !run.stderr.contains("error"), "{}", run.stderr);
    assert_eq!(site.line_count("acme-jira"), 20);
    let report: Value = serde_json::from_slice(&site.read("report").stdout).unwrap();
    assert_eq!(report["exit_code"], 0);
    assert_eq!(report["sources"][0]["skipped"], true, "{report}");
    assert!(report["sources"][1].get("skipped").is_none(), "{report}");
    is_silent(&site.run(&["-q", "pull", "--if-running", "skip"]), 0);
    let run = site.ok(&["pull", "acme", "--if-running", "skip"]);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    // Nothing of it is in the run history: the other run writes that.
    assert_eq!(site.ok(&["status", "acme", "--json"]).trees()[0]["runs"], 0);
    site.run(&["pull", "acme", "--if-running", "fail"]).refused(7, &["another run"]);
    site.run(&["pull", "acme", "--if-running", "wait"]).fails(2, &["--if-running"]);
    // What else fails still does.
    site.control.inject_always(Api::JiraAudit, status(500, None, "{}"));
    assert_eq!(site.run(&["pull", "--if-running", "skip"]).code, 3);
    site.control.clear_faults(Api::JiraAudit);
    // The lock of a process that is dead is none.
    running.signal("KILL");
    running.end();
    site.ok(&["-q", "pull", "--if-running", "skip"]);
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

const REFUSED: &str = r#"{"message":"no"}"#;

/// Each with another reason than the one before, behind which it must not hide.
#[test]
fn another_reason_is_another_failure() {
    let mut site = site();
    for (code, body) in [
        (401, r#"{"message":"no"}"#),
        (401, r#"{"message":"the key is revoked"}"#),
        (403, r#"{"message":"no"}"#),
        (422, r#"{"message":"no"}"#),
        (451, r#"{"message":"no"}"#),
        (400, r#"{"message":"no"}"#),
    ] {
        site.control.clear_faults(Api::OrgEvents);
        site.control.inject_always(Api::OrgEvents, status(code, None, body));
        let run = site.run(&["-q", "pull", "acme"]);
        assert!(run.stderr.contains(&format!("({code}")), "{code} {body}: {}", run.stderr);
        is_silent(&site.run(&["-q", "pull", "acme"]), run.code);
    }
    for name in ["key1", "key2"] {
        site.set("acme", "credential", format!("file:{}", site.path(name).display()));
        let run = site.run(&["-q", "pull", "acme"]);
        run.fails(4, &[name]);
        is_silent(&site.run(&["-q", "pull", "acme"]), 4);
    }
}

/// The server refuses each in the same words.
#[test]
fn another_key_or_organization_is_another_failure() {
    let mut site = site();
    site.control.inject_always(Api::OrgEvents, status(401, None, REFUSED));
    let is_news = |site: &Site| {
        site.run(&["-q", "pull", "acme"]).fails(4, &["error: source `acme`", "(401)"]);
        is_silent(&site.run(&["-q", "pull", "acme"]), 4);
    };
    is_news(&site);
    site.set_env("OTHER_KEY", sandbox::API_KEY);
    site.set("acme", "credential", "env:OTHER_KEY");
    is_news(&site);
    site.set("acme", "org_id", "3e2c1f7a-9b60-4d11-8a55-0c7f2b9e6d13");
    is_news(&site);
}

/// What a server makes up for each response, and counts in their units, are no news.
#[test]
fn the_same_reason_in_other_numbers_is_the_same_failure() {
    let site = site();
    let body = |message: &str| status(400, None, &format!(r#"{{"message":"{message}"}}"#));
    site.control.inject_always(Api::OrgEvents, body("too old by 1 day 2 hours, deadbeef-7a01"));
    assert_eq!(site.run(&["-q", "pull", "acme"]).code, 3);
    site.control.clear_faults(Api::OrgEvents);
    site.control.inject_always(Api::OrgEvents, body("too old by 3 hours 1 minute, 1f00-cafe"));
    is_silent(&site.run(&["-q", "pull", "acme"]), 3);
}

#[test]
fn what_nobody_could_read_is_printed_again() {
    let site = site();
    site.control.inject_always(Api::OrgEvents, status(401, None, REFUSED));
    for _ in 0..2 {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = site.command(&["-q", "pull", "acme"]);
        assert_eq!(command.stderr(full).status().unwrap().code(), Some(4));
    }
    for redirection in ["2>&-", "2>/dev/null"] {
        let mut shell = site.shell(&format!(r#""$PROGRAM" -q pull acme {redirection}"#));
        assert_eq!(shell.status().unwrap().code(), Some(4), "{redirection}");
    }
    site.run(&["-q", "pull", "acme"]).fails(4, &["error: source `acme`"]);
    is_silent(&site.run(&["-q", "pull", "acme"]), 4);
}

#[test]
fn a_run_without_a_request_ends_no_failure() {
    let site = site();
    site.ok(&["pull", "acme"]);
    site.control.inject_always(Api::OrgEvents, status(401, None, REFUSED));
    site.run(&["-q", "pull", "acme"]).fails(4, &["error: source `acme`"]);
    let run = site.ok(&["pull", "acme", "--backfill", "1d"]);
    assert!(run.stderr.contains("nothing to read before"), "{}", run.stderr);
    assert!(!run.stderr.contains("works again"), "{}", run.stderr);
    assert_eq!(plugin(&site, &["acme"]).0, 2);
    let shown = &site.ok(&["status", "acme", "--json"]).trees()[0];
    assert_eq!((&shown["failures_in_a_row"], &shown["runs"]), (&1.into(), &2.into()), "{shown}");
    is_silent(&site.run(&["-q", "pull", "acme"]), 4);
}

/// Its numbers would be those of the other.
#[test]
fn how_long_a_failure_lasts_is_said_of_that_failure_alone() {
    let site = site();
    site.control.inject_always(Api::OrgEvents, status(401, None, REFUSED));
    for _ in 0..3 {
        assert_eq!(site.run(&["-q", "pull", "acme"]).code, 4);
    }
    site.control.clear_faults(Api::OrgEvents);
    site.control.inject_always(Api::OrgEvents, status(422, None, REFUSED));
    let run = site.run(&["-q", "pull", "acme"]);
    run.fails(3, &["(422)"]);
    assert!(!run.stderr.contains("failing since"), "{}", run.stderr);
    let run = site.run(&["-q", "pull", "acme", "--repeat-errors"]);
    run.fails(3, &["(422)"]);
    site.control.clear_faults(Api::OrgEvents);
    // All of them are over.
    let run = site.ok(&["-q", "pull", "acme"]);
    assert!(run.stderr.contains("(failed 4 times)"), "{}", run.stderr);
}

#[test]
fn a_failure_that_lasts_is_printed_once_and_its_end_too() {
    let site = site();
    site.ok(&["pull"]);
    site.control.inject_always(Api::OrgEvents, status(401, None, REFUSED));
    let first = site.run(&["-q", "pull"]);
    first.fails(4, &["error: source `acme`", "401", "  hint: "]);
    is_silent(&site.run(&["-q", "pull"]), 4);
    is_silent(&site.run(&["-q", "pull", "acme", "--log-format", "json"]), 4);
    let run = site.run(&["pull", "acme"]);
    run.fails(4, &["0 events from acme", "; failed: credentials (exit 4)"]);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    site.run(&["pull", "-v"]).fails(4, &["error: source `acme`", "401"]);
    site.run(&["-q", "pull", "--repeat-errors"]).fails(4, &["error: source `acme`"]);
    // Of what a person waits for, nothing is remembered.
    for range in ["--since", "--backfill"] {
        for _ in 0..2 {
            site.run(&["-q", "pull", "acme", range, "40d"]).fails(4, &["error: source `acme`"]);
        }
    }
    let shown = site.ok(&["status"]).text();
    assert!(shown.contains("FAILED (code 4)") && shown.contains("acme: failed at"), "{shown}");
    // News of other sources is printed, with the summary.
    site.control.add(Api::JiraAudit, 1);
    let run = site.run(&["pull"]);
    run.fails(4, &["acme-jira: 1 event", "acme: 0 events"]);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);

    site.control.clear_faults(Api::OrgEvents);
    let run = site.ok(&["-q", "pull"]);
    let end = "acme: works again after ";
    assert!(run.stderr.starts_with(end) && run.stderr.lines().count() == 1, "{}", run.stderr);
    assert!(run.stderr.contains(" (failed 6 times): ") && run.stderr.contains("401"));
    is_silent(&site.run(&["-q", "pull"]), 0);
    site.control.inject_always(Api::OrgEvents, status(401, None, REFUSED));
    site.run(&["-q", "pull"]).fails(4, &["error: source `acme`"]);
    site.control.clear_faults(Api::OrgEvents);
    let run = site.ok(&["-q", "pull", "--log-format", "json"]);
    let line: Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!((&line["level"], &line["source"]), (&"notice".into(), &"acme".into()));
}

#[test]
fn another_failure_is_printed_at_once() {
    let site = site();
    let refused = status(401, None, REFUSED);
    let broken = status(500, None, "{}");
    for (fault, code, is_printed) in [
        (&refused, 4, true),
        (&broken, 3, true),
        (&refused, 4, false),
        (&broken, 3, false),
        (&status(503, None, r#"{"message":"another text of the same kind"}"#), 3, false),
    ] {
        site.control.clear_faults(Api::OrgEvents);
        site.control.inject_always(Api::OrgEvents, fault.clone());
        let run = site.run(&["-q", "pull", "acme"]);
        assert_eq!((run.code, !run.stderr.is_empty()), (code, is_printed), "{}", run.stderr);
    }
}

fn notices(site: &Site) -> PathBuf {
    site.state().join("notices/acme.json")
}

#[test]
fn a_failure_that_lasts_is_printed_once_a_day() {
    let site = site();
    site.control.inject_always(Api::OrgEvents, status(401, None, REFUSED));
    assert_eq!(site.run(&["-q", "pull", "acme"]).code, 4);
    is_silent(&site.run(&["-q", "pull", "acme"]), 4);
    // As if that had been yesterday.
    let mut kept: Value = serde_json::from_slice(&fs::read(notices(&site)).unwrap()).unwrap();
    let failures = &mut kept["failures"];
    let earlier = |time: &Value| {
        let time: DateTime<Utc> = time.as_str().unwrap().parse().unwrap();
        Value::from((time - TimeDelta::hours(25)).to_rfc3339())
    };
    failures["since"] = earlier(&failures["since"]);
    for time in failures["reported"].as_object_mut().unwrap().values_mut() {
        *time = earlier(time);
    }
    fs::write(notices(&site), kept.to_string()).unwrap();
    let run = site.run(&["-q", "pull", "acme"]);
    run.fails(4, &["error: source `acme`", "401", "(failing since 20", ", 3 times)"]);
    is_silent(&site.run(&["-q", "pull", "acme"]), 4);
    site.control.clear_faults(Api::OrgEvents);
    let run = site.ok(&["-q", "pull", "acme"]);
    assert!(
        run.stderr.contains("works again after 1 day 1 hour (failed 4 times)"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_cannot_be_remembered_is_printed() {
    let site = site();
    site.control.inject_always(Api::OrgEvents, status(401, None, REFUSED));
    let is_printed = || site.run(&["-q", "pull", "acme"]).fails(4, &["error: source `acme`"]);
    is_printed();
    for damage in ["", "{", "[]", r#"{"failures":7}"#] {
        fs::write(notices(&site), damage).unwrap();
        is_printed();
    }
    is_silent(&site.run(&["-q", "pull", "acme"]), 4);
    fs::remove_dir_all(site.state().join("notices")).unwrap();
    fs::write(site.state().join("notices"), "in the way").unwrap();
    is_printed();
    is_printed();
}

#[test]
fn a_person_at_a_terminal_sees_each_error() {
    if !std::path::Path::new("/usr/bin/script").exists() {
        return;
    }
    let site = site();
    site.control.inject_always(Api::OrgEvents, status(401, None, REFUSED));
    let on_terminal = || {
        let script = r#"script -qec '"$PROGRAM" -q pull acme' /dev/null"#;
        let shown = Running::of(site.shell(script)).end();
        assert!(String::from_utf8_lossy(&shown.stdout).contains("source `acme`"), "{shown:?}");
    };
    on_terminal();
    // What a person has seen, others have not.
    site.run(&["-q", "pull", "acme"]).fails(4, &["error: source `acme`"]);
    on_terminal();
    is_silent(&site.run(&["-q", "pull", "acme"]), 4);
}

#[test]
fn a_source_that_is_held_for_long_is_printed_once_and_its_end_is_no_news() {
    let site = site();
    let mut running = hanging(&site);
    site.run(&["-q", "pull", "acme"]).refused(7, &["is being pulled by another run"]);
    is_silent(&site.run(&["-q", "pull", "acme"]), 7);
    running.signal("KILL");
    running.end();
    site.control.clear_faults(Api::OrgEvents);
    is_silent(&site.run(&["-q", "pull", "acme"]), 0);
}

#[test]
fn a_signal_is_reported_once_for_all_sources() {
    let mut site = site();
    site.set_env("LC_ALL", "C");
    for api in [Api::OrgEvents, Api::JiraAudit] {
        site.control.inject(api, Fault::Hang);
    }
    let script = r#"exec env --default-signal=INT "$PROGRAM" pull"#;
    let mut running = Running::of(site.shell(script));
    eventually("both requests", || {
        let count = |api| site.control.request_count(api);
        count(Api::OrgEvents) > 0 && count(Api::JiraAudit) > 0
    });
    running.signal("INT");
    let run = running.end();
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(run.stderr.matches("stopped before everything was read").count(), 1);
    assert_eq!(run.stderr.matches("; stopped\n").count(), 2, "{}", run.stderr);
    for word in ["error: ", "hint: ", "interrupted"] {
        assert!(!run.stderr.contains(word), "{word} in {}", run.stderr);
    }
    // It is no failure.
    is_silent(&site.run(&["-q", "pull"]), 0);
}

fn progress(site: &Site) -> Value {
    site.ok(&["status", "acme", "--json"]).trees()[0]["progress"].clone()
}

#[test]
fn status_shows_how_far_a_first_pull_has_come_and_that_its_process_died() {
    let mut site = Site::of(300, 0).with("acme", "page_size", 10).with_output("path", "{source}");
    site.set_env("ATLAUDIT_CRASH_PROGRESS_MS", "1");
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(500));
    let mut running = site.start(&["pull", "acme"]);
    eventually("an estimate", || progress(&site)["seconds_left"].is_u64());
    let shown = progress(&site);
    assert_eq!(
        (&shown["running"], &shown["process"]),
        (&true.into(), &running.child().id().into())
    );
    assert!(shown["percent"].as_u64().unwrap() < 100, "{shown}");
    assert!(shown["reached"].as_str() > shown["from"].as_str(), "{shown}");
    let text = site.ok(&["status", "acme"]).text();
    assert!(
        text.contains("acme: reading: up to 20") && text.contains(" % of the time range"),
        "{text}"
    );
    // A run that is turned away leaves it alone.
    assert_eq!(site.run(&["pull", "acme"]).code, 7);
    assert!(site.state().join("progress/acme.json").exists());
    running.signal("KILL");
    running.end();
    let shown = progress(&site);
    assert_eq!((&shown["running"], shown.get("seconds_left")), (&false.into(), None));
    let text = site.ok(&["status", "acme"]).text();
    assert!(text.contains("died while it read, and had come up to 20"), "{text}");
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::ZERO);
    site.ok(&["pull", "acme"]);
    assert!(!site.state().join("progress/acme.json").exists());
    assert_eq!(progress(&site), Value::Null);
}

/// The line of the plugin, which says nothing else.
fn plugin(site: &Site, more: &[&str]) -> (i32, String) {
    let run = site.run(&[&["status", "--nagios"], more].concat());
    assert_eq!((run.stderr.as_str(), run.lines().len()), ("", 1), "{}", run.text());
    (run.code, run.text())
}

#[test]
fn a_monitoring_system_reads_one_line_and_an_exit_code() {
    let mut site = site();
    let (code, line) = plugin(&site, &[]);
    assert_eq!(code, 1, "{line}");
    assert!(
        line.starts_with("ATLAUDIT WARNING - acme: never read to its end; acme-jira"),
        "{line}"
    );
    assert!(line.ends_with(" | 'acme lag'=U;;;0 'acme-jira lag'=U;;;0\n"), "{line}");
    assert_eq!(plugin(&site, &["--max-lag", "2h"]).0, 2);
    site.ok(&["pull"]);
    let (code, line) = plugin(&site, &["--warn-lag", "1h", "--max-lag", "2h"]);
    assert_eq!(code, 0, "{line}");
    assert!(line.starts_with("ATLAUDIT OK - 2 sources, behind by "), "{line}");
    assert!(line.contains(" | 'acme lag'=") && line.contains("s;3600;7200;0 'acme-jira"), "{line}");
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(plugin(&site, &["acme", "--warn-lag", "1ms"]).0, 1);
    assert_eq!(plugin(&site, &["acme", "--max-lag", "1ms"]).0, 2);

    let hostile = r#"{"message":"a | 'x'=1\nATLAUDIT OK - b"}"#;
    site.control.inject_always(Api::OrgEvents, status(401, None, hostile));
    assert_eq!(site.run(&["pull", "acme"]).code, 4);
    let (code, line) = plugin(&site, &[]);
    assert_eq!((code, line.matches('|').count()), (2, 1), "{line}");
    assert!(line.starts_with("ATLAUDIT CRITICAL - acme: failed (exit 4): "), "{line}");
    // The data are still recent.
    assert_eq!(plugin(&site, &["--max-lag", "2h"]).0, 1);

    fs::write(site.state().join("acme-jira.json"), "{").unwrap();
    let (code, line) = plugin(&site, &["acme-jira"]);
    assert_eq!(code, 3);
    assert!(
        line.starts_with("ATLAUDIT UNKNOWN - acme-jira: ") && line.contains("damaged"),
        "{line}"
    );
    let (code, line) = plugin(&site, &["nobody"]);
    assert_eq!(code, 3);
    assert!(line.starts_with("ATLAUDIT UNKNOWN - "), "{line}");
    site.unset("acme", "org_id");
    site.set("acme", "type", "no|thing");
    let (code, line) = plugin(&site, &[]);
    assert_eq!((code, line.contains('|')), (3, false), "{line}");
}

#[test]
fn the_flags_of_a_plugin_belong_together() {
    let site = site();
    // A monitoring system takes 2 for critical, and reads standard output alone.
    for (args, said) in [
        (["--nagios", "--json"], "--json"),
        (["--nagios", "--max-lag=xx"], "--max-lag"),
        (["--nagios", "--no-such"], "--no-such"),
        (["--nagios", "nobody"], "nobody"),
    ] {
        let run = site.run(&[&["status"], args.as_slice()].concat());
        assert_eq!(run.code, 3, "{args:?} {}", run.stderr);
        let line = run.text();
        assert!(line.starts_with("ATLAUDIT UNKNOWN - ") && line.contains(said), "{line}");
        assert_eq!(line.lines().count(), 1);
    }
    // An argument that looks like a key is named nowhere.
    let secret = "ATATT3xFfGF0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let run = site.run(&["status", "--nagios", secret]);
    assert!(run.code == 3 && !run.text().contains("ATATT"), "{} {}", run.code, run.text());
    assert!(run.text().starts_with("ATLAUDIT UNKNOWN - "), "{}", run.text());
    site.run(&["status", "--warn-lag", "1h"]).fails(2, &["--nagios"]);
    // No plugin, whatever its arguments are.
    site.run(&["pull", "--nagios"]).refused(2, &["--nagios"]);
    assert!(site.ok(&["status", "--nagios", "--help"]).text().contains("Usage"));
}
