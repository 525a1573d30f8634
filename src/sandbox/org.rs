//! The organizations API: `/admin/v1/orgs`, one organization, its events-stream.

use super::{
    Api, Behaviour, CursorBounds, EndOfStream, Fault, FilterClock, ORG_ID, ORG_NAME, OrgRetention,
    OverLimit, access,
    cursor_page::{CursorPage, PageCursor},
    json_text::{JsonObject, array, object},
    record_log::{RecordPage, RecordPosition, RecordQuery},
    reply::{self, AdminError, ApiReply},
    request::ParsedRequest,
    server_state::ServerState,
    workspace,
};

/// Page size of events-stream when `limit` is absent (Atlassian's page: 200).
const DEFAULT_LIMIT: usize = 200;
/// Largest page of events-stream.
const MAX_LIMIT: usize = 500;
/// How long organization events are stored: 180 days.
const RETENTION_MS: i64 = 180 * 24 * 60 * 60 * 1000;

/// `GET /orgs`: nothing for a scoped key.
pub fn list(state: &ServerState, request: &ParsedRequest) -> ApiReply {
    let link = format!("{}/admin/v1/orgs", state.base_url);
    ApiReply::json(
        200,
        match state.behaviour.scoped_key || access::has_scopes(request) {
            true => object! {"data": [(); 0], "links": object! {}},
            false => object! {"data": array([org()]), "links": object! {"self": link}},
        },
    )
}

/// `GET /orgs/{org_id}`
pub fn one(request: &ParsedRequest) -> ApiReply {
    match is_known(request) {
        true => ApiReply::json(200, object! {"data": org()}),
        false => reply::UNKNOWN_ORG.into(),
    }
}

fn org() -> JsonObject {
    object! {"id": ORG_ID, "type": "orgs", "attributes": object! {"name": ORG_NAME}}
}

/// Whether the path names the only organization.
fn is_known(request: &ParsedRequest) -> bool {
    request.path.split('/').any(|segment| segment == ORG_ID)
}

/// `GET /orgs/{org_id}/event-actions`: the actions of its events.
pub fn actions(state: &ServerState, request: &ParsedRequest) -> ApiReply {
    if !is_known(request) {
        return reply::UNKNOWN_ORG.into();
    }
    let list = workspace::action_list(state, request, Api::OrgEvents, |(action, subject)| {
        let [name, group] = [action, subject].map(|words| words.replace('_', " "));
        let names = object! {
            "displayName": name, "groupDisplayName": group.clone(), "groupDisplayNames": [group],
        };
        object! {"id": action, "type": "eventActions", "attributes": names}
    });
    list.unwrap_or_else(|| reply::INVALID_CURSOR.into())
}

/// `GET /orgs/{org_id}/events-stream`
pub fn events(state: &ServerState, request: &ParsedRequest, fault: &Fault) -> ApiReply {
    let page = match is_known(request) {
        true => page(state, request, fault),
        false => Err(reply::UNKNOWN_ORG),
    };
    page.unwrap_or_else(ApiReply::from)
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
    let log = state.log(Api::OrgEvents);
    if let Fault::Overlap(events) = fault {
        let events = isize::try_from(*events).unwrap_or(isize::MAX);
        walk.after = walk.after.and_then(|after| log.shifted(after, -events));
    }
    let mut found = log.page(&RecordQuery {
        is_ascending: !walk.descending,
        after: walk.after,
        from: walk.from,
        to: walk.to,
        bounds_event_time: behaviour.filter_clock == FilterClock::Time,
        arrived: walk.arrived,
        hidden_since: behaviour.hidden_since(state.now_ms()),
        limit,
        ..RecordQuery::default()
    });
    if *fault == Fault::EmptyPageWithCursor {
        found = RecordPage { more: true, ..RecordPage::default() };
    }
    let next = match used {
        Some(used) if *fault == Fault::SameCursor => Some(used.to_owned()),
        _ => next(behaviour, &walk, &found, used),
    };
    let page = CursorPage {
        url: format!("{}{}", state.base_url, request.path),
        records: found.json(),
        count: found.texts.len(),
        default_limit: DEFAULT_LIMIT,
        next: next.as_deref(),
        place: behaviour.cursor_place,
    };
    Ok(ApiReply::json(200, page.json()))
}

fn limit(behaviour: &Behaviour, requested: Option<&str>) -> Result<usize, AdminError> {
    match requested.map(str::parse) {
        None => Ok(DEFAULT_LIMIT),
        Some(Ok(0) | Err(_)) => Err(reply::INVALID_SYNTAX),
        Some(Ok(limit)) if limit > MAX_LIMIT && behaviour.over_limit == OverLimit::Reject => {
            Err(reply::INVALID_SYNTAX)
        }
        Some(Ok(limit)) => Ok(limit.min(MAX_LIMIT)),
    }
}

/// A walk that begins with this request.
fn fresh(state: &ServerState, request: &ParsedRequest) -> Result<PageCursor, AdminError> {
    let descending = match request.param("sortOrder") {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(reply::INVALID_SYNTAX),
    };
    let arrived = state.log(Api::OrgEvents).arrived();
    Ok(PageCursor {
        after: None,
        from: kept_from(state, bound(request, "from")?)?,
        to: bound(request, "to")?,
        descending,
        generation: state.cursor_generation,
        issued: state.uptime(),
        arrived: state.behaviour.snapshot_cursors.then_some(arrived),
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

/// A walk that continues from a cursor.
fn resumed(
    state: &ServerState,
    request: &ParsedRequest,
    text: &str,
) -> Result<PageCursor, AdminError> {
    let behaviour = &state.behaviour;
    let (from, to) = (bound(request, "from")?, bound(request, "to")?);
    if behaviour.strict_cursor && (from.is_some() || to.is_some()) {
        return Err(reply::INVALID_SYNTAX);
    }
    let mut walk = PageCursor::decode(text).ok_or(reply::INVALID_CURSOR)?;
    if walk.is_expired(state) {
        return match behaviour.expired_cursor_status {
            // It begins again, as if everything had been requested.
            Some(200) => fresh(state, request),
            Some(500) => Err(reply::INTERNAL),
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
    walk: &PageCursor,
    found: &RecordPage<'_>,
    used: Option<&str>,
) -> Option<String> {
    let at = |last: Option<RecordPosition>| {
        let cursor = PageCursor { after: last.or(walk.after), ..walk.clone() };
        Some(cursor.encode(behaviour.cursor_padding))
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
