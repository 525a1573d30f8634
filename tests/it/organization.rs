//! `auth login` finds out whose an organization's key is, where the key tells it.

use std::io::Write as _;
use std::process::Stdio;

use atlaudit::sandbox::API_KEY;

use crate::support::{Run, Site};

fn login(site: &Site) -> Run {
    let mut command = site.command(&["auth", "login", "acme", "--with-key"]);
    command.args(["--base-url", site.base_url(), "--store", "file:key"]);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{API_KEY}").unwrap();
    Run::from(child.wait_with_output().unwrap())
}

#[test]
fn a_key_with_scopes_does_not_show_its_organization() {
    let mut site = Site::of(10, 0);
    site.remove_sources();
    site.control.set_behaviour(|behaviour| behaviour.scoped_key = true);
    login(&site).refused(2, &["`acme`", "scopes", "--org-id"]);
}

#[test]
fn a_key_without_scopes_does() {
    let mut site = Site::of(10, 0);
    site.remove_sources();
    // The key was tested with the organization that it belongs to.
    let run = login(&site);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let paths: Vec<_> = site.control.requests().into_iter().map(|r| r.path).collect();
    assert!(paths[1].ends_with("/events-stream"), "{paths:?}");
}
