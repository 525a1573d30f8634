//! Writes a line in Elastic Common Schema 9.4.0: <https://www.elastic.co/docs/reference/ecs>.
//!
//! What the schema has a field for stands there; all else that a normalized event says stands below
//! `atlassian`, and the source's record is whole in `event.original`. What is left to those who
//! bring the lines in: `agent` (what shipped them) and `data_stream` (where they go).

mod user;

use std::collections::HashSet;

use crate::model::event::{ActorKind, Event, EventTarget, REMOTE_ADDRESS};
use crate::model::json::write::{ObjectWriter, TextListWriter, object};
use crate::model::record::Record;
use crate::model::source_kind::SourceAddress;
use user::{EventUsers, UserIdentity, is_kind, target_identity};

/// Appends the event as one ECS document.
pub fn append(event: &Event<'_>, record: &Record, out: &mut Vec<u8>) {
    let user = EventUsers::of(event);
    object(out, |out| {
        // A document must have a time; `atlassian.timestamp` says where it is another one.
        out.time("@timestamp", event.best_time());
        out.constant(r#""ecs":{"version":"9.4.0"}"#);
        out.text_if_some("message", event.message.as_deref());
        out.object("labels", |out| event.write_labels(out));
        out.object("event", |out| append_event(event, record, out));
        out.object("user", |out| user.append(out));
        out.object("group", |out| user.append_group(out));
        out.object("source", |out| append_source(event, out));
        out.object("url", |out| out.text_if_some("full", content_url(event)));
        out.object("organization", |out| append_organization(event, out));
        out.object("observer", |out| append_observer(event, out));
        out.object("related", |out| append_related(event, &user, out));
        out.object("atlassian", |out| append_atlassian(event, out));
    });
}

/// No source says why something happened: there is no `event.reason`.
fn append_event(event: &Event<'_>, record: &Record, out: &mut ObjectWriter<'_>) {
    out.constant(r#""kind":"event""#);
    out.text("id", &event.id);
    out.text("action", &event.action);
    let kind = event.meaning.ecs;
    out.texts("category", kind.categories.into_iter().flatten());
    out.texts("type", kind.types.into_iter().flatten());
    out.word("outcome", event.outcome.as_str());
    // When a pipeline first had it: Atlassian's own time, where it is known, else this one.
    out.time("created", event.processed_time.unwrap_or(event.observed_time));
    out.time("ingested", event.observed_time);
    out.constant(r#""module":"atlassian""#);
    out.word("dataset", event.source.kind.descriptor().dataset);
    out.text_if_some("provider", event.product.as_deref());
    out.json_as_text("original", record.doc.text());
}

/// The fields of `source`. `address` takes whatever the source writes there; an index refuses a
/// document whose `ip` is none.
fn append_source(event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    let client = &event.client;
    let ip = client.ip.as_deref();
    out.text_if_some("address", event.label(REMOTE_ADDRESS).or(ip));
    out.text_if_some("ip", ip);
    if let Some(port) = client.port {
        out.integer("port", i64::from(port));
    }
    out.object("geo", |out| {
        out.text_if_some("country_name", client.country.as_deref());
        out.text_if_some("country_iso_code", client.country_code);
        out.text_if_some("region_name", client.region.as_deref());
        out.text_if_some("city_name", client.city.as_deref());
    });
}

/// The URL of the content that was acted on. Pages where people and products are managed have URLs
/// as well; they are with the targets below `atlassian`.
fn content_url<'e>(event: &'e Event<'_>) -> Option<&'e str> {
    const MANAGED: [&str; 5] = ["user", "group", "organization", "site", "product"];
    let is_content = |target: &&EventTarget<'_>| !MANAGED.iter().any(|kind| is_kind(target, kind));
    event.targets.iter().filter(is_content).find_map(|target| target.url.as_deref())
}

/// The fields of `organization`. Its name is known only where it is a target, as the events of an
/// organization often have.
fn append_organization(event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    let Some(id) = event.source.org_id else {
        return;
    };
    out.text("id", id);
    let mut targets = event.targets.iter();
    let own = targets.find(|it| is_kind(it, "organization") && it.id.as_deref() == Some(id));
    out.text_if_some("name", own.and_then(|target| target.name.as_deref()));
}

/// The fields of `observer`: what makes the events. What carries them, as this program, is none
/// (ECS, observer).
fn append_observer(event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    let descriptor = event.source.kind.descriptor();
    out.constant(r#""vendor":"Atlassian""#);
    out.constant(match descriptor.address {
        SourceAddress::Organization | SourceAddress::Site => r#""type":"saas""#,
        SourceAddress::Server => r#""type":"application""#,
    });
    out.text(
        "product",
        match event.product.as_deref() {
            None => descriptor.product,
            // Else one source would have two names for the administration.
            Some("organization") => "Atlassian Administration",
            Some(product) => product,
        },
    );
    // The name that the user gave it.
    out.text("name", event.source.name);
    out.text_if_some("hostname", event.source.site.and_then(host));
}

/// The host of a site; a Data Center's may have a port and a path after it.
fn host(site: &str) -> Option<&str> {
    let site = site.split('/').next()?;
    let host = match site.strip_prefix('[') {
        Some(ip) => ip.split(']').next()?,
        None => site.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// The fields of `related`: all that a document names, in one place to search. Nothing twice, and
/// no actor that is nobody's account.
fn append_related(event: &Event<'_>, users: &EventUsers<'_>, out: &mut ObjectWriter<'_>) {
    out.text_list("user", |list| {
        let mut seen = DistinctTexts::default();
        let actor = match event.actor.kind {
            Some(ActorKind::System) => UserIdentity::default(),
            _ => users.actor,
        };
        let targets = event.targets.iter().filter(|target| is_kind(target, "user"));
        let targets = targets.map(target_identity);
        let people = [actor, users.effective].into_iter().chain(targets);
        let texts = people.flat_map(|it| it.texts());
        texts
            .chain(users.target.texts())
            .chain(users.changes.texts())
            .for_each(|text| seen.push(text, list));
    });
    out.text_list("ip", |list| {
        let client = &event.client;
        if client.forwarded.is_empty() {
            client.ip.iter().for_each(|ip| list.push(ip));
            return;
        }
        let mut seen = DistinctTexts::default();
        let ips = client.ip.iter().chain(&client.forwarded);
        ips.for_each(|ip| seen.push(ip, list));
    });
    out.texts("hosts", event.source.site.and_then(host).into_iter());
}

/// So many texts are held against each other one by one.
const MAX_LINEAR: usize = 16;

/// The texts that stand in a list already.
#[derive(Default)]
struct DistinctTexts<'t> {
    few: Vec<&'t str>,
    /// Those beyond the few: a record may name thousands.
    many: HashSet<&'t str>,
}

impl<'t> DistinctTexts<'t> {
    /// Writes `text` into `list`, if it does not stand there.
    fn push(&mut self, text: &'t str, list: &mut TextListWriter<'_>) {
        if self.few.contains(&text) {
            return;
        }
        if self.few.len() < MAX_LINEAR {
            self.few.push(text);
        } else if !self.many.insert(text) {
            return;
        }
        list.push(text);
    }
}

/// The fields of `atlassian`: what a normalized event says and ECS has no field for, in the words
/// of a normalized event.
fn append_atlassian(event: &Event<'_>, out: &mut ObjectWriter<'_>) {
    out.word("schema", event.schema);
    out.object("source", |out| event.source.write(out));
    if let Some(other) = event.substitute_time() {
        out.word("timestamp", other);
    }
    if let Some(time) = event.processed_time {
        out.time("processed_time", time);
    }
    out.word("category", event.category.as_str());
    out.text_if_some("product", event.product.as_deref());
    out.object("actor", |out| {
        if let Some(kind) = event.actor.kind {
            out.word("type", kind.as_str());
        }
        out.object("auth", |out| event.actor.auth.write(out));
    });
    out.objects("targets", event.targets.iter(), |out, target| target.write(out));
    out.objects("changes", event.changes.iter(), |out, change| change.write(out));
    out.object("client", |out| {
        event.client.write_forwarded(out);
        out.text_if_some("geo", event.client.geo.as_deref())
    });
}

#[cfg(test)]
mod any_event_tests;
#[cfg(test)]
mod tests;
