//! Lists the resources of Atlassian's APIs that requests go to, each with its documented limit.

/// A resource with a request quota of its own. Requests to one endpoint share its quota and pauses.
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
        self.facts().0
    }

    /// Requests that Atlassian allows in a minute, where a limit of the endpoint's own is known.
    pub fn per_minute(self) -> Option<u32> {
        self.facts().1
    }

    /// Name and limit.
    ///
    /// events-stream: 50 a minute on a path (elastic/integrations, package atlassian_cloud).
    /// The others state no fixed number (developer.atlassian.com, Jira Cloud rate limiting; a Data
    /// Center's is set by its administrator): only the credential's overall limit and their own
    /// 429 responses count.
    fn facts(self) -> (&'static str, Option<u32>) {
        match self {
            Endpoint::EventsStream => ("events-stream", Some(50)),
            Endpoint::JiraAuditRecords => ("jira-audit-records", None),
            Endpoint::ConfluenceAudit => ("confluence-audit", None),
            Endpoint::DatacenterEvents => ("datacenter-events", None),
            Endpoint::Organizations => ("organizations", None),
            Endpoint::ApiKeys => ("api-keys", None),
            Endpoint::TenantInfo => ("tenant-info", None),
            Endpoint::JiraUsers => ("jira-users", None),
            Endpoint::DatacenterWhoami => ("datacenter-whoami", None),
        }
    }
}
