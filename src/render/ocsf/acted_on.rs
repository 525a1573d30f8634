//! Finds the thing that an event is about where no class of its own says which target that is: the
//! entity, the app, the member of a project role. A record often names what a thing belongs to and
//! not the thing, and that must not be said to have been created or deleted.

use std::collections::HashSet;

use crate::model::event::{Event, EventTarget, EventText, FieldChange};
use crate::model::meaning::{Category, Deed};
use crate::render::ocsf::target_kind::TargetKind;

/// What holds other things. It is what was acted on only where the action names it.
const CONTAINERS: [&str; 8] =
    ["organization", "site", "product", "workspace", "directory", "project", "space", "repository"];

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
        event
            .targets
            .iter()
            .position(|it| TargetKind::is_named(it) && fits(it.kind.as_deref().unwrap_or("")))
    };
    let is_container = |kind: &str| CONTAINERS.contains(&kind);
    let action_names = |kind: &str| names_kind(&event.action, kind);
    let owned = |things: &[&str]| {
        let is_owner = |kind: &str| is_container(kind) || matches!(kind, "user" | "group");
        find(&|kind| is_kind_of(kind, things))
            .or_else(|| find(&|kind| !is_owner(kind) && action_names(kind)))
    };
    let thing = match event.category {
        Category::Token => owned(&TOKENS),
        Category::App => owned(&APPS),
        _ => find(&|kind| !is_container(kind) && action_names(kind))
            .or_else(|| find(&action_names))
            .or_else(|| find(&|kind| !is_container(kind))),
    };
    let any = || find(&|kind| !is_container(kind)).or_else(|| find(&|_| true));
    (thing.or_else(any), thing.is_some())
}

/// The index of the app.
pub fn find_app(event: &Event<'_>) -> Option<usize> {
    let is_app = |it: &EventTarget<'_>| is_kind_of(it.kind.as_deref().unwrap_or(""), &APPS);
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

/// Whether a kind is one of `things`, or has one of them among its words.
fn is_kind_of(kind: &str, things: &[&str]) -> bool {
    things.contains(&kind) || words(kind).any(|word| things.contains(&word))
}

/// Whether `action` names things of this kind: by the last word of the kind, in the singular or in
/// the plural.
fn names_kind(action: &str, kind: &str) -> bool {
    let Some(noun) = words(kind).last().filter(|noun| !noun.is_empty()) else {
        return false;
    };
    let short = if kind == "organization" { "org" } else { noun };
    let is_noun = |word: &str| word == noun || word == short;
    words(action).any(|word| is_noun(word) || word.strip_suffix('s').is_some_and(is_noun))
}

fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split(['_', '-', ' '])
}
