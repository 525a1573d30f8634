//! Tests the rows of a user.

use super::*;

fn taxonomy(text: &str) -> Result<Taxonomy, ConfigError> {
    let file = ExtraActionsFile { path: "/c/extra.tsv".into(), text: text.to_owned() };
    Taxonomy::with_extra_rows(Some(&file))
}

fn category(taxonomy: &Taxonomy, action: &str) -> Category {
    taxonomy.meaning(action).0.category
}

/// What is said of a file with this one row, and what to do.
fn refusal(row: &str) -> (String, String) {
    let error = taxonomy(row).expect_err(row);
    (error.to_string(), error.hint_text().unwrap_or_default().to_owned())
}

const NEW: &str = "hat_lent\taccount\tsuccess\tiam\tuser, info\tAccount Change\tOther\tseen";

#[test]
fn a_row_adds_an_action() {
    let taxonomy = taxonomy(NEW).unwrap();
    let (meaning, outcome) = taxonomy.meaning("hat_lent");
    assert_eq!((meaning.category, outcome), (Category::Account, Outcome::Success));
    assert_eq!(meaning.ecs.types, [Some("user"), Some("info"), None]);
}

#[test]
fn a_row_replaces_a_built_in_one() {
    let own = taxonomy("user_login\tpolicy\tunknown\t-\t-\tEntity Management\tOther").unwrap();
    assert_eq!(category(&own, "user_login"), Category::Policy);
    assert_eq!(category(&Taxonomy::default(), "user_login"), Category::Authentication);
    let rows = own.rows();
    let of_login: Vec<_> = rows.iter().filter(|row| row.column(0) == "user_login").collect();
    assert_eq!(of_login.len(), 1);
    assert_eq!(of_login[0].basis, MeaningBasis::ExtraRow);
}

#[test]
fn the_exact_name_counts_first_then_the_pattern_with_the_most_letters() {
    let own = taxonomy(concat!(
        "hat_*\tgroup\tby its words\tiam\tgroup\tGroup Management\tby its words\n",
        "hat_shop_*\tcontent\tby its words\t-\t-\tWeb Resources Activity\tRead\n",
        "hat_shop_closed\tpolicy\tunknown\t-\t-\tEntity Management\tOther\n",
        "user_log*\ttoken\tby its words\t-\t-\tEntity Management\tOther\n",
    ))
    .unwrap();
    for (action, want) in [
        ("hat_lent", Category::Group),
        ("hat_shop_opened", Category::Content),
        ("hat_shop_closed", Category::Policy),
        // Before the built-in row of this very name.
        ("user_login", Category::Token),
        ("hat_shop_exported", Category::Content),
        ("hat_exported", Category::Group),
        ("hat_", Category::Other),
    ] {
        assert_eq!(category(&own, action), want, "{action}");
    }
    assert_eq!(own.meaning("hat_lending_failed").1, Outcome::Failure);
}

#[test]
fn a_file_may_come_from_a_spreadsheet_or_an_editor_of_windows() {
    let text = format!("\u{feff}# a comment\r\n\r\n{NEW}\t\r\n").replace("seen\t", "seen");
    assert_eq!(category(&taxonomy(&text).unwrap(), "hat_lent"), Category::Account);
    let short = NEW.trim_end_matches("seen");
    assert_eq!(category(&taxonomy(short).unwrap(), "hat_lent"), Category::Account);
}

#[test]
fn an_empty_file_changes_nothing() {
    let empty = taxonomy("# only a comment\n\n").unwrap();
    assert_eq!(category(&empty, "user_login"), Category::Authentication);
    assert_eq!(empty.rows(), Taxonomy::default().rows());
}

#[test]
fn a_refusal_names_file_line_column_and_the_words_that_are_known() {
    let (what, hint) = refusal(&format!("# rows\n{}", NEW.replace("account\t", "acount\t")));
    assert_eq!(what, "/c/extra.tsv:2: column 2 (category): unknown word `acount`");
    assert!(hint.starts_with("use `authentication`, `account`, "), "{hint}");
    for (from, to, words, known) in [
        ("\tsuccess", "\tmaybe", "column 3 (outcome): unknown word `maybe`", "`failure`"),
        ("\tiam", "\tima", "column 4 (ECS categories): unknown word `ima`", "`iam`"),
        ("user, info", "user, infos", "column 5 (ECS types): unknown word `infos`", "`-`"),
        ("user, info", "user, start", "column 5 (ECS types): unknown word `start`", "`admin`"),
        ("user, info", "-", "column 5 (ECS types): a category has no type", "`admin`"),
        ("\tiam", "\t-", "column 5 (ECS types): unknown word `user`", "`-`"),
        ("user, info", "user, user", "column 5 (ECS types): a word stands there twice", "take"),
        ("\tiam", "\tiam, web, file", "column 4 (ECS categories): too many words", "2 at most"),
        ("Account Change", "Accounts", "column 6 (OCSF class): unknown word", "`Account Change`"),
        ("\tOther", "\tOthers", "column 7 (OCSF activity): unknown word `Others`", "`Logon`"),
        ("seen", "dreamt", "column 8 (known from): unknown word `dreamt`", "`unconfirmed`"),
        ("\tsuccess", "\tby its words", "column 3 (outcome)", "`success`"),
        ("hat_lent", "hat_*", "column 3 (outcome): unknown word `success`", "`by its words`"),
        ("hat_lent", "*_hat_*", "column 1 (action): a pattern has one star", "row"),
        ("hat_lent", "Hat lent", "column 1 (action): an action is one word", "`action`"),
        ("\tseen", "\tseen\tx", "9 columns instead of 7 or 8", "tab"),
        ("\tAccount Change\tOther\tseen", "", "5 columns instead of 7 or 8", "known from"),
        ("\taccount", " account", "7 columns", ""),
    ] {
        let row = NEW.replacen(from, to, 1);
        if words == "7 columns" {
            // A space instead of the first tab: the words lie in wrong columns then.
            assert!(taxonomy(&row).is_err(), "{row}");
            continue;
        }
        let (what, hint) = refusal(&row);
        assert!(what.starts_with("/c/extra.tsv:1: ") && what.contains(words), "{what}");
        assert!(hint.contains(known), "{known}: {hint}");
    }
}

#[test]
fn two_rows_of_one_action_are_refused() {
    let (what, _) = refusal(&format!("{NEW}\n# the same\n{}", NEW.replace("success", "unknown")));
    assert_eq!(what, "/c/extra.tsv:3: column 1 (action): line 1 has a row of it already");
}

#[test]
fn a_refusal_shows_no_control_characters() {
    let (what, _) = refusal(&NEW.replace("success", "\u{1b}[31m"));
    assert!(!what.contains('\u{1b}'), "{what}");
}

#[test]
fn every_built_in_row_could_be_one_of_a_user() {
    let rows = Taxonomy::default().rows();
    let text: String = rows.iter().map(|row| format!("{}\n", row.line)).collect();
    let own = taxonomy(&text).unwrap();
    let lines =
        |rows: &[ExplainedAction]| -> Vec<_> { rows.iter().map(|row| row.line.clone()).collect() };
    assert!(rows.len() > 500, "{}", rows.len());
    assert_eq!(lines(&own.rows()), lines(&rows));
    for row in rows.iter().filter(|row| !row.column(0).contains('*')) {
        let action = row.column(0);
        assert_eq!(own.meaning(action), Taxonomy::default().meaning(action), "{action}");
    }
}

#[test]
fn what_says_what_an_action_means() {
    let own = taxonomy(&format!(
        "{NEW}\ncap_*\tgroup\tby its words\tiam\tgroup\tGroup Management\tby its words"
    ))
    .unwrap();
    for (action, want) in [
        ("user_login", MeaningBasis::BuiltInRow),
        ("hat_lent", MeaningBasis::ExtraRow),
        ("cap_lent", MeaningBasis::ExtraRow),
        ("confluence_whiteboard_exported", MeaningBasis::Rule),
        ("zzz", MeaningBasis::Nothing),
    ] {
        assert_eq!(own.row_of(action).basis, want, "{action}");
    }
}

#[test]
fn a_row_of_what_the_words_say_means_the_same_in_a_file() {
    for action in ["confluence_whiteboard_exported", "user_hat_lent", "zzz"] {
        let built_in = Taxonomy::default();
        let row = built_in.row_of(action);
        let own = taxonomy(&row.line).unwrap();
        assert_eq!(own.row_of(action).line, row.line);
        assert_eq!(own.row_of(action).basis, MeaningBasis::ExtraRow);
    }
}
