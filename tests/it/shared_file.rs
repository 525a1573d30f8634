//! Several sources in one file: they write it one after the other, and each event is in it once,
//! whatever dies in between.

use std::fs;
use std::time::Duration;

use atlaudit::sandbox::Api;
use serde_json::Value;

use crate::live_alerts;
use crate::support::{Outputs, Run, Site, crash_points, eventually, kill_seed, small, whole};

const SOURCES: [&str; 3] = ["acme", "acme-jira", "acme-confluence"];
const APIS: [Api; 3] = [Api::OrgEvents, Api::JiraAudit, Api::ConfluenceAudit];

/// A site with so many events of each of three sources, all of them written to one file, each page
/// with a commit of its own.
fn site(events: usize, compression: &str, rotate: &str) -> Site {
    let mut options = small(events, events);
    options.data.confluence_records = events;
    let mut site = Site::new(options).with_all_sources();
    site.remove_source("acme-dc");
    site.set_output("path", "out/all.jsonl");
    site.set_output("compression", compression);
    site.set_output("rotate", rotate);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "4");
    for source in SOURCES {
        site.set(source, "page_size", 4);
    }
    site
}

/// The events of `source` among `all`.
fn events_of(all: &Run, source: &str) -> Run {
    let is_of = |line: &&str| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["source"]["name"] == source
    };
    let lines: Vec<_> =
        all.lines().into_iter().filter(is_of).map(|line| format!("{line}\n")).collect();
    Run { code: 0, stdout: lines.concat().into_bytes(), stderr: String::new() }
}

fn written(site: &Site) -> Run {
    Outputs::new(site.path("out"), "all").read()
}

/// The files hold each event of each source once, and nothing else.
fn assert_whole(what: &str, site: &Site) {
    let all = written(site);
    let mut lines = 0;
    for source in SOURCES {
        let own = events_of(&all, source);
        lines += own.lines().len();
        whole(&format!("{what}: {source}"), site, source, &own);
    }
    assert_eq!(lines, all.lines().len(), "{what}: lines of nobody");
    let names = fs::read_dir(site.path("out")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    let aside = |name: &std::ffi::OsString| name.to_str().unwrap().contains(".unfinished-");
    assert!(!names.iter().any(aside), "{what}: {names:?}");
}

fn add_news(site: &Site, count: usize) {
    APIS.iter().for_each(|api| site.control.add(*api, count));
}

/// Records of the very millisecond in which a run begins are the next one's.
fn pass_a_millisecond() {
    std::thread::sleep(Duration::from_millis(5));
}

#[test]
fn sources_of_one_run_share_a_file_and_its_alerts() {
    for (compression, rotate) in [("none", "never"), ("gzip", "2KiB"), ("zstd", "never")] {
        let mut site = site(30, compression, rotate);
        let detect = live_alerts::DETECT;
        site.set_detect(&detect.replace("enabled", "path = 'out/alerts.jsonl'\nenabled"));
        site.ok(&["pull", "--dry-run"]);
        site.ok(&["pull"]);
        add_news(&site, 10);
        pass_a_millisecond();
        site.ok(&["pull", "--report", "report.json"]);
        assert_whole(compression, &site);
        let report: Value = serde_json::from_slice(&site.read("report.json").stdout).unwrap();
        let counts = report["sources"].as_array().unwrap().iter();
        let counts: Vec<_> = counts.map(|source| source["events"].as_u64().unwrap()).collect();
        assert_eq!(counts, [10, 10, 10]);
        let alerts = Outputs::new(site.path("out"), "alerts").read().trees();
        let ids: std::collections::BTreeSet<_> =
            alerts.iter().map(|alert| alert["id"].as_str().unwrap()).collect();
        assert!(!ids.is_empty() && ids.len() == alerts.len(), "{compression}");
    }
}

/// First runs of all sources that die, each a passage later in a site of its own; the next one mends
/// what it left, and finds news.
fn crash_at_every_passage(compression: &str, rotate: &str) {
    let mut passed = 0;
    let mut points = Vec::new();
    for passage in 1.. {
        let mut site = site(8, compression, rotate);
        let trace = site.path("trace");
        site.set_env("ATLAUDIT_CRASH_TRACE", trace.to_str().unwrap());
        site.set_env("ATLAUDIT_CRASH_AT", &passage.to_string());
        let run = site.run(&["pull"]);
        site.unset_env("ATLAUDIT_CRASH_AT");
        if run.code == 0 {
            break;
        }
        assert_eq!(run.code, 128 + 6, "{}", run.stderr);
        passed = passage;
        let trace = fs::read_to_string(&trace).unwrap();
        let point = trace.lines().last().unwrap().to_owned();
        // One of its sources alone, before the others: it mends what another left.
        if passage % 3 == 0 {
            site.ok(&["pull", SOURCES[passage / 3 % 3]]);
        }
        add_news(&site, 3);
        pass_a_millisecond();
        site.ok(&["pull"]);
        assert_whole(&format!("{compression} {rotate}: passage {passage}, {point}"), &site);
        points.push(point);
    }
    assert!(passed > 3 * 10, "it died too seldom: {passed}");
    for point in ["OutputOpened", "HalfAppended", "OutputDurable", "StateWritten", "StateDurable"] {
        assert!(points.iter().any(|passed| passed == point), "never at {point}");
        assert!(crash_points().contains(&point));
    }
}

#[test]
fn a_pull_of_three_sources_into_one_file_survives_a_crash_at_every_point() {
    crash_at_every_passage("none", "never");
}

#[test]
fn a_pull_of_three_sources_into_packed_files_survives_a_crash_at_every_point() {
    crash_at_every_passage("gzip", "2KiB");
}

#[test]
fn random_kills_of_a_shared_file_lose_nothing_and_repeat_nothing() {
    let mut random = fastrand::Rng::with_seed(kill_seed());
    for (compression, rotate) in [("none", "never"), ("zstd", "4KiB")] {
        let site = site(60, compression, rotate);
        site.control.set_behaviour(|behaviour| {
            behaviour.org_latency = Duration::from_millis(10);
            behaviour.jira_latency = Duration::from_millis(10);
            behaviour.confluence_latency = Duration::from_millis(10);
        });
        for _ in 0..8 {
            let mut running = site.start(&["-q", "pull"]);
            std::thread::sleep(Duration::from_millis(random.u64(0..700)));
            running.child().kill().unwrap();
            running.end();
            add_news(&site, random.usize(0..20));
        }
        pass_a_millisecond();
        site.ok(&["pull"]);
        assert_whole(compression, &site);
    }
}

#[test]
fn a_source_that_died_while_it_wrote_and_cannot_be_pulled_holds_up_no_other() {
    let mut site = site(12, "none", "never");
    site.set_env("ATLAUDIT_CRASH_AT", "Appended");
    assert_eq!(site.run(&["pull", "acme-jira"]).code, 128 + 6);
    site.unset_env("ATLAUDIT_CRASH_AT");
    site.set_env("JIRA_KEY", "wrong");
    // Its site is asked by two of the three.
    let run = site.run(&["pull"]);
    run.fails(4, &["acme-jira"]);
    whole("the other", &site, "acme", &events_of(&written(&site), "acme"));
    site.set_env("JIRA_KEY", atlaudit::sandbox::JIRA_TOKEN);
    site.ok(&["pull"]);
    assert_whole("with a key again", &site);
}

#[test]
fn follow_shares_a_file_in_turn() {
    let site = site(12, "none", "never");
    let mut running = site.start(&["follow", "--every", "1s"]);
    eventually("the first pull", || site.line_count("out/all.jsonl") == 36);
    add_news(&site, 6);
    eventually("the news", || site.line_count("out/all.jsonl") == 54);
    running.signal("INT");
    assert_eq!(running.end().code, 0);
    site.ok(&["pull"]);
    assert_whole("after follow", &site);
}

#[test]
fn another_process_is_refused_while_a_shared_file_is_written() {
    let site = site(40, "none", "never");
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(300));
    let running = site.start(&["pull", "acme"]);
    eventually("a line", || site.line_count("out/all.jsonl") > 0);
    let refused = site.run(&["pull", "acme-jira"]);
    refused.fails(8, &["is being written by another run"]);
    assert_eq!(running.end().code, 0);
    site.ok(&["pull"]);
    assert_whole("after both", &site);
}

#[test]
fn a_source_whose_file_another_process_writes_is_skipped_where_that_is_wanted() {
    let site = site(20, "none", "never");
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(200));
    let running = site.start(&["pull", "acme"]);
    eventually("lines", || written(&site).stdout.len() > 1_000);
    for _ in 0..2 {
        let run = site.ok(&["pull", "--if-running", "skip"]);
        assert_eq!(run.stderr.matches("; skipped").count(), 3, "{}", run.stderr);
    }
    // To another state folder, the run is known by its file alone.
    let run = site.ok(&["pull", "acme-jira", "--if-running", "skip", "--state-dir", "state2"]);
    assert_eq!(run.stderr.matches("; skipped").count(), 1, "{}", run.stderr);
    // Nobody has failed.
    let state = site.run(&["status", "--nagios"]);
    assert_eq!(state.code, 1, "{}", state.text());
    assert!(state.text().contains("never"), "{}", state.text());
    assert_eq!(running.end().code, 0);
    site.ok(&["pull", "--if-running", "skip"]);
    assert_whole("after the other process", &site);
}

#[test]
fn a_file_that_cannot_be_shared_is_refused_before_anything_is_read() {
    let mut site = site(3, "none", "never");
    site.remove_source("acme-confluence");
    let refused = |site: &Site, args: &[&str], words: &str| {
        let run = site.run(&[&["pull"][..], args].concat());
        run.refused(6, &["`acme`", "`acme-jira`", words]);
    };
    refused(&site, &["-o", "/dev/null"], "pipe or device");
    refused(&site, &["-o", "all.parquet"], "Parquet");
    site.set("acme-jira", "output", toml::toml! { format = "raw" });
    refused(&site, &[], "in two ways");
    site.unset("acme-jira", "output");
    site.set_output("path", "out/{source}.jsonl");
    site.set_detect("[detect]\nenabled = true\npath = 'out/acme.jsonl'\n");
    site.run(&["pull", "acme-jira", "acme"]).refused(6, &["alerts"]);
    assert!(!site.path("out").exists());
    assert_eq!(site.control.requests().len(), 0);
}
