//! Tests what must hold of the event of any record, whichever source it is said to come from.

use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::testing::written;
use crate::model::name::SourceKind;

const KINDS: [SourceKind; 4] = [
    SourceKind::OrgEvents,
    SourceKind::JiraAudit,
    SourceKind::ConfluenceAudit,
    SourceKind::DatacenterAudit,
];

/// The names of the fields that are read, of every source.
const KEYS: &[&str] = &[
    "id",
    "type",
    "attributes",
    "message",
    "content",
    "action",
    "processedAt",
    "actor",
    "context",
    "container",
    "location",
    "name",
    "email",
    "auth",
    "app",
    "onBehalfOf",
    "authType",
    "tokenId",
    "tokenLabel",
    "groupName",
    "ip",
    "countryName",
    "regionName",
    "city",
    "geo",
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
    "typeName",
    "parentId",
    "parentName",
    "fieldName",
    "changedFrom",
    "changedTo",
    "author",
    "sysAdmin",
    "superAdmin",
    "affectedObject",
    "associatedObjects",
    "accountType",
    "accountId",
    "userKey",
    "username",
    "displayName",
    "publicName",
    "externalCollaborator",
    "isExternalCollaborator",
    "objectType",
    "oldValue",
    "newValue",
    "hiddenOldValue",
    "hiddenNewValue",
    "source",
    "method",
    "node",
    "system",
    "affectedObjects",
    "extraAttributes",
    "actionI18nKey",
    "categoryI18nKey",
    "nameI18nKey",
    "auditType",
    "status",
    "result",
    "outcome",
    "success",
    "tokenName",
    "key",
    "i18nKey",
    "from",
    "to",
    "uri",
    "value",
    "else",
];

/// Texts that are read with care, beside any.
const TEXTS: &[&str] = &[
    "",
    " ",
    "\u{a0}\n",
    "--",
    "_",
    ".",
    "'",
    "é",
    "\u{0}",
    "System",
    "Anonymous",
    "-1",
    "-2",
    "a.",
    "ada",
    "atlassian.audit.event.action.audit.search",
    "Audit Log search performed",
    "jira.auditing.user.added.to.group",
    "example.audit.attribute.status",
    "jira.auditing.category.usermanagement",
    "Failed",
    "jira",
    "https://jira.example/bitbucket",
    "{}",
    "712020:a1",
    "user_login_failed",
    "Permissions",
    "198.51.100.7, 203.0.113.80",
    "[::1]:80 unknown",
    "x@example.com",
    "Atlassian app",
];

fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(TEXTS).prop_map(str::to_owned);
    prop_oneof![3 => known, 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        6 => text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let key = prop::sample::select(KEYS).prop_map(str::to_owned);
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::hash_map(key, inner, 0..10)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// The fields of each source as they should be, with `value` in the place of one of them.
fn nearly_right(value: &Value, at: usize) -> Value {
    let mut record = json!({
        "attributes": {"action": "a", "actor": {"id": "1"}, "context": [{"type": "users"}], "location": {"ip": "1"}},
        "message": {"content": "m"}, "summary": "S", "description": "d", "category": "c", "objectItem": {"name": "n"},
        "associatedItems": [{"name": "n"}], "changedValues": [{"name": "n"}], "author": {"name": "ada", "id": "1"},
        "affectedObject": {"name": "n"}, "associatedObjects": [{"name": "n"}], "type": {"action": "Audit search"},
        "affectedObjects": [{"name": "n"}], "extraAttributes": [{"name": "n", "value": "v"}], "source": "s",
    });
    if let Some(fields) = record.as_object_mut() {
        let at = at % fields.len();
        if let Some(field) = fields.values_mut().nth(at) {
            *field = value.clone();
        }
    }
    record
}

fn check(text: &str) -> Result<(), TestCaseError> {
    for kind in KINDS {
        for reader in [None, Some("ada"), Some("")] {
            let line = written(kind, reader, text);
            let event: Value = serde_json::from_slice(&line).map_err(|error| {
                TestCaseError::fail(format!(
                    "{kind:?}: {error}: {}",
                    String::from_utf8_lossy(&line)
                ))
            })?;
            nothing_empty(&event)?;
            prop_assert_eq!(&event["schema"], "atlaudit/1");
            prop_assert!(event["action"].is_string() && event["id"].is_string());
            let ips = event.pointer("/client/ip").into_iter();
            let proxies = event.pointer("/client/forwarded").and_then(Value::as_array);
            for ip in ips.chain(proxies.into_iter().flatten()) {
                let ip = ip.as_str().unwrap_or_default();
                prop_assert!(ip.parse::<IpAddr>().is_ok(), "{}", ip);
            }
        }
    }
    Ok(())
}

fn nothing_empty(value: &Value) -> Result<(), TestCaseError> {
    match value {
        Value::String(text) => prop_assert!(!text.is_empty()),
        Value::Array(list) => {
            prop_assert!(!list.is_empty());
            list.iter().try_for_each(nothing_empty)?;
        }
        Value::Object(fields) => {
            prop_assert!(!fields.is_empty());
            fields.values().try_for_each(nothing_empty)?;
        }
        other => prop_assert!(false, "{other} is no text"),
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_record_becomes_an_event_with_nothing_empty(value in value(), at in 0_usize..64) {
        check(&value.to_string())?;
        check(&nearly_right(&value, at).to_string())?;
    }
}
