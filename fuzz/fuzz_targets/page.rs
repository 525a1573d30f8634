//! Owns what must hold of the lines of a page, whatever the page holds. Knows nothing of how they are
//! made: it reads the body by itself.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use atlaudit::fuzz::Lines;
use serde_json::Value;
use serde_json::value::RawValue;

/// Each record of the list at `key` in `body` has its lines, and is whole in all of them. Ids begin with
/// `prefix`, and go on.
pub fn check(lines: &Lines, body: &[u8], key: &str, prefix: &str) {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // What is no UTF-8 cannot stand in a line: U+FFFD does in its place.
    let body = String::from_utf8_lossy(body);
    let page: BTreeMap<String, &RawValue> = serde_json::from_str(&body).expect("an object");
    let records: Vec<&RawValue> = serde_json::from_str(page[key].get()).expect("a list");
    assert_eq!(lines.raw.len(), records.len());
    assert_eq!(lines.normalized.len(), records.len());
    for (record, line) in records.iter().zip(&lines.raw) {
        assert_eq!(one_line(line), without_gaps(record.get()));
    }
    for (record, line) in records.iter().zip(&lines.normalized) {
        normalized(one_line(line), &without_gaps(record.get()), prefix);
    }
    assert_eq!(lines.ecs.len(), records.len());
    for ((record, line), normalized) in records.iter().zip(&lines.ecs).zip(&lines.normalized) {
        ecs(one_line(line), &without_gaps(record.get()), one_line(normalized));
    }
    assert_eq!(lines.ocsf.len(), records.len());
    for (record, line) in records.iter().zip(&lines.ocsf) {
        holds(one_line(line), "raw_data", &without_gaps(record.get()));
    }
}

/// A document with its record as a text at `key`, and nothing empty.
fn holds(line: &str, key: &str, record: &str) {
    let document: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(document[key], record);
    nothing_empty("the document", &document);
}

/// The text of a line that ends with its only newline.
fn one_line(line: &[u8]) -> &str {
    let line = std::str::from_utf8(line).expect("UTF-8");
    let text = line.strip_suffix('\n').expect("a newline");
    assert!(!text.contains(['\n', '\r']), "a torn line");
    text
}

/// An event with its record in it byte for byte, an id, and nothing empty.
fn normalized(line: &str, record: &str, prefix: &str) {
    let mut event: BTreeMap<String, &RawValue> = serde_json::from_str(line).expect("JSON");
    let raw = event.remove("raw").expect("raw");
    assert_eq!(raw.get(), record);
    for (key, value) in event {
        let value: Value = serde_json::from_str(value.get()).expect("JSON");
        nothing_empty(&key, &value);
        if key == "id" {
            let id = value.as_str().expect("a text");
            let own = id.strip_prefix(prefix).expect("its prefix");
            assert!(!own.is_empty(), "an empty id");
        }
    }
}

/// The field sets that a document has.
const FIELD_SETS: [&str; 12] = [
    "@timestamp",
    "ecs",
    "message",
    "labels",
    "event",
    "user",
    "group",
    "source",
    "organization",
    "observer",
    "related",
    "atlassian",
];

/// A document with its record in it as a text, the id of the normalized event, and nothing empty or odd.
fn ecs(line: &str, record: &str, normalized: &str) {
    let document: Value = serde_json::from_str(line).expect("JSON");
    for (key, value) in document.as_object().expect("an object") {
        assert!(FIELD_SETS.contains(&key.as_str()), "{key}");
        nothing_empty(key, value);
    }
    assert_eq!(document["event"]["original"], record);
    let normalized: BTreeMap<String, &RawValue> = serde_json::from_str(normalized).expect("JSON");
    let id: Value = serde_json::from_str(normalized["id"].get()).expect("JSON");
    assert_eq!(document["event"]["id"], id);
    if let Some(ip) = document["source"].get("ip") {
        let ip = ip.as_str().expect("a text");
        ip.parse::<IpAddr>().expect("an address");
    }
    let related = document.get("related").and_then(Value::as_object);
    for list in related.into_iter().flat_map(|related| related.values()) {
        let list = list.as_array().expect("a list");
        let distinct: HashSet<&str> = list.iter().filter_map(Value::as_str).collect();
        assert_eq!(distinct.len(), list.len(), "one comes twice");
    }
}

fn nothing_empty(key: &str, value: &Value) {
    match value {
        Value::Null => panic!("{key} is null"),
        Value::String(text) => assert!(!text.is_empty(), "{key} is empty"),
        Value::Array(list) => {
            assert!(!list.is_empty(), "{key} is empty");
            list.iter().for_each(|value| nothing_empty(key, value));
        }
        Value::Object(fields) => {
            assert!(!fields.is_empty(), "{key} is empty");
            fields
                .iter()
                .for_each(|(key, value)| nothing_empty(key, value));
        }
        Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A valid JSON text without the whitespace between its tokens.
fn without_gaps(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    text.chars()
        .filter(|&c| {
            let is_kept = in_string || !matches!(c, ' ' | '\t' | '\n' | '\r');
            (in_string, escaped) = match (in_string, c) {
                (false, c) => (c == '"', false),
                (true, _) if escaped => (true, false),
                (true, c) => (c != '"', c == '\\'),
            };
            is_kept
        })
        .collect()
}
