//! The report of a check: its steps in their order, as a line each as it is done, or as one JSON
//! object at the end.

use std::time::{Duration, Instant};

use chrono::Utc;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::request::CheckRequest;
use crate::config::settings::SourceSettings;
use crate::error::AppError;
use crate::exit::Exit;
use crate::model::text::{counted, printable_line};
use crate::model::time::format_millis;
use crate::sink::{SinkError, stdout};
use crate::telemetry::terminal::wrapped;

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// The settings make sense, and a client can be built from them.
    Configuration,
    /// The secret is where it should be.
    Credential,
    /// The host's name has an address.
    Dns,
    /// It takes a connection.
    Connected,
    /// The site's cloud id is known.
    CloudId,
    /// The connection is secure.
    Tls,
    /// The API answered.
    Answered,
    /// It knows the credential.
    Authorised,
    /// The credential may read the log.
    Permitted,
    /// A page could be read.
    PageRead,
    /// When the newest event happened.
    NewestEvent,
    /// Whether the workspace events API answers for the site too.
    WorkspaceEvents,
    /// Whether the table of actions has those that the API lists.
    Actions,
    /// How far the clocks are apart.
    ClockSkew,
    /// What is left of the server's limit.
    LimitLeft,
    /// When the credential ends.
    KeyExpires,
    /// The state can be written.
    StateWritable,
    /// The output can be written.
    OutputWritable,
}

/// All steps, with their labels in the text report.
const STEPS: [(StepName, &str); 18] = [
    (StepName::Configuration, "configuration"),
    (StepName::Credential, "credential"),
    (StepName::Dns, "DNS"),
    (StepName::Connected, "connected"),
    (StepName::CloudId, "cloud id"),
    (StepName::Tls, "TLS"),
    (StepName::Answered, "answered"),
    (StepName::Authorised, "authorised"),
    (StepName::Permitted, "permitted"),
    (StepName::PageRead, "page read"),
    (StepName::NewestEvent, "newest event"),
    (StepName::WorkspaceEvents, "workspace API"),
    (StepName::Actions, "actions"),
    (StepName::ClockSkew, "clock"),
    (StepName::LimitLeft, "limit left"),
    (StepName::KeyExpires, "key expires"),
    (StepName::StateWritable, "state"),
    (StepName::OutputWritable, "output"),
];

impl StepName {
    fn label(self) -> &'static str {
        STEPS.iter().find(|(step, _)| *step == self).map_or("", |(_, label)| label)
    }
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Successful.
    Ok,
    /// Successful, with a warning.
    Warning,
    /// Unknown.
    Untold,
    /// It failed, and nothing after it was tried.
    Failed,
    /// It was not tried.
    NotTried,
}

/// A finished step. In JSON its facts stand beside its other keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckStep {
    /// Which one.
    pub step: StepName,
    /// How it went.
    pub state: StepState,
    /// Its duration in milliseconds; a step that is derived from another one's response has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<f64>,
    /// In words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Lines for the configuration, as TOML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Further lines for people.
    #[serde(skip)]
    pub lines: Vec<String>,
    /// For programs.
    #[serde(flatten)]
    pub facts: Map<String, Value>,
}

impl CheckStep {
    fn new(step: StepName, state: StepState, detail: impl Into<String>) -> CheckStep {
        let (detail, lines, facts) = (detail.into(), Vec::new(), Map::new());
        CheckStep { step, state, ms: None, detail, hint: None, config: None, lines, facts }
    }

    /// A successful step.
    pub fn ok(step: StepName, detail: impl Into<String>) -> CheckStep {
        CheckStep::new(step, StepState::Ok, detail)
    }

    /// A step whose result is unknown.
    pub fn unknown(step: StepName, detail: impl Into<String>) -> CheckStep {
        CheckStep::new(step, StepState::Untold, detail)
    }

    /// Adds a warning that says what to do.
    pub fn warn(self, hint: impl Into<String>) -> CheckStep {
        CheckStep { state: StepState::Warning, hint: Some(hint.into()), ..self }
    }

    /// The same if there is a reason to warn.
    pub fn warn_if(self, is_warning: bool, hint: &str) -> CheckStep {
        if is_warning { self.warn(hint) } else { self }
    }

    /// Adds what can be done, without a warning.
    pub fn with_hint(self, hint: impl Into<String>) -> CheckStep {
        CheckStep { hint: Some(hint.into()), ..self }
    }

    /// Adds lines for the configuration.
    pub fn with_config(self, toml: String) -> CheckStep {
        CheckStep { config: Some(toml), ..self }
    }

    /// Adds its duration.
    pub fn with_duration(self, span: Duration) -> CheckStep {
        // More than tenths would be noise.
        CheckStep { ms: Some((span.as_secs_f64() * 10_000.0).round() / 10.0), ..self }
    }

    /// Adds a fact.
    pub fn with_fact(mut self, key: &str, value: impl Into<Value>) -> CheckStep {
        self.facts.insert(key.to_owned(), value.into());
        self
    }
}

/// The report of one source's check.
#[derive(Debug)]
pub struct CheckReport {
    name: String,
    kind: &'static str,
    asks: String,
    is_json: bool,
    is_coloured: bool,
    /// Those of the terminal, if it is shown on one.
    columns: Option<usize>,
    steps: Vec<CheckStep>,
    /// The step that is being tried, and since when.
    current_step: (StepName, Instant),
    /// Standard output was closed. Reported at the end, because the source is not at fault.
    output_error: Option<SinkError>,
}

/// The report as JSON.
#[derive(Serialize)]
struct CheckReportJson<'a> {
    schema: &'static str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    asks: &'a str,
    time: String,
    ok: bool,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<CheckErrorJson<'a>>,
    steps: &'a [CheckStep],
}

#[derive(Serialize)]
struct CheckErrorJson<'a> {
    step: StepName,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    causes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

impl CheckReport {
    /// Begins the report of `source`, which a terminal shows in so many `columns`.
    pub fn new(
        source: &SourceSettings,
        request: &CheckRequest,
        columns: Option<usize>,
        is_first: bool,
    ) -> CheckReport {
        let mut report = CheckReport {
            name: source.name.to_string(),
            kind: source.target.kind().as_str(),
            asks: source.target.base_url().to_string(),
            is_json: request.json,
            is_coloured: request.is_coloured,
            columns,
            steps: Vec::new(),
            current_step: (StepName::Configuration, Instant::now()),
            output_error: None,
        };
        let gap = if is_first { "" } else { "\n" };
        let title = format!("{gap}{} ({}) {}\n", report.name, report.kind, report.asks);
        report.print(&title);
        report
    }

    /// Notes which step is being tried: an error belongs to it.
    pub fn begin_step(&mut self, step: StepName) {
        self.current_step = (step, Instant::now());
    }

    /// Adds a finished step.
    pub fn finish_step(&mut self, step: CheckStep) {
        self.current_step.0 = step.step;
        self.print(&format_step(&step, self.is_coloured));
        self.steps.push(step);
    }

    /// Adds a finished step with its duration since it began.
    pub fn finish_timed_step(&mut self, step: CheckStep) {
        self.finish_step(step.with_duration(self.current_step.1.elapsed()));
    }

    /// Ends the report, with the error of the current step if it failed.
    ///
    /// # Errors
    /// Standard output could not be written.
    pub fn finish(mut self, failed: Option<&AppError>) -> Result<(), AppError> {
        let time = format_millis(Utc::now());
        match failed {
            None => {
                let warnings = self.steps.iter().filter(|step| step.state == StepState::Warning);
                let but = match warnings.count() {
                    0 => String::new(),
                    count => format!(", with {}", counted(count as u64, "warning")),
                };
                self.print(&format!("OK{but}  {time}\n"));
            }
            Some(error) => self.add_failure(error, &time),
        }
        if self.is_json {
            self.print_object(failed, time)?;
        }
        self.output_error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Adds the step that failed, and those that were not tried after it.
    fn add_failure(&mut self, error: &AppError, time: &str) {
        let current = self.current_step.0;
        // The title has the source's name already.
        let named = format!("source `{}`: ", self.name);
        let text = error.text();
        let text = text.strip_prefix(named.as_str()).unwrap_or(text);
        let step = CheckStep::new(current, StepState::Failed, text);
        let mut lines = format_step(&step, self.is_coloured);
        for cause in error.causes() {
            lines.push_str(&format!("         because: {}\n", printable_line(cause)));
        }
        lines.push_str(&hint_line(error.hint_text()));
        // Only some sources have these.
        let is_rare =
            |s| matches!(s, StepName::CloudId | StepName::WorkspaceEvents | StepName::Actions);
        let left = STEPS.iter().filter(|(s, _)| *s > current && !is_rare(*s));
        let labels: Vec<_> = left.clone().map(|(_, label)| *label).collect();
        if !labels.is_empty() {
            lines.push_str(&format!("  not tried: {}\n", labels.join(", ")));
        }
        lines.push_str(&format!("Check failed at step `{}`  {time}\n", current.label()));
        self.print(&lines);
        self.steps.push(step);
        self.steps.extend(left.map(|(step, _)| CheckStep::new(*step, StepState::NotTried, "")));
    }

    fn print_object(&self, failed: Option<&AppError>, time: String) -> Result<(), AppError> {
        let failed_step = self.steps.iter().find(|step| step.state == StepState::Failed);
        let object = CheckReportJson {
            schema: "atlaudit/check/1",
            source: &self.name,
            kind: self.kind,
            asks: &self.asks,
            time,
            ok: failed.is_none(),
            exit_code: failed.map_or(0, |error| error.exit().code()),
            error: failed.zip(failed_step).map(|(error, step)| CheckErrorJson {
                step: step.step,
                message: &step.detail,
                causes: error.causes(),
                hint: error.hint_text(),
            }),
            steps: &self.steps,
        };
        let text = serde_json::to_string(&object).map_err(|error| {
            let what = "the account cannot be written as JSON";
            AppError::new(Exit::Unexpected, what).because(&error).hint("please report it")
        })?;
        Ok(stdout::print(&format!("{text}\n"))?)
    }

    /// Prints for people.
    fn print(&mut self, lines: &str) {
        if !self.is_json && self.output_error.is_none() {
            self.output_error = stdout::print(&wrapped(lines, self.columns)).err();
        }
    }
}

/// `  ok     DNS             12.3 ms  api.atlassian.com is 192.0.2.7`, and below it what to write
/// or to do.
fn format_step(step: &CheckStep, is_coloured: bool) -> String {
    let (state, colour) = match step.state {
        StepState::Ok => ("ok", 32),
        StepState::Warning => ("warn", 33),
        StepState::Untold | StepState::NotTried => ("-", 0),
        StepState::Failed => ("FAILED", 31),
    };
    let state = match is_coloured {
        true => format!("\u{1b}[{colour}m{state:<6}\u{1b}[0m"),
        false => format!("{state:<6}"),
    };
    let ms = step.ms.map_or(String::new(), |ms| format!("{ms:.1} ms"));
    let (label, detail) = (step.step.label(), printable_line(&step.detail));
    let line = format!("  {state} {label:<13} {ms:>9}  {detail}");
    let config = step.config.as_deref().unwrap_or_default().lines();
    let config = config.chain(step.lines.iter().map(String::as_str));
    let config: String =
        config.map(|line| format!("         {}\n", printable_line(line))).collect();
    format!("{}\n{config}{}", line.trim_end(), hint_line(step.hint.as_deref()))
}

/// The line below a step that says what to do; nothing where there is no hint.
fn hint_line(hint: Option<&str>) -> String {
    let hint = hint.filter(|hint| !hint.is_empty());
    hint.map_or(String::new(), |hint| format!("         hint: {}\n", printable_line(hint)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_step_is_a_line_of_columns() {
        let step = CheckStep::ok(StepName::Dns, "a.example is 192.0.2.7")
            .with_duration(Duration::from_micros(12_340));
        assert_eq!(
            format_step(&step, false),
            "  ok     DNS             12.3 ms  a.example is 192.0.2.7\n"
        );
        let step = CheckStep::ok(StepName::ClockSkew, "an hour behind").warn("set it");
        assert_eq!(
            format_step(&step, false),
            "  warn   clock                    an hour behind\n         hint: set it\n"
        );
        assert_eq!(
            format_step(&CheckStep::unknown(StepName::LimitLeft, ""), false),
            "  -      limit left\n"
        );
    }

    #[test]
    fn no_text_of_a_server_steers_a_terminal() {
        let lines = vec!["not understood: a\u{202e}b\nc".to_owned()];
        let step =
            CheckStep { lines, ..CheckStep::ok(StepName::Actions, "x\u{2066}y").warn("\u{9b}") };
        let shown = format_step(&step, false);
        assert!(
            shown.ends_with("x y\n         not understood: a b c\n         hint:  \n"),
            "{shown}"
        );
    }

    #[test]
    fn facts_stand_beside_the_other_keys() {
        let step = CheckStep::ok(StepName::PageRead, "3 records").with_fact("records", 3);
        assert_eq!(
            serde_json::to_string(&step).unwrap(),
            r#"{"step":"page_read","state":"ok","detail":"3 records","records":3}"#
        );
    }
}
