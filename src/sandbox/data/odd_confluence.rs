//! The irregular shapes of Confluence audit records.

use super::confluence_record::{ConfluenceParts, change, object};
use crate::sandbox::json_text::array;

/// As recorded: no account, and a public name that says so (elastic/integrations, atlassian_confluence).
const SYSTEM: &str = r#"{"type":"user","displayName":"System","operations":null,"accountType":"","publicName":"Unknown user","isExternalCollaborator":false,"externalCollaborator":false}"#;
const OLD_USER: &str = r#"{"type":"user","displayName":"Ines Carvalho","operations":null,"username":"ines.carvalho","userKey":"ff8080814f3a1c20014f3a1d5e7a0003","accountId":"557058:7c41d9b0-2e6a-4f83-b5d7-90e1a2b3c4d5","accountType":"atlassian","publicName":"Ines","isExternalCollaborator":true,"externalCollaborator":true,"isGuest":true}"#;

/// All shapes, taken in turn.
const SHAPES: &[fn(&mut ConfluenceParts)] = &[
    |parts| {
        parts.author = Some(SYSTEM.to_owned());
        parts.remote_address = Some("\"\"".to_owned());
    },
    |parts| parts.author = Some("null".to_owned()),
    |parts| parts.author = None,
    |parts| parts.author = Some(OLD_USER.to_owned()),
    |parts| {
        parts.author = Some(
            r#"{"type":"user","displayName":null,"accountId":null,"publicName":""}"#.to_owned(),
        )
    },
    |parts| parts.remote_address = Some("null".to_owned()),
    |parts| parts.remote_address = None,
    |parts| parts.remote_address = Some("\"2001:db8::4a\"".to_owned()),
    |parts| parts.remote_address = Some("\"198.51.100.9, 203.0.113.80\"".to_owned()),
    |parts| parts.description = Some("\"Requested in HELP-17.\\nSecond line\\u0007\"".to_owned()),
    |parts| parts.description = Some("null".to_owned()),
    |parts| parts.description = None,
    |parts| parts.category = Some("\"\"".to_owned()),
    |parts| parts.is_admin = Some("true".to_owned()),
    |parts| parts.is_admin = None,
    |parts| parts.affected_object = Some(object("", "")),
    |parts| parts.affected_object = Some("null".to_owned()),
    |parts| parts.affected_object = None,
    |parts| parts.affected_object = Some(object("🔭 日本語 مجموعة \u{202e}", "Group")),
    |parts| parts.changed_values = Some("null".to_owned()),
    |parts| parts.changed_values = None,
    |parts| {
        parts.changed_values = Some(array([
            change("Active", "Yes", "No"),
            r#"{"name":"Email","oldValue":null,"newValue":"","hiddenOldValue":"","hiddenNewValue":"712020:0f2b"}"#
                .to_owned(),
        ]))
    },
    |parts| parts.associated_objects = Some("null".to_owned()),
    |parts| parts.associated_objects = None,
    |parts| {
        parts.associated_objects = Some(array([object("", "User"), object("finance", "Group")]))
    },
    |parts| {
        parts
            .more
            .push(("sequence", "12345678901234567890123".to_owned()))
    },
    |parts| parts.summary = r#""Space \u0070ermission added \/ changed""#.to_owned(),
];

/// Gives a record shape `number`, counted around.
pub fn distort(parts: &mut ConfluenceParts, number: usize) {
    SHAPES[number % SHAPES.len()](parts);
}
