//! Owns the steps of a check, in their order, and what one of them says.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

/// A step, in the order of the way to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    /// The site told its cloud id.
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
    /// How far the clocks are apart.
    ClockSkew,
    /// What is left of the server's limit.
    LimitLeft,
    /// When the credential ends.
    KeyExpires,
    /// The state can be kept.
    StateWritable,
    /// The output can be written.
    OutputWritable,
}

impl StepName {
    /// All of them.
    pub const ALL: [StepName; 16] = [
        StepName::Configuration,
        StepName::Credential,
        StepName::Dns,
        StepName::Connected,
        StepName::CloudId,
        StepName::Tls,
        StepName::Answered,
        StepName::Authorised,
        StepName::Permitted,
        StepName::PageRead,
        StepName::NewestEvent,
        StepName::ClockSkew,
        StepName::LimitLeft,
        StepName::KeyExpires,
        StepName::StateWritable,
        StepName::OutputWritable,
    ];

    /// The words for it.
    pub fn label(self) -> &'static str {
        match self {
            StepName::Configuration => "configuration",
            StepName::Credential => "credential",
            StepName::Dns => "DNS",
            StepName::Connected => "connected",
            StepName::CloudId => "cloud id",
            StepName::Tls => "TLS",
            StepName::Answered => "answered",
            StepName::Authorised => "authorised",
            StepName::Permitted => "permitted",
            StepName::PageRead => "page read",
            StepName::NewestEvent => "newest event",
            StepName::ClockSkew => "clock",
            StepName::LimitLeft => "limit left",
            StepName::KeyExpires => "key expires",
            StepName::StateWritable => "state",
            StepName::OutputWritable => "output",
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Well.
    Ok,
    /// Well, but someone should know.
    Warning,
    /// Nobody tells.
    Untold,
    /// Not, and nothing behind it was tried.
    Failed,
    /// It was not tried.
    NotTried,
}

impl StepState {
    /// The word for it.
    pub fn label(self) -> &'static str {
        match self {
            StepState::Ok => "ok",
            StepState::Warning => "warn",
            StepState::Untold | StepState::NotTried => "-",
            StepState::Failed => "FAILED",
        }
    }
}

/// What a step says. In JSON its facts stand beside its other keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckStep {
    /// Which one.
    pub step: StepName,
    /// How it went.
    pub state: StepState,
    /// Milliseconds that it took by itself; a step that is read from another one's answer has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ms: Option<f64>,
    /// In words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// For programs.
    #[serde(flatten)]
    pub facts: Map<String, Value>,
}

impl CheckStep {
    /// A step that went well.
    pub fn ok(step: StepName, detail: impl Into<String>) -> CheckStep {
        CheckStep {
            step,
            state: StepState::Ok,
            ms: None,
            detail: detail.into(),
            hint: None,
            facts: Map::new(),
        }
    }

    /// One of which nobody tells anything.
    pub fn unknown(step: StepName, detail: impl Into<String>) -> CheckStep {
        CheckStep {
            state: StepState::Untold,
            ..CheckStep::ok(step, detail)
        }
    }

    /// One that someone should know of.
    pub fn warning(step: StepName, detail: impl Into<String>, hint: impl Into<String>) -> CheckStep {
        CheckStep {
            state: StepState::Warning,
            hint: Some(hint.into()),
            ..CheckStep::ok(step, detail)
        }
    }

    /// One that was not tried.
    pub fn not_tried(step: StepName) -> CheckStep {
        CheckStep {
            state: StepState::NotTried,
            ..CheckStep::ok(step, "")
        }
    }

    /// Adds what it took.
    pub fn with_duration(mut self, span: Duration) -> CheckStep {
        // Tenths are all that is worth telling.
        self.ms = Some((span.as_secs_f64() * 10_000.0).round() / 10.0);
        self
    }

    /// Adds a fact.
    pub fn with_fact(mut self, key: &str, value: impl Into<Value>) -> CheckStep {
        self.facts.insert(key.to_owned(), value.into());
        self
    }
}
