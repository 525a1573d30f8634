//! What `verify` reports: the differences, each with its file and place, and what was checked.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::model::text::printable;

/// Where in its file a difference lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingLocation {
    /// Somewhere, or all of it.
    File,
    /// In a line, from 1.
    Line(u64),
    /// In one of these lines.
    Lines(u64, u64),
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyFinding {
    /// The file, by its path within the export.
    pub file: String,
    /// Where in it.
    pub location: FindingLocation,
    /// What differs.
    pub what: String,
}

impl fmt::Display for VerifyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", printable(&self.file))?;
        match self.location {
            FindingLocation::File => {}
            FindingLocation::Line(line) => write!(f, "line {line}: ")?,
            FindingLocation::Lines(first, last) => write!(f, "lines {first} to {last}: ")?,
        }
        f.write_str(&self.what)
    }
}

/// The differences, in the order in which they were found.
#[derive(Debug, Default)]
pub struct FindingList(Vec<VerifyFinding>);

impl FindingList {
    /// `file` differs: `what`.
    pub fn add(&mut self, file: &str, what: impl Into<String>) {
        self.add_at(file, FindingLocation::File, what);
    }

    /// `file` differs at `place`: `what`.
    pub fn add_at(&mut self, file: &str, place: FindingLocation, what: impl Into<String>) {
        self.0.push(VerifyFinding { file: file.to_owned(), location: place, what: what.into() });
    }

    /// All of them, those of a file together, in the order of the files' first ones.
    pub fn into_sorted(self) -> Vec<VerifyFinding> {
        let mut order = HashMap::new();
        for finding in &self.0 {
            let next = order.len();
            order.entry(finding.file.clone()).or_insert(next);
        }
        let mut all = self.0;
        all.sort_by_key(|finding| order.get(&finding.file).copied());
        all
    }
}

/// What is known of the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// There is none, and none was asked for.
    None,
    /// There is one, and no public key to check it with. The key that it names.
    NotChecked(Option<String>),
    /// It is good: the key, and what the signature says of itself.
    Good {
        /// The key's number.
        key: String,
        /// Its trusted comment.
        says: String,
    },
    /// It is missing or wrong: a difference says how.
    Bad,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CheckedCounts {
    /// Files whose hash was computed.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Sources.
    pub sources: u64,
    /// Lines of events.
    pub events: u64,
    /// Lines of answers.
    pub pages: u64,
    /// Bodies of answers.
    pub bodies: u64,
}

/// What `verify` found.
#[derive(Debug)]
pub struct VerifyResult {
    /// The differences; none where all is well.
    pub findings: Vec<VerifyFinding>,
    /// What could not be checked, and why.
    pub not_checked: Vec<String>,
    /// How much was looked at.
    pub counts: CheckedCounts,
    /// Whether the export says that it is complete; unknown without a manifest.
    pub is_complete: Option<bool>,
    /// Whether it was never finished: it has no manifest, but the state of a run that may go on.
    pub is_unfinished: bool,
    /// What it says is missing, a line each.
    pub missing: Vec<String>,
    /// What it says its sources no longer kept, a line each.
    pub not_available: Vec<String>,
    /// The signature.
    pub signature: Signature,
    /// The SHA-256 of SHA256SUMS, in hex: the one number that stands for all of it.
    pub sums_sha256: Option<String>,
}
