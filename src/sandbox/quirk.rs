//! The named readings of the APIs that `atlaudit sandbox --quirk NAME` plays.
//!
//! A quirk is a change of [`Behaviour`] with a name and a sentence, so that anybody can try the
//! collector against a reading of the API that Atlassian's documentation leaves open.

use std::time::Duration;

use super::{
    Behaviour, CursorBounds, CursorPlace, EndOfStream, FilterClock, NextPageOffset, OrgRetention,
    OverLimit, PageError, RangeEnd, RateLimit, ResetPrecision,
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

/// All readings, grouped by API.
pub const QUIRKS: &[ApiQuirk] = &[
    ApiQuirk {
        name: "org-null-at-end",
        about: "events-stream ends with `meta.next: null`, also without `to`",
        apply: |behaviour| behaviour.end_of_stream = EndOfStream::Null,
    },
    ApiQuirk {
        name: "org-cursor-at-end",
        about: "events-stream always has a `meta.next`, also with `to`",
        apply: |behaviour| behaviour.end_of_stream = EndOfStream::CursorAlways,
    },
    ApiQuirk {
        name: "org-empty-last-page",
        about: "events-stream ends with an empty page of its own",
        apply: |behaviour| behaviour.trailing_empty_page = true,
    },
    ApiQuirk {
        name: "org-snapshot-cursors",
        about: "a cursor of events-stream never shows events that arrived after its walk began",
        apply: |behaviour| behaviour.snapshot_cursors = true,
    },
    ApiQuirk {
        name: "org-cursor-in-links",
        about: "events-stream has its cursor only in `links.next`",
        apply: |behaviour| behaviour.cursor_place = CursorPlace::Links,
    },
    ApiQuirk {
        name: "org-cursor-in-meta",
        about: "events-stream has its cursor only in `meta.next`",
        apply: |behaviour| behaviour.cursor_place = CursorPlace::Meta,
    },
    ApiQuirk {
        name: "org-long-cursor",
        about: "a cursor of events-stream has 70,000 characters, more than a URL takes",
        apply: |behaviour| behaviour.cursor_padding = 70_000,
    },
    ApiQuirk {
        name: "org-cursors-expire",
        about: "a cursor of events-stream is refused (400) after 30 seconds",
        apply: |behaviour| behaviour.cursor_ttl = Some(Duration::from_secs(30)),
    },
    ApiQuirk {
        name: "org-cursors-break",
        about: "a cursor of events-stream is answered with 500 after 30 seconds",
        apply: |behaviour| {
            behaviour.cursor_ttl = Some(Duration::from_secs(30));
            behaviour.expired_cursor_status = 500;
        },
    },
    ApiQuirk {
        name: "org-cursors-restart",
        about: "a cursor of events-stream leads to the start of the log after 30 seconds",
        apply: |behaviour| {
            behaviour.cursor_ttl = Some(Duration::from_secs(30));
            behaviour.expired_cursor_status = 200;
        },
    },
    ApiQuirk {
        name: "org-late-visibility",
        about: "every seventh event becomes visible a minute after it was processed, in its old \
            place",
        apply: |behaviour| behaviour.late_visibility = Some(Duration::from_secs(60)),
    },
    ApiQuirk {
        name: "org-filter-by-event-time",
        about: "`from` and `to` of events-stream compare with `time`, not with `processedAt`",
        apply: |behaviour| behaviour.filter_clock = FilterClock::Time,
    },
    ApiQuirk {
        name: "org-old-events-hidden",
        about: "events-stream shows no event older than 180 days, and says nothing of it",
        apply: |behaviour| behaviour.org_retention = OrgRetention::Hidden,
    },
    ApiQuirk {
        name: "org-old-from-refused",
        about: "events-stream answers 400 to a `from` older than 180 days",
        apply: |behaviour| behaviour.org_retention = OrgRetention::Rejected,
    },
    ApiQuirk {
        name: "org-strict-cursor",
        about: "events-stream refuses `from` or `to` beside a cursor",
        apply: |behaviour| behaviour.strict_cursor = true,
    },
    ApiQuirk {
        name: "org-cursor-bounds-replaced",
        about: "`from` and `to` beside a cursor of events-stream replace the cursor's own",
        apply: |behaviour| behaviour.cursor_bounds = CursorBounds::Replaced,
    },
    ApiQuirk {
        name: "org-limit-rejected",
        about: "events-stream answers 400 to a `limit` above its largest page",
        apply: |behaviour| behaviour.over_limit = OverLimit::Reject,
    },
    ApiQuirk {
        name: "confluence-no-links",
        about: "Confluence's pages have no `_links.next`",
        apply: |behaviour| behaviour.confluence_links = false,
    },
    ApiQuirk {
        name: "confluence-opaque-cursor",
        about: "Confluence's `_links.next` holds a cursor without a count, and every other page \
            has no link",
        apply: |behaviour| behaviour.confluence_opaque_cursors = true,
    },
    ApiQuirk {
        name: "jira-short-pages",
        about: "Jira's pages hold at most 73 records, though their `limit` says more",
        apply: |behaviour| behaviour.jira_unstated_limit = Some(73),
    },
    ApiQuirk {
        name: "confluence-short-pages",
        about: "Confluence's pages hold at most 73 records, without a link, though their `limit` \
            says more",
        apply: |behaviour| {
            behaviour.confluence_unstated_limit = Some(73);
            behaviour.confluence_links = false;
        },
    },
    ApiQuirk {
        name: "jira-offset-ignored",
        about: "Jira gives the first page, whatever `offset` says",
        apply: |behaviour| behaviour.jira_ignores_offset = true,
    },
    ApiQuirk {
        name: "confluence-offset-ignored",
        about: "Confluence gives the first page, whatever `start` says, without a link",
        apply: |behaviour| {
            behaviour.confluence_ignores_offset = true;
            behaviour.confluence_links = false;
        },
    },
    ApiQuirk {
        name: "jira-offset-fails",
        about: "Jira answers 500 to each page after 1000 records",
        apply: |behaviour| behaviour.jira_fails_from = Some(1000),
    },
    ApiQuirk {
        name: "jira-offset-empty",
        about: "Jira's pages after 1000 records are empty, whatever there is",
        apply: |behaviour| behaviour.jira_empty_from = Some(1000),
    },
    ApiQuirk {
        name: "jira-past-end-refused",
        about: "Jira answers 404 to a page after the last record",
        apply: |behaviour| behaviour.jira_refuses_past_end = true,
    },
    ApiQuirk {
        name: "jira-end-excluded",
        about: "Jira takes `to` for exclusive",
        apply: |behaviour| behaviour.jira_end = RangeEnd::Excluded,
    },
    ApiQuirk {
        name: "jira-end-ignored",
        about: "Jira ignores `to`",
        apply: |behaviour| behaviour.jira_end = RangeEnd::Ignored,
    },
    ApiQuirk {
        name: "confluence-hidden-page",
        about: "Confluence's page after 100 records is first empty, with a link",
        apply: |behaviour| behaviour.confluence_hidden_page = Some(100),
    },
    ApiQuirk {
        name: "datacenter-no-last-page",
        about: "Data Center never says that a page is the last",
        apply: |behaviour| behaviour.datacenter_hides_end = true,
    },
    ApiQuirk {
        name: "confluence-offset-fails",
        about: "Confluence answers 500 to each page after 1000 records",
        apply: |behaviour| behaviour.confluence_fails_from = Some(1000),
    },
    ApiQuirk {
        name: "datacenter-offset-fails",
        about: "Data Center answers 500 to each page after 1000 events",
        apply: |behaviour| behaviour.datacenter_fails_from = Some(1000),
    },
    ApiQuirk {
        name: "datacenter-offset-from-cursor",
        about: "Data Center's cursor lies two events before the end of the page, and \
            `nextPageOffset` is 2",
        apply: |behaviour| behaviour.datacenter_offset = NextPageOffset::FromCursor(2),
    },
    ApiQuirk {
        name: "datacenter-offset-from-newest",
        about: "Data Center counts `nextPageOffset` from the newest event, and ignores the cursor \
            beside it",
        apply: |behaviour| behaviour.datacenter_offset = NextPageOffset::FromNewest,
    },
    ApiQuirk {
        name: "datacenter-offset-skips",
        about: "Data Center counts `nextPageOffset` from the newest event, and `offset` from the \
            cursor",
        apply: |behaviour| behaviour.datacenter_offset = NextPageOffset::Skipping,
    },
    ApiQuirk {
        name: "datacenter-offset-required",
        about: "Data Center answers 404 to a `pageCursor` without an `offset`",
        apply: |behaviour| behaviour.datacenter_requires_offset = true,
    },
    ApiQuirk {
        name: "datacenter-whole-seconds",
        about: "Data Center answers 400 to a date with a fraction of a second",
        apply: |behaviour| behaviour.datacenter_whole_seconds = true,
    },
    ApiQuirk {
        name: "datacenter-audits-reads",
        about: "each reading of Data Center's log adds an event to it",
        apply: |behaviour| behaviour.audit_reads = true,
    },
    ApiQuirk {
        name: "zoneless-times",
        about: "the times at which records happened have no zone",
        apply: |behaviour| behaviour.zoneless_times = true,
    },
    ApiQuirk {
        name: "forwarded-addresses",
        about: "each client's address has a proxy's after it, as in `X-Forwarded-For`",
        apply: |behaviour| behaviour.forwarded_addresses = true,
    },
    ApiQuirk {
        name: "terminal-controls",
        about: "each name begins with characters that a terminal obeys",
        apply: |behaviour| behaviour.terminal_controls = true,
    },
    ApiQuirk {
        name: "free-plan",
        about: "the site's products are on Free plans: 403",
        apply: |behaviour| behaviour.free_plan = true,
    },
    ApiQuirk {
        name: "scoped-key",
        about: "the organization key has scopes, so it lists no organizations",
        apply: |behaviour| behaviour.scoped_key = true,
    },
    ApiQuirk {
        name: "pretty-json",
        about: "JSON has newlines and indentation",
        apply: |behaviour| behaviour.pretty_json = true,
    },
    ApiQuirk {
        name: "gzip",
        about: "bodies are compressed with gzip",
        apply: |behaviour| behaviour.gzip = true,
    },
    ApiQuirk {
        name: "gzip-in-capitals",
        about: "bodies are compressed, and `Content-Encoding` says `GZIP`",
        apply: |behaviour| {
            behaviour.gzip = true;
            behaviour.content_encoding = Some("GZIP");
        },
    },
    ApiQuirk {
        name: "x-gzip",
        about: "bodies are compressed, and `Content-Encoding` says `x-gzip`",
        apply: |behaviour| {
            behaviour.gzip = true;
            behaviour.content_encoding = Some("x-gzip");
        },
    },
    ApiQuirk {
        name: "content-encoding-identity",
        about: "`Content-Encoding` says `identity`",
        apply: |behaviour| behaviour.content_encoding = Some("identity"),
    },
    ApiQuirk {
        name: "content-encoding-br",
        about: "`Content-Encoding` says `br`, which was not asked for",
        apply: |behaviour| behaviour.content_encoding = Some("br"),
    },
    ApiQuirk {
        name: "error-instead-of-records",
        about: "pages are a 200 with an error beside an empty list of records",
        apply: |behaviour| behaviour.page_error = PageError::InsteadOfRecords,
    },
    ApiQuirk {
        name: "error-beside-records",
        about: "pages are a 200 with an error beside their records",
        apply: |behaviour| behaviour.page_error = PageError::BesideRecords,
    },
    ApiQuirk {
        name: "error-in-first-page",
        about: "only the first page is a 200 with an error and no records",
        apply: |behaviour| {
            behaviour.page_error = PageError::InsteadOfRecords;
            behaviour.page_errors = 1;
        },
    },
    ApiQuirk {
        name: "cloudfront-403",
        about: "CloudFront refuses the first two requests with 403",
        apply: |behaviour| behaviour.cdn_refusals = 2,
    },
    ApiQuirk {
        name: "cloudfront-404",
        about: "CloudFront refuses the first two requests with 404",
        apply: |behaviour| {
            behaviour.cdn_refusals = 2;
            behaviour.cdn_status = 404;
        },
    },
    ApiQuirk {
        name: "cloudfront-always",
        about: "CloudFront refuses every request with 403",
        apply: |behaviour| behaviour.cdn_refusals = usize::MAX,
    },
    ApiQuirk {
        name: "datacenter-captcha",
        about: "Data Center demands a CAPTCHA: 403",
        apply: |behaviour| behaviour.datacenter_captcha = Some(403),
    },
    ApiQuirk {
        name: "datacenter-captcha-401",
        about: "Data Center demands a CAPTCHA: 401",
        apply: |behaviour| behaviour.datacenter_captcha = Some(401),
    },
    ApiQuirk {
        name: "reset-epoch",
        about: "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is seconds \
            since 1970",
        apply: |behaviour| limit_org(behaviour, ResetPrecision::EpochSeconds),
    },
    ApiQuirk {
        name: "reset-epoch-fraction",
        about: "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is seconds \
            since 1970 with a fraction",
        apply: |behaviour| limit_org(behaviour, ResetPrecision::EpochFraction),
    },
    ApiQuirk {
        name: "reset-epoch-millis",
        about: "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is \
            milliseconds since 1970",
        apply: |behaviour| limit_org(behaviour, ResetPrecision::EpochMillis),
    },
    ApiQuirk {
        name: "reset-http-date",
        about: "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is an HTTP date",
        apply: |behaviour| limit_org(behaviour, ResetPrecision::HttpDate),
    },
    ApiQuirk {
        name: "reset-seconds-from-now",
        about: "events-stream allows 10 requests a minute, and `X-RateLimit-Reset` is seconds \
            from now",
        apply: |behaviour| limit_org(behaviour, ResetPrecision::SecondsFromNow),
    },
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
