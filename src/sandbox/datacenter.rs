//! The auditing REST API of a Data Center product, at the root and below the context path `/dc`,
//! and the servlet that says whose a credential is.

use super::{
    Api, DATACENTER_USER, Fault, NextPageOffset, access,
    data::search_performed,
    json_text::{JsonObject, object},
    record_log::{RecordPage, RecordPosition, RecordQuery},
    reply::{ApiReply, error},
    request::{ParsedDate, ParsedRequest},
    server_state::ServerState,
};

/// `GET /plugins/servlet/applinks/whoami`: nothing for a credential that nobody has.
pub fn whoami(request: &ParsedRequest) -> ApiReply {
    let user = access::datacenter_user(request).unwrap_or_default();
    ApiReply::new(200, "text/plain;charset=UTF-8", user)
}

/// Events on a page without a `limit`.
const DEFAULT_LIMIT: usize = 200;
/// Most events on a page.
const MOST_EVENTS: usize = 100_000;

/// `GET /rest/auditing/1.0/events`
pub fn events(state: &mut ServerState, request: &ParsedRequest, fault: &Fault) -> ApiReply {
    let refused = |status, message| error(Api::DatacenterAudit, status, message);
    let used = request.param("pageCursor");
    let lacks_offset = used.is_some() && request.param("offset").is_none();
    if lacks_offset && state.behaviour.datacenter_requires_offset {
        return refused(404, "There is no such page.");
    }
    let mut query = match query(state, request) {
        Ok(query) => query,
        Err(what) => return refused(400, what),
    };
    let log = state.log(Api::DatacenterAudit);
    if let Fault::Overlap(events) = fault {
        let by = isize::try_from(*events).unwrap_or(isize::MAX);
        query.after = query.after.and_then(|place| log.shifted(place, by));
        query.offset = query.offset.saturating_sub(*events);
    }
    let fails_from = state.behaviour.datacenter_fails_from;
    if fails_from.is_some_and(|from| log.before(&query) >= from) {
        return refused(500, "Internal server error");
    }
    let mut found = log.page(&query);
    let again = used.map(|used| (0, used.to_owned()));
    let next = match fault {
        Fault::EmptyPageWithCursor => {
            found = RecordPage::default();
            Some(again.unwrap_or_else(|| (0, start_cursor(state))))
        }
        Fault::SameCursor if again.is_some() => again,
        _ if !found.more && !state.behaviour.datacenter_hides_end => None,
        _ => match found.last {
            Some(last) => Some(next_page(state, &query, last, found.texts.len())),
            None => again,
        },
    };
    let paging = paging(state, request, query.limit, found.texts.len(), next);
    let body = object! {"entities": found.json(), "pagingInfo": paging};
    if state.behaviour.audit_reads {
        let read = search_performed(state.now_ms(), DATACENTER_USER, "127.0.0.1", "200");
        state.of(Api::DatacenterAudit).log.add(read);
    }
    ApiReply::json(200, body)
}

/// The requested records; else what is wrong with the request.
fn query(state: &ServerState, request: &ParsedRequest) -> Result<RecordQuery, &'static str> {
    let limit = request
        .number("limit", DEFAULT_LIMIT)
        .filter(|limit| (1..=MOST_EVENTS).contains(limit))
        .ok_or("limit must be a number from 1 to 100000.")?;
    let offset = request.number("offset", 0).ok_or("offset must be a number.")?;
    let after = request.param("pageCursor").map(place);
    if after == Some(None) {
        return Err("pageCursor must be a time in milliseconds and an id.");
    }
    let has_offset = request.param("offset").is_some();
    let is_cursor_ignored =
        has_offset && state.behaviour.datacenter_offset == NextPageOffset::FromNewest;
    Ok(RecordQuery {
        after: after.flatten().filter(|_| !is_cursor_ignored),
        offset,
        limit,
        from: date(state, request, "from")?,
        to: date(state, request, "to")?,
        is_ascending: state.behaviour.sites_oldest_first,
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
    match ParsedDate::parse(text) {
        ParsedDate::At(at) => Ok(Some(at)),
        ParsedDate::Zoneless(_) | ParsedDate::Unreadable => {
            Err("from and to must be ISO 8601 dates.")
        }
    }
}

/// `pagingInfo`: on the last page nothing but `lastPage` and `size`. The link to the next one has
/// the dates of the request.
fn paging(
    state: &ServerState,
    request: &ParsedRequest,
    limit: usize,
    size: usize,
    next: Option<(usize, String)>,
) -> JsonObject {
    let Some((offset, cursor)) = next else {
        return object! {"lastPage": true, "size": size};
    };
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
    object! {
        "nextPageOffset": offset, "nextPageCursor": cursor, "nextPageLink": link,
        "lastPage": false, "size": size,
    }
}

/// The offset and the cursor of the page after one of `events` events that ends with `last`.
fn next_page(
    state: &ServerState,
    query: &RecordQuery,
    last: RecordPosition,
    events: usize,
) -> (usize, String) {
    let log = state.log(Api::DatacenterAudit);
    match state.behaviour.datacenter_offset {
        NextPageOffset::Zero => (0, cursor(last)),
        NextPageOffset::FromCursor(back) => {
            let back = back.min(events);
            let newer = log.shifted(last, isize::try_from(back).unwrap_or(isize::MAX));
            (back, newer.map_or_else(|| start_cursor(state), cursor))
        }
        NextPageOffset::FromNewest | NextPageOffset::Skipping => {
            (log.before(query).saturating_add(events), cursor(last))
        }
    }
}

/// `epochMillis,ID`: the page after it holds what is older.
fn cursor(place: RecordPosition) -> String {
    format!("{},{}", place.created_ms, place.number)
}

fn place(cursor: &str) -> Option<RecordPosition> {
    let (created_ms, number) = cursor.split_once(',')?;
    Some(RecordPosition { created_ms: created_ms.parse().ok()?, number: number.parse().ok()? })
}

/// The cursor after which all events lie.
fn start_cursor(state: &ServerState) -> String {
    let newest = state.log(Api::DatacenterAudit).last_created_ms().unwrap_or_default();
    cursor(RecordPosition { created_ms: newest.saturating_add(1), number: 0 })
}
