//! Owns the rows of accounts: who there is, and how they prove who they are.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Accounts of people, from their invitation to their deletion.
pub const ACCOUNTS: ActionFamily = ActionFamily {
    title: "Accounts",
    provenance: "Organization events after the activities that Atlassian documents, spelled as those that were seen; the \
           summaries of Jira, Confluence and Data Center as seen or documented.",
    names: ACCOUNTS_NAMES,
    patterns: ACCOUNTS_PATTERNS,
};

const ACCOUNTS_NAMES: &[NamedAction] = names! {
    // Organization events.
    "user_invited"               Account Done [Iam: User Info]     AccountChange Other;
    "user_created"               Account Done [Iam: User Creation] AccountChange Create;
    "user_activated"             Account Done [Iam: User Change]   AccountChange Enable;
    "user_deactivated"           Account Done [Iam: User Change]   AccountChange Disable;
    "user_reactivated"           Account Done [Iam: User Change]   AccountChange Enable;
    "user_suspended"             Account Done [Iam: User Change]   AccountChange Disable;
    "user_unsuspended"           Account Done [Iam: User Change]   AccountChange Enable;
    "user_access_restored"       Account Done [Iam: User Change]   AccountChange Enable;
    "user_deleted"               Account Done [Iam: User Deletion] AccountChange Delete;
    "user_deletion_scheduled"    Account Open [Iam: User Info]     AccountChange Other;
    "user_deletion_cancelled"    Account Done [Iam: User Change]   AccountChange Update;
    "user_added_to_org"          Account Done [Iam: User Change]   AccountChange Update;
    "user_removed_from_org"      Account Done [Iam: User Change]   AccountChange Update;
    "user_profile_updated"       Account Done [Iam: User Change]   AccountChange Update;
    "user_email_changed"         Account Done [Iam: User Change]   AccountChange Update;
    "user_name_changed"          Account Done [Iam: User Change]   AccountChange Update;
    "account_deactivated"        Account Done [Iam: User Change]   AccountChange Disable;
    "account_reactivated"        Account Done [Iam: User Change]   AccountChange Enable;
    "account_deleted"            Account Done [Iam: User Deletion] AccountChange Delete;
    "account_deletion_scheduled" Account Open [Iam: User Info]     AccountChange Other;
    "account_deletion_cancelled" Account Done [Iam: User Change]   AccountChange Update;
    "account_email_changed"      Account Done [Iam: User Change]   AccountChange Update;
    "service_account_created"    Account Done [Iam: User Creation] AccountChange Create;
    "service_account_deleted"    Account Done [Iam: User Deletion] AccountChange Delete;
    // Summaries of Jira, Confluence and Data Center.
    "user_updated"               Account Done [Iam: User Change]   AccountChange Update;
    "user_changed"               Account Done [Iam: User Change]   AccountChange Update;
    "user_details_updated"       Account Done [Iam: User Change]   AccountChange Update;
    "user_renamed"               Account Done [Iam: User Change]   AccountChange Update;
    "username_changed"           Account Done [Iam: User Change]   AccountChange Update;
    "user_removed"               Account Done [Iam: User Deletion] AccountChange Delete;
    "user_enabled"               Account Done [Iam: User Change]   AccountChange Enable;
    "user_disabled"              Account Done [Iam: User Change]   AccountChange Disable;
    "user_anonymized"            Account Done [Iam: User Change]   AccountChange Update;
    "user_unlocked"              Account Done [Iam: User Change]   AccountChange Unlock;
    "user_locked"                Account Done [Iam: User Change]   AccountChange Lock;
    "user_automatically_created" Account Done [Iam: User Creation] AccountChange Create;
};

const ACCOUNTS_PATTERNS: &[ActionPattern] = patterns! {
    "user_*"            Account [Iam: User] AccountChange Other;
    "account_*"         Account [Iam: User] AccountChange Other;
    "managed_account_*" Account [Iam: User] AccountChange Other;
    "service_account_*" Account [Iam: User] AccountChange Other;
    "external_user_*"   Account [Iam: User] AccountChange Other;
};

/// Passwords and the second step of a login.
pub const CREDENTIALS: ActionFamily = ActionFamily {
    title: "Passwords and two-step verification",
    provenance: "After the activities that Atlassian documents; users_password_changed was seen.",
    names: CREDENTIALS_NAMES,
    patterns: CREDENTIALS_PATTERNS,
};

const CREDENTIALS_NAMES: &[NamedAction] = names! {
    "user_password_changed"                  Account Done [Iam: User Change] AccountChange PasswordChange;
    "users_password_changed"                 Account Done [Iam: User Change] AccountChange PasswordChange;
    "user_password_reset"                    Account Done [Iam: User Change] AccountChange PasswordReset;
    "users_password_reset"                   Account Done [Iam: User Change] AccountChange PasswordReset;
    "user_password_reset_requested"          Account Open [Iam: User Info]   AccountChange Other;
    "user_password_reset_with_recovery_link" Account Done [Iam: User Change] AccountChange PasswordReset;
    "user_password_recovery_link_requested"  Account Open [Iam: User Info]   AccountChange Other;
    "password_changed"                       Account Done [Iam: User Change] AccountChange PasswordChange;
    "user_two_step_verification_enabled"     Account Done [Iam: User Change] AccountChange MfaEnable;
    "user_two_step_verification_disabled"    Account Done [Iam: User Change] AccountChange MfaDisable;
    "user_two_step_verification_reset"       Account Done [Iam: User Change] AccountChange MfaDisable;
    "user_mfa_enabled"                       Account Done [Iam: User Change] AccountChange MfaEnable;
    "user_mfa_disabled"                      Account Done [Iam: User Change] AccountChange MfaDisable;
    "two_step_verification_enabled"          Account Done [Iam: User Change] AccountChange MfaEnable;
    "two_step_verification_disabled"         Account Done [Iam: User Change] AccountChange MfaDisable;
};

const CREDENTIALS_PATTERNS: &[ActionPattern] = patterns! {
    "*_password_changed"               Account [Iam: User] AccountChange PasswordChange;
    "*_password_reset"                 Account [Iam: User] AccountChange PasswordReset;
    "*_two_step_verification_enabled"  Account [Iam: User] AccountChange MfaEnable;
    "*_two_step_verification_disabled" Account [Iam: User] AccountChange MfaDisable;
    "user_password_*"                  Account [Iam: User] AccountChange Other;
    "user_two_step_verification_*"     Account [Iam: User] AccountChange Other;
};
