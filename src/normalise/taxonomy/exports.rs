//! Owns the rows of data that leaves: exports and backups.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Exports and backups: data that leaves.
pub const EXPORTS: ActionFamily = ActionFamily {
    title: "Exports and backups",
    provenance: "Documented: completed and downloaded space exports, downloaded page exports, the exported organization \
           audit log. Identifiers of organization events are not confirmed; Bitbucket Data Center's as Atlassian \
           lists them.",
    names: EXPORTS_NAMES,
    patterns: EXPORTS_PATTERNS,
};

const EXPORTS_NAMES: &[NamedAction] = names! {
    "confluence_space_export"            DataExport Open   [File: Access]          WebResources     Export;
    "confluence_space_exported"          DataExport Done   [File: Access]          WebResources     Export;
    "confluence_space_export_requested"  DataExport Open   []                      WebResources     Export;
    "confluence_space_export_started"    DataExport Open   []                      WebResources     Export;
    "confluence_space_export_completed"  DataExport Done   [File: Access]          WebResources     Export;
    "confluence_space_export_downloaded" DataExport Done   [File: Access]          WebResources     Read;
    "confluence_page_exported"           DataExport Done   [File: Access]          WebResources     Export;
    "confluence_page_export"             DataExport Open   [File: Access]          WebResources     Export;
    "confluence_page_export_completed"   DataExport Done   [File: Access]          WebResources     Export;
    "confluence_page_export_downloaded"  DataExport Done   [File: Access]          WebResources     Read;
    "jira_issues_exported"               DataExport Done   []                      WebResources     Export;
    "trello_board_exported"              DataExport Done   []                      WebResources     Export;
    "trello_workspace_exported"          DataExport Done   []                      WebResources     Export;
    "org_audit_log_exported"             DataExport Done   [Configuration: Access] WebResources     Export;
    "org_users_exported"                 DataExport Done   [Iam: Info]             WebResources     Export;
    "audit_log_exported"                 DataExport Done   [Configuration: Access] WebResources     Export;
    // Jira, Confluence and Data Center.
    "space_exported"                     DataExport Done   [File: Access]          WebResources     Export;
    "space_export"                       DataExport Open   [File: Access]          WebResources     Export;
    "space_export_completed"             DataExport Done   [File: Access]          WebResources     Export;
    "space_export_started"               DataExport Open   []                      WebResources     Export;
    "space_import"                       Content    Open   [Configuration: Info]   EntityManagement Other;
    "page_exported"                      DataExport Done   [File: Access]          WebResources     Export;
    "blog_exported"                      DataExport Done   [File: Access]          WebResources     Export;
    "attachments_downloaded"             DataExport Done   [File: Access]          WebResources     Read;
    "site_exported"                      DataExport Done   [File: Access]          WebResources     Export;
    "site_backup_created"                DataExport Done   [File: Access]          WebResources     Export;
    "issue_exported"                     DataExport Done   []                      WebResources     Export;
    "issues_exported"                    DataExport Done   []                      WebResources     Export;
    "search_results_exported"            DataExport Done   []                      WebResources     Export;
    "xml_backup_created"                 DataExport Done   []                      WebResources     Export;
    "system_backup_started"              DataExport Open   []                      WebResources     Export;
    "system_backup_succeeded"            DataExport Done   []                      WebResources     Export;
    "system_backup_failed"               DataExport Failed []                      WebResources     Export;
    "system_backup_cancelled"            DataExport Done   []                      WebResources     Export;
    "full_data_export_started"           DataExport Open   []                      WebResources     Export;
    "full_data_export_completed"         DataExport Done   []                      WebResources     Export;
    "full_data_export_failed"            DataExport Failed []                      WebResources     Export;
    "full_data_export_cancelled"         DataExport Done   []                      WebResources     Export;
};

const EXPORTS_PATTERNS: &[ActionPattern] = patterns! {
    "*_exported"          DataExport [File] WebResources Export;
    "*_export"            DataExport [File] WebResources Export;
    "*_export_requested"  DataExport []     WebResources Other;
    "*_export_started"    DataExport []     WebResources Other;
    "*_export_completed"  DataExport [File] WebResources Export;
    "*_export_failed"     DataExport []     WebResources Export;
    "*_export_downloaded" DataExport [File] WebResources Read;
    "*_backup_created"    DataExport []     WebResources Export;
    "*_backup_downloaded" DataExport [File] WebResources Read;
    "system_backup_*"     DataExport []     WebResources Other;
    "full_data_export_*"  DataExport []     WebResources Other;
};
