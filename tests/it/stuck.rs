//! Outputs that take nothing: read-only, full, without a reader. Nothing is lost, nothing hangs.

use std::process::Command;
use std::time::Duration;

use atlaudit::sandbox::Api;

use crate::support::{Run, Site, eventually, org_ids};

#[test]
fn a_standard_output_that_cannot_be_written_loses_nothing() {
    let site = Site::of(50, 0);
    // Read-only. One that is closed cannot be distinguished from /dev/null, which std puts in its place.
    let script = r#"exec "$PROGRAM" pull acme 1</dev/null"#;
    let run = Run::from(site.shell(script).output().unwrap());
    assert_eq!(run.code, 8, "{}", run.stderr);
    assert!(run.stderr.contains("standard output"), "{}", run.stderr);
    assert!(site.control.requests().is_empty());
    let rest = site.ok(&["pull", "acme"]).ids();
    assert_eq!(rest, org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn output_to_dev_null_is_allowed() {
    let site = Site::of(50, 0);
    let run = Run::from(site.shell(r#"exec "$PROGRAM" pull acme >/dev/null"#).output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(site.ok(&["pull", "acme"]).stdout.is_empty());
}

#[test]
fn a_stalled_reader_does_not_block_shutdown() {
    let site = Site::of(2_000, 0);
    let mut running = site.start(&["pull", "acme"]);
    eventually("a page", || site.control.request_count(Api::OrgEvents) > 0);
    // Time to fill the pipe; without it the run ends all the same.
    std::thread::sleep(Duration::from_millis(500));
    running.signal("TERM");
    // The first asks for an end after the current commit, which waits for the reader.
    std::thread::sleep(Duration::from_millis(100));
    running.signal("TERM");
    eventually("the end", || running.has_ended());
    assert_eq!(running.end().code, 3);
}

#[test]
fn a_named_pipe_is_written_like_a_stream() {
    let site = Site::of(200, 0);
    let made = Command::new("mkfifo").arg(site.path("pipe")).status();
    assert!(made.unwrap().success());
    let running = site.start(&["pull", "acme", "--output", "pipe"]);
    let read = site.read("pipe");
    assert_eq!(running.end().code, 0);
    assert_eq!(read.ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}
