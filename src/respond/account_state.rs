//! What was read of the account or key that a response is about, and the changes that follow.

use std::collections::BTreeMap;

use crate::config::respond::ResponseAction;
use crate::model::time::format_millis;
use crate::posture::{ApiToken, OrgUser};
use crate::source::org_account::{AccountPrivileges, WriteStep};

/// What a person adds to an action.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct PlanOptions {
    /// The authentication policy to move to.
    pub policy_id: Option<String>,
    /// The directories that it is about; all that hold the account, if none is named.
    pub directories: Vec<String>,
    /// What is stored with the block of a disabled account.
    pub message: Option<String>,
    /// Whether the account may be an admin's.
    pub allows_admin: bool,
}

/// A directory that holds the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryAccess {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// Whether the account's access is suspended there.
    pub is_suspended: Option<bool>,
}

/// An account, as it was read.
#[derive(Debug, Clone, Default)]
pub struct AccountState {
    /// The account.
    pub user: OrgUser,
    /// Whether it is a service account.
    pub is_service: bool,
    /// The directories that hold it.
    pub directories: Vec<DirectoryAccess>,
    /// What may be done to it, where the action needs to know.
    pub privileges: AccountPrivileges,
    /// Its API tokens, where the action needs them.
    pub tokens: Vec<ApiToken>,
    /// Its authentication policy, where that can be read.
    pub policy_id: Option<String>,
    /// Other people who are active organization admins.
    pub other_admins: usize,
    /// Valid API keys of the organization.
    pub keys: Vec<ApiToken>,
}

/// A key, as it was read.
#[derive(Debug, Clone)]
pub struct KeyState {
    /// What was asked for: the name or id.
    pub name: String,
    /// The key; none, if it is gone.
    pub key: Option<ApiToken>,
    /// All valid keys.
    pub keys: Vec<ApiToken>,
}

/// What a response is about.
#[derive(Debug, Clone)]
pub enum ResponseSubject {
    /// An account.
    Account(Box<AccountState>),
    /// An API key of the organization.
    Key(KeyState),
}

impl ResponseSubject {
    /// Its id: by which the plan names it.
    pub fn id(&self) -> &str {
        match self {
            ResponseSubject::Account(account) => &account.user.id,
            ResponseSubject::Key(key) => key.key.as_ref().map_or(&key.name, |key| &key.id),
        }
    }

    /// What a person types to confirm: the address of an account, the name of a key.
    pub fn label(&self) -> String {
        match self {
            ResponseSubject::Account(account) => {
                account.user.email.clone().unwrap_or_else(|| account.user.id.clone())
            }
            ResponseSubject::Key(key) => {
                let label = key.key.as_ref().and_then(|key| key.label.clone());
                label.unwrap_or_else(|| key.name.clone())
            }
        }
    }

    /// Whether it is a key that is not there any more.
    pub fn is_gone(&self) -> bool {
        matches!(self, ResponseSubject::Key(state) if state.key.is_none())
    }

    /// What must not change between the plan and its application.
    pub fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        let mut add = |key: &str, value: String| {
            if !value.is_empty() {
                facts.insert(key.to_owned(), value);
            }
        };
        match self {
            ResponseSubject::Account(account) => {
                let user = &account.user;
                add("name", user.name.clone().unwrap_or_default());
                add("access", known(user.is_active, "active", "not active"));
                add("account", known(user.is_enabled, "enabled", "disabled"));
                add("managed", known(user.is_managed, "yes", "no"));
                let roles: Vec<&str> = user.roles.iter().flatten().map(String::as_str).collect();
                add("roles", roles.join(", "));
                add("authentication policy", account.policy_id.clone().unwrap_or_default());
                for directory in &account.directories {
                    let access = known(directory.is_suspended, "suspended", "active");
                    add(&format!("directory {}", directory.id), access);
                }
                for token in &account.tokens {
                    let label = token.label.clone().unwrap_or_default();
                    add(&format!("token {}", token.id), label);
                }
            }
            ResponseSubject::Key(state) => {
                let Some(key) = &state.key else { return facts };
                add("owner", key.owner.clone().unwrap_or_default());
                add("created", key.created.map(format_millis).unwrap_or_default());
                add("expires", key.expires.map(format_millis).unwrap_or_default());
            }
        }
        facts
    }

    /// The changes that `action` makes; none, where it is done already.
    pub fn steps(&self, action: ResponseAction, options: &PlanOptions) -> Vec<WriteStep> {
        match self {
            ResponseSubject::Account(account) => account.steps(action, options),
            ResponseSubject::Key(state) => match (action, &state.key) {
                (ResponseAction::RevokeKey, Some(key)) => {
                    vec![WriteStep::RevokeKey { key_id: key.id.clone() }]
                }
                (_, _) => Vec::new(),
            },
        }
    }

    /// Whether what `action` was to do is to be seen.
    pub fn is_done(&self, action: ResponseAction, options: &PlanOptions) -> bool {
        let is_listed = match (self, action) {
            (
                ResponseSubject::Account(account),
                ResponseAction::Suspend | ResponseAction::Restore,
            ) => !account.directories.is_empty(),
            (_, _) => true,
        };
        is_listed && self.steps(action, options).is_empty()
    }
}

impl AccountState {
    fn steps(&self, action: ResponseAction, options: &PlanOptions) -> Vec<WriteStep> {
        let account_id = self.user.id.clone();
        let in_directories = |unless: bool| {
            let is_meant =
                |id: &String| options.directories.is_empty() || options.directories.contains(id);
            let directories = self.directories.iter().filter(move |it| is_meant(&it.id));
            directories.filter(move |it| it.is_suspended != Some(unless))
        };
        match action {
            ResponseAction::Suspend => in_directories(true)
                .map(|directory| WriteStep::Suspend {
                    directory_id: directory.id.clone(),
                    account_id: account_id.clone(),
                })
                .collect(),
            ResponseAction::Restore => in_directories(false)
                .map(|directory| WriteStep::Restore {
                    directory_id: directory.id.clone(),
                    account_id: account_id.clone(),
                })
                .collect(),
            ResponseAction::Disable if self.user.is_enabled != Some(false) => {
                vec![WriteStep::Disable { account_id, message: options.message.clone() }]
            }
            ResponseAction::Enable if self.user.is_enabled != Some(true) => {
                vec![WriteStep::Enable { account_id }]
            }
            ResponseAction::RevokeTokens => self
                .tokens
                .iter()
                .map(|token| WriteStep::RevokeToken {
                    account_id: account_id.clone(),
                    token_id: token.id.clone(),
                })
                .collect(),
            ResponseAction::Quarantine | ResponseAction::Release => {
                match (&options.policy_id, &self.user.email) {
                    (Some(policy), Some(email)) if self.policy_id.as_ref() != Some(policy) => {
                        vec![WriteStep::MoveToPolicy {
                            policy_id: policy.clone(),
                            email: email.clone(),
                        }]
                    }
                    (_, _) => Vec::new(),
                }
            }
            ResponseAction::Disable
            | ResponseAction::Enable
            | ResponseAction::RevokeKey
            | ResponseAction::SignInAgain
            | ResponseAction::Notify => Vec::new(),
        }
    }
}

fn known(value: Option<bool>, yes: &str, no: &str) -> String {
    match value {
        Some(true) => yes.to_owned(),
        Some(false) => no.to_owned(),
        None => "unknown".to_owned(),
    }
}
