//! Reads the fields of a Confluence audit record (Confluence Cloud REST API v1, audit).

use crate::model::event::{
    ActorKind, Event, EventActor, EventTarget, EventText, FieldChange, TargetParent,
};
use crate::model::json::Node;
use crate::model::meaning::Category;
use crate::model::record::Record;
use crate::normalise::{client_address, join_message, taxonomy};

/// Confluence's own categories and ours.
const CATEGORIES: [(&str, Category); 13] = [
    ("users and groups", Category::Account),
    ("permissions", Category::Permission),
    ("apps", Category::App),
    ("add-ons", Category::App),
    ("spaces", Category::Content),
    ("pages", Category::Content),
    ("content", Category::Content),
    ("page templates", Category::Content),
    ("auditing", Category::Configuration),
    ("audit log", Category::Configuration),
    ("global administration", Category::Configuration),
    ("global settings", Category::Configuration),
    ("security", Category::Configuration),
];

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

/// Fills `event` with what `record` says.
pub fn fill<'a>(event: &mut Event<'a>, record: &'a Record) {
    let root = record.doc.root();
    if !root.is_object() {
        return;
    }
    let [texts @ .., sys_admin, super_admin, author, object, associated, changed] =
        root.fields(FIELDS);
    let [summary, description, ip, filed_as] = texts.map(|field| field.and_then(Node::text));
    event.product = Some(EventText::Borrowed("confluence"));
    let action = summary.as_deref().and_then(taxonomy::snake_case);
    if let Some(action) = action {
        (event.meaning, event.outcome) = taxonomy::meaning(&action);
        event.action = EventText::Owned(action);
    }
    event.category =
        taxonomy::choose_category(event.meaning.category, filed_as.as_deref(), &CATEGORIES);
    event.message = join_message(summary, description);
    event.actor = author.map(actor).unwrap_or_default();
    let associated = associated.into_iter().flat_map(Node::items);
    let targets = object.into_iter().chain(associated).map(target);
    event.targets = targets.filter(|target| !target.is_empty()).collect();
    let changes = changed.into_iter().flat_map(Node::items).map(change);
    event.changes = changes.filter(|change| !change.is_empty()).collect();
    let labels = [
        ("category", filed_as),
        ("sysAdmin", sys_admin.and_then(flag)),
        ("superAdmin", super_admin.and_then(flag)),
        ("externalCollaborator", author.and_then(is_external)),
    ];
    let labels = labels.into_iter().filter_map(|(key, value)| Some((key, value?)));
    event.labels.extend(labels);
    client_address::fill(event, ip);
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

fn actor(author: Node<'_>) -> EventActor<'_> {
    let [kind, account_kind, account, key, username, name, public] = author.fields([
        "type",
        "accountType",
        "accountId",
        "userKey",
        "username",
        "displayName",
        "publicName",
    ]);
    let [kind, account_kind] = [kind, account_kind].map(|field| field.and_then(Node::text));
    let account = account.and_then(Node::scalar);
    let known = AuthorInfo {
        kind: kind.as_deref(),
        account_kind: account_kind.as_deref(),
        has_account: account.is_some(),
    };
    let other = || [key, username].into_iter().flatten().find_map(Node::scalar);
    let id = account.or_else(other);
    let name = [name, public].into_iter().flatten().find_map(Node::text);
    EventActor {
        kind: known.actor_kind(id.as_deref(), name.as_deref()),
        id,
        name,
        ..EventActor::default()
    }
}

/// What a record says of its author beside id and name.
struct AuthorInfo<'k> {
    kind: Option<&'k str>,
    account_kind: Option<&'k str>,
    has_account: bool,
}

impl AuthorInfo<'_> {
    /// The type of the author. Confluence says `user` of its own System as well, which has no account
    /// (seen in elastic/integrations, atlassian_confluence); a person may bear that name, with one.
    fn actor_kind(&self, id: Option<&str>, name: Option<&str>) -> Option<ActorKind> {
        let is =
            |text: Option<&str>, word: &str| text.is_some_and(|t| t.eq_ignore_ascii_case(word));
        if is(self.account_kind, "app") {
            return Some(ActorKind::App);
        }
        if self.has_account {
            return Some(ActorKind::User);
        }
        let says = |word| is(self.kind, word) || is(id.or(name), word);
        if says("anonymous") {
            return Some(ActorKind::Anonymous);
        }
        if says("system") {
            return Some(ActorKind::System);
        }
        let is_someone = id.is_some() || name.is_some();
        let is_user = is_someone && (is(self.kind, "user") || is(self.kind, "known"));
        is_user.then_some(ActorKind::User)
    }
}

fn target(node: Node<'_>) -> EventTarget<'_> {
    let [kind, name] = node.fields(["objectType", "name"]);
    EventTarget {
        kind: kind
            .and_then(Node::text)
            .and_then(|name| taxonomy::snake_case(&name))
            .map(EventText::Owned),
        id: None,
        name: name.and_then(Node::text),
        email: None,
        parent: TargetParent::default(),
    }
}

fn change<'a>(node: Node<'a>) -> FieldChange<'a> {
    let [field, from, to, hidden_from, hidden_to] =
        node.fields(["name", "oldValue", "newValue", "hiddenOldValue", "hiddenNewValue"]);
    let first = |values: [Option<Node<'a>>; 2]| values.into_iter().flatten().find_map(Node::scalar);
    FieldChange {
        field: field.and_then(Node::text),
        from: first([from, hidden_from]),
        to: first([to, hidden_to]),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::name::SourceKind;
    use crate::normalise::testing::{normalised, written};
    use serde_json::{Value, json};

    fn event(text: &str) -> Value {
        normalised(SourceKind::ConfluenceAudit, text)
    }

    const FULL: &str = r#"{"author":{"type":"user","displayName":"Ada","operations":null,"isExternalCollaborator":false,
        "username":"712020:3f0d","userKey":"2697","accountId":"712020:3f0d","accountType":"atlassian","publicName":"ada",
        "externalCollaborator":true},"remoteAddress":"198.51.100.9","creationDate":1795167000000,
        "summary":"Space permission added","description":"By hand","category":"Permissions","sysAdmin":false,"superAdmin":true,
        "affectedObject":{"name":"Handbook","objectType":"Space"},
        "changedValues":[{"name":"Type","oldValue":"","newValue":"EDIT","hiddenOldValue":"VIEW","hiddenNewValue":"no"},
            {"name":"Active","oldValue":"Yes","newValue":"No","hiddenOldValue":"","hiddenNewValue":""}],
        "associatedObjects":[{"name":"Bo","objectType":"User"},{"name":"","objectType":""},{"name":"P","objectType":"Blog Post"}]}"#;

    #[test]
    fn a_full_record() {
        let mut event = event(FULL);
        let id = event["id"].take();
        assert!(id.as_str().unwrap().starts_with("confluence:acme.example:"));
        assert_eq!(
            event,
            json!({
                "schema": "atlaudit/1", "id": null,
                "source": {"name": "acme", "type": "confluence-audit", "org_id": "org-1", "site": "acme.example"},
                "time": "2026-11-20T09:30:00.000Z", "observed_time": "2026-11-21T00:00:00.000Z",
                "action": "space_permission_added", "category": "permission", "outcome": "success",
                "message": "Space permission added: By hand", "product": "confluence",
                "actor": {"type": "user", "id": "712020:3f0d", "name": "Ada"},
                "targets": [
                    {"type": "space", "name": "Handbook"},
                    {"type": "user", "name": "Bo"},
                    {"type": "blog_post", "name": "P"}],
                "changes": [
                    {"field": "Type", "from": "VIEW", "to": "EDIT"},
                    {"field": "Active", "from": "Yes", "to": "No"}],
                "client": {"ip": "198.51.100.9"},
                "labels": {"category": "Permissions", "sysAdmin": "false", "superAdmin": "true",
                    "externalCollaborator": "true"}
            })
        );
    }

    #[test]
    fn labels_are_in_order() {
        let line = String::from_utf8(written(SourceKind::ConfluenceAudit, None, FULL)).unwrap();
        let labels = r#""labels":{"category":"Permissions","sysAdmin":"false","superAdmin":"true","externalCollaborator":"true"}}"#;
        assert!(line.ends_with(labels), "{line}");
    }

    #[test]
    fn authors_of_every_kind() {
        let actor = |author: &str| {
            let text = format!(r#"{{"summary":"X changed","author":{author}}}"#);
            event(&text).get("actor").cloned().unwrap_or_default()
        };
        for nobody in
            ["null", "{}", "[]", "7", r#"{"type":"user","displayName":"","accountId":null}"#]
        {
            assert_eq!(actor(nobody), Value::Null, "{nobody}");
        }
        assert_eq!(
            actor(
                r#"{"type":"user","displayName":"System","accountType":"","publicName":"Unknown user"}"#
            ),
            json!({"type": "system", "name": "System"})
        );
        assert_eq!(
            actor(
                r#"{"type":"user","displayName":"System","accountId":"5b10ac8d82e05b22cc7d4ef5"}"#
            ),
            json!({"type": "user", "id": "5b10ac8d82e05b22cc7d4ef5", "name": "System"})
        );
        assert_eq!(
            actor(r#"{"type":"user","displayName":"System","username":"eve"}"#),
            json!({"type": "user", "id": "eve", "name": "System"})
        );
        assert_eq!(
            actor(r#"{"type":"anonymous","displayName":"Nobody"}"#),
            json!({"type": "anonymous", "name": "Nobody"})
        );
        assert_eq!(
            actor(r#"{"type":"user","displayName":"Anonymous"}"#),
            json!({"type": "anonymous", "name": "Anonymous"})
        );
        assert_eq!(
            actor(r#"{"accountId":"557058:a1","accountType":"app","publicName":"Bot"}"#),
            json!({"type": "app", "id": "557058:a1", "name": "Bot"})
        );
        assert_eq!(
            actor(r#"{"type":"user","userKey":"2697","username":"ada","displayName":" "}"#),
            json!({"type": "user", "id": "2697"})
        );
        assert_eq!(actor(r#"{"userKey":"2697"}"#), json!({"id": "2697"}));
    }

    #[test]
    fn the_more_specific_category_wins() {
        let category = |summary: &str, category: &str| {
            let text = format!(r#"{{"summary":"{summary}","category":"{category}"}}"#);
            event(&text)["category"].clone()
        };
        assert_eq!(category("User added to group", "Users and groups"), "group");
        assert_eq!(category("Details updated", "Users and groups"), "account");
        assert_eq!(category("Logo uploaded", "Spaces"), "content");
        assert_eq!(category("Space export completed", "Spaces"), "data_export");
        assert_eq!(category("Content restriction removed", "Pages"), "permission");
        assert_eq!(category("User added to group", "Permissions"), "permission");
        assert_eq!(category("Something happened", "else"), "other");
    }

    #[test]
    fn nothing_is_invented_for_what_is_missing_or_of_another_type() {
        for text in [
            r#"{"summary":"Space created","author":null,"changedValues":null,"affectedObject":{"name":"","objectType":""}}"#,
            r#"{"summary":"Space created","author":{},"changedValues":{},"associatedObjects":{},"sysAdmin":"true"}"#,
            r#"{"summary":"Space created","author":7,"changedValues":[null,7,{}],"affectedObject":[],"superAdmin":1}"#,
            r#"{"summary":"Space created","remoteAddress":" ","description":"","category":{},"author":{"externalCollaborator":"x"}}"#,
        ] {
            let event = event(text);
            let keys: Vec<&String> = event.as_object().unwrap().keys().collect();
            let expected = [
                "action",
                "category",
                "id",
                "message",
                "observed_time",
                "outcome",
                "product",
                "schema",
                "source",
                "time",
            ];
            assert_eq!(keys, expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_summary_is_unparsed_but_keeps_the_rest() {
        for text in ["null", "7", "[]", "{}", r#"{"summary":7}"#, r#"{"summary":"--"}"#] {
            assert_eq!(event(text)["action"], "unparsed", "{text}");
        }
        let event = event(r#"{"summary":null,"description":"d","remoteAddress":"::1"}"#);
        assert_eq!(event["message"], "d");
        assert_eq!(event["client"], json!({"ip": "::1"}));
        assert_eq!(event["outcome"], "unknown");
    }
}
