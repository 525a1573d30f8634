//! Writes the attributes of an event: `metadata`, which event it is and the ways that it came;
//! those that a class has of its own, what it was done to and where; and `unmapped`, what a
//! normalized event has and OCSF has no attribute for, or not of that type, under the keys of the
//! normalized event.

use crate::model::event::{ActorKind, Event, EventClient, EventTarget, FieldChange, TargetParent};
use crate::model::json::Node;
use crate::model::json::write::ObjectWriter;
use crate::model::meaning::OcsfClass;
use crate::model::record::Record;
use crate::model::source_kind::RecordIdentity;
use crate::render::ocsf::ocsf_version::OcsfVersion;
use crate::render::ocsf::people::APP_LABEL;
use crate::render::ocsf::render_plan::{PrivilegeSource, RenderPlan, TargetAttribute, targets_in};
use crate::render::ocsf::target_kind::TargetKind;

/// Writes the object `metadata`.
pub fn write_metadata(plan: &RenderPlan<'_>, record: &Record, out: &mut ObjectWriter<'_>) {
    let (event, version) = (plan.event, plan.version);
    let source = &event.source;
    out.object("metadata", |out| {
        out.constant(version.field());
        if version.is_actor_of_host(plan.class) && !plan.actor.is_empty() {
            out.constant(r#""profiles":["host"]"#);
        }
        out.text("uid", &event.id);
        // Other types of source have none, and the id by content is ours.
        if source.kind.descriptor().identity == RecordIdentity::ApiId
            && version.has_original_event_uid()
        {
            out.text_if_some("original_event_uid", record.id.as_deref());
        }
        out.text("event_code", &event.action);
        out.object("product", |out| {
            out.text("name", product(event));
            out.word("vendor_name", "Atlassian");
        });
        // A workspace may be configured by its cloud id alone.
        let cloud_id = || source.workspace.map(|workspace| workspace.cloud_id.as_str());
        out.text_if_some("tenant_uid", source.org_id.or(source.site).or_else(cloud_id));
        out.word("log_name", source.kind.as_str());
        out.text(version.source_key(), source.name);
        // As the source wrote it: there where the time of the event was read.
        let original_time = source.kind.time_value(record.doc.root()).and_then(Node::scalar);
        out.text_if_some("original_time", original_time.as_deref());
        // Atlassian's own processing is what logs an event; ours is the processing on its way.
        if let Some(time) = event.processed_time {
            out.integer("logged_time", time.timestamp_millis());
        }
        out.integer("processed_time", event.observed_time.timestamp_millis());
    });
}

/// The product that logged it: by the event's own word, else the one whose log it is.
pub fn product<'e>(event: &'e Event<'_>) -> &'e str {
    match event.product.as_deref() {
        None => event.source.kind.descriptor().product,
        Some("jira") => "Jira",
        Some("confluence") => "Confluence",
        Some("organization") => "Atlassian Administration",
        Some("bitbucket") => "Bitbucket",
        Some("trello") => "Trello",
        Some("loom") => "Loom",
        Some("compass") => "Compass",
        Some("guard_detect") => "Guard Detect",
        Some(product) => product,
    }
}

/// Writes the attributes of the class of `plan`.
pub fn write_of_class(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    if let Some(user) = &plan.user {
        out.object("user", |out| user.write(plan.version, out));
    }
    match plan.class {
        OcsfClass::AccountChange => {
            let policies = targets_in(plan, TargetAttribute::Policy);
            let write = |out: &mut ObjectWriter<'_>, target: &EventTarget<'_>| {
                write_policy(plan.version, target, out);
            };
            write_targets(plan, ["policies", "policy"], policies, write, out);
        }
        OcsfClass::Authentication => {
            out.object("service", |out| out.text("name", product(plan.event)));
        }
        OcsfClass::UserAccess => {
            out.texts("privileges", PrivilegeSource::list(plan));
            let resources = targets_in(plan, TargetAttribute::Resource);
            write_targets(plan, ["resources", "resource"], resources, write_with_type, out);
        }
        OcsfClass::GroupManagement => group(plan, out),
        OcsfClass::WebResources => {
            let resources = targets_in(plan, TargetAttribute::WebResource);
            out.objects("web_resources", resources, |out, target| {
                write_with_type(out, target);
                out.text_if_some("url_string", target.url.as_deref());
            });
        }
        OcsfClass::Api => {
            out.object("api", |out| {
                out.text("operation", &plan.event.action);
                out.object("service", |out| out.text("name", product(plan.event)));
            });
            out.objects("resources", targets_in(plan, TargetAttribute::Resource), write_with_type);
        }
        OcsfClass::ApplicationLifecycle => {
            if let Some(target) = plan.target(plan.indices.app) {
                out.object("app", |out| write_id_and_name(out, target));
            }
        }
        OcsfClass::EntityManagement => out.object("entity", |out| write_entity(plan, out)),
    }
    if let Some(to) = &plan.dst_endpoint {
        out.object("dst_endpoint", |out| to.write(out));
    }
}

/// Writes a list of targets, or in a version that has one of them an object, by the keys of these.
fn write_targets<'p>(
    plan: &RenderPlan<'_>,
    [list, one]: [&'static str; 2],
    mut targets: impl Iterator<Item = &'p EventTarget<'p>>,
    write: impl Fn(&mut ObjectWriter<'_>, &EventTarget<'_>),
    out: &mut ObjectWriter<'_>,
) {
    if plan.version.has_lists() {
        return out.objects(list, targets, write);
    }
    if let Some(target) = targets.next() {
        out.object(one, |out| write(out, target));
    }
}

fn group(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    for (key, at) in [("group", plan.indices.group), ("subgroup", plan.indices.subgroup)] {
        if let Some(target) = plan.target(at) {
            out.object(key, |out| write_with_type(out, target));
        }
    }
    out.texts("privileges", PrivilegeSource::list(plan));
    if let Some(target) = plan.target(plan.indices.resource) {
        out.object("resource", |out| write_with_type(out, target));
    }
}

/// Writes the object `entity`, whatever was managed: the first target that can be named; else the
/// organization, else the site, else the source as its configuration names it, for something of
/// those it was.
fn write_entity(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    let source = &plan.event.source;
    let target = plan.target(plan.indices.entity);
    match (target, source.org_id, source.site) {
        (Some(target), _, _) => write_target(plan, target, out),
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

fn write_target(plan: &RenderPlan<'_>, target: &EventTarget<'_>, out: &mut ObjectWriter<'_>) {
    if let Some(user) = &plan.entity_user {
        out.text_if_some("uid", user.uid);
        out.text_if_some("name", user.name);
        out.constant(r#""type_id":2,"type":"User""#);
        return out.object("user", |out| user.write(plan.version, out));
    }
    write_id_and_name(out, target);
    let (fields, key) = match (TargetKind::of(target), target.kind.as_deref()) {
        (TargetKind::Group, _) => (r#""type_id":3,"type":"Group""#, "group"),
        (TargetKind::Organization, _) => (r#""type_id":4,"type":"Organization""#, "org"),
        (TargetKind::Policy, _) => (r#""type_id":5,"type":"Policy""#, "policy"),
        (_, None) => return out.constant(r#""type_id":0,"type":"Unknown""#),
        (_, Some(kind)) => {
            out.json("type_id", b"99");
            return out.text("type", kind);
        }
    };
    out.constant(fields);
    out.object(key, |out| match key {
        "policy" => write_policy(plan.version, target, out),
        "group" => write_with_type(out, target),
        _ => write_id_and_name(out, target),
    });
}

/// Id and name.
fn write_id_and_name(out: &mut ObjectWriter<'_>, target: &EventTarget<'_>) {
    out.text_if_some("uid", target.id.as_deref());
    out.text_if_some("name", target.name.as_deref());
}

fn write_policy(version: OcsfVersion, target: &EventTarget<'_>, out: &mut ObjectWriter<'_>) {
    match version.has_policy_types() {
        true => write_with_type(out, target),
        false => write_id_and_name(out, target),
    }
}

/// Id, name and the source's word for what it is.
fn write_with_type(out: &mut ObjectWriter<'_>, target: &EventTarget<'_>) {
    write_id_and_name(out, target);
    out.text_if_some("type", target.kind.as_deref());
}

/// Writes the fields of `unmapped`.
pub fn write_unmapped(plan: &RenderPlan<'_>, out: &mut ObjectWriter<'_>) {
    let event = plan.event;
    if let Some(other) = event.substitute_time() {
        // `time` is required. The word says where it comes from.
        out.word("time_is", other);
    }
    out.word("category", event.category.as_str());
    // `event_code` is made of it, and the message has more.
    out.text_if_some("summary", event.summary.as_deref());
    out.object("source", |out| {
        // The tenant is the organization, where there is one.
        out.text_if_some("site", event.source.site.filter(|_| event.source.org_id.is_some()));
    });
    out.object("actor", |out| unmapped_actor(plan, event, out));
    let targets = event.targets.iter().enumerate();
    let left = targets.filter(|(index, target)| has_unmapped_fields(plan, *index, target));
    out.objects("targets", left, |out, (_, target)| target.write(out));
    let changes = event.changes.iter().filter(|change| **change != FieldChange::default());
    out.objects("changes", changes, |out, change| change.write(out));
    out.object("client", |out| unmapped_client(plan, &event.client, out));
    out.object("labels", |out| {
        for (key, value) in &event.labels {
            if *key != APP_LABEL {
                out.text(key, value);
            }
        }
    });
}

fn unmapped_actor(plan: &RenderPlan<'_>, event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    let actor = &event.actor;
    let user = plan.actor.user;
    if user.is_none() {
        out.text_if_some("type", actor.kind.map(ActorKind::as_str));
    }
    if user.is_none_or(|user| user.email.is_none()) {
        out.text_if_some("email", actor.email.as_deref());
    }
    out.object("auth", |out| {
        // A token's id is with the user, who has it, and its type where there is a place for it.
        let is_with_user = user.is_some() && actor.auth.token_id.is_some();
        if !is_with_user || !plan.version.has_credential_types() {
            out.text_if_some("type", actor.auth.kind.as_deref());
        }
        if !is_with_user {
            out.text_if_some("token_id", actor.auth.token_id.as_deref());
        }
        out.text_if_some("token_label", actor.auth.token_label.as_deref());
    });
    out.object("on_behalf_of", |out| actor.on_behalf_of.write(out));
}

/// Whether something of the target at `index` stands nowhere else.
fn has_unmapped_fields(plan: &RenderPlan<'_>, index: usize, target: &EventTarget<'_>) -> bool {
    match TargetAttribute::of(plan, index, target) {
        _ if *target == EventTarget::default() => false,
        // A privilege is a text, and has no id and no type.
        TargetAttribute::Unmapped | TargetAttribute::Privilege => true,
        TargetAttribute::Policy if !plan.version.says_policy_kind(target) => true,
        TargetAttribute::Entity
            if TargetKind::of(target) == TargetKind::Policy
                && !plan.version.says_policy_kind(target) =>
        {
            true
        }
        TargetAttribute::App if target.kind.as_deref() != Some("app") => true,
        place => {
            let user = match place {
                TargetAttribute::User => plan.user,
                TargetAttribute::Entity => plan.entity_user,
                _ => None,
            };
            let has_email = user.is_some_and(|user| user.email.is_some());
            let has_url = place == TargetAttribute::WebResource;
            target.email.is_some() && !has_email
                || target.url.is_some() && !has_url
                || target.parent != TargetParent::default()
        }
    }
}

fn unmapped_client(plan: &RenderPlan<'_>, client: &EventClient<'_>, out: &mut ObjectWriter<'_>) {
    let has_place = plan.src_endpoint.ip.is_some();
    if !has_place {
        out.text_if_some("ip", client.ip.as_deref());
        client.write_forwarded(out);
    }
    if plan.src_endpoint.country.is_none() {
        out.text_if_some("country", client.country.as_deref());
        out.text_if_some("country_code", client.country_code);
    }
    if !has_place {
        out.text_if_some("region", client.region.as_deref());
        out.text_if_some("city", client.city.as_deref());
    }
    out.text_if_some("geo", client.geo.as_deref());
}
