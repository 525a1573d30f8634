//! The Jira platform API: audit records and users, at the site and through the gateway.

use super::{
    Behaviour, Fault, RangeEnd,
    access::{self, SitePermission},
    data::{
        RecordComposer as _,
        people::{PEOPLE, SERVICE_ACCOUNTS, SamplePerson},
    },
    dates::{self, ParsedDate},
    json_text::{JsonObject, array},
    records::RecordQuery,
    reply::{ApiReply, jira_error},
    request::{ParsedRequest, SiteAccess},
    server_state::ServerState,
};

const NOT_ADMIN: &str =
    "You are not authorized to perform this operation. Administrator privileges are required.";
/// "Free plan" is what tells this 403 from the other one (quoted in jira.js' live tests).
const FREE_PLAN: &str = "Audit logs aren't available for this site as all of its Jira Cloud \
    products are on Free plans.";

/// The 401 or 403 for a credential that is not enough for audit records, and the 404 for another
/// site.
pub fn refusal(request: &ParsedRequest, way: &SiteAccess, free_plan: bool) -> Option<ApiReply> {
    match access::permission(request, way) {
        Err(refused) => Some(refused),
        Ok(SitePermission::AdminWithoutScope) => Some(access::scope_mismatch()),
        Ok(SitePermission::NotAdmin) => Some(jira_error(403, NOT_ADMIN)),
        Ok(SitePermission::Admin) if free_plan => Some(jira_error(403, FREE_PLAN)),
        Ok(SitePermission::Admin) => access::unknown_site(way),
    }
}

/// The 429, in Jira's shape with its reason header.
pub fn rate_limited() -> ApiReply {
    jira_error(429, "Rate limit exceeded.").header("ratelimit-reason", "jira-burst-based")
}

/// `GET /rest/api/3/auditing/record`
pub fn records(
    state: &mut ServerState,
    request: &ParsedRequest,
    way: &SiteAccess,
    fault: &Fault,
) -> ApiReply {
    let (offset, limit) = match (request.number("offset", 0), request.number("limit", 1000)) {
        (Some(offset), Some(limit)) => {
            let limit = limit.min(state.behaviour.jira_max_limit);
            match fault {
                Fault::Overlap(records) => (offset.saturating_sub(*records), limit),
                _ => (offset, limit),
            }
        }
        _ => {
            return jira_error(400, "offset and limit must be numbers that are not negative.");
        }
    };
    let (from, to) = (request.param("from").map(dates::read), request.param("to").map(dates::read));
    let dates = [from, to];
    if dates.contains(&Some(ParsedDate::Unreadable)) {
        return jira_error(400, "from and to must be dates.");
    }
    let zoneless = dates.iter().any(|date| matches!(date, Some(ParsedDate::Zoneless(_))));
    let through_gateway = matches!(way, SiteAccess::Gateway(_));
    let ignored = zoneless && (through_gateway || state.behaviour.zoneless_empty_everywhere);
    let search = RecordQuery {
        offset,
        limit,
        from: from.and_then(instant),
        to: to.and_then(instant),
        terms: terms(request),
        ..RecordQuery::default()
    };
    let past_end = search.offset >= state.jira.count(search.from, search.to).max(1);
    if state.behaviour.jira_refuses_past_end && past_end {
        return jira_error(404, "There is no such page.");
    }
    let Some(search) = played(&state.behaviour, search) else {
        return jira_error(500, "Internal server error");
    };
    let texts = if ignored || *fault == Fault::EmptyPageWithCursor {
        Vec::new()
    } else {
        state.jira.page(&search).texts
    };
    let some = !texts.is_empty();
    let body = JsonObject::new()
        .number("offset", offset)
        .number("limit", limit)
        .number("total", state.jira.len())
        .raw("records", &array(&texts))
        .finish();
    if some {
        record_meanwhile(state, search.to);
    }
    ApiReply::json(200, body)
}

/// The page that is given in truth for `search`; nothing where it fails.
fn played(behaviour: &Behaviour, search: RecordQuery) -> Option<RecordQuery> {
    let offset = match behaviour.jira_ignores_offset {
        true => 0,
        false => search.offset,
    };
    let is_failing = behaviour.jira_fails_from.is_some_and(|from| offset >= from);
    let limit = behaviour.jira_unstated_limit.unwrap_or(usize::MAX);
    let until_empty = behaviour.jira_empty_from.unwrap_or(usize::MAX);
    (!is_failing).then(|| RecordQuery {
        offset,
        limit: search.limit.min(limit).min(until_empty.saturating_sub(offset)),
        to: match behaviour.jira_end {
            RangeEnd::Included => search.to,
            RangeEnd::Excluded => search.to.map(|to| to - 1),
            RangeEnd::Ignored => None,
        },
        ..search
    })
}

/// The records that appear between two pages, at the newest end of the window, so that offsets
/// shift.
fn record_meanwhile(state: &mut ServerState, to: Option<i64>) {
    if state.behaviour.insert_on_jira_page == 0 || state.behaviour.insert_on_jira_pages == 0 {
        return;
    }
    state.behaviour.insert_on_jira_pages -= 1;
    let now = state.now_ms();
    let at = to.map_or(now, |to| to.min(now));
    for _ in 0..state.behaviour.insert_on_jira_page {
        let record = state.jira_composer.compose(at);
        state.jira.add(record);
    }
}

fn instant(date: ParsedDate) -> Option<i64> {
    match date {
        ParsedDate::At(at) | ParsedDate::Zoneless(at) => Some(at),
        ParsedDate::Unreadable => None,
    }
}

fn terms(request: &ParsedRequest) -> Vec<String> {
    let filter = request.param("filter").unwrap_or_default();
    filter.split_whitespace().map(str::to_lowercase).collect()
}

/// Users on a page, when nothing is asked.
const DEFAULT_USERS: usize = 10;
/// Most users on a page.
const MOST_USERS: usize = 200;

/// The users whose ids are asked for, in the order of the ids; an id that nobody has is left out.
pub fn bulk(request: &ParsedRequest, way: &SiteAccess) -> ApiReply {
    let refused = access::permission(request, way).err();
    if let Some(reply) = refused.or_else(|| access::unknown_site(way)) {
        return reply;
    }
    let (Some(start), Some(most)) =
        (request.number("startAt", 0), request.number("maxResults", DEFAULT_USERS))
    else {
        return jira_error(400, "startAt and maxResults must be numbers.");
    };
    let ids = request.query.iter().filter(|(key, _)| key == "accountId");
    let ids: Vec<&str> = ids.map(|(_, id)| id.as_str()).collect();
    if ids.is_empty() {
        return jira_error(400, "accountId is required.");
    }
    let most = most.min(MOST_USERS);
    let known: Vec<&SamplePerson> = ids.into_iter().filter_map(known).collect();
    let page = known.iter().skip(start).take(most).map(|user| json(user));
    let body = JsonObject::new()
        .number("maxResults", most)
        .number("startAt", start)
        .number("total", known.len())
        .raw("isLast", if start.saturating_add(most) >= known.len() { "true" } else { "false" })
        .raw("values", &array(page));
    ApiReply::json(200, body.finish())
}

fn known(account_id: &str) -> Option<&'static SamplePerson> {
    let everybody = PEOPLE.iter().chain(&SERVICE_ACCOUNTS);
    everybody.into_iter().find(|person| person.account_id == account_id)
}

fn json(person: &SamplePerson) -> String {
    let is_service = SERVICE_ACCOUNTS.iter().any(|service| service.account_id == person.account_id);
    let user =
        JsonObject::new().text("accountId", person.account_id).text("displayName", person.name);
    let user = match person.hides_email() {
        true => user,
        false => user.text("emailAddress", person.email),
    };
    user.raw("active", if person.is_deactivated() { "false" } else { "true" })
        .text("accountType", if is_service { "app" } else { "atlassian" })
        .finish()
}
