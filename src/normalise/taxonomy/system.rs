//! Owns the rows of how a site or server is set up, and of its audit log.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Global settings, the audit log itself, licences, mail, servers.
pub const SYSTEM: ActionFamily = ActionFamily {
    title: "Settings and the audit log",
    provenance: "Summaries of Jira, Confluence and Data Center, seen (licence, audit search, JFR) or documented; Bitbucket \
           Data Center's as Atlassian lists them.",
    names: SYSTEM_NAMES,
    patterns: SYSTEM_PATTERNS,
};

const SYSTEM_NAMES: &[NamedAction] = names! {
    "global_settings_changed"                Configuration Done   [Configuration: Change]   EntityManagement Update;
    "global_settings_updated"                Configuration Done   [Configuration: Change]   EntityManagement Update;
    "general_configuration_updated"          Configuration Done   [Configuration: Change]   EntityManagement Update;
    "security_configuration_updated"         Configuration Done   [Configuration: Change]   EntityManagement Update;
    "site_logo_changed"                      Configuration Done   [Configuration: Change]   EntityManagement Update;
    "color_scheme_modified"                  Configuration Done   [Configuration: Change]   EntityManagement Update;
    "global_theme_changed"                   Configuration Done   [Configuration: Change]   EntityManagement Update;
    "announcement_banner_created"            Configuration Done   [Configuration: Creation] EntityManagement Create;
    "announcement_banner_updated"            Configuration Done   [Configuration: Change]   EntityManagement Update;
    "announcement_banner_deleted"            Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "base_url_changed"                       Configuration Done   [Configuration: Change]   EntityManagement Update;
    "server_name_changed"                    Configuration Done   [Configuration: Change]   EntityManagement Update;
    "server_email_address_changed"           Configuration Done   [Configuration: Change]   EntityManagement Update;
    "server_time_zone_changed"               Configuration Done   [Configuration: Change]   EntityManagement Update;
    "instance_setup_completed"               Configuration Done   [Configuration: Change]   EntityManagement Update;
    "mail_server_changed"                    Configuration Done   [Configuration: Change]   EntityManagement Update;
    "product_license_changed"                Configuration Done   [Configuration: Change]   EntityManagement Update;
    "new_license_added"                      Configuration Done   [Configuration: Creation] EntityManagement Create;
    "license_updated"                        Configuration Done   [Configuration: Change]   EntityManagement Update;
    "license_removed"                        Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "elasticsearch_settings_changed"         Configuration Done   [Configuration: Change]   EntityManagement Update;
    "elasticsearch_full_sync_started"        Configuration Open   [Configuration: Info]     EntityManagement Other;
    "http_access_to_scm_hosting_changed"     Configuration Done   [Configuration: Change]   EntityManagement Update;
    "default_rate_limiting_settings_changed" Configuration Done   [Configuration: Change]   EntityManagement Update;
    "rate_limiting_enabled"                  Configuration Done   [Configuration: Change]   EntityManagement Enable;
    "rate_limiting_disabled"                 Configuration Done   [Configuration: Change]   EntityManagement Disable;
    "database_migration_started"             Configuration Open   [Configuration: Info]     EntityManagement Other;
    "database_migration_succeeded"           Configuration Done   [Configuration: Change]   EntityManagement Update;
    "database_migration_failed"              Configuration Failed [Configuration: Info]     EntityManagement Other;
    "database_migration_cancelled"           Configuration Done   [Configuration: Info]     EntityManagement Other;
    "user_macro_added"                       Configuration Done   [Configuration: Creation] EntityManagement Create;
    "user_macro_updated"                     Configuration Done   [Configuration: Change]   EntityManagement Update;
    "user_macro_removed"                     Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "jfr_recording_started"                  Configuration Open   [Configuration: Info]     EntityManagement Other;
    "global_retention_rules_updated"         Configuration Done   [Configuration: Change]   EntityManagement Update;
    "space_retention_rules_updated"          Configuration Done   [Configuration: Change]   EntityManagement Update;
    "sso_configuration_updated"              Configuration Done   [Configuration: Change]   EntityManagement Update;
    // The audit log itself.
    "auditing_enabled"                       Configuration Done   [Configuration: Change]   EntityManagement Enable;
    "auditing_disabled"                      Configuration Done   [Configuration: Change]   EntityManagement Disable;
    "audit_log_search_performed"             Configuration Done   [Configuration: Access]   EntityManagement Read;
    "audit_log_settings_changed"             Configuration Done   [Configuration: Change]   EntityManagement Update;
    "audit_log_retention_changed"            Configuration Done   [Configuration: Change]   EntityManagement Update;
    "audit_log_retention_updated"            Configuration Done   [Configuration: Change]   EntityManagement Update;
    "audit_log_configuration_updated"        Configuration Done   [Configuration: Change]   EntityManagement Update;
};

const SYSTEM_PATTERNS: &[ActionPattern] = patterns! {
    "global_settings_*"       Configuration [Configuration] EntityManagement Told;
    "audit_log_*"             Configuration [Configuration] EntityManagement Told;
    "announcement_banner_*"   Configuration [Configuration] EntityManagement Told;
    "mail_server_*"           Configuration [Configuration] EntityManagement Told;
    "license_*"               Configuration [Configuration] EntityManagement Told;
    "rate_limiting_*"         Configuration [Configuration] EntityManagement Told;
    "database_migration_*"    Configuration [Configuration] EntityManagement Told;
    "user_macro_*"            Configuration [Configuration] EntityManagement Told;
    "user_rate_limiting_*"    Configuration [Configuration] EntityManagement Told;
    "scheduled_job_*"         Configuration [Configuration] EntityManagement Told;
    "allowlist_*"             Configuration [Configuration] EntityManagement Told;
    "*_settings_updated"      Configuration [Configuration] EntityManagement Update;
    "*_settings_changed"      Configuration [Configuration] EntityManagement Update;
    "*_configuration_updated" Configuration [Configuration] EntityManagement Update;
};
