//! Owns the rows of Bitbucket: workspaces, projects, repositories and pipelines.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Repositories, branches, pull requests, pipelines and workspaces.
pub const REPOSITORIES: ActionFamily = ActionFamily {
    title: "Bitbucket",
    provenance: "Bitbucket Cloud's after the activities that Atlassian documents (identifiers not confirmed); Data \
           Center's as Atlassian lists them.",
    names: REPOSITORIES_NAMES,
    patterns: REPOSITORIES_PATTERNS,
};

const REPOSITORIES_NAMES: &[NamedAction] = names! {
    // Cloud.
    "bitbucket_repository_created"             Content       Done   [Configuration: Creation] EntityManagement Create;
    "bitbucket_repository_updated"             Content       Done   [Configuration: Change]   EntityManagement Update;
    "bitbucket_repository_deleted"             Content       Done   [Configuration: Deletion] EntityManagement Delete;
    "bitbucket_repository_cloned"              Content       Done   [File: Access]            WebResources     Read;
    "bitbucket_repository_forked"              Content       Done   [Configuration: Creation] EntityManagement Create;
    "bitbucket_repository_transfer_requested"  Content       Open   [Configuration: Info]     EntityManagement Other;
    "bitbucket_repository_transfer_accepted"   Content       Done   [Configuration: Change]   EntityManagement Move;
    "bitbucket_repository_transfer_rejected"   Content       Failed [Configuration: Info]     EntityManagement Other;
    "bitbucket_repository_transfer_revoked"    Content       Done   [Configuration: Info]     EntityManagement Other;
    "bitbucket_repository_webhook_created"     App           Done   [Configuration: Creation] EntityManagement Create;
    "bitbucket_repository_webhook_updated"     App           Done   [Configuration: Change]   EntityManagement Update;
    "bitbucket_repository_webhook_deleted"     App           Done   [Configuration: Deletion] EntityManagement Delete;
    "bitbucket_branch_restriction_created"     Configuration Done   [Configuration: Creation] EntityManagement Create;
    "bitbucket_branch_restriction_updated"     Configuration Done   [Configuration: Change]   EntityManagement Update;
    "bitbucket_branch_restriction_deleted"     Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "bitbucket_project_created"                Configuration Done   [Configuration: Creation] EntityManagement Create;
    "bitbucket_project_updated"                Configuration Done   [Configuration: Change]   EntityManagement Update;
    "bitbucket_project_deleted"                Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "bitbucket_workspace_created"              Configuration Done   [Configuration: Creation] EntityManagement Create;
    "bitbucket_workspace_updated"              Configuration Done   [Configuration: Change]   EntityManagement Update;
    "bitbucket_workspace_member_added"         Group         Done   [Iam: Group User Change]  GroupManagement  AddUser;
    "bitbucket_workspace_member_removed"       Group         Done   [Iam: Group User Change]  GroupManagement  RemoveUser;
    "bitbucket_pipeline_run"                   Content       Open   [Configuration: Info]     EntityManagement Other;
    "bitbucket_pipeline_variable_created"      Configuration Done   [Configuration: Creation] EntityManagement Create;
    "bitbucket_pipeline_variable_updated"      Configuration Done   [Configuration: Change]   EntityManagement Update;
    "bitbucket_pipeline_variable_deleted"      Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    // Data Center.
    "repository_created"                       Content       Done   [Configuration: Creation] EntityManagement Create;
    "repository_deleted"                       Content       Done   [Configuration: Deletion] EntityManagement Delete;
    "repository_renamed"                       Content       Done   [Configuration: Change]   EntityManagement Update;
    "repository_moved"                         Content       Done   [Configuration: Change]   EntityManagement Move;
    "repository_archived"                      Content       Done   [Configuration: Change]   EntityManagement Deactivate;
    "repository_unarchived"                    Content       Done   [Configuration: Change]   EntityManagement Activate;
    "repository_forked"                        Content       Done   [Configuration: Creation] EntityManagement Create;
    "repository_cloned"                        Content       Done   [File: Access]            WebResources     Read;
    "repository_accessed"                      Content       Done   [Web: Access]             WebResources     Read;
    "repository_imported"                      Content       Done   [Configuration: Creation] EntityManagement Create;
    "repository_creation_requested"            Content       Open   [Configuration: Info]     EntityManagement Other;
    "repository_deletion_requested"            Content       Open   [Configuration: Info]     EntityManagement Other;
    "repository_modification_requested"        Content       Open   [Configuration: Info]     EntityManagement Other;
    "repository_default_branch_changed"        Content       Done   [Configuration: Change]   EntityManagement Update;
    "repository_pull_request_settings_changed" Configuration Done   [Configuration: Change]   EntityManagement Update;
    "repository_hook_enabled"                  Configuration Done   [Configuration: Change]   EntityManagement Enable;
    "repository_hook_disabled"                 Configuration Done   [Configuration: Change]   EntityManagement Disable;
    "project_creation_requested"               Configuration Open   [Configuration: Info]     EntityManagement Other;
    "project_deletion_requested"               Configuration Open   [Configuration: Info]     EntityManagement Other;
    "project_modification_requested"           Configuration Open   [Configuration: Info]     EntityManagement Other;
    "project_modified"                         Configuration Done   [Configuration: Change]   EntityManagement Update;
    "branch_restriction_added"                 Configuration Done   [Configuration: Creation] EntityManagement Create;
    "branch_restriction_changed"               Configuration Done   [Configuration: Change]   EntityManagement Update;
    "branch_restriction_removed"               Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "branch_restriction_deleted"               Configuration Done   [Configuration: Deletion] EntityManagement Delete;
    "branch_created"                           Content       Done   [Configuration: Creation] EntityManagement Create;
    "branch_deleted"                           Content       Done   [Configuration: Deletion] EntityManagement Delete;
    "pull_request_opened"                      Content       Done   []                        WebResources     Create;
    "pull_request_merged"                      Content       Done   []                        WebResources     Update;
    "pull_request_deleted"                     Content       Done   []                        WebResources     Delete;
    "mirror_installed"                         App           Done   [Configuration: Creation] EntityManagement Create;
    "mirror_uninstalled"                       App           Done   [Configuration: Deletion] EntityManagement Delete;
    "mirror_enabled"                           App           Done   [Configuration: Change]   EntityManagement Enable;
    "mirror_disabled"                          App           Done   [Configuration: Change]   EntityManagement Disable;
    "mirroring_request_received"               App           Open   [Configuration: Info]     EntityManagement Other;
    "mirroring_request_accepted"               App           Done   [Configuration: Change]   EntityManagement Update;
    "mirroring_request_rejected"               App           Failed [Configuration: Info]     EntityManagement Other;
    "resource_throttled"                       Configuration Open   [Configuration: Info]     EntityManagement Other;
};

const REPOSITORIES_PATTERNS: &[ActionPattern] = patterns! {
    "bitbucket_repository_*"         Content       [Configuration] EntityManagement Told;
    "bitbucket_branch_*"             Content       [Configuration] EntityManagement Told;
    "bitbucket_branch_restriction_*" Configuration [Configuration] EntityManagement Told;
    "bitbucket_project_*"            Configuration [Configuration] EntityManagement Told;
    "bitbucket_workspace_*"          Configuration [Configuration] EntityManagement Told;
    "bitbucket_pipeline_*"           Configuration [Configuration] EntityManagement Told;
    "bitbucket_pull_request_*"       Content       [Web]           WebResources     Told;
    "repository_*"                   Content       [Configuration] EntityManagement Told;
    "repositories_*"                 Content       [Configuration] EntityManagement Told;
    "branch_*"                       Content       [Configuration] EntityManagement Told;
    "branch_restriction_*"           Configuration [Configuration] EntityManagement Told;
    "pull_request_*"                 Content       [Web]           WebResources     Told;
};
