//! What the admin lists of one organization hold, and why one could not be read.

use std::collections::HashMap;
use std::mem;

use super::records::{
    ApiToken, ListedDomain, ListedPolicy, OrgUser, policy_member, policy_member_address,
};
use crate::model::json::Document;
use crate::model::time::Timestamp;
use crate::source::admin_lists::AdminList;

/// Why a list could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadList {
    /// What failed, as one sentence without its end.
    pub cause: String,
    /// What to do.
    pub advice: String,
}

/// A list, or why there is none.
pub type ListResult<T> = Result<Vec<T>, UnreadList>;

/// The lists of one organization.
#[derive(Debug)]
pub struct OrgInventory {
    /// When the last of them was read.
    pub read_at: Timestamp,
    /// Users, each once.
    pub users: ListResult<OrgUser>,
    /// Domains.
    pub domains: ListResult<ListedDomain>,
    /// Policies but those of authentication.
    pub policies: ListResult<ListedPolicy>,
    /// The names of policies that could not be applied everywhere; of all others it is not known.
    pub failed_policies: ListResult<String>,
    /// API tokens of users.
    pub user_tokens: ListResult<ApiToken>,
    /// API keys.
    pub org_keys: ListResult<ApiToken>,
    /// API tokens of service accounts.
    pub service_tokens: ListResult<ApiToken>,
    /// The authentication policy of accounts that were asked for.
    pub auth_policies: Result<HashMap<String, String>, UnreadList>,
}

impl OrgInventory {
    /// An inventory without any list.
    pub fn unread(read_at: Timestamp) -> OrgInventory {
        let unread =
            || UnreadList { cause: "it was not asked for".to_owned(), advice: String::new() };
        OrgInventory {
            read_at,
            users: Err(unread()),
            domains: Err(unread()),
            policies: Err(unread()),
            failed_policies: Err(unread()),
            user_tokens: Err(unread()),
            org_keys: Err(unread()),
            service_tokens: Err(unread()),
            auth_policies: Err(unread()),
        }
    }

    /// Takes a list as it was received.
    pub fn take(&mut self, list: AdminList, entries: Result<&[Document], UnreadList>) {
        match list {
            AdminList::Users => self.users = entries.and_then(read_users),
            AdminList::Domains => self.domains = read_all(entries, ListedDomain::read),
            AdminList::Policies => self.policies = read_all(entries, ListedPolicy::read),
            AdminList::UserTokens => self.user_tokens = read_all(entries, ApiToken::read),
            AdminList::OrgKeys => self.org_keys = read_all(entries, ApiToken::read),
            AdminList::ServiceTokens => self.service_tokens = read_all(entries, ApiToken::read),
            // Their tokens are judged; the list itself is only written to the inventory.
            AdminList::ServiceAccounts => {}
        }
    }
}

fn read_all<T>(
    entries: Result<&[Document], UnreadList>,
    read: impl Fn(&Document) -> Option<T>,
) -> ListResult<T> {
    let entries = entries?;
    let read: Vec<T> = entries.iter().filter_map(read).collect();
    match read.len() == entries.len() {
        true => Ok(read),
        false => Err(UnreadList {
            cause: format!("{} of its entries cannot be read", entries.len() - read.len()),
            advice: "the API has changed, or a proxy alters responses: please report it".to_owned(),
        }),
    }
}

/// Each account once: a user that moves from one page to the next is listed twice. Of what its
/// entries do not agree on, nothing is known.
fn read_users(entries: &[Document]) -> ListResult<OrgUser> {
    let mut places = HashMap::new();
    let mut users: Vec<OrgUser> = Vec::new();
    for user in read_all(Ok(entries), OrgUser::read)? {
        match places.get(&user.id).and_then(|place: &usize| users.get_mut(*place)) {
            Some(known) => *known = mem::take(known).agreed_with(user),
            None => {
                places.insert(user.id.clone(), users.len());
                users.push(user);
            }
        }
    }
    Ok(users)
}

/// Whether a policy could not be applied to one of its resources.
///
/// # Errors
/// One does not say whether it was, and none says that it was not.
pub fn has_failed_resource(resources: &[Document]) -> Result<bool, UnreadList> {
    let states: Vec<Option<String>> = resources
        .iter()
        .map(|resource| resource.root().text_of("applicationStatus"))
        .map(|status| status.map(|status| status.to_ascii_lowercase()))
        .collect();
    let is = |state: &Option<String>, words: &[&str]| {
        state.as_deref().is_some_and(|state| words.contains(&state))
    };
    if states.iter().any(|state| is(state, &["failed"])) {
        return Ok(true);
    }
    // Only `failed` is known; whatever else means that it is not done yet is a guess.
    let is_open = |state: &Option<String>| is(state, &["pending", "in_progress", "queued"]);
    match states.is_empty() || states.iter().any(|state| state.is_none() || is_open(state)) {
        false => Ok(false),
        true => Err(UnreadList {
            cause: "it is not listed that the policy is applied everywhere".to_owned(),
            advice: "look where each allowlist is applied".to_owned(),
        }),
    }
}

/// The active managed accounts that have no two-step verification of their own.
pub fn accounts_without_mfa(inventory: &OrgInventory) -> Vec<String> {
    let users = inventory.users.as_ref().map(Vec::as_slice).unwrap_or_default();
    let without = users.iter().filter(|user| {
        user.is_person != Some(false) && user.is_active != Some(false) && user.has_mfa != Some(true)
    });
    without.map(|user| user.id.clone()).collect()
}

/// The policy of each account, from the entries of `bulk-fetch`, which name it by id or address.
pub fn member_policies(inventory: &OrgInventory, entries: &[Document]) -> HashMap<String, String> {
    let mut policies: HashMap<String, String> = entries.iter().filter_map(policy_member).collect();
    let by_address: HashMap<String, String> =
        entries.iter().filter_map(policy_member_address).collect();
    for user in inventory.users.iter().flatten() {
        let email = user.email.as_ref().map(|email| email.to_ascii_lowercase());
        if let Some(policy) = email.and_then(|email| by_address.get(&email)) {
            policies.entry(user.id.clone()).or_insert_with(|| policy.clone());
        }
    }
    policies
}
