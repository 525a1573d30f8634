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
         The table of {names} actions that atlaudit knows: which category, outcome, and ECS and OCSF fields each one gets\n\
         (generated from `src/normalise/taxonomy.tsv`).\n\n\
         `atlaudit actions` prints the same table, with the rows of your `[taxonomy] path`. `atlaudit actions NAME` lists the\n\
         actions that the API of a source offers, and where the meaning of each comes from.\n\n\
         The column \"known from\" says how sure a row is:\n\n\
         | known from | means |\n\
         |---|---|\n\
         | `catalogue` | in Atlassian's list of an organization's actions (`GET /event-actions`, recorded by a customer) |\n\
         | `seen` | in a recorded response of an API |\n\
         | `documented` | in Atlassian's documentation |\n\
         | `unconfirmed` | not confirmed by a document or an event |\n\n\
         ## Actions that are not in the table\n\n\
         Atlassian adds actions. One that is not listed here gets its meaning from the words of its name, in any order and tense:\n\n\
         - The object (`src/normalise/action_terms.tsv`) gives the category. Without a known object the category is `other`, the\n\
         \x20 outcome is `unknown`, and there is no ECS category and no OCSF activity.\n\
         - The verb (`src/normalise/action_words.tsv`) gives the outcome and the activity. The last word that says how it ended\n\
         \x20 decides. `requested`, `started` or a `not` anywhere makes the outcome `unknown`.\n\
         - If one of these words comes last, the action failed, even without a known object: {}.\n\n\
         If an OCSF class has no activity for what was done, the activity is 99 (Other), with the name of the action as its label.\n\n\
         ## Outcomes that are unknown\n\n\
         The outcome is `unknown` if something was only requested, attempted, started or scheduled. Most names say so. For these,\n\
         Atlassian's descriptions do:\n\n\
         - `site_rename_event` and `site_transferred` are logged when the work starts,\n\
         \x20 `bitbucket_cloud_created_repository_transfer_origin` and `_destination` when a transfer is requested.\n\
         - `confluence_app_api_activity` does not say how a call was answered; `reuse_site_group_name` and\n\
         \x20 `create_users_access_request_check` do not say whether anything was done.\n",
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
