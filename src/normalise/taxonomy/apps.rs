//! Owns the rows of apps: of the Marketplace, of Connect and Forge, of OAuth, and plugins.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Apps, plugins, webhooks and application links.
pub const APPS: ActionFamily = ActionFamily {
    title: "Apps and integrations",
    provenance: "Documented activities of apps and Bitbucket Data Center's plugin events; the identifiers of the \
           organization events are not confirmed.",
    names: APPS_NAMES,
    patterns: APPS_PATTERNS,
};

const APPS_NAMES: &[NamedAction] = names! {
    "app_installed"                                App Done   [Configuration: Creation] EntityManagement Create;
    "app_uninstalled"                              App Done   [Configuration: Deletion] EntityManagement Delete;
    "app_updated"                                  App Done   [Configuration: Change]   EntityManagement Update;
    "app_upgraded"                                 App Done   [Configuration: Change]   EntityManagement Update;
    "app_enabled"                                  App Done   [Configuration: Change]   EntityManagement Enable;
    "app_disabled"                                 App Done   [Configuration: Change]   EntityManagement Disable;
    "app_update_failed"                            App Failed [Configuration: Info]     EntityManagement Other;
    "app_enable_failed"                            App Failed [Configuration: Info]     EntityManagement Other;
    "app_access_granted"                           App Done   [Iam: User Change]        EntityManagement Enable;
    "app_access_revoked"                           App Done   [Iam: User Change]        EntityManagement Disable;
    "app_request_created"                          App Open   [Configuration: Info]     EntityManagement Other;
    "app_request_approved"                         App Done   [Configuration: Change]   EntityManagement Update;
    "app_request_denied"                           App Failed [Configuration: Info]     EntityManagement Other;
    // As Atlassian's list of activities words them.
    "app_successful_installation"                  App Done   [Configuration: Creation] EntityManagement Create;
    "app_successful_uninstallation"                App Done   [Configuration: Deletion] EntityManagement Delete;
    "app_successful_dependency_installation"       App Done   [Configuration: Creation] EntityManagement Create;
    "app_failed_installation"                      App Failed [Configuration: Info]     EntityManagement Other;
    "app_failed_installation_unsupported_protocol" App Failed [Configuration: Info]     EntityManagement Other;
    "app_failed_uninstallation"                    App Failed [Configuration: Info]     EntityManagement Other;
    "app_update_success"                           App Done   [Configuration: Change]   EntityManagement Update;
    "app_enable_success"                           App Done   [Configuration: Change]   EntityManagement Enable;
    "app_disable_success"                          App Done   [Configuration: Change]   EntityManagement Disable;
    "app_disable_failure"                          App Failed [Configuration: Info]     EntityManagement Other;
    "app_auto_update_attempt"                      App Open   [Configuration: Info]     EntityManagement Other;
    "app_auto_updated_failed_permission_required"  App Failed [Configuration: Info]     EntityManagement Other;
    "third_party_app_confluence_api_request"       App Open   [Api: Access]             Api              Other;
    "third_party_app_jira_api_request"             App Open   [Api: Access]             Api              Other;
    // Connect, Forge, OAuth, webhooks.
    "oauth_consent_granted"                        App Done   [Iam: User Change]        EntityManagement Enable;
    "oauth_consent_revoked"                        App Done   [Iam: User Change]        EntityManagement Disable;
    "webhook_created"                              App Done   [Configuration: Creation] EntityManagement Create;
    "webhook_updated"                              App Done   [Configuration: Change]   EntityManagement Update;
    "webhook_deleted"                              App Done   [Configuration: Deletion] EntityManagement Delete;
    "webhook_enabled"                              App Done   [Configuration: Change]   EntityManagement Enable;
    "webhook_disabled"                             App Done   [Configuration: Change]   EntityManagement Disable;
    "audit_log_webhook_created"                    App Done   [Configuration: Creation] EntityManagement Create;
    "audit_log_webhook_updated"                    App Done   [Configuration: Change]   EntityManagement Update;
    "audit_log_webhook_deleted"                    App Done   [Configuration: Deletion] EntityManagement Delete;
    // Data Center.
    "plugin_installed"                             App Done   [Configuration: Creation] EntityManagement Create;
    "plugin_uninstalled"                           App Done   [Configuration: Deletion] EntityManagement Delete;
    "plugin_upgraded"                              App Done   [Configuration: Change]   EntityManagement Update;
    "plugin_enabled"                               App Done   [Configuration: Change]   EntityManagement Enable;
    "plugin_disabled"                              App Done   [Configuration: Change]   EntityManagement Disable;
    "plugin_module_enabled"                        App Done   [Configuration: Change]   EntityManagement Enable;
    "plugin_module_disabled"                       App Done   [Configuration: Change]   EntityManagement Disable;
    "plugin_module_available"                      App Open   [Configuration: Info]     EntityManagement Other;
    "plugin_module_unavailable"                    App Open   [Configuration: Info]     EntityManagement Other;
    "plugin_framework_started"                     App Open   [Configuration: Info]     EntityManagement Other;
    "plugin_container_unavailable"                 App Open   [Configuration: Info]     EntityManagement Other;
    "application_link_created"                     App Done   [Configuration: Creation] EntityManagement Create;
    "application_link_updated"                     App Done   [Configuration: Change]   EntityManagement Update;
    "application_link_deleted"                     App Done   [Configuration: Deletion] EntityManagement Delete;
    "application_link_removed"                     App Done   [Configuration: Deletion] EntityManagement Delete;
    "client_configuration_created"                 App Done   [Configuration: Creation] EntityManagement Create;
    "client_configuration_updated"                 App Done   [Configuration: Change]   EntityManagement Update;
    "client_configuration_deleted"                 App Done   [Configuration: Deletion] EntityManagement Delete;
};

const APPS_PATTERNS: &[ActionPattern] = patterns! {
    "app_*"              App [Configuration] EntityManagement Told;
    "plugin_*"           App [Configuration] EntityManagement Told;
    "connect_app_*"      App [Configuration] EntityManagement Told;
    "forge_app_*"        App [Configuration] EntityManagement Told;
    "oauth_app_*"        App [Configuration] EntityManagement Told;
    "webhook_*"          App [Configuration] EntityManagement Told;
    "application_link_*" App [Configuration] EntityManagement Told;
    "*_webhook_created"  App [Configuration] EntityManagement Create;
    "*_webhook_updated"  App [Configuration] EntityManagement Update;
    "*_webhook_deleted"  App [Configuration] EntityManagement Delete;
};
