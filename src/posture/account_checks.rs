//! The checks of users and administrators.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::event_checks::declaration_doubt;
use super::finding::{CheckResult, FindingBasis, FindingItem, PostureVerdict};
use super::org_inventory::UnreadList;
use super::records::{OrgUser, ProductAccess};
use super::subject::PostureSubject;
use crate::config::posture::PostureCheck;
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
    let admins = possible_admins(subject)?;
    let judged = without_mfa(subject, &admins, unlisted_roles);
    let summary = match (judged.without.len(), judged.unknown.len()) {
        (0, 0) => format!("{} with two-step verification", active_admins_text(admins.len())),
        (0, unknown) => {
            format!("of {unknown} of {} it is not known", active_admins_text(admins.len()))
        }
        (without, _) => {
            format!(
                "{without} of {} without two-step verification",
                active_admins_text(admins.len())
            )
        }
    };
    let verdict = verdict_of(judged.without.len(), judged.unknown.len());
    Ok(judged.result(subject, verdict, summary, admins.len()))
}

/// Active managed users without two-step verification. Before it is declared which policies
/// enforce single sign-on, users behind it look as if they had none.
pub fn mfa_users(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let users = possible_managed(subject)?;
    let judged = without_mfa(subject, &users, unlisted_claim);
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
        (0, unknown) => format!("of {unknown} of {all} it is not known"),
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
    Ok(judged.result(subject, verdict, summary, users.len()))
}

/// More organization admins than needed, or one alone.
pub fn admins_count(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let possible = possible_admins(subject)?;
    let is_org_admin = |user: &&&OrgUser| user.has_role("org-admin");
    let admins: Vec<_> =
        possible.iter().filter(is_org_admin).filter(|user| user.is_active == Some(true)).collect();
    let unclear: Vec<_> = possible
        .iter()
        .filter(|user| user.roles.is_none() || user.is_active.is_none() && is_org_admin(user))
        .collect();
    let most = subject.settings.thresholds.max_admins as usize;
    let count =
        plural(admins.len() as u64, "active organization admin", "active organization admins");
    let items_of = |users: Vec<&&OrgUser>, reason: &str| -> Vec<FindingItem> {
        users.into_iter().map(|user| item(user, reason)).collect()
    };
    Ok(match admins.len() {
        1 => inventory(
            PostureVerdict::Review,
            format!("{count}: if that account is lost, nobody can administrate"),
        )
        .with_advice("give the role to a second person, or to a break-glass account"),
        many if many > most => {
            let items = items_of(admins, &format!("one of more than {most} (`max_admins`)"));
            inventory(PostureVerdict::Fail, format!("{count}, more than {most} (`max_admins`)"))
                .with_items(items, many)
        }
        known if known + unclear.len() > most => {
            let all = known + unclear.len();
            let items = items_of(unclear, "its roles or status are not listed");
            let summary = format!("{count}, or more than {most} (`max_admins`)");
            inventory(PostureVerdict::Review, summary).with_items(items, all)
        }
        _ => inventory(PostureVerdict::Pass, format!("{count}, at most {most} (`max_admins`)")),
    })
}

/// Admins that have not used anything for long.
pub fn admins_idle(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let admins = possible_admins(subject)?;
    require_activity(subject)?;
    let accounts = idle_accounts(subject, &admins, unlisted_roles);
    let days = subject.settings.thresholds.idle_days;
    let all = active_admins_text(admins.len());
    Ok(accounts.result(&all, days, admins.len()))
}

/// Managed users that have not used anything for long.
pub fn users_idle(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let mut users = possible_managed(subject)?;
    require_activity(subject)?;
    // Who may use nothing costs nothing.
    users.retain(|user| user.access != ProductAccess::Nothing);
    let accounts = idle_accounts(subject, &users, unlisted_claim);
    let days = subject.settings.thresholds.idle_days;
    let all = plural(
        users.len() as u64,
        "active managed user with access",
        "active managed users with access",
    );
    Ok(accounts.result(&all, days, users.len()))
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
        let whose = match user.is_managed {
            Some(_) => "is not managed",
            None => "does not say whether it is managed",
        };
        let roles: Vec<&str> = user.roles.iter().flatten().map(String::as_str).collect();
        let administrates = roles.iter().any(|role| role.ends_with("-admin"));
        let reason = match (&user.access, &user.roles) {
            _ if administrates => format!("{whose}, and has the role {}", roles.join(", ")),
            (ProductAccess::Products(_), _) => format!("{whose}, and may use products"),
            (ProductAccess::Unknown, _) => format!("{whose}, and its products are not listed"),
            (ProductAccess::Nothing, None) => format!("{whose}, and its roles are not listed"),
            (ProductAccess::Nothing, Some(_)) => continue,
        };
        match administrates && user.is_managed.is_some() {
            true => admins += 1,
            false => with_access += 1,
        }
        items.push(item(user, &reason));
    }
    let verdict = match (admins, with_access) {
        (0, 0) => PostureVerdict::Pass,
        (0, _) => PostureVerdict::Review,
        (_, _) => PostureVerdict::Fail,
    };
    let outside = plural(outsiders.len() as u64, "active outsider", "active outsiders");
    let summary = match (admins, with_access) {
        (0, 0) => format!("{outside}, none with access"),
        (0, with_access) => format!("{outside}, {with_access} with access, or to be looked at"),
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
    /// Accounts that only a declared policy covers.
    covered: u64,
}

impl MfaResult {
    /// The result of a check of `of` accounts. What rests on a declaration passes only as long as
    /// that is known to be true.
    fn result(
        self,
        subject: &PostureSubject<'_>,
        verdict: PostureVerdict,
        summary: String,
        of: usize,
    ) -> CheckResult {
        let declaration = subject.settings.declared.as_ref().filter(|_| self.covered > 0);
        let items = self.without.into_iter().chain(self.unknown).collect();
        let result = inventory(verdict, summary).with_items(items, of);
        match (verdict, declaration) {
            (PostureVerdict::Pass, Some(declaration)) => {
                let covered = plural(self.covered, "account", "accounts");
                let (on, by) = (declaration.on, &declaration.by);
                let summary = format!(
                    "{}; {covered} by `enforced_policies`, declared on {on} by {by}",
                    result.summary
                );
                let declared = CheckResult { basis: FindingBasis::Declared, summary, ..result };
                match declaration_doubt(subject, declaration, PostureCheck::MfaRule) {
                    None => declared,
                    Some(doubt) => CheckResult {
                        verdict: PostureVerdict::Review,
                        basis: doubt.basis,
                        summary: format!("{}; {}", declared.summary, doubt.why),
                        ..declared
                    }
                    .with_advice(doubt.advice),
                }
            }
            _ => result,
        }
    }
}

/// `doubt` says why it is not known whether an account counts.
fn without_mfa(
    subject: &PostureSubject<'_>,
    users: &[&OrgUser],
    doubt: fn(&OrgUser) -> Option<&'static str>,
) -> MfaResult {
    let mut result = MfaResult::default();
    for user in users.iter().filter(|user| user.has_mfa != Some(true)) {
        let policies = subject.inventory.auth_policies.as_ref();
        let policy = policies.ok().and_then(|policies| policies.get(&user.id));
        let reason = match (policy_cover(subject, policy), user.has_mfa) {
            (PolicyCover::Enforced, _) => {
                result.covered += 1;
                continue;
            }
            (_, None) if user.is_managed == Some(false) => {
                Some("is not managed, so that it is not known")
            }
            (_, None) => Some("does not say whether it has any"),
            (PolicyCover::Unknown, Some(_)) => {
                Some("has none, and its authentication policy could not be read")
            }
            (PolicyCover::NotEnforced, Some(_)) => doubt(user),
        };
        match reason {
            Some(reason) => result.unknown.push(item(user, reason)),
            None => {
                result.policies.extend(policy.cloned());
                result.without.push(item(user, &no_mfa_reason(user, policy)));
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

/// The active admins of the organization and its sites, and those who may be such: their roles or
/// status are not listed. An organization always has an admin: where none is found, the roles were
/// not listed.
fn possible_admins<'a>(subject: &'a PostureSubject<'_>) -> Result<Vec<&'a OrgUser>, UnreadList> {
    let users = people(subject)?;
    let may_be = |user: &OrgUser| user.is_admin() || user.roles.is_none();
    let admins: Vec<_> =
        users.into_iter().filter(|user| may_be(user) && user.is_active != Some(false)).collect();
    let is_sure = |user: &&OrgUser| user.has_role("org-admin") && user.is_active == Some(true);
    match admins.iter().any(is_sure) {
        true => Ok(admins),
        false => Err(unread(
            "no active organization admin is listed, and each organization has one: the roles of \
             users cannot be read",
        )),
    }
}

/// The active managed users, and those who may be such.
fn possible_managed<'a>(subject: &'a PostureSubject<'_>) -> Result<Vec<&'a OrgUser>, UnreadList> {
    let users = people(subject)?;
    let managed: Vec<_> = users
        .into_iter()
        .filter(|user| user.is_managed != Some(false) && user.is_active != Some(false))
        .collect();
    let is_sure = |user: &&OrgUser| user.is_managed == Some(true) && user.is_active == Some(true);
    match managed.iter().any(is_sure) {
        true => Ok(managed),
        false => Err(unread("no active managed user is listed; is a domain verified?")),
    }
}

fn unlisted_roles(user: &OrgUser) -> Option<&'static str> {
    user.roles.is_none().then_some("may be an admin: its roles are not listed")
}

fn unlisted_claim(user: &OrgUser) -> Option<&'static str> {
    user.is_managed.is_none().then_some("does not say whether it is managed")
}

fn people<'a>(subject: &'a PostureSubject<'_>) -> Result<Vec<&'a OrgUser>, UnreadList> {
    let users = subject.inventory.users.as_ref().map_err(Clone::clone)?;
    Ok(users.iter().filter(|user| user.is_person != Some(false)).collect())
}

/// Fails if no user's products are listed.
fn require_activity(subject: &PostureSubject<'_>) -> Result<(), UnreadList> {
    let all = subject.inventory.users.iter().flatten();
    match all.into_iter().all(|user| user.access == ProductAccess::Unknown) {
        true => Err(unread("the list of users does not say when they were active")),
        false => Ok(()),
    }
}

/// Accounts that are idle, and those of which it is unknown.
#[derive(Default)]
struct IdleAccounts {
    idle: Vec<FindingItem>,
    unknown: Vec<FindingItem>,
}

impl IdleAccounts {
    fn result(self, all: &str, days: u32, of: usize) -> CheckResult {
        let (verdict, summary) = match (self.idle.len(), self.unknown.len()) {
            (0, 0) => (PostureVerdict::Pass, format!("{all}, each used within {days} days")),
            (0, unknown) => {
                (PostureVerdict::Review, format!("of {unknown} of {all} no activity is listed"))
            }
            (idle, _) => {
                (PostureVerdict::Fail, format!("{idle} of {all} not used for {days} days"))
            }
        };
        let items = self.idle.into_iter().chain(self.unknown).collect();
        inventory(verdict, summary).with_items(items, of)
    }
}

/// `doubt` says why it is not known whether an account counts.
fn idle_accounts(
    subject: &PostureSubject<'_>,
    users: &[&OrgUser],
    doubt: fn(&OrgUser) -> Option<&'static str>,
) -> IdleAccounts {
    let mut accounts = IdleAccounts::default();
    for user in users {
        match (activity_of(subject, user), doubt(user)) {
            (AccountActivity::Recent, _) => {}
            (AccountActivity::Idle(reason), None) => accounts.idle.push(item(user, &reason)),
            (AccountActivity::Idle(reason), Some(doubt)) => {
                accounts.unknown.push(item(user, &format!("{reason}, but {doubt}")));
            }
            (AccountActivity::Unknown(reason), _) => accounts.unknown.push(item(user, reason)),
        }
    }
    accounts
}

/// When an account was used last.
enum AccountActivity {
    /// Within `idle_days`, or it was added within them.
    Recent,
    /// Before, or never.
    Idle(String),
    /// That is not listed.
    Unknown(&'static str),
}

fn activity_of(subject: &PostureSubject<'_>, user: &OrgUser) -> AccountActivity {
    let days = |since: Timestamp| (subject.now - since).num_days();
    let limit = TimeDelta::days(i64::from(subject.settings.thresholds.idle_days));
    let is_old = |since: Timestamp| subject.now - since > limit;
    match (user.last_active(), user.added, &user.access) {
        (Some(last), _, _) if is_old(last) => {
            AccountActivity::Idle(format!("last used {} days ago", days(last)))
        }
        (Some(_), _, _) => AccountActivity::Recent,
        (None, Some(added), _) if !is_old(added) => AccountActivity::Recent,
        (None, _, ProductAccess::Unknown) => {
            AccountActivity::Unknown("its products are not listed")
        }
        (None, _, ProductAccess::Nothing) => {
            AccountActivity::Unknown("may use no product, so that no activity is listed")
        }
        (None, Some(added), ProductAccess::Products(_)) => AccountActivity::Idle(format!(
            "no activity since it was added {} days ago",
            days(added)
        )),
        (None, None, ProductAccess::Products(_)) => {
            AccountActivity::Unknown("no activity is listed, nor when it was added")
        }
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
    let advice = "look in the console; the key may lack a scope, or the API has changed";
    UnreadList { cause: cause.to_owned(), advice: advice.to_owned() }
}
