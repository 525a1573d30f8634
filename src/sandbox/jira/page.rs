//! One request for audit records: its parameters, its page, and what is recorded while somebody pages.

use crate::sandbox::{
    Behaviour, Fault, RangeEnd,
    data::Compose as _,
    dates::{self, Date},
    exchange::Ask,
    json_text::{Object, array},
    records::Search,
    reply::{Reply, jira_error},
    route::Way,
    world::World,
};

/// `GET /rest/api/3/auditing/record`
pub fn records(world: &mut World, ask: &Ask, way: &Way, fault: &Fault) -> Reply {
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
    if dates.contains(&Some(Date::Unreadable)) {
        return jira_error(400, "from and to must be dates.");
    }
    let zoneless = dates
        .iter()
        .any(|date| matches!(date, Some(Date::Zoneless(_))));
    let through_gateway = matches!(way, Way::Gateway(_));
    let ignored = zoneless && (through_gateway || world.behaviour.zoneless_empty_everywhere);
    let search = Search {
        offset,
        limit,
        from: from.and_then(instant),
        to: to.and_then(instant),
        terms: terms(ask),
        ..Search::default()
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
    let body = Object::new()
        .number("offset", offset)
        .number("limit", limit)
        .number("total", world.jira.len())
        .raw("records", &array(&texts))
        .finish();
    if some {
        insert_new_records(world, search.to);
    }
    Reply::json(200, body)
}

/// The page that is given in truth for `search`; nothing where it fails.
fn apply_quirks(behaviour: &Behaviour, search: Search) -> Option<Search> {
    let offset = match behaviour.jira_ignores_offset {
        true => 0,
        false => search.offset,
    };
    let is_failing = behaviour.jira_fails_from.is_some_and(|from| offset >= from);
    let limit = behaviour.jira_unstated_limit.unwrap_or(usize::MAX);
    let until_empty = behaviour.jira_empty_from.unwrap_or(usize::MAX);
    (!is_failing).then(|| Search {
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
fn insert_new_records(world: &mut World, to: Option<i64>) {
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

fn instant(date: Date) -> Option<i64> {
    match date {
        Date::At(at) | Date::Zoneless(at) => Some(at),
        Date::Unreadable => None,
    }
}

fn terms(ask: &Ask) -> Vec<String> {
    let filter = ask.param("filter").unwrap_or_default();
    filter.split_whitespace().map(str::to_lowercase).collect()
}
