//! Tests what must hold of every row of `taxonomy.tsv`.

use std::collections::HashSet;

use super::table::{self, ActionPattern, NamedAction, PatternIndex};
use super::*;
use crate::model::meaning::{Deed, OcsfClass};

fn names() -> impl Iterator<Item = NamedAction> {
    table::TEXT.lines().filter_map(NamedAction::parse)
}

fn patterns() -> impl Iterator<Item = ActionPattern> {
    table::TEXT.lines().filter_map(ActionPattern::parse)
}

fn pattern_text(row: &ActionPattern) -> String {
    [row.start, "*", row.end].concat()
}

fn index(rows: impl Iterator<Item = ActionPattern>) -> PatternIndex {
    let mut index = PatternIndex::default();
    rows.for_each(|row| index.insert(row));
    index.sort();
    index
}

#[test]
fn every_line_is_a_row_or_a_comment() {
    for (at, line) in table::TEXT.lines().enumerate() {
        let is_row = NamedAction::parse(line).is_some() || ActionPattern::parse(line).is_some();
        let is_comment = line.is_empty() || line.starts_with('#');
        assert!(is_row != is_comment, "line {} of taxonomy.tsv: {line}", at + 1);
    }
    assert!(names().count() >= 350, "{}", names().count());
    assert!(!table::TEXT.contains('\r'));
}

#[test]
fn every_line_of_the_smaller_tables_is_a_row_or_a_comment() {
    let is_comment = |line: &str| line.is_empty() || line.starts_with('#');
    for line in action_words::TEXT.lines() {
        let words = action_words::parse_line(line).map(|words| words.collect::<Vec<_>>());
        assert!(words.is_some() != is_comment(line), "{line}");
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        assert!(words.iter().flatten().all(|(word, _)| is_word(word)), "{line}");
    }
    for line in FILED_CATEGORIES_TEXT.lines() {
        assert!(parse_filed_category(line).is_some() != is_comment(line), "{line}");
    }
    assert_eq!(FILED_CATEGORIES.len(), 43);
}

#[test]
fn a_row_with_an_unknown_word_or_another_number_of_columns_is_not_read() {
    let name = "a_b\taccount\tsuccess\tiam\tuser, info\tAccount Change\tOther";
    assert!(NamedAction::parse(name).is_some());
    let pattern = "a_*\taccount\tby its words\tiam\tuser\tAccount Change\tOther";
    assert!(ActionPattern::parse(pattern).is_some());
    for bad in [
        "a_b\taccount\tsuccess\tiam\tuser, info\tAccount Change\tOther\t",
        "a_b\taccount\tsuccess\tiam\tuser, info\tAccount Change",
        "a_b\taccount\tby its words\tiam\tuser\tAccount Change\tOther",
        "a_b\taccount\tsuccess\tiam\tuser,info\tAccount Change\tOther",
        "a_b\taccount\tsuccess\tiam\tuser, info, start, end\tAccount Change\tOther",
        "a_b\taccount\tsuccess\t\tuser\tAccount Change\tOther",
        "a_*\taccount\tsuccess\tiam\tuser\tAccount Change\tOther",
        "a_*\tcount\tby its words\tiam\tuser\tAccount Change\tOther",
        "# a_b\taccount\tsuccess\tiam\tuser, info\tAccount Change\tOther",
        "",
    ] {
        assert!(NamedAction::parse(bad).is_none(), "{bad}");
        assert!(ActionPattern::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn rows_are_unique_and_in_snake_case() {
    let mut seen = HashSet::new();
    let names = names().map(|row| row.name.to_owned());
    for text in names.chain(patterns().map(|row| pattern_text(&row))) {
        assert!(seen.insert(text.clone()), "{text} is there twice");
        let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let plain = text.replacen('*', "", 1);
        assert!(plain.chars().all(sound) && !text.contains("__"), "{text}");
    }
    for row in patterns() {
        let (start, end, text) = (row.start, row.end, pattern_text(&row));
        let whole_words = |part: &str, edge: fn(&str) -> bool| part.is_empty() || edge(part);
        assert!(whole_words(start, |start| start.ends_with('_')), "{text}");
        assert!(whole_words(end, |end| end.starts_with('_')), "{text}");
        assert!(start.len() + end.len() > 3, "{text}");
    }
}

/// An action that fits a pattern, made so that few others fit it as well.
fn example(row: &ActionPattern) -> String {
    [row.start, "zzz", row.end].concat()
}

#[test]
fn every_pattern_is_reachable_and_row_order_does_not_matter() {
    let forward: Vec<ActionPattern> = patterns().collect();
    let backward = index(forward.iter().rev().copied());
    let mut shuffled = forward.clone();
    fastrand::Rng::with_seed(7).shuffle(&mut shuffled);
    let shuffled = index(shuffled.into_iter());
    let actions = names().map(|row| row.name.to_owned());
    let actions = actions.chain(forward.iter().map(example));
    let mixed =
        forward.iter().flat_map(|a| forward.iter().map(|b| [a.start, "zzz", b.end].concat()));
    for action in actions.chain(mixed) {
        let found = table::find_pattern(&action).map(pattern_text);
        // The rule as it is written: of all that fit, the one with the most letters.
        let fitting = forward.iter().filter(|row| row.matches(&action));
        let mut fitting: Vec<_> =
            fitting.map(|row| (row.specificity(), pattern_text(row))).collect();
        fitting.sort_unstable();
        let want = fitting.last().map(|(_, pattern)| pattern.clone());
        assert_eq!(found, want, "{action}");
        assert_eq!(backward.find(&action).map(pattern_text), want, "{action}");
        assert_eq!(shuffled.find(&action).map(pattern_text), want, "{action}");
        let even = fitting.windows(2).any(|pair| pair[0].0 == pair[1].0);
        assert!(!even, "{action} fits two rows: {fitting:?}");
    }
    for row in forward {
        let found = table::find_pattern(&example(&row)).map(pattern_text);
        assert_eq!(found, Some(pattern_text(&row)), "never found");
    }
}

#[test]
fn outcomes_match_the_words_of_the_name() {
    for row in names().filter(|row| action_words::indicates_failure(row.name)) {
        assert_eq!(row.outcome, Outcome::Failure, "{}", row.name);
    }
    let otherwise = names().filter(|row| row.outcome != action_words::infer(row.name).0);
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
        let categories: Vec<_> = row.meaning.ecs.categories.into_iter().flatten().collect();
        let types: Vec<_> = row.meaning.ecs.types.into_iter().flatten().collect();
        assert_eq!(categories.is_empty(), types.is_empty(), "{}", row.name);
        let allows = |of: &&str, word| action_words::allowed_types(of).contains(word);
        let is_allowed = |word| categories.iter().any(|of| allows(of, word));
        assert!(types.iter().all(is_allowed), "{}: {types:?}", row.name);
        for of in &categories {
            let is_used = types.iter().any(|word| allows(of, word));
            assert!(is_used, "{}: {of:?} has no type", row.name);
        }
        let distinct: HashSet<_> = types.iter().collect();
        assert_eq!(distinct.len(), types.len(), "{}", row.name);
    }
    for row in patterns() {
        for (of, category) in row.of.iter().zip(row.ecs) {
            let text = pattern_text(&row);
            assert!(action_words::allowed_types(category).contains(of), "{text}");
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
        OcsfClass::GroupManagement => {
            &[Assign, Revoke, AddUser, RemoveUser, Delete, Create, AddSubgroup, RemoveSubgroup]
        }
        OcsfClass::WebResources => &[Create, Read, Update, Delete, Search, Import, Export, Share],
        OcsfClass::Api => &[Create, Read, Update, Delete],
    }
}

#[test]
fn every_deed_is_an_activity_of_its_class_or_written_out() {
    for row in names() {
        let (class, deed) = (row.meaning.class, row.meaning.deed);
        // OCSF has no activity for a change of an account's or a group's particulars: 99, with the
        // deed as its label.
        let has_none = deed == Deed::Update
            && matches!(class, OcsfClass::AccountChange | OcsfClass::GroupManagement);
        let is_known = deed == Deed::Other || activities(class).contains(&deed);
        assert!(is_known != has_none, "{}: {class:?} {deed:?}", row.name);
    }
    for row in patterns() {
        let is_known = row
            .deed
            .is_none_or(|deed| deed == Deed::Other || activities(row.class).contains(&deed));
        assert!(is_known, "{}", pattern_text(&row));
    }
}

#[test]
fn every_sandbox_action_has_a_named_row() {
    let tables = [
        include_str!("../../sandbox/data/org_events.tsv"),
        include_str!("../../sandbox/data/jira_audit.tsv"),
        include_str!("../../sandbox/data/confluence_audit.tsv"),
        include_str!("../../sandbox/data/datacenter_audit.tsv"),
    ];
    let mut count = 0;
    for line in tables.iter().flat_map(|text| text.lines()) {
        let [weight, said, ..] = line.split('\t').collect::<Vec<_>>()[..] else {
            continue;
        };
        if weight.parse::<u32>().is_err() {
            continue;
        }
        let action = snake_case(said).unwrap();
        assert!(table::find_named(&action).is_some(), "{said}: {action} has no row");
        count += 1;
    }
    assert!(count > 150, "only {count} kinds were found");
}
