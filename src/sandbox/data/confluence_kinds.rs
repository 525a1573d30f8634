//! The kinds of Confluence audit records.

use super::kinds::{RecordKind, kind};

const GROUPS: &[&str] = &[
    "confluence-users",
    "confluence-administrators",
    "optics-team",
    "finance",
    "contractors",
];
const SPACES: &[&str] = &["Engineering", "Optics Lab", "People", "Finance", "Runbooks"];
const PAGES: &[&str] = &[
    "Release checklist",
    "Onboarding",
    "Calibration notes",
    "On-call rota",
    "Budget 2027",
];
const SPACE_GRANTS: &[&str] = &["View", "Add pages", "Delete pages", "Export", "Administer"];
const GLOBAL_GRANTS: &[&str] = &["Can use", "Personal space", "Create space", "Administer"];
const PEOPLE: &[&str] = &["Zoë Fjellström", "Dario Greco", "Samuel Okoro"];
const VIEWERS: &[&str] = &["Everyone", "Only the author", "optics-team", "finance"];
const APPS: &[&str] = &["Diagram Studio", "Release Notes Bot"];
const VERSIONS: &[&str] = &["3.1.0", "3.2.4", "4.0.0"];
const SWITCH: &[&str] = &["On", "Off"];

/// All kinds. Those of spaces and pages are anybody's doing, the others an administrator's.
#[rustfmt::skip] // a table reads as a table
pub const KINDS: &[RecordKind] = &[
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
