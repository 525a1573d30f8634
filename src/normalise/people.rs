//! The types of actors (a person, an app, the system, unknown), and the names of users that a
//! record identifies only by id.

use std::borrow::Cow;

use crate::model::event::{ActorKind, Event, EventTarget, EventText, UNIDENTIFIED, UserProfile};
use crate::model::text::split_at_byte;

/// The ways in which an app, and nobody else, proves who it is (Admin API, `authType`).
const APP_AUTH: [&str; 3] = ["container-token", "connect-token", "auth-token-for-2LO"];

/// What Atlassian writes in the address field of its own actors, whose id is then a product's name
/// such as `confluence` (seen in elastic/integrations, atlassian_cloud).
const OWN_ACTOR: &str = "Atlassian app";

/// The name under which Atlassian's own work is logged (Microsoft Defender for Cloud Apps, how to
/// protect Atlassian).
pub const INTERNAL_SYSTEM: &str = "Atlassian Internal System";

/// The type of an actor with this id, name, text in the field of its address and way to prove who
/// it is, perhaps with an app that acted for it; `None` if none of these says.
pub fn actor_kind([id, name, email, auth]: [Option<&str>; 4], has_app: bool) -> Option<ActorKind> {
    let has_account = id.is_some_and(is_account_id);
    // Anyone may take that name, with an account or an address of their own.
    let is_person = has_account && !is_word(email, OWN_ACTOR) || email.is_some_and(is_address);
    if is_word(name, INTERNAL_SYSTEM) && !is_person {
        return Some(ActorKind::System);
    }
    if is_word(id, "anonymous") {
        return Some(ActorKind::Anonymous);
    }
    if has_app || auth.is_some_and(|auth| APP_AUTH.contains(&auth)) {
        return Some(ActorKind::App);
    }
    if is_word(email, OWN_ACTOR) {
        return Some(if has_account { ActorKind::App } else { ActorKind::System });
    }
    if has_account || email.is_some_and(is_address) {
        return Some(ActorKind::User);
    }
    // Whose id says nothing may be anyone.
    id.filter(|id| !is_uuid(id) && !is_word(Some(id), UNIDENTIFIED)).map(|_| ActorKind::System)
}

/// Whether `id` is a bare UUID: 32 hex digits in five groups.
fn is_uuid(id: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    id.len() == 36 && id.bytes().enumerate().all(is_right)
}

/// Whether `text` is `word`, in whatever case.
pub fn is_word(text: Option<&str>, word: &str) -> bool {
    text.is_some_and(|text| text.eq_ignore_ascii_case(word))
}

/// Whether `text` can be a mail address.
pub fn is_address(text: &str) -> bool {
    let Some((name, host)) = split_at_byte(text, b'@') else {
        return false;
    };
    // No space of the ASCII range has a higher byte; others need the whole character.
    let is_odd = |byte: u8| byte <= b' ' || !byte.is_ascii();
    let is_free_of_gaps = !text.bytes().any(is_odd) || !text.contains(char::is_whitespace);
    !name.is_empty() && !host.is_empty() && is_free_of_gaps
}

/// Whether `id` has the form of an Atlassian account id: 24 hex digits, or `<realm>:<rest>` such
/// as `712020:<uuid>`, `557058:<uuid>` or `qm:<uuid>:<uuid>`.
pub fn is_account_id(id: &str) -> bool {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match split_at_byte(id, b':') {
        Some((realm, rest)) => {
            !realm.is_empty()
                && realm.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && !rest.is_empty()
        }
        None => id.len() == 24 && is_hex(id),
    }
}

/// The account ids in `event` without a name or address: of the actor and of the targets.
pub fn ids_missing_details<'e>(event: &'e Event<'_>) -> impl Iterator<Item = &'e str> {
    let actor = &event.actor;
    let actor = actor.id.as_deref().filter(|_| actor.name.is_none() || actor.email.is_none());
    let targets = event.targets.iter().filter(|target| is_user(target));
    let targets = targets
        .filter(|target| target.name.is_none() || target.email.is_none())
        .filter_map(|target| target.id.as_deref());
    actor.into_iter().chain(targets).filter(|id| is_account_id(id))
}

/// Fills their missing fields from `known`. What the record says itself stays as it is.
pub fn fill_details<'a>(event: &mut Event<'a>, known: impl Fn(&str) -> Option<&'a UserProfile>) {
    let fill = |id: &Option<EventText<'a>>,
                name: &mut Option<EventText<'a>>,
                email: &mut Option<EventText<'a>>| {
        let Some(user) = id.as_deref().and_then(&known) else {
            return;
        };
        if name.is_none() {
            *name = user.name.as_deref().map(Cow::Borrowed);
        }
        if email.is_none() {
            *email = user.email.as_deref().map(Cow::Borrowed);
        }
    };
    let actor = &mut event.actor;
    fill(&actor.id, &mut actor.name, &mut actor.email);
    for target in event.targets.iter_mut().filter(|target| is_user(target)) {
        fill(&target.id, &mut target.name, &mut target.email);
    }
}

fn is_user(target: &EventTarget<'_>) -> bool {
    target.kind.as_deref() == Some("user")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classify(id: Option<&str>, email: Option<&str>) -> Option<ActorKind> {
        actor_kind([id, None, email, None], false)
    }

    #[test]
    fn actors_are_classified_by_id_and_email() {
        use ActorKind::{Anonymous, App, System, User};
        let cases = [
            (Some("712020:3f0d7a52-7a51-4b77-9b1e-0a9b6a6d1c11"), None, Some(User)),
            (Some("5b10ac8d82e05b22cc7d4ef5"), None, Some(User)),
            (Some("557058:a1"), Some("x@example.com"), Some(User)),
            (Some("qm:4a9a:ee57"), None, Some(User)),
            (Some("someone"), Some("x@example.com"), Some(User)),
            (None, Some("x@example.com"), Some(User)),
            (Some("confluence"), Some("Atlassian app"), Some(System)),
            (Some("557058:a1"), Some("Atlassian app"), Some(App)),
            (Some("confluence"), None, Some(System)),
            (Some("Anonymous"), None, Some(Anonymous)),
            (Some("3f0d7a52-7a51-4b77-9b1e-0a9b6a6d1c11"), None, None),
            (Some("3f0d7a52-7a51-4b77-9b1e-0a9b6a6d1c11"), Some("x@example.com"), Some(User)),
            (Some("3f0d7a52-7a51-4b77-9b1e+0a9b6a6d1c11"), None, Some(System)),
            (Some("unidentified"), None, None),
            (Some("Unidentified"), Some("Atlassian app"), Some(System)),
            (None, None, None),
            (None, Some("not an address"), None),
        ];
        for (id, email, want) in cases {
            assert_eq!(classify(id, email), want, "{id:?} {email:?}");
        }
    }

    #[test]
    fn an_app_token_means_an_app() {
        let id = Some("712020:3f0d");
        let with = |auth| actor_kind([id, None, None, Some(auth)], false);
        assert_eq!(with("connect-token"), Some(ActorKind::App));
        assert_eq!(with("auth-token-for-3LO"), Some(ActorKind::User));
        assert_eq!(with("something-new"), Some(ActorKind::User));
    }

    #[test]
    fn the_internal_system_is_known_by_its_name_and_people_are_not_taken_for_it() {
        let named =
            |id, email| actor_kind([id, Some("Atlassian Internal System"), email, None], false);
        let (account, uuid) = ("712020:3f0d", "3f0d7a52-7a51-4b77-9b1e-0a9b6a6d1c11");
        for id in [None, Some(uuid), Some("unidentified")] {
            assert_eq!(named(id, None), Some(ActorKind::System), "{id:?}");
        }
        assert_eq!(named(Some(account), Some("Atlassian app")), Some(ActorKind::System));
        assert_eq!(named(Some(account), None), Some(ActorKind::User));
        assert_eq!(named(Some(uuid), Some("x@example.com")), Some(ActorKind::User));
    }
}
