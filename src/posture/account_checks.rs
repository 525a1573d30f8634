//! The checks of users and administrators.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::finding::{CheckResult, FindingBasis, FindingItem, PostureVerdict};
use super::org_inventory::UnreadList;
use super::records::{OrgUser, ProductAccess};
use super::subject::PostureSubject;
use crate::model::text::plural;
use crate::model::time::Timestamp;

/// Whether the policy of an account replaces its own two-step verification.
enum PolicyCover {
    Enforced,
    NotEnforced,
    Unknown,
}

/// Active admins without two-step verification.
pub fn mfa_admins(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let admins = active_admins(subject)?;
    let judged = without_mfa(subject, &admins);
    let summary = match (judged.without.len(), judged.unknown.len()) {
        (0, 0) => format!("{} with two-step verification", active_admins_text(admins.len())),
        (0, unknown) => {
            format!("of {unknown} of {} it cannot be told", active_admins_text(admins.len()))
        }
        (without, _) => {
            format!(
                "{without} of {} without two-step verification",
                active_admins_text(admins.len())
            )
        }
    };
    let verdict = verdict_of(judged.without.len(), judged.unknown.len());
    let items = judged.into_items();
    Ok(inventory(verdict, summary).with_items(items, admins.len()))
}

/// Active managed users without two-step verification. Before it is declared which policies
/// enforce single sign-on, users behind it look as if they had none.
pub fn mfa_users(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let users = active_managed(subject)?;
    let judged = without_mfa(subject, &users);
    let is_declared =
        subject.settings.declared.as_ref().is_some_and(|it| it.enforced_policies.is_some());
    let verdict = match verdict_of(judged.without.len(), judged.unknown.len()) {
        PostureVerdict::Fail if !is_declared => PostureVerdict::Review,
        verdict => verdict,
    };
    let all = plural(users.len() as u64, "active managed user", "active managed users");
    let policies = judged.policies.len();
    let mut summary = match (judged.without.len(), judged.unknown.len()) {
        (0, 0) => format!("{all} with two-step verification, or in a policy that enforces it"),
        (0, unknown) => format!("of {unknown} of {all} it cannot be told"),
        (without, _) => {
            let share = without * 100 / users.len().max(1);
            format!("{without} of {all} ({share} %) without two-step verification")
        }
    };
    if policies > 0 {
        let word = plural(policies as u64, "authentication policy", "authentication policies");
        summary.push_str(&format!(", in {word}"));
    }
    if verdict == PostureVerdict::Review {
        summary.push_str("; some may be behind single sign-on");
    }
    let items = judged.into_items();
    Ok(inventory(verdict, summary).with_items(items, users.len()))
}

/// More organization admins than needed, or one alone.
pub fn admins_count(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let admins = active_admins(subject)?;
    let admins: Vec<_> = admins.into_iter().filter(|user| user.has_role("org-admin")).collect();
    let most = subject.settings.thresholds.max_admins as usize;
    let count =
        plural(admins.len() as u64, "active organization admin", "active organization admins");
    let too_many = format!("one of more than {most} (`max_admins`)");
    Ok(match admins.len() {
        1 => inventory(
            PostureVerdict::Review,
            format!("{count}: if that account is lost, nobody can administrate"),
        )
        .with_advice("give the role to a second person, or to a break-glass account"),
        many if many > most => {
            let items = admins.iter().map(|user| item(user, &too_many)).collect();
            inventory(PostureVerdict::Fail, format!("{count}, more than {most} (`max_admins`)"))
                .with_items(items, many)
        }
        _ => inventory(PostureVerdict::Pass, format!("{count}, at most {most} (`max_admins`)")),
    })
}

/// Admins that have not used anything for long.
pub fn admins_idle(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let admins = active_admins(subject)?;
    let known = require_activity(subject, &admins)?;
    let idle: Vec<FindingItem> = known.iter().filter_map(|user| idle_item(subject, user)).collect();
    // Who may use no product leaves no trace of activity in this list.
    let unused = admins.iter().filter(|user| user.access == ProductAccess::Nothing);
    let unused: Vec<_> = unused
        .map(|user| item(user, "may use no product, so that no activity is listed"))
        .collect();
    let verdict = match (idle.len(), unused.len()) {
        (0, 0) => PostureVerdict::Pass,
        (0, _) => PostureVerdict::Review,
        (_, _) => PostureVerdict::Fail,
    };
    let days = subject.settings.thresholds.idle_days;
    let all = active_admins_text(admins.len());
    let summary = match (idle.len(), unused.len()) {
        (0, 0) => format!("{all}, each used within {days} days"),
        (0, unused) => format!("of {unused} of {all} no activity is listed"),
        (idle, _) => format!("{idle} of {all} not used for {days} days"),
    };
    let items = idle.into_iter().chain(unused).collect();
    Ok(inventory(verdict, summary).with_items(items, admins.len()))
}

/// Managed users that have not used anything for long.
pub fn users_idle(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let users = active_managed(subject)?;
    let known = require_activity(subject, &users)?;
    let idle: Vec<FindingItem> = known.iter().filter_map(|user| idle_item(subject, user)).collect();
    let days = subject.settings.thresholds.idle_days;
    let all = plural(
        known.len() as u64,
        "active managed user with access",
        "active managed users with access",
    );
    let (verdict, summary) = match idle.len() {
        0 => (PostureVerdict::Pass, format!("{all}, each used within {days} days")),
        idle => (PostureVerdict::Fail, format!("{idle} of {all} not used for {days} days")),
    };
    Ok(inventory(verdict, summary).with_items(idle, known.len()))
}

/// Accounts of outsiders: with a role that administrates, or with access.
pub fn users_external(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let users = people(subject)?;
    if users.iter().all(|user| user.is_managed.is_none()) {
        return Err(unread("no user says whether the organization manages the account"));
    }
    let outsiders: Vec<_> = users
        .iter()
        .filter(|user| user.is_managed != Some(true) && user.is_active != Some(false))
        .collect();
    let mut items = Vec::new();
    let (mut admins, mut with_access) = (0, 0);
    for user in &outsiders {
        let roles: Vec<&str> = user.roles.iter().flatten().map(String::as_str).collect();
        let administrates = roles.iter().any(|role| role.ends_with("-admin"));
        if administrates {
            admins += 1;
            items.push(item(
                user,
                &format!("is not managed, and has the role {}", roles.join(", ")),
            ));
        } else if user.access != ProductAccess::Nothing {
            with_access += 1;
            items.push(item(user, "is not managed, and may use products"));
        }
    }
    let verdict = match (admins, with_access) {
        (0, 0) => PostureVerdict::Pass,
        (0, _) => PostureVerdict::Review,
        (_, _) => PostureVerdict::Fail,
    };
    let outside = plural(outsiders.len() as u64, "active outsider", "active outsiders");
    let summary = match (admins, with_access) {
        (0, 0) => format!("{outside}, none with access"),
        (0, with_access) => format!("{outside}, {with_access} with access to products"),
        (admins, with_access) => {
            format!("{outside}: {admins} with an admin role, {with_access} more with access")
        }
    };
    Ok(inventory(verdict, summary).with_items(items, users.len()))
}

/// Accounts without two-step verification that no policy covers, and those of which it is unknown.
#[derive(Default)]
struct MfaResult {
    without: Vec<FindingItem>,
    unknown: Vec<FindingItem>,
    policies: BTreeSet<String>,
}

impl MfaResult {
    fn into_items(self) -> Vec<FindingItem> {
        self.without.into_iter().chain(self.unknown).collect()
    }
}

fn without_mfa(subject: &PostureSubject<'_>, users: &[&OrgUser]) -> MfaResult {
    let mut result = MfaResult::default();
    for user in users.iter().filter(|user| user.has_mfa != Some(true)) {
        let policies = subject.inventory.auth_policies.as_ref();
        let policy = policies.ok().and_then(|policies| policies.get(&user.id));
        match (policy_cover(subject, policy), user.has_mfa) {
            (PolicyCover::Enforced, _) => {}
            (PolicyCover::NotEnforced, Some(_)) => {
                result.policies.extend(policy.cloned());
                result.without.push(item(user, &no_mfa_reason(user, policy)));
            }
            (PolicyCover::Unknown, Some(_)) => {
                let reason = "has none, and its authentication policy could not be read";
                result.unknown.push(item(user, reason));
            }
            (_, None) => {
                let reason = match user.is_managed {
                    Some(false) => "is not managed, so that it cannot be told",
                    _ => "does not say whether it has any",
                };
                result.unknown.push(item(user, reason));
            }
        }
    }
    result
}

fn no_mfa_reason(user: &OrgUser, policy: Option<&String>) -> String {
    let role = if user.is_admin() {
        "an admin without two-step verification"
    } else {
        "has no two-step verification"
    };
    match policy {
        Some(policy) => format!("{role}, in the policy {policy}"),
        None => role.to_owned(),
    }
}

/// Whether the policy of an account is one of those that are declared to enforce something.
fn policy_cover(subject: &PostureSubject<'_>, policy: Option<&String>) -> PolicyCover {
    let declared = subject.settings.declared.as_ref();
    let enforced = declared.and_then(|declared| declared.enforced_policies.as_deref());
    match (enforced.unwrap_or_default(), policy, &subject.inventory.auth_policies) {
        ([], _, _) => PolicyCover::NotEnforced,
        (enforced, Some(policy), _) if enforced.contains(policy) => PolicyCover::Enforced,
        (_, Some(_), _) | (_, None, Ok(_)) => PolicyCover::NotEnforced,
        (_, None, Err(_)) => PolicyCover::Unknown,
    }
}

/// The active admins of the organization and its sites. An organization always has one: where none
/// is found, the roles were not listed.
fn active_admins<'a>(subject: &'a PostureSubject<'_>) -> Result<Vec<&'a OrgUser>, UnreadList> {
    let users = people(subject)?;
    let admins: Vec<_> =
        users.into_iter().filter(|user| user.is_admin() && user.is_active != Some(false)).collect();
    match admins.iter().any(|user| user.has_role("org-admin")) {
        true => Ok(admins),
        false => Err(unread(
            "no active organization admin is listed, and each organization has one: the roles of \
             users cannot be read",
        )),
    }
}

fn active_managed<'a>(subject: &'a PostureSubject<'_>) -> Result<Vec<&'a OrgUser>, UnreadList> {
    let users = people(subject)?;
    let managed = users
        .into_iter()
        .filter(|user| user.is_managed == Some(true) && user.is_active != Some(false));
    let managed: Vec<_> = managed.collect();
    match managed.is_empty() {
        false => Ok(managed),
        true => Err(unread("no active managed user is listed; is a domain verified?")),
    }
}

fn people<'a>(subject: &'a PostureSubject<'_>) -> Result<Vec<&'a OrgUser>, UnreadList> {
    let users = subject.inventory.users.as_ref().map_err(Clone::clone)?;
    Ok(users.iter().filter(|user| user.is_person).collect())
}

/// Those whose products are listed and not empty.
fn require_activity<'a>(
    subject: &PostureSubject<'_>,
    users: &[&'a OrgUser],
) -> Result<Vec<&'a OrgUser>, UnreadList> {
    let all = subject.inventory.users.iter().flatten();
    if all.into_iter().all(|user| user.access == ProductAccess::Unknown) {
        return Err(unread("the list of users does not say when they were active"));
    }
    let known = users.iter().filter(|user| user.access != ProductAccess::Nothing);
    Ok(known.copied().collect())
}

/// An account that was not used for `idle_days`, or never since it was added so long ago.
fn idle_item(subject: &PostureSubject<'_>, user: &OrgUser) -> Option<FindingItem> {
    let days = |since: Timestamp| (subject.now - since).num_days();
    let limit = subject.settings.thresholds.idle_days;
    let is_old = |since: Timestamp| subject.now - since > TimeDelta::days(i64::from(limit));
    match (user.last_active(), user.added) {
        (Some(last), _) => {
            is_old(last).then(|| item(user, &format!("last used {} days ago", days(last))))
        }
        (None, Some(added)) => is_old(added).then(|| {
            item(user, &format!("no activity since it was added {} days ago", days(added)))
        }),
        (None, None) => Some(item(user, "no activity is listed, nor when it was added")),
    }
}

fn verdict_of(failed: usize, unknown: usize) -> PostureVerdict {
    match (failed, unknown) {
        (0, 0) => PostureVerdict::Pass,
        (0, _) => PostureVerdict::CouldNotRead,
        (_, _) => PostureVerdict::Fail,
    }
}

fn inventory(verdict: PostureVerdict, summary: impl Into<String>) -> CheckResult {
    CheckResult::new(verdict, FindingBasis::Inventory, summary)
}

fn active_admins_text(count: usize) -> String {
    plural(count as u64, "active admin", "active admins")
}

fn item(user: &OrgUser, reason: &str) -> FindingItem {
    FindingItem { id: user.id.clone(), name: user.label(), reason: reason.to_owned() }
}

fn unread(cause: &str) -> UnreadList {
    UnreadList { cause: cause.to_owned(), advice: String::new() }
}
