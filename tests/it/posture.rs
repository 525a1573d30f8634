//! `posture`: what each check finds in the lists of the admin APIs, and what it does where a list
//! cannot be read.

use std::collections::BTreeMap;
use std::time::Instant;

use atlaudit::sandbox::{
    API_KEY_NO_SCOPE, AUTH_POLICY_SSO, AdminRefusal, Behaviour, CursorPlace, ORG_ID,
};
use serde_json::Value;

use crate::support::{PROMPT, Run, Site};

/// The body of a 401 of the gateway for a missing scope.
const SCOPE_MISMATCH: &str = r#"{"code":401,"message":"Unauthorized; scope does not match"}"#;

/// Checks that look at the list of users, and nothing else.
const CHECKS_OF_USERS: [&str; 6] =
    ["mfa.admins", "mfa.users", "admins.count", "admins.idle", "users.idle", "users.external"];

/// What is found in the organization with faults, and in the one without; no events are read.
const VERDICTS: [(&str, &str, &str); 18] = [
    ("mfa.admins", "fail", "pass"),
    ("mfa.users", "review", "pass"),
    ("mfa.rule", "not_readable", "not_readable"),
    ("session.rule", "not_readable", "not_readable"),
    ("password.rule", "not_readable", "not_readable"),
    ("mobile.policy", "review", "not_readable"),
    ("mobile.data", "not_readable", "not_readable"),
    ("admins.count", "pass", "pass"),
    ("admins.idle", "fail", "pass"),
    ("users.idle", "fail", "pass"),
    ("users.external", "fail", "pass"),
    ("domains.verified", "fail", "pass"),
    ("ip.allowlist", "fail", "pass"),
    ("data.export", "fail", "pass"),
    ("tokens.users", "fail", "pass"),
    ("keys.org", "pass", "pass"),
    ("service.tokens", "fail", "pass"),
    ("audit.log", "could_not_read", "could_not_read"),
];

/// A site whose events and records do not matter.
pub fn site() -> Site {
    let mut site = Site::of(0, 0);
    site.remove_source("acme-jira");
    site.set("acme", "retry_for", "0s");
    site
}

/// A site whose organization has no faults.
pub fn sound_site() -> Site {
    site().behaving(|behaviour| behaviour.sound_organization = true)
}

/// `posture --json` with more arguments.
pub fn posture(site: &Site, more: &[&str]) -> Run {
    site.run(&[&["posture", "--json"], more].concat())
}

/// The verdict of each check.
pub fn verdicts(run: &Run) -> BTreeMap<String, String> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let trees = run.trees();
    trees.iter().map(|finding| (text(finding, "check"), text(finding, "verdict"))).collect()
}

/// The finding of one check.
pub fn finding(run: &Run, check: &str) -> Value {
    let trees = run.trees();
    let found = trees.into_iter().find(|finding| finding["check"] == check);
    found.unwrap_or_else(|| panic!("no {check}: {}", run.stderr))
}

/// The verdict of one check, which is run alone.
pub fn verdict(site: &Site, check: &str) -> String {
    let run = posture(site, &["--check", check]);
    finding(&run, check)["verdict"].as_str().unwrap().to_owned()
}

/// The same, but these requests are refused.
pub fn refusing(site: Site, path_part: &str, status: u16) -> Site {
    let body = if status == 401 { SCOPE_MISMATCH } else { "{}" }.to_owned();
    let path_part = path_part.to_owned();
    site.behaving(|behaviour| {
        let refusal = AdminRefusal { path_part, status, body, ..AdminRefusal::default() };
        behaviour.admin_refusals.push(refusal);
    })
}

/// The reasons of a finding's items, by what they are about.
fn reasons(finding: &Value) -> BTreeMap<String, String> {
    let items = finding["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let name = item["name"].as_str().or(item["id"].as_str()).unwrap();
            (name.to_owned(), item["reason"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn each_check_has_its_verdict_in_an_organization_with_faults() {
    let run = posture(&site(), &[]);
    let wanted = VERDICTS.map(|(check, faulty, _)| (check.to_owned(), faulty.to_owned()));
    assert_eq!(verdicts(&run), BTreeMap::from(wanted));
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn each_check_that_can_passes_in_a_sound_organization() {
    let run = posture(&sound_site(), &[]);
    let wanted = VERDICTS.map(|(check, _, sound)| (check.to_owned(), sound.to_owned()));
    assert_eq!(verdicts(&run), BTreeMap::from(wanted));
}

#[test]
fn what_is_wrong_is_named() {
    let run = posture(&site(), &[]);
    for (check, name, reason) in [
        ("mfa.admins", "henk.dijkstra@lindenfell.example", "without two-step verification"),
        ("admins.idle", "priya.raman@lindenfell.example", "last used 120 days ago"),
        ("users.idle", "samuel.okoro@lindenfell.example", "last used 200 days ago"),
        ("users.external", "rui.tavares@auroralabs.example", "the role site-admin"),
        ("domains.verified", "lindenfell-labs.example", "is unverified"),
        ("data.export", "No export", "is draft"),
        ("mobile.policy", "Offices", "lets mobile apps in"),
    ] {
        let reasons = reasons(&finding(&run, check));
        let found = reasons.get(name).unwrap_or_else(|| panic!("{check}: {reasons:?}"));
        assert!(found.contains(reason), "{check}: {found}");
    }
}

#[test]
fn each_fault_of_a_token_is_named() {
    let run = posture(&site(), &["--check", "tokens.users", "--check", "service.tokens"]);
    let reasons = reasons(&finding(&run, "tokens.users"));
    for (name, reason) in [
        ("calendar sync of ines.carvalho@lindenfell.example", "has no end"),
        ("bulk import of samuel.okoro@lindenfell.example", "lasts 400 days"),
        ("laptop script of lukas.steiner@lindenfell.example", "was not used for 200 days"),
        ("migration script of dario.greco@lindenfell.example", "its owner is not active"),
    ] {
        assert_eq!(reasons.get(name).map(String::as_str), Some(reason), "{reasons:?}");
    }
    assert_eq!(reasons.len(), 4, "{reasons:?}");
}

#[test]
fn of_several_keys_those_with_faults_are_named() {
    let site = site().behaving(|behaviour| behaviour.many_keys = true);
    let run = posture(&site, &["--check", "keys.org"]);
    let found = finding(&run, "keys.org");
    assert_eq!(found["verdict"], "fail");
    let reasons = reasons(&found);
    let legacy = &reasons["legacy integration of henk.dijkstra@lindenfell.example"];
    assert!(legacy.contains("is 300 days old") && legacy.contains("has no scopes"), "{legacy}");
    assert!(legacy.contains("ends in 1"), "{legacy}");
    let left = &reasons["migration 2025 of dario.greco@lindenfell.example"];
    assert!(left.contains("was created by somebody who is no active admin"), "{left}");
    assert_eq!(reasons.len(), 2, "{reasons:?}");
}

#[test]
fn the_numbers_are_those_of_the_configuration() {
    let mut site = sound_site();
    site.set_posture("[posture]\nthresholds = { max_admins = 2 }");
    assert_eq!(verdict(&site, "admins.count"), "fail");
    site.set_posture("[posture]\nthresholds = { idle_days = 1 }");
    assert_eq!(verdict(&site, "users.idle"), "fail");
    site.set_posture("[posture]\nskip = ['admins.count']");
    assert!(!verdicts(&posture(&site, &[])).contains_key("admins.count"));
}

#[test]
fn a_refused_list_is_not_read_and_the_advice_names_its_scope() {
    let tokens = format!("{ORG_ID}/api-tokens");
    for (path_part, scope, checks) in [
        ("/directories/", "read:directories:admin", &CHECKS_OF_USERS[..]),
        ("/domains", "read:domains:admin", &["domains.verified"]),
        ("/policies", "read:policies:admin", &["ip.allowlist", "data.export"]),
        (&tokens, "read:tokens:admin", &["tokens.users"]),
        ("/api-keys", "read:keys:admin", &["keys.org"]),
        ("service-accounts/", "read:service-accounts-tokens:admin", &["service.tokens"]),
    ] {
        let site = refusing(sound_site(), path_part, 401);
        let run = posture(&site, &[]);
        assert_eq!(run.code, 4, "{path_part}: {}", run.stderr);
        for check in checks {
            let found = finding(&run, check);
            assert_eq!(found["verdict"], "could_not_read", "{found}");
            assert!(found["advice"].as_str().unwrap().contains(scope), "{found}");
        }
    }
}

#[test]
fn a_key_without_scopes_reads_nothing_and_passes_nothing() {
    let mut site = sound_site();
    site.set_env("ACME_KEY", API_KEY_NO_SCOPE);
    let run = posture(&site, &[]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    let verdicts = verdicts(&run);
    assert_eq!(verdicts.len(), 18);
    for (check, verdict) in verdicts {
        assert!(["could_not_read", "not_readable"].contains(&&*verdict), "{check}: {verdict}");
    }
}

#[test]
fn a_list_whose_server_keeps_failing_is_incomplete() {
    let site = refusing(sound_site(), "/domains", 500);
    let run = posture(&site, &["--check", "domains.verified"]);
    assert_eq!(verdicts(&run)["domains.verified"], "could_not_read");
    assert_eq!(run.code, 3, "{}", run.stderr);
}

#[test]
fn tokens_do_not_pass_while_their_owners_cannot_be_read() {
    let site = refusing(sound_site(), "/directories/", 401);
    assert_eq!(verdict(&site, "tokens.users"), "could_not_read");
}

#[test]
fn a_key_whose_creator_cannot_be_read_is_to_be_reviewed() {
    let site = refusing(sound_site(), "/directories/", 401);
    assert_eq!(verdict(&site, "keys.org"), "review");
}

#[test]
fn where_an_allowlist_applies_must_be_read_before_it_passes() {
    let site = refusing(sound_site(), "/resources", 404);
    assert_eq!(verdict(&site, "ip.allowlist"), "could_not_read");
    let site = refusing(self::site(), "/resources", 404);
    assert_eq!(verdict(&site, "ip.allowlist"), "fail");
}

/// Else nothing would say why the exit code is not 0.
#[test]
fn a_list_that_decides_nothing_is_named_too_if_it_cannot_be_read() {
    for (path, args, words) in [
        ("/resources", ["--check", "ip.allowlist"].as_slice(), "scope `read:policies:admin`"),
        ("/directories/", &["--check", "tokens.users"], "scope `read:directories:admin`"),
        ("/domains", &["--check", "admins.count", "--inventory", "i"], "`read:domains:admin`"),
        ("/api-keys", &["--check", "admins.count", "--inventory", "i"], "` or `read:tokens:admin`"),
    ] {
        let run = posture(&refusing(site(), path, 401), args);
        assert_eq!(run.code, 4, "{path}: {}", run.stderr);
        assert!(run.stderr.contains("warning: source `acme`: cannot read "), "{}", run.stderr);
        assert!(run.stderr.contains(words), "{path}: {}", run.stderr);
    }
}

/// A declaration that names the policy with single sign-on.
const SSO_DECLARED: &str = "[posture.declare.acme]\non = '2026-11-20'\nby = 'Ada'\n";

fn with_sso_declared(mut site: Site) -> Site {
    site.set_posture(&format!("{SSO_DECLARED}enforced_policies = ['{AUTH_POLICY_SSO}']"));
    site
}

#[test]
fn members_of_a_declared_policy_do_not_count_as_without_two_step_verification() {
    let run = posture(&with_sso_declared(site()), &["--check", "mfa.users"]);
    let found = finding(&run, "mfa.users");
    assert_eq!(found["verdict"], "fail");
    let names: Vec<String> = reasons(&found).into_keys().collect();
    let wanted = ["henk.dijkstra", "ines.carvalho", "lukas.steiner"];
    assert_eq!(names, wanted.map(|name| format!("{name}@lindenfell.example")));
}

#[test]
fn without_the_members_of_a_declared_policy_nobody_is_known_to_be_without() {
    let site = refusing(with_sso_declared(site()), "/bulk-fetch", 401);
    let run = posture(&site, &["--check", "mfa.users"]);
    assert_eq!(verdicts(&run)["mfa.users"], "could_not_read");
    assert_eq!(run.code, 4, "{}", run.stderr);
}

#[test]
fn members_that_no_declaration_needs_may_be_refused() {
    let run = posture(&refusing(site(), "/bulk-fetch", 401), &["--check", "mfa.admins"]);
    assert_eq!(verdicts(&run)["mfa.admins"], "fail");
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// The findings without the time of reading.
fn comparable(run: &Run) -> Vec<Value> {
    let mut findings = run.trees();
    for finding in &mut findings {
        finding.as_object_mut().unwrap().remove("as_of");
    }
    findings
}

#[test]
fn the_shape_of_pages_changes_no_finding() {
    let site = site();
    let wanted = comparable(&posture(&site, &[]));
    let variants: [fn(&mut Behaviour); 6] = [
        |behaviour| behaviour.admin_page_size = Some(2),
        |behaviour| behaviour.admin_page_size = Some(5),
        |behaviour| behaviour.admin_next_links = true,
        |behaviour| behaviour.admin_rule_arrays = true,
        |behaviour| behaviour.admin_policy_cursor = CursorPlace::Meta,
        |behaviour| behaviour.admin_policy_cursor = CursorPlace::Links,
    ];
    // From the second on with small pages too.
    for (number, variant) in variants.into_iter().enumerate() {
        site.control.set_behaviour(variant);
        site.forget_pauses();
        assert_eq!(comparable(&posture(&site, &[])), wanted, "variant {number}");
    }
}

#[test]
fn a_list_of_many_pages_waits_for_nothing() {
    let site = site().behaving(|behaviour| behaviour.admin_page_size = Some(1));
    let start = Instant::now();
    posture(&site, &["--inventory", "lists"]);
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
}

#[test]
fn a_page_that_names_itself_as_the_next_is_no_endless_loop() {
    let site = sound_site().behaving(|behaviour| {
        behaviour.admin_page_size = Some(2);
        behaviour.admin_repeats_cursor = true;
    });
    let run = posture(&site, &["--check", "users.idle"]);
    let found = finding(&run, "users.idle");
    assert_eq!(found["verdict"], "could_not_read");
    assert!(found["summary"].as_str().unwrap().contains("a page names one before it"), "{found}");
    assert_eq!(run.code, 3);
}

#[test]
fn a_search_without_its_options_passes_nothing_that_needs_them() {
    for (site, outsiders) in [(site(), "review"), (sound_site(), "pass")] {
        site.control.set_behaviour(|behaviour| behaviour.admin_search_refuses_options = true);
        let run = posture(&site, &[]);
        let verdicts = verdicts(&run);
        for check in ["mfa.admins", "admins.count", "admins.idle", "users.idle"] {
            assert_eq!(verdicts[check], "could_not_read", "{check}");
        }
        // In the sound organization all outsiders are suspended.
        assert_eq!(verdicts["users.external"], outsiders);
        assert_eq!(verdicts["keys.org"], "review");
        assert_eq!(run.code, 3, "{}", run.stderr);
    }
}

#[test]
fn where_there_is_no_search_the_list_of_users_is_read() {
    let site = site();
    let wanted = comparable(&posture(&site, &[]));
    site.control.set_behaviour(|behaviour| behaviour.admin_search_missing = true);
    assert_eq!(comparable(&posture(&site, &[])), wanted);
}

#[test]
fn accounts_that_hide_two_step_verification_are_not_read() {
    let site = sound_site().behaving(|behaviour| behaviour.admin_hides_mfa = true);
    let run = posture(&site, &["--check", "mfa.admins", "--check", "mfa.users"]);
    assert!(verdicts(&run).values().all(|verdict| verdict == "could_not_read"), "{}", run.text());
    assert_eq!(run.code, 3, "{}", run.stderr);
}

#[test]
fn only_sources_of_organizations_are_checked() {
    let mut site = Site::of(0, 0);
    assert_eq!(posture(&site, &["acme", "--check", "keys.org"]).lines().len(), 1);
    posture(&site, &["acme-jira"]).refused(2, &["`acme-jira` is not of type `org-events`"]);
    site.remove_source("acme");
    posture(&site, &[]).refused(2, &["no source is of type `org-events`"]);
}
