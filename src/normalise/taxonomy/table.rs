//! Reads the table of actions, `taxonomy.tsv`, and finds the row of an action.

use std::cmp::Reverse;
use std::sync::LazyLock;

use crate::model::hashing::QuickMap;
use crate::model::meaning::{ActionMeaning, Category, Deed, EcsKind, OcsfClass, Outcome};
use crate::normalise::taxonomy::action_words::{ecs_category, ecs_type};

/// The table as people edit it.
pub const TEXT: &str = include_str!("../taxonomy.tsv");

/// Stands in a column that the words of the action tell.
const BY_ITS_WORDS: &str = "by its words";

/// All rows that can be read; a test proves that none is left out.
static TABLE: LazyLock<ActionTable> = LazyLock::new(|| {
    let mut table = ActionTable::default();
    for line in TEXT.lines() {
        if let Some(action) = NamedAction::parse(line) {
            table.names.insert(action.name, action);
        } else if let Some(pattern) = ActionPattern::parse(line) {
            table.patterns.insert(pattern);
        }
    }
    table.patterns.sort();
    table
});

/// The row of an exact name.
#[derive(Debug, Clone, Copy)]
pub struct NamedAction {
    /// The action.
    pub name: &'static str,
    /// How it ended, as far as the name proves it.
    pub outcome: Outcome,
    /// What it means.
    pub meaning: ActionMeaning,
}

/// The row of actions whose names begin or end alike. The words of the name say how they ended and,
/// where the row leaves it open, what was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionPattern<S = &'static str> {
    /// The text before the star.
    pub start: S,
    /// The text after the star.
    pub end: S,
    /// Our own word.
    pub category: Category,
    /// The category of ECS, if one fits.
    pub ecs: Option<&'static str>,
    /// A type of ECS that all of them have, beside the type of what was done.
    pub of: Option<&'static str>,
    /// The class of OCSF.
    pub class: OcsfClass,
    /// What was done, where the row says it.
    pub deed: Option<Deed>,
}

#[derive(Debug, Default)]
struct ActionTable {
    names: QuickMap<&'static str, NamedAction>,
    patterns: PatternIndex,
}

/// Patterns by a word that an action must have: those with a start by its first one, the others by
/// their last one.
#[derive(Debug, Default)]
pub struct PatternIndex(QuickMap<&'static str, Vec<ActionPattern>>);

/// The row of this very name.
pub fn find_named(action: &str) -> Option<&'static NamedAction> {
    TABLE.names.get(action)
}

/// The row of the most specific pattern that fits.
pub fn find_pattern(action: &str) -> Option<&'static ActionPattern> {
    TABLE.patterns.find(action)
}

/// The columns of a row; none of a comment, and none of a line with another number of columns.
fn columns(line: &'static str) -> Option<[&'static str; 7]> {
    if line.starts_with('#') {
        return None;
    }
    line.split('\t').collect::<Vec<_>>().try_into().ok()
}

/// At most `N` words, or `-`.
fn list<T: Copy, const N: usize>(
    text: &str,
    from_word: fn(&str) -> Option<T>,
) -> Option<[Option<T>; N]> {
    let mut all = [None; N];
    if text != "-" {
        for (at, word) in text.split(", ").enumerate() {
            *all.get_mut(at)? = Some(from_word(word)?);
        }
    }
    Some(all)
}

impl NamedAction {
    /// Reads the row of an exact name.
    pub fn parse(line: &'static str) -> Option<NamedAction> {
        let [name, category, outcome, categories, types, class, deed] = columns(line)?;
        let meaning = ActionMeaning {
            category: Category::from_word(category)?,
            ecs: EcsKind {
                categories: list(categories, ecs_category)?,
                types: list(types, ecs_type)?,
            },
            class: OcsfClass::from_word(class)?,
            deed: Deed::from_word(deed)?,
        };
        (!name.contains('*')).then_some(NamedAction {
            name,
            outcome: Outcome::from_word(outcome)?,
            meaning,
        })
    }
}

impl ActionPattern {
    /// Reads the row of a pattern.
    pub fn parse(line: &'static str) -> Option<ActionPattern> {
        let [pattern, category, outcome, ecs, of, class, deed] = columns(line)?;
        let (start, end) = pattern.split_once('*')?;
        (outcome == BY_ITS_WORDS).then_some(ActionPattern {
            start,
            end,
            category: Category::from_word(category)?,
            ecs: list::<_, 1>(ecs, ecs_category)?[0],
            of: list::<_, 1>(of, ecs_type)?[0],
            class: OcsfClass::from_word(class)?,
            deed: match deed {
                BY_ITS_WORDS => None,
                word => Some(Deed::from_word(word)?),
            },
        })
    }
}

impl<S: AsRef<str>> ActionPattern<S> {
    /// Whether `action` is one of these. Something must stand in the place of the star.
    pub fn matches(&self, action: &str) -> bool {
        let (start, end) = (self.start.as_ref(), self.end.as_ref());
        action.len() > start.len() + end.len() && action.starts_with(start) && action.ends_with(end)
    }

    /// How specific it is: by its letters, of as many by those of its start. Two that fit one
    /// action are never even.
    pub fn specificity(&self) -> (usize, usize) {
        let (start, end) = (self.start.as_ref(), self.end.as_ref());
        (start.len() + end.len(), start.len())
    }
}

impl PatternIndex {
    /// Adds a row, in whatever order.
    pub fn insert(&mut self, row: ActionPattern) {
        let word = if row.start.is_empty() { last_word(row.end) } else { first_word(row.start) };
        self.0.entry(word).or_default().push(row);
    }

    /// Puts the most specific rows first, once all are there.
    pub fn sort(&mut self) {
        for rows in self.0.values_mut() {
            rows.sort_by_key(|row| Reverse(row.specificity()));
        }
    }

    /// The most specific row that fits.
    pub fn find(&self, action: &str) -> Option<&ActionPattern> {
        [first_word(action), last_word(action)]
            .into_iter()
            .filter_map(|word| self.0.get(word)?.iter().find(|row| row.matches(action)))
            .max_by_key(|row| row.specificity())
    }
}

fn first_word(text: &str) -> &str {
    text.split('_').next().unwrap_or_default()
}

fn last_word(text: &str) -> &str {
    text.rsplit('_').next().unwrap_or_default()
}
