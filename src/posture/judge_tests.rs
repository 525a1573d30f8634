//! Whatever the lists hold: no check panics, and what is missing never makes a check pass.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::TimeDelta;
use clap::ValueEnum as _;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::config::posture::{PasswordStrength, PolicyDeclaration, PostureSettings};
use crate::config::settings::TableStyle;
use crate::model::json::Document;
use crate::model::time::{Timestamp, format_millis, parse_api_time};
use crate::model::user_zone::UserZone;
use crate::posture::finding_lines::{append_json_line, append_ocsf_line};
use crate::posture::finding_table::finding_table;
use crate::posture::org_inventory::{OrgInventory, has_failed_resource, member_policies};

const SSO: &str = "sso";

/// The entries of all lists.
#[derive(Debug, Clone, Default)]
struct Lists {
    of: Vec<(AdminList, Vec<Value>)>,
    members: Vec<Value>,
    resources: Vec<Value>,
}

fn documents(entries: &[Value]) -> Vec<Document> {
    let text = |entry: &Value| Document::new(Bytes::from(entry.to_string()));
    entries.iter().map(text).collect()
}

fn now() -> Timestamp {
    parse_api_time("2026-11-20T12:00:00Z").unwrap()
}

/// The time so many days before, or after if it is negative.
fn day(ago: i64) -> String {
    format_millis(now() - TimeDelta::days(ago))
}

fn settings() -> PostureSettings {
    let declared = PolicyDeclaration {
        on: (now() - TimeDelta::days(10)).date_naive(),
        by: "Ada".to_owned(),
        enforced_policies: Some(vec![SSO.to_owned()]),
        two_step_required: Some(true),
        idle_session: Some(std::time::Duration::from_secs(3600)),
        password_strength: Some(PasswordStrength::Strong),
        mobile_policy: Some(true),
        mobile_data_protection: Some(true),
    };
    PostureSettings { declared: Some(declared), ..PostureSettings::default() }
}

/// What the checks find, with events of 30 days that change nothing.
fn findings(lists: &Lists) -> Vec<PostureFinding> {
    findings_with(lists, Some(&history(&["user_login"])))
}

/// The events of 30 days, of which these actions are the newest.
fn history(actions: &[&str]) -> PolicyHistory {
    let mut history = PolicyHistory::since(Some(now() - TimeDelta::days(30)));
    for action in actions {
        let event = json!({"source": {"type": "org-events"}, "time": day(0), "action": action});
        history.add(&documents(&[event])[0], "o", true);
    }
    history
}

fn findings_with(lists: &Lists, history: Option<&PolicyHistory>) -> Vec<PostureFinding> {
    let mut inventory = OrgInventory::unread(now());
    for (list, entries) in &lists.of {
        inventory.take(*list, Ok(&documents(entries)));
    }
    inventory.auth_policies = Ok(member_policies(&inventory, &documents(&lists.members)));
    let failed = has_failed_resource(&documents(&lists.resources));
    let ids = inventory.policies.iter().flatten().map(|policy| policy.id.clone()).collect();
    inventory.failed_policies = failed.map(|failed| if failed { ids } else { Vec::new() });
    let settings = settings();
    let subject = PostureSubject {
        source: "acme",
        org_id: "o",
        now: now(),
        settings: &settings,
        inventory: &inventory,
        history,
    };
    judge_posture(&subject, PostureCheck::value_variants())
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z-]{0,9}",
        any::<String>(),
        Just("\u{202e}evil\u{1b}[31m\r\n".to_owned()),
        Just("long ".repeat(2_000)),
        (-40_000i64..40_000).prop_map(day),
        Just("0.0.0.0/0".to_owned()),
        Just("managed".to_owned()),
        Just("active".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((field(), inner), 0..4).prop_map(Value::from_iter),
        ]
    })
}

/// The name of a field that some list has.
fn field() -> impl Strategy<Value = String> {
    let names = "id accountId account_id name email accountType status accountStatus claimStatus \
                 membershipStatus mfaEnabled platformRoles addedToOrg productAccess attributes \
                 claim type rule in allowMobileBypass export effect metadata policyCoverageLevel \
                 label createdAt expiresAt lastActiveAt lastActiveTimestamp user createdBy scopes \
                 policyId applicationStatus";
    let names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
    prop::sample::select(names)
}

fn any_object() -> impl Strategy<Value = Value> {
    let id = any_json().prop_map(|value| ("id".to_owned(), value));
    let fields = prop::collection::vec((field(), any_json()), 0..12);
    (id, fields).prop_map(|(id, fields)| fields.into_iter().chain([id]).collect())
}

fn any_lists() -> impl Strategy<Value = Lists> {
    let list = || prop::collection::vec(any_object(), 0..4);
    let all = prop::collection::vec(list(), AdminList::ALL.len());
    (all, list(), list()).prop_map(|(all, members, resources)| Lists {
        of: AdminList::ALL.into_iter().zip(all).collect(),
        members,
        resources,
    })
}

/// A time between the last and the next year's, or none.
fn age() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![1 => Just(None), 6 => (0i64..400).prop_map(Some)]
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

/// Accounts as the search lists them: apps have no claim and no roles.
fn user(number: usize) -> impl Strategy<Value = Value> {
    let words = (
        one_of(&["atlassian", "atlassian", "atlassian", "app"]),
        one_of(&["active", "active", "suspended", "deactivated"]),
        one_of(&["managed", "managed", "unmanaged"]),
        one_of(&["org-admin", "org-admin", "site-admin", "user-access-admin", ""]),
    );
    let access = (any::<bool>(), age(), 0i64..400);
    (words, any::<bool>(), access).prop_map(
        move |((kind, status, claim, role), has_mfa, (has_products, last, more))| {
            let is_app = kind == "app";
            let roles: Vec<String> = (!is_app && !role.is_empty())
                .then(|| format!("atlassian/{role}"))
                .into_iter()
                .collect();
            let products = match has_products {
                true => json!([{"key": "jira", "lastActiveTimestamp": last.map(day)}]),
                false => json!([]),
            };
            json!({
                "accountId": format!("u{number}"), "email": format!("u{number}@acme.example"),
                "accountType": kind, "status": status,
                "claimStatus": (!is_app).then_some(claim), "mfaEnabled": has_mfa,
                "platformRoles": roles, "productAccess": products,
                "addedToOrg": day(last.unwrap_or(0) + more),
            })
        },
    )
}

fn token(number: usize) -> impl Strategy<Value = Value> {
    let status = one_of(&["ALLOWED", "ALLOWED", "BLOCKED"]);
    let owner = 0usize..5;
    let lasts = prop_oneof![1 => Just(None), 6 => (-100i64..400).prop_map(Some)];
    let scopes = prop::collection::vec(Just("read:keys:admin"), 0..2);
    (status, owner, age(), 0i64..400, lasts, scopes).prop_map(
        move |(status, owner, last, more, lasts, scopes)| {
            let whose = json!({"id": format!("u{owner}"), "email": "x@acme.example"});
            json!({
                "id": format!("t{number}"), "label": "label", "status": status,
                "createdAt": day(last.unwrap_or(0) + more), "lastActiveAt": last.map(day),
                "expiresAt": lasts.map(|lasts| day(-lasts)), "user": whose, "createdBy": whose,
                "scopes": scopes,
            })
        },
    )
}

fn policy(number: usize) -> impl Strategy<Value = Value> {
    let kind = one_of(&["ip-allowlist", "ip-allowlist", "data-security", "data-residency"]);
    let status = one_of(&["enabled", "active", "active", "disabled", "draft"]);
    let range = one_of(&["198.51.100.0/24", "198.51.100.0/24", "0.0.0.0/0", "::/0", "x"]);
    let export = one_of(&["block", "block", "allow"]);
    let coverage = one_of(&["ORG", "ORG", "WORKSPACE", "UNASSIGNED"]);
    (kind, status, range, export, coverage, any::<bool>(), any::<bool>()).prop_map(
        move |(kind, status, range, export, coverage, bypass, is_array)| {
            let rule = match &*kind {
                "data-security" => json!({"export": {"effect": export}}),
                _ => json!({"in": [range], "allowMobileBypass": bypass}),
            };
            let rule = if is_array { json!([rule]) } else { rule };
            json!({
                "id": format!("p{number}"), "type": "policy",
                "attributes": {
                    "type": kind, "name": "policy", "status": status, "rule": rule,
                    "metadata": {"policyCoverageLevel": coverage},
                },
            })
        },
    )
}

fn domain(number: usize) -> impl Strategy<Value = Value> {
    let status = one_of(&["verified", "verified", "unverified", "deleted", "superseded"]);
    status.prop_map(move |status| {
        let name = format!("d{number}.example");
        json!({
            "id": format!("d{number}"), "type": "domains",
            "attributes": {"name": name, "claim": {"type": "dns", "status": status}},
        })
    })
}

/// Up to four entries.
fn entries<S: Strategy<Value = Value>>(of: fn(usize) -> S) -> impl Strategy<Value = Vec<Value>> {
    (0usize..=4, of(0), of(1), of(2), of(3))
        .prop_map(|(count, a, b, c, d)| [a, b, c, d].into_iter().take(count).collect())
}

/// Lists as the APIs serve them.
fn real_lists() -> impl Strategy<Value = Lists> {
    let member = (any::<bool>(), 0usize..4).prop_map(|(is_sso, number)| {
        let policy = if is_sso { SSO } else { "other" };
        let email = format!("u{number}@acme.example");
        json!({"accountId": format!("u{number}"), "email": email, "policyId": policy})
    });
    let resource = one_of(&["applied", "applied", "failed"])
        .prop_map(|status| json!({"id": "r", "applicationStatus": status}));
    let tokens = || entries(token);
    (
        (entries(user), entries(domain), entries(policy)),
        (tokens(), tokens(), tokens()),
        (prop::collection::vec(member, 0..3), prop::collection::vec(resource, 0..3)),
    )
        .prop_map(
            |((users, domains, policies), (of_users, keys, services), (members, resources))| {
                Lists {
                    of: vec![
                        (AdminList::Users, users),
                        (AdminList::Domains, domains),
                        (AdminList::Policies, policies),
                        (AdminList::UserTokens, of_users),
                        (AdminList::OrgKeys, keys),
                        (AdminList::ServiceTokens, services),
                    ],
                    members,
                    resources,
                }
            },
        )
}

/// The paths of all fields below `value`.
fn paths(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    let mut all = Vec::new();
    for (key, child) in children {
        if value.is_object() {
            all.push(format!("/{key}"));
        }
        all.extend(paths(child).into_iter().map(|path| format!("/{key}{path}")));
    }
    all
}

/// `entry` without the field at `path`, or with null there.
fn without(entry: &Value, path: &str, is_null: bool) -> Value {
    let mut entry = entry.clone();
    let (parent, key) = path.rsplit_once('/').unwrap();
    let fields = entry.pointer_mut(parent).and_then(Value::as_object_mut).unwrap();
    match is_null {
        true => fields.insert(key.to_owned(), Value::Null),
        false => fields.remove(key),
    };
    entry
}

/// A person who is an admin beyond doubt, so that a list of few users says something of admins.
fn sound_admin(name: &str) -> Value {
    json!({
        "accountId": name, "email": format!("{name}@acme.example"), "accountType": "atlassian",
        "status": "active", "claimStatus": "managed", "mfaEnabled": true,
        "platformRoles": ["atlassian/org-admin"], "addedToOrg": day(300),
        "productAccess": [{"key": "jira", "lastActiveTimestamp": day(1)}],
    })
}

/// Which checks pass.
fn passes(lists: &Lists) -> HashMap<PostureCheck, bool> {
    let is_pass = |finding: &PostureFinding| finding.verdict == PostureVerdict::Pass;
    findings(lists).iter().map(|finding| (finding.check, is_pass(finding))).collect()
}

/// Every list that is `lists` without one field of one entry, and what was removed.
fn removals(lists: &Lists) -> Vec<(String, Lists)> {
    let mut all = Vec::new();
    let mut remove = |entries: &[Value], put: &dyn Fn(&mut Lists, usize, Value)| {
        for (at, entry) in entries.iter().enumerate() {
            for path in paths(entry) {
                for is_null in [false, true] {
                    let mut changed = lists.clone();
                    put(&mut changed, at, without(entry, &path, is_null));
                    all.push((format!("{path} of {entry}"), changed));
                }
            }
        }
    };
    for (number, (_, entries)) in lists.of.iter().enumerate() {
        remove(entries, &|lists, at, entry| lists.of[number].1[at] = entry);
    }
    remove(&lists.members, &|lists, at, entry| lists.members[at] = entry);
    remove(&lists.resources, &|lists, at, entry| lists.resources[at] = entry);
    all
}

fn assert_absence_is_never_a_pass(lists: &Lists) {
    let before = passes(lists);
    for (removed, fewer) in removals(lists) {
        for (check, is_pass) in passes(&fewer) {
            assert!(!is_pass || before[&check], "{check} passes without {removed} in {lists:#?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_entry_makes_a_check_panic_or_a_table_too_wide(lists in any_lists(), width in 40usize..200) {
        let findings = findings(&lists);
        prop_assert_eq!(findings.len(), PostureCheck::value_variants().len());
        let mut lines = Vec::new();
        for finding in &findings {
            append_json_line(finding, None, &mut lines).unwrap();
            append_ocsf_line(finding, now(), &mut lines);
        }
        for line in String::from_utf8(lines).unwrap().lines() {
            prop_assert!(serde_json::from_str::<Map<String, Value>>(line).is_ok(), "{}", line);
        }
        let shown: Vec<_> = findings.iter().map(|finding| (finding, None)).collect();
        let style = TableStyle { width, zone: UserZone::UTC, is_coloured: false };
        for line in finding_table(&shown, style, true).lines() {
            prop_assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{:?}", line);
            let steers = |c: char| c.is_control() || c == '\u{202e}';
            prop_assert!(!line.contains(steers), "{:?}", line);
        }
    }

    #[test]
    fn absence_is_never_a_pass(lists in real_lists(), admins in 0usize..3) {
        let mut lists = lists;
        let admins = ["ada", "bo"].into_iter().take(admins);
        lists.of[0].1.extend(admins.map(sound_admin));
        assert_absence_is_never_a_pass(&lists);
    }
}

#[test]
fn the_lists_that_are_changed_can_pass() {
    let users = vec![sound_admin("u0"), sound_admin("bo")];
    let whose = json!({"id": "u0"});
    let token = json!({
        "id": "t", "createdAt": day(9), "lastActiveAt": day(1), "expiresAt": day(-90),
        "user": whose, "createdBy": whose, "scopes": ["read:keys:admin"], "status": "ALLOWED",
    });
    let policy = |kind: &str, rule: Value| {
        json!({"id": kind, "type": "policy", "attributes": {
            "type": kind, "status": "active", "rule": rule,
            "metadata": {"policyCoverageLevel": "ORG"},
        }})
    };
    let lists = Lists {
        of: vec![
            (AdminList::Users, users),
            (
                AdminList::Domains,
                vec![json!({"attributes": {"name": "d", "claim": {"status": "verified"}}})],
            ),
            (
                AdminList::Policies,
                vec![
                    policy(
                        "ip-allowlist",
                        json!({"in": ["198.51.100.0/24"], "allowMobileBypass": false}),
                    ),
                    policy("data-security", json!({"export": {"effect": "block"}})),
                ],
            ),
            (AdminList::UserTokens, vec![token.clone()]),
            (AdminList::OrgKeys, vec![token.clone()]),
            (AdminList::ServiceTokens, vec![token]),
        ],
        members: Vec::new(),
        resources: vec![json!({"id": "r", "applicationStatus": "applied"})],
    };
    let failing: Vec<_> = passes(&lists).into_iter().filter(|(_, is_pass)| !is_pass).collect();
    assert!(failing.is_empty(), "{failing:?}");
    assert_absence_is_never_a_pass(&lists);
}

fn verdict_of(findings: &[PostureFinding], check: PostureCheck) -> PostureVerdict {
    findings.iter().find(|finding| finding.check == check).unwrap().verdict
}

fn lists_of(list: AdminList, entries: Vec<Value>) -> Lists {
    Lists { of: vec![(list, entries)], ..Lists::default() }
}

/// A user without two-step verification of its own is covered by a policy that is declared.
#[test]
fn a_declared_policy_covers_users_only_while_no_event_changed_one() {
    let mut sso = sound_admin("b");
    sso["mfaEnabled"] = false.into();
    let mut lists = lists_of(AdminList::Users, vec![sound_admin("a"), sso.clone()]);
    lists.members = vec![json!({"accountId": sso["accountId"], "policyId": SSO})];
    let unchanged = history(&["user_login"]);
    let changed = history(&["user_login", "auth_policy_updated"]);
    for (history, wanted) in [
        (Some(&unchanged), PostureVerdict::Pass),
        (Some(&changed), PostureVerdict::Review),
        (None, PostureVerdict::Review),
    ] {
        let found = findings_with(&lists, history);
        for check in [PostureCheck::MfaUsers, PostureCheck::MfaAdmins] {
            assert_eq!(verdict_of(&found, check), wanted, "{check:?} {found:#?}");
        }
    }
    // Nothing is declared of those who have it themselves.
    let own = lists_of(AdminList::Users, vec![sound_admin("a"), sound_admin("b")]);
    let found = findings_with(&own, None);
    assert_eq!(verdict_of(&found, PostureCheck::MfaUsers), PostureVerdict::Pass);
}

#[test]
fn what_two_entries_of_a_user_do_not_agree_on_is_not_known() {
    let outsider = json!({
        "accountId": "o", "accountType": "atlassian", "status": "active",
        "claimStatus": "unmanaged", "platformRoles": [], "productAccess": [],
    });
    let with = |change: Option<(&str, Value)>| {
        let mut entries = vec![sound_admin("a"), outsider.clone()];
        if let Some((key, value)) = change {
            let mut second = outsider.clone();
            second[key] = value;
            entries.push(second);
        }
        let found = findings(&lists_of(AdminList::Users, entries));
        verdict_of(&found, PostureCheck::UsersExternal)
    };
    assert_eq!(with(None), PostureVerdict::Pass);
    assert_eq!(with(Some(("name", "Ola".into()))), PostureVerdict::Pass);
    for (key, value) in [
        ("platformRoles", json!(["atlassian/site-admin"])),
        ("productAccess", json!([{"key": "jira"}])),
    ] {
        assert_ne!(with(Some((key, value))), PostureVerdict::Pass, "{key}");
    }
}

#[test]
fn of_several_rules_of_a_policy_the_laxest_counts() {
    let allowlist = |rules: Value| {
        let policy = json!({"id": "1", "attributes": {
            "type": "ip-allowlist", "status": "enabled", "rule": rules}});
        let found = findings(&lists_of(AdminList::Policies, vec![policy]));
        verdict_of(&found, PostureCheck::MobilePolicy)
    };
    let rule = |bypass: Value| json!({"in": ["192.0.2.0/24"], "allowMobileBypass": bypass});
    assert_eq!(allowlist(json!([rule(false.into())])), PostureVerdict::Pass);
    for lax in [json!(true), json!(null)] {
        let rules = json!([rule(false.into()), rule(lax.clone())]);
        assert_eq!(allowlist(rules), PostureVerdict::Review, "{lax}");
    }
    let export = |effects: &[&str]| {
        let rules: Vec<_> =
            effects.iter().map(|effect| json!({"export": {"effect": effect}})).collect();
        let policy = json!({"id": "1", "attributes": {
            "type": "data-security", "status": "active", "rule": rules,
            "metadata": {"policyCoverageLevel": "ORG"}}});
        let found = findings(&lists_of(AdminList::Policies, vec![policy]));
        verdict_of(&found, PostureCheck::DataExport)
    };
    assert_eq!(export(&["block", "block"]), PostureVerdict::Pass);
    assert_eq!(export(&["block", "allow"]), PostureVerdict::Fail);
    assert_eq!(export(&["allow", "block"]), PostureVerdict::Fail);
}
