//! The checks of API tokens and keys.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::finding::{CheckResult, FindingBasis, FindingItem, PostureVerdict};
use super::org_inventory::UnreadList;
use super::records::{ApiToken, OrgUser};
use super::subject::PostureSubject;
use crate::model::text::plural;
use crate::model::time::Timestamp;

/// What the list of users says of the owner of a token.
enum TokenOwner {
    Active,
    NotActive,
    Unknown,
}

/// Tokens of users: without an end, for too long, unused, or of somebody who is not active.
pub fn user_tokens(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let tokens = subject.inventory.user_tokens.as_ref().map_err(Clone::clone)?;
    let owners =
        subject.inventory.users.as_ref().map(|users| {
            users.iter().map(|user| (user.id.as_str(), user)).collect::<HashMap<_, _>>()
        });
    let result = judge_tokens(subject, tokens, "API token of a user", |token| {
        let Ok(owners) = &owners else { return TokenOwner::Active };
        let owner = token.owner_id.as_deref().and_then(|id| owners.get(id));
        match owner.and_then(|owner| owner.is_active) {
            Some(true) => TokenOwner::Active,
            Some(false) => TokenOwner::NotActive,
            None => TokenOwner::Unknown,
        }
    });
    Ok(match (&result.verdict, owners) {
        (PostureVerdict::Pass, Err(unread)) => CheckResult {
            verdict: PostureVerdict::CouldNotRead,
            summary: format!("{}; their owners were not checked: {}", result.summary, unread.cause),
            advice: Some(unread.advice.clone()),
            ..result
        },
        (_, _) => result,
    })
}

/// Tokens of service accounts: without an end, for too long, or unused.
pub fn service_tokens(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let tokens = subject.inventory.service_tokens.as_ref().map_err(Clone::clone)?;
    Ok(judge_tokens(subject, tokens, "API token of a service account", |_| TokenOwner::Active))
}

fn judge_tokens(
    subject: &PostureSubject<'_>,
    tokens: &[ApiToken],
    what: &str,
    owner_of: impl Fn(&ApiToken) -> TokenOwner,
) -> CheckResult {
    let valid: Vec<_> =
        tokens.iter().filter(|token| !token.is_blocked && !has_ended(subject, token)).collect();
    let whats = format!("{}s{}", &what[..9], &what[9..]);
    if tokens.is_empty() {
        // An empty list looks the same whether there are none, or this key may not see them.
        let summary = format!("no {what} is listed");
        return inventory(PostureVerdict::Review, summary)
            .with_items(Vec::new(), 0)
            .with_advice("look once whether there are really none: an empty list proves nothing");
    }
    let (mut items, mut failed) = (Vec::new(), 0);
    for token in &valid {
        let mut faults = token_faults(subject, token);
        let owner = owner_of(token);
        failed += usize::from(!faults.is_empty() || matches!(owner, TokenOwner::NotActive));
        match owner {
            TokenOwner::Active => {}
            TokenOwner::NotActive => faults.push("its owner is not active".to_owned()),
            TokenOwner::Unknown => faults.push("its owner is not known to be active".to_owned()),
        }
        if !faults.is_empty() {
            items.push(item(token, faults));
        }
    }
    let all = plural(valid.len() as u64, what, &whats);
    let (verdict, summary) = match (failed, items.len()) {
        (0, 0) if valid.is_empty() => {
            let all = plural(tokens.len() as u64, what, &whats);
            (PostureVerdict::Pass, format!("{all}, each blocked or expired"))
        }
        (0, 0) => (PostureVerdict::Pass, format!("{all}, each with an end and in use")),
        (0, doubtful) => (PostureVerdict::Review, format!("{doubtful} of {all} to be looked at")),
        (failed, _) => (PostureVerdict::Fail, format!("{failed} of {all} with faults")),
    };
    inventory(verdict, summary).with_items(items, valid.len())
}

fn token_faults(subject: &PostureSubject<'_>, token: &ApiToken) -> Vec<String> {
    let mut faults = Vec::new();
    match (token.created, token.expires) {
        (_, None) => faults.push("has no end".to_owned()),
        (Some(created), Some(expires)) => {
            let days = (expires - created).num_days();
            if days > i64::from(subject.settings.thresholds.token_days) || days < 0 {
                faults.push(format!("lasts {days} days"));
            }
        }
        (None, Some(_)) => faults.push("does not say when it was created".to_owned()),
    }
    faults.extend(idle_fault(subject, token));
    faults
}

/// Keys of the organization: old, unused, without scopes, of somebody who is no admin any more; or
/// about to end.
pub fn org_keys(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let keys = subject.inventory.org_keys.as_ref().map_err(Clone::clone)?;
    let valid: Vec<_> = keys.iter().filter(|key| !has_ended(subject, key)).collect();
    if valid.is_empty() {
        return Err(UnreadList {
            cause: "no valid API key is listed, and one was just used".to_owned(),
            advice: String::new(),
        });
    }
    let (mut items, mut failed) = (Vec::new(), 0);
    for key in &valid {
        let faults = key_faults(subject, key);
        let doubts = key_doubts(subject, key);
        failed += usize::from(!faults.is_empty());
        if !faults.is_empty() || !doubts.is_empty() {
            items.push(item(key, faults.into_iter().chain(doubts).collect()));
        }
    }
    let all = plural(valid.len() as u64, "API key", "API keys");
    let (verdict, summary) = match (failed, items.len()) {
        (0, 0) => (PostureVerdict::Pass, format!("{all}, young, scoped and in use")),
        (0, doubtful) => (PostureVerdict::Review, format!("{doubtful} of {all} to be looked at")),
        (failed, _) => (PostureVerdict::Fail, format!("{failed} of {all} with faults")),
    };
    Ok(inventory(verdict, summary).with_items(items, valid.len()))
}

fn key_faults(subject: &PostureSubject<'_>, key: &ApiToken) -> Vec<String> {
    let mut faults = Vec::new();
    let limit = subject.settings.thresholds.key_days;
    if let Some(age) = key.created.map(|created| days_since(subject, created))
        && age > i64::from(limit)
    {
        faults.push(format!("is {age} days old"));
    }
    faults.extend(idle_fault(subject, key));
    if key.scopes.as_ref().is_some_and(Vec::is_empty) {
        faults.push("has no scopes, and so may do everything".to_owned());
    }
    if let Some(creator) = creator_of(subject, key)
        && (creator.is_active == Some(false) || creator.roles.is_some() && !is_org_admin(creator))
    {
        faults.push("was created by somebody who is no active admin".to_owned());
    }
    faults
}

fn key_doubts(subject: &PostureSubject<'_>, key: &ApiToken) -> Vec<String> {
    let mut doubts = Vec::new();
    let soon = TimeDelta::days(i64::from(subject.settings.thresholds.ends_soon_days));
    match key.expires {
        Some(expires) if expires - subject.now <= soon => {
            doubts.push(format!("ends in {} days", (expires - subject.now).num_days()));
        }
        Some(_) => {}
        None => doubts.push("does not say when it ends".to_owned()),
    }
    if key.scopes.is_none() {
        doubts.push("does not list its scopes".to_owned());
    }
    if key.created.is_none() {
        doubts.push("does not say when it was created".to_owned());
    }
    match creator_of(subject, key) {
        None => doubts.push("was created by somebody who is not listed".to_owned()),
        Some(creator) if creator.is_active.is_none() || creator.roles.is_none() => {
            doubts.push("was created by somebody whose status or roles are not listed".to_owned());
        }
        Some(_) => {}
    }
    doubts
}

fn creator_of<'a>(subject: &'a PostureSubject<'_>, key: &ApiToken) -> Option<&'a OrgUser> {
    let id = key.owner_id.as_deref()?;
    subject.inventory.users.iter().flatten().find(|user| user.id == id)
}

fn is_org_admin(user: &OrgUser) -> bool {
    user.has_role("org-admin")
}

fn has_ended(subject: &PostureSubject<'_>, token: &ApiToken) -> bool {
    token.expires.is_some_and(|expires| expires <= subject.now)
}

/// Not used for `idle_days`, or never since it was made so long ago.
fn idle_fault(subject: &PostureSubject<'_>, token: &ApiToken) -> Option<String> {
    let limit = i64::from(subject.settings.thresholds.idle_days);
    match (token.last_active, token.created) {
        (Some(last), _) if last > subject.now + TimeDelta::days(1) => {
            Some("was last used in the future, by its list".to_owned())
        }
        (Some(last), _) => {
            let days = days_since(subject, last);
            (days > limit).then(|| format!("was not used for {days} days"))
        }
        (None, Some(created)) => {
            let days = days_since(subject, created);
            (days > limit).then(|| format!("was never used in {days} days"))
        }
        (None, None) => None,
    }
}

fn days_since(subject: &PostureSubject<'_>, time: Timestamp) -> i64 {
    (subject.now - time).num_days()
}

fn inventory(verdict: PostureVerdict, summary: impl Into<String>) -> CheckResult {
    CheckResult::new(verdict, FindingBasis::Inventory, summary)
}

fn item(token: &ApiToken, faults: Vec<String>) -> FindingItem {
    let owner = token.owner.as_deref().map(|owner| format!(" of {owner}")).unwrap_or_default();
    let label = token.label.as_deref().unwrap_or(&token.id);
    FindingItem {
        id: token.id.clone(),
        name: Some(format!("{label}{owner}")),
        reason: faults.join(", "),
    }
}
