//! Exports that die, at every point between two side effects and at random instants: the same
//! command goes on, and what there is in the end is what an unbroken one has.

use std::time::Duration;

use atlaudit::sandbox::{RateLimit, RateWindow};

use super::{Case, SOURCES, site, words};
use crate::support::{Site, kill_seed, small};

/// Small commits, so that there are many.
fn set_small_commits(site: &mut Site) {
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "4");
}

/// Exports into `case` until it is complete, each run but the last dying at one of `turns`. How
/// many died.
fn export_with_crashes(site: &mut Site, source: &str, out: &str, turns: &[u64]) -> usize {
    let mut died = 0;
    for turn in turns {
        site.set_env("ATLAUDIT_CRASH_AT", &turn.to_string());
        let run = site.run(&words(&[source], out, &["--keep-bodies"]));
        site.unset_env("ATLAUDIT_CRASH_AT");
        match run.code {
            0 => return died,
            8 if run.stderr.contains("complete already") => return died,
            code => assert_eq!(code, 128 + 6, "{source}, {turns:?}: {}", run.stderr),
        }
        died += 1;
    }
    let run = site.run(&words(&[source], out, &["--keep-bodies"]));
    // One that died when all was done is found complete.
    let is_done = run.stderr.contains("complete already");
    assert!(run.code == 0 || is_done, "{source}, {turns:?}: {}", run.stderr);
    died
}

/// Dies at every passage of a first run, and at another one of the second.
fn crash_at_every_point(source: &str) {
    let mut options = small(10, 10);
    options.data.confluence_records = 10;
    let mut site = Site::new(options).with_all_sources();
    site.set(source, "page_size", 4);
    set_small_commits(&mut site);
    export_with_crashes(&mut site, source, "unbroken", &[]);
    let unbroken = Case::read(site.path("unbroken")).lines(source);
    assert_eq!(unbroken.len(), 10);
    for passage in 1.. {
        let out = format!("case-{passage}");
        let second = passage * 7 % 23 + 1;
        let died = export_with_crashes(&mut site, source, &out, &[passage, second]);
        let what = format!("{source}: passages {passage} and {second}");
        let case = Case::read(site.path(&out));
        assert!(case.is_complete(), "{what}");
        case.is_sound(&what);
        assert_eq!(case.lines(source), unbroken, "{what}");
        let runs = case.manifest["runs"].as_array().unwrap();
        let killed = runs.iter().filter(|run| run["ended"] == "killed").count();
        assert!(killed <= died, "{what}");
        std::fs::remove_dir_all(site.path(&out)).unwrap();
        if died == 0 {
            assert!(passage > 30, "it died too seldom: {passage}");
            return;
        }
    }
}

#[test]
fn an_organization_export_survives_a_crash_at_every_point() {
    crash_at_every_point("acme");
}

#[test]
fn a_confluence_export_survives_a_crash_at_every_point() {
    crash_at_every_point("acme-confluence");
}

/// Many pages from a slow server with a limit.
fn slow_site(seed: u64) -> Site {
    let mut site = site(400);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "20000");
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "20");
    let latency = Duration::from_millis(5 + seed % 7);
    site.control.set_behaviour(|behaviour| {
        behaviour.org_latency = 2 * latency;
        behaviour.jira_latency = latency;
        behaviour.confluence_latency = latency;
        behaviour.datacenter_latency = latency;
        behaviour.org_rate_limit = Some(RateLimit {
            window: RateWindow::Rolling,
            retry_after: true,
            ..RateLimit::new(30, Duration::from_secs(1))
        });
    });
    site
}

#[test]
fn ten_kills_at_random_change_no_event() {
    let seed = kill_seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let site = slow_site(seed);
    let all = words(&SOURCES, "case", &["--keep-bodies", "-q"]);
    let mut kills = 0;
    for _ in 0..10 {
        let mut running = site.start(&all);
        std::thread::sleep(Duration::from_millis(random.u64(20..250)));
        running.child().kill().unwrap();
        kills += usize::from(running.end().code == 128 + 9);
    }
    assert_eq!(kills, 10, "seed {seed}: it came to its end too soon");
    site.ok(&all);
    site.control.set_behaviour(|behaviour| {
        *behaviour = atlaudit::sandbox::Behaviour::default();
    });
    let broken = Case::read(site.path("case"));
    assert!(broken.is_complete());
    broken.is_sound(&format!("seed {seed}"));
    let asked = |key: &str| broken.manifest["asked"][key].as_str().unwrap().to_owned();
    let (since, until) = (asked("since"), asked("until"));
    let again = ["--since", &since, "--until", &until, "-o", "unbroken"];
    let unbroken: Vec<_> = ["export"].iter().chain(&SOURCES).chain(&again).copied().collect();
    site.ok(&unbroken);
    let unbroken = Case::read(site.path("unbroken"));
    for source in SOURCES {
        let (got, want) = (broken.lines(source), unbroken.lines(source));
        assert_eq!(want.len(), 400, "{source}");
        let differs = got.iter().zip(&want).position(|(got, want)| got != want);
        let counts = (got.len(), want.len());
        assert!(got == want, "seed {seed}, {source}: {counts:?}, first at {differs:?}");
    }
    let runs = broken.manifest["runs"].as_array().unwrap();
    // One may die before it takes note of itself.
    let killed = runs.iter().filter(|run| run["ended"] == "killed").count();
    assert!((5..=10).contains(&killed), "seed {seed}: {killed}");
}
