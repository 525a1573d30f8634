//! Servers that fail: every attempt is a line, what could not be read is a gap, and the same
//! command goes on.

use std::time::Duration;

use atlaudit::sandbox::{Api, Fault};
use serde_json::Value;

use super::{Case, SOURCES, site, words};
use crate::support::{Site, eventually, files, org_ids, status};

/// The lines of `pages` that brought no page, as status and error.
fn failed(pages: &[Value]) -> Vec<(Option<u64>, String)> {
    let failed = pages.iter().filter(|page| page.get("error").is_some());
    failed
        .map(|page| {
            assert!(page.get("records").is_none() && page.get("next").is_none());
            let error = page["error"].as_str().unwrap().to_owned();
            (page["status"].as_u64(), error)
        })
        .collect()
}

#[test]
fn every_attempt_is_a_line() {
    let site = site(40);
    let faults = [
        Fault::Pass,
        status(429, Some(("retry-after", "1")), "{}"),
        status(503, None, r#"{"message":"The cat sat on it"}"#),
        Fault::CloseMidBody,
        Fault::NotJson,
        Fault::CloseBeforeResponse,
    ];
    for fault in faults {
        site.control.inject(Api::OrgEvents, fault);
    }
    site.ok(&words(&["acme"], "case", &["--keep-bodies"]));
    let case = Case::read(site.path("case"));
    case.is_sound("after faults");
    assert_eq!(case.events("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    let pages = case.pages("acme");
    assert_eq!(pages.len(), site.control.request_count(Api::OrgEvents));
    let failed = failed(&pages);
    let statuses: Vec<_> = failed.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [Some(429), Some(503), None, Some(200), None]);
    assert_eq!(failed[1].1, "The cat sat on it");
    // The second page was asked for six times, and waited for after each of the first five.
    let attempts: Vec<_> =
        pages[1..7].iter().map(|page| page["attempt"].as_u64().unwrap()).collect();
    assert_eq!(attempts, [1, 2, 3, 4, 5, 6]);
    assert!(pages[1]["waited_ms"].as_u64().unwrap() >= 1000);
    assert!(pages[1]["headers"].to_string().contains("retry-after"));
    assert!(pages[6].get("waited_ms").is_none());
    let urls: Vec<_> = pages[1..7].iter().map(|page| &page["request"]["url"]).collect();
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
    for page in &pages {
        // An answer that was cut short has no body to hash.
        assert_eq!(page.get("body").is_some(), page.get("status").is_some());
    }
}

#[test]
fn what_could_not_be_read_is_a_gap_and_is_read_later() {
    let mut site = site(60);
    site.set("acme", "retry_for", "0s");
    site.control.inject(Api::OrgEvents, Fault::Pass);
    site.control.inject(Api::OrgEvents, Fault::Pass);
    site.control.inject_always(Api::OrgEvents, status(503, None, "{}"));
    let all = words(&SOURCES, "case", &[]);
    let run = site.run(&all);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("acme: 20 events"), "{}", run.stderr);
    assert!(run.stderr.contains("INCOMPLETE: not read from"), "{}", run.stderr);
    let case = Case::read(site.path("case"));
    assert!(!case.is_complete());
    case.is_sound("amid");
    let shown = case.source("acme");
    assert_eq!(shown["complete"], false);
    let gap = &shown["gaps"][0];
    // What is processed later may have happened at any time of the window: none of it is called
    // read.
    assert_eq!(gap["from"], shown["windows"][0]["from"]);
    assert_eq!(shown["windows"].as_array().unwrap().len(), 1);
    assert_eq!(shown["windows"][0]["complete"], false);
    assert!(gap["why"].as_str().unwrap().contains("503"), "{gap}");
    assert_eq!(case.source("acme-jira")["complete"], true);
    assert_eq!(case.lines("acme").len(), 20);
    let ended = case.manifest["runs"][0]["ended"].as_str().unwrap();
    assert!(ended.contains("503"), "{ended}");

    let jira = case.lines("acme-jira");
    site.control.clear_faults(Api::OrgEvents);
    site.control.forget_requests();
    // Nor is its credential needed any more.
    site.unset_env("JIRA_KEY");
    site.ok(&all);
    let case = Case::read(site.path("case"));
    assert!(case.is_complete());
    case.is_sound("in the end");
    assert_eq!(case.events("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    assert_eq!(case.manifest["runs"].as_array().unwrap().len(), 2);
    assert!(case.source("acme").get("error").is_none());
    // What was read to its end is not asked for again.
    assert_eq!(case.lines("acme-jira"), jira);
    let requests = site.control.requests().len();
    assert_eq!(requests, site.control.request_count(Api::OrgEvents));
}

#[test]
fn a_credential_that_is_refused_leaves_a_line_and_a_gap() {
    let mut site = site(10);
    site.set_env("ACME_KEY", "wrong-secret-key");
    let run = site.run(&words(&["acme"], "case", &[]));
    assert_eq!(run.code, 4, "{}", run.stderr);
    let case = Case::read(site.path("case"));
    assert!(!case.is_complete());
    let pages = case.pages("acme");
    assert_eq!((pages.len(), &pages[0]["status"]), (1, &401.into()));
    let shown = case.source("acme");
    assert_eq!(shown["gaps"][0]["from"], case.manifest["asked"]["since"]);
    site.set_env("ACME_KEY", atlaudit::sandbox::API_KEY);
    site.ok(&words(&["acme"], "case", &[]));
    assert_eq!(Case::read(site.path("case")).lines("acme").len(), 10);
}

#[test]
fn a_look_up_that_fails_leaves_its_lines_and_nothing_read_before_is_lost() {
    let mut site = site(200);
    site.set("acme-jira", "retry_for", "0s");
    site.set("acme-jira", "gateway", true);
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "20");
    site.set("acme-jira", "base_url", "http://127.0.0.1:1");
    let (jira, own) = (words(&["acme-jira"], "case", &[]), site.base_url().to_owned());
    assert_eq!(site.run(&jira).code, 3);
    let case = Case::read(site.path("case"));
    let pages = case.pages("acme-jira");
    assert_eq!(failed(&pages).len(), 1);
    assert!(pages[0].get("span").is_none() && pages[0].get("status").is_none());
    site.set("acme-jira", "base_url", own.as_str());
    // Now some slices are read.
    for _ in 0..20 {
        site.control.inject(Api::JiraAudit, Fault::Pass);
    }
    site.control.inject_always(Api::JiraAudit, status(503, None, "{}"));
    assert_eq!(site.run(&jira).code, 3);
    let case = Case::read(site.path("case"));
    case.is_sound("amid");
    let (lines, pages) = (case.lines("acme-jira"), case.pages("acme-jira").len());
    assert!(!lines.is_empty() && lines.len() < 200);
    // And then the look-up fails again.
    site.set("acme-jira", "base_url", "http://127.0.0.1:1");
    let run = site.run(&jira);
    assert_eq!(run.code, 3, "{}", run.stderr);
    let case = Case::read(site.path("case"));
    assert_eq!(case.lines("acme-jira"), lines);
    assert_eq!(case.pages("acme-jira").len(), pages + 1);
    site.set("acme-jira", "base_url", own.as_str());
    site.control.clear_faults(Api::JiraAudit);
    site.ok(&jira);
    let whole = Case::read(site.path("case"));
    whole.is_sound("in the end");
    assert_eq!(whole.lines("acme-jira").len(), 200);
}

/// Starts an export that takes its time, and sends it `signal` when it has come some way.
fn interrupted(site: &Site, signal: &str) -> crate::support::Run {
    site.control.set_behaviour(|behaviour| {
        behaviour.org_latency = Duration::from_millis(50);
        behaviour.jira_latency = Duration::from_millis(50);
    });
    let mut running = site.start(&words(&["acme", "acme-jira"], "case", &[]));
    eventually("pages", || {
        site.path("case/pages/acme.jsonl.zst").exists() && site.control.requests().len() > 8
    });
    running.signal(signal);
    running.end()
}

#[test]
fn a_signal_ends_it_with_a_manifest_and_the_same_command_continues() {
    for signal in ["INT", "TERM"] {
        let site = site(300);
        let run = interrupted(&site, signal);
        assert_eq!(run.code, 3, "{signal}: {}", run.stderr);
        assert!(run.stderr.contains("run the same command again to resume"), "{}", run.stderr);
        let case = Case::read(site.path("case"));
        assert!(!case.is_complete());
        case.is_sound(signal);
        assert_eq!(case.manifest["runs"][0]["ended"], "interrupted");
        site.control.set_behaviour(|behaviour| {
            behaviour.org_latency = Duration::ZERO;
            behaviour.jira_latency = Duration::ZERO;
        });
        site.ok(&words(&["acme", "acme-jira"], "case", &[]));
        let case = Case::read(site.path("case"));
        assert!(case.is_complete());
        case.is_sound(signal);
        assert_eq!(case.events("acme").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
        assert_eq!(case.lines("acme-jira").len(), 300);
        // It ends where the first run began.
        let (until, began) = (&case.manifest["asked"]["until"], &case.manifest["started"]);
        assert_eq!(until, began);
    }
}

#[test]
fn an_answer_that_a_signal_overtakes_is_a_line() {
    let mut site = site(1_000);
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "40");
    site.control.set_behaviour(|behaviour| {
        behaviour.jira_latency = Duration::from_millis(400);
    });
    let mut running = site.start(&words(&["acme-jira"], "case", &["--keep-bodies"]));
    let requests = || site.control.request_count(Api::JiraAudit);
    eventually("requests", || requests() >= 12);
    // Whatever is requested from now on is under way when the signal comes.
    site.control.set_behaviour(|behaviour| behaviour.jira_latency = Duration::from_secs(60));
    let before = requests();
    eventually("a request that is not answered", || requests() > before);
    running.signal("INT");
    let run = running.end();
    assert_eq!(run.code, 3, "{}", run.stderr);
    let case = Case::read(site.path("case"));
    case.is_sound("after the signal");
    let (pages, asked) = (case.pages("acme-jira"), site.control.request_count(Api::JiraAudit));
    assert!(pages.len() >= asked, "{asked} asked, {}", pages.len());
    let overtaken = failed(&pages);
    let overtaken = overtaken.iter().filter(|(status, _)| status.is_none());
    assert!(overtaken.count() > 0);
}

#[test]
fn a_slice_that_keeps_changing_is_written_once_it_is_steady_and_in_order() {
    let site = site(100);
    // Each reading meets other repeats.
    for n in 0..200 {
        site.control.inject(Api::JiraAudit, Fault::Overlap(1 + n * n % 5));
    }
    let asked = words(&["acme-jira"], "case", &[]);
    let run = site.run(&asked);
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("kept arriving"), "{}", run.stderr);
    assert!(run.stderr.contains("nothing of that time range is written"));
    let begun = Case::read(site.path("case"));
    begun.is_sound("unsteady");
    assert!(begun.lines("acme-jira").is_empty());
    site.control.clear_faults(Api::JiraAudit);
    site.ok(&asked);
    let case = Case::read(site.path("case"));
    assert!(case.is_complete());
    case.is_sound("steady");
    let (since, until) = (&case.manifest["asked"]["since"], &case.manifest["asked"]["until"]);
    let (since, until) = (since.as_str().unwrap(), until.as_str().unwrap());
    let through = ["export", "acme-jira", "--since", since, "--until", until];
    site.ok(&[&through[..], &["--output", "through"]].concat());
    let through = Case::read(site.path("through"));
    assert_eq!(case.lines("acme-jira").len(), 100);
    assert_eq!(case.lines("acme-jira"), through.lines("acme-jira"));
}

#[test]
fn no_secret_is_in_any_file() {
    let forms = [
        atlaudit::sandbox::API_KEY,
        atlaudit::sandbox::JIRA_TOKEN,
        atlaudit::sandbox::DATACENTER_TOKEN,
        "YXVkaXRvckBsaW5kZW5mZWxsLmV4YW1wbGU6c2FuZGJveC1qaXJhLXRva2Vu",
    ];
    let site = site(30);
    site.control.inject(Api::OrgEvents, status(401, None, "{}"));
    site.control.inject(Api::JiraAudit, Fault::Redirect("https://x.example/?t=1".to_owned()));
    let all = words(&SOURCES, "case", &["--keep-bodies", "-vv"]);
    let runs = [site.run(&all), site.run(&all)];
    assert_eq!((runs[0].code, runs[1].code), (4, 0), "{}", runs[1].stderr);
    for (path, content) in files(&site.path("case")) {
        let content = match path.ends_with(".zst") {
            true => zstd::stream::decode_all(&*content).unwrap(),
            false => content,
        };
        for form in forms {
            let found = content.windows(form.len()).any(|part| part == form.as_bytes());
            assert!(!found, "{form} in {path}");
        }
    }
}
