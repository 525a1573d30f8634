//! Owns the rows of policies: how people sign in, from where, and what data may go where.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Authentication policies, IP allowlists, data residency and data security policies.
pub const POLICIES: ActionFamily = ActionFamily {
    title: "Policies",
    provenance: "After the activities and features that Atlassian documents, spelled as the organization events that were \
           seen: not confirmed.",
    names: POLICIES_NAMES,
    patterns: POLICIES_PATTERNS,
};

const POLICIES_NAMES: &[NamedAction] = names! {
    "policy_created"                             Policy  Done   [Configuration: Creation] EntityManagement Create;
    "policy_updated"                             Policy  Done   [Configuration: Change]   EntityManagement Update;
    "policy_deleted"                             Policy  Done   [Configuration: Deletion] EntityManagement Delete;
    "policy_enabled"                             Policy  Done   [Configuration: Change]   EntityManagement Enable;
    "policy_disabled"                            Policy  Done   [Configuration: Change]   EntityManagement Disable;
    "policy_activated"                           Policy  Done   [Configuration: Change]   EntityManagement Activate;
    "policy_deactivated"                         Policy  Done   [Configuration: Change]   EntityManagement Deactivate;
    "authentication_policy_created"              Policy  Done   [Configuration: Creation] EntityManagement Create;
    "authentication_policy_updated"              Policy  Done   [Configuration: Change]   EntityManagement Update;
    "authentication_policy_deleted"              Policy  Done   [Configuration: Deletion] EntityManagement Delete;
    "authentication_policy_enforced"             Policy  Done   [Configuration: Change]   EntityManagement Enable;
    "authentication_policy_member_added"         Policy  Done   [Iam: User Change]        AccountChange    AttachPolicy;
    "authentication_policy_member_removed"       Policy  Done   [Iam: User Change]        AccountChange    DetachPolicy;
    "domain_authentication_policy_changed"       Policy  Done   [Configuration: Change]   EntityManagement Update;
    "password_policy_updated"                    Policy  Done   [Configuration: Change]   EntityManagement Update;
    "ip_allowlist_created"                       Policy  Done   [Configuration: Creation] EntityManagement Create;
    "ip_allowlist_updated"                       Policy  Done   [Configuration: Change]   EntityManagement Update;
    "ip_allowlist_deleted"                       Policy  Done   [Configuration: Deletion] EntityManagement Delete;
    "ip_allowlist_enabled"                       Policy  Done   [Configuration: Change]   EntityManagement Enable;
    "ip_allowlist_disabled"                      Policy  Done   [Configuration: Change]   EntityManagement Disable;
    "ip_allowlist_entry_added"                   Policy  Done   [Configuration: Change]   EntityManagement Update;
    "ip_allowlist_entry_removed"                 Policy  Done   [Configuration: Change]   EntityManagement Update;
    "data_residency_updated"                     Policy  Done   [Configuration: Change]   EntityManagement Update;
    "data_residency_move_requested"              Policy  Open   [Configuration: Info]     EntityManagement Other;
    "data_residency_move_scheduled"              Policy  Open   [Configuration: Info]     EntityManagement Other;
    "data_residency_move_cancelled"              Policy  Done   [Configuration: Change]   EntityManagement Update;
    "data_residency_move_completed"              Policy  Done   [Configuration: Change]   EntityManagement Update;
    "data_residency_move_failed"                 Policy  Failed [Configuration: Info]     EntityManagement Other;
    "data_security_policy_created"               Policy  Done   [Configuration: Creation] EntityManagement Create;
    "data_security_policy_updated"               Policy  Done   [Configuration: Change]   EntityManagement Update;
    "data_security_policy_deleted"               Policy  Done   [Configuration: Deletion] EntityManagement Delete;
    "data_security_policy_activated"             Policy  Done   [Configuration: Change]   EntityManagement Activate;
    "data_security_policy_deactivated"           Policy  Done   [Configuration: Change]   EntityManagement Deactivate;
    "data_security_policy_rule_added"            Policy  Done   [Configuration: Change]   EntityManagement Update;
    "data_security_policy_rule_updated"          Policy  Done   [Configuration: Change]   EntityManagement Update;
    "data_security_policy_rule_removed"          Policy  Done   [Configuration: Change]   EntityManagement Update;
    "data_classification_level_created"          Policy  Done   [Configuration: Creation] EntityManagement Create;
    "data_classification_level_updated"          Policy  Done   [Configuration: Change]   EntityManagement Update;
    "data_classification_level_archived"         Policy  Done   [Configuration: Change]   EntityManagement Update;
    "mobile_app_policy_created"                  Policy  Done   [Configuration: Creation] EntityManagement Create;
    "mobile_app_policy_updated"                  Policy  Done   [Configuration: Change]   EntityManagement Update;
    "mobile_app_policy_deleted"                  Policy  Done   [Configuration: Deletion] EntityManagement Delete;
    "confluence_page_triggered_policy_violation" Content Done   [File: Info]              WebResources     Other;
    "jira_issue_triggered_policy_violation"      Content Done   []                        WebResources     Other;
    "jira_work_item_triggered_policy_violation"  Content Done   []                        WebResources     Other;
};

const POLICIES_PATTERNS: &[ActionPattern] = patterns! {
    "policy_*"                Policy [Configuration] EntityManagement Told;
    "authentication_policy_*" Policy [Configuration] EntityManagement Told;
    "ip_allowlist_*"          Policy [Configuration] EntityManagement Told;
    "data_residency_*"        Policy [Configuration] EntityManagement Told;
    "data_security_policy_*"  Policy [Configuration] EntityManagement Told;
    "data_classification_*"   Policy [Configuration] EntityManagement Told;
    "mobile_app_policy_*"     Policy [Configuration] EntityManagement Told;
    "*_policy_created"        Policy [Configuration] EntityManagement Create;
    "*_policy_updated"        Policy [Configuration] EntityManagement Update;
    "*_policy_deleted"        Policy [Configuration] EntityManagement Delete;
    "*_policy_enabled"        Policy [Configuration] EntityManagement Enable;
    "*_policy_disabled"       Policy [Configuration] EntityManagement Disable;
};
