//! Owns the rows of Confluence: spaces, and what people write.

use super::row::{ActionFamily, NamedAction, ActionPattern, names, patterns};

/// Spaces, templates, look and feel.
pub const SPACES: ActionFamily = ActionFamily {
    title: "Confluence spaces",
    provenance: "Confluence's summaries as documented (created, archived, deleted, configuration, logo, trash, templates); \
           organization events after the same activities.",
    names: SPACES_NAMES,
    patterns: SPACES_PATTERNS,
};

const SPACES_NAMES: &[NamedAction] = names! {
    "space_created"               Content Done [Configuration: Creation] EntityManagement Create;
    "space_updated"               Content Done [Configuration: Change]   EntityManagement Update;
    "space_configuration_updated" Content Done [Configuration: Change]   EntityManagement Update;
    "space_archived"              Content Done [Configuration: Change]   EntityManagement Deactivate;
    "space_unarchived"            Content Done [Configuration: Change]   EntityManagement Activate;
    "space_restored"              Content Done [Configuration: Change]   EntityManagement Activate;
    "space_deleted"               Content Done [Configuration: Deletion] EntityManagement Delete;
    "space_marked_as_deleted"     Content Done [Configuration: Deletion] EntityManagement Delete;
    "deleted_space_restored"      Content Done [Configuration: Change]   EntityManagement Activate;
    "space_copied"                Content Done [Configuration: Creation] EntityManagement Create;
    "space_imported"              Content Done [Configuration: Creation] EntityManagement Create;
    "space_key_updated"           Content Done [Configuration: Change]   EntityManagement Update;
    "space_logo_uploaded"         Content Done [Configuration: Change]   EntityManagement Update;
    "space_owner_updated"         Content Done [Configuration: Change]   EntityManagement Update;
    "space_owner_changed"         Content Done [Configuration: Change]   EntityManagement Update;
    "space_trash_emptied"         Content Done [Configuration: Deletion] EntityManagement Delete;
    "trash_emptied"               Content Done [Configuration: Deletion] EntityManagement Delete;
    "page_template_created"       Content Done [Configuration: Creation] EntityManagement Create;
    "page_template_updated"       Content Done [Configuration: Change]   EntityManagement Update;
    "page_template_deleted"       Content Done [Configuration: Deletion] EntityManagement Delete;
    "confluence_space_created"    Content Done [Configuration: Creation] EntityManagement Create;
    "confluence_space_updated"    Content Done [Configuration: Change]   EntityManagement Update;
    "confluence_space_viewed"     Content Done [Web: Access]             WebResources     Read;
    "confluence_space_archived"   Content Done [Configuration: Change]   EntityManagement Deactivate;
    "confluence_space_restored"   Content Done [Configuration: Change]   EntityManagement Activate;
    "confluence_space_deleted"    Content Done [Configuration: Deletion] EntityManagement Delete;
    "confluence_space_imported"   Content Done [Configuration: Creation] EntityManagement Create;
};

const SPACES_PATTERNS: &[ActionPattern] = patterns! {
    "space_*"            Content [Configuration] EntityManagement Told;
    "confluence_space_*" Content [Configuration] EntityManagement Told;
    "page_template_*"    Content [Configuration] EntityManagement Told;
};

/// Pages, blog posts, whiteboards, databases, attachments and comments.
pub const PAGES: ActionFamily = ActionFamily {
    title: "Confluence content",
    provenance: "Seen: confluence_page_created, confluence_page_updated, confluence_page_viewed. Confluence's summaries \
           and Data Center's as documented, or from memory; organization events after the same activities.",
    names: PAGES_NAMES,
    patterns: PAGES_PATTERNS,
};

const PAGES_NAMES: &[NamedAction] = names! {
    // Organization events.
    "confluence_page_viewed"                Content Done [File: Access]   WebResources Read;
    "confluence_page_created"               Content Done [File: Creation] WebResources Create;
    "confluence_page_updated"               Content Done [File: Change]   WebResources Update;
    "confluence_page_deleted"               Content Done [File: Deletion] WebResources Delete;
    "confluence_page_archived"              Content Done [File: Change]   WebResources Update;
    "confluence_page_restored"              Content Done [File: Change]   WebResources Update;
    "confluence_page_moved"                 Content Done [File: Change]   WebResources Update;
    "confluence_blog_viewed"                Content Done [File: Access]   WebResources Read;
    "confluence_blog_created"               Content Done [File: Creation] WebResources Create;
    "confluence_blog_updated"               Content Done [File: Change]   WebResources Update;
    "confluence_blog_deleted"               Content Done [File: Deletion] WebResources Delete;
    "confluence_blogpost_viewed"            Content Done [File: Access]   WebResources Read;
    "confluence_blogpost_created"           Content Done [File: Creation] WebResources Create;
    "confluence_blogpost_updated"           Content Done [File: Change]   WebResources Update;
    "confluence_blogpost_deleted"           Content Done [File: Deletion] WebResources Delete;
    "confluence_whiteboard_viewed"          Content Done [File: Access]   WebResources Read;
    "confluence_whiteboard_created"         Content Done [File: Creation] WebResources Create;
    "confluence_whiteboard_updated"         Content Done [File: Change]   WebResources Update;
    "confluence_whiteboard_deleted"         Content Done [File: Deletion] WebResources Delete;
    "confluence_database_viewed"            Content Done [File: Access]   WebResources Read;
    "confluence_database_created"           Content Done [File: Creation] WebResources Create;
    "confluence_database_updated"           Content Done [File: Change]   WebResources Update;
    "confluence_database_deleted"           Content Done [File: Deletion] WebResources Delete;
    "confluence_attachment_viewed"          Content Done [File: Access]   WebResources Read;
    "confluence_attachment_uploaded"        Content Done [File: Creation] WebResources Create;
    "confluence_attachment_updated"         Content Done [File: Change]   WebResources Update;
    "confluence_attachment_downloaded"      Content Done [File: Access]   WebResources Read;
    "confluence_attachment_deleted"         Content Done [File: Deletion] WebResources Delete;
    "confluence_comment_created"            Content Done [File: Creation] WebResources Create;
    "confluence_comment_updated"            Content Done [File: Change]   WebResources Update;
    "confluence_comment_deleted"            Content Done [File: Deletion] WebResources Delete;
    "confluence_page_generated_ai_content"  Content Done [File: Creation] WebResources Create;
    "confluence_page_viewed_with_admin_key" Content Done [File: Access]   WebResources Read;
    // Confluence and Data Center.
    "page_viewed"                           Content Done [File: Access]   WebResources Read;
    "page_created"                          Content Done [File: Creation] WebResources Create;
    "page_updated"                          Content Done [File: Change]   WebResources Update;
    "page_deleted"                          Content Done [File: Deletion] WebResources Delete;
    "page_removed"                          Content Done [File: Deletion] WebResources Delete;
    "page_archived"                         Content Done [File: Change]   WebResources Update;
    "page_restored"                         Content Done [File: Change]   WebResources Update;
    "page_moved"                            Content Done [File: Change]   WebResources Update;
    "page_shared"                           Content Done [File: Change]   WebResources Share;
    "blog_viewed"                           Content Done [File: Access]   WebResources Read;
    "blog_created"                          Content Done [File: Creation] WebResources Create;
    "blog_updated"                          Content Done [File: Change]   WebResources Update;
    "blog_deleted"                          Content Done [File: Deletion] WebResources Delete;
    "blog_removed"                          Content Done [File: Deletion] WebResources Delete;
    "blog_restored"                         Content Done [File: Change]   WebResources Update;
    "blog_shared"                           Content Done [File: Change]   WebResources Share;
    "page_owner_changed"                    Content Done [File: Change]   WebResources Update;
    "page_viewed_with_admin_key"            Content Done [File: Access]   WebResources Read;
    "page_version_restored"                 Content Done [File: Change]   WebResources Update;
    "page_version_deleted"                  Content Done [File: Deletion] WebResources Delete;
};

const PAGES_PATTERNS: &[ActionPattern] = patterns! {
    "page_*"                  Content [File] WebResources Told;
    "blog_*"                  Content [File] WebResources Told;
    "blogpost_*"              Content [File] WebResources Told;
    "whiteboard_*"            Content [File] WebResources Told;
    "confluence_page_*"       Content [File] WebResources Told;
    "confluence_blog_*"       Content [File] WebResources Told;
    "confluence_blogpost_*"   Content [File] WebResources Told;
    "confluence_whiteboard_*" Content [File] WebResources Told;
    "confluence_database_*"   Content [File] WebResources Told;
    "confluence_attachment_*" Content [File] WebResources Told;
    "confluence_comment_*"    Content [File] WebResources Told;
};
