//! Reads rows of the table of actions, our own (`taxonomy.tsv`) and those of a user, and finds the
//! row of an action.

use std::cmp::Reverse;
use std::sync::LazyLock;

use crate::config::error::HintedError;
use crate::model::hashing::QuickMap;
use crate::model::meaning::{
    ActionMeaning, Category, Deed, EcsKind, OcsfClass, Outcome, RowEvidence,
};
use crate::model::text::printable;
use crate::normalise::taxonomy::action_terms::ActionKind;
use crate::normalise::taxonomy::action_words::{self, ECS};

/// The table as people edit it.
pub const TEXT: &str = include_str!("../taxonomy.tsv");

/// The columns of a row. The last one may be missing in a user's file.
pub const COLUMNS: &str = "action, category, outcome, ECS categories, ECS types, OCSF class, \
    OCSF activity, known from";

/// Stands in a column that the words of the action tell.
const BY_ITS_WORDS: &str = "by its words";

/// Our own table; a test proves that no row is left out.
pub static TABLE: LazyLock<ActionTable> = LazyLock::new(|| {
    let mut table = ActionTable::default();
    for row in TEXT.lines().filter(|line| is_row(line)).filter_map(|line| parse_row(line).ok()) {
        table.add(row);
    }
    table
});

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionRow {
    Named(NamedAction),
    Pattern(ActionPattern),
}

/// The row of an exact name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedAction {
    /// The action.
    pub name: String,
    /// How it ended, as far as the name proves it.
    pub outcome: Outcome,
    /// What it means.
    pub meaning: ActionMeaning,
    /// Where the action is known from.
    pub known_from: Option<RowEvidence>,
}

/// The row of actions whose names begin or end alike. The words of the name say how they ended and,
/// where the row leaves it open, what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionPattern {
    /// The text before the star.
    pub start: String,
    /// The text after the star.
    pub end: String,
    /// What all of them have alike.
    kind: ActionKind,
    /// What was done, where the row says it.
    deed: Option<Deed>,
}

/// Rows, to look up in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ActionTable {
    names: QuickMap<String, NamedAction>,
    /// The most specific first.
    patterns: Vec<ActionPattern>,
}

impl ActionTable {
    /// Adds a row. One of the same name takes its place.
    pub fn add(&mut self, row: ActionRow) {
        match row {
            ActionRow::Named(row) => drop(self.names.insert(row.name.clone(), row)),
            ActionRow::Pattern(row) => {
                self.patterns.push(row);
                self.patterns.sort_by_key(|row| Reverse(row.specificity()));
            }
        }
    }

    /// Whether a row has this very name.
    pub fn has_name(&self, action: &str) -> bool {
        self.names.contains_key(action)
    }

    /// What an action means, and how it ended: by the row of its name, else of the most specific
    /// pattern that fits.
    pub fn find(&self, action: &str) -> Option<(ActionMeaning, Outcome)> {
        if let Some(row) = self.names.get(action) {
            return Some((row.meaning, row.outcome));
        }
        self.patterns.iter().find(|row| row.matches(action)).map(|row| row.infer(action))
    }
}

impl ActionPattern {
    /// Whether `action` is one of these. Something must stand in the place of the star.
    pub fn matches(&self, action: &str) -> bool {
        action.len() > self.start.len() + self.end.len()
            && action.starts_with(&self.start)
            && action.ends_with(&self.end)
    }

    /// How specific it is: by its letters, of as many by those of its start.
    pub fn specificity(&self) -> (usize, usize) {
        (self.start.len() + self.end.len(), self.start.len())
    }

    /// What an action that fits means, by the words of its name.
    fn infer(&self, action: &str) -> (ActionMeaning, Outcome) {
        let reading = action_words::read(action);
        let deed = self.deed.or(reading.deed.map(|named| named.deed)).unwrap_or(Deed::Other);
        (self.kind.meaning(deed), reading.outcome)
    }
}

/// Whether a line of a table is meant to be a row.
pub fn is_row(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#')
}

/// Reads a row.
///
/// # Errors
/// What is wrong in which column, and the words that are known there.
pub fn parse_row(line: &str) -> Result<ActionRow, HintedError> {
    let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
    let [action, category, outcome, ecs, types, class, deed, known_from @ ..] = columns.as_slice()
    else {
        return Err(wrong_count(columns.len()));
    };
    let known_from = match known_from {
        [] | [""] => None,
        [word] => Some(choose(7, word, RowEvidence::ALL, RowEvidence::as_str)?),
        _ => return Err(wrong_count(columns.len())),
    };
    let is_unfit = |c: char| c.is_whitespace() || c.is_control();
    if action.is_empty() || action.contains(is_unfit) {
        return Err(in_column(0, "an action is one word")
            .hint("write it as `action` of the events, such as `user_added_to_group`"));
    }
    let category = choose(1, category, Category::ALL, Category::as_str)?;
    let class = choose(5, class, OcsfClass::ALL, OcsfClass::as_str)?;
    let Some((start, end)) = action.split_once('*') else {
        let outcome = choose(2, outcome, Outcome::ALL, Outcome::as_str)?;
        let ecs = ecs_kind(ecs, types)?;
        let deed = choose(6, deed, Deed::ALL, Deed::as_str)?;
        let meaning = ActionMeaning { category, ecs, class, deed };
        let name = (*action).to_owned();
        return Ok(ActionRow::Named(NamedAction { name, outcome, meaning, known_from }));
    };
    if end.contains('*') {
        return Err(in_column(0, "a pattern has one star").hint("write a row for each"));
    }
    choose(2, outcome, &[BY_ITS_WORDS], |word| word).map_err(|error| {
        error.hint(format!("a row with a star has `{BY_ITS_WORDS}` there: each action's own tell"))
    })?;
    let [ecs] = choose_list(3, ecs, &ECS.map(|(word, _)| word))?;
    let ecs_types = choose_list(4, types, ecs.map_or(&[], action_words::allowed_types))?;
    let deed = match *deed {
        BY_ITS_WORDS => None,
        word => Some(choose(6, word, Deed::ALL, Deed::as_str).map_err(|error| {
            let hint = error.hint.clone().unwrap_or_default();
            error.hint(format!("{hint}, or `{BY_ITS_WORDS}`"))
        })?),
    };
    let kind = ActionKind { category, ecs, ecs_types, class };
    let (start, end) = (start.to_owned(), end.to_owned());
    Ok(ActionRow::Pattern(ActionPattern { start, end, kind, deed }))
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
        let none = ["-"].into_iter().filter(|_| matches!(at, 3 | 4));
        let words = quoted(known.iter().map(|value| as_str(*value)).chain(none));
        in_column(at, &format!("unknown word `{}`", printable(text))).hint(format!("use {words}"))
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
    if (1..N).any(|at| chosen[at].is_some() && chosen[..at].contains(&chosen[at])) {
        return Err(in_column(at, "a word stands there twice").hint("take one of them out"));
    }
    Ok(chosen)
}

fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// An error in the column `at`, from 0.
pub fn in_column(at: usize, what: &str) -> HintedError {
    let name = COLUMNS.split(", ").nth(at).unwrap_or_default();
    HintedError::new(what).with_context(format!("column {} ({name})", at + 1))
}

fn wrong_count(count: usize) -> HintedError {
    HintedError::new(format!("{count} columns instead of 7 or 8")).hint(format!(
        "put a tab between columns, which are: {COLUMNS}; `atlaudit actions --tsv` prints such rows"
    ))
}
