//! Owns what is said of people whom a record only numbers.

use std::borrow::Cow;

use crate::model::event::{Event, EventTarget, EventText};
use crate::model::user_profiles::UserProfile;
use crate::normalise::actor::is_account_id;

/// The account ids in `event` of which it does not say all: who acted, and whom it was done to.
pub fn ids_missing_details<'e>(event: &'e Event<'_>) -> impl Iterator<Item = &'e str> {
    let actor = &event.actor;
    let actor = actor
        .id
        .as_deref()
        .filter(|_| actor.name.is_none() || actor.email.is_none());
    let targets = event.targets.iter().filter(|target| is_user(target));
    let targets = targets
        .filter(|target| target.name.is_none() || target.email.is_none())
        .filter_map(|target| target.id.as_deref());
    actor
        .into_iter()
        .chain(targets)
        .filter(|id| is_account_id(id))
}

/// Says of them what is missing and `known` knows. What the record says itself stays as it is.
pub fn fill_details<'a>(event: &mut Event<'a>, known: impl Fn(&str) -> Option<&'a UserProfile>) {
    let fill =
        |id: &Option<EventText<'a>>, name: &mut Option<EventText<'a>>, email: &mut Option<EventText<'a>>| {
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
