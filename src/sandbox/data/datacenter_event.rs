//! Composes Data Center audit events from a seed: their kinds, regular shapes and irregular ones.

use chrono::{DateTime, SecondsFormat};
use fastrand::Rng;

use super::{
    people::{self, SamplePerson},
    record_kind::{self, RecordComposer, RecordKind, kind},
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
        finished(searched(user, "127.0.0.1", "200"), created_ms)
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
            return finished(searched(user, "203.0.113.60", &found), created_ms);
        }
        let found = record_kind::drawn(KINDS, &mut self.rng);
        let mut parts = self.parts(found.unwrap_or(&KINDS[0]));
        if !self.clean && self.composed.is_multiple_of(ODD_EVERY) {
            parts.distort(self.composed / ODD_EVERY);
        }
        finished(parts, created_ms)
    }
}

impl DatacenterParts {
    /// Takes on irregular shape `number`, counted around.
    fn distort(&mut self, number: usize) {
        ODD_SHAPES[number % ODD_SHAPES.len()](self);
    }
}

fn finished(parts: DatacenterParts, created_ms: i64) -> SandboxRecord {
    let at = DateTime::from_timestamp_millis(created_ms).unwrap_or_default();
    let mut event = JsonObject::new()
        .text(
            "timestamp",
            &at.to_rfc3339_opts(SecondsFormat::Millis, true),
        )
        .maybe("author", parts.author.as_deref())
        .raw("type", &parts.kind)
        .maybe("affectedObjects", parts.affected_objects.as_deref())
        .maybe("changedValues", parts.changed_values.as_deref())
        .maybe("source", parts.source.as_deref())
        .maybe("system", parts.system.as_deref())
        .maybe("node", parts.node.as_deref())
        .maybe("method", parts.method.as_deref())
        .maybe("extraAttributes", parts.extra_attributes.as_deref());
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
    JsonObject::new()
        .text("name", name)
        .text("type", kind)
        .text("uri", uri)
        .text("id", id)
        .finish()
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

const GROUPS: &[&str] = &[
    "jira-administrators",
    "optics-team",
    "finance",
    "contractors",
];
const PROJECTS: &[&str] = &["Lens production", "Operations", "Help desk", "Finance"];
const REPOSITORIES: &[&str] = &["lens-firmware", "ops-tools", "website", "calibration"];
const SCHEMES: &[&str] = &["Default permissions", "Lab permissions"];
const WORKFLOWS: &[&str] = &["Lab workflow", "Simple approval"];
const TOKENS: &[&str] = &[
    "laptop script",
    "report export",
    "ci pipeline",
    "calendar sync",
];
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
const ODD_SHAPES: &[fn(&mut DatacenterParts)] = &[
    |parts| {
        parts.author = Some(SYSTEM_AUTHOR.to_owned());
        parts.source = None;
        parts.method = Some("\"System\"".to_owned());
    },
    |parts| parts.author = Some(ANONYMOUS.to_owned()),
    |parts| parts.author = Some("null".to_owned()),
    |parts| parts.author = None,
    |parts| parts.author = Some(r#"{"name":null,"type":"","id":10000}"#.to_owned()),
    |parts| parts.source = Some("\"\"".to_owned()),
    |parts| parts.source = Some("null".to_owned()),
    |parts| parts.source = Some("\"2001:db8::4a\"".to_owned()),
    // What a proxy adds.
    |parts| parts.source = Some("\"198.51.100.9, 203.0.113.80\"".to_owned()),
    |parts| parts.node = None,
    |parts| parts.method = Some("\"Unknown\"".to_owned()),
    |parts| parts.method = None,
    |parts| parts.system = Some("null".to_owned()),
    |parts| parts.affected_objects = Some("null".to_owned()),
    |parts| parts.affected_objects = None,
    |parts| parts.affected_objects = Some(array([object("", "", "", "")])),
    |parts| {
        parts.affected_objects = Some(array([
            r#"{"name":"🔭 日本語 مجموعة","type":"GROUP"}"#,
            "null",
        ]))
    },
    |parts| parts.changed_values = Some("null".to_owned()),
    |parts| {
        parts.changed_values = Some(
            r#"[{"key":"Name","i18nKey":null,"from":null,"to":""},{"key":"Lead","to":"ada"}]"#
                .to_owned(),
        )
    },
    |parts| parts.extra_attributes = Some("null".to_owned()),
    |parts| parts.extra_attributes = None,
    |parts| {
        parts.extra_attributes = Some(array([
            attribute("Reason", "line one\nline two\u{7}"),
            attribute("", ""),
        ]))
    },
    |parts| {
        parts
            .more
            .push(("sequence", "12345678901234567890123".to_owned()))
    },
    |parts| {
        parts.kind =
            r#"{"category":"Group management","action":"Group \u0063reated \/ renamed"}"#.to_owned()
    },
];
