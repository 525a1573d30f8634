//! `respond`: what is refused, what is sent and recorded, and what a death leaves.

use atlaudit::sandbox::{
    API_KEY, API_KEY_RESPOND_SCOPED, API_KEY_SCOPED, AUTH_POLICY_DEFAULT, AUTH_POLICY_QUARANTINE,
    AdminRefusal, Api,
};
use serde_json::Value;

use crate::support::{Run, Site, crash_points};

const LUKAS: &str = "lukas.steiner@lindenfell.example";
const LUKAS_ID: &str = "712020:6e1b93d7-40a5-4f2c-a9b3-c35d4f60819a";
const HENK: &str = "henk.dijkstra@lindenfell.example";
const INES: &str = "ines.carvalho@lindenfell.example";
const MARTA: &str = "marta.oliveira@lindenfell.example";
const ZOE: &str = "zoe.fjellstrom@lindenfell.example";
const OLGA: &str = "olga.brandt@auroralabs.example";
const CI_DEPLOY: &str = "712020:c471f93d-a60b-4582-8f19-29b3a5c6e7f0";

/// An organization whose collector has a key that only reads, and whose responder has another.
fn site() -> Site {
    let mut site = Site::of(20, 0);
    site.remove_source("acme-jira");
    site.set_env("ACME_KEY", API_KEY_SCOPED);
    site.set_env("RESPOND_KEY", API_KEY);
    site.set("acme", "respond_credential", "env:RESPOND_KEY");
    site.set("acme", "respond_key_name", "audit collector");
    site.set("acme", "timeout", "2s");
    // Else a change whose trace is missing is waited for.
    site.set_env("ATLAUDIT_CRASH_RESPONSE_LOOK_MS", "1");
    site
}

/// The methods and paths of everything that was sent but reads.
fn writes(site: &Site) -> Vec<(String, String)> {
    let requests = site.control.requests().into_iter();
    let is_read = |method: &str, path: &str| {
        method == "GET" || path.ends_with("/users/search") || path.ends_with("/bulk-fetch")
    };
    requests
        .filter(|one| !is_read(&one.method, &one.path))
        .map(|one| (one.method, one.path))
        .collect()
}

/// Makes the plan `plan.json`.
fn plan(site: &Site, args: &[&str]) -> Run {
    let mut all = vec!["respond"];
    all.extend(args);
    all.extend(["--plan", "plan.json"]);
    site.run(&all)
}

fn apply(site: &Site) -> Run {
    site.run(&["respond", "--apply", "plan.json", "--case", "4711", "--yes"])
}

fn record(site: &Site) -> Vec<Value> {
    let text = std::fs::read_to_string(site.state().join("respond/acme.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(site: &Site) -> Vec<String> {
    record(site).iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect()
}

/// The record is sound.
fn verify(site: &Site) {
    let path = site.state().join("respond/acme.jsonl");
    site.ok(&["verify", path.to_str().unwrap()]);
}

#[test]
fn a_plan_sends_nothing_but_reads_and_says_what_would_be_sent() {
    let site = site();
    let run = plan(&site, &["suspend", "acme", LUKAS]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = run.text();
    for word in ["/suspend", LUKAS_ID, "Nothing was sent", "restore acme", "--apply"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(writes(&site).is_empty());
}

#[test]
fn each_action_is_made_seen_and_taken_back() {
    let site = site();
    let policy = ["--policy", AUTH_POLICY_QUARANTINE];
    let cases: [(&[&str], &str, &str); 6] = [
        (&["suspend", "acme", LUKAS], "POST", "/suspend"),
        (&["restore", "acme", LUKAS_ID], "POST", "/restore"),
        (&["disable", "acme", LUKAS, "--message", "Case 4711"], "POST", "/disable"),
        (&["enable", "acme", LUKAS], "POST", "/enable"),
        (&["revoke-tokens", "acme", INES], "DELETE", "/tok-calendar-sync"),
        (&["quarantine", "acme", LUKAS, policy[0], policy[1]], "POST", "/add-users"),
    ];
    for (args, method, end) in cases {
        site.control.forget_requests();
        let made = plan(&site, args);
        assert_eq!(made.code, 0, "{args:?}: {}", made.stderr);
        let done = apply(&site);
        assert_eq!(done.code, 0, "{args:?}: {}", done.stderr);
        assert!(done.text().contains("its state shows it, and so does the audit log"));
        let sent = writes(&site);
        assert_eq!(sent.len(), 1, "{args:?}: {sent:?}");
        assert!(sent[0].0 == method && sent[0].1.ends_with(end), "{sent:?}");
        // Now it is so.
        assert!(plan(&site, args).text().contains("nothing to do"), "{args:?}");
    }
    let back = ["release", "acme", LUKAS, "--policy", AUTH_POLICY_DEFAULT];
    assert_eq!(plan(&site, &back).code, 0);
    assert_eq!(apply(&site).code, 0);
    assert_eq!(kinds(&site).len(), 7 * 3);
    verify(&site);
}

#[test]
fn a_key_of_the_organization_is_revoked_by_its_name() {
    let mut site = site().behaving(|behaviour| behaviour.many_keys = true);
    site.set("acme", "respond_key_name", "posture reader");
    assert_eq!(plan(&site, &["revoke-key", "acme", "legacy integration"]).code, 0);
    let done = apply(&site);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let [(method, path)] = &writes(&site)[..] else { panic!() };
    assert!(method == "PATCH" && path.contains("/api-keys/revoke/"), "{path}");
    site.run(&["respond", "revoke-key", "acme", "posture reader"]).refused(11, &["key in use"]);
    site.unset("acme", "respond_key_name");
    site.run(&["respond", "revoke-key", "acme", "migration 2025"])
        .refused(11, &["respond_key_name"]);
}

#[test]
fn scoped_keys_suffice_for_the_quarantine() {
    let mut site = site();
    site.set_env("RESPOND_KEY", API_KEY_RESPOND_SCOPED);
    let args = ["quarantine", "acme", LUKAS, "--policy", AUTH_POLICY_QUARANTINE];
    assert_eq!(plan(&site, &args).code, 0);
    assert_eq!(apply(&site).code, 0);
    assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
    apply(&site).fails(12, &["nothing was changed"]);
    // This needs what no scope gives before a plan can be made.
    plan(&site, &["disable", "acme", LUKAS]).fails(4, &["no scope allows it"]);
}

#[test]
fn guards_refuse_before_anything_is_sent() {
    let site = site();
    let refused = |args: &[&str], words: &[&str]| {
        let mut all = vec!["respond"];
        all.extend(args);
        site.run(&all).refused(11, words);
    };
    refused(&["suspend", "acme", HENK], &["an admin's", "--admin"]);
    let policy = ["--policy", AUTH_POLICY_QUARANTINE];
    refused(&["release", "acme", HENK, policy[0], policy[1]], &["an admin's", "--admin"]);
    refused(&["quarantine", "acme", OLGA, policy[0], policy[1]], &["does not manage"]);
    refused(&["suspend", "acme", LUKAS, "--directory", "d-9"], &["not in the directory"]);
    refused(&["revoke-key", "acme", "audit colector"], &["names no account"]);
    refused(&["suspend", "acme", MARTA, "--admin"], &["made an API key"]);
    refused(&["disable", "acme", ZOE], &["SCIM"]);
    refused(&["disable", "acme", OLGA], &["does not manage"]);
    refused(&["suspend", "acme", CI_DEPLOY], &["names no account"]);
    refused(&["suspend", "acme", "nobody@x.example"], &["names no account"]);
    refused(&["suspend", "acme", "../../x"], &["names no account"]);
    refused(&["suspend", "acme", "557058:f58131cb-b67d-43c7-b30d-6b58d40bd077"], &["of an app"]);
    refused(&["suspend", "acme", "elin.moberg@lindenfell.example"], &["in no directory"]);
    assert!(writes(&site).is_empty());
}

#[test]
fn what_the_lists_leave_open_is_refused() {
    let user = |more: &str| {
        format!(r#"{{"accountId":"{LUKAS_ID}","email":"{LUKAS}","status":"active"{more}}}"#)
    };
    let list = |entries: &[String]| format!(r#"{{"data":[{}],"links":{{}}}}"#, entries.join(","));
    let roles = r#","platformRoles":[]"#;
    let other = user(roles).replace(LUKAS_ID, "712020:other");
    let service = format!(r#"{{"items":[{{"atlassianId":"{LUKAS_ID}"}}],"total":1}}"#);
    let key = |more: &str| format!(r#"{{"id":"k","label":"audit collector"{more}}}"#);
    let maker = format!(r#","createdBy":{{"id":"{LUKAS_ID}"}}"#);
    for (path, body, words) in [
        ("/users/search", list(&[user("")]), "roles of the account are not listed"),
        ("/users/search", list(&[user(roles)]), "of a person or an app"),
        ("/users/search", list(&[user(roles), other]), "more than one"),
        ("/users/search", list(&[]), "names no account"),
        ("/service-accounts", service, "of an app or a service"),
        ("/api-keys", list(&[]), "does not have the key of `respond_key_name`"),
        ("/api-keys", list(&[key("")]), "does not say who made the key"),
        ("/api-keys", list(&[key(&maker)]), "made an API key"),
    ] {
        let answer = AdminRefusal {
            path_part: path.to_owned(),
            status: 200,
            body,
            ..AdminRefusal::default()
        };
        let site = site().behaving(|behaviour| behaviour.admin_refusals = vec![answer]);
        site.run(&["respond", "suspend", "acme", LUKAS]).refused(11, &[words]);
        assert!(writes(&site).is_empty());
    }
}

/// An organization where a request to `path_part` is answered with `body`.
fn answering(path_part: &str, body: String) -> Site {
    let path_part = path_part.to_owned();
    let answer = AdminRefusal { path_part, status: 200, body, ..AdminRefusal::default() };
    site().behaving(|behaviour| behaviour.admin_refusals = vec![answer])
}

#[test]
fn an_account_without_an_address_is_not_moved_nor_taken_for_none_of_break_glass() {
    let user = format!(
        r#"{{"data":[{{"accountId":"{LUKAS_ID}","accountType":"atlassian","status":"active",
        "claimStatus":"managed","platformRoles":[]}}],"links":{{}}}}"#
    );
    let mut site = answering("/users/search", user);
    let policy = ["--policy", AUTH_POLICY_QUARANTINE];
    let moved = ["respond", "quarantine", "acme", LUKAS_ID, policy[0], policy[1]];
    site.run(&moved).refused(11, &["the account has no address"]);
    site.set_respond("break_glass", &[INES]);
    site.run(&["respond", "suspend", "acme", LUKAS_ID]).refused(11, &["shows no address"]);
}

#[test]
fn ids_and_names_that_could_mean_another_are_refused() {
    let odd = ["respond", "quarantine", "acme", LUKAS, "--policy", "../x"];
    site().run(&odd).refused(11, &["is no id"]);
    let user = format!(
        r#"{{"data":[{{"accountId":"712020:a/../b","email":"{LUKAS}","accountType":"atlassian",
        "status":"active","claimStatus":"managed","platformRoles":[]}}],"links":{{}}}}"#
    );
    let odd = answering("/users/search", user);
    let run = odd.run(&["respond", "suspend", "acme", LUKAS]);
    run.refused(11, &["names no account"]);
    let keys = r#"{"data":[{"id":"k1","label":"one"},{"id":"k2","label":"one"}],"links":{}}"#;
    let twice = answering("/api-keys", keys.to_owned());
    twice.run(&["respond", "revoke-key", "acme", "one"]).refused(11, &["more than one"]);
    twice.run(&["respond", "revoke-key", "acme", "k1"]).refused(11, &["respond_key_name"]);
}

#[test]
fn a_break_glass_account_is_never_touched() {
    let mut site = site();
    site.set_respond("break_glass", &[&LUKAS.to_uppercase(), "712020:x"]);
    site.run(&["respond", "suspend", "acme", LUKAS]).refused(11, &["break_glass"]);
    let mut other = self::site();
    other.set_respond("break_glass", &["ada@x.example, bo@x.example"]);
    other.run(&["respond", "suspend", "acme", LUKAS]).refused(6, &["respond.break_glass"]);
    // Its access can always be given back.
    let run = site.ok(&["respond", "restore", "acme", LUKAS_ID]);
    assert!(run.text().contains("nothing to do"));
}

#[test]
fn the_last_admin_stays() {
    let site = site();
    // The other two lose their access, one after the other.
    for admin in [HENK, "priya.raman@lindenfell.example"] {
        let made = plan(&site, &["suspend", "acme", admin, "--admin"]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        assert_eq!(apply(&site).code, 0);
    }
    site.run(&["respond", "suspend", "acme", MARTA, "--admin"]).refused(11, &["last active"]);
}

#[test]
fn a_plan_counts_only_while_it_is_true_and_unchanged() {
    let site = site();
    assert_eq!(plan(&site, &["revoke-tokens", "acme", INES]).code, 0);
    let path = site.path("plan.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("tok-calendar-sync", "tok-report-export")).unwrap();
    apply(&site).refused(11, &["digest"]);
    let old = text.replace("\"made_at\": \"20", "\"made_at\": \"19");
    std::fs::write(&path, old).unwrap();
    apply(&site).refused(11, &["digest"]);
    std::fs::write(&path, &text).unwrap();
    assert_eq!(apply(&site).code, 0);
    // The token is gone.
    apply(&site).refused(11, &["not valid any more", "tok-calendar-sync"]);
    assert_eq!(writes(&site).len(), 1);
}

#[test]
fn a_plan_of_another_organization_or_server_is_refused() {
    for (key, value) in
        [("org_id", "3e2c1f7a-9b60-4d11-8a55-0c7f2b9e6d13"), ("base_url", "http://127.0.0.2:9")]
    {
        let mut site = site();
        assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
        site.set("acme", key, value);
        apply(&site).refused(11, &["the plan is of another organization or server"]);
        assert!(writes(&site).is_empty());
    }
}

#[test]
fn an_old_plan_is_refused() {
    let mut site = site();
    assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
    site.set_env("ATLAUDIT_CRASH_PLAN_SECONDS", "0");
    apply(&site).refused(11, &["minutes old"]);
    assert!(writes(&site).is_empty());
}

#[test]
#[ignore = "needs python3 for a terminal; .ci/run has it"]
fn a_person_confirms_by_typing_the_address() {
    let site = site();
    std::fs::write(site.path("drive.py"), crate::login::PTY).unwrap();
    assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
    for (answer, code, sent) in [("yes", 11, 0), ("''", 11, 0), (HENK, 11, 0), (LUKAS, 0, 1)] {
        let script = format!(
            "python3 drive.py {answer} -- \"$PROGRAM\" respond --apply plan.json --case 4711"
        );
        let run = Run::from(site.shell(&script).output().unwrap());
        assert!(run.text().contains("Would be sent"), "the plan is shown first: {}", run.text());
        assert_eq!(run.code, code, "{answer}: {}", run.text());
        assert_eq!(writes(&site).len(), sent, "{answer}");
    }
    assert_eq!(record(&site)[0]["confirmed"], "typed");
}

#[test]
fn nobody_confirms_without_a_terminal_or_yes_and_a_case() {
    let site = site();
    assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
    site.run(&["respond", "--apply", "plan.json", "--yes"]).refused(2, &["--case"]);
    let blank = ["respond", "--apply", "plan.json", "--yes", "--case", " "];
    site.run(&blank).refused(2, &["--case"]);
    // The tests have no terminal.
    site.run(&["respond", "--apply", "plan.json", "--case", "1"])
        .refused(2, &["no terminal", "--yes"]);
    assert!(writes(&site).is_empty());
    assert!(record(&site).is_empty());
}

#[test]
fn the_second_key_is_another_one_and_nobody_else_reads_it() {
    let mut site = site();
    site.set_env("RESPOND_KEY", API_KEY_SCOPED);
    site.run(&["respond", "suspend", "acme", LUKAS]).refused(6, &["the same key"]);
    site.set("acme", "respond_credential", "env:ACME_KEY");
    site.run(&["respond", "suspend", "acme", LUKAS]).refused(6, &["same as `credential`"]);
    site.set("acme", "respond_credential", "keyring");
    site.run(&["respond", "suspend", "acme", LUKAS]).refused(6, &["keyring"]);
    site.unset("acme", "respond_credential");
    site.run(&["respond", "suspend", "acme", LUKAS]).refused(6, &["respond_credential"]);
    // A command that would run is not run by any other command.
    site.set("acme", "respond_credential", "command:touch read-by-somebody");
    site.ok(&["pull", "--since", "60d"]);
    site.ok(&["check"]);
    site.run(&["posture"]);
    assert!(!site.path("read-by-somebody").exists());
}

#[test]
fn a_write_is_sent_once_unless_a_limit_refused_it() {
    let site = site();
    let refuse = |status: u16, times: usize| AdminRefusal {
        path_part: "/suspend".to_owned(),
        method: Some("POST".to_owned()),
        status,
        body: r#"{"code":0,"message":"no"}"#.to_owned(),
        times: Some(times),
    };
    for (status, code, requests) in
        [(403, 12, 1), (404, 12, 1), (500, 14, 1), (503, 14, 1), (0, 14, 1)]
    {
        site.control.set_behaviour(|behaviour| behaviour.admin_refusals = vec![refuse(status, 5)]);
        assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
        site.control.forget_requests();
        let run = apply(&site);
        assert_eq!(run.code, code, "{status}: {}", run.stderr);
        assert_eq!(writes(&site).len(), requests, "{status}");
    }
    site.control.set_behaviour(|behaviour| behaviour.admin_refusals = vec![refuse(429, 1)]);
    assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
    site.control.forget_requests();
    assert_eq!(apply(&site).code, 0);
    assert_eq!(writes(&site).len(), 2);
    verify(&site);
}

#[test]
fn a_lost_answer_is_an_unknown_outcome_and_the_state_is_said() {
    let site = site().behaving(|behaviour| behaviour.admin_write_loses_answer = 1);
    assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
    let run = apply(&site);
    run.fails(14, &["outcome unknown", "its state shows it", "undo with: atlaudit respond "]);
    assert_eq!(writes(&site).len(), 1);
    let lines = record(&site);
    assert_eq!(lines[1]["outcome"], "unknown");
    assert_eq!(lines[2]["state_seen"], true);
}

#[test]
fn a_server_that_quotes_the_key_brings_it_nowhere() {
    let site = site().behaving(|behaviour| {
        behaviour.admin_refusals = vec![AdminRefusal {
            path_part: "/suspend".to_owned(),
            status: 403,
            body: format!(r#"{{"code":403,"message":"no: {API_KEY}!"}}"#),
            ..AdminRefusal::default()
        }];
    });
    assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
    let run = apply(&site);
    run.fails(12, &["[key]"]);
    assert!(!run.stderr.contains(&format!("{API_KEY}!")));
    assert!(!format!("{:?}", record(&site)).contains(&format!("{API_KEY}!")));
}

#[test]
fn a_part_is_told_as_a_part() {
    let site = site();
    let ines = ["suspend", "acme", INES];
    assert_eq!(plan(&site, &ines).code, 0);
    // To read the second directory is not refused.
    site.control.set_behaviour(|behaviour| {
        behaviour.admin_refusals = vec![AdminRefusal {
            path_part: "d002/users/712020".to_owned(),
            method: Some("POST".to_owned()),
            status: 403,
            body: "{}".to_owned(),
            times: None,
        }];
    });
    let run = apply(&site);
    run.fails(13, &["only a part was done", "1 of 2 requests accepted", "undo with: "]);
    assert_eq!(writes(&site).len(), 2);
}

#[test]
fn a_failed_move_is_no_success() {
    let site = site().behaving(|behaviour| behaviour.auth_task_fails = true);
    let args = ["quarantine", "acme", LUKAS, "--policy", AUTH_POLICY_QUARANTINE];
    assert_eq!(plan(&site, &args).code, 0);
    apply(&site).fails(12, &["the move was accepted, and its task failed"]);
}

#[test]
fn what_is_seen_late_is_said_to_be_not_seen_yet() {
    let site = site().behaving(|behaviour| {
        behaviour.admin_lag = 50;
        behaviour.admin_writes_unaudited = true;
    });
    assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
    apply(&site).fails(14, &["neither its state nor the audit log shows it (yet)"]);
}

#[test]
fn each_point_of_death_leaves_a_record_before_its_write() {
    let cases = [
        ("ResponseIntended", 0, vec!["intent"]),
        ("ResponseAnswered", 1, vec!["intent"]),
        ("ResponseRecorded", 1, vec!["intent", "outcome"]),
    ];
    let mut points = crash_points();
    points.retain(|point| point.starts_with("Response"));
    assert_eq!(points, cases.each_ref().map(|(point, ..)| *point));
    for (point, written, kinds_left) in cases {
        let mut site = site();
        assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
        site.set_env("ATLAUDIT_CRASH_AT", point);
        let died = apply(&site);
        assert!(died.code > 128, "{point}: {}", died.stderr);
        site.unset_env("ATLAUDIT_CRASH_AT");
        assert_eq!(writes(&site).len(), written, "{point}");
        assert_eq!(kinds(&site), kinds_left, "{point}");
        // The next run says what is not known, once.
        let next = plan(&site, &["revoke-tokens", "acme", INES]);
        let is_open = kinds_left.len() == 1;
        assert_eq!(next.stderr.contains("outcome unknown"), is_open, "{point}: {}", next.stderr);
        if is_open {
            let state = if written == 1 { "suspended" } else { "active" };
            assert!(next.stderr.contains(&format!("d001: {state}")), "{}", next.stderr);
        }
        let again = plan(&site, &["revoke-tokens", "acme", INES]);
        assert!(!again.stderr.contains("outcome unknown"), "{}", again.stderr);
        verify(&site);
    }
}

#[test]
fn a_death_between_two_requests_is_reported_once() {
    let mut site = site();
    assert_eq!(plan(&site, &["suspend", "acme", INES]).code, 0);
    site.set_env("ATLAUDIT_CRASH_AT", "ResponseRecorded");
    assert!(apply(&site).code > 128);
    site.unset_env("ATLAUDIT_CRASH_AT");
    assert_eq!(writes(&site).len(), 1);
    let said = format!("only a part was done: 1 of 2 requests for {INES} were accepted at ");
    let path = site.state().join("respond/acme.jsonl");
    let verified = site.ok(&["verify", path.to_str().unwrap()]);
    assert!(verified.stderr.contains(&said), "{}", verified.stderr);
    let next = plan(&site, &["suspend", "acme", LUKAS]);
    assert!(next.stderr.contains(&said), "{}", next.stderr);
    assert!(next.stderr.contains("d001: suspended"), "{}", next.stderr);
    assert_eq!(apply(&site).code, 0);
    let again = plan(&site, &["suspend", "acme", INES]);
    assert!(!again.stderr.contains("only a part"), "{}", again.stderr);
    assert_eq!(apply(&site).code, 0);
    assert_eq!(writes(&site).len(), 3);
    verify(&site);
}

#[test]
fn a_key_that_cannot_be_told_stops_what_could_end_it() {
    let mut site = site().behaving(|behaviour| {
        behaviour.admin_refusals = vec![AdminRefusal {
            path_part: "/api-keys".to_owned(),
            status: 200,
            body: r#"{"data":[{"label":"x"},{"id":"k"}],"links":{}}"#.to_owned(),
            ..AdminRefusal::default()
        }];
    });
    site.unset("acme", "respond_key_name");
    let run = site.run(&["respond", "suspend", "acme", LUKAS]);
    run.refused(3, &["an API key has no id"]);
}

#[test]
fn a_changed_record_stops_everything() {
    let site = site();
    assert_eq!(plan(&site, &["suspend", "acme", LUKAS]).code, 0);
    assert_eq!(apply(&site).code, 0);
    let path = site.state().join("respond/acme.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("4711", "4712", 1)).unwrap();
    site.run(&["verify", path.to_str().unwrap()]).fails(9, &["line 1"]);
    site.run(&["respond", "restore", "acme", LUKAS]).refused(7, &["line 1 of the record"]);
}

#[test]
fn a_plan_replaces_nothing_but_a_plan() {
    let site = site();
    std::fs::write(site.path("notes.txt"), "mine").unwrap();
    let to = |file: &str| site.run(&["respond", "suspend", "acme", LUKAS, "--plan", file]);
    to("notes.txt").refused(8, &["no plan"]);
    assert_eq!(std::fs::read_to_string(site.path("notes.txt")).unwrap(), "mine");
    to("home/.config/atlaudit/config.toml").refused(6, &["configuration file"]);
    to("-").refused(2, &["`-`"]);
    assert_eq!(to("plan.json").code, 0);
    assert_eq!(to("plan.json").code, 0);
    // Where nothing comes of a newer plan, the older one is not taken for it.
    for args in [["restore", "acme", LUKAS], ["suspend", "acme", HENK]] {
        assert_eq!(to("plan.json").code, 0);
        plan(&site, &args);
        apply(&site).refused(11, &["cannot read the plan"]);
    }
    assert!(writes(&site).is_empty());
}

#[test]
fn an_undo_undoes_only_what_was_done() {
    let site = site();
    // Commands can be typed as they are printed.
    let flags = ["--config", "home/.config/atlaudit/config.toml", "--state-dir", "my state"];
    let run = site.run(&[&flags[..], &["respond", "suspend", "acme", LUKAS]].concat());
    let (config, state) = (site.path(flags[1]), site.path(flags[3]));
    let call = format!(
        "atlaudit --config {} --state-dir '{}' respond ",
        config.display(),
        state.display()
    );
    let text = run.text();
    for command in [
        format!("  {call}--apply '{}/respond/plan-", state.display()),
        format!("undo with: {call}restore acme "),
    ] {
        assert!(text.contains(&command), "{command}: {text}");
    }
    let labs = ["--directory", "8d7c0a11-4f20-4a6b-9c3e-51d2e8f0d002"];
    assert_eq!(plan(&site, &["suspend", "acme", INES, labs[0], labs[1]]).code, 0);
    assert_eq!(apply(&site).code, 0);
    assert_eq!(plan(&site, &["suspend", "acme", INES]).code, 0);
    let done = apply(&site);
    let text = done.text();
    let undo = text.split("undo with: atlaudit ").nth(1).unwrap().trim();
    let mut args: Vec<&str> = undo.split(' ').skip(1).collect();
    assert_eq!(args.len(), 5, "{undo}");
    assert!(undo.contains("d001") && !undo.contains("d002"), "{undo}");
    assert_eq!(plan(&site, &args.split_off(0)).code, 0);
    site.control.forget_requests();
    assert_eq!(apply(&site).code, 0);
    assert_eq!(writes(&site).len(), 1);
}

#[test]
fn what_no_api_does_is_said_with_the_steps_of_the_console() {
    let site = site();
    let run = site.ok(&["respond", "sign-in-again"]);
    assert!(run.text().contains("Reset sessions"));
    assert!(site.ok(&["respond", "notify"]).text().contains("ID-7817"));
    assert!(site.control.requests().is_empty());
}

#[test]
fn no_request_is_ever_for_a_whole_organization() {
    let site = site();
    for args in [
        &["suspend", "acme", LUKAS, "--directory", "-"][..],
        &["suspend", "acme", "-"],
        &["suspend", "acme", "*"],
        &["revoke-tokens", "acme", ".."],
        &["revoke-key", "acme", "-"],
        &["disable", "acme", "%2e%2e"],
    ] {
        let run = plan(&site, args);
        assert!(run.code != 0 || run.text().contains("nothing to do"), "{args:?}");
    }
    assert!(writes(&site).is_empty());
    assert_eq!(site.control.request_count(Api::OrgEvents), 0);
}
