//! Hundreds of sources in one run, in little memory.

use std::time::Duration;

use crate::support::{Running, Site, small};
use atlaudit::sandbox::Api;

/// The most memory that a run of two hundred sources may allocate, in KiB. Pages of the program's
/// own file do not count: a debug build is several times as large as what people run.
const PEAK: u64 = 80 * 1024;

/// A site with 100 sources of each kind beside its own two; each writes to a file of its own.
fn site_with_many_sources(options: atlaudit::sandbox::SandboxOptions) -> Site {
    let mut site = Site::new(options);
    for n in 0..100 {
        site.add(&format!("org{n}"), "acme");
        site.add(&format!("jira{n}"), "acme-jira");
    }
    site.set_output("path", "{source}");
    site
}

/// The most memory that `running` has allocated, watched until its end, in KiB.
fn peak(running: &mut Running) -> u64 {
    let status = format!("/proc/{}/status", running.child().id());
    let mut peak = 0;
    while !running.has_ended() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(number.unwrap_or_default());
        std::thread::sleep(Duration::from_millis(2));
    }
    peak
}

#[test]
fn two_hundred_sources_take_little_memory() {
    let site = site_with_many_sources(small(1_500, 300));
    let mut run = site.start(&["-q", "pull"]);
    let peak = peak(&mut run);
    let ended = run.end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // Only Linux has it in /proc; there it must have been measured.
    assert!(peak > 0 || !cfg!(target_os = "linux"), "no peak was read");
    assert!(peak < PEAK, "{peak} KiB");
    for name in ["acme", "acme-jira", "org7", "jira99"] {
        let written = site.read(name).ids().len();
        let served = match name.contains("jira") {
            true => site.control.ids(Api::JiraAudit).len(),
            false => site.control.ids(Api::OrgEvents).len(),
        };
        assert_eq!(written, served, "{name}");
    }
}
