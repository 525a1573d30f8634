//! What events tell of policies: who changed which of them last.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use chrono::{NaiveDate, TimeDelta};
use clap::ValueEnum;

use crate::config::posture::PostureCheck;
use crate::model::json::{Document, Node};
use crate::model::name::SourceKind;
use crate::model::source_kind::SourceAddress;
use crate::model::text::printable_line;
use crate::model::time::{Timestamp, parse_api_time};

/// The actions that change what a check is about.
const ACTIONS: &str = include_str!("policy_actions.tsv");

/// Actions that may be of a mobile policy or of any other.
const ANY_POLICY: &str = "policy_";

/// The most characters of a name that are kept.
const MAX_NAME_LENGTH: usize = 120;

static CHECKS_OF_ACTION: LazyLock<HashMap<&'static str, Vec<PostureCheck>>> = LazyLock::new(|| {
    let rows = ACTIONS.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.filter_map(|line| line.split_once('\t'));
    let check = |name: &str| PostureCheck::from_str(name, false).ok();
    rows.map(|(action, checks)| (action, checks.split(' ').filter_map(check).collect())).collect()
});

/// A change that an event tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    /// When.
    pub time: Timestamp,
    /// What was done.
    pub action: String,
    /// Who did it.
    pub actor: String,
    /// What it was done to, where that is named.
    pub target: Option<String>,
}

/// What the events of one organization tell.
#[derive(Debug, Default)]
pub struct PolicyHistory {
    /// Events that were read of this organization.
    events: u64,
    /// Where the events begin: the start of the time range, or the first of them.
    oldest: Option<Timestamp>,
    newest: Option<Timestamp>,
    /// Whether they were read up to now, however old the newest is.
    is_up_to_now: bool,
    /// Whether some of them could not be read.
    has_gaps: bool,
    /// The days that have an event.
    days: BTreeSet<NaiveDate>,
    /// The last change of each kind.
    last: HashMap<(PostureCheck, String), PolicyChange>,
}

impl PolicyHistory {
    /// The history of events that were read from an API from `since` on; without it, of saved ones.
    pub fn since(since: Option<Timestamp>) -> PolicyHistory {
        let is_up_to_now = since.is_some();
        PolicyHistory { oldest: since, is_up_to_now, ..PolicyHistory::default() }
    }

    /// Notes that not all events could be read.
    pub fn mark_gaps(&mut self) {
        self.has_gaps = true;
    }

    /// Whether some events could not be read.
    pub fn has_gaps(&self) -> bool {
        self.has_gaps
    }

    /// Why the events do not show everything from `since` to `now`; nothing where they do. Saved
    /// events whose newest is older than `silent` may end too early.
    pub fn gap_since(&self, since: Timestamp, now: Timestamp, silent: TimeDelta) -> Option<String> {
        let (Some(oldest), Some(newest)) = (self.oldest, self.newest) else {
            return Some("no event of this organization was read".to_owned());
        };
        if self.has_gaps {
            return Some("not all events could be read".to_owned());
        }
        if oldest > since {
            return Some(format!("events were read from {} on only", oldest.date_naive()));
        }
        if self.is_up_to_now {
            return None;
        }
        if now - newest > silent {
            return Some(format!("events were read up to {} only", newest.date_naive()));
        }
        // A file of a month may be missing, or the files were filtered.
        let days: Vec<NaiveDate> = self.days.range(since.date_naive()..).copied().collect();
        let has_gap = |pair: &&[NaiveDate]| match pair {
            [one, next] => *next - *one > silent,
            _ => false,
        };
        days.windows(2).find(has_gap).map(|pair| {
            let text: Vec<String> = pair.iter().map(NaiveDate::to_string).collect();
            format!("no event was read between {}", text.join(" and "))
        })
    }

    /// Takes a normalized event, if it is one of the organization `org_id`. One that does not name
    /// its organization is its only if no other one is checked.
    pub fn add(&mut self, event: &Document, org_id: &str, is_only_one: bool) {
        let root = event.root();
        let is_of_organization = root.get("source").is_some_and(|source| {
            let kind = source.text_of("type").and_then(|kind| kind.parse::<SourceKind>().ok());
            kind.is_some_and(|kind| kind.address() == SourceAddress::Organization)
                && source.text_of("org_id").map_or(is_only_one, |id| id == org_id)
        });
        let Some(time) = root.text_of("time").and_then(|time| parse_api_time(&time)) else {
            return;
        };
        if !is_of_organization {
            return;
        }
        self.events += 1;
        self.days.insert(time.date_naive());
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
        self.newest = self.newest.max(Some(time));
        let Some(action) = root.text_of("action") else { return };
        for check in CHECKS_OF_ACTION.get(&*action).into_iter().flatten() {
            if action.starts_with(ANY_POLICY) && !tells_of_mobile(root) {
                continue;
            }
            let change = || PolicyChange {
                time,
                action: action.clone().into_owned(),
                actor: actor_of(root),
                target: target_of(root),
            };
            let last =
                self.last.entry((*check, action.clone().into_owned())).or_insert_with(change);
            if last.time < time {
                *last = change();
            }
        }
    }

    /// Events that were read of this organization.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Where the events begin.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// The newest event.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// The last change of what `check` is about.
    pub fn last_change(&self, check: PostureCheck) -> Option<&PolicyChange> {
        let changes = self.last.iter().filter(|((of, _), _)| *of == check);
        changes.map(|(_, change)| change).max_by_key(|change| (change.time, change.action.clone()))
    }

    /// The last event of `action` that counts for `check`.
    pub fn last_action(&self, check: PostureCheck, action: &str) -> Option<&PolicyChange> {
        self.last.get(&(check, action.to_owned()))
    }
}

/// Whether an event's own text names a mobile policy.
fn tells_of_mobile(event: Node<'_>) -> bool {
    let texts = ["raw", "message", "targets"].into_iter().filter_map(|key| event.get(key));
    texts.into_iter().any(|node| node.raw().to_ascii_lowercase().contains("mobile"))
}

fn actor_of(event: Node<'_>) -> String {
    let actor = event.get("actor");
    let name = ["email", "name", "id"].into_iter().find_map(|key| actor?.text_of(key));
    name.map_or_else(|| "somebody who is not named".to_owned(), |name| shown(&name))
}

fn target_of(event: Node<'_>) -> Option<String> {
    let first = event.get("targets")?.items().next()?;
    let name = ["name", "email", "id"].into_iter().find_map(|key| first.text_of(key))?;
    Some(shown(&name))
}

fn shown(text: &str) -> String {
    printable_line(text).chars().take(MAX_NAME_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn event(time: &str, action: &str, more: &str) -> Document {
        let text = format!(
            r#"{{"source":{{"type":"org-events","org_id":"o"}},"time":"{time}","action":"{action}","actor":{{"name":"Ada"}}{more}}}"#
        );
        Document::new(Bytes::from(text))
    }

    #[test]
    fn each_row_names_checks_that_there_are() {
        for line in ACTIONS.lines().filter(|line| !line.starts_with('#')) {
            let (action, checks) = line.split_once('\t').unwrap();
            assert_eq!(CHECKS_OF_ACTION[action].len(), checks.split(' ').count(), "{line}");
        }
    }

    #[test]
    fn the_last_change_counts_in_whatever_order_events_come() {
        let mut history = PolicyHistory::default();
        for (day, action) in [(3, "twosv_unenforced"), (5, "twosv_enforced"), (4, "twosv_enforced")]
        {
            history.add(&event(&format!("2026-11-0{day}T00:00:00.000Z"), action, ""), "o", true);
        }
        let last = history.last_change(PostureCheck::MfaRule).unwrap();
        assert_eq!((last.action.as_str(), last.actor.as_str()), ("twosv_enforced", "Ada"));
        assert_eq!(last.time.to_rfc3339(), "2026-11-05T00:00:00+00:00");
        assert_eq!(history.events(), 3);
        assert_eq!(history.oldest().unwrap().to_rfc3339(), "2026-11-03T00:00:00+00:00");
    }

    #[test]
    fn only_the_organization_counts_and_only_mobile_policies_of_all() {
        let mut history = PolicyHistory::default();
        let time = "2026-11-05T00:00:00.000Z";
        history.add(&event(time, "auth_policy_updated", ""), "another", true);
        assert_eq!((history.events(), history.newest()), (0, None));
        history.add(&event(time, "policy_updated", ""), "o", true);
        assert_eq!(history.last_change(PostureCheck::MobilePolicy), None);
        history.add(
            &event(
                time,
                "policy_updated",
                r#","message":"Mobile app policy"}"#.trim_end_matches('}'),
            ),
            "o",
            true,
        );
        assert!(history.last_change(PostureCheck::MobilePolicy).is_some());
    }
}
