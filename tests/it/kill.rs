//! Kills the program with SIGKILL at random instants while a slow server with a limit feeds it.
//!
//! `ATLAUDIT_KILLS` is how often (20 where it is not set), `ATLAUDIT_KILL_SEED` the seed, which is
//! printed: a number, or `random`.

use std::ops::Range;
use std::time::Duration;

use atlaudit::sandbox::{Api, RateLimit, RateWindow};
use chrono::Utc;

use crate::live_alerts;
use crate::support::{Outputs, Site, kill_seed, small, whole};

const SOURCES: [&str; 4] = ["acme", "acme-jira", "acme-confluence", "acme-dc"];

/// Compression, rotation, and the bytes that make a commit due.
const FILES: [(&str, &str, &str); 6] = [
    ("none", "never", "20000"),
    ("none", "8KiB", "20000"),
    ("gzip", "never", "20000"),
    ("gzip", "1KiB", "1"),
    ("zstd", "never", "1"),
    ("zstd", "1KiB", "20000"),
];

/// Events of each source at the beginning, and new ones after each kill.
const AT_FIRST: usize = 150;
const NEWS: Range<usize> = 0..40;

/// Milliseconds that a run lives: some die while they start, most while they write.
const SHORT: Range<u64> = 0..60;
const LONG: Range<u64> = 0..500;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

fn site(seed: u64, files: (&str, &str, &str)) -> Site {
    let mut options = small(AT_FIRST, AT_FIRST);
    options.data.seed = seed;
    options.data.confluence_records = AT_FIRST;
    options.data.datacenter_events = AT_FIRST;
    let mut site = Site::new(options).with_all_sources();
    site.set_output("path", "out/{source}.jsonl");
    site.set_output("compression", files.0);
    site.set_output("rotate", files.1);
    site.set_detect(live_alerts::DETECT);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", files.2);
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "20");
    for source in SOURCES {
        site.set(source, "page_size", 10);
    }
    site.control.set_behaviour(|behaviour| {
        behaviour.org_latency = Duration::from_millis(15);
        behaviour.jira_latency = Duration::from_millis(10);
        behaviour.confluence_latency = Duration::from_millis(10);
        behaviour.datacenter_latency = Duration::from_millis(10);
        behaviour.org_rate_limit = Some(RateLimit {
            window: RateWindow::Rolling,
            retry_after: true,
            ..RateLimit::new(60, Duration::from_secs(1))
        });
    });
    site
}

/// Kills `kills` runs in one site, lets the last one come to its end, and looks at what there is.
/// How many were not at their end yet when they were killed.
fn kills(kills: u64, seed: u64, files: (&str, &str, &str)) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let site = site(seed, files);
    let mut outputs = SOURCES.map(|source| Outputs::new(site.path("out"), source));
    let mut killed_early = 0;
    for _ in 0..kills {
        let life = if random.u8(..4) == 0 { SHORT } else { LONG };
        let mut running = site.start(&["-q", "pull"]);
        std::thread::sleep(Duration::from_millis(random.u64(life)));
        running.child().kill().unwrap();
        killed_early += u64::from(running.end().code == 128 + 9);
        outputs.iter_mut().for_each(Outputs::assert_finished_unchanged);
        site.control.add(Api::OrgEvents, random.usize(NEWS));
        site.control.add(Api::JiraAudit, random.usize(NEWS));
        site.control.add(Api::ConfluenceAudit, random.usize(NEWS));
        site.control.add(Api::DatacenterAudit, random.usize(NEWS));
    }
    // Records of the very millisecond in which a run begins are the next one's.
    std::thread::sleep(Duration::from_millis(5));
    let start = Utc::now();
    site.ok(&["pull"]);
    for (source, outputs) in SOURCES.iter().zip(&mut outputs) {
        outputs.assert_finished_unchanged();
        let what = format!("seed {seed}, {kills} kills, {files:?}");
        whole(&what, &site, source, &outputs.read());
        live_alerts::assert_alerts(&site, source, start, &what);
    }
    killed_early
}

#[test]
#[expect(clippy::print_stderr, reason = "the seed is needed to repeat a failure")]
fn random_kills_lose_nothing_and_repeat_nothing() {
    let all = number("ATLAUDIT_KILLS").unwrap_or(20);
    let seed = kill_seed();
    eprintln!("ATLAUDIT_KILLS={all}");
    let kinds = FILES.len() as u64;
    let mut killed_early = 0;
    for (kind, files) in (0..kinds).zip(FILES) {
        let share = all / kinds + u64::from(kind < all % kinds);
        killed_early += kills(share, seed + kind, files);
    }
    eprintln!("{killed_early} of {all} runs were killed before their end");
    assert!(killed_early * 2 >= all, "too many runs came to their end: {killed_early} of {all}");
}
