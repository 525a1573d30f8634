//! Owns the rows of how Jira is set up: schemes, workflows, fields, screens, types.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Schemes, workflows, fields, screens and types.
pub const SCHEMES: ActionFamily = ActionFamily {
    title: "Jira schemes, workflows and fields",
    provenance: "Jira's summaries, seen or documented: workflows, their schemes, custom fields, screens, notification \
           schemes, types. Field configurations and priorities from memory.",
    names: SCHEMES_NAMES,
    patterns: SCHEMES_PATTERNS,
};

const SCHEMES_NAMES: &[NamedAction] = names! {
    "workflow_created"                                Configuration Done [Configuration: Creation] EntityManagement Create;
    "workflow_copied"                                 Configuration Done [Configuration: Creation] EntityManagement Create;
    "workflow_updated"                                Configuration Done [Configuration: Change]   EntityManagement Update;
    "workflow_renamed"                                Configuration Done [Configuration: Change]   EntityManagement Update;
    "workflow_deleted"                                Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "workflow_removed"                                Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "workflow_draft_published"                        Configuration Done [Configuration: Change]   EntityManagement Update;
    "workflow_scheme_created"                         Configuration Done [Configuration: Creation] EntityManagement Create;
    "workflow_scheme_copied"                          Configuration Done [Configuration: Creation] EntityManagement Create;
    "workflow_scheme_updated"                         Configuration Done [Configuration: Change]   EntityManagement Update;
    "workflow_scheme_deleted"                         Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "workflow_scheme_added_to_project"                Configuration Done [Configuration: Change]   EntityManagement Update;
    "workflow_scheme_removed_from_project"            Configuration Done [Configuration: Change]   EntityManagement Update;
    "notification_scheme_created"                     Configuration Done [Configuration: Creation] EntityManagement Create;
    "notification_scheme_copied"                      Configuration Done [Configuration: Creation] EntityManagement Create;
    "notification_scheme_updated"                     Configuration Done [Configuration: Change]   EntityManagement Update;
    "notification_scheme_deleted"                     Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "notification_scheme_added_to_project"            Configuration Done [Configuration: Change]   EntityManagement Update;
    "notification_scheme_removed_from_project"        Configuration Done [Configuration: Change]   EntityManagement Update;
    "notification_added_to_scheme"                    Configuration Done [Configuration: Change]   EntityManagement Update;
    "notification_removed_from_scheme"                Configuration Done [Configuration: Change]   EntityManagement Update;
    "custom_field_created"                            Configuration Done [Configuration: Creation] EntityManagement Create;
    "custom_field_updated"                            Configuration Done [Configuration: Change]   EntityManagement Update;
    "custom_field_deleted"                            Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "custom_field_trashed"                            Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "custom_field_restored"                           Configuration Done [Configuration: Change]   EntityManagement Update;
    "field_context_created"                           Configuration Done [Configuration: Creation] EntityManagement Create;
    "field_context_updated"                           Configuration Done [Configuration: Change]   EntityManagement Update;
    "field_context_deleted"                           Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "field_configuration_created"                     Configuration Done [Configuration: Creation] EntityManagement Create;
    "field_configuration_copied"                      Configuration Done [Configuration: Creation] EntityManagement Create;
    "field_configuration_updated"                     Configuration Done [Configuration: Change]   EntityManagement Update;
    "field_configuration_deleted"                     Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "field_configuration_scheme_created"              Configuration Done [Configuration: Creation] EntityManagement Create;
    "field_configuration_scheme_copied"               Configuration Done [Configuration: Creation] EntityManagement Create;
    "field_configuration_scheme_updated"              Configuration Done [Configuration: Change]   EntityManagement Update;
    "field_configuration_scheme_deleted"              Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "field_configuration_scheme_added_to_project"     Configuration Done [Configuration: Change]   EntityManagement Update;
    "field_configuration_scheme_removed_from_project" Configuration Done [Configuration: Change]   EntityManagement Update;
    "screen_created"                                  Configuration Done [Configuration: Creation] EntityManagement Create;
    "screen_copied"                                   Configuration Done [Configuration: Creation] EntityManagement Create;
    "screen_updated"                                  Configuration Done [Configuration: Change]   EntityManagement Update;
    "screen_deleted"                                  Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "field_added_to_screen"                           Configuration Done [Configuration: Change]   EntityManagement Update;
    "field_removed_from_screen"                       Configuration Done [Configuration: Change]   EntityManagement Update;
    "tab_added_to_screen"                             Configuration Done [Configuration: Change]   EntityManagement Update;
    "tab_updated_in_screen"                           Configuration Done [Configuration: Change]   EntityManagement Update;
    "tab_removed_from_screen"                         Configuration Done [Configuration: Change]   EntityManagement Update;
    "screen_scheme_created"                           Configuration Done [Configuration: Creation] EntityManagement Create;
    "screen_scheme_copied"                            Configuration Done [Configuration: Creation] EntityManagement Create;
    "screen_scheme_updated"                           Configuration Done [Configuration: Change]   EntityManagement Update;
    "screen_scheme_deleted"                           Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "issue_type_screen_scheme_created"                Configuration Done [Configuration: Creation] EntityManagement Create;
    "issue_type_screen_scheme_copied"                 Configuration Done [Configuration: Creation] EntityManagement Create;
    "issue_type_screen_scheme_updated"                Configuration Done [Configuration: Change]   EntityManagement Update;
    "issue_type_screen_scheme_deleted"                Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "issue_type_screen_scheme_added_to_project"       Configuration Done [Configuration: Change]   EntityManagement Update;
    "issue_type_screen_scheme_removed_from_project"   Configuration Done [Configuration: Change]   EntityManagement Update;
    "issue_type_created"                              Configuration Done [Configuration: Creation] EntityManagement Create;
    "issue_type_updated"                              Configuration Done [Configuration: Change]   EntityManagement Update;
    "issue_type_deleted"                              Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "issue_type_scheme_created"                       Configuration Done [Configuration: Creation] EntityManagement Create;
    "issue_type_scheme_copied"                        Configuration Done [Configuration: Creation] EntityManagement Create;
    "issue_type_scheme_updated"                       Configuration Done [Configuration: Change]   EntityManagement Update;
    "issue_type_scheme_deleted"                       Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "issue_type_scheme_added_to_project"              Configuration Done [Configuration: Change]   EntityManagement Update;
    "issue_type_scheme_removed_from_project"          Configuration Done [Configuration: Change]   EntityManagement Update;
    "priority_created"                                Configuration Done [Configuration: Creation] EntityManagement Create;
    "priority_updated"                                Configuration Done [Configuration: Change]   EntityManagement Update;
    "priority_deleted"                                Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "new_resolution_created"                          Configuration Done [Configuration: Creation] EntityManagement Create;
    "resolution_created"                              Configuration Done [Configuration: Creation] EntityManagement Create;
    "resolution_updated"                              Configuration Done [Configuration: Change]   EntityManagement Update;
    "resolution_deleted"                              Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "status_created"                                  Configuration Done [Configuration: Creation] EntityManagement Create;
    "status_updated"                                  Configuration Done [Configuration: Change]   EntityManagement Update;
    "status_deleted"                                  Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "custom_email_channel_turned_on"                  Configuration Done [Configuration: Change]   EntityManagement Enable;
    "custom_email_channel_turned_off"                 Configuration Done [Configuration: Change]   EntityManagement Disable;
};

const SCHEMES_PATTERNS: &[ActionPattern] = patterns! {
    "workflow_*"                    Configuration [Configuration] EntityManagement Told;
    "workflow_scheme_*"             Configuration [Configuration] EntityManagement Told;
    "notification_scheme_*"         Configuration [Configuration] EntityManagement Told;
    "custom_field_*"                Configuration [Configuration] EntityManagement Told;
    "field_context_*"               Configuration [Configuration] EntityManagement Told;
    "field_configuration_*"         Configuration [Configuration] EntityManagement Told;
    "screen_*"                      Configuration [Configuration] EntityManagement Told;
    "issue_type_*"                  Configuration [Configuration] EntityManagement Told;
    "priority_*"                    Configuration [Configuration] EntityManagement Told;
    "resolution_*"                  Configuration [Configuration] EntityManagement Told;
    "issue_link_type_*"             Configuration [Configuration] EntityManagement Told;
    "automation_rule_*"             Configuration [Configuration] EntityManagement Told;
    "*_scheme_created"              Configuration [Configuration] EntityManagement Create;
    "*_scheme_copied"               Configuration [Configuration] EntityManagement Create;
    "*_scheme_updated"              Configuration [Configuration] EntityManagement Update;
    "*_scheme_deleted"              Configuration [Configuration] EntityManagement Delete;
    "*_scheme_added_to_project"     Configuration [Configuration] EntityManagement Update;
    "*_scheme_removed_from_project" Configuration [Configuration] EntityManagement Update;
};
