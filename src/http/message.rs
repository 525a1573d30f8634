//! Defines requests and responses as plain data, and the endpoints with their limits: no client,
//! no I/O.

use bytes::Bytes;
use url::Url;

/// A resource with a request quota of its own. Requests to one endpoint share its quota and its
/// pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/admin/v1/orgs/{org}/events-stream`.
    EventsStream,
    /// `/rest/api/3/auditing/record`.
    JiraAuditRecords,
    /// `/wiki/rest/api/audit`.
    ConfluenceAudit,
    /// `/rest/auditing/1.0/events`.
    DatacenterEvents,
    /// `/admin/v1/orgs`.
    Organizations,
    /// `/admin/api-access/v1/orgs/{org}/api-keys`.
    ApiKeys,
    /// `/_edge/tenant_info`, which needs no credential.
    TenantInfo,
    /// `/rest/api/3/user/bulk`.
    JiraUsers,
    /// `/plugins/servlet/applinks/whoami`.
    DatacenterWhoami,
}

impl Endpoint {
    /// Its name in log lines.
    pub fn name(self) -> &'static str {
        match self {
            Endpoint::EventsStream => "events-stream",
            Endpoint::JiraAuditRecords => "jira-audit-records",
            Endpoint::ConfluenceAudit => "confluence-audit",
            Endpoint::DatacenterEvents => "datacenter-events",
            Endpoint::Organizations => "organizations",
            Endpoint::ApiKeys => "api-keys",
            Endpoint::TenantInfo => "tenant-info",
            Endpoint::JiraUsers => "jira-users",
            Endpoint::DatacenterWhoami => "datacenter-whoami",
        }
    }

    /// Requests that Atlassian allows in a minute, where a limit of the endpoint's own is known.
    ///
    /// events-stream: 50 a minute on a path (elastic/integrations, package atlassian_cloud). The
    /// others state no fixed figure (developer.atlassian.com, Jira Cloud rate limiting; a Data
    /// Center's is its administrator's): they have only the credential's overall limit and their
    /// own 429 answers.
    pub fn per_minute(self) -> Option<u32> {
        match self {
            Endpoint::EventsStream => Some(50),
            _ => None,
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
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}
