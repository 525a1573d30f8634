//! No secret appears anywhere: not on a stream, not in a file, not at any verbosity.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use atlaudit::sandbox::{API_KEY, Api, Fault, JIRA_EMAIL, JIRA_TOKEN};

use crate::support::{Run, Site, files, status};

/// Every form in which the keys of a run might show.
fn forms() -> Vec<Vec<u8>> {
    // "auditor@lindenfell.example:sandbox-jira-token" as Basic authentication carries it.
    let basic = "YXVkaXRvckBsaW5kZW5mZWxsLmV4YW1wbGU6c2FuZGJveC1qaXJhLXRva2Vu";
    assert_eq!((JIRA_EMAIL, JIRA_TOKEN), ("auditor@lindenfell.example", "sandbox-jira-token"));
    [API_KEY, JIRA_TOKEN, basic, "wrong-secret-key"].map(|form| form.as_bytes().to_vec()).into()
}

fn assert_no_secrets(what: &str, bytes: &[u8]) {
    for form in forms() {
        let found = bytes.windows(form.len()).any(|part| part == form);
        assert!(!found, "{} in {what}", String::from_utf8_lossy(&form));
    }
}

fn is_clean(site: &Site, run: &Run) {
    assert_no_secrets("stdout", &run.stdout);
    assert_no_secrets("stderr", run.stderr.as_bytes());
    for name in ["home", "out", "tmp"] {
        for (file, content) in files(&site.path(name)) {
            assert_no_secrets(&file, &content);
        }
    }
    for name in ["report.json", "stdout"] {
        assert_no_secrets(name, &fs::read(site.path(name)).unwrap_or_default());
    }
}

const ARGS: [&[&str]; 4] = [
    &["pull", "-vv", "--report", "report.json"],
    &["pull", "-vv", "--log-format", "json", "--output", "out/{source}"],
    &["pull", "-vv", "--since", "3d", "--report", "report.json"],
    &["pull", "-vv", "--dry-run"],
];

#[test]
fn a_successful_run_leaks_no_secret() {
    let mut site = Site::of(100, 50);
    site.set("acme", "page_size", 20);
    for args in ARGS {
        let run = site.ok(args);
        assert!(run.stderr.len() > 20, "-vv says something");
        is_clean(&site, &run);
    }
    is_clean(&site, &site.run(&["auth", "status", "-vv"]));
}

#[test]
fn a_failed_run_leaks_no_secret() {
    let faults = [
        status(401, None, "{}"),
        status(500, None, "{}"),
        Fault::Html,
        Fault::Redirect("https://login.example/?x=1".to_owned()),
        Fault::CloseBeforeResponse,
        Fault::NotJson,
        Fault::GzipBomb(1024),
    ];
    for fault in faults {
        let mut site = Site::of(20, 20);
        for (source, api) in [("acme", Api::OrgEvents), ("acme-jira", Api::JiraAudit)] {
            site.set(source, "retry_for", "0s");
            site.control.inject_always(api, fault.clone());
        }
        for args in ARGS {
            is_clean(&site, &site.run(args));
        }
    }
}

#[test]
fn of_a_credential_that_cannot_be_used() {
    let mut site = Site::of(20, 20);
    site.set_env("JIRA_KEY", "wrong-secret-key");
    site.set_env("ACME_KEY", "wrong-secret-key\n\u{1}x");
    let run = site.run(&["pull", "-vv"]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    is_clean(&site, &run);
    let file = site.path("key");
    fs::write(&file, "wrong-secret-key\u{0}two\nlines").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    for credential in [
        format!("file:{}", file.display()),
        "command:echo wrong-secret-key".to_owned(),
        "command:/nowhere/helper wrong-secret-key".to_owned(),
        "command:false wrong-secret-key".to_owned(),
    ] {
        site.set("acme", "credential", credential.as_str());
        let run = site.run(&["pull", "acme", "-vv"]);
        assert_eq!(run.code, 4, "{credential}: {}", run.stderr);
        assert_no_secrets("stdout", &run.stdout);
        assert_no_secrets("stderr", run.stderr.as_bytes());
    }
}
