//! What can be found in the events that there are, and what cannot, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::DetectionSetup;
use super::anomalies::anomaly_rule::{ANOMALIES, AnomalyNeed};
use super::event::{DetectionEvent, LoginResult};
use super::event_facts::EventFacts;
use crate::filter;
use crate::model::json::Document;
use crate::model::name::SourceKind;
use crate::model::text::{counted, visible};
use crate::model::time::Timestamp;
use crate::render::fitted;

/// Actions that are remembered.
const MAX_ACTIONS: usize = 10_000;

/// What the events have that detections need.
#[derive(Debug, Default)]
pub struct DetectionCoverage {
    events: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    kinds: BTreeSet<SourceKind>,
    actions: BTreeMap<(SourceKind, String), u64>,
    failed_logins: u64,
    places: u64,
    addresses: u64,
    administration: u64,
    reading: u64,
    impersonation: u64,
    access_removals: u64,
}

impl DetectionCoverage {
    /// Counts a normalized event.
    pub fn add(&mut self, event: &Document, setup: &DetectionSetup) {
        let root = event.root();
        let kind = root.get("source").and_then(|source| source.text_of("type"));
        let Some(kind) = kind.and_then(|kind| kind.parse::<SourceKind>().ok()) else {
            return;
        };
        self.events += 1;
        self.kinds.insert(kind);
        if let Some(time) = filter::time_of(event) {
            self.first = Some(self.first.map_or(time, |first| first.min(time)));
            self.last = Some(self.last.map_or(time, |last| last.max(time)));
        }
        let action = root.text_of("action").unwrap_or_default();
        let key = (kind, action.into_owned());
        if self.actions.len() < MAX_ACTIONS || self.actions.contains_key(&key) {
            *self.actions.entry(key).or_default() += 1;
        }
        let Some(facts) = EventFacts::of_line(event) else {
            return;
        };
        let event = DetectionEvent::new(facts, Vec::new(), setup.places.as_ref());
        let deed = event.deed;
        self.failed_logins += u64::from(deed.login == Some(LoginResult::Failure));
        self.places += u64::from(deed.is_interactive && event.place.is_some());
        self.addresses += u64::from(event.address.is_some());
        self.administration += u64::from(deed.is_of_person && deed.administration.is_some());
        self.reading += u64::from(deed.is_of_person && deed.is_reading);
        self.impersonation += u64::from(deed.is_impersonation);
        self.access_removals += u64::from(deed.access.is_some());
    }

    /// A line for each detection.
    pub fn text(&self, setup: &DetectionSetup, width: usize) -> String {
        let mut rows: Vec<(bool, String, String)> = Vec::new();
        for anomaly in ANOMALIES {
            let (count, what, hint) = self.need(anomaly.needs, setup);
            let why = match count {
                0 => hint.to_owned(),
                count => format!("{} {what}", counted(count, "event")),
            };
            rows.push((count > 0, anomaly.name.to_owned(), why));
        }
        for (at, rule) in setup.rules.rules().iter().enumerate() {
            let fits_kind = |kind: &SourceKind| setup.rules.reads_kind(at, *kind);
            let counts = self
                .actions
                .iter()
                .filter(|((kind, action), _)| setup.rules.rule_may_match(at, *kind, action));
            let count: u64 = counts.map(|(_, count)| *count).sum();
            let why = match count {
                _ if !self.kinds.iter().any(fits_kind) => {
                    "no event of such a source was read".to_owned()
                }
                0 => format!("its action never came in {}", self.days()),
                count => format!("{} may match", counted(count, "event")),
            };
            rows.push((count > 0, rule.title.clone(), why));
        }
        rows.sort_by_key(|(can_fire, _, _)| !can_fire);
        let name_width = rows.iter().map(|(_, name, _)| name.width()).max().unwrap_or(0);
        let name_width = name_width.min(width.saturating_sub(30).max(20));
        let (can, all) = (rows.iter().filter(|(can_fire, _, _)| *can_fire).count(), rows.len());
        let mut text = format!(
            "In {} of {}, {can} of {all} detections can find something.\n",
            counted(self.events, "event"),
            self.days()
        );
        for (can_fire, name, why) in rows {
            let mark = if can_fire { "can   " } else { "cannot" };
            let name = fitted(&name, name_width).into_owned();
            let padding = " ".repeat(name_width.saturating_sub(name.width()));
            let line = format!("{mark}  {name}{padding}  {}", visible(&why));
            // Writing to a text never fails.
            let _ = writeln!(text, "{}", fitted(&line, width));
        }
        text
    }

    fn days(&self) -> String {
        let span = self.first.zip(self.last).map_or(0, |(first, last)| (last - first).num_days());
        match span {
            0 => "one day".to_owned(),
            days => format!("{} days", days + 1),
        }
    }

    /// How many events have what a detection needs, what these are, and why there may be none.
    fn need(&self, need: AnomalyNeed, setup: &DetectionSetup) -> (u64, &'static str, &'static str) {
        match need {
            AnomalyNeed::FailedLogin => (
                self.failed_logins,
                "are failed logins",
                "no failed login came; no organization is known to record them",
            ),
            AnomalyNeed::Place => (
                self.places,
                "are of people with a place",
                "no event has a place; Jira, Confluence and Data Center need `geoip`",
            ),
            AnomalyNeed::ListedAddress => (
                if setup.lists.is_empty() { 0 } else { self.addresses },
                "have an address",
                "no list of addresses is configured (`[[detect.lists]]`)",
            ),
            AnomalyNeed::Administration => (
                self.administration,
                "are administrative acts of people",
                "no administrative act of a person came",
            ),
            AnomalyNeed::Reading => (
                self.reading,
                "read or export content",
                "no content is seen being read; that needs Atlassian Guard Premium",
            ),
            AnomalyNeed::Impersonation => {
                (self.impersonation, "are impersonations", "nobody logged in as another")
            }
            AnomalyNeed::AccessRemoval => (
                self.access_removals,
                "take access away or give it back",
                "nobody's access was taken away",
            ),
            AnomalyNeed::AnyEvent => (self.events, "came", "no event came"),
            AnomalyNeed::OwnKey => (
                if setup.settings.own_keys.is_empty() { 0 } else { self.administration },
                "are administrative acts of people",
                "no source says what its key is called (`key_name`)",
            ),
        }
    }
}
