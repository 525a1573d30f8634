//! The rows of a user beside the built-in table of actions (`[taxonomy] path`), and the list of all
//! rows.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::action_words::{self, ECS};
use super::table::{self, ActionPattern};
use crate::config::error::{ConfigError, HintedError};
use crate::config::settings::ExtraActionsFile;
use crate::model::meaning::{ActionMeaning, Category, Deed, EcsKind, OcsfClass, Outcome};
use crate::model::text::{printable, printable_line};

/// The columns of a row. The last one may be missing in a user's file.
pub const COLUMNS: &str = "action, category, outcome, ECS categories, ECS types, OCSF class, \
    OCSF activity, known from";

/// The words of the last column.
const KNOWN_FROM: [&str; 4] = ["catalogue", "documented", "seen", "unconfirmed"];

/// Stands in a column that the words of the action tell.
const BY_ITS_WORDS: &str = "by its words";

/// What actions mean: by the rows of a user, and where none fits by the built-in table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taxonomy {
    extra: Option<Arc<ExtraRows>>,
}

/// The rows of a user.
#[derive(Debug, Default, PartialEq, Eq)]
struct ExtraRows {
    names: HashMap<String, (ActionMeaning, Outcome)>,
    /// The most specific one first.
    patterns: Vec<ActionPattern<String>>,
    rows: Vec<ActionRow>,
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

/// What an action means, as a row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRow {
    /// Its columns, seven or eight, with a tab between them.
    pub line: Cow<'static, str>,
    /// What says so.
    pub basis: MeaningBasis,
}

impl ActionRow {
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
        for (line, number) in text.lines().zip(1..) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let action = line.split('\t').next().unwrap_or_default().trim();
            let added = match seen.insert(action, number) {
                None => extra.add(line),
                Some(first) => Err(in_column(0, &format!("line {first} has a row of it already"))
                    .hint("take one of them out")),
            };
            added.map_err(|error| {
                ConfigError::from(error).in_file(Some(&file.path), Some(number))
            })?;
        }
        extra.patterns.sort_by_key(|row| Reverse(row.specificity()));
        Ok(Taxonomy { extra: Some(Arc::new(extra)) })
    }

    /// What an action means, and how it ended as far as its name proves it.
    pub fn meaning(&self, action: &str) -> (ActionMeaning, Outcome) {
        let extra = self.extra.as_ref().and_then(|extra| extra.find(action));
        extra.unwrap_or_else(|| super::meaning(action))
    }

    /// All rows: those of the user, then the built-in ones that they do not replace.
    pub fn rows(&self) -> Vec<ActionRow> {
        let extra = self.extra.as_ref().map_or(&[][..], |extra| &extra.rows);
        let is_replaced = |row: &ActionRow| extra.iter().any(|own| own.column(0) == row.column(0));
        let built_in = built_in_rows().filter(|row| !is_replaced(row));
        extra.iter().cloned().chain(built_in).collect()
    }

    /// The row of one action, or a row that says what its words mean.
    pub fn row_of(&self, action: &str) -> ActionRow {
        let extra = self.extra.as_ref().and_then(|extra| extra.find(action));
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
        ActionRow { line: line_of(action, &meaning, outcome).into(), basis }
    }
}

fn built_in_rows() -> impl Iterator<Item = ActionRow> {
    let lines = table::TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| ActionRow { line: line.into(), basis: MeaningBasis::BuiltInRow })
}

/// A row that says this. Whoever puts it into a file has it from the list of actions of an API.
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

impl<S> ActionPattern<S> {
    /// What an action that fits means, by the words of its name.
    pub fn infer(&self, action: &str) -> (ActionMeaning, Outcome) {
        let (outcome, named) = action_words::infer(action);
        let named_deed = named.map(|named| named.within(self.class));
        let deed = self.deed.or(named_deed).unwrap_or(Deed::Other);
        let types = action_words::ecs_types(self.ecs, self.of, deed);
        let mut meaning = ActionMeaning {
            category: self.category,
            ecs: EcsKind {
                categories: [self.ecs.filter(|_| types.iter().any(Option::is_some)), None],
                types,
            },
            class: self.class,
            deed,
        };
        if deed == Deed::Export {
            // Whatever it is that leaves: an exported page is an export first.
            meaning.category = Category::DataExport;
            meaning.class = OcsfClass::WebResources;
        }
        (meaning, outcome)
    }
}

impl ExtraRows {
    fn find(&self, action: &str) -> Option<(ActionMeaning, Outcome)> {
        let named = self.names.get(action).copied();
        let pattern = || self.patterns.iter().find(|row| row.matches(action));
        named.or_else(|| Some(pattern()?.infer(action)))
    }

    /// Adds the row in `line`.
    fn add(&mut self, line: &str) -> Result<(), HintedError> {
        let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [action, category, outcome, ecs, types, class, deed, known_from @ ..] =
            columns.as_slice()
        else {
            return Err(wrong_count(columns.len()));
        };
        match known_from {
            [] | [""] => {}
            [word] => drop(choose(7, word, &KNOWN_FROM, |word| word)?),
            _ => return Err(wrong_count(columns.len())),
        }
        let is_unfit = |c: char| c.is_whitespace() || c.is_control();
        if action.is_empty() || action.contains(is_unfit) {
            return Err(in_column(0, "an action is one word")
                .hint("write it as `action` of the events, such as `user_added_to_group`"));
        }
        let category = choose(1, category, Category::ALL, Category::as_str)?;
        let class = choose(5, class, OcsfClass::ALL, OcsfClass::as_str)?;
        if let Some((start, end)) = action.split_once('*') {
            if end.contains('*') {
                return Err(in_column(0, "a pattern has one star").hint("write a row for each"));
            }
            choose(2, outcome, &[BY_ITS_WORDS], |word| word)?;
            let [ecs] = choose_list(3, ecs, &ECS.map(|(word, _)| word))?;
            let [of] = choose_list(4, types, ecs.map_or(&[], action_words::allowed_types))?;
            let deeds: Vec<_> = Deed::ALL.iter().copied().map(Some).chain([None]).collect();
            let deed = choose(6, deed, &deeds, |deed| deed.map_or(BY_ITS_WORDS, Deed::as_str))?;
            let (start, end) = (start.to_owned(), end.to_owned());
            self.patterns.push(ActionPattern { start, end, category, ecs, of, class, deed });
        } else {
            let outcome = choose(2, outcome, Outcome::ALL, Outcome::as_str)?;
            let ecs = ecs_kind(ecs, types)?;
            let deed = choose(6, deed, Deed::ALL, Deed::as_str)?;
            let meaning = ActionMeaning { category, ecs, class, deed };
            self.names.insert((*action).to_owned(), (meaning, outcome));
        }
        let line = columns.join("\t").trim_end().to_owned().into();
        self.rows.push(ActionRow { line, basis: MeaningBasis::ExtraRow });
        Ok(())
    }
}

/// The columns 4 and 5. ECS allows some types with each category, and wants one.
fn ecs_kind(categories: &str, types: &str) -> Result<EcsKind, HintedError> {
    let categories: [_; 2] = choose_list(3, categories, &ECS.map(|(word, _)| word))?;
    let allowed = categories.iter().flatten().flat_map(|of| action_words::allowed_types(of));
    let allowed: Vec<&str> = allowed.copied().collect();
    let types: [_; 3] = choose_list(4, types, &allowed)?;
    match (categories, types) {
        ([Some(_), _], [None, ..]) => Err(in_column(4, "a category has no type")
            .hint(format!("use {}", quoted(allowed.into_iter())))),
        _ => Ok(EcsKind { categories, types }),
    }
}

/// The value of the word in the column `at`, which is one of `known`.
fn choose<T: Copy>(
    at: usize,
    text: &str,
    known: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<T, HintedError> {
    known.iter().copied().find(|value| as_str(*value) == text).ok_or_else(|| {
        let none = if matches!(at, 3 | 4) { ", or `-` for none" } else { "" };
        let words = quoted(known.iter().map(|value| as_str(*value)));
        in_column(at, &format!("unknown word `{}`", printable(text)))
            .hint(format!("use {words}{none}"))
    })
}

/// At most `N` words of `known` in the column `at`, with commas between them; none is `-`.
fn choose_list<const N: usize>(
    at: usize,
    text: &str,
    known: &[&'static str],
) -> Result<[Option<&'static str>; N], HintedError> {
    let mut chosen = [None; N];
    for (place, word) in text.split(',').filter(|_| text != "-").enumerate() {
        let place = chosen.get_mut(place);
        let place = place
            .ok_or_else(|| in_column(at, "too many words").hint(format!("name {N} at most")))?;
        *place = Some(choose(at, word.trim(), known, |word| word)?);
    }
    Ok(chosen)
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn in_column(at: usize, what: &str) -> HintedError {
    let name = COLUMNS.split(", ").nth(at).unwrap_or_default();
    HintedError::new(what).with_context(format!("column {} ({name})", at + 1))
}

fn wrong_count(count: usize) -> HintedError {
    HintedError::new(format!("{count} columns instead of 7 or 8")).hint(format!(
        "put a tab between columns, which are: {COLUMNS}; `atlaudit actions --tsv` prints such rows"
    ))
}

#[cfg(test)]
#[path = "extra_rows_tests.rs"]
mod tests;
