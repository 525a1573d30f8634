//! Reads the lists of what administers an organization: its users, domains, policies, tokens, keys
//! and service accounts, and which authentication policy a user has.
//!
//! Facts (developer.atlassian.com/cloud/admin: organization v1 and v2, control, api-access): users
//! are searched with a POST that reads, whose cursor stands in the body; all other lists are GETs
//! with the parameter `cursor`. A page names the next one in `meta.next`, or in `links.next` as a
//! cursor alone (users, tokens, keys, service accounts) or in a URL (domains). The largest `limit`
//! of the search is not documented, and the older list of users ends on 2027-06-30: so a list may
//! be asked for in several ways, one after the other.

use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};

use crate::http::message::{Endpoint, ReadPost, Request, Response, UnreadableBody};
use crate::model::json::{Document, Node};
use crate::source::next_cursor;
use crate::source::page::{PageBody, PageLocator, endpoint_url, text_of};

/// Users that one page of the search may hold; 50 if nothing is said.
const USERS_PER_PAGE: u32 = 100;

/// Users whose authentication policy one request asks for. The largest number is not documented.
pub const MAX_POLICY_MEMBERS: usize = 50;

/// Every directory that the key may manage.
const ALL_DIRECTORIES: &str = "-";

/// A list that belongs to an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdminList {
    /// Users of all directories, and managed accounts that are in none.
    Users,
    /// Domains, verified or not.
    Domains,
    /// Policies but those of authentication, which no API lists.
    Policies,
    /// API tokens of users.
    UserTokens,
    /// API keys of the organization.
    OrgKeys,
    /// Service accounts.
    ServiceAccounts,
    /// API tokens of service accounts.
    ServiceTokens,
}

/// A way to ask for a list.
#[derive(Debug, Clone, Copy)]
pub struct ListVariant {
    /// After the base URL; `{org}` stands for the organization.
    path: &'static str,
    /// What a POST sends beside the cursor; a GET has no body.
    search: Option<fn() -> Value>,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct AdminPage {
    /// Its entries, as they were received.
    pub entries: Vec<Document>,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// How many entries all pages have, where the response says so.
    pub total: Option<u64>,
}

impl AdminList {
    /// All of them.
    pub const ALL: [AdminList; 7] = [
        AdminList::Users,
        AdminList::Domains,
        AdminList::Policies,
        AdminList::UserTokens,
        AdminList::OrgKeys,
        AdminList::ServiceAccounts,
        AdminList::ServiceTokens,
    ];

    /// Its name in messages and file names.
    pub fn name(self) -> &'static str {
        match self {
            AdminList::Users => "users",
            AdminList::Domains => "domains",
            AdminList::Policies => "policies",
            AdminList::UserTokens => "api-tokens",
            AdminList::OrgKeys => "api-keys",
            AdminList::ServiceAccounts => "service-accounts",
            AdminList::ServiceTokens => "service-account-tokens",
        }
    }

    /// The scopes of which a key needs one to read it. None is documented for the search of users:
    /// a key with all scopes that read was allowed to (live tests of jira.js), and the older list
    /// of users has this one.
    pub fn scopes(self) -> &'static [&'static str] {
        match self {
            AdminList::Users => &["read:directories:admin"],
            AdminList::Domains => &["read:domains:admin"],
            AdminList::Policies => &["read:policies:admin"],
            AdminList::UserTokens => &["read:tokens:admin"],
            // The second by older documentation.
            AdminList::OrgKeys => &["read:keys:admin", "read:tokens:admin"],
            AdminList::ServiceAccounts => &["read:service-accounts:admin"],
            AdminList::ServiceTokens => &["read:service-accounts-tokens:admin"],
        }
    }

    /// The ways to ask for it, the best first. The next one is for a server that does not know, or
    /// does not accept, the one before.
    pub fn variants(self) -> Vec<ListVariant> {
        let get = |path| ListVariant { path, search: None };
        match self {
            AdminList::Users => vec![
                ListVariant { path: USER_SEARCH, search: Some(search_with_details) },
                ListVariant { path: USER_SEARCH, search: Some(|| json!({})) },
                get(USER_LIST),
            ],
            AdminList::Domains => vec![get("/admin/v1/orgs/{org}/domains")],
            AdminList::Policies => vec![
                get("/admin/v1/orgs/{org}/policies"),
                get("/admin/control/v1/orgs/{org}/policies"),
            ],
            AdminList::UserTokens => vec![get("/admin/api-access/v1/orgs/{org}/api-tokens")],
            AdminList::OrgKeys => vec![get("/admin/api-access/v1/orgs/{org}/api-keys")],
            AdminList::ServiceAccounts => {
                vec![get("/admin/api-access/v1/orgs/{org}/service-accounts")]
            }
            AdminList::ServiceTokens => {
                vec![get("/admin/api-access/v1/orgs/{org}/service-accounts/api-tokens")]
            }
        }
    }
}

const USER_SEARCH: &str = "/admin/v2/orgs/{org}/directories/{all}/users/search";
const USER_LIST: &str = "/admin/v2/orgs/{org}/directories/{all}/users";

fn search_with_details() -> Value {
    json!({"limit": USERS_PER_PAGE, "expand": ["platformRoles", "productAccess"]})
}

impl ListVariant {
    /// The request for the page after `cursor`.
    pub fn request(&self, base_url: &Url, org_id: &str, cursor: Option<&str>) -> Request {
        let url = org_url(base_url, self.path, org_id);
        let Some(search) = self.search else { return get_page(url, cursor) };
        let mut body = search();
        if let (Some(cursor), Value::Object(fields)) = (cursor, &mut body) {
            fields.insert("cursor".to_owned(), cursor.into());
        }
        Request::read_post(Endpoint::OrgAdmin, url, ReadPost::UserSearch, body.to_string())
    }
}

/// `base_url` with the path of an organization after it.
pub fn org_url(base_url: &Url, path: &str, org_id: &str) -> Url {
    let path = path.replace("{org}", &path_segment(org_id)).replace("{all}", ALL_DIRECTORIES);
    endpoint_url(base_url, &path)
}

/// `text` as one segment of a path.
pub(super) fn path_segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The page in the response.
///
/// # Errors
/// It is no page of a list, an entry is not an object, or the next page is not known.
pub fn read_page(response: &Response) -> Result<AdminPage, UnreadableBody> {
    // Service accounts are called `items`, and all other entries `data`.
    let body = PageBody::of("an administrative list", "data", response).or_else(|error| {
        PageBody::of("an administrative list", "items", response).map_err(|_| error)
    })?;
    let entries = objects(body.records())?;
    let next = next_cursor::next(&PageLocator::Start, 0, &body)?;
    Ok(AdminPage {
        entries,
        next: next.as_ref().and_then(PageLocator::cursor).map(str::to_owned),
        total: body.beside("total")?.and_then(Node::scalar).and_then(|total| total.parse().ok()),
    })
}

fn objects(entries: impl Iterator<Item = Document>) -> Result<Vec<Document>, UnreadableBody> {
    let entries: Vec<Document> = entries.collect();
    match entries.iter().all(|entry| entry.root().is_object()) {
        true => Ok(entries),
        false => Err(UnreadableBody::new("an entry of the list is not an object")),
    }
}

/// The request for what the policy `id` applies to, the page after `cursor`.
pub fn policy_resources_request(
    base_url: &Url,
    org_id: &str,
    id: &str,
    cursor: Option<&str>,
) -> Request {
    let path = format!("/admin/control/v1/orgs/{{org}}/policies/{}/resources", path_segment(id));
    get_page(org_url(base_url, &path, org_id), cursor)
}

/// A GET of the page after `cursor`.
fn get_page(mut url: Url, cursor: Option<&str>) -> Request {
    if let Some(cursor) = cursor {
        url.query_pairs_mut().append_pair("cursor", cursor);
    }
    Request::get(Endpoint::OrgAdmin, url)
}

/// The request for the authentication policies of these accounts, [`MAX_POLICY_MEMBERS`] at most.
pub fn policy_members_request(base_url: &Url, org_id: &str, account_ids: &[String]) -> Request {
    let path = "/admin/control/v1/orgs/{org}/users/auth-policies/bulk-fetch";
    let url = org_url(base_url, path, org_id);
    let body = Map::from_iter([("accountIds".to_owned(), Value::from(account_ids))]);
    let body = Value::from(body).to_string();
    Request::read_post(Endpoint::OrgAdmin, url, ReadPost::AuthPolicyMembers, body)
}

/// The objects of a response that is an array of them: the answer of `bulk-fetch`.
///
/// # Errors
/// It is none.
pub fn read_array(response: &Response) -> Result<Vec<Document>, UnreadableBody> {
    let not_an_array = || UnreadableBody::new("the response is not a list of objects");
    let document = Document::parse(text_of(&response.body).0).map_err(|_| not_an_array())?;
    if !document.root().is_array() {
        // An error of the server's, or a page after all: it must be the only one.
        let page = read_page(response).map_err(|_| not_an_array())?;
        return match page.next {
            None => Ok(page.entries),
            Some(_) => {
                Err(UnreadableBody::new("the list has further pages, which is not expected"))
            }
        };
    }
    objects(document.root().items().map(|node| document.part(node)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn response(body: &str) -> Response {
        Response { status: 200, headers: Vec::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn base() -> Url {
        "https://api.example/x/".parse().unwrap()
    }

    #[test]
    fn a_search_has_its_cursor_in_the_body_and_a_list_in_the_query() {
        let variants = AdminList::Users.variants();
        let [details, plain, list] = &variants[..] else { panic!() };
        let first = details.request(&base(), "o/1", None);
        assert_eq!(
            first.url.as_str(),
            "https://api.example/x/admin/v2/orgs/o%2F1/directories/-/users/search"
        );
        assert_eq!(
            first.body(),
            Some(r#"{"expand":["platformRoles","productAccess"],"limit":100}"#)
        );
        assert_eq!(plain.request(&base(), "o", Some("c 1")).body(), Some(r#"{"cursor":"c 1"}"#));
        let next = list.request(&base(), "o", Some("c 1"));
        assert_eq!(next.method(), "GET");
        assert!(next.url.as_str().ends_with("/directories/-/users?cursor=c+1"));
        for variant in AdminList::ALL.into_iter().flat_map(AdminList::variants) {
            assert!(variant.request(&base(), "o", None).only_reads());
        }
        assert!(policy_members_request(&base(), "o", &["a".to_owned()]).only_reads());
    }

    #[test]
    fn pages_name_the_next_one_in_three_ways() {
        let next = |body: &str| read_page(&response(body)).unwrap().next;
        let cases = [
            (r#"{"data":[],"links":{"next":"c1"}}"#, Some("c1")),
            (r#"{"data":[],"links":{"next":"https://x.example/d?cursor=c%202"}}"#, Some("c 2")),
            (r#"{"data":[],"meta":{"next":"c3"},"links":{}}"#, Some("c3")),
            (r#"{"items":[],"total":0,"links":{"next":null}}"#, None),
            (r#"{"data":[],"meta":{"next":""}}"#, None),
        ];
        for (body, want) in cases {
            assert_eq!(next(body).as_deref(), want, "{body}");
        }
        assert_eq!(read_page(&response(r#"{"items":[{}],"total":7}"#)).unwrap().total, Some(7));
    }

    #[test]
    fn what_is_no_list_is_no_empty_list() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"data":{}}"#,
            r#"{"data":[null]}"#,
            r#"{"data":[],"errors":[{"code":"X","title":"no"}]}"#,
            r#"{"data":[],"links":{"next":7}}"#,
        ] {
            assert!(read_page(&response(body)).is_err(), "{body}");
        }
        for body in ["7", "{}", "[7]", r#"{"errors":[{"code":"X"}]}"#] {
            assert!(read_array(&response(body)).is_err(), "{body}");
        }
        assert_eq!(read_array(&response(r#"[{"accountId":"a"}]"#)).unwrap().len(), 1);
    }
}
