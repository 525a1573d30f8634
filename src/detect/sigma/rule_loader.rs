//! Reads documents into a set of rules, and collects everything that is wrong with them.

use std::collections::HashMap;

use rsigma_parser::{CorrelationRule as ReadCorrelation, SigmaRule, parse_sigma_yaml};
use serde::Deserialize as _;
use yaml_serde::Value;

use super::compiled_rule::SingleEventRule;
use super::correlation_rule::{CorrelationReader, CorrelationRule};
use super::log_source::LogSourceKind;
use super::pattern_limits::PatternBudget;
use super::rule_check::RuleChecker;
use super::rule_document::RuleDocument;
use super::rule_error::{RuleError, RuleProblem};
use super::rule_info::{RuleInfo, RuleLevel, RuleOrigin, attack_of};
use super::text_limits::{MAX_CORRELATIONS, MAX_RULES, MAX_VALUES, refuse_text};
use crate::detect::anomalies::anomaly_rule::is_anomaly;

/// How long a chain of correlations that refer to each other may be.
const MAX_CHAIN: usize = 8;

/// How many problems are looked for.
const MAX_PROBLEMS: usize = 500;

/// What was read: rules on single events first, then correlations, each behind those that it refers
/// to.
pub struct LoadedRules {
    pub infos: Vec<RuleInfo>,
    pub singles: Vec<SingleEventRule>,
    pub correlations: Vec<CorrelationRule>,
}

/// A correlation that waits until all rules are known.
struct PendingCorrelation<'a> {
    document: RuleDocument<'a>,
    read: ReadCorrelation,
    has_condition: bool,
    info: RuleInfo,
}

/// Reads documents.
#[derive(Default)]
pub struct RuleLoader<'a> {
    infos: Vec<RuleInfo>,
    singles: Vec<SingleEventRule>,
    kinds: Vec<LogSourceKind>,
    pending: Vec<PendingCorrelation<'a>>,
    /// Where each id and each name, in lower case, was given first.
    given: HashMap<String, String>,
    values: usize,
    patterns: PatternBudget,
    /// What was found wrong.
    pub problems: Vec<RuleProblem>,
}

impl<'a> RuleLoader<'a> {
    /// Reads a file.
    pub fn add(&mut self, file: &'a str, origin: &RuleOrigin, text: &'a str) {
        if let Some((line, what)) = refuse_text(text) {
            self.problems.push(RuleProblem { file: file.to_owned(), line: Some(line), what });
            return;
        }
        for document in RuleDocument::split(file, text) {
            let count = self.infos.len() + self.pending.len();
            if self.problems.len() >= MAX_PROBLEMS {
                return;
            }
            let too_much = match (count >= MAX_RULES, self.values > MAX_VALUES) {
                (true, _) => Some(format!("there are more than {MAX_RULES} rules")),
                (_, true) => Some(format!("all rules have more than {MAX_VALUES} values")),
                _ => None,
            };
            if let Some(what) = too_much {
                self.problems.push(document.problem(1, what));
                return;
            }
            if let Err(problem) = self.add_document(document, origin) {
                self.problems.push(problem);
            }
        }
    }

    fn add_document(
        &mut self,
        document: RuleDocument<'a>,
        origin: &RuleOrigin,
    ) -> Result<(), RuleProblem> {
        let content = parse_yaml(document)?;
        let checked = RuleChecker::check(document, &content);
        self.values += checked.values;
        if !checked.problems.is_empty() {
            self.problems.extend(checked.problems);
            return Ok(());
        }
        let collection = parse_sigma_yaml(document.text)
            .map_err(|error| problem_of(document, &error.to_string()))?;
        if !collection.errors.is_empty() {
            let found = collection.errors.iter().map(|error| problem_of(document, error));
            self.problems.extend(found);
            return Ok(());
        }
        for rule in collection.rules {
            self.add_rule(document, rule, &content, origin)?;
        }
        for read in collection.correlations {
            if self.pending.len() >= MAX_CORRELATIONS {
                let what = format!("there are more than {MAX_CORRELATIONS} correlations");
                return Err(document.problem_at("correlation:", what));
            }
            let info = correlation_info(&read, origin);
            self.claim_names(document, &info)?;
            let written = content.get("correlation").and_then(|value| value.get("condition"));
            let has_condition = written.is_some();
            self.pending.push(PendingCorrelation { document, read, has_condition, info });
        }
        Ok(())
    }

    fn add_rule(
        &mut self,
        document: RuleDocument<'a>,
        mut rule: SigmaRule,
        content: &Value,
        origin: &RuleOrigin,
    ) -> Result<(), RuleProblem> {
        let log_source = content.get("logsource").and_then(Value::as_mapping);
        let Some(Ok(kind)) = log_source.map(LogSourceKind::read) else {
            return Err(document.problem_at("logsource", "the rule has no `logsource`"));
        };
        for detection in rule.detection.named.values() {
            self.patterns.take(detection).map_err(|(text, what)| {
                document.problem_at(text.lines().next().unwrap_or_default(), what)
            })?;
        }
        let named = std::mem::take(&mut rule.detection.named);
        let mapped = named.into_iter().map(|(name, part)| (name, kind.map_fields(part)));
        rule.detection.named = mapped.collect();
        let info = rule_info(&rule, origin);
        let compiled =
            SingleEventRule::compile(&rule, kind).map_err(|error| problem_of(document, &error))?;
        self.claim_names(document, &info)?;
        self.infos.push(info);
        self.singles.push(compiled);
        self.kinds.push(kind);
        Ok(())
    }

    /// Refuses an id or a name that another rule has, in whatever case, and what alerts call our
    /// detections: an exception for the one would cover the other.
    fn claim_names(
        &mut self,
        document: RuleDocument<'_>,
        info: &RuleInfo,
    ) -> Result<(), RuleProblem> {
        let name = info.name.as_ref().filter(|name| **name != info.id);
        let words = || std::iter::once(&info.id).chain(name);
        if let Some(word) = words().chain([&info.title]).find(|word| is_anomaly(word)) {
            let what = format!("`{word}` is a detection of atlaudit's own already");
            return Err(document.problem_at(word, what));
        }
        for word in words() {
            if let Some(place) = self.given.get(&word.to_lowercase()) {
                let what = format!("`{word}` is a rule of {place} already");
                return Err(document.problem_at(word, what));
            }
            self.given.insert(word.to_lowercase(), document.problem_at(word, "").place());
        }
        Ok(())
    }

    /// The rules.
    ///
    /// # Errors
    /// Something is wrong with one of them.
    pub fn finish(mut self) -> Result<LoadedRules, RuleError> {
        let order = self.order();
        let mut known: HashMap<String, usize> = HashMap::new();
        for (index, info) in self.infos.iter().enumerate() {
            insert_names(&mut known, info, index);
        }
        let mut pending: Vec<Option<PendingCorrelation<'_>>> =
            std::mem::take(&mut self.pending).into_iter().map(Some).collect();
        let mut correlations = Vec::new();
        for place in order {
            let Some(PendingCorrelation { document, read, has_condition, info }) =
                pending.get_mut(place).and_then(Option::take)
            else {
                continue;
            };
            let reader = CorrelationReader { read: &read, has_condition, known: &known };
            match reader.correlation(self.infos.len(), &info.id) {
                Ok(mut correlation) => {
                    if let Err((part, what)) = self.map_fields(&mut correlation) {
                        self.problems.push(document.problem_at(&part, what));
                    }
                    self.silence_inputs(&correlation, &read, &info);
                    insert_names(&mut known, &info, self.infos.len());
                    self.infos.push(info);
                    correlations.push(correlation);
                }
                Err((part, what)) => self.problems.push(document.problem_at(&part, what)),
            }
        }
        if !self.problems.is_empty() {
            let mut problems = self.problems;
            problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
            problems.dedup();
            return Err(RuleError { problems });
        }
        Ok(LoadedRules { infos: self.infos, singles: self.singles, correlations })
    }

    /// The order in which each correlation stands behind those that it refers to.
    fn order(&mut self) -> Vec<usize> {
        let mut names = HashMap::new();
        for (place, waiting) in self.pending.iter().enumerate() {
            insert_names(&mut names, &waiting.info, place);
        }
        let mut search = ChainSearch {
            pending: &self.pending,
            names: &names,
            order: Vec::new(),
            is_done: Vec::new(),
        };
        search.is_done.resize(self.pending.len(), false);
        let mut too_long = Vec::new();
        for place in 0..self.pending.len() {
            if !search.visit(place, 0) {
                too_long.push(place);
            }
        }
        let order = search.order;
        let what = format!("it refers to itself, or to more than {MAX_CHAIN} others in a chain");
        let found = too_long.iter().filter_map(|place| self.pending.get(*place));
        let found: Vec<_> =
            found.map(|waiting| waiting.document.problem_at("rules:", what.clone())).collect();
        self.problems.extend(found);
        order
    }

    /// Puts the fields of our events in place of the rule's own, and refuses those that no event
    /// has.
    fn map_fields(&self, correlation: &mut CorrelationRule) -> Result<(), (String, String)> {
        for input in &mut correlation.inputs {
            // Of a correlation, these are names in its groups.
            let Some(kind) = self.kinds.get(input.rule) else {
                continue;
            };
            for field in input.group_fields.iter_mut().chain(&mut input.value_field) {
                kind.check_field(field).map_err(|what| (field.clone(), what))?;
                *field = kind.mapped_field(field);
            }
        }
        Ok(())
    }

    /// What a correlation without `generate` counts is no alert by itself. What comes with the
    /// program is not silenced by a file of the user.
    fn silence_inputs(
        &mut self,
        correlation: &CorrelationRule,
        read: &ReadCorrelation,
        info: &RuleInfo,
    ) {
        for input in correlation.inputs.iter().filter(|_| !read.generate) {
            if let Some(counted) = self.infos.get_mut(input.rule)
                && counted.origin.is_built_in() == info.origin.is_built_in()
            {
                counted.emits = false;
            }
        }
    }
}

/// Walks correlations from those that refer to those that are referred to.
struct ChainSearch<'a> {
    pending: &'a [PendingCorrelation<'a>],
    names: &'a HashMap<String, usize>,
    order: Vec<usize>,
    is_done: Vec<bool>,
}

impl ChainSearch<'_> {
    /// Puts what `place` refers to before it; false if that is a circle or a long chain.
    fn visit(&mut self, place: usize, depth: usize) -> bool {
        if self.is_done.get(place).copied().unwrap_or(true) {
            return true;
        }
        if depth >= MAX_CHAIN {
            return false;
        }
        let Some(waiting) = self.pending.get(place) else {
            return true;
        };
        for name in &waiting.read.rules {
            if let Some(&inner) = self.names.get(name)
                && !self.visit(inner, depth + 1)
            {
                return false;
            }
        }
        if let Some(is_done) = self.is_done.get_mut(place) {
            *is_done = true;
        }
        self.order.push(place);
        true
    }
}

fn insert_names(names: &mut HashMap<String, usize>, info: &RuleInfo, index: usize) {
    names.insert(info.id.clone(), index);
    names.extend(info.name.clone().map(|name| (name, index)));
}

fn parse_yaml(document: RuleDocument<'_>) -> Result<Value, RuleProblem> {
    let parsed = yaml_serde::Deserializer::from_str(document.text).next().map(Value::deserialize);
    parsed.unwrap_or(Ok(Value::Null)).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        document.problem(line, format!("no valid YAML: {error}"))
    })
}

/// A problem that the parser reports without a line: the line of the word that it quotes.
fn problem_of(document: RuleDocument<'_>, message: &str) -> RuleProblem {
    let quoted = message.split(['\'', '`']).nth(1).filter(|word| !word.is_empty());
    let is_of_condition = message.contains("ondition") || message.contains("identifier");
    let part = match quoted.filter(|word| document.text.contains(word)) {
        _ if is_of_condition => "condition:",
        Some(word) => word,
        None => "detection:",
    };
    document.problem_at(part, message.to_owned())
}

/// The id, else the name, else the title.
fn id_of(id: Option<&String>, name: Option<&String>, title: &str) -> String {
    id.or(name).map_or(title, String::as_str).to_owned()
}

fn rule_info(rule: &SigmaRule, origin: &RuleOrigin) -> RuleInfo {
    RuleInfo {
        id: id_of(rule.id.as_ref(), rule.name.as_ref(), &rule.title),
        name: rule.name.clone(),
        title: rule.title.clone(),
        description: rule.description.clone().unwrap_or_default(),
        level: RuleLevel::of(rule.level),
        attack: attack_of(&rule.tags),
        false_positives: rule.falsepositives.clone(),
        references: rule.references.clone(),
        origin: origin.clone(),
        is_correlation: false,
        emits: true,
    }
}

fn correlation_info(rule: &ReadCorrelation, origin: &RuleOrigin) -> RuleInfo {
    RuleInfo {
        id: id_of(rule.id.as_ref(), rule.name.as_ref(), &rule.title),
        name: rule.name.clone(),
        title: rule.title.clone(),
        description: rule.description.clone().unwrap_or_default(),
        level: RuleLevel::of(rule.level),
        attack: attack_of(&rule.tags),
        false_positives: rule.falsepositives.clone(),
        references: rule.references.clone(),
        origin: origin.clone(),
        is_correlation: true,
        emits: true,
    }
}
