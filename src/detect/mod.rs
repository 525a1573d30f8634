//! Finds what an attacker does in events: rules of one event, rules of several, and what is unusual
//! for a person. `docs/detect.md` describes each detection.
//!
//! `normalized event -> sigma (which rules match) -> DetectionEvent -> in order of time ->
//! anomalies, sigma::correlation -> exceptions -> DetectionAlert`
//!
//! Only the time of events counts, never the clock: the same events give the same alerts, whenever
//! and in whatever parts they are judged.

mod alert;
mod alert_schemas;
mod alert_table;
mod anomalies;
mod coverage;
mod event;
mod event_facts;
mod history;
mod live;
mod places;
mod rule_alerts;
mod setup;
pub mod sigma;

use bytestring::ByteString;
use serde::{Deserialize, Serialize};

use crate::config::detection::{AlertException, DetectSettings};
use crate::model::event::Event;
use crate::model::json::Document;
use anomalies::AnomalyState;
use event_facts::EventFacts;
use sigma::CorrelationState;

pub use alert::{AlertSeverity, DetectionAlert};
pub use alert_schemas::AlertSchema;
pub use alert_table::AlertTable;
pub use coverage::DetectionCoverage;
pub use event::{DamagedEvent, DetectionEvent, EventMark, StoredEvent};
pub use live::{LiveCounts, LiveDetection, LiveRecord};
pub use setup::{DetectionError, DetectionSetup};

#[cfg(test)]
mod adversary_tests;
#[cfg(test)]
mod reference_tests;

/// What is remembered from one event to the next.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DetectionState {
    anomalies: AnomalyState,
    correlations: CorrelationState,
    /// The last event that was judged, in the order of time.
    judged: Option<EventMark>,
}

/// What was found, and whether it is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedAlert {
    /// What was found.
    pub alert: DetectionAlert,
    /// An exception keeps it back.
    pub is_excepted: bool,
}

impl DetectionState {
    /// The alerts of an event. Events come in the order of [`EventMark`]; one that does not is
    /// late, and is judged with what is remembered on both sides of it.
    pub fn judge(
        &mut self,
        setup: &DetectionSetup,
        event: &DetectionEvent<'_>,
    ) -> Vec<JudgedAlert> {
        let (settings, rules) = (&setup.settings, &setup.rules);
        let is_late = self.judged.as_ref().is_some_and(|judged| event.mark < *judged);
        match &mut self.judged {
            _ if is_late => {}
            Some(judged) => judged.set(&event.mark),
            None => self.judged = Some(event.mark.clone()),
        }
        let mut findings = Vec::new();
        if !event.matches.is_empty() {
            let standing = self.anomalies.standing(event, &settings.thresholds);
            findings.extend(rule_alerts::of_event(rules, event, &standing));
            let correlated = &mut self.correlations;
            for found in correlated.add(rules, event.time(), &event.mark.id, &event.matches) {
                findings.extend(rule_alerts::of_correlation(rules, found, &standing));
            }
        }
        findings.extend(self.anomalies.judge(event, settings, &setup.lists));
        let alerts =
            findings.into_iter().map(|finding| DetectionAlert::new(finding, event, is_late));
        let judged = |alert: DetectionAlert| {
            let is_excepted = settings.exceptions.iter().any(|exception| exception.covers(&alert));
            JudgedAlert { alert, is_excepted }
        };
        alerts.map(judged).collect()
    }
}

impl DetectionSetup {
    /// What detection looks at of a normalized event, with the rules that it matches; nothing where
    /// it is not known when it happened.
    pub fn event<'e>(&self, event: &'e Document) -> Option<DetectionEvent<'e>> {
        let facts = EventFacts::of_line(event)?;
        let matches = self.rules.matches(event.root());
        Some(DetectionEvent::new(facts, matches, self.places.as_ref()))
    }

    /// The same of an event that is pulled. `line` gives its normalized line, which is only read
    /// where a rule may match, and needs `raw` only if [`RuleSet::reads_raw`].
    pub fn pulled_event<'e>(
        &self,
        event: &'e Event<'_>,
        line: impl FnOnce() -> Vec<u8>,
    ) -> Option<DetectionEvent<'e>> {
        let facts = EventFacts::of_event(event)?;
        let matches = match self.rules.may_match(event) {
            false => Vec::new(),
            true => {
                let text = ByteString::try_from(line()).ok()?;
                self.rules.matches(Document::parse(text).ok()?.root())
            }
        };
        Some(DetectionEvent::new(facts, matches, self.places.as_ref()))
    }
}

impl DetectionState {
    /// Users and addresses that were forgotten to make room.
    pub fn forgotten(&self) -> u64 {
        self.anomalies.forgotten()
    }

    /// Events and groups that correlations could not keep, and so may have missed something.
    pub fn uncorrelated(&self) -> u64 {
        self.correlations.forgotten()
    }

    /// Whether nothing can be called unusual yet.
    pub fn is_learning(&self, settings: &DetectSettings) -> bool {
        self.anomalies.is_learning(&settings.thresholds)
    }
}

impl AlertException {
    /// Whether it is for the rule with this id and name.
    fn names(&self, id: &str, name: &str) -> bool {
        self.rule.as_ref().is_none_or(|pattern| pattern.fits(id) || pattern.fits(name))
    }

    /// Whether it keeps `alert` back.
    fn covers(&self, alert: &DetectionAlert) -> bool {
        let rule = self.names(&alert.rule.id, &alert.rule.name);
        let actor = self.actor.as_ref().is_none_or(|pattern| {
            alert.actor.as_ref().is_some_and(|actor| {
                let email = actor.email.as_deref();
                pattern.fits(actor.id()) || email.is_some_and(|email| pattern.fits(email))
            })
        });
        let address = self.address.as_ref().is_none_or(|range| {
            alert.address.is_some_and(|address| range.contains(&address.to_string()))
        });
        let country = self.country.as_deref().is_none_or(|code| {
            alert.place.as_ref().and_then(|place| place.country_code()) == Some(code)
        });
        rule && actor && address && country && self.until.is_none_or(|until| alert.time < until)
    }
}
