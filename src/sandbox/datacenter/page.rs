//! One request for audit events: its parameters, its cursor, its page, and the event that the reading itself is.

use super::error;
use crate::sandbox::{
    DATACENTER_USER, Fault, NextPageOffset,
    dates::{self, ParsedDate},
    exchange::ParsedRequest,
    json_text::{JsonObject, array},
    records::{RecordPage, RecordPosition, RecordQuery},
    reply::ApiReply,
    server_state::ServerState,
};

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
        let newer = |place| world.datacenter.position_newer_by(place, *events);
        search.before = search.before.and_then(newer);
        search.offset = search.offset.saturating_sub(*events);
    }
    let fails_from = world.behaviour.datacenter_fails_from;
    if fails_from.is_some_and(|from| world.datacenter.count_before(&search) >= from) {
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
            let has_next = found.has_more || world.behaviour.datacenter_hides_end;
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
    let before = ask.param("pageCursor").map(parse_cursor);
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
    match dates::parse_date(text) {
        ParsedDate::At(at) => Ok(Some(at)),
        ParsedDate::Zoneless(_) | ParsedDate::Unreadable => Err("from and to must be ISO 8601 dates."),
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
fn link(world: &ServerState, ask: &ParsedRequest, limit: usize, (offset, cursor): (usize, &str)) -> String {
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
fn next_page(world: &ServerState, search: &RecordQuery, last: RecordPosition, events: usize) -> (usize, String) {
    match world.behaviour.datacenter_offset {
        NextPageOffset::Zero => (0, cursor(last)),
        NextPageOffset::FromCursor(back) => {
            let back = back.min(events);
            let newer = world.datacenter.position_newer_by(last, back);
            (back, newer.map_or_else(|| start_cursor(world), cursor))
        }
        NextPageOffset::FromNewest | NextPageOffset::Skipping => {
            let so_far = world.datacenter.count_before(search).saturating_add(events);
            (so_far, cursor(last))
        }
    }
}

/// `epochMillis,ID`: the page behind it holds what is older.
fn cursor(place: RecordPosition) -> String {
    format!("{},{}", place.created_ms, place.number)
}

fn parse_cursor(cursor: &str) -> Option<RecordPosition> {
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
