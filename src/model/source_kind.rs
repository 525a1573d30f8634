//! Describes each kind of source once, and how long its API keeps events; everything that depends
//! on the kind reads it from here.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::model::json::Node;
use crate::model::time::{Timestamp, after, before, format_millis, truncate_to_millis};
use crate::model::workspace::SiteProduct;

/// Which Atlassian API a source reads.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Ord, Eq, Hash, clap::ValueEnum)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename_all = "kebab-case"))]
pub enum SourceKind {
    /// The organization's `events-stream`.
    OrgEvents,
    /// A Jira Cloud site's audit records.
    JiraAudit,
    /// A Confluence Cloud site's audit records.
    ConfluenceAudit,
    /// The workspace events of a Jira or Confluence Cloud site.
    WorkspaceEvents,
    /// The audit events of a Jira, Confluence or Bitbucket Data Center.
    DatacenterAudit,
}

/// What is particular to one kind of source.
#[derive(Debug)]
pub struct SourceDescriptor {
    /// The word for it in the configuration, in events and in the state.
    pub word: &'static str,
    /// What it collects, for the prompt of `auth login`.
    pub summary: &'static str,
    /// The product that writes the log, where an event does not name one.
    pub product: &'static str,
    /// The data set in Elastic Common Schema.
    pub dataset: &'static str,
    /// How a source is addressed, and so which keys and flags belong to it.
    pub address: SourceAddress,
    /// The key of the account that signs in with Basic authentication. Without such a key, or
    /// without a value for it, the secret is sent as a bearer token.
    pub account_key: Option<&'static str>,
    /// How Atlassian's gateway to the Cloud sites is used.
    pub gateway: GatewayUse,
    /// Where its records are read, with the limit of requests.
    pub endpoint: Endpoint,
    /// In which order pages come.
    pub order: DeliveryOrder,
    /// What distinguishes two records.
    pub identity: RecordIdentity,
    /// The precision of times in requests: a window is split at multiples of it.
    pub grain: TimeDelta,
    /// The most records that a page may hold, which is also the default.
    pub page_size: u32,
    /// How many segments of a window are read at once by default.
    pub concurrency: u32,
    /// How long the API keeps its records, where a number is known.
    pub retention: Option<LogRetention>,
    /// The prefix of event ids.
    pub id_prefix: &'static str,
    /// What follows the prefix, to make ids of different sources different.
    pub id_scope: IdScope,
    /// The path to the time of the event in a record.
    pub time_path: &'static [&'static str],
    /// The path to the time of processing, where records have one.
    pub processed_time_path: Option<&'static [&'static str]>,
    /// How a raw record is recognised. Two kinds may share a shape: the first is meant then.
    pub shape: RecordShape,
    /// What to check if the log stays empty; the organization or address is appended.
    pub access_checks: &'static str,
}

/// How a source is addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceAddress {
    /// By the id of an organization: `org_id`.
    Organization,
    /// By the host name of a Cloud site: `site`, with `email`, `gateway` and `cloud_id`; a
    /// workspace with `product`, and by `cloud_id` alone.
    Site,
    /// By the URL of a server: `base_url`, with `username`.
    Server,
}

/// How Atlassian's gateway to the Cloud sites (`api.atlassian.com`) is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayUse {
    /// Not at all: the source is no site.
    Never,
    /// If the configuration wants it; the gateway's paths name the product.
    Optional(SiteProduct),
    /// Always: a path names the workspace, which is one product of a site.
    Workspace,
}

/// What an event id contains between its prefix and the id of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdScope {
    /// Nothing: the ids of records are unique everywhere.
    Global,
    /// The site.
    Site,
    /// The site's cloud id.
    CloudId,
    /// The host and port of a server, without a path.
    Host,
}

/// How a raw record is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordShape {
    /// It has an object at this key.
    Object(&'static str),
    /// It has one of these keys, which no other kind has.
    OwnKeys(&'static [&'static str]),
    /// It has one of these keys, which other kinds may have too.
    SharedKeys(&'static [&'static str]),
}

/// In which order an API delivers its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOrder {
    /// Oldest first: pages can be handed on as they come.
    Ascending,
    /// None that is documented (newest first, as far as seen): a time slice must be whole before it
    /// can be handed on.
    Unspecified,
}

impl DeliveryOrder {
    /// The field of an event that the lines of a source are sorted by.
    pub fn time_field(self) -> &'static str {
        match self {
            DeliveryOrder::Ascending => "processed_time",
            DeliveryOrder::Unspecified => "time",
        }
    }
}

/// What distinguishes two records of an API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecordIdentity {
    /// An id of the API's own: the same id is the same record.
    #[default]
    ApiId,
    /// Only their content: two equal records on one page are two records.
    Content,
}

impl SourceKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [SourceKind; 5] = [
        SourceKind::OrgEvents,
        SourceKind::JiraAudit,
        SourceKind::ConfluenceAudit,
        SourceKind::WorkspaceEvents,
        SourceKind::DatacenterAudit,
    ];

    /// What is particular to this kind.
    pub fn descriptor(self) -> &'static SourceDescriptor {
        match self {
            SourceKind::OrgEvents => &ORG_EVENTS,
            SourceKind::JiraAudit => &JIRA_AUDIT,
            SourceKind::ConfluenceAudit => &CONFLUENCE_AUDIT,
            SourceKind::WorkspaceEvents => &WORKSPACE_EVENTS,
            SourceKind::DatacenterAudit => &DATACENTER_AUDIT,
        }
    }

    /// The word for it in the configuration, in events and in the state.
    pub fn as_str(self) -> &'static str {
        self.descriptor().word
    }

    /// How a source of this kind is addressed.
    pub fn address(self) -> SourceAddress {
        self.descriptor().address
    }

    /// The kind that is meant where only the address is given.
    pub fn implied_by(address: SourceAddress) -> SourceKind {
        match address {
            SourceAddress::Organization => SourceKind::OrgEvents,
            SourceAddress::Site => SourceKind::JiraAudit,
            SourceAddress::Server => SourceKind::DatacenterAudit,
        }
    }

    /// The kind that reads the workspace of a product.
    pub fn of_workspace() -> SourceKind {
        SourceKind::WorkspaceEvents
    }

    /// The product whose own audit API it reads.
    pub fn audited_product(self) -> Option<SiteProduct> {
        match self.descriptor().gateway {
            GatewayUse::Optional(product) => Some(product),
            GatewayUse::Never | GatewayUse::Workspace => None,
        }
    }

    /// The kinds that are addressed in this way.
    pub fn addressed_by(address: SourceAddress) -> impl Iterator<Item = SourceKind> {
        let kinds = SourceKind::ALL.into_iter();
        kinds.filter(move |kind| kind.address() == address)
    }

    /// Where a record says when the event happened.
    pub fn time_value(self, record: Node<'_>) -> Option<Node<'_>> {
        value_at(record, self.descriptor().time_path)
    }

    /// Where a record says when the event was processed.
    pub fn processed_time_value(self, record: Node<'_>) -> Option<Node<'_>> {
        value_at(record, self.descriptor().processed_time_path?)
    }
}

fn value_at<'a>(record: Node<'a>, path: &[&str]) -> Option<Node<'a>> {
    path.iter().try_fold(record, |node, key| node.get(key))
}

impl FromStr for SourceKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut kinds = SourceKind::ALL.into_iter();
        kinds.find(|kind| kind.as_str() == text).ok_or_else(|| {
            let known = SourceKind::ALL.map(SourceKind::as_str).join("`, `");
            format!("unknown source type `{text}`; known types: `{known}`")
        })
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

static ORG_EVENTS: SourceDescriptor = SourceDescriptor {
    word: "org-events",
    summary: "an organization's events (admin.atlassian.com)",
    product: "Atlassian Administration",
    dataset: "atlassian.org_events",
    address: SourceAddress::Organization,
    account_key: None,
    gateway: GatewayUse::Never,
    endpoint: Endpoint::EventsStream,
    order: DeliveryOrder::Ascending,
    identity: RecordIdentity::ApiId,
    grain: TimeDelta::milliseconds(1),
    // 500 at most (Organizations REST API).
    page_size: 500,
    // Enough to send 50 requests a minute to a server that takes five seconds for a page.
    concurrency: 5,
    retention: Some(LogRetention::ORGANIZATION),
    id_prefix: "org",
    id_scope: IdScope::Global,
    time_path: &["attributes", "time"],
    processed_time_path: Some(&["attributes", "processedAt"]),
    shape: RecordShape::Object("attributes"),
    access_checks: "the plan (audit logging needs Atlassian Guard: without it the log stays \
        empty), the role of the key's owner (organization admin), the key's scope \
        (`read:events:admin`) and expiry, the organization id",
};

static JIRA_AUDIT: SourceDescriptor = SourceDescriptor {
    word: "jira-audit",
    summary: "the audit log of a Jira Cloud site",
    product: "Jira",
    dataset: "atlassian.jira_audit",
    address: SourceAddress::Site,
    account_key: Some("email"),
    gateway: GatewayUse::Optional(SiteProduct::Jira),
    endpoint: Endpoint::JiraAuditRecords,
    order: DeliveryOrder::Unspecified,
    identity: RecordIdentity::ApiId,
    grain: TimeDelta::milliseconds(1),
    page_size: 1000,
    concurrency: 8,
    // Atlassian's own pages name 180 days and 12 months (CONFCLOUD-82632).
    retention: None,
    id_prefix: "jira",
    id_scope: IdScope::Site,
    time_path: &["created"],
    processed_time_path: None,
    shape: RecordShape::SharedKeys(&[
        "summary",
        "created",
        "authorAccountId",
        "authorKey",
        "objectItem",
    ]),
    access_checks: "the plan (audit logging needs more than a Free one), the account's role \
        (`Administer Jira`), the token's scope (`read:audit-log:jira`) and expiry, the site",
};

static CONFLUENCE_AUDIT: SourceDescriptor = SourceDescriptor {
    word: "confluence-audit",
    summary: "the audit log of a Confluence Cloud site",
    product: "Confluence",
    dataset: "atlassian.confluence_audit",
    address: SourceAddress::Site,
    account_key: Some("email"),
    gateway: GatewayUse::Optional(SiteProduct::Confluence),
    endpoint: Endpoint::ConfluenceAudit,
    order: DeliveryOrder::Unspecified,
    identity: RecordIdentity::Content,
    grain: TimeDelta::milliseconds(1),
    page_size: 1000,
    concurrency: 8,
    // An administrator sets it, to one year at most (`PUT /wiki/rest/api/audit/retention`); a
    // leap year has a day more.
    retention: Some(LogRetention { days: 366 }),
    id_prefix: "confluence",
    id_scope: IdScope::Site,
    time_path: &["creationDate"],
    processed_time_path: None,
    shape: RecordShape::OwnKeys(&["creationDate", "affectedObject", "associatedObjects"]),
    access_checks: "the plan (audit logging needs more than a Free one), the account's role \
        (Confluence administrator), the token's scope (`read:audit-log:confluence`) and expiry, \
        the site",
};

/// Little of this API is documented before it is generally available (November 2026): what is
/// assumed here is listed in docs/sources.md.
static WORKSPACE_EVENTS: SourceDescriptor = SourceDescriptor {
    word: "workspace-events",
    summary: "the workspace events of a Jira or Confluence Cloud site",
    product: "Atlassian Cloud",
    dataset: "atlassian.workspace_events",
    address: SourceAddress::Site,
    account_key: Some("email"),
    gateway: GatewayUse::Workspace,
    endpoint: Endpoint::WorkspaceEvents,
    order: DeliveryOrder::Unspecified,
    identity: RecordIdentity::ApiId,
    grain: TimeDelta::milliseconds(1),
    // As for organization events; a server that refuses so many is asked for fewer.
    page_size: 500,
    concurrency: 5,
    retention: None,
    id_prefix: "ws",
    id_scope: IdScope::CloudId,
    time_path: &["attributes", "time"],
    processed_time_path: Some(&["attributes", "processedAt"]),
    shape: RecordShape::Object("attributes"),
    access_checks: "the plan (audit logging needs more than a Free one), the account's role \
        (administrator of the product), the token's scope (`manage:jira-configuration`) and \
        expiry, the site and `product`",
};

static DATACENTER_AUDIT: SourceDescriptor = SourceDescriptor {
    word: "datacenter-audit",
    summary: "the audit log of a Jira, Confluence or Bitbucket Data Center",
    product: "Atlassian Data Center",
    dataset: "atlassian.datacenter_audit",
    address: SourceAddress::Server,
    account_key: Some("username"),
    gateway: GatewayUse::Never,
    endpoint: Endpoint::DatacenterEvents,
    order: DeliveryOrder::Unspecified,
    identity: RecordIdentity::Content,
    // Its dates have whole seconds.
    grain: TimeDelta::seconds(1),
    // It would allow 100,000, but a page is held in memory.
    page_size: 1000,
    concurrency: 8,
    // An administrator sets it, to any number of years.
    retention: None,
    id_prefix: "dc",
    id_scope: IdScope::Host,
    time_path: &["timestamp"],
    processed_time_path: None,
    shape: RecordShape::OwnKeys(&["timestamp", "auditType", "affectedObjects", "extraAttributes"]),
    access_checks: "the log's coverage level and retention (in the product's audit log \
        settings), the account's role (system administrator), the server",
};

/// A resource with a request quota of its own. Requests to one endpoint share its quota and pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/admin/v1/orgs/{org}/events-stream`.
    EventsStream,
    /// `/rest/api/3/auditing/record`.
    JiraAuditRecords,
    /// `/wiki/rest/api/audit`.
    ConfluenceAudit,
    /// `/audit-log/v1/workspaces/{workspace}/events`, and its event queries.
    WorkspaceEvents,
    /// `/rest/auditing/1.0/events`.
    DatacenterEvents,
    /// `/admin/v1/orgs`.
    Organizations,
    /// `/admin/api-access/v1/orgs/{org}/api-keys`.
    ApiKeys,
    /// What else administers an organization: its users, domains, policies, tokens.
    OrgAdmin,
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
            Endpoint::WorkspaceEvents => "workspace-events",
            Endpoint::DatacenterEvents => "datacenter-events",
            Endpoint::Organizations => "organizations",
            Endpoint::ApiKeys => "api-keys",
            Endpoint::OrgAdmin => "org-admin",
            Endpoint::TenantInfo => "tenant-info",
            Endpoint::JiraUsers => "jira-users",
            Endpoint::DatacenterWhoami => "datacenter-whoami",
        }
    }

    /// Whether its texts come in the language that a request asks for.
    pub fn is_localised(self) -> bool {
        self == Endpoint::WorkspaceEvents
    }

    /// Requests that Atlassian allows in a minute, where a limit of the endpoint's own is known.
    ///
    /// events-stream: 50 a minute on a path (elastic/integrations, package atlassian_cloud).
    /// Workspace events have no documented limit and are assumed to have the same one.
    /// The administration of an organization: five requests a second over all of it, as another
    /// client paces itself (folio-sec/terraform-provider-atlassian); no limit is documented.
    /// The others state no fixed number (developer.atlassian.com, Jira Cloud rate limiting; a Data
    /// Center's is set by its administrator): only the credential's overall limit and their own
    /// 429 responses count.
    pub fn per_minute(self) -> Option<u32> {
        match self {
            Endpoint::EventsStream | Endpoint::WorkspaceEvents => Some(50),
            Endpoint::OrgAdmin => Some(300),
            Endpoint::JiraAuditRecords
            | Endpoint::ConfluenceAudit
            | Endpoint::DatacenterEvents
            | Endpoint::Organizations
            | Endpoint::ApiKeys
            | Endpoint::TenantInfo
            | Endpoint::JiraUsers
            | Endpoint::DatacenterWhoami => None,
        }
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much later than the edge a server is asked that refuses older times: its clock may be ahead
/// of ours, and the edge moves on between the request and its check.
const EDGE_MARGIN: Duration = Duration::from_secs(60 * 60);

/// The longest time that an API is documented to keep its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRetention {
    /// In days.
    pub days: u32,
}

impl LogRetention {
    /// Organization events: 180 days on every plan that has the log (support.atlassian.com, "Track
    /// organization activities from the audit log").
    pub const ORGANIZATION: LogRetention = LogRetention { days: 180 };

    /// As a length of time.
    pub fn span(self) -> Duration {
        DAY.saturating_mul(self.days)
    }

    /// The earliest time that the log can hold at `now`.
    pub fn earliest(self, now: Timestamp) -> Timestamp {
        truncate_to_millis(before(now, self.span()))
    }

    /// The earliest time that a server which refuses older ones surely accepts at `now`.
    pub fn earliest_accepted(self, now: Timestamp) -> Timestamp {
        after(self.earliest(now), EDGE_MARGIN)
    }

    /// The limit that a time range from `since` on meets at `now`; nothing where all of it is kept.
    pub fn limit(self, since: Timestamp, now: Timestamp) -> Option<RetentionLimit> {
        let earliest = self.earliest(now);
        (since < earliest).then_some(RetentionLimit { days: self.days, earliest })
    }
}

/// That a time range begins before the earliest event that its source can still show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionLimit {
    /// How many days the source keeps.
    pub days: u32,
    /// The start of what it can still show.
    pub earliest: Timestamp,
}

impl RetentionLimit {
    /// Whether an event of the time `first` proves the documented number wrong.
    pub fn is_contradicted_by(&self, first: Option<Timestamp>) -> bool {
        first.is_some_and(|first| first < self.earliest)
    }

    /// What a reader must know of a time range from `since` on, whose first event is of `first`.
    pub fn describe(&self, since: Timestamp, first: Option<Timestamp>) -> String {
        let (since, earliest) = (format_millis(since), format_millis(self.earliest));
        let days = self.days;
        match self.is_contradicted_by(first) {
            false => format!(
                "asked from {since}; this source keeps at most {days} days, so nothing before \
                 {earliest} can be in it"
            ),
            true => format!(
                "asked from {since}; this source should keep at most {days} days, but it returned \
                 events from before {earliest}; whether it returned all of them is not known"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::ValueEnum as _;

    use super::*;
    use crate::model::time::parse_api_time;

    #[test]
    fn the_list_has_every_kind() {
        assert_eq!(SourceKind::ALL, SourceKind::value_variants());
        for kind in SourceKind::ALL {
            let value = kind.to_possible_value().unwrap();
            assert_eq!(value.get_name(), kind.as_str());
        }
    }

    #[test]
    fn a_kind_reads_its_own_word() {
        for kind in SourceKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }

    #[test]
    fn no_two_kinds_share_what_names_them() {
        let names: [fn(&SourceDescriptor) -> &str; 4] =
            [|d| d.word, |d| d.id_prefix, |d| d.dataset, |d| d.summary];
        for name in names {
            let names: HashSet<_> = SourceKind::ALL.map(|kind| name(kind.descriptor())).into();
            assert_eq!(names.len(), SourceKind::ALL.len(), "{names:?}");
        }
    }

    #[test]
    fn an_address_implies_a_kind_that_has_it() {
        for kind in SourceKind::ALL {
            let address = kind.address();
            assert_eq!(SourceKind::implied_by(address).address(), address);
            assert!(SourceKind::addressed_by(address).any(|other| other == kind));
        }
    }

    fn at(text: &str) -> Timestamp {
        parse_api_time(text).unwrap()
    }

    #[test]
    fn only_a_time_range_that_begins_before_the_earliest_event_meets_the_limit() {
        let now = at("2026-11-28T12:00:00Z");
        let limit =
            |kind: SourceKind, since: &str| kind.descriptor().retention?.limit(at(since), now);
        let old = limit(SourceKind::OrgEvents, "1999-01-01T00:00:00Z").unwrap();
        assert_eq!((old.days, old.earliest), (180, at("2026-06-01T12:00:00Z")));
        assert_eq!(limit(SourceKind::OrgEvents, "2026-06-01T12:00:00Z"), None);
        assert!(limit(SourceKind::OrgEvents, "2026-06-01T11:59:59.999Z").is_some());
        assert_eq!(limit(SourceKind::ConfluenceAudit, "2025-11-28T12:00:00Z"), None);
        assert!(limit(SourceKind::ConfluenceAudit, "2025-11-26T00:00:00Z").is_some());
        for kind in
            [SourceKind::JiraAudit, SourceKind::WorkspaceEvents, SourceKind::DatacenterAudit]
        {
            assert_eq!(limit(kind, "1999-01-01T00:00:00Z"), None);
        }
    }

    #[test]
    fn an_event_from_before_the_limit_is_not_denied() {
        let (since, earliest) = (at("1999-01-01T00:00:00Z"), at("2026-06-01T12:00:00Z"));
        let limit = RetentionLimit { days: 180, earliest };
        let cannot = "this source keeps at most 180 days, so nothing before 2026-06-01T12:00:00.000Z can be in it";
        for first in [None, Some(earliest)] {
            let text = limit.describe(since, first);
            assert!(text.starts_with("asked from 1999-01-01T00:00:00.000Z; "));
            assert!(text.ends_with(cannot), "{text}");
        }
        let older = limit.describe(since, Some(at("2026-05-01T00:00:00Z")));
        assert!(older.contains("it returned events from before 2026-06-01T12:00:00.000Z"));
    }
}
