//! Reads one account of an organization, and names the changes that can be made to it.
//!
//! Facts (developer.atlassian.com/cloud/admin: organization v2, user management, api-access,
//! control): access is taken and given back in one directory at a time; an account is disabled as a
//! whole; its API tokens are revoked one by one, an API key of the organization by its id. To move
//! a user to an authentication policy is a task, which takes the address. `.../manage` says what
//! may be done to an account, in a boolean or its text.

use std::collections::BTreeMap;

use serde_json::json;
use url::Url;

use crate::http::message::{AccountWrite, Endpoint, ReadPost, Request, Response, UnreadableBody};
use crate::model::json::{Document, Node};
use crate::model::text::printable;
use crate::source::admin_lists::{org_url, path_segment};
use crate::source::page::text_of;

/// What a key must be allowed to do to an account, for what a response does.
const PRIVILEGES: &str = "lifecycle.enablement,apiToken.read,apiToken.delete";

/// The longest id that is believed to be one.
const MAX_ID_LENGTH: usize = 200;

/// Whether `id` can stand in a path as one segment that names one thing: `-` would mean every
/// directory, and `..` another path.
pub fn is_safe_id(id: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.');
    id.len() <= MAX_ID_LENGTH
        && id.chars().all(is_plain)
        && id.chars().any(|c| c.is_ascii_alphanumeric())
}

/// How an account is looked for.
#[derive(Debug, Clone, Copy)]
pub enum AccountQuery<'a> {
    /// By its mail address.
    Email(&'a str),
    /// By its id.
    Id(&'a str),
    /// Every admin of the organization.
    OrgAdmins,
}

/// The request for the accounts that fit, in one directory or in all.
pub fn account_request(
    base_url: &Url,
    org_id: &str,
    directory_id: Option<&str>,
    query: AccountQuery<'_>,
) -> Request {
    let directory = directory_id.map_or_else(|| "{all}".to_owned(), path_segment);
    let path = format!("/admin/v2/orgs/{{org}}/directories/{directory}/users/search");
    let mut body = match query {
        AccountQuery::Email(email) => json!({"emails": [email]}),
        AccountQuery::Id(id) => json!({"accountIds": [id]}),
        AccountQuery::OrgAdmins => json!({"roleIds": ["atlassian/org-admin"]}),
    };
    body["expand"] = json!(["platformRoles"]);
    let url = org_url(base_url, &path, org_id);
    Request::read_post(Endpoint::OrgAdmin, url, ReadPost::UserSearch, body.to_string())
}

/// The request for the directories that hold an account.
pub fn directories_request(base_url: &Url, org_id: &str, account_id: &str) -> Request {
    let mut url = org_url(base_url, "/admin/v2/orgs/{org}/directories", org_id);
    url.query_pairs_mut().append_pair("accountId", account_id);
    Request::get(Endpoint::OrgAdmin, url)
}

/// The request for what may be done to an account.
pub fn privileges_request(base_url: &Url, account_id: &str) -> Request {
    let path = format!("/users/{}/manage", path_segment(account_id));
    let mut url = org_url(base_url, &path, "");
    url.query_pairs_mut().append_pair("privileges", PRIVILEGES);
    Request::get(Endpoint::OrgAdmin, url)
}

/// What may be done to an account: each privilege, and why it is refused.
pub type AccountPrivileges = BTreeMap<String, Result<(), String>>;

/// The privileges in the response.
///
/// # Errors
/// It is no object.
pub fn read_privileges(response: &Response) -> Result<AccountPrivileges, UnreadableBody> {
    let none = || UnreadableBody::new("the response does not say what may be done to the account");
    let body = Document::parse(text_of(&response.body).0).map_err(|_| none())?;
    if !body.root().is_object() {
        return Err(none());
    }
    let privileges = body.root().entries().filter_map(|(name, value)| {
        // A boolean, or its text.
        let is_allowed = value.get("allowed")?.scalar()? == "true";
        let reason = value.get("reason").and_then(|reason| reason.text_of("key"));
        let reason = reason.map_or_else(|| "no reason is given".to_owned(), |key| printable(&key));
        let verdict = if is_allowed { Ok(()) } else { Err(reason) };
        Some((name.text()?.into_owned(), verdict))
    });
    Ok(privileges.collect())
}

/// The request for the API tokens of an account.
pub fn tokens_request(base_url: &Url, account_id: &str) -> Request {
    let path = format!("/users/{}/manage/api-tokens", path_segment(account_id));
    Request::get(Endpoint::OrgAdmin, org_url(base_url, &path, ""))
}

/// The request for how a move to an authentication policy went.
pub fn policy_task_request(base_url: &Url, org_id: &str, task_id: &str) -> Request {
    let task = path_segment(task_id);
    let path = format!("/admin/control/v1/orgs/{{org}}/auth-policy/task/{task}");
    Request::get(Endpoint::OrgAdmin, org_url(base_url, &path, org_id))
}

/// How far a move is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyMove {
    /// Not done.
    InProgress,
    /// All users were moved.
    Succeeded,
    /// Some were not, and why.
    Failed(String),
}

/// The task in the response.
///
/// # Errors
/// It is none.
pub fn read_policy_task(response: &Response) -> Result<PolicyMove, UnreadableBody> {
    let none = || UnreadableBody::new("the response is not a task");
    let body = Document::parse(text_of(&response.body).0).map_err(|_| none())?;
    let root = body.root();
    let count = |key| root.scalar_of(key).and_then(|number| number.parse::<u64>().ok());
    let (progress, failed) = (count("inProgressCount"), count("failureCount"));
    let success = count("successCount");
    match (progress, success, failed) {
        (None, None, None) => Err(none()),
        (_, _, Some(failed)) if failed > 0 => {
            let first = root.get("failureReasons").and_then(|reasons| reasons.items().next());
            let details = first.and_then(|reason| reason.get("details"));
            let texts = ["detail", "title", "status"];
            let text = texts.into_iter().find_map(|key| details?.scalar_of(key));
            Ok(PolicyMove::Failed(
                text.map_or_else(|| "no reason is given".to_owned(), |text| printable(&text)),
            ))
        }
        (Some(progress), _, _) if progress > 0 => Ok(PolicyMove::InProgress),
        (_, Some(success), _) if success > 0 => Ok(PolicyMove::Succeeded),
        (_, _, _) => Ok(PolicyMove::InProgress),
    }
}

/// The id of the task that a move began.
pub fn task_id(response: &Response) -> Option<String> {
    let body = Document::parse(text_of(&response.body).0).ok()?;
    body.root().scalar_of("taskId").map(|id| id.into_owned()).filter(|id| is_safe_id(id))
}

/// Atlassian's id of a request, for its support.
pub fn request_id(response: &Response) -> Option<String> {
    let names = ["x-request-id", "atl-traceid", "atl-request-id"];
    names.into_iter().find_map(|name| response.header(name)).map(printable)
}

/// One change: of one account, token or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteStep {
    /// Takes the access of an account in a directory.
    Suspend {
        /// The directory.
        directory_id: String,
        /// The account.
        account_id: String,
    },
    /// Gives it back.
    Restore {
        /// The directory.
        directory_id: String,
        /// The account.
        account_id: String,
    },
    /// Disables an account.
    Disable {
        /// The account.
        account_id: String,
        /// What its user reads.
        message: Option<String>,
    },
    /// Enables an account.
    Enable {
        /// The account.
        account_id: String,
    },
    /// Revokes one API token of an account.
    RevokeToken {
        /// The account.
        account_id: String,
        /// The token.
        token_id: String,
    },
    /// Revokes an API key of the organization.
    RevokeKey {
        /// The key.
        key_id: String,
    },
    /// Moves an account to an authentication policy.
    MoveToPolicy {
        /// The policy.
        policy_id: String,
        /// The account's address.
        email: String,
    },
}

impl WriteStep {
    /// The request that makes the change.
    pub fn request(&self, base_url: &Url, org_id: &str) -> Request {
        let (write, path, body) = match self {
            WriteStep::Suspend { directory_id, account_id } => {
                let path = access_path(directory_id, account_id, "suspend");
                (AccountWrite::Suspend, path, None)
            }
            WriteStep::Restore { directory_id, account_id } => {
                let path = access_path(directory_id, account_id, "restore");
                (AccountWrite::Restore, path, None)
            }
            WriteStep::Disable { account_id, message } => {
                let path = format!("/users/{}/manage/lifecycle/disable", path_segment(account_id));
                let body = message.as_ref().map(|message| json!({"message": message}).to_string());
                (AccountWrite::Disable, path, Some(body.unwrap_or_else(|| "{}".to_owned())))
            }
            WriteStep::Enable { account_id } => {
                let path = format!("/users/{}/manage/lifecycle/enable", path_segment(account_id));
                (AccountWrite::Enable, path, None)
            }
            WriteStep::RevokeToken { account_id, token_id } => {
                let (account, token) = (path_segment(account_id), path_segment(token_id));
                let path = format!("/users/{account}/manage/api-tokens/{token}");
                (AccountWrite::RevokeToken, path, None)
            }
            WriteStep::RevokeKey { key_id } => {
                let key = path_segment(key_id);
                let path = format!("/admin/api-access/v1/orgs/{{org}}/api-keys/revoke/{key}");
                (AccountWrite::RevokeKey, path, None)
            }
            WriteStep::MoveToPolicy { policy_id, email } => {
                let policy = path_segment(policy_id);
                let path = format!("/admin/control/v1/orgs/{{org}}/auth-policy/{policy}/add-users");
                (AccountWrite::MoveToPolicy, path, Some(json!({"users": [email]}).to_string()))
            }
        };
        Request::write(Endpoint::OrgAdmin, org_url(base_url, &path, org_id), write, body)
    }
}

fn access_path(directory_id: &str, account_id: &str, verb: &str) -> String {
    let (directory, account) = (path_segment(directory_id), path_segment(account_id));
    format!("/admin/v2/orgs/{{org}}/directories/{directory}/users/{account}/{verb}")
}

/// Whether a text anywhere below `node` is `text`: a value, and not a key.
pub fn has_value(node: Node<'_>, text: &str) -> bool {
    if node.is_object() {
        node.entries().any(|(_, value)| has_value(value, text))
    } else if node.is_array() {
        node.items().any(|value| has_value(value, text))
    } else {
        node.scalar().is_some_and(|value| value == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn base() -> Url {
        "https://api.example/x".parse().unwrap()
    }

    fn response(body: &str) -> Response {
        Response { status: 200, headers: Vec::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    /// Every step of these ids.
    fn steps(a: &str, b: &str) -> [WriteStep; 7] {
        let (a, b) = (a.to_owned(), b.to_owned());
        [
            WriteStep::Suspend { directory_id: b.clone(), account_id: a.clone() },
            WriteStep::Restore { directory_id: b.clone(), account_id: a.clone() },
            WriteStep::Disable { account_id: a.clone(), message: Some(b.clone()) },
            WriteStep::Enable { account_id: a.clone() },
            WriteStep::RevokeToken { account_id: a.clone(), token_id: b.clone() },
            WriteStep::RevokeKey { key_id: a.clone() },
            WriteStep::MoveToPolicy { policy_id: b, email: a },
        ]
    }

    #[test]
    fn a_change_never_only_reads_and_always_fits_its_place() {
        for step in steps("712020:a-b", "d.1") {
            let request = step.request(&base(), "o-1");
            assert!(!request.only_reads() && request.is_sound_write(), "{request:?}");
        }
    }

    proptest! {
        /// Whatever an id is: either it is refused, or the path names it and nothing else.
        #[test]
        fn no_id_leads_elsewhere(a in ".{0,20}", b in "[-./:%a-z0-9]{0,6}") {
            for step in steps(&a, &b) {
                let request = step.request(&base(), "o-1");
                let is_safe = is_safe_id(&a) && is_safe_id(&b);
                if is_safe {
                    prop_assert!(request.is_sound_write(), "{request:?}");
                    let path = request.url.path().to_owned();
                    let named = path_segment(&a);
                    let body = request.body().unwrap_or_default();
                    prop_assert!(path.split('/').any(|it| it == named) || body.contains(&a));
                }
                if matches!(b.as_str(), "-" | "." | "..") && path_uses_b(&step) {
                    prop_assert!(!request.is_sound_write(), "{request:?}");
                }
            }
        }
    }

    fn path_uses_b(step: &WriteStep) -> bool {
        matches!(
            step,
            WriteStep::Suspend { .. }
                | WriteStep::Restore { .. }
                | WriteStep::RevokeToken { .. }
                | WriteStep::MoveToPolicy { .. }
        )
    }

    #[test]
    fn privileges_are_booleans_or_their_text() {
        let body = r#"{"a":{"allowed":true},"b":{"allowed":"true"},"c":{"allowed":"false"},
            "d":{"allowed":false,"reason":{"key":"externalDirectory.scim"}},"e":{},"f":7}"#;
        let read = read_privileges(&response(body)).unwrap();
        assert_eq!((&read["a"], &read["b"]), (&Ok(()), &Ok(())));
        assert!(read["c"].is_err());
        assert_eq!(read["d"], Err("externalDirectory.scim".to_owned()));
        assert_eq!(read.len(), 4);
        assert!(read_privileges(&response("[]")).is_err());
    }

    #[test]
    fn a_task_is_done_only_if_somebody_was_moved() {
        let read = |body| read_policy_task(&response(body));
        assert_eq!(
            read(r#"{"inProgressCount":1,"successCount":0,"failureCount":0}"#),
            Ok(PolicyMove::InProgress)
        );
        assert_eq!(
            read(r#"{"inProgressCount":0,"successCount":1,"failureCount":0}"#),
            Ok(PolicyMove::Succeeded)
        );
        assert_eq!(read(r#"{"inProgressCount":0}"#), Ok(PolicyMove::InProgress));
        assert!(matches!(
            read(r#"{"failureCount":1,"failureReasons":[{"details":{"detail":"why"}}]}"#),
            Ok(PolicyMove::Failed(why)) if why == "why"
        ));
        assert!(read("{}").is_err());
    }
}
