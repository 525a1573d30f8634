//! Composes Confluence audit records from a seed: their kinds, regular shapes and irregular ones.

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
/// What everybody does; the rest is an administrator's.
const ANYBODYS: [&str; 3] = ["Spaces", "Pages", "Import/export"];

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
        Self { rng: Rng::with_seed(seed ^ 0x636f_6e66_6c75_656e), clean, composed: 0 }
    }

    fn members(&mut self, kind: &RecordKind, created_ms: i64) -> JsonMembers {
        let by = match ANYBODYS.contains(&kind.category) {
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
        JsonMembers::default()
            .with("author", author(by))
            .with("remoteAddress", quoted(by.ip))
            .with("creationDate", created_ms.to_string())
            .with("summary", quoted(kind.summary))
            .with("description", quoted(""))
            .with("category", quoted(kind.category))
            .with("sysAdmin", "false")
            .with("superAdmin", "false")
            .with("affectedObject", affected)
            .with("changedValues", array(self.change(kind)))
            .with("associatedObjects", array(associated))
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
            values => {
                (values[self.rng.usize(..values.len())], values[self.rng.usize(..values.len())])
            }
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
        let found = record_kind::drawn(KINDS, &mut self.rng);
        let mut members = self.members(found.unwrap_or(&KINDS[0]), created_ms);
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            ODD_SHAPES[self.composed / ODD_EVERY % ODD_SHAPES.len()](&mut members);
        }
        SandboxRecord { id: String::new(), created_ms, text: members.finish() }
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
fn object(name: &str, kind: &str) -> String {
    JsonObject::new().text("name", name).text("objectType", kind).finish()
}

/// One of `changedValues`.
fn change(name: &str, old: &str, new: &str) -> String {
    JsonObject::new()
        .text("name", name)
        .text("oldValue", old)
        .text("newValue", new)
        .text("hiddenOldValue", "")
        .text("hiddenNewValue", "")
        .finish()
}

const GROUPS: &[&str] =
    &["confluence-users", "confluence-administrators", "optics-team", "finance", "contractors"];
const SPACES: &[&str] = &["Engineering", "Optics Lab", "People", "Finance", "Runbooks"];
const PAGES: &[&str] =
    &["Release checklist", "Onboarding", "Calibration notes", "On-call rota", "Budget 2027"];
const SPACE_GRANTS: &[&str] = &["View", "Add pages", "Delete pages", "Export", "Administer"];
const GLOBAL_GRANTS: &[&str] = &["Can use", "Personal space", "Create space", "Administer"];
const PEOPLE: &[&str] = &["Zoë Fjellström", "Dario Greco", "Samuel Okoro"];
const VIEWERS: &[&str] = &["Everyone", "Only the author", "optics-team", "finance"];
const APPS: &[&str] = &["Diagram Studio", "Release Notes Bot"];
const VERSIONS: &[&str] = &["3.1.0", "3.2.4", "4.0.0"];
const SWITCH: &[&str] = &["On", "Off"];

/// All kinds. Those of spaces and pages are anybody's doing, the others an administrator's.
#[rustfmt::skip] // a table reads as a table
const KINDS: &[RecordKind] = &[
    kind("User created", "Users and groups", 12, "User", &[], "Active", &["No", "Yes"], "Group"),
    kind("User details updated", "Users and groups", 20, "User", &[], "Email", &["old@lindenfell.example", "new@lindenfell.example"], ""),
    kind("User deactivated", "Users and groups", 8, "User", &[], "Active", &["Yes", "No"], ""),
    kind("User reactivated", "Users and groups", 3, "User", &[], "Active", &["No", "Yes"], ""),
    kind("User deleted", "Users and groups", 2, "User", &[], "", &[], ""),
    kind("Group created", "Users and groups", 5, "Group", GROUPS, "", &[], ""),
    kind("Group removed", "Users and groups", 3, "Group", GROUPS, "", &[], ""),
    kind("User added to group", "Users and groups", 30, "Group", GROUPS, "", &[], "User"),
    kind("User removed from group", "Users and groups", 18, "Group", GROUPS, "", &[], "User"),
    kind("Global permission added", "Permissions", 8, "Group", GROUPS, "Type", GLOBAL_GRANTS, ""),
    kind("Global permission removed", "Permissions", 5, "Group", GROUPS, "Type", GLOBAL_GRANTS, ""),
    kind("Space permission added", "Permissions", 22, "Space", SPACES, "Type", SPACE_GRANTS, "Group"),
    kind("Space permission removed", "Permissions", 14, "Space", SPACES, "Type", SPACE_GRANTS, "User"),
    kind("Default space permission added", "Permissions", 2, "Group", GROUPS, "Type", SPACE_GRANTS, ""),
    kind("Anonymous access to space granted", "Permissions", 2, "Space", SPACES, "Anonymous access", SWITCH, ""),
    kind("Space created", "Spaces", 5, "Space", SPACES, "Name", SPACES, ""),
    kind("Space configuration updated", "Spaces", 10, "Space", SPACES, "Description", &["", "Of all", "Of the lab"], ""),
    kind("Space archived", "Spaces", 2, "Space", SPACES, "Status", &["current", "archived"], ""),
    kind("Space deleted", "Spaces", 1, "Space", SPACES, "", &[], ""),
    kind("Space exported", "Import/export", 5, "Space", SPACES, "Format", &["PDF", "HTML", "XML"], ""),
    kind("Page exported", "Import/export", 8, "Page", PAGES, "Format", &["PDF", "Word"], "Space"),
    kind("Page restriction added", "Pages", 24, "Page", PAGES, "View restriction", VIEWERS, "Space"),
    kind("Page restriction removed", "Pages", 14, "Page", PAGES, "View restriction", VIEWERS, "Space"),
    kind("Page deleted", "Pages", 8, "Page", PAGES, "", &[], "Space"),
    kind("Page moved", "Pages", 8, "Page", PAGES, "Space", SPACES, "Space"),
    kind("Page owner changed", "Pages", 4, "Page", PAGES, "Owner", PEOPLE, "User"),
    kind("Public link turned on", "Pages", 4, "Page", PAGES, "Public link", SWITCH, "Space"),
    kind("App installed", "Apps", 4, "App", APPS, "Version", VERSIONS, ""),
    kind("App uninstalled", "Apps", 2, "App", APPS, "", &[], ""),
    kind("App updated", "Apps", 4, "App", APPS, "Version", VERSIONS, ""),
    kind("Global settings changed", "Global administration", 6, "Global settings", &["General configuration"], "Time zone", &["UTC", "Europe/Amsterdam", "Europe/Lisbon"], ""),
    kind("Security configuration updated", "Security", 4, "Global settings", &["Security configuration"], "Anonymous access to API", SWITCH, ""),
    kind("Audit log retention changed", "Auditing", 2, "Global settings", &["Audit log"], "Retention", &["6 months", "12 months"], ""),
    kind("Audit log exported", "Auditing", 2, "Global settings", &["Audit log"], "", &[], ""),
];

/// As recorded: no account, and a public name that says so (elastic/integrations,
/// atlassian_confluence).
const SYSTEM: &str = r#"{"type":"user","displayName":"System","operations":null,"accountType":"","publicName":"Unknown user","isExternalCollaborator":false,"externalCollaborator":false}"#;
const OLD_USER: &str = r#"{"type":"user","displayName":"Ines Carvalho","operations":null,"username":"ines.carvalho","userKey":"ff8080814f3a1c20014f3a1d5e7a0003","accountId":"557058:7c41d9b0-2e6a-4f83-b5d7-90e1a2b3c4d5","accountType":"atlassian","publicName":"Ines","isExternalCollaborator":true,"externalCollaborator":true,"isGuest":true}"#;

/// The irregular shapes, taken in turn.
const ODD_SHAPES: &[fn(&mut JsonMembers)] = &[
    |members| {
        members.set("author", SYSTEM);
        members.set("remoteAddress", "\"\"");
    },
    |members| members.set("author", "null"),
    |members| members.remove("author"),
    |members| members.set("author", OLD_USER),
    |members| {
        members
            .set("author", r#"{"type":"user","displayName":null,"accountId":null,"publicName":""}"#)
    },
    |members| members.set("remoteAddress", "null"),
    |members| members.remove("remoteAddress"),
    |members| members.set("remoteAddress", "\"2001:db8::4a\""),
    |members| members.set("remoteAddress", "\"198.51.100.9, 203.0.113.80\""),
    |members| members.set("description", "\"Requested in HELP-17.\\nSecond line\\u0007\""),
    |members| members.set("description", "null"),
    |members| members.remove("description"),
    |members| members.set("category", "\"\""),
    |members| {
        members.set("sysAdmin", "true");
        members.set("superAdmin", "true");
    },
    |members| {
        members.remove("sysAdmin");
        members.remove("superAdmin");
    },
    |members| members.set("affectedObject", object("", "")),
    |members| members.set("affectedObject", "null"),
    |members| members.remove("affectedObject"),
    |members| members.set("affectedObject", object("🔭 日本語 مجموعة \u{202e}", "Group")),
    |members| members.set("changedValues", "null"),
    |members| members.remove("changedValues"),
    |members| {
        members.set("changedValues", array([
            change("Active", "Yes", "No"),
            r#"{"name":"Email","oldValue":null,"newValue":"","hiddenOldValue":"","hiddenNewValue":"712020:0f2b"}"#
                .to_owned(),
        ]))
    },
    |members| members.set("associatedObjects", "null"),
    |members| members.remove("associatedObjects"),
    |members| {
        members.set("associatedObjects", array([object("", "User"), object("finance", "Group")]))
    },
    |members| members.set("sequence", "12345678901234567890123"),
    |members| members.set("summary", r#""Space \u0070ermission added \/ changed""#),
];
