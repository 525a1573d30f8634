//! The named readings of the APIs that `atlaudit sandbox --quirk NAME` plays.
//!
//! A quirk is a change of [`Behaviour`] with a name and a sentence, so that anybody can try the collector against
//! a reading of the API that Atlassian's documentation leaves open.

use super::{Behaviour, CursorBounds, EndOfStream, FilterClock, NextPageOffset, OverLimit};

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
        name: "org-filter-by-event-time",
        about: "`from` and `to` of events-stream compare with `time`, not with `processedAt`",
        apply: |behaviour| behaviour.filter_clock = FilterClock::Time,
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
        about: "Confluence's `_links.next` holds a cursor without a count, and every other page has no link",
        apply: |behaviour| behaviour.confluence_opaque_cursors = true,
    },
    ApiQuirk {
        name: "jira-short-pages",
        about: "Jira's pages hold at most 73 records, though their `limit` says more",
        apply: |behaviour| behaviour.jira_unstated_limit = Some(73),
    },
    ApiQuirk {
        name: "confluence-short-pages",
        about: "Confluence's pages hold at most 73 records, without a link, though their `limit` says more",
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
        about: "Data Center's cursor lies two events before the end of the page, and `nextPageOffset` is 2",
        apply: |behaviour| behaviour.datacenter_offset = NextPageOffset::FromCursor(2),
    },
    ApiQuirk {
        name: "datacenter-offset-from-newest",
        about: "Data Center counts `nextPageOffset` from the newest event, and ignores the cursor beside it",
        apply: |behaviour| behaviour.datacenter_offset = NextPageOffset::FromNewest,
    },
    ApiQuirk {
        name: "datacenter-offset-skips",
        about: "Data Center counts `nextPageOffset` from the newest event, and `offset` from the cursor",
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
];

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
