//! The Jira platform API: audit records and users, at the site and through the gateway.

mod page;
mod users;

pub use page::records;
pub use users::bulk;

use super::{
    access::{self, SitePermission},
    exchange::ParsedRequest,
    reply::{ApiReply, jira_error},
    route::SiteAccess,
};

const NOT_ADMIN: &str =
    "You are not authorized to perform this operation. Administrator privileges are required.";
/// "Free plan" is what tells this 403 from the other one (quoted in jira.js' live tests).
const FREE_PLAN: &str = "Audit logs aren't available for this site as all of its Jira Cloud products are on Free plans.";

/// The 401 or 403 for a credential that is not enough for audit records, and the 404 for another site.
pub fn refusal(ask: &ParsedRequest, way: &SiteAccess, free_plan: bool) -> Option<ApiReply> {
    match access::authenticate(ask, way) {
        Err(refused) => Some(refused),
        Ok(SitePermission::AdminWithoutScope) => Some(access::scope_mismatch()),
        Ok(SitePermission::NotAdmin) => Some(jira_error(403, NOT_ADMIN)),
        Ok(SitePermission::Admin) if free_plan => Some(jira_error(403, FREE_PLAN)),
        Ok(SitePermission::Admin) => access::unknown_site(way),
    }
}

/// The 429, in Jira's shape with its reason header.
pub fn rate_limited() -> ApiReply {
    jira_error(429, "Rate limit exceeded.").header("ratelimit-reason", "jira-burst-based")
}
