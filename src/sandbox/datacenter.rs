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
pub fn refusal(ask: &ParsedRequest) -> Option<ApiReply> {
    match user(ask) {
        Some(DATACENTER_USER) => None,
        Some(_) => Some(error(403, NOT_ADMIN)),
        None => Some(error(401, UNAUTHENTICATED)),
    }
}

/// The refusal of an account that is locked until somebody solves a CAPTCHA at the login page,
/// whatever the credential (developer.atlassian.com/server/jira/platform/basic-authentication).
pub fn captcha(behaviour: &Behaviour, base_url: &str) -> Option<ApiReply> {
    let reason = format!("CAPTCHA_CHALLENGE; login-url={base_url}/dc/login.jsp?os_destination=%2F");
    let reply = error(
        behaviour.datacenter_captcha?,
        "Basic Authentication Failure",
    );
    Some(
        reply
            .header("x-authentication-denied-reason", &reason)
            .header("x-seraph-loginreason", "AUTHENTICATION_DENIED"),
    )
}

/// `GET /plugins/servlet/applinks/whoami`: nothing for a credential that nobody has.
pub fn whoami(ask: &ParsedRequest) -> ApiReply {
    ApiReply::plain(
        200,
        "text/plain;charset=UTF-8",
        user(ask).unwrap_or_default(),
    )
}

/// Whose credential it is. A personal access token needs no account beside it.
fn user(ask: &ParsedRequest) -> Option<&'static str> {
    let given = ask.authorization.as_deref()?;
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
    let body = JsonObject::new()
        .text("message", message)
        .raw("status-code", &status.to_string());
    ApiReply::json(status, body.finish())
}

/// Events on a page, when nothing is asked.
const DEFAULT_LIMIT: usize = 200;
/// Most events on a page.
const MOST_EVENTS: usize = 100_000;

/// `GET /rest/auditing/1.0/events`
pub fn events(world: &mut ServerState, ask: &ParsedRequest, fault: &Fault) -> ApiReply {
    let has_cursor = ask.param("pageCursor").is_some();
    let lacks_offset = has_cursor && ask.param("offset").is_none();
    if lacks_offset && world.behaviour.datacenter_requires_offset {
        return error(404, "There is no such page.");
    }
    let mut search = match search(world, ask) {
        Ok(search) => search,
        Err(what) => return error(400, what),
    };
    if let Fault::Overlap(events) = fault {
        let newer = |place| world.datacenter.newer(place, *events);
        search.before = search.before.and_then(newer);
        search.offset = search.offset.saturating_sub(*events);
    }
    let fails_from = world.behaviour.datacenter_fails_from;
    if fails_from.is_some_and(|from| world.datacenter.before(&search) >= from) {
        return error(500, "Internal server error");
    }
    let mut found = world.datacenter.page(&search);
    let limit = search.limit;
    let paging = match (fault, ask.param("pageCursor")) {
        (Fault::EmptyPageWithCursor, used) => {
            found = RecordPage::default();
            let again = used.map_or_else(|| start_cursor(world), str::to_owned);
            paging(world, ask, limit, 0, Some((0, &again)))
        }
        (Fault::SameCursor, Some(used)) => {
            paging(world, ask, limit, found.texts.len(), Some((0, used)))
        }
        _ => {
            let has_next = found.more || world.behaviour.datacenter_hides_end;
            let next = found.last.filter(|_| has_next);
            let next = next.map(|last| next_page(world, &search, last, found.texts.len()));
            let again = ask.param("pageCursor").map(|used| (0, used.to_owned()));
            let next = next.or(again.filter(|_| has_next));
            let next = next.as_ref().map(|(offset, cursor)| (*offset, &**cursor));
            paging(world, ask, limit, found.texts.len(), next)
        }
    };
    let body = JsonObject::new()
        .raw("entities", &array(&found.texts))
        .raw("pagingInfo", &paging)
        .finish();
    if world.behaviour.audit_reads {
        let now = world.now_ms();
        let read = world
            .datacenter_composer
            .search_performed(now, DATACENTER_USER);
        world.datacenter.add(read);
    }
    ApiReply::json(200, body)
}

/// What is asked; else what is wrong with it.
fn search(world: &ServerState, ask: &ParsedRequest) -> Result<RecordQuery, &'static str> {
    let limit = ask
        .number("limit", DEFAULT_LIMIT)
        .filter(|limit| (1..=MOST_EVENTS).contains(limit))
        .ok_or("limit must be a number from 1 to 100000.")?;
    let offset = ask.number("offset", 0).ok_or("offset must be a number.")?;
    let before = ask.param("pageCursor").map(place);
    if before == Some(None) {
        return Err("pageCursor must be a time in milliseconds and an id.");
    }
    let has_offset = ask.param("offset").is_some();
    let is_cursor_ignored =
        has_offset && world.behaviour.datacenter_offset == NextPageOffset::FromNewest;
    Ok(RecordQuery {
        before: before.flatten().filter(|_| !is_cursor_ignored),
        offset,
        limit,
        from: date(world, ask, "from")?,
        to: date(world, ask, "to")?,
        ..RecordQuery::default()
    })
}

/// A date, which must have its zone.
fn date(world: &ServerState, ask: &ParsedRequest, name: &str) -> Result<Option<i64>, &'static str> {
    let Some(text) = ask.param(name) else {
        return Ok(None);
    };
    if world.behaviour.datacenter_whole_seconds && text.contains('.') {
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
    world: &ServerState,
    ask: &ParsedRequest,
    limit: usize,
    size: usize,
    next: Option<(usize, &str)>,
) -> String {
    let paging = JsonObject::new();
    let paging = match next {
        Some((offset, cursor)) => paging
            .number("nextPageOffset", offset)
            .text("nextPageCursor", cursor)
            .text("nextPageLink", &link(world, ask, limit, (offset, cursor)))
            .raw("lastPage", "false"),
        None => paging.raw("lastPage", "true"),
    };
    paging.number("size", size).finish()
}

/// Where the next page is, with the dates as they were asked.
fn link(
    world: &ServerState,
    ask: &ParsedRequest,
    limit: usize,
    (offset, cursor): (usize, &str),
) -> String {
    let mut link = format!(
        "{}{}?offset={offset}&limit={limit}&pageCursor={cursor}",
        world.base_url, ask.path
    );
    for name in ["from", "to"] {
        if let Some(date) = ask.param(name) {
            let date: String = url::form_urlencoded::byte_serialize(date.as_bytes()).collect();
            link.push_str(&format!("&{name}={date}"));
        }
    }
    link
}

/// The offset and the cursor of the page after one of `events` events that ends with `last`.
fn next_page(
    world: &ServerState,
    search: &RecordQuery,
    last: RecordPosition,
    events: usize,
) -> (usize, String) {
    match world.behaviour.datacenter_offset {
        NextPageOffset::Zero => (0, cursor(last)),
        NextPageOffset::FromCursor(back) => {
            let back = back.min(events);
            let newer = world.datacenter.newer(last, back);
            (back, newer.map_or_else(|| start_cursor(world), cursor))
        }
        NextPageOffset::FromNewest | NextPageOffset::Skipping => {
            let so_far = world.datacenter.before(search).saturating_add(events);
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
    Some(RecordPosition {
        created_ms: created_ms.parse().ok()?,
        number: number.parse().ok()?,
    })
}

/// The cursor behind which all events lie.
fn start_cursor(world: &ServerState) -> String {
    let newest = world.datacenter.last_created_ms().unwrap_or_default();
    cursor(RecordPosition {
        created_ms: newest.saturating_add(1),
        number: 0,
    })
}
