//! `report`: a page of saved events, or of a time range of a source.

use std::fs;

use atlaudit::sandbox::Api;
use serde_json::{Value, json};

use crate::detect::{event, history};
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

/// What a page has between two texts.
pub fn between<'p>(page: &'p str, before: &str, after: &str) -> &'p str {
    let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("no {before}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after}")).0
}

/// The section of alerts of a page.
pub fn alert_section(page: &str) -> &str {
    between(page, "<section id=\"alerts\">", "</section>")
}

/// The titles of alerts in the order of a page.
pub fn titles(alerts: &[Value]) -> Vec<String> {
    let severities = ["critical", "high", "medium", "low"];
    let of_severity = |severity: &&str| {
        let of_it = alerts.iter().filter(|alert| alert["severity"] == **severity).rev();
        of_it.map(|alert| alert["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    severities.iter().flat_map(of_severity).collect()
}

/// The titles in the table of alerts of a page.
pub fn shown_titles(page: &str) -> Vec<String> {
    let rows = between(page, "<table class=\"plain alerts\">", "</table>").split("<tr").skip(2);
    rows.map(|row| between(row, "<td class=\"d\">", "</td>").to_owned()).collect()
}

#[test]
fn a_page_of_alerts_has_those_of_detect_the_worst_first() {
    let site = history(1);
    let alerts = site.ok(&["detect", "saved"]).trees();
    let run = site.ok(&["report", "--detect", "saved", "-o", "alerts.html"]);
    assert!(run.stderr.contains(" high, "), "{}", run.stderr);
    let with = page(&site, "alerts.html");
    let wanted = titles(&alerts);
    assert!(wanted.len() > 5 && wanted[0].contains("Henk Dijkstra"), "{wanted:?}");
    assert_eq!(shown_titles(&with), wanted);
    let section = alert_section(&with);
    let info = alerts.len() - wanted.len();
    assert!(info > 0 && section.contains(&format!("Info <b>{info}</b>")), "{section}");
    assert!(section.contains("T1078") && !section.contains("too short"), "{section}");
    // The rest is the page without them.
    site.ok(&["report", "saved", "-o", "plain.html"]);
    let figure =
        format!("<div><dt>Alerts</dt><dd><a href=\"#alerts\">{}</a></dd></div>", wanted.len());
    let section = format!("<section id=\"alerts\">{section}</section>");
    let rest = with.replace(&section, "").replace(&figure, "");
    let rest = rest.replace("<a href=\"#alerts\">Alerts</a> ", "");
    let body = |text: &str| text.split("Made by atlaudit").next().unwrap().to_owned();
    assert!(body(&rest) == body(&page(&site, "plain.html")), "the rest of the page differs");
}

#[test]
fn names_in_alerts_are_text() {
    let mut site = Site::of(0, 0);
    let name = "<script>alert('1')</script>\u{202e}gpj";
    let login = |second: u32| {
        let actor = json!({"type": "user", "id": "u1", "name": name});
        let time = format!("2026-11-20T09:00:{second:02}Z");
        event(&format!("org:{second}"), &time, json!({"outcome": "failure", "actor": actor}))
    };
    fs::write(site.path("events.jsonl"), (10..22).map(login).collect::<String>()).unwrap();
    let report = ["report", "--detect", "events.jsonl", "-o", "page.html"];
    site.ok(&report);
    assert!(alert_section(&page(&site, "page.html")).contains("The history is too short"));
    site.set_detect("[detect.thresholds]\nlearning_days = 0\nlearning_events = 0\n");
    site.ok(&report);
    let shown = page(&site, "page.html");
    let escaped = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;";
    assert!(alert_section(&shown).contains(escaped), "{}", alert_section(&shown));
    assert!(!shown.contains("<script") && !shown.contains('\u{202e}'));
    site.set_detect(
        "[[detect.except]]\nactor = 'u1'\nreason = 'a test'\n\
                     [detect.thresholds]\nlearning_days = 0\nlearning_events = 0\n",
    );
    site.ok(&report);
    let section = page(&site, "page.html");
    let section = alert_section(&section);
    assert!(
        section.contains("No alert.") && section.contains("1 alert was kept back"),
        "{section}"
    );
    site.set_detect("[detect]\nrules = ['no-such-folder']\n");
    site.run(&report).refused(6, &["no-such-folder"]);
}
