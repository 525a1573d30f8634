//! What changed between two runs.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::finding::{PostureFinding, PostureVerdict};
use crate::model::time::{Timestamp, format_millis};

/// The findings of an earlier run of one organization, as far as a later one compares itself with
/// them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostureSnapshot {
    /// The organization; of another one nothing is compared.
    org_id: String,
    /// By the name of the check.
    findings: BTreeMap<String, EarlierFinding>,
}

/// A finding of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct EarlierFinding {
    at: Timestamp,
    verdict: PostureVerdict,
    items: BTreeSet<String>,
}

/// How a finding differs from that of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingChange {
    /// When the earlier one was made; none, if there was no earlier one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "time_text")]
    since: Option<Timestamp>,
    /// The earlier verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<PostureVerdict>,
    /// Things that are wrong now, and were not.
    new: Vec<String>,
    /// Things that were wrong, and are not any more.
    gone: Vec<String>,
}

impl PostureSnapshot {
    /// How `finding` differs from the earlier run; nothing where it does not.
    pub fn change(&self, finding: &PostureFinding) -> Option<FindingChange> {
        let items: BTreeSet<String> = finding.items.iter().map(|item| item.id.clone()).collect();
        let earlier = self.findings.get(finding.check.as_str());
        let Some(earlier) = earlier.filter(|_| self.org_id == finding.org_id) else {
            return Some(FindingChange {
                since: None,
                was: None,
                new: Vec::new(),
                gone: Vec::new(),
            });
        };
        let new = items.difference(&earlier.items).cloned().collect::<Vec<_>>();
        let gone = earlier.items.difference(&items).cloned().collect::<Vec<_>>();
        let is_same = earlier.verdict == finding.verdict && new.is_empty() && gone.is_empty();
        (!is_same).then_some(FindingChange {
            since: Some(earlier.at),
            was: Some(earlier.verdict),
            new,
            gone,
        })
    }

    /// The snapshot after a run at `now`. What could not be read this time stays as it was, so that
    /// a change meanwhile is seen when it can be read again.
    pub fn after(
        mut self,
        org_id: &str,
        findings: &[PostureFinding],
        now: Timestamp,
    ) -> PostureSnapshot {
        if self.org_id != org_id {
            self = PostureSnapshot { org_id: org_id.to_owned(), findings: BTreeMap::new() };
        }
        for finding in findings {
            let name = finding.check.as_str();
            if finding.verdict == PostureVerdict::CouldNotRead && self.findings.contains_key(name) {
                continue;
            }
            let items = finding.items.iter().map(|item| item.id.clone()).collect();
            let finding = EarlierFinding { at: now, verdict: finding.verdict, items };
            self.findings.insert(name.to_owned(), finding);
        }
        self
    }
}

impl FindingChange {
    /// `was pass on 2026-11-20; 2 new, 1 gone`.
    pub fn text(&self) -> String {
        let (Some(since), Some(was)) = (self.since, self.was) else {
            return "not checked before".to_owned();
        };
        let mut text = format!("was {} on {}", was.as_str(), since.date_naive());
        for (word, items) in [("new", &self.new), ("gone", &self.gone)] {
            match items.len() {
                0 => {}
                count => text.push_str(&format!("; {count} {word}: {}", first_of(items))),
            }
        }
        text
    }
}

fn first_of(items: &[String]) -> String {
    let more = if items.len() > 3 { ", ..." } else { "" };
    format!("{}{more}", items.iter().take(3).cloned().collect::<Vec<_>>().join(", "))
}

fn time_text<S: serde::Serializer>(
    time: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.serialize_str(&format_millis(*time)),
        None => serializer.serialize_none(),
    }
}
