//! `verify --against-source`: what an export has and its sources do not show, and the other way.

use std::fs;

use atlaudit::sandbox::{Api, Fault};
use chrono::{TimeDelta, Utc};

use super::{SOURCES, site, words};
use crate::support::{Run, Site};

fn exported() -> Site {
    let site = site(60);
    site.ok(&words(&SOURCES, "case", &[]));
    site
}

fn verify(site: &Site, more: &[&str]) -> Run {
    site.run(&[&["verify", "case", "--against-source"], more].concat())
}

fn shown(run: &Run) -> Vec<&str> {
    let lines = run.stderr.lines();
    lines.filter(|line| line.starts_with("error: ")).collect()
}

#[test]
fn unchanged_sources_have_no_differences() {
    let site = exported();
    for (more, count) in [(&[][..], "4 sources"), (&["acme-dc"], "1 source")] {
        let run = verify(&site, more);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let wanted = format!("compared with {count} as of now; nothing differs\n");
        assert!(run.stderr.contains(&wanted), "{}", run.stderr);
    }
    // Nothing of it is left, and the export is as it was.
    let left = fs::read_dir(site.path("tmp")).unwrap();
    let mut names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.any(|name| name.starts_with("atlaudit-verify-")));
    assert_eq!(site.run(&["verify", "case"]).code, 0);
}

#[test]
fn new_events_are_reported() {
    let site = exported();
    let day = Utc::now() - TimeDelta::days(3);
    let time = day.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let event = format!(
        r#"{{"id":"late-1","type":"events","attributes":{{"time":"{time}","processedAt":"{time}","action":"user_login"}}}}"#
    );
    site.control.add_json(Api::OrgEvents, event, day);
    let run = verify(&site, &["--json"]);
    assert_eq!(run.code, 9, "{}", run.stderr);
    let wanted = format!("error: source `acme`: appeared since: org:late-1 {time} user_login");
    assert_eq!(shown(&run)[0], wanted, "{}", run.stderr);
    assert!(shown(&run)[1].contains("1 event appeared, 0 vanished, 0 changed"), "{}", run.stderr);
    let object: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(object["verified"], true);
    assert_eq!(object["against_source"][0]["id"], "org:late-1");
    // The others say what they said.
    assert_eq!(verify(&site, &["acme-jira"]).code, 0);
}

#[test]
fn missing_and_changed_events_are_reported_with_other_findings() {
    let site = exported();
    let path = site.path("case/events/acme.jsonl.zst");
    let text = zstd::decode_all(&*fs::read(&path).unwrap()).unwrap();
    let mut lines: Vec<_> =
        std::str::from_utf8(&text).unwrap().lines().map(str::to_owned).collect();
    let ghost = lines[9].replacen("\"id\":\"org:", "\"id\":\"org:ghost-", 1);
    lines.insert(10, ghost);
    lines[20] = lines[20].replacen("\"raw\":{", "\"raw\":{\"more\":1,", 1);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
    let run = verify(&site, &["acme"]);
    assert_eq!(run.code, 9);
    let all = shown(&run).join("\n");
    for wanted in [
        "error: events/acme.jsonl.zst: ",
        ": vanished since: org:ghost-",
        ": changed since: org:",
        "0 events appeared, 1 vanished, 1 changed",
    ] {
        assert!(all.contains(wanted), "{wanted}: {all}");
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_keeps_nobody_waiting() {
    let site = exported();
    for file in ["case/events/acme.jsonl.zst", "case/manifest.json"] {
        let path = site.path(file);
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert_eq!(verify(&site, &["acme"]).code, 9, "{file}");
    }
}

#[test]
fn what_cannot_be_compared_says_why() {
    let mut site = exported();
    assert_eq!(verify(&site, &["acme-wiki"]).code, 6, "it is not configured");
    site.control.inject_always(Api::JiraAudit, Fault::CloseMidBody);
    site.set("acme-jira", "retry_for", "1s");
    let run = verify(&site, &["acme-jira"]);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("so vanished events are not reported"), "{}", run.stderr);
    site.set("acme", "org_id", "00000000-0000-4000-8000-000000000000");
    let run = verify(&site, &["acme"]);
    assert_eq!(run.code, 6, "{}", run.stderr);
}
