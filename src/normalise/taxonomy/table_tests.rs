//! Tests what must hold of every row of `taxonomy.tsv`.

use std::collections::HashSet;

use super::table::{self, ActionRow, ActionTable, NamedAction, parse_row};
use super::*;
use crate::model::meaning::{Deed, OcsfClass, RowEvidence};

/// The rows of the table, all of which are of exact names.
pub fn names() -> impl Iterator<Item = NamedAction> {
    let rows = table::TEXT.lines().filter(|line| table::is_row(line)).map(parse_row);
    rows.map(|row| match row {
        Ok(ActionRow::Named(row)) => row,
        other => panic!("{other:?}"),
    })
}

#[test]
fn every_line_is_a_row_or_a_comment() {
    assert!(names().count() >= 900, "{}", names().count());
    assert!(names().all(|row| row.known_from.is_some()));
    assert!(!table::TEXT.contains('\r'));
}

#[test]
fn every_line_of_the_smaller_tables_is_a_row_or_a_comment() {
    let is_comment = |line: &str| line.is_empty() || line.starts_with('#');
    let is_word = |word: &str| {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        !word.is_empty() && word.bytes().all(is_letter)
    };
    let mut seen = HashSet::new();
    for line in action_words::TEXT.lines() {
        let words = action_words::parse_line(line).map(|words| words.collect::<Vec<_>>());
        assert!(words.is_some() != is_comment(line), "{line}");
        for (word, _) in words.into_iter().flatten() {
            assert!(is_word(word), "{line}");
            assert!(seen.insert(word), "{word} is there twice");
        }
    }
    for line in action_terms::TEXT.lines() {
        let terms = action_terms::parse_line(line).map(|line| line.terms);
        assert!(terms.is_some() != is_comment(line), "{line}");
        for term in terms.into_iter().flatten() {
            assert!(term.split('_').all(is_word), "{term}");
            assert!(seen.insert(["term ", term].concat().leak()), "{term} is there twice");
        }
    }
    for line in FILED_CATEGORIES_TEXT.lines() {
        assert!(parse_filed_category(line).is_some() != is_comment(line), "{line}");
    }
    assert_eq!(FILED_CATEGORIES.len(), 66);
}

#[test]
fn rows_are_unique_and_in_snake_case() {
    let mut seen = HashSet::new();
    for name in names().map(|row| row.name) {
        assert!(seen.insert(name.clone()), "{name} is there twice");
        assert_eq!(snake_case(&name).as_ref(), Some(&name));
    }
}

#[test]
fn of_several_patterns_that_fit_the_one_with_the_most_letters_counts() {
    let mut table = ActionTable::default();
    for (pattern, deed) in
        [("hat_*", "Read"), ("*_lent", "Create"), ("hat_*_lent", "Share"), ("big_hat_*", "Delete")]
    {
        let row = format!("{pattern}\tcontent\tby its words\t-\t-\tWeb Resources Activity\t{deed}");
        table.add(parse_row(&row).unwrap());
    }
    for (action, want) in [
        ("hat_seen", Some(Deed::Read)),
        ("hat_is_lent", Some(Deed::Share)),
        ("coat_lent", Some(Deed::Create)),
        ("hat_lent", Some(Deed::Create)),
        ("big_hat_lent", Some(Deed::Delete)),
        ("hat_", None),
        ("hat", None),
    ] {
        assert_eq!(table.find(action).map(|(meaning, _)| meaning.deed), want, "{action}");
    }
}

#[test]
fn outcomes_match_the_words_of_the_name() {
    let otherwise = names().filter(|row| row.outcome != action_words::read(&row.name).outcome);
    let mut otherwise: Vec<String> = otherwise.map(|row| row.name).collect();
    otherwise.sort_unstable();
    assert_eq!(otherwise, NOT_INFERRED);
}

/// Names whose outcome their words alone would not tell, or would tell otherwise.
const NOT_INFERRED: &[&str] = &[
    "bitbucket_cloud_created_repository_transfer_destination",
    "bitbucket_cloud_created_repository_transfer_origin",
    "bitbucket_pipeline_run",
    "create_users_access_request_check",
    "jira_sprint_started",
    "maintenance_mode",
    "maintenance_mode_banner",
    "page_hierarchy_start_copy",
    "reuse_site_group_name",
    "secure_administrator_session_started",
    "site_rename_event",
    "site_transferred",
    "space_export",
    "space_import",
    "sprint_started",
    "update_not_allowed_note",
];

#[test]
fn the_rule_alone_gives_nearly_all_rows_their_category() {
    let of = |known: RowEvidence| {
        let rows: Vec<NamedAction> = names().filter(|row| row.known_from == Some(known)).collect();
        let is_wrong =
            |row: &&NamedAction| infer_meaning(&row.name).0.category != row.meaning.category;
        let wrong: Vec<&str> = rows.iter().filter(is_wrong).map(|row| &*row.name).collect();
        let share = 1.0 - wrong.len() as f64 / rows.len() as f64;
        assert!(share >= 0.97, "{known:?}: only {share:.3}, not {wrong:?}");
        rows.len()
    };
    assert!(of(RowEvidence::Catalogue) >= 497);
    assert!(of(RowEvidence::Documented) >= 300);
}

#[test]
fn no_action_that_atlassian_lists_is_other() {
    let other = names().filter(|row| row.meaning.category == Category::Other);
    assert_eq!(other.map(|row| row.name).collect::<Vec<_>>(), [""; 0]);
}

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
        OcsfClass::ApplicationLifecycle => &[Install, Remove, Enable, Disable, Update],
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
}

#[test]
fn every_sandbox_action_is_understood() {
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
        let category = Taxonomy::default().meaning(&action).0.category;
        assert_ne!(category, Category::Other, "{said}: {action} is not understood");
        count += 1;
    }
    assert!(count > 150, "only {count} kinds were found");
}
