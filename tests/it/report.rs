//! `report`: a page of saved events, or of a time range of a source.

use std::fs;

use atlaudit::sandbox::Api;

use crate::support::{Run, Site, blank, status};

/// A site whose events are saved in `acme.jsonl` and `acme-jira.jsonl`.
fn pulled() -> Site {
    let site = Site::of(120, 60);
    site.ok(&["pull", "--since", "60d", "--output", "{source}.jsonl"]);
    site
}

fn page(site: &Site, name: &str) -> String {
    fs::read_to_string(site.path(name)).unwrap()
}

#[test]
fn a_page_has_the_events_that_fit() {
    let site = pulled();
    let args = ["report", "acme.jsonl", "acme-jira.jsonl", "--output"];
    let run = site.ok(&[&args[..], &["all.html"]].concat());
    assert!(run.stderr.contains("wrote a page of 180 events to"), "{}", run.stderr);
    let all = page(&site, "all.html");
    for words in ["<!DOCTYPE html>", "Of 180 events", "180 events are on this page", "acme-jira"] {
        assert!(all.contains(words), "{words}");
    }
    assert!(!all.contains("<script") && !all.contains("could not be read"));
    site.ok(&[&args[..], &["some.html", "--action", "user_login"]].concat());
    let some = page(&site, "some.html");
    assert!(some.contains("fit the filters") && !some.contains("permission_scheme"), "{some}");
    let printed = site.ok(&[&args[..], &["-"]].concat()).text();
    let body = |text: &str| text.split("Made by atlaudit").next().unwrap().to_owned();
    assert!(body(&printed) == body(&all), "another page");
}

#[test]
fn a_page_of_a_source_is_of_the_time_range_that_was_asked_for() {
    let site = Site::of(120, 0);
    site.ok(&["report", "--source", "acme", "--since", "60d", "--output", "page.html"]);
    assert!(page(&site, "page.html").contains("Of 120 events"));
    assert!(!site.state().join("acme.json").exists(), "a checkpoint");
}

#[test]
fn a_page_is_replaced_and_a_file_with_events_is_not() {
    let site = pulled();
    let report = |output: &str| site.run(&["report", "acme.jsonl", "-o", output]);
    assert_eq!(report("page.html").code, 0);
    assert_eq!(report("page.html").code, 0);
    let before = fs::read(site.path("acme.jsonl")).unwrap();
    report("acme.jsonl").refused(8, &["is there already, and is no page", "name another file"]);
    assert!(fs::read(site.path("acme.jsonl")).unwrap() == before, "it was changed");
    report("no/such/page.html").refused(8, &["in no folder that there is"]);
    report(".").refused(8, &["is no regular file"]);
    fs::write(site.path("empty.html"), "").unwrap();
    assert_eq!(report("empty.html").code, 0);
}

#[test]
fn a_page_says_what_could_not_be_read() {
    let site = pulled();
    let mut text = fs::read(site.path("acme.jsonl")).unwrap();
    text.extend_from_slice(b"{\"torn\n");
    fs::write(site.path("acme.jsonl"), text).unwrap();
    let run = site.run(&["report", "acme.jsonl", "missing.jsonl", "-o", "page.html"]);
    run.fails(3, &["cannot read `missing.jsonl`", "line 121"]);
    let page = page(&site, "page.html");
    assert!(page.contains("Not everything could be read"), "{page}");
    assert!(page.contains("1 line and 1 file could not be read"), "{page}");
}

#[test]
fn a_page_says_which_source_could_not_be_read() {
    let site = Site::of(20, 20);
    site.control.inject_always(Api::JiraAudit, status(401, None, "{}"));
    let args = ["report", "--source", "acme", "acme-jira", "--since", "60d", "-o", "page.html"];
    assert_eq!(site.run(&args).code, 4);
    let first = page(&site, "page.html");
    assert!(first.contains("The source acme-jira could not be read to its end."), "{first}");
    // Nothing at all: the page of before stays.
    site.control.inject_always(Api::OrgEvents, status(401, None, "{}"));
    site.run(&args).fails(4, &["no page is written"]);
    assert!(page(&site, "page.html") == first, "the page was replaced");
}

#[test]
fn the_demo_makes_a_page_beside_its_events() {
    let (home, tmp) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = home.path().join("page.html");
    let mut command = blank(home.path(), tmp.path());
    command.args(["demo", "--report"]).arg(&path);
    let run = Run::from(command.output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(run.ids().len(), 3_900);
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.contains("Of 3,900 events"));
}
