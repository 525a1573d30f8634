//! The result of a check.

use serde::{Deserialize, Serialize};

use crate::config::posture::PostureCheck;
use crate::model::time::Timestamp;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostureVerdict {
    /// It is as it should be.
    Pass,
    /// It is not.
    Fail,
    /// A person has to look.
    Review,
    /// No API shows it, and nobody declared it.
    NotReadable,
    /// An API shows it, and it was not read, or not all of it.
    CouldNotRead,
}

impl PostureVerdict {
    /// All of them, the worst first.
    pub const ALL: [PostureVerdict; 5] = [
        PostureVerdict::Fail,
        PostureVerdict::CouldNotRead,
        PostureVerdict::Review,
        PostureVerdict::NotReadable,
        PostureVerdict::Pass,
    ];

    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            PostureVerdict::Pass => "pass",
            PostureVerdict::Fail => "fail",
            PostureVerdict::Review => "review",
            PostureVerdict::NotReadable => "not readable",
            PostureVerdict::CouldNotRead => "could not read",
        }
    }
}

/// What a verdict comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingBasis {
    /// The lists of the admin APIs.
    Inventory,
    /// Events.
    Events,
    /// What a person declared.
    Declared,
    /// Nothing.
    Nothing,
}

impl FindingBasis {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            FindingBasis::Inventory => "inventory",
            FindingBasis::Events => "events",
            FindingBasis::Declared => "declared",
            FindingBasis::Nothing => "nothing",
        }
    }
}

/// One account, token, policy, ... that a verdict is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingItem {
    /// Its id.
    pub id: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

impl FindingItem {
    /// What people call it, or its id.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// The result of a check, without what is known of the check itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// How it ended.
    pub verdict: PostureVerdict,
    /// What that comes from.
    pub basis: FindingBasis,
    /// Why, as one sentence without its end.
    pub summary: String,
    /// What it is about.
    pub items: Vec<FindingItem>,
    /// How many things were looked at, where things were.
    pub of: Option<u64>,
    /// What to do, where that is not the check's usual advice.
    pub advice: Option<String>,
}

impl CheckResult {
    /// A result without items.
    pub fn new(
        verdict: PostureVerdict,
        basis: FindingBasis,
        summary: impl Into<String>,
    ) -> CheckResult {
        let (summary, items) = (summary.into(), Vec::new());
        CheckResult { verdict, basis, summary, items, of: None, advice: None }
    }

    /// What is wrong with some of `of` things.
    pub fn with_items(mut self, items: Vec<FindingItem>, of: usize) -> CheckResult {
        self.items = items;
        self.of = Some(of as u64);
        self
    }

    /// What to do.
    pub fn with_advice(mut self, advice: impl Into<String>) -> CheckResult {
        self.advice = Some(advice.into());
        self
    }
}

/// The result of a check of one organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostureFinding {
    /// The version of this object: `atlaudit-posture/1`.
    pub schema: &'static str,
    /// The source whose key was used.
    pub source: String,
    /// The organization.
    pub org_id: String,
    /// The check.
    #[serde(serialize_with = "check_name")]
    pub check: PostureCheck,
    /// What it asks, as a statement that should be true.
    pub title: &'static str,
    /// How it ended.
    pub verdict: PostureVerdict,
    /// What that comes from.
    pub basis: FindingBasis,
    /// When that was read, or the newest of the events; of a declaration its day.
    #[serde(serialize_with = "time_text")]
    pub as_of: Timestamp,
    /// Why.
    pub summary: String,
    /// How many things are wrong.
    pub affected: u64,
    /// How many were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<u64>,
    /// Those that are wrong.
    pub items: Vec<FindingItem>,
    /// What to do, unless it is a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Where that is done.
    pub console: &'static str,
}

fn check_name<S: serde::Serializer>(
    check: &PostureCheck,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(check.as_str())
}

fn time_text<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::model::time::format_millis(*time))
}
