//! Prints the page of all actions, `docs/actions.md`, from the table.

use std::fmt::Write;
use std::path::Path;

use super::table::{self, ActionPattern, NamedAction};
use super::*;
use crate::model::meaning::Deed;

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
        "docs/actions.md is not what the tables say (first: {differs:?}). To write it anew:\n\
         {UPDATE}=1 cargo test --lib the_page_says_what_the_tables_say"
    );
}

fn page() -> String {
    let names = table::TEXT.lines().filter_map(NamedAction::parse).count();
    let patterns = table::TEXT.lines().filter_map(ActionPattern::parse).count();
    let mut out = format!(
        "# What actions mean\n\n\
         Printed from `src/normalise/taxonomy.tsv`: {names} actions by name, {patterns} patterns. The most specific row\n\
         counts: the exact name, else the pattern with the most letters. An action that fits none is `other`, its outcome\n\
         `unknown`, and it has no ECS category and no OCSF activity; but one with one of these words failed, known or not:\n\
         {}.\n\n\
         The outcome of a pattern follows from words of the action: a participle proves success, unless a word such as `requested` or\n\
         `started` leaves it open. So is, where the table says *by its words*, what was done: `created`, `viewed`, `deleted`, ...;\n\
         an exported thing is then a `data_export`. An OCSF class without such an activity gets 99, with the word as its label.\n\n\
         `atlaudit actions` prints this table, with the rows of `[taxonomy] path`; `atlaudit actions NAME` prints the actions\n\
         that the API of a source lists, and whether the table has them.\n",
        tests::failed_words().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
    );
    for line in table::TEXT.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            write!(out, "\n## {title}\n").unwrap();
        } else if let Some(from) = line.strip_prefix("#: ") {
            write!(out, "\n{from}\n\n{HEAD}").unwrap();
        } else if let Some(columns) = columns(line) {
            writeln!(out, "| {} |", columns.join(" | ")).unwrap();
        }
    }
    out
}

const HEAD: &str = "\
    | action | category | outcome | ECS category | ECS type | OCSF class | activity |\n\
    |---|---|---|---|---|---|---|\n";
const BY_WORDS: &str = "*by its words*";

fn columns(line: &'static str) -> Option<[String; 7]> {
    NamedAction::parse(line)
        .map(|row| named_columns(&row))
        .or_else(|| ActionPattern::parse(line).map(|row| patterned(&row)))
}

fn named_columns(row: &NamedAction) -> [String; 7] {
    let meaning = row.meaning;
    [
        format!("`{}`", row.name),
        meaning.category.as_str().to_owned(),
        row.outcome.as_str().to_owned(),
        list(&meaning.ecs.categories),
        list(&meaning.ecs.types),
        meaning.class.as_str().to_owned(),
        meaning.deed.as_str().to_owned(),
    ]
}

fn patterned(row: &ActionPattern) -> [String; 7] {
    let of = row.of.map(|of| format!("{of}, "));
    let types = match row.deed {
        Some(deed) => list(&action_words::ecs_types(row.ecs, row.of, deed)),
        None => of.unwrap_or_default() + BY_WORDS,
    };
    [
        format!("`{}*{}`", row.start, row.end),
        row.category.as_str().to_owned(),
        BY_WORDS.to_owned(),
        list(&[row.ecs]),
        row.ecs.map(|_| types).unwrap_or_default(),
        row.class.as_str().to_owned(),
        row.deed.map_or(BY_WORDS, Deed::as_str).to_owned(),
    ]
}

fn list(words: &[Option<&str>]) -> String {
    words.iter().flatten().copied().collect::<Vec<_>>().join(", ")
}
