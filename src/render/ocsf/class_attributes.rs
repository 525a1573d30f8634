//! The attributes that a class has of its own: what it was done to, and where.

use crate::model::event::EventTarget;
use crate::model::json::write::ObjectWriter;
use crate::model::meaning::OcsfClass;
use crate::render::ocsf::metadata::product;
use crate::render::ocsf::people::OcsfUser;
use crate::render::ocsf::render_plan::{
    PrivilegeSource, RenderPlan, TargetAttribute, TargetKind, targets_in,
};

/// Writes them.
pub fn write(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    if let Some(user) = &plan.user {
        out.object("user", |out| user.write(out));
    }
    match plan.class {
        OcsfClass::AccountChange => {
            out.objects("policies", targets_in(plan, TargetAttribute::Policy), write_with_type);
        }
        OcsfClass::Authentication => {
            out.object("service", |out| out.text("name", product(plan.event)));
        }
        OcsfClass::UserAccess => {
            out.texts("privileges", PrivilegeSource::list(plan));
            out.objects("resources", targets_in(plan, TargetAttribute::Resource), write_with_type);
        }
        OcsfClass::GroupManagement => group(plan, out),
        OcsfClass::WebResources => {
            out.objects(
                "web_resources",
                targets_in(plan, TargetAttribute::WebResource),
                write_with_type,
            );
        }
        OcsfClass::Api => {
            out.object("api", |out| {
                out.text("operation", &plan.event.action);
                out.object("service", |out| out.text("name", product(plan.event)));
            });
            out.objects("resources", targets_in(plan, TargetAttribute::Resource), write_with_type);
        }
        OcsfClass::EntityManagement => out.object("entity", |out| write_entity(plan, out)),
    }
    if let Some(to) = &plan.dst_endpoint {
        out.object("dst_endpoint", |out| to.write(out));
    }
}

fn group(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    for (key, at) in [("group", plan.indices.group), ("subgroup", plan.indices.subgroup)] {
        if let Some(target) = plan.target(at) {
            out.object(key, |out| write_id_and_name(out, target));
        }
    }
    out.texts("privileges", PrivilegeSource::list(plan));
    if let Some(target) = plan.target(plan.indices.resource) {
        out.object("resource", |out| write_with_type(out, target));
    }
}

/// Writes the object `entity`, whatever was managed: the first target that can be named; else the organization, else the site, else the source as its
/// configuration names it, for something of those it was.
fn write_entity(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    let source = &plan.event.source;
    let target = plan.target(plan.indices.entity);
    match (target, source.org_id, source.site) {
        (Some(target), _, _) => write_target(target, plan.entity_user.as_ref(), out),
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

fn write_target(target: &EventTarget<'_>, user: Option<&OcsfUser<'_>>, out: &mut ObjectWriter<'_>) {
    if let Some(user) = user {
        out.text_if_some("uid", user.uid);
        out.text_if_some("name", user.name);
        out.constant(r#""type_id":2,"type":"User""#);
        return out.object("user", |out| user.write(out));
    }
    match TargetKind::of(target) {
        TargetKind::Group => {
            write_id_and_name(out, target);
            out.constant(r#""type_id":3,"type":"Group""#);
            out.object("group", |out| write_id_and_name(out, target));
        }
        TargetKind::Organization => {
            write_id_and_name(out, target);
            out.constant(r#""type_id":4,"type":"Organization""#);
            out.object("org", |out| write_id_and_name(out, target));
        }
        TargetKind::Policy => {
            write_id_and_name(out, target);
            out.constant(r#""type_id":5,"type":"Policy""#);
            out.object("policy", |out| write_with_type(out, target));
        }
        TargetKind::User
        | TargetKind::Site
        | TargetKind::Product
        | TargetKind::Privilege
        | TargetKind::Thing => {
            write_id_and_name(out, target);
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
fn write_id_and_name(out: &mut ObjectWriter<'_>, target: &EventTarget<'_>) {
    out.text_if_some("uid", target.id.as_deref());
    out.text_if_some("name", target.name.as_deref());
}

/// Id, name and the source's word for what it is.
fn write_with_type(out: &mut ObjectWriter<'_>, target: &EventTarget<'_>) {
    write_id_and_name(out, target);
    out.text_if_some("type", target.kind.as_deref());
}
