//! Owns the list `observables`: what an analyst searches for across events, wherever in an event it stands.

use crate::model::event::Target;
use crate::model::json::write::Fields;
use crate::model::meaning::OcsfClass;
use crate::render::ocsf::class::Plan;
use crate::render::ocsf::people::Principal;
use crate::render::ocsf::place::{Kind, Place, targets_in};

/// As many as a line lists: a record of thousands of targets names them all elsewhere.
const MAX_OBSERVABLES: usize = 32;

/// A type of observable, and the fields that tell it and a path.
#[derive(Debug, Clone, Copy)]
struct Spot {
    type_id: u8,
    fields: &'static str,
}

macro_rules! spot {
    ($type_id:literal, $($path:literal),+) => {
        Spot {
            type_id: $type_id,
            fields: concat!(r#""type_id":"#, $type_id, r#","name":""#, $($path),+, r#"""#),
        }
    };
}

macro_rules! user_spots {
    ($path:literal) => {
        [
            spot!(31, $path, ".uid"),
            spot!(4, $path, ".name"),
            spot!(5, $path, ".email_addr"),
        ]
    };
}

macro_rules! group_spots {
    ($path:literal) => {
        [spot!(33, $path, ".uid"), spot!(32, $path, ".name")]
    };
}

const SOURCE_IP: Spot = spot!(2, "src_endpoint.ip");
const PROXY_IP: Spot = spot!(2, "src_endpoint.intermediate_ips[]");
const SOURCE_COUNTRY: Spot = spot!(14, "src_endpoint.location.country");
const HOSTNAME: Spot = spot!(1, "dst_endpoint.hostname");
const HOST_IP: Spot = spot!(2, "dst_endpoint.ip");
const RESOURCE: Spot = spot!(10, "resource.uid");
const RESOURCES: Spot = spot!(10, "resources[].uid");
const WEB_RESOURCES: Spot = spot!(10, "web_resources[].uid");
const ACTOR: [Spot; 3] = user_spots!("actor.user");
const USER: [Spot; 3] = user_spots!("user");
const ENTITY_USER: [Spot; 3] = user_spots!("entity.user");
const GROUP: [Spot; 2] = group_spots!("group");
const SUBGROUP: [Spot; 2] = group_spots!("subgroup");
const ENTITY_GROUP: [Spot; 2] = group_spots!("entity.group");

/// Writes the list. A value that stands in two places is listed once, by the first of them.
pub fn write(plan: &Plan<'_>, out: &mut Fields<'_>) {
    let mut list = List {
        found: [(SOURCE_IP, ""); MAX_OBSERVABLES],
        count: 0,
    };
    list.gather(plan);
    let found = list.found.iter().take(list.count);
    out.objects("observables", found, |out, (spot, value)| {
        out.constant(spot.fields);
        out.text("value", value);
    });
}

struct List<'e> {
    /// Where each stands, and the value.
    found: [(Spot, &'e str); MAX_OBSERVABLES],
    count: usize,
}

impl<'e> List<'e> {
    fn gather(&mut self, plan: &'e Plan<'_>) {
        self.add(SOURCE_IP, plan.src_endpoint.ip);
        self.add(SOURCE_COUNTRY, plan.src_endpoint.country);
        for (user, spots) in [
            (&plan.actor.user, ACTOR),
            (&plan.user, USER),
            (&plan.entity_user, ENTITY_USER),
        ] {
            if let Some(user) = user {
                self.user(user, spots);
            }
        }
        let entity = plan.target(plan.indices.entity);
        for (group, spots) in [
            (plan.target(plan.indices.group), GROUP),
            (plan.target(plan.indices.subgroup), SUBGROUP),
            (
                entity.filter(|target| Kind::of(target) == Kind::Group),
                ENTITY_GROUP,
            ),
        ] {
            if let Some(group) = group {
                self.group(group, spots);
            }
        }
        self.resources(plan);
        if let Some(to) = &plan.dst_endpoint {
            self.add(HOSTNAME, to.hostname);
            self.add(HOST_IP, to.ip);
        }
        // The last, so that a long chain leaves room for all else.
        if plan.src_endpoint.has_place() {
            for ip in &plan.event.client.forwarded {
                self.add(PROXY_IP, Some(ip));
            }
        }
    }

    fn user(&mut self, user: &Principal<'e>, [uid, name, email]: [Spot; 3]) {
        self.add(uid, user.uid);
        self.add(name, user.name);
        self.add(email, user.email);
    }

    fn group(&mut self, target: &'e Target<'_>, [uid, name]: [Spot; 2]) {
        self.add(uid, target.id.as_deref());
        self.add(name, target.name.as_deref());
    }

    fn resources(&mut self, plan: &'e Plan<'_>) {
        let (place, spot) = match plan.class {
            OcsfClass::GroupManagement => (Place::Resource, RESOURCE),
            OcsfClass::UserAccess | OcsfClass::Api => (Place::Resource, RESOURCES),
            OcsfClass::WebResources => (Place::WebResource, WEB_RESOURCES),
            _ => return,
        };
        for target in targets_in(plan, place).take(MAX_OBSERVABLES) {
            self.add(spot, target.id.as_deref());
        }
    }

    fn add(&mut self, spot: Spot, value: Option<&'e str>) {
        let Some(value) = value else {
            return;
        };
        let is_same = |(known, of): &(Spot, &str)| known.type_id == spot.type_id && *of == value;
        if self.found.iter().take(self.count).any(is_same) {
            return;
        }
        if let Some(free) = self.found.get_mut(self.count) {
            *free = (spot, value);
            self.count += 1;
        }
    }
}
