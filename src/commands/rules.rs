//! Runs `rules check`, `rules list` and `rules test`: says what is wrong with rules, which there
//! are, and whether they do what the examples beside them say.

use std::path::Path;

use serde::Serialize;

use crate::config::request::RulesRequest;
use crate::detect::sigma::rule_examples::{self, ExampleReport};
use crate::detect::sigma::{RuleError, RuleInfo, RuleLevel, RuleOrigin, RuleSet};
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::text::{counted, printable_line};
use crate::sink::stdout;
use crate::telemetry::console::StderrConsole;

/// The widest line of the list.
const WIDTH: usize = 80;

/// Where the list's second column begins.
const INDENT: usize = 15;

/// Runs one of them.
///
/// # Errors
/// Rules cannot be used, do not do what their examples say, or standard output cannot be written.
pub fn run(request: RulesRequest, console: &StderrConsole) -> Result<(), AppError> {
    match request {
        RulesRequest::Check(path) => {
            let rules = load(&path, console)?;
            let (counting, single): (Vec<_>, Vec<_>) =
                own(&rules).partition(|info| info.is_correlation);
            let counting = counted(counting.len() as u64, "correlation");
            let single = counted(single.len() as u64, "rule");
            console.notice(format!("{single} and {counting} can be used"));
            Ok(())
        }
        RulesRequest::List { folders, json } => {
            let rules = RuleSet::load(&folders)?;
            let mut infos: Vec<&RuleInfo> = rules.rules().iter().collect();
            infos.sort_by(|a, b| (b.level, &a.title).cmp(&(a.level, &b.title)));
            let lines: Result<String, AppError> = match json {
                true => infos.into_iter().map(json_line).collect(),
                false => Ok(list(&infos)),
            };
            Ok(stdout::print(&lines?)?)
        }
        RulesRequest::Test(path) => {
            let rules = load(&path, console)?;
            report_examples(&rule_examples::test_rules(&rules), console)
        }
    }
}

/// The rules in `path`. Correlations may refer to those that are part of the program.
fn load(path: &Path, console: &StderrConsole) -> Result<RuleSet, AppError> {
    let rules = RuleSet::load(&[path.to_owned()]).map_err(|RuleError { problems }| {
        problems.iter().for_each(|problem| console.error(printable_line(&problem.to_string())));
        let what = counted(problems.len() as u64, "problem");
        AppError::new(Exit::Config, format!("{what} in the rules of `{}`", path.display()))
            .hint("mend what is listed; other rules of these files were not looked at further")
    })?;
    if own(&rules).next().is_none() {
        let what = format!("there is no rule in `{}`", path.display());
        let hint = "name a folder with rules in files `*.yml` or `*.yaml`";
        return Err(AppError::new(Exit::Config, what).hint(hint));
    }
    Ok(rules)
}

/// The rules that are no part of the program.
fn own(rules: &RuleSet) -> impl Iterator<Item = &RuleInfo> {
    rules.rules().iter().filter(|info| !info.origin.is_built_in())
}

fn report_examples(report: &ExampleReport, console: &StderrConsole) -> Result<(), AppError> {
    for (file, what) in &report.failures {
        console.error(printable_line(&format!("{file}: {what}")));
    }
    let ExampleReport { tested, untested, events, failures } = report;
    let files = counted(*tested as u64, "file");
    if !failures.is_empty() {
        let what = counted(failures.len() as u64, "example");
        let text = format!("{what} in {files} of examples not as the rules have it");
        return Err(AppError::new(Exit::Config, text)
            .hint("mend the rule or the example: each is a normalized event"));
    }
    let events = counted(*events as u64, "event");
    let without = match untested.len() as u64 {
        0 => String::new(),
        count => format!("; {} without examples", counted(count, "file")),
    };
    console.notice(format!("{files} tested with {events}{without}"));
    match tested {
        0 => Err(AppError::new(Exit::Config, "no rule has examples")
            .hint("write NAME.json beside NAME.yml: {\"true\": [EVENT], \"false\": [EVENT]}")),
        _ => Ok(()),
    }
}

/// For each rule two lines that fit on a terminal: the level and the title; id and ATT&CK. A third
/// says where a rule of the user is.
fn list(infos: &[&RuleInfo]) -> String {
    let mut text = format!("{:<INDENT$}{}\n", "LEVEL", "TITLE, ID, ATT&CK, FILE");
    for info in infos {
        let title = fitted(&info.title, WIDTH - INDENT);
        text.push_str(&format!("{:<INDENT$}{title}\n", info.level.as_str()));
        let techniques = info.attack.iter().filter(|word| word.starts_with('T'));
        let techniques: Vec<_> = techniques.map(String::as_str).collect();
        let second = format!("{}  {}", info.id, techniques.join(" "));
        let second = fitted(&second, WIDTH - INDENT);
        text.push_str(&format!("{:<INDENT$}{}\n", "", second.trim_end()));
        if let RuleOrigin::File(path) = &info.origin {
            let path = printable_line(&path.display().to_string());
            text.push_str(&format!("{:<INDENT$}{path}\n", ""));
        }
    }
    text
}

fn fitted(text: &str, width: usize) -> String {
    let line = printable_line(text);
    match line.char_indices().nth(width) {
        Some(_) => line.chars().take(width - 3).chain("...".chars()).collect(),
        None => line,
    }
}

/// A rule as one JSON object.
#[derive(Serialize)]
struct RuleLine<'a> {
    id: &'a str,
    title: &'a str,
    level: RuleLevel,
    attack: &'a [String],
    origin: String,
    correlation: bool,
    /// Whether a match is an alert by itself.
    alerts: bool,
    description: &'a str,
    false_positives: &'a [String],
    references: &'a [String],
}

fn json_line(info: &RuleInfo) -> Result<String, AppError> {
    let line = RuleLine {
        id: &info.id,
        title: &info.title,
        level: info.level,
        attack: &info.attack,
        origin: info.origin.to_string(),
        correlation: info.is_correlation,
        alerts: info.emits,
        description: info.description.trim_end(),
        false_positives: &info.false_positives,
        references: &info.references,
    };
    let text = serde_json::to_string(&line)
        .map_err(|error| AppError::new(Exit::Unexpected, "cannot write JSON").because(&error))?;
    Ok(text + "\n")
}
