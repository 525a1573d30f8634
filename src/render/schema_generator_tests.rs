//! Generates the JSON Schema of an event from its types.

use std::fmt;

use schemars::generate::SchemaSettings;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::model::event::{Event, SCHEMA};

/// The order of a schema's own keys; others follow.
const KEYWORDS: [&str; 12] = [
    "$schema",
    "$id",
    "title",
    "description",
    "type",
    "const",
    "enum",
    "oneOf",
    "additionalProperties",
    "minItems",
    "minProperties",
    "required",
];

/// The keys of an object of JSON with their values, in its order.
pub struct ObjectMembers(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for ObjectMembers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<ObjectMembers, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = ObjectMembers;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectMembers, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(ObjectMembers(members))
            }
        }
        from.deserialize_map(InOrder)
    }
}

impl ObjectMembers {
    pub fn of(text: &str) -> ObjectMembers {
        serde_json::from_str(text).unwrap()
    }

    pub fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(key, _)| key.as_str()).collect()
    }

    /// The text of `key`; of a list its first item.
    pub fn get(&self, key: &str) -> String {
        let (_, value) = self.0.iter().find(|(known, _)| known == key).unwrap();
        let items = serde_json::from_str::<Vec<Box<RawValue>>>(value.get());
        let value = items.map_or(value.clone(), |mut items| items.remove(0));
        value.get().to_owned()
    }
}

/// A schema in the order that people read it in.
pub enum SchemaTree {
    Leaf(Value),
    Node(Vec<(String, SchemaTree)>),
}

impl Serialize for SchemaTree {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            SchemaTree::Leaf(value) => value.serialize(to),
            SchemaTree::Node(members) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

/// `schema` with its properties in the order of `sample`, the text of what it describes.
pub fn ordered(schema: &Value, sample: &str) -> SchemaTree {
    let mut keys: Vec<_> = schema.as_object().unwrap().iter().collect();
    keys.sort_by_key(|(key, _)| {
        let place = KEYWORDS.iter().position(|known| known == key);
        place.unwrap_or(KEYWORDS.len())
    });
    let part = |(key, value): (&String, &Value)| match key.as_str() {
        "properties" => (key.clone(), properties(value, sample)),
        "items" => (key.clone(), ordered(value, sample)),
        _ => (key.clone(), SchemaTree::Leaf(value.clone())),
    };
    SchemaTree::Node(keys.into_iter().map(part).collect())
}

fn properties(schemas: &Value, sample: &str) -> SchemaTree {
    let sample = ObjectMembers::of(sample);
    let property = |key: &str| {
        let schema = ordered(&schemas[key], &sample.get(key));
        (key.to_owned(), schema)
    };
    SchemaTree::Node(sample.keys().into_iter().map(property).collect())
}

/// Parts of an event that are not optional to its types, and absent when they are empty.
const ABSENT_WHEN_EMPTY: [&str; 9] = [
    "actor",
    "auth",
    "on_behalf_of",
    "targets",
    "parent",
    "changes",
    "client",
    "forwarded",
    "labels",
];

/// What texts look like, by the pointers to their schemas.
const PATTERNS: [(&str, &str); 7] = [
    ("/properties/id", "^(org:|jira:[^:]*:|confluence:[^:]*:|ws:[^:]*:|dc:)."),
    ("/properties/actor/properties/email", EMAIL),
    ("/properties/actor/properties/on_behalf_of/properties/email", EMAIL),
    ("/properties/targets/items/properties/email", EMAIL),
    ("/properties/targets/items/properties/url", "^https?://"),
    ("/properties/client/properties/ip", IP),
    ("/properties/client/properties/forwarded/items", IP),
];
const EMAIL: &str = r"^[^@\s]+@[^\s]+$";
const IP: &str = "^[0-9A-Fa-f.:]+$";
const TIME: &str = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$";

/// Takes the properties that a type leaves open out of those that are required.
fn optional_when_nullable(schema: &mut Map<String, Value>) {
    let nullable = |schema: &Value| {
        let types = schema["type"].as_array().into_iter().flatten();
        let choices = schema["anyOf"].as_array().into_iter().flatten();
        let mut types = types.chain(choices.map(|choice| &choice["type"]));
        types.any(|name| name == "null")
    };
    let Some(Value::Array(mut required)) = schema.remove("required") else {
        return;
    };
    required.retain(|key| {
        let key = key.as_str().unwrap();
        let is_optional = ABSENT_WHEN_EMPTY.contains(&key);
        !is_optional && !nullable(&schema["properties"][key])
    });
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
}

/// What holds of every event: what is not known is absent, not null and not empty.
fn absent_when_unknown(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    optional_when_nullable(map);
    if let Some(Value::String(description)) = map.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    if map.remove("format") == Some("date-time".into()) {
        map.insert("pattern".to_owned(), TIME.into());
    }
    if map.contains_key("properties") {
        map.insert("additionalProperties".to_owned(), false.into());
    }
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        let [only] = types.as_slice() else { panic!("of two types: {types:?}") };
        *map.get_mut("type").unwrap() = only.clone();
    }
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(choices)) = map.remove("anyOf") {
        let null = json!({"type": "null"});
        let mut choices: Vec<_> = choices.into_iter().filter(|one| *one != null).collect();
        let (Some(Value::Object(only)), true) = (choices.pop(), choices.is_empty()) else {
            panic!("a choice")
        };
        only.into_iter().for_each(|(key, value)| {
            map.entry(key).or_insert(value);
        });
    }
    let is_narrow = |key| Map::contains_key(map, key);
    let least = match map.get("type").and_then(Value::as_str) {
        Some("object") if !is_narrow("required") => Some("minProperties"),
        Some("array") => Some("minItems"),
        Some("string") if !["const", "enum", "pattern"].iter().any(|key| is_narrow(key)) => {
            Some("minLength")
        }
        _ => None,
    };
    map.extend(least.map(|key| (key.to_owned(), 1.into())));
    for key in ["items", "additionalProperties"] {
        map.get_mut(key).into_iter().for_each(absent_when_unknown);
    }
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(absent_when_unknown);
    }
}

/// The schema that the types have.
pub fn generated() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.inline_subschemas = true;
    let generator = settings.into_generator();
    let mut schema = generator.into_root_schema_for::<Event<'static>>().to_value();
    for (pointer, pattern) in PATTERNS {
        schema.pointer_mut(pointer).unwrap()["pattern"] = pattern.into();
    }
    absent_when_unknown(&mut schema);
    schema["$id"] = "urn:atlaudit:event:1".into();
    schema["title"] = "atlaudit normalized event, version 1".into();
    schema["description"] =
        "One line of `atlaudit pull`. Keys are absent when the source does not say: \
        never null, never an empty string."
            .into();
    schema["properties"]["schema"]["const"] = SCHEMA.into();
    schema["properties"]["schema"].as_object_mut().unwrap().remove("minLength");
    // The renderer appends it.
    schema["properties"]["raw"] = json!({
        "description": "The source's object, byte for byte; only whitespace between tokens is removed."
    });
    schema["required"].as_array_mut().unwrap().push("raw".into());
    schema
}
