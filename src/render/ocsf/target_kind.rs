//! What kind of thing a target is.

use crate::model::event::{Event, EventTarget};

/// What kind of thing a target is, as far as classes of OCSF care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    User,
    Group,
    Organization,
    Site,
    Product,
    Policy,
    /// Something that is granted.
    Privilege,
    /// Anything else: a page, a project, an app, a domain.
    Thing,
}

impl TargetKind {
    /// The kind of `target`.
    pub fn of(target: &EventTarget<'_>) -> TargetKind {
        match target.kind.as_deref().unwrap_or_default() {
            "user" => TargetKind::User,
            "group" | "user_group" => TargetKind::Group,
            "organization" => TargetKind::Organization,
            "site" => TargetKind::Site,
            "product" => TargetKind::Product,
            "role" | "roles" | "project_role" | "permission" | "permissions" | "privilege"
            | "privileges" => TargetKind::Privilege,
            kind if kind == "policy" || kind.ends_with("_policy") => TargetKind::Policy,
            _ => TargetKind::Thing,
        }
    }

    /// Whether `target` has a name or an id; an address will do for a user.
    pub fn is_named(target: &EventTarget<'_>) -> bool {
        let is_reachable = || target.email.is_some() && TargetKind::of(target) == TargetKind::User;
        target.name.is_some() || target.id.is_some() || is_reachable()
    }

    /// The index of the first target of this kind that can be named, from `start` on.
    pub fn first(self, event: &Event<'_>, start: usize) -> Option<usize> {
        let fits = |target: &EventTarget<'_>| {
            TargetKind::of(target) == self && TargetKind::is_named(target)
        };
        let mut targets = event.targets.iter().enumerate().skip(start);
        targets.find(|(_, target)| fits(target)).map(|(at, _)| at)
    }
}
