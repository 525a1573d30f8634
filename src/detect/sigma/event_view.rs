//! A normalized event as the matcher sees it: fields are looked up in the text, nothing is copied.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;

use rsigma_eval::{Event, EventValue};
use serde_json::Value;

use crate::model::hashing::bounded_key;
use crate::model::json::Node;

/// How deep objects are read where a rule matches a whole object.
const MAX_DEPTH: usize = 32;

/// A normalized event.
pub struct EventView<'a>(pub Node<'a>);

impl Event for EventView<'_> {
    /// Lists on the way are passed through: `targets.name` are the names of all targets.
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        let mut found = Vec::new();
        collect(self.0, path, &mut found);
        match found.len() {
            0 | 1 => found.pop().map(|node| value_of(node, MAX_DEPTH)),
            _ => {
                let values = found.into_iter().map(|node| value_of(node, MAX_DEPTH));
                Some(EventValue::Array(values.collect()))
            }
        }
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        any_text(self.0, &mut |text| pred(&text))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut all = Vec::new();
        any_text(self.0, &mut |text| {
            all.push(text);
            false
        });
        all
    }

    /// Only rules that ask for it are given the whole event; ours cannot.
    fn to_json(&self) -> Value {
        serde_json::from_str(self.0.raw()).unwrap_or_default()
    }
}

/// The nodes that `path` leads to from `node`. Depth costs no stack but the keys of the path.
fn collect<'a>(node: Node<'a>, path: &str, found: &mut Vec<Node<'a>>) {
    let (key, rest) = match path.split_once('.') {
        Some((key, rest)) => (key, Some(rest)),
        None => (path, None),
    };
    if node.is_array() {
        // An element that is a list again is not looked into.
        for item in node.items().filter(|item| item.is_object()) {
            collect(item, path, found);
        }
    } else if let Some(value) = node.get(key) {
        match rest {
            Some(rest) => collect(value, rest, found),
            None => found.push(value),
        }
    }
}

fn value_of(node: Node<'_>, depth: usize) -> EventValue<'_> {
    if node.is_string() {
        EventValue::Str(node.text().unwrap_or_default())
    } else if node.is_null() || depth == 0 {
        EventValue::Null
    } else if node.is_array() {
        EventValue::Array(node.items().map(|item| value_of(item, depth - 1)).collect())
    } else if node.is_object() {
        let entries = node.entries();
        let entries = entries
            .map(|(key, value)| (key.text().unwrap_or_default(), value_of(value, depth - 1)));
        EventValue::Map(entries.collect())
    } else {
        literal(node.raw())
    }
}

fn literal(text: &str) -> EventValue<'_> {
    match text {
        "true" => EventValue::Bool(true),
        "false" => EventValue::Bool(false),
        _ => match (text.parse(), text.parse()) {
            (Ok(whole), _) => EventValue::Int(whole),
            (_, Ok(number)) => EventValue::Float(number),
            _ => EventValue::Str(Cow::Borrowed(text)),
        },
    }
}

/// Whether `visit` is true of a text in `node`. Depth costs no stack.
fn any_text<'a>(node: Node<'a>, visit: &mut dyn FnMut(Cow<'a, str>) -> bool) -> bool {
    let mut rest = vec![node];
    while let Some(node) = rest.pop() {
        let start = rest.len();
        rest.extend(node.items());
        rest.extend(node.entries().map(|(_, value)| value));
        rest.get_mut(start..).unwrap_or_default().reverse();
        if node.text().is_some_and(&mut *visit) {
            return true;
        }
    }
    false
}

/// The scalar values of a field, as texts, each once; the elements of a list one by one. Long ones
/// are hashed, and addresses are written in one way.
pub fn texts_of(event: Node<'_>, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    collect(event, path, &mut found);
    let mut texts = Vec::new();
    for node in found {
        match node.is_array() {
            true => texts.extend(node.items().filter_map(Node::scalar).map(key_of)),
            false => texts.extend(node.scalar().map(key_of)),
        }
    }
    if texts.len() > 1 {
        let mut known = HashSet::new();
        texts.retain(|text| known.insert(text.clone()));
    }
    texts
}

fn key_of(text: Cow<'_, str>) -> String {
    // IPv4 has one way only.
    let address = text.contains(':').then(|| text.parse::<IpAddr>().ok()).flatten();
    address.map_or_else(
        || bounded_key(text).into_owned(),
        |address| address.to_canonical().to_string(),
    )
}
