//! How a sandbox is started, and its switches: everything about the APIs that is undocumented,
//! disputed or configurable. Defaults are the reading that most sources agree on.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Api;

/// Everything [`super::Sandbox::start`] needs.
#[derive(Clone, Debug, Default)]
pub struct SandboxOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The history that exists when the server starts.
    pub data: DataOptions,
    /// The switches, which [`super::SandboxControl::set_behaviour`] may change later.
    pub behaviour: Behaviour,
}

/// The seeded history. The same values always give the same bytes.
#[derive(Clone, Debug)]
pub struct DataOptions {
    /// Seed of the generator.
    pub seed: u64,
    /// Organization events in the history, the incident included.
    pub org_events: usize,
    /// Jira audit records in the history.
    pub jira_records: usize,
    /// Confluence audit records in the history.
    pub confluence_records: usize,
    /// Data Center audit events in the history.
    pub datacenter_events: usize,
    /// Events in the history of each workspace, that of Jira and that of Confluence.
    pub workspace_events: usize,
    /// The end of the history, and the sandbox's clock when it starts.
    pub now: DateTime<Utc>,
    /// Length of the history in days; at least 1.
    pub days: u32,
    /// Only regular shapes: no odd actors, no missing fields, no late events, no shared
    /// milliseconds.
    pub clean: bool,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            seed: 7,
            org_events: 2400,
            jira_records: 600,
            confluence_records: 300,
            datacenter_events: 300,
            workspace_events: 300,
            now: Utc::now(),
            days: 30,
            clean: false,
        }
    }
}

/// How the server behaves. All of it may change while the server runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// What `meta.next` is when the organization's events have ended.
    pub end_of_stream: EndOfStream,
    /// Where a null is due, it comes with an empty page of its own after the last data (the page in
    /// elastic/integrations PR 19718), instead of with the last data.
    pub trailing_empty_page: bool,
    /// Which clock `from` and `to` of events-stream look at.
    pub filter_clock: FilterClock,
    /// What events-stream does with events that are older than it is documented to keep them.
    pub org_retention: OrgRetention,
    /// `from` or `to` beside a cursor is a 400.
    pub strict_cursor: bool,
    /// What `from` and `to` beside a cursor do when that is allowed.
    pub cursor_bounds: CursorBounds,
    /// A cursor older than this is a 400 `ADMIN-400-1`. None: cursors live until `expire_cursors`.
    pub cursor_ttl: Option<Duration>,
    /// A cursor shows only events that had arrived when its walk began: what comes later is found
    /// by `from` alone. A published mock of the 2026 API does so.
    pub snapshot_cursors: bool,
    /// Where a page of events-stream names the next page.
    pub cursor_place: CursorPlace,
    /// So many characters more in each cursor.
    pub cursor_padding: usize,
    /// The status for an expired cursor: 400 `ADMIN-400-1` by default, 500 `ADMIN-500-1`, or 200
    /// with the log from its start.
    pub expired_cursor_status: Option<u16>,
    /// Every seventh event becomes visible only so long after it was processed, in its old place.
    pub late_visibility: Option<Duration>,
    /// What a `limit` above the largest page (500) does.
    pub over_limit: OverLimit,
    /// Largest page of Jira; a larger `limit` is clamped. By default 1000.
    pub jira_max_limit: Option<usize>,
    /// Largest page of Confluence; a larger `limit` is clamped. By default 1000 (the real cap is
    /// not documented).
    pub confluence_max_limit: Option<usize>,
    /// Rate limit of events-stream. Real: 50 a minute.
    pub org_rate_limit: Option<RateLimit>,
    /// Rate limit of Jira's audit records.
    pub jira_rate_limit: Option<RateLimit>,
    /// Rate limit of Confluence's audit records.
    pub confluence_rate_limit: Option<RateLimit>,
    /// Rate limit of Data Center's audit events, with headers of its own. Real: off, until an
    /// administrator sets it.
    pub datacenter_rate_limit: Option<RateLimit>,
    /// Wait before each answer of events-stream.
    pub org_latency: Duration,
    /// Wait before each answer of Jira.
    pub jira_latency: Duration,
    /// Wait before each answer of Confluence.
    pub confluence_latency: Duration,
    /// Wait before each answer of Data Center.
    pub datacenter_latency: Duration,
    /// Seconds by which the `Date` and `X-RateLimit-Reset` headers run ahead of the real clock.
    pub clock_skew: i64,
    /// JSON is sent with newlines and indentation between the tokens.
    pub pretty_json: bool,
    /// Bodies are gzipped for clients that accept it.
    pub gzip: bool,
    /// What `Content-Encoding` says: of a gzipped body in place of `gzip`, of a plain one in place
    /// of nothing.
    pub content_encoding: Option<&'static str>,
    /// Which pages of the audited APIs are a 200 with the error envelope of their product.
    pub page_error: PageError,
    /// How many more pages `page_error` happens on; counts down.
    pub page_errors: Option<usize>,
    /// How many more requests to the audited APIs are refused by CloudFront, in front of them;
    /// counts down.
    pub cdn_refusals: usize,
    /// The status of those refusals; 403 by default.
    pub cdn_status: Option<u16>,
    /// Data Center has locked the account until its owner solves a CAPTCHA: every request is
    /// refused with this status.
    pub datacenter_captcha: Option<u16>,
    /// The key is a scoped one: `GET /orgs` lists nothing (measured by jira.js' live test).
    pub scoped_key: bool,
    /// The key may not list the organization's keys (`read:keys:admin`).
    pub hides_keys: bool,
    /// The pages of that list, each as it is; the cursor of the second is `page-1`. Empty: one key
    /// of ours.
    pub key_pages: Vec<String>,
    /// That list has three more keys of ours.
    pub many_keys: bool,
    /// The organization that the admin APIs show has no faults. A change composes it again, without
    /// what was written before.
    pub sound_organization: bool,
    /// Pages of the admin APIs' lists hold no more than this, whatever `limit` says. By default
    /// 100, and 50 without a `limit`.
    pub admin_page_size: Option<usize>,
    /// `links.next` of the admin APIs is a URL also where it is a bare cursor otherwise.
    pub admin_next_links: bool,
    /// Every page of the admin APIs after the first names its own cursor as that of the next page.
    pub admin_repeats_cursor: bool,
    /// Where a page of policies names the next page.
    pub admin_policy_cursor: CursorPlace,
    /// The `rule` of a policy is an array that holds the object.
    pub admin_rule_arrays: bool,
    /// There is no search of users: 404, as in an organization with the old user management.
    pub admin_search_missing: bool,
    /// The search of users answers 400 to a body with `limit` or `expand`.
    pub admin_search_refuses_options: bool,
    /// Accounts have no `mfaEnabled`.
    pub admin_hides_mfa: bool,
    /// What user management says of a privilege is the text `true` or `false`, not a boolean.
    pub admin_text_privileges: bool,
    /// The API tokens of a deactivated account cannot be listed: 403.
    pub admin_hides_disabled_tokens: bool,
    /// Refusals of requests to the admin APIs, before the credential is judged. The first that fits
    /// is the answer.
    pub admin_refusals: Vec<AdminRefusal>,
    /// How many more writes of the admin APIs are executed and get no answer: the connection is
    /// closed. Counts down.
    pub admin_write_loses_answer: usize,
    /// How many more writes of the admin APIs are executed and get no answer, while the connection
    /// stays open. Counts down.
    pub admin_write_hangs: usize,
    /// Wait before each answer of the admin APIs.
    pub admin_latency: Duration,
    /// Rate limit of the admin APIs, all of them together.
    pub admin_rate_limit: Option<RateLimit>,
    /// So many reads after a write show the organization as it was before the write.
    pub admin_lag: usize,
    /// Writes of the admin APIs leave no event in the organization's log.
    pub admin_writes_unaudited: bool,
    /// The status of a successful suspend or restore; 200 by default. A 204 has no body.
    pub admin_suspend_status: Option<u16>,
    /// To suspend who is suspended, or to restore who is not, succeeds and changes nothing, instead
    /// of being a 409.
    pub admin_repeated_writes: bool,
    /// How many requests for a task of an authentication policy find it in progress.
    pub auth_task_polls: usize,
    /// Tasks of authentication policies fail for each account, and move none.
    pub auth_task_fails: bool,
    /// All products of the site are on Free plans: 403, in Jira's words or in Confluence's.
    pub free_plan: bool,
    /// After each Jira page that holds records, this many new ones are recorded inside the
    /// requested window.
    pub insert_on_jira_page: usize,
    /// How many more pages `insert_on_jira_page` happens on; counts down.
    pub insert_on_jira_pages: Option<usize>,
    /// The same for Confluence: so many new records after each page that holds some.
    pub insert_on_confluence_page: usize,
    /// How many more pages `insert_on_confluence_page` happens on; counts down.
    pub insert_on_confluence_pages: Option<usize>,
    /// Confluence's pages do not say where they go on (`_links.next`), as in a collector's fixture
    /// (elastic/integrations, atlassian_confluence); another follows the link.
    pub confluence_hides_links: bool,
    /// Confluence's `_links.next` holds a cursor and no `start`, and the page after such a cursor
    /// has no link.
    pub confluence_opaque_cursors: bool,
    /// Jira's pages hold no more than this, whatever `limit` says in the request and in the
    /// response.
    pub jira_unstated_limit: Option<usize>,
    /// The same for Confluence.
    pub confluence_unstated_limit: Option<usize>,
    /// Jira, Confluence and Data Center serve the oldest record first.
    pub sites_oldest_first: bool,
    /// Jira gives the first page, whatever `offset` says.
    pub jira_ignores_offset: bool,
    /// Confluence gives the first page, whatever `start` says.
    pub confluence_ignores_offset: bool,
    /// Jira answers 500 to each page after so many records.
    pub jira_fails_from: Option<usize>,
    /// Jira's pages after so many records are empty, whatever there is.
    pub jira_empty_from: Option<usize>,
    /// Jira answers 404 to a page after the last record.
    pub jira_refuses_past_end: bool,
    /// What Jira makes of `to`.
    pub jira_end: RangeEnd,
    /// The same for Confluence.
    pub confluence_fails_from: Option<usize>,
    /// The same for Data Center, also where the page is requested with a cursor.
    pub datacenter_fails_from: Option<usize>,
    /// The Confluence page at this offset is first empty, with a link to its records, as where an
    /// account may not see what is on a page.
    pub confluence_hidden_page: Option<usize>,
    /// No page of Data Center's says that it is the last.
    pub datacenter_hides_end: bool,
    /// What Data Center's `pagingInfo.nextPageOffset` is counted from.
    pub datacenter_offset: NextPageOffset,
    /// Data Center answers 404 to a `pageCursor` without an `offset` beside it.
    pub datacenter_requires_offset: bool,
    /// Data Center reads only dates of whole seconds; a fraction is a 400.
    pub datacenter_whole_seconds: bool,
    /// The times at which records happened have no zone, as Jira's `created` once had none
    /// (Confluence's are then dates instead of milliseconds).
    pub zoneless_times: bool,
    /// Each address of a client has a proxy's after it, as a server behind proxies writes
    /// `X-Forwarded-For`.
    pub forwarded_addresses: bool,
    /// Each name begins with characters that a terminal obeys.
    pub terminal_controls: bool,
    /// Each reading of the Data Center log is itself an event of the log, as on real servers.
    pub audit_reads: bool,
    /// Workspaces serve the oldest event first, instead of the newest.
    pub workspace_oldest_first: bool,
    /// A list of actions comes in parts of so many. None: as a whole.
    pub actions_per_page: Option<usize>,
    /// Where a page of a workspace names the next page.
    pub workspace_cursor_place: CursorPlace,
    /// No page of a workspace names the next page.
    pub workspace_hides_cursors: bool,
    /// With `CursorAlways` the last page of a workspace names a cursor too, whose page is empty and
    /// repeats the same cursor. Otherwise it names none, whether the request has `to` or not.
    pub workspace_end: EndOfStream,
    /// Pages of a workspace hold no more than this, whatever `limit` says.
    pub workspace_cap: Option<usize>,
    /// A `limit` of a workspace above this is a 400.
    pub workspace_limit_refused: Option<usize>,
    /// What `from` and `to` of a workspace may be.
    pub workspace_dates: WorkspaceDates,
    /// What `from` and `to` beside a cursor of a workspace do.
    pub workspace_bounds: CursorBoundsRule,
    /// The clock that workspaces sort by, and that `from` and `to` compare with.
    pub workspace_clock: FilterClock,
    /// Events of workspaces have no `processedAt`: their `time` is that of processing.
    pub workspace_hides_processed: bool,
    /// Rate limit of each workspace.
    pub workspace_rate_limit: Option<RateLimit>,
    /// Wait before each answer of a workspace.
    pub workspace_latency: Duration,
    /// After each page of a workspace that holds events, this many new ones happen inside the
    /// requested window.
    pub insert_on_workspace_page: usize,
    /// How many more pages `insert_on_workspace_page` happens on; counts down.
    pub insert_on_workspace_pages: Option<usize>,
    /// There is no Workspace Events API yet: the gateway answers 404 to all of its paths.
    pub workspace_missing: bool,
    /// How many more requests to workspaces a proxy answers with 502 and HTML; counts down.
    pub workspace_gateway_errors: usize,
    /// What becomes of the event queries of workspaces.
    pub event_queries: EventQueries,
    /// How many polls of a query say `IN_PROGRESS` before one says `COMPLETED`; 1 by default.
    pub event_query_polls: Option<usize>,
    /// The creation of a query is answered with 202, instead of 201.
    pub event_query_accepted: bool,
}

impl Behaviour {
    /// The rate limit of `api`.
    pub fn rate_limit(&self, api: Api) -> Option<&RateLimit> {
        match api {
            Api::OrgEvents => self.org_rate_limit.as_ref(),
            Api::JiraAudit => self.jira_rate_limit.as_ref(),
            Api::ConfluenceAudit => self.confluence_rate_limit.as_ref(),
            Api::DatacenterAudit => self.datacenter_rate_limit.as_ref(),
            Api::JiraWorkspace | Api::ConfluenceWorkspace => self.workspace_rate_limit.as_ref(),
        }
    }

    /// The wait before each answer of `api`.
    pub fn latency(&self, api: Api) -> Duration {
        match api {
            Api::OrgEvents => self.org_latency,
            Api::JiraAudit => self.jira_latency,
            Api::ConfluenceAudit => self.confluence_latency,
            Api::DatacenterAudit => self.datacenter_latency,
            Api::JiraWorkspace | Api::ConfluenceWorkspace => self.workspace_latency,
        }
    }

    /// Since when records that [`late_visibility`](Self::late_visibility) hides are not visible at
    /// `now_ms`; both epoch milliseconds.
    pub fn hidden_since(&self, now_ms: i64) -> Option<i64> {
        let delay = self.late_visibility?;
        let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        Some(now_ms.saturating_sub(delay))
    }
}

/// A refusal of requests to the admin APIs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminRefusal {
    /// A text that the path holds.
    pub path_part: String,
    /// The method; None: any.
    pub method: Option<String>,
    /// The status; 0 closes the connection without an answer.
    pub status: u16,
    /// The body, sent as it is.
    pub body: String,
    /// How many more requests it refuses; None: all. Counts down.
    pub times: Option<usize>,
}

/// Whether this is one of so many more times; without a number, always.
pub fn count_down(left: &mut Option<usize>) -> bool {
    match left {
        None => true,
        Some(0) => false,
        Some(left) => {
            *left -= 1;
            true
        }
    }
}

/// What `meta.next` is when no event is left. Sources disagree; no live answer is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndOfStream {
    /// Null, bounded or not (elastic/integrations' fixture).
    Null,
    /// A cursor that stays good for polling; an empty page repeats the cursor of its request
    /// ("How to Harden").
    CursorAlways,
    /// Null when the request was bounded by `to`, a cursor otherwise: the reading that reconciles
    /// both.
    #[default]
    NullWhenBounded,
}

/// What a server makes of the end of a time range. Atlassian documents that of Jira as inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RangeEnd {
    /// Records of that instant are part of it.
    #[default]
    Included,
    /// They are not.
    Excluded,
    /// The range has no end.
    Ignored,
}

/// Where a page of events-stream names the next page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CursorPlace {
    /// `meta.next` and `links.next`, as recorded.
    #[default]
    MetaAndLinks,
    /// `meta.next` alone.
    Meta,
    /// `links.next` alone; `meta.next` is null.
    Links,
}

/// What events-stream does with events older than 180 days ("Track organization activities from the
/// audit log"). What a request for older ones gives is not documented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrgRetention {
    /// They are shown like all others.
    #[default]
    Unlimited,
    /// They are not shown, and no error says so.
    Hidden,
    /// A `from` that is older is a 400.
    Rejected,
}

/// The clock that `from` and `to` of events-stream compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterClock {
    /// `attributes.processedAt`.
    #[default]
    ProcessedAt,
    /// `attributes.time`.
    Time,
}

/// What `from` and `to` do when they are sent again beside a cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CursorBounds {
    /// Nothing: the cursor's own bounds hold.
    #[default]
    Kept,
    /// They replace the cursor's own.
    Replaced,
}

/// What `from` and `to` of a workspace may be: documented as an integer or a string, and no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkspaceDates {
    /// Epoch milliseconds, or RFC 3339 with a zone.
    #[default]
    Either,
    /// Epoch milliseconds; anything else is a 400.
    MillisOnly,
    /// RFC 3339 with a zone; anything else is a 400.
    TextOnly,
}

/// What `from` and `to` beside a cursor of a workspace do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CursorBoundsRule {
    /// Nothing: they are allowed, and the cursor's own bounds hold.
    #[default]
    Optional,
    /// They are a 400.
    Refused,
    /// They bound the page: a cursor only names a place, and a page without them has no bounds.
    Required,
}

/// What becomes of the event queries of workspaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventQueries {
    /// They are completed after some polls.
    #[default]
    Works,
    /// There is nothing at their path: 404.
    Missing,
    /// They are not allowed: 403.
    Refused,
    /// They fail at once.
    Fails,
    /// They are in progress and stay so.
    Stuck,
}

/// Whether a 200 page carries an error envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageError {
    /// It does not.
    #[default]
    Never,
    /// The list of records is empty beside it.
    InsteadOfRecords,
    /// The records stand beside it.
    BesideRecords,
}

/// What Data Center's `pagingInfo.nextPageOffset` is counted from, and what `offset` beside
/// `pageCursor` does. The documentation has both in its links and says nothing of either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NextPageOffset {
    /// From the cursor, which lies at the end of the page: it is always 0.
    #[default]
    Zero,
    /// From the cursor, which lies so many events before the end of the page.
    FromCursor(usize),
    /// From the newest event; beside an `offset` the cursor is ignored.
    FromNewest,
    /// From the newest event; yet an `offset` is counted from the cursor, so that both together
    /// skip events.
    Skipping,
}

/// What a `limit` above the largest page does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverLimit {
    /// The largest page is sent.
    #[default]
    Clamp,
    /// 400 `ADMIN-400-19`.
    Reject,
}

/// A rate limit on one API path.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    /// Requests allowed in one window.
    pub requests: u32,
    /// Length of the window: a minute in reality, less in a test.
    pub per: Duration,
    /// How the window moves.
    pub window: RateWindow,
    /// How exact `X-RateLimit-Reset` is.
    pub reset_precision: ResetPrecision,
    /// A 429 carries `Retry-After` in whole seconds.
    pub retry_after: bool,
}

impl RateLimit {
    /// `requests` in a fixed window of `per`, as the documentation describes it: minute precision,
    /// no `Retry-After`.
    pub fn new(requests: u32, per: Duration) -> Self {
        Self {
            requests,
            per,
            window: RateWindow::Fixed,
            reset_precision: ResetPrecision::Minute,
            retry_after: false,
        }
    }
}

/// How a rate limit's window moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateWindow {
    /// The counter goes back to zero at each multiple of the window's length.
    Fixed,
    /// Every span of the window's length is within the limit.
    Rolling,
}

/// How exact `X-RateLimit-Reset` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetPrecision {
    /// `yyyy-MM-ddTHH:mmZ`, cut and not rounded, so that it may lie in the past (grove PR 38).
    Minute,
    /// `yyyy-MM-ddTHH:mm:ssZ`.
    Second,
    /// Seconds since 1970.
    EpochSeconds,
    /// Seconds since 1970 with a fraction: `1795167000.25`.
    EpochFraction,
    /// Milliseconds since 1970.
    EpochMillis,
    /// An HTTP date.
    HttpDate,
    /// Seconds from now.
    SecondsFromNow,
}
