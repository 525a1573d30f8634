//! The irregular shapes of organization events, each seen in somebody's fixture or feared by their bug reports.

use fastrand::Rng;

use super::{event_draft::EventDraft, people};
use crate::sandbox::json_text::{JsonObject, quoted};

type EventDistortion = fn(&mut EventDraft, &mut Rng);

/// All shapes, taken in turn so that a history of some hundred events has each.
const SHAPES: &[EventDistortion] = &[
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

/// Gives `draft` shape `number`, counted around.
pub fn distort(draft: &mut EventDraft, number: usize, rng: &mut Rng) {
    SHAPES[number % SHAPES.len()](draft, rng);
}

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
    JsonObject::new()
        .text("id", id)
        .text("name", "Old Account")
        .raw("links", "{}")
        .finish()
}

fn context_item_without_id(draft: &mut EventDraft, _: &mut Rng) {
    let items = draft.context.get_or_insert_default();
    items.push(
        r#"{"type":"sites","attributes":{"siteName":"lindenfell-example"},"links":{}}"#.to_owned(),
    );
}

fn empty_strings_in_location(draft: &mut EventDraft, _: &mut Rng) {
    let location = JsonObject::new()
        .text("ip", "198.51.100.77")
        .text("geo", "")
        .text("countryName", "");
    draft.location = Some(location.text("regionName", "").text("city", "").finish());
}

fn partial_location(draft: &mut EventDraft, _: &mut Rng) {
    draft.location = Some(r#"{"ip":"2001:db8::17","countryName":"Portugal"}"#.to_owned());
}

fn unknown_keys(draft: &mut EventDraft, _: &mut Rng) {
    draft
        .more_attributes
        .push(("riskScore", r#"{"value":0.50,"scale":[0,1]}"#.to_owned()));
    draft.more.push(("schemaVersion", "\"2027-01\"".to_owned()));
}

fn unknown_auth_type(draft: &mut EventDraft, rng: &mut Rng) {
    let person = people::random_person(rng);
    let auth = people::SampleAuth {
        kind: "passkey-handover",
        token_id: None,
        label: "",
    };
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
    draft
        .more_attributes
        .push(("hint", "\"second\"".to_owned()));
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
    let attributes = JsonObject::new()
        .text("name", "🔭 optics 日本語 team")
        .text("groupName", "👩🏽‍🔬");
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
    let users = people::PEOPLE.iter().take(7).map(super::context::user);
    draft.context = Some(users.collect());
}

#[cfg(test)]
mod tests {
    use crate::sandbox::DataOptions;

    #[test]
    fn every_shape_is_json_and_keeps_id_and_action() {
        let (events, _) = super::super::org_history::<Vec<_>>(&DataOptions {
            org_events: 600,
            ..DataOptions::default()
        });
        for event in events {
            let value: serde_json::Value = serde_json::from_str(&event.text)
                .unwrap_or_else(|error| panic!("{error}: {}", event.text));
            assert!(value["id"].is_string() && value["attributes"]["action"].is_string());
        }
    }

    #[test]
    fn some_hundred_events_have_every_shape() {
        let (events, _) = super::super::org_history::<Vec<_>>(&DataOptions {
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
