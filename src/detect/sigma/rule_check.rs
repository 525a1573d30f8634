//! Refuses what the parser would pass over in silence, or what is not supported.

use rsigma_parser::Modifier;
use yaml_serde::{Mapping, Value};

use super::log_source::LogSourceKind;
use super::rule_document::RuleDocument;
use super::rule_error::RuleProblem;
use super::text_limits::{MAX_VALUES_OF_RULE, refuse_condition};

/// The keys of a correlation that are understood.
const CORRELATION_KEYS: [&str; 8] =
    ["type", "rules", "group-by", "timespan", "timeframe", "condition", "aliases", "generate"];

/// The types of correlation that are evaluated.
const CORRELATION_TYPES: [&str; 4] = ["event_count", "value_count", "temporal", "temporal_ordered"];

/// The keys of a correlation's condition.
const CONDITION_KEYS: [&str; 7] = ["gt", "gte", "lt", "lte", "eq", "neq", "field"];

/// What says which elements of a list must fit a group of fields.
const QUANTIFIERS: [&str; 4] = ["[any]", "[all]", "[all_or_empty]", "[none]"];

/// The most dashes of a value that `windash` replaces: each makes five values of one.
const MAX_DASHES: u32 = 3;

/// The most conditions, tags, references and false positives of a rule.
const MAX_LIST: usize = 100;

/// The most problems of a document that are reported.
const MAX_PROBLEMS: usize = 50;

/// Checks one document.
pub struct RuleChecker<'a> {
    document: RuleDocument<'a>,
    /// What was found wrong.
    pub problems: Vec<RuleProblem>,
    /// Values that fields are compared with.
    pub values: usize,
}

impl<'a> RuleChecker<'a> {
    /// Checks the whole of `document`.
    pub fn check(document: RuleDocument<'a>, content: &Value) -> RuleChecker<'a> {
        let mut checker = RuleChecker { document, problems: Vec::new(), values: 0 };
        let Some(content) = content.as_mapping() else {
            checker.refuse("", "this is no rule: a rule is a mapping with `title` and `detection`");
            return checker;
        };
        checker.check_keys(content);
        if ["filter", "action"].iter().any(|key| content.contains_key(key)) {
            return checker;
        }
        match content.get("correlation") {
            Some(correlation) => checker.check_correlation(correlation),
            None => checker.check_rule(content),
        }
        checker
    }

    fn refuse(&mut self, part: &str, what: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(self.document.problem_at(part, what));
        }
    }

    fn check_keys(&mut self, content: &Mapping) {
        for (key, value) in content {
            let Some(key) = key.as_str() else {
                self.refuse("", "a key of a rule is a word");
                continue;
            };
            let part = format!("{key}:");
            let is_text = value.as_str().is_some_and(|text| !text.trim().is_empty());
            match key {
                "filter" => self.refuse(&part, "filters are not supported: write a `not` instead"),
                "action" => self.refuse(&part, "`action` is not supported: write each rule out"),
                "title" | "id" | "name" | "description" | "level" if !is_text => {
                    self.refuse(&part, format!("`{key}` is a text"));
                }
                "tags" | "references" | "falsepositives" if !is_text_list(value) => {
                    let what = format!("`{key}` is a list of at most {MAX_LIST} texts");
                    self.refuse(&part, what);
                }
                "sigma-version" if !matches!(value.as_u64(), Some(2 | 3)) => {
                    self.refuse(&part, "`sigma-version` is 2 or 3");
                }
                _ if key.starts_with("rsigma.") => {
                    self.refuse(&part, format!("`{key}` is not supported"));
                }
                _ => {}
            }
        }
        if !["title", "filter", "action"].iter().any(|key| content.contains_key(key)) {
            self.refuse("", "the rule has no `title`");
        }
    }

    fn check_rule(&mut self, content: &Mapping) {
        let log_source = content.get("logsource").and_then(Value::as_mapping);
        let kind = match log_source.map(LogSourceKind::read) {
            Some(Ok(kind)) => kind,
            Some(Err((key, what))) => return self.refuse(&format!("{key}:"), what),
            None => return self.refuse("logsource", "the rule has no `logsource`"),
        };
        let Some(detection) = content.get("detection").and_then(Value::as_mapping) else {
            return self.refuse("detection", "the rule has no `detection`");
        };
        let has_blocks = content.get("sigma-version").and_then(Value::as_u64) == Some(3);
        for (key, value) in detection {
            match key.as_str() {
                Some("condition") => self.check_conditions(value),
                Some("timeframe") => self.refuse(
                    "timeframe:",
                    "`timeframe` in a detection is not supported: write a correlation",
                ),
                Some(_) => self.check_selection(value, kind, "", has_blocks),
                None => self.refuse("detection:", "a selection has a name"),
            }
        }
        if self.values > MAX_VALUES_OF_RULE {
            self.refuse("detection:", format!("it has more than {MAX_VALUES_OF_RULE} values"));
        }
    }

    fn check_conditions(&mut self, value: &Value) {
        let list = value.as_sequence().map_or(std::slice::from_ref(value), Vec::as_slice);
        if list.len() > MAX_LIST {
            return self.refuse("condition:", format!("there are more than {MAX_LIST} conditions"));
        }
        for condition in list.iter().filter_map(Value::as_str) {
            if let Some(what) = refuse_condition(condition) {
                self.refuse("condition:", what);
            }
        }
    }

    /// `prefix` is the list whose elements the fields are of, with a dot behind it.
    fn check_selection(
        &mut self,
        value: &Value,
        kind: LogSourceKind,
        prefix: &str,
        has_blocks: bool,
    ) {
        match value {
            Value::Mapping(fields) => {
                for (key, value) in fields {
                    match key.as_str() {
                        Some(key) => self.check_field(key, value, kind, prefix, has_blocks),
                        None => self.refuse("detection:", "a field's name is a text"),
                    }
                }
            }
            Value::Sequence(items) => {
                for item in items {
                    match item {
                        Value::Mapping(_) => self.check_selection(item, kind, prefix, has_blocks),
                        _ => self.check_value(item, "detection:"),
                    }
                }
            }
            _ => self.check_value(value, "detection:"),
        }
    }

    fn check_field(
        &mut self,
        key: &str,
        value: &Value,
        kind: LogSourceKind,
        prefix: &str,
        has_blocks: bool,
    ) {
        let (field, modifiers) = match key.split_once('|') {
            Some((field, modifiers)) => (field, modifiers.split('|').collect()),
            None => (key, Vec::new()),
        };
        let unsupported = modifiers.iter().find(|modifier| {
            matches!(modifier.parse::<Modifier>(), Err(()) | Ok(Modifier::Expand))
        });
        if let Some(modifier) = unsupported {
            return self.refuse(key, format!("the modifier `{modifier}` is not supported"));
        }
        let block = QUANTIFIERS.iter().find_map(|quantifier| field.strip_suffix(quantifier));
        if let (true, Some(list), Value::Mapping(_)) = (has_blocks, block, value) {
            return self.check_selection(value, kind, &format!("{prefix}{list}."), false);
        }
        let is_read = prefix.is_empty() || field != "condition";
        let checked = match field {
            "" => Ok(()),
            _ if is_read => kind.check_field(&format!("{prefix}{field}")),
            _ => Err("`condition` in a list's elements is not supported".to_owned()),
        };
        if let Err(what) = checked {
            return self.refuse(key, what);
        }
        let values = value.as_sequence().map_or(std::slice::from_ref(value), Vec::as_slice);
        if values.is_empty() {
            self.refuse(key, format!("`{key}` has no value"));
        }
        for value in values {
            self.check_value(value, key);
            if modifiers.contains(&"windash")
                && let Some(text) = value.as_str()
            {
                let dashes = u32::try_from(text.matches('-').count()).unwrap_or(u32::MAX);
                if dashes > MAX_DASHES {
                    let what = format!("`windash` of more than {MAX_DASHES} dashes");
                    return self.refuse(key, format!("{what} is not supported"));
                }
                self.values += 5_usize.pow(dashes);
            }
        }
    }

    fn check_value(&mut self, value: &Value, part: &str) {
        self.values += 1;
        if matches!(value, Value::Mapping(_) | Value::Sequence(_) | Value::Tagged(_)) {
            self.refuse(part, "a field is compared with texts, numbers, true, false or null");
        }
    }

    fn check_correlation(&mut self, correlation: &Value) {
        let Some(correlation) = correlation.as_mapping() else {
            return self.refuse("correlation", "`correlation` is a mapping");
        };
        let unknown = |key: &Value, known: &[&str]| match key.as_str() {
            Some(key) if known.contains(&key) => None,
            key => Some(key.unwrap_or_default().to_owned()),
        };
        for key in correlation.keys().filter_map(|key| unknown(key, &CORRELATION_KEYS)) {
            self.refuse(&format!("{key}:"), format!("`{key}` of a correlation is not supported"));
        }
        match correlation.get("type").and_then(Value::as_str) {
            Some(word) if CORRELATION_TYPES.contains(&word) => {}
            Some(word) => self.refuse("type:", format!("the type `{word}` is not supported")),
            None => self.refuse("correlation", "the correlation has no `type`"),
        }
        for key in ["rules", "group-by"] {
            if correlation.get(key).is_some_and(|value| !is_text_list(value)) {
                self.refuse(
                    &format!("{key}:"),
                    format!("`{key}` is a list of at most {MAX_LIST} texts"),
                );
            }
        }
        match correlation.get("condition") {
            Some(Value::Mapping(condition)) => {
                for key in condition.keys().filter_map(|key| unknown(key, &CONDITION_KEYS)) {
                    let what = format!("`{key}` of a condition is not supported");
                    self.refuse(&format!("{key}:"), what);
                }
                let numbers = condition.iter().filter(|(key, _)| key.as_str() != Some("field"));
                if numbers.into_iter().any(|(_, value)| value.as_u64().is_none()) {
                    self.refuse("condition:", "a condition compares with a whole number");
                }
            }
            Some(condition) => self.check_conditions(condition),
            None => {}
        }
        let is_mapping = |value: &Value| {
            let fields = value.as_mapping();
            fields.is_some_and(|fields| fields.values().all(|field| field.as_str().is_some()))
        };
        if let Some(aliases) = correlation.get("aliases")
            && !aliases.as_mapping().is_some_and(|aliases| aliases.values().all(is_mapping))
        {
            self.refuse("aliases:", "each alias has a field for each rule");
        }
    }
}

fn is_text_list(value: &Value) -> bool {
    match value {
        Value::String(_) => true,
        Value::Sequence(items) => {
            items.len() <= MAX_LIST && items.iter().all(|item| item.as_str().is_some())
        }
        _ => false,
    }
}
