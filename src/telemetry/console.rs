//! Writes messages to standard error, for a person or a log collector: whole lines, as text or as
//! one JSON object each.

use std::collections::HashSet;
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::MultiProgress;
use serde_json::Value;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{self, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::telemetry::{LogFormat, LogVerbosity, TelemetrySettings};
use crate::files::is_null_device;
use crate::model::json::escape::escape_controls;
use crate::model::text::{printable, printable_line};
use crate::model::time::format_millis;
use crate::model::user_zone::UserZone;
use crate::telemetry::meter::{RETRY_NOTICE, WAIT_NOTICE};
use crate::telemetry::terminal::{columns, wrapped};

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed, and a person is needed.
    Error,
    /// Nothing is lost, but someone should know.
    Warning,
    /// What a person wants to know at the end of a run.
    Notice,
    /// `-v`
    Info,
    /// `-vv`
    Debug,
}

impl Level {
    /// Its word and its colour.
    fn style(self) -> (&'static str, &'static str) {
        match self {
            Level::Error => ("error", "\u{1b}[1;31m"),
            Level::Warning => ("warning", "\u{1b}[1;33m"),
            Level::Notice => ("notice", "\u{1b}[1m"),
            Level::Info => ("info", "\u{1b}[2m"),
            Level::Debug => ("debug", "\u{1b}[2m"),
        }
    }
}

/// One message.
#[derive(Debug, Clone, Default)]
pub struct ConsoleMessage {
    /// What is said, as one line.
    pub text: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
    /// Facts beside it.
    pub fields: Vec<MessageField>,
}

/// A fact beside a message.
#[derive(Debug, Clone)]
pub struct MessageField {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub value: Value,
    /// Whether the text states it in words already: then only JSON has it.
    pub is_stated: bool,
}

impl ConsoleMessage {
    /// A message that is only a text.
    pub fn new(text: impl Into<String>) -> ConsoleMessage {
        ConsoleMessage { text: text.into(), ..ConsoleMessage::default() }
    }

    /// Adds a fact that the text states in words already.
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> ConsoleMessage {
        let (name, value) = (name.to_owned(), value.into());
        self.fields.push(MessageField { name, value, is_stated: true });
        self
    }

    /// Says what to do.
    pub fn hint(self, hint: impl Into<String>) -> ConsoleMessage {
        ConsoleMessage { hint: Some(hint.into()), ..self }
    }

    /// Adds why.
    pub fn because(mut self, cause: impl Into<String>) -> ConsoleMessage {
        self.causes.push(cause.into());
        self
    }

    /// The hint, unless it is empty.
    fn printed_hint(&self) -> Option<&str> {
        self.hint.as_deref().filter(|hint| !hint.is_empty())
    }
}

/// Standard error.
#[derive(Debug)]
pub struct StderrConsole {
    settings: TelemetrySettings,
    colour: bool,
    is_watched: bool,
    bars: MultiProgress,
    failing: Mutex<HashSet<String>>,
}

impl StderrConsole {
    /// A console as `settings` want it; `is_terminal` when a person reads along.
    pub fn new(settings: TelemetrySettings, is_terminal: bool) -> StderrConsole {
        StderrConsole {
            settings,
            colour: settings.color.enabled(is_terminal),
            is_watched: is_terminal,
            bars: MultiProgress::new(),
            failing: Mutex::default(),
        }
    }

    /// Whether messages of `level` are said at all.
    pub fn says(&self, level: Level) -> bool {
        match self.settings.verbosity {
            LogVerbosity::Quiet => level <= Level::Warning,
            LogVerbosity::Normal => level <= Level::Notice,
            LogVerbosity::Verbose => level <= Level::Info,
            LogVerbosity::Trace => true,
        }
    }

    /// The zone of the times in texts for people. What programs read is in UTC.
    pub fn zone(&self) -> UserZone {
        match self.settings.log_format {
            LogFormat::Text => self.settings.zone,
            LogFormat::Json => UserZone::UTC,
        }
    }

    /// The bars of the progress line, where someone watches.
    pub fn bars(&self) -> Option<&MultiProgress> {
        let is_watched = self.is_watched
            && self.settings.log_format == LogFormat::Text
            && self.settings.verbosity != LogVerbosity::Quiet;
        is_watched.then_some(&self.bars)
    }

    /// Says `message`, unless it is not grave enough to be said. Returns false if nobody can
    /// read it: it could not be written, or /dev/null took it.
    pub fn say(&self, level: Level, message: &ConsoleMessage) -> bool {
        !self.says(level) || self.write(&self.formatted(level, message))
    }

    /// Says how something ended that was reported as an error: whoever has read that, also with
    /// `-q`, is to know.
    pub fn say_end(&self, message: &ConsoleMessage) {
        self.write(&self.formatted(Level::Notice, message));
    }

    fn formatted(&self, level: Level, message: &ConsoleMessage) -> String {
        match self.settings.log_format {
            LogFormat::Text if self.settings.has_times => {
                let now = self.settings.zone.millis(chrono::Utc::now());
                format!("{now} {}", text(level, message, self.colour))
            }
            LogFormat::Text => text(level, message, self.colour),
            LogFormat::Json => json(level, message),
        }
    }

    /// Names the sources that were reported to fail: how they are tried again is no news.
    pub fn set_failing(&self, sources: HashSet<String>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = sources;
    }

    fn is_failing(&self, fields: &[MessageField]) -> bool {
        let failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sources = fields.iter().filter(|field| field.name == "source");
        sources.any(|field| field.value.as_str().is_some_and(|name| failing.contains(name)))
    }

    /// Reports an error without cause or hint.
    pub fn error(&self, text: impl Into<String>) {
        self.say(Level::Error, &ConsoleMessage::new(text));
    }

    /// The same as a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.say(Level::Warning, &ConsoleMessage::new(text));
    }

    /// The same as a notice.
    pub fn notice(&self, text: impl Into<String>) {
        self.say(Level::Notice, &ConsoleMessage::new(text));
    }

    /// Writes the output of a command for people, whatever the verbosity.
    pub fn show(&self, lines: &str) {
        let json = || json(Level::Notice, &ConsoleMessage::new(lines.trim_end()));
        match self.settings.log_format {
            LogFormat::Text => self.write(lines),
            LogFormat::Json => self.write(&json()),
        };
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that writes to standard error")]
    fn write(&self, lines: &str) -> bool {
        // A standard error that cannot be written is no reason to stop collecting. One that was
        // closed is /dev/null by now: Rust opens that before `main`.
        let written = self.bars.suspend(|| {
            let mut stderr = io::stderr().lock();
            let shown = match self.settings.log_format {
                LogFormat::Text => wrapped(lines, columns(&stderr)),
                LogFormat::Json => lines.to_owned(),
            };
            stderr.write_all(shown.as_bytes())?;
            File::from(stderr.as_fd().try_clone_to_owned()?).metadata()
        });
        written.is_ok_and(|facts| !is_null_device(&facts))
    }
}

fn text(level: Level, message: &ConsoleMessage, colour: bool) -> String {
    let mut out = match (level, level.style()) {
        (Level::Notice, _) => String::new(),
        (_, (word, style)) if colour => format!("{style}{word}\u{1b}[0m: "),
        (_, (word, _)) => format!("{word}: "),
    };
    let unstated = message.fields.iter().filter(|field| !field.is_stated);
    let (source, facts): (Vec<_>, Vec<_>) = unstated.partition(|field| field.name == "source");
    for field in source {
        out.push_str(&format!("source `{}`: ", shown(&field.value)));
    }
    // Our own sentences may be long; what they quote was cut where it was quoted.
    out.push_str(&printable_line(&message.text));
    for field in facts {
        out.push_str(&format!(" {}={}", field.name, shown(&field.value)));
    }
    out.push('\n');
    for cause in &message.causes {
        out.push_str(&format!("  because: {}\n", printable_line(cause)));
    }
    if let Some(hint) = message.printed_hint() {
        out.push_str(&format!("  hint: {}\n", printable_line(hint)));
    }
    out
}

/// A field's value as text.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => other.to_string(),
    }
}

fn json(level: Level, message: &ConsoleMessage) -> String {
    let mut object = serde_json::Map::new();
    object.insert("time".into(), format_millis(chrono::Utc::now()).into());
    object.insert("level".into(), level.style().0.into());
    object.insert("message".into(), message.text.clone().into());
    if !message.causes.is_empty() {
        object.insert("causes".into(), message.causes.clone().into());
    }
    if let Some(hint) = message.printed_hint() {
        object.insert("hint".into(), hint.into());
    }
    for field in &message.fields {
        object.insert(field.name.clone(), field.value.clone());
    }
    let line = Value::Object(object).to_string();
    let line = String::from_utf8_lossy(&escape_controls(line.as_bytes())).into_owned();
    line + "\n"
}

/// Sends the `tracing` events of this program to `console` from now on. What a library logs about a
/// request may hold anything, and is left out.
pub fn log_to_console(console: Arc<StderrConsole>) {
    // Fails only where a subscriber is set already, which then serves.
    let _ = tracing_subscriber::registry().with(ConsoleLayer { console }).try_init();
}

struct ConsoleLayer {
    console: Arc<StderrConsole>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ConsoleLayer {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: layer::Context<'_, S>) -> bool {
        metadata.target().starts_with("atlaudit") && self.console.says(self.level(metadata))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: layer::Context<'_, S>) {
        let mut fields = MessageVisitor(ConsoleMessage::default());
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.0.fields));
        }
    }

    fn on_event(&self, event: &tracing::Event<'_>, context: layer::Context<'_, S>) {
        let mut message = MessageVisitor(ConsoleMessage::default());
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(facts)) = span.extensions().get() {
                message.0.fields.extend(facts.iter().cloned());
            }
        }
        event.record(&mut message);
        let is_trial = matches!(event.metadata().target(), WAIT_NOTICE | RETRY_NOTICE);
        let level = match self.level(event.metadata()) {
            level if is_trial && self.console.is_failing(&message.0.fields) => {
                level.max(Level::Info)
            }
            level => level,
        };
        if level == Level::Notice {
            // Its text is a whole sentence.
            for field in &mut message.0.fields {
                field.is_stated = field.name != "source";
            }
        }
        self.console.say(level, &message.0);
    }
}

impl ConsoleLayer {
    fn level(&self, metadata: &tracing::Metadata<'_>) -> Level {
        match *metadata.level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warning,
            // Where there is a progress line, it shows the wait.
            _ if metadata.target() == WAIT_NOTICE && self.console.bars().is_none() => Level::Notice,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
        }
    }
}

/// What a span says of everything inside it, such as the source.
struct SpanFields(Vec<MessageField>);

struct MessageVisitor(ConsoleMessage);

impl MessageVisitor {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.0.text = text,
            (name, value) => {
                self.0.fields.push(MessageField { name: name.to_owned(), value, is_stated: false })
            }
        }
    }
}

impl Visit for MessageVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: impl Into<Value>) -> MessageField {
        MessageField { name: name.to_owned(), value: value.into(), is_stated: false }
    }

    fn message() -> ConsoleMessage {
        ConsoleMessage {
            text: "the server refused the key".to_owned(),
            causes: vec!["HTTP 401: Un\u{1b}[31mauthorized".to_owned()],
            hint: Some("make a new key".to_owned()),
            fields: vec![field("source", "acme"), field("attempt", 2)],
        }
        .fact("exit_code", 4)
    }

    #[test]
    fn an_error_is_what_failed_then_causes_then_a_hint() {
        assert_eq!(
            text(Level::Error, &message(), false),
            "error: source `acme`: the server refused the key attempt=2\n  \
             because: HTTP 401: Un [31mauthorized\n  hint: make a new key\n"
        );
    }

    #[test]
    fn the_trials_of_a_source_that_is_known_to_fail_are_no_news() {
        let console = StderrConsole::new(TelemetrySettings::default(), false);
        console.set_failing(HashSet::from(["acme".to_owned()]));
        assert!(console.is_failing(&[field("attempt", 2), field("source", "acme")]));
        assert!(!console.is_failing(&[field("source", "acme-jira")]));
        assert!(!console.is_failing(&[field("host", "acme")]) && !console.is_failing(&[]));
    }

    #[test]
    fn a_time_comes_before_the_text_and_never_before_json() {
        let settings = TelemetrySettings { has_times: true, ..TelemetrySettings::default() };
        let line = StderrConsole::new(settings, false).formatted(Level::Error, &message());
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(crate::model::time::parse_api_time(time).is_some(), "{line}");
        assert!(rest.starts_with("error: source `acme`: "), "{line}");
        let settings = TelemetrySettings { log_format: LogFormat::Json, ..settings };
        let line = StderrConsole::new(settings, false).formatted(Level::Error, &message());
        assert!(line.starts_with('{'), "{line}");
    }

    #[test]
    fn no_message_steers_a_terminal() {
        let steering = "a\u{7f}b\u{9b}31mc\u{202e}d\u{2066}e\u{2028}f";
        let message = ConsoleMessage {
            text: steering.to_owned(),
            causes: vec![steering.to_owned()],
            hint: Some(steering.to_owned()),
            fields: vec![MessageField {
                name: "attempt".to_owned(),
                value: steering.into(),
                is_stated: false,
            }],
        };
        let line = text(Level::Error, &message, false);
        assert_eq!(line.matches("a b 31mc d e f").count(), 4, "{line}");
        let line = json(Level::Error, &message);
        assert_eq!(line.matches(r"a\u007fb\u009b31mc\u202ed\u2066e\u2028f").count(), 4, "{line}");
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["message"], steering);
    }

    #[test]
    fn an_empty_hint_is_not_printed() {
        let message = ConsoleMessage { hint: Some(String::new()), ..ConsoleMessage::new("no") };
        assert_eq!(text(Level::Error, &message, false), "error: no\n");
        assert!(!json(Level::Error, &message).contains("hint"));
    }

    #[test]
    fn as_json_it_is_one_line() {
        let line = json(Level::Error, &message());
        assert_eq!(line.matches('\n').count(), 1);
        let object: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(object["level"], "error");
        assert_eq!(object["hint"], "make a new key");
        assert_eq!(object["source"], "acme");
        assert_eq!((&object["attempt"], &object["exit_code"]), (&2.into(), &4.into()));
    }
}
