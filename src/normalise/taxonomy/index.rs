//! Owns the way from an action to its row: one look-up for a name, the few patterns of a word for the others.

use std::cmp::Reverse;
use std::sync::LazyLock;

use super::FAMILIES;
use super::row::{NamedAction, ActionPattern};
use crate::model::hashing::QuickMap;

static NAMES: LazyLock<QuickMap<&str, &NamedAction>> = LazyLock::new(|| {
    let rows = FAMILIES.iter().flat_map(|family| family.names);
    rows.map(|row| (row.name, row)).collect()
});

static PATTERNS: LazyLock<PatternIndex> = LazyLock::new(|| {
    let rows = FAMILIES.iter().flat_map(|family| family.patterns);
    PatternIndex::of(rows)
});

/// The row of this very name.
pub fn find_named(action: &str) -> Option<&'static NamedAction> {
    NAMES.get(action).copied()
}

/// The row of the most specific pattern that fits.
pub fn find_pattern(action: &str) -> Option<&'static ActionPattern> {
    PATTERNS.find(action)
}

/// Patterns by a word that an action must have: those with a start by its first one, the others by their last one.
#[derive(Debug, Default)]
pub struct PatternIndex {
    by_first: QuickMap<&'static str, Vec<PatternShape>>,
    by_last: QuickMap<&'static str, Vec<PatternShape>>,
}

/// What stands before the star of a pattern and behind it.
#[derive(Debug, Clone, Copy)]
pub struct PatternShape {
    start: &'static str,
    end: &'static str,
    row: &'static ActionPattern,
}

impl PatternShape {
    /// Without a star, all of it is the start.
    pub fn of(row: &'static ActionPattern) -> PatternShape {
        let (start, end) = row.pattern.split_once('*').unwrap_or((row.pattern, ""));
        PatternShape { start, end, row }
    }

    /// Something must stand in the place of the star.
    pub fn matches(&self, action: &str) -> bool {
        action.len() > self.start.len() + self.end.len()
            && action.starts_with(self.start)
            && action.ends_with(self.end)
    }

    /// How specific it is: by its letters, of as many by those of its start. Two that fit one action are never even.
    pub fn specificity(&self) -> (usize, usize) {
        (self.start.len() + self.end.len(), self.start.len())
    }
}

impl PatternIndex {
    /// In whatever order they come.
    pub fn of(rows: impl Iterator<Item = &'static ActionPattern>) -> PatternIndex {
        let mut all = PatternIndex::default();
        for shape in rows.map(PatternShape::of) {
            let of_word = if shape.start.is_empty() {
                all.by_last.entry(last_word(shape.end))
            } else {
                all.by_first.entry(first_word(shape.start))
            };
            of_word.or_default().push(shape);
        }
        for of_word in all.by_first.values_mut().chain(all.by_last.values_mut()) {
            of_word.sort_by_key(|shape| Reverse(shape.specificity()));
        }
        all
    }

    /// The most specific one that fits.
    pub fn find(&self, action: &str) -> Option<&'static ActionPattern> {
        let first = self.by_first.get(first_word(action));
        let last = self.by_last.get(last_word(action));
        let best = |of_word: &Vec<PatternShape>| of_word.iter().find(|shape| shape.matches(action)).copied();
        let found = [first.and_then(best), last.and_then(best)];
        let best = found.into_iter().flatten().max_by_key(PatternShape::specificity);
        best.map(|shape| shape.row)
    }
}

fn first_word(text: &str) -> &str {
    text.split('_').next().unwrap_or_default()
}

fn last_word(text: &str) -> &str {
    text.rsplit('_').next().unwrap_or_default()
}
