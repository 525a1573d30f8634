//! Owns the object `entity`: whatever it is that was managed.

use crate::model::event::Target;
use crate::model::json::write::Fields;
use crate::render::ocsf::class::Plan;
use crate::render::ocsf::people::Principal;
use crate::render::ocsf::place::Kind;

/// Writes the object: the first target that can be named; else the organization, else the site, else the source as its
/// configuration names it, for something of those it was.
pub fn write(plan: &Plan<'_>, out: &mut Fields<'_>) {
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

fn of_target(target: &Target<'_>, user: Option<&Principal<'_>>, out: &mut Fields<'_>) {
    if let Some(user) = user {
        out.maybe("uid", user.uid);
        out.maybe("name", user.name);
        out.constant(r#""type_id":2,"type":"User""#);
        return out.object("user", |out| user.write(out));
    }
    match Kind::of(target) {
        Kind::Group => {
            named(target, out);
            out.constant(r#""type_id":3,"type":"Group""#);
            out.object("group", |out| named(target, out));
        }
        Kind::Organization => {
            named(target, out);
            out.constant(r#""type_id":4,"type":"Organization""#);
            out.object("org", |out| named(target, out));
        }
        Kind::Policy => {
            named(target, out);
            out.constant(r#""type_id":5,"type":"Policy""#);
            out.object("policy", |out| of_kind(target, out));
        }
        Kind::User | Kind::Site | Kind::Product | Kind::Privilege | Kind::Thing => {
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
pub fn named(target: &Target<'_>, out: &mut Fields<'_>) {
    out.maybe("uid", target.id.as_deref());
    out.maybe("name", target.name.as_deref());
}

/// Id, name and the source's word for what it is.
pub fn of_kind(target: &Target<'_>, out: &mut Fields<'_>) {
    named(target, out);
    out.maybe("type", target.kind.as_deref());
}
