//! Owns what must hold of every row of the tables.

use std::collections::HashSet;

use super::index::{PatternIndex, PatternShape};
use super::row::NamedAction;
use super::*;
use crate::model::event::Outcome;
use crate::model::meaning::Deed;

fn names() -> impl Iterator<Item = &'static NamedAction> {
    FAMILIES.iter().flat_map(|family| family.names)
}

fn patterns() -> impl Iterator<Item = &'static ActionPattern> {
    FAMILIES.iter().flat_map(|family| family.patterns)
}

#[test]
fn hundreds_of_actions_are_known_by_name() {
    assert!(names().count() >= 350, "{}", names().count());
}

#[test]
fn rows_are_unique_and_in_snake_case() {
    let mut seen = HashSet::new();
    for text in names()
        .map(|row| row.name)
        .chain(patterns().map(|row| row.pattern))
    {
        assert!(seen.insert(text), "{text} is there twice");
        let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let plain = text.replacen('*', "", 1);
        assert!(plain.chars().all(sound) && !text.contains("__"), "{text}");
    }
    for text in patterns().map(|row| row.pattern) {
        let (start, end) = text.split_once('*').unwrap_or_default();
        let whole_words = |part: &str, edge: fn(&str) -> bool| part.is_empty() || edge(part);
        assert!(whole_words(start, |start| start.ends_with('_')), "{text}");
        assert!(whole_words(end, |end| end.starts_with('_')), "{text}");
        assert!(start.len() + end.len() > 3, "{text}");
    }
}

/// An action that fits a pattern, made so that few others fit it as well.
fn example(row: &ActionPattern) -> String {
    row.pattern.replace('*', "zzz")
}

#[test]
fn every_pattern_is_reachable_and_row_order_does_not_matter() {
    let forward: Vec<&'static ActionPattern> = patterns().collect();
    let backward = PatternIndex::of(forward.iter().rev().copied());
    let mut shuffled = forward.clone();
    fastrand::Rng::with_seed(7).shuffle(&mut shuffled);
    let shuffled = PatternIndex::of(shuffled.into_iter());
    let actions = names().map(|row| row.name.to_owned());
    let actions = actions.chain(forward.iter().map(|row| example(row)));
    let mixed = forward.iter().flat_map(|a| {
        let (start, _) = a.pattern.split_once('*').unwrap_or_default();
        forward.iter().map(move |b| {
            let (_, end) = b.pattern.split_once('*').unwrap_or_default();
            format!("{start}zzz{end}")
        })
    });
    for action in actions.chain(mixed) {
        let found = index::find_pattern(&action).map(|row| row.pattern);
        // The rule as it is written: of all that fit, the one with the most letters.
        let shapes = forward.iter().map(|row| (PatternShape::of(row), row.pattern));
        let fitting = shapes.filter(|(shape, _)| shape.matches(&action));
        let mut fitting: Vec<_> = fitting
            .map(|(shape, pattern)| (shape.specificity(), pattern))
            .collect();
        fitting.sort_unstable();
        let want = fitting.last().map(|(_, pattern)| *pattern);
        assert_eq!(found, want, "{action}");
        assert_eq!(
            backward.find(&action).map(|row| row.pattern),
            want,
            "{action}"
        );
        assert_eq!(
            shuffled.find(&action).map(|row| row.pattern),
            want,
            "{action}"
        );
        let even = fitting.windows(2).any(|pair| pair[0].0 == pair[1].0);
        assert!(!even, "{action} is told by two rows: {fitting:?}");
    }
    for row in forward {
        let found = index::find_pattern(&example(row)).map(|row| row.pattern);
        assert_eq!(found, Some(row.pattern), "never reached");
    }
}

#[test]
fn outcomes_match_the_words_of_the_name() {
    for row in names().filter(|row| action_words::indicates_failure(row.name)) {
        assert_eq!(row.outcome, Outcome::Failure, "{}", row.name);
    }
    let otherwise = names().filter(|row| row.outcome != action_words::infer_action(row.name).outcome);
    let mut otherwise: Vec<&str> = otherwise.map(|row| row.name).collect();
    otherwise.sort_unstable();
    assert_eq!(otherwise, NOT_INFERRED);
}

/// Names whose outcome their words alone would not tell, or would tell otherwise.
const NOT_INFERRED: &[&str] = &[
    "access_request_approved",
    "access_request_cancelled",
    "access_request_settings_updated",
    "app_request_approved",
    "jira_sprint_started",
    "mirroring_request_accepted",
    "product_access_request_approved",
    "product_request_approved",
    "secure_administrator_session_started",
    "sprint_started",
    "user_login",
    "user_logout",
];

#[test]
fn ecs_allows_every_type_with_one_of_the_categories() {
    for row in names() {
        let kind = row.meaning.ecs;
        assert_eq!(
            kind.categories.is_empty(),
            kind.types.is_empty(),
            "{}",
            row.name
        );
        let is_allowed = |word| {
            kind.categories
                .iter()
                .any(|of| ecs::allowed_types(*of).contains(word))
        };
        assert!(kind.types.iter().all(is_allowed), "{}: {kind:?}", row.name);
        for of in kind.categories {
            let is_used = kind
                .types
                .iter()
                .any(|word| ecs::allowed_types(*of).contains(word));
            assert!(is_used, "{}: {of:?} has no type", row.name);
        }
        let distinct: HashSet<_> = kind.types.iter().collect();
        assert_eq!(distinct.len(), kind.types.len(), "{}", row.name);
    }
    for row in patterns() {
        for (of, category) in row.of.iter().zip(row.ecs) {
            assert!(ecs::allowed_types(category).contains(of), "{}", row.pattern);
        }
    }
}

/// The activities that each class of OCSF 1.8.0 has.
fn activities(class: OcsfClass) -> &'static [Deed] {
    use Deed::*;
    match class {
        OcsfClass::AccountChange => &[
            Create,
            Enable,
            PasswordChange,
            PasswordReset,
            Disable,
            Delete,
            AttachPolicy,
            DetachPolicy,
            Lock,
            MfaEnable,
            MfaDisable,
            Unlock,
        ],
        OcsfClass::Authentication => &[Logon, Logoff, AccountSwitch],
        OcsfClass::EntityManagement => &[
            Create, Read, Update, Delete, Move, Enroll, Unenroll, Enable, Disable, Activate,
            Deactivate, Suspend, Resume,
        ],
        OcsfClass::UserAccess => &[Assign, Revoke],
        OcsfClass::GroupManagement => &[
            Assign,
            Revoke,
            AddUser,
            RemoveUser,
            Delete,
            Create,
            AddSubgroup,
            RemoveSubgroup,
        ],
        OcsfClass::WebResources => &[Create, Read, Update, Delete, Search, Import, Export, Share],
        OcsfClass::Api => &[Create, Read, Update, Delete],
    }
}

#[test]
fn every_deed_is_an_activity_of_its_class_or_written_out() {
    for row in names() {
        let (class, deed) = (row.meaning.class, row.meaning.deed);
        // OCSF has no activity for a change of an account's or a group's particulars: 99, with the deed as its label.
        let has_none = deed == Deed::Update
            && matches!(class, OcsfClass::AccountChange | OcsfClass::GroupManagement);
        let is_known = deed == Deed::Other || activities(class).contains(&deed);
        assert!(is_known != has_none, "{}: {class:?} {deed:?}", row.name);
    }
    for row in patterns() {
        let is_known = row
            .deed
            .is_none_or(|deed| deed == Deed::Other || activities(row.class).contains(&deed));
        assert!(is_known, "{}", row.pattern);
    }
}

#[test]
fn every_sandbox_action_has_a_named_row() {
    let tables = [
        include_str!("../../sandbox/data/actions.rs"),
        include_str!("../../sandbox/data/jira_kinds.rs"),
        include_str!("../../sandbox/data/confluence_kinds.rs"),
        include_str!("../../sandbox/data/datacenter_kinds.rs"),
    ];
    let mut count = 0;
    for line in tables.iter().flat_map(|text| text.lines()) {
        let Some(rest) = line.trim().strip_prefix("kind(\"") else {
            continue;
        };
        let said = rest.split('"').next().unwrap();
        let action = snake_case(said).unwrap();
        assert!(
            index::find_named(&action).is_some(),
            "{said}: {action} has no row"
        );
        count += 1;
    }
    assert!(count > 150, "only {count} kinds were found");
}
