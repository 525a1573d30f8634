//! Owns the rows of groups and who is in them.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Groups, and who is in them.
pub const GROUPS: ActionFamily = ActionFamily {
    title: "Groups",
    provenance: "Seen: user_added_to_group, group_created, group_removed, user_deleted_from_user_group. Bitbucket Data \
           Center's as Atlassian lists them; the others documented or from memory.",
    names: GROUPS_NAMES,
    patterns: GROUPS_PATTERNS,
};

const GROUPS_NAMES: &[NamedAction] = names! {
    "user_added_to_group"                        Group Done [Iam: Group User Change] GroupManagement AddUser;
    "user_removed_from_group"                    Group Done [Iam: Group User Change] GroupManagement RemoveUser;
    "group_created"                              Group Done [Iam: Group Creation]    GroupManagement Create;
    "group_updated"                              Group Done [Iam: Group Change]      GroupManagement Update;
    "group_renamed"                              Group Done [Iam: Group Change]      GroupManagement Update;
    "group_description_updated"                  Group Done [Iam: Group Change]      GroupManagement Update;
    "group_deleted"                              Group Done [Iam: Group Deletion]    GroupManagement Delete;
    "group_removed"                              Group Done [Iam: Group Deletion]    GroupManagement Delete;
    "group_added"                                Group Done [Iam: Group Creation]    GroupManagement Create;
    // Bitbucket Data Center.
    "user_group_created"                         Group Done [Iam: Group Creation]    GroupManagement Create;
    "user_group_deleted"                         Group Done [Iam: Group Deletion]    GroupManagement Delete;
    "user_group_renamed"                         Group Done [Iam: Group Change]      GroupManagement Update;
    "user_added_to_user_group"                   Group Done [Iam: Group User Change] GroupManagement AddUser;
    "user_deleted_from_user_group"               Group Done [Iam: Group User Change] GroupManagement RemoveUser;
    "user_removed_from_user_group"               Group Done [Iam: Group User Change] GroupManagement RemoveUser;
    "user_group_automatically_created"           Group Done [Iam: Group Creation]    GroupManagement Create;
    "user_group_automatically_deleted"           Group Done [Iam: Group Deletion]    GroupManagement Delete;
    "user_automatically_added_to_user_group"     Group Done [Iam: Group User Change] GroupManagement AddUser;
    "user_automatically_deleted_from_user_group" Group Done [Iam: Group User Change] GroupManagement RemoveUser;
    "group_added_to_user_group"                  Group Done [Iam: Group Change]      GroupManagement AddSubgroup;
    "group_deleted_from_user_group"              Group Done [Iam: Group Change]      GroupManagement RemoveSubgroup;
    // Confluence Data Center and Jira.
    "group_membership_added"                     Group Done [Iam: Group User Change] GroupManagement AddUser;
    "group_membership_removed"                   Group Done [Iam: Group User Change] GroupManagement RemoveUser;
    "team_created"                               Group Done [Iam: Group Creation]    GroupManagement Create;
    "team_updated"                               Group Done [Iam: Group Change]      GroupManagement Update;
    "team_deleted"                               Group Done [Iam: Group Deletion]    GroupManagement Delete;
    "team_member_added"                          Group Done [Iam: Group User Change] GroupManagement AddUser;
    "team_member_removed"                        Group Done [Iam: Group User Change] GroupManagement RemoveUser;
};

const GROUPS_PATTERNS: &[ActionPattern] = patterns! {
    "group_*"                   Group [Iam: Group] GroupManagement Other;
    "user_group_*"              Group [Iam: Group] GroupManagement Other;
    "team_*"                    Group [Iam: Group] GroupManagement Other;
    "user_added_to_*_group"     Group [Iam: Group] GroupManagement AddUser;
    "user_removed_from_*_group" Group [Iam: Group] GroupManagement RemoveUser;
};
