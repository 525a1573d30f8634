//! The Confluence Cloud REST API v1: audit records, at the site and through the gateway.

use super::{
    Fault,
    access::{self, SitePermission},
    data::RecordComposer as _,
    json_text::{JsonObject, array},
    records::RecordQuery,
    reply::ApiReply,
    request::{ParsedRequest, SiteAccess},
    server_state::ServerState,
};

const NOT_ADMIN: &str = "User is not permitted to perform this operation: Confluence \
    administrator permission is required.";
/// "Free edition" is what tells this 403 from the other one (airbytehq/airbyte 23862).
const FREE_PLAN: &str = "Cannot make this request because you are on Free edition. Please upgrade \
    to standard or premium.";

/// The 401 or 403 for a credential that is not enough for audit records, and the 404 for another
/// site.
pub fn refusal(request: &ParsedRequest, way: &SiteAccess, free_plan: bool) -> Option<ApiReply> {
    match access::permission(request, way) {
        Err(refused) => Some(refused),
        Ok(SitePermission::AdminWithoutScope) => Some(access::scope_mismatch()),
        Ok(SitePermission::NotAdmin) => Some(error(403, NOT_ADMIN)),
        Ok(SitePermission::Admin) if free_plan => Some(error(403, FREE_PLAN)),
        Ok(SitePermission::Admin) => access::unknown_site(way),
    }
}

/// An error in Confluence's shape: `{statusCode, data, message}`.
pub fn error(status: u16, message: &str) -> ApiReply {
    let authorized = if status == 403 { "false" } else { "true" };
    let data = JsonObject::new()
        .raw("authorized", authorized)
        .raw("valid", "true")
        .raw("errors", "[]")
        .raw("successful", "false");
    let body = JsonObject::new()
        .raw("statusCode", &status.to_string())
        .raw("data", &data.finish())
        .text("message", message);
    ApiReply::json(status, body.finish())
}

/// Records on a page, when nothing is asked.
const DEFAULT_LIMIT: usize = 1000;

/// `GET /wiki/rest/api/audit`
pub fn records(state: &mut ServerState, request: &ParsedRequest, fault: &Fault) -> ApiReply {
    let Some(search) = search(state, request, fault) else {
        return error(
            400,
            "startDate and endDate must be epoch milliseconds; start and limit must be numbers, \
                limit at least 1.",
        );
    };
    let fails_from = state.behaviour.confluence_fails_from;
    if fails_from.is_some_and(|from| search.offset >= from) {
        return error(500, "Internal server error");
    }
    let is_hidden = *fault == Fault::EmptyPageWithCursor || is_invisible(state, request, &search);
    let texts = match is_hidden {
        true => Vec::new(),
        false => {
            let limit = state.behaviour.confluence_unstated_limit;
            let page = RecordQuery {
                limit: search.limit.min(limit.unwrap_or(search.limit)),
                ..search.clone()
            };
            state.confluence.page(&page).texts
        }
    };
    let matches = state.confluence.count(search.from, search.to);
    let links = links(state, request, fault, &search, texts.len(), matches);
    let some = !texts.is_empty();
    let body = JsonObject::new()
        .raw("results", &array(&texts))
        .number("start", search.offset)
        .number("limit", search.limit)
        // Of all that match, and not of the page (elastic/integrations, atlassian_confluence).
        .number("size", matches)
        .raw("_links", &links)
        .finish();
    if some {
        record_meanwhile(state, search.to);
    }
    ApiReply::json(200, body)
}

/// Whether the page is first empty, and links to its records.
fn is_invisible(state: &ServerState, request: &ParsedRequest, search: &RecordQuery) -> bool {
    let is_there = state.behaviour.confluence_hidden_page == Some(search.offset);
    is_there && request.param("shown").is_none()
}

/// What is asked; nothing where a parameter cannot be read.
fn search(state: &ServerState, request: &ParsedRequest, fault: &Fault) -> Option<RecordQuery> {
    let offset = match (request.param("cursor"), state.behaviour.confluence_ignores_offset) {
        (_, true) => 0,
        (Some(cursor), false) => u64::from_str_radix(cursor, 36).ok()?.try_into().ok()?,
        (None, false) => request.number("start", 0)?,
    };
    let limit = request.number("limit", DEFAULT_LIMIT).filter(|&most| most > 0)?;
    let bound = |name| request.param(name).map(str::parse).transpose().ok();
    Some(RecordQuery {
        offset: match fault {
            Fault::Overlap(records) => offset.saturating_sub(*records),
            _ => offset,
        },
        limit: limit.min(state.behaviour.confluence_max_limit),
        from: bound("startDate")?,
        to: bound("endDate")?,
        ..RecordQuery::default()
    })
}

/// `_links`. `next` is a path below `base`, and leaves the dates out.
fn links(
    state: &ServerState,
    request: &ParsedRequest,
    fault: &Fault,
    search: &RecordQuery,
    count: usize,
    matches: usize,
) -> String {
    let base = format!("{}/wiki", state.base_url);
    let end = search.offset.saturating_add(count);
    let links = JsonObject::new()
        .text("base", &base)
        .text("context", "/wiki")
        .text("self", &format!("{base}/rest/api/audit"));
    let start = match fault {
        Fault::SameCursor if request.param("start").is_some() => search.offset,
        _ => end,
    };
    let limit = search.limit;
    let is_opaque = state.behaviour.confluence_opaque_cursors;
    let has_link = state.behaviour.confluence_links && end < matches;
    let links = match (has_link, is_opaque) {
        (true, true) if request.param("cursor").is_none() => {
            let cursor = base36(start);
            links.text("next", &format!("/rest/api/audit?cursor={cursor}&limit={limit}"))
        }
        (true, false) => {
            let shown = if is_invisible(state, request, search) { "&shown=true" } else { "" };
            links.text("next", &format!("/rest/api/audit?start={start}&limit={limit}{shown}"))
        }
        (true, true) | (false, _) => links,
    };
    links.finish()
}

/// The records that appear between two pages, at the newest end of the window, so that offsets
/// shift.
fn record_meanwhile(state: &mut ServerState, to: Option<i64>) {
    let behaviour = &mut state.behaviour;
    if behaviour.insert_on_confluence_page == 0 || behaviour.insert_on_confluence_pages == 0 {
        return;
    }
    behaviour.insert_on_confluence_pages -= 1;
    let new = behaviour.insert_on_confluence_page;
    let now = state.now_ms();
    let at = to.map_or(now, |to| to.min(now));
    for _ in 0..new {
        let record = state.confluence_composer.compose(at);
        state.confluence.add(record);
    }
}

/// `number` as a cursor that does not look like a count.
fn base36(mut number: usize) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((number % 36) as u32, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}
