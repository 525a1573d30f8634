//! Decides how an event is written before it is: the class, and which attribute of it holds which
//! target.
//!
//! The class is the one that the action means where the event has all that it requires, else one
//! that requires less.

use crate::model::event::{ActorKind, Event, EventTarget, FieldChange, UNIDENTIFIED};
use crate::model::meaning::{Deed, OcsfClass};
use crate::render::ocsf::acted_on::{can_be_acted_on, find_app, find_entity, find_role_change};
use crate::render::ocsf::endpoint::{DstEndpoint, SrcEndpoint};
use crate::render::ocsf::ocsf_version::OcsfVersion;
use crate::render::ocsf::people::{ActorFields, OcsfUser};
use crate::render::ocsf::target_kind::TargetKind;

/// An event and all that is decided about it before it is written.
#[derive(Debug)]
pub struct RenderPlan<'e> {
    /// What is rendered.
    pub event: &'e Event<'e>,
    /// In which version.
    pub version: OcsfVersion,
    /// As what.
    pub class: OcsfClass,
    /// What was done to what the class is about.
    pub deed: Deed,
    /// Who did it.
    pub actor: ActorFields<'e>,
    /// From where.
    pub src_endpoint: SrcEndpoint<'e>,
    /// On which host, where the class has a place for that.
    pub dst_endpoint: Option<DstEndpoint<'e>>,
    /// The object `user`, where the class has it.
    pub user: Option<OcsfUser<'e>>,
    /// The entity, where it is a user.
    pub entity_user: Option<OcsfUser<'e>>,
    /// The indexes of the targets of which a class has one.
    pub indices: TargetIndices,
    /// Where the privileges are read.
    pub privileges: Option<PrivilegeSource>,
}

/// Indices of targets.
#[derive(Debug, Clone, Copy, Default)]
pub struct TargetIndices {
    /// The user; none where the actor is the user.
    pub user: Option<usize>,
    /// The group.
    pub group: Option<usize>,
    /// The group in the group.
    pub subgroup: Option<usize>,
    /// Whatever it is that was managed.
    pub entity: Option<usize>,
    /// The app that was installed, changed or removed.
    pub app: Option<usize>,
    /// What privileges give access to, where there is one of it.
    pub resource: Option<usize>,
    /// The policy of an account, where there is one.
    pub policy: Option<usize>,
    /// What stands for the content that is acted on where no content is named: a site, a product.
    pub container: Option<usize>,
}

impl<'e> RenderPlan<'e> {
    /// How to render `event`.
    pub fn of(version: OcsfVersion, event: &'e Event<'e>) -> RenderPlan<'e> {
        let mut plan = RenderPlan {
            event,
            version,
            class: OcsfClass::EntityManagement,
            deed: event.meaning.deed,
            actor: ActorFields::of(event),
            src_endpoint: SrcEndpoint::of(event),
            dst_endpoint: None,
            user: None,
            entity_user: None,
            indices: TargetIndices::default(),
            privileges: None,
        };
        plan.class = plan.choose_class();
        plan.fill_class_fields();
        plan
    }

    /// The target at one of [`RenderPlan::indices`].
    pub fn target(&self, at: Option<usize>) -> Option<&'e EventTarget<'e>> {
        self.event.targets.get(at?)
    }

    /// The class, by what each requires beside the parts that every event has:
    ///
    /// - Account Change, a user: a target, or the actor who did to themselves what people do to
    ///   themselves;
    /// - Authentication, a user and a service: who signed in, and the product, which is always
    ///   known;
    /// - User Access Management, a user and privileges: targets, or a change that names the
    ///   privilege; privileges that a group has or had are a matter of Group Management;
    /// - Group Management, a group: a target;
    /// - Web Resources Activity, web resources: targets that are content, else the whole site or
    ///   product;
    /// - Application Lifecycle, an app: a target;
    /// - API Activity, an actor, an operation and the address that the call came from: the
    ///   operation is the action;
    /// - Entity Management, an entity: any target, else the organization, the site or the source
    ///   itself, one of which is always known. So it is the last resort of all others; nothing is
    ///   then said to have been done to what only stands for the thing.
    ///
    /// OCSF 1.3 requires more: an app's vendor, which no source states, and of Group Management a
    /// user or privileges.
    fn choose_class(&mut self) -> OcsfClass {
        let (event, wanted) = (self.event, self.event.meaning.class);
        match wanted {
            OcsfClass::EntityManagement | OcsfClass::UserAccess if self.use_role_change() => {
                OcsfClass::UserAccess
            }
            OcsfClass::AccountChange if self.find_account() => wanted,
            OcsfClass::Authentication if self.find_login_user() => wanted,
            OcsfClass::UserAccess if self.find_user() && self.find_privileges() => wanted,
            OcsfClass::UserAccess if self.find_group() && self.find_privileges() => {
                OcsfClass::GroupManagement
            }
            OcsfClass::GroupManagement if self.find_group() && self.find_members() => wanted,
            OcsfClass::WebResources if self.find_content() => wanted,
            OcsfClass::ApplicationLifecycle if self.find_app() => wanted,
            OcsfClass::Api if !self.actor.is_empty() && self.src_endpoint.ip.is_some() => wanted,
            _ => {
                (self.user, self.privileges) = (None, None);
                let (entity, is_acted_on) = find_entity(event);
                self.indices = TargetIndices { entity, ..TargetIndices::default() };
                let is_wanted_thing = match wanted {
                    OcsfClass::EntityManagement | OcsfClass::Api => true,
                    OcsfClass::GroupManagement => entity == TargetKind::Group.first(event, 0),
                    OcsfClass::ApplicationLifecycle => entity == find_app(event),
                    // Another class wanted another thing.
                    _ => false,
                };
                if !is_acted_on || !is_wanted_thing {
                    self.deed = Deed::Other;
                }
                OcsfClass::EntityManagement
            }
        }
    }

    /// What depends on the class.
    fn fill_class_fields(&mut self) {
        match self.class {
            OcsfClass::Authentication | OcsfClass::WebResources | OcsfClass::Api => {
                self.dst_endpoint = DstEndpoint::of(self.event);
            }
            OcsfClass::GroupManagement => self.find_resource(),
            OcsfClass::UserAccess if !self.version.has_lists() => self.find_resource(),
            OcsfClass::AccountChange if !self.version.has_lists() => {
                self.indices.policy = TargetKind::Policy.first(self.event, 0);
            }
            OcsfClass::EntityManagement => {
                let target = self.target(self.indices.entity);
                let user = target.filter(|target| TargetKind::of(target) == TargetKind::User);
                self.entity_user = user.and_then(OcsfUser::of_target);
            }
            // The class has no such object.
            OcsfClass::ApplicationLifecycle => {
                (self.src_endpoint.ip, self.src_endpoint.country) = (None, None);
            }
            OcsfClass::AccountChange | OcsfClass::UserAccess => {}
        }
    }

    /// Whether someone was given a role of a project, or lost it; what was done is that then.
    fn use_role_change(&mut self) -> bool {
        let Some((deed, member)) = find_role_change(self.event) else {
            return false;
        };
        self.deed = deed;
        let is_member = |target: &EventTarget<'_>| {
            let texts = [&target.id, &target.name, &target.login];
            TargetKind::of(target) == TargetKind::User
                && texts.iter().any(|text| text.as_deref() == Some(member))
        };
        self.indices.user = self.event.targets.iter().position(is_member);
        let target = self.target(self.indices.user);
        self.user = target.and_then(OcsfUser::of_target).or(Some(OcsfUser::of_text(member)));
        self.privileges = Some(PrivilegeSource::Targets);
        true
    }

    /// The account that was changed.
    fn find_account(&mut self) -> bool {
        let is_of_oneself = matches!(
            self.event.meaning.deed,
            Deed::PasswordChange | Deed::PasswordReset | Deed::MfaEnable | Deed::MfaDisable
        );
        let is_person = self.event.actor.kind == Some(ActorKind::User);
        self.find_user() || is_of_oneself && is_person && self.use_actor_as_user()
    }

    /// Who signed in or out: the actor who did; for all else, and where no person or app acted, the
    /// target.
    fn find_login_user(&mut self) -> bool {
        let is_own = self.event.meaning.deed == Deed::Logon;
        let actor = &self.event.actor;
        let is_unidentified = actor.id.as_deref().is_some_and(|id| id == UNIDENTIFIED);
        let can_sign_in = !is_unidentified
            && !matches!(actor.kind, Some(ActorKind::System | ActorKind::Anonymous));
        if is_own && can_sign_in && self.use_actor_as_user() {
            return true;
        }
        self.find_user() || can_sign_in && self.use_actor_as_user()
    }

    fn use_actor_as_user(&mut self) -> bool {
        let (actor, targets) = (&self.event.actor, &self.event.targets);
        // Many sources name them twice.
        let is_same = |target: &EventTarget<'_>| {
            TargetKind::of(target) == TargetKind::User
                && (&target.id, &target.name, &target.email)
                    == (&actor.id, &actor.name, &actor.email)
        };
        self.indices.user = targets.iter().position(is_same);
        self.user = self.actor.user;
        self.user.is_some()
    }

    fn find_user(&mut self) -> bool {
        self.indices.user = TargetKind::User.first(self.event, 0);
        self.user = self.target(self.indices.user).and_then(OcsfUser::of_target);
        self.user.is_some()
    }

    fn find_group(&mut self) -> bool {
        self.indices.group = TargetKind::Group.first(self.event, 0);
        if let (Some(at), Deed::AddSubgroup | Deed::RemoveSubgroup) =
            (self.indices.group, self.event.meaning.deed)
            && self.version.has_subgroups()
        {
            self.indices.subgroup = TargetKind::Group.first(self.event, at + 1);
        }
        self.indices.group.is_some()
    }

    /// Whom a group is about: the user in it, or those who have its privileges.
    fn find_members(&mut self) -> bool {
        let has_user = self.find_user();
        self.find_privileges() || has_user || self.version.has_groups_alone()
    }

    fn find_app(&mut self) -> bool {
        if self.version.has_apps_without_vendor() {
            self.indices.app = find_app(self.event);
        }
        self.indices.app.is_some()
    }

    fn find_resource(&mut self) {
        if let Some(privileges) = self.privileges {
            let is_resource = |target: &EventTarget<'_>| {
                TargetKind::is_named(target) && privileges.grants_access_to(TargetKind::of(target))
            };
            self.indices.resource = self.event.targets.iter().position(is_resource);
        }
    }

    fn find_privileges(&mut self) -> bool {
        self.privileges = PrivilegeSource::of(self.event);
        self.privileges.is_some()
    }

    /// The content, or what holds it. That was read, searched or exported from; nothing else was
    /// done to it.
    fn find_content(&mut self) -> bool {
        let event = self.event;
        let is_content = |target: &EventTarget<'_>| {
            let kind = target.kind.as_deref().unwrap_or_default();
            TargetKind::of(target) == TargetKind::Thing
                && TargetKind::is_named(target)
                && can_be_acted_on(&event.action, kind)
        };
        if event.targets.iter().any(is_content) {
            return true;
        }
        let places = [TargetKind::Thing, TargetKind::Product, TargetKind::Site];
        self.indices.container = places.into_iter().find_map(|kind| kind.first(event, 0));
        if !matches!(self.deed, Deed::Read | Deed::Search | Deed::Export) {
            self.deed = Deed::Other;
        }
        self.indices.container.is_some()
    }
}

/// The attribute that holds a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetAttribute {
    User,
    Group,
    Subgroup,
    Entity,
    App,
    /// In the list `policies`, or the one `policy`.
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
            _ if at(plan.indices.app) => TargetAttribute::App,
            _ if at(plan.indices.policy) => TargetAttribute::Policy,
            OcsfClass::AccountChange if kind == TargetKind::Policy && plan.version.has_lists() => {
                TargetAttribute::Policy
            }
            OcsfClass::UserAccess | OcsfClass::GroupManagement if is_privilege() => {
                TargetAttribute::Privilege
            }
            _ if at(plan.indices.resource) => TargetAttribute::Resource,
            OcsfClass::UserAccess
                if plan.version.has_lists()
                    && plan.privileges.is_some_and(|from| from.grants_access_to(kind)) =>
            {
                TargetAttribute::Resource
            }
            OcsfClass::WebResources if kind == TargetKind::Thing || at(plan.indices.container) => {
                TargetAttribute::WebResource
            }
            OcsfClass::Api if target.id.is_some() || target.name.is_some() => {
                TargetAttribute::Resource
            }
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
    let stands = move |&(index, target): &(usize, &'p EventTarget<'p>)| {
        TargetAttribute::of(plan, index, target) == place
    };
    targets.filter(stands).map(|(_, target)| target)
}

/// Where the privileges that were given or taken stand.
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
    /// Where they stand in `event`, if they do: the most exact first. Only giving and taking
    /// is about privileges.
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

/// The privilege that a change names: the one there is now, or for what was taken the one there
/// was.
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
