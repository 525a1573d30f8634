//! Tests the fields of a Confluence audit record.

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
    for nobody in ["null", "{}", "[]", "7", r#"{"type":"user","displayName":"","accountId":null}"#]
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
        actor(r#"{"type":"user","displayName":"System","accountId":"5b10ac8d82e05b22cc7d4ef5"}"#),
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
