//! Describes a rule: its name, level, and what it is about.

use std::fmt;
use std::path::PathBuf;

use rsigma_parser::Level;
use serde::{Deserialize, Serialize};

/// How bad what a rule finds is, in the words of Sigma.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleLevel {
    /// Worth knowing, no suspicion.
    Informational,
    /// Suspicious only together with more.
    Low,
    /// To be looked at.
    Medium,
    /// To be looked at soon.
    High,
    /// To be looked at now.
    Critical,
}

impl RuleLevel {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            RuleLevel::Informational => "informational",
            RuleLevel::Low => "low",
            RuleLevel::Medium => "medium",
            RuleLevel::High => "high",
            RuleLevel::Critical => "critical",
        }
    }

    /// The level of a rule; a rule without one is of medium level.
    pub fn of(level: Option<Level>) -> RuleLevel {
        match level {
            Some(Level::Informational) => RuleLevel::Informational,
            Some(Level::Low) => RuleLevel::Low,
            Some(Level::Medium) | None => RuleLevel::Medium,
            Some(Level::High) => RuleLevel::High,
            Some(Level::Critical) => RuleLevel::Critical,
        }
    }
}

/// Where a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleOrigin {
    /// It is part of the program: the name of its file.
    BuiltIn(&'static str),
    /// A file of the user.
    File(PathBuf),
}

impl RuleOrigin {
    /// Whether it is part of the program.
    pub fn is_built_in(&self) -> bool {
        matches!(self, RuleOrigin::BuiltIn(_))
    }
}

impl fmt::Display for RuleOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RuleOrigin::BuiltIn(_) => f.write_str("built-in"),
            RuleOrigin::File(path) => path.display().fmt(f),
        }
    }
}

/// Describes a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its id; of a rule without one its name, else its title. No two rules share it.
    pub id: String,
    /// Its name, by which correlations may refer to it.
    pub name: Option<String>,
    /// What it found, in a few words.
    pub title: String,
    /// What it looks for, and why.
    pub description: String,
    /// How bad that is.
    pub level: RuleLevel,
    /// ATT&CK: ids of techniques (`T1078.004`) and names of tactics (`persistence`).
    pub attack: Vec<String>,
    /// What else it may be.
    pub false_positives: Vec<String>,
    /// Where to read more.
    pub references: Vec<String>,
    /// Where it comes from.
    pub origin: RuleOrigin,
    /// Whether it counts what other rules find.
    pub is_correlation: bool,
    /// Whether what it finds is an alert by itself; not where only a correlation without `generate`
    /// uses it.
    pub emits: bool,
}

/// What the tags of a rule say of ATT&CK.
pub fn attack_of(tags: &[String]) -> Vec<String> {
    let words = tags.iter().filter_map(|tag| tag.strip_prefix("attack."));
    let shown = words.map(|word| match word.strip_prefix(['t', 'T']) {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => format!("T{number}"),
        _ => word.to_owned(),
    });
    shown.collect()
}
