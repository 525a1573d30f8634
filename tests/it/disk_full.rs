//! Disks that take no more: of the output, of the state, of the report. `ulimit -f` makes one of
//! any size for any file, and /dev/full one that takes nothing.

use std::fs;

use atlaudit::sandbox::Api;
use chrono::{TimeDelta, Utc};

use crate::live_alerts;
use crate::support::{Run, Site, assert_file_complete, org_ids};

/// Some 400 KiB of events into the file `acme`, ten a page.
fn site() -> Site {
    Site::of(300, 0).with("acme", "page_size", 10).with_output("path", "{source}")
}

/// A pull of `acme` that may write so many blocks to a file: of 512 bytes in one shell, of 1024 in
/// another.
fn limited(site: &Site, blocks: usize, redirection: &str) -> Run {
    let script =
        format!(r#"ulimit -f {blocks}; exec "$PROGRAM" pull acme --repeat-errors {redirection}"#);
    Run::from(site.shell(&script).output().unwrap())
}

/// The events that the run just ended says it wrote.
fn reported(site: &Site) -> u64 {
    let report = fs::read(site.path("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    report["sources"][0]["events"].as_u64().unwrap()
}

fn is_whole(site: &Site) {
    assert_eq!(site.read("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn a_full_disk_in_the_first_pull() {
    let site = site();
    let mut total = 0;
    for _ in 0..3 {
        limited(&site, 100, "--report report.json")
            .refused(8, &["`acme`", "write the output file", "disk is not full"]);
        // What did not fit whole is taken back.
        let ids = site.read("acme").ids();
        assert_eq!(ids, org_ids(&site.control.ids(Api::OrgEvents)[..ids.len()]));
        assert!(!ids.is_empty());
        total += reported(&site);
    }
    site.ok(&["pull", "acme", "--report", "report.json"]);
    is_whole(&site);
    assert_eq!(total + reported(&site), 300);
}

#[test]
fn a_full_disk_loses_no_event_while_a_program_is_notified() {
    let mut site = site();
    site.set("acme", "page_size", 5);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "20000");
    let notify = "[detect.notify]\ncommand = ['sh', '-c', 'sleep 0.2']\nmin_severity = 'low'\n";
    site.set_detect(&format!("{}{notify}", live_alerts::DETECT));
    // The last alerts are delivered after the last commit, and the events after it failed.
    limited(&site, 250, "").fails(8, &["write the output file"]);
    site.ok(&["pull", "acme"]);
    is_whole(&site);
}

#[test]
fn a_full_disk_between_commits_is_reported_once() {
    let mut site = site();
    // Three pages or so a commit.
    site.set("acme", "page_size", 5);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "20000");
    let mut total = 0;
    for blocks in [100, 150, 200, 250] {
        limited(&site, blocks, "--report report.json")
            .refused(8, &["`acme`", "write the output file"]);
        assert!(reported(&site) > 0);
        total += reported(&site);
    }
    site.ok(&["pull", "acme", "--report", "report.json"]);
    is_whole(&site);
    assert_eq!(total + reported(&site), 300);
}

#[test]
fn the_output_where_a_full_disk_truncates_nothing() {
    let mut site = site();
    // btrfs needs free space also to truncate a file.
    site.set_env("ATLAUDIT_CRASH_FAULT", "Truncate");
    let run = limited(&site, 100, "");
    let stays = "bytes, which are not committed, stay in it";
    run.refused(8, &["truncate the output file", stays, "the next run mends"]);
    assert!(run.stderr.contains("cannot write the output file"), "{}", run.stderr);
    let torn = site.read("acme").stdout;
    assert!(!torn.ends_with(b"\n"));
    for _ in 0..2 {
        // While the disk is full nothing is written behind half a line, and nothing is requested.
        let requests = site.control.request_count(Api::OrgEvents);
        let run = site.run(&["pull", "acme", "--repeat-errors"]);
        run.refused(8, &["truncate the output file", stays, "free disk space"]);
        assert_eq!(site.read("acme").stdout, torn);
        assert_eq!(site.control.request_count(Api::OrgEvents), requests);
    }
    site.unset_env("ATLAUDIT_CRASH_FAULT");
    site.ok(&["pull", "acme"]);
    is_whole(&site);
}

#[test]
fn the_end_of_another_program_where_a_full_disk_truncates_nothing() {
    let mut site = site();
    site.ok(&["pull", "acme"]);
    let path = site.path("acme");
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"half of th").unwrap();
    site.set_env("ATLAUDIT_CRASH_FAULT", "Truncate");
    let names = || fs::read_dir(path.parent().unwrap()).unwrap().count();
    let before = names();
    for _ in 0..2 {
        let run = site.run(&["pull", "acme", "--repeat-errors"]);
        run.refused(8, &["truncate the output file"]);
        assert_eq!(names(), before, "a copy for each attempt");
    }
}

#[test]
fn a_full_disk_after_a_commit() {
    let site = site();
    site.ok(&["pull", "acme", "--max-events", "15"]);
    let committed = site.read("acme").stdout;
    limited(&site, 140, "").refused(8, &["`acme`", "write the output file"]);
    let file = site.read("acme").stdout;
    assert!(file.starts_with(&committed) && file.len() > committed.len());
    limited(&site, 0, "").refused(7, &["`acme`"]);
    site.ok(&["pull", "acme"]);
    is_whole(&site);
}

#[test]
fn a_full_disk_in_a_one_off_run() {
    let site = site();
    limited(&site, 100, "--since 40d --output acme")
        .refused(8, &["`acme`", "write the output file"]);
    // Nothing remembers how far it came, so that the lines must be whole by themselves.
    let ids = site.read("acme").ids();
    assert_eq!(ids, org_ids(&site.control.ids(Api::OrgEvents)[..ids.len()]));
    assert!(!ids.is_empty() && !site.state().exists());
}

#[test]
fn a_full_disk_for_one_source_does_not_stop_the_other() {
    let mut site = Site::of(30, 200);
    site.set("acme", "output", output("/dev/full"));
    site.set("acme-jira", "output", output("acme-jira"));
    let run = site.run(&["pull"]);
    assert_eq!(run.code, 8, "{}", run.stderr);
    assert_file_complete(&site, "acme-jira");
    site.set("acme", "output", output("acme"));
    site.ok(&["pull"]);
    is_whole(&site);
    assert_file_complete(&site, "acme-jira");
}

fn output(path: &str) -> toml::Table {
    toml::Table::from_iter([("path".to_owned(), path.into())])
}

#[test]
fn a_full_disk_for_redirected_standard_output() {
    let site = site();
    let run = limited(&site, 100, "--output - > out");
    assert_eq!(run.code, 8, "{}", run.stderr);
    assert!(run.stderr.contains("standard output"), "{}", run.stderr);
    // Nothing of it was committed.
    site.ok(&["pull", "acme"]);
    is_whole(&site);
}

/// Events so short that the state, which remembers each, is larger than the output.
fn short(events: usize) -> Site {
    let mut site = Site::of(0, 0);
    site.set("acme", "page_size", 500);
    site.set_output("path", "{source}");
    site.set_output("format", "raw");
    let start = Utc::now() - TimeDelta::hours(1);
    for n in 0..events {
        let at = start + TimeDelta::milliseconds(i64::try_from(n).unwrap());
        let text = format!(r#"{{"id":"{n}"}}"#);
        site.control.add_json(Api::OrgEvents, text, at);
    }
    site
}

#[test]
fn a_full_state_disk_after_the_output_was_written() {
    let site = short(1_500);
    for _ in 0..2 {
        limited(&site, 48, "--report report.json").refused(7, &["acme.json", "disk is not full"]);
        assert_eq!(reported(&site), 0);
        assert!(!site.read("acme").stdout.is_empty());
        let state = fs::read_to_string(site.state().join("acme.json")).unwrap();
        assert!(state.contains(r#""committed":0"#), "{state}");
        // A checkpoint, a lock and the ledgers.
        assert_eq!(fs::read_dir(site.state()).unwrap().count(), 3, "leftovers");
    }
    site.ok(&["pull", "acme"]);
    assert_eq!(site.read("acme").lines(), site.control.texts(Api::OrgEvents));
}

#[test]
fn a_full_state_disk_before_any_request() {
    let site = site();
    for _ in 0..2 {
        limited(&site, 0, "").refused(7, &["`acme`", "disk is not full"]);
    }
    assert_eq!(site.control.request_count(Api::OrgEvents), 0);
    assert!(site.read("acme").stdout.is_empty());
    site.ok(&["pull", "acme"]);
    is_whole(&site);
}

#[test]
fn a_full_disk_for_the_report() {
    let site = site();
    let run = site.run(&["pull", "acme", "--report", "/dev/full"]);
    assert_eq!(run.code, 8, "{}", run.stderr);
    assert!(run.stderr.contains("/dev/full"), "{}", run.stderr);
    // The run itself stands.
    is_whole(&site);
    site.ok(&["pull", "acme"]);
    is_whole(&site);
}

#[test]
fn a_full_disk_for_messages() {
    for redirection in ["2>/dev/full", "2>&-", "<&-", ">&-", "<&- >&- 2>&-"] {
        let mut site = Site::of(50, 0);
        site.set_output("path", "{source}");
        let script = format!(r#"exec "$PROGRAM" pull acme -vv {redirection}"#);
        let run = Run::from(site.shell(&script).output().unwrap());
        assert_eq!(run.code, 0, "{redirection}: {}", run.stderr);
        is_whole(&site);
    }
}

#[test]
fn unwritable_folders_are_reported() {
    // Not even from root, for which permissions do not count.
    let site = site();
    site.run(&["pull", "acme", "--output", "/proc/atlaudit/acme"])
        .refused(8, &["`acme`", "/proc/atlaudit"]);
    site.run(&["pull", "acme", "--state-dir", "/proc/atlaudit"])
        .refused(7, &["/proc/atlaudit", "--state-dir"]);
    assert!(site.control.requests().is_empty());
    site.ok(&["pull", "acme"]);
    is_whole(&site);
}
