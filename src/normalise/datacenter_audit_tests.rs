//! Tests what a Data Center's audit event becomes.

use crate::model::name::SourceKind;
use crate::normalise::testing::{normalised, with_event, written};
use serde_json::{Value, json};

fn event(text: &str) -> Value {
    normalised(SourceKind::DatacenterAudit, text)
}

/// What `event` says at `key`, or null.
fn part(text: &str, key: &str) -> Value {
    event(text).get(key).cloned().unwrap_or_default()
}

#[test]
fn a_full_event() {
    let mut event = event(
        r#"{"timestamp":"2026-11-20T09:30:00.154Z","author":{"name":"ada","type":"ApplicationUser","id":"10000",
            "uri":"https://jira.example/secure/ViewProfile.jspa?name=ada","avatarUri":""},
          "type":{"categoryI18nKey":"jira.auditing.category.projects","category":"projects",
            "actionI18nKey":"jira.auditing.version.created","action":"Project version created"},
          "affectedObjects":[{"name":"Version 3.0","type":"VERSION","uri":"https://jira.example/x","id":"10002"},
            {"name":"core","type":"PROJECT","id":10000},{"type":"Project Role","name":""}],
          "changedValues":[{"key":"Name","i18nKey":"common.words.name","to":"Version 3.0"},
            {"i18nKey":"version.releasedate","from":"2026-01-01","to":""},
            {"name":"Active","oldValue":true,"newValue":"No"}],
          "source":"203.0.113.9, 10.0.0.7","system":"https://jira.example","node":"n1","method":"Browser",
          "extraAttributes":[{"nameI18nKey":"k","name":"Token Name","value":"ci"},{"name":"Days","value":7},
            {"name":"Query","value":""},{"name":"details","value":"{\"a\":1}"},{"value":"x"},null]}"#,
    );
    let id = event["id"].take();
    assert!(id.as_str().unwrap().starts_with("dc:acme.example:"));
    assert_eq!(
        event,
        json!({
            "schema": "atlaudit/1", "id": null,
            "source": {"name": "acme", "type": "datacenter-audit", "org_id": "org-1", "site": "acme.example"},
            "time": "2026-11-20T09:30:00.000Z", "observed_time": "2026-11-21T00:00:00.000Z",
            "action": "project_version_created", "category": "configuration", "outcome": "success",
            "message": "Project version created: Token Name ci, Days 7", "product": "jira",
            "actor": {"type": "user", "id": "10000", "name": "ada"},
            "targets": [
                {"type": "version", "id": "10002", "name": "Version 3.0"},
                {"type": "project", "id": "10000", "name": "core"},
                {"type": "project_role"}],
            "changes": [
                {"field": "Name", "to": "Version 3.0"},
                {"field": "version.releasedate", "from": "2026-01-01"},
                {"field": "Active", "from": "true", "to": "No"}],
            "client": {"ip": "203.0.113.9", "forwarded": ["10.0.0.7"]},
            "labels": {"category": "projects", "method": "Browser", "node": "n1", "system": "https://jira.example"}
        })
    );
}

#[test]
fn authors_of_every_kind() {
    let actor = |author: &str| part(&format!(r#"{{"author":{author}}}"#), "actor");
    for nobody in ["null", "{}", "[]", "7", r#"{"type":"user","id":"","name":null}"#] {
        assert_eq!(actor(nobody), Value::Null, "{nobody}");
    }
    let cases = [
        (r#"{"name":"admin","type":"NORMAL","id":"2"}"#, json!("user")),
        (r#"{"name":"ada","type":"user","id":"2c96"}"#, json!("user")),
        (r#"{"name":"ada"}"#, json!("user")),
        (r#"{"name":"Anonymous","type":"user","id":"-2"}"#, json!("anonymous")),
        (r#"{"name":"Gast","type":"user","id":-2}"#, json!("anonymous")),
        (r#"{"name":"anonymous"}"#, json!("anonymous")),
        (r#"{"name":"System","type":"system","id":"-1"}"#, json!("system")),
        (r#"{"name":"System","type":"user"}"#, json!("system")),
        (r#"{"name":"System","type":"ApplicationUser","id":"10042"}"#, json!("user")),
        (r#"{"name":"hook","type":"Plugin","id":"9"}"#, Value::Null),
    ];
    for (author, want) in cases {
        let kind = actor(author).get("type").cloned().unwrap_or_default();
        assert_eq!(kind, want, "{author}");
    }
}

#[test]
fn a_login_is_the_name_of_jira_and_bitbucket_and_at_the_end_of_confluences_profile() {
    let logins = |system: &str, user: &str| {
        let text = format!(
            r#"{{"system":"https://{system}","author":{user},"affectedObjects":[{user}]}}"#
        );
        with_event(SourceKind::DatacenterAudit, None, &text, |event| {
            let texts = [&event.actor.login, &event.targets[0].login];
            texts.map(|login| login.as_deref().unwrap_or_default().to_owned())
        })
    };
    let full = |uri: &str| {
        format!(
            r#"{{"type":"user","id":"2c96","name":"Ada Example","uri":"https://x.example{uri}"}}"#
        )
    };
    let ada = ["ada", "ada"];
    let by_name = r#"{"type":"user","id":"JIRAUSER1","name":"ada","uri":"https://x.example/y"}"#;
    assert_eq!(logins("jira.example", by_name), ada);
    assert_eq!(logins("bitbucket.example", by_name), ada);
    assert_eq!(logins("wiki.example/confluence", by_name), ["", ""]);
    assert_eq!(logins("confluence.example", &full("/admin/viewuser.action?username=ada")), ada);
    assert_eq!(logins("tools.example", &full("/secure/ViewProfile.jspa?name=ada")), ada);
    assert_eq!(logins("tools.example", &full("/users/ada")), ada);
    let encoded = full("/admin/viewuser.action?username=ada%40example.com");
    assert_eq!(logins("confluence.example", &encoded), ["ada@example.com", "ada@example.com"]);
    for none in ["/display/x", "/users/", "?username="] {
        assert_eq!(logins("confluence.example", &full(none)), ["", ""], "{none}");
    }
    let system = r#"{"type":"user","id":"-1","name":"System"}"#;
    assert_eq!(logins("jira.example", system)[0], "");
}

#[test]
fn an_ambiguous_product_is_absent() {
    let product = |key: &str, system: &str| {
        let text = format!(r#"{{"type":{{"actionI18nKey":"{key}"}},"system":"{system}"}}"#);
        part(&text, "product")
    };
    assert_eq!(product("bitbucket.service.user.created", "https://jira.example"), "bitbucket");
    assert_eq!(product("atlassian.audit.search", "http://confluence.internal:8090"), "confluence");
    assert_eq!(product("k", "https://tools.example/Jira"), "jira");
    assert_eq!(product("k", "https://jira.example/confluence"), Value::Null);
    assert_eq!(product("k", "https://jirafish.example"), Value::Null);
}

#[test]
fn the_category_is_the_more_telling_one() {
    let category = |action: &str, category: &str| {
        let text = format!(r#"{{"type":{{"action":"{action}","category":"{category}"}}}}"#);
        part(&text, "category")
    };
    assert_eq!(category("Personal access token created", "Security"), "token");
    assert_eq!(category("Username changed", "Users and groups"), "account");
    assert_eq!(category("Project roles changed", "projects"), "permission");
    assert_eq!(category("Issue type scheme changed", "projects"), "configuration");
    assert_eq!(category("RepositoryAccessedEvent", "Repositories"), "content");
    assert_eq!(category("Audit Log search performed", "Auditing"), "configuration");
    assert_eq!(category("Etwas geschah", "sonst"), "other");
}

/// The action, category and outcome of an event of this type.
fn meaning(text: &str, key: &str, category: &str, category_key: &str) -> [Value; 3] {
    let kind = json!({"action": text, "actionI18nKey": key, "category": category,
        "categoryI18nKey": category_key});
    let event = event(&json!({"type": kind}).to_string());
    ["action", "category", "outcome"].map(|part| event[part].clone())
}

#[test]
fn an_action_has_one_name_and_meaning_in_every_language() {
    for (key, texts, want) in [
        (
            "jira.auditing.user.added.to.group",
            ["User added to group", "Benutzer zur Gruppe hinzugefügt"],
            ["user_added_to_group", "group", "success"],
        ),
        (
            "audit.logging.summary.group.membership.added",
            ["User added to group", "Benutzer zur Gruppe hinzugefügt"],
            ["user_added_to_group", "group", "success"],
        ),
        (
            "audit.logging.summary.login.failed",
            ["Login failed", "Échec de connexion"],
            ["login_failed", "authentication", "failure"],
        ),
        (
            "bitbucket.service.project.audit.action.projectcreated",
            ["Project created", "プロジェクトの作成"],
            ["project_created", "configuration", "success"],
        ),
        (
            "personal.access.tokens.audit.log.summary.token.created",
            ["Personal access token created", "Token erstellt"],
            ["personal_access_token_created", "token", "success"],
        ),
    ] {
        for text in texts {
            assert_eq!(meaning(text, key, "", ""), want.map(Value::from), "{key} {text}");
        }
    }
}

#[test]
fn the_key_names_the_action_only_where_the_text_is_in_no_row() {
    let name = |text: &str, key: &str| meaning(text, key, "", "")[0].clone();
    assert_eq!(name("Hat lent", "jira.auditing.hat.rented"), "hat_rented");
    assert_eq!(name("Project created", "jira.auditing.hat.rented"), "project_created");
    assert_eq!(name("Hat lent", "example.hat.lent.out"), "hat_lent");
    assert_eq!(name("Group of hats exported", "jira.auditing.hats.out"), "group_of_hats_exported");
    assert_eq!(name("", "example.hat.lent.out"), "example_hat_lent_out");
    assert_eq!(
        name("Repository accessed by ada", "x.audit.action.repositoryaccessed"),
        "repository_accessed"
    );
}

#[test]
fn the_table_of_keys_names_the_action_whatever_the_text() {
    let key = "bitbucket.service.user.audit.action.userrenamed";
    for text in ["Username changed", "User renamed", "Benutzername geändert", ""] {
        assert_eq!(meaning(text, key, "", "")[0], "username_changed", "{text}");
    }
}

#[test]
fn a_category_in_another_language_is_known_by_its_key() {
    let category = |text: &str, key: &str| meaning("Hat lent", "", text, key)[1].clone();
    for (key, want) in [
        ("jira.auditing.category.usermanagement", "account"),
        ("jira.auditing.category.permissions", "permission"),
        ("audit.logging.category.user.management", "account"),
        ("audit.logging.category.plugins", "app"),
        ("bitbucket.service.audit.category.repositories", "content"),
        ("atlassian.audit.event.category.audit", "configuration"),
        ("example.category.hats", "other"),
    ] {
        assert_eq!(category("Etwas", key), want, "{key}");
    }
    assert_eq!(category("Permissions", "jira.auditing.category.usermanagement"), "permission");
}

#[test]
fn a_line_of_the_log_file_is_read_like_an_event_of_the_api() {
    let event = event(
        r#"{"affectedObjects":[{"id":"JIRAUSER10100","name":"bo","type":"USER"}],
          "auditType":{"action":"Utilisateur créé","actionI18nKey":"jira.auditing.user.created",
            "area":"USER_MANAGEMENT","category":"gestion","categoryI18nKey":"jira.auditing.category.usermanagement","level":"BASE"},
          "author":{"id":"10000","name":"ada","type":"ApplicationUser"},"changedValues":[],"extraAttributes":[],
          "method":"Browser","source":"198.51.100.7","system":"https://jira.example",
          "timestamp":{"epochSecond":1795167000,"nano":154000000},"version":"1.0"}"#,
    );
    assert_eq!(event["action"], "user_created");
    assert_eq!(event["category"], "account");
    assert_eq!(event["product"], "jira");
    assert_eq!(event["message"], "Utilisateur créé");
    assert_eq!(event["targets"], json!([{"type": "user", "id": "JIRAUSER10100", "name": "bo"}]));
}

#[test]
fn the_trace_of_our_own_reading_is_marked() {
    let labels = |reader: Option<&str>, kind: &str, author: &str| {
        let text = format!(r#"{{"type":{kind},"author":{author}}}"#);
        let line = written(SourceKind::DatacenterAudit, reader, &text);
        let event: Value = serde_json::from_slice(&line).unwrap();
        event.get("labels").cloned().unwrap_or_default()
    };
    let marked = json!({"self_inflicted": "true"});
    let words = r#"{"action":"Audit Log search performed"}"#;
    let ada = r#"{"name":"Ada","id":"10000"}"#;
    for (kind, author) in [
        (words, ada),
        (r#"{"actionI18nKey":"atlassian.audit.event.action.audit.search"}"#, ada),
        (
            r#"{"action":"Protokoll durchsucht","actionI18nKey":"x.audit.log.search.performed"}"#,
            ada,
        ),
        (words, r#"{"name":"Someone","id":"ADA"}"#),
        (
            words,
            r#"{"name":"Ada Example","uri":"https://c.example/admin/users/viewuser.action?username=ada"}"#,
        ),
        (words, r#"{"name":"Ada Example","uri":"https://b.example/users/ada"}"#),
    ] {
        assert_eq!(labels(Some("ada"), kind, author), marked, "{kind} {author}");
    }
    for (reader, kind, author) in [
        (None, words, ada),
        (Some("bo"), words, ada),
        (Some("ada"), words, "null"),
        (Some(""), words, r#"{"name":"","uri":"https://b.example/users/"}"#),
        (Some("ada"), r#"{"action":"Audit Log configuration updated"}"#, ada),
        (Some("ada"), r#"{"action":"JQL search performed"}"#, ada),
    ] {
        assert_eq!(labels(reader, kind, author), Value::Null, "{reader:?} {kind} {author}");
    }
}

#[test]
fn an_action_without_words_is_its_key() {
    let action = |kind: &str| part(&format!(r#"{{"type":{kind}}}"#), "action");
    assert_eq!(action(r#"{"action":" ","actionI18nKey":"a.b.hatLent"}"#), "a_b_hatlent");
    assert_eq!(action(r#"{"action":"--","actionI18nKey":"deleted"}"#), "deleted");
    for odd in ["null", "7", "[]", "{}", r#"{"action":[]}"#, r#"{"actionI18nKey":"..."}"#] {
        assert_eq!(action(odd), "unparsed", "{odd}");
    }
    for text in ["null", "7", "[]", "{}"] {
        assert_eq!(part(text, "action"), "unparsed", "{text}");
    }
}

#[test]
fn long_attributes_stay_in_raw() {
    let value = "x".repeat(100);
    let many =
        vec![r#"{"name":"n","value":"0123456789012345678901234567890123456789"}"#; 20].join(",");
    let text = format!(
        r#"{{"type":{{"action":"A"}},"extraAttributes":[{{"name":"n","value":"{value}"}},{many}]}}"#
    );
    let message = part(&text, "message");
    let message = message.as_str().unwrap();
    assert!(message.starts_with("A: n 0123") && message.len() < 300, "{message}");
}

#[test]
fn nothing_is_invented_for_what_is_missing_or_of_another_type() {
    for text in [
        r#"{"type":{"action":"User created"},"author":null,"affectedObjects":null,"changedValues":{},"source":""}"#,
        r#"{"type":{"action":"User created"},"author":[],"affectedObjects":[null,7,{}],"changedValues":[[],{}],"node":7}"#,
        r#"{"type":{"action":"User created","category":" "},"extraAttributes":{"a":1},"system":{},"source":["1"]}"#,
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
            "schema",
            "source",
            "time",
        ];
        assert_eq!(keys, expected, "{text}");
    }
}

#[test]
fn the_log_files_type_counts_where_the_other_names_no_action() {
    for kind in ["{}", "[]", r#""AUDIT""#, r#"{"category":"Apps"}"#] {
        let text = format!(r#"{{"type":{kind},"auditType":{{"action":"User created"}}}}"#);
        assert_eq!(part(&text, "action"), "user_created", "{kind}");
    }
}

#[test]
fn a_category_is_known_by_its_key_or_by_its_text() {
    for (key, category) in [
        ("personal.access.tokens.audit.log.category", "token"),
        ("jira.auditing.category", "configuration"),
        ("jira.auditing.category.boards", "configuration"),
        ("jira.auditing.category.filters", "configuration"),
        ("jira.auditing.category.issuetypes", "configuration"),
        ("audit.logging.category.auth", "authentication"),
        ("audit.logging.category.import.export", "configuration"),
        ("audit.logging.category.search", "content"),
        ("audit.logging.category.page", "content"),
        ("audit.logging.category.users.groups", "account"),
    ] {
        let text = format!(r#"{{"type":{{"action":"Hat lent","categoryI18nKey":"{key}"}}}}"#);
        assert_eq!(part(&text, "category"), category, "{key}");
    }
    for (word, category) in [("Authentication", "authentication"), ("Issue types", "configuration")]
    {
        let text = format!(r#"{{"type":{{"action":"Hat lent","category":"{word}"}}}}"#);
        assert_eq!(part(&text, "category"), category, "{word}");
    }
}
