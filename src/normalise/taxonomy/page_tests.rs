//! Prints the page of all actions, `docs/actions.md`, from the table.

use std::fmt::Write;
use std::path::Path;

use super::table::{self, ActionRow, NamedAction, is_row, parse_row};
use super::*;
use crate::model::meaning::RowEvidence;

/// With this in the environment, the test writes the page.
const UPDATE: &str = "ATLAUDIT_UPDATE_DOCS";

#[test]
fn the_page_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/actions.md");
    let page = page();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(written.lines()).find(|(new, old)| new != old);
    assert!(
        page == written,
        "docs/actions.md is not what the tables say (first: {differs:?}). To write it again:\n\
         {UPDATE}=1 cargo test --lib the_page_says_what_the_tables_say"
    );
}

fn page() -> String {
    let names = table_tests::names().count();
    let mut out = format!(
        "# What actions mean\n\n\
         Printed from `src/normalise/taxonomy.tsv`: {names} actions. The last column says where an action is known from:\n\
         `catalogue` is Atlassian's list of the actions of an organization (`GET /event-actions`, recorded by a tenant), `seen` a recorded\n\
         answer of an API, `documented` Atlassian's documentation; `unconfirmed` is none of these.\n\n\
         The list grows. An action that is not here is understood by the words of its name, in whatever order and tense: the\n\
         thing it is about (`src/normalise/action_terms.tsv`) gives the category, and what was done (`src/normalise/action_words.tsv`) the outcome\n\
         and the activity. The last word that says how it ended decides: `requested` or `started` leaves the outcome `unknown`, and so does `not`\n\
         anywhere. An action that names no thing that is known is `other`, its outcome `unknown`, and it has no ECS category and no\n\
         OCSF activity; but where one of these words comes last, the action failed, known or not: {}.\n\
         An OCSF class without the activity that was done gets 99, with the name of the action as its label.\n\n\
         An outcome is `unknown` where something was only asked for, attempted, begun or scheduled. Most names say so; of the\n\
         others Atlassian's texts do: `site_rename_event` and `site_transferred` are logged when that begins, and\n\
         `bitbucket_cloud_created_repository_transfer_origin` and `_destination` when a transfer is asked for. How a call was answered\n\
         `confluence_app_api_activity` does not say, and `reuse_site_group_name` and `create_users_access_request_check` not whether\n\
         anything was done.\n\n\
         `atlaudit actions` prints this table, with the rows of `[taxonomy] path`; `atlaudit actions NAME` prints the actions\n\
         that the API of a source lists, and what says what each means.\n",
        tests::failed_words().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
    );
    for line in table::TEXT.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            write!(out, "\n## {title}\n\n{HEAD}").unwrap();
        } else if let Some(ActionRow::Named(row)) = parse_row(line).ok().filter(|_| is_row(line)) {
            writeln!(out, "| {} |", columns(&row).join(" | ")).unwrap();
        }
    }
    out
}

const HEAD: &str = "\
    | action | category | outcome | ECS category | ECS type | OCSF class | activity | known from |\n\
    |---|---|---|---|---|---|---|---|\n";

fn columns(row: &NamedAction) -> [String; 8] {
    let meaning = row.meaning;
    [
        format!("`{}`", row.name),
        meaning.category.as_str().to_owned(),
        row.outcome.as_str().to_owned(),
        list(&meaning.ecs.categories),
        list(&meaning.ecs.types),
        meaning.class.as_str().to_owned(),
        meaning.deed.as_str().to_owned(),
        row.known_from.map_or("", RowEvidence::as_str).to_owned(),
    ]
}

fn list(words: &[Option<&str>]) -> String {
    words.iter().flatten().copied().collect::<Vec<_>>().join(", ")
}
