//! The Confluence Cloud REST API v1: audit records, at the site and through the gateway.

mod page;

pub use page::records;

use super::{
    access::{self, SitePermission},
    exchange::ParsedRequest,
    json_text::JsonObject,
    reply::ApiReply,
    route::SiteAccess,
};

const NOT_ADMIN: &str = "User is not permitted to perform this operation: Confluence administrator permission is required.";
/// "Free edition" is what tells this 403 from the other one (airbytehq/airbyte 23862).
const FREE_PLAN: &str = "Cannot make this request because you are on Free edition. Please upgrade to standard or premium.";

/// The 401 or 403 for a credential that is not enough for audit records, and the 404 for another site.
pub fn refusal(ask: &ParsedRequest, way: &SiteAccess, free_plan: bool) -> Option<ApiReply> {
    match access::authenticate(ask, way) {
        Err(refused) => Some(refused),
        Ok(SitePermission::AdminWithoutScope) => Some(access::scope_mismatch()),
        Ok(SitePermission::NotAdmin) => Some(error(403, NOT_ADMIN)),
        Ok(SitePermission::Admin) if free_plan => Some(error(403, FREE_PLAN)),
        Ok(SitePermission::Admin) => access::unknown_site(way),
    }
}

/// An error in Confluence's shape: `{statusCode, data, message}`.
pub fn error(status: u16, message: &str) -> ApiReply {
    let authorized = if status == 403 { "false" } else { "true" };
    let data = JsonObject::new()
        .raw("authorized", authorized)
        .raw("valid", "true")
        .raw("errors", "[]")
        .raw("successful", "false");
    let body = JsonObject::new()
        .raw("statusCode", &status.to_string())
        .raw("data", &data.finish())
        .text("message", message);
    ApiReply::json(status, body.finish())
}
