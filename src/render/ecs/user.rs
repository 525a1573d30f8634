//! The users of a document: `user` acts, `user.effective` is acted for, `user.target` is acted on;
//! `user.changes`, what is new about them; and `group`.
//!
//! `name` is the login: of an account of a Data Center the name that it signs in with, of an
//! Atlassian account its address. A display name is none: anybody may take any, and change it, so
//! that rules and risk scores by `user.name` would mix people up. It is `full_name`. The directory
//! that `domain` is for is nowhere named; the host of an address is none.

use crate::model::event::{Event, EventTarget, EventText};
use crate::model::json::write::ObjectWriter;
use crate::model::meaning::Deed;

/// Who and what stands in an event.
#[derive(Debug)]
pub struct EventUsers<'e> {
    pub actor: UserIdentity<'e>,
    pub effective: UserIdentity<'e>,
    /// As it was; one that begins, as it is.
    pub target: UserIdentity<'e>,
    group: Option<&'e EventTarget<'e>>,
    /// Whether the target comes into the group, or leaves it.
    is_membership: bool,
    /// What is new about the target.
    pub changes: UserIdentity<'e>,
}

/// What distinguishes one from another.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserIdentity<'e> {
    pub id: Option<&'e str>,
    pub login: Option<&'e str>,
    pub email: Option<&'e str>,
    pub full_name: Option<&'e str>,
}

impl<'e> EventUsers<'e> {
    /// Those of `event`.
    pub fn of(event: &'e Event<'e>) -> EventUsers<'e> {
        let actor = &event.actor;
        let behalf = &actor.on_behalf_of;
        let deed = event.meaning.deed;
        let of_kind = |kind| event.targets.iter().find(move |target| is_kind(target, kind));
        let target = of_kind("user").map(target_identity);
        let is_someone = target.is_some();
        let (mut target, mut changes) = (target.unwrap_or_default(), changes(event));
        // Who begins or ends has no changes (ECS, usage of the user fields).
        match deed {
            Deed::Create => target = target.or(std::mem::take(&mut changes)),
            Deed::Delete => changes = UserIdentity::default(),
            _ => {}
        }
        EventUsers {
            actor: identity([&actor.id, &actor.name, &actor.email, &actor.login]),
            effective: identity([&behalf.id, &behalf.name, &behalf.email, &None]),
            target,
            group: of_kind("group"),
            is_membership: is_someone && matches!(deed, Deed::AddUser | Deed::RemoveUser),
            changes,
        }
    }

    /// The fields of `user`.
    pub fn append(&self, out: &mut ObjectWriter<'_>) {
        self.actor.append(out);
        out.object("effective", |out| self.effective.append(out));
        out.object("target", |out| {
            self.target.append(out);
            if self.is_membership {
                out.object("group", |out| self.append_group(out));
            }
        });
        out.object("changes", |out| self.changes.append(out));
    }

    /// The fields of `group`.
    pub fn append_group(&self, out: &mut ObjectWriter<'_>) {
        if let Some(group) = self.group {
            out.text_if_some("id", group.id.as_deref());
            out.text_if_some("name", group.name.as_deref());
        }
    }
}

impl<'e> UserIdentity<'e> {
    fn append(&self, out: &mut ObjectWriter<'_>) {
        out.text_if_some("id", self.id);
        out.text_if_some("name", self.login);
        out.text_if_some("full_name", self.full_name);
        out.text_if_some("email", self.email);
    }

    /// What is not known of it, as `other` has it.
    fn or(self, other: UserIdentity<'e>) -> UserIdentity<'e> {
        UserIdentity {
            id: self.id.or(other.id),
            login: self.login.or(other.login),
            email: self.email.or(other.email),
            full_name: self.full_name.or(other.full_name),
        }
    }

    /// All of it.
    pub fn texts(self) -> impl Iterator<Item = &'e str> {
        [self.id, self.full_name, self.email, self.login].into_iter().flatten()
    }
}

/// Whether `target` is of this kind.
pub fn is_kind(target: &EventTarget<'_>, kind: &str) -> bool {
    target.kind.as_deref() == Some(kind)
}

type OptionalText<'t> = Option<EventText<'t>>;

/// A target that is a user.
pub fn target_identity<'e>(target: &'e EventTarget<'_>) -> UserIdentity<'e> {
    identity([&target.id, &target.name, &target.email, &target.login])
}

/// A user with this id, name, address and login. A name that is the login is no full name.
fn identity<'e>(texts: [&'e OptionalText<'_>; 4]) -> UserIdentity<'e> {
    let [id, name, email, login] = texts.map(Option::as_deref);
    let full_name = name.filter(|name| login != Some(name));
    UserIdentity { id, login: login.or(email), email, full_name }
}

/// What is new about the first target, whose the changes are, if that is a user.
fn changes<'e>(event: &'e Event<'_>) -> UserIdentity<'e> {
    let is_of_user = event.targets.first().is_some_and(|target| is_kind(target, "user"));
    let mut found = UserIdentity::default();
    if !is_of_user {
        return found;
    }
    for change in event.changes.iter().filter(|change| change.from != change.to) {
        let (Some(field), Some(to)) = (change.field.as_deref(), change.to.as_deref()) else {
            continue;
        };
        let is_one_of = |words: &[&str]| words.iter().any(|word| is_field_name(field, word));
        let place = if is_one_of(&["email", "emailaddress", "mail"]) {
            &mut found.email
        } else if is_one_of(&["fullname", "displayname"]) {
            &mut found.full_name
        } else if is_one_of(&["username", "loginname", "login"]) {
            &mut found.login
        } else {
            continue;
        };
        place.get_or_insert(to);
    }
    found
}

/// Whether `field` is `word`, however it is cut into words: `Full name`, `fullName` and `full_name`
/// are one.
fn is_field_name(field: &str, word: &str) -> bool {
    let letters = field.bytes().filter(u8::is_ascii_alphanumeric);
    letters.map(|byte| byte.to_ascii_lowercase()).eq(word.bytes())
}
