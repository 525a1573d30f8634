//! Silence is loud: an empty history, an empty window, and a source that has fallen silent.

use std::fs;

use atlaudit::sandbox::Api;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::{Run, Site};

/// No event anywhere; both sources into files.
fn quiet_site() -> Site {
    Site::of(0, 0).with_output("path", "{source}")
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn add_org_event(site: &Site, at: DateTime<Utc>) {
    let time = text(at);
    let event = format!(
        r#"{{"id":"e{time}","attributes":{{"action":"user_login","time":"{time}","processedAt":"{time}"}}}}"#
    );
    site.control.add_json(Api::OrgEvents, event, at);
}

fn add_jira_record(site: &Site, at: DateTime<Utc>) {
    let (time, id) = (text(at), at.timestamp_millis());
    let record = format!(r#"{{"id":{id},"summary":"User created","created":"{time}"}}"#);
    site.control.add_json(Api::JiraAudit, record, at);
}

/// An event an hour for three days, in both sources; the last one `hours` ago.
fn steady_site(hours: i64) -> Site {
    let site = quiet_site();
    let last = Utc::now() - TimeDelta::hours(hours);
    for n in 0..72 {
        add_org_event(&site, last - TimeDelta::hours(n));
        add_jira_record(&site, last - TimeDelta::hours(n));
    }
    site
}

/// The warnings of a pull with these arguments, and what the report says of each source.
fn pull(site: &Site, args: &[&str]) -> (Run, Vec<Value>) {
    let args = [&["pull", "--report", "report.json"], args].concat();
    let run = site.ok(&args);
    let report = fs::read(site.path("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    (run, report["sources"].as_array().unwrap().clone())
}

fn warnings(run: &Run) -> Vec<&str> {
    let lines = run.stderr.lines();
    lines.filter(|line| line.starts_with("warning: ")).collect()
}

#[test]
fn an_empty_history_warns_on_every_run_until_an_event_comes() {
    let site = quiet_site();
    for _ in 0..2 {
        let (run, sources) = pull(&site, &[]);
        assert_eq!(warnings(&run).len(), 2, "{}", run.stderr);
        for word in ["Guard", "`Administer Jira`", "`read:events:admin`", "31 days"] {
            assert!(run.stderr.contains(word), "`{word}` in: {}", run.stderr);
        }
        for source in sources {
            assert_eq!(source["silence"]["kind"], "nothing_ever", "{source}");
            assert!(source["silence"]["since"].is_string(), "{source}");
            assert_eq!(source["warnings"].as_array().unwrap().len(), 1);
        }
    }
    add_org_event(&site, Utc::now());
    add_jira_record(&site, Utc::now());
    for _ in 0..2 {
        let (run, sources) = pull(&site, &[]);
        assert_eq!(warnings(&run), [""; 0]);
        assert!(sources.iter().all(|source| source.get("silence").is_none()));
    }
}

#[test]
fn an_empty_window_warns_and_does_not_change_the_history() {
    let site = steady_site(9);
    let (run, sources) = pull(&site, &["--since", "2h"]);
    assert_eq!(warnings(&run).len(), 2, "{}", run.stderr);
    for source in sources {
        assert_eq!(source["silence"], json!({"kind": "nothing_in_window"}));
    }
    // Nothing is known of the sources yet, so each warning says what to check.
    assert!(run.stderr.contains("Guard"), "{}", run.stderr);
    let (run, sources) = pull(&site, &["--since", "12h"]);
    assert_eq!(warnings(&run), [""; 0]);
    assert!(sources.iter().all(|source| source.get("silence").is_none()));
}

#[test]
fn a_quiet_window_of_a_source_that_works_is_no_warning() {
    let site = steady_site(9);
    pull(&site, &[]);
    let (run, sources) = pull(&site, &["--since", "2h"]);
    assert_eq!(warnings(&run), [""; 0], "{}", run.stderr);
    let newest = "no event in this time range (the newest known is of 20";
    assert_eq!(run.stderr.matches(newest).count(), 2, "{}", run.stderr);
    for source in sources {
        assert_eq!(source["silence"]["kind"], "nothing_in_window");
        assert!(source["silence"]["newest_event"].is_string(), "{source}");
    }
    let (run, _) = pull(&site, &["--since", "2h", "--quiet"]);
    assert!(!run.stderr.contains("the newest known"), "{}", run.stderr);
}

#[test]
fn one_burst_of_events_sets_no_usual_gap() {
    let site = quiet_site();
    for n in 0..20 {
        let at = Utc::now() - TimeDelta::days(3) + TimeDelta::milliseconds(n * 50);
        add_org_event(&site, at);
        add_jira_record(&site, at);
    }
    for args in [&[][..], &["--quiet"]] {
        assert_eq!(warnings(&pull(&site, args).0), [""; 0], "{args:?}");
    }
    // What an earlier version learned from the burst is not believed either.
    for name in ["acme.json", "acme-jira.json"] {
        let path = site.state().join(name);
        let mut state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        state["rhythm"] = json!({"gaps": 19, "days": {"2026-01-05": 52, "2026-01-06": 50}});
        fs::write(&path, state.to_string()).unwrap();
    }
    assert_eq!(warnings(&pull(&site, &[]).0), [""; 0]);
}

#[test]
fn a_silent_source_warns_until_events_resume() {
    let site = steady_site(9);
    for _ in 0..2 {
        let (run, sources) = pull(&site, &[]);
        let shown = warnings(&run);
        assert_eq!(shown.len(), 2, "{}", run.stderr);
        let figures = "no event for 9 hours; usually one comes at least every 1 hour; ";
        assert!(shown.iter().all(|line| line.contains(figures)), "{shown:?}");
        for source in sources {
            let silence = &source["silence"];
            assert_eq!(silence["kind"], "unusual", "{source}");
            assert_eq!(silence["usual_gap_ms"], 3_600_000, "{source}");
            assert!(silence["silent_ms"].as_u64().unwrap() >= 9 * 3_600_000);
        }
    }
    add_org_event(&site, Utc::now());
    add_jira_record(&site, Utc::now());
    assert_eq!(warnings(&pull(&site, &[]).0), [""; 0]);
}

#[test]
fn a_usual_gap_is_no_silence() {
    let site = steady_site(6);
    assert_eq!(warnings(&pull(&site, &[]).0), [""; 0]);
}

#[test]
fn an_incomplete_pull_does_not_warn_of_silence() {
    let site = steady_site(9);
    let (run, sources) = pull(&site, &["--max-events", "20"]);
    assert_eq!(warnings(&run), [""; 0]);
    assert!(sources.iter().all(|source| source["complete"] == false));
}

#[test]
fn the_state_of_an_earlier_version_is_taken_up_and_nothing_is_judged_by_it() {
    let site = steady_site(9);
    pull(&site, &[]);
    for name in ["acme.json", "acme-jira.json"] {
        let path = site.state().join(name);
        let mut state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert!(state.as_object_mut().unwrap().remove("rhythm").is_some());
        fs::write(&path, state.to_string()).unwrap();
    }
    assert_eq!(warnings(&pull(&site, &[]).0), [""; 0]);
}
