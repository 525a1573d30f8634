//! Owns what is asked of a server and what it answers, as plain data: no client, no I/O.

use bytes::Bytes;
use url::Url;

/// A resource with a request quota of its own. Requests to one endpoint share its quota and its pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/admin/v1/orgs/{org}/events-stream`.
    EventsStream,
    /// `/rest/api/3/auditing/record`.
    JiraAuditRecords,
}

impl Endpoint {
    /// Requests that Atlassian allows in a minute, where a limit of the endpoint's own is known.
    ///
    /// events-stream: 50 a minute on a path (elastic/integrations, package atlassian_cloud).
    /// Jira states no fixed figure (developer.atlassian.com, Jira Cloud rate limiting): it has only
    /// the credential's overall limit and its own 429 answers.
    pub fn per_minute(self) -> Option<u32> {
        match self {
            Endpoint::EventsStream => Some(50),
            Endpoint::JiraAuditRecords => None,
        }
    }
}

/// One GET request. Its credential is added by the client, so it may be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Whose quota it uses.
    pub endpoint: Endpoint,
    /// The whole URL with its query.
    pub url: Url,
}

/// A whole response. Header names are lower-case; header values that are not text are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names (lower-case) and values, in the order received.
    pub headers: Vec<(String, String)>,
    /// The decompressed body.
    pub body: Bytes,
}

impl Response {
    /// The first value of the header `name` (lower-case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}
