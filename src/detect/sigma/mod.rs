//! Sigma rules: ours, which are part of the program, and the user's.
//!
//! A crate matches single events; nothing outside of this module knows it. Correlations are
//! evaluated here ([`correlation`]), by the time of events. That crate counts events as they
//! arrive: there, a late event from yesterday completes a window of ten minutes.

mod built_in;
mod compiled_rule;
mod correlation;
mod correlation_rule;
mod event_view;
mod known_fields;
mod log_source;
mod pattern_limits;
pub mod rule_check;
mod rule_document;
pub mod rule_error;
pub mod rule_examples;
mod rule_folder;
pub mod rule_info;
mod rule_keys;
mod rule_loader;
mod text_limits;
mod window_tally;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use foldhash::quality::RandomState;
use serde::{Deserialize, Serialize};

use crate::model::event::Event;
use crate::model::json::Node;
use crate::model::source_kind::SourceKind;
use compiled_rule::{SingleEventRule, is_raw_field};
pub use correlation::{CorrelationFinding, CorrelationState};
pub use correlation_rule::CorrelationRule;
use known_fields::KnownFields;
pub use rule_error::RuleError;
pub use rule_info::{RuleInfo, RuleLevel, RuleOrigin};
pub use rule_keys::RuleKeys;
use rule_loader::{LoadedRules, RuleLoader};

/// The most groups that an event joins of one correlation, where a field has several values; the
/// most values that are counted of it; and the most of both together, as each group keeps them.
const MAX_GROUPS: usize = 1000;
const MAX_COUNTED: usize = 1000;
const MAX_KEPT: usize = 20_000;

/// The most actions of which is remembered which rules may match, for each kind of source.
const MAX_ACTIONS: usize = 4096;

/// Rules, ready to be matched.
pub struct RuleSet {
    infos: Vec<RuleInfo>,
    singles: Vec<SingleEventRule>,
    correlations: Vec<CorrelationRule>,
    /// For each rule the correlations that count it, with its place in them.
    uses: Vec<Vec<(usize, usize)>>,
    candidates: [CandidateCache; SourceKind::ALL.len()],
    reads_raw: bool,
}

/// Which rules may match, by the action.
type CandidateCache = RwLock<HashMap<Box<str>, Arc<[usize]>, RandomState>>;

/// A rule that an event matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleMatch {
    /// The rule's index.
    pub rule: usize,
    /// Fields, and the values by which they match.
    pub matched: Vec<(String, String)>,
    /// What the event is to the correlations that count the rule.
    pub groups: Vec<GroupValues>,
}

/// What an event is to a correlation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupValues {
    /// The correlation's place in [`RuleSet::correlations`].
    pub correlation: usize,
    /// The matching rule's place among those that the correlation counts.
    pub input: usize,
    /// The groups that the event belongs to: one, more where a field has several values, none where
    /// the event lacks a field.
    pub groups: Vec<Vec<String>>,
    /// The values that are counted.
    pub values: Vec<String>,
    /// Groups and values beyond those.
    pub left_out: u64,
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RuleSet({} rules)", self.infos.len())
    }
}

impl RuleSet {
    /// The rules that are part of the program, and those in `folders`.
    ///
    /// # Errors
    /// A folder cannot be read, or one of its rules cannot be used.
    pub fn load(folders: &[PathBuf]) -> Result<RuleSet, RuleError> {
        RuleSet::read(&built_in::RULES, folders)
    }

    /// The rules in `folders`.
    #[cfg(test)]
    pub fn only_from(folders: &[PathBuf]) -> Result<RuleSet, RuleError> {
        RuleSet::read(&[], folders)
    }

    fn read(
        built_in: &[(&'static str, &'static str)],
        folders: &[PathBuf],
    ) -> Result<RuleSet, RuleError> {
        let (files, problems) = rule_folder::read_folders(folders);
        let names: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
        let mut loader = RuleLoader::default();
        loader.problems = problems;
        for (name, text) in built_in {
            loader.add(name, &RuleOrigin::BuiltIn(name), text);
        }
        for (file, name) in files.iter().zip(&names) {
            loader.add(name, &RuleOrigin::File(file.path.clone()), &file.text);
        }
        loader.finish().map(RuleSet::new)
    }

    /// The rules in a text.
    #[cfg(test)]
    pub fn of_text(text: &str) -> Result<RuleSet, RuleError> {
        let mut loader = RuleLoader::default();
        loader.add("test.yml", &RuleOrigin::File("test.yml".into()), text);
        loader.finish().map(RuleSet::new)
    }

    fn new(loaded: LoadedRules) -> RuleSet {
        let LoadedRules { infos, singles, correlations } = loaded;
        let mut uses = vec![Vec::new(); infos.len()];
        for (place, correlation) in correlations.iter().enumerate() {
            for (input, counted) in correlation.inputs.iter().enumerate() {
                if let Some(uses) = uses.get_mut(counted.rule) {
                    uses.push((place, input));
                }
            }
        }
        let mut fields = correlations.iter().flat_map(|rule| &rule.inputs);
        let reads_raw = singles.iter().any(SingleEventRule::reads_raw)
            || fields.any(|input| input.fields().any(|field| is_raw_field(field)));
        RuleSet { infos, singles, correlations, uses, candidates: Default::default(), reads_raw }
    }

    /// Whether a rule may look at `raw`, Atlassian's own record. If not, it may be left out of the
    /// events that are matched: it is the larger half of them.
    pub fn reads_raw(&self) -> bool {
        self.reads_raw
    }

    /// Describes each rule: those on single events, then correlations. A rule's index is its
    /// place here.
    pub fn rules(&self) -> &[RuleInfo] {
        &self.infos
    }

    /// The correlations, each behind those that it counts.
    pub fn correlations(&self) -> &[CorrelationRule] {
        &self.correlations
    }

    /// The correlations that count the rule at this index, with its place in them.
    pub fn uses_of(&self, rule: usize) -> &[(usize, usize)] {
        self.uses.get(rule).map_or(&[], Vec::as_slice)
    }

    /// Whether the event may match a rule; false only where surely it matches none.
    pub fn may_match(&self, event: &Event<'_>) -> bool {
        let kind = event.source.kind;
        let may_match = |rule: &SingleEventRule| rule.may_match(kind, KnownFields::Event(event));
        let candidates = self.candidates(kind, &event.action);
        candidates.iter().any(|&rule| self.singles.get(rule).is_some_and(may_match))
    }

    /// The rules on single events that the event matches.
    pub fn matches(&self, event: Node<'_>) -> Vec<RuleMatch> {
        let [source, action] = event.fields(["source", "action"]);
        let word = source.and_then(|source| source.text_of("type"));
        let Some(kind) = word.and_then(|word| word.parse().ok()) else {
            return Vec::new();
        };
        let candidates = match action.and_then(Node::text) {
            Some(action) => self.candidates(kind, &action),
            None => self.find_candidates(kind, None),
        };
        let matched = candidates.iter().filter_map(|&rule| {
            let matched = self.singles.get(rule)?.matched(event)?;
            Some(RuleMatch { rule, matched, groups: self.groups_of(rule, event) })
        });
        matched.collect()
    }

    /// Whether the rule at this index is about events of this kind.
    pub fn reads_kind(&self, rule: usize, kind: SourceKind) -> bool {
        self.may_be_met(rule, &|single| single.reads_kind(kind))
    }

    /// Whether the rule at this index may match an event of this kind with this action; of a
    /// correlation, whether one of those that it counts may.
    pub fn rule_may_match(&self, rule: usize, kind: SourceKind, action: &str) -> bool {
        self.may_be_met(rule, &|single| single.may_match(kind, KnownFields::Action(Some(action))))
    }

    fn may_be_met(&self, rule: usize, test: &dyn Fn(&SingleEventRule) -> bool) -> bool {
        if let Some(single) = self.singles.get(rule) {
            return test(single);
        }
        // A correlation stands behind those that it counts, so this ends.
        let correlation = self.correlations.iter().find(|correlation| correlation.rule == rule);
        let inputs = correlation.map_or(&[][..], |correlation| &correlation.inputs);
        inputs.iter().any(|input| input.rule < rule && self.may_be_met(input.rule, test))
    }

    fn groups_of(&self, rule: usize, event: Node<'_>) -> Vec<GroupValues> {
        let uses = self.uses_of(rule).iter().filter_map(|&(correlation, input)| {
            let counted = self.correlations.get(correlation)?.inputs.get(input)?;
            let field = counted.value_field.as_ref();
            let mut values =
                field.map(|field| event_view::texts_of(event, field)).unwrap_or_default();
            let mut left_out = values.len().saturating_sub(MAX_COUNTED);
            values.truncate(MAX_COUNTED);
            let most = MAX_GROUPS.min(MAX_KEPT / values.len().max(1));
            let (mut groups, mut count) = (vec![Vec::new()], 1_usize);
            for field in &counted.group_fields {
                let values = event_view::texts_of(event, field);
                count = count.saturating_mul(values.len());
                groups = groups
                    .iter()
                    .flat_map(|group: &Vec<String>| {
                        values.iter().map(move |value| {
                            group.iter().chain([value]).cloned().collect::<Vec<_>>()
                        })
                    })
                    .take(most)
                    .collect();
            }
            left_out = left_out.saturating_add(count - groups.len());
            let left_out = left_out as u64;
            Some(GroupValues { correlation, input, groups, values, left_out })
        });
        uses.collect()
    }

    /// The rules that may match an event with this action.
    fn candidates(&self, kind: SourceKind, action: &str) -> Arc<[usize]> {
        let Some(cache) = self.candidates.get(kind as usize) else {
            return self.find_candidates(kind, Some(action));
        };
        if let Some(found) = cache.read().unwrap_or_else(PoisonError::into_inner).get(action) {
            return Arc::clone(found);
        }
        let found = self.find_candidates(kind, Some(action));
        let mut cache = cache.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MAX_ACTIONS {
            cache.clear();
        }
        cache.insert(action.into(), Arc::clone(&found));
        found
    }

    fn find_candidates(&self, kind: SourceKind, action: Option<&str>) -> Arc<[usize]> {
        let rules = self.singles.iter().enumerate();
        rules
            .filter(|(_, rule)| rule.may_match(kind, KnownFields::Action(action)))
            .map(|(index, _)| index)
            .collect()
    }
}

#[cfg(test)]
mod tests;
