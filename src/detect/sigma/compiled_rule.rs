//! A rule on single events, compiled: whether an event matches, and by which values.

use rsigma_eval::compiler::{CompiledDetectionItem, compile_rule, eval_condition};
use rsigma_eval::{CompiledDetection, CompiledRule, Event as _, EventValue};
use rsigma_parser::{ConditionExpr, SigmaRule};

use super::event_view::EventView;
use super::known_fields::{KnownFields, reads_only_the_value, verdict};
use super::log_source::LogSourceKind;
use crate::model::json::Node;
use crate::model::source_kind::SourceKind;
use crate::model::text::printable_line;

/// The most values that a match shows.
const MAX_SHOWN: usize = 12;

/// The most characters of a value that a match shows.
const MAX_SHOWN_CHARS: usize = 200;

/// A rule on single events.
pub struct SingleEventRule {
    rule: CompiledRule,
    kind: LogSourceKind,
}

impl SingleEventRule {
    /// Compiles `rule`, whose fields are those of our events.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn compile(rule: &SigmaRule, kind: LogSourceKind) -> Result<SingleEventRule, String> {
        let names: Vec<&str> = rule.detection.named.keys().map(String::as_str).collect();
        for condition in &rule.detection.conditions {
            check_names(condition, &names)?;
        }
        let rule = compile_rule(rule).map_err(|error| error.to_string())?;
        Ok(SingleEventRule { rule, kind })
    }

    /// Whether it is about events of this kind.
    pub fn reads_kind(&self, kind: SourceKind) -> bool {
        self.kind.includes(kind)
    }

    /// Whether an event of this kind with these fields may match; false only where none does.
    pub fn may_match(&self, kind: SourceKind, known: KnownFields<'_>) -> bool {
        let verdict = |condition| verdict(condition, &self.rule.detections, known);
        self.kind.includes(kind) && self.rule.conditions.iter().any(|c| verdict(c) != Some(false))
    }

    /// Whether it may look at Atlassian's own record.
    pub fn reads_raw(&self) -> bool {
        self.rule.detections.values().any(may_read_raw)
    }

    /// The fields and values by which `event` matches; none where it does not.
    pub fn matched(&self, event: Node<'_>) -> Option<Vec<(String, String)>> {
        if let Some(product) = self.kind.product()
            && !event.get("product").is_some_and(|found| found.is(product))
        {
            return None;
        }
        let view = EventView(event);
        let mut names = Vec::new();
        let is_met = |condition| {
            names.clear();
            eval_condition(condition, &self.rule.detections, &view, &mut names)
        };
        if !self.rule.conditions.iter().any(is_met) {
            return None;
        }
        let mut shown = Vec::new();
        for name in &names {
            if let Some(detection) = self.rule.detections.get(name) {
                show(detection, &view, "", &mut shown);
            }
        }
        shown.sort();
        shown.dedup();
        shown.truncate(MAX_SHOWN);
        Some(shown)
    }
}

fn may_read_raw(detection: &CompiledDetection) -> bool {
    match detection {
        CompiledDetection::AllOf(items) => items.iter().any(|item| match &item.field {
            // What the value is compared with may come from there, too.
            Some(field) => is_raw_field(field) || !reads_only_the_value(&item.matcher),
            None => true,
        }),
        CompiledDetection::AnyOf(parts) | CompiledDetection::And(parts) => {
            parts.iter().any(may_read_raw)
        }
        CompiledDetection::ArrayMatch { field, body, .. } => {
            is_raw_field(field) || may_read_raw(body)
        }
        CompiledDetection::Keywords(_) | CompiledDetection::Conditional { .. } => true,
    }
}

/// Whether a field is a part of Atlassian's own record.
pub fn is_raw_field(field: &str) -> bool {
    field.split('.').next() == Some("raw")
}

/// Adds what fits of each item: a field and its value, of a list the elements that fit.
fn show(
    detection: &CompiledDetection,
    event: &EventView<'_>,
    prefix: &str,
    shown: &mut Vec<(String, String)>,
) {
    match detection {
        CompiledDetection::AllOf(items) => {
            for item in items {
                show_item(item, event, prefix, shown);
            }
        }
        CompiledDetection::AnyOf(parts) | CompiledDetection::And(parts) => {
            parts.iter().for_each(|part| show(part, event, prefix, shown));
        }
        CompiledDetection::ArrayMatch { field, body, .. } => {
            show(body, event, &format!("{prefix}{field}."), shown);
        }
        CompiledDetection::Keywords(matcher) => {
            let texts = event.all_string_values();
            let fits = |text: &&std::borrow::Cow<'_, str>| {
                matcher.matches(&EventValue::Str(std::borrow::Cow::Borrowed(text)), event)
            };
            let found = texts.iter().filter(fits).take(MAX_SHOWN);
            shown.extend(found.map(|text| ("keyword".to_owned(), bounded(text))));
        }
        CompiledDetection::Conditional { .. } => {}
    }
}

fn show_item(
    item: &CompiledDetectionItem,
    event: &EventView<'_>,
    prefix: &str,
    shown: &mut Vec<(String, String)>,
) {
    let Some(field) = item.field.as_ref().map(|field| format!("{prefix}{field}")) else {
        return;
    };
    let values = match event.get_field(&field) {
        Some(EventValue::Array(values)) => values,
        Some(value) => vec![value],
        None => return,
    };
    let fits =
        |value: &&EventValue<'_>| item.exists.is_some() || item.matcher.matches(value, event);
    for value in values.iter().filter(fits) {
        let text = match value.as_str() {
            Some(text) => bounded(&text),
            None => bounded(&value.to_json().to_string()),
        };
        shown.push((field.clone(), text));
    }
}

fn bounded(text: &str) -> String {
    let line = printable_line(text);
    match line.char_indices().nth(MAX_SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// Refuses a condition that names no selection: the engine takes it as one that never fits.
fn check_names(condition: &ConditionExpr, names: &[&str]) -> Result<(), String> {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            parts.iter().try_for_each(|part| check_names(part, names))
        }
        ConditionExpr::Not(part) => check_names(part, names),
        ConditionExpr::Identifier(name) if names.contains(&name.as_str()) => Ok(()),
        ConditionExpr::Identifier(name) => {
            Err(format!("the condition names `{name}`, which is no selection of the rule"))
        }
        ConditionExpr::Selector { pattern, .. } => {
            match names.iter().any(|name| pattern.matches_detection_name(name)) {
                true => Ok(()),
                false => Err(format!("the condition names `{pattern}`, which no selection is")),
            }
        }
    }
}
