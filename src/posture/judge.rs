//! The table of checks: what each asks, which lists it needs, and where its settings are.

use std::collections::BTreeSet;

use super::finding::{CheckResult, FindingBasis, PostureFinding, PostureVerdict};
use super::org_inventory::UnreadList;
use super::policy_history::PolicyHistory;
use super::subject::PostureSubject;
use super::{account_checks, event_checks, policy_checks, token_checks};
use crate::config::posture::PostureCheck;
use crate::source::admin_lists::AdminList;

/// What is known of a check besides its rule.
struct CheckFacts {
    /// What should be true.
    title: &'static str,
    /// What to do if it is not.
    advice: &'static str,
    /// Where that is done, from admin.atlassian.com on.
    console: &'static str,
    /// The lists that it looks at.
    lists: &'static [AdminList],
    /// The rule.
    judge: fn(&PostureSubject<'_>) -> Result<CheckResult, UnreadList>,
}

const AUTH_POLICIES: &str = "Security > Authentication policies";
const MOBILE_POLICIES: &str = "Security > Mobile app policies";

/// What is known of a check. The console's paths are those of support.atlassian.com, 2026.
fn facts(check: PostureCheck) -> &'static CheckFacts {
    match check {
        PostureCheck::MfaAdmins => &MFA_ADMINS,
        PostureCheck::MfaUsers => &MFA_USERS,
        PostureCheck::MfaRule => &MFA_RULE,
        PostureCheck::SessionRule => &SESSION_RULE,
        PostureCheck::PasswordRule => &PASSWORD_RULE,
        PostureCheck::MobilePolicy => &MOBILE_POLICY,
        PostureCheck::MobileData => &MOBILE_DATA,
        PostureCheck::AdminsCount => &ADMINS_COUNT,
        PostureCheck::AdminsIdle => &ADMINS_IDLE,
        PostureCheck::UsersIdle => &USERS_IDLE,
        PostureCheck::UsersExternal => &USERS_EXTERNAL,
        PostureCheck::DomainsVerified => &DOMAINS_VERIFIED,
        PostureCheck::IpAllowlist => &IP_ALLOWLIST,
        PostureCheck::DataExport => &DATA_EXPORT,
        PostureCheck::TokensUsers => &TOKENS_USERS,
        PostureCheck::KeysOrg => &KEYS_ORG,
        PostureCheck::ServiceTokens => &SERVICE_TOKENS,
        PostureCheck::AuditLog => &AUDIT_LOG,
    }
}

/// The lists that these checks look at.
pub fn lists_needed(checks: &[PostureCheck]) -> BTreeSet<AdminList> {
    checks.iter().flat_map(|check| facts(*check).lists).copied().collect()
}

/// Whether these checks look at the authentication policies of users.
pub fn needs_policy_members(checks: &[PostureCheck]) -> bool {
    checks.iter().any(|check| matches!(check, PostureCheck::MfaAdmins | PostureCheck::MfaUsers))
}

/// The result of each check, in their order.
pub fn judge_posture(subject: &PostureSubject<'_>, checks: &[PostureCheck]) -> Vec<PostureFinding> {
    checks.iter().map(|check| judge(subject, *check)).collect()
}

fn judge(subject: &PostureSubject<'_>, check: PostureCheck) -> PostureFinding {
    let facts = facts(check);
    let result = (facts.judge)(subject).unwrap_or_else(|unread| {
        let advice = match unread.advice.is_empty() {
            true => facts.advice.to_owned(),
            false => unread.advice,
        };
        CheckResult::new(PostureVerdict::CouldNotRead, FindingBasis::Nothing, unread.cause)
            .with_advice(advice)
    });
    let advice = match result.verdict {
        PostureVerdict::Pass => None,
        _ => Some(result.advice.unwrap_or_else(|| facts.advice.to_owned())),
    };
    let declared = subject.settings.declared.as_ref();
    let as_of = match result.basis {
        FindingBasis::Inventory | FindingBasis::Nothing => Some(subject.inventory.read_at),
        FindingBasis::Events => subject.history.and_then(PolicyHistory::newest),
        FindingBasis::Declared => declared
            .map(|declared| declared.on.and_time(Default::default()))
            .map(|day| day.and_utc()),
    };
    PostureFinding {
        schema: "atlaudit-posture/1",
        source: subject.source.to_owned(),
        org_id: subject.org_id.to_owned(),
        check,
        title: facts.title,
        verdict: result.verdict,
        basis: result.basis,
        as_of: as_of.unwrap_or(subject.now),
        summary: result.summary,
        affected: result.items.len() as u64,
        of: result.of,
        items: result.items,
        advice,
        console: facts.console,
    }
}

static MFA_ADMINS: CheckFacts = CheckFacts {
    title: "Every active admin has two-step verification",
    advice: "have each set up two-step verification, or move them to a policy that \
                     enforces it or single sign-on, and name that policy in `enforced_policies`",
    console: AUTH_POLICIES,
    lists: &[AdminList::Users],
    judge: account_checks::mfa_admins,
};

static MFA_USERS: CheckFacts = CheckFacts {
    title: "Every active managed user has two-step verification",
    advice: "enforce two-step verification in their authentication policy; name policies \
                     that enforce it or single sign-on in `enforced_policies`",
    console: AUTH_POLICIES,
    lists: &[AdminList::Users],
    judge: account_checks::mfa_users,
};

static MFA_RULE: CheckFacts = CheckFacts {
    title: "Authentication policies require two-step verification",
    advice: "look at each policy, then declare `two_step_required`",
    console: AUTH_POLICIES,
    lists: &[],
    judge: event_checks::mfa_rule,
};

static SESSION_RULE: CheckFacts = CheckFacts {
    title: "Idle sessions end",
    advice: "look at the idle session duration of each policy, then declare \
                     `idle_session`",
    console: AUTH_POLICIES,
    lists: &[],
    judge: event_checks::session_rule,
};

static PASSWORD_RULE: CheckFacts = CheckFacts {
    title: "Passwords must be strong",
    advice: "look at the password requirements of each policy, then declare \
                     `password_strength`",
    console: AUTH_POLICIES,
    lists: &[],
    judge: event_checks::password_rule,
};

static MOBILE_POLICY: CheckFacts = CheckFacts {
    title: "A mobile app policy is enforced",
    advice: "look at the mobile app policies, then declare `mobile_policy`",
    console: MOBILE_POLICIES,
    lists: &[AdminList::Policies],
    judge: policy_checks::mobile_policy,
};

static MOBILE_DATA: CheckFacts = CheckFacts {
    title: "The mobile app policy protects data",
    advice: "look at the app data protection of the mobile app policies, then declare \
                     `mobile_data_protection`",
    console: MOBILE_POLICIES,
    lists: &[],
    judge: event_checks::mobile_data,
};

static ADMINS_COUNT: CheckFacts = CheckFacts {
    title: "There are few organization admins, and more than one",
    advice: "take the role from those who do not need it; keep two at least",
    console: "Directory > Users, filter: Organization admin",
    lists: &[AdminList::Users],
    judge: account_checks::admins_count,
};

static ADMINS_IDLE: CheckFacts = CheckFacts {
    title: "Every admin is active",
    advice: "take the role from those who do not use it",
    console: "Directory > Users, filter: Organization admin",
    lists: &[AdminList::Users],
    judge: account_checks::admins_idle,
};

static USERS_IDLE: CheckFacts = CheckFacts {
    title: "Every active managed user is used",
    advice: "deactivate or suspend those who left",
    console: "Directory > Managed accounts",
    lists: &[AdminList::Users],
    judge: account_checks::users_idle,
};

static USERS_EXTERNAL: CheckFacts = CheckFacts {
    title: "No outsider administrates, and each with access is known",
    advice: "take admin roles from accounts that you do not manage, and remove those that \
                     need no access",
    console: "Directory > Users, filter: External",
    lists: &[AdminList::Users],
    judge: account_checks::users_external,
};

static DOMAINS_VERIFIED: CheckFacts = CheckFacts {
    title: "Every domain is verified",
    advice: "verify the domain, or remove it",
    console: "Settings > Domains",
    lists: &[AdminList::Domains],
    judge: policy_checks::domains_verified,
};

static IP_ALLOWLIST: CheckFacts = CheckFacts {
    title: "An IP allowlist restricts who comes from where",
    advice: "enable an allowlist with the ranges of your offices and VPN",
    console: "Security > IP allowlists",
    lists: &[AdminList::Policies],
    judge: policy_checks::ip_allowlist,
};

static DATA_EXPORT: CheckFacts = CheckFacts {
    title: "A data security policy restricts exports",
    advice: "activate a data security policy whose export rule blocks",
    console: "Security > Data security policies",
    lists: &[AdminList::Policies],
    judge: policy_checks::data_export,
};

static TOKENS_USERS: CheckFacts = CheckFacts {
    title: "API tokens of users end, and are used by active users",
    advice: "have their owners make new ones that end, and revoke the others",
    console: "Security > User API tokens",
    lists: &[AdminList::UserTokens, AdminList::Users],
    judge: token_checks::user_tokens,
};

static KEYS_ORG: CheckFacts = CheckFacts {
    title: "API keys of the organization are young, used, scoped and owned",
    advice: "make new keys with the scopes that are needed, and revoke the others",
    console: "Settings > API keys",
    lists: &[AdminList::OrgKeys, AdminList::Users],
    judge: token_checks::org_keys,
};

static SERVICE_TOKENS: CheckFacts = CheckFacts {
    title: "API tokens of service accounts end, and are used",
    advice: "make new tokens that end, and revoke the others",
    console: "Directory > Service accounts",
    lists: &[AdminList::ServiceTokens],
    judge: token_checks::service_tokens,
};

static AUDIT_LOG: CheckFacts = CheckFacts {
    title: "The audit log is written, and nothing of it was switched off",
    advice: "find out who did that, and switch it on again",
    console: "Security > Audit log > Settings",
    lists: &[],
    judge: event_checks::audit_log,
};

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
