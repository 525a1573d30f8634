//! Finds the thing that an event is about where no class of its own says which target that is: the
//! entity, the app, the member of a project role. A record often names what a thing belongs to and
//! not the thing, and that must not be said to have been created or deleted.

use std::collections::HashSet;

use crate::model::event::{Event, EventTarget, EventText, FieldChange};
use crate::model::meaning::{Category, Deed};
use crate::render::ocsf::target_kind::TargetKind;

/// What a container has that is no thing of its own.
const ATTRIBUTES: [&str; 8] =
    ["settings", "configuration", "details", "name", "description", "lead", "avatar", "category"];

/// Words for what a token is.
const TOKENS: [&str; 6] = ["token", "key", "password", "credential", "secret", "certificate"];

/// Words for what an app is.
const APPS: [&str; 7] =
    ["app", "application", "plugin", "addon", "add_on", "integration", "extension"];

/// The index of the entity, and whether it is what was acted on: the first target that the action
/// names, else the first that holds nothing else, else any that can be named. Of a token or an app
/// only such a target is the thing: who or what has it was not changed.
pub fn find_entity(event: &Event<'_>) -> (Option<usize>, bool) {
    let find = |fits: &dyn Fn(&str) -> bool| {
        let mut targets = event.targets.iter();
        targets.position(|it| TargetKind::is_named(it) && fits(it.kind.as_deref().unwrap_or("")))
    };
    let action_names = |kind: &str| words(&event.action).any(|word| is_noun_of(word, kind));
    let owned = |things: &[&str]| {
        let is_owner = |kind: &str| is_container(kind) || matches!(kind, "user" | "group");
        find(&|kind| is_one_of(kind, things))
            .or_else(|| find(&|kind| !is_owner(kind) && action_names(kind)))
    };
    let thing = match event.category {
        Category::Token => owned(&TOKENS),
        Category::App => owned(&APPS),
        _ => find(&|kind| !is_container(kind) && action_names(kind))
            .or_else(|| find(&|kind| is_container(kind) && is_all_that(&event.action, kind)))
            .or_else(|| find(&|kind| !is_container(kind))),
    };
    let any = || find(&|kind| !is_container(kind)).or_else(|| find(&|_| true));
    (thing.or_else(any), thing.is_some())
}

/// Whether things of this kind can be what `action` was done to, and not only hold that.
pub fn can_be_acted_on(action: &str, kind: &str) -> bool {
    !is_container(kind) || is_all_that(action, kind)
}

/// The index of the app.
pub fn find_app(event: &Event<'_>) -> Option<usize> {
    let is_app = |it: &EventTarget<'_>| is_one_of(it.kind.as_deref().unwrap_or_default(), &APPS);
    event.targets.iter().position(|it| TargetKind::is_named(it) && is_app(it))
}

/// Who was given a role of a project, or lost it. Jira records that as an update of the role, whose
/// change `Users` lists who had the role and who has it now, by account ids or login names, with
/// commas between them. Of several the first who came counts, else the first who left.
pub fn find_role_change<'e>(event: &'e Event<'_>) -> Option<(Deed, &'e str)> {
    let is_role = |it: &EventTarget<'_>| {
        TargetKind::is_named(it) && matches!(it.kind.as_deref(), Some("project_role" | "role"))
    };
    if event.meaning.deed != Deed::Update || !event.targets.iter().any(is_role) {
        return None;
    }
    let is_list = |it: &&FieldChange<'_>| {
        it.field.as_deref().is_some_and(|field| field.eq_ignore_ascii_case("users"))
    };
    let change = event.changes.iter().find(is_list)?;
    let first_beyond = |list: &'e Option<EventText<'_>>, known: &'e Option<EventText<'_>>| {
        let known: HashSet<&str> = members(known).collect();
        members(list).find(|member| !known.contains(member))
    };
    let added = first_beyond(&change.to, &change.from);
    let removed = || first_beyond(&change.from, &change.to);
    let assigned = added.map(|member| (Deed::Assign, member));
    assigned.or_else(|| Some((Deed::Revoke, removed()?)))
}

fn members<'e>(list: &'e Option<EventText<'_>>) -> impl Iterator<Item = &'e str> {
    let members = list.as_deref().unwrap_or_default().split(',').map(str::trim);
    members.filter(|member| !member.is_empty())
}

/// Whether things of this kind hold others. Such a thing is what was acted on only where the action
/// is about nothing in it.
fn is_container(kind: &str) -> bool {
    matches!(
        kind,
        "organization"
            | "site"
            | "product"
            | "project"
            | "space"
            | "workspace"
            | "workspaces"
            | "directory"
            | "repository"
            | "repositories"
    )
}

/// Whether `action` is about a container of this kind and nothing in it: `space_created`, not
/// `space_permission_added` and not `page_moved_to_space`.
fn is_all_that(action: &str, kind: &str) -> bool {
    let (mut words, mut before) = (words(action), "");
    while let Some(word) = words.next() {
        if is_noun_of(word, kind) && !matches!(before, "to" | "from" | "in" | "of" | "for") {
            return words.all(|word| word.ends_with("ed") || ATTRIBUTES.contains(&word));
        }
        before = word;
    }
    false
}

/// Whether things of this kind are one of `things`.
fn is_one_of(kind: &str, things: &[&str]) -> bool {
    things.iter().any(|thing| ends_with_noun(kind, thing))
}

/// Whether `word`, of an action, is what things of this kind are called.
fn is_noun_of(word: &str, kind: &str) -> bool {
    let noun = if matches!(word, "org" | "orgs") { "organization" } else { word };
    ends_with_noun(kind, noun)
        || noun.strip_suffix('s').is_some_and(|noun| ends_with_noun(kind, noun))
}

/// Whether `noun` or its plural is the last word of `kind`: of `api_token`, of `apiTokens`.
fn ends_with_noun(kind: &str, noun: &str) -> bool {
    let is_end = |kind: &str, noun: &str| {
        let start = kind.len().checked_sub(noun.len()).filter(|_| !noun.is_empty());
        let parts = start.and_then(|start| kind.split_at_checked(start));
        parts.is_some_and(|(before, end)| {
            end.eq_ignore_ascii_case(noun)
                && (!before.ends_with(char::is_alphanumeric) || end.starts_with(char::is_uppercase))
        })
    };
    let plural = kind.strip_suffix("ies").zip(noun.strip_suffix('y'));
    is_end(kind, noun)
        || kind.strip_suffix('s').is_some_and(|kind| is_end(kind, noun))
        || plural.is_some_and(|(kind, noun)| is_end(kind, noun))
}

fn words(action: &str) -> impl Iterator<Item = &str> {
    action.split('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_ends_with_a_noun() {
        for (kind, noun) in [
            ("token", "token"),
            ("api_token", "token"),
            ("apiTokens", "token"),
            ("Personal access token", "token"),
            ("repositories", "repository"),
            ("add_on", "add_on"),
        ] {
            assert!(ends_with_noun(kind, noun), "{kind} {noun}");
        }
        for (kind, noun) in [
            ("", "token"),
            ("tokens_policy", "token"),
            ("website", "site"),
            ("monkey", "key"),
            ("é", "site"),
            ("x", ""),
        ] {
            assert!(!ends_with_noun(kind, noun), "{kind} {noun}");
        }
    }

    #[test]
    fn an_action_is_about_a_container_or_something_in_it() {
        for (action, kind) in [
            ("jira_project_created", "project"),
            ("org_settings_updated", "organization"),
            ("updated_orgs", "organization"),
            ("bitbucket_repository_deleted", "repositories"),
        ] {
            assert!(is_all_that(action, kind), "{action}");
        }
        for (action, kind) in [
            ("space_permission_updated", "space"),
            ("page_moved_to_space", "space"),
            ("added_org_admin", "organization"),
            ("org_audit_log_exported", "organization"),
            ("webhook_created", "site"),
            ("project_updated", "site"),
        ] {
            assert!(!is_all_that(action, kind), "{action}");
        }
    }
}
