//! Reads names and addresses of account ids on a Cloud site.
//!
//! Facts (developer.atlassian.com/cloud/jira/platform/rest/v3, users, bulk get): `accountId` is repeated, `maxResults`
//! is 10 where it is not given; ids that mean nobody are left out, and an address that its owner hides is empty
//! or missing.

use url::Url;

use crate::http::error::UnreadableBody;
use crate::http::message::{Endpoint, Request, Response};
use crate::model::event::UserProfile;
use crate::model::json::Node;
use crate::source::endpoint_url;
use crate::source::page_body::PageBody;

/// Ids that one request names: the URL stays below four kilobytes, which every proxy lets through.
pub const MAX_IDS: usize = 50;

/// The request for the users with these ids, [`MAX_IDS`] at most; `base_url` is what stands before `/rest`.
pub fn request(base_url: &Url, ids: &[String]) -> Request {
    let mut url = endpoint_url(base_url, "/rest/api/3/user/bulk");
    let mut query = url.query_pairs_mut();
    query.append_pair("maxResults", &MAX_IDS.to_string());
    query.extend_pairs(ids.iter().map(|id| ("accountId", id)));
    drop(query);
    Request { endpoint: Endpoint::JiraUsers, url }
}

/// The ids and users in the answer.
///
/// # Errors
/// It is no list of users.
pub fn read(response: &Response) -> Result<Vec<(String, UserProfile)>, UnreadableBody> {
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

    #[test]
    fn ids_are_named_one_by_one() {
        let base = "https://gw.example/ex/jira/c1".parse().unwrap();
        let ids = ["712020:a&b".to_owned(), "qm:1".to_owned()];
        assert_eq!(
            request(&base, &ids).url.as_str(),
            "https://gw.example/ex/jira/c1/rest/api/3/user/bulk?maxResults=50&accountId=712020%3Aa%26b&accountId=qm%3A1"
        );
    }

    #[test]
    fn users_may_hide_what_they_are_called() {
        let body = r#"{"values":[{"accountId":"a","displayName":"Ada","emailAddress":"ada@x.example"},
            {"accountId":"b","displayName":"Bo","emailAddress":""},{"accountId":"c","emailAddress":"hidden"},
            {"displayName":"nobody"},null,7]}"#;
        let response = Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        let user = |name: Option<&str>, email: Option<&str>| UserProfile {
            name: name.map(str::to_owned),
            email: email.map(str::to_owned),
        };
        assert_eq!(
            read(&response).unwrap(),
            [
                ("a".to_owned(), user(Some("Ada"), Some("ada@x.example"))),
                ("b".to_owned(), user(Some("Bo"), None)),
                ("c".to_owned(), user(None, None)),
            ]
        );
    }
}
