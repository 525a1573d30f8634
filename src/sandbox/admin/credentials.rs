//! Reads of API tokens, API keys and service accounts.

use super::{
    directory::{AccessToken, OrgKey},
    paging::ListPage,
    read_context::ReadContext,
    user_management,
};
use crate::sandbox::{
    ORG_ID, access,
    json_text::{JsonObject, JsonText, array, object},
    reply::{AdminError, ApiReply, gateway_error},
};

/// `GET .../api-tokens`: the tokens of users, or of one of them.
pub fn tokens(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let tokens = context.directory.tokens.iter().filter(|token| !token.is_of_service);
    token_page(context, "api-tokens", tokens.collect())
}

/// `GET .../service-accounts/api-tokens`: the tokens of all service accounts, or of one.
pub fn service_tokens(
    context: &ReadContext<'_>,
    owner: Option<&str>,
) -> Result<ApiReply, AdminError> {
    let tokens = context.directory.tokens.iter().filter(|token| token.is_of_service);
    let tokens = tokens.filter(|token| owner.is_none_or(|owner| owner == token.owner_id));
    let label = context.request.param("tokenLabel");
    let tokens = tokens.filter(|token| label.is_none_or(|label| label == token.label));
    token_page(context, "service-tokens", tokens.collect())
}

fn token_page(
    context: &ReadContext<'_>,
    name: &str,
    tokens: Vec<&AccessToken>,
) -> Result<ApiReply, AdminError> {
    let page = ListPage::of(context.behaviour, context.page_request(), name, tokens)?;
    let data = page.json(|token| token_json(context, token));
    Ok(ApiReply::json(200, object! {"data": data, "links": page.links(context.behaviour)}))
}

fn token_json(context: &ReadContext<'_>, token: &AccessToken) -> JsonObject {
    let (name, email) = context.directory.owner(token.owner_id);
    let user = object! {"id": token.owner_id, "orgId": ORG_ID, "name": name, "email": email};
    object! {
        "id": token.id, "label": token.label, "status": token.status,
        "createdAt": ReadContext::time(token.created_ms),
        "expiresAt": token.expires_ms.map(ReadContext::time),
        "lastActiveAt": token.last_active_ms.map(ReadContext::time), "user": user,
    }
}

/// `GET .../api-tokens/count`
pub fn token_count(context: &ReadContext<'_>) -> ApiReply {
    let tokens = context.directory.tokens.iter().filter(|token| !token.is_of_service);
    ApiReply::json(200, tokens.count())
}

/// `GET /users/{account}/manage/api-tokens`: an array.
pub fn tokens_of_user(context: &ReadContext<'_>) -> ApiReply {
    let id = context.path_part(1).unwrap_or_default();
    let Some(account) = context.directory.account(&id) else {
        return user_management::unknown_user();
    };
    if context.behaviour.admin_hides_disabled_tokens && account.deactivated_ms.is_some() {
        return user_management::forbidden("forbidden.action", "The account is deactivated.");
    }
    let tokens = context.directory.tokens.iter().filter(|token| token.owner_id == id);
    let tokens = tokens.map(|token| {
        object! {
            "id": token.id, "label": token.label,
            "createdAt": ReadContext::time(token.created_ms),
            "lastAccess": token.last_active_ms.map(ReadContext::time),
            "expiry": token.expires_ms.map(ReadContext::time),
        }
    });
    ApiReply::json(200, array(tokens))
}

/// `GET .../api-keys`: the page of keys that the cursor names.
///
/// A test may serve any other text. A key without `read:keys:admin` is refused as for any missing
/// scope.
pub fn keys(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let behaviour = context.behaviour;
    if behaviour.hides_keys {
        return Ok(access::scope_mismatch());
    }
    if !behaviour.key_pages.is_empty() {
        return Ok(scripted_key_page(context));
    }
    let page = ListPage::of(behaviour, context.page_request(), "api-keys", listed_keys(context))?;
    let data = page.json(|key| key_json(context, key));
    Ok(ApiReply::json(200, object! {"data": data, "links": page.links(behaviour)}))
}

/// The page of [`crate::sandbox::Behaviour::key_pages`] that the cursor names.
fn scripted_key_page(context: &ReadContext<'_>) -> ApiReply {
    let page = match context.request.param("cursor") {
        None => Some(0),
        Some(cursor) => cursor.strip_prefix("page-").and_then(|number| number.parse().ok()),
    };
    match page.and_then(|page: usize| context.behaviour.key_pages.get(page)) {
        Some(text) => ApiReply::new(200, "application/json", text.clone()),
        None => gateway_error(400, "Unknown cursor"),
    }
}

fn listed_keys<'a>(context: &ReadContext<'a>) -> Vec<&'a OrgKey> {
    let all = context.behaviour.many_keys;
    context.directory.keys.iter().filter(|key| all || key.is_default).collect()
}

fn key_json(context: &ReadContext<'_>, key: &OrgKey) -> JsonObject {
    let (name, email) = context.directory.owner(key.created_by);
    let scopes: Vec<String> = key.scopes.iter().map(|it| format!("read:{it}:admin")).collect();
    object! {
        "id": key.id, "name": JsonText::when(key.is_default, key.label), "label": key.label,
        "createdAt": ReadContext::time(key.created_ms),
        "expiresAt": key.expires_ms.map(ReadContext::time),
        "lastActiveAt": key.last_active_ms.map(ReadContext::time),
        "systemAccountId": format!("712020:system-{}", &key.id[..8]),
        "resource": format!("ari:cloud:platform::org/{ORG_ID}"), "orgId": ORG_ID,
        "createdBy": object! {"id": key.created_by, "name": name, "email": email},
        "scopes": scopes,
    }
}

/// `GET .../api-keys/count`
pub fn key_count(context: &ReadContext<'_>) -> ApiReply {
    match context.behaviour.hides_keys {
        true => access::scope_mismatch(),
        false => ApiReply::json(200, listed_keys(context).len()),
    }
}

/// `GET .../service-accounts`
pub fn service_accounts(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let all: Vec<_> = context.directory.service_accounts.iter().collect();
    let total = all.len();
    let page = ListPage::of(context.behaviour, context.page_request(), "service-accounts", all)?;
    let items = page.json(|account| {
        object! {
            "atlassianId": account.id, "id": account.id, "email": account.email,
            "displayName": account.name, "picture": (),
            "container": format!("ari:cloud:platform::org/{ORG_ID}"),
            "updatedAt": account.updated_ms, "status": "ACTIVE",
            "createdById": account.created_by, "description": (),
        }
    });
    let links = page.links(context.behaviour);
    Ok(ApiReply::json(200, object! {"items": items, "total": total, "links": links}))
}

/// `POST .../service-accounts/count`
pub fn service_account_count(context: &ReadContext<'_>) -> ApiReply {
    ApiReply::json(200, context.directory.service_accounts.len())
}
