//! The named readings of the APIs that `atlaudit sandbox --quirk NAME` plays.
//!
//! A quirk is a change of [`Behaviour`] with a name and a sentence, so that anybody can try the
//! collector against a reading of the API that Atlassian's documentation leaves open.

use std::time::Duration;

use super::{
    Behaviour, CursorBounds, CursorBoundsRule, CursorPlace, EndOfStream, EventQueries, FilterClock,
    NextPageOffset, OrgRetention, OverLimit, PageError, RangeEnd, RateLimit, ResetPrecision,
    WorkspaceDates,
};

/// One reading of an API.
#[derive(Debug, Clone, Copy)]
pub struct ApiQuirk {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What the server does then.
    pub about: &'static str,
    apply: fn(&mut Behaviour),
}

impl ApiQuirk {
    /// The quirk called `name`.
    pub fn find(name: &str) -> Option<ApiQuirk> {
        QUIRKS.iter().find(|quirk| quirk.name == name).copied()
    }

    /// Makes `behaviour` play it.
    pub fn apply(&self, behaviour: &mut Behaviour) {
        (self.apply)(behaviour);
    }
}

const fn quirk(name: &'static str, about: &'static str, apply: fn(&mut Behaviour)) -> ApiQuirk {
    ApiQuirk { name, about, apply }
}

/// All readings, grouped by API.
#[rustfmt::skip] // a table reads as a table
pub const QUIRKS: &[ApiQuirk] = &[
    quirk("org-null-at-end", "events-stream ends with `meta.next: null`, also without `to`",
        |it| it.end_of_stream = EndOfStream::Null),
    quirk("org-cursor-at-end", "events-stream always has a `meta.next`, also with `to`",
        |it| it.end_of_stream = EndOfStream::CursorAlways),
    quirk("org-empty-last-page", "events-stream ends with an empty page of its own",
        |it| it.trailing_empty_page = true),
    quirk("org-snapshot-cursors",
        "a cursor of events-stream never shows events that arrived after its walk began",
        |it| it.snapshot_cursors = true),
    quirk("org-cursor-in-links", "events-stream has its cursor only in `links.next`",
        |it| it.cursor_place = CursorPlace::Links),
    quirk("org-cursor-in-meta", "events-stream has its cursor only in `meta.next`",
        |it| it.cursor_place = CursorPlace::Meta),
    quirk("org-long-cursor",
        "a cursor of events-stream has 70,000 characters, more than a URL takes",
        |it| it.cursor_padding = 70_000),
    quirk("org-cursors-expire", "a cursor of events-stream is refused (400) after 30 seconds",
        |it| it.cursor_ttl = Some(Duration::from_secs(30))),
    quirk("org-cursors-break", "a cursor of events-stream is answered with 500 after 30 seconds",
        |it| {
            it.cursor_ttl = Some(Duration::from_secs(30));
            it.expired_cursor_status = Some(500);
        }),
    quirk("org-cursors-restart",
        "a cursor of events-stream leads to the start of the log after 30 seconds",
        |it| {
            it.cursor_ttl = Some(Duration::from_secs(30));
            it.expired_cursor_status = Some(200);
        }),
    quirk("org-late-visibility",
        "every seventh event becomes visible a minute after it was processed, in its old place",
        |it| it.late_visibility = Some(Duration::from_secs(60))),
    quirk("org-filter-by-event-time",
        "`from` and `to` of events-stream compare with `time`, not with `processedAt`",
        |it| it.filter_clock = FilterClock::Time),
    quirk("org-old-events-hidden",
        "events-stream shows no event older than 180 days, and says nothing of it",
        |it| it.org_retention = OrgRetention::Hidden),
    quirk("org-old-from-refused", "events-stream answers 400 to a `from` older than 180 days",
        |it| it.org_retention = OrgRetention::Rejected),
    quirk("org-strict-cursor", "events-stream refuses `from` or `to` beside a cursor",
        |it| it.strict_cursor = true),
    quirk("org-cursor-bounds-replaced",
        "`from` and `to` beside a cursor of events-stream replace the cursor's own",
        |it| it.cursor_bounds = CursorBounds::Replaced),
    quirk("org-limit-rejected", "events-stream answers 400 to a `limit` above its largest page",
        |it| it.over_limit = OverLimit::Reject),
    quirk("confluence-no-links", "Confluence's pages have no `_links.next`",
        |it| it.confluence_hides_links = true),
    quirk("confluence-opaque-cursor",
        "Confluence's `_links.next` holds a cursor without a count, and every other page has no \
         link",
        |it| it.confluence_opaque_cursors = true),
    quirk("jira-short-pages",
        "Jira's pages hold at most 73 records, though their `limit` says more",
        |it| it.jira_unstated_limit = Some(73)),
    quirk("confluence-short-pages",
        "Confluence's pages hold at most 73 records, without a link, though their `limit` says \
         more",
        |it| { it.confluence_unstated_limit = Some(73); it.confluence_hides_links = true; }),
    quirk("oldest-first", "Jira, Confluence and Data Center serve the oldest record first",
        |it| it.sites_oldest_first = true),
    quirk("jira-offset-ignored", "Jira gives the first page, whatever `offset` says",
        |it| it.jira_ignores_offset = true),
    quirk("confluence-offset-ignored",
        "Confluence gives the first page, whatever `start` says, without a link",
        |it| { it.confluence_ignores_offset = true; it.confluence_hides_links = true; }),
    quirk("jira-offset-fails", "Jira answers 500 to each page after 1000 records",
        |it| it.jira_fails_from = Some(1000)),
    quirk("jira-offset-empty", "Jira's pages after 1000 records are empty, whatever there is",
        |it| it.jira_empty_from = Some(1000)),
    quirk("jira-past-end-refused", "Jira answers 404 to a page after the last record",
        |it| it.jira_refuses_past_end = true),
    quirk("jira-end-excluded", "Jira takes `to` for exclusive",
        |it| it.jira_end = RangeEnd::Excluded),
    quirk("jira-end-ignored", "Jira ignores `to`", |it| it.jira_end = RangeEnd::Ignored),
    quirk("confluence-hidden-page",
        "Confluence's page after 100 records is first empty, with a link",
        |it| it.confluence_hidden_page = Some(100)),
    quirk("datacenter-no-last-page", "Data Center never says that a page is the last",
        |it| it.datacenter_hides_end = true),
    quirk("confluence-offset-fails", "Confluence answers 500 to each page after 1000 records",
        |it| it.confluence_fails_from = Some(1000)),
    quirk("datacenter-offset-fails", "Data Center answers 500 to each page after 1000 events",
        |it| it.datacenter_fails_from = Some(1000)),
    quirk("datacenter-offset-from-cursor",
        "Data Center's cursor lies two events before the end of the page, and `nextPageOffset` is \
         2",
        |it| it.datacenter_offset = NextPageOffset::FromCursor(2)),
    quirk("datacenter-offset-from-newest",
        "Data Center counts `nextPageOffset` from the newest event, and ignores the cursor beside \
         it",
        |it| it.datacenter_offset = NextPageOffset::FromNewest),
    quirk("datacenter-offset-skips",
        "Data Center counts `nextPageOffset` from the newest event, and `offset` from the cursor",
        |it| it.datacenter_offset = NextPageOffset::Skipping),
    quirk("datacenter-offset-required",
        "Data Center answers 404 to a `pageCursor` without an `offset`",
        |it| it.datacenter_requires_offset = true),
    quirk("datacenter-whole-seconds",
        "Data Center answers 400 to a date with a fraction of a second",
        |it| it.datacenter_whole_seconds = true),
    quirk("datacenter-audits-reads", "each reading of Data Center's log adds an event to it",
        |it| it.audit_reads = true),
    quirk("workspace-oldest-first", "workspaces serve the oldest event first",
        |it| it.workspace_oldest_first = true),
    quirk("workspace-cursor-in-links", "workspaces have their cursor only in `links.next`",
        |it| it.workspace_cursor_place = CursorPlace::Links),
    quirk("workspace-cursor-in-meta", "workspaces have their cursor only in `meta.next`",
        |it| it.workspace_cursor_place = CursorPlace::Meta),
    quirk("workspace-no-cursor", "no page of a workspace names the next page",
        |it| it.workspace_hides_cursors = true),
    quirk("workspace-cursor-at-end",
        "the last page of a workspace names a cursor too, whose page is empty and repeats it",
        |it| it.workspace_end = EndOfStream::CursorAlways),
    quirk("workspace-short-pages", "pages of a workspace hold at most 73 events, whatever `limit`",
        |it| it.workspace_cap = Some(73)),
    quirk("workspace-limit-refused", "workspaces answer 400 to a `limit` above 100",
        |it| it.workspace_limit_refused = Some(100)),
    quirk("workspace-dates-millis",
        "`from` and `to` of a workspace must be milliseconds since 1970",
        |it| it.workspace_dates = WorkspaceDates::MillisOnly),
    quirk("workspace-dates-text", "`from` and `to` of a workspace must be RFC 3339 dates",
        |it| it.workspace_dates = WorkspaceDates::TextOnly),
    quirk("workspace-bounds-refused", "workspaces refuse `from` or `to` beside a cursor",
        |it| it.workspace_bounds = CursorBoundsRule::Refused),
    quirk("workspace-bounds-required",
        "a page of a workspace has no bounds unless `from` and `to` are sent beside the cursor",
        |it| it.workspace_bounds = CursorBoundsRule::Required),
    quirk("workspace-by-event-time",
        "workspaces sort and filter by `time`, not by `processedAt`",
        |it| it.workspace_clock = FilterClock::Time),
    quirk("workspace-no-processed-at", "events of workspaces have no `processedAt`",
        |it| it.workspace_hides_processed = true),
    quirk("workspace-missing", "there is no Workspace Events API yet: 404",
        |it| it.workspace_missing = true),
    quirk("workspace-bad-gateway",
        "a proxy answers the first two requests to workspaces with 502 and HTML",
        |it| it.workspace_gateway_errors = 2),
    quirk("workspace-queries-missing", "workspaces have no event queries: 404",
        |it| it.event_queries = EventQueries::Missing),
    quirk("workspace-queries-refused", "event queries of a workspace are not allowed: 403",
        |it| it.event_queries = EventQueries::Refused),
    quirk("workspace-queries-fail", "event queries of a workspace fail at once",
        |it| it.event_queries = EventQueries::Fails),
    quirk("workspace-queries-stuck", "event queries of a workspace are never completed",
        |it| it.event_queries = EventQueries::Stuck),
    quirk("workspace-queries-accepted",
        "the creation of an event query is a 202, and five polls find it in progress",
        |it| { it.event_query_accepted = true; it.event_query_polls = Some(5); }),
    quirk("zoneless-times", "the times at which records happened have no zone",
        |it| it.zoneless_times = true),
    quirk("forwarded-addresses",
        "each client's address has a proxy's after it, as in `X-Forwarded-For`",
        |it| it.forwarded_addresses = true),
    quirk("terminal-controls", "each name begins with characters that a terminal obeys",
        |it| it.terminal_controls = true),
    quirk("free-plan", "the site's products are on Free plans: 403", |it| it.free_plan = true),
    quirk("scoped-key", "the organization key has scopes, so it lists no organizations",
        |it| it.scoped_key = true),
    quirk("pretty-json", "JSON has newlines and indentation", |it| it.pretty_json = true),
    quirk("gzip", "bodies are compressed with gzip", |it| it.gzip = true),
    quirk("gzip-in-capitals", "bodies are compressed, and `Content-Encoding` says `GZIP`",
        |it| { it.gzip = true; it.content_encoding = Some("GZIP"); }),
    quirk("x-gzip", "bodies are compressed, and `Content-Encoding` says `x-gzip`",
        |it| { it.gzip = true; it.content_encoding = Some("x-gzip"); }),
    quirk("content-encoding-identity", "`Content-Encoding` says `identity`",
        |it| it.content_encoding = Some("identity")),
    quirk("content-encoding-br", "`Content-Encoding` says `br`, which was not asked for",
        |it| it.content_encoding = Some("br")),
    quirk("error-instead-of-records",
        "pages are a 200 with an error beside an empty list of records",
        |it| it.page_error = PageError::InsteadOfRecords),
    quirk("error-beside-records", "pages are a 200 with an error beside their records",
        |it| it.page_error = PageError::BesideRecords),
    quirk("error-in-first-page", "only the first page is a 200 with an error and no records",
        |it| { it.page_error = PageError::InsteadOfRecords; it.page_errors = Some(1); }),
    quirk("cloudfront-403", "CloudFront refuses the first two requests with 403",
        |it| it.cdn_refusals = 2),
    quirk("cloudfront-404", "CloudFront refuses the first two requests with 404",
        |it| { it.cdn_refusals = 2; it.cdn_status = Some(404); }),
    quirk("cloudfront-always", "CloudFront refuses every request with 403",
        |it| it.cdn_refusals = usize::MAX),
    quirk("datacenter-captcha", "Data Center demands a CAPTCHA: 403",
        |it| it.datacenter_captcha = Some(403)),
    quirk("datacenter-captcha-401", "Data Center demands a CAPTCHA: 401",
        |it| it.datacenter_captcha = Some(401)),
    quirk("reset-epoch",
        "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is seconds since 1970",
        |it| limit_org(it, ResetPrecision::EpochSeconds)),
    quirk("reset-epoch-fraction",
        "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is seconds since 1970 \
         with a fraction",
        |it| limit_org(it, ResetPrecision::EpochFraction)),
    quirk("reset-epoch-millis",
        "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is milliseconds since \
         1970",
        |it| limit_org(it, ResetPrecision::EpochMillis)),
    quirk("reset-http-date",
        "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is an HTTP date",
        |it| limit_org(it, ResetPrecision::HttpDate)),
    quirk("reset-seconds-from-now",
        "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is seconds from now",
        |it| limit_org(it, ResetPrecision::SecondsFromNow)),
];

/// Ten requests a minute: the collector, which keeps to fifty, meets a 429.
fn limit_org(behaviour: &mut Behaviour, reset_precision: ResetPrecision) {
    behaviour.org_rate_limit =
        Some(RateLimit { reset_precision, ..RateLimit::new(10, Duration::from_secs(60)) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quirk_has_a_name_of_its_own_and_changes_the_behaviour() {
        for quirk in QUIRKS {
            let named = QUIRKS.iter().filter(|other| other.name == quirk.name);
            assert_eq!(named.count(), 1, "{}", quirk.name);
            let mut behaviour = Behaviour::default();
            quirk.apply(&mut behaviour);
            assert_ne!(behaviour, Behaviour::default(), "{}", quirk.name);
        }
    }
}
