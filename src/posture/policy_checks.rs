//! The checks of domains, and of policies that an API lists.

use super::event_checks;
use super::finding::{CheckResult, FindingBasis, FindingItem, PostureVerdict};
use super::org_inventory::UnreadList;
use super::records::ListedPolicy;
use super::subject::PostureSubject;
use crate::model::text::plural;

/// Domains that are not verified. Whoever has none did not get to see them: an organization without
/// a domain manages no account.
pub fn domains_verified(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let domains = subject.inventory.domains.as_ref().map_err(Clone::clone)?;
    let is_current = |status: &str| !matches!(status, "deleted" | "superseded");
    let current: Vec<_> =
        domains.iter().filter(|domain| domain.status.as_deref().is_none_or(is_current)).collect();
    if current.is_empty() {
        return Err(UnreadList {
            cause: "no domain is listed".to_owned(),
            advice: "look whether there is one; without a verified domain no account is managed"
                .to_owned(),
        });
    }
    let items: Vec<_> = current
        .iter()
        .filter(|domain| domain.status.as_deref() != Some("verified"))
        .map(|domain| FindingItem {
            id: domain.name.clone(),
            name: None,
            reason: format!("is {}", domain.status.as_deref().unwrap_or("of unknown status")),
        })
        .collect();
    let all = plural(current.len() as u64, "domain", "domains");
    let (verdict, summary) = match items.len() {
        0 => (PostureVerdict::Pass, format!("{all}, verified")),
        unverified => (PostureVerdict::Fail, format!("{unverified} of {all} not verified")),
    };
    Ok(inventory(verdict, summary).with_items(items, current.len()))
}

/// Allowlists of addresses: none enabled, or one that lets everybody in, or is not applied.
pub fn ip_allowlist(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let lists = policies_of_kind(subject, "ip-allowlist")?;
    let enabled: Vec<_> = lists.iter().copied().filter(|list| list.is_in_force()).collect();
    let unclear: Vec<_> = lists.iter().copied().filter(|list| list.status.is_none()).collect();
    if enabled.is_empty() && unclear.is_empty() {
        let all = plural(lists.len() as u64, "IP allowlist", "IP allowlists");
        return Ok(inventory(PostureVerdict::Fail, format!("{all}, none enabled")));
    }
    let failed = subject.inventory.failed_policies.as_ref();
    let mut items = Vec::new();
    let (mut wrong, mut doubtful) = (0, unclear.len());
    items.extend(unclear.iter().map(|list| item(list, "does not say whether it is enabled")));
    for list in &enabled {
        match list.admits_everybody() {
            Some(true) => {
                wrong += 1;
                items.push(item(list, "lets every address in"));
            }
            Some(false) if list.ranges.is_empty() => {
                doubtful += 1;
                items.push(item(list, "lists no range"));
            }
            Some(false) => {}
            None => {
                doubtful += 1;
                items.push(item(list, "has a range that cannot be read"));
            }
        }
        if failed.is_ok_and(|failed| failed.contains(&list.id)) {
            wrong += 1;
            items.push(item(list, "could not be applied to a site or product"));
        }
    }
    let all = plural(enabled.len() as u64, "enabled IP allowlist", "enabled IP allowlists");
    let result = match (wrong, doubtful, failed) {
        (0, 0, Ok(_)) => inventory(PostureVerdict::Pass, all),
        (0, 0, Err(unread)) => {
            let what = format!("{all}, but not where they are applied: {}", unread.cause);
            inventory(PostureVerdict::CouldNotRead, what).with_advice(unread.advice.clone())
        }
        (0, _, _) => inventory(PostureVerdict::Review, format!("{all}, to be looked at")),
        (_, _, _) => inventory(PostureVerdict::Fail, format!("{all}, with faults")),
    };
    Ok(result.with_items(items, enabled.len() + unclear.len()))
}

/// Data security policies that restrict exports, and how far they reach.
pub fn data_export(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let policies = policies_of_kind(subject, "data-security")?;
    let active: Vec<_> = policies.iter().copied().filter(|policy| policy.is_in_force()).collect();
    let blocking: Vec<_> = active
        .iter()
        .copied()
        .filter(|policy| policy.export_effect.as_deref() == Some("block"))
        .collect();
    let all = plural(policies.len() as u64, "data security policy", "data security policies");
    if blocking.is_empty() {
        let items = policies.iter().map(|policy| {
            let status = policy.status.as_deref().unwrap_or("of unknown status");
            let export = policy.export_effect.as_deref().unwrap_or("not listed");
            item(policy, &format!("is {status}, its export rule is {export}"))
        });
        let summary = format!("{all}, none of them active and blocking exports");
        return Ok(
            inventory(PostureVerdict::Fail, summary).with_items(items.collect(), policies.len())
        );
    }
    let covers = |level: &str| blocking.iter().any(|it| it.coverage.as_deref() == Some(level));
    let is_assigned = |policy: &&ListedPolicy| policy.coverage.as_deref() != Some("UNASSIGNED");
    let items: Vec<_> = blocking
        .iter()
        .filter(|policy| policy.coverage.as_deref() != Some("ORG"))
        .map(|policy| {
            let coverage = policy.coverage.as_deref().unwrap_or("not listed");
            item(policy, &format!("covers {coverage}"))
        })
        .collect();
    let (verdict, summary) = if covers("ORG") {
        (PostureVerdict::Pass, "exports are blocked in the whole organization".to_owned())
    } else if blocking.iter().copied().any(|policy| is_assigned(&policy)) {
        (PostureVerdict::Review, format!("{all}; exports are blocked only in a part"))
    } else {
        (PostureVerdict::Fail, format!("{all}; the one that blocks exports covers nothing"))
    };
    let items = if verdict == PostureVerdict::Pass { Vec::new() } else { items };
    Ok(inventory(verdict, summary).with_items(items, policies.len()))
}

/// The declared mobile policy, beside what an API does show: whether an allowlist lets mobile apps
/// in from everywhere.
pub fn mobile_policy(subject: &PostureSubject<'_>) -> Result<CheckResult, UnreadList> {
    let declared = event_checks::mobile_policy(subject)?;
    let lists = match policies_of_kind(subject, "ip-allowlist") {
        _ if declared.verdict == PostureVerdict::Fail => return Ok(declared),
        Ok(lists) => lists,
        Err(unread) if declared.verdict == PostureVerdict::Pass => {
            let what = "whether an IP allowlist has a mobile bypass is not known";
            let summary = format!("{}; {what}: {}", declared.summary, unread.cause);
            let result = inventory(PostureVerdict::CouldNotRead, summary);
            return Ok(result.with_advice(unread.advice));
        }
        Err(_) => return Ok(declared),
    };
    let applied = lists.iter().filter(|list| list.is_in_force() || list.status.is_none());
    let (mut bypassed, mut unclear) = (Vec::new(), Vec::new());
    for list in applied {
        let mobile = "mobile apps in from every address (`allowMobileBypass`)";
        match list.allows_mobile_bypass {
            Some(true) => bypassed.push(item(list, &format!("lets {mobile}"))),
            Some(false) => {}
            None => unclear.push(item(list, &format!("does not say whether it lets {mobile}"))),
        }
    }
    let what = match (bypassed.len() as u64, unclear.len() as u64) {
        (0, 0) => return Ok(declared),
        // Without a declaration there is no verdict that this could change.
        (0, _) if declared.verdict != PostureVerdict::Pass => return Ok(declared),
        (0, unclear) => plural(unclear, "IP allowlist may have", "IP allowlists may have"),
        (bypassed, _) => plural(bypassed, "IP allowlist has", "IP allowlists have"),
    };
    let summary = format!("{}; {what} a mobile bypass", declared.summary);
    let items = bypassed.into_iter().chain(unclear).collect();
    Ok(inventory(PostureVerdict::Review, summary).with_items(items, lists.len()).with_advice(
        "switch the mobile bypass off, or enforce a mobile app policy and declare `mobile_policy`",
    ))
}

fn policies_of_kind<'a>(
    subject: &'a PostureSubject<'_>,
    kind: &str,
) -> Result<Vec<&'a ListedPolicy>, UnreadList> {
    let policies = subject.inventory.policies.as_ref().map_err(Clone::clone)?;
    Ok(policies.iter().filter(|policy| policy.kind == kind).collect())
}

fn inventory(verdict: PostureVerdict, summary: impl Into<String>) -> CheckResult {
    CheckResult::new(verdict, FindingBasis::Inventory, summary)
}

fn item(policy: &ListedPolicy, reason: &str) -> FindingItem {
    FindingItem { id: policy.id.clone(), name: policy.name.clone(), reason: reason.to_owned() }
}
