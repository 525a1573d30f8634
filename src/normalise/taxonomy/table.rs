//! Reads the table of actions, `taxonomy.tsv`, and finds the row of an action.

use std::cmp::Reverse;
use std::sync::LazyLock;

use crate::model::hashing::QuickMap;
use crate::model::meaning::{
    ActionMeaning, Category, Deed, EcsKind, OcsfClass, Outcome, RowEvidence,
};
use crate::normalise::taxonomy::action_terms::ActionKind;
use crate::normalise::taxonomy::action_words::{ecs_category, ecs_type};

/// The table as people edit it.
pub const TEXT: &str = include_str!("../taxonomy.tsv");

/// Stands in a column that the words of the action tell.
const BY_ITS_WORDS: &str = "by its words";

/// Our own table: all rows that can be read; a test proves that none is left out.
pub static TABLE: LazyLock<ActionTable> = LazyLock::new(|| {
    let mut table = ActionTable::default();
    for line in TEXT.lines() {
        if let Some(action) = NamedAction::parse(line) {
            table.names.insert(action.name, action);
        } else if let Some(pattern) = ActionPattern::parse(line) {
            table.patterns.push(pattern);
        }
    }
    table.sort();
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
    /// Where the action is known from.
    #[allow(dead_code, reason = "docs/actions.md is printed from it")]
    pub known_from: RowEvidence,
}

/// The row of actions whose names begin or end alike. The words of the name say how they ended and,
/// where the row leaves it open, what was done.
#[derive(Debug, Clone, Copy)]
pub struct ActionPattern {
    /// The text before the star.
    pub start: &'static str,
    /// The text after the star.
    pub end: &'static str,
    /// What all of them have alike.
    pub kind: ActionKind,
    /// What was done, where the row says it.
    pub deed: Option<Deed>,
}

/// Rows, to look up in.
#[derive(Debug, Default)]
pub struct ActionTable {
    pub names: QuickMap<&'static str, NamedAction>,
    /// The most specific first.
    pub patterns: Vec<ActionPattern>,
}

impl ActionTable {
    /// Puts the most specific patterns first, once all are there.
    pub fn sort(&mut self) {
        self.patterns.sort_by_key(|row| Reverse(row.specificity()));
    }

    /// The row of this very name.
    pub fn find_named(&self, action: &str) -> Option<&NamedAction> {
        self.names.get(action)
    }

    /// The row of the most specific pattern that fits.
    pub fn find_pattern(&self, action: &str) -> Option<&ActionPattern> {
        self.patterns.iter().find(|row| row.matches(action))
    }
}

/// The columns of a row, and where it is known from; none of a comment, and none of a line with
/// another number of columns.
fn columns(line: &'static str) -> Option<([&'static str; 7], RowEvidence)> {
    if line.starts_with('#') {
        return None;
    }
    let (row, known_from) = line.rsplit_once('\t')?;
    let row = row.split('\t').collect::<Vec<_>>().try_into().ok()?;
    Some((row, RowEvidence::from_word(known_from)?))
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
        let ([name, category, outcome, categories, types, class, deed], known_from) =
            columns(line)?;
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
            known_from,
        })
    }
}

impl ActionPattern {
    /// Reads the row of a pattern.
    pub fn parse(line: &'static str) -> Option<ActionPattern> {
        let ([pattern, category, outcome, ecs, types, class, deed], _) = columns(line)?;
        let (start, end) = pattern.split_once('*')?;
        let kind = ActionKind {
            category: Category::from_word(category)?,
            ecs: list::<_, 1>(ecs, ecs_category)?[0],
            ecs_types: list(types, ecs_type)?,
            class: OcsfClass::from_word(class)?,
        };
        let deed = match deed {
            BY_ITS_WORDS => None,
            word => Some(Deed::from_word(word)?),
        };
        (outcome == BY_ITS_WORDS).then_some(ActionPattern { start, end, kind, deed })
    }

    /// Whether `action` is one of these. Something must stand in the place of the star.
    pub fn matches(&self, action: &str) -> bool {
        action.len() > self.start.len() + self.end.len()
            && action.starts_with(self.start)
            && action.ends_with(self.end)
    }

    /// How specific it is: by its letters, of as many by those of its start. Two that fit one
    /// action are never even.
    pub fn specificity(&self) -> (usize, usize) {
        (self.start.len() + self.end.len(), self.start.len())
    }
}
