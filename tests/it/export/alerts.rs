//! Exports whose events are judged: `--detect`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use atlaudit::sandbox::{Api, Fault};

use super::{Case, site, words};
use crate::detect::history;
use crate::live_alerts::DETECT;
use crate::report::{alert_section, shown_titles, titles};
use crate::support::{Site, status};

/// A site whose organization has the incident, judged from the first event on.
fn judged_site() -> Site {
    let mut site = site(150);
    site.set_detect(&DETECT.replace("enabled = true\n", ""));
    site
}

fn text(site: &Site, name: &str) -> String {
    fs::read_to_string(site.path(name)).unwrap()
}

#[test]
fn alerts_are_those_of_detect_and_are_part_of_the_export() {
    let site = history(1);
    let range = ["--since", "2026-10-01", "--until", "2026-11-20T12:00:00Z"];
    let names = ["acme", "acme-jira", "acme-confluence", "acme-dc"];
    let names = [&names[..], &["acme-jira-ws", "acme-confluence-ws"]].concat();
    let export = [&["export"], &names[..], &range, &["--detect", "-o", "case"]].concat();
    let run = site.ok(&export);
    assert!(run.stderr.contains(" alerts in 4,200 events: "), "{}", run.stderr);
    let case = Case::read(site.path("case"));
    case.is_sound("judged");
    assert_eq!(case.manifest["asked"]["detect"], true);
    assert_eq!(case.manifest["detection"]["learning"], false);
    // An export's alerts are no events: only these are read.
    let wanted = site.ok(&["detect", "case"]);
    assert!(text(&site, "case/alerts.jsonl") == wanted.text(), "other alerts than detect finds");
    let mode = fs::metadata(site.path("case/alerts.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(text(&site, "case/README.txt").contains("It is derived from the events"));
    assert!(text(&site, "case/SHA256SUMS").contains("  alerts.jsonl\n"));
    let page = text(&site, "case/report.html");
    assert_eq!(shown_titles(&page), titles(&wanted.trees()));
    site.ok(&["report", "--detect", "case", "-o", "page.html"]);
    assert!(alert_section(&page) == alert_section(&text(&site, "page.html")), "another section");
    // What somebody leaves out of it, and a page without it.
    let lines = wanted.lines();
    fs::write(site.path("case/alerts.jsonl"), lines[1..].join("\n") + "\n").unwrap();
    let changed = site.run(&["verify", "case"]);
    assert_eq!(changed.code, 9, "{}", changed.stderr);
    assert!(changed.stderr.contains("1 difference in 1 file"), "{}", changed.stderr);
    assert!(changed.stderr.contains("error: alerts.jsonl: modified"), "{}", changed.stderr);
    fs::remove_file(site.path("case/alerts.jsonl")).unwrap();
    let missing = site.run(&["verify", "case"]);
    assert!(missing.stderr.contains("error: alerts.jsonl: is missing"), "{}", missing.stderr);
}

#[test]
fn without_the_flag_nothing_mentions_alerts() {
    let site = judged_site();
    site.ok(&words(&["acme"], "case", &[]));
    assert!(!site.path("case/alerts.jsonl").exists());
    for (file, word) in [
        ("manifest.json", "\"detect"),
        ("README.txt", "alerts"),
        ("SHA256SUMS", "alerts"),
        ("report.html", "id=\"alerts\""),
    ] {
        assert!(!text(&site, &format!("case/{file}")).contains(word), "{file}");
    }
}

#[test]
fn an_interrupted_export_is_judged_when_it_is_complete() {
    let mut site = judged_site();
    site.set("acme", "retry_for", "0s");
    site.ok(&words(&["acme"], "unbroken", &["--detect"]));
    let wanted = text(&site, "unbroken/alerts.jsonl");
    assert!(wanted.contains("success_after_failures"), "{wanted}");
    site.control.inject(Api::OrgEvents, Fault::Pass);
    site.control.inject_always(Api::OrgEvents, status(503, None, "{}"));
    let all = words(&["acme"], "case", &["--detect"]);
    let run = site.run(&all);
    assert_eq!(run.code, 3, "{}", run.stderr);
    Case::read(site.path("case")).is_sound("incomplete");
    assert!(!site.path("case/alerts.jsonl").exists());
    site.run(&words(&["acme"], "case", &[]))
        .refused(2, &["`--detect` was given, and is not given now"]);
    site.control.clear_faults(Api::OrgEvents);
    site.ok(&all);
    Case::read(site.path("case")).is_sound("resumed");
    assert!(text(&site, "case/alerts.jsonl") == wanted, "other alerts after an interruption");
}

#[test]
fn a_run_that_dies_with_its_alerts_is_repeated() {
    let mut site = judged_site();
    let all = words(&["acme"], "case", &["--detect"]);
    site.set_env("ATLAUDIT_CRASH_AT", "AlertsWritten");
    assert_eq!(site.run(&all).code, 128 + 6);
    site.unset_env("ATLAUDIT_CRASH_AT");
    let first = text(&site, "case/alerts.jsonl");
    assert!(!first.is_empty() && !site.path("case/manifest.json").exists());
    // What a run leaves that dies while it writes them.
    fs::write(site.path("case/.atlaudit-x.part"), &first[..100]).unwrap();
    site.control.forget_requests();
    site.ok(&all);
    assert!(site.control.requests().is_empty(), "nothing may be asked");
    assert!(text(&site, "case/alerts.jsonl") == first, "other alerts");
    Case::read(site.path("case")).is_sound("repeated");
}

#[test]
fn a_rule_that_cannot_be_used_is_refused_before_any_request() {
    let mut site = site(5);
    site.set_detect("[detect]\nrules = ['no-such-folder']\n");
    site.run(&words(&["acme"], "case", &["--detect"])).refused(6, &["no-such-folder"]);
    assert!(!site.path("case").exists() && site.control.requests().is_empty());
    site.ok(&words(&["acme"], "case", &[]));
}
