//! Composes Data Center audit events from a seed: their kinds, regular shapes and irregular ones.

use chrono::{DateTime, SecondsFormat};
use fastrand::Rng;

use super::{
    people::{self, SamplePerson},
    record_kind::{self, RecordComposer, RecordKind, kind},
};
use crate::sandbox::{
    DATACENTER_USER,
    json_text::{JsonMembers, JsonObject, array, quoted},
    records::SandboxRecord,
};

/// The product's own address, as its events name it.
const SYSTEM: &str = "https://jira.lindenfell.example";
/// One event in so many gets an odd shape.
const ODD_EVERY: usize = 6;
/// One event in so many is a look at the log itself.
const SEARCH_EVERY: usize = 20;

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
        Self { rng: Rng::with_seed(seed ^ 0x6461_7461_2d63_656e), clean, composed: 0 }
    }

    /// The event that a reading of the log by `user` is.
    pub fn search_performed(&mut self, created_ms: i64, user: &str) -> SandboxRecord {
        record(&searched(created_ms, user, "127.0.0.1", "200"), created_ms)
    }

    fn members(&mut self, kind: &RecordKind, created_ms: i64) -> JsonMembers {
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
        JsonMembers::default()
            .with("timestamp", timestamp(created_ms))
            .with("author", author(by))
            .with("type", event_type(kind.category, kind.summary))
            .with("affectedObjects", array([affected].into_iter().chain(associated)))
            .with("changedValues", array(self.change(kind)))
            .with("source", quoted(by.ip))
            .with("system", quoted(SYSTEM))
            .with("node", quoted("node-1"))
            .with("method", quoted("Browser"))
            .with("extraAttributes", array(token))
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
            values => {
                (values[self.rng.usize(..values.len())], values[self.rng.usize(..values.len())])
            }
        };
        let change =
            JsonObject::new().text("key", kind.field).text("i18nKey", &key("change", kind.field));
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
            return record(&searched(created_ms, user, "203.0.113.60", &found), created_ms);
        }
        let found = record_kind::drawn(KINDS, &mut self.rng);
        let mut members = self.members(found.unwrap_or(&KINDS[0]), created_ms);
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            ODD_SHAPES[self.composed / ODD_EVERY % ODD_SHAPES.len()](&mut members);
        }
        record(&members, created_ms)
    }
}

fn record(members: &JsonMembers, created_ms: i64) -> SandboxRecord {
    SandboxRecord { id: String::new(), created_ms, text: members.finish() }
}

/// A search in the log, which the log holds as well.
fn searched(created_ms: i64, user: &str, source: &str, found: &str) -> JsonMembers {
    let attributes = [attribute("Query", ""), attribute("Results returned", found)];
    JsonMembers::default()
        .with("timestamp", timestamp(created_ms))
        .with("author", author_named(user, "JIRAUSER10000"))
        .with("type", event_type("Auditing", "Audit Log search performed"))
        .with("affectedObjects", "[]")
        .with("changedValues", "[]")
        .with("source", quoted(source))
        .with("system", quoted(SYSTEM))
        .with("node", quoted("node-1"))
        .with("method", quoted("REST"))
        .with("extraAttributes", array(attributes))
}

fn timestamp(created_ms: i64) -> String {
    let at = DateTime::from_timestamp_millis(created_ms).unwrap_or_default();
    quoted(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
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
    let place = people::PEOPLE.iter().position(|known| known.account_id == person.account_id);
    format!("JIRAUSER{}", 10_100 + place.unwrap_or_default())
}

fn profile(name: &str) -> String {
    format!("{SYSTEM}/secure/ViewProfile.jspa?name={name}")
}

/// `type` of an event.
fn event_type(category: &str, action: &str) -> String {
    JsonObject::new()
        .text("categoryI18nKey", &key("category", category))
        .text("category", category)
        .text("actionI18nKey", &key("action", action))
        .text("action", action)
        .finish()
}

/// One of `affectedObjects`.
fn object(name: &str, kind: &str, uri: &str, id: &str) -> String {
    JsonObject::new().text("name", name).text("type", kind).text("uri", uri).text("id", id).finish()
}

/// One of `extraAttributes`.
fn attribute(name: &str, value: &str) -> String {
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

const GROUPS: &[&str] = &["jira-administrators", "optics-team", "finance", "contractors"];
const PROJECTS: &[&str] = &["Lens production", "Operations", "Help desk", "Finance"];
const REPOSITORIES: &[&str] = &["lens-firmware", "ops-tools", "website", "calibration"];
const SCHEMES: &[&str] = &["Default permissions", "Lab permissions"];
const WORKFLOWS: &[&str] = &["Lab workflow", "Simple approval"];
const TOKENS: &[&str] = &["laptop script", "report export", "ci pipeline", "calendar sync"];
const GRANTS: &[&str] = &["Browse projects", "Administer projects", "Delete issues"];
const ACCESS: &[&str] = &["REPO_READ", "REPO_WRITE", "REPO_ADMIN"];
const APPS: &[&str] = &["Time Ledger", "Diagram Studio"];
const ISSUES: &[&str] = &["LENS-204", "OPS-17", "HELP-301", "FIN-8"];
const SWITCH: &[&str] = &["true", "false"];

/// The category of what everybody does; the others are an administrator's.
const END_USER: &str = "End user activity";

/// All kinds.
#[rustfmt::skip] // a table reads as a table
const KINDS: &[RecordKind] = &[
    kind("User created", "User management", 12, "USER", &[], "Email", &["old@lindenfell.example", "new@lindenfell.example"], "GROUP"),
    kind("User updated", "User management", 12, "USER", &[], "Full name", &["Zoë Fjellström", "Zoë Lindqvist"], ""),
    kind("User deactivated", "User management", 6, "USER", &[], "Active", SWITCH, ""),
    kind("User deleted", "User management", 2, "USER", &[], "", &[], ""),
    kind("User's password changed", "User management", 5, "USER", &[], "", &[], ""),
    kind("Group created", "Group management", 4, "GROUP", GROUPS, "", &[], ""),
    kind("Group deleted", "Group management", 2, "GROUP", GROUPS, "", &[], ""),
    kind("User added to group", "Group management", 26, "GROUP", GROUPS, "", &[], "USER"),
    kind("User removed from group", "Group management", 16, "GROUP", GROUPS, "", &[], "USER"),
    kind("Global permission added", "Permissions", 6, "GROUP", GROUPS, "Permission", &["Administer Jira", "Browse users", "Bulk change"], ""),
    kind("Global permission deleted", "Permissions", 4, "GROUP", GROUPS, "Permission", &["Administer Jira", "Browse users", "Bulk change"], ""),
    kind("Permission scheme updated", "Permissions", 12, "SCHEME", SCHEMES, "Permission", GRANTS, "GROUP"),
    kind("Permission scheme added to project", "Permissions", 4, "SCHEME", SCHEMES, "", &[], "PROJECT"),
    kind("Repository permission granted", "Permissions", 8, "REPOSITORY", REPOSITORIES, "Permission", ACCESS, "USER"),
    kind("Repository permission revoked", "Permissions", 5, "REPOSITORY", REPOSITORIES, "Permission", ACCESS, "USER"),
    kind("Personal access token created", "Security", 12, "TOKEN", TOKENS, "", &[], ""),
    kind("Personal access token revoked", "Security", 8, "TOKEN", TOKENS, "", &[], ""),
    kind("Login failed", "Security", 14, "USER", &[], "", &[], ""),
    kind("Secure administrator session started", "Security", 8, "USER", &[], "", &[], ""),
    kind("SSH key created", "Security", 4, "USER", &[], "", &[], ""),
    kind("Project created", "Projects", 4, "PROJECT", PROJECTS, "Key", &["LENS", "OPS", "HELP", "FIN"], "USER"),
    kind("Project updated", "Projects", 8, "PROJECT", PROJECTS, "Lead", &["marta.oliveira", "priya.raman"], ""),
    kind("Project deleted", "Projects", 1, "PROJECT", PROJECTS, "", &[], ""),
    kind("Repository created", "Repositories", 5, "REPOSITORY", REPOSITORIES, "", &[], "PROJECT"),
    kind("Repository deleted", "Repositories", 2, "REPOSITORY", REPOSITORIES, "", &[], "PROJECT"),
    kind("Branch restriction changed", "Repositories", 6, "REPOSITORY", REPOSITORIES, "Branch", &["main", "release/*"], ""),
    kind("Workflow updated", "Workflows", 6, "WORKFLOW", WORKFLOWS, "Status", &["To do", "In review", "Done"], ""),
    kind("Global settings updated", "System administration", 5, "SETTINGS", &["General configuration"], "Public sign-up", SWITCH, ""),
    kind("App installed", "Apps", 3, "APP", APPS, "Version", &["1.4.0", "2.0.0"], ""),
    kind("App uninstalled", "Apps", 2, "APP", APPS, "", &[], ""),
    kind("Audit log configuration updated", "Auditing", 2, "SETTINGS", &["Audit log"], "Retention", &["1 year", "3 years"], ""),
    kind("Issue viewed", END_USER, 24, "ISSUE", ISSUES, "", &[], "PROJECT"),
    kind("Issue deleted", END_USER, 4, "ISSUE", ISSUES, "", &[], "PROJECT"),
    kind("Issues exported", END_USER, 4, "PROJECT", PROJECTS, "", &[], ""),
    kind("Repository cloned", END_USER, 12, "REPOSITORY", REPOSITORIES, "", &[], "PROJECT"),
];

const SYSTEM_AUTHOR: &str =
    r#"{"name":"System","type":"system","id":"-1","uri":"","avatarUri":""}"#;
const ANONYMOUS: &str = r#"{"name":"Anonymous","type":"user","id":"-2"}"#;

/// The irregular shapes, taken in turn.
const ODD_SHAPES: &[fn(&mut JsonMembers)] = &[
    |members| {
        members.set("author", SYSTEM_AUTHOR);
        members.remove("source");
        members.set("method", "\"System\"");
    },
    |members| members.set("author", ANONYMOUS),
    |members| members.set("author", "null"),
    |members| members.remove("author"),
    |members| members.set("author", r#"{"name":null,"type":"","id":10000}"#),
    |members| members.set("source", "\"\""),
    |members| members.set("source", "null"),
    |members| members.set("source", "\"2001:db8::4a\""),
    // What a proxy adds.
    |members| members.set("source", "\"198.51.100.9, 203.0.113.80\""),
    |members| members.remove("node"),
    |members| members.set("method", "\"Unknown\""),
    |members| members.remove("method"),
    |members| members.set("system", "null"),
    |members| members.set("affectedObjects", "null"),
    |members| members.remove("affectedObjects"),
    |members| members.set("affectedObjects", array([object("", "", "", "")])),
    |members| {
        members.set(
            "affectedObjects",
            array([r#"{"name":"🔭 日本語 مجموعة","type":"GROUP"}"#, "null"]),
        )
    },
    |members| members.set("changedValues", "null"),
    |members| {
        members.set(
            "changedValues",
            r#"[{"key":"Name","i18nKey":null,"from":null,"to":""},{"key":"Lead","to":"ada"}]"#,
        )
    },
    |members| members.set("extraAttributes", "null"),
    |members| members.remove("extraAttributes"),
    |members| {
        members.set(
            "extraAttributes",
            array([attribute("Reason", "line one\nline two\u{7}"), attribute("", "")]),
        )
    },
    |members| members.set("sequence", "12345678901234567890123"),
    |members| {
        members.set(
            "type",
            r#"{"category":"Group management","action":"Group \u0063reated \/ renamed"}"#,
        )
    },
];
