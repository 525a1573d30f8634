//! `GET /rest/api/3/user/bulk`: who the account ids are.
//!
//! Everybody who may sign in may ask. What a user hides from others is left out (Atlassian's profile visibility).

use crate::sandbox::{
    access,
    data::people::{PEOPLE, SamplePerson, SERVICE_ACCOUNTS},
    exchange::ParsedRequest,
    json_text::{JsonObject, array},
    reply::{ApiReply, jira_error},
    route::SiteAccess,
};

/// Users on a page, when nothing is asked.
const DEFAULT_USERS: usize = 10;
/// Most users on a page.
const MOST_USERS: usize = 200;

/// The users whose ids are asked for, in the order of the ids; an id that nobody has is left out.
pub fn bulk(ask: &ParsedRequest, way: &SiteAccess) -> ApiReply {
    let refused = access::authenticate(ask, way).err();
    if let Some(reply) = refused.or_else(|| access::unknown_site(way)) {
        return reply;
    }
    let (Some(start), Some(most)) = (
        ask.number("startAt", 0),
        ask.number("maxResults", DEFAULT_USERS),
    ) else {
        return jira_error(400, "startAt and maxResults must be numbers.");
    };
    let ids = ask.query.iter().filter(|(key, _)| key == "accountId");
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
        .raw(
            "isLast",
            if start.saturating_add(most) >= known.len() {
                "true"
            } else {
                "false"
            },
        )
        .raw("values", &array(page));
    ApiReply::json(200, body.finish())
}

fn known(account_id: &str) -> Option<&'static SamplePerson> {
    let everybody = PEOPLE.iter().chain(&SERVICE_ACCOUNTS);
    everybody
        .into_iter()
        .find(|person| person.account_id == account_id)
}

fn json(person: &SamplePerson) -> String {
    let is_service = SERVICE_ACCOUNTS
        .iter()
        .any(|service| service.account_id == person.account_id);
    let user = JsonObject::new()
        .text("accountId", person.account_id)
        .text("displayName", person.name);
    let user = match person.hides_email() {
        true => user,
        false => user.text("emailAddress", person.email),
    };
    user.raw("active", if person.is_deactivated() { "false" } else { "true" })
        .text("accountType", if is_service { "app" } else { "atlassian" })
        .finish()
}
