//! A request as the server understands it: its endpoint, its parameters and its credential.

use axum::http::{HeaderName, Method, Request, header};
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::admin::AdminEndpoint;

/// The audited endpoints: faults, rate limits and counts are separate for each.
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
    /// `GET /audit-log/v1/workspaces/{workspace}/events` of the site's Jira.
    JiraWorkspace,
    /// The same of the site's Confluence.
    ConfluenceWorkspace,
}

impl Api {
    /// All, in the order of their declaration.
    pub const ALL: [Self; 6] = [
        Self::OrgEvents,
        Self::JiraAudit,
        Self::ConfluenceAudit,
        Self::DatacenterAudit,
        Self::JiraWorkspace,
        Self::ConfluenceWorkspace,
    ];
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxEndpoint {
    /// `/admin/v1/orgs`
    Orgs,
    /// `/admin/v1/orgs/{org_id}`
    Org,
    /// One of the admin APIs, besides the above
    Admin(AdminEndpoint),
    /// `/_edge/tenant_info`, which needs no credential
    TenantInfo,
    /// One of the audited endpoints
    Audit(Api),
    /// `/admin/v1/orgs/{org_id}/event-actions`, or that of a workspace
    EventActions(Api),
    /// `/audit-log/v1/workspaces/{workspace}/event-queries` and what is below it
    EventQueries(Api, EventQueryEndpoint),
    /// `/rest/api/3/user/bulk`
    JiraUsers,
    /// `/plugins/servlet/applinks/whoami`, which needs no credential
    Whoami,
    /// Anything else
    Unknown,
}

/// What a path of a workspace's event queries leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventQueryEndpoint {
    /// All of them
    List,
    /// `/{id}`
    One,
    /// `/{id}/results`
    Results,
    /// `/{id}/cancel`
    Cancel,
}

impl SandboxEndpoint {
    /// The endpoint at `rest`, the path below `product`: the product's part of the gateway, the
    /// context path of Data Center, or nothing.
    fn of(product: &str, rest: &[&str]) -> Self {
        match (product, rest) {
            ("", ["admin", "v1", "orgs"]) => Self::Orgs,
            ("", ["admin", "v1", "orgs", _]) => Self::Org,
            ("", ["admin", "v1", "orgs", _, "events-stream"]) => Self::Audit(Api::OrgEvents),
            ("", ["admin", "v1", "orgs", _, "event-actions"]) => Self::EventActions(Api::OrgEvents),
            ("", ["_edge", "tenant_info"]) => Self::TenantInfo,
            ("" | "jira", ["rest", "api", "3", "auditing", "record"]) => {
                Self::Audit(Api::JiraAudit)
            }
            ("" | "jira", ["rest", "api", "3", "user", "bulk"]) => Self::JiraUsers,
            ("" | "confluence", ["wiki", "rest", "api", "audit"]) => {
                Self::Audit(Api::ConfluenceAudit)
            }
            ("" | "dc", ["rest", "auditing", "1.0", "events"]) => Self::Audit(Api::DatacenterAudit),
            ("" | "dc", ["plugins", "servlet", "applinks", "whoami"]) => Self::Whoami,
            _ => Self::Unknown,
        }
    }

    /// The endpoint at `rest`, the path below a workspace of `api`.
    fn of_workspace(api: Api, rest: &[&str]) -> Self {
        match rest {
            ["events"] => Self::Audit(api),
            ["event-actions"] => Self::EventActions(api),
            ["event-queries"] => Self::EventQueries(api, EventQueryEndpoint::List),
            ["event-queries", _] => Self::EventQueries(api, EventQueryEndpoint::One),
            ["event-queries", _, "results"] => Self::EventQueries(api, EventQueryEndpoint::Results),
            ["event-queries", _, "cancel"] => Self::EventQueries(api, EventQueryEndpoint::Cancel),
            _ => Self::Unknown,
        }
    }

    /// The audited API this belongs to, if it does.
    pub fn api(self) -> Option<Api> {
        match self {
            Self::Audit(api) | Self::EventActions(api) | Self::EventQueries(api, _) => Some(api),
            _ => None,
        }
    }

    /// The audited API of whose records this gives pages, if it does.
    pub fn paged_api(self) -> Option<Api> {
        match self {
            Self::Audit(api) | Self::EventQueries(api, EventQueryEndpoint::Results) => Some(api),
            _ => None,
        }
    }

    /// Whether it takes requests of this method.
    pub fn allows(self, method: &Method) -> bool {
        let other = match self {
            Self::EventQueries(_, EventQueryEndpoint::Cancel) => return *method == Method::POST,
            Self::EventQueries(_, EventQueryEndpoint::List) => Some(Method::POST),
            Self::EventQueries(_, EventQueryEndpoint::One) => Some(Method::DELETE),
            Self::Admin(endpoint) => return *method == endpoint.method(),
            _ => None,
        };
        *method == Method::GET || other.as_ref() == Some(method)
    }
}

/// The API and the cloud id of a workspace: one segment of a path, and in it the encoded identifier
/// `ari:cloud:{product}::site/{cloud_id}`.
fn workspace(segment: &str) -> Option<(Api, String)> {
    let (ari, _) = url::form_urlencoded::parse(segment.as_bytes()).next()?;
    let (product, cloud_id) = ari.strip_prefix("ari:cloud:")?.split_once("::site/")?;
    let api = match product {
        "jira" => Api::JiraWorkspace,
        "confluence" => Api::ConfluenceWorkspace,
        _ => return None,
    };
    Some((api, cloud_id.to_owned()))
}

/// A request, understood.
#[derive(Clone, Debug)]
pub struct ParsedRequest {
    /// The method.
    pub method: Method,
    /// The path as sent.
    pub path: String,
    /// The endpoint.
    pub endpoint: SandboxEndpoint,
    /// The cloud id, where a product is reached through the gateway: `/ex/{product}/{cloud_id}`, or
    /// a workspace.
    pub cloud_id: Option<String>,
    /// The query, percent-decoded, `+` read as a space.
    pub query: Vec<(String, String)>,
    /// The `authorization` header.
    pub authorization: Option<String>,
    /// The `user-agent` header, or an empty string.
    pub user_agent: String,
    /// Whether the client accepts gzip.
    pub accepts_gzip: bool,
    /// The `accept-language` header; several are joined with commas.
    pub accept_language: Option<String>,
    /// The body; empty until it has been read.
    pub body: Bytes,
}

impl ParsedRequest {
    /// The request as it is understood.
    pub fn new<B>(request: &Request<B>) -> Self {
        let header = |name: HeaderName| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let path = request.uri().path();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (endpoint, cloud_id) = match segments.as_slice() {
            ["audit-log", "v1", "workspaces", segment, rest @ ..] => match workspace(segment) {
                Some((api, cloud_id)) => (SandboxEndpoint::of_workspace(api, rest), Some(cloud_id)),
                None => (SandboxEndpoint::Unknown, None),
            },
            ["ex", product, cloud_id, rest @ ..] => {
                (SandboxEndpoint::of(product, rest), Some((*cloud_id).to_owned()))
            }
            ["dc", rest @ ..] => (SandboxEndpoint::of("dc", rest), None),
            rest => match AdminEndpoint::of(request.method(), rest) {
                Some(endpoint) => (SandboxEndpoint::Admin(endpoint), None),
                None => (SandboxEndpoint::of("", rest), None),
            },
        };
        let languages = request.headers().get_all(header::ACCEPT_LANGUAGE).iter();
        let languages: Vec<_> =
            languages.map(|it| String::from_utf8_lossy(it.as_bytes())).collect();
        let query = request.uri().query().unwrap_or_default().as_bytes();
        Self {
            method: request.method().clone(),
            path: path.to_owned(),
            endpoint,
            cloud_id,
            query: url::form_urlencoded::parse(query).into_owned().collect(),
            authorization: header(header::AUTHORIZATION),
            user_agent: header(header::USER_AGENT).unwrap_or_default(),
            accepts_gzip: header(header::ACCEPT_ENCODING).is_some_and(|it| it.contains("gzip")),
            accept_language: (!languages.is_empty()).then(|| languages.join(",")),
            body: Bytes::new(),
        }
    }

    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the path is one of the Workspace Events API, whatever it leads to.
    pub fn is_below_audit_log(&self) -> bool {
        self.path.starts_with("/audit-log/")
    }

    /// A query parameter that is a number; None if it is there and is not a number.
    pub fn number(&self, name: &str, default: usize) -> Option<usize> {
        self.param(name).map_or(Some(default), |text| text.parse().ok())
    }
}

/// A date parameter, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParsedDate {
    /// An instant, epoch milliseconds.
    At(i64),
    /// A date without a zone, read as UTC. Jira answers it with an empty list
    /// (elastic/integrations 18138).
    Zoneless(i64),
    /// No date at all.
    Unreadable,
}

impl ParsedDate {
    /// Reads `...Z`, `...+00:00` and `...+0000`, with or without a fraction. A date
    /// without a zone is distinguished.
    ///
    /// An unescaped `+0000` arrives as ` 0000`, and counts as no zone.
    pub fn parse(text: &str) -> Self {
        let zoned = DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
        if let Ok(at) = zoned {
            return Self::At(at.timestamp_millis());
        }
        let local = text.split(' ').next().unwrap_or_default();
        let local = NaiveDateTime::parse_from_str(local, "%Y-%m-%dT%H:%M:%S%.f")
            .ok()
            .or_else(|| NaiveDate::parse_from_str(local, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0));
        local.map_or(Self::Unreadable, |local| Self::Zoneless(local.and_utc().timestamp_millis()))
    }

    /// The instant, if it is one.
    pub fn millis(self) -> Option<i64> {
        match self {
            Self::At(at) | Self::Zoneless(at) => Some(at),
            Self::Unreadable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_served_path_is_known() {
        let (jira, confluence) =
            (SandboxEndpoint::Audit(Api::JiraAudit), SandboxEndpoint::Audit(Api::ConfluenceAudit));
        let datacenter = SandboxEndpoint::Audit(Api::DatacenterAudit);
        let keys = AdminEndpoint::ApiKeys;
        for (path, endpoint, cloud_id) in [
            ("/admin/v1/orgs", SandboxEndpoint::Orgs, None),
            ("/admin/v1/orgs/x", SandboxEndpoint::Org, None),
            ("/admin/api-access/v1/orgs/x/api-keys", SandboxEndpoint::Admin(keys), None),
            ("/admin/v1/orgs/x/events-stream", SandboxEndpoint::Audit(Api::OrgEvents), None),
            ("/admin/v1/orgs/x/events", SandboxEndpoint::Unknown, None),
            ("/admin/v1/orgs/x/event-actions", SandboxEndpoint::EventActions(Api::OrgEvents), None),
            ("/rest/api/3/auditing/record", jira, None),
            ("/ex/jira/c1/rest/api/3/auditing/record", jira, Some("c1")),
            ("/rest/api/3/user/bulk", SandboxEndpoint::JiraUsers, None),
            ("/ex/jira/c1/rest/api/3/user/bulk", SandboxEndpoint::JiraUsers, Some("c1")),
            ("/wiki/rest/api/audit", confluence, None),
            ("/ex/confluence/c1/wiki/rest/api/audit", confluence, Some("c1")),
            ("/ex/confluence/c1/rest/api/audit", SandboxEndpoint::Unknown, Some("c1")),
            ("/ex/jira/c1/wiki/rest/api/audit", SandboxEndpoint::Unknown, Some("c1")),
            ("/rest/auditing/1.0/events", datacenter, None),
            ("/dc/rest/auditing/1.0/events/", datacenter, None),
            ("/dc/plugins/servlet/applinks/whoami", SandboxEndpoint::Whoami, None),
            ("/dc/rest/api/3/user/bulk", SandboxEndpoint::Unknown, None),
        ] {
            assert_leads_to(path, endpoint, cloud_id);
        }
    }

    fn assert_leads_to(path: &str, endpoint: SandboxEndpoint, cloud_id: Option<&str>) {
        let parsed = ParsedRequest::new(&Request::get(path).body(()).unwrap());
        assert_eq!((parsed.endpoint, parsed.cloud_id.as_deref()), (endpoint, cloud_id), "{path}");
    }

    #[test]
    fn a_workspace_is_one_segment_of_a_path() {
        let ari = "ari%3Acloud%3Ajira%3A%3Asite%2Fc1";
        let jira = SandboxEndpoint::Audit(Api::JiraWorkspace);
        let confluence = SandboxEndpoint::Audit(Api::ConfluenceWorkspace);
        let query = |part| SandboxEndpoint::EventQueries(Api::JiraWorkspace, part);
        let actions = SandboxEndpoint::EventActions(Api::JiraWorkspace);
        for (workspace, rest, endpoint, cloud_id) in [
            (ari, "events", jira, Some("c1")),
            (&ari.replace("jira", "confluence"), "events", confluence, Some("c1")),
            // Only the slash must be encoded: a colon may stand in a path.
            ("ari:cloud:confluence::site%2fc1", "events", confluence, Some("c1")),
            ("ari:cloud:jira::site/c1", "events", SandboxEndpoint::Unknown, None),
            (&ari.replace("jira", "loom"), "events", SandboxEndpoint::Unknown, None),
            ("c1", "events", SandboxEndpoint::Unknown, None),
            (ari, "", SandboxEndpoint::Unknown, Some("c1")),
            (ari, "event-actions", actions, Some("c1")),
            (ari, "event-queries", query(EventQueryEndpoint::List), Some("c1")),
            (ari, "event-queries/q", query(EventQueryEndpoint::One), Some("c1")),
            (ari, "event-queries/q/results", query(EventQueryEndpoint::Results), Some("c1")),
            (ari, "event-queries/q/cancel", query(EventQueryEndpoint::Cancel), Some("c1")),
        ] {
            let path = format!("/audit-log/v1/workspaces/{workspace}/{rest}");
            assert_leads_to(&path, endpoint, cloud_id);
        }
    }

    #[test]
    fn every_zone_notation_is_the_same_instant() {
        for text in [
            "2026-11-20T09:30:00Z",
            "2026-11-20T09:30:00.000Z",
            "2026-11-20T09:30:00.000+0000",
            "2026-11-20T09:30:00+00:00",
            "2026-11-20T10:30:00.000+0100",
        ] {
            assert_eq!(ParsedDate::parse(text), ParsedDate::At(1_795_167_000_000), "{text}");
        }
    }

    #[test]
    fn a_missing_zone_is_distinguished_from_nonsense() {
        for text in
            ["2026-11-20T09:30:00", "2026-11-20T09:30:00.000", "2026-11-20T09:30:00.000 0000"]
        {
            assert_eq!(ParsedDate::parse(text), ParsedDate::Zoneless(1_795_167_000_000), "{text}");
        }
        assert_eq!(ParsedDate::parse("2026-11-20"), ParsedDate::Zoneless(1_795_132_800_000));
        assert_eq!(ParsedDate::parse("yesterday"), ParsedDate::Unreadable);
        assert_eq!(ParsedDate::parse(""), ParsedDate::Unreadable);
    }
}
