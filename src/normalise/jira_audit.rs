//! Reads the fields of a Jira audit record (Jira Cloud REST API v3, audit records).

use crate::model::event::{ActorKind, Event, EventActor, EventTarget, EventText, TargetParent};
use crate::model::json::Node;
use crate::model::record::Record;
use crate::normalise::fields::{add_labels, change, fill_cloud, items, known, target};
use crate::normalise::people::actor_kind;
use crate::normalise::stated_outcome;
use crate::normalise::taxonomy::Taxonomy;

/// The fields that are read: those of texts first.
const FIELDS: [&str; 10] = [
    "summary",
    "description",
    "remoteAddress",
    "category",
    "eventSource",
    "authorAccountId",
    "authorKey",
    "objectItem",
    "associatedItems",
    "changedValues",
];

/// Fills `event` with what `record` says, and returns the node with the client's address.
pub fn fill<'a>(
    event: &mut Event<'a>,
    record: &'a Record,
    taxonomy: &Taxonomy,
) -> Option<EventText<'a>> {
    let root = record.doc.root();
    let [texts @ .., account, key, object, associated, changed] = root.fields(FIELDS);
    let [summary, description, ip, filed_as, event_source] =
        texts.map(|field| field.and_then(Node::text));
    fill_cloud(event, taxonomy, "jira", [summary, description.clone(), filed_as]);
    stated_outcome::weigh_description(event, description.as_deref());
    event.actor = actor(account.and_then(Node::scalar), key.and_then(Node::scalar));
    event.targets = known(object.into_iter().chain(items(associated)).map(thing));
    event.changes = known(items(changed).map(|node| {
        let [field, from, to] = node.fields(["fieldName", "changedFrom", "changedTo"]);
        change([field], [from], [to])
    }));
    add_labels(event, [("eventSource", event_source)]);
    ip
}

/// The author. Jira names nobody for what it did itself or could not tell; neither do we.
fn actor<'a>(account: Option<EventText<'a>>, key: Option<EventText<'a>>) -> EventActor<'a> {
    let has_account = account.is_some();
    let Some(id) = account.or(key) else {
        return EventActor::default();
    };
    let hinted = actor_kind([Some(&id), None, None, None], false);
    // A key such as `administrator` has no form to tell by; only an account is surely a user's.
    let kind = match (hinted, &*id) {
        (Some(ActorKind::System), "system") => Some(ActorKind::System),
        (Some(ActorKind::System), _) if has_account => Some(ActorKind::User),
        (Some(ActorKind::System), _) => None,
        (hinted, _) => hinted,
    };
    EventActor { kind, id: Some(id), ..EventActor::default() }
}

fn thing(node: Node<'_>) -> EventTarget<'_> {
    let [kind, id, name, parent_id, parent_name] =
        node.fields(["typeName", "id", "name", "parentId", "parentName"]);
    let parent = TargetParent {
        id: parent_id.and_then(Node::scalar),
        name: parent_name.and_then(Node::text),
    };
    EventTarget { parent, ..target([kind, id, name]) }
}

#[cfg(test)]
mod tests {
    use crate::model::name::SourceKind;
    use crate::normalise::testing::normalised;
    use serde_json::{Value, json};

    fn event(text: &str) -> Value {
        normalised(SourceKind::JiraAudit, text)
    }

    #[test]
    fn a_type_without_letters_is_absent() {
        let event = event(r#"{"objectItem":{"name":"x","typeName":"$"}}"#);
        assert_eq!(event["targets"], json!([{"name": "x"}]));
    }

    #[test]
    fn a_full_record() {
        let event = event(
            r#"{"id":357,"summary":"User added to group","remoteAddress":"198.51.100.20","authorKey":"ug:0f",
              "authorAccountId":"712020:3f0d","created":"2026-11-12T16:28:10.570+0000","category":"group management",
              "eventSource":"","description":"By hand",
              "objectItem":{"id":"admins","name":"admins","typeName":"GROUP","parentId":"1","parentName":"Directory"},
              "changedValues":[{"fieldName":"Name","changedTo":"x"},{"fieldName":"n","changedFrom":"","changedTo":null}],
              "associatedItems":[{"id":"712020:9c","name":"Bo","typeName":"CUSTOM FIELD"}]}"#,
        );
        assert_eq!(
            event,
            json!({
                "schema": "atlaudit/1", "id": "jira:acme.example:357",
                "source": {"name": "acme", "type": "jira-audit", "org_id": "org-1", "site": "acme.example"},
                "time": "2026-11-20T09:30:00.000Z", "observed_time": "2026-11-21T00:00:00.000Z",
                "action": "user_added_to_group", "category": "group", "outcome": "success",
                "message": "User added to group: By hand", "product": "jira",
                "actor": {"type": "user", "id": "712020:3f0d"},
                "targets": [
                    {"type": "group", "id": "admins", "name": "admins", "parent": {"id": "1", "name": "Directory"}},
                    {"type": "custom_field", "id": "712020:9c", "name": "Bo"}],
                "changes": [{"field": "Name", "to": "x"}, {"field": "n"}],
                "client": {"ip": "198.51.100.20"},
                "labels": {"category": "group management"}
            })
        );
    }

    #[test]
    fn authors_of_every_kind() {
        let actor = |fields: &str| {
            let text = format!(r#"{{"id":1,"summary":"X changed"{fields}}}"#);
            event(&text).get("actor").cloned().unwrap_or_default()
        };
        assert_eq!(actor(""), Value::Null);
        assert_eq!(actor(r#","authorAccountId":"","authorKey":null"#), Value::Null);
        assert_eq!(
            actor(r#","authorAccountId":"5b10ac8d82e05b22cc7d4ef5""#),
            json!({"type": "user", "id": "5b10ac8d82e05b22cc7d4ef5"})
        );
        assert_eq!(actor(r#","authorKey":"administrator""#), json!({"id": "administrator"}));
        assert_eq!(actor(r#","authorKey":"system""#), json!({"type": "system", "id": "system"}));
    }

    #[test]
    fn jiras_category_never_overrides_authentication() {
        let category = |summary: &str, category: &str| {
            event(&format!(r#"{{"summary":"{summary}","category":"{category}"}}"#))["category"]
                .clone()
        };
        assert_eq!(category("Something happened", "Permissions"), "permission");
        assert_eq!(category("User login failed", "user management"), "authentication");
        assert_eq!(category("Custom field created", "nonsense"), "configuration");
        assert_eq!(category("Something happened", ""), "other");
    }

    #[test]
    fn what_has_no_summary_is_unparsed() {
        for text in ["null", "[]", "{}", r#"{"summary":7}"#, r#"{"summary":"--"}"#] {
            assert_eq!(event(text)["action"], "unparsed", "{text}");
        }
    }
}
