//! Names a field of a normalized event, such as `client.ip` or `targets.name`.

use std::fmt;

use crate::model::json::Node;

/// The keys of a normalized event, and those within an object of it where they are fixed. A test
/// holds them against the schema.
const KNOWN: [(&str, &[&str]); 17] = [
    ("schema", &[]),
    ("id", &[]),
    ("source", &["name", "type", "org_id", "site", "workspace"]),
    ("time", &[]),
    ("processed_time", &[]),
    ("observed_time", &[]),
    ("action", &[]),
    ("category", &[]),
    ("outcome", &[]),
    ("message", &[]),
    ("product", &[]),
    ("actor", &["type", "id", "name", "email", "auth", "on_behalf_of"]),
    ("targets", &["type", "id", "name", "email", "url", "parent"]),
    ("changes", &["field", "from", "to"]),
    ("client", &["ip", "forwarded", "country", "country_code", "region", "city", "geo"]),
    ("labels", &[]),
    ("raw", &[]),
];

/// Short names of fields that are asked for often.
const SHORT_NAMES: [(&str, &str); 5] = [
    ("ip", "client.ip"),
    ("country", "client.country"),
    ("city", "client.city"),
    ("target", "targets"),
    ("change", "changes"),
];

/// The keys that lead to a field. Lists on the way are passed through: `targets.name` are the names
/// of all targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    keys: Vec<String>,
}

impl FieldPath {
    /// The names of the fields that every event may have.
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = SHORT_NAMES.iter().map(|(short, _)| (*short).into()).collect();
        for (key, inner) in KNOWN {
            names.push(key.to_owned());
            names.extend(inner.iter().map(|inner| format!("{key}.{inner}")));
        }
        names
    }

    /// The field that `text` names: keys with dots between them, a key with other characters in
    /// quotes (`labels."odd key"`), or a short name (`ip`).
    ///
    /// # Errors
    /// It is no path, or no event has such a field; with the name that is most like it.
    pub fn parse(text: &str) -> Result<FieldPath, String> {
        let mut keys = split_keys(text.trim()).ok_or_else(|| {
            format!("`{text}` is no field; name it like `client.ip` or `labels.\"odd key\"`")
        })?;
        let first = keys.first().cloned().unwrap_or_default();
        if let Some((_, long)) = SHORT_NAMES.iter().find(|(short, _)| *short == first) {
            keys.splice(..1, long.split('.').map(str::to_owned));
        }
        let (first, rest) = keys.split_first().ok_or("a field has a name")?;
        let Some((_, inner)) = KNOWN.iter().find(|(key, _)| key == first) else {
            let short = SHORT_NAMES.iter().map(|(short, _)| *short);
            return Err(unknown_field(first, KNOWN.iter().map(|(key, _)| *key).chain(short)));
        };
        match rest.first() {
            Some(key) if !inner.is_empty() && !inner.contains(&key.as_str()) => {
                let known = inner.iter().copied();
                Err(unknown_field(key, known).replacen("field", &format!("field of `{first}`"), 1))
            }
            _ => Ok(FieldPath { keys }),
        }
    }

    /// Whether it is a field of Atlassian's own record.
    pub fn is_of_raw(&self) -> bool {
        self.keys.first().is_some_and(|key| key == "raw")
    }

    /// Calls `visit` with each value of the field in `event`: texts, numbers and booleans. Of an
    /// object these are all that it holds itself. Ends when `visit` returns true, and returns
    /// whether it did.
    pub fn any_value(&self, event: Node<'_>, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        self.any_node(event, &mut |node| match node.is_object() {
            true => {
                let mut values = node.entries().map(|(_, value)| value);
                values.any(|value| value.scalar().is_some_and(|text| visit(&text)))
            }
            false => node.scalar().is_some_and(|text| visit(&text)),
        })
    }

    /// Calls `visit` with each value of the field as people call it: of an object, its name, else
    /// its email, id or type.
    pub fn each_label(&self, event: Node<'_>, visit: &mut dyn FnMut(&str)) {
        self.any_node(event, &mut |node| {
            let label = match node.is_object() {
                true => {
                    let names = node.fields(["name", "email", "id", "type"]);
                    names.into_iter().flatten().find_map(Node::scalar)
                }
                false => node.scalar(),
            };
            label.iter().for_each(|label| visit(label));
            false
        });
    }

    /// Whether `event` has the field, whatever it holds.
    pub fn exists(&self, event: Node<'_>) -> bool {
        self.any_node(event, &mut |node| !node.is_null())
    }

    /// Whether `visit` is true of a node that the keys lead to. Depth costs no stack.
    fn any_node<'n>(&self, event: Node<'n>, visit: &mut dyn FnMut(Node<'n>) -> bool) -> bool {
        let mut rest = vec![(event, self.keys.as_slice())];
        while let Some((node, keys)) = rest.pop() {
            if node.is_array() {
                let start = rest.len();
                rest.extend(node.items().map(|item| (item, keys)));
                rest.get_mut(start..).unwrap_or_default().reverse();
                continue;
            }
            match keys.split_first() {
                Some((key, inner)) => rest.extend(node.get(key).map(|value| (value, inner))),
                None if visit(node) => return true,
                None => {}
            }
        }
        false
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(|key| match key.chars().all(is_key_char) {
            true => key.clone(),
            false => format!("\"{key}\""),
        });
        f.write_str(&keys.collect::<Vec<_>>().join("."))
    }
}

/// The keys that `text` writes; none where a key is empty or a quote has no end.
fn split_keys(text: &str) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    let mut rest = text;
    loop {
        let (key, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
        };
        if key.is_empty() || !rest.starts_with('"') && !key.chars().all(is_key_char) {
            return None;
        }
        keys.push(key.to_owned());
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(keys),
        }
    }
}

/// Whether a key may have `c` without quotes.
pub fn is_key_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

/// Says that nothing is called `name`, and what is called nearly so.
fn unknown_field<'k>(name: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let is_near = |key: &&str| strsim::jaro_winkler(key, name) > 0.8;
    let likeness = |key: &&str| (strsim::jaro_winkler(key, name) * 1000.0) as u32;
    match known.clone().filter(is_near).max_by_key(likeness) {
        Some(nearest) => format!("no field is called `{name}`; did you mean `{nearest}`?"),
        None => {
            let known: Vec<&str> = known.collect();
            format!("no field is called `{name}`; there are {}", known.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Document;

    fn values(path: &str, event: &str) -> Vec<String> {
        let event = Document::new(bytes::Bytes::copy_from_slice(event.as_bytes()));
        let mut found = Vec::new();
        FieldPath::parse(path).unwrap().any_value(event.root(), &mut |text| {
            found.push(text.to_owned());
            false
        });
        found
    }

    #[test]
    fn lists_are_passed_through_and_objects_have_their_own_values() {
        let event = r#"{"targets":[{"name":"a","id":1},{"name":"b"},7,{"parent":{"id":"p"}}],
            "actor":{"name":"Mei","auth":{"type":"session"}},"labels":{"odd key":"x"},
            "client":{"ip":"203.0.113.8","forwarded":["10.0.0.1","10.0.0.2"]}}"#;
        assert_eq!(values("targets.name", event), ["a", "b"]);
        assert_eq!(values("target.parent.id", event), ["p"]);
        assert_eq!(values("actor", event), ["Mei"]);
        assert_eq!(values("ip", event), ["203.0.113.8"]);
        assert_eq!(values("client.forwarded", event), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(values("labels.\"odd key\"", event), ["x"]);
        assert!(values("time", event).is_empty());
        let deep = format!("{{\"targets\":{}7{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(values("targets", &deep), ["7"]);
        let event = Document::new(bytes::Bytes::copy_from_slice(event.as_bytes()));
        let mut labels = Vec::new();
        for path in ["actor", "target", "ip", "product"] {
            let path = FieldPath::parse(path).unwrap();
            path.each_label(event.root(), &mut |label| labels.push(label.to_owned()));
        }
        assert_eq!(labels, ["Mei", "a", "b", "7", "203.0.113.8"]);
    }

    #[test]
    fn a_typo_is_answered_with_the_name_that_was_meant() {
        for (path, said) in [
            ("actr.name", "did you mean `actor`"),
            ("Action", "did you mean `action`"),
            ("client.ipp", "field of `client` is called `ipp`; did you mean `ip`"),
            ("zzz", "there are schema, id"),
            ("a..b", "is no field"),
            ("", "is no field"),
            ("labels.\"x", "is no field"),
            ("a b", "is no field"),
        ] {
            let error = FieldPath::parse(path).unwrap_err();
            assert!(error.contains(said), "{path}: {error}");
        }
        for free in ["raw.attributes.anything", "labels.category", "changes.from", "raw.\"a b\".c"]
        {
            assert_eq!(FieldPath::parse(free).unwrap().to_string(), free);
        }
    }

    #[test]
    fn the_known_fields_are_those_of_the_schema() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../render/event.schema.json")).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        let mut of_schema: Vec<&str> = properties.keys().map(String::as_str).collect();
        let mut known: Vec<&str> = KNOWN.iter().map(|(key, _)| *key).collect();
        of_schema.sort_unstable();
        known.sort_unstable();
        assert_eq!(known, of_schema);
    }
}
