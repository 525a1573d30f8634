//! Owns the taxonomy: what an action means, by a table with a row each.
//!
//! The tables are the files beside this one, a family each, and `docs/actions.md` is printed from them. A row has an
//! exact name or a pattern; the most specific one counts: the exact name, else the pattern with the most letters.
//! Where none fits, nothing is claimed: no category, no outcome, no meaning. One thing is told of any action: that a
//! word of its name says it failed.

mod access;
mod apps;
mod bitbucket;
mod confluence;
mod ecs;
mod exports;
mod groups;
mod index;
mod jira;
mod jira_schemes;
mod organization;
mod people;
mod policies;
mod products;
mod row;
mod sign_in;
mod system;
mod tokens;
mod action_words;

use crate::model::event::{Category, Outcome};
use crate::model::meaning::{Deed, EcsKind, ActionMeaning, OcsfClass, UNKNOWN_MEANING};
use row::{ActionFamily, ActionPattern};

/// All families, in the order of the page.
const FAMILIES: &[&ActionFamily] = &[
    &sign_in::SIGN_IN,
    &people::ACCOUNTS,
    &people::CREDENTIALS,
    &groups::GROUPS,
    &access::ACCESS,
    &access::PERMISSIONS,
    &tokens::TOKENS,
    &policies::POLICIES,
    &apps::APPS,
    &organization::ORGANIZATION,
    &exports::EXPORTS,
    &jira::PROJECTS,
    &jira::ISSUES,
    &jira_schemes::SCHEMES,
    &confluence::SPACES,
    &confluence::PAGES,
    &bitbucket::REPOSITORIES,
    &products::PRODUCTS,
    &system::SYSTEM,
];

/// What a snake_case action means, and how it ended as far as its name proves it.
pub fn meaning(action: &str) -> (ActionMeaning, Outcome) {
    if let Some(row) = index::find_named(action) {
        return (row.meaning, row.outcome);
    }
    if let Some(row) = index::find_pattern(action) {
        return infer_meaning(row, action);
    }
    let outcome = if action_words::indicates_failure(action) {
        Outcome::Failure
    } else {
        Outcome::Unknown
    };
    (UNKNOWN_MEANING, outcome)
}

/// What an action of a known kind means, by the words of its name.
fn infer_meaning(row: &'static ActionPattern, action: &str) -> (ActionMeaning, Outcome) {
    let told = action_words::infer_action(action);
    let told_deed = told.verb.map(|verb| verb.deed(row.class));
    let deed = row.deed.or(told_deed).unwrap_or(Deed::Other);
    let ecs = row.ecs.as_slice();
    let types = ecs::types_for(row.ecs, row.of, action_words::ecs_type(deed));
    let mut meaning = ActionMeaning {
        category: row.category,
        ecs: EcsKind {
            categories: if types.is_empty() { &[] } else { ecs },
            types,
        },
        class: row.class,
        deed,
    };
    if deed == Deed::Export {
        // Whatever it is that leaves: an exported page is an export first.
        meaning.category = Category::DataExport;
        meaning.class = OcsfClass::WebResources;
    }
    (meaning, told.outcome)
}

/// A human summary as an action: `User added to group` becomes `user_added_to_group`. Letters and
/// digits of any script are kept, an apostrophe joins (`User's` is `users`). Nothing where there are none.
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
