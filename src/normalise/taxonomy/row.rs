//! Owns what a row of the taxonomy says, and how its tables are written.

use crate::model::event::{Category, Outcome};
use crate::model::meaning::{Deed, EcsCategory, EcsType, ActionMeaning, OcsfClass};

/// Rows that belong together.
#[derive(Debug)]
#[cfg_attr(
    not(test),
    allow(
        dead_code,
        reason = "title and from are printed into docs/actions.md, by a test"
    )
)]
pub struct ActionFamily {
    /// What they are about.
    pub title: &'static str,
    /// Where their names are from, and how sure they are.
    pub provenance: &'static str,
    /// Actions by their exact names.
    pub names: &'static [NamedAction],
    /// Actions of the same kind that have no row of their own.
    pub patterns: &'static [ActionPattern],
}

/// An action by its exact name.
#[derive(Debug)]
pub struct NamedAction {
    /// The action.
    pub name: &'static str,
    /// How it ended, as far as the name proves it.
    pub outcome: Outcome,
    /// What it means.
    pub meaning: ActionMeaning,
}

/// Actions whose names begin or end alike. How they ended, and where the row does not say it what was done, is told
/// by the words that stand in the name.
#[derive(Debug)]
pub struct ActionPattern {
    /// `start_*`, `*_end` or `start_*_end`.
    pub pattern: &'static str,
    /// Our own word.
    pub category: Category,
    /// The category of ECS, if one fits.
    pub ecs: Option<EcsCategory>,
    /// A type of ECS that all of them have, beside that which their words tell.
    pub of: Option<EcsType>,
    /// The class of OCSF.
    pub class: OcsfClass,
    /// What was done; `None` where words of the name may tell it.
    pub deed: Option<Deed>,
}

/// What the words of a table's columns stand for: as short as the columns need them.
pub mod column {
    use super::Outcome;

    /// The name proves that it was done.
    #[allow(non_upper_case_globals, reason = "a word of a table")]
    pub const Done: Outcome = Outcome::Success;
    /// The name says that it failed.
    #[allow(non_upper_case_globals, reason = "a word of a table")]
    pub const Failed: Outcome = Outcome::Failure;
    /// Asked for, begun, tried: nothing is proved.
    #[allow(non_upper_case_globals, reason = "a word of a table")]
    pub const Open: Outcome = Outcome::Unknown;

    /// The deed of a pattern: told by the words of the name, or always the same.
    macro_rules! deed_of {
        (Told) => {
            None
        };
        ($deed:ident) => {
            Some($crate::model::meaning::Deed::$deed)
        };
    }
    pub(crate) use deed_of;
}

/// A table of exact names: action, category, outcome, ECS categories and types, OCSF class, deed.
macro_rules! names {
    ($($name:literal $category:ident $outcome:ident [$($($ecs:ident)+: $($kind:ident)+)?] $class:ident $deed:ident;)*) => {
        &[$($crate::normalise::taxonomy::row::NamedAction {
            name: $name,
            outcome: $crate::normalise::taxonomy::row::column::$outcome,
            meaning: $crate::model::meaning::ActionMeaning {
                category: $crate::model::event::Category::$category,
                ecs: $crate::model::meaning::EcsKind {
                    categories: &[$($($crate::model::meaning::EcsCategory::$ecs,)+)?],
                    types: &[$($($crate::model::meaning::EcsType::$kind,)+)?],
                },
                class: $crate::model::meaning::OcsfClass::$class,
                deed: $crate::model::meaning::Deed::$deed,
            },
        },)*]
    };
}
pub(super) use names;

/// A table of patterns: pattern, category, ECS category and what all of them are about, OCSF class, deed.
macro_rules! patterns {
    (@one) => { None };
    (@one $kind:ident $value:ident) => { Some($crate::model::meaning::$kind::$value) };
    ($($pattern:literal $category:ident [$($ecs:ident $(: $of:ident)?)?] $class:ident $deed:ident;)*) => {
        &[$($crate::normalise::taxonomy::row::ActionPattern {
            pattern: $pattern,
            category: $crate::model::event::Category::$category,
            ecs: patterns!(@one $(EcsCategory $ecs)?),
            of: patterns!(@one $($(EcsType $of)?)?),
            class: $crate::model::meaning::OcsfClass::$class,
            deed: $crate::normalise::taxonomy::row::column::deed_of!($deed),
        },)*]
    };
}
pub(super) use patterns;
