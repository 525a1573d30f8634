//! The organizations API: `/admin/v1/orgs`, one organization, its events-stream, and the list of
//! its keys.

mod cursor;
mod log;
mod page;

pub use log::OrgLog;
pub use page::events;

use chrono::{DateTime, TimeDelta};

use super::{
    API_KEY, API_KEY_NO_SCOPE, ErrorEnvelope, ORG_ID, ORG_NAME, access,
    json_text::JsonObject,
    reply::{ApiReply, UNKNOWN_ORG, gateway_body},
    request::ParsedRequest,
    server_state::ServerState,
};

/// The 401 for a credential that is no good, in the gateway's shape.
///
/// A missing scope is a 401 too.
pub fn refusal(request: &ParsedRequest) -> Option<ApiReply> {
    let key = request.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
    match key {
        Some(API_KEY) => None,
        Some(API_KEY_NO_SCOPE) if request.route.api().is_none() => None,
        Some(API_KEY_NO_SCOPE) => Some(access::scope_mismatch()),
        _ => Some(ApiReply::json(401, gateway_body(401, "Unauthorized"))),
    }
}

/// `GET /orgs`: nothing for a scoped key.
pub fn list(state: &ServerState) -> ApiReply {
    let link = format!("{}/admin/v1/orgs", state.base_url);
    let (data, links) = if state.behaviour.scoped_key {
        ("[]".to_owned(), "{}".to_owned())
    } else {
        (format!("[{}]", org()), JsonObject::new().text("self", &link).finish())
    };
    ApiReply::json(200, JsonObject::new().raw("data", &data).raw("links", &links).finish())
}

/// `GET /orgs/{org_id}`
pub fn one(id: &str, path: &str) -> ApiReply {
    if id != ORG_ID {
        return UNKNOWN_ORG.reply(ErrorEnvelope::Errors, path);
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

/// `GET /admin/api-access/v1/orgs/{org_id}/api-keys`: the page of keys that the cursor asks for.
///
/// Path, scope and parameters are documented, the fields of a response are not. By default they are
/// named like those of the list of user tokens, and a test may serve any other text. A key without
/// `read:keys:admin` is refused as for any missing scope.
pub fn api_keys(state: &ServerState, request: &ParsedRequest, id: &str) -> ApiReply {
    if id != ORG_ID {
        return UNKNOWN_ORG.reply(ErrorEnvelope::Errors, &request.path);
    }
    if !state.behaviour.lists_keys {
        return access::scope_mismatch();
    }
    let page = match request.param("cursor") {
        None => Some(0),
        Some(cursor) => cursor.strip_prefix("page-").and_then(|number| number.parse().ok()),
    };
    match page.map(|page: usize| (page, state.behaviour.key_pages.get(page))) {
        Some((_, Some(text))) => ApiReply::json(200, text.clone()),
        Some((0, None)) => ApiReply::json(200, default_key_list(state)),
        _ => ApiReply::json(400, gateway_body(400, "Unknown cursor")),
    }
}

/// One key, made two months ago for a year.
fn default_key_list(state: &ServerState) -> String {
    let day = |days: i64| {
        let now = DateTime::from_timestamp_millis(state.now_ms()).unwrap_or_default();
        let time = now + TimeDelta::try_days(days).unwrap_or_default();
        time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
    };
    let key = JsonObject::new()
        .text("id", "0d3f6a52-77c1-4b8e-9a40-5e2b1c9d8f36")
        .text("name", "audit collector")
        .text("createdAt", &day(-60))
        .text("expiresAt", &day(305))
        .text("lastActiveAt", &day(0))
        .finish();
    JsonObject::new().raw("data", &format!("[{key}]")).raw("links", "{}").finish()
}
