//! Defines requests and responses as plain data, and the endpoints with their limits: no client,
//! no I/O.

use bytes::Bytes;
use url::Url;

pub use crate::model::source_kind::Endpoint;

/// One GET request. Its credential is added by the client, so it may be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose quota it uses.
    pub endpoint: Endpoint,
    /// The whole URL with its query.
    pub url: Url,
}

impl Request {
    /// Whether it goes through Atlassian's gateway to the sites.
    pub fn is_through_gateway(&self) -> bool {
        self.url.path().contains("/ex/jira/") || self.url.path().contains("/ex/confluence/")
    }
}

/// A whole response. Header names are lower-case; header values that are not text are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names (lower-case) and values, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body, decoded unless the header `content-encoding` is still there.
    pub body: Bytes,
}

impl Response {
    /// The first value of the header `name` (lower-case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
