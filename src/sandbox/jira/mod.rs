//! The Jira platform API: audit records at the site and through the gateway, and the site's cloud id.

mod dates;
mod log;
mod page;

pub use log::{JiraLog, JiraRecord};
pub use page::records;

use super::{
    CLOUD_ID, JIRA_EMAIL, JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN, JIRA_TOKEN_NOT_ADMIN, base64,
    exchange::Ask,
    json_text::Object,
    reply::{Reply, gateway_body, jira_error},
};

const UNAUTHENTICATED: &str = "Client must be authenticated to access this resource.";
const NOT_ADMIN: &str =
    "You are not authorized to perform this operation. Administrator privileges are required.";
/// "Free plan" is what tells this 403 from the other one (quoted in jira.js' live tests).
const FREE_PLAN: &str = "Audit logs aren't available for this site as all of its Jira Cloud products are on Free plans.";

/// The 401 or 403 for a credential that is not enough.
pub fn refusal(ask: &Ask, gateway: bool, free_plan: bool) -> Option<Reply> {
    let given = ask.authorization.as_deref().unwrap_or_default();
    let is = |email: &str, token: &str| {
        let basic = base64::encode(format!("{email}:{token}").as_bytes());
        given == format!("Basic {basic}") || given == format!("Bearer {token}")
    };
    if is(JIRA_EMAIL, JIRA_TOKEN) {
        return free_plan.then(|| jira_error(403, FREE_PLAN));
    }
    if is(JIRA_EMAIL_NOT_ADMIN, JIRA_TOKEN_NOT_ADMIN) {
        return Some(jira_error(403, NOT_ADMIN));
    }
    if gateway {
        return Some(Reply::json(401, gateway_body(401, "Unauthorized")));
    }
    let reply = jira_error(401, UNAUTHENTICATED);
    Some(match ask.authorization {
        Some(_) => reply.header("x-seraph-loginreason", "AUTHENTICATED_FAILED"),
        None => reply,
    })
}

/// The 429, in Jira's shape with its reason header.
pub fn rate_limited() -> Reply {
    jira_error(429, "Rate limit exceeded.").header("ratelimit-reason", "jira-burst-based")
}

/// `GET /_edge/tenant_info`
pub fn tenant_info() -> Reply {
    Reply::json(200, Object::new().text("cloudId", CLOUD_ID).finish())
}
