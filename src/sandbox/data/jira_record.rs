//! Composes Jira audit records, one after the other, from a seed.

use chrono::DateTime;
use fastrand::Rng;

use super::{
    RecordComposer,
    jira_kinds::KINDS,
    kinds::{self, RecordKind},
    odd_jira,
    people::{self, SamplePerson},
};
use crate::sandbox::{
    json_text::{JsonObject, array},
    records::SandboxRecord,
};

/// One record in so many gets an odd shape.
const ODD_EVERY: usize = 6;
/// A prime: stepping through its residues gives ids that never repeat (below a million) and jump up and down.
const ID_RANGE: usize = 1_000_003;
const ID_STEP: usize = 48_271;

/// A record in parts; those that are JSON text are written as they are, None leaves the key out.
#[derive(Clone, Debug)]
pub struct JiraParts {
    /// `summary`, JSON.
    pub summary: String,
    /// `remoteAddress`, JSON.
    pub remote_address: Option<String>,
    /// `authorKey`, JSON.
    pub author_key: Option<String>,
    /// `authorAccountId`, JSON.
    pub author_account_id: Option<String>,
    /// `category`
    pub category: &'static str,
    /// `eventSource`, JSON.
    pub event_source: Option<String>,
    /// `description`, JSON.
    pub description: Option<String>,
    /// `objectItem`, JSON.
    pub object_item: Option<String>,
    /// `changedValues`, JSON.
    pub changed_values: Option<String>,
    /// `associatedItems`, JSON.
    pub associated_items: Option<String>,
    /// Further members, JSON.
    pub more: Vec<(&'static str, String)>,
}

/// The composer. The same seed and the same calls give the same records.
#[derive(Debug)]
pub struct JiraComposer {
    rng: Rng,
    clean: bool,
    composed: usize,
}

impl JiraComposer {
    /// A composer; `clean` leaves out odd shapes.
    pub fn new(seed: u64, clean: bool) -> Self {
        Self {
            rng: Rng::with_seed(seed ^ 0x6a69_7261_2d61_7564),
            clean,
            composed: 0,
        }
    }

    fn parts(&mut self, kind: &RecordKind) -> JiraParts {
        let author = people::random_admin(&mut self.rng);
        let key = author.account_id.chars().rev().take(8).collect::<String>();
        JiraParts {
            summary: json(kind.summary),
            remote_address: Some(json(author.ip)),
            author_key: Some(json(&format!("ug:{key}"))),
            author_account_id: Some(json(author.account_id)),
            category: kind.category,
            event_source: Some(json("")),
            description: None,
            object_item: Some(self.object(kind.object, kind.names)),
            changed_values: self.change(kind),
            associated_items: match kind.associated {
                "" => None,
                "USER" => Some(array([self.object("USER", &[])])),
                "GROUP" => Some(array([self.object("GROUP", &["optics-team", "finance"])])),
                other => Some(array([
                    self.object(other, &["Lens production", "Operations"])
                ])),
            },
            more: Vec::new(),
        }
    }

    /// `objectItem` or an associated item; groups and users have the directory as parent.
    fn object(&mut self, kind: &str, names: &[&str]) -> String {
        let item = match names {
            [] => {
                let person: &SamplePerson = people::random_person(&mut self.rng);
                JsonObject::new()
                    .text("id", person.account_id)
                    .text("name", person.name)
            }
            names => {
                let place = self.rng.usize(..names.len());
                let id = match kind {
                    "GROUP" => names[place].to_owned(),
                    "CUSTOM_FIELD" => format!("customfield_{}", 10_080 + place),
                    _ => (10_200 + place).to_string(),
                };
                JsonObject::new().text("id", &id).text("name", names[place])
            }
        };
        let item = item.text("typeName", kind);
        match kind {
            "USER" | "GROUP" => item
                .text("parentId", "1")
                .text("parentName", "Directory")
                .finish(),
            _ => item.finish(),
        }
    }

    /// `changedValues`; a value that is empty is left out, as Jira does.
    fn change(&mut self, kind: &RecordKind) -> Option<String> {
        if kind.values.is_empty() {
            return None;
        }
        let (from, to) = (
            self.rng.usize(..kind.values.len()),
            self.rng.usize(..kind.values.len()),
        );
        let mut change = JsonObject::new().text("fieldName", kind.field);
        if from != to && !kind.values[from].is_empty() {
            change = change.text("changedFrom", kind.values[from]);
        }
        Some(array([change.text("changedTo", kind.values[to]).finish()]))
    }
}

impl RecordComposer for JiraComposer {
    fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    fn compose(&mut self, created_ms: i64) -> SandboxRecord {
        self.composed += 1;
        let id = 101 + self.composed * ID_STEP % ID_RANGE;
        let found = kinds::draw_kind(KINDS, &mut self.rng);
        let mut parts = self.parts(found.unwrap_or(&KINDS[0]));
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            odd_jira::distort(&mut parts, self.composed / ODD_EVERY);
        }
        SandboxRecord {
            id: id.to_string(),
            created_ms,
            text: parts.finish(id, created_ms),
        }
    }
}

impl JiraParts {
    fn finish(self, id: usize, created_ms: i64) -> String {
        let created = DateTime::from_timestamp_millis(created_ms).unwrap_or_default();
        let created = created.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string();
        let mut record = JsonObject::new()
            .number("id", id)
            .raw("summary", &self.summary)
            .raw_if_some("remoteAddress", self.remote_address.as_deref())
            .raw_if_some("authorKey", self.author_key.as_deref())
            .raw_if_some("authorAccountId", self.author_account_id.as_deref())
            .text("created", &created)
            .text("category", self.category)
            .raw_if_some("eventSource", self.event_source.as_deref())
            .raw_if_some("description", self.description.as_deref())
            .raw_if_some("objectItem", self.object_item.as_deref())
            .raw_if_some("changedValues", self.changed_values.as_deref())
            .raw_if_some("associatedItems", self.associated_items.as_deref());
        for (key, json) in &self.more {
            record = record.raw(key, json);
        }
        record.finish()
    }
}

fn json(text: &str) -> String {
    crate::sandbox::json_text::quoted(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_neither_rise_nor_repeat() {
        let mut composer = JiraComposer::new(1, true);
        let ids: Vec<usize> = (0..500)
            .map(|at| composer.compose(at).id.parse().unwrap())
            .collect();
        assert!(!ids.is_sorted());
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
