//! Examples beside rules: `NAME.json` beside `NAME.yml`, with `true` and `false`, each a list of
//! normalized events.
//!
//! Each event of `true` matches a rule of the file, and none of `false` does. Of a file with a
//! correlation, either list is a history, and that of `true` alone gives a finding.

use std::collections::BTreeMap;
use std::path::Path;

use bytestring::ByteString;

use super::correlation::CorrelationState;
use super::rule_folder::read_file;
use super::{RuleOrigin, RuleSet};
use crate::model::json::{Document, Node};
use crate::model::time::{Timestamp, parse_api_time};

/// What came of examples.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ExampleReport {
    /// Files of rules that have examples.
    pub tested: usize,
    /// Files of rules that have none.
    pub untested: Vec<String>,
    /// Events of all examples.
    pub events: usize,
    /// What is not as the examples say: the file, and what.
    pub failures: Vec<(String, String)>,
}

/// Tests the rules that come from files.
pub fn test_rules(rules: &RuleSet) -> ExampleReport {
    let mut files: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (index, info) in rules.rules().iter().enumerate() {
        if let RuleOrigin::File(path) = &info.origin {
            files.entry(path).or_default().push(index);
        }
    }
    let mut report = ExampleReport::default();
    for (path, own) in files {
        let examples = path.with_extension("json");
        if !examples.exists() {
            report.untested.push(path.display().to_string());
            continue;
        }
        report.tested += 1;
        let name = examples.display().to_string();
        match read_file(&examples) {
            Ok(text) => report.test(rules, &own, &name, text),
            Err(error) => report.failures.push((name, format!("cannot be read: {error}"))),
        }
    }
    report
}

impl ExampleReport {
    fn test(&mut self, rules: &RuleSet, own: &[usize], name: &str, text: String) {
        let document = match Document::parse(ByteString::from(text)) {
            Ok(document) => document,
            Err(error) => {
                return self.failures.push((name.to_owned(), format!("no valid JSON: {error}")));
            }
        };
        let infos = rules.rules();
        let is_correlation =
            |index: &&usize| infos.get(**index).is_some_and(|info| info.is_correlation);
        let counting: Vec<usize> = own.iter().filter(is_correlation).copied().collect();
        for (key, wanted) in [("true", true), ("false", false)] {
            let list = document.root().get(key);
            let events: Vec<_> = list.iter().flat_map(|list| list.items()).collect();
            self.events += events.len();
            let failure = match (events.is_empty(), counting.is_empty()) {
                (true, _) => Some(format!("it has no events in `{key}`")),
                (_, true) => check_events(rules, own, &events, key, wanted),
                (_, false) => check_history(rules, &counting, &events, key, wanted),
            };
            self.failures.extend(failure.map(|what| (name.to_owned(), what)));
        }
    }
}

/// What is wrong with the first event that does not do as it should.
fn check_events(
    rules: &RuleSet,
    own: &[usize],
    events: &[Node<'_>],
    key: &str,
    wanted: bool,
) -> Option<String> {
    let finds =
        |event: Node<'_>| rules.matches(event).iter().any(|found| own.contains(&found.rule));
    let wrong = events.iter().position(|event| finds(*event) != wanted)?;
    let does = if wanted { "matches no rule" } else { "matches a rule" };
    Some(format!("event {} of `{key}` {does} of the file", wrong + 1))
}

/// What is wrong with a history.
fn check_history(
    rules: &RuleSet,
    counting: &[usize],
    events: &[Node<'_>],
    key: &str,
    wanted: bool,
) -> Option<String> {
    let placed = |event: &Node<'_>| {
        let time = parse_api_time(&event.text_of("time")?)?;
        Some((time, event.text_of("id")?.into_owned()))
    };
    let mut sorted: Vec<((Timestamp, String), Node<'_>)> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let Some(place) = placed(event) else {
            let what = format!("event {} of `{key}` has no `time` or no `id`", index + 1);
            return Some(format!("{what}, which a correlation needs"));
        };
        sorted.push((place, *event));
    }
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut state = CorrelationState::default();
    let mut is_found = false;
    for ((time, id), event) in &sorted {
        let found = state.add_with_silent(rules, *time, id, &rules.matches(*event));
        is_found |= found.iter().any(|finding| counting.contains(&finding.rule));
    }
    let does = if wanted { "give no finding" } else { "give a finding" };
    (is_found != wanted).then(|| format!("the events of `{key}` {does}"))
}
