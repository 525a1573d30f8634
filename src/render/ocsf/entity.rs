//! Owns the object `entity`: whatever it is that was managed.

use crate::model::event::EventTarget;
use crate::model::json::write::ObjectWriter;
use crate::render::ocsf::class::RenderPlan;
use crate::render::ocsf::people::OcsfUser;
use crate::render::ocsf::target_attribute::TargetKind;

/// Writes the object: the first target that can be named; else the organization, else the site, else the source as its
/// configuration names it, for something of those it was.
pub fn write(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
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
            write_id_and_name(target, out);
            out.constant(r#""type_id":3,"type":"Group""#);
            out.object("group", |out| write_id_and_name(target, out));
        }
        TargetKind::Organization => {
            write_id_and_name(target, out);
            out.constant(r#""type_id":4,"type":"Organization""#);
            out.object("org", |out| write_id_and_name(target, out));
        }
        TargetKind::Policy => {
            write_id_and_name(target, out);
            out.constant(r#""type_id":5,"type":"Policy""#);
            out.object("policy", |out| write_with_type(target, out));
        }
        TargetKind::User | TargetKind::Site | TargetKind::Product | TargetKind::Privilege | TargetKind::Thing => {
            write_id_and_name(target, out);
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
pub fn write_id_and_name(target: &EventTarget<'_>, out: &mut ObjectWriter<'_>) {
    out.text_if_some("uid", target.id.as_deref());
    out.text_if_some("name", target.name.as_deref());
}

/// Id, name and the source's word for what it is.
pub fn write_with_type(target: &EventTarget<'_>, out: &mut ObjectWriter<'_>) {
    write_id_and_name(target, out);
    out.text_if_some("type", target.kind.as_deref());
}
