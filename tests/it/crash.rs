//! Lets the program die at every point between two side effects, one after the other, and shows
//! that the files hold each event once whatever the point.

use std::fs;
use std::io::Write as _;

use crate::support::{Outputs, Site, crash_at, crash_points, whole};
use atlaudit::sandbox::Api;

/// Points that only an export passes; `export/crash.rs` has them.
const OF_EXPORTS: &[&str] = &[
    "BodyWritten",
    "BodyNamed",
    "PagesDurable",
    "RequestReplaced",
    "AlertsWritten",
    "Sealed",
    "StateRemoved",
];

/// Points that only a pull passes whose events are judged; `live_alerts.rs` has them.
const OF_DETECTION: &str = "Detection";

/// Points that only a pull to Parquet passes; `parquet.rs` has them.
const OF_PARQUET: &[&str] = &["TablesWritten", "TableNamed", "WaitingRemoved"];

/// Points that only a pull into an object store passes; `object_output.rs` has them.
const OF_OBJECTS: &[&str] = &[
    "StateObjectRead",
    "StateObjectUnsent",
    "StateObjectWritten",
    "ObjectUnsent",
    "ObjectPublished",
];

/// Points that only a response to an incident passes; `respond.rs` has them.
const OF_RESPONSES: &str = "Response";

/// All points that a pull passes.
fn points() -> Vec<&'static str> {
    let mut points = crash_points();
    points.retain(|point| !OF_EXPORTS.contains(point) && !point.starts_with(OF_DETECTION));
    points.retain(|point| !point.starts_with(OF_RESPONSES));
    points.retain(|point| !OF_PARQUET.contains(point) && !OF_OBJECTS.contains(point));
    points
}

/// What each run finds: two or three pages, and as many commits.
const EVENTS: usize = 8;

/// Points that are passed only where a run died at another before.
const AFTER: &[(&str, &str)] = &[("StateWritten", "LeftoverRemoved"), ("Packed", "CutBack")];

/// A site of which each page is a commit.
fn site(source: &str, compression: &str, rotate: &str) -> Site {
    let mut site = Site::of(EVENTS, EVENTS);
    site.set_output("path", "out/{source}.jsonl");
    site.set_output("compression", compression);
    site.set_output("rotate", rotate);
    site.set(source, "page_size", 4);
    site.set_env("ATLAUDIT_CRASH_COMMIT_BYTES", "1");
    site.set_env("ATLAUDIT_CRASH_SLICE_RECORDS", "4");
    site
}

/// First runs that die, each a passage later in a site of its own; the next run mends it.
fn crash_first_runs(source: &str, compression: &str, rotate: &str) {
    for passage in 1.. {
        let mut site = site(source, compression, rotate);
        let mut outputs = Outputs::new(site.path("out"), source);
        let Some(point) = crash_at(&mut site, source, &passage.to_string()) else {
            assert!(passage > points().len(), "it died too seldom: {passage}");
            return;
        };
        outputs.assert_finished_unchanged();
        site.ok(&["pull", source]);
        outputs.assert_finished_unchanged();
        let what = format!("{source} {compression} {rotate}: passage {passage}, {point}");
        whole(&what, &site, source, &outputs.read());
    }
}

/// Runs that die one after the other, each at another point, each mending what the ones before left
/// and finding news.
fn crash_later_runs(source: &str, compression: &str, rotate: &str) {
    let mut site = site(source, compression, rotate);
    let mut outputs = Outputs::new(site.path("out"), source);
    let die_at = |site: &mut Site, point: &str| {
        let died = crash_at(site, source, point);
        assert_eq!(died.as_deref(), Some(point), "{source} {compression} {rotate}");
        match source {
            "acme" => site.control.add(Api::OrgEvents, EVENTS),
            _ => site.control.add(Api::JiraAudit, EVENTS),
        }
    };
    site.ok(&["pull", source]);
    for point in points() {
        // A state of its own for each: the points before it are passed again.
        let before = AFTER.iter().find(|(_, then)| *then == point);
        match point {
            "SetAside" => continue, // that one has a test of its own
            "Finished" if rotate == "never" => continue,
            // A new file is only begun where the last one was moved away.
            "OutputCreated" if rotate == "never" => {
                fs::rename(site.path("out"), site.path("before")).unwrap();
            }
            _ => {}
        }
        if let Some((before, _)) = before {
            die_at(&mut site, before);
        }
        die_at(&mut site, point);
        outputs.assert_finished_unchanged();
    }
    site.ok(&["pull", source]);
    outputs.assert_finished_unchanged();
    let what = format!("{source} {compression} {rotate}");
    let mut written = Outputs::new(site.path("before"), source).read();
    written.stdout.append(&mut outputs.read().stdout);
    whole(&what, &site, source, &written);
}

#[test]
fn an_organizations_first_run_survives_a_crash_at_every_point() {
    crash_first_runs("acme", "none", "never");
    crash_first_runs("acme", "none", "2KiB");
    crash_first_runs("acme", "gzip", "2KiB");
}

#[test]
fn jiras_first_run_survives_a_crash_at_every_point() {
    crash_first_runs("acme-jira", "none", "never");
    crash_first_runs("acme-jira", "zstd", "2KiB");
}

#[test]
fn later_runs_survive_a_crash_at_every_point() {
    for compression in ["none", "gzip", "zstd"] {
        for rotate in ["never", "2KiB"] {
            crash_later_runs("acme", compression, rotate);
        }
    }
    crash_later_runs("acme-jira", "none", "2KiB");
    crash_later_runs("acme-jira", "zstd", "never");
}

#[test]
fn a_torn_tail_is_quarantined_once_even_when_the_run_crashes() {
    let mut site = site("acme", "none", "never");
    site.ok(&["pull", "acme"]);
    let path = site.path("out/acme.jsonl");
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{\"torn").unwrap();
    assert_eq!(crash_at(&mut site, "acme", "SetAside").as_deref(), Some("SetAside"));
    site.control.add(Api::OrgEvents, EVENTS);
    site.ok(&["pull", "acme"]);
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("{\"torn"), "{text}");
    whole("after it", &site, "acme", &site.read("out/acme.jsonl"));
    let aside = fs::read_dir(site.path("out")).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().contains(".unfinished-")
    });
    assert!(aside.count() > 0, "nothing was kept");
}
