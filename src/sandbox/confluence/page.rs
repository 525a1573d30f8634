//! One request for audit records: its parameters, its page, and what is recorded while somebody pages.

use super::error;
use crate::sandbox::{
    Fault,
    data::RecordComposer as _,
    exchange::ParsedRequest,
    json_text::{JsonObject, array},
    records::RecordQuery,
    reply::ApiReply,
    server_state::ServerState,
};

/// Records on a page, when nothing is asked.
const DEFAULT_LIMIT: usize = 1000;

/// `GET /wiki/rest/api/audit`
pub fn records(world: &mut ServerState, ask: &ParsedRequest, fault: &Fault) -> ApiReply {
    let Some(search) = search(world, ask, fault) else {
        return error(
            400,
            "startDate and endDate must be epoch milliseconds; start and limit must be numbers, limit at least 1.",
        );
    };
    let fails_from = world.behaviour.confluence_fails_from;
    if fails_from.is_some_and(|from| search.offset >= from) {
        return error(500, "Internal server error");
    }
    let is_hidden = *fault == Fault::EmptyPageWithCursor || is_invisible(world, ask, &search);
    let texts = match is_hidden {
        true => Vec::new(),
        false => {
            let limit = world.behaviour.confluence_unstated_limit;
            let page = RecordQuery {
                limit: search.limit.min(limit.unwrap_or(search.limit)),
                ..search.clone()
            };
            world.confluence.page(&page).texts
        }
    };
    let matches = world.confluence.count(search.from, search.to);
    let links = links(world, ask, fault, &search, texts.len(), matches);
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
        insert_new_records(world, search.to);
    }
    ApiReply::json(200, body)
}

/// Whether the page is first empty, and links to its records.
fn is_invisible(world: &ServerState, ask: &ParsedRequest, search: &RecordQuery) -> bool {
    let is_there = world.behaviour.confluence_hidden_page == Some(search.offset);
    is_there && ask.param("shown").is_none()
}

/// What is asked; nothing where a parameter cannot be read.
fn search(world: &ServerState, ask: &ParsedRequest, fault: &Fault) -> Option<RecordQuery> {
    let offset = match (
        ask.param("cursor"),
        world.behaviour.confluence_ignores_offset,
    ) {
        (_, true) => 0,
        (Some(cursor), false) => u64::from_str_radix(cursor, 36).ok()?.try_into().ok()?,
        (None, false) => ask.number("start", 0)?,
    };
    let limit = ask
        .number("limit", DEFAULT_LIMIT)
        .filter(|&most| most > 0)?;
    let bound = |name| ask.param(name).map(str::parse).transpose().ok();
    Some(RecordQuery {
        offset: match fault {
            Fault::Overlap(records) => offset.saturating_sub(*records),
            _ => offset,
        },
        limit: limit.min(world.behaviour.confluence_max_limit),
        from: bound("startDate")?,
        to: bound("endDate")?,
        ..RecordQuery::default()
    })
}

/// `_links`. `next` is a path below `base`, and leaves the dates out.
fn links(
    world: &ServerState,
    ask: &ParsedRequest,
    fault: &Fault,
    search: &RecordQuery,
    count: usize,
    matches: usize,
) -> String {
    let base = format!("{}/wiki", world.base_url);
    let end = search.offset.saturating_add(count);
    let links = JsonObject::new()
        .text("base", &base)
        .text("context", "/wiki")
        .text("self", &format!("{base}/rest/api/audit"));
    let start = match fault {
        Fault::SameCursor if ask.param("start").is_some() => search.offset,
        _ => end,
    };
    let limit = search.limit;
    let is_opaque = world.behaviour.confluence_opaque_cursors;
    let has_link = world.behaviour.confluence_links && end < matches;
    let links = match (has_link, is_opaque) {
        (true, true) if ask.param("cursor").is_none() => {
            let cursor = base36(start);
            links.text(
                "next",
                &format!("/rest/api/audit?cursor={cursor}&limit={limit}"),
            )
        }
        (true, false) => {
            let shown = if is_invisible(world, ask, search) {
                "&shown=true"
            } else {
                ""
            };
            links.text(
                "next",
                &format!("/rest/api/audit?start={start}&limit={limit}{shown}"),
            )
        }
        (true, true) | (false, _) => links,
    };
    links.finish()
}

/// The records that appear between two pages, at the newest end of the window, so that offsets shift.
fn insert_new_records(world: &mut ServerState, to: Option<i64>) {
    let behaviour = &mut world.behaviour;
    if behaviour.insert_on_confluence_page == 0 || behaviour.insert_on_confluence_pages == 0 {
        return;
    }
    behaviour.insert_on_confluence_pages -= 1;
    let new = behaviour.insert_on_confluence_page;
    let now = world.now_ms();
    let at = to.map_or(now, |to| to.min(now));
    for _ in 0..new {
        let record = world.confluence_composer.compose(at);
        world.confluence.add(record);
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
