//! Composes Data Center audit events, one after the other, from a seed.

use chrono::{DateTime, SecondsFormat};
use fastrand::Rng;

use super::{
    RecordComposer,
    datacenter_kinds::{END_USER, KINDS},
    kinds::{self, RecordKind},
    odd_datacenter,
    people::{self, SamplePerson},
};
use crate::sandbox::{
    DATACENTER_USER,
    json_text::{JsonObject, array, quoted},
    records::SandboxRecord,
};

/// The product's own address, as its events name it.
const SYSTEM: &str = "https://jira.lindenfell.example";
/// One event in so many gets an odd shape.
const ODD_EVERY: usize = 6;
/// One event in so many is a look at the log itself.
const SEARCH_EVERY: usize = 20;

/// An event in parts, all of them JSON text; None leaves the key out.
#[derive(Clone, Debug)]
pub struct DatacenterParts {
    /// `author`
    pub author: Option<String>,
    /// `type`
    pub kind: String,
    /// `affectedObjects`
    pub affected_objects: Option<String>,
    /// `changedValues`
    pub changed_values: Option<String>,
    /// `source`: an address.
    pub source: Option<String>,
    /// `system`
    pub system: Option<String>,
    /// `node`
    pub node: Option<String>,
    /// `method`
    pub method: Option<String>,
    /// `extraAttributes`
    pub extra_attributes: Option<String>,
    /// Further members.
    pub more: Vec<(&'static str, String)>,
}

/// The composer.
#[derive(Debug)]
pub struct DatacenterComposer {
    rng: Rng,
    clean: bool,
    composed: usize,
}

impl DatacenterComposer {
    /// A composer; `clean` leaves out odd shapes.
    pub fn new(seed: u64, clean: bool) -> Self {
        Self {
            rng: Rng::with_seed(seed ^ 0x6461_7461_2d63_656e),
            clean,
            composed: 0,
        }
    }

    /// The event that a reading of the log by `user` is.
    pub fn search_performed(&mut self, created_ms: i64, user: &str) -> SandboxRecord {
        build_record(searched(user, "127.0.0.1", "200"), created_ms)
    }

    fn parts(&mut self, kind: &RecordKind) -> DatacenterParts {
        let by = match kind.category {
            END_USER => people::random_person(&mut self.rng),
            _ => people::random_admin(&mut self.rng),
        };
        let affected = self.object(kind.object, kind.names);
        let associated = match kind.associated {
            "" => None,
            "USER" => Some(self.object("USER", &[])),
            "GROUP" => Some(self.object("GROUP", &["optics-team", "finance"])),
            other => Some(self.object(other, &["Lens production", "Operations"])),
        };
        let token = (kind.object == "TOKEN").then(|| attribute("Token expiry", "365 days"));
        DatacenterParts {
            author: Some(author(by)),
            kind: event_type(kind.category, kind.summary),
            affected_objects: Some(array([affected].into_iter().chain(associated))),
            changed_values: Some(array(self.change(kind))),
            source: Some(quoted(by.ip)),
            system: Some(quoted(SYSTEM)),
            node: Some(quoted("node-1")),
            method: Some(quoted("Browser")),
            extra_attributes: Some(array(token)),
            more: Vec::new(),
        }
    }

    fn object(&mut self, kind: &str, names: &[&str]) -> String {
        match names {
            [] => {
                let person = people::random_person(&mut self.rng);
                let name = person.user_name();
                let id = user_id(person);
                object(name, kind, &profile(name), &id)
            }
            names => {
                let place = self.rng.usize(..names.len());
                let id = (10_200 + place).to_string();
                let word = kind.to_lowercase();
                object(names[place], kind, &format!("{SYSTEM}/{word}/{id}"), &id)
            }
        }
    }

    fn change(&mut self, kind: &RecordKind) -> Option<String> {
        let (from, to) = match kind.values {
            [] => return None,
            values => (
                values[self.rng.usize(..values.len())],
                values[self.rng.usize(..values.len())],
            ),
        };
        let change = JsonObject::new()
            .text("key", kind.field)
            .text("i18nKey", &key("change", kind.field));
        // A value that is not there is left out.
        let change = match kind.summary.rsplit(' ').next() {
            Some("added" | "created" | "granted" | "installed") => change.text("to", to),
            Some("deleted" | "revoked") => change.text("from", from),
            _ => change.text("from", from).text("to", to),
        };
        Some(change.finish())
    }
}

impl RecordComposer for DatacenterComposer {
    fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    fn compose(&mut self, created_ms: i64) -> SandboxRecord {
        self.composed += 1;
        if self.composed.is_multiple_of(SEARCH_EVERY) {
            let user = match self.rng.bool() {
                true => DATACENTER_USER,
                false => people::random_admin(&mut self.rng).user_name(),
            };
            let found = self.rng.u32(..200).to_string();
            return build_record(searched(user, "203.0.113.60", &found), created_ms);
        }
        let found = kinds::draw_kind(KINDS, &mut self.rng);
        let mut parts = self.parts(found.unwrap_or(&KINDS[0]));
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            odd_datacenter::distort(&mut parts, self.composed / ODD_EVERY);
        }
        build_record(parts, created_ms)
    }
}

fn build_record(parts: DatacenterParts, created_ms: i64) -> SandboxRecord {
    let at = DateTime::from_timestamp_millis(created_ms).unwrap_or_default();
    let mut event = JsonObject::new()
        .text(
            "timestamp",
            &at.to_rfc3339_opts(SecondsFormat::Millis, true),
        )
        .raw_if_some("author", parts.author.as_deref())
        .raw("type", &parts.kind)
        .raw_if_some("affectedObjects", parts.affected_objects.as_deref())
        .raw_if_some("changedValues", parts.changed_values.as_deref())
        .raw_if_some("source", parts.source.as_deref())
        .raw_if_some("system", parts.system.as_deref())
        .raw_if_some("node", parts.node.as_deref())
        .raw_if_some("method", parts.method.as_deref())
        .raw_if_some("extraAttributes", parts.extra_attributes.as_deref());
    for (key, json) in &parts.more {
        event = event.raw(key, json);
    }
    SandboxRecord {
        id: String::new(),
        created_ms,
        text: event.finish(),
    }
}

/// A look at the log, which the log tells as well.
fn searched(user: &str, source: &str, found: &str) -> DatacenterParts {
    DatacenterParts {
        author: Some(author_named(user, "JIRAUSER10000")),
        kind: event_type("Auditing", "Audit Log search performed"),
        affected_objects: Some("[]".to_owned()),
        changed_values: Some("[]".to_owned()),
        source: Some(quoted(source)),
        system: Some(quoted(SYSTEM)),
        node: Some(quoted("node-1")),
        method: Some(quoted("REST")),
        extra_attributes: Some(array([
            attribute("Query", ""),
            attribute("Results returned", found),
        ])),
        more: Vec::new(),
    }
}

fn author(person: &SamplePerson) -> String {
    author_named(person.user_name(), &user_id(person))
}

fn author_named(name: &str, id: &str) -> String {
    JsonObject::new()
        .text("name", name)
        .text("type", "ApplicationUser")
        .text("id", id)
        .text("uri", &profile(name))
        .text("avatarUri", "")
        .finish()
}

fn user_id(person: &SamplePerson) -> String {
    let place = people::PEOPLE
        .iter()
        .position(|known| known.account_id == person.account_id);
    format!("JIRAUSER{}", 10_100 + place.unwrap_or_default())
}

fn profile(name: &str) -> String {
    format!("{SYSTEM}/secure/ViewProfile.jspa?name={name}")
}

/// `type` of an event.
pub fn event_type(category: &str, action: &str) -> String {
    JsonObject::new()
        .text("categoryI18nKey", &key("category", category))
        .text("category", category)
        .text("actionI18nKey", &key("action", action))
        .text("action", action)
        .finish()
}

/// One of `affectedObjects`.
pub fn object(name: &str, kind: &str, uri: &str, id: &str) -> String {
    JsonObject::new()
        .text("name", name)
        .text("type", kind)
        .text("uri", uri)
        .text("id", id)
        .finish()
}

/// One of `extraAttributes`.
pub fn attribute(name: &str, value: &str) -> String {
    JsonObject::new()
        .text("name", name)
        .text("nameI18nKey", &key("attribute", name))
        .text("value", value)
        .finish()
}

/// The translation key of a word.
fn key(what: &str, word: &str) -> String {
    let word = word.to_lowercase().replace(' ', ".");
    format!("lindenfell.audit.{what}.{word}")
}
