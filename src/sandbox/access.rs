//! Whose credential a request bears, and the refusal where it is not enough.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{
    API_KEY, API_KEY_NO_SCOPE, API_KEY_RESPOND_SCOPED, API_KEY_SCOPED, Api, CLOUD_ID,
    DATACENTER_PASSWORD, DATACENTER_TOKEN, DATACENTER_TOKEN_NOT_ADMIN, DATACENTER_USER,
    DATACENTER_USER_NOT_ADMIN, JIRA_EMAIL, JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN, JIRA_TOKEN_NO_SCOPE,
    JIRA_TOKEN_NOT_ADMIN, JIRA_TOKEN_SCOPED,
    admin::{AdminEndpoint, EndpointAccess, scope_required},
    reply::{ApiReply, error, gateway_error},
    request::{ParsedRequest, SandboxEndpoint},
    server_state::ServerState,
};

const UNAUTHENTICATED: &str = "Client must be authenticated to access this resource.";
const JIRA_NOT_ADMIN: &str =
    "You are not authorized to perform this operation. Administrator privileges are required.";
const CONFLUENCE_NOT_ADMIN: &str = "User is not permitted to perform this operation: Confluence \
    administrator permission is required.";
const DATACENTER_NOT_ADMIN: &str = "You need to be a system administrator to see the audit log.";
/// "Free plan" distinguishes this 403 from the other one (quoted in jira.js' live tests).
const JIRA_FREE_PLAN: &str = "Audit logs aren't available for this site as all of its Jira Cloud \
    products are on Free plans.";
/// "Free edition" distinguishes this 403 from the other one (airbytehq/airbyte 23862).
const CONFLUENCE_FREE_PLAN: &str = "Cannot make this request because you are on Free edition. \
    Please upgrade to standard or premium.";

/// The refusal of a request whose credential is not enough for its endpoint.
pub fn refusal(state: &ServerState, request: &ParsedRequest) -> Option<ApiReply> {
    match request.endpoint {
        SandboxEndpoint::TenantInfo | SandboxEndpoint::Unknown => return None,
        SandboxEndpoint::Whoami => captcha(state),
        SandboxEndpoint::Orgs
        | SandboxEndpoint::Org
        | SandboxEndpoint::EventActions(Api::OrgEvents)
        | SandboxEndpoint::Audit(Api::OrgEvents) => org_refusal(request),
        SandboxEndpoint::Audit(Api::DatacenterAudit) => {
            captcha(state).or_else(|| match datacenter_user(request) {
                Some(DATACENTER_USER) => None,
                Some(_) => Some(error(Api::DatacenterAudit, 403, DATACENTER_NOT_ADMIN)),
                None => Some(error(Api::DatacenterAudit, 401, UNAUTHENTICATED)),
            })
        }
        SandboxEndpoint::Admin(endpoint) => admin_refusal(endpoint, request),
        SandboxEndpoint::JiraUsers => site_permission(request).err(),
        SandboxEndpoint::Audit(
            api @ (Api::JiraAudit
            | Api::ConfluenceAudit
            | Api::JiraWorkspace
            | Api::ConfluenceWorkspace),
        )
        | SandboxEndpoint::EventActions(api)
        | SandboxEndpoint::EventQueries(api, _) => {
            site_refusal(api, state.behaviour.free_plan, request)
        }
    }
    .or_else(|| unknown_site(request))
}

/// The 401 of the organizations API, in the gateway's shape. A missing scope is a 401 too.
fn org_refusal(request: &ParsedRequest) -> Option<ApiReply> {
    match org_key(request) {
        None => Some(gateway_error(401, "Unauthorized")),
        Some(_) if request.endpoint.api().is_none() => None,
        Some(key) => (!key.has_scope("read:events:admin")).then(scope_mismatch),
    }
}

/// The scopes of the keys that read; those of [`API_KEY_SCOPED`].
const POSTURE_SCOPES: &[&str] = &[
    "read:directories:admin",
    "read:groups:admin",
    "read:domains:admin",
    "read:policies:admin",
    "read:tokens:admin",
    "read:keys:admin",
    "read:service-accounts:admin",
    "read:service-accounts-tokens:admin",
    "read:workspaces:admin",
    "read:events:admin",
];
/// The scopes that [`API_KEY_RESPOND_SCOPED`] has besides.
const RESPOND_SCOPES: &[&str] = &["write:policies:admin", "delete:keys:admin"];

/// What a key of the organization may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OrgPermission {
    /// It has no scopes, and may do everything.
    Unscoped,
    /// It has the scopes of these lists.
    Scoped([&'static [&'static str]; 2]),
}

impl OrgPermission {
    fn has_scope(self, scope: &str) -> bool {
        match self {
            Self::Unscoped => true,
            Self::Scoped(lists) => lists.iter().any(|list| list.contains(&scope)),
        }
    }
}

/// What the key of a request may do; None where it is no key of the organization.
fn org_key(request: &ParsedRequest) -> Option<OrgPermission> {
    match request.authorization.as_deref()?.strip_prefix("Bearer ")? {
        API_KEY => Some(OrgPermission::Unscoped),
        API_KEY_SCOPED => Some(OrgPermission::Scoped([POSTURE_SCOPES, &[]])),
        API_KEY_RESPOND_SCOPED => Some(OrgPermission::Scoped([POSTURE_SCOPES, RESPOND_SCOPES])),
        API_KEY_NO_SCOPE => Some(OrgPermission::Scoped([&[], &[]])),
        _ => None,
    }
}

/// Whether the key of a request has scopes that limit what it may read.
pub fn has_scopes(request: &ParsedRequest) -> bool {
    let given = request.authorization.as_deref().unwrap_or_default();
    [API_KEY_SCOPED, API_KEY_RESPOND_SCOPED].iter().any(|key| given.ends_with(key))
}

/// The refusal of the admin APIs: 401 for a missing scope, 403 where no scope is enough.
fn admin_refusal(endpoint: AdminEndpoint, request: &ParsedRequest) -> Option<ApiReply> {
    let Some(key) = org_key(request) else {
        return Some(gateway_error(401, "Unauthorized"));
    };
    match endpoint.access() {
        _ if key == OrgPermission::Unscoped => None,
        EndpointAccess::Scope(scope) => (!key.has_scope(scope)).then(scope_mismatch),
        EndpointAccess::UnscopedManage => Some(scope_required()),
        EndpointAccess::UnscopedDirectory => {
            Some(gateway_error(403, "The key is not allowed to change users."))
        }
    }
}

/// What the sender of a request may do at the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SitePermission {
    Admin,
    AdminWithoutScope,
    NotAdmin,
}

/// The accounts and tokens of the site. A token with scopes, the last two, is good at the gateway
/// only (sooperset/mcp-atlassian 968).
const SITE_TOKENS: [(&str, &str, bool, SitePermission); 4] = [
    (JIRA_EMAIL, JIRA_TOKEN, false, SitePermission::Admin),
    (JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN_NOT_ADMIN, false, SitePermission::NotAdmin),
    (JIRA_EMAIL, JIRA_TOKEN_SCOPED, true, SitePermission::Admin),
    (JIRA_EMAIL, JIRA_TOKEN_NO_SCOPE, true, SitePermission::AdminWithoutScope),
];

/// The 401 or 403 of Jira's and Confluence's audit records, and of their workspaces.
fn site_refusal(api: Api, is_free: bool, request: &ParsedRequest) -> Option<ApiReply> {
    let (not_admin, free_plan) = match api {
        Api::ConfluenceAudit | Api::ConfluenceWorkspace => {
            (CONFLUENCE_NOT_ADMIN, CONFLUENCE_FREE_PLAN)
        }
        _ => (JIRA_NOT_ADMIN, JIRA_FREE_PLAN),
    };
    match site_permission(request) {
        Err(refused) => Some(refused),
        Ok(SitePermission::AdminWithoutScope) => Some(scope_mismatch()),
        Ok(SitePermission::NotAdmin) => Some(error(api, 403, not_admin)),
        Ok(SitePermission::Admin) => is_free.then(|| error(api, 403, free_plan)),
    }
}

/// What the sender may do at the site; else the 401, which Jira and Confluence word alike.
fn site_permission(request: &ParsedRequest) -> Result<SitePermission, ApiReply> {
    let is_gateway = request.cloud_id.is_some();
    let found = SITE_TOKENS.iter().find(|(account, token, needs_gateway, _)| {
        (is_gateway || !needs_gateway) && has_token(request, account, token)
    });
    match (found, &request.authorization) {
        (Some((.., permission)), _) => Ok(*permission),
        (None, _) if is_gateway => Err(gateway_error(401, "Unauthorized")),
        (None, None) => Err(error(Api::JiraAudit, 401, UNAUTHENTICATED)),
        (None, Some(_)) => Err(error(Api::JiraAudit, 401, UNAUTHENTICATED)
            .header("x-seraph-loginreason", "AUTHENTICATED_FAILED")),
    }
}

/// Whether the request bears this token: with the account (Basic) or alone (Bearer).
fn has_token(request: &ParsedRequest, account: &str, token: &str) -> bool {
    let given = request.authorization.as_deref().unwrap_or_default();
    given == basic(account, token) || given == format!("Bearer {token}")
}

fn basic(account: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{account}:{password}")))
}

/// The gateway's 401 for a missing scope, recognised by its text and a header (recorded on
/// `api.atlassian.com/ex`).
pub fn scope_mismatch() -> ApiReply {
    gateway_error(401, "Unauthorized; scope does not match")
        .header("x-failure-category", "FAILURE_CLIENT_SCOPE_CHECK")
}

/// The gateway's 404 for a site that it does not know.
fn unknown_site(request: &ParsedRequest) -> Option<ApiReply> {
    let is_known = request.cloud_id.as_ref().is_none_or(|id| id == CLOUD_ID);
    (!is_known).then(|| gateway_error(404, "Not Found"))
}

/// The refusal of an account that is locked until its owner solves a CAPTCHA at the login page,
/// whatever the credential (developer.atlassian.com/server/jira/platform/basic-authentication).
fn captcha(state: &ServerState) -> Option<ApiReply> {
    let status = state.behaviour.datacenter_captcha?;
    let login = format!("{}/dc/login.jsp?os_destination=%2F", state.base_url);
    let reply = error(Api::DatacenterAudit, status, "Basic Authentication Failure")
        .header("x-authentication-denied-reason", &format!("CAPTCHA_CHALLENGE; login-url={login}"))
        .header("x-seraph-loginreason", "AUTHENTICATION_DENIED");
    Some(reply)
}

/// Whose credential it is at the Data Center product. A personal access token needs no account
/// beside it.
pub fn datacenter_user(request: &ParsedRequest) -> Option<&'static str> {
    let given = request.authorization.as_deref()?;
    if given == basic(DATACENTER_USER, DATACENTER_PASSWORD) {
        return Some(DATACENTER_USER);
    }
    match given.strip_prefix("Bearer ")? {
        DATACENTER_TOKEN => Some(DATACENTER_USER),
        DATACENTER_TOKEN_NOT_ADMIN => Some(DATACENTER_USER_NOT_ADMIN),
        _ => None,
    }
}
