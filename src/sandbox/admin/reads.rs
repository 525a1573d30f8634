//! Reads of everything but users: domains, policies, workspaces, tokens, keys, service accounts,
//! privileges.

use serde_json::Value;

use super::{
    credentials, directory::OrgPolicy, endpoint::AdminEndpoint, paging::ListPage,
    read_context::ReadContext, user_management, users,
};
use crate::sandbox::{
    CLOUD_ID, CursorPlace, JIRA_SITE,
    json_text::{JsonObject, JsonText, array, object},
    reply::{self, AdminError, ApiReply, gateway_error},
};

/// Accounts that one bulk-fetch takes.
const MOST_BULK_IDS: usize = 100;
/// Types of policies that the control API lists; the organizations API lists all.
const CONTROL_TYPES: [&str; 3] = ["ip-allowlist", "data-residency", "data-security"];

const TOO_MANY_IDS: AdminError = AdminError::new(
    400,
    "BAD_REQUEST",
    "Bad request",
    "accountIds must hold between 1 and 100 ids.",
);

/// The reply of an endpoint that changes nothing.
pub fn answer(context: &ReadContext<'_>, endpoint: AdminEndpoint) -> ApiReply {
    let reply = match endpoint {
        AdminEndpoint::Directories => users::directories(context),
        AdminEndpoint::UserSearch => users::search(context),
        AdminEndpoint::Users => users::users(context),
        AdminEndpoint::User => users::user(context),
        AdminEndpoint::RoleAssignments => users::role_assignments(context),
        AdminEndpoint::Workspaces => workspaces(context),
        AdminEndpoint::Domains => domains(context),
        AdminEndpoint::OrgPolicies => policies(context, |_| true),
        AdminEndpoint::ControlPolicies => {
            policies(context, |policy| CONTROL_TYPES.contains(&policy.kind))
        }
        AdminEndpoint::PolicyResources => Ok(policy_resources(context)),
        AdminEndpoint::AuthPolicyMembers => auth_policy_members(context),
        AdminEndpoint::ApiTokens => credentials::tokens(context),
        AdminEndpoint::ApiTokenCount => Ok(credentials::token_count(context)),
        AdminEndpoint::ApiKeys => credentials::keys(context),
        AdminEndpoint::ApiKeyCount => Ok(credentials::key_count(context)),
        AdminEndpoint::ServiceAccounts => credentials::service_accounts(context),
        AdminEndpoint::ServiceAccountCount => Ok(credentials::service_account_count(context)),
        AdminEndpoint::ServiceTokens => credentials::service_tokens(context, None),
        AdminEndpoint::ServiceAccountTokens => {
            credentials::service_tokens(context, context.path_part(6).as_deref())
        }
        AdminEndpoint::Privileges => Ok(user_management::privileges(context)),
        AdminEndpoint::UserTokens => Ok(credentials::tokens_of_user(context)),
        _ => Err(reply::UNKNOWN_RESOURCE),
    };
    reply.unwrap_or_else(ApiReply::from)
}

/// `GET /admin/v1/orgs/{org}/domains`
fn domains(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let all = context.directory.domains.iter().collect();
    let page = ListPage::of(context.behaviour, context.page_request(), "domains", all)?;
    let url = format!("{}{}", context.base_url, context.request.path);
    let data = page.json(|domain| {
        let claim = object! {"type": domain.method, "status": domain.status};
        object! {
            "id": domain.name, "type": "domains",
            "attributes": object! {"name": domain.name, "claim": claim},
            "links": object! {"self": format!("{url}/{}", domain.name)},
        }
    });
    Ok(ApiReply::json(200, object! {"data": data, "links": page.url_links()}))
}

/// `GET .../policies`, of the organizations API or of the control API.
fn policies(
    context: &ReadContext<'_>,
    is_listed: impl Fn(&OrgPolicy) -> bool,
) -> Result<ApiReply, AdminError> {
    let kind = context.request.param("type");
    let all = context.directory.policies.iter();
    let all = all.filter(|it| is_listed(it) && kind.is_none_or(|kind| kind == it.kind)).collect();
    let page = ListPage::of(context.behaviour, context.page_request(), "policies", all)?;
    let place = context.behaviour.admin_policy_cursor;
    let next = page.next.as_deref().filter(|_| place != CursorPlace::Links);
    let links = match page.next_url().filter(|_| place != CursorPlace::Meta) {
        Some(url) => object! {"next": url},
        None => object! {},
    };
    let data = page.json(|policy| policy_json(context, policy));
    let meta = object! {"next": next, "page_size": page.items.len()};
    Ok(ApiReply::json(200, object! {"data": data, "meta": meta, "links": links}))
}

fn policy_json(context: &ReadContext<'_>, policy: &OrgPolicy) -> JsonObject {
    let rule = JsonText(policy.rule.to_owned());
    let rule = if context.behaviour.admin_rule_arrays { array([rule]) } else { rule };
    let resources = policy.resources.iter().map(|(id, _)| object! {"id": id});
    object! {
        "id": policy.id, "type": "policy",
        "attributes": object! {
            "type": policy.kind, "name": policy.name, "status": policy.status, "rule": rule,
            "resources": array(resources), "metadata": JsonText(policy.metadata.to_owned()),
            "createdAt": ReadContext::time(policy.created_ms),
            "updatedAt": ReadContext::time(policy.updated_ms),
        },
    }
}

/// `GET .../policies/{policy}/resources`
fn policy_resources(context: &ReadContext<'_>) -> ApiReply {
    let id = context.path_part(6).unwrap_or_default();
    let Some(policy) = context.directory.policies.iter().find(|policy| policy.id == id) else {
        return gateway_error(404, "Policy not found");
    };
    let resource = |(id, status): &(String, &str)| {
        object! {"id": id, "type": "resource", "applicationStatus": status}
    };
    let resources = policy.resources.iter().collect();
    let page = ListPage::of(context.behaviour, context.page_request(), "resources", resources);
    match page {
        Ok(page) => {
            let meta = object! {"next": &page.next, "page_size": page.items.len()};
            let data = page.json(|it| resource(it));
            ApiReply::json(200, object! {"data": data, "meta": meta, "links": object! {}})
        }
        Err(error) => error.into(),
    }
}

/// `POST .../users/auth-policies/bulk-fetch`: unknown accounts, and those that are not managed,
/// are left out.
fn auth_policy_members(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let body = context.json_body()?;
    let ids = body.get("accountIds").and_then(Value::as_array).ok_or(TOO_MANY_IDS)?;
    if ids.is_empty() || ids.len() > MOST_BULK_IDS {
        return Err(TOO_MANY_IDS);
    }
    let accounts = ids.iter().filter_map(|id| context.directory.account(id.as_str()?));
    let members = accounts.filter_map(|account| {
        let policy = account.policy_id.as_deref()?;
        Some(object! {"email": account.email, "accountId": account.id, "policyId": policy})
    });
    Ok(ApiReply::json(200, array(members)))
}

/// `POST /admin/v2/orgs/{org}/workspaces`
fn workspaces(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let body = context.json_body()?;
    let kinds = [
        ("jira", "jira-software", "Jira", false),
        ("confluence", "confluence", "Confluence", false),
        ("jira-sandbox", "jira-software", "Jira sandbox", true),
    ];
    let mut wanted = context.page_request();
    wanted.cursor = body.get("cursor").and_then(Value::as_str).map(str::to_owned);
    wanted.limit = body.get("limit").map(Value::to_string);
    let page = ListPage::of(context.behaviour, wanted, "workspaces", kinds.to_vec())?;
    let data = page.json(|(id, kind, name, is_sandbox)| {
        object! {
            "id": format!("ari:cloud:{id}::site/{CLOUD_ID}"), "type": "workspaces",
            "attributes": object! {
                "name": name, "typeKey": kind, "type": name, "status": "online",
                "labels": [(); 0], "sandbox": is_sandbox, "usage": 12, "capacity": 100,
                "hostUrl": format!("https://{JIRA_SITE}"), "realm": "EU",
                "regions": ["eu-central-1"],
                "createdAt": "2023-03-06T09:00:00.000Z",
            },
        }
    });
    Ok(ApiReply::json(200, object! {"data": data, "links": page.links(context.behaviour)}))
}
