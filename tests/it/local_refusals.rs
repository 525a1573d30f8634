//! What is wrong on this side: configuration, credentials, output. Nothing is asked of the server
//! then.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;

use atlaudit::sandbox::{API_KEY, Api};

use crate::support::{Run, Site, org_ids};

fn site() -> Site {
    Site::of(30, 30)
}

fn assert_no_requests(site: &Site) {
    assert!(site.control.requests().is_empty());
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let mut site = site();
    site.set("acme", "page_sise", 5);
    let run = site.run(&["pull"]);
    let file = site.path("home/.config/atlaudit/config.toml");
    let text = fs::read_to_string(&file).unwrap();
    let line = text.lines().position(|line| line.contains("page_sise")).unwrap() + 1;
    run.refused(6, &["`page_sise`", &format!("config.toml:{line}")]);
    assert_no_requests(&site);
}

#[test]
fn a_bad_value_is_named_with_its_source_and_key() {
    for (key, value) in [
        ("overlap", "soon"),
        ("type", "org-audit"),
        ("initial_lookback", "181d"),
        ("initial_from", "7d"),
        ("credential", "vault:x"),
    ] {
        let mut site = site();
        site.set("acme", key, value);
        site.run(&["pull"]).refused(6, &["`acme`", key]);
    }
}

#[test]
fn an_unknown_source() {
    let site = site();
    site.run(&["pull", "acmee"]).refused(6, &["`acmee`", "acme"]);
    assert_no_requests(&site);
}

#[test]
fn nothing_is_configured_yet() {
    let mut site = site();
    site.remove_sources();
    for args in [
        &["pull"][..],
        &["check"],
        &["status"],
        &["follow"],
        &["pull", "acme"],
        &["export", "acme", "--since", "7d", "--output", "x"],
    ] {
        let words = [
            "nothing is configured yet",
            "config.toml names no source",
            "ATLAUDIT_API_KEY",
            "`atlaudit auth login NAME`",
            "`atlaudit demo`",
        ];
        site.run(args).refused(6, &words);
    }
    let mut command = site.command(&["pull"]);
    let file = site.path("home/.config/atlaudit/config.toml");
    fs::remove_file(&file).unwrap();
    let run = Run::from(command.output().unwrap());
    run.refused(6, &[&format!("there is no {}", file.display())]);
    // Half of it is known: what is missing is reported.
    site.set_env("ATLAUDIT_ORG_ID", "o1");
    site.run(&["pull"]).refused(4, &["`org`", "ATLAUDIT_API_KEY"]);
    assert_no_requests(&site);
}

#[test]
fn a_logout_of_what_the_keyring_never_held() {
    let mut site = site();
    site.run(&["auth", "logout", "acmee"])
        .refused(6, &["there is no source `acmee`", "did you mean `acme`"]);
    site.run(&["auth", "logout", "acme"])
        .refused(6, &["`acme` has its key in env:ACME_KEY", "remove it there"]);
    site.set("acme", "credential", "keyring");
    site.run(&["auth", "logout", "acme"]).refused(4, &["`acme`", "keyring"]);
}

#[test]
fn a_url_that_would_carry_the_key_in_the_clear() {
    let mut site = site();
    site.set("acme", "base_url", "http://api.example.com");
    site.run(&["pull", "acme"]).refused(6, &["`acme`", "base_url", "https"]);
}

#[test]
fn a_configuration_that_does_not_exist() {
    let site = site();
    site.run(&["pull", "--config", "nowhere.toml"]).refused(6, &["nowhere.toml", "does not exist"]);
}

#[test]
fn a_missing_variable_of_a_credential() {
    let mut site = site();
    site.unset_env("ACME_KEY");
    site.run(&["pull", "acme"]).refused(4, &["`acme`", "variable ACME_KEY", "set ACME_KEY"]);
    assert_no_requests(&site);
}

#[test]
fn a_missing_keyring_names_the_other_ways() {
    let mut site = site();
    site.set("acme", "credential", "keyring");
    site.run(&["pull", "acme"]).refused(4, &["`acme`", "keyring", "env:", "file:"]);
    assert_no_requests(&site);
}

#[test]
fn a_file_with_a_key_that_others_can_read() {
    let mut site = site();
    let file = site.path("key");
    fs::write(&file, API_KEY).unwrap();
    let named = format!("file:{}", file.display());
    site.set("acme", "credential", named);
    for mode in [0o644, 0o640, 0o604] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let run = site.run(&["pull", "acme", "--repeat-errors"]);
        run.refused(4, &["`acme`", "others", "chmod 600"]);
    }
    assert_no_requests(&site);
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(site.ok(&["pull", "acme"]).ids().len(), 30);
}

#[test]
fn an_output_that_cannot_be_written() {
    let site = site();
    fs::write(site.path("plain"), "").unwrap();
    site.run(&["pull", "acme", "--output", "plain/acme.jsonl"])
        .refused(8, &["`acme`", "plain/acme.jsonl"]);
    fs::create_dir(site.path("folder")).unwrap();
    site.run(&["pull", "acme", "--output", "folder"]).refused(8, &["`acme`", "folder"]);
    assert_no_requests(&site);
    assert_eq!(site.ok(&["pull", "acme"]).ids().len(), 30);
}

#[test]
fn a_full_disk_loses_nothing() {
    let site = site();
    site.run(&["pull", "acme", "--output", "/dev/full"]).refused(8, &["/dev/full", "disk"]);
    let stdout = fs::File::options().write(true).open("/dev/full").unwrap();
    let run = site.command(&["pull", "acme"]).stdout(stdout).output();
    assert_eq!(run.unwrap().status.code(), Some(8));
    assert_eq!(site.ok(&["pull", "acme"]).ids().len(), 30);
}

#[test]
fn a_reader_that_goes_away_gets_no_message_and_loses_nothing() {
    let site = Site::of(2_000, 0);
    let mut running = site.start(&["pull", "acme"]);
    let mut reader = BufReader::new(running.child().stdout.take().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    drop(reader);
    let run = running.end();
    assert_eq!(run.code, 8);
    for word in ["error", "warning", "panic", "pipe"] {
        assert!(!run.stderr.contains(word), "{}", run.stderr);
    }
    // Nothing was committed: the one line that was read comes again.
    site.ok(&["pull", "acme", "--output", "rest"]);
    assert_eq!(site.read("rest").ids(), org_ids(&site.control.ids(Api::OrgEvents)));
}

#[test]
fn a_report_that_cannot_be_written_is_reported_before_any_request() {
    let site = Site::of(30, 0);
    site.run(&["pull", "acme", "--report", "nowhere/report.json"])
        .refused(8, &["nowhere/report.json", "--report"]);
    assert!(site.control.requests().is_empty());
}

#[test]
fn usage_errors_exit_2() {
    let site = site();
    for args in [
        &["pull", "--max-events", "0"][..],
        &["pull", "--format", "xml"],
        &["pull", "--output", "{name}"],
        &["pull", "-q", "-v"],
        &["pul"],
        &[],
    ] {
        let run = site.run(args);
        assert_eq!(run.code, 2, "{args:?}: {}", run.stderr);
        assert!(run.stdout.is_empty());
    }
    assert_no_requests(&site);
}
