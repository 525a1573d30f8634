//! One-off windows: half-open in event time, and without a trace in the state.

use atlaudit::sandbox::{Api, FilterClock, SandboxOptions};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::Value;

use crate::support::{Run, Site, each_once, files, jira_ids, org_ids, small};

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"))
        .unwrap()
        .to_utc()
}

/// The id and the time of each text: of an org event, or of a Jira record.
fn times(texts: &[String]) -> Vec<(String, DateTime<Utc>)> {
    let read = |text: &String| {
        let record: Value = serde_json::from_str(text).unwrap();
        let time = record["attributes"]["time"].as_str();
        let time = time.or(record["created"].as_str()).unwrap();
        let id = record["id"].as_str().map(str::to_owned);
        (id.unwrap_or_else(|| record["id"].to_string()), at(time))
    };
    texts.iter().map(read).collect()
}

/// The ids of those that happened in `since <= time < until`.
fn inside(texts: &[String], since: DateTime<Utc>, until: DateTime<Utc>) -> Vec<String> {
    let inside = times(texts).into_iter();
    inside.filter(|(_, time)| since <= *time && *time < until).map(|(id, _)| id).collect()
}

fn typed(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Pulls the window, and both sources give what happened in it.
fn assert_window(site: &Site, since: DateTime<Utc>, until: DateTime<Utc>) {
    let run = site.ok(&["pull", "--since", &typed(since), "--until", &typed(until)]);
    let org = org_ids(&inside(&site.control.texts(Api::OrgEvents), since, until));
    assert_eq!(run.ids_of("org:"), org);
    let jira = jira_ids(&inside(&site.control.texts(Api::JiraAudit), since, until));
    each_once(&run.ids_of("jira:"), &jira);
}

fn refused(run: &Run, words: &str) {
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains(words), "{}", run.stderr);
    assert!(run.stdout.is_empty());
}

#[test]
fn a_window_is_half_open_whichever_clock_the_server_filters_by() {
    for clock in [FilterClock::ProcessedAt, FilterClock::Time] {
        let mut options: SandboxOptions = small(600, 300);
        options.behaviour.filter_clock = clock;
        let site = Site::new(options);
        let org = times(&site.control.texts(Api::OrgEvents));
        let jira = times(&site.control.texts(Api::JiraAudit));
        // Bounds that are times of events: the first is inside, the last is not.
        assert_window(&site, org[150].1, org[420].1);
        assert_window(&site, jira[200].1, jira[60].1);
        assert_window(&site, org[300].1, org[300].1 + TimeDelta::milliseconds(1));
    }
}

#[test]
fn events_that_were_processed_late_are_in_their_window() {
    let site = Site::of(600, 0);
    let texts = site.control.texts(Api::OrgEvents);
    let late: Vec<(DateTime<Utc>, DateTime<Utc>)> = texts
        .iter()
        .map(|text| {
            let event: Value = serde_json::from_str(text).unwrap();
            let read = |key: &str| at(event["attributes"][key].as_str().unwrap());
            (read("time"), read("processedAt"))
        })
        .filter(|(time, processed)| *processed - *time > TimeDelta::minutes(30))
        .collect();
    assert!(late.len() > 3, "the history has late events");
    for (time, processed) in late {
        // The window ends between the event and its processing.
        let until = time + (processed - time) / 2;
        let since = time - TimeDelta::hours(3);
        let run = site.ok(&["pull", "acme", "--since", &typed(since), "--until", &typed(until)]);
        let want = org_ids(&inside(&texts, since, until));
        assert_eq!(run.ids(), want);
    }
}

#[test]
fn it_leaves_no_state_and_moves_none() {
    let site = Site::of(300, 100);
    let all = site.ok(&["pull", "--since", "40d"]).ids().len();
    assert_eq!(all, 400);
    assert_eq!(files(&site.state()), []);
    site.ok(&["pull", "--max-events", "50"]);
    let before = files(&site.state());
    assert!(!before.is_empty());
    site.ok(&["pull", "--since", "10d", "--until", "5d"]);
    assert!(files(&site.state()) == before, "the state has moved");
    let rest = site.ok(&["pull"]);
    assert_eq!(rest.ids().len(), 300);
}

#[test]
fn a_window_never_enters_the_files_of_the_collector() {
    let mut site = Site::of(200, 100);
    site.set_output("path", "{source}.jsonl");
    site.set_output("rotate", "hourly");
    site.ok(&["pull"]);
    let before = site.read("acme.jsonl").ids();
    assert_eq!(before.len(), 200);
    // Without a typed output it goes to standard output, and plain.
    site.set_output("compression", "gzip");
    let run = site.ok(&["pull", "acme", "--since", "60d"]);
    assert_eq!(run.ids().len(), 200);
    let run = site.ok(&["pull", "acme", "--since", "60d", "--output", "-"]);
    assert_eq!(run.ids().len(), 200);
    site.set_output("compression", "none");
    // A typed path to a file of a checkpoint is refused before any request, by every name of it.
    let requests = site.control.requests().len();
    std::os::unix::fs::symlink("acme.jsonl", site.path("link")).unwrap();
    std::fs::hard_link(site.path("acme.jsonl"), site.path("hard")).unwrap();
    std::fs::rename(site.path("acme-jira.jsonl"), site.path("renamed")).unwrap();
    // The file is gone, and the link to it would create it again.
    std::os::unix::fs::symlink("acme-jira.jsonl", site.path("dangling")).unwrap();
    for output in [
        "acme.jsonl",
        "{source}.jsonl",
        "link",
        "hard",
        "./acme.jsonl",
        "renamed",
        "dangling",
        "acme-20261120T095959.999Z.jsonl",
    ] {
        let typed = ["pull", "acme", "--since", "60d", "--output", output];
        let says = ["belongs to the pulls of source", "standard output"];
        site.run(&typed).refused(8, &says);
        site.run(&[&typed[..], &["--dry-run"]].concat()).refused(8, &says);
    }
    assert_eq!(site.control.requests().len(), requests);
    assert_eq!(site.read("acme.jsonl").ids(), before);
    // Any other file may be written.
    site.ok(&["pull", "acme", "--since", "60d", "--output", "own"]);
    assert_eq!(site.read("own").ids(), before);
}

#[test]
fn dates_and_spans_mean_what_they_say() {
    let site = Site::of(400, 100);
    let now = Utc::now();
    let day = |days| (now - TimeDelta::days(days)).date_naive();
    let midnight = |days| day(days).and_hms_opt(0, 0, 0).unwrap().and_utc();
    let run =
        site.ok(&["pull", "acme", "--since", &day(9).to_string(), "--until", &day(4).to_string()]);
    let want = inside(&site.control.texts(Api::OrgEvents), midnight(9), midnight(4));
    assert_eq!(run.ids(), org_ids(&want));
    assert!(!want.is_empty());
    let spans = site.ok(&["pull", "acme", "--since", "9d", "--until", "96h"]).ids();
    // "Now" is a moment later there: an event at the very edge may fall out.
    let want = inside(
        &site.control.texts(Api::OrgEvents),
        now - TimeDelta::days(9),
        now - TimeDelta::hours(96),
    );
    assert!(spans.len().abs_diff(want.len()) <= 2, "{} {}", spans.len(), want.len());
}

#[test]
fn until_alone_begins_with_the_lookback() {
    let site = Site::of(300, 0);
    let until = Utc::now() - TimeDelta::days(10);
    let run = site.ok(&["pull", "acme", "--until", &typed(until)]);
    let texts = site.control.texts(Api::OrgEvents);
    let want = inside(&texts, DateTime::UNIX_EPOCH, until);
    assert_eq!(run.ids(), org_ids(&want));
}

#[test]
fn what_makes_no_window_is_refused() {
    let site = Site::of(10, 10);
    let since = |time: &str| site.run(&["pull", "--since", time]);
    let swapped = site.run(&["pull", "--since", "2026-11-02", "--until", "2026-11-01"]);
    swapped.refused(2, &["--since", "not before"]);
    site.run(&["pull", "--since", "1h", "--until", "1h"]).refused(2, &["not before"]);
    since("2999-01-01").refused(2, &["not before now"]);
    for since in [&["--since", "9d"][..], &[]] {
        let args = [&["pull", "acme", "--until", "2999-01-01"], since].concat();
        site.run(&args).refused(2, &["`--until`", "is in the future", "leave it out"]);
    }
    for bad in ["soon", "2026-11-01T08", "26-11-01", "7"] {
        refused(&since(bad), "RFC 3339");
    }
    refused(&since("yesterdy"), "did you mean `yesterday`? a time is a date with or without");
    refused(&since("tomorrow"), "has not happened yet");
    refused(&since("2026-13-01"), "the calendar has no 2026-13-01");
    assert!(site.control.requests().is_empty(), "nothing may be asked");
}

#[test]
fn one_source_ends_where_another_begins_without_a_gap_or_a_repeat() {
    let mut site = Site::of(10, 300);
    let records = times(&site.control.texts(Api::JiraAudit));
    let mut instants: Vec<_> = records.iter().map(|(_, time)| *time).collect();
    instants.sort();
    let switch = instants[200];
    site.add("acme-new", "acme-jira");
    site.unset("acme-new", "initial_lookback");
    site.set("acme-new", "initial_from", typed(switch));
    let mut ids = site.ok(&["pull", "acme-jira", "--until", &typed(switch)]).ids();
    let new = site.ok(&["pull", "acme-new"]);
    assert!(new.stderr.contains("(`initial_from`)"), "{}", new.stderr);
    ids.extend(new.ids());
    let all: Vec<_> = records.into_iter().map(|(id, _)| id).collect();
    each_once(&ids, &jira_ids(&all));
    // Only the first pull begins there.
    site.set("acme-new", "initial_from", "2020-01-01");
    assert!(site.ok(&["pull", "acme-new"]).ids().is_empty());
    site.add("acme-later", "acme-new");
    site.set("acme-later", "initial_from", "2999-01-01");
    site.run(&["pull", "acme-later"]).refused(6, &["`initial_from`", "in the future"]);
}
