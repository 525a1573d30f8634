//! Names rules across runs: a match refers to a rule by its place in the list, and that list
//! changes with the program and with the user's rules.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{RuleMatch, RuleSet};
use crate::detect::{DamagedEvent, StoredEvent};

/// The rules and correlations of a list, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleKeys {
    rules: Vec<String>,
    correlations: Vec<String>,
}

impl RuleSet {
    /// What names the rules of this list in others.
    pub fn keys(&self) -> RuleKeys {
        RuleKeys {
            rules: self.rules().iter().map(|info| info.id.clone()).collect(),
            correlations: self.correlations().iter().map(|rule| rule.key.clone()).collect(),
        }
    }
}

impl RuleKeys {
    /// Makes the matches of an event with rules of the list `old` refer to this list. A match with
    /// a rule that is no longer there is dropped.
    ///
    /// # Errors
    /// The event is damaged.
    pub fn translate(&self, old: &RuleKeys, stored: &mut StoredEvent) -> Result<(), DamagedEvent> {
        // Read in any case: damage is found before anything is judged.
        let mut event = stored.read()?;
        if self == old || event.matches.is_empty() {
            return Ok(());
        }
        let (rules, correlations) = (places(&self.rules), places(&self.correlations));
        let place = |places: &HashMap<&str, usize>, keys: &[String], old: usize| {
            keys.get(old).and_then(|key| places.get(key.as_str())).copied()
        };
        event.matches.retain_mut(|found: &mut RuleMatch| {
            found.groups.retain_mut(|group| {
                let new = place(&correlations, &old.correlations, group.correlation);
                group.correlation = new.unwrap_or_default();
                new.is_some()
            });
            let new = place(&rules, &old.rules, found.rule);
            found.rule = new.unwrap_or_default();
            new.is_some()
        });
        *stored = event.store();
        Ok(())
    }
}

fn places(keys: &[String]) -> HashMap<&str, usize> {
    keys.iter().enumerate().map(|(place, key)| (key.as_str(), place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::DetectionEvent;
    use crate::detect::event_facts::EventFacts;
    use crate::model::json::Document;

    fn rule(id: &str) -> String {
        format!(
            "title: {id}\nid: {id}\nlogsource: {{product: atlassian}}\n\
             detection: {{s: {{action: x}}, condition: s}}\n"
        )
    }

    fn rules(parts: &[String]) -> RuleSet {
        RuleSet::of_text(&parts.join("---\n")).unwrap()
    }

    #[test]
    fn matches_follow_their_rules_to_other_places() {
        let counter = "title: c\nid: c\ncorrelation: {type: event_count, rules: [b], \
                       group-by: [action], timespan: 5m, condition: {gte: 2}}\n";
        let old = rules(&[rule("a"), rule("b"), counter.to_owned()]);
        let line = br#"{"id":"e","time":"2026-11-20T09:00:00Z","action":"x",
            "source":{"name":"acme","type":"org-events"}}"#;
        let document = Document::new(line.as_slice().into());
        let facts = EventFacts::of_line(&document).unwrap();
        let event = DetectionEvent::new(facts, old.matches(document.root()), None);
        let stored = event.store();
        assert_eq!(event.matches.len(), 2);
        let new = rules(&[rule("b"), rule("z"), counter.to_owned()]);
        let mut moved = stored.clone();
        new.keys().translate(&old.keys(), &mut moved).unwrap();
        let moved = moved.read().unwrap();
        let ids = moved.matches.iter().map(|found| new.rules()[found.rule].id.as_str());
        assert_eq!(ids.collect::<Vec<_>>(), ["b"]);
        assert_eq!(moved.matches[0].groups.len(), 1, "the correlation is still there");
        // It says something else now, so what it counted is of no use.
        let changed = counter.replace("gte: 2", "gte: 3");
        let new = rules(&[rule("b"), changed]);
        let mut moved = stored;
        new.keys().translate(&old.keys(), &mut moved).unwrap();
        let moved = moved.read().unwrap();
        assert!(moved.matches[0].groups.is_empty());
    }
}
