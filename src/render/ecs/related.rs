//! Owns `related`: all that a document names, in one place to search. Nothing twice.

use std::collections::HashSet;

use crate::model::event::Event;
use crate::model::json::write::{ObjectWriter, TextListWriter};
use crate::render::ecs::source::host;
use crate::render::ecs::user::{EventUsers, identity, is_kind};

/// The fields of `related`.
pub fn append(event: &Event<'_>, users: &EventUsers<'_>, out: &mut ObjectWriter<'_>) {
    out.text_list("user", |list| {
        let mut seen = DistinctTexts::default();
        let actor = &event.actor;
        let behalf = &actor.on_behalf_of;
        let people = [
            identity(&actor.id, &actor.name, &actor.email),
            identity(&behalf.id, &behalf.name, &behalf.email),
        ];
        let targets = event.targets.iter().filter(|target| is_kind(target, "user"));
        let targets = targets.map(|target| identity(&target.id, &target.name, &target.email));
        let texts = people.into_iter().chain(targets).flat_map(|it| it.texts());
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
    out.text_list("hosts", |list| {
        let host = event.source.site.and_then(host);
        host.into_iter().for_each(|host| list.push(host));
    });
}

/// So many texts are held against each other one by one.
const MAX_LINEAR: usize = 16;

/// The texts that stand in a list already.
#[derive(Default)]
struct DistinctTexts<'t> {
    few: [&'t str; MAX_LINEAR],
    count: usize,
    /// Those beyond the few: a record may name thousands.
    many: Option<HashSet<&'t str>>,
}

impl<'t> DistinctTexts<'t> {
    /// Writes `text` into `list`, if it does not stand there.
    #[inline]
    fn push(&mut self, text: &'t str, list: &mut TextListWriter<'_>) {
        let few = self.few.get(..self.count).unwrap_or_default();
        if few.contains(&text) {
            return;
        }
        match self.few.get_mut(self.count) {
            Some(place) => {
                *place = text;
                self.count += 1;
            }
            None if !self.many.get_or_insert_default().insert(text) => return,
            None => {}
        }
        list.push(text);
    }
}
