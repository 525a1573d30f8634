//! Owns the rows of tokens and keys.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// API tokens, API keys, personal access tokens, SSH and other keys.
pub const TOKENS: ActionFamily = ActionFamily {
    title: "Tokens and keys",
    provenance: "Seen: api_token_created, personal_access_token_created. Documented activities: created, viewed, exported, \
           revoked API tokens; Bitbucket Data Center's keys as Atlassian lists them. The others from memory.",
    names: TOKENS_NAMES,
    patterns: TOKENS_PATTERNS,
};

const TOKENS_NAMES: &[NamedAction] = names! {
    // Organization events.
    "api_token_created"                         Token      Done [Iam: Creation] EntityManagement Create;
    "api_token_viewed"                          Token      Done [Iam: Info]     EntityManagement Read;
    "api_token_revoked"                         Token      Done [Iam: Deletion] EntityManagement Delete;
    "api_token_deleted"                         Token      Done [Iam: Deletion] EntityManagement Delete;
    "api_token_expired"                         Token      Done [Iam: Change]   EntityManagement Update;
    "api_tokens_revoked"                        Token      Done [Iam: Deletion] EntityManagement Delete;
    "api_tokens_viewed"                         Token      Done [Iam: Info]     EntityManagement Read;
    "api_tokens_exported"                       DataExport Done [Iam: Info]     WebResources     Export;
    "api_key_created"                           Token      Done [Iam: Creation] EntityManagement Create;
    "api_key_updated"                           Token      Done [Iam: Change]   EntityManagement Update;
    "api_key_revoked"                           Token      Done [Iam: Deletion] EntityManagement Delete;
    "api_key_deleted"                           Token      Done [Iam: Deletion] EntityManagement Delete;
    // Data Center.
    "personal_access_token_created"             Token      Done [Iam: Creation] EntityManagement Create;
    "personal_access_token_changed"             Token      Done [Iam: Change]   EntityManagement Update;
    "personal_access_token_deleted"             Token      Done [Iam: Deletion] EntityManagement Delete;
    "personal_access_token_revoked"             Token      Done [Iam: Deletion] EntityManagement Delete;
    "http_access_token_created"                 Token      Done [Iam: Creation] EntityManagement Create;
    "http_access_token_changed"                 Token      Done [Iam: Change]   EntityManagement Update;
    "http_access_token_deleted"                 Token      Done [Iam: Deletion] EntityManagement Delete;
    "ssh_key_created"                           Token      Done [Iam: Creation] EntityManagement Create;
    "ssh_key_added"                             Token      Done [Iam: Creation] EntityManagement Create;
    "ssh_key_deleted"                           Token      Done [Iam: Deletion] EntityManagement Delete;
    "ssh_key_removed"                           Token      Done [Iam: Deletion] EntityManagement Delete;
    "gpg_key_added"                             Token      Done [Iam: Creation] EntityManagement Create;
    "gpg_key_deleted"                           Token      Done [Iam: Deletion] EntityManagement Delete;
    "ssh_access_key_created_for_personal_key"   Token      Done [Iam: Creation] EntityManagement Create;
    "ssh_access_key_deleted_for_personal_key"   Token      Done [Iam: Deletion] EntityManagement Delete;
    "ssh_access_key_created_for_project"        Token      Done [Iam: Creation] EntityManagement Create;
    "ssh_access_key_deleted_for_project"        Token      Done [Iam: Deletion] EntityManagement Delete;
    "ssh_access_key_created_for_repository"     Token      Done [Iam: Creation] EntityManagement Create;
    "ssh_access_key_deleted_for_repository"     Token      Done [Iam: Deletion] EntityManagement Delete;
    // Bitbucket Cloud.
    "bitbucket_ssh_key_added"                   Token      Done [Iam: Creation] EntityManagement Create;
    "bitbucket_ssh_key_removed"                 Token      Done [Iam: Deletion] EntityManagement Delete;
    "bitbucket_app_password_created"            Token      Done [Iam: Creation] EntityManagement Create;
    "bitbucket_app_password_deleted"            Token      Done [Iam: Deletion] EntityManagement Delete;
    "bitbucket_repository_deploy_key_added"     Token      Done [Iam: Creation] EntityManagement Create;
    "bitbucket_repository_deploy_key_removed"   Token      Done [Iam: Deletion] EntityManagement Delete;
    "bitbucket_repository_access_token_created" Token      Done [Iam: Creation] EntityManagement Create;
    "bitbucket_repository_access_token_revoked" Token      Done [Iam: Deletion] EntityManagement Delete;
    "bitbucket_workspace_access_token_created"  Token      Done [Iam: Creation] EntityManagement Create;
    "bitbucket_workspace_access_token_revoked"  Token      Done [Iam: Deletion] EntityManagement Delete;
};

const TOKENS_PATTERNS: &[ActionPattern] = patterns! {
    "api_token_*"              Token [Iam] EntityManagement Told;
    "api_key_*"                Token [Iam] EntityManagement Told;
    "scim_token_*"             Token [Iam] EntityManagement Told;
    "oauth_token_*"            Token [Iam] EntityManagement Told;
    "personal_access_token_*"  Token [Iam] EntityManagement Told;
    "http_access_token_*"      Token [Iam] EntityManagement Told;
    "ssh_key_*"                Token [Iam] EntityManagement Told;
    "gpg_key_*"                Token [Iam] EntityManagement Told;
    "ssh_access_key_*"         Token [Iam] EntityManagement Told;
    "bitbucket_ssh_key_*"      Token [Iam] EntityManagement Told;
    "bitbucket_app_password_*" Token [Iam] EntityManagement Told;
    "*_access_token_created"   Token [Iam] EntityManagement Create;
    "*_access_token_revoked"   Token [Iam] EntityManagement Delete;
    "*_access_token_deleted"   Token [Iam] EntityManagement Delete;
    "*_deploy_key_added"       Token [Iam] EntityManagement Create;
    "*_deploy_key_removed"     Token [Iam] EntityManagement Delete;
};
