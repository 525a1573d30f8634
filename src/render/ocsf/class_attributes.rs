//! Owns the attributes that a class has of its own: what it was done to, and where.

use crate::model::event::EventTarget;
use crate::model::json::write::ObjectWriter;
use crate::model::meaning::OcsfClass;
use crate::render::ocsf::class::RenderPlan;
use crate::render::ocsf::entity::{self, write_id_and_name, write_with_type};
use crate::render::ocsf::metadata::product;
use crate::render::ocsf::target_attribute::{TargetAttribute, PrivilegeSource, targets_in};

/// Writes them.
pub fn write(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    if let Some(user) = &plan.user {
        out.object("user", |out| user.write(out));
    }
    match plan.class {
        OcsfClass::AccountChange => {
            out.objects("policies", targets_in(plan, TargetAttribute::Policy), of);
        }
        OcsfClass::Authentication => {
            out.object("service", |out| out.text("name", product(plan.event)));
        }
        OcsfClass::UserAccess => {
            out.texts("privileges", PrivilegeSource::list(plan));
            out.objects("resources", targets_in(plan, TargetAttribute::Resource), of);
        }
        OcsfClass::GroupManagement => group(plan, out),
        OcsfClass::WebResources => {
            out.objects("web_resources", targets_in(plan, TargetAttribute::WebResource), of);
        }
        OcsfClass::Api => {
            out.object("api", |out| {
                out.text("operation", &plan.event.action);
                out.object("service", |out| out.text("name", product(plan.event)));
            });
            out.objects("resources", targets_in(plan, TargetAttribute::Resource), of);
        }
        OcsfClass::EntityManagement => out.object("entity", |out| entity::write(plan, out)),
    }
    if let Some(to) = &plan.dst_endpoint {
        out.object("dst_endpoint", |out| to.write(out));
    }
}

fn of(out: &mut ObjectWriter<'_>, target: &EventTarget<'_>) {
    write_with_type(target, out);
}

fn group(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    for (key, at) in [("group", plan.indices.group), ("subgroup", plan.indices.subgroup)] {
        if let Some(target) = plan.target(at) {
            out.object(key, |out| write_id_and_name(target, out));
        }
    }
    out.texts("privileges", PrivilegeSource::list(plan));
    if let Some(target) = plan.target(plan.indices.resource) {
        out.object("resource", |out| write_with_type(target, out));
    }
}
