//! Which folders an export writes to, and which runs may.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use atlaudit::sandbox::Api;

use super::{Case, site, words};
use crate::support::{Run, Site, eventually, files, status};

/// A site whose export stops at a server that fails.
fn broken() -> Site {
    let mut site = site(30);
    site.set("acme", "retry_for", "0s");
    site.control.inject(Api::OrgEvents, atlaudit::sandbox::Fault::Pass);
    site.control.inject_always(Api::OrgEvents, status(503, None, "{}"));
    site
}

#[test]
fn what_is_no_export_of_ours_is_left_alone() {
    let site = site(5);
    fs::create_dir(site.path("other")).unwrap();
    fs::write(site.path("other/file"), "of somebody").unwrap();
    fs::write(site.path("file"), "of somebody").unwrap();
    for (out, says) in [("other", "holds other files"), ("file", "is not a folder")] {
        let before = files(&site.path("other"));
        site.run(&words(&["acme"], out, &[])).refused(8, &[says, out]);
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
    site.run(&words(&["acme"], "case", &[])).refused(8, &["complete already", "atlaudit verify"]);
    assert_eq!(files(&site.path("case")), before);
}

#[test]
fn a_different_request_does_not_resume_it() {
    let site = broken();
    let run = site.run(&words(&["acme"], "case", &[]));
    assert_eq!(run.code, 3, "{}", run.stderr);
    let before = files(&site.path("case"));
    let others: [(&[&str], &[&str], &str); 5] = [
        (&["acme"], &["--detect"], "`--detect`"),
        (&["acme"], &["--keep-bodies"], "`--keep-bodies`"),
        (&["acme"], &["--until", "1d"], "`--until`"),
        (&["acme", "acme-jira"], &[], "the sources were"),
        (&["acme-jira"], &[], "the sources were"),
    ];
    for (sources, more, says) in others {
        site.run(&words(sources, "case", more)).refused(2, &[says]);
    }
    let since = ["export", "acme", "--since", "39d", "--output", "case"];
    site.run(&since).refused(2, &["`--since` was 40d, and is 39d now"]);
    assert_eq!(files(&site.path("case")), before);
}

#[test]
fn a_day_by_name_resumes_what_it_began_in_the_same_zone() {
    let mut site = site(5);
    site.set("acme", "retry_for", "0s");
    site.control.inject_always(Api::OrgEvents, status(503, None, "{}"));
    let asked = |site: &Site, since: &str, zone: &str| {
        let asked = ["--since", since, "-o", "case", "--tz", zone];
        site.run(&[&["export", "acme"], &asked[..]].concat())
    };
    let run = asked(&site, "yesterday 14:00", "Europe/Berlin");
    assert_eq!(run.code, 3, "{}", run.stderr);
    let first = Case::read(site.path("case")).manifest["asked"].clone();
    asked(&site, "yesterday 14:00", "Asia/Tokyo").refused(
        2,
        &["`--since` was yesterday 14:00 (Europe/Berlin), and is yesterday 14:00 (Asia/Tokyo) now"],
    );
    site.set_env("ATLAUDIT_TZ", "Asia/Tokyo");
    let run = asked(&site, "Yesterday 14:00:00", "europe/berlin");
    assert!(run.stderr.contains("INCOMPLETE"), "{}", run.stderr);
    assert_eq!(Case::read(site.path("case")).manifest["asked"], first);
}

#[test]
fn an_unfinished_export_may_be_moved() {
    let site = broken();
    assert_eq!(site.run(&words(&["acme"], "case", &[])).code, 3);
    fs::rename(site.path("case"), site.path("moved")).unwrap();
    site.control.clear_faults(Api::OrgEvents);
    site.ok(&words(&["acme"], "moved", &[]));
    let case = Case::read(site.path("moved"));
    case.is_sound("moved");
    assert_eq!(case.lines("acme").len(), 30);
    assert!(!site.path("case").exists());
}

#[test]
fn what_others_did_to_an_unfinished_export_is_reported() {
    for kind in ["events", "pages"] {
        let site = broken();
        assert_eq!(site.run(&words(&["acme"], "case", &[])).code, 3);
        site.control.clear_faults(Api::OrgEvents);
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
fn two_runs_exclude_each_other() {
    let mut site = site(300);
    site.set("acme", "page_size", 10);
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::from_millis(50));
    let mut running = site.start(&words(&["acme"], "case", &[]));
    eventually("a checkpoint", || site.path("case/.atlaudit/sources/acme.json").exists());
    site.run(&words(&["acme"], "case", &[])).refused(7, &["another run writes"]);
    running.signal("KILL");
    running.end();
    site.control.set_behaviour(|behaviour| behaviour.org_latency = Duration::ZERO);
    site.ok(&words(&["acme"], "case", &[]));
    Case::read(site.path("case")).is_sound("after a kill");
}

#[test]
fn a_window_must_lie_in_the_past_and_hold_something() {
    let site = site(5);
    let asked = |since: &str, until: &str| {
        site.run(&["export", "acme", "--since", since, "--until", until, "-o", "case"])
    };
    asked("2d", "2d").refused(2, &["not before `--until`"]);
    asked("2d", "2999-01-01").refused(2, &["in the future"]);
    site.run(&["export", "acme", "--since", "2999-01-01", "-o", "case"])
        .refused(2, &["not before now"]);
    assert!(!site.path("case").exists());
}

/// A manifest as ours in all but `from`, which is `to` instead.
fn manifest(site: &Site, from: &str, to: &str) -> String {
    let text = fs::read_to_string(site.path("whole/manifest.json")).unwrap();
    let changed = text.replacen(from, to, 1);
    assert!(from == to || changed != text, "{from}");
    changed
}

/// A folder `name` with this manifest, and a `.atlaudit` that somebody keeps other things in.
fn create_foreign_export(site: &Site, name: &str, manifest: &str) {
    let state = site.path(name).join(".atlaudit");
    fs::create_dir_all(state.join("sources/deep")).unwrap();
    fs::write(state.join("sources/deep/letter"), "of somebody").unwrap();
    fs::write(state.join("notes"), "of somebody").unwrap();
    fs::write(site.path(name).join("manifest.json"), manifest).unwrap();
}

#[test]
fn foreign_files_are_not_removed() {
    let site = site(5);
    site.ok(&words(&["acme"], "whole", &[]));
    let ours = manifest(&site, "", "");
    let newer = manifest(&site, "atlaudit/manifest/1", "atlaudit/manifest/2");
    let open = manifest(&site, "\"complete\": true", "\"complete\": false");
    let cases = [
        ("{}", 8, "holds other files"),
        ("", 8, "holds other files"),
        ("{\"schema\":\"atlaudit/manifest/1\",\"complete\":true}", 8, "holds other files"),
        (&newer, 8, "holds other files"),
        (&ours, 8, "holds other files"),
        (&open, 7, "is damaged"),
    ];
    for (at, (manifest, code, says)) in cases.into_iter().enumerate() {
        let out = format!("case-{at}");
        create_foreign_export(&site, &out, manifest);
        let before = files(&site.path(&out));
        assert_eq!(before.len(), 3);
        let run = site.run(&words(&["acme"], &out, &[]));
        run.refused(code, &[says, &out]);
        assert_eq!(files(&site.path(&out)), before, "{at}");
    }
    // Nor where there is nothing else, or no manifest at all.
    fs::create_dir_all(site.path("bare/.atlaudit")).unwrap();
    fs::write(site.path("bare/.atlaudit/notes"), "of somebody").unwrap();
    site.run(&words(&["acme"], "bare", &[])).refused(8, &["holds other files"]);
    assert_eq!(files(&site.path("bare")).len(), 1);
}

#[test]
fn what_a_dead_run_left_of_a_complete_export_is_removed_under_its_lock() {
    let site = site(5);
    let all = words(&["acme"], "whole", &[]);
    site.ok(&all);
    let before = files(&site.path("whole"));
    let state = site.path("whole/.atlaudit");
    fs::create_dir(&state).unwrap();
    let lock = fs::File::create(state.join("lock")).unwrap();
    lock.lock().unwrap();
    site.run(&all).refused(7, &["another run writes"]);
    assert!(state.join("lock").exists());
    drop(lock);
    for _ in 0..2 {
        site.run(&all).refused(8, &["complete already"]);
        assert!(!state.exists());
        assert_eq!(files(&site.path("whole")), before);
        fs::create_dir(&state).unwrap();
    }
}

#[test]
fn no_link_in_place_of_the_state_is_followed_or_removed() {
    let site = site(5);
    site.ok(&words(&["acme"], "whole", &[]));
    fs::create_dir(site.path("elsewhere")).unwrap();
    fs::write(site.path("elsewhere/request.json"), "of somebody").unwrap();
    fs::create_dir(site.path("empty")).unwrap();
    let before = files(&site.path("elsewhere"));
    for out in ["whole", "empty"] {
        let link = site.path(out).join(".atlaudit");
        symlink(site.path("elsewhere"), &link).unwrap();
        site.run(&words(&["acme"], out, &[])).refused(8, &["holds other files"]);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(files(&site.path("elsewhere")), before);
    }
    // What lies in it may be a link as well.
    for name in ["lock", "request.json"] {
        let (out, to) = (format!("case-{name}"), site.path("made"));
        let state = site.path(&out).join(".atlaudit");
        fs::create_dir_all(&state).unwrap();
        symlink(&to, state.join(name)).unwrap();
        site.run(&words(&["acme"], &out, &[])).refused(8, &["holds other files"]);
        assert!(!to.exists() && fs::symlink_metadata(state.join(name)).is_ok());
    }
}

#[test]
fn a_link_in_place_of_the_lock_is_not_followed() {
    let site = broken();
    let all = words(&["acme"], "case", &[]);
    assert_eq!(site.run(&all).code, 3);
    let (lock, to) = (site.path("case/.atlaudit/lock"), site.path("made"));
    fs::remove_file(&lock).unwrap();
    symlink(&to, &lock).unwrap();
    site.run(&all).refused(8, &["cannot lock", "case/.atlaudit/lock"]);
    assert!(!to.exists());
}

#[test]
fn a_manifest_of_any_size_is_not_read_whole() {
    let site = site(5);
    fs::create_dir_all(site.path("case/.atlaudit")).unwrap();
    let file = fs::File::create(site.path("case/manifest.json")).unwrap();
    file.set_len(8 << 30).unwrap();
    let script = r#"ulimit -v 1500000; exec "$PROGRAM" export acme --since 40d -o case"#;
    let run = Run::from(site.shell(script).output().unwrap());
    run.refused(8, &["holds other files"]);
    assert!(site.path("case/.atlaudit").exists());
}

#[test]
fn an_unfinished_export_without_its_state_is_damaged() {
    let site = broken();
    assert_eq!(site.run(&words(&["acme"], "case", &[])).code, 3);
    site.control.clear_faults(Api::OrgEvents);
    fs::remove_file(site.path("case/.atlaudit/request.json")).unwrap();
    let before = files(&site.path("case"));
    let damaged = ["is damaged", "request.json", "another folder"];
    site.run(&words(&["acme"], "case", &[])).refused(7, &damaged);
    assert_eq!(files(&site.path("case")), before);
    fs::remove_dir_all(site.path("case/.atlaudit")).unwrap();
    site.run(&words(&["acme"], "case", &[])).refused(7, &damaged);
    assert!(!site.path("case/.atlaudit").exists());
}

#[test]
fn a_damaged_checkpoint_is_reported_once_and_with_what_helps_an_export() {
    let site = broken();
    assert_eq!(site.run(&words(&["acme"], "case", &[])).code, 3);
    site.control.clear_faults(Api::OrgEvents);
    site.control.forget_requests();
    let checkpoint = site.path("case/.atlaudit/sources/acme.json");
    let good = fs::read(&checkpoint).unwrap();
    for (bad, says) in [
        (&b"{"[..], "start the export again in another folder"),
        (&good[..good.len() / 2], "start the export again in another folder"),
        (b"{\"version\":999}", "newer atlaudit"),
    ] {
        fs::write(&checkpoint, bad).unwrap();
        let before = files(&site.path("case"));
        let run = site.run(&words(&["acme"], "case", &[]));
        run.refused(7, &["case/.atlaudit/sources/acme.json", says]);
        for of_pull in ["initial_lookback", "--state-dir", "atlaudit state"] {
            assert!(!run.stderr.contains(of_pull), "{}", run.stderr);
        }
        assert_eq!(files(&site.path("case")), before);
    }
    assert!(site.control.requests().is_empty(), "nothing may be asked");
    fs::write(&checkpoint, good).unwrap();
    site.ok(&words(&["acme"], "case", &[]));
    Case::read(site.path("case")).is_sound("restored");
}

#[test]
fn what_somebody_put_into_the_state_is_named_and_stays() {
    let site = broken();
    let all = words(&["acme"], "case", &[]);
    assert_eq!(site.run(&all).code, 3);
    site.control.clear_faults(Api::OrgEvents);
    let notes = site.path("case/.atlaudit/notes");
    fs::write(&notes, "of somebody").unwrap();
    for _ in 0..2 {
        site.run(&all).refused(8, &["case/.atlaudit/notes", "move it away"]);
        assert!(notes.exists());
    }
    fs::rename(&notes, site.path("notes")).unwrap();
    let run = site.ok(&all);
    assert!(run.stderr.contains("is complete"), "{}", run.stderr);
    Case::read(site.path("case")).is_sound("in the end");
}
