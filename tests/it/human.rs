//! `pull --human`, `follow --human` and `tail`: new events as a table, and no checkpoint that moves
//! unless the events are kept.

use std::collections::BTreeMap;

use atlaudit::sandbox::Api;

use crate::support::{Run, Running, Site, eventually, org_ids};

const HEADS: &str = "TIME (UTC)";

/// The rows of a table that was shown, without its heads, of which there is one line.
fn rows(run: &Run) -> Vec<String> {
    let text = run.text();
    let (heads, rows): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with(HEADS));
    assert_eq!(heads.len(), 1, "{text}");
    rows.into_iter().map(str::to_owned).collect()
}

fn has_checkpoint(site: &Site, source: &str) -> bool {
    site.state().join(format!("{source}.json")).exists()
}

#[test]
fn without_an_output_file_events_are_shown_and_no_checkpoint_moves() {
    let mut site = Site::of(50, 20);
    for source in ["acme", "acme-jira"] {
        site.set(source, "initial_lookback", "60d");
    }
    for _ in 0..2 {
        let run = site.ok(&["pull", "--human"]);
        assert_eq!(rows(&run).len(), 70);
        assert!(!has_checkpoint(&site, "acme") && !has_checkpoint(&site, "acme-jira"));
    }
    assert_eq!(site.ok(&["pull", "acme"]).ids(), org_ids(&site.control.ids(Api::OrgEvents)));
    // From now on only what is new is shown, and the next pull still brings it.
    site.control.add(Api::OrgEvents, 3);
    let shown = rows(&site.ok(&["pull", "acme", "--human"])).len();
    assert!((3..10).contains(&shown), "{shown}");
    assert_eq!(site.ok(&["pull", "acme"]).ids().len(), 3);
}

#[test]
fn with_an_output_file_events_are_kept_and_shown() {
    let mut site = Site::of(50, 0);
    site.set("acme", "initial_lookback", "60d");
    let pull = ["pull", "acme", "--human", "--output", "out.jsonl"];
    assert_eq!(rows(&site.ok(&pull)).len(), 50);
    assert!(has_checkpoint(&site, "acme"));
    site.control.add(Api::OrgEvents, 2);
    assert_eq!(rows(&site.ok(&pull)).len(), 2);
    assert_eq!(site.read("out.jsonl").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn tail_shows_each_new_event_once_until_it_is_stopped() {
    let site = Site::of(30, 0);
    let mut running = site.start(&["tail", "acme", "--every", "20ms", "--since", "60d"]);
    let asked = || site.control.request_count(Api::OrgEvents);
    eventually("pulls", || asked() > 4);
    site.control.add(Api::OrgEvents, 5);
    let before = asked();
    eventually("pulls after the new events", || asked() > before + 6);
    running.signal("TERM");
    let run = running.end();
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(rows(&run).len(), 35);
    assert!(run.stderr.contains("no checkpoint was moved"), "{}", run.stderr);
    assert!(!has_checkpoint(&site, "acme"));
}

#[test]
fn a_view_shows_the_last_minutes_first_and_needs_no_output() {
    let mut site = Site::of(30, 0);
    site.set_output("path", "{source}-kept.jsonl");
    site.control.add(Api::OrgEvents, 4);
    let mut running: Running = site.start(&["tail", "acme", "--every", "20ms"]);
    eventually("pulls", || running.has_ended() || site.control.request_count(Api::OrgEvents) > 4);
    if !running.has_ended() {
        running.signal("INT");
    }
    let run = running.end();
    assert_eq!(run.code, 0, "{}", run.stderr);
    let shown = rows(&run).len();
    assert!((4..30).contains(&shown), "{shown}");
    assert!(!site.path("acme-kept.jsonl").exists() && !has_checkpoint(&site, "acme"));
}

#[test]
fn a_view_without_news_warns_of_no_silence_where_there_is_a_history() {
    let site = Site::of(50, 20);
    site.ok(&["pull"]);
    let run = site.ok(&["pull", "--human"]);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
}

#[test]
fn what_a_table_cannot_show_is_refused() {
    let mut site = Site::of(5, 0);
    for (args, said) in [
        (&["pull", "acme", "--human", "--format", "ecs"][..], "--format"),
        (&["pull", "acme", "--human", "--dry-run"], "--dry-run"),
        (&["follow", "acme", "--since", "1h"], "--human"),
        (&["tail", "acme", "--since", "2999-01-01"], "is not before now"),
    ] {
        site.run(args).fails(2, &[said]);
    }
    site.set("acme", "output", BTreeMap::from([("path", "x"), ("format", "ocsf")]));
    site.run(&["pull", "acme", "--human"]).refused(2, &["shows normalized events"]);
    site.run(&["pull", "--human"]).refused(2, &["not all of them have an output file"]);
}
