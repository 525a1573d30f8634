//! `[detect] enabled`: `pull` judges what it writes, and each alert is written once.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use atlaudit::sandbox::Api;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::support::{Outputs, Site, crash_points, org_event, whole};

/// How long events wait, in hours. The sandbox's late events are less than a day late.
const LATENESS: i64 = 24;

/// Alerts from the first event on.
pub const DETECT: &str = "[detect]\nenabled = true\nlateness = '24h'\n\
                      [detect.thresholds]\nlearning_days = 0\nlearning_events = 0\n";

/// A site of which each page is a commit.
fn site(events: usize, compression: &str, rotate: &str) -> Site {
    let mut site = Site::of(events, events);
    site.set_output("path", "out/{source}.jsonl");
    site.set_output("compression", compression);
    site.set_output("rotate", rotate);
    site.set_detect(DETECT);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "40");
    for source in ["acme", "acme-jira"] {
        site.set(source, "page_size", 40);
        site.set(source, "initial_lookback", "90d");
    }
    site
}

/// The lines of a source's events or alerts, in all files.
fn saved(site: &Site, name: &str) -> String {
    Outputs::new(site.path("out"), name).read().text()
}

/// Shows that the alerts of `source` are those that `detect` finds in its saved events, each once
/// and in its order, up to what still waits. `last` is when the last pull began, or earlier.
pub fn assert_alerts(site: &Site, source: &str, last: DateTime<Utc>, what: &str) -> usize {
    let found = saved(site, &format!("{source}-alerts"));
    fs::write(site.path("events.jsonl"), saved(site, source)).unwrap();
    let wanted = site.ok(&["detect", "events.jsonl"]).text();
    for (place, (found, wanted)) in found.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(found, wanted, "{what}: alert {place}");
    }
    assert!(found.len() <= wanted.len(), "{what}: more alerts than `detect` finds");
    for line in wanted[found.len()..].lines() {
        let alert: Value = serde_json::from_str(line).unwrap();
        let time: DateTime<Utc> = alert["time"].as_str().unwrap().parse().unwrap();
        assert!(time >= last - chrono::TimeDelta::hours(LATENESS), "{what}: missing {line}");
    }
    found.lines().count()
}

#[test]
fn alerts_are_those_of_detect_and_the_summary_counts_them() {
    let site = site(150, "none", "never");
    let start = Utc::now();
    let run = site.ok(&["pull"]);
    let alerts = assert_alerts(&site, "acme", start, "first pull");
    assert!(alerts > 0, "{}", run.stderr);
    assert_alerts(&site, "acme-jira", start, "first pull");
    assert!(run.stderr.contains(" alert"), "{}", run.stderr);
    for _ in 0..3 {
        // Some of them are late.
        site.control.add(Api::OrgEvents, 20);
        let start = Utc::now();
        site.ok(&["pull"]);
        assert!(assert_alerts(&site, "acme", start, "later pull") >= alerts);
        // All of it is stored: nothing is judged again by the next run, whose settings may differ.
        let state = fs::read(site.state().join("acme.json")).unwrap();
        let state: Value = serde_json::from_slice(&state).unwrap();
        let log = &state["detection"]["log"];
        assert!(log["base"].is_u64() && log["length"] == log["base"], "{log}");
    }
}

#[test]
fn what_comes_later_than_events_wait_is_judged_once() {
    let mut site = site(150, "none", "never");
    site.set_detect(&DETECT.replace("24h", "10m"));
    site.ok(&["pull", "acme"]);
    for _ in 0..4 {
        site.control.add(Api::OrgEvents, 20);
        site.ok(&["pull", "acme"]);
    }
    let alerts = site.read("out/acme-alerts.jsonl").trees();
    let ids: BTreeSet<_> = alerts.iter().map(|alert| alert["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), alerts.len(), "an alert is written twice");
}

/// Runs that die at each passage after the other, or at each so many, each in a site of its own.
/// Returns the points of detection at which none died.
fn crash_everywhere(compression: &str, rotate: &str, step: usize) -> Vec<&'static str> {
    let mut left = crash_points();
    left.retain(|point| point.starts_with("Detection"));
    for passage in (1..).step_by(step) {
        let mut site = site(80, compression, rotate);
        let trace = site.path("trace");
        site.set_env("ATLAUDIT_CRASH_TRACE", trace.to_str().unwrap());
        site.set_env("ATLAUDIT_CRASH_AT", &passage.to_string());
        let died = site.run(&["pull", "acme"]);
        site.unset_env("ATLAUDIT_CRASH_AT");
        site.unset_env("ATLAUDIT_CRASH_TRACE");
        if died.code == 0 {
            break;
        }
        let passed = fs::read_to_string(&trace).unwrap();
        let point = passed.lines().last().unwrap_or_default();
        left.retain(|known| *known != point);
        let start = Utc::now();
        site.ok(&["pull", "acme"]);
        let what = format!("{compression} {rotate}: passage {passage}, {point}");
        assert!(assert_alerts(&site, "acme", start, &what) > 0, "{what}: no alert");
    }
    left
}

#[test]
fn each_alert_is_written_once_wherever_a_run_dies() {
    assert_eq!(crash_everywhere("none", "never", 1), Vec::<&str>::new());
}

#[test]
fn each_alert_is_written_once_in_packed_and_rotated_files() {
    crash_everywhere("gzip", "2KiB", 3);
}

/// Sets a program that appends each alert to `notified.jsonl`.
fn notify_file(site: &mut Site) {
    let program = appending(site);
    notify(site, &["sh", "-c", &program]);
}

fn appending(site: &Site) -> String {
    format!("cat >> '{}'", site.path("notified.jsonl").display())
}

fn notify(site: &mut Site, command: &[&str]) {
    notify_from(site, command, "low", "");
}

fn notify_from(site: &mut Site, command: &[&str], severity: &str, more: &str) {
    let notify = format!("[detect.notify]\ncommand = {command:?}\nmin_severity = '{severity}'\n");
    site.set_detect(&format!("{DETECT}{notify}{more}"));
}

/// The alerts that the program is to get.
fn wanted_notices(site: &Site) -> Vec<String> {
    let alerts = site.read("out/acme-alerts.jsonl").text();
    let lines = alerts.lines().filter(|line| !line.contains(r#""severity":"info""#));
    lines.map(str::to_owned).collect()
}

fn notified(site: &Site) -> Vec<String> {
    site.read("notified.jsonl").text().lines().map(str::to_owned).collect()
}

#[test]
fn each_alert_is_delivered_once() {
    let mut site = site(80, "none", "never");
    notify_file(&mut site);
    site.ok(&["pull", "acme"]);
    let wanted = wanted_notices(&site);
    assert!(wanted.len() > 3);
    assert_eq!(notified(&site), wanted);
    site.ok(&["pull", "acme"]);
    assert_eq!(notified(&site), wanted);
}

#[test]
fn a_program_that_fails_delays_nothing_and_gets_the_alerts_later() {
    let mut site = site(80, "none", "never");
    for broken in [&["false"][..], &["no-such-program"]] {
        notify(&mut site, broken);
        let run = site.ok(&["pull", "acme"]);
        assert_eq!(run.stderr.matches("of `[detect.notify]` failed").count(), 1, "{}", run.stderr);
    }
    // A program need not read its input.
    notify(&mut site, &["true"]);
    let mut other = self::site(80, "none", "never");
    notify(&mut other, &["true"]);
    other.ok(&["pull", "acme"]);
    notify_file(&mut other);
    other.ok(&["pull", "acme"]);
    assert!(notified(&other).is_empty(), "they were delivered before");
    notify_file(&mut site);
    site.ok(&["pull", "acme"]);
    assert_eq!(notified(&site), wanted_notices(&site));
}

#[test]
fn each_alert_is_delivered_at_least_once_wherever_a_run_dies() {
    for point in ["OutputDurable", "DetectionLogged", "StateWritten", "StateDurable", "Locked"] {
        let mut site = site(80, "none", "never");
        notify_file(&mut site);
        // The second run dies, with alerts that the first one did not deliver.
        notify(&mut site, &["false"]);
        site.ok(&["pull", "acme", "--max-events", "60"]);
        notify_file(&mut site);
        site.set_env("ATLAUDIT_CRASH_AT", point);
        assert_ne!(site.run(&["pull", "acme"]).code, 0, "{point}");
        site.unset_env("ATLAUDIT_CRASH_AT");
        site.ok(&["pull", "acme"]);
        let (sent, wanted) = (notified(&site), wanted_notices(&site));
        for alert in &wanted {
            assert!(sent.contains(alert), "{point}: not sent: {alert}");
        }
    }
}

#[test]
fn undelivered_alerts_survive_a_change_of_settings() {
    let mut site = site(80, "none", "never");
    // It takes three alerts and then fails.
    let path = site.path("notified.jsonl").display().to_string();
    let picky = format!("test $(cat '{path}' 2>/dev/null | wc -l) -lt 3 && cat >> '{path}'");
    notify(&mut site, &["sh", "-c", &picky]);
    site.ok(&["pull", "acme", "--max-events", "60"]);
    site.ok(&["pull", "acme"]);
    let wanted = wanted_notices(&site);
    assert_eq!(notified(&site), wanted[..3]);
    let except = "[[detect.except]]\nrule = 'unusual_administration'\nreason = 'x'\n";
    let program = appending(&site);
    notify_from(&mut site, &["sh", "-c", &program], "critical", except);
    site.ok(&["pull", "acme"]);
    assert_eq!(notified(&site), wanted, "they waited before the settings changed");
    // A program that is added later does not get older alerts.
    let mut late = self::site(80, "none", "never");
    late.ok(&["pull", "acme"]);
    notify_file(&mut late);
    late.ok(&["pull", "acme"]);
    assert!(notified(&late).is_empty());
}

#[test]
fn a_hanging_program_holds_up_no_stop_and_is_killed() {
    let mut site = site(40, "none", "never");
    let mark = format!("{}.5", 100_000 + fastrand::u32(..100_000));
    let script = format!("sleep {mark} & wait");
    notify(&mut site, &["sh", "-c", &script]);
    let lives = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.filter(|line| String::from_utf8_lossy(line).contains(&mark)).count()
    };
    let mut running = site.start(&["pull", "acme"]);
    while lives() == 0 {
        std::thread::sleep(Duration::from_millis(20));
    }
    running.signal("TERM");
    let run = running.end();
    assert_eq!(run.code, 0, "everything was read: {}", run.stderr);
    assert!(run.stderr.contains("40 events from acme"), "{}", run.stderr);
    assert_eq!(lives(), 0, "the program lives on");
}

#[test]
fn an_idle_pull_that_dies_while_it_writes_alerts_leaves_nothing() {
    let mut site = site(150, "none", "never");
    // An alert of its own, so that one waits at any time of day.
    let time = Utc::now() - chrono::TimeDelta::minutes(30);
    let event = org_event("impersonation", time, time).replace(
        r#""action":"user_login""#,
        r#""action":"user_logged_in_as_user","actor":{"id":"712020:a","name":"A"}"#,
    );
    site.control.add_json(Api::OrgEvents, event, time);
    site.ok(&["pull", "acme"]);
    let before = saved(&site, "acme-alerts");
    // What waited is judged now.
    site.set_detect(&DETECT.replace("24h", "10m"));
    site.set_env("ATLAUDIT_CRASH_AT", "HalfAppended");
    assert_ne!(site.run(&["pull", "acme"]).code, 0);
    site.unset_env("ATLAUDIT_CRASH_AT");
    let start = Utc::now();
    site.ok(&["pull", "acme"]);
    assert!(saved(&site, "acme-alerts").len() > before.len());
    assert_alerts(&site, "acme", start, "after it");
    let names = fs::read_dir(site.path("out")).unwrap().map(|entry| entry.unwrap().file_name());
    let aside = names.filter(|name| name.to_string_lossy().contains(".unfinished-")).count();
    assert_eq!(aside, 0, "own alerts were moved aside");
}

#[test]
fn a_moved_file_of_alerts_saves_no_uncommitted_event_as_read() {
    let mut site = site(150, "none", "never");
    site.unset_env("ATLAUDIT_CRASH_COMMIT_BYTES");
    site.set("acme", "page_size", 5);
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(60));
    let mut running = site.start(&["pull", "acme"]);
    let wait_for = |lines| {
        while site.line_count("out/acme.jsonl") < lines {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // Well before the first commit.
    wait_for(10);
    fs::rename(site.path("out/acme-alerts.jsonl"), site.path("out/moved")).unwrap();
    wait_for(30);
    running.child().kill().unwrap();
    running.end();
    site.ok(&["pull", "acme"]);
    whole("after the kill", &site, "acme", &site.read("out/acme.jsonl"));
}

#[test]
fn detection_that_cannot_work_is_refused_before_anything_is_read() {
    let mut site = Site::of(3, 0);
    for (detect, words) in [
        ("enabled = true", "alerts need a file"),
        ("enabled = true\npath = '-'", "alerts go to files"),
        ("enabled = true\npath = 'out/'", "names a folder"),
        ("enabled = true\nlateness = '2d'", "is longer than a day"),
        ("enabled = true\nformat = 'cef'", "is no format of alerts"),
        ("enabled = true\npath = 'a.jsonl'\nnotify.command = []", "is empty"),
        ("enabled = true\npath = 'a.jsonl'\nnotify.min_severity = 'big'", "is no severity"),
        ("enabled = true\npath = 'a.jsonl'\nrules = ['no-such-folder']", "no-such-folder"),
    ] {
        site.set_detect(&format!("[detect]\n{detect}\n"));
        let run = site.run(&["pull", "acme", "--repeat-errors"]);
        assert_eq!(run.code, 6, "{detect}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{detect}: {}", run.stderr);
        assert!(run.text().is_empty());
    }
    site.set_output("path", "out/{source}.jsonl");
    site.set_detect("[detect]\nenabled = true\npath = 'out/{source}.jsonl'\n");
    site.run(&["pull", "acme"]).refused(6, &["the alerts of source `acme` would go into one file"]);
    assert!(!site.path("out").exists());
}

#[test]
fn check_tries_what_alerts_need() {
    let mut site = site(3, "none", "never");
    site.set_detect("[detect]\nenabled = true\nrules = ['no-such-folder']\n");
    let run = site.run(&["check", "acme"]);
    assert_eq!(run.code, 6, "{}", run.text());
    assert!(run.text().contains("no-such-folder"), "{}", run.text());
    fs::write(site.path("file"), "").unwrap();
    let path = site.path("file/alerts.jsonl").display().to_string();
    site.set_detect(&format!("[detect]\nenabled = true\npath = '{path}'\n"));
    assert_eq!(site.run(&["check", "acme"]).code, 8);
    site.set_detect(DETECT);
    site.ok(&["check", "acme"]);
}

#[test]
fn what_detection_remembers_is_guarded_like_a_checkpoint() {
    let site = site(150, "none", "never");
    site.ok(&["pull", "acme"]);
    let mut logs = fs::read_dir(site.state().join("detection")).unwrap();
    let log = logs.next().unwrap().unwrap().path();
    let name = log.file_name().unwrap().to_str().unwrap().to_owned();
    let whole = fs::read(&log).unwrap();
    fs::write(&log, &whole[..whole.len() - 1]).unwrap();
    site.run(&["pull", "acme"]).fails(7, &[&name, "is damaged", "its end is missing"]);
    // The way out that the hint names. What was put aside stays.
    let aside = site.state().join(format!("detection/{name}.damaged"));
    fs::rename(&log, &aside).unwrap();
    let run = site.ok(&["pull", "acme"]);
    assert!(run.stderr.contains("it begins to learn again"), "{}", run.stderr);
    assert!(run.stderr.contains("that waited were never judged"), "{}", run.stderr);
    assert!(aside.exists());
    assert!(!site.ok(&["pull", "acme"]).stderr.contains("never judged"), "reported once");
}

#[test]
fn one_off_and_unjudged_pulls_leave_the_alerts_alone() {
    let mut site = site(80, "none", "never");
    site.ok(&["pull", "acme", "--since", "80d"]);
    assert!(!site.path("out").exists() && !site.state().join("detection").exists());
    site.ok(&["pull", "acme"]);
    let alerts = saved(&site, "acme-alerts");
    site.set_detect("[detect]\nenabled = false\n");
    site.control.add(Api::OrgEvents, 20);
    site.ok(&["pull", "acme"]);
    assert_eq!(saved(&site, "acme-alerts"), alerts);
    site.set_detect(DETECT);
    let run = site.ok(&["pull", "acme"]);
    assert!(run.stderr.contains("20 events"), "what was not judged is reported: {}", run.stderr);
}
