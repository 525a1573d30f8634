//! Refuses regular expressions, and texts with `*` and `?`, that compile to too much.

use regex::RegexBuilder;
use rsigma_eval::matcher::sigma_string_to_regex;
use rsigma_parser::{Detection, DetectionItem, Modifier, SigmaValue};

/// The most bytes of a pattern.
const MAX_PATTERN_BYTES: usize = 2048;

/// Sizes, in bytes, that are tried: a pattern costs the first that it fits into.
const SIZES: [usize; 3] = [16 << 10, 64 << 10, 256 << 10];

/// The most bytes that the patterns of all rules compile to.
const MAX_TOTAL_BYTES: usize = 8 << 20;

const TOO_LARGE: &str = "the patterns of all rules together are too large";

/// What the patterns of all rules cost so far.
#[derive(Debug, Default)]
pub struct PatternBudget {
    bytes: usize,
}

impl PatternBudget {
    /// Takes the patterns of a selection.
    ///
    /// # Errors
    /// A pattern is no regular expression, or costs too much: its text as it stands in the rule,
    /// and what is wrong.
    pub fn take(&mut self, detection: &Detection) -> Result<(), (String, String)> {
        match detection {
            Detection::AllOf(items) => items.iter().try_for_each(|item| self.take_item(item)),
            Detection::AnyOf(parts) | Detection::And(parts) => {
                parts.iter().try_for_each(|part| self.take(part))
            }
            Detection::Keywords(values) => {
                values.iter().try_for_each(|value| self.take_value(value, false))
            }
            Detection::ArrayMatch { body, .. } => self.take(body),
            Detection::Conditional { named, .. } => {
                named.values().try_for_each(|part| self.take(part))
            }
        }
    }

    fn take_item(&mut self, item: &DetectionItem) -> Result<(), (String, String)> {
        let is_regex = item.field.has_modifier(Modifier::Re);
        item.values.iter().try_for_each(|value| self.take_value(value, is_regex))
    }

    fn take_value(&mut self, value: &SigmaValue, is_regex: bool) -> Result<(), (String, String)> {
        let SigmaValue::String(text) = value else {
            return Ok(());
        };
        let pattern = match is_regex {
            true => text.original.clone(),
            false if text.is_plain() => return Ok(()),
            false => sigma_string_to_regex(&text.parts, true),
        };
        let refuse = |what: String| (text.original.clone(), what);
        if self.bytes > MAX_TOTAL_BYTES {
            return Err(refuse(TOO_LARGE.to_owned()));
        }
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(refuse(format!("the pattern has more than {MAX_PATTERN_BYTES} bytes")));
        }
        // The flags that a rule may add make a pattern larger, not another one.
        for size in SIZES {
            let built = RegexBuilder::new(&pattern).case_insensitive(true).size_limit(size).build();
            match built {
                Ok(_) => {
                    self.bytes += size;
                    let is_within = self.bytes <= MAX_TOTAL_BYTES;
                    return if is_within { Ok(()) } else { Err(refuse(TOO_LARGE.to_owned())) };
                }
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(error) => {
                    let last = error.to_string().lines().last().unwrap_or_default().to_owned();
                    return Err(refuse(format!("no regular expression: {last}")));
                }
            }
        }
        Err(refuse("the pattern compiles to too much".to_owned()))
    }
}
