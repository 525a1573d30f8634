//! The state directory: locked, damaged, of a newer version, of another organization.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Command;
use std::time::Duration;

use atlaudit::sandbox::{Api, Fault, ORG_ID};
use serde_json::Value;

use crate::support::{Outputs, Site, eventually, files, org_ids};

fn site() -> Site {
    Site::of(60, 10)
}

#[test]
fn a_second_run_of_a_source_is_refused_at_once_and_reports_who_holds_the_lock() {
    let mut site = site();
    site.set("acme", "page_size", 10);
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(150));
    let mut first = site.start(&["pull", "acme"]);
    eventually("a request", || site.control.request_count(Api::OrgEvents) > 0);
    let holder = format!("process {}", first.child().id());
    site.run(&["pull", "acme"]).refused(7, &["`acme`", &holder]);
    // Another source is not in the way.
    assert_eq!(site.ok(&["pull", "acme-jira"]).ids().len(), 10);
    let run = first.end();
    assert_eq!((run.code, run.ids()), (0, org_ids(&site.control.ids(Api::OrgEvents))));
    assert!(site.ok(&["pull", "acme"]).stdout.is_empty());
}

#[test]
fn a_file_that_another_run_writes_is_left_alone() {
    let mut site = site();
    site.set("acme", "page_size", 10);
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(100));
    let first = site.start(&["pull", "acme", "--output", "one"]);
    eventually("a checkpoint", || site.state().join("acme.json").exists());
    // Another state has another account of the file's length.
    site.run(&["pull", "acme", "--output", "one", "--state-dir", "other"])
        .refused(8, &["`acme`", "one"]);
    // A time range never enters a file of the checkpoint.
    site.run(&["pull", "acme", "--output", "one", "--since", "9d"])
        .refused(8, &["belongs to the pulls of source `acme`"]);
    assert_eq!(first.end().code, 0);
    assert_eq!(site.read("one").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn a_state_directory_that_cannot_be_made() {
    let site = site();
    fs::write(site.path("plain"), "").unwrap();
    site.run(&["pull", "acme", "--state-dir", "plain/state"])
        .refused(7, &["plain/state", "--state-dir"]);
    assert!(site.control.requests().is_empty());
}

#[test]
fn a_newer_or_damaged_state_is_refused_and_left_as_it_is() {
    let site = site();
    site.ok(&["pull", "acme", "--max-events", "20"]);
    let file = site.state().join("acme.json");
    let good = fs::read_to_string(&file).unwrap();
    let newer = good.replacen(r#""version":"1""#, r#""version":"2""#, 1);
    assert_ne!(newer, good, "the version is where it was");
    let tenths = (0..10).map(|tenth| good[..good.len() * tenth / 10].to_owned());
    let cases = [
        (newer, "version 2"),
        (r#"{"version":99,"of":"the future"}"#.to_owned(), "version 99"),
        ("[]".to_owned(), "damaged"),
        ("{}".to_owned(), "damaged"),
        (r#"{"version":"1","source":"acme"}"#.to_owned(), "damaged"),
    ];
    site.control.forget_requests();
    let cases = cases.into_iter();
    for (text, words) in cases.chain(tenths.map(|text| (text, "damaged"))) {
        fs::write(&file, &text).unwrap();
        site.run(&["pull", "acme", "--repeat-errors"])
            .refused(7, &[words, "acme.json", "left as it is"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    assert!(site.control.requests().is_empty());
    fs::write(&file, good).unwrap();
    let rest = site.ok(&["pull", "acme"]).ids();
    assert_eq!(rest, org_ids(&site.control.ids(Api::OrgEvents)[20..]));
}

#[test]
fn an_unexpected_file_in_place_of_a_state_is_refused_and_kept() {
    let site = site();
    site.ok(&["pull", "acme", "--max-events", "20"]);
    let (file, kept) = (site.state().join("acme.json"), site.state().join("kept"));
    fs::rename(&file, &kept).unwrap();
    site.control.forget_requests();
    let refused = || {
        let before = fs::symlink_metadata(&file).unwrap().ino();
        site.run(&["pull", "acme", "--repeat-errors"])
            .refused(7, &["acme.json", "no", "regular file", "left as it is"]);
        assert_eq!(fs::symlink_metadata(&file).unwrap().ino(), before);
    };
    fs::create_dir(&file).unwrap();
    refused();
    fs::remove_dir(&file).unwrap();
    // A link to a disk that is not mounted must not begin the history anew.
    for target in ["/nowhere/acme.json", "kept"] {
        symlink(target, &file).unwrap();
        refused();
        fs::remove_file(&file).unwrap();
    }
    let made = Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    refused();
    fs::remove_file(&file).unwrap();
    assert!(site.control.requests().is_empty());
    fs::rename(&kept, &file).unwrap();
    let rest = site.ok(&["pull", "acme"]).ids();
    assert_eq!(rest, org_ids(&site.control.ids(Api::OrgEvents)[20..]));
}

#[test]
fn a_lock_that_a_dead_process_left_does_not_lock() {
    let mut site = site();
    site.set_output("path", "{source}");
    site.control.inject(Api::OrgEvents, Fault::Hang);
    let mut dead = site.start(&["pull", "acme"]);
    eventually("a request", || site.control.request_count(Api::OrgEvents) > 0);
    dead.signal("KILL");
    dead.end();
    let lock = site.state().join("acme.lock");
    assert!(fs::read_to_string(&lock).unwrap().contains("process"));
    site.ok(&["pull", "acme"]);
    // The name in the file does not matter: only a process that holds the lock counts.
    fs::write(&lock, format!("process {}\n", std::process::id())).unwrap();
    site.ok(&["pull", "acme"]);
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn a_file_that_another_source_writes_is_left_alone() {
    let mut site = site();
    site.set("acme", "page_size", 10);
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(100));
    let first = site.start(&["pull", "acme", "--output", "one"]);
    eventually("a checkpoint", || site.state().join("acme.json").exists());
    site.run(&["pull", "acme-jira", "--output", "one"])
        .refused(8, &["`acme-jira`", "one", "another run"]);
    assert_eq!(first.end().code, 0);
    assert_eq!(site.read("one").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn another_organization_under_the_same_name_is_refused() {
    let mut site = site();
    site.ok(&["pull", "acme"]);
    let before = files(&site.state());
    site.set("acme", "org_id", "00000000-0000-4000-8000-000000000000");
    site.run(&["pull", "acme"]).refused(6, &["`acme`", "belongs to", "name of its own"]);
    let after = files(&site.state());
    let checkpoint = |files: &[(String, Vec<u8>)]| -> Vec<(String, Vec<u8>)> {
        let is_other = |name: &str| name.contains("/ledgers/") || name.contains("/notices/");
        let is_ours = |name: &str| name.ends_with(".json") && !is_other(name);
        let of = files.iter().filter(|(name, _)| is_ours(name));
        of.cloned().collect()
    };
    assert!(checkpoint(&before) == checkpoint(&after));
}

/// Nothing was ever read of the wrong one: it binds neither the source nor its file.
#[test]
fn a_wrong_organization_without_events_can_be_corrected() {
    for output in ["-", "{source}.jsonl", "{source}.jsonl.gz"] {
        let mut site = site();
        site.set_output("path", output);
        if output.ends_with(".gz") {
            site.set_output("compression", "gzip");
        }
        site.set("acme", "org_id", "00000000-0000-4000-8000-000000000000");
        assert_eq!(site.run(&["pull", "acme"]).code, 4);
        assert!(site.state().join("acme.json").exists(), "{output}");
        site.set("acme", "org_id", ORG_ID);
        let printed = site.ok(&["pull", "acme"]);
        let written = match output {
            "-" => printed,
            _ => Outputs::new(site.path(""), "acme").read(),
        };
        assert_eq!(written.ids(), org_ids(&site.control.ids(Api::OrgEvents)), "{output}");
        assert!(site.ok(&["pull", "acme"]).stdout.is_empty());
    }
}

#[test]
fn each_state_directory_has_a_history_of_its_own() {
    let mut site = site();
    for place in ["one", "two"] {
        let args = ["pull", "acme", "--state-dir", place];
        assert_eq!(site.ok(&args).ids().len(), 60);
        assert!(site.ok(&args).stdout.is_empty());
        assert!(site.path(place).join("acme.json").exists());
    }
    site.set_env("ATLAUDIT_STATE_DIR", "two");
    assert!(site.ok(&["pull", "acme"]).stdout.is_empty());
    site.set_env("ATLAUDIT_STATE_DIR", "three");
    assert_eq!(site.ok(&["pull", "acme"]).ids().len(), 60);
    assert!(!site.state().exists());
}

#[test]
fn the_checkpoint_holds_the_position_of_the_source() {
    let site = site();
    site.ok(&["pull", "acme", "--output", "acme.jsonl"]);
    let text = fs::read(site.state().join("acme.json")).unwrap();
    let state: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&state["version"], &state["source"]), (&"1".into(), &"acme".into()));
    assert_eq!(state["events"], 60);
    assert!(state["windows"][0]["cursor"].is_string());
    let length = fs::metadata(site.path("acme.jsonl")).unwrap().len();
    assert_eq!(state["outputs"][0]["committed"], length);
    assert!(state["watermark"].is_string() && state["complete_until"].is_string());
}

#[test]
fn a_state_that_others_may_write_is_refused_with_the_command_that_protects_it() {
    let site = site();
    site.ok(&["pull", "acme", "--max-events", "20"]);
    site.control.forget_requests();
    let (folder, file) = (site.state(), site.state().join("acme.json"));
    for (path, open, closed) in [(&folder, 0o770, 0o700), (&file, 0o606, 0o600)] {
        let set = |mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(open);
        site.run(&["pull", "acme"]).refused(7, &["not safe", "others may write it", "chmod go-w"]);
        set(closed);
    }
    assert!(site.control.requests().is_empty());
    assert_eq!(site.ok(&["pull", "acme"]).ids().len(), site.control.ids(Api::OrgEvents).len() - 20);
}

#[test]
fn a_run_history_that_others_may_write_is_neither_read_nor_replaced() {
    let site = site();
    site.ok(&["pull", "acme", "--max-events", "20"]);
    let ledger = site.state().join("ledgers/acme.json");
    let before = fs::read(&ledger).unwrap();
    fs::set_permissions(&ledger, fs::Permissions::from_mode(0o606)).unwrap();
    for words in [&["pull", "acme"][..], &["status"]] {
        let run = site.run(words);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let said = String::from_utf8_lossy(&run.stdout).into_owned() + &run.stderr;
        for part in ["is not read, because others may write it", "chmod go-w"] {
            assert!(said.contains(part), "{said}");
        }
    }
    assert_eq!(fs::read(&ledger).unwrap(), before);
    fs::set_permissions(&ledger, fs::Permissions::from_mode(0o600)).unwrap();
    let run = site.ok(&["pull", "acme"]);
    assert!(!run.stderr.contains("others may write"), "{}", run.stderr);
}

#[test]
fn a_link_in_place_of_a_lock_is_not_followed() {
    let site = site();
    site.ok(&["pull", "acme", "--max-events", "20"]);
    let (lock, other) = (site.state().join("acme.lock"), site.path("precious"));
    fs::write(&other, "precious").unwrap();
    fs::remove_file(&lock).unwrap();
    symlink(&other, &lock).unwrap();
    site.run(&["pull", "acme"]).refused(7, &["acme.lock", "not a regular file"]);
    assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
}
