//! Composes the events of an organization, and those of a workspace, which have the same shape.

use chrono::{DateTime, SecondsFormat, Timelike};
use fastrand::Rng;

use super::{
    people::{self, SamplePerson},
    record_table::{OddShape, RecordKind, draw_name},
};
use crate::sandbox::{
    Api, CLOUD_ID, JIRA_SITE, ORG_ID, ORG_NAME,
    json_text::{JsonObject, JsonText, array, object},
    record_log::SandboxRecord,
};

/// The longest that a late event is late: 20 hours.
const LATEST_MS: i64 = 20 * 3_600_000;

/// The parts of an event.
#[derive(Debug)]
pub struct EventDraft {
    /// `id`
    pub id: String,
    /// `attributes.time`, epoch milliseconds.
    pub time_ms: i64,
    /// `attributes.processedAt`, epoch milliseconds.
    pub processed_ms: i64,
    /// `attributes.action`
    pub action: &'static str,
    /// `attributes.actor`
    pub actor: JsonText,
    /// The items of `attributes.context`.
    pub context: Vec<JsonText>,
    /// The one item of `attributes.container`.
    pub container: JsonText,
    /// `attributes.location`
    pub location: JsonText,
    /// `message.content`
    pub message: String,
    /// Where the events are: `links.self` without the id.
    pub url: String,
}

impl EventDraft {
    /// The finished event, in an irregular shape if there is one.
    pub fn finish(self, shape: &OddShape) -> SandboxRecord {
        let mut attributes = object! {
            "time": stamp(self.time_ms), "processedAt": stamp(self.processed_ms),
            "action": self.action, "actor": self.actor, "context": array(self.context),
            "container": array([self.container]), "location": self.location,
        };
        let link = format!("{}/{}", self.url, self.id);
        let mut event = object! {
            "type": "events", "id": &self.id, "attributes": JsonText::default(),
            "links": object! {"self": link},
            "message": object! {"content": self.message, "format": "simple"},
        };
        for (member, json) in shape {
            match member.strip_prefix('/') {
                Some(member) => event.set(member, json.clone()),
                None => attributes.set(member, json.clone()),
            }
        }
        event.set("attributes", attributes.into());
        SandboxRecord {
            id: self.id,
            created_ms: self.processed_ms,
            time_ms: self.time_ms,
            text: JsonText::from(event).0,
        }
    }
}

/// Composes an event of `api` and of this kind. A late one happened hours before it was processed.
pub fn compose(
    api: Api,
    kind: &RecordKind,
    rng: &mut Rng,
    processed_ms: i64,
    is_late: bool,
    shape: &OddShape,
) -> SandboxRecord {
    let actor = match kind.category {
        "admin" => people::random_admin(rng),
        "anyone" => people::random_person(rng),
        name => people::named(name),
    };
    let auth = match actor.is_service() || rng.u8(..) < 12 {
        true => {
            let tail: String = actor.account_id.chars().rev().take(6).collect();
            token(&format!("tok-{tail}"), "automation")
        }
        false => session(),
    };
    let (context, [first, second]) = subject(kind, actor, rng);
    let container = match kind.object {
        ISSUE => issue_container(first),
        _ => container(api, kind.name),
    };
    let message = kind.text.replace("{a}", actor.name);
    let mut draft = EventDraft {
        id: uuid(rng),
        time_ms: moment_before(processed_ms, rng),
        processed_ms,
        action: kind.name,
        actor: people::actor(actor, auth),
        context,
        container,
        location: people::location(actor.ip, actor.place),
        message: message.replace("{1}", first).replace("{2}", second),
        url: events_url(api),
    };
    if is_late {
        draft.time_ms = processed_ms - rng.i64(LATEST_MS / 5..=LATEST_MS);
    }
    let with_people = |(member, json): &(_, JsonText)| (*member, with_people(&json.0, actor, rng));
    draft.finish(&shape.iter().map(with_people).collect::<Vec<_>>())
}

/// `json` with the actor, and people drawn, for its placeholders.
fn with_people(json: &str, actor: &SamplePerson, rng: &mut Rng) -> JsonText {
    let mut text = json.replace("ACTOR_COUNTRY", actor.place[0]).replace("ACTOR_IP", actor.ip);
    for word in ["ACTOR", "SERVICE", "PERSON"] {
        if text.contains(word) {
            let person = match word {
                "ACTOR" => actor,
                "SERVICE" => people::random_service(rng),
                _ => people::random_person(rng),
            };
            text = text
                .replace(&format!("{word}_ID"), person.account_id)
                .replace(&format!("{word}_NAME"), person.name)
                .replace(&format!("{word}_EMAIL"), person.email);
        }
    }
    JsonText(text)
}

/// `auth` of a browser session.
pub fn session() -> JsonObject {
    object! {"authType": "session"}
}

/// `auth` of an API token.
pub fn token(id: &str, label: &str) -> JsonObject {
    object! {"authType": "api-token", "tokenId": id, "tokenLabel": label}
}

/// A version 4 UUID.
pub fn uuid(rng: &mut Rng) -> String {
    let bits = (rng.u128(..) & !(0xF000_u128 << 64 | 0xC000_u128 << 48))
        | 0x4000_u128 << 64
        | 0x8000_u128 << 48;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// 0.2 to 1.4 s earlier; one in twelve at a full second, where the milliseconds are left out.
fn moment_before(processed_ms: i64, rng: &mut Rng) -> i64 {
    let at = processed_ms - rng.i64(200..1400);
    if rng.u8(..12) == 0 { at - at.rem_euclid(1000) } else { at }
}

/// RFC 3339 as the API writes it: milliseconds are left out when they are zero (grove's fixture has
/// both in one page).
fn stamp(millis: i64) -> String {
    let at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    let format = if at.nanosecond() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    at.to_rfc3339_opts(format, true)
}

/// The word of the tables for an issue, which stands in `container` instead of `context`.
const ISSUE: &str = "issue";

/// Where the events of `api` are, as `links.self` names them.
pub fn events_url(api: Api) -> String {
    let product = match api {
        Api::JiraWorkspace => "jira",
        Api::ConfluenceWorkspace => "confluence",
        Api::OrgEvents | Api::JiraAudit | Api::ConfluenceAudit | Api::DatacenterAudit => {
            return format!("https://api.atlassian.com/admin/v1/orgs/{ORG_ID}/events");
        }
    };
    let workspace = format!("ari%3Acloud%3A{product}%3A%3Asite%2F{CLOUD_ID}");
    format!("https://api.atlassian.com/audit-log/v1/workspaces/{workspace}/events")
}

/// What an event is about: the items of `context`, and what `{1}` and `{2}` of its message stand
/// for.
fn subject(
    kind: &RecordKind,
    actor: &'static SamplePerson,
    rng: &mut Rng,
) -> (Vec<JsonText>, [&'static str; 2]) {
    match kind.object {
        "self" => (vec![user(actor)], [actor.name, ""]),
        "login" => (vec![user(actor), attempt(draw_name(rng, &kind.names))], [actor.name, ""]),
        "org" => (vec![org()], [ORG_NAME, ""]),
        "user" => {
            let other = another(actor, rng);
            (vec![user(other)], [other.name, ""])
        }
        "membership" | "access" => {
            let (other, name) = (another(actor, rng), draw_name(rng, &kind.names));
            let what = if kind.object == "access" { "products" } else { "groups" };
            (vec![user(other), thing(what, name)], [other.name, name])
        }
        ISSUE => (Vec::new(), [draw_name(rng, &kind.names), ""]),
        what => {
            let name = draw_name(rng, &kind.names);
            (vec![thing(what, name)], [name, ""])
        }
    }
}

/// A `users` item.
pub fn user(person: &SamplePerson) -> JsonText {
    account(person.account_id, person.name, person.email, "atlassian")
}

/// A `users` item of an account of this type.
pub fn account(id: &str, name: &str, email: &str, kind: &str) -> JsonText {
    let attributes = object! {"name": name, "email": email, "accountType": kind};
    item(id, "users", attributes, object! {})
}

/// The item that says how an attempt to log in ended. Only `attributes.status` is known of it.
pub fn attempt(status: &str) -> JsonText {
    object! {"type": "sessions", "attributes": object! {"status": status}, "links": object! {}}
        .into()
}

/// An item of another type. The same name has the same id.
pub fn thing(kind: &str, name: &str) -> JsonText {
    let attributes = match kind {
        "groups" => object! {"name": name, "groupName": name},
        "products" => object! {"name": name, "siteHostName": JIRA_SITE},
        "invited-user" => object! {"email": name},
        _ => object! {"name": name},
    };
    item(&id_of(kind, name), kind, attributes, object! {})
}

/// The `orgs` item.
pub fn org() -> JsonText {
    let attributes = object! {"name": ORG_NAME, "domain": "lindenfell.example"};
    item(ORG_ID, "orgs", attributes, object! {})
}

/// The `container` of an event: the site for what happens in a product, the organization otherwise.
pub fn container(api: Api, action: &str) -> JsonText {
    let is_of_product =
        ["jira_", "jsm_", "confluence_"].iter().any(|prefix| action.starts_with(prefix));
    if api == Api::OrgEvents && !is_of_product {
        return item(ORG_ID, "orgs", object! {"name": ORG_NAME}, object! {});
    }
    let attributes = object! {"siteName": "lindenfell-example", "siteHostName": JIRA_SITE};
    let link = object! {"alt": format!("https://{JIRA_SITE}")};
    item(CLOUD_ID, "sites", attributes, link)
}

/// The `container` of what happens to an issue: the site, with the issue in its attributes.
fn issue_container(key: &str) -> JsonText {
    let id = 10_000 + hash_of(ISSUE, key) % 90_000;
    let attributes = object! {
        "siteName": "lindenfell-example", "siteHostName": JIRA_SITE,
        "issueId": id.to_string(), "issueKeyOrId": key,
    };
    let link = object! {"alt": format!("https://{JIRA_SITE}/browse/{key}")};
    item(CLOUD_ID, "sites", attributes, link)
}

fn item(id: &str, kind: &str, attributes: JsonObject, links: JsonObject) -> JsonText {
    object! {"id": id, "type": kind, "attributes": attributes, "links": links}.into()
}

fn another(actor: &SamplePerson, rng: &mut Rng) -> &'static SamplePerson {
    loop {
        let other = people::random_person(rng);
        if other.account_id != actor.account_id {
            return other;
        }
    }
}

/// A stable id: the hash of type and name.
fn id_of(kind: &str, name: &str) -> String {
    format!("{:016x}", hash_of(kind, name))
}

/// FNV-1a of type and name.
fn hash_of(kind: &str, name: &str) -> u64 {
    kind.bytes().chain(name.bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_milliseconds_are_left_out() {
        assert_eq!(stamp(1_795_167_000_000), "2026-11-20T09:30:00Z");
        assert_eq!(stamp(1_795_167_000_040), "2026-11-20T09:30:00.040Z");
    }
}
