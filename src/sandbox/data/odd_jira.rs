//! The irregular shapes of Jira audit records.

use super::jira_record::JiraParts;

/// All shapes, taken in turn.
const SHAPES: &[fn(&mut JiraParts)] = &[
    |parts| parts.author_account_id = None,
    |parts| parts.remote_address = None,
    |parts| parts.event_source = Some("\"Time Ledger for Jira\"".to_owned()),
    |parts| parts.event_source = None,
    |parts| parts.description = Some("\"Requested in HELP-17.\\nSecond line\\u0007\"".to_owned()),
    |parts| parts.description = Some("null".to_owned()),
    |parts| {
        parts.changed_values = Some(r#"[{"fieldName":"Name","changedTo":"Responders"}]"#.to_owned())
    },
    |parts| {
        parts.changed_values =
            Some(r#"[{"fieldName":"Name","changedFrom":"Responders"}]"#.to_owned())
    },
    |parts| parts.changed_values = Some("[]".to_owned()),
    |parts| parts.associated_items = Some("[]".to_owned()),
    |parts| parts.associated_items = Some("null".to_owned()),
    |parts| parts.object_item = None,
    |parts| parts.author_key = None,
    |parts| parts.remote_address = Some("\"2001:db8::4a\"".to_owned()),
    // Some sites write the whole forwarding chain.
    |parts| parts.remote_address = Some("\"198.51.100.9, 203.0.113.80\"".to_owned()),
    |parts| {
        parts
            .more
            .push(("sequence", "12345678901234567890123".to_owned()))
    },
    |parts| {
        parts.object_item = Some(
            r#"{"id":"g🔭","name":"🔭 日本語 مجموعة","typeName":"GROUP","parentId":null}"#
                .to_owned(),
        )
    },
    |parts| parts.summary = r#""Group \u0041dded \/ renamed""#.to_owned(),
    |parts| {
        parts.author_account_id = None;
        parts.author_key = Some("\"\"".to_owned());
        parts.remote_address = None;
    },
];

/// Gives a record shape `number`, counted around.
pub fn distort(parts: &mut JiraParts, number: usize) {
    SHAPES[number % SHAPES.len()](parts);
}
