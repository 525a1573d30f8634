//! Which endpoint a path is.

/// The two audited endpoints: faults, rate limits and counts are kept for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `GET /admin/v1/orgs/{org_id}/events-stream`.
    OrgEvents,
    /// `GET /rest/api/3/auditing/record`, at the site or through the gateway.
    JiraAudit,
}

/// A path, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/admin/v1/orgs`
    Orgs,
    /// `/admin/v1/orgs/{org_id}`
    Org(String),
    /// `/admin/v1/orgs/{org_id}/events-stream`
    OrgEvents(String),
    /// `/_edge/tenant_info`, which needs no credential
    TenantInfo,
    /// `/rest/api/3/auditing/record`
    JiraSite,
    /// `/ex/jira/{cloud_id}/rest/api/3/auditing/record`
    JiraGateway(String),
    /// Anything else
    Unknown,
}

impl Route {
    /// The endpoint at `path`.
    pub fn of(path: &str) -> Self {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match segments.as_slice() {
            ["admin", "v1", "orgs"] => Self::Orgs,
            ["admin", "v1", "orgs", org] => Self::Org((*org).to_owned()),
            ["admin", "v1", "orgs", org, "events-stream"] => Self::OrgEvents((*org).to_owned()),
            ["_edge", "tenant_info"] => Self::TenantInfo,
            ["rest", "api", "3", "auditing", "record"] => Self::JiraSite,
            [
                "ex",
                "jira",
                cloud,
                "rest",
                "api",
                "3",
                "auditing",
                "record",
            ] => Self::JiraGateway((*cloud).to_owned()),
            _ => Self::Unknown,
        }
    }

    /// The audited endpoint this is, if it is one.
    pub fn api(&self) -> Option<Api> {
        match self {
            Self::OrgEvents(_) => Some(Api::OrgEvents),
            Self::JiraSite | Self::JiraGateway(_) => Some(Api::JiraAudit),
            Self::Orgs | Self::Org(_) | Self::TenantInfo | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_served_path_is_known() {
        assert_eq!(Route::of("/admin/v1/orgs"), Route::Orgs);
        assert_eq!(Route::of("/admin/v1/orgs/x"), Route::Org("x".into()));
        assert_eq!(
            Route::of("/admin/v1/orgs/x/events-stream"),
            Route::OrgEvents("x".into())
        );
        assert_eq!(Route::of("/_edge/tenant_info"), Route::TenantInfo);
        assert_eq!(
            Route::of("/rest/api/3/auditing/record").api(),
            Some(Api::JiraAudit)
        );
        assert_eq!(
            Route::of("/ex/jira/c1/rest/api/3/auditing/record"),
            Route::JiraGateway("c1".into())
        );
        assert_eq!(Route::of("/admin/v1/orgs/x/events"), Route::Unknown);
    }
}
