//! One request to events-stream: its parameters, its cursor, its page.

use bytes::Bytes;

use super::{
    cursor::OrgCursor,
    log::{EventPage, EventPosition, EventQuery},
};
use crate::sandbox::{
    Behaviour, CursorBounds, CursorPlace, EndOfStream, ErrorEnvelope, Fault, ORG_ID, OrgRetention,
    OverLimit,
    json_text::{JsonObject, quoted},
    reply::{self, AdminError, ApiReply, BodyChunks},
    request::ParsedRequest,
    server_state::ServerState,
};

/// How long organization events are kept: 180 days.
const RETENTION_MS: i64 = 180 * 24 * 60 * 60 * 1000;

/// `GET /orgs/{org_id}/events-stream`
pub fn events(
    state: &ServerState,
    request: &ParsedRequest,
    org_id: &str,
    fault: &Fault,
) -> ApiReply {
    let page = if org_id == ORG_ID { page(state, request, fault) } else { Err(reply::UNKNOWN_ORG) };
    page.unwrap_or_else(|error| error.reply(ErrorEnvelope::Errors, &request.path))
}

fn page(
    state: &ServerState,
    request: &ParsedRequest,
    fault: &Fault,
) -> Result<ApiReply, AdminError> {
    let behaviour = &state.behaviour;
    let limit = limit(behaviour, request.param("limit"))?;
    let used = request.param("cursor");
    let mut walk = match used {
        Some(text) => resumed(state, request, text)?,
        None => fresh(state, request)?,
    };
    walk.issued = state.uptime();
    if let Fault::Overlap(events) = fault {
        walk.after = walk.after.and_then(|after| state.org.back(after, *events));
    }
    let mut found = state.org.page(&EventQuery {
        after: walk.after,
        from: walk.from,
        to: walk.to,
        clock: behaviour.filter_clock,
        descending: walk.descending,
        arrived: walk.arrived,
        hidden_since: behaviour.late_visibility.map(|delay| {
            let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
            state.now_ms().saturating_sub(delay)
        }),
        limit,
    });
    if *fault == Fault::EmptyPageWithCursor {
        found = EventPage { texts: Bytes::new(), count: 0, last: None, more: true };
    }
    let next = match used {
        Some(used) if *fault == Fault::SameCursor => Some(used.to_owned()),
        _ => next(behaviour, &walk, &found, used),
    };
    Ok(ApiReply::json(200, body(state, request, found, next.as_deref())))
}

fn limit(behaviour: &Behaviour, asked: Option<&str>) -> Result<usize, AdminError> {
    let Some(asked) = asked else {
        return Ok(behaviour.org_default_limit);
    };
    match asked.parse() {
        Ok(0) | Err(_) => Err(reply::INVALID_SYNTAX),
        Ok(limit) if limit <= behaviour.org_max_limit => Ok(limit),
        Ok(_) => match behaviour.over_limit {
            OverLimit::Clamp => Ok(behaviour.org_max_limit),
            OverLimit::Reject => Err(reply::INVALID_SYNTAX),
        },
    }
}

/// A walk that begins with this request.
fn fresh(state: &ServerState, request: &ParsedRequest) -> Result<OrgCursor, AdminError> {
    let descending = match request.param("sortOrder") {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(reply::INVALID_SYNTAX),
    };
    Ok(OrgCursor {
        after: None,
        from: kept_from(state, bound(request, "from")?)?,
        to: bound(request, "to")?,
        descending,
        generation: state.cursor_generation,
        issued: state.uptime(),
        arrived: (state.behaviour.snapshot_cursors).then(|| state.org.arrived()),
    })
}

/// `from` as far as the log reaches back.
fn kept_from(state: &ServerState, from: Option<i64>) -> Result<Option<i64>, AdminError> {
    let earliest = state.now_ms() - RETENTION_MS;
    match (state.behaviour.org_retention, from) {
        (OrgRetention::Unlimited, from) => Ok(from),
        (OrgRetention::Rejected, Some(from)) if from < earliest => Err(reply::INVALID_TIME),
        (_, from) => Ok(Some(from.map_or(earliest, |from| from.max(earliest)))),
    }
}

/// A walk that goes on from a cursor.
fn resumed(
    state: &ServerState,
    request: &ParsedRequest,
    text: &str,
) -> Result<OrgCursor, AdminError> {
    let behaviour = &state.behaviour;
    let (from, to) = (bound(request, "from")?, bound(request, "to")?);
    if behaviour.strict_cursor && (from.is_some() || to.is_some()) {
        return Err(reply::INVALID_SYNTAX);
    }
    let mut walk = OrgCursor::decode(text).ok_or(reply::INVALID_CURSOR)?;
    let age = state.uptime().saturating_sub(walk.issued);
    let too_old = behaviour.cursor_ttl.is_some_and(|ttl| age > ttl);
    if too_old || walk.generation != state.cursor_generation {
        return match behaviour.expired_cursor_status {
            // It begins again, as if it had been asked for everything.
            200 => fresh(state, request),
            500 => Err(reply::INTERNAL),
            _ => Err(reply::INVALID_CURSOR),
        };
    }
    if behaviour.cursor_bounds == CursorBounds::Replaced {
        walk.from = from.or(walk.from);
        walk.to = to.or(walk.to);
    }
    Ok(walk)
}

fn bound(request: &ParsedRequest, name: &str) -> Result<Option<i64>, AdminError> {
    let parse = |text: &str| text.parse().map_err(|_| reply::INVALID_TIME);
    request.param(name).map(parse).transpose()
}

/// `meta.next`
fn next(
    behaviour: &Behaviour,
    walk: &OrgCursor,
    found: &EventPage,
    used: Option<&str>,
) -> Option<String> {
    let at = |last: Option<EventPosition>| {
        let cursor = OrgCursor { after: last.or(walk.after), ..walk.clone() };
        let padding = match behaviour.cursor_padding {
            0 => String::new(),
            padding => format!(".{}", "x".repeat(padding)),
        };
        Some(cursor.encode() + &padding)
    };
    if found.more {
        return at(found.last);
    }
    let null = match behaviour.end_of_stream {
        EndOfStream::Null => true,
        EndOfStream::CursorAlways => false,
        EndOfStream::NullWhenBounded => walk.to.is_some(),
    };
    match found.last {
        Some(_) if null && !behaviour.trailing_empty_page => None,
        Some(_) => at(found.last),
        None if null => None,
        None => used.map(str::to_owned).or_else(|| at(None)),
    }
}

fn body(
    state: &ServerState,
    request: &ParsedRequest,
    found: EventPage,
    next: Option<&str>,
) -> BodyChunks {
    let place = state.behaviour.cursor_place;
    let in_links = next.filter(|_| place != CursorPlace::Meta);
    let next = next.filter(|_| place != CursorPlace::Links);
    let links = in_links.map_or_else(JsonObject::new, |cursor| {
        let cursor: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        JsonObject::new()
            .text("next", &format!("{}{}?cursor={cursor}", state.base_url, request.path))
    });
    let count = found.count;
    // As recorded: the count of the page, but the default limit on an empty one.
    let page_size = if count == 0 { state.behaviour.org_default_limit } else { count };
    let meta = JsonObject::new()
        .raw("attributes", "null")
        .raw("next", &next.map_or_else(|| "null".to_owned(), quoted))
        .raw("prev", "null")
        .raw("current", "null")
        .number("page_size", page_size)
        .raw("start_index", "null")
        .raw("end_index", "null")
        .number("total", count)
        .finish();
    // Written here and not as an `Object`, so that the events are sent from where they are kept.
    let end = format!("],\"links\":{},\"meta\":{meta}}}", links.finish());
    BodyChunks::from_iter([Bytes::from_static(b"{\"data\":["), found.texts, Bytes::from(end)])
}
