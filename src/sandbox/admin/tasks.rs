//! Moves of accounts to another authentication policy, and the tasks that report them.

use serde_json::Value;

use super::{
    directory::PolicyTask,
    read_context::{json_body, path_part},
    write_events::{WriteEvent, WriteResult},
};
use crate::sandbox::{
    AUTH_POLICY_DEFAULT, AUTH_POLICY_QUARANTINE, AUTH_POLICY_SSO, Api, ORG_ID,
    data::uuid,
    json_text::{array, object},
    reply::{AdminError, ApiReply, gateway_error},
    request::ParsedRequest,
    server_state::ServerState,
};

const AUTH_POLICIES: [&str; 3] = [AUTH_POLICY_SSO, AUTH_POLICY_DEFAULT, AUTH_POLICY_QUARANTINE];
const NO_USERS: AdminError =
    AdminError::new(400, "BAD_REQUEST", "Bad request", "users must hold mail addresses.");

/// `POST .../auth-policy/{policy}/add-users`: the accounts are moved at once, whatever the task
/// says.
pub fn add_users(state: &mut ServerState, request: &ParsedRequest) -> WriteResult {
    let policy = path_part(request, 6).unwrap_or_default();
    if !AUTH_POLICIES.contains(&policy.as_str()) {
        return Err(gateway_error(404, "Authentication policy not found"));
    }
    let body = json_body(request).ok_or(NO_USERS)?;
    let users = body.get("users").and_then(Value::as_array).ok_or(NO_USERS)?;
    let users: Option<Vec<&str>> = users.iter().map(Value::as_str).collect();
    let users = users.filter(|users| !users.is_empty()).ok_or(NO_USERS)?;
    let (mut events, mut failed) = (Vec::new(), Vec::new());
    for email in users {
        let is_fine = !state.behaviour.auth_task_fails;
        let account = state.directory.accounts.iter_mut().find(|account| {
            is_fine
                && account.is_managed()
                && account.email.is_some_and(|own| own.eq_ignore_ascii_case(email))
        });
        let Some(account) = account else {
            failed.push(email.to_owned());
            continue;
        };
        account.policy_id = Some(policy.clone());
        let what = "moved to another authentication policy:";
        events.push(WriteEvent::of_account("user_auth_policy_changed", what, account));
    }
    let id = uuid(&mut state.of(Api::OrgEvents).composer.rng);
    let task_link =
        format!("{}/admin/control/v1/orgs/{ORG_ID}/auth-policy/task/{id}", state.base_url);
    let reply = ApiReply::json(202, object! {"taskId": &id, "taskLink": task_link});
    let polls_left = state.behaviour.auth_task_polls;
    state.directory.tasks.push(PolicyTask { id, polls_left, moved: events.len(), failed });
    Ok((reply, events))
}

/// `GET .../auth-policy/task/{task}`
pub fn poll(state: &mut ServerState, request: &ParsedRequest) -> ApiReply {
    let id = path_part(request, 7).unwrap_or_default();
    let Some(task) = state.directory.tasks.iter_mut().find(|task| task.id == id) else {
        return gateway_error(404, "Task not found");
    };
    let (in_progress, moved, failed) = match task.polls_left.checked_sub(1) {
        Some(left) => {
            task.polls_left = left;
            (1, 0, &[][..])
        }
        None => (0, task.moved, task.failed.as_slice()),
    };
    let reasons = (!failed.is_empty()).then(|| {
        let details = object! {
            "status": 404, "title": "Not found", "detail": "The user is not a managed account.",
        };
        object! {"emails": failed, "details": details}
    });
    let body = object! {
        "inProgressCount": in_progress, "successCount": moved, "failureCount": failed.len(),
        "failureReasons": array(reasons),
    };
    ApiReply::json(200, body)
}
