//! Composes Jira audit records from a seed: their kinds, regular shapes and irregular ones.

use chrono::DateTime;
use fastrand::Rng;

use super::{
    people::{self, SamplePerson},
    record_kind::{self, RecordComposer, RecordKind, kind},
};
use crate::sandbox::{
    json_text::{JsonMembers, JsonObject, array, quoted},
    records::SandboxRecord,
};

/// One record in so many gets an odd shape.
const ODD_EVERY: usize = 6;
/// A prime: stepping through its residues gives ids that never repeat (below a million) and jump up
/// and down.
const ID_RANGE: usize = 1_000_003;
const ID_STEP: usize = 48_271;

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
        Self { rng: Rng::with_seed(seed ^ 0x6a69_7261_2d61_7564), clean, composed: 0 }
    }

    fn members(&mut self, kind: &RecordKind, id: usize, created_ms: i64) -> JsonMembers {
        let created = DateTime::from_timestamp_millis(created_ms).unwrap_or_default();
        let author = people::random_admin(&mut self.rng);
        let key = author.account_id.chars().rev().take(8).collect::<String>();
        JsonMembers::default()
            .with("id", id.to_string())
            .with("summary", quoted(kind.summary))
            .with("remoteAddress", quoted(author.ip))
            .with("authorKey", quoted(&format!("ug:{key}")))
            .with("authorAccountId", quoted(author.account_id))
            .with("created", format!("\"{}\"", created.format("%Y-%m-%dT%H:%M:%S%.3f+0000")))
            .with("category", quoted(kind.category))
            .with("eventSource", quoted(""))
            .with("description", "")
            .with("objectItem", self.object(kind.object, kind.names))
            .with("changedValues", self.change(kind).unwrap_or_default())
            .with(
                "associatedItems",
                match kind.associated {
                    "" => String::new(),
                    "USER" => array([self.object("USER", &[])]),
                    "GROUP" => array([self.object("GROUP", &["optics-team", "finance"])]),
                    other => array([self.object(other, &["Lens production", "Operations"])]),
                },
            )
    }

    /// `objectItem` or an associated item; groups and users have the directory as parent.
    fn object(&mut self, kind: &str, names: &[&str]) -> String {
        let item = match names {
            [] => {
                let person: &SamplePerson = people::random_person(&mut self.rng);
                JsonObject::new().text("id", person.account_id).text("name", person.name)
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
            "USER" | "GROUP" => item.text("parentId", "1").text("parentName", "Directory").finish(),
            _ => item.finish(),
        }
    }

    /// `changedValues`; a value that is empty is left out, as Jira does.
    fn change(&mut self, kind: &RecordKind) -> Option<String> {
        if kind.values.is_empty() {
            return None;
        }
        let (from, to) = (self.rng.usize(..kind.values.len()), self.rng.usize(..kind.values.len()));
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
        let mut members = self.members(found.unwrap_or(&KINDS[0]), id, created_ms);
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            ODD_SHAPES[self.composed / ODD_EVERY % ODD_SHAPES.len()](&mut members);
        }
        SandboxRecord { id: id.to_string(), created_ms, text: members.finish() }
    }
}

const GROUPS: &[&str] = &["jira-admins", "optics-team", "finance", "contractors", "support-desk"];
const SCHEMES: &[&str] = &["Default permissions", "Lab permissions", "Service desk permissions"];
const FIELDS: &[&str] = &["Responders", "Serial number", "Severity", "Lens batch"];
const WORKFLOWS: &[&str] = &["Lab workflow", "Simple approval", "Incident workflow"];
const PROJECTS: &[&str] = &["Lens production", "Operations", "Help desk", "Finance"];
const ROLES: &[&str] = &["Administrators", "Developers", "Service Desk Team"];
const APPS: &[&str] = &["Time Ledger", "Diagram Studio"];
const GRANTS: &[&str] = &["Browse projects", "Administer projects", "Delete issues", "Edit issues"];

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
const ODD_SHAPES: &[fn(&mut JsonMembers)] = &[
    |members| members.remove("authorAccountId"),
    |members| members.remove("remoteAddress"),
    |members| members.set("eventSource", "\"Time Ledger for Jira\""),
    |members| members.remove("eventSource"),
    |members| members.set("description", "\"Requested in HELP-17.\\nSecond line\\u0007\""),
    |members| members.set("description", "null"),
    |members| members.set("changedValues", r#"[{"fieldName":"Name","changedTo":"Responders"}]"#),
    |members| members.set("changedValues", r#"[{"fieldName":"Name","changedFrom":"Responders"}]"#),
    |members| members.set("changedValues", "[]"),
    |members| members.set("associatedItems", "[]"),
    |members| members.set("associatedItems", "null"),
    |members| members.remove("objectItem"),
    |members| members.remove("authorKey"),
    |members| members.set("remoteAddress", "\"2001:db8::4a\""),
    // Some sites write the whole forwarding chain.
    |members| members.set("remoteAddress", "\"198.51.100.9, 203.0.113.80\""),
    |members| members.set("sequence", "12345678901234567890123"),
    |members| {
        members.set(
            "objectItem",
            r#"{"id":"g🔭","name":"🔭 日本語 مجموعة","typeName":"GROUP","parentId":null}"#,
        )
    },
    |members| members.set("summary", r#""Group \u0041dded \/ renamed""#),
    |members| {
        members.remove("authorAccountId");
        members.set("authorKey", "\"\"");
        members.remove("remoteAddress");
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_neither_rise_nor_repeat() {
        let mut composer = JiraComposer::new(1, true);
        let ids: Vec<usize> = (0..500).map(|at| composer.compose(at).id.parse().unwrap()).collect();
        assert!(!ids.is_sorted());
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
