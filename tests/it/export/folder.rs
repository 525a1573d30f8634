//! Which folders are written to, and by whom.

use std::fs;
use std::time::Duration;

use atlaudit::sandbox::Api;

use super::{Case, site, words};
use crate::support::{Site, eventually, files, status};

/// A site whose export stops at a server that fails.
fn broken() -> Site {
    let mut site = site(30);
    site.set("acme", "retry_for", "0s");
    site.control
        .script(Api::OrgEvents, atlaudit::sandbox::Fault::Pass);
    site.control
        .script_forever(Api::OrgEvents, status(503, None, "{}"));
    site
}

#[test]
fn what_is_no_export_of_ours_is_left_alone() {
    let site = site(5);
    fs::create_dir(site.path("other")).unwrap();
    fs::write(site.path("other/file"), "of somebody").unwrap();
    fs::write(site.path("file"), "of somebody").unwrap();
    for (out, says) in [("other", "holds something else"), ("file", "is no folder")] {
        let before = files(&site.path("other"));
        site.run(&words(&["acme"], out, &[]))
            .refused(8, &[says, out]);
        assert_eq!(files(&site.path("other")), before);
    }
    assert!(site.control.requests().is_empty(), "nothing may be asked");
    fs::create_dir(site.path("empty")).unwrap();
    site.ok(&words(&["acme"], "empty", &[]));
}

#[test]
fn a_complete_export_is_not_written_again() {
    let site = site(5);
    site.ok(&words(&["acme"], "case", &[]));
    let before = files(&site.path("case"));
    site.run(&words(&["acme"], "case", &[]))
        .refused(8, &["complete already", "atlaudit verify"]);
    assert_eq!(files(&site.path("case")), before);
}

#[test]
fn another_request_does_not_go_on_with_it() {
    let site = broken();
    let run = site.run(&words(&["acme"], "case", &[]));
    assert_eq!(run.code, 3, "{}", run.stderr);
    let before = files(&site.path("case"));
    let others: [(&[&str], &[&str], &str); 4] = [
        (&["acme"], &["--keep-bodies"], "`--keep-bodies`"),
        (&["acme"], &["--until", "1d"], "`--until`"),
        (&["acme", "acme-jira"], &[], "the sources were"),
        (&["acme-jira"], &[], "the sources were"),
    ];
    for (sources, more, says) in others {
        site.run(&words(sources, "case", more)).refused(2, &[says]);
    }
    let since = ["export", "acme", "--since", "39d", "--output", "case"];
    site.run(&since)
        .refused(2, &["`--since` was 40d, and is 39d now"]);
    assert_eq!(files(&site.path("case")), before);
}

#[test]
fn an_unfinished_export_may_be_moved() {
    let site = broken();
    assert_eq!(site.run(&words(&["acme"], "case", &[])).code, 3);
    fs::rename(site.path("case"), site.path("moved")).unwrap();
    site.control.clear(Api::OrgEvents);
    site.ok(&words(&["acme"], "moved", &[]));
    let case = Case::read(site.path("moved"));
    case.is_sound("moved");
    assert_eq!(case.lines("acme").len(), 30);
    assert!(!site.path("case").exists());
}

#[test]
fn what_others_did_to_an_unfinished_export_is_told() {
    for kind in ["events", "pages"] {
        let site = broken();
        assert_eq!(site.run(&words(&["acme"], "case", &[])).code, 3);
        site.control.clear(Api::OrgEvents);
        let path = site.path(&format!("case/{kind}/acme.jsonl.zst"));
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        for content in [&bad, &good[..good.len() - 1], &[]] {
            fs::write(&path, content).unwrap();
            let run = site.run(&words(&["acme"], "case", &[]));
            assert_eq!(run.code, 8, "{kind}: {}", run.stderr);
            let says = "no longer holds what was written";
            assert!(run.stderr.contains(says), "{}", run.stderr);
        }
        fs::write(&path, good).unwrap();
        site.ok(&words(&["acme"], "case", &[]));
        assert_eq!(Case::read(site.path("case")).lines("acme").len(), 30);
    }
}

#[test]
fn two_runs_do_not_meet() {
    let mut site = site(300);
    site.set("acme", "page_size", 10);
    site.control
        .set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(50));
    let mut running = site.start(&words(&["acme"], "case", &[]));
    eventually("a checkpoint", || {
        site.path("case/.atlaudit/sources/acme.json").exists()
    });
    site.run(&words(&["acme"], "case", &[]))
        .refused(7, &["another run writes"]);
    running.signal("KILL");
    running.end();
    site.control
        .set_behaviour(|behaviour| behaviour.org_latency = Duration::ZERO);
    site.ok(&words(&["acme"], "case", &[]));
    Case::read(site.path("case")).is_sound("after a kill");
}

#[test]
fn a_window_must_lie_in_the_past_and_hold_something() {
    let site = site(5);
    let asked = |since: &str, until: &str| {
        site.run(&[
            "export", "acme", "--since", since, "--until", until, "-o", "case",
        ])
    };
    asked("2d", "2d").refused(2, &["not before `--until`"]);
    asked("2d", "2999-01-01").refused(2, &["in the future"]);
    site.run(&["export", "acme", "--since", "2999-01-01", "-o", "case"])
        .refused(2, &["not before now"]);
    assert!(!site.path("case").exists());
}
