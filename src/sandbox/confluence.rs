//! The Confluence Cloud REST API v1: audit records, at the site and through the gateway.

use super::{
    Api, Fault,
    json_text::{JsonObject, object},
    record_log::{RecordPage, RecordQuery},
    reply::{ApiReply, error},
    request::ParsedRequest,
    server_state::ServerState,
};

/// Records on a page without a `limit`.
const DEFAULT_LIMIT: usize = 1000;

/// `GET /wiki/rest/api/audit`
pub fn records(state: &mut ServerState, request: &ParsedRequest, fault: &Fault) -> ApiReply {
    let Some(query) = query(state, request, fault) else {
        let message = "startDate and endDate must be epoch milliseconds; start and limit must be \
                       numbers, limit at least 1.";
        return error(Api::ConfluenceAudit, 400, message);
    };
    let fails_from = state.behaviour.confluence_fails_from;
    if fails_from.is_some_and(|from| query.offset >= from) {
        return error(Api::ConfluenceAudit, 500, "Internal server error");
    }
    let log = state.log(Api::ConfluenceAudit);
    let is_hidden = *fault == Fault::EmptyPageWithCursor || is_invisible(state, request, &query);
    let page = match is_hidden {
        true => RecordPage::default(),
        false => {
            let most = state.behaviour.confluence_unstated_limit.unwrap_or(query.limit);
            log.page(&RecordQuery { limit: query.limit.min(most), ..query.clone() })
        }
    };
    let count = page.texts.len();
    let matches = log.count(query.from, query.to);
    let body = object! {
        "results": page.json(), "start": query.offset, "limit": query.limit,
        // Of all that match, and not of the page (elastic/integrations, atlassian_confluence).
        "size": matches,
        "_links": links(state, request, fault, &query, count, matches),
    };
    if count > 0 {
        state.insert_after_page(Api::ConfluenceAudit, query.to);
    }
    ApiReply::json(200, body)
}

/// Whether the page is first empty, and links to its records.
fn is_invisible(state: &ServerState, request: &ParsedRequest, query: &RecordQuery) -> bool {
    let is_there = state.behaviour.confluence_hidden_page == Some(query.offset);
    is_there && request.param("shown").is_none()
}

/// The requested records; nothing if a parameter cannot be read.
fn query(state: &ServerState, request: &ParsedRequest, fault: &Fault) -> Option<RecordQuery> {
    let offset = match (request.param("cursor"), state.behaviour.confluence_ignores_offset) {
        (_, true) => 0,
        (Some(cursor), false) => usize::from_str_radix(cursor, 16).ok()?,
        (None, false) => request.number("start", 0)?,
    };
    let limit = request.number("limit", DEFAULT_LIMIT).filter(|&most| most > 0)?;
    let bound = |name| request.param(name).map(str::parse).transpose().ok();
    Some(RecordQuery {
        offset: match fault {
            Fault::Overlap(records) => offset.saturating_sub(*records),
            _ => offset,
        },
        limit: limit.min(state.behaviour.confluence_max_limit.unwrap_or(1000)),
        from: bound("startDate")?,
        to: bound("endDate")?,
        is_ascending: state.behaviour.sites_oldest_first,
        ..RecordQuery::default()
    })
}

/// `_links`. `next` is a path below `base`, and leaves the dates out.
fn links(
    state: &ServerState,
    request: &ParsedRequest,
    fault: &Fault,
    query: &RecordQuery,
    count: usize,
    matches: usize,
) -> JsonObject {
    let base = format!("{}/wiki", state.base_url);
    let end = query.offset.saturating_add(count);
    let start = match fault {
        Fault::SameCursor if request.param("start").is_some() => query.offset,
        _ => end,
    };
    let limit = query.limit;
    let shown = if is_invisible(state, request, query) { "&shown=true" } else { "" };
    let next = match state.behaviour.confluence_opaque_cursors {
        _ if state.behaviour.confluence_hides_links || end >= matches => None,
        // A cursor that does not look like a count.
        true if request.param("cursor").is_none() => {
            Some(format!("cursor={start:x}&limit={limit}"))
        }
        true => None,
        false => Some(format!("start={start}&limit={limit}{shown}")),
    };
    let mut links =
        object! {"base": &base, "context": "/wiki", "self": format!("{base}/rest/api/audit")};
    if let Some(next) = next {
        links.set("next", format!("/rest/api/audit?{next}").into());
    }
    links
}
