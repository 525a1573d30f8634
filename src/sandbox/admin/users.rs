//! Reads of directories and their users: lists, the search, one account, its roles.

use axum::http::Method;
use serde_json::{Map, Value};

use super::{
    directory::{EVERY_DIRECTORY, OrgAccount},
    paging::ListPage,
    read_context::ReadContext,
};
use crate::sandbox::{
    CLOUD_ID, ORG_ID,
    json_text::{JsonObject, JsonText, array, object},
    reply::{self, AdminError, ApiReply},
};

const UNKNOWN_USER: AdminError =
    AdminError::new(404, "ADMIN-404-3", "Not found", "User not found in this directory.");
const TERM_WITH_EMAILS: AdminError = AdminError::new(
    400,
    "ADMIN-400-19",
    "Invalid request",
    "searchTerm and emails must not be used together.",
);
const UNKNOWN_OPTION: AdminError = AdminError::new(
    400,
    "ADMIN-400-19",
    "Invalid request",
    "The request body has a property that is not allowed.",
);

/// `GET /admin/v2/orgs/{org}/directories`
pub fn directories(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let account = context.request.param("accountId");
    let holds = |id: &str| {
        account
            .is_none_or(|account| context.directory.account(account).is_some_and(|it| it.is_in(id)))
    };
    let found = context.directory.directories.iter().filter(|it| holds(it.id)).collect();
    let page = ListPage::of(context.behaviour, context.page_request(), "directories", found)?;
    let data = page.json(|it| object! {"directoryId": it.id, "name": it.name, "icon": ()});
    Ok(ApiReply::json(200, object! {"data": data, "links": page.links(context.behaviour)}))
}

/// `POST .../users/search`
pub fn search(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let behaviour = context.behaviour;
    if behaviour.admin_search_missing {
        return Err(reply::UNKNOWN_RESOURCE);
    }
    let body = context.json_body()?;
    let is_refused = ["limit", "expand"].iter().any(|name| body.get(*name).is_some());
    if behaviour.admin_search_refuses_options && is_refused {
        return Err(UNKNOWN_OPTION);
    }
    let expand = words(&body, "expand");
    let shows = |what: &str| expand.iter().any(|word| word == what);
    let view = AccountView {
        directory: directory_of(context)?,
        has_roles: shows("platformRoles"),
        has_products: shows("productAccess"),
        hides_mfa: behaviour.admin_hides_mfa,
    };
    list(context, &body, &view)
}

/// `GET .../users`: the parameters of the query filter like those of a search; everything is
/// shown.
pub fn users(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let mut body = Map::new();
    for (name, value) in &context.request.query {
        match name.as_str() {
            "accountIds" | "emails" | "roleIds" => {
                let list = body.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.extend(value.split(',').map(Value::from));
                }
            }
            "mfaEnabled" => {
                body.insert(name.clone(), (value == "true").into());
            }
            _ => {
                body.insert(name.clone(), value.as_str().into());
            }
        }
    }
    let view = AccountView::full(context)?;
    list(context, &Value::Object(body), &view)
}

/// `GET .../users/{account}`
pub fn user(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let view = AccountView::full(context)?;
    let account = account_of(context, &view)?;
    Ok(ApiReply::json(200, object! {"data": view.json(account)}))
}

/// `GET .../users/{account}/role-assignments`
pub fn role_assignments(context: &ReadContext<'_>) -> Result<ApiReply, AdminError> {
    let view = AccountView::full(context)?;
    let account = account_of(context, &view)?;
    let assigned = |resource: &str, owner: &str, role: &str, directory: Option<(&str, bool)>| {
        let status = directory.map(|(_, suspended)| if suspended { "suspended" } else { "active" });
        object! {
            "resourceId": resource, "resourceOwner": owner, "roles": [role],
            "roleAssignments": array([object! {"role": role, "roleAssignmentMethods": ["direct"]}]),
            "directoryId": directory.map(|(id, _)| id), "userDirectoryStatus": status,
        }
    };
    let platform = format!("ari:cloud:platform::org/{ORG_ID}");
    let mut found: Vec<JsonObject> =
        account.roles.iter().map(|role| assigned(&platform, "platform", role, None)).collect();
    let shown = |id: &str| view.directory == EVERY_DIRECTORY || view.directory == id;
    for place in account.memberships.iter().filter(|place| shown(place.directory_id)) {
        let directory = Some((place.directory_id, place.is_suspended));
        for product in &account.products {
            let resource = format!("ari:cloud:{product}::site/{CLOUD_ID}");
            found.push(assigned(&resource, product, "atlassian/user", directory));
        }
    }
    let page = ListPage::of(context.behaviour, context.page_request(), "role-assignments", found)?;
    let data = page.json(Clone::clone);
    Ok(ApiReply::json(200, object! {"data": data, "links": page.links(context.behaviour)}))
}

/// How an account is shown.
struct AccountView<'a> {
    /// The directory it is seen through.
    directory: &'a str,
    has_roles: bool,
    has_products: bool,
    hides_mfa: bool,
}

impl<'a> AccountView<'a> {
    fn full(context: &ReadContext<'a>) -> Result<Self, AdminError> {
        Ok(Self {
            directory: directory_of(context)?,
            has_roles: true,
            has_products: true,
            hides_mfa: context.behaviour.admin_hides_mfa,
        })
    }

    fn json(&self, account: &OrgAccount) -> JsonObject {
        let directory = self.directory;
        let product = |key: &&'static str| {
            let last = account.last_active_ms.map(ReadContext::time);
            object! {"key": key, "id": format!("{key}-{CLOUD_ID}"), "lastActiveTimestamp": last}
        };
        let products = match self.has_products {
            true => array(account.products.iter().map(product)),
            false => JsonText::default(),
        };
        object! {
            "accountId": account.id, "accountType": account.kind,
            "status": account.status(directory), "accountStatus": account.account_status(),
            "membershipStatus": account.membership_status(directory),
            "addedToOrg": ReadContext::time(account.added_ms), "name": account.name,
            "nickname": account.name.split(' ').next(), "email": account.email,
            "emailVerified": account.email.is_some(), "claimStatus": account.claim,
            "managementSource": account.source,
            "mfaEnabled": JsonText::when(!self.hides_mfa, account.has_mfa),
            "platformRoles": JsonText::when(self.has_roles, &account.roles),
            "jobTitle": (), "department": (), "location": (), "timeZone": (),
            "counts": object! {"resources": account.products.len()},
            "productAccess": products,
            "deactivatedOn": account.deactivated_ms.map(ReadContext::time),
            "forDeletion": false, "links": object! {"self": format!("u-{}", account.id)},
        }
    }
}

/// The directory of the path.
fn directory_of<'a>(context: &ReadContext<'a>) -> Result<&'a str, AdminError> {
    let id = context.path_part(5).unwrap_or_default();
    let known = context.directory.directories.iter().map(|it| it.id);
    let mut known = known.chain([EVERY_DIRECTORY]);
    known.find(|known| *known == id).ok_or(reply::UNKNOWN_RESOURCE)
}

/// The account of the path.
fn account_of<'a>(
    context: &ReadContext<'a>,
    view: &AccountView<'_>,
) -> Result<&'a OrgAccount, AdminError> {
    let id = context.path_part(7).unwrap_or_default();
    let found = context.directory.account(&id).filter(|account| account.is_in(view.directory));
    found.ok_or(UNKNOWN_USER)
}

/// A page of the accounts that `body` wants.
fn list(
    context: &ReadContext<'_>,
    body: &Value,
    view: &AccountView<'_>,
) -> Result<ApiReply, AdminError> {
    if body.get("emails").is_some() && body.get("searchTerm").is_some() {
        return Err(TERM_WITH_EMAILS);
    }
    let accounts = context.directory.accounts.iter();
    let found = accounts.filter(|it| it.is_in(view.directory) && matches(body, it, view)).collect();
    let mut wanted = context.page_request();
    if context.request.method == Method::POST {
        wanted.cursor = body.get("cursor").and_then(Value::as_str).map(str::to_owned);
        wanted.limit = body.get("limit").map(Value::to_string);
    }
    let page = ListPage::of(context.behaviour, wanted, "users", found)?;
    let data = page.json(|account| view.json(account));
    Ok(ApiReply::json(200, object! {"data": data, "links": page.links(context.behaviour)}))
}

/// Whether `account` passes every filter of `body`.
fn matches(body: &Value, account: &OrgAccount, view: &AccountView<'_>) -> bool {
    let is_listed = |name: &str, values: &[&str]| {
        body.get(name).is_none() || words(body, name).iter().any(|it| values.contains(&&**it))
    };
    let is_word = |name: &str, value: &str| {
        body.get(name).and_then(Value::as_str).is_none_or(|wanted| wanted == value)
    };
    let email = account.email.unwrap_or_default();
    let term = body.get("searchTerm").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let mfa = body.get("mfaEnabled").and_then(Value::as_bool);
    is_listed("accountIds", &[account.id])
        && is_listed("emails", &[email])
        && is_listed("roleIds", &account.roles)
        && (account.name.to_lowercase().contains(&term) || email.contains(&term))
        && mfa.is_none_or(|mfa| account.is_managed() && account.has_mfa == mfa)
        && is_word("claimStatus", account.claim.unwrap_or_default())
        && is_word("status", account.status(view.directory))
        && is_word("accountStatus", account.account_status())
        && is_word("membershipStatus", account.membership_status(view.directory))
}

/// The words of a member that is a list, or one word.
fn words(body: &Value, name: &str) -> Vec<String> {
    match body.get(name) {
        Some(Value::Array(list)) => {
            list.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
        }
        Some(Value::String(word)) => vec![word.clone()],
        _ => Vec::new(),
    }
}
