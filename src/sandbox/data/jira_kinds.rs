//! The kinds of Jira audit records.

use super::kinds::{RecordKind, kind};

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
pub const KINDS: &[RecordKind] = &[
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
