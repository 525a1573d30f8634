//! Owns the people of a document: `user`, who acts; `user.effective`, for whom; `user.target`, whom it is done to;
//! `user.changes`, what is new about them; and `group`.
//!
//! `name` is the login. Of an Atlassian account that is its address. A display name is none: anybody may take
//! any, and change it, so that rules and risk scores by `user.name` would mix people up. It is `full_name`. The
//! directory that `domain` is for is nowhere named; the host of an address is none.

use crate::model::event::{Event, Target, Text};
use crate::model::json::write::Fields;
use crate::model::meaning::Deed;

/// Who and what stands in an event.
#[derive(Debug)]
pub struct Users<'e> {
    actor: Identity<'e>,
    effective: Identity<'e>,
    target: Option<&'e Target<'e>>,
    group: Option<&'e Target<'e>>,
    /// Whether the target comes into the group, or leaves it.
    is_membership: bool,
    /// What is new about the target.
    pub changes: Identity<'e>,
}

/// What tells one from another.
#[derive(Debug, Clone, Copy, Default)]
pub struct Identity<'e> {
    pub id: Option<&'e str>,
    pub login: Option<&'e str>,
    pub email: Option<&'e str>,
    pub full_name: Option<&'e str>,
}

impl<'e> Users<'e> {
    /// Those of `event`.
    pub fn of(event: &'e Event<'e>) -> Users<'e> {
        let actor = &event.actor;
        let behalf = &actor.on_behalf_of;
        let deed = event.meaning.deed;
        Users {
            actor: identity(&actor.id, &actor.name, &actor.email),
            effective: identity(&behalf.id, &behalf.name, &behalf.email),
            target: event.targets.iter().find(|target| is(target, "user")),
            group: event.targets.iter().find(|target| is(target, "group")),
            is_membership: matches!(deed, Deed::AddUser | Deed::RemoveUser),
            changes: changes(event),
        }
    }

    /// The fields of `user`.
    pub fn append(&self, out: &mut Fields<'_>) {
        self.actor.append(out);
        out.object("effective", |out| self.effective.append(out));
        out.object("target", |out| {
            if let Some(target) = self.target {
                identity(&target.id, &target.name, &target.email).append(out);
                if self.is_membership {
                    out.object("group", |out| self.append_group(out));
                }
            }
        });
        out.object("changes", |out| self.changes.append(out));
    }

    /// The fields of `group`.
    pub fn append_group(&self, out: &mut Fields<'_>) {
        if let Some(group) = self.group {
            out.maybe("id", group.id.as_deref());
            out.maybe("name", group.name.as_deref());
        }
    }
}

impl<'e> Identity<'e> {
    fn append(&self, out: &mut Fields<'_>) {
        out.maybe("id", self.id);
        out.maybe("name", self.login);
        out.maybe("full_name", self.full_name);
        out.maybe("email", self.email);
    }

    /// All of it.
    pub fn all(self) -> impl Iterator<Item = &'e str> {
        [self.id, self.full_name, self.email, self.login]
            .into_iter()
            .flatten()
    }
}

/// Whether `target` is of this kind.
pub fn is(target: &Target<'_>, kind: &str) -> bool {
    target.kind.as_deref() == Some(kind)
}

type Maybe<'t> = Option<Text<'t>>;

/// Someone of whom these are known.
pub fn identity<'e>(id: &'e Maybe<'_>, name: &'e Maybe<'_>, email: &'e Maybe<'_>) -> Identity<'e> {
    Identity {
        id: id.as_deref(),
        login: email.as_deref(),
        email: email.as_deref(),
        full_name: name.as_deref(),
    }
}

/// The changes are those of the first target. A user that begins or ends has none (ECS, usage of the user fields).
fn changes<'e>(event: &'e Event<'_>) -> Identity<'e> {
    let is_of_user = event
        .targets
        .first()
        .is_some_and(|target| is(target, "user"));
    let mut found = Identity::default();
    if !is_of_user || matches!(event.meaning.deed, Deed::Create | Deed::Delete) {
        return found;
    }
    for change in event
        .changes
        .iter()
        .filter(|change| change.from != change.to)
    {
        let (Some(field), Some(to)) = (change.field.as_deref(), change.to.as_deref()) else {
            continue;
        };
        let is_one_of = |words: &[&str]| words.iter().any(|word| says(field, word));
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

/// Whether `field` is `word`, however it is cut into words: `Full name`, `fullName` and `full_name` are one.
fn says(field: &str, word: &str) -> bool {
    let letters = field.bytes().filter(u8::is_ascii_alphanumeric);
    letters
        .map(|byte| byte.to_ascii_lowercase())
        .eq(word.bytes())
}
