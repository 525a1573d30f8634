//! A correlation, read: which rules it counts, in which groups, and what must hold of a window.

use std::collections::HashMap;

use chrono::TimeDelta;
use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationRule as ReadCorrelation,
    CorrelationType,
};

use crate::model::hashing::quick_hash;

/// The most events that a window keeps, and so the most that a condition may ask for.
pub const MAX_WINDOW: usize = 1000;

/// The most rules that a correlation may refer to: each has a bit.
const MAX_INPUTS: usize = 64;

/// The longest timespan, in days.
const MAX_DAYS: u64 = 90;

/// A rule that counts what other rules find.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrelationRule {
    /// Its index in the list of rules.
    pub rule: usize,
    /// Under which its windows are kept: its id, and a hash of what else it says.
    pub key: String,
    /// The rules that it counts.
    pub inputs: Vec<CorrelationInput>,
    /// The names of the fields that events of a group share.
    pub group_by: Vec<String>,
    /// How long a window is; both ends belong to it.
    pub span: TimeDelta,
    /// What must hold of a window.
    pub test: WindowTest,
}

impl CorrelationRule {
    /// A bit for each of its rules.
    pub fn all_inputs(&self) -> u64 {
        u64::MAX >> (MAX_INPUTS - self.inputs.len().clamp(1, MAX_INPUTS))
    }

    /// Whether only the number of events counts: of more than are [`needed`](Self::needed), the
    /// oldest change nothing.
    pub fn counts_events(&self) -> bool {
        matches!(self.test, WindowTest::EventCount(_))
    }

    /// How many events of a window its condition needs, at least.
    pub fn needed(&self) -> usize {
        match &self.test {
            WindowTest::EventCount(comparisons) | WindowTest::ValueCount(comparisons) => {
                let most = comparisons.iter().map(|(_, number)| *number).max().unwrap_or(0);
                usize::try_from(most).map_or(MAX_WINDOW, |most| (most + 1).min(MAX_WINDOW))
            }
            _ => MAX_INPUTS,
        }
    }
}

/// A rule that a correlation counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationInput {
    /// Its index in the list of rules.
    pub rule: usize,
    /// The fields of its events that the group's names stand for.
    pub group_fields: Vec<String>,
    /// The field whose values are counted.
    pub value_field: Option<String>,
}

impl CorrelationInput {
    /// The fields that are read of its events.
    pub fn fields(&self) -> impl Iterator<Item = &String> {
        self.group_fields.iter().chain(&self.value_field)
    }
}

/// What must hold of a window.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowTest {
    /// The number of events.
    EventCount(Vec<(ConditionOperator, u64)>),
    /// The number of different values.
    ValueCount(Vec<(ConditionOperator, u64)>),
    /// The number of rules that found something.
    RuleCount(Vec<(ConditionOperator, u64)>),
    /// All rules found something.
    AllRules,
    /// Which rules found something.
    Rules(RuleExpression),
    /// All rules found something, one after the other.
    Sequence,
}

/// Which of a correlation's rules found something; they are named by their place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleExpression {
    /// This one did.
    Input(usize),
    /// All of these hold.
    And(Vec<RuleExpression>),
    /// One of these holds.
    Or(Vec<RuleExpression>),
    /// It does not hold.
    Not(Box<RuleExpression>),
}

/// Whether `count` fits all of `comparisons`.
pub fn fits(comparisons: &[(ConditionOperator, u64)], count: u64) -> bool {
    comparisons.iter().all(|(operator, number)| match operator {
        ConditionOperator::Lt => count < *number,
        ConditionOperator::Lte => count <= *number,
        ConditionOperator::Gt => count > *number,
        ConditionOperator::Gte => count >= *number,
        ConditionOperator::Eq => count == *number,
        ConditionOperator::Neq => count != *number,
    })
}

/// A correlation as it was read, and the rules that it may refer to.
pub struct CorrelationReader<'a> {
    /// As it was read.
    pub read: &'a ReadCorrelation,
    /// Whether its `condition` is written out.
    pub has_condition: bool,
    /// Rules by id and by name.
    pub known: &'a HashMap<String, usize>,
}

impl CorrelationReader<'_> {
    /// The correlation at `rule` of the list of rules.
    ///
    /// # Errors
    /// A part of its text, and what is wrong with it.
    pub fn correlation(&self, rule: usize, id: &str) -> Result<CorrelationRule, (String, String)> {
        let read = self.read;
        let refuse = |part: &str, what: String| (part.to_owned(), what);
        if read.rules.is_empty() || read.rules.len() > MAX_INPUTS {
            let what = format!("a correlation refers to 1 to {MAX_INPUTS} rules");
            return Err(refuse("rules:", what));
        }
        let most = MAX_DAYS * 24 * 60 * 60;
        let seconds = read.timespan.seconds;
        if seconds == 0 || seconds > most {
            let what = format!("the timespan is not 1 second to {MAX_DAYS} days");
            return Err(refuse(&read.timespan.original, what));
        }
        let span = i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds).unwrap_or_default();
        let test = self.test()?;
        let value_field = match (&test, &read.condition) {
            (WindowTest::ValueCount(_), CorrelationCondition::Threshold { field, .. }) => {
                match field.as_deref() {
                    Some([field]) => Some(field),
                    _ => {
                        return Err(refuse("condition:", "value_count has one `field`".to_owned()));
                    }
                }
            }
            _ => None,
        };
        let mut inputs: Vec<CorrelationInput> = Vec::new();
        for name in &read.rules {
            let index = *self.known.get(name).ok_or_else(|| {
                refuse(name, format!("it refers to `{name}`, which is no rule that was read"))
            })?;
            if inputs.iter().any(|input| input.rule == index) {
                return Err(refuse(name, format!("it refers to `{name}` twice")));
            }
            let group_fields: Result<_, _> =
                read.group_by.iter().map(|field| self.field(field, name)).collect();
            let value_field = value_field.map(|field| self.field(field, name)).transpose()?;
            inputs.push(CorrelationInput { rule: index, group_fields: group_fields?, value_field });
        }
        // Not the places of rules, which change with other rules.
        let fields: Vec<_> =
            inputs.iter().map(|input| (&input.group_fields, &input.value_field)).collect();
        let said =
            format!("{:?} {:?} {fields:?} {span} {test:?}", read.correlation_type, read.rules);
        let key = format!("{id} {:016x}", quick_hash(said.as_bytes()));
        Ok(CorrelationRule { rule, key, inputs, group_by: read.group_by.clone(), span, test })
    }

    /// The field that `name` stands for in the events of `rule`.
    fn field(&self, name: &str, rule: &str) -> Result<String, (String, String)> {
        let Some(alias) = self.read.aliases.iter().find(|alias| alias.alias == name) else {
            return Ok(name.to_owned());
        };
        alias.mapping.get(rule).cloned().ok_or_else(|| {
            (name.to_owned(), format!("the alias `{name}` has no field for `{rule}`"))
        })
    }

    fn test(&self) -> Result<WindowTest, (String, String)> {
        let read = self.read;
        let refuse = |what: &str| ("condition:".to_owned(), what.to_owned());
        let comparisons = match &read.condition {
            CorrelationCondition::Threshold { predicates, .. } => predicates.clone(),
            CorrelationCondition::Extended(expression) => {
                return match read.correlation_type {
                    CorrelationType::Temporal => self.expression(expression).map(WindowTest::Rules),
                    _ => Err(refuse("a condition in words is only of `temporal`")),
                };
            }
        };
        for (operator, number) in &comparisons {
            let is_beyond = match operator {
                ConditionOperator::Gt => *number >= MAX_WINDOW as u64,
                ConditionOperator::Gte | ConditionOperator::Eq => *number > MAX_WINDOW as u64,
                ConditionOperator::Lt | ConditionOperator::Lte | ConditionOperator::Neq => false,
            };
            if is_beyond {
                let what = format!("more than {MAX_WINDOW} events of a window are not supported");
                return Err(refuse(&what));
            }
        }
        match read.correlation_type {
            CorrelationType::EventCount => Ok(WindowTest::EventCount(comparisons)),
            CorrelationType::ValueCount => Ok(WindowTest::ValueCount(comparisons)),
            CorrelationType::Temporal if self.has_condition => {
                Ok(WindowTest::RuleCount(comparisons))
            }
            CorrelationType::Temporal => Ok(WindowTest::AllRules),
            CorrelationType::TemporalOrdered if self.has_condition => {
                Err(refuse("`temporal_ordered` has no condition here"))
            }
            CorrelationType::TemporalOrdered => Ok(WindowTest::Sequence),
            other => {
                let what = format!("the type `{}` is not supported", other.as_str());
                Err(("type:".to_owned(), what))
            }
        }
    }

    fn expression(&self, read: &ConditionExpr) -> Result<RuleExpression, (String, String)> {
        let list = |parts: &[ConditionExpr]| {
            parts.iter().map(|part| self.expression(part)).collect::<Result<Vec<_>, _>>()
        };
        match read {
            ConditionExpr::And(parts) => list(parts).map(RuleExpression::And),
            ConditionExpr::Or(parts) => list(parts).map(RuleExpression::Or),
            ConditionExpr::Not(part) => Ok(RuleExpression::Not(Box::new(self.expression(part)?))),
            ConditionExpr::Identifier(name) => {
                let place = self.read.rules.iter().position(|rule| rule == name);
                place.map(RuleExpression::Input).ok_or_else(|| {
                    let what = format!("the condition names `{name}`, which `rules` has not");
                    ("condition:".to_owned(), what)
                })
            }
            ConditionExpr::Selector { .. } => {
                let what = "`of` is not supported in a correlation's condition";
                Err(("condition:".to_owned(), what.to_owned()))
            }
        }
    }
}
