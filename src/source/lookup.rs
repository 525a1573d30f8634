//! Reads the few things that are not audit records: the organizations of a key, the cloud id of a
//! site, the account of a credential, and the names and addresses of a site's users.
//!
//! Facts: `/_edge/tenant_info` answers `{"cloudId": "..."}` to everybody (Atlassian's knowledge
//! base, "retrieve my site's cloud ID"). The applinks plugin of Jira, Confluence and Bitbucket Data
//! Center answers `/plugins/servlet/applinks/whoami` with the user name as plain text, or nothing
//! for an unknown account. In the bulk request for users
//! (developer.atlassian.com/cloud/jira/platform/rest/v3, users), `accountId` is repeated and
//! `maxResults` is 10 where it is not given; ids that mean nobody are left out, and an address that
//! its owner hides is empty or missing.

use url::Url;

use crate::config::validate;
use crate::http::message::UnreadableBody;
use crate::http::message::{Endpoint, Request, Response};
use crate::model::event::UserProfile;
use crate::model::json::{Document, Node};
use crate::model::text::printable;
use crate::source::page::{PageBody, endpoint_url, text_of};

/// A user name is not longer.
const MAX_NAME_LENGTH: usize = 255;

/// An organization that a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationInfo {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}

fn request(endpoint: Endpoint, base_url: &Url, path: &str) -> Request {
    Request::get(endpoint, endpoint_url(base_url, path))
}

/// The request for the organizations of a key; `base_url` comes before `/admin/v1`.
pub fn organizations_request(base_url: &Url) -> Request {
    request(Endpoint::Organizations, base_url, "/admin/v1/orgs")
}

/// The organizations in the response; none for a key with scopes, whatever it may read (measured by
/// the live tests of jira.js).
///
/// # Errors
/// It is no list of organizations.
pub fn read_organizations(response: &Response) -> Result<Vec<OrganizationInfo>, UnreadableBody> {
    let body = PageBody::of("organizations", "data", response)?;
    let organizations = body.records().filter_map(|doc| {
        let [id, attributes] = doc.root().fields(["id", "attributes"]);
        let name = attributes.and_then(|of| of.text_of("name"));
        Some(OrganizationInfo {
            id: validate::org_id(&id?.text()?).ok()?,
            name: name.map(|name| printable(&name)),
        })
    });
    Ok(organizations.collect())
}

/// The request for the cloud id of the site at `site_url`.
pub fn cloud_id_request(site_url: &Url) -> Request {
    request(Endpoint::TenantInfo, site_url, "/_edge/tenant_info")
}

/// The cloud id in the response.
///
/// # Errors
/// There is none, or one that cannot stand in a path.
pub fn read_cloud_id(response: &Response) -> Result<String, UnreadableBody> {
    let none = || UnreadableBody::new("the response has no cloud id");
    let doc = Document::parse(text_of(&response.body).0).map_err(|_| none())?;
    let id = doc.root().get("cloudId").and_then(Node::text);
    validate::cloud_id(&id.ok_or_else(none)?).map_err(|_| none())
}

/// The request for the account of a Data Center's credential.
pub fn whoami_request(base_url: &Url) -> Request {
    request(Endpoint::DatacenterWhoami, base_url, "/plugins/servlet/applinks/whoami")
}

/// The account in the response; nothing where the server names none.
///
/// # Errors
/// It is no name.
pub fn read_whoami(response: &Response) -> Result<Option<String>, UnreadableBody> {
    let (text, _) = text_of(&response.body);
    let name = text.trim();
    if name.len() > MAX_NAME_LENGTH || name.contains(char::is_control) {
        return Err(UnreadableBody::new("the response is not a user name"));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

/// Ids that one request names: the URL stays below four kilobytes, which every proxy lets through.
pub const MAX_USER_IDS: usize = 50;

/// The request for the users with these ids, [`MAX_USER_IDS`] at most; `base_url` is what stands
/// before `/rest`.
pub fn users_request(base_url: &Url, ids: &[String]) -> Request {
    let mut request = request(Endpoint::JiraUsers, base_url, "/rest/api/3/user/bulk");
    let mut query = request.url.query_pairs_mut();
    query.append_pair("maxResults", &MAX_USER_IDS.to_string());
    query.extend_pairs(ids.iter().map(|id| ("accountId", id)));
    drop(query);
    request
}

/// The ids and users in the response.
///
/// # Errors
/// It is no list of users.
pub fn read_users(response: &Response) -> Result<Vec<(String, UserProfile)>, UnreadableBody> {
    let body = PageBody::of("users", "values", response)?;
    let users = body.records().filter_map(|doc| {
        let [id, name, email] = doc
            .root()
            .fields(["accountId", "displayName", "emailAddress"])
            .map(|field| field.and_then(Node::text));
        let user = UserProfile {
            name: name.map(|name| name.into_owned()),
            email: email.filter(|email| email.contains('@')).map(|email| email.into_owned()),
        };
        Some((id?.into_owned(), user))
    });
    Ok(users.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn response(body: &str) -> Response {
        Response { status: 200, headers: Vec::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn a_cloud_id_is_safe_in_a_path() {
        let read = |body| read_cloud_id(&response(body)).ok();
        assert_eq!(read(r#"{"cloudId":"b1c7-e0"}"#).as_deref(), Some("b1c7-e0"));
        for bad in
            ["", "{}", "[]", r#"{"cloudId":7}"#, r#"{"cloudId":"../x"}"#, r#"{"cloudId":""}"#]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn organizations_have_an_id_and_perhaps_a_name() {
        let body = r#"{"data":[{"id":"o-1","attributes":{"name":"Acme"}},{"id":"o-2"},{"id":"a/b"},{},null]}"#;
        let read = read_organizations(&response(body)).unwrap();
        let read: Vec<_> = read.iter().map(|org| (&*org.id, org.name.as_deref())).collect();
        assert_eq!(read, [("o-1", Some("Acme")), ("o-2", None)]);
        assert_eq!(read_organizations(&response(r#"{"data":[],"links":{}}"#)), Ok(Vec::new()));
        assert!(read_organizations(&response("{}")).is_err());
    }

    #[test]
    fn a_user_name_is_one_line() {
        let read = |body| read_whoami(&response(body)).ok();
        assert_eq!(read("ada\n"), Some(Some("ada".to_owned())));
        assert_eq!(read(""), Some(None));
        assert_eq!(read("a\nb"), None);
    }

    #[test]
    fn ids_are_named_one_by_one() {
        let base = "https://gw.example/ex/jira/c1".parse().unwrap();
        let ids = ["712020:a&b".to_owned(), "qm:1".to_owned()];
        assert_eq!(
            users_request(&base, &ids).url.as_str(),
            "https://gw.example/ex/jira/c1/rest/api/3/user/bulk?maxResults=50&accountId=712020%3Aa%26b&accountId=qm%3A1"
        );
    }

    #[test]
    fn users_may_hide_what_they_are_called() {
        let body = r#"{"values":[{"accountId":"a","displayName":"Ada","emailAddress":"ada@x.example"},
            {"accountId":"b","displayName":"Bo","emailAddress":""},{"accountId":"c","emailAddress":"hidden"},
            {"displayName":"nobody"},null,7]}"#;
        let user = |name: Option<&str>, email: Option<&str>| UserProfile {
            name: name.map(str::to_owned),
            email: email.map(str::to_owned),
        };
        assert_eq!(
            read_users(&response(body)).unwrap(),
            [
                ("a".to_owned(), user(Some("Ada"), Some("ada@x.example"))),
                ("b".to_owned(), user(Some("Bo"), None)),
                ("c".to_owned(), user(None, None)),
            ]
        );
    }
}
