//! Whose credential a request to the Cloud site bears, and what it may do there and through the
//! gateway.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{
    CLOUD_ID, JIRA_EMAIL, JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN, JIRA_TOKEN_NO_SCOPE,
    JIRA_TOKEN_NOT_ADMIN, JIRA_TOKEN_SCOPED,
    json_text::JsonObject,
    reply::{ApiReply, gateway_body, jira_error},
    request::{ParsedRequest, SiteAccess},
};

const UNAUTHENTICATED: &str = "Client must be authenticated to access this resource.";

/// What the sender of a request may do at the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SitePermission {
    /// An administrator.
    Admin,
    /// An administrator whose token has no scope for audit logs.
    AdminWithoutScope,
    /// Anybody else who may sign in.
    NotAdmin,
}

/// What the sender may do; else the 401, which Jira and Confluence word alike.
///
/// A token with scopes is good at the gateway only (sooperset/mcp-atlassian 968).
pub fn permission(request: &ParsedRequest, way: &SiteAccess) -> Result<SitePermission, ApiReply> {
    let through_gateway = matches!(way, SiteAccess::Gateway(_));
    if has_token(request, JIRA_EMAIL, JIRA_TOKEN) {
        return Ok(SitePermission::Admin);
    }
    if has_token(request, JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN_NOT_ADMIN) {
        return Ok(SitePermission::NotAdmin);
    }
    if through_gateway && has_token(request, JIRA_EMAIL, JIRA_TOKEN_SCOPED) {
        return Ok(SitePermission::Admin);
    }
    if through_gateway && has_token(request, JIRA_EMAIL, JIRA_TOKEN_NO_SCOPE) {
        return Ok(SitePermission::AdminWithoutScope);
    }
    if through_gateway {
        return Err(ApiReply::json(401, gateway_body(401, "Unauthorized")));
    }
    let reply = jira_error(401, UNAUTHENTICATED);
    Err(match request.authorization {
        Some(_) => reply.header("x-seraph-loginreason", "AUTHENTICATED_FAILED"),
        None => reply,
    })
}

/// Whether the request bears this token: with the account (Basic) or alone (Bearer).
pub fn has_token(request: &ParsedRequest, account: &str, token: &str) -> bool {
    let given = request.authorization.as_deref().unwrap_or_default();
    let basic = BASE64_STANDARD.encode(format!("{account}:{token}"));
    given == format!("Basic {basic}") || given == format!("Bearer {token}")
}

/// The gateway's 401 for a missing scope, recognised by its text and a header (recorded on
/// `api.atlassian.com/ex`).
pub fn scope_mismatch() -> ApiReply {
    let body = gateway_body(401, "Unauthorized; scope does not match");
    ApiReply::json(401, body).header("x-failure-category", "FAILURE_CLIENT_SCOPE_CHECK")
}

/// The gateway's 404 for a site that it does not know.
pub fn unknown_site(way: &SiteAccess) -> Option<ApiReply> {
    match way {
        SiteAccess::Gateway(id) if id != CLOUD_ID => {
            Some(ApiReply::json(404, gateway_body(404, "Not Found")))
        }
        SiteAccess::Gateway(_) | SiteAccess::Site => None,
    }
}

/// `GET /_edge/tenant_info`, which needs no credential.
pub fn tenant_info() -> ApiReply {
    ApiReply::json(200, JsonObject::new().text("cloudId", CLOUD_ID).finish())
}
