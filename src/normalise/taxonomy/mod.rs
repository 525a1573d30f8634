//! The taxonomy: what an action means, by the rows of `taxonomy.tsv` or, where none has its name,
//! by a rule over the words of the name; and what the categories of sources mean.
//!
//! The most specific row counts: the exact name, else the pattern with the most letters. The rule
//! looks for the thing that an action is about (`action_terms.tsv`) and for what was done
//! (`action_words.tsv`), in whatever order and tense. Where no word names a thing that is known,
//! nothing is claimed: no category, no outcome, no meaning; only a word that says so makes any
//! action a failure.

mod action_terms;
mod action_words;
mod extra_rows;
mod table;

use std::sync::LazyLock;

use crate::model::meaning::{ActionMeaning, Category, Outcome, UNKNOWN_MEANING};
use crate::model::source_kind::SourceKind;

pub use extra_rows::{ExplainedAction, MeaningBasis, Taxonomy};
pub use table::COLUMNS;

/// What an action that no row has means, and how it ended, by the words of its name.
fn infer_meaning(action: &str) -> (ActionMeaning, Outcome) {
    let reading = action_words::read(action);
    // A thing alone (`user`) says nothing.
    let words = action_words::split(action).filter(|word| !word.is_empty()).count();
    let is_told = reading.deed.is_some() || words > 1;
    let Some(thing) = action_terms::find_thing(action).filter(|_| is_told) else {
        let is_failure = reading.outcome == Outcome::Failure;
        let outcome = if is_failure { Outcome::Failure } else { Outcome::Unknown };
        return (UNKNOWN_MEANING, outcome);
    };
    let (kind, deed) = thing.meaning(reading.deed);
    (kind.meaning(deed), reading.outcome)
}

/// The more specific of `of_action` and of the category that the source itself files a record
/// under; that of the source where they are even. A login is a login, and a permission is one,
/// wherever they are filed.
///
/// The source's category gives a record no meaning to other schemas: too many things are filed
/// under one word.
pub fn choose_category(of_action: Category, filed: Option<Category>) -> Category {
    filed.filter(|filed| rank(*filed) <= rank(of_action)).unwrap_or(of_action)
}

/// Our category for the word that a source of type `kind` files a record under, by
/// `filed_categories.tsv`.
pub fn filed_category(kind: SourceKind, word: &str) -> Option<Category> {
    let word = word.trim();
    let mut rows = FILED_CATEGORIES.iter();
    let row = rows.find(|row| row.0 == kind && row.1.eq_ignore_ascii_case(word));
    row.map(|row| row.2)
}

/// The table as people edit it.
const FILED_CATEGORIES_TEXT: &str = include_str!("../filed_categories.tsv");

static FILED_CATEGORIES: LazyLock<Vec<(SourceKind, &str, Category)>> =
    LazyLock::new(|| FILED_CATEGORIES_TEXT.lines().filter_map(parse_filed_category).collect());

fn parse_filed_category(line: &'static str) -> Option<(SourceKind, &'static str, Category)> {
    let (kind, rest) = line.split_once('\t')?;
    let (word, category) = rest.split_once('\t')?;
    Some((kind.parse().ok()?, word, Category::from_word(category)?))
}

/// How specific a category is, the most specific first. A setting of a page and a page of settings
/// are even.
fn rank(category: Category) -> u8 {
    match category {
        Category::DataExport => 0,
        Category::Authentication => 1,
        Category::Token => 2,
        Category::Policy => 3,
        Category::Permission => 4,
        Category::Group => 5,
        Category::App => 6,
        Category::Account => 7,
        Category::Content | Category::Configuration => 8,
        Category::Other => 9,
    }
}

/// A human summary as an action: `User added to group` becomes `user_added_to_group`. Letters and
/// digits of any script are kept, an apostrophe joins (`User's` is `users`). Nothing where there
/// are none.
pub fn snake_case(summary: &str) -> Option<String> {
    let mut out = String::with_capacity(summary.len());
    for c in summary.chars().filter(|c| !matches!(c, '\'' | '’')) {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;
