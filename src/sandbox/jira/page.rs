//! One request for audit records: its parameters, its page, and what is recorded while somebody pages.

use crate::sandbox::{
    Behaviour, Fault, RangeEnd,
    data::RecordComposer as _,
    dates::{self, ParsedDate},
    exchange::ParsedRequest,
    json_text::{JsonObject, array},
    records::RecordQuery,
    reply::{ApiReply, jira_error},
    route::SiteAccess,
    server_state::ServerState,
};

/// `GET /rest/api/3/auditing/record`
pub fn records(world: &mut ServerState, ask: &ParsedRequest, way: &SiteAccess, fault: &Fault) -> ApiReply {
    let (offset, limit) = match (ask.number("offset", 0), ask.number("limit", 1000)) {
        (Some(offset), Some(limit)) => {
            let limit = limit.min(world.behaviour.jira_max_limit);
            match fault {
                Fault::Overlap(records) => (offset.saturating_sub(*records), limit),
                _ => (offset, limit),
            }
        }
        _ => {
            return jira_error(
                400,
                "offset and limit must be numbers that are not negative.",
            );
        }
    };
    let (from, to) = (
        ask.param("from").map(dates::parse_date),
        ask.param("to").map(dates::parse_date),
    );
    let dates = [from, to];
    if dates.contains(&Some(ParsedDate::Unreadable)) {
        return jira_error(400, "from and to must be dates.");
    }
    let zoneless = dates
        .iter()
        .any(|date| matches!(date, Some(ParsedDate::Zoneless(_))));
    let through_gateway = matches!(way, SiteAccess::Gateway(_));
    let ignored = zoneless && (through_gateway || world.behaviour.zoneless_empty_everywhere);
    let search = RecordQuery {
        offset,
        limit,
        from: from.and_then(instant),
        to: to.and_then(instant),
        terms: terms(ask),
        ..RecordQuery::default()
    };
    let past_end = search.offset >= world.jira.count(search.from, search.to).max(1);
    if world.behaviour.jira_refuses_past_end && past_end {
        return jira_error(404, "There is no such page.");
    }
    let Some(search) = apply_quirks(&world.behaviour, search) else {
        return jira_error(500, "Internal server error");
    };
    let texts = if ignored || *fault == Fault::EmptyPageWithCursor {
        Vec::new()
    } else {
        world.jira.page(&search).texts
    };
    let some = !texts.is_empty();
    let body = JsonObject::new()
        .number("offset", offset)
        .number("limit", limit)
        .number("total", world.jira.len())
        .raw("records", &array(&texts))
        .finish();
    if some {
        insert_new_records(world, search.to);
    }
    ApiReply::json(200, body)
}

/// The page that is given in truth for `search`; nothing where it fails.
fn apply_quirks(behaviour: &Behaviour, search: RecordQuery) -> Option<RecordQuery> {
    let offset = match behaviour.jira_ignores_offset {
        true => 0,
        false => search.offset,
    };
    let is_failing = behaviour.jira_fails_from.is_some_and(|from| offset >= from);
    let limit = behaviour.jira_unstated_limit.unwrap_or(usize::MAX);
    let until_empty = behaviour.jira_empty_from.unwrap_or(usize::MAX);
    (!is_failing).then(|| RecordQuery {
        offset,
        limit: search
            .limit
            .min(limit)
            .min(until_empty.saturating_sub(offset)),
        to: match behaviour.jira_end {
            RangeEnd::Included => search.to,
            RangeEnd::Excluded => search.to.map(|to| to - 1),
            RangeEnd::Ignored => None,
        },
        ..search
    })
}

/// The records that appear between two pages, at the newest end of the window, so that offsets shift.
fn insert_new_records(world: &mut ServerState, to: Option<i64>) {
    if world.behaviour.insert_on_jira_page == 0 || world.behaviour.insert_on_jira_pages == 0 {
        return;
    }
    world.behaviour.insert_on_jira_pages -= 1;
    let now = world.now_ms();
    let at = to.map_or(now, |to| to.min(now));
    for _ in 0..world.behaviour.insert_on_jira_page {
        let record = world.jira_composer.compose(at);
        world.jira.add(record);
    }
}

fn instant(date: ParsedDate) -> Option<i64> {
    match date {
        ParsedDate::At(at) | ParsedDate::Zoneless(at) => Some(at),
        ParsedDate::Unreadable => None,
    }
}

fn terms(ask: &ParsedRequest) -> Vec<String> {
    let filter = ask.param("filter").unwrap_or_default();
    filter.split_whitespace().map(str::to_lowercase).collect()
}
