//! `GET /admin/api-access/v1/orgs/{org_id}/api-keys`: the organization's keys, as far as they are known to be told.
//!
//! Path, scope and parameters are documented; the fields of an answer are not. By default they are named like those of
//! the list of user tokens beside it, and a test may serve any other text.

use chrono::{DateTime, TimeDelta};

use super::errors;
use crate::sandbox::{
    ErrorEnvelope, ORG_ID, access,
    exchange::ParsedRequest,
    json_text::JsonObject,
    reply::{ApiReply, gateway_body},
    server_state::ServerState,
};

/// The page that the cursor asks for; a key without `read:keys:admin` is refused as for any missing scope.
pub fn api_keys(world: &ServerState, ask: &ParsedRequest, id: &str) -> ApiReply {
    if id != ORG_ID {
        return errors::UNKNOWN_ORG.reply(ErrorEnvelope::Errors, &ask.path);
    }
    if !world.behaviour.lists_keys {
        return access::scope_mismatch();
    }
    let page = match ask.param("cursor") {
        None => Some(0),
        Some(cursor) => cursor
            .strip_prefix("page-")
            .and_then(|number| number.parse().ok()),
    };
    match page.map(|page: usize| (page, world.behaviour.key_pages.get(page))) {
        Some((_, Some(text))) => ApiReply::json(200, text.clone()),
        Some((0, None)) => ApiReply::json(200, default_key_list(world)),
        _ => ApiReply::json(400, gateway_body(400, "Unknown cursor")),
    }
}

/// One key, made two months ago for a year.
fn default_key_list(world: &ServerState) -> String {
    let day = |days: i64| {
        let now = DateTime::from_timestamp_millis(world.now_ms()).unwrap_or_default();
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
    JsonObject::new()
        .raw("data", &format!("[{key}]"))
        .raw("links", "{}")
        .finish()
}
