//! What a rule says of an event of which only some fields are at hand: surely that it matches,
//! surely that it does not, or neither. Most events are known to match no rule by this, and their
//! lines are not parsed.

use std::collections::HashMap;

use rsigma_eval::compiler::CompiledDetectionItem;
use rsigma_eval::{CompiledDetection, CompiledMatcher, EventValue, PlainEvent};
use rsigma_parser::{ArrayQuantifier, ConditionExpr, Quantifier};

use crate::model::event::{Event, EventTarget};

/// Some fields of an event, or of a part of it.
#[derive(Clone, Copy)]
pub enum KnownFields<'a> {
    /// Nothing but the action of an event, if it has one.
    Action(Option<&'a str>),
    /// Those of an event that is pulled.
    Event(&'a Event<'a>),
    /// Those of one of its targets.
    Target(&'a EventTarget<'a>),
}

impl<'a> KnownFields<'a> {
    /// The text of a field; nothing where it is absent or not at hand.
    fn text(self, field: &str) -> Option<&'a str> {
        match (self, field) {
            (KnownFields::Action(action), "action") => action,
            (KnownFields::Event(event), "action") => Some(&event.action),
            (KnownFields::Event(event), "category") => Some(event.category.as_str()),
            (KnownFields::Event(event), "outcome") => Some(event.outcome.as_str()),
            (KnownFields::Event(event), "product") => event.product.as_deref(),
            (KnownFields::Target(target), "type") => target.kind.as_deref(),
            (KnownFields::Target(target), "id") => target.id.as_deref(),
            (KnownFields::Target(target), "name") => target.name.as_deref(),
            (KnownFields::Target(target), "email") => target.email.as_deref(),
            _ => None,
        }
    }

    /// All targets, if these are at hand and `list` names them.
    fn members(self, list: &str) -> Option<&'a [EventTarget<'a>]> {
        match self {
            KnownFields::Event(event) if list == "targets" => Some(&event.targets),
            _ => None,
        }
    }
}

/// What a condition says.
pub fn verdict(
    condition: &ConditionExpr,
    detections: &HashMap<String, CompiledDetection>,
    known: KnownFields<'_>,
) -> Option<bool> {
    let of = |part| verdict(part, detections, known);
    match condition {
        ConditionExpr::And(parts) => all(parts.iter().map(of)),
        ConditionExpr::Or(parts) => any(parts.iter().map(of)),
        ConditionExpr::Not(part) => of(part).map(|verdict| !verdict),
        ConditionExpr::Identifier(name) => detection_verdict(detections.get(name)?, known),
        ConditionExpr::Selector { quantifier, pattern } => {
            let chosen = detections.iter().filter(|(name, _)| pattern.matches_detection_name(name));
            let verdicts = chosen.map(|(_, detection)| detection_verdict(detection, known));
            match quantifier {
                Quantifier::Any => any(verdicts),
                Quantifier::All => all(verdicts),
                Quantifier::Count(_) => None,
            }
        }
    }
}

/// False if one is false, true if all are true.
fn all(verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut whole = Some(true);
    for verdict in verdicts {
        match verdict {
            Some(false) => return Some(false),
            Some(true) => {}
            None => whole = None,
        }
    }
    whole
}

/// True if one is true, false if all are false.
fn any(verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all(verdicts.map(|verdict| verdict.map(|verdict| !verdict))).map(|verdict| !verdict)
}

fn detection_verdict(detection: &CompiledDetection, known: KnownFields<'_>) -> Option<bool> {
    match detection {
        CompiledDetection::AllOf(items) => all(items.iter().map(|item| item_verdict(item, known))),
        CompiledDetection::And(parts) => {
            all(parts.iter().map(|part| detection_verdict(part, known)))
        }
        CompiledDetection::AnyOf(parts) => {
            any(parts.iter().map(|part| detection_verdict(part, known)))
        }
        CompiledDetection::ArrayMatch { field, quantifier: ArrayQuantifier::Any, body } => {
            let members = known.members(field)?;
            any(members.iter().map(|target| detection_verdict(body, KnownFields::Target(target))))
        }
        CompiledDetection::Keywords(_)
        | CompiledDetection::ArrayMatch { .. }
        | CompiledDetection::Conditional { .. } => None,
    }
}

fn item_verdict(item: &CompiledDetectionItem, known: KnownFields<'_>) -> Option<bool> {
    let text = known.text(item.field.as_deref()?)?;
    if let Some(exists) = item.exists {
        return Some(exists);
    }
    let nothing_else = PlainEvent::new(String::new());
    let is_enough = reads_only_the_value(&item.matcher);
    is_enough.then(|| item.matcher.matches(&EventValue::Str(text.into()), &nothing_else))
}

/// Whether a matcher looks at nothing but the value that it is given.
pub fn reads_only_the_value(matcher: &CompiledMatcher) -> bool {
    match matcher {
        CompiledMatcher::Exact { .. }
        | CompiledMatcher::Contains { .. }
        | CompiledMatcher::StartsWith { .. }
        | CompiledMatcher::EndsWith { .. }
        | CompiledMatcher::Regex(_)
        | CompiledMatcher::AhoCorasickSet { .. }
        | CompiledMatcher::RegexSetMatch { .. } => true,
        CompiledMatcher::Not(inner) => reads_only_the_value(inner),
        CompiledMatcher::AnyOf(parts) | CompiledMatcher::AllOf(parts) => {
            parts.iter().all(reads_only_the_value)
        }
        CompiledMatcher::CaseInsensitiveGroup { children, .. } => {
            children.iter().all(reads_only_the_value)
        }
        _ => false,
    }
}
