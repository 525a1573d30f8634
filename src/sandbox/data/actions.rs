//! The kinds of organization events: how often each happens, who does it, what it is about and how
//! it reads.

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorRole {
    /// Any of the people.
    Anyone,
    /// An administrator.
    Admin,
    /// A service account with an API token.
    Service,
}

/// What it is about: the event's `context`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// The actor only.
    Self_,
    /// Another user.
    User,
    /// A user and a group.
    Membership,
    /// A user and a product.
    Access,
    /// The organization.
    Org,
    /// Something of this context type, one of these names.
    Thing(&'static str, &'static [&'static str]),
}

/// A kind of event.
#[derive(Clone, Copy, Debug)]
pub struct ActionKind {
    /// `attributes.action`
    pub action: &'static str,
    /// How often it happens, relative to the others.
    pub weight: u32,
    /// Who does it.
    pub who: ActorRole,
    /// What it is about.
    pub about: SubjectKind,
    /// The message: `{a}` is the actor, `{1}` and `{2}` what it is about.
    pub says: &'static str,
}

const fn kind(
    action: &'static str,
    weight: u32,
    who: ActorRole,
    about: SubjectKind,
    says: &'static str,
) -> ActionKind {
    ActionKind { action, weight, who, about, says }
}

use ActorRole::{Admin, Anyone, Service};
use SubjectKind::{Access, Membership, Org, Self_, Thing, User};

const GROUP: SubjectKind = Thing(
    "groups",
    &["jira-admins", "confluence-users", "optics-team", "finance", "contractors", "site-admins"],
);
const POLICY: SubjectKind = Thing(
    "policies",
    &["Password strength", "Session length", "External users", "Mobile app", "Office IP range"],
);
const DOMAIN: SubjectKind = Thing("domains", &["lindenfell.example", "lindenfell-labs.example"]);
const PROVIDER: SubjectKind = Thing("identityProviders", &["Corporate SSO", "Labs SSO"]);
const TOKEN: SubjectKind =
    Thing("apiTokens", &["laptop script", "report export", "ci pipeline", "calendar sync"]);
const KEY: SubjectKind =
    Thing("apiKeys", &["SIEM collector", "SCIM provisioning", "quarterly review"]);
const SPACE: SubjectKind =
    Thing("spaces", &["Engineering", "Optics Lab", "People", "Finance", "Runbooks"]);
const PAGE: SubjectKind = Thing(
    "pages",
    &["Release checklist", "Onboarding", "Calibration notes", "On-call rota", "Budget 2027"],
);
const PROJECT: SubjectKind = Thing("projects", &["LENS", "OPS", "HELP", "FIN"]);
const REPO: SubjectKind =
    Thing("repositories", &["lens-firmware", "ops-tools", "website", "calibration"]);
const APP: SubjectKind = Thing("apps", &["Diagram Studio", "Time Ledger", "Release Notes Bot"]);
const PRODUCT: SubjectKind =
    Thing("products", &["Jira", "Confluence", "Jira Service Management", "Bitbucket"]);

/// All kinds.
#[rustfmt::skip] // a table reads as a table
pub const KINDS: &[ActionKind] = &[
    kind("user_login", 260, Anyone, Self_, "{a} logged in"),
    kind("user_login_failed", 26, Anyone, Self_, "{a} failed to log in"),
    kind("user_logout", 60, Anyone, Self_, "{a} logged out"),
    kind("user_password_changed", 8, Anyone, Self_, "{a} changed their password"),
    kind("user_two_step_verification_enabled", 4, Anyone, Self_, "{a} turned on two-step verification"),
    kind("user_email_changed", 2, Anyone, Self_, "{a} changed their email address"),
    kind("user_added_to_group", 46, Admin, Membership, "{a} added {1} to group {2}"),
    kind("user_removed_from_group", 24, Admin, Membership, "{a} removed {1} from group {2}"),
    kind("user_invited", 14, Admin, User, "{a} invited {1}"),
    kind("user_created", 8, Service, User, "{a} created the account of {1}"),
    kind("user_deactivated", 6, Service, User, "{a} deactivated {1}"),
    kind("user_reactivated", 3, Admin, User, "{a} reactivated {1}"),
    kind("user_suspended", 4, Admin, User, "{a} suspended {1}"),
    kind("user_removed_from_org", 3, Admin, User, "{a} removed {1} from the organization"),
    kind("user_profile_updated", 12, Service, User, "{a} updated the profile of {1}"),
    kind("user_logged_in_as_user", 2, Admin, User, "{a} logged in as {1}"),
    kind("user_granted_product_access", 18, Admin, Access, "{a} gave {1} access to {2}"),
    kind("user_revoked_product_access", 12, Admin, Access, "{a} revoked the access of {1} to {2}"),
    kind("org_admin_added", 2, Admin, User, "{a} made {1} an organization admin"),
    kind("org_admin_removed", 2, Admin, User, "{a} removed {1} from the organization admins"),
    kind("org_settings_updated", 4, Admin, Org, "{a} changed the settings of the organization"),
    kind("org_audit_log_exported", 3, Admin, Org, "{a} exported the audit log"),
    kind("api_token_created", 12, Anyone, TOKEN, "{a} created API token {1}"),
    kind("api_token_revoked", 8, Anyone, TOKEN, "{a} revoked API token {1}"),
    kind("api_key_created", 3, Admin, KEY, "{a} created organization API key {1}"),
    kind("api_key_revoked", 3, Admin, KEY, "{a} revoked organization API key {1}"),
    kind("group_created", 8, Admin, GROUP, "{a} created group {1}"),
    kind("group_deleted", 4, Admin, GROUP, "{a} deleted group {1}"),
    kind("group_renamed", 3, Admin, GROUP, "{a} renamed group {1}"),
    kind("policy_created", 4, Admin, POLICY, "{a} created policy {1}"),
    kind("policy_updated", 8, Admin, POLICY, "{a} updated policy {1}"),
    kind("policy_deleted", 2, Admin, POLICY, "{a} deleted policy {1}"),
    kind("policy_enabled", 3, Admin, POLICY, "{a} enabled policy {1}"),
    kind("domain_claimed", 2, Admin, DOMAIN, "{a} claimed domain {1}"),
    kind("domain_verified", 2, Admin, DOMAIN, "{a} verified domain {1}"),
    kind("domain_removed", 1, Admin, DOMAIN, "{a} removed domain {1}"),
    kind("saml_configuration_created", 1, Admin, PROVIDER, "{a} set up SAML for {1}"),
    kind("saml_configuration_updated", 3, Admin, PROVIDER, "{a} changed SAML for {1}"),
    kind("scim_sync_completed", 30, Service, PROVIDER, "{a} finished synchronizing {1}"),
    kind("product_added", 1, Admin, PRODUCT, "{a} added {1}"),
    kind("product_access_settings_updated", 3, Admin, PRODUCT, "{a} changed who may join {1}"),
    kind("app_installed", 4, Admin, APP, "{a} installed {1}"),
    kind("app_uninstalled", 2, Admin, APP, "{a} uninstalled {1}"),
    kind("app_access_granted", 4, Anyone, APP, "{a} gave {1} access to their account"),
    kind("confluence_page_viewed", 120, Anyone, PAGE, "{a} viewed page {1}"),
    kind("confluence_page_created", 30, Anyone, PAGE, "{a} created page {1}"),
    kind("confluence_page_updated", 60, Anyone, PAGE, "{a} updated page {1}"),
    kind("confluence_page_deleted", 8, Anyone, PAGE, "{a} deleted page {1}"),
    kind("confluence_space_created", 3, Anyone, SPACE, "{a} created space {1}"),
    kind("confluence_space_permission_updated", 8, Anyone, SPACE, "{a} changed who may see space {1}"),
    kind("confluence_space_export", 3, Anyone, SPACE, "{a} exported space {1}"),
    kind("jira_project_created", 4, Admin, PROJECT, "{a} created project {1}"),
    kind("jira_project_updated", 8, Admin, PROJECT, "{a} updated project {1}"),
    kind("jira_issue_viewed", 110, Anyone, PROJECT, "{a} viewed an issue of project {1}"),
    kind("jira_issue_deleted", 8, Anyone, PROJECT, "{a} deleted an issue of project {1}"),
    kind("jira_permission_scheme_updated", 5, Admin, PROJECT, "{a} changed the permissions of project {1}"),
    kind("jira_issues_exported", 4, Anyone, PROJECT, "{a} exported issues of project {1}"),
    kind("bitbucket_repository_created", 4, Anyone, REPO, "{a} created repository {1}"),
    kind("bitbucket_repository_access_changed", 5, Admin, REPO, "{a} changed who may read repository {1}"),
    kind("bitbucket_branch_restriction_updated", 5, Anyone, REPO, "{a} changed the branch rules of repository {1}"),
    kind("bitbucket_ssh_key_added", 4, Anyone, REPO, "{a} added an SSH key to repository {1}"),
    kind("bitbucket_pipeline_run", 60, Service, REPO, "{a} ran the pipeline of repository {1}"),
];

/// A kind for `draw`, which lies below [`total_weight`].
pub fn at_weight(mut draw: u32) -> &'static ActionKind {
    for kind in KINDS {
        if draw < kind.weight {
            return kind;
        }
        draw -= kind.weight;
    }
    &KINDS[0]
}

/// The sum of all weights.
pub fn total_weight() -> u32 {
    KINDS.iter().map(|kind| kind.weight).sum()
}
