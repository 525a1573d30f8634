//! Owns the rows of Jira: projects, and what people do in them.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Projects, their versions, components, boards, sprints, plans and filters.
pub const PROJECTS: ActionFamily = ActionFamily {
    title: "Jira projects",
    provenance: "Jira's summaries as seen (project, version, component, board, filter) or as Atlassian documents them; \
           organization events after the same activities.",
    names: PROJECTS_NAMES,
    patterns: PROJECTS_PATTERNS,
};

const PROJECTS_NAMES: &[NamedAction] = names! {
    "project_created"            Configuration Done [Configuration: Creation] EntityManagement Create;
    "project_updated"            Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_deleted"            Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "project_removed"            Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "project_archived"           Configuration Done [Configuration: Change]   EntityManagement Deactivate;
    "project_restored"           Configuration Done [Configuration: Change]   EntityManagement Activate;
    "project_trashed"            Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "project_avatar_changed"     Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_category_created"   Configuration Done [Configuration: Creation] EntityManagement Create;
    "project_category_updated"   Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_category_deleted"   Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "project_version_created"    Configuration Done [Configuration: Creation] EntityManagement Create;
    "project_version_updated"    Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_version_deleted"    Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "project_version_archived"   Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_version_released"   Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_version_unreleased" Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_version_unarchived" Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_version_merged"     Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_component_created"  Configuration Done [Configuration: Creation] EntityManagement Create;
    "project_component_updated"  Configuration Done [Configuration: Change]   EntityManagement Update;
    "project_component_deleted"  Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "project_component_merged"   Configuration Done [Configuration: Change]   EntityManagement Update;
    "board_created"              Configuration Done [Configuration: Creation] EntityManagement Create;
    "board_updated"              Configuration Done [Configuration: Change]   EntityManagement Update;
    "board_deleted"              Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "sprint_created"             Configuration Done [Configuration: Creation] EntityManagement Create;
    "sprint_updated"             Configuration Done [Configuration: Change]   EntityManagement Update;
    "sprint_deleted"             Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "sprint_started"             Configuration Done [Configuration: Change]   EntityManagement Activate;
    "sprint_completed"           Configuration Done [Configuration: Change]   EntityManagement Deactivate;
    "sprint_closed"              Configuration Done [Configuration: Change]   EntityManagement Deactivate;
    "sprint_reopened"            Configuration Done [Configuration: Change]   EntityManagement Activate;
    "plan_created"               Configuration Done [Configuration: Creation] EntityManagement Create;
    "plan_updated"               Configuration Done [Configuration: Change]   EntityManagement Update;
    "plan_deleted"               Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "filter_created"             Configuration Done [Configuration: Creation] EntityManagement Create;
    "filter_updated"             Configuration Done [Configuration: Change]   EntityManagement Update;
    "filter_deleted"             Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "dashboard_created"          Configuration Done [Configuration: Creation] EntityManagement Create;
    "dashboard_updated"          Configuration Done [Configuration: Change]   EntityManagement Update;
    "dashboard_deleted"          Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "jira_project_created"       Configuration Done [Configuration: Creation] EntityManagement Create;
    "jira_project_updated"       Configuration Done [Configuration: Change]   EntityManagement Update;
    "jira_project_deleted"       Configuration Done [Configuration: Deletion] EntityManagement Delete;
    "jira_project_archived"      Configuration Done [Configuration: Change]   EntityManagement Deactivate;
    "jira_sprint_created"        Configuration Done [Configuration: Creation] EntityManagement Create;
    "jira_sprint_updated"        Configuration Done [Configuration: Change]   EntityManagement Update;
    "jira_sprint_started"        Configuration Done [Configuration: Change]   EntityManagement Activate;
    "jira_sprint_closed"         Configuration Done [Configuration: Change]   EntityManagement Deactivate;
    "jira_sprint_deleted"        Configuration Done [Configuration: Deletion] EntityManagement Delete;
};

const PROJECTS_PATTERNS: &[ActionPattern] = patterns! {
    "project_*"      Configuration [Configuration] EntityManagement Told;
    "board_*"        Configuration [Configuration] EntityManagement Told;
    "sprint_*"       Configuration [Configuration] EntityManagement Told;
    "plan_*"         Configuration [Configuration] EntityManagement Told;
    "filter_*"       Configuration [Configuration] EntityManagement Told;
    "dashboard_*"    Configuration [Configuration] EntityManagement Told;
    "jira_project_*" Configuration [Configuration] EntityManagement Told;
    "jira_sprint_*"  Configuration [Configuration] EntityManagement Told;
    "jira_board_*"   Configuration [Configuration] EntityManagement Told;
};

/// Issues, their comments, attachments and worklogs. ECS has no category for what is done to an issue.
pub const ISSUES: ActionFamily = ActionFamily {
    title: "Jira issues",
    provenance: "Seen: jira_issue_created, jira_issue_updated, jira_issue_viewed. Deleted and viewed ones are documented; \
           the others from memory.",
    names: ISSUES_NAMES,
    patterns: ISSUES_PATTERNS,
};

const ISSUES_NAMES: &[NamedAction] = names! {
    "jira_issue_created"                  Content Done []               WebResources Create;
    "jira_issue_updated"                  Content Done []               WebResources Update;
    "jira_issue_viewed"                   Content Done [Web: Access]    WebResources Read;
    "jira_issue_deleted"                  Content Done []               WebResources Delete;
    "jira_issue_generated_ai_content"     Content Done []               WebResources Create;
    "jira_work_item_generated_ai_content" Content Done []               WebResources Create;
    "jira_issue_attachment_created"       Content Done [File: Creation] WebResources Create;
    "jira_issue_attachment_downloaded"    Content Done [File: Access]   WebResources Read;
    "jira_issue_attachment_deleted"       Content Done [File: Deletion] WebResources Delete;
    "issue_created"                       Content Done []               WebResources Create;
    "issue_updated"                       Content Done []               WebResources Update;
    "issue_viewed"                        Content Done [Web: Access]    WebResources Read;
    "issue_deleted"                       Content Done []               WebResources Delete;
    "issue_archived"                      Content Done []               WebResources Update;
    "issue_restored"                      Content Done []               WebResources Update;
    "comment_created"                     Content Done []               WebResources Create;
    "comment_updated"                     Content Done []               WebResources Update;
    "comment_deleted"                     Content Done []               WebResources Delete;
    "attachment_created"                  Content Done [File: Creation] WebResources Create;
    "attachment_uploaded"                 Content Done [File: Creation] WebResources Create;
    "attachment_updated"                  Content Done [File: Change]   WebResources Update;
    "attachment_renamed"                  Content Done [File: Change]   WebResources Update;
    "attachment_downloaded"               Content Done [File: Access]   WebResources Read;
    "attachment_deleted"                  Content Done [File: Deletion] WebResources Delete;
    "attachment_removed"                  Content Done [File: Deletion] WebResources Delete;
    "jql_search_performed"                Content Done [Web: Access]    WebResources Search;
    "search_performed"                    Content Done [Web: Access]    WebResources Search;
};

const ISSUES_PATTERNS: &[ActionPattern] = patterns! {
    "jira_issue_*"            Content [Web]  WebResources Told;
    "jira_work_item_*"        Content [Web]  WebResources Told;
    "issue_*"                 Content [Web]  WebResources Told;
    "comment_*"               Content [Web]  WebResources Told;
    "worklog_*"               Content [Web]  WebResources Told;
    "attachment_*"            Content [File] WebResources Told;
    "jira_issue_attachment_*" Content [File] WebResources Told;
    "*_search_performed"      Content [Web]  WebResources Search;
};
