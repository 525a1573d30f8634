//! Reads the fields of a Confluence audit record (Confluence Cloud REST API v1, audit).

use crate::model::event::{ActorKind, Event, EventActor, EventText, UNIDENTIFIED};
use crate::model::json::Node;
use crate::model::record::Record;
use crate::normalise::fields::{
    add_labels, change, fill_cloud, first_scalar, first_text, items, known, target,
};
use crate::normalise::people::{INTERNAL_SYSTEM, is_word};
use crate::normalise::stated_outcome;
use crate::normalise::taxonomy::Taxonomy;

/// The fields that are read: those of texts first.
const FIELDS: [&str; 10] = [
    "summary",
    "description",
    "remoteAddress",
    "category",
    "sysAdmin",
    "superAdmin",
    "author",
    "affectedObject",
    "associatedObjects",
    "changedValues",
];

/// Fills `event` with what `record` says, and returns the node with the client's address.
pub fn fill<'a>(
    event: &mut Event<'a>,
    record: &'a Record,
    taxonomy: &Taxonomy,
) -> Option<EventText<'a>> {
    let root = record.doc.root();
    let [texts @ .., sys_admin, super_admin, author, object, associated, changed] =
        root.fields(FIELDS);
    let [summary, description, ip, filed_as] = texts.map(|field| field.and_then(Node::text));
    fill_cloud(event, taxonomy, "confluence", [summary, description.clone(), filed_as]);
    stated_outcome::weigh_description(event, description.as_deref());
    event.actor = author.map(actor).unwrap_or_default();
    event.targets = known(object.into_iter().chain(items(associated)).map(|node| {
        let [kind, name] = node.fields(["objectType", "name"]);
        target([kind, None, name])
    }));
    event.changes = known(items(changed).map(|node| {
        let [field, from, to, hidden_from, hidden_to] =
            node.fields(["name", "oldValue", "newValue", "hiddenOldValue", "hiddenNewValue"]);
        change([field], [from, hidden_from], [to, hidden_to])
    }));
    let labels = [
        ("sysAdmin", sys_admin.and_then(flag)),
        ("superAdmin", super_admin.and_then(flag)),
        ("externalCollaborator", author.and_then(is_external)),
    ];
    add_labels(event, labels);
    ip
}

/// A boolean's word; nothing for another type.
fn flag(node: Node<'_>) -> Option<EventText<'_>> {
    matches!(node.raw(), "true" | "false").then(|| EventText::Borrowed(node.raw()))
}

/// Whether the author is a guest from outside: the field has two names.
fn is_external(author: Node<'_>) -> Option<EventText<'_>> {
    let names = author.fields(["externalCollaborator", "isExternalCollaborator"]);
    names.into_iter().flatten().find_map(flag)
}

/// The author. Confluence says `user` of its own System as well, which has no account (seen in
/// elastic/integrations, atlassian_confluence); a person may bear that name, with one.
fn actor(author: Node<'_>) -> EventActor<'_> {
    let [said, account_kind, account, key, username, name, public] = author.fields([
        "type",
        "accountType",
        "accountId",
        "userKey",
        "username",
        "displayName",
        "publicName",
    ]);
    let [said, account_kind] = [said, account_kind].map(|field| field.and_then(Node::text));
    let (said, account_kind) = (said.as_deref(), account_kind.as_deref());
    let account = account.and_then(Node::scalar);
    let has_account = account.is_some();
    let id = account.or_else(|| first_scalar([key, username]));
    let name = first_text([name, public]);
    let shown = id.as_deref().or(name.as_deref());
    let is_called = |word| is_word(said, word) || is_word(shown, word);
    let kind = match shown {
        _ if is_word(account_kind, "app") => Some(ActorKind::App),
        _ if has_account => Some(ActorKind::User),
        _ if is_called("anonymous") => Some(ActorKind::Anonymous),
        _ if is_called("system") || is_word(name.as_deref(), INTERNAL_SYSTEM) => {
            Some(ActorKind::System)
        }
        _ if is_called(UNIDENTIFIED) => None,
        Some(_) if is_word(said, "user") || is_word(said, "known") => Some(ActorKind::User),
        _ => None,
    };
    EventActor { kind, id, name, ..EventActor::default() }
}

#[cfg(test)]
#[path = "confluence_audit_tests.rs"]
mod tests;
