//! Composes Confluence audit records, one after the other, from a seed.

use fastrand::Rng;

use super::{
    RecordComposer,
    confluence_kinds::KINDS,
    kinds::{self, RecordKind},
    odd_confluence,
    people::{self, SamplePerson},
};
use crate::sandbox::{
    json_text::{JsonObject, array, quoted},
    records::SandboxRecord,
};

/// One record in so many gets an odd shape.
const ODD_EVERY: usize = 6;
/// What everybody does; the rest is an administrator's.
const USER_CATEGORIES: [&str; 3] = ["Spaces", "Pages", "Import/export"];

/// A record in parts, all of them JSON text; None leaves the key out.
#[derive(Clone, Debug)]
pub struct ConfluenceParts {
    /// `author`
    pub author: Option<String>,
    /// `remoteAddress`
    pub remote_address: Option<String>,
    /// `summary`
    pub summary: String,
    /// `description`
    pub description: Option<String>,
    /// `category`
    pub category: Option<String>,
    /// `sysAdmin` and `superAdmin`
    pub is_admin: Option<String>,
    /// `affectedObject`
    pub affected_object: Option<String>,
    /// `changedValues`
    pub changed_values: Option<String>,
    /// `associatedObjects`
    pub associated_objects: Option<String>,
    /// Further members.
    pub more: Vec<(&'static str, String)>,
}

/// The composer.
#[derive(Debug)]
pub struct ConfluenceComposer {
    rng: Rng,
    clean: bool,
    composed: usize,
}

impl ConfluenceComposer {
    /// A composer; `clean` leaves out odd shapes.
    pub fn new(seed: u64, clean: bool) -> Self {
        Self {
            rng: Rng::with_seed(seed ^ 0x636f_6e66_6c75_656e),
            clean,
            composed: 0,
        }
    }

    fn parts(&mut self, kind: &RecordKind) -> ConfluenceParts {
        let by = match USER_CATEGORIES.contains(&kind.category) {
            true => people::random_person(&mut self.rng),
            false => people::random_admin(&mut self.rng),
        };
        let affected = self.object(kind.object, kind.names);
        let associated = match kind.associated {
            "" => None,
            "User" => Some(self.object("User", &[])),
            "Group" => Some(self.object("Group", &["optics-team", "finance"])),
            other => Some(self.object(other, &["Engineering", "Optics Lab", "Finance"])),
        };
        ConfluenceParts {
            author: Some(author(by)),
            remote_address: Some(quoted(by.ip)),
            summary: quoted(kind.summary),
            description: Some(quoted("")),
            category: Some(quoted(kind.category)),
            is_admin: Some("false".to_owned()),
            affected_object: Some(affected),
            changed_values: Some(array(self.change(kind))),
            associated_objects: Some(array(associated)),
            more: Vec::new(),
        }
    }

    fn object(&mut self, kind: &str, names: &[&str]) -> String {
        let name = match names {
            [] => people::random_person(&mut self.rng).name,
            names => names[self.rng.usize(..names.len())],
        };
        object(name, kind)
    }

    fn change(&mut self, kind: &RecordKind) -> Option<String> {
        let (from, to) = match kind.values {
            [] => return None,
            values => (
                values[self.rng.usize(..values.len())],
                values[self.rng.usize(..values.len())],
            ),
        };
        // What was granted was not there before, what was taken away is not there now.
        let (old, new) = match kind.summary.rsplit(' ').next() {
            Some("added" | "created" | "installed" | "exported") => ("", to),
            Some("removed") => (from, ""),
            _ => (from, to),
        };
        Some(change(kind.field, old, new))
    }
}

impl RecordComposer for ConfluenceComposer {
    fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    fn compose(&mut self, created_ms: i64) -> SandboxRecord {
        self.composed += 1;
        let found = kinds::draw_kind(KINDS, &mut self.rng);
        let mut parts = self.parts(found.unwrap_or(&KINDS[0]));
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            odd_confluence::distort(&mut parts, self.composed / ODD_EVERY);
        }
        SandboxRecord {
            id: String::new(),
            created_ms,
            text: parts.finish(created_ms),
        }
    }
}

impl ConfluenceParts {
    fn finish(self, created_ms: i64) -> String {
        let mut record = JsonObject::new()
            .raw_if_some("author", self.author.as_deref())
            .raw_if_some("remoteAddress", self.remote_address.as_deref())
            .raw("creationDate", &created_ms.to_string())
            .raw("summary", &self.summary)
            .raw_if_some("description", self.description.as_deref())
            .raw_if_some("category", self.category.as_deref())
            .raw_if_some("sysAdmin", self.is_admin.as_deref())
            .raw_if_some("superAdmin", self.is_admin.as_deref())
            .raw_if_some("affectedObject", self.affected_object.as_deref())
            .raw_if_some("changedValues", self.changed_values.as_deref())
            .raw_if_some("associatedObjects", self.associated_objects.as_deref());
        for (key, json) in &self.more {
            record = record.raw(key, json);
        }
        record.finish()
    }
}

/// `author` of a record.
fn author(person: &SamplePerson) -> String {
    JsonObject::new()
        .text("type", "user")
        .text("displayName", person.name)
        .raw("operations", "null")
        .text("accountId", person.account_id)
        .text("accountType", "atlassian")
        .text("publicName", person.name)
        .raw("isExternalCollaborator", "false")
        .raw("externalCollaborator", "false")
        .raw("isGuest", "false")
        .finish()
}

/// `affectedObject`, or one of `associatedObjects`.
pub fn object(name: &str, kind: &str) -> String {
    JsonObject::new()
        .text("name", name)
        .text("objectType", kind)
        .finish()
}

/// One of `changedValues`.
pub fn change(name: &str, old: &str, new: &str) -> String {
    JsonObject::new()
        .text("name", name)
        .text("oldValue", old)
        .text("newValue", new)
        .text("hiddenOldValue", "")
        .text("hiddenNewValue", "")
        .finish()
}
