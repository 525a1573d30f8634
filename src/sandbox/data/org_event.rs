//! Composes organization events from a seed: in parts, so that an irregular shape can replace any
//! of them.

use chrono::{DateTime, SecondsFormat, Timelike};
use fastrand::Rng;
use serde_json::Value;

use super::{
    actions::{self, ActionKind, ActorRole},
    context,
    people::{self, SampleAuth, SamplePerson},
};
use crate::sandbox::{
    ORG_ID,
    json_text::{JsonObject, array, quoted},
};

/// An event before it has a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgEvent {
    /// Its id.
    pub id: String,
    /// `attributes.time`, epoch milliseconds.
    pub time_ms: i64,
    /// `attributes.processedAt`, epoch milliseconds.
    pub processed_ms: i64,
    /// The JSON text, served byte for byte.
    pub text: String,
}

impl OrgEvent {
    /// An event of somebody's own making. What cannot be read from it counts as absent.
    pub fn verbatim(text: String, processed_ms: i64) -> Self {
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let time = value["attributes"]["time"].as_str().and_then(|time| {
            DateTime::parse_from_rfc3339(time).ok().map(|time| time.timestamp_millis())
        });
        let id = value["id"].as_str().unwrap_or_default().to_owned();
        Self { id, time_ms: time.unwrap_or(processed_ms), processed_ms, text }
    }
}

/// The parts. Those that are JSON text are written as they are; None leaves the key out.
#[derive(Clone, Debug)]
pub struct EventDraft {
    /// `id`
    pub id: String,
    /// `attributes.time`, epoch milliseconds.
    pub time_ms: i64,
    /// `attributes.processedAt`, epoch milliseconds.
    pub processed_ms: i64,
    /// `attributes.action`
    pub action: String,
    /// `attributes.actor`, JSON.
    pub actor: Option<String>,
    /// `attributes.context`, JSON items.
    pub context: Option<Vec<String>>,
    /// `attributes.container`, JSON items.
    pub container: Option<Vec<String>>,
    /// `attributes.location`, JSON.
    pub location: Option<String>,
    /// `message.content`, a JSON string.
    pub message: Option<String>,
    /// Further members of `attributes`, JSON.
    pub more_attributes: Vec<(&'static str, String)>,
    /// Further members of the event, JSON.
    pub more: Vec<(&'static str, String)>,
}

impl EventDraft {
    /// The finished event.
    pub fn finish(self) -> OrgEvent {
        let list = |items: &Option<Vec<String>>| items.as_ref().map(array);
        let mut attributes = JsonObject::new()
            .text("time", &stamp(self.time_ms))
            .text("processedAt", &stamp(self.processed_ms))
            .text("action", &self.action)
            .maybe("actor", self.actor.as_deref())
            .maybe("context", list(&self.context).as_deref())
            .maybe("container", list(&self.container).as_deref())
            .maybe("location", self.location.as_deref());
        for (key, json) in &self.more_attributes {
            attributes = attributes.raw(key, json);
        }
        let link = format!("https://api.atlassian.com/admin/v1/orgs/{ORG_ID}/events/{}", self.id);
        let message = self.message.map(|content| {
            JsonObject::new().raw("content", &content).text("format", "simple").finish()
        });
        let mut event = JsonObject::new()
            .text("type", "events")
            .text("id", &self.id)
            .raw("attributes", &attributes.finish())
            .raw("links", &JsonObject::new().text("self", &link).finish())
            .maybe("message", message.as_deref());
        for (key, json) in &self.more {
            event = event.raw(key, json);
        }
        OrgEvent {
            id: self.id,
            time_ms: self.time_ms,
            processed_ms: self.processed_ms,
            text: event.finish(),
        }
    }
}

/// RFC 3339 as the API writes it: milliseconds are left out when they are zero (grove's fixture has
/// both in one page).
fn stamp(millis: i64) -> String {
    let at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    let format = if at.nanosecond() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    at.to_rfc3339_opts(format, true)
}

/// One event in so many gets an odd shape.
const ODD_EVERY: usize = 9;
/// The longest that a late event is late: 20 hours.
const LATEST_MS: i64 = 20 * 3_600_000;

/// The composer. The same seed and the same calls give the same events.
#[derive(Debug)]
pub struct OrgComposer {
    rng: Rng,
    clean: bool,
    composed: usize,
    total_weight: u32,
}

impl OrgComposer {
    /// A composer; `clean` leaves out odd shapes and lateness.
    pub fn new(seed: u64, clean: bool) -> Self {
        let rng = Rng::with_seed(seed ^ 0x6f72_672d_6576_7473);
        Self { rng, clean, composed: 0, total_weight: actions::total_weight() }
    }

    /// The generator, for what is drawn beside events.
    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The next event. A `late` one happened hours before it was processed.
    pub fn compose(&mut self, processed_ms: i64, late: bool) -> OrgEvent {
        let kind = actions::at_weight(self.rng.u32(..self.total_weight));
        let (actor, auth) = self.actor(kind);
        let mut draft = self.draft(kind, actor, &auth, processed_ms);
        if late && !self.clean {
            draft.time_ms = processed_ms - self.rng.i64(LATEST_MS / 5..=LATEST_MS);
        }
        self.composed += 1;
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            let shape = ODD_SHAPES[self.composed / ODD_EVERY % ODD_SHAPES.len()];
            shape(&mut draft, &mut self.rng);
        }
        draft.finish()
    }

    /// A version 4 UUID.
    pub fn uuid(&mut self) -> String {
        let bits = (self.rng.u128(..) & !(0xF000_u128 << 64 | 0xC000_u128 << 48))
            | 0x4000_u128 << 64
            | 0x8000_u128 << 48;
        let hex = format!("{bits:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    fn actor(&mut self, kind: &ActionKind) -> (&'static SamplePerson, SampleAuth) {
        let person = match kind.who {
            ActorRole::Anyone => people::random_person(&mut self.rng),
            ActorRole::Admin => people::random_admin(&mut self.rng),
            ActorRole::Service => people::random_service(&mut self.rng),
        };
        let by_token = kind.who == ActorRole::Service || self.rng.u8(..) < 12;
        (person, if by_token { SampleAuth::token(person) } else { SampleAuth::SESSION })
    }

    fn draft(
        &mut self,
        kind: &ActionKind,
        actor: &'static SamplePerson,
        auth: &SampleAuth,
        processed_ms: i64,
    ) -> EventDraft {
        let subject = context::subject(kind.about, actor, &mut self.rng);
        let message = kind
            .says
            .replace("{a}", actor.name)
            .replace("{1}", subject.words[0])
            .replace("{2}", subject.words[1]);
        EventDraft {
            id: self.uuid(),
            time_ms: self.moment_before(processed_ms),
            processed_ms,
            action: kind.action.to_owned(),
            actor: Some(people::actor(actor, auth)),
            context: Some(subject.items),
            container: Some(context::container(kind.action)),
            location: Some(people::location(actor.ip, &actor.place)),
            message: Some(quoted(&message)),
            more_attributes: Vec::new(),
            more: Vec::new(),
        }
    }

    /// 0.2 to 1.4 s earlier; one in twelve at a full second, where the milliseconds are left out.
    fn moment_before(&mut self, processed_ms: i64) -> i64 {
        let at = processed_ms - self.rng.i64(200..1400);
        if self.rng.u8(..12) == 0 { at - at.rem_euclid(1000) } else { at }
    }
}

type EventDistortion = fn(&mut EventDraft, &mut Rng);

/// The irregular shapes, each seen in a fixture or feared by bug reports; taken in turn so that a
/// history of some hundred events has each.
const ODD_SHAPES: &[EventDistortion] = &[
    system_actor,
    |draft, _| draft.actor = Some("null".to_owned()),
    |draft, _| draft.actor = None,
    |draft, _| draft.actor = Some(old_account("5b10a2844c20165700ede21f")),
    |draft, _| draft.actor = Some(old_account("557058:7c41d9b0-2e6a-4f83-b5d7-90e1a2b3c4d5")),
    |draft, _| draft.location = None,
    |draft, _| draft.context = None,
    |draft, _| draft.context = Some(Vec::new()),
    |draft, _| draft.container = None,
    |draft, _| draft.message = None,
    context_item_without_id,
    empty_strings_in_location,
    partial_location,
    unknown_keys,
    unknown_auth_type,
    on_behalf_of,
    actor_app,
    big_numbers,
    repeated_keys,
    |draft, _| {
        draft.message =
            Some(r#""line one\nline two\ttab \u0007bell \u001b[31mred\u001b[0m \u0000""#.to_owned())
    },
    |draft, _| {
        draft.message = Some(r#""odd escapes: \u0041\/\u00e9 \ud83d\ude00 \u2028""#.to_owned())
    },
    right_to_left_name,
    emoji_names,
    |draft, _| draft.more.push(("relations", "null".to_owned())),
    host_with_scheme,
    null_members,
    many_context_items,
];

/// elastic/integrations, test-system-app-actor: a literal id, and an email that is no address.
fn system_actor(draft: &mut EventDraft, _: &mut Rng) {
    let actor = JsonObject::new()
        .text("id", "confluence")
        .text("name", "Confluence")
        .text("email", "Atlassian app")
        .raw("picture", "null")
        .raw("links", "{}");
    draft.actor = Some(actor.finish());
    draft.location = None;
}

fn old_account(id: &str) -> String {
    JsonObject::new().text("id", id).text("name", "Old Account").raw("links", "{}").finish()
}

fn context_item_without_id(draft: &mut EventDraft, _: &mut Rng) {
    let items = draft.context.get_or_insert_default();
    items.push(
        r#"{"type":"sites","attributes":{"siteName":"lindenfell-example"},"links":{}}"#.to_owned(),
    );
}

fn empty_strings_in_location(draft: &mut EventDraft, _: &mut Rng) {
    let location =
        JsonObject::new().text("ip", "198.51.100.77").text("geo", "").text("countryName", "");
    draft.location = Some(location.text("regionName", "").text("city", "").finish());
}

fn partial_location(draft: &mut EventDraft, _: &mut Rng) {
    draft.location = Some(r#"{"ip":"2001:db8::17","countryName":"Portugal"}"#.to_owned());
}

fn unknown_keys(draft: &mut EventDraft, _: &mut Rng) {
    draft.more_attributes.push(("riskScore", r#"{"value":0.50,"scale":[0,1]}"#.to_owned()));
    draft.more.push(("schemaVersion", "\"2027-01\"".to_owned()));
}

fn unknown_auth_type(draft: &mut EventDraft, rng: &mut Rng) {
    let person = people::random_person(rng);
    let auth = SampleAuth { kind: "passkey-handover", token_id: None, label: "" };
    draft.actor = Some(people::actor(person, &auth));
}

fn on_behalf_of(draft: &mut EventDraft, rng: &mut Rng) {
    let (service, person) = (people::random_service(rng), people::random_person(rng));
    let principal = JsonObject::new()
        .text("id", person.account_id)
        .text("name", person.name)
        .text("email", person.email);
    let actor = JsonObject::new()
        .text("id", service.account_id)
        .text("name", service.name)
        .raw("auth", r#"{"authType":"auth-token-for-3LO"}"#)
        .raw("onBehalfOf", &principal.finish())
        .raw("links", "{}");
    draft.actor = Some(actor.finish());
}

fn actor_app(draft: &mut EventDraft, rng: &mut Rng) {
    let person = people::random_person(rng);
    let app = r#"{"id":"ari:cloud:ecosystem::app/31c0","type":"forge","attributes":{"name":"Time Ledger","beta":true}}"#;
    let actor = JsonObject::new()
        .text("id", person.account_id)
        .text("name", person.name)
        .raw("app", app)
        .raw("links", "{}");
    draft.actor = Some(actor.finish());
}

fn big_numbers(draft: &mut EventDraft, _: &mut Rng) {
    let numbers = r#"{"serial":12345678901234567890123,"ratio":1.10,"tiny":1E-400,"minus":-0}"#;
    draft.more_attributes.push(("metrics", numbers.to_owned()));
}

fn repeated_keys(draft: &mut EventDraft, _: &mut Rng) {
    draft.more_attributes.push(("hint", "\"first\"".to_owned()));
    draft.more_attributes.push(("hint", "\"second\"".to_owned()));
}

fn right_to_left_name(draft: &mut EventDraft, _: &mut Rng) {
    let actor = JsonObject::new()
        .text("id", "712020:f7a42c60-d93e-48b5-b24c-5ce6d8f91a23")
        .text("name", "نادية \u{202e}حداد")
        .text("email", "nadia@lindenfell.example")
        .raw("links", "{}");
    draft.actor = Some(actor.finish());
}

fn emoji_names(draft: &mut EventDraft, _: &mut Rng) {
    let attributes =
        JsonObject::new().text("name", "🔭 optics 日本語 team").text("groupName", "👩🏽‍🔬");
    let item = JsonObject::new()
        .text("id", "g-17")
        .text("type", "groups")
        .raw("attributes", &attributes.finish());
    draft.context = Some(vec![item.raw("links", "{}").finish()]);
    draft.message = Some(quoted("Joined the 🔭 optics 日本語 team"));
}

fn host_with_scheme(draft: &mut EventDraft, _: &mut Rng) {
    let site = r#"{"id":"s-1","type":"sites","attributes":{"siteName":"lindenfell-example","siteHostName":"https://lindenfell-example.atlassian.net"},"links":null}"#;
    draft.container = Some(vec![site.to_owned()]);
}

fn null_members(draft: &mut EventDraft, _: &mut Rng) {
    draft.actor =
        Some(r#"{"id":"unknown","name":null,"email":null,"auth":null,"links":null}"#.to_owned());
    draft.location = Some("null".to_owned());
    draft.container = Some(vec!["null".to_owned()]);
}

fn many_context_items(draft: &mut EventDraft, _: &mut Rng) {
    let users = people::PEOPLE.iter().take(7).map(context::user);
    draft.context = Some(users.collect());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::DataOptions;

    #[test]
    fn zero_milliseconds_are_left_out() {
        assert_eq!(stamp(1_795_167_000_000), "2026-11-20T09:30:00Z");
        assert_eq!(stamp(1_795_167_000_040), "2026-11-20T09:30:00.040Z");
    }

    #[test]
    fn every_shape_is_json_and_keeps_id_and_action() {
        let (events, _) = crate::sandbox::data::org_history::<Vec<_>>(&DataOptions {
            org_events: 600,
            ..DataOptions::default()
        });
        for event in events {
            let value: Value = serde_json::from_str(&event.text)
                .unwrap_or_else(|error| panic!("{error}: {}", event.text));
            assert!(value["id"].is_string() && value["attributes"]["action"].is_string());
        }
    }

    #[test]
    fn some_hundred_events_have_every_shape() {
        let (events, _) = crate::sandbox::data::org_history::<Vec<_>>(&DataOptions {
            org_events: 400,
            ..DataOptions::default()
        });
        let all: String = events.into_iter().map(|event| event.text).collect();
        for mark in [
            "12345678901234567890123",
            "\"actor\":null",
            "Atlassian app",
            "5b10a2844c20165700ede21f",
            "557058:",
            "passkey-handover",
            "onBehalfOf",
            "\\u001b",
            "\\/",
            "\u{202e}",
            "🔭",
            "\"second\"",
            "\"city\":\"\"",
        ] {
            assert!(all.contains(mark), "{mark}");
        }
    }
}
