//! Writes of the admin APIs: what each changes, and the event that it leaves in the log.

use serde_json::Value;

use super::{
    directory::{AccessToken, DirectoryMembership, EVERY_DIRECTORY},
    endpoint::AdminEndpoint,
    read_context::{json_body, path_part},
    tasks, user_management,
    write_events::{self, WriteEvent, WriteResult},
};
use crate::sandbox::{
    json_text::object,
    reply::{self, AdminError, ApiReply, gateway_error},
    request::ParsedRequest,
    server_state::ServerState,
};

const ONE_DIRECTORY: AdminError = AdminError::new(
    400,
    "ADMIN-400-19",
    "Invalid request",
    "A change needs the id of one directory.",
);
const UNKNOWN_USER: AdminError =
    AdminError::new(404, "ADMIN-404-3", "Not found", "User not found in this directory.");
const SAME_STATUS: AdminError = AdminError::new(
    409,
    "ADMIN-409-1",
    "Conflict",
    "The user's access already has the requested status.",
);

/// Executes a write.
pub fn answer(
    state: &mut ServerState,
    request: &ParsedRequest,
    endpoint: AdminEndpoint,
) -> ApiReply {
    let lag = state.behaviour.admin_lag;
    let before = (lag > 0).then(|| (state.directory.clone(), lag));
    let written = match endpoint {
        AdminEndpoint::SuspendUser => set_suspended(state, request, true),
        AdminEndpoint::RestoreUser => set_suspended(state, request, false),
        AdminEndpoint::DisableUser => set_deactivated(state, request, true),
        AdminEndpoint::EnableUser => set_deactivated(state, request, false),
        AdminEndpoint::RevokeUserToken => revoke_user_token(state, request),
        AdminEndpoint::RevokeAllTokens => revoke_tokens(state, |token| !token.is_of_service),
        AdminEndpoint::RevokeServiceTokens => revoke_service_tokens(state, request),
        AdminEndpoint::RevokeKey => revoke_key(state, request),
        AdminEndpoint::AddPolicyUsers => tasks::add_users(state, request),
        _ => Err(reply::UNKNOWN_RESOURCE.into()),
    };
    match written {
        Ok((reply, events)) => {
            state.stale_directory = before;
            for event in events {
                write_events::record(state, event);
            }
            reply
        }
        Err(refused) => refused,
    }
}

fn no_content() -> ApiReply {
    ApiReply::new(204, "application/json", "")
}

/// `POST .../directories/{directory}/users/{account}/suspend` and `/restore`
fn set_suspended(
    state: &mut ServerState,
    request: &ParsedRequest,
    is_suspended: bool,
) -> WriteResult {
    let directory = path_part(request, 5).unwrap_or_default();
    if directory == EVERY_DIRECTORY {
        return Err(ONE_DIRECTORY.into());
    }
    let id = path_part(request, 7).unwrap_or_default();
    let account = state.directory.account_mut(&id).ok_or(UNKNOWN_USER)?;
    let is_here = |it: &&mut DirectoryMembership| it.directory_id == directory;
    let membership = account.memberships.iter_mut().find(is_here).ok_or(UNKNOWN_USER)?;
    let is_changed = membership.is_suspended != is_suspended;
    if !is_changed && !state.behaviour.admin_repeated_writes {
        return Err(SAME_STATUS.into());
    }
    membership.is_suspended = is_suspended;
    let (action, what) = match is_suspended {
        true => ("user_disabled_org_access", "suspended the access of"),
        false => ("user_enabled_org_access", "restored the access of"),
    };
    let event = WriteEvent::of_account(action, what, account);
    let status = state.behaviour.admin_suspend_status.unwrap_or(200);
    let reply = match status {
        204 => no_content(),
        _ => ApiReply::json(status, object! {"message": format!("Admin {what} the user.")}),
    };
    Ok((reply, if is_changed { vec![event] } else { Vec::new() }))
}

/// `POST /users/{account}/manage/lifecycle/disable` and `/enable`: what changes nothing succeeds
/// as well.
fn set_deactivated(
    state: &mut ServerState,
    request: &ParsedRequest,
    is_deactivated: bool,
) -> WriteResult {
    let now = state.now_ms();
    let id = path_part(request, 1).unwrap_or_default();
    let account = state.directory.account_mut(&id).ok_or_else(user_management::unknown_user)?;
    let message = json_body(request).map(|body| body.get("message").cloned().unwrap_or_default());
    if !matches!(message, Some(Value::Null | Value::String(_))) {
        return Err(user_management::refused(400, "invalid.body", "message must be a text."));
    }
    if !account.is_managed() {
        let detail = "The account is not managed by the organization.";
        return Err(user_management::forbidden("forbidden.targetUnverified", detail));
    }
    if let Some(code) = user_management::refusal_reason(account, "lifecycle.enablement") {
        let message = "The life cycle of this account cannot be changed here.";
        return Err(user_management::lifecycle_refusal(code, message));
    }
    let is_changed = account.deactivated_ms.is_some() != is_deactivated;
    if is_changed {
        account.deactivated_ms = is_deactivated.then_some(now);
    }
    let (action, what) = match is_deactivated {
        true => ("managed_account_deactivated", "deactivated the account of"),
        false => ("managed_account_reactivated", "reactivated the account of"),
    };
    let event = WriteEvent::of_account(action, what, account);
    Ok((no_content(), if is_changed { vec![event] } else { Vec::new() }))
}

/// `DELETE /users/{account}/manage/api-tokens/{token}`
fn revoke_user_token(state: &mut ServerState, request: &ParsedRequest) -> WriteResult {
    let (owner, id) = (path_part(request, 1), path_part(request, 4));
    let (owner, id) = (owner.unwrap_or_default(), id.unwrap_or_default());
    let account = state.directory.account(&owner).ok_or_else(user_management::unknown_user)?;
    if let Some(reason) = user_management::refusal_reason(account, "apiToken.delete") {
        return Err(user_management::forbidden("forbidden.action", reason));
    }
    if !state.directory.tokens.iter().any(|token| token.owner_id == owner && token.id == id) {
        return Err(user_management::refused(404, "notFound.apiToken", "No such token."));
    }
    revoke_tokens(state, |token| token.owner_id == owner && token.id == id)
}

/// `DELETE .../service-accounts/{account}/api-tokens`
fn revoke_service_tokens(state: &mut ServerState, request: &ParsedRequest) -> WriteResult {
    let owner = path_part(request, 6).unwrap_or_default();
    if state.directory.service_account(&owner).is_none() {
        return Err(gateway_error(404, "Service account not found"));
    }
    revoke_tokens(state, |token| token.owner_id == owner)
}

/// Removes the tokens that `is_revoked` names.
fn revoke_tokens(
    state: &mut ServerState,
    is_revoked: impl Fn(&AccessToken) -> bool,
) -> WriteResult {
    let directory = &mut state.directory;
    let (gone, kept): (Vec<_>, Vec<_>) =
        directory.tokens.drain(..).partition(|token| is_revoked(token));
    directory.tokens = kept;
    let events = gone.iter().map(|token| {
        let (name, email) = directory.owner(token.owner_id);
        WriteEvent::of_token(token, name, email)
    });
    Ok((no_content(), events.collect()))
}

/// `PATCH .../api-keys/revoke/{key}`
fn revoke_key(state: &mut ServerState, request: &ParsedRequest) -> WriteResult {
    let id = path_part(request, 7).unwrap_or_default();
    let is_listed = |is_default: bool| is_default || state.behaviour.many_keys;
    let keys = &mut state.directory.keys;
    let place = keys.iter().position(|key| key.id == id && is_listed(key.is_default));
    let Some(place) = place else {
        return Err(gateway_error(404, "API key not found"));
    };
    let key = keys.remove(place);
    Ok((no_content(), vec![WriteEvent::of_key(&key)]))
}
