//! Time ranges that begin before what a source keeps: nothing claims that they are complete since
//! then.

use std::fs;

use atlaudit::sandbox::{Api, Fault, OrgRetention};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Run, Site, org_ids, small, status};

const READINGS: [OrgRetention; 3] =
    [OrgRetention::Unlimited, OrgRetention::Hidden, OrgRetention::Rejected];

/// Events of the last month only, and a server of this reading.
fn site(reading: OrgRetention) -> Site {
    let mut options = small(60, 20);
    options.behaviour.org_retention = reading;
    Site::new(options)
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

fn manifest(site: &Site, folder: &str) -> Value {
    let text = fs::read(site.path(folder).join("manifest.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// The warnings, without what starts them.
fn warnings(run: &Run) -> Vec<&str> {
    let lines = run.stderr.lines();
    lines.filter_map(|line| line.strip_prefix("warning: ")).collect()
}

#[test]
fn a_window_from_before_what_is_kept_is_read_and_says_so() {
    for reading in READINGS {
        let site = site(reading);
        let args = ["pull", "acme", "--since", "1999-01-01", "--report", "report.json"];
        let run = site.ok(&args);
        assert_eq!(run.ids(), org_ids(&site.control.ids(Api::OrgEvents)), "{reading:?}");
        let claim = "source `acme`: asked from 1999-01-01T00:00:00.000Z; this source keeps at \
            most 180 days, so nothing before ";
        let shown = warnings(&run);
        assert!(shown.iter().any(|line| line.starts_with(claim)), "{}", run.stderr);
        let report: Value =
            serde_json::from_slice(&fs::read(site.path("report.json")).unwrap()).unwrap();
        let source = &report["sources"][0];
        assert_eq!(
            (&source["complete"], &source["retention"]["days"]),
            (&true.into(), &180.into())
        );
        let earliest = time(&source["retention"]["earliest"]);
        assert_eq!(earliest, time(&report["started"]) - TimeDelta::days(180));
    }
}

#[test]
fn a_window_that_is_kept_or_of_a_source_of_unknown_retention_claims_nothing() {
    let site = site(OrgRetention::Rejected);
    let kept = site.ok(&["pull", "acme", "--since", "179d"]);
    assert_eq!(warnings(&kept), [""; 0], "{}", kept.stderr);
    let jira = site.ok(&["pull", "acme-jira", "--since", "1999-01-01"]);
    assert_eq!(warnings(&jira), [""; 0], "{}", jira.stderr);
    site.ok(&["export", "acme-jira", "--since", "1999-01-01", "--output", "case"]);
    assert!(manifest(&site, "case")["sources"][0].get("retention").is_none());
    let readme = fs::read_to_string(site.path("case/README.txt")).unwrap();
    assert!(readme.contains("had already removed"), "{readme}");
}

#[test]
fn a_server_that_shows_older_events_is_not_contradicted() {
    let site = site(OrgRetention::Unlimited);
    let old = Utc::now() - TimeDelta::days(300);
    let text = old.to_rfc3339();
    let event = format!(
        r#"{{"id":"old","attributes":{{"action":"user_login","time":"{text}","processedAt":"{text}"}}}}"#
    );
    site.control.add_json(Api::OrgEvents, event, old);
    let run = site.ok(&["pull", "acme", "--since", "1999-01-01"]);
    assert!(run.stderr.contains("but it returned events from before"), "{}", run.stderr);
    site.ok(&["export", "acme", "--since", "1999-01-01", "--output", "case"]);
    let readme = fs::read_to_string(site.path("case/README.txt")).unwrap();
    assert!(!readme.contains("can be in it"), "{readme}");
    site.ok(&["verify", "case"]);
}

#[test]
fn an_export_says_from_where_on_it_is_complete() {
    for reading in READINGS {
        let site = site(reading);
        let args = ["export", "acme", "--since", "1999-01-01", "--output", "case"];
        let run = site.ok(&args);
        let claim = "source `acme`: asked from 1999-01-01T00:00:00.000Z; this source keeps at \
            most 180 days";
        assert!(warnings(&run).iter().any(|line| line.starts_with(claim)), "{}", run.stderr);
        let manifest = manifest(&site, "case");
        assert_eq!(manifest["complete"], true);
        assert_eq!(manifest["asked"]["since"], "1999-01-01T00:00:00Z");
        let retention = &manifest["sources"][0]["retention"];
        assert_eq!(retention["days"], 180);
        let late =
            time(&retention["earliest"]) - (time(&manifest["started"]) - TimeDelta::days(180));
        let window = time(&manifest["sources"][0]["windows"][0]["from"]);
        match reading {
            OrgRetention::Rejected => {
                assert!(TimeDelta::zero() < late && late < TimeDelta::hours(2), "{late}");
                assert_eq!(window, time(&retention["earliest"]));
            }
            _ => assert_eq!(late, TimeDelta::zero()),
        }
        let readme = fs::read_to_string(site.path("case/README.txt")).unwrap();
        assert!(readme.contains("COMPLETE within what its sources keep"), "{readme}");
        assert!(readme.contains("NOT AVAILABLE: asked from 1999"), "{readme}");
        let report = fs::read_to_string(site.path("case/report.html")).unwrap();
        assert!(!report.contains("<h2>This export is complete</h2>"));
        assert!(report.contains("<h2>This export is complete within what its sources keep</h2>"));
        assert!(report.contains("The picture begins at "));
        assert!(!report.contains("verdict good\""), "a green banner");
        let verified = site.ok(&["verify", "case", "--json"]);
        assert!(verified.stderr.contains("keeps at most 180 days"), "{}", verified.stderr);
        let shown: Value = serde_json::from_slice(&verified.stdout).unwrap();
        assert_eq!(shown["ok"], true);
        assert_eq!(shown["not_available"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn an_export_that_goes_on_keeps_the_date_of_its_first_run() {
    for reading in READINGS {
        let mut site = site(reading);
        site.set("acme", "page_size", 10);
        let args = ["export", "acme", "--since", "1999-01-01", "--output", "case"];
        // The second page fails; where the first request is refused, so does the first page.
        site.control.inject(Api::OrgEvents, Fault::Pass);
        site.control.inject_always(Api::OrgEvents, status(404, None, "{}"));
        assert_ne!(site.run(&args).code, 0);
        let first = manifest(&site, "case");
        assert_eq!(first["complete"], false);
        site.control.clear_faults(Api::OrgEvents);
        site.ok(&args);
        let second = manifest(&site, "case");
        let earliest = |manifest: &Value| time(&manifest["sources"][0]["retention"]["earliest"]);
        match reading {
            OrgRetention::Rejected => assert!(earliest(&first) <= earliest(&second)),
            _ => assert_eq!(earliest(&first), earliest(&second)),
        }
        assert_eq!(first["started"], second["started"]);
        let count = second["sources"][0]["counts"]["written"].as_u64().unwrap();
        assert_eq!(count, site.control.ids(Api::OrgEvents).len() as u64, "{reading:?}");
        site.ok(&["verify", "case"]);
    }
}

#[test]
fn a_time_range_of_which_nothing_is_kept_is_shown_as_not_available() {
    for reading in [OrgRetention::Unlimited, OrgRetention::Hidden] {
        let site = site(reading);
        let window = ["--since", "1999-01-01", "--until", "2000-01-01"];
        let args = [&["export", "acme", "--output", "case"], &window[..]].concat();
        site.ok(&args);
        let report = fs::read_to_string(site.path("case/report.html")).unwrap();
        assert!(report.contains("What is shaded is not available"), "{reading:?}");
        assert!(!report.contains(": no event</title>"), "{reading:?}");
        site.ok(&["verify", "case"]);
    }
}

#[test]
fn status_says_what_of_a_long_pause_can_no_longer_be_read() {
    let mut site = site(OrgRetention::Unlimited);
    site.set_output("path", "{source}");
    site.ok(&["pull"]);
    let status = || String::from_utf8(site.ok(&["status"]).stdout).unwrap();
    assert!(!status().contains("any more"));
    let path = site.state().join("acme.json");
    let mut state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    state["complete_until"] = "2025-01-01T00:00:00Z".into();
    fs::write(&path, state.to_string()).unwrap();
    let shown = status();
    let claim = "acme: read up to 2025-01-01 00:00:00Z; this source keeps at most 180 days, so \
        nothing before ";
    assert!(shown.contains(claim), "{shown}");
}
