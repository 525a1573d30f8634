//! The auditing REST API of a Data Center product, at the root and below the context path `/dc`,
//! and the servlet that says whose a credential is.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::{
    Behaviour, DATACENTER_PASSWORD, DATACENTER_TOKEN, DATACENTER_TOKEN_NOT_ADMIN, DATACENTER_USER,
    DATACENTER_USER_NOT_ADMIN, Fault, NextPageOffset,
    dates::{self, ParsedDate},
    json_text::{JsonObject, array},
    records::{RecordPage, RecordPosition, RecordQuery},
    reply::ApiReply,
    request::ParsedRequest,
    server_state::ServerState,
};

const UNAUTHENTICATED: &str = "Client must be authenticated to access this resource.";
const NOT_ADMIN: &str = "You need to be a system administrator to see the audit log.";

/// The 401 or 403 for a credential that is not enough for the log.
pub fn refusal(request: &ParsedRequest) -> Option<ApiReply> {
    match user(request) {
        Some(DATACENTER_USER) => None,
        Some(_) => Some(error(403, NOT_ADMIN)),
        None => Some(error(401, UNAUTHENTICATED)),
    }
}

/// The refusal of an account that is locked until somebody solves a CAPTCHA at the login page,
/// whatever the credential (developer.atlassian.com/server/jira/platform/basic-authentication).
pub fn captcha(behaviour: &Behaviour, base_url: &str) -> Option<ApiReply> {
    let reason = format!("CAPTCHA_CHALLENGE; login-url={base_url}/dc/login.jsp?os_destination=%2F");
    let reply = error(behaviour.datacenter_captcha?, "Basic Authentication Failure");
    Some(
        reply
            .header("x-authentication-denied-reason", &reason)
            .header("x-seraph-loginreason", "AUTHENTICATION_DENIED"),
    )
}

/// `GET /plugins/servlet/applinks/whoami`: nothing for a credential that nobody has.
pub fn whoami(request: &ParsedRequest) -> ApiReply {
    ApiReply::plain(200, "text/plain;charset=UTF-8", user(request).unwrap_or_default())
}

/// Whose credential it is. A personal access token needs no account beside it.
fn user(request: &ParsedRequest) -> Option<&'static str> {
    let given = request.authorization.as_deref()?;
    let password = format!("{DATACENTER_USER}:{DATACENTER_PASSWORD}");
    let basic = format!("Basic {}", BASE64_STANDARD.encode(password));
    if given == basic {
        return Some(DATACENTER_USER);
    }
    match given.strip_prefix("Bearer ")? {
        DATACENTER_TOKEN => Some(DATACENTER_USER),
        DATACENTER_TOKEN_NOT_ADMIN => Some(DATACENTER_USER_NOT_ADMIN),
        _ => None,
    }
}

/// An error in Data Center's shape: `{message, status-code}`.
pub fn error(status: u16, message: &str) -> ApiReply {
    let body = JsonObject::new().text("message", message).raw("status-code", &status.to_string());
    ApiReply::json(status, body.finish())
}

/// Events on a page, when nothing is asked.
const DEFAULT_LIMIT: usize = 200;
/// Most events on a page.
const MOST_EVENTS: usize = 100_000;

/// `GET /rest/auditing/1.0/events`
pub fn events(state: &mut ServerState, request: &ParsedRequest, fault: &Fault) -> ApiReply {
    let has_cursor = request.param("pageCursor").is_some();
    let lacks_offset = has_cursor && request.param("offset").is_none();
    if lacks_offset && state.behaviour.datacenter_requires_offset {
        return error(404, "There is no such page.");
    }
    let mut search = match search(state, request) {
        Ok(search) => search,
        Err(what) => return error(400, what),
    };
    if let Fault::Overlap(events) = fault {
        let newer = |place| state.datacenter.newer(place, *events);
        search.before = search.before.and_then(newer);
        search.offset = search.offset.saturating_sub(*events);
    }
    let fails_from = state.behaviour.datacenter_fails_from;
    if fails_from.is_some_and(|from| state.datacenter.before(&search) >= from) {
        return error(500, "Internal server error");
    }
    let mut found = state.datacenter.page(&search);
    let limit = search.limit;
    let paging = match (fault, request.param("pageCursor")) {
        (Fault::EmptyPageWithCursor, used) => {
            found = RecordPage::default();
            let again = used.map_or_else(|| start_cursor(state), str::to_owned);
            paging(state, request, limit, 0, Some((0, &again)))
        }
        (Fault::SameCursor, Some(used)) => {
            paging(state, request, limit, found.texts.len(), Some((0, used)))
        }
        _ => {
            let has_next = found.more || state.behaviour.datacenter_hides_end;
            let next = found.last.filter(|_| has_next);
            let next = next.map(|last| next_page(state, &search, last, found.texts.len()));
            let again = request.param("pageCursor").map(|used| (0, used.to_owned()));
            let next = next.or(again.filter(|_| has_next));
            let next = next.as_ref().map(|(offset, cursor)| (*offset, &**cursor));
            paging(state, request, limit, found.texts.len(), next)
        }
    };
    let body =
        JsonObject::new().raw("entities", &array(&found.texts)).raw("pagingInfo", &paging).finish();
    if state.behaviour.audit_reads {
        let now = state.now_ms();
        let read = state.datacenter_composer.search_performed(now, DATACENTER_USER);
        state.datacenter.add(read);
    }
    ApiReply::json(200, body)
}

/// What is asked; else what is wrong with it.
fn search(state: &ServerState, request: &ParsedRequest) -> Result<RecordQuery, &'static str> {
    let limit = request
        .number("limit", DEFAULT_LIMIT)
        .filter(|limit| (1..=MOST_EVENTS).contains(limit))
        .ok_or("limit must be a number from 1 to 100000.")?;
    let offset = request.number("offset", 0).ok_or("offset must be a number.")?;
    let before = request.param("pageCursor").map(place);
    if before == Some(None) {
        return Err("pageCursor must be a time in milliseconds and an id.");
    }
    let has_offset = request.param("offset").is_some();
    let is_cursor_ignored =
        has_offset && state.behaviour.datacenter_offset == NextPageOffset::FromNewest;
    Ok(RecordQuery {
        before: before.flatten().filter(|_| !is_cursor_ignored),
        offset,
        limit,
        from: date(state, request, "from")?,
        to: date(state, request, "to")?,
        ..RecordQuery::default()
    })
}

/// A date, which must have its zone.
fn date(
    state: &ServerState,
    request: &ParsedRequest,
    name: &str,
) -> Result<Option<i64>, &'static str> {
    let Some(text) = request.param(name) else {
        return Ok(None);
    };
    if state.behaviour.datacenter_whole_seconds && text.contains('.') {
        return Err("from and to must be ISO 8601 dates of whole seconds.");
    }
    match dates::read(text) {
        ParsedDate::At(at) => Ok(Some(at)),
        ParsedDate::Zoneless(_) | ParsedDate::Unreadable => {
            Err("from and to must be ISO 8601 dates.")
        }
    }
}

/// `pagingInfo`: on the last page nothing but `lastPage` and `size`.
fn paging(
    state: &ServerState,
    request: &ParsedRequest,
    limit: usize,
    size: usize,
    next: Option<(usize, &str)>,
) -> String {
    let paging = JsonObject::new();
    let paging = match next {
        Some((offset, cursor)) => paging
            .number("nextPageOffset", offset)
            .text("nextPageCursor", cursor)
            .text("nextPageLink", &link(state, request, limit, (offset, cursor)))
            .raw("lastPage", "false"),
        None => paging.raw("lastPage", "true"),
    };
    paging.number("size", size).finish()
}

/// Where the next page is, with the dates as they were asked.
fn link(
    state: &ServerState,
    request: &ParsedRequest,
    limit: usize,
    (offset, cursor): (usize, &str),
) -> String {
    let mut link = format!(
        "{}{}?offset={offset}&limit={limit}&pageCursor={cursor}",
        state.base_url, request.path
    );
    for name in ["from", "to"] {
        if let Some(date) = request.param(name) {
            let date: String = url::form_urlencoded::byte_serialize(date.as_bytes()).collect();
            link.push_str(&format!("&{name}={date}"));
        }
    }
    link
}

/// The offset and the cursor of the page after one of `events` events that ends with `last`.
fn next_page(
    state: &ServerState,
    search: &RecordQuery,
    last: RecordPosition,
    events: usize,
) -> (usize, String) {
    match state.behaviour.datacenter_offset {
        NextPageOffset::Zero => (0, cursor(last)),
        NextPageOffset::FromCursor(back) => {
            let back = back.min(events);
            let newer = state.datacenter.newer(last, back);
            (back, newer.map_or_else(|| start_cursor(state), cursor))
        }
        NextPageOffset::FromNewest | NextPageOffset::Skipping => {
            let so_far = state.datacenter.before(search).saturating_add(events);
            (so_far, cursor(last))
        }
    }
}

/// `epochMillis,ID`: the page behind it holds what is older.
fn cursor(place: RecordPosition) -> String {
    format!("{},{}", place.created_ms, place.number)
}

fn place(cursor: &str) -> Option<RecordPosition> {
    let (created_ms, number) = cursor.split_once(',')?;
    Some(RecordPosition { created_ms: created_ms.parse().ok()?, number: number.parse().ok()? })
}

/// The cursor behind which all events lie.
fn start_cursor(state: &ServerState) -> String {
    let newest = state.datacenter.last_created_ms().unwrap_or_default();
    cursor(RecordPosition { created_ms: newest.saturating_add(1), number: 0 })
}
