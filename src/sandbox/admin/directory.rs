//! The organization that the admin APIs show and change: accounts, tokens, keys, domains, policies.

/// The identifier in a path that means every directory.
pub const EVERY_DIRECTORY: &str = "-";

/// The state of the organization.
#[derive(Clone, Debug)]
pub struct OrgDirectory {
    /// Whether it was composed without faults.
    pub is_sound: bool,
    /// The directories of users.
    pub directories: Vec<DirectoryInfo>,
    /// The accounts that a search of users finds.
    pub accounts: Vec<OrgAccount>,
    /// The service accounts.
    pub service_accounts: Vec<ServiceAccount>,
    /// The API tokens of accounts and service accounts.
    pub tokens: Vec<AccessToken>,
    /// The API keys of the organization.
    pub keys: Vec<OrgKey>,
    /// The claimed domains.
    pub domains: Vec<OrgDomain>,
    /// The policies, those of authentication excluded.
    pub policies: Vec<OrgPolicy>,
    /// The tasks that moved accounts to another authentication policy.
    pub tasks: Vec<PolicyTask>,
}

/// A directory of users.
#[derive(Clone, Debug)]
pub struct DirectoryInfo {
    /// Its id.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
}

/// An account. Times are epoch milliseconds.
#[derive(Clone, Debug)]
pub struct OrgAccount {
    /// Atlassian account id.
    pub id: &'static str,
    /// `atlassian` or `app`.
    pub kind: &'static str,
    /// Display name.
    pub name: &'static str,
    /// Mail address; an app has none.
    pub email: Option<&'static str>,
    /// `managed` or `unmanaged`; an app has neither.
    pub claim: Option<&'static str>,
    /// `invited` or `synced`.
    pub source: Option<&'static str>,
    /// Whether it has Atlassian's own two-step verification.
    pub has_mfa: bool,
    /// Platform roles, as `atlassian/org-admin`.
    pub roles: Vec<&'static str>,
    /// Its authentication policy; only managed accounts have one.
    pub policy_id: Option<String>,
    /// Its directories.
    pub memberships: Vec<DirectoryMembership>,
    /// The products that it may use.
    pub products: Vec<&'static str>,
    /// When it last used them.
    pub last_active_ms: Option<i64>,
    /// When it was added to the organization.
    pub added_ms: i64,
    /// When it was deactivated.
    pub deactivated_ms: Option<i64>,
}

/// The place of an account in a directory.
#[derive(Clone, Copy, Debug)]
pub struct DirectoryMembership {
    /// The directory.
    pub directory_id: &'static str,
    /// Whether it is suspended there.
    pub is_suspended: bool,
}

/// An account that a program uses.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Atlassian account id.
    pub id: &'static str,
    /// Display name.
    pub name: &'static str,
    /// Mail address.
    pub email: &'static str,
    /// Who created it.
    pub created_by: &'static str,
    /// When it was changed, epoch milliseconds.
    pub updated_ms: i64,
}

/// An API token of an account or a service account. Times are epoch milliseconds.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// Its id.
    pub id: &'static str,
    /// Its label.
    pub label: &'static str,
    /// The account id of its owner.
    pub owner_id: &'static str,
    /// Whether the owner is a service account.
    pub is_of_service: bool,
    /// `ALLOWED` or `BLOCKED`.
    pub status: &'static str,
    /// When it was created.
    pub created_ms: i64,
    /// When it ends; None: never.
    pub expires_ms: Option<i64>,
    /// When it was last used.
    pub last_active_ms: Option<i64>,
}

/// An API key of the organization. Times are epoch milliseconds.
#[derive(Clone, Debug)]
pub struct OrgKey {
    /// Its id.
    pub id: &'static str,
    /// Its label.
    pub label: &'static str,
    /// The account id of who created it.
    pub created_by: &'static str,
    /// Whether it is listed unless there are many.
    pub is_default: bool,
    /// Its scopes; none: it may do everything.
    pub scopes: Vec<&'static str>,
    /// When it was created.
    pub created_ms: i64,
    /// When it ends.
    pub expires_ms: Option<i64>,
    /// When it was last used.
    pub last_active_ms: Option<i64>,
}

/// A domain that the organization claims.
#[derive(Clone, Debug)]
pub struct OrgDomain {
    /// Its name.
    pub name: &'static str,
    /// How it is claimed: `dns` or `http`.
    pub method: &'static str,
    /// `verified`, `unverified` or another status of a claim.
    pub status: &'static str,
}

/// A policy of the organization.
#[derive(Clone, Debug)]
pub struct OrgPolicy {
    /// Its id.
    pub id: &'static str,
    /// Its type, as `ip-allowlist`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its status.
    pub status: &'static str,
    /// The JSON text of its rule.
    pub rule: &'static str,
    /// The JSON text of its metadata.
    pub metadata: &'static str,
    /// What it applies to, and how that went.
    pub resources: Vec<(String, &'static str)>,
    /// When it was created, epoch milliseconds.
    pub created_ms: i64,
    /// When it was changed, epoch milliseconds.
    pub updated_ms: i64,
}

/// A task that moved accounts to another authentication policy.
#[derive(Clone, Debug)]
pub struct PolicyTask {
    /// Its id.
    pub id: String,
    /// How many more requests find it in progress.
    pub polls_left: usize,
    /// How many accounts were moved.
    pub moved: usize,
    /// The addresses of accounts that were not.
    pub failed: Vec<String>,
}

impl OrgDirectory {
    /// The account with this id.
    pub fn account(&self, id: &str) -> Option<&OrgAccount> {
        self.accounts.iter().find(|account| account.id == id)
    }

    /// The account with this id, to change it.
    pub fn account_mut(&mut self, id: &str) -> Option<&mut OrgAccount> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    /// The service account with this id.
    pub fn service_account(&self, id: &str) -> Option<&ServiceAccount> {
        self.service_accounts.iter().find(|account| account.id == id)
    }

    /// Name and address of the owner of a token, or the creator of a key.
    pub fn owner(&self, id: &str) -> (&'static str, Option<&'static str>) {
        let account = self.account(id).map(|account| (account.name, account.email));
        let service = || Some(self.service_account(id)?).map(|it| (it.name, Some(it.email)));
        account.or_else(service).unwrap_or(("Former user", None))
    }
}

impl OrgAccount {
    /// Whether the organization manages it.
    pub fn is_managed(&self) -> bool {
        self.claim == Some("managed")
    }

    /// Whether it is part of this directory, or of any where that means every directory.
    pub fn is_in(&self, directory: &str) -> bool {
        directory == EVERY_DIRECTORY
            || self.memberships.iter().any(|it| it.directory_id == directory)
    }

    /// `accountStatus`
    pub fn account_status(&self) -> &'static str {
        if self.deactivated_ms.is_some() { "inactive" } else { "active" }
    }

    /// `membershipStatus`, as this directory shows it: suspended only where all that it shows are.
    pub fn membership_status(&self, directory: &str) -> &'static str {
        let shown = self.memberships.iter();
        let mut shown =
            shown.filter(|it| directory == EVERY_DIRECTORY || it.directory_id == directory);
        match shown.next().map(|first| first.is_suspended && shown.all(|it| it.is_suspended)) {
            None => "no_membership",
            Some(true) => "suspended",
            Some(false) => "active",
        }
    }

    /// `status`: the other two statuses in one word.
    pub fn status(&self, directory: &str) -> &'static str {
        match (self.account_status(), self.membership_status(directory)) {
            ("inactive", _) => "deactivated",
            (_, "no_membership") => "not_invited",
            (_, other) => other,
        }
    }
}
