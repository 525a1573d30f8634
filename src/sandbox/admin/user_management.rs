//! What the user management API says of one account: what may be done to it, and its refusals.

use super::{directory::OrgAccount, read_context::ReadContext};
use crate::sandbox::{
    data::people,
    json_text::{JsonObject, JsonText, array, object},
    reply::ApiReply,
};

/// What a key may do to an account, where nothing prevents it.
const PRIVILEGES: [&str; 7] = [
    "profile.read",
    "profile.write",
    "email.set",
    "lifecycle.enablement",
    "lifecycle.delete",
    "apiToken.read",
    "apiToken.delete",
];

/// The account id of the administrator who created the sandbox's keys.
pub fn key_creator() -> &'static str {
    people::people()[0].account_id
}

/// Why `privilege` is refused for `account`; None where it is allowed.
pub fn refusal_reason(account: &OrgAccount, privilege: &str) -> Option<&'static str> {
    let is_lifecycle = privilege.starts_with("lifecycle.");
    let is_of_source = is_lifecycle || matches!(privilege, "email.set" | "profile.write");
    if privilege == "profile.read" {
        None
    } else if !account.is_managed() {
        Some("managedAccount")
    } else if is_lifecycle && account.id == key_creator() {
        Some("administrative.notMyself")
    } else if is_of_source && account.source == Some("synced") {
        Some("externalDirectory.scim")
    } else {
        None
    }
}

/// `GET /users/{account}/manage`
pub fn privileges(context: &ReadContext<'_>) -> ApiReply {
    let id = context.path_part(1).unwrap_or_default();
    let Some(account) = context.directory.account(&id) else {
        return unknown_user();
    };
    let wanted = context.request.query.iter().filter(|(name, _)| name == "privileges");
    let wanted: Vec<&str> = wanted.flat_map(|(_, value)| value.split(',')).collect();
    let all = PRIVILEGES.iter().filter(|it| wanted.is_empty() || wanted.contains(it));
    let is_text = context.behaviour.admin_text_privileges;
    let members = all.map(|privilege| {
        let reason = refusal_reason(account, privilege);
        let allowed = reason.is_none();
        let allowed = match is_text {
            true => JsonText::from(allowed.to_string()),
            false => JsonText::from(allowed),
        };
        let reason = reason.map(|key| JsonText::from(object! {"key": key})).unwrap_or_default();
        (*privilege, object! {"allowed": allowed, "reason": reason}.into())
    });
    ApiReply::json(200, JsonObject(members.collect()))
}

/// The 404 for an account that does not exist.
pub fn unknown_user() -> ApiReply {
    refused(404, "notFound.user", "There is no such account.")
}

/// A 403 with this key.
pub fn forbidden(key: &str, detail: &str) -> ApiReply {
    refused(403, key, detail)
}

/// The 403 for a key with scopes.
pub fn scope_required() -> ApiReply {
    refused(403, "forbidden.scope", "The credential lacks the required scope manage:org.")
}

/// An error of user management: `errorKey` is `key` in kebab case.
pub fn refused(status: u16, key: &str, detail: &str) -> ApiReply {
    let mut error_key = String::new();
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            error_key.push('-');
        }
        error_key.push(letter.to_ascii_lowercase());
    }
    let body = object! {
        "key": key, "context": "user-management", "errorKey": error_key, "errorDetail": detail,
    };
    ApiReply::json(status, body)
}

/// A refused change of the life cycle: an array.
pub fn lifecycle_refusal(code: &str, message: &str) -> ApiReply {
    let link = "https://support.atlassian.com/user-management/";
    let body = object! {"code": code, "message": message, "link": link};
    ApiReply::json(403, array([body]))
}
