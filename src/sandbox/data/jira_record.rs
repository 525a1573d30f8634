//! Composes Jira audit records from a seed: their kinds, regular shapes and irregular ones.

use chrono::DateTime;
use fastrand::Rng;

use super::{
    people::{self, SamplePerson},
    record_kind::{self, RecordComposer, RecordKind, kind},
};
use crate::sandbox::{
    json_text::{JsonObject, array},
    records::SandboxRecord,
};

/// One record in so many gets an odd shape.
const ODD_EVERY: usize = 6;
/// A prime: stepping through its residues gives ids that never repeat (below a million) and jump up
/// and down.
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
        let found = record_kind::drawn(KINDS, &mut self.rng);
        let mut parts = self.parts(found.unwrap_or(&KINDS[0]));
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            parts.distort(self.composed / ODD_EVERY);
        }
        SandboxRecord {
            id: id.to_string(),
            created_ms,
            text: parts.finish(id, created_ms),
        }
    }
}

impl JiraParts {
    /// Takes on irregular shape `number`, counted around.
    fn distort(&mut self, number: usize) {
        ODD_SHAPES[number % ODD_SHAPES.len()](self);
    }

    fn finish(self, id: usize, created_ms: i64) -> String {
        let created = DateTime::from_timestamp_millis(created_ms).unwrap_or_default();
        let created = created.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string();
        let mut record = JsonObject::new()
            .number("id", id)
            .raw("summary", &self.summary)
            .maybe("remoteAddress", self.remote_address.as_deref())
            .maybe("authorKey", self.author_key.as_deref())
            .maybe("authorAccountId", self.author_account_id.as_deref())
            .text("created", &created)
            .text("category", self.category)
            .maybe("eventSource", self.event_source.as_deref())
            .maybe("description", self.description.as_deref())
            .maybe("objectItem", self.object_item.as_deref())
            .maybe("changedValues", self.changed_values.as_deref())
            .maybe("associatedItems", self.associated_items.as_deref());
        for (key, json) in &self.more {
            record = record.raw(key, json);
        }
        record.finish()
    }
}

fn json(text: &str) -> String {
    crate::sandbox::json_text::quoted(text)
}

const GROUPS: &[&str] = &[
    "jira-admins",
    "optics-team",
    "finance",
    "contractors",
    "support-desk",
];
const SCHEMES: &[&str] = &[
    "Default permissions",
    "Lab permissions",
    "Service desk permissions",
];
const FIELDS: &[&str] = &["Responders", "Serial number", "Severity", "Lens batch"];
const WORKFLOWS: &[&str] = &["Lab workflow", "Simple approval", "Incident workflow"];
const PROJECTS: &[&str] = &["Lens production", "Operations", "Help desk", "Finance"];
const ROLES: &[&str] = &["Administrators", "Developers", "Service Desk Team"];
const APPS: &[&str] = &["Time Ledger", "Diagram Studio"];
const GRANTS: &[&str] = &[
    "Browse projects",
    "Administer projects",
    "Delete issues",
    "Edit issues",
];

/// All kinds.
#[rustfmt::skip] // a table reads as a table
const KINDS: &[RecordKind] = &[
    kind("User added to group", "group management", 60, "GROUP", GROUPS, "", &[], "USER"),
    kind("User removed from group", "group management", 34, "GROUP", GROUPS, "", &[], "USER"),
    kind("Group created", "group management", 8, "GROUP", GROUPS, "", &[], ""),
    kind("Group deleted", "group management", 4, "GROUP", GROUPS, "", &[], ""),
    kind("User created", "user management", 16, "USER", &[], "Active", &["Active", "Inactive"], "GROUP"),
    kind("User updated", "user management", 20, "USER", &[], "Email", &["old@lindenfell.example", "new@lindenfell.example"], ""),
    kind("User deactivated", "user management", 8, "USER", &[], "Active", &["Active", "Inactive"], ""),
    kind("Permission scheme created", "permissions", 5, "SCHEME", SCHEMES, "Description", &["", "For the lab", "For all"], ""),
    kind("Permission scheme updated", "permissions", 24, "SCHEME", SCHEMES, "Permission", GRANTS, "GROUP"),
    kind("Permission scheme added to project", "permissions", 8, "SCHEME", SCHEMES, "", &[], "PROJECT"),
    kind("Global permission added", "permissions", 5, "PERMISSIONS", &["Global permissions"], "Permission", GRANTS, "GROUP"),
    kind("Custom field created", "fields", 14, "CUSTOM_FIELD", FIELDS, "Name", FIELDS, ""),
    kind("Custom field updated", "fields", 14, "CUSTOM_FIELD", FIELDS, "Name", FIELDS, ""),
    kind("Custom field deleted", "fields", 4, "CUSTOM_FIELD", FIELDS, "", &[], ""),
    kind("Workflow created", "workflows", 6, "WORKFLOW", WORKFLOWS, "Name", WORKFLOWS, ""),
    kind("Workflow updated", "workflows", 20, "WORKFLOW", WORKFLOWS, "Status", &["To do", "In review", "Done"], ""),
    kind("Workflow scheme added to project", "workflows", 6, "SCHEME", WORKFLOWS, "", &[], "PROJECT"),
    kind("Project created", "projects", 6, "PROJECT", PROJECTS, "Key", &["LENS", "OPS", "HELP", "FIN"], "USER"),
    kind("Project updated", "projects", 14, "PROJECT", PROJECTS, "Lead", &["Marta Oliveira", "Priya Raman", "Tomasz Wrona"], ""),
    kind("Project roles changed", "projects", 18, "PROJECT_ROLE", ROLES, "Users", &["Zoë Fjellström", "Dario Greco", "Samuel Okoro"], "PROJECT"),
    kind("Global settings changed", "system", 8, "GLOBAL_SETTINGS", &["General configuration"], "Time zone", &["UTC", "Europe/Amsterdam", "Europe/Lisbon"], ""),
    kind("Audit log settings changed", "auditing", 2, "GLOBAL_SETTINGS", &["Audit log"], "Retention", &["6 months", "12 months"], ""),
    kind("App installed", "apps", 5, "APP", APPS, "Version", &["1.4.0", "1.5.2", "2.0.0"], ""),
    kind("App uninstalled", "apps", 2, "APP", APPS, "", &[], ""),
    kind("Notification scheme updated", "notifications", 6, "SCHEME", &["Default notifications"], "Event", &["Issue created", "Issue assigned"], ""),
];

/// The irregular shapes, taken in turn.
const ODD_SHAPES: &[fn(&mut JiraParts)] = &[
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
