//! Owns the rows of the smaller products.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Trello, Loom, Compass, Guard Detect, Jira Service Management.
pub const PRODUCTS: ActionFamily = ActionFamily {
    title: "Trello, Loom and others",
    provenance: "From memory and after the features of the products: not confirmed.",
    names: PRODUCTS_NAMES,
    patterns: PRODUCTS_PATTERNS,
};

const PRODUCTS_NAMES: &[NamedAction] = names! {
    "trello_board_created"            Content       Done []                        WebResources     Create;
    "trello_board_closed"             Content       Done []                        WebResources     Update;
    "trello_board_deleted"            Content       Done []                        WebResources     Delete;
    "trello_board_visibility_changed" Permission    Done [Configuration: Change]   EntityManagement Update;
    "trello_workspace_created"        Configuration Done [Configuration: Creation] EntityManagement Create;
    "trello_workspace_updated"        Configuration Done [Configuration: Change]   EntityManagement Update;
    "trello_workspace_deleted"        Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "trello_workspace_member_added"   Group         Done [Iam: Group User Change]  GroupManagement  AddUser;
    "trello_workspace_member_removed" Group         Done [Iam: Group User Change]  GroupManagement  RemoveUser;
    "loom_video_created"              Content       Done []                        WebResources     Create;
    "loom_video_viewed"               Content       Done [Web: Access]             WebResources     Read;
    "loom_video_updated"              Content       Done []                        WebResources     Update;
    "loom_video_deleted"              Content       Done []                        WebResources     Delete;
    "loom_video_downloaded"           Content       Done [File: Access]            WebResources     Read;
    "loom_video_shared"               Content       Done []                        WebResources     Share;
    "loom_workspace_updated"          Configuration Done [Configuration: Change]   EntityManagement Update;
    "loom_workspace_member_added"     Group         Done [Iam: Group User Change]  GroupManagement  AddUser;
    "loom_workspace_member_removed"   Group         Done [Iam: Group User Change]  GroupManagement  RemoveUser;
    "guard_detect_alert_created"      Configuration Done [Configuration: Info]     EntityManagement Other;
    "guard_detect_alert_updated"      Configuration Done [Configuration: Change]   EntityManagement Update;
};

const PRODUCTS_PATTERNS: &[ActionPattern] = patterns! {
    "trello_board_*"       Content       [Web]           WebResources     Told;
    "trello_card_*"        Content       [Web]           WebResources     Told;
    "trello_workspace_*"   Configuration [Configuration] EntityManagement Told;
    "trello_power_up_*"    App           [Configuration] EntityManagement Told;
    "loom_video_*"         Content       [Web]           WebResources     Told;
    "loom_workspace_*"     Configuration [Configuration] EntityManagement Told;
    "compass_component_*"  Configuration [Configuration] EntityManagement Told;
    "guard_detect_alert_*" Configuration [Configuration] EntityManagement Told;
    "analytics_*"          Configuration [Configuration] EntityManagement Told;
};
