//! Owns the list `observables`: what an analyst searches for across events, wherever in an event it stands.

use crate::model::event::Target;
use crate::model::json::write::Fields;
use crate::model::meaning::OcsfClass;
use crate::render::ocsf::class::Plan;
use crate::render::ocsf::people::Principal;
use crate::render::ocsf::place::{Kind, Place, standing};

/// As many as a line lists: a record of thousands of targets names them all elsewhere.
const MOST: usize = 32;

/// One value, its type and where it stands.
#[derive(Debug, Clone, Copy)]
struct Observable<'e> {
    /// `type_id` as it is written.
    kind: Type,
    name: &'static str,
    value: &'e str,
}

/// The types of observables that audit events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Hostname = 1,
    Ip = 2,
    UserName = 4,
    Email = 5,
    ResourceUid = 10,
    Country = 14,
    UserUid = 31,
    GroupName = 32,
    GroupUid = 33,
}

/// The paths of a user's uid, name and address.
type UserPaths = [&'static str; 3];

/// The paths of a group's uid and name.
type GroupPaths = [&'static str; 2];

/// Writes the list. A value that stands in two places is listed once, by the first of them.
pub fn write(plan: &Plan<'_>, out: &mut Fields<'_>) {
    let mut list = List {
        found: [None; MOST],
        count: 0,
    };
    list.gather(plan);
    out.each("observables", list.found.iter().flatten(), |out, one| {
        out.integer("type_id", one.kind as i64);
        out.text("name", one.name);
        out.text("value", one.value);
    });
}

struct List<'e> {
    found: [Option<Observable<'e>>; MOST],
    count: usize,
}

impl<'e> List<'e> {
    fn gather(&mut self, plan: &'e Plan<'_>) {
        self.add(Type::Ip, "src_endpoint.ip", plan.from.address.ip);
        let country = plan.from.country;
        self.add(Type::Country, "src_endpoint.location.country", country);
        if let Some(user) = &plan.actor.user {
            const PATHS: UserPaths = ["actor.user.uid", "actor.user.name", "actor.user.email_addr"];
            self.user(user, PATHS);
        }
        if let Some(user) = &plan.user {
            self.user(user, ["user.uid", "user.name", "user.email_addr"]);
        }
        self.entity(plan);
        if let Some(group) = plan.target(plan.at.group) {
            self.group(group, ["group.uid", "group.name"]);
        }
        if let Some(group) = plan.target(plan.at.subgroup) {
            self.group(group, ["subgroup.uid", "subgroup.name"]);
        }
        match plan.class {
            OcsfClass::GroupManagement => {
                let resource = plan.target(plan.at.resource);
                let uid = resource.and_then(|target| target.id.as_deref());
                self.add(Type::ResourceUid, "resource.uid", uid);
            }
            OcsfClass::UserAccess | OcsfClass::Api => {
                self.resources(plan, Place::Resource, "resources[].uid");
            }
            OcsfClass::WebResources => {
                self.resources(plan, Place::WebResource, "web_resources[].uid");
            }
            _ => {}
        }
        if let Some(to) = &plan.to {
            self.add(Type::Hostname, "dst_endpoint.hostname", to.hostname);
            self.add(Type::Ip, "dst_endpoint.ip", to.ip);
        }
    }

    fn entity(&mut self, plan: &'e Plan<'_>) {
        let Some(target) = plan.target(plan.at.entity) else {
            return;
        };
        match (Kind::of(target), Principal::of_target(target)) {
            (Kind::User, Some(user)) => {
                const PATHS: UserPaths = [
                    "entity.user.uid",
                    "entity.user.name",
                    "entity.user.email_addr",
                ];
                self.user(&user, PATHS);
            }
            (Kind::Group, _) => self.group(target, ["entity.group.uid", "entity.group.name"]),
            _ => {}
        }
    }

    fn user(&mut self, user: &Principal<'e>, [uid, name, email]: UserPaths) {
        self.add(Type::UserUid, uid, user.uid);
        self.add(Type::UserName, name, user.name);
        self.add(Type::Email, email, user.email);
    }

    fn group(&mut self, target: &'e Target<'_>, [uid, name]: GroupPaths) {
        self.add(Type::GroupUid, uid, target.id.as_deref());
        self.add(Type::GroupName, name, target.name.as_deref());
    }

    fn resources(&mut self, plan: &'e Plan<'_>, place: Place, path: &'static str) {
        for target in standing(plan, place).take(MOST) {
            self.add(Type::ResourceUid, path, target.id.as_deref());
        }
    }

    fn add(&mut self, kind: Type, name: &'static str, value: Option<&'e str>) {
        let Some(value) = value else {
            return;
        };
        let mut known = self.found.iter().take(self.count).flatten();
        if known.any(|one| one.kind == kind && one.value == value) {
            return;
        }
        if let Some(free) = self.found.get_mut(self.count) {
            *free = Some(Observable { kind, name, value });
            self.count += 1;
        }
    }
}
