//! Owns the attributes that a class has of its own: what it was done to, and where.

use crate::model::event::EventTarget;
use crate::model::json::write::ObjectWriter;
use crate::model::meaning::OcsfClass;
use crate::render::ocsf::class::RenderPlan;
use crate::render::ocsf::entity::{self, named, of_kind};
use crate::render::ocsf::metadata::product;
use crate::render::ocsf::target_attribute::{TargetAttribute, PrivilegeSource, standing};

/// Writes them.
pub fn write(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    if let Some(user) = &plan.user {
        out.object("user", |out| user.write(out));
    }
    match plan.class {
        OcsfClass::AccountChange => {
            out.each("policies", standing(plan, TargetAttribute::Policy), of);
        }
        OcsfClass::Authentication => {
            out.object("service", |out| out.text("name", product(plan.event)));
        }
        OcsfClass::UserAccess => {
            out.texts("privileges", PrivilegeSource::list(plan));
            out.each("resources", standing(plan, TargetAttribute::Resource), of);
        }
        OcsfClass::GroupManagement => group(plan, out),
        OcsfClass::WebResources => {
            out.each("web_resources", standing(plan, TargetAttribute::WebResource), of);
        }
        OcsfClass::Api => {
            out.object("api", |out| {
                out.text("operation", &plan.event.action);
                out.object("service", |out| out.text("name", product(plan.event)));
            });
            out.each("resources", standing(plan, TargetAttribute::Resource), of);
        }
        OcsfClass::EntityManagement => out.object("entity", |out| entity::write(plan, out)),
    }
    if let Some(to) = &plan.to {
        out.object("dst_endpoint", |out| to.write(out));
    }
}

fn of(out: &mut ObjectWriter<'_>, target: &EventTarget<'_>) {
    of_kind(target, out);
}

fn group(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    for (key, at) in [("group", plan.at.group), ("subgroup", plan.at.subgroup)] {
        if let Some(target) = plan.target(at) {
            out.object(key, |out| named(target, out));
        }
    }
    out.texts("privileges", PrivilegeSource::list(plan));
    if let Some(target) = plan.target(plan.at.resource) {
        out.object("resource", |out| of_kind(target, out));
    }
}
