//! The attributes that a class has of its own: what it was done to, and where.

use crate::model::event::EventTarget;
use crate::model::json::write::ObjectWriter;
use crate::model::meaning::OcsfClass;
use crate::render::ocsf::metadata::product;
use crate::render::ocsf::people::OcsfUser;
use crate::render::ocsf::render_plan::{
    PrivilegeSource, RenderPlan, TargetAttribute, TargetKind, standing,
};

/// Writes them.
pub fn write(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    if let Some(user) = &plan.user {
        out.object("user", |out| user.write(out));
    }
    match plan.class {
        OcsfClass::AccountChange => {
            out.each("policies", standing(plan, TargetAttribute::Policy), of_kind);
        }
        OcsfClass::Authentication => {
            out.object("service", |out| out.text("name", product(plan.event)));
        }
        OcsfClass::UserAccess => {
            out.texts("privileges", PrivilegeSource::list(plan));
            out.each("resources", standing(plan, TargetAttribute::Resource), of_kind);
        }
        OcsfClass::GroupManagement => group(plan, out),
        OcsfClass::WebResources => {
            out.each("web_resources", standing(plan, TargetAttribute::WebResource), of_kind);
        }
        OcsfClass::Api => {
            out.object("api", |out| {
                out.text("operation", &plan.event.action);
                out.object("service", |out| out.text("name", product(plan.event)));
            });
            out.each("resources", standing(plan, TargetAttribute::Resource), of_kind);
        }
        OcsfClass::EntityManagement => out.object("entity", |out| write_entity(plan, out)),
    }
    if let Some(to) = &plan.to {
        out.object("dst_endpoint", |out| to.write(out));
    }
}

fn group(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    for (key, at) in [("group", plan.at.group), ("subgroup", plan.at.subgroup)] {
        if let Some(target) = plan.target(at) {
            out.object(key, |out| named(out, target));
        }
    }
    out.texts("privileges", PrivilegeSource::list(plan));
    if let Some(target) = plan.target(plan.at.resource) {
        out.object("resource", |out| of_kind(out, target));
    }
}

/// Writes the object `entity`, whatever was managed: the first target that can be named; else the organization, else the site, else the source as its
/// configuration names it, for something of those it was.
fn write_entity(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    let source = &plan.event.source;
    let target = plan.target(plan.at.entity);
    match (target, source.org_id, source.site) {
        (Some(target), _, _) => of_target(target, plan.entity_user.as_ref(), out),
        (None, Some(id), _) => {
            out.text("uid", id);
            out.constant(r#""type_id":4,"type":"Organization""#);
            out.object("org", |out| out.text("uid", id));
        }
        (None, None, Some(site)) => {
            out.text("name", site);
            out.constant(r#""type_id":99,"type":"site""#);
        }
        (None, None, None) => {
            out.text("name", source.name);
            out.constant(r#""type_id":99,"type":"source""#);
        }
    }
}

fn of_target(target: &EventTarget<'_>, user: Option<&OcsfUser<'_>>, out: &mut ObjectWriter<'_>) {
    if let Some(user) = user {
        out.maybe("uid", user.uid);
        out.maybe("name", user.name);
        out.constant(r#""type_id":2,"type":"User""#);
        return out.object("user", |out| user.write(out));
    }
    match TargetKind::of(target) {
        TargetKind::Group => {
            named(out, target);
            out.constant(r#""type_id":3,"type":"Group""#);
            out.object("group", |out| named(out, target));
        }
        TargetKind::Organization => {
            named(out, target);
            out.constant(r#""type_id":4,"type":"Organization""#);
            out.object("org", |out| named(out, target));
        }
        TargetKind::Policy => {
            named(out, target);
            out.constant(r#""type_id":5,"type":"Policy""#);
            out.object("policy", |out| of_kind(out, target));
        }
        TargetKind::User | TargetKind::Site | TargetKind::Product | TargetKind::Privilege | TargetKind::Thing => {
            named(out, target);
            match target.kind.as_deref() {
                Some(kind) => {
                    out.json("type_id", b"99");
                    out.text("type", kind);
                }
                None => out.constant(r#""type_id":0,"type":"Unknown""#),
            }
        }
    }
}

/// Id and name.
fn named(out: &mut ObjectWriter<'_>, target: &EventTarget<'_>) {
    out.maybe("uid", target.id.as_deref());
    out.maybe("name", target.name.as_deref());
}

/// Id, name and the source's word for what it is.
fn of_kind(out: &mut ObjectWriter<'_>, target: &EventTarget<'_>) {
    named(out, target);
    out.maybe("type", target.kind.as_deref());
}
