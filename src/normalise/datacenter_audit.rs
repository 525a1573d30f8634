//! Reads the fields of a Data Center's audit event (auditing REST API 1.0).

use crate::model::event::{ActorKind, Event, EventActor, EventText};
use crate::model::json::Node;
use crate::model::record::Record;
use crate::normalise::fields::{
    add_labels, change, fill_action, items, join_message, known, target,
};
use crate::normalise::people::is_word;
use crate::normalise::taxonomy::{self, Taxonomy};

/// The products that share the API.
const PRODUCTS: [&str; 3] = ["jira", "confluence", "bitbucket"];

/// The longest extra attribute that a message takes in, and the longest list of them, in bytes.
const SHORT: usize = 80;
const SHORT_LIST: usize = 240;

/// The fields that are read: those of texts first.
const FIELDS: [&str; 9] = [
    "source",
    "method",
    "node",
    "system",
    "author",
    "type",
    "affectedObjects",
    "changedValues",
    "extraAttributes",
];

/// Fills `event` with what `record` says, and returns the node with the client's address. The
/// label `self_inflicted` marks the trace that reading the log, by the account `reader`, leaves in
/// the log.
pub fn fill<'a>(
    event: &mut Event<'a>,
    record: &'a Record,
    taxonomy: &Taxonomy,
    reader: Option<&str>,
) -> Option<EventText<'a>> {
    let root = record.doc.root();
    let [texts @ .., author, kind, objects, changed, extra] = root.fields(FIELDS);
    let [ip, method, node, system] = texts.map(|field| field.and_then(Node::text));
    let kind = kind.map(ActionType::of).unwrap_or_default();
    fill_action(event, taxonomy, kind.action(), kind.category.as_deref());
    event.product = product(&kind, system.as_deref());
    event.actor = author.map(actor).unwrap_or_default();
    event.targets = known(items(objects).map(|node| target(node.fields(["type", "id", "name"]))));
    event.changes = known(items(changed).map(|node| {
        // Other versions than those seen may name the parts as Confluence Cloud does.
        let [key, name, i18n_key, from, old, to, new] =
            node.fields(["key", "name", "i18nKey", "from", "oldValue", "to", "newValue"]);
        change([key, name, i18n_key], [from, old], [to, new])
    }));
    let is_trace = kind.is_audit_search() && is_author(reader, author);
    event.message = join_message(kind.text, extra.and_then(attributes));
    let labels = [
        ("category", kind.category),
        ("method", method),
        ("node", node),
        ("system", system),
        ("self_inflicted", is_trace.then_some(EventText::Borrowed("true"))),
    ];
    add_labels(event, labels);
    ip
}

/// What happened, in words and as the keys of their translations.
#[derive(Default)]
struct ActionType<'a> {
    text: Option<EventText<'a>>,
    key: Option<EventText<'a>>,
    category: Option<EventText<'a>>,
    category_key: Option<EventText<'a>>,
}

impl<'a> ActionType<'a> {
    fn of(node: Node<'a>) -> ActionType<'a> {
        let fields = node.fields(["action", "actionI18nKey", "category", "categoryI18nKey"]);
        let [text, key, category, category_key] = fields.map(|field| field.and_then(Node::text));
        ActionType { text, key, category, category_key }
    }

    /// The action in snake_case; the last part of its key where it has no words.
    fn action(&self) -> Option<String> {
        let of_key = || taxonomy::snake_case(self.key.as_deref()?.rsplit('.').next()?);
        let text = self.text.as_deref();
        text.and_then(taxonomy::snake_case).or_else(of_key)
    }

    /// Whether someone searched the audit log, by the key
    /// (`atlassian.audit.event.action.audit.search`), which is the same in every language, or by
    /// the words (`Audit Log search performed`).
    fn is_audit_search(&self) -> bool {
        let tells = |text: &str| {
            let text = text.to_ascii_lowercase();
            let words = text.split(|c: char| !c.is_alphanumeric());
            let telling: Vec<&str> =
                words.filter(|word| !matches!(*word, "" | "log" | "performed")).collect();
            telling.ends_with(&["audit", "search"])
        };
        [&self.key, &self.text].into_iter().flatten().any(|text| tells(text))
    }
}

/// The product whose name is a word of a key, or else the only one whose name is in the address of
/// the system.
fn product<'a>(kind: &ActionType<'_>, system: Option<&str>) -> Option<EventText<'a>> {
    let [action, category] = [&kind.key, &kind.category_key].map(Option::as_deref);
    let found = [action, category, system].into_iter().flatten().find_map(product_in);
    found.map(EventText::Borrowed)
}

fn product_in(text: &str) -> Option<&'static str> {
    let is_in = |name: &str| {
        text.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case(name))
    };
    let mut named = PRODUCTS.into_iter().filter(|name| is_in(name));
    named.next().filter(|_| named.next().is_none())
}

fn actor(author: Node<'_>) -> EventActor<'_> {
    let [kind, id, name] = author.fields(["type", "id", "name"]);
    let [kind, name] = [kind, name].map(|field| field.and_then(Node::text));
    let id = id.and_then(Node::scalar);
    EventActor {
        kind: actor_kind(kind.as_deref(), id.as_deref(), name.as_deref()),
        id,
        name,
        ..EventActor::default()
    }
}

/// The type of an author. The products write `user` also for `Anonymous`, whose id is -2, and have
/// -1 for `System` (the first is seen in elastic/integrations, atlassian_jira); a person may bear
/// such a name, with an id of their own.
fn actor_kind(kind: Option<&str>, id: Option<&str>, name: Option<&str>) -> Option<ActorKind> {
    let says = |word| is_word(kind, word) || is_word(id.or(name), word);
    if id == Some("-2") || says("anonymous") {
        return Some(ActorKind::Anonymous);
    }
    if id == Some("-1") || says("system") {
        return Some(ActorKind::System);
    }
    // `ApplicationUser` (Jira), `user` (Confluence), `NORMAL` (Bitbucket).
    let is_user = |kind: &str| {
        let kind = kind.to_ascii_lowercase();
        kind.ends_with("user") || kind == "normal"
    };
    let is_someone = id.is_some() || name.is_some();
    (is_someone && kind.is_none_or(is_user)).then_some(ActorKind::User)
}

/// Whether `author` is the account that reads the log: by name or id, or by the account's name at
/// the end of the address of its profile, since Confluence's `name` is the full one.
fn is_author(reader: Option<&str>, author: Option<Node<'_>>) -> bool {
    let (Some(reader), Some(author)) = (reader, author) else {
        return false;
    };
    let [name, id, profile] = author.fields(["name", "id", "uri"]);
    let named = [name, id].map(|field| field.and_then(Node::scalar));
    let profile = profile.and_then(Node::text);
    let account = profile.as_deref().and_then(|uri| uri.rsplit(['=', '/']).next());
    let reader = reader.to_lowercase();
    let mut known = named.iter().flatten().map(|text| &**text).chain(account);
    !reader.is_empty() && known.any(|text| text.to_lowercase() == reader)
}

/// The extra attributes as words (`Token Name ci, Scope read`), without those that are long, code
/// or nameless.
fn attributes<'a>(list: Node<'a>) -> Option<EventText<'a>> {
    let mut words = String::new();
    for attribute in list.items() {
        let [name, value] = attribute.fields(["name", "value"]);
        let (Some(name), Some(value)) = (name.and_then(Node::text), value.and_then(Node::scalar))
        else {
            continue;
        };
        let is_code = value.starts_with(['{', '[']) || value.contains(char::is_control);
        let length = name.len() + value.len();
        if is_code || length > SHORT || words.len() + length > SHORT_LIST {
            continue;
        }
        let mark = if words.is_empty() { "" } else { ", " };
        words.extend([mark, &name, " ", &value]);
    }
    (!words.is_empty()).then_some(EventText::Owned(words))
}

#[cfg(test)]
#[path = "datacenter_audit_tests.rs"]
mod tests;
