//! What a server refuses or garbles: the right exit code, one error with a hint, no output.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use atlaudit::sandbox::{API_KEY_NO_SCOPE, Api, Fault, JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN_NOT_ADMIN};

use crate::support::{Run, Site, each_once, jira_ids, org_ids, status};

fn site() -> Site {
    Site::of(30, 30).with("acme", "retry_for", "0s").with("acme-jira", "retry_for", "0s")
}

fn hit(api: Api, fault: Fault) -> Run {
    let site = site();
    site.control.inject(api, fault);
    let name = match api {
        Api::OrgEvents => "acme",
        _ => "acme-jira",
    };
    let run = site.run(&["pull", name]);
    assert_eq!(site.control.request_count(api), 1, "{}", run.stderr);
    // Whatever it was, nothing is lost by it.
    site.control.clear_faults(api);
    let after = site.ok(&["pull", name]).ids();
    let served = match api {
        Api::OrgEvents => org_ids(&site.control.ids(Api::OrgEvents)),
        _ => jira_ids(&site.control.ids(Api::JiraAudit)),
    };
    each_once(&after, &served);
    run
}

#[test]
fn a_wrong_key() {
    let mut site = site();
    site.set_env("ACME_KEY", "another-key");
    site.set_env("JIRA_KEY", "another-token");
    site.run(&["pull", "acme"]).refused(4, &["`acme`", "401", "organization API key"]);
    site.run(&["pull", "acme-jira"]).refused(4, &["`acme-jira`", "401", "email"]);
}

#[test]
fn a_refused_key_is_corrected_where_it_is_kept() {
    let mut site = site();
    let file = site.path("key");
    std::fs::write(&file, "another-key").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let written = format!("write a new one into {}", file.display());
    let kept_in = format!("file:{}", file.display());
    site.set_env("ACME_KEY", "another-key");
    for (credential, remedy) in [
        ("env:ACME_KEY", "set the variable ACME_KEY to a new one"),
        (&kept_in, &written),
        ("command:echo another-key", "update what `echo` prints"),
    ] {
        site.set("acme", "credential", credential);
        let run = site.run(&["pull", "acme", "--repeat-errors"]);
        run.refused(4, &["neither expired nor been revoked", remedy]);
        let stores_there = credential.starts_with("file:");
        let names_login = run.stderr.contains("auth login acme");
        assert_eq!(names_login, stores_there, "{}", run.stderr);
        let run = site.run(&["check", "acme"]);
        assert!(String::from_utf8(run.stdout).unwrap().contains(remedy));
    }
}

#[test]
fn a_key_without_the_scope() {
    let mut site = site();
    site.set_env("ACME_KEY", API_KEY_NO_SCOPE);
    site.run(&["pull", "acme"]).refused(4, &["scope", "read:events:admin"]);
}

#[test]
fn an_unknown_organization() {
    let mut site = site();
    site.set("acme", "org_id", "00000000-0000-4000-8000-000000000000");
    site.run(&["pull", "acme"]).refused(4, &["404", "org_id"]);
}

#[test]
fn an_account_that_is_no_administrator() {
    let mut site = site();
    site.set("acme-jira", "email", JIRA_EMAIL_NOT_ADMIN);
    site.set_env("JIRA_KEY", JIRA_TOKEN_NOT_ADMIN);
    site.run(&["pull", "acme-jira"]).refused(4, &["403", "Administer Jira"]);
}

#[test]
fn a_free_plan() {
    let site = site();
    site.control.set_behaviour(|behaviour| behaviour.free_plan = true);
    site.run(&["pull", "acme-jira"]).refused(4, &["403", "plan", "Standard"]);
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = Site::of(30, 30);
    let location = format!("{}/admin/v1/orgs?token=secret", elsewhere.base_url());
    let run = hit(Api::OrgEvents, Fault::Redirect(location));
    run.refused(3, &["302", "redirects elsewhere"]);
    assert!(!run.stderr.contains("token=secret"), "{}", run.stderr);
    assert!(elsewhere.control.requests().is_empty());
}

#[test]
fn an_invalid_page_is_never_an_empty_success() {
    let bodies = [
        "{}",
        "[]",
        "null",
        r#"{"data":null}"#,
        r#"{"data":{}}"#,
        r#"{"records":null}"#,
        r#"{"errorMessages":["x"],"errors":{}}"#,
        r#"{"data":[],"meta":{"next":7}}"#,
        r#"{"data":[{"id":"1"#,
        "",
        "<html>",
    ];
    for body in bodies {
        let fault = Fault::RawBody(body.to_owned());
        hit(Api::OrgEvents, fault.clone()).refused(3, &["127.0.0.1"]);
        if !body.contains("meta") {
            hit(Api::JiraAudit, fault).refused(3, &["127.0.0.1"]);
        }
    }
}

#[test]
fn a_rejected_request_is_reported_with_the_servers_words() {
    let body = r#"{"errorMessages":["No such field"],"errors":{}}"#;
    hit(Api::JiraAudit, status(400, None, body)).refused(3, &["400", "No such field"]);
}

#[test]
fn control_characters_of_the_server_never_reach_the_terminal() {
    let odd = "\u{1b}[31mred\u{7}\u{9b}2J\u{202e}tail";
    let quoted = serde_json::to_string(odd).unwrap();
    let bodies = [
        (403, format!(r#"{{"errorMessages":[{quoted}]}}"#)),
        (500, format!(r#"{{"errors":[{{"code":{quoted},"title":{quoted}}}]}}"#)),
        (404, format!(r#"{{"code":404,"message":{quoted}}}"#)),
        (400, odd.to_owned()),
    ];
    for (code, body) in bodies {
        let fault = status(code, Some(("x-odd", "a\tb")), &body);
        let site = site();
        site.control.inject_always(Api::OrgEvents, fault);
        for args in [&["pull", "acme", "-vv"][..], &["pull", "acme", "--log-format", "json"]] {
            let run = site.run(args);
            assert_ne!(run.code, 0);
            let bad = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
            let bad = run.stderr.chars().find(bad);
            assert_eq!(bad, None, "{:?}", run.stderr);
        }
    }
}
