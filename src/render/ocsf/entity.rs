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
            named(target, out);
            out.constant(r#""type_id":3,"type":"Group""#);
            out.object("group", |out| named(target, out));
        }
        TargetKind::Organization => {
            named(target, out);
            out.constant(r#""type_id":4,"type":"Organization""#);
            out.object("org", |out| named(target, out));
        }
        TargetKind::Policy => {
            named(target, out);
            out.constant(r#""type_id":5,"type":"Policy""#);
            out.object("policy", |out| of_kind(target, out));
        }
        TargetKind::User | TargetKind::Site | TargetKind::Product | TargetKind::Privilege | TargetKind::Thing => {
            named(target, out);
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
pub fn named(target: &EventTarget<'_>, out: &mut ObjectWriter<'_>) {
    out.maybe("uid", target.id.as_deref());
    out.maybe("name", target.name.as_deref());
}

/// Id, name and the source's word for what it is.
pub fn of_kind(target: &EventTarget<'_>, out: &mut ObjectWriter<'_>) {
    named(target, out);
    out.maybe("type", target.kind.as_deref());
}
