//! `posture`: declarations, and what events show of them and of the audit log itself.

use atlaudit::sandbox::{Api, Fault};
use chrono::{DateTime, Days, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::posture::{finding, posture, refusing, sound_site};
use crate::support::{Site, status};

/// The checks that a person has to declare: the key, a good value, a bad one.
const DECLARED: [(&str, &str, &str, &str); 5] = [
    ("mfa.rule", "two_step_required", "true", "false"),
    ("session.rule", "idle_session", "'8h'", "'24h'"),
    ("password.rule", "password_strength", "'strong'", "'fair'"),
    ("mobile.policy", "mobile_policy", "true", "false"),
    ("mobile.data", "mobile_data_protection", "true", "false"),
];

fn ago(days: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::days(days)
}

/// Adds an event of the organization: what Ada did.
fn add(site: &Site, action: &str, time: DateTime<Utc>, target: &str) {
    let text = time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let context = json!([{"id": "p1", "type": "policies", "attributes": {"name": target}}]);
    let actor = json!({"id": "a1", "name": "Ada Example", "email": "ada@acme.example"});
    let event = json!({
        "id": format!("{action}-{}", time.timestamp_millis()), "type": "events",
        "attributes": {
            "action": action, "time": text, "processedAt": text, "actor": actor,
            "context": context,
        },
    });
    site.control.add_json(Api::OrgEvents, event.to_string(), time);
}

/// A site with declarations of ten days ago, and events of `days` that change nothing.
fn declared(keys: &str, days: &[i64]) -> Site {
    let mut site = sound_site();
    let on = Utc::now().date_naive() - Days::new(10);
    let text = format!("[posture.declare.acme]\non = '{on}'\nby = 'Ada Example'\n{keys}\n");
    site.set_posture(&text);
    for day in days {
        add(&site, "user_login", ago(*day), "site");
    }
    site
}

fn declared_check(key: &str, value: &str) -> Site {
    declared(&format!("{key} = {value}"), &[20, 0])
}

/// The finding of `check` with the events of the last 15 days.
fn since(site: &Site, check: &str) -> Value {
    finding(&posture(site, &["--since", "15d", "--check", check]), check)
}

#[test]
fn a_declaration_counts_while_no_event_changed_it() {
    for (check, key, good, _) in DECLARED {
        let found = since(&declared_check(key, good), check);
        assert_eq!(found["verdict"], "pass", "{found}");
        assert_eq!(found["basis"], "declared");
    }
}

#[test]
fn a_declared_value_that_is_too_weak_fails() {
    for (check, key, _, bad) in DECLARED {
        assert_eq!(since(&declared_check(key, bad), check)["verdict"], "fail", "{check}");
    }
}

#[test]
fn what_is_not_declared_is_not_readable() {
    let site = declared("", &[20, 0]);
    for (check, ..) in DECLARED {
        assert_eq!(since(&site, check)["verdict"], "not_readable", "{check}");
    }
}

#[test]
fn a_change_after_the_declaration_says_who_and_when() {
    for (check, action, target) in [
        ("mfa.rule", "twosv_unenforced", "Staff"),
        ("session.rule", "set_session_policy", "Staff"),
        ("session.rule", "auth_policy_updated", "Staff"),
        ("password.rule", "password_policy_changed", "Staff"),
        ("mobile.policy", "policy_updated", "Mobile app"),
        ("mobile.data", "policy_updated", "Mobile app"),
    ] {
        let (_, key, good, _) = DECLARED.into_iter().find(|row| row.0 == check).unwrap();
        let site = declared_check(key, good);
        add(&site, action, ago(2), target);
        let found = since(&site, check);
        assert_eq!((&found["verdict"], &found["basis"]), (&json!("review"), &json!("events")));
        let summary = found["summary"].as_str().unwrap();
        let day = ago(2).date_naive().to_string();
        for word in [action, "by ada@acme.example", &*day] {
            assert!(summary.contains(word), "`{word}` in: {summary}");
        }
    }
}

#[test]
fn a_change_before_the_declaration_is_known_to_who_declared() {
    let site = declared_check("two_step_required", "true");
    add(&site, "twosv_unenforced", ago(12), "Staff");
    assert_eq!(since(&site, "mfa.rule")["verdict"], "pass");
}

#[test]
fn a_policy_that_is_not_about_mobile_apps_changes_no_mobile_policy() {
    let site = declared_check("mobile_policy", "true");
    add(&site, "policy_updated", ago(2), "Offices");
    assert_eq!(since(&site, "mobile.policy")["verdict"], "pass");
}

#[test]
fn a_declared_mobile_policy_does_not_pass_while_allowlists_cannot_be_read() {
    let site = refusing(declared_check("mobile_policy", "true"), "/policies", 401);
    let run = posture(&site, &["--since", "15d", "--check", "mobile.policy"]);
    assert_eq!(finding(&run, "mobile.policy")["verdict"], "could_not_read");
    assert_eq!(run.code, 4, "{}", run.stderr);
}

#[test]
fn a_change_is_shown_also_where_nothing_is_declared() {
    let site = declared("", &[]);
    add(&site, "set_session_policy", ago(2), "Staff");
    let found = since(&site, "session.rule");
    assert_eq!(found["verdict"], "not_readable");
    assert!(found["summary"].as_str().unwrap().contains("set_session_policy by ada@"), "{found}");
}

#[test]
fn a_declaration_without_events_is_to_be_reviewed() {
    let site = declared_check("two_step_required", "true");
    let run = posture(&site, &["--check", "mfa.rule"]);
    assert_eq!(finding(&run, "mfa.rule")["verdict"], "review");
}

/// The finding of a declared `mfa.rule`, by saved events of these days.
fn by_saved(days: &[i64]) -> Value {
    let site = declared("two_step_required = true", days);
    site.ok(&["pull", "--output", "saved/{source}.jsonl"]);
    finding(&posture(&site, &["--events", "saved", "--check", "mfa.rule"]), "mfa.rule")
}

#[test]
fn saved_events_from_before_the_declaration_until_now_prove_it() {
    assert_eq!(by_saved(&[20, 0])["verdict"], "pass");
}

#[test]
fn saved_events_that_do_not_reach_back_prove_nothing() {
    let found = by_saved(&[5, 0]);
    assert_eq!(found["verdict"], "review");
    assert!(found["summary"].as_str().unwrap().contains("events were read from"), "{found}");
}

#[test]
fn saved_events_that_end_early_prove_nothing() {
    let found = by_saved(&[20, 8]);
    assert_eq!(found["verdict"], "review");
    assert!(found["summary"].as_str().unwrap().contains("events were read up to"), "{found}");
}

#[test]
fn events_that_could_not_all_be_read_prove_nothing() {
    let site = declared_check("two_step_required", "true");
    site.control.inject_always(Api::OrgEvents, status(500, None, "{}"));
    let run = posture(&site, &["--since", "15d", "--check", "mfa.rule", "--check", "audit.log"]);
    assert_eq!(finding(&run, "mfa.rule")["verdict"], "review");
    assert_eq!(finding(&run, "audit.log")["verdict"], "could_not_read");
    assert_eq!(run.code, 3, "{}", run.stderr);
}

#[test]
fn a_damaged_line_of_saved_events_proves_nothing() {
    let site = declared("two_step_required = true", &[20, 0]);
    site.ok(&["pull", "--output", "saved.jsonl"]);
    let text = std::fs::read_to_string(site.path("saved.jsonl")).unwrap();
    std::fs::write(site.path("saved.jsonl"), text + "not json\n").unwrap();
    let args = ["--events", "saved.jsonl", "--check", "mfa.rule", "--check", "audit.log"];
    let run = posture(&site, &args);
    assert_eq!(finding(&run, "mfa.rule")["verdict"], "review");
    assert_eq!(finding(&run, "audit.log")["verdict"], "could_not_read");
    assert_eq!(run.code, 3);
}

#[test]
fn a_declaration_of_no_organization_is_refused_with_its_line() {
    let mut site = sound_site();
    site.set_posture("[posture.declare.other]\non = '2026-11-20'\nby = 'Ada'\n");
    let run = posture(&site, &[]);
    run.refused(6, &["`posture.declare` names no source of type `org-events`", "config.toml:"]);
}

#[test]
fn a_declaration_says_on_which_day_who_looked() {
    let mut site = sound_site();
    for (keys, words) in [
        ("on = '2026-11-20'", "`posture.declare.by` is missing"),
        ("by = 'Ada'", "`posture.declare.on` is missing"),
        ("on = 'soon'\nby = 'Ada'", "posture.declare.on"),
        ("on = '2026-11-20'\nby = ' '", "is empty"),
        ("on = '2026-11-20'\nby = 'Ada'\npassword_strength = 'great'", "password_strength"),
        ("on = '2026-11-20'\nby = 'Ada'\nmobile = true", "mobile"),
    ] {
        site.set_posture(&format!("[posture.declare.acme]\n{keys}\n"));
        posture(&site, &[]).refused(6, &[words]);
    }
}

/// The finding of `audit.log` by the events of the last 15 days.
fn audit_log(site: &Site) -> Value {
    since(site, "audit.log")
}

#[test]
fn a_log_with_events_passes() {
    let found = audit_log(&declared("", &[5, 0]));
    assert_eq!((&found["verdict"], &found["basis"]), (&json!("pass"), &json!("events")));
}

#[test]
fn a_log_without_events_is_not_read() {
    let run = posture(&sound_site(), &["--since", "15d", "--check", "audit.log"]);
    assert_eq!(finding(&run, "audit.log")["verdict"], "could_not_read");
    assert_eq!(run.code, 3);
}

#[test]
fn a_log_that_is_silent_is_to_be_reviewed() {
    assert_eq!(audit_log(&declared("", &[9, 8]))["verdict"], "review");
}

#[test]
fn user_activity_that_was_switched_off_and_not_on_again_fails() {
    let site = declared("", &[0]);
    add(&site, "user_created_activity_enabled", ago(4), "log");
    add(&site, "user_created_activity_disabled", ago(3), "log");
    let found = audit_log(&site);
    assert_eq!(found["verdict"], "fail");
    assert!(found["summary"].as_str().unwrap().contains("by ada@acme.example"), "{found}");
    add(&site, "user_created_activity_enabled", ago(2), "log");
    assert_eq!(audit_log(&site)["verdict"], "pass");
}

#[test]
fn a_deleted_webhook_of_the_log_fails() {
    let site = declared("", &[0]);
    add(&site, "audit_log_webhook_deleted", ago(3), "siem");
    assert_eq!(audit_log(&site)["verdict"], "fail");
}

#[test]
fn a_refused_log_is_not_read_and_the_lists_are() {
    let mut site = declared("two_step_required = true", &[20, 0]);
    site.control.inject_always(Api::OrgEvents, Fault::CloseBeforeResponse);
    site.set("acme", "retry_for", "0s");
    let run = posture(&site, &["--since", "15d"]);
    assert_eq!(finding(&run, "audit.log")["verdict"], "could_not_read");
    assert_eq!(finding(&run, "mfa.rule")["verdict"], "review");
    assert_eq!(finding(&run, "mfa.admins")["verdict"], "pass");
}
