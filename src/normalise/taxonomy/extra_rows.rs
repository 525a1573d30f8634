//! The rows of a user beside the built-in table of actions (`[taxonomy] path`), and the list of all
//! rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::infer_meaning;
use super::table::{self, ActionTable, TABLE, in_column};
use crate::config::error::ConfigError;
use crate::config::settings::ExtraActionsFile;
use crate::model::meaning::{ActionMeaning, Category, Outcome};
use crate::model::text::printable_line;

/// What actions mean: by the rows of a user, where none fits by the built-in table, and else by the
/// words of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taxonomy {
    extra: Option<Arc<ExtraRows>>,
}

/// The rows of a user.
#[derive(Debug, Default, PartialEq, Eq)]
struct ExtraRows {
    table: ActionTable,
    /// As they are printed.
    lines: Vec<ExplainedAction>,
}

/// What says what an action means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeaningBasis {
    /// A built-in row.
    BuiltInRow,
    /// A row of the user.
    ExtraRow,
    /// The words of its name.
    Rule,
    /// Nothing.
    Nothing,
}

/// What an action means, as a row of the table, and what says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedAction {
    /// Its columns, seven or eight, with a tab between them.
    pub line: Cow<'static, str>,
    /// What says so.
    pub basis: MeaningBasis,
}

impl ExplainedAction {
    /// A column's text; empty where the row has no such column.
    pub fn column(&self, at: usize) -> &str {
        self.line.split('\t').nth(at).unwrap_or_default()
    }

    /// Where the row is known from, for people.
    pub fn known_from(&self) -> &str {
        match self.basis {
            MeaningBasis::BuiltInRow => self.column(7),
            MeaningBasis::ExtraRow => "extra row",
            MeaningBasis::Rule => "rule",
            MeaningBasis::Nothing => "other",
        }
    }
}

impl Taxonomy {
    /// The built-in table with the rows of `file` before it.
    ///
    /// # Errors
    /// A line of the file is no row, or a second one of the same action.
    pub fn with_extra_rows(file: Option<&ExtraActionsFile>) -> Result<Taxonomy, ConfigError> {
        let Some(file) = file else {
            return Ok(Taxonomy::default());
        };
        let mut extra = ExtraRows::default();
        let mut seen = HashMap::new();
        let text = file.text.trim_start_matches('\u{feff}');
        for (line, number) in text.lines().zip(1..).filter(|(line, _)| table::is_row(line)) {
            let action = line.split('\t').next().unwrap_or_default().trim();
            let row = match seen.insert(action, number) {
                None => table::parse_row(line),
                Some(first) => Err(in_column(0, &format!("line {first} has a row of it already"))
                    .hint("take one of them out")),
            };
            extra.table.add(row.map_err(|error| {
                ConfigError::from(error).in_file(Some(&file.path), Some(number))
            })?);
            let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
            let line = columns.join("\t").trim_end().to_owned().into();
            extra.lines.push(ExplainedAction { line, basis: MeaningBasis::ExtraRow });
        }
        Ok(Taxonomy { extra: Some(Arc::new(extra)) })
    }

    /// What an action means, and how it ended as far as its name proves it.
    pub fn meaning(&self, action: &str) -> (ActionMeaning, Outcome) {
        let found = self.extra_meaning(action).or_else(|| TABLE.find(action));
        found.unwrap_or_else(|| infer_meaning(action))
    }

    fn extra_meaning(&self, action: &str) -> Option<(ActionMeaning, Outcome)> {
        self.extra.as_ref()?.table.find(action)
    }

    /// Whether a row has this very name.
    pub fn has_row(&self, action: &str) -> bool {
        let is_extra = self.extra.as_ref().is_some_and(|extra| extra.table.has_name(action));
        is_extra || TABLE.has_name(action)
    }

    /// All rows: those of the user, then the built-in ones that they do not replace.
    pub fn rows(&self) -> Vec<ExplainedAction> {
        let extra = self.extra.as_ref().map_or(&[][..], |extra| &extra.lines);
        let is_replaced = |row: &ExplainedAction| self.extra_meaning(row.column(0)).is_some();
        let built_in = built_in_rows().filter(|row| !is_replaced(row));
        extra.iter().cloned().chain(built_in).collect()
    }

    /// The row of one action, or a row that says what its words mean.
    pub fn row_of(&self, action: &str) -> ExplainedAction {
        let extra = self.extra_meaning(action);
        let mut built_in = built_in_rows().filter(|_| extra.is_none());
        if let Some(row) = built_in.find(|row| row.column(0) == action) {
            return row;
        }
        let (meaning, outcome) = self.meaning(action);
        let basis = match meaning.category {
            _ if extra.is_some() => MeaningBasis::ExtraRow,
            Category::Other => MeaningBasis::Nothing,
            _ => MeaningBasis::Rule,
        };
        ExplainedAction { line: line_of(action, &meaning, outcome).into(), basis }
    }
}

fn built_in_rows() -> impl Iterator<Item = ExplainedAction> {
    let lines = table::TEXT.lines().filter(|line| table::is_row(line));
    lines.map(|line| ExplainedAction { line: line.into(), basis: MeaningBasis::BuiltInRow })
}

/// A row that says this. Those who write it into a file take it from the list of actions of an API.
fn line_of(action: &str, meaning: &ActionMeaning, outcome: Outcome) -> String {
    let list = |words: &[Option<&str>]| {
        let words: Vec<&str> = words.iter().flatten().copied().collect();
        if words.is_empty() { "-".to_owned() } else { words.join(", ") }
    };
    let ActionMeaning { category, ecs, class, deed } = meaning;
    let (action, category, outcome) = (printable_line(action), category.as_str(), outcome.as_str());
    let [categories, types] = [list(&ecs.categories), list(&ecs.types)];
    let [class, deed] = [class.as_str(), deed.as_str()];
    format!("{action}\t{category}\t{outcome}\t{categories}\t{types}\t{class}\t{deed}\tcatalogue")
}

#[cfg(test)]
#[path = "extra_rows_tests.rs"]
mod tests;
