//! Reads the fields of a Data Center's audit event: of the auditing REST API 1.0, or of a line of
//! the server's log file, where `type` is called `auditType`.

use crate::model::event::{ActorKind, Event, EventActor, EventText};
use crate::model::json::Node;
use crate::model::meaning::UNKNOWN_MEANING;
use crate::model::record::Record;
use crate::normalise::datacenter_actions;
use crate::normalise::fields::{
    add_labels, change, fill_action, items, join_message, known, target,
};
use crate::normalise::people::is_word;
use crate::normalise::stated_outcome;
use crate::normalise::taxonomy::{self, Taxonomy};

/// The products that share the API.
const PRODUCTS: [&str; 3] = ["jira", "confluence", "bitbucket"];

/// The longest extra attribute that a message takes in, and the longest list of them, in bytes.
const SHORT: usize = 80;
const SHORT_LIST: usize = 240;

/// The fields that are read: those of texts first.
const FIELDS: [&str; 10] = [
    "source",
    "method",
    "node",
    "system",
    "author",
    "type",
    "auditType",
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
    let [texts @ .., author, kind, file_kind, objects, changed, extra] = root.fields(FIELDS);
    let [ip, method, node, system] = texts.map(|field| field.and_then(Node::text));
    let kinds = [kind, file_kind].map(|node| node.map(ActionType::of).unwrap_or_default());
    let [kind, file_kind] = kinds;
    let kind = if file_kind.names_action() && !kind.names_action() { file_kind } else { kind };
    let is_known = |word: &&str| taxonomy::filed_category(event.source.kind, word).is_some();
    let filed_as = kind.category.as_deref().filter(is_known).map(EventText::Borrowed);
    let filed_as = filed_as.or_else(|| kind.category_of_key());
    let action = kind.action(taxonomy);
    fill_action(event, taxonomy, action, filed_as.as_deref());
    stated_outcome::weigh_attributes(event, extra);
    event.product = product(&kind, system.as_deref());
    event.actor = author.map(actor).unwrap_or_default();
    if event.actor.kind == Some(ActorKind::User) {
        event.actor.login = author.and_then(|author| login(author, event.product.as_deref()));
    }
    event.targets = known(items(objects).map(|node| {
        let mut target = target(node.fields(["type", "id", "name"]));
        if target.kind.as_deref() == Some("user") {
            target.login = login(node, event.product.as_deref());
        }
        target
    }));
    event.changes = known(items(changed).map(|node| {
        // Other versions than those seen may name the parts as Confluence Cloud does.
        let [key, name, i18n_key, from, old, to, new] =
            node.fields(["key", "name", "i18nKey", "from", "oldValue", "to", "newValue"]);
        change([key, name, i18n_key], [from, old], [to, new])
    }));
    let is_trace = kind.is_audit_search() && is_author(reader, author);
    event.summary = kind.text.clone();
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

    fn names_action(&self) -> bool {
        self.text.is_some() || self.key.is_some()
    }

    /// The action, with one name in every language where the table has its key. Else that of the
    /// text if the taxonomy has it; if not, that of the key's words if these are understood.
    fn action(&self, taxonomy: &Taxonomy) -> Option<String> {
        let key = self.key.as_deref();
        if let Some(action) = key.and_then(datacenter_actions::find) {
            return Some(action.to_owned());
        }
        let text = self.text.as_deref().and_then(taxonomy::snake_case);
        if text.as_deref().is_some_and(|text| taxonomy.has_row(text)) {
            return text;
        }
        let of_key = key.and_then(|key| datacenter_actions::from_words(key, taxonomy));
        let is_understood = |name: &&String| taxonomy.meaning(name).0 != UNKNOWN_MEANING;
        let understood = [&of_key, &text].into_iter().flatten().find(is_understood).cloned();
        understood.or(of_key).or(text).or_else(|| taxonomy::snake_case(key?))
    }

    /// The category by the end of its key (`audit.logging.category.user.management`), which is the
    /// same in every language; where nothing is after `.category`, by what is before it.
    fn category_of_key(&self) -> Option<EventText<'static>> {
        let key = self.category_key.as_deref()?;
        let end = key.split_once(".category.").map(|(_, end)| end);
        let words = end.or_else(|| key.strip_suffix(".category"))?;
        Some(EventText::Owned(words.replace('.', " ")))
    }

    /// Whether someone searched the audit log, by the key
    /// (`atlassian.audit.event.action.audit.search`), which is the same in every language, or by
    /// the words (`Audit Log search performed`).
    fn is_audit_search(&self) -> bool {
        let says_so = |text: &str| {
            let text = text.to_ascii_lowercase();
            let words = text.split(|c: char| !c.is_alphanumeric());
            let telling: Vec<&str> =
                words.filter(|word| !matches!(*word, "" | "log" | "performed")).collect();
            telling.ends_with(&["audit", "search"])
        };
        [&self.key, &self.text].into_iter().flatten().any(|text| says_so(text))
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
    let product = |word: &str| PRODUCTS.into_iter().find(|name| word.eq_ignore_ascii_case(name));
    let mut named = text.split(|c: char| !c.is_alphanumeric()).filter_map(product);
    let first = named.next()?;
    named.all(|other| other == first).then_some(first)
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

/// The name that the user `node` signs in with: the `name` of Jira and Bitbucket; of Confluence,
/// whose `name` is the full one, the end of the address of the profile (elastic/integrations reads
/// the fields of atlassian_jira and atlassian_confluence so).
fn login<'a>(node: Node<'a>, product: Option<&str>) -> Option<EventText<'a>> {
    if matches!(product, Some("jira" | "bitbucket")) {
        return node.text_of("name");
    }
    let profile = node.text_of("uri")?;
    let is_profile = ["?name=", "?username=", "/users/"].iter().any(|part| profile.contains(part));
    let account = account_in(&profile).filter(|account| is_profile && !account.is_empty())?;
    let (account, _) = url::form_urlencoded::parse(account.as_bytes()).next()?;
    Some(EventText::Owned(account.into_owned()))
}

/// The name of an account at the end of the address of its profile.
fn account_in(profile: &str) -> Option<&str> {
    profile.rsplit(['=', '/']).next()
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
    let account = profile.as_deref().and_then(account_in);
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
