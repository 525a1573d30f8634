//! `status`: what the last runs left behind, read without a request, a lock or a change.

use std::fs;
use std::time::Duration;

use atlaudit::sandbox::{Api, Fault};
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::support::{Run, Running, Site, eventually, files, status};

fn site() -> Site {
    Site::of(60, 20).with_output("path", "{source}.jsonl")
}

/// The lines of `status --json`; each fits the schema in `docs`.
fn statuses(run: &Run) -> Vec<Value> {
    let schema = serde_json::from_str(include_str!("../../docs/status.schema.json")).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let lines = run.trees();
    for line in &lines {
        if let Err(error) = validator.validate(line) {
            panic!("{error}: {line}");
        }
    }
    lines
}

/// What `status --json` says of `name`.
fn standing(site: &Site, name: &str) -> Value {
    let found = statuses(&site.ok(&["status", "--json"]));
    let mut found = found.into_iter().filter(|source| source["source"] == name);
    let one = found.next().unwrap();
    assert!(found.next().is_none());
    one
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn from_never_pulled_to_complete_without_a_request_or_a_change() {
    let site = site();
    let run = site.ok(&["status"]);
    assert_eq!(run.lines().len(), 3);
    assert!(run.lines()[0].starts_with("SOURCE"), "{:?}", run.lines());
    assert_eq!(standing(&site, "acme")["state"], "never_pulled");
    assert!(!site.state().exists(), "status made a folder");

    site.ok(&["pull"]);
    site.control.forget_requests();
    let before = files(&site.path(""));
    let run = site.ok(&["status", "-v"]);
    let text = run.lines().join("\n");
    assert!(!text.contains('\u{1b}'), "colour in a pipe: {text}");
    for words in ["ago, ok", "acme: read ", ", 60 events", "acme-jira: read ", ", 20 events"] {
        assert!(text.contains(words), "`{words}` in: {text}");
    }
    let acme = standing(&site, "acme");
    assert_eq!(files(&site.path("")), before);
    assert!(site.control.requests().is_empty());

    assert_eq!((&acme["state"], &acme["events"]), (&"read".into(), &60.into()));
    assert_eq!(acme["last_run"]["exit_code"], 0);
    assert_eq!((&acme["runs"], &acme["failures_in_a_row"]), (&1.into(), &0.into()));
    assert!(acme["lag_seconds"].as_f64().unwrap() < 60.0);
    let covered = acme["coverage"].as_array().unwrap();
    assert_eq!(covered.len(), 1);
    assert_eq!(covered[0]["from"], acme["since"]);
    assert_eq!(covered[0]["to"], acme["complete_until"]);
    assert_eq!(covered[0]["events"], 60);
    assert_eq!(acme["holes"], Value::Array(Vec::new()));
    assert!(acme.get("running").is_none());
}

#[test]
fn several_pulls_are_one_span_without_a_gap() {
    let site = site();
    for added in [0, 5, 0, 7] {
        site.control.add(Api::OrgEvents, added);
        site.control.add(Api::JiraAudit, added);
        site.ok(&["pull"]);
    }
    for (name, events) in [("acme", 72), ("acme-jira", 32)] {
        let standing = standing(&site, name);
        let covered = standing["coverage"].as_array().unwrap();
        assert_eq!(covered.len(), 1, "{standing}");
        assert_eq!(covered[0]["events"], events, "{standing}");
        assert_eq!(covered[0]["to"], standing["complete_until"]);
        assert_eq!((&standing["runs"], &standing["events"]), (&4.into(), &events.into()));
        assert_eq!(standing["totals"]["events"], events);
    }
}

#[test]
fn a_history_that_begins_again_later_leaves_a_gap() {
    let mut site = site();
    site.ok(&["pull"]);
    // As if the last pull had been ten days ago, and somebody removed the state since.
    for name in ["acme", "acme-jira"] {
        let path = site.state().join(format!("ledgers/{name}.json"));
        let mut ledger: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let span = &mut ledger["coverage"][0];
        let to = time(&span["to"]) - chrono::TimeDelta::days(10);
        span["to"] = to.to_rfc3339().into();
        fs::write(&path, ledger.to_string()).unwrap();
        fs::remove_file(site.state().join(format!("{name}.json"))).unwrap();
        fs::remove_file(site.path(&format!("{name}.jsonl"))).unwrap();
        site.set(name, "initial_lookback", "2d");
    }
    site.ok(&["pull"]);
    for name in ["acme", "acme-jira"] {
        let standing = standing(&site, name);
        let (holes, covered) = (&standing["holes"], standing["coverage"].as_array().unwrap());
        assert_eq!(covered.len(), 2, "{standing}");
        assert_eq!(holes.as_array().unwrap().len(), 1, "{standing}");
        assert_eq!(holes[0]["from"], covered[0]["to"]);
        assert_eq!(holes[0]["to"], covered[1]["from"]);
        let length = time(&holes[0]["to"]) - time(&holes[0]["from"]);
        assert!((length.num_hours() - 8 * 24).abs() <= 1, "{length}");
    }
    let shown = site.ok(&["status"]);
    let shown = shown.lines().join("\n");
    assert!(shown.contains("acme: NOT READ ") && shown.contains(", 8 days"), "{shown}");
    // A pull that reads the hole fills it.
    site.set("acme", "initial_lookback", "31d");
    fs::remove_file(site.state().join("acme.json")).unwrap();
    site.ok(&["pull"]);
    assert_eq!(standing(&site, "acme")["holes"], Value::Array(Vec::new()));
}

#[test]
fn another_organization_under_the_name_has_a_coverage_of_its_own() {
    let site = site();
    site.ok(&["pull", "acme"]);
    let path = site.state().join("ledgers/acme.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("org-events:", "org-events:other-")).unwrap();
    site.ok(&["pull", "acme"]);
    let acme = standing(&site, "acme");
    assert_eq!(acme["coverage"].as_array().unwrap().len(), 1, "{acme}");
    assert_eq!(acme["holes"], Value::Array(Vec::new()));
}

#[test]
fn what_was_read_before_a_failure_is_covered_and_the_failure_reported() {
    let mut site = site();
    site.set("acme", "page_size", 10);
    site.set("acme", "retry_for", "1ms");
    for _ in 0..3 {
        site.control.inject(Api::OrgEvents, Fault::Pass);
    }
    site.control.inject_always(Api::OrgEvents, status(500, None, "{}"));
    for failures in 1..=2 {
        assert_eq!(site.run(&["pull", "acme"]).code, 3);
        let acme = standing(&site, "acme");
        assert_eq!(acme["failures_in_a_row"], failures);
        assert_eq!(acme["last_run"]["exit_code"], 3);
        assert!(acme["last_run"]["error"].as_str().unwrap().contains("500"), "{acme}");
        assert!(acme["last_run"]["hint"].is_string(), "{acme}");
        assert!(acme.get("complete_until").is_none());
        let covered = acme["coverage"].as_array().unwrap();
        assert_eq!(covered.len(), 1, "{acme}");
        assert_eq!(
            (&covered[0]["from"], &covered[0]["to"]),
            (&acme["since"], &acme["newest_event"])
        );
        assert_eq!(covered[0]["events"], 30);
    }
    let shown = site.ok(&["status", "acme"]);
    let shown = shown.lines().join("\n");
    for words in ["FAILED (code 3)", "2 times in a row", "  hint: "] {
        assert!(shown.contains(words), "`{words}` in: {shown}");
    }
    site.control.clear_faults(Api::OrgEvents);
    site.ok(&["pull", "acme"]);
    let acme = standing(&site, "acme");
    assert_eq!((&acme["failures_in_a_row"], &acme["runs"]), (&0.into(), &3.into()));
    assert_eq!(acme["coverage"][0]["events"], 60);
}

#[test]
fn a_source_that_is_being_pulled_is_shown_and_not_delayed() {
    let site = site();
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let mut running = site.start(&["pull", "acme"]);
    eventually("the request", || site.control.request_count(Api::OrgEvents) > 0);
    let acme = standing(&site, "acme");
    assert_eq!(acme["running"]["process"], running.child().id());
    assert!(time(&acme["running"]["since"]) <= Utc::now());
    assert!(site.ok(&["status"]).lines()[1].contains("running for "));
    // A second pull is turned away, and what it left is no account of the source's run.
    assert_eq!(site.run(&["pull", "acme"]).code, 7);
    assert_eq!(standing(&site, "acme")["runs"], 0);
    running.signal("TERM");
    assert_eq!(running.end().code, 3);
    let acme = standing(&site, "acme");
    assert!(acme.get("running").is_none(), "{acme}");
    assert_eq!((&acme["runs"], &acme["failures_in_a_row"]), (&1.into(), &0.into()));
    assert_eq!(acme["last_run"]["interrupted"], true);
}

#[test]
fn windows_and_dry_runs_leave_no_run_history() {
    let site = site();
    site.ok(&["pull", "--since", "2d", "--output", "{source}.once"]);
    site.ok(&["pull", "--dry-run"]);
    assert!(!site.state().join("ledgers").exists());
    site.ok(&["pull"]);
    let before = files(&site.state().join("ledgers"));
    site.ok(&["pull", "--since", "2d", "--output", "{source}.once"]);
    assert_eq!(files(&site.state().join("ledgers")), before);
}

#[test]
fn a_damaged_run_history_is_recreated_from_the_checkpoint() {
    let site = site();
    site.ok(&["pull"]);
    let path = site.state().join("ledgers/acme.json");
    for damage in ["", "{", r#"{"version":1,"coverage":[{}]}"#] {
        fs::write(&path, damage).unwrap();
        let shown = site.ok(&["status"]);
        assert!(shown.lines().join("\n").contains("is damaged"), "{damage}");
        assert!(standing(&site, "acme")["ledger_error"].is_string());
        let run = site.ok(&["pull"]);
        assert!(run.stderr.contains("recreated"), "{}", run.stderr);
        let acme = standing(&site, "acme");
        assert_eq!(acme["runs"], 1);
        assert_eq!(acme["coverage"].as_array().unwrap().len(), 1, "{acme}");
        assert_eq!(acme["coverage"][0]["from"], acme["since"]);
    }
    fs::remove_dir_all(site.state().join("ledgers")).unwrap();
    fs::write(site.state().join("ledgers"), "in the way").unwrap();
    let run = site.ok(&["pull"]);
    assert!(run.stderr.contains("ledger"), "{}", run.stderr);
    assert_eq!(standing(&site, "acme")["events"], 60);
}

#[test]
fn a_state_that_cannot_be_read_is_reported_with_the_others_shown() {
    let site = site();
    site.ok(&["pull"]);
    fs::write(site.state().join("acme.json"), "{").unwrap();
    let run = site.run(&["status"]);
    assert_eq!(run.code, 7, "{}", run.stderr);
    assert!(run.stderr.contains("is damaged") && run.stderr.contains("  hint: "), "{}", run.stderr);
    let table = run.lines();
    assert!(table[1].contains("state damaged") && table[2].contains("ago, ok"), "{table:?}");
    let run = site.run(&["status", "--json"]);
    assert_eq!(run.code, 7);
    assert_eq!(statuses(&run)[0]["state"], "unreadable");
    // Only the sources that were named are shown.
    site.ok(&["status", "acme-jira"]);
}

#[test]
fn a_first_run_that_failed_on_its_credential_is_shown() {
    for credential in [
        "env:NOWHERE",
        "file:/nowhere/key",
        "command:/nowhere/program",
        "systemd:nowhere",
        "keyring",
    ] {
        let mut site = site();
        site.set("acme", "credential", credential);
        assert_eq!(site.run(&["pull", "acme"]).code, 4, "{credential}");
        let shown = site.ok(&["status", "acme"]).lines().join("\n");
        assert!(!shown.contains("never pulled"), "{credential}: {shown}");
        for words in ["FAILED (code 4)", "acme: failed at 20", "\n  hint: "] {
            assert!(shown.contains(words), "`{words}`, {credential}: {shown}");
        }
        let acme = standing(&site, "acme");
        assert_eq!(acme["last_run"]["exit_code"], 4, "{acme}");
        assert_eq!((&acme["state"], &acme["runs"]), (&"never_pulled".into(), &1.into()));
        assert!(site.control.requests().is_empty());
        // Nothing of it is in the way of the next run.
        site.set("acme", "credential", "env:ACME_KEY");
        site.ok(&["pull", "acme"]);
        assert_eq!(standing(&site, "acme")["failures_in_a_row"], 0);
    }
}

#[test]
fn an_empty_hint_is_not_printed() {
    let mut site = site();
    site.set("acme", "page_size", 10);
    let script = "\"$PROGRAM\" pull acme --output - | head -1";
    let ended = site.shell(script).output().unwrap();
    assert!(ended.status.success());
    for args in [&["status", "acme"][..], &["status", "acme", "--json"]] {
        let shown = site.ok(args).lines().join("\n");
        assert!(shown.contains("the reader of the output went away"), "{shown}");
        assert!(!shown.contains("hint"), "{shown}");
    }
    // Nor one that an older program left in the ledger.
    let ledger = files(&site.state()).into_iter();
    let mut ledger = ledger.filter(|(_, text)| String::from_utf8_lossy(text).contains("went away"));
    let (path, text) = ledger.next_back().unwrap();
    let text = String::from_utf8(text).unwrap();
    let text = text.replace("\"interrupted\":", "\"hint\":\"\",\"interrupted\":");
    fs::write(path, text).unwrap();
    for args in [&["status", "acme"][..], &["status", "acme", "--json"]] {
        let shown = site.ok(args).lines().join("\n");
        assert!(shown.contains("the reader of the output went away"), "{shown}");
        assert!(!shown.contains("hint"), "{shown}");
    }
}

#[test]
fn max_lag_reports_sources_that_lag() {
    let site = site();
    let run = site.run(&["status", "--max-lag", "1h"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("`acme`, `acme-jira`"), "{}", run.stderr);
    site.ok(&["pull"]);
    site.ok(&["status", "--max-lag", "1h"]);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(site.run(&["status", "--max-lag", "1ms"]).code, 3);
    assert_eq!(site.run(&["status", "nobody"]).code, 6);
}

#[test]
fn no_secret_is_kept_in_a_run_history_and_it_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut site = site();
    site.set_env("ACME_KEY", "ATATT3xSECRETSECRET");
    assert_eq!(site.run(&["pull"]).code, 4);
    assert!(standing(&site, "acme")["last_run"]["error"].is_string());
    for (path, content) in files(&site.state()) {
        let text = String::from_utf8_lossy(&content).into_owned();
        assert!(!text.contains("SECRET"), "{path}");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path}");
    }
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let mut site = site();
    site.ok(&["pull"]);
    let coloured = |site: &Site, args: &[&str]| site.ok(args).lines().join("").contains('\u{1b}');
    assert!(coloured(&site, &["status", "--color", "always"]));
    assert!(!coloured(&site, &["status"]));
    if !std::path::Path::new("/usr/bin/script").exists() {
        return;
    }
    for is_coloured in [true, false] {
        let terminal = site.shell(r#"script -qec '"$PROGRAM" status' /dev/null"#);
        let shown = Running::of(terminal).end().stdout;
        let shown = String::from_utf8_lossy(&shown).into_owned();
        assert!(shown.contains("READ UP TO"), "{shown}");
        assert_eq!(shown.contains("\u{1b}[3"), is_coloured, "{shown}");
        site.set_env("NO_COLOR", "1");
    }
}
