//! Output and state in an object store: each event once, whatever dies, races or answers wrongly,
//! and nothing on a disk that the next run has.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use atlaudit::sandbox::Api;
use atlaudit::sandbox::object_server::ObjectFault;
use chrono::TimeDelta;

use crate::support::{
    AFTER_LEASE, Lake, PROMPT, Run, Site, crash_at, crash_pull_at, each_once, empty_disk,
    eventually, jira_ids, org_ids,
};

/// The sources that are pulled, and the points that only such runs pass.
const SOURCES: [&str; 2] = ["acme", "acme-jira"];
const POINTS: [&str; 5] = [
    "StateObjectRead",
    "StateObjectUnsent",
    "StateObjectWritten",
    "ObjectUnsent",
    "ObjectPublished",
];

/// A site of which each page is a commit.
fn site(lake: &Lake, events: usize) -> Site {
    let mut site = Site::of(events, events);
    lake.connect(&mut site);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.set_env("ATLAUDIT_CRASH_WAITING_BYTES", "1");
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "4");
    for source in SOURCES {
        site.set(source, "page_size", 4);
    }
    site
}

/// The lake holds each event of the source once, in objects that were never replaced.
fn assert_whole(what: &str, site: &Site, lake: &Lake, source: &str) {
    let served = match source {
        "acme" => org_ids(&site.control.ids(Api::OrgEvents)),
        _ => jira_ids(&site.control.ids(Api::JiraAudit)),
    };
    let ids = lake.ids(source);
    assert_eq!(ids.len(), served.len(), "{what}");
    each_once(&ids, &served);
    lake.assert_never_replaced();
}

fn add(site: &Site, source: &str, count: usize) {
    match source {
        "acme" => site.control.add(Api::OrgEvents, count),
        _ => site.control.add(Api::JiraAudit, count),
    }
}

#[test]
fn a_backfill_that_dies_at_an_object_loses_and_repeats_nothing() {
    for (source, encoding) in [("acme", "jsonl"), ("acme-jira", "parquet")] {
        for point in POINTS {
            let lake = Lake::new();
            let mut site = site(&lake, 60);
            site.set_output("encoding", encoding);
            site.set(source, "initial_lookback", "10d");
            site.ok(&["pull", source]);
            let before = lake.ids(source).len();
            let backfill = [source, "--backfill", "60d"];
            assert_eq!(crash_pull_at(&mut site, &backfill, point).as_deref(), Some(point));
            empty_disk(&site);
            end_lease(&lake);
            add(&site, source, 5);
            site.ok(&["pull", source]);
            site.ok(&["pull", source, "--backfill", "60d"]);
            assert!(lake.ids(source).len() > before + 5);
            assert_whole(&format!("{source} {encoding} {point}"), &site, &lake, source);
        }
    }
}

/// Lets the lease of a run that died end.
fn end_lease(lake: &Lake) {
    lake.server.advance_clock(TimeDelta::from_std(AFTER_LEASE).unwrap());
}

#[test]
fn events_are_stored_by_source_and_day_and_continued_from_an_empty_disk() {
    let lake = Lake::new();
    let mut site = Site::of(60, 40);
    lake.connect(&mut site);
    site.set_output("compression", "zstd");
    let first = site.ok(&["pull"]);
    assert!(first.stderr.contains("s3://audit-lake/atl/feed=acme/day="), "{}", first.stderr);
    for source in SOURCES {
        assert_whole("first", &site, &lake, source);
        add(&site, source, 7);
    }
    let before = lake.server.keys();
    empty_disk(&site);
    site.ok(&["pull"]);
    for source in SOURCES {
        assert_whole("second", &site, &lake, source);
    }
    let keys = lake.server.keys();
    assert!(before.iter().all(|key| keys.contains(key)));
    for key in lake.keys("acme") {
        let (folder, name) = key.rsplit_once('/').unwrap();
        assert!(folder.starts_with("atl/feed=acme/day=20"), "{key}");
        assert!(name.starts_with("acme-00000000000") && name.ends_with(".jsonl.zst"), "{key}");
    }
    // A run with nothing new publishes nothing, and need not look after what others published.
    let calls = lake.server.requests().len();
    site.ok(&["pull", "acme"]);
    assert_eq!(lake.server.keys(), keys);
    let calls = lake.server.requests().split_off(calls);
    let kinds = |end: &str| calls.iter().filter(|call| call.key.ends_with(end)).count();
    assert_eq!((kinds(".state"), kinds("probe"), calls.len()), (3, 6, 9), "{calls:?}");
    let calls = lake.server.requests().into_iter().map(|request| request.method);
    assert!(calls.into_iter().all(|call| call == "GET" || call == "PUT"));
    let status = site.ok(&["status", "--json"]);
    assert_eq!(status.trees()[0]["events"], 67, "{}", status.text());
}

#[test]
fn azure_and_google_store_the_same() {
    for scheme in ["az", "gs"] {
        let lake = Lake::new();
        let mut site = Site::of(40, 0);
        lake.connect_as(&mut site, scheme);
        site.ok(&["check", "acme"]);
        site.ok(&["pull", "acme"]);
        assert_whole(scheme, &site, &lake, "acme");
        // Google's writes of one object must be a second apart.
        let state_calls = lake.server.requests().into_iter();
        let state_calls = state_calls.filter(|request| request.key.ends_with(".state"));
        assert!(state_calls.clone().count() > 2);
        assert!(state_calls.clone().all(|request| request.status != 429), "{scheme}");
        for point in POINTS {
            add(&site, "acme", 8);
            assert_eq!(crash_at(&mut site, "acme", point).as_deref(), Some(point));
            empty_disk(&site);
            end_lease(&lake);
        }
        lake.server.fail_next([ObjectFault::DoneThenClose, ObjectFault::Pass]);
        site.ok(&["pull", "acme"]);
        assert_whole(scheme, &site, &lake, "acme");
        lake.server.allow_only("nothing/");
        site.run(&["pull", "acme"]).refused(4, &["refuses", &format!("`{scheme}://audit-lake/")]);
        lake.server.allow_only("");
        lake.server.ignore_conditions(true);
        site.run(&["pull", "acme"]).refused(7, &["does not keep the condition"]);
    }
}

#[test]
fn every_format_encoding_and_packing_can_be_stored() {
    for (format, encoding, compression, ending) in [
        ("normalized", "jsonl", "none", ".jsonl"),
        ("normalized", "jsonl", "gzip", ".jsonl.gz"),
        ("normalized", "parquet", "none", ".parquet"),
    ] {
        let lake = Lake::new();
        let mut site = Site::of(30, 0);
        lake.connect(&mut site);
        site.set_output("format", format);
        site.set_output("encoding", encoding);
        site.set_output("compression", compression);
        site.ok(&["pull", "acme"]);
        assert!(lake.keys("acme").iter().all(|key| key.ends_with(ending)), "{ending}");
        assert_whole(ending, &site, &lake, "acme");
    }
}

#[test]
fn first_runs_that_die_anywhere_lose_and_repeat_nothing() {
    for (source, encoding) in [("acme", "jsonl"), ("acme-jira", "jsonl"), ("acme", "parquet")] {
        let mut passed = Vec::new();
        for passage in 1.. {
            let lake = Lake::new();
            let mut site = site(&lake, 8);
            site.set_output("encoding", encoding);
            let Some(point) = crash_at(&mut site, source, &passage.to_string()) else {
                break;
            };
            passed.push(point.clone());
            empty_disk(&site);
            end_lease(&lake);
            site.ok(&["pull", source]);
            let what = format!("{source} {encoding}: passage {passage}, {point}");
            assert_whole(&what, &site, &lake, source);
        }
        for point in POINTS {
            assert!(passed.iter().any(|passed| passed == point), "{source}: never at {point}");
        }
    }
}

#[test]
fn later_runs_that_die_at_every_point_lose_and_repeat_nothing() {
    let lake = Lake::new();
    let mut site = site(&lake, 8);
    site.ok(&["pull"]);
    for source in SOURCES {
        for point in POINTS {
            add(&site, source, 8);
            assert_eq!(crash_at(&mut site, source, point).as_deref(), Some(point));
            empty_disk(&site);
            end_lease(&lake);
        }
        site.ok(&["pull", source]);
        assert_whole("at last", &site, &lake, source);
    }
}

#[test]
fn wrong_and_lost_answers_lose_and_repeat_nothing() {
    use ObjectFault::{Close, DoneThen, DoneThenClose, Pass, Refuse};
    let faults = [
        DoneThen(500, "InternalError"),
        DoneThen(412, "PreconditionFailed"),
        DoneThen(409, "ConditionalRequestConflict"),
        DoneThenClose,
        Close,
        Refuse(409, "ConditionalRequestConflict"),
        Refuse(412, "PreconditionFailed"),
        Refuse(503, "SlowDown"),
    ];
    let lake = Lake::new();
    let site = site(&lake, 8);
    for round in 0..40 {
        // Each fault meets each of the first requests of a run at some time.
        let fault = faults[round % faults.len()].clone();
        let passes = std::iter::repeat_n(Pass, round / faults.len() * 2 + round % 3);
        lake.server.fail_next(passes.chain([fault.clone(), Pass, fault]));
        site.ok(&["pull", "acme"]);
        add(&site, "acme", 3);
    }
    site.ok(&["pull", "acme"]);
    assert_whole("after all", &site, &lake, "acme");
}

/// Three runs of one source, again and again and at the same time, until the state was replaced so
/// often. Some are killed, some of their calls are answered wrongly. Returns how they ended.
fn race(site: &mut Site, lake: &Lake, commits: u64, has_faults: bool) -> Vec<Run> {
    use ObjectFault::{Close, DoneThen, DoneThenClose, Pass, Refuse};
    let faults = [
        DoneThen(500, "InternalError"),
        DoneThen(412, "PreconditionFailed"),
        DoneThenClose,
        Close,
        Refuse(409, "ConditionalRequestConflict"),
        Refuse(503, "SlowDown"),
    ];
    // All on one machine, as far as they know: no lease keeps them apart, only the store does.
    site.set_env("ATLAUDIT_CRASH_HOST", "pod");
    site.ok(&["pull", "acme"]);
    let is_done = AtomicBool::new(false);
    let site = &*site;
    thread::scope(|scope| {
        let racers: Vec<_> = (0..3)
            .map(|racer| {
                let is_done = &is_done;
                let mut random = fastrand::Rng::with_seed(racer);
                let mut command = site.command(&["-q", "pull", "acme", "--repeat-errors"]);
                command.env("ATLAUDIT_STATE_DIR", site.path(&format!("state{racer}")));
                scope.spawn(move || {
                    let mut runs = Vec::new();
                    while !is_done.load(Ordering::SeqCst) {
                        match has_faults && random.u8(..3) == 0 {
                            true => command.env("ATLAUDIT_CRASH_AT", random.u8(1..60).to_string()),
                            false => command.env_remove("ATLAUDIT_CRASH_AT"),
                        };
                        runs.push(Run::from(command.output().unwrap()));
                    }
                    runs
                })
            })
            .collect();
        let (mut random, mut added) = (fastrand::Rng::with_seed(9), 0);
        loop {
            let sequence = lake.state("acme")["sequence"].as_u64().unwrap();
            if sequence >= commits {
                break;
            }
            // A page is a commit. A run that could never catch up would never end.
            if added < sequence + 20 {
                add(site, "acme", 4);
                added += 1;
            }
            if has_faults {
                let passes = std::iter::repeat_n(Pass, random.usize(..20));
                lake.server.fail_next(passes.chain([random.choice(faults.clone()).unwrap()]));
            }
            thread::sleep(std::time::Duration::from_millis(30));
        }
        is_done.store(true, Ordering::SeqCst);
        lake.server.clear_faults();
        racers.into_iter().flat_map(|racer| racer.join().unwrap()).collect()
    })
}

#[test]
fn racing_runs_lose_and_repeat_nothing() {
    let lake = Lake::new();
    let mut site = site(&lake, 8);
    let runs = race(&mut site, &lake, 80, false);
    for run in &runs {
        assert!([0, 7].contains(&run.code), "{}", run.stderr);
        if run.code == 7 {
            run.refused(7, &["another run went on from the state", "nothing is lost"]);
        }
    }
    assert!(runs.iter().any(|run| run.code == 7), "they never met");
    site.ok(&["pull", "acme"]);
    assert_whole("after the race", &site, &lake, "acme");
}

#[test]
#[ignore = "takes half an hour; `.ci/run --full` runs it"]
#[expect(clippy::print_stdout, reason = "says how hard it was")]
fn ten_thousand_commits_of_racing_dying_runs_lose_and_repeat_nothing() {
    let lake = Lake::new();
    let mut site = site(&lake, 8);
    let wanted = std::env::var("ATLAUDIT_COMMITS").map_or(10_000, |text| text.parse().unwrap());
    let runs = race(&mut site, &lake, wanted, true);
    let count = |code| runs.iter().filter(|run| run.code == code).count();
    let (whole, fenced, died) = (count(0), count(7), count(128 + 6));
    let others = runs.iter().find(|run| ![0, 7, 128 + 6].contains(&run.code));
    assert!(others.is_none(), "{}", others.unwrap().stderr);
    println!("{wanted} commits: {whole} runs ended, {fenced} were fenced, {died} died");
    assert!(whole > 20 && fenced > 20 && died > 20, "{whole} {fenced} {died}");
    site.ok(&["pull", "acme"]);
    assert_whole("after the race", &site, &lake, "acme");
}

/// The number of the passage at which a first run is at the `nth` passage of `point`.
fn passage_of(point: &str, nth: usize) -> usize {
    let lake = Lake::new();
    let mut site = site(&lake, 20);
    site.set_env("ATLAUDIT_CRASH_TRACE", site.path("trace").to_str().unwrap());
    site.ok(&["pull", "acme"]);
    let trace = fs::read_to_string(site.path("trace")).unwrap();
    let passages = trace.lines().enumerate().filter(|(_, passed)| *passed == point);
    passages.map(|(before, _)| before + 1).nth(nth).unwrap()
}

#[test]
fn a_run_that_wakes_after_another_took_over_changes_nothing() {
    for (point, nth) in [("StateObjectRead", 0), ("StateObjectWritten", 2), ("ObjectUnsent", 1)] {
        let passage = passage_of(point, nth);
        let lake = Lake::new();
        let mut site = site(&lake, 20);
        site.set_env("ATLAUDIT_CRASH_STOP_AT", &passage.to_string());
        let mut sleeper = site.start(&["pull", "acme"]);
        let status = format!("/proc/{}/stat", sleeper.child().id());
        eventually("it stops", || {
            let stat = fs::read_to_string(&status).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
        });
        site.unset_env("ATLAUDIT_CRASH_STOP_AT");
        end_lease(&lake);
        site.set_env("ATLAUDIT_CRASH_HOST", "another-pod");
        site.set_env("ATLAUDIT_STATE_DIR", site.path("other").to_str().unwrap());
        site.ok(&["pull", "acme"]);
        add(&site, "acme", 4);
        site.ok(&["pull", "acme"]);
        sleeper.signal("CONT");
        let woken = sleeper.end();
        woken.refused(7, &["another run went on from the state", "acme.state"]);
        add(&site, "acme", 4);
        site.ok(&["pull", "acme"]);
        assert_whole(point, &site, &lake, "acme");
    }
}

#[test]
fn lines_wait_in_the_state_until_rotate_is_due() {
    let lake = Lake::new();
    let mut site = Site::of(20, 0);
    lake.connect(&mut site);
    site.set_output("rotate", "64KiB");
    site.set_output("compression", "zstd");
    let mut sizes = Vec::new();
    for _ in 0..12 {
        site.ok(&["pull", "acme"]);
        empty_disk(&site);
        add(&site, "acme", 60);
        sizes.push(lake.keys("acme").len());
    }
    // Not each run published.
    sizes.dedup();
    assert!(sizes.len() > 1 && sizes.len() < 6, "{sizes:?}");
    assert!(lake.state("acme")["waiting"]["line_bytes"].as_u64().unwrap() > 0);
    // What waits is published in its own form where the configuration asks for another.
    site.set_output("rotate", "never");
    site.set_output("encoding", "parquet");
    site.set_output("compression", "none");
    site.ok(&["pull", "acme"]);
    assert!(lake.state("acme")["waiting"].is_null());
    for ending in [".jsonl.zst", ".parquet"] {
        assert!(lake.keys("acme").iter().any(|key| key.ends_with(ending)), "{ending}");
    }
    let served = org_ids(&site.control.ids(Api::OrgEvents));
    each_once(&lake.ids("acme"), &served);
}

#[test]
fn another_pod_waits_for_the_lease_by_the_clock_of_the_store() {
    let lake = Lake::new();
    let mut site = site(&lake, 8);
    site.set_env("ATLAUDIT_CRASH_HOST", "pod-a");
    assert!(crash_at(&mut site, "acme", "StateObjectWritten").is_some());
    site.set_env("ATLAUDIT_CRASH_HOST", "pod-b");
    let held = site.run(&["pull", "acme"]);
    held.refused(7, &["is being pulled by another run", "pod-a", "since 20"]);
    lake.server.advance_clock(TimeDelta::seconds(100));
    site.run(&["pull", "acme", "--repeat-errors"]).fails(7, &["pod-a"]);
    lake.server.advance_clock(TimeDelta::seconds(30));
    site.ok(&["pull", "acme"]);
    assert!(lake.state("acme")["holder"].is_null(), "a run that ended holds it");
    assert_whole("by pod-b", &site, &lake, "acme");
    // On the same machine the lock says who is alive.
    assert!(crash_at(&mut site, "acme", "StateObjectWritten").is_some());
    site.ok(&["pull", "acme"]);
}

#[test]
fn a_second_follow_stands_by_and_takes_over() {
    let lake = Lake::new();
    let mut site = site(&lake, 8);
    let follow = ["follow", "acme", "--every", "10s"];
    site.set_env("ATLAUDIT_CRASH_HOST", "pod-a");
    let mut first = site.start(&follow);
    eventually("pod-a pulls", || lake.ids("acme").len() == 8);
    site.set_env("ATLAUDIT_CRASH_HOST", "pod-b");
    site.set_env("ATLAUDIT_STATE_DIR", site.path("b").to_str().unwrap());
    let second = site.start(&follow);
    thread::sleep(std::time::Duration::from_secs(3));
    assert_eq!(lake.state("acme")["holder"]["host"], "pod-a");
    // A single pull finds it held between two rounds, too.
    site.set_env("ATLAUDIT_CRASH_HOST", "pod-c");
    let held = site.run(&["pull", "acme", "--repeat-errors"]);
    held.refused(7, &["pod-a, process", "its lease ends in"]);
    // One that is stopped lets go of it at once.
    first.signal("TERM");
    assert_eq!(first.end().code, 0);
    add(&site, "acme", 5);
    eventually("pod-b pulls", || lake.ids("acme").len() == 13);
    assert_eq!(lake.state("acme")["holder"]["host"], "pod-b");
    // One that is killed is left alone until its lease ends.
    drop(second);
    site.run(&["pull", "acme"]).fails(7, &["pod-b"]);
    end_lease(&lake);
    site.ok(&["pull", "acme"]);
    assert_whole("at last", &site, &lake, "acme");
}

#[test]
fn what_cannot_be_stored_is_refused_and_nothing_is_lost() {
    let lake = Lake::new();
    let mut site = site(&lake, 8);
    // A policy that allows the state alone.
    lake.server.allow_only("atl/_atlaudit/");
    let denied = site.run(&["pull", "acme"]);
    denied.refused(4, &["refuses PutObject of `s3://audit-lake/atl/feed=acme/", "s3:PutObject"]);
    lake.server.allow_only("");
    // Credentials that expire in the middle of a run.
    let expired = ObjectFault::Refuse(400, "ExpiredToken");
    let passes = std::iter::repeat_n(ObjectFault::Pass, 8);
    lake.server.fail_next(passes.chain(std::iter::repeat_n(expired, 100)));
    site.set_env("ATLAUDIT_CRASH_STORE_RETRY_MS", "300");
    let run = site.run(&["pull", "acme"]);
    run.refused(4, &["ExpiredToken", "renew the credentials", "nothing is lost"]);
    lake.server.clear_faults();
    // A clock that is wrong, and a bucket with Object Lock.
    lake.server.fail_next([ObjectFault::Refuse(403, "RequestTimeTooSkewed")]);
    site.run(&["pull", "acme"]).refused(4, &["RequestTimeTooSkewed", "set the clock"]);
    lake.server.want_checksums();
    site.ok(&["pull", "acme"]);
    assert_whole("after refusals", &site, &lake, "acme");
    // A folder of another history: its state is gone.
    let keys = lake.keys("acme");
    lake.server.remove("atl/_atlaudit/acme.state");
    let other = site.run(&["pull", "acme"]);
    let mark = "s3://audit-lake/atl/feed=acme/_atlaudit/acme-";
    other.refused(8, &[mark, "s3://audit-lake/atl/_atlaudit/acme.state", "another history"]);
    assert_eq!(lake.keys("acme"), keys);
    lake.assert_never_replaced();
    // A state that was written by others, or torn.
    lake.server.put("atl/_atlaudit/acme.state", b"{\"version\":2}\n");
    site.run(&["pull", "acme"]).refused(7, &["version 2", "newer atlaudit"]);
    lake.server.put("atl/_atlaudit/acme.state", b"{\"version\":1}\n");
    site.run(&["pull", "acme"]).refused(7, &["damaged"]);
    lake.server.put("atl/_atlaudit/acme.state", b"");
    site.run(&["pull", "acme"]).refused(7, &["damaged", "no first line"]);
    lake.server.ignore_conditions(true);
    site.run(&["pull", "acme"]).refused(7, &["does not keep the condition"]);
}

#[test]
fn configurations_that_could_not_be_exact_are_refused() {
    let lake = Lake::new();
    let refused = |change: &dyn Fn(&mut Site), args: &[&str], words: &[&str]| {
        let mut site = Site::of(1, 0);
        site.remove_source("acme-jira");
        lake.connect(&mut site);
        change(&mut site);
        site.run(args).refused(6, words);
    };
    let pull: &[&str] = &["pull", "acme"];
    let path = |text: &'static str| move |site: &mut Site| site.set_output("path", text);
    refused(&path("out.jsonl"), pull, &["`out.jsonl` is a file", "[state] url"]);
    refused(&path("ftp://bucket/x"), pull, &["does not know", "s3://"]);
    refused(&path("s3://Bucket/x"), pull, &["names no bucket"]);
    refused(&path("s3://audit-lake/a//b"), pull, &["treat differently"]);
    refused(&path("s3://audit-lake/a/../b"), pull, &["treat differently"]);
    refused(&path("s3://audit-lake/_atlaudit/b"), pull, &["treat differently"]);
    refused(&path("s3://audit-lake/a b"), pull, &["treat differently"]);
    let table = |site: &mut Site| {
        site.set_output("encoding", "parquet");
        site.set_output("path", "s3://audit-lake/source={source}/");
    };
    refused(&table, pull, &["`source=`", "feed={source}"]);
    let raw = |site: &mut Site| site.set_output("format", "raw");
    refused(&raw, pull, &["{event_day}", "normalized"]);
    let packed = |site: &mut Site| {
        site.set_output("path", "s3://audit-lake/a/{source}.jsonl.gz");
    };
    refused(&packed, pull, &["is named as gzip"]);
    let none = |_: &mut Site| {};
    refused(&none, &["pull", "acme", "--since", "1d", "-o", "s3://audit-lake/x/"], &["time range"]);
    let detect = |site: &mut Site| site.set_detect("[detect]\nenabled = true\n");
    refused(&detect, pull, &["alerts cannot be written to object storage"]);
    let alerts_on_disk = |site: &mut Site| {
        site.set_detect("[detect]\nenabled = true\npath = \"a.jsonl\"\n");
        site.set_output("path", "-");
    };
    refused(&alerts_on_disk, pull, &["what detection remembers is on a disk"]);
    let line_feed = |site: &mut Site| site.set_env("AWS_REGION", "us-east-1\n");
    refused(&line_feed, pull, &["AWS_REGION", "line feed"]);
    for url in ["s3://audit-lake/a b", "s3://audit-lake/{source}", "s3://audit-lake/a#b", "s3://"] {
        refused(&|site: &mut Site| site.set_state_url(url), pull, &["state.url", "object store"]);
    }
    let mut site = Site::of(1, 0);
    site.set_output("path", "s3://audit-lake/atl/feed={source}/");
    site.run(pull).refused(6, &["[state] url", "s3://audit-lake/atl/_atlaudit"]);
    fs::write(site.path("x.jsonl"), "").unwrap();
    let converted = site.run(&["convert", "x.jsonl", "-o", "s3://audit-lake/x/"]);
    converted.refused(6, &["in object storage", "copy it there"]);
}

#[test]
fn check_tries_the_state_and_the_folder_of_objects() {
    let lake = Lake::new();
    let mut site = Site::of(3, 0);
    lake.connect(&mut site);
    let checked = site.ok(&["check", "acme"]);
    assert!(checked.text().contains("s3://audit-lake/atl/_atlaudit/"), "{}", checked.text());
    assert_eq!(lake.server.keys(), ["atl/_atlaudit/probe", "atl/feed=acme/_atlaudit/check"]);
    site.ok(&["check", "acme"]);
    lake.server.allow_only("atl/_atlaudit/");
    site.set_output("path", "s3://audit-lake/elsewhere/feed={source}/");
    let denied = site.run(&["check", "acme"]);
    assert_eq!(denied.code, 4, "{}", denied.text());
    let said = denied.text();
    assert!(said.contains("refuses PutObject") && said.contains("elsewhere"), "{said}");
}

#[test]
fn what_others_do_with_published_objects_is_theirs() {
    let lake = Lake::new();
    let mut site = Site::of(20, 0);
    lake.connect(&mut site);
    site.ok(&["pull", "acme"]);
    // A loader takes one away, another program rewrites one.
    let keys = lake.keys("acme");
    lake.server.remove(&keys[0]);
    lake.server.put(&keys[1], b"compacted");
    empty_disk(&site);
    site.ok(&["pull", "acme"]);
    assert!(lake.server.object(&keys[0]).is_none());
    assert_eq!(lake.server.object(&keys[1]).unwrap(), b"compacted");
    // A run that dies after another one published what it left does not do it once more.
    add(&site, "acme", 5);
    assert!(crash_at(&mut site, "acme", "StateObjectWritten").is_some());
    end_lease(&lake);
    assert!(crash_at(&mut site, "acme", "ObjectUnsent").is_some());
    end_lease(&lake);
    assert!(crash_at(&mut site, "acme", "StateObjectWritten").is_some());
    let published = lake.keys("acme");
    lake.server.remove(published.last().unwrap());
    end_lease(&lake);
    site.ok(&["pull", "acme"]);
    assert!(lake.server.object(published.last().unwrap()).is_none());
    assert!(lake.state("acme")["pending"].as_array().unwrap().is_empty());
}

#[test]
fn a_state_that_is_lost_is_noticed_whatever_objects_are_called() {
    for path in [
        "s3://audit-lake/atl/feed={source}/day={event_day}/",
        "s3://audit-lake/atl/feed={source}/%Y-%m-%d-%H/",
        "s3://audit-lake/atl/{source}",
    ] {
        let lake = Lake::new();
        let mut site = Site::of(20, 0);
        lake.connect(&mut site);
        site.set_output("path", path);
        site.ok(&["pull", "acme"]);
        let keys = lake.server.keys();
        site.set("acme", "initial_lookback", "3d");
        lake.server.remove("atl/_atlaudit/acme.state");
        add(&site, "acme", 2);
        site.run(&["pull", "acme"]).refused(8, &["another history", "acme.state", ".history"]);
        let data = |keys: Vec<String>| keys.into_iter().filter(|key| !key.ends_with(".state"));
        assert!(data(keys).eq(data(lake.server.keys())), "{path}");
    }
}

#[test]
fn lines_that_wait_are_not_forgotten_where_the_output_is_another_kind() {
    let lake = Lake::new();
    let mut site = Site::of(20, 0);
    lake.connect(&mut site);
    site.set_output("rotate", "daily");
    let first = site.ok(&["pull", "acme"]);
    assert!(first.stderr.contains("events wait in the state"), "{}", first.stderr);
    site.set_output("path", "-");
    site.set_output("rotate", "never");
    site.run(&["pull", "acme"]).refused(6, &["events of earlier pulls wait", "feed=acme"]);
    // A bucket that is gone: the state is blamed, and not the configuration.
    site.set_output("path", "s3://audit-lake/other/{source}/");
    lake.server.allow_only("atl/_atlaudit/");
    site.run(&["pull", "acme"]).fails(4, &["refuses PutObject"]);
    let again = site.run(&["pull", "acme"]);
    again.refused(4, &["the state `s3://audit-lake/atl/_atlaudit/acme.state` holds committed"]);
    lake.server.allow_only("");
    site.ok(&["pull", "acme"]);
    assert_eq!(lake.ids("acme").len(), 20);
}

#[test]
fn a_run_that_fails_lets_go_of_the_source_and_says_why() {
    let lake = Lake::new();
    let mut site = site(&lake, 4);
    site.set_env("ATLAUDIT_CRASH_HOST", "pod-a");
    site.set("acme", "credential", "env:NO_SUCH_KEY");
    let no_key = site.run(&["pull", "acme"]);
    assert_eq!(no_key.code, 4, "{}", no_key.stderr);
    site.set("acme", "credential", "env:ACME_KEY");
    lake.server.allow_only("atl/_atlaudit/");
    for pod in ["pod-a", "pod-b", "pod-c"] {
        site.set_env("ATLAUDIT_CRASH_HOST", pod);
        site.run(&["pull", "acme"]).fails(4, &["refuses PutObject"]);
        empty_disk(&site);
    }
    lake.server.allow_only("");
    for (fault, code, words) in [
        (ObjectFault::Refuse(501, "NotImplemented"), 7, "use a store that keeps"),
        (ObjectFault::Refuse(400, "AuthorizationHeaderMalformed"), 6, "AWS_REGION"),
    ] {
        lake.server.fail_next([fault]);
        site.run(&["pull", "acme"]).refused(code, &[words]);
    }
    site.ok(&["pull", "acme"]);
    assert_whole("at last", &site, &lake, "acme");
}

#[test]
fn a_store_that_does_not_answer_holds_nobody_who_wants_to_stop() {
    let lake = Lake::new();
    let mut site = Site::of(4, 4);
    lake.connect(&mut site);
    lake.server.fail_next(std::iter::repeat_n(ObjectFault::Refuse(503, "SlowDown"), 10_000));
    for args in [vec!["pull"], vec!["follow", "acme"]] {
        let before = lake.server.requests().len();
        let mut run = site.start(&args);
        eventually("it retries", || lake.server.requests().len() > before + 3);
        let began = std::time::Instant::now();
        run.signal("TERM");
        let ended = run.end();
        assert!(began.elapsed() < PROMPT, "{args:?}: {}", ended.stderr);
    }
    // All sources try at the same time, and not one after the other.
    site.set_env("ATLAUDIT_CRASH_STORE_RETRY_MS", "2000");
    let began = std::time::Instant::now();
    let run = site.run(&["pull", "--repeat-errors"]);
    run.fails(8, &["SlowDown", "run it again when the store answers"]);
    assert!(began.elapsed() < PROMPT);
}

/// Puts all files below `folder` into the store, under `prefix`.
fn store_folder(lake: &Lake, folder: &Path, prefix: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let key = format!("{prefix}/{}", path.file_name().unwrap().to_str().unwrap());
        match path.is_dir() {
            true => store_folder(lake, &path, &key),
            false => lake.server.put(&key, &fs::read(&path).unwrap()),
        }
    }
}

#[test]
fn a_stored_export_is_verified() {
    let lake = Lake::new();
    let mut site = Site::of(40, 0);
    site.remove_source("acme-jira");
    lake.connect(&mut site);
    site.ok(&["export", "acme", "-o", "case", "--since", "60d"]);
    store_folder(&lake, &site.path("case"), "evidence/case");
    let run = site.ok(&["verify", "s3://audit-lake/evidence/case"]);
    assert!(run.stderr.contains("nothing differs"), "{}", run.stderr);
    assert!(run.stderr.contains("copied"), "{}", run.stderr);
    let left = fs::read_dir(site.path("tmp")).unwrap().map(|entry| entry.unwrap().file_name());
    let copies = left.filter(|name| name.to_str().unwrap().starts_with("atlaudit-verify-"));
    assert_eq!(copies.count(), 0, "the copy is removed");
    // Also what engines do not look at is part of what was handed over.
    lake.server.put("evidence/case/_more/x", b"x");
    site.run(&["verify", "s3://audit-lake/evidence/case/"]).fails(9, &["_more"]);
    lake.server.remove("evidence/case/_more/x");
    let manifest = lake.server.object("evidence/case/manifest.json").unwrap();
    lake.server.put("evidence/case/manifest.json", &[&manifest[..], b" "].concat());
    let changed = site.run(&["verify", "s3://audit-lake/evidence/case"]);
    changed.fails(9, &["manifest.json", "verification FAILED"]);
    lake.server.put("letters/a.txt", b"x");
    let other = site.run(&["verify", "s3://audit-lake/letters"]);
    other.fails(2, &["`s3://audit-lake/letters` is not an export"]);
    site.run(&["verify", "s3://audit-lake/nothing"]).fails(2, &["no object below"]);
    lake.server.fail_next([ObjectFault::Refuse(403, "AccessDenied")]);
    site.run(&["verify", "s3://audit-lake/evidence/case"]).fails(4, &["ListBucket"]);
}

#[test]
fn saved_objects_are_searched_reported_judged_and_converted() {
    let lake = Lake::new();
    let mut site = Site::of(60, 30);
    lake.connect(&mut site);
    site.set_output("compression", "zstd");
    site.ok(&["pull"]);
    let lake_ids = lake.ids("acme");
    let found = site.ok(&["search", "s3://audit-lake/atl/feed=acme/"]);
    each_once(&found.ids(), &lake_ids);
    // All sources, and not what is in `_atlaudit`.
    let all = site.ok(&["convert", "s3://audit-lake/atl"]);
    assert_eq!(all.ids().len(), 90);
    let one = format!("s3://audit-lake/{}", lake.keys("acme")[0]);
    assert!(!site.ok(&["search", &one]).ids().is_empty());
    let report = site.ok(&["report", "s3://audit-lake/atl/", "-o", "report.html"]);
    assert!(
        fs::read_to_string(site.path("report.html")).unwrap().len() > 1000,
        "{}",
        report.stderr
    );
    let detected = site.run(&["detect", "s3://audit-lake/atl/"]);
    assert!([0, 10].contains(&detected.code), "{}", detected.stderr);
    site.ok(&["stats", "s3://audit-lake/atl/feed=acme-jira"]);
    // What cannot be read is said, and is no success.
    let missing = site.run(&["search", "s3://audit-lake/nothing/"]);
    missing.fails(3, &["`s3://audit-lake/nothing/`", "no object with events"]);
    lake.server.fail_next([ObjectFault::Refuse(403, "AccessDenied")]);
    let denied = site.run(&["search", "s3://audit-lake/atl/"]);
    denied.fails(3, &["refuses ListBucket", "AccessDenied"]);
    site.run(&["search", "s3://other-bucket/atl/"]).fails(3, &["bucket", "does not exist"]);
    site.set_output("encoding", "parquet");
    site.set_output("compression", "none");
    site.set_output("path", "s3://audit-lake/tables/feed={source}/");
    site.set_state_url("s3://audit-lake/tables/_atlaudit");
    site.ok(&["pull", "acme"]);
    site.run(&["search", "s3://audit-lake/tables/"]).fails(3, &["Parquet", "DuckDB"]);
}
