//! A request as the server understands it: its endpoint, its parameters and its credential.

/// The audited endpoints: faults, rate limits and counts are kept for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `GET /admin/v1/orgs/{org_id}/events-stream`.
    OrgEvents,
    /// `GET /rest/api/3/auditing/record`, at the site or through the gateway.
    JiraAudit,
    /// `GET /wiki/rest/api/audit`, at the site or through the gateway.
    ConfluenceAudit,
    /// `GET /rest/auditing/1.0/events`, at the root or below `/dc`.
    DatacenterAudit,
}

/// A path, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiRoute {
    /// `/admin/v1/orgs`
    Orgs,
    /// `/admin/v1/orgs/{org_id}`
    Org(String),
    /// `/admin/v1/orgs/{org_id}/events-stream`
    OrgEvents(String),
    /// `/admin/api-access/v1/orgs/{org_id}/api-keys`
    ApiKeys(String),
    /// `/_edge/tenant_info`, which needs no credential
    TenantInfo,
    /// `/rest/api/3/auditing/record`
    JiraAudit(SiteAccess),
    /// `/rest/api/3/user/bulk`
    JiraUsers(SiteAccess),
    /// `/wiki/rest/api/audit`
    ConfluenceAudit(SiteAccess),
    /// `/rest/auditing/1.0/events`
    DatacenterEvents,
    /// `/plugins/servlet/applinks/whoami`, which needs no credential
    DatacenterWhoami,
    /// Anything else
    Unknown,
}

/// How a product of the Cloud site is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteAccess {
    /// At the site itself.
    Site,
    /// Through the gateway, `/ex/{product}/{cloud_id}`, with this cloud id.
    Gateway(String),
}

impl ApiRoute {
    /// The endpoint at `path`.
    pub fn of(path: &str) -> Self {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["admin", "v1", "orgs"] => Self::Orgs,
            ["admin", "v1", "orgs", org] => Self::Org((*org).to_owned()),
            ["admin", "v1", "orgs", org, "events-stream"] => Self::OrgEvents((*org).to_owned()),
            ["admin", "api-access", "v1", "orgs", org, "api-keys"] => {
                Self::ApiKeys((*org).to_owned())
            }
            ["_edge", "tenant_info"] => Self::TenantInfo,
            ["ex", "jira", cloud, rest @ ..] => {
                Self::jira(rest, SiteAccess::Gateway((*cloud).to_owned()))
            }
            ["ex", "confluence", cloud, rest @ ..] => {
                Self::confluence(rest, SiteAccess::Gateway((*cloud).to_owned()))
            }
            ["rest", "api", ..] => Self::jira(&segments, SiteAccess::Site),
            ["wiki", ..] => Self::confluence(&segments, SiteAccess::Site),
            ["dc", rest @ ..] => Self::datacenter(rest),
            rest => Self::datacenter(rest),
        }
    }

    fn jira(segments: &[&str], way: SiteAccess) -> Self {
        match segments {
            ["rest", "api", "3", "auditing", "record"] => Self::JiraAudit(way),
            ["rest", "api", "3", "user", "bulk"] => Self::JiraUsers(way),
            _ => Self::Unknown,
        }
    }

    fn confluence(segments: &[&str], way: SiteAccess) -> Self {
        match segments {
            ["wiki", "rest", "api", "audit"] => Self::ConfluenceAudit(way),
            _ => Self::Unknown,
        }
    }

    fn datacenter(segments: &[&str]) -> Self {
        match segments {
            ["rest", "auditing", "1.0", "events"] => Self::DatacenterEvents,
            ["plugins", "servlet", "applinks", "whoami"] => Self::DatacenterWhoami,
            _ => Self::Unknown,
        }
    }

    /// The audited endpoint this is, if it is one.
    pub fn api(&self) -> Option<Api> {
        match self {
            Self::OrgEvents(_) => Some(Api::OrgEvents),
            Self::JiraAudit(_) => Some(Api::JiraAudit),
            Self::ConfluenceAudit(_) => Some(Api::ConfluenceAudit),
            Self::DatacenterEvents => Some(Api::DatacenterAudit),
            Self::Orgs
            | Self::Org(_)
            | Self::ApiKeys(_)
            | Self::TenantInfo
            | Self::JiraUsers(_)
            | Self::DatacenterWhoami
            | Self::Unknown => None,
        }
    }
}

/// A request, understood.
#[derive(Clone, Debug)]
pub struct ParsedRequest {
    /// Whether the method is GET.
    pub is_get: bool,
    /// The path as sent.
    pub path: String,
    /// The endpoint.
    pub route: ApiRoute,
    /// The query, percent-decoded, `+` read as a space.
    pub query: Vec<(String, String)>,
    /// The `authorization` header.
    pub authorization: Option<String>,
}

impl ParsedRequest {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A query parameter that is a number; None when it is there and is none.
    pub fn number(&self, name: &str, default: usize) -> Option<usize> {
        self.param(name).map_or(Some(default), |text| text.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_served_path_is_known() {
        let gateway = || SiteAccess::Gateway("c1".into());
        for (path, route) in [
            ("/admin/v1/orgs", ApiRoute::Orgs),
            ("/admin/v1/orgs/x", ApiRoute::Org("x".into())),
            ("/admin/api-access/v1/orgs/x/api-keys", ApiRoute::ApiKeys("x".into())),
            ("/admin/v1/orgs/x/events-stream", ApiRoute::OrgEvents("x".into())),
            ("/admin/v1/orgs/x/events", ApiRoute::Unknown),
            ("/rest/api/3/auditing/record", ApiRoute::JiraAudit(SiteAccess::Site)),
            ("/ex/jira/c1/rest/api/3/auditing/record", ApiRoute::JiraAudit(gateway())),
            ("/rest/api/3/user/bulk", ApiRoute::JiraUsers(SiteAccess::Site)),
            ("/ex/jira/c1/rest/api/3/user/bulk", ApiRoute::JiraUsers(gateway())),
            ("/wiki/rest/api/audit", ApiRoute::ConfluenceAudit(SiteAccess::Site)),
            ("/ex/confluence/c1/wiki/rest/api/audit", ApiRoute::ConfluenceAudit(gateway())),
            ("/ex/confluence/c1/rest/api/audit", ApiRoute::Unknown),
            ("/ex/jira/c1/wiki/rest/api/audit", ApiRoute::Unknown),
            ("/rest/auditing/1.0/events", ApiRoute::DatacenterEvents),
            ("/dc/rest/auditing/1.0/events", ApiRoute::DatacenterEvents),
            ("/dc/plugins/servlet/applinks/whoami", ApiRoute::DatacenterWhoami),
            ("/dc/rest/api/3/user/bulk", ApiRoute::Unknown),
        ] {
            assert_eq!(ApiRoute::of(path), route, "{path}");
        }
        assert_eq!(ApiRoute::of("/rest/api/3/auditing/record").api(), Some(Api::JiraAudit));
        assert_eq!(ApiRoute::of("/dc/rest/auditing/1.0/events/").api(), Some(Api::DatacenterAudit));
    }
}
