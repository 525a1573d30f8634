//! The object `unmapped`: what a normalized event has and OCSF has no attribute for, or not of that type, under the
//! keys of the normalized event.

use crate::model::event::{ActorKind, Event, EventClient, EventTarget, TargetParent};
use crate::model::json::write::ObjectWriter;
use crate::render::ocsf::people::APP_LABEL;
use crate::render::ocsf::render_plan::{RenderPlan, TargetAttribute};

/// Writes its fields.
pub fn write(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    let event = plan.event;
    if event.time.is_none() {
        // `time` is required. The label says where it comes from.
        let word = match event.processed_time {
            Some(_) => "processed_time",
            None => "observed_time",
        };
        out.word("time_is", word);
    }
    out.word("category", event.category.as_str());
    out.object("source", |out| {
        // The tenant is the organization, where there is one.
        out.text_if_some("site", event.source.site.filter(|_| event.source.org_id.is_some()));
    });
    out.object("actor", |out| actor(plan, event, out));
    let targets = event.targets.iter().enumerate();
    let left = targets.filter(|(index, target)| has_unmapped_fields(plan, *index, target));
    out.objects("targets", left, |out, (_, target)| target.write(out));
    let changes = event.changes.iter().filter(|change| !change.is_empty());
    out.objects("changes", changes, |out, change| change.write(out));
    out.object("client", |out| client(plan, &event.client, out));
    out.object("labels", |out| {
        for (key, value) in &event.labels {
            if *key != APP_LABEL {
                out.text(key, value);
            }
        }
    });
}

fn actor(plan: &RenderPlan<'_>, event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    let actor = &event.actor;
    let user = plan.actor.user;
    if user.is_none() {
        out.text_if_some("type", actor.kind.map(ActorKind::as_str));
    }
    if user.is_none_or(|user| user.email.is_none()) {
        out.text_if_some("email", actor.email.as_deref());
    }
    out.object("auth", |out| {
        // A token's id and type are with the user, who has it.
        let is_with_user = user.is_some() && actor.auth.token_id.is_some();
        if !is_with_user {
            out.text_if_some("type", actor.auth.kind.as_deref());
            out.text_if_some("token_id", actor.auth.token_id.as_deref());
        }
        out.text_if_some("token_label", actor.auth.token_label.as_deref());
    });
    out.object("on_behalf_of", |out| {
        out.text_if_some("id", actor.on_behalf_of.id.as_deref());
        out.text_if_some("name", actor.on_behalf_of.name.as_deref());
        out.text_if_some("email", actor.on_behalf_of.email.as_deref());
    });
}

/// Whether something of the target at `index` stands nowhere else.
fn has_unmapped_fields(plan: &RenderPlan<'_>, index: usize, target: &EventTarget<'_>) -> bool {
    match TargetAttribute::of(plan, index, target) {
        _ if target.is_empty() => false,
        // A privilege is a text, and has no id and no type.
        TargetAttribute::Unmapped | TargetAttribute::Privilege => true,
        place => {
            let user = match place {
                TargetAttribute::User => plan.user,
                TargetAttribute::Entity => plan.entity_user,
                _ => None,
            };
            let has_email = user.is_some_and(|user| user.email.is_some());
            target.email.is_some() && !has_email || target.parent != TargetParent::default()
        }
    }
}

fn client(plan: &RenderPlan<'_>, client: &EventClient<'_>, out: &mut ObjectWriter<'_>) {
    let from = &plan.src_endpoint;
    let unless = |is_written: bool| move |_: &&str| !is_written;
    let has_place = from.has_place();
    if !has_place {
        client.write_forwarded(out);
    }
    let country = client.country.as_deref();
    out.text_if_some("country", country.filter(unless(from.country.is_some())));
    out.text_if_some("region", client.region.as_deref().filter(unless(has_place)));
    out.text_if_some("city", client.city.as_deref().filter(unless(has_place)));
    out.text_if_some("geo", client.geo.as_deref());
}
