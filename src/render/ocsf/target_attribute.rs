//! Owns the places of targets: what kind of thing each is to OCSF, and which attribute of the class holds it.

use crate::model::event::{FieldChange, Event, EventTarget};
use crate::model::meaning::{Deed, OcsfClass};
use crate::render::ocsf::class::RenderPlan;

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
            "group" => TargetKind::Group,
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
        let fits = |target: &EventTarget<'_>| TargetKind::of(target) == self && TargetKind::is_named(target);
        let mut targets = event.targets.iter().enumerate().skip(start);
        targets.find(|(_, target)| fits(target)).map(|(at, _)| at)
    }
}

/// The attribute that holds a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetAttribute {
    User,
    Group,
    Subgroup,
    Entity,
    /// In the list `policies`.
    Policy,
    /// In the list `privileges`.
    Privilege,
    /// In the list `resources`, or the one `resource`.
    Resource,
    /// In the list `web_resources`.
    WebResource,
    /// None.
    Unmapped,
}

impl TargetAttribute {
    /// Where the target at `index` is.
    pub fn of(plan: &RenderPlan<'_>, index: usize, target: &EventTarget<'_>) -> TargetAttribute {
        let kind = TargetKind::of(target);
        let at = |place: Option<usize>| place == Some(index);
        let is_privilege = || plan.privileges.is_some_and(|from| from.includes(kind));
        match plan.class {
            _ if !TargetKind::is_named(target) => TargetAttribute::Unmapped,
            _ if at(plan.indices.user) => TargetAttribute::User,
            _ if at(plan.indices.group) => TargetAttribute::Group,
            _ if at(plan.indices.subgroup) => TargetAttribute::Subgroup,
            _ if at(plan.indices.entity) => TargetAttribute::Entity,
            OcsfClass::AccountChange if kind == TargetKind::Policy => TargetAttribute::Policy,
            OcsfClass::UserAccess | OcsfClass::GroupManagement if is_privilege() => {
                TargetAttribute::Privilege
            }
            _ if at(plan.indices.resource) => TargetAttribute::Resource,
            OcsfClass::UserAccess if plan.privileges.is_some_and(|from| from.grants_access_to(kind)) => {
                TargetAttribute::Resource
            }
            OcsfClass::WebResources if kind == TargetKind::Thing || at(plan.indices.container) => {
                TargetAttribute::WebResource
            }
            OcsfClass::Api if target.id.is_some() || target.name.is_some() => TargetAttribute::Resource,
            _ => TargetAttribute::Unmapped,
        }
    }
}

/// The targets of `plan` that stand at `place`.
pub fn targets_in<'p>(
    plan: &'p RenderPlan<'_>,
    place: TargetAttribute,
) -> impl Iterator<Item = &'p EventTarget<'p>> + use<'p> {
    let targets = plan.event.targets.iter().enumerate();
    let stands =
        move |&(index, target): &(usize, &'p EventTarget<'p>)| TargetAttribute::of(plan, index, target) == place;
    targets.filter(stands).map(|(_, target)| target)
}

/// What tells the privileges that were given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivilegeSource {
    /// Targets that are roles or permissions.
    Targets,
    /// Changed fields that are named for them.
    Changes,
    /// Targets that are products: to be let in is the privilege.
    Products,
}

impl PrivilegeSource {
    /// What tells them in `event`, if anything does: the most telling first. Only giving and taking is about privileges.
    pub fn of(event: &Event<'_>) -> Option<PrivilegeSource> {
        let deed = event.meaning.deed;
        if event.meaning.class == OcsfClass::GroupManagement
            && !matches!(deed, Deed::Assign | Deed::Revoke)
        {
            return None;
        }
        let has = |kind: TargetKind| kind.first(event, 0).is_some();
        let changed = |change: &FieldChange<'_>| changed_privilege(change, deed).is_some();
        match () {
            () if has(TargetKind::Privilege) => Some(PrivilegeSource::Targets),
            () if event.changes.iter().any(changed) => Some(PrivilegeSource::Changes),
            () if has(TargetKind::Product) => Some(PrivilegeSource::Products),
            () => None,
        }
    }

    /// Whether targets of this kind are the privileges.
    fn includes(self, kind: TargetKind) -> bool {
        match self {
            PrivilegeSource::Targets => kind == TargetKind::Privilege,
            PrivilegeSource::Products => kind == TargetKind::Product,
            PrivilegeSource::Changes => false,
        }
    }

    /// Whether targets of this kind are what the privileges give access to.
    pub fn grants_access_to(self, kind: TargetKind) -> bool {
        !matches!(kind, TargetKind::User | TargetKind::Group) && !self.includes(kind)
    }

    /// The privileges of `plan`.
    pub fn list<'p>(plan: &'p RenderPlan<'_>) -> impl Iterator<Item = &'p str> {
        let named = |target: &'p EventTarget<'p>| target.name.as_deref().or(target.id.as_deref());
        let changes = match plan.privileges {
            Some(PrivilegeSource::Changes) => plan.event.changes.as_slice(),
            _ => &[],
        };
        let deed = plan.event.meaning.deed;
        let changed = move |change| changed_privilege(change, deed);
        targets_in(plan, TargetAttribute::Privilege)
            .filter_map(named)
            .chain(changes.iter().filter_map(changed))
    }
}

/// The privilege that a change names: the one there is now, or for what was taken the one there was.
fn changed_privilege<'c>(change: &'c FieldChange<'_>, deed: Deed) -> Option<&'c str> {
    const FIELDS: [&str; 7] = [
        "permission",
        "permissions",
        "privilege",
        "privileges",
        "role",
        "roles",
        // Confluence's, of a permission.
        "type",
    ];
    let field = change.field.as_deref()?;
    let is_privilege = FIELDS.iter().any(|name| field.eq_ignore_ascii_case(name));
    let (from, to) = (change.from.as_deref(), change.to.as_deref());
    let value = match deed {
        Deed::Revoke => from.or(to),
        _ => to.or(from),
    };
    value.filter(|_| is_privilege)
}
