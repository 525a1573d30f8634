//! Owns the rows of access to products, of roles and of permissions.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Who may use which product, and with which role.
pub const ACCESS: ActionFamily = ActionFamily {
    title: "Product access and roles",
    provenance: "After the activities that Atlassian documents, spelled as the organization events that were seen: not \
           confirmed.",
    names: ACCESS_NAMES,
    patterns: ACCESS_PATTERNS,
};

const ACCESS_NAMES: &[NamedAction] = names! {
    "user_granted_product_access"     Permission Done   [Iam: Admin User Change]  UserAccess       Assign;
    "user_revoked_product_access"     Permission Done   [Iam: Admin User Change]  UserAccess       Revoke;
    "product_access_granted"          Permission Done   [Iam: Admin User Change]  UserAccess       Assign;
    "product_access_revoked"          Permission Done   [Iam: Admin User Change]  UserAccess       Revoke;
    "product_access_requested"        Permission Open   [Iam: User Info]          UserAccess       Other;
    "product_access_request_approved" Permission Done   [Iam: Admin User Change]  UserAccess       Assign;
    "product_access_request_denied"   Permission Failed [Iam: User Info]          UserAccess       Other;
    "access_request_created"          Permission Open   [Iam: User Info]          UserAccess       Other;
    "access_request_approved"         Permission Done   [Iam: Admin User Change]  UserAccess       Assign;
    "access_request_denied"           Permission Failed [Iam: User Info]          UserAccess       Other;
    "access_request_cancelled"        Permission Done   [Iam: User Info]          UserAccess       Other;
    "access_request_settings_updated" Permission Done   [Configuration: Change]   EntityManagement Update;
    "product_access_settings_updated" Permission Done   [Configuration: Change]   EntityManagement Update;
    "user_access_settings_updated"    Permission Done   [Configuration: Change]   EntityManagement Update;
    "group_granted_product_access"    Permission Done   [Iam: Admin Group Change] GroupManagement  Assign;
    "group_revoked_product_access"    Permission Done   [Iam: Admin Group Change] GroupManagement  Revoke;
    // Roles.
    "user_granted_role"               Permission Done   [Iam: Admin User Change]  UserAccess       Assign;
    "user_revoked_role"               Permission Done   [Iam: Admin User Change]  UserAccess       Revoke;
    "user_role_changed"               Permission Done   [Iam: Admin Change]       EntityManagement Update;
    "group_granted_role"              Permission Done   [Iam: Admin Group Change] GroupManagement  Assign;
    "group_revoked_role"              Permission Done   [Iam: Admin Group Change] GroupManagement  Revoke;
    "org_admin_added"                 Permission Done   [Iam: Admin User Change]  UserAccess       Assign;
    "org_admin_removed"               Permission Done   [Iam: Admin User Change]  UserAccess       Revoke;
    "site_admin_added"                Permission Done   [Iam: Admin User Change]  UserAccess       Assign;
    "site_admin_removed"              Permission Done   [Iam: Admin User Change]  UserAccess       Revoke;
};

const ACCESS_PATTERNS: &[ActionPattern] = patterns! {
    "user_granted_*"         Permission [Iam: User]  UserAccess      Assign;
    "user_revoked_*"         Permission [Iam: User]  UserAccess      Revoke;
    "user_role_*"            Permission [Iam: User]  UserAccess      Told;
    "user_product_access_*"  Permission [Iam: User]  UserAccess      Told;
    "product_access_*"       Permission [Iam: User]  UserAccess      Told;
    "access_request_*"       Permission [Iam: User]  UserAccess      Other;
    "*_admin_added"          Permission [Iam: User]  UserAccess      Assign;
    "*_admin_removed"        Permission [Iam: User]  UserAccess      Revoke;
    "group_granted_*"        Permission [Iam: Group] GroupManagement Assign;
    "group_revoked_*"        Permission [Iam: Group] GroupManagement Revoke;
    "group_role_*"           Permission [Iam: Group] GroupManagement Told;
    "group_product_access_*" Permission [Iam: Group] GroupManagement Told;
};

/// Permissions of everything: global, of schemes, of spaces, of pages.
pub const PERMISSIONS: ActionFamily = ActionFamily {
    title: "Permissions and restrictions",
    provenance: "Summaries of Jira, Confluence and Data Center as seen or documented; organization events after those.",
    names: PERMISSIONS_NAMES,
    patterns: PERMISSIONS_PATTERNS,
};

const PERMISSIONS_NAMES: &[NamedAction] = names! {
    "global_permission_added"                             Permission Done [Iam: Admin Group Change] GroupManagement  Assign;
    "global_permission_removed"                           Permission Done [Iam: Admin Group Change] GroupManagement  Revoke;
    "global_permission_deleted"                           Permission Done [Iam: Admin Group Change] GroupManagement  Revoke;
    "global_permission_granted"                           Permission Done [Iam: Admin Change]       UserAccess       Assign;
    "global_permission_changed"                           Permission Done [Iam: Admin Change]       EntityManagement Update;
    "global_permission_revoked"                           Permission Done [Iam: Admin Change]       UserAccess       Revoke;
    "global_permission_requested"                         Permission Open [Iam: User Info]          UserAccess       Other;
    "anonymous_global_permission_added"                   Permission Done [Configuration: Change]   EntityManagement Update;
    "anonymous_global_permission_removed"                 Permission Done [Configuration: Change]   EntityManagement Update;
    // Jira.
    "permission_scheme_created"                           Permission Done [Iam: Admin Creation]     EntityManagement Create;
    "permission_scheme_copied"                            Permission Done [Iam: Admin Creation]     EntityManagement Create;
    "permission_scheme_updated"                           Permission Done [Iam: Admin Change]       EntityManagement Update;
    "permission_scheme_deleted"                           Permission Done [Iam: Admin Deletion]     EntityManagement Delete;
    "permission_scheme_removed"                           Permission Done [Iam: Admin Deletion]     EntityManagement Delete;
    "permission_scheme_added_to_project"                  Permission Done [Iam: Admin Change]       EntityManagement Update;
    "permission_scheme_removed_from_project"              Permission Done [Iam: Admin Change]       EntityManagement Update;
    "permission_added_to_scheme"                          Permission Done [Iam: Admin Change]       EntityManagement Update;
    "permission_removed_from_scheme"                      Permission Done [Iam: Admin Change]       EntityManagement Update;
    "project_roles_changed"                               Permission Done [Iam: Admin Change]       EntityManagement Update;
    "project_role_created"                                Permission Done [Iam: Admin Creation]     EntityManagement Create;
    "project_role_updated"                                Permission Done [Iam: Admin Change]       EntityManagement Update;
    "project_role_deleted"                                Permission Done [Iam: Admin Deletion]     EntityManagement Delete;
    "project_role_actors_changed"                         Permission Done [Iam: Admin Change]       EntityManagement Update;
    "issue_security_scheme_created"                       Permission Done [Iam: Admin Creation]     EntityManagement Create;
    "issue_security_scheme_copied"                        Permission Done [Iam: Admin Creation]     EntityManagement Create;
    "issue_security_scheme_updated"                       Permission Done [Iam: Admin Change]       EntityManagement Update;
    "issue_security_scheme_deleted"                       Permission Done [Iam: Admin Deletion]     EntityManagement Delete;
    "issue_security_scheme_added_to_project"              Permission Done [Iam: Admin Change]       EntityManagement Update;
    "issue_security_scheme_removed_from_project"          Permission Done [Iam: Admin Change]       EntityManagement Update;
    "issue_security_level_added"                          Permission Done [Iam: Admin Change]       EntityManagement Update;
    "issue_security_level_deleted"                        Permission Done [Iam: Admin Change]       EntityManagement Update;
    "plan_permissions_changed"                            Permission Done [Iam: Admin Change]       EntityManagement Update;
    "jira_permission_scheme_created"                      Permission Done [Iam: Admin Creation]     EntityManagement Create;
    "jira_permission_scheme_updated"                      Permission Done [Iam: Admin Change]       EntityManagement Update;
    "jira_permission_scheme_deleted"                      Permission Done [Iam: Admin Deletion]     EntityManagement Delete;
    "jira_global_permission_added"                        Permission Done [Iam: Admin Group Change] GroupManagement  Assign;
    "jira_global_permission_removed"                      Permission Done [Iam: Admin Group Change] GroupManagement  Revoke;
    "jira_project_role_updated"                           Permission Done [Iam: Admin Change]       EntityManagement Update;
    // Confluence.
    "space_permission_added"                              Permission Done [Iam: Admin Change]       UserAccess       Assign;
    "space_permission_removed"                            Permission Done [Iam: Admin Change]       UserAccess       Revoke;
    "space_permission_updated"                            Permission Done [Iam: Admin Change]       EntityManagement Update;
    "space_permissions_updated"                           Permission Done [Iam: Admin Change]       EntityManagement Update;
    "space_permission_granted"                            Permission Done [Iam: Admin Change]       UserAccess       Assign;
    "space_permission_revoked"                            Permission Done [Iam: Admin Change]       UserAccess       Revoke;
    "default_space_permission_added"                      Permission Done [Configuration: Change]   EntityManagement Update;
    "default_space_permission_removed"                    Permission Done [Configuration: Change]   EntityManagement Update;
    "anonymous_access_to_space_granted"                   Permission Done [Configuration: Change]   EntityManagement Update;
    "anonymous_access_to_space_revoked"                   Permission Done [Configuration: Change]   EntityManagement Update;
    "content_restriction_added"                           Permission Done [File: Change]            WebResources     Update;
    "content_restriction_removed"                         Permission Done [File: Change]            WebResources     Update;
    "page_restriction_added"                              Permission Done [File: Change]            WebResources     Update;
    "page_restriction_removed"                            Permission Done [File: Change]            WebResources     Update;
    "confluence_space_permission_added"                   Permission Done [Iam: Admin Change]       UserAccess       Assign;
    "confluence_space_permission_removed"                 Permission Done [Iam: Admin Change]       UserAccess       Revoke;
    "confluence_space_permission_updated"                 Permission Done [Iam: Admin Change]       EntityManagement Update;
    "confluence_global_permission_added"                  Permission Done [Iam: Admin Change]       UserAccess       Assign;
    "confluence_global_permission_removed"                Permission Done [Iam: Admin Change]       UserAccess       Revoke;
    "confluence_content_restriction_added"                Permission Done [File: Change]            WebResources     Update;
    "confluence_content_restriction_removed"              Permission Done [File: Change]            WebResources     Update;
    "confluence_page_restriction_added"                   Permission Done [File: Change]            WebResources     Update;
    "confluence_page_restriction_removed"                 Permission Done [File: Change]            WebResources     Update;
    "confluence_audit_record_removed_content_restriction" Permission Done [File: Change]            WebResources     Update;
    "public_link_turned_on"                               Permission Done [File: Change]            WebResources     Share;
    "public_link_turned_off"                              Permission Done [File: Change]            WebResources     Update;
    "public_links_enabled"                                Permission Done [Configuration: Change]   EntityManagement Enable;
    "public_links_disabled"                               Permission Done [Configuration: Change]   EntityManagement Disable;
    "public_link_enabled"                                 Permission Done [File: Change]            WebResources     Share;
    "public_link_disabled"                                Permission Done [File: Change]            WebResources     Update;
    "confluence_public_link_permissions_changed"          Permission Done [File: Change]            WebResources     Update;
    // Bitbucket.
    "project_permission_granted"                          Permission Done [Iam: Admin Change]       UserAccess       Assign;
    "project_permission_changed"                          Permission Done [Iam: Admin Change]       EntityManagement Update;
    "project_permission_revoked"                          Permission Done [Iam: Admin Change]       UserAccess       Revoke;
    "project_permission_requested"                        Permission Open [Iam: User Info]          UserAccess       Other;
    "project_default_permission_changed"                  Permission Done [Iam: Admin Change]       EntityManagement Update;
    "repository_permission_granted"                       Permission Done [Iam: Admin Change]       UserAccess       Assign;
    "repository_permission_changed"                       Permission Done [Iam: Admin Change]       EntityManagement Update;
    "repository_permission_revoked"                       Permission Done [Iam: Admin Change]       UserAccess       Revoke;
    "repository_permission_requested"                     Permission Open [Iam: User Info]          UserAccess       Other;
    "repository_default_permission_changed"               Permission Done [Iam: Admin Change]       EntityManagement Update;
    "project_public_access_changed"                       Permission Done [Configuration: Change]   EntityManagement Update;
    "repository_public_access_changed"                    Permission Done [Configuration: Change]   EntityManagement Update;
    "bitbucket_repository_access_changed"                 Permission Done [Iam: Admin Change]       EntityManagement Update;
    "bitbucket_repository_member_added"                   Permission Done [Iam: Admin User Change]  UserAccess       Assign;
    "bitbucket_repository_member_removed"                 Permission Done [Iam: Admin User Change]  UserAccess       Revoke;
    "bitbucket_repository_member_updated"                 Permission Done [Iam: Admin Change]       EntityManagement Update;
    "bitbucket_repository_group_permission_added"         Permission Done [Iam: Admin Group Change] GroupManagement  Assign;
    "bitbucket_repository_group_permission_updated"       Permission Done [Iam: Admin Change]       EntityManagement Update;
    "bitbucket_repository_group_permission_removed"       Permission Done [Iam: Admin Group Change] GroupManagement  Revoke;
    "bitbucket_project_member_updated"                    Permission Done [Iam: Admin Change]       EntityManagement Update;
    "bitbucket_project_member_removed"                    Permission Done [Iam: Admin User Change]  UserAccess       Revoke;
    "bitbucket_project_group_permission_updated"          Permission Done [Iam: Admin Change]       EntityManagement Update;
    "bitbucket_project_group_permission_removed"          Permission Done [Iam: Admin Group Change] GroupManagement  Revoke;
};

const PERMISSIONS_PATTERNS: &[ActionPattern] = patterns! {
    "*_permission_added"              Permission [Iam: Admin] UserAccess       Assign;
    "*_permission_granted"            Permission [Iam: Admin] UserAccess       Assign;
    "*_permission_removed"            Permission [Iam: Admin] UserAccess       Revoke;
    "*_permission_revoked"            Permission [Iam: Admin] UserAccess       Revoke;
    "*_permission_updated"            Permission [Iam: Admin] EntityManagement Update;
    "*_permissions_updated"           Permission [Iam: Admin] EntityManagement Update;
    "*_permission_changed"            Permission [Iam: Admin] EntityManagement Update;
    "*_permissions_changed"           Permission [Iam: Admin] EntityManagement Update;
    "jira_*_permission_added"         Permission [Iam: Admin] UserAccess       Assign;
    "jira_*_permission_removed"       Permission [Iam: Admin] UserAccess       Revoke;
    "jira_*_permission_updated"       Permission [Iam: Admin] EntityManagement Update;
    "jira_*_permission_changed"       Permission [Iam: Admin] EntityManagement Update;
    "confluence_*_permission_added"   Permission [Iam: Admin] UserAccess       Assign;
    "confluence_*_permission_removed" Permission [Iam: Admin] UserAccess       Revoke;
    "confluence_*_permission_updated" Permission [Iam: Admin] EntityManagement Update;
    "confluence_*_permission_changed" Permission [Iam: Admin] EntityManagement Update;
    "bitbucket_*_permission_added"    Permission [Iam: Admin] UserAccess       Assign;
    "bitbucket_*_permission_removed"  Permission [Iam: Admin] UserAccess       Revoke;
    "bitbucket_*_permission_updated"  Permission [Iam: Admin] EntityManagement Update;
    "bitbucket_*_permission_changed"  Permission [Iam: Admin] EntityManagement Update;
    "project_permission_*"            Permission [Iam: Admin] UserAccess       Told;
    "repository_permission_*"         Permission [Iam: Admin] UserAccess       Told;
    "group_permission_*"              Permission [Iam: Group] GroupManagement  Told;
    "global_permission_*"             Permission [Iam: Admin] UserAccess       Told;
    "space_permission_*"              Permission [Iam: Admin] UserAccess       Told;
    "permission_scheme_*"             Permission [Iam: Admin] EntityManagement Told;
    "jira_permission_*"               Permission [Iam: Admin] EntityManagement Told;
    "confluence_space_permission_*"   Permission [Iam: Admin] UserAccess       Told;
    "project_role_*"                  Permission [Iam: Admin] EntityManagement Told;
    "project_roles_*"                 Permission [Iam: Admin] EntityManagement Told;
    "issue_security_*"                Permission [Iam: Admin] EntityManagement Told;
    "*_restriction_added"             Permission [File]       WebResources     Update;
    "*_restriction_removed"           Permission [File]       WebResources     Update;
    "*_added_content_restriction"     Permission [File]       WebResources     Update;
    "*_removed_content_restriction"   Permission [File]       WebResources     Update;
    "*_public_link_enabled"           Permission [File]       WebResources     Share;
    "*_public_link_disabled"          Permission [File]       WebResources     Update;
};
