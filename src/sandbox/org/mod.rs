//! The organizations API: `/admin/v1/orgs`, one organization, its events-stream, and the list of its keys.

mod cursor;
pub mod errors;
mod keys;
mod log;
mod page;

pub use keys::api_keys;
pub use log::{OrgEvent, OrgLog};
pub use page::events;

use super::{
    API_KEY, API_KEY_NO_SCOPE, ErrorEnvelope, ORG_ID, ORG_NAME, access,
    exchange::ParsedRequest,
    json_text::JsonObject,
    reply::{ApiReply, gateway_body},
    server_state::ServerState,
};

/// The 401 for a credential that is no good, in the gateway's shape.
///
/// A missing scope is a 401 too.
pub fn refusal(ask: &ParsedRequest) -> Option<ApiReply> {
    let key = ask
        .authorization
        .as_deref()
        .and_then(|value| value.strip_prefix("Bearer "));
    match key {
        Some(API_KEY) => None,
        Some(API_KEY_NO_SCOPE) if ask.route.api().is_none() => None,
        Some(API_KEY_NO_SCOPE) => Some(access::scope_mismatch()),
        _ => Some(ApiReply::json(401, gateway_body(401, "Unauthorized"))),
    }
}

/// `GET /orgs`: nothing for a scoped key.
pub fn organizations(world: &ServerState) -> ApiReply {
    let link = format!("{}/admin/v1/orgs", world.base_url);
    let (data, links) = if world.behaviour.scoped_key {
        ("[]".to_owned(), "{}".to_owned())
    } else {
        (
            format!("[{}]", org()),
            JsonObject::new().text("self", &link).finish(),
        )
    };
    ApiReply::json(
        200,
        JsonObject::new()
            .raw("data", &data)
            .raw("links", &links)
            .finish(),
    )
}

/// `GET /orgs/{org_id}`
pub fn organization(id: &str, path: &str) -> ApiReply {
    if id != ORG_ID {
        return errors::UNKNOWN_ORG.reply(ErrorEnvelope::Errors, path);
    }
    ApiReply::json(200, JsonObject::new().raw("data", &org()).finish())
}

fn org() -> String {
    let attributes = JsonObject::new().text("name", ORG_NAME).finish();
    JsonObject::new()
        .text("id", ORG_ID)
        .text("type", "orgs")
        .raw("attributes", &attributes)
        .finish()
}
