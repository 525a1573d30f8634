//! The list `observables`: what an analyst searches for across events, wherever in an event it
//! stands.

use crate::model::json::write::ObjectWriter;
use crate::model::meaning::OcsfClass;
use crate::render::ocsf::ocsf_version::OcsfVersion;
use crate::render::ocsf::render_plan::{RenderPlan, TargetAttribute, targets_in};
use crate::render::ocsf::target_kind::TargetKind;

/// As many as a line lists: a record of thousands of targets names them all elsewhere.
const MAX_OBSERVABLES: usize = 32;

/// A type of observable, and the fields that tell it and a path.
#[derive(Debug, Clone, Copy)]
struct ObservablePath {
    type_id: u8,
    fields: &'static str,
}

macro_rules! spot {
    ($type_id:literal, $($path:literal),+) => {
        ObservablePath {
            type_id: $type_id,
            fields: concat!(r#""type_id":"#, $type_id, r#","name":""#, $($path),+, r#"""#),
        }
    };
}

macro_rules! user_spots {
    ($path:literal) => {
        [spot!(31, $path, ".uid"), spot!(4, $path, ".name"), spot!(5, $path, ".email_addr")]
    };
}

macro_rules! group_spots {
    ($path:literal) => {
        [spot!(33, $path, ".uid"), spot!(32, $path, ".name")]
    };
}

const SOURCE_IP: ObservablePath = spot!(2, "src_endpoint.ip");
const UNMAPPED_IP: ObservablePath = spot!(2, "unmapped.client.ip");
const PROXY_IP: ObservablePath = spot!(2, "src_endpoint.intermediate_ips[]");
const SOURCE_COUNTRY: ObservablePath = spot!(14, "src_endpoint.location.country");
const HOSTNAME: ObservablePath = spot!(1, "dst_endpoint.hostname");
const HOST_IP: ObservablePath = spot!(2, "dst_endpoint.ip");
const RESOURCE: ObservablePath = spot!(10, "resource.uid");
const RESOURCES: ObservablePath = spot!(10, "resources[].uid");
const WEB_RESOURCES: ObservablePath = spot!(10, "web_resources[].uid");
const WEB_URLS: ObservablePath = spot!(6, "web_resources[].url_string");
const ACTOR: [ObservablePath; 3] = user_spots!("actor.user");
const USER: [ObservablePath; 3] = user_spots!("user");
const ENTITY_USER: [ObservablePath; 3] = user_spots!("entity.user");
const GROUP: [ObservablePath; 2] = group_spots!("group");
const SUBGROUP: [ObservablePath; 2] = group_spots!("subgroup");
const ENTITY_GROUP: [ObservablePath; 2] = group_spots!("entity.group");

/// Writes the list. A value of two fields is listed once, by the first of them.
pub fn write(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    let mut list = ObservableList {
        version: plan.version,
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

struct ObservableList<'e> {
    version: OcsfVersion,
    /// The field of each, and the value.
    found: [(ObservablePath, &'e str); MAX_OBSERVABLES],
    count: usize,
}

impl<'e> ObservableList<'e> {
    fn gather(&mut self, plan: &'e RenderPlan<'_>) {
        match plan.src_endpoint.ip {
            Some(ip) => self.add(SOURCE_IP, Some(ip)),
            None => self.add(UNMAPPED_IP, plan.event.client.ip.as_deref()),
        }
        self.add(SOURCE_COUNTRY, plan.src_endpoint.country);
        for (user, spots) in
            [(&plan.actor.user, ACTOR), (&plan.user, USER), (&plan.entity_user, ENTITY_USER)]
        {
            if let Some(user) = user {
                self.add_all(spots, [user.uid, user.name, user.email]);
            }
        }
        let entity = plan.target(plan.indices.entity);
        for (group, spots) in [
            (plan.target(plan.indices.group), GROUP),
            (plan.target(plan.indices.subgroup), SUBGROUP),
            (entity.filter(|target| TargetKind::of(target) == TargetKind::Group), ENTITY_GROUP),
        ] {
            if let Some(group) = group {
                self.add_all(spots, [group.id.as_deref(), group.name.as_deref()]);
            }
        }
        self.resources(plan);
        if let Some(to) = &plan.dst_endpoint {
            self.add(HOSTNAME, to.hostname);
            self.add(HOST_IP, to.ip);
        }
        // The last, so that a long chain leaves room for all else.
        if plan.src_endpoint.ip.is_some() {
            for ip in &plan.event.client.forwarded {
                self.add(PROXY_IP, Some(ip));
            }
        }
    }

    fn add_all<const N: usize>(
        &mut self,
        spots: [ObservablePath; N],
        values: [Option<&'e str>; N],
    ) {
        spots.into_iter().zip(values).for_each(|(spot, value)| self.add(spot, value));
    }

    fn resources(&mut self, plan: &'e RenderPlan<'_>) {
        let (place, spot) = match plan.class {
            OcsfClass::GroupManagement => (TargetAttribute::Resource, RESOURCE),
            OcsfClass::UserAccess if !plan.version.has_lists() => {
                (TargetAttribute::Resource, RESOURCE)
            }
            OcsfClass::UserAccess | OcsfClass::Api => (TargetAttribute::Resource, RESOURCES),
            OcsfClass::WebResources => (TargetAttribute::WebResource, WEB_RESOURCES),
            _ => return,
        };
        for target in targets_in(plan, place).take(MAX_OBSERVABLES) {
            self.add(spot, target.id.as_deref());
            if place == TargetAttribute::WebResource {
                self.add(WEB_URLS, target.url.as_deref());
            }
        }
    }

    fn add(&mut self, spot: ObservablePath, value: Option<&'e str>) {
        let Some(value) = value.filter(|_| self.version.has_observable(spot.type_id)) else {
            return;
        };
        let is_same =
            |(known, of): &(ObservablePath, &str)| known.type_id == spot.type_id && *of == value;
        if self.found.iter().take(self.count).any(is_same) {
            return;
        }
        if let Some(free) = self.found.get_mut(self.count) {
            *free = (spot, value);
            self.count += 1;
        }
    }
}
