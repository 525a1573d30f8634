//! The Jira platform API: audit records and users, at the site and through the gateway.

use super::{
    Api, Behaviour, Fault, RangeEnd,
    data::people::{EVERYBODY, SamplePerson},
    json_text::{JsonObject, JsonText, array, object},
    record_log::{RecordPage, RecordQuery},
    reply::{ApiReply, error},
    request::{ParsedDate, ParsedRequest},
    server_state::ServerState,
};

/// `GET /rest/api/3/auditing/record`
pub fn records(state: &mut ServerState, request: &ParsedRequest, fault: &Fault) -> ApiReply {
    let refused = |status, message| error(Api::JiraAudit, status, message);
    let numbers = request.number("offset", 0).zip(request.number("limit", 1000));
    let Some((offset, limit)) = numbers else {
        return refused(400, "offset and limit must be numbers that are not negative.");
    };
    let limit = limit.min(state.behaviour.jira_max_limit.unwrap_or(1000));
    let offset = match fault {
        Fault::Overlap(records) => offset.saturating_sub(*records),
        _ => offset,
    };
    let dates = ["from", "to"].map(|name| request.param(name).map(ParsedDate::parse));
    if dates.contains(&Some(ParsedDate::Unreadable)) {
        return refused(400, "from and to must be dates.");
    }
    let is_zoneless = dates.iter().any(|date| matches!(date, Some(ParsedDate::Zoneless(_))));
    let [from, to] = dates.map(|date| date.and_then(ParsedDate::millis));
    let terms = request.param("filter").unwrap_or_default().split_whitespace();
    let terms = terms.map(str::to_lowercase).collect();
    let query = RecordQuery { offset, limit, from, to, terms, ..RecordQuery::default() };
    let log = state.log(Api::JiraAudit);
    let is_past_end = offset >= log.count(from, to).max(1);
    if state.behaviour.jira_refuses_past_end && is_past_end {
        return refused(404, "There is no such page.");
    }
    let Some(query) = played(&state.behaviour, query) else {
        return refused(500, "Internal server error");
    };
    let page = match is_zoneless || *fault == Fault::EmptyPageWithCursor {
        true => RecordPage::default(),
        false => log.page(&query),
    };
    let is_empty = page.texts.is_empty();
    let body = object! {
        "offset": offset, "limit": limit, "total": log.len(), "records": page.json(),
    };
    if !is_empty {
        state.insert_after_page(Api::JiraAudit, query.to);
    }
    ApiReply::json(200, body)
}

/// The page that is given in truth for `query`; nothing where it fails.
fn played(behaviour: &Behaviour, query: RecordQuery) -> Option<RecordQuery> {
    let offset = match behaviour.jira_ignores_offset {
        true => 0,
        false => query.offset,
    };
    let is_failing = behaviour.jira_fails_from.is_some_and(|from| offset >= from);
    let limit = behaviour.jira_unstated_limit.unwrap_or(usize::MAX);
    let until_empty = behaviour.jira_empty_from.unwrap_or(usize::MAX);
    (!is_failing).then(|| RecordQuery {
        offset,
        limit: query.limit.min(limit).min(until_empty.saturating_sub(offset)),
        to: match behaviour.jira_end {
            RangeEnd::Included => query.to,
            RangeEnd::Excluded => query.to.map(|to| to - 1),
            RangeEnd::Ignored => None,
        },
        is_ascending: behaviour.sites_oldest_first,
        ..query
    })
}

/// Users on a page without `maxResults`.
const DEFAULT_USERS: usize = 10;
/// Most users on a page.
const MOST_USERS: usize = 200;

/// The users with the requested ids, in the order of the ids; an unknown id is left out.
pub fn users(request: &ParsedRequest) -> ApiReply {
    let refused = |message| error(Api::JiraAudit, 400, message);
    let numbers = request.number("startAt", 0).zip(request.number("maxResults", DEFAULT_USERS));
    let Some((start, most)) = numbers else {
        return refused("startAt and maxResults must be numbers.");
    };
    let ids = request.query.iter().filter(|(key, _)| key == "accountId");
    let ids: Vec<&str> = ids.map(|(_, id)| id.as_str()).collect();
    if ids.is_empty() {
        return refused("accountId is required.");
    }
    let most = most.min(MOST_USERS);
    let known = |id| EVERYBODY.iter().find(|person| person.account_id == id);
    let known: Vec<&SamplePerson> = ids.into_iter().filter_map(known).collect();
    let page = known.iter().skip(start).take(most).map(|person| user(person));
    ApiReply::json(
        200,
        object! {
            "maxResults": most, "startAt": start, "total": known.len(),
            "isLast": start.saturating_add(most) >= known.len(), "values": array(page),
        },
    )
}

fn user(person: &SamplePerson) -> JsonObject {
    object! {
        "accountId": person.account_id, "displayName": person.name,
        "emailAddress": JsonText::when(!person.hides_email(), person.email),
        "active": !person.is_deactivated(),
        "accountType": if person.is_service() { "app" } else { "atlassian" },
    }
}
