//! `keep`: finished files that are old are deleted, and nothing else.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use atlaudit::sandbox::Api;
use chrono::{TimeDelta, Utc};
use serde_json::Value;

use crate::live_alerts;
use crate::support::{Site, eventually, status, whole};

/// A site whose files are finished once a day, and kept for ninety.
fn site() -> Site {
    let mut site = Site::of(20, 20);
    site.set_output("path", "out/{source}.jsonl");
    site.set_output("rotate", "daily");
    site.set_output("keep", "90d");
    site
}

/// The name of a file of `source` that was finished so many days ago.
fn finished_name(source: &str, days: i64) -> String {
    let begun = Utc::now() - TimeDelta::days(days);
    format!("out/{source}-{}.jsonl", begun.format("%Y%m%dT%H%M%S%.3fZ"))
}

fn line(source: &str, days: i64) -> String {
    let time = (Utc::now() - TimeDelta::days(days)).format("%Y-%m-%dT%H:%M:%S%.3fZ");
    format!(
        r#"{{"schema":"atlaudit/1","id":"old","time":"{time}","source":{{"name":"{source}"}}}}"#
    )
}

/// Writes a file that was last changed so many days ago.
fn add(site: &Site, name: &str, lines: &str, days: u64) -> PathBuf {
    let path = site.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, lines).unwrap();
    touch(&path, days);
    path
}

fn touch(path: &Path, days: u64) {
    let file = OpenOptions::new().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(days * 86400)).unwrap();
}

/// A file of `source` that is old in every way.
fn add_old(site: &Site, source: &str, days: i64) -> PathBuf {
    let lines = format!("{0}\n{0}\n", line(source, days + 1));
    add(site, &finished_name(source, days), &lines, days as u64)
}

#[test]
fn old_finished_files_are_deleted_and_counted() {
    let site = site();
    let (old, older) = (add_old(&site, "acme", 91), add_old(&site, "acme", 400));
    let young = add_old(&site, "acme", 89);
    let bytes = fs::metadata(&old).unwrap().len() + fs::metadata(&older).unwrap().len();
    let plan = site.ok(&["pull", "acme", "--dry-run"]).stderr;
    assert_eq!(plan.matches("  deletes     ").count(), 2, "{plan}");
    assert!(plan.contains(old.file_name().unwrap().to_str().unwrap()), "{plan}");
    assert!(old.exists());
    let run = site.ok(&["pull", "acme", "-v", "--report", "report.json"]).stderr;
    assert!(run.contains(&format!("; deleted 2 old files ({bytes} bytes)")), "{run}");
    assert!(run.contains(old.file_name().unwrap().to_str().unwrap()), "{run}");
    assert!(!old.exists() && !older.exists() && young.exists());
    let report: Value = serde_json::from_slice(&site.read("report.json").stdout).unwrap();
    assert_eq!(report["sources"][0]["deleted"]["files"], 2);
    whole("beside them", &site, "acme", &site.read("out/acme.jsonl"));
}

#[test]
fn hostile_neighbours_stay() {
    let mut site = site();
    site.set_detect(live_alerts::DETECT);
    let (text, own) = (format!("{}\n", line("acme-jira", 200)), format!("{}\n", line("acme", 200)));
    let stays = [
        // Of a source whose name begins alike; with the lines of another; of nobody.
        add_old(&site, "acme-confluence", 200),
        add(&site, &finished_name("acme", 200), &text, 200),
        add(&site, &finished_name("acme", 201), "not ours\n", 200),
        add(&site, &finished_name("acme", 202), &format!("{own}and theirs\n"), 200),
        add(&site, &finished_name("acme", 203), "", 200),
        // Nearly of that name.
        add(&site, "out/acme-2026.jsonl", &own, 200),
        add(&site, "out/acme.jsonl.unfinished-x", &own, 200),
        add(&site, "out/old/acme-20260101T000000.000Z.jsonl", &own, 200),
        add(&site, "out/acme-20260101T000000.000Z.jsonl.bak", &own, 200),
        add(&site, "out/ACME-20260101T000000.000Z.jsonl", &own, 200),
        // Old by its name alone, and by its last change alone.
        add(&site, &finished_name("acme", 204), &own, 10),
        add(&site, &finished_name("acme", 3), &own, 200),
        // By both, with events of last week: a clock of 1970 named it.
        add(&site, "out/acme-19700101T000000.000Z.jsonl", &format!("{}\n", line("acme", 7)), 9000),
    ];
    let target = add(&site, "elsewhere", &own, 200);
    std::os::unix::fs::symlink(&target, site.path(&finished_name("acme", 205))).unwrap();
    fs::create_dir(site.path(&finished_name("acme", 206))).unwrap();
    let locked = add_old(&site, "acme", 207);
    let lock = fs::File::open(&locked).unwrap();
    lock.try_lock().unwrap();
    let before = fs::read_dir(site.path("out")).unwrap().count();
    let goes = [add_old(&site, "acme", 208), add_old(&site, "acme-jira", 208)];
    let alerts = add_old(&site, "acme-alerts", 208);
    fs::write(&alerts, format!("{}\n", line("acme", 208).replace("atlaudit/", "atlaudit-alert/")))
        .unwrap();
    touch(&alerts, 208);
    site.ok(&["pull"]);
    for path in stays.iter().chain([&locked, &target]) {
        assert!(path.exists(), "{}", path.display());
    }
    for path in goes.iter().chain([&alerts]) {
        assert!(!path.exists(), "{}", path.display());
    }
    // And the four files of the run itself.
    assert_eq!(fs::read_dir(site.path("out")).unwrap().count(), before + 4);
    drop(lock);
    site.ok(&["pull"]);
    assert!(!locked.exists());
}

#[test]
fn files_of_past_days_are_finished_too_and_the_one_of_a_checkpoint_stays() {
    let mut site = site();
    site.set_output("path", "out/%Y/{source}-%Y-%m-%d.jsonl");
    site.set_output("rotate", "never");
    site.ok(&["pull", "acme"]);
    let own = format!("{}\n", line("acme", 400));
    let old = add(&site, "out/2025/acme-2025-03-04.jsonl", &own, 400);
    let contradicts = add(&site, "out/2024/acme-2025-03-04.jsonl", &own, 400);
    let no_day = add(&site, "out/2025/acme-2025-02-30.jsonl", &own, 400);
    // The file that a source wrote last, a year ago.
    let state = site.state().join("acme.json");
    let text = fs::read_to_string(&state).unwrap();
    let mut checkpoint: Value = serde_json::from_str(&text).unwrap();
    let last = add(&site, "out/2025/acme-2025-01-02.jsonl", &own, 400);
    checkpoint["outputs"][0]["path"] = fs::canonicalize(&last).unwrap().to_str().unwrap().into();
    fs::write(site.state().join("other.json"), checkpoint.to_string()).unwrap();
    site.ok(&["pull", "acme"]);
    assert!(!old.exists() && contradicts.exists() && no_day.exists() && last.exists());
}

#[test]
fn nothing_is_deleted_under_a_clock_that_the_server_contradicts() {
    let site = site();
    let old = add_old(&site, "acme", 200);
    let wrong = Some(("date", "Fri, 20 Nov 1998 10:30:20 GMT"));
    site.control.inject(Api::OrgEvents, status(503, wrong, ""));
    let run = site.ok(&["pull", "acme"]);
    assert!(run.stderr.contains("no file was deleted"), "{}", run.stderr);
    assert!(old.exists());
    site.ok(&["pull", "acme"]);
    assert!(!old.exists());
}

#[test]
fn a_run_that_has_not_read_everything_deletes_nothing() {
    let site = site();
    let old = add_old(&site, "acme", 200);
    site.control.inject(Api::OrgEvents, status(400, None, ""));
    assert_ne!(site.run(&["pull", "acme"]).code, 0);
    assert!(old.exists());
    site.ok(&["pull", "acme", "--since", "1d"]);
    assert!(old.exists(), "a time range");
}

#[test]
fn follow_deletes_too_and_packed_files() {
    let mut site = site();
    site.set_output("compression", "gzip");
    let old = add_old(&site, "acme", 200);
    let packed = old.with_extension("jsonl.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &fs::read(&old).unwrap()).unwrap();
    fs::write(&packed, encoder.finish().unwrap()).unwrap();
    touch(&packed, 200);
    let mut running = site.start(&["follow", "acme", "--every", "1s"]);
    eventually("it is deleted", || !packed.exists());
    running.signal("INT");
    assert_eq!(running.end().code, 0);
    assert!(old.exists(), "of another output");
}

#[test]
fn a_file_that_cannot_be_deleted_is_a_warning() {
    let site = site();
    let old = add_old(&site, "acme", 200);
    let immutable = std::process::Command::new("chattr").arg("+i").arg(&old).status();
    if !immutable.is_ok_and(|status| status.success()) {
        return; // not on this file system
    }
    let run = site.run(&["pull", "acme"]);
    let freed = std::process::Command::new("chattr").arg("-i").arg(&old).status();
    assert!(freed.unwrap().success());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("an old file stays"), "{}", run.stderr);
}

#[test]
fn keep_is_refused_where_it_could_not_be_sure() {
    for (key, value, words) in [
        ("format", "raw", "`raw` lines"),
        ("encoding", "parquet", "Parquet"),
        ("path", "-", "standard output"),
        ("path", "s3://audit-lake/audit/{source}", "lifecycle"),
        ("keep", "1h", "at least a day"),
        ("keep", "always", "not a span of time"),
        ("rotate", "never", "only finished files"),
    ] {
        let mut site = site();
        site.set_output(key, value);
        site.run(&["pull", "acme"]).refused(6, &[words]);
        assert_eq!(site.control.requests().len(), 0);
    }
    // What is typed for once has no files, and a source may keep all.
    let mut site = site();
    site.ok(&["pull", "acme", "-o", "-"]);
    let own = toml::Table::from_iter([("keep".to_owned(), "forever".into())]);
    site.set("acme", "output", own);
    let old = add_old(&site, "acme", 200);
    site.ok(&["pull", "acme"]);
    assert!(old.exists());
}
