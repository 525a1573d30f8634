//! What is wrong with rules: each problem with its file and line.

use std::fmt;

/// Something wrong with one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    /// The file, as it was named; a built-in one by its name.
    pub file: String,
    /// The line, from 1 on; none where the whole file is meant.
    pub line: Option<usize>,
    /// What is wrong, in one line.
    pub what: String,
}

impl RuleProblem {
    /// The file, and the line where it is known.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.what)
    }
}

/// Rules cannot be used. It has at least one problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// All that are known, in the order of files and lines.
    pub problems: Vec<RuleProblem>,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [] => f.write_str("the rules cannot be used"),
            [problem] => problem.fmt(f),
            [first, rest @ ..] => write!(f, "{first} (and {} more)", rest.len()),
        }
    }
}

impl std::error::Error for RuleError {}
