//! The kinds of Data Center audit events: a Jira and a Bitbucket under one roof.

use super::kinds::{RecordKind, kind};

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
pub const END_USER: &str = "End user activity";

/// All kinds.
#[rustfmt::skip] // a table reads as a table
pub const KINDS: &[RecordKind] = &[
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
