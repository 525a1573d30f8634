//! The Workspace Events API: `/audit-log/v1/workspaces/{workspace}/events`, of the site's Jira and
//! of its Confluence. Its order, the end of its paging and its limits are not documented.

use std::borrow::Cow;

use chrono::DateTime;

use super::{
    Api, Behaviour, CursorBoundsRule, EndOfStream, Fault, FilterClock, WorkspaceDates,
    cursor_page::{CursorPage, PageCursor},
    json_text::{JsonObject, JsonText, array, object},
    page_changes::{self, value_length},
    record_log::{RecordLog, RecordPage, RecordPosition, RecordQuery},
    reply::{ApiReply, error},
    request::ParsedRequest,
    server_state::{EventQuery, ServerState},
};

/// Page size when `limit` is absent.
const DEFAULT_LIMIT: usize = 100;

/// What is wrong with an `accept-language` that is not one tag.
pub const BAD_LANGUAGE: &str = "Accept-Language must be exactly one language tag.";
/// What a German text begins with; the rest is English.
const GERMAN: &str = "[de] ";

const BAD_LIMIT: &str = "limit is not valid.";
/// What is wrong with a cursor that is malformed or expired.
pub const BAD_CURSOR: &str = "cursor is not valid.";
const BOUNDS_BESIDE_CURSOR: &str = "from and to are not allowed beside a cursor.";
const BAD_DATE: &str = "from and to must be dates of a supported format.";

/// `GET .../events`
pub fn events(
    state: &mut ServerState,
    request: &ParsedRequest,
    api: Api,
    fault: &Fault,
) -> ApiReply {
    page(state, request, api, fault, None).unwrap_or_else(|refused| refused)
}

/// `GET .../event-actions`: the actions, and the groups of them that people are shown.
pub fn actions(state: &ServerState, request: &ParsedRequest, api: Api) -> ApiReply {
    let Some(is_english) = is_english(request) else {
        return error(api, 400, BAD_LANGUAGE);
    };
    let text = |words: &str| match is_english {
        true => words.replace('_', " "),
        false => format!("{GERMAN}{}", words.replace('_', " ")),
    };
    let list = action_list(state, request, api, |(action, subject)| {
        let names = object! {"displayName": text(action), "groupDisplayNames": [text(subject)]};
        object! {"id": action, "type": "event_actions", "attributes": names}
    });
    list.unwrap_or_else(|| error(api, 400, BAD_CURSOR))
}

/// Actions of no event, as a catalogue gains them before a collector knows them: one that says what
/// it is, and one that does not.
const NEW_ACTIONS: [(&str, &str); 2] =
    [("confluence_page_moodboard_deleted", "moodboard"), ("aurora_flux", "aurora")];

/// The list of actions, or the part of it that the cursor names; None if it names none.
pub fn action_list(
    state: &ServerState,
    request: &ParsedRequest,
    api: Api,
    action: impl Fn((&'static str, &'static str)) -> JsonObject,
) -> Option<ApiReply> {
    let start = match request.param("cursor") {
        None => 0,
        Some(cursor) => cursor.strip_prefix("actions-")?.parse().ok()?,
    };
    let actions: Vec<_> = state.actions(api).chain(NEW_ACTIONS).collect();
    let size = state.behaviour.actions_per_page.unwrap_or(actions.len());
    let part = actions.iter().skip(start).take(size).map(|named| action(*named));
    let end = start.saturating_add(size);
    let next = JsonText::when(end < actions.len(), format!("actions-{end}"));
    let links = object! {"self": format!("{}{}", state.base_url, request.path)};
    let meta = JsonObject(vec![("total", actions.len().into()), ("next", next)]);
    Some(ApiReply::json(200, object! {"data": array(part), "links": links, "meta": meta}))
}

/// A page of events: of the request's own window, or of that of `query`.
///
/// # Errors
/// The refusal of a request that is not valid.
pub fn page(
    state: &mut ServerState,
    request: &ParsedRequest,
    api: Api,
    fault: &Fault,
    query: Option<&EventQuery>,
) -> Result<ApiReply, ApiReply> {
    let refused = |what: &str| error(api, 400, what);
    let is_english = is_english(request).ok_or_else(|| refused(BAD_LANGUAGE))?;
    let behaviour = &state.behaviour;
    let limit = limit(behaviour, request).ok_or_else(|| refused(BAD_LIMIT))?;
    let mut walk = walk(state, request, api, query).map_err(refused)?;
    walk.issued = state.uptime();
    let now_ms = query.map_or(state.now_ms(), |query| query.created_ms);
    let log = state.log(api);
    if let Fault::Overlap(events) = fault {
        walk.after = moved_back(log, &record_query(behaviour, &walk, now_ms, *events));
    }
    let mut found = log.page(&record_query(behaviour, &walk, now_ms, limit));
    if *fault == Fault::EmptyPageWithCursor {
        found = RecordPage { more: true, ..RecordPage::default() };
    }
    let used = request.param("cursor");
    let next = match used {
        Some(used) if *fault == Fault::SameCursor => Some(used.to_owned()),
        _ => next(behaviour, &walk, &found, used),
    };
    let texts = found.texts.iter().map(|text| served(text, behaviour, is_english));
    let texts: Vec<Cow<'_, str>> = texts.collect();
    let page = CursorPage {
        url: format!("{}{}", state.base_url, request.path),
        records: JsonText(format!("[{}]", texts.join(","))),
        count: found.texts.len(),
        default_limit: DEFAULT_LIMIT,
        next: next.as_deref().filter(|_| !behaviour.workspace_hides_cursors),
        place: behaviour.workspace_cursor_place,
    };
    let (is_empty, body) = (page.count == 0, page.json());
    if !is_empty {
        state.insert_after_page(api, walk.to);
    }
    Ok(ApiReply::json(200, body))
}

/// Whether texts are wanted in English; they are in German otherwise. None if the header is not one
/// language tag.
pub fn is_english(request: &ParsedRequest) -> Option<bool> {
    let language = request.accept_language.as_deref().unwrap_or_default();
    (!language.contains([',', ';'])).then(|| language.trim().eq_ignore_ascii_case("en-US"))
}

fn limit(behaviour: &Behaviour, request: &ParsedRequest) -> Option<usize> {
    let limit = request.number("limit", DEFAULT_LIMIT).filter(|limit| *limit > 0)?;
    let is_refused = behaviour.workspace_limit_refused.is_some_and(|most| limit > most);
    let limit = limit.min(behaviour.workspace_cap.unwrap_or(usize::MAX));
    (!is_refused).then_some(limit)
}

/// The walk that the request begins or continues; else what is wrong with it. That of a query's
/// results has the query's window.
fn walk(
    state: &ServerState,
    request: &ParsedRequest,
    api: Api,
    query: Option<&EventQuery>,
) -> Result<PageCursor, &'static str> {
    let behaviour = &state.behaviour;
    let bound = |name| request.param(name).map(|text| instant(behaviour, text)).transpose();
    let (from, to) = (bound("from")?, bound("to")?);
    let fresh = PageCursor {
        after: None,
        from,
        to,
        descending: !behaviour.workspace_oldest_first,
        generation: state.cursor_generation,
        issued: state.uptime(),
        arrived: behaviour.snapshot_cursors.then(|| state.log(api).arrived()),
    };
    let walk = match request.param("cursor") {
        None => fresh,
        Some(text) => {
            let walk = PageCursor::decode(text).filter(|walk| !walk.is_expired(state));
            let walk = walk.ok_or(BAD_CURSOR)?;
            match behaviour.workspace_bounds {
                _ if query.is_some() => walk,
                CursorBoundsRule::Refused if from.or(to).is_some() => {
                    return Err(BOUNDS_BESIDE_CURSOR);
                }
                CursorBoundsRule::Optional | CursorBoundsRule::Refused => walk,
                CursorBoundsRule::Required => PageCursor { from, to, ..walk },
            }
        }
    };
    Ok(match query {
        None => walk,
        Some(query) => PageCursor {
            from: query.from_ms,
            to: query.to_ms,
            arrived: Some(query.arrived),
            ..walk
        },
    })
}

/// The instant that a date of a request is.
///
/// # Errors
/// It is no date, or none of the allowed format.
pub fn instant(behaviour: &Behaviour, text: &str) -> Result<i64, &'static str> {
    let millis = text.parse().ok();
    let date = DateTime::parse_from_rfc3339(text).ok().map(|date| date.timestamp_millis());
    let found = match behaviour.workspace_dates {
        WorkspaceDates::Either => millis.or(date),
        WorkspaceDates::MillisOnly => millis,
        WorkspaceDates::TextOnly => date,
    };
    found.ok_or(BAD_DATE)
}

/// The records of a page of `walk`, as they were visible at `now_ms`.
fn record_query(
    behaviour: &Behaviour,
    walk: &PageCursor,
    now_ms: i64,
    limit: usize,
) -> RecordQuery {
    // Without `processedAt` there is only one clock.
    let is_by_time =
        behaviour.workspace_clock == FilterClock::Time && !behaviour.workspace_hides_processed;
    RecordQuery {
        is_ascending: !walk.descending,
        after: walk.after,
        from: walk.from,
        to: walk.to,
        bounds_event_time: is_by_time,
        sorts_by_event_time: is_by_time,
        arrived: walk.arrived,
        hidden_since: behaviour.hidden_since(now_ms),
        limit,
        ..RecordQuery::default()
    }
}

/// The place that lies as many events before the page of `query` as it may hold; None at the start.
fn moved_back(log: &RecordLog, query: &RecordQuery) -> Option<RecordPosition> {
    query.after?;
    let (from, to) = (None, None);
    let back = RecordQuery { is_ascending: !query.is_ascending, from, to, ..query.clone() };
    let page = log.page(&back);
    page.last.filter(|_| page.texts.len() == query.limit)
}

/// The cursor of the next page. An empty page repeats that of its request.
fn next(
    behaviour: &Behaviour,
    walk: &PageCursor,
    found: &RecordPage<'_>,
    used: Option<&str>,
) -> Option<String> {
    let is_named = match behaviour.workspace_end {
        EndOfStream::CursorAlways => true,
        EndOfStream::Null | EndOfStream::NullWhenBounded => found.more,
    };
    let repeated = used.filter(|_| found.last.is_none() && !found.more);
    is_named.then(|| match repeated {
        Some(used) => used.to_owned(),
        None => {
            let cursor = PageCursor { after: found.last.or(walk.after), ..walk.clone() };
            cursor.encode(behaviour.cursor_padding)
        }
    })
}

/// The text of a record as it is served.
fn served<'a>(text: &'a str, behaviour: &Behaviour, is_english: bool) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    if behaviour.workspace_hides_processed {
        text = Cow::Owned(without_processed(&text));
    }
    if !is_english {
        text = Cow::Owned(page_changes::rewrite_values(&text, "content", german));
    }
    text
}

/// A text, both as JSON, in German.
fn german(value: &str) -> String {
    match value.strip_prefix('"') {
        Some(text) => format!("\"{GERMAN}{text}"),
        None => value.to_owned(),
    }
}

/// A record without `processedAt`, whose value `time` has instead.
fn without_processed(text: &str) -> String {
    let Some((before, after)) = text.split_once("\"processedAt\":") else {
        return text.to_owned();
    };
    let (processed, rest) = after.split_at(value_length(after));
    let without = match rest.strip_prefix(',') {
        Some(rest) => format!("{before}{rest}"),
        None => format!("{}{rest}", before.trim_end_matches(',')),
    };
    page_changes::rewrite_values(&without, "time", |_| processed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_processing_may_be_the_only_one() {
        for (text, want) in [
            (r#"{"a":{"time":"1","processedAt":"2","b":3}}"#, r#"{"a":{"time":"2","b":3}}"#),
            (r#"{"a":{"time":"1","processedAt":"2"}}"#, r#"{"a":{"time":"2"}}"#),
            (r#"{"a":{"time":"1"}}"#, r#"{"a":{"time":"1"}}"#),
        ] {
            assert_eq!(without_processed(text), want);
        }
    }

    #[test]
    fn a_date_has_one_of_two_formats() {
        let (millis, text) = ("1795167000000", "2026-11-20T10:30:00.000+01:00");
        for (dates, takes_millis, takes_text) in [
            (WorkspaceDates::Either, true, true),
            (WorkspaceDates::MillisOnly, true, false),
            (WorkspaceDates::TextOnly, false, true),
        ] {
            let behaviour = Behaviour { workspace_dates: dates, ..Behaviour::default() };
            for (date, is_taken) in [
                (millis, takes_millis),
                (text, takes_text),
                ("2026-11-20T09:30:00", false),
                ("2026-11-20", false),
                ("", false),
            ] {
                let want = is_taken.then_some(1_795_167_000_000);
                assert_eq!(instant(&behaviour, date).ok(), want, "{dates:?} {date}");
            }
        }
    }
}
